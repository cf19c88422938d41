//! A network that fails seals nothing: the frames stay on the card, are named, and are taken when it works again.
#![cfg(feature = "trap")]

mod common;

use common::{Rig, VAN, content, count, digests, frame, told};
use vigie::trap::Word;
use vigie::verify;
use vigie::vision::Painted;
use vigie::vision::painted::Job;

const FIRST_OF_THE_VAN: &str = "DCIM/100MEDIA/IMG_0006.JPG";

#[test]
fn a_network_that_fails_on_a_witness_leaves_its_event_on_the_card_and_a_later_run_seals_it() {
    let undisturbed = Rig::new();
    undisturbed.put_busy_card();
    let (expected, _) = undisturbed.scan(&mut Painted::new());
    for job in [Job::Guard, Job::Plates, Job::Silhouette] {
        let rig = Rig::new();
        rig.put_busy_card();
        let before = digests(&content(&rig.card()));
        let mut painted = Painted::new();
        painted.fail_next(job);
        let (outcomes, summary) = rig.scan(&mut painted);
        assert_eq!(outcomes.len(), common::BUSY.len(), "{job:?}");
        assert_eq!(summary.events_sealed, 1, "{job:?}: the other van's");
        for (name, _) in before
            .iter()
            .filter(|(path, _)| path.starts_with("DCIM/100MEDIA"))
            .skip(5)
        {
            let outcome = told(&outcomes, &name.to_string_lossy());
            assert_eq!(
                (outcome.verdict, outcome.reason.as_str()),
                (Word::Held, "network-failed")
            );
        }
        assert_eq!(summary.held, 4, "{job:?}");
        let left: Vec<_> = digests(&content(&rig.card()));
        assert_eq!(
            left,
            before[5..9],
            "{job:?}: its frames, byte for byte, and no other"
        );

        let calls = painted.calls().scout;
        let (outcomes, summary) = rig.scan(&mut painted);
        assert_eq!(
            (summary.kept, summary.held, summary.events_sealed),
            (4, 0, 1),
            "{job:?}"
        );
        assert_eq!(painted.calls().scout, calls, "{job:?}: looked at once");
        assert_eq!(
            told(&outcomes, FIRST_OF_THE_VAN).event,
            told(&expected, FIRST_OF_THE_VAN).event
        );
        assert_eq!(content(&rig.card()), []);
        let report = verify::store(&rig.store(), Some(rig.device().public())).expect("a store");
        assert!(report.ok, "{report:#?}");
        assert_eq!(
            rig.open_store().items().expect("counted"),
            undisturbed.open_store().items().expect("counted"),
            "{job:?}: nothing sealed twice"
        );
    }
}

#[test]
fn a_scout_that_fails_ends_the_round_and_every_frame_not_yet_decided_stays() {
    let rig = Rig::new();
    rig.put_busy_card();
    let before = digests(&content(&rig.card()));
    let mut painted = Painted::new();
    painted.fail_next(Job::Scout);
    let (_, result) = rig.try_scan(&mut painted);
    assert!(result.is_err());
    assert_eq!(digests(&content(&rig.card())), before);
    let (_, summary) = rig.scan(&mut painted);
    assert_eq!((summary.kept, summary.discarded, summary.held), (6, 5, 0));
}

#[test]
fn no_frame_is_held_for_a_failure_of_another_event() {
    let rig = Rig::new();
    rig.put("A.JPG", &frame(VAN, "08:00:00", 1));
    rig.put("B.JPG", &frame(VAN, "09:00:00", 2));
    let mut painted = Painted::new();
    painted.fail_next(Job::Guard);
    let (outcomes, _) = rig.scan(&mut painted);
    assert_eq!(count(&outcomes, Word::Held), 1);
    assert_eq!(told(&outcomes, "B.JPG").verdict, Word::Keep);
}
