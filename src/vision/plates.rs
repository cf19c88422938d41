//! Finding plates: which parts of a picture to look at, and what the plate network answers.
//!
//! Promises: every plate's box and corners lie inside the picture; a box that the edge of a crop cuts
//! is left to the crop or the whole picture that shows it uncut; at most [`CROPS`] crops are looked at.
//! Plates are found, never read. The recipe is that with which the network's figures were measured
//! (models/plates.md, "Inference").

use super::geometry::Rect;
use super::manifest::PlateFile;
use super::tensor::Placement;
use super::tiles::Region;
use super::{Detection, Plate};

/// Most vehicles that get a crop of their own.
pub const CROPS: usize = 12;
/// Long side of the whole picture, input pixels.
pub const WHOLE: u32 = 640;
/// A vehicle narrower or lower than this, in pixels, shows no plate that could be found.
const LEAST_VEHICLE: f32 = 16.0;
/// A crop with fewer pixels along a side is not looked at.
const LEAST_CROP: u32 = 12;
/// Vehicle boxes below this score get no crop.
const VEHICLE_SCORE: f32 = 0.2;
/// How much a vehicle's box is grown, half on each side: plates sit at its edge.
const GROWN: f32 = 0.15;
/// A box mostly inside a surer one of less than this many times its area shows the same vehicle.
const SAME_SIZE: f32 = 2.5;

/// The parts of a picture of `width` x `height` that show the surest vehicles, once each.
pub fn crops(vehicles: &[Detection], width: u32, height: u32) -> Vec<Region> {
    let large = |d: &&Detection| d.rect.is_sound() && d.rect.w.min(d.rect.h) >= LEAST_VEHICLE;
    let mut surest: Vec<_> = vehicles
        .iter()
        .filter(|d| d.score >= VEHICLE_SCORE)
        .filter(large)
        .collect();
    surest.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut chosen: Vec<&Rect> = Vec::new();
    for vehicle in surest {
        if chosen.len() == CROPS {
            break;
        }
        let rect = &vehicle.rect;
        if !chosen.iter().any(|kept| same_vehicle(rect, kept)) {
            chosen.push(rect);
        }
    }
    let grown = |rect: &&Rect| {
        let g = rect.grown(GROWN / 2.0);
        let (left, top) = (g.x.max(0.0) as u32, g.y.max(0.0) as u32);
        let (right, bottom) = (
            g.right().min(width as f32) as u32,
            g.bottom().min(height as f32) as u32,
        );
        Region {
            x: left,
            y: top,
            width: right.saturating_sub(left),
            height: bottom.saturating_sub(top),
        }
    };
    let crops = chosen.iter().map(grown);
    crops.filter(|r| r.width.min(r.height) >= LEAST_CROP).collect()
}

fn same_vehicle(rect: &Rect, kept: &Rect) -> bool {
    let shared = rect.intersection(kept).area();
    let inside = shared / rect.area() > 0.8 && kept.area() < SAME_SIZE * rect.area();
    inside || rect.iou(kept) > 0.6
}

/// The long sides, in input pixels, at which a crop is looked at.
pub fn sides(crop: Region) -> &'static [u32] {
    if crop.width.max(crop.height) > 480 {
        &[320, 640]
    } else {
        &[320]
    }
}

/// The three answers of the network to one region: scores, distances to the sides, corners.
#[derive(Debug, Clone, Copy)]
pub struct Maps<'a> {
    /// Rows x columns.
    pub heat: &'a [f32],
    /// 4 x rows x columns: left, top, right, bottom, input pixels from the cell's centre.
    pub sides: &'a [f32],
    /// 8 x rows x columns: x and y of the four corners, shares of the box.
    pub corners: &'a [f32],
    /// Cells per row.
    pub columns: usize,
    /// Rows of cells.
    pub rows: usize,
}

impl Maps<'_> {
    /// Adds the plates with at least this score, in pixels of the region that was looked at.
    pub fn decode(&self, place: Placement, file: &PlateFile, threshold: f32, found: &mut Vec<Plate>) {
        for row in 0..self.rows {
            for column in 0..self.columns {
                let cell = row * self.columns + column;
                let score = self.heat[cell];
                if score >= threshold && score.is_finite() && self.is_peak(row, column) {
                    let plate = self.plate(cell, [column, row], place, file);
                    found.extend(plate.rect.is_sound().then_some(plate));
                }
            }
        }
    }

    /// Whether no neighbouring cell is surer.
    fn is_peak(&self, row: usize, column: usize) -> bool {
        let score = self.heat[row * self.columns + column];
        let rows = row.saturating_sub(1)..(row + 2).min(self.rows);
        rows.into_iter().all(|r| {
            let left = r * self.columns + column.saturating_sub(1);
            let right = r * self.columns + (column + 2).min(self.columns);
            self.heat[left..right].iter().all(|&other| score >= other)
        })
    }

    fn plate(&self, cell: usize, at: [usize; 2], place: Placement, file: &PlateFile) -> Plate {
        let plane = self.rows * self.columns;
        let [cx, cy] = at.map(|k| (k as f32 + 0.5) * file.stride as f32);
        let side = |k: usize| self.sides[k * plane + cell];
        let edges = [cx - side(0), cy - side(1), cx + side(2), cy + side(3)];
        let (w, h) = (edges[2] - edges[0], edges[3] - edges[1]);
        let corner = |k: usize| {
            let share = |axis: usize| self.corners[(2 * k + axis) * plane + cell];
            place.point_to_region([edges[0] + share(0) * w, edges[1] + share(1) * h])
        };
        Plate {
            rect: place.to_region(edges),
            score: self.heat[cell].min(1.0),
            corners: std::array::from_fn(corner),
        }
    }
}

/// Whether an edge of the crop, which is no edge of the picture, cuts the box. `side` is the input's
/// long side: two of its pixels are the tolerance.
pub fn is_cut(rect: &Rect, crop: Region, side: u32, width: u32, height: u32) -> bool {
    let near = 2.0 * crop.width.max(crop.height) as f32 / side as f32;
    (rect.x < near && crop.x > 0)
        || (rect.y < near && crop.y > 0)
        || (rect.right() > crop.width as f32 - near && crop.x + crop.width < width)
        || (rect.bottom() > crop.height as f32 - near && crop.y + crop.height < height)
}

/// A plate of a region, in pixels of the frame.
pub fn to_frame(plate: Plate, region: Region, scale: [f32; 2], frame: crate::frame::FrameSize) -> Plate {
    let [dx, dy] = region.origin();
    let corner = |[x, y]: [f32; 2]| {
        [
            ((x + dx) * scale[0]).clamp(0.0, frame.width as f32),
            ((y + dy) * scale[1]).clamp(0.0, frame.height as f32),
        ]
    };
    Plate {
        rect: plate.rect.shifted([dx, dy]).scaled(scale).clipped(frame),
        score: plate.score,
        corners: plate.corners.map(corner),
    }
}
