//! Finding plates: which parts of a picture to look at, and what the plate network answers.
//!
//! Promises: every plate's box and corners lie inside the picture; a box that the edge of a crop cuts
//! is left to the crop or the whole picture that shows it uncut; at most a dozen crops are looked at.
//! Plates are found, never read. The recipe is that with which the network's figures were measured
//! (models/plates.md, "Inference").

mod fuse;

pub use fuse::{Look, fuse};

use super::geometry::Rect;
use super::manifest::PlateFile;
use super::tensor::Placement;
use super::{Detection, Plate};
use crate::frame::{FrameSize, Region};

/// Most vehicles that get a crop of their own.
const CROPS: usize = 12;
/// Long sides of the whole picture, input pixels: far plates, and those too large for the first.
pub const WHOLE: [u32; 2] = [640, 320];
/// Long side of a crop, input pixels.
pub const CLOSE: u32 = 320;
/// A vehicle is cropped only where the crop shows it at this scale or more against the larger whole.
const GAIN: f32 = 0.8;
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
/// A box this near to an inner edge of a crop is cut by it; input pixels.
const EDGE: f32 = 2.0;

/// The parts of a frame of `width` x `height` that show the surest vehicles, once each.
pub fn crops(vehicles: &[Detection], width: u32, height: u32) -> Vec<Region> {
    let large = |d: &&Detection| d.rect.is_sound() && d.rect.w.min(d.rect.h) >= LEAST_VEHICLE;
    let mut surest: Vec<_> = vehicles
        .iter()
        .filter(|d| d.score >= VEHICLE_SCORE)
        .filter(large)
        .collect();
    surest.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut chosen: Vec<&Rect> = Vec::new();
    let mut crops = Vec::new();
    for vehicle in surest {
        if crops.len() == CROPS {
            break;
        }
        if chosen.iter().any(|kept| same_vehicle(&vehicle.rect, kept)) {
            continue;
        }
        chosen.push(&vehicle.rect);
        let crop = around(&vehicle.rect, width, height);
        let gain = CLOSE as f32 / crop.width.max(crop.height).max(1) as f32 * width.max(height) as f32
            / WHOLE[0] as f32;
        if gain >= GAIN && crop.width.min(crop.height) >= LEAST_CROP {
            crops.push(crop);
        }
    }
    crops
}

/// The whole pixels of a vehicle's box, grown, inside the picture.
fn around(vehicle: &Rect, width: u32, height: u32) -> Region {
    let g = vehicle.grown(GROWN / 2.0);
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
}

fn same_vehicle(rect: &Rect, kept: &Rect) -> bool {
    let shared = rect.intersection(kept).area();
    let inside = shared / rect.area() > 0.8 && kept.area() < SAME_SIZE * rect.area();
    inside || rect.iou(kept) > 0.6
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

/// Whether an edge of the crop, which is no edge of the frame, cuts the box.
pub fn is_cut(rect: &Rect, crop: Region, frame: FrameSize) -> bool {
    let near = EDGE * crop.long_side() as f32 / CLOSE as f32;
    let edges = crop.rect();
    (rect.x < edges.x + near && crop.x > 0)
        || (rect.y < edges.y + near && crop.y > 0)
        || (rect.right() > edges.right() - near && crop.x + crop.width < frame.width)
        || (rect.bottom() > edges.bottom() - near && crop.y + crop.height < frame.height)
}

/// From pixels of what was looked at to pixels of the frame: `scale` of these to one of those, `origin`
/// where the first of those lies.
pub fn moved(mut found: Vec<Plate>, scale: [f32; 2], origin: [f32; 2]) -> Vec<Plate> {
    for plate in &mut found {
        plate.rect = plate.rect.scaled(scale).shifted(origin);
        let corner = |[x, y]: [f32; 2]| [x * scale[0] + origin[0], y * scale[1] + origin[1]];
        plate.corners = plate.corners.map(corner);
    }
    found
}

/// A plate inside the frame.
pub fn inside(plate: Plate, frame: FrameSize) -> Plate {
    let inside = |[x, y]: [f32; 2]| {
        [
            x.clamp(0.0, frame.width as f32),
            y.clamp(0.0, frame.height as f32),
        ]
    };
    Plate {
        rect: plate.rect.clipped(frame),
        score: plate.score,
        corners: plate.corners.map(inside),
    }
}

#[cfg(test)]
mod tests {
    use super::super::manifest::tests::shipped;
    use super::super::tensor::Canvas;
    use super::*;
    use image::RgbImage;

    fn vehicle(rect: [f32; 4], score: f32) -> Detection {
        Detection {
            rect: rect.into(),
            score,
        }
    }

    #[test]
    fn each_vehicle_gets_one_crop_a_little_larger_than_itself() {
        let seen = [
            vehicle([100.0, 100.0, 200.0, 100.0], 0.9),
            vehicle([110.0, 105.0, 180.0, 90.0], 0.6),
            vehicle([400.0, 0.0, 100.0, 100.0], 0.5),
            vehicle([600.0, 300.0, 100.0, 100.0], 0.1),
            vehicle([600.0, 300.0, 10.0, 100.0], 0.9),
            vehicle([f32::NAN, 300.0, 100.0, 100.0], 0.9),
        ];
        let want = |x, y, width, height| Region { x, y, width, height };
        assert_eq!(
            crops(&seen, 800, 600),
            [want(85, 92, 230, 115), want(392, 0, 115, 107)]
        );
    }

    #[test]
    fn a_traffic_jam_costs_no_more_than_a_dozen_crops() {
        let jam: Vec<_> = (0..40u8)
            .map(|i| vehicle([f32::from(i) * 100.0, 0.0, 90.0, 90.0], 0.5))
            .collect();
        assert_eq!(crops(&jam, 4000, 100).len(), CROPS);
    }

    #[test]
    fn a_vehicle_that_fills_the_picture_gets_no_crop_for_it_would_show_no_more() {
        let seen = |side: f32| [vehicle([0.0, 0.0, side, side], 0.9)];
        assert_eq!(crops(&seen(920.0), 1600, 1600).len(), 1);
        assert!(crops(&seen(940.0), 1600, 1600).is_empty());
    }

    #[test]
    fn an_edge_cuts_a_box_unless_it_is_the_edge_of_the_picture() {
        let crop = Region {
            x: 0,
            y: 50,
            width: 320,
            height: 160,
        };
        let frame = FrameSize {
            width: 640,
            height: 480,
        };
        let cut = |rect: [f32; 4]| is_cut(&rect.into(), crop, frame);
        assert!(!cut([0.0, 70.0, 40.0, 10.0]), "left is the edge of the frame");
        assert!(cut([100.0, 51.0, 40.0, 10.0]));
        assert!(cut([279.0, 70.0, 40.0, 10.0]));
        assert!(cut([100.0, 199.5, 40.0, 10.0]));
        assert!(!cut([100.0, 150.0, 40.0, 10.0]));
    }

    /// What 8 x 10 cells mean in a region of 160 x 128 pixels at a long side of 40, where one cell is sure.
    fn found(set: impl Fn(&mut [f32], &mut [f32], &mut [f32])) -> Vec<Plate> {
        let file = shipped().network.plates;
        let place = Canvas::default().paint_corner(
            &RgbImage::new(160, 128),
            Region::whole(160, 128),
            &file.input,
            40,
        );
        let (columns, rows) = (10, 8);
        let cells = columns * rows;
        let (mut heat, mut sides, mut corners) =
            (vec![0.0; cells], vec![2.0; 4 * cells], vec![0.5; 8 * cells]);
        set(&mut heat, &mut sides, &mut corners);
        let maps = Maps {
            heat: &heat,
            sides: &sides,
            corners: &corners,
            columns,
            rows,
        };
        let mut found = Vec::new();
        maps.decode(place, &file, 0.4, &mut found);
        found
    }

    #[test]
    fn a_peak_means_a_box_around_its_cell_with_corners_inside() {
        let cell = 3 * 10 + 6;
        let plates = found(|heat, sides, corners| {
            (heat[cell], heat[cell + 1], heat[cell - 10]) = (0.9, 0.8, 0.7);
            for (k, side) in [10.0, 3.0, 6.0, 3.0].into_iter().enumerate() {
                sides[k * 80 + cell] = side;
            }
            for (k, share) in [0.0, 0.1, 1.0, 0.0, 1.0, 0.9, 0.0, 1.0].into_iter().enumerate() {
                corners[k * 80 + cell] = share;
            }
        });
        // Middle of the cell (26, 14); four pixels of the region to one of the input.
        assert_eq!(
            plates.len(),
            1,
            "a neighbour of a surer cell is no plate of its own"
        );
        assert_eq!(
            (plates[0].rect, plates[0].score),
            (Rect::from([64.0, 44.0, 64.0, 24.0]), 0.9)
        );
        let want = [[64.0, 46.4], [128.0, 44.0], [128.0, 65.6], [64.0, 68.0]];
        for (got, want) in plates[0].corners.iter().flatten().zip(want.iter().flatten()) {
            assert!((got - want).abs() < 1e-3);
        }
    }

    #[test]
    fn what_is_no_number_is_no_plate() {
        assert!(found(|heat, _, _| heat.fill(f32::NAN)).is_empty());
        assert!(found(|heat, _, _| heat[5] = f32::INFINITY).is_empty());
        let broken = |heat: &mut [f32], sides: &mut [f32], _: &mut [f32]| {
            heat[44] = 0.9;
            sides.fill(f32::NAN);
        };
        assert!(found(broken).is_empty());
    }

    #[test]
    fn corners_never_leave_the_frame() {
        let frame = FrameSize {
            width: 100,
            height: 80,
        };
        let plate = Plate {
            rect: Rect::from([-5.0, 0.0, 20.0, 10.0]),
            score: 0.5,
            corners: [[-5.0, 0.0], [900.0, 2.0], [15.0, 900.0], [f32::INFINITY, 5.0]],
        };
        let [moved] = &moved(vec![plate], [2.0, 2.0], [1.0, 0.0])[..] else {
            panic!("one plate")
        };
        let moved = inside(moved.clone(), frame);
        assert_eq!(moved.rect, Rect::from([0.0, 0.0, 31.0, 20.0]));
        assert_eq!(
            moved.corners,
            [[0.0, 0.0], [100.0, 4.0], [31.0, 80.0], [100.0, 10.0]]
        );
    }
}
