//! Outside the mask every coefficient is the camera's own, inside there is one level: so says a decoder that shares
//! nothing with the program, of any picture, sampling, tables, restart interval and mask. And of what the usual tool
//! for the same, `jpegtran -wipe`, does.
#![cfg(feature = "trap")]

mod jpeg_oracle;

use std::io::Write as _;
use std::process::{Command, Stdio};

use jpeg_oracle::maker::{self, SAMPLINGS, Style, Texture};
use jpeg_oracle::{Coefficients, decode, mcus_of_scan};
use proptest::prelude::*;
use vigie::jpeg::compare::compare;
use vigie::jpeg::splice::{Spliced, splice};
use vigie::jpeg::{Head, Index, Layout, Scan};

struct Original {
    head: Head,
    index: Index,
}

/// None: the picture goes the long way.
fn read(file: &[u8]) -> Option<Original> {
    let layout = Layout::parse(file).expect("sound");
    let scan = Scan::of(file, &layout).expect("sound")?;
    Some(Original {
        head: Head::of(file, &layout),
        index: Index::build(file, scan).expect("sound"),
    })
}

fn assert_outcome(before: &Coefficients, after: &Coefficients, fills: &[Option<i16>]) {
    assert_eq!(before.size, after.size);
    assert_eq!(before.restart_interval, after.restart_interval);
    let [columns, _] = before.mcus();
    for (number, fill) in fills.iter().enumerate() {
        let mcu = [number % columns, number / columns];
        match fill {
            None => assert!(before.is_same(after, mcu), "outside, MCU {mcu:?}"),
            Some(level) => assert_eq!(after.level(mcu), Some(*level), "inside, MCU {mcu:?}"),
        }
    }
}

/// Splices and checks; what of the original is not needed is gone.
fn spliced(picture: &Coefficients, file: &[u8], original: &Original, fills: &[Option<i16>]) -> Spliced {
    let spliced = splice(&original.head, &original.index, fills, b"").expect("spliced");
    compare(&original.head, &original.index, fills, b"", &spliced.jpeg).expect("it passes its own check");
    let after = decode(&spliced.jpeg).expect("sound");
    assert_outcome(picture, &after.picture, fills);
    assert!(!after.odd_padding);
    for extra in ["preview", "said of"] {
        let holds = |bytes: &[u8]| bytes.windows(extra.len()).any(|w| w == extra.as_bytes());
        assert!(!holds(&spliced.jpeg), "{extra:?} is still there");
        // Where the original has extras, the test sees them.
        assert_eq!(holds(file), file.get(3) == Some(&0xE0));
    }
    spliced
}

/// Runs of MCUs: how many to skip, how many to fill, with which level.
fn runs(mcus: usize, runs: &[(usize, usize, i16)]) -> Vec<Option<i16>> {
    let mut fills = vec![None; mcus];
    let mut at = 0;
    for &(skip, length, level) in runs {
        let start = (at + skip).min(mcus);
        at = (start + length).min(mcus);
        fills[start..at].fill(Some(level));
    }
    fills
}

fn any_runs() -> impl Strategy<Value = Vec<(usize, usize, i16)>> {
    let level = prop_oneof![Just(0i16), Just(0i16), -1_000..1_000i16];
    prop::collection::vec((0..40usize, 0..20usize, level), 0..8)
}

proptest! {
    #[test]
    fn every_coefficient_outside_is_the_same_and_inside_is_one_level(
        (picture, style) in maker::any_file(120),
        chosen in any_runs(),
    ) {
        let file = maker::write(&picture, &style);
        if let Some(original) = read(&file) {
            let fills = runs(original.index.mcus(), &chosen);
            spliced(&picture, &file, &original, &fills);
        }
    }
}

/// Tables without EOB, or without a category for the step to the fill, must not stop a redaction.
#[test]
fn poor_tables_are_no_obstacle() {
    for (number, sampling) in SAMPLINGS.iter().enumerate() {
        for texture in [Texture::Dense, Texture::Smooth] {
            let picture = maker::picture([90, 70], sampling, texture, 17 + number as u64);
            let style = Style {
                optimised: true,
                ..Style::plain(&picture)
            };
            let file = maker::write(&picture, &style);
            let Some(original) = read(&file) else { continue };
            for level in [0, 1_000, -1_000] {
                let fills = runs(
                    original.index.mcus(),
                    &[(3, 5, level), (4, 1, level), (1, 30, level)],
                );
                spliced(&picture, &file, &original, &fills);
            }
        }
    }
}

/// Wipes a rectangle of pixels; none where jpegtran is not installed, said aloud.
fn jpegtran_wipe(file: &[u8], rectangle: &str) -> Option<Vec<u8>> {
    let started = Command::new("jpegtran")
        .args(["-wipe", rectangle])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        eprintln!("skipped: no jpegtran (Debian: libjpeg-turbo-progs)");
        return None;
    };
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(file)
        .expect("jpegtran reads all");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "jpegtran: {}", output.status);
    Some(output.stdout)
}

#[test]
fn jpegtran_leaves_the_same_outside_the_same_rectangle() {
    for (sampling, restarts, optimised) in [
        (0, 0, false),
        (3, 0, true),
        (4, 7, false),
        (5, 0, true),
        (6, 3, true),
    ] {
        let mut picture = maker::picture([203, 131], SAMPLINGS[sampling], Texture::Mixed, 23);
        picture.restart_interval = restarts;
        let style = Style {
            optimised,
            ..Style::plain(&picture)
        };
        let file = maker::write(&picture, &style);
        let original = read(&file).expect("of the usual kind");
        let ([columns, rows], [wide, high]) = (picture.mcus(), picture.mcu().map(|side| 8 * side));
        let (left, top, across, down) = (columns / 4, rows / 3, columns / 3, rows / 3);
        let rectangle = format!("{}x{}+{}+{}", across * wide, down * high, left * wide, top * high);
        let Some(wiped) = jpegtran_wipe(&file, &rectangle) else {
            return;
        };
        let wiped = decode(&wiped).expect("sound").picture;
        let inside = |mcu: usize| {
            let (column, row) = (mcu % columns, mcu / columns);
            (left..left + across).contains(&column) && (top..top + down).contains(&row)
        };
        let fills: Vec<_> = (0..columns * rows).map(|mcu| inside(mcu).then_some(0)).collect();
        let ours = spliced(&picture, &file, &original, &fills);
        let ours = decode(&ours.jpeg).expect("sound").picture;
        // jpegtran makes the padded blocks anew, which no picture shows: a scan of one component has none of them.
        for (c, component) in ours.components.iter().enumerate() {
            for block in mcus_of_scan(&ours, vec![c]).into_iter().flatten().map(|b| b.1) {
                let theirs = wiped.components[c].blocks[block];
                assert_eq!(
                    theirs, component.blocks[block],
                    "sampling {sampling}, component {c}, block {block}"
                );
            }
        }
    }
}
