//! The infraction file's pages: look at it, answer its questions, check the answers, close it.
//!
//! Promises: nobody sees a file without having said why, once in a session; a form that was shown in an older version
//! saves nothing; the first reading of the plate is shown to nobody else before the second was made; a closed file
//! changes only with a reason.

pub mod opening;
mod question;
mod sections;
mod summary;

use askama::Template;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::Connection;

pub use question::{Group, Question};
use sections::Asked;

use crate::desk::infraction::check::{self, Fault, FieldError};
use crate::desk::infraction::form::{self, Fields, Hand};
use crate::desk::infraction::register::{self, By, Error, File, State};
use crate::desk::infraction::search::{self, Motive};
use crate::desk::infraction::{CaseNumber, Record, Section, blockers, missing, remarks, validate};
use crate::desk::law::Law;
use crate::desk::law::natinf::Natinf;
use crate::desk::retention::plan::Class;
use crate::desk::retention::records::is_locked;
use crate::desk::rights::Act;
use crate::desk::session::Session;
use crate::desk::web::dates;
use crate::desk::web::{Answer, FieldError as PageError, Refused, Route, Shell, Visit, get, post};

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/dossier/{number}", Act::SeeInfraction, overview),
    post("/dossier/{number}/motif", Act::SeeInfraction, give_motive),
    get(
        "/dossier/{number}/verification",
        Act::SeeInfraction,
        summary::page,
    ),
    get(
        "/dossier/{number}/historique",
        Act::SeeInfraction,
        summary::history,
    ),
    post("/dossier/{number}/clore", Act::WriteInfraction, close),
    get("/dossier/{number}/{section}", Act::WriteInfraction, show_section),
    post("/dossier/{number}/{section}", Act::WriteInfraction, save_section),
];

/// Who acts in this visit.
pub(super) fn by(visit: &Visit) -> Result<By<'_>, Refused> {
    Ok(By {
        account: &visit.session()?.account,
        keys: visit.evidence()?,
        now: visit.now,
    })
}

/// The city's clocks, and the day they show.
pub(super) fn calendar(visit: &Visit) -> (TimeZone, Date) {
    let zone = visit.office().config.time_zone();
    let today = zone.to_datetime(visit.now.0).date();
    (zone, today)
}

fn number(visit: &Visit) -> Result<CaseNumber, Refused> {
    visit.path("number").parse().map_err(|_| Refused::NotFound)
}

/// The motive that was given for a file in this session; none where none was. A file that is due and waits for its
/// erasure is shown to nobody.
pub(super) fn motive_given(
    sql: &Connection,
    session: &Session,
    number: &CaseNumber,
) -> Result<Option<Motive>, Refused> {
    if is_locked(sql, Class::Record, &number.to_string())? {
        return Err(Refused::Impossible(format!(
            "Le dossier {number} a atteint son échéance de destruction et attend l'accord des archives : personne ne \
             peut plus le consulter. Voyez la page Échéances."
        )));
    }
    Ok(search::looks(sql, &session.account, number, session.began)?)
}

/// The file of this visit, if whoever asks said why in this session.
fn opened(visit: &Visit) -> Result<Option<File>, Refused> {
    let (number, by) = (number(visit)?, by(visit)?);
    let mut office = visit.office();
    let store = office.store();
    let motive = motive_given(store.sql(), visit.session()?, &number)?;
    let mut file = register::read(store.sql(), by.keys, &number)?;
    if motive.is_none() {
        return Ok(None);
    }
    drop(office);
    // A draft states its agent with the titles of today's sheet; a closed file as they were.
    if file.state == State::Draft
        && file.record.officer.account == by.account
        && let Some(officer) = opening::officer(visit)?
    {
        file.record.officer = officer;
    }
    Ok(Some(file))
}

/// The same; without a motive, to where it is given.
fn shown(visit: &Visit, page: impl Fn(File) -> Result<Answer, Refused>) -> Result<Answer, Refused> {
    match opened(visit)? {
        Some(file) => page(file),
        None => Answer::see_other(format!("/dossier/{}", number(visit)?)),
    }
}

#[derive(Template)]
#[template(path = "dossier_motif.html")]
struct MotivePage {
    shell: Shell,
    number: String,
    motive: Question,
    errors: Vec<PageError>,
}

/// The question why somebody looks.
pub(super) fn motive_question() -> Question {
    let motives = Motive::ALL
        .iter()
        .map(|one| (one.as_str().to_owned(), one.french().to_owned()));
    Question::radio("motif", "Motif", motives).required()
}

/// The motive that was given, or what to do.
pub(super) fn motive(visit: &Visit) -> Result<Motive, PageError> {
    visit
        .field("motif")
        .and_then(Motive::of)
        .ok_or_else(|| PageError {
            field: "motif".to_owned(),
            message: "Choisissez un motif.".to_owned(),
        })
}

fn ask_motive(visit: &Visit, errors: Vec<PageError>) -> Result<Answer, Refused> {
    let number = number(visit)?.to_string();
    let faults: Vec<(String, String)> = errors
        .iter()
        .map(|e| (e.field.clone(), e.message.clone()))
        .collect();
    let group = Group::plain(vec![motive_question()]).with(&Fields::new(), &faults);
    let motive = group.questions.into_iter().next().ok_or(Refused::NotFound)?;
    Answer::page(&MotivePage {
        shell: visit.shell(format!("Ouvrir le dossier {number}")),
        number,
        motive,
        errors,
    })
}

fn give_motive(visit: &Visit) -> Result<Answer, Refused> {
    let (number, by) = (number(visit)?, by(visit)?);
    let motive = match motive(visit) {
        Ok(motive) => motive,
        Err(error) => return ask_motive(visit, vec![error]),
    };
    let mut office = visit.office();
    office
        .store()
        .transaction(|tx| search::look(tx, by, &number, motive))?;
    Answer::see_other(format!("/dossier/{number}"))
}

/// A line of the overview: one part of the record.
struct Task {
    slug: &'static str,
    words: &'static str,
    key: char,
    wrong: usize,
    missing: usize,
    optional: bool,
}

#[derive(Template)]
#[template(path = "dossier.html")]
struct Overview {
    shell: Shell,
    number: String,
    state: &'static str,
    draft: bool,
    remarks: Vec<String>,
    facts: Vec<(&'static str, String)>,
    tasks: Vec<Task>,
    event: Option<String>,
}

fn overview(visit: &Visit) -> Result<Answer, Refused> {
    let Some(file) = opened(visit)? else {
        return ask_motive(visit, Vec::new());
    };
    let (zone, today) = calendar(visit);
    let law = Law::embedded();
    let years = visit.office().config.terms.infraction_years;
    let number = file.number.to_string();
    let remarks = remarks(&file.record, law, today);
    Answer::page(&Overview {
        shell: visit.shell(format!("Dossier {number}")),
        state: file.state.french(),
        draft: file.state == State::Draft,
        remarks: remarks.iter().map(ToString::to_string).collect(),
        facts: summary::head(&file, &zone, years),
        tasks: tasks(&file, law, today),
        event: file.record.origin.source().map(|source| source.event.to_string()),
        number,
    })
}

/// The letter that leads to a part: figures take Shift on French keyboards.
const fn key(section: Section) -> char {
    match section {
        Section::Facts => 'f',
        Section::Offence => 'i',
        Section::Waste => 'd',
        Section::Vehicle => 'p',
        Section::SecondReading => 's',
        Section::Identification => 't',
        Section::Costs => 'c',
        Section::Outcomes => 'u',
        Section::Comments => 'm',
    }
}

fn tasks(file: &File, law: &Law, today: Date) -> Vec<Task> {
    let (missing, wrong) = (missing(&file.record, law), validate(&file.record, law, today));
    let of = |errors: &[FieldError], section| errors.iter().filter(|error| error.section == section).count();
    let sections = Section::ALL.into_iter();
    let optional = [
        Section::Identification,
        Section::Costs,
        Section::Outcomes,
        Section::Comments,
    ];
    sections
        .map(|section| Task {
            slug: section.slug(),
            words: section.french(),
            key: key(section),
            wrong: of(&wrong, section),
            missing: of(&missing, section),
            optional: optional.contains(&section),
        })
        .collect()
}

#[derive(Template)]
#[template(path = "dossier_section.html")]
struct SectionPage {
    shell: Shell,
    number: String,
    slug: &'static str,
    version: i64,
    groups: Vec<Group>,
    errors: Vec<PageError>,
}

fn section(visit: &Visit) -> Result<Section, Refused> {
    Section::of(visit.path("section")).ok_or(Refused::NotFound)
}

/// Whether the first reading may be shown to whoever asks: it is theirs, or there is none, or both were made.
fn shows_first_reading(visit: &Visit, file: &File) -> Result<bool, Refused> {
    let vehicle = &file.record.vehicle;
    let own = match &vehicle.first {
        Some(first) => first.by == visit.session()?.account,
        None => true,
    };
    Ok(own || vehicle.second.is_some())
}

fn show_section(visit: &Visit) -> Result<Answer, Refused> {
    shown(visit, |file| {
        let section = section(visit)?;
        let (zone, _) = calendar(visit);
        let mut fields = form::fill(&file.record, section, &zone);
        if section == Section::Identification {
            let keys = visit.evidence()?;
            let holder = register::holder(visit.office().store().sql(), keys, &file.number)?;
            fields.extend(form::fill_holder(&holder.unwrap_or_default()));
        }
        if section == Section::SecondReading && !is_own_second(visit, &file)? {
            fields.clear();
        }
        ask(visit, &file, section, fields, &[])
    })
}

/// A second reading is shown to its reader alone as long as the two differ: whoever reads again reads anew.
fn is_own_second(visit: &Visit, file: &File) -> Result<bool, Refused> {
    let account = &visit.session()?.account;
    Ok(file
        .record
        .vehicle
        .second
        .as_ref()
        .is_some_and(|second| second.by == *account))
}

fn ask(
    visit: &Visit,
    file: &File,
    section: Section,
    fields: Fields,
    errors: &[FieldError],
) -> Result<Answer, Refused> {
    let (zone, _) = calendar(visit);
    let natinf = Natinf::read(&visit.office().folder).map_err(|error| Refused::Failed(error.to_string()))?;
    let asked = Asked {
        record: &file.record,
        law: Law::embedded(),
        natinf: &natinf,
        zone: &zone,
        first_reading: shows_first_reading(visit, file)?,
        correction: takes_a_reason(file, section),
    };
    let faults: Vec<(String, String)> = errors.iter().map(|e| (e.field.clone(), e.to_string())).collect();
    let groups = asked.groups(section, &fields).into_iter();
    Answer::page(&SectionPage {
        shell: visit.shell(section.french()),
        number: file.number.to_string(),
        slug: section.slug(),
        version: file.version,
        groups: groups.map(|group| group.with(&fields, &faults)).collect(),
        errors: on_page(errors),
    })
}

fn on_page(errors: &[FieldError]) -> Vec<PageError> {
    let told = errors.iter().map(|error| PageError {
        field: error.field.clone(),
        message: error.to_string(),
    });
    told.collect()
}

/// Whether a change of this section keeps the former words, with a reason.
fn takes_a_reason(file: &File, section: Section) -> bool {
    let vehicle = &file.record.vehicle;
    file.state != State::Draft
        || (section == Section::Vehicle && vehicle.first.is_some())
        || (section == Section::SecondReading && vehicle.second.is_some())
}

fn save_section(visit: &Visit) -> Result<Answer, Refused> {
    shown(visit, |file| {
        let section = section(visit)?;
        if visit.version()? != file.version {
            return Err(Refused::Conflict);
        }
        let (zone, today) = calendar(visit);
        let mut fields: Fields = visit.form().to_vec();
        if section == Section::Vehicle && !shows_first_reading(visit, &file)? {
            // What is not shown is not sent, and stays.
            let kept = form::fill(&file.record, section, &zone).into_iter();
            let kept = kept.filter(|(name, _)| matches!(name.as_str(), "plaque" | "lisibilite" | "pays"));
            fields.retain(|(name, _)| !matches!(name.as_str(), "plaque" | "lisibilite" | "pays"));
            fields.extend(kept);
        }
        let mut record = file.record.clone();
        let hand = Hand {
            account: &visit.session()?.account,
            now: visit.now,
            zone: &zone,
        };
        let mut errors = form::apply(&mut record, section, &fields, hand);
        if errors.is_empty() {
            let wrong = validate(&record, Law::embedded(), today).into_iter();
            // That two readings differ is what the second one is for: it is kept, and stands against closing.
            errors.extend(wrong.filter(|e| e.section == section && e.fault != Fault::Differ));
        }
        if !errors.is_empty() {
            return ask(visit, &file, section, fields, &errors);
        }
        match keep(visit, &file, section, &record, &fields) {
            Err(Error::NoReason) => {
                let fault = Fault::Missing("Le motif de la rectification");
                let field = "motif_correction".to_owned();
                ask(
                    visit,
                    &file,
                    section,
                    fields,
                    &[FieldError {
                        section,
                        field,
                        fault,
                    }],
                )
            }
            kept => {
                kept?;
                visit.flash(told(section, &record));
                Answer::see_other(next(visit, &file, section))
            }
        }
    })
}

fn keep(visit: &Visit, file: &File, section: Section, record: &Record, fields: &Fields) -> Result<(), Error> {
    let by = by(visit).map_err(|_| Error::NoSuchFile(file.number.clone()))?;
    visit.office().store().transaction(|tx| {
        register::save(
            tx,
            by,
            &file.number,
            file.version,
            record,
            visit.field("motif_correction"),
        )?;
        if section == Section::Identification {
            register::set_holder(tx, by, &file.number, &form::holder(fields))?;
        }
        Ok(())
    })
}

fn told(section: Section, record: &Record) -> String {
    let vehicle = &record.vehicle;
    match (section, &vehicle.first, &vehicle.second) {
        (Section::SecondReading, Some(first), Some(second)) if !first.agrees(second) => {
            "Seconde lecture enregistrée. Les deux lectures diffèrent : relisez l'image.".to_owned()
        }
        (Section::SecondReading, Some(_), Some(_)) => {
            "Seconde lecture enregistrée. Les deux lectures concordent.".to_owned()
        }
        _ => format!("{} : enregistré.", section.french()),
    }
}

fn next(visit: &Visit, file: &File, section: Section) -> String {
    let after = Section::ALL.into_iter().skip_while(|one| *one != section).nth(1);
    match (visit.field("suite"), after) {
        (Some("suivant"), Some(after)) => format!("/dossier/{}/{}", file.number, after.slug()),
        (Some("suivant"), None) => format!("/dossier/{}/verification", file.number),
        _ => format!("/dossier/{}", file.number),
    }
}

fn close(visit: &Visit) -> Result<Answer, Refused> {
    shown(visit, |file| {
        let (_, today) = calendar(visit);
        let by = by(visit)?;
        let version = visit.version()?;
        let closed = visit.office().store().transaction(|tx| {
            let version = match file.state {
                State::Draft => register::save(tx, by, &file.number, version, &file.record, None)?,
                _ => version,
            };
            register::close(tx, by, &file.number, version, Law::embedded(), today)
        });
        match closed {
            Err(Error::Incomplete(..)) => Answer::see_other(format!("/dossier/{}/verification", file.number)),
            closed => {
                closed?;
                visit.flash(format!("Dossier {} clos.", file.number));
                Answer::see_other(format!("/dossier/{}", file.number))
            }
        }
    })
}

/// What stands against closing, as links to where it is put right.
fn obstacles(file: &File, law: &Law, today: Date) -> Vec<(&'static str, String, String)> {
    let all = blockers(&file.record, law, today).into_iter();
    all.map(|error| (error.section.slug(), error.field.clone(), error.to_string()))
        .collect()
}

/// A moment in short French.
fn at(time: crate::frame::BoxTime, zone: &TimeZone) -> String {
    dates::moment(time, zone)
}

/// The last outcome in words, for lists.
fn outcome(file: &File) -> Option<String> {
    check::last_outcome(&file.record)
        .map(|last| format!("{} ({})", last.kind.french(), dates::short(last.on)))
}
