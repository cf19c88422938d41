//! Going over all calls of a run: each one is failed, or the last one before the power goes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::power::{Disk, Left, calls};
use super::shim::{self, Ended, Task};
use super::{Chance, bare_box, copy_of, later, mounted};
use crate::common::{Rig, clock};

/// One fault point of how many is tried: as `VIGIE_FAULTS` says, all of them with 1.
pub fn stride() -> u64 {
    let said = std::env::var("VIGIE_FAULTS").ok();
    said.map_or(11, |said| {
        said.parse().expect("VIGIE_FAULTS: one point of how many")
    })
}

/// Goes on after a point that fails, so that all of them are told at the end.
#[derive(Default)]
pub struct Points {
    tried: u64,
    failed: u64,
}

impl Points {
    pub fn check(&mut self, check: impl FnOnce()) {
        self.tried += 1;
        self.failed += u64::from(catch_unwind(AssertUnwindSafe(check)).is_err());
    }

    /// Asserts that none failed, and that there were as many as a run has at least.
    pub fn end(&self, what: &str, at_least: u64) {
        println!("\nFAULT POINTS {what}: {}", self.tried);
        assert_eq!(self.failed, 0, "of {} points", self.tried);
        assert!(self.tried * stride() >= at_least, "only {} points", self.tried);
    }
}

/// A way of failing: as `interpose.c` calls it, and how many points are passed over for each that is tried.
pub type Mode = (&'static str, u64);

/// Fails every call of a task in turn, until a run completes. The clock may have jumped by a day before what comes
/// after it: that is the caller's to do and to check.
pub fn fail_each(
    task: Task,
    (mode, every): Mode,
    phase: u64,
    at_least: u64,
    before: &Rig,
    mut after: impl FnMut(&Rig, &str),
) {
    let stride = every * stride();
    let (mut at, mut points) = (1 + phase % stride, Points::default());
    loop {
        let rig = copy_of(before);
        let _card = task.mounts().then(|| mounted(&rig));
        let now = later(clock(), 24 * (at as i64 % 3 - 1));
        let run = shim::run(&rig, task, now, mode, at);
        let Some(fault) = run.fault else {
            assert_eq!(run.ended, Ended::Done, "{mode} {at}");
            break;
        };
        points.check(|| {
            assert_eq!(run.ended == Ended::Killed, mode == "kill", "{fault}");
            after(&rig, &format!("{}: {:?}", fault.trim(), run.ended));
        });
        at += stride;
    }
    points.end(&format!("{task:?}, {mode}"), at_least / every);
}

/// Cuts the power after every call of a task: once all is lost that may be lost, once chance decides.
pub fn cut_after_each(task: Task, at_least: u64, before: &Rig, mut after: impl FnMut(&Rig, &str)) {
    let recorded = copy_of(before);
    let card = task.mounts().then(|| mounted(&recorded));
    let mut disk = Disk::read(recorded.folder.path());
    let trace = shim::traced(&recorded, task, clock());
    drop(card);
    let mut points = Points::default();
    for (number, call) in (0..).zip(calls(&trace, recorded.folder.path())) {
        disk.step(&call);
        if number % stride() != 0 {
            continue;
        }
        for (left, seed) in [
            (Left::Nothing, 0),
            (Left::Some, 2 * number),
            (Left::Some, 2 * number + 1),
        ] {
            points.check(|| {
                let rig = bare_box(before);
                disk.cut(left, &mut Chance::new(seed), rig.folder.path());
                let _card = task.mounts().then(|| mounted(&rig));
                let what = format!("after call {number}, {call}, {left:?} left, seed {seed}");
                after(&rig, &what);
            });
        }
    }
    points.end(&format!("{task:?}, power cut"), at_least);
}
