//! The register as files: what goes out is on record, what comes in comes in whole or not at all.
#![cfg(feature = "desk")]

mod desk_kit;
mod infraction_kit;

use desk_kit::Rig;
use infraction_kit::{AGENT, closed, file, keys, law, officer, opened, today};
use proptest::prelude::*;
use vigie::desk::infraction::amount::Hundredths;
use vigie::desk::infraction::ending;
use vigie::desk::infraction::exchange::columns::{Column, proposed};
use vigie::desk::infraction::exchange::import::{self, Setting, Trial};
use vigie::desk::infraction::exchange::out::{self, Form};
use vigie::desk::infraction::exchange::table::Table;
use vigie::desk::infraction::plate::Legibility;
use vigie::desk::infraction::record::OutcomeKind;
use vigie::desk::infraction::register::{self, By, State};
use vigie::desk::infraction::search::{self, Query};
use vigie::desk::web::pages::releves::take_over;
use vigie::frame::Digest;

fn zone() -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::get("Europe/Paris").expect("Paris")
}

fn tried(text: &[u8]) -> Trial {
    let table = Table::read(text).expect("a table");
    let (zone, officer) = (zone(), officer(AGENT));
    import::trial(
        &table,
        &proposed(&table.titles),
        Setting {
            law: law(),
            zone: &zone,
            today: today(),
            years: 2,
            officer: &officer,
            now: desk_kit::time("2026-11-22T11:00:00Z"),
            file: Digest::of(text),
        },
    )
}

fn by(rig: &Rig) -> By<'_> {
    By {
        account: AGENT,
        keys: keys(rig),
        now: rig.now(),
    }
}

#[test]
fn a_spreadsheet_in_windows_1252_with_semicolons_is_taken_over() {
    let rig = Rig::new();
    let text = "N° dossier;Date infraction;Heure;Adresse;Article;Plaque;Pays;Nature des déchets;Coût;Facture;Suite;Date décision\r\n\
                2025/17;03/09/2025;22h10;Quai Nord;R. 635-8 CP;ab 123 cd;F;Gravats;1 234,50;BT 12;Classement sans suite;05/01/2026\r\n";
    let bytes: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).expect("Latin-1"))
        .collect();
    let trial = tried(&bytes);
    assert_eq!(trial.rejects, []);
    let desk = || rig.app.office.lock().expect("the desk");
    let (numbers, there) = take_over(desk, by(&rig), &trial, Digest::of(&bytes)).expect("taken");
    assert!(there.is_empty());
    assert_eq!(
        numbers[0].to_string(),
        "2025-EXE-0001",
        "counted in the year of the facts"
    );
    let file = file(&rig, &numbers[0]);
    let record = &file.record;
    assert_eq!(file.state, State::TakenOver);
    assert_eq!(record.facts_at.to_string(), "2025-09-03T22:10:00+02:00");
    assert_eq!(record.offence.as_ref().map(|o| o.as_str()), Some("cp-r635-8"));
    let first = record.vehicle.first.as_ref().expect("a reading");
    assert_eq!(
        (first.typed.as_str(), first.legibility),
        ("ab 123 cd", Legibility::Whole),
        "as it was written"
    );
    assert_eq!(record.costs[0].amount, Hundredths::new(123_450));
    assert_eq!(record.outcomes[0].kind, OutcomeKind::Dismissed);
    let office = rig.app.office.lock().expect("the desk");
    let dated = ending::dated(office.desk.store.sql()).expect("dates");
    assert_eq!(
        dated[0].outcome,
        Some(OutcomeKind::Dismissed),
        "retention is told"
    );
    let query = Query {
        plate: Some("AB-123-CD".to_owned()),
        ..Query::default()
    };
    let (found, _) = search::find(office.desk.store.sql(), by(&rig), &query, 0).expect("found");
    assert_eq!(found, 1);
}

#[test]
fn each_row_that_cannot_be_taken_is_listed_with_line_column_and_reason() {
    let text = "Numéro,Date,Heure,Infraction,Immatriculation,Volume,Frais,Suites,Date des suites\n\
                1,22/11/2024,,,,,,,\n\
                2,23/11/2024,,,,,,,\n\
                3,,,,,,,,\n\
                4,31/02/2026,,,,,,,\n\
                5,23/11/2026,,,,,,,\n\
                6,01/06/2026,25:00,,,,,,\n\
                7,01/06/2026,,R. 999,,,,,\n\
                8,01/06/2026,,R. 633-6,,,,,\n\
                9,01/06/2026,,,AB<1,,,,\n\
                10,01/06/2026,,,,beaucoup,,,\n\
                11,01/06/2026,,,,,12.345,,\n\
                12,01/06/2026,,,,,,Amende forfaitaire,\n\
                12,01/06/2026,,,,,,,\n\
                13,01/06/2026\n\
                14,01/06/2026,,84,,,,,\n\
                15,01/06/2026,,,AB-?23-CD,,,,\n";
    let trial = tried(text.as_bytes());
    let rejects: Vec<_> = trial
        .rejects
        .iter()
        .map(|reject| (reject.line, reject.column))
        .collect();
    use Column::{Costs, Date, Hour, Number, Offence, OutcomeDate, Plate, Volume};
    let expected = [
        (2, Some(Date)),
        (4, Some(Date)),
        (5, Some(Date)),
        (6, None),
        (7, Some(Hour)),
        (8, Some(Offence)),
        (9, None),
        (10, Some(Plate)),
        (11, Some(Volume)),
        (12, Some(Costs)),
        (13, Some(OutcomeDate)),
        (14, Some(Number)),
        (15, None),
        (16, Some(Offence)),
    ];
    assert_eq!(rejects, expected);
    assert!(
        trial.rejects[0].reason.contains("ne doit plus être conservée"),
        "two years to the day"
    );
    assert!(trial.rejects.iter().all(|reject| !reject.reason.is_empty()));
    let kept: Vec<u64> = trial.records.iter().map(|(line, _)| *line).collect();
    assert_eq!(kept, [3, 17]);
    assert_eq!(
        trial.records[1]
            .1
            .vehicle
            .first
            .as_ref()
            .expect("read")
            .legibility,
        Legibility::Partial
    );
}

#[test]
fn a_spreadsheet_is_taken_whole_or_not_at_all_and_no_row_twice() {
    let rig = Rig::new();
    let text = b"Numero;Date\nA;01/06/2026\nB;02/06/2026\nC;03/06/2026\n";
    let trial = tried(text);
    let desk = || rig.app.office.lock().expect("the desk");
    let count = || -> u64 {
        let office = desk();
        let count = "SELECT count(*) FROM infraction";
        let counted = office.desk.store.sql().query_row(count, [], |row| row.get(0));
        counted.expect("a count")
    };
    // Something goes wrong after the last row.
    let standing = import::standing(desk().store().sql()).expect("read");
    let prepared = import::prepare(by(&rig), &trial, standing, "EXE").expect("sealed");
    let failed = desk().store().transaction(|tx| {
        import::take(tx, by(&rig), &prepared, Digest::of(text))?;
        Err::<(), _>(register::Error::Damaged("x".to_owned()))
    });
    assert!(failed.is_err());
    assert_eq!(count(), 0);
    let take = |trial: &Trial| {
        let taken = take_over(desk, by(&rig), trial, Digest::of(text));
        let (numbers, there) = taken.expect("taken");
        (numbers.len(), there)
    };
    assert_eq!(take(&trial), (3, vec![]));
    assert_eq!(take(&trial), (0, vec![2, 3, 4]), "taken before");
    let more = tried(b"Numero;Date\nC;03/06/2026\nD;04/06/2026\n");
    assert_eq!(take(&more), (1, vec![2]));
    assert_eq!(count(), 4);
    // What was sealed for a register that has moved on since is not kept.
    let stale = desk()
        .store()
        .transaction(|tx| import::take(tx, by(&rig), &prepared, Digest::of(text)));
    assert_eq!((stale.expect("asked"), count()), (None, 4));
}

#[test]
fn a_spreadsheet_waits_sealed_and_a_day_at_most() {
    let rig = Rig::new();
    let table = Table::read(b"Date;Lieu\n01/06/2026;Impasse tresconfidentielle\n").expect("a table");
    let waiting = import::Waiting {
        table,
        file: Digest::of(b"x"),
    };
    let mut office = rig.app.office.lock().expect("the desk");
    let store = office.store();
    let sealed = waiting.sealed(by(&rig)).expect("sealed");
    store
        .transaction(|tx| import::keep_waiting(tx, by(&rig), &sealed))
        .expect("kept");
    let kept = import::waiting(store.sql(), by(&rig)).expect("asked");
    let kept = import::Waiting::opened(by(&rig), &kept.expect("one")).expect("opened");
    assert_eq!(kept, waiting);
    let other = By {
        account: infraction_kit::OTHER,
        ..by(&rig)
    };
    assert_eq!(import::waiting(store.sql(), other).expect("asked"), None);
    assert_eq!(
        infraction_kit::search_folder(rig.folder.path(), &["tresconfidentielle"]),
        Vec::<String>::new()
    );
    // Another agent's, a day and an hour later.
    let later = By {
        now: desk_kit::time("2026-11-23T12:00:01Z"),
        ..other
    };
    store
        .transaction(|tx| import::forget_waiting(tx, later))
        .expect("forgotten");
    assert_eq!(import::waiting(store.sql(), by(&rig)).expect("asked"), None);
}

#[test]
fn what_was_exported_can_be_read_back_and_is_on_record() {
    let rig = Rig::new();
    let number = closed(&rig);
    let files = [file(&rig, &number)];
    let bytes = out::written(Form::Csv, &files, law(), &zone(), rig.now()).expect("written");
    let trial = tried(&bytes);
    assert_eq!(trial.rejects, []);
    let (was, is) = (&files[0].record, &trial.records[0].1);
    assert_eq!(
        (is.facts_at, &is.place, &is.facts),
        (was.facts_at, &was.place, &was.facts)
    );
    assert_eq!((&is.offence, &is.route), (&was.offence, &was.route));
    assert_eq!(is.costs[0].amount, was.costs[0].amount);
    assert_eq!(is.siv, was.siv);
    let id = infraction_kit::export(&rig, std::slice::from_ref(&number));
    let office = rig.app.office.lock().expect("the desk");
    let exports = out::exports(office.desk.store.sql(), &rig.register.0).expect("exports");
    let [export] = &exports[..] else {
        panic!("{exports:?}")
    };
    assert_eq!((&export.id, export.count, export.left), (&id, 1, 1));
    assert_eq!(export.words.recipient, "Chef de service");
}

#[test]
fn json_holds_the_whole_record_and_amounts_as_exact_texts() {
    let rig = Rig::new();
    let files = [file(&rig, &closed(&rig))];
    let bytes = out::written(Form::Json, &files, law(), &zone(), rig.now()).expect("written");
    let all: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!(all["format"], "vigie infractions 1");
    assert_eq!(all["exported"], "2026-11-22T12:00:00+01:00");
    let one = &all["files"][0];
    assert_eq!(one["number"], "2026-EXE-0001");
    assert_eq!(one["total_costs"], "40.00");
    assert_eq!(one["record"]["facts_at"], "2026-11-20T22:14:05+01:00");
    let record = serde_json::from_value(one["record"].clone()).expect("a record");
    assert_eq!(files[0].record, record);
}

#[test]
fn observations_have_the_shape_of_camtrap_dp_and_nothing_that_names_anybody() {
    let rig = Rig::new();
    let files = [file(&rig, &closed(&rig)), file(&rig, &opened(&rig))];
    let bytes = out::written(Form::Observations, &files, law(), &zone(), rig.now()).expect("written");
    let text = String::from_utf8(bytes).expect("text");
    let mut lines = text.lines();
    assert!(
        lines
            .next()
            .expect("titles")
            .starts_with("observationID,deploymentID,mediaID,eventID,eventStart,")
    );
    assert_eq!(
        lines.next().expect("a line"),
        "2026-EXE-0001,demo,,0707070707070707,2026-11-20T22:14:05+01:00,2026-11-20T22:14:31+01:00,event,vehicle,,,1,\
         ,,,,,,,,,,,human,00000000000000a1,2026-11-22T12:00:00+01:00,,offence:cp-r635-8,"
    );
    assert!(lines.next().expect("a line").contains(",event,unknown,"));
    for secret in ["AB-123-CD", "gravats", "Quai", "Agent Un"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn no_spreadsheet_breaks_the_trial_and_every_row_is_accounted_for(
        rows in proptest::collection::vec(proptest::collection::vec("\\PC{0,10}", 0..6), 0..10)
    ) {
        let line = |row: &Vec<String>| row.iter().map(|f| f.replace(['"', ';', '\n', '\r'], " ")).collect::<Vec<_>>().join(";");
        let text = format!("Date;Heure;Plaque;Frais;Infraction\n{}", rows.iter().map(|r| line(r) + "\n").collect::<String>());
        let table = Table::read(text.as_bytes()).expect("a table");
        let trial = tried(text.as_bytes());
        prop_assert_eq!(trial.records.len() + trial.rejects.len(), table.rows.len());
    }
}
