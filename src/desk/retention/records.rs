//! Holds, rulings, agreements and tasks, as the desk keeps them.
//!
//! Promises: a hold has an authority, a reference, a motive and an end, at most six months away, and is told to the
//! data protection officer: never silent; whatever is put on, renewed, lifted, ruled or agreed leaves a line of the
//! journal in the same transaction, by opaque ids. The words (a reference, a motive, a court) are sealed under the
//! register key. Leaves what follows from them to [`super::plan`].

use std::collections::BTreeSet;

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Error;
use super::plan::{Agreement, Class, Facts, Hold, Outcome, Ruling, Target, hold_at_most};
use crate::desk::cell::{self, Cell, CellKey, Place};
use crate::frame::{BoxTime, EventId};
use crate::vault::store::Tx;
use crate::vault::{Entry, Kind};

/// Who asks for a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// The prosecutor.
    Procureur,
    /// The officier du ministère public.
    Omp,
    /// A court or an examining judge.
    Tribunal,
    /// The police or gendarmerie, on a written request.
    Opj,
    /// The city's own action in court.
    Contentieux,
    /// Somebody's right of access, limitation or complaint.
    Droits,
}

impl Authority {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Procureur,
        Self::Omp,
        Self::Tribunal,
        Self::Opj,
        Self::Contentieux,
        Self::Droits,
    ];

    /// The stable name, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Procureur => "procureur",
            Self::Omp => "omp",
            Self::Tribunal => "tribunal",
            Self::Opj => "opj",
            Self::Contentieux => "contentieux",
            Self::Droits => "droits",
        }
    }

    /// The authority of this stable name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|authority| authority.as_str() == name)
    }

    /// As it stands on screen.
    pub const fn french(self) -> &'static str {
        match self {
            Self::Procureur => "Procureur de la République",
            Self::Omp => "Officier du ministère public",
            Self::Tribunal => "Tribunal ou juge d'instruction",
            Self::Opj => "Officier de police judiciaire (réquisition)",
            Self::Contentieux => "Action contentieuse de la commune",
            Self::Droits => "Exercice d'un droit (accès, limitation, réclamation)",
        }
    }
}

/// What is said of a hold in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// Number of the request or of the proceedings.
    pub reference: String,
    /// Why.
    pub motive: String,
}

/// A hold that is asked for.
#[derive(Debug, Clone)]
pub struct NewHold {
    /// On what.
    pub target: Target,
    /// Who asks.
    pub authority: Authority,
    /// Its last day.
    pub until: Date,
    /// Reference and motive.
    pub words: Words,
}

/// A hold as it is kept.
#[derive(Debug, Clone)]
pub struct HoldRecord {
    /// What the plan sees.
    pub hold: Hold,
    /// Who asked.
    pub authority: Authority,
    /// The hold that it renews.
    pub renews: Option<i64>,
    /// By which account, and when.
    pub placed: (String, BoxTime),
    /// When the data protection officer took note.
    pub told: Option<BoxTime>,
    words: Option<Cell>,
}

impl HoldRecord {
    /// Reference and motive; nothing once the file is destroyed.
    pub fn words(&self, register: &CellKey) -> Result<Option<Words>, cell::Error> {
        let row = self.hold.id.to_string();
        let opened = self
            .words
            .as_ref()
            .map(|cell| cell::open(register, hold_words(&row), cell));
        opened.transpose()
    }
}

fn hold_words(row: &str) -> Place<'_> {
    Place {
        table: "hold",
        column: "words",
        row,
    }
}

fn ruling_words(row: &str) -> Place<'_> {
    Place {
        table: "ruling",
        column: "words",
        row,
    }
}

const fn target_columns(target: &Target) -> (&'static str, &String) {
    match target {
        Target::Event(id) => ("event", id),
        Target::Case(id) => ("case", id),
    }
}

/// Puts a hold on, or renews one: its number. `today` is the believed day, `account` who does it.
pub fn put_on(
    tx: &mut Tx<'_>,
    new: &NewHold,
    renews: Option<i64>,
    by: (&str, &CellKey),
    today: Date,
    now: BoxTime,
) -> Result<i64, Error> {
    if new.until <= today || new.until > hold_at_most(today) {
        return Err(Error::HoldTerm {
            until: new.until,
            at_most: hold_at_most(today),
        });
    }
    let (account, register) = by;
    let id = next_id(tx.raw(), "hold")?;
    let cell = cell::seal(register, hold_words(&id.to_string()), &new.words)?;
    let (stands_on, object) = target_columns(&new.target);
    tx.raw().execute(
        "INSERT INTO hold (id, stands_on, object, authority, from_day, until_day, renews, placed, placed_by,
            words_wrapped, words_body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            id,
            stands_on,
            object,
            new.authority.as_str(),
            today.to_string(),
            new.until.to_string(),
            renews,
            now.to_string(),
            account,
            cell.wrapped,
            cell.body
        ],
    )?;
    let act = if renews.is_some() { "renewed" } else { "placed" };
    let body = json!({
        "act": act, "account": account, "authority": new.authority.as_str(), "hold": id, "object": object,
        "on": stands_on, "until": new.until,
    });
    let kind = Kind::Held;
    tx.journal(now, &Entry { kind, body })?;
    Ok(id)
}

/// Lifts a hold before its end.
pub fn lift(tx: &mut Tx<'_>, id: i64, account: &str, today: Date, now: BoxTime) -> Result<(), Error> {
    let record = hold(tx.raw(), id)?.filter(|record| record.hold.stands(today));
    let record = record.ok_or(Error::NoSuchHold(id))?;
    let lift = "UPDATE hold SET lifted = ? WHERE id = ?";
    tx.raw().execute(lift, params![today.to_string(), id])?;
    let (stands_on, object) = target_columns(&record.hold.target);
    let body = json!({"act": "lifted", "account": account, "hold": id, "object": object, "on": stands_on});
    let kind = Kind::Held;
    Ok(tx.journal(now, &Entry { kind, body })?)
}

/// The data protection officer took note of a hold.
pub fn take_note(tx: &mut Tx<'_>, id: i64, account: &str, now: BoxTime) -> Result<(), Error> {
    let note = "UPDATE hold SET told = ? WHERE id = ? AND told IS NULL";
    if tx.raw().execute(note, params![now.to_string(), id])? == 0 {
        return Err(Error::NoSuchHold(id));
    }
    let body = json!({"act": "noted", "account": account, "hold": id});
    let kind = Kind::Held;
    Ok(tx.journal(now, &Entry { kind, body })?)
}

/// Whether a hold stands on an event's images on `day`.
pub fn is_event_held(db: &Connection, event: EventId, day: Date) -> Result<bool, Error> {
    let on = Target::Event(event.to_string());
    let holds = holds(db)?;
    Ok(holds
        .iter()
        .any(|record| record.hold.target == on && record.hold.stands(day)))
}

const HOLDS: &str =
    "SELECT id, stands_on, object, authority, from_day, until_day, lifted, renews, placed_by, placed,
    told, words_wrapped, words_body FROM hold";

/// Every hold, the youngest first.
pub fn holds(db: &Connection) -> Result<Vec<HoldRecord>, Error> {
    let mut query = db.prepare_cached(&format!("{HOLDS} ORDER BY id DESC"))?;
    let rows = query.query_map([], |row| Ok(hold_of(row)))?;
    rows.map(|row| row?).collect()
}

/// One hold.
pub fn hold(db: &Connection, id: i64) -> Result<Option<HoldRecord>, Error> {
    let mut query = db.prepare_cached(&format!("{HOLDS} WHERE id = ?"))?;
    let row = query.query_row([id], |row| Ok(hold_of(row)));
    row.optional()?.transpose()
}

fn hold_of(row: &Row<'_>) -> Result<HoldRecord, Error> {
    let (stands_on, object): (String, String) = (row.get(1)?, row.get(2)?);
    let words = match (row.get(11)?, row.get(12)?) {
        (Some(wrapped), Some(body)) => Some(Cell { wrapped, body }),
        _ => None,
    };
    Ok(HoldRecord {
        hold: Hold {
            id: row.get(0)?,
            target: match stands_on.as_str() {
                "event" => Target::Event(object),
                _ => Target::Case(object),
            },
            from: day(&row.get::<_, String>(4)?)?,
            until: day(&row.get::<_, String>(5)?)?,
            lifted: row
                .get::<_, Option<String>>(6)?
                .map(|text| day(&text))
                .transpose()?,
        },
        authority: named(&row.get::<_, String>(3)?, Authority::named)?,
        renews: row.get(7)?,
        placed: (row.get(8)?, time(&row.get::<_, String>(9)?)?),
        told: row
            .get::<_, Option<String>>(10)?
            .map(|text| time(&text))
            .transpose()?,
        words,
    })
}

/// A ruling that is written down.
#[derive(Debug, Clone)]
pub struct NewRuling {
    /// On which file.
    pub file: String,
    /// What it says.
    pub outcome: Outcome,
    /// Its day.
    pub decided: Date,
    /// The day from which nobody can appeal.
    pub final_on: Date,
    /// Court and number.
    pub reference: String,
}

/// A ruling as it is kept.
#[derive(Debug, Clone)]
pub struct RulingRecord {
    /// Its number.
    pub id: i64,
    /// What the plan sees.
    pub ruling: Ruling,
    /// Its day.
    pub decided: Date,
    /// By which account, and when.
    pub entered: (String, BoxTime),
    words: Option<Cell>,
}

impl RulingRecord {
    /// Court and number; nothing once the file is destroyed.
    pub fn reference(&self, register: &CellKey) -> Result<Option<String>, cell::Error> {
        let row = self.id.to_string();
        let opened = self
            .words
            .as_ref()
            .map(|cell| cell::open(register, ruling_words(&row), cell));
        opened.transpose()
    }
}

/// Writes a ruling down: its number.
pub fn rule(
    tx: &mut Tx<'_>,
    new: &NewRuling,
    by: (&str, &CellKey),
    today: Date,
    now: BoxTime,
) -> Result<i64, Error> {
    if new.decided > today || new.final_on < new.decided {
        return Err(Error::RulingDates);
    }
    let (account, register) = by;
    let id = next_id(tx.raw(), "ruling")?;
    let cell = cell::seal(register, ruling_words(&id.to_string()), &new.reference)?;
    tx.raw().execute(
        "INSERT INTO ruling (id, file, outcome, decided, final_day, entered, entered_by, words_wrapped, words_body)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            id,
            new.file,
            new.outcome.as_str(),
            new.decided.to_string(),
            new.final_on.to_string(),
            now.to_string(),
            account,
            cell.wrapped,
            cell.body
        ],
    )?;
    let body = json!({
        "account": account, "file": new.file, "final": new.final_on, "outcome": new.outcome.as_str(), "ruling": id,
    });
    let kind = Kind::Ruled;
    tx.journal(now, &Entry { kind, body })?;
    Ok(id)
}

/// Every ruling, the youngest first.
pub fn rulings(db: &Connection) -> Result<Vec<RulingRecord>, Error> {
    let mut query = db.prepare_cached(
        "SELECT id, file, outcome, decided, final_day, entered_by, entered, words_wrapped, words_body FROM ruling
         ORDER BY id DESC",
    )?;
    let rows = query.query_map([], |row| Ok(ruling_of(row)))?;
    rows.map(|row| row?).collect()
}

fn ruling_of(row: &Row<'_>) -> Result<RulingRecord, Error> {
    let words = match (row.get(7)?, row.get(8)?) {
        (Some(wrapped), Some(body)) => Some(Cell { wrapped, body }),
        _ => None,
    };
    Ok(RulingRecord {
        id: row.get(0)?,
        ruling: Ruling {
            case: row.get(1)?,
            outcome: named(&row.get::<_, String>(2)?, Outcome::named)?,
            final_on: day(&row.get::<_, String>(4)?)?,
        },
        decided: day(&row.get::<_, String>(3)?)?,
        entered: (row.get(5)?, time(&row.get::<_, String>(6)?)?),
        words,
    })
}

/// What was said of a file's holds and rulings in words goes with the file.
pub fn forget_words(tx: &Tx<'_>, file: &str) -> Result<(), Error> {
    for sql in [
        "UPDATE hold SET words_wrapped = NULL, words_body = NULL WHERE stands_on = 'case' AND object = ?",
        "UPDATE ruling SET words_wrapped = NULL, words_body = NULL WHERE file = ?",
    ] {
        tx.raw().execute(sql, [file])?;
    }
    Ok(())
}

/// An agreement that is written down.
#[derive(Debug, Clone)]
pub struct NewAgreement {
    /// Of which class.
    pub class: Class,
    /// Its reference.
    pub reference: String,
    /// Which archives gave it.
    pub archives: String,
    /// Its day.
    pub from: Date,
    /// Its last day, if it has one.
    pub until: Option<Date>,
}

/// An agreement as it is kept.
#[derive(Debug, Clone)]
pub struct AgreementRecord {
    /// What the plan sees.
    pub agreement: Agreement,
    /// Which archives gave it.
    pub archives: String,
    /// By which account, and when.
    pub entered: (String, BoxTime),
}

impl AgreementRecord {
    /// As it stands on certificates.
    pub fn words(&self) -> String {
        format!("{}, {}", self.archives, self.agreement.reference)
    }
}

/// Writes an agreement down: its number. Its words stand on certificates, which anyone may read.
pub fn agree(
    tx: &mut Tx<'_>,
    new: &NewAgreement,
    account: &str,
    today: Date,
    now: BoxTime,
) -> Result<i64, Error> {
    if new.from > today || new.until.is_some_and(|until| until < new.from) {
        return Err(Error::AgreementDates);
    }
    let id = next_id(tx.raw(), "agreement")?;
    tx.raw().execute(
        "INSERT INTO agreement (id, class, reference, archives, from_day, until_day, entered, entered_by)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            id,
            new.class.as_str(),
            new.reference,
            new.archives,
            new.from.to_string(),
            new.until.map(|until| until.to_string()),
            now.to_string(),
            account
        ],
    )?;
    let body = json!({
        "account": account, "act": "entered", "agreement": id, "class": new.class.as_str(), "from": new.from,
        "until": new.until,
    });
    let kind = Kind::Agreed;
    tx.journal(now, &Entry { kind, body })?;
    Ok(id)
}

/// Ends an agreement: its last day was yesterday.
pub fn withdraw(tx: &mut Tx<'_>, id: i64, account: &str, today: Date, now: BoxTime) -> Result<(), Error> {
    let last = today.yesterday().unwrap_or(today);
    let end = "UPDATE agreement SET until_day = ?1 WHERE id = ?2 AND (until_day IS NULL OR until_day > ?1)";
    if tx.raw().execute(end, params![last.to_string(), id])? == 0 {
        return Err(Error::NoSuchAgreement(id));
    }
    let body = json!({"account": account, "act": "withdrawn", "agreement": id});
    let kind = Kind::Agreed;
    Ok(tx.journal(now, &Entry { kind, body })?)
}

/// Every agreement, the youngest first.
pub fn agreements(db: &Connection) -> Result<Vec<AgreementRecord>, Error> {
    let mut query = db.prepare_cached(
        "SELECT id, class, reference, archives, from_day, until_day, entered_by, entered FROM agreement
         ORDER BY id DESC",
    )?;
    let rows = query.query_map([], |row| Ok(agreement_of(row)))?;
    rows.map(|row| row?).collect()
}

fn agreement_of(row: &Row<'_>) -> Result<AgreementRecord, Error> {
    Ok(AgreementRecord {
        agreement: Agreement {
            id: row.get(0)?,
            class: named(&row.get::<_, String>(1)?, Class::named)?,
            reference: row.get(2)?,
            from: day(&row.get::<_, String>(4)?)?,
            until: row
                .get::<_, Option<String>>(5)?
                .map(|text| day(&text))
                .transpose()?,
        },
        archives: row.get(3)?,
        entered: (row.get(6)?, time(&row.get::<_, String>(7)?)?),
    })
}

/// All that the plan must know beside the objects.
pub fn facts(db: &Connection) -> Result<Facts, Error> {
    Ok(Facts {
        holds: holds(db)?.into_iter().map(|record| record.hold).collect(),
        rulings: rulings(db)?.into_iter().map(|record| record.ruling).collect(),
        agreements: agreements(db)?
            .into_iter()
            .map(|record| record.agreement)
            .collect(),
    })
}

/// Whether something is due and may not be erased yet: then nobody is shown it.
pub fn is_locked(db: &Connection, class: Class, id: &str) -> rusqlite::Result<bool> {
    let mut query = db.prepare_cached("SELECT 1 FROM locked WHERE class = ? AND id = ?")?;
    query.exists(params![class.as_str(), id])
}

/// All of a class that are locked.
pub fn locked(db: &Connection, class: Class) -> rusqlite::Result<BTreeSet<String>> {
    let mut query = db.prepare_cached("SELECT id FROM locked WHERE class = ?")?;
    let ids = query.query_map([class.as_str()], |row| row.get(0))?;
    ids.collect()
}

/// The same of an event, as itself or as images of its file.
pub fn is_event_locked(db: &Connection, event: EventId) -> rusqlite::Result<bool> {
    let mut query = db.prepare_cached(
        "SELECT 1 FROM locked WHERE (class = 'unreviewed' AND id = ?1)
            OR (class = 'images' AND id = (SELECT file FROM event WHERE id = ?1))",
    )?;
    query.exists([event.to_string()])
}

/// Numbers are not given twice: nothing is deleted from these tables.
fn next_id(db: &Connection, table: &'static str) -> rusqlite::Result<i64> {
    let next = format!("SELECT coalesce(max(id), 0) + 1 FROM {table}");
    db.query_row(&next, [], |row| row.get(0))
}

pub(super) fn day(text: &str) -> Result<Date, Error> {
    text.parse().map_err(|_| Error::Damaged(text.to_owned()))
}

pub(super) fn time(text: &str) -> Result<BoxTime, Error> {
    text.parse()
        .map(BoxTime)
        .map_err(|_| Error::Damaged(text.to_owned()))
}

fn named<T>(name: &str, find: impl Fn(&str) -> Option<T>) -> Result<T, Error> {
    find(name).ok_or_else(|| Error::Damaged(name.to_owned()))
}
