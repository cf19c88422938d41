//! The committed frames are redacted and verified as `docs/formats.md` §8 says, and a second
//! implementation, in another language, finds the same coefficient hash.
#![cfg(all(feature = "trap", feature = "verify"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::{Rgb, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use serde_json::Value;
use vigie::frame::{BoxTime, Digest};
use vigie::jpeg::splice::splice;
use vigie::jpeg::{Head, Index, Layout, Scan};
use vigie::redact::{
    Context, Evidence, Fill, Occupants, Original, Person, Plan, Policy, Redacted, Rules, Seen, redact,
};
use vigie::verify;
use vigie::vision::Detection;

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata/vectors")
        .join(name)
}

/// How the two frames differ.
const FRAMES: [(u32, SamplingFactor, u16, Fill); 2] = [
    (1, SamplingFactor::F_2_1, 0, Fill::Flat),
    (2, SamplingFactor::F_2_2, 5, Fill::Mosaic),
];

fn made(sampling: SamplingFactor, restarts: u16) -> Vec<u8> {
    let picture = RgbImage::from_fn(150, 110, |x, y| {
        let grain = (x * 7919 + y * 104_729) % 19;
        Rgb([(x + grain) as u8, (2 * y + grain) as u8, (x / 3 + y) as u8])
    });
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, 85);
    encoder.set_sampling_factor(sampling);
    encoder.set_restart_interval(restarts);
    encoder
        .encode(&picture, 150, 110, ColorType::Rgb)
        .expect("encoded");
    jpeg
}

fn redacted(original: &[u8], fill: Fill) -> Redacted {
    let original = Original::read(original).expect("sound");
    let person = Person {
        seen: Detection {
            rect: [52.0, 30.0, 20.0, 60.0].into(),
            score: 0.5,
        },
        silhouette: None,
    };
    let rules = Rules {
        policy: Policy::Persons,
        occupants: Occupants::Leave,
        privacy: &[],
        waste: None,
    };
    let context = Context {
        camera: "vector".parse().expect("plain"),
        now: BoxTime("2026-11-22T10:00:00Z".parse().expect("an instant")),
        correction: 0,
        networks: Vec::new(),
        zone: Digest::of(b""),
    };
    let seen = Seen {
        persons: vec![person],
        ..Seen::default()
    };
    let plan = Plan::new(original.canvas(), &rules, &Evidence::Seen(seen));
    redact(&original, &plan, fill, &context).expect("redacted")
}

/// A redacted frame with its first block filled too.
fn with_one_more(jpeg: &[u8]) -> Vec<u8> {
    let layout = Layout::parse(jpeg).expect("sound");
    let scan = Scan::of(jpeg, &layout).expect("sound").expect("one scan");
    let index = Index::build(jpeg, scan).expect("sound");
    let mut fills = vec![None; index.mcus()];
    fills[0] = Some(0);
    splice(&Head::of(jpeg, &layout), &index, &fills, &[])
        .expect("spliced")
        .jpeg
}

/// What a manifest says, whichever version of the program wrote it.
fn but_program(json: &[u8]) -> Value {
    let mut manifest: Value = serde_json::from_slice(json).expect("JSON");
    manifest["program"] = Value::Null;
    manifest
}

/// To write them anew after a decided change of format: `VIGIE_WRITE_VECTORS=1 cargo test vectors`.
#[test]
fn the_committed_frames_are_redacted_as_ever() {
    for (number, sampling, restarts, fill) in FRAMES {
        let [original, frame, manifest] =
            ["-original.jpg", ".jpg", ".json"].map(|end| vector(&format!("frame-{number}{end}")));
        if std::env::var_os("VIGIE_WRITE_VECTORS").is_some() {
            let jpeg = made(sampling, restarts);
            let result = redacted(&jpeg, fill);
            fs::write(&original, jpeg).expect("written");
            fs::write(&frame, result.jpeg()).expect("written");
            fs::write(&manifest, result.manifest().to_json().expect("plain")).expect("written");
            if number == 1 {
                fs::write(vector("fault-frame-1.jpg"), with_one_more(result.jpeg())).expect("written");
            }
        }
        let result = redacted(&fs::read(original).expect("committed"), fill);
        assert_eq!(
            result.jpeg(),
            fs::read(frame).expect("committed"),
            "frame {number}"
        );
        assert_eq!(
            but_program(&result.manifest().to_json().expect("plain")),
            but_program(&fs::read(manifest).expect("committed")),
            "frame {number}"
        );
    }
}

#[test]
fn the_committed_frames_bear_out_their_manifests_and_the_faulty_one_does_not() {
    for (number, ..) in FRAMES {
        let [frame, manifest] = [".jpg", ".json"].map(|end| vector(&format!("frame-{number}{end}")));
        let report = verify::frame(&frame, &manifest).expect("committed");
        assert!(report.ok, "{:?}", report.faults);
    }
    let report = verify::frame(&vector("fault-frame-1.jpg"), &vector("frame-1.json")).expect("committed");
    let faults: Vec<_> = report.faults.iter().map(|f| f.what.as_str()).collect();
    assert!(faults.iter().any(|f| f.contains("its SHA-256 is")), "{faults:?}");
    assert!(faults.iter().any(|f| f.contains("have the hash")), "{faults:?}");
}

#[test]
fn a_second_implementation_finds_the_same_hash() {
    let python = |frame: &str, manifest: &str| {
        Command::new("python3")
            .arg(vector("coefficient_hash.py"))
            .args([vector(frame), vector(manifest)])
            .output()
    };
    for (number, ..) in FRAMES {
        let manifest = format!("frame-{number}.json");
        for frame in [
            format!("frame-{number}.jpg"),
            format!("frame-{number}-original.jpg"),
        ] {
            let Ok(output) = python(&frame, &manifest) else {
                return eprintln!("skipped: no python3 to run the second implementation with");
            };
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(0), "{frame}: {said}");
        }
    }
    if let Ok(output) = python("fault-frame-1.jpg", "frame-1.json") {
        assert_eq!(output.status.code(), Some(4));
    }
}
