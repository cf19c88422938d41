//! The same on the file systems of real cards, in image files: what is erased is nowhere in the raw volume,
//! a read-only card is told, and a volume mounted into a card is not the card's.
//!
//! Needs root and the FUSE drivers (Debian: fusefat, exfat-fuse, dosfstools, exfatprogs, e2fsprogs); skips without.
#![cfg(feature = "trap")]

mod volumes;

use std::fs;
use std::path::Path;

use vigie::card::{Card, CardPath, Erased, Error, Limits, Why, erase, list};
use vigie::frame::Digest;
use volumes::{Format, Image, alone};

/// Runs a check on each file system that can be mounted here.
fn on_each(check: impl Fn(&Image, &Path)) {
    let _alone = alone();
    for format in Format::ALL {
        let at = tempfile::tempdir().expect("a mount point");
        match Image::new(format) {
            Some(image) if image.mount(at.path(), false).is_some() => check(&image, at.path()),
            _ => eprintln!("skipped on {format:?}: needs root, /dev/fuse and the FUSE drivers"),
        }
    }
}

fn frame() -> Vec<u8> {
    (0..96 * 1024_u32)
        .flat_map(|i| *Digest::of(&i.to_le_bytes()).as_bytes())
        .collect()
}

fn path() -> CardPath {
    CardPath::new("DCIM/100MEDIA/IMG_0001.JPG").expect("below")
}

fn put(card: &Path, bytes: &[u8]) {
    fs::create_dir_all(card.join("DCIM/100MEDIA")).expect("folders");
    fs::write(card.join(path().as_path()), bytes).expect("written");
}

#[test]
fn what_is_erased_is_nowhere_in_the_raw_volume() {
    on_each(|image, at| {
        let frame = frame();
        let mounted = image.mount(at, false).expect("mounted");
        put(at, &frame);
        drop(mounted);
        assert!(
            image.holds(&frame),
            "{:?}: the frame was never there",
            image.format
        );
        let mounted = image.mount(at, false).expect("mounted");
        let card = Card::open(at).expect("a card");
        let found = list(&card, &Limits::default()).expect("a listing").frames;
        assert_eq!(
            found.iter().map(|file| file.path.clone()).collect::<Vec<_>>(),
            [path()]
        );
        assert_eq!(
            erase(&card, &path(), Digest::of(&frame)).expect("erased"),
            Erased::Now
        );
        drop(card);
        drop(mounted);
        assert!(!image.holds(&frame), "{:?}", image.format);
    });
}

#[test]
fn a_read_only_card_is_told_before_and_when_it_is_erased() {
    on_each(|image, at| {
        let mounted = image.mount(at, false).expect("mounted");
        put(at, b"a frame");
        assert!(Card::open(at).and_then(|card| card.writable()).expect("asked"));
        drop(mounted);
        let _mounted = image.mount(at, true).expect("mounted");
        let card = Card::open(at).expect("a card");
        assert!(!card.writable().expect("asked"), "{:?}", image.format);
        let refused = erase(&card, &path(), Digest::of(b"a frame"));
        assert!(
            matches!(refused, Err(Error::ReadOnly(_))),
            "{:?}: {refused:?}",
            image.format
        );
        drop(card);
    });
}

#[test]
fn a_volume_mounted_into_a_card_is_not_the_cards() {
    on_each(|image, _| {
        let root = tempfile::tempdir().expect("a card");
        put(root.path(), b"the card's");
        let inner = root.path().join("inner");
        fs::create_dir(&inner).expect("a folder");
        let _mounted = image.mount(&inner, false).expect("mounted");
        put(&inner, b"not the card's");
        let card = Card::open(root.path()).expect("a card");
        let listing = list(&card, &Limits::default()).expect("a listing");
        assert_eq!(
            (listing.frames.len(), &listing.oddities[0].why),
            (1, &Why::OtherVolume)
        );
        drop(card);
    });
}

#[test]
fn an_unmounted_card_does_not_turn_its_files_into_erased_ones() {
    on_each(|image, at| {
        let mounted = image.mount(at, false).expect("mounted");
        put(at, b"a frame");
        drop(mounted);
        // The mount point is there, empty, as after the card was pulled out.
        let card = Card::open(at).expect("an empty folder");
        let refused = erase(&card, &path(), Digest::of(b"a frame"));
        assert!(matches!(refused, Err(Error::NoFolder(_))), "{refused:?}");
    });
}
