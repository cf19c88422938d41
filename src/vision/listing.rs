//! One box per thing, for lists and counts: what several networks saw in a picture and its tiles, united.
//!
//! Promises: pure; each thing once, best first. Never for a mask: what is suppressed here may be
//! another person. Why the rules are as they are: the SSD gives the same score for less certainty than
//! NanoDet does, so its scores are shifted; a box that another look confirms is surer than either; a
//! vehicle box mostly inside another is a part of it, a person in front of another is not.

use super::manifest::{Listing, Seer};
use super::nms::{Limits, suppress};
use super::{Detection, Objects};

/// What was seen in the whole picture, or in all its tiles, by one network.
#[derive(Debug, Clone)]
pub struct Look {
    /// Who looked.
    pub seer: Seer,
    /// What it saw, each thing once within each picture or tile.
    pub objects: Objects,
}

/// All looks at one picture.
#[derive(Debug, Clone, Default)]
pub struct Looks(pub Vec<Look>);

/// Boxes with more overlap than this confirm each other.
const CONFIRMS: f32 = 0.5;

impl Looks {
    /// All boxes, none suppressed: for a mask.
    pub fn united(self) -> Objects {
        let mut all = Objects::default();
        for look in self.0 {
            all.join(look.objects);
        }
        all
    }

    /// Each thing once: for a list.
    pub fn distinct(&self, rules: &Listing) -> Objects {
        let vehicles = self.scored(rules, |o| &o.vehicles);
        let persons = self.scored(rules, |o| &o.persons);
        let limits = Limits {
            iou: rules.nms_iou,
            inside: rules.nms_inside,
        };
        Objects {
            vehicles: above(suppress(vehicles, limits), rules.threshold),
            persons: above(suppress(persons, Limits::iou(rules.nms_iou)), rules.threshold),
        }
    }

    /// All boxes of one kind with comparable scores.
    fn scored(&self, rules: &Listing, of: impl Fn(&Objects) -> &Vec<Detection>) -> Vec<Detection> {
        let comparable = |look: &Look| -> Vec<Detection> {
            let shift = if look.seer == Seer::Ssd {
                rules.ssd_logit
            } else {
                0.0
            };
            let one = |d: &Detection| Detection {
                rect: d.rect,
                score: shifted(d.score, shift),
            };
            of(&look.objects).iter().map(one).collect()
        };
        let looks: Vec<_> = self.0.iter().map(comparable).collect();
        let mut all = Vec::new();
        for (i, own) in looks.iter().enumerate() {
            for d in own {
                let others = looks.iter().enumerate().filter(|&(j, _)| j != i);
                let doubt = others.fold(1.0 - d.score, |doubt, (_, other)| {
                    doubt * (1.0 - rules.agreement * confirmation(d, other))
                });
                all.push(Detection {
                    rect: d.rect,
                    score: 1.0 - doubt,
                });
            }
        }
        all
    }
}

/// The score whose log odds are larger by `shift`.
fn shifted(score: f32, shift: f32) -> f32 {
    let score = score.clamp(1e-6, 1.0 - 1e-6);
    1.0 / (1.0 + (1.0 - score) / score * (-shift).exp())
}

/// The surest box of another look that shows the same thing, or 0.
fn confirmation(d: &Detection, other: &[Detection]) -> f32 {
    let same = other.iter().filter(|o| d.rect.iou(&o.rect) > CONFIRMS);
    same.map(|o| o.score).fold(0.0, f32::max)
}

fn above(mut found: Vec<Detection>, threshold: f32) -> Vec<Detection> {
    found.retain(|d| d.score >= threshold);
    found
}

#[cfg(test)]
mod tests {
    use super::super::geometry::Rect;
    use super::*;

    const RULES: Listing = Listing {
        threshold: 0.15,
        nms_iou: 0.5,
        nms_inside: 0.7,
        agreement: 0.3,
        ssd_logit: -1.0,
    };

    fn at(rect: [f32; 4], score: f32) -> Detection {
        Detection {
            rect: Rect::from(rect),
            score,
        }
    }

    fn look(seer: Seer, vehicles: &[Detection], persons: &[Detection]) -> Look {
        Look {
            seer,
            objects: Objects {
                vehicles: vehicles.to_vec(),
                persons: persons.to_vec(),
            },
        }
    }

    #[test]
    fn what_two_networks_see_is_listed_once_and_surer_than_alone() {
        let car = [10.0, 10.0, 100.0, 60.0];
        let looks = Looks(vec![
            look(Seer::Ssd, &[at(car, 0.6)], &[]),
            look(Seer::NanodetLarge, &[at([12.0, 11.0, 100.0, 60.0], 0.5)], &[]),
        ]);
        let listed = looks.distinct(&RULES).vehicles;
        // sigmoid(logit(.6) - 1) = .3556; 1 - (1 - .5)(1 - .3 x .3556) = .5533
        assert_eq!(listed.len(), 1);
        assert!((listed[0].score - 0.5533).abs() < 1e-3, "{listed:?}");
        assert_eq!(looks.united().vehicles.len(), 2);
    }

    #[test]
    fn a_part_of_a_vehicle_is_not_another_one_but_a_person_before_a_person_is() {
        let (large, small) = (
            at([0.0, 0.0, 200.0, 100.0], 0.8),
            at([10.0, 10.0, 60.0, 80.0], 0.7),
        );
        let looks = Looks(vec![look(Seer::NanodetLarge, &[large, small], &[large, small])]);
        let listed = looks.distinct(&RULES);
        assert_eq!((listed.vehicles.len(), listed.persons.len()), (1, 2));
    }

    #[test]
    fn the_unsure_are_not_listed_but_stay_in_the_mask() {
        let faint = at([0.0, 0.0, 20.0, 40.0], 0.2);
        let looks = Looks(vec![look(Seer::Ssd, &[], &[faint])]);
        assert!(looks.distinct(&RULES).persons.is_empty());
        assert_eq!(looks.united().persons, [faint]);
    }
}
