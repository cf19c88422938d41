//! What the author of a report chooses beside the record: which images, and what is to be said of their limits.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Error;
use crate::desk::cell::{self, Cell, CellKey, Place};
use crate::frame::{BoxTime, Digest};
use crate::vault::store::Tx;
use crate::vault::{Entry, Kind};

/// The choices, sealed under the evidence key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// Images at full size, by SHA-256. None by default.
    pub images: Vec<Digest>,
    /// Whether the event's other images stand in it, small.
    pub others: bool,
    /// Where the author looked at the images.
    pub viewed_at: String,
    /// What the author wants said of the limits.
    pub limits: String,
    /// What goes with it, in words.
    pub annexes: String,
}

fn place(infraction: &str) -> Place<'_> {
    Place {
        table: "report_draft",
        column: "draft",
        row: infraction,
    }
}

/// A file's draft with its version; version 0 of one that nobody has begun.
pub fn read(sql: &Connection, evidence: &CellKey, infraction: &str) -> Result<(i64, Draft), Error> {
    let query = "SELECT version, draft_key, draft FROM report_draft WHERE infraction = ?";
    let found = sql.query_row(query, [infraction], |row| {
        let cell = Cell {
            wrapped: row.get(1)?,
            body: row.get(2)?,
        };
        Ok((row.get(0)?, cell))
    });
    match found.optional()? {
        None => Ok((0, Draft::default())),
        Some((version, cell)) => Ok((version, cell::open(evidence, place(infraction), &cell)?)),
    }
}

/// Keeps a draft in the place of the one that has this version, with the line of whose account it is.
pub fn save(
    tx: &mut Tx<'_>,
    evidence: &CellKey,
    (account, now): (&str, BoxTime),
    infraction: &str,
    version: i64,
    draft: &Draft,
) -> Result<(), Error> {
    let cell = cell::seal(evidence, place(infraction), draft)?;
    let (wrapped, body) = (cell.wrapped, cell.body);
    let changed = match version {
        0 => tx.raw().execute(
            "INSERT OR IGNORE INTO report_draft (infraction, version, draft_key, draft) VALUES (?, 1, ?, ?)",
            params![infraction, wrapped, body],
        )?,
        _ => tx.raw().execute(
            "UPDATE report_draft SET version = version + 1, draft_key = ?, draft = ?
             WHERE infraction = ? AND version = ?",
            params![wrapped, body, infraction, version],
        )?,
    };
    if changed != 1 {
        return Err(Error::Changed(infraction.to_owned()));
    }
    let body = json!({
        "account": account, "images": draft.images, "infraction": infraction, "version": version + 1
    });
    let kind = Kind::ReportDrafted;
    Ok(tx.journal(now, &Entry { kind, body })?)
}
