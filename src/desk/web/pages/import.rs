//! Import: bundles from a stick or sent by the browser, checked whole, taken while a page tells how far it is.
//!
//! Promises: folders come from the configuration, never from the form; what a browser sends lies under names of our
//! own making until its signed contents have named it; one import at a time ([`job`]); what is refused is told in
//! French with what to do ([`refusals`]). Leaves checking and taking to [`crate::transfer::taking_in`].

pub mod job;
pub mod refusals;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use askama::Template;
use serde_json::json;

use crate::desk::events::index::{self, Unread};
use crate::desk::events::{self, Terms};
use crate::desk::incoming::Incoming;
use crate::desk::rights::Act;
use crate::desk::web::visit::Upload;
use crate::desk::web::{Answer, Download, Refused, Route, Shell, Visit, dates, get, post};
use crate::transfer::returning;
use crate::transfer::taking_in::{Outcome, bundles};
use crate::transfer::{BundleName, CONTENTS, Contents, DRILL, Folder, JOURNAL, LONGEST_DOCUMENT, ReturnName};
use crate::vault::DeviceId;
use crate::vault::item::ItemId;
use crate::vault::journal::Line;
use job::{Job, Source, Standing};

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/import", Act::Import, overview),
    post("/import", Act::Import, from_stick),
    post("/import/envoi", Act::Import, from_browser),
    get("/import/suivi", Act::Import, progress),
    get("/import/retour/{name}", Act::Import, return_file),
    post("/import/renvoi", Act::Import, order_resend),
];

/// The folder, in the desk's, in which return files lie that a browser may fetch.
pub const RETURNS: &str = "returns";
/// Folders on a stick that are looked into.
const MOST_FOLDERS: usize = 64;
/// Imports that are listed.
const LAST: u32 = 12;

/// A folder with bundles in it.
struct Found {
    folder: String,
    bundles: Vec<BundleName>,
}

/// An import that is on record.
struct Past {
    when: String,
    device: String,
    bundle: u64,
    items: u64,
}

#[derive(Template)]
#[template(path = "import.html")]
struct ImportPage {
    shell: Shell,
    sticks: Vec<Found>,
    configured: bool,
    past: Vec<Past>,
    running: bool,
    boxes: Vec<String>,
}

fn overview(visit: &Visit) -> Result<Answer, Refused> {
    let shell = visit.shell("Import des lots");
    let office = visit.office();
    let zone = office.config.time_zone();
    let configured = office.config.sticks.clone();
    let past = past(office.desk.store.sql(), &zone)?;
    let boxes = office.desk.boxes().map(|id| id.to_string()).collect();
    drop(office);
    Answer::page(&ImportPage {
        shell,
        sticks: sticks(&configured),
        configured: !configured.is_empty(),
        past,
        boxes,
        running: visit.app.importing.job().is_some_and(|job| !job.standing().over),
    })
}

/// The folders that are configured, and those directly in them, where bundles lie.
fn sticks(configured: &[PathBuf]) -> Vec<Found> {
    let mut folders = Vec::new();
    for folder in configured {
        folders.push(folder.clone());
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let inner = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        folders.extend(inner.map(|entry| entry.path()).take(MOST_FOLDERS));
    }
    folders.sort();
    folders.dedup();
    let found = folders.into_iter().filter_map(|folder| {
        let bundles = Folder::open(&folder).ok().and_then(|open| bundles(&open).ok())?;
        let folder = folder.to_str()?.to_owned();
        (!bundles.is_empty()).then_some(Found { folder, bundles })
    });
    found.collect()
}

fn past(sql: &rusqlite::Connection, zone: &jiff::tz::TimeZone) -> Result<Vec<Past>, Refused> {
    let mut query = sql.prepare_cached(
        "SELECT seq, time, kind, body, prev, hash FROM journal WHERE kind = 'imported' ORDER BY seq DESC LIMIT ?",
    )?;
    let lines = query.query_map([LAST], Line::of_row)?;
    let mut past = Vec::new();
    for line in lines {
        let line = line?;
        let body: serde_json::Value = serde_json::from_str(&line.body).unwrap_or_default();
        let number = |name: &str| body.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
        past.push(Past {
            when: line.time.parse().map_or_else(
                |_| line.time.clone(),
                |time| dates::moment(crate::frame::BoxTime(time), zone),
            ),
            device: body["device"].as_str().unwrap_or_default().to_owned(),
            bundle: number("bundle"),
            items: number("items"),
        });
    }
    Ok(past)
}

fn from_stick(visit: &Visit) -> Result<Answer, Refused> {
    let configured = visit.office().config.sticks.clone();
    let asked = visit.field("dossier").unwrap_or_default();
    let found = sticks(&configured)
        .into_iter()
        .find(|found| found.folder == asked);
    let found = found.ok_or_else(|| {
        Refused::Impossible(
            "Ce dossier ne contient plus de lot, ou n'est pas de ceux que la configuration autorise. Vérifiez que la \
             clé est branchée, puis rouvrez la page d'import."
                .to_owned(),
        )
    })?;
    start(visit, Source::Stick(PathBuf::from(found.folder), found.bundles))
}

fn start(visit: &Visit, source: Source) -> Result<Answer, Refused> {
    let keys = visit.evidence()?.clone();
    let account = visit.session()?.account.clone();
    match visit.app.importing.start(&visit.app, account, keys, source) {
        Ok(()) => Answer::see_other("/import/suivi"),
        Err(job::Busy) => Err(Refused::Impossible(
            "Un autre import est en cours. Attendez qu'il soit terminé, puis recommencez.".to_owned(),
        )),
    }
}

fn from_browser(visit: &Visit) -> Result<Answer, Refused> {
    let failed = |error: std::io::Error| Refused::Failed(format!("incoming: {error}"));
    let taken = Incoming::new(&visit.office().folder.clone()).map_err(failed)?;
    let mut bundles = Vec::new();
    for (number, files) in by_folder(visit.uploads()).into_values().enumerate() {
        let folder = taken.path().join(number.to_string());
        fs::create_dir(&folder).map_err(failed)?;
        for (name, upload) in files {
            let sent = upload.path().ok_or(Refused::NotFound)?;
            fs::rename(sent, folder.join(name)).map_err(failed)?;
        }
        // What it calls itself; whether that is true is asked when it is taken.
        let name = Folder::open(&folder)
            .and_then(|folder| folder.text(CONTENTS, LONGEST_DOCUMENT))
            .ok()
            .and_then(|text| Contents::read(&text, |contents| Some(contents.device_key.clone())).ok())
            .map(|contents| contents.name());
        let Some(name) = name else {
            return Err(Refused::Impossible(NOT_A_BUNDLE.to_owned()));
        };
        if bundles.contains(&name) {
            return Err(Refused::Impossible(NOT_A_BUNDLE.to_owned()));
        }
        fs::rename(&folder, taken.path().join(name.to_string())).map_err(failed)?;
        bundles.push(name);
    }
    if bundles.is_empty() {
        return Err(Refused::Impossible(NOT_A_BUNDLE.to_owned()));
    }
    bundles.sort_unstable();
    start(visit, Source::Browser(taken, bundles))
}

const NOT_A_BUNDLE: &str = "Les fichiers envoyés ne forment pas un lot complet. Choisissez le dossier du lot lui-même, \
    dont le nom commence par « vigie- », avec tous ses fichiers (contents.txt, journal.jsonl, drill.vgi et les \
    éléments .vgi).";

/// The files that belong to bundles, by the folder that the browser says they lie in; whatever else lies there is not
/// looked at.
fn by_folder(uploads: &[Upload]) -> BTreeMap<String, BTreeMap<String, &Upload>> {
    let mut folders: BTreeMap<String, BTreeMap<String, &Upload>> = BTreeMap::new();
    for upload in uploads.iter().filter(|upload| upload.field == "lot") {
        let (folder, name) = upload.name.rsplit_once(['/', '\\']).unwrap_or(("", &upload.name));
        let is_ours = [CONTENTS, JOURNAL, DRILL].contains(&name) || name.parse::<ItemId>().is_ok();
        if is_ours {
            folders
                .entry(folder.to_owned())
                .or_default()
                .insert(name.to_owned(), upload);
        }
    }
    folders.retain(|_, files| files.contains_key(CONTENTS));
    folders
}

#[derive(Template)]
#[template(path = "import_suivi.html")]
struct ProgressPage {
    shell: Shell,
    standing: Option<Standing>,
}

fn progress(visit: &Visit) -> Result<Answer, Refused> {
    let standing = visit
        .app
        .importing
        .job()
        .map(|job: std::sync::Arc<Job>| job.standing());
    Answer::page(&ProgressPage {
        shell: visit.shell("Import en cours"),
        standing,
    })
}

/// Orders a box to tell its journal anew; the order is fetched at once.
fn order_resend(visit: &Visit) -> Result<Answer, Refused> {
    let device = visit
        .field("boitier")
        .and_then(|text| text.parse().ok())
        .map(DeviceId);
    let device = device.ok_or_else(|| Refused::Impossible("Choisissez le boîtier.".to_owned()))?;
    if visit.field("restaure").is_none() {
        return Err(Refused::Impossible(
            "Un ordre de renvoi ne sert qu'après une restauration de ce poste : cochez la case si c'est le cas.".to_owned(),
        ));
    }
    let account = visit.session()?.account.clone();
    let mut office = visit.office();
    let folder = office.folder.join(RETURNS);
    fs::create_dir_all(&folder).map_err(|error| Refused::Failed(format!("{}: {error}", folder.display())))?;
    let keys = visit.evidence()?;
    let name = office.desk.with_keys(&keys.office, |desk| {
        returning::order_resend(desk, device, Some(&account), &folder, visit.now)
    });
    drop(office);
    Answer::see_other(format!("/import/retour/{}", name?))
}

fn return_file(visit: &Visit) -> Result<Answer, Refused> {
    let name: ReturnName = visit.path("name").parse().map_err(|_| Refused::NotFound)?;
    let folder = visit.office().folder.join(RETURNS);
    let text = Folder::open(&folder).and_then(|folder| folder.text(&name.to_string(), LONGEST_DOCUMENT));
    let file = Download {
        media: "text/plain; charset=utf-8",
        name: Some(name.to_string()),
        bytes: text.map_err(|_| Refused::NotFound)?.into_bytes(),
    };
    file.told(visit, json!({"number": name.to_string(), "what": "return-file"}))
}

/// The terms by which events are indexed.
pub fn terms(config: &crate::desk::config::Office) -> Terms {
    Terms {
        zone: config.time_zone(),
        unreviewed_days: config.terms.undecided_days.into(),
    }
}

/// Events that are read at once, before a page is answered.
const AT_ONCE: usize = 200;

/// Indexes what came and has no row: where that was cut off, the next agent who asks for the list makes up for it.
/// How many events this session cannot read.
pub fn catch_up(visit: &Visit) -> Result<usize, Refused> {
    let importing = &visit.app.importing;
    if importing.is_indexed() || importing.job().is_some_and(|job| !job.standing().over) {
        return Ok(0);
    }
    let keys = visit.evidence()?;
    let (unread, terms) = {
        let office = visit.office();
        let store = &office.desk.store;
        let missing = index::missing(store.sql())?;
        let unread = missing.into_iter().take(AT_ONCE).map(|id| Unread::of(store, id));
        (unread.collect::<Result<Vec<_>, _>>()?, terms(&office.config))
    };
    if unread.is_empty() {
        importing.set_indexed();
        return Ok(0);
    }
    let mut failed = 0;
    let mut indexed = Vec::new();
    for event in unread {
        match event.read(&keys.office, &terms) {
            Ok(event) => indexed.push(event),
            Err(error) => {
                tracing::error!(%error, "an event that came cannot be read");
                failed += 1;
            }
        }
    }
    if !indexed.is_empty() {
        visit.office().store().transaction(|tx| {
            for event in &indexed {
                event.insert(tx)?;
            }
            Ok::<_, events::Error>(())
        })?;
    }
    Ok(failed)
}
