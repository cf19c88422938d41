//! A trial decides and seals and erases nothing; what it decided is erased when the trial is over, and only that.
#![cfg(feature = "trap")]

mod common;

use std::fs;

use common::{ENFORCE, Rig, TRIAL, VAN, content, frame};
use vigie::trap::Word;
use vigie::vision::Painted;

#[test]
fn a_trial_decides_and_seals_but_leaves_the_card_as_it_was() {
    let rig = Rig {
        mode: TRIAL,
        settings: "video = \"discard\"".to_owned(),
        ..Rig::new()
    };
    rig.put_busy_card();
    rig.put("MOV_0001.AVI", b"RIFF");
    rig.put("broken.jpg", b"no JPEG");
    let before = content(&rig.card());
    let (_, summary) = rig.scan(&mut Painted::new());
    assert!(content(&rig.card()) == before);
    assert_eq!((summary.kept, summary.discarded, summary.left), (6, 5, 2));
    assert_eq!((summary.erased, summary.not_erased, summary.trial), (0, 0, true));
    assert_eq!(summary.events_sealed, 2);
}

#[test]
fn what_a_trial_decided_is_erased_by_the_first_run_in_force_and_nothing_else() {
    let mut rig = Rig {
        mode: TRIAL,
        ..Rig::new()
    };
    rig.put_busy_card();
    rig.put("broken.jpg", b"no JPEG");
    rig.put("notes.txt", b"mine");
    rig.scan(&mut Painted::new());
    let items = rig.open_store().items().expect("counted");
    rig.mode = ENFORCE;
    let (outcomes, summary) = rig.scan(&mut Painted::new());
    assert_eq!(
        (summary.erased, summary.looked_at, summary.events_sealed),
        (11, 0, 0)
    );
    assert_eq!(outcomes.iter().filter(|o| o.verdict == Word::Keep).count(), 6);
    let left: Vec<_> = content(&rig.card()).into_iter().map(|(path, _)| path).collect();
    assert_eq!(
        left,
        [
            std::path::Path::new("broken.jpg"),
            std::path::Path::new("notes.txt")
        ]
    );
    assert_eq!(
        rig.open_store().items().expect("counted"),
        items,
        "nothing is sealed twice"
    );
}

#[test]
fn another_frame_under_the_name_of_a_decided_one_is_not_erased_for_it() {
    let mut rig = Rig {
        mode: TRIAL,
        ..Rig::new()
    };
    let place = rig.put("A.JPG", &frame(VAN, "08:00:00", 1));
    rig.scan(&mut Painted::new());
    fs::write(&place, frame(VAN, "09:00:00", 2)).expect("written");
    rig.mode = ENFORCE;
    let painted = Painted::new();
    let (outcomes, summary) = rig.scan(&mut painted.clone());
    assert_eq!(painted.calls().scout, 1, "it is looked at");
    assert_eq!((outcomes.len(), summary.events_sealed, summary.erased), (1, 1, 1));
}
