//! The same bytes are looked at once: not again in a second run, in a trial, or under another name.
#![cfg(feature = "trap")]

mod common;

use std::collections::BTreeMap;
use std::fs;

use common::{BUSY, ENFORCE, Rig, TRIAL, VAN, frame};
use vigie::trap::Outcome;
use vigie::vision::Painted;
use vigie::vision::painted::Calls;

const NONE: Calls = Calls {
    scout: 0,
    guard: 0,
    plates: 0,
    silhouette: 0,
};

#[test]
fn a_second_run_looks_at_nothing_also_where_the_files_stay() {
    for mode in [ENFORCE, TRIAL] {
        let rig = Rig { mode, ..Rig::new() };
        rig.put_busy_card();
        let first = Painted::new();
        let (told_first, summary) = rig.scan(&mut first.clone());
        assert_eq!(
            (first.calls().scout, summary.looked_at),
            (BUSY.len() as u32, BUSY.len() as u64)
        );
        let second = Painted::new();
        let (told_again, summary) = rig.scan(&mut second.clone());
        assert_eq!((second.calls(), summary.looked_at), (NONE, 0), "{mode}");
        if mode == TRIAL {
            let verdicts = |told: &[Outcome]| -> BTreeMap<_, _> {
                told.iter()
                    .map(|o| (o.file.clone(), (o.verdict, o.reason.clone(), o.redaction.clone())))
                    .collect()
            };
            assert_eq!(verdicts(&told_again), verdicts(&told_first));
            assert!(!told_first.iter().any(|o| o.again) && told_again.iter().all(|o| o.again));
        } else {
            assert_eq!(told_again, []);
        }
    }
}

#[test]
fn a_frame_that_was_renamed_or_moved_is_known_and_keeps_its_verdict() {
    let rig = Rig {
        mode: TRIAL,
        ..Rig::new()
    };
    rig.put_busy_card();
    let (before, _) = rig.scan(&mut Painted::new());
    fs::rename(rig.card().join("DCIM/100MEDIA"), rig.card().join("DCIM/moved")).expect("moved");
    fs::rename(
        rig.card().join("DCIM/101MEDIA/IMG_0001.JPG"),
        rig.card().join("x.jpeg"),
    )
    .expect("renamed");
    let painted = Painted::new();
    let (after, summary) = rig.scan(&mut painted.clone());
    assert_eq!(painted.calls(), NONE);
    assert_eq!((summary.events_sealed, after.len()), (0, before.len()));
    let verdicts = |told: &[Outcome]| {
        let mut all: Vec<_> = told
            .iter()
            .map(|o| (o.reason.clone(), o.redaction.clone()))
            .collect();
        all.sort();
        all
    };
    assert_eq!(verdicts(&after), verdicts(&before));
}

#[test]
fn a_frame_that_comes_back_after_its_erasure_is_erased_again_unseen() {
    let rig = Rig::new();
    let bytes = frame(VAN, "08:00:00", 1);
    rig.put("A.JPG", &bytes);
    rig.scan(&mut Painted::new());
    rig.put("B.JPG", &bytes);
    let painted = Painted::new();
    let (outcomes, summary) = rig.scan(&mut painted.clone());
    assert_eq!(
        (painted.calls(), summary.events_sealed, summary.erased),
        (NONE, 0, 1)
    );
    assert_eq!(outcomes.len(), 1);
    assert!(!rig.card().join("B.JPG").exists());
}
