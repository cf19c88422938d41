//! Wiping a camera's card: what can be processed is processed first, then the card is wiped and a certificate signed.
//!
//! Promises: nothing is wiped in a trial, nor while any frame on the card could still be sealed; the intent is durable
//! before the first byte is written, and a wipe that is cut off anywhere is taken up again under the same number. A wipe
//! that fails is tried again after the next round and keeps nobody from taking frames. A wipe in part counts as done, for
//! a second one would only wear the card out: its certificate says so, and so does `status`.
//!
//! A wipe takes as long as the card needs: `blind_at_most` bounds rounds, not the wipe (docs/decisions/0006).

mod certifying;
mod plan;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use super::outcome::word;
use super::round::Listener;
use super::service::Service;
use super::terms::{self, Intent, Terms, WipeTerm};
use super::{Error, Outcome, Word};
use crate::card::lease::CardLease;
use crate::card::wipe::{self, Filled, Phase, Progress, Seed, Swept, Volume};
use crate::card::{self, Card, CardPath, Limits};
use crate::config::{self, Camera};
use crate::frame::Digest;
use crate::triage::deadlines::{Due, due};
use crate::vault::certificate::{self, Certificate, Reason};
use crate::vault::keys::Ring;
use crate::vault::store::Filed;
use crate::vault::{Entry, Kind};

pub use certifying::later;
use certifying::number;
pub(super) use certifying::regime;
pub use plan::{Plan, Planned, open, ours, plan, plans};

/// Rounds before a wipe, while each of them still takes something off the card.
const MOST_ROUNDS: usize = 100;

/// What a wipe came to.
#[derive(Debug, Clone)]
pub struct Wiped {
    /// How the card was wiped.
    pub wipe: certificate::Wipe,
    /// What was certified.
    pub certificate: Certificate,
    /// As the store keeps it.
    pub filed: Filed,
}

/// Nobody watches.
#[derive(Debug)]
pub struct Unwatched;

impl Progress for Unwatched {
    fn begin(&mut self, _: Phase, _: u64) {}
    fn advance(&mut self, _: u64) -> bool {
        true
    }
}

/// Nobody listens.
#[derive(Debug)]
struct Unheard;

impl Listener for Unheard {
    fn begin(&mut self, _: u64) {}
    fn step(&mut self) {}
    fn outcome(&mut self, _: &Outcome) {}
}

/// Passes progress on, until told to stop.
struct Stoppable<'a> {
    inner: &'a mut dyn Progress,
    listener: &'a mut dyn Listener,
    stop: &'a AtomicBool,
}

impl Progress for Stoppable<'_> {
    fn begin(&mut self, phase: Phase, bytes: u64) {
        self.inner.begin(phase, bytes);
    }
    fn advance(&mut self, bytes: u64) -> bool {
        self.listener.alive();
        let called_off = self.stop.load(Ordering::Relaxed) || self.listener.rest_asked();
        self.inner.advance(bytes) && !called_off
    }
}

/// What the rounds before a wipe told of the files.
struct Tally<'a> {
    left: HashMap<PathBuf, String>,
    held: BTreeMap<String, u64>,
    listener: &'a mut dyn Listener,
}

impl Listener for Tally<'_> {
    fn begin(&mut self, _: u64) {}
    fn step(&mut self) {
        self.listener.alive();
    }
    fn alive(&mut self) {
        self.listener.alive();
    }
    fn rest_asked(&self) -> bool {
        self.listener.rest_asked()
    }
    fn outcome(&mut self, outcome: &Outcome) {
        match outcome.verdict {
            Word::Left => drop(self.left.insert(outcome.file.clone(), outcome.reason.clone())),
            Word::Held => *self.held.entry(outcome.reason.clone()).or_default() += 1,
            Word::Keep | Word::Discard => {}
        }
    }
}

impl Tally<'_> {
    /// Why this file can never be processed; `None` if it still can.
    fn unusable(&self, path: &CardPath) -> Option<&str> {
        let reason = self.left.get(path.as_path())?;
        (reason != "not-settled").then_some(reason)
    }
}

/// Photographs that can never be processed: where they lie, and as what.
struct Unusable {
    files: HashMap<CardPath, (u64, SystemTime)>,
    reasons: BTreeMap<String, u64>,
}

impl Service<'_> {
    /// Wipes the card that is mounted at `card`.
    pub fn wipe(
        &mut self,
        camera: &Camera,
        card: &Path,
        reason: Reason,
        progress: &mut dyn Progress,
    ) -> Result<Wiped, Error> {
        let Self { recipients, .. } = *self;
        self.wipe_after_sealing(camera, card, recipients, reason, progress, &mut Unheard)
    }

    fn wipe_after_sealing(
        &mut self,
        camera: &Camera,
        card: &Path,
        recipients: &Ring,
        reason: Reason,
        progress: &mut dyn Progress,
        listener: &mut dyn Listener,
    ) -> Result<Wiped, Error> {
        let (card, volume) = open(self.config, card)?;
        let unusable = self.process(camera, &card, recipients, listener)?;
        let (term, intent) = self.intend_wipe(camera, &volume, reason)?;
        let mut progress = Stoppable {
            inner: progress,
            listener,
            stop: self.stop,
        };
        let goes = |path: &CardPath, size, mtime| unusable.files.get(path) == Some(&(size, mtime));
        let expected = wipe::plan(&card)?.bytes;
        let [files, free] = streams(&intent);
        let swept = wipe::sweep(&card, &files.stream(), expected, &goes, &mut progress)?;
        let filled = wipe::fill(&card, &free.stream(), volume.free + swept.bytes, &mut progress)?;
        let done = certificate::Wipe {
            reason: intent.reason,
            interrupted: intent.interrupted,
            card: certificate::Card {
                file_system: volume.file_system,
                serial: volume.serial,
                bytes: volume.bytes,
            },
            files: files_of(swept),
            unusable: unusable.reasons,
            fill: fill_of(free, filled),
            discard_passed_on: wipe::discard(&card),
        };
        let listing = card::list(&card, &Limits::default())?;
        let left = listing.frames.into_iter().chain(listing.videos);
        let left = left.map(|file| file.path).collect();
        self.certify(camera, &term, &intent, done, &left)
    }

    /// Wipes a camera's own card if it is time to, borrowed where it must be; whether it was. An error is told and
    /// tried again.
    pub(super) fn wipe_if_due(&mut self, camera: &Camera, recipients: &Ring, listener: &mut dyn Listener) {
        let done = self.is_wipe_due(camera).and_then(|is_due| match is_due {
            true => self.lend_and_wipe(camera, recipients, listener).map(Some),
            false => Ok(None),
        });
        match done {
            Ok(None) => {}
            Ok(Some(wiped)) if wiped.wipe.is_whole() => {
                tracing::info!(camera = %camera.id, certificate = wiped.filed.number, "the card was wiped");
            }
            Ok(Some(wiped)) => {
                let certificate = &wiped.filed.number;
                tracing::warn!(camera = %camera.id, certificate, "the card was wiped in part: destroy it");
            }
            Err(error) => {
                tracing::warn!(camera = %camera.id, %error, "the card's wipe is due and failed; it is tried again");
            }
        }
    }

    fn lend_and_wipe(
        &mut self,
        camera: &Camera,
        recipients: &Ring,
        listener: &mut dyn Listener,
    ) -> Result<Wiped, Error> {
        let lent = CardLease::take(camera, self.store.dir(), Instant::now())?;
        let card = &camera.card;
        listener.slow(true);
        let (reason, unwatched) = (Reason::Due, &mut Unwatched);
        let wiped = self.wipe_after_sealing(camera, card, recipients, reason, unwatched, listener);
        listener.slow(false);
        lent.give()?;
        wiped
    }

    fn is_wipe_due(&mut self, camera: &Camera) -> Result<bool, Error> {
        if matches!(self.config.mode, config::Mode::Trial { .. }) {
            return Ok(false);
        }
        let term = self.wipe_term(camera)?;
        let mark = terms::mark(self.store.sql(), (self.clock)())?;
        let is_due = due(term.since, mark, self.config.wipe_period.into()) == Due::Now;
        Ok(is_due || term.under_way.is_some())
    }

    /// How the card stands with its wipe. What was stamped by a clock that was wrong begins anew.
    fn wipe_term(&mut self, camera: &Camera) -> Result<WipeTerm, Error> {
        terms::prepare(self.store)?;
        let mark = terms::mark(self.store.sql(), (self.clock)())?;
        let known = Terms::of(self.store.sql(), &camera.id).wipe()?;
        let is_right = |term: &WipeTerm| due(term.since, mark, Duration::ZERO) != Due::Unknown;
        if let Some(term) = known.as_ref().filter(|term| is_right(term)) {
            return Ok(term.clone());
        }
        let term = WipeTerm {
            since: mark.time,
            wipes: known.as_ref().map_or(0, |term| term.wipes),
            whole: known.as_ref().is_none_or(|term| term.whole),
            under_way: known.and_then(|term| term.under_way),
        };
        self.store.transaction(|tx| {
            Terms::of(tx.raw(), &camera.id)
                .set_wipe(&term)
                .map_err(Error::from)
        })?;
        Ok(term)
    }

    /// Takes everything off the card that can be taken. What is left can never be; a file that the card does not give
    /// is tried as often as everywhere.
    fn process(
        &mut self,
        camera: &Camera,
        card: &Card,
        recipients: &Ring,
        listener: &mut dyn Listener,
    ) -> Result<Unusable, Error> {
        let mut tries = self.config.attempts.get();
        for _ in 0..MOST_ROUNDS {
            let mut tally = Tally {
                left: HashMap::new(),
                held: BTreeMap::new(),
                listener: &mut *listener,
            };
            let summary = self
                .round(camera, card, recipients, None, None, true)
                .run(&mut tally)?;
            if self.stop.load(Ordering::Relaxed) || tally.rest_asked() {
                return Err(wipe::Error::Stopped.into());
            }
            let listing = card::list(card, &Limits::default())?;
            let mut unusable = Unusable {
                files: HashMap::new(),
                reasons: BTreeMap::new(),
            };
            for file in &listing.frames {
                if let Some(reason) = tally.unusable(&file.path) {
                    unusable.files.insert(file.path.clone(), (file.size, file.mtime));
                    *unusable.reasons.entry(reason.to_owned()).or_default() += 1;
                }
            }
            let pending = listing.frames.len() - unusable.files.len();
            let all = pending == 0 && listing.complete;
            tries = tries.saturating_sub(1);
            let may_be_read_yet = tries > 0 && unusable.reasons.contains_key("unreadable");
            if all && !may_be_read_yet {
                return Ok(unusable);
            }
            if !all && summary.no_return_file {
                return Err(Error::Unprocessed {
                    frames: pending as u64,
                    reason: "no-return-file".to_owned(),
                });
            }
            if !all && summary.erased == 0 {
                let reason = tally.held.into_iter().max_by_key(|(_, count)| *count);
                return Err(Error::Unprocessed {
                    frames: pending as u64,
                    reason: reason.map_or_else(|| "not-settled".to_owned(), |(reason, _)| reason),
                });
            }
        }
        Err(Error::Unprocessed {
            frames: 1,
            reason: "not-settled".to_owned(),
        })
    }

    fn intend_wipe(
        &mut self,
        camera: &Camera,
        volume: &Volume,
        reason: Reason,
    ) -> Result<(WipeTerm, Intent), Error> {
        let mut term = self.wipe_term(camera)?;
        let now = (self.clock)();
        let resumed = term
            .under_way
            .take()
            .filter(|intent| intent.serial == volume.serial);
        let intent = match resumed {
            Some(intent) => Intent {
                interrupted: intent.interrupted + 1,
                ..intent
            },
            None => Intent {
                seed: Digest::from_bytes(Seed::random()?.0),
                reason,
                began: now,
                serial: volume.serial.clone(),
                interrupted: 0,
            },
        };
        let entry = Entry {
            kind: Kind::WipeIntended,
            body: json!({
                "camera": camera.id,
                "interrupted": intent.interrupted,
                "number": number(camera, &term),
                "reason": word(&intent.reason),
            }),
        };
        term.under_way = Some(intent.clone());
        self.store.transaction(|tx| {
            Terms::of(tx.raw(), &camera.id).set_wipe(&term)?;
            tx.journal(now, &entry)?;
            Ok::<_, Error>(())
        })?;
        Ok((term, intent))
    }
}

/// Two streams of one intent: what overwrites files does not come again in the free space.
fn streams(intent: &Intent) -> [Seed; 2] {
    let of = |what: &[u8]| Seed(*Digest::of(&[what, intent.seed.as_bytes()].concat()).as_bytes());
    [of(b"vigie wipe files\0"), of(b"vigie wipe fill\0")]
}

fn files_of(swept: Swept) -> certificate::Files {
    certificate::Files {
        frames: swept.frames,
        videos: swept.videos,
        others: swept.others,
        links: swept.links,
        bytes: swept.bytes,
        not_overwritten: swept.not_overwritten,
        not_removed: swept.not_removed,
    }
}

fn fill_of(seed: Seed, filled: Filled) -> certificate::Fill {
    certificate::Fill {
        seed: Digest::from_bytes(seed.0),
        bytes: filled.bytes,
        refused: filled.refused,
        blocks_read: filled.read,
        blocks_different: filled.different,
        blocks_unread: filled.unread,
        read_direct: filled.direct,
    }
}
