//! The fill: what stands where something was hidden.
//!
//! Promises: every masked MCU gets one grey. Flat: the same for every frame, never computed from
//! what it hides. Mosaic: one of five greys per cell, cells of at least 48 pixels and 1/12 of the
//! person's height, on persons and glazing only. Leaves writing the file to `redact`.

use image::{Rgb, RgbImage};
use serde::{Deserialize, Serialize};

use super::plan::Plan;
use crate::jpeg::Index;

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
const FLAT: u8 = 128;

const LEAST_CELL: f32 = 48.0;
const CELLS_PER_PERSON: f32 = 12.0;
const LEVELS: u64 = 5;

/// The grey of every masked MCU, by column and row.
pub(super) struct Greys<'p> {
    plan: &'p Plan,
    cells: Option<Cells>,
}

impl<'p> Greys<'p> {
    /// As the city chose; `cells` of the mosaic, if it did.
    pub(super) fn of(plan: &'p Plan, fill: Fill, cells: impl FnOnce() -> Cells) -> Self {
        Self {
            plan,
            cells: (fill == Fill::Mosaic).then(cells),
        }
    }

    /// Of one MCU.
    pub(super) fn at(&self, column: u32, row: u32) -> u8 {
        match &self.cells {
            Some(cells) if self.plan.figures.contains(column, row) => cells.grey(column, row),
            _ => FLAT,
        }
    }
}

/// What stands in each MCU of a spliced picture.
pub(super) fn levels(index: &Index, plan: &Plan, fill: Fill) -> Vec<Option<i16>> {
    let scan = index.scan();
    let columns = scan.grid.columns as usize;
    let greys = Greys::of(plan, fill, || {
        let size = plan.canvas.stored;
        Cells::of(&index.eighth(size.width, size.height), 8, plan)
    });
    let mut levels = vec![None; index.mcus()];
    for (column, row) in plan.mask.units() {
        if let Some(level) = levels.get_mut(row as usize * columns + column as usize) {
            *level = Some(level_of(greys.at(column, row), scan.parts[0].quantiser[0]));
        }
    }
    levels
}

/// The DC coefficient of an even grey (T.81 A.3.3, A.3.4): eight times its distance from the middle, in
/// steps of the quantiser.
fn level_of(grey: u8, step: u16) -> i16 {
    let (eightfold, step) = (8 * (i32::from(grey) - i32::from(FLAT)), i32::from(step.max(1)));
    let nearest = (2 * eightfold.abs() + step) / (2 * step);
    (eightfold.signum() * nearest) as i16
}

/// The mosaic's cells: whole blocks of MCUs, each with the mean of all of its pixels, hidden or not,
/// so that a cell at the rim says less of the person than one within.
pub(super) struct Cells {
    units: [u32; 2],
    across: u32,
    greys: Vec<u8>,
}

impl Cells {
    /// Of the stored picture, each pixel of `picture` standing for `scale` x `scale` of it.
    pub(super) fn of(picture: &RgbImage, scale: u32, plan: &Plan) -> Self {
        let grid = plan.canvas.grid;
        let least = (plan.tallest / CELLS_PER_PERSON).max(LEAST_CELL);
        let units = grid.unit.map(|u| ((least / f32::from(u)).ceil() as u32).max(1));
        let across = grid.columns.div_ceil(units[0]);
        let mut sums = vec![(0u64, 0u64); (across * grid.rows.div_ceil(units[1])) as usize];
        let [w, h] = [0, 1].map(|i| units[i] * u32::from(grid.unit[i]) / scale);
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

    fn grey(&self, column: u32, row: u32) -> u8 {
        let cell = row / self.units[1] * self.across + column / self.units[0];
        self.greys[cell as usize]
    }
}

/// The middle of the one of [`LEVELS`] equal steps that a mean lies in.
fn rounded(mean: u64) -> u8 {
    let step = mean.min(255) * LEVELS / 256;
    ((2 * step + 1) * 256 / (2 * LEVELS)) as u8
}

#[cfg(test)]
mod tests {
    use super::super::{Canvas, Evidence, Occupants, Person, Policy, Rules, Seen};
    use super::*;
    use crate::frame::FrameSize;
    use crate::jpeg::Grid;
    use crate::vision::Detection;

    /// Of a picture of 96 x 64 with a person of this height in its upper left corner.
    fn plan(height: f32) -> Plan {
        let seen = Detection {
            rect: [0.0, 0.0, 10.0, height].into(),
            score: 0.9,
        };
        let person = Person {
            seen,
            silhouette: None,
        };
        let rules = Rules {
            policy: Policy::Persons,
            occupants: Occupants::Leave,
            privacy: &[],
            waste: None,
        };
        let stored = FrameSize {
            width: 96,
            height: 64,
        };
        let canvas = Canvas {
            stored,
            orientation: Default::default(),
            grid: Grid::covering(stored, [16, 8]),
        };
        let persons = vec![person];
        Plan::new(
            canvas,
            &rules,
            &Evidence::Seen(Seen {
                persons,
                ..Seen::default()
            }),
        )
    }

    #[test]
    fn a_mosaic_knows_five_greys() {
        let greys = |means: &[u64]| means.iter().map(|mean| rounded(*mean)).collect::<Vec<_>>();
        assert_eq!(greys(&[0, 51, 52, 102, 103, 127]), [25, 25, 76, 76, 128, 128]);
        assert_eq!(
            greys(&[153, 154, 204, 205, 255, 256]),
            [128, 179, 179, 230, 230, 230]
        );
    }

    #[test]
    fn a_grey_is_the_nearest_that_the_quantiser_can_say() {
        let said = [
            (128, 16),
            (25, 16),
            (230, 16),
            (129, 3),
            (127, 3),
            (129, 20),
            (25, 1),
            (129, 0),
        ];
        let levels = said.map(|(grey, step)| level_of(grey, step));
        assert_eq!(levels, [0, -52, 51, 3, -3, 0, -824, 8]);
    }

    #[test]
    fn a_cell_is_48_pixels_of_the_picture_whatever_the_scale_and_has_their_mean_brightness() {
        for scale in [1, 8] {
            let quarters = RgbImage::from_fn(96 / scale, 64 / scale, |x, y| {
                match (x * scale < 48, y * scale < 48) {
                    (true, true) => Rgb([255, 0, 0]),
                    (false, true) => Rgb([0, 255, 0]),
                    (true, false) => Rgb([0, 60, 255]),
                    // Dark and bright in turn.
                    (false, false) => Rgb([if x % 2 == 0 { 20 } else { 220 }; 3]),
                }
            });
            let cells = Cells::of(&quarters, scale, &plan(64.0));
            let at = |places: [(u32, u32); 4]| places.map(|(column, row)| cells.grey(column, row));
            assert_eq!(
                at([(0, 0), (3, 0), (0, 6), (3, 6)]),
                [76, 128, 76, 128],
                "{scale}"
            );
            assert_eq!(
                at([(2, 5), (5, 5), (2, 7), (5, 7)]),
                [76, 128, 76, 128],
                "{scale}"
            );
        }
    }

    #[test]
    fn a_cell_is_a_twelfth_of_a_tall_person() {
        let halves = RgbImage::from_fn(96, 64, |x, _| Rgb([if x < 64 { 255 } else { 0 }; 3]));
        let cells = Cells::of(&halves, 1, &plan(12.0 * 60.0));
        assert_eq!(
            [0, 3, 4, 5].map(|column| cells.grey(column, 7)),
            [230, 230, 25, 25]
        );
    }

    #[test]
    fn only_persons_are_filled_with_a_mosaic() {
        let plan = plan(30.0);
        let white = RgbImage::from_pixel(96, 64, Rgb([255; 3]));
        let of = |fill| Greys::of(&plan, fill, || Cells::of(&white, 1, &plan));
        assert_eq!(
            (of(Fill::Mosaic).at(0, 0), of(Fill::Mosaic).at(5, 7)),
            (230, FLAT)
        );
        assert_eq!(of(Fill::Flat).at(0, 0), FLAT);
    }
}
