//! Frames into events: cameras whose clocks and numbers cannot be trusted, and events that stay.
#![cfg(feature = "trap")]

mod triage_support;

use std::collections::BTreeSet;

use jiff::SignedDuration;
use proptest::prelude::*;
use triage_support::{after, frame, frames, from, instant, rules};
use vigie::frame::{CameraId, CameraTime, Digest};
use vigie::triage::{Boundary, Choice, Closing, Facts, Span, Watch, closed, events, in_card_order};

use Boundary::{Card, Decided, Gap, MaxHold, Restart, SetBack};

fn grouped(frames: &[Facts]) -> Vec<Span> {
    events(frames, &BTreeSet::new(), &rules(Choice::Irrelevant))
}

/// How many frames each event has, and what lies between it and the next.
fn shape(spans: &[Span]) -> Vec<(usize, Boundary)> {
    spans.iter().map(|span| (span.frames.len(), span.ends)).collect()
}

/// What happens, the frames, and the events: how many frames, and what lies behind them.
type Case = (
    &'static str,
    &'static [&'static str],
    &'static [(usize, Boundary)],
);

#[test]
fn frames_of_one_camera_close_in_time_are_one_event() {
    let table: &[Case] = &[
        ("no frame", &[], &[]),
        (
            "a gap of exactly event_gap joins, one second more does not",
            &[
                "IMG_0001 2026-11-20T10:00:00",
                "IMG_0002 2026-11-20T10:01:00",
                "IMG_0003 2026-11-20T10:02:01",
            ],
            &[(2, Gap), (1, Card)],
        ),
        (
            "a burst within one second",
            &["IMG_0001 2026-11-20T10:00:00", "IMG_0002 2026-11-20T10:00:00"],
            &[(2, Card)],
        ),
        (
            "power-cycled board: clock and numbers start again in a new folder",
            &[
                "100MEDIA/IMG_0001 2015-01-01T00:00:05",
                "100MEDIA/IMG_0002 2015-01-01T00:00:07",
                "101MEDIA/IMG_0001 2015-01-01T00:00:09",
                "101MEDIA/IMG_0002 2015-01-01T00:00:11",
            ],
            &[(2, Restart), (2, Card)],
        ),
        (
            "power-cycled board that counts on: its clock goes back",
            &[
                "IMG_0001 2015-01-01T00:00:05",
                "IMG_0002 2015-01-01T00:00:09",
                "IMG_0003 2015-01-01T00:00:05",
            ],
            &[(2, SetBack), (1, Card)],
        ),
        (
            "power-cycled board that counts on, seen live: hours lie between the arrivals",
            &[
                "IMG_0001 2015-01-01T00:00:05",
                "IMG_0002 2015-01-01T00:00:07 . @7200",
            ],
            &[(1, Restart), (1, Card)],
        ),
        (
            "a folder is full in the middle of an event, the clock never set",
            &[
                "100MEDIA/IMG_9999 2015-01-01T00:00:05",
                "101MEDIA/IMG_0001 2015-01-01T00:00:07",
                "101MEDIA/IMG_0002 2015-01-01T00:00:09",
                "102MEDIA/IMG_0003 2015-01-01T00:00:11",
            ],
            &[(4, Card)],
        ),
        (
            "a folder is full in the middle of an event",
            &[
                "100MEDIA/IMG_0500 2026-11-20T10:00:00",
                "101MEDIA/IMG_0001 2026-11-20T10:00:02",
            ],
            &[(2, Card)],
        ),
        (
            "IMG_0001 again in another folder, days later",
            &[
                "100MEDIA/IMG_0001 2026-11-18T10:00:00",
                "101MEDIA/IMG_0001 2026-11-20T10:00:02",
            ],
            &[(1, Gap), (1, Card)],
        ),
        (
            "the clock is set back by three minutes",
            &[
                "IMG_0001 2026-11-20T10:03:00",
                "IMG_0002 2026-11-20T10:00:01",
                "IMG_0003 2026-11-20T10:00:20",
            ],
            &[(1, SetBack), (2, Card)],
        ),
        (
            "the clock is set right, from 2015",
            &["IMG_0001 2015-01-01T00:00:05", "IMG_0002 2026-11-20T10:00:01"],
            &[(1, Gap), (1, Card)],
        ),
        (
            "summer time begins and ends",
            &[
                "IMG_0001 2026-03-29T01:59:50",
                "IMG_0002 2026-03-29T03:00:10",
                "IMG_0003 2026-10-25T02:59:50",
                "IMG_0004 2026-10-25T02:00:10",
                "IMG_0005 2026-10-25T02:00:40",
            ],
            &[(2, Gap), (3, Card)],
        ),
        (
            "a frame without time goes with its neighbours, and moves no clock",
            &[
                "IMG_0001 2026-11-20T10:00:00",
                "IMG_0002 -",
                "IMG_0003 2026-11-20T10:00:50",
                "IMG_0004 -",
                "IMG_0005 2026-11-20T10:05:00",
            ],
            &[(4, Gap), (1, Card)],
        ),
        (
            "no frame has a time: the box's clock decides",
            &["IMG_0001 - . @0", "IMG_0002 - . @40", "IMG_0003 - . @200"],
            &[(2, Gap), (1, Card)],
        ),
        (
            "no frame has a time, and the numbers start again",
            &[
                "100MEDIA/IMG_0001 -",
                "100MEDIA/IMG_0002 -",
                "101MEDIA/IMG_0001 -",
            ],
            &[(2, Restart), (1, Card)],
        ),
    ];
    for (case, lines, expected) in table {
        assert_eq!(shape(&grouped(&frames(lines))), *expected, "{case}");
    }
}

#[test]
fn a_storm_of_500_frames_is_split_at_max_hold_and_each_part_knows_that_it_goes_on() {
    let storm = from("2026-11-20T10:00:00", 2, &". ".repeat(500));
    let spans = grouped(&storm);
    assert_eq!(shape(&spans), [(301, MaxHold), (199, Card)]);
    assert!(spans[1].begins.is_cut() && !spans[0].begins.is_cut());
}

#[test]
fn a_storm_under_a_clock_that_stands_still_is_bounded_too() {
    let storm = from("2026-11-20T10:00:00", 0, &". ".repeat(4100));
    assert_eq!(
        shape(&grouped(&storm)),
        [(2000, MaxHold), (2000, MaxHold), (100, Card)]
    );
}

#[test]
fn an_untimed_storm_is_split_by_its_arrivals() {
    let storm: Vec<Facts> = (0..50)
        .map(|i| frame(&format!("IMG_{i:04} - . @{}", i * 20)))
        .collect();
    assert_eq!(shape(&grouped(&storm)), [(31, MaxHold), (19, Card)]);
}

#[test]
fn two_cameras_with_the_same_bytes_have_two_events() {
    let (a, b): (CameraId, CameraId) = ("quai".parse().expect("id"), "pont".parse().expect("id"));
    let frames = frames(&["IMG_0001 2026-11-20T10:00:00"]);
    let span = &grouped(&frames)[0];
    assert_ne!(span.id(&a, &frames), span.id(&b, &frames));
    assert!(span.id(&a, &frames).is_some());
}

#[test]
fn card_order_is_the_order_in_which_a_camera_writes() {
    let order = [
        "DCIM/99RECNX/IMG_0009 -",
        "DCIM/100MEDIA/IMG_0002 -",
        "DCIM/100MEDIA/img_0010 -",
        "DCIM/100MEDIA/IMG_0100 -",
        "DCIM/101MEDIA/IMG_0001 -",
        "DCIM/101MEDIA/IMG_99999999999999999999999 -",
        "DCIM/101MEDIA/IMG_100000000000000000000000 -",
    ];
    let mut shuffled = frames(&order);
    shuffled.reverse();
    shuffled.sort_by(in_card_order);
    assert_eq!(shuffled, frames(&order));
}

#[test]
fn a_frame_that_comes_after_the_verdict_begins_an_event_that_is_marked_as_cut() {
    let all = frames(&[
        "IMG_0001 2026-11-20T10:00:00",
        "IMG_0002 2026-11-20T10:00:10",
        "IMG_0003 2026-11-20T10:00:20",
        "IMG_0004 2026-11-20T10:30:00",
    ]);
    let rules = rules(Choice::Irrelevant);
    let late_at_the_end: BTreeSet<Digest> = all[..2].iter().map(|f| f.id).collect();
    let spans = events(&all, &late_at_the_end, &rules);
    assert_eq!(shape(&spans), [(1, Gap), (1, Card)]);
    assert_eq!((spans[0].begins, spans[1].begins), (Decided, Gap));

    let late_in_the_middle = BTreeSet::from([all[0].id, all[2].id]);
    let spans = events(&all, &late_in_the_middle, &rules);
    assert_eq!(shape(&spans), [(1, Decided), (1, Card)]);
    assert_eq!(spans[0].frames, 1..2);
}

#[test]
fn an_event_closes_when_nothing_more_can_belong_to_it() {
    let start = "2026-11-21T12:00:00Z";
    let all = frames(&[
        "IMG_0001 2026-11-20T10:00:00 . @0",
        "IMG_0002 2026-11-20T10:00:10 . @10",
    ]);
    let span = &grouped(&all)[0];
    let table = [
        // seconds now, last arrival, waiting, until idle
        (30, 10, false, false, None),
        (70, 10, false, false, None),
        (71, 10, false, false, Some(Closing::Quiet)),
        (71, 10, true, false, None),
        (71, 10, true, true, None),
        (11, 10, false, true, Some(Closing::Idle)),
        (599, 590, false, false, None),
        (600, 590, false, false, Some(Closing::MaxHold)),
        // the box's clock was set back a little, and by an hour
        (-40, 10, false, false, None),
        (-3600, 10, false, false, Some(Closing::ClockBack)),
    ];
    for (now, last, waiting, until_idle, expected) in table {
        let watch = Watch {
            now: after(instant(start), now),
            last_arrival: after(instant(start), last),
            waiting,
            until_idle,
        };
        let found = closed(span, &all, &watch, &rules(Choice::Empty));
        assert_eq!(found, expected, "{now} {last} {waiting} {until_idle}");
    }
}

#[test]
fn a_later_frame_closes_an_event_whatever_the_box_is_waiting_for() {
    let all = frames(&["IMG_0001 2026-11-20T10:00:00", "IMG_0002 2026-11-20T10:05:00"]);
    let now = instant("2026-11-21T12:00:00Z");
    let watch = Watch {
        now,
        last_arrival: now,
        waiting: true,
        until_idle: false,
    };
    let rules = rules(Choice::Empty);
    let closings: Vec<_> = grouped(&all)
        .iter()
        .map(|s| closed(s, &all, &watch, &rules))
        .collect();
    assert_eq!(closings, [Some(Closing::LaterFrame), None]);
}

/// Cards of all kinds: clocks that step, stand, jump back, start at 2015 or are missing; new folders.
fn card() -> impl Strategy<Value = Vec<Facts>> {
    let step = prop_oneof![4 => 0..90_i64, 1 => -400..0_i64, 1 => 60..5000_i64];
    let kind = prop_oneof![6 => Just(0), 1 => Just(1), 1 => Just(2)];
    let one = (step, kind, prop::bool::weighted(0.1), 0..120_i64);
    prop::collection::vec(one, 0..60).prop_map(|steps| {
        let mut taken: jiff::civil::DateTime = "2026-11-20T10:00:00".parse().expect("a civil time");
        let mut unset: jiff::civil::DateTime = "2015-01-01T00:00:00".parse().expect("a civil time");
        let (mut folder, mut number, mut arrived) = (100, 0, 0);
        let frame = |(step, kind, rolls, delay): (i64, i32, bool, i64)| {
            taken += SignedDuration::from_secs(step);
            unset += SignedDuration::from_secs(step % 100);
            (folder, number) = if rolls {
                (folder + 1, 1)
            } else {
                (folder, number + 1)
            };
            arrived += delay;
            let mut facts = frame(&format!("{folder}MEDIA/IMG_{number:04} - . @{arrived}"));
            facts.taken = [Some(CameraTime(taken)), Some(CameraTime(unset)), None][kind as usize];
            facts
        };
        steps.into_iter().map(frame).collect()
    })
}

proptest! {
    #[test]
    fn every_undecided_frame_is_in_exactly_one_event(card in card(), decided in prop::collection::vec(any::<bool>(), 60)) {
        let decided: BTreeSet<Digest> =
            card.iter().zip(&decided).filter(|(_, d)| **d).map(|(f, _)| f.id).collect();
        let spans = events(&card, &decided, &rules(Choice::Irrelevant));
        let held: Vec<usize> = spans.iter().flat_map(|s| s.frames.clone()).collect();
        let expected: Vec<usize> = (0..card.len()).filter(|&i| !decided.contains(&card[i].id)).collect();
        prop_assert_eq!(held, expected);
        prop_assert!(spans.iter().all(|s| !s.frames.is_empty()));
    }

    #[test]
    fn frames_that_are_added_never_change_an_event_that_has_ended(card in card(), cut in 0..60_usize) {
        let cut = cut.min(card.len());
        let early = grouped(&card[..cut]);
        let late = grouped(&card);
        let ended = early.len().saturating_sub(1);
        prop_assert_eq!(&early[..ended], &late[..ended]);
        if let (Some(open), Some(same)) = (early.last(), late.get(ended)) {
            prop_assert_eq!(open.frames.start, same.frames.start);
            prop_assert_eq!(open.begins, same.begins);
        }
    }

    #[test]
    fn a_run_that_was_cut_short_finds_the_same_events_again(card in card(), done in 0..60_usize) {
        let whole = grouped(&card);
        let done = done.min(whole.len());
        let decided = whole[..done].iter().flat_map(|s| s.of(&card)).map(|f| f.id).collect();
        let rest = events(&card, &decided, &rules(Choice::Irrelevant));
        prop_assert_eq!(&rest[..], &whole[done..]);
    }

    #[test]
    fn card_order_is_total_whatever_the_names(names in prop::collection::vec("[0-9aAzß_. é-]{0,6}", 3)) {
        let mut facts: Vec<Facts> = names.iter().map(|_| frame("IMG_0001 -")).collect();
        facts.iter_mut().zip(&names).for_each(|(facts, name)| facts.name = name.clone());
        for (a, b, c) in [(0, 1, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)] {
            let order = |x: usize, y: usize| in_card_order(&facts[x], &facts[y]);
            prop_assert_eq!(order(a, b), order(b, a).reverse());
            prop_assert!(!(order(a, b).is_le() && order(b, c).is_le()) || order(a, c).is_le());
        }
    }

    #[test]
    fn no_event_is_longer_than_max_hold(steps in prop::collection::vec(0..=60_i64, 1..200)) {
        let mut taken: jiff::civil::DateTime = "2026-11-20T10:00:00".parse().expect("a civil time");
        let card: Vec<Facts> = steps.iter().enumerate().map(|(i, step)| {
            taken += SignedDuration::from_secs(*step);
            frame(&format!("IMG_{i:04} {taken}"))
        }).collect();
        for span in grouped(&card) {
            let times: Vec<_> = span.of(&card).iter().filter_map(|f| f.taken).collect();
            let length = times[times.len() - 1].0.duration_since(times[0].0);
            prop_assert!(length <= SignedDuration::from_secs(600));
        }
    }
}
