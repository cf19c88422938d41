//! Day or night, from the picture alone.
//!
//! Promises: pure; the same picture gives the same answer, whatever its clock says (a trap's clock may
//! be wrong by years). A picture without pixels is night: what is uncertain is held longer and masked
//! more. A white flash at night looks like day; only a clock could tell, and none is asked.

use image::RgbImage;

use super::Light;

/// A picture whose colours differ from grey by less than this on average (largest minus smallest
/// channel, 0..=255) was lit by the infrared lamp: with it on, cameras move their infrared filter away
/// and deliver no colour. What JPEG adds stays below 1; a grey car park in fog has 1.7.
const COLOURLESS: f64 = 1.3;
/// Night is darker than this on average (0..=255) ...
const DARK: f64 = 60.0;
/// ... and nine tenths of it are darker than this. Exposure brings some part of every day's picture
/// above it: a sky, a road, a wall; at night lamps are small.
const DIM: u8 = 130;

/// Whether the frame was taken by day or by night.
pub fn light(picture: &RgbImage) -> Light {
    let pixels = picture.as_raw().as_chunks::<3>().0;
    let mut chroma = 0u64;
    let mut levels = [0u64; 256];
    for &[r, g, b] in pixels {
        chroma += u64::from(r.max(g).max(b) - r.min(g).min(b));
        // ITU-R BT.601-7, 2.5.1, in 1/256.
        let luma = (77 * u32::from(r) + 150 * u32::from(g) + 29 * u32::from(b)) >> 8;
        levels[luma as usize] += 1;
    }
    let count = pixels.len().max(1) as f64;
    let luma: u64 = levels.iter().zip(0u64..).map(|(n, level)| n * level).sum();
    let bright: u64 = levels[usize::from(DIM)..].iter().sum();
    let infrared = (chroma as f64) / count < COLOURLESS;
    let dark = (luma as f64) / count < DARK && (bright as f64) / count < 0.1;
    if infrared || dark {
        Light::Night
    } else {
        Light::Day
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn scene(of: impl Fn(u32, u32) -> [u8; 3]) -> RgbImage {
        RgbImage::from_fn(64, 48, |x, y| Rgb(of(x, y)))
    }

    #[test]
    fn grey_is_infrared_however_bright() {
        for level in [0u8, 40, 128, 255] {
            assert_eq!(
                light(&scene(|x, _| [level.saturating_add((x % 3) as u8); 3])),
                Light::Night
            );
        }
    }

    #[test]
    fn a_little_colour_noise_of_the_jpeg_does_not_make_a_day() {
        let noisy = scene(|x, y| [100 + ((x * 7 + y) % 3 == 0) as u8, 100, 100 + (y % 2) as u8]);
        assert_eq!(light(&noisy), Light::Night);
    }

    #[test]
    fn a_dark_picture_with_coloured_lamps_is_night_and_a_shaded_street_under_a_sky_is_day() {
        let lamps = scene(|x, y| {
            if x % 16 == 0 && y % 16 == 0 {
                [255, 180, 60]
            } else {
                [20, 18, 30]
            }
        });
        assert_eq!(light(&lamps), Light::Night);
        let street = scene(|_, y| if y < 8 { [180, 200, 240] } else { [30, 24, 18] });
        assert_eq!(light(&street), Light::Day);
    }

    #[test]
    fn a_coloured_bright_picture_is_day_at_any_size() {
        assert_eq!(light(&scene(|x, _| [120, 140, (x * 3) as u8])), Light::Day);
        assert_eq!(
            light(&RgbImage::from_pixel(1, 1, Rgb([200, 100, 50]))),
            Light::Day
        );
        assert_eq!(light(&RgbImage::new(0, 0)), Light::Night);
    }
}
