//! A bench goes through the steps of the frame loop, on the same work for every machine, and leaves nothing behind.

#![cfg(feature = "trap")]

mod common;

use common::{EMPTY, Rig, clock, content, frame};
use vigie::card::{self, Card, Limits};
use vigie::frame::EventId;
use vigie::trap::bench::{Bench, Laps, Step};
use vigie::trap::witness::Site;
use vigie::vault::EventSealer;
use vigie::vision::Painted;

fn steps(Laps(laps): &Laps) -> Vec<Step> {
    laps.iter().map(|(step, _)| *step).collect()
}

#[test]
fn every_step_is_timed_in_its_order_and_nothing_stays() {
    let rig = Rig::new();
    // Nothing is painted on it: the vehicle and the persons are the bench's own.
    rig.put("DCIM/100MEDIA/IMG_0001.JPG", &frame(EMPTY, "08:00:00", 1));
    let card = Card::open(&rig.card()).expect("a card");
    let listing = card::list(&card, &Limits::default()).expect("listed");
    let mut painted = Painted::new();
    let mut bench = Bench {
        card: &card,
        file: &listing.frames[0].path,
        detector: &mut painted,
    };
    let discarded = bench.discarded().expect("timed");
    assert_eq!(
        steps(&discarded),
        [Step::Read, Step::Walk, Step::Eighth, Step::Scout]
    );

    let store = rig.open_store();
    let before = content(&rig.store().join("items"));
    let recipients = rig.recipients().choose(clock()).recipients;
    let mut sealer =
        EventSealer::new(store.device(), EventId::from_bytes([0; 8]), &recipients).expect("a sealer");
    let site = Site::of(&rig.config(), &rig.config().cameras[0]);
    let kept = bench
        .kept(&site, &mut sealer, &store.staging(), clock())
        .expect("timed");
    use Step as S;
    assert_eq!(
        steps(&kept),
        [
            S::Read,
            S::Walk,
            S::Guard,
            S::Plates,
            S::Silhouettes,
            S::Mask,
            S::Redact,
            S::Seal,
            S::Store
        ]
    );
    assert_eq!(content(&rig.store().join("items")), before);
    let calls = painted.calls();
    assert_eq!(
        (calls.scout, calls.guard, calls.plates, calls.silhouette),
        (1, 1, 1, 2)
    );
}
