//! Real files, as camera makers and the test suites of image libraries wrote them: each is either a
//! whole picture or refused with a reason. Skipped where the files are absent (`VIGIE_DATA`).
#![cfg(feature = "trap")]

use std::path::{Path, PathBuf};

use vigie::frame::{BoxTime, Digest, FrameSize};
use vigie::redact::{Context, Evidence, Fill, Occupants, Original, Plan, Policy, Rules, Seen, redact};

const RULES: Rules = Rules {
    policy: Policy::Persons,
    occupants: Occupants::Leave,
    privacy: &[],
    waste: None,
};

/// The files of one folder of the development scenes, or nothing, said aloud.
fn scenes(folder: &str) -> Vec<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let data = std::env::var_os("VIGIE_DATA").map_or(default, PathBuf::from);
    let Ok(entries) = std::fs::read_dir(data.join("scenes").join(folder)) else {
        eprintln!("skipped: no development scenes ({folder}); set VIGIE_DATA to where they are");
        return Vec::new();
    };
    let mut files: Vec<_> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    files.sort();
    files
}

fn outcome(path: &Path) -> Result<FrameSize, String> {
    let bytes = std::fs::read(path).expect("readable");
    let original = Original::read(&bytes).map_err(|e| e.to_string())?;
    assert_eq!(original.picture().stored_size(), original.layout().size);
    Ok(original.layout().size)
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[test]
fn every_file_that_a_trap_wrote_is_a_picture() {
    for file in scenes("trap") {
        let outcome = outcome(&file);
        assert!(outcome.is_ok(), "{}: {outcome:?}", name(&file));
    }
}

/// Odd files that are refused, and a part of the reason. All others are pictures.
const REFUSED: [(&str, &str); 18] = [
    ("dc-predictor-overflow", "brighter than white"),
    ("dec_empty", "empty"),
    ("partial_progressive", "end before the image does"),
    ("mjpeg", "without its Huffman table"),
    ("monkey12", "12-bit"),
    ("testimgari", "arithmetic"),
    ("cmyk", "four components"),
    ("cymk", "four components"),
    ("duplicate-component-ids", "four components"),
    ("truncated_jpeg", "cut off"),
    ("ultrahdr", "cut off"),
    ("corrupt-header", "cut off"),
    ("5145e95a", "cut off"),
    ("length-beyond-eof", "cut off"),
    ("no-sof-ascii", "cut off"),
    ("issue256", "cut off"),
    ("sos-before-sof", "a scan before the frame header"),
    ("gradient_ls", "lossless"),
];

#[test]
fn every_odd_file_is_a_picture_or_refused_with_its_reason() {
    for file in scenes("jpeg-odd") {
        let name = name(&file);
        let refused = REFUSED.iter().find(|(part, _)| name.contains(part));
        match (outcome(&file), refused) {
            (Ok(_), None) => {}
            (Err(error), Some((_, reason))) => assert!(error.contains(reason), "{name}: {error}"),
            (outcome, _) => panic!("{name}: {outcome:?}"),
        }
    }
}

/// The second images, previews and thumbnails of real makers.
#[test]
fn no_second_picture_of_a_real_trap_outlives_redaction() {
    let context = Context {
        camera: "c".parse().expect("plain"),
        now: BoxTime("2026-11-21T10:00:00Z".parse().expect("an instant")),
        correction: 0,
        networks: Vec::new(),
        zone: Digest::of(b""),
    };
    let images = |bytes: &[u8]| bytes.windows(3).filter(|w| *w == [0xFF, 0xD8, 0xFF]).count();
    let mut with_second_pictures = 0;
    let files = scenes("trap");
    for file in &files {
        let bytes = std::fs::read(file).expect("readable");
        let Ok(original) = Original::read(&bytes) else {
            continue;
        };
        let restarts = original.layout().restart_interval > 0;
        if images(&bytes) < 2 && original.layout().trailing == 0 && !restarts {
            continue;
        }
        with_second_pictures += usize::from(images(&bytes) > 1);
        let plan = Plan::new(original.canvas(), &RULES, &Evidence::Seen(Seen::default()));
        let redacted = redact(&original, &plan, Fill::Flat, &context).expect("redacted");
        assert_eq!(images(redacted.jpeg()), 1, "{}", name(file));
        let again = Original::read(redacted.jpeg()).expect("sound");
        assert_eq!(again.facts().taken, original.facts().taken, "{}", name(file));
        assert_eq!(again.layout().trailing, 0);
    }
    assert!(
        files.is_empty() || with_second_pictures > 2,
        "{with_second_pictures}"
    );
}
