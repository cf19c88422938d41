//! The infraction record: what the agent states about one act, as one value (findings §8.1).
//!
//! Promises: every statement in it is a human's; the program proposes nothing from the picture and writes no fact.
//! What only the desk can know (event, images, who viewed them when, regime) is set at opening and by no form.
//! Leaves checking it to [`super::check`], keeping it to [`super::register`].

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::amount::{Euros, Hundredths};
use super::moment::Moment;
use super::plate::{Country, Reading};
use crate::desk::law::natinf::Code;
use crate::desk::law::{Act, OffenceId, QualityId, RouteId};
use crate::frame::{BoxTime, CameraId, Digest, EventId};

/// An infraction record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Where it comes from.
    pub origin: Origin,
    /// The sworn agent who states it.
    pub officer: Officer,
    /// When it happened.
    pub facts_at: Moment,
    /// Where: street, or the site's name.
    pub place: String,
    /// How wrong the camera's clock was, as measured.
    pub clock: Option<ClockOffset>,
    /// What the agent has seen, heard or noted in person (CPP art. 429), in the agent's own words.
    pub facts: String,
    /// The offence.
    pub offence: Option<OffenceId>,
    /// Procès-verbal or rapport.
    pub act: Option<Act>,
    /// For the transmission slip alone.
    pub natinf: Option<Code>,
    /// What was left.
    pub waste: Waste,
    /// The vehicle.
    pub vehicle: Vehicle,
    /// The look-up in the SIV, done elsewhere and written down here.
    pub siv: Option<SivLookUp>,
    /// What cleaning cost.
    pub costs: Vec<Cost>,
    /// To whom it goes.
    pub route: Option<RouteId>,
    /// What came of it.
    pub outcomes: Vec<Outcome>,
    /// Holds that keep it from being erased, by reference; the register of holds rules them.
    pub holds: Vec<String>,
    /// Comments of the person concerned (LAI Québec art. 91; LIL art. 106).
    pub comments: String,
}

/// Where a record comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Origin {
    /// An event of a camera, whose images the agent has viewed.
    Event(Box<Source>),
    /// The service's register before this program.
    Register {
        /// The number that it had there.
        number: String,
        /// The file's digest.
        file: Digest,
        /// The line of it.
        line: u64,
        /// The legal ground that it stated.
        regime: String,
    },
}

impl Origin {
    /// The event, if there is one.
    pub fn source(&self) -> Option<&Source> {
        match self {
            Self::Event(source) => Some(source),
            Self::Register { .. } => None,
        }
    }
}

/// What the desk knows of the event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The event.
    pub event: EventId,
    /// Its camera.
    pub camera: CameraId,
    /// The site, as `desk.toml` names it.
    pub site: String,
    /// The legal ground that the city claims for the camera, with its reference and dates.
    pub regime: String,
    /// Version of the zones that the box masked by.
    pub zones: Option<String>,
    /// First and last frame.
    pub from: Moment,
    /// Last frame.
    pub until: Moment,
    /// The images that were retained.
    pub images: Vec<Image>,
    /// Who personally viewed which of them, and when.
    pub viewings: Vec<Viewing>,
}

/// A retained image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Its item number in the event.
    pub number: u32,
    /// SHA-256 of the redacted file.
    pub digest: Digest,
    /// When it was taken. What is masked in it, its manifest says.
    pub at: Moment,
}

/// One look at one image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Viewing {
    /// The image.
    pub digest: Digest,
    /// Whose account.
    pub by: String,
    /// When.
    pub at: BoxTime,
}

/// The agent who states it, as their sheet stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Officer {
    /// Their account.
    pub account: String,
    /// Name, or number where the service writes numbers.
    pub name: String,
    /// What they are in law.
    pub quality: QualityId,
    /// Their titles, each as it stands on a document: authority, date, object.
    pub titles: Vec<String>,
}

/// How wrong the camera's clock was (CNIL, December 2021: an inexact hour is a breach of accuracy, LIL art. 4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockOffset {
    /// Seconds that it was ahead; negative if it was late.
    pub seconds: i64,
    /// The day on which it was measured.
    pub measured: Date,
    /// By whom, in words.
    pub by: String,
}

/// What was left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waste {
    /// Of which kinds.
    pub kinds: BTreeSet<WasteKind>,
    /// In words.
    pub description: String,
    /// Cubic metres, estimated.
    pub volume: Option<Hundredths>,
    /// What makes it dangerous.
    pub dangers: BTreeSet<Danger>,
    /// The photographs that the agent took on the spot, by reference.
    pub photographs: String,
}

/// Kinds and dangers: a name as stored, and words on screen.
macro_rules! listed {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $stored:literal, $french:literal;)* }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize,
        )]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $stored)] $variant,)*
        }

        impl $name {
            /// All of them, in the order of the forms.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable name, as stored.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $stored),* }
            }

            /// As it stands on screen.
            pub const fn french(self) -> &'static str {
                match self { $(Self::$variant => $french),* }
            }

            /// By its stable name.
            pub fn of(stored: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == stored)
            }
        }
    };
}
pub(super) use listed;

listed! {
    /// Kinds of waste.
    WasteKind {
        /// Bags and household waste.
        Household = "household", "Ordures ménagères, sacs";
        /// Furniture and other bulky waste.
        Bulky = "bulky", "Encombrants, mobilier";
        /// From building sites.
        Rubble = "rubble", "Gravats, déchets de chantier";
        /// Green waste.
        Green = "green", "Déchets verts";
        /// Electrical equipment.
        Electrical = "electrical", "Équipements électriques, électroménager";
        /// Tyres.
        Tyres = "tyres", "Pneumatiques";
        /// Parts of vehicles, wrecks.
        Vehicle = "vehicle", "Épave ou pièces de véhicule";
        /// From a trade.
        Trade = "trade", "Déchets d'activité professionnelle";
        /// Anything else, described.
        Other = "other", "Autre (à décrire)";
    }
}

listed! {
    /// What makes waste dangerous.
    Danger {
        /// Asbestos.
        Asbestos = "asbestos", "Amiante (suspicion)";
        /// Oil, hydrocarbons.
        Oil = "oil", "Huiles, hydrocarbures";
        /// Batteries.
        Batteries = "batteries", "Batteries, piles";
        /// Paint, solvents, other chemicals.
        Chemicals = "chemicals", "Peintures, solvants, produits chimiques";
        /// Gas bottles.
        Gas = "gas", "Bouteilles de gaz";
        /// From care.
        Care = "care", "Déchets de soins";
        /// Anything else, described.
        Other = "other", "Autre danger (à décrire)";
    }
}

/// The vehicle, as a human saw it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vehicle {
    /// First reading of the plate.
    pub first: Option<Reading>,
    /// Second reading, typed without being shown the first.
    pub second: Option<Reading>,
    /// The plate's country.
    pub country: Option<Country>,
    /// What kind of vehicle.
    pub kind: String,
    /// Make and model.
    pub make: String,
    /// Colour.
    pub colour: String,
    /// Lettering, signs.
    pub marking: String,
    /// Silhouettes seen beside it or in it.
    pub persons: Option<u16>,
}

/// A look-up in the SIV: done with the means of police or gendarmerie, never by this program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SivLookUp {
    /// When.
    pub on: Date,
    /// Who did it, in words.
    pub by: String,
    /// Its reference.
    pub reference: String,
}

/// Who holds the registration: sealed apart from the record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// Name, or the company's.
    pub name: String,
    /// Address, in lines.
    pub address: String,
    /// Where it is known from.
    pub source: String,
}

/// A line of what cleaning cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// For what.
    pub kind: CostKind,
    /// In words.
    pub label: String,
    /// Hours, turns, tonnes.
    pub quantity: Option<Hundredths>,
    /// Euros for one of them.
    pub unit: Option<Euros>,
    /// Euros.
    pub amount: Euros,
    /// The voucher's reference.
    pub voucher: String,
}

listed! {
    /// What a cost is for.
    CostKind {
        /// Agents' hours.
        Work = "work", "Heures d'agents";
        /// Vehicles and machines.
        Machine = "machine", "Véhicules et engins";
        /// Treatment of the waste.
        Treatment = "treatment", "Traitement des déchets";
        /// Somebody else's bill.
        Contractor = "contractor", "Prestataire";
        /// Anything else.
        Other = "other", "Autre frais";
    }
}

/// The sum of costs.
pub fn total(costs: &[Cost]) -> Euros {
    costs.iter().map(|cost| cost.amount).sum()
}

/// What came of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// What.
    pub kind: OutcomeKind,
    /// When.
    pub on: Date,
    /// Number at the parquet or the court.
    pub reference: String,
    /// In words.
    pub note: String,
}

listed! {
    /// Outcomes.
    OutcomeKind {
        /// The prosecutor or the OMP drops the case.
        Dismissed = "dismissed", "Classement sans suite";
        /// A fixed fine.
        Fixed = "fixed", "Amende forfaitaire";
        /// Another answer short of a trial.
        Alternative = "alternative", "Alternative aux poursuites ou composition pénale";
        /// An administrative fine or notice by the mayor.
        Administrative = "administrative", "Sanction administrative du maire";
        /// Convicted.
        Convicted = "convicted", "Condamnation";
        /// Acquitted.
        Acquitted = "acquitted", "Relaxe";
        /// Sent to another service.
        Passed = "passed", "Transmis à un autre service";
    }
}
