//! The store: one database, one file per sealed item, one journal, one process at a time.
//!
//! Promises:
//! - a row exists only for an item file that is durable, whole and under its name;
//! - an item's row, its journal line, what the trap writes beside them and the signed head are one
//!   transaction: all or nothing;
//! - the journal is only added to; its oldest lines go only behind a signed checkpoint;
//! - an item leaves only with its row and a journal line that says why, and its file is overwritten;
//! - whatever moment the power goes, opening again finds what was committed, removes what was not,
//!   and writes down that it did;
//! - a full disk is [`Error::Full`], and leaves nothing half-written;
//! - a journal that is not this box's, or was cut or set back, is not continued.
//!
//! Folder mode 0700, files 0600. Leaves checking every byte to [`crate::verify`], and where the
//! folder may lie to the caller, who finds it in [`Store::dir`].

mod certificates;
mod erasing;
mod opening;
mod pruning;
mod staging;
mod transaction;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use serde_json::json;

use super::closing::{self, Announced, Closing, Fixed};
use super::durable;
use super::item::ItemId;
use super::journal::{Clock, Entry, Head, Kind};
use super::keys::{DeviceId, DeviceKey};
use super::seal::Sealed;
use crate::frame::BoxTime;
pub use certificates::{
    CERTIFICATES, Filed, certificate, certificates, count_certificates, youngest_certificates,
};
pub use erasing::Cause;
use opening::{
    closed_in_good_order, connect, exists, is_empty, lock, make_folder, own_head, refuse_anything_else,
    refuse_damaged_log,
};
pub use pruning::{Prunable, Why};
use staging::keep_what_has_a_row;
pub use staging::{ItemFacts, Staged, Staging, copy_hashed, item_files, sealed_body};
pub use transaction::Tx;

/// The database's name in the store's folder.
pub const DATABASE: &str = "vault.db";
/// Its write-ahead log's name (sqlite.org/wal.html).
pub const LOG: &str = "vault.db-wal";
/// The folder of the item files in it.
pub const ITEMS: &str = "items";
/// The file by whose lock a process has the store to itself.
pub const LOCK: &str = "vault.lock";
/// `PRAGMA application_id`: "vgie".
pub const APPLICATION: i32 = 0x7667_6965;
/// `PRAGMA user_version`: the only version there is.
pub const SCHEMA_VERSION: i32 = 1;
/// The tables, as they are made.
pub const SCHEMA: &str = include_str!("schema.sql");

/// What the store keeps free of its disk: room for one event's witnesses, the journal's next lines and
/// SQLite's own files, so that whatever was begun can be ended.
pub const HEAD_ROOM: Room = Room {
    bytes: 64 << 20,
    files: 256,
};

/// What may still be written to a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes.
    pub bytes: u64,
    /// Files; file systems that know no such bound have room for any number.
    pub files: u64,
}

impl Room {
    /// On the disk of the folder `dir`.
    pub fn of(dir: &Path) -> io::Result<Self> {
        let disk = rustix::fs::statvfs(dir)?;
        let files = if disk.f_files == 0 {
            u64::MAX
        } else {
            disk.f_favail
        };
        Ok(Self {
            bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
            files,
        })
    }

    /// Whether there is at least as much of both.
    pub fn holds(self, needed: Self) -> bool {
        self.bytes >= needed.bytes && self.files >= needed.files
    }
}

/// Why the store cannot be had, or did not take something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has it.
    #[error("{}: in use by another vigie; stop it first", .0.display())]
    InUse(PathBuf),
    /// No room. Nothing of what was to be written is left behind.
    #[error("{}: the disk is full", .0.display())]
    Full(PathBuf),
    /// The store belongs to another key.
    #[error("{}: this store is of the box {found}, the key at hand is that of {expected}", dir.display())]
    OtherDevice {
        /// The store's folder.
        dir: PathBuf,
        /// The key's box.
        expected: DeviceId,
        /// The store's box.
        found: DeviceId,
    },
    /// Not what a store looks like; nothing in it is touched.
    #[error("{}: {what}", path.display())]
    NotAStore {
        /// Folder or file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// Written by a later program.
    #[error("{}: store of version {found}; this program knows version {SCHEMA_VERSION}", path.display())]
    Version {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i32,
    },
    /// The journal is not what this box wrote. `vigie verify` says more.
    #[error("{}: the journal cannot be continued: {what}; run vigie verify on it", dir.display())]
    Journal {
        /// The store's folder.
        dir: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// An item of this name is in the store.
    #[error("{0} is already in the store")]
    Duplicate(ItemId),
    /// A file that was to be taken in is not the item that it was said to be.
    #[error("{id}: {what}")]
    NotAsListed {
        /// What it was said to be.
        id: ItemId,
        /// What is wrong.
        what: &'static str,
    },
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A commit failed when it was to be made durable: whether it was, opening the store again tells. Until then
    /// nothing is written, and no item file goes.
    #[error("{}: it is not known whether the last commit is on the disk", .0.display())]
    InDoubt(PathBuf),
    /// The database failed.
    #[error("vault database: {0}")]
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full(PathBuf::from(DATABASE)),
            _ => Self::Database(error),
        }
    }
}

/// Whether a commit that failed may be found whole when the store is opened next: its frames may be in the
/// write-ahead log, where only their sync failed, while this connection has rolled it back.
fn is_in_doubt(failed: &rusqlite::Error) -> bool {
    failed.sqlite_error_code() == Some(rusqlite::ErrorCode::SystemIoFailure)
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| {
        if durable::is_full(&source) {
            Error::Full(path.to_owned())
        } else {
            Error::Io {
                path: path.to_owned(),
                source,
            }
        }
    }
}

/// What opening found of a session that was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// The session before did not end with [`Store::close`].
    pub cut_off: bool,
    /// Names, in the store's folder, of the files that were removed: unfinished ones, and items
    /// without a row.
    pub removed: Vec<String>,
}

/// An open store.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    sql: Connection,
    device: DeviceKey,
    head: Head,
    opened: BoxTime,
    /// Whether this session has written its first line.
    written: bool,
    /// Whether a commit failed of which only opening again can tell whether it is there.
    in_doubt: Cell<bool>,
    recovery: Recovery,
    // Last, so that the lock outlives the connection.
    _lock: File,
}

impl Store {
    /// Opens the store in `dir`, or makes one, for this process alone.
    ///
    /// A session that writes nothing leaves every byte as it was.
    pub fn open(dir: &Path, device: &DeviceKey, now: BoxTime) -> Result<Self, Error> {
        refuse_anything_else(dir)?;
        make_folder(dir)?;
        let lock = lock(dir)?;
        make_folder(&dir.join(ITEMS))?;
        let path = dir.join(DATABASE);
        let new = !exists(&path)?;
        refuse_damaged_log(dir)?;
        let mut sql = connect(&path)?;
        if is_empty(&sql, &path)? {
            create(&mut sql, device, now)?;
            durable::sync_folder(dir).map_err(io_at(dir))?;
            // A session that was killed may have made the folder.
            durable::sync_name(dir).map_err(io_at(dir))?;
        }
        let head = own_head(&sql, dir, device.public())?;
        let mut store = Self {
            dir: dir.to_owned(),
            sql,
            device: device.clone(),
            head,
            opened: now,
            written: new,
            in_doubt: Cell::new(false),
            recovery: Recovery::default(),
            _lock: lock,
        };
        if !new {
            store.recover()?;
        }
        if let Err(error) = store.put_out_certificates() {
            tracing::warn!(%error, "certificates are not put out; they are at the next opening");
        }
        Ok(store)
    }

    /// The store's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The box whose store this is.
    pub fn device(&self) -> DeviceId {
        self.device.id()
    }

    /// What opening had to clear up.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// The journal's head.
    pub fn head(&self) -> Head {
        self.head
    }

    /// The database, for reading. Writing goes through [`Store::transaction`].
    pub fn sql(&self) -> &Connection {
        &self.sql
    }

    /// [`Error::Full`] unless there is [`HEAD_ROOM`]: asked before anything is begun that must be ended.
    pub fn check_room(&self) -> Result<(), Error> {
        match Room::of(&self.dir).map_err(io_at(&self.dir))?.holds(HEAD_ROOM) {
            true => Ok(()),
            false => Err(Error::Full(self.dir.clone())),
        }
    }

    /// When the journal's last line was written, if it says so in a way that can be read.
    pub fn last_time(&self) -> Result<Option<BoxTime>, Error> {
        last_time(&self.sql)
    }

    /// How many items the store holds.
    pub fn items(&self) -> Result<u64, Error> {
        let count = |row: &rusqlite::Row<'_>| row.get(0);
        Ok(self.sql.query_row("SELECT count(*) FROM item", [], count)?)
    }

    /// Makes a sealed item durable, as yet without a row.
    pub fn stage(&self, sealed: Sealed) -> Result<Staged, Error> {
        self.staging().stage(sealed)
    }

    /// What makes items durable, for another thread to have.
    pub fn staging(&self) -> Staging {
        Staging {
            items: self.dir.join(ITEMS),
        }
    }

    /// Makes tables and whatever belongs to them by `schema`, unless all of `names` are there. In a transaction
    /// of the session, which writes down that it began: a change of which no line tells would look like damage
    /// after a power cut.
    pub fn ensure(&mut self, names: &[&str], schema: &str) -> Result<(), Error> {
        let mut there = self.sql.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?")?;
        for name in names {
            if !there.exists([name])? {
                drop(there);
                return self.transaction(|tx| Ok(tx.sql.execute_batch(schema)?));
            }
        }
        Ok(())
    }

    /// Does `work` in one transaction: all of it is committed and durable, with a signed head, or
    /// none. The first one of a session also writes down that the session began.
    pub fn transaction<T, E: From<Error>>(
        &mut self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let (done, head) = self.attempt(work)?;
        self.head = head;
        self.written = true;
        Ok(done)
    }

    fn attempt<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<(T, Head), E> {
        let mut tx = self.begin()?;
        let done = work(&mut tx)?;
        let Tx {
            sql,
            staged,
            erased,
            head,
            ..
        } = tx;
        if head != self.head {
            write_head(&sql, head, &self.device).map_err(Error::from)?;
        }
        let committed = sql.commit();
        if committed.as_ref().is_err_and(is_in_doubt) {
            self.in_doubt.set(true);
        }
        keep_what_has_a_row(&self.sql, staged, committed.is_ok() || self.in_doubt.get());
        committed.map_err(Error::from)?;
        if !erased.is_empty() {
            erasing::settle(&self.sql, &self.dir, &erased);
        }
        Ok((done, head))
    }

    fn begin(&self) -> Result<Tx<'_>, Error> {
        if self.in_doubt.get() {
            return Err(Error::InDoubt(self.dir.join(DATABASE)));
        }
        // Unchecked means that transactions could be nested by mistake: `transaction`
        // takes the store by `&mut`, so they cannot.
        let sql = rusqlite::Transaction::new_unchecked(&self.sql, TransactionBehavior::Immediate)?;
        let mut tx = Tx {
            sql,
            device: self.device.id(),
            staged: Vec::new(),
            erased: Vec::new(),
            head: self.head,
        };
        if !self.written {
            let last = last_time(&tx.sql)?;
            let clock = Clock::judge(self.opened, last);
            let body = json!({"clock": clock, "program": env!("CARGO_PKG_VERSION")});
            let kind = Kind::Opened;
            tx.journal(self.opened, &Entry { kind, body })?;
        }
        Ok(tx)
    }

    /// Ends the session in good order: writes `closed` into the journal, folds the write-ahead log
    /// into the database, and fixes and signs all of it in `vault.head`.
    pub fn close(mut self, now: BoxTime) -> Result<(), Error> {
        if !self.written {
            return Ok(());
        }
        let announced = Announced::new(&self.dir).map_err(io_at(&self.dir))?;
        let items = self.items()?;
        self.transaction(|tx| {
            let body = json!({"items": items});
            let kind = Kind::Closed;
            tx.journal(now, &Entry { kind, body })
        })?;
        self.sql
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        let Self {
            sql,
            dir,
            device,
            head,
            _lock,
            ..
        } = self;
        sql.close().map_err(|(_, error)| Error::from(error))?;
        let path = dir.join(DATABASE);
        let database = Fixed::of(&path).map_err(io_at(&path))?;
        let closing = Closing::new(device.public(), now, head, items, database);
        announced.write(&closing, &device).map_err(|error| match error {
            closing::Error::Io(source) => io_at(&dir.join(closing::NAME))(source),
            _ => Error::NotAStore {
                path: dir.join(closing::NAME),
                what: "cannot be written",
            },
        })
    }

    /// Clears up after a session that was cut off: intent first, then removal.
    fn recover(&mut self) -> Result<(), Error> {
        let cut_off = !closed_in_good_order(&self.dir, &self.sql, self.head)?;
        let leftovers = self.leftovers()?;
        if !cut_off && leftovers.is_empty() {
            return Ok(());
        }
        let body = json!({"cut_off": cut_off, "removed": leftovers});
        let opened = self.opened;
        self.transaction(|tx| {
            let kind = Kind::Recovered;
            tx.journal(opened, &Entry { kind, body })
        })?;
        for name in &leftovers {
            let path = self.dir.join(name);
            durable::erase(&path).map_err(io_at(&path))?;
        }
        self.recovery = Recovery {
            cut_off,
            removed: leftovers,
        };
        Ok(())
    }

    /// Files that a cut-off session left: unfinished ones, and items without a row. What has neither
    /// kind of name is not the store's, and stays.
    fn leftovers(&self) -> Result<Vec<String>, Error> {
        let mut found = BTreeSet::new();
        let mut has_row = self
            .sql
            .prepare("SELECT 1 FROM item WHERE event = ?1 AND number = ?2")?;
        for (folder, prefix) in [(self.dir.clone(), ""), (self.dir.join(ITEMS), "items/")] {
            for entry in fs::read_dir(&folder).map_err(io_at(&folder))? {
                let entry = entry.map_err(io_at(&folder))?;
                let name = entry.file_name();
                let Some(name) = name.to_str() else { continue };
                let left = match ItemId::from_str(name) {
                    _ if name.starts_with(durable::UNFINISHED) => true,
                    Ok(id) if !prefix.is_empty() => {
                        !has_row.exists(params![id.event.to_string(), id.number])?
                    }
                    _ => false,
                };
                let file = entry.file_type().map_err(io_at(&entry.path()))?;
                if left && !file.is_dir() {
                    found.insert(format!("{prefix}{name}"));
                }
            }
        }
        Ok(found.into_iter().collect())
    }
}

fn create(sql: &mut Connection, device: &DeviceKey, now: BoxTime) -> Result<(), Error> {
    let public = device.public();
    let sql = sql.transaction_with_behavior(TransactionBehavior::Immediate)?;
    sql.execute_batch(SCHEMA)?;
    sql.pragma_update(None, "application_id", APPLICATION)?;
    sql.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    sql.execute(
        "INSERT INTO device (one, public_key) VALUES (1, ?)",
        [public.as_bytes()],
    )?;
    let mut tx = Tx {
        sql,
        head: Head::empty(public),
        device: public.id(),
        staged: Vec::new(),
        erased: Vec::new(),
    };
    let entry = Entry {
        kind: Kind::Created,
        body: json!({
            "clock": Clock::judge(now, None),
            "device": public,
            "program": env!("CARGO_PKG_VERSION"),
        }),
    };
    tx.journal(now, &entry)?;
    write_head(&tx.sql, tx.head, device)?;
    Ok(tx.sql.commit()?)
}

/// When the last line was written; nothing if it does not say so in a way that can be read.
fn last_time(sql: &Connection) -> Result<Option<BoxTime>, Error> {
    let last = "SELECT time FROM journal ORDER BY seq DESC LIMIT 1";
    let time: Option<String> = sql.query_row(last, [], |row| row.get(0)).optional()?;
    Ok(time.and_then(|time| time.parse().ok()).map(BoxTime))
}

fn write_head(sql: &Connection, head: Head, device: &DeviceKey) -> rusqlite::Result<()> {
    sql.execute(
        "INSERT INTO head (one, seq, hash, signature) VALUES (1, ?1, ?2, ?3)
         ON CONFLICT (one) DO UPDATE SET seq = ?1, hash = ?2, signature = ?3",
        params![head.seq, head.hash.as_bytes(), head.sign(device)],
    )?;
    Ok(())
}
