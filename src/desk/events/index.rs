//! From what a bundle brought to rows: what the box wrote down of an event, and of each of its frames.
//!
//! Promises: reading needs a key and no lock; an event whose items do not read is passed over and named, and keeps
//! none of the others out. What is not in the store any more when the row is to be written gets none. Leaves taking
//! bundles to [`crate::transfer::taking_in`].

use rusqlite::{Connection, params};
use serde::Deserialize;

use super::frames::{Frame, Items};
use super::{Error, Event, State, Terms, read};
use crate::frame::{BoxTime, CameraTime, EventId};
use crate::jpeg::{Facts, Layout, Picture};
use crate::redact::Manifest;
use crate::vault::certificate::Regime;
use crate::vault::item::ItemKind;
use crate::vault::store::Tx;
use crate::vault::{DeviceId, OfficeKey, Store};
use crate::vision::{self, Light};

/// What the box sealed beside its frames, as far as the index needs it.
#[derive(Debug, Deserialize)]
struct Record {
    event: EventId,
    site: String,
    regime: RecordedRegime,
    frames: Vec<RecordedFrame>,
}

#[derive(Debug, Deserialize)]
struct RecordedRegime {
    kind: serde_json::Value,
    reference: String,
}

#[derive(Debug, Deserialize)]
struct RecordedFrame {
    taken: Option<CameraTime>,
    arrived: BoxTime,
    /// Boxes of before told no light.
    light: Option<Light>,
}

impl RecordedRegime {
    /// The ground's word: `videoprotection`, or the name of the one member of an object, `sans_texte`.
    fn regime(self) -> Regime {
        let kind = match &self.kind {
            serde_json::Value::String(word) => word.clone(),
            serde_json::Value::Object(members) => members.keys().next().cloned().unwrap_or_default(),
            _ => String::new(),
        };
        Regime {
            kind,
            reference: self.reference,
        }
    }
}

/// Events that are in the store and have no row.
pub fn missing(sql: &Connection) -> Result<Vec<EventId>, Error> {
    let mut query = sql.prepare_cached(
        "SELECT DISTINCT event FROM item WHERE NOT EXISTS (SELECT 1 FROM event WHERE event.id = item.event)
         ORDER BY event",
    )?;
    let rows = query.query_map([], |row| row.get::<_, String>(0))?;
    rows.map(|event| read(&event?)).collect()
}

/// Events that are in the store and have no row, each with the moment at which the desk took it: what no key opens
/// is not kept longer than what one opens.
pub fn unread_since(sql: &Connection) -> Result<Vec<(EventId, BoxTime)>, Error> {
    let mut query = sql.prepare_cached(
        "SELECT item.event, min(journal.time) FROM item JOIN journal ON journal.seq = item.line
         WHERE NOT EXISTS (SELECT 1 FROM event WHERE event.id = item.event)
         GROUP BY item.event ORDER BY item.event",
    )?;
    let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    rows.map(|row| {
        let (event, since) = row?;
        Ok((read(&event)?, BoxTime(read(&since)?)))
    })
    .collect()
}

/// An event that is to be read, with its items' numbers.
#[derive(Debug)]
pub struct Unread {
    id: EventId,
    device: DeviceId,
    items: Items,
    numbers: Vec<(u32, String)>,
}

/// An event that was read, and has no row yet.
#[derive(Debug)]
pub struct Indexed {
    event: Event,
    frames: Vec<Frame>,
}

impl Unread {
    /// What is needed to read it without the desk.
    pub fn of(store: &Store, id: EventId) -> Result<Self, Error> {
        let mut query = store
            .sql()
            .prepare_cached("SELECT number, kind FROM item WHERE event = ? ORDER BY number")?;
        let rows = query.query_map([id.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let device = "SELECT device FROM taken WHERE event = ? LIMIT 1";
        let device: String = (store.sql()).query_row(device, [id.to_string()], |row| row.get(0))?;
        Ok(Self {
            id,
            device: DeviceId(read(&device)?),
            items: Items::of(store, id)?,
            numbers: rows.collect::<rusqlite::Result<_>>()?,
        })
    }

    /// Reads it with one of `keys`.
    pub fn read(&self, keys: &[OfficeKey], terms: &Terms) -> Result<Indexed, Error> {
        let record = self.record(keys)?;
        let mut frames = self.frames(keys)?;
        frames.sort_by_key(|(manifest, frame)| (manifest.time.corrected(), frame.frame));
        for (place, (_, frame)) in (1..).zip(&mut frames) {
            frame.place = place;
        }
        let camera = frames.first().map(|(manifest, _)| manifest.camera.clone());
        let camera = camera.ok_or_else(|| self.items.odd(0, "no frame of it came with its manifest"))?;
        let manifests = || frames.iter().map(|(manifest, _)| manifest);
        let recorded = || record.iter().flat_map(|record| &record.frames);
        let shown: Vec<CameraTime> = manifests().filter_map(|m| m.time.corrected()).collect();
        let times = match shown.is_empty() {
            true => recorded().filter_map(|frame| frame.taken).collect(),
            false => shown,
        };
        let taken = times.iter().min().zip(times.iter().max());
        let arrived = recorded().map(|frame| frame.arrived).min();
        let arrived = arrived.or_else(|| manifests().map(|m| m.time.redacted).min());
        let arrived = arrived.ok_or_else(|| self.items.odd(0, "neither a record nor a frame"))?;
        let light = match recorded().map(|frame| frame.light).collect::<Option<Vec<_>>>() {
            Some(lights) if lights.contains(&Light::Night) => Light::Night,
            Some(lights) if !lights.is_empty() => Light::Day,
            _ => self.light(&frames, keys)?,
        };
        let (facts, facts_by) = terms.facts(taken.map(|(first, _)| *first), arrived);
        let (site, regime) = match record {
            Some(record) => (record.site, record.regime.regime()),
            None => (
                camera.to_string(),
                Regime {
                    kind: String::new(),
                    reference: String::new(),
                },
            ),
        };
        let event = Event {
            id: self.id,
            device: self.device,
            camera,
            site,
            regime,
            taken: taken.map(|(first, last)| [*first, *last]),
            correction: manifests().next().map_or(0, |manifest| manifest.time.correction),
            arrived,
            facts,
            facts_by,
            light,
            frames: frames.len() as u32,
            due: terms.due(facts),
            state: State::New,
            version: 1,
            next_item: super::FIRST_OWN_ITEM,
            decision: None,
            file: None,
            open: None,
        };
        let frames = frames.into_iter().map(|(_, frame)| frame).collect();
        Ok(Indexed { event, frames })
    }

    fn record(&self, keys: &[OfficeKey]) -> Result<Option<Record>, Error> {
        let kind = ItemKind::Record;
        let Some((number, _)) = self.numbers.iter().find(|(_, found)| found == kind.as_str()) else {
            return Ok(None);
        };
        let (_, json) = self.items.open(*number, kind, keys)?;
        match serde_json::from_slice::<Record>(&json) {
            Ok(record) if record.event == self.id => Ok(Some(record)),
            Ok(_) => Err(self.items.odd(*number, "it is the record of another event")),
            Err(error) => Err(self
                .items
                .odd(*number, &format!("this is no record of an event: {error}"))),
        }
    }

    /// Each frame that came with its manifest, which is the item with the next number (docs/formats.md §2).
    fn frames(&self, keys: &[OfficeKey]) -> Result<Vec<(Manifest, Frame)>, Error> {
        let is = |number: u32, kind: ItemKind| self.numbers.contains(&(number, kind.as_str().to_owned()));
        let mut frames = Vec::new();
        for (number, _) in &self.numbers {
            let Some(next) = number.checked_add(1) else {
                continue;
            };
            if !is(*number, ItemKind::Frame) || !is(next, ItemKind::Manifest) {
                continue;
            }
            let (manifest, _) = self.items.manifest_at(next, keys)?;
            let frame = Frame {
                place: 0,
                frame: *number,
                manifest: next,
                sha256: manifest.redacted.sha256,
                taken: manifest.time.corrected(),
                confirmed: None,
            };
            frames.push((manifest, frame));
        }
        Ok(frames)
    }

    /// From the first picture, where the record does not tell.
    fn light(&self, frames: &[(Manifest, Frame)], keys: &[OfficeKey]) -> Result<Light, Error> {
        let Some((_, frame)) = frames.first() else {
            return Ok(Light::Night);
        };
        let jpeg = self.items.picture(frame, keys)?;
        let unreadable = |error: crate::jpeg::Error| self.items.odd(frame.frame, &error.to_string());
        let layout = Layout::parse(&jpeg).map_err(unreadable)?;
        let facts = Facts::read(&jpeg, &layout);
        let picture = Picture::read(&jpeg, &layout, facts.orientation).map_err(unreadable)?;
        Ok(vision::light(&picture.reduced().map_err(unreadable)?))
    }
}

impl Indexed {
    /// Writes its rows, unless it has some, or was destroyed meanwhile; whether it did.
    pub fn insert(&self, tx: &Tx<'_>) -> Result<bool, Error> {
        let event = self.event.id;
        let there = "SELECT EXISTS (SELECT 1 FROM item WHERE event = ?1) AND NOT EXISTS (SELECT 1 FROM event WHERE id = ?1)";
        let wanted: bool = tx
            .raw()
            .query_row(there, params![event.to_string()], |row| row.get(0))?;
        if !wanted {
            return Ok(false);
        }
        self.event.insert(tx)?;
        for frame in &self.frames {
            frame.insert(tx, event)?;
        }
        Ok(true)
    }

    /// Which event it is.
    pub fn id(&self) -> EventId {
        self.event.id
    }
}
