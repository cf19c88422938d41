//! The register of transmissions: nobody approves what they asked for, nothing is done twice, nothing stands in clear.
#![cfg(feature = "desk")]

mod desk_kit;

use desk_kit::Rig;
use vigie::desk::transmission::register::{self, By};
use vigie::desk::transmission::sealed::{self, Facts, New};
use vigie::desk::transmission::{Asked, Error, State, destroy};
use vigie::frame::Digest;
use vigie::report::Act;
use vigie::report::approval::Refused;
use vigie::report::package::Package;

const AGENT: &str = "00000000000000a1";
const CHEF: &str = "00000000000000c1";
const CASE: &str = "2026-EXE-0001";
const PDF: &[u8] = b"%PDF-1.7 the place of the facts\n%%EOF\n";

/// With a final report of the case, and a package of it asked for by the agent.
fn asked(rig: &Rig) -> String {
    let mut office = rig.app.office.lock().expect("the desk");
    let facts = Facts {
        place: "Quai Nord".to_owned(),
        ..Facts::default()
    };
    let new = New {
        infraction: CASE,
        act: Act::Rapport,
        signed_by: CHEF,
        facts: &facts,
        pdf: PDF,
    };
    let keys = rig.evidence.cells.clone();
    let number = office
        .store()
        .transaction(|tx| sealed::keep(tx, &keys, rig.now(), &new))
        .expect("kept");
    assert_eq!(number, 1);
    let asked = Asked {
        infraction: CASE,
        recipient: "Parquet d'Exemple",
        motive: "transmission pour poursuites",
        report: Some((1, Digest::of(PDF))),
        images: vec![Digest::of(b"image")],
        journal: true,
    };
    office
        .store()
        .transaction(|tx| register::ask(tx, by(rig, AGENT), &asked, 2026))
        .expect("asked")
}

fn by<'a>(rig: &'a Rig, account: &'a str) -> By<'a> {
    By {
        account,
        register: &rig.register.0,
        now: rig.now(),
    }
}

fn made() -> Package {
    Package {
        zip: b"PK the package".to_vec(),
        sha256: Digest::of(b"PK the package"),
        contents: "contents".to_owned(),
    }
}

#[test]
fn whoever_asked_cannot_approve_and_another_can_once() {
    let rig = Rig::new();
    let number = asked(&rig);
    assert_eq!(number, "2026-T-0001");
    let mut office = rig.app.office.lock().expect("the desk");
    let store = office.store();
    let own = store.transaction(|tx| register::approve(tx, by(&rig, AGENT), &number, 1));
    assert!(matches!(own, Err(Error::Approval(Refused::SamePerson))));
    store
        .transaction(|tx| register::approve(tx, by(&rig, CHEF), &number, 1))
        .expect("approved");
    let again = store.transaction(|tx| register::approve(tx, by(&rig, CHEF), &number, 1));
    assert!(matches!(again, Err(Error::Changed(_))));
    let found = register::read(store.sql(), &rig.register.0, &number).expect("there");
    let approved = found.approved().expect("two persons");
    assert_eq!(
        (approved.request().requester(), approved.approver()),
        (AGENT, CHEF)
    );
    assert!(approved.request().chosen().journal);
}

#[test]
fn a_package_goes_its_way_step_by_step_and_never_two_at_once() {
    let rig = Rig::new();
    let number = asked(&rig);
    let mut office = rig.app.office.lock().expect("the desk");
    let store = office.store();
    let evidence = &rig.evidence.cells;
    let early =
        store.transaction(|tx| register::made(tx, by(&rig, CHEF), evidence, (&number, 1), (&made(), false)));
    assert!(matches!(early, Err(Error::State(_, "asked"))));
    store
        .transaction(|tx| register::approve(tx, by(&rig, CHEF), &number, 1))
        .expect("approved");
    store
        .transaction(|tx| register::made(tx, by(&rig, CHEF), evidence, (&number, 2), (&made(), true)))
        .expect("made");
    let twice =
        store.transaction(|tx| register::made(tx, by(&rig, CHEF), evidence, (&number, 3), (&made(), true)));
    assert!(matches!(twice, Err(Error::State(_, "made"))));
    store
        .transaction(|tx| register::sent(tx, by(&rig, AGENT), &number, 3, "clé n° 3"))
        .expect("sent");
    store
        .transaction(|tx| register::received(tx, by(&rig, AGENT), &number, 4, "n° 26/1234"))
        .expect("received");
    let found = register::read(store.sql(), &rig.register.0, &number).expect("there");
    assert_eq!((found.state, found.version), (State::Received, 5));
    assert_eq!(found.words.acknowledgement, "n° 26/1234");
    assert_eq!(found.made, Some((rig.now(), made().sha256, true)));
    assert_eq!(
        register::zip(store.sql(), evidence, &number).expect("there"),
        made().zip
    );
    assert_eq!(
        register::contents(store.sql(), evidence, &number).expect("there"),
        "contents"
    );
    let kinds: Vec<String> = {
        let mut query = store
            .sql()
            .prepare("SELECT kind FROM journal ORDER BY seq")
            .expect("SQL");
        let rows = query.query_map([], |row| row.get(0)).expect("rows");
        rows.map(|row| row.expect("a row")).collect()
    };
    let expected = [
        "report_sealed",
        "package_asked",
        "package_approved",
        "package_made",
        "package_sent",
        "package_received",
    ];
    assert!(kinds.ends_with(&expected.map(str::to_owned)), "{kinds:?}");
}

#[test]
fn neither_recipient_nor_motive_nor_report_nor_package_stands_in_clear_on_the_disk() {
    let rig = Rig::new();
    let number = asked(&rig);
    {
        let mut office = rig.app.office.lock().expect("the desk");
        let store = office.store();
        store
            .transaction(|tx| register::approve(tx, by(&rig, CHEF), &number, 1))
            .expect("approved");
        store
            .transaction(|tx| {
                register::made(
                    tx,
                    by(&rig, CHEF),
                    &rig.evidence.cells,
                    (&number, 2),
                    (&made(), false),
                )
            })
            .expect("made");
    }
    let mut files = 0;
    for entry in std::fs::read_dir(rig.folder.path().join("store")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        files += 1;
        for word in ["Parquet", "poursuites", "%PDF", "Quai Nord", "PK the package"] {
            let found = bytes.windows(word.len()).any(|window| window == word.as_bytes());
            assert!(!found, "{word} in {}", path.display());
        }
    }
    assert!(files > 0);
}

#[test]
fn the_end_of_a_file_takes_reports_and_packages_and_leaves_the_register() {
    let rig = Rig::new();
    let number = asked(&rig);
    let mut office = rig.app.office.lock().expect("the desk");
    let store = office.store();
    let evidence = &rig.evidence.cells;
    store
        .transaction(|tx| register::approve(tx, by(&rig, CHEF), &number, 1))
        .expect("approved");
    store
        .transaction(|tx| register::made(tx, by(&rig, CHEF), evidence, (&number, 2), (&made(), false)))
        .expect("made");
    assert_eq!(sealed::pdf(store.sql(), evidence, CASE, 1).expect("there"), PDF);
    store.transaction(|tx| destroy(tx, CASE)).expect("destroyed");
    assert!(matches!(
        sealed::pdf(store.sql(), evidence, CASE, 1),
        Err(Error::NotThere(_))
    ));
    assert!(matches!(
        register::zip(store.sql(), evidence, &number),
        Err(Error::NotThere(_))
    ));
    assert!(
        sealed::of_file(store.sql(), evidence, CASE)
            .expect("read")
            .is_empty()
    );
    let left = register::of_infraction(store.sql(), &rig.register.0, CASE).expect("read");
    assert_eq!(left.len(), 1);
}

#[test]
fn nothing_is_asked_for_that_was_not_ticked_and_a_refusal_needs_no_second_person() {
    let rig = Rig::new();
    let number = asked(&rig);
    let mut office = rig.app.office.lock().expect("the desk");
    let store = office.store();
    let nothing = Asked {
        infraction: CASE,
        recipient: "Parquet d'Exemple",
        motive: "transmission",
        report: None,
        images: Vec::new(),
        journal: false,
    };
    let refused = store.transaction(|tx| register::ask(tx, by(&rig, AGENT), &nothing, 2026));
    assert!(matches!(refused, Err(Error::Approval(Refused::Nothing))));
    store
        .transaction(|tx| register::refuse(tx, by(&rig, AGENT), &number, 1, "erreur de destinataire"))
        .expect("taken back");
    let found = register::read(store.sql(), &rig.register.0, &number).expect("there");
    assert_eq!(
        (found.state, found.words.refusal.as_str()),
        (State::Refused, "erreur de destinataire")
    );
    assert!(matches!(found.approved(), Err(Error::State(..))));
}

#[test]
fn a_line_of_the_register_goes_three_years_after_its_last_step_once_its_file_is_gone() {
    let rig = Rig::new();
    let number = asked(&rig);
    let mut office = rig.app.office.lock().expect("the desk");
    let store = office.store();
    let mut forget = |before: &str| {
        let before = desk_kit::time(before);
        store
            .transaction(|tx| register::forget(tx, before))
            .expect("looked at")
    };
    assert!(forget("2026-11-22T10:59:59Z").is_empty(), "too young");
    assert_eq!(forget("2026-11-22T11:00:01Z"), [number]);
    assert!(forget("2026-11-22T11:00:01Z").is_empty());
}

#[test]
fn a_line_of_the_register_stays_while_its_file_or_its_package_is_there() {
    let rig = Rig::new();
    let number = asked(&rig);
    let mut office = rig.app.office.lock().expect("the desk");
    let store = office.store();
    let evidence = &rig.evidence.cells;
    store
        .transaction(|tx| register::approve(tx, by(&rig, CHEF), &number, 1))
        .expect("approved");
    store
        .transaction(|tx| register::made(tx, by(&rig, CHEF), evidence, (&number, 2), (&made(), false)))
        .expect("made");
    let late = desk_kit::time("2030-01-01T00:00:00Z");
    let forget = |store: &mut vigie::vault::Store| {
        store
            .transaction(|tx| register::forget(tx, late))
            .expect("looked at")
    };
    assert!(forget(store).is_empty(), "its package is there");
    store.transaction(|tx| destroy(tx, CASE)).expect("destroyed");
    assert_eq!(forget(store), [number]);
}
