//! Holds: put on, renewed, lifted, and noted by the data protection officer.

use askama::Template;
use jiff::civil::Date;

use super::echeances::{is_known, name, names, today};
use crate::desk::events::{Event, State};
use crate::desk::retention::plan::{Class, Target, hold_at_most};
use crate::desk::retention::records::{self, Authority, HoldRecord, NewHold, Words};
use crate::desk::rights::{Act, allowed};
use crate::desk::web::input::{missing, wrong};
use crate::desk::web::{
    Answer, FieldError, FormPage, Input, Pager, Refused, Route, Shell, Visit, dates, get, post,
};

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/echeances/gels", Act::SeeDeadlines, list),
    get("/echeances/gels/nouveau", Act::WriteDeadlines, new),
    post("/echeances/gels/nouveau", Act::WriteDeadlines, put_on),
    get("/echeances/gels/{id}/renouveler", Act::WriteDeadlines, renewal),
    post("/echeances/gels/{id}/renouveler", Act::WriteDeadlines, renew),
    post("/echeances/gels/{id}/lever", Act::WriteDeadlines, lift),
    post("/echeances/gels/{id}/noter", Act::TakeNote, note),
];

struct Row {
    id: i64,
    on: String,
    authority: &'static str,
    words: Option<Words>,
    from: String,
    until: String,
    by: String,
    told: Option<String>,
    state: (&'static str, &'static str),
    stands: bool,
}

#[derive(Template)]
#[template(path = "gels.html")]
struct List {
    shell: Shell,
    rows: Vec<Row>,
    pager: Pager,
    may_write: bool,
    may_note: bool,
}

fn list(visit: &Visit) -> Result<Answer, Refused> {
    let session = visit.session()?;
    let (today, names) = (today(visit)?, names(visit)?);
    let (all, zone) = {
        let office = visit.office();
        (
            records::holds(office.desk.store.sql())?,
            office.config.time_zone(),
        )
    };
    let row = |record: HoldRecord| {
        let hold = &record.hold;
        let soon = hold.stands(today) && (hold.until - today).get_days() <= 30;
        let state = match (hold.stands(today), hold.lifted) {
            (true, _) if soon => ("Prend fin dans 30 jours ou moins", "bientot"),
            (true, _) => ("En vigueur", "bon"),
            (false, Some(_)) => ("Levé", ""),
            (false, None) => ("Échu", ""),
        };
        Ok::<_, Refused>(Row {
            id: hold.id,
            on: match &hold.target {
                Target::Event(id) => format!("Événement {id}"),
                Target::Case(id) => format!("Dossier {id}"),
            },
            authority: record.authority.french(),
            words: record.words(&session.register.0)?,
            from: dates::short(hold.from),
            until: dates::short(hold.lifted.unwrap_or(hold.until)),
            by: name(&names, &record.placed.0),
            told: record.told.map(|told| dates::moment(told, &zone)),
            state,
            stands: hold.stands(today),
        })
    };
    let pager = Pager::of(visit, "/echeances/gels", all.len());
    Answer::page(&List {
        rows: pager.cut(all).map(row).collect::<Result<_, _>>()?,
        may_write: allowed(session.role, Act::WriteDeadlines),
        may_note: allowed(session.role, Act::TakeNote),
        pager,
        shell: visit.shell("Gels de destruction"),
    })
}

fn new(visit: &Visit) -> Result<Answer, Refused> {
    form(visit, Vec::new())
}

fn form(visit: &Visit, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    let today = today(visit)?;
    let authorities = Authority::ALL.map(|authority| (authority.as_str(), authority.french()));
    let inputs = [
        Input::choice(
            "sur",
            "Objet du gel",
            [("dossier", "Dossier d’infraction"), ("evenement", "Événement")],
        )
        .required()
        .value(visit.query("sur").unwrap_or("dossier")),
        Input::text("objet", "Numéro du dossier ou de l’événement")
            .required()
            .value(visit.query("objet").unwrap_or_default()),
        Input::choice("autorite", "Autorité qui le demande", authorities).required(),
        Input::text("reference", "Référence de la demande")
            .required()
            .help("Numéro de parquet, de procédure, de réquisition ou de demande."),
        Input::text("motif", "Motif").required(),
        Input::date("fin", "Dernier jour du gel").required(),
    ];
    FormPage::new(visit, "Nouveau gel", "/echeances/gels/nouveau", "Geler la destruction")
        .lead(format!(
            "Un gel suspend la destruction à l’échéance. Il prend fin au plus tard le {} (six mois), peut être renouvelé, \
             et le délégué à la protection des données en est averti.",
            dates::long(hold_at_most(today))
        ))
        .link("/echeances/gels", "Revenir aux gels")
        .answer(visit, inputs, errors)
}

fn last_day(visit: &Visit, today: Date) -> Result<Date, Vec<FieldError>> {
    let day = visit.field("fin").and_then(|text| text.parse::<Date>().ok());
    let day = day.ok_or_else(|| {
        wrong(
            "fin",
            "Dernier jour du gel : écrivez une date, par exemple 2027-03-31.",
        )
    })?;
    let at_most = hold_at_most(today);
    match day > today && day <= at_most {
        true => Ok(day),
        false => Err(wrong(
            "fin",
            format!(
                "Dernier jour du gel : choisissez une date après aujourd’hui et au plus tard le {}.",
                dates::long(at_most)
            ),
        )),
    }
}

fn put_on(visit: &Visit) -> Result<Answer, Refused> {
    let mut errors = missing(
        visit,
        &[
            ("sur", "Objet du gel"),
            ("objet", "Numéro du dossier ou de l’événement"),
            ("autorite", "Autorité"),
            ("reference", "Référence"),
            ("motif", "Motif"),
            ("fin", "Dernier jour du gel"),
        ],
    );
    let today = today(visit)?;
    let object = visit.field("objet").unwrap_or_default().to_owned();
    let is_event = visit.field("sur") == Some("evenement");
    let class = if is_event {
        Class::Unreviewed
    } else {
        Class::Record
    };
    if !object.is_empty() && !is_known(visit, class, &object)? {
        errors.extend(wrong(
            "objet",
            "Numéro : aucun objet de ce numéro n’est conservé au poste.",
        ));
    }
    if is_event && is_put_aside(visit, &object)? {
        errors.extend(wrong(
            "objet",
            "Numéro : cet événement vient d’être écarté et sera détruit dans la minute. L’agent qui l’a écarté doit d’abord le reprendre.",
        ));
    }
    let until = last_day(visit, today);
    let authority = visit.field("autorite").and_then(Authority::named);
    let (Ok(until), Some(authority), true) = (&until, authority, errors.is_empty()) else {
        if visit.field("fin").is_some() {
            errors.extend(until.err().unwrap_or_default());
        }
        return form(visit, errors);
    };
    let new = NewHold {
        target: if is_event {
            Target::Event(object)
        } else {
            Target::Case(object)
        },
        authority,
        until: *until,
        words: words(visit),
    };
    let session = visit.session()?;
    let by = (session.account.as_str(), &session.register.0);
    visit
        .office()
        .store()
        .transaction(|tx| records::put_on(tx, &new, None, by, today, visit.now))?;
    visit.flash("Le gel est posé. Le délégué à la protection des données en est averti.");
    Answer::see_other("/echeances/gels")
}

/// A hold on what the next decision destroys would hold nothing.
fn is_put_aside(visit: &Visit, event: &str) -> Result<bool, Refused> {
    let Ok(id) = event.parse() else { return Ok(false) };
    let event = Event::find(visit.office().desk.store.sql(), id)?;
    Ok(event.is_some_and(|event| event.state == State::Aside))
}

fn words(visit: &Visit) -> Words {
    let text = |field| visit.field(field).unwrap_or_default().to_owned();
    Words {
        reference: text("reference"),
        motive: text("motif"),
    }
}

fn found(visit: &Visit) -> Result<HoldRecord, Refused> {
    let id = visit.path("id").parse().map_err(|_| Refused::NotFound)?;
    records::hold(visit.office().desk.store.sql(), id)?.ok_or(Refused::NotFound)
}

fn renewal(visit: &Visit) -> Result<Answer, Refused> {
    renewal_form(visit, Vec::new())
}

fn renewal_form(visit: &Visit, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    let record = found(visit)?;
    let words = record.words(&visit.session()?.register.0)?;
    let words = words.unwrap_or(Words {
        reference: String::new(),
        motive: String::new(),
    });
    let inputs = [
        Input::text("reference", "Référence de la demande de renouvellement")
            .required()
            .value(words.reference),
        Input::text("motif", "Motif").required().value(words.motive),
        Input::date("fin", "Nouveau dernier jour").required(),
    ];
    let to = format!("/echeances/gels/{}/renouveler", record.hold.id);
    FormPage::new(visit, "Renouveler un gel", to, "Renouveler le gel")
        .lead(format!(
            "Le gel n° {} prend fin le {}. Un renouvellement est une nouvelle décision : elle a sa référence, son motif \
             et sa fin, au plus tard le {}.",
            record.hold.id,
            dates::long(record.hold.until),
            dates::long(hold_at_most(today(visit)?))
        ))
        .link("/echeances/gels", "Revenir aux gels")
        .answer(visit, inputs, errors)
}

fn renew(visit: &Visit) -> Result<Answer, Refused> {
    let record = found(visit)?;
    let today = today(visit)?;
    let mut errors = missing(
        visit,
        &[
            ("reference", "Référence"),
            ("motif", "Motif"),
            ("fin", "Nouveau dernier jour"),
        ],
    );
    let until = last_day(visit, today);
    let (Ok(until), true) = (&until, errors.is_empty()) else {
        if visit.field("fin").is_some() {
            errors.extend(until.err().unwrap_or_default());
        }
        return renewal_form(visit, errors);
    };
    let new = NewHold {
        target: record.hold.target.clone(),
        authority: record.authority,
        until: *until,
        words: words(visit),
    };
    let session = visit.session()?;
    let by = (session.account.as_str(), &session.register.0);
    let renews = Some(record.hold.id);
    visit
        .office()
        .store()
        .transaction(|tx| records::put_on(tx, &new, renews, by, today, visit.now))?;
    visit.flash("Le gel est renouvelé. Le délégué à la protection des données en est averti.");
    Answer::see_other("/echeances/gels")
}

fn lift(visit: &Visit) -> Result<Answer, Refused> {
    let (id, today) = (found(visit)?.hold.id, today(visit)?);
    let account = visit.session()?.account.clone();
    visit
        .office()
        .store()
        .transaction(|tx| records::lift(tx, id, &account, today, visit.now))?;
    visit.flash("Le gel est levé ; ce qui est échu sera détruit à la prochaine exécution.");
    Answer::see_other("/echeances/gels")
}

fn note(visit: &Visit) -> Result<Answer, Refused> {
    let id = found(visit)?.hold.id;
    let account = visit.session()?.account.clone();
    visit
        .office()
        .store()
        .transaction(|tx| records::take_note(tx, id, &account, visit.now))?;
    visit.flash("Prise de connaissance enregistrée.");
    Answer::see_other("/echeances/gels")
}
