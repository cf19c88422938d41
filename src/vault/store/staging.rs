//! Item files: made durable before they have a row, listed, kept as long as a row tells of them.
//!
//! Promises: an item file bears its name only when all its bytes are durable; without a row it does not
//! outlive its [`Staged`], but for a crash, after which the next opening removes it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use rusqlite::{Connection, params};
use serde_json::json;

use super::{Error, ITEMS, io_at};
use crate::frame::{Digest, EventId};
use crate::vault::durable::{self, Existing};
use crate::vault::item::{ItemId, ItemKind};
use crate::vault::keys::DeviceId;
use crate::vault::seal::Sealed;

/// An item file, durable and without a row. Dropped without [`Tx::insert_item`], it is removed.
#[derive(Debug)]
pub struct Staged {
    pub(super) facts: Facts,
    path: Option<PathBuf>,
}

/// What row and line say of an item.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) device: DeviceId,
    pub(super) id: ItemId,
    pub(super) kind: ItemKind,
    pub(super) size: u64,
    pub(super) digest: Digest,
}

impl Staged {
    /// Event and number.
    pub fn id(&self) -> ItemId {
        self.facts.id
    }

    fn keep(&mut self) {
        self.path = None;
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // What cannot be removed now is removed when the store is opened next.
            let _ = fs::remove_file(path);
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
            facts: Facts {
                device: sealed.device(),
                id: sealed.id(),
                kind: sealed.kind(),
                size: sealed.bytes().len() as u64,
                digest: sealed.digest(),
            },
            path: Some(path),
        })
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
/// or in doubt, stays for the next opening.
pub(super) fn keep_what_has_a_row(sql: &Connection, staged: Vec<Staged>, committed: bool) {
    for mut item in staged {
        let row = || {
            sql.prepare("SELECT 1 FROM item WHERE event = ?1 AND number = ?2")?
                .exists(params![item.id().event.to_string(), item.id().number])
        };
        if committed || row().unwrap_or(true) {
            item.keep();
        }
    }
}
