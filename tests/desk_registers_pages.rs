//! Deadlines, holds, agreements, journal, certificates and backups, through their pages.
#![cfg(feature = "desk")]

mod desk_kit;

use axum::http::StatusCode;
use desk_kit::{Browser, Page, Rig, time};
use rusqlite::params;
use vigie::desk::rights::Role;
use vigie::vault::DevicePublic;

const CHEF: &str = "00000000000000c1";
const DPD: &str = "00000000000000d1";
const EVENT: &str = "00112233445566aa";

/// An event whose images came on the day that is said; it has no sealed file.
fn event(rig: &Rig, id: &str, facts: &str, regime: &str, file: Option<&str>) {
    let mut office = rig.app.office.lock().expect("the desk");
    office
        .store()
        .transaction(|tx| {
            tx.raw().execute(
                "INSERT INTO event (id, device, camera, site, regime, reference, correction, arrived, facts, facts_by,
                    light, frames, due, state, version, next_item, file)
                 VALUES (?1, 'aabbccddeeff0011', 'demo', 'Quai Nord', ?2, 'arrêté', 0, ?3, ?3, 'camera', 'day', 1, ?3, 'retained', 1,
                    1000000, ?4)",
                params![id, regime, facts, file],
            )?;
            Ok::<_, vigie::vault::store::Error>(())
        })
        .expect("an event");
}

fn chef(rig: &Rig) -> Browser {
    rig.browser(Role::Chef, CHEF)
}

fn ok(page: Page) -> String {
    page.expect(StatusCode::OK).text()
}

/// The page after a form.
fn after(browser: &mut Browser, page: Page) -> String {
    let page = page.expect(StatusCode::SEE_OTHER);
    let to = page.location().to_owned();
    ok(browser.get(&to))
}

const HOLD: [(&str, &str); 6] = [
    ("sur", "evenement"),
    ("objet", EVENT),
    ("autorite", "procureur"),
    ("reference", "parquet 26-117"),
    ("motif", "enquête en cours"),
    ("fin", "2027-05-22"),
];

#[test]
fn every_due_date_is_on_screen_and_what_is_due_goes_when_it_is_told_to() {
    let rig = Rig::new();
    event(&rig, EVENT, "2026-10-30T10:00:00Z", "videoprotection", None);
    event(
        &rig,
        "00112233445566bb",
        "2026-10-01T10:00:00Z",
        "videoprotection",
        None,
    );
    event(
        &rig,
        "00112233445566cc",
        "2024-11-30T10:00:00Z",
        "videoprotection",
        Some("2024-EXE-0007"),
    );
    let mut browser = chef(&rig);
    let page = ok(browser.get("/echeances"));
    for told in [
        EVENT,
        "29/11/2026",
        "Dans 7 jours",
        "À détruire",
        "2024-EXE-0007",
        "30/11/2026",
    ] {
        assert!(page.contains(told), "{told} in {page}");
    }
    let only = ok(browser.get("/echeances?etat=echus&categorie=unreviewed"));
    assert!(only.contains("00112233445566bb") && !only.contains(EVENT));
    let page = browser.post("/echeances/executer", &[]);
    assert!(after(&mut browser, page).contains("1 objet(s) détruit(s)"));
    let gone = ok(browser.get("/echeances?etat=tous"));
    assert!(!gone.contains("00112233445566bb") && gone.contains(EVENT));
    let certificates = ok(browser.get("/certificats"));
    let number = certificates
        .split("/certificats/")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a number");
    let sheet = ok(browser.get(&format!("/certificats/{number}")));
    assert!(
        sheet.contains("CERTIFICAT DE DESTRUCTION") && sheet.contains("Retard"),
        "{sheet}"
    );
    let original = browser
        .get(&format!("/certificats/{number}/original"))
        .expect(StatusCode::OK);
    assert!(original.text().starts_with("vigie erasure certificate 1\n"));
    browser
        .get("/certificats/destruction-999999")
        .expect(StatusCode::NOT_FOUND);
}

#[test]
fn the_dpd_sees_deadlines_and_registers_and_no_link_to_an_image() {
    let rig = Rig::new();
    event(&rig, EVENT, "2026-10-30T10:00:00Z", "videoprotection", None);
    let mut dpd = rig.browser(Role::Dpd, DPD);
    let page = ok(dpd.get("/echeances"));
    assert!(page.contains(EVENT) && !page.contains("/evenement/"), "{page}");
    for path in [
        "/echeances/gels",
        "/echeances/accords",
        "/echeances/decisions",
        "/echeances/taches",
        "/journal",
        "/statistiques",
    ] {
        ok(dpd.get(path));
    }
    for path in [
        "/echeances/gels/nouveau",
        "/echeances/accords/nouveau",
        "/echeances/decisions/nouvelle",
    ] {
        dpd.get(path).expect(StatusCode::FORBIDDEN);
    }
}

#[test]
fn a_hold_is_put_on_with_all_it_needs_and_the_dpd_takes_note_of_it() {
    let rig = Rig::new();
    event(&rig, EVENT, "2026-10-01T10:00:00Z", "videoprotection", None);
    let (mut browser, mut dpd) = (chef(&rig), rig.browser(Role::Dpd, DPD));
    for (field, wrong) in [
        ("objet", "ffffffffffffffff"),
        ("autorite", ""),
        ("reference", ""),
        ("motif", ""),
        ("fin", ""),
        ("fin", "2026-11-22"),
        ("fin", "2027-05-23"),
        ("fin", "demain"),
    ] {
        let fields = HOLD.map(|(name, value)| {
            if name == field {
                (name, wrong)
            } else {
                (name, value)
            }
        });
        let page = ok(browser.post("/echeances/gels/nouveau", &fields));
        assert!(
            page.contains("role=\"alert\"") && page.contains(&format!("{field}-faute")),
            "{field} {wrong}: {page}"
        );
    }
    assert!(ok(dpd.get("/echeances/gels")).contains("Aucun gel"));
    let page = browser.post("/echeances/gels/nouveau", &HOLD);
    assert!(after(&mut browser, page).contains("parquet 26-117"));
    let page = ok(dpd.get("/echeances"));
    assert!(page.contains("pas encore pris connaissance : 1"), "{page}");
    browser
        .post("/echeances/gels/1/noter", &[])
        .expect(StatusCode::FORBIDDEN);
    let page = dpd.post("/echeances/gels/1/noter", &[]);
    assert!(after(&mut dpd, page).contains("Prise de connaissance"));
    // It is due, and stays.
    let page = browser.post("/echeances/executer", &[]);
    assert!(after(&mut browser, page).contains("Rien n’est à détruire"));
    let fields = [
        ("reference", "parquet 26-117 bis"),
        ("motif", "prolongation"),
        ("fin", "2027-05-20"),
    ];
    let page = browser.post("/echeances/gels/1/renouveler", &fields);
    assert!(after(&mut browser, page).contains("parquet 26-117 bis"));
    for id in ["1", "2"] {
        let page = browser.post(&format!("/echeances/gels/{id}/lever"), &[]);
        assert!(after(&mut browser, page).contains("Levé"));
    }
    browser
        .post("/echeances/gels/1/lever", &[])
        .expect(StatusCode::CONFLICT);
    let page = browser.post("/echeances/executer", &[]);
    assert!(after(&mut browser, page).contains("1 objet(s) détruit(s)"));
}

#[test]
fn holds_come_a_page_at_a_time_the_youngest_first() {
    let rig = Rig::new();
    event(&rig, EVENT, "2026-10-30T10:00:00Z", "videoprotection", None);
    let mut browser = chef(&rig);
    for nth in 1..=101 {
        let reference = format!("parquet 26-{nth:03}");
        let mut fields = HOLD;
        fields[3].1 = &reference;
        browser
            .post("/echeances/gels/nouveau", &fields)
            .expect(StatusCode::SEE_OTHER);
    }
    let (first, second) = (
        ok(browser.get("/echeances/gels")),
        ok(browser.get("/echeances/gels?page=2")),
    );
    let on = |page: &str| page.matches("parquet 26-").count();
    assert_eq!((on(&first), on(&second)), (100, 1));
    assert!(first.contains("parquet 26-101") && second.contains("parquet 26-001"));
    assert!(first.contains("/echeances/gels?page=2") && !second.contains("Page suivante"));
}

#[test]
fn what_may_not_be_erased_is_told_and_goes_with_an_agreement() {
    let rig = Rig::new();
    event(&rig, EVENT, "2026-10-01T10:00:00Z", "acte_enquete", None);
    let mut browser = chef(&rig);
    let page = browser.post("/echeances/executer", &[]);
    assert!(after(&mut browser, page).contains("1 verrouillé(s)"));
    assert!(ok(browser.get("/echeances")).contains("accord d’élimination requis"));
    let bordereau = ok(browser.get("/echeances/bordereau"));
    assert!(
        bordereau.contains("Visa du directeur des archives") && bordereau.contains("30 jours"),
        "{bordereau}"
    );
    let fields = [
        ("categorie", "unreviewed"),
        ("archives", "Archives départementales 94"),
        ("reference", "2026-117"),
        ("date", "2026-11-20"),
    ];
    let mut future = fields;
    future[3].1 = "2026-11-23";
    assert!(ok(browser.post("/echeances/accords/nouveau", &future)).contains("date-faute"));
    let page = browser.post("/echeances/accords/nouveau", &fields);
    assert!(after(&mut browser, page).contains("2026-117"));
    let page = browser.post("/echeances/executer", &[]);
    assert!(after(&mut browser, page).contains("1 objet(s) détruit(s)"));
    let page = browser.post("/echeances/accords/1/fin", &[]);
    assert!(after(&mut browser, page).contains("Terminé"));
}

#[test]
fn a_final_relaxe_has_the_images_of_the_file_erased_at_once() {
    let rig = Rig::new();
    event(
        &rig,
        EVENT,
        "2026-06-01T10:00:00Z",
        "videoprotection",
        Some("2026-EXE-0007"),
    );
    let mut browser = chef(&rig);
    let fields = [
        ("dossier", "2026-EXE-0007"),
        ("issue", "relaxe"),
        ("date", "2026-11-10"),
        ("definitive", "2026-11-21"),
        ("reference", "tribunal de police, n° 44"),
    ];
    let mut unknown = fields;
    unknown[0].1 = "2026-EXE-0008";
    assert!(ok(browser.post("/echeances/decisions/nouvelle", &unknown)).contains("dossier-faute"));
    let page = browser.post("/echeances/decisions/nouvelle", &fields);
    assert!(after(&mut browser, page).contains("tribunal de police, n° 44"));
    let agreement = [
        ("categorie", "images"),
        ("archives", "Archives départementales 94"),
        ("reference", "2026-117"),
        ("date", "2026-11-20"),
    ];
    browser
        .post("/echeances/accords/nouveau", &agreement)
        .expect(StatusCode::SEE_OTHER);
    let page = browser.post("/echeances/executer", &[]);
    assert!(after(&mut browser, page).contains("1 objet(s) détruit(s)"));
}

#[test]
fn a_clock_that_leapt_is_said_aloud_and_a_chef_may_say_that_it_is_right() {
    let rig = Rig::new();
    event(&rig, EVENT, "2026-11-20T10:00:00Z", "videoprotection", None);
    let mut browser = chef(&rig);
    browser
        .post("/echeances/executer", &[])
        .expect(StatusCode::SEE_OTHER);
    rig.set_clock("2027-03-01T11:00:00Z");
    let mut browser = chef(&rig);
    assert!(ok(browser.get("/echeances")).contains("La date de l’horloge est exacte"));
    let page = browser.post("/echeances/executer", &[]);
    assert!(after(&mut browser, page).contains("Rien n’est à détruire"));
    let page = browser.post("/echeances/horloge", &[]);
    assert!(!after(&mut browser, page).contains("La date de l’horloge est exacte"));
    let page = browser.post("/echeances/executer", &[]);
    assert!(after(&mut browser, page).contains("1 objet(s) détruit(s)"));
}

#[test]
fn the_journal_is_searched_on_record_and_its_export_holds() {
    let rig = Rig::new();
    event(&rig, EVENT, "2026-10-01T10:00:00Z", "videoprotection", None);
    let mut browser = chef(&rig);
    browser
        .post("/echeances/gels/nouveau", &HOLD)
        .expect(StatusCode::SEE_OTHER);
    let page = ok(browser.get("/journal"));
    assert!(
        page.contains("Gel n°") && page.contains("Têtes de journal"),
        "{page}"
    );
    assert!(
        !page.contains("Recherche dans le journal"),
        "reading it as it is leaves no line"
    );
    let found = ok(browser.get(&format!("/journal?objet={EVENT}&type=held")));
    assert!(
        found.contains("Procureur de la République")
            && found.contains("posé")
            && !found.contains("Ouverture du poste</td>")
    );
    assert!(ok(browser.get("/journal")).contains("Recherche dans le journal"));
    assert!(ok(browser.get("/journal?du=2026-11-23")).contains("Aucune ligne"));
    ok(browser.get("/journal?objet=%22%27--&compte=x&du=x&avant=x"));
    let silent = browser.post("/journal/export", &[]);
    assert_eq!(
        silent.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "no export without a motive"
    );
    let export = browser
        .post("/journal/export", &[("motif", "control")])
        .expect(StatusCode::OK);
    assert!(export.text().contains("journal_exported"));
    let file = rig.folder.path().join("journal.jsonl");
    std::fs::write(&file, &export.bytes).expect("written");
    let public = DevicePublic::read_desk(&rig.folder.path().join("desk.pub")).expect("the desk's key");
    let report = vigie::verify::path(&file, Some(&public), None).expect("a report");
    assert!(report.ok, "{:?}", report.faults);
    let mut changed = export.bytes.clone();
    let at = changed.len() / 2;
    changed[at] ^= 1;
    std::fs::write(&file, &changed).expect("written");
    assert!(!vigie::verify::path(&file, Some(&public), None).is_ok_and(|report| report.ok));
}

#[test]
fn tasks_are_answered_once_by_what_was_found() {
    let rig = Rig::new();
    let mut browser = chef(&rig);
    browser
        .post("/echeances/executer", &[])
        .expect(StatusCode::SEE_OTHER);
    let page = ok(browser.get("/echeances/taches"));
    assert!(
        page.contains("2d semestre 2026") && page.contains("année 2026"),
        "{page}"
    );
    let to = "/echeances/taches/journal-review/2026-S2";
    assert!(ok(browser.get(to)).contains("Ouvrir le journal"));
    assert!(ok(browser.post(to, &[("constat", ""), ("nombre", "x")])).contains("constat-faute"));
    let fields = [("constat", "none"), ("nombre", "0")];
    let page = browser.post(to, &fields);
    assert!(after(&mut browser, page).contains("Rien d’anormal"));
    browser.post(to, &fields).expect(StatusCode::CONFLICT);
    browser
        .get("/echeances/taches/journal-review/1999-S1")
        .expect(StatusCode::NOT_FOUND);
    ok(browser.get("/echeances/surnumeraires"));
}

#[test]
fn small_counts_are_hidden() {
    let rig = Rig::new();
    for nth in 0..6 {
        event(
            &rig,
            &format!("00112233445566{nth:02}"),
            "2026-11-01T10:00:00Z",
            "videoprotection",
            None,
        );
    }
    event(&rig, EVENT, "2026-10-01T10:00:00Z", "videoprotection", None);
    let page = ok(chef(&rig).get("/statistiques"));
    assert!(
        page.contains("novembre 2026") && page.contains(">6</td>"),
        "{page}"
    );
    assert!(
        page.contains("octobre 2026") && page.contains("&#60; 5") || page.contains("&lt; 5"),
        "{page}"
    );
}

#[test]
fn the_admin_backs_up_to_a_declared_disk_while_the_desk_is_served_and_to_no_other_place() {
    let disk = tempfile::tempdir().expect("a disk");
    let rig = Rig::with_config(|text| text.replace("sticks = []", &format!("sticks = [{:?}]", disk.path())));
    event(&rig, EVENT, "2026-10-30T10:00:00Z", "videoprotection", None);
    let mut admin = rig.browser(Role::Admin, "00000000000000a1");
    assert!(ok(admin.get("/sauvegardes")).contains("Aucune sauvegarde de moins de sept jours"));
    for wrong in ["", "1", "/tmp", "-1"] {
        let page = ok(admin.post("/sauvegardes/nouvelle", &[("support", wrong), ("cles", "0")]));
        assert!(page.contains("support-faute"), "{wrong}");
    }
    let page = admin.post("/sauvegardes/nouvelle", &[("support", "0"), ("cles", "0")]);
    let page = after(&mut admin, page);
    assert!(
        page.contains("complète et relue") && page.contains("du jour"),
        "{page}"
    );
    assert!(disk.path().join("sauvegarde-vigie/000001/vault.db").is_file());
    rig.set_clock("2026-11-30T11:00:00Z");
    let mut admin = rig.browser(Role::Admin, "00000000000000a1");
    assert!(ok(admin.get("/sauvegardes")).contains("8 j : à refaire ou à détruire"));
    let into = rig.folder.path().join("back");
    let asked = vigie::desk::backup::Restore {
        from: &disk.path().join("sauvegarde-vigie"),
        keys: Some(&disk.path().join("cles-vigie")),
        into: &into,
        erasures: &[],
        desk: None,
    };
    let evidence = vigie::desk::retention::evidence::Evidence;
    vigie::desk::backup::restore(asked, &evidence, time("2026-11-30T11:00:00Z")).expect("restored");
    assert!(into.join("desk.toml").is_file());
}

/// How many rows of the desk's tables name the file.
fn rows(rig: &Rig, file: &str) -> u32 {
    let office = rig.app.office.lock().expect("the desk");
    let count = "SELECT (SELECT count(*) FROM infraction WHERE number = ?1)
        + (SELECT count(*) FROM sealed_report WHERE infraction = ?1) + (SELECT count(*) FROM event WHERE file = ?1)";
    office
        .desk
        .store
        .sql()
        .query_row(count, [file], |row| row.get(0))
        .expect("counted")
}

#[test]
fn an_infraction_file_goes_whole_with_its_reports_and_is_shown_to_nobody_while_it_is_locked() {
    let rig = Rig::new();
    let file = "2024-EXE-0007";
    event(&rig, EVENT, "2024-11-20T10:00:00Z", "videoprotection", Some(file));
    rig.app
        .office
        .lock()
        .expect("the desk")
        .store()
        .transaction(|tx| {
            tx.raw().execute(
                "INSERT INTO infraction (number, event, camera, opened, opened_by, facts, state, version, record_key, record)
                 VALUES (?1, ?2, 'demo', '2024-11-25T10:00:00Z', ?3, '2024-11-22T09:00:00Z', 'open', 1, zeroblob(72), zeroblob(99))",
                params![file, EVENT, CHEF],
            )?;
            tx.raw().execute(
                "INSERT INTO sealed_report VALUES (?1, 1, 'rapport', '', ?2, '', zeroblob(72), zeroblob(9), zeroblob(72), zeroblob(9))",
                params![file, CHEF],
            )?;
            Ok::<_, vigie::vault::store::Error>(())
        })
        .expect("a file");
    assert_eq!(rows(&rig, file), 3);
    let mut browser = chef(&rig);
    // Its day, counted from the facts of the record: 22 November 2026. Nobody has agreed yet.
    let page = browser.post("/echeances/executer", &[]);
    assert!(after(&mut browser, page).contains("2 verrouillé(s)"));
    for path in [format!("/dossier/{file}"), format!("/evenement/{EVENT}")] {
        let page = browser.get(&path);
        assert!(
            !page.status.is_success() && page.text().contains("attend l"),
            "{path}: {}",
            page.text()
        );
    }
    for class in ["images", "record"] {
        let fields = [
            ("categorie", class),
            ("archives", "Archives départementales 94"),
            ("reference", "2026-117"),
            ("date", "2026-11-20"),
        ];
        browser
            .post("/echeances/accords/nouveau", &fields)
            .expect(StatusCode::SEE_OTHER);
    }
    let page = browser.post("/echeances/executer", &[]);
    assert!(after(&mut browser, page).contains("2 objet(s) détruit(s)"));
    assert_eq!(rows(&rig, file), 0);
}
