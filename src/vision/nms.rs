//! Non-maximum suppression: of boxes that show the same thing, the surest one.
//!
//! Promises: the best box is always kept; no two kept boxes overlap by more than the limits; what is
//! kept comes best first; a score or a box that is no number is dropped. Leaves to the jobs which
//! lists are suppressed together: boxes that become a mask never are, between networks or tiles.

use super::geometry::Rect;
use super::{Detection, Plate};

/// Above this overlap two boxes show the same thing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Intersection over union.
    pub iou: f32,
    /// Intersection over the smaller box; 1 or more asks nothing of it.
    pub inside: f32,
}

impl Limits {
    /// By intersection over union alone.
    pub fn iou(iou: f32) -> Self {
        Self { iou, inside: 1.0 }
    }

    fn same(&self, a: &Rect, b: &Rect) -> bool {
        a.iou(b) > self.iou || (self.inside < 1.0 && a.overlap_of_smaller(b) > self.inside)
    }
}

/// Something with a place and a confidence.
pub trait Scored {
    /// Where it is.
    fn rect(&self) -> &Rect;
    /// Confidence, 0..=1.
    fn score(&self) -> f32;
}

impl Scored for Detection {
    fn rect(&self) -> &Rect {
        &self.rect
    }
    fn score(&self) -> f32 {
        self.score
    }
}

impl Scored for Plate {
    fn rect(&self) -> &Rect {
        &self.rect
    }
    fn score(&self) -> f32 {
        self.score
    }
}

/// Candidates beyond this rank are not looked at, and no more than [`KEPT`] are kept: a picture of
/// noise must not cost quadratic time.
const CANDIDATES: usize = 1000;
const KEPT: usize = 200;

/// The surest of each group of overlapping boxes, best first. Greedy, hard.
pub fn suppress<T: Scored>(mut found: Vec<T>, limits: Limits) -> Vec<T> {
    found.retain(|d| d.score().is_finite() && d.rect().is_sound());
    found.sort_by(|a, b| b.score().total_cmp(&a.score()));
    found.truncate(CANDIDATES);
    let mut kept: Vec<T> = Vec::new();
    for candidate in found {
        if kept.len() == KEPT {
            break;
        }
        if !kept.iter().any(|k| limits.same(k.rect(), candidate.rect())) {
            kept.push(candidate);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found() -> impl Strategy<Value = Vec<Detection>> {
        let one = (
            [0.0f32..60.0, 0.0f32..60.0, 0.0f32..40.0, 0.0f32..40.0],
            0.0f32..=1.0,
        )
            .prop_map(|(rect, score)| Detection {
                rect: rect.into(),
                score,
            });
        prop::collection::vec(one, 0..60)
    }

    proptest! {
        #[test]
        fn the_best_is_kept_and_no_two_kept_show_the_same_thing(found in found(), iou in 0.1f32..0.9, inside in 0.3f32..1.2) {
            let limits = Limits { iou, inside };
            let kept = suppress(found.clone(), limits);
            let sound: Vec<_> = found.iter().filter(|d| d.rect.is_sound()).collect();
            if let Some(best) = sound.iter().map(|d| d.score).max_by(f32::total_cmp) {
                prop_assert_eq!(kept[0].score, best);
            }
            for (i, a) in kept.iter().enumerate() {
                for b in &kept[i + 1..] {
                    prop_assert!(a.score >= b.score);
                    prop_assert!(a.rect.iou(&b.rect) <= iou);
                    prop_assert!(inside >= 1.0 || a.rect.overlap_of_smaller(&b.rect) <= inside);
                }
            }
            // What was dropped is shown by something kept that is at least as sure.
            for d in sound {
                prop_assert!(kept.iter().any(|k| k == d || (k.score >= d.score && limits.same(&k.rect, &d.rect))));
            }
        }
    }

    #[test]
    fn scores_and_boxes_that_are_no_numbers_are_dropped() {
        let at = |x: f32, score: f32| Detection {
            rect: Rect::from([x, 0.0, 5.0, 5.0]),
            score,
        };
        let kept = suppress(
            vec![
                at(0.0, f32::NAN),
                at(f32::NAN, 0.9),
                at(20.0, f32::INFINITY),
                at(40.0, 0.3),
            ],
            Limits::iou(0.6),
        );
        assert_eq!(kept, [at(40.0, 0.3)]);
    }

    #[test]
    fn a_storm_of_boxes_is_cut_short() {
        let storm = (0..50_000)
            .map(|i| Detection {
                rect: Rect::from([i as f32 * 3.0, 0.0, 2.0, 2.0]),
                score: 0.5,
            })
            .collect();
        assert_eq!(suppress(storm, Limits::iou(0.6)).len(), KEPT);
    }
}
