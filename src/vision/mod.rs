//! Seeing: from a picture to boxes and outlines, with their scores.
//!
//! Promises: every box is in pixels of the full upright frame, origin top left, however small the
//! picture was that the network saw; what is seen is numbers, never pixels. [`Detector`] is the seam:
//! real networks through ONNX Runtime, or painted rectangles for the tests of everything else.
//! Leaves every decision to `triage` and `redact`.

pub mod geometry;

use image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::frame::{Digest, FrameSize};
use geometry::Rect;

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
    /// Colours, or a bright grey picture.
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
    /// Every person, recall before precision, and the vehicles seen on the way: witnesses only.
    /// Boxes are *not* suppressed between networks and tiles: they become a mask.
    fn guard(&mut self, view: View<'_>) -> Result<Objects, Error>;
    /// Plates inside the vehicles and in the whole frame: witnesses only, full resolution.
    fn plates(&mut self, view: View<'_>, vehicles: &[Detection]) -> Result<Vec<Plate>, Error>;
    /// The body's outline inside one person's box.
    fn silhouette(&mut self, view: View<'_>, person: Rect) -> Result<Silhouette, Error>;
    /// The networks in use, by job, and their hashes: they go into every manifest.
    fn networks(&self) -> Vec<(String, Digest)>;
}

/// Why nothing could be seen.
#[derive(Debug, thiserror::Error)]
pub enum Error {}
