//! A backup is of one moment, opens nowhere without its keys, and brings back nothing that was erased.
#![cfg(feature = "desk")]

mod retention_kit;

use std::fs;
use std::path::{Path, PathBuf};

use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use retention_kit::{Kit, Shelf, files, holding, noon, open, run, there};
use vigie::desk::backup::{self, Backup, Error, Restore, Restored, note};
use vigie::desk::retention::plan::Class;
use vigie::transfer::Desk;
use vigie::vault::{DeviceKey, seal};

const ONE: &str = "0000000000000001";
const TWO: &str = "0000000000000002";

fn first() -> Date {
    date(2026, 11, 22)
}

/// A desk with two things on its shelf; the wrapped keys of each.
fn stocked(kit: &Kit) -> (Desk, Vec<Vec<u8>>) {
    let mut desk = kit.open(noon(first()));
    kit.agree(&mut desk, first());
    let keys = vec![
        kit.shelve(&mut desk, Class::Unreviewed, ONE, first()),
        kit.shelve(&mut desk, Class::Unreviewed, TWO, first() + 1.day()),
        kit.shelve(&mut desk, Class::Record, ONE, first()),
    ];
    run(&mut desk, noon(first()), 0);
    (desk, keys)
}

fn to(kit: &Kit) -> PathBuf {
    kit.folder.path().join("disk")
}

fn back_up(kit: &Kit, keys: Option<&Path>) -> Result<u64, Error> {
    let (desk, to) = (kit.desk(), to(kit));
    let asked = Backup {
        desk: &desk,
        to: &to,
        keys,
    };
    backup::backup(asked, noon(first())).map(|made| made.number)
}

fn restore(from: &Path, into: &Path, erasures: &[PathBuf]) -> Result<Restored, Error> {
    let asked = Restore {
        from,
        keys: None,
        into,
        erasures,
        desk: None,
    };
    backup::restore(asked, &Shelf, noon(first() + 1.day()))
}

fn opens(kit: &Kit, desk: &Path, id: &str) -> bool {
    let item = desk.join("store/items").join(format!("{id}-0.vgi"));
    let found = files(&desk.join("store/items")).into_iter().find(|(path, _)| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(id))
    });
    let Some((_, bytes)) = found else {
        assert!(!item.exists());
        return false;
    };
    seal::open(bytes.as_slice(), &kit.service).is_ok()
}

fn verified(desk: &Path) {
    let device = DeviceKey::read_desk(&desk.join("desk.key")).expect("its key");
    let report = vigie::verify::store(&desk.join("store"), Some(device.public())).expect("a report");
    assert!(report.ok, "{:?}", report.faults);
}

#[test]
fn a_desk_comes_back_as_it_was_also_when_it_was_served_meanwhile() {
    let kit = Kit::new();
    let (mut desk, _) = stocked(&kit);
    // The store stays open: this is how it is served.
    assert_eq!(back_up(&kit, None).expect("a backup"), 1);
    assert_eq!(
        note(&mut desk.store, &kit.desk(), None, noon(first())).expect("noted"),
        1
    );
    assert_eq!(
        note(&mut desk.store, &kit.desk(), None, noon(first())).expect("noted"),
        0,
        "once"
    );
    let before = there(&desk);
    let into = kit.folder.path().join("back");
    let restored = restore(&to(&kit), &into, &[]).expect("restored");
    assert_eq!((restored.number, restored.items, restored.erased), (1, 2, 0));
    verified(&into);
    for id in [ONE, TWO] {
        assert!(opens(&kit, &into, id), "{id}");
    }
    let again = open(&into, noon(first() + 1.day()));
    assert_eq!(there(&again), before);
    let told = "SELECT count(*) FROM journal WHERE kind = 'restored'";
    let told: u32 = again
        .store
        .sql()
        .query_row(told, [], |row| row.get(0))
        .expect("a line");
    assert_eq!(told, 1);
    for name in ["desk.toml", "desk.key"] {
        assert_eq!(
            fs::read(into.join(name)).expect(name),
            fs::read(kit.desk().join(name)).expect(name)
        );
    }
}

#[test]
fn without_its_file_of_keys_a_backup_holds_no_key_and_opens_nothing() {
    let kit = Kit::new();
    let (_desk, keys) = stocked(&kit);
    let elsewhere = kit.folder.path().join("stick");
    back_up(&kit, Some(&elsewhere)).expect("a backup");
    for key in &keys {
        assert_eq!(holding(&to(&kit), &key[..72]), Vec::<PathBuf>::new());
        assert_eq!(holding(&elsewhere, &key[..72]).len(), 1);
    }
    let secret = fs::read_to_string(kit.desk().join("desk.key")).expect("its key");
    let digits = secret.lines().last().expect("a line").trim_start_matches("key: ");
    assert!(
        holding(&to(&kit), digits.as_bytes()).is_empty(),
        "nor the desk's own"
    );
    for (path, bytes) in files(&to(&kit).join("items")) {
        assert!(
            seal::open(bytes.as_slice(), &kit.service).is_err(),
            "{}",
            path.display()
        );
    }
    let into = kit.folder.path().join("back");
    assert!(matches!(
        restore(&to(&kit), &into, &[]),
        Err(Error::Refused { .. })
    ));
    assert!(!into.exists());
}

#[test]
fn what_was_erased_is_gone_from_the_backup_when_the_next_one_is_made() {
    let kit = Kit::new();
    let (mut desk, keys) = stocked(&kit);
    back_up(&kit, None).expect("a backup");
    // Somebody kept a copy of all but the keys.
    let kept = kit.folder.path().join("kept");
    copy(&to(&kit), &kept);
    fs::remove_dir_all(kept.join("cles")).expect("without the keys");
    run(&mut desk, noon(first() + 30.days()), 24 * 30);
    assert_eq!(there(&desk).len(), 2);
    assert_eq!(back_up(&kit, None).expect("a backup"), 2);
    for place in [to(&kit), kit.desk(), kept.clone()] {
        assert_eq!(holding(&place, &keys[0][..72]), Vec::<PathBuf>::new());
    }
    assert_eq!(
        holding(&to(&kit), &keys[1][..72]).len(),
        1,
        "its neighbour is there"
    );
    assert_eq!(files(&to(&kit).join("items")).len(), 1);
    // Nor do the new keys make the old copy open.
    copy(&to(&kit).join("cles"), &kept.join("cles"));
    let into = kit.folder.path().join("back");
    assert!(matches!(restore(&kept, &into, &[]), Err(Error::Refused { .. })));
}

#[test]
fn an_old_backup_with_its_old_keys_brings_back_nothing_that_was_erased_since() {
    let kit = Kit::new();
    let (mut desk, keys) = stocked(&kit);
    back_up(&kit, None).expect("a backup");
    let old = kit.folder.path().join("old");
    copy(&to(&kit), &old);
    run(&mut desk, noon(first() + 30.days()), 24 * 30);
    drop(desk);
    // With the list of the running desk, and with that of a later backup.
    back_up(&kit, None).expect("a backup");
    for (nth, list) in [kit.desk(), to(&kit)].into_iter().enumerate() {
        let into = kit.folder.path().join(format!("back-{nth}"));
        let restored = restore(&old, &into, &[list]).expect("restored");
        assert_eq!((restored.items, restored.erased), (1, 1));
        assert_eq!(holding(&into, &keys[0][..72]), Vec::<PathBuf>::new());
        assert!(!opens(&kit, &into, ONE) && opens(&kit, &into, TWO));
        verified(&into);
        // What is due by its date goes anyway, before anybody is served.
        let mut again = open(&into, noon(first() + 31.days()));
        run(&mut again, noon(first() + 31.days()), 24 * 31);
        assert_eq!(there(&again), [("record".to_owned(), ONE.to_owned())].into());
    }
}

#[test]
fn a_damaged_or_foreign_backup_is_refused_whole() {
    let kit = Kit::new();
    let (_desk, _) = stocked(&kit);
    back_up(&kit, None).expect("a backup");
    let good = to(&kit);
    let into = kit.folder.path().join("back");
    for (path, bytes) in files(&good) {
        let name = path.strip_prefix(&good).expect("below").to_owned();
        if bytes.is_empty() || name == Path::new("LISEZMOI.txt") {
            continue;
        }
        let cut = bytes[..bytes.len() - 1].to_vec();
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 1;
        for (how, bad) in [("cut", Some(cut)), ("flipped", Some(flipped)), ("missing", None)] {
            let copied = kit.folder.path().join("bad");
            copy(&good, &copied);
            match bad {
                Some(bad) => fs::write(copied.join(&name), bad).expect("damaged"),
                None => fs::remove_file(copied.join(&name)).expect("removed"),
            }
            let refused = restore(&copied, &into, &[]);
            assert!(refused.is_err(), "{} {how}", name.display());
            assert!(!into.exists(), "{} {how}", name.display());
            fs::remove_dir_all(&copied).expect("cleared");
        }
    }
    // Another desk's, by the key that was asked for, by its keys, and by its list.
    let other = Kit::new();
    let (_other_desk, _) = stocked(&other);
    let public = DeviceKey::read_desk(&other.desk().join("desk.key")).expect("its key");
    let asked = Restore {
        from: &good,
        keys: None,
        into: &into,
        erasures: &[],
        desk: Some(public.public()),
    };
    assert!(matches!(
        backup::restore(asked, &Shelf, noon(first())),
        Err(Error::Refused { .. })
    ));
    assert!(restore(&good, &into, &[other.desk()]).is_err());
    back_up(&other, None).expect("a backup");
    let mixed = Restore {
        from: &good,
        keys: Some(&to(&other).join("cles")),
        into: &into,
        erasures: &[],
        desk: None,
    };
    assert!(matches!(
        backup::restore(mixed, &Shelf, noon(first())),
        Err(Error::Refused { .. })
    ));
    let (desk, foreign) = (kit.desk(), to(&other));
    let into_foreign = Backup {
        desk: &desk,
        to: &foreign,
        keys: None,
    };
    assert!(matches!(
        backup::backup(into_foreign, noon(first())),
        Err(Error::Refused { .. })
    ));
    assert!(!into.exists());
}

#[test]
fn a_restore_never_touches_what_is_there() {
    let kit = Kit::new();
    let (desk, _) = stocked(&kit);
    back_up(&kit, None).expect("a backup");
    drop(desk);
    let before = files(&kit.desk());
    assert!(matches!(
        restore(&to(&kit), &kit.desk(), &[]),
        Err(Error::Refused { .. })
    ));
    assert_eq!(files(&kit.desk()), before);
}

#[test]
fn a_backup_that_was_cut_off_leaves_the_one_before_and_the_next_one_clears_up() {
    let kit = Kit::new();
    let (mut desk, keys) = stocked(&kit);
    back_up(&kit, None).expect("a backup");
    let good = to(&kit);
    // Cut off while staging; after the new one had its name and before its keys; before the old one was removed.
    fs::create_dir(good.join(".new-000002")).expect("staged");
    fs::write(good.join(".new-000002/vault.db"), "torn").expect("torn");
    fs::write(good.join("items/.new-abc"), "torn").expect("torn");
    copy(&good.join("000001"), &good.join("000002"));
    let into = kit.folder.path().join("back");
    assert_eq!(restore(&good, &into, &[]).expect("restored").number, 1);
    // A restore that was cut off is begun anew.
    let staged = kit.folder.path().join(".new-again");
    fs::create_dir(&staged).expect("staged");
    fs::write(staged.join("desk.key"), "torn").expect("torn");
    restore(&good, &kit.folder.path().join("again"), &[]).expect("restored");
    assert!(!staged.exists());
    // The keys of a backup before were not overwritten yet.
    fs::copy(good.join("cles/000001.vgk"), good.join("cles/000000.vgk")).expect("copied");
    run(&mut desk, noon(first() + 30.days()), 24 * 30);
    assert_eq!(back_up(&kit, None).expect("a backup"), 3);
    let names: Vec<_> = files(&good).into_iter().map(|(path, _)| path).collect();
    assert!(
        names.iter().all(|path| !path.to_string_lossy().contains(".new-")),
        "{names:?}"
    );
    assert_eq!(
        names
            .iter()
            .filter(|path| path.extension().is_some_and(|e| e == "vgk"))
            .count(),
        1
    );
    assert!(holding(&good, &keys[0][..72]).is_empty());
}

#[test]
fn an_item_that_decayed_on_the_backup_disk_is_written_anew_and_one_that_decayed_at_the_desk_is_named() {
    let kit = Kit::new();
    let (_desk, _) = stocked(&kit);
    back_up(&kit, None).expect("a backup");
    let (pooled, bytes) = files(&to(&kit).join("items")).remove(0);
    let mut decayed = bytes.clone();
    decayed[400] ^= 8;
    fs::write(&pooled, decayed).expect("decayed");
    back_up(&kit, None).expect("a backup");
    assert_eq!(fs::read(&pooled).expect("there"), bytes);
    let (live, mut bytes) = files(&kit.desk().join("store/items")).remove(0);
    bytes[400] ^= 8;
    fs::write(&live, bytes).expect("decayed");
    fs::remove_file(&pooled).expect("a new disk");
    let refused = back_up(&kit, None).expect_err("refused").to_string();
    assert!(
        refused.contains(&*live.to_string_lossy()) && refused.contains("damaged"),
        "{refused}"
    );
}

#[test]
fn boxes_do_not_take_the_next_answer_of_a_restored_desk_for_a_replay() {
    let kit = Kit::new();
    let (mut desk, _) = stocked(&kit);
    let trap = "INSERT INTO trap (device, returned) VALUES ('00112233aabbccdd', 7)";
    desk.store
        .transaction(|tx| {
            tx.raw()
                .execute(trap, [])
                .map(drop)
                .map_err(vigie::vault::store::Error::from)
        })
        .expect("a trap");
    back_up(&kit, None).expect("a backup");
    let into = kit.folder.path().join("back");
    restore(&to(&kit), &into, &[]).expect("restored");
    let again = open(&into, noon(first() + 1.day()));
    let returned: u64 = again
        .store
        .sql()
        .query_row("SELECT returned FROM trap", [], |row| row.get(0))
        .expect("a row");
    assert!(returned > 1000, "{returned}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).expect("copied")),
        }
    }
}
