//! What stands before a camera from event to event: it tells a parked vehicle from one that comes.
//!
//! Promises: it would rather forget than be wrong, for a vehicle that is taken for a parked one is not
//! seen as an event. A vehicle that arrives and stays is none in the event in which it arrives, nor in
//! the two hours after. Leaves what a parked vehicle means to `verdict`.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Facts, clock, zone};
use crate::frame::CameraTime;
use crate::vision::geometry::Rect;

/// What stood this long is no one who came to unload. Longer than an hour, so that a camera whose
/// clock goes to summer time does not make a vehicle that has just come into one that was there before.
const STOOD_LONG: SignedDuration = SignedDuration::from_hours(2);

/// The scout misses one box in ten (findings: a stopped car seen from above, .93 to .96 of its frames):
/// for this long, a vehicle that is not seen may still be there. Not longer, or another in its place
/// would be taken for it.
const UNSEEN: SignedDuration = SignedDuration::from_mins(10);

/// A vehicle that stands before the camera.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Where, in pixels of the upright frame.
    #[serde(rename = "box")]
    pub rect: Rect,
    /// The end of the first event that showed it there.
    pub since: CameraTime,
    /// The last frame that showed it there.
    pub seen: CameraTime,
    /// The last event's last frame did not.
    pub missed: bool,
}

/// What stands before one camera: the memory that tells a parked vehicle from one that comes.
///
/// Safe by being forgetful: a vehicle that the scout does not find at its place for ten minutes has to
/// stand for two hours anew, and frames without a believable camera time make it forget everything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Scene {
    /// The vehicles that stood there at the end of the last event.
    pub standing: Vec<Standing>,
}

impl Scene {
    /// The scene after an event: to be put on record with its verdict, and passed with the next one.
    pub fn after(&self, event: &[Facts]) -> Self {
        let start = event.first().and_then(believed);
        let end = event.last().and_then(|last| Some((last, believed(last)?)));
        let (Some(start), Some((last, now))) = (start, end) else {
            return Self::default();
        };
        let there = self.standing.iter().filter(|known| known.is_there(start));
        let mut standing: Vec<Standing> = there.map(|known| known.after(event, now)).collect();
        standing.retain(|known| known.seen_lately(now));
        for vehicle in &last.sighting.objects.vehicles {
            if !standing
                .iter()
                .any(|known| zone::same_place(known.rect, vehicle.rect))
            {
                standing.push(Standing {
                    rect: vehicle.rect,
                    since: now,
                    seen: now,
                    missed: false,
                });
            }
        }
        Self { standing }
    }

    /// The places of those that stood long before this event began.
    pub(super) fn parked_before(&self, event: &[Facts]) -> Vec<Rect> {
        let Some(now) = event.first().and_then(believed) else {
            return Vec::new();
        };
        let long = |s: &&Standing| now.0.duration_since(s.since.0) >= STOOD_LONG;
        let parked = self.standing.iter().filter(long).filter(|s| s.is_there(now));
        parked.map(|s| s.rect).collect()
    }
}

impl Standing {
    fn after(&self, event: &[Facts], end: CameraTime) -> Self {
        let here = |frame: &Facts| {
            let mut vehicles = frame.sighting.objects.vehicles.iter().map(|v| v.rect);
            Some((
                believed(frame)?,
                vehicles.find(|&rect| zone::same_place(self.rect, rect))?,
            ))
        };
        let found = event
            .iter()
            .enumerate()
            .rev()
            .find_map(|(index, frame)| Some((index, here(frame)?)));
        // After the clock was set back, how long it has stood is not known.
        let since = self.since.min(end);
        match found {
            Some((index, (seen, rect))) => Self {
                rect,
                since,
                seen,
                missed: index + 1 < event.len(),
            },
            None => Self {
                since,
                missed: true,
                ..*self
            },
        }
    }

    /// Whether it may be taken to stand there still, when an event begins.
    fn is_there(&self, start: CameraTime) -> bool {
        !self.missed || self.seen_lately(start)
    }

    fn seen_lately(&self, now: CameraTime) -> bool {
        let ago = now.0.duration_since(self.seen.0);
        !ago.is_negative() && ago <= UNSEEN
    }
}

fn believed(frame: &Facts) -> Option<CameraTime> {
    frame
        .taken
        .filter(|&taken| clock::plausible(taken, frame.arrived))
}
