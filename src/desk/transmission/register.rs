//! The register of transmissions: asked, approved or refused by another, made, sent, acknowledged.

use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Error;
use crate::desk::cell::{self, Cell, CellKey, Place};
use crate::frame::{BoxTime, Digest};
use crate::report::approval::{Approved, Chosen, Request};
use crate::report::package::Package;
use crate::vault::store::Tx;
use crate::vault::{Entry, Kind};

/// How far a transmission has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Somebody asked.
    Asked,
    /// Another one refused.
    Refused,
    /// Another one approved.
    Approved,
    /// The package was made.
    Made,
    /// It was sent.
    Sent,
    /// The recipient acknowledged it.
    Received,
}

impl State {
    const ALL: [Self; 6] = [
        Self::Asked,
        Self::Refused,
        Self::Approved,
        Self::Made,
        Self::Sent,
        Self::Received,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Refused => "refused",
            Self::Approved => "approved",
            Self::Made => "made",
            Self::Sent => "sent",
            Self::Received => "received",
        }
    }

    /// As it stands on screen.
    pub const fn french(self) -> &'static str {
        match self {
            Self::Asked => "À approuver",
            Self::Refused => "Refusée",
            Self::Approved => "Approuvée",
            Self::Made => "Paquet établi",
            Self::Sent => "Envoyée",
            Self::Received => "Reçue",
        }
    }

    fn of(word: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == word);
        found.ok_or_else(|| Error::Damaged(word.to_owned()))
    }
}

/// What is sealed of a transmission, under the register key: whoever keeps the register can read it, and it names no
/// person concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// To whom.
    pub recipient: String,
    /// Why.
    pub motive: String,
    /// Which final report, by number and SHA-256.
    pub report: (u32, Digest),
    /// Which images, by SHA-256.
    pub images: Vec<Digest>,
    /// Whether a part of the journal goes with it.
    pub journal: bool,
    /// Why it was refused.
    pub refusal: String,
    /// On what it was carried.
    pub carrier: String,
    /// What the recipient answered: registration number, who.
    pub acknowledgement: String,
    /// What became of the service's own copies once the file was destroyed.
    #[serde(default)]
    pub copies: String,
}

/// A line of the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmission {
    /// `2026-T-0007`.
    pub number: String,
    /// The infraction file.
    pub infraction: String,
    /// How far it has come.
    pub state: State,
    /// How often it was changed.
    pub version: i64,
    /// Who asked, and when.
    pub asked: (String, BoxTime),
    /// Who approved or refused, and when.
    pub decided: Option<(String, BoxTime)>,
    /// When the package was made, its SHA-256, and whether it is encrypted.
    pub made: Option<(BoxTime, Digest, bool)>,
    /// When it was sent.
    pub sent: Option<BoxTime>,
    /// When the recipient had it.
    pub received: Option<BoxTime>,
    /// The rest.
    pub words: Words,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// The infraction file.
    pub infraction: &'a str,
    /// To whom.
    pub recipient: &'a str,
    /// Why.
    pub motive: &'a str,
    /// Which final report, if it was ticked.
    pub report: Option<(u32, Digest)>,
    /// Which images were ticked.
    pub images: Vec<Digest>,
    /// Whether the part of the journal was ticked.
    pub journal: bool,
}

/// Who does something, when.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// The account.
    pub account: &'a str,
    /// The key of the register.
    pub register: &'a CellKey,
    /// When.
    pub now: BoxTime,
}

impl Transmission {
    /// What two persons agreed on; refused where they are one, or where nobody has approved.
    pub fn approved(&self) -> Result<Approved, Error> {
        let (approver, at) = match (&self.decided, self.state) {
            (Some(decided), state) if state >= State::Approved => decided,
            _ => return Err(Error::State(self.number.clone(), self.state.as_str())),
        };
        Ok(self.request()?.approve(approver, *at)?)
    }

    fn request(&self) -> Result<Request, Error> {
        let words = &self.words;
        let chosen = Chosen {
            report: Some(words.report.1),
            images: words.images.iter().copied().collect(),
            journal: words.journal,
        };
        let (requester, asked) = &self.asked;
        Ok(Request::new(
            requester,
            *asked,
            &words.recipient,
            &words.motive,
            chosen,
        )?)
    }
}

/// Asks for a package; its number.
pub fn ask(tx: &mut Tx<'_>, by: By<'_>, asked: &Asked<'_>, year: i16) -> Result<String, Error> {
    let chosen = Chosen {
        report: asked.report.map(|report| report.1),
        images: asked.images.iter().copied().collect(),
        journal: asked.journal,
    };
    let request = Request::new(by.account, by.now, asked.recipient, asked.motive, chosen)?;
    // A request without a report was refused just now.
    let report = asked.report.ok_or(crate::report::approval::Refused::NoReport)?;
    let next = "INSERT INTO transmission_counter (year, last) VALUES (?, 1)
                ON CONFLICT (year) DO UPDATE SET last = last + 1 RETURNING last";
    let counter: u32 = tx.raw().query_row(next, [year], |row| row.get(0))?;
    let number = format!("{year}-T-{counter:04}");
    let words = Words {
        recipient: request.recipient().to_owned(),
        motive: request.motive().to_owned(),
        report,
        images: request.chosen().images.iter().copied().collect(),
        journal: asked.journal,
        refusal: String::new(),
        carrier: String::new(),
        acknowledgement: String::new(),
        copies: String::new(),
    };
    let cell = cell::seal(by.register, place(&number), &words)?;
    tx.raw().execute(
        "INSERT INTO transmission (number, infraction, state, version, asked_by, asked, words_key, words)
         VALUES (?, ?, ?, 1, ?, ?, ?, ?)",
        params![
            number,
            asked.infraction,
            State::Asked.as_str(),
            by.account,
            by.now.to_string(),
            cell.wrapped,
            cell.body
        ],
    )?;
    let told = json!({
        "images": words.images, "infraction": asked.infraction, "journal": words.journal, "report": words.report.1
    });
    journal(tx, by, Kind::PackageAsked, &number, told)?;
    Ok(number)
}

/// Approves what another asked for.
pub fn approve(tx: &mut Tx<'_>, by: By<'_>, number: &str, version: i64) -> Result<(), Error> {
    let before = at(tx, by, number, version, &[State::Asked])?;
    before.request()?.approve(by.account, by.now)?;
    decide(tx, by, &before, State::Approved, &before.words)?;
    journal(tx, by, Kind::PackageApproved, number, json!({}))
}

/// Refuses it, with a reason. Whoever asked may take it back so.
pub fn refuse(tx: &mut Tx<'_>, by: By<'_>, number: &str, version: i64, why: &str) -> Result<(), Error> {
    let before = at(tx, by, number, version, &[State::Asked, State::Approved])?;
    let words = Words {
        refusal: why.to_owned(),
        ..before.words.clone()
    };
    decide(tx, by, &before, State::Refused, &words)?;
    journal(tx, by, Kind::PackageRefused, number, json!({}))
}

fn decide(tx: &Tx<'_>, by: By<'_>, before: &Transmission, to: State, words: &Words) -> Result<(), Error> {
    let decided = "UPDATE transmission SET decided_by = ?, decided = ? WHERE number = ?";
    tx.raw()
        .execute(decided, params![by.account, by.now.to_string(), before.number])?;
    step(tx, by, before, to, words)
}

/// Keeps the package that was made of what was approved, sealed under the evidence key.
pub fn made(
    tx: &mut Tx<'_>,
    by: By<'_>,
    evidence: &CellKey,
    (number, version): (&str, i64),
    (package, encrypted): (&Package, bool),
) -> Result<(), Error> {
    let before = at(tx, by, number, version, &[State::Approved])?;
    let contents = cell::seal(evidence, package_place("contents", number), &package.contents)?;
    let body = cell::seal_bytes(evidence, package_place("body", number), &package.zip)?;
    tx.raw().execute(
        "INSERT INTO package (transmission, contents_key, contents, body_key, body) VALUES (?, ?, ?, ?, ?)",
        params![number, contents.wrapped, contents.body, body.wrapped, body.body],
    )?;
    let update = "UPDATE transmission SET made = ?, sha256 = ?, encrypted = ? WHERE number = ?";
    let sha256 = package.sha256.to_string();
    tx.raw()
        .execute(update, params![by.now.to_string(), sha256, encrypted, number])?;
    step(tx, by, &before, State::Made, &before.words)?;
    let told = json!({
        "contents": Digest::of(package.contents.as_bytes()), "encrypted": encrypted, "package": package.sha256
    });
    journal(tx, by, Kind::PackageMade, number, told)
}

/// Keeps the package with a time stamp in the place of the one without, before it is sent.
pub fn stamped(
    tx: &mut Tx<'_>,
    by: By<'_>,
    evidence: &CellKey,
    (number, version): (&str, i64),
    package: &Package,
) -> Result<(), Error> {
    let before = at(tx, by, number, version, &[State::Made])?;
    let body = cell::seal_bytes(evidence, package_place("body", number), &package.zip)?;
    let update = "UPDATE package SET body_key = ?, body = ? WHERE transmission = ?";
    tx.raw()
        .execute(update, params![body.wrapped, body.body, number])?;
    let update = "UPDATE transmission SET sha256 = ? WHERE number = ?";
    tx.raw()
        .execute(update, params![package.sha256.to_string(), number])?;
    step(tx, by, &before, State::Made, &before.words)?;
    let told = json!({"package": package.sha256});
    journal(tx, by, Kind::PackageStamped, number, told)
}

/// Writes down that it was sent, and on what.
pub fn sent(tx: &mut Tx<'_>, by: By<'_>, number: &str, version: i64, carrier: &str) -> Result<(), Error> {
    let before = at(tx, by, number, version, &[State::Made])?;
    let update = "UPDATE transmission SET sent = ? WHERE number = ?";
    tx.raw().execute(update, params![by.now.to_string(), number])?;
    let words = Words {
        carrier: carrier.to_owned(),
        ..before.words.clone()
    };
    step(tx, by, &before, State::Sent, &words)?;
    journal(tx, by, Kind::PackageSent, number, json!({}))
}

/// Writes down the recipient's acknowledgement.
pub fn received(tx: &mut Tx<'_>, by: By<'_>, number: &str, version: i64, answer: &str) -> Result<(), Error> {
    let before = at(tx, by, number, version, &[State::Sent])?;
    let update = "UPDATE transmission SET received = ? WHERE number = ?";
    tx.raw().execute(update, params![by.now.to_string(), number])?;
    let words = Words {
        acknowledgement: answer.to_owned(),
        ..before.words.clone()
    };
    step(tx, by, &before, State::Received, &words)?;
    journal(tx, by, Kind::PackageReceived, number, json!({}))
}

/// Writes down what became of the copies that the service itself kept of a package, once its file was destroyed.
pub fn copies_gone(tx: &mut Tx<'_>, by: By<'_>, number: &str, version: i64, how: &str) -> Result<(), Error> {
    let before = at(
        tx,
        by,
        number,
        version,
        &[State::Made, State::Sent, State::Received],
    )?;
    if !is_orphan(tx.raw(), &before.infraction)? {
        return Err(Error::State(number.to_owned(), before.state.as_str()));
    }
    let words = Words {
        copies: how.to_owned(),
        ..before.words.clone()
    };
    step(tx, by, &before, before.state, &words)?;
    journal(tx, by, Kind::PackageCopiesGone, number, json!({}))
}

/// Whether the infraction file is there no more.
pub fn is_orphan(sql: &Connection, infraction: &str) -> Result<bool, Error> {
    let mut there = sql.prepare_cached("SELECT 1 FROM infraction WHERE number = ?")?;
    Ok(!there.exists([infraction])?)
}

/// Packages whose file was destroyed, of which nobody has said what became of the service's own copies.
pub fn copies_left(sql: &Connection, register: &CellKey) -> Result<Vec<Transmission>, Error> {
    // Those whose file is there are not opened.
    let which = "WHERE made IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM infraction WHERE infraction.number = transmission.infraction)
                 ORDER BY asked DESC, number DESC";
    let mut left = asked(sql, register, which, &[])?;
    left.retain(|one| one.words.copies.is_empty());
    Ok(left)
}

/// Lets go of the lines of the register whose last step lies before `before` and whose infraction file is destroyed;
/// their numbers.
pub fn forget(tx: &Tx<'_>, before: BoxTime) -> Result<Vec<String>, Error> {
    // A desk that never had pages has no such table.
    if !tx.raw().table_exists(None, "transmission")? {
        return Ok(Vec::new());
    }
    let old = "DELETE FROM transmission WHERE coalesce(received, sent, made, decided, asked) < ?
               AND NOT EXISTS (SELECT 1 FROM infraction WHERE infraction.number = transmission.infraction)
               AND NOT EXISTS (SELECT 1 FROM package WHERE package.transmission = transmission.number)
               RETURNING number";
    let mut old = tx.raw().prepare_cached(old)?;
    let numbers = old.query_map([before.to_string()], |row| row.get(0))?;
    Ok(numbers.collect::<Result<_, _>>()?)
}

/// The package's archive.
pub fn zip(sql: &Connection, evidence: &CellKey, number: &str) -> Result<Vec<u8>, Error> {
    let cell = package_cell(sql, "body", number)?;
    Ok(cell::open_bytes(evidence, package_place("body", number), &cell)?.to_vec())
}

/// The package's signed contents.
pub fn contents(sql: &Connection, evidence: &CellKey, number: &str) -> Result<String, Error> {
    let cell = package_cell(sql, "contents", number)?;
    Ok(cell::open(evidence, package_place("contents", number), &cell)?)
}

fn package_cell(sql: &Connection, column: &'static str, number: &str) -> Result<Cell, Error> {
    let query = format!("SELECT {column}_key, {column} FROM package WHERE transmission = ?");
    let found = sql.query_row(&query, [number], |row| {
        Ok(Cell {
            wrapped: row.get(0)?,
            body: row.get(1)?,
        })
    });
    found
        .optional()?
        .ok_or_else(|| Error::NotThere(number.to_owned()))
}

const COLUMNS: &str =
    "SELECT number, infraction, state, version, asked_by, asked, decided_by, decided, made, sha256,
    encrypted, sent, received, words_key, words FROM transmission";

/// A transmission by its number.
pub fn read(sql: &Connection, register: &CellKey, number: &str) -> Result<Transmission, Error> {
    let mut query = sql.prepare_cached(&format!("{COLUMNS} WHERE number = ?"))?;
    let found = query.query_row([number], |row| Ok(of_row(row, register)));
    found
        .optional()?
        .ok_or_else(|| Error::NotThere(number.to_owned()))?
}

/// The transmissions of an infraction file, the last one first.
pub fn of_infraction(
    sql: &Connection,
    register: &CellKey,
    infraction: &str,
) -> Result<Vec<Transmission>, Error> {
    let which = "WHERE infraction = ? ORDER BY asked DESC, number DESC";
    asked(sql, register, which, &[&infraction])
}

/// How many the register has.
pub fn count(sql: &Connection) -> Result<usize, Error> {
    Ok(sql.query_row("SELECT count(*) FROM transmission", [], |row| row.get(0))?)
}

/// So many of the register behind the first: those that wait for an approval, then the others, each the last one first.
pub fn page(
    sql: &Connection,
    register: &CellKey,
    first: usize,
    most: usize,
) -> Result<Vec<Transmission>, Error> {
    let order = "ORDER BY state = 'asked' DESC, asked DESC, number DESC";
    // Which they are, the index tells alone.
    let which = format!("WHERE number IN (SELECT number FROM transmission {order} LIMIT ? OFFSET ?) {order}");
    asked(sql, register, &which, &[&most, &first])
}

fn asked(
    sql: &Connection,
    register: &CellKey,
    which: &str,
    values: &[&dyn ToSql],
) -> Result<Vec<Transmission>, Error> {
    let mut query = sql.prepare_cached(&format!("{COLUMNS} {which}"))?;
    let mut rows = query.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(of_row(row, register)?);
    }
    Ok(found)
}

fn of_row(row: &Row<'_>, register: &CellKey) -> Result<Transmission, Error> {
    let time = |at: usize| -> Result<Option<BoxTime>, Error> {
        let text: Option<String> = row.get(at)?;
        let read = |text: String| text.parse().map(BoxTime).map_err(|_| Error::Damaged(text));
        text.map(read).transpose()
    };
    let number: String = row.get(0)?;
    let whole = |what: Option<BoxTime>| what.ok_or_else(|| Error::Damaged(number.clone()));
    let sha256: Option<String> = row.get(9)?;
    let sha256 = sha256.map(|text| text.parse::<Digest>().map_err(|_| Error::Damaged(text)));
    let made = match (time(8)?, sha256.transpose()?, row.get::<_, Option<bool>>(10)?) {
        (Some(at), Some(sha256), Some(encrypted)) => Some((at, sha256, encrypted)),
        _ => None,
    };
    let cell = Cell {
        wrapped: row.get(13)?,
        body: row.get(14)?,
    };
    Ok(Transmission {
        infraction: row.get(1)?,
        state: State::of(&row.get::<_, String>(2)?)?,
        version: row.get(3)?,
        asked: (row.get(4)?, whole(time(5)?)?),
        decided: row.get::<_, Option<String>>(6)?.zip(time(7)?),
        made,
        sent: time(11)?,
        received: time(12)?,
        words: cell::open(register, place(&number), &cell)?,
        number,
    })
}

/// The transmission, if it has this version and one of these states.
fn at(tx: &Tx<'_>, by: By<'_>, number: &str, version: i64, states: &[State]) -> Result<Transmission, Error> {
    let found = read(tx.raw(), by.register, number)?;
    if found.version != version {
        return Err(Error::Changed(number.to_owned()));
    }
    match states.contains(&found.state) {
        true => Ok(found),
        false => Err(Error::State(number.to_owned(), found.state.as_str())),
    }
}

fn step(tx: &Tx<'_>, by: By<'_>, before: &Transmission, to: State, words: &Words) -> Result<(), Error> {
    let cell = cell::seal(by.register, place(&before.number), words)?;
    let update =
        "UPDATE transmission SET state = ?, words_key = ?, words = ?, version = version + 1 WHERE number = ?";
    tx.raw().execute(
        update,
        params![to.as_str(), cell.wrapped, cell.body, before.number],
    )?;
    Ok(())
}

fn journal(tx: &mut Tx<'_>, by: By<'_>, kind: Kind, number: &str, mut body: Value) -> Result<(), Error> {
    body["account"] = by.account.into();
    body["transmission"] = number.into();
    Ok(tx.journal(by.now, &Entry { kind, body })?)
}

fn place(number: &str) -> Place<'_> {
    Place {
        table: "transmission",
        column: "words",
        row: number,
    }
}

fn package_place<'r>(column: &'static str, number: &'r str) -> Place<'r> {
    Place {
        table: "package",
        column,
        row: number,
    }
}
