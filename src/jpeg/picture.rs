//! The decoded picture: once per frame, and from then on in every size and turn that is asked for.
//!
//! Promises: a [`Picture`] exists only where every MCU was decoded from the file's own bytes; a
//! decoder that fills the rest of a damaged file with grey does not get by. Decoded once, whatever is
//! asked for afterwards. Leaves what is in it to `vision`.

use std::borrow::Cow;

use image::{DynamicImage, Rgb, RgbImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::{Error, Layout, entropy};
use crate::frame::FrameSize;
use crate::frame::Orientation;

/// The scout's picture has a long side of at least this many pixels (findings: an eighth of a 3 MP
/// frame; below some 250 vehicles begin to be missed).
const LEAST_LONG_SIDE: u32 = 400;

/// A frame's pixels, as stored, and how they stand upright.
#[derive(Debug, Clone)]
pub struct Picture {
    stored: RgbImage,
    orientation: Orientation,
}

impl Picture {
    /// Decodes the primary image of `bytes`, whose layout this is.
    pub fn decode(bytes: &[u8], layout: &Layout, orientation: Orientation) -> Result<Self, Error> {
        entropy::check(bytes, layout)?;
        let essence = layout.essence(bytes);
        // Strict: without it, missing data are painted grey and pass for a picture.
        let options = DecoderOptions::default()
            .set_strict_mode(true)
            .set_max_width(layout.size.width as usize)
            .set_max_height(layout.size.height as usize)
            .jpeg_set_out_colorspace(ColorSpace::RGB);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&essence), options);
        let undecodable = |e: zune_jpeg::errors::DecodeErrors| Error::Undecodable(e.to_string());
        let pixels = decoder.decode().map_err(undecodable)?;
        let FrameSize { width, height } = layout.size;
        let stored = RgbImage::from_raw(width, height, pixels)
            .ok_or_else(|| Error::Undecodable("fewer pixels than the header says".into()))?;
        Ok(Self { stored, orientation })
    }

    /// The pixels as they are stored.
    pub fn stored(&self) -> &RgbImage {
        &self.stored
    }

    /// How the stored pixels stand upright.
    pub fn orientation(&self) -> Orientation {
        self.orientation
    }

    /// The size as stored.
    pub fn stored_size(&self) -> FrameSize {
        FrameSize {
            width: self.stored.width(),
            height: self.stored.height(),
        }
    }

    /// The size of the upright frame.
    pub fn frame(&self) -> FrameSize {
        self.orientation.turned(self.stored_size())
    }

    /// The whole picture, upright.
    pub fn upright(&self) -> Cow<'_, RgbImage> {
        turned(Cow::Borrowed(&self.stored), self.orientation)
    }

    /// The small picture for the scout, upright: the smallest of 1/8, 1/4, 1/2 and 1 whose long side
    /// has at least 400 pixels, each pixel the mean of those it stands for.
    pub fn reduced(&self) -> Cow<'_, RgbImage> {
        let long = self.stored.width().max(self.stored.height());
        let factor = [8, 4, 2]
            .into_iter()
            .find(|f| long.div_ceil(*f) >= LEAST_LONG_SIDE);
        match factor {
            Some(factor) => turned(Cow::Owned(means(&self.stored, factor)), self.orientation),
            None => self.upright(),
        }
    }
}

/// Stands a stored picture upright.
fn turned(stored: Cow<'_, RgbImage>, orientation: Orientation) -> Cow<'_, RgbImage> {
    let tag = u8::try_from(u16::from(orientation)).unwrap_or(1);
    match image::metadata::Orientation::from_exif(tag) {
        None | Some(image::metadata::Orientation::NoTransforms) => stored,
        Some(turn) => {
            let mut picture = DynamicImage::ImageRgb8(stored.into_owned());
            picture.apply_orientation(turn);
            Cow::Owned(picture.into_rgb8())
        }
    }
}

/// Means over squares of `factor` x `factor` pixels; narrower ones at the right and lower edge.
fn means(picture: &RgbImage, factor: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let (columns, rows) = (width.div_ceil(factor), height.div_ceil(factor));
    let mut out = RgbImage::new(columns, rows);
    let line = 3 * width as usize;
    let square = 3 * factor as usize;
    let mut sums = vec![[0u32; 3]; columns as usize];
    let bands = picture.as_raw().chunks(line * factor as usize);
    for (row, band) in out.rows_mut().zip(bands) {
        sums.fill([0; 3]);
        for pixels in band.chunks_exact(line) {
            for (sum, part) in sums.iter_mut().zip(pixels.chunks(square)) {
                for pixel in part.chunks_exact(3) {
                    for (channel, &value) in sum.iter_mut().zip(pixel) {
                        *channel += u32::from(value);
                    }
                }
            }
        }
        let down = (band.len() / line) as u32;
        for (x, (mean, sum)) in (0..).zip(row.zip(&sums)) {
            let count = down * factor.min(width - x * factor);
            *mean = Rgb(sum.map(|s| ((s + count / 2) / count) as u8));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(stored: RgbImage, tag: u16) -> Picture {
        Picture {
            stored,
            orientation: tag.try_into().expect("1 to 8"),
        }
    }

    #[test]
    fn every_orientation_stands_upright_as_the_geometry_says() {
        let stored = RgbImage::from_fn(7, 4, |x, y| Rgb([x as u8, y as u8, 0]));
        for tag in 1..=8 {
            let picture = picture(stored.clone(), tag);
            let upright = picture.upright();
            assert_eq!(
                (upright.width(), upright.height()),
                (picture.frame().width, picture.frame().height)
            );
            for (x, y, &Rgb([sx, sy, _])) in upright.enumerate_pixels() {
                let middle = [x as f32 + 0.5, y as f32 + 0.5];
                let [px, py] = picture.orientation.point_to_stored(middle, picture.frame());
                assert_eq!([sx, sy], [px as u8, py as u8], "orientation {tag} at {x}, {y}");
            }
        }
    }

    #[test]
    fn the_small_picture_is_the_smallest_whose_long_side_has_400_pixels() {
        let long_side = |width, height| {
            let picture = picture(RgbImage::new(width, height), 1);
            picture.reduced().width().max(picture.reduced().height())
        };
        assert_eq!(long_side(4_000, 30), 500);
        assert_eq!(long_side(30, 3_193), 400);
        assert_eq!(long_side(3_192, 30), 798);
        assert_eq!(long_side(1_280, 30), 640);
        assert_eq!(long_side(640, 30), 640);
        assert_eq!(long_side(1, 1), 1);
    }

    #[test]
    fn a_pixel_of_the_small_picture_is_the_mean_of_what_it_stands_for() {
        let stored = RgbImage::from_fn(5, 3, |x, y| Rgb([10 * x as u8, 10 * y as u8, 200]));
        let small = means(&stored, 2);
        assert_eq!(small.dimensions(), (3, 2));
        assert_eq!(small.get_pixel(0, 0), &Rgb([5, 5, 200]));
        assert_eq!(small.get_pixel(2, 1), &Rgb([40, 20, 200]));
    }
}
