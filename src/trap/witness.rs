//! From a witness's bytes to its redacted form: guard, plates, silhouettes, mask, fill.
//!
//! Promises: fail-closed. Every job of the networks must have answered before anything is masked; where one fails there
//! is no `Redacted`, and the frame stays where it is. The unmasked picture lives in this function's memory and nowhere
//! else. Leaves choosing witnesses to `triage`, sealing to the caller.

use crate::config::{self, Camera};
use crate::frame::{BoxTime, CameraId, CameraTime, Digest};
use crate::jpeg::{self, Picture};
use crate::redact::plan::{Evidence, Occupants, Person, Plan, Policy, Rules, Seen};
use crate::redact::{self, Context, Fill, Original, Redacted, redact};
use crate::vision::geometry::Polygon;
use crate::vision::{self, Detection, Detector, Light};

/// Why a witness could not be redacted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is at fault.
    #[error(transparent)]
    Jpeg(#[from] jpeg::Error),
    /// A network failed.
    #[error(transparent)]
    Vision(vision::Error),
    /// The redacted file did not stand its own check.
    #[error(transparent)]
    Redact(#[from] redact::Error),
}

impl From<vision::Error> for Error {
    fn from(error: vision::Error) -> Self {
        match error {
            vision::Error::Picture(damage) => Self::Jpeg(damage),
            failure => Self::Vision(failure),
        }
    }
}

/// A surer vehicle is shown under `all-but`, and its glazing masked. Weaker boxes serve the search for plates alone: on
/// the development street pictures (258) they would mask a tenth of each picture more, and hide no more heads.
const SHOWN_VEHICLE: f32 = 0.3;

/// The city's rules for redacting frames of one camera.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// Whose frames.
    pub camera: CameraId,
    /// The mask policy by day.
    pub day: Policy,
    /// The mask policy by night.
    pub night: Policy,
    /// What to do with windows.
    pub occupants: Occupants,
    /// What stands in place of what is masked.
    pub fill: Fill,
    /// Always masked.
    pub privacy: Vec<Polygon>,
    /// Shown under `all-but`.
    pub waste: Option<Polygon>,
    /// Names the state of the zones.
    pub zone: Digest,
    /// Seconds to add to the camera's clock.
    pub correction: i64,
}

impl Site {
    /// As configured.
    pub fn of(config: &config::Trap, camera: &Camera) -> Self {
        let policy = |policy| match policy {
            config::MaskPolicy::Persons => Policy::Persons,
            config::MaskPolicy::AllBut => Policy::AllBut,
        };
        Self {
            camera: camera.id.clone(),
            day: policy(config.mask.day),
            night: policy(config.mask.night),
            occupants: match config.mask.occupants {
                config::Occupants::Mask => Occupants::Mask,
                config::Occupants::Leave => Occupants::Leave,
            },
            fill: match config.mask.fill {
                config::Fill::Flat => Fill::Flat,
                config::Fill::Mosaic(_) => Fill::Mosaic,
            },
            privacy: camera.privacy.clone(),
            waste: camera.waste.clone(),
            zone: camera.zone_version(),
            correction: camera.clock_correction,
        }
    }
}

/// A frame about to be looked at in full.
pub struct Witness<'a> {
    /// The file's bytes.
    pub bytes: &'a [u8],
    /// Persons the scout saw in this frame and in those up to two seconds before and after.
    pub neighbours: Vec<Detection>,
    /// The box's clock.
    pub now: BoxTime,
}

/// Looks at a whole picture with every network: persons and their outlines, vehicles, plates.
pub fn inspect(
    picture: &mut Picture,
    neighbours: Vec<Detection>,
    detector: &mut dyn Detector,
) -> Result<Seen, vision::Error> {
    let objects = detector.guard(picture)?;
    let plates = detector.plates(picture, &objects.vehicles)?;
    let vehicles = objects
        .vehicles
        .into_iter()
        .filter(|v| v.score >= SHOWN_VEHICLE)
        .collect();
    let mut persons = Vec::with_capacity(objects.persons.len());
    for seen in objects.persons {
        persons.push(Person {
            seen,
            silhouette: Some(detector.silhouette(picture, seen.rect)?),
        });
    }
    Ok(Seen {
        persons,
        vehicles,
        plates,
        neighbours,
    })
}

/// Redacts one witness; `policy` overrides the site's.
pub fn redact_witness(
    witness: Witness<'_>,
    site: &Site,
    policy: Option<Policy>,
    detector: &mut dyn Detector,
) -> Result<Redacted, Error> {
    let mut original = Original::read(witness.bytes)?;
    let light = vision::light(&original.picture().reduced()?);
    let seen = inspect(original.picture_mut(), witness.neighbours, detector)?;
    // What was looked at is not needed again, and redaction needs room of its own.
    original.picture_mut().forget_whole();
    let rules = Rules {
        policy: policy.unwrap_or(match light {
            Light::Day => site.day,
            Light::Night => site.night,
        }),
        occupants: site.occupants,
        privacy: &site.privacy,
        waste: site.waste.as_ref(),
    };
    let plan = Plan::new(original.canvas(), &rules, &Evidence::Seen(seen));
    let context = Context {
        camera: site.camera.clone(),
        now: witness.now,
        correction: site.correction,
        networks: detector.networks(),
        zone: site.zone,
    };
    Ok(redact(&original, &plan, site.fill, &context)?)
}

/// The corrected hour: what the camera's clock said, and the seconds the city measured it to be wrong by.
pub fn corrected(taken: CameraTime, correction: i64) -> Option<CameraTime> {
    taken
        .0
        .checked_add(jiff::SignedDuration::from_secs(correction))
        .ok()
        .map(CameraTime)
}
