//! `kill -9` at any moment of a scan, or of a `watch --until-idle`, then a second one: the same events, nothing lost,
//! nothing twice.
#![cfg(feature = "trap")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

use common::{EMPTY, Rig, Scene, UNLOADING, VAN, WALKER, clock, content, frame};
use vigie::config::Trap;
use vigie::frame::Digest;
use vigie::trap::service::Service;
use vigie::trap::{Listener, Outcome};
use vigie::vault::item::ItemKind;
use vigie::vault::{DeviceKey, Store, seal, store};
use vigie::verify;
use vigie::vision::Painted;

const FOLDER: &str = "VIGIE_KILLED_SCAN_FOLDER";
const UNTIL_IDLE: &str = "VIGIE_KILLED_UNTIL_IDLE";
/// Eight events of four frames, one of each kind in turn; one frame lies there under two names.
const EVENTS: u32 = 8;
const FRAMES_OF_EVENT: u32 = 4;

fn put_card(rig: &Rig) {
    for event in 0..EVENTS {
        let scenes: [Scene; 4] = [
            [EMPTY, UNLOADING, VAN, UNLOADING],
            [EMPTY; 4],
            [WALKER; 4],
            [VAN, UNLOADING, EMPTY, VAN],
        ][event as usize % 4];
        for (of_event, scene) in scenes.into_iter().enumerate() {
            let number = event * FRAMES_OF_EVENT + of_event as u32;
            let hour = format!("{:02}:{:02}:{:02}", event / 2, event % 2 * 30, of_event * 5);
            let bytes = frame(scene, &hour, number);
            rig.put(&format!("DCIM/100MEDIA/IMG_{number:04}.JPG"), &bytes);
            if number == 17 {
                rig.put("DCIM/100MEDIA/IMG_0017-copy.JPG", &bytes);
            }
        }
    }
}

/// Says each step on standard output, a line of its own even amid what the test harness prints.
struct Aloud;

impl Listener for Aloud {
    fn begin(&mut self, _files: u64) {
        println!("\nSTEP begin");
    }
    fn step(&mut self) {
        println!("\nSTEP looked");
    }
    fn outcome(&mut self, outcome: &Outcome) {
        println!("\nSTEP {}", outcome.file.display());
    }
}

/// Run as a process of its own by the test below: scans until it is killed.
#[test]
fn scans_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let config = Trap::read(&folder.join("trap.toml")).expect("a configuration");
    let device = DeviceKey::read(&config.device_key).expect("a key");
    let recipients = vigie::trap::recipients::read(&config).expect("keys");
    let mut store = Store::open(&config.store, &device, clock()).expect("a store");
    println!("\nSTEP opened");
    let camera = &config.cameras[0];
    let mut service = Service {
        config: &config,
        store: &mut store,
        recipients: &recipients,
        detector: &mut Painted::new(),
        clock: &clock,
        stop: &AtomicBool::new(false),
    };
    if std::env::var_os(UNTIL_IDLE).is_some() {
        let ended = service.watch(true, &mut Aloud).expect("a whole round");
        assert!(ended.absent.is_empty());
    } else {
        service
            .scan(camera, &camera.card, &mut Aloud)
            .expect("a whole round");
    }
    store.close(clock()).expect("closed");
}

/// Lets a scan go on until it has said `steps` things, and kills it then; how many it said.
fn kill_after(steps: usize, until_idle: bool, folder: &Path) -> usize {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    if until_idle {
        command.env(UNTIL_IDLE, "1");
    }
    let mut scan = command
        .args(["scans_until_it_is_killed", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process");
    let said = BufReader::new(scan.stdout.take().expect("piped")).lines();
    let said = said
        .map_while(Result::ok)
        .filter(|line| line.starts_with("STEP"))
        .take(steps)
        .count();
    scan.kill().expect("killed");
    scan.wait().expect("gone");
    said
}

/// What a scan left behind, without what chance decides: verdicts by frame, and what was sealed by original.
#[derive(Debug, PartialEq, Eq)]
struct Trace {
    ledger: BTreeMap<Digest, [Option<String>; 4]>,
    witnesses: BTreeMap<String, (String, Digest)>,
    records: BTreeSet<String>,
}

fn trace(rig: &Rig) -> Trace {
    let opened_store = rig.open_store();
    let mut query = opened_store
        .sql()
        .prepare("SELECT digest, state, verdict, reason, lower(hex(event)) FROM frame")
        .expect("a ledger");
    let rows = query.query_map([], |row| {
        Ok((
            Digest::from_bytes(row.get(0)?),
            [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?],
        ))
    });
    let ledger = rows.expect("rows").collect::<Result<_, _>>().expect("rows");
    let key = rig.service_key();
    let mut witnesses = BTreeMap::new();
    let mut records = BTreeSet::new();
    let mut frames = BTreeMap::new();
    for (id, path) in store::item_files(&rig.store(), None).expect("items") {
        let opened = seal::open(File::open(path).expect("there"), &key).expect("opened");
        match opened.header.kind {
            ItemKind::Frame => {
                image::load_from_memory(&opened.plaintext).expect("a picture");
                frames.insert((id.event, id.number), Digest::of(&opened.plaintext));
            }
            ItemKind::Manifest => {
                let manifest: serde_json::Value = serde_json::from_slice(&opened.plaintext).expect("JSON");
                let original = manifest["original"]["sha256"]
                    .as_str()
                    .expect("a digest")
                    .to_owned();
                let redacted = frames[&(id.event, id.number - 1)];
                assert_eq!(manifest["redacted"]["sha256"], redacted.to_string());
                let before = witnesses.insert(original, (id.event.to_string(), redacted));
                assert_eq!(before, None, "sealed twice");
            }
            ItemKind::Record => assert!(records.insert(id.event.to_string()), "sealed twice"),
        }
    }
    Trace {
        ledger,
        witnesses,
        records,
    }
}

#[test]
fn a_killed_scan_that_is_run_again_ends_as_if_it_had_not_been_killed() {
    let undisturbed = Rig::new();
    put_card(&undisturbed);
    let (_, summary) = undisturbed.scan(&mut Painted::new());
    let expected = trace(&undisturbed);
    assert_eq!(expected.ledger.len(), (EVENTS * FRAMES_OF_EVENT) as usize);
    assert_eq!((expected.records.len(), summary.events_sealed), (4, 4));
    assert_eq!(expected.witnesses.len(), 12);

    // opened, begin, one look and one outcome for each file.
    let steps = 2 + 2 * (EVENTS * FRAMES_OF_EVENT + 1) as usize;
    let mut state = 20_261_120_u64;
    let mut interrupted = 0;
    for rigs in 0..10 {
        let rig = Rig::new();
        put_card(&rig);
        rig.prove_keys();
        // Killed twice, then left in peace.
        let mut looked = 0;
        for until_idle in [rigs % 2 == 0, true] {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let after = 1 + (state >> 33) as usize % steps;
            looked += kill_after(after, until_idle, rig.folder.path());
            let report = verify::store(&rig.store(), Some(rig.device().public())).expect("a store");
            assert!(report.ok, "killed after {after}: {report:#?}");
            interrupted += usize::from(!content(&rig.card()).is_empty());
        }
        rig.scan(&mut Painted::new());
        assert_eq!(trace(&rig), expected, "killed after {looked} steps in all");
        assert_eq!(content(&rig.card()), []);
        let report = verify::store(&rig.store(), Some(rig.device().public())).expect("a store");
        assert!(report.ok && report.remarks.is_empty(), "{report:#?}");
        fs::remove_dir_all(rig.store()).expect("removed");
    }
    assert!(interrupted >= 8, "only {interrupted} kills came before the end");
}
