//! Before a quarter's keys are destroyed, what the desk holds is wrapped to later ones; and as long as an event hangs on
//! them alone, that is known.

mod transfer_kit;
mod vault_kit;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use transfer_kit::Way;
use vigie::frame::{BoxTime, EventId};
use vigie::transfer::wrapping::{Hanging, Outcome, rewrap};
use vigie::transfer::{Desk, Error};
use vigie::vault::item::{ItemId, Stanza};
use vigie::vault::journal::Line;
use vigie::vault::keys::{KeyFiles, OfficeIdentity, office_init};
use vigie::vault::{Epoch, OfficeKey, seal, store};

const EVENT: EventId = EventId::from_bytes([1; 8]);
const OTHER: EventId = EventId::from_bytes([2; 8]);

fn quarter(text: &str) -> Epoch {
    text.parse().expect("a quarter")
}

fn in_2027() -> BoxTime {
    BoxTime("2027-01-15T12:00:00Z".parse().expect("an instant"))
}

/// A desk that holds two events, wrapped to the keys of 2026-Q4, and the keys of 2027-Q1 beside these; the recovery key
/// of both lies in the safe.
fn desk() -> (Way, OfficeIdentity) {
    let way = Way::new();
    way.seal(1, &[200, 70_000]);
    way.seal(2, &[300]);
    way.out();
    way.take_in_well();
    let made = office_init(way.kit.folder.path(), quarter("2027-Q1")).expect("made");
    for name in [
        "service-2027-Q1.key",
        "service-2027-Q1.pub",
        "recovery-2027-Q1.pub",
    ] {
        way.give(name, "desk/keys");
    }
    (way, made)
}

fn open(way: &Way) -> Desk {
    Desk::open(&way.desk_dir(), in_2027()).expect("a desk")
}

fn rewrap_all(way: &Way) -> Vec<(EventId, Outcome)> {
    let mut desk = open(way);
    let outcomes = rewrap(&mut desk, in_2027());
    desk.store.close(in_2027()).expect("closed");
    outcomes.expect("wrapped")
}

fn wrapped(way: &Way, event: EventId) -> Vec<Stanza> {
    open(way).wrapped(event).expect("read").expect("wrapped")
}

fn item(way: &Way, event: EventId, number: u32) -> PathBuf {
    let item = ItemId { event, number };
    way.desk_dir().join("store/items").join(item.to_string())
}

fn opens(way: &Way, key: &KeyFiles, event: EventId) -> bool {
    let key = OfficeKey::read(&key.secret).expect("a key");
    let bytes = fs::read(item(way, event, 0)).expect("an item");
    seal::open_with(&bytes[..], &wrapped(way, event), &key).is_ok()
}

fn hanging(way: &Way) -> Vec<EventId> {
    let asked = Hanging::on(&way.desk_dir(), quarter("2026-Q4"), in_2027());
    asked.expect("an answer").events
}

fn rewrapped_lines(way: &Way) -> Vec<String> {
    let mut lines = Vec::new();
    Line::each(open(way).store.sql(), |line| lines.push(line)).expect("a journal");
    lines.retain(|line| line.kind == "rewrapped");
    lines.into_iter().map(|line| line.body).collect()
}

#[test]
fn each_event_opens_with_the_current_keys_and_the_old_ones_may_go() {
    let (way, new) = desk();
    let sealed = fs::read(item(&way, EVENT, 0)).expect("an item");
    assert_eq!(hanging(&way), [EVENT, OTHER]);
    assert_eq!(rewrap_all(&way), [(EVENT, Outcome::Anew), (OTHER, Outcome::Anew)]);
    assert_eq!(hanging(&way), []);
    let keys = [new.service.fingerprint, new.recovery.fingerprint];
    assert_eq!(
        rewrapped_lines(&way),
        [format!(r#"{{"events":2,"keys":["{}","{}"]}}"#, keys[0], keys[1])]
    );
    assert_eq!(
        fs::read(item(&way, EVENT, 0)).expect("an item"),
        sealed,
        "items stay as they are"
    );

    fs::remove_file(way.path("desk/keys/service-2026-Q4.key")).expect("destroyed");
    assert!(opens(&way, &new.service, EVENT) && opens(&way, &new.service, OTHER));
    assert!(opens(&way, &new.recovery, EVENT));
    let report = vigie::verify::path(&way.desk_dir().join("store"), None, None).expect("checked");
    assert_eq!(report.faults, []);
}

#[test]
fn a_second_run_finds_nothing_to_do_and_writes_nothing() {
    let (way, _) = desk();
    rewrap_all(&way);
    let before = fs::read(way.path("desk/store/vault.db")).expect("a vault");
    assert_eq!(
        rewrap_all(&way),
        [(EVENT, Outcome::Current), (OTHER, Outcome::Current)]
    );
    assert_eq!(
        fs::read(way.path("desk/store/vault.db")).expect("a vault"),
        before
    );
}

#[test]
fn an_event_that_does_not_open_keeps_its_wrapping_and_is_named_and_the_others_are_done() {
    let (way, new) = desk();
    let before = wrapped(&way, EVENT);
    let path = item(&way, EVENT, 0);
    let mut bytes = fs::read(&path).expect("an item");
    *bytes.last_mut().expect("bytes") ^= 1;
    fs::write(&path, bytes).expect("written");
    let outcomes = rewrap_all(&way);
    assert!(
        matches!(outcomes[0], (EVENT, Outcome::CannotOpen(_))),
        "{outcomes:?}"
    );
    assert_eq!(outcomes[1], (OTHER, Outcome::Anew));
    assert_eq!(wrapped(&way, EVENT), before);
    assert!(opens(&way, &new.service, OTHER));
    assert_eq!(hanging(&way), [EVENT]);

    // Nor one of which the desk holds no key.
    let (way, _) = desk();
    fs::remove_file(way.path("desk/keys/service-2026-Q4.key")).expect("lost");
    let outcomes = rewrap_all(&way);
    assert!(
        outcomes
            .iter()
            .all(|(_, outcome)| matches!(outcome, Outcome::CannotOpen(_)))
    );
    assert_eq!(rewrapped_lines(&way), Vec::<String>::new());
}

#[test]
fn nothing_is_wrapped_to_keys_of_which_the_desk_holds_none() {
    let (way, _) = desk();
    fs::remove_file(way.path("desk/keys/service-2027-Q1.key")).expect("not there");
    let mut desk = open(&way);
    let refused = rewrap(&mut desk, in_2027()).expect_err("nothing would open here");
    assert!(matches!(refused, Error::DeskFile { .. }), "{refused}");
}

#[test]
fn what_the_desk_cannot_be_sure_of_counts_as_hanging_on_the_quarter() {
    // A key that cannot be used opens nothing.
    let (way, _) = desk();
    rewrap_all(&way);
    assert_eq!(hanging(&way), []);
    let key = way.path("desk/keys/service-2027-Q1.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("chmod");
    assert_eq!(hanging(&way), [EVENT, OTHER]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("chmod");
    // An item that does not say to whom it is sealed.
    fs::write(item(&way, OTHER, 0), b"vigie").expect("written");
    assert_eq!(hanging(&way), [OTHER]);
    fs::remove_file(item(&way, OTHER, 0)).expect("removed");
    assert_eq!(hanging(&way), [OTHER]);
    // Another quarter's keys are not asked for.
    let asked = Hanging::on(&way.desk_dir(), quarter("2026-Q3"), in_2027());
    assert_eq!(asked.expect("an answer").events, [OTHER]);
    // What is no desk gives no answer.
    assert!(Hanging::on(way.kit.folder.path(), quarter("2026-Q4"), in_2027()).is_err());
}

#[test]
fn nothing_is_taken_in_while_a_quarters_keys_are_destroyed() {
    let (way, _) = desk();
    let held = Hanging::on(&way.desk_dir(), quarter("2026-Q3"), in_2027()).expect("an answer");
    let refused = Desk::open(&way.desk_dir(), in_2027()).err();
    assert!(matches!(refused, Some(Error::Store(store::Error::InUse(_)))));
    drop(held);
    open(&way);
}

#[test]
fn a_desk_that_took_nothing_in_needs_no_keys() {
    let way = Way::new();
    assert_eq!(hanging(&way), []);
    assert!(!way.path("desk/store").exists(), "asking makes no vault");
}
