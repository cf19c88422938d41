//! Argon2id (RFC 9106): from what a person knows to a key.
//!
//! Promises: the figures are OWASP's or above (Password Storage Cheat Sheet: 19 MiB, 2 passes, 1 lane at least) and are
//! stored beside each salt, so they can be raised; one derivation runs at a time and few wait, so that nobody can fill
//! the machine's memory from a log-in page; what is derived is wiped when dropped. Leaves what is unlocked with it to
//! [`super::wrapped`].

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::{Algorithm, Argon2, Params, Version};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Error;
use crate::desk::cell::CellKey;

/// Derivations that may wait for their turn; the next one is told to come back.
const MOST_WAITING: usize = 32;

/// How much work a derivation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// KiB of memory.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// Of passwords: RFC 9106 §4's figures for machines with little memory, with one lane. A copy of the folder can be
    /// tried against at leisure, so it is more than OWASP's least.
    pub const PASSWORD: Self = Self {
        memory: 64 << 10,
        passes: 3,
        lanes: 1,
    };
    /// Of codes drawn by this program and of log-in names: OWASP's least.
    pub const LEAST: Self = Self {
        memory: 19 << 10,
        passes: 2,
        lanes: 1,
    };
}

/// A salt and the cost that goes with it, as stored in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Salt {
    /// Random.
    pub bytes: [u8; 16],
    /// Of this derivation.
    pub cost: Cost,
}

impl Salt {
    /// A new one.
    pub fn draw(cost: Cost) -> Result<Self, Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self { bytes, cost })
    }

    /// 32 bytes of what is known. Some tenths of a second and [`Cost::memory`]: never with the office locked.
    fn derive(&self, known: &[u8]) -> Result<Zeroizing<[u8; 32]>, Error> {
        let Cost {
            memory,
            passes,
            lanes,
        } = self.cost;
        let params = Params::new(memory, passes, lanes, Some(32)).map_err(|_| Error::Damaged("argon2"))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut derived = Zeroizing::new([0; 32]);
        #[cfg(test)]
        DONE.with_borrow_mut(|done| done.push(self.cost));
        let _turn = Turn::wait()?;
        argon2
            .hash_password_into(known, &self.bytes, &mut *derived)
            .map_err(|_| Error::Damaged("argon2"))?;
        Ok(derived)
    }

    /// The keys of whoever knows `known`.
    pub fn unlock(&self, known: &str) -> Result<Unlocked, Error> {
        Ok(Unlocked(self.derive(known.as_bytes())?))
    }

    /// The digest under which a log-in name is looked up. A thief of the folder can try names, each at this cost; the
    /// names themselves he does not find. Case and spaces around it do not count.
    pub fn digest_of_login(&self, login: &str) -> Result<LoginDigest, Error> {
        let normal = Zeroizing::new(login.trim().to_lowercase());
        let known = Zeroizing::new([b"vigie login 1\0", normal.as_bytes()].concat());
        Ok(LoginDigest(*self.derive(&known)?))
    }
}

/// What a log-in name is looked up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LoginDigest(pub(super) [u8; 32]);

/// What somebody's password, or a one-time code, unlocks: keys for separate uses, none of which tells another.
pub struct Unlocked(Zeroizing<[u8; 32]>);

impl Unlocked {
    /// The key under which the account's cells are sealed.
    pub fn cells(&self) -> CellKey {
        CellKey::from_bytes(*self.part(b"cells"))
    }

    fn part(&self, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(mac(&self.0, purpose))
    }
}

fn mac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    // Every length of key will do for HMAC (RFC 2104 §2).
    let mut mac = match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC takes keys of any length"),
    };
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
thread_local! {
    /// What this thread has derived: a test asks whether two ways cost the same.
    pub(super) static DONE: std::cell::RefCell<Vec<Cost>> = const { std::cell::RefCell::new(Vec::new()) };
}

static TURN: Mutex<()> = Mutex::new(());
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// The right to derive, until dropped.
struct Turn(#[allow(dead_code, reason = "held, not read")] std::sync::MutexGuard<'static, ()>);

impl Turn {
    fn wait() -> Result<Self, Error> {
        if WAITING.fetch_add(1, Ordering::AcqRel) >= MOST_WAITING {
            WAITING.fetch_sub(1, Ordering::AcqRel);
            return Err(Error::Busy);
        }
        // It guards no data: a thread that panicked with it left nothing half done.
        Ok(Self(
            TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
        ))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn salt() -> Salt {
        let bytes = *b"sixteen bytes ok";
        let cost = Cost {
            memory: 64,
            passes: 1,
            lanes: 1,
        };
        Salt { bytes, cost }
    }

    #[test]
    fn passwords_cost_at_least_what_owasp_asks_for() {
        for cost in [Cost::PASSWORD, Cost::LEAST] {
            assert!(cost.memory >= 19 * 1024 && cost.passes >= 2);
        }
    }

    #[test]
    fn one_login_is_found_however_it_is_typed_and_no_other() {
        let digest = |login| salt().digest_of_login(login).expect("derived");
        assert_eq!(digest("Marie.Dupont"), digest(" marie.dupont "));
        assert_ne!(digest("marie.dupont"), digest("marie.dupond"));
        let other = Salt {
            bytes: [0; 16],
            ..salt()
        };
        assert_ne!(
            digest("marie.dupont"),
            other.digest_of_login("marie.dupont").expect("derived")
        );
    }

    #[test]
    fn uses_of_one_password_have_keys_of_their_own() {
        let unlocked = salt().unlock("correct horse battery").expect("derived");
        assert_ne!(*unlocked.cells().as_bytes(), *unlocked.part(b"other"));
        assert_ne!(*unlocked.cells().as_bytes(), *unlocked.0);
    }
}
