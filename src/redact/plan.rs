//! The plan: from what was seen in a frame to what must be hidden of it. Pure.
//!
//! Promises: fail-closed. What was not looked at is hidden whole; where a silhouette is unsure the
//! whole box is hidden; no box is too small; boxes are united, never suppressed; privacy zones are
//! always hidden. A plan knows which boxes it was made of, so the manifest cannot tell another story.
//! Leaves finding to `vision`, and which policy applies by day and by night to its caller.

use serde::{Deserialize, Serialize};

use super::mask::{Canvas, Mask};
use crate::vision::geometry::{Polygon, Rect};
use crate::vision::{Detection, Plate, Silhouette};

/// Boxes are hidden this much larger on each side: guard boxes cut off heads and hands otherwise
/// (findings: 10 % instead of 5 % saves .02 to .05 of head leak).
const BOX_MARGIN: f32 = 0.1;
/// A cell of a silhouette surer than this is body; .91 of a person's pixels are, .96 once widened.
const BODY: f32 = 0.1;
/// A silhouette is widened by this share of the person's height.
const BODY_MARGIN: f32 = 0.04;
/// Below the grown box's top edge, this share of the person's height is hidden whatever the silhouette
/// says: the head and the shoulders.
const HEAD: f32 = 0.35;
/// A smaller person, in pixels of height, has no silhouette worth having.
const LEAST_HEIGHT: f32 = 96.0;
/// Overlap (IoU) at which a box without a silhouette is the same person as one with a sure silhouette.
const SAME_PERSON: f32 = 0.7;
/// A box is a part of a surer person where so much of it lies in that person's grown box, so much of it is hidden
/// with that person, and its own score is below this.
const PART_INSIDE: f32 = 0.8;
const PART_HIDDEN: f32 = 0.5;
const PART_BELOW: f32 = 0.35;
/// Overlap (IoU) at which a person of the frame before or after is one that was seen in this frame too.
const SEEN_AGAIN: f32 = 0.5;
/// The outline is rounded to steps of at least this many pixels, and to at least this share of the
/// person's height, so that it tells posture but not who.
const OUTLINE_STEP: f32 = 16.0;
const OUTLINE_SHARE: f32 = 1.0 / 32.0;
/// Windscreen and side windows of cars, vans and buses lie above this share of a vehicle box's height;
/// rear plates begin just below it (looked at on street pictures by day and by night).
const GLAZING: f32 = 0.5;
/// Under `all-but`, vehicles and plates are shown this much larger on each side.
const SHOWN_MARGIN: f32 = 0.05;

/// What the city decided to hide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// The persons that were found.
    Persons,
    /// Everything but vehicles, plates and the waste zone, and the persons found in these.
    AllBut,
}

/// Whether the glazing of vehicles is hidden, behind which occupants may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occupants {
    /// Hidden (always so under [`Policy::AllBut`]).
    Mask,
    /// Shown, unless a person was found there.
    Leave,
}

/// The city's rules for one frame.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// What to hide.
    pub policy: Policy,
    /// What to do with windows.
    pub occupants: Occupants,
    /// Always hidden; shares of the upright frame.
    pub privacy: &'a [Polygon],
    /// Shown under [`Policy::AllBut`]; shares of the upright frame.
    pub waste: Option<&'a Polygon>,
}

/// A person that the guard saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// Where, and how surely.
    pub seen: Detection,
    /// The body's outline, where it was looked for.
    pub silhouette: Option<Silhouette>,
}

/// What was seen by a guard that did its work.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// All of the guard's boxes, not suppressed.
    pub persons: Vec<Person>,
    /// Vehicles.
    pub vehicles: Vec<Detection>,
    /// Plates.
    pub plates: Vec<Plate>,
    /// Persons that the scout saw in this frame and in those up to 2 s before and after.
    pub neighbours: Vec<Detection>,
}

/// What is known of a frame. There is no way to say "nobody there" for a frame that was not looked at.
#[derive(Debug, Clone, PartialEq)]
pub enum Evidence {
    /// The guard failed, timed out or was not run.
    Unseen,
    /// The guard looked at the whole frame.
    Seen(Seen),
}

/// What the manifest and the agent must be told about a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flag {
    /// Nobody looked at the frame: all of it is hidden.
    Unseen,
    /// A plate is hidden, wholly or in part, by a person, a neighbour or a privacy zone.
    PlateCovered,
    /// A place is hidden because the scout saw a person there, in this frame or within 2 s.
    NeighbourCovered,
}

/// What to hide of one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub(super) canvas: Canvas,
    pub(super) policy: Policy,
    pub(super) mask: Mask,
    /// The part of the mask that a mosaic may fill: persons and glazing. The rest is always flat.
    pub(super) figures: Mask,
    /// Height in pixels of the tallest person hidden.
    pub(super) tallest: f32,
    pub(super) flags: Vec<Flag>,
    pub(super) found: Found,
}

/// The boxes that a plan was made of, in pixels of the upright frame.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// Persons.
    pub persons: Vec<Detection>,
    /// Vehicles.
    pub vehicles: Vec<Detection>,
    /// Plates, found but never read.
    pub plates: Vec<Plate>,
}

impl Plan {
    /// What these rules hide of a frame of which this is known.
    pub fn new(canvas: Canvas, rules: &Rules<'_>, evidence: &Evidence) -> Self {
        match evidence {
            Evidence::Unseen => Self {
                canvas,
                policy: Policy::AllBut,
                mask: Mask::all(canvas.grid),
                figures: Mask::none(canvas.grid),
                tallest: 0.0,
                flags: vec![Flag::Unseen],
                found: Found::default(),
            },
            Evidence::Seen(seen) => Self::of_seen(canvas, rules, seen),
        }
    }

    /// The MCUs to hide.
    pub fn mask(&self) -> &Mask {
        &self.mask
    }

    /// What is to be told about it.
    pub fn flags(&self) -> &[Flag] {
        &self.flags
    }

    fn of_seen(canvas: Canvas, rules: &Rules<'_>, seen: &Seen) -> Self {
        let mut flags = Vec::new();
        let mut figures = persons(&canvas, &seen.persons);
        let neighbours = neighbours(&canvas, seen, &figures);
        if !neighbours.is_empty() {
            flags.push(Flag::NeighbourCovered);
            figures.unite(&neighbours);
        }
        let mut mask = figures.clone();
        let mut places = Mask::none(canvas.grid);
        for zone in rules.privacy {
            canvas.hide_polygon(&mut places, zone);
        }
        if rules.policy == Policy::AllBut {
            places.unite(&all_but(&canvas, rules, seen));
        }
        mask.unite(&places);
        if seen.plates.iter().any(|p| canvas.is_partly_hidden(&mask, p.rect)) {
            flags.push(Flag::PlateCovered);
        }
        if rules.policy == Policy::AllBut || rules.occupants == Occupants::Mask {
            let glazing = glazing(&canvas, seen);
            figures.unite(&glazing);
            mask.unite(&glazing);
        }
        figures.subtract(&places);
        flags.sort_unstable();
        let everyone = seen.persons.iter().map(|p| &p.seen).chain(&seen.neighbours);
        Self {
            canvas,
            policy: rules.policy,
            mask,
            figures,
            tallest: everyone.map(|p| p.rect.h).fold(0.0, f32::max),
            flags,
            found: Found {
                persons: seen.persons.iter().map(|p| p.seen).collect(),
                vehicles: seen.vehicles.clone(),
                plates: seen.plates.clone(),
            },
        }
    }
}

/// The union of all persons: first those whose outline is known, then the others, surest first.
fn persons(canvas: &Canvas, persons: &[Person]) -> Mask {
    let mut mask = Mask::none(canvas.grid);
    let (outlined, others): (Vec<_>, Vec<_>) = persons
        .iter()
        .map(|person| (person, sure_silhouette(person)))
        .partition(|(_, silhouette)| silhouette.is_some());
    for (person, silhouette) in &outlined {
        let rect = person.seen.rect;
        let mut figure = Mask::none(canvas.grid);
        canvas.hide(&mut figure, head(rect));
        if let Some(silhouette) = silhouette {
            canvas.hide_silhouette(&mut figure, silhouette, BODY, BODY_MARGIN * rect.h);
        }
        mask.unite(&quantised(canvas, &figure, rect));
    }
    let outlines: Vec<Detection> = outlined.iter().map(|(person, _)| person.seen).collect();
    let figures = mask.clone();
    for (person, _) in others {
        let seen = person.seen;
        let mut figure = Mask::none(canvas.grid);
        // The guard's boxes are not suppressed: most are once more a person whose outline is known ...
        if outlines.iter().any(|o| o.rect.iou(&seen.rect) >= SAME_PERSON) {
            canvas.hide(&mut figure, head(seen.rect));
        } else if !is_part(canvas, &figures, &outlines, &seen) {
            canvas.hide(&mut figure, seen.rect.grown(BOX_MARGIN));
        }
        mask.unite(&quantised(canvas, &figure, seen.rect));
    }
    mask
}

/// ... or a part of one: a weaker box that lies in a surer person's, and is mostly hidden with that person.
fn is_part(canvas: &Canvas, figures: &Mask, outlines: &[Detection], seen: &Detection) -> bool {
    let within = |o: &Detection| {
        let shared = o.rect.grown(BOX_MARGIN).intersection(&seen.rect).area();
        o.score > seen.score && shared >= PART_INSIDE * seen.rect.area()
    };
    seen.score < PART_BELOW
        && outlines.iter().any(within)
        && canvas.hidden_share(figures, seen.rect) >= PART_HIDDEN
}

/// The outline in steps, so that it tells posture but not who.
fn quantised(canvas: &Canvas, figure: &Mask, person: Rect) -> Mask {
    let step = (OUTLINE_SHARE * person.h).max(OUTLINE_STEP);
    let [columns, rows] = canvas.grid.unit.map(|u| (step / f32::from(u)).ceil() as u32);
    figure.coarsened(columns, rows)
}

/// The part of a person's grown box in which the head is.
fn head(person: Rect) -> Rect {
    let grown = person.grown(BOX_MARGIN);
    Rect {
        h: HEAD * person.h,
        ..grown
    }
}

/// The silhouette, where it can be trusted to show a whole upright body: a person tall enough, in a
/// box taller than wide (a bent body has its head anywhere), whose cells fill the box from near its
/// top to its bottom and cover a plausible share of it, part of them surely.
fn sure_silhouette(person: &Person) -> Option<&Silhouette> {
    let rect = person.seen.rect;
    let silhouette = person.silhouette.as_ref()?;
    let side = silhouette.side;
    let sound = side > 0 && silhouette.body.len() == side * side;
    if !sound || rect.h < LEAST_HEIGHT || rect.w > rect.h {
        return None;
    }
    let cell = [silhouette.square.w, silhouette.square.h].map(|s| s / side as f32);
    let (mut body, mut core, mut inside) = (0u32, 0u32, 0u32);
    let (mut top, mut bottom) = (f32::INFINITY, f32::NEG_INFINITY);
    for (index, &value) in silhouette.body.iter().enumerate() {
        let x = silhouette.square.x + (0.5 + (index % side) as f32) * cell[0];
        let y = silhouette.square.y + (0.5 + (index / side) as f32) * cell[1];
        if !rect.contains([x, y]) {
            continue;
        }
        inside += 1;
        core += u32::from(value > 0.5);
        if value > BODY {
            body += 1;
            top = top.min(y);
            bottom = bottom.max(y);
        }
    }
    let share = |count: u32| count as f32 / inside.max(1) as f32;
    let plausible = (0.2..=0.95).contains(&share(body)) && share(core) >= 0.1;
    let whole = top <= rect.y + 0.2 * rect.h && bottom - top >= 0.7 * rect.h;
    (plausible && whole).then_some(silhouette)
}

/// Where a person of the frames around stood and none was found: hidden too, for a network that sees
/// somebody in one frame of a burst often misses the same body in the next.
fn neighbours(canvas: &Canvas, seen: &Seen, hidden: &Mask) -> Mask {
    let mut mask = Mask::none(canvas.grid);
    let again = |rect: &Rect| {
        let persons = seen.persons.iter();
        persons.map(|p| p.seen.rect).any(|p| p.iou(rect) >= SEEN_AGAIN)
    };
    for neighbour in &seen.neighbours {
        let grown = neighbour.rect.grown(BOX_MARGIN);
        if !again(&neighbour.rect) && !canvas.is_hidden(hidden, grown) {
            canvas.hide(&mut mask, grown);
        }
    }
    mask
}

/// Everything but vehicles, plates and the waste zone. Vehicles and the zone are rounded inward, plates
/// outward, for a plate must stay legible to its edge.
fn all_but(canvas: &Canvas, rules: &Rules<'_>, seen: &Seen) -> Mask {
    let mut mask = Mask::all(canvas.grid);
    for vehicle in &seen.vehicles {
        mask.subtract(&canvas.inside(&canvas.corners(vehicle.rect.grown(SHOWN_MARGIN))));
    }
    for plate in &seen.plates {
        mask.subtract(&canvas.around(plate.rect.grown(SHOWN_MARGIN)));
    }
    if let Some(zone) = rules.waste {
        mask.subtract(&canvas.inside(zone));
    }
    mask
}

/// The glazing of all vehicles, never a plate: where one vehicle's windows and another's plate share an
/// MCU, the plate stays.
fn glazing(canvas: &Canvas, seen: &Seen) -> Mask {
    let mut mask = Mask::none(canvas.grid);
    for Detection { rect, .. } in &seen.vehicles {
        let shown = rect.grown(SHOWN_MARGIN);
        let band = Rect::from_edges(shown.x, shown.y, shown.right(), rect.y + GLAZING * rect.h);
        canvas.hide(&mut mask, band);
    }
    for plate in &seen.plates {
        mask.subtract(&canvas.around(plate.rect));
    }
    mask
}
