//! Decoding NanoDet-g: distances to four sides, each as a distribution over eleven steps.
//!
//! Promises: boxes in pixels of what it looked at, only classes that the manifest calls vehicle or
//! person. Source: RangiLyu/nanodet, Integral and `distance2bbox` (Generalized Focal Loss,
//! arXiv:2006.04388, section 3.2).

use super::manifest::NanoDetFile;
use super::ssd::best;
use super::tensor::Placement;
use super::{Detection, Objects};

/// COCO.
pub const CLASSES: usize = 80;
/// Steps of each distance, 0 to 10 strides.
const STEPS: usize = 11;
/// Left, top, right, bottom.
pub const SIDES: usize = 4 * STEPS;

/// Adds what one pair of outputs means: `scores` is cells x [`CLASSES`], `sides` is cells x [`SIDES`],
/// cells row by row.
pub fn decode(
    stride: u32,
    scores: &[f32],
    sides: &[f32],
    place: Placement,
    file: &NanoDetFile,
    threshold: f32,
    objects: &mut Objects,
) {
    let across = (file.input.width / stride) as usize;
    let step = stride as f32;
    let rows = scores
        .chunks_exact(CLASSES)
        .zip(sides.chunks_exact(SIDES))
        .enumerate();
    for (cell, (scores, sides)) in rows {
        let groups = [
            (&file.vehicle, &mut objects.vehicles),
            (&file.person, &mut objects.persons),
        ];
        for (classes, found) in groups {
            let score = best(scores, classes);
            if !(score > threshold && score.is_finite()) {
                continue;
            }
            let cx = ((cell % across) as f32 + 0.5) * step;
            let cy = ((cell / across) as f32 + 0.5) * step;
            let [left, top, right, bottom] =
                std::array::from_fn(|side| step * mean(&sides[side * STEPS..(side + 1) * STEPS]));
            let rect = place.to_picture([cx - left, cy - top, cx + right, cy + bottom]);
            if rect.is_sound() {
                found.push(Detection {
                    rect,
                    score: score.min(1.0),
                });
            }
        }
    }
}

/// The mean step of a distribution given by its logits.
fn mean(logits: &[f32]) -> f32 {
    let peak = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (mut sum, mut weighted) = (0.0, 0.0);
    for (step, &logit) in logits.iter().enumerate() {
        let share = (logit - peak).exp();
        sum += share;
        weighted += share * step as f32;
    }
    weighted / sum
}

#[cfg(test)]
mod tests {
    use super::super::geometry::Rect;
    use super::super::manifest::tests::shipped;
    use super::super::tensor::Canvas;
    use super::*;
    use crate::frame::Region;
    use image::RgbImage;

    /// What one cell of the coarsest level means in a picture of the input's own size.
    fn found(class: usize, score: f32, sides: [f32; SIDES]) -> Objects {
        let file = shipped().network.nanodet_256x416;
        let (w, h) = (file.input.width, file.input.height);
        let place = Canvas::default().paint(&RgbImage::new(w, h), Region::whole(w, h), &file.input);
        let cells = (w / 32 * (h / 32)) as usize;
        let (mut scores, mut all) = (vec![0.0; cells * CLASSES], vec![0.0; cells * SIDES]);
        let cell = 3 * 13 + 4;
        scores[cell * CLASSES + class] = score;
        all[cell * SIDES..(cell + 1) * SIDES].copy_from_slice(&sides);
        let mut objects = Objects::default();
        decode(32, &scores, &all, place, &file, 0.2, &mut objects);
        objects
    }

    /// Distributions that are sure of these steps.
    fn steps(of: [usize; 4]) -> [f32; SIDES] {
        std::array::from_fn(|i| if i % STEPS == of[i / STEPS] { 50.0 } else { 0.0 })
    }

    #[test]
    fn distances_are_counted_in_strides_from_the_middle_of_the_cell() {
        // Cell (4, 3): middle (144, 112).
        let seen = found(2, 0.7, steps([1, 2, 3, 4]));
        assert!(seen.persons.is_empty());
        let rect = seen.vehicles[0].rect;
        let want = Rect::from_edges(112.0, 48.0, 240.0, 240.0);
        assert!(rect.iou(&want) > 0.9999, "{rect:?}");
    }

    #[test]
    fn an_undecided_distribution_means_its_mean() {
        let rect = found(0, 0.7, [0.0; SIDES]).persons[0].rect;
        // Five strides to each side, cut at the picture's edge.
        assert!(
            rect.iou(&Rect::from_edges(0.0, 0.0, 304.0, 256.0)) > 0.9999,
            "{rect:?}"
        );
    }

    #[test]
    fn the_unsure_the_unasked_and_what_is_no_number_are_nothing() {
        for (class, score) in [(2, 0.2), (2, f32::NAN), (0, f32::INFINITY), (16, 0.9)] {
            assert_eq!(found(class, score, steps([1; 4])), Objects::default());
        }
        let broken = [f32::NAN; SIDES];
        assert_eq!(found(2, 0.9, broken), Objects::default());
    }
}
