//! Verdicts and witnesses: what the city chose is destroyed, what is in doubt is kept.
#![cfg(feature = "trap")]

mod triage_support;

use std::num::NonZeroUsize;

use proptest::prelude::*;
use triage_support::{every_ten_seconds, frames, from, rules, sighting};
use vigie::frame::Digest;
use vigie::triage::{
    Before, Choice, Facts, FirstLook, Reason, Role, Scene, Shown, Standing, Verdict, first_look, verdict,
};

use Choice::{Empty, Irrelevant, Manual};

const YESTERDAY: &str = "2026-11-20T06:00:00";
const JUST_NOW: &str = "2026-11-20T09:58:00";

fn parked_since(since: &str) -> Before {
    let rect = sighting("P").objects.vehicles[0].rect;
    let since = vigie::frame::CameraTime(since.parse().expect("a civil time"));
    Before {
        scene: Scene {
            standing: vec![Standing {
                rect,
                since,
                seen: since,
                missed: false,
            }],
        },
        cut_from: None,
    }
}

fn cut_from(vehicle: bool, person: bool) -> Before {
    Before {
        cut_from: Some(Shown { vehicle, person }),
        ..Before::default()
    }
}

/// `k` kept, `-` discarded, frame by frame.
fn kept(verdict: &Verdict) -> String {
    verdict
        .frames
        .iter()
        .map(|f| if f.keep { 'k' } else { '-' })
        .collect()
}

#[test]
fn a_frame_that_is_empty_by_day_goes_at_the_first_look_unless_the_city_destroys_nothing() {
    let discard = FirstLook::Discard(Reason::Empty);
    let table = [
        (".", Manual, FirstLook::Hold),
        (".", Empty, discard),
        (".", Irrelevant, discard),
        ("n", Manual, FirstLook::Hold),
        ("n", Empty, FirstLook::Hold),
        ("n", Irrelevant, FirstLook::Hold),
        ("W", Irrelevant, FirstLook::Hold),
        ("O", Irrelevant, FirstLook::Hold),
        ("v", Empty, FirstLook::Hold),
    ];
    for (seen, choice, expected) in table {
        assert_eq!(first_look(&sighting(seen), choice), expected, "{seen} {choice:?}");
    }
}

#[test]
fn manual_keeps_every_frame() {
    for seen in [". . .", "n W O", "V"] {
        let found = verdict(&every_ten_seconds(seen), &Before::default(), &rules(Manual));
        assert!(
            found.keep && found.frames.iter().all(|f| f.keep && f.reason == Reason::Manual),
            "{seen}"
        );
    }
}

#[test]
fn empty_discards_empty_frames_and_nothing_else() {
    let none = Before::default;
    let table = [
        ("V . W", none(), "k-k", Reason::NotEmpty),
        (". . .", none(), "---", Reason::Empty),
        ("n n n", none(), "---", Reason::Empty),
        ("n nW n", none(), "kkk", Reason::NotEmpty),
        ("nV n", none(), "kk", Reason::NotEmpty),
        ("O", none(), "k", Reason::NotEmpty),
        ("P P", parked_since(YESTERDAY), "kk", Reason::NotEmpty),
        ("n n", cut_from(false, true), "kk", Reason::FollowsEvent),
        ("n n", cut_from(false, false), "--", Reason::Empty),
        (". .", cut_from(true, true), "--", Reason::Empty),
    ];
    for (seen, before, expected, reason) in table {
        let found = verdict(&every_ten_seconds(seen), &before, &rules(Empty));
        assert_eq!(
            (kept(&found).as_str(), found.reason),
            (expected, reason),
            "{seen}"
        );
    }
}

#[test]
fn empty_keeps_a_storm_whole() {
    let found = verdict(
        &from("2026-11-20T10:00:00", 1, &"W ".repeat(100)),
        &Before::default(),
        &rules(Empty),
    );
    assert!(found.frames.iter().all(|f| f.keep));
}

#[test]
fn irrelevant_keeps_what_can_lead_to_someone_or_is_in_doubt() {
    let none = Before::default;
    let table = [
        // a vehicle in the zone, and all that belongs to it
        ("W V B W", none(), "kkkk", Reason::VehicleInZone),
        ("V . W", none(), "k-k", Reason::VehicleInZone),
        ("v", none(), "k", Reason::Unsure),
        ("v V", none(), "kk", Reason::VehicleInZone),
        // the night: an empty-looking frame beside a vehicle may be the act itself
        ("nV n n", none(), "kkk", Reason::VehicleInZone),
        ("n n n", none(), "---", Reason::Empty),
        ("n nW n", none(), "---", Reason::WalkerAlone),
        // no vehicle, no one to identify
        ("W W W", none(), "---", Reason::WalkerAlone),
        (". W .", none(), "---", Reason::WalkerAlone),
        // a bus passes by: outside, then at the edge
        ("O O", none(), "--", Reason::VehicleOutsideZone),
        ("OW W", none(), "--", Reason::VehicleOutsideZone),
        ("O E", none(), "kk", Reason::Unsure),
        // parked
        ("P P p", parked_since(YESTERDAY), "---", Reason::Parked),
        ("nP np", parked_since(YESTERDAY), "--", Reason::Parked),
        ("PW PW", parked_since(YESTERDAY), "--", Reason::WalkerAlone),
        ("PO P", parked_since(YESTERDAY), "--", Reason::VehicleOutsideZone),
        ("P W P", parked_since(YESTERDAY), "---", Reason::WalkerAlone),
        // parked, and someone beside it; or it left; or another vehicle came
        ("P PQ P", parked_since(YESTERDAY), "kkk", Reason::Unsure),
        ("P P W", parked_since(YESTERDAY), "kkk", Reason::Unsure),
        ("P PV P", parked_since(YESTERDAY), "kkk", Reason::VehicleInZone),
        // it came a moment ago, or we do not know
        ("P P", parked_since(JUST_NOW), "kk", Reason::VehicleInZone),
        ("P P", none(), "kk", Reason::VehicleInZone),
        // cut from an event that showed a vehicle
        ("W n", cut_from(true, true), "kk", Reason::Unsure),
        ("n n", cut_from(true, false), "kk", Reason::Unsure),
        ("W W", cut_from(false, true), "--", Reason::WalkerAlone),
        (". .", cut_from(true, true), "--", Reason::Empty),
    ];
    for (seen, before, expected, reason) in table {
        let found = verdict(&every_ten_seconds(seen), &before, &rules(Irrelevant));
        assert_eq!(
            (kept(&found).as_str(), found.reason),
            (expected, reason),
            "{seen} {before:?}"
        );
        assert_eq!(found.keep, expected.contains('k'), "{seen}");
    }
}

#[test]
fn an_event_whose_bounds_are_guessed_is_neither_discarded_for_its_walkers_nor_thinned_out() {
    let untimed = |seen: &str, n: usize| {
        let lines: Vec<String> = (0..n).map(|i| format!("IMG_{i:04} - {seen}")).collect();
        frames(&lines.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let walkers = verdict(&untimed("W", 3), &Before::default(), &rules(Irrelevant));
    assert_eq!((walkers.keep, walkers.reason), (true, Reason::Unsure));
    let vehicles = verdict(&untimed("V", 40), &Before::default(), &rules(Irrelevant));
    assert!(vehicles.frames.iter().all(|f| f.keep));
}

#[test]
fn a_box_that_is_no_number_is_in_doubt() {
    for area in [[f32::NAN, 0.0, 10.0, 10.0], [1200.0, 400.0, 0.0, 0.0]] {
        let mut event = every_ten_seconds("O");
        event[0].sighting.objects.vehicles[0].rect = area.into();
        let found = verdict(&event, &Before::default(), &rules(Irrelevant));
        assert_eq!((found.keep, found.reason), (true, Reason::Unsure));
    }
}

#[test]
fn a_vehicle_is_parked_once_it_ended_the_events_of_two_hours() {
    let rules = rules(Irrelevant);
    let day = [
        // it comes, and stands: kept for two hours
        ("2026-11-20T08:00:00", "V P P", Reason::VehicleInZone),
        ("2026-11-20T08:30:00", "p P", Reason::VehicleInZone),
        ("2026-11-20T09:59:00", "P p", Reason::VehicleInZone),
        // from then on it is part of the scene
        ("2026-11-20T10:01:00", "P p", Reason::Parked),
        ("2026-11-20T11:00:00", "PW PW", Reason::WalkerAlone),
        ("2026-11-20T12:00:00", "P PQ P", Reason::Unsure),
        // it drives off; what comes next to its place is new
        ("2026-11-20T13:00:00", "P V .", Reason::VehicleInZone),
        ("2026-11-20T14:00:00", "P P", Reason::VehicleInZone),
        ("2026-11-20T15:59:00", "P P", Reason::VehicleInZone),
        // the clock is set back to before it came: how long it has stood is not known
        ("2026-11-20T13:30:00", "P P", Reason::VehicleInZone),
        ("2026-11-20T15:29:00", "P P", Reason::VehicleInZone),
        ("2026-11-20T15:31:00", "P P", Reason::Parked),
        // the scout misses it: an event that ends without it is in doubt, the next finds it again
        ("2026-11-20T18:00:00", "P W", Reason::Unsure),
        ("2026-11-20T18:05:00", "P P", Reason::Parked),
        ("2026-11-20T18:10:00", "W W", Reason::WalkerAlone),
        ("2026-11-20T18:14:00", "P P", Reason::Parked),
        // unseen for longer than ten minutes: what stands there then may be another
        ("2026-11-20T18:20:00", "W W", Reason::WalkerAlone),
        ("2026-11-20T18:31:00", "P P", Reason::VehicleInZone),
    ];
    let mut scene = Scene::default();
    for (start, seen, expected) in day {
        let event = from(start, 10, seen);
        let before = Before {
            scene: scene.clone(),
            cut_from: None,
        };
        assert_eq!(
            verdict(&event, &before, &rules).reason,
            expected,
            "{start} {seen}"
        );
        scene = scene.after(&event);
    }
}

#[test]
fn a_camera_whose_clock_is_not_believed_has_no_parked_vehicles() {
    let mut event = from("2015-01-01T12:00:00", 10, "P P");
    let scene = Scene::default().after(&event);
    assert_eq!(scene, Scene::default());
    let found = verdict(&event, &parked_since("2015-01-01T00:00:00"), &rules(Irrelevant));
    assert_eq!(found.reason, Reason::VehicleInZone);
    event[0].taken = None;
    let found = verdict(&event, &parked_since(YESTERDAY), &rules(Irrelevant));
    assert_eq!(found.reason, Reason::VehicleInZone);
}

fn witnesses(seen: &str, keep: usize) -> Vec<(usize, Role)> {
    let rules = vigie::triage::Rules {
        keep: NonZeroUsize::new(keep).expect("not zero"),
        ..rules(Irrelevant)
    };
    let found = verdict(&every_ten_seconds(seen), &Before::default(), &rules);
    let roles = found.frames.iter().map(|f| f.role).enumerate();
    roles.filter_map(|(index, role)| Some((index, role?))).collect()
}

/// What is seen, how many are kept, and which.
type Case = (&'static str, usize, &'static [(usize, Role)]);

#[test]
fn witnesses_are_the_plates_the_persons_beside_the_first_the_last_and_the_rest_spread() {
    use Role::{First, Last, PersonBeside, PlateView, Spread};
    let table: &[Case] = &[
        ("W V W", 1, &[(1, PlateView)]),
        ("W V W", 2, &[(0, First), (2, Last)]),
        ("W W V W W", 3, &[(0, First), (2, PlateView), (4, Last)]),
        (
            "W E V W VB W W",
            4,
            &[(0, First), (2, PlateView), (4, PersonBeside), (6, Last)],
        ),
        ("V", 12, &[(0, First)]),
        ("V W", 12, &[(0, First), (1, Last)]),
        (
            "V W W W W W W W W W W W W",
            5,
            &[(0, First), (3, Spread), (6, Spread), (9, Spread), (12, Last)],
        ),
        // day-empty frames are gone already
        (". V . W .", 12, &[(1, First), (3, Last)]),
    ];
    for (seen, keep, expected) in table {
        assert_eq!(witnesses(seen, *keep), *expected, "{seen} keep {keep}");
    }
}

#[test]
fn a_whole_vehicle_is_a_better_plate_view_than_a_larger_one_that_is_cut() {
    let mut event = every_ten_seconds("W V V V W");
    event[1].sighting.objects.vehicles[0].rect = [0.0, 300.0, 500.0, 300.0].into();
    event[3].sighting.objects.vehicles[0].rect = [300.0, 400.0, 401.0, 240.0].into();
    let rules = vigie::triage::Rules {
        keep: NonZeroUsize::new(3).expect("not zero"),
        ..rules(Irrelevant)
    };
    let found = verdict(&event, &Before::default(), &rules);
    assert_eq!(found.frames[3].role, Some(Role::PlateView));
    assert_eq!(found.frames[1].reason, Reason::NotAWitness);
}

#[test]
fn verdicts_are_written_with_machine_readable_reasons_and_scores() {
    let found = verdict(&every_ten_seconds("V"), &Before::default(), &rules(Irrelevant));
    let line = serde_json::to_value(&found).expect("plain data");
    assert_eq!(line["reason"], "vehicle-in-zone");
    assert_eq!(line["frames"][0]["role"], "first");
    assert!((line["scores"]["vehicle_in_zone"].as_f64().expect("a score") - 0.8).abs() < 1e-6);
    assert!(line["scores"]["person"].is_null());
    let again: Verdict = serde_json::from_value(line).expect("what was written");
    assert_eq!(again, found);
}

fn event() -> impl Strategy<Value = Vec<Facts>> {
    let seen = prop::sample::subsequence(vec!["n", "V", "v", "E", "O", "P", "p", "W", "B", "Q"], 0..4);
    prop::collection::vec((seen, 0..30_i64, prop::bool::weighted(0.03)), 1..40).prop_map(|parts| {
        let (mut event, mut seconds) = (Vec::new(), 0);
        for (seen, step, untimed) in parts {
            seconds += step;
            let mut facts = from("2026-11-20T10:00:00", 0, &format!(".{}", seen.concat())).remove(0);
            let offset = jiff::SignedDuration::from_secs(seconds);
            facts.taken = facts
                .taken
                .filter(|_| !untimed)
                .map(|t| vigie::frame::CameraTime(t.0 + offset));
            facts.id = Digest::of(&event.len().to_le_bytes());
            event.push(facts);
        }
        event
    })
}

fn before() -> impl Strategy<Value = Before> {
    let cut_from = prop::option::of((any::<bool>(), any::<bool>()));
    (any::<bool>(), cut_from).prop_map(|(parked, cut)| Before {
        scene: if parked {
            parked_since(YESTERDAY).scene
        } else {
            Scene::default()
        },
        cut_from: cut.map(|(vehicle, person)| Shown { vehicle, person }),
    })
}

proptest! {
    #[test]
    fn what_a_stricter_choice_keeps_a_laxer_one_keeps_too(event in event(), before in before(), keep in 1..15_usize) {
        let by = |choice| {
            let rules = vigie::triage::Rules { keep: NonZeroUsize::new(keep).expect("not zero"), ..rules(choice) };
            verdict(&event, &before, &rules)
        };
        let (manual, empty, irrelevant) = (by(Manual), by(Empty), by(Irrelevant));
        for i in 0..event.len() {
            prop_assert!(manual.frames[i].keep);
            prop_assert!(empty.frames[i].keep || !irrelevant.frames[i].keep, "{:?}", irrelevant.frames[i]);
        }
    }

    #[test]
    fn what_is_discarded_at_the_first_look_is_never_kept_by_the_verdict(event in event(), before in before()) {
        for choice in [Manual, Empty, Irrelevant] {
            let found = verdict(&event, &before, &rules(choice));
            for (frame, decided) in event.iter().zip(&found.frames) {
                prop_assert_eq!(frame.id, decided.id);
                if first_look(&frame.sighting, choice) == FirstLook::Discard(Reason::Empty) {
                    prop_assert_eq!((decided.keep, decided.reason), (false, Reason::Empty));
                }
            }
        }
    }

    #[test]
    fn witnesses_are_at_most_keep_hold_both_ends_and_the_best_plate(event in event(), keep in 1..15_usize) {
        let rules = vigie::triage::Rules { keep: NonZeroUsize::new(keep).expect("not zero"), ..rules(Irrelevant) };
        let found = verdict(&event, &Before::default(), &rules);
        prop_assert_eq!(&found, &verdict(&event, &Before::default(), &rules));
        let untimed = event.iter().any(|f| f.taken.is_none());
        if found.keep && !untimed {
            let held: Vec<usize> = (0..event.len())
                .filter(|&i| first_look(&event[i].sighting, Irrelevant) == FirstLook::Hold).collect();
            let kept: Vec<usize> = (0..event.len()).filter(|&i| found.frames[i].keep).collect();
            prop_assert_eq!(kept.len(), keep.min(held.len()));
            if keep >= 2 {
                prop_assert!(kept.contains(&held[0]) && kept.contains(&held[held.len() - 1]));
            }
            if keep != 2 {
                prop_assert!(kept.iter().any(|&i| found.frames[i].scores.vehicle.is_some()));
            }
        }
    }

    #[test]
    fn a_person_is_never_dropped_from_an_event_with_a_vehicle_but_as_no_witness(event in event()) {
        let found = verdict(&event, &Before::default(), &rules(Irrelevant));
        if found.keep {
            for (frame, decided) in event.iter().zip(&found.frames) {
                let person = !frame.sighting.objects.persons.is_empty();
                prop_assert!(decided.keep || !person || decided.reason == Reason::NotAWitness);
            }
        }
    }
}
