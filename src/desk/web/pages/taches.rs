//! Periodical tasks: the half-yearly review of the journal, the yearly purge of surplus images.

use askama::Template;
use serde_json::json;

use super::echeances::{name, names, today};
use crate::desk::retention::evidence::{self, Surplus};
use crate::desk::retention::tasks::{self, Task};
use crate::desk::rights::{Act, allowed};
use crate::desk::web::input::wrong;
use crate::desk::web::{
    Answer, FieldError, FormPage, Input, Pager, Refused, Route, Shell, Visit, dates, get, post,
};

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/echeances/taches", Act::SeeDeadlines, list),
    get("/echeances/surnumeraires", Act::SeeDeadlines, surplus),
    get("/echeances/taches/{tache}/{periode}", Act::WriteDeadlines, one),
    post("/echeances/taches/{tache}/{periode}", Act::WriteDeadlines, done),
];

/// What a person may have found.
const FINDINGS: [(&str, &str); 3] = [
    ("none", "Rien d’anormal"),
    ("corrected", "Écarts relevés, corrigés"),
    (
        "reported",
        "Écarts relevés, signalés au délégué à la protection des données",
    ),
];

struct Row {
    task: &'static str,
    word: &'static str,
    of: String,
    period: String,
    due: String,
    state: (&'static str, &'static str),
    told: String,
    open: bool,
}

#[derive(Template)]
#[template(path = "taches.html")]
struct List {
    shell: Shell,
    rows: Vec<Row>,
    may_write: bool,
}

fn list(visit: &Visit) -> Result<Answer, Refused> {
    let (today, names) = (today(visit)?, names(visit)?);
    let (all, zone) = {
        let office = visit.office();
        (tasks::all(office.desk.store.sql())?, office.config.time_zone())
    };
    let rows = all.iter().map(|record| Row {
        task: record.task.french(),
        word: record.task.as_str(),
        of: record.period.clone(),
        period: period(&record.period),
        due: dates::short(record.due),
        state: match &record.done {
            Some(_) => ("Fait", "bon"),
            None if record.is_overdue(today) => ("En retard", "urgent"),
            None => ("À faire", "bientot"),
        },
        told: record.done.as_ref().map_or_else(String::new, |(at, by, result)| {
            let finding = result
                .get("finding")
                .and_then(|finding| finding.as_str())
                .unwrap_or_default();
            let finding = FINDINGS
                .iter()
                .find(|(word, _)| *word == finding)
                .map_or("", |(_, words)| words);
            format!("{finding} ({}, {})", name(&names, by), dates::moment(*at, &zone))
        }),
        open: record.done.is_none(),
    });
    Answer::page(&List {
        rows: rows.collect(),
        may_write: allowed(visit.session()?.role, Act::WriteDeadlines),
        shell: visit.shell("Tâches périodiques"),
    })
}

fn period(period: &str) -> String {
    match period.split_once("-S") {
        Some((year, "1")) => format!("1er semestre {year}"),
        Some((year, _)) => format!("2d semestre {year}"),
        None => format!("année {period}"),
    }
}

fn found(visit: &Visit) -> Result<(Task, String), Refused> {
    let task = Task::named(visit.path("tache")).ok_or(Refused::NotFound)?;
    let all = tasks::all(visit.office().desk.store.sql())?;
    let record = all
        .into_iter()
        .find(|record| record.task == task && record.period == visit.path("periode"));
    record
        .map(|record| (task, record.period))
        .ok_or(Refused::NotFound)
}

fn one(visit: &Visit) -> Result<Answer, Refused> {
    form(visit, Vec::new())
}

fn form(visit: &Visit, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    let (task, of) = found(visit)?;
    let (lead, link) = match task {
        Task::JournalReview => (
            "Lisez le journal de la période : qui a consulté quoi, et pour quel motif. Comparez avec les dossiers suivis \
             (loi n° 78-17 du 6 janvier 1978, art. 101).",
            ("/journal", "Ouvrir le journal"),
        ),
        Task::Surplus => (
            "Parcourez la liste des dossiers dont des images ne servent à aucun rapport, et ne gardez que le nécessaire.",
            (
                "/echeances/surnumeraires",
                "Ouvrir la liste des images surnuméraires",
            ),
        ),
    };
    let inputs = [
        Input::choice("constat", "Constat", FINDINGS).required(),
        Input::text("nombre", "Nombre d’écarts ou d’images retirées")
            .value("0")
            .required(),
    ];
    let title = format!("{} : {}", task.french(), period(&of));
    FormPage::new(
        visit,
        &title,
        format!("/echeances/taches/{}/{of}", task.as_str()),
        "Enregistrer le constat",
    )
    .lead(lead)
    .link(link.0, link.1)
    .link("/echeances/taches", "Revenir aux tâches")
    .answer(visit, inputs, errors)
}

fn done(visit: &Visit) -> Result<Answer, Refused> {
    let (task, of) = found(visit)?;
    let finding = visit.field("constat");
    let finding = FINDINGS
        .iter()
        .find(|(word, _)| Some(*word) == finding)
        .map(|(word, _)| *word);
    let count = visit.field("nombre").and_then(|count| count.parse::<u32>().ok());
    let (Some(finding), Some(count)) = (finding, count) else {
        let mut errors = Vec::new();
        if finding.is_none() {
            errors.extend(wrong(
                "constat",
                "Constat : choisissez ce que vous avez constaté.",
            ));
        }
        if count.is_none() {
            errors.extend(wrong(
                "nombre",
                "Nombre : écrivez un nombre entier, 0 s’il n’y en a pas.",
            ));
        }
        return form(visit, errors);
    };
    let account = visit.session()?.account.clone();
    let result = json!({"count": count, "finding": finding});
    visit
        .office()
        .store()
        .transaction(|tx| tasks::done(tx, (task, &of), &result, &account, visit.now))?;
    visit.flash("Le constat est enregistré.");
    Answer::see_other("/echeances/taches")
}

#[derive(Template)]
#[template(path = "surnumeraires.html")]
struct SurplusList {
    shell: Shell,
    rows: Vec<Surplus>,
    pager: Pager,
    links: bool,
}

fn surplus(visit: &Visit) -> Result<Answer, Refused> {
    let rows = evidence::surplus(visit.office().desk.store.sql())?;
    let pager = Pager::of(visit, "/echeances/surnumeraires", rows.len());
    Answer::page(&SurplusList {
        rows: pager.cut(rows).collect(),
        pager,
        links: allowed(visit.session()?.role, Act::SeeInfraction),
        shell: visit.shell("Images surnuméraires"),
    })
}
