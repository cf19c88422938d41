//! The packaged networks see in Rust what they see in the reference implementation.
//!
//! The expected boxes come from the reference post-processing that the networks' figures were
//! measured with, run on the same drawn scene. Without networks or runtime (`make models`,
//! `make runtime`) these tests say so and pass.

#![cfg(feature = "trap")]

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use vigie::frame::FrameSize;
use vigie::jpeg::Picture;
use vigie::vision::geometry::Rect;
use vigie::vision::{Detection, Detector, Error, Light, Networks, View, light};

fn models() -> PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    std::env::var_os("VIGIE_MODELS").map_or(repository, PathBuf::from)
}

/// The networks, or a line that says why not.
fn networks() -> Option<Networks> {
    let networks = Networks::open(&models(), None, 1).expect("the manifest is committed");
    match networks.check() {
        Ok(()) => Some(networks),
        Err(missing @ (Error::RuntimeMissing { .. } | Error::ModelMissing { .. })) => {
            eprintln!("skipped: {missing}");
            None
        }
        Err(other) => panic!("{other}"),
    }
}

/// A street with a red car and a man in blue, drawn.
fn scene() -> RgbImage {
    let mut picture = RgbImage::from_fn(480, 360, |x, y| {
        if y < 120 {
            Rgb([150 + (y / 4) as u8, 180, 210])
        } else if y < 160 {
            Rgb([96, 120, 80])
        } else {
            Rgb([90 + ((x * 7 + y * 13) % 9) as u8; 3])
        }
    });
    let body = [170, 36, 30];
    let (glass, blue, dark, shoe) = ([60, 76, 90], [40, 60, 140], [30, 30, 40], [15, 15, 15]);
    let mut fill = |left: u32, top: u32, right: u32, bottom: u32, colour: [u8; 3]| {
        for y in top..bottom {
            for x in left..right {
                picture.put_pixel(x, y, Rgb(colour));
            }
        }
    };
    fill(130, 200, 350, 262, body);
    fill(176, 160, 300, 204, body);
    fill(186, 166, 234, 198, glass);
    fill(242, 166, 290, 198, glass);
    fill(130, 226, 142, 238, [250, 240, 200]);
    fill(340, 222, 350, 236, [250, 60, 40]);
    fill(126, 246, 354, 256, [40, 40, 42]);
    let mut disc = |cx: i32, cy: i32, radius: i32, colour: [u8; 3]| {
        for y in cy - radius..=cy + radius {
            for x in cx - radius..=cx + radius {
                if (x - cx).pow(2) + (y - cy).pow(2) <= radius * radius {
                    picture.put_pixel(x as u32, y as u32, Rgb(colour));
                }
            }
        }
    };
    for wheel in [180, 302] {
        disc(wheel, 262, 25, [22, 22, 24]);
        disc(wheel, 262, 13, [150, 150, 156]);
    }
    disc(415, 136, 14, [206, 160, 130]);
    let mut fill = |left: u32, top: u32, right: u32, bottom: u32, colour: [u8; 3]| {
        for y in top..bottom {
            for x in left..right {
                picture.put_pixel(x, y, Rgb(colour));
            }
        }
    };
    fill(398, 152, 433, 222, blue);
    fill(388, 156, 398, 214, blue);
    fill(433, 156, 443, 214, blue);
    fill(400, 222, 414, 296, dark);
    fill(417, 222, 431, 296, dark);
    fill(396, 296, 414, 303, shoe);
    fill(417, 296, 435, 303, shoe);
    picture
}

const FRAME: FrameSize = FrameSize {
    width: 480,
    height: 360,
};

/// Edges in pixels and score of the reference: there is a box like it.
fn sees(found: &[Detection], [left, top, right, bottom, score]: [f32; 5]) {
    let want = Rect::from_edges(left, top, right, bottom);
    let like = |d: &Detection| d.rect.iou(&want) > 0.97 && (d.score - score).abs() < 0.015;
    assert!(
        found.iter().any(like),
        "{want:?} at {score} is not among {found:#?}"
    );
}

#[test]
fn the_scout_sees_what_the_reference_sees() {
    let Some(mut networks) = networks() else { return };
    let picture = scene();
    assert_eq!(light(&picture), Light::Day);
    let view = View {
        picture: &picture,
        frame: FRAME,
    };
    let seen = networks.scout(view).expect("runs");
    assert_eq!((seen.vehicles.len(), seen.persons.len()), (1, 1), "{seen:#?}");
    sees(&seen.vehicles, [118.7, 163.0, 364.7, 298.4, 0.4066]);
    sees(&seen.persons, [387.3, 117.7, 444.5, 307.3, 0.3483]);
    // Nothing of the first look is left in the second.
    assert_eq!(networks.scout(view).expect("runs"), seen);
}

#[test]
fn the_scout_needs_no_network_but_its_own() {
    let Some(all) = networks() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let copy = |file: &Path| {
        let there = folder.path().join(file);
        std::fs::create_dir_all(there.parent().expect("a folder")).expect("made");
        std::fs::copy(models().join(file), there).expect("copied");
    };
    copy(Path::new("manifest.toml"));
    let used = all.manifest().used().into_iter();
    used.filter(|(job, ..)| job.starts_with("scout/"))
        .for_each(|(_, file, _)| copy(file));
    let library = all.library().expect("there");
    let mut scout = Networks::open(folder.path(), Some(&library), 1).expect("a manifest");
    let picture = scene();
    let view = View {
        picture: &picture,
        frame: FRAME,
    };
    assert!(!scout.scout(view).expect("runs").vehicles.is_empty());
    let mut picture = Picture::of_pixels(picture, vigie::frame::Orientation::default());
    assert!(matches!(
        scout.guard(&mut picture),
        Err(Error::ModelMissing { .. })
    ));
}

#[test]
fn boxes_are_in_pixels_of_the_frame_however_small_the_picture() {
    let Some(mut networks) = networks() else { return };
    let picture = scene();
    let large = FrameSize {
        width: 3840,
        height: 2880,
    };
    let here = networks
        .scout(View {
            picture: &picture,
            frame: FRAME,
        })
        .expect("runs");
    let there = networks
        .scout(View {
            picture: &picture,
            frame: large,
        })
        .expect("runs");
    let (here, there) = (here.vehicles[0].rect, there.vehicles[0].rect);
    assert!(here.scaled([8.0, 8.0]).iou(&there) > 0.999, "{here:?} {there:?}");
}

#[test]
fn the_guard_sees_what_the_reference_sees_and_a_list_shows_it_once() {
    let Some(mut networks) = networks() else { return };
    let mut picture = Picture::of_pixels(scene(), Default::default());
    let looks = networks.guard_looks(&mut picture).expect("runs");
    let listed = looks.distinct(&networks.manifest().listing);
    let seen = looks.united();
    for vehicle in [
        // The whole by the SSD and by NanoDet, and two of the tiles.
        [123.2, 180.0, 351.9, 288.8, 0.3886],
        [122.7, 160.1, 359.2, 293.6, 0.3321],
        [121.1, 167.6, 267.0, 293.4, 0.6052],
        [213.0, 168.2, 357.6, 295.1, 0.4919],
    ] {
        sees(&seen.vehicles, vehicle);
    }
    sees(&seen.persons, [385.5, 116.7, 451.6, 301.8, 0.3349]);
    sees(&seen.persons, [387.8, 122.2, 447.4, 197.8, 0.2044]);
    assert!(listed.vehicles.len() < seen.vehicles.len());
    let guarded = networks.guard(&mut picture).expect("runs");
    assert_eq!(guarded.vehicles, listed.vehicles, "each vehicle once");
    assert_eq!(guarded.persons, seen.persons, "every person's box, for a mask");
}

#[test]
fn a_weak_person_over_a_sixth_of_the_frame_is_not_believed_and_a_small_or_sure_one_is() {
    let Some(mut networks) = networks() else { return };
    let mut picture = Picture::of_pixels(scene(), Default::default());
    let large = networks.manifest().guard.large_person;
    let all = networks.guard_looks(&mut picture).expect("runs").united().persons;
    let kept = networks.guard(&mut picture).expect("runs").persons;
    let frame = FRAME.width as f32 * FRAME.height as f32;
    let doubtful = |d: &&Detection| d.rect.area() > large.share * frame && d.score < large.below;
    assert_eq!(kept.len(), all.len() - all.iter().filter(doubtful).count());
    assert!(kept.iter().all(|d| !doubtful(&d)));
}

#[test]
fn the_silhouette_is_that_of_the_reference() {
    let Some(mut networks) = networks() else { return };
    let mut picture = Picture::of_pixels(scene(), Default::default());
    let drawn = networks
        .silhouette(&mut picture, Rect::from_edges(385.0, 118.0, 446.0, 305.0))
        .expect("runs");
    assert_eq!((drawn.side, drawn.body.len()), (256, 256 * 256));
    let body = drawn.body.iter().filter(|&&v| v > 0.5).count();
    assert!(body.abs_diff(7783) < 80, "{body} cells are body, not 7783");
    let at = |x: usize, y: usize| drawn.body[y * 256 + x];
    assert!(at(128, 128) > 0.9 && at(128, 60) > 0.9 && at(20, 128) < 0.1);
    let middle = drawn.square.centre();
    assert!((middle[0] - 415.5).abs() < 0.01 && (drawn.square.w - 233.75).abs() < 0.01);
}

#[test]
fn any_picture_is_looked_at_by_every_job_without_a_panic() {
    let Some(mut networks) = networks() else { return };
    for (width, height) in [(1, 1), (65_535, 1), (1, 65_535), (7, 5)] {
        let picture = RgbImage::from_pixel(width, height, Rgb([90, 120, 60]));
        let frame = FrameSize { width, height };
        let view = View {
            picture: &picture,
            frame,
        };
        let mut seen = networks.scout(view).expect("runs");
        let mut picture = Picture::of_pixels(picture, Default::default());
        seen.join(networks.guard(&mut picture).expect("runs"));
        let everywhere = Detection {
            rect: Rect::from([0.0, 0.0, width as f32, height as f32]),
            score: 0.9,
        };
        let plates = networks.plates(&mut picture, &[everywhere]).expect("runs");
        let boxes = seen.vehicles.iter().chain(&seen.persons).map(|d| d.rect);
        for rect in boxes.chain(plates.iter().map(|p| p.rect)) {
            assert!(
                rect.right() <= width as f32 + 0.01 && rect.bottom() <= height as f32 + 0.01,
                "{rect:?}"
            );
        }
        assert!(networks.silhouette(&mut picture, everywhere.rect).is_ok());
    }
}

#[test]
fn what_is_no_place_or_no_picture_is_an_error_and_not_an_empty_answer() {
    let Some(mut networks) = networks() else { return };
    let picture = RgbImage::new(0, 0);
    let view = View {
        picture: &picture,
        frame: FRAME,
    };
    assert!(matches!(networks.scout(view), Err(Error::Empty)));
    let mut empty = Picture::of_pixels(picture, Default::default());
    assert!(matches!(networks.guard(&mut empty), Err(Error::Empty)));
    assert!(matches!(networks.plates(&mut empty, &[]), Err(Error::Empty)));
    let somewhere = Rect::from([0.0, 0.0, 10.0, 10.0]);
    assert!(matches!(
        networks.silhouette(&mut empty, somewhere),
        Err(Error::Empty)
    ));
    let mut picture = Picture::of_pixels(scene(), Default::default());
    let nowhere = Rect::from([f32::NAN, 0.0, 10.0, 10.0]);
    assert!(matches!(
        networks.silhouette(&mut picture, nowhere),
        Err(Error::NoPlace)
    ));
}

#[test]
fn every_network_in_use_is_named_with_its_hash() {
    let networks = Networks::open(&models(), None, 1).expect("the manifest is committed");
    let names: Vec<_> = networks.networks().into_iter().map(|(name, _)| name).collect();
    for name in ["scout/ssd", "guard/ssd", "plates/plates", "silhouette/pose_lite"] {
        assert!(names.iter().any(|n| n == name), "{name} in {names:?}");
    }
}
