//! Seeing: from a picture to boxes and outlines, with their scores.
//!
//! Promises: every box is in pixels of the full upright frame, origin top left, however small the
//! picture was that the network saw; what is seen is numbers, never pixels. [`Detector`] is the seam:
//! real networks through ONNX Runtime, or painted rectangles for the tests of everything else.
//! Leaves every decision to `triage` and `redact`, and the fetching of networks to `make models`.

pub mod geometry;
pub mod light;
#[cfg(feature = "trap")]
pub mod listing;
#[cfg(feature = "trap")]
pub mod manifest;
#[cfg(feature = "trap")]
mod nanodet;
#[cfg(feature = "trap")]
pub mod networks;
pub mod nms;
#[cfg(feature = "trap")]
mod onnx;
#[cfg(feature = "trap")]
pub mod painted;
#[cfg(feature = "trap")]
mod plates;
#[cfg(feature = "trap")]
mod pose;
#[cfg(feature = "trap")]
pub mod runtime;
#[cfg(feature = "trap")]
mod ssd;
#[cfg(feature = "trap")]
mod tensor;
#[cfg(feature = "trap")]
mod tiles;

use std::path::PathBuf;

use image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::frame::{Digest, FrameSize};
use crate::jpeg::{self, Picture};
use geometry::Rect;
pub use light::light;
#[cfg(feature = "trap")]
pub use networks::Networks;
#[cfg(feature = "trap")]
pub use painted::Painted;

/// One thing seen, with the network's confidence in 0..=1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Where, in pixels of the full upright frame.
    #[serde(rename = "box")]
    pub rect: Rect,
    /// Confidence, 0..=1; comparable only within one job.
    pub score: f32,
}

/// The vehicles and persons that a scout or guard pass saw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Objects {
    /// Cars, vans, lorries, buses, motorcycles.
    pub vehicles: Vec<Detection>,
    /// People.
    pub persons: Vec<Detection>,
}

impl Objects {
    /// Takes over what another look saw.
    pub fn join(&mut self, other: Self) {
        self.vehicles.extend(other.vehicles);
        self.persons.extend(other.persons);
    }

    /// Each thing once: the surest box of those that overlap by more than the limits, kind by kind.
    pub fn suppressed(self, limits: nms::Limits) -> Self {
        Self {
            vehicles: nms::suppress(self.vehicles, limits),
            persons: nms::suppress(self.persons, limits),
        }
    }
}

/// A registration plate, found but never read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plate {
    /// Where, in pixels of the full upright frame.
    #[serde(rename = "box")]
    pub rect: Rect,
    /// Confidence, 0..=1.
    pub score: f32,
    /// Top left, top right, bottom right, bottom left, in pixels of the full upright frame.
    pub corners: [[f32; 2]; 4],
}

/// How surely each small square of a person's surroundings belongs to the person.
#[derive(Debug, Clone, PartialEq)]
pub struct Silhouette {
    /// The square of the full upright frame that the grid covers (it may reach beyond the frame).
    pub square: Rect,
    /// Cells along each side of the grid.
    pub side: usize,
    /// `side` x `side` values in 0..=1, row by row.
    pub body: Vec<f32>,
}

/// Whether the frame was lit by the sun or by the trap's infrared lamp: it picks rules and policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Light {
    /// Colours, and some part of the picture is bright.
    Day,
    /// Infrared grey, or dark.
    Night,
}

/// What was seen in one frame: boxes and scores, no pixels. This is what triage decides on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// The upright frame's size.
    pub size: FrameSize,
    /// Day or night.
    pub light: Light,
    /// What the scout saw.
    #[serde(flatten)]
    pub objects: Objects,
}

/// An upright picture, and the size of the full frame that it stands for.
///
/// The picture may be smaller than the frame (the 1/8 picture); boxes are given in frame pixels all the same.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// RGB, 8 bits, upright.
    pub picture: &'a RgbImage,
    /// The upright size of the full frame.
    pub frame: FrameSize,
}

/// What can look at a picture. `&mut self`: sessions are built when first needed and reuse their buffers.
pub trait Detector {
    /// Is there a vehicle or a person at all: every frame, on a small picture, low thresholds.
    fn scout(&mut self, view: View<'_>) -> Result<Objects, Error>;
    /// Every person, recall before precision, and each vehicle once, surest first: witnesses only.
    /// Persons are *not* suppressed between networks and tiles: they become a mask.
    fn guard(&mut self, picture: &mut Picture) -> Result<Objects, Error>;
    /// Plates inside the vehicles, at full resolution, and in the whole frame: witnesses only.
    fn plates(&mut self, picture: &mut Picture, vehicles: &[Detection]) -> Result<Vec<Plate>, Error>;
    /// The body's outline inside one person's box.
    fn silhouette(&mut self, picture: &mut Picture, person: Rect) -> Result<Silhouette, Error>;
    /// The networks in use, by job, and their hashes: they go into every manifest.
    fn networks(&self) -> Vec<(String, Digest)>;
}

/// Why nothing could be seen. Never an empty answer in its place: what was not looked at is not empty.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// ONNX Runtime is nowhere.
    #[error("no ONNX Runtime: looked at {}; run `make runtime`", list(looked))]
    RuntimeMissing {
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// ONNX Runtime is there, and cannot be loaded.
    #[error("{}: ONNX Runtime cannot be loaded: {message}; run `make runtime` on this kind of machine", path.display())]
    Runtime {
        /// The library.
        path: PathBuf,
        /// What the loader said.
        message: String,
    },
    /// This process has loaded another ONNX Runtime already, and cannot change.
    #[error("{}: another ONNX Runtime is loaded already; start the program again", path.display())]
    RuntimeTwice {
        /// The library that was asked for.
        path: PathBuf,
    },
    /// A file is not the one that was measured and is pinned.
    #[error("{}: SHA-256 is {got}, not {expected}; remove the file and run `{make}`", path.display())]
    WrongHash {
        /// The file.
        path: PathBuf,
        /// What stands in the manifest.
        expected: Digest,
        /// What the file has.
        got: Digest,
        /// The command that fetches it anew.
        make: &'static str,
    },
    /// A network or the manifest is not there.
    #[error("{}: not there; run `make models`", path.display())]
    ModelMissing {
        /// The file.
        path: PathBuf,
    },
    /// A file is there and cannot be read.
    #[error("{}: cannot be read: {message}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        message: String,
    },
    /// The manifest says something that cannot be.
    #[error("{}: {message}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Which key, and why.
        message: String,
    },
    /// ONNX Runtime does not take the network.
    #[error("network {network}: cannot be built: {message}; run `make models`")]
    Network {
        /// Its name in the manifest.
        network: &'static str,
        /// What ONNX Runtime said.
        message: String,
    },
    /// The network failed on a picture.
    #[error("network {network}: failed: {message}")]
    Run {
        /// Its name in the manifest.
        network: &'static str,
        /// What ONNX Runtime said.
        message: String,
    },
    /// The network's answer is not of the form that the manifest leads to expect.
    #[error("network {network}: output {output:?} is {got}, not {expected}; run `make models`")]
    Output {
        /// Its name in the manifest.
        network: &'static str,
        /// The output's name.
        output: String,
        /// Type and shape.
        expected: String,
        /// Type and shape.
        got: String,
    },
    /// The file's pixels cannot be had: it is at fault, no network.
    #[error(transparent)]
    Picture(#[from] jpeg::Error),
    /// A picture or frame without pixels.
    #[error("the picture has no pixels")]
    Empty,
    /// A person's box without area, or of no numbers.
    #[error("the person's box is no place in the picture")]
    NoPlace,
}

fn list(paths: &[PathBuf]) -> String {
    let names: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
    names.join(", ")
}
