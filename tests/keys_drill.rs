//! The drill finds, before the day it matters, what its keys would not open; destroying a quarter's keys destroys those
//! and no others, and what was sealed to them is gone for good.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

mod vault_kit;

use vault_kit::Kit;
use vigie::frame::BoxTime;
use vigie::vault::item::Header;
use vigie::vault::keys::drill::State;
use vigie::vault::keys::{
    Destruction, Drill, Error, Plan, Role, desk_init, office_init, office_init_quarters,
};
use vigie::vault::{DeviceKey, Epoch, OfficeKey, Recipient, seal, signed};

fn at(text: &str) -> BoxTime {
    BoxTime(text.parse().expect("an instant"))
}

fn in_2026_q4() -> BoxTime {
    at("2026-11-22T06:00:00Z")
}

fn quarter(text: &str) -> Epoch {
    text.parse().expect("a quarter")
}

/// Six pairs from 2026-Q2 on, and the desk's key.
fn office() -> (tempfile::TempDir, DeviceKey) {
    let dir = tempfile::tempdir().expect("a folder");
    office_init_quarters(dir.path(), quarter("2026-Q2"), 6).expect("made");
    let desk = desk_init(dir.path()).expect("made");
    (dir, DeviceKey::read_desk(&desk.files.secret).expect("a key"))
}

fn states(folder: &Path) -> Vec<(String, State)> {
    let drill = Drill::of_keys(&[folder.to_owned()]).expect("tried");
    let told = drill
        .keys
        .iter()
        .map(|key| (format!("{}-{}", key.role, key.epoch), key.state));
    told.filter(|(_, state)| *state != State::Ok).collect()
}

fn is_fault(folder: &Path) -> bool {
    Drill::of_keys(&[folder.to_owned()])
        .expect("tried")
        .found_fault(in_2026_q4())
}

#[test]
fn a_whole_set_of_keys_passes_the_drill_wherever_its_halves_lie() {
    let (dir, _) = office();
    assert_eq!(states(dir.path()), []);
    assert!(!is_fault(dir.path()));
    // The recovery keys belong into a safe: elsewhere.
    let safe = tempfile::tempdir().expect("a folder");
    for quarter in ["2026-Q2", "2026-Q3", "2026-Q4", "2027-Q1", "2027-Q2", "2027-Q3"] {
        let name = format!("recovery-{quarter}.key");
        fs::rename(dir.path().join(&name), safe.path().join(&name)).expect("moved");
    }
    assert!(is_fault(dir.path()));
    let both = [dir.path().to_owned(), safe.path().to_owned()];
    let drill = Drill::of_keys(&both).expect("tried");
    assert_eq!(drill.keys.len(), 12);
    assert!(!drill.found_fault(in_2026_q4()));
}

#[test]
fn a_missing_key_is_a_fault_unless_its_quarter_is_over() {
    let (dir, _) = office();
    fs::remove_file(dir.path().join("service-2026-Q3.key")).expect("removed");
    assert_eq!(
        states(dir.path()),
        [("service-2026-Q3".to_owned(), State::Missing)]
    );
    assert!(!is_fault(dir.path()));
    fs::remove_file(dir.path().join("recovery-2026-Q4.key")).expect("removed");
    assert!(is_fault(dir.path()));
}

#[test]
fn a_key_that_does_not_fit_its_public_half_is_a_fault_and_told_why() {
    for spoil in [
        // Another's key under the same name.
        (|path: &Path| {
            let other = tempfile::tempdir().expect("a folder");
            let made = office_init(other.path(), quarter("2026-Q3")).expect("made");
            fs::copy(made.service.secret, path).expect("copied");
        }) as fn(&Path),
        // One damaged digit.
        |path| {
            let text = fs::read_to_string(path).expect("text");
            let (rest, digit) = text.trim_end().split_at(text.trim_end().len() - 1);
            fs::write(path, format!("{rest}{}\n", if digit == "0" { "1" } else { "0" })).expect("written");
        },
        // Readable by all.
        |path| fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("chmod"),
    ] {
        let (dir, _) = office();
        spoil(&dir.path().join("service-2026-Q3.key"));
        assert_eq!(
            states(dir.path()),
            [("service-2026-Q3".to_owned(), State::DoesNotFit)]
        );
        assert!(is_fault(dir.path()));
        let drill = Drill::of_keys(&[dir.path().to_owned()]).expect("tried");
        let spoilt = drill.keys.iter().find(|key| key.state != State::Ok).expect("one");
        assert!(spoilt.why.is_some());
    }
}

#[test]
fn a_secret_key_is_tried_without_its_public_half_and_a_damaged_public_one_is_not_passed_over() {
    let (dir, _) = office();
    let safe = tempfile::tempdir().expect("a folder");
    fs::copy(dir.path().join("recovery-2026-Q3.key"), safe.path().join("a.key")).expect("copied");
    let tried = Drill::of_keys(&[safe.path().to_owned()]).expect("tried").keys;
    let told: Vec<_> = tried.iter().map(|key| (key.epoch, key.state)).collect();
    assert_eq!(told, [(quarter("2026-Q3"), State::Ok)]);
    fs::copy(dir.path().join("service-2026-Q3.pub"), safe.path().join("c.pub")).expect("copied");
    let tried = Drill::of_keys(&[safe.path().to_owned()]).expect("tried").keys;
    let told: Vec<_> = tried.iter().map(|key| (key.role, key.state)).collect();
    assert_eq!(
        told,
        [(Role::Service, State::Missing), (Role::Recovery, State::Ok)]
    );
    fs::write(safe.path().join("b.pub"), "vigie public key 1\n").expect("written");
    assert!(Drill::of_keys(&[safe.path().to_owned()]).is_err());
}

#[test]
fn every_event_of_a_store_is_opened_or_named() {
    let kit = Kit::new();
    let store = kit.closed_store();
    let drill = |folder: &Path| {
        let mut drill = Drill::of_keys(&[folder.to_owned()]).expect("tried");
        drill.try_store(&store, |_| None).expect("a store");
        drill
    };
    let found = drill(kit.folder.path());
    assert_eq!(found.events.len(), 2);
    assert!(found.events.iter().all(|event| event.opened_with.is_some()));
    assert!(!found.found_fault(in_2026_q4()));

    // Keys of another office open nothing, however well they fit each other.
    let (other, _) = office();
    let found = drill(other.path());
    assert!(
        found
            .events
            .iter()
            .all(|event| event.opened_with.is_none() && event.why.is_some())
    );
    assert!(found.found_fault(in_2026_q4()));

    // An item that is damaged in its last byte is not opened by looking at its header.
    let smallest = store.join("items/0101010101010101-00000.vgi");
    let mut bytes = fs::read(&smallest).expect("bytes");
    *bytes.last_mut().expect("a byte") ^= 1;
    fs::write(&smallest, bytes).expect("written");
    let found = drill(kit.folder.path());
    let unread: Vec<_> = found
        .events
        .iter()
        .filter(|event| event.opened_with.is_none())
        .collect();
    assert_eq!(unread.len(), 1);
    assert!(unread[0].why.as_deref().expect("why").contains("damaged"));

    // Keys of others that were tried before and after say less than the one that should open it.
    let why = |folders: &[&Path]| {
        let folders: Vec<_> = folders.iter().map(|folder| folder.to_path_buf()).collect();
        let mut drill = Drill::of_keys(&folders).expect("tried");
        drill.try_store(&store, |_| None).expect("a store");
        drill.events[0].why.clone().expect("why")
    };
    let (own, nobody) = (kit.folder.path(), tempfile::tempdir().expect("a folder"));
    for folders in [[own, other.path()], [other.path(), own]] {
        assert!(why(&folders).contains("damaged"), "{}", why(&folders));
    }
    assert!(
        why(&[other.path()]).starts_with("sealed to service 2026-Q4"),
        "{}",
        why(&[other.path()])
    );
    assert_eq!(why(&[nobody.path()]), "there is no key to try");
}

#[test]
fn what_the_desk_wrapped_anew_is_tried_as_the_desk_opens_it() {
    let kit = Kit::new();
    let store = kit.closed_store();
    let (later, _) = office();
    let to = Recipient::read(&later.path().join("service-2027-Q1.pub")).expect("a key");
    let wrapped = |event| {
        let path = store.join(format!("items/{event}-00000.vgi"));
        let header = Header::read(&mut fs::File::open(path).expect("an item")).expect("a header");
        let to = std::slice::from_ref(&to);
        Some(seal::rewrap(&header, &header.stanzas, &kit.service, to).expect("wrapped anew"))
    };
    let mut drill = Drill::of_keys(&[later.path().to_owned()]).expect("tried");
    drill.try_store(&store, wrapped).expect("a store");
    assert_eq!(drill.events.len(), 2);
    let opened = drill.events.iter().map(|event| event.opened_with);
    assert!(opened.into_iter().all(|key| key == Some(to.fingerprint())));
}

fn secrets(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| {
        entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".key")).collect();
    names.sort();
    names
}

#[test]
fn the_keys_of_a_quarter_that_is_over_are_destroyed_and_no_others() {
    let (dir, desk) = office();
    let before = secrets(dir.path());
    // A second name of the same file shows what became of the bytes.
    let kept_open = dir.path().join("lien");
    fs::hard_link(dir.path().join("service-2026-Q3.key"), &kept_open).expect("linked");
    let secret = fs::read_to_string(&kept_open).expect("text");
    let digits = secret
        .lines()
        .last()
        .expect("key")
        .strip_prefix("key: ")
        .expect("key")
        .to_owned();

    let plan = Plan::of(dir.path(), quarter("2026-Q3"), in_2026_q4()).expect("a plan");
    assert_eq!(plan.secrets.len(), 2);
    assert_eq!(secrets(dir.path()), before, "a plan does nothing");
    let out = dir.path().join("destruction.txt");
    let done = plan.carry_out(&desk, in_2026_q4(), &out).expect("done");

    let gone = ["recovery-2026-Q3.key", "service-2026-Q3.key"].map(str::to_owned);
    let left: Vec<_> = before.into_iter().filter(|name| !gone.contains(name)).collect();
    assert_eq!(secrets(dir.path()), left);
    let overwritten = fs::read(&kept_open).expect("bytes");
    let still_there = |piece: &[u8]| overwritten.windows(piece.len()).any(|at| at == piece);
    assert!(digits.as_bytes().chunks(16).all(|piece| !still_there(piece)));
    // Public halves stay: they say of what was sealed whose key is gone.
    assert!(dir.path().join("service-2026-Q3.pub").exists());

    let text = fs::read_to_string(&out).expect("text");
    let read: Destruction = signed::read(&text, desk.public(), "the desk").expect("signed");
    assert_eq!((&read, read.destroyed.len(), read.not_there.len()), (&done, 2, 0));
    assert!(read.limits.contains("Sur une mémoire flash"));
}

#[test]
fn the_keys_of_this_quarter_or_a_later_one_are_never_destroyed() {
    let (dir, _) = office();
    for (epoch, now) in [
        ("2026-Q4", "2026-12-31T23:59:59Z"),
        ("2027-Q1", "2026-12-31T23:59:59Z"),
        // A clock that was never set knows no quarter that is over.
        ("2026-Q2", "1970-01-01T00:00:00Z"),
    ] {
        let refused = Plan::of(dir.path(), quarter(epoch), at(now)).expect_err("still needed");
        assert!(matches!(refused, Error::NotOver(_)), "{refused}");
    }
    let plan = Plan::of(dir.path(), quarter("2026-Q4"), at("2027-01-01T00:00:00Z"));
    assert_eq!(plan.expect("over").secrets.len(), 2);
}

#[test]
fn what_was_sealed_to_a_destroyed_quarter_opens_no_more() {
    let kit = Kit::new();
    let sealed = kit.sealed(1, 100);
    assert!(seal::open(sealed.bytes(), &kit.service).is_ok());
    let desk = desk_init(kit.folder.path()).expect("made").files.secret;
    let desk = DeviceKey::read_desk(&desk).expect("a key");
    let now = at("2027-01-01T00:00:00Z");
    let plan = Plan::of(kit.folder.path(), quarter("2026-Q4"), now).expect("a plan");
    plan.carry_out(&desk, now, &kit.folder.path().join("certificat.txt"))
        .expect("done");
    let mut drill = Drill::of_keys(&[kit.folder.path().to_owned()]).expect("tried");
    drill.try_store(&kit.closed_store(), |_| None).expect("a store");
    assert!(drill.events.iter().all(|event| event.opened_with.is_none()));
}

#[test]
fn a_destruction_that_was_cut_off_is_ended_and_certified_by_a_second_run() {
    let (dir, desk) = office();
    // As it is left when the power goes after the first key was overwritten: its digits are zeros.
    let path = dir.path().join("recovery-2026-Q3.key");
    let name = OfficeKey::read(&path).expect("a key").recipient().fingerprint();
    let text = fs::read_to_string(&path).expect("text");
    let head = text.rsplit_once("key: ").expect("a key").0;
    fs::write(&path, format!("{head}key: {}\n", "0".repeat(64))).expect("written");

    let out = dir.path().join("certificat.txt");
    let plan = Plan::of(dir.path(), quarter("2026-Q3"), in_2026_q4()).expect("a plan");
    let done = plan.carry_out(&desk, in_2026_q4(), &out).expect("done");
    assert!(done.destroyed.iter().any(|secret| secret.fingerprint == name));
    assert!(!path.exists());
    // A third finds nothing, and says so.
    let refused = Plan::of(dir.path(), quarter("2026-Q3"), in_2026_q4()).expect_err("gone");
    assert!(matches!(refused, Error::NothingToDestroy { .. }));
}

#[test]
fn the_keys_are_gone_before_the_certificate_says_so() {
    let (dir, desk) = office();
    let paths = ["recovery-2026-Q3.key", "service-2026-Q3.key"].map(|name| dir.path().join(name));
    let before = paths
        .each_ref()
        .map(|path| fs::read_to_string(path).expect("text"));
    let plan = || Plan::of(dir.path(), quarter("2026-Q3"), in_2026_q4()).expect("a plan");
    let nowhere = dir.path().join("missing/certificat.txt");
    plan()
        .carry_out(&desk, in_2026_q4(), &nowhere)
        .expect_err("no such folder");
    for (path, before) in paths.iter().zip(before) {
        let head = before.rsplit_once("key: ").expect("a key").0;
        let blanked = format!("{head}key: {}\n", "0".repeat(64));
        assert_eq!(
            fs::read_to_string(path).expect("text"),
            blanked,
            "what it was is still told"
        );
    }
    let out = dir.path().join("certificat.txt");
    assert_eq!(
        plan()
            .carry_out(&desk, in_2026_q4(), &out)
            .expect("done")
            .destroyed
            .len(),
        2
    );
}

#[test]
fn nothing_is_destroyed_where_the_certificate_could_not_be_written_or_a_key_not_be_read() {
    let (dir, desk) = office();
    let before = secrets(dir.path());
    let taken = dir.path().join("certificat.txt");
    fs::write(&taken, "").expect("written");
    let plan = Plan::of(dir.path(), quarter("2026-Q3"), in_2026_q4()).expect("a plan");
    let refused = plan.carry_out(&desk, in_2026_q4(), &taken).expect_err("taken");
    assert!(matches!(refused, Error::Exists(_)));
    assert!(OfficeKey::read(&dir.path().join("service-2026-Q3.key")).is_ok());

    // A key file that cannot be read may be one of the quarter's.
    let odd: PathBuf = dir.path().join("cle-de-secours.key");
    fs::write(&odd, "???").expect("written");
    assert!(Plan::of(dir.path(), quarter("2026-Q3"), in_2026_q4()).is_err());
    fs::remove_file(&odd).expect("removed");
    assert_eq!(secrets(dir.path()), before);
    // One of which only the public half is there is named, not passed over.
    fs::remove_file(dir.path().join("recovery-2026-Q3.key")).expect("removed");
    let plan = Plan::of(dir.path(), quarter("2026-Q3"), in_2026_q4()).expect("a plan");
    let lost = Recipient::read(&dir.path().join("recovery-2026-Q3.pub")).expect("a key");
    assert_eq!(
        (plan.secrets.len(), plan.not_there),
        (1, vec![lost.fingerprint()])
    );
}
