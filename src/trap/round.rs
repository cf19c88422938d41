//! One round over one camera's card: every file is taken, decided or left, and accounted for once.
//!
//! Promises: nothing is erased before everything it must leave behind (its verdict, its sealed witnesses, its journal
//! line and the intent itself) is durable; a round that is killed anywhere and run again ends as if it had not been. A
//! file that cannot be taken stays on the card and is named. What a file costs does not grow with the number of files.
//! Leaves taking files to [`super::taking`], closing events to [`super::closing`], erasing to [`super::erasing`], the
//! card's lease and the timer to [`super::service`].

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::json;

use super::Error;
use super::in_hand;
use super::ledger::{self, Ledger, State};
use super::outcome::{Outcome, Summary, Word, odd_reason};
use super::settling::Settlings;
use super::taking::place;
use super::terms;
use super::timeline::Timeline;
use super::unreviewed;
use crate::card::settle::State as Settled;
use crate::card::{self, Card, CardFile, CardPath, Listing};
use crate::config::{self, Camera};
use crate::frame::{BoxTime, CameraId, Digest, EventId};
use crate::transfer::returning;
use crate::triage::by_place;
use crate::triage::deadlines::Mark;
use crate::vault::keys::Ring;
use crate::vault::{Entry, Kind, Store};
use crate::vision::Detector;

/// What a round works with.
pub struct Round<'a> {
    /// The box's configuration.
    pub config: &'a config::Trap,
    /// The camera whose card this is.
    pub camera: &'a Camera,
    /// The card, mounted now.
    pub card: &'a Card,
    /// The vault.
    pub store: &'a mut Store,
    /// To whom events are sealed, quarter by quarter.
    pub recipients: &'a Ring,
    /// What looks.
    pub detector: &'a mut dyn Detector,
    /// The box's clock.
    pub clock: &'a dyn Fn() -> BoxTime,
    /// Raised to end the round after the frame in hand.
    pub stop: &'a AtomicBool,
    /// When the camera must have its card back; the round ends after the frame in hand.
    pub until: Option<Instant>,
    /// Which files are whole yet, where the camera may be writing; `None` for a card that lies still.
    pub settling: Option<&'a mut Settlings>,
    /// Whether nothing more is expected on this card: then every event is closed at the end.
    pub until_idle: bool,
}

/// Whom a round tells what it does, and who may have wishes meanwhile.
pub trait Listener {
    /// The card holds this many files to account for.
    fn begin(&mut self, files: u64);
    /// A file was looked at, or needed no look.
    fn step(&mut self);
    /// A file's outcome is known.
    fn outcome(&mut self, outcome: &Outcome);
    /// The card of this camera is next.
    fn card(&mut self, _camera: &CameraId) {}
    /// Something smaller than a file was finished: a witness, a piece of a wipe.
    fn alive(&mut self) {}
    /// What begins, or has ended, is made of steps that may take as long as the card needs.
    fn slow(&mut self, _begins: bool) {}
    /// Between two rounds: nothing is in hand, and everything that was taken is durable.
    fn at_rest(&mut self) {}
    /// Whether the card is to be let go after the frame in hand, and no round begun.
    fn rest_asked(&self) -> bool {
        false
    }
    /// Whether the next round is to begin now; asked between two rounds, and forgotten then.
    fn look_asked(&mut self) -> bool {
        false
    }
}

/// A round under way.
pub(super) struct Run<'r, 'a> {
    pub round: &'r mut Round<'a>,
    pub listener: &'r mut dyn Listener,
    pub summary: Summary,
    pub enforcing: bool,
    /// Events of which it was asked whether the desk has proven the keys that they were sealed to.
    pub proven: HashMap<EventId, bool>,
    /// Files of this round whose outcome was not told yet, by their bytes: the same bytes may lie under several names.
    pub under_way: HashMap<Digest, Vec<Met>>,
    /// The frames that undecided events may hold or touch; `None` until the ledger was asked, and when it must be anew.
    pub timeline: Option<Timeline>,
    /// Files that are read whatever is known of them.
    pub distrusted: HashSet<CardPath>,
    /// Files that turned out to hold other bytes than they were trusted to: taken once more in this round.
    pub again: Vec<CardFile>,
    /// Events that could not be sealed in this round; their frames wait on the card.
    pub unsealed: BTreeSet<EventId>,
    /// Why the frames of those events wait, as a word of docs/commands.md.
    pub waiting_for: HashMap<Digest, &'static str>,
    /// What terms are counted on.
    pub mark: Mark,
    /// Files that lie on the card for too long.
    pub aged: HashSet<CardPath>,
    /// Files that were in hand when a session ended badly: each is taken alone.
    pub alone: HashSet<CardPath>,
}

/// A file of this round, under one of its frame's names.
pub(super) struct Met {
    pub file: CardFile,
    /// Read in this round; else it is known by its path, size and time alone.
    pub read: bool,
}

impl Round<'_> {
    /// Goes over the card once.
    pub fn run(&mut self, listener: &mut dyn Listener) -> Result<Summary, Error> {
        let began = Instant::now();
        ledger::prepare(self.store)?;
        terms::prepare(self.store)?;
        unreviewed::prepare(self.store)?;
        let trial = matches!(self.config.mode, config::Mode::Trial { .. });
        // Of the keys to which it will seal, whatever the clock says by then.
        let sealed_to = self
            .recipients
            .choose(terms::sealing_time(self.store.sql(), (self.clock)())?);
        let sealed_to = sealed_to.recipients;
        let proven = returning::proven(self.store.sql(), &sealed_to)?;
        let mut run = Run {
            summary: Summary {
                trial,
                no_return_file: !trial && !proven,
                ..Summary::default()
            },
            enforcing: !trial && proven,
            proven: HashMap::new(),
            mark: terms::mark(self.store.sql(), (self.clock)())?,
            round: self,
            listener,
            under_way: HashMap::new(),
            timeline: None,
            distrusted: HashSet::new(),
            again: Vec::new(),
            unsealed: BTreeSet::new(),
            waiting_for: HashMap::new(),
            aged: HashSet::new(),
            alone: HashSet::new(),
        };
        // Before anything is asked for room: it makes some.
        run.expire()?;
        run.round.store.check_room()?;
        run.clear_cut_off_wipe();
        run.finish_erasures()?;
        run.finish_videos()?;
        run.finish_ageing()?;
        run.reckon()?;
        let listing = card::list(run.round.card, &card::Limits::default())?;
        run.note_files(&listing)?;
        let passed = run.pass(&listing);
        run.let_go();
        match passed {
            Err(failure @ (Error::Vision(_) | Error::Witness(_))) => {
                run.age_regardless(&listing)?;
                return Err(failure);
            }
            passed => passed?,
        }
        let mut summary = run.summary;
        summary.seconds = began.elapsed().as_secs_f64();
        summary.set_speed();
        summary.peak_memory_mb = peak_memory_mb();
        Ok(summary)
    }
}

impl Run<'_, '_> {
    /// Takes, decides or leaves every file of the listing.
    fn pass(&mut self, listing: &Listing) -> Result<(), Error> {
        self.listener
            .begin((listing.frames.len() + listing.videos.len() + listing.oddities.len()) as u64);
        self.summary.others = listing.others;
        for odd in &listing.oddities {
            self.leave(&odd.path, odd_reason(&odd.why));
        }
        for video in &listing.videos {
            self.video(video)?;
        }
        let names: BTreeSet<CardPath> = listing.frames.iter().map(|file| file.path.clone()).collect();
        let (whole, unsettled) = self.whole(listing.frames.clone())?;
        self.take_all(whole)?;
        loop {
            let again = std::mem::take(&mut self.again);
            if !again.is_empty() {
                self.timeline = None;
                self.take_all(in_card_order(again))?;
            }
            if self.stopped() {
                break;
            }
            if listing.complete {
                self.forget_vanished(&names, &unsettled)?;
                self.close_events(!unsettled.is_empty())?;
            }
            self.age_held()?;
            // Each time round, files were read that had been trusted: there are fewer of them left.
            if self.again.is_empty() {
                break;
            }
        }
        self.tell_held();
        Ok(())
    }

    /// What a wipe that was cut off left fills the card: the camera could not write.
    fn clear_cut_off_wipe(&self) {
        match card::wipe::clear(self.round.card) {
            Ok(false) => {}
            Ok(true) => tracing::warn!("a wipe was cut off; what it left on the card was removed"),
            Err(error) => tracing::warn!(%error, "what a wipe left on the card could not be removed"),
        }
    }

    pub(super) fn stopped(&self) -> bool {
        self.called_off() || self.round.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Whether whatever is begun and can be begun anew is to end now.
    pub(super) fn called_off(&self) -> bool {
        self.round.stop.load(Ordering::Relaxed) || self.listener.rest_asked()
    }

    pub(super) fn now(&self) -> BoxTime {
        (self.round.clock)()
    }

    /// Whether this round erases: the mode is `enforce`, and the desk has proven that it opens what is sealed here.
    pub(super) fn enforcing(&self) -> bool {
        self.enforcing
    }

    pub(super) fn ledger(&self) -> Ledger<'_> {
        Ledger::of(self.round.store.sql(), &self.round.camera.id)
    }

    /// Which files are whole, in the order in which they are taken, and which are still being written.
    fn whole(&mut self, files: Vec<CardFile>) -> Result<(Vec<CardFile>, BTreeSet<CardPath>), Error> {
        let mut unsettled = BTreeSet::new();
        let Some(settling) = self.round.settling.take() else {
            return Ok((in_card_order(files), unsettled));
        };
        let mut whole = Vec::with_capacity(files.len());
        for file in files {
            if settling.was_closed(self.round.card, &file.path) {
                // Written just now: that its size and time are the same says nothing.
                self.distrusted.insert(file.path.clone());
            } else if self.trusted(&file)?.is_some() {
                whole.push(file);
                continue;
            }
            match settling.look(self.round.card, &file) {
                // A file without an end is taken too: reading it says what is wrong with it.
                Settled::Settled | Settled::Left => whole.push(file),
                Settled::Waiting(_) => {
                    self.tell(Outcome {
                        file: file.path.as_path().to_owned(),
                        verdict: Word::Held,
                        reason: "not-settled".to_owned(),
                        event: None,
                        redaction: None,
                        again: false,
                    });
                    unsettled.insert(file.path);
                }
            }
        }
        settling.end_of_round();
        Ok((in_card_order(whole), unsettled))
    }

    /// A held frame that this round did not meet is no longer on the card: somebody took it, or the card is another.
    /// A file that could not be taken and is not there any more is no longer of anyone's concern.
    fn forget_vanished(
        &mut self,
        names: &BTreeSet<CardPath>,
        unsettled: &BTreeSet<CardPath>,
    ) -> Result<(), Error> {
        let mut rows = self.ledger().in_state(State::Held)?;
        rows.retain(|row| !self.under_way.contains_key(&row.digest) && !unsettled.contains(&row.path));
        let mut left = self.ledger().left_paths()?;
        left.retain(|path| !names.contains(path));
        let mut known = self.ledger().known_paths()?;
        known.retain(|path| !names.contains(path));
        let suspects = self.alone.iter().filter(|path| !names.contains(*path));
        let suspects: Vec<_> = suspects.cloned().collect();
        if rows.is_empty() && left.is_empty() && known.is_empty() && suspects.is_empty() {
            return Ok(());
        }
        if !rows.is_empty() {
            self.timeline = None;
        }
        let (now, camera) = (self.now(), &self.round.camera.id);
        self.round.store.transaction(|tx| {
            for path in &left {
                Ledger::of(tx.raw(), camera).taken_after_all(path)?;
            }
            for path in &known {
                Ledger::of(tx.raw(), camera).unknow(path)?;
            }
            for path in &suspects {
                in_hand::forget(tx.raw(), camera, path)?;
            }
            rows.iter().try_for_each(|row| {
                Ledger::of(tx.raw(), camera).forget(&row.digest)?;
                let body = json!({"camera": camera, "frame": row.digest, "reason": "vanished"});
                tx.journal(
                    now,
                    &Entry {
                        kind: Kind::Left,
                        body,
                    },
                )?;
                Ok(())
            })
        })
    }

    pub(super) fn tell(&mut self, outcome: Outcome) {
        self.summary.count(outcome.verdict);
        self.listener.outcome(&outcome);
    }

    pub(super) fn leave(&mut self, path: &CardPath, reason: &str) {
        self.tell(Outcome {
            file: path.as_path().to_owned(),
            verdict: Word::Left,
            reason: reason.to_owned(),
            event: None,
            redaction: None,
            again: false,
        });
    }

    /// Tells the verdicts on record of these frames, once for each of their names; those `before` stood before this round.
    pub(super) fn tell_decided(
        &mut self,
        digests: &[Digest],
        before: &BTreeSet<Digest>,
    ) -> Result<(), Error> {
        for digest in digests {
            let Some(row) = self.ledger().find(digest)? else {
                continue;
            };
            let keep = row.verdict.as_deref() == Some("keep");
            for met in self.under_way.remove(digest).unwrap_or_default() {
                self.tell(Outcome {
                    file: met.file.path.as_path().to_owned(),
                    verdict: if keep { Word::Keep } else { Word::Discard },
                    reason: row.reason.clone().unwrap_or_default(),
                    event: row.event,
                    redaction: keep.then(|| row.redaction.clone()).flatten(),
                    again: before.contains(digest),
                });
            }
        }
        Ok(())
    }

    /// What is left under way at the end waits on the card.
    fn tell_held(&mut self) {
        let mut waiting: Vec<(CardPath, &str)> = std::mem::take(&mut self.under_way)
            .into_iter()
            .flat_map(|(digest, files)| {
                let reason = self.waiting_for.get(&digest).copied().unwrap_or("event-open");
                files.into_iter().map(move |met| (met.file.path, reason))
            })
            .collect();
        waiting.sort();
        for (file, reason) in waiting {
            self.tell(Outcome {
                file: file.as_path().to_owned(),
                verdict: Word::Held,
                reason: reason.to_owned(),
                event: None,
                redaction: None,
                again: false,
            });
        }
    }
}

/// In the order in which triage sees them: a file that is taken later never comes before one that was taken.
fn in_card_order(files: Vec<CardFile>) -> Vec<CardFile> {
    let mut placed: Vec<_> = files.into_iter().map(|file| (place(&file), file)).collect();
    placed.sort_by(|(a, _), (b, _)| by_place([&a[0], &a[1]], [&b[0], &b[1]]));
    placed.into_iter().map(|(_, file)| file).collect()
}

/// The kernel's high-water mark of this process (proc(5), `VmHWM`, in units of 1024 bytes).
fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some((kib * 1.024 / 10.0).round() / 100.0)
}
