//! A known file is not read again, and yet nothing is decided, sealed or erased on the word of its size and time: FAT's
//! times have a grain of two seconds, and a camera that starts again writes other bytes under the same names.
#![cfg(feature = "trap")]

mod common;

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use common::{EMPTY, ENFORCE, Rig, Scene, TRIAL, VAN, content, frame, told};
use vigie::frame::Digest;
use vigie::trap::ledger::{Ledger, State};
use vigie::trap::{Outcome, Word};
use vigie::verify;
use vigie::vision::Painted;
use vigie::vision::painted::Job;

const SIZE: usize = 60_000;

/// A frame of always the same size (what follows the end of a picture is nothing to a decoder), written at always the
/// same time by the camera's clock.
fn put(rig: &Rig, name: &str, (scene, hour, seed): (Scene, &str, u32)) -> Digest {
    let mut bytes = frame(scene, hour, seed);
    assert!(bytes.len() < SIZE, "{} bytes", bytes.len());
    bytes.resize(SIZE, 0);
    let path = rig.put(name, &bytes);
    let restarted = SystemTime::UNIX_EPOCH + Duration::from_secs(4);
    let file = File::options().write(true).open(path).expect("there");
    file.set_modified(restarted).expect("set");
    Digest::of(&bytes)
}

fn state(rig: &Rig, digest: &Digest) -> Option<State> {
    let config = rig.config();
    let store = rig.open_store();
    let row = Ledger::of(store.sql(), &config.cameras[0].id)
        .find(digest)
        .expect("read");
    row.map(|row| row.state)
}

fn whole_vault(rig: &Rig) {
    let report = verify::store(&rig.store(), Some(rig.device().public())).expect("a store");
    assert!(report.ok, "{report:#?}");
}

#[test]
fn a_known_file_is_not_read_and_what_was_written_over_it_is_not_erased_unseen() {
    let rig = Rig {
        mode: TRIAL,
        ..Rig::new()
    };
    put(&rig, "A.JPG", (VAN, "08:00:00", 1));
    put(&rig, "B.JPG", (VAN, "08:30:00", 2));
    let (first, _) = rig.scan(&mut Painted::new());
    let over = put(&rig, "A.JPG", (EMPTY, "09:00:00", 3));
    let watched = Painted::new();
    let (second, _) = rig.scan(&mut watched.clone());
    // Taken for what it was: so it was not read.
    let decided = |outcome: Outcome| Outcome {
        again: true,
        ..outcome
    };
    let first: Vec<_> = first.into_iter().map(decided).collect();
    assert_eq!((watched.calls().scout, second), (0, first));
    let rig = Rig { mode: ENFORCE, ..rig };
    let (outcomes, summary) = rig.scan(&mut watched.clone());
    assert_eq!((watched.calls().scout, summary.looked_at), (1, 1));
    assert_eq!(told(&outcomes, "A.JPG").reason, "empty");
    assert_eq!(told(&outcomes, "B.JPG").verdict, Word::Keep);
    assert_eq!((outcomes.len(), summary.erased), (2, 2));
    assert_eq!(state(&rig, &over), Some(State::Gone));
    assert_eq!(content(&rig.card()), []);
    whole_vault(&rig);
}

#[test]
fn a_held_frame_that_was_written_over_is_decided_for_what_it_is_now() {
    // The witness's file, or that of a frame that only belongs to its event.
    for (name, over) in [("A.JPG", VAN), ("A.JPG", EMPTY), ("B.JPG", VAN), ("B.JPG", EMPTY)] {
        let rig = Rig {
            settings: "keep = 1".to_owned(),
            ..Rig::new()
        };
        let held = [
            put(&rig, "A.JPG", (VAN, "08:00:00", 1)),
            put(&rig, "B.JPG", (VAN, "08:00:05", 2)),
        ];
        let mut painted = Painted::new();
        painted.fail_next(Job::Guard);
        let (outcomes, _) = rig.scan(&mut painted);
        assert!(outcomes.iter().all(|o| o.verdict == Word::Held));
        let over = put(&rig, name, (over, "08:00:07", 3));
        let (outcomes, summary) = rig.scan(&mut painted);
        assert_eq!(
            painted.calls().scout,
            3,
            "{name}: the new bytes were looked at, the old not again"
        );
        assert_eq!((summary.held, summary.left, outcomes.len()), (0, 0, 2), "{name}");
        let forgotten = held[usize::from(name == "B.JPG")];
        assert_eq!(
            state(&rig, &forgotten),
            None,
            "{name}: not decided on what is not there"
        );
        assert_eq!(state(&rig, &over), Some(State::Gone), "{name}");
        assert_eq!(content(&rig.card()), [], "{name}");
        whole_vault(&rig);
    }
}

#[test]
fn a_held_frame_that_was_written_over_with_no_picture_stays_on_the_card() {
    let rig = Rig::new();
    put(&rig, "A.JPG", (VAN, "08:00:00", 1));
    let mut painted = Painted::new();
    painted.fail_next(Job::Guard);
    rig.scan(&mut painted);
    let path = rig.put("A.JPG", &[7; SIZE]);
    let file = File::options().write(true).open(&path).expect("there");
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(4))
        .expect("set");
    for _ in 0..5 {
        let (outcomes, _) = rig.scan(&mut painted);
        assert_eq!(told(&outcomes, "A.JPG").reason, "not-jpeg");
        assert_eq!(outcomes.len(), 1);
    }
    assert_eq!(
        content(&rig.card()),
        [(Path::new("A.JPG").to_owned(), vec![7; SIZE])]
    );
    whole_vault(&rig);
}
