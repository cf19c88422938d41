//! The journal outlives what it tells of: it names nothing but by opaque ids. And its commands.
#![cfg(all(feature = "trap", feature = "verify"))]

mod common;

use std::collections::BTreeSet;
use std::fs;

use common::{Rig, json_lines, keys, stderr};
use serde_json::Value;
use vigie::vault::journal::Line;
use vigie::vision::Painted;

/// What a line of each kind may hold.
const MEMBERS: [(&str, &[&str]); 17] = [
    ("created", &["clock", "device", "program"]),
    ("opened", &["clock", "program"]),
    ("recovered", &["cut_off", "removed"]),
    ("closed", &["items"]),
    ("sealed", &["device", "event", "kind", "number", "sha256", "size"]),
    ("erased", &["cause", "event", "numbers"]),
    ("pruned", &["checkpoint", "seq"]),
    (
        "verdict",
        &[
            "camera",
            "event",
            "frames",
            "keep",
            "reason",
            "scores",
            "taken",
            "witnesses",
        ],
    ),
    (
        "discard_intended",
        &["camera", "file", "frame", "reason", "video"],
    ),
    ("discarded", &["camera", "file", "frame", "reason", "video"]),
    ("left", &["camera", "frame", "reason", "size"]),
    ("wipe_intended", &["camera", "interrupted", "number", "reason"]),
    (
        "wiped",
        &[
            "bytes",
            "camera",
            "certificate",
            "files",
            "filled",
            "number",
            "whole",
        ],
    ),
    ("transferred", &["bundle", "contents", "damaged", "head", "items"]),
    (
        "returned",
        &["bundle", "head", "items", "kept", "number", "return"],
    ),
    ("imported", &["bundle", "contents", "device", "head", "items"]),
    ("rewrapped", &["events", "keys"]),
];

/// Hexadecimal ids, plain words in lower case, times, versions; and the store's own files.
fn is_opaque(text: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    let time = text.parse::<jiff::Timestamp>().is_ok() || text.parse::<jiff::civil::DateTime>().is_ok();
    let plain = text.strip_prefix("items/").unwrap_or(text);
    time || plain.chars().all(word) && (plain.len() <= 32 || plain.len() == 64)
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            found.push(name.clone());
            texts(value, found);
        }),
        _ => {}
    }
}

#[test]
fn no_line_of_a_whole_scan_names_a_file_a_place_or_a_plate() {
    let rig = Rig::new();
    rig.put_busy_card();
    rig.put("DCIM/100MEDIA/CLIP_0001.MP4", b"a video");
    rig.put("DCIM/100MEDIA/IMG_9999.JPG", b"no JPEG");
    let (outcomes, _) = rig.scan(&mut Painted::new());
    rig.put(
        "DCIM/102MEDIA/IMG_0001.JPG",
        &common::frame(common::VAN, "11:00:01", 99),
    );
    rig.scan(&mut Painted::new());
    let mut lines = Vec::new();
    Line::each(rig.open_store().sql(), |line| lines.push(line)).expect("a journal");
    let kinds: BTreeSet<_> = lines.iter().map(|line| line.kind.as_str()).collect();
    for kind in [
        "created",
        "opened",
        "closed",
        "sealed",
        "verdict",
        "discard_intended",
        "discarded",
        "left",
    ] {
        assert!(kinds.contains(kind), "{kind} is not in {kinds:?}");
    }
    let names: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| Some(outcome.file.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    assert!(names.len() > 10);
    let folder = rig.folder.path().to_str().expect("text");
    for line in &lines {
        let place = format!("line {} ({}): {}", line.seq, line.kind, line.body);
        let body: Value = serde_json::from_str(&line.body).expect("JSON");
        let allowed = MEMBERS.iter().find(|(kind, _)| *kind == line.kind);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("say in MEMBERS what it may hold: {place}"));
        for name in keys(body.as_object().expect("an object")) {
            assert!(allowed.contains(&name), "{name} is not allowed: {place}");
        }
        let mut found = Vec::new();
        texts(&body, &mut found);
        for text in found {
            assert!(is_opaque(&text), "{text:?}: {place}");
        }
        let hidden = ["DCIM", "MEDIA", "JPG", "MP4", "Quai", "Tests", folder];
        for hidden in hidden.into_iter().chain(names.iter().map(String::as_str)) {
            assert!(!line.body.contains(hidden), "{hidden}: {place}");
        }
    }
}

#[test]
fn the_journal_is_exported_checked_and_asked_for_by_command() {
    let rig = Rig::new();
    rig.put_busy_card();
    rig.scan(&mut Painted::new());
    let run = |arguments: &[&str], code: i32| {
        let output = rig.vigie(arguments).output().expect("run");
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {}",
            stderr(&output)
        );
        json_lines(&output).pop().unwrap_or_default()
    };
    let told = run(&["journal", "export", "out.jsonl", "--json"], 0);
    assert_eq!(keys(&told), ["head", "lines", "out"]);
    let head = told["head"].as_str().expect("a head");
    let lines = fs::read_to_string(rig.path("out.jsonl"))
        .expect("text")
        .lines()
        .count() as u64;
    assert_eq!(told["lines"], lines - 2);
    assert_eq!(run(&["status", "--json"], 0)["journal_head"], head);
    run(&["journal", "export", "out.jsonl"], 1);
    for path in ["out.jsonl", "store"] {
        let device = ["verify", path, "--device", "device.pub", "--json", "--head"];
        let report = run(&[&device[..], &[head]].concat(), 0);
        assert_eq!(
            (&report["ok"], &report["head"]),
            (&Value::from(true), &Value::from(head))
        );
        let later = format!("{}{head}", 1);
        let report = run(&[&device[..], &[later.as_str()]].concat(), 4);
        assert!(
            report["faults"].to_string().contains("set back or cut off"),
            "{report:?}"
        );
    }
    run(&["verify", "store", "--head", "12"], 2);
}

#[test]
fn what_is_not_three_years_old_is_not_pruned_by_command() {
    let rig = Rig::new();
    rig.put_busy_card();
    rig.scan(&mut Painted::new());
    let before = common::digests(&common::content(&rig.store()));
    for arguments in [&["--yes"][..], &[], &["--before", "2040-01-01", "--yes"]] {
        let output = rig
            .vigie(&[&["journal", "prune", "--json"], arguments].concat())
            .output()
            .expect("run");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let [told] = &json_lines(&output)[..] else {
            panic!("one object")
        };
        let expected = serde_json::json!({"pruned": false, "to": null, "kept_by": "term"});
        assert_eq!(Value::from(told.clone()), expected);
    }
    assert!(common::digests(&common::content(&rig.store())) == before);
    let output = rig
        .vigie(&["journal", "prune", "--before", "soon"])
        .output()
        .expect("run");
    assert_eq!(output.status.code(), Some(2));
}
