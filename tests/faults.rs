//! Whatever call fails, wherever the program is killed or the power goes: a second run ends as if nothing had happened.
//!
//! Every test goes over one small card. `make faults` tries every point; without it one in some is tried.
#![cfg(feature = "trap")]

mod common;
mod fault_kit;

use std::collections::BTreeSet;

use common::{Rig, clock};
use fault_kit::inventory::{Inventory, Pieces, assert_sound, several};
use fault_kit::points::{self, Mode, Points, stride};
use fault_kit::shim::{self, Task};
use fault_kit::{copy_of, enforcing, on_trial, originals};
use vigie::vision::Painted;

#[test]
fn a_worker_does_one_round() {
    shim::work();
}

/// What must be there at the end, and what must not be in the store.
struct Expected {
    card: Rig,
    several: BTreeSet<String>,
    inventory: Inventory,
    pieces: Pieces,
}

impl Expected {
    /// Of a box that erases.
    fn enforcing() -> Self {
        let expected = Self::new(enforcing);
        let there = &expected.inventory;
        assert_eq!(there.card.len(), 2, "what cannot be read stays");
        assert!(there.told.values().all(|&times| times == 1));
        expected
    }

    /// Of a new box, whose store is yet to be made.
    fn on_trial() -> Self {
        let expected = Self::new(on_trial);
        assert_eq!(expected.inventory.card.len(), 10, "nothing goes");
        expected
    }

    fn new(card: fn() -> Rig) -> Self {
        let _none_starts = shim::nobody_starts();
        let card = card();
        let pieces = Pieces::of(&originals(&card));
        let several = several(&card);
        let undisturbed = copy_of(&card);
        let (_, summary) = undisturbed.scan(&mut Painted::new());
        let inventory = Inventory::of(&undisturbed, &several);
        assert_eq!((inventory.ledger.len(), inventory.records.len()), (6, 2));
        assert_eq!((inventory.witnesses.len(), summary.events_sealed), (3, 2));
        Self {
            card,
            several,
            inventory,
            pieces,
        }
    }

    /// After a failure: what is there is sound, a second round over it ends as if there had been none.
    fn assert_after(&self, rig: &Rig, what: &str) {
        let _none_starts = shim::nobody_starts();
        if rig.store().exists() {
            self.pieces.assert_absent(&rig.store(), what);
        }
        let (_, summary) = rig.scan(&mut Painted::new());
        assert_eq!(summary.not_erased, 0, "{what}");
        assert_sound(rig, what);
        self.pieces.assert_absent(&rig.store(), what);
        Inventory::of(rig, &self.several).assert_is(&self.inventory, what);
    }
}

fn fail_each(expected: &Expected, mode: Mode, phase: u64, at_least: u64) {
    points::fail_each(Task::Round, mode, phase, at_least, &expected.card, |rig, what| {
        expected.assert_after(rig, what);
    });
}

#[test]
fn any_call_that_fails_once_loses_nothing() {
    fail_each(&Expected::enforcing(), ("eio", 1), 0, 100);
}

#[test]
fn a_disk_that_dies_at_any_call_loses_nothing() {
    fail_each(&Expected::enforcing(), ("dead", 3), 1, 100);
}

#[test]
fn a_call_that_finds_the_disk_full_loses_nothing() {
    fail_each(&Expected::enforcing(), ("enospc", 3), 2, 100);
}

#[test]
fn a_disk_that_is_full_from_any_call_on_loses_nothing() {
    fail_each(&Expected::enforcing(), ("full", 1), 3, 100);
}

#[test]
fn a_write_that_is_cut_short_loses_nothing() {
    fail_each(&Expected::enforcing(), ("short", 3), 4, 50);
}

#[test]
fn a_kill_before_any_call_loses_nothing() {
    fail_each(&Expected::enforcing(), ("kill", 1), 5, 100);
}

#[test]
fn a_card_pulled_at_any_call_loses_nothing() {
    fail_each(&Expected::enforcing(), ("pulled", 1), 6, 30);
}

#[test]
fn a_power_cut_after_any_call_loses_nothing() {
    let expected = Expected::enforcing();
    points::cut_after_each(Task::Round, 200, &expected.card, |rig, what| {
        expected.assert_after(rig, what);
    });
}

#[test]
fn a_clock_that_jumps_a_day_at_any_moment_changes_nothing() {
    let expected = Expected::enforcing();
    let mut points = Points::default();
    for hours in [24, -24] {
        let mut after = 0;
        loop {
            let rig = copy_of(&expected.card);
            let asked = {
                let _none_starts = shim::nobody_starts();
                fault_kit::round(&rig, clock(), Some((after, hours))).1
            };
            points.check(|| expected.assert_after(&rig, &format!("{hours} hours after {after}")));
            after += stride();
            if after >= asked {
                break;
            }
        }
    }
    points.end("clock", 30);
}

#[test]
fn a_new_store_bears_any_failing_call() {
    fail_each(&Expected::on_trial(), ("eio", 1), 7, 100);
}

#[test]
fn a_new_store_bears_a_disk_full_from_any_call_on() {
    fail_each(&Expected::on_trial(), ("full", 3), 8, 100);
}

#[test]
fn a_new_store_bears_a_kill_before_any_call() {
    fail_each(&Expected::on_trial(), ("kill", 1), 9, 100);
}

#[test]
fn a_new_store_bears_a_power_cut_after_any_call() {
    let expected = Expected::on_trial();
    points::cut_after_each(Task::Round, 200, &expected.card, |rig, what| {
        expected.assert_after(rig, what);
    });
}
