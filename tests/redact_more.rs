//! Hiding more in a redacted frame never shows anything that was hidden, and changes nothing that is not.
#![cfg(feature = "desk")]

use image::{Rgb, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use proptest::prelude::*;
use vigie::frame::{BoxTime, Digest};
use vigie::jpeg::compare::Written;
use vigie::jpeg::{Facts, Layout, decode};
use vigie::redact::{
    Context, Error, Evidence, Fill, Mask, Occupants, Original, Person, Plan, Policy, Redacted, Redaction,
    Rules, Seen, mask_more, redact,
};
use vigie::verify;
use vigie::vision::Detection;

fn now() -> BoxTime {
    BoxTime("2026-11-22T10:00:00Z".parse().expect("an instant"))
}

/// A frame as a camera writes it, in one of the ways in which cameras do.
fn camera_file(size: [u16; 2], sampling: SamplingFactor, progressive: bool, turned: u16) -> Vec<u8> {
    let [width, height] = size;
    let picture = RgbImage::from_fn(width.into(), height.into(), |x, y| {
        let grain = (x * 7919 + y * 104_729) % 61;
        Rgb([
            (x + grain) as u8,
            (y / 2 + grain) as u8,
            (x / 3 + y / 5 + grain) as u8,
        ])
    });
    let facts = Facts {
        orientation: turned.try_into().expect("1 to 8"),
        ..Facts::default()
    };
    let exif = [&b"Exif\0\0"[..], &facts.exif()].concat();
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, 90);
    encoder.set_sampling_factor(sampling);
    encoder.set_progressive(progressive);
    encoder.add_app_segment(1, exif).expect("a segment");
    encoder
        .encode(&picture, width, height, ColorType::Rgb)
        .expect("encoded");
    jpeg
}

fn redacted(jpeg: &[u8], persons: &[[f32; 4]], fill: Fill) -> Redacted {
    let original = Original::read(jpeg).expect("sound");
    let person = |rect: &[f32; 4]| Person {
        seen: Detection {
            rect: (*rect).into(),
            score: 0.5,
        },
        silhouette: None,
    };
    let seen = Seen {
        persons: persons.iter().map(person).collect(),
        ..Seen::default()
    };
    let rules = Rules {
        policy: Policy::Persons,
        occupants: Occupants::Leave,
        privacy: &[],
        waste: None,
    };
    let context = Context {
        camera: "quai".parse().expect("plain"),
        now: now(),
        correction: 0,
        networks: Vec::new(),
        zone: Digest::of(b"zone"),
    };
    let plan = Plan::new(original.canvas(), &rules, &Evidence::Seen(seen));
    redact(&original, &plan, fill, &context).expect("redacted")
}

fn pixels(jpeg: &[u8]) -> RgbImage {
    decode(jpeg, &Layout::parse(jpeg).expect("sound")).expect("sound")
}

/// Whether anyone who has frame and manifest finds that one bears out the other.
fn stands(frame: &Redacted) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let [picture, manifest] = ["frame.jpg", "manifest.json"].map(|name| folder.path().join(name));
    std::fs::write(&picture, frame.jpeg()).expect("written");
    std::fs::write(&manifest, frame.manifest().to_json().expect("plain")).expect("written");
    let report = verify::frame(&picture, &manifest).expect("read");
    assert!(report.ok, "{report:?}");
    report.ok
}

/// All coefficients of the MCUs that are hidden or not by this mask, of a file whose MCUs are the mask's units.
fn coefficients(jpeg: &[u8], mask: &Mask, hidden: bool) -> Digest {
    let (written, _) = Written::read(jpeg).expect("sound");
    written.hash(|mcu| mask.masked()[mcu] != hidden).expect("sound")
}

/// The Huffman tables that a file was written with.
fn tables(frame: &Redacted) -> Vec<Vec<u8>> {
    let layout = Layout::parse(frame.jpeg()).expect("sound");
    let is_table = |s: &&vigie::jpeg::Segment| s.marker == 0xC4;
    layout
        .segments
        .iter()
        .filter(is_table)
        .map(|s| s.payload(frame.jpeg()).to_vec())
        .collect()
}

fn rects(most: usize) -> impl Strategy<Value = Vec<[f32; 4]>> {
    let rect =
        (-40i16..400, -40i16..400, 1i16..160, 1i16..160).prop_map(|(x, y, w, h)| [x, y, w, h].map(f32::from));
    proptest::collection::vec(rect, 0..most)
}

fn samplings() -> impl Strategy<Value = SamplingFactor> {
    prop_oneof![
        Just(SamplingFactor::F_1_1),
        Just(SamplingFactor::F_2_1),
        Just(SamplingFactor::F_1_2),
        Just(SamplingFactor::F_2_2),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn masks_only_grow_and_everything_outside_stays(
        size in [40u16..360, 40u16..360],
        sampling in samplings(),
        progressive in proptest::bool::weighted(0.25),
        turned in 1u16..=8,
        mosaic in any::<bool>(),
        persons in rects(3),
        steps in proptest::collection::vec(rects(3), 1..4),
    ) {
        let camera = camera_file(size, sampling, progressive, turned);
        let fill = if mosaic { Fill::Mosaic } else { Fill::Flat };
        let mut frame = redacted(&camera, &persons, fill);
        let original = frame.manifest().original;
        for step in steps {
            let before = frame.clone();
            let canvas = before.manifest().canvas().expect("a mask of its own");
            let mut added = Mask::none(canvas.grid);
            step.iter().for_each(|rect| canvas.hide(&mut added, (*rect).into()));
            let hidden = before.manifest().hidden().expect("its own");
            let mut united = hidden.clone();
            united.unite(&added);
            frame = match mask_more(before.jpeg(), before.manifest(), &added, now()) {
                Err(Error::NothingAdded) => {
                    prop_assert_eq!(&united, &hidden, "something was to be hidden");
                    continue;
                }
                made => made.expect("masked more"),
            };
            // It hides the union, exactly.
            prop_assert_eq!(frame.manifest().hidden().expect("its own"), united.clone());
            prop_assert!(stands(&frame));
            // It tells of the same original, and of the version that it stands for.
            prop_assert_eq!(frame.manifest().original, original);
            let former = frame.manifest().supersedes.as_ref().expect("it supersedes one");
            prop_assert_eq!(former.redacted, before.manifest().redacted.sha256);
            prop_assert_eq!(former.manifest, Digest::of(&before.manifest().to_json().expect("plain")));
            // Outside, nothing changed: all bits where the Huffman tables stayed, all pixels away from the mask's edge.
            // What was hidden already is filled as it was, to the coefficient: nothing comes back.
            if frame.manifest().redaction == Redaction::Splice && tables(&frame) == tables(&before) {
                prop_assert_eq!(coefficients(frame.jpeg(), &united, false), coefficients(before.jpeg(), &united, false));
                prop_assert_eq!(coefficients(frame.jpeg(), &hidden, true), coefficients(before.jpeg(), &hidden, true));
            }
            let (old, new) = (pixels(before.jpeg()), pixels(frame.jpeg()));
            let [w, h] = united.grid().unit.map(u32::from);
            for (x, y, is) in new.enumerate_pixels() {
                // A decoder mixes the chroma of neighbouring units.
                let near = (x.saturating_sub(2)..=x + 2).flat_map(|x| (y.saturating_sub(2)..=y + 2).map(move |y| (x, y)));
                let unit = |(x, y): (u32, u32)| (x < old.width() && y < old.height()).then_some((x / w, y / h));
                let near: Vec<_> = near.filter_map(unit).collect();
                let all = |of: &dyn Fn(u32, u32) -> bool| near.iter().all(|unit| of(unit.0, unit.1));
                if all(&|i, j| !united.contains(i, j)) || all(&|i, j| hidden.contains(i, j)) {
                    prop_assert_eq!(is, old.get_pixel(x, y), "{}, {}", x, y);
                }
            }
        }
    }
}

#[test]
fn what_was_hidden_at_the_desk_adds_up_over_versions() {
    let frame = redacted(
        &camera_file([320, 240], SamplingFactor::F_2_1, false, 1),
        &[[60.0, 50.0, 40.0, 90.0]],
        Fill::Flat,
    );
    let canvas = frame.manifest().canvas().expect("its own");
    let more = |frame: &Redacted, rect: [f32; 4]| {
        mask_more(frame.jpeg(), frame.manifest(), &canvas.around(rect.into()), now()).expect("masked more")
    };
    let second = more(&frame, [200.0, 100.0, 30.0, 30.0]);
    let third = more(&second, [0.0, 0.0, 16.0, 16.0]);
    let added = |frame: &Redacted| {
        let former = frame.manifest().supersedes.clone().expect("it supersedes one");
        former.added.on(frame.manifest().size).expect("a mask")
    };
    let mut expected = canvas.around([200.0, 100.0, 30.0, 30.0].into());
    assert_eq!(added(&second), expected);
    expected.unite(&canvas.around([0.0, 0.0, 16.0, 16.0].into()));
    assert_eq!(added(&third), expected);
    assert!(frame.manifest().supersedes.is_none());
}

#[test]
fn a_manifest_of_before_reads_as_before() {
    let frame = redacted(
        &camera_file([64, 64], SamplingFactor::F_1_1, false, 1),
        &[[10.0, 10.0, 20.0, 20.0]],
        Fill::Flat,
    );
    let json = String::from_utf8(frame.manifest().to_json().expect("plain")).expect("text");
    assert!(!json.contains("supersedes"), "{json}");
}

#[test]
fn another_frame_another_grid_and_nothing_new_are_refused() {
    let file = camera_file([320, 240], SamplingFactor::F_2_2, false, 1);
    let frame = redacted(&file, &[[60.0, 50.0, 40.0, 90.0]], Fill::Flat);
    let canvas = frame.manifest().canvas().expect("its own");
    let everything = Mask::all(canvas.grid);
    let other = redacted(&file, &[[160.0, 50.0, 40.0, 90.0]], Fill::Flat);
    let refused =
        |jpeg: &[u8], mask: &Mask| mask_more(jpeg, frame.manifest(), mask, now()).expect_err("refused");
    assert!(matches!(refused(other.jpeg(), &everything), Error::OtherFrame));
    let mut changed = frame.jpeg().to_vec();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    assert!(matches!(refused(&changed, &everything), Error::OtherFrame));
    let small = redacted(
        &camera_file([64, 64], SamplingFactor::F_1_1, false, 1),
        &[],
        Fill::Flat,
    );
    let grid = small.manifest().canvas().expect("its own").grid;
    assert!(matches!(
        refused(frame.jpeg(), &Mask::all(grid)),
        Error::OtherPicture
    ));
    let nothing = Mask::none(canvas.grid);
    assert!(matches!(refused(frame.jpeg(), &nothing), Error::NothingAdded));
    let whole = mask_more(frame.jpeg(), frame.manifest(), &everything, now()).expect("all of it");
    assert!(pixels(whole.jpeg()).pixels().all(|pixel| pixel.0 == [128; 3]));
    assert!(stands(&whole));
}
