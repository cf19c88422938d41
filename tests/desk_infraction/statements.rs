//! What a file states, what it lacks before it can be closed, what cannot stand, and what is remarked.

use jiff::civil::date;
use vigie::desk::infraction::amount::Hundredths;
use vigie::desk::infraction::check::Fault;
use vigie::desk::infraction::record::WasteKind;
use vigie::desk::infraction::register::{Error, Opening, State};
use vigie::desk::infraction::{Record, Remark, blockers, missing, remarks, validate};
use vigie::desk::law::{OffenceId, QualityId, RouteId};

use crate::desk_kit::Rig;
use crate::infraction_kit::{self, AGENT, OTHER, complete, file, law, officer, opened, source, today};

#[test]
fn no_file_opens_from_an_event_of_which_the_agent_has_seen_nothing() {
    let source = source();
    assert!(Opening::new(source.clone(), officer(AGENT)).is_ok());
    // Somebody else's looking is not one's own (CPP art. 429: personally).
    assert!(matches!(
        Opening::new(source.clone(), officer(OTHER)),
        Err(Error::NothingViewed)
    ));
    let mut unseen = source.clone();
    unseen.viewings.clear();
    assert!(matches!(
        Opening::new(unseen, officer(AGENT)),
        Err(Error::NothingViewed)
    ));
    // Nor is having seen an image that is no longer there, masked anew since.
    let mut masked_since = source;
    masked_since.images.retain(|image| image.number != 0);
    assert!(matches!(
        Opening::new(masked_since, officer(AGENT)),
        Err(Error::NothingViewed)
    ));
}

#[test]
fn a_new_file_states_where_and_when_and_not_one_word_of_the_facts() {
    let rig = Rig::new();
    let number = opened(&rig);
    assert_eq!(number.to_string(), "2026-EXE-0001");
    let file = file(&rig, &number);
    let record = &file.record;
    assert_eq!((file.state, file.version), (State::Draft, 1));
    assert_eq!(record.facts_at.to_string(), "2026-11-20T22:14:05+01:00");
    assert_eq!(record.place, "Quai Nord, face au 12, dépôt des conteneurs");
    assert!(record.facts.is_empty() && record.offence.is_none() && record.vehicle.first.is_none());
    assert!(record.waste.kinds.is_empty() && record.route.is_none() && record.act.is_none());
}

#[test]
fn each_statement_that_is_required_stands_against_closing_while_it_is_not_there() {
    let rig = Rig::new();
    let record = complete(&file(&rig, &opened(&rig)).record);
    assert_eq!(blockers(&record, law(), today()), []);
    type Spoil = fn(&mut Record);
    let required: [(&str, Spoil); 13] = [
        ("lieu", |r| r.place.clear()),
        ("horloge", |r| r.clock = None),
        ("faits", |r| r.facts = "  \n".to_owned()),
        ("infraction", |r| r.offence = None),
        ("acte", |r| r.act = None),
        ("voie", |r| r.route = None),
        ("nature", |r| r.waste.kinds.clear()),
        ("plaque", |r| {
            r.vehicle.first = None;
            r.vehicle.second = None;
        }),
        ("pays", |r| r.vehicle.country = None),
        ("plaque", |r| r.vehicle.second = None),
        ("frais.0.justificatif", |r| r.costs[0].voucher.clear()),
        ("siv_reference", |r| {
            r.siv.as_mut().expect("a look-up").reference.clear()
        }),
        ("acte", |r| r.officer.titles.clear()),
    ];
    for (field, spoil) in required {
        let mut spoilt = record.clone();
        spoil(&mut spoilt);
        let found = missing(&spoilt, law());
        assert!(
            found
                .iter()
                .any(|e| e.field == field && matches!(e.fault, Fault::Missing(_))),
            "{field}: {found:?}"
        );
    }
}

#[test]
fn what_cannot_stand_is_refused_at_its_field() {
    let rig = Rig::new();
    let record = complete(&file(&rig, &opened(&rig)).record);
    type Spoil = fn(&mut Record);
    type Expected = fn(&Fault) -> bool;
    let wrong: [(&str, Spoil, Expected); 12] = [
        (
            "infraction",
            |r| r.offence = Some(OffenceId::from("cp-r999")),
            |f| *f == Fault::Unlisted,
        ),
        (
            "infraction",
            |r| r.offence = Some(OffenceId::from("cp-r633-6")),
            |f| matches!(f, Fault::NotInForce { replaced_by: Some(next), .. } if next == "Code pénal, art. R. 634-2"),
        ),
        // A délit is outside a sworn agent's competence: no procès-verbal of it.
        (
            "acte",
            |r| r.offence = Some(OffenceId::from("ce-l541-46")),
            |f| matches!(f, Fault::NotCompetent { .. }),
        ),
        (
            "acte",
            |r| r.officer.quality = QualityId::from("inconnue"),
            |f| matches!(f, Fault::NotCompetent { .. }),
        ),
        (
            "voie",
            |r| r.route = Some(RouteId::from("prefet")),
            |f| *f == Fault::Unlisted,
        ),
        (
            "siv_date",
            |r| r.siv.as_mut().expect("a look-up").on = date(2026, 11, 19),
            |f| *f == Fault::BeforeFacts,
        ),
        (
            "siv_date",
            |r| r.siv.as_mut().expect("a look-up").on = date(2026, 11, 23),
            |f| *f == Fault::Future,
        ),
        (
            "horloge_date",
            |r| r.clock.as_mut().expect("a clock").measured = date(2026, 12, 1),
            |f| *f == Fault::Future,
        ),
        (
            "frais.0.montant",
            |r| r.costs[0].amount = Hundredths::new(4_001),
            |f| matches!(f, Fault::Product { .. }),
        ),
        (
            "plaque",
            |r| r.vehicle.second.as_mut().expect("a reading").typed = "AB-123-CE".to_owned(),
            |f| *f == Fault::Differ,
        ),
        (
            "description",
            |r| _ = r.waste.kinds.insert(WasteKind::Other),
            |f| matches!(f, Fault::Missing(_)),
        ),
        (
            "lieu",
            |r| r.place = "Quai\u{7}".to_owned(),
            |f| *f == Fault::Control,
        ),
    ];
    for (field, spoil, expected) in wrong {
        let mut spoilt = record.clone();
        spoil(&mut spoilt);
        let found = validate(&spoilt, law(), today());
        assert!(
            found.iter().any(|e| e.field == field && expected(&e.fault)),
            "{field}: {found:?}"
        );
    }
    let mut late = record.clone();
    late.facts_at = infraction_kit::moment("2026-11-23T00:00:00+01:00");
    late.siv = None;
    let found = validate(&late, law(), today());
    assert!(
        found
            .iter()
            .any(|e| e.field == "date" && e.fault == Fault::Future),
        "{found:?}"
    );
}

#[test]
fn the_electronic_fine_is_refused_where_the_text_had_no_fixed_amount_on_the_day() {
    let rig = Rig::new();
    let mut record = complete(&file(&rig, &opened(&rig)).record);
    record.route = Some(RouteId::from("pve"));
    assert_eq!(validate(&record, law(), today()), []);
    record.facts_at = infraction_kit::moment("2024-05-01T12:00:00+02:00");
    let found = validate(&record, law(), today());
    assert!(
        matches!(&found[..], [e] if e.field == "voie" && matches!(e.fault, Fault::NoFixedAmount(_))),
        "{found:?}"
    );
}

#[test]
fn prescription_is_told_before_and_after_it_is_over() {
    let rig = Rig::new();
    let record = complete(&file(&rig, &opened(&rig)).record);
    let told = |day| {
        let all = remarks(&record, law(), day);
        all.into_iter()
            .find(|r| matches!(r, Remark::Prescribed { .. } | Remark::PrescribedSoon { .. }))
    };
    // Facts of 20 November 2026: one year for a contravention (CPP art. 9).
    assert_eq!(told(date(2027, 8, 21)), None);
    assert!(
        matches!(told(date(2027, 8, 22)), Some(Remark::PrescribedSoon { on, .. }) if on == date(2027, 11, 20))
    );
    assert!(matches!(
        told(date(2027, 11, 19)),
        Some(Remark::PrescribedSoon { .. })
    ));
    assert!(matches!(
        told(date(2027, 11, 20)),
        Some(Remark::Prescribed { .. })
    ));
    let mut delit = record.clone();
    delit.offence = Some(OffenceId::from("ce-l541-46"));
    let all = remarks(&delit, law(), date(2028, 1, 1));
    assert!(
        !all.iter().any(|r| matches!(r, Remark::Prescribed { .. })),
        "six years (CPP art. 8)"
    );
}

#[test]
fn what_is_unusual_is_remarked_and_stops_nothing() {
    let rig = Rig::new();
    let mut record = complete(&file(&rig, &opened(&rig)).record);
    let has =
        |record: &Record, wanted: fn(&Remark) -> bool| remarks(record, law(), today()).iter().any(wanted);
    assert!(!has(&record, |r| *r == Remark::Shape));
    for reading in [&mut record.vehicle.first, &mut record.vehicle.second] {
        reading.as_mut().expect("a reading").typed = "AB-123-C".to_owned();
    }
    assert!(
        has(&record, |r| *r == Remark::Shape),
        "a French plate of no French form"
    );
    record.facts_at = infraction_kit::moment("2026-11-20T21:00:00+01:00");
    assert!(has(&record, |r| *r == Remark::OutsideImages));
    record.offence = Some(OffenceId::from("cp-r634-2"));
    assert!(
        has(&record, |r| matches!(r, Remark::Route { .. })),
        "a 4th class goes to the OMP"
    );
    assert!(has(&record, |r| matches!(r, Remark::ToConfirm(_))));
    assert_eq!(blockers(&record, law(), today()), []);
}
