//! The items of a bundle: held against what the box signed, copied, and opened with a key of the office.
//!
//! Promises: each item is read once, the bytes that are hashed being those that are copied and opened, to the last; one
//! content key for each event; every fault is named.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use zeroize::Zeroizing;

use super::{Chosen, Followed, Opened, Progress, Watch, changed};
use crate::frame::{Digest, EventId};
use crate::transfer::contents::{Contents, Listed};
use crate::transfer::desk::choose_key;
use crate::transfer::inspect::as_listed;
use crate::transfer::{DRILL, Error, Folder, Reason, Refusal, drill, io_at, several};
use crate::vault::item::{Header, Stanza};
use crate::vault::keys::Fingerprint;
use crate::vault::seal::{self, rewrap};
use crate::vault::{OfficeKey, Staged, store};

impl Chosen {
    /// Holds each item against what the box signed, copies those that are new into the staging, and opens these, and the
    /// drill, with one of `keys`.
    pub fn open(self, keys: &[OfficeKey], watch: Watch<'_>) -> Result<Opened, Error> {
        let Followed { bundle, contents, .. } = &self.followed;
        let of = (contents.items.iter().map(|item| item.size)).fold(0, u64::saturating_add);
        let mut done = 0u64;
        if !watch(Progress { done, of }) {
            return Err(Error::Stopped);
        }
        let refused = AtomicBool::new(false);
        let look = |item: &Listed| {
            let looked = self.look(item, keys, &refused);
            refused.fetch_or(looked.is_err(), Ordering::Relaxed);
            looked
        };
        let mut go_on = true;
        let looked = several::each(&contents.items, look, |item, looked| {
            done = done.saturating_add(item.size);
            go_on = watch(Progress { done, of });
            // What is refused is looked at to its end: every fault is named.
            go_on && matches!(looked, Ok(_) | Err(Error::Refused(_)))
        });
        if !go_on {
            return Err(Error::Stopped);
        }
        let taken = all_or_why(looked)?;
        let (drill, opened_by) = open_drill(keys, &bundle.folder, contents)?;
        let mut items = Vec::with_capacity(self.new.len());
        let mut wraps = BTreeMap::new();
        let mut sealed_to: BTreeMap<EventId, Vec<Stanza>> = BTreeMap::new();
        for (item, (staged, header)) in self.new.iter().zip(taken) {
            // One content key is wrapped for the whole event: it must be that of each of its items.
            let first = sealed_to
                .entry(item.event)
                .or_insert_with(|| header.stanzas.clone());
            if *first != header.stanzas {
                return Err(other_key(&item.id().to_string()).into());
            }
            if let Entry::Vacant(wrap) = wraps.entry(item.event)
                && let Some(key) = choose_key(keys, &header.stanzas)
            {
                wrap.insert(rewrap(&header, &header.stanzas, key, &self.recipients)?);
            }
            items.push(staged);
        }
        Ok(Opened {
            items,
            wraps,
            drill,
            opened_by,
            erased_before: self.erased_before,
            followed: self.followed,
        })
    }

    /// One item of the bundle, taken if it is new; once the bundle is `refused`, none is taken any more.
    fn look(&self, item: &Listed, keys: &[OfficeKey], refused: &AtomicBool) -> Result<Option<Taken>, Error> {
        let Followed { bundle, contents, .. } = &self.followed;
        let is_new = self.new.binary_search_by_key(&item.id(), Listed::id).is_ok();
        let taken = match is_new && !refused.load(Ordering::Relaxed) {
            true => self.take(item, keys).map(Some),
            false => Ok(None),
        };
        match taken {
            Ok(Some(_)) => taken,
            Err(Error::Refused(Refusal { reason, .. })) if reason != Reason::Damaged => taken,
            Ok(None) | Err(Error::Refused(_)) => {
                let name = item.id().to_string();
                let fault = |error| Refusal::new(Reason::Damaged, format!("{name}: {error}"));
                as_listed(&bundle.folder, contents, item).map_err(fault)?;
                taken
            }
            Err(_) => taken,
        }
    }

    /// Copies one item, and opens what is copied.
    fn take(&self, item: &Listed, keys: &[OfficeKey]) -> Result<Taken, Error> {
        let Followed { bundle, contents, .. } = &self.followed;
        let name = item.id().to_string();
        let (file, _) = bundle.folder.file(&name).map_err(|error| changed(&name, error))?;
        let facts = item.facts(contents.device);
        let taken = self
            .staging
            .take_in(file, facts, |source| open_one(keys, &name, source));
        let (staged, opened) = taken.map_err(|error| match error {
            store::Error::NotAsListed { .. } => Error::from(changed(&name, error)),
            error => error.into(),
        })?;
        let header = opened?;
        if let Some(stanzas) = self.wrapped.get(&item.event) {
            opens_with(keys, &staged, stanzas)?;
        }
        Ok((staged, header))
    }
}

/// An item that is durable here and has no row, and what it says of itself.
type Taken = (Staged, Header);

/// What was taken of each item that was looked at; if something stands against the bundle, all of that.
fn all_or_why(looked: Vec<Option<Result<Option<Taken>, Error>>>) -> Result<Vec<Taken>, Error> {
    let (mut taken, mut details, mut other) = (Vec::new(), Vec::new(), None);
    for looked in looked.into_iter().flatten() {
        match looked {
            Ok(new) => taken.extend(new),
            Err(Error::Refused(Refusal {
                reason: Reason::Damaged,
                details: found,
            })) => details.extend(found),
            Err(error) => other = other.or(Some(error)),
        }
    }
    let damaged = (!details.is_empty()).then_some(Refusal {
        reason: Reason::Damaged,
        details,
    });
    match (damaged, other) {
        // What the desk itself failed at says nothing of the bundle.
        (Some(damaged), None | Some(Error::Refused(_))) => Err(damaged.into()),
        (_, Some(error)) => Err(error),
        (None, None) => Ok(taken),
    }
}

fn other_key(name: &str) -> Refusal {
    let what = format!("{name} is sealed with another key than the event's other items");
    Refusal::new(Reason::Damaged, what)
}

fn cannot_open(name: impl ToString, error: impl ToString) -> Refusal {
    let what = format!("{}: {}", name.to_string(), error.to_string());
    Refusal::new(Reason::CannotOpen, what)
}

fn key_for<'k>(keys: &'k [OfficeKey], name: &str, header: &Header) -> Result<&'k OfficeKey, Refusal> {
    choose_key(keys, &header.stanzas).ok_or_else(|| {
        let stanzas = header.stanzas.iter();
        let to = stanzas.map(|s| format!("{} {} ({})", s.role, s.epoch, s.fingerprint));
        let to = to.collect::<Vec<_>>().join(", ");
        cannot_open(
            name,
            format!("sealed to {to}; this desk holds none of these keys"),
        )
    })
}

/// Opens an item to its last byte: a box that seals to nobody is found out before its originals go.
fn open_one(keys: &[OfficeKey], name: &str, mut source: &mut dyn Read) -> Result<Header, Error> {
    let header = Header::read(&mut source).map_err(seal::Error::from)?;
    let key = key_for(keys, name, &header)?;
    seal::prove(source, &header, &header.stanzas, key).map_err(|error| cannot_open(name, error))?;
    Ok(header)
}

/// An item that comes after others of its event must open with the key that was wrapped for these.
fn opens_with(keys: &[OfficeKey], staged: &Staged, stanzas: &[Stanza]) -> Result<(), Error> {
    let Some(key) = choose_key(keys, stanzas) else {
        return Ok(());
    };
    let again = File::open(staged.path()).map_err(io_at(staged.path()))?;
    let mut again = BufReader::new(again);
    let opens = Header::read(&mut again)
        .map_err(seal::Error::from)
        .and_then(|header| seal::prove(again, &header, stanzas, key));
    opens.map_err(|_| other_key(&staged.id().to_string()).into())
}

fn open_drill(
    keys: &[OfficeKey],
    folder: &Folder,
    contents: &Contents,
) -> Result<(Digest, Fingerprint), Error> {
    let read = || -> io::Result<Vec<u8>> {
        let (file, _) = folder.file(DRILL)?;
        let mut bytes = Vec::new();
        file.take(contents.drill.size).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| changed(DRILL, error))?;
    let header = Header::read(&mut &bytes[..]).map_err(|error| changed(DRILL, error))?;
    let key = key_for(keys, DRILL, &header)?;
    let opened = seal::open(&bytes[..], key).map_err(|error| cannot_open(DRILL, error))?;
    let plaintext = Zeroizing::new(opened.plaintext);
    Ok((drill::answer(&plaintext), key.recipient().fingerprint()))
}
