//! A sealed event that nobody fetches goes when its term is over, with a certificate, and nothing of it stays.
#![cfg(feature = "trap")]

mod common;

use std::fs;
use std::sync::atomic::AtomicBool;

use common::{Rig, TRIAL, Told, clock};
use vigie::frame::BoxTime;
use vigie::trap::Summary;
use vigie::trap::service::Service;
use vigie::vault::certificate::{Certificate, What};
use vigie::vault::signed;
use vigie::verify;
use vigie::vision::Painted;

/// One scan, so many days after the first.
fn scan_on(rig: &Rig, day: i64) -> Summary {
    let config = rig.config();
    let mut store = rig.open_store();
    let now = || BoxTime(clock().0 + jiff::SignedDuration::from_hours(24 * day));
    let summary = Service {
        config: &config,
        store: &mut store,
        recipients: &rig.recipients(),
        detector: &mut Painted::new(),
        clock: &now,
        stop: &AtomicBool::new(false),
    }
    .scan(&config.cameras[0], &rig.card(), &mut Told::default())
    .expect("a round");
    store.close(now()).expect("closed");
    summary
}

fn items(rig: &Rig) -> Vec<String> {
    let names = fs::read_dir(rig.store().join("items")).expect("a folder");
    names
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

#[test]
fn an_event_that_nobody_fetched_goes_when_its_term_is_over_and_not_before() {
    let rig = Rig::new();
    rig.put_busy_card();
    assert!(scan_on(&rig, 0).events_sealed > 0);
    let sealed = items(&rig);
    for day in 1..30 {
        scan_on(&rig, day);
        assert_eq!(items(&rig).len(), sealed.len(), "day {day}");
    }
    scan_on(&rig, 30);
    assert_eq!(items(&rig), [""; 0]);

    let store = rig.open_store();
    let rows: u64 = store
        .sql()
        .query_row("SELECT count(*) FROM item", [], |row| row.get(0))
        .expect("counted");
    assert_eq!(rows, 0);
    drop(store);
    let mut certificates = Vec::new();
    for entry in fs::read_dir(rig.store().join("certificates")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("read");
        match path.extension().is_some_and(|extension| extension == "json") {
            true => certificates
                .push(signed::read::<Certificate>(&text, rig.device().public(), "the box").expect("signed")),
            false => {
                println!("{text}");
                assert!(text.lines().all(|line| line.chars().count() <= 78));
            }
        }
    }
    let [certificate] = &certificates[..] else {
        panic!("one certificate, not {}", certificates.len())
    };
    let What::Expired(expired) = &certificate.what else {
        panic!("of events")
    };
    assert_eq!(expired.items, sealed.len() as u64);
    assert_eq!((expired.events, certificate.late_seconds), (2, 0));
    let report = verify::path(&rig.store(), Some(rig.device().public()), None).expect("readable");
    assert!(report.ok, "{:?}", report.faults);
}

#[test]
fn a_trial_and_one_leap_of_the_clock_let_no_event_go() {
    let mut rig = Rig::new();
    rig.put_busy_card();
    scan_on(&rig, 0);
    let sealed = items(&rig);
    // One reading of a clock that leapt; then it is right again.
    scan_on(&rig, 400);
    scan_on(&rig, 1);
    assert_eq!(items(&rig), sealed);
    rig.mode = TRIAL;
    for day in [29, 30, 31, 32] {
        scan_on(&rig, day);
    }
    assert_eq!(items(&rig), sealed);
}
