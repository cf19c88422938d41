//! A card is listed whole and in order, and nothing on it can lead out of it.
#![cfg(feature = "trap")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, Mode, mkfifoat};
use vigie::card::{
    Card, CardPath, Error, FRAME_AT_MOST, Limits, Listing, Why, apart, digest, ends, list, read,
};
use vigie::frame::Digest;

fn put(root: &Path, path: impl AsRef<Path>, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, bytes).expect("written");
}

fn listing(root: &Path) -> Listing {
    list(&Card::open(root).expect("a card"), &Limits::default()).expect("a listing")
}

fn names(listing: &Listing) -> Vec<String> {
    listing.frames.iter().map(|file| file.path.to_string()).collect()
}

fn path(text: &str) -> CardPath {
    CardPath::new(text).expect("below")
}

#[test]
fn every_layout_is_walked_in_the_cameras_order_and_only_pictures_are_frames() {
    let card = tempfile::tempdir().expect("a card");
    let root = card.path();
    for name in [
        "DCIM/100MEDIA/IMG_10.JPG",
        "DCIM/100MEDIA/IMG_9.jpeg",
        "DCIM/100MEDIA/IMG_9.AVI",
        "DCIM/100MEDIA/IMG_9.THM",
        "DCIM/rue du moulin/old/PICT0001.Jpg",
        "PHOTO/1.jpg",
        "IMG_1.JPG",
        "DCIM/100MEDIA/IMG_10.JPG.txt",
        "DCIM/100MEDIA/._IMG_10.JPG",
        "notes.pdf",
        "System Volume Information/x.jpg",
        ".Trashes/501/x.jpg",
        "lost.dir/x.jpg",
    ] {
        put(root, name, b"bytes");
    }
    let listing = listing(root);
    assert_eq!(
        names(&listing),
        [
            "IMG_1.JPG",
            "DCIM/100MEDIA/IMG_9.jpeg",
            "DCIM/100MEDIA/IMG_10.JPG",
            "DCIM/rue du moulin/old/PICT0001.Jpg",
            "PHOTO/1.jpg",
        ]
    );
    assert_eq!(listing.videos.len(), 2);
    assert_eq!(listing.others, 3);
    assert_eq!(listing.frames[0].size, 5);
    assert!(listing.complete && listing.oddities.is_empty());
}

#[test]
fn links_fifos_and_folders_named_like_frames_are_never_frames() {
    let outside = tempfile::tempdir().expect("a folder");
    put(outside.path(), "secret.jpg", b"not the card's");
    let card = tempfile::tempdir().expect("a card");
    let root = card.path();
    put(
        root,
        "DCIM/X.JPG/IMG_1.JPG",
        b"a frame in a folder named like one",
    );
    symlink(outside.path(), root.join("DCIM/out")).expect("a link");
    symlink(outside.path().join("secret.jpg"), root.join("DCIM/IMG_2.JPG")).expect("a link");
    symlink(root, root.join("DCIM/loop")).expect("a link");
    mkfifoat(CWD, root.join("DCIM/IMG_3.JPG"), Mode::RUSR | Mode::WUSR).expect("a fifo");

    let listing = listing(root);
    assert_eq!(names(&listing), ["DCIM/X.JPG/IMG_1.JPG"]);
    let odd: Vec<_> = listing
        .oddities
        .iter()
        .map(|odd| (odd.path.to_string(), odd.why.clone()))
        .collect();
    let expected = [
        ("DCIM/IMG_2.JPG", Why::Link),
        ("DCIM/IMG_3.JPG", Why::NotAFile),
        ("DCIM/loop", Why::Link),
        ("DCIM/out", Why::Link),
    ];
    assert_eq!(odd, expected.map(|(path, why)| (path.to_owned(), why)));

    let card = Card::open(root).expect("a card");
    for name in [
        "DCIM/IMG_2.JPG",
        "DCIM/IMG_3.JPG",
        "DCIM/X.JPG",
        "DCIM/out/secret.jpg",
        "DCIM/loop/DCIM/X.JPG/IMG_1.JPG",
    ] {
        let refused = read(&card, &path(name), FRAME_AT_MOST);
        assert!(matches!(refused, Err(Error::NotAFile(_))), "{name}: {refused:?}");
    }
}

#[test]
fn a_folder_exchanged_for_a_link_while_the_card_is_open_leads_nowhere() {
    let outside = tempfile::tempdir().expect("a folder");
    put(outside.path(), "IMG_1.JPG", b"not the card's");
    let root = tempfile::tempdir().expect("a card");
    put(root.path(), "DCIM/IMG_1.JPG", b"the card's");
    let card = Card::open(root.path()).expect("a card");
    let file = list(&card, &Limits::default())
        .expect("a listing")
        .frames
        .remove(0);
    fs::remove_dir_all(root.path().join("DCIM")).expect("removed");
    symlink(outside.path(), root.path().join("DCIM")).expect("a link");
    assert!(matches!(
        read(&card, &file.path, FRAME_AT_MOST),
        Err(Error::NotAFile(_))
    ));
    let refused = vigie::card::erase(&card, &file.path, Digest::of(b"not the card's"));
    assert!(matches!(refused, Err(Error::NotAFile(_))), "{refused:?}");
    assert_eq!(
        fs::read(outside.path().join("IMG_1.JPG")).expect("there"),
        b"not the card's"
    );
}

#[test]
fn names_that_are_no_utf8_are_listed_read_and_remembered() {
    let card = tempfile::tempdir().expect("a card");
    let name = OsStr::from_bytes(b"IMG_\xe9t\xe9.JPG");
    put(card.path(), name, b"summer");
    let file = listing(card.path()).frames.remove(0);
    assert_eq!(file.path.to_string(), "IMG_\u{fffd}t\u{fffd}.JPG");
    let again = CardPath::from_bytes(file.path.as_bytes()).expect("bytes");
    let card = Card::open(card.path()).expect("a card");
    assert_eq!(read(&card, &again, FRAME_AT_MOST).expect("read"), b"summer");
    assert_eq!(digest(&card, &again).expect("hashed"), Digest::of(b"summer"));
}

#[test]
fn a_walk_is_bounded_in_depth_and_in_number_and_says_so() {
    let card = tempfile::tempdir().expect("a card");
    put(card.path(), "a/b/c/deep.jpg", b"x");
    for i in 0..10 {
        put(card.path(), format!("{i}.jpg"), b"x");
    }
    let opened = Card::open(card.path()).expect("a card");
    let few = list(&opened, &Limits { depth: 16, names: 5 }).expect("a listing");
    assert!(!few.complete && few.frames.len() <= 5);
    let flat = list(&opened, &Limits { depth: 2, names: 100 }).expect("a listing");
    assert!(!flat.complete && flat.frames.len() == 10);
    assert_eq!(flat.oddities[0].why, Why::TooDeep);
    assert!(
        list(&opened, &Limits { depth: 3, names: 14 })
            .expect("a listing")
            .complete
    );
}

#[test]
fn what_cannot_be_a_frame_is_refused_by_its_size_before_it_is_read() {
    let root = tempfile::tempdir().expect("a card");
    put(root.path(), "empty.jpg", b"");
    let huge = fs::File::create(root.path().join("huge.jpg")).expect("a file");
    huge.set_len(FRAME_AT_MOST + 1).expect("a sparse file");
    let card = Card::open(root.path()).expect("a card");
    assert!(matches!(
        read(&card, &path("empty.jpg"), FRAME_AT_MOST),
        Err(Error::Empty(_))
    ));
    assert!(matches!(
        read(&card, &path("huge.jpg"), FRAME_AT_MOST),
        Err(Error::TooBig { size, limit: FRAME_AT_MOST, .. }) if size == FRAME_AT_MOST + 1
    ));
    assert!(matches!(
        read(&card, &path("no.jpg"), FRAME_AT_MOST),
        Err(Error::Missing(_))
    ));
    assert!(matches!(
        read(&card, &path("no/no.jpg"), FRAME_AT_MOST),
        Err(Error::NoFolder(_))
    ));
}

#[test]
fn the_end_marker_is_looked_for_in_the_tail_only() {
    let root = tempfile::tempdir().expect("a card");
    let mut truncated = b"\xff\xd8 a thumbnail \xff\xd9".to_vec();
    truncated.resize(200_000, 0x55);
    put(root.path(), "truncated.jpg", &truncated);
    put(root.path(), "whole.jpg", &[&truncated[..], b"\xff\xd9"].concat());
    put(root.path(), "small.jpg", b"\xff\xd9");
    let card = Card::open(root.path()).expect("a card");
    let ends = |name| ends(&card, &path(name)).expect("read");
    assert_eq!(
        (ends("truncated.jpg"), ends("whole.jpg"), ends("small.jpg")),
        (false, true, true)
    );
}

#[test]
fn a_card_that_is_not_there_is_gone_and_one_that_vanishes_is_no_empty_one() {
    let parent = tempfile::tempdir().expect("a folder");
    let root = parent.path().join("card");
    assert!(matches!(Card::open(&root), Err(Error::Gone(_))));
    fs::write(&root, b"").expect("a file");
    assert!(matches!(Card::open(&root), Err(Error::NotAFolder(_))));
    fs::remove_file(&root).expect("removed");
    put(&root, "IMG_1.JPG", b"x");
    let card = Card::open(&root).expect("a card");
    assert!(card.writable().expect("asked"));
    fs::remove_dir_all(&root).expect("pulled out");
    let vanished = list(&card, &Limits::default());
    assert!(matches!(vanished, Err(Error::Gone(_))), "{vanished:?}");
}

#[test]
fn the_store_and_the_card_are_two_places_also_through_links() {
    let parent = tempfile::tempdir().expect("a folder");
    let at = |name: &str| parent.path().join(name);
    fs::create_dir_all(at("card/DCIM")).expect("a card");
    fs::create_dir(at("store")).expect("a store");
    symlink(at("card/DCIM"), at("link")).expect("a link");
    assert!(apart(&at("card"), &at("store")).is_ok());
    assert!(
        apart(&at("card"), &at("card-2")).is_ok(),
        "neither needs to be there"
    );
    assert!(apart(&at("not/yet"), &at("store")).is_ok());
    for (card, ours) in [
        ("card", "card"),
        ("card", "card/store"),
        ("card", "store/../card/x/y"),
        ("card", "link/store"),
        ("link", "card"),
        ("store/card", "store"),
    ] {
        let refused = apart(&at(card), &at(ours));
        assert!(
            matches!(refused, Err(Error::Overlap { .. })),
            "{card} {ours}: {refused:?}"
        );
    }
}
