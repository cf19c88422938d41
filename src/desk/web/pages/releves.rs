//! The register as files: what went out, what comes in from the service's former spreadsheet.
//!
//! Promises: an export without motive and recipient is refused (I06); a spreadsheet is tried before anything is kept,
//! its rejects are listed with line and reason, and it waits sealed, a day at most. What takes long, opening and sealing
//! records, is done without the desk: others go on meanwhile ([`files`], [`take_over`]).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::DerefMut;

use askama::Template;
use serde_json::json;

use super::dossier::{Group, Question, by, calendar};
use super::echeances::names;
use crate::desk::infraction::CaseNumber;
use crate::desk::infraction::exchange::columns::{Column, Map, proposed};
use crate::desk::infraction::exchange::import::{self, Setting, Trial, Waiting};
use crate::desk::infraction::exchange::out::{self, Form, Words};
use crate::desk::infraction::exchange::table::Table;
use crate::desk::infraction::form::Fields;
use crate::desk::infraction::record::Officer;
use crate::desk::infraction::register::{self, By, File, Sealed};
use crate::desk::infraction::search::{self, Query};
use crate::desk::law::{Law, QualityId};
use crate::desk::office::Office;
use crate::desk::retention::plan::Class;
use crate::desk::retention::records::locked;
use crate::desk::rights::Act;
use crate::desk::web::{Answer, Download, FieldError, Refused, Route, Shell, Visit, dates, get, post};
use crate::frame::Digest;

/// Bytes of a spreadsheet at most.
const LONGEST_FILE: u64 = 16 << 20;
/// Rejects shown on the page; the whole list can be saved.
const SHOWN_REJECTS: usize = 200;

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/dossiers/releves", Act::ExportInfractions, page),
    post("/dossiers/releves/export", Act::ExportInfractions, export),
    post("/dossiers/releves/fichier", Act::WriteInfraction, upload),
    get("/dossiers/releves/essai", Act::WriteInfraction, trial),
    post("/dossiers/releves/rejets", Act::WriteInfraction, rejects),
    post("/dossiers/releves/reprise", Act::WriteInfraction, take),
    post("/dossiers/releves/abandon", Act::WriteInfraction, give_up),
];

struct ExportLine {
    at: String,
    by: String,
    form: &'static str,
    count: u64,
    left: u64,
    recipient: String,
    motive: String,
    sha256: String,
}

#[derive(Template)]
#[template(path = "releves.html")]
struct Page {
    shell: Shell,
    errors: Vec<FieldError>,
    questions: Vec<Question>,
    exports: Vec<ExportLine>,
    waits: bool,
}

fn page(visit: &Visit) -> Result<Answer, Refused> {
    shown(visit, Fields::new(), Vec::new())
}

fn questions() -> Vec<Question> {
    let forms = Form::ALL
        .iter()
        .map(|form| (form.as_str().to_owned(), form.french().to_owned()));
    vec![
        Question::radio("forme", "Forme du fichier", forms).required(),
        Question::short("du", "Faits du").help("Jour/mois/année ; vide : depuis l'origine."),
        Question::short("au", "au").help("Jour/mois/année ; vide : jusqu'à aujourd'hui."),
        Question::line("destinataire", "Destinataire").required(),
        Question::line("motif", "Motif").required(),
    ]
}

fn shown(visit: &Visit, fields: Fields, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    let (zone, _) = calendar(visit);
    let by = by(visit)?;
    let (exports, waits) = {
        let mut office = visit.office();
        let sql = office.store().sql();
        let exports = out::exports(sql, &visit.session()?.register.0)?;
        (exports, import::waiting(sql, by)?.is_some())
    };
    let names = names(visit)?;
    let exports = exports.into_iter().map(|export| ExportLine {
        at: dates::moment(export.at, &zone),
        by: names.get(&export.by).cloned().unwrap_or(export.by),
        form: export.form.french(),
        count: export.count,
        left: export.left,
        recipient: export.words.recipient,
        motive: export.words.motive,
        sha256: export.sha256,
    });
    let faults: Vec<(String, String)> = errors
        .iter()
        .map(|e| (e.field.clone(), e.message.clone()))
        .collect();
    Answer::page(&Page {
        shell: visit.shell("Relevés des dossiers"),
        questions: Group::plain(questions()).with(&fields, &faults).questions,
        errors,
        exports: exports.collect(),
        waits,
    })
}

fn wrong(field: &str, message: impl Into<String>) -> FieldError {
    FieldError {
        field: field.to_owned(),
        message: message.into(),
    }
}

fn export(visit: &Visit) -> Result<Answer, Refused> {
    let (zone, _) = calendar(visit);
    let mut errors = Vec::new();
    let form = visit.field("forme").and_then(Form::of);
    if form.is_none() {
        errors.push(wrong("forme", "Choisissez la forme du fichier."));
    }
    let mut said = |name: &'static str, label: &str| {
        visit
            .required(name, label)
            .map_err(|error| errors.push(error))
            .ok()
            .map(str::to_owned)
    };
    let (recipient, motive) = (said("destinataire", "Destinataire"), said("motif", "Motif"));
    let mut query = Query::default();
    for (name, until) in [("du", false), ("au", true)] {
        let Some(text) = visit.field(name) else { continue };
        let day = crate::desk::infraction::form::date(text);
        let day = day.and_then(|day| match until {
            true => day
                .tomorrow()
                .map_err(|_| crate::desk::infraction::check::Fault::Date),
            false => Ok(day),
        });
        match day.map(|day| zone.to_zoned(day.at(0, 0, 0, 0))) {
            Ok(Ok(at)) if until => query.until = Some(crate::frame::BoxTime(at.timestamp())),
            Ok(Ok(at)) => query.from = Some(crate::frame::BoxTime(at.timestamp())),
            _ => errors.push(wrong(name, "Écrivez une date, par exemple 22/11/2026.")),
        }
    }
    let (Some(form), Some(recipient), Some(motive), true) = (form, recipient, motive, errors.is_empty())
    else {
        return shown(visit, visit.form().to_vec(), errors);
    };
    let by = by(visit)?;
    let mut files = files(|| visit.office(), by, &query)?;
    let words = Words { motive, recipient };
    let register = &visit.session()?.register.0;
    loop {
        if files.is_empty() {
            let none = wrong("du", "Aucun dossier ne correspond : il n'y a rien à exporter.");
            return shown(visit, visit.form().to_vec(), vec![none]);
        }
        let bytes = out::written(form, &files, Law::embedded(), &zone, visit.now).map_err(Refused::Failed)?;
        let numbers: Vec<_> = files.iter().map(|file| file.number.clone()).collect();
        let mut office = visit.office();
        // What was erased since it was read, or is due now, does not leave: its certificate could not name this copy.
        let still: BTreeSet<_> = leaving(&mut office, by, &query)?.into_iter().collect();
        if numbers.iter().all(|number| still.contains(number)) {
            office
                .store()
                .transaction(|tx| out::record(tx, by, register, form, &bytes, &numbers, &words))?;
            let (media, name) = form.file();
            let name = Some(name.to_owned());
            return Ok(Answer::File { media, name, bytes });
        }
        files.retain(|file| still.contains(&file.number));
    }
}

/// The files that may leave. What is due and waits for its erasure is shown to nobody, nor does it leave.
fn leaving(office: &mut Office, by: By<'_>, query: &Query) -> Result<Vec<CaseNumber>, register::Error> {
    let sql = office.store().sql();
    let mut numbers = search::numbers(sql, by, query)?;
    let locked = locked(sql, Class::Record)?;
    numbers.retain(|number| !locked.contains(&number.to_string()));
    Ok(numbers)
}

/// Files that are read while the desk is held.
const AT_ONCE: usize = 100;

/// The files that may leave, opened. `desk` is asked for each hundred of them, and let go while these are opened.
pub fn files<D: DerefMut<Target = Office>>(
    mut desk: impl FnMut() -> D,
    by: By<'_>,
    query: &Query,
) -> Result<Vec<File>, register::Error> {
    let numbers = leaving(&mut desk(), by, query)?;
    let mut files = Vec::with_capacity(numbers.len());
    for some in numbers.chunks(AT_ONCE) {
        let sealed: Vec<_> = {
            let mut office = desk();
            let sql = office.store().sql();
            let read = some.iter().map(|number| Sealed::read(sql, number));
            read.collect::<Result<_, _>>()?
        };
        for file in sealed.into_iter().flatten() {
            files.push(file.open(by.keys)?);
        }
    }
    Ok(files)
}

fn upload(visit: &Visit) -> Result<Answer, Refused> {
    let by = by(visit)?;
    let file = visit
        .uploads()
        .iter()
        .find(|upload| upload.field == "fichier" && upload.size > 0);
    let Some(file) = file else {
        return shown(
            visit,
            Fields::new(),
            vec![wrong("fichier", "Choisissez le fichier à reprendre.")],
        );
    };
    let read = match file.size > LONGEST_FILE {
        true => Err("Le fichier dépasse 16 Mio ; partagez-le.".to_owned()),
        false => Table::read(file.bytes())
            .map(|table| (table, Digest::of(file.bytes())))
            .map_err(|error| error.to_string()),
    };
    let (table, file) = match read {
        Ok(read) => read,
        Err(message) => return shown(visit, Fields::new(), vec![wrong("fichier", message)]),
    };
    let sealed = Waiting { table, file }.sealed(by)?;
    visit
        .office()
        .store()
        .transaction(|tx| import::keep_waiting(tx, by, &sealed))?;
    Answer::see_other("/dossiers/releves/essai")
}

struct ColumnLine {
    name: &'static str,
    words: &'static str,
    required: bool,
    titles: Vec<(usize, String, bool)>,
}

struct RejectLine {
    line: u64,
    column: &'static str,
    reason: String,
}

#[derive(Template)]
#[template(path = "releves_essai.html")]
struct TrialPage {
    shell: Shell,
    errors: Vec<FieldError>,
    columns: Vec<ColumnLine>,
    map: Vec<(&'static str, usize)>,
    rows: usize,
    taken: usize,
    rejected: usize,
    rejects: Vec<RejectLine>,
}

/// The columns that were chosen; those that the titles name, where nobody chose yet.
fn chosen(fields: &[(String, String)], table: &Table) -> Map {
    let chosen: BTreeMap<Column, Option<usize>> = fields
        .iter()
        .filter_map(|(name, value)| {
            let column = Column::of(name.strip_prefix("col.")?)?;
            Some((column, value.parse().ok().filter(|at| *at < table.titles.len())))
        })
        .collect();
    match chosen.is_empty() {
        true => proposed(&table.titles),
        false => chosen
            .into_iter()
            .filter_map(|(column, at)| Some((column, at?)))
            .collect(),
    }
}

fn tried(visit: &Visit, fields: &[(String, String)]) -> Result<Option<(Waiting, Map, Trial)>, Refused> {
    let by = by(visit)?;
    let Some(sealed) = import::waiting(visit.office().store().sql(), by)? else {
        return Ok(None);
    };
    let waiting = Waiting::opened(by, &sealed)?;
    let (zone, today) = calendar(visit);
    let years = visit.office().config.terms.infraction_years;
    let officer = Officer {
        account: by.account.to_owned(),
        name: String::new(),
        quality: QualityId::from(""),
        titles: Vec::new(),
    };
    let map = chosen(fields, &waiting.table);
    let trial = import::trial(
        &waiting.table,
        &map,
        Setting {
            law: Law::embedded(),
            zone: &zone,
            today,
            years,
            officer: &officer,
            now: visit.now,
            file: waiting.file,
        },
    );
    Ok(Some((waiting, map, trial)))
}

fn trial(visit: &Visit) -> Result<Answer, Refused> {
    show_trial(visit, visit.queries(), Vec::new())
}

fn show_trial(
    visit: &Visit,
    fields: &[(String, String)],
    errors: Vec<FieldError>,
) -> Result<Answer, Refused> {
    let Some((waiting, map, trial)) = tried(visit, fields)? else {
        return Answer::see_other("/dossiers/releves");
    };
    let column = |column: &Column| {
        let at = map.get(column);
        let titles = waiting.table.titles.iter().enumerate();
        ColumnLine {
            name: column.as_str(),
            words: column.french(),
            required: *column == Column::Date,
            titles: titles
                .map(|(n, title)| (n, title.clone(), at == Some(&n)))
                .collect(),
        }
    };
    let rejects = trial.rejects.iter().take(SHOWN_REJECTS).map(|reject| RejectLine {
        line: reject.line,
        column: reject.column.map_or("", Column::french),
        reason: reject.reason.clone(),
    });
    Answer::page(&TrialPage {
        shell: visit.shell("Reprendre l'ancien fichier : essai"),
        errors,
        columns: Column::ALL.iter().map(column).collect(),
        map: map.iter().map(|(column, at)| (column.as_str(), *at)).collect(),
        rows: waiting.table.rows.len(),
        taken: trial.records.len(),
        rejected: trial.rejects.len(),
        rejects: rejects.collect(),
    })
}

/// The list of rejects as a file. It quotes the spreadsheet's fields: it is made when asked for and kept nowhere.
fn rejects(visit: &Visit) -> Result<Answer, Refused> {
    let Some((waiting, _, trial)) = tried(visit, visit.form())? else {
        return Answer::see_other("/dossiers/releves");
    };
    let titles = ["Ligne", "Colonne", "Motif du rejet"].map(str::to_owned).to_vec();
    let rows = trial.rejects.into_iter().map(|reject| {
        let column = reject.column.map_or("", Column::french).to_owned();
        vec![reject.line.to_string(), column, reject.reason]
    });
    let bytes = crate::desk::infraction::exchange::table::written(std::iter::once(titles).chain(rows));
    let file = Download {
        media: "text/csv; charset=utf-8",
        name: Some("rejets.csv".to_owned()),
        bytes: bytes.map_err(|error| Refused::Failed(error.to_string()))?,
    };
    file.told(
        visit,
        json!({"file": waiting.file, "motive": "takeover", "what": "rejects"}),
    )
}

fn take(visit: &Visit) -> Result<Answer, Refused> {
    let Some((waiting, _, trial)) = tried(visit, visit.form())? else {
        return Answer::see_other("/dossiers/releves");
    };
    if !trial.rejects.is_empty() && visit.field("laisser").is_none() {
        let left = format!(
            "Lignes rejetées : {}. Cochez la case pour les laisser de côté, ou corrigez le fichier.",
            trial.rejects.len()
        );
        return show_trial(visit, visit.form(), vec![wrong("laisser", left)]);
    }
    let (numbers, there) = take_over(|| visit.office(), by(visit)?, &trial, waiting.file)?;
    visit.flash(format!(
        "Reprise terminée. Dossiers créés : {} ; déjà repris auparavant : {} ; lignes laissées de côté : {}.",
        numbers.len(),
        there.len(),
        trial.rejects.len()
    ));
    Answer::see_other("/dossiers?etat=taken-over")
}

/// How often a spreadsheet is sealed without the desk.
const PATIENCE: u32 = 3;

/// Takes the records of a trial: the numbers of the new files, and the lines that were there. `desk` is let go while they
/// are sealed; where files are opened faster than that, the desk waits for the last attempt.
pub fn take_over<D: DerefMut<Target = Office>>(
    mut desk: impl FnMut() -> D,
    by: By<'_>,
    trial: &Trial,
    file: Digest,
) -> Result<(Vec<CaseNumber>, Vec<u64>), register::Error> {
    let mut office = desk();
    let code = office.config.code.clone();
    for _ in 0..PATIENCE {
        let standing = import::standing(office.store().sql())?;
        drop(office);
        let prepared = import::prepare(by, trial, standing, &code)?;
        office = desk();
        let taken = office.store();
        if let Some(done) = taken.transaction(|tx| import::take(tx, by, &prepared, file))? {
            return Ok(done);
        }
    }
    let standing = import::standing(office.store().sql())?;
    let prepared = import::prepare(by, trial, standing, &code)?;
    let taken = office.store();
    let taken = taken.transaction(|tx| import::take(tx, by, &prepared, file))?;
    taken.ok_or_else(|| register::Error::Damaged("infraction_counter".to_owned()))
}

fn give_up(visit: &Visit) -> Result<Answer, Refused> {
    let by = by(visit)?;
    visit
        .office()
        .store()
        .transaction(|tx| import::forget_waiting(tx, by))?;
    visit.flash("Le fichier a été abandonné : rien n'a été repris.");
    Answer::see_other("/dossiers/releves")
}
