//! Whatever call fails, wherever the program is killed or the power goes: a second run ends as if nothing had happened.
//!
//! Every test goes over one small card. `make faults` tries every point; without `VIGIE_FAULTS=all` one in some is tried.
#![cfg(feature = "trap")]

mod common;
mod fault_kit;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{Rig, clock};
use fault_kit::inventory::{Inventory, Pieces, assert_sound, several};
use fault_kit::power::{Disk, Left, calls};
use fault_kit::shim::{self, Ended};
use fault_kit::{Chance, copy_of, originals, small_card};
use vigie::vision::Painted;

#[test]
fn a_worker_does_one_round() {
    shim::work();
}

/// One fault point of how many is tried: each test begins at another, so that they share the points out.
fn stride() -> u64 {
    match std::env::var("VIGIE_FAULTS").as_deref() {
        Ok("all") => 1,
        _ => 9,
    }
}

/// What must be there at the end, and what must not be in the store.
struct Expected {
    card: Rig,
    several: BTreeSet<String>,
    inventory: Inventory,
    pieces: Pieces,
}

impl Expected {
    fn new() -> Self {
        let _none_starts = shim::nobody_starts();
        let card = small_card();
        let pieces = Pieces::of(&originals(&card));
        let several = several(&card);
        let undisturbed = copy_of(&card);
        let (_, summary) = undisturbed.scan(&mut Painted::new());
        let inventory = Inventory::of(&undisturbed, &several);
        assert_eq!((inventory.ledger.len(), inventory.records.len()), (6, 2));
        assert_eq!((inventory.witnesses.len(), summary.events_sealed), (3, 2));
        assert_eq!(inventory.card.len(), 2, "what cannot be read stays");
        assert!(inventory.told.values().all(|&times| times == 1));
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

/// Goes on after a point that fails, so that all of them are told at the end.
#[derive(Default)]
struct Points {
    tried: u64,
    failed: u64,
}

impl Points {
    fn check(&mut self, check: impl FnOnce()) {
        self.tried += 1;
        self.failed += u64::from(catch_unwind(AssertUnwindSafe(check)).is_err());
    }

    fn end(&self, what: &str, at_least: u64) {
        println!("{what}: {} points", self.tried);
        assert_eq!(self.failed, 0, "of {} points", self.tried);
        assert!(self.tried * stride() >= at_least, "only {} points", self.tried);
    }
}

/// Fails every call in turn until a run completes; how many points there were.
fn fail_each(mode: &str, phase: u64, at_least: u64) {
    let expected = Expected::new();
    let (mut at, mut points) = (1 + phase % stride(), Points::default());
    loop {
        let rig = copy_of(&expected.card);
        let run = shim::run(&rig, clock(), mode, at);
        let Some(fault) = run.fault else {
            assert_eq!(run.ended, Ended::Done, "{mode} {at}");
            break;
        };
        points.check(|| {
            assert_eq!(run.ended == Ended::Killed, mode == "kill", "{fault}");
            expected.assert_after(&rig, &format!("{}: {:?}", fault.trim(), run.ended));
        });
        at += stride();
    }
    points.end(mode, at_least);
}

#[test]
fn any_call_that_fails_once_loses_nothing() {
    fail_each("eio", 0, 100);
}

#[test]
fn a_disk_that_dies_at_any_call_loses_nothing() {
    fail_each("dead", 1, 100);
}

#[test]
fn a_call_that_finds_the_disk_full_loses_nothing() {
    fail_each("enospc", 2, 100);
}

#[test]
fn a_disk_that_is_full_from_any_call_on_loses_nothing() {
    fail_each("full", 3, 100);
}

#[test]
fn a_write_that_is_cut_short_loses_nothing() {
    fail_each("short", 4, 50);
}

#[test]
fn a_kill_before_any_call_loses_nothing() {
    fail_each("kill", 5, 100);
}

#[test]
fn a_card_pulled_at_any_call_loses_nothing() {
    fail_each("pulled", 6, 30);
}

#[test]
fn a_power_cut_after_any_call_loses_nothing() {
    let expected = Expected::new();
    let recorded = copy_of(&expected.card);
    let mut disk = Disk::read(recorded.folder.path());
    let trace = shim::traced(&recorded, clock());
    let calls = calls(&trace, recorded.folder.path());
    {
        let _none_starts = shim::nobody_starts();
        Inventory::of(&recorded, &expected.several).assert_is(&expected.inventory, "recorded");
    }
    let mut points = Points::default();
    for (number, call) in calls.iter().enumerate() {
        disk.step(call);
        if number as u64 % stride() != 0 {
            continue;
        }
        let number = number as u64;
        for (left, seed) in [
            (Left::Nothing, 0),
            (Left::Some, 2 * number),
            (Left::Some, 2 * number + 1),
        ] {
            points.check(|| {
                let rig = fault_kit::bare_box();
                disk.cut(left, &mut Chance::new(seed), rig.folder.path());
                expected.assert_after(
                    &rig,
                    &format!("after call {number}, {call}, {left:?} left, seed {seed}"),
                );
            });
        }
    }
    points.end("power cut", 300);
}
