//! The ring: the public keys of several quarters that a box holds, and which of them an event is sealed to.
//!
//! Promises: an event is sealed to the keys of the quarter in which it is sealed; a revoked key is never
//! chosen; where the quarter's keys are not there, evidence is sealed to others rather than lost, and the
//! box says so. The choice is a pure function of ring and time.
//!
//! Why the *newest* quarter stands in for a missing one: an office destroys the keys of past quarters and
//! never those of the current or a later one, so the newest are those that are surest to exist. The same
//! holds while the clock was never set. An older quarter's keys may be gone, and what is sealed to them
//! with them; the price of the newest is that its destruction comes later.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::revocation::{self, Revocation};
use super::{DevicePublic, Epoch, Error, Fingerprint, OfficeKey, Recipient, Role};
use crate::frame::BoxTime;

/// Keys and revocations in a folder at most: a hundred years of quarters.
const MOST_FILES: usize = 1000;

/// Where a ring's keys lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// One pair, named.
    Pair {
        /// The service's public key file.
        service: PathBuf,
        /// The recovery's.
        recovery: PathBuf,
    },
    /// All `.pub` files of a folder.
    Folder(PathBuf),
}

impl Source {
    /// The folder in which revocations lie beside the keys.
    fn folder(&self) -> &Path {
        match self {
            Self::Folder(folder) => folder,
            Self::Pair { service, .. } => crate::vault::durable::folder_of(service),
        }
    }
}

/// What is not as it should be with the keys to which a box seals; stable words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Concern {
    /// No key is left: nothing is sealed, frames stay on the card.
    NoRecipient,
    /// The current quarter's keys are not there: another quarter's are used.
    EpochMissing,
    /// No key of the service is left for the quarter: sealed to the recovery alone.
    ServiceKeyRevoked,
    /// No key of the recovery is left for the quarter: sealed to the service alone.
    RecoveryKeyRevoked,
    /// There are no keys for the next quarter.
    KeysRunningOut,
    /// A file among the recipients cannot be used.
    KeyFileUnusable,
    /// A revocation is not the desk's, or cannot be read: it has no effect.
    RevocationRefused,
    /// A secret key of the office lies on the box: who steals it opens what was sealed.
    OfficeKeyOnBox,
}

/// To whom an event is sealed now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The recipients; none if every key is revoked.
    pub recipients: Vec<Recipient>,
    /// Why they are not those they should be.
    pub concerns: Vec<Concern>,
}

/// The public keys that a box holds.
#[derive(Debug)]
pub struct Ring {
    recipients: Vec<Recipient>,
    revoked: BTreeSet<Fingerprint>,
    oddities: Vec<(Concern, Error)>,
}

impl From<Vec<Recipient>> for Ring {
    fn from(recipients: Vec<Recipient>) -> Self {
        let mut ring = Self {
            recipients: Vec::new(),
            revoked: BTreeSet::new(),
            oddities: Vec::new(),
        };
        recipients.into_iter().for_each(|recipient| ring.add(recipient));
        ring
    }
}

impl Ring {
    /// Reads the keys in `source`, and the revocations beside them that `desk` signed.
    ///
    /// A pair must be whole. In a folder, a file that cannot be used is an oddity: one damaged key must not
    /// keep the box from sealing to the others.
    pub fn read(source: &Source, desk: Option<&DevicePublic>) -> Result<Self, Error> {
        let mut ring = match source {
            Source::Pair { service, recovery } => {
                Self::from(vec![Recipient::read(service)?, Recipient::read(recovery)?])
            }
            Source::Folder(_) => Self::from(Vec::new()),
        };
        for path in files(source.folder())? {
            let extension = path.extension().and_then(|extension| extension.to_str());
            match (extension, source) {
                (Some(revocation::EXTENSION), _) => ring.take_revocation(&path, desk),
                (Some("pub"), Source::Folder(_)) => ring.take_public(&path),
                (Some("key"), Source::Folder(_)) if OfficeKey::read(&path).is_ok() => {
                    let error = Error::Unguarded {
                        path,
                        what: "a secret key of the office lies on the box; take it away and revoke it",
                    };
                    ring.oddities.push((Concern::OfficeKeyOnBox, error));
                }
                _ => {}
            }
        }
        Ok(ring)
    }

    fn take_public(&mut self, path: &Path) {
        match Recipient::read(path) {
            Ok(recipient) => self.add(recipient),
            // The box's or the desk's may lie beside them: nothing is sealed to these.
            Err(Error::WrongKey { .. })
                if DevicePublic::read(path).is_ok() || DevicePublic::read_desk(path).is_ok() => {}
            Err(error) => self.oddities.push((Concern::KeyFileUnusable, error)),
        }
    }

    fn take_revocation(&mut self, path: &Path, desk: Option<&DevicePublic>) {
        let read = match desk {
            Some(desk) => Revocation::read(path, desk),
            None => Err(Error::NoDesk(path.to_owned())),
        };
        match read {
            Ok(revocation) => self.revoke(&revocation.keys),
            Err(error) => self.oddities.push((Concern::RevocationRefused, error)),
        }
    }

    fn add(&mut self, recipient: Recipient) {
        if !self.recipients.contains(&recipient) {
            self.recipients.push(recipient);
        }
    }

    /// Seals nothing to these keys from now on.
    pub fn revoke(&mut self, keys: &[Fingerprint]) {
        self.revoked.extend(keys);
    }

    /// Takes over what an older ring of the same box knew to be revoked: nothing makes a key good again.
    pub fn revoke_as(&mut self, older: &Self) {
        self.revoked.extend(&older.revoked);
    }

    /// The keys that are revoked.
    pub fn revoked(&self) -> impl Iterator<Item = Fingerprint> {
        self.revoked.iter().copied()
    }

    /// The files that could not be used, and why.
    pub fn oddities(&self) -> impl Iterator<Item = &Error> {
        self.oddities.iter().map(|(_, error)| error)
    }

    /// The quarters for which both a service's and a recovery key can be used.
    pub fn quarters(&self) -> BTreeSet<Epoch> {
        let mut quarters = self.epochs();
        quarters.retain(|&epoch| self.is_whole(epoch));
        quarters
    }

    /// To whom what is sealed at `now` is sealed.
    ///
    /// The keys of its quarter that are not revoked. If that quarter's keys were never all there, or are all
    /// revoked: those of the newest quarter that has both, else of the newest that has any. `now` before
    /// 2000 is a clock that was never set, and has no quarter.
    pub fn choose(&self, now: BoxTime) -> Choice {
        let current = Epoch::at(now);
        let usable = |epoch: &Epoch| self.usable(*epoch).next().is_some();
        let in_force = current.filter(|epoch| self.was_whole(*epoch) && usable(epoch));
        let newest = || self.quarters().last().copied();
        let last_resort = || self.epochs().into_iter().rfind(usable);
        let Some(epoch) = in_force.or_else(newest).or_else(last_resort) else {
            return Choice {
                recipients: Vec::new(),
                concerns: vec![Concern::NoRecipient],
            };
        };
        let mut concerns = BTreeSet::new();
        if Some(epoch) != current {
            concerns.insert(Concern::EpochMissing);
        }
        for (role, revoked) in [
            (Role::Service, Concern::ServiceKeyRevoked),
            (Role::Recovery, Concern::RecoveryKeyRevoked),
        ] {
            if !has(self.usable(epoch), role) {
                let was_there = has(self.of(epoch), role);
                concerns.insert(if was_there { revoked } else { Concern::EpochMissing });
            }
        }
        let mut recipients: Vec<_> = self.usable(epoch).cloned().collect();
        recipients.sort_by_key(|recipient| (recipient.role(), recipient.fingerprint()));
        Choice {
            recipients,
            concerns: concerns.into_iter().collect(),
        }
    }

    /// Everything that is not as it should be at `now`, in a fixed order, each once.
    pub fn concerns(&self, now: BoxTime) -> Vec<Concern> {
        let mut concerns: BTreeSet<_> = self.choose(now).concerns.into_iter().collect();
        concerns.extend(self.oddities.iter().map(|(concern, _)| *concern));
        let next = Epoch::at(now).and_then(Epoch::next);
        if next.is_some_and(|next| self.quarters().range(next..).next().is_none()) {
            concerns.insert(Concern::KeysRunningOut);
        }
        concerns.into_iter().collect()
    }

    fn of(&self, epoch: Epoch) -> impl Iterator<Item = &Recipient> {
        self.recipients.iter().filter(move |r| r.epoch() == epoch)
    }

    fn usable(&self, epoch: Epoch) -> impl Iterator<Item = &Recipient> {
        self.of(epoch)
            .filter(|r| !self.revoked.contains(&r.fingerprint()))
    }

    fn epochs(&self) -> BTreeSet<Epoch> {
        self.recipients.iter().map(Recipient::epoch).collect()
    }

    fn is_whole(&self, epoch: Epoch) -> bool {
        has(self.usable(epoch), Role::Service) && has(self.usable(epoch), Role::Recovery)
    }

    fn was_whole(&self, epoch: Epoch) -> bool {
        has(self.of(epoch), Role::Service) && has(self.of(epoch), Role::Recovery)
    }
}

fn has<'r>(mut recipients: impl Iterator<Item = &'r Recipient>, role: Role) -> bool {
    recipients.any(|recipient| recipient.role() == role)
}

/// The keys and revocations in a folder, in the order of their names.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let io_at = |source| Error::Io {
        path: folder.to_owned(),
        source,
    };
    let mut found = Vec::new();
    for entry in folder.read_dir().map_err(io_at)? {
        let path = entry.map_err(io_at)?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("pub" | "key" | revocation::EXTENSION)) {
            found.push(path);
        }
        if found.len() > MOST_FILES {
            return Err(Error::TooManyFiles(folder.to_owned()));
        }
    }
    found.sort_unstable();
    Ok(found)
}
