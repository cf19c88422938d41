//! Nothing is sealed to a key from the moment the desk's signed word reaches the box, and nobody else's word counts.

use std::fs;

use proptest::prelude::*;
use vigie::frame::BoxTime;
use vigie::vault::keys::ring::{Concern, Source};
use vigie::vault::keys::{Error, Revocation, Ring, desk_init, office_init};
use vigie::vault::{DeviceId, DeviceKey, DevicePublic, EventSealer, Fingerprint, OfficeKey, Role, seal};

fn now() -> BoxTime {
    BoxTime("2026-11-22T06:00:00Z".parse().expect("an instant"))
}

struct Office {
    folder: tempfile::TempDir,
    desk: DeviceKey,
    service: OfficeKey,
    recovery: OfficeKey,
}

impl Office {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let made = office_init(folder.path(), "2026-Q4".parse().expect("a quarter")).expect("made");
        let desk = desk_init(folder.path()).expect("made");
        let service = OfficeKey::read(&made.service.secret).expect("a key");
        let recovery = OfficeKey::read(&made.recovery.secret).expect("a key");
        fs::remove_file(&made.service.secret).expect("removed");
        fs::remove_file(&made.recovery.secret).expect("removed");
        Self {
            desk: DeviceKey::read_desk(&desk.files.secret).expect("a key"),
            folder,
            service,
            recovery,
        }
    }

    fn revocation(&self, keys: &[&OfficeKey]) -> Revocation {
        let names = keys.iter().map(|key| key.recipient().fingerprint()).collect();
        Revocation::new(&self.desk, names, "vol du poste du service", now()).expect("a revocation")
    }

    fn revoke(&self, name: &str, keys: &[&OfficeKey], by: &DeviceKey) {
        let path = self.folder.path().join(name);
        self.revocation(keys).write(by, &path).expect("written");
    }

    fn ring(&self) -> Ring {
        let desk = DevicePublic::read_desk(&self.folder.path().join("desk.pub")).expect("a key");
        Ring::read(&Source::Folder(self.folder.path().to_owned()), Some(&desk)).expect("keys")
    }

    fn roles(&self) -> Vec<Role> {
        let chosen = self.ring().choose(now()).recipients;
        chosen.iter().map(|recipient| recipient.role()).collect()
    }
}

#[test]
fn nothing_is_sealed_to_a_revoked_service_key_and_the_recovery_alone_opens_what_is() {
    let office = Office::new();
    assert_eq!(office.roles(), [Role::Service, Role::Recovery]);
    office.revoke("vol.revocation", &[&office.service], &office.desk);
    assert_eq!(office.roles(), [Role::Recovery]);
    assert!(
        office
            .ring()
            .concerns(now())
            .contains(&Concern::ServiceKeyRevoked)
    );

    let recipients = office.ring().choose(now()).recipients;
    let device = DeviceId(Fingerprint::from_bytes([1; 8]));
    let event = vigie::frame::EventId::from_bytes([2; 8]);
    let sealer = EventSealer::new(device, event, &recipients);
    let sealed = sealer.expect("a sealer").seal_record(&"seen").expect("sealed");
    assert!(seal::open(sealed.bytes(), &office.service).is_err());
    assert!(seal::open(sealed.bytes(), &office.recovery).is_ok());
}

#[test]
fn a_new_key_of_the_same_quarter_takes_the_place_of_a_revoked_one() {
    let office = Office::new();
    office.revoke("vol.revocation", &[&office.service], &office.desk);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let made = office_init(elsewhere.path(), "2026-Q4".parse().expect("a quarter")).expect("made");
    let name = office.folder.path().join("service-2026-Q4-nouvelle.pub");
    fs::copy(&made.service.public, name).expect("copied");
    let chosen = office.ring().choose(now());
    let names: Vec<_> = chosen.recipients.iter().map(|r| r.fingerprint()).collect();
    assert!(names.contains(&made.service.fingerprint) && names.len() == 2);
    assert_eq!(chosen.concerns, []);
}

#[test]
fn with_every_key_revoked_nothing_is_sealed_to_anyone() {
    let office = Office::new();
    office.revoke(
        "vol.revocation",
        &[&office.service, &office.recovery],
        &office.desk,
    );
    assert_eq!(office.roles(), []);
    assert!(office.ring().concerns(now()).contains(&Concern::NoRecipient));
    let device = DeviceId(Fingerprint::from_bytes([1; 8]));
    let event = vigie::frame::EventId::from_bytes([2; 8]);
    let refused = EventSealer::new(device, event, &office.ring().choose(now()).recipients);
    assert!(matches!(refused.err(), Some(seal::Error::NoRecipients)));
}

#[test]
fn only_the_desk_revokes() {
    let office = Office::new();
    office.revoke("faux.revocation", &[&office.service], &Office::new().desk);
    assert_eq!(office.roles(), [Role::Service, Role::Recovery]);
    assert!(
        office
            .ring()
            .concerns(now())
            .contains(&Concern::RevocationRefused)
    );

    // Nor does a true one where it is not known who the desk is; that is not passed over either.
    let office = Office::new();
    office.revoke("vol.revocation", &[&office.service], &office.desk);
    let source = Source::Folder(office.folder.path().to_owned());
    let ring = Ring::read(&source, None).expect("keys");
    assert_eq!(ring.choose(now()).recipients.len(), 2);
    assert!(ring.concerns(now()).contains(&Concern::RevocationRefused));
}

#[test]
fn what_was_revoked_once_stays_revoked_while_the_box_runs() {
    let office = Office::new();
    office.revoke("vol.revocation", &[&office.service], &office.desk);
    let older = office.ring();
    fs::remove_file(office.folder.path().join("vol.revocation")).expect("removed");
    let mut ring = office.ring();
    ring.revoke_as(&older);
    assert_eq!(ring.choose(now()).recipients.len(), 1);
    assert!(ring.revoked().eq([office.service.recipient().fingerprint()]));
}

#[test]
fn a_revocation_says_why_in_one_line_and_names_each_key_once() {
    let office = Office::new();
    let name = office.service.recipient().fingerprint();
    let new = |keys, reason: &str| Revocation::new(&office.desk, keys, reason, now());
    for reason in ["", "  ", "deux\nlignes", "\u{7}", &"x".repeat(501)] {
        assert!(
            matches!(new(vec![name], reason), Err(Error::Malformed { .. })),
            "{reason:?}"
        );
    }
    assert!(new(vec![], "vol").is_err());
    assert_eq!(new(vec![name, name], "vol").expect("one").keys, [name]);

    let path = office.folder.path().join("vol.revocation");
    office
        .revocation(&[&office.service])
        .write(&office.desk, &path)
        .expect("written");
    let again = office.revocation(&[&office.service]).write(&office.desk, &path);
    assert!(matches!(again, Err(Error::Exists(_))));
}

#[test]
fn one_flipped_bit_anywhere_in_a_revocation_is_found() {
    let office = Office::new();
    let path = office.folder.path().join("vol.revocation");
    office
        .revocation(&[&office.service])
        .write(&office.desk, &path)
        .expect("written");
    let good = fs::read(&path).expect("bytes");
    let read = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("written");
        Revocation::read(&path, office.desk.public())
    };
    assert!(read(&good).is_ok());
    for bit in 0..8 * good.len() {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(read(&bad).is_err(), "bit {bit}");
    }
    assert!(read(&vec![b'a'; 1 << 20]).is_err());
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_of_revocations_panic(text in ".{0,400}", titled in any::<bool>()) {
        let office = Office::new();
        let text = if titled { format!("vigie revocation 1\n{text}") } else { text };
        prop_assert!(Revocation::parse("a test", &text, office.desk.public()).is_err());
    }
}
