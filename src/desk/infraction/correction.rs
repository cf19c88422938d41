//! What a record said before: its former words, with who changed them, when and why.
//!
//! Promises: a statement that took the place of another leaves what stood there, sealed, until the file goes (LIL art.
//! 106). Leaves when that must be to [`super::register::save`].

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::number::CaseNumber;
use super::record::Record;
use super::register::{By, Error, File, parsed};
use crate::desk::cell::{self, Cell, Place};
use crate::desk::keyring::EvidenceKeys;
use crate::frame::BoxTime;
use crate::vault::store::Tx;

/// One statement that was changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Where in the record: `vehicle.first.typed`.
    pub at: String,
    /// What stood there.
    pub before: Value,
}

impl Change {
    pub(super) fn part(&self) -> &str {
        self.at.split('.').next().unwrap_or_default()
    }
}

/// What a record said where it now says something else.
pub(super) fn changes(before: &Record, after: &Record) -> Result<Vec<Change>, Error> {
    let value = |record: &Record| serde_json::to_value(record).map_err(cell::Error::from);
    let mut found = Vec::new();
    differ("", &value(before)?, &value(after)?, &mut found);
    Ok(found)
}

fn differ(at: &str, before: &Value, after: &Value, found: &mut Vec<Change>) {
    match (before, after) {
        (Value::Object(one), Value::Object(other)) => {
            for (name, value) in one {
                let at = if at.is_empty() {
                    name.clone()
                } else {
                    format!("{at}.{name}")
                };
                differ(&at, value, other.get(name).unwrap_or(&Value::Null), found);
            }
            // What is only in the later one stood nowhere before: the shape changed (another origin).
            if one.keys().ne(other.keys()) {
                found.push(Change {
                    at: at.to_owned(),
                    before: before.clone(),
                });
            }
        }
        _ if before != after => found.push(Change {
            at: at.to_owned(),
            before: before.clone(),
        }),
        _ => {}
    }
}

/// A correction: what stood there, who changed it, when and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Former {
    /// What was changed.
    pub changes: Vec<Change>,
    /// Why.
    pub reason: String,
}

/// A correction with its circumstances.
#[derive(Debug, Clone, PartialEq)]
pub struct Correction {
    /// The version that it took the place of.
    pub version: i64,
    /// When.
    pub at: BoxTime,
    /// By which account.
    pub by: String,
    /// What stood there, and why it was changed.
    pub former: Former,
}

fn former_place(row: &str) -> Place<'_> {
    Place {
        table: "infraction_former",
        column: "former",
        row,
    }
}

pub(super) fn keep_former(
    tx: &Tx<'_>,
    by: By<'_>,
    before: &File,
    changes: &[Change],
    reason: &str,
) -> Result<(), Error> {
    let former = Former {
        changes: changes.to_vec(),
        reason: reason.to_owned(),
    };
    let row = format!("{}/{}", before.number, before.version);
    let sealed = cell::seal(&by.keys.cells, former_place(&row), &former)?;
    tx.raw().execute(
        "INSERT INTO infraction_former (number, version, at, by, former_key, former) VALUES (?, ?, ?, ?, ?, ?)",
        params![
            before.number.to_string(),
            before.version,
            by.now.to_string(),
            by.account,
            sealed.wrapped,
            sealed.body
        ],
    )?;
    Ok(())
}

/// The corrections of a file, oldest first.
pub fn corrections(
    sql: &Connection,
    keys: &EvidenceKeys,
    number: &CaseNumber,
) -> Result<Vec<Correction>, Error> {
    let mut query = sql.prepare_cached(
        "SELECT version, at, by, former_key, former FROM infraction_former WHERE number = ? ORDER BY version",
    )?;
    let rows = query.query_map([number.to_string()], |row| {
        let cell = Cell {
            wrapped: row.get(3)?,
            body: row.get(4)?,
        };
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get(2)?, cell))
    })?;
    rows.map(|row| {
        let (version, at, by, cell) = row?;
        Ok(Correction {
            version,
            at: parsed(at)?,
            by,
            former: cell::open(&keys.cells, former_place(&format!("{number}/{version}")), &cell)?,
        })
    })
    .collect()
}
