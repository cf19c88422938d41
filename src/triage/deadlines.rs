//! Terms: what must be gone by when, and how often to try.
//!
//! Promises: no frame stays on the card longer than `max_age`, seen or unseen (CSI L.252-5), the card
//! is wiped at the latest every `wipe_period`, a trial ends; a box whose clock jumps neither puts
//! these off for ever nor erases early. Leaves the erasing to `trap`.
//!
//! The rule. Terms are counted on a [`Mark`], not on the clock itself:
//! 1. the mark never goes back; while the clock stands behind it, it moves on with the running time;
//! 2. a leap ahead of more than a day is believed when the next look still finds the clock there: one
//!    wrong reading erases nothing, and a box that was off for months still erases what is due;
//! 3. what began before the clock was ever set, or over a day ahead of the mark, was stamped by a clock
//!    that was wrong: it is [`Due::Unknown`], and the caller lets the term begin anew at the mark, once.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::clock::is_set;
use crate::frame::BoxTime;

/// A trial that erases nothing lasts this long at most.
pub const TRIAL: Duration = Duration::from_secs(30 * 24 * 3600);

/// A step ahead that needs no second look.
const LEAP: SignedDuration = SignedDuration::from_hours(24);

/// The box's time as far as it can be trusted; kept in the store. Look at each start, then hourly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// What terms are counted on.
    pub time: BoxTime,
    /// A leap ahead that waits to be confirmed.
    pub leap: Option<BoxTime>,
}

impl Mark {
    /// The first look at a new box.
    pub fn new(now: BoxTime) -> Self {
        Self {
            time: now,
            leap: None,
        }
    }

    /// The mark after a look at the clock; `ran`: how long the program ran since the look before, by the
    /// monotonic clock; zero at a start.
    pub fn look(self, now: BoxTime, ran: Duration) -> Self {
        let counted = later(self.time, ran);
        let ahead = now.0.duration_since(counted.0);
        let first_set = !is_set(self.time) && is_set(now);
        let confirmed = self.leap.is_some_and(|leap| now >= leap);
        match ahead {
            ahead if ahead.is_negative() => Self {
                time: counted,
                leap: None,
            },
            ahead if ahead <= LEAP || first_set || confirmed => Self {
                time: now,
                leap: None,
            },
            _ => Self {
                time: counted,
                leap: Some(now),
            },
        }
    }
}

fn later(time: BoxTime, by: Duration) -> BoxTime {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| time.0.checked_add(by).ok())
        .map_or(time, BoxTime)
}

/// How a term stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Due {
    /// So much is left of it.
    In(Duration),
    /// It has run out.
    Now,
    /// The clock was wrong when it began: let it begin anew at the mark.
    Unknown,
}

/// How a term stands that began at `since`: a frame's arrival with `max_age`, the last wipe (or the
/// first use of the card) with `wipe_period`, a trial's start with [`TRIAL`] or less.
pub fn due(since: BoxTime, mark: Mark, term: Duration) -> Due {
    let age = mark.time.0.duration_since(since.0);
    if (!is_set(since) && is_set(mark.time)) || age < -LEAP {
        return Due::Unknown;
    }
    let age = Duration::try_from(age).unwrap_or(Duration::ZERO);
    match term.checked_sub(age) {
        Some(left) if !left.is_zero() => Due::In(left),
        _ => Due::Now,
    }
}

/// How often something was tried, and how often it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// Tried so far.
    pub made: u32,
    /// Tries that are allowed.
    pub allowed: u32,
}

/// What to do with a frame that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attempt {
    /// Try it again.
    Try,
    /// List it, and leave it for the wipe.
    Leave,
}

impl Attempts {
    /// Whether to try again.
    pub fn next(self) -> Attempt {
        if self.made < self.allowed {
            Attempt::Try
        } else {
            Attempt::Leave
        }
    }
}
