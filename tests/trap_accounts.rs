//! Whatever lies on a card, every file is accounted for exactly once, and what is nobody's frame is not touched.
#![cfg(feature = "trap")]

mod common;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use common::{EMPTY, ENFORCE, Rig, TRIAL, VAN, bare, content, count, frame, picture, told, with_exif};
use jpeg_encoder::{ColorType, Encoder};
use vigie::trap::Word;
use vigie::vision::Painted;

/// A picture of a van, encoded in a way of its own.
fn encoded(colours: ColorType, pixels: &[u8], change: impl Fn(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    change(&mut encoder);
    encoder.encode(pixels, 320, 240, colours).expect("encoded");
    bytes
}

/// Exchanges the frame header's marker and, if given, its size.
fn with_header(mut jpeg: Vec<u8>, marker: u8, size: Option<u16>) -> Vec<u8> {
    let at = jpeg
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC0])
        .expect("a baseline header");
    jpeg[at + 1] = marker;
    if let Some(size) = size {
        jpeg[at + 5..at + 7].copy_from_slice(&size.to_be_bytes());
        jpeg[at + 7..at + 9].copy_from_slice(&size.to_be_bytes());
    }
    jpeg
}

/// Everything that a person or a broken camera may put on a card. Returns name, verdict and reason of each.
fn put_everything(rig: &Rig) -> Vec<(&'static str, Word, &'static str)> {
    use Word::{Discard, Keep, Left};
    let van = |seed, hour: &str| frame(VAN, hour, seed);
    let rgb = picture(VAN, 40);
    let cmyk: Vec<u8> = rgb.pixels().flat_map(|p| [p[0], p[1], p[2], 255]).collect();
    let progressive = encoded(ColorType::Rgb, rgb.as_raw(), |e| e.set_progressive(true));
    let plain = bare(&picture(EMPTY, 41));
    rig.put("DCIM/a/IMG_0001.JPG", &van(1, "08:00:00"));
    rig.put("DCIM/b/IMG_0001.JPG", &van(2, "08:30:00"));
    rig.put("DCIM/b/copy of it.jpeg", &van(1, "08:00:00"));
    rig.put("DCIM/c/empty1.jpg", &frame(EMPTY, "09:00:00", 3));
    rig.put("DCIM/c/empty2.jpg", &frame(EMPTY, "09:00:00", 3));
    rig.put("DCIM/c/progressive.jpg", &with_exif(&progressive, "09:30:00"));
    rig.put("DCIM/odd/text.JPG", b"these are no pixels");
    rig.put("DCIM/odd/zero.JPG", b"");
    let whole = van(4, "10:00:00");
    rig.put("DCIM/odd/cut.JPG", &whole[..whole.len() / 2]);
    rig.put(
        "DCIM/odd/huge.JPG",
        &with_header(plain.clone(), 0xC0, Some(65_500)),
    );
    rig.put("DCIM/odd/arithmetic.JPG", &with_header(plain, 0xC9, None));
    rig.put("DCIM/odd/cmyk.JPG", &encoded(ColorType::Cmyk, &cmyk, |_| ()));
    rig.put("DCIM/odd/MOV_0001.AVI", b"RIFF");
    rig.put("DCIM/odd/MOV_0002.mp4", b"");
    fs::create_dir_all(rig.card().join("DCIM/FOLDER.JPG")).expect("a folder");
    rig.put("DCIM/FOLDER.JPG/inside.JPG", &frame(EMPTY, "11:00:00", 5));
    rig.put(".hidden.JPG", b"a system's own");
    let outside = rig.path("outside.jpg");
    fs::write(&outside, frame(VAN, "11:30:00", 6)).expect("written");
    symlink(&outside, rig.card().join("DCIM/out.JPG")).expect("a link");
    symlink("a/IMG_0001.JPG", rig.card().join("DCIM/in.JPG")).expect("a link");
    symlink("..", rig.card().join("DCIM/loop")).expect("a link");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        rig.card().join("DCIM/pipe.jpg"),
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .expect("a FIFO");
    vec![
        ("DCIM/a/IMG_0001.JPG", Keep, "vehicle-in-zone"),
        ("DCIM/b/IMG_0001.JPG", Keep, "vehicle-in-zone"),
        ("DCIM/b/copy of it.jpeg", Keep, "vehicle-in-zone"),
        ("DCIM/c/empty1.jpg", Discard, "empty"),
        ("DCIM/c/empty2.jpg", Discard, "empty"),
        ("DCIM/c/progressive.jpg", Keep, "vehicle-in-zone"),
        ("DCIM/FOLDER.JPG/inside.JPG", Discard, "empty"),
        ("DCIM/odd/text.JPG", Left, "not-jpeg"),
        ("DCIM/odd/zero.JPG", Left, "empty-file"),
        ("DCIM/odd/cut.JPG", Left, "truncated"),
        ("DCIM/odd/huge.JPG", Left, "too-large"),
        ("DCIM/odd/arithmetic.JPG", Left, "unsupported"),
        ("DCIM/odd/cmyk.JPG", Left, "unsupported"),
        ("DCIM/odd/MOV_0001.AVI", Left, "video"),
        ("DCIM/odd/MOV_0002.mp4", Left, "video"),
        ("DCIM/out.JPG", Left, "link"),
        ("DCIM/in.JPG", Left, "link"),
        ("DCIM/loop", Left, "link"),
        ("DCIM/pipe.jpg", Left, "not-a-file"),
    ]
}

#[test]
fn every_file_is_accounted_for_exactly_once_whatever_it_is() {
    for mode in [ENFORCE, TRIAL] {
        let rig = Rig { mode, ..Rig::new() };
        let expected = put_everything(&rig);
        let outside = fs::read(rig.path("outside.jpg")).expect("there");
        let before = content(&rig.card());
        // Again and again, beyond the attempts that a broken file is given.
        for round in 0..5 {
            let (outcomes, summary) = rig.scan(&mut Painted::new());
            let there = |(name, ..): &&(&str, Word, &str)| {
                round == 0 || mode == TRIAL || rig.card().join(name).symlink_metadata().is_ok()
            };
            let expected: Vec<_> = expected.iter().filter(there).collect();
            for (name, verdict, reason) in &expected {
                let outcome = told(&outcomes, name);
                let found = (outcome.verdict, outcome.reason.as_str());
                assert_eq!(found, (*verdict, *reason), "{mode} round {round}: {name}");
            }
            assert_eq!(outcomes.len(), expected.len(), "{mode} round {round}");
            let counts =
                [Word::Keep, Word::Discard, Word::Held, Word::Left].map(|w| count(&outcomes, w) as u64);
            let summed = [summary.kept, summary.discarded, summary.held, summary.left];
            assert_eq!((counts, summary.files), (summed, outcomes.len() as u64));
            assert_eq!(summary.others, 1);
            let erased = if round == 0 && mode == ENFORCE {
                counts[0] + counts[1]
            } else {
                0
            };
            assert_eq!(
                (summary.erased, summary.not_erased),
                (erased, 0),
                "{mode} round {round}"
            );
        }
        assert_eq!(
            fs::read(rig.path("outside.jpg")).expect("there"),
            outside,
            "never through a link"
        );
        let stays = |(path, _): &(std::path::PathBuf, Vec<u8>)| {
            mode == TRIAL
                || expected
                    .iter()
                    .all(|(name, verdict, _)| Path::new(name) != path || *verdict == Word::Left)
        };
        let after: Vec<_> = before.into_iter().filter(stays).collect();
        assert!(
            content(&rig.card()) == after,
            "{mode}: what was left is there byte for byte"
        );
    }
}

#[test]
fn a_card_full_of_other_peoples_files_is_not_touched() {
    let rig = Rig::new();
    for name in [
        "thesis.pdf",
        "notes.txt",
        "holiday/beach.png",
        "IMG_0001.JPG.bak",
        "no extension",
    ] {
        rig.put(name, name.as_bytes());
    }
    let before = content(&rig.card());
    let (outcomes, summary) = rig.scan(&mut Painted::new());
    assert_eq!(outcomes, []);
    assert_eq!((summary.files, summary.others, summary.erased), (0, 5, 0));
    assert_eq!(content(&rig.card()), before);
}

#[test]
fn a_name_that_is_no_utf8_is_a_frame_like_any_other() {
    let rig = Rig::new();
    let name = OsStr::from_bytes(b"IMG_\xff\xfe.JPG");
    fs::write(rig.card().join(name), frame(VAN, "08:00:00", 1)).expect("written");
    fs::write(rig.card().join(OsStr::from_bytes(b"\xc3\x28.jpg")), b"no JPEG").expect("written");
    let (outcomes, _) = rig.scan(&mut Painted::new());
    assert_eq!(outcomes.len(), 2);
    let kept = outcomes.iter().find(|o| o.verdict == Word::Keep).expect("kept");
    assert_eq!(kept.file, Path::new(name));
    assert!(!rig.card().join(name).exists());
    assert_eq!(count(&outcomes, Word::Left), 1);
}

#[test]
fn videos_are_erased_at_once_where_the_city_chose_so_whatever_they_hold() {
    let rig = Rig {
        settings: "video = \"discard\"".to_owned(),
        ..Rig::new()
    };
    rig.put("A.AVI", b"RIFF and so on");
    rig.put("B.MP4", b"");
    rig.put("C.JPG", &frame(VAN, "08:00:00", 1));
    symlink("A.AVI", rig.card().join("D.AVI")).expect("a link");
    let (outcomes, summary) = rig.scan(&mut Painted::new());
    assert_eq!(told(&outcomes, "A.AVI").verdict, Word::Discard);
    assert_eq!(told(&outcomes, "B.MP4").verdict, Word::Left);
    assert_eq!(told(&outcomes, "B.MP4").reason, "empty-file");
    assert_eq!(told(&outcomes, "C.JPG").verdict, Word::Keep);
    assert_eq!(told(&outcomes, "D.AVI").reason, "link");
    assert_eq!((summary.files, summary.erased), (4, 2));
    assert!(!rig.card().join("A.AVI").exists() && rig.card().join("B.MP4").exists());
}

#[test]
fn a_broken_file_that_was_taken_away_is_no_longer_counted() {
    let rig = Rig::new();
    let broken = rig.put("A.JPG", b"no JPEG");
    rig.scan(&mut Painted::new());
    let left = || {
        let config = rig.config();
        let store = rig.open_store();
        let ledger = vigie::trap::ledger::Ledger::of(store.sql(), &config.cameras[0].id);
        ledger.left_count().expect("counted")
    };
    assert_eq!(left(), 1);
    fs::remove_file(broken).expect("removed");
    rig.scan(&mut Painted::new());
    assert_eq!(left(), 0);
}
