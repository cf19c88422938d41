//! Who is logged in, in memory alone: nothing of a session outlives the process.
//!
//! Promises: a session is found by the digest of its token only, so neither memory order nor timing tells tokens apart;
//! it ends when idle too long, when too old, when a newer one of the same account begins, or when it is told to; the
//! keys that it holds are wiped when its last page is answered. Leaves who may begin one to the accounts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::SignedDuration;
use jiff::civil::Date;

use super::keyring::{EvidenceKeys, RegisterKey};
use super::rights::Role;
use crate::frame::{BoxTime, Digest};

/// A session is never longer than this, however busy.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(10);

/// An account's opaque id: 16 hexadecimal digits.
pub type AccountId = String;

/// One log-in.
pub struct Session {
    /// Whose.
    pub account: AccountId,
    /// As what.
    pub role: Role,
    /// As it stands on the page: never in the journal.
    pub name: String,
    /// The last day on which the sheet (habilitation, serment, agrément) is valid; none without a valid one.
    pub sheet_until: Option<Date>,
    /// Opens names.
    pub register: RegisterKey,
    /// Opens evidence, of agents and chefs.
    pub evidence: Option<Arc<EvidenceKeys>>,
    /// When it began.
    pub began: BoxTime,
    /// What the next page tells once.
    pub flash: Mutex<Option<String>>,
}

struct Entry {
    session: Arc<Session>,
    seen: BoxTime,
}

/// All of them.
#[derive(Default)]
pub struct Sessions {
    by_token: Mutex<HashMap<Digest, Entry>>,
}

impl Sessions {
    /// Begins a session and ends any other of that account; its token, for the cookie, and whether there was another.
    pub fn begin(&self, session: Session, now: BoxTime) -> Result<(String, bool), getrandom::Error> {
        let mut token = [0; 32];
        getrandom::fill(&mut token)?;
        let token = hex::encode(token);
        let mut sessions = self.lock();
        let before = sessions.len();
        sessions.retain(|_, entry| entry.session.account != session.account);
        let replaced = sessions.len() < before;
        let entry = Entry {
            session: Arc::new(session),
            seen: now,
        };
        sessions.insert(Digest::of(token.as_bytes()), entry);
        Ok((token, replaced))
    }

    /// The session of that token, if it still lasts; it was seen now.
    pub fn find(&self, token: &str, now: BoxTime, idle: SignedDuration) -> Option<Arc<Session>> {
        let mut sessions = self.lock();
        // A clock that was set back ends no session early and makes none longer than it was.
        let over = |entry: &Entry| {
            now.0.duration_since(entry.seen.0) > idle || now.0.duration_since(entry.session.began.0) > LONGEST
        };
        sessions.retain(|_, entry| !over(entry));
        let entry = sessions.get_mut(&Digest::of(token.as_bytes()))?;
        entry.seen = entry.seen.max(now);
        Some(entry.session.clone())
    }

    /// Ends the session of that token.
    pub fn end(&self, token: &str) {
        self.lock().remove(&Digest::of(token.as_bytes()));
    }

    /// Ends every session of that account: a suspension works at once.
    pub fn end_all_of(&self, account: &str) {
        self.lock().retain(|_, entry| entry.session.account != account);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Entry>> {
        // The map is whole between any two of its operations.
        self.by_token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
