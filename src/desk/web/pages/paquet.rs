//! The package of an infraction file: asking for it, thing by thing, with nothing ticked.

use askama::Template;

use super::rapport::case::{Case, shown};
use super::transmissions::{View, views};
use crate::desk::law::Law;
use crate::desk::rights::Act;
use crate::desk::transmission::register::{self, By};
use crate::desk::transmission::{Asked, sealed};
use crate::desk::web::{Answer, FieldError, Refused, Route, Shell, Visit, dates, get, post};
use crate::frame::Digest;
use crate::report::french;

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/dossier/{number}/paquet", Act::Report, show),
    post("/dossier/{number}/paquet", Act::Report, ask),
];

const LONGEST_MOTIVE: usize = 500;

#[derive(Template)]
#[template(path = "paquet.html")]
struct Page {
    shell: Shell,
    number: String,
    transmissions: Vec<View>,
    acts: Vec<(u32, String, bool)>,
    images: Vec<(u32, String, String, bool)>,
    journal: bool,
    recipients: Vec<&'static str>,
    recipient: String,
    motive: String,
    errors: Vec<FieldError>,
}

fn show(visit: &Visit) -> Result<Answer, Refused> {
    shown(visit, |case| page(visit, &case, Vec::new()))
}

fn page(visit: &Visit, case: &Case, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    let (number, zone) = (case.number(), case.config.time_zone());
    let acts = sealed::of_file(visit.office().store().sql(), &visit.evidence()?.cells, &number)?;
    let asked = visit.field("acte");
    let acts = acts.into_iter().map(|act| {
        let words = format!(
            "{} n° {}, validé le {}",
            act.act.title(),
            act.number,
            dates::spoken(act.signed, &zone)
        );
        (act.number, words, asked == Some(act.number.to_string().as_str()))
    });
    let ticked: Vec<&str> = visit.fields("image").collect();
    let images = case
        .frames
        .iter()
        .filter(|frame| frame.confirmed.is_some())
        .map(|frame| {
            let digest = frame.sha256.to_string();
            let chosen = ticked.contains(&digest.as_str());
            let taken = frame
                .taken
                .map(|taken| french::short(taken.0))
                .unwrap_or_default();
            (frame.place, digest, taken, chosen)
        });
    Answer::page(&Page {
        shell: visit.shell(format!("Transmission du dossier {number}")),
        transmissions: views(visit, &number)?,
        acts: acts.collect(),
        images: images.collect(),
        journal: visit.field("journal").is_some(),
        recipients: recipients(),
        recipient: visit.field("destinataire").unwrap_or_default().to_owned(),
        motive: visit.field("motif").unwrap_or_default().to_owned(),
        errors,
        number,
    })
}

/// To whom a file may go: a closed list (finding I06).
fn recipients() -> Vec<&'static str> {
    let mut all: Vec<&str> = Vec::new();
    for route in &Law::embedded().routes {
        for to in std::iter::once(&route.addressee).chain(&route.copy) {
            if !all.contains(&to.as_str()) {
                all.push(to);
            }
        }
    }
    all
}

fn ask(visit: &Visit) -> Result<Answer, Refused> {
    shown(visit, |case| {
        let number = case.number();
        let mut errors = Vec::new();
        let mut required = |name: &'static str, label: &str| match visit.required(name, label) {
            Ok(text) => text.to_owned(),
            Err(error) => {
                errors.push(error);
                String::new()
            }
        };
        let nth = required("acte", "Acte");
        let recipient = required("destinataire", "Destinataire");
        let motive = required("motif", "Motif");
        if !recipient.is_empty() && !recipients().contains(&recipient.as_str()) {
            errors.push(wrong(
                "destinataire",
                "Destinataire : choisissez-le dans la liste.",
            ));
        }
        if motive.chars().count() > LONGEST_MOTIVE {
            errors.push(wrong("motif", "Motif : 500 caractères au plus."));
        }
        let acts = sealed::of_file(visit.office().store().sql(), &visit.evidence()?.cells, &number)?;
        let act = acts.iter().find(|act| act.number.to_string() == nth);
        let images: Vec<Digest> = visit
            .fields("image")
            .filter_map(|text| text.parse().ok())
            .collect();
        let is_there = |image: &Digest| {
            let mut frames = case.frames.iter();
            frames.any(|frame| frame.sha256 == *image && frame.confirmed.is_some())
        };
        if !images.iter().all(is_there) {
            errors.push(wrong(
                "images",
                "Une image choisie a été remplacée depuis : choisissez à nouveau.",
            ));
        }
        if !errors.is_empty() {
            return page(visit, &case, errors);
        }
        let asked = Asked {
            infraction: &number,
            recipient: &recipient,
            motive: &motive,
            report: act.map(|act| (act.number, act.sha256)),
            images,
            journal: visit.field("journal").is_some(),
        };
        let session = visit.session()?;
        let by = By {
            account: &session.account,
            register: &session.register.0,
            now: visit.now,
        };
        let year = case.config.time_zone().to_datetime(visit.now.0).year();
        let given = visit
            .office()
            .store()
            .transaction(|tx| register::ask(tx, by, &asked, year))?;
        visit.flash(format!(
            "Demande {given} enregistrée : un autre chef de service doit l'approuver."
        ));
        Answer::see_other(format!("/dossier/{number}/paquet"))
    })
}

fn wrong(field: &str, message: &str) -> FieldError {
    FieldError {
        field: field.to_owned(),
        message: message.to_owned(),
    }
}
