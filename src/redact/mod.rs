//! Redaction: what makes the people of a frame unrecognisable, for good.
//!
//! Promises: a [`Redacted`] exists only if its bytes were decoded again and found to hold the fill, and
//! nothing else, in every masked MCU, and the frame everywhere else; it holds no application data but a
//! JFIF header and a short EXIF written anew, and nothing behind its end. Whatever fails, no
//! `Redacted` comes out. Leaves what to hide to its caller's [`Plan`], sealing to the vault.

mod fill;
pub mod manifest;
pub mod mask;
pub mod plan;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, Rgb, RgbImage};

pub use fill::Fill;
pub use manifest::{Manifest, Redaction};
pub use mask::{Canvas, Mask};
pub use plan::{Evidence, Flag, Occupants, Person, Plan, Policy, Rules, Seen};

use crate::frame::{BoxTime, CameraId, Digest};
use crate::jpeg::{self, Facts, Index, Layout, Picture, SegmentKind};
use manifest::{File, Network, Times, Version};

/// Close enough to the camera's own that a plate reads as before, and no larger than it wrote.
const QUALITY: u8 = 90;
/// How far a masked pixel may be from its fill, in steps of 256: one constant block, quantised.
const FILL_TOLERANCE: u8 = 3;
/// The least likeness of what is not masked, in dB of PSNR. Quality 90 gives 35 to 45 on photographs
/// and some 30 on pure noise; another picture, or a shifted one, gives 10 to 20.
const LEAST_LIKENESS: f64 = 26.0;

/// Why a frame could not be redacted. The frame stays where it is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The plan was drawn for another picture.
    #[error("the mask was drawn for another picture")]
    OtherPicture,
    /// The encoder failed.
    #[error("the redacted picture could not be encoded: {0}")]
    Encode(#[from] image::ImageError),
    /// The result is no sound JPEG.
    #[error("the redacted file does not read back: {0}")]
    Unreadable(#[from] jpeg::Error),
    /// The result does not hold what it must.
    #[error("the redacted file failed its check: {0}")]
    Check(Fault),
}

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

/// A frame as its camera wrote it, and what was read from it: all of the same bytes, so that no
/// picture can be sealed under another file's name.
#[derive(Debug, Clone)]
pub struct Original<'a> {
    bytes: &'a [u8],
    layout: Layout,
    facts: Facts,
    picture: Picture,
}

impl<'a> Original<'a> {
    /// Reads a file, once for everything that looks at it.
    pub fn read(bytes: &'a [u8]) -> Result<Self, jpeg::Error> {
        let layout = Layout::parse(bytes)?;
        let facts = Facts::read(bytes, &layout);
        let picture = Picture::read(bytes, &layout, facts.orientation)?;
        Ok(Self {
            bytes,
            layout,
            facts,
            picture,
        })
    }

    /// Its markers.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Its EXIF.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Its pixels.
    pub fn picture(&self) -> &Picture {
        &self.picture
    }

    /// Its pixels, to look at: what is looked at whole is kept.
    pub fn picture_mut(&mut self) -> &mut Picture {
        &mut self.picture
    }

    /// Where its MCUs lie; none where it must be encoded again.
    pub fn index(&self) -> Option<&Index> {
        self.picture.index()
    }

    /// What a plan for this frame is drawn on.
    pub fn canvas(&self) -> Canvas {
        Canvas {
            stored: self.layout.size,
            orientation: self.facts.orientation,
            grid: self.layout.grid(),
        }
    }
}

/// What the manifest says of a frame besides what the plan and the file say.
#[derive(Debug, Clone, PartialEq)]
pub struct Context {
    /// Whose frame.
    pub camera: CameraId,
    /// The box's clock.
    pub now: BoxTime,
    /// Seconds to add to the camera's clock.
    pub correction: i64,
    /// Job and hash of each network in use.
    pub networks: Vec<(String, Digest)>,
    /// Hash of the zones in force.
    pub zone: Digest,
}

/// A redacted JPEG and what was done to it. Only this module can make one, so an unmasked pixel
/// cannot be passed on by mistake: it does not compile.
#[derive(Debug, Clone)]
pub struct Redacted {
    jpeg: Vec<u8>,
    manifest: Manifest,
}

impl Redacted {
    /// The redacted file's bytes.
    pub fn jpeg(&self) -> &[u8] {
        &self.jpeg
    }

    /// What was found, what was masked, what the original was.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

/// Hides what the plan says, for good: paint, encode, check.
pub fn redact(
    original: &Original<'_>,
    plan: &Plan,
    fill: Fill,
    context: &Context,
) -> Result<Redacted, Error> {
    if plan.canvas != original.canvas() {
        return Err(Error::OtherPicture);
    }
    let mut painted = original.picture.stored()?.into_owned();
    fill::paint(&mut painted, plan, fill);
    let exif = original.facts.exif();
    let jpeg = encode(&painted, original.layout.is_grey(), &exif)?;
    check(&jpeg, &exif, &painted, plan)?;
    let manifest = Manifest {
        manifest: Version,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        camera: context.camera.clone(),
        time: Times {
            camera: original.facts.taken,
            redacted: context.now,
            correction: context.correction,
        },
        original: File::of(original.bytes),
        redacted: File::of(&jpeg),
        size: plan.canvas.stored,
        orientation: plan.canvas.orientation,
        redaction: Redaction::ReEncoded,
        coefficients: None,
        policy: plan.policy,
        fill,
        mask: plan.mask.runs(),
        flags: plan.flags.clone(),
        found: plan.found.clone(),
        networks: context
            .networks
            .iter()
            .map(|(job, sha256)| Network {
                job: job.clone(),
                sha256: *sha256,
            })
            .collect(),
        zone: context.zone,
    };
    Ok(Redacted { jpeg, manifest })
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
        let pixels = fill::unit_pixels(plan.canvas.grid, decoded.dimensions(), column, row);
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
    use super::*;
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
        fill::paint(&mut painted, &plan, Fill::Flat);
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
        let smaller = image::imageops::crop_imm(&painted, 0, 0, 56, 48).to_image();
        assert_eq!(
            fault(&encode(&smaller, false, &[]).expect("encoded")),
            Some(Fault::Size)
        );
        let mut other = painted.clone();
        image::imageops::flip_horizontal_in_place(&mut other);
        fill::paint(&mut other, &plan, Fill::Flat);
        assert_eq!(
            fault(&encode(&other, false, &[]).expect("encoded")),
            Some(Fault::Unlike)
        );
    }
}
