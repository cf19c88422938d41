//! One round over one camera's card: every file is taken, decided or left, and accounted for once.
//!
//! Promises: nothing is erased before everything it must leave behind (its verdict, its sealed witnesses, its journal
//! line and the intent itself) is durable; a round that is killed anywhere and run again ends as if it had not been;
//! bytes that were seen once are never looked at again, under whatever name. A file that cannot be taken stays on the
//! card and is named. Leaves closing events to [`super::closing`], the card's lease and the timer to
//! [`super::service`].

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use super::ledger::{self, Ledger, LeftFile, Row, State};
use super::look;
use super::outcome::{Outcome, Summary, Word, jpeg_reason, odd_reason, read_reason, word};
use super::settling::Settlings;
use super::{Error, closing::choice};
use crate::card::settle::State as Settled;
use crate::card::{self, Card, CardFile, CardPath};
use crate::config::{self, Camera};
use crate::frame::{BoxTime, CameraId, Digest, EventId};
use crate::triage::deadlines::{Attempt, Attempts};
use crate::triage::{FirstLook, first_look};
use crate::vault::{Entry, Kind, Recipient, Store, Tx};
use crate::vision::Detector;

/// Frames looked at between two commits: each commit waits for the disk (`synchronous = FULL`), and what a crash can
/// cost is looking at this many frames again.
const BATCH: usize = 16;

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
    /// To whom events are sealed.
    pub recipients: &'a [Recipient],
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

/// Whom a round tells what it does.
pub trait Listener {
    /// The card holds this many files to account for.
    fn begin(&mut self, files: u64);
    /// A file was looked at, or needed no look.
    fn step(&mut self);
    /// A file's outcome is known.
    fn outcome(&mut self, outcome: &Outcome);
}

/// A round under way.
pub(super) struct Run<'r, 'a> {
    pub round: &'r mut Round<'a>,
    pub listener: &'r mut dyn Listener,
    pub summary: Summary,
    /// Files of this round whose outcome was not told yet, by their bytes: the same bytes may lie under several names.
    pub under_way: HashMap<Digest, Vec<CardPath>>,
    /// Events that could not be sealed in this round; their frames wait on the card.
    pub unsealed: BTreeSet<EventId>,
    /// Why the frames of those events wait, as a word of docs/commands.md.
    pub waiting_for: HashMap<Digest, &'static str>,
}

impl Round<'_> {
    /// Goes over the card once.
    pub fn run(&mut self, listener: &mut dyn Listener) -> Result<Summary, Error> {
        let began = Instant::now();
        ledger::prepare(self.store.sql())?;
        let trial = matches!(self.config.mode, config::Mode::Trial { .. });
        let mut run = Run {
            summary: Summary {
                trial,
                ..Summary::default()
            },
            round: self,
            listener,
            under_way: HashMap::new(),
            unsealed: BTreeSet::new(),
            waiting_for: HashMap::new(),
        };
        run.finish_erasures()?;
        let listing = card::list(run.round.card, &card::Limits::default())?;
        run.listener
            .begin((listing.frames.len() + listing.videos.len() + listing.oddities.len()) as u64);
        run.summary.others = listing.others;
        for odd in &listing.oddities {
            run.leave(&odd.path, odd_reason(&odd.why));
        }
        for video in &listing.videos {
            run.video(video)?;
        }
        let names: BTreeSet<CardPath> = listing.frames.iter().map(|file| file.path.clone()).collect();
        let (whole, unsettled) = run.whole(listing.frames);
        for batch in whole.chunks(BATCH) {
            run.take_batch(batch)?;
            run.close_events(true)?;
            if run.stopped() {
                break;
            }
        }
        if !run.stopped() && listing.complete {
            run.forget_vanished(&names, &unsettled)?;
            run.close_events(!unsettled.is_empty())?;
        }
        run.tell_held();
        let mut summary = run.summary;
        summary.seconds = began.elapsed().as_secs_f64();
        summary.set_speed();
        summary.peak_memory_mb = peak_memory_mb();
        Ok(summary)
    }
}

/// What a file turned out to be.
enum Taken {
    /// Its bytes were seen before, in this round or in an earlier one.
    Known(Digest),
    /// Looked at just now.
    New(Row, FirstLook),
    /// Cannot be taken.
    Left(LeftFile),
}

impl Run<'_, '_> {
    fn stopped(&self) -> bool {
        self.round.stop.load(Ordering::Relaxed)
            || self.round.until.is_some_and(|until| Instant::now() >= until)
    }

    pub(super) fn now(&self) -> BoxTime {
        (self.round.clock)()
    }

    pub(super) fn enforcing(&self) -> bool {
        matches!(self.round.config.mode, config::Mode::Enforce)
    }

    pub(super) fn ledger(&self) -> Ledger<'_> {
        Ledger::of(self.round.store.sql(), &self.round.camera.id)
    }

    /// Which files are whole, and which are still being written.
    fn whole(&mut self, files: Vec<CardFile>) -> (Vec<CardFile>, BTreeSet<CardPath>) {
        let mut unsettled = BTreeSet::new();
        let Some(settling) = self.round.settling.take() else {
            return (files, unsettled);
        };
        let mut whole = Vec::with_capacity(files.len());
        for file in files {
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
                    });
                    unsettled.insert(file.path);
                }
            }
        }
        settling.end_of_round();
        (whole, unsettled)
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
        if rows.is_empty() && left.is_empty() {
            return Ok(());
        }
        let (now, camera) = (self.now(), &self.round.camera.id);
        self.round.store.transaction(|tx| {
            for path in &left {
                Ledger::of(tx.raw(), camera).taken_after_all(path)?;
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

    /// Takes some frames: looks at each, then commits all of them at once, then erases those that are empty.
    fn take_batch(&mut self, files: &[CardFile]) -> Result<(), Error> {
        let mut taken = Vec::with_capacity(files.len());
        for file in files {
            if self.stopped() {
                break;
            }
            taken.push((file, self.take(file)?));
            self.listener.step();
        }
        let now = self.now();
        let camera = &self.round.camera.id;
        self.round.store.transaction(|tx| {
            taken
                .iter()
                .try_for_each(|(file, taken)| record(tx, now, camera, file, taken))
        })?;
        let mut decided = Vec::new();
        for (file, taken) in taken {
            match taken {
                Taken::Left(left) => self.leave(&file.path, &left.reason),
                Taken::New(row, FirstLook::Discard(_)) => decided.push(row.digest),
                Taken::New(..) => {}
                Taken::Known(digest) => {
                    let row = self.ledger().find(&digest)?;
                    decided.extend(row.filter(|row| row.verdict.is_some()).map(|row| row.digest));
                }
            }
        }
        // The same bytes under two names in one batch stand here twice.
        decided.sort_unstable();
        decided.dedup();
        self.erase(&decided)?;
        self.tell_decided(&decided)
    }

    /// Reads one file and finds out what it is; only bytes that were never seen are looked at.
    fn take(&mut self, file: &CardFile) -> Result<Taken, Error> {
        let before = self.ledger().left(&file.path)?;
        let modified = nanoseconds(file.mtime);
        let unchanged = |left: &LeftFile| left.size == file.size && left.modified == modified;
        let before = before.filter(unchanged);
        let made = before.as_ref().map_or(0, |left| left.attempts);
        let allowed = u32::from(self.round.config.attempts.get());
        let attempts = Attempts { made, allowed };
        if let (Some(left), Attempt::Leave) = (before, attempts.next()) {
            return Ok(Taken::Left(left));
        }
        let left = |reason: &str| {
            Taken::Left(LeftFile {
                path: file.path.clone(),
                size: file.size,
                modified,
                attempts: made + 1,
                reason: reason.to_owned(),
            })
        };
        let bytes = match card::read(self.round.card, &file.path, card::FRAME_AT_MOST) {
            Ok(bytes) => bytes,
            Err(refusal) => match read_reason(&refusal) {
                Some(reason) => return Ok(left(reason)),
                None => return Err(refusal.into()),
            },
        };
        let digest = Digest::of(&bytes);
        if let Some(twin) = self.under_way.get_mut(&digest) {
            twin.push(file.path.clone());
            return Ok(Taken::Known(digest));
        }
        if self.ledger().find(&digest)?.is_some() {
            self.under_way.insert(digest, vec![file.path.clone()]);
            return Ok(Taken::Known(digest));
        }
        let prepared = match look::prepare(&bytes) {
            Ok(prepared) => prepared,
            Err(damage) => return Ok(left(jpeg_reason(&damage))),
        };
        let sighting = look::scout(&prepared, self.round.detector)?;
        self.summary.looked_at += 1;
        self.under_way.insert(digest, vec![file.path.clone()]);
        self.check_camera(&prepared.exif);
        let first = first_look(&sighting, choice(self.round.config.triage.choice));
        let row = Row {
            digest,
            path: file.path.clone(),
            size: bytes.len() as u64,
            taken: prepared.exif.taken,
            arrived: self.now(),
            sighting: Some(sighting),
            state: State::Held,
            verdict: None,
            reason: None,
            event: None,
            redaction: None,
        };
        Ok(Taken::New(row, first))
    }

    /// Erases these frames from the card, under each of their names: intent, erasure, record.
    pub(super) fn erase(&mut self, digests: &[Digest]) -> Result<(), Error> {
        if !self.enforcing() || digests.is_empty() {
            return Ok(());
        }
        let now = self.now();
        let camera = &self.round.camera.id;
        self.round.store.transaction(|tx| {
            digests.iter().try_for_each(|digest| {
                let ledger = Ledger::of(tx.raw(), camera);
                // A card that cannot be written to is tried in every round; the journal tells of it once.
                if ledger
                    .find(digest)?
                    .is_some_and(|row| row.state == State::Erasing)
                {
                    return Ok(());
                }
                ledger.set_state(digest, State::Erasing)?;
                tx.journal(
                    now,
                    &Entry {
                        kind: Kind::DiscardIntended,
                        body: json!({"camera": camera, "frame": digest}),
                    },
                )?;
                Ok::<_, Error>(())
            })
        })?;
        let mut gone = Vec::with_capacity(digests.len());
        for digest in digests {
            let paths = self.under_way.get(digest).cloned().unwrap_or_default();
            let mut erased = 0;
            for path in &paths {
                // The ledger names the file whose erasure a crash would cut off: only so is it found again.
                if paths.len() > 1 {
                    let moved = |tx: &mut Tx<'_>| Ledger::of(tx.raw(), camera).moved(digest, path);
                    self.round
                        .store
                        .transaction(|tx| moved(tx).map_err(Error::from))?;
                }
                if self.erase_file(path, *digest) {
                    erased += 1;
                }
            }
            self.summary.erased += erased as u64;
            self.summary.not_erased += (paths.len() - erased) as u64;
            if erased == paths.len() {
                gone.push(*digest);
            }
        }
        self.gone(&gone)
    }

    /// Ends what an earlier round intended: the intent is on record, so the frame goes.
    fn finish_erasures(&mut self) -> Result<(), Error> {
        let mut rows = self.ledger().in_state(State::Erasing)?;
        rows.retain(|row| self.erase_file(&row.path, row.digest));
        self.gone(&rows.iter().map(|row| row.digest).collect::<Vec<_>>())
    }

    /// Whether the file is gone now. What cannot be erased stays intended, and is tried again in the next round.
    fn erase_file(&self, path: &CardPath, digest: Digest) -> bool {
        match card::erase(self.round.card, path, digest) {
            Ok(_) => true,
            // Another file bears the name now: the one that was meant went with its name.
            Err(card::Error::Changed(_)) => true,
            Err(refusal) => {
                tracing::warn!(%refusal, "not erased; tried again in the next round");
                false
            }
        }
    }

    fn gone(&mut self, digests: &[Digest]) -> Result<(), Error> {
        if digests.is_empty() {
            return Ok(());
        }
        let now = self.now();
        let camera = &self.round.camera.id;
        self.round.store.transaction(|tx| {
            digests.iter().try_for_each(|digest| {
                Ledger::of(tx.raw(), camera).set_state(digest, State::Gone)?;
                tx.journal(
                    now,
                    &Entry {
                        kind: Kind::Discarded,
                        body: json!({"camera": camera, "frame": digest}),
                    },
                )?;
                Ok::<_, Error>(())
            })
        })?;
        Ok(())
    }

    /// A video cannot be redacted: it waits for the wipe, or goes at once, as the city chose.
    fn video(&mut self, video: &CardFile) -> Result<(), Error> {
        if self.round.config.video == config::Video::Leave || !self.enforcing() {
            self.leave(&video.path, "video");
            return Ok(());
        }
        let camera = &self.round.camera.id;
        let now = self.now();
        let digest = match card::digest(self.round.card, &video.path) {
            Ok(digest) => digest,
            Err(refusal) => match read_reason(&refusal) {
                Some(reason) => {
                    self.leave(&video.path, reason);
                    return Ok(());
                }
                None => return Err(refusal.into()),
            },
        };
        let entry = |kind| Entry {
            kind,
            body: json!({"camera": camera, "frame": digest, "video": true}),
        };
        self.round
            .store
            .transaction(|tx| tx.journal(now, &entry(Kind::DiscardIntended)))?;
        if !self.erase_file(&video.path, digest) {
            self.summary.not_erased += 1;
            self.leave(&video.path, "video");
            return Ok(());
        }
        self.round
            .store
            .transaction(|tx| tx.journal(now, &entry(Kind::Discarded)))?;
        self.summary.erased += 1;
        self.tell(Outcome {
            file: video.path.as_path().to_owned(),
            verdict: Word::Discard,
            reason: "video".to_owned(),
            event: None,
            redaction: None,
        });
        Ok(())
    }

    /// A trap's frames name its camera; a mismatch is counted and said, never guessed about.
    fn check_camera(&mut self, exif: &crate::jpeg::Facts) {
        let differs = |expected: &Option<String>, found: &Option<String>| {
            expected
                .as_ref()
                .is_some_and(|expected| found.as_ref() != Some(expected))
        };
        if differs(&self.round.camera.model, &exif.model) || differs(&self.round.camera.serial, &exif.serial)
        {
            self.summary.unexpected_camera += 1;
        }
    }

    fn tell(&mut self, outcome: Outcome) {
        self.summary.count(outcome.verdict);
        self.listener.outcome(&outcome);
    }

    fn leave(&mut self, path: &CardPath, reason: &str) {
        self.tell(Outcome {
            file: path.as_path().to_owned(),
            verdict: Word::Left,
            reason: reason.to_owned(),
            event: None,
            redaction: None,
        });
    }

    /// Tells the verdicts on record of these frames, once for each of their names.
    pub(super) fn tell_decided(&mut self, digests: &[Digest]) -> Result<(), Error> {
        for digest in digests {
            let Some(row) = self.ledger().find(digest)? else {
                continue;
            };
            let keep = row.verdict.as_deref() == Some("keep");
            for file in self.under_way.remove(digest).unwrap_or_default() {
                self.tell(Outcome {
                    file: file.as_path().to_owned(),
                    verdict: if keep { Word::Keep } else { Word::Discard },
                    reason: row.reason.clone().unwrap_or_default(),
                    event: row.event,
                    redaction: keep.then(|| row.redaction.clone()).flatten(),
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
                files.into_iter().map(move |file| (file, reason))
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
            });
        }
    }
}

/// Writes what one file turned out to be.
fn record(
    tx: &mut Tx<'_>,
    now: BoxTime,
    camera: &CameraId,
    file: &CardFile,
    taken: &Taken,
) -> Result<(), Error> {
    match taken {
        Taken::Known(digest) => {
            let ledger = Ledger::of(tx.raw(), camera);
            ledger.moved(digest, &file.path)?;
            ledger.taken_after_all(&file.path)?;
        }
        Taken::New(row, first) => {
            let ledger = Ledger::of(tx.raw(), camera);
            ledger.hold(row)?;
            ledger.taken_after_all(&file.path)?;
            if let FirstLook::Discard(reason) = first {
                ledger.discard_now(&row.digest, &word(reason))?;
            }
        }
        Taken::Left(left) => {
            Ledger::of(tx.raw(), camera).leave(left)?;
            if left.attempts == 1 {
                tx.journal(
                    now,
                    &Entry {
                        kind: Kind::Left,
                        body: json!({"camera": camera, "reason": left.reason, "size": left.size}),
                    },
                )?;
            }
        }
    }
    Ok(())
}

fn nanoseconds(time: SystemTime) -> i64 {
    let whole = |d: Duration| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => whole(after),
        Err(before) => -whole(before.duration()),
    }
}

/// The kernel's high-water mark of this process (proc(5), `VmHWM`, in units of 1024 bytes).
fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some((kib * 1.024 / 10.0).round() / 100.0)
}
