//! The hour that the desk's terms are counted by. Pure.
//!
//! The clock of an office machine is set by hand, or by a battery that is ten years old, and what is erased by it
//! does not come back. So terms are counted on a [`Mark`], kept in the store, which follows the clock with care:
//!
//! 1. it never goes back by itself;
//! 2. the clock is within a day of it: they are in step, and the mark stands where the clock has come to; a clock
//!    that was put back by an hour is waited for;
//! 3. the clock is more than a day ahead (the machine was off over a holiday, or the clock is wrong): nothing is
//!    believed until the program has run beside that clock for a while, an hour for an absence of up to four days,
//!    a day for a longer one, or until a person says that the date is right, which the journal keeps;
//! 4. the clock is more than a day behind: the mark goes on by the time that passes, so that a clock set back puts
//!    nothing off for ever;
//! 5. a clock that was never set (before 2020) moves nothing but by running time.
//!
//! Leaves the terms themselves to [`super::plan`], keeping the mark to [`super::marks`].

use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::frame::BoxTime;

/// A step of the clock that needs no proof.
const STEP: SignedDuration = SignedDuration::from_hours(24);
/// A long weekend: a leap up to here is proven in an hour.
const WEEKEND: SignedDuration = SignedDuration::from_hours(4 * 24);
/// Running time that proves a leap over a long weekend.
const SHORT_PROOF: Duration = Duration::from_secs(3600);
/// Running time that proves any leap.
const LONG_PROOF: Duration = Duration::from_secs(24 * 3600);

/// The hour as far as it can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// What terms are counted by.
    pub believed: BoxTime,
    /// What the clock said at the last look.
    pub clock: BoxTime,
    /// A leap ahead that is not believed yet.
    pub leap: Option<Leap>,
}

/// A clock that was found more than a day ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leap {
    /// Where the clock is believed to have come to, once that is proven.
    pub to: BoxTime,
    /// Seconds that the program has run beside it.
    pub ran_seconds: u64,
    /// Seconds that it must.
    pub needed_seconds: u64,
}

/// What a person is told of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// Clock and mark are in step.
    InStep,
    /// The clock is ahead by more than a day, which is not proven yet.
    Ahead,
    /// The clock is behind by more than a day.
    Behind,
    /// The clock was never set.
    Unset,
}

impl Mark {
    /// The first look at a clock. `last`: when the journal's last line was written, which is later than any term
    /// that could have begun.
    pub fn new(now: BoxTime, last: Option<BoxTime>) -> Self {
        let first = Self {
            believed: last.unwrap_or(now),
            clock: last.unwrap_or(now),
            leap: None,
        };
        first.look(now, Duration::ZERO)
    }

    /// After a look at the clock. `ran`: how long the program ran since its last look, by the monotonic clock; zero
    /// at a start.
    pub fn look(self, now: BoxTime, ran: Duration) -> Self {
        let ran = SignedDuration::try_from(ran).unwrap_or(SignedDuration::ZERO);
        let counted = later(self.believed, ran);
        if !now.is_set() {
            return Self {
                believed: counted,
                clock: later(self.clock, ran),
                leap: self.leap,
            };
        }
        let ahead = now.0.duration_since(counted.0);
        let first_set = !self.believed.is_set();
        let believed = match () {
            () if first_set => now,
            () if ahead > STEP => return self.leaping(now, ran, counted),
            () if ahead >= -STEP => self.believed.max(now),
            // A clock that goes on, though from a wrong hour, tells how long the machine was off.
            () => later(
                self.believed,
                now.0.duration_since(self.clock.0).clamp(ran, ran + STEP),
            ),
        };
        Self {
            believed,
            clock: now,
            leap: None,
        }
    }

    fn leaping(self, now: BoxTime, ran: SignedDuration, counted: BoxTime) -> Self {
        let passed = now.0.duration_since(self.clock.0);
        let leap = match self.leap {
            // Not if the clock went back since. A weekend that falls into the proof does not put it off; more is a leap
            // of its own.
            Some(leap) if passed >= ran - STEP => Leap {
                to: later(
                    leap.to,
                    if passed > ran + WEEKEND {
                        ran
                    } else {
                        passed.max(ran)
                    },
                )
                .min(now),
                ran_seconds: leap.ran_seconds.saturating_add(seconds(ran)),
                ..leap
            },
            _ => Leap {
                to: now,
                ran_seconds: 0,
                needed_seconds: match now.0.duration_since(counted.0) <= WEEKEND {
                    true => SHORT_PROOF.as_secs(),
                    false => LONG_PROOF.as_secs(),
                },
            },
        };
        if leap.ran_seconds < leap.needed_seconds {
            return Self {
                believed: counted,
                clock: now,
                leap: Some(leap),
            };
        }
        let proven = Self {
            believed: leap.to,
            clock: now,
            leap: None,
        };
        // What the clock did beyond that is another leap, with a proof of its own.
        proven.look(now, Duration::ZERO)
    }

    /// After a person said that the clock is right.
    pub fn confirmed(now: BoxTime) -> Self {
        Self {
            believed: now,
            clock: now,
            leap: None,
        }
    }

    /// How the clock stands.
    pub fn trust(&self) -> Trust {
        match self.believed.0.duration_since(self.clock.0) {
            _ if !self.believed.is_set() => Trust::Unset,
            _ if self.leap.is_some() => Trust::Ahead,
            behind if behind > STEP => Trust::Behind,
            _ => Trust::InStep,
        }
    }

    /// The day that it is in `zone`; nothing while no clock was ever set.
    pub fn today(&self, zone: &TimeZone) -> Option<Date> {
        self.believed.is_set().then(|| local_date(self.believed, zone))
    }
}

/// The calendar day of an instant, as people in `zone` count it.
pub fn local_date(time: BoxTime, zone: &TimeZone) -> Date {
    zone.to_datetime(time.0).date()
}

fn later(time: BoxTime, by: SignedDuration) -> BoxTime {
    time.0.checked_add(by).map_or(time, BoxTime)
}

fn seconds(of: SignedDuration) -> u64 {
    u64::try_from(of.as_secs()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    fn at(text: &str) -> BoxTime {
        BoxTime(text.parse().expect("an instant"))
    }

    fn hours(n: u64) -> Duration {
        Duration::from_secs(n * HOUR)
    }

    fn plus(time: BoxTime, n: i64) -> BoxTime {
        later(time, SignedDuration::from_hours(n))
    }

    const START: &str = "2026-11-20T17:00:00Z";

    #[test]
    fn a_machine_that_runs_and_one_that_is_off_at_night_are_in_step() {
        let mut mark = Mark::new(at(START), None);
        for hour in 1..=48 {
            mark = mark.look(plus(at(START), hour), hours(1));
        }
        assert_eq!(mark.believed, plus(at(START), 48));
        let morning = plus(at(START), 48 + 15);
        let mark = mark.look(morning, Duration::ZERO);
        assert_eq!((mark.believed, mark.trust()), (morning, Trust::InStep));
    }

    #[test]
    fn after_a_weekend_an_hour_beside_the_clock_is_asked_for() {
        let monday = plus(at(START), 63);
        let mark = Mark::new(at(START), None).look(monday, Duration::ZERO);
        assert_eq!((mark.believed, mark.trust()), (at(START), Trust::Ahead));
        let soon = mark.look(
            later(monday, SignedDuration::from_mins(59)),
            Duration::from_secs(59 * 60),
        );
        assert_eq!(soon.trust(), Trust::Ahead);
        let mark = mark.look(plus(monday, 1), hours(1));
        assert_eq!((mark.believed, mark.trust()), (plus(monday, 1), Trust::InStep));
    }

    #[test]
    fn a_single_wrong_reading_years_ahead_moves_nothing() {
        let mark = Mark::new(at(START), None);
        let wrong = mark.look(at("2031-01-01T00:00:00Z"), hours(1));
        assert_eq!(wrong.believed, plus(at(START), 1));
        let right = wrong.look(plus(at(START), 2), hours(1));
        assert_eq!(
            (right.believed, right.trust()),
            (plus(at(START), 2), Trust::InStep)
        );
        assert_eq!(right.leap, None);
    }

    #[test]
    fn a_clock_years_ahead_needs_a_day_beside_it_or_a_person() {
        let wrong = at("2028-11-20T17:00:00Z");
        let mut mark = Mark::new(at(START), None).look(wrong, Duration::ZERO);
        for hour in 1..24 {
            mark = mark.look(plus(wrong, hour), hours(1));
            assert!(mark.believed < plus(at(START), 24), "after {hour} h");
        }
        assert_eq!(mark.look(plus(wrong, 24), hours(1)).believed, plus(wrong, 24));
        assert_eq!(Mark::confirmed(wrong).believed, wrong);
    }

    #[test]
    fn a_machine_used_for_an_hour_a_day_comes_to_believe_a_long_absence() {
        let back = at("2026-12-20T08:00:00Z");
        let mut mark = Mark::new(at(START), None).look(back, Duration::ZERO);
        // Every fifth and sixth day it is off.
        for day in (0..60).filter(|day| day % 7 < 5) {
            mark = mark.look(plus(back, 24 * day), Duration::ZERO);
            mark = mark.look(plus(back, 24 * day + 1), hours(1));
        }
        assert_eq!(mark.trust(), Trust::InStep);
        assert_eq!(mark.believed, mark.clock);
    }

    #[test]
    fn the_proof_of_one_leap_does_not_prove_the_next() {
        let first = plus(at(START), 48);
        let mark = Mark::new(at(START), None).look(first, Duration::ZERO);
        let second = at("2029-01-01T00:00:00Z");
        let mark = mark.look(second, hours(1));
        assert!(mark.believed < plus(first, 26), "{mark:?}");
        assert_eq!(mark.trust(), Trust::Ahead);
    }

    #[test]
    fn a_clock_set_back_is_waited_for_or_passed_over_and_never_stops_the_mark() {
        let mark = Mark::new(at(START), None);
        let an_hour = mark.look(plus(at(START), -1), hours(1));
        assert_eq!(an_hour.believed, at(START));
        assert_eq!(
            an_hour.look(plus(at(START), 1), hours(2)).believed,
            plus(at(START), 1)
        );
        let mut year = mark;
        let wrong = at("2025-11-20T17:00:00Z");
        for day in 0..=30 {
            // Off at night: the program itself runs for eight hours a day.
            year = year.look(plus(wrong, 24 * day), Duration::ZERO);
            year = year.look(plus(wrong, 24 * day + 8), hours(8));
        }
        assert_eq!(year.trust(), Trust::Behind);
        assert_eq!(year.believed, plus(at(START), 30 * 24 + 8));
        let right = year.look(plus(at(START), 30 * 24 + 9), hours(1));
        assert_eq!(
            right.trust(),
            Trust::InStep,
            "and put right again, no leap is seen"
        );
    }

    #[test]
    fn a_clock_that_was_never_set_tells_no_day() {
        let unset = at("1970-01-01T00:10:00Z");
        let mark = Mark::new(unset, None);
        assert_eq!((mark.today(&TimeZone::UTC), mark.trust()), (None, Trust::Unset));
        assert_eq!(mark.look(at(START), hours(1)).believed, at(START));
        // One that lost its hour does not take the mark back.
        let lost = Mark::new(at(START), None).look(unset, hours(1));
        assert_eq!(lost.believed, plus(at(START), 1));
        assert_eq!(
            lost.look(plus(at(START), 2), hours(1)).believed,
            plus(at(START), 2)
        );
    }

    #[test]
    fn the_day_is_that_of_the_people_and_not_of_greenwich() {
        let paris = TimeZone::get("Europe/Paris").expect("a zone");
        let late = at("2026-06-30T22:30:00Z");
        assert_eq!(local_date(late, &paris), jiff::civil::date(2026, 7, 1));
        assert_eq!(local_date(late, &TimeZone::UTC), jiff::civil::date(2026, 6, 30));
    }

    proptest::proptest! {
        /// Whatever the clock does from look to look, the mark does not go back, and no single reading takes it
        /// more than a day further than what ran.
        #[test]
        fn the_mark_only_goes_on_and_no_look_takes_it_far(
            looks in proptest::collection::vec((-40_000i64..40_000, 0u64..30), 1..40)
        ) {
            let mut mark = Mark::new(at(START), None);
            let mut proven = 0;
            for (offset, ran) in looks {
                let before = mark;
                mark = mark.look(plus(at(START), offset), hours(ran));
                proptest::prop_assert!(mark.believed >= before.believed);
                proven += ran;
                let went = mark.believed.0.duration_since(before.believed.0);
                let free = STEP + SignedDuration::from_hours(ran as i64);
                let by_proof = before.leap.is_some_and(|leap| leap.needed_seconds <= proven * HOUR);
                proptest::prop_assert!(went <= free || by_proof, "{before:?} -> {mark:?}");
            }
        }
    }
}
