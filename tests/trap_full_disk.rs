//! A full disk loses nothing: the frames stay on the card, the box says so, and goes on when there is room again.
#![cfg(feature = "trap")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Rig, clock, content, json_lines};
use vigie::trap::{self, Word};
use vigie::vault::store;
use vigie::verify;
use vigie::vision::Painted;

/// A small disk of its own below the store.
struct Disk(PathBuf);

impl Disk {
    fn new(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).expect("a folder");
        let disk = Self(at.to_owned());
        disk.mount("size=32m,nr_inodes=9999,mode=700").then_some(disk)
    }

    fn mount(&self, options: &str) -> bool {
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", options, "vigie-test"])
            .arg(&self.0);
        mount.output().is_ok_and(|output| output.status.success())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn on_a_full_disk_frames_stay_on_the_card_until_there_is_room() {
    let rig = Rig::new();
    let Some(disk) = Disk::new(&rig.store()) else {
        eprintln!("skipped: no file system of its own can be mounted here");
        return;
    };
    rig.write_config();
    rig.put_busy_card();
    let before = content(&rig.card());
    for bound in ["remount,size=32m", "remount,size=400m,nr_inodes=64"] {
        assert!(disk.mount(bound), "{bound}");
        let (outcomes, ended) = rig.try_scan(&mut Painted::new());
        let full = matches!(&ended, Err(trap::Error::Store(store::Error::Full(_))));
        assert!(full, "{bound}: {ended:?}");
        assert!(outcomes.is_empty());
        assert_eq!(content(&rig.card()), before, "{bound}");
        let output = rig.vigie(&["status", "--json"]).output().expect("run");
        let degraded = json_lines(&output)[0]["degraded"].to_string();
        assert!(degraded.contains("store-full"), "{bound}: {degraded}");
    }
    assert!(disk.mount("remount,size=400m,nr_inodes=9999"));
    let (outcomes, _) = rig.scan(&mut Painted::new());
    let kept = outcomes.iter().filter(|told| told.verdict == Word::Keep).count();
    assert!(kept > 0 && outcomes.iter().all(|told| told.verdict != Word::Held));
    rig.open_store().close(clock()).expect("closed");
    let report = verify::store(&rig.store(), Some(rig.device().public())).expect("readable");
    assert!(report.ok, "{:?}", report.faults);
}
