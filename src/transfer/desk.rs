//! The desk's own folder: its key, the boxes it knows, the office's keys, its store.
//!
//! | in the folder | what |
//! | --- | --- |
//! | `desk.key` | the desk's signing key |
//! | `traps/*.pub` | the public keys of the enrolled boxes: to copy one there is to enrol it |
//! | `keys/` | the office's keys: `.pub` to seal to, `.revocation`; `.key` to open with, unless they are lent |
//! | `orders/<device>.json` | what is ordered of a box ([`super::orders`]), if anything |
//! | `store/` | the desk's vault |
//!
//! Promises: a file in it that cannot be used is an error before anything is taken; what was taken stays on
//! record, by opaque ids, after the item itself was erased: so a box that brings it again is told that it was
//! erased, and nothing is taken twice. A wrapped key goes with the last item of its event. Leaves what is
//! taken to [`super::taking_in`] and what is answered to [`super::returning`].

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::contents::{Contents, Listed};
use super::orders::Orders;
use super::{Error, Folder, io_at};
use crate::frame::{BoxTime, Digest, EventId};
use crate::vault::item::{ItemId, STANZA, Stanza};
use crate::vault::journal::{Head, canonical};
use crate::vault::keys::revocation::{EXTENSION, Revocation};
use crate::vault::keys::{Fingerprint, Ring, Role};
use crate::vault::store::{Tx, sealed_body};
use crate::vault::{DeviceId, DeviceKey, DevicePublic, Epoch, Kind, OfficeKey, Recipient, Store, signed};

/// Bytes of a key file or of orders at most.
const LONGEST_TEXT: u64 = 64 << 10;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS trap (
    device   TEXT PRIMARY KEY,
    returned INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS trap_bundle (
    device    TEXT NOT NULL,
    number    INTEGER NOT NULL,
    contents  TEXT NOT NULL,
    drill     TEXT NOT NULL,
    opened_by TEXT NOT NULL,
    PRIMARY KEY (device, number)
) STRICT;
CREATE TABLE IF NOT EXISTS trap_line (
    device TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    time   TEXT NOT NULL,
    kind   TEXT NOT NULL,
    body   TEXT NOT NULL,
    prev   BLOB NOT NULL CHECK (length(prev) = 32),
    hash   BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (device, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS taken (
    event  TEXT NOT NULL,
    number INTEGER NOT NULL,
    device TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (event, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS wrap (
    event   TEXT PRIMARY KEY,
    stanzas BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS wrap_goes_with_its_event AFTER DELETE ON item
WHEN NOT EXISTS (SELECT 1 FROM item WHERE event = OLD.event)
BEGIN DELETE FROM wrap WHERE event = OLD.event; END;
";

const OBJECTS: [&str; 6] = [
    "trap",
    "trap_bundle",
    "trap_line",
    "taken",
    "wrap",
    "wrap_goes_with_its_event",
];

/// An open desk.
pub struct Desk {
    /// Its store.
    pub store: Store,
    pub(super) key: DeviceKey,
    pub(super) traps: BTreeMap<DeviceId, DevicePublic>,
    pub(super) keys: Vec<OfficeKey>,
    /// With their texts, as they are sent to the boxes.
    pub(super) recipients: Vec<(Recipient, String)>,
    /// To whom content keys are wrapped anew, quarter by quarter, without what is revoked.
    pub(super) ring: Ring,
    pub(super) revocations: Vec<String>,
    pub(super) orders: BTreeMap<DeviceId, Orders>,
}

/// The last bundle that was taken from a box.
pub(super) struct LastBundle {
    pub contents: Contents,
    pub text: String,
    pub drill: Digest,
    pub opened_by: Fingerprint,
}

/// What is known of an item that was taken.
pub(super) struct TakenBefore {
    pub device: String,
    pub sha256: String,
}

impl Desk {
    /// Its key: signs what leaves the service.
    pub fn key(&self) -> &DeviceKey {
        &self.key
    }

    /// Opens the desk in `folder`, for this process alone.
    pub fn open(folder: &Path, now: BoxTime) -> Result<Self, Error> {
        let key = DeviceKey::read_desk(&folder.join("desk.key"))?;
        let mut desk = Self {
            traps: BTreeMap::new(),
            keys: Vec::new(),
            recipients: Vec::new(),
            ring: Ring::from(Vec::new()),
            revocations: Vec::new(),
            orders: BTreeMap::new(),
            store: Store::open(&folder.join("store"), &key, now)?,
            key,
        };
        desk.store.ensure(&OBJECTS, SCHEMA)?;
        desk.read_traps(&folder.join("traps"))?;
        desk.read_keys(&folder.join("keys"))?;
        desk.read_orders(&folder.join("orders"))?;
        Ok(desk)
    }

    fn read_traps(&mut self, folder: &Path) -> Result<(), Error> {
        for path in files(folder)? {
            if has_extension(&path, "pub") {
                let public = DevicePublic::read(&path)?;
                self.traps.insert(public.id(), public);
            }
        }
        Ok(())
    }

    fn read_keys(&mut self, folder: &Path) -> Result<(), Error> {
        let mut revoked = Vec::new();
        for path in files(folder)? {
            if has_extension(&path, "key") {
                self.keys.push(OfficeKey::read(&path)?);
            } else if has_extension(&path, "pub") {
                let text = text(&path)?.replace("\r\n", "\n");
                self.recipients.push((Recipient::read(&path)?, text));
            } else if has_extension(&path, EXTENSION) {
                revoked.extend(Revocation::read(&path, self.key.public())?.keys);
                self.revocations.push(text(&path)?);
            }
        }
        let public = self.recipients.iter().map(|(recipient, _)| recipient);
        let held = self.keys.iter().map(OfficeKey::recipient);
        self.ring = Ring::from(public.chain(held).cloned().collect::<Vec<_>>());
        self.ring.revoke(&revoked);
        Ok(())
    }

    /// Reads the folder of the office's keys anew: some were added, or their files were destroyed.
    pub fn read_keys_again(&mut self, folder: &Path) -> Result<(), Error> {
        self.keys.clear();
        self.recipients.clear();
        self.revocations.clear();
        self.read_keys(&folder.join("keys"))
    }

    fn read_orders(&mut self, folder: &Path) -> Result<(), Error> {
        for path in files(folder)? {
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let Some(Ok(device)) = stem.map(str::parse).filter(|_| has_extension(&path, "json")) else {
                continue;
            };
            let orders = serde_json::from_str(&text(&path)?).map_err(|error| Error::DeskFile {
                path: path.clone(),
                what: error.to_string(),
            })?;
            self.orders.insert(DeviceId(device), orders);
        }
        Ok(())
    }

    /// The keys that the boxes are to seal to from now on: those of this quarter and the later ones that are not
    /// revoked, of the service only where the desk holds the secret half.
    pub(super) fn to_seal_to(&self, now: BoxTime) -> Vec<String> {
        let Some(current) = Epoch::at(now) else {
            return Vec::new();
        };
        let held = |recipient: &Recipient| {
            let mut keys = self.keys.iter();
            recipient.role() == Role::Recovery || keys.any(|key| key.recipient() == recipient)
        };
        let good = |recipient: &Recipient| {
            let mut revoked = self.ring.revoked();
            recipient.epoch() >= current && !revoked.any(|key| key == recipient.fingerprint())
        };
        let chosen = |(recipient, _): &&(Recipient, String)| good(recipient) && held(recipient);
        self.recipients
            .iter()
            .filter(chosen)
            .map(|(_, text)| text.clone())
            .collect()
    }

    /// The boxes that are enrolled.
    pub fn boxes(&self) -> impl Iterator<Item = DeviceId> {
        self.traps.keys().copied()
    }

    /// Whether a secret key is at hand.
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Does `work` with these secret keys too: on a desk that is served they lie in no file, and are there only
    /// while somebody entitled is logged in.
    pub fn with_keys<T>(&mut self, lent: &[OfficeKey], work: impl FnOnce(&mut Self) -> T) -> T {
        let own = self.keys.len();
        self.keys.extend(lent.iter().cloned());
        let done = work(self);
        self.keys.truncate(own);
        done
    }

    pub(super) fn last_bundle(&self, device: DeviceId) -> Result<Option<LastBundle>, Error> {
        let last = "SELECT contents, drill, opened_by FROM trap_bundle WHERE device = ? ORDER BY number DESC LIMIT 1";
        let row = self.store.sql().query_row(last, [device.to_string()], |row| {
            Ok([row.get::<_, String>(0)?, row.get(1)?, row.get(2)?])
        });
        let Some([text, drill, opened_by]) = row.optional()? else {
            return Ok(None);
        };
        let damaged = || signed::Error::Damaged("the desk's own record of it was changed");
        Ok(Some(LastBundle {
            contents: Contents::read(&text, |contents| Some(contents.device_key.clone()))?,
            drill: drill.parse().map_err(|_| damaged())?,
            opened_by: opened_by.parse().map_err(|_| damaged())?,
            text,
        }))
    }

    /// The last line of a box's journal that is known; the beginning, of a box that never brought one.
    pub(super) fn pinned(&self, device: &DevicePublic) -> Result<Head, Error> {
        let last = self.last_bundle(device.id())?;
        Ok(last.map_or_else(|| Head::empty(device), |last| last.contents.journal.head))
    }

    pub(super) fn taken(&self, id: ItemId) -> Result<Option<TakenBefore>, Error> {
        let sql = "SELECT device, sha256 FROM taken WHERE event = ? AND number = ?";
        let mut taken = self.store.sql().prepare_cached(sql)?;
        let row = taken.query_row(params![id.event.to_string(), id.number], |row| {
            Ok(TakenBefore {
                device: row.get(0)?,
                sha256: row.get(1)?,
            })
        });
        Ok(row.optional()?)
    }

    /// Whether the journal that a box brought earlier tells of this very item.
    pub(super) fn was_sealed(&self, item: &Listed, device: DeviceId) -> Result<bool, Error> {
        let body = sealed_body(item.id(), item.kind.as_str(), item.size, item.sha256, None);
        let line = "SELECT 1 FROM trap_line WHERE device = ? AND kind = ? AND body = ?";
        let mut line = self.store.sql().prepare_cached(line)?;
        let told = params![device.to_string(), Kind::Sealed.as_str(), canonical(&body)];
        Ok(line.exists(told)?)
    }

    /// Whether an event was taken once and has been erased since.
    pub(super) fn erased(&self, event: EventId) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM taken WHERE event = ?1 AND NOT EXISTS (SELECT 1 FROM item WHERE event = ?1)";
        let mut erased = self.store.sql().prepare_cached(sql)?;
        Ok(erased.exists([event.to_string()])?)
    }

    /// Whether an item is in the store.
    pub(super) fn holds(&self, id: ItemId) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM item WHERE event = ? AND number = ?";
        let mut item = self.store.sql().prepare_cached(sql)?;
        Ok(item.exists(params![id.event.to_string(), id.number])?)
    }

    /// An event's content key, as the desk has wrapped it to its own keys.
    pub fn wrapped(&self, event: EventId) -> Result<Option<Vec<Stanza>>, Error> {
        wrapped(self.store.sql(), event)
    }
}

/// Lets go of the lines of the boxes' journals that are older than `before`: of each box the oldest ones, up to the first
/// that is younger; what a box wrote before its clock was ever set goes with what follows it. The last line that went,
/// of each box.
pub fn forget_lines(tx: &Tx<'_>, before: BoxTime) -> Result<Vec<(String, u64)>, Error> {
    let last = "SELECT device, max(seq) FROM trap_line AS line WHERE time >= '2020' AND time < ?1
                AND NOT EXISTS (SELECT 1 FROM trap_line AS young WHERE young.device = line.device
                                AND young.seq < line.seq AND young.time >= ?1)
                GROUP BY device";
    let found = {
        let mut last = tx.raw().prepare_cached(last)?;
        let rows = last.query_map([before.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<Result<Vec<(String, u64)>, _>>()?
    };
    for (device, seq) in &found {
        let old = "DELETE FROM trap_line WHERE device = ? AND seq <= ?";
        tx.raw().execute(old, params![device, seq])?;
    }
    Ok(found)
}

/// The key that opens what was sealed to these recipients; the service's before the recovery's.
pub fn choose_key<'k>(keys: &'k [OfficeKey], stanzas: &[Stanza]) -> Option<&'k OfficeKey> {
    let fits = |stanza: &Stanza| {
        let mut keys = keys.iter();
        keys.find(|key| key.recipient().fingerprint() == stanza.fingerprint)
    };
    let of_role = |role| {
        stanzas
            .iter()
            .filter(move |stanza| stanza.role == role)
            .find_map(fits)
    };
    of_role(Role::Service).or_else(|| of_role(Role::Recovery))
}

/// An event's content key, as it is wrapped in a desk's database.
pub fn wrapped(sql: &Connection, event: EventId) -> Result<Option<Vec<Stanza>>, Error> {
    let stanzas = "SELECT stanzas FROM wrap WHERE event = ?";
    let row = sql.query_row(stanzas, [event.to_string()], |row| row.get(0));
    let Some(bytes): Option<Vec<u8>> = row.optional()? else {
        return Ok(None);
    };
    let (stanzas, _) = bytes.as_chunks::<STANZA>();
    let stanzas = stanzas.iter().map(Stanza::from_bytes).collect::<Result<_, _>>();
    Ok(Some(stanzas.map_err(crate::vault::seal::Error::from)?))
}

/// The service's secret keys that lie in the keyring of a desk that is served (docs/formats.md §16), by fingerprint and
/// quarter: whoever logs in there opens them, nothing here does.
pub fn in_keyring(sql: &Connection) -> Result<Vec<(Fingerprint, Epoch)>, Error> {
    if !sql.table_exists(None, "office_key")? {
        return Ok(Vec::new());
    }
    let mut query =
        sql.prepare_cached("SELECT fingerprint, epoch FROM office_key ORDER BY epoch, fingerprint")?;
    let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let mut keys = Vec::new();
    for row in rows {
        let (fingerprint, epoch) = row?;
        let damaged = || signed::Error::Damaged("the keyring's list of keys was changed");
        keys.push((
            fingerprint.parse().map_err(|_| damaged())?,
            epoch.parse().map_err(|_| damaged())?,
        ));
    }
    Ok(keys)
}

/// The files of a folder by name; none if it is not there.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io_at(folder))?,
    };
    let mut found = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()
        .map_err(io_at(folder))?;
    found.sort_unstable();
    Ok(found)
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

fn text(path: &Path) -> Result<String, Error> {
    let folder = Folder::open(path.parent().unwrap_or(Path::new("."))).map_err(io_at(path))?;
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    folder.text(name, LONGEST_TEXT).map_err(io_at(path))
}
