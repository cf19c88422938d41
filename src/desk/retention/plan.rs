//! What is due: pure, values in, a list of due acts out.
//!
//! Promises:
//! - an event that nobody reviewed is due the configured number of days after its facts, 31 at most (CSI art.
//!   L.252-5), the images and the record of an infraction each after a term of their own, counted in calendar years
//!   from the day of the facts to the same day (29 February: to 28 February), in the city's own zone;
//! - on a relaxe or a classement that is final they are due at once where the city decided so;
//! - nothing is due to be erased while a hold stands; one that has ended stops nothing any more;
//! - public archives are erased under a recorded agreement (C. patr. art. L.212-2, L.214-3) or not at all: without
//!   one, what is due is [`Standing::Locked`] from that very day on: not shown, not erased;
//! - a day that was missed is made up for by the next one: the plan knows no past, only what is there.
//!
//! Leaves the day that it is to [`super::clock`], carrying out to [`super::run`].

use std::collections::HashMap;

use jiff::civil::Date;
use jiff::{Span, ToSpan as _};
use serde::{Deserialize, Serialize};

/// Days before a due date on which people are warned.
pub const WARNINGS: [i32; 3] = [60, 30, 7];
/// How far ahead the bordereau d'élimination is drafted.
pub const BORDEREAU_DAYS: i32 = 60;
/// A hold lasts so many months at most; it can be renewed.
pub const HOLD_MONTHS: i32 = 6;
/// The most days that the law gives a recording that led to nothing (CSI art. L.252-5: a month).
pub const UNREVIEWED_AT_MOST: u16 = 31;

/// A class of data with a term of its own: a category of the elimination agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// An event that nobody has decided on.
    Unreviewed,
    /// The images of an infraction file.
    Images,
    /// The record of an infraction file.
    Record,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Unreviewed, Self::Images, Self::Record];

    /// The stable name, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreviewed => "unreviewed",
            Self::Images => "images",
            Self::Record => "record",
        }
    }

    /// The class of this stable name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }

    /// As it stands on screen, on bordereaux and on certificates.
    pub const fn french(self) -> &'static str {
        match self {
            Self::Unreviewed => "Événements non examinés",
            Self::Images => "Images des dossiers d'infraction",
            Self::Record => "Dossiers d'infraction (fiches)",
        }
    }

    /// The warnings that make sense for it.
    fn warnings(self) -> &'static [i32] {
        match self {
            Self::Unreviewed => &WARNINGS[2..],
            Self::Images | Self::Record => &WARNINGS,
        }
    }
}

/// One thing that is erased as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// Which term it has.
    pub class: Class,
    /// The event's or the infraction file's opaque id.
    pub id: String,
}

/// What a hold stands on: an event, or an infraction file with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "on", content = "id")]
pub enum Target {
    /// An event that nobody has decided on.
    Event(String),
    /// An infraction file: images and record.
    Case(String),
}

impl Target {
    /// What a hold that keeps this stands on.
    fn of(subject: &Subject) -> Self {
        match subject.class {
            Class::Unreviewed => Self::Event(subject.id.clone()),
            Class::Images | Class::Record => Self::Case(subject.id.clone()),
        }
    }
}

/// A thing that is there, with its dates in the city's zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub subject: Subject,
    /// The day of the facts, as far as it is known.
    pub facts: Option<Date>,
    /// The day on which the desk first had it: the facts cannot be later.
    pub known: Date,
    /// The camera, where it has one.
    pub camera: Option<String>,
    /// Sealed files that belong to it.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether a text of law has it erased in time whatever the archives say: recordings of a vidéoprotection that
    /// led to nothing (CSI art. L.252-5).
    pub by_law: bool,
}

/// What a final decision of justice changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Upon {
    /// Erased at once.
    AtOnce,
    /// Kept until its term.
    AtTerm,
}

/// A term by the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// Years.
    #[serde(default)]
    pub years: u8,
    /// Months.
    #[serde(default)]
    pub months: u8,
    /// Days.
    #[serde(default)]
    pub days: u16,
}

impl Term {
    /// So many years.
    pub const fn years(years: u8) -> Self {
        Self {
            years,
            months: 0,
            days: 0,
        }
    }

    /// So many days.
    pub const fn days(days: u16) -> Self {
        Self {
            years: 0,
            months: 0,
            days,
        }
    }

    /// The day on which a term is over that began on `from`.
    pub fn after(self, from: Date) -> Date {
        let span = Span::new()
            .years(i64::from(self.years))
            .months(i64::from(self.months))
            .days(i64::from(self.days));
        from.saturating_add(span)
    }

    /// In words, as on a bordereau.
    pub fn french(self) -> String {
        let count = |n: u16, one: &str, many: &str| match n {
            0 => None,
            1 => Some(format!("1 {one}")),
            n => Some(format!("{n} {many}")),
        };
        let parts = [
            count(self.years.into(), "an", "ans"),
            count(self.months.into(), "mois", "mois"),
            count(self.days, "jour", "jours"),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// What the city decided on terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Of an event that nobody reviewed.
    pub unreviewed: Term,
    /// Of the images of an infraction file.
    pub images: Term,
    /// Of its record.
    pub record: Term,
    /// What follows a final relaxe.
    pub on_relaxe: Upon,
    /// What follows a final classement.
    pub on_classement: Upon,
}

impl Terms {
    /// The promise as it stands: thirty days, two years, and nothing at once.
    pub fn promised() -> Self {
        Self {
            unreviewed: Term::days(30),
            images: Term::years(2),
            record: Term::years(2),
            on_relaxe: Upon::AtTerm,
            on_classement: Upon::AtTerm,
        }
    }

    /// The term of a class.
    pub const fn of(&self, class: Class) -> Term {
        match class {
            Class::Unreviewed => self.unreviewed,
            Class::Images => self.images,
            Class::Record => self.record,
        }
    }
}

/// A hold: an authority's, or for the exercise of a right; always with an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its number.
    pub id: i64,
    /// What it stands on.
    pub target: Target,
    /// Its first day.
    pub from: Date,
    /// Its last day.
    pub until: Date,
    /// The day on which it was lifted, if before its end.
    pub lifted: Option<Date>,
}

impl Hold {
    /// The first day on which it does not stand any more.
    pub fn free(&self) -> Date {
        let over = self.until.saturating_add(1.day());
        self.lifted.map_or(over, |lifted| lifted.min(over))
    }

    /// Whether it stands on `day`.
    pub fn stands(&self, day: Date) -> bool {
        self.from <= day && day < self.free()
    }
}

/// The latest end that a hold of `from`, or one renewed that day, may have.
pub fn hold_at_most(from: Date) -> Date {
    from.saturating_add(HOLD_MONTHS.months())
}

/// How a court or a prosecutor ended the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Acquittal.
    Relaxe,
    /// The prosecutor does not proceed.
    Classement,
    /// Sentence.
    Condamnation,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Relaxe, Self::Classement, Self::Condamnation];

    /// The stable name, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Relaxe => "relaxe",
            Self::Classement => "classement",
            Self::Condamnation => "condamnation",
        }
    }

    /// The outcome of this stable name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }

    /// As it stands on screen.
    pub const fn french(self) -> &'static str {
        match self {
            Self::Relaxe => "Relaxe",
            Self::Classement => "Classement sans suite",
            Self::Condamnation => "Condamnation",
        }
    }
}

/// A decision on an infraction file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// The file's opaque id.
    pub case: String,
    /// What it says.
    pub outcome: Outcome,
    /// The day from which nobody can appeal against it.
    pub final_on: Date,
}

/// An agreement of the archives to erase a class of data, or a visa.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Its number.
    pub id: i64,
    /// Which class.
    pub class: Class,
    /// Its reference, as it stands on certificates.
    pub reference: String,
    /// Its first day.
    pub from: Date,
    /// Its last day, if it has one.
    pub until: Option<Date>,
}

impl Agreement {
    fn holds(&self, class: Class, day: Date) -> bool {
        self.class == class && self.from <= day && self.until.is_none_or(|until| day <= until)
    }
}

/// Why something is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ground {
    /// Its term is over.
    Term,
    /// A final relaxe, and the city decided so.
    Relaxe,
    /// A final classement, and the city decided so.
    Classement,
}

impl Ground {
    /// The stable name, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Term => "term",
            Self::Relaxe => "relaxe",
            Self::Classement => "classement",
        }
    }
}

/// How an object stands today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its day is so far away.
    Running {
        /// Days until it is due.
        days: i32,
        /// The warning that was reached last.
        warned: Option<i32>,
    },
    /// It is due, and a hold stands.
    Held {
        /// The last day of the hold, or of those that follow one another.
        until: Date,
    },
    /// It is due, and no agreement allows to erase it: not shown, not erased.
    Locked,
    /// It is due: to be erased now.
    Due {
        /// The day on which it could have been erased first: its due date, or the end of its holds.
        since: Date,
        /// The agreement under which it goes; none where the law itself has it erased.
        agreement: Option<i64>,
    },
}

/// An object in the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// What.
    pub object: Object,
    /// The day from which its term counts.
    pub began: Date,
    /// Its due date, holds and agreements aside.
    pub due: Date,
    /// Why on that day.
    pub ground: Ground,
    /// The hold that stands on it today, due or not.
    pub held: Option<i64>,
    /// The first day from its due date on, or from today on, on which no hold stands.
    pub free: Date,
    /// How it stands.
    pub standing: Standing,
}

/// What is known beside the objects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Holds, ended ones too.
    pub holds: Vec<Hold>,
    /// Rulings.
    pub rulings: Vec<Ruling>,
    /// Elimination agreements.
    pub agreements: Vec<Agreement>,
}

/// The plan of the day, by due date, then by class and id.
pub fn plan(today: Date, objects: Vec<Object>, facts: &Facts, terms: &Terms) -> Vec<Planned> {
    let known = known(facts);
    let nothing = Known::default();
    let mut planned: Vec<_> = objects
        .into_iter()
        .map(|object| {
            let known = known.get(&Target::of(&object.subject)).unwrap_or(&nothing);
            judge(today, object, known, &facts.agreements, terms)
        })
        .collect();
    planned.sort_by(|a, b| (a.due, &a.object.subject).cmp(&(b.due, &b.object.subject)));
    planned
}

/// What is known of an event, or of a file.
#[derive(Default)]
struct Known<'f> {
    holds: Vec<&'f Hold>,
    rulings: Vec<&'f Ruling>,
}

/// A desk gathers as many rulings as files, and each file is judged by its own.
fn known(facts: &Facts) -> HashMap<Target, Known<'_>> {
    let mut known: HashMap<_, Known<'_>> = HashMap::new();
    for hold in &facts.holds {
        known.entry(hold.target.clone()).or_default().holds.push(hold);
    }
    for ruling in &facts.rulings {
        let of_file = known.entry(Target::Case(ruling.case.clone())).or_default();
        of_file.rulings.push(ruling);
    }
    known
}

fn judge(today: Date, object: Object, known: &Known<'_>, agreements: &[Agreement], terms: &Terms) -> Planned {
    let began = began(&object);
    let term = terms.of(object.subject.class).after(began);
    let (due, ground) = match ruled(&known.rulings, terms) {
        // Two of them cannot be later than one.
        Some((day, ground)) if day < term => (day, ground),
        _ => (term, Ground::Term),
    };
    let held = known.holds.iter().find(|hold| hold.stands(today));
    Planned {
        held: held.map(|hold| hold.id),
        free: free_from(due.max(today), &known.holds),
        standing: standing(today, &object, due, &known.holds, agreements),
        object,
        began,
        due,
        ground,
    }
}

/// The first day of the term. Facts later than the day on which the desk had them, or from before any camera had
/// its clock set, are a wrong clock's: neither may such a thing stay for ever nor go at once.
fn began(object: &Object) -> Date {
    let plausible = crate::frame::FIRST_PLAUSIBLE.date()..=object.known;
    let facts = object.facts.filter(|facts| plausible.contains(facts));
    facts.unwrap_or(object.known)
}

fn ruled(rulings: &[&Ruling], terms: &Terms) -> Option<(Date, Ground)> {
    let at_once = rulings.iter().filter_map(|ruling| {
        let (upon, ground) = match ruling.outcome {
            Outcome::Relaxe => (terms.on_relaxe, Ground::Relaxe),
            Outcome::Classement => (terms.on_classement, Ground::Classement),
            Outcome::Condamnation => return None,
        };
        (upon == Upon::AtOnce).then_some((ruling.final_on, ground))
    });
    at_once.min_by_key(|(day, _)| *day)
}

fn standing(today: Date, object: &Object, due: Date, holds: &[&Hold], agreements: &[Agreement]) -> Standing {
    let class = object.subject.class;
    if today < due {
        let days = days_between(today, due);
        let warnings = class.warnings().iter().copied();
        return Standing::Running {
            days,
            warned: warnings.filter(|warning| days <= *warning).min(),
        };
    }
    let free = free_from(today, holds);
    if free > today {
        return Standing::Held {
            until: free.saturating_sub(1.day()),
        };
    }
    let agreement = agreements.iter().find(|agreement| agreement.holds(class, today));
    if agreement.is_none() && !object.by_law {
        return Standing::Locked;
    }
    Standing::Due {
        since: free_from(due, holds).min(today),
        agreement: agreement.map(|agreement| agreement.id),
    }
}

/// The first day from `day` on on which none of these stands.
fn free_from(mut day: Date, holds: &[&Hold]) -> Date {
    // Each turn ends later than the one before, and each hold stands once.
    while let Some(hold) = holds.iter().find(|hold| hold.stands(day)) {
        day = hold.free();
    }
    day
}

/// Days from one day to another.
pub fn days_between(from: Date, to: Date) -> i32 {
    from.until((jiff::Unit::Day, to))
        .map_or(i32::MAX, |span| span.get_days())
}

/// A line of the bordereau d'élimination: what of one class will be due by a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BordereauLine {
    /// Which class.
    pub class: Class,
    /// How many objects.
    pub objects: u64,
    /// The oldest and the youngest day of facts.
    pub dates: (Date, Date),
    /// The first and the last due date.
    pub due: (Date, Date),
    /// Sealed files.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What will be due within `days`, or is locked, class by class: the draft of the bordereau. What a hold keeps is
/// not asked for.
pub fn bordereau(today: Date, plan: &[Planned], days: i32) -> Vec<BordereauLine> {
    let asked = |planned: &&Planned| days_between(today, planned.free) <= days;
    let line = |class| {
        let of_class = plan
            .iter()
            .filter(|planned| planned.object.subject.class == class);
        of_class
            .filter(asked)
            .fold(None, |line: Option<BordereauLine>, planned| {
                let line = line.unwrap_or(BordereauLine {
                    class,
                    objects: 0,
                    dates: (planned.began, planned.began),
                    due: (planned.due, planned.due),
                    items: 0,
                    bytes: 0,
                });
                Some(BordereauLine {
                    class,
                    objects: line.objects + 1,
                    dates: (line.dates.0.min(planned.began), line.dates.1.max(planned.began)),
                    due: (line.due.0.min(planned.due), line.due.1.max(planned.due)),
                    items: line.items + planned.object.items,
                    bytes: line.bytes + planned.object.bytes,
                })
            })
    };
    Class::ALL.into_iter().filter_map(line).collect()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
