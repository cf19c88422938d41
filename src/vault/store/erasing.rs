//! Items that leave the store.
//!
//! Promises: the row and the journal line go first, in one transaction; then the file is overwritten where
//! it lies, and its name taken away; then the write-ahead log is folded into the database and cut, so that
//! neither holds the row any more (SQLite overwrites what it deletes: `secure_delete`). What a crash cuts
//! off here, the next opening ends: a file without a row is a leftover.

use std::path::Path;

use rusqlite::Connection;

use super::{ITEMS, ItemId};
use crate::vault::durable;

/// Why an item left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The desk has it: its return file says so.
    Returned,
    /// Its term is over.
    Expired,
    /// An agent put it aside.
    Discarded,
    /// Another version of it stands in its place, which hides more.
    Superseded,
}

impl Cause {
    /// The stable name, as the journal has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::Expired => "expired",
            Self::Discarded => "discarded",
            Self::Superseded => "superseded",
        }
    }
}

/// Removes the files of items that have no row any more. What cannot be removed now is when the store is
/// opened next.
pub(super) fn settle(sql: &Connection, dir: &Path, erased: &[ItemId]) {
    for id in erased {
        if let Err(error) = durable::erase(&dir.join(ITEMS).join(id.to_string())) {
            tracing::warn!(item = %id, %error, "not removed; it is at the next opening");
        }
    }
    if let Err(error) = sql.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        tracing::warn!(%error, "the write-ahead log is not folded in; it is when the store is closed");
    }
}
