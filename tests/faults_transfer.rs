//! Whatever call fails on the way to the desk and back, on the box, the stick or the desk: nothing leaves the box that
//! the desk has not, and a second way ends as if nothing had happened.
#![cfg(feature = "trap")]

mod common;
mod fault_kit;

use std::collections::BTreeMap;

use common::{Rig, clock};
use fault_kit::enforcing;
use fault_kit::points::{cut_after_each, fail_each};
use fault_kit::shim::{self, Task};
use fault_kit::way::{assert_done, items, there_and_back};
use vigie::frame::Digest;
use vigie::vision::Painted;

#[test]
fn a_worker_does_one_round() {
    shim::work();
}

struct Expected {
    sealed: Rig,
    items: BTreeMap<String, Digest>,
}

impl Expected {
    fn new() -> Self {
        let _none_starts = shim::nobody_starts();
        let sealed = enforcing();
        sealed.scan(&mut Painted::new());
        let items = items(&sealed.store());
        assert_eq!(
            items.len(),
            8,
            "three witnesses with their manifests, two records"
        );
        Self { sealed, items }
    }

    fn assert_after(&self, rig: &Rig, what: &str) {
        let _none_starts = shim::nobody_starts();
        let (on_box, at_desk) = (items(&rig.store()), items(&rig.path("desk/store")));
        for (name, digest) in &self.items {
            let there = [on_box.get(name), at_desk.get(name)];
            assert!(there.contains(&Some(digest)), "{what}: {name} is lost");
        }
        there_and_back(rig.folder.path(), clock()).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_done(rig, &self.items, what);
    }

    fn fail_each(mode: &'static str, phase: u64, at_least: u64) {
        let expected = Self::new();
        fail_each(
            Task::Transfer,
            (mode, 1),
            phase,
            at_least,
            &expected.sealed,
            |rig, what| {
                expected.assert_after(rig, what);
            },
        );
    }
}

#[test]
fn any_call_that_fails_once_loses_nothing() {
    Expected::fail_each("eio", 0, 100);
}

#[test]
fn a_disk_that_is_full_from_any_call_on_loses_nothing() {
    Expected::fail_each("full", 1, 100);
}

#[test]
fn a_kill_before_any_call_loses_nothing() {
    Expected::fail_each("kill", 2, 100);
}

#[test]
fn a_stick_pulled_at_any_call_loses_nothing() {
    Expected::fail_each("pulled", 3, 50);
}

#[test]
fn a_power_cut_after_any_call_loses_nothing() {
    let expected = Expected::new();
    cut_after_each(Task::Transfer, 200, &expected.sealed, |rig, what| {
        expected.assert_after(rig, what);
    });
}
