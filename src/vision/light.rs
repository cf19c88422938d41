//! Day or night, from the picture alone.
//!
//! Promises: pure; the same picture gives the same answer, whatever its clock says. In doubt it is
//! night: a night frame is held longer and masked more. Leaves sunrise and clocks to nobody: a box's
//! clock may be wrong by years, a lamp's infrared light has no colour.

use image::RgbImage;

use super::Light;

/// A picture whose colours differ from grey by less than this on average (largest minus smallest
/// channel, 0..=255) was lit by the infrared lamp: with it on, cameras move their infrared filter away
/// and deliver no colour.
const COLOURLESS: f32 = 1.6;
/// A picture darker than this on average (0..=255) was taken at night, whatever its colours.
const DARK: f32 = 46.0;

/// Whether the frame was taken by day or by night.
pub fn light(picture: &RgbImage) -> Light {
    let count = picture.width() as f32 * picture.height() as f32;
    if count == 0.0 {
        return Light::Night;
    }
    let (mut chroma, mut luma) = (0u64, 0u64);
    for &[r, g, b] in picture.as_raw().as_chunks::<3>().0 {
        chroma += u64::from(r.max(g).max(b) - r.min(g).min(b));
        // ITU-R BT.601-7, 2.5.1, in 1/256.
        luma += (77 * u64::from(r) + 150 * u64::from(g) + 29 * u64::from(b)) >> 8;
    }
    if chroma as f32 / count < COLOURLESS || luma as f32 / count < DARK {
        Light::Night
    } else {
        Light::Day
    }
}
