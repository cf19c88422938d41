//! A redacted frame and its manifest: whoever has both can check that one bears out the other, with
//! neither the original nor a key, and whatever was changed in either is named.
#![cfg(all(feature = "trap", feature = "verify"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{Rgb, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use serde_json::{Value, json};
use vigie::frame::{BoxTime, Digest};
use vigie::jpeg::splice::splice;
use vigie::jpeg::{Head, Index, Layout, Scan};
use vigie::redact::{
    Context, Evidence, Fill, Occupants, Original, Person, Plan, Policy, Redacted, Rules, Seen, redact,
};
use vigie::verify;
use vigie::vision::Detection;

fn redacted(progressive: bool, fill: Fill) -> Redacted {
    let picture = RgbImage::from_fn(320, 301, |x, y| {
        let grain = (x * 7919 + y * 104_729) % 23;
        Rgb([
            (x / 2 + grain) as u8,
            (y / 2 + grain) as u8,
            (x / 7 + y / 5) as u8,
        ])
    });
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, 92);
    encoder.set_sampling_factor(SamplingFactor::F_2_1);
    encoder.set_progressive(progressive);
    encoder
        .encode(&picture, 320, 301, ColorType::Rgb)
        .expect("encoded");
    let original = Original::read(&jpeg).expect("sound");
    let person = Person {
        seen: Detection {
            rect: [60.0, 50.0, 80.0, 200.0].into(),
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
    let seen = Seen {
        persons: vec![person],
        ..Seen::default()
    };
    let context = Context {
        camera: "quai-3".parse().expect("plain"),
        now: BoxTime("2026-11-21T10:00:00Z".parse().expect("an instant")),
        correction: 0,
        networks: Vec::new(),
        zone: Digest::of(b"zone"),
    };
    let plan = Plan::new(original.canvas(), &rules, &Evidence::Seen(seen));
    redact(&original, &plan, fill, &context).expect("redacted")
}

/// A frame and a manifest, on the disk.
struct Pair {
    _folder: tempfile::TempDir,
    frame: PathBuf,
    manifest: PathBuf,
}

impl Pair {
    fn of(jpeg: &[u8], manifest: &Value) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let [frame, path] = ["f.jpg", "f.json"].map(|name| folder.path().join(name));
        fs::write(&frame, jpeg).expect("written");
        fs::write(&path, manifest.to_string()).expect("written");
        Self {
            _folder: folder,
            frame,
            manifest: path,
        }
    }

    fn faults(&self) -> Vec<String> {
        let report = verify::frame(&self.frame, &self.manifest).expect("there");
        assert_eq!(report.ok, report.faults.is_empty());
        report.faults.into_iter().map(|fault| fault.what).collect()
    }
}

fn manifest(redacted: &Redacted) -> Value {
    serde_json::to_value(redacted.manifest()).expect("plain")
}

/// A manifest that names this file, whatever else it says.
fn of_file(mut manifest: Value, jpeg: &[u8]) -> Value {
    manifest["redacted"] = json!({ "sha256": Digest::of(jpeg), "bytes": jpeg.len() });
    manifest
}

#[test]
fn what_was_redacted_bears_out_its_manifest() {
    for (progressive, fill) in [
        (false, Fill::Flat),
        (false, Fill::Mosaic),
        (true, Fill::Flat),
        (true, Fill::Mosaic),
    ] {
        let redacted = redacted(progressive, fill);
        let faults = Pair::of(redacted.jpeg(), &manifest(&redacted)).faults();
        assert!(faults.is_empty(), "{progressive} {fill:?}: {faults:?}");
    }
}

#[test]
fn every_claim_of_a_manifest_is_checked() {
    let redacted = redacted(false, Fill::Flat);
    let jpeg = redacted.jpeg();
    let sound = manifest(&redacted);
    let runs = sound["mask"]["runs"].as_array().expect("runs").clone();
    let finds = |manifest: &Value, expected: &str| {
        let faults = Pair::of(jpeg, manifest).faults();
        assert!(
            faults.iter().any(|f| f.contains(expected)),
            "{expected:?} is not in {faults:?}"
        );
    };
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut manifest = sound.clone();
        change(&mut manifest);
        manifest
    };
    finds(
        &changed(&|m| m["manifest"] = json!(2)),
        "form 2; this program reads 1",
    );
    finds(&changed(&|m| m["redacted"]["bytes"] = json!(7)), "bytes, not 7");
    finds(
        &changed(&|m| m["redacted"]["sha256"] = json!(Digest::of(b""))),
        "its SHA-256 is",
    );
    finds(
        &changed(&|m| m["size"]["width"] = json!(321)),
        "320 x 301 pixels, not 321 x 301",
    );
    finds(
        &changed(&|m| m["orientation"] = json!(6)),
        "its orientation is 1, not 6",
    );
    finds(
        &changed(&|m| m["coefficients"] = json!(Digest::of(b""))),
        "have the hash",
    );
    finds(
        &changed(&|m| m["coefficients"] = Value::Null),
        "no hash over its coefficients",
    );
    finds(
        &changed(&|m| m["redaction"] = json!("re-encoded")),
        "encoded again, and yet a hash",
    );
    finds(
        &changed(&|m| m["mask"]["unit"] = json!([8, 8])),
        "not drawn in its MCUs",
    );
    finds(
        &changed(&|m| m["mask"]["unit"] = json!([7, 8])),
        "none of a picture of this size",
    );
    finds(
        &changed(&|m| m["mask"]["runs"] = json!([[99, 0, 1]])),
        "none of a picture of this size",
    );
    finds(
        &changed(&|m| m["mask"]["runs"] = json!([[0, 0, 2], [0, 1, 1]])),
        "none of a picture of this size",
    );
    // 20 columns and 38 rows of units of 16 x 8.
    for beyond in [[38, 0, 1], [0, 20, 1], [0, 19, 2], [0, 0, 0], [0, 0, u32::MAX]] {
        finds(
            &changed(&|m| m["mask"]["runs"] = json!([beyond])),
            "none of a picture of this size",
        );
    }
    for (last, expected) in [
        ([0, 19, 1], "in column 19, row 0 is not filled"),
        ([37, 19, 1], "in column 19, row 37 is not filled"),
    ] {
        finds(&changed(&|m| m["mask"]["runs"] = json!([last])), expected);
    }
    // A smaller mask leaves other coefficients to be hashed, a larger one names what is not filled.
    finds(
        &changed(&|m| m["mask"]["runs"] = json!(runs[1..])),
        "have the hash",
    );
    let larger: Vec<_> = [json!([0, 3, 2])].iter().chain(&runs).cloned().collect();
    finds(
        &changed(&|m| m["mask"]["runs"] = json!(larger)),
        "in column 3, row 0 is not filled",
    );
}

#[test]
fn a_frame_made_to_show_what_was_masked_or_something_else_is_found() {
    let redacted = redacted(false, Fill::Flat);
    let (jpeg, sound) = (redacted.jpeg(), manifest(&redacted));
    // A byte of the file.
    let mut other = jpeg.to_vec();
    let middle = other.len() / 2;
    other[middle] ^= 4;
    assert!(!Pair::of(&other, &sound).faults().is_empty());
    assert!(
        !Pair::of(&other, &of_file(sound.clone(), &other))
            .faults()
            .is_empty()
    );
    // One block more made grey, and the manifest's digest made to fit.
    let layout = Layout::parse(jpeg).expect("sound");
    let scan = Scan::of(jpeg, &layout).expect("sound").expect("one scan");
    let index = Index::build(jpeg, scan).expect("sound");
    let mut fills = vec![None; index.mcus()];
    fills[1] = Some(0);
    let forged = splice(&Head::of(jpeg, &layout), &index, &fills, &[])
        .expect("spliced")
        .jpeg;
    let faults = Pair::of(&forged, &of_file(sound.clone(), &forged)).faults();
    assert!(faults.iter().any(|f| f.contains("have the hash")), "{faults:?}");
    // A thumbnail behind the end.
    let longer = [jpeg, jpeg].concat();
    let faults = Pair::of(&longer, &of_file(sound, &longer)).faults();
    assert!(
        faults.iter().any(|f| f.contains("holds more than the picture")),
        "{faults:?}"
    );
}

#[test]
fn a_fill_that_the_manifest_does_not_tell_of_is_found() {
    let finds = |jpeg: &[u8], manifest: &Value| {
        let faults = Pair::of(jpeg, manifest).faults();
        assert!(faults.iter().any(|f| f.contains("is not filled")), "{faults:?}");
    };
    for progressive in [false, true] {
        let redacted = redacted(progressive, Fill::Mosaic);
        let mut flat = manifest(&redacted);
        flat["fill"] = json!("flat");
        finds(redacted.jpeg(), &flat);
    }
    // A grey that is none of a mosaic's five, and the manifest's digest made to fit.
    let redacted = redacted(false, Fill::Mosaic);
    let jpeg = redacted.jpeg();
    let layout = Layout::parse(jpeg).expect("sound");
    let scan = Scan::of(jpeg, &layout).expect("sound").expect("one scan");
    let index = Index::build(jpeg, scan).expect("sound");
    let [row, column, _] = redacted.manifest().mask.runs[0];
    let mcu = (row * index.scan().grid.columns + column) as usize;
    let mut fills = vec![None; index.mcus()];
    fills[mcu] = Some(index.dcs(mcu)[0] + 1);
    let forged = splice(&Head::of(jpeg, &layout), &index, &fills, &[])
        .expect("spliced")
        .jpeg;
    finds(&forged, &of_file(manifest(&redacted), &forged));
}

#[test]
fn a_frame_in_memory_is_held_against_its_manifest_as_one_on_disk_is() {
    let redacted = redacted(false, Fill::Flat);
    let json = manifest(&redacted).to_string();
    assert_eq!(verify::mismatches(redacted.jpeg(), json.as_bytes()), []);
    assert!(!verify::mismatches(&redacted.jpeg()[..99], json.as_bytes()).is_empty());
}

#[test]
fn a_manifest_larger_than_any_is_not_read() {
    let redacted = redacted(false, Fill::Flat);
    let pair = Pair::of(redacted.jpeg(), &Value::Null);
    let file = fs::File::create(&pair.manifest).expect("made");
    file.set_len(1 << 24).expect("its length");
    assert_eq!(pair.faults().len(), 1);
    file.set_len((1 << 24) + 1).expect("its length");
    let error = verify::frame(&pair.frame, &pair.manifest).expect_err("too large");
    assert!(error.to_string().contains("more than 16777216 bytes"), "{error}");
}

#[test]
fn no_manifest_however_damaged_stops_the_check() {
    let redacted = redacted(false, Fill::Flat);
    for text in ["", "{", "[]", "{\"manifest\":1}", "null"] {
        let pair = Pair::of(redacted.jpeg(), &Value::Null);
        fs::write(&pair.manifest, text).expect("written");
        let report = verify::frame(&pair.frame, &pair.manifest).expect("there");
        assert_eq!(report.faults[0].place, pair.manifest.display().to_string());
        let faults = pair.faults();
        assert!(
            faults.iter().any(|f| f.contains("no manifest of a frame")),
            "{faults:?}"
        );
    }
}

fn vigie(arguments: &[&Path], lang: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vigie"))
        .arg("verify")
        .args(arguments)
        .env("LC_ALL", lang)
        .output()
        .expect("run")
}

#[test]
fn the_command_says_intact_or_names_the_fault_and_exits_with_four() {
    let redacted = redacted(false, Fill::Flat);
    let sound = manifest(&redacted);
    let pair = Pair::of(redacted.jpeg(), &sound);
    let arguments = [&pair.frame, Path::new("--manifest"), &pair.manifest];
    let output = vigie(&arguments, "C");
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).ends_with(": intact\n"));

    let mut wrong = sound;
    wrong["coefficients"] = json!(Digest::of(b""));
    let pair = Pair::of(redacted.jpeg(), &wrong);
    let arguments = [&pair.frame, Path::new("--manifest"), &pair.manifest];
    let output = vigie(&arguments, "fr_FR.UTF-8");
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stdout).ends_with(": NON intact\n"));
    let json = [
        &pair.frame,
        Path::new("--manifest"),
        &pair.manifest,
        Path::new("--json"),
    ];
    let output = vigie(&json, "C");
    let report: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(
        (&report["ok"], &report["faults"][0]["where"]),
        (&json!(false), &json!("f.jpg"))
    );
}
