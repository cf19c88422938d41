//! Infraction files to test with: one event of the demo camera, one agent who has looked at it, one complete record.
#![allow(dead_code, reason = "each test file uses its part of the kit")]

use std::path::Path;

use jiff::civil::{Date, date};
use vigie::desk::infraction::exchange::out::{self, Form, Words};
use vigie::desk::infraction::plate::{Country, Legibility, Reading};
use vigie::desk::infraction::record::{
    ClockOffset, Cost, CostKind, Image, Officer, SivLookUp, Source, Viewing, WasteKind,
};
use vigie::desk::infraction::register::{self, By, Error, File, Opening};
use vigie::desk::infraction::{CaseNumber, Moment, Record};
use vigie::desk::keyring::EvidenceKeys;
use vigie::desk::law::{Act, Law, OffenceId, QualityId, RouteId};
use vigie::frame::{Digest, EventId};

use crate::desk_kit::{Rig, time};

/// The account of the agent who states the facts.
pub const AGENT: &str = "00000000000000a1";
/// Another's.
pub const OTHER: &str = "00000000000000b2";

pub fn law() -> &'static Law {
    Law::embedded()
}

/// The day that the kit's clock stands at.
pub fn today() -> Date {
    date(2026, 11, 22)
}

pub fn moment(text: &str) -> Moment {
    Moment::try_from(text.to_owned()).expect("a moment")
}

pub fn keys(rig: &Rig) -> &EvidenceKeys {
    &rig.evidence
}

pub fn officer(account: &str) -> Officer {
    Officer {
        account: account.to_owned(),
        name: "Agent Un".to_owned(),
        quality: QualityId::from("agent-collectivite"),
        titles: vec![
            "Habilitation du 12 mars 2026, maire d'Exemple-sur-Seine".to_owned(),
            "Serment du 2 avril 2026, tribunal judiciaire d'Exemple".to_owned(),
        ],
    }
}

/// An event of three images, two of which the agent has seen.
pub fn source() -> Source {
    let image = |number: u32, at: &str| Image {
        number,
        digest: Digest::of(&number.to_be_bytes()),
        at: moment(at),
    };
    let images = vec![
        image(0, "2026-11-20T22:14:05+01:00"),
        image(2, "2026-11-20T22:14:09+01:00"),
        image(4, "2026-11-20T22:14:31+01:00"),
    ];
    let viewing = |image: &Image| Viewing {
        digest: image.digest,
        by: AGENT.to_owned(),
        at: time("2026-11-22T10:41:00Z"),
    };
    Source {
        event: EventId::from_bytes([7; 8]),
        camera: "demo".parse().expect("a camera"),
        site: "Quai Nord, face au 12, dépôt des conteneurs".to_owned(),
        regime: "Vidéoprotection, arrêté préfectoral n° 2026-0412".to_owned(),
        zones: None,
        from: moment("2026-11-20T22:14:05+01:00"),
        until: moment("2026-11-20T22:14:31+01:00"),
        viewings: images[..1].iter().map(viewing).collect(),
        images,
    }
}

/// Opens a file of the kit's event.
pub fn opened(rig: &Rig) -> CaseNumber {
    let by = By {
        account: AGENT,
        keys: keys(rig),
        now: rig.now(),
    };
    let opening = Opening::new(source(), officer(AGENT)).expect("looked at");
    let mut office = rig.app.office.lock().expect("the desk");
    let code = office.config.code.clone();
    let opened = office
        .store()
        .transaction(|tx| register::open(tx, by, opening, &code, 2026));
    opened.expect("opened")
}

/// A record that states nothing yet.
pub fn record() -> Record {
    static RECORD: std::sync::OnceLock<Record> = std::sync::OnceLock::new();
    let made = || {
        let rig = Rig::new();
        file(&rig, &opened(&rig)).record
    };
    RECORD.get_or_init(made).clone()
}

pub fn file(rig: &Rig, number: &CaseNumber) -> File {
    let office = rig.app.office.lock().expect("the desk");
    register::read(office.desk.store.sql(), keys(rig), number).expect("there")
}

fn reading(by: &str) -> Reading {
    Reading {
        typed: "AB-123-CD".to_owned(),
        legibility: Legibility::Whole,
        by: by.to_owned(),
        at: time("2026-11-22T11:00:00Z"),
    }
}

/// The record with everything that closing takes.
pub fn complete(record: &Record) -> Record {
    let mut record = record.clone();
    record.clock = Some(ClockOffset {
        seconds: -3,
        measured: date(2026, 10, 2),
        by: "Agent Un".to_owned(),
    });
    record.facts = "J'ai vu deux personnes déposer des gravats au pied des conteneurs.".to_owned();
    record.offence = Some(OffenceId::from("cp-r635-8"));
    record.act = Some(Act::ProcesVerbal);
    record.route = Some(RouteId::from("procureur-opj"));
    record.waste.kinds.insert(WasteKind::Rubble);
    record.vehicle.first = Some(reading(AGENT));
    record.vehicle.second = Some(reading(OTHER));
    record.vehicle.country = Some(Country::Sign("F".to_owned()));
    record.vehicle.kind = "Camionnette".to_owned();
    record.siv = Some(SivLookUp {
        on: date(2026, 11, 21),
        by: "Brigadier Deux".to_owned(),
        reference: "SIV 2026/118".to_owned(),
    });
    record.costs.push(Cost {
        kind: CostKind::Work,
        label: "Deux agents".to_owned(),
        quantity: Some("2".parse().expect("two")),
        unit: Some("20".parse().expect("twenty")),
        amount: "40".parse().expect("forty"),
        voucher: "BT 77".to_owned(),
    });
    record
}

/// Changes a file as it stands.
pub fn change(
    rig: &Rig,
    number: &CaseNumber,
    reason: Option<&str>,
    change: impl FnOnce(&mut Record),
) -> Result<i64, Error> {
    let before = file(rig, number);
    let mut record = before.record;
    change(&mut record);
    let by = By {
        account: AGENT,
        keys: keys(rig),
        now: rig.now(),
    };
    let mut office = rig.app.office.lock().expect("the desk");
    office
        .store()
        .transaction(|tx| register::save(tx, by, number, before.version, &record, reason))
}

/// A complete file that was closed.
pub fn closed(rig: &Rig) -> CaseNumber {
    let number = opened(rig);
    let version = change(rig, &number, None, |record| *record = complete(record)).expect("saved");
    let by = By {
        account: AGENT,
        keys: keys(rig),
        now: rig.now(),
    };
    let mut office = rig.app.office.lock().expect("the desk");
    let closed = office
        .store()
        .transaction(|tx| register::close(tx, by, &number, version, law(), today()));
    closed.expect("closed");
    number
}

/// Writes an export of these files down: its id.
pub fn export(rig: &Rig, numbers: &[CaseNumber]) -> String {
    let by = By {
        account: AGENT,
        keys: keys(rig),
        now: rig.now(),
    };
    let words = Words {
        motive: "Contrôle".to_owned(),
        recipient: "Chef de service".to_owned(),
    };
    let mut office = rig.app.office.lock().expect("the desk");
    let recorded = office
        .store()
        .transaction(|tx| out::record(tx, by, &rig.register.0, Form::Csv, b"numero", numbers, &words));
    recorded.expect("recorded")
}

pub fn texts(sql: &rusqlite::Connection, query: &str) -> Vec<String> {
    let mut query = sql.prepare(query).expect("a query");
    let rows = query.query_map([], |row| row.get(0)).expect("rows");
    rows.map(|row| row.expect("a text")).collect()
}

/// Which of these texts stand anywhere in the folder's files, in whichever case.
pub fn search_folder(folder: &Path, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(search_folder(&path, texts));
            continue;
        }
        let bytes = std::fs::read(&path).expect("a file").to_ascii_lowercase();
        for text in texts {
            let wanted = text.to_ascii_lowercase();
            if memchr::memmem::find(&bytes, wanted.as_bytes()).is_some() {
                found.push(format!("{}: {text}", path.display()));
            }
        }
    }
    found
}
