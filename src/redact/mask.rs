//! The mask: a set of MCUs of the frame's own JPEG. Pure arithmetic.
//!
//! Promises: whatever is drawn to be hidden is rounded outward to whole MCUs, the padding at the right
//! and lower edge included, so no pixel of it stays visible; whatever is drawn to be *shown* is rounded
//! inward. A box with a coordinate that is no number hides the whole frame. Everything is drawn in
//! upright pixels or shares and lands on the stored picture, in all eight orientations.
//! Leaves what to hide to `plan`.

use serde::{Deserialize, Serialize};

use crate::frame::FrameSize;
use crate::frame::Orientation;
use crate::jpeg::Grid;
use crate::vision::Silhouette;
use crate::vision::geometry::{Polygon, Rect};

/// Why runs are no mask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An MCU is 8 to 32 pixels each way (ITU-T T.81 A.1.1, A.2.3).
    #[error("a mask unit of {} x {} pixels: an MCU has 8, 16, 24 or 32 each way", .0[0], .0[1])]
    Unit([u16; 2]),
    /// Outside the picture, empty, or not behind the run before it.
    #[error("mask run {0:?} is empty, out of order or outside a grid of {1} x {2}")]
    Run([u32; 3], u32, u32),
}

/// A set of MCUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    grid: Grid,
    units: Vec<bool>,
}

impl Mask {
    /// No MCU of this grid.
    pub fn none(grid: Grid) -> Self {
        Self {
            grid,
            units: vec![false; grid.columns as usize * grid.rows as usize],
        }
    }

    /// Every MCU of this grid.
    pub fn all(grid: Grid) -> Self {
        let mut mask = Self::none(grid);
        mask.units.fill(true);
        mask
    }

    /// Whose MCUs these are.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Whether the MCU in this column and row is masked; those outside the picture count as masked.
    pub fn contains(&self, column: u32, row: u32) -> bool {
        if column >= self.grid.columns || row >= self.grid.rows {
            return true;
        }
        self.units[self.index(column, row)]
    }

    /// Of each MCU in scan order, whether it is masked.
    pub fn masked(&self) -> &[bool] {
        &self.units
    }

    /// Whether nothing is masked.
    pub fn is_empty(&self) -> bool {
        !self.units.contains(&true)
    }

    /// The share of MCUs that are masked, 0..=1.
    pub fn share(&self) -> f32 {
        self.units.iter().filter(|u| **u).count() as f32 / self.units.len().max(1) as f32
    }

    /// Adds what `other`, of the same grid, masks.
    pub fn unite(&mut self, other: &Self) {
        self.units
            .iter_mut()
            .zip(&other.units)
            .for_each(|(mine, theirs)| *mine |= theirs);
    }

    /// Takes away what `other`, of the same grid, masks.
    pub fn subtract(&mut self, other: &Self) {
        self.units
            .iter_mut()
            .zip(&other.units)
            .for_each(|(mine, theirs)| *mine &= !theirs);
    }

    /// The masked MCUs, column and row, row by row.
    pub fn units(&self) -> impl Iterator<Item = (u32, u32)> {
        let columns = self.grid.columns.max(1) as usize;
        let masked = self.units.iter().enumerate().filter(|(_, masked)| **masked);
        masked.map(move |(index, _)| ((index % columns) as u32, (index / columns) as u32))
    }

    /// As it is written down.
    pub fn runs(&self) -> Runs {
        let mut runs: Vec<[u32; 3]> = Vec::new();
        for (column, row) in self.units() {
            match runs.last_mut() {
                Some([r, first, count]) if *r == row && *first + *count == column => *count += 1,
                _ => runs.push([row, column, 1]),
            }
        }
        Runs {
            unit: self.grid.unit,
            runs,
        }
    }

    /// Rounded outward to blocks of `columns` x `rows` MCUs.
    pub fn coarsened(&self, columns: u32, rows: u32) -> Self {
        let (columns, rows) = (columns.max(1), rows.max(1));
        let mut coarse = Self::none(self.grid);
        for (column, row) in self.units() {
            let (left, top) = (column - column % columns, row - row % rows);
            coarse.fill(left..left + columns, top..top + rows);
        }
        coarse
    }

    fn index(&self, column: u32, row: u32) -> usize {
        row as usize * self.grid.columns as usize + column as usize
    }

    fn fill(&mut self, columns: std::ops::Range<u32>, rows: std::ops::Range<u32>) {
        let right = columns.end.min(self.grid.columns);
        for row in rows.start..rows.end.min(self.grid.rows) {
            if columns.start < right {
                let (from, to) = (self.index(columns.start, row), self.index(right - 1, row));
                self.units[from..=to].fill(true);
            }
        }
    }
}

/// A mask as it is written down (DESIGN §8): `{"unit":[w,h],"runs":[[row,first,count],...]}`, unit in
/// pixels, the rest in units, in reading order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runs {
    /// Width and height of an MCU in pixels of the stored picture.
    pub unit: [u16; 2],
    /// Row, first column and number of MCUs, each run as long as can be.
    pub runs: Vec<[u32; 3]>,
}

impl Runs {
    /// The mask that these runs are on a stored picture of this size.
    pub fn on(&self, stored: FrameSize) -> Result<Mask, Error> {
        if self.unit.iter().any(|side| !matches!(side, 8 | 16 | 24 | 32)) {
            return Err(Error::Unit(self.unit));
        }
        let mut mask = Mask::none(Grid::covering(stored, self.unit));
        let Grid { columns, rows, .. } = mask.grid;
        let mut before = None;
        for &[row, first, count] in &self.runs {
            let end = first.checked_add(count).filter(|end| *end <= columns);
            let behind = before.is_none_or(|b| (row, first) > b);
            match end {
                Some(end) if count > 0 && row < rows && behind => {
                    mask.fill(first..end, row..row + 1);
                    before = Some((row, end));
                }
                _ => return Err(Error::Run([row, first, count], columns, rows)),
            }
        }
        Ok(mask)
    }
}

/// What a mask is drawn on: the stored picture, its MCUs, and how it stands upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canvas {
    /// Size of the stored picture.
    pub stored: FrameSize,
    /// How it stands upright.
    pub orientation: Orientation,
    /// Its MCUs.
    pub grid: Grid,
}

impl Canvas {
    /// Hides an upright rectangle.
    pub fn hide(&self, mask: &mut Mask, upright: Rect) {
        if !is_finite(upright) {
            mask.units.fill(true);
        } else if let Some([columns, rows]) = self.touched(upright) {
            mask.fill(columns, rows);
        }
    }

    /// The MCUs that an upright rectangle touches, to be shown; none if it has a coordinate that is no
    /// number.
    pub fn around(&self, upright: Rect) -> Mask {
        let mut mask = Mask::none(self.grid);
        if is_finite(upright) {
            self.hide(&mut mask, upright);
        }
        mask
    }

    /// Whether every MCU that the upright rectangle touches is masked.
    pub fn is_hidden(&self, mask: &Mask, upright: Rect) -> bool {
        self.touched(upright).is_some_and(|[columns, mut rows]| {
            rows.all(|row| columns.clone().all(|column| mask.contains(column, row)))
        })
    }

    /// Whether any MCU that the upright rectangle touches is masked.
    pub fn is_partly_hidden(&self, mask: &Mask, upright: Rect) -> bool {
        self.touched(upright).is_some_and(|[columns, mut rows]| {
            rows.any(|row| columns.clone().any(|column| mask.contains(column, row)))
        })
    }

    /// How many of the MCUs that the upright rectangle touches are masked, as a share; 0 where it touches none.
    pub fn hidden_share(&self, mask: &Mask, upright: Rect) -> f32 {
        let Some([columns, rows]) = self.touched(upright) else {
            return 0.0;
        };
        let all = columns.clone().count() * rows.clone().count();
        let hidden = rows
            .flat_map(|row| columns.clone().map(move |column| (column, row)))
            .filter(|&(column, row)| mask.contains(column, row))
            .count();
        hidden as f32 / all.max(1) as f32
    }

    /// Hides every MCU that has a part inside the polygon.
    pub fn hide_polygon(&self, mask: &mut Mask, polygon: &Polygon) {
        self.draw(mask, polygon, |place| place != Place::Outside);
    }

    /// The MCUs that lie wholly inside the polygon, to be shown.
    pub fn inside(&self, polygon: &Polygon) -> Mask {
        let mut mask = Mask::none(self.grid);
        self.draw(&mut mask, polygon, |place| place == Place::Inside);
        mask
    }

    /// A rectangle in upright pixels as a polygon in shares.
    pub fn corners(&self, upright: Rect) -> Polygon {
        let size = self.orientation.turned(self.stored);
        let [left, right] = [upright.x, upright.right()].map(|x| x / size.width as f32);
        let [top, bottom] = [upright.y, upright.bottom()].map(|y| y / size.height as f32);
        Polygon(vec![[left, top], [right, top], [right, bottom], [left, bottom]])
    }

    /// Hides a silhouette: every cell above `least`, each widened by `margin` pixels each way.
    pub fn hide_silhouette(&self, mask: &mut Mask, silhouette: &Silhouette, least: f32, margin: f32) {
        let side = silhouette.side;
        if side == 0 || silhouette.body.len() != side * side {
            return self.hide(mask, silhouette.square);
        }
        let cell = [silhouette.square.w, silhouette.square.h].map(|s| s / side as f32);
        // A value that is no number counts as body.
        let is_body = |v: &f32| v.is_nan() || *v > least;
        for (row, line) in silhouette.body.chunks_exact(side).enumerate() {
            let top = silhouette.square.y + row as f32 * cell[1];
            let mut start = 0;
            for run in line.chunk_by(|a, b| is_body(a) == is_body(b)) {
                let end = start + run.len();
                if run.first().is_some_and(is_body) {
                    let left = silhouette.square.x + start as f32 * cell[0];
                    let right = silhouette.square.x + end as f32 * cell[0];
                    let widened = Rect::from_edges(
                        left - margin,
                        top - margin,
                        right + margin,
                        top + cell[1] + margin,
                    );
                    self.hide(mask, widened);
                }
                start = end;
            }
        }
    }

    /// The columns and rows of the MCUs that an upright rectangle touches.
    fn touched(&self, upright: Rect) -> Option<[std::ops::Range<u32>; 2]> {
        let stored = self.orientation.to_stored(upright, self.stored);
        let [w, h] = [self.stored.width, self.stored.height].map(|s| s as f32);
        if stored.right() < 0.0 || stored.bottom() < 0.0 || stored.x > w || stored.y > h {
            return None;
        }
        let part = stored.clipped(self.stored);
        let range = |from: f32, to: f32, unit: u16, count: u32| {
            let unit = f32::from(unit);
            let first = ((from / unit) as u32).min(count.saturating_sub(1));
            first..((to / unit).ceil() as u32).clamp(first + 1, count.max(first + 1))
        };
        Some([
            range(part.x, part.right(), self.grid.unit[0], self.grid.columns),
            range(part.y, part.bottom(), self.grid.unit[1], self.grid.rows),
        ])
    }

    fn draw(&self, mask: &mut Mask, polygon: &Polygon, wanted: impl Fn(Place) -> bool) {
        let corners = self.stored_corners(polygon);
        let [w, h] = [self.stored.width, self.stored.height].map(f64::from);
        for row in 0..self.grid.rows {
            for column in 0..self.grid.columns {
                let [uw, uh] = self.grid.unit.map(f64::from);
                let (left, top) = (f64::from(column) * uw, f64::from(row) * uh);
                let unit = [left, top, (left + uw).min(w), (top + uh).min(h)];
                if wanted(place(&corners, unit)) {
                    mask.fill(column..column + 1, row..row + 1);
                }
            }
        }
    }

    fn stored_corners(&self, polygon: &Polygon) -> Vec<[f64; 2]> {
        let upright = self.orientation.turned(self.stored);
        let to_stored = |&[x, y]: &[f32; 2]| {
            let point = [x * upright.width as f32, y * upright.height as f32];
            self.orientation.point_to_stored(point, upright).map(f64::from)
        };
        polygon.0.iter().map(to_stored).collect()
    }
}

fn is_finite(rect: Rect) -> bool {
    <[f32; 4]>::from(rect).iter().all(|v| v.is_finite())
}

/// How an MCU lies to a polygon.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    Across,
    Inside,
}

/// An MCU that no edge crosses lies on one side with all of its pixels, so its middle decides.
fn place(corners: &[[f64; 2]], unit: [f64; 4]) -> Place {
    let edges = || corners.iter().zip(corners.iter().cycle().skip(1));
    if edges().any(|(a, b)| crosses(*a, *b, unit)) {
        return Place::Across;
    }
    let [x, y] = [(unit[0] + unit[2]) / 2.0, (unit[1] + unit[3]) / 2.0];
    let mut inside = false;
    for (&[xa, ya], &[xb, yb]) in edges() {
        if (ya > y) != (yb > y) && x < (xb - xa) * (y - ya) / (yb - ya) + xa {
            inside = !inside;
        }
    }
    if inside { Place::Inside } else { Place::Outside }
}

/// Whether a segment has a part in the open rectangle (Liang and Barsky 1984); one that only runs
/// along its edge has none, so a zone drawn to the frame's edge reaches it.
fn crosses([xa, ya]: [f64; 2], [xb, yb]: [f64; 2], [left, top, right, bottom]: [f64; 4]) -> bool {
    let (mut enters, mut leaves) = (0.0f64, 1.0f64);
    for (from, step, low, high) in [(xa, xb - xa, left, right), (ya, yb - ya, top, bottom)] {
        if step == 0.0 {
            if from <= low || from >= high {
                return false;
            }
            continue;
        }
        let (one, other) = ((low - from) / step, (high - from) / step);
        enters = enters.max(one.min(other));
        leaves = leaves.min(one.max(other));
    }
    enters < leaves
}

#[cfg(test)]
mod tests;
