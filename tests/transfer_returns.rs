//! The box believes its own desk alone, and destroys nothing that the desk has not named.

mod transfer_kit;
mod vault_kit;

use std::cell::RefCell;
use std::fs;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use transfer_kit::{Way, at, names, refusal};
use vigie::frame::Digest;
use vigie::transfer::orders::{CameraOrders, Mode, Orders};
use vigie::transfer::returning::{self, Return};
use vigie::transfer::{Error, Reason};
use vigie::vault::DevicePublic;
use vigie::vault::keys::{Fingerprint, desk_init};

/// A desk's answer on the stick, to a bundle of two items.
fn answered() -> Way {
    let way = Way::new();
    way.seal(1, &[10, 20]);
    way.out();
    way.take_in_well();
    way
}

#[track_caller]
fn refused(way: &Way, reason: Reason, told: &str) {
    let before = way.on_box();
    let proven = way.proven(&way.recipients());
    let (found, details) = refusal(way.back().expect_err("refused"));
    assert_eq!(found, reason, "{details:?}");
    assert!(details[0].contains(told), "{told:?} is not in {details:?}");
    assert_eq!(way.on_box(), before, "nothing is erased");
    assert_eq!(way.proven(&way.recipients()), proven, "nothing is proven");
}

#[test]
fn a_return_file_is_taken_once() {
    let way = answered();
    assert!(way.back().expect("taken").is_some());
    assert_eq!(way.back().expect("known"), None, "the stick still carries it");
}

#[test]
fn an_older_return_file_is_refused() {
    let way = answered();
    let old = way.stick().join(way.return_name().to_string());
    let text = fs::read(&old).expect("there");
    way.take_in_well();
    assert_eq!(way.return_name().number, 2, "each answer has a number of its own");
    way.back().expect("taken");
    fs::remove_file(way.stick().join(way.return_name().to_string())).expect("removed");
    fs::write(&old, &text).expect("put back");
    refused(&way, Reason::Replay, "number 2 was taken already");
    // Nor under a newer name.
    let renamed = old.with_file_name(way.return_name().to_string().replace("00001", "00009"));
    fs::rename(&old, renamed).expect("renamed");
    refused(&way, Reason::Damaged, "under another name");
}

#[test]
fn a_foreign_desk_is_not_believed() {
    let way = answered();
    let folder = way.path("foreign");
    fs::create_dir(&folder).expect("a folder");
    let made = desk_init(&folder).expect("a new key");
    let foreign = DevicePublic::read_desk(&made.files.public).expect("a key");
    let before = way.on_box();
    let (reason, _) = refusal(way.back_from(&foreign).expect_err("refused"));
    assert_eq!(reason, Reason::UnknownSigner);
    assert_eq!(way.on_box(), before);
}

#[test]
fn an_answer_to_another_box_is_refused() {
    let way = answered();
    let second = way.second_box();
    way.forge_return(|given| given.device = second.id());
    refused(&way, Reason::OtherDevice, "it is for the box");
}

/// What the desk's key could sign, by mistake or in a thief's hand: the box checks what it can itself.
#[test]
fn what_the_desk_signs_must_fit_this_box_all_the_same() {
    type Change = fn(&mut Return);
    let lies: [(Change, Reason, &str); 7] = [
        (
            |g| g.answer.as_mut().expect("one").bundle = 9,
            Reason::Fork,
            "a bundle 9 that this box did not write",
        ),
        (
            |g| g.answer.as_mut().expect("one").contents = Digest::of(b""),
            Reason::Fork,
            "that this box did not write",
        ),
        (
            |g| g.answer.as_mut().expect("one").drill = Digest::of(b""),
            Reason::CannotOpen,
            "has not opened the drill",
        ),
        (
            |g| g.answer.as_mut().expect("one").opened_by = Fingerprint::from_bytes([7; 8]),
            Reason::CannotOpen,
            "has not opened the drill",
        ),
        (
            |g| g.head.hash = Digest::of(b""),
            Reason::Fork,
            "of this box's journal is another",
        ),
        (
            |g| g.head.seq += 1000,
            Reason::Fork,
            "of this box's journal is another",
        ),
        (
            |g| g.recipients.push("no key".to_owned()),
            Reason::Damaged,
            "no vigie key file",
        ),
    ];
    for (change, reason, told) in lies {
        let way = answered();
        way.forge_return(change);
        refused(&way, reason, told);
    }
}

#[test]
fn an_item_of_another_content_stays_and_one_that_is_not_named_too() {
    let way = answered();
    way.forge_return(|given| given.items[0].sha256 = Digest::of(b"another"));
    let taken = way.back().expect("taken").expect("new");
    assert_eq!((taken.erased, taken.kept), (1, 1));
    assert_eq!(way.on_box().len(), 1);
    let way = answered();
    way.forge_return(|given| given.items.clear());
    let taken = way.back().expect("taken").expect("new");
    assert_eq!((taken.erased, taken.kept), (0, 0));
    assert_eq!(way.on_box().len(), 2);
}

#[test]
fn what_cannot_be_carried_out_refuses_the_whole_of_it() {
    let way = answered();
    let mut store = way.kit.open();
    let refuse = |_: &Return| Err(Error::from(cannot()));
    let name = way.return_name();
    let taken = returning::take(
        &mut store,
        &way.desk_public(),
        &way.folder(),
        name,
        at(20),
        refuse,
    );
    assert_eq!(refusal(taken.expect_err("refused")).0, Reason::Order);
    store.close(at(21)).expect("closed");
    assert_eq!(way.on_box().len(), 2);
    assert!(!way.proven(&way.recipients()));
}

fn cannot() -> vigie::transfer::Refusal {
    vigie::transfer::Refusal {
        reason: Reason::Order,
        details: vec!["no such camera".to_owned()],
    }
}

#[test]
fn the_desks_orders_arrive_as_they_were_written() {
    let way = answered();
    let orders = Orders {
        cameras: vec![CameraOrders {
            camera: "quai".parse().expect("plain"),
            clock_correction: Some(-3_600),
            zone: Some(vec![[0.1, 0.2], [0.9, 0.2], [0.3, 0.7]]),
        }],
        mode: Some(Mode::Enforce),
    };
    let folder = way.path("desk/orders");
    fs::create_dir(&folder).expect("a folder");
    let path = folder.join(format!("{}.json", way.kit.device.id()));
    fs::write(&path, serde_json::to_string_pretty(&orders).expect("JSON")).expect("written");
    way.take_in_well();
    way.back().expect("taken");
    let last = returning::last(way.kit.open().sql())
        .expect("read")
        .expect("taken");
    assert_eq!(last.orders, orders);
    // A slip in the file is said before anything is taken.
    fs::write(&path, "{\"mode\":\"enforced\"}").expect("written");
    let opened = vigie::transfer::Desk::open(&way.desk_dir(), at(100));
    assert!(matches!(opened, Err(Error::DeskFile { .. })));
}

#[test]
fn a_later_answer_takes_the_place_of_the_one_before_on_the_stick() {
    let way = answered();
    let unfinished = format!(".new-{}", way.return_name());
    fs::write(way.stick().join(&unfinished), b"half").expect("written");
    way.take_in_well();
    let left: Vec<_> = names(&way.stick())
        .into_iter()
        .filter(|name| name.contains("return"))
        .collect();
    assert_eq!(left, [way.return_name().to_string()]);
    assert_eq!(way.return_name().number, 2);
}

#[test]
fn one_flipped_bit_anywhere_in_a_return_file_is_refused() {
    let way = answered();
    let path = way.stick().join(way.return_name().to_string());
    let whole = fs::read(&path).expect("there");
    let config = Config {
        cases: vault_kit::flips(300),
        rng_seed: RngSeed::Fixed(12),
        failure_persistence: None,
        ..Config::default()
    };
    let store = RefCell::new(way.kit.open());
    let (desk, on_stick, name) = (way.desk_public(), way.folder(), way.return_name());
    TestRunner::new(config)
        .run(&(0..8 * whole.len()), |bit| {
            let mut changed = whole.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &changed).expect("written");
            let taken = returning::take(
                &mut store.borrow_mut(),
                &desk,
                &on_stick,
                name,
                at(20),
                |_| Ok(()),
            );
            prop_assert!(matches!(taken, Err(Error::Refused(_))), "bit {bit}");
            Ok(())
        })
        .expect("each is refused");
    assert_eq!(way.on_box().len(), 2);
}
