//! Cutting a picture into overlapping parts, so that what is small in the whole is larger in a part.
//!
//! Promises: every tile is inside the picture and has pixels; together they cover it. Leaves what is
//! done with a box that a tile's edge cuts to the jobs.

use super::geometry::Rect;
use crate::frame::Region;

/// Regions among boxes.
impl Region {
    /// The same, as a rectangle.
    pub fn rect(&self) -> Rect {
        Rect::from([self.x, self.y, self.width, self.height].map(|side| side as f32))
    }

    /// The whole pixels that a rectangle touches, right of and below the origin.
    pub fn around(rect: &Rect) -> Self {
        let side = |from: f32, to: f32| {
            let from = from.max(0.0).floor() as u32;
            (from, (to.max(0.0).ceil() as u32).saturating_sub(from))
        };
        let (x, width) = side(rect.x, rect.right());
        let (y, height) = side(rect.y, rect.bottom());
        Self { x, y, width, height }
    }

    /// Its top left corner, to move what was found inside it back into the picture.
    pub fn origin(&self) -> [f32; 2] {
        [self.x as f32, self.y as f32]
    }
}

/// `count` x `count` tiles of a picture, neighbours sharing `overlap` (a share of a tile, 0..=0.5), row by row.
/// Fewer where the picture has too few pixels to be cut.
pub fn tiles(width: u32, height: u32, count: u32, overlap: f64) -> Vec<Region> {
    let columns = spans(width, count, overlap);
    let rows = spans(height, count, overlap);
    let row = |&(y, height): &(u32, u32)| {
        let cell = move |&(x, width): &(u32, u32)| Region { x, y, width, height };
        columns.iter().map(cell).collect::<Vec<_>>()
    };
    rows.iter().flat_map(row).collect()
}

/// Start and length of each of `count` overlapping parts of `size` pixels.
fn spans(size: u32, count: u32, overlap: f64) -> Vec<(u32, u32)> {
    let n = f64::from(count.max(1));
    let length = f64::from(size) / (n - (n - 1.0) * overlap);
    let span = |i: u32| {
        let start = f64::from(i) * length * (1.0 - overlap);
        let end = (start + length).round_ties_even().min(f64::from(size));
        let start = start.round_ties_even();
        (start as u32, (end - start).max(0.0) as u32)
    };
    (0..count.max(1))
        .map(span)
        .filter(|&(_, length)| length > 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tiles_cover_the_picture_and_stay_inside(width in 1..3000u32, height in 1..3000u32, count in 1..5u32, overlap in 0.0..=0.5f64) {
            let all = tiles(width, height, count, overlap);
            prop_assert!(!all.is_empty());
            for t in &all {
                prop_assert!(t.width > 0 && t.height > 0);
                prop_assert!(t.x + t.width <= width && t.y + t.height <= height);
            }
            for (size, start, end) in [
                (width, all.iter().map(|t| t.x).collect::<Vec<_>>(), all.iter().map(|t| t.x + t.width).collect::<Vec<_>>()),
                (height, all.iter().map(|t| t.y).collect(), all.iter().map(|t| t.y + t.height).collect()),
            ] {
                for pixel in 0..size {
                    prop_assert!(start.iter().zip(&end).any(|(&s, &e)| s <= pixel && pixel < e));
                }
            }
        }
    }

    #[test]
    fn two_by_two_with_a_fifth_shared_are_the_tiles_of_the_reference() {
        // models/README.md: the tiles with which the guard's figures were measured.
        let got = tiles(480, 360, 2, 0.2);
        let want = [
            (0, 0, 267, 200),
            (213, 0, 267, 200),
            (0, 160, 267, 200),
            (213, 160, 267, 200),
        ];
        let want = want.map(|(x, y, width, height)| Region { x, y, width, height });
        assert_eq!(got, want);
    }
}
