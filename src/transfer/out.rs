//! The box's half of the way out: a bundle, written onto a stick.
//!
//! Promises: the folder has an unfinished name until every file in it, and last of all its contents document,
//! is durable; the journal's line `transferred` is committed before it is renamed, so that nothing is out
//! without a record; whatever happens before that leaves nothing that the desk would take, and the next
//! writing clears it. Nothing is asked of the stick but files, folders and renaming: no rights, no links, no
//! two names that differ by case. The bytes of each item are checked on the way; a damaged one stays, and is
//! named. The box's store is only read but for its record.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::contents::{Contents, Excerpt, FileFacts, Listed, ListedName};
use super::{BundleName, CONTENTS, DRILL, Error, Folder, JOURNAL, MOST_ITEMS, drill, io_at};
use crate::frame::{BoxTime, Digest};
use crate::vault::durable::{UNFINISHED, is_full, sync_folder};
use crate::vault::export::{self, Header, Last, Signed};
use crate::vault::item::ItemId;
use crate::vault::journal::{Head, Line, genesis};
use crate::vault::store::{self, ITEMS, Tx, copy_hashed};
use crate::vault::{DeviceKey, Entry, Kind, Recipient, Store, signed};

/// Bytes that a stick may lose on each file: the largest common cluster of FAT and exFAT.
const CLUSTER: u64 = 128 << 10;

/// The box's record of its bundles and of the desk's answers.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS bundle (
    number   INTEGER PRIMARY KEY,
    contents TEXT NOT NULL,
    answer   TEXT NOT NULL,
    keys     TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS return_file (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    number INTEGER NOT NULL,
    text   TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS proven_key (
    fingerprint TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
";

/// Makes the box's tables where they are not there yet.
pub(super) fn prepare(store: &mut Store) -> Result<(), store::Error> {
    store.ensure(&["bundle", "return_file", "proven_key"], SCHEMA)
}

/// A bundle that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its name.
    pub name: BundleName,
    /// Items in it.
    pub items: usize,
    /// Bytes of all its files but the contents.
    pub bytes: u64,
    /// Items that are not in it, because their files are not what was sealed.
    pub damaged: Vec<ItemId>,
}

/// Writes everything that the desk has not answered yet into a new bundle in `target`.
pub fn write(
    store: &mut Store,
    device: &DeviceKey,
    recipients: &[Recipient],
    target: &Path,
    now: BoxTime,
) -> Result<Written, Error> {
    prepare(store)?;
    let on_stick = Folder::open(target).map_err(io_at(target))?;
    let before = clear(&on_stick, device)?;
    let number = last_number(store.sql())?.map_or(1, |last| last + 1);
    let name = BundleName {
        device: device.id(),
        number,
    };
    let items = items(store.sql())?;
    refuse_without_room(target, store.sql(), &items)?;
    let (drill, answer) = drill::make(device.id(), recipients)?;
    let folder = Unfinished::new(target, name)?;
    let (items, damaged) = folder.items(store, items)?;
    let drill = folder.file(DRILL, |out| {
        out.write_all(drill.bytes())?;
        Ok(FileFacts {
            sha256: drill.digest(),
            size: drill.bytes().len() as u64,
        })
    })?;
    let journal = folder.journal(store, device, acknowledged(store.sql())?)?;
    let contents = Contents {
        bundle: number,
        damaged,
        device: device.id(),
        device_key: device.public().clone(),
        drill,
        items,
        journal,
        made: now,
        program: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let text = signed::sign(&contents, device)?;
    folder.file(CONTENTS, |out| out.write_all(text.as_bytes()))?;
    sync_folder(&folder.path).map_err(io_at(&folder.path))?;
    store.transaction(|tx| record(tx, now, &contents, &text, answer, recipients))?;
    folder.finish()?;
    for old in before {
        remove(&on_stick, &old);
    }
    Ok(Written {
        name,
        items: contents.items.len(),
        bytes: contents.size(),
        damaged: contents.damaged.into_iter().map(ItemId::from).collect(),
    })
}

/// Clears what an interrupted writing of this box left; the names of its whole bundles, which the next one
/// stands for.
fn clear(on_stick: &Folder, device: &DeviceKey) -> Result<Vec<String>, Error> {
    let path = on_stick.path();
    let unfinished = format!("{UNFINISHED}vigie-{}-", device.id());
    let mut whole = Vec::new();
    for name in on_stick.names().map_err(io_at(path))? {
        if name.starts_with(&unfinished) {
            let left = path.join(&name);
            let removed = match left.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
                true => fs::remove_dir_all(&left),
                false => fs::remove_file(&left),
            };
            removed.map_err(io_at(&left))?;
        } else if name
            .parse()
            .is_ok_and(|name: BundleName| name.device == device.id())
        {
            whole.push(name);
        }
    }
    Ok(whole)
}

/// Removes a bundle that a later one stands for: only what a bundle holds, and never through a link.
fn remove(on_stick: &Folder, bundle: &str) {
    let removed = on_stick.within(bundle).and_then(|folder| {
        for name in folder.names()? {
            if [CONTENTS, DRILL, JOURNAL].contains(&&*name) || name.parse::<ItemId>().is_ok() {
                fs::remove_file(folder.path().join(name))?;
            }
        }
        fs::remove_dir(folder.path())
    });
    if let Err(error) = removed {
        tracing::warn!(bundle, %error, "an older bundle stays on the stick");
    }
}

/// The number of the last bundle that the box wrote.
pub fn last_number(sql: &Connection) -> rusqlite::Result<Option<u64>> {
    // A store that never wrote one has no such table, and whoever only reads makes none.
    if !sql.table_exists(None, "bundle")? {
        return Ok(None);
    }
    sql.query_row("SELECT max(number) FROM bundle", [], |row| row.get(0))
}

/// The last line that the desk has answered; nothing before its first answer.
fn acknowledged(sql: &Connection) -> Result<Option<Head>, Error> {
    Ok(super::returning::last(sql)?.map(|last| last.head))
}

fn items(sql: &Connection) -> Result<Vec<Listed>, Error> {
    let mut query =
        sql.prepare("SELECT event, number, kind, size, sha256 FROM item ORDER BY event, number LIMIT ?")?;
    let rows = query.query_map([MOST_ITEMS as u64], |row| {
        let text = |nth| -> rusqlite::Result<serde_json::Value> { Ok(row.get::<_, String>(nth)?.into()) };
        let value = json!({
            "event": text(0)?,
            "kind": text(2)?,
            "number": row.get::<_, u32>(1)?,
            "sha256": text(4)?,
            "size": row.get::<_, u64>(3)?,
        });
        serde_json::from_value(value).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Looked at first: a stick that is full in the middle costs the agent a way.
fn refuse_without_room(target: &Path, sql: &Connection, items: &[Listed]) -> Result<(), Error> {
    let fs = rustix::fs::statvfs(target).map_err(|errno| io_at(target)(errno.into()))?;
    let free = fs.f_bavail.saturating_mul(fs.f_frsize);
    // Names, numbers, two hashes and punctuation of a line of journal.
    let lines = "SELECT coalesce(sum(300 + 2 * length(body)), 0) FROM journal";
    let lines: u64 = sql.query_row(lines, [], |row| row.get(0))?;
    let sealed = items.iter().map(|item| item.size + CLUSTER + 200);
    let needed = sealed.fold(lines + 4 * CLUSTER, u64::saturating_add);
    match needed <= free {
        true => Ok(()),
        false => Err(Error::NoRoom {
            path: target.to_owned(),
            needed,
            free,
        }),
    }
}

fn record(
    tx: &mut Tx<'_>,
    now: BoxTime,
    contents: &Contents,
    text: &str,
    answer: Digest,
    recipients: &[Recipient],
) -> Result<(), Error> {
    let digest = signed::digest(text);
    let keys = recipients.iter().map(|key| key.fingerprint().to_string());
    tx.raw().execute(
        "INSERT INTO bundle (number, contents, answer, keys) VALUES (?, ?, ?, ?)",
        params![
            contents.bundle,
            digest.to_string(),
            answer.to_string(),
            keys.collect::<Vec<_>>().join(" "),
        ],
    )?;
    let body = json!({
        "bundle": contents.bundle,
        "contents": digest,
        "damaged": contents.damaged.len(),
        "head": contents.journal.head,
        "items": contents.items.len(),
    });
    let kind = Kind::Transferred;
    Ok(tx.journal(now, &Entry { kind, body })?)
}

/// A bundle's folder under its unfinished name; removed when dropped.
struct Unfinished {
    path: PathBuf,
    whole: PathBuf,
    finished: bool,
}

impl Unfinished {
    fn new(target: &Path, name: BundleName) -> Result<Self, Error> {
        let whole = target.join(name.to_string());
        if whole.symlink_metadata().is_ok() {
            return Err(io_at(&whole)(io::ErrorKind::AlreadyExists.into()));
        }
        let path = target.join(format!("{UNFINISHED}{name}"));
        fs::create_dir(&path).map_err(io_at(&path))?;
        Ok(Self {
            path,
            whole,
            finished: false,
        })
    }

    /// Writes a new file and makes it durable.
    fn file<T>(
        &self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
    ) -> Result<T, Error> {
        let path = self.path.join(name);
        let write_all = || {
            let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
            let mut out = BufWriter::with_capacity(1 << 16, file);
            let done = write(&mut out)?;
            out.into_inner()
                .map_err(io::IntoInnerError::into_error)?
                .sync_all()?;
            Ok(done)
        };
        write_all().map_err(|source: io::Error| match is_full(&source) {
            true => Error::NoRoom {
                path: path.clone(),
                needed: 0,
                free: 0,
            },
            false => io_at(&path)(source),
        })
    }

    /// Copies the items; those whose files are not what was sealed are listed apart.
    fn items(&self, store: &Store, items: Vec<Listed>) -> Result<(Vec<Listed>, Vec<ListedName>), Error> {
        let (mut whole, mut damaged) = (Vec::with_capacity(items.len()), Vec::new());
        for item in items {
            let name = item.id().to_string();
            let from = File::open(store.dir().join(ITEMS).join(&name));
            let copied = self.file(&name, |out| match from {
                Ok(from) => copy_hashed(from, out).map(Some),
                Err(error) => {
                    tracing::error!(item = %name, %error, "an item cannot be read");
                    Ok(None)
                }
            })?;
            if copied == Some((item.size, item.sha256)) {
                whole.push(item);
            } else {
                let path = self.path.join(&name);
                fs::remove_file(&path).map_err(io_at(&path))?;
                damaged.push(ListedName {
                    event: item.event,
                    number: item.number,
                });
            }
        }
        Ok((whole, damaged))
    }

    /// Writes the journal from behind `acknowledged` to its head.
    fn journal(
        &self,
        store: &Store,
        device: &DeviceKey,
        acknowledged: Option<Head>,
    ) -> Result<Excerpt, Error> {
        let sql = store.sql();
        let seen = acknowledged.map_or(0, |head| head.seq);
        let first = "SELECT seq - 1, prev FROM journal WHERE seq > ? ORDER BY seq LIMIT 1";
        let after = sql.query_row(first, [seen], |row| {
            Ok(Head {
                seq: row.get(0)?,
                hash: Digest::from_bytes(row.get(1)?),
            })
        });
        let none_since = acknowledged.unwrap_or_else(|| Head {
            seq: 0,
            hash: genesis(device.public()),
        });
        let after = after.optional()?.unwrap_or(none_since);
        let (head, signature) = sql.query_row("SELECT seq, hash, signature FROM head", [], |row| {
            let head = Head {
                seq: row.get(0)?,
                hash: Digest::from_bytes(row.get(1)?),
            };
            Ok((head, row.get::<_, [u8; 64]>(2)?))
        })?;
        let header = Header {
            export: export::FORMAT.to_owned(),
            device: device.id(),
            device_key: device.public().clone(),
            after,
            checkpoint: None,
        };
        let last = Last {
            head: Signed {
                seq: head.seq,
                hash: head.hash,
                signature: hex::encode(signature),
            },
        };
        let (size, sha256) = self.file(JOURNAL, |out| {
            let mut out = Counted::new(out);
            export::write_line(&mut out, &header)?;
            lines(sql, after.seq, |line| export::write_line(&mut out, &line))?;
            export::write_line(&mut out, &last)?;
            Ok((out.size, Digest::from_bytes(out.hash.finalize().into())))
        })?;
        Ok(Excerpt {
            after,
            head,
            sha256,
            size,
        })
    }

    fn finish(mut self) -> Result<(), Error> {
        fs::rename(&self.path, &self.whole).map_err(io_at(&self.whole))?;
        self.finished = true;
        let target = self.whole.parent().unwrap_or(Path::new("."));
        sync_folder(target).map_err(io_at(target))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            // What cannot be removed now is cleared by the next writing.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn lines(sql: &Connection, after: u64, mut each: impl FnMut(Line) -> io::Result<()>) -> io::Result<()> {
    let query = "SELECT seq, time, kind, body, prev, hash FROM journal WHERE seq > ? ORDER BY seq";
    let mut query = sql.prepare(query).map_err(io::Error::other)?;
    let mut rows = query.query([after]).map_err(io::Error::other)?;
    while let Some(row) = rows.next().map_err(io::Error::other)? {
        each(Line::of_row(row).map_err(io::Error::other)?)?;
    }
    Ok(())
}

/// Counts and hashes what is written through it.
struct Counted<W> {
    out: W,
    size: u64,
    hash: Sha256,
}

impl<W> Counted<W> {
    fn new(out: W) -> Self {
        Self {
            out,
            size: 0,
            hash: Sha256::new(),
        }
    }
}

impl<W: io::Write> io::Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.out.write(bytes)?;
        self.hash.update(&bytes[..length]);
        self.size += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
