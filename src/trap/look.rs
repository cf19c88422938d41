//! The first look at a frame: from its bytes to what the scout saw in it.
//!
//! Promises: what [`prepare`] makes needs nothing but the bytes, so it can be made ahead, on another thread; the picture
//! is decoded once and forgotten when [`scout`] has seen it; a [`Sighting`] holds no pixel. Leaves the decision to
//! `triage`, the ledger and the order of the frames to [`super::round`].

use image::RgbImage;

use crate::frame::FrameSize;
use crate::jpeg::{self, Facts, Layout, Picture};
use crate::vision::{self, Detector, Light, Sighting, View};

/// A frame made ready for the scout.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Its own words: clock, maker, orientation.
    pub exif: Facts,
    /// The upright size of the full frame.
    pub size: FrameSize,
    /// Day or night.
    pub light: Light,
    /// The small picture, upright.
    pub small: RgbImage,
}

/// Reads a frame's markers, facts and small picture, in the memory that its bytes take: what is left in them is nothing.
pub fn prepare(bytes: &mut Vec<u8>) -> Result<Prepared, jpeg::Error> {
    let layout = Layout::parse(bytes)?;
    let exif = Facts::read(bytes, &layout);
    let picture = Picture::read_in_place(bytes, &layout, exif.orientation)?;
    let (small, size) = (picture.reduced()?, picture.frame());
    picture.recycle(bytes);
    Ok(Prepared {
        size,
        light: vision::light(&small),
        small,
        exif,
    })
}

/// Has the scout look at a prepared frame.
pub fn scout(frame: &Prepared, detector: &mut dyn Detector) -> Result<Sighting, vision::Error> {
    let objects = detector.scout(View {
        picture: &frame.small,
        frame: frame.size,
    })?;
    Ok(Sighting {
        size: frame.size,
        light: frame.light,
        objects,
    })
}
