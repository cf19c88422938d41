//! Item files: made durable before they have a row, listed, kept as long as a row tells of them.
//!
//! Promises: an item file bears its name only when all its bytes are durable; without a row it does not
//! outlive its [`Staged`], but for a crash, after which the next opening removes it.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use rusqlite::{Connection, params};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Error, ITEMS, io_at};
use crate::frame::{Digest, EventId};
use crate::vault::durable::{self, Existing};
use crate::vault::item::{Header, ItemId, ItemKind};
use crate::vault::keys::DeviceId;
use crate::vault::seal::Sealed;

/// An item file, durable and without a row. Dropped without [`super::Tx::insert_item`], it is removed.
#[derive(Debug)]
pub struct Staged {
    pub(super) facts: ItemFacts,
    path: PathBuf,
    kept: bool,
}

/// What row and line say of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemFacts {
    /// The box that sealed it.
    pub device: DeviceId,
    /// Event and number.
    pub id: ItemId,
    /// What it holds.
    pub kind: ItemKind,
    /// Bytes of the file.
    pub size: u64,
    /// SHA-256 of the file.
    pub digest: Digest,
}

impl Staged {
    /// Event and number.
    pub fn id(&self) -> ItemId {
        self.facts.id
    }

    /// SHA-256 of the file.
    pub fn digest(&self) -> Digest {
        self.facts.digest
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed now is removed when the store is opened next.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The part of a store that makes sealed items durable: it needs no database.
#[derive(Debug, Clone)]
pub struct Staging {
    pub(super) items: PathBuf,
}

impl Staging {
    /// Makes a sealed item durable, as yet without a row.
    pub fn stage(&self, sealed: Sealed) -> Result<Staged, Error> {
        let path = self.items.join(sealed.id().to_string());
        durable::write(&path, sealed.bytes(), 0o600, Existing::Refuse).map_err(|source| {
            match source.kind() {
                io::ErrorKind::AlreadyExists => Error::Duplicate(sealed.id()),
                _ => io_at(&path)(source),
            }
        })?;
        Ok(Staged {
            facts: ItemFacts {
                device: sealed.device(),
                id: sealed.id(),
                kind: sealed.kind(),
                size: sealed.bytes().len() as u64,
                digest: sealed.digest(),
            },
            path,
            kept: false,
        })
    }

    /// Makes the item file durable that `source` gives, as yet without a row. In one pass it is hashed, copied, and
    /// read by `open`; whatever `open` made of it, it is refused unless bytes, length and header are those of `facts`.
    pub fn take_in<T>(
        &self,
        source: impl Read,
        facts: ItemFacts,
        open: impl FnOnce(&mut dyn Read) -> T,
    ) -> Result<(Staged, T), Error> {
        let path = self.items.join(facts.id.to_string());
        let refused = |what| Error::NotAsListed { id: facts.id, what };
        let mut file = durable::unfinished(&self.items).map_err(io_at(&self.items))?;
        let mut copying = Copying {
            from: source.take(facts.size.saturating_add(1)),
            to: file.as_file_mut(),
            hash: Sha256::new(),
            size: 0,
            failed: None,
        };
        let opened = open(&mut BufReader::with_capacity(PIECE, &mut copying));
        // What `open` left.
        let rest = io::copy(&mut copying, &mut io::sink());
        let (size, digest) = (copying.size, Digest::from_bytes(copying.hash.finalize().into()));
        if let Some(error) = copying.failed.or(rest.err()) {
            return Err(io_at(&path)(error));
        }
        if (size, digest) != (facts.size, facts.digest) {
            return Err(refused("its bytes are others"));
        }
        let mut again = file.reopen().map_err(io_at(&path))?;
        let header = Header::read(&mut again).map_err(|_| refused("it is no item"))?;
        if (header.device, header.id, header.kind) != (facts.device, facts.id, facts.kind)
            || header.check_length(size).is_err()
        {
            return Err(refused("its header is that of another item"));
        }
        durable::finish(file, &path, 0o600, Existing::Refuse).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => Error::Duplicate(facts.id),
            _ => io_at(&path)(source),
        })?;
        let staged = Staged {
            facts,
            path,
            kept: false,
        };
        Ok((staged, opened))
    }
}

/// What is read through it is copied and hashed.
struct Copying<'f, R> {
    from: R,
    to: &'f mut File,
    hash: Sha256,
    size: u64,
    /// Why a copy is not whole.
    failed: Option<io::Error>,
}

impl<R: Read> Read for Copying<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.from.read(buffer)?;
        self.hash.update(&buffer[..length]);
        self.size += length as u64;
        match self.to.write_all(&buffer[..length]) {
            Ok(()) => Ok(length),
            Err(error) => {
                let told = io::Error::from(error.kind());
                self.failed = Some(error);
                Err(told)
            }
        }
    }
}

/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// Copies to the end; how many bytes there were, and their SHA-256.
pub fn copy_hashed(mut from: impl Read, to: &mut impl Write) -> io::Result<(u64, Digest)> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut size = 0;
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok((size, Digest::from_bytes(hash.finalize().into()))),
            Ok(length) => {
                hash.update(&piece[..length]);
                to.write_all(&piece[..length])?;
                size += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The body of a `sealed` line: everything that the item's row says, and the box that sealed it where
/// that is not the one that keeps the store.
pub fn sealed_body(
    id: ItemId,
    kind: &str,
    size: u64,
    digest: Digest,
    by_another: Option<DeviceId>,
) -> serde_json::Value {
    let mut body = json!({
        "event": id.event,
        "kind": kind,
        "number": id.number,
        "sha256": digest,
        "size": size,
    });
    if let Some(device) = by_another {
        body["device"] = json!(device);
    }
    body
}

/// The item files in the store `dir`, of one event or of all, by event and number. Needs neither
/// database nor key: an item file says what it is.
pub fn item_files(dir: &Path, event: Option<EventId>) -> Result<Vec<(ItemId, PathBuf)>, Error> {
    let folder = dir.join(ITEMS);
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).map_err(io_at(&folder))? {
        let entry = entry.map_err(io_at(&folder))?;
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| ItemId::from_str(name).ok());
        found.extend(id.map(|id| (id, entry.path())));
    }
    found.retain(|(id, _)| event.is_none_or(|event| id.event == event));
    found.sort();
    Ok(found)
}

/// After a commit that failed, the rows say whether it did: an item without one goes, one with a row,
/// or of a commit that is in doubt, stays for the next opening.
pub(super) fn keep_what_has_a_row(sql: &Connection, staged: Vec<Staged>, may_be_committed: bool) {
    for mut item in staged {
        let row = || {
            sql.prepare("SELECT 1 FROM item WHERE event = ?1 AND number = ?2")?
                .exists(params![item.id().event.to_string(), item.id().number])
        };
        if may_be_committed || row().unwrap_or(true) {
            item.keep();
        }
    }
}
