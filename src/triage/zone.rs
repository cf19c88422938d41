//! Where a vehicle stands: in the zone, at its edge, outside; unchanged; with someone beside it.
//!
//! Promises: what cannot be measured (a box that is no number, a zone without a surface) counts as in
//! doubt, never as outside. Boxes are in pixels of the upright frame, the zone in shares of it.

use serde::{Deserialize, Serialize};

use crate::frame::FrameSize;
use crate::vision::geometry::{Polygon, Rect};

/// Two boxes that overlap this much (intersection over union) are one vehicle that did not move. The
/// scout's boxes are exact to some pixels of its 1/8 picture: less would be asked in vain.
const SAME_PLACE: f32 = 0.6;

/// A vehicle whose box, grown by this share of its size, does not touch the zone is clearly outside.
const EDGE: f32 = 0.1;

/// Samples along each side of a box.
const GRID: u16 = 16;

/// Where a vehicle is, seen from the zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Clearly outside.
    Outside,
    /// Neither clearly in nor clearly out.
    Edge,
    /// At least half of its lower half, with which it stands on the ground, lies in the zone.
    Inside,
}

/// Where `vehicle` is in a frame of this size.
pub fn place(vehicle: Rect, zone: &Polygon, frame: FrameSize) -> Place {
    if !is_sound(vehicle) || frame.width == 0 || frame.height == 0 || zone.0.len() < 3 {
        return Place::Edge;
    }
    let half = vehicle.h / 2.0;
    let lower = Rect {
        y: vehicle.y + half,
        h: half,
        ..vehicle
    };
    if share_within(lower, zone, frame) >= 0.5 {
        return Place::Inside;
    }
    let around = vehicle.grown(EDGE).clipped(frame);
    let [w, h] = [frame.width as f32, frame.height as f32];
    let corner_inside = zone.0.iter().any(|&[x, y]| around.contains([x * w, y * h]));
    if corner_inside || share_within(around, zone, frame) > 0.0 {
        Place::Edge
    } else {
        Place::Outside
    }
}

/// The share of a box that lies in the zone, from a grid of samples over it.
fn share_within(area: Rect, zone: &Polygon, frame: FrameSize) -> f32 {
    let at = |i: u16| (f32::from(i) + 0.5) / f32::from(GRID);
    let cells = (0..GRID).flat_map(|row| (0..GRID).map(move |column| [at(column), at(row)]));
    let inside = cells.filter(|[u, v]| {
        let [x, y] = [area.x + u * area.w, area.y + v * area.h];
        zone.contains([x / frame.width as f32, y / frame.height as f32])
    });
    inside.count() as f32 / f32::from(GRID * GRID)
}

/// Whether two boxes are a vehicle that did not move.
pub fn same_place(a: Rect, b: Rect) -> bool {
    a.iou(&b) >= SAME_PLACE
}

/// Whether a person is within about a step of a vehicle: less than half a body's height from its box.
pub fn beside(person: Rect, vehicle: Rect) -> bool {
    if !is_sound(person) || !is_sound(vehicle) {
        return true;
    }
    let reach = person.h / 2.0;
    person.x <= vehicle.right() + reach
        && person.right() >= vehicle.x - reach
        && person.y <= vehicle.bottom() + reach
        && person.bottom() >= vehicle.y - reach
}

/// Whether a box is a box: finite, with a surface.
pub fn is_sound(area: Rect) -> bool {
    [area.x, area.y, area.w, area.h].into_iter().all(f32::is_finite) && area.area() > 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: FrameSize = FrameSize {
        width: 1000,
        height: 500,
    };

    #[test]
    fn a_vehicle_is_in_the_zone_at_its_edge_or_clearly_outside() {
        let left_half = Polygon(vec![[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]);
        let small = Polygon(vec![[0.40, 0.40], [0.41, 0.40], [0.41, 0.42], [0.40, 0.42]]);
        let lower_half = Polygon(vec![[0.0, 0.5], [1.0, 0.5], [1.0, 1.0], [0.0, 1.0]]);
        let table = [
            (&left_half, [100.0, 100.0, 200.0, 100.0], Place::Inside),
            (&left_half, [450.0, 100.0, 90.0, 100.0], Place::Inside),
            (&left_half, [450.0, 100.0, 200.0, 100.0], Place::Edge),
            (&left_half, [505.0, 100.0, 200.0, 100.0], Place::Edge),
            (&left_half, [600.0, 100.0, 200.0, 100.0], Place::Outside),
            // it stands in the zone with its wheels, while most of its box is above
            (&lower_half, [100.0, 50.0, 300.0, 400.0], Place::Inside),
            // it hides a zone smaller than any sample
            (&small, [200.0, 100.0, 600.0, 300.0], Place::Edge),
            (&left_half, [f32::NAN, 100.0, 200.0, 100.0], Place::Edge),
            (&left_half, [600.0, 100.0, 0.0, 100.0], Place::Edge),
            (
                &Polygon(vec![[0.0, 0.0], [1.0, 1.0]]),
                [600.0, 100.0, 200.0, 100.0],
                Place::Edge,
            ),
        ];
        for (zone, vehicle, expected) in table {
            assert_eq!(
                place(Rect::from(vehicle), zone, FRAME),
                expected,
                "{vehicle:?} {zone:?}"
            );
        }
    }

    #[test]
    fn a_person_within_a_step_is_beside_the_vehicle() {
        let van = Rect::from([300.0, 200.0, 200.0, 120.0]);
        for (x, expected) in [
            (180.0, false),
            (220.0, true),
            (350.0, true),
            (540.0, true),
            (560.0, false),
        ] {
            assert_eq!(beside(Rect::from([x, 220.0, 40.0, 100.0]), van), expected, "{x}");
        }
        assert!(beside(Rect::from([f32::NAN, 0.0, 1.0, 1.0]), van));
    }
}
