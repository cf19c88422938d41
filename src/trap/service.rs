//! The service: all cameras of a box, round after round, until it is told to stop.
//!
//! Promises: the rescan on a timer works alone, `notify` only shortens the wait; a card that is taken out and put back
//! is taken up again; a borrowed card is given back after each round, also after an error; one camera's trouble does
//! not stop another's; a card whose wipe is due is wiped after its round; told to stop or to rest, it
//! does so after the frame in hand. Leaves one round to [`super::round`], the wipe
//! to [`super::wiping`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::round::{Listener, Round};
use super::settling::Settlings;
use super::{Error, Summary, recipients, terms};
use crate::card::lease::{self, CardLease};
use crate::card::watch::Watch;
use crate::card::{self, Card};
use crate::config::{self, Camera};
use crate::frame::{BoxTime, CameraId};
use crate::vault::keys::Ring;
use crate::vault::{Store, store};
use crate::vision::Detector;

/// The timer's rescan.
const RESCAN: Duration = Duration::from_secs(10);
/// How often the clock is looked at for what is due (triage::deadlines).
const LOOK: Duration = Duration::from_secs(3600);

/// What the service works with.
pub struct Service<'a> {
    /// The box's configuration.
    pub config: &'a config::Trap,
    /// The vault.
    pub store: &'a mut Store,
    /// To whom events are sealed; [`Service::watch`] reads the configured keys again before each round.
    pub recipients: &'a Ring,
    /// What looks.
    pub detector: &'a mut dyn Detector,
    /// The box's clock.
    pub clock: &'a dyn Fn() -> BoxTime,
    /// Raised to end after the frame in hand.
    pub stop: &'a AtomicBool,
}

/// How a service ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// The last round of each camera whose card was there.
    pub rounds: BTreeMap<CameraId, Summary>,
    /// Cameras whose card was not there, or could not be used, and why.
    pub absent: Vec<(CameraId, Error)>,
}

impl Service<'_> {
    /// One card, lying still at `card`, taken whole: every event is closed at the end.
    pub fn scan(
        &mut self,
        camera: &Camera,
        card: &std::path::Path,
        listener: &mut dyn Listener,
    ) -> Result<Summary, Error> {
        card::apart(card, self.store.dir())?;
        let card = Card::open(card)?;
        terms::look(self.store, (self.clock)(), Duration::ZERO)?;
        let Self { recipients, .. } = *self;
        self.round(camera, &card, recipients, None, None, true)
            .run(listener)
    }

    /// Every camera's own card, borrowed where it must be, taken whole once.
    pub fn scan_all(&mut self, listener: &mut dyn Listener) -> Result<Ended, Error> {
        let mut ended = Ended::default();
        let Self {
            config, recipients, ..
        } = *self;
        terms::look(self.store, (self.clock)(), Duration::ZERO)?;
        for camera in &config.cameras {
            if self.stop.load(Ordering::Relaxed) {
                ended.absent.push((camera.id.clone(), Error::Stopped));
                continue;
            }
            match self.lend(camera, recipients, None, true, listener) {
                Ok(summary) => {
                    ended.rounds.insert(camera.id.clone(), summary);
                }
                Err(trouble @ Error::Card(_)) => ended.absent.push((camera.id.clone(), trouble)),
                Err(error) => return Err(error),
            }
        }
        Ok(ended)
    }

    /// Watches every card until told to stop; with `until_idle`, until nothing more is expected.
    pub fn watch(&mut self, until_idle: bool, listener: &mut dyn Listener) -> Result<Ended, Error> {
        let config = self.config;
        for camera in &config.cameras {
            lease::recover(camera, self.store.dir())?;
        }
        if until_idle {
            let ended = self.scan_all(listener)?;
            for camera in &config.cameras {
                if ended.rounds.contains_key(&camera.id) {
                    self.wipe_if_due(camera, self.recipients, listener);
                }
            }
            return Ok(ended);
        }
        let mut ended = Ended::default();
        let mut looked = Instant::now();
        terms::look(self.store, (self.clock)(), Duration::ZERO)?;
        let mut settlings: BTreeMap<&CameraId, Settlings> = config
            .cameras
            .iter()
            .map(|camera| (&camera.id, Settlings::new(config.attempts.get())))
            .collect();
        let mut hints = Watch::over(config.cameras.iter().map(|camera| camera.card.clone()));
        let mut renewed = None;
        while !self.stop.load(Ordering::Relaxed) {
            ended.absent.clear();
            let recipients = renewed.as_ref().unwrap_or(self.recipients);
            renewed = recipients::renewed(config, recipients).or(renewed);
            let recipients = renewed.as_ref().unwrap_or(self.recipients);
            if looked.elapsed() >= LOOK {
                terms::look(self.store, (self.clock)(), looked.elapsed())?;
                looked = Instant::now();
            }
            for camera in &config.cameras {
                if self.stop.load(Ordering::Relaxed) || listener.rest_asked() {
                    break;
                }
                let settling = settlings.get_mut(&camera.id);
                match self.lend(camera, recipients, settling, false, listener) {
                    Ok(summary) => {
                        let unproven = summary.no_return_file;
                        let before = ended.rounds.insert(camera.id.clone(), summary);
                        if unproven && !before.is_some_and(|before| before.no_return_file) {
                            tracing::warn!(camera = %camera.id, "frames stay on the card: the desk has not proven yet that it opens what is sealed here");
                        }
                        self.wipe_if_due(camera, recipients, listener);
                    }
                    // A card that changes under our eyes is like one that was pulled out: the next round looks anew.
                    // So is a full disk: frames wait on their card until there is room again.
                    Err(
                        trouble @ (Error::Card(_)
                        | Error::Vanished(_)
                        | Error::Changed(_)
                        | Error::Store(store::Error::Full(_))),
                    ) => {
                        tracing::warn!(camera = %camera.id, %trouble);
                        ended.absent.push((camera.id.clone(), trouble));
                    }
                    Err(error) => return Err(error),
                }
            }
            let rest = settlings
                .values()
                .filter_map(Settlings::next)
                .min()
                .unwrap_or(RESCAN);
            let closed = self.wait(&mut hints, rest, listener);
            for settling in settlings.values_mut() {
                settling.closed(closed.clone());
            }
        }
        Ok(ended)
    }

    /// Waits for a hint, the timer or a wish, in steps short enough to hear a stop; where rest is asked for, until it is
    /// over. The files that their writers closed meanwhile.
    fn wait(&self, hints: &mut Watch, at_most: Duration, listener: &mut dyn Listener) -> Vec<PathBuf> {
        const STEP: Duration = Duration::from_millis(250);
        let end = Instant::now() + at_most;
        let (mut closed, mut changed) = (Vec::new(), false);
        while !self.stop.load(Ordering::Relaxed) {
            listener.at_rest();
            let resting = listener.rest_asked();
            let left = end.saturating_duration_since(Instant::now());
            if !resting && (changed || left.is_zero() || listener.look_asked()) {
                break;
            }
            let wake = hints.wait(if resting { STEP } else { STEP.min(left) });
            changed |= wake.changed;
            closed.extend(wake.closed);
        }
        closed
    }

    /// Borrows a camera's card for one round.
    fn lend(
        &mut self,
        camera: &Camera,
        recipients: &Ring,
        settling: Option<&mut Settlings>,
        until_idle: bool,
        listener: &mut dyn Listener,
    ) -> Result<Summary, Error> {
        listener.card(&camera.id);
        let lent = CardLease::take(camera, self.store.dir(), Instant::now())?;
        let until = lent.remaining(Instant::now()).map(|rest| Instant::now() + rest);
        card::apart(&camera.card, self.store.dir())?;
        let card = Card::open(&camera.card)?;
        let summary = self
            .round(camera, &card, recipients, until, settling, until_idle)
            .run(listener);
        if until_idle {
            // The power may go as soon as the program has ended.
            card.sync();
        }
        drop(card);
        lent.give()?;
        summary
    }

    pub(super) fn round<'r>(
        &'r mut self,
        camera: &'r Camera,
        card: &'r Card,
        recipients: &'r Ring,
        until: Option<Instant>,
        settling: Option<&'r mut Settlings>,
        until_idle: bool,
    ) -> Round<'r> {
        Round {
            config: self.config,
            camera,
            card,
            store: self.store,
            recipients,
            detector: self.detector,
            clock: self.clock,
            stop: self.stop,
            until,
            settling,
            until_idle,
        }
    }
}
