//! How often somebody may be wrong. Pure: time comes in.
//!
//! Promises: from the fifth failure in a row on, each makes the next attempt wait twice as long; the tenth locks the
//! log-in name until a chef or the admin lifts it, or a day has passed, so that a stranger who locks everybody out does
//! not close the desk for good. An unknown name is counted as a known one: the answer does not tell them apart.

use jiff::SignedDuration;

use crate::frame::BoxTime;

/// Failures without consequence.
pub const FREE: u32 = 4;
/// The failure that locks.
pub const LOCKING: u32 = 10;
/// The first wait.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(30);
/// After this the count begins again.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(24);

/// What was counted of a log-in name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// In a row.
    pub count: u32,
    /// When the last one was.
    pub last: BoxTime,
}

/// What is to be done with an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Look at it.
    Try,
    /// Not before then.
    Wait(BoxTime),
    /// Not until somebody lifts it, or then at last.
    Locked(BoxTime),
}

/// What is to be done with an attempt at `now`.
pub fn judge(failures: Option<Failures>, now: BoxTime) -> Verdict {
    let Some(Failures { count, last }) = failures else {
        return Verdict::Try;
    };
    let until = |wait| BoxTime(last.0.saturating_add(wait).unwrap_or(last.0));
    let wait = match count {
        0..=FREE => return Verdict::Try,
        LOCKING.. => FORGOTTEN,
        // 5 to 9: 30 s, 1, 2, 4, 8 min.
        some => FIRST_WAIT * (1 << (some - FREE - 1)),
    };
    // A clock that was set back must not make anybody wait for it: no wait is longer than it was meant to be.
    let waited = now.0.duration_since(last.0).abs();
    match (waited >= wait, count) {
        (true, _) => Verdict::Try,
        (false, LOCKING..) => Verdict::Locked(until(wait)),
        (false, _) => Verdict::Wait(until(wait)),
    }
}

/// The count after one more failure at `now`; a day after the last one it begins again.
pub fn after_another(failures: Option<Failures>, now: BoxTime) -> Failures {
    let count = match failures {
        Some(Failures { count, last }) if now.0.duration_since(last.0).abs() < FORGOTTEN => count + 1,
        _ => 1,
    };
    Failures { count, last: now }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> BoxTime {
        BoxTime(jiff::Timestamp::from_second(1_800_000_000 + seconds).expect("an instant"))
    }

    fn after(count: u32) -> Option<Failures> {
        (count > 0).then(|| Failures { count, last: at(0) })
    }

    #[test]
    fn four_failures_cost_nothing_and_then_each_doubles_the_wait() {
        for count in 0..=4 {
            assert_eq!(judge(after(count), at(0)), Verdict::Try);
        }
        for (count, wait) in [(5, 30), (6, 60), (7, 120), (8, 240), (9, 480)] {
            assert_eq!(
                judge(after(count), at(wait - 1)),
                Verdict::Wait(at(wait)),
                "{count}"
            );
            assert_eq!(judge(after(count), at(wait)), Verdict::Try, "{count}");
        }
    }

    #[test]
    fn the_tenth_failure_locks_for_a_day() {
        const DAY: i64 = 86_400;
        assert_eq!(judge(after(10), at(DAY - 1)), Verdict::Locked(at(DAY)));
        assert_eq!(judge(after(10), at(DAY)), Verdict::Try);
        assert_eq!(after_another(after(10), at(DAY)).count, 1);
        assert_eq!(after_another(after(10), at(DAY - 1)).count, 11);
        assert_eq!(
            after_another(None, at(0)),
            Failures {
                count: 1,
                last: at(0)
            }
        );
    }

    #[test]
    fn a_clock_set_back_neither_frees_nor_blocks_for_ever() {
        assert!(matches!(judge(after(5), at(-10)), Verdict::Wait(_)));
        assert_eq!(judge(after(5), at(-31)), Verdict::Try);
        assert_eq!(judge(after(10), at(-86_401)), Verdict::Try);
    }
}
