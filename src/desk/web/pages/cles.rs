//! The service's keys: what the keyring holds, what lies in clear, the escrow, the end of a past quarter.
//!
//! Promises: a key goes into the keyring, and the keyring to a key of the safe, only on a chef's word; the keys of a past
//! quarter are destroyed by two people, and not while an event hangs on them; whoever is logged in holds the keys that
//! are left from then on.

use std::sync::Arc;

use askama::Template;

use super::comptes::{by, keyring};
use super::echeances::{name, names};
use crate::desk::accounts::{self, escrow, office_keys};
use crate::desk::retention::past_keys::{self, Past};
use crate::desk::rights::{Act, Role};
use crate::desk::web::input::wrong;
use crate::desk::web::{Answer, FieldError, FormPage, Input, Refused, Route, Shell, Visit, dates, get, post};
use crate::transfer::wrapping::{self, Outcome};
use crate::vault::{Epoch, Recipient};

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/cles", Act::ManageKeys, keys),
    post("/cles", Act::ManageKeys, take_keys),
    post("/cles/sequestre", Act::ManageKeys, put_in_escrow),
    post("/cles/enveloppes", Act::ManageKeys, rewrap),
    get("/cles/destruction", Act::DoomKeys, destruction),
    post("/cles/destruction/{trimestre}/proposer", Act::DoomKeys, propose),
    post("/cles/destruction/{trimestre}/retirer", Act::DoomKeys, withdraw),
    post(
        "/cles/destruction/{trimestre}/executer",
        Act::ManageKeys,
        carry_out,
    ),
];

/// A key of the safe whose public half lies in the folder.
struct OfSafe {
    quarter: String,
    fingerprint: String,
    sealed: bool,
}

#[derive(Template)]
#[template(path = "cles.html")]
struct Keys {
    csrf: String,
    held: Vec<(String, String)>,
    plain: Vec<String>,
    safe: Vec<OfSafe>,
    lone: bool,
}

fn keys(visit: &Visit) -> Result<Answer, Refused> {
    keys_with(visit, Vec::new())
}

/// What must not be overlooked in the folder of the keys, if anything; `kept` says what the keyring holds.
fn overlooked(plain: &office_keys::Plain) -> Option<&'static str> {
    match plain.fault() {
        Err(accounts::Error::Refused(accounts::Rule::NoServiceKey)) | Ok(()) => None,
        Err(accounts::Error::Refused(rule)) => Some(rule.french()),
        Err(_) => None,
    }
}

fn keys_with(visit: &Visit, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    let (folder, sealed) = {
        let office = visit.office();
        (office.folder.clone(), escrow::all(office.desk.store.sql())?)
    };
    let plain = office_keys::Plain::of(&folder)?;
    let held = visit.evidence()?.office.iter().map(|key| {
        let recipient = key.recipient();
        (
            dates::quarter(recipient.epoch()),
            recipient.fingerprint().to_string(),
        )
    });
    let name = |path: &std::path::PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let of_safe = escrow::safe(&plain.public).into_iter().map(|key| OfSafe {
        quarter: dates::quarter(key.epoch()),
        fingerprint: key.fingerprint().to_string(),
        sealed: sealed.iter().any(|(_, sealed)| *sealed == key.fingerprint()),
    });
    let keys = Keys {
        csrf: visit.shell("").csrf,
        held: held.collect(),
        plain: plain.service.iter().filter_map(|(path, _)| name(path)).collect(),
        safe: of_safe.collect(),
        lone: sealed.is_empty(),
    };
    let attention = overlooked(&plain);
    let inputs = (!keys.plain.is_empty() && attention.is_none()).then(|| {
        Input::tick(
            "coffre",
            "Une copie de ces clés est au coffre, ou les clés de secours du même trimestre y sont",
        )
        .required()
    });
    FormPage::new(visit, "Clés du service", "/cles", if inputs.is_some() { "Mettre au trousseau" } else { "Chercher de nouveau" })
        .lead("Les clés secrètes du service ouvrent ce que les boîtiers ont scellé. Elles sont gardées dans le trousseau des agents et des chefs de service, jamais en clair. Pour en ajouter, déposez les fichiers d’un nouveau trimestre dans le dossier « keys » de ce bureau.")
        .attention(attention)
        .figure(keys.render()?)
        .link("/cles/destruction", "Détruire les clés d’un trimestre passé")
        .answer(visit, inputs, errors)
}

fn take_keys(visit: &Visit) -> Result<Answer, Refused> {
    let folder = visit.office().folder.clone();
    if office_keys::Plain::of(&folder)?.service.is_empty() {
        return Answer::see_other("/cles");
    }
    if visit.field("coffre").is_none() {
        return keys_with(
            visit,
            wrong(
                "coffre",
                "Assurez-vous d’abord que le coffre permet d’ouvrir ce que ces clés ouvrent.",
            ),
        );
    }
    let (keyring, session) = (keyring(visit)?, visit.session()?);
    let taken = {
        let mut office = visit.office();
        let taken = office_keys::take_in(office.store(), &keyring, &folder, &session.account, visit.now)?;
        office.desk.read_keys_again(&folder)?;
        taken
    };
    renew(visit)?;
    visit.flash(match taken {
        1 => "La clé est au trousseau et ouvre ce qui lui est scellé ; son fichier est détruit.".to_owned(),
        more => format!(
            "Les {more} clés sont au trousseau et ouvrent ce qui leur est scellé ; leurs fichiers sont détruits."
        ),
    });
    Answer::see_other("/cles")
}

/// Gives everybody logged in the keys that the keyring holds now.
fn renew(visit: &Visit) -> Result<(), Refused> {
    let keyring = keyring(visit)?;
    let evidence = office_keys::evidence(visit.office().desk.store.sql(), &keyring)?;
    if let Some(evidence) = evidence {
        visit.app.sessions.renew_evidence(&Arc::new(evidence));
    }
    Ok(())
}

/// Seals the keyring to the keys of the safe that the chef has named by their fingerprints.
fn put_in_escrow(visit: &Visit) -> Result<Answer, Refused> {
    let folder = visit.office().folder.clone();
    let plain = office_keys::Plain::of(&folder)?;
    let mut named: Vec<&Recipient> = escrow::safe(&plain.public);
    named.retain(|key| {
        visit
            .fields("cle")
            .any(|name| name == key.fingerprint().to_string())
    });
    if named.is_empty() {
        return Err(Refused::Impossible(
            "Cochez la clé de secours, après avoir comparé son empreinte à celle du coffre.".to_owned(),
        ));
    }
    let (keyring, session) = (keyring(visit)?, visit.session()?);
    let mut office = visit.office();
    let desk = office.desk.key().public().clone();
    office
        .store()
        .transaction(|tx| escrow::seal_to(tx, &keyring, &desk, &named, &session.account, visit.now))?;
    drop(office);
    visit.flash("Le trousseau est sous séquestre : la clé de secours et l’administrateur peuvent ensemble rendre l’accès à un chef de service.");
    Answer::see_other("/cles")
}

/// Wraps the content keys of all events to the current keys, with the keys of whoever asks.
fn rewrap(visit: &Visit) -> Result<Answer, Refused> {
    let keys = visit.evidence()?;
    let outcomes = {
        let mut office = visit.office();
        office
            .desk
            .with_keys(&keys.office, |desk| wrapping::rewrap(desk, visit.now))?
    };
    let count = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|(_, outcome)| wanted(outcome)).count();
    visit.flash(format!(
        "Événements enveloppés de nouveau : {} ; déjà à jour : {} ; illisibles : {}.",
        count(|outcome| matches!(outcome, Outcome::Anew)),
        count(|outcome| matches!(outcome, Outcome::Current)),
        count(|outcome| matches!(outcome, Outcome::CannotOpen(_))),
    ));
    Answer::see_other("/cles/destruction")
}

struct Row {
    epoch: String,
    quarter: String,
    keys: Vec<String>,
    proposed: Option<String>,
    /// How many events hang on them; unknown to whoever holds no keys.
    hanging: Option<usize>,
    may_carry_out: bool,
}

#[derive(Template)]
#[template(path = "cles_destruction.html")]
struct Doomed {
    shell: Shell,
    rows: Vec<Row>,
    holds: bool,
}

fn destruction(visit: &Visit) -> Result<Answer, Refused> {
    let (session, names) = (visit.session()?, names(visit)?);
    let evidence = session.evidence.as_ref().filter(|_| session.role == Role::Chef);
    let rows = {
        let office = visit.office();
        let (store, zone) = (&office.desk.store, office.config.time_zone());
        let row = |past: Past| {
            let hanging = evidence
                .map(|keys| wrapping::hanging(store, past.epoch, &keys.office).map(|events| events.len()));
            let hanging = hanging.transpose()?;
            let others = past
                .proposed
                .as_ref()
                .is_some_and(|(who, _)| *who != session.account);
            Ok::<_, Refused>(Row {
                epoch: past.epoch.to_string(),
                quarter: dates::quarter(past.epoch),
                keys: past.keys.iter().map(ToString::to_string).collect(),
                proposed: past
                    .proposed
                    .map(|(who, at)| format!("{}, le {}", name(&names, &who), dates::spoken(at, &zone))),
                may_carry_out: others && hanging == Some(0),
                hanging,
            })
        };
        let past = past_keys::past(store.sql(), visit.now)?;
        past.into_iter().map(row).collect::<Result<Vec<_>, _>>()?
    };
    Answer::page(&Doomed {
        shell: visit.shell("Détruire les clés d’un trimestre passé"),
        rows,
        holds: evidence.is_some(),
    })
}

fn epoch(visit: &Visit) -> Result<Epoch, Refused> {
    visit.path("trimestre").parse().map_err(|_| Refused::NotFound)
}

fn propose(visit: &Visit) -> Result<Answer, Refused> {
    past_keys::propose(visit.office().store(), by(visit)?, epoch(visit)?, visit.now)?;
    visit.flash("Destruction proposée : un autre chef de service doit l’exécuter dans les sept jours.");
    Answer::see_other("/cles/destruction")
}

fn withdraw(visit: &Visit) -> Result<Answer, Refused> {
    past_keys::withdraw(visit.office().store(), by(visit)?, epoch(visit)?, visit.now)?;
    visit.flash("Proposition retirée : rien n’est détruit.");
    Answer::see_other("/cles/destruction")
}

fn carry_out(visit: &Visit) -> Result<Answer, Refused> {
    let (keys, epoch) = (visit.evidence()?.clone(), epoch(visit)?);
    if visit.field("definitif").is_none() {
        return Err(Refused::Impossible(
            "Rien n’est fait : cochez la case, après avoir vérifié le trimestre.".to_owned(),
        ));
    }
    let certificates = past_keys::carry_out(visit.office().store(), &keys, by(visit)?, epoch, visit.now)?;
    renew(visit)?;
    visit.flash(match certificates.last() {
        Some(number) => format!("Clés détruites ; certificat {number}. Détruisez aussi la clé de secours de ce trimestre, au coffre."),
        None => "Clés détruites ; le certificat sera établi au prochain démarrage, après contrôle.".to_owned(),
    });
    Answer::see_other("/certificats")
}
