//! What a report says: the values of its fifteen sections (findings of the law, §8.2), none of them decided here.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::frame::{BoxTime, Digest, FrameSize, Orientation};

/// Images that stand in a report at full size; more would bury the act.
pub const MOST_IMAGES: usize = 12;

/// What kind of document this is. It follows from the author's competence, and nothing turns one into the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Believed until the contrary is proven, where the law gives its author that power.
    ProcesVerbal,
    /// For information.
    Rapport,
}

impl Act {
    /// Its name at the head of the document.
    pub const fn title(self) -> &'static str {
        match self {
            Self::ProcesVerbal => "Procès-verbal de constatation",
            Self::Rapport => "Rapport de constatation",
        }
    }

    /// Its name within a sentence.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProcesVerbal => "procès-verbal",
            Self::Rapport => "rapport",
        }
    }

    /// `du procès-verbal`, `du rapport`.
    pub const fn of_the(self) -> &'static str {
        match self {
            Self::ProcesVerbal => "du procès-verbal",
            Self::Rapport => "du rapport",
        }
    }

    /// `le présent procès-verbal`.
    pub const fn this(self) -> &'static str {
        match self {
            Self::ProcesVerbal => "le présent procès-verbal",
            Self::Rapport => "le présent rapport",
        }
    }

    /// The name of its file in a package.
    pub const fn file(self) -> &'static str {
        match self {
            Self::ProcesVerbal => "proces-verbal.pdf",
            Self::Rapport => "rapport.pdf",
        }
    }

    /// The word for it in a package's contents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ProcesVerbal => "proces-verbal",
            Self::Rapport => "rapport",
        }
    }
}

/// All that a report says.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Procès-verbal or rapport.
    pub act: Act,
    /// The file's number: `2026-IVR-0042`.
    pub number: String,
    /// §1. Whose document this is.
    pub service: Service,
    /// §1. The texts that give the author the power to draw it up, of the day of the facts.
    pub visas: Vec<String>,
    /// §2. Who drew it up.
    pub author: Author,
    /// §3. Under which rules the camera stands.
    pub framework: Framework,
    /// §4. When and where.
    pub facts: Facts,
    /// §5. When the author looked at which images.
    pub viewings: Vec<Viewing>,
    /// §5. What was looked at: `images scellées relevées sur l'appareil le …`.
    pub medium: String,
    /// §6. What the author noted, in their own words.
    pub observed: String,
    /// §7. What the author holds it to be.
    pub offence: Option<Offence>,
    /// §8. The vehicle, where one is in question.
    pub vehicle: Option<Vehicle>,
    /// §9. Steps taken to learn who it was.
    pub identification: Vec<Step>,
    /// §10. What was left there.
    pub waste: Waste,
    /// §11. The chosen images, at most [`MOST_IMAGES`].
    pub images: Vec<Picture>,
    /// §11. The event's other images, small.
    pub others: Vec<Picture>,
    /// §12. What is masked.
    pub masking: Masking,
    /// §13. By what means the images came here.
    pub trace: Trace,
    /// §14. What the author wants said of the limits, beside what is always said.
    pub limits: String,
    /// §15. How it ends.
    pub closing: Closing,
}

/// Whose document it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Service {
    /// `Ville d'Ivry-sur-Seine`.
    pub commune: String,
    /// The service.
    pub name: String,
    /// Its address, one line.
    pub address: String,
    /// Telephone or e-mail, one line.
    pub contact: String,
}

/// A decision of an authority: who, when, about what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Who decided: `arrêté du maire n° 2025-118`, `tribunal judiciaire de Créteil`.
    pub by: String,
    /// When.
    pub on: Date,
    /// About what, where that must be said.
    pub about: String,
}

/// Who drew the report up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Author {
    /// A name, or the number that stands for it.
    pub name: String,
    /// The number of service.
    pub number: String,
    /// `agent de surveillance de la voie publique`.
    pub quality: String,
    /// The power to note these offences.
    pub clearance: Option<Decision>,
    /// The oath.
    pub oath: Option<Decision>,
    /// The prefect's agreement to look at recordings, where one is needed.
    pub agreement: Option<Decision>,
}

/// The rules under which the camera stands, as the city declares them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Framework {
    /// `vidéoprotection`, `acte d'enquête`, `sans texte (contesté)`.
    pub regime: String,
    /// The decision's number and authority.
    pub reference: String,
    /// Its day.
    pub decided: Option<Date>,
    /// Its last day.
    pub until: Option<Date>,
    /// How the public is told.
    pub sign: String,
    /// The impact assessment: reference and day.
    pub assessment: String,
    /// The entry in the register of processing.
    pub register: String,
}

/// When and where the facts were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// First moment, in legal time.
    pub from: DateTime,
    /// Last moment, if another.
    pub until: Option<DateTime>,
    /// The first moment in universal time.
    pub utc: BoxTime,
    /// `rue du Port, face au n° 12`.
    pub place: String,
    /// Parcel or coordinates.
    pub position: String,
    /// The camera and the version of its sheet.
    pub camera: String,
    /// How far its clock was off.
    pub clock: Option<Clock>,
}

/// A measured clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// How many seconds the camera's clock was ahead.
    pub ahead: i64,
    /// When that was measured.
    pub measured: Date,
    /// By whom.
    pub by: String,
}

/// The author looked at images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewing {
    /// When it began, in legal time.
    pub at: DateTime,
    /// Where.
    pub place: String,
    /// Which, by the SHA-256 of each.
    pub images: Vec<Digest>,
}

/// An offence, as the dated tables of law have it on the day of the facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offence {
    /// What it is called.
    pub title: String,
    /// `article R. 635-8 du code pénal`.
    pub article: String,
    /// Class and penalty.
    pub penalty: String,
    /// From when on the text was in force.
    pub in_force: String,
    /// Further texts: liability, competence.
    pub texts: Vec<String>,
}

/// The vehicle, as persons saw it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vehicle {
    /// The plate as it was read first.
    pub plate: String,
    /// Who read it.
    pub first_reader: String,
    /// The plate as it was read again.
    pub second_reading: String,
    /// Who read it then.
    pub second_reader: String,
    /// Whether that was the same agent: the act must not say otherwise (CPP art. 429).
    pub same_reader: bool,
    /// `France`.
    pub country: String,
    /// `lisible`, `partielle`.
    pub legibility: String,
    /// `camionnette blanche, marque …`.
    pub description: String,
    /// How many persons are to be seen.
    pub persons: String,
}

/// A step taken to identify someone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub on: Date,
    /// What: `consultation du système d'immatriculation des véhicules`.
    pub what: String,
    /// By whom, under which reference.
    pub reference: String,
}

/// What was left there, and what it cost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Waste {
    /// Kinds.
    pub nature: String,
    /// `environ 2 m³`.
    pub volume: String,
    /// Asbestos, oil ...
    pub hazard: String,
    /// Costs: what, in cents, by which voucher.
    pub costs: Vec<Cost>,
}

/// One cost of cleaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// What for.
    pub what: String,
    /// In cents.
    pub cents: u64,
    /// Its voucher.
    pub voucher: String,
}

/// An image of the event: a redacted frame.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its number in the event.
    pub number: u32,
    /// The redacted JPEG.
    pub jpeg: Vec<u8>,
    /// What its manifest says that its SHA-256 is.
    pub sha256: Digest,
    /// SHA-256 of the camera's own file.
    pub original: Digest,
    /// When it was taken, by the camera's clock.
    pub camera_time: Option<DateTime>,
    /// The same in legal time, corrected.
    pub legal_time: Option<DateTime>,
    /// How it stands upright.
    pub orientation: Orientation,
    /// Size of the stored picture.
    pub size: FrameSize,
    /// How much of it is masked, in parts per hundred.
    pub masked: u8,
    /// Outside the mask, every coefficient is the camera's own.
    pub untouched: bool,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}, {})", self.number, self.sha256)
    }
}

/// What is masked and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Masking {
    /// The city's choices in words: what is masked, with which fill.
    pub policy: String,
    /// What was masked beside that, at the desk: `2 zones ajoutées le … par l'agent …`.
    pub added: Vec<String>,
}

/// By what means the images came here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    /// The box, by its key.
    pub device: String,
    /// The program's version, at the box and at the desk.
    pub program: String,
    /// What looked for persons: each network's job and SHA-256.
    pub networks: Vec<(String, Digest)>,
    /// The desk, by its key.
    pub desk: String,
    /// The journal's last line: `1041:9f…`.
    pub journal: String,
    /// The last check: when, by which program, with which result.
    pub checked: String,
}

/// How the report ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Closing {
    /// Where it is drawn up.
    pub place: String,
    /// To whom it goes, in order.
    pub recipients: Vec<String>,
    /// What goes with it.
    pub annexes: Vec<String>,
    /// Until when the service keeps the file.
    pub erased: Option<Date>,
}

/// An instant, and how the service's clocks show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// In universal time.
    pub utc: BoxTime,
    /// In legal time.
    pub local: DateTime,
}

impl Moment {
    /// In this zone.
    pub fn of(utc: BoxTime, zone: &TimeZone) -> Self {
        let local = zone.to_datetime(utc.0);
        Self { utc, local }
    }
}

/// A chief's sign-off: only a complete report has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignOff {
    /// When.
    pub at: Moment,
    /// Who: name or number, and quality.
    pub by: String,
}
