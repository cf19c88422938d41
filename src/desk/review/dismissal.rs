//! Putting aside: a moment in which it can be taken back, then destruction.
//!
//! Promises: an event that was put aside is destroyed at its agent's next decision or log-out, and at the latest
//! [`SECONDS`] later; opening the desk destroys whatever a crash left in between. Rows, wrapped content key and files
//! go in one transaction with the certificate and the journal's line that names it (the public promise: « détruisent
//! immédiatement les images non pertinentes »). It takes no key. What stays of the event says that it was, when and
//! where, and that it was destroyed; nothing of it shows anything. Leaves terms to `retention`, which destroys by
//! [`erase`] too.

use jiff::SignedDuration;
use rusqlite::params;
use serde_json::json;

use super::{Agent, Dismissal, Error, decided, must_be_open};
use crate::desk::events::{self, Event, State};
use crate::frame::{BoxTime, Digest, EventId};
use crate::vault::certificate::{Certificate, Dismissed, LIMIT, Period, What};
use crate::vault::store::{Cause, Tx};
use crate::vault::{Entry, Kind, Store};

/// How long what was put aside can be taken back.
pub const SECONDS: i64 = 60;

/// Until when what was put aside at this moment can be taken back.
pub fn until(decided: BoxTime) -> BoxTime {
    let until = decided.0.checked_add(SignedDuration::from_secs(SECONDS));
    until.map_or(decided, BoxTime)
}

/// Puts an event aside. Whatever the same agent put aside before must have been destroyed by then: [`settle`].
/// `is_held`: whether a hold stands on it, which keeps it from everybody's hand.
pub fn put_aside(
    tx: &mut Tx<'_>,
    agent: Agent<'_>,
    id: EventId,
    version: u32,
    motive: Dismissal,
    is_held: bool,
) -> Result<(), Error> {
    let event = Event::at_version(tx.raw(), id, version)?;
    must_be_open(tx.raw(), agent, id)?;
    if is_held {
        return Err(Error::Held(id));
    }
    if event.file.is_some() {
        return Err(Error::InAFile(id));
    }
    if event.state == State::Aside {
        return Err(events::Error::Changed(id).into());
    }
    decided(tx, agent, id, State::Aside, Some(motive))
}

/// Whose events that were put aside are destroyed now.
#[derive(Debug, Clone, Copy)]
pub enum Whose<'a> {
    /// Everybody's: the desk was just opened.
    All,
    /// Those that this account put aside: it moved on, or logged out.
    Of(&'a str),
    /// Those for which the moment to take them back is over.
    Over,
}

/// Destroys what was put aside; how many events. Where one cannot be, the others are all the same.
pub fn settle(store: &mut Store, whose: Whose<'_>, now: BoxTime) -> Result<u64, Error> {
    let mut destroyed = 0;
    let mut failed = None;
    for event in aside(store, whose, now)? {
        match destroy(store, &event, now) {
            Ok(()) => destroyed += 1,
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(destroyed),
    }
}

fn aside(store: &Store, whose: Whose<'_>, now: BoxTime) -> Result<Vec<Event>, Error> {
    let mut query = store
        .sql()
        .prepare_cached("SELECT id FROM event WHERE state = 'aside' ORDER BY decided, id")?;
    let ids = query.query_map([], |row| row.get::<_, String>(0))?;
    let mut found = Vec::new();
    for id in ids {
        let event = Event::there(store.sql(), events::read(&id?)?)?;
        let Some(decision) = &event.decision else { continue };
        // A clock that was set back leaves nothing aside for longer.
        let passed = now.0.duration_since(decision.at.0);
        let wanted = match whose {
            Whose::All => true,
            Whose::Of(account) => decision.account == account,
            Whose::Over => passed >= SignedDuration::from_secs(SECONDS) || passed.is_negative(),
        };
        if wanted {
            found.push(event);
        }
    }
    Ok(found)
}

fn destroy(store: &mut Store, event: &Event, now: BoxTime) -> Result<(), Error> {
    let Some(decision) = &event.decision else {
        return Ok(());
    };
    let (items, bytes) = size(store.sql(), event.id)?;
    let motive = decision.motive.clone().unwrap_or_default();
    let dismissed = Dismissed {
        event: event.id,
        account: decision.account.clone(),
        motive: motive.clone(),
        items,
        bytes,
    };
    let lasted = event.taken.map(|[first, last]| last.0.duration_since(first.0));
    let until = event.facts.0.checked_add(lasted.unwrap_or_default());
    let late = now.0.duration_since(event.due.0).as_secs();
    let certificate = Certificate {
        number: format!("ecart-{}", event.id),
        what: What::Dismissed(dismissed),
        device: store.device(),
        device_key: store.device_key().clone(),
        camera: event.camera.clone(),
        site: event.site.clone(),
        regime: event.regime.clone(),
        period: Period {
            from: event.facts,
            until: until.map_or(event.facts, BoxTime),
        },
        due: event.due,
        began: decision.at,
        ended: now,
        late_seconds: u64::try_from(late).unwrap_or(0),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        journal: store.head().into(),
        limit: LIMIT.to_owned(),
        page: Digest::of(b""),
    };
    let (_, filed) = store.certificate(certificate)?;
    let body = json!({
        "account": decision.account,
        "bytes": bytes,
        "certificate": filed.digest(),
        "event": event.id,
        "items": items,
        "motive": motive,
        "number": filed.number,
    });
    store.transaction(|tx| {
        erase(tx, event.id, Cause::Discarded, now)?;
        tx.keep_certificate(&filed)?;
        let kind = Kind::Dismissed;
        Ok::<_, Error>(tx.journal(now, &Entry { kind, body })?)
    })?;
    Ok(store.put_out_certificate(&filed)?)
}

/// How many items an event has, and of how many bytes.
pub fn size(sql: &rusqlite::Connection, id: EventId) -> Result<(u64, u64), Error> {
    let size = "SELECT count(*), coalesce(sum(size), 0) FROM item WHERE event = ?";
    Ok(sql.query_row(size, [id.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Destroys an event's images: items, wrapped content key, who saw them and why. Its row stays, as discarded or
/// expired by the cause. The certificate, and the line that names it, are the caller's, in the same transaction. How
/// many items went.
pub fn erase(tx: &mut Tx<'_>, id: EventId, cause: Cause, now: BoxTime) -> Result<usize, Error> {
    let event = id.to_string();
    let numbers = {
        let mut query = tx
            .raw()
            .prepare_cached("SELECT number FROM item WHERE event = ? ORDER BY number")?;
        let rows = query.query_map([&event], |row| row.get::<_, u32>(0))?;
        rows.collect::<rusqlite::Result<Vec<_>>>()?
    };
    // The wrapped key goes with the event's last item (`transfer::desk`).
    let gone = tx.erase_items(now, id, &numbers, cause)?;
    for table in ["event_frame", "opening", "viewed"] {
        tx.raw()
            .execute(&format!("DELETE FROM {table} WHERE event = ?"), [&event])?;
    }
    let state = match cause {
        Cause::Discarded => State::Discarded,
        _ => State::Expired,
    };
    tx.raw().execute(
        "UPDATE event SET state = ?, version = version + 1, file = NULL, open_by = NULL, open_since = NULL
         WHERE id = ?",
        params![state.as_str(), event],
    )?;
    Ok(gone)
}
