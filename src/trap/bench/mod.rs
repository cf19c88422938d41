//! What a frame costs on this machine, step by step: what `vigie bench` reports.
//!
//! Promises: the steps are those of the frame loop, called in its order; nothing in the loop knows of clocks. The networks
//! run on the frame as they would, and their answers are replaced by the same vehicle and persons for every machine
//! ([`Clocked`]), so that figures of two boards speak of the same work. Leaves printing, whole scans and the wake to `cli`.

pub mod drawn;

use std::time::{Duration, Instant};

use serde::Serialize;

use super::Error;
use super::look;
use super::witness::{self, LookedAt, Site, Witness};
use crate::card::{self, Card, CardPath};
use crate::frame::{BoxTime, Digest};
use crate::jpeg::{Facts, Layout, Picture};
use crate::redact::Original;
use crate::vault::{EventSealer, Staging};
use crate::vision::geometry::Rect;
use crate::vision::{self, Detection, Detector, Objects, Plate, Silhouette, View};

/// A step of the frame loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Reading the file and hashing it.
    Read,
    /// Markers, EXIF and the walk over all entropy-coded data.
    Walk,
    /// The small picture, and whether it is night.
    Eighth,
    /// The scout's networks.
    Scout,
    /// The guard's networks, with the larger pictures that they look at.
    Guard,
    /// The plates' network, with its crops.
    Plates,
    /// The outlines of the persons.
    Silhouettes,
    /// The mask, from what was seen.
    Mask,
    /// Filling it, and the check of what came out.
    Redact,
    /// Sealing frame and manifest.
    Seal,
    /// Making both durable.
    Store,
}

/// How long each step took, in the order in which they were done.
#[derive(Debug, Clone, Default)]
pub struct Laps(pub Vec<(Step, Duration)>);

/// Lays one step's time after the other's.
struct Watch {
    last: Instant,
    laps: Laps,
}

impl Watch {
    fn start() -> Self {
        Self {
            last: Instant::now(),
            laps: Laps::default(),
        }
    }

    fn lap(&mut self, step: Step) {
        let now = Instant::now();
        self.laps.0.push((step, now - self.last));
        self.last = now;
    }
}

/// Times another detector, and answers in its place: nothing to the scout's question, one vehicle with a plate and two
/// persons beside it to the others.
struct Clocked<'d> {
    inner: &'d mut dyn Detector,
    spent: Vec<(Step, Duration)>,
}

impl Clocked<'_> {
    fn timed<T>(&mut self, step: Step, ask: impl FnOnce(&mut dyn Detector) -> T) -> T {
        let start = Instant::now();
        let answer = ask(self.inner);
        let took = start.elapsed();
        match self.spent.iter_mut().find(|(known, _)| *known == step) {
            Some((_, spent)) => *spent += took,
            None => self.spent.push((step, took)),
        }
        answer
    }
}

/// A place in the frame, by shares of it.
fn place(picture: &Picture, [x, y, w, h]: [f32; 4]) -> Rect {
    let size = picture.frame();
    Rect::from([x, y, w, h]).scaled([size.width as f32, size.height as f32])
}

impl Detector for Clocked<'_> {
    fn scout(&mut self, view: View<'_>) -> Result<Objects, vision::Error> {
        self.timed(Step::Scout, |inner| inner.scout(view))?;
        Ok(Objects::default())
    }

    fn guard(&mut self, picture: &mut Picture) -> Result<Objects, vision::Error> {
        self.timed(Step::Guard, |inner| inner.guard(picture))?;
        let seen = |shares| Detection {
            rect: place(picture, shares),
            score: 0.9,
        };
        Ok(Objects {
            vehicles: vec![seen([0.4, 0.45, 0.25, 0.3])],
            persons: vec![seen([0.66, 0.5, 0.06, 0.25]), seen([0.3, 0.5, 0.06, 0.25])],
        })
    }

    fn plates(&mut self, picture: &mut Picture, vehicles: &[Detection]) -> Result<Vec<Plate>, vision::Error> {
        self.timed(Step::Plates, |inner| inner.plates(picture, vehicles))?;
        Ok(Vec::new())
    }

    fn silhouette(&mut self, picture: &mut Picture, person: Rect) -> Result<Silhouette, vision::Error> {
        self.timed(Step::Silhouettes, |inner| inner.silhouette(picture, person))
    }

    fn networks(&self) -> Vec<(String, Digest)> {
        self.inner.networks()
    }
}

/// A frame on a card, and what looks at it.
pub struct Bench<'a> {
    /// The card.
    pub card: &'a Card,
    /// The frame's file.
    pub file: &'a CardPath,
    /// What looks.
    pub detector: &'a mut dyn Detector,
}

impl Bench<'_> {
    /// The least that a frame can cost: reading its bytes once.
    pub fn floor(&self) -> Result<Duration, Error> {
        let start = Instant::now();
        card::read(self.card, self.file, card::FRAME_AT_MOST)?;
        Ok(start.elapsed())
    }

    /// A frame that shows nothing, from its file to what the scout saw.
    pub fn discarded(&mut self) -> Result<Laps, Error> {
        let mut watch = Watch::start();
        let mut bytes = card::read(self.card, self.file, card::FRAME_AT_MOST)?;
        std::hint::black_box(Digest::of(&bytes));
        watch.lap(Step::Read);
        let damaged = |damage| Error::Witness(witness::Error::Jpeg(damage));
        let layout = Layout::parse(&bytes).map_err(damaged)?;
        let exif = Facts::read(&bytes, &layout);
        let picture = Picture::read_in_place(&mut bytes, &layout, exif.orientation).map_err(damaged)?;
        watch.lap(Step::Walk);
        let (small, size) = (picture.reduced().map_err(damaged)?, picture.frame());
        picture.recycle(&mut bytes);
        let light = vision::light(&small);
        watch.lap(Step::Eighth);
        let prepared = look::Prepared {
            exif,
            size,
            light,
            small,
        };
        look::scout(&prepared, self.detector)?;
        watch.lap(Step::Scout);
        Ok(watch.laps)
    }

    /// A witness, from its file to its sealed items on the disk; they do not stay there. The scout saw it before.
    pub fn kept(
        &mut self,
        site: &Site,
        sealer: &mut EventSealer,
        staging: &Staging,
        now: BoxTime,
    ) -> Result<Laps, Error> {
        let mut watch = Watch::start();
        let bytes = card::read(self.card, self.file, card::FRAME_AT_MOST)?;
        let digest = Digest::of(&bytes);
        watch.lap(Step::Read);
        let original = Original::read_named(bytes, digest).map_err(witness::Error::from)?;
        watch.lap(Step::Walk);
        let mut clocked = Clocked {
            inner: self.detector,
            spent: Vec::new(),
        };
        let witness = Witness {
            original,
            neighbours: Some(Vec::new()),
            now,
        };
        let looked_at = LookedAt::new(witness, site, None, &mut clocked)?;
        let networks = clocked.spent;
        watch.lap(Step::Mask);
        let redacted = looked_at.redacted()?;
        drop(looked_at);
        watch.lap(Step::Redact);
        let sealed = sealer.seal_frame(&redacted)?;
        watch.lap(Step::Seal);
        for item in sealed {
            staging.stage(item)?;
        }
        watch.lap(Step::Store);
        // What the networks took is no part of drawing the mask.
        let Laps(mut laps) = watch.laps;
        if let Some(mask) = laps.iter().position(|(step, _)| *step == Step::Mask) {
            let theirs = networks.iter().map(|(_, took)| *took).sum();
            laps[mask].1 = laps[mask].1.saturating_sub(theirs);
            laps.splice(mask..mask, networks);
        }
        Ok(Laps(laps))
    }
}
