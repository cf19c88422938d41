//! Taking over the service's former spreadsheet.
//!
//! Promises: [`trial`] is pure, looks at every row and says of each one that cannot be taken its line, its column and
//! the reason; [`prepare`] seals all that is to be kept without the desk, for it takes long; [`take`] keeps all the rows
//! of a trial in one transaction, or none; a row that was taken before is not
//! taken twice; a row whose term is over is refused, for it must not be kept (the two years of the public promise); an
//! offence that is not in the dated tables, or was not in force on the day, is refused, never guessed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;

use super::columns::{Column, Map};
use super::table::Table;
use crate::desk::cell::{self, Cell, Place};
use crate::desk::infraction::amount::Hundredths;
use crate::desk::infraction::check::{Fault, LONGEST_LINE, validate};
use crate::desk::infraction::form::{date, time};
use crate::desk::infraction::moment::{Moment, Turn};
use crate::desk::infraction::number::CaseNumber;
use crate::desk::infraction::plate::{Country, Legibility, Reading, UNREAD};
use crate::desk::infraction::record::{
    Cost, CostKind, Officer, Origin, Outcome, OutcomeKind, Record, SivLookUp, WasteKind,
};
use crate::desk::infraction::register::{self, By, Error, State, blank};
use crate::desk::law::{Law, OffenceId};
use crate::frame::{BoxTime, Digest};
use crate::vault::Kind;
use crate::vault::store::Tx;

/// What former numbers are blinded for.
const FORMER: &str = "infraction former number";

/// What a trial must know of the city and the day.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The dated tables.
    pub law: &'a Law,
    /// The city's clocks.
    pub zone: &'a TimeZone,
    /// The day.
    pub today: Date,
    /// Years for which a file is kept.
    pub years: u8,
    /// Who takes the spreadsheet over, and answers for the rows.
    pub officer: &'a Officer,
    /// When.
    pub now: BoxTime,
    /// The spreadsheet's digest.
    pub file: Digest,
}

/// A row that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Its line in the file.
    pub line: u64,
    /// The column, where one is to blame.
    pub column: Option<Column>,
    /// Why, in French.
    pub reason: String,
}

/// What would be taken of a spreadsheet, and what not.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// What would be kept, with the line of the file.
    pub records: Vec<(u64, Record)>,
    /// What would not.
    pub rejects: Vec<Reject>,
}

/// Looks at all rows of a table.
pub fn trial(table: &Table, map: &Map, setting: Setting<'_>) -> Trial {
    let mut trial = Trial {
        records: Vec::new(),
        rejects: Vec::new(),
    };
    let mut numbers = BTreeSet::new();
    for (line, fields) in &table.rows {
        let row = Row {
            fields,
            map,
            line: *line,
        };
        let wrong = |(column, reason): (Option<Column>, String)| Reject {
            line: *line,
            column,
            reason,
        };
        let width = (fields.len() != table.titles.len()).then(|| {
            (
                None,
                format!("{} champs pour {} titres", fields.len(), table.titles.len()),
            )
        });
        let number = row.text(Column::Number);
        let twice = (!number.is_empty() && !numbers.insert(number.to_owned())).then(|| {
            (
                Some(Column::Number),
                "Ce numéro figure plusieurs fois dans le fichier".to_owned(),
            )
        });
        match width.or(twice).map_or_else(|| row.record(setting), Err) {
            Ok(record) => trial.records.push((*line, record)),
            Err(fault) => trial.rejects.push(wrong(fault)),
        }
    }
    trial
}

struct Row<'t> {
    fields: &'t [String],
    map: &'t Map,
    line: u64,
}

type Fails<T> = Result<T, (Option<Column>, String)>;

impl<'t> Row<'t> {
    fn text(&self, column: Column) -> &'t str {
        let at = self.map.get(&column);
        at.and_then(|at| self.fields.get(*at))
            .map_or("", |field| field.trim())
    }

    fn read<T, E: ToString>(&self, column: Column, read: impl Fn(&str) -> Result<T, E>) -> Fails<Option<T>> {
        match self.text(column) {
            "" => Ok(None),
            text => match read(text) {
                Ok(value) => Ok(Some(value)),
                Err(error) => Err((Some(column), format!("« {text} » : {}", error.to_string()))),
            },
        }
    }

    fn record(&self, setting: Setting<'_>) -> Fails<Record> {
        let origin = Origin::Register {
            number: self.text(Column::Number).to_owned(),
            file: setting.file,
            line: self.line,
            regime: String::new(),
        };
        let facts_at = self.facts_at(setting)?;
        let place = self.text(Column::Place).to_owned();
        let mut record = blank(origin, setting.officer.clone(), facts_at, place);
        record.facts = self.text(Column::Facts).to_owned();
        record.offence = self.read(Column::Offence, |text| offence(text, setting.law))?;
        record.route = self.read(Column::Route, |text| {
            let wanted = text.to_lowercase();
            let mut routes = setting.law.routes.iter();
            let found = routes.find(|r| r.id.as_str() == wanted || r.label.to_lowercase() == wanted);
            found.map(|route| route.id.clone()).ok_or(Fault::Unlisted)
        })?;
        self.vehicle(&mut record, setting)?;
        record.waste.description = self.text(Column::Waste).to_owned();
        if !record.waste.description.is_empty() {
            record.waste.kinds.insert(WasteKind::Other);
        }
        record.waste.volume = self.read(Column::Volume, str::parse::<Hundredths>)?;
        self.costs(&mut record)?;
        self.outcome(&mut record)?;
        self.siv(&mut record)?;
        record.comments = self.text(Column::Comments).to_owned();
        match validate(&record, setting.law, setting.today).into_iter().next() {
            None => Ok(record),
            Some(error) => Err((None, format!("{} : {error}", error.section.french()))),
        }
    }

    fn facts_at(&self, setting: Setting<'_>) -> Fails<Moment> {
        let day = self.read(Column::Date, date)?;
        let day = day.ok_or_else(|| (Some(Column::Date), "La date des faits manque".to_owned()))?;
        let last = day
            .checked_add(i32::from(setting.years).years())
            .unwrap_or(Date::MAX);
        if last <= setting.today {
            let reason = "L'échéance de destruction est dépassée : cette ligne ne doit plus être conservée";
            return Err((Some(Column::Date), reason.to_owned()));
        }
        let hour = self.read(Column::Hour, time)?.unwrap_or(Time::midnight());
        // A spreadsheet does not say which of two equal hours it was: the first keeps the file no day longer.
        Moment::of_local(DateTime::from_parts(day, hour), setting.zone, Some(Turn::First))
            .map_err(|fault| (Some(Column::Hour), fault.to_string()))
    }

    fn vehicle(&self, record: &mut Record, setting: Setting<'_>) -> Fails<()> {
        record.vehicle.first = self.read(Column::Plate, |text| {
            let partial = text.contains(UNREAD);
            let reading = Reading {
                typed: text.to_owned(),
                legibility: if partial {
                    Legibility::Partial
                } else {
                    Legibility::Whole
                },
                by: setting.officer.account.clone(),
                at: setting.now,
            };
            match reading.fault() {
                Some(fault) => Err(fault),
                None => Ok(reading),
            }
        })?;
        let country = |text: &str| Country::try_from(text.to_owned()).map_err(|_| Fault::Country);
        record.vehicle.country = self.read(Column::Country, country)?;
        record.vehicle.kind = self.text(Column::Vehicle).to_owned();
        Ok(())
    }

    fn costs(&self, record: &mut Record) -> Fails<()> {
        if let Some(amount) = self.read(Column::Costs, str::parse::<Hundredths>)?
            && amount != Hundredths::ZERO
        {
            record.costs.push(Cost {
                kind: CostKind::Other,
                label: "Frais repris de l'ancien fichier".to_owned(),
                quantity: None,
                unit: None,
                amount,
                voucher: self.text(Column::Vouchers).to_owned(),
            });
        }
        Ok(())
    }

    fn outcome(&self, record: &mut Record) -> Fails<()> {
        let kind = self.read(Column::Outcome, |text| {
            let wanted = text.to_lowercase();
            let mut kinds = OutcomeKind::ALL.iter();
            let found = kinds.find(|kind| kind.as_str() == wanted || kind.french().to_lowercase() == wanted);
            found.copied().ok_or(Fault::Unlisted)
        })?;
        let on = self.read(Column::OutcomeDate, date)?;
        match (kind, on) {
            (Some(kind), Some(on)) => record.outcomes.push(Outcome {
                kind,
                on,
                reference: self.text(Column::OutcomeReference).to_owned(),
                note: String::new(),
            }),
            (Some(_), None) => {
                return Err((Some(Column::OutcomeDate), "La date des suites manque".to_owned()));
            }
            (None, _) => {}
        }
        Ok(())
    }

    fn siv(&self, record: &mut Record) -> Fails<()> {
        record.siv = self.read(Column::SivDate, date)?.map(|on| SivLookUp {
            on,
            by: self.text(Column::SivBy).to_owned(),
            reference: self.text(Column::SivReference).to_owned(),
        });
        Ok(())
    }
}

/// The offence that an article names, as services write it: `R635-8`, `R. 635-8 CP`, `article R.635-8`.
fn offence(text: &str, law: &Law) -> Result<OffenceId, Fault> {
    let short: String = text.chars().take(LONGEST_LINE).collect();
    let mut found = law
        .offences
        .iter()
        .filter(|offence| offence.id.as_str() == short || names(&short, article(&offence.text)));
    match (found.next(), found.next()) {
        (Some(offence), None) => Ok(offence.id.clone()),
        _ => Err(Fault::Unlisted),
    }
}

/// `R635-8` of `Code pénal, art. R. 635-8`.
fn article(text: &str) -> String {
    let article = text.split_once("art. ").map_or(text, |(_, article)| article);
    let article = article.split_once(',').map_or(article, |(article, _)| article);
    squeezed(article)
}

fn squeezed(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

/// Whether the text names that article, and no longer one.
fn names(text: &str, article: String) -> bool {
    let squeezed = squeezed(text);
    let rest = squeezed.find(&article).map(|at| &squeezed[at + article.len()..]);
    // A bare number (`84`) names nothing.
    article.starts_with(|c: char| c.is_ascii_alphabetic())
        && rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit() || c == '-'))
}

fn table_place(row: &str) -> Place<'_> {
    Place {
        table: "infraction_import",
        column: "table",
        row,
    }
}

/// A spreadsheet that somebody uploaded and has not yet taken over, sealed.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    /// What it holds.
    pub table: Table,
    /// Its digest.
    pub file: Digest,
}

impl Waiting {
    /// As it is kept.
    pub fn sealed(&self, by: By<'_>) -> Result<Cell, Error> {
        Ok(cell::seal(&by.keys.cells, table_place(by.account), self)?)
    }

    /// As it was kept.
    pub fn opened(by: By<'_>, sealed: &Cell) -> Result<Self, Error> {
        Ok(cell::open(&by.keys.cells, table_place(by.account), sealed)?)
    }
}

/// Keeps a sealed spreadsheet for its trial, in the place of any other of the account.
pub fn keep_waiting(tx: &mut Tx<'_>, by: By<'_>, sealed: &Cell) -> Result<(), Error> {
    tx.raw().execute(
        "INSERT INTO infraction_import (by, at, table_key, \"table\") VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (by) DO UPDATE SET at = ?2, table_key = ?3, \"table\" = ?4",
        params![by.account, by.now.to_string(), sealed.wrapped, sealed.body],
    )?;
    Ok(())
}

/// The spreadsheet that waits for this account, sealed.
pub fn waiting(sql: &Connection, by: By<'_>) -> Result<Option<Cell>, Error> {
    let mut query = sql.prepare_cached("SELECT table_key, \"table\" FROM infraction_import WHERE by = ?")?;
    let cell = query.query_row([by.account], |row| {
        Ok(Cell {
            wrapped: row.get(0)?,
            body: row.get(1)?,
        })
    });
    Ok(cell.optional()?)
}

/// Forgets the spreadsheet that waits for this account, and any that was left for more than a day.
pub fn forget_waiting(tx: &mut Tx<'_>, by: By<'_>) -> Result<(), Error> {
    let day_before = by.now.0.checked_sub(24.hours()).unwrap_or(by.now.0);
    let old: Vec<String> = {
        let mut query = tx.raw().prepare("SELECT by, at FROM infraction_import")?;
        let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let rows: Vec<(String, String)> = rows.collect::<Result<_, _>>()?;
        let is_old = |(who, at): &(String, String)| {
            who == by.account || register::parsed(at.clone()).is_ok_and(|at| at.0 < day_before)
        };
        rows.into_iter().filter(is_old).map(|(who, _)| who).collect()
    };
    for who in old {
        tx.raw()
            .execute("DELETE FROM infraction_import WHERE by = ?", [who])?;
    }
    Ok(())
}

/// What new files are numbered by, and which former ones are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The last number of each year.
    counters: BTreeMap<i16, u32>,
    /// Blinded.
    former: BTreeSet<[u8; 32]>,
}

/// How the register stands.
pub fn standing(sql: &Connection) -> Result<Standing, Error> {
    let mut counters = sql.prepare_cached("SELECT year, last FROM infraction_counter")?;
    let counters = counters.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut former = sql.prepare_cached("SELECT former FROM infraction WHERE former IS NOT NULL")?;
    let former = former.query_map([], |row| row.get(0))?;
    Ok(Standing {
        counters: counters.collect::<Result<_, _>>()?,
        former: former.collect::<Result<_, _>>()?,
    })
}

/// What of a trial is not there yet, numbered and sealed.
#[derive(Debug)]
pub struct Prepared {
    before: Standing,
    counters: BTreeMap<i16, u32>,
    rows: Vec<NewFile>,
    there: Vec<u64>,
    rejected: usize,
}

#[derive(Debug)]
struct NewFile {
    ready: register::Ready,
    former: Option<[u8; 32]>,
    outcome: Option<(&'static str, String)>,
}

/// Numbers and seals the records of a trial that are not there yet, by how the register stands. It takes long, and no
/// desk.
pub fn prepare(by: By<'_>, trial: &Trial, before: Standing, code: &str) -> Result<Prepared, Error> {
    let mut counters = before.counters.clone();
    let (mut rows, mut there) = (Vec::new(), Vec::new());
    for (line, record) in &trial.records {
        let Origin::Register { number: former, .. } = &record.origin else {
            continue;
        };
        let former = (!former.is_empty()).then(|| by.keys.index.blind(FORMER, former));
        if former.is_some_and(|former| before.former.contains(&former)) {
            there.push(*line);
            continue;
        }
        let year = record.facts_at.day().year();
        let last = counters.entry(year).or_default();
        *last += 1;
        let number = CaseNumber::new(year, code, *last).map_err(|_| Error::NoNumber(year))?;
        let outcome = record.outcomes.first();
        rows.push(NewFile {
            ready: register::Ready::of(by, number, record)?,
            former,
            outcome: outcome.map(|outcome| (outcome.kind.as_str(), outcome.on.to_string())),
        });
    }
    Ok(Prepared {
        before,
        counters,
        rows,
        there,
        rejected: trial.rejects.len(),
    })
}

/// The numbers that were given, and the lines of the sheet that were there already.
pub type Taken = (Vec<CaseNumber>, Vec<u64>);

/// Keeps all of it: the numbers, and the lines that were there. Nothing, if the register does not stand any more as it
/// did when it was prepared.
pub fn take(tx: &mut Tx<'_>, by: By<'_>, prepared: &Prepared, file: Digest) -> Result<Option<Taken>, Error> {
    if standing(tx.raw())? != prepared.before {
        return Ok(None);
    }
    for (year, last) in &prepared.counters {
        let count = "INSERT OR REPLACE INTO infraction_counter (year, last) VALUES (?, ?)";
        tx.raw().execute(count, params![year, last])?;
    }
    for row in &prepared.rows {
        row.ready.insert(tx, by)?;
        let update =
            "UPDATE infraction SET state = ?, former = ?, outcome = ?, outcome_on = ? WHERE number = ?";
        tx.raw().prepare_cached(update)?.execute(params![
            State::TakenOver.as_str(),
            row.former,
            row.outcome.as_ref().map(|(kind, _)| kind),
            row.outcome.as_ref().map(|(_, on)| on),
            row.ready.number.to_string()
        ])?;
    }
    forget_waiting(tx, by)?;
    let numbers: Vec<CaseNumber> = prepared.rows.iter().map(|row| row.ready.number.clone()).collect();
    let body = json!({
        "account": by.account, "file": file, "infractions": numbers, "rejected": prepared.rejected,
        "there": prepared.there.len(),
    });
    register::journal(tx, by, Kind::InfractionImported, body)?;
    Ok(Some((numbers, prepared.there.clone())))
}
