//! The register of infraction files: opening, reading, changing, closing them.
//!
//! Promises: a file's row, its sealed record, its plates' blind indexes and the journal line are one transaction; a
//! change that was made on an older version than the one that stands is refused whole; what a closed record, or the
//! reading of a plate, said before is kept with the reason until the file goes; a number is given once. Nothing here
//! asks the clock. Leaves finding files to [`super::search`], former words to [`super::correction`],
//! destroying to [`super::ending`].

use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Value, json};

use super::check::{self, FieldError};
use super::correction::{changes, keep_former};
use super::number::CaseNumber;
use super::record::{Holder, Officer, Origin, Record, Source, Vehicle, Waste, listed};
use crate::desk::cell::{self, Cell, Place};
use crate::desk::keyring::EvidenceKeys;
use crate::desk::law::Law;
use crate::frame::BoxTime;
use crate::vault::store::{self, Tx};
use crate::vault::{Entry, Kind, Store};

/// The tables of infraction files.
pub const SCHEMA: &str = include_str!("schema.sql");
/// What [`SCHEMA`] makes.
pub const OBJECTS: [&str; 13] = [
    "infraction",
    "infraction_by_facts",
    "infraction_by_event",
    "infraction_counter",
    "infraction_plate",
    "infraction_by_plate",
    "infraction_holder",
    "infraction_former",
    "infraction_look",
    "infraction_export",
    "infraction_exported",
    "infraction_exported_by_number",
    "infraction_import",
];
/// What plates are blinded for.
const PLATE: &str = "infraction plate";

/// Makes the tables.
pub fn ensure(store: &mut Store) -> Result<(), store::Error> {
    store.ensure(&OBJECTS, SCHEMA)
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The vault.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A record that does not open.
    #[error(transparent)]
    Cell(#[from] cell::Error),
    /// No such file.
    #[error("no infraction file {0}")]
    NoSuchFile(CaseNumber),
    /// Somebody else changed it meanwhile.
    #[error("infraction file {0} was changed meanwhile")]
    Changed(CaseNumber),
    /// The agent has viewed no image of the event.
    #[error("no file is opened from an event of which the agent has viewed no image")]
    NothingViewed,
    /// What stands against closing it.
    #[error("{0} statements stand against closing the record")]
    Incomplete(usize, Vec<FieldError>),
    /// A change of a closed record, or of a plate, without a reason.
    #[error("a correction takes a reason")]
    NoReason,
    /// The state does not allow it.
    #[error("infraction file {0} is {1}: this cannot be done any more")]
    State(CaseNumber, &'static str),
    /// The register holds what this program did not write.
    #[error("the register of infraction files holds {0:?}, which this program did not write")]
    Damaged(String),
    /// The year has more files than numbers.
    #[error("no case number is left in {0}")]
    NoNumber(i16),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

listed! {
    /// Where a file stands.
    State {
        /// Being written.
        Draft = "draft", "En cours";
        /// Out of the former register: a change is a correction.
        TakenOver = "taken-over", "Repris de l'ancien fichier";
        /// Complete and closed: a change is a correction.
        Closed = "closed", "Clos";
        /// Sent to the prosecutor, the OMP or the mayor.
        Sent = "sent", "Transmis";
        /// An outcome was written down.
        Ended = "ended", "Terminé";
    }
}

/// A file as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    /// Its number.
    pub number: CaseNumber,
    /// When it was opened, and by which account.
    pub opened: (BoxTime, String),
    /// Where it stands.
    pub state: State,
    /// Of the row: what a form was shown.
    pub version: i64,
    /// What it says.
    pub record: Record,
}

/// Who does something, when, and with which keys.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// The account.
    pub account: &'a str,
    /// The keys of records and blind indexes.
    pub keys: &'a EvidenceKeys,
    /// When.
    pub now: BoxTime,
}

/// What a file is opened from: the event, and the agent who has viewed it.
#[derive(Debug, Clone)]
pub struct Opening {
    source: Source,
    officer: Officer,
}

impl Opening {
    /// An opening, if this agent has viewed at least one image that is still there.
    pub fn new(source: Source, officer: Officer) -> Result<Self, Error> {
        let is_there = |digest| source.images.iter().any(|image| image.digest == digest);
        let viewed = source
            .viewings
            .iter()
            .any(|viewing| viewing.by == officer.account && is_there(viewing.digest));
        match viewed {
            true => Ok(Self { source, officer }),
            false => Err(Error::NothingViewed),
        }
    }

    /// The record with which it begins: where and when as the images say, nothing of the facts.
    fn record(self) -> Record {
        let (facts_at, place) = (self.source.from, self.source.site.clone());
        blank(
            Origin::Event(Box::new(self.source)),
            self.officer,
            facts_at,
            place,
        )
    }
}

/// A record that states nothing yet but its origin, its hour and its place.
pub(super) fn blank(origin: Origin, officer: Officer, facts_at: super::Moment, place: String) -> Record {
    Record {
        origin,
        officer,
        facts_at,
        place,
        clock: None,
        facts: String::new(),
        offence: None,
        act: None,
        natinf: None,
        waste: Waste::default(),
        vehicle: Vehicle::default(),
        siv: None,
        costs: Vec::new(),
        route: None,
        outcomes: Vec::new(),
        holds: Vec::new(),
        comments: String::new(),
    }
}

/// Opens a file. `code` and `year` are the city's and the day's.
pub fn open(
    tx: &mut Tx<'_>,
    by: By<'_>,
    opening: Opening,
    code: &str,
    year: i16,
) -> Result<CaseNumber, Error> {
    let number = next_number(tx, code, year)?;
    let event = opening.source.event;
    Ready::of(by, number.clone(), &opening.record())?.insert(tx, by)?;
    let body = json!({"account": by.account, "event": event, "infraction": number});
    journal(tx, by, Kind::InfractionOpened, body)?;
    Ok(number)
}

fn next_number(tx: &Tx<'_>, code: &str, year: i16) -> Result<CaseNumber, Error> {
    let next = "INSERT INTO infraction_counter (year, last) VALUES (?, 1)
                ON CONFLICT (year) DO UPDATE SET last = last + 1 RETURNING last";
    let counter = tx.raw().query_row(next, [year], |row| row.get(0))?;
    CaseNumber::new(year, code, counter).map_err(|_| Error::NoNumber(year))
}

/// A new file, sealed and ready for its row: sealing takes time, and no desk.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) number: CaseNumber,
    event: Option<String>,
    camera: Option<String>,
    facts: String,
    record: Cell,
    plates: Vec<[u8; 32]>,
}

impl Ready {
    pub(super) fn of(by: By<'_>, number: CaseNumber, record: &Record) -> Result<Self, Error> {
        let source = record.origin.source();
        Ok(Self {
            event: source.map(|source| source.event.to_string()),
            camera: source.map(|source| source.camera.to_string()),
            facts: facts_column(record),
            record: cell::seal(&by.keys.cells, record_place(&number.to_string()), record)?,
            plates: blind_plates(by.keys, record),
            number,
        })
    }

    pub(super) fn insert(&self, tx: &Tx<'_>, by: By<'_>) -> Result<(), Error> {
        let insert = "INSERT INTO infraction
                (number, event, camera, opened, opened_by, facts, state, version, record_key, record)
             VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?)";
        tx.raw().prepare_cached(insert)?.execute(params![
            self.number.to_string(),
            self.event,
            self.camera,
            by.now.to_string(),
            by.account,
            self.facts,
            State::Draft.as_str(),
            self.record.wrapped,
            self.record.body
        ])?;
        index_plates(tx, &self.number, &self.plates)
    }
}

/// Times in columns sort as text: whole seconds in UTC.
pub(super) fn time_column(time: BoxTime) -> String {
    let second = jiff::Timestamp::from_second(time.0.as_second()).unwrap_or(time.0);
    second.to_string()
}

fn facts_column(record: &Record) -> String {
    time_column(record.facts_at.instant())
}

fn record_place(row: &str) -> Place<'_> {
    Place {
        table: "infraction",
        column: "record",
        row,
    }
}

/// What the record's readings of the plate are found by.
fn blind_plates(keys: &EvidenceKeys, record: &Record) -> Vec<[u8; 32]> {
    let vehicle = &record.vehicle;
    let readings = vehicle.first.iter().chain(&vehicle.second);
    let plates = readings.map(|reading| reading.normalised());
    plates
        .filter(|plate| !plate.is_empty())
        .map(|plate| blind_plate(keys, &plate))
        .collect()
}

fn index_plates(tx: &Tx<'_>, number: &CaseNumber, plates: &[[u8; 32]]) -> Result<(), Error> {
    let row = number.to_string();
    let delete = "DELETE FROM infraction_plate WHERE number = ?";
    tx.raw().prepare_cached(delete)?.execute([&row])?;
    for blind in plates {
        let insert = "INSERT OR IGNORE INTO infraction_plate (number, blind) VALUES (?, ?)";
        tx.raw().prepare_cached(insert)?.execute(params![row, blind])?;
    }
    Ok(())
}

/// What a normalised plate is found by.
pub(super) fn blind_plate(keys: &EvidenceKeys, normalised: &str) -> [u8; 32] {
    keys.index.blind(PLATE, normalised)
}

/// A file by its number.
pub fn read(sql: &Connection, keys: &EvidenceKeys, number: &CaseNumber) -> Result<File, Error> {
    let sealed = Sealed::read(sql, number)?;
    sealed
        .ok_or_else(|| Error::NoSuchFile(number.clone()))?
        .open(keys)
}

/// A file as it lies in the register: opening it takes time, and no desk.
#[derive(Debug)]
pub struct Sealed {
    number: CaseNumber,
    opened: (String, String),
    state: String,
    version: i64,
    record: Cell,
}

impl Sealed {
    /// The file of that number, if it is there.
    pub fn read(sql: &Connection, number: &CaseNumber) -> Result<Option<Self>, Error> {
        let mut query = sql.prepare_cached(
            "SELECT opened, opened_by, state, version, record_key, record FROM infraction WHERE number = ?",
        )?;
        let row = query.query_row([number.to_string()], |row| {
            Ok(Self {
                number: number.clone(),
                opened: (row.get(0)?, row.get(1)?),
                state: row.get(2)?,
                version: row.get(3)?,
                record: Cell {
                    wrapped: row.get(4)?,
                    body: row.get(5)?,
                },
            })
        });
        Ok(row.optional()?)
    }

    /// Opens it.
    pub fn open(self, keys: &EvidenceKeys) -> Result<File, Error> {
        let (opened, by) = self.opened;
        Ok(File {
            record: cell::open(&keys.cells, record_place(&self.number.to_string()), &self.record)?,
            number: self.number,
            opened: (parsed(opened)?, by),
            state: state_of(&self.state)?,
            version: self.version,
        })
    }
}

pub(super) fn state_of(text: &str) -> Result<State, Error> {
    State::of(text).ok_or_else(|| Error::Damaged(text.to_owned()))
}

pub(super) fn parsed(text: String) -> Result<BoxTime, Error> {
    text.parse().map(BoxTime).map_err(|_| Error::Damaged(text))
}

/// The numbers of the files that came from an event.
pub fn of_event(sql: &Connection, event: crate::frame::EventId) -> Result<Vec<CaseNumber>, Error> {
    let mut query = sql.prepare_cached("SELECT number FROM infraction WHERE event = ? ORDER BY number")?;
    let rows = query.query_map([event.to_string()], |row| row.get::<_, String>(0))?;
    rows.map(|text| {
        let text = text?;
        text.parse().map_err(|_| Error::Damaged(text))
    })
    .collect()
}

/// Puts `record` in the place of what stands in version `version`: the new version. A closed file's former words, and a
/// plate's, are kept with `reason`, which is then required.
pub fn save(
    tx: &mut Tx<'_>,
    by: By<'_>,
    number: &CaseNumber,
    version: i64,
    record: &Record,
    reason: Option<&str>,
) -> Result<i64, Error> {
    let before = expect_version(tx, by.keys, number, version)?;
    let changes = changes(&before.record, record)?;
    if changes.is_empty() {
        return Ok(version);
    }
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
    if before.state != State::Draft || rereads(&before.record, record) {
        let reason = reason.ok_or(Error::NoReason)?;
        keep_former(tx, by, &before, &changes, reason)?;
    }
    let state = match (before.state, check::last_outcome(record)) {
        (State::Draft, _) => State::Draft,
        (_, Some(_)) => State::Ended,
        (state, None) => state,
    };
    write(tx, by, number, record, state, version + 1)?;
    let parts: std::collections::BTreeSet<&str> = changes.iter().map(|change| change.part()).collect();
    let body = json!({
        "account": by.account, "correction": before.state != State::Draft, "infraction": number, "parts": parts,
        "version": version + 1,
    });
    journal(tx, by, Kind::InfractionChanged, body)?;
    Ok(version + 1)
}

fn expect_version(
    tx: &Tx<'_>,
    keys: &EvidenceKeys,
    number: &CaseNumber,
    version: i64,
) -> Result<File, Error> {
    let file = read(tx.raw(), keys, number)?;
    match file.version == version {
        true => Ok(file),
        false => Err(Error::Changed(number.clone())),
    }
}

/// Whether a reading of the plate takes the place of another.
fn rereads(before: &Record, after: &Record) -> bool {
    let (before, after) = (&before.vehicle, &after.vehicle);
    [(&before.first, &after.first), (&before.second, &after.second)]
        .into_iter()
        .any(|(before, after)| before.is_some() && before != after)
}

fn write(
    tx: &Tx<'_>,
    by: By<'_>,
    number: &CaseNumber,
    record: &Record,
    state: State,
    version: i64,
) -> Result<(), Error> {
    let row = number.to_string();
    let sealed = cell::seal(&by.keys.cells, record_place(&row), record)?;
    let outcome = check::last_outcome(record);
    tx.raw().execute(
        "UPDATE infraction SET facts = ?, state = ?, outcome = ?, outcome_on = ?, version = ?, record_key = ?,
            record = ? WHERE number = ?",
        params![
            facts_column(record),
            state.as_str(),
            outcome.map(|outcome| outcome.kind.as_str()),
            outcome.map(|outcome| outcome.on.to_string()),
            version,
            sealed.wrapped,
            sealed.body,
            row
        ],
    )?;
    index_plates(tx, number, &blind_plates(by.keys, record))
}

/// Closes a complete record: from now on, a change is a correction.
pub fn close(
    tx: &mut Tx<'_>,
    by: By<'_>,
    number: &CaseNumber,
    version: i64,
    law: &Law,
    today: jiff::civil::Date,
) -> Result<i64, Error> {
    let file = expect_version(tx, by.keys, number, version)?;
    if file.state != State::Draft {
        return Err(Error::State(number.clone(), file.state.as_str()));
    }
    let blockers = check::blockers(&file.record, law, today);
    if !blockers.is_empty() {
        return Err(Error::Incomplete(blockers.len(), blockers));
    }
    let state = match check::last_outcome(&file.record) {
        Some(_) => State::Ended,
        None => State::Closed,
    };
    write(tx, by, number, &file.record, state, version + 1)?;
    // By which tables it was judged complete.
    let body = json!({
        "account": by.account, "infraction": number, "law": law.digest(), "version": version + 1,
    });
    journal(tx, by, Kind::InfractionClosed, body)?;
    Ok(version + 1)
}

/// Writes down that a closed file was sent; whoever sends it writes the journal line.
pub fn mark_sent(tx: &Tx<'_>, number: &CaseNumber) -> Result<(), Error> {
    let sent = "UPDATE infraction SET state = ?, version = version + 1 WHERE number = ? AND state = ?";
    let row = number.to_string();
    let changed = tx
        .raw()
        .execute(sent, params![State::Sent.as_str(), row, State::Closed.as_str()])?;
    if changed > 0 {
        return Ok(());
    }
    let state = "SELECT state FROM infraction WHERE number = ?";
    let state: Option<String> = tx.raw().query_row(state, [row], |row| row.get(0)).optional()?;
    match state.as_deref().map(state_of).transpose()? {
        None => Err(Error::NoSuchFile(number.clone())),
        Some(State::Draft) => Err(Error::State(number.clone(), State::Draft.as_str())),
        Some(_) => Ok(()),
    }
}

fn holder_place(row: &str) -> Place<'_> {
    Place {
        table: "infraction_holder",
        column: "holder",
        row,
    }
}

/// Who holds the registration, if that was written down.
pub fn holder(sql: &Connection, keys: &EvidenceKeys, number: &CaseNumber) -> Result<Option<Holder>, Error> {
    let row = number.to_string();
    let mut query =
        sql.prepare_cached("SELECT holder_key, holder FROM infraction_holder WHERE number = ?")?;
    let cell = query.query_row([&row], |row| {
        Ok(Cell {
            wrapped: row.get(0)?,
            body: row.get(1)?,
        })
    });
    let cell = cell.optional()?;
    Ok(cell
        .map(|cell| cell::open(&keys.cells, holder_place(&row), &cell))
        .transpose()?)
}

/// Writes the holder down, in a cell apart from the record's, or takes it out. Bumps nothing of the record.
pub fn set_holder(tx: &mut Tx<'_>, by: By<'_>, number: &CaseNumber, holder: &Holder) -> Result<(), Error> {
    let before = self::holder(tx.raw(), by.keys, number)?.unwrap_or_default();
    if before == *holder {
        return Ok(());
    }
    let row = number.to_string();
    if *holder == Holder::default() {
        tx.raw()
            .execute("DELETE FROM infraction_holder WHERE number = ?", [&row])?;
    } else {
        let sealed = cell::seal(&by.keys.cells, holder_place(&row), holder)?;
        tx.raw().execute(
            "INSERT INTO infraction_holder (number, holder_key, holder) VALUES (?1, ?2, ?3)
             ON CONFLICT (number) DO UPDATE SET holder_key = ?2, holder = ?3",
            params![row, sealed.wrapped, sealed.body],
        )?;
    }
    let body = json!({"account": by.account, "infraction": number, "parts": ["holder"]});
    journal(tx, by, Kind::InfractionChanged, body)
}

pub(super) fn journal(tx: &mut Tx<'_>, by: By<'_>, kind: Kind, body: Value) -> Result<(), Error> {
    Ok(tx.journal(by.now, &Entry { kind, body })?)
}
