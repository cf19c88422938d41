//! A bundle that is not what an enrolled box wrote, whole and next in line, is refused whole, with its reason; and
//! nothing at the desk has changed.

mod transfer_kit;
mod vault_kit;

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::symlink;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use transfer_kit::{Way, at, items, name, names, ready};
use vigie::transfer::contents::FileFacts;
use vigie::transfer::taking_in::{Outcome, import};
use vigie::transfer::{CONTENTS, DRILL, Error, JOURNAL, Reason, out};
use vigie::vault::Store;
use vigie::vault::item::ItemKind;
use vigie::vault::keys::office_init;
use vigie::vault::{Epoch, Recipient};
use vigie::verify;

#[track_caller]
fn refused(way: &Way, reason: Reason, told: &str) {
    let (found, details) = way.refused();
    assert_eq!(found, reason, "{details:?}");
    assert!(
        details.iter().any(|detail| detail.contains(told)),
        "{told:?} is not in {details:#?}"
    );
}

/// What anyone can do who has the stick, and what it is told for.
#[test]
fn whatever_is_changed_on_the_stick_is_refused_and_named() {
    type Attack = fn(&Way);
    let attacks: [(&str, Attack, &str); 13] = [
        (
            "a missing item",
            |way| remove(way, &items(way)[0]),
            "-00000.vgi: it is missing",
        ),
        (
            "a missing contents document",
            |way| remove(way, CONTENTS),
            CONTENTS,
        ),
        (
            "a missing journal",
            |way| remove(way, JOURNAL),
            "journal.jsonl: it is missing",
        ),
        (
            "an added file",
            |way| write(way, "run.sh", b"#!/bin/sh"),
            "run.sh: it was added",
        ),
        (
            "an item under a name that differs by case",
            |way| write(way, &items(way)[0].to_uppercase(), b""),
            "it was added",
        ),
        (
            "an added folder",
            |way| fs::create_dir(way.bundle().join("more")).expect("made"),
            "it was added",
        ),
        (
            "a link for an item",
            |way| link(way, &items(way)[0]),
            "it is a link",
        ),
        (
            "a link for the contents",
            |way| link(way, CONTENTS),
            "contents.txt: it is a link",
        ),
        (
            "a folder for an item",
            |way| {
                let name = items(way)[0].clone();
                remove(way, &name);
                fs::create_dir(way.bundle().join(name)).expect("made");
            },
            "it is a folder",
        ),
        (
            "a FIFO for the drill",
            |way| {
                remove(way, DRILL);
                let path = way.bundle().join(DRILL);
                let mode = rustix::fs::Mode::RWXU;
                rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).expect("made");
            },
            "drill.vgi: it is no plain file",
        ),
        (
            "a cut item",
            |way| resize(way, &items(way)[1], -1),
            "bytes, where the contents say",
        ),
        (
            "a lengthened item",
            |way| resize(way, &items(way)[1], 1 << 20),
            "bytes, where the contents say",
        ),
        (
            "a contents document of 33 MB",
            |way| resize(way, CONTENTS, 33 << 20),
            "bytes are too many",
        ),
    ];
    for (attack, change, told) in attacks {
        let way = ready();
        change(&way);
        eprintln!("{attack}");
        refused(&way, Reason::Damaged, told);
        let report = verify::path(&way.bundle(), Some(way.kit.device.public()), None).expect("a bundle");
        assert!(!report.ok, "{attack}");
    }
}

fn remove(way: &Way, name: &str) {
    fs::remove_file(way.bundle().join(name)).expect("removed");
}

fn write(way: &Way, name: &str, bytes: &[u8]) {
    fs::write(way.bundle().join(name), bytes).expect("written");
}

fn link(way: &Way, name: &str) {
    let (from, to) = (way.bundle().join(name), way.path("elsewhere"));
    fs::rename(&from, &to).expect("moved");
    symlink(to, from).expect("linked");
}

fn resize(way: &Way, name: &str, by: i64) {
    let path = way.bundle().join(name);
    let file = fs::File::options().write(true).open(path).expect("there");
    let length = file.metadata().expect("there").len();
    file.set_len(length.checked_add_signed(by).expect("a length"))
        .expect("resized");
}

#[test]
fn a_bundle_that_is_a_link_is_refused() {
    let way = ready();
    let bundle = way.bundle();
    fs::rename(&bundle, way.path("elsewhere")).expect("moved");
    symlink(way.path("elsewhere"), bundle).expect("linked");
    refused(&way, Reason::Damaged, "it is no folder of its own");
}

#[test]
fn a_name_that_leads_out_of_the_folder_cannot_even_be_said() {
    let way = ready();
    let path = way.bundle().join(CONTENTS);
    let text = fs::read_to_string(&path).expect("there");
    for event in ["../../../../etc/cron", "..", "/etc/passwd", "0101010101010101/"] {
        let forged = text.replace("0101010101010101", event);
        fs::write(&path, &forged).expect("written");
        refused(&way, Reason::Damaged, "its second line is another");
    }
}

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
fn a_length_in_a_header_that_is_not_the_files_is_refused_before_anything_is_allocated() {
    let way = ready();
    let item = items(&way)[0].clone();
    let path = way.bundle().join(&item);
    let mut bytes = fs::read(&path).expect("there");
    // docs/formats.md §2.1: the plaintext's length, here the longest that there may be.
    bytes[32..40].copy_from_slice(&(256u64 << 20).to_be_bytes());
    fs::write(&path, &bytes).expect("written");
    way.forge_contents(|contents| contents.items[0].sha256 = vigie::frame::Digest::of(&bytes));
    refused(&way, Reason::Damaged, "truncated");
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

#[test]
fn a_link_laid_on_the_stick_does_not_lead_the_desks_answer_elsewhere() {
    let way = ready();
    let precious = way.path("precious");
    fs::write(&precious, b"precious").expect("written");
    let name = format!("vigie-return-{}-00001.txt", way.kit.device.id());
    for link in [format!(".new-{name}"), name] {
        symlink(&precious, way.stick().join(link)).expect("linked");
    }
    way.take_in_well();
    assert_eq!(fs::read(&precious).expect("there"), b"precious");
    way.back().expect("taken").expect("new");
}

#[test]
fn an_older_bundle_and_another_of_the_same_number_are_refused() {
    let way = ready();
    let old = way.path("kept");
    vault_copy(&way.bundle(), &old);
    way.take_in_well();
    way.out();
    let second = way.path("second-bundle");
    vault_copy(&way.bundle(), &second);
    way.take_in_well();
    fs::remove_dir_all(way.bundle()).expect("removed");
    fs::rename(&old, way.stick().join(name(&way, 1).to_string())).expect("put back");
    refused(&way, Reason::Replay, "was taken already");
    fs::remove_dir_all(way.bundle()).expect("removed");
    fs::rename(&second, way.stick().join(name(&way, 2).to_string())).expect("put back");
    way.forge_contents(|contents| contents.program = "another".to_owned());
    refused(&way, Reason::Fork, "two histories");
}

fn vault_copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).expect("a folder");
    for name in names(from) {
        fs::copy(from.join(&name), to.join(&name)).expect("copied");
    }
}

#[test]
fn a_journal_with_a_second_history_is_refused_as_a_fork() {
    let way = ready();
    let (store, copy) = (way.kit.dir(), way.path("copy"));
    vault_kit::copy(&store, &copy);
    way.seal(3, &[10]);
    way.out();
    way.take_in_well();
    // The box is set back to its copy, and goes on from there; longer than what the desk knows, and shorter.
    for events in [0, 9] {
        fs::remove_dir_all(&store).expect("removed");
        vault_kit::copy(&copy, &store);
        for event in 0..events {
            way.seal(100 + event, &[10]);
        }
        let mut opened = way.kit.open();
        opened
            .transaction(|tx| {
                tx.raw().execute(
                    "INSERT INTO bundle (number, contents, answer, keys) VALUES (7, '', '', '')",
                    [],
                )?;
                Ok::<_, Error>(())
            })
            .expect("counted on");
        opened.close(at(9)).expect("closed");
        fs::remove_dir_all(way.stick()).expect("lost");
        fs::create_dir(way.stick()).expect("another");
        way.out();
        let told = if events == 0 {
            "it was set back"
        } else {
            "is another than the one known here"
        };
        refused(&way, Reason::Fork, told);
    }
}

#[test]
fn a_piece_of_journal_that_does_not_go_on_from_the_known_one_is_a_gap() {
    let way = ready();
    way.take_in_well();
    way.back().expect("taken");
    way.seal(3, &[10]);
    way.out();
    // Another desk, or one that was set back to before it knew the box.
    fs::remove_dir_all(way.path("desk/store")).expect("removed");
    refused(&way, Reason::Gap, "order the box to resend");
}

#[test]
fn an_event_of_one_box_cannot_be_brought_by_another() {
    let way = ready();
    way.take_in_well();
    fs::remove_dir_all(way.bundle()).expect("removed");
    let second = way.second_box();
    let mut store = Store::open(&way.path("second/store"), &second, at(0)).expect("a store");
    let event = vigie::frame::EventId::from_bytes([1; 8]);
    let mut sealer = vigie::vault::EventSealer::new(second.id(), event, &way.recipients()).expect("a sealer");
    let staged = store
        .stage(sealer.seal_record(&"mine").expect("sealed"))
        .expect("staged");
    store
        .transaction(|tx| tx.insert_item(at(2), staged))
        .expect("committed");
    out::write(&mut store, &second, &way.recipients(), &way.stick(), at(10)).expect("written");
    refused(&way, Reason::OtherDevice, "was taken from the box");
}

#[test]
fn one_flipped_bit_anywhere_in_a_bundle_is_refused_and_found_without_keys() {
    let way = ready();
    let desk = RefCell::new(way.desk());
    let bundle = way.bundle();
    let files: Vec<_> = names(&bundle).into_iter().map(|name| bundle.join(name)).collect();
    let strategy = (0..files.len(), any::<prop::sample::Index>(), 0..8u32);
    let config = Config {
        cases: vault_kit::flips(500),
        rng_seed: RngSeed::Fixed(12),
        failure_persistence: None,
        ..Config::default()
    };
    let device = way.kit.device.public().clone();
    let on_stick = way.folder();
    TestRunner::new(config)
        .run(&strategy, |(file, place, bit)| {
            let whole = fs::read(&files[file]).expect("there");
            let at = place.index(whole.len());
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            fs::write(&files[file], &changed).expect("written");
            let refused = import(&mut desk.borrow_mut(), &on_stick, name(&way, 1), at_desk());
            let report = verify::bundle(&bundle, Some(&device), None).expect("a bundle");
            fs::write(&files[file], &whole).expect("written");
            prop_assert!(
                matches!(refused, Err(Error::Refused(_))),
                "{:?} byte {at}",
                files[file]
            );
            prop_assert!(!report.ok, "{:?} byte {at}", files[file]);
            Ok(())
        })
        .expect("each is found");
    // What was refused each time is taken when it is whole again.
    let taken = import(&mut desk.borrow_mut(), &on_stick, name(&way, 1), at_desk()).expect("taken");
    assert!(matches!(taken, Outcome::Imported { items: 3, .. }));
}

fn at_desk() -> vigie::frame::BoxTime {
    at(101)
}

#[test]
fn no_bytes_in_place_of_a_file_make_the_desk_panic() {
    let way = ready();
    let desk = RefCell::new(way.desk());
    let bundle = way.bundle();
    let config = Config {
        cases: 200,
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        ..Config::default()
    };
    let strategy = (
        prop::sample::select(vec![CONTENTS, JOURNAL, DRILL]),
        prop::collection::vec(any::<u8>(), 0..400),
        any::<bool>(),
    );
    let on_stick = way.folder();
    TestRunner::new(config)
        .run(&strategy, |(file, noise, spliced)| {
            let path = bundle.join(file);
            let whole = fs::read(&path).expect("there");
            let mut changed = noise;
            if spliced {
                // Noise in the middle of what is well formed gets further.
                let middle = whole.len() / 2;
                changed = [&whole[..middle], &changed, &whole[middle..]].concat();
            }
            // The contents vouch for the other files: only so are their readers reached.
            let contents = fs::read(bundle.join(CONTENTS)).expect("there");
            fs::write(&path, &changed).expect("written");
            let facts = FileFacts {
                sha256: vigie::frame::Digest::of(&changed),
                size: changed.len() as u64,
            };
            match file {
                JOURNAL => {
                    way.forge_contents(|c| (c.journal.sha256, c.journal.size) = (facts.sha256, facts.size))
                }
                DRILL => way.forge_contents(|c| c.drill = facts),
                _ => {}
            }
            let same = changed == whole;
            let refused = import(&mut desk.borrow_mut(), &on_stick, name(&way, 1), at_desk());
            let report = verify::bundle(&bundle, None, None).expect("a bundle");
            fs::write(&path, &whole).expect("written");
            fs::write(bundle.join(CONTENTS), contents).expect("written");
            prop_assert!(same || matches!(refused, Err(Error::Refused(_))), "{file}");
            prop_assert!(same || !report.ok, "{file}");
            Ok(())
        })
        .expect("each is refused");
}

#[test]
fn a_refusal_late_in_the_taking_leaves_no_file_behind() {
    let way = Way::new();
    let folder = way.path("others");
    fs::create_dir(&folder).expect("a folder");
    let made = office_init(&folder, Epoch::new(2026, 4).expect("a quarter")).expect("new keys");
    // The last item of many is the one that cannot be opened.
    way.seal(1, &[10, 10, 10, 10]);
    way.seal_to(2, &[10], &[Recipient::read(&made.service.public).expect("a key")]);
    way.out();
    refused(&way, Reason::CannotOpen, "sealed to service");
    assert_eq!(way.at_desk(), [""; 0]);
}
