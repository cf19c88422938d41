//! No photograph stays on the card longer than `max_age`, seen or unseen; a trial erases none, a wrong clock neither.
#![cfg(feature = "trap")]

mod common;

use std::sync::atomic::AtomicBool;

use common::{EMPTY, Rig, TRIAL, Told, VAN, clock, content, frame, told};
use vigie::frame::BoxTime;
use vigie::trap::service::Service;
use vigie::trap::{self, Outcome, Summary, Word};
use vigie::verify;
use vigie::vision::Painted;
use vigie::vision::painted::Job;

/// One scan, so many days after the first; what it told.
fn scan_on(rig: &Rig, day: i64, painted: &Painted) -> (Vec<Outcome>, Result<Summary, trap::Error>) {
    let config = rig.config();
    let mut store = rig.open_store();
    let now = || BoxTime(clock().0 + jiff::SignedDuration::from_hours(24 * day));
    let mut told = Told::default();
    let result = Service {
        config: &config,
        store: &mut store,
        recipients: &rig.recipients(),
        detector: &mut painted.clone(),
        clock: &now,
        stop: &AtomicBool::new(false),
    }
    .scan(&config.cameras[0], &rig.card(), &mut told);
    store.close(now()).expect("closed");
    (told.0, result)
}

/// Journal lines of a kind whose body says `max-age`.
fn lines(rig: &Rig, kind: &str) -> u64 {
    let store = rig.open_store();
    let sql = "SELECT count(*) FROM journal WHERE kind = ?1 AND body LIKE '%\"reason\":\"max-age\"%'";
    store
        .sql()
        .query_row(sql, [kind], |row| row.get(0))
        .expect("counted")
}

fn put_all_kinds(rig: &Rig) {
    rig.put("DCIM/text.JPG", b"no JPEG");
    rig.put("DCIM/zero.JPG", b"");
    rig.put("DCIM/MOV_0001.AVI", b"RIFF");
    rig.put("notes.txt", b"mine");
}

#[test]
fn what_cannot_be_taken_goes_when_its_term_is_over_and_not_before() {
    let rig = Rig::new();
    put_all_kinds(&rig);
    let painted = Painted::new();
    // The clock is believed from its second look on: each of these days comes a day after the one before.
    for day in 0..30 {
        let (outcomes, summary) = scan_on(&rig, day, &painted);
        let summary = summary.expect("a round");
        assert_eq!((summary.left, summary.aged), (3, 0), "day {day}");
        assert_eq!(told(&outcomes, "DCIM/MOV_0001.AVI").reason, "video");
    }
    rig.put("DCIM/late.JPG", b"no JPEG either");
    let (outcomes, summary) = scan_on(&rig, 30, &painted);
    let summary = summary.expect("a round");
    assert_eq!(
        (summary.aged, summary.erased, summary.left, summary.not_erased),
        (3, 3, 1, 0)
    );
    for name in ["DCIM/text.JPG", "DCIM/zero.JPG", "DCIM/MOV_0001.AVI"] {
        let outcome = told(&outcomes, name);
        assert_eq!(
            (outcome.verdict, outcome.reason.as_str()),
            (Word::Discard, "max-age"),
            "{name}"
        );
    }
    let left: Vec<_> = content(&rig.card()).into_iter().map(|(path, _)| path).collect();
    assert_eq!(left, ["DCIM/late.JPG", "notes.txt"].map(std::path::PathBuf::from));
    assert_eq!(
        (lines(&rig, "discard_intended"), lines(&rig, "discarded")),
        (3, 3)
    );
    let report = verify::path(&rig.store(), None, None).expect("a store");
    assert!(report.ok, "{:?}", report.faults);
}

#[test]
fn a_frame_whose_event_cannot_be_sealed_waits_for_its_term_and_goes_then() {
    let rig = Rig::new();
    let photograph = rig.put("DCIM/IMG_0001.JPG", &frame(VAN, "08:00:00", 1));
    let painted = Painted::new();
    for day in 0..30 {
        painted.fail_next(Job::Guard);
        let (outcomes, summary) = scan_on(&rig, day, &painted);
        assert_eq!(summary.expect("a round").held, 1, "day {day}");
        assert_eq!(told(&outcomes, "DCIM/IMG_0001.JPG").reason, "network-failed");
    }
    painted.fail_next(Job::Guard);
    let (outcomes, summary) = scan_on(&rig, 30, &painted);
    let summary = summary.expect("a round");
    assert_eq!((summary.aged, summary.held, summary.events_sealed), (1, 0, 0));
    assert_eq!(told(&outcomes, "DCIM/IMG_0001.JPG").reason, "max-age");
    assert!(!photograph.exists());
    assert_eq!(
        (lines(&rig, "discard_intended"), lines(&rig, "discarded")),
        (1, 1)
    );
    let (outcomes, _) = scan_on(&rig, 31, &painted);
    assert_eq!(outcomes, []);
}

#[test]
fn an_event_that_can_be_sealed_on_the_last_day_is() {
    let rig = Rig::new();
    rig.put("DCIM/IMG_0001.JPG", &frame(VAN, "08:00:00", 1));
    let painted = Painted::new();
    for day in 0..30 {
        painted.fail_next(Job::Guard);
        scan_on(&rig, day, &painted).1.expect("a round");
    }
    let (_, summary) = scan_on(&rig, 30, &painted);
    let summary = summary.expect("a round");
    assert_eq!((summary.aged, summary.kept, summary.events_sealed), (0, 1, 1));
}

#[test]
fn a_frame_that_no_network_ever_looked_at_goes_too() {
    let rig = Rig::new();
    rig.put("DCIM/IMG_0001.JPG", &frame(VAN, "08:00:00", 1));
    let painted = Painted::new();
    for day in 0..=30 {
        assert_eq!(content(&rig.card()).len(), 1, "day {day}");
        painted.fail_next(Job::Scout);
        assert!(scan_on(&rig, day, &painted).1.is_err(), "day {day}");
    }
    assert_eq!(content(&rig.card()), []);
    assert_eq!(
        (lines(&rig, "discard_intended"), lines(&rig, "discarded")),
        (1, 1)
    );
}

#[test]
fn a_trial_erases_nothing_however_old() {
    let rig = Rig {
        mode: TRIAL,
        settings: "max_age = \"1 days\"".to_owned(),
        ..Rig::new()
    };
    put_all_kinds(&rig);
    rig.put("DCIM/IMG_0001.JPG", &frame(EMPTY, "08:00:00", 1));
    let before = content(&rig.card());
    for day in 0..5 {
        let summary = scan_on(&rig, day, &Painted::new()).1.expect("a round");
        assert_eq!(summary.aged, 0, "day {day}");
    }
    assert!(content(&rig.card()) == before);
}

#[test]
fn one_wrong_reading_of_the_clock_erases_nothing() {
    let rig = Rig::new();
    put_all_kinds(&rig);
    let painted = Painted::new();
    for day in [0, 400, 1, 2] {
        let summary = scan_on(&rig, day, &painted).1.expect("a round");
        assert_eq!((summary.aged, summary.left), (0, 3), "day {day}");
    }
    // Off for more than a month: believed at the second look.
    for (day, aged) in [(40, 0), (40, 3)] {
        let summary = scan_on(&rig, day, &painted).1.expect("a round");
        assert_eq!(summary.aged, aged);
    }
}

#[test]
fn a_file_that_was_written_anew_begins_a_term_of_its_own() {
    let rig = Rig::new();
    rig.put("DCIM/text.JPG", b"no JPEG");
    let painted = Painted::new();
    for day in 0..20 {
        scan_on(&rig, day, &painted).1.expect("a round");
    }
    rig.put("DCIM/text.JPG", b"no JPEG once more");
    for day in 20..50 {
        let summary = scan_on(&rig, day, &painted).1.expect("a round");
        assert_eq!(summary.aged, 0, "day {day}");
    }
    assert_eq!(scan_on(&rig, 50, &painted).1.expect("a round").aged, 1);
}
