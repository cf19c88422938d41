//! Boxes, polygons and the eight EXIF orientations: pure arithmetic on pixels of a frame.
//!
//! Promises: no result is outside the frame it was asked about; turning a box to the stored picture
//! and back gives the same box. Leaves grids of MCUs to `redact`.

use serde::{Deserialize, Serialize};

use crate::frame::FrameSize;

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

/// How the stored picture must be turned to stand upright: EXIF 2.32, tag 0x0112, values 1 to 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "u16", try_from = "u16")]
pub struct Orientation(u16);

impl Default for Orientation {
    fn default() -> Self {
        Self(1)
    }
}

impl From<Orientation> for u16 {
    fn from(o: Orientation) -> Self {
        o.0
    }
}

impl TryFrom<u16> for Orientation {
    type Error = String;
    fn try_from(tag: u16) -> Result<Self, String> {
        if (1..=8).contains(&tag) {
            Ok(Self(tag))
        } else {
            Err(format!("orientation {tag} is not 1 to 8"))
        }
    }
}

impl Orientation {
    /// Whether width and height change places.
    pub fn swaps(self) -> bool {
        self.0 >= 5
    }

    /// The upright size of a stored size, and the other way round.
    pub fn turned(self, size: FrameSize) -> FrameSize {
        if self.swaps() {
            FrameSize {
                width: size.height,
                height: size.width,
            }
        } else {
            size
        }
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
        match self.0 {
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
