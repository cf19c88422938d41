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
