//! Final reports: signed off, sealed at rest, never changed. A correction is another report of the same file.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Error;
use crate::desk::cell::{self, Cell, CellKey, Place};
use crate::frame::{BoxTime, Digest};
use crate::report::Act;
use crate::vault::store::Tx;
use crate::vault::{Entry, Kind};

/// A final report, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedReport {
    /// The infraction file.
    pub infraction: String,
    /// Which one of that file, from 1.
    pub number: u32,
    /// Procès-verbal or rapport.
    pub act: Act,
    /// Of the PDF.
    pub sha256: Digest,
    /// The account that signed it off.
    pub signed_by: String,
    /// When.
    pub signed: BoxTime,
    /// What the slip needs to say.
    pub facts: Facts,
}

/// What a slip says of a report; sealed, for place and offence tell of a person's act.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The day of the facts.
    pub day: Option<jiff::civil::Date>,
    /// Their place.
    pub place: String,
    /// The offence in words.
    pub offence: String,
    /// The NATINF code.
    pub natinf: String,
    /// By which way it goes.
    pub by_way_of: String,
    /// SHA-256 and number of the images at full size in it.
    pub images: Vec<(u32, Digest)>,
}

const TABLE: &str = "sealed_report";

fn place<'r>(column: &'static str, row: &'r str) -> Place<'r> {
    Place {
        table: TABLE,
        column,
        row,
    }
}

/// A final report to keep.
pub struct New<'a> {
    /// The infraction file.
    pub infraction: &'a str,
    /// Procès-verbal or rapport.
    pub act: Act,
    /// Who signed it off.
    pub signed_by: &'a str,
    /// What the slip needs.
    pub facts: &'a Facts,
    /// The PDF.
    pub pdf: &'a [u8],
}

/// Keeps a final report under the evidence key; its number in its file.
pub fn keep(tx: &mut Tx<'_>, evidence: &CellKey, now: BoxTime, new: &New<'_>) -> Result<u32, Error> {
    let last = "SELECT coalesce(max(number), 0) FROM sealed_report WHERE infraction = ?";
    let last: u32 = tx.raw().query_row(last, [new.infraction], |row| row.get(0))?;
    let number = last + 1;
    let row = format!("{}/{number}", new.infraction);
    let facts = cell::seal(evidence, place("facts", &row), new.facts)?;
    let body = cell::seal_bytes(evidence, place("body", &row), new.pdf)?;
    let sha256 = Digest::of(new.pdf);
    tx.raw().execute(
        "INSERT INTO sealed_report (infraction, number, act, sha256, signed_by, signed, facts_key, facts, body_key, body)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            new.infraction,
            number,
            new.act.word(),
            sha256.to_string(),
            new.signed_by,
            now.to_string(),
            facts.wrapped,
            facts.body,
            body.wrapped,
            body.body
        ],
    )?;
    let told = json!({
        "account": new.signed_by, "act": new.act.word(), "infraction": new.infraction, "number": number, "report": sha256
    });
    let entry = Entry {
        kind: Kind::ReportSealed,
        body: told,
    };
    tx.journal(now, &entry)?;
    Ok(number)
}

/// The final reports of a file, the last one first.
pub fn of_file(sql: &Connection, evidence: &CellKey, infraction: &str) -> Result<Vec<SealedReport>, Error> {
    let mut query = sql.prepare_cached(
        "SELECT number, act, sha256, signed_by, signed, facts_key, facts FROM sealed_report
         WHERE infraction = ? ORDER BY number DESC",
    )?;
    let mut rows = query.query([infraction])?;
    let mut reports = Vec::new();
    while let Some(row) = rows.next()? {
        let number: u32 = row.get(0)?;
        let name = format!("{infraction}/{number}");
        let facts = Cell {
            wrapped: row.get(5)?,
            body: row.get(6)?,
        };
        let (act, sha256, signed): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(4)?);
        reports.push(SealedReport {
            infraction: infraction.to_owned(),
            number,
            act: match act.as_str() {
                "proces-verbal" => Act::ProcesVerbal,
                "rapport" => Act::Rapport,
                _ => return Err(Error::Damaged(act)),
            },
            sha256: sha256.parse().map_err(|_| Error::Damaged(sha256))?,
            signed_by: row.get(3)?,
            signed: BoxTime(signed.parse().map_err(|_| Error::Damaged(signed))?),
            facts: cell::open(evidence, place("facts", &name), &facts)?,
        });
    }
    Ok(reports)
}

/// The PDF of a final report.
pub fn pdf(sql: &Connection, evidence: &CellKey, infraction: &str, number: u32) -> Result<Vec<u8>, Error> {
    let name = format!("{infraction}/{number}");
    let query = "SELECT body_key, body FROM sealed_report WHERE infraction = ? AND number = ?";
    let found = sql.query_row(query, params![infraction, number], |row| {
        Ok(Cell {
            wrapped: row.get(0)?,
            body: row.get(1)?,
        })
    });
    let cell = found.optional()?.ok_or_else(|| Error::NotThere(name.clone()))?;
    Ok(cell::open_bytes(evidence, place("body", &name), &cell)?.to_vec())
}
