//! The outline of one person: a square around the box, and how surely each cell of it is body.
//!
//! Promises: the grid covers exactly the square that is given back; a cell that is no number counts
//! as body, for what is uncertain must be covered. Leaves thresholds and widening to `redact`.
//! The network's `presence` is no gate: it misses a quarter of true persons.

use super::Silhouette;
use super::geometry::Rect;
use crate::frame::Region;

/// The square that the network looks at, in pixels of the frame: `crop` times the longer side, about the centre.
pub fn square(person: &Rect, crop: f32) -> ([f32; 2], f32) {
    (person.centre(), (person.w.max(person.h) * crop).max(1.0))
}

/// What of the frame must be at hand to sample that square: a little more, for a sample lies between pixels.
pub fn surroundings([cx, cy]: [f32; 2], side: f32) -> Region {
    /// More than two pixels at every reduction that leaves the square as many as the network has cells.
    const MARGIN: f32 = 16.0;
    let half = side / 2.0 + MARGIN;
    Region::around(&Rect::from_edges(cx - half, cy - half, cx + half, cy + half))
}

/// From the mask's numbers to a silhouette, in pixels of the frame.
pub fn outline(mask: &[f32], cells: usize, [cx, cy]: [f32; 2], side: f32) -> Silhouette {
    let square = Rect::from([cx - side / 2.0, cy - side / 2.0, side, side]);
    let body = |&value: &f32| {
        if value.is_nan() {
            1.0
        } else {
            value.clamp(0.0, 1.0)
        }
    };
    Silhouette {
        square,
        side: cells,
        body: mask.iter().map(body).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_covers_the_square_around_the_person_in_pixels_of_the_frame() {
        let (centre, side) = square(&Rect::from([10.0, 20.0, 20.0, 80.0]), 1.25);
        assert_eq!((centre, side), ([20.0, 60.0], 100.0));
        let drawn = outline(&[0.0; 4], 2, centre, side);
        assert_eq!(drawn.square, Rect::from([-30.0, 10.0, 100.0, 100.0]));
    }

    #[test]
    fn a_cell_that_is_no_number_is_body() {
        let drawn = outline(&[f32::NAN, -1.0, f32::INFINITY, 0.25], 2, [0.0, 0.0], 4.0);
        assert_eq!(drawn.body, [1.0, 0.0, 1.0, 0.25]);
    }
}
