//! The register of transmissions, and each step of one: approve, refuse, make, send, acknowledge.
//!
//! Promises: whoever asked is never offered to approve, and could not; a package is made once for an approval, of what
//! was approved and is still the same; a pass-phrase stands on one page, once. The register shows no image.

use std::collections::HashMap;

use askama::Template;
use serde_json::json;

use super::dossier::motive_given;
use super::rapport::case::Case;
use crate::desk::accounts::accounts;
use crate::desk::events::Event;
use crate::desk::infraction::CaseNumber;
use crate::desk::infraction::register::mark_sent;
use crate::desk::rights::{Act, allowed};
use crate::desk::transmission::register::{self, By};
use crate::desk::transmission::{State, Transmission, sealed};
use crate::desk::web::pager::PAGE;
use crate::desk::web::{Answer, Download, FieldError, Pager, Refused, Route, Shell, Visit, dates, get, post};
use crate::frame::Digest;
use crate::report::package::{self, Package, Parts};
use crate::report::passphrase::Passphrase;
use crate::report::slip::{self, Slip};
use crate::report::{Moment, Service, timestamp};
use crate::verify;

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/transmissions", Act::SeeTransmissions, list),
    get("/transmission/{number}", Act::SeeTransmissions, detail),
    post("/transmission/{number}/approuver", Act::ApprovePackage, approve),
    post("/transmission/{number}/refuser", Act::ApprovePackage, refuse),
    post("/transmission/{number}/etablir", Act::Report, make),
    post("/transmission/{number}/horodatage", Act::Report, stamp),
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
    get("/transmission/{number}/paquet.zip", Act::Report, zip),
    get("/transmission/{number}/contenu.tsq", Act::Report, request),
    get("/transmission/{number}/bordereau.pdf", Act::Report, paper),
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

#[derive(Template)]
#[template(path = "transmission_phrase.html")]
struct Phrase {
    shell: Shell,
    number: String,
    case: String,
    phrase: String,
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

fn make(visit: &Visit) -> Result<Answer, Refused> {
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
fn stamp(visit: &Visit) -> Result<Answer, Refused> {
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

fn zip(visit: &Visit) -> Result<Answer, Refused> {
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

fn request(visit: &Visit) -> Result<Answer, Refused> {
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

fn paper(visit: &Visit) -> Result<Answer, Refused> {
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
