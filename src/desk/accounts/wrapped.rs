//! The keyring of one account: which keys it holds, and how they lie on the disk.
//!
//! Promises: agents and chefs hold both keys, the DPD and the admin the register key alone, so that these cannot open
//! evidence even with the database in their hands; a keyring opens only with what its own account knows. Wiped from
//! memory with the last session that holds it.

use zeroize::Zeroizing;

use super::derive::Unlocked;
use super::{Error, cells};
use crate::desk::cell::{self, CellKey, Place};
use crate::desk::keyring::{EvidenceKeys, RegisterKey};
use crate::desk::rights::Role;

/// The keys, without those of the service: these lie in a table of their own, sealed under the evidence key.
#[derive(Debug, Clone)]
pub struct Keyring {
    /// Of what names people.
    pub register: RegisterKey,
    /// Of evidence.
    pub evidence: Option<Evidence>,
}

/// The two keys of evidence.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// Of cells.
    pub cells: CellKey,
    /// Of blind indexes.
    pub index: CellKey,
}

const KEY: usize = 32;

impl Keyring {
    /// New keys, of a desk that has none.
    pub fn generate() -> Result<Self, Error> {
        Ok(Self {
            register: RegisterKey(CellKey::generate()?),
            evidence: Some(Evidence {
                cells: CellKey::generate()?,
                index: CellKey::generate()?,
            }),
        })
    }

    /// The keys that somebody logged in holds.
    pub fn held(register: &RegisterKey, evidence: Option<&EvidenceKeys>) -> Self {
        Self {
            register: register.clone(),
            evidence: evidence.map(|keys| Evidence {
                cells: keys.cells.clone(),
                index: keys.index.clone(),
            }),
        }
    }

    /// What an account of that role is given of it; nothing if this keyring has not what the role needs.
    pub fn for_role(&self, role: Role) -> Option<Self> {
        let evidence = match (role.holds_evidence(), &self.evidence) {
            (false, _) => None,
            (true, Some(evidence)) => Some(evidence.clone()),
            (true, None) => return None,
        };
        Some(Self {
            register: self.register.clone(),
            evidence,
        })
    }

    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(3 * KEY));
        bytes.extend_from_slice(self.register.0.as_bytes());
        if let Some(Evidence { cells, index }) = &self.evidence {
            bytes.extend_from_slice(cells.as_bytes());
            bytes.extend_from_slice(index.as_bytes());
        }
        bytes
    }

    pub(super) fn wrap(&self, by: &Unlocked, place: Place<'_>) -> Result<Vec<u8>, Error> {
        Ok(cells::join(&cell::seal_bytes(
            &by.cells(),
            place,
            &self.to_bytes(),
        )?))
    }

    pub(super) fn unwrap(bytes: &[u8], by: &Unlocked, place: Place<'_>) -> Result<Self, Error> {
        Self::from_bytes(&cell::open_bytes(&by.cells(), place, &cells::split(bytes)?)?)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let (keys, rest) = bytes.as_chunks::<KEY>();
        let key = |bytes: &[u8; KEY]| CellKey::from_bytes(*bytes);
        let evidence = match keys {
            [_] => None,
            [_, cells, index] => Some(Evidence {
                cells: key(cells),
                index: key(index),
            }),
            _ => return Err(Error::Damaged("keyring")),
        };
        match rest {
            [] => Ok(Self {
                register: RegisterKey(key(&keys[0])),
                evidence,
            }),
            _ => Err(Error::Damaged("keyring")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::derive::{Cost, Salt};
    use super::*;

    const PLACE: Place<'static> = Place {
        table: "account_lock",
        column: "keyring",
        row: "0123456789abcdef",
    };

    fn unlocked(password: &str) -> Unlocked {
        let cost = Cost {
            memory: 64,
            passes: 1,
            lanes: 1,
        };
        let bytes = [7; 16];
        Salt { bytes, cost }.unlock(password).expect("derived")
    }

    #[test]
    fn a_keyring_opens_with_its_own_password_for_its_own_account_alone() {
        let keyring = Keyring::generate().expect("randomness");
        let bytes = keyring.wrap(&unlocked("one"), PLACE).expect("wrapped");
        let back = Keyring::unwrap(&bytes, &unlocked("one"), PLACE).expect("unwrapped");
        assert_eq!(back.register.0.as_bytes(), keyring.register.0.as_bytes());
        assert!(Keyring::unwrap(&bytes, &unlocked("other"), PLACE).is_err());
        let another = Place {
            row: "fedcba9876543210",
            ..PLACE
        };
        assert!(Keyring::unwrap(&bytes, &unlocked("one"), another).is_err());
    }

    #[test]
    fn the_dpd_and_the_admin_are_given_no_evidence_key() {
        let keyring = Keyring::generate().expect("randomness");
        for role in Role::ALL {
            let given = keyring.for_role(role).expect("given");
            assert_eq!(given.evidence.is_some(), role.holds_evidence(), "{role:?}");
            let bytes = given.wrap(&unlocked("one"), PLACE).expect("wrapped");
            let back = Keyring::unwrap(&bytes, &unlocked("one"), PLACE).expect("unwrapped");
            assert_eq!(back.evidence.is_some(), role.holds_evidence(), "{role:?}");
        }
        let without = keyring.for_role(Role::Admin).expect("given");
        assert!(without.for_role(Role::Agent).is_none());
        assert!(without.for_role(Role::Dpd).is_some());
    }
}
