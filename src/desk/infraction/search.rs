//! Finding files, and looking at them.
//!
//! Promises: a plate is found only as a whole, typed reading, by its blind index, among files that agents opened, and
//! with a motive that the journal keeps (no free search: finding I10); lists open no record and show no plate; looking
//! at a file takes a motive once, and leaves a line (LIL art. 101).

use rusqlite::types::Value as Column;
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};
use serde_json::json;

use super::number::CaseNumber;
use super::plate;
use super::record::listed;
use super::register::{By, Error, State, blind_plate, journal, parsed, state_of, time_column};
use crate::frame::{BoxTime, CameraId};
use crate::vault::Kind;
use crate::vault::store::Tx;

/// Files on one page of a list.
pub const PAGE: u64 = 50;

listed! {
    /// Why somebody looks at a file, or for a plate.
    Motive {
        /// To write it.
        Writing = "writing", "Instruction du dossier";
        /// To check somebody else's work.
        Checking = "checking", "Contrôle ou validation";
        /// To send it, or to answer the prosecutor.
        Sending = "sending", "Transmission ou demande du parquet";
        /// Repeated facts by the same vehicle.
        Repeated = "repeated", "Recherche de faits antérieurs du même véhicule";
        /// A person's right.
        Rights = "rights", "Exercice d'un droit (accès, rectification, réclamation)";
        /// Deadlines, holds, erasure.
        Term = "term", "Échéance, gel ou destruction";
    }
}

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// A whole number.
    pub number: Option<CaseNumber>,
    /// A camera.
    pub camera: Option<CameraId>,
    /// Facts not before.
    pub from: Option<BoxTime>,
    /// Facts before.
    pub until: Option<BoxTime>,
    /// A state.
    pub state: Option<State>,
    /// A plate as it was typed.
    pub plate: Option<String>,
}

/// A line of a list: no plate, no place in words, no name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its number.
    pub number: CaseNumber,
    /// Its camera, if it came from one.
    pub camera: Option<String>,
    /// When the facts were.
    pub facts: BoxTime,
    /// Where it stands.
    pub state: State,
    /// By which account it was opened.
    pub opened_by: String,
}

impl Query {
    /// Its conditions, as SQL with its values.
    fn conditions(&self, by: By<'_>) -> (String, Vec<Column>) {
        let mut conditions = vec!["1"];
        let mut values: Vec<Column> = Vec::new();
        let mut add = |condition, value: Column| {
            conditions.push(condition);
            values.push(value);
        };
        if let Some(number) = &self.number {
            add("number = ?", number.to_string().into());
        }
        if let Some(camera) = &self.camera {
            add("camera = ?", camera.to_string().into());
        }
        if let Some(from) = self.from {
            add("facts >= ?", time_column(from).into());
        }
        if let Some(until) = self.until {
            add("facts < ?", time_column(until).into());
        }
        if let Some(state) = self.state {
            add("state = ?", state.as_str().to_owned().into());
        }
        if let Some(typed) = &self.plate {
            let blind = blind_plate(by.keys, &plate::normalised(typed));
            add(
                "number IN (SELECT number FROM infraction_plate WHERE blind = ?)",
                blind.to_vec().into(),
            );
        }
        (conditions.join(" AND "), values)
    }
}

/// How many files fit, and those of the page (from 0), the latest facts first.
pub fn find(sql: &Connection, by: By<'_>, query: &Query, page: u64) -> Result<(u64, Vec<Found>), Error> {
    let (conditions, mut values) = query.conditions(by);
    let count = format!("SELECT count(*) FROM infraction WHERE {conditions}");
    let count = sql
        .prepare_cached(&count)?
        .query_row(params_from_iter(&values), |row| row.get(0))?;
    let list = format!(
        "SELECT number, camera, facts, state, opened_by FROM infraction WHERE {conditions}
         ORDER BY facts DESC, number DESC LIMIT ? OFFSET ?"
    );
    values.push(i64::try_from(PAGE).unwrap_or(i64::MAX).into());
    let offset = page.saturating_mul(PAGE);
    values.push(i64::try_from(offset).unwrap_or(i64::MAX).into());
    let mut list = sql.prepare_cached(&list)?;
    let rows = list.query_map(params_from_iter(&values), |row| {
        Ok((
            row.get::<_, String>(0)?,
            row.get(1)?,
            row.get::<_, String>(2)?,
            row.get::<_, String>(3)?,
            row.get(4)?,
        ))
    })?;
    let found = rows.map(|row| {
        let (number, camera, facts, state, opened_by) = row?;
        Ok(Found {
            number: number.parse().map_err(|_| Error::Damaged(number))?,
            camera,
            facts: parsed(facts)?,
            state: state_of(&state)?,
            opened_by,
        })
    });
    Ok((count, found.collect::<Result<_, Error>>()?))
}

/// Writes down that somebody looked for a plate: with which motive and how many files were found, never the plate.
pub fn searched(tx: &mut Tx<'_>, by: By<'_>, motive: Motive, found: u64) -> Result<(), Error> {
    let body = json!({"account": by.account, "by": "plate", "found": found, "motive": motive.as_str()});
    journal(tx, by, Kind::InfractionSearched, body)
}

/// Writes down that somebody looks at a file, with the motive.
pub fn look(tx: &mut Tx<'_>, by: By<'_>, number: &CaseNumber, motive: Motive) -> Result<(), Error> {
    let there = "SELECT 1 FROM infraction WHERE number = ?";
    if !tx.raw().prepare_cached(there)?.exists([number.to_string()])? {
        return Err(Error::NoSuchFile(number.clone()));
    }
    tx.raw().execute(
        "INSERT INTO infraction_look (number, by, since, motive) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (number, by) DO UPDATE SET since = ?3, motive = ?4",
        params![
            number.to_string(),
            by.account,
            by.now.to_string(),
            motive.as_str()
        ],
    )?;
    let body = json!({"account": by.account, "infraction": number, "motive": motive.as_str()});
    journal(tx, by, Kind::InfractionViewed, body)
}

/// The motive that this account gave for looking at a file since its session began, if it gave one.
pub fn looks(
    sql: &Connection,
    account: &str,
    number: &CaseNumber,
    session_began: BoxTime,
) -> Result<Option<Motive>, Error> {
    let mut query =
        sql.prepare_cached("SELECT since, motive FROM infraction_look WHERE number = ? AND by = ?")?;
    let row = query.query_row(params![number.to_string(), account], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    });
    let Some((since, motive)) = row.optional()? else {
        return Ok(None);
    };
    let motive = Motive::of(&motive).ok_or(Error::Damaged(motive))?;
    Ok((parsed(since)? >= session_began).then_some(motive))
}

/// The last look of each account at a file, the latest first.
pub fn all_looks(sql: &Connection, number: &CaseNumber) -> Result<Vec<(BoxTime, String, Motive)>, Error> {
    let mut query = sql.prepare_cached(
        "SELECT since, by, motive FROM infraction_look WHERE number = ? ORDER BY since DESC, by",
    )?;
    let rows = query.query_map([number.to_string()], |row| {
        Ok((row.get::<_, String>(0)?, row.get(1)?, row.get::<_, String>(2)?))
    })?;
    rows.map(|row| {
        let (since, by, motive) = row?;
        Ok((
            parsed(since)?,
            by,
            Motive::of(&motive).ok_or(Error::Damaged(motive))?,
        ))
    })
    .collect()
}

/// The numbers of all files that fit, the earliest facts first: to be exported.
pub fn numbers(sql: &Connection, by: By<'_>, query: &Query) -> Result<Vec<CaseNumber>, Error> {
    let (conditions, values) = query.conditions(by);
    let all = format!("SELECT number FROM infraction WHERE {conditions} ORDER BY facts, number");
    let mut all = sql.prepare(&all)?;
    let rows = all.query_map(params_from_iter(&values), |row| row.get::<_, String>(0))?;
    rows.map(|text| {
        let text = text?;
        text.parse().map_err(|_| Error::Damaged(text))
    })
    .collect()
}
