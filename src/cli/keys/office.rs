//! What the office does with keys that exist: revoke, destroy, try.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use super::{Exit, Failure, Told, box_time, json_line, line, role};
use crate::frame::BoxTime;
use crate::transfer::wrapping::{self, Hanging, Outcome};
use crate::transfer::{Desk, Error, desk};
use crate::trap::health::reading::database;
use crate::vault::keys::destruction::Secret;
use crate::vault::keys::drill::State;
use crate::vault::keys::revocation::EXTENSION;
use crate::vault::keys::{self, Drill, Plan, Revocation};
use crate::vault::{DeviceKey, Epoch, Fingerprint, OfficeKey, Recipient};

pub fn revoke(keys: &[String], reason: &str, desk: &Path, out: &Path, told: Told) -> Result<Exit, Failure> {
    if out.extension().is_none_or(|extension| extension != EXTENSION) {
        return Err(Failure::wrong_use(
            out.display(),
            [
                "a box would not know this file for a revocation",
                "let the name end in .revocation",
            ],
            [
                "un boîtier ne reconnaîtrait pas ce fichier comme révocation",
                "terminez le nom par .revocation",
            ],
        ));
    }
    let keys = keys
        .iter()
        .map(|key| fingerprint(key))
        .collect::<Result<Vec<_>, _>>()?;
    let desk = DeviceKey::read_desk(desk)?;
    let revocation = Revocation::new(&desk, keys, reason, box_time())?;
    revocation.write(&desk, out)?;
    if told.json {
        #[derive(Serialize)]
        struct Written<'a> {
            out: &'a Path,
            #[serde(flatten)]
            revocation: &'a Revocation,
        }
        let revocation = &revocation;
        json_line(&Written { out, revocation });
        return Ok(Exit::Done);
    }
    for key in &revocation.keys {
        line(&format!("{}  {key}", told.lang.pick("revoked", "révoquée")));
    }
    line(told.lang.pick(
        "Copy this file into the recipients' folder of every box. What was sealed before stays openable with the key.",
        "Copiez ce fichier dans le dossier des destinataires de chaque boîtier. Ce qui a été scellé avant reste lisible avec la clé.",
    ));
    Ok(Exit::Done)
}

/// Of a key named by its fingerprint, or by one of its two files.
fn fingerprint(key: &str) -> Result<Fingerprint, Failure> {
    if let Ok(fingerprint) = key.parse() {
        return Ok(fingerprint);
    }
    let path = Path::new(key);
    let recipient = Recipient::read(path).or_else(|error| match OfficeKey::read(path) {
        Ok(key) => Ok(key.recipient().clone()),
        Err(_) => Err(error),
    })?;
    Ok(recipient.fingerprint())
}

pub fn rewrap(desk: &Path, told: Told) -> Result<Exit, Failure> {
    let now = box_time();
    let mut desk = Desk::open(desk, now)?;
    if let Some(refused) = keyring_alone(&desk)? {
        desk.store.close(now)?;
        return Err(refused);
    }
    let outcomes = wrapping::rewrap(&mut desk, now);
    desk.store.close(now)?;
    let outcomes = outcomes?;
    let (mut anew, mut closed) = (0, 0);
    for (event, outcome) in &outcomes {
        let (state, said, why) = match outcome {
            Outcome::Anew => (
                "rewrapped",
                told.lang.pick("wrapped anew", "clé réenveloppée"),
                None,
            ),
            Outcome::Current => ("current", told.lang.pick("as it should be", "déjà à jour"), None),
            Outcome::CannotOpen(why) => (
                "cannot-open",
                told.lang.pick("CANNOT BE OPENED", "ILLISIBLE"),
                Some(why),
            ),
        };
        anew += u64::from(*outcome == Outcome::Anew);
        closed += u64::from(why.is_some());
        if told.json {
            json_line(&json!({"event": event, "state": state, "why": why}));
        } else {
            let event_word = told.lang.pick("event", "événement");
            let why = why.map(String::as_str).unwrap_or_default();
            line(&format!("{event_word} {event}  {said}  {why}"));
        }
    }
    if told.json {
        let events = outcomes.len();
        json_line(&json!({"summary": {"events": events, "rewrapped": anew, "cannot_open": closed}}));
    } else {
        let events = told
            .lang
            .count(anew, ["event", "events"], ["événement", "événements"]);
        line(&told.lang.pick(
            format!("{events} wrapped to the current keys"),
            format!("{events} réenveloppé(s) pour les clés actuelles"),
        ));
    }
    Ok(if closed > 0 { Exit::Fault } else { Exit::Done })
}

/// A desk that is served holds its keys in its users' keyring, not in files: nothing is opened here without one of them.
pub fn keyring_alone(desk: &Desk) -> Result<Option<Failure>, Error> {
    if desk.has_keys() || desk::in_keyring(desk.store.sql())?.is_empty() {
        return Ok(None);
    }
    Ok(Some(Failure::new(
        Exit::Failed,
        desk.store.dir().display(),
        [
            "the desk's secret keys lie in its keyring, which opens when somebody logs in, not in files",
            "do it in the browser: bundles on the page Import, wrapping anew on the page Clés du service",
        ],
        [
            "les clés secrètes du bureau sont au trousseau, qui s'ouvre à la connexion d'un agent, et non dans des fichiers",
            "faites-le dans le navigateur : les lots à la page « Import », l'enveloppe à la page « Clés du service »",
        ],
    )))
}

/// The same of a quarter's keys that are to be destroyed, where the folder that was named holds none of them.
fn in_the_keyring(error: keys::Error, desk: &Path, epoch: Epoch) -> Failure {
    let there = matches!(error, keys::Error::NothingToDestroy { .. })
        && database(&desk.join("store")).ok().flatten().is_some_and(|db| {
            let kept = desk::in_keyring(&db).unwrap_or_default();
            kept.iter().any(|(_, of)| *of == epoch)
        });
    if !there {
        return error.into();
    }
    Failure::new(
        Exit::Failed,
        error,
        [
            "this quarter's keys lie in the desk's keyring, not in files",
            "two people destroy them in the browser, a chef de service among them: page Comptes, Détruire les clés d'un trimestre passé",
        ],
        [
            "les clés de ce trimestre sont au trousseau du bureau, et non dans des fichiers",
            "deux personnes, dont un chef de service, les détruisent dans le navigateur : page « Comptes », « Détruire les clés d'un trimestre passé »",
        ],
    )
}

pub fn plan(epoch: Epoch, keys: &Path, desk: &Path, told: Told) -> Result<Exit, Failure> {
    let now = box_time();
    let plan = Plan::of(keys, epoch, now).map_err(|error| in_the_keyring(error, desk, epoch))?;
    refuse_while_needed(desk, epoch, now)?;
    let would = told.lang.pick("would be destroyed", "serait détruite");
    list(would, "planned", epoch, &plan.secrets, &plan.not_there, told);
    Ok(Exit::Done)
}

pub fn destroy(
    epoch: Epoch,
    keys: &Path,
    desk: &Path,
    key: &Path,
    out: &Path,
    told: Told,
) -> Result<Exit, Failure> {
    let signer = DeviceKey::read_desk(key)?;
    let now = box_time();
    let plan = Plan::of(keys, epoch, now).map_err(|error| in_the_keyring(error, desk, epoch))?;
    // Held until it is done, so that nothing is taken in meanwhile that needs these keys.
    let held = refuse_while_needed(desk, epoch, now)?;
    let done = plan.carry_out(&signer, now, out)?;
    drop(held);
    let destroyed = told.lang.pick("destroyed", "détruite");
    list(
        destroyed,
        "destroyed",
        epoch,
        &done.destroyed,
        &done.not_there,
        told,
    );
    if !told.json {
        line(&done.limits);
    }
    Ok(Exit::Done)
}

/// Refuses while an event of the desk's hangs on this quarter's keys, and while that cannot be known.
fn refuse_while_needed(desk: &Path, epoch: Epoch, now: BoxTime) -> Result<Hanging, Failure> {
    if !desk.join("desk.key").exists() {
        return Err(Failure::wrong_use(
            desk.display(),
            [
                "this is no desk's folder, so nobody knows which events still need these keys",
                "name it with --desk DIR; a stick from the safe is brought to the desk",
            ],
            [
                "ce n'est pas le dossier d'un bureau : rien ne dit quels événements ont encore besoin de ces clés",
                "indiquez-le avec --desk DOSSIER ; le support du coffre-fort s'apporte au bureau",
            ],
        ));
    }
    let hanging = Hanging::on(desk, epoch, now)?;
    if hanging.events.is_empty() {
        return Ok(hanging);
    }
    let names: Vec<_> = hanging.events.iter().map(ToString::to_string).collect();
    Err(Failure::new(
        Exit::Failed,
        format!("{epoch}: {}", names.join(", ")),
        [
            "nothing but this quarter's keys opens these events of the desk",
            "wrap them anew with `vigie keys rewrap --desk DIR`, or let them reach their term",
        ],
        [
            "seules les clés de ce trimestre ouvrent ces événements du bureau",
            "réenveloppez leurs clés avec « vigie keys rewrap --desk DOSSIER », ou laissez-les arriver à échéance",
        ],
    ))
}

fn list(
    what: &str,
    state: &'static str,
    epoch: Epoch,
    secrets: &[Secret],
    not_there: &[Fingerprint],
    told: Told,
) {
    #[derive(Serialize)]
    struct Listed<'a> {
        epoch: Epoch,
        state: &'static str,
        role: Option<&'a str>,
        fingerprint: Fingerprint,
        file: Option<&'a str>,
    }
    let there = secrets.iter().map(|secret| Listed {
        epoch,
        state,
        role: Some(secret.role.as_str()),
        fingerprint: secret.fingerprint,
        file: Some(&secret.file),
    });
    let elsewhere = not_there.iter().map(|&fingerprint| Listed {
        epoch,
        state: "not-there",
        role: None,
        fingerprint,
        file: None,
    });
    for listed in there.chain(elsewhere) {
        if told.json {
            json_line(&listed);
            continue;
        }
        let elsewhere = told.lang.pick(
            "NOT THERE: destroy it where it is kept",
            "ABSENTE : à détruire là où elle est gardée",
        );
        let what = if listed.file.is_some() { what } else { elsewhere };
        let file = listed.file.unwrap_or_default();
        line(&format!("{epoch}  {}  {what}  {file}", listed.fingerprint));
    }
}

pub fn drill(keys: &[PathBuf], store: Option<&Path>, told: Told) -> Result<Exit, Failure> {
    let mut drill = Drill::of_keys(keys)?;
    if let Some(store) = store {
        // A box's vault has no such table: there, each item's own header says to whom it is sealed.
        let db = database(store)?;
        let wrapped = |event| desk::wrapped(db.as_ref()?, event).ok()?;
        drill.try_store(store, wrapped)?;
    }
    let fault = drill.found_fault(box_time());
    if told.json {
        tell_json(&drill, fault);
    } else {
        tell(&drill, told);
        line(match fault {
            false => told.lang.pick(
                "every key that is needed opens what is sealed to it",
                "chaque clé nécessaire ouvre ce qui lui est scellé",
            ),
            true => told.lang.pick(
                "FAULT: something is, or would be, sealed that one of its keys does not open",
                "DÉFAUT : une des clés n'ouvre pas ce qui lui est, ou lui serait, scellé",
            ),
        });
    }
    Ok(if fault { Exit::Fault } else { Exit::Done })
}

fn tell_json(drill: &Drill, fault: bool) {
    #[derive(Serialize)]
    struct Summary {
        keys: usize,
        events: usize,
        ok: bool,
    }
    #[derive(Serialize)]
    struct Line {
        summary: Summary,
    }
    drill.keys.iter().for_each(json_line);
    drill.events.iter().for_each(json_line);
    let summary = Summary {
        keys: drill.keys.len(),
        events: drill.events.len(),
        ok: !fault,
    };
    json_line(&Line { summary });
}

fn tell(drill: &Drill, told: Told) {
    let lang = told.lang;
    for key in &drill.keys {
        let state = match key.state {
            State::Ok => "ok",
            State::Missing => lang.pick("MISSING", "ABSENTE"),
            State::DoesNotFit => lang.pick("DOES NOT FIT", "NE CORRESPOND PAS"),
        };
        let role = role(key.role, lang);
        let why = key.why.as_deref().unwrap_or_default();
        line(&format!(
            "{}  {role:<8}  {}  {state}  {why}",
            key.epoch, key.fingerprint
        ));
    }
    for event in &drill.events {
        let event_word = lang.pick("event", "événement");
        match (event.opened_with, &event.why) {
            (Some(key), _) => line(&format!("{event_word} {}  ok  {key}", event.event)),
            (None, why) => line(&format!(
                "{event_word} {}  {}  {}",
                event.event,
                lang.pick("CANNOT BE OPENED", "ILLISIBLE"),
                why.as_deref().unwrap_or_default()
            )),
        }
    }
}
