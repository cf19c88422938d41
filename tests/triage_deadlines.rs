//! Terms: what is due is due whatever the box's clock does, and nothing is erased early.
#![cfg(feature = "trap")]

mod triage_support;

use std::time::Duration;

use proptest::prelude::*;
use triage_support::{after, instant};
use vigie::triage::deadlines::{Attempt, Attempts, Due, Mark, due};

const DAY: i64 = 24 * 3600;
const MAX_AGE: Duration = Duration::from_secs(30 * DAY as u64);

#[test]
fn a_frame_is_overdue_on_the_day_it_should_be_gone() {
    let arrived = instant("2026-10-01T08:00:00Z");
    let table = [
        (0, Due::In(MAX_AGE)),
        (29 * DAY, Due::In(Duration::from_secs(DAY as u64))),
        (30 * DAY - 1, Due::In(Duration::from_secs(1))),
        (30 * DAY, Due::Now),
        (400 * DAY, Due::Now),
        (-DAY, Due::In(MAX_AGE)),
        // it was stamped by a clock that ran far ahead
        (-DAY - 1, Due::Unknown),
    ];
    for (seconds, expected) in table {
        assert_eq!(
            due(arrived, Mark::new(after(arrived, seconds)), MAX_AGE),
            expected,
            "{seconds}"
        );
    }
}

#[test]
fn what_arrived_before_the_clock_was_set_begins_its_term_anew() {
    let arrived = instant("1970-01-01T00:00:30Z");
    let unset = Mark::new(instant("1970-01-01T00:01:00Z"));
    assert_eq!(
        due(arrived, unset, MAX_AGE),
        Due::In(MAX_AGE - Duration::from_secs(30))
    );
    let set = unset.look(instant("2026-11-21T12:00:00Z"), Duration::from_secs(5));
    assert_eq!(set.time, instant("2026-11-21T12:00:00Z"));
    assert_eq!(due(arrived, set, MAX_AGE), Due::Unknown);
}

/// What happens, and one look after the other: the clock, how long the program ran, the mark expected;
/// in seconds from the start.
type Case = (&'static str, &'static [(i64, u64, i64)]);

#[test]
fn the_mark_follows_the_clock_but_neither_backwards_nor_into_one_wrong_reading() {
    let start = instant("2026-11-01T00:00:00Z");
    let table: &[Case] = &[
        ("an ordinary day", &[(3600, 3600, 3600), (7200, 3600, 7200)]),
        (
            "off for the night",
            &[(3600, 3600, 3600), (14 * 3600, 0, 14 * 3600)],
        ),
        (
            "set back: running time counts",
            &[(-40 * DAY, 3600, 3600), (-40 * DAY + 3600, 3600, 7200)],
        ),
        (
            "set back, then right again",
            &[(-40 * DAY, 3600, 3600), (2 * 3600, 3600, 7200)],
        ),
        (
            "one wrong reading ahead",
            &[(4000 * DAY, 3600, 3600), (7200, 3600, 7200), (9000, 1800, 9000)],
        ),
        (
            "off for two months",
            &[(60 * DAY, 0, 0), (60 * DAY + 5, 5, 60 * DAY + 5)],
        ),
        (
            "off for two months, seconds at a time",
            &[(60 * DAY, 0, 0), (63 * DAY, 0, 63 * DAY)],
        ),
    ];
    for (case, looks) in table {
        let mut mark = Mark::new(start);
        for (clock, ran, expected) in *looks {
            mark = mark.look(after(start, *clock), Duration::from_secs(*ran));
            assert_eq!(mark.time, after(start, *expected), "{case}");
        }
    }
}

#[test]
fn an_unreadable_frame_is_tried_as_often_as_allowed_and_then_left() {
    let next = |made, allowed| Attempts { made, allowed }.next();
    assert_eq!(next(0, 3), Attempt::Try);
    assert_eq!(next(2, 3), Attempt::Try);
    assert_eq!(next(3, 3), Attempt::Leave);
    assert_eq!(next(9, 3), Attempt::Leave);
    assert_eq!(next(0, 0), Attempt::Leave);
}

proptest! {
    #[test]
    fn a_box_that_runs_reaches_every_term_whatever_its_clock_says(clocks in prop::collection::vec(-4000 * DAY..0, 40)) {
        let arrived = instant("2026-10-01T08:00:00Z");
        let mut mark = Mark::new(arrived);
        for clock in clocks {
            mark = mark.look(after(arrived, clock), Duration::from_secs(DAY as u64));
        }
        prop_assert_eq!(due(arrived, mark, MAX_AGE), Due::Now);
    }

    #[test]
    fn the_mark_never_goes_back(looks in prop::collection::vec((-100 * DAY..100 * DAY, 0..DAY), 1..40)) {
        let start = instant("2026-10-01T08:00:00Z");
        let mut mark = Mark::new(start);
        for (clock, ran) in looks {
            let next = mark.look(after(start, clock), Duration::from_secs(ran as u64));
            prop_assert!(next.time >= after(mark.time, ran) );
            mark = next;
        }
    }

    #[test]
    fn one_wrong_reading_ahead_makes_nothing_due(ahead in DAY + 3600..9000 * DAY) {
        let arrived = instant("2026-10-01T08:00:00Z");
        let mark = Mark::new(arrived)
            .look(after(arrived, ahead), Duration::from_secs(60))
            .look(after(arrived, 120), Duration::from_secs(60));
        prop_assert_eq!(due(arrived, mark, MAX_AGE), Due::In(MAX_AGE - Duration::from_secs(120)));
    }
}
