//! Keep or discard, by the city's recorded choice, each with its reason and the scores behind it.
//!
//! Promises: what [`Choice::Irrelevant`] keeps, [`Choice::Empty`] keeps too, and [`Choice::Manual`]
//! keeps everything. A frame with a person is never dropped alone from an event with a vehicle: it may
//! show the act. A night frame is never called empty on the scout's word alone (findings: at night the
//! scout sees .24 to .48 of the walkers). No verdict looks at what people do, and none ranks anyone.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::witnesses::{self, Role};
use super::zone::{self, Place};
use super::{Choice, Facts, Reason, Rules, clock};
use crate::frame::{CameraTime, Digest};
use crate::vision::geometry::Rect;
use crate::vision::{Detection, Light, Sighting};

/// From this score on the scout's word for a vehicle is good; below, it is kept as in doubt. (With .35,
/// the scouts of findings/models.md see about half a false vehicle per street picture; with .2, over two.)
const SURE: f32 = 0.35;

/// What stood this long is no one who came to unload. Longer than an hour, so that a camera whose
/// clock goes to summer time does not make a vehicle that has just come into one that was there before.
const STOOD_LONG: SignedDuration = SignedDuration::from_hours(2);

/// What is done with a frame as soon as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirstLook {
    /// Discard it now.
    Discard(Reason),
    /// Hold it on the card until its event is decided.
    Hold,
}

/// Empty by day: discarded now, unless the city chose to have nothing destroyed. Everything else waits.
pub fn first_look(sighting: &Sighting, choice: Choice) -> FirstLook {
    let seen = &sighting.objects;
    let empty = seen.vehicles.is_empty() && seen.persons.is_empty();
    match choice {
        Choice::Empty | Choice::Irrelevant if empty && sighting.light == Light::Day => {
            FirstLook::Discard(Reason::Empty)
        }
        _ => FirstLook::Hold,
    }
}

/// A vehicle that stood at the end of an event.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Where, in pixels of the upright frame.
    #[serde(rename = "box")]
    pub rect: Rect,
    /// In which frame it was first seen to end an event there.
    pub since: CameraTime,
}

/// What stands before one camera: the memory that tells a parked vehicle from one that comes.
///
/// Safe by being forgetful: a vehicle that the last frame of one event does not show, at its place,
/// has to stand for two hours anew; frames without a believable camera time make it forget everything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Scene {
    /// The vehicles that stood there at the end of the last event.
    pub standing: Vec<Standing>,
}

impl Scene {
    /// The scene after an event: to be put on record with its verdict, and passed with the next one.
    pub fn after(&self, event: &[Facts]) -> Self {
        let Some((last, now)) = event.last().and_then(|f| Some((f, believed(f)?))) else {
            return Self::default();
        };
        let stood = |rect: Rect| {
            let known = self
                .standing
                .iter()
                .filter(|s| zone::same_place(s.rect, rect) && s.since <= now);
            known.map(|s| s.since).min()
        };
        let standing = last.sighting.objects.vehicles.iter().map(|vehicle| Standing {
            rect: vehicle.rect,
            since: stood(vehicle.rect).unwrap_or(now),
        });
        Self {
            standing: standing.collect(),
        }
    }

    /// The places of those that stood long before this event began.
    fn parked_before(&self, event: &[Facts]) -> Vec<Rect> {
        let Some(now) = event.first().and_then(believed) else {
            return Vec::new();
        };
        let long = |s: &&Standing| now.0.duration_since(s.since.0) >= STOOD_LONG;
        self.standing.iter().filter(long).map(|s| s.rect).collect()
    }
}

fn believed(frame: &Facts) -> Option<CameraTime> {
    frame
        .taken
        .filter(|&taken| clock::plausible(taken, frame.arrived))
}

/// What an event showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// A vehicle, in the zone or at its edge, that had not been standing there for long.
    pub vehicle: bool,
    /// A person.
    pub person: bool,
}

/// What came before an event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// What stood there at the end of the previous event of this camera.
    pub scene: Scene,
    /// If this event was cut from the previous one ([`super::Boundary::is_cut`]): what that one showed.
    pub cut_from: Option<Shown>,
}

/// The best scores behind a verdict; `None` where nothing of the kind was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Of vehicles in the zone that had not been standing there for long.
    pub vehicle_in_zone: Option<f32>,
    /// Of all vehicles.
    pub vehicle: Option<f32>,
    /// Of persons.
    pub person: Option<f32>,
}

/// What becomes of one frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrameVerdict {
    /// Which.
    pub id: Digest,
    /// Kept, or discarded.
    pub keep: bool,
    /// Why.
    pub reason: Reason,
    /// What it was chosen for, where frames were chosen.
    pub role: Option<Role>,
    /// What it showed.
    pub scores: Scores,
}

/// What becomes of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether any of its frames is kept.
    pub keep: bool,
    /// Why.
    pub reason: Reason,
    /// Its frames, in order.
    pub frames: Vec<FrameVerdict>,
    /// The best scores of all its frames.
    pub scores: Scores,
    /// What it showed: to be passed as `cut_from` with an event that was cut from this one.
    pub shown: Shown,
}

/// The verdict on an event that is complete.
pub fn verdict(event: &[Facts], before: &Before, rules: &Rules) -> Verdict {
    let views = seen(event, &before.scene, rules);
    let shown = Shown {
        vehicle: views.iter().flat_map(|view| &view.vehicles).any(Vehicle::counts),
        person: event
            .iter()
            .any(|frame| !frame.sighting.objects.persons.is_empty()),
    };
    let decided = match rules.choice {
        Choice::Manual => event.iter().map(|_| Decided::keep(Reason::Manual)).collect(),
        Choice::Empty => without_empty(event, before.cut_from),
        Choice::Irrelevant => without_irrelevant(event, &views, before, shown, rules),
    };
    let frames: Vec<FrameVerdict> = event
        .iter()
        .zip(&views)
        .zip(decided)
        .map(|((frame, view), decided)| FrameVerdict {
            id: frame.id,
            keep: decided.keep,
            reason: decided.reason,
            role: decided.role,
            scores: view.scores(frame),
        })
        .collect();
    Verdict {
        keep: frames.iter().any(|frame| frame.keep),
        reason: leading(&frames),
        scores: frames
            .iter()
            .fold(Scores::default(), |best, frame| best.max(frame.scores)),
        frames,
        shown,
    }
}

/// The reason of the whole event: the one that keeps it, else the one that discards most of it.
fn leading(frames: &[FrameVerdict]) -> Reason {
    let kept = frames.iter().filter(|f| f.keep).map(|f| f.reason);
    let mut kept = kept.collect::<Vec<_>>();
    kept.sort_by_key(|&reason| reason == Reason::FollowsEvent);
    if let Some(&reason) = kept.first() {
        return reason;
    }
    let discarded = frames
        .iter()
        .map(|f| f.reason)
        .filter(|&reason| reason != Reason::Empty);
    let mut counts = BTreeMap::new();
    discarded.for_each(|reason| *counts.entry(reason).or_insert(0_usize) += 1);
    counts
        .into_iter()
        .max_by_key(|&(_, count)| count)
        .map_or(Reason::Empty, |(reason, _)| reason)
}

struct Decided {
    keep: bool,
    reason: Reason,
    role: Option<Role>,
}

impl Decided {
    fn keep(reason: Reason) -> Self {
        Self {
            keep: true,
            reason,
            role: None,
        }
    }

    fn discard(reason: Reason) -> Self {
        Self {
            keep: false,
            reason,
            role: None,
        }
    }
}

/// Only empty frames go; an empty-looking night frame follows its event, also over a cut.
fn without_empty(event: &[Facts], cut_from: Option<Shown>) -> Vec<Decided> {
    let shows = |frame: &Facts| !frame.looks_empty();
    let cut_from = cut_from.is_some_and(|shown| shown.vehicle || shown.person);
    let something = cut_from || event.iter().any(shows);
    let decide = |frame: &Facts| match (shows(frame), frame.by_night() && something) {
        (true, _) => Decided::keep(Reason::NotEmpty),
        (false, true) => Decided::keep(Reason::FollowsEvent),
        (false, false) => Decided::discard(Reason::Empty),
    };
    event.iter().map(decide).collect()
}

/// Without a vehicle in the zone there is no one to identify, and the event goes (minimisation).
fn without_irrelevant(
    event: &[Facts],
    views: &[View],
    before: &Before,
    shown: Shown,
    rules: &Rules,
) -> Vec<Decided> {
    let (keep, reason) = relevance(event, views, before, shown);
    let first = |frame: &Facts| first_look(&frame.sighting, rules.choice);
    let held: Vec<usize> = (0..event.len())
        .filter(|&i| first(&event[i]) == FirstLook::Hold)
        .collect();
    // The bounds of an event are guessed where a frame has no time: two acts may lie in it, and a
    // choice of witnesses could leave one out.
    let certain = event.iter().all(|frame| frame.taken.is_some());
    let chosen = match (keep, certain) {
        (false, _) => BTreeMap::new(),
        (true, true) => witnesses::choose(event, views, &held, rules.keep),
        (true, false) => held.iter().map(|&index| (index, None)).collect(),
    };
    (0..event.len())
        .map(|index| match (held.contains(&index), chosen.get(&index)) {
            (false, _) => Decided::discard(Reason::Empty),
            (true, Some(&role)) => Decided {
                keep: true,
                reason,
                role,
            },
            (true, None) if keep => Decided::discard(Reason::NotAWitness),
            (true, None) => Decided::discard(reason),
        })
        .collect()
}

/// Whether an event can lead to someone. In the order of the questions: the first yes decides.
fn relevance(event: &[Facts], views: &[View], before: &Before, shown: Shown) -> (bool, Reason) {
    let vehicles = || views.iter().flat_map(|view| &view.vehicles);
    if vehicles().any(|v| v.counts() && v.place == Place::Inside && v.is_sure()) {
        return (true, Reason::VehicleInZone);
    }
    if shown.vehicle || parked_in_doubt(event, views) {
        return (true, Reason::Unsure);
    }
    let cut_from_vehicle = before.cut_from.is_some_and(|from| from.vehicle);
    if cut_from_vehicle && (shown.person || event.iter().any(Facts::by_night)) {
        return (true, Reason::Unsure);
    }
    if shown.person && event.iter().any(|frame| frame.taken.is_none()) {
        return (true, Reason::Unsure);
    }
    let outside = vehicles().any(|v| !v.parked && v.place == Place::Outside);
    let parked = vehicles().any(|v| v.parked);
    match (outside, shown.person, parked) {
        (true, _, _) => (false, Reason::VehicleOutsideZone),
        (_, true, _) => (false, Reason::WalkerAlone),
        (_, _, true) => (false, Reason::Parked),
        _ => (false, Reason::Empty),
    }
}

/// A vehicle that had been standing in the zone, with someone beside it, or no longer there at the end.
fn parked_in_doubt(event: &[Facts], views: &[View]) -> bool {
    let parked = |view: &View| {
        view.vehicles
            .iter()
            .copied()
            .filter(|v| v.parked && v.place != Place::Outside)
            .collect()
    };
    let by_frame: Vec<Vec<Vehicle>> = views.iter().map(parked).collect();
    let attended = event.iter().zip(&by_frame).any(|(frame, parked)| {
        let persons = &frame.sighting.objects.persons;
        persons
            .iter()
            .any(|person| parked.iter().any(|v| zone::beside(person.rect, v.found.rect)))
    });
    let at_the_end = by_frame.last().map(Vec::as_slice).unwrap_or_default();
    let remains = |v: &Vehicle| {
        at_the_end
            .iter()
            .any(|w| zone::same_place(w.found.rect, v.found.rect))
    };
    attended || !by_frame.iter().flatten().all(remains)
}

/// A vehicle of one frame, and what it is to the event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vehicle {
    pub(super) found: Detection,
    pub(super) place: Place,
    /// It had been standing there for long before the event.
    pub(super) parked: bool,
}

impl Vehicle {
    /// Whether it makes an event.
    pub(super) fn counts(&self) -> bool {
        !self.parked && self.place != Place::Outside
    }

    fn is_sure(&self) -> bool {
        zone::is_sound(self.found.rect) && self.found.score >= SURE
    }
}

/// The vehicles of one frame.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) vehicles: Vec<Vehicle>,
}

impl View {
    fn scores(&self, frame: &Facts) -> Scores {
        let in_zone = self
            .vehicles
            .iter()
            .filter(|v| v.counts() && v.place == Place::Inside);
        Scores {
            vehicle_in_zone: best(in_zone.map(|v| v.found.score)),
            vehicle: best(self.vehicles.iter().map(|v| v.found.score)),
            person: best(frame.sighting.objects.persons.iter().map(|p| p.score)),
        }
    }
}

fn seen(event: &[Facts], scene: &Scene, rules: &Rules) -> Vec<View> {
    let parked = scene.parked_before(event);
    let view = |frame: &Facts| {
        let vehicles = frame.sighting.objects.vehicles.iter().map(|&found| Vehicle {
            found,
            place: zone::place(found.rect, &rules.zone, frame.sighting.size),
            parked: parked.iter().any(|&place| zone::same_place(place, found.rect)),
        });
        View {
            vehicles: vehicles.collect(),
        }
    };
    event.iter().map(view).collect()
}

impl Scores {
    fn max(self, other: Self) -> Self {
        Self {
            vehicle_in_zone: best(
                [self.vehicle_in_zone, other.vehicle_in_zone]
                    .into_iter()
                    .flatten(),
            ),
            vehicle: best([self.vehicle, other.vehicle].into_iter().flatten()),
            person: best([self.person, other.person].into_iter().flatten()),
        }
    }
}

fn best(scores: impl Iterator<Item = f32>) -> Option<f32> {
    scores.reduce(f32::max)
}
