//! What the box sealed goes to the desk whole, and leaves the box only when the desk has said that it has it.

mod transfer_kit;
mod vault_kit;

use std::fs::{self, File};

use transfer_kit::{Way, at, key, name, names};
use vigie::frame::EventId;
use vigie::transfer::returning::{Stand, Taken, last};
use vigie::transfer::taking_in::Outcome;
use vigie::transfer::{CONTENTS, DRILL, JOURNAL, out};
use vigie::vault::item::Header;
use vigie::vault::keys::office_init;
use vigie::vault::store::Cause;
use vigie::vault::{Epoch, Recipient, Store, seal};
use vigie::verify;

const NONE: Outcome = Outcome::Imported {
    items: 0,
    erased_before: 0,
    damaged: 0,
};

fn imported(items: u64) -> Outcome {
    Outcome::Imported {
        items,
        erased_before: 0,
        damaged: 0,
    }
}

#[test]
fn an_event_goes_to_the_desk_and_leaves_the_box_when_the_desk_has_answered() {
    let way = Way::new();
    way.seal(1, &[200, 70_000]);
    way.seal(2, &[0]);
    let sealed = way.on_box();
    let written = way.out();
    assert_eq!((written.name, written.items), (name(&way, 1), 3));
    let mut expected = sealed.clone();
    expected.extend([CONTENTS, DRILL, JOURNAL].map(str::to_owned));
    assert_eq!(names(&way.bundle()), expected);
    assert_eq!(way.on_box(), sealed, "what is on the way stays on the box");

    assert_eq!(way.take_in_well(), imported(3));
    assert_eq!(way.at_desk(), sealed);
    assert_eq!(way.on_box(), sealed, "what is not answered stays on the box");

    let taken = way.back().expect("taken");
    assert_eq!(
        taken,
        Some(Taken {
            number: 1,
            erased: 3,
            kept: 0
        })
    );
    assert_eq!(way.on_box(), [""; 0]);
    let device = way.kit.device.public();
    let report = verify::store(&way.kit.dir(), Some(device)).expect("a store");
    assert!(report.ok, "{report:?}");
    let report = verify::store(&way.path("desk/store"), Some(&way.desk_public())).expect("a store");
    assert!(report.ok, "{report:?}");
}

#[test]
fn the_desk_opens_what_it_took_with_keys_of_its_own_quarter_alone() {
    let way = Way::new();
    way.seal(1, &[70_000]);
    way.out();
    // A quarter later there are new keys, and the old ones are about to be destroyed.
    let folder = way.path("desk/keys");
    let made = office_init(&folder, Epoch::new(2027, 1).expect("a quarter")).expect("new keys");
    let mut desk = way.desk();
    let on_stick = way.folder();
    let later = at(100 * 24 * 3600);
    vigie::transfer::taking_in::import(&mut desk, &on_stick, name(&way, 1), later).expect("taken");
    let event = EventId::from_bytes([1; 8]);
    let stanzas = desk.wrapped(event).expect("read").expect("wrapped");
    assert!(stanzas.iter().all(|stanza| stanza.epoch.to_string() == "2027-Q1"));
    let item = way.path("desk/store/items").join(&way.at_desk()[0]);
    let new = key(&made.service.secret);
    let open = || File::open(&item).expect("there");
    assert!(
        seal::open(open(), &new).is_err(),
        "the file itself is as the box sealed it"
    );
    let opened = seal::open_with(open(), &stanzas, &new).expect("opened");
    assert_eq!(opened.plaintext.len(), 70_000 + "{\"note\":\"\"}".len());

    // And the wrapped key goes with its event.
    let erase = |tx: &mut vigie::vault::Tx<'_>| tx.erase_items(later, event, &[0], Cause::Expired);
    desk.store.transaction(erase).expect("erased");
    assert_eq!(desk.wrapped(event).expect("read"), None);
}

#[test]
fn the_box_erases_what_the_desk_names_and_nothing_that_came_later() {
    let way = Way::new();
    way.seal(1, &[10]);
    way.out();
    way.take_in_well();
    way.seal(2, &[10]);
    let later = way.on_box()[1].clone();
    way.back().expect("taken");
    assert_eq!(way.on_box(), [later]);
}

#[test]
fn what_was_not_answered_goes_again_and_is_taken_once() {
    let way = Way::new();
    way.seal(1, &[10]);
    way.out();
    assert_eq!(way.take_in_well(), imported(1));
    assert_eq!(way.take_in_well(), Outcome::AlreadyImported);
    // The stick was lost: nothing came back.
    fs::remove_dir_all(way.stick()).expect("lost");
    fs::create_dir(way.stick()).expect("another");
    way.seal(2, &[10, 20]);
    let again = way.out();
    assert_eq!((again.name.number, again.items), (2, 3));
    assert_eq!(way.take_in_well(), imported(2));
    assert_eq!(way.back().expect("taken").map(|taken| taken.erased), Some(3));
    // From now on the journal goes on from where the desk has it.
    way.seal(3, &[10]);
    way.out();
    assert_eq!(way.take_in_well(), imported(1));
}

#[test]
fn a_bundle_stands_for_all_before_it_and_a_lost_one_is_not_missed() {
    let way = Way::new();
    way.seal(1, &[10]);
    way.out();
    way.seal(2, &[10]);
    way.out();
    assert_eq!(names(&way.stick()), [name(&way, 2).to_string()]);
    assert_eq!(way.take_in_well(), imported(2));
}

#[test]
fn what_the_desk_erased_is_answered_as_erased_and_never_taken_again() {
    let way = Way::new();
    way.seal(1, &[10, 20]);
    way.seal(2, &[30]);
    way.out();
    way.take_in_well();
    let mut desk = way.desk();
    let event = EventId::from_bytes([1; 8]);
    let erase = |tx: &mut vigie::vault::Tx<'_>| tx.erase_items(at(104), event, &[0, 1], Cause::Expired);
    desk.store.transaction(erase).expect("erased");
    desk.store.close(at(105)).expect("closed");
    way.out();
    let outcome = way.take_in_well();
    assert_eq!(
        outcome,
        Outcome::Imported {
            items: 0,
            erased_before: 2,
            damaged: 0
        }
    );
    assert_eq!(way.at_desk().len(), 1);
    way.back().expect("taken");
    assert_eq!(way.on_box(), [""; 0]);
    let answer = last(way.kit.open().sql()).expect("read").expect("taken");
    let states: Vec<_> = answer.items.iter().map(|item| item.state).collect();
    assert_eq!(states, [Stand::Erased, Stand::Erased, Stand::Imported]);
}

#[test]
fn the_first_bundle_may_hold_no_event_and_still_proves_the_key() {
    let way = Way::new();
    assert!(!way.proven(&way.recipients()), "nobody has shown anything yet");
    assert_eq!(way.out().items, 0);
    assert!(!way.proven(&way.recipients()), "a bundle alone proves nothing");
    assert_eq!(way.take_in_well(), NONE);
    way.back().expect("taken");
    assert!(way.proven(&way.recipients()));
    let folder = way.path("others");
    fs::create_dir(&folder).expect("a folder");
    let others = office_init(&folder, Epoch::new(2026, 4).expect("a quarter")).expect("new keys");
    let other = Recipient::read(&others.service.public).expect("a key");
    assert!(
        !way.proven(std::slice::from_ref(&other)),
        "a key that the desk never showed"
    );
    let [service, recovery] = &way.recipients()[..] else {
        panic!("two")
    };
    assert!(!way.proven(&[service.clone(), other]));
    assert!(
        !way.proven(std::slice::from_ref(recovery)),
        "the safe's key is not at the desk"
    );
    assert!(!way.proven(&[]));
}

#[test]
fn keys_that_the_desk_hands_out_and_holds_are_proven() {
    let way = Way::new();
    let folder = way.path("desk/keys");
    let made = office_init(&folder, Epoch::new(2027, 1).expect("a quarter")).expect("new keys");
    let stranger = way.path("stranger");
    fs::create_dir(&stranger).expect("a folder");
    let not_held = office_init(&stranger, Epoch::new(2027, 2).expect("a quarter")).expect("new keys");
    fs::copy(&not_held.service.public, folder.join("service-2027-Q2.pub")).expect("copied");
    way.out();
    way.take_in_well();
    way.back().expect("taken");
    let next = Recipient::read(&made.service.public).expect("a key");
    assert!(way.proven(&[next]));
    let not_held = Recipient::read(&not_held.service.public).expect("a key");
    assert!(!way.proven(&[not_held]), "a public key alone opens nothing");
}

#[test]
fn an_item_damaged_on_the_box_is_named_and_keeps_nothing_else_from_going() {
    let way = Way::new();
    way.seal(1, &[10]);
    way.seal(2, &[10]);
    let damaged = way.on_box()[0].clone();
    let path = way.kit.dir().join("items").join(&damaged);
    let mut bytes = fs::read(&path).expect("there");
    *bytes.last_mut().expect("bytes") ^= 1;
    fs::write(&path, bytes).expect("written");
    let written = way.out();
    assert_eq!(written.items, 1);
    let named: Vec<_> = written.damaged.iter().map(ToString::to_string).collect();
    assert_eq!(named, std::slice::from_ref(&damaged));
    assert_eq!(
        way.take_in_well(),
        Outcome::Imported {
            items: 1,
            erased_before: 0,
            damaged: 1
        }
    );
    way.back().expect("taken");
    assert_eq!(way.on_box(), [damaged], "the desk does not have it: it stays");
}

#[test]
fn two_boxes_share_a_stick_and_a_desk() {
    let way = Way::new();
    way.seal(1, &[10]);
    way.out();
    let second = way.second_box();
    let mut store = Store::open(&way.path("second/store"), &second, at(0)).expect("a store");
    out::write(&mut store, &second, &way.recipients(), &way.stick(), at(10)).expect("written");
    store.close(at(11)).expect("closed");
    let taken = way.take_in();
    assert_eq!(taken.into_iter().filter_map(Result::ok).count(), 2);
    // Each finds its own answer.
    assert_eq!(way.return_name().device, way.kit.device.id());
    way.back().expect("taken");
    assert_eq!(way.on_box(), [""; 0]);
}

#[test]
fn a_bundle_is_verified_without_keys() {
    let way = Way::new();
    way.seal(1, &[200, 70_000]);
    way.out();
    let device = way.kit.device.public();
    let report = verify::path(&way.bundle(), Some(device), None).expect("a bundle");
    assert!(report.ok, "{report:?}");
    assert!(
        !report
            .remarks
            .iter()
            .any(|remark| remark.contains("earlier bundle")),
        "{report:?}"
    );
    let kept: vigie::vault::journal::Head = report.head.expect("a head").parse().expect("a head");
    way.take_in_well();
    way.back().expect("taken");
    way.out();
    let report = verify::path(&way.bundle(), Some(device), Some(kept)).expect("a bundle");
    assert!(report.ok, "{report:?}");
    let other = vigie::vault::journal::Head {
        hash: vigie::frame::Digest::of(b"elsewhere"),
        ..kept
    };
    let report = verify::path(&way.bundle(), Some(device), Some(other)).expect("a bundle");
    let told = format!("line {} is not the one that was kept", kept.seq);
    assert!(report.faults.iter().any(|fault| fault.what == told), "{report:?}");
    // A line that this bundle's journal no longer has.
    let early = vigie::vault::journal::Head { seq: 1, ..other };
    let report = verify::path(&way.bundle(), Some(device), Some(early)).expect("a bundle");
    assert!(
        report.ok && report.remarks[0].contains("whether it follows from line 1 cannot be told"),
        "{report:?}"
    );
    let item = names(&way.bundle())[0].clone();
    assert_eq!(item, CONTENTS, "everything was answered");
    fs::remove_file(way.bundle().join(DRILL)).expect("removed");
    let report = verify::path(&way.bundle(), Some(device), None).expect("a bundle");
    assert_eq!(report.faults.len(), 1);
    assert_eq!(report.faults[0].place, DRILL);
}

#[test]
fn the_drill_is_another_one_each_time_and_belongs_to_no_event() {
    let way = Way::new();
    way.seal(1, &[10]);
    let drill = || {
        way.out();
        let file = File::open(way.bundle().join(DRILL)).expect("there");
        Header::read(&mut &file).expect("an item")
    };
    let (first, second) = (drill(), drill());
    assert_ne!(first.id.event, second.id.event);
    assert_ne!(first.id.event, EventId::from_bytes([1; 8]));
}

#[test]
fn an_item_that_could_not_be_read_the_first_time_comes_later_and_opens_with_its_events_key() {
    let way = Way::new();
    way.seal(1, &[10, 20]);
    let path = way.kit.dir().join("items").join(&way.on_box()[1]);
    let whole = fs::read(&path).expect("there");
    fs::write(&path, b"unreadable").expect("written");
    assert_eq!(way.out().damaged.len(), 1);
    way.take_in_well();
    way.back().expect("taken");
    fs::write(&path, whole).expect("readable again");
    assert_eq!(way.out().items, 1);
    assert_eq!(way.take_in_well(), imported(1));
    let desk = way.desk();
    let stanzas = desk
        .wrapped(EventId::from_bytes([1; 8]))
        .expect("read")
        .expect("wrapped");
    for item in way.at_desk() {
        let file = File::open(way.path("desk/store/items").join(item)).expect("there");
        seal::open_with(file, &stanzas, &way.kit.service).expect("opened");
    }
}

#[test]
fn what_comes_late_of_an_erased_event_is_not_taken() {
    let way = Way::new();
    way.seal(1, &[10, 20]);
    let path = way.kit.dir().join("items").join(&way.on_box()[1]);
    let whole = fs::read(&path).expect("there");
    fs::write(&path, b"unreadable").expect("written");
    way.out();
    way.take_in_well();
    let mut desk = way.desk();
    let event = EventId::from_bytes([1; 8]);
    let erase = |tx: &mut vigie::vault::Tx<'_>| tx.erase_items(at(104), event, &[0], Cause::Expired);
    desk.store.transaction(erase).expect("erased");
    desk.store.close(at(105)).expect("closed");
    fs::write(&path, whole).expect("readable again");
    way.out();
    let outcome = way.take_in_well();
    let Outcome::Imported {
        items, erased_before, ..
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!((items, erased_before), (0, 2));
    assert_eq!(way.at_desk(), [""; 0]);
    way.back().expect("taken");
    assert_eq!(way.on_box(), [""; 0]);
}
