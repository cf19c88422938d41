//! The test vectors in `testdata/vectors`: made here from fixed randomness, and compared with what is
//! committed. A difference is a change of format.
//!
//! To write them anew after a decided change: `VIGIE_WRITE_VECTORS=1 cargo test vectors`.

mod kit;

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};

use hpke::rand_core::{TryCryptoRng, TryRng};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::item::ItemKind;
use super::journal::{Entry, Head, Kind, Line};
use super::keys::{DeviceKey, Epoch, OfficeKey, office_init_from, trap_init_from};
use super::seal::EventSealer;
use crate::frame::{BoxTime, Digest, EventId};

/// SHA-256 over a label and a counter: the same on every machine, and of no use as randomness.
struct Fixed {
    label: &'static str,
    drawn: u64,
}

impl Fixed {
    fn bytes<const N: usize>(label: &'static str) -> [u8; N] {
        let mut bytes = [0; N];
        let Ok(()) = Self { label, drawn: 0 }.try_fill_bytes(&mut bytes);
        bytes
    }
}

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for piece in out.chunks_mut(32) {
            let block = Sha256::new()
                .chain_update(self.label)
                .chain_update(self.drawn.to_be_bytes())
                .finalize();
            piece.copy_from_slice(&block[..piece.len()]);
            self.drawn += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/vectors")
}

type Files = Vec<(String, Vec<u8>)>;

/// Every vector, by name.
fn made() -> Files {
    let keys = tempfile::tempdir().expect("a folder");
    let epoch = Epoch::new(2026, 4).expect("a quarter");
    let device = trap_init_from(keys.path(), &Fixed::bytes("device")).expect("made");
    let seeds: [[u8; 32]; 2] = [Fixed::bytes("service"), Fixed::bytes("recovery")];
    let office = office_init_from(keys.path(), epoch, [&seeds[0], &seeds[1]]).expect("made");
    let mut files = Files::new();
    for pair in [&device.files, &office.service, &office.recovery] {
        for path in [&pair.secret, &pair.public] {
            let name = path.file_name().expect("named").to_string_lossy();
            files.push((name.into_owned(), fs::read(path).expect("just made")));
        }
    }
    let device = DeviceKey::read(&device.files.secret).expect("just made");
    let office =
        [&office.service, &office.recovery].map(|pair| OfficeKey::read(&pair.secret).expect("just made"));
    items(&device, &office, &mut files);
    journal(&device, &mut files);
    let parts = kit::Parts {
        device: &device,
        office: &office,
        files: &files,
    };
    let kit = kit::made(&parts);
    files.extend(kit);
    files
}

fn items(device: &DeviceKey, office: &[OfficeKey; 2], files: &mut Files) {
    let event = EventId::from_bytes(Fixed::bytes("event"));
    let content_key: [u8; 32] = Fixed::bytes("content key");
    let recipients = office.each_ref().map(|key| key.recipient().clone());
    let mut sealer = EventSealer::with_content_key(
        device.id(),
        event,
        &recipients,
        Zeroizing::new(content_key),
        &mut Fixed {
            label: "ephemeral",
            drawn: 0,
        },
    )
    .expect("a sealer");
    let two_chunks: Vec<u8> = (0..70_000).map(|i| (i % 251) as u8).collect();
    let mut facts = Vec::new();
    for (name, kind, plaintext, nonce) in [
        ("item-two-chunks.vgi", ItemKind::Frame, &two_chunks[..], "nonce 0"),
        ("item-empty.vgi", ItemKind::Manifest, b"", "nonce 1"),
        (
            "item-small.vgi",
            ItemKind::Record,
            br#"{"verdict":"keep"}"#,
            "nonce 2",
        ),
    ] {
        let nonce = Fixed::bytes(nonce);
        let sealed = sealer.seal_with_nonce(kind, plaintext, nonce).expect("sealed");
        facts.push(json!({
            "file": name,
            "store_name": sealed.id().to_string(),
            "sha256": sealed.digest(),
            "kind": kind,
            "event": event,
            "number": sealed.id().number,
            "length": plaintext.len(),
            "plaintext_sha256": Digest::of(plaintext),
            "nonce": hex::encode(nonce),
        }));
        files.push((name.to_owned(), sealed.bytes().to_vec()));
    }
    let small = files.last().expect("item-small").1.clone();
    let mut damaged = small.clone();
    *damaged.last_mut().expect("bytes") ^= 1;
    files.push(("fault-flipped-bit.vgi".to_owned(), damaged));
    files.push(("fault-cut.vgi".to_owned(), small[..small.len() - 1].to_vec()));
    files.push(("fault-lengthened.vgi".to_owned(), [&small[..], b"\0"].concat()));
    let all = json!({
        "device": device.id(),
        "content_key": hex::encode(content_key),
        "items": facts,
        "faults": [
            {"file": "fault-flipped-bit.vgi", "expect": "damaged", "chunk": 1},
            {"file": "fault-cut.vgi", "expect": "truncated"},
            {"file": "fault-lengthened.vgi", "expect": "trailing"},
        ],
    });
    files.push(("items.json".to_owned(), pretty(&all)));
}

fn journal(device: &DeviceKey, files: &mut Files) {
    let public = device.public();
    let mut head = Head::empty(public);
    let mut lines = Vec::new();
    let entries = [
        (
            Kind::Created,
            json!({"clock": "set", "device": public, "program": "0.1.0"}),
        ),
        (
            Kind::Verdict,
            json!({"reason": "vehicle-in-zone", "event": "0123456789abcdef", "score": 0.5}),
        ),
        (Kind::Closed, json!({"items": 0})),
    ];
    for (second, (kind, body)) in entries.into_iter().enumerate() {
        let time = jiff::Timestamp::from_second(1_790_812_800 + second as i64).expect("in range");
        let line = Line::after(head, BoxTime(time), &Entry { kind, body });
        head = Head {
            seq: line.seq,
            hash: line.hash,
        };
        lines.push(json!({
            "seq": line.seq,
            "time": line.time,
            "kind": line.kind,
            "body": line.body,
            "prev": line.prev,
            "hash": line.hash,
        }));
    }
    let signature = hex::encode(head.sign(device));
    let mut all = json!({
        "device_key": public,
        "genesis": Head::empty(public).hash,
        "lines": lines,
        "head": {"seq": head.seq, "hash": head.hash, "signature": signature},
    });
    files.push(("journal.json".to_owned(), pretty(&all)));
    all["lines"][1]["body"] = Value::from(r#"{"event":"0123456789abcdef","reason":"empty","score":0.5}"#);
    files.push(("fault-journal-line-2.json".to_owned(), pretty(&all)));
}

fn pretty(value: &Value) -> Vec<u8> {
    let text = serde_json::to_string_pretty(value).expect("plain values");
    format!("{text}\n").into_bytes()
}

#[test]
fn the_formats_are_those_of_the_committed_vectors() {
    let folder = folder();
    let write = std::env::var_os("VIGIE_WRITE_VECTORS").is_some();
    for (name, bytes) in made() {
        let path = folder.join(&name);
        if write {
            fs::create_dir_all(folder.join("kit")).expect("a folder");
            fs::write(&path, &bytes).expect("written");
        }
        let committed = fs::read(&path).unwrap_or_default();
        let same = match name.ends_with(".json") {
            true => {
                let value = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
                value(&committed) == value(&bytes)
            }
            false => committed == bytes,
        };
        assert!(same, "testdata/vectors/{name} is another");
    }
}
