//! `vigie bench`: what a frame costs on this machine, for whoever has a board to report it.
//!
//! Promises: nothing of the box's own vault, keys or cards is touched: all is done in a folder of its own, which is
//! removed. Whole scans and the wake are those of this very program, started anew ([`rig`]); the steps are
//! [`crate::trap::bench`]'s.

mod rig;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Arguments, Exit, Failure, Lang, box_time, equipment, json_line, line};
use crate::card::{self, Card, Limits};
use crate::config::{self, Threads};
use crate::frame::{Digest, EventId, FrameSize};
use crate::trap;
use crate::trap::bench::{Bench, Laps, Step, drawn};
use crate::trap::health::reading::temperature;
use crate::trap::witness::Site;
use crate::vault::EventSealer;
use crate::vision::runtime::Runtime;
use crate::vision::{Detector as _, Networks, View};
use rig::{Rig, Scanned};

/// Frames of a whole scan, at least and at most.
const FRAMES: [f64; 2] = [4.0, 100.0];

#[derive(Serialize)]
struct Report {
    version: &'static str,
    runtime: String,
    machine: Machine,
    frame: Frame,
    wake: Wake,
    /// Reading the frame's bytes once.
    floor_ms: f64,
    discarded: Scan,
    kept: Scan,
}

#[derive(Serialize)]
struct Machine {
    model: String,
    arch: &'static str,
    cores: usize,
    threads: usize,
    /// Of one minute, before and after.
    load: [Option<f64>; 2],
    celsius: [Option<f64>; 2],
}

#[derive(Serialize)]
struct Frame {
    width: u32,
    height: u32,
    bytes: usize,
}

/// From the start of a scan to its first line.
#[derive(Serialize)]
struct Wake {
    ms: f64,
    shares_ms: Vec<(&'static str, f64)>,
}

#[derive(Serialize)]
struct Scan {
    /// Medians of one frame alone, one step after the other.
    steps_ms: BTreeMap<Step, f64>,
    frames: u64,
    /// Of a whole scan, which builds its networks first.
    frames_per_second: Option<f64>,
    peak_memory_mb: Option<f64>,
}

pub fn run(a: &Arguments, seconds: u32, dir: Option<&Path>, lang: Lang) -> Result<Exit, Failure> {
    let config = a.config.exists().then(|| equipment::config(a)).transpose()?;
    let threads = config
        .as_ref()
        .map_or_else(Threads::of_this_machine, config::Trap::threads);
    let (load_before, celsius_before) = (load(), celsius());
    let mut networks = equipment::networks_with(a, config.as_ref(), threads.beside())?;
    let models = fs::canonicalize(equipment::models(a, config.as_ref()));
    let models = models.map_err(|why| Failure::file(Path::new("models"), &why))?;
    let rig = Rig::new(dir, [models, networks.library()?], threads)?;
    let runtime = networks.manifest().runtime.version.clone();
    let shares = shares(&rig, &mut networks)?;
    let within = Duration::from_secs(seconds.into());
    let (floor, discarded_steps) = discarded(&rig, &mut networks, within / 6)?;
    let kept_steps = kept(&rig, &mut networks, within / 6)?;
    drop(networks);
    let discarded = whole(&rig, "irrelevant", &discarded_steps, within / 4)?;
    let kept = whole(&rig, "manual", &kept_steps, within / 4)?;
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        runtime,
        machine: Machine {
            model: model(),
            arch: std::env::consts::ARCH,
            cores: Threads::of_this_machine().alone(),
            threads: threads.alone(),
            load: [load_before, load()],
            celsius: [celsius_before, celsius()],
        },
        frame: Frame {
            width: drawn::SIZE[0],
            height: drawn::SIZE[1],
            bytes: rig.jpeg.len(),
        },
        wake: wake(&discarded, shares, &discarded_steps),
        floor_ms: floor,
        discarded: told_by(&discarded, discarded_steps),
        kept: told_by(&kept, kept_steps),
    };
    match a.json {
        true => json_line(&report),
        false => tell(&report, lang),
    }
    Ok(Exit::Done)
}

/// What a scan does before its first frame, one thing after the other, in a process that has loaded nothing yet.
fn shares(rig: &Rig, networks: &mut Networks) -> Result<Vec<(&'static str, f64)>, Failure> {
    let start = ms(rig.start()?);
    let library = networks.library()?;
    let pinned = networks.manifest().runtime.clone();
    let unreadable = |why: std::io::Error| Failure::file(&library, &why);
    let hashed = || fs::File::open(&library).and_then(Digest::of_all);
    // Twice: the first time it may come from the disk, and what is loaded below comes from memory.
    hashed().map_err(unreadable)?;
    let (again, hash) = timed(hashed);
    again.map_err(unreadable)?;
    let (loaded, load) = timed(|| Runtime::load(&library, &pinned));
    loaded?;
    let (checked, check) = timed(|| networks.check());
    checked?;
    let small = image::RgbImage::new(drawn::SIZE[0] / 8, drawn::SIZE[1] / 8);
    let view = View {
        picture: &small,
        frame: FrameSize {
            width: drawn::SIZE[0],
            height: drawn::SIZE[1],
        },
    };
    let (first, building) = timed(|| networks.scout(view));
    first?;
    let (second, looking) = timed(|| networks.scout(view));
    second?;
    let (store, vault) = timed(|| rig.store("wake.vault"));
    store?.close(box_time())?;
    Ok(vec![
        ("start", start),
        ("runtime-hash", hash),
        ("runtime-load", (load - hash).max(0.0)),
        ("networks-hash", check),
        ("networks-build", (building - looking).max(0.0)),
        ("vault", vault),
    ])
}

/// The whole scan's own wake: the frame's share is what its steps took, the rest is what no share names.
fn wake(scanned: &Scanned, mut shares: Vec<(&'static str, f64)>, steps: &BTreeMap<Step, f64>) -> Wake {
    let all = ms(scanned.first);
    shares.push(("frame", rounded(steps.values().sum())));
    let named: f64 = shares.iter().map(|(_, ms)| ms).sum();
    shares.push(("rest", rounded((all - named).max(0.0))));
    Wake {
        ms: all,
        shares_ms: shares,
    }
}

/// Medians of a discarded frame's steps, and of reading its bytes once.
fn discarded(
    rig: &Rig,
    networks: &mut Networks,
    within: Duration,
) -> Result<(f64, BTreeMap<Step, f64>), Failure> {
    let (card, listing) = one_frame(rig, "discarded")?;
    let mut bench = Bench {
        card: &card,
        file: &listing.frames[0].path,
        detector: networks,
    };
    let mut floors = Vec::new();
    let laps = repeated(within, || {
        floors.push(ms(bench.floor()?));
        bench.discarded()
    })?;
    Ok((median(&mut floors), medians(&laps)))
}

/// Medians of a witness's steps.
fn kept(rig: &Rig, networks: &mut Networks, within: Duration) -> Result<BTreeMap<Step, f64>, Failure> {
    let (card, listing) = one_frame(rig, "kept")?;
    let config = rig.config(card.root(), "manual")?;
    let site = Site::of(&config, &config.cameras[0]);
    let store = rig.store("kept.vault")?;
    let staging = store.staging();
    let mut sealer = EventSealer::new(rig.device.id(), EventId::from_bytes([0; 8]), &rig.recipients)?;
    let mut bench = Bench {
        card: &card,
        file: &listing.frames[0].path,
        detector: networks,
    };
    let laps = repeated(within, || bench.kept(&site, &mut sealer, &staging, box_time()))?;
    store.close(box_time())?;
    Ok(medians(&laps))
}

fn one_frame(rig: &Rig, name: &str) -> Result<(Card, card::Listing), Failure> {
    let card = Card::open(&rig.card(name, 1)?)?;
    let listing = card::list(&card, &Limits::default())?;
    Ok((card, listing))
}

/// A whole scan of as many frames as fit into this time by what their steps took.
fn whole(rig: &Rig, triage: &str, steps: &BTreeMap<Step, f64>, within: Duration) -> Result<Scanned, Failure> {
    let one: f64 = steps.values().sum();
    let fit = (ms(within) / one.max(1.0)).clamp(FRAMES[0], FRAMES[1]);
    let card = rig.card(&format!("card-{triage}"), fit as u64)?;
    rig.scan(&card, triage)
}

fn told_by(scanned: &Scanned, steps_ms: BTreeMap<Step, f64>) -> Scan {
    let number = |name: &str| scanned.summary[name].as_f64();
    Scan {
        steps_ms,
        frames: scanned.summary["looked_at"].as_u64().unwrap_or(0),
        frames_per_second: number("frames_per_second").map(rounded),
        peak_memory_mb: number("peak_memory_mb"),
    }
}

/// So often within this time, three times at least.
fn repeated(
    within: Duration,
    mut work: impl FnMut() -> Result<Laps, trap::Error>,
) -> Result<Vec<Laps>, trap::Error> {
    let began = Instant::now();
    let mut done = Vec::new();
    // The first one builds networks and warms nothing that a scan would not have warm.
    work()?;
    while done.len() < 3 || began.elapsed() < within {
        done.push(work()?);
    }
    Ok(done)
}

fn medians(laps: &[Laps]) -> BTreeMap<Step, f64> {
    let mut times: BTreeMap<Step, Vec<f64>> = BTreeMap::new();
    for (step, took) in laps.iter().flat_map(|Laps(laps)| laps) {
        times.entry(*step).or_default().push(ms(*took));
    }
    times
        .into_iter()
        .map(|(step, mut times)| (step, median(&mut times)))
        .collect()
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(0.0)
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let done = work();
    (done, ms(start.elapsed()))
}

fn ms(time: Duration) -> f64 {
    rounded(time.as_secs_f64() * 1e3)
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// What the machine calls itself (a board's device tree), or its processor.
fn model() -> String {
    let board = read("/proc/device-tree/model").map(|name| name.trim_end_matches('\0').to_owned());
    let processor = || {
        let told = read("/proc/cpuinfo")?;
        let line = told.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    board.or_else(processor).unwrap_or_default()
}

/// proc(5), `loadavg`.
fn load() -> Option<f64> {
    read("/proc/loadavg")?.split(' ').next()?.parse().ok()
}

fn celsius() -> Option<f64> {
    temperature(Path::new("/sys/class/thermal"))
}

fn tell(report: &Report, lang: Lang) {
    let Report { machine, frame, .. } = report;
    let either = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
    let both = |[before, after]: [Option<f64>; 2]| format!("{} -> {}", either(before), either(after));
    line(&format!(
        "vigie {}, ONNX Runtime {}, {} ({})",
        report.version, report.runtime, machine.model, machine.arch
    ));
    line(&format!(
        "{}: {}; {}: {}; {}: {}; {}: {}",
        lang.pick("cores", "cœurs"),
        machine.cores,
        lang.pick("threads", "fils d'exécution"),
        machine.threads,
        lang.pick("load", "charge"),
        both(machine.load),
        lang.pick("temperature", "température"),
        both(machine.celsius),
    ));
    line(&format!(
        "{}: {} x {}, {:.2} {}",
        lang.pick("drawn frame", "image dessinée"),
        frame.width,
        frame.height,
        frame.bytes as f64 / 1e6,
        lang.pick("MB", "Mo"),
    ));
    let row = |name: &str, ms: f64| line(&format!("  {name:<44}{ms:>10.2} ms"));
    let head = |name: &str, ms: f64| line(&format!("{name:<46}{ms:>10.2} ms"));
    head(
        lang.pick(
            "start to first verdict (parts alone)",
            "du démarrage au verdict (parts isolées)",
        ),
        report.wake.ms,
    );
    for (name, ms) in &report.wake.shares_ms {
        row(share_told(name, lang), *ms);
    }
    for (name, scan) in [
        (
            lang.pick("a discarded frame", "une image écartée"),
            &report.discarded,
        ),
        (
            lang.pick(
                "a kept frame (one vehicle, two persons)",
                "une image gardée (un véhicule, deux personnes)",
            ),
            &report.kept,
        ),
    ] {
        head(name, scan.steps_ms.values().sum());
        for (step, ms) in &scan.steps_ms {
            row(step_told(*step, lang), *ms);
        }
        line(&format!(
            "  {} {}: {} {}, {} {}",
            lang.pick("a scan of", "une passe de"),
            lang.count(scan.frames, ["frame", "frames"], ["image", "images"]),
            either(scan.frames_per_second),
            lang.pick("a second", "par seconde"),
            either(scan.peak_memory_mb),
            lang.pick("MB at most", "Mo au plus"),
        ));
    }
    head(
        lang.pick(
            "floor: reading the frame once",
            "plancher : lire l'image une fois",
        ),
        report.floor_ms,
    );
}

fn share_told(name: &'static str, lang: Lang) -> &'static str {
    match name {
        "start" => lang.pick("program", "programme"),
        "runtime-hash" => lang.pick("ONNX Runtime: hash", "ONNX Runtime : empreinte"),
        "runtime-load" => lang.pick("ONNX Runtime: loading", "ONNX Runtime : chargement"),
        "networks-hash" => lang.pick("all networks: hash", "tous les réseaux : empreinte"),
        "networks-build" => lang.pick(
            "the scout's networks: building",
            "réseaux de l'éclaireur : construction",
        ),
        "vault" => lang.pick("vault: opening", "coffre : ouverture"),
        "frame" => lang.pick("the first frame", "la première image"),
        _ => lang.pick("the rest", "le reste"),
    }
}

fn step_told(step: Step, lang: Lang) -> &'static str {
    match step {
        Step::Read => lang.pick("reading and hash", "lecture et empreinte"),
        Step::Walk => lang.pick("walk over the picture's bits", "parcours des bits de l'image"),
        Step::Eighth => lang.pick("1/8 picture", "image au 1/8"),
        Step::Scout => lang.pick("scout", "éclaireur"),
        Step::Guard => lang.pick("guard", "garde"),
        Step::Plates => lang.pick("plates", "plaques"),
        Step::Silhouettes => lang.pick("silhouettes", "silhouettes"),
        Step::Mask => lang.pick("mask", "masque"),
        Step::Redact => lang.pick("redaction and its check", "masquage et contrôle"),
        Step::Seal => lang.pick("sealing", "scellement"),
        Step::Store => lang.pick("storing", "rangement"),
    }
}
