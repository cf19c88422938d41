//! What leaves the redactor: nothing of what was hidden, in any form that a JPEG can hide it in.
//! Every picture here is made in code.
#![cfg(feature = "trap")]

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use vigie::frame::{BoxTime, Digest, FrameSize};
use vigie::jpeg::{Facts, Layout};
use vigie::redact::{
    Context, Error, Evidence, Fill, Flag, Manifest, Occupants, Original, Person, Plan, Policy, Redacted,
    Rules, Seen, redact,
};
use vigie::vision::geometry::{Polygon, Rect};
use vigie::vision::{Detection, Plate, Silhouette};

/// A colour no scene holds but a person.
const PERSON: Rgb<u8> = Rgb([250, 20, 220]);

/// A smooth scene of this size.
fn scene(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let wave = |v: u32, n: f32| (60.0 + 50.0 * (v as f32 / n).sin()) as u8;
        Rgb([wave(x, 17.0), wave(y, 23.0), wave(x + y, 31.0)])
    })
}

fn encoded(picture: &RgbImage, exif: Vec<u8>) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 92);
    encoder.set_exif_metadata(exif).expect("taken");
    let (width, height) = picture.dimensions();
    encoder
        .write_image(picture, width, height, ExtendedColorType::Rgb8)
        .expect("encoded");
    jpeg
}

fn context() -> Context {
    Context {
        camera: "quai-3".parse().expect("plain"),
        now: BoxTime("2026-11-21T10:00:00Z".parse().expect("an instant")),
        correction: -61,
        networks: vec![("guard".into(), Digest::of(b"weights"))],
        zone: Digest::of(b"zone"),
    }
}

const PERSONS: Rules = Rules {
    policy: Policy::Persons,
    occupants: Occupants::Leave,
    privacy: &[],
    waste: None,
};

fn person(rect: [f32; 4]) -> Person {
    Person {
        seen: Detection {
            rect: rect.into(),
            score: 0.5,
        },
        silhouette: None,
    }
}

fn seen(persons: &[[f32; 4]]) -> Evidence {
    Evidence::Seen(Seen {
        persons: persons.iter().copied().map(person).collect(),
        ..Seen::default()
    })
}

fn redacted(jpeg: &[u8], rules: &Rules<'_>, evidence: &Evidence, fill: Fill) -> Redacted {
    let original = Original::read(jpeg).expect("sound");
    let plan = Plan::new(original.canvas(), rules, evidence);
    redact(&original, &plan, fill, &context()).expect("redacted")
}

/// A file's pixels, as they are stored and as they are seen.
struct Decoded {
    stored: RgbImage,
    upright: RgbImage,
}

impl Decoded {
    fn stored(&self) -> &RgbImage {
        &self.stored
    }

    fn stored_size(&self) -> FrameSize {
        let (width, height) = self.stored.dimensions();
        FrameSize { width, height }
    }
}

fn decoded(jpeg: &[u8]) -> Decoded {
    let mut original = Original::read(jpeg).expect("sound");
    let stored = vigie::jpeg::decode(jpeg, original.layout()).expect("sound");
    let upright = original.picture_mut().whole(u32::MAX).expect("sound").clone();
    Decoded { stored, upright }
}

/// Paints a rectangle of an upright picture, given how it will be stored.
fn stored_with_person(tag: u16, upright: (u32, u32), person: Rect) -> (RgbImage, Facts) {
    let orientation = tag.try_into().expect("1 to 8");
    let facts = Facts {
        orientation,
        ..Facts::default()
    };
    let size = FrameSize {
        width: upright.0,
        height: upright.1,
    };
    let stored = orientation.turned(size);
    let mut picture = scene(stored.width, stored.height);
    let place = orientation.to_stored(person, stored);
    for y in place.y as u32..place.bottom() as u32 {
        for x in place.x as u32..place.right() as u32 {
            picture.put_pixel(x, y, PERSON);
        }
    }
    (picture, facts)
}

fn is_person(Rgb([r, g, b]): &Rgb<u8>) -> bool {
    *r > 170 && *g < 80 && *b > 150
}

#[test]
fn what_is_masked_is_what_is_seen_in_all_eight_orientations() {
    let rect = Rect::from([21.0, 10.0, 30.0, 60.0]);
    for tag in 1..=8 {
        let (picture, facts) = stored_with_person(tag, (131, 97), rect);
        let jpeg = encoded(&picture, facts.exif());
        assert!(
            decoded(&jpeg).upright.pixels().any(is_person),
            "the test sees its person"
        );
        let result = redacted(&jpeg, &PERSONS, &seen(&[rect.into()]), Fill::Flat);
        let picture = decoded(result.jpeg());
        let upright = &picture.upright;
        assert_eq!(upright.dimensions(), (131, 97));
        assert!(!upright.pixels().any(is_person), "orientation {tag}");
        let inside = upright.get_pixel(36, 40);
        assert_eq!(inside, &Rgb([128; 3]), "orientation {tag}");
        let share = result
            .manifest()
            .mask
            .on(picture.stored_size())
            .expect("own")
            .share();
        assert!(share < 0.5, "orientation {tag}: {share} of the frame is masked");
    }
}

/// A made JPEG with everything a camera may hide the scene in.
fn with_secrets() -> Vec<u8> {
    let facts = Facts {
        make: Some("Maker".into()),
        model: Some("Trap".into()),
        serial: None,
        taken: None,
        orientation: Default::default(),
    };
    let whole = encoded(&scene(160, 120), facts.exif());
    let thumbnail = encoded(&scene(40, 30), Vec::new());
    let mut out = whole[..2].to_vec();
    let mut segment = |marker: u8, parts: &[&[u8]]| {
        let payload = parts.concat();
        out.extend([0xFF, marker]);
        out.extend((payload.len() as u16 + 2).to_be_bytes());
        out.extend(payload);
    };
    segment(0xE1, &[b"Exif\0\0GPSLatitude-SECRET", &thumbnail]);
    segment(0xE1, &[b"http://ns.adobe.com/xap/1.0/\0XMP-SECRET"]);
    segment(0xE2, &[b"MPF\0SECRET", &thumbnail]);
    segment(0xEC, &[b"PREVIEW-SECRET", &thumbnail]);
    segment(0xFE, &[b"COM-SECRET"]);
    out.extend(&whole[2..]);
    out.extend(&thumbnail);
    out.extend(b"TRAILING-SECRET");
    out
}

#[test]
fn thumbnails_positions_comments_second_images_and_trailing_bytes_are_gone() {
    let jpeg = with_secrets();
    let result = redacted(&jpeg, &PERSONS, &seen(&[[40.0, 40.0, 20.0, 50.0]]), Fill::Flat);
    let bytes = result.jpeg();
    for secret in [&b"SECRET"[..], b"GPS", b"MPF", b"http"] {
        assert!(jpeg.windows(secret.len()).any(|w| w == secret));
        assert!(!bytes.windows(secret.len()).any(|w| w == secret));
    }
    let starts = |b: &[u8]| b.windows(3).filter(|w| *w == [0xFF, 0xD8, 0xFF]).count();
    assert_eq!((starts(&jpeg), starts(bytes)), (5, 1));
    let markers: Vec<_> = Layout::parse(bytes)
        .expect("sound")
        .segments
        .iter()
        .map(|s| s.marker)
        .filter(|m| *m >= 0xE0)
        .collect();
    assert_eq!(markers, [0xE0, 0xE1]);
}

#[test]
fn a_flat_fill_is_one_grey_whatever_it_hides() {
    let rect = [33.0, 30.0, 40.0, 50.0];
    let (picture, facts) = stored_with_person(1, (131, 97), rect.into());
    let masked = |picture: &RgbImage| {
        let result = redacted(
            &encoded(picture, facts.exif()),
            &PERSONS,
            &seen(&[rect]),
            Fill::Flat,
        );
        let picture = decoded(result.jpeg());
        let mask = result.manifest().mask.on(picture.stored_size()).expect("own");
        let [w, h] = mask.grid().unit.map(u32::from);
        let pixels = picture.stored().enumerate_pixels();
        pixels
            .filter(|(x, y, _)| mask.contains(x / w, y / h))
            .map(|(_, _, p)| *p)
            .collect::<Vec<_>>()
    };
    let hidden = masked(&picture);
    assert!(hidden.len() >= 40 * 50 && hidden.iter().all(|p| *p == Rgb([128; 3])));
    assert_eq!(hidden, masked(&scene(131, 97)));
}

#[test]
fn a_mosaic_shows_few_greys_in_large_cells() {
    let rect = [100.0, 20.0, 200.0, 560.0];
    let (picture, facts) = stored_with_person(1, (640, 600), rect.into());
    let result = redacted(
        &encoded(&picture, facts.exif()),
        &PERSONS,
        &seen(&[rect]),
        Fill::Mosaic,
    );
    let picture = decoded(result.jpeg());
    let mask = result.manifest().mask.on(picture.stored_size()).expect("own");
    let [w, h] = mask.grid().unit.map(u32::from);
    let mut greys: Vec<u8> = Vec::new();
    for (x, y, Rgb([r, g, b])) in picture.stored().enumerate_pixels() {
        if mask.contains(x / w, y / h) {
            assert!(r.abs_diff(*g) <= 1 && g.abs_diff(*b) <= 1, "{x}, {y}");
            let own = picture.stored().get_pixel(x - x % 48, y - y % 48);
            if mask.contains((x - x % 48) / w, (y - y % 48) / h) {
                assert!(r.abs_diff(own.0[0]) <= 1, "one cell, one grey: {x}, {y}");
            }
            if !greys.iter().any(|seen| seen.abs_diff(*r) <= 1) {
                greys.push(*r);
            }
        }
    }
    assert!(greys.len() <= 5, "{greys:?}");
}

#[test]
fn a_mosaic_never_says_anything_of_a_place_that_is_always_hidden() {
    let zone = [Polygon::everywhere()];
    let rules = Rules {
        privacy: &zone,
        ..PERSONS
    };
    let person = seen(&[[100.0, 20.0, 200.0, 560.0]]);
    let (jpeg, all_but) = (
        encoded(&scene(640, 600), Vec::new()),
        Rules {
            policy: Policy::AllBut,
            ..PERSONS
        },
    );
    for rules in [rules, all_but] {
        let result = redacted(&jpeg, &rules, &person, Fill::Mosaic);
        assert!(
            decoded(result.jpeg())
                .stored()
                .pixels()
                .all(|p| *p == Rgb([128; 3]))
        );
    }
}

#[test]
fn a_frame_that_was_cut_off_and_given_an_end_is_no_original() {
    let whole = encoded(&scene(160, 120), Vec::new());
    let mut cut_off = whole[..whole.len() * 3 / 4].to_vec();
    cut_off.extend([0xFF, 0xD9]);
    assert!(Original::read(&whole).is_ok());
    assert!(Original::read(&cut_off).is_err());
}

#[test]
fn odd_sizes_are_masked_to_their_last_pixel() {
    for (width, height) in [(33, 33), (1, 1), (17, 8), (8, 17)] {
        let jpeg = encoded(&scene(width, height), Vec::new());
        let rect = [width as f32 - 1.0, height as f32 - 1.0, 1.0, 1.0];
        let result = redacted(&jpeg, &PERSONS, &seen(&[rect]), Fill::Flat);
        let picture = decoded(result.jpeg());
        assert_eq!(picture.stored().dimensions(), (width, height));
        assert_eq!(picture.stored().get_pixel(width - 1, height - 1), &Rgb([128; 3]));
    }
}

/// The same scene as cameras code it: every subsampling, grey, with restart markers, progressive.
fn coded_in_every_way(picture: &RgbImage) -> Vec<(String, Vec<u8>)> {
    let (width, height) = picture.dimensions();
    let side = |s: u32| s as u16;
    let mut files = Vec::new();
    let factors = [
        SamplingFactor::F_1_1,
        SamplingFactor::F_2_1,
        SamplingFactor::F_1_2,
        SamplingFactor::F_2_2,
        SamplingFactor::F_4_1,
    ];
    for factor in factors {
        for (progressive, restarts) in [(false, 0), (false, 3), (true, 0)] {
            let mut jpeg = Vec::new();
            let mut encoder = Encoder::new(&mut jpeg, 92);
            encoder.set_sampling_factor(factor);
            encoder.set_progressive(progressive);
            encoder.set_restart_interval(restarts);
            encoder
                .encode(picture, side(width), side(height), ColorType::Rgb)
                .expect("encoded");
            files.push((format!("{factor:?} {progressive} {restarts}"), jpeg));
        }
    }
    let mut grey = Vec::new();
    let luma = image::DynamicImage::ImageRgb8(picture.clone()).into_luma8();
    Encoder::new(&mut grey, 92)
        .encode(&luma, side(width), side(height), ColorType::Luma)
        .expect("encoded");
    files.push(("grey".into(), grey));
    files
}

#[test]
fn every_way_of_coding_a_picture_is_masked_to_whole_units() {
    let rect = [33.0, 30.0, 40.0, 50.0];
    let (scene, _) = stored_with_person(1, (131, 97), rect.into());
    for (how, jpeg) in coded_in_every_way(&scene) {
        let layout = Layout::parse(&jpeg).expect("sound");
        let result = redacted(&jpeg, &PERSONS, &seen(&[rect]), Fill::Flat);
        assert_eq!(result.manifest().mask.unit, layout.grid().unit, "{how}");
        let picture = decoded(result.jpeg());
        let mask = result.manifest().mask.on(picture.stored_size()).expect("own");
        let [w, h] = mask.grid().unit.map(u32::from);
        for (x, y, pixel) in picture.stored().enumerate_pixels() {
            // Where chroma is subsampled, a decoder mixes it across the edge of an MCU.
            let rows = y.saturating_sub(2)..=y + 2;
            let mut around = rows.flat_map(|y| (x.saturating_sub(2)..=x + 2).map(move |x| (x, y)));
            if around.all(|(x, y)| mask.contains(x / w, y / h)) {
                assert_eq!(pixel, &Rgb([128; 3]), "{how}: {x}, {y}");
            }
        }
        assert!(!picture.stored().pixels().any(is_person), "{how}");
        let was_grey = layout.is_grey();
        assert_eq!(Layout::parse(result.jpeg()).expect("sound").is_grey(), was_grey);
    }
}

#[test]
fn a_frame_that_nobody_looked_at_is_hidden_whole() {
    let jpeg = encoded(&scene(100, 60), Vec::new());
    let zone = Polygon::everywhere();
    let rules = Rules {
        waste: Some(&zone),
        ..PERSONS
    };
    let result = redacted(&jpeg, &rules, &Evidence::Unseen, Fill::Mosaic);
    assert!(
        decoded(result.jpeg())
            .stored()
            .pixels()
            .all(|p| *p == Rgb([128; 3]))
    );
    assert_eq!(result.manifest().flags, [Flag::Unseen]);
    let nothing = Rules {
        policy: Policy::AllBut,
        ..PERSONS
    };
    let result = redacted(&jpeg, &nothing, &seen(&[]), Fill::Flat);
    assert!(
        decoded(result.jpeg())
            .stored()
            .pixels()
            .all(|p| *p == Rgb([128; 3]))
    );
}

#[test]
fn a_plan_for_another_picture_is_refused() {
    let jpeg = encoded(&scene(100, 60), Vec::new());
    let other = encoded(&scene(60, 100), Vec::new());
    let original = Original::read(&jpeg).expect("sound");
    let canvas = Original::read(&other).expect("sound").canvas();
    let plan = Plan::new(canvas, &PERSONS, &seen(&[]));
    assert!(matches!(
        redact(&original, &plan, Fill::Flat, &context()),
        Err(Error::OtherPicture)
    ));
}

#[test]
fn a_manifest_tells_the_files_apart_and_survives_being_stored() {
    let jpeg = encoded(&scene(100, 60), Vec::new());
    let evidence = Evidence::Seen(Seen {
        persons: vec![Person {
            silhouette: Some(Silhouette {
                square: [0.0, 0.0, 50.0, 50.0].into(),
                side: 1,
                body: vec![1.0],
            }),
            ..person([20.0, 20.0, 10.0, 20.0])
        }],
        plates: vec![Plate {
            rect: [25.0, 30.0, 20.0, 6.0].into(),
            score: 0.9,
            corners: [[25.0, 30.0]; 4],
        }],
        ..Seen::default()
    });
    let result = redacted(&jpeg, &PERSONS, &evidence, Fill::Flat);
    let manifest = result.manifest();
    assert_eq!(manifest.original.sha256, Digest::of(&jpeg));
    assert_eq!(manifest.redacted.sha256, Digest::of(result.jpeg()));
    assert_eq!(manifest.flags, [Flag::PlateCovered]);
    let json = manifest.to_json().expect("plain");
    assert_eq!(&Manifest::from_json(&json).expect("as written"), manifest);
    let text = String::from_utf8(json).expect("JSON");
    assert!(text.starts_with(r#"{"manifest":1,"program":"#), "{text}");
    for wrong in [
        text.replacen("\"manifest\":1", "\"manifest\":2", 1),
        text.replacen("{\"manifest\"", "{\"more\":0,\"manifest\"", 1),
        text.replacen("\"correction\":-61", "\"correction\":\"-61\"", 1),
    ] {
        assert!(Manifest::from_json(wrong.as_bytes()).is_err(), "{wrong}");
    }
}
