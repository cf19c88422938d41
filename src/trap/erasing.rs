//! Erasing files from the card: intent, erasure, record.
//!
//! Promises: nothing is erased whose intent is not durable, nothing of an event that was sealed to keys that the desk has
//! not proven, and nothing that holds other bytes than those that were decided on; what a crash cut off is ended in the
//! next round. A file that was written over meanwhile is never erased:
//! the frame that was meant is gone with its name, and the file is taken as what it is now.

use serde_json::json;

use super::Error;
use super::ageing::MAX_AGE;
use super::ledger::{Ledger, Row, State};
use super::round::Run;
use super::terms::Terms;
use crate::card::{self, CardPath};
use crate::frame::{CameraId, Digest};
use crate::transfer::returning;
use crate::vault::{Entry, Kind, Tx};

/// What came of one erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Erasure {
    /// The file is gone.
    Done,
    /// Another file bears the name now: the one that was meant went with its name.
    Overwritten,
    /// The card does not let it go: it stays intended, and is tried again in the next round.
    Refused,
}

impl Run<'_, '_> {
    /// Erases these frames from the card, under each of their names: intent, erasure, record.
    pub(super) fn erase(&mut self, digests: &[Digest]) -> Result<(), Error> {
        if !self.enforcing() {
            return Ok(());
        }
        let (mut proven, mut waiting) = (Vec::with_capacity(digests.len()), 0);
        for digest in digests {
            match self.is_proven(digest)? {
                true => proven.push(*digest),
                false => waiting += 1,
            }
        }
        if waiting > 0 {
            tracing::warn!(
                frames = waiting,
                "not erased: the desk has not proven the keys that their events were sealed to"
            );
            self.summary.no_return_file = true;
        }
        match proven.is_empty() {
            true => Ok(()),
            false => self.erase_now(&proven),
        }
    }

    /// Whether the desk has proven the keys that this frame's event was sealed to, which need not be those of today.
    fn is_proven(&mut self, digest: &Digest) -> Result<bool, Error> {
        let Some(event) = self.ledger().find(digest)?.and_then(|row| row.event) else {
            return Ok(true);
        };
        if let Some(known) = self.proven.get(&event) {
            return Ok(*known);
        }
        let store = &self.round.store;
        let proven = returning::event_proven(store.sql(), store.dir(), event)?;
        self.proven.insert(event, proven);
        Ok(proven)
    }

    /// The same, whether or not the desk has proven its keys.
    pub(super) fn erase_now(&mut self, digests: &[Digest]) -> Result<(), Error> {
        self.intend(digests)?;
        let (mut gone, mut freed) = (Vec::with_capacity(digests.len()), Vec::new());
        for digest in digests {
            let names = self.under_way.remove(digest).unwrap_or_default();
            let (several, refused_before) = (names.len() > 1, self.summary.not_erased);
            let mut mine = Vec::with_capacity(names.len());
            for met in names {
                let path = &met.file.path;
                // Half erased perhaps: the ledger keeps its name, or nobody would know what it was. The others wait.
                if self.summary.not_erased > refused_before {
                    self.summary.not_erased += 1;
                    mine.push(met);
                    continue;
                }
                // The ledger names the file whose erasure a crash would cut off: only so is it found again.
                if several {
                    self.name_in_ledger(digest, path)?;
                }
                match self.erase_file(path, *digest) {
                    Erasure::Done => {
                        self.summary.erased += 1;
                        freed.push(path.clone());
                        mine.push(met);
                    }
                    Erasure::Overwritten => {
                        freed.push(path.clone());
                        self.take_again(met.file);
                    }
                    Erasure::Refused => {
                        self.summary.not_erased += 1;
                        mine.push(met);
                    }
                }
            }
            if self.summary.not_erased == refused_before {
                gone.push(*digest);
            }
            self.under_way.insert(*digest, mine);
        }
        self.gone(&gone, &freed)
    }

    fn intend(&mut self, digests: &[Digest]) -> Result<(), Error> {
        let now = self.now();
        let camera = &self.round.camera.id;
        self.round.store.transaction(|tx| {
            digests.iter().try_for_each(|digest| {
                let ledger = Ledger::of(tx.raw(), camera);
                // A card that cannot be written to is tried in every round; the journal tells of it once.
                let row = ledger.find(digest)?;
                if row.as_ref().is_some_and(|row| row.state == State::Erasing) {
                    return Ok(());
                }
                ledger.set_state(digest, State::Erasing)?;
                tx.journal(now, &entry(Kind::DiscardIntended, camera, row, digest))?;
                Ok::<_, Error>(())
            })
        })
    }

    fn name_in_ledger(&mut self, digest: &Digest, path: &CardPath) -> Result<(), Error> {
        let camera = &self.round.camera.id;
        let moved = |tx: &mut Tx<'_>| Ledger::of(tx.raw(), camera).moved(digest, path);
        self.round.store.transaction(|tx| moved(tx).map_err(Error::from))
    }

    /// Ends what an earlier round intended: the intent is on record, so the frame goes.
    pub(super) fn finish_erasures(&mut self) -> Result<(), Error> {
        let mut rows = self.ledger().in_state(State::Erasing)?;
        rows.retain(|row| self.erase_file(&row.path, row.digest) != Erasure::Refused);
        let (gone, freed): (Vec<_>, Vec<_>) = rows.into_iter().map(|row| (row.digest, row.path)).unzip();
        self.gone(&gone, &freed)
    }

    pub(super) fn erase_file(&self, path: &CardPath, digest: Digest) -> Erasure {
        match card::erase(self.round.card, path, digest) {
            Ok(_) => Erasure::Done,
            Err(card::Error::Changed(_)) => Erasure::Overwritten,
            Err(refusal) => {
                tracing::warn!(%refusal, "not erased; tried again in the next round");
                Erasure::Refused
            }
        }
    }

    /// Writes that these frames are gone, and that nothing is known any more of the files in these places.
    fn gone(&mut self, frames: &[Digest], freed: &[CardPath]) -> Result<(), Error> {
        if frames.is_empty() && freed.is_empty() {
            return Ok(());
        }
        let now = self.now();
        let camera = &self.round.camera.id;
        self.round.store.transaction(|tx| {
            for path in freed {
                Ledger::of(tx.raw(), camera).unknow(path)?;
                Terms::of(tx.raw(), camera).forget_file(path)?;
            }
            frames.iter().try_for_each(|digest| {
                let ledger = Ledger::of(tx.raw(), camera);
                ledger.set_state(digest, State::Gone)?;
                let row = ledger.find(digest)?;
                tx.journal(now, &entry(Kind::Discarded, camera, row, digest))?;
                Ok::<_, Error>(())
            })
        })
    }
}

/// A journal line of an erasure; one that no verdict asked for says why.
pub(super) fn entry(kind: Kind, camera: &CameraId, row: Option<Row>, frame: &Digest) -> Entry {
    let mut body = json!({"camera": camera, "frame": frame});
    if row.is_some_and(|row| row.reason.as_deref() == Some(MAX_AGE)) {
        body["reason"] = MAX_AGE.into();
    }
    Entry { kind, body }
}
