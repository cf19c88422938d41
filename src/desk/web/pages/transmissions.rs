//! The register of transmissions, and each step of one: approve, refuse, make, send, acknowledge.
//!
//! Promises: whoever asked is never offered to approve, and could not; each step is offered where it can be taken, and
//! written where it was. The register shows no image. Leaves the package itself to `package`.

mod package;

use std::collections::HashMap;

use askama::Template;

use crate::desk::accounts::accounts;
use crate::desk::infraction::register::mark_sent;
use crate::desk::rights::{Act, allowed};
use crate::desk::transmission::register::{self, By};
use crate::desk::transmission::{State, Transmission};
use crate::desk::web::pager::PAGE;
use crate::desk::web::{Answer, FieldError, Pager, Refused, Route, Shell, Visit, dates, get, post};

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/transmissions", Act::SeeTransmissions, list),
    get("/transmission/{number}", Act::SeeTransmissions, detail),
    post("/transmission/{number}/approuver", Act::ApprovePackage, approve),
    post("/transmission/{number}/refuser", Act::ApprovePackage, refuse),
    post("/transmission/{number}/etablir", Act::Report, package::make),
    post("/transmission/{number}/horodatage", Act::Report, package::stamp),
    post("/transmission/{number}/envoi", Act::WriteTransmission, send),
    post(
        "/transmission/{number}/accuse",
        Act::WriteTransmission,
        acknowledge,
    ),
    post(
        "/transmission/{number}/copies",
        Act::WriteTransmission,
        copies_gone,
    ),
    get("/transmission/{number}/paquet.zip", Act::Report, package::zip),
    get(
        "/transmission/{number}/contenu.tsq",
        Act::Report,
        package::request,
    ),
    get(
        "/transmission/{number}/bordereau.pdf",
        Act::Report,
        package::paper,
    ),
];

/// A step that may be taken now, by whoever looks.
pub struct Step {
    /// Where its form goes.
    pub to: &'static str,
    /// What its button says.
    pub words: &'static str,
    /// A text that it needs: field and label.
    pub text: Option<(&'static str, &'static str)>,
    /// A box that may be ticked.
    pub tick: Option<(&'static str, &'static str)>,
    /// Whether it is the lesser of two.
    pub second: bool,
}

/// A transmission as it is shown.
pub struct View {
    /// `2026-T-0007`.
    pub number: String,
    /// What the page was shown.
    pub version: i64,
    /// How far it has come.
    pub state: &'static str,
    /// What is known of it.
    pub facts: Vec<(&'static str, String)>,
    /// What may be done now.
    pub steps: Vec<Step>,
    /// Whether a time stamp may be put in now.
    pub stamps: bool,
    /// What may be downloaded.
    pub files: Vec<(&'static str, &'static str)>,
}

struct Row {
    number: String,
    case: String,
    state: &'static str,
    waits: bool,
    recipient: String,
    asked: String,
    decided: String,
    sent: String,
    received: String,
}

#[derive(Template)]
#[template(path = "transmissions.html")]
struct List {
    shell: Shell,
    rows: Vec<Row>,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "transmission.html")]
struct Detail {
    shell: Shell,
    case: String,
    opens: bool,
    one: View,
    errors: Vec<FieldError>,
}

fn by(visit: &Visit) -> Result<By<'_>, Refused> {
    let session = visit.session()?;
    Ok(By {
        account: &session.account,
        register: &session.register.0,
        now: visit.now,
    })
}

/// The transmission of this visit.
fn found(visit: &Visit) -> Result<Transmission, Refused> {
    let number = visit.path("number");
    Ok(register::read(
        visit.office().store().sql(),
        by(visit)?.register,
        number,
    )?)
}

/// Names of accounts; of one that is gone, its id.
fn names(visit: &Visit) -> Result<HashMap<String, String>, Refused> {
    let all = accounts(visit.office().store().sql(), &visit.session()?.register)?.into_iter();
    Ok(all.map(|account| (account.id, account.person.name)).collect())
}

fn named(names: &HashMap<String, String>, account: &str) -> String {
    names.get(account).cloned().unwrap_or_else(|| account.to_owned())
}

fn list(visit: &Visit) -> Result<Answer, Refused> {
    let zone = visit.office().config.time_zone();
    let (pager, all) = {
        let mut office = visit.office();
        let sql = office.store().sql();
        let pager = Pager::of(visit, "/transmissions", register::count(sql)?);
        let page = register::page(sql, by(visit)?.register, pager.first(), PAGE)?;
        (pager, page)
    };
    let time = |at| dates::moment(at, &zone);
    let rows = all.into_iter().map(|one| Row {
        state: one.state.french(),
        waits: one.state == State::Asked,
        recipient: one.words.recipient,
        asked: time(one.asked.1),
        decided: one.decided.map(|decided| time(decided.1)).unwrap_or_default(),
        sent: one.sent.map(time).unwrap_or_default(),
        received: one.received.map(time).unwrap_or_default(),
        case: one.infraction,
        number: one.number,
    });
    Answer::page(&List {
        shell: visit.shell("Registre des transmissions"),
        rows: rows.collect(),
        pager,
    })
}

fn detail(visit: &Visit) -> Result<Answer, Refused> {
    shown(visit, Vec::new())
}

fn shown(visit: &Visit, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    let one = found(visit)?;
    let role = visit.session()?.role;
    Answer::page(&Detail {
        shell: visit.shell(format!("Transmission {}", one.number)),
        case: one.infraction.clone(),
        opens: allowed(role, Act::SeeInfraction),
        one: view(visit, one, &names(visit)?)?,
        errors,
    })
}

/// The transmissions of a file.
pub fn views(visit: &Visit, infraction: &str) -> Result<Vec<View>, Refused> {
    let all = register::of_infraction(visit.office().store().sql(), by(visit)?.register, infraction)?;
    let names = names(visit)?;
    all.into_iter().map(|one| view(visit, one, &names)).collect()
}

fn view(visit: &Visit, one: Transmission, names: &HashMap<String, String>) -> Result<View, Refused> {
    let (zone, orphan) = {
        let mut office = visit.office();
        let orphan = register::is_orphan(office.store().sql(), &one.infraction)?;
        (office.config.time_zone(), orphan)
    };
    let who =
        |(account, at): &(String, _)| format!("{}, le {}", named(names, account), dates::spoken(*at, &zone));
    let words = &one.words;
    let decided = one.decided.as_ref().map(who).unwrap_or_default();
    let (approved, refused) = match one.state {
        State::Refused => (String::new(), decided),
        _ => (decided, String::new()),
    };
    let package = one.made.map(|(at, sha256, encrypted)| {
        let form = if encrypted { "chiffré" } else { "non chiffré" };
        format!("établi le {}, {form}, SHA-256 {sha256}", dates::spoken(at, &zone))
    });
    let time = |at| dates::spoken(at, &zone);
    let facts = [
        ("Destinataire", words.recipient.clone()),
        ("Motif", words.motive.clone()),
        ("Contenu", content(&one)),
        ("Demandée par", who(&one.asked)),
        ("Approuvée par", approved),
        ("Refusée par", refused),
        ("Motif du refus", words.refusal.clone()),
        ("Paquet", package.unwrap_or_default()),
        ("Envoyée le", one.sent.map(time).unwrap_or_default()),
        ("Support", words.carrier.clone()),
        ("Reçue le", one.received.map(time).unwrap_or_default()),
        ("Accusé de réception", words.acknowledgement.clone()),
        ("Copies du service", words.copies.clone()),
    ];
    let session = visit.session()?;
    let may = |act| allowed(session.role, act);
    let own = one.asked.0 == session.account;
    Ok(View {
        version: one.version,
        state: one.state.french(),
        facts: facts.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
        stamps: one.state == State::Made
            && !orphan
            && may(Act::Report)
            && one.made.is_some_and(|(_, _, encrypted)| !encrypted),
        steps: match orphan {
            true => last_step(&one, may(Act::WriteTransmission)),
            false => steps(one.state, own, may),
        },
        files: match may(Act::Report) && one.made.is_some() && !orphan {
            true => vec![
                ("paquet.zip", "Paquet (ZIP)"),
                ("bordereau.pdf", "Bordereau de transmission (PDF)"),
                ("contenu.tsq", "Demande d'horodatage (RFC 3161)"),
            ],
            false => Vec::new(),
        },
        number: one.number,
    })
}

fn content(one: &Transmission) -> String {
    let mut parts = vec![format!("acte n° {}", one.words.report.0)];
    match one.words.images.len() {
        0 => {}
        1 => parts.push("1 image".to_owned()),
        count => parts.push(format!("{count} images")),
    }
    if one.words.journal {
        parts.push("extrait du journal".to_owned());
    }
    parts.join(", ")
}

fn steps(state: State, own: bool, may: impl Fn(Act) -> bool) -> Vec<Step> {
    let step = |to, words| Step {
        to,
        words,
        text: None,
        tick: None,
        second: false,
    };
    let refusal = || Step {
        text: Some(("motif_refus", "Motif du refus")),
        second: true,
        ..step("refuser", "Refuser la demande")
    };
    match state {
        State::Asked if may(Act::ApprovePackage) && !own => {
            vec![step("approuver", "Approuver la demande"), refusal()]
        }
        State::Asked if may(Act::ApprovePackage) => vec![refusal()],
        State::Approved if may(Act::Report) => vec![Step {
            tick: Some((
                "chiffrer",
                "Chiffrer le paquet (AES-256) avec une phrase de passe",
            )),
            ..step("etablir", "Établir le paquet")
        }],
        State::Made if may(Act::WriteTransmission) => vec![Step {
            text: Some(("support", "Support et mode de remise")),
            ..step("envoi", "Inscrire l'envoi")
        }],
        State::Sent if may(Act::WriteTransmission) => vec![Step {
            text: Some(("accuse", "Accusé de réception : date, numéro, signataire")),
            ..step("accuse", "Inscrire l'accusé de réception")
        }],
        _ => Vec::new(),
    }
}

/// Once the file is destroyed: what became of the service's own copies.
fn last_step(one: &Transmission, may: bool) -> Vec<Step> {
    if !may || one.made.is_none() || !one.words.copies.is_empty() {
        return Vec::new();
    }
    vec![Step {
        to: "copies",
        words: "Inscrire la destruction des copies",
        text: Some((
            "copies",
            "Copies conservées par le service : détruites quand, comment",
        )),
        tick: None,
        second: false,
    }]
}

fn approve(visit: &Visit) -> Result<Answer, Refused> {
    let (number, version, by) = (visit.path("number"), visit.version()?, by(visit)?);
    visit
        .office()
        .store()
        .transaction(|tx| register::approve(tx, by, number, version))?;
    visit.flash("Demande approuvée : le paquet peut être établi.");
    Answer::see_other(format!("/transmission/{number}"))
}

fn refuse(visit: &Visit) -> Result<Answer, Refused> {
    let (number, version, by) = (visit.path("number"), visit.version()?, by(visit)?);
    let why = match visit.required("motif_refus", "Motif du refus") {
        Ok(why) => why,
        Err(error) => return shown(visit, vec![error]),
    };
    visit
        .office()
        .store()
        .transaction(|tx| register::refuse(tx, by, number, version, why))?;
    visit.flash("Demande refusée.");
    Answer::see_other(format!("/transmission/{number}"))
}

fn send(visit: &Visit) -> Result<Answer, Refused> {
    let (one, version, by) = (found(visit)?, visit.version()?, by(visit)?);
    let carrier = visit
        .required("support", "Support et mode de remise")
        .map_err(|error| Refused::Impossible(error.message))?;
    let case = one.infraction.parse().map_err(|_| Refused::NotFound)?;
    visit.office().store().transaction(|tx| {
        register::sent(tx, by, &one.number, version, carrier)?;
        mark_sent(tx, &case).map_err(Refused::from)
    })?;
    visit.flash("Envoi inscrit au registre.");
    Answer::see_other(format!("/dossier/{}/paquet", one.infraction))
}

fn acknowledge(visit: &Visit) -> Result<Answer, Refused> {
    let (one, version, by) = (found(visit)?, visit.version()?, by(visit)?);
    let answer = visit
        .required("accuse", "Accusé de réception")
        .map_err(|error| Refused::Impossible(error.message))?;
    visit
        .office()
        .store()
        .transaction(|tx| register::received(tx, by, &one.number, version, answer))?;
    visit.flash("Accusé de réception inscrit au registre.");
    Answer::see_other(format!("/dossier/{}/paquet", one.infraction))
}

fn copies_gone(visit: &Visit) -> Result<Answer, Refused> {
    let (number, version, by) = (visit.path("number"), visit.version()?, by(visit)?);
    let how = match visit.required("copies", "Copies conservées par le service") {
        Ok(how) => how,
        Err(error) => return shown(visit, vec![error]),
    };
    visit
        .office()
        .store()
        .transaction(|tx| register::copies_gone(tx, by, number, version, how))?;
    visit.flash("Destruction des copies inscrite au registre.");
    Answer::see_other("/echeances")
}
