//! Sealed events that nobody fetched in time: they go, with a certificate (CSI art. L.252-5: recordings are destroyed
//! within a month unless a procedure took them).
//!
//! Promises: an event whose first frame reached the box `max_age` ago is erased from the vault, in one transaction with
//! its journal lines and the certificate; what is counted is the mark, so that a clock that leaps erases nothing. A
//! trial erases nothing. Leaves overwriting the files to the vault.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::params;
use serde_json::json;

use super::Error;
use super::round::Run;
use super::wiping::{later, regime};
use crate::config;
use crate::frame::{BoxTime, Digest, EventId};
use crate::triage::deadlines::{Due, due};
use crate::vault::certificate::{Certificate, Expired, LIMIT, Period, What};
use crate::vault::store::{Cause, Store};
use crate::vault::{Entry, Kind, store};

/// When the term of an event began anew, because the clock was wrong when it was sealed.
const SCHEMA: &str = "
CREATE TABLE unreviewed (
    event TEXT PRIMARY KEY,
    since TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// A sealed event that is still in the vault.
struct Kept {
    since: BoxTime,
    numbers: Vec<u32>,
    bytes: u64,
}

/// Makes the table where it is not there yet.
pub(super) fn prepare(store: &mut Store) -> Result<(), store::Error> {
    store.ensure(&["unreviewed"], SCHEMA)
}

impl Run<'_, '_> {
    /// Erases this camera's events whose term is over.
    pub(super) fn expire(&mut self) -> Result<(), Error> {
        if !matches!(self.round.config.mode, config::Mode::Enforce) {
            return Ok(());
        }
        let max_age: Duration = self.round.config.max_age.into();
        let mut kept = self.kept()?;
        let standing = |kept: &Kept| due(kept.since, self.mark, max_age);
        let unknown: Vec<EventId> = kept
            .iter()
            .filter(|(_, kept)| standing(kept) == Due::Unknown)
            .map(|(event, _)| *event)
            .collect();
        kept.retain(|_, kept| standing(kept) == Due::Now);
        if !unknown.is_empty() {
            let since = self.mark.time.to_string();
            self.round.store.transaction(|tx| {
                unknown.iter().try_for_each(|event| {
                    let begin = "INSERT OR REPLACE INTO unreviewed (event, since) VALUES (?1, ?2)";
                    let row = params![event.to_string(), since];
                    tx.raw().execute(begin, row).map(drop).map_err(Error::from)
                })
            })?;
        }
        if kept.is_empty() {
            return Ok(());
        }
        self.certify_expired(&kept)
    }

    /// This camera's events in the vault, each with the time from which its term counts.
    fn kept(&self) -> Result<BTreeMap<EventId, Kept>, Error> {
        let mut query = self.round.store.sql().prepare(
            "SELECT item.event, item.number, item.size,
                    coalesce(unreviewed.since, (SELECT min(arrived) FROM frame
                        WHERE camera = ?1 AND hex(frame.event) = upper(item.event)))
             FROM item LEFT JOIN unreviewed USING (event) ORDER BY item.event, item.number",
        )?;
        let mut rows = query.query([self.round.camera.id.as_str()])?;
        let mut kept = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let since: Option<String> = row.get(3)?;
            let event = row.get::<_, String>(0)?.parse::<EventId>();
            // Another camera's event has no frame of this one.
            let (Some(since), Ok(event)) = (since.and_then(|since| since.parse().ok()), event) else {
                continue;
            };
            let kept = kept.entry(event).or_insert_with(|| Kept {
                since: BoxTime(since),
                numbers: Vec::new(),
                bytes: 0,
            });
            kept.numbers.push(row.get(1)?);
            kept.bytes += row.get::<_, u64>(2)?;
        }
        Ok(kept)
    }

    /// Signs the certificate, and puts all that follows on record at once.
    fn certify_expired(&mut self, kept: &BTreeMap<EventId, Kept>) -> Result<(), Error> {
        let (now, camera, store) = (self.now(), self.round.camera, &mut *self.round.store);
        let times = || kept.values().map(|kept| kept.since);
        let from = times().min().unwrap_or(now);
        let due = later(from, self.round.config.max_age.into());
        let expired = Expired {
            events: kept.len() as u64,
            items: kept.values().map(|kept| kept.numbers.len() as u64).sum(),
            bytes: kept.values().map(|kept| kept.bytes).sum(),
        };
        let certificate = Certificate {
            number: format!("echeance-{}-{:06}", camera.id, store.head().seq + 1),
            what: What::Expired(expired),
            device: store.device(),
            device_key: store.device_key().clone(),
            camera: camera.id.clone(),
            site: camera.site.clone(),
            regime: regime(&camera.regime),
            period: Period {
                from,
                until: times().max().unwrap_or(now),
            },
            due,
            began: now,
            ended: now,
            late_seconds: u64::try_from(now.0.duration_since(due.0).as_secs()).unwrap_or(0),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            journal: store.head().into(),
            limit: LIMIT.to_owned(),
            page: Digest::of(b""),
        };
        let (_, filed) = store.certificate(certificate)?;
        let entry = Entry {
            kind: Kind::Expired,
            body: json!({
                "bytes": expired.bytes,
                "camera": camera.id,
                "certificate": filed.digest(),
                "events": expired.events,
                "items": expired.items,
                "number": filed.number,
            }),
        };
        store.transaction(|tx| {
            for (event, kept) in kept {
                tx.erase_items(now, *event, &kept.numbers, Cause::Expired)?;
                let known = "DELETE FROM unreviewed WHERE event = ?";
                tx.raw().execute(known, [event.to_string()])?;
            }
            tx.keep_certificate(&filed)?;
            tx.journal(now, &entry)?;
            Ok::<_, Error>(())
        })?;
        tracing::warn!(
            events = expired.events,
            "nobody fetched these sealed events in time: they were erased"
        );
        Ok(store.put_out_certificates()?)
    }
}
