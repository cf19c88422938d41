//! What is wrong in a record, and what it still lacks. Pure: the day comes in.
//!
//! Promises: [`validate`] says of each statement whether it can stand, never whether it is true; [`missing`] lists what
//! findings §8.1 marks with an asterisk, and a record that lacks any of it is not closed ([`blockers`]). An offence that
//! is not in the dated tables, or was not in force on the day of the facts, is refused; so is an act that the agent's
//! quality does not allow (CPP art. 429: within one's own competence). Leaves what to look at again to
//! [`super::remark`].

use std::fmt;

use jiff::civil::Date;

use super::amount::Hundredths;
use super::plate::Legibility;
use super::record::{Cost, Danger, Outcome, Record, WasteKind};
use super::{amount, moment, plate};
use crate::desk::law::natinf::NotACode;
use crate::desk::law::{Act, Law, Offence, Row};

/// Characters of the longest account of facts.
pub const LONGEST_TEXT: usize = 20_000;
/// Characters of the longest line.
pub const LONGEST_LINE: usize = 500;

/// The parts of a record, in the order of its pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// When, where, what.
    Facts,
    /// Offence, act, route.
    Offence,
    /// What was left.
    Waste,
    /// The vehicle, first reading.
    Vehicle,
    /// Second reading.
    SecondReading,
    /// SIV, holder.
    Identification,
    /// What cleaning cost.
    Costs,
    /// What came of it, holds.
    Outcomes,
    /// Comments of the person concerned.
    Comments,
}

impl Section {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Facts,
        Self::Offence,
        Self::Waste,
        Self::Vehicle,
        Self::SecondReading,
        Self::Identification,
        Self::Costs,
        Self::Outcomes,
        Self::Comments,
    ];

    /// Its name in addresses.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Facts => "faits",
            Self::Offence => "infraction",
            Self::Waste => "dechets",
            Self::Vehicle => "vehicule",
            Self::SecondReading => "seconde-lecture",
            Self::Identification => "identification",
            Self::Costs => "frais",
            Self::Outcomes => "suites",
            Self::Comments => "commentaires",
        }
    }

    /// By its name in addresses.
    pub fn of(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.slug() == slug)
    }

    /// As it stands on screen.
    pub const fn french(self) -> &'static str {
        match self {
            Self::Facts => "Faits, date et lieu",
            Self::Offence => "Infraction, acte et voie",
            Self::Waste => "Déchets",
            Self::Vehicle => "Véhicule et première lecture",
            Self::SecondReading => "Seconde lecture de la plaque",
            Self::Identification => "Identification",
            Self::Costs => "Frais de nettoyage",
            Self::Outcomes => "Suites et gel",
            Self::Comments => "Commentaires de la personne",
        }
    }
}

/// What is wrong at one field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The page.
    pub section: Section,
    /// The field's name there.
    pub field: String,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.fault, f)
    }
}

/// What can be wrong with a statement. Its text is what the agent reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A required statement that is not there.
    #[error("{0} : à renseigner")]
    Missing(&'static str),
    /// A date that is none.
    #[error("Écrivez une date, par exemple 22/11/2026")]
    Date,
    /// An hour that is none.
    #[error("Écrivez une heure, par exemple 14:05 ou 14:05:09")]
    Hour,
    /// A date and hour that were none.
    #[error(transparent)]
    Moment(#[from] moment::Fault),
    /// After today.
    #[error("Cette date est postérieure à aujourd'hui")]
    Future,
    /// Before the facts.
    #[error("Cette date est antérieure aux faits")]
    BeforeFacts,
    /// No amount.
    #[error(transparent)]
    Amount(#[from] amount::Fault),
    /// A whole number that is none.
    #[error("Écrivez un nombre entier, par exemple {0}")]
    Number(&'static str),
    /// Nothing, where a cost was begun.
    #[error("Le montant doit être supérieur à zéro")]
    Zero,
    /// Quantity times unit price is another amount.
    #[error("Quantité × prix unitaire donne {product} €, et non {amount} €")]
    Product {
        /// What it would be.
        product: Hundredths,
        /// What was typed.
        amount: Hundredths,
    },
    /// Too long.
    #[error("Au plus {0} caractères")]
    TooLong(usize),
    /// Characters that no keyboard types.
    #[error("Ce texte contient un caractère de commande ; ressaisissez-le")]
    Control,
    /// Not one of the list.
    #[error("Choisissez une réponse de la liste")]
    Unlisted,
    /// The text was not in force on the day of the facts.
    #[error("{text} n'était pas en vigueur le jour des faits{}", successor(.replaced_by))]
    NotInForce {
        /// The article.
        text: String,
        /// The one that took its place.
        replaced_by: Option<String>,
    },
    /// The agent's quality does not allow this act for this offence.
    #[error("La qualité « {quality} » ne permet pas d'établir un {} pour {offence}{}", .act.french().to_lowercase(), instead(.allowed))]
    NotCompetent {
        /// The agent's quality.
        quality: String,
        /// The act.
        act: Act,
        /// The article.
        offence: String,
        /// What is open to them.
        allowed: &'static [Act],
    },
    /// A fixed fine for what has none.
    #[error(
        "{0} ne relevait pas de l'amende forfaitaire le jour des faits : le procès-verbal électronique n'est pas possible"
    )]
    NoFixedAmount(String),
    /// No NATINF code.
    #[error("Un code NATINF compte de un à six chiffres")]
    Natinf,
    /// A plate's reading by itself.
    #[error(transparent)]
    Plate(#[from] plate::Fault),
    /// No country's sign.
    #[error("Écrivez le signe distinctif du pays (F, B, D…) ou « ? » s'il est inconnu")]
    Country,
    /// The two readings differ.
    #[error("Les deux lectures diffèrent : relisez l'image et reprenez la première ou la seconde lecture")]
    Differ,
    /// A second reading without a first.
    #[error("Faites d'abord la première lecture")]
    NoFirstReading,
}

fn successor(replaced_by: &Option<String>) -> String {
    match replaced_by {
        Some(text) => format!(" ; voyez {text}"),
        None => String::new(),
    }
}

fn instead(allowed: &[Act]) -> &'static str {
    match allowed {
        [] => "",
        _ => " ; un rapport est possible",
    }
}

impl From<NotACode> for Fault {
    fn from(_: NotACode) -> Self {
        Self::Natinf
    }
}

/// Collects what is wrong.
#[derive(Debug, Default)]
pub(super) struct Faults(pub Vec<FieldError>);

impl Faults {
    pub(super) fn add(&mut self, section: Section, field: impl Into<String>, fault: impl Into<Fault>) {
        self.0.push(FieldError {
            section,
            field: field.into(),
            fault: fault.into(),
        });
    }

    fn when(&mut self, wrong: bool, section: Section, field: &str, fault: Fault) {
        if wrong {
            self.add(section, field, fault);
        }
    }
}

/// What is wrong in what the record states.
pub fn validate(record: &Record, law: &Law, today: Date) -> Vec<FieldError> {
    let mut faults = Faults::default();
    check_facts(record, today, &mut faults);
    check_offence(record, law, &mut faults);
    check_texts(record, &mut faults);
    check_waste(record, &mut faults);
    check_plate(record, &mut faults);
    if let Some(siv) = &record.siv {
        check_day(
            siv.on,
            record,
            today,
            Section::Identification,
            "siv_date",
            &mut faults,
        );
    }
    for (n, cost) in record.costs.iter().enumerate() {
        check_cost(n, cost, &mut faults);
    }
    for (n, outcome) in record.outcomes.iter().enumerate() {
        let field = format!("suites.{n}.date");
        check_day(outcome.on, record, today, Section::Outcomes, &field, &mut faults);
        let fields = [("reference", &outcome.reference), ("note", &outcome.note)];
        for (name, text) in fields {
            check_line(
                text,
                Section::Outcomes,
                &format!("suites.{n}.{name}"),
                &mut faults,
            );
        }
    }
    faults.0
}

fn check_facts(record: &Record, today: Date, faults: &mut Faults) {
    let late = record.facts_at.day() > today;
    faults.when(late, Section::Facts, "date", Fault::Future);
    let measured_late = record.clock.as_ref().is_some_and(|clock| clock.measured > today);
    faults.when(measured_late, Section::Facts, "horloge_date", Fault::Future);
}

fn check_day(day: Date, record: &Record, today: Date, section: Section, field: &str, faults: &mut Faults) {
    faults.when(day > today, section, field, Fault::Future);
    faults.when(day < record.facts_at.day(), section, field, Fault::BeforeFacts);
}

/// The offence of a record with what held on the day of the facts.
pub fn offence<'l>(record: &Record, law: &'l Law) -> Option<(&'l Offence, &'l Row)> {
    let offence = law.offence(record.offence.as_ref()?)?;
    Some((offence, offence.on(record.facts_at.day())?))
}

fn check_offence(record: &Record, law: &Law, faults: &mut Faults) {
    let section = Section::Offence;
    let Some(id) = &record.offence else { return };
    let Some(found) = law.offence(id) else {
        return faults.add(section, "infraction", Fault::Unlisted);
    };
    let Some(row) = found.on(record.facts_at.day()) else {
        let next = found.successor.as_ref().and_then(|id| law.offence(id));
        let fault = Fault::NotInForce {
            text: found.text.clone(),
            replaced_by: next.map(|offence| offence.text.clone()),
        };
        return faults.add(section, "infraction", fault);
    };
    check_competence(record, law, found, faults);
    let Some(route) = &record.route else { return };
    match law.route(route) {
        None => faults.add(section, "voie", Fault::Unlisted),
        Some(route) if route.needs_fixed() && row.fixed.is_none() => {
            faults.add(section, "voie", Fault::NoFixedAmount(found.text.clone()));
        }
        Some(_) => {}
    }
}

fn check_competence(record: &Record, law: &Law, offence: &Offence, faults: &mut Faults) {
    let Some(act) = record.act else { return };
    let quality = law.quality(&record.officer.quality);
    let competence = quality.map(|quality| law.competence(quality, offence));
    let allowed = competence.map_or(&[][..], |competence| competence.acts);
    if !allowed.contains(&act) {
        let fault = Fault::NotCompetent {
            quality: quality.map_or_else(|| record.officer.quality.to_string(), |q| q.label.clone()),
            act,
            offence: offence.text.clone(),
            allowed,
        };
        faults.add(Section::Offence, "acte", fault);
    }
}

fn check_texts(record: &Record, faults: &mut Faults) {
    let long = [
        (Section::Facts, "faits", &record.facts),
        (Section::Waste, "description", &record.waste.description),
        (Section::Comments, "commentaires", &record.comments),
    ];
    for (section, field, text) in long {
        check_text(text, LONGEST_TEXT, section, field, faults);
    }
    let lines = [
        (Section::Facts, "lieu", &record.place),
        (Section::Waste, "photos", &record.waste.photographs),
        (Section::Vehicle, "genre", &record.vehicle.kind),
        (Section::Vehicle, "marque", &record.vehicle.make),
        (Section::Vehicle, "couleur", &record.vehicle.colour),
        (Section::Vehicle, "marquage", &record.vehicle.marking),
    ];
    for (section, field, text) in lines {
        check_line(text, section, field, faults);
    }
    if let Some(clock) = &record.clock {
        check_line(&clock.by, Section::Facts, "horloge_par", faults);
    }
    if let Some(siv) = &record.siv {
        check_line(&siv.by, Section::Identification, "siv_agent", faults);
        check_line(&siv.reference, Section::Identification, "siv_reference", faults);
    }
}

fn check_text(text: &str, longest: usize, section: Section, field: &str, faults: &mut Faults) {
    let odd = text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    faults.when(odd, section, field, Fault::Control);
    faults.when(
        text.chars().count() > longest,
        section,
        field,
        Fault::TooLong(longest),
    );
}

fn check_line(text: &str, section: Section, field: &str, faults: &mut Faults) {
    faults.when(text.chars().any(char::is_control), section, field, Fault::Control);
    let long = text.chars().count() > LONGEST_LINE;
    faults.when(long, section, field, Fault::TooLong(LONGEST_LINE));
}

fn check_waste(record: &Record, faults: &mut Faults) {
    let waste = &record.waste;
    let other = waste.kinds.contains(&WasteKind::Other) || waste.dangers.contains(&Danger::Other);
    let undescribed = other && waste.description.trim().is_empty();
    let fault = Fault::Missing("La description de ce qui est coché « autre »");
    faults.when(undescribed, Section::Waste, "description", fault);
    faults.when(
        waste.volume == Some(Hundredths::ZERO),
        Section::Waste,
        "volume",
        Fault::Zero,
    );
}

fn check_plate(record: &Record, faults: &mut Faults) {
    let vehicle = &record.vehicle;
    let readings = [
        (Section::Vehicle, &vehicle.first),
        (Section::SecondReading, &vehicle.second),
    ];
    for (section, reading) in readings {
        if let Some(fault) = reading.as_ref().and_then(plate::Reading::fault) {
            faults.add(section, "plaque", fault);
        }
    }
    match (&vehicle.first, &vehicle.second) {
        (None, Some(_)) => faults.add(Section::SecondReading, "plaque", Fault::NoFirstReading),
        (Some(first), Some(second)) if !first.agrees(second) => {
            faults.add(Section::SecondReading, "plaque", Fault::Differ);
        }
        _ => {}
    }
}

fn check_cost(n: usize, cost: &Cost, faults: &mut Faults) {
    let section = Section::Costs;
    let field = |name: &str| format!("frais.{n}.{name}");
    faults.when(
        cost.amount == Hundredths::ZERO,
        section,
        &field("montant"),
        Fault::Zero,
    );
    if let (Some(quantity), Some(unit)) = (cost.quantity, cost.unit) {
        match quantity.times(unit) {
            Some(product) if product == cost.amount => {}
            Some(product) => {
                let amount = cost.amount;
                faults.add(section, field("montant"), Fault::Product { product, amount });
            }
            None => faults.add(section, field("quantite"), amount::Fault::TooLarge),
        }
    }
    check_line(&cost.label, section, &field("libelle"), faults);
    check_line(&cost.voucher, section, &field("justificatif"), faults);
}

/// What findings §8.1 requires and the record does not state.
pub fn missing(record: &Record, law: &Law) -> Vec<FieldError> {
    let mut faults = Faults::default();
    let mut need = |there: bool, section, field: &str, what| {
        faults.when(!there, section, field, Fault::Missing(what));
    };
    let said = |text: &str| !text.trim().is_empty();
    let vehicle = &record.vehicle;
    let unreadable = |reading: &plate::Reading| reading.legibility == Legibility::Unreadable;
    let clock = record.clock.as_ref().is_some_and(|clock| said(&clock.by));
    need(said(&record.place), Section::Facts, "lieu", "Le lieu des faits");
    need(
        clock,
        Section::Facts,
        "horloge",
        "L'écart d'horloge mesuré, sa date et son auteur",
    );
    need(
        said(&record.facts),
        Section::Facts,
        "faits",
        "Les faits constatés",
    );
    need(
        record.offence.is_some(),
        Section::Offence,
        "infraction",
        "L'infraction retenue",
    );
    need(
        record.act.is_some(),
        Section::Offence,
        "acte",
        "La nature de l'acte",
    );
    need(
        record.route.is_some(),
        Section::Offence,
        "voie",
        "La voie de transmission",
    );
    need(
        !record.waste.kinds.is_empty(),
        Section::Waste,
        "nature",
        "La nature des déchets",
    );
    need(
        vehicle.first.is_some(),
        Section::Vehicle,
        "plaque",
        "L'immatriculation lue",
    );
    let country = vehicle.country.is_some() || vehicle.first.as_ref().is_some_and(unreadable);
    need(country, Section::Vehicle, "pays", "Le pays de la plaque");
    need(
        vehicle.second.is_some(),
        Section::SecondReading,
        "plaque",
        "La seconde lecture",
    );
    if let Some(siv) = &record.siv {
        need(
            said(&siv.by),
            Section::Identification,
            "siv_agent",
            "L'auteur de la consultation du SIV",
        );
        need(
            said(&siv.reference),
            Section::Identification,
            "siv_reference",
            "La référence de la consultation du SIV",
        );
    }
    for (n, cost) in record.costs.iter().enumerate() {
        let field = format!("frais.{n}.justificatif");
        need(
            said(&cost.voucher),
            Section::Costs,
            &field,
            "Le justificatif de chaque frais",
        );
    }
    let titles = law.quality(&record.officer.quality).is_some_and(|quality| {
        quality.titles.len() <= record.officer.titles.iter().filter(|title| said(title)).count()
    });
    need(
        titles,
        Section::Offence,
        "acte",
        "Les titres de l'agent (habilitation, serment, agrément), sur sa fiche",
    );
    faults.0
}

/// All that stands against closing the record.
pub fn blockers(record: &Record, law: &Law, today: Date) -> Vec<FieldError> {
    let mut faults = missing(record, law);
    faults.extend(validate(record, law, today));
    faults
}

/// A date as short French.
pub fn french(day: &Date) -> String {
    format!("{:02}/{:02}/{}", day.day(), day.month(), day.year())
}

/// The outcome that stands last.
pub fn last_outcome(record: &Record) -> Option<&Outcome> {
    record.outcomes.iter().max_by_key(|outcome| outcome.on)
}
