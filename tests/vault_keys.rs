//! Keys are made once, kept from others, and found out when damaged.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use vigie::vault::keys::{Error, desk_init, office_init, trap_init};
use vigie::vault::{DeviceKey, DevicePublic, Epoch, OfficeKey, Recipient};

fn mode(path: &Path) -> u32 {
    path.metadata().expect("there").permissions().mode() & 0o7777
}

fn epoch() -> Epoch {
    "2026-Q4".parse().expect("a quarter")
}

#[test]
fn a_secret_is_for_its_owner_alone_and_a_public_key_for_all() {
    let dir = tempfile::tempdir().expect("a folder");
    let device = trap_init(dir.path()).expect("made");
    let office = office_init(dir.path(), epoch()).expect("made");
    for made in [device.files, office.service, office.recovery] {
        assert_eq!(mode(&made.secret), 0o600);
        assert_eq!(mode(&made.public), 0o644);
    }
}

#[test]
fn both_halves_name_the_same_key() {
    let dir = tempfile::tempdir().expect("a folder");
    let made = trap_init(dir.path()).expect("made");
    let key = DeviceKey::read(&made.files.secret).expect("read");
    let public = DevicePublic::read(&made.files.public).expect("read");
    assert_eq!((key.id(), key.public()), (made.id, &public));

    let made = office_init(dir.path(), epoch()).expect("made");
    for files in [made.service, made.recovery] {
        let key = OfficeKey::read(&files.secret).expect("read");
        let text = fs::read_to_string(&files.public).expect("text");
        let recipient: Recipient = text.replace('\n', "\r\n").parse().expect("parsed");
        assert_eq!(key.recipient(), &recipient);
        assert_eq!(recipient.epoch(), epoch());
    }
}

#[test]
fn the_desk_signs_with_a_key_of_its_own_kind() {
    let dir = tempfile::tempdir().expect("a folder");
    let (desk, device) = (desk_init(dir.path()), trap_init(dir.path()));
    let (desk, device) = (desk.expect("made"), device.expect("made"));
    let key = DeviceKey::read_desk(&desk.files.secret).expect("read");
    let public = DevicePublic::read_desk(&desk.files.public).expect("read");
    assert_eq!((key.id(), key.public()), (desk.id, &public));
    let taken_for_another = [
        DeviceKey::read(&desk.files.secret).map(drop),
        DeviceKey::read_desk(&device.files.secret).map(drop),
        DevicePublic::read(&desk.files.public).map(drop),
        DevicePublic::read_desk(&device.files.public).map(drop),
    ];
    for result in taken_for_another {
        assert!(matches!(result, Err(Error::WrongKey { .. })), "{result:?}");
    }
    assert!(matches!(desk_init(dir.path()), Err(Error::Exists(_))));
}

#[test]
fn no_key_is_ever_overwritten() {
    let dir = tempfile::tempdir().expect("a folder");
    trap_init(dir.path()).expect("made");
    office_init(dir.path(), epoch()).expect("made");
    let before: Vec<_> = contents(dir.path());
    assert!(matches!(trap_init(dir.path()), Err(Error::Exists(_))));
    assert!(matches!(office_init(dir.path(), epoch()), Err(Error::Exists(_))));
    assert_eq!(contents(dir.path()), before);

    // One of the four is enough, even a dangling link, and then none is made.
    let dir = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink("nowhere", dir.path().join("recovery-2026-Q4.pub")).expect("link");
    assert!(matches!(office_init(dir.path(), epoch()), Err(Error::Exists(_))));
    assert_eq!(fs::read_dir(dir.path()).expect("folder").count(), 1);
}

fn contents(dir: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let entries = fs::read_dir(dir).expect("folder").map(|entry| {
        let entry = entry.expect("entry");
        (entry.file_name(), fs::read(entry.path()).expect("bytes"))
    });
    let mut all: Vec<_> = entries.collect();
    all.sort();
    all
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let made = trap_init(dir.path()).expect("made");
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&made.files.secret, Permissions::from_mode(mode)).expect("chmod");
        let refused = DeviceKey::read(&made.files.secret).expect_err("exposed");
        assert!(matches!(refused, Error::Exposed { mode: found, .. } if found == mode));
    }
}

#[test]
fn a_secret_is_read_from_a_plain_file_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let made = trap_init(dir.path()).expect("made").files;
    let [link, pipe, folder] = ["link.key", "pipe.key", "folder.key"].map(|name| dir.path().join(name));
    std::os::unix::fs::symlink(&made.secret, &link).expect("linked");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).expect("a pipe");
    fs::create_dir(&folder).expect("a folder");
    for path in [&link, &pipe, &folder] {
        let refused = DeviceKey::read(path).expect_err("not plain");
        assert!(matches!(refused, Error::NotPlain(_)), "{refused}");
    }
    // A public key may lie behind a link, as configuration often does; never in a pipe, which could have no end.
    let link = dir.path().join("link.pub");
    std::os::unix::fs::symlink(&made.public, &link).expect("linked");
    assert!(DevicePublic::read(&link).is_ok());
    assert!(matches!(DevicePublic::read(&pipe), Err(Error::NotPlain(_))));
}

#[test]
fn a_secret_is_refused_where_others_could_put_another_in_its_place() {
    let dir = tempfile::tempdir().expect("a folder");
    let made = trap_init(dir.path()).expect("made").files;
    let read_in = |mode| {
        fs::set_permissions(dir.path(), Permissions::from_mode(mode)).expect("chmod");
        DeviceKey::read(&made.secret)
    };
    for open in [0o770, 0o707, 0o722] {
        assert!(matches!(read_in(open), Err(Error::Unguarded { .. })), "{open:o}");
        assert!(matches!(
            office_init(dir.path(), epoch()),
            Err(Error::Unguarded { .. })
        ));
    }
    // In a sticky folder only the owner of a file can replace it.
    for closed in [0o755, 0o700, 0o1777] {
        assert!(read_in(closed).is_ok(), "{closed:o}");
    }
}

#[test]
fn a_secret_of_another_user_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let made = trap_init(dir.path()).expect("made").files;
    let another = rustix::process::geteuid().as_raw() + 12345;
    // Only root can give a file away; elsewhere this promise is kept by nobody being able to.
    if std::os::unix::fs::chown(&made.secret, Some(another), None).is_ok() {
        assert!(matches!(
            DeviceKey::read(&made.secret),
            Err(Error::Unguarded { .. })
        ));
        std::os::unix::fs::chown(&made.secret, Some(0), None).expect("given back");
        std::os::unix::fs::chown(dir.path(), Some(another), None).expect("given away");
        assert!(matches!(
            DeviceKey::read(&made.secret),
            Err(Error::Unguarded { .. })
        ));
    }
}

#[test]
fn a_key_is_not_taken_for_another() {
    let dir = tempfile::tempdir().expect("a folder");
    let device = trap_init(dir.path()).expect("made").files;
    let service = office_init(dir.path(), epoch()).expect("made").service;
    let wrong = [
        OfficeKey::read(&device.secret).map(drop),
        DeviceKey::read(&service.secret).map(drop),
        Recipient::read(&device.public).map(drop),
        DevicePublic::read(&service.public).map(drop),
        // A secret key where a public one belongs would be carried about.
        Recipient::read(&service.secret).map(drop),
    ];
    for result in wrong {
        assert!(matches!(result, Err(Error::WrongKey { .. })), "{result:?}");
    }
    let told = |result: Result<(), Error>| result.expect_err("another key").to_string();
    for (error, said) in [
        (
            told(DeviceKey::read(&service.secret).map(drop)),
            "the secret key of the service of 2026-Q4, where the box's secret key is needed",
        ),
        (
            told(DevicePublic::read_desk(&device.public).map(drop)),
            "the public key of the box, where the desk's public key is needed",
        ),
    ] {
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_key_that_signs_for_everybody_or_has_two_names_is_none() {
    // RFC 8032 §5.1: the neutral element, under which anybody's signature is good; and y = 3, written as p + 3.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut written_otherwise = [0xff; 32];
    (written_otherwise[0], written_otherwise[31]) = (0xf0, 0x7f);
    for bytes in [neutral, written_otherwise] {
        assert!(DevicePublic::from_bytes(&bytes).is_none());
    }
}

#[test]
fn one_changed_character_in_a_key_file_is_found() {
    let dir = tempfile::tempdir().expect("a folder");
    let made = office_init(dir.path(), epoch()).expect("made").service;
    let text = fs::read_to_string(&made.public).expect("text");
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        let Ok(changed) = String::from_utf8(bytes) else {
            continue;
        };
        // The quarter stands beside the key and is not part of it: 2026-Q4 can become 2027-Q4.
        if let Ok(recipient) = changed.parse::<Recipient>() {
            assert_ne!(recipient.epoch(), epoch(), "byte {at}");
        }
    }
}

#[test]
fn garbage_is_no_key_and_is_not_read_for_ever() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("garbage.pub");
    for bytes in [vec![], vec![0xff; 10], vec![b'a'; 1 << 20]] {
        fs::write(&path, bytes).expect("written");
        let refused = Recipient::read(&path).expect_err("garbage");
        assert!(matches!(refused, Error::Malformed { .. }));
    }
}

#[test]
fn no_secret_is_printed() {
    let dir = tempfile::tempdir().expect("a folder");
    let made = trap_init(dir.path()).expect("made");
    let key = DeviceKey::read(&made.files.secret).expect("read");
    assert_eq!(format!("{key:?}"), format!("DeviceKey({})", made.id));
    let made = office_init(dir.path(), epoch()).expect("made").service;
    let key = OfficeKey::read(&made.secret).expect("read");
    let expected = format!("OfficeKey(service 2026-Q4 {})", made.fingerprint);
    assert_eq!(format!("{key:?}"), expected);
}

#[test]
fn quarters_have_one_spelling() {
    for wrong in [
        "2026-Q5", "2026-Q0", "2026-q4", "2026Q4", "+2026-Q4", "2026-Q04", "1999-Q4",
    ] {
        assert!(wrong.parse::<Epoch>().is_err(), "{wrong}");
    }
    let day = jiff::civil::date(2026, 11, 21);
    assert_eq!(Epoch::of(day).expect("a quarter"), epoch());
}
