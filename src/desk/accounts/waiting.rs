//! People between the door and the desk: who has proven something and has still something to do, and the gate of a
//! desk that is not in service yet. In memory alone.
//!
//! Promises: whoever waits is known by a token of his own, drawn when he began to wait, never by one that somebody may
//! have planted (session fixation); after a quarter of an hour he begins again, and what he held is wiped. The gate
//! opens to the one-time code that was printed where the program runs, and closes for good after ten wrong ones.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::SignedDuration;

use super::code::{self, Code};
use super::entry::Proven;
use super::invitation::Admitted;
use super::{Enrolled, Person, totp};
use crate::desk::accounts::derive::LoginDigest;
use crate::desk::accounts::sheet::Sheet;
use crate::desk::session::draw_token;
use crate::frame::{BoxTime, Digest};

/// How long somebody may take for one step.
const PATIENCE: SignedDuration = SignedDuration::from_mins(15);
/// People who wait at most: all of them hold keys.
const MOST: usize = 64;
/// Wrong set-up codes after which the program must be started anew.
const MOST_TRIES: u32 = 10;

/// What somebody has still to do.
pub enum Step {
    /// Choose a password and a second factor.
    Enrol {
        /// Who.
        admitted: Admitted,
        /// The secret that the QR code shows.
        secret: totp::Secret,
    },
    /// Choose both anew, having proven to be the owner.
    Renew {
        /// Who.
        proven: Proven,
        /// The secret that the QR code shows.
        secret: totp::Secret,
    },
    /// Copy the recovery codes.
    Codes {
        /// Shown until it is said that they were copied.
        codes: Vec<Code>,
        /// Who.
        proven: Proven,
    },
    /// Accept the confidentiality notice.
    Notice(Proven),
    /// Put the desk into service.
    Found(Box<Founding>),
}

/// How far the set-up is.
pub struct Founding {
    /// The admin, once he has enrolled.
    pub admin: Option<Founded>,
    /// The chef, once he has.
    pub chef: Option<(Founded, Sheet)>,
    /// The second factor of whoever is enrolling.
    pub secret: totp::Secret,
    /// Whether the codes of the one who enrolled last were copied.
    pub copied: bool,
}

/// One of the first two, enrolled.
pub struct Founded {
    /// Whose account.
    pub person: Person,
    /// Its log-in's digest.
    pub login: LoginDigest,
    /// What was chosen.
    pub enrolled: Enrolled,
    /// The password, until it was proven to open what was written.
    pub password: zeroize::Zeroizing<String>,
}

/// Everybody who waits.
#[derive(Default)]
pub struct Waiting {
    by_token: Mutex<HashMap<Digest, (BoxTime, Step)>>,
}

impl Waiting {
    /// Lets somebody wait; his token.
    pub fn put(&self, step: Step, now: BoxTime) -> Result<String, super::Error> {
        let token = draw_token()?;
        let mut all = self.lock();
        sweep(&mut all, now);
        if all.len() >= MOST {
            return Err(super::Error::Busy);
        }
        all.insert(Digest::of(token.as_bytes()), (now, step));
        Ok(token)
    }

    /// Looks at what somebody has to do, and lets him take his time.
    pub fn with<T>(&self, token: &str, now: BoxTime, look: impl FnOnce(&mut Step) -> T) -> Option<T> {
        let mut all = self.lock();
        sweep(&mut all, now);
        let (seen, step) = all.get_mut(&Digest::of(token.as_bytes()))?;
        *seen = now;
        Some(look(step))
    }

    /// Takes what somebody had to do: he has done it, or begins again.
    pub fn take(&self, token: &str, now: BoxTime) -> Option<Step> {
        let mut all = self.lock();
        sweep(&mut all, now);
        all.remove(&Digest::of(token.as_bytes())).map(|(_, step)| step)
    }

    /// Wipes what those hold who do not come back.
    pub fn sweep(&self, now: BoxTime) {
        sweep(&mut self.lock(), now);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, (BoxTime, Step)>> {
        self.by_token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sweep(all: &mut HashMap<Digest, (BoxTime, Step)>, now: BoxTime) {
    all.retain(|_, (seen, _)| now.0.duration_since(seen.0).abs() <= PATIENCE);
}

/// The gate of a desk that is not in service yet.
pub struct Gate(Mutex<Option<(Code, u32)>>);

impl Gate {
    /// Of a desk that is in service already: nothing opens it.
    pub const fn walled_up() -> Self {
        Self(Mutex::new(None))
    }

    /// With a code of its own.
    pub fn new() -> Result<Self, super::Error> {
        Ok(Self(Mutex::new(Some((Code::draw(code::ONE_TIME)?, 0)))))
    }

    /// The code, to be printed where the program runs.
    pub fn code(&self) -> Option<Code> {
        self.lock().as_ref().map(|(code, _)| code.clone())
    }

    /// Whether this is the code. The tenth wrong one walls the gate up until the program is started anew.
    pub fn opens_to(&self, typed: &str) -> bool {
        let mut gate = self.lock();
        let Some((code, tries)) = gate.as_mut() else {
            return false;
        };
        let right = Code::read(typed, code::ONE_TIME).is_some_and(|typed| typed.is(code));
        if !right {
            *tries += 1;
            if *tries >= MOST_TRIES {
                *gate = None;
            }
        }
        right
    }

    /// The desk is in service.
    pub fn wall_up(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Code, u32)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> BoxTime {
        BoxTime(jiff::Timestamp::from_second(1_800_000_000 + minutes * 60).expect("an instant"))
    }

    fn founding() -> Step {
        Step::Found(Box::new(Founding {
            admin: None,
            chef: None,
            secret: totp::Secret::draw().expect("drawn"),
            copied: true,
        }))
    }

    #[test]
    fn whoever_does_not_come_back_begins_again() {
        let waiting = Waiting::default();
        let token = waiting.put(founding(), at(0)).expect("waits");
        assert!(waiting.with(&token, at(15), |_| ()).is_some());
        assert!(waiting.with(&token, at(30), |_| ()).is_some());
        assert!(waiting.with(&token, at(46), |_| ()).is_none());
        assert!(waiting.take(&token, at(46)).is_none());
    }

    #[test]
    fn the_gate_opens_to_its_code_and_closes_after_ten_others() {
        let gate = Gate::new().expect("drawn");
        let code = gate.code().expect("a code").to_string();
        for _ in 0..9 {
            assert!(!gate.opens_to("0000-0000-0000-0000"));
        }
        assert!(gate.opens_to(&code));
        assert!(!gate.opens_to("nothing"));
        assert!(!gate.opens_to(&code));
        assert!(gate.code().is_none());
        assert!(!Gate::walled_up().opens_to(""));
    }
}
