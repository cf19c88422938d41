//! The frames of an event: which items they are, and how they open.
//!
//! Promises: what is opened is checked to its last byte and held against the digest that the index has, so nobody is
//! ever shown another picture than the one that is put on record as shown. [`Items`] is taken from the desk under its
//! lock and used without it: opening megabytes keeps nobody waiting. Leaves who may see what to the pages.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use rusqlite::{Connection, params};

use super::{Error, read};
use crate::frame::{BoxTime, CameraTime, Digest, EventId};
use crate::redact::Manifest;
use crate::transfer::desk::{choose_key, wrapped};
use crate::vault::item::{Header, ItemId, ItemKind, LONGEST, Stanza};
use crate::vault::store::{ITEMS, Tx};
use crate::vault::{OfficeKey, Store, seal};

/// One frame in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its place in the event, from 1; the same in every version.
    pub place: u32,
    /// The item that holds the picture.
    pub frame: u32,
    /// The item that holds its manifest.
    pub manifest: u32,
    /// Of the redacted picture, in the version that is there.
    pub sha256: Digest,
    /// By the camera's corrected clock.
    pub taken: Option<CameraTime>,
    /// Who confirmed that it may leave the desk as it is now, and when.
    pub confirmed: Option<(String, BoxTime)>,
}

impl Frame {
    /// An event's frames, in order.
    pub fn all(sql: &Connection, event: EventId) -> Result<Vec<Self>, Error> {
        let mut query = sql.prepare_cached(
            "SELECT place, frame, manifest, sha256, taken, confirmed_by, confirmed FROM event_frame
             WHERE event = ? ORDER BY place",
        )?;
        let mut rows = query.query([event.to_string()])?;
        let mut frames = Vec::new();
        while let Some(row) = rows.next()? {
            let taken: Option<String> = row.get(4)?;
            let confirmed = match (row.get(5)?, row.get::<_, Option<String>>(6)?) {
                (Some(by), Some(at)) => Some((by, BoxTime(read(&at)?))),
                _ => None,
            };
            frames.push(Self {
                place: row.get(0)?,
                frame: row.get(1)?,
                manifest: row.get(2)?,
                sha256: read(&row.get::<_, String>(3)?)?,
                taken: taken.as_deref().map(read).transpose()?.map(CameraTime),
                confirmed,
            });
        }
        Ok(frames)
    }

    /// The frame in this place.
    pub fn find(sql: &Connection, event: EventId, place: u32) -> Result<Option<Self>, Error> {
        Ok(Self::all(sql, event)?
            .into_iter()
            .find(|frame| frame.place == place))
    }

    pub(super) fn insert(&self, tx: &Tx<'_>, event: EventId) -> Result<(), Error> {
        tx.raw().execute(
            "INSERT INTO event_frame (event, place, frame, manifest, sha256, taken) VALUES (?, ?, ?, ?, ?, ?)",
            params![
                event.to_string(),
                self.place,
                self.frame,
                self.manifest,
                self.sha256.to_string(),
                self.taken.map(|taken| taken.to_string()),
            ],
        )?;
        Ok(())
    }
}

/// Where an event's items lie, and to whom its content key is wrapped.
#[derive(Debug, Clone)]
pub struct Items {
    event: EventId,
    folder: PathBuf,
    stanzas: Vec<Stanza>,
}

impl Items {
    /// Of an event in the store.
    pub fn of(store: &Store, event: EventId) -> Result<Self, Error> {
        Ok(Self {
            event,
            folder: store.dir().join(ITEMS),
            stanzas: wrapped(store.sql(), event)?.ok_or(Error::NotThere(event))?,
        })
    }

    /// To whom the content key is wrapped.
    pub fn stanzas(&self) -> &[Stanza] {
        &self.stanzas
    }

    /// The one of `keys` that opens them.
    pub fn key<'k>(&self, keys: &'k [OfficeKey]) -> Result<&'k OfficeKey, Error> {
        choose_key(keys, &self.stanzas).ok_or(Error::NoKey(self.event))
    }

    /// Opens one item; its header, and what it holds.
    pub fn open(&self, number: u32, kind: ItemKind, keys: &[OfficeKey]) -> Result<(Header, Vec<u8>), Error> {
        let key = self.key(keys)?;
        let id = ItemId {
            event: self.event,
            number,
        };
        // An item that was destroyed meanwhile has no file, or one that opens no more.
        let file = File::open(self.folder.join(id.to_string())).map_err(|_| Error::NotThere(self.event))?;
        let opened = seal::open_with(BufReader::new(file), &self.stanzas, key);
        let opened = opened.map_err(|source| Error::Seal {
            event: self.event,
            item: number,
            source,
        })?;
        let (header, plaintext) = (opened.header, opened.plaintext);
        if header.id != id || header.kind != kind || plaintext.len() as u64 > LONGEST {
            return Err(self.odd(number, "it is another item than its name says"));
        }
        Ok((header, plaintext))
    }

    /// The redacted picture of a frame.
    pub fn picture(&self, frame: &Frame, keys: &[OfficeKey]) -> Result<Vec<u8>, Error> {
        let (_, jpeg) = self.open(frame.frame, ItemKind::Frame, keys)?;
        match Digest::of(&jpeg) == frame.sha256 {
            true => Ok(jpeg),
            false => Err(self.odd(frame.frame, "it is not the picture that its manifest tells of")),
        }
    }

    /// The manifest of a frame, and its digest.
    pub fn manifest(&self, frame: &Frame, keys: &[OfficeKey]) -> Result<(Manifest, Digest), Error> {
        self.manifest_at(frame.manifest, keys)
    }

    pub(super) fn manifest_at(&self, number: u32, keys: &[OfficeKey]) -> Result<(Manifest, Digest), Error> {
        let (_, json) = self.open(number, ItemKind::Manifest, keys)?;
        match Manifest::from_json(&json) {
            Ok(manifest) => Ok((manifest, Digest::of(&json))),
            Err(error) => Err(self.odd(number, &format!("this is no manifest: {error}"))),
        }
    }

    pub(super) fn odd(&self, item: u32, what: &str) -> Error {
        Error::Content {
            event: self.event,
            item,
            what: what.to_owned(),
        }
    }
}
