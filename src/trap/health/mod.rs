//! How the box is doing: one document, for a person, for firmware, for a script.
//!
//! Promises: what is said is what was read, by the time that was passed in; what is not known is null and never guessed;
//! [`Health::degraded`] names everything that wants a hand, in stable words of docs/commands.md. Nothing here names a
//! plate, a person or a file. The judgement is made here, purely; [`reading`] does the looking.

pub mod reading;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::config;
use crate::frame::{BoxTime, CameraId, CameraTime, Digest, EventId};
use crate::triage::clock;
use crate::triage::deadlines::{Due, Mark, due};
use crate::vault::journal;
use crate::vault::keys::{Role, ring};
use crate::vault::store::{HEAD_ROOM, Room};
use crate::vault::{Epoch, Fingerprint};

use super::terms::WipeTerm;
use super::wiping::later;
use super::witness::corrected;

/// Below this, soon no event will fit.
const LITTLE_ROOM: Room = Room {
    bytes: 4 * HEAD_ROOM.bytes,
    files: 4 * HEAD_ROOM.files,
};

/// Boards of the kind that stands beside cameras slow themselves down from here on.
const HOT: f64 = 80.0;

/// How the box is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Whether the card is erased.
    pub mode: Mode,
    /// The last day of a trial.
    pub trial_ends: Option<Date>,
    /// Each configured camera.
    pub cameras: Vec<CameraHealth>,
    /// Sealed events in the store.
    pub events: Vec<SealedEvent>,
    /// Lines of the journal.
    pub journal_lines: u64,
    /// Number and hash of its last line.
    pub journal_head: Option<String>,
    /// The earliest day by which a card must be wiped.
    pub wipe_due: Option<Date>,
    /// Whether that day is over.
    pub wipe_overdue: bool,
    /// Bytes that may still be written to the store's disk.
    pub free_bytes: Option<u64>,
    /// Files, where the file system counts them.
    pub free_files: Option<u64>,
    /// To whom the box seals.
    pub keys: Keys,
    /// Number of the last bundle that was written.
    pub last_bundle: Option<u64>,
    /// Number of the last return file that was taken.
    pub last_return: Option<u64>,
    /// The box's clock.
    pub clock: BoxClock,
    /// The networks that look, by job and name.
    pub networks: Vec<NetworkFile>,
    /// ONNX Runtime.
    pub runtime: Option<RuntimeVersion>,
    /// Degrees Celsius, where the kernel tells: the hottest of its zones.
    pub temperature: Option<f64>,
    /// Since the box was started.
    pub uptime_seconds: Option<u64>,
    /// What the running service says of itself; null where none was asked.
    pub service: Option<Running>,
    /// What is not as it should be.
    pub degraded: Vec<Concern>,
}

/// Whether the card is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It is not.
    Trial,
    /// It is.
    Enforce,
}

/// One camera and its card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CameraHealth {
    /// Its name.
    pub id: CameraId,
    /// Where it stands.
    pub site: String,
    /// Whether its card's folder is there.
    pub card_there: bool,
    /// Frames that wait for their event.
    pub held: u64,
    /// Decided frames that are still on the card.
    pub waiting_for_erasure: u64,
    /// Frames that were taken and are gone from it.
    pub gone: u64,
    /// Files that cannot be taken.
    pub left: u64,
    /// Those of them over which the program was ended: they are not tried again.
    pub set_aside: u64,
    /// Files on the card that the running service has not got to yet.
    pub backlog: Option<u64>,
    /// When the last frame was taken off the card.
    pub last_frame: Option<BoxTime>,
    /// Its clock.
    pub clock: CameraClock,
}

/// What is known of a camera's clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameraClock {
    /// Seconds that the city has added to it.
    pub correction: i64,
    /// What it said last, uncorrected.
    pub last_taken: Option<CameraTime>,
    /// Seconds that the corrected clock stood ahead of the box's UTC, at least: the most that was seen in the last frames.
    /// Holds the camera's zone and its error, less the shortest time that a frame lay on the card.
    pub ahead_seconds: Option<i64>,
    /// Whether it can be believed.
    pub plausible: Option<bool>,
}

/// A sealed event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedEvent {
    /// Its name.
    pub event: EventId,
    /// Sealed files.
    pub items: u64,
    /// When.
    pub sealed: String,
}

/// To whom the box seals.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Keys {
    /// Quarters of which both keys are there.
    pub quarters: Vec<Epoch>,
    /// The keys that are sealed to now.
    pub sealing_to: Vec<SealingKey>,
    /// Keys that are sealed to no more.
    pub revoked: Vec<Fingerprint>,
}

/// One key that is sealed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealingKey {
    /// Whose.
    pub kind: Role,
    /// Of which quarter.
    pub epoch: Epoch,
    /// Which.
    pub fingerprint: Fingerprint,
}

/// The box's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoxClock {
    /// What it says.
    pub now: BoxTime,
    /// How far it can be believed.
    pub state: ClockState,
}

/// How far the box's clock can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockState {
    /// It goes on from what was written before.
    InStep,
    /// It stands before what was written last.
    Behind,
    /// It has leapt ahead, and terms are not counted on that yet.
    Ahead,
    /// It was never set.
    Unset,
}

/// A network's file, as the manifest pins it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkFile {
    /// Job and network.
    pub name: String,
    /// Its hash.
    pub sha256: Digest,
}

/// ONNX Runtime, as the manifest pins it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeVersion {
    /// As its makers number it.
    pub version: String,
    /// The library's hash.
    pub sha256: Digest,
}

/// What a running service says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Seconds since it was started.
    pub seconds: u64,
    /// How often it was started again since the box was, or since it was stopped on purpose; null where nobody counts.
    pub restarts: Option<u64>,
    /// Rounds over a card that it began.
    pub rounds: u64,
    /// Whether it has a card in hand now.
    pub at_work: bool,
    /// Whether it was asked to rest (`flush`), and does.
    pub resting: bool,
    /// Files not got to yet, camera by camera; told as each camera's `backlog`.
    #[serde(skip)]
    pub backlog: BTreeMap<CameraId, u64>,
}

/// Why the box is not as it should be.
#[derive(Debug, Serialize, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Concern {
    /// No frame was ever taken.
    NoVaultYet,
    /// A card is not there.
    CardAbsent,
    /// Files cannot be taken.
    FilesLeft,
    /// The program was ended over a file, which it leaves alone now.
    FrameStuck,
    /// The trial is over.
    TrialOver,
    /// The legal ground of a camera is not in force.
    RegimeNotInForce,
    /// A wipe is overdue.
    WipeOverdue,
    /// A card could not be wiped whole.
    WipeInPart,
    /// Little room.
    LittleRoom,
    /// No room.
    StoreFull,
    /// Nothing is erased: the desk has proven nothing yet.
    NoReturnFile,
    /// The box's clock is not to be believed.
    ClockWrong,
    /// A camera's clock is not to be believed.
    CameraClockWrong,
    /// The networks or the runtime are not where they should be.
    NetworksMissing,
    /// The board is too hot to work at full speed.
    Hot,
    /// The keys.
    #[serde(untagged)]
    Keys(ring::Concern),
}

/// What was read, for the judgement.
struct Found<'a> {
    config: &'a config::Trap,
    today: Date,
    vault: bool,
    room: Option<Room>,
    wipe_in_part: bool,
    networks: bool,
}

/// What is not as it should be, but for the keys.
fn judged(health: &Health, found: &Found<'_>) -> Vec<Concern> {
    let cameras = &health.cameras;
    let covered = |camera: &config::Camera| camera.regime.covers(found.today);
    let holds = |room| found.room.is_none_or(|free| free.holds(room));
    let concerns = [
        (!found.vault, Concern::NoVaultYet),
        (cameras.iter().any(|c| !c.card_there), Concern::CardAbsent),
        (cameras.iter().any(|c| c.left > 0), Concern::FilesLeft),
        (cameras.iter().any(|c| c.set_aside > 0), Concern::FrameStuck),
        (found.config.mode.trial_is_over(found.today), Concern::TrialOver),
        (
            !found.config.cameras.iter().all(covered),
            Concern::RegimeNotInForce,
        ),
        (health.wipe_overdue, Concern::WipeOverdue),
        (found.wipe_in_part, Concern::WipeInPart),
        (holds(HEAD_ROOM) && !holds(LITTLE_ROOM), Concern::LittleRoom),
        (!holds(HEAD_ROOM), Concern::StoreFull),
        (health.clock.state != ClockState::InStep, Concern::ClockWrong),
        (
            cameras.iter().any(|c| c.clock.plausible == Some(false)),
            Concern::CameraClockWrong,
        ),
        (!found.networks, Concern::NetworksMissing),
        (
            health.temperature.is_some_and(|degrees| degrees >= HOT),
            Concern::Hot,
        ),
    ];
    let is_so = concerns.into_iter().filter(|(so, _)| *so);
    is_so.map(|(_, concern)| concern).collect()
}

impl CameraClock {
    /// From the last frames: what the camera's clock said, and when each came into the box's hands.
    fn of(frames: &[(Option<CameraTime>, BoxTime)], correction: i64) -> Self {
        let newest = frames.iter().max_by_key(|(_, arrived)| *arrived);
        let last_taken = newest.and_then(|(taken, _)| *taken);
        let right = |taken: CameraTime| corrected(taken, correction);
        let ahead = |(taken, arrived): &(Option<CameraTime>, BoxTime)| {
            let arrived = arrived.is_set().then(|| TimeZone::UTC.to_datetime(arrived.0))?;
            Some(right((*taken)?)?.0.duration_since(arrived).as_secs())
        };
        Self {
            correction,
            last_taken,
            ahead_seconds: frames.iter().filter_map(ahead).max(),
            plausible: newest
                .and_then(|(taken, arrived)| Some(clock::plausible((*taken).and_then(right)?, *arrived))),
        }
    }
}

impl BoxClock {
    fn of(now: BoxTime, last_line: Option<BoxTime>, mark: Option<Mark>) -> Self {
        let state = match journal::Clock::judge(now, last_line) {
            journal::Clock::Unset => ClockState::Unset,
            journal::Clock::Behind => ClockState::Behind,
            journal::Clock::Set if mark.is_some_and(|mark| mark.leap.is_some()) => ClockState::Ahead,
            journal::Clock::Set => ClockState::InStep,
        };
        Self { now, state }
    }
}

/// The day by which a card must be wiped, and whether it is over.
fn wipe_day(
    term: Option<&WipeTerm>,
    first: Option<BoxTime>,
    mark: Mark,
    period: Duration,
) -> Option<(Date, bool)> {
    let since = term.map(|term| term.since).or(first)?;
    let day = later(since, period).0.to_zoned(TimeZone::UTC).date();
    Some((day, due(since, mark, period) == Due::Now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> BoxTime {
        BoxTime(text.parse().expect("an instant"))
    }

    fn taken(text: &str) -> Option<CameraTime> {
        Some(CameraTime(text.parse().expect("a civil time")))
    }

    #[test]
    fn a_cameras_clock_is_measured_by_the_frame_that_waited_least() {
        let frames = [
            (taken("2026-10-20T10:00:00"), at("2026-10-20T08:30:00Z")),
            (taken("2026-10-20T11:00:00"), at("2026-10-20T09:00:04Z")),
            (None, at("2026-10-20T09:30:00Z")),
        ];
        let clock = CameraClock::of(&frames, 60);
        assert_eq!(clock.ahead_seconds, Some(2 * 3600 - 4 + 60));
        assert_eq!((clock.last_taken, clock.plausible), (None, None));
        let clock = CameraClock::of(&frames[..2], 0);
        assert_eq!(clock.last_taken, taken("2026-10-20T11:00:00"));
        assert_eq!(clock.plausible, Some(true));
        assert_eq!(
            CameraClock::of(&[], 7),
            CameraClock {
                correction: 7,
                ..CameraClock::default()
            }
        );
    }

    #[test]
    fn a_camera_that_lost_its_hour_is_not_believed_and_a_box_that_did_measures_nothing() {
        let reset = [(taken("2015-01-01T00:00:09"), at("2026-10-20T08:00:00Z"))];
        assert_eq!(CameraClock::of(&reset, 0).plausible, Some(false));
        let unset = [(taken("2026-10-20T08:00:00"), at("1970-01-01T00:00:09Z"))];
        assert_eq!(CameraClock::of(&unset, 0).ahead_seconds, None);
    }

    #[test]
    fn the_boxs_clock_is_judged_by_what_was_written_before() {
        let now = at("2026-10-20T08:00:00Z");
        let leap = Mark {
            leap: Some(now),
            ..Mark::new(at("2026-01-01T00:00:00Z"))
        };
        let table = [
            (now, None, None, ClockState::InStep),
            (
                now,
                Some(at("2026-10-20T07:00:00Z")),
                Some(Mark::new(now)),
                ClockState::InStep,
            ),
            (now, Some(at("2026-10-20T09:00:00Z")), None, ClockState::Behind),
            (now, None, Some(leap), ClockState::Ahead),
            (at("1970-01-01T00:01:00Z"), None, None, ClockState::Unset),
        ];
        for (now, last, mark, state) in table {
            assert_eq!(BoxClock::of(now, last, mark).state, state);
        }
    }

    #[test]
    fn concerns_are_words_and_are_read_again() {
        for (concern, word) in [
            (Concern::FrameStuck, "\"frame-stuck\""),
            (Concern::Keys(ring::Concern::NoRecipient), "\"no-recipient\""),
        ] {
            assert_eq!(serde_json::to_string(&concern).expect("a word"), word);
            assert_eq!(serde_json::from_str::<Concern>(word).expect("one"), concern);
        }
    }
}
