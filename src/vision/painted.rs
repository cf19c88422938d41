//! A [`Detector`] that sees painted rectangles, for the tests of everything that comes after seeing.
//!
//! Promises: pure red is a vehicle, pure green a person, pure blue a plate, also after JPEG and on a
//! smaller picture; it counts its calls, so a test can show that a second run looks at nothing; it
//! fails when told to, so a test can show what happens then. Clones share counts and failures.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use image::{GrayImage, Luma, Rgb, RgbImage};
use imageproc::region_labelling::{Connectivity, connected_components};

use super::geometry::Rect;
use super::{Detection, Detector, Error, Objects, Plate, Silhouette, View};
use crate::frame::{Digest, Region};
use crate::jpeg::Picture;

/// What a [`Painted`] can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// [`Detector::scout`].
    Scout,
    /// [`Detector::guard`].
    Guard,
    /// [`Detector::plates`].
    Plates,
    /// [`Detector::silhouette`].
    Silhouette,
}

/// How often each job was asked for, failures included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// [`Detector::scout`].
    pub scout: u32,
    /// [`Detector::guard`].
    pub guard: u32,
    /// [`Detector::plates`].
    pub plates: u32,
    /// [`Detector::silhouette`].
    pub silhouette: u32,
}

/// Sees painted rectangles.
#[derive(Debug, Clone, Default)]
pub struct Painted {
    asked: [Arc<AtomicU32>; 4],
    failing: [Arc<AtomicU32>; 4],
}

/// How far each channel may be from the pure colour.
const TOLERANCE: u8 = 40;
/// What JPEG leaves along an edge is no rectangle.
const LEAST_PIXELS: u32 = 6;
/// Cells along a side of a silhouette.
const CELLS: usize = 64;
const SCORE: f32 = 0.9;
const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];

impl Painted {
    /// Sees, counts from nought, fails never.
    pub fn new() -> Self {
        Self::default()
    }

    /// How often it was asked.
    pub fn calls(&self) -> Calls {
        let [scout, guard, plates, silhouette] = self.asked.each_ref().map(|n| n.load(Ordering::Relaxed));
        Calls {
            scout,
            guard,
            plates,
            silhouette,
        }
    }

    /// The next call for this job fails; told twice, the next two.
    pub fn fail_next(&self, job: Job) {
        self.failing[job as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn ask(&self, job: Job) -> Result<(), Error> {
        self.asked[job as usize].fetch_add(1, Ordering::Relaxed);
        let less = |n: u32| n.checked_sub(1);
        match self.failing[job as usize].fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) {
            Ok(_) => Err(Error::Run {
                network: "painted",
                message: format!("{job:?} was told to fail"),
            }),
            Err(_) => Ok(()),
        }
    }
}

impl Detector for Painted {
    fn scout(&mut self, view: View<'_>) -> Result<Objects, Error> {
        self.ask(Job::Scout)?;
        Ok(objects(view))
    }

    fn guard(&mut self, picture: &mut Picture) -> Result<Objects, Error> {
        self.ask(Job::Guard)?;
        Ok(objects(whole(picture)?))
    }

    fn plates(&mut self, picture: &mut Picture, _vehicles: &[Detection]) -> Result<Vec<Plate>, Error> {
        self.ask(Job::Plates)?;
        let view = whole(picture)?;
        let plate = |d: Detection| {
            let (left, top, right, bottom) = (d.rect.x, d.rect.y, d.rect.right(), d.rect.bottom());
            Plate {
                rect: d.rect,
                score: d.score,
                corners: [[left, top], [right, top], [right, bottom], [left, bottom]],
            }
        };
        Ok(rectangles(view, BLUE).into_iter().map(plate).collect())
    }

    fn silhouette(&mut self, picture: &mut Picture, person: Rect) -> Result<Silhouette, Error> {
        self.ask(Job::Silhouette)?;
        let side = person.w.max(person.h).max(1.0) * 1.25;
        let [cx, cy] = person.centre();
        let square = Rect::from([cx - side / 2.0, cy - side / 2.0, side, side]);
        let part = picture.part(Region::around(&square), CELLS as u32)?;
        let pixels = &part.picture;
        let cell = |i: usize| {
            let at = |k: usize| (k as f32 + 0.5) * side / CELLS as f32;
            let [x, y] = part.point([square.x + at(i % CELLS), square.y + at(i / CELLS)]);
            let inside = x >= 0.0 && y >= 0.0 && x < pixels.width() as f32 && y < pixels.height() as f32;
            let green = inside && is(pixels.get_pixel(x as u32, y as u32), GREEN);
            f32::from(u8::from(green))
        };
        Ok(Silhouette {
            square,
            side: CELLS,
            body: (0..CELLS * CELLS).map(cell).collect(),
        })
    }

    fn networks(&self) -> Vec<(String, Digest)> {
        vec![("painted".into(), Digest::of(b"painted rectangles"))]
    }
}

/// Everything, for what is painted is small.
fn whole(picture: &mut Picture) -> Result<View<'_>, Error> {
    let frame = picture.frame();
    Ok(View {
        picture: picture.whole(u32::MAX)?,
        frame,
    })
}

fn objects(view: View<'_>) -> Objects {
    Objects {
        vehicles: rectangles(view, RED),
        persons: rectangles(view, GREEN),
    }
}

fn scale(view: View<'_>) -> [f32; 2] {
    let side = |full: u32, seen: u32| full as f32 / seen.max(1) as f32;
    [
        side(view.frame.width, view.picture.width()),
        side(view.frame.height, view.picture.height()),
    ]
}

fn is(pixel: &Rgb<u8>, colour: [u8; 3]) -> bool {
    pixel
        .0
        .iter()
        .zip(colour)
        .all(|(&p, c)| p.abs_diff(c) <= TOLERANCE)
}

/// The bounding boxes of the patches of one colour, in pixels of the frame.
fn rectangles(view: View<'_>, colour: [u8; 3]) -> Vec<Detection> {
    boxes(view.picture, colour)
        .into_iter()
        .map(|rect| Detection {
            rect: rect.scaled(scale(view)).clipped(view.frame),
            score: SCORE,
        })
        .collect()
}

fn boxes(picture: &RgbImage, colour: [u8; 3]) -> Vec<Rect> {
    /// Left, top, right, bottom (inclusive) and pixels.
    type Patch = ([u32; 4], u32);
    let mask = GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        Luma([u8::from(is(picture.get_pixel(x, y), colour))])
    });
    let labels = connected_components(&mask, Connectivity::Eight, Luma([0]));
    let mut patches: Vec<Patch> = Vec::new();
    for (x, y, &Luma([label])) in labels.enumerate_pixels() {
        let Some(i) = (label as usize).checked_sub(1) else {
            continue;
        };
        if patches.len() <= i {
            patches.resize(i + 1, ([u32::MAX, u32::MAX, 0, 0], 0));
        }
        let ([left, top, right, bottom], count) = patches[i];
        patches[i] = ([left.min(x), top.min(y), right.max(x), bottom.max(y)], count + 1);
    }
    let large = patches.into_iter().filter(|&(_, count)| count >= LEAST_PIXELS);
    let rect = |([left, top, right, bottom], _): Patch| {
        Rect::from_edges(left as f32, top as f32, right as f32 + 1.0, bottom as f32 + 1.0)
    };
    large.map(rect).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::FrameSize;
    use image::codecs::jpeg::JpegEncoder;
    use image::imageops::{FilterType, resize};

    fn scene() -> RgbImage {
        RgbImage::from_fn(320, 240, |x, y| match (x, y) {
            (40..140, 100..160) if (80..100).contains(&x) && (140..148).contains(&y) => Rgb(BLUE),
            (40..140, 100..160) => Rgb(RED),
            (200..220, 80..140) => Rgb(GREEN),
            (260..280, 90..150) => Rgb(GREEN),
            _ => Rgb([120, 125, 130]),
        })
    }

    const FRAME: FrameSize = FrameSize {
        width: 320,
        height: 240,
    };

    fn near(got: &Detection, want: [f32; 4], by: f32) {
        let got: [f32; 4] = got.rect.into();
        assert!(
            got.iter().zip(want).all(|(g, w)| (g - w).abs() <= by),
            "{got:?}, not {want:?}"
        );
    }

    #[test]
    fn colours_are_seen_also_after_jpeg_and_on_a_smaller_picture() {
        let scene = scene();
        let mut file = Vec::new();
        JpegEncoder::new_with_quality(&mut file, 80)
            .encode_image(&scene)
            .expect("encode");
        let jpeg = image::load_from_memory(&file).expect("decode").to_rgb8();
        let small = resize(&scene, 80, 60, FilterType::Triangle);
        for (picture, by) in [(&scene, 0.0), (&jpeg, 4.0), (&small, 8.0)] {
            let view = View {
                picture,
                frame: FRAME,
            };
            let mut painted = Painted::new();
            let seen = painted.scout(view).expect("sees");
            assert_eq!((seen.vehicles.len(), seen.persons.len()), (1, 2));
            near(&seen.vehicles[0], [40.0, 100.0, 100.0, 60.0], by);
            near(&seen.persons[0], [200.0, 80.0, 20.0, 60.0], by);
        }
        let mut jpeg = Picture::of_pixels(jpeg, Default::default());
        let plates = Painted::new().plates(&mut jpeg, &[]).expect("sees");
        assert_eq!(plates.len(), 1);
        assert!(plates[0].rect.iou(&Rect::from([80.0, 140.0, 20.0, 8.0])) > 0.4);
    }

    #[test]
    fn the_silhouette_is_the_green_in_the_square() {
        let mut picture = Picture::of_pixels(scene(), Default::default());
        let drawn = Painted::new()
            .silhouette(&mut picture, Rect::from([200.0, 80.0, 20.0, 60.0]))
            .expect("sees");
        let share = drawn.body.iter().sum::<f32>() / drawn.body.len() as f32;
        let want = 20.0 * 60.0 / (75.0 * 75.0);
        assert!((share - want).abs() < 0.02, "{share}, not {want}");
    }

    #[test]
    fn calls_are_counted_and_failures_come_when_ordered() {
        let scene = scene();
        let view = View {
            picture: &scene,
            frame: FRAME,
        };
        let watched = Painted::new();
        let mut painted = watched.clone();
        watched.fail_next(Job::Guard);
        assert!(painted.scout(view).is_ok());
        let mut picture = Picture::of_pixels(scene.clone(), Default::default());
        assert!(painted.guard(&mut picture).is_err());
        assert!(painted.guard(&mut picture).is_ok());
        let calls = watched.calls();
        assert_eq!(
            (calls.scout, calls.guard, calls.plates, calls.silhouette),
            (1, 2, 0, 0)
        );
    }
}
