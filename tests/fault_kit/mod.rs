//! A box whose disk, card and power fail on purpose, and what must hold after each failure.
//!
//! `interpose.c` stands between a worker, a process of its own, and the C library. [`shim`] runs the worker under it,
//! [`power`] rebuilds what a power cut may leave of a recorded run, [`inventory`] says what must be there at the end,
//! [`way`] is the way to the desk and back, [`points`] goes over all calls of a run.

#![allow(dead_code)]

pub mod inventory;
pub mod points;
pub mod power;
pub mod shim;
#[path = "../volumes/mod.rs"]
pub mod volumes;
pub mod way;

use std::cell::Cell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use image::imageops::{FilterType, resize};
use jiff::SignedDuration;
use tempfile::TempDir;
use vigie::frame::BoxTime;
use vigie::trap::Summary;
use vigie::trap::service::Service;
use vigie::vault::Store;
use vigie::vision::Painted;
use volumes::{Mounted, in_memory};

use crate::common::{
    EMPTY, ENFORCE, Rig, Scene, TRIAL, Told, UNLOADING, VAN, WALKER, bare, clock, picture, repository,
    with_exif,
};

/// Numbers that look like chance and are the same for the same seed (Knuth's MMIX generator, its upper half).
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        let mut chance = Self(seed ^ 0x9E37_79B9_7F4A_7C15);
        chance.below(1);
        chance.below(1);
        chance
    }

    /// From 0 to `bound - 1`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) * bound) >> 31
    }

    pub fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

/// A folder in memory where there is one: thousands of disks are made here, and what they promise to keep is none of
/// the test's business.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).expect("a folder")
    } else {
        tempfile::tempdir().expect("a folder")
    }
}

fn rig_in(folder: TempDir, mode: &'static str, choice: &'static str) -> Rig {
    Rig {
        folder,
        settings: "video = \"discard\"".to_owned(),
        camera: String::new(),
        mode,
        choice,
        models: repository().join("models"),
    }
}

/// A box with keys of its own and an empty card, beside a desk that has no answer for it yet.
pub fn new_box(mode: &'static str, choice: &'static str) -> Rig {
    let folder = folder();
    copy_tree(Rig::new().folder.path(), folder.path());
    let rig = rig_in(folder, mode, choice);
    rig.write_config();
    way::prepare(&rig);
    rig
}

/// Another box with the same keys, the same card, the same store.
pub fn copy_of(rig: &Rig) -> Rig {
    let copy = bare_box(rig);
    copy_tree(rig.folder.path(), copy.folder.path());
    copy
}

/// A box set up like another, without anything, not even keys.
pub fn bare_box(like: &Rig) -> Rig {
    rig_in(folder(), like.mode, like.choice)
}

/// Files keep their times: by these the trap trusts what it read before.
fn copy_tree(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            fs::create_dir(&copy).expect("a folder");
            copy_tree(&path, &copy);
        } else {
            fs::copy(&path, &copy).expect("copied");
            let modified = entry.metadata().expect("there").modified().expect("a time");
            let copy = File::options().append(true).open(copy).expect("there");
            copy.set_modified(modified).expect("a time");
        }
    }
}

/// What the camera wrote.
pub fn originals(rig: &Rig) -> Vec<Vec<u8>> {
    crate::common::content(&rig.card())
        .into_iter()
        .map(|(_, bytes)| bytes)
        .collect()
}

/// A quarter of the pixels: what fails here are calls, and there is one round or two for each.
pub fn small(scene: Scene, seed: u32) -> Vec<u8> {
    let large = picture(scene, seed);
    bare(&resize(
        &large,
        large.width() / 2,
        large.height() / 2,
        FilterType::Nearest,
    ))
}

/// One of everything: wind, a walker alone, a van that is unloaded, a van under two names, a video, a frame that ends
/// too early and one that has no byte.
fn small_card(mode: &'static str) -> Rig {
    let rig = new_box(mode, "irrelevant");
    for (number, (scene, hour)) in [
        (EMPTY, "08:00:01"),
        (EMPTY, "08:00:03"),
        (WALKER, "08:10:01"),
        (VAN, "08:20:01"),
        (UNLOADING, "08:20:06"),
        (VAN, "09:00:01"),
    ]
    .into_iter()
    .enumerate()
    {
        let bytes = with_exif(&small(scene, number as u32), hour);
        rig.put(&format!("DCIM/100MEDIA/IMG_{number:04}.JPG"), &bytes);
        if number == 5 {
            rig.put("DCIM/100MEDIA/IMG_0005-copy.JPG", &bytes);
        }
    }
    let cut = small(VAN, 77);
    rig.put("DCIM/100MEDIA/IMG_0006.JPG", &cut[..cut.len() / 2]);
    rig.put("DCIM/100MEDIA/IMG_0007.JPG", b"");
    rig.put("DCIM/100MEDIA/MOV_0008.MP4", &small(WALKER, 78));
    rig
}

/// A round that nothing disturbs, at this time, but for a clock that jumps by some hours after it was asked so often;
/// how often it was asked.
pub fn round(rig: &Rig, now: BoxTime, jump: Option<(u64, i64)>) -> (Summary, u64) {
    let asked = Cell::new(0);
    let clock = || {
        asked.set(asked.get() + 1);
        match jump {
            Some((after, hours)) if asked.get() > after => later(now, hours),
            _ => now,
        }
    };
    let (config, recipients) = (rig.config(), rig.recipients());
    let mut store = Store::open(&rig.store(), &rig.device(), clock()).expect("a store");
    let summary = Service {
        config: &config,
        store: &mut store,
        recipients: &recipients,
        detector: &mut Painted::new(),
        clock: &clock,
        stop: &AtomicBool::new(false),
    }
    .scan(&config.cameras[0], &rig.card(), &mut Told::default())
    .expect("a whole round");
    store.close(clock()).expect("closed");
    (summary, asked.get())
}

pub fn later(time: BoxTime, hours: i64) -> BoxTime {
    BoxTime(
        time.0
            .saturating_add(SignedDuration::from_hours(hours))
            .expect("a time"),
    )
}

/// The small card in a box that erases: the desk has shown that it opens what is sealed.
pub fn enforcing() -> Rig {
    let rig = small_card(ENFORCE);
    way::there_and_back(rig.folder.path(), clock()).expect("a whole way");
    rig
}

/// The small card in a box on trial that has no store yet.
pub fn on_trial() -> Rig {
    small_card(TRIAL)
}

/// The small card in a box that erases, with files that only a wipe takes. `None` where this may not mount.
pub fn before_a_wipe() -> Option<Rig> {
    in_memory(tempfile::tempdir().expect("a folder").path(), "384k")?;
    let rig = enforcing();
    rig.put("DCIM/100MEDIA/NOTES.TXT", b"somebody's");
    rig.put("MISC/AUTPRINT.MRK", &small(WALKER, 79));
    Some(rig)
}

/// The box's card, with all that lies on it, as a volume of its own, with little room beside it: filling it is a call
/// for each piece.
pub fn mounted(rig: &Rig) -> Mounted {
    let files = rig.path("files-of-the-card");
    fs::rename(rig.card(), &files).expect("moved");
    fs::create_dir(rig.card()).expect("a folder");
    let mounted = in_memory(&rig.card(), "384k").expect("it could be mounted before");
    copy_tree(&files, &rig.card());
    fs::remove_dir_all(files).expect("removed");
    mounted
}

/// Where the interposer says what it did: outside of the box.
pub fn said_in(folder: &Path) -> PathBuf {
    folder.join("said")
}
