//! Boxes, polygons and the eight EXIF orientations: pure arithmetic on pixels of a frame.
//!
//! Promises: no result is outside the frame it was asked about; turning a box to the stored picture
//! and back gives the same box. Leaves grids of MCUs to `redact`.

use serde::{Deserialize, Serialize};

use crate::frame::{FrameSize, Orientation};

/// An upright rectangle in pixels, `x` and `y` its top left corner. Written as `[x, y, w, h]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f32; 4]", into = "[f32; 4]")]
pub struct Rect {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width, never negative.
    pub w: f32,
    /// Height, never negative.
    pub h: f32,
}

impl From<[f32; 4]> for Rect {
    fn from([x, y, w, h]: [f32; 4]) -> Self {
        Self {
            x,
            y,
            w: w.max(0.0),
            h: h.max(0.0),
        }
    }
}

impl From<Rect> for [f32; 4] {
    fn from(r: Rect) -> Self {
        [r.x, r.y, r.w, r.h]
    }
}

impl Rect {
    /// From left, top, right and bottom edges.
    pub fn from_edges(left: f32, top: f32, right: f32, bottom: f32) -> Self {
        Self {
            x: left,
            y: top,
            w: (right - left).max(0.0),
            h: (bottom - top).max(0.0),
        }
    }

    /// Right edge.
    pub fn right(&self) -> f32 {
        self.x + self.w
    }

    /// Bottom edge.
    pub fn bottom(&self) -> f32 {
        self.y + self.h
    }

    /// Square pixels.
    pub fn area(&self) -> f32 {
        self.w * self.h
    }

    /// Its middle.
    pub fn centre(&self) -> [f32; 2] {
        [self.x + self.w / 2.0, self.y + self.h / 2.0]
    }

    /// What it shares with `other`; of zero size where they do not meet.
    pub fn intersection(&self, other: &Self) -> Self {
        Self::from_edges(
            self.x.max(other.x),
            self.y.max(other.y),
            self.right().min(other.right()),
            self.bottom().min(other.bottom()),
        )
    }

    /// Intersection over union, 0..=1.
    pub fn iou(&self, other: &Self) -> f32 {
        let shared = self.intersection(other).area();
        let union = self.area() + other.area() - shared;
        if union > 0.0 { shared / union } else { 0.0 }
    }

    /// How much of the smaller of the two lies in the other, 0..=1.
    pub fn overlap_of_smaller(&self, other: &Self) -> f32 {
        let smaller = self.area().min(other.area());
        if smaller > 0.0 {
            self.intersection(other).area() / smaller
        } else {
            0.0
        }
    }

    /// Grown on each side by `share` of its own width and height.
    pub fn grown(&self, share: f32) -> Self {
        let (dx, dy) = (self.w * share, self.h * share);
        Self::from_edges(self.x - dx, self.y - dy, self.right() + dx, self.bottom() + dy)
    }

    /// The part inside the frame.
    pub fn clipped(&self, frame: FrameSize) -> Self {
        let (w, h) = (frame.width as f32, frame.height as f32);
        Self::from_edges(
            self.x.clamp(0.0, w),
            self.y.clamp(0.0, h),
            self.right().clamp(0.0, w),
            self.bottom().clamp(0.0, h),
        )
    }

    /// Moved to the right and down.
    pub fn shifted(&self, [dx, dy]: [f32; 2]) -> Self {
        Self {
            x: self.x + dx,
            y: self.y + dy,
            ..*self
        }
    }

    /// Both axes multiplied, about the origin: from the pixels of one picture to those of another.
    pub fn scaled(&self, [sx, sy]: [f32; 2]) -> Self {
        Self {
            x: self.x * sx,
            y: self.y * sy,
            w: self.w * sx,
            h: self.h * sy,
        }
    }

    /// Whether it is a place at all: all four numbers finite and some area.
    pub fn is_sound(&self) -> bool {
        self.x.is_finite() && self.y.is_finite() && self.area().is_finite() && self.area() > 0.0
    }

    /// Whether the point lies inside or on the edge.
    pub fn contains(&self, [x, y]: [f32; 2]) -> bool {
        x >= self.x && x <= self.right() && y >= self.y && y <= self.bottom()
    }
}

/// A closed polygon in shares of the upright frame's width and height (0..=1), at least three corners.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Polygon(pub Vec<[f32; 2]>);

impl Polygon {
    /// The whole frame.
    pub fn everywhere() -> Self {
        Self(vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    }

    /// Whether a point, in shares of the frame, is inside (even-odd rule).
    pub fn contains(&self, [x, y]: [f32; 2]) -> bool {
        let corners = &self.0;
        let mut inside = false;
        for (i, &[xa, ya]) in corners.iter().enumerate() {
            let [xb, yb] = corners[(i + 1) % corners.len()];
            if (ya > y) != (yb > y) && x < (xb - xa) * (y - ya) / (yb - ya) + xa {
                inside = !inside;
            }
        }
        inside
    }
}

/// What turning means for boxes and points.
impl Orientation {
    /// Where a rectangle of the stored picture, of size `stored`, lies in the upright one.
    pub fn to_upright(self, rect: Rect, stored: FrameSize) -> Rect {
        self.undone().to_stored(rect, self.turned(stored))
    }

    /// Where an upright rectangle lies in the stored picture of size `stored`.
    pub fn to_stored(self, upright: Rect, stored: FrameSize) -> Rect {
        let size = self.turned(stored);
        let [xa, ya] = self.point_to_stored([upright.x, upright.y], size);
        let [xb, yb] = self.point_to_stored([upright.right(), upright.bottom()], size);
        Rect::from_edges(xa.min(xb), ya.min(yb), xa.max(xb), ya.max(yb))
    }

    /// Where an upright point lies in the stored picture; `upright` is the upright size.
    pub fn point_to_stored(self, [x, y]: [f32; 2], upright: FrameSize) -> [f32; 2] {
        let (w, h) = (upright.width as f32, upright.height as f32);
        match u16::from(self) {
            2 => [w - x, y],
            3 => [w - x, h - y],
            4 => [x, h - y],
            5 => [y, x],
            6 => [y, w - x],
            7 => [h - y, w - x],
            8 => [h - y, x],
            _ => [x, y],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sizes() -> impl Strategy<Value = FrameSize> {
        (1..=65_535u32, 1..=65_535u32).prop_map(|(width, height)| FrameSize { width, height })
    }

    /// A rectangle with whole edges inside a frame: whole numbers below 2^24 are exact in f32.
    fn inside() -> impl Strategy<Value = (Rect, FrameSize)> {
        (sizes(), [0.0..=1.0f64, 0.0..=1.0, 0.0..=1.0, 0.0..=1.0]).prop_map(|(size, [a, b, c, d])| {
            let x = |share: f64| (share * f64::from(size.width)).round() as f32;
            let y = |share: f64| (share * f64::from(size.height)).round() as f32;
            (
                Rect::from_edges(x(a.min(b)), y(c.min(d)), x(a.max(b)), y(c.max(d))),
                size,
            )
        })
    }

    fn anywhere() -> impl Strategy<Value = Rect> {
        [-1e6f32..1e6, -1e6f32..1e6, -10.0f32..1e6, -10.0f32..1e6].prop_map(Rect::from)
    }

    proptest! {
        #[test]
        fn turning_a_box_to_the_stored_picture_and_back_gives_the_same_box((rect, upright) in inside(), tag in 1u16..=8) {
            let turn = Orientation::try_from(tag).expect("1 to 8");
            let stored = turn.turned(upright);
            let there = turn.to_stored(rect, stored);
            prop_assert_eq!(there, there.clipped(stored));
            prop_assert_eq!(turn.to_upright(there, stored), rect);
        }

        #[test]
        fn a_clipped_box_is_inside_the_frame_and_clipping_again_changes_nothing(rect in anywhere(), size in sizes()) {
            let clipped = rect.clipped(size);
            prop_assert!(clipped.x >= 0.0 && clipped.y >= 0.0 && clipped.w >= 0.0 && clipped.h >= 0.0);
            // A sum of two f32 may be off by one unit in the last place of the frame's width.
            prop_assert!(clipped.right() <= size.width as f32 + 0.01);
            prop_assert!(clipped.bottom() <= size.height as f32 + 0.01);
        }

        #[test]
        fn shared_area_is_symmetric_and_never_more_than_all_of_it(a in anywhere(), b in anywhere()) {
            prop_assert_eq!(a.iou(&b), b.iou(&a));
            prop_assert!((0.0..=1.001).contains(&a.iou(&b)));
            prop_assert!(a.overlap_of_smaller(&b) >= a.iou(&b) * 0.999);
            prop_assert!(a.overlap_of_smaller(&b) <= 1.001);
        }
    }

    #[test]
    fn a_quarter_turn_puts_the_top_left_corner_where_exif_says() {
        // EXIF 2.32, tag 0x0112: 6 = the stored row 0 is the upright right side, column 0 the top.
        let stored = FrameSize {
            width: 40,
            height: 30,
        };
        let turn = Orientation::try_from(6).expect("1 to 8");
        let top_right = Rect::from([28.0, 0.0, 2.0, 3.0]);
        assert_eq!(
            turn.to_stored(top_right, stored),
            Rect::from([0.0, 0.0, 3.0, 2.0])
        );
    }

    #[test]
    fn a_box_of_no_number_is_no_place() {
        assert!(!Rect::from([f32::NAN, 0.0, 1.0, 1.0]).is_sound());
        assert!(!Rect::from([0.0, 0.0, f32::INFINITY, 1.0]).is_sound());
        assert!(!Rect::from([0.0, 0.0, 0.0, 1.0]).is_sound());
        assert!(Rect::from([0.0, 0.0, 0.5, 1.0]).is_sound());
    }
}
