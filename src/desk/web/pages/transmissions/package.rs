//! A transmission's package: made, stamped, and handed out with its slip.
//!
//! Promises: a package is made once for an approval, of what was approved and is still the same; a pass-phrase stands
//! on one page, once; no file is handed out before its line with the reason is written.

use askama::Template;
use serde_json::json;

use super::{by, found, named, names};
use crate::desk::events::Event;
use crate::desk::infraction::CaseNumber;
use crate::desk::transmission::{State, Transmission, register, sealed};
use crate::desk::web::pages::dossier::motive_given;
use crate::desk::web::pages::rapport::case::Case;
use crate::desk::web::{Answer, Download, Refused, Shell, Visit};
use crate::frame::Digest;
use crate::report::package::{self, Package, Parts};
use crate::report::passphrase::Passphrase;
use crate::report::slip::{self, Slip};
use crate::report::{Moment, Service, timestamp};
use crate::verify;

#[derive(Template)]
#[template(path = "transmission_phrase.html")]
struct Phrase {
    shell: Shell,
    number: String,
    case: String,
    phrase: String,
}

pub(super) fn make(visit: &Visit) -> Result<Answer, Refused> {
    let (one, version) = (found(visit)?, visit.version()?);
    let case = case_of(visit, &one)?;
    let passphrase = match visit.field("chiffrer") {
        Some(_) => Some(Passphrase::random().map_err(|error| Refused::Failed(error.to_string()))?),
        None => None,
    };
    let package = packaged(visit, &one, &case, passphrase.as_ref())?;
    let (by, keys) = (by(visit)?, visit.evidence()?);
    visit.office().store().transaction(|tx| {
        let which = (one.number.as_str(), version);
        register::made(tx, by, &keys.cells, which, (&package, passphrase.is_some()))
    })?;
    match passphrase {
        Some(phrase) => Answer::page(&Phrase {
            shell: visit.shell(format!("Phrase de passe du paquet {}", one.number)),
            number: one.number,
            case: one.infraction,
            phrase: phrase.words().to_owned(),
        }),
        None => {
            visit.flash("Paquet établi et signé.");
            Answer::see_other(format!("/dossier/{}/paquet", one.infraction))
        }
    }
}

/// The infraction file of a transmission, if whoever asks has said why in this session.
fn case_of(visit: &Visit, one: &Transmission) -> Result<Case, Refused> {
    let number = one.infraction.parse().map_err(|_| Refused::NotFound)?;
    Case::of(visit, &number)?.ok_or_else(|| {
        Refused::Impossible(format!(
            "Ouvrez d'abord le dossier {} en indiquant le motif de la consultation.",
            one.infraction
        ))
    })
}

/// The package of what was approved, if all of it is still there as it was.
fn packaged(
    visit: &Visit,
    one: &Transmission,
    case: &Case,
    passphrase: Option<&Passphrase>,
) -> Result<Package, Refused> {
    let (approved, keys) = (one.approved()?, visit.evidence()?);
    let wanted = &one.words.images;
    let mut images = Vec::new();
    for opened in case.opened(keys, |frame| {
        wanted.contains(&frame.sha256) && frame.confirmed.is_some()
    })? {
        images.push(package::Image {
            number: opened.frame.place,
            manifest: case.manifest(keys, &opened.frame)?,
            jpeg: opened.jpeg,
        });
    }
    let (nth, _) = one.words.report;
    let (report, act, journal, key) = {
        let mut office = visit.office();
        let key = office.desk.key().clone();
        let sql = office.store().sql();
        let all = sealed::of_file(sql, &keys.cells, &one.infraction)?;
        let act = all
            .iter()
            .find(|report| report.number == nth)
            .ok_or(Refused::NotFound)?
            .act;
        let report = sealed::pdf(sql, &keys.cells, &one.infraction, nth)?;
        let journal = match one.words.journal {
            true => Some(journal_of(sql, case)?),
            false => None,
        };
        (report, act, journal, key)
    };
    let parts = Parts {
        act,
        case: one.infraction.clone(),
        number: one.number.clone(),
        report,
        images,
        journal,
        boxes: Vec::new(),
    };
    package::write(&approved, &parts, &key, visit.now, passphrase).map_err(|error| match error {
        package::Error::OtherImages(_) => Refused::Impossible(
            "Une image approuvée a été masquée davantage depuis : refusez cette demande et faites-en une autre."
                .to_owned(),
        ),
        error => Refused::Failed(error.to_string()),
    })
}

/// The journal from the first line that names the event on.
fn journal_of(sql: &rusqlite::Connection, case: &Case) -> Result<Vec<u8>, Refused> {
    let source = case.file.record.origin.source();
    let event = source
        .map(|source| Event::find(sql, source.event))
        .transpose()?
        .flatten();
    let first: Option<u64> = match event {
        Some(event) => {
            let first = "SELECT min(seq) FROM journal WHERE instr(body, ?) > 0";
            sql.query_row(first, [event.id.to_string()], |row| row.get(0))?
        }
        None => None,
    };
    let mut part = Vec::new();
    verify::write_part(sql, &mut part, first).map_err(|error| Refused::Failed(error.to_string()))?;
    Ok(part)
}

/// Takes an authority's answer into the package.
pub(super) fn stamp(visit: &Visit) -> Result<Answer, Refused> {
    let (one, version, by) = (found(visit)?, visit.version()?, by(visit)?);
    let impossible = |words: &str| Refused::Impossible(words.to_owned());
    let encrypted = one.made.is_some_and(|(_, _, encrypted)| encrypted);
    if one.state != State::Made || encrypted {
        return Err(impossible(
            "Un horodatage se joint à un paquet établi, non chiffré et non encore envoyé. Joignez-le sinon à côté du paquet.",
        ));
    }
    let upload = visit
        .uploads()
        .first()
        .filter(|upload| upload.size <= timestamp::LARGEST as u64);
    let upload =
        upload.ok_or_else(|| impossible("Choisissez le fichier .tsr reçu du service d'horodatage."))?;
    let keys = visit.evidence()?;
    let package = {
        let mut office = visit.office();
        let sql = office.store().sql();
        let zip = register::zip(sql, &keys.cells, &one.number)?;
        Package {
            sha256: Digest::of(&zip),
            zip,
            contents: register::contents(sql, &keys.cells, &one.number)?,
        }
    };
    let stamped = package::stamped(&package, upload.bytes()).map_err(|error| match error {
        package::Error::Stamp(_) => {
            impossible("Ce fichier n'est pas un horodatage de ce paquet. Rien n'a été changé.")
        }
        error => Refused::Failed(error.to_string()),
    })?;
    visit.office().store().transaction(|tx| {
        let which = (one.number.as_str(), version);
        register::stamped(tx, by, &keys.cells, which, &stamped)
    })?;
    visit.flash("Horodatage joint au paquet.");
    Answer::see_other(format!("/dossier/{}/paquet", one.infraction))
}

/// A file of this visit's transmission, for whoever has said why in this session; its line is written first.
fn handed(
    visit: &Visit,
    what: &'static str,
    write: impl FnOnce(&Transmission) -> Result<Download, Refused>,
) -> Result<Answer, Refused> {
    let one = found(visit)?;
    let number: CaseNumber = one.infraction.parse().map_err(|_| Refused::NotFound)?;
    let motive = motive_given(visit.office().store().sql(), visit.session()?, &number)?;
    let Some(motive) = motive else {
        return Answer::see_other(format!("/dossier/{number}"));
    };
    let told = json!({
        "infraction": number, "motive": motive.as_str(), "transmission": one.number, "what": what
    });
    write(&one)?.told(visit, told)
}

pub(super) fn zip(visit: &Visit) -> Result<Answer, Refused> {
    handed(visit, "package", |one| {
        let keys = visit.evidence()?;
        let bytes = register::zip(visit.office().store().sql(), &keys.cells, &one.number)?;
        Ok(Download {
            media: "application/zip",
            name: Some(Package::file_name(&one.number)),
            bytes,
        })
    })
}

pub(super) fn request(visit: &Visit) -> Result<Answer, Refused> {
    handed(visit, "time-stamp-request", |one| {
        let keys = visit.evidence()?;
        let contents = register::contents(visit.office().store().sql(), &keys.cells, &one.number)?;
        Ok(Download {
            media: "application/timestamp-query",
            name: Some("contenu.tsq".to_owned()),
            bytes: timestamp::request(&contents),
        })
    })
}

pub(super) fn paper(visit: &Visit) -> Result<Answer, Refused> {
    handed(visit, "slip", |one| slip_of(visit, one))
}

fn slip_of(visit: &Visit, one: &Transmission) -> Result<Download, Refused> {
    let names = names(visit)?;
    let Some((_, package, encrypted)) = one.made else {
        return Err(Refused::NotFound);
    };
    let keys = visit.evidence()?;
    let (reports, config) = {
        let mut office = visit.office();
        let config = office.config.clone();
        (
            sealed::of_file(office.store().sql(), &keys.cells, &one.infraction)?,
            config,
        )
    };
    let report = reports.iter().find(|report| report.number == one.words.report.0);
    let report = report.ok_or(Refused::NotFound)?;
    let day = report.facts.day.ok_or(Refused::NotFound)?;
    let decided = one.decided.as_ref().map(|(account, _)| named(&names, account));
    let told = Slip {
        number: one.number.clone(),
        case: one.infraction.clone(),
        service: Service {
            commune: config.commune.clone(),
            name: config.service.clone(),
            address: config.address.join(", "),
            contact: String::new(),
        },
        act: report.act,
        facts: day,
        place: report.facts.place.clone(),
        offence: report.facts.offence.clone(),
        natinf: report.facts.natinf.clone(),
        recipient: one.words.recipient.clone(),
        by_way_of: report.facts.by_way_of.clone(),
        motive: one.words.motive.clone(),
        pieces: pieces(one, report.act.title()),
        carrier: one.words.carrier.clone(),
        file: Package::file_name(&one.number),
        package,
        encrypted,
        asked_and_approved: [named(&names, &one.asked.0), decided.unwrap_or_default()],
    };
    let drawn = one.sent.unwrap_or(visit.now);
    let bytes = slip::slip(&told, Moment::of(drawn, &config.time_zone()))?;
    Ok(Download {
        media: "application/pdf",
        name: Some(format!("bordereau-{}.pdf", one.number)),
        bytes,
    })
}

fn pieces(one: &Transmission, act: &str) -> Vec<(String, String)> {
    let mut pieces = vec![(act.to_owned(), "1".to_owned())];
    if !one.words.images.is_empty() {
        let count = one.words.images.len().to_string();
        pieces.push(("Images masquées, chacune avec son manifeste".to_owned(), count));
    }
    if one.words.journal {
        pieces.push(("Extrait du journal".to_owned(), "1".to_owned()));
    }
    pieces
}
