//! The law, as dated tables: which text, which class and amounts, who may note it, to whom it goes, until when.
//!
//! Promises: no text, amount or addressee stands in code; the day of the facts picks the row; a day for which no row
//! holds has none, and no neighbouring one is taken instead. What the city's lawyer or the prosecutor's office has
//! still to confirm says so wherever it is shown ([`Row::is_to_confirm`]). The program never pronounces a fine: it
//! shows what a text provides for. Pure: days come in as values.
//!
//! The tables are `*.toml` beside this file and go with the program ([`Law::embedded`]); NATINF codes are the city's
//! own list ([`natinf`]), for the transmission slip alone. Leaves to [`super::infraction`] what a file says.

pub mod natinf;
mod table;
pub mod words;

use std::fmt;
use std::sync::LazyLock;

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use table::Fault;

use crate::frame::Digest;

const OFFENCES: &str = include_str!("offences.toml");
const ROUTES: &str = include_str!("routes.toml");
const COMPETENCE: &str = include_str!("competence.toml");
const TERMS: &str = include_str!("terms.toml");

/// A name by which a table's entry is stored.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The name itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// An offence of the tables: `cp-r635-8`.
    OffenceId
}
name! {
    /// A route of the tables: `procureur-opj`.
    RouteId
}
name! {
    /// What an agent is in law: `agent-collectivite`.
    QualityId
}

/// What kind of offence: it bounds the prescription and who judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Contravention.
    Contravention,
    /// Délit.
    Delit,
}

impl Kind {
    /// As it stands on screen.
    pub const fn french(self) -> &'static str {
        match self {
            Self::Contravention => "contravention",
            Self::Delit => "délit",
        }
    }
}

/// How an agent puts it before the prosecutor; one is never labelled as the other (CPP art. 429, D. 14-1, 537).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Procès-verbal.
    ProcesVerbal,
    /// Rapport.
    Rapport,
}

impl Act {
    /// Both.
    pub const ALL: [Self; 2] = [Self::ProcesVerbal, Self::Rapport];

    /// The stable name, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProcesVerbal => "proces-verbal",
            Self::Rapport => "rapport",
        }
    }

    /// As it stands on screen and on the document.
    pub const fn french(self) -> &'static str {
        match self {
            Self::ProcesVerbal => "Procès-verbal",
            Self::Rapport => "Rapport",
        }
    }
}

/// All tables.
#[derive(Debug, Clone)]
pub struct Law {
    /// The offences.
    pub offences: Vec<Offence>,
    /// To whom a file may go.
    pub routes: Vec<Route>,
    /// Who may note what.
    pub qualities: Vec<Quality>,
    prescriptions: Vec<Prescription>,
    holders: Vec<Holder>,
    digest: Digest,
}

/// A text that makes an act an offence.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offence {
    /// Its name in records.
    pub id: OffenceId,
    /// The article.
    pub text: String,
    /// What it forbids, in a line.
    pub label: String,
    /// Contravention or délit.
    pub kind: Kind,
    /// The article that took its place.
    pub successor: Option<OffenceId>,
    /// The article of the Code pénal that it mirrors.
    pub mirror: Option<OffenceId>,
    #[serde(rename = "row")]
    rows: Vec<Row>,
}

impl Offence {
    /// What held on that day; nothing where the text was not in force.
    pub fn on(&self, day: Date) -> Option<&Row> {
        self.rows.iter().find(|row| row.covers(day))
    }

    /// All rows, oldest first.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

/// What a text provided for, from one day to another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// First day; before the table begins if it is not said.
    #[serde(default, deserialize_with = "table::day")]
    pub from: Option<Date>,
    /// First day after it; it still holds if it is not said.
    #[serde(default, deserialize_with = "table::day")]
    pub until: Option<Date>,
    /// Class of a contravention, 1 to 5.
    pub class: Option<u8>,
    /// The highest fine in euros, where it is established.
    pub maximum: Option<u32>,
    /// The same for whoever does it again.
    pub repeated: Option<u32>,
    /// Years of prison at most.
    pub prison_years: Option<u8>,
    /// What else a court may order.
    pub also: Option<String>,
    /// The fixed amounts, where it has such.
    pub fixed: Option<Fixed>,
    /// What is still to be confirmed, by name.
    #[serde(default)]
    to_confirm: Vec<Confirm>,
    mark: String,
    /// The text that made it so.
    pub source: Option<String>,
}

impl Row {
    fn covers(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day < until)
    }

    /// Whether this is still to be confirmed before anyone relies on it.
    pub fn is_to_confirm(&self, what: Confirm) -> bool {
        self.to_confirm.contains(&what)
    }

    /// Whether anything of it is.
    pub fn has_to_confirm(&self) -> bool {
        !self.to_confirm.is_empty()
    }
}

/// What of an entry may be still to be confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirm {
    /// The first day.
    From,
    /// The first day after it.
    Until,
    /// The class.
    Class,
    /// The highest fine.
    Maximum,
    /// Years of prison.
    PrisonYears,
    /// The fixed amount if paid early.
    Reduced,
    /// The fixed amount.
    Amount,
    /// The fixed amount if paid late.
    Raised,
    /// The article it rests on.
    Basis,
    /// A term in days.
    Days,
}

/// Fixed amounts (amende forfaitaire), in euros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixed {
    /// Paid early (minorée).
    pub reduced: Option<u32>,
    /// The amount itself.
    pub amount: u32,
    /// Paid late (majorée).
    pub raised: u32,
}

/// To whom a file goes: the `voie`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Its name in records.
    pub id: RouteId,
    /// On screen.
    pub label: String,
    /// How the addressee is written to.
    pub addressee: String,
    /// The article it rests on.
    pub basis: String,
    /// Who gets the same at the same time.
    pub copy: Option<String>,
    /// Days within which it must go, from the closing of the procès-verbal.
    pub days: Option<u8>,
    /// Days that the person has to answer.
    pub observations_days: Option<u8>,
    /// The highest fine of this route, in euros.
    pub maximum: Option<u32>,
    /// Whether it is proposed first.
    #[serde(default)]
    pub default: bool,
    #[serde(default)]
    to_confirm: Vec<Confirm>,
    mark: String,
    fits: Vec<Fits>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fits {
    kind: Kind,
    #[serde(default)]
    classes: Vec<u8>,
    fixed: WithFixed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WithFixed {
    With,
    Without,
    Either,
}

impl Route {
    /// Whether it is the ordinary one for an offence of this kind under this row.
    pub fn fits(&self, kind: Kind, row: &Row) -> bool {
        let fixed = |asked| match asked {
            WithFixed::With => row.fixed.is_some(),
            WithFixed::Without => row.fixed.is_none(),
            WithFixed::Either => true,
        };
        let class = |fits: &Fits| match (kind, row.class) {
            (Kind::Contravention, Some(class)) => fits.classes.contains(&class),
            (Kind::Contravention, None) => false,
            (Kind::Delit, _) => true,
        };
        self.fits
            .iter()
            .any(|fits| fits.kind == kind && class(fits) && fixed(fits.fixed))
    }

    /// Whether it is open only to what has a fixed amount.
    pub fn needs_fixed(&self) -> bool {
        self.fits.iter().all(|fits| fits.fixed == WithFixed::With)
    }

    /// Whether this is still to be confirmed before anyone relies on it.
    pub fn is_to_confirm(&self, what: Confirm) -> bool {
        self.to_confirm.contains(&what)
    }
}

/// What an agent is in law.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// Its name in sheets and records.
    pub id: QualityId,
    /// On screen and on documents.
    pub label: String,
    /// What the agent's sheet must hold: `habilitation`, `serment`, `agrement`.
    pub titles: Vec<Title>,
    notes: Vec<Notes>,
    reports: Option<Reports>,
}

/// A title on an agent's sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Title {
    /// Habilitation by the appointing authority (C. env. art. R. 541-85-1).
    Habilitation,
    /// Oath before the court.
    Serment,
    /// Agrément of the prosecutor or the prefect.
    Agrement,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Notes {
    offences: Vec<OffenceId>,
    basis: String,
    #[serde(default)]
    to_confirm: Vec<Confirm>,
    mark: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reports {
    basis: String,
    kinds: Vec<Kind>,
    mark: String,
}

/// What an agent of one quality may do about one offence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Competence<'l> {
    /// The acts, the strongest first; none if neither is open to them.
    pub acts: &'static [Act],
    /// The articles it rests on.
    pub basis: Option<&'l str>,
    /// Whether the city's lawyer has still to confirm it.
    pub to_confirm: bool,
}

/// When the public action is over.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prescription {
    kind: Kind,
    /// Years after the facts.
    pub years: u8,
    /// The article.
    pub basis: String,
    /// The article on what interrupts it; the program knows of no such act.
    pub interrupted_by: String,
    mark: String,
}

impl Prescription {
    /// The first day on which it may be over, unless an act interrupted it: the same day of the month, the last one
    /// of February for the 29th.
    pub fn over_on(&self, facts: Date) -> Date {
        // Only a day of the year 9999 has no successor.
        facts
            .checked_add(i32::from(self.years).years())
            .unwrap_or(Date::MAX)
    }
}

/// Since when, and by which text, the holder of the registration answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    #[serde(default, deserialize_with = "table::day")]
    from: Option<Date>,
    kind: Kind,
    /// The article.
    pub basis: String,
    /// What it says, in a sentence.
    pub label: String,
    mark: String,
}

static EMBEDDED: LazyLock<Result<Law, Fault>> =
    LazyLock::new(|| Law::parse(OFFENCES, ROUTES, COMPETENCE, TERMS));

impl Law {
    /// The tables that go with the program.
    pub fn embedded() -> &'static Self {
        match &*EMBEDDED {
            Ok(law) => law,
            // They are part of the program, and a test reads them.
            Err(fault) => unreachable!("the program's own tables: {fault}"),
        }
    }

    /// Of the tables as they were read: a closed file says by which of them it was made.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// An offence by its name.
    pub fn offence(&self, id: &OffenceId) -> Option<&Offence> {
        self.offences.iter().find(|offence| offence.id == *id)
    }

    /// The offences that were in force on that day, with what held.
    pub fn in_force(&self, day: Date) -> impl Iterator<Item = (&Offence, &Row)> {
        self.offences
            .iter()
            .filter_map(move |offence| Some((offence, offence.on(day)?)))
    }

    /// A route by its name.
    pub fn route(&self, id: &RouteId) -> Option<&Route> {
        self.routes.iter().find(|route| route.id == *id)
    }

    /// A quality by its name.
    pub fn quality(&self, id: &QualityId) -> Option<&Quality> {
        self.qualities.iter().find(|quality| quality.id == *id)
    }

    /// What `quality` may do about `offence`.
    pub fn competence<'l>(&self, quality: &'l Quality, offence: &Offence) -> Competence<'l> {
        if let Some(notes) = quality.notes.iter().find(|n| n.offences.contains(&offence.id)) {
            return Competence {
                acts: &Act::ALL,
                basis: Some(&notes.basis),
                to_confirm: notes.to_confirm.contains(&Confirm::Basis),
            };
        }
        let reports = quality
            .reports
            .as_ref()
            .filter(|r| r.kinds.contains(&offence.kind));
        Competence {
            acts: if reports.is_some() { &[Act::Rapport] } else { &[] },
            basis: reports.map(|reports| reports.basis.as_str()),
            to_confirm: false,
        }
    }

    /// The term of the public action.
    pub fn prescription(&self, kind: Kind) -> &Prescription {
        match self.prescriptions.iter().find(|term| term.kind == kind) {
            Some(term) => term,
            // `Fault::NoPrescription` refuses such tables.
            None => unreachable!("tables without a term for a {}", kind.french()),
        }
    }

    /// By which text the holder of the registration answers for such an offence on that day.
    pub fn holder(&self, kind: Kind, day: Date) -> Option<&Holder> {
        let holds = |holder: &&Holder| holder.kind == kind && holder.from.is_none_or(|from| from <= day);
        self.holders.iter().find(holds)
    }
}
