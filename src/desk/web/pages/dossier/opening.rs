//! Opening a file from a retained event.
//!
//! Promises: the images, who has seen which of them and when, the site and the regime come from the desk's own records;
//! the agent who has seen none of them opens nothing (I23); an event has one file.

use askama::Template;
use jiff::tz::TimeZone;

use super::{at, by, calendar};
use crate::desk::accounts::sheet::Sheet;
use crate::desk::accounts::{self, account};
use crate::desk::events::{self, Event, Frame};
use crate::desk::infraction::Moment;
use crate::desk::infraction::moment::Turn;
use crate::desk::infraction::record::{Image, Officer, Source, Viewing};
use crate::desk::infraction::register::{self, Error, Opening};
use crate::desk::infraction::search::{self, Motive};
use crate::desk::law::{Law, Quality, QualityId};
use crate::desk::review;
use crate::desk::rights::Act;
use crate::desk::web::{Answer, Refused, Route, Shell, Visit, dates, get, post};
use crate::frame::{BoxTime, CameraTime, EventId};

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/dossiers/nouveau", Act::WriteInfraction, show),
    post("/dossiers/nouveau", Act::WriteInfraction, open),
];

/// The quality of that name or of these words.
fn quality(words: &str) -> Option<&'static Quality> {
    let wanted = words.trim().to_lowercase();
    let mut all = Law::embedded().qualities.iter();
    all.find(|quality| quality.id.as_str() == wanted || quality.label.to_lowercase() == wanted)
}

/// The agent with the titles that their sheet holds today; nothing without a sheet.
pub fn officer(visit: &Visit) -> Result<Option<Officer>, Refused> {
    let session = visit.session()?;
    let found = account(visit.office().store().sql(), &session.register, &session.account);
    let account = match found {
        Err(accounts::Error::Refused(accounts::Rule::NoAccount)) => return Ok(None),
        found => found?,
    };
    Ok(account.sheet.map(|sheet| {
        let quality = quality(&sheet.quality).map(|quality| quality.id.clone());
        Officer {
            account: account.id,
            name: format!("{} (n° {})", account.person.name, sheet.number),
            quality: quality.unwrap_or_else(|| QualityId(sheet.quality.clone())),
            titles: titles(&sheet),
        }
    }))
}

/// The titles of a sheet as they stand on a document.
fn titles(sheet: &Sheet) -> Vec<String> {
    let (habilitation, oath, viewing) = (&sheet.habilitation, &sheet.oath, &sheet.viewing);
    vec![
        format!(
            "Habilitation du {}, {} : {}",
            dates::long(habilitation.date),
            habilitation.authority,
            habilitation.object
        ),
        format!(
            "Serment prêté le {} devant le {}",
            dates::long(oath.date),
            oath.tribunal
        ),
        format!(
            "{} du {}, {}, {}",
            viewing.basis.french(),
            dates::long(viewing.date),
            viewing.authority,
            viewing.reference
        ),
    ]
}

/// What the desk knows of an event that a file can be opened from.
fn source(visit: &Visit, event: &Event, zone: &TimeZone) -> Result<Source, Refused> {
    let mut office = visit.office();
    let sql = office.store().sql();
    let (mut images, mut viewings) = (Vec::new(), Vec::new());
    for frame in Frame::all(sql, event.id)? {
        let seen = review::viewers(sql, event.id, frame.sha256)?.into_iter();
        viewings.extend(seen.map(|(by, at)| Viewing {
            digest: frame.sha256,
            by,
            at,
        }));
        images.push(Image {
            number: frame.place,
            digest: frame.sha256,
            at: moment(frame.taken, event.facts, zone),
        });
    }
    let [first, last] = event.taken.map_or([None, None], |taken| taken.map(Some));
    // What the camera says is dated by its clock only where the event is (`events::terms`).
    let by_camera = event.facts_by == events::Clock::Camera;
    let dated = |taken: Option<CameraTime>| moment(taken.filter(|_| by_camera), event.facts, zone);
    Ok(Source {
        event: event.id,
        camera: event.camera.clone(),
        site: event.site.clone(),
        regime: format!("{}, {}", regime(&event.regime.kind), event.regime.reference),
        zones: None,
        from: dated(first),
        until: dated(last),
        images,
        viewings,
    })
}

/// A camera's hour as a moment; `otherwise` where it says none that exists.
fn moment(taken: Option<CameraTime>, otherwise: BoxTime, zone: &TimeZone) -> Moment {
    let told = taken.and_then(|taken| Moment::of_local(taken.0, zone, Some(Turn::First)).ok());
    told.unwrap_or_else(|| Moment::of_instant(otherwise, zone))
}

/// The legal ground in words.
fn regime(kind: &str) -> &str {
    match kind {
        "videoprotection" => "Vidéoprotection",
        "acte_enquete" => "Acte d'enquête",
        "sans_texte" => "Sans texte (contesté)",
        "quebec" => "Loi A-2.1 (Québec)",
        other => other,
    }
}

fn asked(visit: &Visit, id: Option<&str>) -> Result<Event, Refused> {
    let id: EventId = id.and_then(|id| id.parse().ok()).ok_or(Refused::NotFound)?;
    Ok(Event::there(visit.office().store().sql(), id)?)
}

#[derive(Template)]
#[template(path = "dossier_nouveau.html")]
struct Page {
    shell: Shell,
    event: String,
    facts: String,
    site: String,
    images: usize,
    seen: usize,
    officer: Vec<String>,
    quality_known: bool,
    retained: bool,
}

fn show(visit: &Visit) -> Result<Answer, Refused> {
    let event = asked(visit, visit.query("evenement"))?;
    if let Some(file) = &event.file {
        return Answer::see_other(format!("/dossier/{file}"));
    }
    let (zone, _) = calendar(visit);
    let source = source(visit, &event, &zone)?;
    let account = &visit.session()?.account;
    let officer = officer(visit)?;
    let known = officer
        .as_ref()
        .and_then(|officer| Law::embedded().quality(&officer.quality));
    let lines = officer.map(|officer| {
        let quality = known.map_or_else(|| officer.quality.to_string(), |quality| quality.label.clone());
        [vec![officer.name, quality], officer.titles].concat()
    });
    Answer::page(&Page {
        shell: visit.shell("Ouvrir un dossier d'infraction"),
        event: event.id.to_string(),
        facts: at(event.facts, &zone),
        site: event.site.clone(),
        images: source.images.len(),
        seen: source
            .viewings
            .iter()
            .filter(|viewing| viewing.by == *account)
            .count(),
        officer: lines.unwrap_or_default(),
        quality_known: known.is_some(),
        retained: event.state == events::State::Retained,
    })
}

fn open(visit: &Visit) -> Result<Answer, Refused> {
    let event = asked(visit, visit.field("evenement"))?;
    if let Some(file) = &event.file {
        return Answer::see_other(format!("/dossier/{file}"));
    }
    let (zone, today) = calendar(visit);
    let source = source(visit, &event, &zone)?;
    let officer = officer(visit)?.ok_or(Refused::NoSheet)?;
    let opening = Opening::new(source, officer)?;
    let by = by(visit)?;
    let mut office = visit.office();
    let code = office.config.code.clone();
    let number = office.store().transaction(|tx| {
        let number = register::open(tx, by, opening, &code, today.year())?;
        events::belongs_to(tx, event.id, event.version, Some(&number.to_string()))?;
        // Whoever opens it is at work on it.
        search::look(tx, by, &number, Motive::Writing)?;
        Ok::<_, Unopened>(number)
    });
    drop(office);
    let number = number.map_err(Refused::from)?;
    visit.flash(format!("Dossier {number} ouvert."));
    Answer::see_other(format!("/dossier/{number}"))
}

/// Why no file was opened.
enum Unopened {
    Register(Error),
    Event(events::Error),
}

impl From<Error> for Unopened {
    fn from(error: Error) -> Self {
        Self::Register(error)
    }
}

impl From<events::Error> for Unopened {
    fn from(error: events::Error) -> Self {
        Self::Event(error)
    }
}

impl From<crate::vault::store::Error> for Unopened {
    fn from(error: crate::vault::store::Error) -> Self {
        Self::Register(error.into())
    }
}

impl From<Unopened> for Refused {
    fn from(unopened: Unopened) -> Self {
        match unopened {
            Unopened::Register(error) => error.into(),
            Unopened::Event(error) => error.into(),
        }
    }
}
