//! The journal's oldest lines, when their term is over.
//!
//! Promises: lines go only up to a checkpoint that the box signed in the same transaction, and SQLite
//! itself refuses to delete any other (`schema.sql`); no line goes whose term is not over by
//! [`checkpoint::term_began`], none that an item still in the store is proven by or that was written
//! since such a one (the journal of a piece of evidence lives as long as the evidence), and none from
//! what `vault.head` has signed on.

use rusqlite::params;
use serde_json::json;

use super::{Error, Store, closing, io_at};
use crate::frame::{BoxTime, Digest};
use crate::vault::checkpoint::{self, Checkpoint};
use crate::vault::closing::Closing;
use crate::vault::journal::{Entry, Kind};
use crate::vault::signed;

/// What stops the cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The next line is too young.
    Term,
    /// The next line is about an item that is still in the store.
    Item,
    /// The next line is the one that `vault.head` has signed.
    Closing,
}

/// How far the journal can be pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prunable {
    /// The last line that can go; nothing if none can.
    pub to: Option<u64>,
    /// What keeps the next one.
    pub kept_by: Why,
}

impl Store {
    /// How far the journal can be pruned: lines written before `before`, where that is said, and in any
    /// case more than three years before `believed`, the hour that it is as far as the clock can be
    /// trusted.
    pub fn prunable(&self, believed: BoxTime, before: Option<BoxTime>) -> Result<Prunable, Error> {
        let nothing = Prunable {
            to: None,
            kept_by: Why::Term,
        };
        let Some(term) = checkpoint::term_began(believed) else {
            return Ok(nothing);
        };
        let bound = before.map_or(term, |before| before.min(term));
        let Some(old) = self.past_term(bound)? else {
            return Ok(nothing);
        };
        let least = "SELECT min(line) FROM item";
        let item: Option<u64> = self.sql.query_row(least, [], |row| row.get(0))?;
        let closed = Closing::read(&self.dir).map_err(|error| self.unreadable_head(error))?;
        // The head is a line of the journal until the next one is written: the last line stays.
        let old = old.min(self.head.seq.saturating_sub(1));
        let limits = [
            (old, Why::Term),
            (item.map_or(u64::MAX, |line| line.saturating_sub(1)), Why::Item),
            (
                closed.map_or(u64::MAX, |closed| closed.journal_seq.saturating_sub(1)),
                Why::Closing,
            ),
        ];
        let (to, kept_by) = limits.into_iter().min_by_key(|(to, _)| *to).unwrap_or(limits[0]);
        let first = "SELECT min(seq) FROM journal";
        let first: u64 = self.sql.query_row(first, [], |row| row.get(0))?;
        Ok(Prunable {
            to: (to >= first).then_some(to),
            kept_by,
        })
    }

    fn past_term(&self, bound: BoxTime) -> Result<Option<u64>, Error> {
        let mut lines = self.sql.prepare("SELECT seq, time FROM journal ORDER BY seq")?;
        let mut rows = lines.query([])?;
        let mut failed = None;
        let times = std::iter::from_fn(|| match rows.next() {
            Ok(row) => row.map(|row| {
                let time = row.get::<_, String>(1).ok();
                let time = time.and_then(|time| time.parse().ok()).map(BoxTime);
                row.get(0).map(|seq| (seq, time))
            }),
            Err(error) => Some(Err(error)),
        });
        let times = times.map_while(|line| line.map_err(|error| failed = Some(error)).ok());
        let old = checkpoint::past_term(times, bound);
        failed.map_or(Ok(old), |error| Err(error.into()))
    }

    fn unreadable_head(&self, error: closing::Error) -> Error {
        match error {
            closing::Error::Io(source) => io_at(&self.dir.join(closing::NAME))(source),
            closing::Error::Document(_) => Error::Journal {
                dir: self.dir.clone(),
                what: "vault.head is damaged",
            },
        }
    }

    /// Cuts off what [`Store::prunable`] says, and puts a signed checkpoint in its place. Nothing if
    /// there is nothing to cut.
    pub fn prune(
        &mut self,
        now: BoxTime,
        believed: BoxTime,
        before: Option<BoxTime>,
    ) -> Result<Option<Checkpoint>, Error> {
        let Some(to) = self.prunable(believed, before)?.to else {
            return Ok(None);
        };
        let checkpoint = self.checkpoint_at(to, now)?;
        let text = checkpoint.sign(&self.device).map_err(|_| Error::Journal {
            dir: self.dir.clone(),
            what: "its checkpoint cannot be written",
        })?;
        self.transaction(|tx| {
            let body = json!({"checkpoint": signed::digest(&text), "seq": to});
            let kind = Kind::Pruned;
            tx.journal(now, &Entry { kind, body })?;
            tx.sql.execute(
                "INSERT INTO checkpoint (one, seq, text) VALUES (1, ?1, ?2)
                 ON CONFLICT (one) DO UPDATE SET seq = ?1, text = ?2",
                params![to, text],
            )?;
            tx.sql.execute("DELETE FROM journal WHERE seq <= ?", [to])?;
            Ok::<_, Error>(())
        })?;
        // Of what was pruned, nothing stays in the log either.
        self.sql
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(Some(checkpoint))
    }

    fn checkpoint_at(&self, to: u64, now: BoxTime) -> Result<Checkpoint, Error> {
        let broken = |what| Error::Journal {
            dir: self.dir.clone(),
            what,
        };
        let time = |text: String| {
            let time = text.parse().map_err(|_| broken("a line tells no time"))?;
            Ok::<_, Error>(BoxTime(time))
        };
        let (hash, last) =
            self.sql
                .query_row("SELECT hash, time FROM journal WHERE seq = ?", [to], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
        let device = self.device.public();
        let first = match Checkpoint::text(&self.sql)? {
            Some(text) => {
                let before = Checkpoint::read(&text, device);
                before.map_err(|_| broken("its checkpoint is damaged"))?.first
            }
            None => {
                let first = "SELECT time FROM journal ORDER BY seq LIMIT 1";
                time(self.sql.query_row(first, [], |row| row.get(0))?)?
            }
        };
        Ok(Checkpoint {
            device: device.id(),
            device_key: device.clone(),
            first,
            hash: Digest::from_bytes(hash),
            last: time(last)?,
            pruned: now,
            seq: to,
        })
    }
}
