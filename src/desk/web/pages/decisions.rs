//! Rulings on infraction files, and the archives' agreements to erase.

use askama::Template;
use jiff::civil::Date;

use super::echeances::{is_known, name, names, today};
use crate::desk::retention::plan::{Class, Outcome};
use crate::desk::retention::records::{self, NewAgreement, NewRuling};
use crate::desk::rights::{Act, allowed};
use crate::desk::web::input::{missing, wrong};
use crate::desk::web::{
    Answer, FieldError, FormPage, Input, Pager, Refused, Route, Shell, Visit, dates, get, post,
};

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/echeances/decisions", Act::SeeDeadlines, rulings),
    get("/echeances/decisions/nouvelle", Act::WriteDeadlines, new_ruling),
    post("/echeances/decisions/nouvelle", Act::WriteDeadlines, rule),
    get("/echeances/accords", Act::SeeDeadlines, agreements),
    get("/echeances/accords/nouveau", Act::WriteDeadlines, new_agreement),
    post("/echeances/accords/nouveau", Act::WriteDeadlines, agree),
    post("/echeances/accords/{id}/fin", Act::WriteDeadlines, withdraw),
];

struct RulingRow {
    file: String,
    outcome: &'static str,
    decided: String,
    final_on: String,
    reference: String,
    by: String,
}

#[derive(Template)]
#[template(path = "decisions.html")]
struct Rulings {
    shell: Shell,
    rows: Vec<RulingRow>,
    pager: Pager,
    at_once: Vec<&'static str>,
    may_write: bool,
}

fn rulings(visit: &Visit) -> Result<Answer, Refused> {
    let session = visit.session()?;
    let names = names(visit)?;
    let (all, terms) = {
        let office = visit.office();
        (records::rulings(office.desk.store.sql())?, office.config.terms)
    };
    let pager = Pager::of(visit, "/echeances/decisions", all.len());
    let mut rows = Vec::new();
    for record in pager.cut(all) {
        let reference = record.reference(&session.register.0)?;
        rows.push(RulingRow {
            file: record.ruling.case.clone(),
            outcome: record.ruling.outcome.french(),
            decided: dates::short(record.decided),
            final_on: dates::short(record.ruling.final_on),
            reference: reference.unwrap_or_else(|| "détruite avec le dossier".to_owned()),
            by: name(&names, &record.entered.0),
        });
    }
    let at_once = [
        (terms.erase_on_acquittal, Outcome::Relaxe.french()),
        (terms.erase_on_dismissal, Outcome::Classement.french()),
    ];
    Answer::page(&Rulings {
        rows,
        pager,
        at_once: at_once
            .into_iter()
            .filter(|(so, _)| *so)
            .map(|(_, words)| words)
            .collect(),
        may_write: allowed(session.role, Act::WriteDeadlines),
        shell: visit.shell("Décisions de justice"),
    })
}

fn new_ruling(visit: &Visit) -> Result<Answer, Refused> {
    ruling_form(visit, Vec::new())
}

fn ruling_form(visit: &Visit, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    let outcomes = Outcome::ALL.map(|outcome| (outcome.as_str(), outcome.french()));
    let inputs = [
        Input::text("dossier", "Numéro du dossier")
            .required()
            .value(visit.query("dossier").unwrap_or_default()),
        Input::choice("issue", "Décision", outcomes).required(),
        Input::date("date", "Date de la décision").required(),
        Input::date("definitive", "Définitive à compter du")
            .required()
            .help("Premier jour où aucun recours n’est plus possible. Un classement sans suite est définitif à sa date."),
        Input::text("reference", "Juridiction et référence").required(),
    ];
    FormPage::new(visit, "Nouvelle décision de justice", "/echeances/decisions/nouvelle", "Enregistrer la décision")
        .lead("Une relaxe ou un classement définitif peut avancer la destruction du dossier, selon ce que la commune a décidé. Un gel en vigueur l’emporte.")
        .link("/echeances/decisions", "Revenir aux décisions")
        .answer(visit, inputs, errors)
}

fn day(visit: &Visit, field: &'static str, label: &str) -> Result<Date, Vec<FieldError>> {
    let day = visit.field(field).and_then(|text| text.parse::<Date>().ok());
    day.ok_or_else(|| {
        wrong(
            field,
            format!("{label} : écrivez une date, par exemple 2027-03-31."),
        )
    })
}

fn rule(visit: &Visit) -> Result<Answer, Refused> {
    let mut errors = missing(
        visit,
        &[
            ("dossier", "Numéro du dossier"),
            ("issue", "Décision"),
            ("reference", "Juridiction et référence"),
        ],
    );
    let file = visit.field("dossier").unwrap_or_default().to_owned();
    if !file.is_empty() && !is_known(visit, Class::Record, &file)? {
        errors.extend(wrong(
            "dossier",
            "Numéro du dossier : aucun dossier de ce numéro n’est conservé au poste.",
        ));
    }
    let today = today(visit)?;
    let decided = day(visit, "date", "Date de la décision");
    let final_on = day(visit, "definitive", "Définitive à compter du");
    if decided.as_ref().is_ok_and(|decided| *decided > today) {
        errors.extend(wrong("date", "Date de la décision : elle est dans l’avenir."));
    }
    if let (Ok(decided), Ok(final_on)) = (&decided, &final_on)
        && final_on < decided
    {
        errors.extend(wrong(
            "definitive",
            "Définitive à compter du : pas avant la date de la décision.",
        ));
    }
    let outcome = visit.field("issue").and_then(Outcome::named);
    let (Ok(decided), Ok(final_on), Some(outcome), true) = (&decided, &final_on, outcome, errors.is_empty())
    else {
        errors.extend(decided.err().unwrap_or_default());
        errors.extend(final_on.err().unwrap_or_default());
        return ruling_form(visit, errors);
    };
    let new = NewRuling {
        file,
        outcome,
        decided: *decided,
        final_on: *final_on,
        reference: visit.field("reference").unwrap_or_default().to_owned(),
    };
    let session = visit.session()?;
    let by = (session.account.as_str(), &session.register.0);
    visit
        .office()
        .store()
        .transaction(|tx| records::rule(tx, &new, by, today, visit.now))?;
    visit.flash("La décision est enregistrée.");
    Answer::see_other("/echeances/decisions")
}

struct AgreementRow {
    id: i64,
    class: &'static str,
    reference: String,
    archives: String,
    from: String,
    until: String,
    by: String,
    in_force: bool,
}

#[derive(Template)]
#[template(path = "accords.html")]
struct Agreements {
    shell: Shell,
    rows: Vec<AgreementRow>,
    missing: Vec<&'static str>,
    may_write: bool,
}

fn agreements(visit: &Visit) -> Result<Answer, Refused> {
    let (today, names) = (today(visit)?, names(visit)?);
    let all = records::agreements(visit.office().desk.store.sql())?;
    let rows: Vec<_> = all
        .iter()
        .map(|record| AgreementRow {
            id: record.agreement.id,
            class: record.agreement.class.french(),
            reference: record.agreement.reference.clone(),
            archives: record.archives.clone(),
            from: dates::short(record.agreement.from),
            until: record
                .agreement
                .until
                .map_or_else(|| "sans terme".to_owned(), dates::short),
            by: name(&names, &record.entered.0),
            in_force: record.agreement.from <= today
                && record.agreement.until.is_none_or(|until| today <= until),
        })
        .collect();
    let covered = |class: &Class| rows.iter().any(|row| row.in_force && row.class == class.french());
    Answer::page(&Agreements {
        missing: Class::ALL
            .iter()
            .filter(|class| !covered(class))
            .map(|class| class.french())
            .collect(),
        rows,
        may_write: allowed(visit.session()?.role, Act::WriteDeadlines),
        shell: visit.shell("Accords d’élimination"),
    })
}

fn new_agreement(visit: &Visit) -> Result<Answer, Refused> {
    agreement_form(visit, Vec::new())
}

fn agreement_form(visit: &Visit, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    let classes = Class::ALL.map(|class| (class.as_str(), class.french()));
    let inputs = [
        Input::choice("categorie", "Catégorie", classes).required(),
        Input::text("archives", "Service d’archives")
            .required()
            .help("Par exemple : Archives départementales du Val-de-Marne."),
        Input::text("reference", "Référence de l’accord ou du visa")
            .required()
            .help("Elle figure sur les certificats : ni nom de personne, ni plaque."),
        Input::date("date", "Date de l’accord").required(),
        Input::date("fin", "Dernier jour de validité, s’il en a un"),
    ];
    FormPage::new(visit, "Nouvel accord d’élimination", "/echeances/accords/nouveau", "Enregistrer l’accord")
        .lead("Les archives publiques ne sont détruites qu’avec l’accord de l’administration des archives (code du patrimoine, art. L. 212-2 et L. 214-3). Sans accord, ce qui est échu est verrouillé : ni montré, ni détruit.")
        .link("/echeances/accords", "Revenir aux accords")
        .answer(visit, inputs, errors)
}

fn agree(visit: &Visit) -> Result<Answer, Refused> {
    let mut errors = missing(
        visit,
        &[
            ("categorie", "Catégorie"),
            ("archives", "Service d’archives"),
            ("reference", "Référence"),
        ],
    );
    let today = today(visit)?;
    let from = day(visit, "date", "Date de l’accord");
    if from.as_ref().is_ok_and(|from| *from > today) {
        errors.extend(wrong("date", "Date de l’accord : elle est dans l’avenir."));
    }
    let until = match visit.field("fin") {
        None => Ok(None),
        Some(_) => day(visit, "fin", "Dernier jour de validité").map(Some),
    };
    if let (Ok(from), Ok(Some(until))) = (&from, &until)
        && until < from
    {
        errors.extend(wrong(
            "fin",
            "Dernier jour de validité : pas avant la date de l’accord.",
        ));
    }
    let class = visit.field("categorie").and_then(Class::named);
    let (Ok(from), Ok(until), Some(class), true) = (&from, &until, class, errors.is_empty()) else {
        errors.extend(from.err().unwrap_or_default());
        errors.extend(until.err().unwrap_or_default());
        return agreement_form(visit, errors);
    };
    let text = |field| visit.field(field).unwrap_or_default().to_owned();
    let new = NewAgreement {
        class,
        reference: text("reference"),
        archives: text("archives"),
        from: *from,
        until: *until,
    };
    let account = visit.session()?.account.clone();
    visit
        .office()
        .store()
        .transaction(|tx| records::agree(tx, &new, &account, today, visit.now))?;
    visit.flash("L’accord est enregistré ; ce qui était verrouillé sera détruit à la prochaine exécution.");
    Answer::see_other("/echeances/accords")
}

fn withdraw(visit: &Visit) -> Result<Answer, Refused> {
    let id = visit.path("id").parse().map_err(|_| Refused::NotFound)?;
    let (today, account) = (today(visit)?, visit.session()?.account.clone());
    visit
        .office()
        .store()
        .transaction(|tx| records::withdraw(tx, id, &account, today, visit.now))?;
    visit.flash("L’accord a pris fin.");
    Answer::see_other("/echeances/accords")
}
