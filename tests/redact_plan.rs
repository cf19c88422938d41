//! What is hidden, given what was seen: fail-closed, in both policies.
#![cfg(feature = "trap")]

use proptest::prelude::*;
use vigie::frame::FrameSize;
use vigie::jpeg::Grid;
use vigie::redact::{Canvas, Evidence, Flag, Mask, Occupants, Person, Plan, Policy, Rules, Seen};
use vigie::vision::geometry::{Polygon, Rect};
use vigie::vision::{Detection, Plate, Silhouette};

const SIZE: FrameSize = FrameSize {
    width: 1600,
    height: 1200,
};

fn canvas() -> Canvas {
    Canvas {
        stored: SIZE,
        orientation: Default::default(),
        grid: Grid::covering(SIZE, [16, 16]),
    }
}

const PERSONS: Rules = Rules {
    policy: Policy::Persons,
    occupants: Occupants::Leave,
    privacy: &[],
    waste: None,
};

const ALL_BUT: Rules = Rules {
    policy: Policy::AllBut,
    ..PERSONS
};

fn seen(rect: [f32; 4]) -> Detection {
    Detection {
        rect: rect.into(),
        score: 0.3,
    }
}

fn person(rect: [f32; 4]) -> Person {
    Person {
        seen: seen(rect),
        silhouette: None,
    }
}

/// A person whose body is a column in the middle of the box, from top to bottom.
fn outlined(rect: [f32; 4], width: f32, sureness: f32) -> Person {
    standing(rect, width, sureness, 0.0..=1.0)
}

/// A person whose body is a column in the middle of the box, between these shares of its height.
fn standing(rect: [f32; 4], width: f32, sureness: f32, height: std::ops::RangeInclusive<f32>) -> Person {
    let body = Rect::from(rect);
    let side = 1.25 * body.w.max(body.h);
    let [x, y] = body.centre();
    let square = Rect::from([x - side / 2.0, y - side / 2.0, side, side]);
    let cell = |index: usize| {
        let at = |i: usize| (i as f32 + 0.5) / 64.0 * side;
        let point = [square.x + at(index % 64), square.y + at(index / 64)];
        let inside =
            height.contains(&((point[1] - body.y) / body.h)) && (point[0] - x).abs() <= width * body.w / 2.0;
        if inside { sureness } else { 0.0 }
    };
    Person {
        seen: seen(rect),
        silhouette: Some(Silhouette {
            square,
            side: 64,
            body: (0..64 * 64).map(cell).collect(),
        }),
    }
}

fn plate(rect: [f32; 4]) -> Plate {
    Plate {
        rect: rect.into(),
        score: 0.9,
        corners: [[0.0; 2]; 4],
    }
}

fn plan(rules: &Rules<'_>, seen: Seen) -> Plan {
    Plan::new(canvas(), rules, &Evidence::Seen(seen))
}

fn of_persons(persons: Vec<Person>) -> Plan {
    let seen = Seen {
        persons,
        ..Seen::default()
    };
    plan(&PERSONS, seen)
}

fn hides(plan: &Plan, rect: impl Into<Rect>) -> bool {
    canvas().is_hidden(plan.mask(), rect.into())
}

fn touches(plan: &Plan, rect: [f32; 4]) -> bool {
    canvas().is_partly_hidden(plan.mask(), rect.into())
}

const BOX: [f32; 4] = [400.0, 300.0, 200.0, 500.0];

#[test]
fn a_box_without_an_outline_is_hidden_whole_and_a_tenth_beyond() {
    let plan = of_persons(vec![person(BOX)]);
    assert!(hides(&plan, Rect::from(BOX).grown(0.1)));
    assert!(plan.mask().share() < 0.1);
}

#[test]
fn no_box_is_too_small_to_hide() {
    assert!(hides(
        &of_persons(vec![person([801.0, 33.0, 1.0, 2.0])]),
        [801.0, 33.0, 1.0, 2.0]
    ));
}

#[test]
fn a_sure_outline_leaves_what_lies_beside_the_legs() {
    let plan = of_persons(vec![outlined(BOX, 0.4, 0.9)]);
    assert!(hides(&plan, [460.0, 300.0, 80.0, 500.0]), "the body");
    assert!(hides(&plan, [380.0, 250.0, 240.0, 175.0]), "head and shoulders");
    assert!(!touches(&plan, [400.0, 600.0, 20.0, 190.0]), "beside the legs");
}

#[test]
fn an_unsure_outline_hides_the_whole_box() {
    let broken = Person {
        silhouette: Some(Silhouette {
            square: BOX.into(),
            side: 64,
            body: vec![0.9; 17],
        }),
        ..person(BOX)
    };
    let half = {
        let mut person = outlined(BOX, 0.6, 0.9);
        let body = &mut person.silhouette.as_mut().expect("made").body;
        body[32 * 64..].fill(0.0);
        person
    };
    let cases = [
        ("broken", broken),
        ("half a body", half),
        ("nothing surely body", outlined(BOX, 0.6, 0.3)),
        ("nothing", outlined(BOX, 0.6, 0.0)),
        ("hardly anything", outlined(BOX, 0.08, 0.9)),
        ("everything", outlined(BOX, 1.0, 0.9)),
        ("bent or lying", outlined([400.0, 300.0, 500.0, 400.0], 0.6, 0.9)),
        ("small", outlined([400.0, 300.0, 40.0, 90.0], 0.6, 0.9)),
    ];
    for (why, person) in cases {
        let rect = person.seen.rect;
        assert!(hides(&of_persons(vec![person]), rect.grown(0.1)), "{why}");
    }
}

#[test]
fn an_outlined_person_is_hidden_with_a_margin_and_the_head_and_shoulders_whole_and_no_more() {
    // 64 cells of 9.77 px: the body lies 39 px each way of x = 500, and a 25th of its height is its margin.
    let plan = of_persons(vec![outlined(BOX, 0.4, 0.9)]);
    assert!(
        hides(&plan, [441.0, 433.0, 118.0, 380.0]),
        "the body and its margin"
    );
    assert!(
        hides(&plan, [380.0, 250.0, 240.0, 174.0]),
        "35 of 100 of its height below the grown box's top"
    );
    let beside = [
        [400.0, 433.0, 31.0, 350.0],
        [561.0, 433.0, 30.0, 350.0],
        [300.0, 250.0, 67.0, 174.0],
        [625.0, 250.0, 67.0, 174.0],
        [380.0, 200.0, 240.0, 39.0],
    ];
    for shown in beside {
        assert!(!touches(&plan, shown), "{shown:?}");
    }
}

#[test]
fn the_outline_of_a_tall_person_is_coarser() {
    let coarse = |height: f32| {
        let mask = of_persons(vec![outlined([424.0, 88.0, 300.0, height], 0.4, 0.9)])
            .mask()
            .clone();
        mask.coarsened(2, 2) == mask
    };
    assert!(coarse(1024.0), "a 32nd of its height is two units");
    assert!(!coarse(512.0), "a 32nd of its height is one unit");
}

#[test]
fn an_outline_is_believed_only_where_it_is_a_whole_body_and_surely_one() {
    let believed = |person: Person| !touches(&of_persons(vec![person]), [400.0, 600.0, 20.0, 190.0]);
    let faint = |sure: usize| {
        let mut person = outlined(BOX, 0.4, 0.9);
        let body = &mut person.silhouette.as_mut().expect("made").body;
        let (cells, mut seen) = (body.iter().filter(|cell| **cell > 0.0).count(), 0);
        for cell in body.iter_mut().filter(|cell| **cell > 0.0) {
            seen += 1;
            *cell = if seen * 100 <= cells * sure { 0.9 } else { 0.4 };
        }
        person
    };
    for (why, person, sure) in [
        ("a quarter of the box", outlined(BOX, 0.3, 0.9), true),
        ("a tenth of the box", outlined(BOX, 0.14, 0.9), false),
        ("faint", outlined(BOX, 0.4, 0.51), true),
        ("fainter than even odds", outlined(BOX, 0.4, 0.5), false),
        ("surely body in an eighth of the box", faint(33), true),
        ("surely body in a twelfth of the box", faint(20), false),
        ("from near the top", standing(BOX, 0.4, 0.9, 0.17..=1.0), true),
        ("from a quarter down", standing(BOX, 0.4, 0.9, 0.23..=1.0), false),
        ("to near the bottom", standing(BOX, 0.4, 0.9, 0.0..=0.75), true),
        ("to two thirds down", standing(BOX, 0.4, 0.9, 0.0..=0.66), false),
    ] {
        assert_eq!(believed(person), sure, "{why}");
    }
    let small = |height: f32| {
        let plan = of_persons(vec![outlined([400.0, 304.0, 96.0, height], 0.4, 0.9)]);
        !touches(&plan, [400.0, 370.0, 15.0, 20.0])
    };
    assert!(small(96.0));
    assert!(
        !small(95.0),
        "a smaller person has no outline worth having, nor one wider than tall"
    );
}

#[test]
fn a_part_of_a_surer_person_is_hidden_with_that_person_alone() {
    let scored = |person: Person, score: f32| Person {
        seen: Detection { score, ..person.seen },
        ..person
    };
    let with = |whole: Person, part: [f32; 4], score: f32| {
        let alone = of_persons(vec![whole.clone()]);
        let both = of_persons(vec![whole, scored(person(part), score)]);
        let hidden = hides(&both, Rect::from(part).grown(0.1));
        (both.mask() == alone.mask(), hidden)
    };
    let whole = |width| scored(outlined(BOX, width, 0.9), 0.34);
    let legs = [410.0, 500.0, 180.0, 300.0];
    assert_eq!(with(whole(0.4), legs, 0.3), (true, false));
    assert_eq!(with(whole(0.2), legs, 0.3), (true, false), "half of it is hidden");
    for (why, whole, part, score) in [
        ("as sure", whole(0.4), legs, 0.34),
        ("surer", scored(whole(0.4), 0.2), legs, 0.3),
        ("sure by itself", scored(whole(0.4), 0.9), legs, 0.35),
        (
            "mostly hidden and partly beside",
            whole(0.4),
            [530.0, 260.0, 150.0, 160.0],
            0.3,
        ),
        ("mostly beside", whole(0.4), [520.0, 500.0, 200.0, 300.0], 0.3),
        ("mostly shown", whole(0.2), [401.0, 500.0, 198.0, 300.0], 0.3),
    ] {
        assert_eq!(with(whole, part, score), (false, true), "{why}");
    }
}

#[test]
fn a_second_box_around_an_outlined_person_hides_its_head_and_any_other_box_all() {
    let again = [405.0, 290.0, 200.0, 500.0];
    let behind = [480.0, 300.0, 200.0, 500.0];
    let plan = of_persons(vec![outlined(BOX, 0.4, 0.9), person(again)]);
    assert!(hides(&plan, [385.0, 240.0, 240.0, 170.0]));
    assert!(!touches(&plan, [400.0, 600.0, 20.0, 190.0]));
    let plan = of_persons(vec![outlined(BOX, 0.4, 0.9), person(behind)]);
    assert!(hides(&plan, Rect::from(behind).grown(0.1)));
}

#[test]
fn a_plate_behind_a_person_stays_hidden_and_is_flagged() {
    let with = |plates: Vec<Plate>| {
        let persons = vec![person(BOX)];
        plan(
            &PERSONS,
            Seen {
                persons,
                plates,
                ..Seen::default()
            },
        )
    };
    let covered = with(vec![plate([590.0, 700.0, 80.0, 20.0])]);
    assert_eq!(covered.flags(), [Flag::PlateCovered]);
    assert_eq!(covered.mask(), with(vec![]).mask());
    assert!(with(vec![plate([900.0, 700.0, 80.0, 20.0])]).flags().is_empty());
}

#[test]
fn windows_are_hidden_and_plates_never_with_them() {
    let rules = Rules {
        occupants: Occupants::Mask,
        ..PERSONS
    };
    let vehicles = vec![seen([200.0, 200.0, 600.0, 400.0])];
    let plates = vec![plate([300.0, 380.0, 100.0, 40.0])];
    let plan = plan(
        &rules,
        Seen {
            vehicles,
            plates,
            ..Seen::default()
        },
    );
    assert!(
        hides(&plan, [170.0, 180.0, 660.0, 187.0]),
        "the upper half and a 20th around"
    );
    assert!(!touches(&plan, [300.0, 380.0, 100.0, 40.0]));
    for shown in [
        [200.0, 417.0, 600.0, 183.0],
        [100.0, 200.0, 59.0, 200.0],
        [833.0, 200.0, 60.0, 200.0],
        [200.0, 100.0, 600.0, 75.0],
    ] {
        assert!(!touches(&plan, shown), "{shown:?}");
    }
    assert!(plan.flags().is_empty());
}

#[test]
fn a_person_of_the_next_frame_is_hidden_unless_seen_in_this_one() {
    let with = |persons, neighbours| {
        plan(
            &PERSONS,
            Seen {
                persons,
                neighbours,
                ..Seen::default()
            },
        )
    };
    let missed = with(vec![], vec![seen(BOX)]);
    assert!(hides(&missed, Rect::from(BOX).grown(0.1)));
    assert_eq!(missed.flags(), [Flag::NeighbourCovered]);
    let again = with(
        vec![outlined(BOX, 0.4, 0.9)],
        vec![seen([420.0, 300.0, 200.0, 500.0])],
    );
    assert!(!touches(&again, [400.0, 600.0, 20.0, 190.0]));
    assert!(again.flags().is_empty());
    let apart = with(
        vec![outlined(BOX, 0.4, 0.9)],
        vec![seen([480.0, 300.0, 200.0, 500.0])],
    );
    assert!(hides(&apart, Rect::from([480.0, 300.0, 200.0, 500.0]).grown(0.1)));
    assert_eq!(apart.flags(), [Flag::NeighbourCovered]);
    let within = with(vec![person(BOX)], vec![seen([440.0, 400.0, 50.0, 100.0])]);
    assert!(within.flags().is_empty(), "it is hidden already");
}

#[test]
fn a_privacy_zone_is_hidden_under_every_policy_whatever_else_is_shown() {
    let zone = [Polygon(vec![[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]])];
    let waste = Polygon::everywhere();
    for policy in [Policy::Persons, Policy::AllBut] {
        let rules = Rules {
            policy,
            privacy: &zone,
            waste: Some(&waste),
            ..PERSONS
        };
        let vehicles = vec![seen([700.0, 100.0, 500.0, 500.0])];
        let plates = vec![plate([900.0, 500.0, 60.0, 20.0])];
        let plan = plan(
            &rules,
            Seen {
                vehicles,
                plates,
                ..Seen::default()
            },
        );
        assert!(hides(&plan, [800.0, 0.0, 800.0, 1200.0]), "{policy:?}");
        assert!(!touches(&plan, [0.0, 700.0, 790.0, 400.0]), "{policy:?}");
        assert_eq!(plan.flags(), [Flag::PlateCovered], "{policy:?}");
    }
}

#[test]
fn all_but_shows_vehicles_plates_and_waste_zone_minus_persons_and_windows() {
    let waste = Polygon(vec![[0.5, 0.5], [1.0, 0.5], [1.0, 1.0], [0.5, 1.0]]);
    let rules = Rules {
        waste: Some(&waste),
        ..ALL_BUT
    };
    let plan = plan(
        &rules,
        Seen {
            persons: vec![person([1000.0, 700.0, 100.0, 300.0])],
            vehicles: vec![seen([160.0, 160.0, 480.0, 320.0])],
            plates: vec![plate([40.0, 900.0, 90.0, 30.0])],
            ..Seen::default()
        },
    );
    for shown in [
        [144.0, 330.0, 512.0, 160.0],
        [35.5, 898.5, 99.0, 33.0],
        [1200.0, 650.0, 350.0, 500.0],
    ] {
        assert!(!touches(&plan, shown), "{shown:?}");
    }
    for hidden in [
        [0.0, 0.0, 1600.0, 143.0],
        [0.0, 0.0, 143.0, 890.0],
        [657.0, 0.0, 100.0, 1200.0],
        [160.0, 160.0, 480.0, 160.0],
        [0.0, 945.0, 700.0, 50.0],
        [145.0, 880.0, 40.0, 60.0],
        [990.0, 670.0, 120.0, 360.0],
        [0.0, 1000.0, 700.0, 200.0],
        [700.0, 0.0, 90.0, 1200.0],
    ] {
        assert!(hides(&plan, hidden), "{hidden:?}");
    }
}

#[test]
fn without_evidence_everything_is_hidden() {
    assert_eq!(plan(&ALL_BUT, Seen::default()).mask(), &Mask::all(canvas().grid));
    let waste = Polygon::everywhere();
    for policy in [Policy::Persons, Policy::AllBut] {
        let rules = Rules {
            policy,
            waste: Some(&waste),
            ..PERSONS
        };
        let plan = Plan::new(canvas(), &rules, &Evidence::Unseen);
        assert_eq!(plan.mask(), &Mask::all(canvas().grid));
        assert_eq!(plan.flags(), [Flag::Unseen]);
    }
}

/// Any person in or across the frame, outlined or not.
fn persons() -> impl Strategy<Value = Person> {
    let numbers = (
        -100i32..1600,
        -100i32..1200,
        4i32..500,
        4i32..900,
        0.0f32..1.0,
        0.0f32..1.0,
        any::<bool>(),
    );
    numbers.prop_map(|(x, y, w, h, width, sureness, outline)| {
        let rect = [x as f32, y as f32, w as f32, h as f32];
        if outline {
            outlined(rect, width, sureness)
        } else {
            person(rect)
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_head_is_hidden_whatever_the_outlines_say(
        persons in proptest::collection::vec(persons(), 1..6),
        all_but: bool,
    ) {
        let frame = Rect::from([0.0, 0.0, SIZE.width as f32, SIZE.height as f32]);
        let heads: Vec<Rect> = persons.iter().map(|p| p.seen.rect).map(|r| Rect { h: r.h / 5.0, ..r }).collect();
        let waste = Polygon::everywhere();
        let rules = if all_but { Rules { waste: Some(&waste), ..ALL_BUT } } else { PERSONS };
        let plan = plan(&rules, Seen { persons, ..Seen::default() });
        for head in heads {
            if head.intersection(&frame).area() > 0.0 {
                prop_assert!(hides(&plan, head));
            }
        }
    }

    #[test]
    fn one_more_box_never_shows_more(
        boxes in proptest::collection::vec(persons(), 0..4),
        another in persons(),
    ) {
        let mut boxes: Vec<Person> = boxes.into_iter().map(|p| Person { silhouette: None, ..p }).collect();
        let before = of_persons(boxes.clone());
        boxes.push(Person { silhouette: None, ..another });
        let mut shown = before.mask().clone();
        shown.subtract(of_persons(boxes).mask());
        prop_assert!(shown.is_empty());
    }
}
