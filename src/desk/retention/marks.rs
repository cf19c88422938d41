//! The mark, kept in the desk's database.
//!
//! Promises: it is read before anything is erased and written before the next look; a person who says that the date
//! is right is on record with what the mark was and what it became.

use std::time::Duration;

use jiff::SignedDuration;
use rusqlite::{Connection, OptionalExtension as _};
use serde_json::json;

use super::Error;
use super::clock::Mark;
use crate::frame::BoxTime;
use crate::vault::{Entry, Kind, Store};

/// The mark is written when it moved by this much.
const STEP: SignedDuration = SignedDuration::from_mins(10);

fn kept(db: &Connection) -> Result<Option<Mark>, Error> {
    let row = db.query_row("SELECT mark FROM desk_mark", [], |row| row.get::<_, String>(0));
    let read = |text: String| serde_json::from_str(&text).map_err(|_| Error::Damaged(text));
    row.optional()?.map(read).transpose()
}

/// The mark as a look now would have it; nothing is written.
pub fn at(store: &Store, now: BoxTime) -> Result<Mark, Error> {
    seen(store, now, Duration::ZERO).map(|(_, mark)| mark)
}

fn seen(store: &Store, now: BoxTime, ran: Duration) -> Result<(Option<Mark>, Mark), Error> {
    let before = kept(store.sql())?;
    let mark = match before {
        Some(before) => before.look(now, ran),
        None => Mark::new(now, store.last_time()?),
    };
    Ok((before, mark))
}

/// Looks at the clock. `ran`: how long the program ran since its last look; zero at a start.
pub fn look(store: &mut Store, now: BoxTime, ran: Duration) -> Result<Mark, Error> {
    let (before, mark) = seen(store, now, ran)?;
    let moved = before.is_none_or(|before| {
        let by = |a: BoxTime, b: BoxTime| a.0.duration_since(b.0).abs() >= STEP;
        by(mark.believed, before.believed) || by(mark.clock, before.clock) || mark.leap != before.leap
    });
    if moved {
        write(store, mark)?;
    }
    Ok(mark)
}

fn write(store: &mut Store, mark: Mark) -> Result<(), Error> {
    let text = text(mark)?;
    store.transaction(|tx| put(tx.raw(), &text))
}

fn put(db: &Connection, text: &str) -> Result<(), Error> {
    db.execute(
        "INSERT OR REPLACE INTO desk_mark (one, mark) VALUES (1, ?)",
        [text],
    )?;
    Ok(())
}

fn text(mark: Mark) -> Result<String, Error> {
    serde_json::to_string(&mark).map_err(|error| Error::Damaged(error.to_string()))
}

/// A person says that the clock is right.
pub fn confirm(store: &mut Store, account: &str, now: BoxTime) -> Result<Mark, Error> {
    let before = at(store, now)?;
    let mark = Mark::confirmed(now);
    let text = text(mark)?;
    store.transaction(|tx| {
        put(tx.raw(), &text)?;
        let body = json!({"account": account, "believed": before.believed, "clock": now});
        let kind = Kind::ClockConfirmed;
        Ok::<_, Error>(tx.journal(now, &Entry { kind, body })?)
    })?;
    Ok(mark)
}
