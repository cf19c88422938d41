//! The plan, to the day.

use jiff::civil::date;

use super::*;

fn object(class: Class, facts: Date) -> Object {
    Object {
        subject: Subject {
            class,
            id: "a".to_owned(),
        },
        facts: Some(facts),
        known: facts.saturating_add(3.days()),
        camera: None,
        items: 2,
        bytes: 100,
        by_law: false,
    }
}

fn agreed() -> Facts {
    let agreement = |class| Agreement {
        id: 7,
        class,
        reference: "AD 94 2026-12".to_owned(),
        from: date(2026, 1, 1),
        until: None,
    };
    Facts {
        agreements: Class::ALL.map(agreement).into(),
        ..Facts::default()
    }
}

fn hold(from: Date, until: Date) -> Hold {
    Hold {
        id: 1,
        target: Target::Case("a".to_owned()),
        from,
        until,
        lifted: None,
    }
}

fn judged(today: Date, class: Class, facts_on: Date, facts: &Facts, terms: &Terms) -> Planned {
    plan(today, vec![object(class, facts_on)], facts, terms).remove(0)
}

/// The first day on which it is due, walking day by day.
fn first_due(class: Class, facts_on: Date, facts: &Facts, terms: &Terms) -> Option<Date> {
    facts_on.series(1.day()).take(1500).find(|day| {
        matches!(
            judged(*day, class, facts_on, facts, terms).standing,
            Standing::Due { .. }
        )
    })
}

#[test]
fn an_infraction_file_goes_two_years_after_the_facts_to_the_day() {
    let terms = Terms::promised();
    for (facts_on, due) in [
        (date(2026, 11, 22), date(2028, 11, 22)),
        (date(2028, 2, 29), date(2030, 2, 28)),
        (date(2026, 2, 28), date(2028, 2, 28)),
        (date(2026, 3, 1), date(2028, 3, 1)),
        (date(2026, 12, 31), date(2028, 12, 31)),
    ] {
        for class in [Class::Images, Class::Record] {
            assert_eq!(
                first_due(class, facts_on, &agreed(), &terms),
                Some(due),
                "{facts_on}"
            );
        }
    }
}

#[test]
fn an_unreviewed_event_goes_thirty_days_after_the_facts() {
    let due = first_due(
        Class::Unreviewed,
        date(2027, 2, 10),
        &agreed(),
        &Terms::promised(),
    );
    assert_eq!(due, Some(date(2027, 3, 12)));
}

#[test]
fn images_and_record_have_terms_of_their_own() {
    let terms = Terms {
        images: Term {
            years: 1,
            months: 6,
            days: 0,
        },
        ..Terms::promised()
    };
    let facts_on = date(2026, 8, 31);
    assert_eq!(
        first_due(Class::Images, facts_on, &agreed(), &terms),
        Some(date(2028, 2, 29))
    );
    assert_eq!(
        first_due(Class::Record, facts_on, &agreed(), &terms),
        Some(date(2028, 8, 31))
    );
    assert_eq!(terms.images.french(), "1 an 6 mois");
}

#[test]
fn a_wrong_camera_clock_neither_keeps_for_ever_nor_erases_at_once() {
    let known = date(2026, 11, 22);
    for wrong in [date(2035, 1, 1), date(1970, 1, 1), known.saturating_add(1.day())] {
        let mut wrong = object(Class::Unreviewed, wrong);
        wrong.known = known;
        let planned = plan(known, vec![wrong], &agreed(), &Terms::promised()).remove(0);
        assert_eq!((planned.began, planned.due), (known, date(2026, 12, 22)));
    }
}

#[test]
fn a_final_relaxe_or_classement_is_due_at_once_where_the_city_says_so() {
    let facts_on = date(2026, 11, 22);
    let at_once = Terms {
        on_relaxe: Upon::AtOnce,
        on_classement: Upon::AtOnce,
        ..Terms::promised()
    };
    for (outcome, due) in [
        (Outcome::Relaxe, date(2027, 4, 1)),
        (Outcome::Classement, date(2027, 4, 1)),
        (Outcome::Condamnation, date(2028, 11, 22)),
    ] {
        let mut facts = agreed();
        facts.rulings.push(Ruling {
            case: "a".to_owned(),
            outcome,
            final_on: date(2027, 4, 1),
        });
        assert_eq!(
            first_due(Class::Images, facts_on, &facts, &at_once),
            Some(due),
            "{outcome:?}"
        );
        let by_term = first_due(Class::Images, facts_on, &facts, &Terms::promised());
        assert_eq!(by_term, Some(date(2028, 11, 22)));
        // One that comes after the term puts nothing off, and that of another file changes nothing.
        facts.rulings[0].final_on = date(2029, 1, 1);
        assert_eq!(
            first_due(Class::Images, facts_on, &facts, &at_once),
            Some(date(2028, 11, 22))
        );
        facts.rulings[0].case = "b".to_owned();
        facts.rulings[0].final_on = date(2027, 1, 1);
        assert_eq!(
            first_due(Class::Record, facts_on, &facts, &at_once),
            Some(date(2028, 11, 22))
        );
    }
}

#[test]
fn a_hold_keeps_to_its_last_day_and_not_one_longer() {
    let facts_on = date(2026, 11, 22);
    let mut facts = agreed();
    facts.holds.push(hold(date(2028, 10, 1), date(2029, 3, 31)));
    let terms = Terms::promised();
    assert_eq!(
        first_due(Class::Record, facts_on, &facts, &terms),
        Some(date(2029, 4, 1))
    );
    // Renewed by a second one without a gap.
    facts.holds.push(hold(date(2029, 3, 31), date(2029, 6, 30)));
    assert_eq!(
        first_due(Class::Images, facts_on, &facts, &terms),
        Some(date(2029, 7, 1))
    );
    let late = judged(date(2029, 7, 3), Class::Images, facts_on, &facts, &terms).standing;
    let since = date(2029, 7, 1);
    assert_eq!(
        late,
        Standing::Due {
            since,
            agreement: Some(7)
        }
    );
    // Lifted.
    facts.holds[1].lifted = Some(date(2029, 4, 10));
    assert_eq!(
        first_due(Class::Images, facts_on, &facts, &terms),
        Some(date(2029, 4, 10))
    );
    // It stands on this file alone, and on files, not on events of the same name.
    facts.holds[0].target = Target::Event("a".to_owned());
    facts.holds[1].target = Target::Case("b".to_owned());
    assert_eq!(
        first_due(Class::Images, facts_on, &facts, &terms),
        Some(date(2028, 11, 22))
    );
}

#[test]
fn a_hold_stands_above_a_ruling_and_above_a_lock_of_long_ago() {
    let facts_on = date(2026, 11, 22);
    let mut facts = Facts::default();
    let today = date(2030, 1, 1);
    let terms = Terms::promised();
    assert_eq!(
        judged(today, Class::Record, facts_on, &facts, &terms).standing,
        Standing::Locked
    );
    facts.holds.push(hold(today, date(2030, 2, 1)));
    let held = judged(today, Class::Record, facts_on, &facts, &terms);
    assert_eq!(
        held.standing,
        Standing::Held {
            until: date(2030, 2, 1)
        }
    );
    assert_eq!(held.held, Some(1));
}

#[test]
fn without_an_agreement_it_is_locked_on_its_day_and_goes_when_there_is_one() {
    let facts_on = date(2026, 11, 22);
    let terms = Terms::promised();
    let due = date(2028, 11, 22);
    let mut facts = agreed();
    for agreement in &mut facts.agreements {
        agreement.from = date(2028, 12, 24);
    }
    let standing = |today| judged(today, Class::Record, facts_on, &facts, &terms).standing;
    assert!(matches!(
        standing(due.saturating_sub(1.day())),
        Standing::Running { days: 1, .. }
    ));
    assert_eq!(standing(due), Standing::Locked);
    assert_eq!(standing(date(2028, 12, 23)), Standing::Locked);
    assert_eq!(
        standing(date(2028, 12, 24)),
        Standing::Due {
            since: due,
            agreement: Some(7)
        }
    );
}

#[test]
fn an_agreement_is_of_its_class_and_its_time_alone() {
    let (facts_on, due) = (date(2026, 11, 22), date(2028, 11, 22));
    let mut facts = agreed();
    facts
        .agreements
        .retain(|agreement| agreement.class == Class::Images);
    let terms = Terms::promised();
    assert_eq!(
        judged(due, Class::Record, facts_on, &facts, &terms).standing,
        Standing::Locked
    );
    facts.agreements[0].until = Some(date(2028, 11, 21));
    assert_eq!(
        judged(due, Class::Images, facts_on, &facts, &terms).standing,
        Standing::Locked
    );
}

#[test]
fn what_a_text_of_law_has_erased_waits_for_no_agreement() {
    let facts_on = date(2027, 2, 10);
    let mut recording = object(Class::Unreviewed, facts_on);
    recording.by_law = true;
    let due = date(2027, 3, 12);
    let planned = plan(due, vec![recording], &Facts::default(), &Terms::promised()).remove(0);
    assert_eq!(
        planned.standing,
        Standing::Due {
            since: due,
            agreement: None
        }
    );
}

#[test]
fn people_are_warned_sixty_thirty_and_seven_days_before() {
    let facts_on = date(2026, 11, 22);
    let warned = |before: i32, class, due: Date| {
        let today = due.saturating_sub(before.days());
        match judged(today, class, facts_on, &agreed(), &Terms::promised()).standing {
            Standing::Running { days, warned } => {
                assert_eq!(days, before);
                warned
            }
            other => panic!("{other:?}"),
        }
    };
    let due = date(2028, 11, 22);
    let steps = [61, 60, 31, 30, 8, 7, 1].map(|before| warned(before, Class::Record, due));
    assert_eq!(
        steps,
        [None, Some(60), Some(60), Some(30), Some(30), Some(7), Some(7)]
    );
    // Thirty days are too short to be warned of sixty days ahead.
    let due = date(2026, 12, 22);
    let steps = [29, 8, 7].map(|before| warned(before, Class::Unreviewed, due));
    assert_eq!(steps, [None, None, Some(7)]);
}

#[test]
fn the_bordereau_asks_for_what_is_near_or_locked_and_not_for_what_is_held() {
    let terms = Terms::promised();
    let today = date(2028, 10, 1);
    let named = |id: &str, facts_on| {
        let mut object = object(Class::Record, facts_on);
        object.subject.id = id.to_owned();
        object
    };
    let objects = vec![
        named("near", date(2026, 11, 30)),
        named("far", date(2026, 12, 1)),
        named("locked", date(2026, 5, 5)),
        named("a", date(2026, 10, 20)),
    ];
    let mut facts = Facts::default();
    facts.holds.push(hold(date(2028, 9, 1), date(2029, 2, 28)));
    let lines = bordereau(today, &plan(today, objects, &facts, &terms), BORDEREAU_DAYS);
    let expected = BordereauLine {
        class: Class::Record,
        objects: 2,
        dates: (date(2026, 5, 5), date(2026, 11, 30)),
        due: (date(2028, 5, 5), date(2028, 11, 30)),
        items: 4,
        bytes: 200,
    };
    assert_eq!(lines, [expected]);
}

#[test]
fn a_hold_lasts_six_months_at_most() {
    assert_eq!(hold_at_most(date(2026, 8, 31)), date(2027, 2, 28));
    assert_eq!(hold_at_most(date(2026, 11, 22)), date(2027, 5, 22));
}
