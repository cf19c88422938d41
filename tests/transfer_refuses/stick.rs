//! What whoever has the stick can do to a bundle.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::symlink;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use vigie::transfer::contents::FileFacts;
use vigie::transfer::taking_in::{Outcome, import};
use vigie::transfer::{CONTENTS, DRILL, Error, JOURNAL, Reason};
use vigie::vault::keys::office_init;
use vigie::vault::{Epoch, Recipient};
use vigie::verify;

use crate::transfer_kit::{Way, at, items, name, names, ready};
use crate::vault_kit;
use crate::{refused, remove, write};

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
