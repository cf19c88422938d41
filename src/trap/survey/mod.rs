//! The survey of a new site, from the first frames on its card: what it would keep and discard, and whether its plates
//! can be read.
//!
//! Promises: the card is read and nothing on it is written; no vault is opened. The verdicts are those of the frame loop
//! (the same rules on the same sightings, in the same order). Whatever is shown of a frame was made of a [`Redacted`], by the
//! site's own mask policy, and is no larger than [`WIDEST`] (docs/decisions/0018-what-a-survey-shows.md). Leaves the page's
//! words to [`page`], printing to `cli`.

pub mod page;
pub mod plates;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use serde::Serialize;

use super::Error;
use super::closing::{choice, neighbours, rules};
use super::look;
use super::outcome::{jpeg_reason, odd_reason, read_reason};
use super::witness::{self, LookedAt, Site, Witness, corrected};
use crate::card::{self, Card, CardFile};
use crate::config::{self, Camera};
use crate::frame::{BoxTime, CameraId, CameraTime, Digest, Region};
use crate::jpeg::{self, Facts as Exif, Layout, Picture};
use crate::redact::{Manifest, Original, Redacted};
use crate::triage::scene::Scene;
use crate::triage::{Before, Choice, Facts, Reason, Rules, Shown, events, in_card_order, verdict};
use crate::vision::geometry::{Polygon, Rect};
use crate::vision::{Detector, Light, Plate};
use plates::{AtEdge, Sized};

/// What is shown of a frame has at most so many pixels on its long side: a person who fills a third of the picture's height
/// has a head of some eight pixels there.
pub const WIDEST: u32 = 240;
/// Kept frames that all networks look at, to find plates in them.
const KEPT_LOOKED_AT: usize = 40;
/// A pixel this bright says nothing any more (of 255).
const WHITE: u8 = 250;

/// What a survey works with.
pub struct Survey<'a> {
    /// The box's configuration.
    pub config: &'a config::Trap,
    /// The camera whose card this is.
    pub camera: &'a Camera,
    /// The card.
    pub card: &'a Card,
    /// What looks.
    pub detector: &'a mut dyn Detector,
    /// The box's clock.
    pub now: BoxTime,
    /// Frames at most, the first ones of the card.
    pub at_most: usize,
}

/// What a survey found.
#[derive(Debug, Serialize)]
pub struct Found {
    /// Which camera.
    pub camera: CameraId,
    /// Where it stands.
    pub site: String,
    /// When the survey was made.
    pub drawn: BoxTime,
    /// Names the zones in force.
    pub zone_version: Digest,
    /// The city's choice.
    pub triage: Choice,
    /// Frames on the card.
    pub frames: usize,
    /// Those of them that were not looked at: there were more than the survey takes.
    pub beyond: usize,
    /// Files that cannot be taken, and why: words of docs/commands.md.
    pub left: Vec<(PathBuf, &'static str)>,
    /// Events.
    pub events: usize,
    /// Frames that would be kept.
    pub kept: usize,
    /// How many would be discarded for each reason.
    pub discarded: BTreeMap<Reason, usize>,
    /// Shares of the picture.
    pub view: View,
    /// What was found of plates.
    pub plates: Plates,
    /// Each frame that would be discarded.
    #[serde(skip)]
    pub sheet: Vec<Discarded>,
}

/// Shares of the picture, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct View {
    /// In the zone.
    pub zone: f32,
    /// In privacy zones.
    pub privacy: f32,
    /// Of the zone, what privacy zones hide.
    pub zone_hidden: f32,
    /// In the waste zone; nothing where there is none.
    pub waste: Option<f32>,
}

/// Plates by day and by night.
#[derive(Debug, Serialize)]
pub struct Plates {
    /// Frames in which they were looked for.
    pub looked_at: usize,
    /// Plates found.
    pub found: usize,
    /// Narrowest, middle and widest, in pixels.
    pub widths: Option<[f32; 3]>,
    /// At the zone's far edge and at its near edge.
    pub edges: Option<[AtEdge; 2]>,
    /// Plates found by night.
    pub by_night: usize,
    /// Of these, least, middle and largest share of white pixels.
    pub clipped: Option<[f32; 3]>,
}

/// A frame that would be discarded.
#[derive(Debug)]
pub struct Discarded {
    /// Its path below the card.
    pub file: PathBuf,
    /// What its camera's clock said, corrected as configured.
    pub taken: Option<CameraTime>,
    /// Why.
    pub reason: Reason,
    /// By day or by night.
    pub light: Light,
    /// Vehicles and persons that the scout saw.
    pub seen: [usize; 2],
    /// What may be shown of it, as a JPEG; `None` where the mask leaves nothing, or it cannot be masked.
    pub shown: Option<Vec<u8>>,
}

/// A frame that was scouted.
struct Scouted {
    facts: Facts,
    file: CardFile,
}

/// A frame's picture as far as it may be shown, and its plates.
type Looked = (Option<Vec<u8>>, Vec<Sized>);

impl Survey<'_> {
    /// Looks at the card; `tick` is told of each frame, with how many steps there are in all.
    pub fn run(&mut self, tick: &mut dyn FnMut(usize)) -> Result<Found, Error> {
        let listing = card::list(self.card, &card::Limits::default())?;
        let mut left: Vec<_> = listing
            .oddities
            .iter()
            .map(|odd| (odd.path.as_path().to_owned(), odd_reason(&odd.why)))
            .collect();
        let taken = listing.frames.len().min(self.at_most);
        let mut scouted: HashMap<Digest, Scouted> = HashMap::new();
        for file in listing.frames.iter().take(taken) {
            tick(taken);
            match self.scout(file)? {
                // The same bytes under two names are one frame.
                Ok(facts) => {
                    let file = file.clone();
                    scouted.entry(facts.id).or_insert(Scouted { facts, file });
                }
                Err(reason) => left.push((file.path.as_path().to_owned(), reason)),
            }
        }
        let rules = rules(self.config, self.camera);
        let mut facts: Vec<Facts> = scouted.values().map(|s| s.facts.clone()).collect();
        facts.sort_by(in_card_order);
        let (verdicts, events) = decided(&facts, &rules);
        let mut found = Found {
            camera: self.camera.id.clone(),
            site: self.camera.site.clone(),
            drawn: self.now,
            zone_version: self.camera.zone_version(),
            triage: choice(self.config.triage.choice),
            frames: listing.frames.len(),
            beyond: listing.frames.len() - taken,
            left,
            events,
            kept: verdicts.iter().filter(|v| v.is_none()).count(),
            discarded: BTreeMap::new(),
            view: view(self.camera),
            plates: Plates {
                looked_at: 0,
                found: 0,
                widths: None,
                edges: None,
                by_night: 0,
                clipped: None,
            },
            sheet: Vec::new(),
        };
        let mut sized = Vec::new();
        let looked_at = to_look_at(&verdicts);
        for &index in &looked_at {
            tick(looked_at.len());
            let frame = &facts[index];
            let Some(Scouted { file, .. }) = scouted.get(&frame.id) else {
                continue;
            };
            let looked = self.look(file, frame, neighbours(&facts, index))?;
            found.plates.looked_at += usize::from(looked.is_some());
            let (shown, plates) = looked.unwrap_or_default();
            sized.extend(plates);
            if let Some(reason) = verdicts[index] {
                *found.discarded.entry(reason).or_default() += 1;
                found.sheet.push(Discarded {
                    file: file.path.as_path().to_owned(),
                    taken: frame.taken,
                    reason,
                    light: frame.sighting.light,
                    seen: [&frame.sighting.objects.vehicles, &frame.sighting.objects.persons].map(Vec::len),
                    shown,
                });
            }
        }
        self.measure(&mut found.plates, &sized);
        Ok(found)
    }

    /// The first look at one file; what is wrong with it otherwise.
    fn scout(&mut self, file: &CardFile) -> Result<Result<Facts, &'static str>, Error> {
        let mut bytes = match card::read(self.card, &file.path, card::FRAME_AT_MOST) {
            Ok(bytes) => bytes,
            Err(refusal) => return read_reason(&refusal).map(Err).ok_or_else(|| refusal.into()),
        };
        let id = Digest::of(&bytes);
        let prepared = match look::prepare(&mut bytes) {
            Ok(prepared) => prepared,
            Err(damage) => return Ok(Err(jpeg_reason(&damage))),
        };
        let sighting = look::scout(&prepared, self.detector)?;
        let taken = prepared.exif.taken;
        Ok(Ok(Facts {
            id,
            folder: file.path.folder().to_string_lossy().into_owned(),
            name: file.path.name().to_string_lossy().into_owned(),
            taken: taken.and_then(|taken| corrected(taken, self.camera.clock_correction)),
            arrived: self.now,
            sighting,
        }))
    }

    /// All networks on one frame: what may be shown of it, and its plates. Nothing where it cannot be masked.
    fn look(
        &mut self,
        file: &CardFile,
        frame: &Facts,
        neighbours: Vec<crate::vision::Detection>,
    ) -> Result<Option<Looked>, Error> {
        let bytes = card::read(self.card, &file.path, card::FRAME_AT_MOST)?;
        let site = Site::of(self.config, self.camera);
        let redacted = Original::read(&bytes)
            .map_err(witness::Error::from)
            .and_then(|original| {
                let witness = Witness {
                    original,
                    neighbours: Some(neighbours),
                    now: self.now,
                };
                LookedAt::new(witness, &site, None, self.detector)?.redacted()
            });
        let redacted = match redacted {
            Ok(redacted) => redacted,
            Err(failure @ witness::Error::Vision(_)) => return Err(failure.into()),
            Err(failure) => {
                tracing::warn!(file = %file.path.as_path().display(), %failure, "not shown");
                return Ok(None);
            }
        };
        let damaged = |damage| Error::Witness(witness::Error::Jpeg(damage));
        let plates = sized(&bytes, &on_vehicles(redacted.manifest()), frame).map_err(damaged)?;
        Ok(Some((shown(&redacted).map_err(damaged)?, plates)))
    }

    fn measure(&self, plates: &mut Plates, sized: &[Sized]) {
        plates.found = sized.len();
        plates.widths = plates::range(sized.iter().map(|p| p.width).collect());
        let ys = || self.camera.zone.0.iter().map(|corner| corner[1]);
        let [far, near] = [ys().fold(1.0, f32::min), ys().fold(0.0, f32::max)];
        plates.edges = plates::at(sized, [far, near]);
        let clipped: Vec<f32> = sized.iter().filter_map(|p| p.clipped).collect();
        plates.by_night = clipped.len();
        plates.clipped = plates::range(clipped);
    }
}

/// For each frame why it would be discarded, if it would; and the number of events.
fn decided(facts: &[Facts], rules: &Rules) -> (Vec<Option<Reason>>, usize) {
    let spans = events::events(facts, &BTreeSet::new(), rules);
    let (mut scene, mut shown) = (Scene::default(), Shown::default());
    let mut reasons = vec![None; facts.len()];
    for span in &spans {
        let frames = span.of(facts);
        let before = Before {
            cut_from: span.begins.is_cut().then_some(shown),
            scene,
        };
        let verdict = verdict(frames, &before, rules);
        for (reason, frame) in reasons[span.frames.clone()].iter_mut().zip(&verdict.frames) {
            *reason = (!frame.keep).then_some(frame.reason);
        }
        scene = before.scene.after(frames);
        shown = verdict.shown;
    }
    (reasons, spans.len())
}

/// Every frame that would be discarded, and some of the kept ones, evenly spread, in their order.
fn to_look_at(verdicts: &[Option<Reason>]) -> Vec<usize> {
    let kept: Vec<usize> = (0..verdicts.len()).filter(|&i| verdicts[i].is_none()).collect();
    let step = kept.len().div_ceil(KEPT_LOOKED_AT).max(1);
    let some: BTreeSet<usize> = kept.into_iter().step_by(step).collect();
    (0..verdicts.len())
        .filter(|i| verdicts[*i].is_some() || some.contains(i))
        .collect()
}

/// The plates that a vehicle bears: a wall or a sign that looks like one tells nothing of distances.
fn on_vehicles(manifest: &Manifest) -> Vec<Plate> {
    let found = &manifest.found;
    let borne = |plate: &&Plate| {
        let centre = plate.rect.centre();
        found.vehicles.iter().any(|vehicle| vehicle.rect.contains(centre))
    };
    found.plates.iter().filter(borne).cloned().collect()
}

/// The frame's plates, by night with their white pixels.
fn sized(bytes: &[u8], plates: &[Plate], frame: &Facts) -> Result<Vec<Sized>, jpeg::Error> {
    let by_night = frame.sighting.light == Light::Night && !plates.is_empty();
    let picture = by_night
        .then(|| {
            let layout = Layout::parse(bytes)?;
            Picture::read(bytes, &layout, Exif::read(bytes, &layout).orientation)
        })
        .transpose()?;
    plates
        .iter()
        .map(|plate| {
            Ok(Sized {
                width: plate.rect.w,
                y: plate.rect.bottom() / frame.sighting.size.height as f32,
                clipped: picture
                    .as_ref()
                    .map(|picture| clipped(picture, plate.rect))
                    .transpose()?,
            })
        })
        .collect()
}

/// Share of a plate's pixels that are white.
fn clipped(picture: &Picture, plate: Rect) -> Result<f32, jpeg::Error> {
    let region = Region {
        x: plate.x.max(0.0) as u32,
        y: plate.y.max(0.0) as u32,
        width: plate.w.max(1.0) as u32,
        height: plate.h.max(1.0) as u32,
    };
    let part = picture.part(region, region.long_side())?;
    let seen = part.pixels_of(region);
    let pixels = imageops::crop_imm(&*part.picture, seen.x, seen.y, seen.width, seen.height).to_image();
    let white = pixels
        .pixels()
        .filter(|p| p.0.iter().all(|&c| c >= WHITE))
        .count();
    Ok(white as f32 / pixels.pixels().len().max(1) as f32)
}

/// What may be shown of a frame; nothing where the mask leaves nothing.
fn shown(redacted: &Redacted) -> Result<Option<Vec<u8>>, jpeg::Error> {
    let manifest = redacted.manifest();
    let layout = Layout::parse(redacted.jpeg())?;
    if manifest
        .mask
        .on(layout.size)
        .is_ok_and(|mask| mask.share() >= 1.0)
    {
        return Ok(None);
    }
    let small = Picture::read(redacted.jpeg(), &layout, manifest.orientation)?.reduced()?;
    let (width, height) = small.dimensions();
    let long = width.max(height).max(1);
    let side = |side: u32| (side * WIDEST.min(long) / long).max(1);
    let small = imageops::resize(&small, side(width), side(height), FilterType::Triangle);
    let mut jpeg = Vec::new();
    let encoded = JpegEncoder::new_with_quality(&mut jpeg, 70).encode_image(&small);
    Ok(encoded.is_ok().then_some(jpeg))
}

/// Shares of the picture, counted on a grid of points.
fn view(camera: &Camera) -> View {
    const POINTS: u16 = 256;
    let at = |n: u16| (f32::from(n) + 0.5) / f32::from(POINTS);
    let points = || (0..POINTS).flat_map(move |y| (0..POINTS).map(move |x| [at(x), at(y)]));
    let all = f32::from(POINTS).powi(2);
    let inside = |polygon: &Polygon| points().filter(|p| polygon.contains(*p)).count() as f32;
    let hidden = |point: &[f32; 2]| camera.privacy.iter().any(|zone| zone.contains(*point));
    let zone = inside(&camera.zone);
    let both = points().filter(|p| camera.zone.contains(*p) && hidden(p)).count() as f32;
    View {
        zone: zone / all,
        privacy: points().filter(hidden).count() as f32 / all,
        zone_hidden: both / zone.max(1.0),
        waste: camera.waste.as_ref().map(|waste| inside(waste) / all),
    }
}
