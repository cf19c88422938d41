//! The frames of one camera that an undecided event may hold or touch, in card order, from one batch to the next.
//!
//! Promises: the same events as if all frames that were ever known stood here, at a cost that does not grow with the
//! card: what lies before the first undecided event and its neighbour is dropped as soon as no frame can come there any
//! more. Pure: the ledger's rows come in as values. Leaves grouping to `triage`, verdicts to [`super::closing`].

use std::collections::BTreeSet;

use crate::frame::{BoxTime, Digest, EventId};
use crate::triage::{Facts, Rules, Span, by_place, events, in_card_order};

/// How far a frame has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// Waits on the card for its event.
    Held,
    /// Discarded at the first look; its event is open.
    Discarded,
    /// Its event is decided.
    Decided(EventId),
}

/// See above.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// In card order; `stands` goes with it, place by place.
    frames: Vec<Facts>,
    stands: Vec<Stand>,
    decided: BTreeSet<Digest>,
    held: BTreeSet<Digest>,
    undecided: usize,
    last_arrival: Option<BoxTime>,
}

impl Timeline {
    /// All frames that are known.
    pub fn of(mut known: Vec<(Facts, Stand)>) -> Self {
        known.sort_by(|(a, _), (b, _)| in_card_order(a, b));
        let mut timeline = Self::default();
        for (facts, stand) in known {
            timeline.add(facts, stand);
        }
        timeline
    }

    /// A frame that was looked at just now. Those of one scan come at the end.
    pub fn add(&mut self, facts: Facts, stand: Stand) {
        self.last_arrival = self.last_arrival.max(Some(facts.arrived));
        match stand {
            Stand::Held => drop(self.held.insert(facts.id)),
            Stand::Discarded => {}
            Stand::Decided(_) => drop(self.decided.insert(facts.id)),
        }
        self.undecided += usize::from(!matches!(stand, Stand::Decided(_)));
        let at = match self.frames.last() {
            Some(last) if in_card_order(&facts, last).is_lt() => self
                .frames
                .partition_point(|frame| in_card_order(frame, &facts).is_lt()),
            _ => self.frames.len(),
        };
        self.frames.insert(at, facts);
        self.stands.insert(at, stand);
    }

    /// The frames that are left, in card order: what the spans count in.
    pub fn frames(&self) -> &[Facts] {
        &self.frames
    }

    /// The events that are not decided.
    pub fn undecided(&self, rules: &Rules) -> Vec<Span> {
        if self.undecided == 0 {
            return Vec::new();
        }
        events(&self.frames, &self.decided, rules)
    }

    /// When the latest frame arrived of all that ever stood here.
    pub fn last_arrival(&self) -> Option<BoxTime> {
        self.last_arrival
    }

    /// Whether the frame waits on the card for its event.
    pub fn is_held(&self, id: &Digest) -> bool {
        self.held.contains(id)
    }

    /// The event of these frames is decided. What was seen in them is no longer asked for.
    pub fn decide(&mut self, span: &Span, event: EventId) {
        for index in span.frames.clone() {
            let (Some(frame), Some(stand)) = (self.frames.get(index), self.stands.get_mut(index)) else {
                continue;
            };
            self.undecided -= usize::from(!matches!(stand, Stand::Decided(_)));
            *stand = Stand::Decided(event);
            self.held.remove(&frame.id);
            self.decided.insert(frame.id);
        }
    }

    /// Drops what can no longer touch an undecided event, where no frame will be added before `next` (a folder and a
    /// name). The last decided event before it stays whole: with its first frame every event begins anew, and what
    /// follows it may be cut off from it.
    pub fn drop_before(&mut self, next: [&str; 2]) {
        let open = self
            .stands
            .iter()
            .position(|stand| !matches!(stand, Stand::Decided(_)))
            .unwrap_or(self.frames.len());
        let next = self
            .frames
            .partition_point(|frame| by_place([&frame.folder, &frame.name], next).is_lt());
        let mut keep = open.min(next);
        let last = keep.checked_sub(1).map(|last| self.stands[last]);
        while keep > 0 && Some(self.stands[keep - 1]) == last {
            keep -= 1;
        }
        self.stands.drain(..keep);
        for frame in self.frames.drain(..keep) {
            self.decided.remove(&frame.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp, civil};
    use proptest::prelude::*;

    use super::*;
    use crate::frame::{CameraId, CameraTime, FrameSize};
    use crate::triage::{Boundary, Choice};
    use crate::vision::geometry::Polygon;
    use crate::vision::{Light, Objects, Sighting};

    fn rules() -> Rules {
        Rules {
            choice: Choice::Irrelevant,
            zone: Polygon::everywhere(),
            event_gap: Duration::from_secs(60),
            max_hold: Duration::from_secs(200),
            keep: NonZeroUsize::MIN,
        }
    }

    /// A frame that came `seconds` after the one before it.
    fn frame(number: usize, taken: Option<i64>) -> Facts {
        let taken = taken.map(|s| {
            let start = civil::date(2026, 10, 20).at(8, 0, 0, 0);
            CameraTime(start.saturating_add(SignedDuration::from_secs(s)))
        });
        Facts {
            id: Digest::of(&number.to_be_bytes()),
            folder: "DCIM/100MEDIA".to_owned(),
            name: format!("IMG_{number:04}.JPG"),
            taken,
            arrived: BoxTime(Timestamp::UNIX_EPOCH + SignedDuration::from_secs(number as i64)),
            sighting: Sighting {
                size: FrameSize { width: 1, height: 1 },
                light: Light::Day,
                objects: Objects::default(),
            },
        }
    }

    /// Closes every event that a later frame ended, as a round does; returns each with its beginning.
    fn close(timeline: &mut Timeline, camera: &CameraId, all: bool) -> Vec<(EventId, usize, bool)> {
        let mut closed = Vec::new();
        for span in timeline.undecided(&rules()) {
            if all || span.ends != Boundary::Card {
                let id = span.id(camera, timeline.frames()).expect("a frame");
                closed.push((id, span.frames.len(), span.begins.is_cut()));
                timeline.decide(&span, id);
            }
        }
        closed
    }

    proptest! {
        #[test]
        fn what_is_dropped_never_changes_an_event(
            steps in proptest::collection::vec((0i64..90, any::<bool>(), any::<bool>()), 1..60),
            batch in 1usize..9,
        ) {
            let camera: CameraId = "quai".parse().expect("plain");
            let mut hour = 0;
            let frames: Vec<_> = steps.iter().enumerate().map(|(number, &(step, back, timed))| {
                hour += if back && step > 80 { -1000 } else { step };
                let stand = if step % 3 == 0 { Stand::Discarded } else { Stand::Held };
                (frame(number, (timed || step < 70).then_some(hour)), stand)
            }).collect();
            let (mut whole, mut short) = (Timeline::default(), Timeline::default());
            for (at, some) in frames.chunks(batch).enumerate() {
                for (facts, stand) in some {
                    whole.add(facts.clone(), *stand);
                    short.add(facts.clone(), *stand);
                }
                prop_assert_eq!(close(&mut short, &camera, false), close(&mut whole, &camera, false));
                prop_assert_eq!(short.last_arrival(), whole.last_arrival());
                let next = format!("IMG_{:04}.JPG", (at + 1) * batch);
                short.drop_before(["DCIM/100MEDIA", &next]);
            }
            prop_assert_eq!(close(&mut short, &camera, true), close(&mut whole, &camera, true));
        }
    }

    #[test]
    fn a_long_card_leaves_no_more_than_its_last_events() {
        let camera: CameraId = "quai".parse().expect("plain");
        let mut timeline = Timeline::default();
        for number in 0..1000 {
            timeline.add(frame(number, Some(number as i64 / 4 * 100)), Stand::Held);
            close(&mut timeline, &camera, false);
            let next = format!("IMG_{:04}.JPG", number + 1);
            timeline.drop_before(["DCIM/100MEDIA", &next]);
            assert!(timeline.frames().len() <= 9, "{number}");
        }
        assert_eq!(timeline.last_arrival(), Some(frame(999, None).arrived));
    }

    #[test]
    fn nothing_is_dropped_where_a_frame_may_still_come() {
        let camera: CameraId = "quai".parse().expect("plain");
        let mut timeline = Timeline::default();
        for number in 0..10 {
            timeline.add(frame(number, Some(number as i64 * 100)), Stand::Held);
        }
        close(&mut timeline, &camera, true);
        timeline.drop_before(["DCIM/100MEDIA", "IMG_0004.JPG"]);
        let first = timeline.frames().first().map(|frame| frame.name.as_str());
        assert_eq!(first, Some("IMG_0003.JPG"));
    }
}
