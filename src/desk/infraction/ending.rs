//! How a file ends: what retention must know of it, and its destruction.
//!
//! Promises: neither takes a key, so that what is due goes though nobody is logged in; what is destroyed is destroyed
//! with its wrapped keys, in the caller's transaction, and the copies that went out are named.

use rusqlite::Connection;
use serde_json::json;

use super::number::CaseNumber;
use super::record::OutcomeKind;
use super::register::{Error, parsed};
use crate::frame::BoxTime;
use crate::vault::store::Tx;
use crate::vault::{Entry, Kind};

/// What retention must know of a file: no key is needed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated {
    /// Its number.
    pub number: CaseNumber,
    /// The event that it came from, whose images have a term of their own.
    pub event: Option<String>,
    /// The camera.
    pub camera: Option<String>,
    /// When it was opened.
    pub opened: BoxTime,
    /// When the facts were: its term counts from there.
    pub facts: BoxTime,
    /// The outcome that stands last.
    pub outcome: Option<OutcomeKind>,
}

/// Every file with its dates.
pub fn dated(sql: &Connection) -> Result<Vec<Dated>, Error> {
    let mut query = sql.prepare_cached(
        "SELECT number, event, camera, facts, outcome, opened FROM infraction ORDER BY number",
    )?;
    let rows = query.query_map([], |row| {
        Ok((
            row.get::<_, String>(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get::<_, String>(3)?,
            row.get::<_, Option<String>>(4)?,
            row.get::<_, String>(5)?,
        ))
    })?;
    rows.map(|row| {
        let (number, event, camera, facts, outcome, opened) = row?;
        let damaged = |text: &str| Error::Damaged(text.to_owned());
        Ok(Dated {
            number: number.parse().map_err(|_| damaged(&number))?,
            event,
            camera,
            opened: parsed(opened)?,
            facts: parsed(facts)?,
            outcome: outcome
                .map(|text| OutcomeKind::of(&text).ok_or_else(|| damaged(&text)))
                .transpose()?,
        })
    })
    .collect()
}

/// What an erasure leaves to be done by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destroyed {
    /// The exports that the file was part of, whose copies are to be destroyed where they went.
    pub exports: Vec<String>,
}

/// Destroys a file: record, holder, former words and blind indexes with their keys, its lines in the register of
/// exports and whoever looked at it. `cause` is a word of the retention's. Its number is never given again.
pub fn destroy(tx: &mut Tx<'_>, number: &CaseNumber, cause: &str, now: BoxTime) -> Result<Destroyed, Error> {
    let row = number.to_string();
    let exports: Vec<String> = {
        let mut query = tx
            .raw()
            .prepare_cached("SELECT export FROM infraction_exported WHERE number = ? ORDER BY export")?;
        let rows = query.query_map([&row], |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    for table in ["plate", "holder", "former", "look", "exported"] {
        tx.raw().execute(
            &format!("DELETE FROM infraction_{table} WHERE number = ?"),
            [&row],
        )?;
    }
    // An export of which no file is left says nothing any more but that it was.
    tx.raw().execute(
        "DELETE FROM infraction_export WHERE NOT EXISTS (SELECT 1 FROM infraction_exported WHERE export = id)",
        [],
    )?;
    if tx
        .raw()
        .execute("DELETE FROM infraction WHERE number = ?", [&row])?
        == 0
    {
        return Err(Error::NoSuchFile(number.clone()));
    }
    let body = json!({"cause": cause, "exports": exports, "infraction": number});
    tx.journal(
        now,
        &Entry {
            kind: Kind::InfractionErased,
            body,
        },
    )?;
    Ok(Destroyed { exports })
}

/// Whether anything of a file is still there.
pub fn is_there(sql: &Connection, number: &CaseNumber) -> Result<bool, Error> {
    let row = number.to_string();
    for table in ["", "_plate", "_holder", "_former", "_look", "_exported"] {
        let mut query = sql.prepare(&format!("SELECT 1 FROM infraction{table} WHERE number = ?"))?;
        if query.exists([&row])? {
            return Ok(true);
        }
    }
    Ok(false)
}
