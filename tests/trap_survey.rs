//! A survey tells what a round would do, shows nobody, and leaves the card and the box as they are.

#![cfg(feature = "trap")]

mod common;

use common::{BUSY, EMPTY, Rig, TRIAL, clock, content, frame, stderr};
use image::Rgb;
use vigie::card::Card;
use vigie::trap::Word;
use vigie::trap::survey::{Found, Survey, WIDEST, page};
use vigie::vision::Painted;

fn surveyed(rig: &Rig, at_most: usize) -> Found {
    let config = rig.config();
    let card = Card::open(&rig.card()).expect("a card");
    Survey {
        config: &config,
        camera: &config.cameras[0],
        card: &card,
        detector: &mut Painted::new(),
        now: clock(),
        at_most,
    }
    .run(&mut |_| {})
    .expect("surveyed")
}

#[test]
fn its_verdicts_are_those_of_a_round() {
    let rig = Rig {
        mode: TRIAL,
        ..Rig::new()
    };
    rig.put_busy_card();
    rig.put("DCIM/101MEDIA/IMG_0099.JPG", b"no picture");
    let found = surveyed(&rig, 300);
    let (outcomes, summary) = rig.scan(&mut Painted::new());
    assert_eq!((found.kept as u64, found.events as u64), (summary.kept, 4));
    let mut discarded: Vec<_> = outcomes
        .iter()
        .filter(|o| o.verdict == Word::Discard)
        .map(|o| &o.file)
        .collect();
    let mut shown: Vec<_> = found.sheet.iter().map(|frame| &frame.file).collect();
    discarded.sort();
    shown.sort();
    assert!(!shown.is_empty() && shown == discarded, "{shown:?} {discarded:?}");
    assert_eq!(found.left, [("DCIM/101MEDIA/IMG_0099.JPG".into(), "not-jpeg")]);
    assert!(found.plates.found > 0 && found.plates.widths.is_some());
}

#[test]
fn what_it_shows_is_small_and_shows_nobody() {
    let rig = Rig {
        mode: TRIAL,
        ..Rig::new()
    };
    rig.put_busy_card();
    let found = surveyed(&rig, 300);
    let walkers: Vec<_> = found.sheet.iter().filter(|frame| frame.seen[1] > 0).collect();
    assert!(!walkers.is_empty(), "somebody walked through a discarded frame");
    for frame in &found.sheet {
        let jpeg = frame.shown.as_ref().expect("by day something is left");
        let picture = image::load_from_memory(jpeg).expect("a picture").into_rgb8();
        assert!(picture.width().max(picture.height()) <= WIDEST);
        let green = |p: &&Rgb<u8>| p.0[1] > 180 && p.0[0] < 100 && p.0[2] < 100;
        assert_eq!(picture.pixels().filter(green).count(), 0, "{:?}", frame.file);
    }
    assert!(page::page(&found).contains("data:image/jpeg;base64,"));
}

#[test]
fn by_night_it_shows_what_the_mask_of_the_night_leaves() {
    let rig = Rig {
        mode: TRIAL,
        ..Rig::new()
    };
    let grey = image::DynamicImage::from(common::picture(EMPTY, 1)).into_luma8();
    let grey = common::bare(&image::DynamicImage::from(grey).into_rgb8());
    rig.put(
        "DCIM/100MEDIA/IMG_0001.JPG",
        &common::with_exif(&grey, "23:00:00"),
    );
    let found = surveyed(&rig, 300);
    assert_eq!(found.sheet.len(), 1);
    assert_eq!(found.sheet[0].shown, None);
}

#[test]
fn it_leaves_everything_as_it_is_and_says_what_it_did_not_look_at() {
    let rig = Rig {
        mode: TRIAL,
        ..Rig::new()
    };
    rig.put_busy_card();
    let before = content(rig.folder.path());
    let found = surveyed(&rig, 4);
    assert_eq!((found.frames, found.beyond), (BUSY.len(), BUSY.len() - 4));
    assert_eq!(content(rig.folder.path()), before);
    assert!(!rig.store().exists());
}

#[test]
fn its_page_is_never_put_on_the_card() {
    let rig = Rig {
        mode: TRIAL,
        ..Rig::new()
    };
    rig.write_config();
    rig.put("DCIM/100MEDIA/IMG_0001.JPG", &frame(EMPTY, "08:00:01", 1));
    let refused = rig
        .vigie(&["survey", "card", "--out", "card/releve.html"])
        .output()
        .expect("run");
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("on the card"));
    assert_eq!(content(&rig.card()).len(), 1);
}
