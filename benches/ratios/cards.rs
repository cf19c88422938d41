//! Whole cards: the memory of a scan of the largest frames, and what a frame costs on small and on large cards.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use jiff::Span;
use jiff::civil::DateTime;
use vigie::frame::CameraTime;
use vigie::jpeg::Facts;
use vigie::vision::{Networks, Painted};

use crate::common::{EMPTY, Rig, UNLOADING, bare, picture, with_segment};
use crate::frames::Frame;
use crate::networks;

/// Frames on a camera's card before it begins a new folder.
const PER_FOLDER: usize = 999;
/// Frames of one movement, and the seconds between them.
const BURST: (usize, i64) = (5, 2);
/// Seconds from one movement to the next: more than `event_gap`.
const BETWEEN: i64 = 180;
/// One movement in so many is a van that is unloaded; the others are wind.
const ONE_IN: usize = 10;

/// Puts the `number`th frame on a card, as its camera would have named and dated it.
fn put(rig: &Rig, number: usize, jpeg: &[u8]) {
    let seconds = (number / BURST.0) as i64 * BETWEEN + (number % BURST.0) as i64 * BURST.1;
    let first: DateTime = "2026-10-14T00:00:00".parse().expect("an hour");
    let facts = Facts {
        taken: Some(CameraTime(first + Span::new().seconds(seconds))),
        make: Some("Painter".to_owned()),
        ..Facts::default()
    };
    let (folder, name) = (100 + number / PER_FOLDER, 1 + number % PER_FOLDER);
    rig.put(
        &format!("DCIM/{folder}MEDIA/IMG_{name:04}.JPG"),
        &with_segment(jpeg, &facts.exif()),
    );
}

/// Peak resident memory in MB (10^6 bytes).
pub struct Peaks {
    /// `vigie scan` over the frames.
    pub scan: f64,
    /// A process that has built every network and run each once on a small picture.
    pub networks: f64,
    /// What the scan told.
    pub kept: u64,
    pub discarded: u64,
}

/// Of `count` frames of this kind; every other burst shows a van that is unloaded, if any does.
pub fn peaks(
    repository: &Path,
    frames: &Path,
    (frame, busy_too): (Frame, bool),
    count: usize,
) -> Result<Peaks, String> {
    let rig = Rig::new();
    let [empty, busy] = [false, true].map(|busy| {
        let file = frame.file(frames, busy).expect("made");
        fs::read(file).expect("readable")
    });
    for number in 0..count {
        let is_busy = busy_too && (number / BURST.0) % 2 == 1;
        put(&rig, number, if is_busy { &busy } else { &empty });
    }
    // One thread, as everything here: two hold a second frame.
    let config = rig.write_config();
    let text = fs::read_to_string(&config).map_err(|e| e.to_string())?;
    fs::write(&config, format!("threads = 1\n{text}")).map_err(|e| e.to_string())?;
    let mut scan = rig.vigie(&["scan", "--json"]);
    if let Ok(library) = repository.join("runtime").canonicalize() {
        scan.env("VIGIE_RUNTIME", library);
    }
    let output = scan.arg(rig.card()).output().map_err(|e| e.to_string())?;
    let told = String::from_utf8_lossy(&output.stdout);
    let last = told.lines().last().unwrap_or_default();
    let summary: serde_json::Value = serde_json::from_str(last).map_err(|_| {
        format!(
            "`vigie scan` ended {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )
    })?;
    let field = |name: &str| &summary["summary"][name];
    Ok(Peaks {
        scan: field("peak_memory_mb")
            .as_f64()
            .ok_or("no VmHWM on this system")?,
        networks: alone()?,
        kept: field("kept").as_u64().unwrap_or(0),
        discarded: field("discarded").as_u64().unwrap_or(0),
    })
}

/// The argument that makes a process of this program [`load_networks`] and nothing else.
pub const LOAD: &str = "--load-networks";

fn alone() -> Result<f64, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let output = Command::new(program)
        .arg(LOAD)
        .output()
        .map_err(|e| e.to_string())?;
    let told = String::from_utf8_lossy(&output.stdout);
    told.trim()
        .parse()
        .map_err(|_| format!("networks alone: {told:?}"))
}

/// Builds and runs all networks as such a scan does, and prints the peak.
pub fn load_networks(repository: &Path) {
    let mut all = Networks::open(&repository.join("models"), None, 1).expect("networks");
    networks::run_all(&mut all).expect("they run");
    println!("{}", peak_memory_mb().expect("VmHWM"));
}

/// proc(5), `VmHWM`, in units of 1024 bytes.
fn peak_memory_mb() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1.024 / 1000.0)
}

/// Seconds per frame of one scan over a new card of `count` small painted frames, networks painted too: what is left is
/// the loop, the ledger, the journal and the disk.
pub fn per_frame(count: usize) -> f64 {
    let rig = Rig::new();
    // Frames of one kind differ in their EXIF, so that no two are the same bytes.
    let [empty, busy] = [EMPTY, UNLOADING].map(|scene| bare(&picture(scene, 1)));
    for number in 0..count {
        let is_busy = (number / BURST.0).is_multiple_of(ONE_IN);
        put(&rig, number, if is_busy { &busy } else { &empty });
    }
    let start = Instant::now();
    let (_, summary) = rig.scan(&mut Painted::default());
    let took = start.elapsed();
    assert_eq!(summary.files, count as u64, "every file is accounted for");
    assert_eq!(summary.left + summary.held, 0, "every file is decided");
    took.as_secs_f64() / count as f64
}

/// Medians of the cost per frame by size of the card, the sizes in turns; a size whose next card would not be done by
/// `until` is not begun.
pub fn costs(sizes: &[(usize, usize)], within: Duration) -> Vec<(usize, Vec<f64>)> {
    let start = Instant::now();
    let mut costs: Vec<_> = sizes.iter().map(|&(size, _)| (size, Vec::new())).collect();
    let turns = sizes.iter().map(|s| s.1).max().unwrap_or(0);
    let mut dearest: f64 = 0.0;
    for turn in 0..turns {
        for (&(size, times), (_, costs)) in sizes.iter().zip(&mut costs) {
            let expected = Duration::from_secs_f64(1.5 * dearest * size as f64);
            if turn >= times || start.elapsed() + expected > within {
                continue;
            }
            let cost = per_frame(size);
            dearest = dearest.max(cost);
            costs.push(cost);
        }
    }
    costs
        .iter_mut()
        .for_each(|(_, costs)| costs.sort_by(f64::total_cmp));
    costs
}
