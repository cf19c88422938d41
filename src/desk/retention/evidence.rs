//! The desk's evidence as retention sees it: events and infraction files, and the daily run over them.
//!
//! Promises: what an event or a file consists of is destroyed by whoever keeps it, nothing of it is known here but
//! ids and dates. An event that belongs to no file has the term of an event, whoever looked at it; the images of a
//! file are the events that belong to it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use rusqlite::Connection;

use super::Error;
use super::clock::{Mark, local_date};
use super::plan::{Class, Object, Planned, Subject, Term, Terms, Upon};
use super::run::{self, Destroyed, Destroys, Ran, Setting};
use crate::config::RegimeKind;
use crate::desk::infraction::{self, CaseNumber};
use crate::desk::infraction::{ending, register};
use crate::desk::office::Office;
use crate::desk::review::dismissal;
use crate::desk::{config, review, transmission};
use crate::frame::{BoxTime, EventId};
use crate::vault::ItemId;
use crate::vault::certificate::Regime;
use crate::vault::certificate::erasure::Site;
use crate::vault::store::{Cause, Tx};

impl From<review::Error> for Error {
    fn from(error: review::Error) -> Self {
        Self::Evidence(error.to_string())
    }
}

impl From<register::Error> for Error {
    fn from(error: register::Error) -> Self {
        match error {
            register::Error::Store(error) => Self::Store(error),
            error => Self::Evidence(error.to_string()),
        }
    }
}

impl From<transmission::Error> for Error {
    fn from(error: transmission::Error) -> Self {
        match error {
            transmission::Error::Store(error) => Self::Store(error),
            error => Self::Evidence(error.to_string()),
        }
    }
}

/// Events and infraction files of a desk.
#[derive(Debug, Clone, Copy)]
pub struct Evidence;

struct EventRow {
    id: EventId,
    camera: String,
    facts: BoxTime,
    arrived: BoxTime,
    regime: String,
    file: Option<String>,
    items: u64,
    bytes: u64,
}

const EVENTS: &str = "SELECT event.id, event.camera, event.facts, event.arrived, event.regime, event.file,
    count(item.number), coalesce(sum(item.size), 0)
    FROM event LEFT JOIN item ON item.event = event.id
    WHERE event.state IN ('new', 'seen', 'retained', 'aside') GROUP BY event.id";

fn events(db: &Connection) -> Result<Vec<EventRow>, Error> {
    let mut query = db.prepare_cached(EVENTS)?;
    let mut rows = query.query([])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let id: String = row.get(0)?;
        events.push(EventRow {
            id: id.parse().map_err(|_| Error::Damaged(id))?,
            camera: row.get(1)?,
            facts: super::records::time(&row.get::<_, String>(2)?)?,
            arrived: super::records::time(&row.get::<_, String>(3)?)?,
            regime: row.get(4)?,
            file: row.get(5)?,
            items: row.get(6)?,
            bytes: row.get(7)?,
        });
    }
    Ok(events)
}

fn events_of(db: &Connection, file: &str) -> Result<Vec<EventId>, Error> {
    let mut query = db.prepare_cached(
        "SELECT id FROM event WHERE file = ? AND state IN ('new', 'seen', 'retained', 'aside') ORDER BY id",
    )?;
    let rows = query.query_map([file], |row| row.get::<_, String>(0))?;
    rows.map(|id| {
        let id = id?;
        id.parse().map_err(|_| Error::Damaged(id))
    })
    .collect()
}

impl Destroys for Evidence {
    fn objects(&self, db: &Connection, zone: &TimeZone) -> Result<Vec<Object>, Error> {
        let mut objects = recorded(db, zone)?;
        let facts: BTreeMap<_, _> = objects
            .iter()
            .map(|record| (record.subject.id.clone(), record.facts))
            .collect();
        let mut files: BTreeMap<String, Object> = BTreeMap::new();
        for event in events(db)? {
            let mut object = Object {
                subject: Subject {
                    class: Class::Unreviewed,
                    id: event.id.to_string(),
                },
                facts: Some(local_date(event.facts, zone)),
                known: local_date(event.arrived, zone),
                camera: Some(event.camera),
                items: event.items,
                bytes: event.bytes,
                by_law: event.regime == "videoprotection",
            };
            let Some(file) = event.file else {
                objects.push(object);
                continue;
            };
            object.subject = Subject {
                class: Class::Images,
                id: file.clone(),
            };
            object.by_law = false;
            // As the record states them; else a file of several events has the term of the first of them.
            object.facts = facts.get(&file).copied().unwrap_or(object.facts);
            let of_file = files.entry(file).or_insert_with(|| Object {
                items: 0,
                bytes: 0,
                ..object.clone()
            });
            of_file.facts = of_file.facts.min(object.facts);
            of_file.known = of_file.known.min(object.known);
            of_file.items += object.items;
            of_file.bytes += object.bytes;
        }
        objects.extend(files.into_values());
        Ok(objects)
    }

    fn destroy(&self, tx: &mut Tx<'_>, subject: &Subject, now: BoxTime) -> Result<Destroyed, Error> {
        match subject.class {
            Class::Unreviewed => {
                let id = subject
                    .id
                    .parse()
                    .map_err(|_| Error::Damaged(subject.id.clone()))?;
                erase(tx, &[id], now)
            }
            Class::Images => {
                let events = events_of(tx.raw(), &subject.id)?;
                // Reports and packages hold the images too.
                transmission::destroy(tx, &subject.id)?;
                Ok(Destroyed {
                    number: Some(subject.id.clone()),
                    ..erase(tx, &events, now)?
                })
            }
            Class::Record => {
                transmission::destroy(tx, &subject.id)?;
                infraction::destroy(tx, &number(subject)?, Cause::Expired.as_str(), now)?;
                Ok(Destroyed {
                    records: 1,
                    number: Some(subject.id.clone()),
                    ..Destroyed::default()
                })
            }
        }
    }

    fn is_there(&self, db: &Connection, subject: &Subject) -> Result<bool, Error> {
        match subject.class {
            Class::Unreviewed => {
                let mut row = db.prepare_cached(
                    "SELECT 1 FROM event WHERE id = ?1 AND (state IN ('new', 'seen', 'retained', 'aside')
                        OR EXISTS (SELECT 1 FROM item WHERE item.event = event.id))",
                )?;
                Ok(row.exists([&subject.id])?)
            }
            Class::Images => Ok(!events_of(db, &subject.id)?.is_empty()),
            Class::Record => {
                Ok(ending::is_there(db, &number(subject)?)? || transmission::is_there(db, &subject.id)?)
            }
        }
    }
}

/// The records of infraction files: their term counts from the facts that they state.
fn recorded(db: &Connection, zone: &TimeZone) -> Result<Vec<Object>, Error> {
    let dated = ending::dated(db)?.into_iter();
    let records = dated.map(|file| Object {
        subject: Subject {
            class: Class::Record,
            id: file.number.to_string(),
        },
        facts: Some(local_date(file.facts, zone)),
        known: local_date(file.opened, zone),
        camera: file.camera,
        items: 0,
        bytes: 0,
        by_law: false,
    });
    Ok(records.collect())
}

fn number(subject: &Subject) -> Result<CaseNumber, Error> {
    subject.id.parse().map_err(|_| Error::Damaged(subject.id.clone()))
}

fn erase(tx: &mut Tx<'_>, events: &[EventId], now: BoxTime) -> Result<Destroyed, Error> {
    let mut gone = Destroyed::default();
    for event in events {
        let items: Vec<(u32, u64)> = {
            let mut query = tx
                .raw()
                .prepare_cached("SELECT number, size FROM item WHERE event = ?")?;
            let rows = query.query_map([event.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<_>>()?
        };
        dismissal::erase(tx, *event, Cause::Expired, now)?;
        gone.events += 1;
        for (number, bytes) in items {
            gone.items.push(ItemId {
                event: *event,
                number,
            });
            gone.bytes += bytes;
        }
    }
    Ok(gone)
}

impl Setting {
    /// What the city's configuration says.
    pub fn of(config: &config::Office) -> Self {
        let upon = |at_once| if at_once { Upon::AtOnce } else { Upon::AtTerm };
        let file = Term::years(config.terms.infraction_years);
        Self {
            zone: config.time_zone(),
            terms: Terms {
                unreviewed: Term::days(config.terms.undecided_days.into()),
                images: file,
                record: file,
                on_relaxe: upon(config.terms.erase_on_acquittal),
                on_classement: upon(config.terms.erase_on_dismissal),
            },
            sites: config.camera.iter().map(site).collect(),
        }
    }
}

fn site(camera: &config::Camera) -> Site {
    let kind = match camera.regime.kind {
        RegimeKind::Videoprotection => "videoprotection",
        RegimeKind::ActeEnquete => "acte_enquete",
        RegimeKind::SansTexte { .. } => "sans_texte",
        RegimeKind::Quebec => "quebec",
    };
    Site {
        camera: camera.id.to_string(),
        site: camera.site.clone(),
        regime: Regime {
            kind: kind.to_owned(),
            reference: camera.regime.reference.clone(),
        },
    }
}

/// The plan of a desk as it stands; nothing is written.
pub fn planned(office: &Office, now: BoxTime) -> Result<(Mark, Vec<Planned>), Error> {
    run::planned(&office.desk.store, &Setting::of(&office.config), &Evidence, now)
}

/// The daily run of a desk: at its start, before it is served, and every hour then. `ran`: how long the program ran
/// since the last one, by the monotonic clock; zero at the start.
pub fn run_due(office: &mut Office, now: BoxTime, ran: Duration) -> Result<Ran, Error> {
    let setting = Setting::of(&office.config);
    run::carry_out(office.store(), &setting, &Evidence, now, ran)
}

/// A file's images, and those of them that nobody confirmed for a report: the yearly list of what is too much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surplus {
    /// The file's number.
    pub file: String,
    /// Images that it has.
    pub images: u64,
    /// Of these, those that nobody confirmed.
    pub unconfirmed: u64,
}

/// The files with more images than were confirmed, by number.
pub fn surplus(db: &Connection) -> Result<Vec<Surplus>, Error> {
    let mut query = db.prepare_cached(
        "SELECT event.file, count(*), sum(event_frame.confirmed IS NULL)
         FROM event JOIN event_frame ON event_frame.event = event.id
         WHERE event.file IS NOT NULL GROUP BY event.file
         HAVING sum(event_frame.confirmed IS NULL) > 0 ORDER BY event.file",
    )?;
    let rows = query.query_map([], |row| {
        Ok(Surplus {
            file: row.get(0)?,
            images: row.get(1)?,
            unconfirmed: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
