//! Destroying a past quarter's keys in the keyring: what `vigie keys destroy-epoch` is for keys that lie in files.
//!
//! Promises: two people: one proposes, a chef de service who is another one carries it out within seven days; refused for
//! a quarter that is not over, and while an event hangs on its keys alone; rows, list of erasures and journal line go in
//! one transaction, the write-ahead log is cut, and the certificate is signed only once a look found nothing: what a
//! crash cut off between the two, [`finish`] certifies. What is on the list of erasures comes back with no backup.

use jiff::SignedDuration;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;

use super::erasures;
use crate::desk::accounts::{By, Error, Rule};
use crate::desk::keyring::EvidenceKeys;
use crate::desk::rights::Role;
use crate::desk::session::AccountId;
use crate::frame::BoxTime;
use crate::transfer::desk::in_keyring;
use crate::transfer::wrapping::hanging;
use crate::vault::keys::{Destruction, Fingerprint, Role as KeyRole};
use crate::vault::store::{Filed, LOG};
use crate::vault::{Entry, Epoch, Kind, Store, signed};

/// The class of keys in the list of erasures.
pub const KEY: &str = "office-key";
/// How long a proposal stands.
const GOOD_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A past quarter of which the keyring holds keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// Which.
    pub epoch: Epoch,
    /// Its keys.
    pub keys: Vec<Fingerprint>,
    /// Who proposed to destroy them, and when.
    pub proposed: Option<(AccountId, BoxTime)>,
}

/// The past quarters of which the keyring holds keys, the oldest first.
pub fn past(sql: &Connection, now: BoxTime) -> Result<Vec<Past>, Error> {
    let current = Epoch::at(now);
    let mut all: Vec<Past> = Vec::new();
    for (key, epoch) in in_keyring(sql)? {
        if current.is_none_or(|current| epoch >= current) {
            continue;
        }
        match all.last_mut().filter(|last| last.epoch == epoch) {
            Some(last) => last.keys.push(key),
            None => all.push(Past {
                epoch,
                keys: vec![key],
                proposed: proposal(sql, epoch, now)?,
            }),
        }
    }
    Ok(all)
}

fn proposal(sql: &Connection, epoch: Epoch, now: BoxTime) -> Result<Option<(AccountId, BoxTime)>, Error> {
    let query = "SELECT proposed_by, proposed FROM key_destruction WHERE epoch = ? AND done IS NULL";
    let row = sql.query_row(query, [epoch.to_string()], |row| {
        Ok((row.get(0)?, row.get::<_, String>(1)?))
    });
    let Some((by, at)) = row.optional()? else {
        return Ok(None);
    };
    let at = BoxTime(at.parse().map_err(|_| Error::Damaged("proposed"))?);
    // A clock that was set back makes no proposal last longer.
    let stands = now.0.duration_since(at.0).abs() <= GOOD_FOR;
    Ok(stands.then_some((by, at)))
}

fn one(sql: &Connection, epoch: Epoch, now: BoxTime) -> Result<Past, Error> {
    let found = past(sql, now)?.into_iter().find(|past| past.epoch == epoch);
    found.ok_or(Error::Refused(Rule::NoPastKeys))
}

/// Proposes to destroy a past quarter's keys.
pub fn propose(store: &mut Store, by: By<'_>, epoch: Epoch, now: BoxTime) -> Result<(), Error> {
    if !matches!(by.role, Role::Chef | Role::Admin) {
        return Err(Error::Refused(Rule::NotYours));
    }
    store.transaction(|tx| {
        let past = one(tx.raw(), epoch, now)?;
        tx.raw().execute(
            "INSERT OR REPLACE INTO key_destruction (epoch, proposed_by, proposed) VALUES (?, ?, ?)",
            params![epoch.to_string(), by.account, now.to_string()],
        )?;
        let body = json!({"account": by.account, "epoch": epoch, "fingerprints": past.keys});
        let kind = Kind::KeyDoomed;
        Ok(tx.journal(now, &Entry { kind, body })?)
    })
}

/// Takes a proposal back.
pub fn withdraw(store: &mut Store, by: By<'_>, epoch: Epoch, now: BoxTime) -> Result<(), Error> {
    if !matches!(by.role, Role::Chef | Role::Admin) {
        return Err(Error::Refused(Rule::NotYours));
    }
    let delete = "DELETE FROM key_destruction WHERE epoch = ? AND done IS NULL";
    store.transaction(|tx| {
        if tx.raw().execute(delete, [epoch.to_string()])? != 1 {
            return Err(Error::Refused(Rule::NotDoomed));
        }
        let body = json!({"account": by.account, "act": "withdrawn", "epoch": epoch});
        let kind = Kind::KeyDoomed;
        Ok(tx.journal(now, &Entry { kind, body })?)
    })
}

/// Destroys them, with the keys of whoever carries it out; the certificates' numbers. The caller gives everybody logged in
/// the keys that are left.
pub fn carry_out(
    store: &mut Store,
    keys: &EvidenceKeys,
    by: By<'_>,
    epoch: Epoch,
    now: BoxTime,
) -> Result<Vec<String>, Error> {
    let past = one(store.sql(), epoch, now)?;
    let (proposer, _) = past.proposed.ok_or(Error::Refused(Rule::NotDoomed))?;
    if by.role != Role::Chef || proposer == by.account {
        return Err(Error::Refused(Rule::AloneWithKeys));
    }
    let needed = hanging(store, epoch, &keys.office)?;
    if !needed.is_empty() {
        return Err(Error::Hanging(needed.len()));
    }
    store.transaction(|tx| {
        let names: Vec<_> = past.keys.iter().map(ToString::to_string).collect();
        for name in &names {
            tx.raw()
                .execute("DELETE FROM office_key WHERE fingerprint = ?", [name])?;
            erasures::list(tx, KEY, name).map_err(|_| Error::Damaged("erasure"))?;
        }
        // What is sealed to the safe's key of that quarter is to open no longer than what it recovers.
        tx.raw()
            .execute("DELETE FROM escrow WHERE epoch = ?", [epoch.to_string()])?;
        let done = "UPDATE key_destruction SET done = ?, keys = ? WHERE epoch = ?";
        tx.raw()
            .execute(done, params![now.to_string(), names.join(" "), epoch.to_string()])?;
        let body = json!({
            "account": by.account, "epoch": epoch, "fingerprints": past.keys, "proposed": proposer
        });
        let kind = Kind::KeyDestroyed;
        Ok::<_, Error>(tx.journal(now, &Entry { kind, body })?)
    })?;
    finish(store, now)
}

/// Certifies what was destroyed and is gone; the certificates' numbers.
pub fn finish(store: &mut Store, now: BoxTime) -> Result<Vec<String>, Error> {
    let query = "SELECT epoch, done, keys FROM key_destruction WHERE done IS NOT NULL ORDER BY epoch";
    let mut query = store.sql().prepare(query)?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let waiting = rows.collect::<Result<Vec<(String, String, String)>, _>>()?;
    drop(query);
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    store
        .sql()
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    let mut numbers = Vec::new();
    for (epoch, done, keys) in waiting {
        let damaged = || Error::Damaged("key destruction");
        let epoch: Epoch = epoch.parse().map_err(|_| damaged())?;
        let done = BoxTime(done.parse().map_err(|_| damaged())?);
        let keys = keys
            .split(' ')
            .map(|key| key.parse::<Fingerprint>().map_err(|_| damaged()));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let there = in_keyring(store.sql())?.iter().any(|(key, _)| keys.contains(key));
        let log = store.dir().join(LOG).metadata().map_or(0, |meta| meta.len());
        if there || log > 0 {
            tracing::error!(%epoch, there, log, "keys that were destroyed are not gone; they are looked at again");
            continue;
        }
        let destroyed = keys.into_iter().map(|key| (KeyRole::Service, key));
        numbers.push(certify(
            store,
            Destruction::of_keyring(&store.device_key().clone(), epoch, done, destroyed),
            now,
        )?);
    }
    store.put_out_certificates()?;
    Ok(numbers)
}

fn certify(store: &mut Store, certificate: Destruction, now: BoxTime) -> Result<String, Error> {
    let filed = Filed {
        number: format!("{}{:06}", certificate.series(), store.head().seq + 1),
        text: store.signed(&certificate)?,
        page: certificate.page(),
    };
    let body = json!({"certificate": signed::digest(&filed.text), "number": filed.number});
    store.transaction(|tx| {
        let delete = "DELETE FROM key_destruction WHERE epoch = ?";
        tx.raw().execute(delete, [certificate.epoch.to_string()])?;
        tx.keep_certificate(&filed)?;
        let kind = Kind::Certified;
        Ok::<_, Error>(tx.journal(now, &Entry { kind, body })?)
    })?;
    Ok(filed.number)
}
