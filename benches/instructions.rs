//! `make instructions`: how many instructions our own code spends on a discarded and on a kept frame, against those in
//! `benches/instructions.toml`: the guard against slow-downs where no board is at hand.
//!
//! Counted by callgrind, which shows every program the same processor, whatever machine it runs on (no SHA or AVX-512
//! instructions; AVX2 where the machine has it): times differ from run to run, counts do not. The networks are left out
//! ([`Still`]): ONNX Runtime is pinned, and picks its code by the processor. `VIGIE_COUNT=store` writes the file anew.

#[path = "ratios/sealing.rs"]
#[allow(dead_code)]
mod sealing;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use vigie::frame::{BoxTime, Digest};
use vigie::jpeg::Picture;
use vigie::redact::plan::{Occupants, Policy};
use vigie::redact::{Fill, Original};
use vigie::trap::bench::drawn;
use vigie::trap::look;
use vigie::trap::witness::{LookedAt, Site, Witness};
use vigie::vision::geometry::Rect;
use vigie::vision::{Detection, Detector, Error, Objects, Plate, Silhouette, View};

/// The argument that makes a process of this program do one piece of work, on the frame in a file.
const DO: &str = "--do";
/// The two pieces.
const WORKS: [&str; 2] = ["discarded", "kept"];
/// How far a count may be from the one in the file.
const WITHIN: f64 = 0.03;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == DO) {
        let frame = fs::read(&arguments[at + 2]).expect("the frame");
        match arguments[at + 1].as_str() {
            "discarded" => counted_discarded(frame),
            _ => counted_kept(&frame, sealing::sealer()),
        }
        return ExitCode::SUCCESS;
    }
    // `cargo test --benches` builds and calls benches too; it asks for nothing to be measured.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let Some(valgrind) = told(Command::new("valgrind").arg("--version")) else {
        println!("no valgrind here: instructions are not counted (Debian: valgrind)");
        return ExitCode::SUCCESS;
    };
    let counts = count();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.toml");
    if std::env::var_os("VIGIE_COUNT").is_some_and(|how| how == "store") {
        store(&file, &valgrind, &counts);
        return ExitCode::SUCCESS;
    }
    let Ok(stored) = fs::read_to_string(&file) else {
        println!("nothing to compare with: VIGIE_COUNT=store make instructions ({counts:?})");
        return ExitCode::SUCCESS;
    };
    compare(&stored, &valgrind, &counts)
}

/// From a frame's bytes to what the scout is asked about.
#[inline(never)]
fn counted_discarded(mut frame: Vec<u8>) {
    std::hint::black_box(Digest::of(&frame));
    let prepared = look::prepare(&mut frame).expect("a whole frame");
    std::hint::black_box(look::scout(&prepared, &mut Still).expect("looked at"));
}

/// From a frame's bytes to its sealed items, with a vehicle, a plate and two persons in it.
#[inline(never)]
fn counted_kept(frame: &[u8], mut sealer: vigie::vault::EventSealer) {
    let original = Original::read(frame).expect("a whole frame");
    let site = Site {
        camera: "count".parse().expect("plain"),
        day: Policy::Persons,
        night: Policy::Persons,
        occupants: Occupants::Mask,
        fill: Fill::Flat,
        privacy: Vec::new(),
        waste: None,
        zone: Digest::of(b""),
        correction: 0,
    };
    let witness = Witness {
        original,
        neighbours: Some(Vec::new()),
        now: BoxTime(jiff::Timestamp::UNIX_EPOCH),
    };
    let looked_at = LookedAt::new(witness, &site, None, &mut Still).expect("looked at");
    let redacted = looked_at.redacted().expect("redacted");
    std::hint::black_box(sealer.seal_frame(&redacted).expect("sealed"));
}

/// Asks for the pictures that the networks look at, and answers the same each time.
struct Still;

impl Detector for Still {
    fn scout(&mut self, _: View<'_>) -> Result<Objects, Error> {
        Ok(Objects::default())
    }

    fn guard(&mut self, picture: &mut Picture) -> Result<Objects, Error> {
        picture.whole(1152)?;
        let seen = |rect: [f32; 4]| Detection {
            rect: Rect::from(rect),
            score: 0.9,
        };
        Ok(Objects {
            vehicles: vec![seen([1600.0, 1400.0, 1000.0, 900.0])],
            persons: vec![
                seen([2660.0, 1500.0, 240.0, 760.0]),
                seen([1200.0, 1500.0, 240.0, 760.0]),
            ],
        })
    }

    fn plates(&mut self, picture: &mut Picture, vehicles: &[Detection]) -> Result<Vec<Plate>, Error> {
        for vehicle in vehicles {
            let part = region(vehicle.rect);
            picture.part(part, 640)?;
        }
        Ok(Vec::new())
    }

    fn silhouette(&mut self, picture: &mut Picture, person: Rect) -> Result<Silhouette, Error> {
        const SIDE: usize = 256;
        picture.part(region(person), SIDE as u32)?;
        // A standing figure: an ellipse.
        let centred = |n: usize| n as f32 / (SIDE / 2) as f32 - 1.0;
        let inside = |cell: usize| {
            let (x, y) = (centred(cell % SIDE) * 3.0, centred(cell / SIDE) * 1.2);
            f32::from(u8::from(x * x + y * y < 1.0))
        };
        Ok(Silhouette {
            square: person,
            side: SIDE,
            body: (0..SIDE * SIDE).map(inside).collect(),
        })
    }

    fn networks(&self) -> Vec<(String, Digest)> {
        Vec::new()
    }
}

fn region(rect: Rect) -> vigie::frame::Region {
    vigie::frame::Region {
        x: rect.x as u32,
        y: rect.y as u32,
        width: rect.w as u32,
        height: rect.h as u32,
    }
}

/// The instructions of each piece of work, of nothing before and behind it.
fn count() -> BTreeMap<&'static str, u64> {
    let folder = tempfile::tempdir().expect("a folder");
    let frame = folder.path().join("frame.jpg");
    fs::write(&frame, drawn::frame().expect("drawn")).expect("written");
    let program = std::env::current_exe().expect("this program");
    WORKS
        .map(|work| {
            let out = folder.path().join(work);
            let counted = Command::new("valgrind")
                .args(["--quiet", "--tool=callgrind", "--collect-atstart=no"])
                .arg(format!("--toggle-collect=*counted_{work}*"))
                .arg(format!("--callgrind-out-file={}", out.display()))
                .arg(&program)
                .args([DO, work])
                .arg(&frame)
                .status()
                .expect("valgrind");
            assert!(counted.success(), "{work}: {counted}");
            let counts = fs::read_to_string(&out).expect("callgrind's file");
            let total = counts.lines().find_map(|line| line.strip_prefix("summary: "));
            (work, total.and_then(|n| n.trim().parse().ok()).expect("a count"))
        })
        .into()
}

fn store(file: &Path, valgrind: &str, counts: &BTreeMap<&'static str, u64>) {
    let lines: String = counts
        .iter()
        .map(|(work, count)| format!("{work} = {count}\n"))
        .collect();
    let text = format!(
        "# Instructions that our own code spends on a frame of 12 MP: `make instructions` counts them again.\n\
         # Written by `VIGIE_COUNT=store make instructions`.\n\n[counted]\nby = \"{valgrind}\"\ncompiler = \"{}\"\n\
         processor = \"{}\"\n\n[instructions]\n{lines}",
        compiler(),
        processor(),
    );
    fs::write(file, text).expect("written");
    println!("{}", file.display());
}

fn compare(stored: &str, valgrind: &str, counts: &BTreeMap<&'static str, u64>) -> ExitCode {
    let stored: toml::Table = stored.parse().expect("TOML");
    let mut within = true;
    println!("instructions of our own code for a frame of 12 MP ({valgrind})");
    for (work, &count) in counts {
        let before = stored["instructions"][work].as_integer().expect("a count") as f64;
        let change = count as f64 / before - 1.0;
        let said = match change.abs() <= WITHIN {
            true => "",
            false if change > 0.0 => "  SLOWER",
            false => "  faster: store it (VIGIE_COUNT=store make instructions)",
        };
        within &= change.abs() <= WITHIN;
        println!("  {work:<12}{count:>14}{:>+9.2} %{said}", change * 100.0);
    }
    if within {
        return ExitCode::SUCCESS;
    }
    let counted = &stored["counted"];
    println!(
        "stored counts are by {}, {}, {}",
        counted["by"], counted["compiler"], counted["processor"]
    );
    println!("here: {valgrind}, {}, {}", compiler(), processor());
    let same = |key: &str, here: String| counted[key].as_str().is_some_and(|there| there == here);
    let alike = same("compiler", compiler()) && same("processor", processor());
    if alike {
        return ExitCode::FAILURE;
    }
    println!("another compiler or processor: nothing follows from the difference");
    ExitCode::SUCCESS
}

fn compiler() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    told(Command::new(rustc).arg("--version")).unwrap_or_default()
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    let avx2 = if info.contains(" avx2") {
        "with AVX2"
    } else {
        "without AVX2"
    };
    format!(
        "{}, {avx2}",
        model.map_or("", |model| model.trim_start_matches([' ', '\t', ':']))
    )
}

fn told(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
