//! The camera's clock: when it is to be believed, and how much time lies between two frames.
//!
//! Promises: a clock that was reset at power-up (1970, 2015) or runs far ahead is recognised; a gap
//! is measured as the camera counted, and the hour that summer time takes or gives is no gap.
//! Leaves the correction of the clock to the configuration: times come in corrected.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;

use crate::frame::{BoxTime, CameraTime, FIRST_PLAUSIBLE};

/// Civil time has no zone; a day is more than the widest zone (UTC+14) can put it ahead of UTC.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Whether the box's own clock has been set at all.
pub fn is_set(clock: BoxTime) -> bool {
    clock.is_set()
}

/// Whether a camera's clock can be believed: not before 2020, and not over a day ahead of the box when
/// the frame arrived. A box whose own clock was never set proves nothing against the camera's.
pub fn plausible(taken: CameraTime, arrived: BoxTime) -> bool {
    let ahead = taken.0.duration_since(TimeZone::UTC.to_datetime(arrived.0));
    taken.0 >= FIRST_PLAUSIBLE && (!is_set(arrived) || ahead <= AHEAD)
}

/// How a camera's clock went on from one frame to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// By at most the time asked about.
    Within(Duration),
    /// By more.
    Beyond,
    /// Backwards: it was set back, or started anew.
    Back,
}

/// The step from `before` to `after`, against `most`.
pub fn step(before: CameraTime, after: CameraTime, most: Duration) -> Step {
    let gap = after.0.duration_since(before.0);
    let gap = summer_time(before.0, after.0, gap, most).unwrap_or(gap);
    match Duration::try_from(gap) {
        Err(_) => Step::Back,
        Ok(gap) if gap <= most => Step::Within(gap),
        Ok(_) => Step::Beyond,
    }
}

/// The true gap, where a camera that keeps summer time changed its clock between two frames: an hour
/// forward in March, back in October or November, on a Sunday, at the end of the hour 1 or 2 (France:
/// 02:00 and 03:00, directive 2000/84/EC; Québec: 02:00 both times). Another pair of frames can only be
/// taken for such a change if they lie an hour apart to within `most` in such a night.
fn summer_time(
    before: DateTime,
    after: DateTime,
    gap: SignedDuration,
    most: Duration,
) -> Option<SignedDuration> {
    let fits = |gap: SignedDuration| Duration::try_from(gap).is_ok_and(|gap| gap <= most);
    if before.weekday() != Weekday::Sunday || before.date() != after.date() {
        return None;
    }
    match (before.month(), before.hour(), after.hour()) {
        (3, 1, 3) => Some(gap - HOUR).filter(|&g| fits(g)),
        (10 | 11, 1, 1) | (10 | 11, 2, 2) if gap.is_negative() => Some(gap + HOUR).filter(|&g| fits(g)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera(text: &str) -> CameraTime {
        CameraTime(text.parse().expect("a civil time"))
    }

    #[test]
    fn a_clock_that_was_never_set_or_runs_ahead_is_not_believed() {
        let table = [
            // camera, box, plausible
            ("1970-01-01T00:00:10", "2026-11-21T10:00:00Z", false),
            ("2015-01-01T00:00:10", "2026-11-21T10:00:00Z", false),
            ("2019-12-31T23:59:59", "2026-11-21T10:00:00Z", false),
            ("2026-11-21T11:00:00", "2026-11-21T10:00:00Z", true),
            ("2026-11-22T09:59:00", "2026-11-21T10:00:00Z", true),
            ("2026-11-22T10:00:01", "2026-11-21T10:00:00Z", false),
            // an old card, read today
            ("2024-03-01T10:00:00", "2026-11-21T10:00:00Z", true),
            // a box without a battery for its clock
            ("2026-11-21T11:00:00", "1970-01-01T00:00:20Z", true),
        ];
        for (taken, arrived, expected) in table {
            let arrived = BoxTime(arrived.parse().expect("an instant"));
            assert_eq!(
                plausible(camera(taken), arrived),
                expected,
                "{taken} seen {arrived}"
            );
        }
    }

    #[test]
    fn the_hour_of_summer_time_is_no_gap_and_no_setting_back() {
        let seconds = |s| Step::Within(Duration::from_secs(s));
        let table = [
            // 29 March 2026 and 25 October 2026: France; 8 March and 1 November: Québec
            ("2026-03-29T01:59:50", "2026-03-29T03:00:10", seconds(20)),
            ("2026-10-25T02:59:50", "2026-10-25T02:00:10", seconds(20)),
            ("2026-03-08T01:59:50", "2026-03-08T03:00:10", seconds(20)),
            ("2026-11-01T01:59:50", "2026-11-01T01:00:10", seconds(20)),
            // the same on a Monday: a gap, a clock set back
            ("2026-03-30T01:59:50", "2026-03-30T03:00:10", Step::Beyond),
            ("2026-10-26T02:59:50", "2026-10-26T02:00:10", Step::Back),
            // a Sunday in another month
            ("2026-06-28T01:59:50", "2026-06-28T03:00:10", Step::Beyond),
            // that night, but not that step
            ("2026-10-25T02:30:00", "2026-10-25T02:00:10", Step::Back),
            ("2026-03-29T01:59:50", "2026-03-29T03:05:00", Step::Beyond),
            ("2026-10-25T02:10:00", "2026-10-25T02:10:30", seconds(30)),
        ];
        for (before, after, expected) in table {
            let found = step(camera(before), camera(after), Duration::from_secs(60));
            assert_eq!(found, expected, "{before} {after}");
        }
    }
}
