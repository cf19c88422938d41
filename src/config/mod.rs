//! What the city decided: `trap.toml`, read once, checked whole.
//!
//! Promises: a [`Trap`] that exists is one that may run. Unknown keys are refused with the nearest
//! known one; what a law or the public promise bounds (`max_age`, `wipe_period`, a trial's length) is
//! bounded here and nowhere looser; what the city must decide itself (`mode`, `triage`, `regime`,
//! `zone`) has no default; no two cameras share a card, and nothing of ours lies on one. [`Trap::parse`]
//! is pure; only [`Trap::read`] touches the disk.
//!
//! Leaves to others: whether paths exist, reading keys and networks, and comparing folders as the disk
//! sees them ([`crate::card::apart`]). Relative paths count from the configuration file's folder.

mod check;
mod error;
mod polygon;
mod raw;

pub use check::LONGEST_CORRECTION;
pub use error::{Error, Fault, Place, PolygonFault};
pub use polygon::polygon_of;

use std::io::Read as _;
use std::num::{NonZeroU16, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::frame::{CameraId, Digest};
use crate::vision::geometry::Polygon;

/// A configuration is a page or two; a file beyond this is something else.
const LONGEST: u64 = 1 << 20;

/// A length of time with a legal or practical bound, kept apart from the others by its type.
macro_rules! term {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(Duration);

        impl From<$name> for Duration {
            fn from(term: $name) -> Self {
                term.0
            }
        }
    };
    ($(#[$doc:meta])* $name:ident = $seconds:expr) => {
        term! { $(#[$doc])* $name }

        impl Default for $name {
            fn default() -> Self {
                Self(Duration::from_secs($seconds))
            }
        }
    };
}

const DAY: u64 = 24 * 3600;

term! {
    /// Two frames further apart than this belong to two events: 1 s to 1 h, by default 60 s.
    EventGap = 60
}
term! {
    /// An event is closed at the latest this long after its first frame: never less than the event
    /// gap, at most 24 h, by default 1 h.
    MaxHold = 3600
}
term! {
    /// No frame stays on the card longer: 1 to 31 days (CSI art. L.252-5), by default 30 days.
    MaxAge = 30 * DAY
}
term! {
    /// The whole card is wiped at least this often: 1 to 92 days (the public promise: each quarter),
    /// by default 92 days.
    WipePeriod = 92 * DAY
}
term! {
    /// How long a hand-over may keep the camera without its card: 1 s to 1 h, no default.
    BlindAtMost
}

/// Everything `trap.toml` says, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Trap {
    /// The file that says so.
    pub file: PathBuf,
    /// The folder of sealed items, journal and database.
    pub store: PathBuf,
    /// The folder of the networks and their `manifest.toml`.
    pub models: PathBuf,
    /// The ONNX Runtime library, where it is not found beside the networks.
    pub runtime: Option<PathBuf>,
    /// Whom everything is sealed to.
    pub recipients: Recipients,
    /// The public key of the desk, whose revocations count.
    pub desk_key: Option<PathBuf>,
    /// The box's own signing key.
    pub device_key: PathBuf,
    /// Whether the card is erased.
    pub mode: Mode,
    /// What is discarded, who decided so, and why.
    pub triage: Triage,
    /// What is made unrecognisable, and how.
    pub mask: Mask,
    /// Witnesses kept of an event at most: 1 to 500, by default 12.
    pub keep: NonZeroU16,
    /// When one event ends and the next begins.
    pub event_gap: EventGap,
    /// When an event is closed even if frames keep coming.
    pub max_hold: MaxHold,
    /// How old a frame on the card may grow.
    pub max_age: MaxAge,
    /// How often the whole card is wiped.
    pub wipe_period: WipePeriod,
    /// How often a frame that cannot be read is tried: 1 to 100, by default 3.
    pub attempts: NonZeroU16,
    /// What becomes of videos, which cannot be redacted.
    pub video: Video,
    /// Threads that work at once: 1 to 64; by default, as many as the machine has cores.
    pub threads: Option<NonZeroUsize>,
    /// Where the service listens for firmware.
    pub socket: Option<PathBuf>,
    /// The group of those who may speak to it there.
    pub socket_group: Option<String>,
    /// The cameras of this box, at least one, each with its own id and card.
    pub cameras: Vec<Camera>,
}

/// Public keys: the box can seal to them and open nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// One pair, for one quarter.
    Pair {
        /// The service that reviews.
        service: PathBuf,
        /// The key kept in a safe.
        recovery: PathBuf,
    },
    /// The folder of the pairs of several quarters.
    Folder(PathBuf),
}

impl Recipients {
    /// The paths that must not lie on a card.
    fn paths(&self) -> [&PathBuf; 2] {
        match self {
            Self::Pair { service, recovery } => [service, recovery],
            Self::Folder(folder) => [folder, folder],
        }
    }
}

/// Whether frames are erased from the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Decides and seals, erases nothing; for commissioning.
    Trial {
        /// First day.
        from: Date,
        /// Last day, at most 30 days after the first.
        until: Date,
    },
    /// Erases what is discarded and what is sealed.
    Enforce,
}

impl Mode {
    /// A trial of these days, if it is not longer than a trial may be.
    pub fn trial(from: Date, until: Date) -> Option<Self> {
        let days = (until - from).get_days();
        (0..=check::LONGEST_TRIAL)
            .contains(&days)
            .then_some(Self::Trial { from, until })
    }

    /// Whether `today` is outside the trial: then the trap must be set to `enforce` by a human, for
    /// neither going on without erasing nor beginning to erase unasked keeps a promise.
    pub fn trial_is_over(&self, today: Date) -> bool {
        matches!(*self, Self::Trial { from, until } if today < from || today > until)
    }
}

/// A decision of the city: whose, and of which day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Name and office.
    pub by: String,
    /// The day.
    pub on: Date,
}

/// What is discarded unseen, and on whose word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Triage {
    /// How far sorting goes.
    pub choice: Choice,
    /// Who chose it and when.
    pub decision: Decision,
    /// Why.
    pub reason: String,
}

/// How far the trap may sort by itself (no default: the lawfulness of sorting is unsettled).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// Keeps every frame, redacted.
    Manual,
    /// Discards frames without vehicle and person.
    Empty,
    /// Also discards events that cannot lead to anyone.
    Irrelevant,
}

/// What is made unrecognisable, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    /// By day; by default `persons`.
    pub day: MaskPolicy,
    /// By night; by default `all-but`, for the networks miss half of the unlit walkers.
    pub night: MaskPolicy,
    /// What stands in place of what is masked.
    pub fill: Fill,
    /// Whether glazing of kept vehicles is masked; by default it is.
    pub occupants: Occupants,
}

/// What is masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskPolicy {
    /// What is found: persons, privacy zones.
    Persons,
    /// All but vehicle, plate and waste zone: fails closed.
    AllBut,
}

/// What stands in place of what is masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fill {
    /// A constant, never computed from what it hides (the default).
    Flat,
    /// Coarse cells; it reveals more, so somebody decided it.
    Mosaic(Decision),
}

/// Whether the people behind a kept vehicle's glazing are covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Occupants {
    /// They are.
    Mask,
    /// They are not.
    Leave,
}

/// What becomes of videos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Video {
    /// Stay on the card until it is wiped (the default).
    Leave,
    /// Are erased at once.
    Discard,
}

/// One camera and what the city decided for its site.
#[derive(Debug, Clone, PartialEq)]
pub struct Camera {
    /// Its name in every record.
    pub id: CameraId,
    /// Where it stands, in words.
    pub site: String,
    /// On what legal ground, as the city states it.
    pub regime: Regime,
    /// The folder where its card appears.
    pub card: PathBuf,
    /// Who may touch the card when.
    pub access: Access,
    /// The model its frames must name; a mismatch is flagged.
    pub model: Option<String>,
    /// The serial number its frames must name; a mismatch is flagged.
    pub serial: Option<String>,
    /// Where a vehicle must be to make an event.
    pub zone: Polygon,
    /// Where waste is left: stays visible under `all-but`.
    pub waste: Option<Polygon>,
    /// Always masked, first (dwellings: CSI art. L.251-3).
    pub privacy: Vec<Polygon>,
    /// Seconds to add to the camera's clock to get the true hour.
    pub clock_correction: i64,
}

impl Camera {
    /// Names this state of the polygons: it changes with any corner of any of them, and with nothing
    /// else. SHA-256 over each list's length and the corners' IEEE 754 bytes, little-endian.
    pub fn zone_version(&self) -> Digest {
        let mut hash = Sha256::new();
        hash.update(b"vigie zones\0");
        let mut polygons = |list: &[&Polygon]| {
            hash.update((list.len() as u64).to_le_bytes());
            for polygon in list {
                hash.update((polygon.0.len() as u64).to_le_bytes());
                for share in polygon.0.iter().flatten() {
                    hash.update(share.to_le_bytes());
                }
            }
        };
        polygons(&[&self.zone]);
        polygons(&self.waste.iter().collect::<Vec<_>>());
        polygons(&self.privacy.iter().collect::<Vec<_>>());
        Digest::from_bytes(hash.finalize().into())
    }
}

/// The legal ground of one camera: stands on every document; the program never says that it is right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regime {
    /// Which ground.
    pub kind: RegimeKind,
    /// Number of the arrêté, authorisation or by-law.
    pub reference: String,
    /// First day.
    pub from: Date,
    /// Last day.
    pub until: Date,
}

impl Regime {
    /// Whether `day` lies within its dates.
    pub fn covers(&self, day: Date) -> bool {
        (self.from..=self.until).contains(&day)
    }
}

/// The grounds that are claimed for camera traps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegimeKind {
    /// Vidéoprotection: CSI art. L.251-2 11°, authorised by the prefect.
    Videoprotection,
    /// An act of investigation, authorised by a magistrate.
    ActeEnquete,
    /// No text; contested, so the responsible and the DPO sign for it.
    SansTexte {
        /// Who answers for the processing.
        responsible: String,
        /// The data protection officer who was heard.
        dpo: String,
    },
    /// Québec: Loi and the municipal by-law.
    Quebec,
}

/// Who may touch the card when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// The card is a folder that is there or not.
    Mounted,
    /// Two commands of the integrator move the card from the camera to the box and back.
    Handover {
        /// Brings the card to the box; when it returns, the card is mounted.
        take: Vec<String>,
        /// Gives it back to the camera; must be harmless when the camera has it already.
        give: Vec<String>,
        /// How long the camera may be without its card.
        blind_at_most: BlindAtMost,
    },
}

/// What the threads of a round are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threads(NonZeroUsize);

impl Threads {
    /// As many as the machine has cores.
    pub fn of_this_machine() -> Self {
        Self(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }

    /// Whether the next frame is read and made ready, and the last one sealed, while the networks look at one.
    pub fn overlap(self) -> bool {
        self.0 > NonZeroUsize::MIN
    }

    /// For one network, where nothing is done beside it.
    pub fn alone(self) -> usize {
        self.0.get()
    }

    /// For one network, the thread beside it taken off.
    pub fn beside(self) -> usize {
        (self.0.get() - 1).max(1)
    }
}

impl Trap {
    /// How many threads work at once here.
    pub fn threads(&self) -> Threads {
        self.threads.map_or_else(Threads::of_this_machine, Threads)
    }

    /// Checks a configuration. `path` is named in messages, and relative paths count from its folder.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        check::trap(text, path)
    }

    /// Reads and checks the configuration at `path`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let unreadable = |source| Error::Unreadable {
            path: path.to_owned(),
            source,
        };
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes))
            .map_err(unreadable)?;
        if bytes.len() as u64 > LONGEST {
            return Err(Error::TooLong(path.to_owned()));
        }
        let text = String::from_utf8(bytes).map_err(|e| Error::NotUtf8 {
            at: Place::of(path, e.as_bytes(), e.utf8_error().valid_up_to()),
        })?;
        Self::parse(&text, path)
    }
}
