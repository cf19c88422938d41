//! The agents' sheets: habilitation, serment, right to view, training, suspension, end.
//!
//! Promises: whatever is written ends the agent's session at once, so that the next one begins with the new sheet; a
//! suspension therefore works on the very next page asked for.

use std::sync::LazyLock;

use askama::Template;
use jiff::civil::Date;

use super::comptes::by;
use crate::desk::accounts::sheet::{Basis, Habilitation, Oath, Sheet, Suspension, Viewing, admits};
use crate::desk::accounts::{self, Account, State, set_sheet};
use crate::desk::law::Law;
use crate::desk::rights::Act;
use crate::desk::session::End;
use crate::desk::web::input::{missing, wrong};
use crate::desk::web::{Answer, FieldError, FormPage, Input, Refused, Route, Shell, Visit, dates, get, post};

/// The qualities that the table of competence knows: another one opens no act to its agent.
static QUALITIES: LazyLock<String> = LazyLock::new(|| {
    let all = Law::embedded()
        .qualities
        .iter()
        .map(|quality| quality.label.as_str());
    format!(
        "Telle que la table de compétence la connaît : {}.",
        all.collect::<Vec<_>>().join(" ; ")
    )
});

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/agents", Act::ManageSheets, list),
    get("/agents/{id}", Act::ManageSheets, one),
    post("/agents/{id}", Act::ManageSheets, write),
];

struct Row {
    id: String,
    name: String,
    role: &'static str,
    state: (&'static str, &'static str),
    why: String,
    until: String,
}

#[derive(Template)]
#[template(path = "agents.html")]
struct List {
    shell: Shell,
    rows: Vec<Row>,
}

/// Days before its end at which a sheet is marked.
const WARNED: i32 = 60;

fn list(visit: &Visit) -> Result<Answer, Refused> {
    let register = &visit.session()?.register;
    let (all, today, service) = {
        let office = visit.office();
        let today = visit.today();
        let all = accounts::accounts(office.desk.store.sql(), register)?;
        (all, today, office.config.service.clone())
    };
    let seen = |account: &&Account| account.role.holds_evidence() && account.state != State::Closed;
    let rows = all
        .iter()
        .filter(seen)
        .map(|account| row(account, today, &service));
    Answer::page(&List {
        rows: rows.collect(),
        shell: visit.shell("Agents"),
    })
}

fn row(account: &Account, today: Date, service: &str) -> Row {
    let admitted = admits(account.sheet.as_ref(), today, service);
    let until = account.sheet.as_ref().and_then(|sheet| sheet.last_day(today));
    let soon = until.is_some_and(|until| (until - today).get_days() < WARNED);
    Row {
        id: account.id.clone(),
        name: account.person.name.clone(),
        role: account.role.french(),
        state: match &admitted {
            Err(_) => ("Non valide", "urgent"),
            Ok(()) if soon => ("À renouveler", "bientot"),
            Ok(()) => ("Valide", "bon"),
        },
        why: admitted.err().map(|why| why.reason()).unwrap_or_default(),
        until: until.map_or_else(|| "sans terme".to_owned(), dates::short),
    }
}

fn found(visit: &Visit) -> Result<Account, Refused> {
    let register = &visit.session()?.register;
    match accounts::account(visit.office().desk.store.sql(), register, visit.path("id")) {
        Ok(account) if account.role.holds_evidence() => Ok(account),
        Ok(_) | Err(accounts::Error::Refused(_)) => Err(Refused::NotFound),
        Err(error) => Err(error.into()),
    }
}

fn one(visit: &Visit) -> Result<Answer, Refused> {
    let account = found(visit)?;
    page(visit, &account, Vec::new())
}

fn page(visit: &Visit, account: &Account, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    let (today, service) = {
        let office = visit.office();
        let today = visit.today();
        (today, office.config.service.clone())
    };
    let why = admits(account.sheet.as_ref(), today, &service)
        .err()
        .map(|why| why.reason());
    let title = format!("Fiche d’habilitation : {}", account.person.name);
    FormPage::new(visit, &title, format!("/agents/{}", account.id), "Enregistrer la fiche")
        .attention(why.map(|why| format!("Aujourd’hui, aucune image n’est montrée à cette personne : {why}.")))
        .lead("Sans fiche valide, aucune image et aucun dossier ne sont montrés (code de l’environnement, art. L. 541-44-1 et R. 541-85-1 à R. 541-85-3 ; code de la sécurité intérieure, art. L. 252-3 et L. 132-14-1). L’enregistrement ferme la session en cours de la personne : elle se reconnecte avec la nouvelle fiche.")
        .version(account.version)
        .link("/agents", "Revenir aux agents")
        .answer(visit, inputs(account.sheet.as_ref(), &service), errors)
}

/// The fields of a sheet, with what it says.
pub fn inputs(sheet: Option<&Sheet>, service: &str) -> Vec<Input> {
    let text = |read: fn(&Sheet) -> &String| sheet.map(read).cloned().unwrap_or_default();
    let day = |read: fn(&Sheet) -> Option<Date>| {
        sheet
            .and_then(read)
            .map(|date| date.to_string())
            .unwrap_or_default()
    };
    let bases = Basis::ALL.map(|basis| (basis.as_str(), basis.french()));
    vec![
        Input::text("service", "Service")
            .group("L’agent")
            .required()
            .value(sheet.map_or(service, |sheet| &sheet.service)),
        Input::text("qualite", "Qualité")
            .required()
            .value(text(|s| &s.quality))
            .help(&QUALITIES),
        Input::text("numero", "Numéro d’agent")
            .required()
            .value(text(|s| &s.number)),
        Input::date("formation", "Formation en droit pénal achevée le")
            .required()
            .value(day(|s| Some(s.trained))),
        Input::text("hab_autorite", "Habilitation : autorité")
            .group("Habilitation")
            .required()
            .value(text(|s| &s.habilitation.authority))
            .help("Qui a signé l’arrêté d’habilitation."),
        Input::date("hab_date", "Habilitation : date")
            .required()
            .value(day(|s| Some(s.habilitation.date))),
        Input::text("hab_objet", "Habilitation : objet")
            .required()
            .value(text(|s| &s.habilitation.object))
            .help("Les infractions que la personne peut constater."),
        Input::date("hab_fin", "Habilitation : dernier jour").value(day(|s| s.habilitation.until)),
        Input::text("serment_tribunal", "Serment : tribunal")
            .group("Serment")
            .required()
            .value(text(|s| &s.oath.tribunal)),
        Input::date("serment_date", "Serment : date")
            .required()
            .value(day(|s| Some(s.oath.date))),
        Input::choice("vis_fondement", "Droit de visionner : fondement", bases)
            .group("Droit de visionner")
            .required()
            .value(sheet.map_or("", |s| s.viewing.basis.as_str())),
        Input::text("vis_autorite", "Droit de visionner : autorité")
            .required()
            .value(text(|s| &s.viewing.authority))
            .help("Préfet, ou magistrat."),
        Input::text("vis_reference", "Droit de visionner : référence de l’acte")
            .required()
            .value(text(|s| &s.viewing.reference)),
        Input::date("vis_date", "Droit de visionner : date")
            .required()
            .value(day(|s| Some(s.viewing.date))),
        Input::date("vis_fin", "Droit de visionner : dernier jour")
            .value(day(|s| s.viewing.until))
            .help("Un agrément préfectoral prend fin au plus tard après cinq ans."),
        Input::date("susp_debut", "Suspension : premier jour")
            .group("Suspension et fin des fonctions")
            .value(day(|s| s.suspension.as_ref().map(|s| s.from))),
        Input::date("susp_fin", "Suspension : dernier jour")
            .value(day(|s| s.suspension.as_ref().and_then(|s| s.until))),
        Input::text("susp_motif", "Suspension : motif").value(
            sheet
                .and_then(|s| s.suspension.as_ref())
                .map(|s| s.motive.clone())
                .unwrap_or_default(),
        ),
        Input::date("fin", "Fin des fonctions : premier jour").value(day(|s| s.ended)),
    ]
}

/// The sheet that was sent.
pub fn read(visit: &Visit) -> Result<Sheet, Vec<FieldError>> {
    let mut errors = missing(
        visit,
        &[
            ("service", "Service"),
            ("qualite", "Qualité"),
            ("numero", "Numéro d’agent"),
            ("formation", "Formation en droit pénal"),
            ("hab_autorite", "Habilitation : autorité"),
            ("hab_date", "Habilitation : date"),
            ("hab_objet", "Habilitation : objet"),
            ("serment_tribunal", "Serment : tribunal"),
            ("serment_date", "Serment : date"),
            ("vis_fondement", "Droit de visionner : fondement"),
            ("vis_autorite", "Droit de visionner : autorité"),
            ("vis_reference", "Droit de visionner : référence"),
            ("vis_date", "Droit de visionner : date"),
        ],
    );
    let mut day = |name: &str| match visit.field(name).map(str::parse::<Date>) {
        None => None,
        Some(Ok(date)) => Some(date),
        Some(Err(_)) => {
            errors.extend(wrong(name, "Écrivez une date, par exemple 2026-11-22."));
            None
        }
    };
    let text = |name: &str| visit.field(name).unwrap_or_default().to_owned();
    // A required day that is missing or wrong has its error in the list already; the epoch stands in for none.
    let sheet = Sheet {
        service: text("service"),
        quality: text("qualite"),
        number: text("numero"),
        trained: day("formation").unwrap_or_default(),
        habilitation: Habilitation {
            authority: text("hab_autorite"),
            date: day("hab_date").unwrap_or_default(),
            object: text("hab_objet"),
            until: day("hab_fin"),
        },
        oath: Oath {
            tribunal: text("serment_tribunal"),
            date: day("serment_date").unwrap_or_default(),
        },
        viewing: Viewing {
            basis: Basis::ALL
                .into_iter()
                .find(|basis| visit.field("vis_fondement") == Some(basis.as_str()))
                .unwrap_or(Basis::Agreement),
            authority: text("vis_autorite"),
            reference: text("vis_reference"),
            date: day("vis_date").unwrap_or_default(),
            until: day("vis_fin"),
        },
        suspension: day("susp_debut").map(|from| Suspension {
            from,
            until: day("susp_fin"),
            motive: text("susp_motif"),
        }),
        ended: day("fin"),
    };
    if sheet.suspension.as_ref().is_some_and(|s| s.motive.is_empty()) {
        errors.extend(wrong("susp_motif", "Suspension : indiquez le motif."));
    }
    if sheet.suspension.is_none()
        && (visit.field("susp_fin").is_some() || visit.field("susp_motif").is_some())
    {
        errors.extend(wrong("susp_debut", "Suspension : indiquez le premier jour."));
    }
    match errors.is_empty() {
        true => Ok(sheet),
        false => Err(errors),
    }
}

fn write(visit: &Visit) -> Result<Answer, Refused> {
    let account = found(visit)?;
    let sheet = match read(visit) {
        Ok(sheet) => sheet,
        Err(errors) => return page(visit, &account, errors),
    };
    let at = (account.id.as_str(), visit.version()?);
    let (by, register) = (by(visit)?, &visit.session()?.register);
    {
        let mut office = visit.office();
        let today = visit.today();
        set_sheet(office.store(), register, by, at, &sheet, (today, visit.now))?;
    }
    visit.flash(format!("Fiche enregistrée : {}.", account.person.name));
    visit.app.sessions.end_all_of(&account.id, End::Sheet, visit.now);
    visit.app.sweep()?;
    Answer::see_other("/agents")
}
