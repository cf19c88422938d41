//! The report of an infraction file: which images stand in it, the draft, the sign-off, the final PDF.
//!
//! Promises: no image is chosen by default, and none that nobody confirmed may leave; each look at a draft or a final
//! report takes the motive that the file was opened with; only a closed record is signed off, by a chef de service, and
//! only if nothing is lacking; what was signed off is never set anew. Documents are set outside the desk's lock.

pub mod case;

use askama::Template;
use serde_json::{Value, json};

use crate::desk::accounts::active;
use crate::desk::infraction::register::State;
use crate::desk::rights::{Act, Role};
use crate::desk::transmission::sealed::{self, New};
use crate::desk::transmission::{Draft, draft};
use crate::desk::web::{Answer, Download, FieldError, Refused, Route, Shell, Visit, dates, get, post};
use crate::frame::Digest;
use crate::report::{self, Complete, MOST_IMAGES, Moment, SignOff};
use case::{Case, shown};

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/dossier/{number}/rapport", Act::Report, show),
    post("/dossier/{number}/rapport", Act::Report, save),
    get("/dossier/{number}/rapport/brouillon.pdf", Act::Report, draft_pdf),
    post("/dossier/{number}/rapport/valider", Act::SignOff, sign_off),
    get("/dossier/{number}/acte/{nth}", Act::Report, sealed_pdf),
];

/// Characters of each of the draft's texts at most.
const LONGEST: usize = 4_000;

/// An image that may be chosen.
struct Choice {
    place: u32,
    sha256: String,
    taken: String,
    chosen: bool,
    confirmed: bool,
    seen: bool,
}

/// A final report, in a list.
struct Done {
    nth: u32,
    act: &'static str,
    signed: String,
    by: String,
    sha256: String,
}

#[derive(Template)]
#[template(path = "rapport.html")]
struct Page {
    shell: Shell,
    number: String,
    act: &'static str,
    version: i64,
    choices: Vec<Choice>,
    others: bool,
    viewed_at: String,
    limits: String,
    annexes: String,
    lacking: Vec<String>,
    closed: bool,
    signs: bool,
    done: Vec<Done>,
    errors: Vec<FieldError>,
}

fn show(visit: &Visit) -> Result<Answer, Refused> {
    shown(visit, |case| page(visit, &case, Vec::new()))
}

fn page(visit: &Visit, case: &Case, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    let keys = visit.evidence()?;
    let frames = case.opened(keys, |frame| case.draft.1.images.contains(&frame.sha256))?;
    let report = case.material(&frames).report();
    let number = case.number();
    let done = sealed::of_file(visit.office().store().sql(), &keys.cells, &number)?;
    let zone = case.config.time_zone();
    let done = done.into_iter().map(|one| Done {
        nth: one.number,
        act: one.act.title(),
        signed: dates::spoken(one.signed, &zone),
        by: case.name_of(&one.signed_by),
        sha256: one.sha256.to_string(),
    });
    let choices = case.frames.iter().map(|frame| Choice {
        place: frame.place,
        sha256: frame.sha256.to_string(),
        taken: frame
            .taken
            .map(|taken| report::french::short(taken.0))
            .unwrap_or_default(),
        chosen: case.draft.1.images.contains(&frame.sha256),
        confirmed: frame.confirmed.is_some(),
        seen: case.seen.iter().any(|(seen, _)| *seen == frame.sha256),
    });
    Answer::page(&Page {
        shell: visit.shell(format!("{} – dossier {number}", report.act.title())),
        act: report.act.name(),
        version: case.draft.0,
        choices: choices.collect(),
        others: case.draft.1.others,
        viewed_at: case.draft.1.viewed_at.clone(),
        limits: case.draft.1.limits.clone(),
        annexes: case.draft.1.annexes.clone(),
        lacking: report.lacking().iter().map(report::Lacking::told).collect(),
        closed: case.file.state != State::Draft,
        signs: crate::desk::rights::allowed(visit.session()?.role, Act::SignOff),
        done: done.collect(),
        errors,
        number,
    })
}

fn save(visit: &Visit) -> Result<Answer, Refused> {
    shown(visit, |mut case| {
        let version = visit.version()?;
        let chosen: Vec<Digest> = visit
            .fields("image")
            .filter_map(|text| text.parse().ok())
            .collect();
        let draft = Draft {
            images: chosen,
            others: visit.field("autres").is_some(),
            viewed_at: visit.field("lieu_visionnage").unwrap_or_default().to_owned(),
            limits: visit.field("limites").unwrap_or_default().to_owned(),
            annexes: visit.field("annexes").unwrap_or_default().to_owned(),
        };
        let errors = wrong(&case, &draft);
        if !errors.is_empty() {
            case.draft = (version, draft);
            return page(visit, &case, errors);
        }
        let (keys, number) = (visit.evidence()?, case.number());
        let account = &visit.session()?.account;
        visit
            .office()
            .store()
            .transaction(|tx| draft::save(tx, &keys.cells, (account, visit.now), &number, version, &draft))?;
        visit.flash("Choix enregistrés.");
        Answer::see_other(format!("/dossier/{number}/rapport"))
    })
}

/// What cannot be chosen.
fn wrong(case: &Case, draft: &Draft) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut fault = |field: &str, message: String| {
        errors.push(FieldError {
            field: field.to_owned(),
            message,
        });
    };
    if draft.images.len() > MOST_IMAGES {
        fault(
            "images",
            format!("Images : {MOST_IMAGES} au plus en pleine page."),
        );
    }
    for image in &draft.images {
        match case.frames.iter().find(|frame| frame.sha256 == *image) {
            None => fault(
                "images",
                "Une image choisie a été remplacée depuis : choisissez à nouveau.".to_owned(),
            ),
            Some(frame) if frame.confirmed.is_none() => fault(
                "images",
                format!(
                    "Image n° {} : confirmez-la d'abord sur la page de l'événement.",
                    frame.place
                ),
            ),
            Some(_) => {}
        }
    }
    let texts = [
        ("lieu_visionnage", "Lieu du visionnage", &draft.viewed_at),
        ("limites", "Limites", &draft.limits),
        ("annexes", "Annexes", &draft.annexes),
    ];
    for (field, label, text) in texts {
        if text.chars().count() > LONGEST {
            fault(field, format!("{label} : {LONGEST} caractères au plus."));
        }
    }
    errors
}

fn now(visit: &Visit, case: &Case) -> Moment {
    Moment::of(visit.now, &case.config.time_zone())
}

fn draft_pdf(visit: &Visit) -> Result<Answer, Refused> {
    shown(visit, |case| {
        let draft = &case.draft.1;
        let frames = case.opened(visit.evidence()?, |frame| {
            draft.images.contains(&frame.sha256) || draft.others
        })?;
        let report = case.material(&frames).report();
        let bytes = report::draft(&report, now(visit, &case))?;
        handed(visit, &case, None, bytes, json!({"what": "draft"}))
    })
}

/// A PDF of this case, with the motive for which the file was opened.
fn handed(
    visit: &Visit,
    case: &Case,
    name: Option<String>,
    bytes: Vec<u8>,
    mut told: Value,
) -> Result<Answer, Refused> {
    told["infraction"] = case.number().into();
    told["motive"] = case.motive.as_str().into();
    let media = "application/pdf";
    Download { media, name, bytes }.told(visit, told)
}

fn sign_off(visit: &Visit) -> Result<Answer, Refused> {
    shown(visit, |case| {
        let number = case.number();
        let back = format!("/dossier/{number}/rapport");
        if case.file.state == State::Draft {
            return Err(Refused::Impossible(
                "Le dossier n'est pas clos : vérifiez-le et clôturez-le avant de valider.".to_owned(),
            ));
        }
        if visit.version()? != case.draft.0 {
            return Err(Refused::Conflict);
        }
        let draft = &case.draft.1;
        let keys = visit.evidence()?;
        let frames = case.opened(keys, |frame| draft.images.contains(&frame.sha256) || draft.others)?;
        let material = case.material(&frames);
        let Ok(complete) = Complete::of(material.report()) else {
            return Answer::see_other(back);
        };
        let session = visit.session()?;
        let mut by = format!("{}, {}", session.name, session.role.french().to_lowercase());
        if case.file.record.officer.account == session.account {
            if active(visit.office().store().sql(), Role::Chef)? > 1 {
                return Err(Refused::Impossible(
                    "Vous êtes l'auteur de cet acte : un autre chef de service doit le valider.".to_owned(),
                ));
            }
            by.push_str(", également rédacteur de l'acte (seul chef de service en fonction)");
        }
        let signed = SignOff {
            at: now(visit, &case),
            by,
        };
        let bytes = report::sealed(&complete, &signed)?;
        let (facts, act) = (material.slip(), complete.report().act);
        let new = New {
            infraction: &number,
            act,
            signed_by: &session.account,
            facts: &facts,
            pdf: &bytes,
        };
        visit
            .office()
            .store()
            .transaction(|tx| sealed::keep(tx, &keys.cells, visit.now, &new))?;
        visit.flash(format!("{} validé et scellé.", act.title()));
        Answer::see_other(back)
    })
}

fn sealed_pdf(visit: &Visit) -> Result<Answer, Refused> {
    shown(visit, |case| {
        let nth: u32 = visit.path("nth").parse().map_err(|_| Refused::NotFound)?;
        let (keys, number) = (visit.evidence()?, case.number());
        let mut office = visit.office();
        let sql = office.store().sql();
        let all = sealed::of_file(sql, &keys.cells, &number)?;
        let found = all
            .iter()
            .find(|one| one.number == nth)
            .ok_or(Refused::NotFound)?;
        let bytes = sealed::pdf(sql, &keys.cells, &number, nth)?;
        let name = format!("{}-{number}.pdf", found.act.word());
        drop(office);
        handed(
            visit,
            &case,
            Some(name),
            bytes,
            json!({"what": "report", "number": nth}),
        )
    })
}

impl From<report::Error> for Refused {
    fn from(error: report::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<crate::desk::transmission::Error> for Refused {
    fn from(error: crate::desk::transmission::Error) -> Self {
        use crate::desk::transmission::Error as E;
        match error {
            E::Store(error) => Self::Store(error),
            E::Cell(error) => Self::Cell(error),
            E::NotThere(_) => Self::NotFound,
            E::Changed(_) => Self::Conflict,
            E::Approval(refused) => Self::Impossible(refused.told().to_owned()),
            E::State(number, _) => Self::Impossible(format!(
                "La transmission {number} n'en est pas à cette étape : rechargez la page pour voir où elle en est."
            )),
            error @ E::Damaged(_) => Self::Failed(error.to_string()),
        }
    }
}

/// To where the motive for opening the file is given.
fn motive(number: &str) -> Result<Answer, Refused> {
    Answer::see_other(format!("/dossier/{number}"))
}
