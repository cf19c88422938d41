//! A desk's store with a shelf of sealed things on it, each with its dates.

#![allow(dead_code, reason = "each test file uses its part of the kit")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::{Connection, params};
use serde_json::json;
use vigie::desk::backup;
use vigie::desk::cell::{self, CellKey, Place};
use vigie::desk::retention::plan::{Class, Object, Subject, Terms};
use vigie::desk::retention::records::{self, NewAgreement};
use vigie::desk::retention::run::{self, Destroyed, Destroys, Ran, Setting};
use vigie::desk::retention::{self, Error};
use vigie::frame::{BoxTime, EventId};
use vigie::transfer::Desk;
use vigie::vault::certificate::Regime;
use vigie::vault::certificate::erasure::Site;
use vigie::vault::item::Stanza;
use vigie::vault::keys::{desk_init, office_init};
use vigie::vault::store::{Cause, Tx};
use vigie::vault::{EventSealer, OfficeKey};

pub const PARIS: &str = "Europe/Paris";
const SHELF: &str = "
CREATE TABLE IF NOT EXISTS shelf (
    class TEXT NOT NULL, id TEXT NOT NULL, facts TEXT NOT NULL, by_law INTEGER NOT NULL, cell BLOB NOT NULL,
    PRIMARY KEY (class, id)
) STRICT, WITHOUT ROWID";

/// Keeps things in a table of its own: an event has one sealed file, a record a cell, images the file of the same id.
pub struct Shelf;

impl Destroys for Shelf {
    fn objects(&self, db: &Connection, _: &TimeZone) -> Result<Vec<Object>, Error> {
        let mut query = db.prepare("SELECT class, id, facts, by_law FROM shelf")?;
        let rows = query.query_map([], |row| {
            let facts: Date = row.get::<_, String>(2)?.parse().expect("a day");
            let class = Class::named(&row.get::<_, String>(0)?).expect("a class");
            Ok(Object {
                subject: Subject {
                    class,
                    id: row.get(1)?,
                },
                facts: Some(facts),
                known: facts,
                camera: Some("quai".to_owned()),
                items: u64::from(class != Class::Record),
                bytes: 1000,
                by_law: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn destroy(&self, tx: &mut Tx<'_>, subject: &Subject, now: BoxTime) -> Result<Destroyed, Error> {
        let row = params![subject.class.as_str(), subject.id];
        tx.raw()
            .execute("DELETE FROM shelf WHERE class = ? AND id = ?", row)?;
        let mut gone = Destroyed {
            number: (subject.class != Class::Unreviewed).then(|| format!("2026-EXE-{}", subject.id)),
            ..Destroyed::default()
        };
        if subject.class == Class::Record {
            gone.records = 1;
            return Ok(gone);
        }
        let event = event(&subject.id);
        gone.events = 1;
        gone.bytes = 1000;
        if tx.erase_items(now, event, &[0], Cause::Expired)? > 0 {
            gone.items.push(vigie::vault::ItemId { event, number: 0 });
        }
        Ok(gone)
    }

    fn is_there(&self, db: &Connection, subject: &Subject) -> Result<bool, Error> {
        let mut row = db.prepare("SELECT 1 FROM shelf WHERE class = ? AND id = ?")?;
        Ok(row.exists(params![subject.class.as_str(), subject.id])?)
    }
}

fn event(id: &str) -> EventId {
    EventId::from_bytes(u64::from_str_radix(id, 16).expect("hexadecimal").to_be_bytes())
}

pub struct Kit {
    pub folder: tempfile::TempDir,
    pub service: OfficeKey,
    pub register: CellKey,
}

pub fn instant(text: &str) -> BoxTime {
    BoxTime(text.parse().expect("an instant"))
}

/// Noon of a day in Paris.
pub fn noon(day: Date) -> BoxTime {
    let zone = TimeZone::get(PARIS).expect("a zone");
    BoxTime(day.at(12, 0, 0, 0).to_zoned(zone).expect("noon").timestamp())
}

impl Kit {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = folder.path().join("desk");
        fs::create_dir_all(desk.join("keys")).expect("the desk's folder");
        desk_init(&desk).expect("the desk's key");
        let office = office_init(&desk.join("keys"), "2026-Q4".parse().expect("a quarter")).expect("keys");
        let example = include_str!("../../docs/desk.example.toml");
        fs::write(desk.join("desk.toml"), example).expect("desk.toml");
        let service = OfficeKey::read(&office.service.secret).expect("the service's key");
        // On a served desk the secret halves are in no file.
        for secret in [&office.service.secret, &office.recovery.secret] {
            fs::remove_file(secret).expect("moved away");
        }
        Self {
            folder,
            service,
            register: CellKey::from_bytes([7; 32]),
        }
    }

    pub fn desk(&self) -> PathBuf {
        self.folder.path().join("desk")
    }

    pub fn open(&self, now: BoxTime) -> Desk {
        open(&self.desk(), now)
    }

    /// Puts something on the shelf, sealed, with its wrapped key in the desk's table; the content key's stanzas.
    pub fn shelve(&self, desk: &mut Desk, class: Class, id: &str, facts: Date) -> Vec<u8> {
        let now = noon(facts);
        let event = event(id);
        let place = Place {
            table: "shelf",
            column: "cell",
            row: id,
        };
        let cell = cell::seal(&self.register, place, &format!("AB-{id}-CD")).expect("sealed");
        let cell = [cell.wrapped, cell.body].concat();
        let recipients = [self.service.recipient().clone()];
        let mut sealer = EventSealer::new(desk.store.device(), event, &recipients).expect("a sealer");
        let sealed = sealer
            .seal_record(&json!({"of": id, "note": "x".repeat(700)}))
            .expect("sealed");
        let header = vigie::vault::item::Header::read(&mut sealed.bytes()).expect("its header");
        let stanzas: Vec<u8> = header.stanzas.iter().flat_map(Stanza::to_bytes).collect();
        let staged = (class != Class::Record).then(|| desk.store.stage(sealed).expect("staged"));
        desk.store
            .transaction(|tx| {
                tx.raw().execute_batch(SHELF)?;
                let insert = "INSERT INTO shelf (class, id, facts, by_law, cell) VALUES (?, ?, ?, 0, ?)";
                tx.raw()
                    .execute(insert, params![class.as_str(), id, facts.to_string(), cell])?;
                if let Some(staged) = staged {
                    tx.insert_item(now, staged)?;
                    let wrap = "INSERT INTO wrap (event, stanzas) VALUES (?, ?)";
                    tx.raw().execute(wrap, params![event.to_string(), stanzas])?;
                }
                Ok::<_, vigie::vault::store::Error>(())
            })
            .expect("committed");
        if class == Class::Record { cell } else { stanzas }
    }

    pub fn agree(&self, desk: &mut Desk, from: Date) {
        for class in Class::ALL {
            let new = NewAgreement {
                class,
                reference: "2026-117".to_owned(),
                archives: "Archives départementales 94".to_owned(),
                from,
                until: None,
            };
            desk.store
                .transaction(|tx| records::agree(tx, &new, "00000000000000c1", from, noon(from)))
                .expect("agreed");
        }
    }
}

pub fn open(folder: &Path, now: BoxTime) -> Desk {
    let mut desk = Desk::open(folder, now).expect("the desk");
    desk.store
        .ensure(&retention::OBJECTS, retention::SCHEMA)
        .expect("tables");
    desk.store
        .ensure(&backup::OBJECTS, backup::SCHEMA)
        .expect("tables");
    desk.store.ensure(&["shelf"], SHELF).expect("tables");
    desk
}

pub fn setting() -> Setting {
    Setting {
        zone: TimeZone::get(PARIS).expect("a zone"),
        terms: Terms::promised(),
        sites: vec![Site {
            camera: "quai".to_owned(),
            site: "Quai Nord".to_owned(),
            regime: Regime {
                kind: "videoprotection".to_owned(),
                reference: "arrêté 2026-0412".to_owned(),
            },
        }],
    }
}

pub fn run(desk: &mut Desk, now: BoxTime, ran_hours: u64) -> Ran {
    let ran = Duration::from_secs(ran_hours * 3600);
    run::carry_out(&mut desk.store, &setting(), &Shelf, now, ran).expect("carried out")
}

/// What is on the shelf.
pub fn there(desk: &Desk) -> BTreeSet<(String, String)> {
    let mut query = desk
        .store
        .sql()
        .prepare("SELECT class, id FROM shelf")
        .expect("a query");
    let rows = query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("rows");
    rows.collect::<Result<_, _>>().expect("read")
}

/// Every file under `dir`, with its bytes.
pub fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.clone(), fs::read(&path).expect("readable"))),
        }
    }
    found.sort();
    found
}

/// The files under `dir` that hold `needle`, or its hexadecimal digits.
pub fn holding(dir: &Path, needle: &[u8]) -> Vec<PathBuf> {
    let digits = needle
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    let holds = |bytes: &[u8]| {
        let finder = memchr::memmem::Finder::new(needle);
        finder.find(bytes).is_some() || memchr::memmem::find(bytes, digits.as_bytes()).is_some()
    };
    files(dir)
        .into_iter()
        .filter(|(_, bytes)| holds(bytes))
        .map(|(path, _)| path)
        .collect()
}
