//! The long way: decode, paint, encode, for pictures that cannot be spliced.
//!
//! Promises: what comes out was decoded again and found to hold the fill, and nothing else, in every
//! masked MCU, and a picture like the original everywhere else; it holds no application data but a JFIF
//! header and the EXIF that it was given, and nothing behind its end. Leaves choosing this way to
//! `redact`.

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, Rgb, RgbImage};

use super::fill::{Cells, Fill, Greys};
use super::{Error, Mask, Plan};
use crate::jpeg::{self, Grid, Layout, SegmentKind};

/// Close enough to the camera's own that a plate reads as before, and no larger than it wrote.
const QUALITY: u8 = 90;
/// How far a masked pixel may be from its fill, in steps of 256: one constant block, quantised.
const FILL_TOLERANCE: u8 = 3;
/// The least likeness of what is not masked, in dB of PSNR. Quality 90 gives 35 to 45 on photographs
/// and some 30 on pure noise; another picture, or a shifted one, gives 10 to 20.
const LEAST_LIKENESS: f64 = 26.0;

/// What the check of a redacted file found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Something other than the picture and what was written anew.
    #[error("it holds more than the picture")]
    Extra,
    /// Another width or height.
    #[error("its size is not the original's")]
    Size,
    /// A masked MCU that is not its fill.
    #[error("the masked block in column {column}, row {row} is not filled")]
    NotFilled {
        /// In MCUs of the original.
        column: u32,
        /// In MCUs of the original.
        row: u32,
    },
    /// What is not masked is not the frame.
    #[error("what is not masked differs from the original")]
    Unlike,
}

/// The picture with what the plan says painted over.
pub(super) fn re_encoded(
    mut picture: RgbImage,
    grey: bool,
    plan: &Plan,
    fill: Fill,
    exif: &[u8],
) -> Result<Vec<u8>, Error> {
    paint(&mut picture, plan, fill);
    let jpeg = encode(&picture, grey, exif)?;
    check(&jpeg, exif, &picture, plan)?;
    Ok(jpeg)
}

/// Paints every masked MCU of the stored picture.
fn paint(picture: &mut RgbImage, plan: &Plan, fill: Fill) {
    let greys = Greys::of(plan, fill, || Cells::of(picture, 1, plan));
    for (column, row) in plan.mask.units() {
        let grey = Rgb([greys.at(column, row); 3]);
        for (x, y) in unit_pixels(plan.canvas.grid, picture.dimensions(), column, row) {
            picture.put_pixel(x, y, grey);
        }
    }
}

/// The pixels of an MCU that lie inside the picture.
fn unit_pixels(
    grid: Grid,
    (width, height): (u32, u32),
    column: u32,
    row: u32,
) -> impl Iterator<Item = (u32, u32)> {
    let [w, h] = grid.unit.map(u32::from);
    let (left, top) = (column * w, row * h);
    let (right, bottom) = ((left + w).min(width), (top + h).min(height));
    (top..bottom).flat_map(move |y| (left..right).map(move |x| (x, y)))
}

/// A JFIF file of these pixels alone: the encoder writes a JFIF header, our EXIF and nothing else.
fn encode(painted: &RgbImage, grey: bool, exif: &[u8]) -> Result<Vec<u8>, Error> {
    let mut jpeg = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, QUALITY);
    encoder
        .set_exif_metadata(exif.to_vec())
        .map_err(image::ImageError::Unsupported)?;
    let (width, height) = painted.dimensions();
    if grey {
        let luma = DynamicImage::ImageRgb8(painted.clone()).into_luma8();
        encoder.write_image(&luma, width, height, ExtendedColorType::L8)?;
    } else {
        encoder.write_image(painted, width, height, ExtendedColorType::Rgb8)?;
    }
    Ok(jpeg)
}

/// Reads the redacted file as anyone would, and looks at every pixel of it.
fn check(jpeg: &[u8], exif: &[u8], painted: &RgbImage, plan: &Plan) -> Result<(), Error> {
    let layout = Layout::parse(jpeg)?;
    let ours = |s: &jpeg::Segment| match s.kind {
        SegmentKind::Essential => true,
        SegmentKind::Exif => s.payload(jpeg).get(6..) == Some(exif),
        // JFIF without a thumbnail (ITU-T T.871 10.1).
        SegmentKind::Extra => s.payload(jpeg).starts_with(b"JFIF\0") && s.payload(jpeg).len() == 14,
    };
    if layout.trailing > 0 || !layout.segments.iter().all(ours) {
        return Err(Error::Check(Fault::Extra));
    }
    if layout.size != plan.canvas.stored {
        return Err(Error::Check(Fault::Size));
    }
    let decoded = &jpeg::decode(jpeg, &layout)?;
    for (column, row) in plan.mask.units() {
        let pixels = unit_pixels(plan.canvas.grid, decoded.dimensions(), column, row);
        for (x, y) in pixels {
            let near = |a: u8, b: u8| a.abs_diff(b) <= FILL_TOLERANCE;
            let (Rgb(is), Rgb(wanted)) = (decoded.get_pixel(x, y), painted.get_pixel(x, y));
            if !is.iter().zip(wanted).all(|(a, b)| near(*a, *b)) {
                return Err(Error::Check(Fault::NotFilled { column, row }));
            }
        }
    }
    if likeness(decoded, painted, &plan.mask) < LEAST_LIKENESS {
        return Err(Error::Check(Fault::Unlike));
    }
    Ok(())
}

/// PSNR in dB over what is not masked; infinite where it is the same, or all is masked.
fn likeness(one: &RgbImage, other: &RgbImage, mask: &Mask) -> f64 {
    let [w, h] = mask.grid().unit.map(u32::from);
    let (mut squares, mut count) = (0u64, 0u64);
    for ((x, y, Rgb(a)), Rgb(b)) in one.enumerate_pixels().zip(other.pixels()) {
        if !mask.contains(x / w, y / h) {
            let square = |(a, b): (&u8, &u8)| u64::from(a.abs_diff(*b)).pow(2);
            squares += a.iter().zip(b).map(square).sum::<u64>();
            count += 3;
        }
    }
    10.0 * (255.0f64.powi(2) * count.max(1) as f64 / squares as f64).log10()
}

#[cfg(test)]
mod tests {
    use super::super::{Evidence, Occupants, Original, Person, Policy, Rules, Seen, mask};
    use super::*;
    use crate::jpeg::Facts;
    use crate::vision::Detection;

    /// A smooth picture of 64 x 48 with a bright square where a person is to be hidden.
    fn scene() -> RgbImage {
        RgbImage::from_fn(64, 48, |x, y| {
            match (16..32).contains(&x) && (16..32).contains(&y) {
                true => Rgb([255, 240, 10]),
                false => Rgb([(2 * x) as u8, (3 * y) as u8, 90]),
            }
        })
    }

    fn plan_for(bytes: &[u8]) -> Plan {
        let person = Person {
            seen: Detection {
                rect: [18.0, 18.0, 12.0, 12.0].into(),
                score: 0.5,
            },
            silhouette: None,
        };
        let seen = Seen {
            persons: vec![person],
            ..Seen::default()
        };
        let rules = Rules {
            policy: Policy::Persons,
            occupants: Occupants::Leave,
            privacy: &[],
            waste: None,
        };
        let canvas = Original::read(bytes).expect("sound").canvas();
        Plan::new(canvas, &rules, &Evidence::Seen(seen))
    }

    #[test]
    fn a_result_that_shows_anything_else_than_it_must_is_no_redacted_frame() {
        let unpainted = encode(&scene(), false, &[]).expect("encoded");
        let plan = plan_for(&unpainted);
        let mut painted = scene();
        paint(&mut painted, &plan, Fill::Flat);
        let sound = encode(&painted, false, &[]).expect("encoded");
        let fault = |jpeg: &[u8]| match check(jpeg, &[], &painted, &plan) {
            Ok(()) => None,
            Err(Error::Check(fault)) => Some(fault),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(fault(&sound), None);
        assert_eq!(fault(&unpainted), Some(Fault::NotFilled { column: 2, row: 2 }));
        let with_exif = encode(&painted, false, &Facts::default().exif()).expect("encoded");
        assert_eq!(fault(&with_exif), Some(Fault::Extra));
        let longer = [&sound[..], &unpainted].concat();
        assert_eq!(fault(&longer), Some(Fault::Extra));
        let mut commented = sound.clone();
        commented.splice(2..2, *b"\xFF\xFE\0\x04hi");
        assert_eq!(fault(&commented), Some(Fault::Extra));
        for header in [
            &b"\xFF\xE0\0\x13JFIF\0\x01\x01\0\0\x01\0\x01\x01\x01\0\0\0"[..],
            b"\xFF\xE0\0\x10JFXX\0\x01\x01\0\0\x01\0\x01\0\0",
        ] {
            let mut headed = sound.clone();
            headed.splice(2..2, header.iter().copied());
            assert_eq!(fault(&headed), Some(Fault::Extra), "a thumbnail");
        }
        let smaller = image::imageops::crop_imm(&painted, 0, 0, 56, 48).to_image();
        assert_eq!(
            fault(&encode(&smaller, false, &[]).expect("encoded")),
            Some(Fault::Size)
        );
        let mut other = painted.clone();
        image::imageops::flip_horizontal_in_place(&mut other);
        paint(&mut other, &plan, Fill::Flat);
        assert_eq!(
            fault(&encode(&other, false, &[]).expect("encoded")),
            Some(Fault::Unlike)
        );
    }

    #[test]
    fn nothing_is_painted_but_what_is_masked() {
        let original = scene();
        let plan = plan_for(&encode(&original, false, &[]).expect("encoded"));
        let mut painted = original.clone();
        paint(&mut painted, &plan, Fill::Flat);
        for (x, y, pixel) in painted.enumerate_pixels() {
            let [w, h] = plan.canvas.grid.unit.map(u32::from);
            let hidden = plan.mask.contains(x / w, y / h);
            let expected = if hidden {
                Rgb([128; 3])
            } else {
                *original.get_pixel(x, y)
            };
            assert_eq!(*pixel, expected, "{x}, {y}");
        }
    }

    #[test]
    fn likeness_is_that_of_what_is_shown() {
        let size = crate::frame::FrameSize {
            width: 32,
            height: 16,
        };
        let runs = mask::Runs {
            unit: [8, 8],
            runs: vec![[0, 1, 2], [1, 0, 1]],
        };
        let mask = runs.on(size).expect("a mask");
        // Five units are shown, and one of these differs: by 10 at each of its pixels.
        let other = |differs: u8| {
            RgbImage::from_fn(32, 16, |x, y| {
                match (mask.contains(x / 8, y / 8), (x / 8, y / 8)) {
                    (true, _) => Rgb([255; 3]),
                    (false, (3, 1)) => Rgb([differs; 3]),
                    (false, _) => Rgb([0; 3]),
                }
            })
        };
        let black = RgbImage::new(32, 16);
        let decibels = likeness(&black, &other(10), &mask);
        assert!((decibels - 35.12).abs() < 0.01, "{decibels}");
        assert_eq!(likeness(&black, &other(0), &mask), f64::INFINITY);
        assert_eq!(
            likeness(&black, &other(10), &Mask::all(mask.grid())),
            f64::INFINITY
        );
    }
}
