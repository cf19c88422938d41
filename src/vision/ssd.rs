//! Decoding the SSD (MobileNetV2, Open Images V4): anchors, places, scores.
//!
//! Promises: boxes in pixels of what it looked at, only classes that the manifest calls vehicle or
//! person, best first, each thing once. Source: the graph's own configuration (`SsdAnchorsCalculator`,
//! `TensorsToDetectionsCalculator` of MediaPipe's 2D stage of Objectron), confirmed tensor by tensor.

use super::manifest::SsdFile;
use super::nms::{Limits, suppress};
use super::tensor::Placement;
use super::{Detection, Objects};

/// Cells per side of the six grids over 300 x 300 pixels.
const GRIDS: [u32; 6] = [19, 10, 5, 3, 2, 1];
/// All anchors of the six grids: three per cell on the first, six on the others.
pub const ANCHORS: usize = 1917;
/// Background and 23 classes.
pub const CLASSES: usize = 24;

/// A box that the network's answer is relative to; shares of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Anchor {
    cx: f32,
    cy: f32,
    w: f32,
    h: f32,
}

/// The anchors, in the order of the outputs: grid by grid, row by row, cell by cell.
pub fn anchors() -> Vec<Anchor> {
    let last = GRIDS.len() - 1;
    let scale = |i: usize| 0.2 + 0.75 * i as f64 / last as f64;
    let mut all = Vec::with_capacity(ANCHORS);
    for (i, &grid) in GRIDS.iter().enumerate() {
        let shapes = if i == 0 {
            vec![(1.0, 0.1), (2.0, scale(0)), (0.5, scale(0))]
        } else {
            let s = scale(i);
            // One more square between this scale and the next; the last has no next.
            let between = if i == last {
                s.sqrt()
            } else {
                (s * scale(i + 1)).sqrt()
            };
            vec![
                (1.0, s),
                (2.0, s),
                (0.5, s),
                (3.0, s),
                (0.3333, s),
                (1.0, between),
            ]
        };
        for cell in 0..grid * grid {
            let centre = |k: u32| ((f64::from(k) + 0.5) / f64::from(grid)) as f32;
            let (cx, cy) = (centre(cell % grid), centre(cell / grid));
            all.extend(shapes.iter().map(|&(ratio, s): &(f64, f64)| Anchor {
                cx,
                cy,
                w: (s * ratio.sqrt()) as f32,
                h: (s / ratio.sqrt()) as f32,
            }));
        }
    }
    all
}

impl Anchor {
    /// Edges in shares of the picture, from the raw answer `ty, tx, th, tw`.
    fn edges(&self, raw: &[f32]) -> [f32; 4] {
        let cy = raw[0] / 10.0 * self.h + self.cy;
        let cx = raw[1] / 10.0 * self.w + self.cx;
        let h = (raw[2] / 5.0).exp() * self.h;
        let w = (raw[3] / 5.0).exp() * self.w;
        [cx - w / 2.0, cy - h / 2.0, cx + w / 2.0, cy + h / 2.0]
    }
}

/// What two tensors mean. `boxes` is [`ANCHORS`] x 4, `logits` is [`ANCHORS`] x [`CLASSES`].
pub fn decode(
    anchors: &[Anchor],
    boxes: &[f32],
    logits: &[f32],
    place: Placement,
    file: &SsdFile,
    threshold: f32,
    iou: f32,
) -> Objects {
    let region = place.region();
    let whole = file.whole_frame.share * region.width as f32 * region.height as f32;
    let sides = [file.input.width as f32, file.input.height as f32];
    // The sigmoid grows with its argument: only what passes needs it.
    let least = (threshold / (1.0 - threshold)).ln();
    let mut objects = Objects::default();
    let rows = anchors
        .iter()
        .zip(boxes.chunks_exact(4))
        .zip(logits.chunks_exact(CLASSES));
    for ((anchor, raw), logits) in rows {
        let groups = [
            (&file.vehicle, &mut objects.vehicles),
            (&file.person, &mut objects.persons),
        ];
        for (classes, found) in groups {
            let best = best(logits, classes);
            if !(best > least && best.is_finite()) {
                continue;
            }
            let [left, top, right, bottom] = anchor.edges(raw);
            let rect = place.to_picture([
                left * sides[0],
                top * sides[1],
                right * sides[0],
                bottom * sides[1],
            ]);
            let score = 1.0 / (1.0 + (-best).exp());
            if rect.is_sound() && !(rect.area() > whole && score < file.whole_frame.below) {
                found.push(Detection { rect, score });
            }
        }
    }
    Objects {
        vehicles: suppress(objects.vehicles, Limits::iou(iou)),
        persons: suppress(objects.persons, Limits::iou(iou)),
    }
}

/// The largest of these columns; what is no number never is.
pub(super) fn best(row: &[f32], classes: &[usize]) -> f32 {
    let columns = classes.iter().filter_map(|&class| row.get(class));
    columns.copied().fold(f32::NEG_INFINITY, f32::max)
}
