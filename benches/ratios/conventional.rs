//! How it is done without `vigie::jpeg`: decode everything, work on pixels, encode everything.

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, imageops};

/// The picture for the scout: the whole decoded, then an eighth of it by `image`'s fastest sound way.
pub fn eighth(jpeg: &[u8]) -> RgbImage {
    let whole = decoded(jpeg);
    whole
        .thumbnail_exact(whole.width().div_ceil(8), whole.height().div_ceil(8))
        .into_rgb8()
}

pub fn reduced(whole: &RgbImage) -> RgbImage {
    imageops::thumbnail(whole, whole.width().div_ceil(8), whole.height().div_ceil(8))
}

pub fn decoded(jpeg: &[u8]) -> DynamicImage {
    image::load_from_memory_with_format(jpeg, ImageFormat::Jpeg).expect("a whole JPEG")
}

/// Fills `areas` (left, top, width, height) and encodes at quality 90.
pub fn redacted(jpeg: &[u8], areas: &[[u32; 4]]) -> Vec<u8> {
    filled(decoded(jpeg).into_rgb8(), areas)
}

pub fn filled(mut picture: RgbImage, areas: &[[u32; 4]]) -> Vec<u8> {
    for &[left, top, width, height] in areas {
        for y in top..(top + height).min(picture.height()) {
            for x in left..(left + width).min(picture.width()) {
                picture.put_pixel(x, y, Rgb([128, 128, 128]));
            }
        }
    }
    let mut out = Vec::new();
    JpegEncoder::new_with_quality(&mut out, 90)
        .encode_image(&picture)
        .expect("encoded");
    out
}
