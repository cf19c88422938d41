//! A frame of 12 MP made by rule, for boards that have none at hand: no place and no one in it.
//!
//! Rough ground under a smooth sky, with detail as wide as a lens gives it, so that the file has about the bytes per
//! pixel of trap cameras (some 1.7 bits at 4:2:2).

use image::codecs::jpeg::JpegEncoder;
use image::{ImageError, RgbImage};

use crate::frame::CameraTime;
use crate::jpeg::Facts;

/// Width and height of the drawn frame.
pub const SIZE: [u32; 2] = [4032, 3024];
const QUALITY: u8 = 88;
/// Widths of detail in pixels, and how strong each is on the ground and in the sky.
const DETAIL: [(u32, f32, f32); 3] = [(3, 22.0, 0.8), (17, 14.0, 1.0), (210, 12.0, 8.0)];
/// The sky's part of the height.
const SKY: f32 = 0.25;

/// A JPEG without any EXIF, 4:2:2.
pub fn frame() -> Result<Vec<u8>, ImageError> {
    let [width, height] = SIZE;
    let mut pixels = Vec::with_capacity(3 * (width * height) as usize);
    let mut layers = DETAIL.map(|(cell, ..)| vec![0.0; (width / cell + 2) as usize]);
    for y in 0..height {
        let sky = (y as f32) < SKY * height as f32;
        for (layer, (seed, (cell, ..))) in layers.iter_mut().zip((0u32..).zip(DETAIL)) {
            let (row, down) = (y / cell, (y % cell) as f32 / cell as f32);
            for (x, value) in (0u32..).zip(layer.iter_mut()) {
                let (top, bottom) = (noise(x, row, seed), noise(x, row + 1, seed));
                *value = top + (bottom - top) * down;
            }
        }
        let [r, g, b] = if sky {
            [168.0, 188.0, 212.0]
        } else {
            [134.0, 126.0, 108.0]
        };
        for x in 0..width {
            let light: f32 = layers
                .iter()
                .zip(DETAIL)
                .map(|(layer, (cell, ground, above))| {
                    let (left, across) = ((x / cell) as usize, (x % cell) as f32 / cell as f32);
                    let value = layer[left] + (layer[left + 1] - layer[left]) * across;
                    value * if sky { above } else { ground }
                })
                .sum();
            pixels.extend([r + light, g + light, b + light].map(|c| c.clamp(0.0, 255.0) as u8));
        }
    }
    let mut jpeg = Vec::new();
    if let Some(picture) = RgbImage::from_raw(width, height, pixels) {
        JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&picture)?;
    }
    Ok(jpeg)
}

/// The same picture as a camera dates it: other bytes for each hour.
pub fn dated(jpeg: &[u8], taken: CameraTime) -> Vec<u8> {
    let facts = Facts {
        taken: Some(taken),
        ..Facts::default()
    };
    let exif = [&b"Exif\0\0"[..], &facts.exif()].concat();
    // A few hundred bytes at most.
    let length = (exif.len() + 2) as u16;
    [
        &jpeg[..2],
        &[0xFF, 0xE1],
        &length.to_be_bytes(),
        &exif,
        &jpeg[2..],
    ]
    .concat()
}

/// -1 to 1, by place and seed.
fn noise(x: u32, y: u32, seed: u32) -> f32 {
    let mut h = x
        .wrapping_mul(0x9E37_79B1)
        .wrapping_add(y.wrapping_mul(0x85EB_CA77))
        .wrapping_add(seed.wrapping_mul(0xC2B2_AE3D));
    h = (h ^ h >> 15).wrapping_mul(0x2C1B_3C6D);
    h = (h ^ h >> 12).wrapping_mul(0x297A_2D39);
    h ^= h >> 15;
    h as f32 / 2_147_483_648.0 - 1.0
}
