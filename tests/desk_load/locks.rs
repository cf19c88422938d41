//! What takes long holds nobody up: between its slices the desk is free, and others' pages are answered.

use axum::http::StatusCode;
use serde_json::json;
use vigie::desk::infraction::exchange::columns::proposed;
use vigie::desk::infraction::exchange::import::{self, Setting};
use vigie::desk::infraction::exchange::table::Table;
use vigie::desk::infraction::register::{self, By, Opening};
use vigie::desk::infraction::search::Query;
use vigie::desk::infraction::{CaseNumber, ending};
use vigie::desk::review::Motive;
use vigie::desk::web::Refused;
use vigie::desk::web::pages::journal::exported;
use vigie::desk::web::pages::releves::{files, take_over};
use vigie::frame::{Digest, EventId};
use vigie::vault::{DevicePublic, Entry, Kind};

use crate::desk_kit::{Browser, Rig};
use crate::infraction_kit::{AGENT, law, officer, source, today};

fn by(rig: &Rig) -> By<'_> {
    By {
        account: AGENT,
        keys: &rig.evidence,
        now: rig.now(),
    }
}

/// A file of an event of its own.
fn open(rig: &Rig, nth: u64) -> CaseNumber {
    let mut source = source();
    source.event = EventId::from_bytes(nth.to_be_bytes());
    let opening = Opening::new(source, officer(AGENT)).expect("looked at");
    let mut office = rig.app.office.lock().expect("the desk");
    let opened = office
        .store()
        .transaction(|tx| register::open(tx, by(rig), opening, "EXE", 2026));
    opened.expect("opened")
}

fn answered(rig: &Rig, other: &mut Browser, page: &str) -> String {
    assert!(rig.app.office.try_lock().is_ok(), "nobody has the desk here");
    other.get(page).expect(StatusCode::OK).text()
}

#[test]
fn others_go_on_while_an_export_is_read_and_what_goes_meanwhile_is_not_in_it() {
    let rig = Rig::new();
    let numbers: Vec<CaseNumber> = (0..250).map(|nth| open(&rig, nth)).collect();
    let last = numbers.last().expect("one").clone();
    let mut other = rig.browser(vigie::desk::rights::Role::Agent, "00000000000000c3");
    let mut asked = 0;
    let desk = || {
        asked += 1;
        assert!(answered(&rig, &mut other, "/dossiers").contains("dossiers."));
        let mut office = rig.app.office.lock().expect("the desk");
        if asked == 3 {
            let erased = office
                .store()
                .transaction(|tx| ending::destroy(tx, &last, "expired", rig.now()));
            erased.expect("erased");
        }
        office
    };
    let read = files(desk, by(&rig), &Query::default()).expect("read");
    let read: Vec<CaseNumber> = read.into_iter().map(|file| file.number).collect();
    assert_eq!(read, numbers[..249], "in order, without the one that is gone");
    assert_eq!(asked, 4, "once for the list, then for each hundred");
}

/// So many lines of the journal.
fn lines(rig: &Rig, count: u32) {
    let mut office = rig.app.office.lock().expect("the desk");
    let written = office.store().transaction(|tx| {
        for nth in 0..count {
            let body = json!({"account": AGENT, "nth": nth});
            let kind = Kind::JournalConsulted;
            tx.journal(rig.now(), &Entry { kind, body })?;
        }
        Ok::<_, vigie::vault::store::Error>(())
    });
    written.expect("written");
}

#[test]
fn others_go_on_while_the_journal_is_exported_and_it_ends_with_the_line_that_says_so() {
    let rig = Rig::new();
    lines(&rig, 2500);
    let mut other = rig.browser(vigie::desk::rights::Role::Chef, "00000000000000c3");
    let mut asked = 0;
    let desk = || {
        asked += 1;
        answered(&rig, &mut other, "/journal");
        if asked > 1 {
            lines(&rig, 3);
        }
        rig.app.office.lock().expect("the desk")
    };
    let bytes = exported(desk, (AGENT, Motive::Control), rig.now()).expect("exported");
    assert_eq!(asked, 5, "once to begin, for each thousand, and for the end");
    let file = rig.folder.path().join("journal.jsonl");
    std::fs::write(&file, &bytes).expect("written");
    let public = DevicePublic::read_desk(&rig.folder.path().join("desk.pub")).expect("the desk's key");
    let report = vigie::verify::path(&file, Some(&public), None).expect("a report");
    assert!(report.ok, "{:?}", report.faults);
    let text = String::from_utf8(bytes).expect("text");
    let told: Vec<&str> = text.lines().rev().take(2).collect();
    assert!(told[0].starts_with("{\"head\"") && told[1].contains("journal_exported"));
}

#[test]
fn of_a_journal_that_is_pruned_while_it_is_exported_nothing_is_handed_out() {
    let rig = Rig::new();
    lines(&rig, 1500);
    let (began, mut asked) = (rig.now(), 0);
    let desk = || {
        asked += 1;
        if asked == 3 {
            rig.set_clock("2031-01-02T08:00:00Z");
            lines(&rig, 1);
        }
        let mut office = rig.app.office.lock().expect("the desk");
        if asked == 3 {
            let pruned = office.store().prune(rig.now(), rig.now(), None).expect("pruned");
            assert!(pruned.is_some(), "there was something to prune");
        }
        office
    };
    let refused = exported(desk, (AGENT, Motive::Control), began);
    assert!(matches!(refused, Err(Refused::Impossible(words)) if words.contains("relancez")));
}

#[test]
fn others_go_on_while_a_spreadsheet_is_sealed_and_see_nothing_of_it_before_all_of_it_is_there() {
    let rig = Rig::new();
    let rows: String = (0..300)
        .map(|nth| format!("R{nth};01/06/2026;Quai Nord\n"))
        .collect();
    let text = format!("Numero;Date;Lieu\n{rows}");
    let table = Table::read(text.as_bytes()).expect("a table");
    let zone = jiff::tz::TimeZone::get("Europe/Paris").expect("the zone");
    let officer = officer(AGENT);
    let setting = Setting {
        law: law(),
        zone: &zone,
        today: today(),
        years: 2,
        officer: &officer,
        now: rig.now(),
        file: Digest::of(text.as_bytes()),
    };
    let trial = import::trial(&table, &proposed(&table.titles), setting);
    assert_eq!(trial.records.len(), 300);
    let mut other = rig.browser(vigie::desk::rights::Role::Agent, "00000000000000c3");
    let mut asked = 0;
    let desk = || {
        asked += 1;
        let list = answered(&rig, &mut other, "/dossiers");
        // Between the first sealing and its turn, somebody opens a file of the same year: its number is taken.
        if asked == 2 {
            assert!(list.contains("Aucun dossier"), "{list}");
            open(&rig, 7);
        }
        rig.app.office.lock().expect("the desk")
    };
    let (numbers, there) = take_over(desk, by(&rig), &trial, setting.file).expect("taken");
    assert_eq!((numbers.len(), there.len()), (300, 0));
    assert_eq!(
        numbers[0].to_string(),
        "2026-EXE-0002",
        "behind the one that was opened"
    );
    assert_eq!(asked, 3, "sealed again for the register as it stands then");
    assert!(answered(&rig, &mut other, "/dossiers").contains("301 dossiers."));
}
