//! Whatever is changed in a store is found, and named.

mod vault_kit;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use rusqlite::Connection;
use vault_kit::{Kit, at, content, copy, cut_off, entry, files, forge};
use vigie::vault::closing::Closing;
use vigie::vault::store::Error as StoreError;
use vigie::verify::{self, Report};

const FIRST: &str = "items/0101010101010101-00000.vgi";
const SECOND: &str = "items/0101010101010101-00001.vgi";

fn check(dir: &Path) -> Report {
    verify::store(dir, None).expect("a store")
}

/// The place and text of each fault.
fn told(report: &Report) -> Vec<String> {
    let text = |fault: &verify::Fault| format!("{}: {}", fault.place, fault.what);
    report.faults.iter().map(text).collect()
}

#[track_caller]
fn finds(dir: &Path, expected: &str) {
    let report = check(dir);
    assert!(!report.ok);
    let told = told(&report);
    assert!(
        told.iter().any(|fault| fault.contains(expected)),
        "{expected:?} is not in {told:#?}"
    );
}

#[test]
fn an_honest_store_has_no_fault_and_is_not_changed_by_looking() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    let before = content(&dir);
    let report = verify::store(&dir, Some(kit.device.public())).expect("a store");
    assert_eq!(told(&report), [""; 0]);
    assert!(report.ok && report.remarks.is_empty(), "{:?}", report.remarks);
    assert!(content(&dir) == before);
    let json = serde_json::to_value(&report).expect("json");
    let head = Closing::read(&dir).expect("whole").expect("closed").head();
    let expected = serde_json::json!({
        "path": dir.to_str(), "ok": true, "head": head.to_string(), "faults": []
    });
    assert_eq!(json, expected);
}

#[test]
fn without_a_trusted_key_the_report_says_whose_word_it_is() {
    let kit = Kit::new();
    let report = check(&kit.closed_store());
    assert!(report.ok);
    assert!(report.remarks[0].contains(&kit.device.id().to_string()));
}

#[test]
fn a_store_of_another_box_is_not_the_trusted_ones() {
    let (kit, other) = (Kit::new(), Kit::new());
    let dir = kit.closed_store();
    let report = verify::store(&dir, Some(other.device.public())).expect("a store");
    assert!(told(&report)[0].contains("not"), "{report:?}");
    assert!(!report.ok);
}

#[test]
fn every_bit_of_vault_head_counts() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    let path = dir.join("vault.head");
    let good = fs::read(&path).expect("bytes");
    for byte in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[byte] ^= 1u8 << bit;
            let parsed = String::from_utf8(bad)
                .ok()
                .and_then(|text| Closing::parse(&text).ok());
            assert_eq!(parsed, None, "byte {byte} bit {bit}");
        }
    }
}

#[test]
fn a_missing_item_is_named() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    fs::remove_file(dir.join(FIRST)).expect("removed");
    finds(&dir, &format!("{FIRST}: it is missing"));
}

#[test]
fn an_added_item_is_named() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    let added = "items/0909090909090909-00000.vgi";
    fs::write(dir.join(added), kit.sealed(9, 10).bytes()).expect("written");
    fs::write(dir.join("items/.new-x"), b"").expect("written");
    fs::write(dir.join("notes.txt"), b"").expect("written");
    fs::create_dir(dir.join("items/folder")).expect("made");
    for name in [added, "items/.new-x", "notes.txt", "items/folder"] {
        finds(&dir, &format!("{name}: it "));
    }
}

#[test]
fn a_renamed_item_is_named_by_both_names() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    let other = "items/0101010101010101-00009.vgi";
    fs::rename(dir.join(FIRST), dir.join(other)).expect("renamed");
    finds(&dir, &format!("{FIRST}: it is missing"));
    let first = &FIRST["items/".len()..];
    finds(&dir, &format!("{other}: this is {first} under another name"));
}

#[test]
fn two_swapped_items_are_named() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    let [first, second] = [FIRST, SECOND].map(|name| fs::read(dir.join(name)).expect("bytes"));
    fs::write(dir.join(FIRST), second).expect("written");
    fs::write(dir.join(SECOND), first).expect("written");
    finds(&dir, &format!("{FIRST}: it was replaced by the content of"));
    finds(&dir, &format!("{SECOND}: it was replaced by the content of"));
}

#[test]
fn a_link_in_the_place_of_an_item_or_a_folder_is_named() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    let elsewhere = kit.folder.path().join("elsewhere");
    fs::rename(dir.join(FIRST), &elsewhere).expect("moved");
    std::os::unix::fs::symlink(&elsewhere, dir.join(FIRST)).expect("linked");
    finds(&dir, &format!("{FIRST}: it is a link"));

    let kit = Kit::new();
    let dir = kit.closed_store();
    let elsewhere = kit.folder.path().join("elsewhere");
    fs::rename(dir.join("items"), &elsewhere).expect("moved");
    std::os::unix::fs::symlink(&elsewhere, dir.join("items")).expect("linked");
    finds(&dir, "items: it is not a folder");
    fs::rename(dir.join("vault.db"), kit.folder.path().join("db")).expect("moved");
    std::os::unix::fs::symlink(kit.folder.path().join("db"), dir.join("vault.db")).expect("linked");
    finds(&dir, "vault.db: it is missing");
}

#[test]
fn a_cut_or_lengthened_item_is_named() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    let good = fs::read(dir.join(SECOND)).expect("bytes");
    fs::write(dir.join(SECOND), &good[..good.len() - 1]).expect("written");
    finds(&dir, &format!("{SECOND}: it was cut"));
    fs::write(dir.join(SECOND), [&good[..], b"x"].concat()).expect("written");
    finds(&dir, &format!("{SECOND}: 1 bytes were added"));
    fs::write(dir.join(SECOND), b"").expect("written");
    finds(&dir, &format!("{SECOND}: it was cut"));
}

#[test]
fn what_a_forger_does_to_the_journal_is_named() {
    for (change, expected) in [
        (
            "UPDATE journal SET body = '{}' WHERE seq = 3",
            "journal line 3: it was changed",
        ),
        (
            "UPDATE journal SET time = 'x' WHERE seq = 3",
            "journal line 3: it was changed",
        ),
        (
            "DELETE FROM journal WHERE seq = 3",
            "journal line 4: line 3, before this one, is missing",
        ),
        (
            "DELETE FROM journal WHERE seq > 5",
            "journal: cut off: it ends with line 5",
        ),
        (
            "INSERT INTO journal SELECT seq + 1, time, kind, body, hash, hash FROM journal
             ORDER BY seq DESC LIMIT 1",
            "journal line 11: it was changed",
        ),
        (
            "UPDATE journal SET seq = -3 WHERE seq = 3; UPDATE journal SET seq = 3 WHERE seq = 4;
             UPDATE journal SET seq = 4 WHERE seq = -3;",
            "journal line 3: it ",
        ),
        ("DELETE FROM journal", "journal: cut off: it ends with line 0"),
        (
            "DELETE FROM head",
            "table head: the journal's signed head is missing",
        ),
        (
            "UPDATE head SET seq = 5",
            "table head: the journal's head is not signed",
        ),
        ("DELETE FROM device", "table device: the box's key is missing"),
        (
            "DELETE FROM item WHERE number = 0",
            "item 0101010101010101-00000.vgi: its row is missing",
        ),
        (
            "UPDATE item SET size = 1 WHERE number = 0",
            "00000.vgi: its row is not what line",
        ),
        (
            "INSERT INTO item SELECT event, 7, kind, size, sha256, line FROM item WHERE number = 0",
            "item 0101010101010101-00007.vgi: no journal line tells of this row",
        ),
        ("DROP TABLE item", "schema: table item is missing"),
    ] {
        let kit = Kit::new();
        let dir = kit.closed_store();
        forge(&dir, change);
        finds(&dir, expected);
        // Also if the forger destroys the proof of closing.
        fs::remove_file(dir.join("vault.head")).expect("removed");
        finds(&dir, expected);
    }
}

#[test]
fn a_dropped_or_blunted_trigger_is_named() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    let run = |text: &str| {
        let sql = Connection::open(dir.join("vault.db")).expect("opened");
        sql.execute_batch(text).expect(text);
    };
    run("DROP TRIGGER journal_is_not_cut");
    finds(&dir, "schema: trigger journal_is_not_cut is missing");
    run("CREATE TRIGGER journal_is_not_cut BEFORE DELETE ON journal BEGIN SELECT 1; END");
    finds(&dir, "schema: trigger journal_is_not_cut was changed");
}

#[test]
fn a_database_set_back_to_an_older_state_is_named() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    let older = kit.folder.path().join("older");
    copy(&dir, &older);
    let mut store = kit.open();
    let staged = store.stage(kit.sealed(3, 10)).expect("staged");
    store
        .transaction(|tx| tx.insert_item(at(5), staged))
        .expect("committed");
    store.close(at(6)).expect("closed");
    assert!(check(&dir).ok);
    let newer = kit.folder.path().join("newer");
    copy(&dir, &newer);

    fs::copy(older.join("vault.db"), dir.join("vault.db")).expect("set back");
    finds(&dir, "is not the one that vault.head has signed");
    finds(&dir, "items/0303030303030303-00000.vgi: it was added");
    copy(&newer, &dir);
    fs::copy(older.join("vault.head"), dir.join("vault.head")).expect("set back");
    finds(&dir, "vault.head: it is older than the last closing");
}

#[test]
fn the_loss_of_any_file_is_named() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    for path in files(&dir) {
        let name = path.strip_prefix(&dir).expect("inside").to_str().expect("text");
        if name == "vault.lock" {
            continue;
        }
        let bytes = fs::read(&path).expect("bytes");
        fs::remove_file(&path).expect("removed");
        finds(&dir, &format!("{name}: it is missing"));
        fs::write(&path, bytes).expect("put back");
    }
}

#[test]
fn a_store_that_was_cut_off_is_sound_and_says_so() {
    let kit = Kit::new();
    let dir = cut_off(&kit);
    assert!(fs::metadata(dir.join("vault.db-wal")).expect("a log").len() > 0);
    let before = content(&dir);
    let report = verify::store(&dir, Some(kit.device.public())).expect("a store");
    assert_eq!(told(&report), [""; 0]);
    assert!(
        report
            .remarks
            .iter()
            .any(|remark| remark.contains("not closed cleanly"))
    );
    let leftover = "items/0404040404040404-00000.vgi: no row tells of it";
    assert!(report.remarks.iter().any(|remark| remark.contains(leftover)));
    assert!(content(&dir) == before, "looking changes nothing");
}

#[test]
fn a_cut_off_store_hides_no_changed_item() {
    let kit = Kit::new();
    let dir = cut_off(&kit);
    for name in [FIRST, "items/0303030303030303-00000.vgi"] {
        let path = dir.join(name);
        let mut bytes = fs::read(&path).expect("bytes");
        bytes[100] ^= 4;
        fs::write(&path, bytes).expect("written");
        finds(&dir, &format!("{name}: it was changed"));
    }
}

#[test]
fn a_commit_that_decayed_in_the_log_is_not_taken_for_one_that_never_was() {
    let kit = Kit::new();
    let dir = cut_off(&kit);
    let log = dir.join("vault.db-wal");
    let mut bytes = fs::read(&log).expect("bytes");
    bytes[100] ^= 4;
    fs::write(&log, bytes).expect("written");
    finds(&dir, "vault.db-wal: frame 1: it is damaged");
    let items = files(&dir.join("items")).len();
    let refused = vigie::vault::Store::open(&dir, &kit.device, at(9)).expect_err("damaged");
    assert!(matches!(refused, StoreError::Journal { .. }));
    assert_eq!(files(&dir.join("items")).len(), items, "and nothing is removed");
}

#[test]
fn a_store_never_closed_and_one_cut_off_while_closing_are_sound() {
    let kit = Kit::new();
    drop(kit.open());
    let report = check(&kit.dir());
    assert!(report.ok, "{report:?}");

    let kit = Kit::new();
    let dir = kit.closed_store();
    // Killed after the journal's last line and before vault.head.
    fs::rename(dir.join("vault.head"), dir.join(".new-x")).expect("moved");
    let report = check(&dir);
    assert!(report.ok, "{report:?}");
    assert_eq!(kit.open().recovery().removed, [".new-x"]);
}

#[test]
fn a_store_that_could_not_be_closed_is_sound() {
    let kit = Kit::new();
    kit.closed_store();
    let mut store = kit.open();
    store
        .transaction(|tx| tx.journal(at(5), &entry(3)))
        .expect("committed");
    // Nothing can be renamed onto a folder that is not empty: the last step of closing fails.
    fs::remove_file(kit.dir().join("vault.head")).expect("removed");
    fs::create_dir_all(kit.dir().join("vault.head/x")).expect("made");
    assert!(store.close(at(6)).is_err());
    fs::remove_dir_all(kit.dir().join("vault.head")).expect("removed");
    let report = check(&kit.dir());
    assert!(report.ok, "{report:?}");
    assert!(
        report
            .remarks
            .iter()
            .any(|remark| remark.contains("not closed cleanly"))
    );
    assert!(kit.open().recovery().cut_off);
}

#[test]
fn a_store_in_use_is_not_read() {
    let kit = Kit::new();
    let _store = kit.open();
    let refused = verify::store(&kit.dir(), None);
    assert!(matches!(refused, Err(verify::Error::InUse(_))));
    assert!(matches!(kit.try_open(), Err(StoreError::InUse(_))));
}

#[test]
fn garbage_is_refused_and_never_panics() {
    let dir = tempfile::tempdir().expect("a folder");
    assert!(matches!(
        verify::path(dir.path(), None, None),
        Err(verify::Error::Unknown(_))
    ));
    assert!(verify::path(&dir.path().join("nothing"), None, None).is_err());
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(7),
        ..Config::with_cases(60)
    });
    let bytes = || proptest::collection::vec(any::<u8>(), 0..9000);
    runner
        .run(&(bytes(), bytes(), bytes()), |(mut database, head, log)| {
            fs::write(dir.path().join("vault.db-wal"), log).expect("written");
            fs::write(dir.path().join("vault.head"), head).expect("written");
            if let Some(start) = database.get_mut(..16) {
                start.copy_from_slice(b"SQLite format 3\0");
            }
            fs::write(dir.path().join("vault.db"), &database).expect("written");
            prop_assert!(!check(dir.path()).ok);
            let item = verify::item(&dir.path().join("vault.db")).expect("readable");
            prop_assert!(!item.ok);
            Ok(())
        })
        .expect("no panic");
}

#[test]
fn the_form_of_a_single_item_is_checked() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    let path = dir.join(FIRST);
    let report = verify::path(&path, None, None).expect("readable");
    assert!(report.ok);
    let form_alone = "only the form of an item can be checked without a key or its store";
    assert_eq!(report.remarks, [form_alone]);
    let good = fs::read(&path).expect("bytes");
    let elsewhere = kit.folder.path().join("0101010101010101-00009.vgi");
    fs::write(&elsewhere, &good).expect("written");
    let report = verify::path(&elsewhere, None, None).expect("readable");
    let renamed = "by its header this is 0101010101010101-00000.vgi: it was renamed";
    assert_eq!(
        (report.ok, report.remarks),
        (true, vec![renamed.to_owned(), form_alone.to_owned()])
    );
    for bad in [&good[..good.len() - 1], &[&good[..], b"x"].concat(), b"JPEG", b""] {
        fs::write(&path, bad).expect("written");
        assert!(!verify::path(&path, None, None).expect("readable").ok);
    }
}

#[test]
fn whatever_does_not_belong_to_a_store_is_named_also_under_a_name_that_does() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    let faults = || told(&check(&dir));
    fs::write(dir.join("lease-quai"), b"").expect("written");
    assert_eq!(faults(), [""; 0], "the marker of a card that is lent");
    fs::write(dir.join("vault.db-wal"), b"").expect("written");
    assert_eq!(faults(), [""; 0], "a log with nothing in it");
    fs::remove_file(dir.join("vault.db-wal")).expect("removed");
    // The store's own bytes, and yet no file of the store's.
    for name in ["vault.db", "vault.head"] {
        let elsewhere = kit.folder.path().join("elsewhere");
        fs::rename(dir.join(name), &elsewhere).expect("moved");
        std::os::unix::fs::symlink(&elsewhere, dir.join(name)).expect("linked");
        finds(
            &dir,
            &format!("{name}: it does not belong to a store: it was added"),
        );
        fs::rename(&elsewhere, dir.join(name)).expect("put back");
    }
    for name in ["notes.txt", "lease-pont"] {
        fs::write(dir.join(name), b"mine").expect("written");
        assert_eq!(
            faults(),
            [format!("{name}: it does not belong to a store: it was added")]
        );
        fs::remove_file(dir.join(name)).expect("removed");
    }
    let lock = dir.join("vault.lock");
    fs::write(&lock, b"mine").expect("written");
    assert_eq!(
        faults(),
        ["vault.lock: it does not belong to a store: it was added"]
    );
    fs::remove_file(&lock).expect("removed");
    for name in [
        "vault.lock",
        "vault.db-wal",
        "vault.db-shm",
        ".new-abc",
        "lease-pont",
        "certificates",
    ] {
        let path = dir.join(name);
        fs::create_dir(&path).expect("a folder");
        let told = faults();
        let expected = match name {
            "certificates" => vec![],
            name => vec![format!("{name}: it does not belong to a store: it was added")],
        };
        assert_eq!(told, expected);
        fs::remove_dir(&path).expect("removed");
    }
    fs::write(dir.join(".new-abc"), b"half").expect("written");
    assert_eq!(
        faults(),
        [".new-abc: it was added: the store was closed in good order"]
    );
}
