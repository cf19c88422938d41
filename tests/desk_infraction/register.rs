//! The register: versions, closing, correcting, sending, finding, destroying, and what the disk and the journal show.

use jiff::civil::date;
use vigie::desk::infraction::record::{Holder, Outcome, OutcomeKind};
use vigie::desk::infraction::register::{self, By, Error, State};
use vigie::desk::infraction::search::{self, Motive, Query};
use vigie::desk::infraction::{CaseNumber, Record, correction, ending};

use crate::desk_kit::{Rig, time};
use crate::infraction_kit::{self, AGENT, OTHER, complete, file, keys, law, opened, today};

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
