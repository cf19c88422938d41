//! The register going out: CSV for the office, JSON for whoever wants all of it, observations in the shape of Camtrap DP.
//!
//! Promises: an export has a motive and a recipient and stands in the register of exports with its digest and the files
//! it was made of, so that a file's erasure names the copies that went out (I34); the holder of a registration and the
//! history of corrections are in none; the observations carry neither plate nor place nor any text.

use jiff::tz::TimeZone;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::columns::Column;
use super::table;
use crate::desk::cell::{self, Cell, CellKey, Place};
use crate::desk::infraction::amount::Hundredths;
use crate::desk::infraction::check::{french, last_outcome};
use crate::desk::infraction::moment::Moment;
use crate::desk::infraction::number::CaseNumber;
use crate::desk::infraction::record::{listed, total};
use crate::desk::infraction::register::{self, By, Error, File};
use crate::desk::law::Law;
use crate::frame::{BoxTime, Digest};
use crate::vault::Kind;
use crate::vault::store::Tx;

listed! {
    /// What an export is written as.
    Form {
        /// Semicolons, one line for each file.
        Csv = "csv", "Tableau (CSV)";
        /// Everything, for programs.
        Json = "json", "Données complètes (JSON)";
        /// Camtrap DP observations, without plate or text.
        Observations = "observations", "Observations sans plaque ni texte (Camtrap DP)";
    }
}

impl Form {
    /// Media type and name of the file.
    pub const fn file(self) -> (&'static str, &'static str) {
        match self {
            Self::Csv => ("text/csv; charset=utf-8", "dossiers.csv"),
            Self::Json => ("application/json", "dossiers.json"),
            Self::Observations => ("text/csv; charset=utf-8", "observations.csv"),
        }
    }
}

/// Writes files out.
pub fn written(
    form: Form,
    files: &[File],
    law: &Law,
    zone: &TimeZone,
    now: BoxTime,
) -> Result<Vec<u8>, String> {
    match form {
        Form::Csv => {
            let titles = Column::ALL
                .iter()
                .map(|column| column.french().to_owned())
                .collect();
            let rows = files.iter().map(|file| line(file, law));
            table::written(std::iter::once(titles).chain(rows)).map_err(|error| error.to_string())
        }
        Form::Json => {
            let files: Vec<Value> = files.iter().map(document).collect();
            let exported = whole_second(Moment::of_instant(now, zone));
            let all = json!({"format": "vigie infractions 1", "exported": exported, "files": files});
            let mut bytes = serde_json::to_vec_pretty(&all).map_err(|error| error.to_string())?;
            bytes.push(b'\n');
            Ok(bytes)
        }
        Form::Observations => {
            let titles = OBSERVATION.map(str::to_owned).to_vec();
            let rows = files.iter().map(|file| observation(file, zone));
            plain_csv(std::iter::once(titles).chain(rows)).map_err(|error| error.to_string())
        }
    }
}

/// Camtrap DP is read by programs: commas, no byte order mark, no guard; nothing in it was typed by anybody.
fn plain_csv(rows: impl Iterator<Item = Vec<String>>) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row)?;
    }
    writer
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))
}

fn whole_second(moment: Moment) -> String {
    let second = jiff::Timestamp::from_second(moment.instant().0.as_second());
    let text = moment.to_string();
    let fraction = text.find('.').zip(text.rfind(['+', '-', 'Z']));
    match (second, fraction) {
        (Ok(_), Some((dot, offset))) if dot < offset => format!("{}{}", &text[..dot], &text[offset..]),
        _ => text,
    }
}

fn line(file: &File, law: &Law) -> Vec<String> {
    let record = &file.record;
    let vehicle = &record.vehicle;
    let siv = record.siv.as_ref();
    let outcome = last_outcome(record);
    let column = |column: &Column| match column {
        Column::Number => file.number.to_string(),
        Column::Date => french(&record.facts_at.day()),
        Column::Hour => {
            let time = record.facts_at.local().time();
            format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())
        }
        Column::Place => record.place.clone(),
        Column::Offence => {
            let offence = record.offence.as_ref().and_then(|id| law.offence(id));
            offence.map(|offence| offence.text.clone()).unwrap_or_default()
        }
        Column::Facts => record.facts.clone(),
        Column::Plate => vehicle
            .first
            .as_ref()
            .map(|first| first.typed.clone())
            .unwrap_or_default(),
        Column::Country => vehicle
            .country
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        Column::Vehicle => {
            let parts = [&vehicle.kind, &vehicle.make, &vehicle.colour, &vehicle.marking];
            let parts: Vec<&str> = parts
                .iter()
                .map(|part| part.as_str())
                .filter(|part| !part.is_empty())
                .collect();
            parts.join(", ")
        }
        Column::Waste => {
            let kinds = record.waste.kinds.iter().map(|kind| kind.french());
            let mut parts: Vec<&str> = kinds.collect();
            parts.extend(Some(record.waste.description.as_str()).filter(|text| !text.is_empty()));
            parts.join(" ; ")
        }
        Column::Volume => record.waste.volume.map(Hundredths::short).unwrap_or_default(),
        Column::Costs => match record.costs.is_empty() {
            true => String::new(),
            false => total(&record.costs).plain().replace('.', ","),
        },
        Column::Vouchers => {
            let vouchers = record.costs.iter().map(|cost| cost.voucher.as_str());
            vouchers
                .filter(|voucher| !voucher.is_empty())
                .collect::<Vec<_>>()
                .join(" ; ")
        }
        Column::Route => {
            let route = record.route.as_ref().and_then(|id| law.route(id));
            route.map(|route| route.label.clone()).unwrap_or_default()
        }
        Column::Outcome => outcome.map_or("", |outcome| outcome.kind.french()).to_owned(),
        Column::OutcomeDate => outcome.map(|outcome| french(&outcome.on)).unwrap_or_default(),
        Column::OutcomeReference => outcome
            .map(|outcome| outcome.reference.clone())
            .unwrap_or_default(),
        Column::SivDate => siv.map(|siv| french(&siv.on)).unwrap_or_default(),
        Column::SivBy => siv.map(|siv| siv.by.clone()).unwrap_or_default(),
        Column::SivReference => siv.map(|siv| siv.reference.clone()).unwrap_or_default(),
        Column::Comments => record.comments.clone(),
    };
    Column::ALL.iter().map(column).collect()
}

fn document(file: &File) -> Value {
    json!({
        "number": file.number,
        "opened": file.opened.0,
        "opened_by": file.opened.1,
        "state": file.state,
        "version": file.version,
        "total_costs": total(&file.record.costs),
        "record": file.record,
    })
}

/// Camtrap DP 1.0, observations: all its columns, in its order.
const OBSERVATION: [&str; 28] = [
    "observationID",
    "deploymentID",
    "mediaID",
    "eventID",
    "eventStart",
    "eventEnd",
    "observationLevel",
    "observationType",
    "cameraSetupType",
    "scientificName",
    "count",
    "lifeStage",
    "sex",
    "behavior",
    "individualID",
    "individualPositionRadius",
    "individualPositionAngle",
    "individualSpeed",
    "bboxX",
    "bboxY",
    "bboxWidth",
    "bboxHeight",
    "classificationMethod",
    "classifiedBy",
    "classificationTimestamp",
    "classificationProbability",
    "observationTags",
    "observationComments",
];

fn observation(file: &File, zone: &TimeZone) -> Vec<String> {
    let record = &file.record;
    let source = record.origin.source();
    let (from, until) = source.map_or((record.facts_at, record.facts_at), |source| {
        (source.from, source.until)
    });
    let value = |column: &&str| match *column {
        "observationID" => file.number.to_string(),
        "deploymentID" => source.map_or_else(|| "register".to_owned(), |source| source.camera.to_string()),
        "eventID" => source.map_or_else(|| file.number.to_string(), |source| source.event.to_string()),
        "eventStart" => whole_second(from),
        "eventEnd" => whole_second(until),
        "observationLevel" => "event".to_owned(),
        "observationType" if record.vehicle.first.is_some() => "vehicle".to_owned(),
        "observationType" => "unknown".to_owned(),
        "count" if record.vehicle.first.is_some() => "1".to_owned(),
        "classificationMethod" => "human".to_owned(),
        "classifiedBy" => file.opened.1.clone(),
        "classificationTimestamp" => whole_second(Moment::of_instant(file.opened.0, zone)),
        "observationTags" => {
            let offence = record
                .offence
                .as_ref()
                .map(|offence| format!("offence:{offence}"));
            offence.unwrap_or_default()
        }
        _ => String::new(),
    };
    OBSERVATION.iter().map(value).collect()
}

/// Why and to whom an export goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// Why.
    pub motive: String,
    /// To whom.
    pub recipient: String,
}

/// An export on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Its opaque id.
    pub id: String,
    /// When.
    pub at: BoxTime,
    /// By which account.
    pub by: String,
    /// Written as what.
    pub form: Form,
    /// Of what was written.
    pub sha256: String,
    /// How many files it was made of.
    pub count: u64,
    /// How many of them are still there.
    pub left: u64,
    /// Why and to whom.
    pub words: Words,
}

fn words_place(row: &str) -> Place<'_> {
    Place {
        table: "infraction_export",
        column: "words",
        row,
    }
}

/// Writes an export down: what went, of which files, why and to whom. `register` seals the words.
pub fn record(
    tx: &mut Tx<'_>,
    by: By<'_>,
    register: &CellKey,
    form: Form,
    bytes: &[u8],
    numbers: &[CaseNumber],
    words: &Words,
) -> Result<String, Error> {
    let mut id = [0; 8];
    getrandom::fill(&mut id).map_err(cell::Error::from)?;
    let id = hex::encode(id);
    let digest = Digest::of(bytes);
    let sealed = cell::seal(register, words_place(&id), words)?;
    tx.raw().execute(
        "INSERT INTO infraction_export (id, at, by, form, sha256, count, words_key, words)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            id,
            by.now.to_string(),
            by.account,
            form.as_str(),
            digest.to_string(),
            numbers.len(),
            sealed.wrapped,
            sealed.body
        ],
    )?;
    for number in numbers {
        let insert = "INSERT OR IGNORE INTO infraction_exported (export, number) VALUES (?, ?)";
        let mut insert = tx.raw().prepare_cached(insert)?;
        insert.execute(params![id, number.to_string()])?;
    }
    let body = json!({
        "account": by.account, "export": id, "form": form, "infractions": numbers, "sha256": digest,
    });
    register::journal(tx, by, Kind::InfractionExported, body)?;
    Ok(id)
}

/// The register of exports, youngest first.
pub fn exports(sql: &Connection, register: &CellKey) -> Result<Vec<Exported>, Error> {
    let mut query = sql.prepare_cached(
        "SELECT id, at, by, form, sha256, count, words_key, words,
                (SELECT count(*) FROM infraction_exported WHERE export = id)
         FROM infraction_export ORDER BY at DESC, id",
    )?;
    let rows = query.query_map([], |row| {
        let cell = Cell {
            wrapped: row.get(6)?,
            body: row.get(7)?,
        };
        let texts: [String; 5] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
        Ok((texts, row.get(5)?, row.get(8)?, cell))
    })?;
    rows.map(|row| {
        let ([id, at, by, form, sha256], count, left, cell) = row?;
        Ok(Exported {
            words: cell::open(register, words_place(&id), &cell)?,
            at: register::parsed(at)?,
            form: Form::of(&form).ok_or(Error::Damaged(form))?,
            id,
            by,
            sha256,
            count,
            left,
        })
    })
    .collect()
}
