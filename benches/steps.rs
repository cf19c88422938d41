//! `make bench`: what each step of a frame costs on this machine, as medians, one thread.
//!
//! Times of shared machines say little by themselves: compare steps of one run with each other.

use std::path::Path;
use std::time::Instant;

use vigie::frame::{BoxTime, Digest};
use vigie::jpeg::{Layout, Picture};
use vigie::redact::plan::{Evidence, Occupants, Plan, Policy, Rules};
use vigie::redact::{Context, Fill, Original, redact};
use vigie::trap::witness::inspect;
use vigie::vision::{Detector as _, Networks, View};

const FRAMES: [(&str, &str); 2] = [
    ("2 MP 4:2:2", "testdata/card/DCIM/100MEDIA/IMG_0008.JPG"),
    ("12 MP 4:2:2", "testdata/card/DCIM/101RECNX/RCNX0004.JPG"),
];
const RUNS: usize = 5;

fn main() {
    // `cargo test` builds and calls benches too; it asks for nothing to be measured.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let mut networks = match Networks::open(Path::new("models"), None, 1) {
        Ok(networks) => networks,
        Err(missing) => return println!("nothing measured: {missing}"),
    };
    for (name, path) in FRAMES {
        match std::fs::read(path) {
            Ok(bytes) => measure(name, &bytes, &mut networks),
            Err(error) => println!("{name}: not measured: {path}: {error}"),
        }
    }
}

fn measure(name: &str, bytes: &[u8], networks: &mut Networks) {
    println!("{name}, {} kB, median of {RUNS}:", bytes.len() / 1000);
    let layout = row("markers", || Layout::parse(bytes)).expect("a whole JPEG");
    let decode = || Picture::read(bytes, &layout, Default::default());
    let mut picture = row("index", decode).expect("a whole JPEG");
    let small = row("small picture", || picture.reduced()).expect("a whole JPEG");
    let frame = picture.frame();
    row("scout", || {
        networks.scout(View {
            picture: &small,
            frame,
        })
    })
    .expect("runs");
    let seen = row("guard, plates, silhouettes", || {
        picture.forget_whole();
        inspect(&mut picture, Vec::new(), networks)
    })
    .expect("runs");
    let original = Original::read(bytes).expect("a whole JPEG");
    let rules = Rules {
        policy: Policy::Persons,
        occupants: Occupants::Mask,
        privacy: &[],
        waste: None,
    };
    let plan = row("mask", || {
        Plan::new(original.canvas(), &rules, &Evidence::Seen(seen.clone()))
    });
    let context = Context {
        camera: "bench".parse().expect("plain"),
        now: BoxTime(jiff::Timestamp::UNIX_EPOCH),
        correction: 0,
        networks: Vec::new(),
        zone: Digest::of(b""),
    };
    row("fill, encode, check", || {
        redact(&original, &plan, Fill::Flat, &context)
    })
    .expect("stands its check");
}

/// Runs a step, prints its median, and hands on its last result.
fn row<T>(step: &str, mut run: impl FnMut() -> T) -> T {
    let mut result = run();
    let mut times: Vec<_> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            result = run();
            start.elapsed()
        })
        .collect();
    times.sort();
    println!("  {step:<28}{:>9.2} ms", times[RUNS / 2].as_secs_f64() * 1e3);
    result
}
