//! The service's secret keys: out of the folder, into the keyring.
//!
//! Promises: on a desk that is served, no secret key of the service lies in `keys/`: each is sealed under the evidence
//! key, by which agents and chefs alone open it. A file is destroyed only after its key was read back out of the
//! database and opened what was sealed to its public half. A recovery key found on the machine is refused: its place
//! is the safe, or whoever steals the machine has both. Deleting a row destroys the key here, as `vigie keys
//! destroy-epoch` does in a folder.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use serde_json::json;

use super::wrapped::{Evidence, Keyring};
use super::{Error, Rule, cells};
use crate::desk::cell::{self, Place};
use crate::desk::keyring::EvidenceKeys;
use crate::frame::BoxTime;
use crate::vault::keys::{Role, drill};
use crate::vault::{Entry, Epoch, Kind, OfficeKey, Recipient, Store, Tx, durable};

/// The folder of the office's keys in the desk's folder.
pub const FOLDER: &str = "keys";

const fn place(fingerprint: &str) -> Place<'_> {
    Place {
        table: "office_key",
        column: "secret",
        row: fingerprint,
    }
}

/// What lies in `keys/` in clear.
#[derive(Debug, Default)]
pub struct Plain {
    /// The service's secret keys.
    pub service: Vec<(PathBuf, OfficeKey)>,
    /// The recovery's: they do not belong here.
    pub recovery: Vec<PathBuf>,
    /// The public halves.
    pub public: Vec<Recipient>,
}

impl Plain {
    /// Looks into the desk's folder.
    pub fn of(desk: &Path) -> Result<Self, Error> {
        let folder = desk.join(FOLDER);
        let io_at = |source| Error::Io {
            path: folder.clone(),
            source,
        };
        let mut found = Self::default();
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
            entries => entries.map_err(io_at)?,
        };
        for entry in entries {
            let path = entry.map_err(io_at)?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("pub") => found.public.push(Recipient::read(&path)?),
                Some("key") => {
                    let key = OfficeKey::read(&path)?;
                    match key.recipient().role() {
                        Role::Service => found.service.push((path, key)),
                        Role::Recovery => found.recovery.push(path),
                    }
                }
                _ => {}
            }
        }
        found.service.sort_by(|(one, _), (other, _)| one.cmp(other));
        found.recovery.sort_unstable();
        Ok(found)
    }

    /// Why nothing of it is taken.
    pub fn fault(&self) -> Result<(), Error> {
        let fits = |key: &OfficeKey| {
            let of_quarter = |public: &&Recipient| {
                (public.role(), public.epoch()) == (key.recipient().role(), key.recipient().epoch())
            };
            let mut public = self.public.iter().filter(of_quarter).peekable();
            public.peek().is_none() || public.any(|public| public == key.recipient())
        };
        if !self.recovery.is_empty() {
            Err(Error::Refused(Rule::RecoveryKey))
        } else if self.service.is_empty() {
            Err(Error::Refused(Rule::NoServiceKey))
        } else if !self.service.iter().all(|(_, key)| fits(key)) {
            Err(Error::Refused(Rule::KeyDoesNotFit))
        } else {
            Ok(())
        }
    }
}

/// Seals these keys into the keyring; those that are in it already stay.
pub(super) fn seal_in(
    tx: &mut Tx<'_>,
    evidence: &Evidence,
    keys: &[(PathBuf, OfficeKey)],
    by: &str,
    now: BoxTime,
) -> Result<(), Error> {
    for (_, key) in keys {
        let recipient = key.recipient();
        let fingerprint = recipient.fingerprint().to_string();
        let sealed = cell::seal_bytes(&evidence.cells, place(&fingerprint), &*key.secret_bytes())?;
        let new = tx.raw().execute(
            "INSERT OR IGNORE INTO office_key (fingerprint, role, epoch, secret, taken) VALUES (?, ?, ?, ?, ?)",
            params![
                fingerprint,
                recipient.role().as_str(),
                recipient.epoch().to_string(),
                cells::join(&sealed),
                now.to_string()
            ],
        )?;
        if new == 1 {
            let body = json!({"by": by, "epoch": recipient.epoch(), "fingerprint": fingerprint});
            let kind = Kind::KeyTaken;
            tx.journal(now, &Entry { kind, body })?;
        }
    }
    Ok(())
}

/// The service's secret keys in the keyring, by quarter.
pub fn all(sql: &Connection, evidence: &Evidence) -> Result<Vec<OfficeKey>, Error> {
    let mut all = sql.prepare_cached(
        "SELECT fingerprint, role, epoch, secret FROM office_key ORDER BY epoch, fingerprint",
    )?;
    let mut rows = all.query([])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let (fingerprint, role, epoch): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let damaged = || Error::Damaged("office key");
        let roles = [Role::Service, Role::Recovery];
        let role = roles
            .into_iter()
            .find(|known| known.as_str() == role)
            .ok_or_else(damaged)?;
        let epoch: Epoch = epoch.parse().map_err(|_| damaged())?;
        let sealed = cells::split(&row.get::<_, Vec<u8>>(3)?)?;
        let secret = cell::open_bytes(&evidence.cells, place(&fingerprint), &sealed)?;
        let secret = secret.as_slice().try_into().map_err(|_| damaged())?;
        let key = OfficeKey::from_secret(role, epoch, secret).ok_or_else(damaged)?;
        if key.recipient().fingerprint().to_string() != fingerprint {
            return Err(damaged());
        }
        keys.push(key);
    }
    Ok(keys)
}

/// What a keyring opens of evidence; nothing for one without evidence keys.
pub fn evidence(sql: &Connection, keyring: &Keyring) -> Result<Option<EvidenceKeys>, Error> {
    let Some(evidence) = &keyring.evidence else {
        return Ok(None);
    };
    Ok(Some(EvidenceKeys {
        cells: evidence.cells.clone(),
        index: evidence.index.clone(),
        office: all(sql, evidence)?,
    }))
}

/// Takes what lies in `keys/` into the keyring of somebody who holds the evidence keys, proves that each key opens from
/// there, and only then destroys the files; how many there were. The caller renews the keys of those logged in.
pub fn take_in(
    store: &mut Store,
    keyring: &Keyring,
    desk: &Path,
    by: &str,
    now: BoxTime,
) -> Result<usize, Error> {
    let evidence = keyring.evidence.as_ref().ok_or(Error::Refused(Rule::NotYours))?;
    let plain = Plain::of(desk)?;
    plain.fault()?;
    store.transaction(|tx| seal_in(tx, evidence, &plain.service, by, now))?;
    destroy(store.sql(), evidence, &plain)?;
    Ok(plain.service.len())
}

/// Ends what was cut off between the keyring and the files: destroys the files of keys that are in the keyring already.
/// How many there were. Files of keys that are not are left to [`take_in`], before which the safe is asked for.
pub fn finish(
    store: &mut Store,
    keyring: &Keyring,
    desk: &Path,
    by: &str,
    now: BoxTime,
) -> Result<usize, Error> {
    let Some(evidence) = &keyring.evidence else {
        return Ok(0);
    };
    let mut plain = Plain::of(desk)?;
    if plain.service.is_empty() {
        return Ok(0);
    }
    let kept = all(store.sql(), evidence)?;
    let is_kept = |key: &OfficeKey| kept.iter().any(|kept| kept.recipient() == key.recipient());
    plain.service.retain(|(_, key)| is_kept(key));
    destroy(store.sql(), evidence, &plain)?;
    store.transaction(|tx| {
        for (_, key) in &plain.service {
            let recipient = key.recipient();
            let body = json!({
                "by": by, "epoch": recipient.epoch(), "file": "destroyed", "fingerprint": recipient.fingerprint()
            });
            let kind = Kind::KeyTaken;
            tx.journal(now, &Entry { kind, body })?;
        }
        Ok::<_, Error>(())
    })?;
    Ok(plain.service.len())
}

/// Destroys the files of keys that open from the database, and of no others.
pub(super) fn destroy(sql: &Connection, evidence: &Evidence, plain: &Plain) -> Result<(), Error> {
    let kept = all(sql, evidence)?;
    for (path, key) in &plain.service {
        let fits = |kept: &&OfficeKey| kept.recipient() == key.recipient();
        let kept = kept.iter().find(fits).ok_or(Error::Damaged("office key"))?;
        // To the public half as the boxes have it, where it lies there.
        let public = plain.public.iter().find(|public| *public == key.recipient());
        drill::seal_and_open(public.unwrap_or(key.recipient()), kept)?;
        durable::erase(path).map_err(|source| Error::Io {
            path: path.clone(),
            source,
        })?;
    }
    Ok(())
}
