//! The real networks on the sample card: every file gets the verdict that the scene deserves.
#![cfg(feature = "trap")]

mod common;

use std::collections::BTreeMap;
use std::fs;

use common::{Rig, content, json_lines, networks_are_there, repository, stderr};
use serde_json::Value;

/// One file of `testdata/expected.toml`.
struct Expected {
    event: String,
    verdict: String,
    reason: String,
    vehicles: i64,
}

fn expected() -> BTreeMap<String, Expected> {
    let text = fs::read_to_string(repository().join("testdata/expected.toml")).expect("committed");
    let table: toml::Table = text.parse().expect("TOML");
    let files = table["file"].as_array().expect("a list");
    let text = |file: &toml::Value, key| file[key].as_str().expect("text").to_owned();
    files
        .iter()
        .map(|file| {
            let expected = Expected {
                event: text(file, "event"),
                verdict: text(file, "verdict"),
                reason: text(file, "reason"),
                vehicles: file
                    .get("vehicles")
                    .and_then(toml::Value::as_integer)
                    .unwrap_or(0),
            };
            (text(file, "path"), expected)
        })
        .collect()
}

#[test]
fn the_sample_card_is_decided_as_its_maker_says_and_the_plates_are_found() {
    if !networks_are_there() {
        return;
    }
    let rig = Rig::new();
    for (path, bytes) in content(&repository().join("testdata/card")) {
        rig.put(path.to_str().expect("UTF-8"), &bytes);
    }
    let output = rig.vigie(&["scan", "--json"]).output().expect("run");
    assert_eq!(
        output.status.code(),
        Some(3),
        "one file is cut off: {}",
        stderr(&output)
    );
    let mut lines = json_lines(&output);
    let summary = lines.pop().expect("a summary")["summary"].clone();
    let expected = expected();
    assert_eq!(lines.len(), expected.len(), "each file once");
    let mut events: BTreeMap<&str, &str> = BTreeMap::new();
    for line in &lines {
        let file = line["file"].as_str().expect("a name");
        let expected = &expected[file];
        assert_eq!(line["verdict"], expected.verdict.as_str(), "{file}");
        // Of a kept event, some frames may stand for the others.
        let others_stand = line["reason"] == "not-a-witness" && expected.verdict == "discard";
        assert!(
            others_stand || line["reason"] == expected.reason.as_str(),
            "{file}: {}",
            line["reason"]
        );
        if let Some(event) = line["event"].as_str() {
            let known = *events.entry(&expected.event).or_insert(event);
            assert_eq!(known, event, "{file} belongs to {}", expected.event);
        }
        assert_eq!(
            line["redaction"].is_string(),
            expected.verdict == "keep",
            "{file}"
        );
    }
    let distinct: std::collections::BTreeSet<_> = events.values().collect();
    assert_eq!(
        distinct.len(),
        events.len(),
        "two events of the card were taken for one"
    );
    let kept: Vec<&str> = ["unloading", "night", "large"]
        .into_iter()
        .filter(|name| events.contains_key(name))
        .collect();
    assert_eq!(kept.len(), 3);
    assert_eq!(summary["events_sealed"], 3);

    // What an opened event says of its frames.
    let mut plates = 0;
    let mut vans = 0;
    for name in kept {
        let arguments = [
            "open",
            events[name],
            "--key",
            "service-2026-Q4.key",
            "--out",
            name,
        ];
        let output = rig.vigie(&arguments).output().expect("run");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        for (path, bytes) in content(&rig.path(name)) {
            let of_frame = path.extension().is_some_and(|e| e == "json") && path.as_os_str() != "event.json";
            if !of_frame {
                continue;
            }
            let manifest: Value = serde_json::from_slice(&bytes).expect("JSON");
            let found = |what: &str| manifest["found"][what].as_array().map_or(0, Vec::len);
            assert!(found("persons") > 0, "{name}: both walkers were overlooked");
            if name == "unloading" {
                vans += 1;
                plates += usize::from(found("plates") > 0);
            }
        }
    }
    let of_scene = expected
        .values()
        .filter(|e| e.event == "unloading" && e.vehicles > 0)
        .count();
    assert_eq!(
        (vans, plates),
        (of_scene, of_scene),
        "a plate on each frame of the van"
    );

    let again = rig.vigie(&["scan", "--json"]).output().expect("run");
    let summary = json_lines(&again).pop().expect("a summary")["summary"].clone();
    assert_eq!(
        (&summary["looked_at"], &summary["events_sealed"]),
        (&0.into(), &0.into())
    );
}
