//! Bundles and journals that do not go on from what the desk knows.

use std::fs;

use vigie::transfer::{Error, Reason, out};
use vigie::vault::Store;

use crate::refused;
use crate::transfer_kit::{at, name, names, ready};
use crate::vault_kit;

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
