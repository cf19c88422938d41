//! Which frames of a kept event stand for it: the others are destroyed.
//!
//! Promises: at most `keep`, the same ones each time; with two or more, the first and the last frame
//! are among them; the best view of a plate always is, from three on. Leaves whether an event is kept
//! at all to `verdict`.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::Facts;
use super::verdict::View;
use super::zone::{self, Place};
use crate::vision::geometry::Rect;

/// A vehicle that the frame's edge may cut is worth this share of one that is whole: the plate is
/// rarely on the half that is seen.
const CUT: f32 = 0.25;

/// What a frame was chosen for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It begins the event.
    First,
    /// It ends the event.
    Last,
    /// The largest whole view of a vehicle in the zone, in its part of the event.
    PlateView,
    /// The largest person beside a vehicle, in its part of the event.
    PersonBeside,
    /// It fills the longest time without a witness.
    Spread,
}

/// At most `keep` of the frames `held` (indices into `event`, ascending), and what for.
///
/// A third of the places for plates, a third for persons beside a vehicle, each spread over the event
/// (a vehicle shows its front when it comes and its rear when it leaves); the rest evenly over time.
pub(super) fn choose(
    event: &[Facts],
    views: &[View],
    held: &[usize],
    keep: NonZeroUsize,
) -> BTreeMap<usize, Option<Role>> {
    let mut chosen = BTreeMap::new();
    let plate = |index: usize| plate_view(&event[index], &views[index]);
    let person = |index: usize| person_beside(&event[index], &views[index]);
    let keep = keep.get();
    if keep >= 2 {
        for (index, role) in [(held.first(), Role::First), (held.last(), Role::Last)] {
            index.into_iter().for_each(|&index| {
                chosen.entry(index).or_insert(role);
            });
        }
    }
    let places = keep.saturating_sub(chosen.len());
    let third = places.div_ceil(3);
    add_best(&mut chosen, held, plate, third, keep, Role::PlateView);
    add_best(&mut chosen, held, person, third, keep, Role::PersonBeside);
    let positions = positions(event, held);
    while chosen.len() < keep {
        let Some(index) = farthest(held, &positions, &chosen) else {
            break;
        };
        chosen.insert(index, Role::Spread);
    }
    chosen
        .into_iter()
        .map(|(index, role)| (index, Some(role)))
        .collect()
}

/// Splits the frames that have any worth into `parts` runs and takes the best of each; the earlier of equals.
fn add_best(
    chosen: &mut BTreeMap<usize, Role>,
    held: &[usize],
    worth: impl Fn(usize) -> f32,
    parts: usize,
    keep: usize,
    role: Role,
) {
    let worthy: Vec<(usize, f32)> = held
        .iter()
        .map(|&index| (index, worth(index)))
        .filter(|&(_, worth)| worth > 0.0)
        .collect();
    let run = worthy.len().div_ceil(parts.max(1)).max(1);
    let mut bests: Vec<(usize, f32)> = worthy
        .chunks(run)
        .filter_map(|part| part.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a }))
        .collect();
    // The best of all first: a frame chosen already leaves its place to the next one.
    bests.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    for (index, _) in bests.into_iter().take(parts) {
        if chosen.len() < keep {
            chosen.entry(index).or_insert(role);
        }
    }
}

/// How well a plate might be seen: the surface of the largest vehicle that counts, in square pixels.
fn plate_view(frame: &Facts, view: &View) -> f32 {
    let (w, h) = (
        frame.sighting.size.width as f32,
        frame.sighting.size.height as f32,
    );
    let margin = 0.01 * w.min(h);
    let is_whole =
        |r: Rect| r.x >= margin && r.y >= margin && r.right() <= w - margin && r.bottom() <= h - margin;
    let worth = |r: Rect| if is_whole(r) { r.area() } else { CUT * r.area() };
    let vehicles = view
        .vehicles
        .iter()
        .filter(|v| v.counts() && zone::is_sound(v.found.rect));
    vehicles.map(|v| worth(v.found.rect)).fold(0.0, f32::max)
}

/// The surface of the largest person beside a vehicle in or at the zone, parked or not, in square pixels.
fn person_beside(frame: &Facts, view: &View) -> f32 {
    let vehicles = || view.vehicles.iter().filter(|v| v.place != Place::Outside);
    let persons = frame.sighting.objects.persons.iter().map(|person| person.rect);
    let beside = persons.filter(|&p| zone::is_sound(p) && vehicles().any(|v| zone::beside(p, v.found.rect)));
    beside.map(|person| person.area()).fold(0.0, f32::max)
}

/// Seconds since the first frame, by the camera; frames without time, or with one before their
/// predecessor's, stand where it stood.
fn positions(event: &[Facts], held: &[usize]) -> Vec<f64> {
    let start = held.iter().find_map(|&index| event[index].taken);
    let mut position = 0.0_f64;
    let at = |&index: &usize| {
        if let (Some(start), Some(taken)) = (start, event[index].taken) {
            position = position.max(taken.0.duration_since(start.0).as_secs_f64());
        }
        position
    };
    held.iter().map(at).collect()
}

/// The frame that is farthest in time from all that are chosen; among equals, in number; then the earlier.
fn farthest(held: &[usize], positions: &[f64], chosen: &BTreeMap<usize, Role>) -> Option<usize> {
    let is_chosen = |place: &usize| chosen.contains_key(&held[*place]);
    let taken: Vec<usize> = (0..held.len()).filter(is_chosen).collect();
    let distance = |place: usize| {
        let nearest = |far: f64, other: &usize| far.min((positions[place] - positions[*other]).abs());
        let time = taken.iter().fold(f64::INFINITY, nearest);
        let number = taken
            .iter()
            .map(|other| place.abs_diff(*other))
            .min()
            .unwrap_or(usize::MAX);
        (time, number)
    };
    let free = (0..held.len())
        .filter(|place| !is_chosen(place))
        .map(|place| (place, distance(place)));
    let best = free.reduce(|a, b| {
        let order = b.1.0.total_cmp(&a.1.0).then(b.1.1.cmp(&a.1.1));
        if order.is_gt() { b } else { a }
    });
    best.map(|(place, _)| held[place])
}
