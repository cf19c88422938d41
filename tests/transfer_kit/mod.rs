//! A box, a stick and a desk of their own for each test.

#![allow(dead_code)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use vigie::frame::EventId;
use vigie::transfer::contents::Contents;
use vigie::transfer::out::Written;
use vigie::transfer::returning::{Return, Taken};
use vigie::transfer::taking_in::{Outcome, bundles, import};
use vigie::transfer::{BundleName, CONTENTS, DRILL, Desk, Error, Folder, Reason, ReturnName, out, returning};
use vigie::vault::keys::{desk_init, trap_init};
use vigie::vault::signed::{self, Document};
use vigie::vault::{DeviceKey, DevicePublic, OfficeKey, Recipient};

pub use super::vault_kit::{Kit, at};

pub struct Way {
    pub kit: Kit,
}

impl Way {
    pub fn new() -> Self {
        let way = Self { kit: Kit::new() };
        let folder = way.kit.folder.path();
        for name in ["stick", "desk", "desk/traps", "desk/keys"] {
            fs::create_dir(folder.join(name)).expect("a folder");
        }
        desk_init(&way.desk_dir()).expect("a new key");
        way.give("device.pub", "desk/traps");
        for name in [
            "service-2026-Q4.key",
            "service-2026-Q4.pub",
            "recovery-2026-Q4.pub",
        ] {
            way.give(name, "desk/keys");
        }
        way
    }

    pub fn give(&self, name: &str, to: &str) {
        let (from, to) = (self.path(name), self.path(to).join(name));
        fs::copy(from, &to).expect("copied");
        fs::set_permissions(to, fs::Permissions::from_mode(0o600)).expect("its rights");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.kit.folder.path().join(name)
    }

    pub fn stick(&self) -> PathBuf {
        self.path("stick")
    }

    pub fn desk_dir(&self) -> PathBuf {
        self.path("desk")
    }

    pub fn desk(&self) -> Desk {
        Desk::open(&self.desk_dir(), at(100)).expect("a desk")
    }

    pub fn desk_key(&self) -> DeviceKey {
        DeviceKey::read_desk(&self.path("desk/desk.key")).expect("a key")
    }

    pub fn desk_public(&self) -> DevicePublic {
        DevicePublic::read_desk(&self.path("desk/desk.pub")).expect("a key")
    }

    pub fn recipients(&self) -> Vec<Recipient> {
        [&self.kit.service, &self.kit.recovery]
            .map(|key| key.recipient().clone())
            .into()
    }

    /// Seals an event of records of these lengths on the box.
    pub fn seal(&self, event: u8, lengths: &[usize]) {
        self.seal_to(event, lengths, &self.recipients());
    }

    pub fn seal_to(&self, event: u8, lengths: &[usize], recipients: &[Recipient]) {
        let mut store = self.kit.open();
        let event = EventId::from_bytes([event; 8]);
        let device = self.kit.device.id();
        let mut sealer = vigie::vault::EventSealer::new(device, event, recipients).expect("a sealer");
        for length in lengths {
            let sealed = sealer.seal_record(&json!({"note": "x".repeat(*length)}));
            let staged = store.stage(sealed.expect("sealed")).expect("staged");
            store
                .transaction(|tx| tx.insert_item(at(2), staged))
                .expect("committed");
        }
        store.close(at(3)).expect("closed");
    }

    /// Writes a bundle onto the stick.
    pub fn out(&self) -> Written {
        let mut store = self.kit.open();
        let written = out::write(
            &mut store,
            &self.kit.device,
            &self.recipients(),
            &self.stick(),
            at(10),
        );
        store.close(at(11)).expect("closed");
        written.expect("written")
    }

    pub fn bundle(&self) -> PathBuf {
        let names = bundles(&self.folder()).expect("read");
        self.stick().join(names.last().expect("a bundle").to_string())
    }

    pub fn folder(&self) -> Folder {
        Folder::open(&self.stick()).expect("a stick")
    }

    /// Takes everything on the stick in at the desk, and answers it.
    pub fn take_in(&self) -> Vec<Result<Outcome, Error>> {
        let mut desk = self.desk();
        let on_stick = self.folder();
        let names = bundles(&on_stick).expect("read");
        let taken = names.into_iter().map(|name| {
            let outcome = import(&mut desk, &on_stick, name, at(101))?;
            returning::write(&mut desk, name.device, &self.stick(), at(102))?;
            Ok(outcome)
        });
        let taken = taken.collect();
        desk.store.close(at(103)).expect("closed");
        taken
    }

    /// Takes the only bundle in, which must go well.
    pub fn take_in_well(&self) -> Outcome {
        let mut taken = self.take_in();
        assert_eq!(taken.len(), 1);
        taken.remove(0).expect("taken")
    }

    /// Takes the only bundle in, which must be refused; leaves the desk as it was.
    #[track_caller]
    pub fn refused(&self) -> (Reason, Vec<String>) {
        let mut desk = self.desk();
        let before = standing(&desk);
        let on_stick = self.folder();
        let names = bundles(&on_stick).expect("read");
        let [name] = names[..] else {
            panic!("one bundle: {names:?}")
        };
        let error = import(&mut desk, &on_stick, name, at(101)).expect_err("refused");
        assert_eq!(standing(&desk), before, "a refused bundle changes nothing");
        refusal(error)
    }

    pub fn return_name(&self) -> ReturnName {
        returning::find(&self.folder(), self.kit.device.id())
            .expect("read")
            .expect("a return file")
    }

    /// Takes the return file on the stick, on the box.
    pub fn back(&self) -> Result<Option<Taken>, Error> {
        self.back_from(&self.desk_public())
    }

    pub fn back_from(&self, desk: &DevicePublic) -> Result<Option<Taken>, Error> {
        let mut store = self.kit.open();
        let name = self.return_name();
        let taken = returning::take(&mut store, desk, &self.folder(), name, at(20), |_| Ok(()));
        store.close(at(21)).expect("closed");
        taken
    }

    pub fn proven(&self, recipients: &[Recipient]) -> bool {
        returning::proven(self.kit.open().sql(), recipients).expect("read")
    }

    /// The names of the box's items.
    pub fn on_box(&self) -> Vec<String> {
        names(&self.kit.dir().join("items"))
    }

    pub fn at_desk(&self) -> Vec<String> {
        names(&self.path("desk/store/items"))
    }

    /// Changes the contents document as the box itself would sign it: what a thief of its key can do.
    pub fn forge_contents(&self, change: impl FnOnce(&mut Contents)) {
        let path = self.bundle().join(CONTENTS);
        forge(&path, &self.kit.device, change);
    }

    /// Changes the return file as the desk itself would sign it.
    pub fn forge_return(&self, change: impl FnOnce(&mut Return)) {
        let path = self.stick().join(self.return_name().to_string());
        forge(&path, &self.desk_key(), change);
    }

    /// A second box, enrolled at the desk, in a folder of its own.
    pub fn second_box(&self) -> DeviceKey {
        let dir = self.path("second");
        fs::create_dir(&dir).expect("a folder");
        let made = trap_init(&dir).expect("a new key");
        fs::copy(&made.files.public, self.path("desk/traps/second.pub")).expect("enrolled");
        DeviceKey::read(&made.files.secret).expect("just made")
    }
}

/// Changes a signed document and signs it again.
pub fn forge<D: Document>(path: &Path, key: &DeviceKey, change: impl FnOnce(&mut D)) {
    let text = fs::read_to_string(path).expect("there");
    let mut document: D = signed::read(&text, key.public(), "its signer").expect("signed");
    change(&mut document);
    fs::write(path, signed::sign(&document, key).expect("signed")).expect("written");
}

pub fn refusal(error: Error) -> (Reason, Vec<String>) {
    match error {
        Error::Refused(refusal) => (refusal.reason, refusal.details),
        error => panic!("not refused but failed: {error}"),
    }
}

/// Everything that the desk has, in rows and files.
fn standing(desk: &Desk) -> (Vec<u64>, Vec<String>) {
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        desk.store
            .sql()
            .query_row(&sql, [], |row| row.get(0))
            .expect("counted")
    };
    let tables = [
        "journal",
        "item",
        "trap",
        "trap_bundle",
        "trap_line",
        "taken",
        "wrap",
    ];
    (tables.map(count).into(), names(&desk.store.dir().join("items")))
}

pub fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a folder");
    let mut names: Vec<_> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

pub fn name(way: &Way, number: u64) -> BundleName {
    BundleName {
        device: way.kit.device.id(),
        number,
    }
}

pub fn key(path: &Path) -> OfficeKey {
    OfficeKey::read(path).expect("a key")
}

/// A bundle of three items on the stick.
pub fn ready() -> Way {
    let way = Way::new();
    way.seal(1, &[200, 70_000]);
    way.seal(2, &[0]);
    way.out();
    way
}

/// The names of the items in the bundle on the stick.
pub fn items(way: &Way) -> Vec<String> {
    let mut names = names(&way.bundle());
    names.retain(|name| name.ends_with(".vgi") && name != DRILL);
    names
}
