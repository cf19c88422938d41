//! A frame that can be spliced is: outside the mask, all coefficients stay the camera's own, and its
//! manifest's hash says so. What cannot be is encoded again, and says that.
#![cfg(feature = "trap")]

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use vigie::frame::{BoxTime, Digest};
use vigie::jpeg::compare::Written;
use vigie::jpeg::splice::Tables;
use vigie::jpeg::{Head, coefficients};
use vigie::redact::{
    Context, Evidence, Fill, Manifest, Occupants, Original, Person, Plan, Policy, Redacted, Redaction, Rules,
    Seen, redact,
};
use vigie::vision::Detection;

fn context() -> Context {
    Context {
        camera: "quai-3".parse().expect("plain"),
        now: BoxTime("2026-11-21T10:00:00Z".parse().expect("an instant")),
        correction: 0,
        networks: Vec::new(),
        zone: Digest::of(b"zone"),
    }
}

fn redacted(original: &Original<'_>, rect: [f32; 4], fill: Fill) -> Redacted {
    let person = Person {
        seen: Detection {
            rect: rect.into(),
            score: 0.5,
        },
        silhouette: None,
    };
    let rules = Rules {
        policy: Policy::Persons,
        occupants: Occupants::Leave,
        privacy: &[],
        waste: None,
    };
    let seen = Seen {
        persons: vec![person],
        ..Seen::default()
    };
    let plan = Plan::new(original.canvas(), &rules, &Evidence::Seen(seen));
    redact(original, &plan, fill, &context()).expect("redacted")
}

/// The coefficient hash of a file under a manifest's mask.
fn hash(jpeg: &[u8], manifest: &Manifest) -> Digest {
    let (written, _) = Written::read(jpeg).expect("sound");
    let mask = manifest.mask.on(manifest.size).expect("a mask");
    written.hash(|mcu| mask.masked()[mcu]).expect("sound")
}

fn encoded(sampling: SamplingFactor, progressive: bool) -> Vec<u8> {
    let picture = RgbImage::from_fn(640, 601, |x, y| {
        let grain = (x * 7919 + y * 104_729) % 23;
        Rgb([
            (x / 4 + grain) as u8,
            (y / 4 + grain) as u8,
            (x / 7 + y / 5) as u8,
        ])
    });
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, 92);
    encoder.set_sampling_factor(sampling);
    encoder.set_progressive(progressive);
    encoder
        .encode(&picture, 640, 601, ColorType::Rgb)
        .expect("encoded");
    jpeg
}

#[test]
fn a_sequential_frame_is_spliced_and_its_hash_is_the_cameras() {
    let sampling = [
        SamplingFactor::F_1_1,
        SamplingFactor::F_2_1,
        SamplingFactor::F_1_2,
        SamplingFactor::F_2_2,
    ];
    for (sampling, fill) in sampling
        .into_iter()
        .flat_map(|s| [(s, Fill::Flat), (s, Fill::Mosaic)])
    {
        let jpeg = encoded(sampling, false);
        let original = Original::read(&jpeg).expect("sound");
        let result = redacted(&original, [200.0, 100.0, 120.0, 300.0], fill);
        let manifest = result.manifest();
        assert_eq!(manifest.redaction, Redaction::Splice);
        assert_eq!(manifest.tables, Some(Tables::Kept));
        assert_eq!(manifest.coefficients, Some(hash(result.jpeg(), manifest)));
        let mask = manifest.mask.on(manifest.size).expect("a mask");
        let head = Head::of(&jpeg, original.layout());
        let index = original.index().expect("one sequential scan");
        let of_the_camera = coefficients::hash(&head, index, |mcu| mask.masked()[mcu]).expect("sound");
        assert_eq!(manifest.coefficients, Some(of_the_camera));
        assert_eq!(
            Manifest::from_json(&manifest.to_json().expect("plain"))
                .ok()
                .as_ref(),
            Some(manifest)
        );
    }
}

#[test]
fn a_progressive_frame_is_encoded_again_and_says_so() {
    let jpeg = encoded(SamplingFactor::F_2_2, true);
    let original = Original::read(&jpeg).expect("sound");
    let result = redacted(&original, [200.0, 100.0, 120.0, 300.0], Fill::Flat);
    let manifest = result.manifest();
    assert_eq!(
        (manifest.redaction, manifest.tables, manifest.coefficients),
        (Redaction::ReEncoded, None, None)
    );
}

#[test]
fn the_flat_fill_of_a_spliced_frame_depends_on_nothing_it_hides() {
    let jpeg = encoded(SamplingFactor::F_2_1, false);
    let other = {
        let picture = RgbImage::from_pixel(640, 601, Rgb([255, 0, 255]));
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, 92);
        encoder.set_sampling_factor(SamplingFactor::F_2_1);
        encoder
            .encode(&picture, 640, 601, ColorType::Rgb)
            .expect("encoded");
        jpeg
    };
    let everywhere = [0.0, 0.0, 640.0, 601.0];
    let [one, other] =
        [jpeg, other].map(|jpeg| redacted(&Original::read(&jpeg).expect("sound"), everywhere, Fill::Flat));
    assert_eq!(one.jpeg(), other.jpeg());
}

fn data() -> PathBuf {
    std::env::var_os("VIGIE_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    )
}

/// Where this program differs from the list, and why that is accepted.
const DIFFERENT: [(&str, &str); 6] = [
    // No Huffman table at all: not decoded at all (docs/decisions/0005).
    ("jpeg-odd/jpeg-dec_mjpeg.jpg", "refuse"),
    ("jpeg-odd/zune-ima_cymk.jpg", "refuse"),
    ("jpeg-odd/pillow_pil_sample_cmyk.jpg", "refuse"),
    ("jpeg-odd/jpeg-dec_partial_progressive.jpg", "refuse"),
    ("jpeg-odd/twelvemo_duplicate-component-ids.jpg", "refuse"),
    // What lies between its segments is passed over, as by the usual decoders.
    ("jpeg-odd/twelvemo_0x00-to-0xFF-between-segments.jpg", "splice"),
];

#[test]
fn each_real_file_takes_the_way_that_is_listed_for_it() {
    let scenes = data().join("scenes");
    let Ok(list) = std::fs::read_to_string(scenes.join("annotations.jsonl")) else {
        return eprintln!("skipped: no pictures in {}", scenes.display());
    };
    let mut wrong = Vec::new();
    for line in list.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let file = line["file"].as_str().expect("a name");
        let listed = match line["expected"].as_str() {
            Some(expected) => expected,
            None if file.starts_with("trap/") => "splice",
            None => continue,
        };
        let other = DIFFERENT.iter().find(|(name, _)| *name == file);
        let expected = other.map_or(listed, |(_, expected)| expected);
        let bytes = std::fs::read(scenes.join(file)).expect("listed");
        let is = match Original::read(&bytes) {
            Err(_) => "refuse",
            Ok(original) => {
                let result = redacted(&original, [5.0, 5.0, 20.0, 20.0], Fill::Flat);
                let manifest = result.manifest();
                Original::read(result.jpeg()).expect("decodes");
                match manifest.redaction {
                    Redaction::Splice => {
                        assert_eq!(
                            manifest.coefficients,
                            Some(hash(result.jpeg(), manifest)),
                            "{file}"
                        );
                        "splice"
                    }
                    Redaction::ReEncoded => "fallback",
                }
            }
        };
        if is != expected {
            wrong.push(format!("{file}: {is}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
