//! The committed vectors are read as `docs/formats.md` says.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use vigie::frame::Digest;
use vigie::vault::journal::{Head, Line, genesis};
use vigie::vault::{DevicePublic, OfficeKey, item, seal};

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata/vectors")
        .join(name)
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&fs::read(vector(name)).expect("committed")).expect("json")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

/// git keeps no mode 0600, and a secret that others can read is refused.
fn office_key(name: &str) -> OfficeKey {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join(name);
    fs::copy(vector(name), &path).expect("copied");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("chmod");
    OfficeKey::read(&path).expect("a key")
}

#[test]
fn each_item_opens_with_each_key() {
    let facts = json("items.json");
    for key in ["service-2026-Q4.key", "recovery-2026-Q4.key"].map(office_key) {
        for item in facts["items"].as_array().expect("items") {
            let path = vector(text(&item["file"]));
            let bytes = fs::read(&path).expect("committed");
            assert_eq!(Digest::of(&bytes).to_string(), text(&item["sha256"]));
            let opened = seal::open(File::open(&path).expect("committed"), &key).expect("opened");
            assert_eq!(opened.header.id.to_string(), text(&item["store_name"]));
            assert_eq!(opened.header.device.to_string(), text(&facts["device"]));
            assert_eq!(opened.header.kind.as_str(), text(&item["kind"]));
            assert_eq!(opened.plaintext.len() as u64, item["length"]);
            let digest = Digest::of(&opened.plaintext).to_string();
            assert_eq!(digest, text(&item["plaintext_sha256"]));
        }
    }
}

#[test]
fn each_faulty_item_fails_as_expected() {
    let key = office_key("service-2026-Q4.key");
    for fault in json("items.json")["faults"].as_array().expect("faults") {
        let file = File::open(vector(text(&fault["file"]))).expect("committed");
        let found = match seal::open(file, &key).expect_err("a fault") {
            seal::Error::Damaged { chunk, .. } if fault["chunk"] == chunk => "damaged",
            seal::Error::Item(item::Error::Truncated { .. }) => "truncated",
            seal::Error::Item(item::Error::Trailing(_)) => "trailing",
            _ => "something else",
        };
        assert_eq!(found, text(&fault["expect"]), "{fault}");
    }
}

/// The number of the first line that does not fit, 0 if the head does not.
fn first_fault(journal: &Value) -> Option<u64> {
    let device = DevicePublic::try_from(text(&journal["device_key"]).to_owned()).expect("a key");
    let digest = |value: &Value| text(value).parse::<Digest>().expect("a digest");
    assert_eq!(genesis(&device), digest(&journal["genesis"]));
    let mut head = Head::empty(&device);
    for line in journal["lines"].as_array().expect("lines") {
        let line = Line {
            seq: line["seq"].as_u64().expect("a number"),
            time: text(&line["time"]).to_owned(),
            kind: text(&line["kind"]).to_owned(),
            body: text(&line["body"]).to_owned(),
            prev: digest(&line["prev"]),
            hash: digest(&line["hash"]),
        };
        let follows = line.prev == head.hash && line.seq == head.seq + 1;
        if !follows || line.hash != line.expected_hash() {
            return Some(line.seq);
        }
        head = Head {
            seq: line.seq,
            hash: line.hash,
        };
    }
    let mut signature = [0; 64];
    hex::decode_to_slice(text(&journal["head"]["signature"]), &mut signature).expect("hex");
    let told = (journal["head"]["seq"].as_u64(), digest(&journal["head"]["hash"]));
    assert_eq!(told, (Some(head.seq), head.hash));
    (!head.signed(&device, &signature)).then_some(0)
}

#[test]
fn the_journal_holds_and_the_changed_one_does_not() {
    assert_eq!(first_fault(&json("journal.json")), None);
    assert_eq!(first_fault(&json("fault-journal-line-2.json")), Some(2));
}
