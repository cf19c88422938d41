//! The list of infraction files, and looking for one: by number, camera, date, state, or a plate typed whole.
//!
//! Promises: the list shows neither plate nor any text of a record; a plate is never part of an address, so no history
//! of a browser keeps it; looking for one takes a motive (I10).

use askama::Template;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::dossier::{Group, Question, by, calendar, motive, motive_question};
use crate::desk::config;
use crate::desk::infraction::form::{self, Fields};
use crate::desk::infraction::plate;
use crate::desk::infraction::register::State;
use crate::desk::infraction::search::{self, Found, PAGE, Query};
use crate::desk::rights::Act;
use crate::desk::web::{Answer, FieldError, Refused, Route, Shell, Visit, dates, get, post};
use crate::frame::BoxTime;

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/dossiers", Act::SeeInfraction, list),
    post("/dossiers/immatriculation", Act::SeeInfraction, by_plate),
];

/// What was asked for, as it was typed.
#[derive(Default)]
struct Typed {
    number: String,
    from: String,
    until: String,
}

struct Line {
    number: String,
    facts: String,
    site: String,
    state: &'static str,
}

#[derive(Template)]
#[template(path = "dossiers.html")]
struct List {
    shell: Shell,
    errors: Vec<FieldError>,
    asked: Typed,
    cameras: Vec<(String, String, bool)>,
    states: Vec<(&'static str, &'static str, bool)>,
    told: String,
    found: Vec<Line>,
    before: Option<String>,
    after: Option<String>,
    plate: Vec<Question>,
}

fn list(visit: &Visit) -> Result<Answer, Refused> {
    let (zone, _) = calendar(visit);
    let mut errors = Vec::new();
    let query = query(visit, &zone, &mut errors);
    let page = visit
        .query("page")
        .and_then(|page| page.parse().ok())
        .unwrap_or(0_u64);
    let by = by(visit)?;
    let (count, found) = match errors.is_empty() {
        true => search::find(visit.office().store().sql(), by, &query, page)?,
        false => (0, Vec::new()),
    };
    let seen = page.saturating_mul(PAGE) + found.len() as u64;
    let at = |page: u64| {
        let mut address = form_urlencoded::Serializer::new(String::new());
        let kept = visit.queries().iter().filter(|(name, _)| name != "page");
        address.extend_pairs(kept).append_pair("page", &page.to_string());
        format!("/dossiers?{}", address.finish())
    };
    shown(
        visit,
        &zone,
        Shown {
            told: counted(count),
            before: page.checked_sub(1).map(at),
            after: (seen < count && !found.is_empty()).then(|| at(page + 1)),
            found,
            errors,
            plate: Fields::new(),
        },
    )
}

fn query(visit: &Visit, zone: &TimeZone, errors: &mut Vec<FieldError>) -> Query {
    let mut wrong = |field: &str, message: String| {
        errors.push(FieldError {
            field: field.to_owned(),
            message,
        });
    };
    let number = visit.query("numero").and_then(|text| match text.parse() {
        Ok(number) => Some(number),
        Err(error) => {
            wrong("numero", format!("{error}"));
            None
        }
    });
    let mut day = |name: &str| {
        let text = visit.query(name)?;
        match form::date(text) {
            Ok(day) => Some(day),
            Err(fault) => {
                wrong(name, fault.to_string());
                None
            }
        }
    };
    let midnight = |day: Date| {
        zone.to_zoned(day.at(0, 0, 0, 0))
            .ok()
            .map(|at| BoxTime(at.timestamp()))
    };
    Query {
        number,
        camera: visit.query("appareil").and_then(|id| id.parse().ok()),
        from: day("du").and_then(midnight),
        until: day("au").and_then(|day| day.tomorrow().ok()).and_then(midnight),
        state: visit.query("etat").and_then(State::of),
        plate: None,
    }
}

fn counted(count: u64) -> String {
    match count {
        0 => "Aucun dossier ne correspond.".to_owned(),
        1 => "1 dossier.".to_owned(),
        count => format!("{count} dossiers."),
    }
}

/// What a list shows.
struct Shown {
    told: String,
    found: Vec<Found>,
    before: Option<String>,
    after: Option<String>,
    errors: Vec<FieldError>,
    plate: Fields,
}

fn shown(visit: &Visit, zone: &TimeZone, shown: Shown) -> Result<Answer, Refused> {
    let cameras = visit.office().config.camera.clone();
    let line = |found: Found| Line {
        number: found.number.to_string(),
        facts: dates::moment(found.facts, zone),
        site: site(&cameras, found.camera.as_deref()),
        state: found.state.french(),
    };
    let faults: Vec<(String, String)> = shown
        .errors
        .iter()
        .map(|error| (error.field.clone(), error.message.clone()))
        .collect();
    let typed = |name: &str| visit.query(name).unwrap_or_default().to_owned();
    let (camera, state) = (visit.query("appareil"), visit.query("etat"));
    let states = State::ALL
        .iter()
        .map(|one| (one.as_str(), one.french(), state == Some(one.as_str())));
    let offered = cameras.iter().map(|one| {
        let id = one.id.to_string();
        let chosen = camera == Some(&id);
        (id, one.site.clone(), chosen)
    });
    Answer::page(&List {
        shell: visit.shell("Dossiers d'infraction"),
        asked: Typed {
            number: typed("numero"),
            from: typed("du"),
            until: typed("au"),
        },
        cameras: offered.collect(),
        states: states.collect(),
        told: shown.told,
        found: shown.found.into_iter().map(line).collect(),
        before: shown.before,
        after: shown.after,
        plate: Group::plain(plate_questions())
            .with(&shown.plate, &faults)
            .questions,
        errors: shown.errors,
    })
}

fn site(cameras: &[config::Camera], id: Option<&str>) -> String {
    let Some(id) = id else {
        return "Ancien fichier".to_owned();
    };
    let camera = cameras.iter().find(|camera| camera.id.as_str() == id);
    camera.map_or_else(|| id.to_owned(), |camera| camera.site.clone())
}

fn plate_questions() -> Vec<Question> {
    vec![
        Question::short("plaque", "Immatriculation").required(),
        motive_question(),
    ]
}

/// The result stands under no address of its own: a plate would be in it.
fn by_plate(visit: &Visit) -> Result<Answer, Refused> {
    let (zone, _) = calendar(visit);
    let mut errors = Vec::new();
    let typed = visit
        .field("plaque")
        .filter(|typed| !plate::normalised(typed).is_empty());
    if typed.is_none() {
        errors.push(FieldError {
            field: "plaque".to_owned(),
            message: "Saisissez l'immatriculation entière.".to_owned(),
        });
    }
    let motive = motive(visit).map_err(|error| errors.push(error)).ok();
    let mut page = Shown {
        told: "La recherche n'a pas été faite.".to_owned(),
        found: Vec::new(),
        before: None,
        after: None,
        errors,
        plate: visit.form().to_vec(),
    };
    if let (Some(typed), Some(motive)) = (typed, motive) {
        let by = by(visit)?;
        let query = Query {
            plate: Some(typed.to_owned()),
            ..Query::default()
        };
        let (count, found) = visit.office().store().transaction(|tx| {
            let found = search::find(tx.raw(), by, &query, 0)?;
            search::searched(tx, by, motive, found.0)?;
            Ok::<_, crate::desk::infraction::register::Error>(found)
        })?;
        page.told = match count {
            0 => "Aucun dossier ne porte cette immatriculation.".to_owned(),
            1 => "1 dossier porte cette immatriculation.".to_owned(),
            count => format!(
                "{count} dossiers portent cette immatriculation ; les {PAGE} derniers au plus sont listés."
            ),
        };
        page.found = found;
        // Typed again for another search: nothing is left standing on the screen.
        page.plate = Fields::new();
    }
    shown(visit, &zone, page)
}
