//! The first look at a frame: from its bytes to what the scout saw in it.
//!
//! Promises: the picture is decoded once and forgotten at the end; what is returned holds no pixel.
//! Leaves the decision to `triage`, the ledger to the caller.

use crate::jpeg::{self, Facts as ExifFacts, Layout, Picture};
use crate::vision::{self, Detector, Sighting, View};

/// What a frame says of itself, and what was seen in it.
#[derive(Debug, Clone)]
pub struct Looked {
    /// Its own words: clock, maker, orientation.
    pub exif: ExifFacts,
    /// What the scout saw.
    pub sighting: Sighting,
}

/// Why a frame could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is at fault: it stays on the card, is tried again, and is listed.
    #[error(transparent)]
    Jpeg(#[from] jpeg::Error),
    /// The networks are at fault: nothing can be taken until that is mended.
    #[error(transparent)]
    Vision(#[from] vision::Error),
}

/// Looks at one frame.
pub fn look(bytes: &[u8], detector: &mut dyn Detector) -> Result<Looked, Error> {
    let layout = Layout::parse(bytes)?;
    let exif = ExifFacts::read(bytes, &layout);
    let picture = Picture::decode(bytes, &layout, exif.orientation)?;
    let size = picture.frame();
    let small = picture.reduced();
    let objects = detector.scout(View {
        picture: &small,
        frame: size,
    })?;
    Ok(Looked {
        exif,
        sighting: Sighting {
            size,
            light: vision::light(&small),
            objects,
        },
    })
}
