//! Putting a desk into service.
//!
//! Promises: there is one admin and one chef de service, each with two factors, and the service's keys in their
//! keyring, or there is nothing: one transaction. Whoever does it knows the one-time code that was printed where the
//! program runs. The key files go only after the keyring was opened with the chef's password out of the database and
//! every key in it opened something. A desk that has an account is never put into service again.

use std::path::Path;

use rusqlite::Connection;

use super::account::{Enrolled, New, Person};
use super::derive::LoginDigest;
use super::office_keys::{self, Plain};
use super::sheet::Sheet;
use super::wrapped::Keyring;
use super::{Error, Rule, entry, escrow};
use crate::desk::rights::Role;
use crate::desk::session::AccountId;
use crate::frame::BoxTime;
use crate::vault::Store;

/// One of the first two.
pub struct Founder<'a> {
    /// Whose account.
    pub person: &'a Person,
    /// Its log-in's digest.
    pub login: LoginDigest,
    /// What the owner chose.
    pub enrolled: &'a Enrolled,
    /// The password, to prove that it opens what was written.
    pub password: &'a str,
}

impl<'a> Founder<'a> {
    const fn account(&self, role: Role, sheet: Option<&'a Sheet>) -> New<'a> {
        New {
            role,
            person: self.person,
            login: self.login,
            sheet,
        }
    }
}

/// Whether the desk is in service: somebody has an account.
pub fn is_founded(sql: &Connection) -> Result<bool, Error> {
    Ok(sql.prepare_cached("SELECT 1 FROM account")?.exists([])?)
}

/// The two accounts, the keyring, and how many keys of the service went into it.
pub struct Founded {
    /// The admin's account.
    pub admin: AccountId,
    /// The chef's.
    pub chef: AccountId,
    /// All keys: for whoever makes further accounts at once.
    pub keyring: Keyring,
    /// Keys of the service.
    pub keys: usize,
}

/// Puts the desk in `folder` into service. Slow: the chef's password is derived once more, to prove it.
pub fn found(
    store: &mut Store,
    folder: &Path,
    admin: &Founder<'_>,
    (chef, sheet): (&Founder<'_>, &Sheet),
    now: BoxTime,
) -> Result<Founded, Error> {
    let plain = Plain::of(folder)?;
    plain.fault()?;
    let keyring = Keyring::generate()?;
    let evidence = keyring.evidence.as_ref().ok_or(Error::Damaged("keyring"))?;
    let desk = store.device_key().clone();
    let (admin_id, chef_id) = store.transaction(|tx| {
        if is_founded(tx.raw())? {
            return Err(Error::Refused(Rule::SetUp));
        }
        let first = admin.account(Role::Admin, None);
        let admin_id = admin.enrolled.insert(tx, &keyring, &first, now)?;
        let second = chef.account(Role::Chef, Some(sheet));
        let chef_id = chef.enrolled.insert(tx, &keyring, &second, now)?;
        office_keys::seal_in(tx, evidence, &plain.service, &chef_id, now)?;
        escrow::seal_to(tx, &keyring, &desk, &escrow::safe(&plain.public), &chef_id, now)?;
        Ok((admin_id, chef_id))
    })?;
    let opened = entry::reopen(store.sql(), &chef_id, chef.password)?;
    let opened = opened.evidence.ok_or(Error::Damaged("keyring"))?;
    office_keys::destroy(store.sql(), &opened, &plain)?;
    Ok(Founded {
        admin: admin_id,
        chef: chef_id,
        keyring,
        keys: plain.service.len(),
    })
}
