//! A quarter in the life of a box, by seed: whatever the camera, the power, the clocks and the disk do, every frame that
//! the camera finished is decided once, and sealed once or erased, or, after three violent ends with it in hand, set
//! aside and told of (decision 0016).
//!
//! `VIGIE_SEEDS=n` runs the first n seeds, `VIGIE_SEED=n` the one of that number. `make faults` runs more of them.
#![cfg(feature = "trap")]

mod common;
mod fault_kit;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use common::{EMPTY, ENFORCE, Rig, Scene, UNLOADING, VAN, WALKER, with_segment};
use fault_kit::inventory::{Inventory, Pieces, assert_sound, assert_store_sound};
use fault_kit::power::{Disk, Left, calls};
use fault_kit::shim::{self, Ended, Task};
use fault_kit::{Chance, bare_box, copy_of, new_box, small, way};
use jiff::civil::{DateTime, date};
use jiff::{SignedDuration, Timestamp};
use vigie::frame::{BoxTime, CameraTime, Digest};
use vigie::jpeg::Facts;
use vigie::vault::DevicePublic;

const SEEDS: u64 = 15;
/// Visits of a box that is powered once a week.
const WEEKS: i64 = 13;
/// So many violent ends with a frame in hand set it aside.
const LIVES: u32 = 3;

#[test]
fn a_worker_does_one_round() {
    shim::work();
}

/// A frame that the camera wrote whole.
struct Frame {
    scene: Scene,
    bytes: Vec<u8>,
}

/// The camera: its clock may be wrong and its numbers may begin anew.
struct Camera {
    clock: DateTime,
    folder: u32,
    number: u32,
    /// Makes every frame unlike all others.
    exposures: u32,
    whole: BTreeMap<Digest, Frame>,
    /// Files that the power, the card or a full disk cut off.
    cut: BTreeSet<Digest>,
}

/// A few pictures of each scene: encoding takes longer than all else that a camera does.
fn pictures() -> &'static [(Scene, Vec<u8>)] {
    static PICTURES: OnceLock<Vec<(Scene, Vec<u8>)>> = OnceLock::new();
    PICTURES.get_or_init(|| {
        let scenes = [EMPTY, WALKER, VAN, UNLOADING];
        let pictures = (0..12).map(|seed| {
            let scene = scenes[seed as usize % 4];
            (scene, small(scene, 1000 + seed))
        });
        pictures.collect()
    })
}

impl Camera {
    fn new() -> Self {
        Self {
            clock: date(2026, 10, 1).at(6, 0, 0, 0),
            folder: 100,
            number: 1,
            exposures: 0,
            whole: BTreeMap::new(),
            cut: BTreeSet::new(),
        }
    }

    fn pass(&mut self, seconds: i64) {
        self.clock = self.clock.saturating_add(SignedDuration::from_secs(seconds));
    }

    /// What a week brings: some movement, sometimes a fault of the camera's own.
    fn week(&mut self, rig: &Rig, week: i64, chance: &mut Chance) {
        match chance.below(10) {
            // Its battery was changed.
            0 => self.clock = date(1970, 1, 1).at(0, 0, 0, 0),
            1 => self.pass(86_400),
            2 => self.pass(-86_400),
            _ => {
                self.clock = date(2026, 10, 1)
                    .at(6, 0, 0, 0)
                    .saturating_add(SignedDuration::from_hours(168 * week))
            }
        }
        match chance.below(8) {
            0 => self.number = 1,
            1 => (self.folder, self.number) = (self.folder + 1, 1),
            _ => {}
        }
        for _ in 0..chance.below(3) {
            let kind = chance.below(4) as usize;
            for _ in 0..=chance.below(3) {
                // A van comes before it is unloaded, and wind may blow through it all.
                let scene = if chance.one_in(3) {
                    kind.saturating_sub(1)
                } else {
                    kind
                };
                self.expose(rig, scene, chance);
                self.pass(2 + chance.below(4) as i64);
            }
            self.pass(600 + chance.below(3000) as i64);
        }
    }

    fn expose(&mut self, rig: &Rig, scene: usize, chance: &mut Chance) {
        let (scene, jpeg) = &pictures()[scene + 4 * chance.below(3) as usize];
        self.exposures += 1;
        let facts = Facts {
            taken: Some(CameraTime(self.clock)),
            make: Some("Painter".to_owned()),
            model: Some(format!("P-{}", self.exposures)),
            ..Facts::default()
        };
        let mut bytes = with_segment(jpeg, &facts.exif());
        let folder = rig.card().join(format!("DCIM/{}MEDIA", self.folder));
        fs::create_dir_all(&folder).expect("a folder");
        // A number that is taken is passed over, but for a file that was cut off: that one may be written over.
        let path = loop {
            let path = folder.join(format!("IMG_{:04}.JPG", self.number));
            self.number += 1;
            match fs::read(&path) {
                Ok(there) if !self.cut.contains(&Digest::of(&there)) || chance.one_in(2) => {}
                _ => break path,
            }
        };
        if chance.one_in(12) {
            bytes.truncate(chance.below(bytes.len() as u64 / 2) as usize);
            self.cut.insert(Digest::of(&bytes));
        } else {
            let (id, scene) = (Digest::of(&bytes), *scene);
            self.whole.insert(
                id,
                Frame {
                    scene,
                    bytes: bytes.clone(),
                },
            );
        }
        let mut file = File::create(path).expect("a file");
        file.write_all(&bytes).expect("written");
        // FAT's times have a grain of two seconds.
        let seconds = self
            .clock
            .to_zoned(jiff::tz::TimeZone::UTC)
            .expect("a time")
            .timestamp()
            .as_second();
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.max(0) as u64 / 2 * 2);
        file.set_modified(modified).expect("a time");
    }
}

/// What happens to the box while it works, or on the way to the desk and back.
fn visit(rig: Rig, task: Task, now: BoxTime, chance: &mut Chance, ended_badly: &mut u32) -> Rig {
    let mode = match chance.below(12) {
        0..3 => "kill",
        3 => "eio",
        4 => "dead",
        5 => "full",
        6 => "short",
        7 => "pulled",
        8 => return power_cut(rig, task, now, chance),
        9 if task == Task::Round => {
            round(&rig, now, Some(chance));
            return rig;
        }
        _ => {
            whole(&rig, task, now);
            return rig;
        }
    };
    // Beyond the last call nothing fails.
    let run = shim::run(&rig, task, now, mode, 1 + chance.below(300));
    assert!(
        run.fault.is_some() || run.ended == Ended::Done,
        "{mode}: {:?}",
        run.ended
    );
    *ended_badly += u32::from(run.ended != Ended::Done);
    rig
}

fn power_cut(rig: Rig, task: Task, now: BoxTime, chance: &mut Chance) -> Rig {
    let before = copy_of(&rig);
    let mut disk = Disk::read(before.folder.path());
    let trace = shim::traced(&before, task, now);
    let calls = calls(&trace, before.folder.path());
    let cut = chance.below(calls.len() as u64 + 1) as usize;
    calls[..cut].iter().for_each(|call| disk.step(call));
    let after = bare_box(&rig);
    disk.cut(Left::Some, chance, after.folder.path());
    after
}

/// A task that nothing disturbs.
fn whole(rig: &Rig, task: Task, now: BoxTime) {
    match task {
        Task::Round => round(rig, now, None),
        Task::Transfer => {
            let _none_starts = shim::nobody_starts();
            way::there_and_back(rig.folder.path(), now).expect("a whole way");
            assert_sound(rig, "after a whole way");
        }
        Task::Wipe => {
            unreachable!("the quarter's boxes have no card of their own: tests/faults_wipe.rs wipes one")
        }
    }
}

/// A round that nothing disturbs, but for a clock that may jump by a day in its middle.
fn round(rig: &Rig, now: BoxTime, jump: Option<&mut Chance>) {
    let _none_starts = shim::nobody_starts();
    let jump = jump.map(|chance| (1 + chance.below(20), if chance.one_in(2) { 24 } else { -24 }));
    let (summary, _) = fault_kit::round(rig, now, jump);
    assert_eq!((summary.held, summary.not_erased), (0, 0));
    assert_sound(rig, "after a whole round");
}

fn live(seed: u64) {
    let mut chance = Chance::new(seed);
    let mut rig = new_box(
        ENFORCE,
        if seed.is_multiple_of(2) {
            "empty"
        } else {
            "irrelevant"
        },
    );
    // Without it, nothing would be erased.
    whole(
        &rig,
        Task::Transfer,
        BoxTime(Timestamp::from_second(1_790_000_000).expect("a time")),
    );
    let (mut camera, mut ended_badly) = (Camera::new(), 0);
    fs::create_dir_all(rig.card().join("DCIM")).expect("a folder");
    for week in 0..WEEKS {
        camera.week(&rig, week, &mut chance);
        let now = match chance.below(10) {
            // No battery, and no network to ask.
            0 => Timestamp::from_second(chance.below(1_000_000) as i64),
            _ => Timestamp::from_second(1_791_000_000 + 604_800 * week + chance.below(86_400) as i64),
        };
        let now = BoxTime(now.expect("a time"));
        rig = visit(rig, Task::Round, now, &mut chance, &mut ended_badly);
        // Somebody comes by with a stick.
        if chance.one_in(4) {
            rig = visit(rig, Task::Transfer, now, &mut chance, &mut ended_badly);
        }
    }
    let end = BoxTime(Timestamp::from_second(1_800_000_000).expect("a time"));
    whole(&rig, Task::Round, end);
    whole(&rig, Task::Transfer, end);
    assert_all_accounted_for(&rig, &camera, ended_badly);
}

fn assert_all_accounted_for(rig: &Rig, camera: &Camera, ended_badly: u32) {
    let _none_starts = shim::nobody_starts();
    let originals: Vec<_> = camera.whole.values().map(|frame| frame.bytes.clone()).collect();
    Pieces::of(&originals).assert_absent(&rig.store(), "at the end");
    assert_eq!(way::items(&rig.store()).len(), 0, "all of it is at the desk");
    let desk = DevicePublic::read_desk(&rig.path("desk/desk.pub")).expect("a key");
    assert_store_sound(&rig.path("desk/store"), &desk, "at the end");
    let inventory = Inventory::of(rig, &BTreeSet::new());
    // What was set aside lies there until it is too old.
    let aside = |id| {
        let is_its_size = |frame: &Frame| inventory.set_aside.contains(&(frame.bytes.len() as u64));
        !inventory.ledger.contains_key(id) && camera.whole.get(id).is_some_and(is_its_size)
    };
    for (path, digest) in &inventory.card {
        let stays = camera.cut.contains(digest) || aside(digest);
        assert!(stays, "{} is left", path.display());
    }
    let mut set_aside = inventory.set_aside.clone();
    for (id, frame) in &camera.whole {
        let Some([state, verdict, reason, event]) = inventory.ledger.get(id) else {
            let told = set_aside
                .iter()
                .position(|&size| size == frame.bytes.len() as u64);
            set_aside.swap_remove(told.unwrap_or_else(|| panic!("{id} has no row and was not set aside")));
            assert!(
                ended_badly >= LIVES,
                "{id} was set aside after {ended_badly} violent ends"
            );
            continue;
        };
        assert_eq!(state.as_deref(), Some("gone"), "{id}");
        let event = event.as_ref().expect("an event");
        let sealed = inventory.witnesses.get(&id.to_string());
        let keep = verdict.as_deref() == Some("keep");
        // What the desk had not answered, or could not be sealed, within its term had to go from the box.
        if inventory.expired.contains(event) || reason.as_deref() == Some("max-age") {
            continue;
        }
        assert_eq!(keep, sealed.is_some(), "{id} {reason:?}");
        assert!(sealed.is_none_or(|(of, _)| of == event), "{id}");
        let Scene { vehicle, person, .. } = frame.scene;
        if !vehicle && !person {
            assert!(!keep, "{id} shows nothing");
        } else if rig.choice == "empty" {
            assert!(keep, "{id} shows something");
        } else if vehicle && person {
            assert!(inventory.records.contains(event), "{id} may show the act");
        }
    }
    assert!(
        inventory.told.values().all(|&times| times == 1),
        "{:?}",
        inventory.told
    );
    let gone = inventory
        .told
        .keys()
        .filter(|(kind, of)| kind == "discarded" && camera.whole.keys().any(|id| id.to_string() == *of))
        .count();
    assert_eq!(gone, inventory.ledger.len());
    let of_the_camera = |id: &Digest| camera.whole.contains_key(id);
    assert!(
        inventory.ledger.keys().all(of_the_camera),
        "only whole frames have rows"
    );
}

#[test]
fn a_quarter_of_accidents_loses_nothing_and_does_nothing_twice() {
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|n| n.parse::<u64>().expect("a number"))
    };
    let seeds = match number("VIGIE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("VIGIE_SEEDS").unwrap_or(SEEDS),
    };
    let (next, failed) = (AtomicU64::new(seeds.start), AtomicU64::new(0));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    if catch_unwind(AssertUnwindSafe(|| live(seed))).is_err() {
                        eprintln!("it was seed {seed}: VIGIE_SEED={seed} make faults");
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    println!("a quarter: {} seeds", seeds.end - seeds.start);
    assert_eq!(failed, 0, "seeds that fail");
}
