//! What is due is erased on its day: nothing early, nothing late, and nothing that was erased opens again.
#![cfg(feature = "desk")]

mod retention_kit;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use retention_kit::{Kit, holding, instant, noon, run, there};
use vigie::desk::retention::plan::{Class, Target};
use vigie::desk::retention::records::{self, Authority, NewHold, Words};
use vigie::desk::retention::{Error, clock::Trust, marks, tasks};
use vigie::transfer::Desk;
use vigie::vault::DeviceKey;

fn hold(kit: &Kit, desk: &mut Desk, id: &str, today: Date, until: Date) -> Result<i64, Error> {
    let new = NewHold {
        target: Target::Case(id.to_owned()),
        authority: Authority::Procureur,
        until,
        words: Words {
            reference: "n° parquet 28123000042".to_owned(),
            motive: "enquête en cours".to_owned(),
        },
    };
    let by = ("00000000000000c1", &kit.register);
    desk.store
        .transaction(|tx| records::put_on(tx, &new, None, by, today, noon(today)))
}

fn verified(kit: &Kit) {
    let device = DeviceKey::read_desk(&kit.desk().join("desk.key")).expect("its key");
    let report = vigie::verify::store(&kit.desk().join("store"), Some(device.public())).expect("a report");
    assert!(report.ok, "{:?}", report.faults);
}

/// The day on which it must go, said without the program's own arithmetic.
fn two_years_on(day: Date) -> Date {
    match (day.month(), day.day()) {
        (2, 29) => date(day.year() + 2, 2, 28),
        (month, of_month) => date(day.year() + 2, month, of_month),
    }
}

#[test]
fn three_years_of_files_with_holds_go_to_the_day() {
    let kit = Kit::new();
    let first = date(2026, 1, 5);
    let mut desk = kit.open(noon(first));
    kit.agree(&mut desk, first);
    let mut expected: BTreeMap<(String, String), Date> = BTreeMap::new();
    let mut number = 0;
    // A file every sixteenth day of three years, 29 February 2028 among them, and an event nobody looks at.
    let mut held = BTreeSet::new();
    for today in first.series(1.day()).take_while(|day| *day < date(2031, 9, 1)) {
        let leap_day = today == date(2028, 2, 29);
        if today < date(2029, 1, 5) && ((today - first).get_days() % 16 == 0 || leap_day) {
            number += 1;
            let id = format!("{number:016x}");
            for class in [Class::Images, Class::Record] {
                kit.shelve(&mut desk, class, &id, today);
                expected.insert((class.as_str().to_owned(), id.clone()), two_years_on(today));
            }
            let unreviewed = format!("{:016x}", 0x1000 + number);
            kit.shelve(&mut desk, Class::Unreviewed, &unreviewed, today);
            expected.insert(("unreviewed".to_owned(), unreviewed), today + 30.days());
        }
        for nth in (3..number).step_by(7) {
            // A month before it is due a hold of six months is put on every seventh file; every other one is renewed
            // on its last day for three months more.
            let id = format!("{nth:016x}");
            let due = expected[&("record".to_owned(), id.clone())];
            if held.contains(&id) || today != due - 30.days() {
                continue;
            }
            held.insert(id.clone());
            let until = today + 6.months();
            hold(&kit, &mut desk, &id, today, until).expect("a hold");
            for class in ["record", "images"] {
                expected.insert((class.to_owned(), id.clone()), until + 1.day());
            }
        }
        let wanted: BTreeSet<_> = expected
            .iter()
            .filter(|(_, due)| today < **due)
            .map(|(key, _)| key.clone())
            .collect();
        run(&mut desk, noon(today), 24);
        assert_eq!(there(&desk), wanted, "on {today}");
    }
    assert!(there(&desk).is_empty());
    assert!(held.len() > 5, "{held:?}");
    desk.store.close(noon(date(2031, 9, 1))).expect("closed");
    verified(&kit);
}

#[test]
fn what_was_erased_is_in_no_file_of_the_desk_any_more_and_has_its_certificate() {
    let kit = Kit::new();
    let first = date(2026, 11, 22);
    let mut desk = kit.open(noon(first));
    kit.agree(&mut desk, first);
    let ids = ["0000000000000001", "0000000000000002"];
    let keys: Vec<Vec<u8>> = [
        kit.shelve(&mut desk, Class::Images, ids[0], first),
        kit.shelve(&mut desk, Class::Record, ids[0], first),
    ]
    .into();
    let stays = kit.shelve(&mut desk, Class::Images, ids[1], first + 1.day());
    hold(&kit, &mut desk, ids[0], first, first + 3.months()).expect("a hold");
    for key in keys.iter().chain([&stays]) {
        assert!(!holding(&kit.desk(), &key[..72]).is_empty());
    }
    let due = two_years_on(first);
    // The machine ran all along, so its clock is believed.
    run(&mut desk, noon(first), 0);
    let ran = run(&mut desk, noon(due), 24 * 731);
    assert_eq!(ran.erased, BTreeMap::from([("images", 1), ("record", 1)]));
    assert_eq!((ran.certificates.len(), ran.unclean), (2, 0));
    for key in &keys {
        assert_eq!(holding(&kit.desk(), &key[..72]), Vec::<std::path::PathBuf>::new());
    }
    assert!(
        !holding(&kit.desk(), &stays[..72]).is_empty(),
        "its neighbour stays"
    );
    let words = records::holds(desk.store.sql()).expect("holds")[0].words(&kit.register);
    assert_eq!(
        words.expect("opened"),
        None,
        "the hold's words went with the file"
    );
    let page = kit
        .desk()
        .join("store/certificates")
        .join(format!("{}.txt", ran.certificates[0]));
    let page = fs::read_to_string(page).expect("a page");
    assert!(
        page.contains("22 novembre 2028") && page.contains("2026-117"),
        "{page}"
    );
    desk.store.close(noon(due)).expect("closed");
    for key in &keys {
        assert!(holding(&kit.desk(), &key[..72]).is_empty());
    }
    verified(&kit);
}

#[test]
fn what_a_crash_left_uncertified_is_certified_by_the_next_run() {
    let kit = Kit::new();
    let first = date(2026, 11, 22);
    let mut desk = kit.open(noon(first));
    kit.agree(&mut desk, first);
    kit.shelve(&mut desk, Class::Unreviewed, "0000000000000001", first);
    run(&mut desk, noon(first), 0);
    let due = first + 30.days();
    // The folder of certificates cannot be made: what runs is cut off after the erasure.
    let blocked = kit.desk().join("store/certificates");
    fs::write(&blocked, "in the way").expect("written");
    let setting = retention_kit::setting();
    let ran = std::time::Duration::from_secs(30 * 24 * 3600);
    let cut = vigie::desk::retention::run::carry_out(
        &mut desk.store,
        &setting,
        &retention_kit::Shelf,
        noon(due),
        ran,
    );
    assert!(cut.is_err());
    assert!(there(&desk).is_empty());
    fs::remove_file(&blocked).expect("out of the way");
    drop(desk);
    let mut desk = kit.open(noon(due));
    let again = run(&mut desk, noon(due), 0);
    assert!(again.erased.is_empty());
    assert_eq!(fs::read_dir(blocked).expect("certificates").count(), 2);
    desk.store.close(noon(due)).expect("closed");
    verified(&kit);
}

#[test]
fn without_an_agreement_it_is_locked_on_its_day_and_erased_when_there_is_one() {
    let kit = Kit::new();
    let first = date(2026, 11, 22);
    let mut desk = kit.open(noon(first));
    let id = "0000000000000001";
    kit.shelve(&mut desk, Class::Record, id, first);
    let due = two_years_on(first);
    let locked = |desk: &Desk| records::is_locked(desk.store.sql(), Class::Record, id).expect("read");
    run(&mut desk, noon(first), 0);
    run(&mut desk, noon(due - 1.day()), 24 * 730);
    assert!(!locked(&desk));
    assert_eq!(run(&mut desk, noon(due), 24).locked, 1);
    assert!(locked(&desk));
    assert_eq!(there(&desk).len(), 1);
    let day = due + 9.days();
    run(&mut desk, noon(day), 24 * 9);
    kit.agree(&mut desk, day);
    let ran = run(&mut desk, noon(day), 0);
    assert!(there(&desk).is_empty() && !locked(&desk));
    let page = kit
        .desk()
        .join("store/certificates")
        .join(format!("{}.txt", ran.certificates[0]));
    let page = fs::read_to_string(page).expect("a page");
    assert!(
        page.contains("Retard ....................... : 9 jours"),
        "{page}"
    );
}

#[test]
fn a_clock_that_leaps_erases_nothing_until_time_or_a_person_proves_it() {
    let kit = Kit::new();
    let first = date(2026, 11, 22);
    let mut desk = kit.open(noon(first));
    kit.agree(&mut desk, first);
    kit.shelve(&mut desk, Class::Record, "0000000000000001", first);
    kit.shelve(&mut desk, Class::Unreviewed, "0000000000000002", first);
    run(&mut desk, noon(first), 0);
    let leapt = date(2029, 1, 1);
    let ran = run(&mut desk, noon(leapt), 1);
    assert_eq!((ran.clock, ran.erased.len()), (Trust::Ahead, 0));
    drop(desk);
    // Nor does starting again prove anything.
    let mut desk = kit.open(noon(leapt));
    for _ in 0..5 {
        run(&mut desk, noon(leapt), 0);
    }
    assert_eq!(there(&desk).len(), 2);
    // Put right again, nothing had happened.
    assert_eq!(run(&mut desk, noon(first + 1.day()), 1).clock, Trust::InStep);
    // This time a person says that the date is right.
    run(&mut desk, noon(leapt), 1);
    assert_eq!(there(&desk).len(), 2);
    marks::confirm(&mut desk.store, "00000000000000c1", noon(leapt)).expect("confirmed");
    assert_eq!(run(&mut desk, noon(leapt), 0).erased.len(), 2);
    assert!(there(&desk).is_empty());
    let line = "SELECT body FROM journal WHERE kind = 'clock_confirmed'";
    let body: String = desk
        .store
        .sql()
        .query_row(line, [], |row| row.get(0))
        .expect("a line");
    assert!(
        body.contains("00000000000000c1") && body.contains("2026-11-23"),
        "{body}"
    );
}

#[test]
fn a_clock_set_back_neither_erases_early_nor_blocks_for_ever() {
    let kit = Kit::new();
    let first = date(2026, 11, 22);
    let mut desk = kit.open(noon(first));
    kit.agree(&mut desk, first);
    kit.shelve(&mut desk, Class::Unreviewed, "0000000000000001", first);
    run(&mut desk, noon(first), 0);
    let wrong = date(2024, 5, 5);
    for day in 1..30 {
        run(&mut desk, noon(wrong + day.days()), 24);
        assert_eq!(there(&desk).len(), 1, "day {day}");
    }
    run(&mut desk, noon(wrong + 30.days()), 24);
    assert!(there(&desk).is_empty());
    let mut desk_unset = kit.open_again(desk);
    assert_eq!(
        run(&mut desk_unset, instant("1970-01-01T00:00:09Z"), 1).unclean,
        0
    );
}

#[test]
fn a_machine_that_was_off_makes_up_for_what_it_missed() {
    let kit = Kit::new();
    let first = date(2026, 11, 22);
    let mut desk = kit.open(noon(first));
    kit.agree(&mut desk, first);
    for nth in 1..=3 {
        kit.shelve(
            &mut desk,
            Class::Unreviewed,
            &format!("{nth:016x}"),
            first + (nth - 1).days(),
        );
    }
    run(&mut desk, noon(first + 2.days()), 0);
    drop(desk);
    let back = first + 31.days();
    let mut desk = kit.open(noon(back));
    assert!(
        run(&mut desk, noon(back), 0).erased.is_empty(),
        "a month's absence is not believed at once"
    );
    let ran = run(&mut desk, noon(back + 1.day()), 24);
    assert_eq!(ran.erased, BTreeMap::from([("unreviewed", 3)]));
    let pages: String = ran
        .certificates
        .iter()
        .map(|number| {
            fs::read_to_string(
                kit.desk()
                    .join("store/certificates")
                    .join(format!("{number}.txt")),
            )
            .expect("a page")
        })
        .collect();
    assert!(
        pages.contains("2 jours") && pages.contains("1 jour\n") && pages.contains("aucun"),
        "{pages}"
    );
}

#[test]
fn a_hold_is_never_silent_nor_endless() {
    let kit = Kit::new();
    let today = date(2026, 11, 22);
    let mut desk = kit.open(noon(today));
    let id = "0000000000000001";
    for until in [today, today + 6.months() + 1.day(), today + 10.years()] {
        assert!(
            matches!(
                hold(&kit, &mut desk, id, today, until),
                Err(Error::HoldTerm { .. })
            ),
            "{until}"
        );
    }
    let placed = hold(&kit, &mut desk, id, today, today + 6.months()).expect("a hold");
    let record = || {
        records::hold(desk.store.sql(), placed)
            .expect("read")
            .expect("there")
    };
    assert_eq!(record().told, None);
    let words = record().words(&kit.register).expect("opened").expect("words");
    assert_eq!(words.reference, "n° parquet 28123000042");
    assert!(holding(&kit.desk(), b"28123000042").is_empty(), "sealed at rest");
    desk.store
        .transaction(|tx| records::take_note(tx, placed, "00000000000000d1", noon(today)))
        .expect("noted");
    desk.store
        .transaction(|tx| records::lift(tx, placed, "00000000000000c1", today + 1.day(), noon(today)))
        .expect("lifted");
    let lines = "SELECT count(*) FROM journal WHERE kind = 'held'";
    let lines: u32 = desk
        .store
        .sql()
        .query_row(lines, [], |row| row.get(0))
        .expect("lines");
    assert_eq!(lines, 3);
    let again = desk
        .store
        .transaction(|tx| records::lift(tx, placed, "00000000000000c1", today + 2.days(), noon(today)));
    assert!(matches!(again, Err(Error::NoSuchHold(_))));
}

#[test]
fn each_half_year_has_its_review_and_each_year_its_purge() {
    let kit = Kit::new();
    let first = date(2026, 11, 22);
    let mut desk = kit.open(noon(first));
    for day in first.series(7.days()).take(60) {
        run(&mut desk, noon(day), 24 * 7);
    }
    let all = tasks::all(desk.store.sql()).expect("tasks");
    let periods: Vec<_> = all
        .iter()
        .map(|task| (task.task.as_str(), task.period.as_str()))
        .collect();
    for expected in [
        ("journal-review", "2026-S2"),
        ("journal-review", "2027-S1"),
        ("journal-review", "2027-S2"),
        ("surplus", "2026"),
        ("surplus", "2027"),
    ] {
        assert!(periods.contains(&expected), "{expected:?} in {periods:?}");
    }
    let task = (tasks::Task::JournalReview, "2026-S2");
    let result = serde_json::json!({"anomalies": 0});
    let done = |desk: &mut Desk| {
        desk.store
            .transaction(|tx| tasks::done(tx, task, &result, "00000000000000c1", noon(first)))
    };
    done(&mut desk).expect("done");
    assert!(matches!(done(&mut desk), Err(Error::NoSuchTask)), "once");
}

#[test]
fn the_journal_goes_after_three_years_behind_a_signed_checkpoint() {
    let kit = Kit::new();
    let first = date(2026, 11, 22);
    let mut desk = kit.open(noon(first));
    let mut day = first;
    while day < first + 3.years() {
        run(&mut desk, noon(day), 24);
        day += 5.days();
        // Closed now and then, as a machine is.
        desk.store.close(noon(day)).expect("closed");
        desk = kit.open(noon(day));
    }
    let oldest = |desk: &Desk| {
        let oldest = "SELECT min(time) FROM journal";
        desk.store
            .sql()
            .query_row(oldest, [], |row| row.get::<_, String>(0))
            .expect("a line")
    };
    assert!(oldest(&desk).starts_with("2026-11-22"));
    let later = first + 3.years() + 20.days();
    let ran = run(&mut desk, noon(later), 24 * 20);
    assert!(ran.pruned.is_some());
    assert!(
        *oldest(&desk) >= *"2026-11-2" && *oldest(&desk) < *"2026-12-20",
        "{}",
        oldest(&desk)
    );
    desk.store.close(noon(later)).expect("closed");
    verified(&kit);
}

#[test]
fn the_boxes_journals_go_with_the_desks_after_three_years_oldest_first() {
    let kit = Kit::new();
    let first = date(2026, 11, 22);
    let mut desk = kit.open(noon(first));
    // A clock that was never set, then old lines, a young one, and one that a clock set back dates before it.
    let times = [
        "1970-01-01",
        "2023-01-05",
        "2023-11-20",
        "2026-01-01",
        "2023-02-01",
        "2026-02-01",
    ];
    let put = desk.store.transaction(|tx| {
        for (seq, day) in (1..).zip(times) {
            let line = "INSERT INTO trap_line (device, seq, time, kind, body, prev, hash)
                        VALUES ('00000000000000b1', ?, ?, 'opened', '{}', zeroblob(32), zeroblob(32))";
            let values = rusqlite::params![seq, format!("{day}T10:00:00Z")];
            tx.raw()
                .execute(line, values)
                .map_err(vigie::vault::store::Error::from)?;
        }
        Ok::<_, vigie::vault::store::Error>(())
    });
    put.expect("put in");
    let left = |desk: &Desk| {
        let left = "SELECT group_concat(seq) FROM (SELECT seq FROM trap_line ORDER BY seq)";
        desk.store
            .sql()
            .query_row(left, [], |row| row.get::<_, String>(0))
            .expect("lines")
    };
    run(&mut desk, noon(first), 1);
    assert_eq!(left(&desk), "4,5,6");
    run(&mut desk, noon(date(2029, 6, 1)), 1);
    assert_eq!(
        left(&desk),
        "4,5,6",
        "by an hour that is not believed, nothing more goes"
    );
    let told = "SELECT body FROM journal WHERE kind = 'destroyed'";
    let told: String = desk
        .store
        .sql()
        .query_row(told, [], |row| row.get(0))
        .expect("one line");
    assert!(told.contains("lines:00000000000000b1-3"), "{told}");
}

trait OpenAgain {
    fn open_again(&self, desk: Desk) -> Desk;
}

impl OpenAgain for Kit {
    fn open_again(&self, desk: Desk) -> Desk {
        drop(desk);
        self.open(noon(date(2027, 1, 1)))
    }
}
