//! The unredacted bytes of a frame are on the card and nowhere else, and once it is erased, nowhere at all.
#![cfg(feature = "trap")]

mod common;

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{PERSON, Rig, TRIAL, UNLOADING, bare, content, picture, taken, with_segment};
use exif::experimental::Writer;
use exif::{Field, In, Tag, Value};
use image::imageops::{FilterType, resize};
use vigie::trap::Word;
use vigie::vault::item::ItemKind;
use vigie::vault::{seal, store};
use vigie::vision::Painted;

const PIECE: usize = 512;
const FOLDER: &str = "VIGIE_NO_PIXELS_FOLDER";

/// A frame whose EXIF holds a small copy of its unredacted picture, and another copy behind its end.
fn with_copies(seed: u32, hour: &str) -> (Vec<u8>, Vec<u8>) {
    let large = picture(UNLOADING, seed);
    let thumbnail = bare(&resize(&large, 160, 120, FilterType::Triangle));
    let hour = taken(hour).0.strftime("%Y:%m:%d %H:%M:%S").to_string();
    let field = Field {
        tag: Tag::DateTimeOriginal,
        ifd_num: In::PRIMARY,
        value: Value::Ascii(vec![hour.into_bytes()]),
    };
    let mut writer = Writer::new();
    writer.push_field(&field);
    writer.set_jpeg(&thumbnail, In::THUMBNAIL);
    let mut tiff = std::io::Cursor::new(Vec::new());
    writer.write(&mut tiff, true).expect("written");
    let mut bytes = with_segment(&bare(&large), &tiff.into_inner());
    bytes.extend(bare(&resize(&large, 240, 180, FilterType::Triangle)));
    (bytes, thumbnail)
}

/// The whole pieces of these bytes, at every multiple of [`PIECE`].
fn pieces(bytes: &[u8]) -> HashSet<&[u8]> {
    bytes.chunks_exact(PIECE).collect()
}

/// The first of these bytes that are one of those pieces, wherever they stand.
fn found(bytes: &[u8], pieces: &HashSet<&[u8]>) -> Option<usize> {
    // A rolling look: only where the first eight bytes of a piece stand is the whole piece compared.
    let begins: HashSet<&[u8]> = pieces.iter().map(|piece| &piece[..8]).collect();
    (0..bytes.len().saturating_sub(PIECE - 1))
        .find(|&at| begins.contains(&bytes[at..at + 8]) && pieces.contains(&bytes[at..at + PIECE]))
}

/// Run as a process of its own by the tests below, with a folder for temporary files of its own.
#[test]
fn scans_with_its_own_temporary_folder() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let config = vigie::config::Trap::read(&folder.join("trap.toml")).expect("a configuration");
    let device = vigie::vault::DeviceKey::read(&config.device_key).expect("a key");
    let recipients = vigie::trap::recipients::read(&config).expect("keys");
    let mut store = vigie::vault::Store::open(&config.store, &device, common::clock()).expect("a store");
    let camera = &config.cameras[0];
    vigie::trap::service::Service {
        config: &config,
        store: &mut store,
        recipients: &recipients,
        detector: &mut Painted::new(),
        clock: &common::clock,
        stop: &false.into(),
    }
    .scan(camera, &camera.card, &mut common::Told::default())
    .expect("a whole round");
    // The database, its write-ahead log and all: as they are before the store is closed, and after.
    copy(&config.store, &folder.join("store-before-closing"));
    store.close(common::clock()).expect("closed");
}

fn copy(from: &Path, to: &Path) {
    for (path, bytes) in content(from) {
        let to = to.join(path);
        fs::create_dir_all(to.parent().expect("below")).expect("a folder");
        fs::write(to, bytes).expect("written");
    }
}

fn scan_apart(rig: &Rig) {
    rig.write_config();
    fs::create_dir_all(rig.path("tmp")).expect("a folder");
    let scan = Command::new(std::env::current_exe().expect("this test"))
        .args(["scans_with_its_own_temporary_folder", "--exact"])
        .env(FOLDER, rig.folder.path())
        .env("TMPDIR", rig.path("tmp"))
        .env("SQLITE_TMPDIR", rig.path("tmp"))
        .output()
        .expect("a process");
    assert!(scan.status.success(), "{scan:?}");
}

#[test]
fn no_piece_of_an_original_is_anywhere_but_on_the_card_and_after_its_erasure_nowhere() {
    let mut rig = Rig {
        mode: TRIAL,
        ..Rig::new()
    };
    let originals: Vec<Vec<u8>> = (0..4)
        .map(|n| with_copies(n, &format!("08:20:{:02}", n * 5)).0)
        .chain([
            common::frame(common::WALKER, "10:00:00", 9),
            common::frame(common::EMPTY, "11:00:00", 10),
        ])
        .collect();
    for (number, bytes) in originals.iter().enumerate() {
        rig.put(&format!("IMG_{number:04}.JPG"), bytes);
    }
    let sought: HashSet<&[u8]> = originals.iter().flat_map(|bytes| pieces(bytes)).collect();
    let hits = |rig: &Rig| -> HashSet<PathBuf> {
        let files = content(rig.folder.path());
        let hit = |(path, bytes): &(PathBuf, Vec<u8>)| found(bytes, &sought).map(|_| path.clone());
        files.iter().filter_map(hit).collect()
    };
    rig.prove_keys();
    for mode in [TRIAL, common::ENFORCE] {
        rig.mode = mode;
        scan_apart(&rig);
        let on_card: HashSet<_> = content(&rig.card())
            .into_iter()
            .map(|(path, _)| Path::new("card").join(path))
            .collect();
        assert_eq!(on_card.len(), if mode == TRIAL { originals.len() } else { 0 });
        assert_eq!(hits(&rig), on_card, "{mode}");
    }
    assert!(content(&rig.path("store")).len() > 4, "it was sealed");
}

#[test]
fn what_was_erased_is_overwritten_before_its_name_goes() {
    let rig = Rig::new();
    let bytes = with_copies(1, "08:20:00").0;
    rig.put("A.JPG", &bytes);
    // A second name of the same file on the disk shows what became of its blocks.
    fs::hard_link(rig.card().join("A.JPG"), rig.path("the blocks")).expect("linked");
    rig.scan(&mut Painted::new());
    assert!(!rig.card().join("A.JPG").exists());
    let blocks = fs::read(rig.path("the blocks")).expect("there");
    assert_eq!(blocks.len(), bytes.len());
    assert_eq!(found(&blocks, &pieces(&bytes)), None);
}

#[test]
fn an_opened_frame_holds_neither_the_thumbnail_nor_what_stood_behind_the_picture_nor_the_person() {
    let rig = Rig::new();
    let (bytes, thumbnail) = with_copies(1, "08:20:00");
    rig.put("A.JPG", &bytes);
    let (outcomes, _) = rig.scan(&mut Painted::new());
    assert_eq!(outcomes[0].verdict, Word::Keep);
    let key = rig.service_key();
    let mut frames = 0;
    for (_, path) in store::item_files(&rig.store(), None).expect("items") {
        let opened = seal::open(File::open(path).expect("there"), &key).expect("opened");
        if opened.header.kind != ItemKind::Frame {
            continue;
        }
        frames += 1;
        let jpeg = opened.plaintext;
        let scan_data = &thumbnail[thumbnail.len() - 256..thumbnail.len() - 192];
        assert!(!jpeg.windows(64).any(|w| w == scan_data), "the thumbnail");
        let images = jpeg.windows(3).filter(|w| *w == [0xFF, 0xD8, 0xFF]).count();
        assert_eq!(images, 1, "one picture, and no other inside it or behind");
        assert_eq!(&jpeg[jpeg.len() - 2..], [0xFF, 0xD9]);
        let shown = image::load_from_memory(&jpeg).expect("a picture").to_rgb8();
        let [left, top, width, height] = PERSON;
        for (x, y) in [
            (left, top),
            (left + width / 2, top + height / 2),
            (left + width - 1, top + height - 1),
        ] {
            let [r, g, b] = shown.get_pixel(x, y).0;
            assert!(g < 200 || r > 100 || b > 100, "green at {x},{y}: {:?}", [r, g, b]);
        }
        let [r, g, b] = shown.get_pixel(104, 152).0;
        assert!(b > 200 && r < 60 && g < 60, "the plate stays legible");
    }
    assert_eq!(frames, 1);
}
