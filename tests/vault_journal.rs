//! The journal over the years: what may leave it, what proves the rest, and what others can check of it.

mod vault_kit;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use serde_json::{Value, json};
use vault_kit::{Kit, at, copy, entry, forge};
use vigie::frame::{BoxTime, EventId};
use vigie::vault::checkpoint::Checkpoint;
use vigie::vault::closing::Closing;
use vigie::vault::journal::Head;
use vigie::vault::store::{Cause, Prunable, Why};
use vigie::vault::{Entry, Kind, Store};
use vigie::verify::{self, Report};

/// Seconds of three years, one of them with a 29th of February.
const TERM: i64 = (3 * 365 + 1) * 24 * 3600;

fn told(report: &Report) -> Vec<String> {
    let text = |fault: &verify::Fault| format!("{}: {}", fault.place, fault.what);
    report.faults.iter().map(text).collect()
}

#[track_caller]
fn finds(dir: &Path, expected: &str) {
    let told = told(&verify::path(dir, None, None).expect("readable"));
    assert!(
        told.iter().any(|fault| fault.contains(expected)),
        "{expected:?} is not in {told:#?}"
    );
}

#[track_caller]
fn sound(kit: &Kit, path: &Path) -> Report {
    let report = verify::path(path, Some(kit.device.public()), None).expect("readable");
    assert_eq!(told(&report), [""; 0]);
    report
}

fn open(kit: &Kit, now: BoxTime) -> Store {
    Store::open(&kit.dir(), &kit.device, now).expect("a store")
}

fn write(store: &mut Store, time: BoxTime, entries: &[Entry]) {
    store
        .transaction(|tx| entries.iter().try_for_each(|entry| tx.journal(time, entry)))
        .expect("committed");
}

/// A store with a closed session of five lines at `begin`: 1 created, 2 to 4, 5 closed.
fn session(kit: &Kit, begin: i64) -> PathBuf {
    let mut store = open(kit, at(begin));
    for number in [1001, 1002, 1003] {
        write(&mut store, at(begin + 1), &[entry(number)]);
    }
    store.close(at(begin + 2)).expect("closed");
    kit.dir()
}

/// The same, pruned after its term.
fn pruned(kit: &Kit) -> PathBuf {
    session(kit, 0);
    cut(kit)
}

/// Lines 1 to 4 go, then come 6 opened, 7 pruned, 8 closed.
fn cut(kit: &Kit) -> PathBuf {
    let now = at(TERM + 100);
    let mut store = open(kit, now);
    let checkpoint = store.prune(now, now, None).expect("pruned").expect("something");
    assert_eq!(
        (checkpoint.seq, checkpoint.first, checkpoint.last),
        (4, at(0), at(1))
    );
    store.close(at(TERM + 101)).expect("closed");
    kit.dir()
}

fn lines(dir: &Path) -> Vec<u64> {
    let sql = Connection::open(dir.join("vault.db")).expect("opened");
    let mut lines = sql
        .prepare("SELECT seq FROM journal ORDER BY seq")
        .expect("a query");
    let lines = lines.query_map([], |row| row.get(0)).expect("rows");
    lines.collect::<Result<_, _>>().expect("numbers")
}

#[test]
fn pruned_lines_are_gone_from_every_file_and_the_chain_goes_on_from_the_checkpoint() {
    let kit = Kit::new();
    session(&kit, 0);
    let traces = |dir: &Path| {
        let bytes = vault_kit::content(dir);
        let all = bytes.into_iter().flat_map(|(_, bytes)| bytes).collect::<Vec<_>>();
        let all = String::from_utf8_lossy(&all).into_owned();
        ["\"event\":1001", "\"event\":1003"].map(|mark| all.contains(mark))
    };
    assert_eq!(traces(&kit.dir()), [true; 2]);
    let dir = cut(&kit);
    assert_eq!(traces(&dir), [false; 2], "nothing of them is left");
}

#[test]
fn a_pruned_journal_is_sound_says_so_and_can_be_pruned_again() {
    let kit = Kit::new();
    let dir = pruned(&kit);
    assert_eq!(lines(&dir), [5, 6, 7, 8]);
    let report = sound(&kit, &dir);
    assert!(report.remarks[0].contains("lines 1 to 4"), "{:?}", report.remarks);
    let now = at(2 * TERM + 200);
    let mut store = open(&kit, now);
    let again = store.prune(now, now, None).expect("pruned").expect("something");
    assert_eq!((again.seq, again.first, again.last), (7, at(0), at(TERM + 100)));
    store.close(now).expect("closed");
    assert_eq!(lines(&dir), [8, 9, 10, 11]);
    sound(&kit, &dir);
}

#[test]
fn a_store_that_wrote_nothing_for_three_years_keeps_its_last_line() {
    let kit = Kit::new();
    let mut store = open(&kit, at(0));
    write(&mut store, at(1), &[entry(1001), entry(1002)]);
    let now = at(TERM + 100);
    let checkpoint = store.prune(now, now, None).expect("pruned").expect("something");
    assert_eq!(checkpoint.seq, 2);
    store.close(now).expect("closed");
    assert_eq!(lines(&kit.dir()), [3, 4, 5]);
    sound(&kit, &kit.dir());
}

#[test]
fn no_line_goes_before_three_years_are_over() {
    let kit = Kit::new();
    session(&kit, 0);
    let store = open(&kit, at(TERM));
    let to = |believed, before| store.prunable(at(believed), before).expect("readable").to;
    assert_eq!(to(TERM, None), None, "line 1 is exactly three years old");
    assert_eq!(to(TERM + 1, None), Some(1));
    assert_eq!(to(TERM + 2, None), Some(4));
    assert_eq!(to(TERM + 2, Some(at(1))), Some(1), "fewer, if so wished");
    assert_eq!(to(TERM, Some(at(TERM))), None, "more, never");
}

#[test]
fn what_proves_an_item_in_the_store_stays_until_the_item_goes() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    let now = at(TERM + 100);
    let mut store = open(&kit, now);
    let kept = store.prunable(now, None).expect("readable");
    let expected = Prunable {
        to: Some(2),
        kept_by: Why::Item,
    };
    assert_eq!(kept, expected, "line 3 sealed the first item");
    // Also against the program itself: SQLite keeps the line that a row refers to.
    let cut = store.transaction(|tx| {
        tx.raw()
            .execute_batch("INSERT INTO checkpoint VALUES (1, 5, ''); DELETE FROM journal WHERE seq <= 5")?;
        Ok::<_, vigie::vault::store::Error>(())
    });
    assert!(cut.is_err());
    for event in [1, 2] {
        store
            .transaction(|tx| tx.erase_items(now, EventId::from_bytes([event; 8]), &[0, 1], Cause::Expired))
            .expect("erased");
    }
    let kept = store.prunable(now, None).expect("readable");
    assert_eq!((kept.to, kept.kept_by), (Some(9), Why::Closing));
    store.prune(now, now, None).expect("pruned");
    store.close(now).expect("closed");
    // Lines 11 on tell of the erasure of items whose lines are gone.
    assert_eq!(lines(&dir)[0], 10);
    sound(&kit, &dir);
}

#[test]
fn the_tables_let_nothing_go_but_what_lies_before_the_checkpoint() {
    let kit = Kit::new();
    let dir = pruned(&kit);
    let sql = Connection::open(dir.join("vault.db")).expect("opened");
    for refused in [
        "DELETE FROM journal WHERE seq = 5",
        "DELETE FROM journal WHERE seq = 8",
        "UPDATE journal SET body = '{}' WHERE seq = 5",
        "INSERT INTO journal SELECT 4, time, kind, body, prev, hash FROM journal WHERE seq = 5",
        "INSERT INTO journal SELECT 99, time, kind, body, prev, hash FROM journal WHERE seq = 5",
        "UPDATE checkpoint SET text = ''",
        "UPDATE checkpoint SET seq = 3",
        "DELETE FROM checkpoint",
    ] {
        let error = sql.execute_batch(refused).expect_err(refused);
        assert!(error.to_string().contains("append-only"), "{refused}: {error}");
    }
}

#[test]
fn a_forged_checkpoint_and_a_journal_cut_further_are_named() {
    for (change, expected) in [
        (
            "DELETE FROM journal WHERE seq = 5",
            "journal line 6: line 5, before this one, is missing",
        ),
        (
            "DELETE FROM checkpoint",
            "journal line 5: lines 1 to 4, before this one, are missing",
        ),
        (
            "DELETE FROM checkpoint",
            "table checkpoint: it is not the one that the journal tells of",
        ),
        (
            "UPDATE checkpoint SET text = replace(text, '\"seq\":4', '\"seq\":5')",
            "table checkpoint: its signature",
        ),
        ("UPDATE checkpoint SET text = 'x'", "table checkpoint: damaged"),
        ("DROP INDEX item_by_line", "schema: index item_by_line is missing"),
    ] {
        let kit = Kit::new();
        let dir = pruned(&kit);
        forge(&dir, change);
        finds(&dir, expected);
    }
}

#[test]
fn an_older_checkpoint_and_one_of_another_box_are_not_taken() {
    let (kit, other) = (Kit::new(), Kit::new());
    let text = |dir: &Path| {
        let sql = Connection::open(dir.join("vault.db")).expect("opened");
        Checkpoint::text(&sql).expect("readable").expect("there")
    };
    let dir = pruned(&kit);
    let older = text(&dir);
    let now = at(2 * TERM + 200);
    let mut store = open(&kit, now);
    store.prune(now, now, None).expect("pruned");
    store.close(now).expect("closed");
    forge(&dir, &format!("UPDATE checkpoint SET seq = 4, text = '{older}'"));
    finds(
        &dir,
        "table checkpoint: it is not the one that the journal tells of",
    );
    finds(&dir, "journal line 8: lines 5 to 7, before this one, are missing");
    let foreign = text(&pruned(&other));
    forge(&dir, &format!("UPDATE checkpoint SET text = '{foreign}'"));
    finds(&dir, "table checkpoint: its signature is not that of the box");
}

#[test]
fn a_store_set_back_as_a_whole_or_gone_another_way_is_found_by_whoever_kept_a_head() {
    let kit = Kit::new();
    let dir = session(&kit, 0);
    let older = kit.folder.path().join("older");
    copy(&dir, &older);
    let early = Closing::read(&dir).expect("whole").expect("closed").head();
    let mut store = open(&kit, at(10));
    write(&mut store, at(10), &[entry(7)]);
    store.close(at(11)).expect("closed");
    let late = Closing::read(&dir).expect("whole").expect("closed").head();
    let asked = |dir: &Path, head: Head| {
        let report = verify::path(dir, Some(kit.device.public()), Some(head)).expect("a store");
        assert_eq!(report.ok, report.faults.is_empty());
        told(&report)
    };
    assert_eq!(asked(&dir, early), [""; 0]);
    assert_eq!(asked(&dir, late), [""; 0]);
    assert_eq!(asked(&older, early), [""; 0]);
    let back = "vault.db: journal: set back or cut off: it ends with line 5, and line 8 was there once";
    assert_eq!(asked(&older, late), [back]);

    // The same box goes on from the older copy, another way.
    fs::remove_dir_all(&dir).expect("removed");
    copy(&older, &dir);
    let mut store = open(&kit, at(20));
    write(&mut store, at(20), &[entry(8)]);
    store.close(at(21)).expect("closed");
    assert_eq!(asked(&dir, early), [""; 0]);
    let forked = "vault.db: journal: set back or forked: line 8 is not the one that was there once";
    assert_eq!(asked(&dir, late), [forked]);
}

#[test]
fn a_head_that_was_pruned_can_no_longer_be_asked_for() {
    let kit = Kit::new();
    let dir = session(&kit, 0);
    let sql = Connection::open(dir.join("vault.db")).expect("opened");
    let hash = |seq: u64| {
        let hash = sql.query_row("SELECT hash FROM journal WHERE seq = ?", [seq], |row| row.get(0));
        Head {
            seq,
            hash: vigie::frame::Digest::from_bytes(hash.expect("a line")),
        }
    };
    let (gone, last, kept) = (hash(3), hash(4), hash(5));
    drop(sql);
    let dir = cut(&kit);
    let asked = |head| told(&verify::path(&dir, None, Some(head)).expect("a store"));
    assert!(asked(gone)[0].contains("line 3, whose hash was asked for, is no longer there"));
    assert_eq!(asked(last), [""; 0], "the checkpoint has its hash");
    assert_eq!(asked(kept), [""; 0]);
}

#[test]
fn an_erased_line_stands_for_items_that_were_there_and_are_no_more() {
    let event = EventId::from_bytes([1; 8]);
    let erased = |numbers: Value| Entry {
        kind: Kind::Erased,
        body: json!({"cause": "expired", "event": event, "numbers": numbers}),
    };
    for (entry, expected) in [
        // The box says that an item is gone, and it is there.
        (
            erased(json!([0])),
            "item 0101010101010101-00000.vgi: no journal line tells of this row",
        ),
        (
            erased(json!([7])),
            "0101010101010101-00007.vgi was not there to be erased",
        ),
        (erased(json!("all")), "it does not say what was erased"),
        (erased(json!([-1])), "it does not say what was erased"),
        (
            Entry {
                kind: Kind::Erased,
                body: json!({"cause": "expired", "event": event, "numbers": [0], "why": 1}),
            },
            "it does not say what was erased",
        ),
    ] {
        let kit = Kit::new();
        let dir = kit.closed_store();
        let mut store = open(&kit, at(10));
        write(&mut store, at(10), &[entry]);
        store.close(at(11)).expect("closed");
        finds(&dir, expected);
    }
}

#[test]
fn an_erased_item_that_is_put_back_is_named_and_one_sealed_again_is_another() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    let event = EventId::from_bytes([1; 8]);
    let [first, second] = [0, 1].map(|number| dir.join(format!("items/0101010101010101-0000{number}.vgi")));
    let good = [&first, &second].map(|path| fs::read(path).expect("there"));
    let row = |number: u32| -> String {
        let sql = Connection::open(dir.join("vault.db")).expect("opened");
        let columns = "quote(event), number, quote(kind), size, quote(sha256), line";
        let query = format!("SELECT concat_ws(',', {columns}) FROM item WHERE event = ? AND number = ?");
        let key = rusqlite::params![event.to_string(), number];
        sql.query_row(&query, key, |row| row.get(0)).expect("a row")
    };
    let row = row(1);
    let mut store = open(&kit, at(10));
    store
        .transaction(|tx| tx.erase_items(at(10), event, &[0, 1], Cause::Returned))
        .expect("erased");
    // Another item under the name of the first.
    let again = store.stage(kit.sealed(1, 300)).expect("staged");
    store
        .transaction(|tx| tx.insert_item(at(11), again))
        .expect("committed");
    store.close(at(12)).expect("closed");
    sound(&kit, &dir);
    fs::write(&second, &good[1]).expect("put back");
    finds(&dir, "00001.vgi: it was added");
    forge(&dir, &format!("INSERT INTO item VALUES ({row})"));
    finds(
        &dir,
        "item 0101010101010101-00001.vgi: no journal line tells of this row",
    );
    fs::write(&first, &good[0]).expect("put back");
    finds(&dir, "00000.vgi: it was c");
}

#[test]
fn each_session_says_how_far_its_clock_is_to_be_believed() {
    let kit = Kit::new();
    let unset = BoxTime(jiff::Timestamp::from_second(77).expect("1970"));
    for (now, clock) in [
        (at(100), "set"),
        (at(50), "behind"),
        (unset, "unset"),
        (at(200), "set"),
    ] {
        let mut store = open(&kit, now);
        write(&mut store, now, &[entry(1)]);
        let said = "SELECT body FROM journal WHERE kind IN ('created', 'opened') ORDER BY seq DESC LIMIT 1";
        let said: String = store.sql().query_row(said, [], |row| row.get(0)).expect("a line");
        let said: Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(said["clock"], clock);
        store.close(now).expect("closed");
    }
    let report = sound(&kit, &kit.dir());
    let back = "the box's clock went back before line 4, and before 1 more";
    assert!(
        report.remarks.iter().any(|remark| remark == back),
        "{:?}",
        report.remarks
    );
}

/// An export of a pruned store, and its lines.
fn exported(kit: &Kit) -> (PathBuf, Vec<String>) {
    let dir = pruned(kit);
    let out = kit.folder.path().join("journal.jsonl");
    let (count, head) = verify::write_export(&dir, &out, None).expect("written");
    assert_eq!((count, head.seq), (4, 8));
    let text = fs::read_to_string(&out).expect("text");
    (out, text.lines().map(str::to_owned).collect())
}

#[test]
fn an_export_is_sound_and_so_is_a_part_of_it_which_says_so() {
    let kit = Kit::new();
    let (out, lines) = exported(&kit);
    assert_eq!(lines.len(), 6);
    let report = sound(&kit, &out);
    assert!(report.remarks[0].contains("lines 1 to 4"));
    assert_eq!(report.head, sound(&kit, &kit.dir()).head);
    let part = kit.folder.path().join("part.jsonl");
    let (count, _) = verify::write_export(&kit.dir(), &part, Some(7)).expect("written");
    assert_eq!(count, 2);
    let report = sound(&kit, &part);
    assert!(report.remarks[1].contains("a part of the journal: it begins after line 6"));
    let (none, _) =
        verify::write_export(&kit.dir(), &kit.folder.path().join("none"), Some(99)).expect("written");
    assert_eq!(none, 0);
    assert!(
        verify::write_export(&kit.dir(), &out, None).is_err(),
        "never over a file"
    );
    let other = Kit::new();
    let report = verify::path(&out, Some(other.device.public()), None).expect("readable");
    assert!(told(&report)[0].contains("it is of the box"));
}

#[test]
fn an_export_of_a_store_that_was_cut_off_has_what_lies_in_its_log_alone() {
    let kit = Kit::new();
    let left = vault_kit::cut_off(&kit);
    let out = kit.folder.path().join("journal.jsonl");
    let (_, head) = verify::write_export(&left, &out, None).expect("written");
    let told = verify::store(&left, None).expect("a store").head;
    assert_eq!(Some(head.to_string()), told);
    sound(&kit, &out);
}

#[test]
fn a_store_knows_when_its_last_line_was_written() {
    let kit = Kit::new();
    let mut store = open(&kit, at(0));
    write(&mut store, at(7), &[entry(1)]);
    assert_eq!(store.last_time().expect("read"), Some(at(7)));
}

#[test]
fn whatever_is_done_to_an_export_is_found() {
    let kit = Kit::new();
    let (out, good) = exported(&kit);
    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = good.clone();
        change(&mut lines);
        fs::write(&out, lines.concat_lines()).expect("written");
    };
    let check = |change: &dyn Fn(&mut Vec<String>), expected: &str| {
        with(change);
        finds(&out, expected);
    };
    check(
        &|l| drop(l.remove(2)),
        "journal line 7: line 6, before this one, is missing",
    );
    check(
        &|l| drop(l.remove(1)),
        "journal line 6: line 5, before this one, is missing",
    );
    check(&|l| l.swap(2, 3), "journal line 7: line 6, before this one");
    check(
        &|l| drop(l.remove(4)),
        "journal: cut off: it ends with line 7, and the box signed line 8",
    );
    check(&|l| l.truncate(5), "its last line, the signed head, is missing");
    check(&|l| l.truncate(3), "its last line, the signed head, is missing");
    check(
        &|l| l.insert(3, l[2].clone()),
        "journal line 6: it stands out of order",
    );
    check(
        &|l| l.push(l[2].clone()),
        "after its last line: something was added",
    );
    check(
        &|l| l.push(String::new()),
        "after its last line: something was added",
    );
    check(
        &|l| l[2] = l[2].replace("opened", "closed"),
        "journal line 6: it was changed",
    );
    check(
        &|l| l[2] = l[2].replace(":6,", ": 6,"),
        "journal line 6: it is not written as the program writes it",
    );
    check(
        &|l| l[5] = l[5].replace("\"seq\":8", "\"seq\":7"),
        "is not signed by the box",
    );
    check(
        &|l| l[0] = l[0].replace("\"seq\":4", "\"seq\":3"),
        "its first line: the chain does not begin where its checkpoint says",
    );
    check(
        &|l| l[0] = l[0].replace("\"seq\":4", "\"seq\":0"),
        "its first line: the chain does not begin with this box",
    );
    for end in [10, 0] {
        let text = fs::read(&out).expect("text");
        fs::write(&out, &text[..end]).expect("written");
        let report = verify::path(&out, None, None).expect("readable");
        assert!(!report.ok);
    }
}

trait ConcatLines {
    fn concat_lines(&self) -> String;
}

impl ConcatLines for Vec<String> {
    fn concat_lines(&self) -> String {
        self.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// The recipe of docs/formats.md, taken from there and run.
#[test]
fn an_export_can_be_checked_with_public_tools_as_the_document_says() {
    let has = |tool: &str| Command::new(tool).arg("--version").output().is_ok();
    if !has("python3") || !has("openssl") {
        return eprintln!("skipped: no python3 or no openssl to run the recipe with");
    }
    let kit = Kit::new();
    let (out, good) = exported(&kit);
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/formats.md");
    let document = fs::read_to_string(document).expect("the document");
    let recipe = document
        .split("```sh\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let run = || {
        let output = Command::new("sh")
            .args(["-euc", recipe.expect("a recipe"), "sh"])
            .arg(&out)
            .arg(kit.folder.path().join("device.pub"))
            .output()
            .expect("run");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (
            output.status.success(),
            said + &String::from_utf8_lossy(&output.stderr),
        )
    };
    let (ok, said) = run();
    assert!(
        ok && said.contains("lines 5 to 8") && said.contains("Verified Successfully"),
        "{said}"
    );
    for (nth, from, to) in [
        (2, "opened", "closed"),
        (5, "\"seq\":8", "\"seq\":9"),
        (3, "T", "U"),
    ] {
        let mut lines = good.clone();
        lines[nth] = lines[nth].replacen(from, to, 1);
        fs::write(&out, lines.concat_lines()).expect("written");
        assert!(!run().0, "line {nth}");
    }
}

/// What a commit costs is paid once for a batch: `cargo test --test vault_journal batch -- --nocapture`
/// prints the figures.
#[test]
fn a_batch_of_lines_is_one_commit_with_one_signature() {
    let kit = Kit::new();
    let mut store = kit.open();
    let log = kit.dir().join("vault.db-wal");
    let commits = || {
        let bytes = fs::read(&log).expect("a log");
        // sqlite.org/fileformat2.html §4.1: a frame that commits says how many pages the database has.
        let frames = bytes[32..].chunks_exact(24 + 4096);
        frames.filter(|frame| frame[4..8] != [0; 4]).count()
    };
    write(&mut store, at(1), &[entry(0)]);
    let before = commits();
    let entries: Vec<_> = (0..16).map(entry).collect();
    write(&mut store, at(2), &entries);
    assert_eq!(commits(), before + 1);
    for batch in [1_usize, 16] {
        let entries = &entries[..batch];
        let began = std::time::Instant::now();
        let rounds = 320 / batch;
        (0..rounds).for_each(|_| write(&mut store, at(3), entries));
        let rate = 320.0 / began.elapsed().as_secs_f64();
        println!("{batch} lines a commit: {rate:.0} lines/s");
    }
}
