//! The pictures of an event: whole, small for the filmstrip, and a plate from near. For looking only.
//!
//! Promises: the only pictures that are ever shown are redacted ones, opened with the session's keys and held against
//! the digest on record; a whole one is put on record before it goes out. A few are decoded at a time, however many
//! browsers ask, so that memory is bounded. Nothing shown here is evidence: that is the sealed file.

use std::sync::{Condvar, Mutex, PoisonError};

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::imageops::{FilterType, resize};
use image::{ExtendedColorType, ImageEncoder as _, Rgb, RgbImage};

use super::{agent, event_id, place};
use crate::desk::events::{Event, Frame, Items};
use crate::desk::review;
use crate::desk::web::{Answer, Refused, Visit};
use crate::frame::Region;
use crate::jpeg::{self, Facts, Layout, Picture};
use crate::vault::OfficeKey;

/// Pictures that are decoded at a time.
const AT_ONCE: u32 = 3;
/// Pixels of a preview's longer side.
const PREVIEW: u32 = 240;
const PREVIEW_QUALITY: u8 = 70;
/// What of a plate's surroundings is shown with it, as a share of its width and height.
const AROUND: f32 = 0.5;
/// Pixels of a close-up's longer side, and how often a pixel is enlarged at most.
const CLOSE_UP: u32 = 720;
const MOST_ENLARGED: u32 = 8;
/// Of the pixels, how many in a thousand may be darker than black and brighter than white in a close-up with contrast.
const CUT_OFF: u32 = 10;

/// A few pass at a time.
struct Gate {
    inside: Mutex<u32>,
    left: Condvar,
}

static GATE: Gate = Gate {
    inside: Mutex::new(0),
    left: Condvar::new(),
};

impl Gate {
    fn passed<T>(&self, work: impl FnOnce() -> T) -> T {
        struct Leaving<'g>(&'g Gate);
        impl Drop for Leaving<'_> {
            fn drop(&mut self) {
                *self.0.inside.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
                self.0.left.notify_one();
            }
        }
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        while *inside >= AT_ONCE {
            inside = self.left.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
        *inside += 1;
        drop(inside);
        let _leaving = Leaving(self);
        work()
    }
}

/// A frame of an event that this agent has opened, and where it lies.
fn opened(visit: &Visit) -> Result<(Items, Frame), Refused> {
    let (id, place, agent) = (event_id(visit)?, place(visit)?, agent(visit)?);
    let office = visit.office();
    let store = &office.desk.store;
    Event::there(store.sql(), id)?;
    if review::opened(store.sql(), agent, id)?.is_none() {
        return Err(review::Error::NotOpened(id).into());
    }
    let frame = Frame::find(store.sql(), id, place)?.ok_or(Refused::NotFound)?;
    Ok((Items::of(store, id)?, frame))
}

/// What `read` makes of what `find` finds, and what that was. Files are read while nobody holds the desk, and a version
/// that is superseded meanwhile is overwritten under its reader: then the one that took its place is read.
fn as_it_stands<F, T, E>(
    find: impl Fn() -> Result<F, E>,
    same: impl Fn(&F, &F) -> bool,
    read: impl Fn(&F) -> Result<T, E>,
) -> Result<(T, F), E> {
    let mut found = find()?;
    loop {
        let failed = match read(&found) {
            Ok(done) => return Ok((done, found)),
            Err(failed) => failed,
        };
        let now = find()?;
        if same(&now, &found) {
            return Err(failed);
        }
        found = now;
    }
}

/// The same for the frame of a visit.
fn reading<T>(
    visit: &Visit,
    read: impl Fn(&Items, &Frame, &[OfficeKey]) -> Result<T, Refused>,
) -> Result<(T, Frame), Refused> {
    let keys = &visit.evidence()?.office;
    let same = |(_, now): &(Items, Frame), (_, then): &(Items, Frame)| now.sha256 == then.sha256;
    let read = |(items, frame): &(Items, Frame)| read(items, frame, keys);
    let (done, (_, frame)) = as_it_stands(|| opened(visit), same, read)?;
    Ok((done, frame))
}

/// A whole picture. It counts as seen.
pub fn picture(visit: &Visit) -> Result<Answer, Refused> {
    let (bytes, frame) = reading(visit, |items, frame, keys| Ok(items.picture(frame, keys)?))?;
    let (id, agent) = (event_id(visit)?, agent(visit)?);
    let mut office = visit.office();
    office
        .store()
        .transaction(|tx| review::view(tx, agent, id, &frame))?;
    drop(office);
    Ok(Answer::File {
        media: "image/jpeg",
        name: None,
        bytes,
    })
}

fn decoded(jpeg: &[u8]) -> Result<Picture, jpeg::Error> {
    let layout = Layout::parse(jpeg)?;
    let orientation = Facts::read(jpeg, &layout).orientation;
    Picture::read(jpeg, &layout, orientation)
}

fn unreadable(error: jpeg::Error) -> Refused {
    Refused::Failed(format!("a redacted picture does not decode: {error}"))
}

/// A small picture for the filmstrip.
pub fn preview(visit: &Visit) -> Result<Answer, Refused> {
    GATE.passed(|| {
        let (bytes, _) = reading(visit, |items, frame, keys| Ok(items.picture(frame, keys)?))?;
        let small = decoded(&bytes)
            .and_then(|picture| picture.reduced())
            .map_err(unreadable)?;
        let small = sized(&small, PREVIEW, 1);
        let mut out = Vec::new();
        JpegEncoder::new_with_quality(&mut out, PREVIEW_QUALITY)
            .encode_image(&small)
            .map_err(|error| Refused::Failed(error.to_string()))?;
        Ok(Answer::File {
            media: "image/jpeg",
            name: None,
            bytes: out,
        })
    })
}

/// Its longer side made `long` pixels, or as many as `most` times its own.
fn sized(picture: &RgbImage, long: u32, most: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let side = width.max(height).max(1);
    let long = long.min(side.saturating_mul(most));
    let scaled = |length: u32| (u64::from(length) * u64::from(long) / u64::from(side)).max(1) as u32;
    resize(picture, scaled(width), scaled(height), FilterType::CatmullRom)
}

/// A plate from near; `?contraste=1` spreads its greys.
pub fn plate(visit: &Visit) -> Result<Answer, Refused> {
    let nth: usize = visit.path("nth").parse().map_err(|_| Refused::NotFound)?;
    let both = |items: &Items, frame: &Frame, keys: &[OfficeKey]| {
        let (manifest, _) = items.manifest(frame, keys)?;
        Ok((manifest, items.picture(frame, keys)?))
    };
    let ((manifest, bytes), _) = GATE.passed(|| reading(visit, both))?;
    let plate = manifest.found.plates.get(nth).ok_or(Refused::NotFound)?;
    let size = manifest.orientation.turned(manifest.size);
    let near = plate.rect.grown(AROUND).clipped(size);
    let region = Region {
        x: near.x as u32,
        y: near.y as u32,
        width: near.w.ceil() as u32,
        height: near.h.ceil() as u32,
    };
    let region = region.clipped(size);
    let close = GATE.passed(|| {
        let picture = decoded(&bytes).map_err(unreadable)?;
        let part = picture.part(region, region.long_side()).map_err(unreadable)?;
        Ok::<_, Refused>(part.picture.into_owned())
    })?;
    let close = match visit.query("contraste") {
        Some(_) => spread(close),
        None => close,
    };
    let close = sized(&close, CLOSE_UP, MOST_ENLARGED);
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(&close, close.width(), close.height(), ExtendedColorType::Rgb8)
        .map_err(|error| Refused::Failed(error.to_string()))?;
    Ok(Answer::File {
        media: "image/png",
        name: None,
        bytes,
    })
}

/// The greys between the darkest and the brightest hundredth, over the whole range.
fn spread(mut picture: RgbImage) -> RgbImage {
    let luma = |Rgb([r, g, b]): &Rgb<u8>| {
        // ITU-R BT.601-7, 2.5.1, in 1/256.
        ((77 * u32::from(*r) + 150 * u32::from(*g) + 29 * u32::from(*b)) >> 8) as usize
    };
    let mut levels = [0u32; 256];
    picture.pixels().for_each(|pixel| levels[luma(pixel)] += 1);
    let few = picture.width().saturating_mul(picture.height()) / 1000 * CUT_OFF;
    let beyond = |passed: &mut u32, count: u32| {
        *passed += count;
        *passed > few
    };
    let (mut below, mut above) = (0, 0);
    let dark = levels
        .iter()
        .position(|count| beyond(&mut below, *count))
        .unwrap_or(0) as i32;
    let bright = levels
        .iter()
        .rposition(|count| beyond(&mut above, *count))
        .unwrap_or(255) as i32;
    let range = (bright - dark).max(1);
    for Rgb(channels) in picture.pixels_mut() {
        for channel in channels {
            *channel = ((i32::from(*channel) - dark) * 255 / range).clamp(0, 255) as u8;
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_picture_that_is_masked_more_while_it_is_read_is_read_as_it_stands_then() {
        let version = Cell::new(1);
        let find = || Ok::<_, String>(version.get());
        let read = |found: &i32| match *found {
            1 => {
                version.set(2);
                Err("overwritten under the reader".to_owned())
            }
            _ => Ok("masked more"),
        };
        assert_eq!(as_it_stands(find, |a, b| a == b, read), Ok(("masked more", 2)));
    }

    #[test]
    fn a_picture_that_is_damaged_is_not_read_for_ever() {
        let read = |_: &i32| Err::<(), _>("damaged");
        assert_eq!(as_it_stands(|| Ok(1), |a, b| a == b, read), Err("damaged"));
    }

    #[test]
    fn contrast_uses_the_whole_range_and_keeps_the_order_of_greys() {
        let dull = RgbImage::from_fn(64, 64, |x, _| Rgb([(100 + x / 2) as u8; 3]));
        let spread = spread(dull);
        let row: Vec<u8> = spread.rows().next().expect("a row").map(|p| p.0[0]).collect();
        assert_eq!((row[0], row[63]), (0, 255));
        assert!(row.is_sorted());
    }

    #[test]
    fn one_grey_and_one_pixel_are_no_fault() {
        assert_eq!(
            spread(RgbImage::from_pixel(8, 8, Rgb([90; 3]))).get_pixel(0, 0).0,
            [0; 3]
        );
        assert_eq!(sized(&RgbImage::new(1, 1), CLOSE_UP, 8).dimensions(), (8, 8));
        assert_eq!(sized(&RgbImage::new(4000, 10), PREVIEW, 1).dimensions(), (240, 1));
    }

    #[test]
    fn no_more_than_a_few_are_at_work_at_once() {
        let most = Mutex::new((0u32, 0u32));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    GATE.passed(|| {
                        let mut now = most.lock().expect("whole");
                        now.0 += 1;
                        now.1 = now.1.max(now.0);
                        drop(now);
                        std::thread::yield_now();
                        most.lock().expect("whole").0 -= 1;
                    });
                });
            }
        });
        let (left, most) = *most.lock().expect("whole");
        assert!(left == 0 && (1..=AT_ONCE).contains(&most), "{most}");
    }
}
