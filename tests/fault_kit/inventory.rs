//! What a box holds at the end, without what chance decides; and that it holds nothing else.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use vigie::frame::Digest;
use vigie::vault::item::ItemKind;
use vigie::vault::{DevicePublic, seal, store};
use vigie::verify;

use crate::common::{Rig, content, digests};

/// Verdicts by frame, what was sealed by original, what the journal tells, what the card holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// State, verdict, reason and event of every frame.
    pub ledger: BTreeMap<Digest, [Option<String>; 4]>,
    /// The event and the redacted bytes of every witness, by its original.
    pub witnesses: BTreeMap<String, (String, Digest)>,
    /// The events that were sealed.
    pub records: BTreeSet<String>,
    /// How often the journal tells of the erasure of a frame, of its intent, and of an event's verdict; of a frame
    /// that was on the card under several names it may tell once for each.
    pub told: BTreeMap<(String, String), u32>,
    /// The frames that lay on the card under several names.
    pub several: BTreeSet<String>,
    /// The events that went because nobody fetched them in time.
    pub expired: BTreeSet<String>,
    /// The sizes of the files that were set aside, one for each time the journal tells of it: they are not read again,
    /// so nothing else is known of them (decision 0016).
    pub set_aside: Vec<u64>,
    /// Every file of the card.
    pub card: Vec<(PathBuf, Digest)>,
}

impl Inventory {
    /// Opens everything that a box has sealed, wherever it is, and reads its ledger and journal.
    pub fn of(rig: &Rig, several: &BTreeSet<String>) -> Self {
        let opened = rig.open_store();
        let mut query = opened
            .sql()
            .prepare("SELECT digest, state, verdict, reason, lower(hex(event)) FROM frame")
            .expect("a ledger");
        let rows = query.query_map([], |row| {
            Ok((
                Digest::from_bytes(row.get(0)?),
                [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?],
            ))
        });
        let ledger = rows.expect("rows").collect::<Result<_, _>>().expect("rows");
        let mut query = opened
            .sql()
            .prepare(
                "SELECT kind, coalesce(body ->> 'frame', body ->> 'event', body ->> 'file') FROM journal
                 WHERE kind IN ('discard_intended', 'discarded', 'verdict')",
            )
            .expect("a journal");
        let mut told = BTreeMap::new();
        let lines = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        for line in lines.expect("lines") {
            *told.entry(line.expect("a line")).or_default() += 1;
        }
        let mut query = opened
            .sql()
            .prepare(
                "SELECT body ->> 'event' FROM journal WHERE kind = 'erased' AND body ->> 'cause' = 'expired'",
            )
            .expect("a journal");
        let expired = query.query_map([], |row| row.get(0)).expect("lines");
        let expired = expired.collect::<Result<_, _>>().expect("events");
        let mut query = opened
            .sql()
            .prepare(
                "SELECT body ->> 'size' FROM journal WHERE kind = 'left' AND body ->> 'reason' = 'stuck'",
            )
            .expect("a journal");
        let set_aside = query.query_map([], |row| row.get(0)).expect("lines");
        let set_aside = set_aside.collect::<Result<_, _>>().expect("sizes");
        let (witnesses, records) = sealed(rig);
        Self {
            ledger,
            witnesses,
            records,
            told,
            several: several.clone(),
            expired,
            set_aside,
            card: digests(&content(&rig.card())),
        }
    }
}

impl Inventory {
    /// One line for everything in it.
    fn lines(&self) -> BTreeSet<String> {
        let ledger = self
            .ledger
            .iter()
            .map(|(frame, row)| format!("frame {frame}: {row:?}"));
        let witnesses = self.witnesses.iter().map(|line| format!("witness {line:?}"));
        let records = self.records.iter().map(|event| format!("record of {event}"));
        let told = self.told.iter().map(|((kind, of), &times)| {
            let times = if self.several.contains(of) { 1 } else { times };
            format!("{times} times {kind} {of}")
        });
        let card = self.card.iter().map(|file| format!("on the card: {file:?}"));
        ledger
            .chain(witnesses)
            .chain(records)
            .chain(told)
            .chain(card)
            .collect()
    }

    /// Asserts that a box holds what another holds.
    pub fn assert_is(&self, expected: &Self, what: &str) {
        let (here, there) = (self.lines(), expected.lines());
        let more: Vec<_> = here.difference(&there).collect();
        let less: Vec<_> = there.difference(&here).collect();
        assert!(
            more.is_empty() && less.is_empty(),
            "{what}: there is {more:#?} in place of {less:#?}"
        );
    }
}

type Witnesses = BTreeMap<String, (String, Digest)>;

fn sealed(rig: &Rig) -> (Witnesses, BTreeSet<String>) {
    let key = rig.service_key();
    let (mut witnesses, mut records, mut frames) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
    // What is on its way lies on the box and at the desk.
    let stores = [rig.store(), rig.path("desk/store")].into_iter();
    let items: BTreeMap<_, _> = stores
        .filter(|dir| dir.join(store::ITEMS).exists())
        .flat_map(|dir| store::item_files(&dir, None).expect("items"))
        .collect();
    for (id, path) in items {
        let opened = seal::open(File::open(path).expect("there"), &key).expect("opened");
        match opened.header.kind {
            ItemKind::Frame => {
                frames.insert((id.event, id.number), Digest::of(&opened.plaintext));
            }
            ItemKind::Manifest => {
                let manifest: serde_json::Value = serde_json::from_slice(&opened.plaintext).expect("JSON");
                let original = manifest["original"]["sha256"].as_str().expect("a digest");
                let redacted = frames[&(id.event, id.number - 1)];
                assert_eq!(manifest["redacted"]["sha256"], redacted.to_string());
                let before = witnesses.insert(original.to_owned(), (id.event.to_string(), redacted));
                assert_eq!(before, None, "sealed twice");
            }
            ItemKind::Record => assert!(records.insert(id.event.to_string()), "sealed twice"),
        }
    }
    (witnesses, records)
}

/// The frames that lie on the card under several names.
pub fn several(rig: &Rig) -> BTreeSet<String> {
    let mut once = BTreeSet::new();
    let digests = digests(&content(&rig.card())).into_iter();
    digests
        .map(|(_, digest)| digest.to_string())
        .filter(|digest| !once.insert(digest.clone()))
        .collect()
}

/// A box's store, closed, without a fault.
pub fn assert_sound(rig: &Rig, what: &str) {
    assert_store_sound(&rig.store(), rig.device().public(), what);
}

/// A closed store without a fault, and nothing to remark but that the clock went back, which is so.
pub fn assert_store_sound(store: &Path, key: &DevicePublic, what: &str) {
    let report = verify::store(store, Some(key)).expect("a store");
    let clock = |remark: &String| remark.starts_with("the box's clock went back");
    assert!(
        report.ok && report.remarks.iter().all(clock),
        "{what}: {report:#?}"
    );
}

/// Pieces of frames that must be on the card and nowhere else.
pub struct Pieces {
    begins: Vec<bool>,
    samples: HashSet<[u8; SAMPLE]>,
}

/// Whoever has [`PIECE`] bytes of a frame in a row has such a sample of it: one is taken at every `PIECE - SAMPLE`.
const SAMPLE: usize = 16;
const PIECE: usize = 512;

impl Pieces {
    pub fn of(originals: &[Vec<u8>]) -> Self {
        let samples: HashSet<[u8; SAMPLE]> = originals
            .iter()
            // Before its first scan, a JPEG has tables that every JPEG has.
            .flat_map(|bytes| bytes.get(1024..).unwrap_or_default().chunks(PIECE - SAMPLE))
            .filter_map(|chunk| chunk.first_chunk().copied())
            .collect();
        let mut begins = vec![false; 1 << 16];
        for sample in &samples {
            begins[begin(sample)] = true;
        }
        Self { begins, samples }
    }

    /// Asserts that no file of this folder has such a piece.
    pub fn assert_absent(&self, folder: &Path, what: &str) {
        for (path, bytes) in content(folder) {
            let found = bytes
                .windows(SAMPLE)
                .position(|window| self.begins[begin(window)] && self.samples.contains(window));
            assert_eq!(found, None, "{what}: {} holds a frame in clear", path.display());
        }
    }
}

fn begin(bytes: &[u8]) -> usize {
    usize::from(u16::from_le_bytes([bytes[0], bytes[1]]))
}
