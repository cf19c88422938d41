//! Taking the files of a card: which are known, which are read, what each one turned out to be.
//!
//! Promises: bytes that were seen once are never looked at again, under whatever name; a file that is known by its path,
//! size and time is not even read again, and [`Run::are_there`] reads it after all before anything is decided on its
//! bytes; what holds other bytes than was thought is taken once more in the same round. Leaves erasing to
//! [`super::erasing`], closing events to [`super::closing`].

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::Error;
use super::ahead::{Next, Reader, ahead};
use super::closing::{choice, facts_of};
use super::in_hand::{self, Hand, SET_ASIDE};
use super::ledger::{KnownFile, Ledger, LeftFile, Row, State};
use super::look;
use super::outcome::{jpeg_reason, read_reason, word};
use super::round::{Met, Run};
use super::timeline::Stand;
use crate::card::{self, CardFile};
use crate::frame::{BoxTime, CameraId, Digest};
use crate::triage::deadlines::{Attempt, Attempts};
use crate::triage::{FirstLook, first_look};
use crate::vault::{Entry, Kind, Tx};

/// Frames looked at between two commits, at most: each commit waits for the disk (`synchronous = FULL`), and what a crash can
/// cost is looking at this many frames again.
const BATCH: usize = 16;

/// What is to be done with a file.
enum Fate {
    /// Nothing: its path, size and time are those of this frame.
    Trust(Digest),
    /// Nothing: its attempts are used up.
    Leave(LeftFile),
    /// Read it; so often it was tried before.
    Read(u32),
}

/// What a file turned out to be.
enum Taken {
    /// Its bytes were seen before, in this round or in an earlier one.
    Known {
        digest: Digest,
        /// Whether they were read just now.
        read: bool,
    },
    /// Looked at just now.
    New(Row, FirstLook),
    /// Cannot be taken.
    Left(LeftFile),
}

impl Run<'_, '_> {
    /// Takes these files, which lie in card order, and closes the events that they complete.
    pub(super) fn take_all(&mut self, files: Vec<CardFile>) -> Result<(), Error> {
        let fates = files
            .iter()
            .map(|file| self.fate(file))
            .collect::<Result<Vec<_>, _>>()?;
        let unread: Vec<_> = files
            .iter()
            .zip(&fates)
            .filter(|(_, fate)| matches!(fate, Fate::Read(_)))
            .map(|(file, _)| file.clone())
            .collect();
        let known = if unread.is_empty() {
            BTreeSet::new()
        } else {
            self.ledger().on_card()?
        };
        let mut queue: VecDeque<_> = files.into_iter().zip(fates).collect();
        let reader = Reader::new(self.round.card, &known);
        let overlap = self.round.config.threads().overlap();
        ahead(reader, &unread, overlap, |next| {
            // The first verdict is not to wait for a whole batch: a box may be powered for seconds only.
            let mut at_most = 1;
            while !queue.is_empty() && !self.stopped() {
                let batch = self.batch(&queue, at_most);
                self.take_batch(queue.drain(..batch).collect(), next)?;
                at_most = (2 * at_most).min(BATCH);
                self.close_events(true)?;
                if let (Some(timeline), Some((file, _))) = (&mut self.timeline, queue.front()) {
                    let [folder, name] = place(file);
                    timeline.drop_before([&folder, &name]);
                }
            }
            Ok(())
        })
    }

    /// How many of the next files are taken with one commit: a file that a session ended badly over is taken alone.
    fn batch(&self, queue: &VecDeque<(CardFile, Fate)>, at_most: usize) -> usize {
        let alone = |(file, _): &&(CardFile, Fate)| self.alone.contains(&file.path);
        let together = queue.iter().take(at_most).take_while(|next| !alone(next)).count();
        together.max(1)
    }

    /// What is to be done with a file, from the ledger alone.
    fn fate(&self, file: &CardFile) -> Result<Fate, Error> {
        if let Some(digest) = self.trusted(file)? {
            return Ok(Fate::Trust(digest));
        }
        let modified = nanoseconds(file.mtime);
        let before = self.ledger().left(&file.path)?;
        let unchanged = |left: &LeftFile| left.size == file.size && left.modified == modified;
        let before = before.filter(unchanged);
        let made = before.as_ref().map_or(0, |left| left.attempts);
        let allowed = u32::from(self.round.config.attempts.get());
        Ok(match (before, Attempts { made, allowed }.next()) {
            (Some(left), _) if left.reason == SET_ASIDE => Fate::Leave(left),
            (Some(left), Attempt::Leave) => Fate::Leave(left),
            _ => Fate::Read(made),
        })
    }

    /// Whose bytes a file has, without reading it.
    pub(super) fn trusted(&self, file: &CardFile) -> Result<Option<Digest>, Error> {
        if self.distrusted.contains(&file.path) {
            return Ok(None);
        }
        let modified = nanoseconds(file.mtime);
        Ok(self.ledger().trusted(&file.path, file.size, modified)?)
    }

    /// Takes some frames: looks at each, then commits all of them at once, then erases those that are empty.
    fn take_batch(&mut self, files: Vec<(CardFile, Fate)>, next: &mut Next<'_>) -> Result<(), Error> {
        let read = files.iter().filter(|(_, fate)| matches!(fate, Fate::Read(_)));
        self.take_in_hand(read.map(|(file, _)| file))?;
        let mut taken = Vec::with_capacity(BATCH);
        for (file, fate) in files {
            if self.stopped() {
                break;
            }
            let what = self.take(&file, fate, next)?;
            taken.push((file, what));
            self.listener.step();
        }
        let now = self.now();
        let (camera, enforcing) = (&self.round.camera.id, self.enforcing());
        self.round.store.transaction(|tx| {
            taken
                .iter()
                .try_for_each(|(file, taken)| record(tx, now, camera, enforcing, file, taken))?;
            in_hand::let_go(tx.raw(), camera).map_err(Error::from)
        })?;
        let (mut decided, mut before) = (BTreeSet::new(), BTreeSet::new());
        for (file, taken) in taken {
            match taken {
                Taken::Left(left) => self.leave_or_age(&file, &left.reason)?,
                Taken::New(row, first) => {
                    let stand = match first {
                        FirstLook::Discard(_) => Stand::Discarded,
                        _ => Stand::Held,
                    };
                    if stand == Stand::Discarded {
                        decided.insert(row.digest);
                    }
                    let correction = self.round.camera.clock_correction;
                    if let Some(timeline) = &mut self.timeline {
                        timeline.add(facts_of(row, correction), stand);
                    }
                }
                Taken::Known { digest, .. } => {
                    let row = self.ledger().find(&digest)?;
                    let Some(row) = row.filter(|row| row.verdict.is_some()) else {
                        continue;
                    };
                    match row.state {
                        State::Decided => before.insert(digest),
                        // It is there again.
                        _ => decided.insert(digest),
                    };
                }
            }
        }
        // The same bytes under two names in one batch stand here twice.
        before.retain(|digest| !decided.contains(digest));
        let all: Vec<Digest> = decided.union(&before).copied().collect();
        self.erase(&all)?;
        self.tell_decided(&all, &before)
    }

    /// Finds out what one file is; only bytes that were never seen are looked at.
    fn take(&mut self, file: &CardFile, fate: Fate, next: &mut Next<'_>) -> Result<Taken, Error> {
        let made = match fate {
            Fate::Trust(digest) => return Ok(self.known(file, digest, false)),
            Fate::Leave(left) => return Ok(Taken::Left(left)),
            Fate::Read(made) => made,
        };
        let _in_hand = Hand::on(&self.round.camera.id, &file.path);
        let left = |reason: &str| {
            Taken::Left(LeftFile {
                path: file.path.clone(),
                size: file.size,
                modified: nanoseconds(file.mtime),
                attempts: made + 1,
                reason: reason.to_owned(),
            })
        };
        let read = match next(file) {
            Ok(read) => read,
            Err(refusal) => match read_reason(&refusal) {
                Some(reason) => return Ok(left(reason)),
                None => return Err(refusal.into()),
            },
        };
        let digest = read.digest;
        if self.under_way.contains_key(&digest) || self.ledger().find(&digest)?.is_some() {
            return Ok(self.known(file, digest, true));
        }
        let prepared = match read.prepared {
            Some(Ok(prepared)) => prepared,
            Some(Err(damage)) => return Ok(left(jpeg_reason(&damage))),
            // Known when the reading began, and forgotten since.
            None => return Err(Error::Vanished(digest)),
        };
        let sighting = look::scout(&prepared, self.round.detector)?;
        self.summary.looked_at += 1;
        self.check_camera(&prepared.exif);
        self.meet(file, digest, true);
        let first = first_look(&sighting, choice(self.round.config.triage.choice));
        let row = Row {
            digest,
            path: file.path.clone(),
            size: read.size,
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

    fn known(&mut self, file: &CardFile, digest: Digest, read: bool) -> Taken {
        self.meet(file, digest, read);
        Taken::Known { digest, read }
    }

    fn meet(&mut self, file: &CardFile, digest: Digest, read: bool) {
        let file = file.clone();
        self.under_way.entry(digest).or_default().push(Met { file, read });
    }

    /// Whether all these frames are on the card as they were, as far as this round has met them: files that were
    /// taken on trust are read now. One that holds other bytes, or cannot be read, is not the frame's any more: it is
    /// taken once more in this round.
    pub(super) fn are_there(&mut self, frames: impl Iterator<Item = Digest>) -> Result<bool, Error> {
        let mut all = true;
        for digest in frames {
            let Some(mut names) = self.under_way.remove(&digest) else {
                continue;
            };
            let mut there = Vec::with_capacity(names.len());
            for mut met in names.drain(..) {
                if !met.read {
                    self.listener.alive();
                    met.read = match card::digest(self.round.card, &met.file.path) {
                        Ok(found) => found == digest,
                        Err(refusal) if read_reason(&refusal).is_some() => false,
                        Err(refusal) => return Err(refusal.into()),
                    };
                }
                if met.read {
                    there.push(met);
                } else {
                    self.take_again(met.file);
                }
            }
            if there.is_empty() {
                all = false;
            } else {
                self.under_way.insert(digest, there);
            }
        }
        Ok(all)
    }

    /// A file that does not hold the bytes that it was trusted to hold.
    pub(super) fn take_again(&mut self, file: CardFile) {
        self.distrusted.insert(file.path.clone());
        self.again.push(file);
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
}

/// Writes what one file turned out to be.
fn record(
    tx: &mut Tx<'_>,
    now: BoxTime,
    camera: &CameraId,
    enforcing: bool,
    file: &CardFile,
    taken: &Taken,
) -> Result<(), Error> {
    let ledger = Ledger::of(tx.raw(), camera);
    let know = |digest| {
        ledger.know(&KnownFile {
            path: file.path.clone(),
            size: file.size,
            modified: nanoseconds(file.mtime),
            digest,
        })
    };
    match taken {
        Taken::Known { digest, read } => {
            ledger.moved(digest, &file.path)?;
            if *read {
                ledger.taken_after_all(&file.path)?;
                know(*digest)?;
            }
        }
        Taken::New(row, first) => {
            ledger.hold(row)?;
            ledger.taken_after_all(&file.path)?;
            match first {
                FirstLook::Discard(reason) => ledger.discard_now(&row.digest, &word(reason))?,
                FirstLook::Hold => {}
            }
            // What is erased next need not be known.
            if !enforcing || *first == FirstLook::Hold {
                know(row.digest)?;
            }
        }
        Taken::Left(left) => {
            ledger.unknow(&file.path)?;
            ledger.leave(left)?;
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

/// Folder and name, as triage orders them.
pub(super) fn place(file: &CardFile) -> [String; 2] {
    [
        file.path.folder().to_string_lossy(),
        file.path.name().to_string_lossy(),
    ]
    .map(|name| name.into_owned())
}

pub(super) fn nanoseconds(time: SystemTime) -> i64 {
    let whole = |d: Duration| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => whole(after),
        Err(before) => -whole(before.duration()),
    }
}
