//! When an event happened, for its terms, and when it must be gone. Pure.
//!
//! Promises: the moment is the camera's corrected clock wherever that can be true: not after the box first saw the
//! frame, and not further before than a frame can lie on a card. Else it is the moment at which the box saw it: a
//! camera whose battery was out says 1970, and what it took must not be destroyed the day it comes (nor, with a
//! clock that runs ahead, be kept for ever). The due date is a number of days later, to the day by the city's
//! calendar (CSI art. L.252-5: one month at most).

use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan as _};

use super::NotAWord;
use crate::frame::{BoxTime, CameraTime};

/// No frame is older when the box first sees it: cards are wiped every quarter.
const LONGEST_ON_CARD: SignedDuration = SignedDuration::from_hours(24 * 100);
/// Two clocks that are both right differ by no more.
const SKEW: SignedDuration = SignedDuration::from_hours(1);

/// By which clock a moment is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The camera's, corrected.
    Camera,
    /// The box's: the camera's cannot be true, or says nothing.
    Box,
}

impl Clock {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Box => "box",
        }
    }
}

impl FromStr for Clock {
    type Err = NotAWord;
    fn from_str(word: &str) -> Result<Self, NotAWord> {
        match word {
            "camera" => Ok(Self::Camera),
            "box" => Ok(Self::Box),
            _ => Err(NotAWord),
        }
    }
}

/// What the desk's configuration says of events that nobody has decided on.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// The city's time zone: the cameras' clocks show it.
    pub zone: TimeZone,
    /// Days after the facts.
    pub unreviewed_days: u16,
}

impl Terms {
    /// When it happened, and by which clock.
    pub fn facts(&self, corrected: Option<CameraTime>, arrived: BoxTime) -> (BoxTime, Clock) {
        let told = corrected.and_then(|taken| self.zone.to_ambiguous_zoned(taken.0).compatible().ok());
        let told = told.map(|zoned| zoned.timestamp());
        let possible = |told: &jiff::Timestamp| {
            let before = arrived.0.duration_since(*told);
            (-SKEW..=LONGEST_ON_CARD).contains(&before)
        };
        match told.filter(possible) {
            Some(told) => (BoxTime(told), Clock::Camera),
            None => (arrived, Clock::Box),
        }
    }

    /// When what nobody has decided on is destroyed at the latest.
    pub fn due(&self, facts: BoxTime) -> BoxTime {
        let days = i64::from(self.unreviewed_days);
        let by_calendar = facts.0.to_zoned(self.zone.clone()).checked_add(days.days());
        BoxTime(by_calendar.map_or(facts.0, |zoned| zoned.timestamp()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        Terms {
            zone: TimeZone::get("Europe/Paris").expect("known"),
            unreviewed_days: 30,
        }
    }

    fn camera(text: &str) -> Option<CameraTime> {
        Some(CameraTime(text.parse().expect("a date and an hour")))
    }

    fn at(text: &str) -> BoxTime {
        BoxTime(text.parse().expect("an instant"))
    }

    #[test]
    fn a_camera_that_can_be_right_says_when_it_was() {
        let arrived = at("2026-11-22T08:00:00Z");
        let told = camera("2026-11-21T22:15:00");
        assert_eq!(
            terms().facts(told, arrived),
            (at("2026-11-21T21:15:00Z"), Clock::Camera)
        );
        let a_little_ahead = camera("2026-11-22T09:30:00");
        assert_eq!(terms().facts(a_little_ahead, arrived).1, Clock::Camera);
    }

    #[test]
    fn a_camera_that_cannot_be_right_neither_hastens_nor_delays_destruction() {
        let arrived = at("2026-11-22T08:00:00Z");
        for impossible in [
            "1970-01-01T00:00:10",
            "2015-01-01T00:00:00",
            "2031-01-01T00:00:00",
        ] {
            let facts = terms().facts(camera(impossible), arrived);
            assert_eq!(facts, (arrived, Clock::Box), "{impossible}");
        }
        assert_eq!(terms().facts(None, arrived), (arrived, Clock::Box));
    }

    #[test]
    fn the_term_is_counted_in_days_of_the_citys_calendar() {
        // Winter time begins in between: the hour stays the same on the wall.
        assert_eq!(
            terms().due(at("2026-10-10T10:00:00Z")),
            at("2026-11-09T11:00:00Z")
        );
    }

    #[test]
    fn the_repeated_hour_of_october_is_an_hour_and_not_an_error() {
        let arrived = at("2026-10-25T08:00:00Z");
        let (facts, by) = terms().facts(camera("2026-10-25T02:30:00"), arrived);
        assert_eq!((facts, by), (at("2026-10-25T00:30:00Z"), Clock::Camera));
    }
}
