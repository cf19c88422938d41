//! Backups: which there are, how old, and a new one.
//!
//! Promises: a backup goes only into a folder that the configuration names, never to a path that was typed; the desk is
//! served meanwhile.

use std::path::PathBuf;

use askama::Template;

use super::echeances::{name, names};
use crate::desk::backup::{self, Backup};
use crate::desk::rights::Act;
use crate::desk::web::input::wrong;
use crate::desk::web::{Answer, FieldError, FormPage, Input, Refused, Route, Shell, Visit, dates, get, post};
use crate::frame::BoxTime;

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/sauvegardes", Act::BackUp, list),
    get("/sauvegardes/nouvelle", Act::BackUp, new),
    post("/sauvegardes/nouvelle", Act::BackUp, make),
];

/// In a folder of the configuration.
const FOLDER: &str = "sauvegarde-vigie";
const KEYS: &str = "cles-vigie";
/// Days after which a backup must have been made anew.
const OLD: i64 = 7;

struct Row {
    number: u64,
    folder: String,
    made: String,
    items: u64,
    head: String,
    by: String,
    state: (String, &'static str),
}

#[derive(Template)]
#[template(path = "sauvegardes.html")]
struct List {
    shell: Shell,
    rows: Vec<Row>,
    stale: bool,
}

fn list(visit: &Visit) -> Result<Answer, Refused> {
    let names = names(visit)?;
    let (kept, zone) = {
        let office = visit.office();
        let mut query = office.desk.store.sql().prepare(
            "SELECT number, folder, made, items, head, made_by FROM backup
             WHERE n IN (SELECT max(n) FROM backup GROUP BY folder) ORDER BY n DESC",
        )?;
        let rows = query.query_map([], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get::<_, String>(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            ))
        })?;
        let kept: Vec<(u64, String, String, u64, String, Option<String>)> = rows.collect::<Result<_, _>>()?;
        drop(query);
        (kept, office.config.time_zone())
    };
    let mut fresh = false;
    let rows = kept.into_iter().map(|(number, folder, made, items, head, by)| {
        let made = made.parse().map_or(visit.now, BoxTime);
        let days = visit.now.0.duration_since(made.0).as_hours() / 24;
        fresh |= days <= OLD;
        Row {
            number,
            folder,
            made: dates::moment(made, &zone),
            items,
            head,
            by: by.map_or_else(|| "ligne de commande".to_owned(), |by| name(&names, &by)),
            state: match days {
                0 => ("du jour".to_owned(), "bon"),
                days if days <= OLD => (format!("{days} j"), "bon"),
                days => (format!("{days} j : à refaire ou à détruire"), "urgent"),
            },
        }
    });
    Answer::page(&List {
        rows: rows.collect(),
        stale: !fresh,
        shell: visit.shell("Sauvegardes"),
    })
}

fn places(visit: &Visit) -> Vec<PathBuf> {
    visit.office().config.sticks.clone()
}

fn new(visit: &Visit) -> Result<Answer, Refused> {
    form(visit, Vec::new())
}

fn form(visit: &Visit, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    let places = places(visit);
    let named = || {
        (0..)
            .zip(&places)
            .map(|(nth, path): (u32, &PathBuf)| (nth.to_string(), path.display().to_string()))
    };
    let none = places.is_empty().then_some(
        "Aucun support n’est déclaré : ajoutez le dossier du disque à « sticks » dans desk.toml, ou utilisez la commande \
         « vigie desk backup ».",
    );
    let inputs = [
        Input::choice("support", "Support de la sauvegarde", named()).required(),
        Input::choice("cles", "Support du fichier de clés", named())
            .required()
            .help("De préférence un autre support, conservé sous clé : sans ce fichier, rien de la sauvegarde ne s’ouvre."),
    ];
    FormPage::new(visit, "Nouvelle sauvegarde", "/sauvegardes/nouvelle", "Sauvegarder maintenant")
        .attention(none)
        .lead("Le poste reste en service. Ce qui a été détruit au poste disparaît de la sauvegarde au moment où elle est refaite.")
        .link("/sauvegardes", "Revenir aux sauvegardes")
        .answer(visit, inputs, errors)
}

fn make(visit: &Visit) -> Result<Answer, Refused> {
    let places = places(visit);
    let place = |field: &str| {
        visit
            .field(field)
            .and_then(|nth| places.get(nth.parse::<usize>().ok()?))
    };
    let (Some(to), Some(keys)) = (place("support"), place("cles")) else {
        let mut errors = Vec::new();
        for (field, label) in [
            ("support", "Support de la sauvegarde"),
            ("cles", "Support du fichier de clés"),
        ] {
            if place(field).is_none() {
                errors.extend(wrong(field, format!("{label} : choisissez un support.")));
            }
        }
        return form(visit, errors);
    };
    let folder = visit.office().folder.clone();
    let (to, keys) = (to.join(FOLDER), keys.join(KEYS));
    let asked = Backup {
        desk: &folder,
        to: &to,
        keys: Some(&keys),
    };
    // The desk is not held meanwhile: the copy is of one moment all the same.
    let made = match backup::backup(asked, visit.now) {
        Ok(made) => made,
        Err(error) => {
            let message = format!("La sauvegarde n’a pas été faite ; la précédente est intacte. {error}");
            return form(visit, wrong("support", message));
        }
    };
    let account = visit.session()?.account.clone();
    backup::note(visit.office().store(), &folder, Some(&account), visit.now)?;
    visit.flash(format!(
        "La sauvegarde n° {} est complète et relue : {} fichiers scellés.",
        made.number, made.items
    ));
    Answer::see_other("/sauvegardes")
}
