//! A bundle is checked whole before anything of it is shown, taken once, answered; what is refused is explained.
#![cfg(feature = "desk")]

mod desk_kit;
mod review_kit;

use std::fs;
use std::path::Path;

use axum::http::StatusCode;
use desk_kit::Page;
use review_kit::{Service, Shot, event};
use vigie::desk::office::Office;
use vigie::desk::rights::Role;
use vigie::desk::web::pages::import::job::Source;
use vigie::transfer::taking_in::{Bundle, Progress, begin, bundles};
use vigie::transfer::{Error, Folder, ReturnName};

fn shots() -> Vec<Shot> {
    vec![Shot::at("2026-11-21T22:15:03"), Shot::at("2026-11-21T22:15:05")]
}

/// The files of a bundle, as a browser sends a folder.
fn sent(bundle: &Path) -> Vec<(String, Vec<u8>)> {
    let folder = bundle.file_name().expect("a name").to_string_lossy().into_owned();
    let mut files: Vec<_> = fs::read_dir(bundle)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let named = |path: &Path| {
        let name = path.file_name().expect("a name").to_string_lossy();
        (format!("{folder}/{name}"), fs::read(path).expect("read"))
    };
    files.iter().map(|path| named(path)).collect()
}

fn upload(service: &Service, files: &[(String, Vec<u8>)]) -> Page {
    let parts: Vec<(&str, &str, &[u8])> = files
        .iter()
        .map(|(name, bytes)| ("lot", name.as_str(), bytes.as_slice()))
        .collect();
    service.agent(1).upload("/import/envoi", &[], &parts)
}

fn written(service: &Service) -> std::path::PathBuf {
    let mut store = service.trap.store();
    service
        .trap
        .seal(&mut store, event(1), &shots(), "2026-11-22T06:00:00Z");
    service
        .trap
        .seal(&mut store, event(2), &shots(), "2026-11-22T06:00:00Z");
    service.trap.bundle(&mut store, service.stick.path())
}

#[test]
fn a_bundle_on_a_stick_is_taken_indexed_and_answered_on_the_stick() {
    let service = Service::new();
    written(&service);
    let offered = service.agent(1).get("/import").text();
    assert!(offered.contains("vigie-"), "{offered}");
    let page = service.import();
    assert!(
        page.contains("Import terminé") && page.contains("Lot vérifié et pris"),
        "{page}"
    );
    assert_eq!(service.items().len(), 10);
    assert_eq!(
        service.sql::<u32>("SELECT count(*) FROM event WHERE state = 'new'"),
        2
    );
    let answers = fs::read_dir(service.stick.path()).expect("a stick");
    let names = answers.map(|entry| entry.expect("an entry").file_name());
    let returned = names.filter(|name| name.to_string_lossy().parse::<ReturnName>().is_ok());
    assert_eq!(returned.count(), 1);
    let list = service.agent(1).get("/file").text();
    assert!(
        list.contains("21/11/2026 22:15:03") && list.contains("Quai Nord, face au 12"),
        "{list}"
    );
}

#[test]
fn a_bundle_sent_by_the_browser_is_taken_and_its_answer_is_fetched() {
    let service = Service::new();
    let bundle = written(&service);
    upload(&service, &sent(&bundle)).expect(StatusCode::SEE_OTHER);
    service.rig.app.importing.finish();
    let page = service.agent(1).get("/import/suivi").text();
    assert!(page.contains("Lot vérifié et pris"), "{page}");
    let link = page
        .split("/import/retour/")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let link = format!("/import/retour/{}", link.expect("a link"));
    let answer = service.agent(1).get(&link).expect(StatusCode::OK);
    assert!(answer.text().starts_with("vigie return 1"), "{}", answer.text());
    let left = fs::read_dir(service.rig.folder.path().join("incoming")).expect("a folder");
    assert_eq!(left.count(), 0, "what was sent is gone");
}

#[test]
fn what_was_taken_is_not_taken_again() {
    let service = Service::new();
    written(&service);
    service.import();
    let before = service.items();
    let page = service.import();
    assert!(page.contains("avait déjà été pris"), "{page}");
    assert_eq!(service.items(), before);
    assert_eq!(service.sql::<u32>("SELECT count(*) FROM event"), 2);
}

#[test]
fn a_bad_bundle_is_refused_whole_and_explained_in_french() {
    let service = Service::new();
    let bundle = written(&service);
    let item = fs::read_dir(&bundle)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.to_string_lossy().ends_with("-00000.vgi"))
        .expect("an item");
    let mut bytes = fs::read(&item).expect("read");
    *bytes.last_mut().expect("a byte") ^= 1;
    fs::write(&item, bytes).expect("written");
    let page = service.import();
    assert!(
        page.contains("Lot refusé : rien n&#39;en a été pris") || page.contains("rien n'en a été pris"),
        "{page}"
    );
    let name = item.file_name().expect("a name").to_string_lossy();
    assert!(page.contains(&*name), "the file is named: {page}");
    assert!(page.contains("Recopiez le lot depuis le boîtier"), "{page}");
    for english in ["changed", "SHA-256 is another", "refused", "bundle"] {
        assert!(!page.contains(english), "{english}: {page}");
    }
    assert_eq!(service.items(), [""; 0]);
    assert_eq!(service.sql::<u32>("SELECT count(*) FROM event"), 0);
}

#[test]
fn a_box_that_is_not_enrolled_is_told_apart_from_a_damaged_bundle() {
    let service = Service::new();
    let stranger = Service::new();
    let mut store = stranger.trap.store();
    stranger
        .trap
        .seal(&mut store, event(1), &shots(), "2026-11-22T06:00:00Z");
    stranger.trap.bundle(&mut store, service.stick.path());
    let page = service.import();
    assert!(page.contains("pas inscrit à ce poste"), "{page}");
    assert_eq!(service.items(), [""; 0]);
}

#[test]
fn only_folders_that_are_configured_are_read() {
    let service = Service::new();
    let elsewhere = tempfile::tempdir().expect("a folder");
    let mut store = service.trap.store();
    service
        .trap
        .seal(&mut store, event(1), &shots(), "2026-11-22T06:00:00Z");
    service.trap.bundle(&mut store, elsewhere.path());
    let climbing = format!(
        "{}/../{}",
        service.stick.path().display(),
        elsewhere.path().display()
    );
    for folder in [
        elsewhere.path().display().to_string(),
        climbing,
        "/".to_owned(),
        String::new(),
    ] {
        let page = service.agent(1).post("/import", &[("dossier", &folder)]);
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{folder}");
    }
    assert_eq!(service.items(), [""; 0]);
}

#[test]
fn what_a_browser_calls_its_files_leads_nowhere() {
    let service = Service::new();
    let bundle = written(&service);
    let mut files = sent(&bundle);
    for (name, _) in &mut files {
        *name = format!("../../{}", name.split('/').next_back().expect("a name"));
    }
    files.push(("../../desk.toml".to_owned(), b"broken".to_vec()));
    files.push(("../../../etc/passwd".to_owned(), b"broken".to_vec()));
    upload(&service, &files).expect(StatusCode::SEE_OTHER);
    service.rig.app.importing.finish();
    let page = service.agent(1).get("/import/suivi").text();
    assert!(
        page.contains("Lot vérifié et pris"),
        "what is ours of it is taken: {page}"
    );
    let config = fs::read_to_string(service.rig.folder.path().join("desk.toml")).expect("there");
    assert_ne!(config, "broken");
}

#[test]
fn files_that_are_no_bundle_are_refused_with_what_to_choose() {
    let service = Service::new();
    for files in [
        vec![],
        vec![("photo.jpg".to_owned(), vec![0xFF, 0xD8])],
        vec![("contents.txt".to_owned(), b"not signed".to_vec())],
    ] {
        let page = upload(&service, &files).expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.text().contains("ne forment pas un lot"), "{}", page.text());
    }
}

#[test]
fn an_event_whose_row_is_missing_gets_it_when_the_list_is_asked_for() {
    let service = Service::new();
    written(&service);
    service.import();
    {
        let mut office = service.rig.app.office.lock().expect("the desk");
        let store = office.store();
        store
            .transaction(|tx| {
                tx.raw().execute("DELETE FROM event_frame", [])?;
                tx.raw().execute("DELETE FROM event", [])?;
                Ok::<_, vigie::vault::store::Error>(())
            })
            .expect("as after a crash in between");
    }
    let page = service.agent(1).get("/file").text();
    assert!(page.contains("21/11/2026 22:15:03"), "{page}");
    assert_eq!(service.sql::<u32>("SELECT count(*) FROM event_frame"), 4);
}

#[test]
fn the_index_tells_no_plate_and_no_picture() {
    let service = Service::new();
    written(&service);
    service.import();
    let page = service.agent(1).get("/file").text();
    assert!(!page.contains("<img"), "{page}");
    assert!(!page.contains("/image/") && !page.contains("/plaque/"), "{page}");
}

#[test]
fn neither_dpd_nor_admin_imports_or_sees_the_list() {
    let service = Service::new();
    for (nth, role) in [(2, Role::Dpd), (3, Role::Admin)] {
        let mut browser = service.rig.browser(role, &review_kit::account(nth));
        for path in ["/import", "/file", "/import/suivi"] {
            assert_eq!(browser.get(path).status, StatusCode::FORBIDDEN, "{path}");
        }
    }
}

#[test]
fn an_import_that_is_stopped_leaves_nothing() {
    let service = Service::new();
    written(&service);
    let office = service.rig.app.office.lock().expect("the desk");
    let on_stick = Folder::open(service.stick.path()).expect("a stick");
    let name = bundles(&on_stick).expect("read")[0];
    let keys = &service.rig.evidence.office;
    for stops_after in [0, 1, 20_000] {
        let bundle = begin(&office.desk, &on_stick, name).expect("read").expect("new");
        let watch = &mut |progress: Progress| progress.done < stops_after;
        let followed = bundle.check().expect("sound");
        let chosen = followed.choose(&office.desk, service.rig.now()).expect("chosen");
        let opened = chosen.open(keys, watch);
        assert!(matches!(opened.err(), Some(Error::Stopped)), "{stops_after}");
    }
    drop(office);
    assert_eq!(service.items(), [""; 0]);
}

#[test]
fn of_two_who_take_the_same_bundle_at_once_one_does() {
    let service = Service::new();
    written(&service);
    let mut office = service.rig.app.office.lock().expect("the desk");
    let on_stick = Folder::open(service.stick.path()).expect("a stick");
    let name = bundles(&on_stick).expect("read")[0];
    let now = service.rig.now();
    let watch = &mut |_: Progress| true;
    let [one, other] = [0, 1].map(|_| begin(&office.desk, &on_stick, name).expect("read").expect("new"));
    let chosen = |bundle: Bundle, office: &Office| {
        let followed = bundle.check().expect("sound");
        followed.choose(&office.desk, now).expect("chosen")
    };
    let other = chosen(other, &office);
    let opened = chosen(one, &office).open(&service.rig.evidence.office, watch);
    opened
        .expect("opened")
        .commit(&mut office.desk, now)
        .expect("taken");
    let late = other.open(&service.rig.evidence.office, watch);
    assert!(late.is_err(), "its items lie in the store by now");
    drop(office);
    assert_eq!(service.items().len(), 10);
    assert_eq!(service.lines("imported").len(), 1);
}

#[test]
fn whoever_logs_out_takes_his_import_with_him() {
    let service = Service::new();
    written(&service);
    let importing = &service.rig.app.importing;
    let mut agent = service.agent(1);
    let folder = service.stick.path().display().to_string();
    {
        // Nothing can be asked of the desk, so the import has not got far.
        let office = service.rig.app.office.lock().expect("the desk");
        let source = Source::Stick(
            service.stick.path().to_owned(),
            bundles(&Folder::open(service.stick.path()).expect("a stick")).expect("read"),
        );
        importing
            .start(
                &service.rig.app,
                review_kit::account(1),
                service.rig.evidence.clone(),
                source,
            )
            .expect("begun");
        importing.stop(Some(&review_kit::account(2)));
        importing.stop(Some(&review_kit::account(1)));
        drop(office);
    }
    importing.finish();
    let page = agent.get("/import/suivi").text();
    assert!(page.contains("interrompu avant que rien ne soit pris"), "{page}");
    assert_eq!(service.items(), [""; 0]);
    // And may begin again.
    agent
        .post("/import", &[("dossier", &folder)])
        .expect(StatusCode::SEE_OTHER);
    importing.finish();
    assert_eq!(service.items().len(), 10);
}
