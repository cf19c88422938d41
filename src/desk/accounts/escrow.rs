//! The keyring in escrow: sealed to the keys of the safe, for the day when nobody who holds it comes back.
//!
//! Promises: nothing is sealed to a key that a chef has not named (or that did not lie there when the desk was put into
//! service), so that nobody gets the keyring by laying a key of his own into the folder; a key of the safe alone lets
//! nobody in: it proposes a new access for a chef, of which it is given the first half, and the admin or another chef
//! confirms it in his own session, as any reset ([`super::invitation`]). Both leave their lines.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;

use super::account::By;
use super::code::Code;
use super::derive::LoginDigest;
use super::invitation::{self, Drawn};
use super::wrapped::Keyring;
use super::{Error, Rule, State, account};
use crate::desk::rights::Role;
use crate::desk::session::AccountId;
use crate::frame::BoxTime;
use crate::vault::keys::{DevicePublic, Fingerprint, Role as KeyRole};
use crate::vault::{Entry, Epoch, Kind, OfficeKey, Recipient, Store, Tx, escrow};

/// Who proposes an access that the safe has opened: no account has this name.
pub const SAFE: &str = "recovery";

/// The keys of the safe among public keys.
pub fn safe(public: &[Recipient]) -> Vec<&Recipient> {
    let of_safe = |key: &&Recipient| key.role() == KeyRole::Recovery;
    public.iter().filter(of_safe).collect()
}

/// Seals this keyring, which must be whole, to these keys of the safe, in place of what was sealed to them before.
pub fn seal_to(
    tx: &mut Tx<'_>,
    keyring: &Keyring,
    desk: &DevicePublic,
    keys: &[&Recipient],
    by: &str,
    now: BoxTime,
) -> Result<(), Error> {
    let secret = keyring.to_bytes();
    if keyring.evidence.is_none() {
        return Err(Error::Refused(Rule::NotYours));
    }
    for key in keys {
        tx.raw().execute(
            "INSERT OR REPLACE INTO escrow (fingerprint, epoch, sealed, made) VALUES (?, ?, ?, ?)",
            params![
                key.fingerprint().to_string(),
                key.epoch().to_string(),
                escrow::seal(&secret, key, desk)?,
                now.to_string()
            ],
        )?;
    }
    if keys.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = keys.iter().map(|key| key.fingerprint()).collect();
    let body = json!({"account": by, "fingerprints": names});
    let kind = Kind::Escrowed;
    Ok(tx.journal(now, &Entry { kind, body })?)
}

/// To which keys of the safe the keyring is sealed, by quarter.
pub fn all(sql: &Connection) -> Result<Vec<(Epoch, Fingerprint)>, Error> {
    let mut query =
        sql.prepare_cached("SELECT epoch, fingerprint FROM escrow ORDER BY epoch, fingerprint")?;
    let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let read = |row: rusqlite::Result<(String, String)>| {
        let (epoch, fingerprint) = row?;
        let damaged = |_| Error::Damaged("escrow");
        Ok((
            epoch.parse().map_err(damaged)?,
            fingerprint.parse().map_err(damaged)?,
        ))
    };
    rows.map(read).collect()
}

/// Opens the keyring with a key of the safe, and proposes a new access for the chef of that log-in; the account, and the
/// first half of the code. The second half is shown to whoever confirms.
pub fn open_for(
    store: &mut Store,
    key: &OfficeKey,
    login: LoginDigest,
    drawn: &Drawn,
    now: BoxTime,
) -> Result<(AccountId, Code), Error> {
    let fingerprint = key.recipient().fingerprint().to_string();
    let sealed = "SELECT sealed FROM escrow WHERE fingerprint = ?";
    let sealed: Option<Vec<u8>> = store
        .sql()
        .query_row(sealed, [&fingerprint], |row| row.get(0))
        .optional()?;
    let sealed = sealed.ok_or(Error::Refused(Rule::NoEscrow))?;
    let keyring = Keyring::from_bytes(&escrow::open(&sealed, key, store.device_key())?)?;
    let id = "SELECT id FROM account WHERE login = ? AND role = 'chef'";
    let id: Option<AccountId> = store
        .sql()
        .query_row(id, [&login.0], |row| row.get(0))
        .optional()?;
    let id = id.ok_or(Error::Refused(Rule::NoAccount))?;
    let chef = account(store.sql(), &keyring.register, &id)?;
    if chef.state != State::Active {
        return Err(Error::Refused(Rule::NoAccount));
    }
    store.transaction(|tx| {
        let body = json!({"account": id, "fingerprint": fingerprint});
        let kind = Kind::EscrowOpened;
        Ok::<_, Error>(tx.journal(now, &Entry { kind, body })?)
    })?;
    let by = By {
        account: SAFE,
        role: Role::Chef,
    };
    let first = invitation::propose(store, &keyring, by, (&id, chef.version), drawn, now)?;
    Ok((id, first))
}
