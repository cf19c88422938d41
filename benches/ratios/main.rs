//! `make bench`: how the hot path stands against the usual ways and against its own floor.
//!
//! One process, one thread, networks on one thread; ways of doing the same are timed in turns ([`rounds`]) and medians
//! compared. Prints a table and writes `target/bench.json`. `VIGIE_BENCH=quick` takes fewer rounds and smaller cards.
//! Frames are made by rule ([`frames`]) into `target/bench-frames`.

mod cards;
#[path = "../../tests/common/mod.rs"]
mod common;
mod conventional;
mod frames;
mod jpegtran;
mod networks;
mod report;
mod rounds;
mod sealing;
mod turbo;

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use vigie::frame::{BoxTime, Digest, FrameSize, Orientation};
use vigie::jpeg::{Layout, Picture};
use vigie::redact::plan::{Evidence, Occupants, Person, Plan, Policy, Rules, Seen};
use vigie::redact::{Context, Fill, Original, Redacted, Redaction, redact};
use vigie::trap::look;
use vigie::trap::witness::inspect;
use vigie::triage::{Choice, FirstLook, first_look};
use vigie::vision::geometry::Rect;
use vigie::vision::{Detection, Detector as _, Networks, View};

use frames::{Frame, MAIN};
use networks::Both;
use report::{Report, Target};
use rounds::Rounds;
use turbo::Turbo;

/// Two persons in the main frame, as a plan takes them: left, top, width, height.
const PERSONS: [[u32; 4]; 2] = [[2600, 2300, 320, 760], [3300, 2400, 300, 700]];

struct Bench {
    repository: &'static Path,
    target: PathBuf,
    quick: bool,
    rounds: usize,
    report: Report,
}

fn main() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    if std::env::args().any(|argument| argument == cards::LOAD) {
        return cards::load_networks(repository);
    }
    // `cargo test --benches` builds and calls benches too; it asks for nothing to be measured.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let quick = std::env::var_os("VIGIE_BENCH").is_some_and(|how| how == "quick");
    let mut bench = Bench {
        repository,
        target: repository.join("target"),
        quick,
        rounds: if quick { 3 } else { 9 },
        report: Report::default(),
    };
    bench.begin();
    bench.walking();
    match networks::open(repository, &bench.target) {
        Ok(both) => {
            let both = RefCell::new(both);
            bench.discarding(&both);
            bench.keeping(&both);
            bench.memory();
            bench.small_memory();
        }
        Err(missing) => println!("nothing with networks is measured: {missing}"),
    }
    bench.redacting();
    bench.sealing();
    bench.cards();
    let path = bench.target.join("bench.json");
    bench.report.write(&path);
}

impl Bench {
    fn begin(&mut self) {
        let machine = report::machine();
        println!("{machine}; load {:?}", report::load());
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        self.report.note("date", json!(now));
        self.report.note("machine", json!(machine));
        self.report.note("load_at_start", json!(report::load()));
        self.report.note("commit", json!(report::commit(self.repository)));
        self.report.note("rounds", json!(self.rounds));
    }

    fn frames(&self) -> PathBuf {
        self.target.join("bench-frames")
    }

    fn read(&self, frame: &Frame, busy: bool) -> (PathBuf, Vec<u8>) {
        let file = frame
            .file(&self.frames(), busy)
            .expect("the frames can be written");
        let bytes = fs::read(&file).expect("just written");
        (file, bytes)
    }

    /// (a) The walk and the 1/8 picture.
    fn walking(&mut self) {
        let turbo = Turbo::start(self.repository);
        match &turbo {
            Some(turbo) => {
                println!("\nlibjpeg-turbo: the fastest of {}", turbo.ways.join(", "));
                self.report.note("turbo", json!(turbo.ways));
            }
            None => println!("\nno libjpeg-turbo to compare with: make venv"),
        }
        let turbo = RefCell::new(turbo);
        println!(
            "walk and 1/8 picture, ms; times as fast as libjpeg-turbo's 1/8 decode, as `image` decoding and reducing"
        );
        println!(
            "  {:<14}{:>6}{:>9}{:>9}{:>9}{:>8}{:>8}",
            "frame", "MB", "vigie", "turbo", "image", "turbo", "image"
        );
        let mut rows = Vec::new();
        for frame in frames::ALL {
            let (file, bytes) = self.read(&frame, false);
            let mut memory = Vec::new();
            // One question to the other process is answered with a time for each of its ways.
            let told = RefCell::new(Vec::new());
            let mut rounds = Rounds::default()
                .way("vigie", || eighth(&bytes, &mut memory))
                .way("image", || conventional::eighth(&bytes));
            let ways = turbo.borrow().as_ref().map_or(0, |turbo| turbo.ways.len());
            if ways > 0 {
                rounds = rounds
                    .told("turbo", || {
                        *told.borrow_mut() = turbo.borrow_mut().as_mut().expect("started").decode(&file);
                        told.borrow()[0]
                    })
                    .told("turbo, the last way", || {
                        told.borrow().last().copied().unwrap_or_default()
                    });
            }
            let medians = rounds.run(self.rounds);
            let ms = |way| medians.of(way).as_secs_f64() * 1e3;
            let (vigie, image) = (ms("vigie"), ms("image"));
            let turbo = (ways > 0).then(|| ms("turbo").min(ms("turbo, the last way")));
            let against =
                |other: Option<f64>| other.map_or("-".to_owned(), |ms| format!("{:.2}", ms / vigie));
            println!(
                "  {:<14}{:>6.2}{vigie:>9.2}{:>9}{image:>9.2}{:>8}{:>8}",
                frame.name,
                bytes.len() as f64 / 1e6,
                turbo.map_or("-".to_owned(), |ms| format!("{ms:.2}")),
                against(turbo),
                against(Some(image)),
            );
            rows.push(
                json!({"frame": frame.name, "bytes": bytes.len(), "megapixels": frame.megapixels(),
                "walk_ms": vigie, "turbo_ms": turbo, "image_ms": image}),
            );
            if frame.name == MAIN.name {
                self.main_walk(vigie, turbo, image);
            }
        }
        self.report.note("walks", json!(rows));
    }

    fn main_walk(&mut self, vigie: f64, turbo: Option<f64>, image: f64) {
        match turbo {
            Some(turbo) => self
                .report
                .figure("walk_vs_turbo_eighth", turbo / vigie, Target::AtLeast(2.8)),
            None => self.report.missing("walk_vs_turbo_eighth", "make venv"),
        }
        self.report.figure("walk_vs_image", image / vigie, Target::Any);
    }

    /// (b) A frame that shows nothing: from its file to its verdict.
    fn discarding(&mut self, both: &RefCell<Both>) {
        let (file, bytes) = self.read(&MAIN, false);
        let mut memory = Vec::new();
        let small = eighth(&bytes, &mut memory);
        let medians = Rounds::default()
            .way("vigie", || verdict(&file, &mut both.borrow_mut().packaged))
            .way("vigie, SSD alone", || {
                verdict(&file, &mut both.borrow_mut().ssd_alone)
            })
            .way("image", || usual_verdict(&file, &mut both.borrow_mut().packaged))
            .way("image, SSD alone", || {
                usual_verdict(&file, &mut both.borrow_mut().ssd_alone)
            })
            .way("walk and 1/8 picture alone", || eighth(&bytes, &mut memory))
            .way("networks alone", || {
                scout(&small, &mut both.borrow_mut().packaged)
            })
            .way("SSD alone", || scout(&small, &mut both.borrow_mut().ssd_alone))
            .run(self.rounds);
        println!("\na discarded frame ({}), file to verdict", MAIN.name);
        medians.print();
        let ms = |way| medians.of(way).as_secs_f64() * 1e3;
        let floor = ms("walk and 1/8 picture alone") + ms("networks alone");
        let report = &mut self.report;
        let least = Target::AtLeast;
        report.figure(
            "discarded_vs_conventional",
            medians.ratio("image", "vigie"),
            least(3.0),
        );
        let alone = medians.ratio("image, SSD alone", "vigie, SSD alone");
        report.figure("discarded_vs_conventional_ssd", alone, least(4.0));
        report.figure("discarded_vs_floor", ms("vigie") / floor, Target::AtMost(1.2));
        report.note("discarded_ms", json!(ms("vigie")));
        report.note("conventional_ms", json!(ms("image")));
    }

    /// (c) Redaction.
    fn redacting(&mut self) {
        let (file, bytes) = self.read(&MAIN, false);
        let original = Original::read(&bytes).expect("a whole frame");
        let plan = plan(&original, seen());
        let wiped = self.target.join("bench-wiped.jpg");
        let mut rounds = Rounds::default()
            .way("vigie, index at hand", || redacted(&original, &plan))
            .way("vigie, from the file", || {
                let bytes = fs::read(&file).expect("there");
                redacted(&Original::read(&bytes).expect("whole"), &plan)
            })
            .way("image: decode, fill, encode", || {
                conventional::redacted(&fs::read(&file).expect("there"), &PERSONS)
            });
        match jpegtran::version() {
            Some(version) => {
                rounds = rounds.way("jpegtran -wipe, one rectangle", || {
                    jpegtran::wipe(&file, PERSONS[0], &wiped)
                });
                self.report.note("jpegtran", json!(version));
            }
            None => println!("\nno jpegtran to compare with (Debian: libjpeg-turbo-progs)"),
        }
        let medians = rounds.run(self.rounds);
        println!("\nredaction of two persons ({})", MAIN.name);
        medians.print();
        let image = "image: decode, fill, encode";
        let report = &mut self.report;
        let indexed = medians.ratio(image, "vigie, index at hand");
        report.figure("redact_indexed_vs_image", indexed, Target::AtLeast(40.0));
        let from_file = medians.ratio(image, "vigie, from the file");
        report.figure("redact_file_vs_image", from_file, Target::AtLeast(12.0));
        if jpegtran::version().is_some() {
            let wiped = medians.ratio("jpegtran -wipe, one rectangle", "vigie, from the file");
            report.figure("redact_file_vs_jpegtran", wiped, Target::Any);
        }
    }

    /// What sealing costs beside the cipher that it uses.
    fn sealing(&mut self) {
        let (_, bytes) = self.read(&MAIN, false);
        let original = Original::read(&bytes).expect("a whole frame");
        let frame = redacted(&original, &plan(&original, seen()));
        let mut sealer = sealing::sealer();
        let mut bytes = frame.jpeg().to_vec();
        let medians = Rounds::default()
            .way("seal a frame and its manifest", || {
                sealer.seal_frame(&frame).expect("sealed")
            })
            .way("XChaCha20-Poly1305 alone", || sealing::encrypt(&mut bytes))
            .run(self.rounds * 3);
        println!("\nsealing a frame of {:.1} MB", frame.jpeg().len() as f64 / 1e6);
        medians.print();
        let ratio = medians.ratio("XChaCha20-Poly1305 alone", "seal a frame and its manifest");
        self.report.figure("seal_vs_cipher", ratio, Target::AtLeast(0.7));
    }

    /// (d) A frame that is kept: seen, inspected, redacted and checked.
    fn keeping(&mut self, both: &RefCell<Both>) {
        let (file, _) = self.read(&MAIN, true);
        let medians = Rounds::default()
            .way("vigie", || keep(&file, &mut both.borrow_mut().packaged))
            .way("image", || usual_keep(&file, &mut both.borrow_mut().packaged))
            .run(self.rounds.min(5));
        println!(
            "\na kept frame ({}, a van, two walkers), file to redacted bytes",
            MAIN.name
        );
        medians.print();
        let ratio = medians.ratio("image", "vigie");
        self.report.figure("kept_vs_conventional", ratio, Target::Any);
    }

    /// (e) Memory.
    fn memory(&mut self) {
        let count = if self.quick { 10 } else { 20 };
        println!("\nmemory of `vigie scan` over {count} frames of 24 MP, MB (10^6 bytes)");
        match cards::peaks(self.repository, &self.frames(), (frames::LARGEST, true), count) {
            Ok(peaks) => {
                println!(
                    "  {} kept, {} discarded; networks alone {:.1}",
                    peaks.kept, peaks.discarded, peaks.networks
                );
                let beside = peaks.scan - peaks.networks;
                self.report
                    .figure("peak_rss_mb_24mp", peaks.scan, Target::AtMost(260.0));
                self.report
                    .figure("peak_rss_beside_models_mb", beside, Target::AtMost(40.0));
            }
            Err(why) => {
                self.report.missing("peak_rss_mb_24mp", &why);
                self.report.missing("peak_rss_beside_models_mb", &why);
            }
        }
    }

    /// What a small board must hold, at 12 MP: the scout alone, and every network.
    fn small_memory(&mut self) {
        println!("\nmemory of `vigie scan` over 20 frames of 12 MP, MB (10^6 bytes)");
        for (figure, busy, at_most) in [
            ("peak_rss_mb_12mp_discarded", false, 110.0),
            ("peak_rss_mb_12mp", true, 240.0),
        ] {
            match cards::peaks(self.repository, &self.frames(), (frames::SMALL_BOARD, busy), 20) {
                Ok(peaks) => {
                    println!("  {} kept, {} discarded", peaks.kept, peaks.discarded);
                    self.report.figure(figure, peaks.scan, Target::AtMost(at_most));
                }
                Err(why) => self.report.missing(figure, &why),
            }
        }
    }

    /// (f) Small and large cards.
    fn cards(&mut self) {
        let (sizes, within): (&[_], _) = match self.quick {
            true => (&[(100, 3), (1_000, 1)], 60),
            false => (&[(100, 5), (1_000, 2), (10_000, 1)], 420),
        };
        println!("\ncost per frame by size of the card (small frames, painted networks)");
        let costs = cards::costs(sizes, Duration::from_secs(within));
        let median = |costs: &[f64]| costs.get(costs.len() / 2).copied();
        let of = |size| {
            let found = costs.iter().find(|(s, _)| *s == size);
            found.and_then(|(_, costs)| median(costs))
        };
        for (size, costs) in &costs {
            match median(costs) {
                Some(cost) => println!(
                    "  {size:>6} frames{:>10.3} ms a frame, {} cards",
                    cost * 1e3,
                    costs.len()
                ),
                None => println!("  {size:>6} frames: not begun, it would take too long"),
            }
        }
        match (of(100), of(10_000)) {
            (Some(small), Some(large)) => {
                self.report
                    .figure("cost_10k_over_100", large / small, Target::AtMost(1.05));
            }
            _ => self
                .report
                .missing("cost_10k_over_100", "no card of 10,000 frames in the time given"),
        }
        self.report.note("card_ms_per_frame", json!(costs));
    }
}

/// The walk and the small picture, in the memory of a file that was just read, as the frame loop does it.
fn eighth(bytes: &[u8], memory: &mut Vec<u8>) -> image::RgbImage {
    memory.clear();
    memory.extend_from_slice(bytes);
    let layout = Layout::parse(bytes).expect("whole");
    let upright = Orientation::default();
    let picture = Picture::read_in_place(memory, &layout, upright).expect("one sequential scan");
    let small = picture.reduced().expect("sound");
    picture.recycle(memory);
    small
}

fn main_size() -> FrameSize {
    FrameSize {
        width: MAIN.width.into(),
        height: MAIN.height.into(),
    }
}

fn scout(small: &image::RgbImage, networks: &mut Networks) -> vigie::vision::Objects {
    let view = View {
        picture: small,
        frame: main_size(),
    };
    networks.scout(view).expect("it runs")
}

/// As the frame loop does it: digest, first look, verdict.
fn verdict(file: &Path, networks: &mut Networks) -> (Digest, FirstLook) {
    let mut bytes = fs::read(file).expect("there");
    let digest = Digest::of(&bytes);
    let sighting = look::scout(&look::prepare(&mut bytes).expect("whole"), networks).expect("it runs");
    (digest, first_look(&sighting, Choice::Irrelevant))
}

/// As it is done elsewhere: everything is decoded, and an eighth of it shown to the same networks.
fn usual_verdict(file: &Path, networks: &mut Networks) -> bool {
    let bytes = fs::read(file).expect("there");
    let seen = scout(&conventional::eighth(&bytes), networks);
    seen.vehicles.is_empty() && seen.persons.is_empty()
}

fn plan(original: &Original<'_>, seen: Seen) -> Plan {
    let rules = Rules {
        policy: Policy::Persons,
        occupants: Occupants::Mask,
        privacy: &[],
        waste: None,
    };
    Plan::new(original.canvas(), &rules, &Evidence::Seen(seen))
}

/// What makes a plan hide [`PERSONS`].
fn seen() -> Seen {
    let person = |rect: [u32; 4]| Person {
        seen: Detection {
            rect: rect.map(|side| side as f32).into(),
            score: 0.9,
        },
        silhouette: None,
    };
    Seen {
        persons: PERSONS.map(person).into(),
        ..Seen::default()
    }
}

fn redacted(original: &Original<'_>, plan: &Plan) -> Redacted {
    let context = Context {
        camera: "bench".parse().expect("plain"),
        now: BoxTime(jiff::Timestamp::UNIX_EPOCH),
        correction: 0,
        networks: Vec::new(),
        zone: Digest::of(b""),
    };
    let redacted = redact(original, plan, Fill::Flat, &context).expect("stands its check");
    assert_eq!(redacted.manifest().redaction, Redaction::Splice);
    redacted
}

fn keep(file: &Path, networks: &mut Networks) -> Redacted {
    let mut bytes = fs::read(file).expect("there");
    let sighting = look::scout(&look::prepare(&mut bytes).expect("whole"), networks).expect("it runs");
    // A witness is read anew.
    let bytes = fs::read(file).expect("there");
    let mut original = Original::read(&bytes).expect("whole");
    let seen = inspect(original.picture_mut(), sighting.objects.persons, networks).expect("they run");
    original.picture_mut().forget_whole();
    redacted(&original, &plan(&original, seen))
}

fn usual_keep(file: &Path, networks: &mut Networks) -> Vec<u8> {
    let bytes = fs::read(file).expect("there");
    let pixels = conventional::decoded(&bytes).into_rgb8();
    scout(&conventional::reduced(&pixels), networks);
    let mut picture = Picture::of_pixels(pixels, Orientation::default());
    let seen = inspect(&mut picture, Vec::new(), networks).expect("they run");
    let place = |rect: Rect| [rect.x, rect.y, rect.w, rect.h].map(|side| side.max(0.0) as u32);
    let areas: Vec<_> = seen.persons.iter().map(|p| place(p.seen.rect)).collect();
    conventional::filled(picture.stored().expect("pixels").into_owned(), &areas)
}
