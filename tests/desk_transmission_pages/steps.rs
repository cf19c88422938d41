//! Each step from the draft to the acknowledgement: who may take it, once, and what it needs.

use std::io::Write as _;

use axum::http::StatusCode;
use vigie::desk::infraction::register::State;
use vigie::desk::rights::Role;
use vigie::report::contents::{Contents, Role as FileRole};
use vigie::verify;

use crate::desk_kit::{Browser, Page};
use crate::infraction_kit::file;
use crate::review_kit::{Service, account};
use crate::{Day, full};

/// Where a person can look at what the tests made: `VIGIE_PAGES=folder`.
fn show(name: &str, page: &Page) {
    if let Some(folder) = std::env::var_os("VIGIE_PAGES") {
        std::fs::write(std::path::Path::new(&folder).join(name), &page.bytes).expect("written");
    }
}

/// What a PDF says, by poppler; none, with a word on it, where that is not installed.
fn said(pdf: &Page) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("read.pdf");
    std::fs::write(&path, &pdf.bytes).expect("written");
    let run = std::process::Command::new("pdftotext")
        .arg(&path)
        .arg("-")
        .output();
    let Ok(output) = run else {
        let _ = writeln!(
            std::io::stderr(),
            "pdftotext is not installed: the text is not read"
        );
        return None;
    };
    let text = String::from_utf8(output.stdout).expect("UTF-8").replace('’', "'");
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn a_report_is_drafted_with_nothing_chosen_and_signed_off_when_nothing_is_lacking() {
    let day = Day::new();
    let path = format!("/dossier/{}/rapport", day.number);
    let mut agent = day.browser(Role::Agent, 1);
    let page = agent.get(&path).expect(StatusCode::OK);
    show("rapport.html", &page);
    let page = page.text();
    assert!(
        page.contains("Il manque") && page.contains("Section 11"),
        "{page}"
    );
    assert!(!page.contains(" checked"), "nothing is ticked: {page}");
    assert!(
        page.contains("Non confirmée"),
        "the second image cannot be chosen: {page}"
    );
    let second = day.images[1].to_string();
    let refused = agent
        .post(&path, &[("version", "0"), ("image", second.as_str())])
        .text();
    assert!(refused.contains("confirmez-la d"), "{refused}");
    let draft = agent.get(&format!("{path}/brouillon.pdf")).expect(StatusCode::OK);
    assert!(draft.bytes.starts_with(b"%PDF-"));
    let mut chef = day.browser(Role::Chef, 9);
    let early = chef.post(&format!("{path}/valider"), &[("version", "0")]);
    assert_eq!(
        (early.status, early.location()),
        (StatusCode::SEE_OTHER, path.as_str())
    );
    assert!(day.service.lines("report_sealed").is_empty());
    day.signed_off();
    let mut agent = day.browser(Role::Agent, 1);
    let done = agent
        .get(&format!("/dossier/{}/acte/1", day.number))
        .expect(StatusCode::OK);
    show("acte.pdf", &done);
    assert!(done.bytes.starts_with(b"%PDF-"));
    assert_eq!(
        agent.get(&format!("/dossier/{}/acte/2", day.number)).status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        agent.post(&format!("{path}/valider"), &[("version", "1")]).status,
        StatusCode::FORBIDDEN
    );
}

#[test]
fn nobody_sees_a_report_or_a_package_without_having_said_why() {
    let day = Day::new();
    let mut agent = day.service.agent(3);
    for path in ["rapport", "rapport/brouillon.pdf", "acte/1", "paquet"] {
        let page = agent.get(&format!("/dossier/{}/{path}", day.number));
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}");
        assert_eq!(page.location(), format!("/dossier/{}", day.number), "{path}");
    }
}

#[test]
fn a_package_is_asked_for_by_name_approved_by_another_made_sent_and_acknowledged() {
    let day = Day::new();
    day.signed_off();
    let packages = format!("/dossier/{}/paquet", day.number);
    let mut agent = day.browser(Role::Agent, 1);
    let page = agent.get(&packages).expect(StatusCode::OK).text();
    assert!(
        !page.contains(" checked") && page.contains("obligatoire"),
        "{page}"
    );
    let nothing = agent.post(&packages, &[]).expect(StatusCode::OK).text();
    for field in ["Acte", "Destinataire", "Motif"] {
        assert!(
            nothing.contains(&format!("{field} : ce champ est obligatoire.")),
            "{nothing}"
        );
    }
    day.asked();
    let mut agent = day.browser(Role::Agent, 1);
    let one = "/transmission/2026-T-0001";
    let step = |browser: &mut Browser, name: &str, fields: &[(&str, &str)]| {
        let version = day.version_of("2026-T-0001");
        let mut all = vec![("version", version.as_str())];
        all.extend_from_slice(fields);
        browser.post(&format!("{one}/{name}"), &all)
    };
    assert_eq!(step(&mut agent, "approuver", &[]).status, StatusCode::FORBIDDEN);
    let early = step(&mut agent, "etablir", &[]);
    assert_eq!(early.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", early.text());
    let mut chef = day.browser(Role::Chef, 9);
    show("demande.html", &chef.get(one).expect(StatusCode::OK));
    let register = chef.get("/transmissions").expect(StatusCode::OK);
    show("transmissions.html", &register);
    let register = register.text();
    assert!(
        register.contains("2026-T-0001") && register.contains("À approuver"),
        "{register}"
    );
    step(&mut chef, "approuver", &[]).expect(StatusCode::SEE_OTHER);
    step(&mut agent, "etablir", &[]).expect(StatusCode::SEE_OTHER);
    let zip = agent
        .get(&format!("{one}/paquet.zip"))
        .expect(StatusCode::OK)
        .bytes;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("package.zip");
    std::fs::write(&path, &zip).expect("written");
    let desk = day
        .service
        .rig
        .app
        .office
        .lock()
        .expect("the desk")
        .desk
        .key()
        .public()
        .clone();
    let checked = verify::package(&path, Some(&desk), None).expect("checked");
    assert!(checked.is_intact(), "{:?}", checked.findings);
    let contents: Contents = checked.contents.expect("signed");
    assert_eq!((contents.requester, contents.approver), (account(1), account(9)));
    let images = contents.files.iter().filter(|file| file.role == FileRole::Image);
    assert_eq!(
        images.map(|file| file.sha256).collect::<Vec<_>>(),
        [day.images[0]]
    );
    show("paquet.html", &agent.get(&packages).expect(StatusCode::OK));
    assert!(
        agent
            .get(&format!("{one}/bordereau.pdf"))
            .expect(StatusCode::OK)
            .bytes
            .starts_with(b"%PDF-")
    );
    assert_eq!(
        agent
            .get(&format!("{one}/contenu.tsq"))
            .expect(StatusCode::OK)
            .bytes
            .len(),
        59
    );
    let version = day.version_of("2026-T-0001");
    let files: [(&str, &str, &[u8]); 1] = [("horodatage", "contenu.tsr", b"not an answer")];
    let foreign = agent.upload(&format!("{one}/horodatage"), &[("version", &version)], &files);
    assert_eq!(
        foreign.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        foreign.text()
    );
    assert!(foreign.text().contains("pas un horodatage de ce paquet"));
    step(&mut agent, "envoi", &[("support", "clé n° 3")]).expect(StatusCode::SEE_OTHER);
    assert_eq!(file(&day.service.rig, &day.number).state, State::Sent);
    step(&mut agent, "accuse", &[("accuse", "n° 26/1234")]).expect(StatusCode::SEE_OTHER);
    let mut dpd = day.service.rig.browser(Role::Dpd, &account(7));
    let seen = dpd.get(one).expect(StatusCode::OK).text();
    assert!(seen.contains("Reçue") && seen.contains("n° 26/1234"), "{seen}");
    assert!(
        !seen.contains("paquet.zip") && !seen.contains("<form method=\"post\" action=\"/transmission"),
        "{seen}"
    );
    assert_eq!(
        dpd.get(&format!("{one}/paquet.zip")).status,
        StatusCode::FORBIDDEN
    );
}

#[test]
fn a_chef_who_asked_is_not_offered_to_approve_and_cannot() {
    let day = Day::new();
    day.signed_off();
    let fields = [
        ("acte", "1"),
        (
            "destinataire",
            "Monsieur ou Madame l'officier du ministère public",
        ),
        ("motif", "transmission"),
    ];
    let mut chef = day.browser(Role::Chef, 9);
    chef.post(&format!("/dossier/{}/paquet", day.number), &fields)
        .expect(StatusCode::SEE_OTHER);
    let page = chef
        .get("/transmission/2026-T-0001")
        .expect(StatusCode::OK)
        .text();
    assert!(
        !page.contains("/approuver") && page.contains("/refuser"),
        "{page}"
    );
    let own = chef.post("/transmission/2026-T-0001/approuver", &[("version", "1")]);
    assert_eq!(own.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        own.text().contains("ne peut pas approuver sa propre demande"),
        "{}",
        own.text()
    );
    assert!(day.service.lines("package_approved").is_empty());
}

#[test]
fn a_pass_phrase_stands_on_one_page_once_and_opens_the_package() {
    let day = Day::new();
    day.signed_off();
    day.asked();
    let mut chef = day.browser(Role::Chef, 9);
    let one = "/transmission/2026-T-0001";
    chef.post(&format!("{one}/approuver"), &[("version", "1")])
        .expect(StatusCode::SEE_OTHER);
    let page = chef
        .post(
            &format!("{one}/etablir"),
            &[("version", "2"), ("chiffrer", "oui")],
        )
        .expect(StatusCode::OK)
        .text();
    let phrase = page
        .split("<p class=\"phrase\"><strong>")
        .nth(1)
        .expect("the phrase");
    let phrase = phrase.split('<').next().expect("its end");
    assert_eq!(phrase.split(' ').count(), 8, "{phrase}");
    let later = chef.get(&format!("/dossier/{}/paquet", day.number)).text() + &chef.get(one).text();
    assert!(!later.contains(phrase) && later.contains("chiffré"));
    let zip = chef
        .get(&format!("{one}/paquet.zip"))
        .expect(StatusCode::OK)
        .bytes;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("package.zip");
    std::fs::write(&path, &zip).expect("written");
    assert!(
        verify::package(&path, None, Some(phrase))
            .expect("opened")
            .is_intact()
    );
    let again = chef.post(&format!("{one}/etablir"), &[("version", "3")]);
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
}

/// Chefs de service who have accounts; the sessions of these tests have none.
fn chefs(day: &Day, count: u8) {
    use vigie::desk::accounts::derive::Cost;
    use vigie::desk::accounts::wrapped::Evidence;
    use vigie::desk::accounts::{Enrolled, Keyring, New, Person, login_salt, totp};
    let rig = &day.service.rig;
    let cost = Cost {
        memory: 64,
        passes: 1,
        lanes: 1,
    };
    let keyring = Keyring {
        register: rig.register.clone(),
        evidence: Some(Evidence {
            cells: rig.evidence.cells.clone(),
            index: rig.evidence.index.clone(),
        }),
    };
    let mut office = rig.app.office.lock().expect("the desk");
    for nth in 0..count {
        let secret = totp::Secret::draw().expect("drawn");
        let enrolled = Enrolled::new("tilleul fleuri du quai", secret, 0, cost).expect("enrolled");
        let login = format!("chef.{nth}");
        let digest = login_salt(office.desk.store.sql())
            .expect("a salt")
            .digest_of_login(&login);
        let person = Person {
            name: format!("Chef {nth}"),
            login,
        };
        let new = New {
            role: Role::Chef,
            person: &person,
            login: digest.expect("derived"),
            sheet: None,
        };
        office
            .store()
            .transaction(|tx| enrolled.insert(tx, &keyring, &new, rig.now()))
            .expect("an account");
    }
}

#[test]
fn the_author_of_an_act_signs_it_off_only_where_no_other_chef_could() {
    let day = Day::new();
    let path = format!("/dossier/{}/rapport", day.number);
    let image = day.images[0].to_string();
    let choice = [
        ("version", "0"),
        ("image", image.as_str()),
        ("lieu_visionnage", "bureau"),
    ];
    let mut author = day.browser(Role::Chef, 1);
    author.post(&path, &choice).expect(StatusCode::SEE_OTHER);
    chefs(&day, 2);
    let refused = author.post(&format!("{path}/valider"), &[("version", "1")]);
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused.text().contains("un autre chef de service"),
        "{}",
        refused.text()
    );
    day.browser(Role::Chef, 9)
        .post(&format!("{path}/valider"), &[("version", "1")])
        .expect(StatusCode::SEE_OTHER);
    const ALONE: &str = "également rédacteur de l'acte (seul chef de service en fonction)";
    if let Some(text) = said(&author.get(&format!("/dossier/{}/acte/1", day.number))) {
        assert!(
            text.contains("chef de service") && !text.contains(ALONE),
            "{text}"
        );
    }

    let alone = Day::new();
    chefs(&alone, 1);
    let path = format!("/dossier/{}/rapport", alone.number);
    let image = alone.images[0].to_string();
    let choice = [
        ("version", "0"),
        ("image", image.as_str()),
        ("lieu_visionnage", "bureau"),
    ];
    let mut author = alone.browser(Role::Chef, 1);
    author.post(&path, &choice).expect(StatusCode::SEE_OTHER);
    author
        .post(&format!("{path}/valider"), &[("version", "1")])
        .expect(StatusCode::SEE_OTHER);
    let act = author.get(&format!("/dossier/{}/acte/1", alone.number));
    show("acte-seul.pdf", &act);
    if let Some(text) = said(&act) {
        assert!(text.contains(ALONE), "{text}");
    }
    assert_eq!(alone.service.lines("report_sealed").len(), 1);
}

#[test]
fn the_third_section_has_what_the_city_has_on_file_and_nothing_where_it_says_nothing() {
    const ON_FILE: [(&str, &str); 3] = [
        (
            "Registre des traitements",
            "fiche n° 12 du registre des traitements",
        ),
        (
            "Analyse d'impact",
            "AIPD du 15 septembre 2026, référence AIPD-2026-03",
        ),
        (
            "Information du public",
            "panneaux aux abords du site, page du site de la Ville",
        ),
    ];
    let configured = |text: String| {
        let section = text.split("# opt: [processing]").nth(1).expect("in the example");
        let lines = section
            .lines()
            .take_while(|line| line.is_empty() || line.starts_with("# opt: "));
        let lines = lines.map(|line| line.trim_start_matches("# opt: "));
        format!("{text}\n[processing]\n{}\n", lines.collect::<Vec<_>>().join("\n"))
    };
    for (service, is_said) in [(Service::with(configured), true), (Service::new(), false)] {
        let day = Day::at(service);
        let path = format!("/dossier/{}/rapport/brouillon.pdf", day.number);
        let Some(text) = said(&day.browser(Role::Agent, 1).get(&path).expect(StatusCode::OK)) else {
            return;
        };
        let third = text.split_once(" 3. ").expect("a third section").1;
        let third = third.split_once(" 4. ").expect("a fourth one").0;
        for (label, words) in ON_FILE {
            assert_eq!(
                third.contains(label) && third.contains(words),
                is_said,
                "{label}: {third}"
            );
        }
    }
}

#[test]
fn copies_of_a_package_whose_file_is_destroyed_stand_among_the_deadlines_until_somebody_says_what_became_of_them()
 {
    let day = full();
    let mut chef = day.browser(Role::Chef, 9);
    let heading = "Copies à détruire";
    assert!(!chef.get("/echeances").text().contains(heading));
    let one = "/transmission/2026-T-0001";
    let version = day.version_of("2026-T-0001");
    let fields = [
        ("version", version.as_str()),
        ("copies", "clé n° 3 effacée le 22/11/2026"),
    ];
    let early = chef.post(&format!("{one}/copies"), &fields);
    assert_eq!(
        early.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "its file is there"
    );
    {
        let mut office = day.service.rig.app.office.lock().expect("the desk");
        let gone = office.store().transaction(|tx| {
            vigie::desk::transmission::destroy(tx, &day.number.to_string()).expect("destroyed");
            vigie::desk::infraction::ending::destroy(tx, &day.number, "term", day.service.rig.now())
        });
        gone.expect("destroyed");
    }
    let page = chef.get("/echeances").expect(StatusCode::OK).text();
    assert!(
        page.contains(heading) && page.contains("Paquet 2026-T-0001 du dossier"),
        "{page}"
    );
    let page = chef.get(one).expect(StatusCode::OK).text();
    assert!(page.contains("/copies") && !page.contains("paquet.zip"), "{page}");
    chef.post(&format!("{one}/copies"), &fields)
        .expect(StatusCode::SEE_OTHER);
    assert!(!chef.get("/echeances").text().contains(heading));
    assert!(chef.get(one).text().contains("clé n° 3 effacée"));
    assert_eq!(day.service.lines("package_copies_gone").len(), 1);
}
