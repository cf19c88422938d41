//! Deciding: from sightings to events, from events to verdicts, each with its reason and its scores.
//!
//! Promises: pure functions of values. No clock, no disk, no chance: the same frames give the same
//! events, verdicts and witnesses, today and after a crash. What is in doubt is kept: a false discard
//! loses an offence, a false keep costs an agent one key press. Nothing is destroyed that the city did
//! not choose to have destroyed ([`Choice`]). Leaves looking to `vision`, storing and erasing to `trap`.
//!
//! The way of a frame: [`first_look`] as soon as it was seen; [`events()`] groups the frames of one
//! camera; [`closed`] says when an event is complete; [`verdict()`] decides it and names its witnesses.

pub mod clock;
pub mod deadlines;
pub mod events;
pub mod scene;
pub mod verdict;
pub mod witnesses;
pub mod zone;

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::frame::{BoxTime, CameraTime, Digest};
use crate::vision::geometry::Polygon;
use crate::vision::{Light, Sighting};

pub use events::{Boundary, Closing, Span, Watch, by_place, closed, events, in_card_order};
pub use scene::{Scene, Standing};
pub use verdict::{Before, FirstLook, FrameVerdict, Scores, Shown, Verdict, first_look, verdict};
pub use witnesses::Role;

/// What triage knows of one frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Its bytes' digest.
    pub id: Digest,
    /// Its folder on the card, relative to the card's root; lossy text, for order only.
    pub folder: String,
    /// Its file name; lossy text, for order only.
    pub name: String,
    /// What the camera's clock said, corrected as configured; `None` where the frame does not say.
    pub taken: Option<CameraTime>,
    /// When the box first saw it, settled, on the card. Stored once: events must not move after a crash.
    pub arrived: BoxTime,
    /// What was seen in it.
    pub sighting: Sighting,
}

impl Facts {
    /// Neither a vehicle nor a person was seen.
    pub fn looks_empty(&self) -> bool {
        self.sighting.objects.vehicles.is_empty() && self.sighting.objects.persons.is_empty()
    }

    fn by_night(&self) -> bool {
        self.sighting.light == Light::Night
    }
}

/// What the city chose to have destroyed unseen (DESIGN §3); no default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// Nothing: every frame is kept, redacted.
    Manual,
    /// Frames that show neither vehicle nor person, nothing else.
    Empty,
    /// Also events that can lead to no one, and, of a kept event, what is not a witness.
    Irrelevant,
}

/// What the decisions of one camera follow.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// What may be destroyed.
    pub choice: Choice,
    /// Where a vehicle counts.
    pub zone: Polygon,
    /// Frames at most this far apart are one event.
    pub event_gap: Duration,
    /// No event is longer, and none is held longer.
    pub max_hold: Duration,
    /// Under [`Choice::Irrelevant`], how many frames of a kept event are kept at most.
    pub keep: NonZeroUsize,
}

/// Why a frame or an event is kept or discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Discard: neither vehicle nor person; at night, not in the whole event.
    Empty,
    /// Discard: persons, and no vehicle by which anyone could be identified.
    WalkerAlone,
    /// Discard: only vehicles that have been standing there for long, and no one beside them.
    Parked,
    /// Discard: vehicles were seen, all clearly outside the zone.
    VehicleOutsideZone,
    /// Discard: its event is kept, and other frames stand for it.
    NotAWitness,
    /// Keep: a vehicle was surely seen in the zone.
    VehicleInZone,
    /// Keep: in doubt.
    Unsure,
    /// Keep: a vehicle or a person was seen, and the city has only empty frames destroyed.
    NotEmpty,
    /// Keep: an empty-looking night frame of an event that shows something.
    FollowsEvent,
    /// Keep: the city has nothing destroyed unseen.
    Manual,
}
