//! A box, an office and a store of their own for each test.

#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;
use vigie::frame::{BoxTime, EventId};
use vigie::vault::keys::{office_init, trap_init};
use vigie::vault::store::{Error, Store};
use vigie::vault::{DeviceKey, Entry, Epoch, EventSealer, Kind, OfficeKey, Recipient, Sealed};

pub struct Kit {
    pub folder: TempDir,
    pub device: DeviceKey,
    pub service: OfficeKey,
    pub recovery: OfficeKey,
}

impl Kit {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let device = trap_init(folder.path()).expect("new key");
        let epoch = Epoch::new(2026, 4).expect("a quarter");
        let office = office_init(folder.path(), epoch).expect("new keys");
        Self {
            device: DeviceKey::read(&device.files.secret).expect("just made"),
            service: OfficeKey::read(&office.service.secret).expect("just made"),
            recovery: OfficeKey::read(&office.recovery.secret).expect("just made"),
            folder,
        }
    }

    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub fn open(&self) -> Store {
        self.try_open().expect("a store")
    }

    pub fn try_open(&self) -> Result<Store, Error> {
        Store::open(&self.dir(), &self.device, at(0))
    }

    pub fn sealer(&self, event: u8) -> EventSealer {
        let recipients: Vec<Recipient> = [&self.service, &self.recovery]
            .map(|key| key.recipient().clone())
            .into();
        let event = EventId::from_bytes([event; 8]);
        EventSealer::new(self.device.id(), event, &recipients).expect("a sealer")
    }

    /// One sealed record of `length` characters.
    pub fn sealed(&self, event: u8, length: usize) -> Sealed {
        let record = json!({"note": "x".repeat(length)});
        self.sealer(event).seal_record(&record).expect("sealed")
    }

    /// A closed store of four items in two events and a dozen lines.
    pub fn closed_store(&self) -> PathBuf {
        let mut store = self.open();
        for event in [1, 2] {
            let mut sealer = self.sealer(event);
            for length in [200, 70_000] {
                let record = json!({"note": "x".repeat(length)});
                let staged = store.stage(sealer.seal_record(&record).expect("sealed"));
                let staged = staged.expect("staged");
                store
                    .transaction(|tx| {
                        tx.journal(at(1), &entry(u32::from(event)))?;
                        tx.insert_item(at(1), staged)
                    })
                    .expect("committed");
            }
        }
        store.close(at(3)).expect("closed");
        self.dir()
    }
}

/// Seconds after the first of October 2026.
pub fn at(second: i64) -> BoxTime {
    let start = 1_790_812_800;
    BoxTime(jiff::Timestamp::from_second(start + second).expect("in range"))
}

pub fn entry(number: u32) -> Entry {
    Entry {
        kind: Kind::Verdict,
        body: json!({"event": number, "reason": "vehicle-in-zone"}),
    }
}

/// Every file under `dir`, by path.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The bytes of every file under `dir`.
pub fn content(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let read = |path: PathBuf| (path.clone(), fs::read(&path).expect("readable"));
    files(dir).into_iter().map(read).collect()
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("items")).expect("a folder");
    for path in files(from) {
        let name = path.strip_prefix(from).expect("inside");
        fs::copy(&path, to.join(name)).expect("copied");
    }
}

/// Changes the closed database as someone could who has the disk and not the box's key.
pub fn forge(dir: &Path, change: &str) {
    let sql = Connection::open(dir.join("vault.db")).expect("opened");
    sql.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA journal_mode = DELETE;")
        .expect("set");
    let triggers = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let triggers: Vec<(String, String)> = sql
        .prepare(triggers)
        .and_then(|mut query| query.query_map([], read)?.collect())
        .expect("read");
    for (name, _) in &triggers {
        sql.execute_batch(&format!("DROP TRIGGER {name}"))
            .expect("dropped");
    }
    sql.execute_batch(change).expect(change);
    for (_, text) in &triggers {
        sql.execute_batch(text).expect("put back");
    }
    sql.execute_batch("PRAGMA journal_mode = WAL;").expect("set");
    drop(sql);
    for name in ["vault.db-wal", "vault.db-shm"] {
        let _ = fs::remove_file(dir.join(name));
    }
}

/// A copy of a store that is open and has written: what a power cut leaves.
pub fn cut_off(kit: &Kit) -> PathBuf {
    kit.closed_store();
    let mut store = kit.open();
    let staged = store.stage(kit.sealed(3, 10)).expect("staged");
    store
        .transaction(|tx| {
            tx.journal(at(5), &entry(3))?;
            tx.insert_item(at(5), staged)
        })
        .expect("committed");
    store
        .transaction(|tx| tx.journal(at(6), &entry(4)))
        .expect("committed");
    let staged = store.stage(kit.sealed(4, 10)).expect("staged");
    let left = kit.folder.path().join("left");
    copy(store.dir(), &left);
    drop(staged);
    left
}
