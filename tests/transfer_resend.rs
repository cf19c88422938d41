//! A desk that was restored from a backup and a box that brought bundles since: an order, and they go on together.
#![cfg(feature = "desk")]
#![cfg(feature = "trap")]

mod transfer_kit;
mod vault_kit;

use std::fs;
use std::path::PathBuf;

use transfer_kit::{Way, at, refusal};
use vigie::desk::Office;
use vigie::desk::backup::{self, Backup, Restore};
use vigie::desk::retention::evidence::Evidence;
use vigie::frame::Digest;
use vigie::transfer::Reason;
use vigie::transfer::returning::{self, Acknowledged, Stand};
use vigie::transfer::taking_in::Outcome;

/// Brings one event there, and its answer back.
fn round(way: &Way, event: u8) {
    way.seal(event, &[200]);
    way.out();
    way.take_in_well();
    way.back().expect("taken");
}

fn back_up(way: &Way) -> PathBuf {
    fs::write(
        way.path("desk/desk.toml"),
        include_str!("../docs/desk.example.toml"),
    )
    .expect("written");
    let office = Office::open(&way.desk_dir(), at(150)).expect("a desk");
    office.desk.store.close(at(151)).expect("closed");
    let (desk, to) = (way.desk_dir(), way.path("backup"));
    let asked = Backup {
        desk: &desk,
        to: &to,
        keys: None,
    };
    backup::backup(asked, at(152)).expect("a backup");
    to
}

/// Brings the desk back in its own place.
fn restored(way: &Way, from: &std::path::Path) {
    let lost = way.path("lost");
    fs::rename(way.desk_dir(), &lost).expect("lost");
    let (into, lists) = (way.desk_dir(), [lost]);
    let asked = Restore {
        from,
        keys: None,
        into: &into,
        erasures: &lists,
        desk: None,
    };
    backup::restore(asked, &Evidence, at(160)).expect("restored");
    // In a folder of its own it would be in the keyring; this desk's lay in a file.
    way.give("service-2026-Q4.key", "desk/keys");
}

fn order(way: &Way) {
    let mut desk = way.desk();
    let device = way.kit.device.id();
    returning::order_resend(&mut desk, device, None, &way.stick(), at(170)).expect("ordered");
    desk.store.close(at(171)).expect("closed");
}

fn one(way: &Way, query: &str) -> u64 {
    let desk = way.desk();
    desk.store
        .sql()
        .query_row(query, [], |row| row.get(0))
        .expect(query)
}

#[test]
fn a_restored_desk_and_its_box_go_on_by_an_order_to_resend_and_nothing_comes_twice() {
    let way = Way::new();
    round(&way, 1);
    let backup = back_up(&way);
    round(&way, 2);
    round(&way, 3);
    restored(&way, &backup);
    assert!(
        way.path("desk/desk.pub").exists(),
        "what the boxes know the desk by is there again"
    );
    way.seal(4, &[200]);
    way.out();
    let (reason, details) = way.refused();
    assert_eq!(reason, Reason::Gap);
    assert!(
        details[0].contains("restored from a backup") && details[0].contains("resend"),
        "{details:?}"
    );

    order(&way);
    let taken = way.back().expect("taken").expect("new");
    assert_eq!((taken.erased, taken.kept), (0, 0), "an order erases nothing");
    assert_eq!(way.on_box().len(), 1, "event 4 waits");
    way.out();
    let outcome = way.take_in_well();
    assert_eq!(
        outcome,
        Outcome::Imported {
            items: 1,
            erased_before: 0,
            damaged: 0
        }
    );
    // The box's journal is whole here, from its first line to its last, each line once.
    let gaps = "SELECT count(*) FROM trap_line a WHERE seq > 1
                AND NOT EXISTS (SELECT 1 FROM trap_line b WHERE b.seq = a.seq - 1 AND b.hash = a.prev)";
    assert_eq!(one(&way, gaps), 0);
    assert_eq!(one(&way, "SELECT count(*) - max(seq) FROM trap_line"), 0);
    assert_eq!(
        one(&way, "SELECT count(*) FROM journal WHERE kind = 'resend_ordered'"),
        1
    );
    // It was answered as any bundle is: the box lets go of event 4, and they go on.
    way.back().expect("taken");
    assert!(way.on_box().is_empty());
    round(&way, 5);
}

#[test]
fn a_desk_that_was_restored_to_before_the_first_bundle_orders_from_the_first_line() {
    let way = Way::new();
    let backup = back_up(&way);
    round(&way, 1);
    restored(&way, &backup);
    way.seal(2, &[200]);
    way.out();
    assert_eq!(way.refused().0, Reason::Gap);
    order(&way);
    way.back().expect("taken");
    way.out();
    way.take_in_well();
    way.back().expect("taken");
    assert!(way.on_box().is_empty());
}

#[test]
fn only_an_order_lets_the_box_go_back_and_it_answers_for_nothing() {
    let ready = || {
        let way = Way::new();
        round(&way, 1);
        let backup = back_up(&way);
        round(&way, 2);
        restored(&way, &backup);
        order(&way);
        way
    };
    let refused = |change: fn(&mut returning::Return), reason, told: &str| {
        let way = ready();
        way.forge_return(change);
        let (found, details) = refusal(way.back().expect_err("refused"));
        assert_eq!(found, reason, "{details:?}");
        assert!(details[0].contains(told), "{details:?}");
    };
    refused(|given| given.resend = false, Reason::Replay, "knew line");
    refused(
        |given| {
            given.items.push(Acknowledged {
                event: vigie::frame::EventId::from_bytes([2; 8]),
                number: 0,
                sha256: Digest::of(b""),
                state: Stand::Imported,
            });
        },
        Reason::Damaged,
        "answers for no item",
    );
    refused(|given| given.answer = None, Reason::Damaged, "answers no bundle");
    refused(
        |given| given.head.hash = Digest::of(b""),
        Reason::Fork,
        "is another",
    );
    // Nor is it taken again after a later one.
    let way = ready();
    let text = fs::read(way.stick().join(way.return_name().to_string())).expect("there");
    let first = way.return_name();
    way.back().expect("taken");
    way.seal(3, &[200]);
    way.out();
    way.take_in_well();
    way.back().expect("taken");
    fs::remove_file(way.stick().join(way.return_name().to_string())).expect("removed");
    fs::write(way.stick().join(first.to_string()), text).expect("laid there again");
    let (reason, _) = refusal(way.back().expect_err("refused"));
    assert_eq!(reason, Reason::Replay);
}
