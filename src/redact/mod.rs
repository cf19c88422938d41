//! Redaction: what makes the people of a frame unrecognisable, for good.
//!
//! Promises: a [`Redacted`] exists only if its bytes were read again and found to hold the fill, and
//! nothing else, in every masked MCU, and the frame everywhere else: the camera's own coefficients where
//! the picture can be spliced, else a picture like it. It holds no application data but a bare JFIF or
//! Adobe header and a short EXIF written anew, and nothing behind its end. Whatever fails, no
//! `Redacted` comes out. Of a `Redacted` another one can be made that hides more, never less ([`mask_more`]). Leaves what to hide to its caller's [`Plan`], sealing to the vault.

mod fill;
pub mod manifest;
pub mod mask;
mod more;
pub mod plan;
mod re_encode;

pub use fill::Fill;
pub use manifest::{Manifest, Redaction};
pub use mask::{Canvas, Mask};
pub use more::mask_more;
pub use plan::{Evidence, Flag, Occupants, Person, Plan, Policy, Rules, Seen};
pub use re_encode::Fault;

use std::borrow::Cow;

use crate::frame::{BoxTime, CameraId, Digest};
use crate::jpeg::compare::{self, compare};
use crate::jpeg::splice::{self, Tables, splice};
use crate::jpeg::{self, Facts, Head, Index, Layout, Picture};
use manifest::{File, Network, Times, Version};

/// Why a frame could not be redacted. The frame stays where it is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The plan was drawn for another picture.
    #[error("the mask was drawn for another picture")]
    OtherPicture,
    /// The encoder failed.
    #[error("the redacted picture could not be encoded: {0}")]
    Encode(#[from] image::ImageError),
    /// The result is no sound JPEG.
    #[error("the redacted file does not read back: {0}")]
    Unreadable(#[from] jpeg::Error),
    /// A picture that was encoded again does not hold what it must.
    #[error("the redacted file failed its check: {0}")]
    Check(Fault),
    /// A spliced picture does not hold what it must.
    #[error("the redacted file failed its comparison with the original: {0}")]
    Compare(#[from] compare::Fault),
    /// The bytes are not those of the frame of which the manifest tells.
    #[error("this is not the frame that its manifest tells of")]
    OtherFrame,
    /// The manifest's own mask is none of its picture.
    #[error("the manifest's mask is none of its picture: {0}")]
    Mask(#[from] mask::Error),
    /// All of what is to be hidden is hidden.
    #[error("everything that is to be hidden is hidden already")]
    NothingAdded,
    /// A redacted frame that cannot be spliced once more.
    #[error("no more can be hidden in this frame: {0}")]
    Splice(#[from] splice::Error),
    /// The manifest cannot be written.
    #[error("the manifest cannot be written: {0}")]
    Manifest(serde_json::Error),
}

/// A frame as its camera wrote it, and what was read from it: all of the same bytes, so that no
/// picture can be sealed under another file's name.
#[derive(Debug, Clone)]
pub struct Original<'a> {
    bytes: Cow<'a, [u8]>,
    digest: Digest,
    layout: Layout,
    facts: Facts,
    picture: Picture,
}

impl<'a> Original<'a> {
    /// Reads a file, once for everything that looks at it.
    pub fn read(bytes: &'a [u8]) -> Result<Self, jpeg::Error> {
        Self::read_named(bytes, Digest::of(bytes))
    }

    /// Reads a file whose digest, of these very bytes, is known already.
    pub fn read_named(bytes: impl Into<Cow<'a, [u8]>>, digest: Digest) -> Result<Self, jpeg::Error> {
        let bytes = bytes.into();
        let layout = Layout::parse(&bytes)?;
        let facts = Facts::read(&bytes, &layout);
        let picture = Picture::read(&bytes, &layout, facts.orientation)?;
        Ok(Self {
            bytes,
            digest,
            layout,
            facts,
            picture,
        })
    }

    /// Its markers.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Its EXIF.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Its pixels.
    pub fn picture(&self) -> &Picture {
        &self.picture
    }

    /// Its pixels, to look at: what is looked at whole is kept.
    pub fn picture_mut(&mut self) -> &mut Picture {
        &mut self.picture
    }

    /// Where its MCUs lie; none where it must be encoded again.
    pub fn index(&self) -> Option<&Index> {
        self.picture.index()
    }

    /// What a plan for this frame is drawn on.
    pub fn canvas(&self) -> Canvas {
        Canvas {
            stored: self.layout.size,
            orientation: self.facts.orientation,
            grid: self.layout.grid(),
        }
    }
}

/// What the manifest says of a frame besides what the plan and the file say.
#[derive(Debug, Clone, PartialEq)]
pub struct Context {
    /// Whose frame.
    pub camera: CameraId,
    /// The box's clock.
    pub now: BoxTime,
    /// Seconds to add to the camera's clock.
    pub correction: i64,
    /// Job and hash of each network in use.
    pub networks: Vec<(String, Digest)>,
    /// Hash of the zones in force.
    pub zone: Digest,
}

/// A redacted JPEG and what was done to it. Only this module can make one, so an unmasked pixel
/// cannot be passed on by mistake: it does not compile.
#[derive(Debug, Clone)]
pub struct Redacted {
    jpeg: Vec<u8>,
    manifest: Manifest,
}

impl Redacted {
    /// The redacted file's bytes.
    pub fn jpeg(&self) -> &[u8] {
        &self.jpeg
    }

    /// What was found, what was masked, what the original was.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

/// A redacted file, not yet a [`Redacted`].
struct Made {
    jpeg: Vec<u8>,
    redaction: Redaction,
    tables: Option<Tables>,
    coefficients: Option<Digest>,
}

/// Hides what the plan says, for good, and checks that it did.
pub fn redact(
    original: &Original<'_>,
    plan: &Plan,
    fill: Fill,
    context: &Context,
) -> Result<Redacted, Error> {
    if plan.canvas != original.canvas() {
        return Err(Error::OtherPicture);
    }
    let spliced = original.index().map(|index| spliced(original, index, plan, fill));
    let Made {
        jpeg,
        redaction,
        tables,
        coefficients,
    } = match spliced.transpose()?.flatten() {
        Some(made) => made,
        None => re_encoded(original, plan, fill)?,
    };
    let manifest = Manifest {
        manifest: Version,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        camera: context.camera.clone(),
        time: Times {
            camera: original.facts.taken,
            redacted: context.now,
            correction: context.correction,
        },
        original: File {
            sha256: original.digest,
            bytes: original.bytes.len() as u64,
        },
        redacted: File::of(&jpeg),
        size: plan.canvas.stored,
        orientation: plan.canvas.orientation,
        redaction,
        tables,
        coefficients,
        policy: plan.policy,
        fill,
        mask: plan.mask.runs(),
        flags: plan.flags.clone(),
        found: plan.found.clone(),
        networks: context
            .networks
            .iter()
            .map(|(job, sha256)| Network {
                job: job.clone(),
                sha256: *sha256,
            })
            .collect(),
        zone: context.zone,
        supersedes: None,
    };
    Ok(Redacted { jpeg, manifest })
}

/// The camera's own bits but for the masked MCUs; none if they cannot be said with any tables.
fn spliced(original: &Original<'_>, index: &Index, plan: &Plan, fill: Fill) -> Result<Option<Made>, Error> {
    let head = Head::of(&original.bytes, &original.layout);
    let exif = original.facts.exif();
    let levels = fill::levels(index, plan, fill);
    let splice::Spliced { jpeg, tables } = match splice(&head, index, &levels, &exif) {
        Ok(spliced) => spliced,
        Err(splice::Error::Difference | splice::Error::Tables) => return Ok(None),
        Err(_) => return Err(Error::OtherPicture),
    };
    let coefficients = compare(&head, index, &levels, &exif, &jpeg)?;
    Ok(Some(Made {
        jpeg,
        redaction: Redaction::Splice,
        tables: Some(tables),
        coefficients: Some(coefficients),
    }))
}

fn re_encoded(original: &Original<'_>, plan: &Plan, fill: Fill) -> Result<Made, Error> {
    let (picture, exif) = (original.picture.stored()?.into_owned(), original.facts.exif());
    let grey = original.layout.is_grey();
    Ok(Made {
        jpeg: re_encode::re_encoded(picture, grey, plan, fill, &exif)?,
        redaction: Redaction::ReEncoded,
        tables: None,
        coefficients: None,
    })
}
