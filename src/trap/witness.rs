//! From a witness's bytes to its redacted form: guard, plates, silhouettes, mask, fill.
//!
//! Promises: fail-closed. Every job of the networks must have answered before anything is masked; where one fails there
//! is no `Redacted`, and the frame stays where it is. The unmasked picture lives in this function's memory and nowhere
//! else. Leaves choosing witnesses to `triage`, sealing to the caller.

use image::RgbImage;

use crate::config::{self, Camera};
use crate::frame::{BoxTime, CameraId, CameraTime, Digest, FrameSize};
use crate::jpeg::{self, Picture};
use crate::redact::plan::{Evidence, Occupants, Person, Plan, Policy, Rules, Seen};
use crate::redact::{self, Context, Fill, Original, Redacted, redact};
use crate::vision::geometry::Polygon;
use crate::vision::{self, Detection, Detector, Light, View};

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
    /// The file.
    pub original: Original<'a>,
    /// Persons the scout saw in this frame and in those up to two seconds before and after; `None` where it has not
    /// looked yet: then it looks at this frame now.
    pub neighbours: Option<Vec<Detection>>,
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

/// The persons that the scout sees.
fn scouted(
    small: &RgbImage,
    frame: FrameSize,
    detector: &mut dyn Detector,
) -> Result<Vec<Detection>, vision::Error> {
    let view = View {
        picture: small,
        frame,
    };
    Ok(detector.scout(view)?.persons)
}

/// A witness that every network has looked at. What is left to do needs none of them, and can be done on another
/// thread while they look at the next one.
#[derive(Debug)]
pub struct LookedAt<'a> {
    original: Original<'a>,
    plan: Plan,
    fill: Fill,
    context: Context,
}

impl<'a> LookedAt<'a> {
    /// Has the networks look at one witness, and draws its mask; `policy` overrides the site's.
    pub fn new(
        witness: Witness<'a>,
        site: &Site,
        policy: Option<Policy>,
        detector: &mut dyn Detector,
    ) -> Result<Self, Error> {
        let mut original = witness.original;
        let small = original.picture().reduced()?;
        let light = vision::light(&small);
        let neighbours = match witness.neighbours {
            Some(seen) => seen,
            None => scouted(&small, original.picture().frame(), detector)?,
        };
        drop(small);
        let seen = inspect(original.picture_mut(), neighbours, detector)?;
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
        Ok(Self {
            plan: Plan::new(original.canvas(), &rules, &Evidence::Seen(seen)),
            original,
            fill: site.fill,
            context: Context {
                camera: site.camera.clone(),
                now: witness.now,
                correction: site.correction,
                networks: detector.networks(),
                zone: site.zone,
            },
        })
    }

    /// Masks it.
    pub fn redacted(&self) -> Result<Redacted, Error> {
        Ok(redact(&self.original, &self.plan, self.fill, &self.context)?)
    }
}

/// The corrected hour: what the camera's clock said, and the seconds the city measured it to be wrong by.
pub fn corrected(taken: CameraTime, correction: i64) -> Option<CameraTime> {
    taken
        .0
        .checked_add(jiff::SignedDuration::from_secs(correction))
        .ok()
        .map(CameraTime)
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use image::codecs::jpeg::JpegEncoder;

    use super::*;
    use crate::redact::manifest::Manifest;
    use crate::vision::geometry::Rect;
    use crate::vision::{Objects, Painted, Plate, Silhouette};

    /// A guard that sees nobody, behind a scout that does.
    struct BlindGuard(Painted);

    impl Detector for BlindGuard {
        fn scout(&mut self, view: View<'_>) -> Result<Objects, vision::Error> {
            self.0.scout(view)
        }

        fn guard(&mut self, _: &mut Picture) -> Result<Objects, vision::Error> {
            Ok(Objects::default())
        }

        fn plates(
            &mut self,
            picture: &mut Picture,
            vehicles: &[Detection],
        ) -> Result<Vec<Plate>, vision::Error> {
            self.0.plates(picture, vehicles)
        }

        fn silhouette(&mut self, picture: &mut Picture, person: Rect) -> Result<Silhouette, vision::Error> {
            self.0.silhouette(picture, person)
        }

        fn networks(&self) -> Vec<(String, Digest)> {
            self.0.networks()
        }
    }

    const GREEN: Rgb<u8> = Rgb([0, 255, 0]);

    fn frame() -> Vec<u8> {
        let scene = RgbImage::from_fn(320, 240, |x, y| {
            match (208..240).contains(&x) && (96..176).contains(&y) {
                true => GREEN,
                false => Rgb([120, 125, 130]),
            }
        });
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 90)
            .encode_image(&scene)
            .expect("encoded");
        bytes
    }

    fn redacted(neighbours: Option<Vec<Detection>>, detector: &mut dyn Detector) -> (RgbImage, Manifest) {
        let bytes = frame();
        let witness = Witness {
            original: Original::read(&bytes).expect("a whole JPEG"),
            neighbours,
            now: BoxTime(jiff::Timestamp::UNIX_EPOCH),
        };
        let site = Site {
            camera: "quai".parse().expect("plain"),
            day: Policy::Persons,
            night: Policy::Persons,
            occupants: Occupants::Leave,
            fill: Fill::Flat,
            privacy: Vec::new(),
            waste: None,
            zone: Digest::of(b""),
            correction: 0,
        };
        let redacted = LookedAt::new(witness, &site, None, detector)
            .and_then(|looked_at| looked_at.redacted())
            .expect("redacted");
        let layout = jpeg::Layout::parse(redacted.jpeg()).expect("sound");
        let shown = jpeg::decode(redacted.jpeg(), &layout).expect("sound");
        (shown, redacted.manifest().clone())
    }

    fn shows_somebody(picture: &RgbImage) -> bool {
        let green = |p: &Rgb<u8>| p.0[1] > 200 && p.0[0] < 90 && p.0[2] < 90;
        picture.pixels().any(green)
    }

    #[test]
    fn a_person_whom_only_the_scout_saw_is_masked() {
        let mut detector = BlindGuard(Painted::new());
        let (shown, manifest) = redacted(None, &mut detector);
        assert!(!shows_somebody(&shown));
        assert_eq!(manifest.flags, [redact::Flag::NeighbourCovered]);
        assert!(manifest.found.persons.is_empty(), "the guard saw nobody");
        assert_eq!(detector.0.calls().scout, 1);
    }

    #[test]
    fn the_scout_is_not_asked_again_about_a_frame_it_has_seen() {
        let mut detector = BlindGuard(Painted::new());
        let (shown, _) = redacted(Some(Vec::new()), &mut detector);
        assert!(shows_somebody(&shown), "nobody saw the person");
        assert_eq!(detector.0.calls().scout, 0);
    }
}
