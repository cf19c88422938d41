//! What the store holds is whole, its own, and closed to a thief.

mod vault_kit;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use vault_kit::{Kit, at, content, copy, entry, files};
use vigie::frame::EventId;
use vigie::vault::keys;
use vigie::vault::store::{Cause, Error, Room, Store};
use vigie::vault::{ItemId, OfficeKey, seal};

#[test]
fn a_thief_of_the_box_opens_nothing() {
    let kit = Kit::new();
    let secret = "AB-123-CD carried a mattress at 03:14";
    let sealed = kit.sealer(1).seal_record(&secret).expect("sealed");
    let mut store = kit.open();
    let staged = store.stage(sealed).expect("staged");
    store
        .transaction(|tx| tx.insert_item(at(1), staged))
        .expect("committed");
    store.close(at(2)).expect("closed");

    for (path, bytes) in content(&kit.dir()) {
        for piece in secret.as_bytes().windows(8) {
            let found = bytes.windows(8).any(|window| window == piece);
            assert!(!found, "{} holds {piece:?}", path.display());
        }
    }
    // All that the box has besides is its own key, and that is none to open with.
    let own = OfficeKey::read(&kit.folder.path().join("device.key"));
    assert!(matches!(own, Err(keys::Error::WrongKey { .. })));
}

#[test]
fn what_is_opened_from_the_store_is_what_was_sealed() {
    let kit = Kit::new();
    kit.closed_store();
    let items = vigie::vault::store::item_files(&kit.dir(), None).expect("items");
    assert_eq!(items.len(), 4);
    for (id, path) in items {
        for key in [&kit.service, &kit.recovery] {
            let opened = seal::open(fs::File::open(&path).expect("file"), key).expect("opened");
            assert_eq!(opened.header.id, id);
            let length = if id.number == 0 { 200 } else { 70_000 };
            let expected = format!("{{\"note\":\"{}\"}}", "x".repeat(length));
            assert_eq!(opened.plaintext, expected.as_bytes());
        }
    }
}

#[test]
fn folder_and_files_are_the_owners_alone() {
    let kit = Kit::new();
    let mut store = kit.open();
    let staged = store.stage(kit.sealed(1, 10)).expect("staged");
    store
        .transaction(|tx| tx.insert_item(at(1), staged))
        .expect("committed");
    let mode = |path: &std::path::Path| path.metadata().expect("there").permissions().mode();
    let open = files(&kit.dir());
    assert!(open.iter().any(|path| path.ends_with("vault.db-wal")));
    store.close(at(2)).expect("closed");
    for path in files(&kit.dir()) {
        assert_eq!(mode(&path) & 0o777, 0o600, "{}", path.display());
    }
    for dir in [kit.dir(), kit.dir().join("items")] {
        assert_eq!(mode(&dir) & 0o777, 0o700);
    }
}

#[test]
fn a_kill_between_file_and_row_leaves_nothing_half() {
    let kit = Kit::new();
    let store = kit.open();
    let staged = store.stage(kit.sealed(1, 10)).expect("staged");
    fs::write(kit.dir().join("items/.new-Ab3"), b"half").expect("unfinished");
    // What a kill does: nothing more runs.
    std::mem::forget(staged);
    drop(store);
    assert_eq!(files(&kit.dir().join("items")).len(), 2);

    let mut store = kit.open();
    let name = "items/0101010101010101-00000.vgi";
    assert_eq!(store.recovery().removed, ["items/.new-Ab3", name]);
    assert!(store.recovery().cut_off);
    assert_eq!(files(&kit.dir().join("items")).len(), 0);
    let told: String = store
        .sql()
        .query_row("SELECT body FROM journal WHERE kind = 'recovered'", [], |row| {
            row.get(0)
        })
        .expect("a line");
    assert!(told.contains(name), "{told}");
    // And the same item can be sealed again.
    let staged = store.stage(kit.sealed(1, 10)).expect("staged");
    store
        .transaction(|tx| tx.insert_item(at(1), staged))
        .expect("committed");
    assert_eq!(store.items().expect("count"), 1);
}

#[test]
fn a_kill_after_the_commit_loses_nothing() {
    let kit = Kit::new();
    let mut store = kit.open();
    let staged = store.stage(kit.sealed(1, 10)).expect("staged");
    store
        .transaction(|tx| tx.insert_item(at(1), staged))
        .expect("committed");
    let head = store.head();
    // A copy of the files as they lie is what the disk holds after a power cut.
    let other = Kit {
        folder: tempfile::tempdir().expect("a folder"),
        ..kit
    };
    copy(store.dir(), &other.dir());
    let again = other.open();
    assert_eq!(again.items().expect("count"), 1);
    assert_eq!(again.head().seq, head.seq + 2, "opened, recovered");
    assert!(again.recovery().cut_off && again.recovery().removed.is_empty());
}

#[test]
fn a_transaction_that_fails_leaves_neither_row_nor_line_nor_file() {
    let kit = Kit::new();
    let mut store = kit.open();
    let head = store.head();
    let staged = store.stage(kit.sealed(1, 10)).expect("staged");
    let failed: Result<(), Error> = store.transaction(|tx| {
        tx.journal(at(1), &entry(1))?;
        tx.insert_item(at(1), staged)?;
        tx.raw().execute_batch("INSERT INTO nowhere VALUES (1)")?;
        Ok(())
    });
    assert!(failed.is_err());
    assert_eq!(store.head(), head);
    assert_eq!(store.items().expect("count"), 0);
    assert_eq!(files(&kit.dir().join("items")).len(), 0);
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing_half_written() {
    let kit = Kit::new();
    let mut store = kit.open();
    let pages: u32 = store
        .sql()
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .expect("pages");
    store
        .sql()
        .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
        .expect("a bound");
    let staged = store.stage(kit.sealed(1, 10)).expect("staged");
    let failed = store.transaction(|tx| {
        tx.insert_item(at(1), staged)?;
        for number in 0..1000 {
            tx.journal(at(1), &entry(number))?;
        }
        Ok::<(), Error>(())
    });
    assert!(matches!(failed, Err(Error::Full(_))), "{failed:?}");
    assert_eq!(files(&kit.dir().join("items")).len(), 0);
    assert_eq!(store.items().expect("count"), 0);
}

#[test]
fn an_item_is_stored_once() {
    let kit = Kit::new();
    let mut store = kit.open();
    let staged = store.stage(kit.sealed(1, 10)).expect("staged");
    store
        .transaction(|tx| tx.insert_item(at(1), staged))
        .expect("committed");
    let before = content(&kit.dir().join("items"));
    let again = store.stage(kit.sealed(1, 20));
    assert!(matches!(again, Err(Error::Duplicate(_))));
    assert_eq!(content(&kit.dir().join("items")), before);
}

#[test]
fn one_process_at_a_time() {
    let kit = Kit::new();
    let store = kit.open();
    assert!(matches!(kit.try_open(), Err(Error::InUse(_))));
    store.close(at(1)).expect("closed");
    kit.open();
}

#[test]
fn a_store_serves_no_other_box() {
    let (kit, other) = (Kit::new(), Kit::new());
    kit.closed_store();
    let refused = Store::open(&kit.dir(), &other.device, at(9)).expect_err("other box");
    assert!(matches!(refused, Error::OtherDevice { .. }), "{refused}");
}

#[test]
fn a_session_that_writes_nothing_changes_no_byte() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    let before = content(&dir);
    let store = kit.open();
    assert_eq!(store.recovery(), &Default::default());
    assert_eq!(store.items().expect("count"), 4);
    store.close(at(99)).expect("closed");
    assert!(content(&dir) == before);
}

#[test]
fn the_journal_takes_no_change_not_even_from_its_own_program() {
    let kit = Kit::new();
    kit.closed_store();
    let mut store = kit.open();
    for change in [
        "UPDATE journal SET body = '{}' WHERE seq = 2",
        "DELETE FROM journal WHERE seq = 2",
        "DELETE FROM journal",
        "INSERT OR REPLACE INTO journal SELECT * FROM journal WHERE seq = 2",
        "INSERT INTO journal SELECT seq + 100, time, kind, body, prev, hash FROM journal",
    ] {
        let refused: Result<(), Error> = store.transaction(|tx| Ok(tx.raw().execute_batch(change)?));
        let refused = refused.expect_err(change).to_string();
        assert!(refused.contains("append-only"), "{change}: {refused}");
    }
}

#[test]
fn items_without_their_database_are_not_taken_for_leftovers() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    for name in ["vault.db", "vault.head"] {
        fs::remove_file(dir.join(name)).expect("removed");
        let refused = kit.try_open().expect_err("no database").to_string();
        assert!(refused.contains("vault.db is missing"), "{refused}");
    }
    // What was closed says so, though it held nothing.
    fs::rename(dir.join("items"), kit.folder.path().join("items")).expect("moved");
    fs::write(dir.join("vault.head"), b"").expect("written");
    let refused = kit.try_open().expect_err("no database").to_string();
    assert!(refused.contains("vault.db is missing"), "{refused}");
    fs::rename(kit.folder.path().join("items"), dir.join("items")).expect("moved");
    assert_eq!(files(&dir.join("items")).len(), 4);
}

#[test]
fn a_folder_with_other_things_in_it_is_left_alone() {
    let kit = Kit::new();
    fs::create_dir(kit.dir()).expect("a folder");
    fs::write(kit.dir().join("letter.odt"), b"").expect("written");
    let before = kit.dir().metadata().expect("there").permissions();
    assert!(matches!(kit.try_open(), Err(Error::NotAStore { .. })));
    assert_eq!(kit.dir().metadata().expect("there").permissions(), before);
    assert_eq!(files(&kit.dir()).len(), 1);
}

#[test]
fn a_store_whose_making_was_cut_off_is_made_by_the_next_opening() {
    let kit = Kit::new();
    fs::create_dir_all(kit.dir().join("items")).expect("a folder");
    fs::set_permissions(kit.dir(), fs::Permissions::from_mode(0o750)).expect("chmod");
    for name in ["vault.lock", ".new-abc"] {
        fs::write(kit.dir().join(name), b"").expect("written");
    }
    kit.open().close(at(1)).expect("closed");
    let mode = kit.dir().metadata().expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "nobody else looks into it");
}

#[test]
fn a_store_set_back_to_an_older_copy_is_not_continued() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    let older = fs::read(dir.join("vault.db")).expect("bytes");
    let mut store = kit.open();
    let staged = store.stage(kit.sealed(3, 10)).expect("staged");
    store
        .transaction(|tx| tx.insert_item(at(5), staged))
        .expect("committed");
    store.close(at(6)).expect("closed");
    fs::write(dir.join("vault.db"), older).expect("set back");
    let refused = kit.try_open().expect_err("older");
    assert!(matches!(refused, Error::Journal { .. }), "{refused}");
    assert_eq!(files(&dir.join("items")).len(), 5, "and nothing is removed");
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let kit = Kit::new();
    fs::create_dir(kit.dir()).expect("a folder");
    let other = rusqlite::Connection::open(kit.dir().join("vault.db")).expect("made");
    other.execute_batch("CREATE TABLE t (a)").expect("made");
    drop(other);
    assert!(matches!(kit.try_open(), Err(Error::NotAStore { .. })));
    let kit = Kit::new();
    kit.closed_store();
    let later = rusqlite::Connection::open(kit.dir().join("vault.db")).expect("opened");
    later.pragma_update(None, "user_version", 2).expect("set");
    drop(later);
    assert!(matches!(kit.try_open(), Err(Error::Version { found: 2, .. })));
}

#[test]
fn an_item_that_left_is_nowhere_any_more_and_the_journal_says_why() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    let mut store = kit.open();
    let gone = EventId::from_bytes([1; 8]);
    let path = dir.join("items").join(
        ItemId {
            event: gone,
            number: 1,
        }
        .to_string(),
    );
    let erased = store.transaction(|tx| tx.erase_items(at(9), gone, &[0, 1, 7], Cause::Returned));
    assert_eq!(erased.expect("committed"), 2);
    assert!(!path.exists());
    assert_eq!(store.items().expect("counted"), 2);
    let log = fs::read(dir.join("vault.db-wal")).expect("a log");
    assert!(log.is_empty(), "nothing of the row stays in the write-ahead log");
    let line: String = store
        .sql()
        .query_row("SELECT body FROM journal WHERE kind = 'erased'", [], |row| {
            row.get(0)
        })
        .expect("a line");
    assert_eq!(
        line,
        r#"{"cause":"returned","event":"0101010101010101","numbers":[0,1]}"#
    );
    store.close(at(10)).expect("closed");
    let report = vigie::verify::store(&dir, Some(kit.device.public())).expect("readable");
    assert!(report.ok, "{:?}", report.faults);
}

#[test]
fn an_erasure_that_a_crash_cut_off_is_ended_at_the_next_opening() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    let item = ItemId {
        event: EventId::from_bytes([1; 8]),
        number: 1,
    };
    let path = dir.join("items").join(item.to_string());
    let bytes = fs::read(&path).expect("an item");
    let mut store = kit.open();
    store
        .transaction(|tx| tx.erase_items(at(9), item.event, &[1], Cause::Expired))
        .expect("committed");
    drop(store);
    // As if the power had gone between the commit and the removal.
    fs::write(&path, &bytes).expect("written");
    let report = vigie::verify::store(&dir, Some(kit.device.public())).expect("readable");
    assert!(report.ok, "{:?}", report.faults);
    let store = kit.open();
    assert_eq!(store.recovery().removed, [format!("items/{item}")]);
    assert!(!path.exists());
}

#[test]
fn there_is_room_only_for_as_many_bytes_and_as_many_files() {
    let room = |bytes, files| Room { bytes, files };
    for (there, enough) in [
        (room(10, 5), true),
        (room(11, 6), true),
        (room(9, 6), false),
        (room(11, 4), false),
    ] {
        assert_eq!(there.holds(room(10, 5)), enough, "{there:?}");
    }
}
