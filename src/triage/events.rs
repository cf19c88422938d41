//! Frames of one camera into events.
//!
//! Promises: every frame that is not decided yet lies in exactly one event; an event is a run of
//! frames in card order; where it begins depends on nothing that comes later, so frames that are added
//! behind never change an event that has ended, and an event's name, which comes from its first frame,
//! stays. Frames of a decided event never join another: who comes late makes an event that is marked
//! as cut. Leaves keeping cameras apart to the caller: one call per camera.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::iter::Peekable;
use std::ops::Range;
use std::str::Chars;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::clock::{self, Step};
use super::{Facts, Rules};
use crate::frame::{BoxTime, CameraId, Digest, EventId};

/// A camera that fires thirty times a second while its clock stands still must not fill one event
/// without end: time bounds nothing then, so the count does.
const MOST_FRAMES: usize = 2000;

/// What lies at one end of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boundary {
    /// Nothing: the first or last frame that is known.
    Card,
    /// More than `event_gap` without a frame.
    Gap,
    /// The camera's clock went backwards.
    SetBack,
    /// A camera without a clock was powered anew: its numbering started again, or it took a new folder.
    Restart,
    /// The event was as long as `max_hold` allows. It goes on in the next one.
    MaxHold,
    /// The neighbour would belong here, but its event was decided before.
    Decided,
}

impl Boundary {
    /// Whether the event goes on beyond this end, in the event next to it.
    pub fn is_cut(self) -> bool {
        matches!(self, Self::MaxHold | Self::Decided)
    }
}

/// An event: where its frames lie in the list that was grouped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Indices of its frames, never empty.
    pub frames: Range<usize>,
    /// What lies before its first frame.
    pub begins: Boundary,
    /// What lies behind its last frame.
    pub ends: Boundary,
}

impl Span {
    /// Its frames, out of the list that was grouped.
    pub fn of<'a>(&self, frames: &'a [Facts]) -> &'a [Facts] {
        frames.get(self.frames.clone()).unwrap_or_default()
    }

    /// Its name, from its first frame; `None` if `frames` is not the list that was grouped.
    pub fn id(&self, camera: &CameraId, frames: &[Facts]) -> Option<EventId> {
        frames
            .get(self.frames.start)
            .map(|first| EventId::of(camera, &first.id))
    }
}

/// The order in which a camera writes: folder, then name, numbers by their value, case left aside
/// (FAT does not know it); the digest decides what is left, so the order is total.
pub fn in_card_order(a: &Facts, b: &Facts) -> Ordering {
    by_place([&a.folder, &a.name], [&b.folder, &b.name]).then_with(|| a.id.cmp(&b.id))
}

/// The same order of two places alone, each a folder and a name.
pub fn by_place(a: [&str; 2], b: [&str; 2]) -> Ordering {
    natural(a[0], b[0]).then_with(|| natural(a[1], b[1]))
}

/// The events of one camera. `frames` lie in card order ([`in_card_order`]); those in `decided` belong
/// to an event whose verdict is on record: they are in no span, and no span reaches across them.
///
/// Pass the frames that were discarded as empty at the first look too (their facts stay): they hold an
/// event together, and they show what stood there before. The list may begin anywhere, as long as it
/// begins with an event's first frame or, better, with the decided frames before it.
pub fn events(frames: &[Facts], decided: &BTreeSet<Digest>, rules: &Rules) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut growing: Option<Growing> = None;
    for (index, frame) in frames.iter().enumerate() {
        let boundary = growing
            .as_ref()
            .map_or(Some(Boundary::Card), |event| event.boundary(frame, rules));
        let is_decided = decided.contains(&frame.id);
        let was_decided = growing.as_ref().is_some_and(|event| event.decided);
        let boundary = match boundary {
            None if is_decided != was_decided => Some(Boundary::Decided),
            boundary => boundary,
        };
        match (boundary, growing.as_mut()) {
            (None, Some(event)) => {
                event.join(frame, rules);
                if let Some(span) = spans.last_mut().filter(|_| !is_decided) {
                    span.frames.end = index + 1;
                }
            }
            (boundary, _) => {
                let boundary = boundary.unwrap_or(Boundary::Card);
                if let Some(span) = spans.last_mut().filter(|_| growing.is_some() && !was_decided) {
                    span.ends = boundary;
                }
                growing = Some(Growing::from(frame, is_decided));
                if !is_decided {
                    spans.push(Span {
                        frames: index..index + 1,
                        begins: boundary,
                        ends: Boundary::Card,
                    });
                }
            }
        }
    }
    spans
}

/// An event while its frames are gathered.
struct Growing<'a> {
    last: &'a Facts,
    /// The last frame whose clock spoke.
    timed: Option<&'a Facts>,
    first_arrival: BoxTime,
    length: Duration,
    count: usize,
    decided: bool,
}

impl<'a> Growing<'a> {
    fn from(frame: &'a Facts, decided: bool) -> Self {
        Self {
            last: frame,
            timed: frame.taken.map(|_| frame),
            first_arrival: frame.arrived,
            length: Duration::ZERO,
            count: 1,
            decided,
        }
    }

    /// What separates `next` from this event; `None` if it belongs to it.
    fn boundary(&self, next: &Facts, rules: &Rules) -> Option<Boundary> {
        let gap = match self.step(next, rules) {
            Step::Within(gap) => gap,
            Step::Beyond => return Some(Boundary::Gap),
            Step::Back => return Some(Boundary::SetBack),
        };
        if self.was_powered_anew(next, rules) {
            return Some(Boundary::Restart);
        }
        // Without camera time there is no length but that of the arrivals.
        let length = match next.taken {
            Some(_) => self.length + gap,
            None => apart(self.first_arrival, next.arrived),
        };
        (length > rules.max_hold || self.count >= MOST_FRAMES).then_some(Boundary::MaxHold)
    }

    /// By the camera's clock where both frames have it, else by the box's.
    fn step(&self, next: &Facts, rules: &Rules) -> Step {
        match (self.timed.and_then(|frame| frame.taken), next.taken) {
            (Some(before), Some(after)) => clock::step(before, after, rules.event_gap),
            _ => match apart(self.last.arrived, next.arrived) {
                gap if gap <= rules.event_gap => Step::Within(gap),
                _ => Step::Beyond,
            },
        }
    }

    /// A clock that starts at 2015 with each power-up says the same small times in every session: two
    /// sessions then look like one. What tells them apart is the numbering, or a long time between
    /// their arrivals. A believable clock needs none of this: a new folder in the middle of an event
    /// is only a folder that was full.
    fn was_powered_anew(&self, next: &Facts, rules: &Rules) -> bool {
        let believable = |f: &Facts| f.taken.is_some_and(|taken| clock::plausible(taken, f.arrived));
        if believable(self.last) && believable(next) {
            return false;
        }
        !goes_on(self.last, next) || apart(self.last.arrived, next.arrived) > rules.max_hold
    }

    fn join(&mut self, frame: &'a Facts, rules: &Rules) {
        if frame.taken.is_some() {
            if let Step::Within(gap) = self.step(frame, rules) {
                self.length += gap;
            }
            self.timed = Some(frame);
        }
        self.last = frame;
        self.count += 1;
    }
}

/// Whether the camera's numbering goes on from one frame to the next: upwards in one folder, by one
/// or from 999, 9999, ... to 0 or 1 into the next (DCF: a full folder is followed by another).
fn goes_on(before: &Facts, after: &Facts) -> bool {
    let (Some(last), Some(next)) = (number(&before.name), number(&after.name)) else {
        return before.folder == after.folder;
    };
    if before.folder == after.folder {
        return next > last;
    }
    let full = last >= 999 && last.checked_add(1).is_some_and(|n| n.ilog10() > last.ilog10());
    last.checked_add(1) == Some(next) || (full && next <= 1)
}

/// The number that ends a file's stem: 12 of `IMG_0012.JPG`.
fn number(name: &str) -> Option<u64> {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let digits = stem.len() - stem.bytes().rev().take_while(u8::is_ascii_digit).count();
    stem.get(digits..)?.parse().ok()
}

/// Time between two readings of the box's clock, whichever was first: it may have been set back.
fn apart(a: BoxTime, b: BoxTime) -> Duration {
    b.0.duration_since(a.0).unsigned_abs()
}

/// What is known of one camera's card when it is asked whether an event is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// The box's clock.
    pub now: BoxTime,
    /// When the latest frame of this camera arrived, looked at or not.
    pub last_arrival: BoxTime,
    /// Frames of this camera lie on the card that were not looked at yet (without those that were given
    /// up). While this holds, only a later frame closes an event: what is missing may belong to it.
    pub waiting: bool,
    /// Nothing more is expected: the end of a scan.
    pub until_idle: bool,
}

/// Why an event is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Closing {
    /// A later frame does not belong to it.
    LaterFrame,
    /// Nothing more is expected.
    Idle,
    /// `event_gap` has passed on the box's clock since the last arrival.
    Quiet,
    /// `max_hold` has passed on the box's clock since its first arrival.
    MaxHold,
    /// The box's clock stands well before the last arrival.
    ClockBack,
}

/// Whether an event is complete, and why. Once it is, put its verdict on record, and its frames into
/// `decided`.
///
/// The box's clock may jump. Forward: the event closes early, and a frame that still comes begins an
/// event marked as cut. Back by up to `event_gap`: it closes that much later. Back by more: how long
/// nothing came is unknown, and it closes now rather than be held until the clock has caught up.
pub fn closed(span: &Span, frames: &[Facts], watch: &Watch, rules: &Rules) -> Option<Closing> {
    if span.ends != Boundary::Card {
        return Some(Closing::LaterFrame);
    }
    if watch.waiting {
        return None;
    }
    if watch.until_idle {
        return Some(Closing::Idle);
    }
    let limit = |d: Duration| SignedDuration::try_from(d).unwrap_or(SignedDuration::MAX);
    let quiet = watch.now.0.duration_since(watch.last_arrival.0);
    let held = span
        .of(frames)
        .iter()
        .map(|f| watch.now.0.duration_since(f.arrived.0))
        .max();
    if quiet > limit(rules.event_gap) {
        Some(Closing::Quiet)
    } else if quiet < -limit(rules.event_gap) {
        Some(Closing::ClockBack)
    } else if held.is_some_and(|held| held >= limit(rules.max_hold)) {
        Some(Closing::MaxHold)
    } else {
        None
    }
}

/// Numbers by value, the rest by its upper-case letters, then byte by byte.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut x, mut y) = (a.chars().peekable(), b.chars().peekable());
    loop {
        let order = match (x.peek().copied(), y.peek().copied()) {
            (None, None) => return a.cmp(b),
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(c), Some(d)) if c.is_ascii_digit() && d.is_ascii_digit() => {
                let (m, n) = (digits(&mut x), digits(&mut y));
                m.len().cmp(&n.len()).then_with(|| m.cmp(&n))
            }
            (Some(c), Some(d)) => {
                x.next();
                y.next();
                c.to_uppercase().cmp(d.to_uppercase())
            }
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// The run of digits that begins here, without leading zeros: as text, for it may be of any length.
fn digits(text: &mut Peekable<Chars<'_>>) -> String {
    let mut run = String::new();
    while let Some(digit) = text.next_if(char::is_ascii_digit) {
        if !(run.is_empty() && digit == '0') {
            run.push(digit);
        }
    }
    run
}
