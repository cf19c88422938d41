//! What a transaction of the store may do: give items their rows, take items out, write journal lines.
//!
//! Promises: each change to the items comes with the journal line that tells of it, each line follows from the last,
//! and what was staged is removed only after the rollback. Leaves beginning and committing to [`super::Store`].

use rusqlite::params;
use serde_json::json;

use super::{Cause, Error, ItemFacts, Staged, sealed_body};
use crate::frame::{BoxTime, EventId};
use crate::vault::item::ItemId;
use crate::vault::journal::{Entry, Head, Kind, Line};
use crate::vault::keys::DeviceId;

/// A transaction under way.
pub struct Tx<'s> {
    // In this order: what was staged is removed after the rollback, never before.
    pub(super) sql: rusqlite::Transaction<'s>,
    pub(super) staged: Vec<Staged>,
    pub(super) erased: Vec<ItemId>,
    pub(super) device: DeviceId,
    pub(super) head: Head,
}

impl<'s> Tx<'s> {
    /// Gives a staged item its row, and writes down that it was sealed.
    pub fn insert_item(&mut self, time: BoxTime, staged: Staged) -> Result<(), Error> {
        let ItemFacts {
            device,
            id,
            kind,
            size,
            digest,
        } = staged.facts;
        let by_another = (device != self.device).then_some(device);
        let body = sealed_body(id, kind.as_str(), size, digest, by_another);
        let entry = Entry {
            kind: Kind::Sealed,
            body,
        };
        self.journal(time, &entry)?;
        self.sql.execute(
            "INSERT INTO item (event, number, kind, size, sha256, line) VALUES (?, ?, ?, ?, ?, ?)",
            params![
                id.event.to_string(),
                id.number,
                kind.as_str(),
                size,
                digest.to_string(),
                self.head.seq
            ],
        )?;
        self.staged.push(staged);
        Ok(())
    }

    /// Takes these items of one event out of the store, and writes down why; once that is durable, their
    /// files are overwritten and removed. Those of them that are not in the store are passed over; how
    /// many were.
    pub fn erase_items(
        &mut self,
        time: BoxTime,
        event: EventId,
        numbers: &[u32],
        cause: Cause,
    ) -> Result<usize, Error> {
        let mut gone = Vec::with_capacity(numbers.len());
        for number in numbers {
            let row = params![event.to_string(), number];
            let delete = "DELETE FROM item WHERE event = ? AND number = ?";
            if self.sql.execute(delete, row)? > 0 {
                gone.push(*number);
            }
        }
        if gone.is_empty() {
            return Ok(0);
        }
        let entry = Entry {
            kind: Kind::Erased,
            body: json!({"cause": cause.as_str(), "event": event, "numbers": gone}),
        };
        self.journal(time, &entry)?;
        let ids = gone.iter().map(|number| ItemId {
            event,
            number: *number,
        });
        self.erased.extend(ids);
        Ok(gone.len())
    }

    /// Appends a line to the journal.
    pub fn journal(&mut self, time: BoxTime, entry: &Entry) -> Result<(), Error> {
        let line = Line::after(self.head, time, entry);
        let mut insert = self.sql.prepare_cached(
            "INSERT INTO journal (seq, time, kind, body, prev, hash) VALUES (?, ?, ?, ?, ?, ?)",
        )?;
        insert.execute(params![
            line.seq,
            line.time,
            line.kind,
            line.body,
            line.prev.as_bytes(),
            line.hash.as_bytes()
        ])?;
        self.head = Head {
            seq: line.seq,
            hash: line.hash,
        };
        Ok(())
    }

    /// The transaction itself, for what the trap keeps in tables of its own.
    pub fn raw(&self) -> &rusqlite::Transaction<'s> {
        &self.sql
    }
}
