//! What an enrolled box signed, or one that is not enrolled, is refused all the same if it is not true, or does not open.

use std::fs;

use vigie::transfer::{CONTENTS, DRILL, Reason};
use vigie::vault::item::ItemKind;
use vigie::vault::keys::office_init;
use vigie::vault::{Epoch, Recipient};

use crate::transfer_kit::{self, Way, at, items, name, ready};
use crate::{refused, remove, write};

#[test]
fn only_enrolled_boxes_are_known() {
    let way = ready();
    fs::remove_file(way.path("desk/traps/device.pub")).expect("removed");
    refused(&way, Reason::UnknownSigner, "is not enrolled");
}

#[test]
fn a_bundle_of_one_box_does_not_pass_for_that_of_another() {
    let way = ready();
    let second = way.second_box();
    let other = vigie::transfer::BundleName {
        device: second.id(),
        number: 1,
    };
    fs::rename(way.bundle(), way.stick().join(other.to_string())).expect("renamed");
    refused(&way, Reason::OtherDevice, "under another name");
    // Signed by the second box, over the first one's files.
    let path = way.stick().join(other.to_string()).join(CONTENTS);
    transfer_kit::forge(
        &path,
        &way.kit.device,
        |contents: &mut vigie::transfer::Contents| {
            contents.device = second.id();
            contents.device_key = second.public().clone();
        },
    );
    refused(&way, Reason::UnknownSigner, "its signature is not that of");
}

#[test]
fn another_number_on_the_folder_is_refused() {
    let way = ready();
    fs::rename(way.bundle(), way.stick().join(name(&way, 7).to_string())).expect("renamed");
    refused(&way, Reason::OtherDevice, "under another name");
}

/// What a thief of the box's own key can sign.
#[test]
fn what_the_box_signs_must_be_true_all_the_same() {
    type Change = fn(&mut vigie::transfer::Contents);
    let lies: [(&str, Change, Reason, &str); 12] = [
        (
            "an item left out",
            |c| {
                c.items.remove(1);
            },
            Reason::Damaged,
            "it was added",
        ),
        (
            "an item twice",
            |c| c.items.insert(0, c.items[0]),
            Reason::Damaged,
            "listed twice, or out of order",
        ),
        (
            "a size",
            |c| c.items[0].size += 1,
            Reason::Damaged,
            "bytes, where the contents say",
        ),
        (
            "a size that no item has",
            |c| c.items[0].size = 1 << 40,
            Reason::Damaged,
            "are more than any item has",
        ),
        (
            "a journal longer than any file",
            |c| c.journal.size = u64::MAX,
            Reason::Damaged,
            "the journal is longer",
        ),
        (
            "a kind",
            |c| c.items[0].kind = ItemKind::Frame,
            Reason::Damaged,
            "header is that of another item",
        ),
        (
            "the head",
            |c| c.journal.head.seq += 1,
            Reason::Damaged,
            "where the box has signed that it ends",
        ),
        (
            "a journal that ends before it begins",
            |c| (c.journal.after, c.journal.head) = (c.journal.head, c.journal.after),
            Reason::Damaged,
            "ends before it begins",
        ),
        (
            "number 0",
            |c| c.bundle = 0,
            Reason::OtherDevice,
            "counted from 1 to",
        ),
        (
            "the journal of another box",
            |c| {
                c.journal.after.hash = c.journal.head.hash;
            },
            Reason::Damaged,
            "another piece of journal",
        ),
        (
            "a damaged item that is here",
            |c| {
                let item = c.items[0];
                c.damaged = vec![vigie::transfer::contents::ListedName {
                    event: item.event,
                    number: item.number,
                }];
            },
            Reason::Damaged,
            "both here and damaged",
        ),
        (
            "a drill of a megabyte",
            |c| c.drill.size = 1 << 20,
            Reason::Damaged,
            "longer than any drill",
        ),
    ];
    for (lie, change, reason, told) in lies {
        let way = ready();
        way.forge_contents(change);
        eprintln!("{lie}");
        refused(&way, reason, told);
    }
}

#[test]
fn an_item_is_taken_only_if_the_journal_tells_of_it_and_brought_if_it_does() {
    // The journal tells of an item that the bundle keeps back.
    let way = ready();
    let kept_back = items(&way)[2].clone();
    remove(&way, &kept_back);
    way.forge_contents(|contents| contents.items.truncate(2));
    refused(&way, Reason::Damaged, "which the bundle does not bring");
    // And an item of which it tells nothing.
    let way = Way::new();
    way.seal(1, &[10]);
    way.out();
    let event = vigie::frame::EventId::from_bytes([9; 8]);
    let mut sealer =
        vigie::vault::EventSealer::new(way.kit.device.id(), event, &way.recipients()).expect("a sealer");
    let sealed = sealer.seal_record(&"put in").expect("sealed");
    write(&way, &sealed.id().to_string(), sealed.bytes());
    way.forge_contents(|contents| {
        contents.items.push(vigie::transfer::contents::Listed {
            event,
            kind: sealed.kind(),
            number: 0,
            sha256: sealed.digest(),
            size: sealed.bytes().len() as u64,
        });
    });
    refused(&way, Reason::Damaged, "no line of the box's journal tells");
}

#[test]
fn what_no_key_of_the_desk_opens_is_refused_whole() {
    let way = Way::new();
    let folder = way.path("others");
    fs::create_dir(&folder).expect("a folder");
    let made = office_init(&folder, Epoch::new(2026, 4).expect("a quarter")).expect("new keys");
    let others = [Recipient::read(&made.service.public).expect("a key")];
    way.seal(1, &[10]);
    way.seal_to(2, &[10], &others);
    way.out();
    refused(&way, Reason::CannotOpen, "this desk holds none of these keys");
    // Nor does a desk without its secret keys take the drill for opened.
    let way = Way::new();
    way.out();
    fs::remove_file(way.path("desk/keys/service-2026-Q4.key")).expect("removed");
    refused(&way, Reason::CannotOpen, DRILL);
}

#[test]
fn an_item_whose_chunks_do_not_open_is_refused_though_the_box_vouches_for_it() {
    let way = Way::new();
    // Damaged on the box before it was journalled: the journal, the contents and the file agree.
    let mut store = way.kit.open();
    let sealed = way.kit.sealed(1, 300);
    let mut bytes = sealed.bytes().to_vec();
    *bytes.last_mut().expect("bytes") ^= 1;
    let facts = vigie::vault::store::ItemFacts {
        device: way.kit.device.id(),
        id: sealed.id(),
        kind: sealed.kind(),
        size: bytes.len() as u64,
        digest: vigie::frame::Digest::of(&bytes),
    };
    let staged = store
        .staging()
        .take_in(&bytes[..], facts, |_| ())
        .expect("staged")
        .0;
    store
        .transaction(|tx| tx.insert_item(at(2), staged))
        .expect("committed");
    store.close(at(3)).expect("closed");
    way.out();
    refused(&way, Reason::CannotOpen, "damaged in chunk 1 of 1");
}

#[test]
fn an_item_put_into_an_event_under_another_key_is_refused() {
    let way = Way::new();
    way.seal(1, &[10]);
    way.out();
    way.take_in_well();
    let mut store = way.kit.open();
    let mut sealer = way.kit.sealer(1);
    sealer.seal_record(&"number 0").expect("sealed");
    let staged = store
        .stage(sealer.seal_record(&"number 1").expect("sealed"))
        .expect("staged");
    store
        .transaction(|tx| tx.insert_item(at(4), staged))
        .expect("committed");
    store.close(at(5)).expect("closed");
    way.out();
    refused(&way, Reason::Damaged, "is sealed with another key");
}
