//! The infraction file: opened by a human who has looked, stated in their own words, checked, sealed, found, erased.
#![cfg(feature = "desk")]

mod desk_kit;
mod infraction_kit;

use desk_kit::{Rig, time};
use infraction_kit::{AGENT, OTHER, complete, file, keys, law, officer, opened, source, today};
use jiff::civil::date;
use proptest::prelude::*;
use vigie::desk::infraction::amount::Hundredths;
use vigie::desk::infraction::check::Fault;
use vigie::desk::infraction::form::{self, Hand};
use vigie::desk::infraction::plate::{Legibility, Reading};
use vigie::desk::infraction::record::{Cost, CostKind, Holder, Outcome, OutcomeKind, SivLookUp, WasteKind};
use vigie::desk::infraction::register::{self, By, Error, Opening, State};
use vigie::desk::infraction::search::{self, Motive, Query};
use vigie::desk::infraction::{
    CaseNumber, Record, Remark, Section, blockers, correction, ending, missing, remarks, validate,
};
use vigie::desk::law::{Act, OffenceId, QualityId, RouteId};

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

#[test]
fn two_agents_at_once_never_overwrite_each_other() {
    let rig = Rig::new();
    let number = opened(&rig);
    let shown = file(&rig, &number);
    let save = |change: fn(&mut Record)| {
        let mut record = shown.record.clone();
        change(&mut record);
        let by = By {
            account: AGENT,
            keys: keys(&rig),
            now: rig.now(),
        };
        let mut office = rig.app.office.lock().expect("the desk");
        office
            .store()
            .transaction(|tx| register::save(tx, by, &number, shown.version, &record, None))
    };
    assert_eq!(save(|r| r.facts = "Un".to_owned()).expect("saved"), 2);
    assert!(matches!(
        save(|r| r.facts = "Deux".to_owned()),
        Err(Error::Changed(_))
    ));
    let file = file(&rig, &number);
    assert_eq!((file.version, file.record.facts.as_str()), (2, "Un"));
}

#[test]
fn a_closed_file_changes_only_with_a_reason_and_keeps_its_former_words() {
    let rig = Rig::new();
    let number = infraction_kit::closed(&rig);
    let closed = file(&rig, &number);
    assert_eq!(closed.state, State::Closed);
    let mut record = closed.record.clone();
    record.facts = "Autre rédaction".to_owned();
    let by = By {
        account: OTHER,
        keys: keys(&rig),
        now: rig.now(),
    };
    let save = |reason| {
        let mut office = rig.app.office.lock().expect("the desk");
        office
            .store()
            .transaction(|tx| register::save(tx, by, &number, closed.version, &record, reason))
    };
    for none in [None, Some("  ")] {
        assert!(matches!(save(none), Err(Error::NoReason)));
    }
    assert_eq!(file(&rig, &number), closed, "nothing was saved");
    save(Some("Erreur de rédaction")).expect("saved");
    let office = rig.app.office.lock().expect("the desk");
    let kept = correction::corrections(office.desk.store.sql(), keys(&rig), &number).expect("corrections");
    let [correction] = &kept[..] else {
        panic!("{kept:?}")
    };
    assert_eq!(
        (correction.by.as_str(), correction.former.reason.as_str()),
        (OTHER, "Erreur de rédaction")
    );
    let [change] = &correction.former.changes[..] else {
        panic!("{correction:?}")
    };
    assert_eq!(
        (change.at.as_str(), change.before.as_str()),
        ("facts", Some(closed.record.facts.as_str()))
    );
}

#[test]
fn a_plate_that_is_read_again_keeps_the_former_reading_even_in_a_draft() {
    let rig = Rig::new();
    let number = opened(&rig);
    infraction_kit::change(&rig, &number, None, |r| *r = complete(r)).expect("saved");
    let reread =
        |record: &mut Record| record.vehicle.first.as_mut().expect("read").typed = "AB-123-CE".to_owned();
    assert!(matches!(
        infraction_kit::change(&rig, &number, None, reread),
        Err(Error::NoReason)
    ));
    infraction_kit::change(&rig, &number, Some("Reflet sur la plaque"), reread).expect("saved");
    let office = rig.app.office.lock().expect("the desk");
    let kept = correction::corrections(office.desk.store.sql(), keys(&rig), &number).expect("corrections");
    assert_eq!(kept[0].former.changes[0].before, "AB-123-CD");
}

#[test]
fn an_incomplete_file_is_not_closed_and_a_closed_one_not_twice() {
    let rig = Rig::new();
    let number = opened(&rig);
    let by = By {
        account: AGENT,
        keys: keys(&rig),
        now: rig.now(),
    };
    let close = |version| {
        let mut office = rig.app.office.lock().expect("the desk");
        office
            .store()
            .transaction(|tx| register::close(tx, by, &number, version, law(), today()))
    };
    assert!(matches!(close(1), Err(Error::Incomplete(n, _)) if n > 5));
    infraction_kit::change(&rig, &number, None, |r| *r = complete(r)).expect("saved");
    assert!(matches!(close(1), Err(Error::Changed(_))));
    assert_eq!(close(2).expect("closed"), 3);
    assert!(matches!(close(3), Err(Error::State(..))));
}

#[test]
fn only_a_closed_file_is_sent_and_an_outcome_ends_it() {
    let rig = Rig::new();
    let draft = opened(&rig);
    let closed = infraction_kit::closed(&rig);
    let send = |number: &CaseNumber| {
        let mut office = rig.app.office.lock().expect("the desk");
        office.store().transaction(|tx| register::mark_sent(tx, number))
    };
    assert!(matches!(send(&draft), Err(Error::State(..))));
    send(&closed).expect("sent");
    send(&closed).expect("sent again: to another addressee");
    assert_eq!(file(&rig, &closed).state, State::Sent);
    let dismissed = |record: &mut Record| {
        record.outcomes.push(Outcome {
            kind: OutcomeKind::Dismissed,
            on: date(2026, 11, 21),
            reference: "26-325-0001".to_owned(),
            note: String::new(),
        });
    };
    infraction_kit::change(&rig, &closed, Some("Avis du parquet"), dismissed).expect("saved");
    assert_eq!(file(&rig, &closed).state, State::Ended);
    let office = rig.app.office.lock().expect("the desk");
    let dated = ending::dated(office.desk.store.sql()).expect("dates");
    let outcomes: Vec<_> = dated.iter().map(|dated| dated.outcome).collect();
    assert_eq!(
        outcomes,
        [None, Some(OutcomeKind::Dismissed)],
        "told without any key"
    );
}

#[test]
fn files_are_found_by_number_camera_date_state_and_the_whole_plate() {
    let rig = Rig::new();
    let (draft, closed) = (opened(&rig), infraction_kit::closed(&rig));
    let by = By {
        account: AGENT,
        keys: keys(&rig),
        now: rig.now(),
    };
    let find = |query: Query| {
        let office = rig.app.office.lock().expect("the desk");
        let (count, found) = search::find(office.desk.store.sql(), by, &query, 0).expect("found");
        assert_eq!(count, found.len() as u64);
        found.into_iter().map(|found| found.number).collect::<Vec<_>>()
    };
    let both = [closed.clone(), draft.clone()];
    assert_eq!(find(Query::default()), both);
    assert_eq!(
        find(Query {
            number: Some(draft.clone()),
            ..Query::default()
        }),
        std::slice::from_ref(&draft)
    );
    assert_eq!(
        find(Query {
            state: Some(State::Closed),
            ..Query::default()
        }),
        std::slice::from_ref(&closed)
    );
    assert_eq!(
        find(Query {
            camera: Some("demo".parse().expect("a camera")),
            ..Query::default()
        }),
        both
    );
    assert!(
        find(Query {
            camera: Some("autre".parse().expect("a camera")),
            ..Query::default()
        })
        .is_empty()
    );
    let window = |from, until| Query {
        from: Some(time(from)),
        until: Some(time(until)),
        ..Query::default()
    };
    assert_eq!(
        find(window("2026-11-20T21:14:05Z", "2026-11-20T21:14:06Z")).len(),
        2
    );
    assert!(find(window("2026-11-20T21:14:06Z", "2026-11-21T00:00:00Z")).is_empty());
    for typed in ["AB-123-CD", "ab 123 cd"] {
        assert_eq!(
            find(Query {
                plate: Some(typed.to_owned()),
                ..Query::default()
            }),
            std::slice::from_ref(&closed)
        );
    }
    for other in ["AB-123-C", "AB-123-CE", "AB123"] {
        assert!(
            find(Query {
                plate: Some(other.to_owned()),
                ..Query::default()
            })
            .is_empty(),
            "{other}"
        );
    }
}

#[test]
fn the_desks_folder_shows_neither_plate_nor_name_nor_a_word_of_the_facts() {
    let rig = Rig::new();
    let number = infraction_kit::closed(&rig);
    let by = By {
        account: AGENT,
        keys: keys(&rig),
        now: rig.now(),
    };
    {
        let mut office = rig.app.office.lock().expect("the desk");
        let holder = Holder {
            name: "Société Dupanloup".to_owned(),
            ..Holder::default()
        };
        let set = office.store().transaction(|tx| {
            register::set_holder(tx, by, &number, &holder)?;
            search::searched(tx, by, Motive::Repeated, 1)?;
            search::look(tx, by, &number, Motive::Writing)
        });
        set.expect("written");
        let read = register::holder(office.desk.store.sql(), by.keys, &number).expect("opened");
        assert_eq!(read, Some(holder));
    }
    infraction_kit::change(&rig, &number, Some("motif tresconfidentiel"), |r| {
        r.facts += " suite"
    })
    .expect("saved");
    let secrets = [
        "AB-123-CD",
        "AB123CD",
        "Dupanloup",
        "gravats au pied",
        "tresconfidentiel",
        "Camionnette",
        "Agent Un",
    ];
    let found = infraction_kit::search_folder(rig.folder.path(), &secrets);
    assert_eq!(found, Vec::<String>::new());
    // The search itself finds what is there in clear.
    assert!(!infraction_kit::search_folder(rig.folder.path(), &["2026-EXE-0001"]).is_empty());
}

#[test]
fn a_destroyed_file_leaves_nothing_but_its_number_in_the_journal() {
    let rig = Rig::new();
    let number = infraction_kit::closed(&rig);
    let kept = infraction_kit::closed(&rig);
    let by = By {
        account: AGENT,
        keys: keys(&rig),
        now: rig.now(),
    };
    let export = infraction_kit::export(&rig, &[number.clone(), kept.clone()]);
    let alone = infraction_kit::export(&rig, std::slice::from_ref(&number));
    infraction_kit::change(&rig, &number, Some("Motif"), |r| r.facts += " suite").expect("saved");
    let mut office = rig.app.office.lock().expect("the desk");
    let store = office.store();
    let set = store.transaction(|tx| {
        register::set_holder(
            tx,
            by,
            &number,
            &Holder {
                name: "X".to_owned(),
                ..Holder::default()
            },
        )?;
        search::look(tx, by, &number, Motive::Writing)
    });
    set.expect("written");
    assert!(ending::is_there(store.sql(), &number).expect("asked"));
    let destroyed = store
        .transaction(|tx| ending::destroy(tx, &number, "term", rig.now()))
        .expect("destroyed");
    let mut exports = vec![export.clone(), alone];
    exports.sort();
    assert_eq!(destroyed.exports, exports, "the copies that went out are named");
    assert!(!ending::is_there(store.sql(), &number).expect("asked"));
    assert!(matches!(
        register::read(store.sql(), by.keys, &number),
        Err(Error::NoSuchFile(_))
    ));
    assert!(ending::is_there(store.sql(), &kept).expect("asked"));
    let left: Vec<String> = infraction_kit::texts(store.sql(), "SELECT id FROM infraction_export");
    assert_eq!(left, [export]);
    let again = store.transaction(|tx| ending::destroy(tx, &number, "term", rig.now()));
    assert!(matches!(again, Err(Error::NoSuchFile(_))));
    drop(office);
    // Its number is never given again.
    assert_eq!(opened(&rig).counter(), 3);
}

#[test]
fn the_journal_tells_each_act_by_opaque_ids_alone() {
    let rig = Rig::new();
    let number = infraction_kit::closed(&rig);
    let by = By {
        account: AGENT,
        keys: keys(&rig),
        now: rig.now(),
    };
    let mut office = rig.app.office.lock().expect("the desk");
    let store = office.store();
    store
        .transaction(|tx| search::look(tx, by, &number, Motive::Checking))
        .expect("looked");
    store
        .transaction(|tx| ending::destroy(tx, &number, "term", rig.now()))
        .expect("destroyed");
    let lines = infraction_kit::texts(
        store.sql(),
        "SELECT kind || ' ' || body FROM journal WHERE kind LIKE 'infraction%' ORDER BY seq",
    );
    let kinds: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
    let expected = [
        "infraction_opened",
        "infraction_changed",
        "infraction_closed",
        "infraction_viewed",
        "infraction_erased",
    ];
    assert_eq!(kinds, expected);
    assert!(
        lines[1].contains("\"parts\":[\"act\",\"clock\",\"costs\""),
        "{}",
        lines[1]
    );
    assert!(lines[3].contains("\"motive\":\"checking\""), "{}", lines[3]);
}

#[test]
fn a_look_counts_for_one_session_alone() {
    let rig = Rig::new();
    let number = opened(&rig);
    let by = By {
        account: AGENT,
        keys: keys(&rig),
        now: rig.now(),
    };
    let mut office = rig.app.office.lock().expect("the desk");
    let store = office.store();
    let looks = |sql: &rusqlite::Connection, account, since| {
        search::looks(sql, account, &number, time(since)).expect("asked")
    };
    assert_eq!(looks(store.sql(), AGENT, "2026-11-22T10:00:00Z"), None);
    store
        .transaction(|tx| search::look(tx, by, &number, Motive::Writing))
        .expect("looked");
    assert_eq!(
        looks(store.sql(), AGENT, "2026-11-22T10:00:00Z"),
        Some(Motive::Writing)
    );
    assert_eq!(
        looks(store.sql(), AGENT, "2026-11-22T11:00:01Z"),
        None,
        "an earlier session"
    );
    assert_eq!(looks(store.sql(), OTHER, "2026-11-22T10:00:00Z"), None);
}

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
