//! The list of what was erased: by it, nothing comes back with a backup.
//!
//! Promises: an item, an event's images or a file that was erased once is on the list from the transaction on that
//! erased it, by its opaque id, and stays there; each later backup has the list with it, and restoring erases again
//! what is on it before anybody can look ([`crate::desk::backup`]).

use rusqlite::{Connection, params};

use super::Error;
use crate::vault::store::Tx;

/// The class of sealed files in the list, beside those of [`super::plan::Class`].
pub const ITEM: &str = "item";

/// An entry of the list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Erasure {
    /// `item`, or a class of the plan.
    pub class: String,
    /// Its opaque id; of an item, event and number.
    pub id: String,
}

/// Puts something on the list.
pub fn list(tx: &Tx<'_>, class: &str, id: &str) -> Result<(), Error> {
    let insert = "INSERT OR IGNORE INTO erasure (class, id) VALUES (?, ?)";
    tx.raw().execute(insert, params![class, id])?;
    Ok(())
}

/// All of it, in the order in which it went.
pub fn all(db: &Connection) -> rusqlite::Result<Vec<Erasure>> {
    let mut query = db.prepare("SELECT class, id FROM erasure ORDER BY n")?;
    let rows = query.query_map([], |row| {
        Ok(Erasure {
            class: row.get(0)?,
            id: row.get(1)?,
        })
    })?;
    rows.collect()
}
