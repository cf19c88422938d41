//! The watch wakes on what a camera does, not on what we do; and the timer works where it cannot.
#![cfg(feature = "trap")]

use std::fs;
use std::time::Duration;

use vigie::card::watch::{Wake, Watch};
use vigie::card::{Card, Limits, list};

/// Longer than any test may take: a wait that ends by this timer is a failure.
const FOR_EVER: Duration = Duration::from_secs(120);
const AT_ONCE: Duration = Duration::from_millis(1);

/// Waits until the watch tells of a change that satisfies `enough`.
fn until(watch: &mut Watch, enough: impl Fn(&Wake) -> bool) {
    loop {
        let wake = watch.wait(FOR_EVER);
        assert!(wake.changed, "the timer ended before the change was seen");
        if enough(&wake) {
            return;
        }
    }
}

#[test]
fn a_frame_that_is_written_and_closed_wakes_the_watch_and_is_named() {
    let card = tempfile::tempdir().expect("a card");
    let mut watch = Watch::over([card.path().to_owned()]);
    let frame = card.path().join("IMG_1.JPG");
    fs::write(&frame, b"frame").expect("written");
    until(&mut watch, |wake| wake.closed.contains(&frame));
}

#[test]
fn our_own_reading_does_not_wake_it() {
    let root = tempfile::tempdir().expect("a card");
    fs::write(root.path().join("IMG_1.JPG"), b"frame").expect("written");
    let mut watch = Watch::over([root.path().to_owned()]);
    let card = Card::open(root.path()).expect("a card");
    let listing = list(&card, &Limits::default()).expect("a listing");
    vigie::card::read(&card, &listing.frames[0].path, 1000).expect("read");
    // Events come in order: were reading told, it would be told before this file.
    let after = root.path().join("IMG_2.JPG");
    fs::write(&after, b"frame").expect("written");
    let wake = watch.wait(FOR_EVER);
    assert!(
        wake.changed && wake.closed.iter().all(|path| *path == after),
        "{wake:?}"
    );
    assert_eq!(watch.wait(AT_ONCE), Wake::default());
}

#[test]
fn a_card_taken_out_and_put_back_is_watched_again() {
    let parent = tempfile::tempdir().expect("a folder");
    let root = parent.path().join("card");
    let mut watch = Watch::over([root.clone()]);
    assert_eq!(watch.wait(AT_ONCE), Wake::default(), "no card is no change");
    for round in 0..3 {
        fs::create_dir(&root).expect("put in");
        assert!(watch.wait(FOR_EVER).changed, "round {round}");
        let frame = root.join("IMG_1.JPG");
        fs::write(&frame, b"frame").expect("written");
        until(&mut watch, |wake| wake.closed.contains(&frame));
        fs::remove_dir_all(&root).expect("taken out");
        assert!(watch.wait(FOR_EVER).changed, "round {round}");
    }
}

#[test]
fn two_cards_are_watched_by_one() {
    let cards = [
        tempfile::tempdir().expect("a card"),
        tempfile::tempdir().expect("a card"),
    ];
    let mut watch = Watch::over(cards.iter().map(|card| card.path().to_owned()));
    for card in cards.iter().rev() {
        let folder = card.path().join("DCIM");
        fs::create_dir(&folder).expect("a folder");
        until(&mut watch, |wake| wake.changed);
        let frame = card.path().join("IMG_1.JPG");
        fs::write(&frame, b"frame").expect("written");
        until(&mut watch, |wake| wake.closed.contains(&frame));
    }
}
