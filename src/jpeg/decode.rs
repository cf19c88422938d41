//! From a JPEG's bytes to pixels, all of them or none.
//!
//! Promises: a decoder that fills the rest of a damaged file with grey does not get by; a mean is that
//! of the pixels it stands for, rounded. Leaves to `picture` what is decoded, and how large.

use image::{DynamicImage, Rgb, RgbImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::{Error, Layout, entropy};
use crate::frame::{FrameSize, Orientation};

/// The whole primary image of `bytes`, whose layout this is, as stored. The long way, for every kind of
/// JPEG that can be decoded at all: each MCU is counted before anything is decoded.
pub fn decode(bytes: &[u8], layout: &Layout) -> Result<RgbImage, Error> {
    entropy::check(bytes, layout)?;
    strict(&layout.essence(bytes), layout.size)
}

/// Decodes a JPEG of this size, whose MCUs are known to be all there.
pub(super) fn strict(jpeg: &[u8], size: FrameSize) -> Result<RgbImage, Error> {
    // Strict: without it, missing data are painted grey and pass for a picture.
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(size.width as usize)
        .set_max_height(size.height as usize)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    let undecodable = |e: zune_jpeg::errors::DecodeErrors| Error::Undecodable(e.to_string());
    let pixels = decoder.decode().map_err(undecodable)?;
    RgbImage::from_raw(size.width, size.height, pixels)
        .ok_or_else(|| Error::Undecodable("fewer pixels than the header says".into()))
}

/// Stands a stored picture upright.
pub(super) fn turned(stored: RgbImage, orientation: Orientation) -> RgbImage {
    let tag = u8::try_from(u16::from(orientation)).unwrap_or(1);
    match image::metadata::Orientation::from_exif(tag) {
        None | Some(image::metadata::Orientation::NoTransforms) => stored,
        Some(turn) => {
            let mut picture = DynamicImage::ImageRgb8(stored);
            picture.apply_orientation(turn);
            picture.into_rgb8()
        }
    }
}

/// The picture of the means over squares of `factor` x `factor` pixels; narrower ones at the right and
/// lower edge.
pub(super) fn means(picture: &RgbImage, factor: u32) -> RgbImage {
    if factor == 1 {
        return picture.clone();
    }
    let (width, height) = picture.dimensions();
    let (columns, rows) = (width.div_ceil(factor), height.div_ceil(factor));
    let mut out = RgbImage::new(columns, rows);
    let line = 3 * width as usize;
    let square = 3 * factor as usize;
    let mut sums = vec![[0u32; 3]; columns as usize];
    let bands = picture.as_raw().chunks((line * factor as usize).max(1));
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

    #[test]
    fn a_mean_is_that_of_the_pixels_it_stands_for() {
        let stored = RgbImage::from_fn(5, 3, |x, y| Rgb([10 * x as u8, 10 * y as u8, 200]));
        let small = means(&stored, 2);
        assert_eq!(small.dimensions(), (3, 2));
        assert_eq!(small.get_pixel(0, 0), &Rgb([5, 5, 200]));
        assert_eq!(small.get_pixel(2, 1), &Rgb([40, 20, 200]));
        assert_eq!(means(&stored, 1), stored);
    }
}
