//! Frames that grow too old on the card: they go, seen or unseen (CSI art. L.252-5).
//!
//! Promises: every round first notes when each frame and video was listed first; one that lies there for `max_age` goes
//! at the end of its round, after it was tried once more to take and seal it, whether it is held, cannot be read or
//! was never reached; also where the networks fail, for then nobody knows when it could be sealed. Intent, erasure and
//! record are journal lines as everywhere, with the reason `max-age`. A trial erases nothing. Leaves the rule of the
//! clock to `triage::deadlines`.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, SystemTime};

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Error;
use super::ledger::{Ledger, State};
use super::outcome::{Outcome, Word};
use super::round::{Met, Run};
use super::taking::nanoseconds;
use super::terms::{Listed, Terms, WipeTerm};
use crate::card::{self, CardFile, CardPath, Listing};
use crate::config;
use crate::frame::{BoxTime, CameraId, Digest, EventId};
use crate::triage::deadlines::{Due, Mark, due};
use crate::vault::{Entry, Kind};

/// The reason, as a word of docs/commands.md.
pub(super) const MAX_AGE: &str = "max-age";

/// What must be written of a card's files, now that it was listed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Noted {
    /// New or changed files, and those that were stamped by a clock that was wrong.
    written: Vec<Listed>,
    /// Files that are not there any more.
    gone: Vec<CardPath>,
    /// Files that lie there for too long.
    aged: HashSet<CardPath>,
}

/// Holds a card's listing against what was noted before.
fn noted(before: Vec<Listed>, listing: &Listing, mark: Mark, max_age: Duration) -> Noted {
    let mut noted = Noted::default();
    let mut before: HashMap<CardPath, Listed> =
        before.into_iter().map(|file| (file.path.clone(), file)).collect();
    for file in listing.frames.iter().chain(&listing.videos) {
        let (size, modified) = (file.size, nanoseconds(file.mtime));
        let known = before.remove(&file.path);
        let same = |known: &Listed| (known.size, known.modified) == (size, modified);
        let stand = known
            .as_ref()
            .filter(|known| same(known))
            .map(|known| due(known.since, mark, max_age));
        match stand {
            Some(Due::In(_)) => {}
            Some(Due::Now) => drop(noted.aged.insert(file.path.clone())),
            // Another file, or its term begins anew.
            Some(Due::Unknown) | None => noted.written.push(Listed {
                path: file.path.clone(),
                size,
                modified,
                since: mark.time,
                token: None,
            }),
        }
    }
    if listing.complete {
        noted.gone.extend(before.into_keys());
    }
    noted
}

/// What names a file in the journal whose bytes nobody knows.
fn token(camera: &CameraId, file: &CardFile, since: BoxTime) -> Digest {
    let mut hash = Sha256::new();
    hash.update(b"vigie unread file\0");
    hash.update(camera.as_str());
    hash.update(b"\0");
    hash.update(file.path.as_bytes());
    hash.update(b"\0");
    hash.update(file.size.to_be_bytes());
    hash.update(nanoseconds(file.mtime).to_be_bytes());
    hash.update(since.to_string());
    Digest::from_bytes(hash.finalize().into())
}

impl Run<'_, '_> {
    /// Notes the card's files, and which of them lie there for too long.
    pub(super) fn note_files(&mut self, listing: &Listing) -> Result<(), Error> {
        let (camera, mark) = (&self.round.camera.id, self.mark);
        let terms = Terms::of(self.round.store.sql(), camera);
        let first_use = terms.wipe()?.is_none();
        let noted = noted(terms.files()?, listing, mark, self.round.config.max_age.into());
        if first_use || !noted.written.is_empty() || !noted.gone.is_empty() {
            self.round.store.transaction(|tx| {
                let terms = Terms::of(tx.raw(), camera);
                if first_use {
                    terms.set_wipe(&WipeTerm {
                        since: mark.time,
                        wipes: 0,
                        whole: true,
                        under_way: None,
                    })?;
                }
                noted.written.iter().try_for_each(|file| terms.set_file(file))?;
                noted.gone.iter().try_for_each(|path| terms.forget_file(path))?;
                Ok::<_, Error>(())
            })?;
        }
        if self.ages() {
            self.aged = noted.aged;
        }
        Ok(())
    }

    /// Tells that a file cannot be taken; one that lies there for too long goes instead.
    pub(super) fn leave_or_age(&mut self, file: &CardFile, reason: &str) -> Result<(), Error> {
        if self.aged.contains(&file.path) && self.erase_unread(file)? {
            self.tell(Outcome {
                file: file.path.as_path().to_owned(),
                verdict: Word::Discard,
                reason: MAX_AGE.to_owned(),
                event: None,
                redaction: None,
                again: false,
            });
        } else {
            self.leave(&file.path, reason);
        }
        Ok(())
    }

    /// Whether frames go for their age: the law's term does not wait for the desk's proof of its keys.
    fn ages(&self) -> bool {
        matches!(self.round.config.mode, config::Mode::Enforce)
    }

    /// Lets those frames go that wait for their event, or were decided and not erased, and lie there for too long:
    /// what could be sealed was.
    pub(super) fn age_held(&mut self) -> Result<(), Error> {
        if !self.ages() || self.stopped() {
            return Ok(());
        }
        let max_age: Duration = self.round.config.max_age.into();
        let mut rows = self.ledger().in_state(State::Held)?;
        rows.extend(self.ledger().in_state(State::Decided)?);
        rows.retain(|row| {
            let names = self.under_way.get(&row.digest);
            let listed_long_ago =
                |names: &Vec<Met>| names.iter().any(|met| self.aged.contains(&met.file.path));
            names.is_some_and(listed_long_ago)
                || (names.is_some() && due(row.arrived, self.mark, max_age) == Due::Now)
        });
        let digests: Vec<Digest> = rows.iter().map(|row| row.digest).collect();
        // What is erased was read in this round.
        if digests.is_empty() || !self.are_there(digests.iter().copied())? {
            return Ok(());
        }
        tracing::warn!(frames = digests.len(), "too old to stay on the card: erased");
        let camera = &self.round.camera.id;
        self.round.store.transaction(|tx| {
            let ledger = Ledger::of(tx.raw(), camera);
            let held = rows
                .iter()
                .filter(|row| row.state == State::Held)
                .map(|row| &row.digest);
            held.into_iter()
                .try_for_each(|digest| ledger.decide(digest, false, MAX_AGE, EventId::of(camera, digest)))
                .map_err(Error::from)
        })?;
        self.timeline = None;
        let erased = self.summary.erased;
        self.erase_now(&digests)?;
        self.summary.aged += self.summary.erased - erased;
        self.tell_decided(&digests, &BTreeSet::new())
    }

    /// The same after a round that a network cut short: nobody knows when it works again, and the term is the law's.
    pub(super) fn age_regardless(&mut self, listing: &Listing) -> Result<(), Error> {
        for file in listing.frames.iter().chain(&listing.videos) {
            match self.trusted(file)? {
                Some(digest) => {
                    let met = Met {
                        file: file.clone(),
                        read: false,
                    };
                    self.under_way.entry(digest).or_insert_with(|| vec![met]);
                }
                None if self.aged.contains(&file.path) => drop(self.erase_unread(file)?),
                None => {}
            }
        }
        self.age_held()
    }

    /// Ends the erasures of unread files that an earlier round intended.
    pub(super) fn finish_ageing(&mut self) -> Result<(), Error> {
        let files = Terms::of(self.round.store.sql(), &self.round.camera.id).files()?;
        for listed in files {
            let Some(token) = listed.token else { continue };
            let file = CardFile {
                path: listed.path,
                size: listed.size,
                mtime: time_of(listed.modified),
            };
            self.erase_intended(&file, token)?;
        }
        Ok(())
    }

    /// Erases a file whose bytes nobody knows; whether it is gone.
    fn erase_unread(&mut self, file: &CardFile) -> Result<bool, Error> {
        let since = self.mark.time;
        let token = token(&self.round.camera.id, file, since);
        let (now, camera) = (self.now(), &self.round.camera.id);
        let intended = Listed {
            path: file.path.clone(),
            size: file.size,
            modified: nanoseconds(file.mtime),
            since,
            token: Some(token),
        };
        self.round.store.transaction(|tx| {
            Terms::of(tx.raw(), camera).set_file(&intended)?;
            tx.journal(now, &entry(Kind::DiscardIntended, camera, token))?;
            Ok::<_, Error>(())
        })?;
        self.erase_intended(file, token)
    }

    fn erase_intended(&mut self, file: &CardFile, token: Digest) -> Result<bool, Error> {
        let erased = match card::erase_unread(self.round.card, file, token) {
            Ok(_) => true,
            // Another file by now: it is listed anew.
            Err(card::Error::Changed(_)) => false,
            Err(refusal) => {
                tracing::warn!(%refusal, "not erased; tried again in the next round");
                self.summary.not_erased += 1;
                return Ok(false);
            }
        };
        let (now, camera) = (self.now(), &self.round.camera.id);
        self.round.store.transaction(|tx| {
            Terms::of(tx.raw(), camera).forget_file(&file.path)?;
            if erased {
                let ledger = Ledger::of(tx.raw(), camera);
                ledger.taken_after_all(&file.path)?;
                ledger.unknow(&file.path)?;
                tx.journal(now, &entry(Kind::Discarded, camera, token))?;
            }
            Ok::<_, Error>(())
        })?;
        if erased {
            self.summary.erased += 1;
            self.summary.aged += 1;
        }
        Ok(erased)
    }
}

pub(super) fn entry(kind: Kind, camera: &CameraId, token: Digest) -> Entry {
    Entry {
        kind,
        body: json!({"camera": camera, "file": token, "reason": MAX_AGE}),
    }
}

/// The inverse of [`nanoseconds`].
fn time_of(nanoseconds: i64) -> SystemTime {
    let length = Duration::from_nanos(nanoseconds.unsigned_abs());
    let time = match nanoseconds < 0 {
        true => SystemTime::UNIX_EPOCH.checked_sub(length),
        false => SystemTime::UNIX_EPOCH.checked_add(length),
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

    fn at(day: i64) -> BoxTime {
        BoxTime(jiff::Timestamp::from_second(1_780_000_000 + day * 86_400).expect("in range"))
    }

    fn file(name: &str, size: u64) -> CardFile {
        CardFile {
            path: CardPath::new(name).expect("below"),
            size,
            mtime: SystemTime::UNIX_EPOCH + Duration::from_nanos(1_234_567_890),
        }
    }

    fn listing(files: &[CardFile]) -> Listing {
        Listing {
            frames: files.to_vec(),
            complete: true,
            ..Listing::default()
        }
    }

    fn listed(name: &str, size: u64, since: BoxTime) -> Listed {
        Listed {
            path: CardPath::new(name).expect("below"),
            size,
            modified: 1_234_567_890,
            since,
            token: None,
        }
    }

    #[test]
    fn a_file_ages_from_the_day_it_was_first_listed_and_a_changed_one_from_the_day_of_its_change() {
        let before = vec![
            listed("old.jpg", 7, at(0)),
            listed("young.jpg", 7, at(1)),
            listed("changed.jpg", 6, at(0)),
            listed("gone.jpg", 7, at(0)),
        ];
        let names = ["old.jpg", "young.jpg", "changed.jpg", "new.jpg"];
        let now = listing(&names.map(|name| file(name, 7)));
        let mark = Mark::new(at(30));
        let noted = noted(before, &now, mark, MONTH);
        assert_eq!(
            noted.aged,
            HashSet::from([CardPath::new("old.jpg").expect("below")])
        );
        assert_eq!(
            noted.written,
            [listed("changed.jpg", 7, at(30)), listed("new.jpg", 7, at(30))]
        );
        assert_eq!(noted.gone, [CardPath::new("gone.jpg").expect("below")]);
    }

    #[test]
    fn what_was_stamped_by_a_wrong_clock_begins_anew_once_and_a_part_of_a_listing_forgets_nothing() {
        let before = vec![listed("a.jpg", 7, at(400)), listed("b.jpg", 7, at(30))];
        let now = Listing {
            complete: false,
            ..listing(&[file("a.jpg", 7)])
        };
        let noted = noted(before, &now, Mark::new(at(30)), MONTH);
        assert_eq!(noted.written, [listed("a.jpg", 7, at(30))]);
        assert!(noted.gone.is_empty() && noted.aged.is_empty());
    }

    #[test]
    fn a_files_time_survives_being_written() {
        for nanos in [0, 1, -1, 1_234_567_890_123_456_789, -5_000_000_001] {
            assert_eq!(nanoseconds(time_of(nanos)), nanos);
        }
    }
}
