//! The fill: what stands where something was hidden.
//!
//! Promises: every masked MCU gets one colour. Flat: the same for every frame, never computed from
//! what it hides. Mosaic: one of five greys per cell, cells of at least 48 pixels and 1/12 of the
//! person's height, on persons and glazing only. Leaves writing the file to `redact`.

use image::{Rgb, RgbImage};
use serde::{Deserialize, Serialize};

use super::plan::Plan;
use crate::jpeg::Grid;

/// How a mask is filled: a recorded choice of the city.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fill {
    /// One grey.
    Flat,
    /// A coarse grey blur of persons, so that posture and rough light stay; all else flat. It reveals
    /// the mean brightness of each cell in five steps.
    Mosaic,
}

/// The middle of the range: in JPEG, a block without a single coefficient (T.81 A.3.1).
pub(super) const FLAT: Rgb<u8> = Rgb([128; 3]);

const LEAST_CELL: f32 = 48.0;
const CELLS_PER_PERSON: f32 = 12.0;
const LEVELS: u64 = 5;

/// Paints every masked MCU of the stored picture.
pub(super) fn paint(picture: &mut RgbImage, plan: &Plan, fill: Fill) {
    let colours = match fill {
        Fill::Flat => None,
        Fill::Mosaic => Some(Cells::of(picture, plan)),
    };
    for (column, row) in plan.mask.units() {
        let colour = match &colours {
            Some(cells) if plan.figures.contains(column, row) => cells.colour(column, row),
            _ => FLAT,
        };
        for (x, y) in unit_pixels(plan.canvas.grid, picture.dimensions(), column, row) {
            picture.put_pixel(x, y, colour);
        }
    }
}

/// The pixels of an MCU that lie inside the picture.
pub(super) fn unit_pixels(
    grid: Grid,
    (width, height): (u32, u32),
    column: u32,
    row: u32,
) -> impl Iterator<Item = (u32, u32)> {
    let [w, h] = grid.unit.map(u32::from);
    let (left, top) = (column * w, row * h);
    let (right, bottom) = ((left + w).min(width), (top + h).min(height));
    (top..bottom).flat_map(move |y| (left..right).map(move |x| (x, y)))
}

/// The mosaic's cells: whole blocks of MCUs, each with the mean of all of its pixels, hidden or not,
/// so that a cell at the rim says less of the person than one within.
struct Cells {
    units: [u32; 2],
    across: u32,
    greys: Vec<u8>,
}

impl Cells {
    fn of(picture: &RgbImage, plan: &Plan) -> Self {
        let grid = plan.canvas.grid;
        let least = (plan.tallest / CELLS_PER_PERSON).max(LEAST_CELL);
        let units = grid.unit.map(|u| ((least / f32::from(u)).ceil() as u32).max(1));
        let across = grid.columns.div_ceil(units[0]);
        let mut sums = vec![(0u64, 0u64); (across * grid.rows.div_ceil(units[1])) as usize];
        let [w, h] = [0, 1].map(|i| units[i] * u32::from(grid.unit[i]));
        for (x, y, Rgb([r, g, b])) in picture.enumerate_pixels() {
            let (sum, count) = &mut sums[((y / h) * across + x / w) as usize];
            // ITU-T T.871 clause 7, in thousandths.
            *sum += 299 * u64::from(*r) + 587 * u64::from(*g) + 114 * u64::from(*b);
            *count += 1000;
        }
        let greys = sums.iter().map(|(sum, count)| rounded(sum / count.max(&1)));
        Self {
            units,
            across,
            greys: greys.collect(),
        }
    }

    fn colour(&self, column: u32, row: u32) -> Rgb<u8> {
        let cell = row / self.units[1] * self.across + column / self.units[0];
        Rgb([self.greys[cell as usize]; 3])
    }
}

/// The middle of the one of [`LEVELS`] equal steps that a mean lies in.
fn rounded(mean: u64) -> u8 {
    let step = mean.min(255) * LEVELS / 256;
    ((2 * step + 1) * 256 / (2 * LEVELS)) as u8
}
