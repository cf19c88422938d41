//! One answer from several looks at the same picture.
//!
//! Promises: pure; each plate once, best first. A plate is seen by most looks that could see it, a
//! chance likeness by one of them: so half of the score is the mean over the looks that held the box
//! whole, and the box is the mean of theirs, the surest counting most (models/plates.md, "Inference").

use super::super::Plate;
use super::super::geometry::Rect;
use super::super::manifest::PlatesJob;

/// What one look at a part of the frame found, in pixels of the frame.
#[derive(Debug)]
pub struct Look {
    /// The part; `None` is the whole.
    pub part: Option<Rect>,
    /// What it found there.
    pub found: Vec<Plate>,
}

impl Look {
    fn holds(&self, rect: &Rect) -> bool {
        self.part.is_none_or(|part| {
            part.x <= rect.x
                && part.y <= rect.y
                && rect.right() <= part.right()
                && rect.bottom() <= part.bottom()
        })
    }
}

/// Answers beyond this rank are not asked: a picture of noise must not cost quadratic time.
const ANSWERS: usize = 1000;

/// The plates that the looks agree on.
pub fn fuse(looks: &[Look], rules: &PlatesJob) -> Vec<Plate> {
    let numbered = looks.iter().enumerate();
    let mut answers: Vec<(usize, &Plate)> = numbered
        .flat_map(|(i, l)| l.found.iter().map(move |p| (i, p)))
        .collect();
    answers.retain(|(_, plate)| plate.score.is_finite() && plate.rect.is_sound());
    answers.sort_by(|(_, a), (_, b)| b.score.total_cmp(&a.score));
    answers.truncate(ANSWERS);
    let mut fused = Vec::new();
    while let Some(&(_, best)) = answers.first() {
        let about = |plate: &Plate| plate.rect.iou(&best.rect) > rules.nms_iou;
        let voters: Vec<_> = answers.iter().filter(|(_, p)| about(p)).copied().collect();
        let taken =
            |plate: &Plate| about(plate) || plate.rect.overlap_of_smaller(&best.rect) > rules.nms_inside;
        answers.retain(|(_, plate)| !std::ptr::eq(*plate, best) && !taken(plate));
        let score = 0.5 * best.score + 0.5 * agreement(looks, best, &voters);
        if score >= rules.threshold {
            fused.push(moved(best, mean(best, &voters), score));
        }
    }
    fused.sort_by(|a, b| b.score.total_cmp(&a.score));
    fused
}

/// The mean, over the looks that could see the box whole, of their best answers about it; 0 for none.
fn agreement(looks: &[Look], best: &Plate, voters: &[(usize, &Plate)]) -> f32 {
    let able = looks
        .iter()
        .enumerate()
        .filter(|(_, look)| look.holds(&best.rect));
    let answer = |i: usize| {
        let own = voters.iter().filter(|(look, _)| *look == i);
        own.map(|(_, plate)| plate.score).fold(0.0, f32::max)
    };
    let (sum, count) = able.fold((0.0, 0.0), |(sum, count), (i, _)| (sum + answer(i), count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}

/// The voters' mean box, weighted by score squared.
fn mean(best: &Plate, voters: &[(usize, &Plate)]) -> Rect {
    let (mut edges, mut weights) = ([0.0f32; 4], 0.0f32);
    for (_, Plate { rect, score, .. }) in voters {
        let weight = score * score;
        weights += weight;
        for (sum, edge) in edges
            .iter_mut()
            .zip([rect.x, rect.y, rect.right(), rect.bottom()])
        {
            *sum += weight * edge;
        }
    }
    if weights > 0.0 {
        let [left, top, right, bottom] = edges.map(|sum| sum / weights);
        Rect::from_edges(left, top, right, bottom)
    } else {
        best.rect
    }
}

/// A plate with another box: its corners keep their place in shares of it.
fn moved(plate: &Plate, rect: Rect, score: f32) -> Plate {
    let own = plate.rect;
    let corner = |[x, y]: [f32; 2]| {
        [
            rect.x + (x - own.x) / own.w * rect.w,
            rect.y + (y - own.y) / own.h * rect.h,
        ]
    };
    Plate {
        rect,
        score,
        corners: plate.corners.map(corner),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::manifest::tests::shipped;
    use super::*;

    fn plate(rect: [f32; 4], score: f32) -> Plate {
        let r = Rect::from(rect);
        Plate {
            rect: r,
            score,
            corners: [
                [r.x, r.y],
                [r.right(), r.y],
                [r.right(), r.bottom()],
                [r.x, r.bottom()],
            ],
        }
    }

    fn rules() -> PlatesJob {
        PlatesJob {
            threshold: 0.3,
            nms_iou: 0.4,
            nms_inside: 0.65,
            ..shipped().plates
        }
    }

    #[test]
    fn looks_that_agree_make_one_plate_between_their_boxes() {
        let whole = |found| Look { part: None, found };
        let looks = [
            whole(vec![plate([100.0, 100.0, 50.0, 10.0], 0.8)]),
            whole(vec![plate([104.0, 100.0, 50.0, 10.0], 0.4)]),
            Look {
                part: Some(Rect::from([0.0, 0.0, 120.0, 120.0])),
                found: vec![],
            },
        ];
        let fused = fuse(&looks, &rules());
        assert_eq!(fused.len(), 1);
        // .5 x .8 + .5 x (.8 + .4) / 2: the third look did not hold the box whole.
        assert!((fused[0].score - 0.7).abs() < 1e-5);
        // (100 x .64 + 104 x .16) / .8
        assert!((fused[0].rect.x - 100.8).abs() < 1e-3 && (fused[0].rect.w - 50.0).abs() < 1e-3);
        assert!((fused[0].corners[2][0] - 150.8).abs() < 1e-3);
    }

    #[test]
    fn what_one_look_sees_and_the_others_deny_is_less_sure() {
        let rect = [100.0, 100.0, 50.0, 10.0];
        let alone = |others: usize| {
            let mut looks = vec![Look {
                part: None,
                found: vec![plate(rect, 0.5)],
            }];
            looks.extend((0..others).map(|_| Look {
                part: None,
                found: vec![],
            }));
            fuse(&looks, &rules()).first().map(|p| p.score)
        };
        assert_eq!(alone(0), Some(0.5));
        assert_eq!(alone(1), Some(0.375));
        assert_eq!(alone(9), None);
    }

    #[test]
    fn a_box_inside_a_surer_one_is_no_plate_of_its_own_and_no_vote() {
        let looks = [Look {
            part: None,
            found: vec![
                plate([0.0, 0.0, 100.0, 20.0], 0.9),
                plate([10.0, 5.0, 20.0, 10.0], 0.8),
            ],
        }];
        let fused = fuse(&looks, &rules());
        assert_eq!(fused.len(), 1);
        assert_eq!(fused[0].rect, Rect::from([0.0, 0.0, 100.0, 20.0]));
    }
}
