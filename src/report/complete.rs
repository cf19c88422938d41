//! What a report must hold before it can be made final. Pure.

use super::act::{Act, MOST_IMAGES, Report};
use super::french;
use crate::frame::Digest;

/// Something without which a report does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lacking {
    /// §1: the file's number.
    Number,
    /// §1: commune or service.
    Service,
    /// §1: no text gives the author the power to draw it up.
    Visas,
    /// §2: neither name nor number.
    Author,
    /// §2: the author's quality.
    Quality,
    /// §2: the power to note offences: habilitation or agrément. A rapport does without it.
    Clearance,
    /// §2: the oath. A rapport does without it.
    Oath,
    /// §2: a decision of after the author looked.
    TooLate(&'static str),
    /// §3: regime or its reference.
    Framework,
    /// §4: the place.
    Place,
    /// §4: the camera.
    Camera,
    /// §4: an hour without a measured clock (LIL 4: data must be exact).
    Clock,
    /// §5: nobody looked.
    Viewing,
    /// §6: no facts.
    Observed,
    /// §6: the code that stands on the slip alone.
    NatinfInBody,
    /// §7: no offence.
    Offence,
    /// §8: the plate was not read, or once only.
    SecondReading,
    /// §8: two readings that differ.
    ReadingsDiffer,
    /// §10: what was left.
    Waste,
    /// §11: not a single image.
    Images,
    /// §11: more than [`MOST_IMAGES`].
    TooManyImages(usize),
    /// §11: an image whose bytes are not those of its manifest.
    ImageChanged(u32),
    /// §11: an image that the author never looked at (CPP 429).
    ImageUnseen(u32),
    /// §11: an image that is there twice.
    ImageTwice(u32),
    /// §12: the policy of masking.
    Masking,
    /// §13: box, program or journal.
    Trace,
    /// §15: to whom it goes.
    Recipients,
    /// §15: the day of its destruction.
    Erasure,
    /// §15: where it is drawn up.
    DrawnAt,
}

impl Lacking {
    /// What is lacking, in French, with its section.
    pub fn told(&self) -> String {
        let (section, what) = match self {
            Self::Number => (1, "le numéro du dossier".to_owned()),
            Self::Service => (1, "la commune ou le service".to_owned()),
            Self::Visas => (1, "les textes qui donnent compétence au rédacteur".to_owned()),
            Self::Author => (2, "le nom ou le numéro du rédacteur".to_owned()),
            Self::Quality => (2, "la qualité du rédacteur".to_owned()),
            Self::Clearance => (
                2,
                "l'habilitation ou l'agrément du rédacteur (autorité, date, objet)".to_owned(),
            ),
            Self::Oath => (
                2,
                "la prestation de serment du rédacteur (tribunal, date)".to_owned(),
            ),
            Self::TooLate(what) => (2, format!("{what} est postérieure à la constatation")),
            Self::Framework => (3, "le régime du dispositif et sa référence".to_owned()),
            Self::Place => (4, "le lieu des faits".to_owned()),
            Self::Camera => (4, "l'appareil".to_owned()),
            Self::Clock => (4, "l'écart d'horloge mesuré".to_owned()),
            Self::Viewing => (5, "le visionnage par le rédacteur".to_owned()),
            Self::Observed => (6, "les faits personnellement constatés".to_owned()),
            Self::NatinfInBody => (
                6,
                "le code NATINF figure dans le texte : il n'a sa place que sur le bordereau".to_owned(),
            ),
            Self::Offence => (7, "l'infraction et le texte applicable".to_owned()),
            Self::SecondReading => (8, "les deux lectures de la plaque".to_owned()),
            Self::ReadingsDiffer => (8, "les deux lectures de la plaque diffèrent".to_owned()),
            Self::Waste => (10, "la nature des déchets".to_owned()),
            Self::Images => (11, "au moins une image".to_owned()),
            Self::TooManyImages(count) => (
                11,
                format!("{count} images sont choisies : {MOST_IMAGES} au plus"),
            ),
            Self::ImageChanged(number) => (
                11,
                format!("l'image n° {number} n'est pas celle que décrit son manifeste"),
            ),
            Self::ImageUnseen(number) => (
                11,
                format!("l'image n° {number} n'a pas été visionnée par le rédacteur"),
            ),
            Self::ImageTwice(number) => (11, format!("l'image n° {number} est choisie deux fois")),
            Self::Masking => (12, "la règle de masquage en vigueur".to_owned()),
            Self::Trace => (13, "l'appareil, le logiciel ou l'état du journal".to_owned()),
            Self::Recipients => (15, "les destinataires".to_owned()),
            Self::Erasure => (15, "l'échéance de destruction".to_owned()),
            Self::DrawnAt => (15, "le lieu d'établissement".to_owned()),
        };
        french::set(&format!("Section {section} : {what}"))
    }
}

/// A report that lacks nothing. There is no other way to one than the check.
#[derive(Debug, Clone, PartialEq)]
pub struct Complete(Report);

impl Complete {
    /// Checks a report; all that it lacks, in the order of its sections.
    pub fn of(report: Report) -> Result<Self, Vec<Lacking>> {
        let lacking = report.lacking();
        match lacking.is_empty() {
            true => Ok(Self(report)),
            false => Err(lacking),
        }
    }

    /// What it says.
    pub fn report(&self) -> &Report {
        &self.0
    }
}

impl Report {
    /// What it lacks, in the order of its sections.
    pub fn lacking(&self) -> Vec<Lacking> {
        let mut lacking = Vec::new();
        self.who(&mut lacking);
        self.when_and_where(&mut lacking);
        self.what(&mut lacking);
        self.with_which_images(&mut lacking);
        self.by_which_means(&mut lacking);
        lacking
    }

    fn who(&self, lacking: &mut Vec<Lacking>) {
        let mut unless = |held: bool, what: Lacking| lacking.extend((!held).then_some(what));
        unless(is_said(&self.number), Lacking::Number);
        let service = &self.service;
        unless(
            is_said(&service.commune) && is_said(&service.name),
            Lacking::Service,
        );
        let author = &self.author;
        let is_sworn_act = self.act == Act::ProcesVerbal;
        unless(!is_sworn_act || !self.visas.is_empty(), Lacking::Visas);
        unless(is_said(&author.name) || is_said(&author.number), Lacking::Author);
        unless(is_said(&author.quality), Lacking::Quality);
        let is_cleared = author.clearance.is_some() || author.agreement.is_some();
        unless(!is_sworn_act || is_cleared, Lacking::Clearance);
        unless(!is_sworn_act || author.oath.is_some(), Lacking::Oath);
        let viewed = self.viewings.iter().map(|viewing| viewing.at.date()).min();
        for (decision, what) in [
            (&author.clearance, "l'habilitation"),
            (&author.oath, "la prestation de serment"),
        ] {
            let late = decision
                .as_ref()
                .zip(viewed)
                .is_some_and(|(d, viewed)| d.on > viewed);
            unless(!late, Lacking::TooLate(what));
        }
        let framework = &self.framework;
        let declared = is_said(&framework.regime) && is_said(&framework.reference);
        unless(declared, Lacking::Framework);
    }

    fn when_and_where(&self, lacking: &mut Vec<Lacking>) {
        let mut unless = |held: bool, what: Lacking| lacking.extend((!held).then_some(what));
        unless(is_said(&self.facts.place), Lacking::Place);
        unless(is_said(&self.facts.camera), Lacking::Camera);
        unless(self.facts.clock.is_some(), Lacking::Clock);
        let has_looked = self.viewings.iter().any(|viewing| !viewing.images.is_empty());
        unless(has_looked, Lacking::Viewing);
    }

    fn what(&self, lacking: &mut Vec<Lacking>) {
        let mut unless = |held: bool, what: Lacking| lacking.extend((!held).then_some(what));
        unless(is_said(&self.observed), Lacking::Observed);
        let names_code = self.observed.to_uppercase().contains("NATINF");
        unless(!names_code, Lacking::NatinfInBody);
        unless(self.offence.is_some(), Lacking::Offence);
        if let Some(vehicle) = &self.vehicle {
            let [first, second] = [&vehicle.plate, &vehicle.second_reading].map(|text| plate(text));
            unless(!first.is_empty() && !second.is_empty(), Lacking::SecondReading);
            let differ = !first.is_empty() && !second.is_empty() && first != second;
            unless(!differ, Lacking::ReadingsDiffer);
        }
        unless(is_said(&self.waste.nature), Lacking::Waste);
    }

    fn with_which_images(&self, lacking: &mut Vec<Lacking>) {
        if self.images.is_empty() {
            lacking.push(Lacking::Images);
        }
        if self.images.len() > MOST_IMAGES {
            lacking.push(Lacking::TooManyImages(self.images.len()));
        }
        for picture in self.images.iter().chain(&self.others) {
            if Digest::of(&picture.jpeg) != picture.sha256 {
                lacking.push(Lacking::ImageChanged(picture.number));
            }
        }
        for (nth, picture) in self.images.iter().enumerate() {
            let seen = self
                .viewings
                .iter()
                .any(|viewing| viewing.images.contains(&picture.sha256));
            if !seen {
                lacking.push(Lacking::ImageUnseen(picture.number));
            }
            if self.images[..nth]
                .iter()
                .any(|before| before.sha256 == picture.sha256)
            {
                lacking.push(Lacking::ImageTwice(picture.number));
            }
        }
    }

    fn by_which_means(&self, lacking: &mut Vec<Lacking>) {
        let mut unless = |held: bool, what: Lacking| lacking.extend((!held).then_some(what));
        unless(is_said(&self.masking.policy), Lacking::Masking);
        let trace = [&self.trace.device, &self.trace.program, &self.trace.journal];
        unless(trace.iter().all(|text| is_said(text)), Lacking::Trace);
        let closing = &self.closing;
        unless(!closing.recipients.is_empty(), Lacking::Recipients);
        unless(closing.erased.is_some(), Lacking::Erasure);
        unless(is_said(&closing.place), Lacking::DrawnAt);
    }
}

fn is_said(text: &str) -> bool {
    !text.trim().is_empty()
}

/// A plate without what each agent writes in their own way.
fn plate(text: &str) -> String {
    let letters = text.chars().filter(|letter| letter.is_alphanumeric());
    letters.flat_map(char::to_uppercase).collect()
}
