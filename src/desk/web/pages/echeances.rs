//! Deadlines: what is due, what will be, what is held or locked; the clock they are counted by; the bordereau.
//!
//! Promises: every due date is on screen for all who work with it; a clock that is not believed is said aloud, and only
//! a person who may write deadlines confirms it.

use std::collections::BTreeMap;
use std::time::Duration;

use askama::Template;
use jiff::civil::Date;

use crate::desk::infraction::exchange::out;
use crate::desk::retention::clock::{Mark, Trust};
use crate::desk::retention::evidence::{self, Evidence};
use crate::desk::retention::plan::{self, BORDEREAU_DAYS, Class, Planned, Standing};
use crate::desk::retention::run::{Setting, planned};
use crate::desk::retention::{marks, records, tasks};
use crate::desk::rights::{Act, Role, allowed};
use crate::desk::web::{Answer, Refused, Route, Shell, Visit, dates, get, post};
use crate::desk::{accounts, daily, transmission};

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/echeances", Act::SeeDeadlines, list),
    get("/echeances/bordereau", Act::SeeDeadlines, bordereau),
    post("/echeances/executer", Act::RunRetention, run),
    post("/echeances/horloge", Act::WriteDeadlines, confirm_clock),
];

/// Rows on a page.
const PAGE: usize = 100;

/// The day that terms are counted by; today's, while no clock was ever set.
pub fn today(visit: &Visit) -> Result<Date, Refused> {
    let office = visit.office();
    let zone = office.config.time_zone();
    let mark = marks::at(&office.desk.store, visit.now)?;
    Ok(mark
        .today(&zone)
        .unwrap_or_else(|| visit.now.0.to_zoned(zone).date()))
}

/// Names of accounts by their opaque ids.
pub fn names(visit: &Visit) -> Result<BTreeMap<String, String>, Refused> {
    let register = &visit.session()?.register;
    let all = accounts::accounts(visit.office().desk.store.sql(), register)?;
    Ok(all
        .into_iter()
        .map(|account| (account.id, account.person.name))
        .collect())
}

/// A name, or what stands for one that is not known any more.
pub fn name(names: &BTreeMap<String, String>, account: &str) -> String {
    names
        .get(account)
        .cloned()
        .unwrap_or_else(|| format!("compte {account}"))
}

/// The plan as it stands.
pub fn plan_of(visit: &Visit) -> Result<(Mark, Vec<Planned>), Refused> {
    let office = visit.office();
    Ok(planned(
        &office.desk.store,
        &Setting::of(&office.config),
        &Evidence,
        visit.now,
    )?)
}

struct Row {
    due: String,
    class: &'static str,
    id: String,
    link: Option<String>,
    facts: String,
    ground: &'static str,
    state: String,
    colour: &'static str,
}

struct Count {
    class: &'static str,
    running: usize,
    soon: usize,
    held: usize,
    locked: usize,
    due: usize,
}

#[derive(Template)]
#[template(path = "echeances.html")]
struct List {
    shell: Shell,
    clock: Option<String>,
    may_write: bool,
    may_run: bool,
    counts: Vec<Count>,
    locked: usize,
    unnoted: usize,
    overdue: usize,
    /// Packages whose file was destroyed, and exports of which a file was.
    copies: Vec<(Option<String>, String)>,
    states: Vec<(&'static str, &'static str, bool)>,
    classes: Vec<(&'static str, &'static str, bool)>,
    rows: Vec<Row>,
    total: usize,
    page: usize,
    pages: usize,
    asked: String,
}

const STATES: [(&str, &str); 5] = [
    ("proches", "Échéance dans 60 jours ou moins"),
    ("gel", "Sous gel"),
    ("verrou", "Verrouillés"),
    ("echus", "À détruire"),
    ("tous", "Tous"),
];

fn list(visit: &Visit) -> Result<Answer, Refused> {
    let (mark, plan) = plan_of(visit)?;
    let state = visit.query("etat").unwrap_or("proches");
    let class = visit.query("categorie").and_then(Class::named);
    let role = visit.session()?.role;
    let wanted = |planned: &&Planned| {
        class.is_none_or(|class| planned.object.subject.class == class) && is_of(planned, state)
    };
    let all: Vec<&Planned> = plan.iter().filter(wanted).collect();
    let pages = all.len().div_ceil(PAGE).max(1);
    let page = visit
        .query("page")
        .and_then(|page| page.parse().ok())
        .unwrap_or(1)
        .clamp(1, pages);
    let rows = all.iter().skip((page - 1) * PAGE).take(PAGE);
    let rows = rows
        .map(|planned| row(planned, allowed(role, Act::SeeInfraction)))
        .collect();
    let today = today(visit)?;
    let (unnoted, overdue) = {
        let office = visit.office();
        let sql = office.desk.store.sql();
        let holds = records::holds(sql)?;
        let tasks = tasks::all(sql)?;
        (
            holds.iter().filter(|record| record.told.is_none()).count(),
            tasks.iter().filter(|task| task.is_overdue(today)).count(),
        )
    };
    let copies = copies(visit)?;
    Answer::page(&List {
        copies,
        clock: clock(visit, &mark),
        may_write: allowed(role, Act::WriteDeadlines),
        may_run: allowed(role, Act::RunRetention),
        counts: Class::ALL.into_iter().map(|class| count(class, &plan)).collect(),
        locked: plan
            .iter()
            .filter(|planned| planned.standing == Standing::Locked)
            .count(),
        unnoted: if role == Role::Dpd { unnoted } else { 0 },
        overdue,
        states: STATES.map(|(word, words)| (word, words, word == state)).into(),
        classes: Class::ALL
            .map(|found| (found.as_str(), found.french(), Some(found) == class))
            .into(),
        rows,
        total: all.len(),
        page,
        pages,
        asked: format!("etat={state}&categorie={}", class.map_or("", Class::as_str)),
        shell: visit.shell("Échéances"),
    })
}

/// The copies that went out or were kept, of what is destroyed since: where each is told of, and in words.
fn copies(visit: &Visit) -> Result<Vec<(Option<String>, String)>, Refused> {
    let register = &visit.session()?.register.0;
    let (zone, role) = (visit.app.config.time_zone(), visit.session()?.role);
    let link = |act, to: String| allowed(role, act).then_some(to);
    let mut office = visit.office();
    let sql = office.store().sql();
    let packages = transmission::register::copies_left(sql, register)?
        .into_iter()
        .map(|one| {
            let words = format!(
                "Paquet {} du dossier {}, détruit depuis",
                one.number, one.infraction
            );
            (
                link(Act::SeeTransmissions, format!("/transmission/{}", one.number)),
                words,
            )
        });
    let exports = out::exports(sql, register)?
        .into_iter()
        .filter(|export| export.left < export.count);
    let exports = exports.map(|export| {
        let words = format!(
            "Relevé du {} remis à : {} ; dossiers détruits depuis : {} sur {}",
            dates::moment(export.at, &zone),
            export.words.recipient,
            export.count - export.left,
            export.count
        );
        (
            link(Act::ExportInfractions, "/dossiers/releves".to_owned()),
            words,
        )
    });
    Ok(packages.chain(exports).collect())
}

fn is_of(planned: &Planned, state: &str) -> bool {
    match (state, planned.standing) {
        ("tous", _) | ("verrou", Standing::Locked) | ("echus", Standing::Due { .. }) => true,
        ("gel", _) => planned.held.is_some(),
        ("proches", Standing::Running { days, .. }) => days <= BORDEREAU_DAYS,
        ("proches", _) => true,
        _ => false,
    }
}

fn row(planned: &Planned, links: bool) -> Row {
    let subject = &planned.object.subject;
    let (state, colour) = standing(planned);
    Row {
        due: dates::short(planned.due),
        class: subject.class.french(),
        id: subject.id.clone(),
        link: links.then(|| match subject.class {
            Class::Unreviewed => format!("/evenement/{}", subject.id),
            Class::Images | Class::Record => format!("/dossier/{}", subject.id),
        }),
        facts: dates::short(planned.began),
        ground: match planned.ground {
            plan::Ground::Term => "Délai de conservation",
            plan::Ground::Relaxe => "Relaxe définitive",
            plan::Ground::Classement => "Classement sans suite",
        },
        state,
        colour,
    }
}

fn standing(planned: &Planned) -> (String, &'static str) {
    let days = |days: i32| {
        if days == 1 {
            "1 jour".to_owned()
        } else {
            format!("{days} jours")
        }
    };
    match planned.standing {
        Standing::Held { until } => (format!("Échu, gelé jusqu’au {}", dates::short(until)), "bientot"),
        Standing::Locked => ("Verrouillé : accord d’élimination requis".to_owned(), "urgent"),
        Standing::Due { .. } => ("À détruire".to_owned(), "urgent"),
        Standing::Running { days: left, .. } if planned.held.is_some() => {
            (format!("Gelé, échéance dans {}", days(left)), "bientot")
        }
        Standing::Running { days: left, warned } => {
            let colour = match warned {
                Some(7) => "urgent",
                Some(_) => "bientot",
                None => "",
            };
            (format!("Dans {}", days(left)), colour)
        }
    }
}

fn count(class: Class, plan: &[Planned]) -> Count {
    let of = |wanted: &dyn Fn(&Planned) -> bool| {
        let of_class = plan
            .iter()
            .filter(|planned| planned.object.subject.class == class);
        of_class.filter(|planned| wanted(planned)).count()
    };
    Count {
        class: class.french(),
        running: of(&|planned| matches!(planned.standing, Standing::Running { .. })),
        soon: of(&|planned| matches!(planned.standing, Standing::Running { warned: Some(_), .. })),
        held: of(&|planned| planned.held.is_some()),
        locked: of(&|planned| planned.standing == Standing::Locked),
        due: of(&|planned| matches!(planned.standing, Standing::Due { .. })),
    }
}

/// What must be said of the clock.
fn clock(visit: &Visit, mark: &Mark) -> Option<String> {
    let zone = visit.office().config.time_zone();
    let (clock, believed) = (
        dates::spoken(visit.now, &zone),
        dates::spoken(mark.believed, &zone),
    );
    match mark.trust() {
        Trust::InStep => None,
        Trust::Ahead => Some(format!(
            "L’horloge du poste indique le {clock}, plus d’un jour après la dernière heure sûre ({believed}). Rien n’est \
             détruit d’après elle tant que le poste n’a pas fonctionné assez longtemps à cette heure, ou qu’une personne \
             n’a pas confirmé la date."
        )),
        Trust::Behind => Some(format!(
            "L’horloge du poste indique le {clock} : elle a été reculée. Les délais continuent de courir selon le temps \
             écoulé ; ils en sont au {believed}. Remettez l’horloge à l’heure."
        )),
        Trust::Unset => Some(
            "L’horloge du poste n’a jamais été réglée : rien n’est détruit. Mettez l’horloge à l’heure."
                .to_owned(),
        ),
    }
}

fn confirm_clock(visit: &Visit) -> Result<Answer, Refused> {
    if !visit.now.is_set() {
        return Err(Refused::Impossible(
            "Mettez d’abord l’horloge du poste à l’heure.".to_owned(),
        ));
    }
    let account = visit.session()?.account.clone();
    let mark = marks::confirm(visit.office().store(), &account, visit.now)?;
    visit.app.believe(mark.believed);
    visit.flash("La date du jour est confirmée ; les échéances sont comptées d’après elle.");
    Answer::see_other("/echeances")
}

fn run(visit: &Visit) -> Result<Answer, Refused> {
    let done = daily::run(&mut visit.office(), visit.now, Duration::ZERO)?;
    let erased: u64 = done.erased.values().sum();
    visit.flash(match (erased, done.locked) {
        (0, 0) => "Rien n’est à détruire aujourd’hui.".to_owned(),
        (erased, 0) => format!(
            "{erased} objet(s) détruit(s) ; certificats : {}.",
            done.certificates.len()
        ),
        (erased, locked) => {
            format!("{erased} objet(s) détruit(s) ; {locked} verrouillé(s), faute d’accord d’élimination.")
        }
    });
    Answer::see_other("/echeances")
}

struct Line {
    class: &'static str,
    content: &'static str,
    objects: u64,
    dates: (String, String),
    due: (String, String),
    term: String,
    items: u64,
    megabytes: String,
    agreement: String,
}

#[derive(Template)]
#[template(path = "bordereau.html")]
struct Bordereau {
    shell: Shell,
    day: String,
    commune: String,
    service: String,
    address: Vec<String>,
    days: i32,
    lines: Vec<Line>,
}

fn bordereau(visit: &Visit) -> Result<Answer, Refused> {
    let (_, plan) = plan_of(visit)?;
    let today = today(visit)?;
    let shell = visit.shell("Bordereau d’élimination (projet)");
    let office = visit.office();
    let terms = Setting::of(&office.config).terms;
    let agreements = records::agreements(office.desk.store.sql())?;
    let agreed = |class: Class| {
        let in_force = agreements.iter().find(|record| {
            let agreement = &record.agreement;
            let ends = agreement.until.is_some_and(|until| until < today);
            agreement.class == class && agreement.from <= today && !ends
        });
        in_force.map_or_else(|| "aucun à ce jour".to_owned(), records::AgreementRecord::words)
    };
    let lines = plan::bordereau(today, &plan, BORDEREAU_DAYS)
        .into_iter()
        .map(|line| Line {
            class: line.class.french(),
            content: match line.class {
                Class::Unreviewed => "Images masquées d’événements n’ayant donné lieu à aucun dossier",
                Class::Images => "Images masquées annexées aux dossiers d’infraction",
                Class::Record => "Fiches d’infraction : faits, véhicule, lectures de plaque, suites",
            },
            objects: line.objects,
            dates: (dates::short(line.dates.0), dates::short(line.dates.1)),
            due: (dates::short(line.due.0), dates::short(line.due.1)),
            term: terms.of(line.class).french(),
            items: line.items,
            megabytes: format!("{:.1}", line.bytes as f64 / 1e6).replace('.', ","),
            agreement: agreed(line.class),
        });
    Answer::page(&Bordereau {
        day: dates::long(today),
        commune: office.config.commune.clone(),
        service: office.config.service.clone(),
        address: office.config.address.clone(),
        days: BORDEREAU_DAYS,
        lines: lines.collect(),
        shell,
    })
}

/// The objects that a hold or a ruling may stand on.
pub fn is_known(visit: &Visit, class: Class, id: &str) -> Result<bool, Refused> {
    let (_, plan) = evidence::planned(&visit.office(), visit.now)?;
    Ok(plan.iter().any(|planned| {
        let subject = &planned.object.subject;
        let same = match class {
            Class::Unreviewed => subject.class == class,
            Class::Images | Class::Record => subject.class != Class::Unreviewed,
        };
        same && subject.id == id
    }))
}
