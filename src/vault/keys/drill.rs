//! The drill: whether the keys that should open what is sealed do open it, tried before the day they must.
//!
//! Promises: every key is tried by sealing and opening, every event of a store by opening one of its items
//! whole; nothing is written. Leaves to the reader why a key of a past quarter is not there: it may have been
//! destroyed on purpose.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::ring::files;
use super::{DeviceId, DevicePublic, Epoch, Error, Fingerprint, OfficeKey, Recipient, Role};
use crate::frame::{BoxTime, EventId};
use crate::vault::item::{Header, ItemId, Stanza};
use crate::vault::seal::{self, EventSealer};

/// How a key did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// What was sealed to its public half was opened.
    Ok,
    /// There is no secret key to this public one.
    Missing,
    /// A secret key lies beside this public one, under the same name, and is another, damaged or not guarded.
    DoesNotFit,
}

/// A key, tried.
#[derive(Debug, Clone, Serialize)]
pub struct TriedKey {
    /// Its quarter.
    pub epoch: Epoch,
    /// Service or recovery.
    pub role: Role,
    /// Its name.
    pub fingerprint: Fingerprint,
    /// How it did.
    pub state: State,
    /// Why it did not fit.
    pub why: Option<String>,
}

/// An event of the store, tried.
#[derive(Debug, Clone, Serialize)]
pub struct TriedEvent {
    /// The event.
    pub event: EventId,
    /// The key that opened one of its items.
    pub opened_with: Option<Fingerprint>,
    /// Why none did.
    pub why: Option<String>,
}

/// What the drill found.
#[derive(Debug)]
pub struct Drill {
    /// Every key, by quarter and role.
    pub keys: Vec<TriedKey>,
    /// Every event of the store.
    pub events: Vec<TriedEvent>,
    secrets: Vec<OfficeKey>,
}

impl Drill {
    /// Tries all keys in `folders`: each public one against the secret ones, wherever these lie.
    pub fn of_keys(folders: &[PathBuf]) -> Result<Self, Error> {
        let mut public: Vec<(Recipient, PathBuf)> = Vec::new();
        let mut secrets = Vec::new();
        let mut unusable = BTreeMap::new();
        for path in folders
            .iter()
            .map(|folder| files(folder))
            .collect::<Result<Vec<_>, _>>()?
            .concat()
        {
            if path.extension().is_some_and(|extension| extension == "pub") {
                match Recipient::read(&path) {
                    Ok(recipient) => public.push((recipient, path)),
                    Err(_) if DevicePublic::read(&path).is_ok() || DevicePublic::read_desk(&path).is_ok() => {
                    }
                    Err(error) => return Err(error),
                }
            } else if path.extension().is_some_and(|extension| extension == "key") {
                match OfficeKey::read(&path) {
                    Ok(key) => secrets.push(key),
                    // Told beside the public key of the same name; the box's and the desk's keys have none here.
                    Err(error) => drop(unusable.insert(path, error.to_string())),
                }
            }
        }
        let mut keys: Vec<_> = public
            .iter()
            .map(|(recipient, path)| {
                let beside = path.with_extension("key");
                let beside = unusable.get(&beside).cloned().or_else(|| {
                    let another = beside.exists();
                    another.then(|| "the secret key beside it is another's".to_owned())
                });
                tried(recipient, &secrets, beside)
            })
            .collect();
        for secret in &secrets {
            let recipient = secret.recipient();
            if !public.iter().any(|(public, _)| public == recipient) {
                keys.push(tried(recipient, &secrets, None));
            }
        }
        keys.sort_by_key(|key| (key.epoch, key.role, key.fingerprint));
        keys.dedup_by_key(|key| (key.epoch, key.role, key.fingerprint));
        Ok(Self {
            keys,
            events: Vec::new(),
            secrets,
        })
    }

    /// Tries one item of each event in a store's folder, the smallest: with the content key as `wrapped` has it
    /// (the desk's, wrapped anew), else as the item's own header has it.
    pub fn try_store(
        &mut self,
        store: &Path,
        wrapped: impl Fn(EventId) -> Option<Vec<Stanza>>,
    ) -> Result<(), Error> {
        let folder = store.join(crate::vault::store::ITEMS);
        let io_at = |source| Error::Io {
            path: folder.clone(),
            source,
        };
        let mut smallest: BTreeMap<EventId, (u64, PathBuf)> = BTreeMap::new();
        for entry in folder.read_dir().map_err(io_at)? {
            let entry = entry.map_err(io_at)?;
            let Some(Ok(id)) = entry.file_name().to_str().map(str::parse::<ItemId>) else {
                continue;
            };
            let length = entry.metadata().map_err(io_at)?.len();
            let found = (length, entry.path());
            let least = smallest.entry(id.event).or_insert_with(|| found.clone());
            if found < *least {
                *least = found;
            }
        }
        for (event, (_, path)) in smallest {
            let (opened_with, why) = match self.open(&path, wrapped(event).as_deref()) {
                Ok(key) => (Some(key), None),
                Err(why) => (None, Some(why)),
            };
            self.events.push(TriedEvent {
                event,
                opened_with,
                why,
            });
        }
        Ok(())
    }

    /// Opens an item with whichever key does; else the last key's trouble.
    fn open(&self, path: &Path, wrapped: Option<&[Stanza]>) -> Result<Fingerprint, String> {
        let mut why = "there is no key to try".to_owned();
        for key in &self.secrets {
            let file = File::open(path).map_err(|error| error.to_string())?;
            let mut source = BufReader::new(file);
            let header = Header::read(&mut source).map_err(|error| error.to_string())?;
            match seal::prove(source, &header, wrapped.unwrap_or(&header.stanzas), key) {
                Ok(()) => return Ok(key.recipient().fingerprint()),
                // Another key's turn, unless one that should open it has said more.
                Err(error @ seal::Error::OtherKey { .. }) if why.starts_with("there is no") => {
                    why = error.to_string();
                }
                Err(seal::Error::OtherKey { .. }) => {}
                Err(error) => why = error.to_string(),
            }
        }
        Err(why)
    }

    /// Whether something is, or from `now` on would be, sealed that one of its two keys does not open: a key that
    /// does not fit, one of this or a later quarter that is missing, an event that no key opens.
    pub fn found_fault(&self, now: BoxTime) -> bool {
        let needed = |key: &TriedKey| Epoch::at(now).is_none_or(|current| key.epoch >= current);
        let bad = |key: &TriedKey| match key.state {
            State::Ok => false,
            State::Missing => needed(key),
            State::DoesNotFit => true,
        };
        self.keys.iter().any(bad) || self.events.iter().any(|event| event.opened_with.is_none())
    }
}

fn tried(recipient: &Recipient, secrets: &[OfficeKey], beside: Option<String>) -> TriedKey {
    let secret = secrets
        .iter()
        .find(|key| key.recipient().fingerprint() == recipient.fingerprint());
    let (state, why) = match (secret, beside) {
        (Some(secret), _) => match seal_and_open(recipient, secret) {
            Ok(()) => (State::Ok, None),
            Err(error) => (State::DoesNotFit, Some(error.to_string())),
        },
        (None, Some(why)) => (State::DoesNotFit, Some(why)),
        (None, None) => (State::Missing, None),
    };
    TriedKey {
        epoch: recipient.epoch(),
        role: recipient.role(),
        fingerprint: recipient.fingerprint(),
        state,
        why,
    }
}

/// Seals something to `recipient` and opens it with `secret`.
pub fn seal_and_open(recipient: &Recipient, secret: &OfficeKey) -> Result<(), seal::Error> {
    let device = DeviceId(Fingerprint::from_bytes([0; 8]));
    let event = EventId::from_bytes([0; 8]);
    let sealed = EventSealer::new(device, event, std::slice::from_ref(recipient))?.seal_record(&"drill")?;
    seal::open(sealed.bytes(), secret).map(drop)
}
