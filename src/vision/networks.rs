//! The real [`Detector`]: which network looks at what, for each job.
//!
//! Promises: a session is built once, when first needed, from bytes whose SHA-256 was checked; a
//! failure is an error and never an empty answer, so that no one is left unmasked by a network that
//! did not run; every box is in pixels of the full upright frame and inside it.

use std::path::{Path, PathBuf};

use image::RgbImage;

use super::geometry::Rect;
use super::listing::{Look, Looks};
use super::manifest::{Manifest, NanoDetFile, Seer, check_pinned, read_pinned};
use super::nms::Limits;
use super::runtime::{self, Network, Runtime};
use super::ssd::{self, Anchor};
use super::tensor::Canvas;
use super::tiles::tiles;
use super::{Detection, Detector, Error, Objects, Plate, Silhouette, View, nanodet, plates, pose};
use crate::frame::{Digest, FrameSize, Region};
use crate::jpeg::Picture;

/// The packaged networks, run by ONNX Runtime.
pub struct Networks {
    manifest: Manifest,
    loader: Loader,
    canvas: Canvas,
    anchors: Vec<Anchor>,
    ssd: Option<Network>,
    nanodet_small: Option<Network>,
    nanodet_large: Option<Network>,
    pose: Option<Network>,
    plates: Option<Network>,
}

/// What it takes to build a session.
struct Loader {
    models: PathBuf,
    library: Option<PathBuf>,
    threads: usize,
    runtime: Option<Runtime>,
}

impl Loader {
    fn ready<'n>(
        &mut self,
        slot: &'n mut Option<Network>,
        name: &'static str,
        (file, digest): (&Path, Digest),
        manifest: &Manifest,
    ) -> Result<&'n mut Network, Error> {
        if let Some(network) = slot {
            return Ok(network);
        }
        let runtime = match &self.runtime {
            Some(runtime) => runtime,
            None => {
                let pinned = &manifest.runtime;
                let library = runtime::find(self.library.as_deref(), &self.models, &pinned.file)?;
                self.runtime.insert(Runtime::load(&library, pinned)?)
            }
        };
        let bytes = read_pinned(&self.models.join(file), &digest)?;
        Ok(slot.insert(runtime.network(name, bytes, self.threads)?))
    }
}

impl Networks {
    /// Reads the manifest of a models folder. Nothing is loaded yet; [`check`](Self::check) finds out
    /// beforehand whether all could be. `library` is ONNX Runtime, or else it is looked for
    /// ([`runtime::find`]). `threads` is how many one network may use.
    pub fn open(models: &Path, library: Option<&Path>, threads: usize) -> Result<Self, Error> {
        Ok(Self {
            manifest: Manifest::read(models)?,
            loader: Loader {
                models: models.to_owned(),
                library: library.map(Path::to_owned),
                threads: threads.max(1),
                runtime: None,
            },
            canvas: Canvas::default(),
            anchors: ssd::anchors(),
            ssd: None,
            nanodet_small: None,
            nanodet_large: None,
            pose: None,
            plates: None,
        })
    }

    /// Whether the runtime and every network in use are there and are the pinned ones.
    pub fn check(&self) -> Result<(), Error> {
        Runtime::load(&self.library()?, &self.manifest.runtime)?;
        for (_, file, digest) in self.manifest.used() {
            check_pinned(&self.loader.models.join(file), &digest)?;
        }
        Ok(())
    }

    /// Where ONNX Runtime is.
    pub fn library(&self) -> Result<PathBuf, Error> {
        let Loader { library, models, .. } = &self.loader;
        runtime::find(library.as_deref(), models, &self.manifest.runtime.file)
    }

    /// What stands in the manifest: thresholds that other modules need.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The guard's job with who saw what kept apart: [`Looks::united`] is a mask, [`Looks::distinct`] a list.
    pub fn guard_looks(&mut self, picture: &mut Picture) -> Result<Looks, Error> {
        let guard = self.manifest.guard.clone();
        let view = view(picture, least_for_tiles(guard.tiles, guard.overlap))?;
        let whole = whole(view)?;
        let job = Seeing {
            threshold: guard.threshold,
            iou: guard.nms_iou,
        };
        let mut looks = Looks::default();
        let mut add = |seer, seen| {
            looks.0.push(Look {
                seer,
                objects: to_frame(seen, view),
            });
        };
        for seer in guard.networks {
            add(seer, self.see(seer, job, view.picture, whole)?);
            if seer == Seer::Ssd && guard.tiles > 1 {
                let mut seen = Objects::default();
                for tile in tiles(whole.width, whole.height, guard.tiles, guard.overlap) {
                    seen.join(self.see(seer, job, view.picture, tile)?);
                }
                add(seer, seen);
            }
        }
        Ok(looks)
    }

    /// Builds a network, if it is not built yet.
    fn build(&mut self, seer: Seer) -> Result<(), Error> {
        let slot = match seer {
            Seer::Ssd => &mut self.ssd,
            Seer::NanodetSmall => &mut self.nanodet_small,
            Seer::NanodetLarge => &mut self.nanodet_large,
        };
        let pinned = self.manifest.seer(seer);
        self.loader.ready(slot, seer.name(), pinned, &self.manifest)?;
        Ok(())
    }

    /// What one network sees in one part of the picture, in pixels of the picture.
    fn see(&mut self, seer: Seer, job: Seeing, picture: &RgbImage, region: Region) -> Result<Objects, Error> {
        match seer {
            Seer::Ssd => self.see_ssd(job, picture, region),
            Seer::NanodetSmall | Seer::NanodetLarge => self.see_nanodet(seer, job, picture, region),
        }
    }

    fn see_ssd(&mut self, job: Seeing, picture: &RgbImage, region: Region) -> Result<Objects, Error> {
        let file = &self.manifest.network.ssd;
        let pinned = (file.file.as_path(), file.sha256);
        let network = self.loader.ready(&mut self.ssd, "ssd", pinned, &self.manifest)?;
        let place = self.canvas.paint(picture, region, &file.input);
        let answer = network.run(&file.input.name, self.canvas.shape(), self.canvas.data())?;
        let boxes = answer.tensor(&file.outputs.boxes, &[1, ssd::ANCHORS, 4])?;
        let logits = answer.tensor(&file.outputs.logits, &[1, ssd::ANCHORS, ssd::CLASSES])?;
        Ok(ssd::decode(
            &self.anchors,
            boxes,
            logits,
            place,
            file,
            job.threshold,
            job.iou,
        ))
    }

    fn see_nanodet(
        &mut self,
        seer: Seer,
        job: Seeing,
        picture: &RgbImage,
        region: Region,
    ) -> Result<Objects, Error> {
        let table = &self.manifest.network;
        let (file, slot): (&NanoDetFile, _) = match seer {
            Seer::NanodetLarge => (&table.nanodet_640x640, &mut self.nanodet_large),
            _ => (&table.nanodet_256x416, &mut self.nanodet_small),
        };
        let pinned = (file.file.as_path(), file.sha256);
        let network = self.loader.ready(slot, seer.name(), pinned, &self.manifest)?;
        let place = self.canvas.paint(picture, region, &file.input);
        let answer = network.run(&file.input.name, self.canvas.shape(), self.canvas.data())?;
        let mut objects = Objects::default();
        let outputs = file.outputs.scores.iter().zip(&file.outputs.sides);
        for (&stride, (scores, sides)) in file.strides.iter().zip(outputs) {
            let cells = ((file.input.width / stride) * (file.input.height / stride)) as usize;
            let scores = answer.tensor(scores, &[1, cells, nanodet::CLASSES])?;
            let sides = answer.tensor(sides, &[1, cells, nanodet::SIDES])?;
            nanodet::decode(stride, scores, sides, place, file, job.threshold, &mut objects);
        }
        Ok(objects.suppressed(Limits::iou(job.iou)))
    }

    /// Adds the plates of one part of the picture, in pixels of that part.
    fn see_plates(&mut self, picture: &RgbImage, region: Region, side: u32) -> Result<Vec<Plate>, Error> {
        let file = &self.manifest.network.plates;
        let pinned = (file.file.as_path(), file.sha256);
        let network = self
            .loader
            .ready(&mut self.plates, "plates", pinned, &self.manifest)?;
        let place = self.canvas.paint_corner(picture, region, &file.input, side);
        let shape = self.canvas.shape();
        let (height, width) = match file.input.layout {
            super::manifest::Layout::Nchw => (shape[2], shape[3]),
            super::manifest::Layout::Nhwc => (shape[1], shape[2]),
        };
        let (rows, columns) = (height / file.stride as usize, width / file.stride as usize);
        let answer = network.run(&file.input.name, shape, self.canvas.data())?;
        let maps = plates::Maps {
            heat: answer.tensor(&file.outputs.heat, &[1, 1, rows, columns])?,
            sides: answer.tensor(&file.outputs.sides, &[1, 4, rows, columns])?,
            corners: answer.tensor(&file.outputs.corners, &[1, 8, rows, columns])?,
            columns,
            rows,
        };
        let mut found = Vec::new();
        maps.decode(place, file, self.manifest.plates.floor, &mut found);
        Ok(found)
    }
}

/// What one look of a job asks for.
#[derive(Clone, Copy)]
struct Seeing {
    threshold: f32,
    iou: f32,
}

impl Detector for Networks {
    fn scout(&mut self, view: View<'_>) -> Result<Objects, Error> {
        let whole = whole(view)?;
        let scout = self.manifest.scout.clone();
        let job = Seeing {
            threshold: scout.threshold,
            iou: scout.nms_iou,
        };
        // All of them before the first one runs: what building takes for a while must not come on top of what runs keep.
        for &seer in &scout.networks {
            self.build(seer)?;
        }
        let mut seen = Objects::default();
        for seer in scout.networks {
            seen.join(self.see(seer, job, view.picture, whole)?);
        }
        Ok(to_frame(seen.suppressed(Limits::iou(scout.nms_iou)), view))
    }

    fn guard(&mut self, picture: &mut Picture) -> Result<Objects, Error> {
        let looks = self.guard_looks(picture)?;
        let vehicles = looks.distinct(&self.manifest.listing).vehicles;
        let large = self.manifest.guard.large_person;
        let FrameSize { width, height } = picture.frame();
        let frame = width as f32 * height as f32;
        let mut objects = looks.united();
        objects
            .persons
            .retain(|p| p.rect.area() <= large.share * frame || p.score >= large.below);
        Ok(Objects { vehicles, ..objects })
    }

    fn plates(&mut self, picture: &mut Picture, vehicles: &[Detection]) -> Result<Vec<Plate>, Error> {
        let view = view(picture, plates::WHOLE[0])?;
        let (whole, scale, frame) = (whole(view)?, scale(view), view.frame);
        let mut looks = Vec::new();
        for side in plates::WHOLE {
            let found = self.see_plates(view.picture, whole, side)?;
            looks.push(plates::Look {
                part: None,
                found: plates::moved(found, scale, [0.0, 0.0]),
            });
        }
        for crop in plates::crops(vehicles, frame.width, frame.height) {
            let part = picture.part(crop, plates::CLOSE)?;
            let seen = part.pixels_of(crop);
            let found = self.see_plates(&part.picture, seen, plates::CLOSE)?;
            let mut found = plates::moved(found, part.scale(), crop.origin());
            found.retain(|p| !plates::is_cut(&p.rect, crop, frame));
            looks.push(plates::Look {
                part: Some(crop.rect()),
                found,
            });
        }
        let fused = plates::fuse(&looks, &self.manifest.plates).into_iter();
        Ok(fused.map(|p| plates::inside(p, frame)).collect())
    }

    fn silhouette(&mut self, picture: &mut Picture, person: Rect) -> Result<Silhouette, Error> {
        if picture.frame().width == 0 || picture.frame().height == 0 {
            return Err(Error::Empty);
        }
        if !person.is_sound() {
            return Err(Error::NoPlace);
        }
        let file = &self.manifest.network.pose_lite;
        let pinned = (file.file.as_path(), file.sha256);
        let network = self
            .loader
            .ready(&mut self.pose, "pose_lite", pinned, &self.manifest)?;
        let (centre, side) = pose::square(&person, self.manifest.silhouette.crop);
        let around = pose::surroundings(centre, side);
        let least = f64::from(file.input.width) * f64::from(around.long_side()) / f64::from(side);
        let part = picture.part(around, least as u32)?;
        let sides = part.scale().map(|scale| side / scale);
        self.canvas
            .paint_square(&part.picture, part.point(centre), sides, &file.input);
        let answer = network.run(&file.input.name, self.canvas.shape(), self.canvas.data())?;
        let cells = file.input.width as usize;
        let mask = answer.tensor(&file.outputs.mask, &[1, cells, cells, 1])?;
        Ok(pose::outline(mask, cells, centre, side))
    }

    fn networks(&self) -> Vec<(String, Digest)> {
        let used = self.manifest.used().into_iter();
        used.map(|(name, _, digest)| (name, digest)).collect()
    }
}

/// A tile of the guard has at least this many pixels along its long side: no network's input has more.
const LEAST_TILE: f64 = 640.0;

/// The long side at which each of the guard's tiles has that.
fn least_for_tiles(count: u32, overlap: f64) -> u32 {
    let count = f64::from(count.max(1));
    (LEAST_TILE * (count - (count - 1.0) * overlap)).ceil() as u32
}

/// A view of the whole frame.
fn view(picture: &mut Picture, least_long_side: u32) -> Result<View<'_>, Error> {
    let frame = picture.frame();
    Ok(View {
        picture: picture.whole(least_long_side)?,
        frame,
    })
}

/// The whole of a picture that has pixels.
fn whole(view: View<'_>) -> Result<Region, Error> {
    let (width, height) = view.picture.dimensions();
    if width == 0 || height == 0 || view.frame.width == 0 || view.frame.height == 0 {
        return Err(Error::Empty);
    }
    Ok(Region::whole(width, height))
}

/// From pixels of the picture to pixels of the frame.
fn scale(view: View<'_>) -> [f32; 2] {
    let (width, height) = view.picture.dimensions();
    let FrameSize {
        width: full_width,
        height: full_height,
    } = view.frame;
    [
        full_width as f32 / width as f32,
        full_height as f32 / height as f32,
    ]
}

/// From pixels of the picture to pixels of the frame. What lies outside of it is nowhere: the networks do draw boxes
/// there, and a place of no size has no outline and hides nothing.
fn to_frame(objects: Objects, view: View<'_>) -> Objects {
    let scale = scale(view);
    let one = |d: Detection| Detection {
        rect: d.rect.scaled(scale).clipped(view.frame),
        score: d.score,
    };
    let inside = |seen: Vec<Detection>| seen.into_iter().map(one).filter(|d| d.rect.is_sound()).collect();
    Objects {
        vehicles: inside(objects.vehicles),
        persons: inside(objects.persons),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_beyond_the_frame_is_nowhere_and_fails_no_later_step() {
        let picture = RgbImage::new(10, 10);
        let frame = FrameSize {
            width: 20,
            height: 20,
        };
        let seen = |x, y, w, h| Detection {
            rect: Rect::from([x, y, w, h]),
            score: 0.5,
        };
        let persons = vec![
            seen(12.0, 2.0, 3.0, 4.0),
            seen(1.0, 10.0, 3.0, 4.0),
            seen(8.0, 8.0, 4.0, 4.0),
        ];
        let objects = Objects {
            vehicles: persons.clone(),
            persons,
        };
        let there = to_frame(
            objects,
            View {
                picture: &picture,
                frame,
            },
        );
        assert_eq!(there.persons, [seen(16.0, 16.0, 4.0, 4.0)]);
        assert_eq!(there.vehicles, there.persons);
    }
}
