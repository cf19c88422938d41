//! What was sealed is opened byte for byte, by the right key only; and one flipped bit anywhere is found and named.
#![cfg(feature = "trap")]

mod common;

use std::fs;
use std::path::Path;

use common::{Rig, content, json_lines, stderr, told};
use serde_json::Value;
use vigie::frame::Digest;
use vigie::vision::Painted;

fn scanned() -> (Rig, String) {
    let rig = Rig::new();
    rig.put_busy_card();
    let (outcomes, _) = rig.scan(&mut Painted::new());
    let event = told(&outcomes, "DCIM/100MEDIA/IMG_0006.JPG")
        .event
        .expect("an event");
    (rig, event.to_string())
}

#[test]
fn an_opened_event_gives_each_frame_as_it_was_sealed() {
    let (rig, event) = scanned();
    for key in ["service-2026-Q4.key", "recovery-2026-Q4.key"] {
        let output = rig
            .vigie(&[
                "open",
                &event,
                "--key",
                key,
                "--out",
                key.trim_end_matches(".key"),
                "--json",
            ])
            .output()
            .expect("run");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let [object] = &json_lines(&output)[..] else {
            panic!("one object")
        };
        assert_eq!(common::keys(object), ["event", "files", "out"]);
        let out = rig.path(object["out"].as_str().expect("a folder"));
        let mut files: Vec<_> = object["files"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        files.sort_unstable();
        let there: Vec<_> = content(&out).into_iter().map(|(path, _)| path).collect();
        assert_eq!(there, files.iter().map(Path::new).collect::<Vec<_>>());
        let frames: Vec<_> = files.iter().filter(|name| name.ends_with(".jpg")).collect();
        assert_eq!(frames.len(), 4);
        for frame in frames {
            let jpeg = fs::read(out.join(frame)).expect("there");
            let manifest = fs::read(out.join(frame.replace(".jpg", ".json"))).expect("a manifest beside it");
            let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
            assert_eq!(manifest["redacted"]["sha256"], Digest::of(&jpeg).to_string());
            assert_eq!(manifest["redacted"]["bytes"], jpeg.len());
            image::load_from_memory(&jpeg).expect("a picture");
        }
        let record: Value =
            serde_json::from_slice(&fs::read(out.join("event.json")).expect("there")).expect("JSON");
        assert_eq!(record["event"], event);
        assert_eq!(record["frames"].as_array().map(Vec::len), Some(4));
    }
}

#[test]
fn the_wrong_key_opens_nothing_and_says_so() {
    let (rig, event) = scanned();
    let other = Rig::new();
    let other_key = other.path("service-2026-Q4.key");
    let own_box = rig.path("device.key");
    for (key, lang, expected) in [
        (&other_key, "C", ["what to do: ", "could not be sealed or opened"]),
        (
            &other_key,
            "fr_FR.UTF-8",
            ["que faire : ", "n'a pu être scellé ou ouvert"],
        ),
        (&own_box, "C", ["what to do: ", "a key file cannot be used"]),
    ] {
        let key = key.to_str().expect("UTF-8");
        let output = rig
            .vigie(&["open", &event, "--key", key, "--out", "opened"])
            .env("LANG", lang)
            .output()
            .expect("run");
        assert_eq!(output.status.code(), Some(1));
        let said = stderr(&output);
        assert!(expected.iter().all(|part| said.contains(part)), "{said}");
        assert!(output.stdout.is_empty());
        let opened = rig.path("opened");
        assert!(
            !opened.exists() || content(&opened).is_empty(),
            "nothing of it is written"
        );
    }
}

#[test]
fn an_event_that_is_not_there_and_a_name_that_is_none_are_wrong_use() {
    let (rig, _) = scanned();
    for event in ["0123456789abcdef", "not an event"] {
        let output = rig
            .vigie(&["open", event, "--key", "service-2026-Q4.key"])
            .output()
            .expect("run");
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains("vigie status"));
    }
}

#[test]
fn opening_never_writes_over_a_file() {
    let (rig, event) = scanned();
    fs::create_dir(rig.path("mine")).expect("a folder");
    fs::write(rig.path("mine/0001.jpg"), b"mine").expect("written");
    fs::write(rig.path("mine/0000.jpg"), b"mine").expect("written");
    let output = rig
        .vigie(&["open", &event, "--key", "service-2026-Q4.key", "--out", "mine"])
        .output()
        .expect("run");
    assert_eq!(output.status.code(), Some(1));
    for name in ["mine/0000.jpg", "mine/0001.jpg"] {
        assert_eq!(fs::read(rig.path(name)).expect("there"), b"mine");
    }
}

#[test]
fn one_flipped_bit_anywhere_in_the_store_is_found_and_its_file_named() {
    let (rig, _) = scanned();
    let device = rig.path("device.pub");
    let verify = |lang: &str| {
        let mut command = common::program();
        command
            .args(["verify", "--json", "--device"])
            .arg(&device)
            .arg(rig.store())
            .env("LANG", lang);
        command.output().expect("run")
    };
    let clean = verify("C");
    assert_eq!(clean.status.code(), Some(0), "{}", stderr(&clean));
    let [object] = &json_lines(&clean)[..] else {
        panic!("one object")
    };
    assert_eq!(
        (object["ok"].as_bool(), object["faults"].as_array().map(Vec::len)),
        (Some(true), Some(0))
    );

    let files: Vec<_> = content(&rig.store())
        .into_iter()
        .filter(|(_, bytes)| !bytes.is_empty())
        .collect();
    assert!(files.len() >= 10, "database, head and items: {}", files.len());
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for round in 0..60 {
        // Every other flip hits the database (ledger and journal), the rest any file.
        let of_database = |(path, _): &&(std::path::PathBuf, Vec<u8>)| path == Path::new("vault.db");
        let (name, bytes) = match round % 2 {
            0 => files.iter().find(of_database).expect("a database"),
            _ => &files[random(files.len())],
        };
        let (at, bit) = (random(bytes.len()), random(8));
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << bit;
        fs::write(rig.store().join(name), &flipped).expect("written");
        let output = verify("fr");
        let place = format!("{} byte {at} bit {bit}", name.display());
        assert_eq!(output.status.code(), Some(4), "{place}: {}", stderr(&output));
        let [object] = &json_lines(&output)[..] else {
            panic!("one object")
        };
        assert_eq!(object["ok"], false);
        let faults = object["faults"].as_array().expect("a list");
        let of_it = name.file_name().expect("a name").to_string_lossy();
        let named = faults.iter().any(|fault| {
            let text = fault["where"].as_str().expect("a place");
            assert!(fault["what"].as_str().is_some_and(|what| !what.is_empty()));
            text.contains(&*of_it) || (of_it == "vault.db" && !text.is_empty())
        });
        assert!(named, "{place}: {faults:?}");
        fs::write(rig.store().join(name), bytes).expect("written back");
    }
    assert_eq!(verify("C").status.code(), Some(0));
}
