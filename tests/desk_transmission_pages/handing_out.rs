//! Files leave by one way alone: with a reason, a line in the journal, and not once they are due and locked.

use axum::http::StatusCode;
use vigie::desk::rights::{Act as Right, Role, allowed};
use vigie::desk::web::{Verb, routes};
use vigie::frame::Digest;

use crate::full;
use crate::review_kit::{account, event, open};

#[test]
fn every_file_that_a_browser_takes_away_leaves_a_line_with_who_what_when_and_why() {
    let day = full();
    let mut chef = day.browser(Role::Chef, 9);
    open(&mut chef, event(1));
    let mut files = Vec::new();
    for route in routes().filter(|route| route.method == Verb::Get && allowed(Role::Chef, route.act)) {
        let before = (
            day.service.lines("downloaded").len(),
            day.service.lines("viewed").len(),
        );
        let page = chef.get(&day.filled(route.path));
        let media = page.headers["content-type"].to_str().expect("a type").to_owned();
        if media.starts_with("text/html") || route.act == Right::Enter {
            continue;
        }
        files.push(route.path);
        let viewed = day.service.lines("viewed");
        // Made of pictures of an event whose opening, with its motive, is on record with all of them.
        if route.path.contains("/apercu/") || route.path.contains("/plaque/") {
            continue;
        }
        if route.path.contains("/image/") {
            assert_eq!(viewed.len(), before.1 + 1);
            continue;
        }
        let lines = day.service.lines("downloaded");
        assert_eq!(lines.len(), before.0 + 1, "{}", route.path);
        let line = lines.last().expect("a line");
        assert_eq!(line["account"], account(9), "{}", route.path);
        assert_eq!(
            line["sha256"],
            Digest::of(&page.bytes).to_string(),
            "{}",
            route.path
        );
        let names_a_file = route.path.starts_with("/dossier/") || route.path.starts_with("/transmission/");
        if names_a_file {
            assert_eq!(line["motive"], "sending", "{}", route.path);
            assert_eq!(line["infraction"], day.number.to_string(), "{}", route.path);
        }
    }
    files.sort_unstable();
    let expected = [
        "/certificats/{numero}/original",
        "/dossier/{number}/acte/{nth}",
        "/dossier/{number}/rapport/brouillon.pdf",
        "/evenement/{id}/apercu/{place}",
        "/evenement/{id}/image/{place}",
        "/evenement/{id}/plaque/{place}/{nth}",
        "/import/retour/{name}",
        "/transmission/{number}/bordereau.pdf",
        "/transmission/{number}/contenu.tsq",
        "/transmission/{number}/paquet.zip",
    ];
    assert_eq!(files, expected);
    assert_eq!(day.service.lines("report_drafted").len(), 1);
}

#[test]
fn no_package_is_taken_away_by_somebody_who_has_not_said_why() {
    let day = full();
    let mut silent = day.service.agent(3);
    for file in ["paquet.zip", "contenu.tsq", "bordereau.pdf"] {
        let page = silent.get(&format!("/transmission/2026-T-0001/{file}"));
        assert_eq!(page.location(), format!("/dossier/{}", day.number), "{file}");
    }
    assert!(day.service.lines("downloaded").is_empty());
}

#[test]
fn a_file_that_is_due_and_locked_leaves_by_no_page() {
    let day = full();
    let mut agent = day.browser(Role::Agent, 1);
    {
        let mut office = day.service.rig.app.office.lock().expect("the desk");
        let lock = format!(
            "INSERT INTO locked (class, id, since) VALUES ('record', '{}', '2026-11-22T11:00:00Z')",
            day.number
        );
        let locked = office.store().transaction(|tx| {
            tx.raw()
                .execute(&lock, [])
                .map_err(vigie::vault::store::Error::from)
        });
        locked.expect("locked");
    }
    for path in [
        format!("/dossier/{}/rapport", day.number),
        format!("/dossier/{}/rapport/brouillon.pdf", day.number),
        format!("/dossier/{}/acte/1", day.number),
        format!("/dossier/{}/paquet", day.number),
        "/transmission/2026-T-0001/paquet.zip".to_owned(),
        "/transmission/2026-T-0001/bordereau.pdf".to_owned(),
    ] {
        let page = agent.get(&path);
        assert_eq!(
            page.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{path}: {}",
            page.text()
        );
    }
}

/// What hands out files without [`vigie::desk::web::Download`] writes its own line, in the transaction of what it does.
#[test]
fn no_other_page_hands_out_files() {
    fn walk(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).expect("sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && std::fs::read_to_string(&path)
                    .expect("text")
                    .contains("Ok(Answer::File {")
            {
                found.push(path.file_name().expect("a name").to_string_lossy().into_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(
        &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/desk/web"),
        &mut found,
    );
    found.sort_unstable();
    assert_eq!(found, ["download.rs", "images.rs", "journal.rs", "releves.rs"]);
}
