//! The infraction file through its pages: from the first question to the closed file, and nothing shown too early.
#![cfg(feature = "desk")]

mod desk_kit;
mod infraction_kit;

use axum::http::StatusCode;
use desk_kit::{Browser, Page, Rig};
use infraction_kit::{AGENT, OTHER, closed, file, opened};
use vigie::desk::infraction::CaseNumber;
use vigie::desk::infraction::register::State;
use vigie::desk::rights::Role;

const FACTS: &[(&str, &str)] = &[
    ("date", "20/11/2026"),
    ("heure", "22:14:05"),
    ("lieu", "Quai Nord, face au 12"),
    ("horloge", "-3"),
    ("horloge_date", "02/10/2026"),
    ("horloge_par", "Agent Un"),
    ("faits", "J'ai vu deux personnes déposer des gravats."),
];
const OFFENCE: &[(&str, &str)] = &[
    ("infraction", "cp-r635-8"),
    ("acte", "proces-verbal"),
    ("voie", "procureur-opj"),
    ("natinf", ""),
];
const WASTE: &[(&str, &str)] = &[("nature", "rubble"), ("volume", "1,5"), ("danger", "asbestos")];
const VEHICLE: &[(&str, &str)] = &[
    ("plaque", "AB-123-CD"),
    ("lisibilite", "whole"),
    ("pays", "F"),
    ("genre", "Camionnette"),
];
const COSTS: &[(&str, &str)] = &[
    ("frais.0.type", "work"),
    ("frais.0.libelle", "Deux agents"),
    ("frais.0.quantite", "1,5"),
    ("frais.0.unite", "32,10"),
    ("frais.0.justificatif", "BT 77"),
    ("frais.2.type", "machine"),
    ("frais.2.montant", "80"),
    ("frais.2.justificatif", "BT 78"),
];

/// What a page says, its blanks as they were before they were held together.
trait Plain {
    fn plain(&self) -> String;
}

impl Plain for Page {
    fn plain(&self) -> String {
        self.text().replace(['\u{a0}', '\u{202f}'], " ")
    }
}

fn agent(rig: &Rig, account: &str, number: &CaseNumber) -> Browser {
    let mut browser = rig.browser(Role::Agent, account);
    look(&mut browser, number);
    browser
}

fn look(browser: &mut Browser, number: &CaseNumber) {
    let page = browser.post(&format!("/dossier/{number}/motif"), &[("motif", "writing")]);
    assert_eq!(page.location(), format!("/dossier/{number}"));
}

fn save(
    browser: &mut Browser,
    rig: &Rig,
    number: &CaseNumber,
    section: &str,
    fields: &[(&str, &str)],
) -> Page {
    let version = file(rig, number).version.to_string();
    let mut form = vec![("version", version.as_str()), ("suite", "dossier")];
    form.extend_from_slice(fields);
    browser.post(&format!("/dossier/{number}/{section}"), &form)
}

#[track_caller]
fn saved(browser: &mut Browser, rig: &Rig, number: &CaseNumber, section: &str, fields: &[(&str, &str)]) {
    let page = save(browser, rig, number, section, fields).expect(StatusCode::SEE_OTHER);
    assert_eq!(page.location(), format!("/dossier/{number}"));
}

#[test]
fn an_agent_goes_from_the_first_question_to_the_closed_file() {
    let rig = Rig::new();
    let number = opened(&rig);
    let mut browser = agent(&rig, AGENT, &number);
    let overview = browser
        .get(&format!("/dossier/{number}"))
        .expect(StatusCode::OK)
        .plain();
    for shown in [
        "Faits, date et lieu",
        "À compléter (2)",
        "Quai Nord",
        "Échéance de destruction",
        "20/11/2028",
    ] {
        assert!(overview.contains(shown), "{shown}");
    }
    let check = format!("/dossier/{number}/verification");
    assert!(browser.get(&check).plain().contains("disabled"));
    for (section, fields) in [
        ("faits", FACTS),
        ("infraction", OFFENCE),
        ("dechets", WASTE),
        ("vehicule", VEHICLE),
        (
            "seconde-lecture",
            &[("plaque", "ab 123 cd"), ("lisibilite", "whole")],
        ),
        ("frais", COSTS),
        ("commentaires", &[("commentaires", "")]),
    ] {
        saved(&mut browser, &rig, &number, section, fields);
    }
    let page = browser.get(&check).expect(StatusCode::OK).plain();
    for shown in [
        "128,15 €",
        "Les deux lectures concordent",
        "J&#39;ai vu deux personnes",
        "contravention de la 5e classe",
        "minorée 150",
        "(à confirmer)",
        "Gravats, déchets de chantier",
        "en retard de 3 s",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let version = file(&rig, &number).version.to_string();
    let page = browser.post(&format!("/dossier/{number}/clore"), &[("version", &version)]);
    assert_eq!(page.location(), format!("/dossier/{number}"));
    assert_eq!(file(&rig, &number).state, State::Closed);
}

#[test]
fn nobody_sees_a_file_without_having_said_why() {
    let rig = Rig::new();
    let number = closed(&rig);
    let mut browser = rig.browser(Role::Chef, OTHER);
    let asked = browser
        .get(&format!("/dossier/{number}"))
        .expect(StatusCode::OK)
        .plain();
    assert!(asked.contains("Contrôle ou validation"));
    for secret in ["AB-123-CD", "gravats", "Quai Nord"] {
        assert!(!asked.contains(secret), "{secret}");
    }
    for path in ["verification", "historique", "faits"] {
        let page = browser.get(&format!("/dossier/{number}/{path}"));
        assert_eq!(
            (page.status, page.location()),
            (StatusCode::SEE_OTHER, &*format!("/dossier/{number}")),
            "{path}"
        );
    }
    let page = browser
        .post(&format!("/dossier/{number}/motif"), &[])
        .expect(StatusCode::OK);
    assert!(page.plain().contains("Choisissez un motif."));
    look(&mut browser, &number);
    assert!(
        browser
            .get(&format!("/dossier/{number}/verification"))
            .plain()
            .contains("AB-123-CD")
    );
    let unknown = browser.post("/dossier/2026-EXE-0099/motif", &[("motif", "writing")]);
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    for path in [
        "/dossier/x",
        "/dossier/2026-EXE-0099",
        "/dossier/2026-EXE-0001/inconnu",
    ] {
        assert_eq!(browser.get(path).status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[test]
fn the_first_reading_is_shown_to_nobody_else_before_the_second() {
    let rig = Rig::new();
    let number = opened(&rig);
    let mut first = agent(&rig, AGENT, &number);
    saved(&mut first, &rig, &number, "vehicule", VEHICLE);
    let mut second = agent(&rig, OTHER, &number);
    for path in [
        "",
        "/vehicule",
        "/seconde-lecture",
        "/verification",
        "/historique",
    ] {
        let page = second
            .get(&format!("/dossier/{number}{path}"))
            .expect(StatusCode::OK)
            .plain();
        assert!(!page.contains("AB-123-CD"), "{path}");
    }
    // What is not shown is not lost when the page is sent back without it.
    saved(
        &mut second,
        &rig,
        &number,
        "vehicule",
        &[("couleur", "Blanche"), ("motif_correction", "Couleur")],
    );
    let record = file(&rig, &number).record;
    let reading = record.vehicle.first.expect("still there");
    assert_eq!(
        (reading.typed.as_str(), reading.by.as_str()),
        ("AB-123-CD", AGENT)
    );
    assert_eq!(record.vehicle.colour, "Blanche");
    saved(
        &mut second,
        &rig,
        &number,
        "seconde-lecture",
        &[("plaque", "AB-123-CE"), ("lisibilite", "whole")],
    );
    let told = second.get(&format!("/dossier/{number}")).plain();
    assert!(
        told.contains("Les deux lectures diffèrent") && told.contains("À corriger (1)"),
        "{told}"
    );
}

#[test]
fn what_is_wrong_is_told_on_top_and_beside_its_field_and_nothing_is_saved() {
    let rig = Rig::new();
    let number = opened(&rig);
    let mut browser = agent(&rig, AGENT, &number);
    let wrong: &[(&str, &str)] = &[
        ("date", "31/02/2026"),
        ("heure", "25:00"),
        ("lieu", "Quai & Nord"),
        ("horloge", "beaucoup"),
        ("faits", "<script>alert(1)</script>"),
    ];
    let page = save(&mut browser, &rig, &number, "faits", wrong)
        .expect(StatusCode::OK)
        .plain();
    assert!(
        page.contains("role=\"alert\"") && page.contains("4 champs sont à corriger"),
        "{page}"
    );
    for field in ["date", "heure", "horloge", "horloge_date"] {
        assert!(page.contains(&format!("href=\"#{field}\"")), "{field}");
        assert!(page.contains(&format!("id=\"{field}-faute\"")), "{field}");
        assert!(page.contains(&format!(" id=\"{field}\"")), "{field}");
    }
    assert!(
        page.contains("value=\"31/02/2026\"") && page.contains("Quai &#38; Nord"),
        "what was typed is kept"
    );
    assert!(!page.contains("<script>alert"), "and shown as text");
    assert_eq!(file(&rig, &number).version, 1);
}

#[test]
fn a_form_shown_in_an_older_version_saves_nothing() {
    let rig = Rig::new();
    let number = opened(&rig);
    let mut browser = agent(&rig, AGENT, &number);
    saved(&mut browser, &rig, &number, "dechets", WASTE);
    for version in ["1", "", "x"] {
        let mut form = vec![("version", version)];
        form.extend_from_slice(FACTS);
        let page = browser.post(&format!("/dossier/{number}/faits"), &form);
        assert_eq!(page.status, StatusCode::CONFLICT, "{version:?}");
    }
    assert_eq!(file(&rig, &number).version, 2);
}

#[test]
fn a_closed_file_is_corrected_with_a_reason_that_its_history_shows() {
    let rig = Rig::new();
    let number = closed(&rig);
    let mut browser = agent(&rig, AGENT, &number);
    assert!(
        browser
            .get(&format!("/dossier/{number}/faits"))
            .plain()
            .contains("Motif de la rectification")
    );
    let page = save(&mut browser, &rig, &number, "faits", FACTS)
        .expect(StatusCode::OK)
        .plain();
    assert!(page.contains("href=\"#motif_correction\""), "{page}");
    let mut fields = FACTS.to_vec();
    fields.push(("motif_correction", "Précision du lieu"));
    saved(&mut browser, &rig, &number, "faits", &fields);
    let history = browser
        .get(&format!("/dossier/{number}/historique"))
        .expect(StatusCode::OK)
        .plain();
    for shown in [
        "Précision du lieu",
        "Quai Nord, face au 12, dépôt des conteneurs",
        "Ancienne mention : lieu",
    ] {
        assert!(history.contains(shown), "{shown}");
    }
}

#[test]
fn every_required_question_bears_its_star_and_its_label() {
    let rig = Rig::new();
    let number = opened(&rig);
    let mut browser = agent(&rig, AGENT, &number);
    for section in vigie::desk::infraction::Section::ALL {
        let page = browser
            .get(&format!("/dossier/{number}/{}", section.slug()))
            .expect(StatusCode::OK)
            .plain();
        for field in page.split("<input type=\"text\"").skip(1) {
            let tag = field.split('>').next().expect("a tag");
            let id = tag
                .split("id=\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .expect("an id");
            let label = page
                .split(&format!("<label for=\"{id}\">"))
                .nth(1)
                .expect("a label");
            let label = label.split("</label>").next().expect("an end");
            assert_eq!(label.contains('*'), tag.contains("aria-required"), "{id}");
        }
    }
    let vehicle = browser.get(&format!("/dossier/{number}/vehicule")).plain();
    assert!(vehicle.contains("Immatriculation lue <span class=\"obligatoire\">*</span>"));
    assert!(!vehicle.contains("Couleur <span"));
}

#[test]
fn the_list_finds_files_and_shows_no_plate() {
    let rig = Rig::new();
    let (draft, closed) = (opened(&rig), closed(&rig));
    let mut browser = rig.browser(Role::Agent, AGENT);
    let list = |browser: &mut Browser, query: &str| {
        browser
            .get(&format!("/dossiers{query}"))
            .expect(StatusCode::OK)
            .plain()
    };
    let all = list(&mut browser, "");
    assert!(all.contains("2 dossiers.") && all.contains(&draft.to_string()) && !all.contains("AB-123-CD"));
    let only = list(
        &mut browser,
        "?etat=closed&appareil=demo&du=20/11/2026&au=20/11/2026",
    );
    assert!(
        only.contains("1 dossier.")
            && only.contains(&closed.to_string())
            && !only.contains(&draft.to_string())
    );
    assert!(list(&mut browser, "?du=21/11/2026").contains("Aucun dossier ne correspond"));
    let wrong = list(&mut browser, "?numero=42&du=hier");
    assert!(wrong.contains("2 champs sont à corriger"), "{wrong}");
}

#[test]
fn a_plate_is_looked_for_with_a_motive_and_leaves_a_line_without_the_plate() {
    let rig = Rig::new();
    let number = closed(&rig);
    let mut browser = rig.browser(Role::Agent, AGENT);
    let refused = browser
        .post("/dossiers/immatriculation", &[("plaque", "AB-123-CD")])
        .plain();
    assert!(refused.contains("Choisissez un motif.") && !refused.contains(&format!("/dossier/{number}")));
    let found = browser
        .post(
            "/dossiers/immatriculation",
            &[("plaque", "ab123cd"), ("motif", "repeated")],
        )
        .plain();
    assert!(found.contains(&format!("/dossier/{number}")) && found.contains("1 dossier porte"));
    let none = browser
        .post(
            "/dossiers/immatriculation",
            &[("plaque", "AB-124-CD"), ("motif", "repeated")],
        )
        .plain();
    assert!(none.contains("Aucun dossier ne porte cette immatriculation"));
    let office = rig.app.office.lock().expect("the desk");
    let lines = infraction_kit::texts(
        office.desk.store.sql(),
        "SELECT body FROM journal WHERE kind = 'infraction_searched' ORDER BY seq",
    );
    let line = |found| {
        format!("{{\"account\":\"{AGENT}\",\"by\":\"plate\",\"found\":{found},\"motive\":\"repeated\"}}")
    };
    assert_eq!(lines, [line(1), line(0)]);
}

/// The only line of that kind.
fn line_of(rig: &Rig, kind: &str) -> serde_json::Value {
    let office = rig.app.office.lock().expect("the desk");
    let line =
        "SELECT body FROM journal WHERE kind = ? AND (SELECT count(*) FROM journal WHERE kind = ?1) = 1";
    let body = office
        .desk
        .store
        .sql()
        .query_row(line, [kind], |row| row.get::<_, String>(0));
    serde_json::from_str(&body.expect("one line")).expect("JSON")
}

#[test]
fn nothing_goes_out_without_motive_and_recipient() {
    let rig = Rig::new();
    closed(&rig);
    let mut browser = rig.browser(Role::Agent, AGENT);
    let fields = [
        ("forme", "csv"),
        ("destinataire", "Chef de service"),
        ("motif", "Bilan"),
    ];
    for left_out in 0..fields.len() {
        let mut some = fields.to_vec();
        some.remove(left_out);
        let page = browser.post("/dossiers/releves/export", &some);
        assert!(page.plain().contains("Un champ est à corriger"), "{left_out}");
        assert!(page.headers.get("content-disposition").is_none());
    }
    let page = browser
        .post("/dossiers/releves/export", &fields)
        .expect(StatusCode::OK);
    assert!(page.plain().contains("AB-123-CD"));
    assert!(
        page.headers["content-disposition"]
            .to_str()
            .expect("text")
            .contains("dossiers.csv")
    );
    let register = browser.get("/dossiers/releves").expect(StatusCode::OK).plain();
    assert!(register.contains("Chef de service") && register.contains("Bilan"));
    let told = line_of(&rig, "infraction_exported");
    assert_eq!(told["account"], AGENT);
    assert_eq!(told["sha256"], vigie::frame::Digest::of(&page.bytes).to_string());
}

#[test]
fn a_spreadsheet_is_tried_its_rejects_are_listed_and_nothing_is_left_in_clear() {
    let rig = Rig::new();
    let mut browser = rig.browser(Role::Agent, AGENT);
    let sheet = "Date;Lieu;Plaque\n01/06/2026;Impasse tresconfidentielle;AA-111-AA\nhier;Rue B;\n".as_bytes();
    let sent = browser.upload(
        "/dossiers/releves/fichier",
        &[],
        &[("fichier", "ancien.csv", sheet)],
    );
    assert_eq!(sent.location(), "/dossiers/releves/essai");
    assert_eq!(
        infraction_kit::search_folder(rig.folder.path(), &["tresconfidentielle"]),
        Vec::<String>::new()
    );
    let trial = browser
        .get("/dossiers/releves/essai")
        .expect(StatusCode::OK)
        .plain();
    for shown in [
        "Lignes lues : 2.",
        "À reprendre : <strong>1</strong>",
        "<td class=\"nombre\">3</td>",
        "Date des faits",
    ] {
        assert!(trial.contains(shown), "{shown}: {trial}");
    }
    let map = [("col.date", "0"), ("col.lieu", "1"), ("col.immatriculation", "2")];
    let rejects = browser
        .post("/dossiers/releves/rejets", &map)
        .expect(StatusCode::OK);
    let told = line_of(&rig, "downloaded");
    assert_eq!(
        told["sha256"],
        vigie::frame::Digest::of(&rejects.bytes).to_string()
    );
    assert_eq!(
        (&told["what"], &told["motive"]),
        (&"rejects".into(), &"takeover".into())
    );
    let rejects = rejects.plain();
    assert!(rejects.contains("3;Date des faits;"), "{rejects}");
    let refused = browser
        .post("/dossiers/releves/reprise", &map)
        .expect(StatusCode::OK)
        .plain();
    assert!(refused.contains("Cochez la case"));
    assert!(browser.get("/dossiers").plain().contains("Aucun dossier"));
    let mut ticked = map.to_vec();
    ticked.push(("laisser", "oui"));
    let taken = browser
        .post("/dossiers/releves/reprise", &ticked)
        .expect(StatusCode::SEE_OTHER);
    let list = browser.get(taken.location()).plain();
    assert!(
        list.contains("Dossiers créés : 1 ;") && list.contains("2026-EXE-0001"),
        "{list}"
    );
    let gone = browser.get("/dossiers/releves/essai");
    assert_eq!(gone.location(), "/dossiers/releves");
}

#[test]
fn a_file_that_is_no_spreadsheet_is_refused_with_what_to_do() {
    let rig = Rig::new();
    let mut browser = rig.browser(Role::Agent, AGENT);
    for (bytes, told) in [
        (&b"\n\n"[..], "Le fichier est vide"),
        (&b"a\x81\xff"[..], "Windows-1252"),
    ] {
        let page = browser.upload("/dossiers/releves/fichier", &[], &[("fichier", "x.csv", bytes)]);
        assert!(page.plain().contains(told), "{told}");
    }
    let page = browser.upload("/dossiers/releves/fichier", &[], &[]);
    assert!(page.plain().contains("Choisissez le fichier"));
}
