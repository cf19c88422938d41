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

#[cfg(test)]
mod tests {
    use super::super::geometry::Rect;
    use super::super::manifest::tests::shipped;
    use super::super::tensor::Canvas;
    use super::*;
    use crate::frame::Region;
    use image::RgbImage;

    fn close(got: &[f32], want: &[f32], by: f32) {
        for (g, w) in got.iter().zip(want) {
            assert!((g - w).abs() <= by, "{got:?}, not {want:?}");
        }
    }

    #[test]
    fn the_anchors_are_those_of_the_reference() {
        let all = anchors();
        assert_eq!(all.len(), ANCHORS);
        for (i, want) in [
            (0, [0.02632, 0.02632, 0.1, 0.1]),
            (2, [0.02632, 0.02632, 0.14142, 0.28284]),
            (1083, [0.05, 0.05, 0.35, 0.35]),
            (1088, [0.05, 0.05, 0.41833, 0.41833]),
            (1800, [0.9, 0.7, 0.86603, 0.28868]),
            (1916, [0.5, 0.5, 0.97468, 0.97468]),
        ] {
            let a = all[i];
            close(&[a.cx, a.cy, a.w, a.h], &want, 1e-5);
        }
    }

    #[test]
    fn raw_answers_mean_the_boxes_of_the_reference() {
        let all = anchors();
        let raw = |i: usize| [0, 1, 2, 3].map(|k| ((i * 4 + k) * 37 % 401) as f32 / 100.0 - 2.0);
        for (i, want) in [
            (0, [-9.549, -9.764, 15.559, 13.553]),
            (500, [203.849, 84.775, 258.543, 186.362]),
            (1200, [250.63, 32.961, 390.298, 76.196]),
            (1916, [-18.065, -19.023, 258.414, 237.735]),
        ] {
            close(&all[i].edges(&raw(i)).map(|e| e * 300.0), &want, 2e-3);
        }
    }

    /// What decoding finds where every anchor answers "nothing", and these answer logits.
    fn found(sure: &[(usize, usize, f32)]) -> Objects {
        let file = shipped().network.ssd;
        let picture = RgbImage::new(600, 300);
        let place = Canvas::default().paint(&picture, Region::whole(600, 300), &file.input);
        let mut logits = vec![-9.0; ANCHORS * CLASSES];
        for &(anchor, class, logit) in sure {
            logits[anchor * CLASSES + class] = logit;
        }
        decode(
            &anchors(),
            &vec![0.0; ANCHORS * 4],
            &logits,
            place,
            &file,
            0.2,
            0.6,
        )
    }

    #[test]
    fn cars_are_vehicles_people_are_persons_and_the_rest_is_neither() {
        let seen = found(&[(300, 23, 0.0), (600, 4, 1.0), (900, 7, 5.0), (100, 0, 5.0)]);
        assert_eq!((seen.vehicles.len(), seen.persons.len()), (1, 1));
        assert_eq!(seen.vehicles[0].score, 0.5);
        // Anchor 300: cell 100 of the first grid, so column 5, row 5, square of .1.
        let want = Rect::from([
            600.0 * (5.5 / 19.0 - 0.05),
            300.0 * (5.5 / 19.0 - 0.05),
            60.0,
            30.0,
        ]);
        let got = seen.vehicles[0].rect;
        close(
            &[got.x, got.y, got.w, got.h],
            &[want.x, want.y, want.w, want.h],
            1e-2,
        );
    }

    #[test]
    fn an_unsure_box_over_the_whole_picture_is_dropped_and_a_sure_one_kept() {
        // The last anchor covers .95 of the picture; sigmoid(-.8) = .31, sigmoid(0) = .5.
        assert!(found(&[(1916, 18, -0.8)]).vehicles.is_empty());
        assert_eq!(found(&[(1916, 18, 0.0)]).vehicles.len(), 1);
    }

    #[test]
    fn scores_that_are_no_numbers_are_nothing_seen() {
        let seen = found(&[(5, 18, f32::NAN), (50, 18, f32::INFINITY), (60, 4, f32::NAN)]);
        assert_eq!(seen, Objects::default());
    }
}
