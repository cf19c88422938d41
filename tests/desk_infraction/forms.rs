//! What a form shows comes back as it was, and whatever is sent breaks nothing.

use jiff::civil::date;
use proptest::prelude::*;
use vigie::desk::infraction::amount::Hundredths;
use vigie::desk::infraction::form::{self, Hand};
use vigie::desk::infraction::plate::{Legibility, Reading};
use vigie::desk::infraction::record::{Cost, CostKind, Outcome, OutcomeKind, SivLookUp, WasteKind};
use vigie::desk::infraction::{Record, Section};
use vigie::desk::law::Act;

use crate::desk_kit::time;
use crate::infraction_kit::{self, AGENT, OTHER};

/// Any record that forms can hold.
fn any_record() -> impl Strategy<Value = Record> {
    let line = "[A-Za-zé0-9'/-]{0,12}( [a-zà]{1,8})?";
    let text = "[A-Za-zé0-9,.]{1,20}(\n[a-z ]{0,10}[a-z])?";
    let cost = (0u64..500, 0u64..10_000, line, line).prop_map(|(quantity, unit, label, voucher)| {
        let (quantity, unit) = (Hundredths::new(quantity), Hundredths::new(unit));
        Cost {
            kind: CostKind::Machine,
            label,
            quantity: Some(quantity),
            unit: Some(unit),
            amount: quantity.times(unit).unwrap_or_default(),
            voucher,
        }
    });
    let outcome = (0usize..OutcomeKind::ALL.len(), line).prop_map(|(kind, reference)| Outcome {
        kind: OutcomeKind::ALL[kind],
        on: date(2026, 11, 21),
        reference,
        note: String::new(),
    });
    (
        (
            line,
            text,
            0i64..4_000_000_000,
            proptest::option::of(-500i64..500),
        ),
        (
            "[A-Z0-9?]{1,8}",
            proptest::option::of(0u16..99),
            proptest::collection::btree_set(0usize..9, 0..9),
        ),
        (
            proptest::collection::vec(cost, 0..4),
            proptest::collection::vec(outcome, 0..3),
            any::<bool>(),
        ),
    )
        .prop_map(
            |((place, facts, second, clock), (plate, persons, kinds), (costs, outcomes, siv))| {
                let mut record = infraction_kit::record();
                let at = jiff::Timestamp::from_second(second).expect("an instant");
                let zone = jiff::tz::TimeZone::get("Europe/Paris").expect("Paris");
                record.facts_at =
                    vigie::desk::infraction::Moment::of_instant(vigie::frame::BoxTime(at), &zone);
                record.place = place.trim().to_owned();
                record.facts = facts.trim().to_owned();
                record.clock = clock.map(|seconds| vigie::desk::infraction::record::ClockOffset {
                    seconds,
                    measured: date(2026, 10, 1),
                    by: "Agent Un".to_owned(),
                });
                record.act = Some(Act::Rapport);
                record.vehicle.first = Some(Reading {
                    typed: plate,
                    legibility: Legibility::Partial,
                    by: AGENT.to_owned(),
                    at: time("2026-11-22T11:00:00Z"),
                });
                record.vehicle.persons = persons;
                record.waste.kinds = kinds.into_iter().map(|n| WasteKind::ALL[n]).collect();
                record.costs = costs
                    .into_iter()
                    .filter(|cost| cost.amount != Hundredths::ZERO)
                    .collect();
                record.costs.iter_mut().for_each(|cost| {
                    cost.label = cost.label.trim().to_owned();
                    cost.voucher = cost.voucher.trim().to_owned();
                });
                record.outcomes = outcomes;
                record
                    .outcomes
                    .iter_mut()
                    .for_each(|one| one.reference = one.reference.trim().to_owned());
                record.siv = siv.then(|| SivLookUp {
                    on: date(2026, 11, 21),
                    by: "Brigadier Deux".to_owned(),
                    reference: "SIV 1".to_owned(),
                });
                record
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_form_that_is_sent_back_as_it_was_shown_changes_nothing(record in any_record()) {
        let zone = jiff::tz::TimeZone::get("Europe/Paris").expect("Paris");
        // Somebody else sends it, later: no reading changes hands.
        let hand = Hand { account: OTHER, now: time("2026-11-23T09:00:00Z"), zone: &zone };
        let mut again = record.clone();
        for section in Section::ALL {
            let fields = form::fill(&record, section, &zone);
            prop_assert_eq!(form::apply(&mut again, section, &fields, hand), Vec::new(), "{:?}", section);
        }
        prop_assert_eq!(again, record);
    }

    #[test]
    fn no_form_that_is_sent_breaks_the_desk(fields in proptest::collection::vec(("[a-z._0-9]{1,12}", "\\PC{0,12}"), 0..12)) {
        let zone = jiff::tz::TimeZone::get("Europe/Paris").expect("Paris");
        let hand = Hand { account: OTHER, now: time("2026-11-23T09:00:00Z"), zone: &zone };
        for section in Section::ALL {
            let mut record = infraction_kit::record();
            let (origin, officer) = (record.origin.clone(), record.officer.clone());
            let _ = form::apply(&mut record, section, &fields, hand);
            prop_assert_eq!((record.origin, record.officer), (origin, officer), "what only the desk sets");
        }
    }
}

#[test]
fn dates_and_hours_are_read_as_they_are_written_here() {
    for (text, day) in [
        ("22/11/2026", date(2026, 11, 22)),
        ("2026-11-22", date(2026, 11, 22)),
        ("1.2.2026", date(2026, 2, 1)),
    ] {
        assert_eq!(form::date(text), Ok(day), "{text}");
    }
    for wrong in [
        "",
        "31/02/2026",
        "11/22/2026",
        "22/11/26",
        "22/11",
        "2026-11-22-1",
        "٢٢/١١/٢٠٢٦",
        "22/11/-2026",
    ] {
        assert!(form::date(wrong).is_err(), "{wrong}");
    }
    for (text, hour) in [
        ("14:05", "14:05:00"),
        ("14h05", "14:05:00"),
        ("14 h 05", "14:05:00"),
        ("9:05:09", "09:05:09"),
    ] {
        assert_eq!(
            form::time(text).map(|time| time.to_string()),
            Ok(hour.to_owned()),
            "{text}"
        );
    }
    for wrong in ["", "24:00", "14", "14:60", "14:05:09:1", "h"] {
        assert!(form::time(wrong).is_err(), "{wrong}");
    }
}
