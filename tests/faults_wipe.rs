//! Whatever call of a wipe fails, wherever it is killed, the power goes or the card is pulled: a second one ends it,
//! what could be sealed is sealed once, and no file is left on the card.
//!
//! Needs the right to mount; skips without. `make faults` tries every point.
#![cfg(feature = "trap")]

mod common;
mod fault_kit;

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use common::{Rig, clock, content};
use fault_kit::inventory::{Inventory, Pieces, assert_sound, several};
use fault_kit::points::{self, Mode};
use fault_kit::shim::{self, Task};
use fault_kit::volumes::alone;
use fault_kit::{before_a_wipe, copy_of, mounted, originals};
use vigie::trap::service::Service;
use vigie::trap::wiping::Unwatched;
use vigie::vault::certificate::{Certificate, Reason, What};
use vigie::vault::store::CERTIFICATES;
use vigie::vault::{Store, signed};
use vigie::vision::Painted;

#[test]
fn a_worker_does_one_round() {
    shim::work();
}

/// Wipes the card with nothing in its way.
fn wipe(rig: &Rig, what: &str) {
    let (config, recipients) = (rig.config(), rig.recipients());
    let mut store = Store::open(&rig.store(), &rig.device(), clock()).expect("a store");
    let wiped = Service {
        config: &config,
        store: &mut store,
        recipients: &recipients,
        detector: &mut Painted::new(),
        clock: &clock,
        stop: &AtomicBool::new(false),
    }
    .wipe(&config.cameras[0], &rig.card(), Reason::Asked, &mut Unwatched);
    store.close(clock()).expect("closed");
    let wiped = wiped.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(wiped.wipe.is_whole(), "{what}: {:?}", wiped.wipe);
}

/// Whether each wipe that is certified was whole, in their order; each certificate signed, and told of in the journal.
fn certified(rig: &Rig, what: &str) -> Vec<bool> {
    let store = rig.open_store();
    let told = "SELECT body ->> 'number', body ->> 'whole' FROM journal WHERE kind = 'wiped' ORDER BY seq";
    let mut told = store.sql().prepare(told).expect("a journal");
    let told = told.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)));
    let told: Vec<(String, bool)> = told.expect("lines").map(|line| line.expect("a line")).collect();
    let whole = told.into_iter().zip(1..).map(|((number, whole), nth)| {
        assert_eq!(number, format!("vidage-quai-{nth:04}"), "{what}");
        let path = rig.store().join(CERTIFICATES).join(format!("{number}.json"));
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{what}: {error}"));
        let read: Certificate = signed::read(&text, rig.device().public(), "the box").expect("signed");
        let What::Wipe(certified) = read.what else {
            panic!("{what}: it certifies something else")
        };
        assert_eq!(certified.is_whole(), whole, "{what}");
        whole
    });
    whole.collect()
}

/// What must be there at the end, and what must not be in the store.
struct Expected {
    card: Rig,
    several: BTreeSet<String>,
    inventory: Inventory,
    pieces: Pieces,
}

impl Expected {
    fn new() -> Option<Self> {
        let card = before_a_wipe()?;
        let pieces = Pieces::of(&originals(&card));
        let several = several(&card);
        let undisturbed = copy_of(&card);
        let _card = mounted(&undisturbed);
        let _none_starts = shim::nobody_starts();
        wipe(&undisturbed, "undisturbed");
        let inventory = Inventory::of(&undisturbed, &several);
        assert_eq!((inventory.witnesses.len(), inventory.records.len()), (3, 2));
        assert_eq!(inventory.card, []);
        assert_eq!(certified(&undisturbed, "undisturbed"), [true]);
        Some(Self {
            card,
            several,
            inventory,
            pieces,
        })
    }

    /// After a failure: what was certified is so; a second wipe ends as if there had been no first one.
    fn assert_after(&self, rig: &Rig, what: &str) {
        let _none_starts = shim::nobody_starts();
        self.pieces.assert_absent(&rig.store(), what);
        let before = certified(rig, what);
        if before.last() != Some(&true) {
            wipe(rig, what);
        }
        let left: Vec<_> = content(&rig.card()).into_iter().map(|(path, _)| path).collect();
        assert!(left.is_empty(), "{what}: {left:?} is left on the card");
        assert!(
            rig.card().join("DCIM").is_dir(),
            "{what}: no camera knows this card"
        );
        let after = certified(rig, what);
        assert_eq!(
            after.iter().filter(|&&whole| whole).count(),
            1,
            "{what}: {after:?}"
        );
        assert_sound(rig, what);
        self.pieces.assert_absent(&rig.store(), what);
        Inventory::of(rig, &self.several).assert_is(&self.inventory, what);
    }
}

fn fail_each(mode: Mode, phase: u64, at_least: u64) {
    let _alone = alone();
    let Some(expected) = Expected::new() else {
        return;
    };
    points::fail_each(Task::Wipe, mode, phase, at_least, &expected.card, |rig, what| {
        expected.assert_after(rig, what);
    });
}

#[test]
fn any_call_of_a_wipe_that_fails_once_leaves_nothing_on_the_card_after_a_second_one() {
    fail_each(("eio", 1), 0, 150);
}

#[test]
fn a_disk_that_dies_in_a_wipe_leaves_nothing_on_the_card_after_a_second_one() {
    fail_each(("dead", 3), 1, 150);
}

#[test]
fn a_disk_that_is_full_in_a_wipe_leaves_nothing_on_the_card_after_a_second_one() {
    fail_each(("full", 3), 2, 100);
}

#[test]
fn a_wipe_that_is_killed_before_any_call_is_taken_up_again() {
    fail_each(("kill", 1), 3, 150);
}

#[test]
fn a_card_pulled_anywhere_in_its_wipe_is_wiped_when_it_is_back() {
    fail_each(("pulled", 1), 4, 100);
}

#[test]
fn a_power_cut_after_any_call_of_a_wipe_leaves_nothing_on_the_card_after_a_second_one() {
    let _alone = alone();
    let Some(expected) = Expected::new() else {
        return;
    };
    points::cut_after_each(Task::Wipe, 300, &expected.card, |rig, what| {
        expected.assert_after(rig, what);
    });
}
