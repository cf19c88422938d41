//! Content keys at the desk: wrapped anew to its current keys, and what hangs on a quarter's keys alone.
//!
//! Promises: the desk wraps to nobody unless it holds one of the keys itself, and only a content key that has opened
//! one of its event's items; all events are one transaction with a line of the journal, and a second run finds nothing
//! to do; an event counts as hanging on a quarter's keys unless another key that the desk holds unwraps its content
//! key, also where it cannot be read. Leaves destroying keys to [`crate::vault::keys::destruction`].

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use rusqlite::params;
use serde_json::json;

use super::desk::{Desk, choose_key, in_keyring, wrapped};
use super::{Error, io_at};
use crate::frame::{BoxTime, EventId};
use crate::vault::item::{Header, ItemId, Stanza};
use crate::vault::seal;
use crate::vault::store::{DATABASE, ITEMS};
use crate::vault::{DeviceKey, Entry, Epoch, Fingerprint, Kind, OfficeKey, Recipient, Store};

/// What became of an event's content key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is wrapped to the current keys now.
    Anew,
    /// It was before.
    Current,
    /// It stays as it was: why the desk cannot open the event.
    CannotOpen(String),
}

/// Wraps the content key of each of the desk's events to its current keys.
pub fn rewrap(desk: &mut Desk, now: BoxTime) -> Result<Vec<(EventId, Outcome)>, Error> {
    let recipients = desk.ring.choose(now).recipients;
    let held = |recipient: &Recipient| desk.keys.iter().any(|key| key.recipient() == recipient);
    if !recipients.iter().any(held) {
        return Err(Error::DeskFile {
            path: desk.store.dir().with_file_name("keys"),
            what: "it holds no secret key to the current public ones: nothing would open here any more"
                .to_owned(),
        });
    }
    let mut outcomes = Vec::new();
    let mut anew = Vec::new();
    for item in smallest_items(&desk.store)? {
        let outcome = match wrap_one(desk, item, &recipients) {
            Ok(None) => Outcome::Current,
            Ok(Some(stanzas)) => {
                anew.push((item.event, stanzas));
                Outcome::Anew
            }
            Err(why) => Outcome::CannotOpen(why),
        };
        outcomes.push((item.event, outcome));
    }
    if anew.is_empty() {
        return Ok(outcomes);
    }
    let keys: Vec<_> = recipients.iter().map(Recipient::fingerprint).collect();
    desk.store.transaction(|tx| {
        for (event, stanzas) in &anew {
            let bytes: Vec<u8> = stanzas.iter().flat_map(Stanza::to_bytes).collect();
            tx.raw().execute(
                "INSERT INTO wrap (event, stanzas) VALUES (?1, ?2)
                 ON CONFLICT (event) DO UPDATE SET stanzas = ?2",
                params![event.to_string(), bytes],
            )?;
        }
        let body = json!({"events": anew.len(), "keys": keys});
        let kind = Kind::Rewrapped;
        Ok::<_, Error>(tx.journal(now, &Entry { kind, body })?)
    })?;
    Ok(outcomes)
}

/// An event's content key wrapped anew; `None` if it is wrapped to these recipients already, and why if it cannot be.
fn wrap_one(desk: &Desk, item: ItemId, recipients: &[Recipient]) -> Result<Option<Vec<Stanza>>, String> {
    let path = desk.store.dir().join(ITEMS).join(item.to_string());
    let file = File::open(&path).map_err(|error| error.to_string())?;
    let mut source = BufReader::new(file);
    let header = Header::read(&mut source).map_err(|error| error.to_string())?;
    let wrapped = desk.wrapped(item.event).map_err(|error| error.to_string())?;
    let goes_to = |stanzas: &[Stanza], to: &Recipient| {
        let mut stanzas = stanzas.iter();
        stanzas.any(|stanza| stanza.fingerprint == to.fingerprint())
    };
    let now = wrapped.as_ref().unwrap_or(&header.stanzas);
    if now.len() == recipients.len() && recipients.iter().all(|to| goes_to(now, to)) {
        return Ok(None);
    }
    // What the item itself says holds as long as its own keys do.
    let held = |stanzas: &'_ Vec<Stanza>| choose_key(&desk.keys, stanzas).map(|key| (stanzas.clone(), key));
    let (stanzas, key) = held(now)
        .or_else(|| held(&header.stanzas))
        .ok_or("the desk holds none of the keys that it is sealed to")?;
    seal::prove(source, &header, &stanzas, key).map_err(|error| error.to_string())?;
    let anew = seal::rewrap(&header, &stanzas, key, recipients);
    Ok(Some(anew.map_err(|error| error.to_string())?))
}

fn header(path: &Path) -> Result<Header, seal::Error> {
    let mut file = File::open(path).map_err(crate::vault::item::Error::from)?;
    Ok(Header::read(&mut BufReader::new(&mut file))?)
}

/// The smallest item of each event: the cheapest to open.
fn smallest_items(store: &Store) -> Result<Vec<ItemId>, Error> {
    let mut query = store
        .sql()
        .prepare("SELECT event, number FROM item ORDER BY event, size, number")?;
    let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    let mut items: Vec<ItemId> = Vec::new();
    for row in rows {
        let (event, number) = row?;
        let event = event.parse().map_err(|_| Error::DeskFile {
            path: store.dir().join(DATABASE),
            what: format!("{event} is no event's name"),
        })?;
        if items.last().is_none_or(|last| last.event != event) {
            items.push(ItemId { event, number });
        }
    }
    Ok(items)
}

/// A desk that is asked what hangs on a quarter's keys. Nothing is taken in while it is held.
#[derive(Debug)]
pub struct Hanging {
    /// The events that nothing opens but that quarter's keys.
    pub events: Vec<EventId>,
    _store: Option<Store>,
}

impl Hanging {
    /// On the keys of `epoch`, in the desk's `folder`. Its other keys count, those that can be read: an interrupted
    /// destruction leaves some that cannot.
    pub fn on(folder: &Path, epoch: Epoch, now: BoxTime) -> Result<Self, Error> {
        let key = DeviceKey::read_desk(&folder.join("desk.key"))?;
        let store = folder.join("store");
        // A desk that never took anything in has none, and whoever only asks makes none.
        if !store.try_exists().map_err(io_at(&store))? {
            return Ok(Self {
                events: Vec::new(),
                _store: None,
            });
        }
        let store = Store::open(&store, &key, now)?;
        let events = hanging(&store, epoch, &other_keys(&folder.join("keys"))?)?;
        let _store = Some(store);
        Ok(Self { events, _store })
    }
}

/// The events in a desk's store that nothing opens but the keys of `epoch`: none of `keys`, which are at hand, and
/// nothing in the desk's keyring to which the desk itself has wrapped them anew.
pub fn hanging(store: &Store, epoch: Epoch, keys: &[OfficeKey]) -> Result<Vec<EventId>, Error> {
    let others: Vec<_> = keys
        .iter()
        .filter(|key| key.recipient().epoch() != epoch)
        .collect();
    let mut kept = in_keyring(store.sql())?;
    kept.retain(|(_, of)| *of != epoch);
    let mut events = Vec::new();
    for item in smallest_items(store)? {
        if hangs(store, item, epoch, &others, &kept)? {
            events.push(item.event);
        }
    }
    Ok(events)
}

fn other_keys(folder: &Path) -> Result<Vec<OfficeKey>, Error> {
    let mut keys = Vec::new();
    for entry in fs::read_dir(folder).map_err(io_at(folder))? {
        let path = entry.map_err(io_at(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "key") {
            match OfficeKey::read(&path) {
                Ok(key) => keys.push(key),
                Err(error) => tracing::warn!(%error, "this key counts as none"),
            }
        }
    }
    Ok(keys)
}

fn hangs(
    store: &Store,
    item: ItemId,
    epoch: Epoch,
    others: &[&OfficeKey],
    kept: &[(Fingerprint, Epoch)],
) -> Result<bool, Error> {
    let header = match header(&store.dir().join(ITEMS).join(item.to_string())) {
        Ok(header) => header,
        Err(error) => {
            tracing::error!(%item, %error, "it is not known which keys open it");
            return Ok(true);
        }
    };
    let wrapped = match store.sql().table_exists(None, "wrap")? {
        true => wrapped(store.sql(), item.event)?,
        false => None,
    };
    let known: Vec<_> = wrapped.iter().chain([&header.stanzas]).collect();
    let names_it = known
        .iter()
        .copied()
        .flatten()
        .any(|stanza| stanza.epoch == epoch);
    let unwraps = |key: &&OfficeKey| known.iter().any(|stanzas| seal::unwraps(&header, stanzas, key));
    // What the desk wrapped itself had opened before; who may try it again is only known when he logs in.
    let goes_to = |(kept, _): &(Fingerprint, Epoch)| {
        let mut anew = wrapped.iter().flatten();
        anew.any(|stanza| stanza.fingerprint == *kept)
    };
    Ok(names_it && !others.iter().any(unwraps) && !kept.iter().any(goes_to))
}
