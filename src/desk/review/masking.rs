//! Masking more at the desk: rectangles where the machine missed somebody, and every plate but the involved one.
//!
//! Promises: a frame's new version hides all that the former hid, and more; it is sealed under the event's own content
//! key, and the former version is destroyed in the transaction that brings it in. Which plate is whose is not the
//! program's to know: the agent says which one is involved. The work on the picture needs no lock
//! ([`Former::masked`]); [`Masked::commit`] takes it only if nobody else changed the event meanwhile.

use rusqlite::params;
use serde_json::json;

use super::{Agent, Error, must_be_open};
use crate::desk::events::{self, Event, Frame, Items, State};
use crate::frame::{BoxTime, Digest, EventId};
use crate::redact::{Canvas, Manifest, Mask, mask_more};
use crate::vault::item::ItemKind;
use crate::vault::store::Cause;
use crate::vault::{Entry, EventSealer, Kind, OfficeKey, Staged, Staging, Store, store};
use crate::vision::geometry::Rect;

/// Rectangles in one form at most.
pub const MOST_RECTANGLES: usize = 64;
/// Plates are hidden this much larger on each side: half a letter at a plate's edge is read by whoever knows the rest.
const PLATE_MARGIN: f32 = 0.2;

/// What is to be hidden.
#[derive(Debug, Clone, PartialEq)]
pub enum Hide {
    /// These rectangles, in pixels of the upright frame.
    Rectangles(Vec<Rect>),
    /// Every plate that was found but this one, counted from 0; without one, every plate.
    PlatesBut(Option<usize>),
}

impl Hide {
    /// The part of a frame that it covers.
    pub fn mask(&self, manifest: &Manifest) -> Result<Mask, Error> {
        let canvas = canvas(manifest)?;
        let mut mask = Mask::none(canvas.grid);
        match self {
            Self::Rectangles(rectangles) => {
                let size = canvas.orientation.turned(canvas.stored);
                for rect in rectangles.iter().take(MOST_RECTANGLES) {
                    let inside = rect.clipped(size);
                    if inside.w > 0.0 && inside.h > 0.0 {
                        canvas.hide(&mut mask, inside);
                    }
                }
            }
            Self::PlatesBut(involved) => {
                let plates = &manifest.found.plates;
                let others = (0..).zip(plates).filter(|(nth, _)| Some(*nth) != *involved);
                for (_, plate) in others {
                    canvas.hide(&mut mask, plate.rect.grown(PLATE_MARGIN));
                }
                // No pixel of the plate that is the evidence (findings/law.md §7, I20).
                if let Some(plate) = involved.and_then(|nth| plates.get(nth)) {
                    mask.subtract(&canvas.around(plate.rect));
                }
            }
        }
        Ok(mask)
    }
}

fn canvas(manifest: &Manifest) -> Result<Canvas, Error> {
    let canvas = manifest.canvas().map_err(crate::redact::Error::from)?;
    Ok(canvas)
}

/// Whether a frame shows the plates of one vehicle at most: there is one plate such that nothing outside of its own
/// place is left of any other that was found.
pub fn shows_one_plate(manifest: &Manifest) -> Result<bool, Error> {
    let (canvas, plates) = (canvas(manifest)?, &manifest.found.plates);
    let hidden = manifest.hidden().map_err(crate::redact::Error::from)?;
    let is_alone = |involved: usize| {
        let mut covered = hidden.clone();
        covered.unite(&canvas.around(plates[involved].rect));
        plates.iter().all(|plate| canvas.is_hidden(&covered, plate.rect))
    };
    Ok(plates.len() < 2 || (0..plates.len()).any(is_alone))
}

/// Which of the plates that were found a frame still shows, wholly or in part; counted from 0.
pub fn plates_shown(manifest: &Manifest) -> Result<Vec<usize>, Error> {
    let canvas = canvas(manifest)?;
    let hidden = manifest.hidden().map_err(crate::redact::Error::from)?;
    let shown = (0..)
        .zip(&manifest.found.plates)
        .filter(|(_, plate)| canvas.hidden_share(&hidden, plate.rect) < 1.0);
    Ok(shown.map(|(nth, _)| nth).collect())
}

/// A frame of which more is to be hidden, taken from the desk under its lock.
pub struct Former {
    event: EventId,
    version: u32,
    next_item: u32,
    frame: Frame,
    items: Items,
    staging: Staging,
}

/// The same frame with more hidden, durable, and not the event's yet.
pub struct Masked {
    former: Former,
    staged: [Staged; 2],
    sha256: Digest,
    manifest: Digest,
}

impl Former {
    /// The frame in this place of an event that the agent has opened.
    pub fn of(store: &Store, agent: Agent<'_>, id: EventId, version: u32, place: u32) -> Result<Self, Error> {
        let event = Event::at_version(store.sql(), id, version)?;
        must_be_open(store.sql(), agent, id)?;
        if event.state == State::Aside {
            return Err(events::Error::Changed(id).into());
        }
        Ok(Self {
            event: id,
            version,
            next_item: event.next_item,
            frame: Frame::find(store.sql(), id, place)?.ok_or(events::Error::NotThere(id))?,
            items: Items::of(store, id)?,
            staging: store.staging(),
        })
    }

    /// Makes the version that hides more, and seals it. Needs no desk.
    pub fn masked(self, hide: &Hide, keys: &[OfficeKey], now: BoxTime) -> Result<Masked, Error> {
        let (manifest, _) = self.items.manifest(&self.frame, keys)?;
        let added = hide.mask(&manifest)?;
        if added.is_empty() {
            return Err(Error::NothingToHide);
        }
        let (header, jpeg) = self.items.open(self.frame.frame, ItemKind::Frame, keys)?;
        let redacted = mask_more(&jpeg, &manifest, &added, now)?;
        let key = self.items.key(keys)?;
        let mut sealer = EventSealer::going_on(&header, self.items.stanzas(), key, self.next_item)?;
        let sealed = sealer.seal_frame(&redacted)?;
        let [frame, manifest] = sealed.map(|sealed| self.staging.stage(sealed));
        let json = redacted
            .manifest()
            .to_json()
            .map_err(crate::vault::seal::Error::from)?;
        Ok(Masked {
            staged: [self.unless_taken(frame)?, self.unless_taken(manifest)?],
            sha256: redacted.manifest().redacted.sha256,
            manifest: Digest::of(&json),
            former: self,
        })
    }

    /// Somebody else masks the same event at this very moment: one of both was first.
    fn unless_taken(&self, staged: Result<Staged, store::Error>) -> Result<Staged, Error> {
        staged.map_err(|error| match error {
            store::Error::Duplicate(_) => events::Error::Changed(self.event).into(),
            error => error.into(),
        })
    }
}

impl Masked {
    /// Puts it in the former version's place, and destroys that.
    pub fn commit(self, store: &mut Store, agent: Agent<'_>) -> Result<(), Error> {
        let Former {
            event: id,
            version,
            frame,
            ..
        } = self.former;
        let [picture, manifest] = self.staged;
        let numbers = [picture.id().number, manifest.id().number];
        let body = json!({
            "account": agent.account,
            "event": id,
            "former": frame.sha256,
            "frame": frame.place,
            "manifest": self.manifest,
            "sha256": self.sha256,
        });
        store.transaction(|tx| {
            let event = Event::at_version(tx.raw(), id, version)?;
            must_be_open(tx.raw(), agent, id)?;
            if event.next_item > numbers[0] || event.state == State::Aside {
                return Err(events::Error::Changed(id).into());
            }
            tx.insert_item(agent.now, picture)?;
            tx.insert_item(agent.now, manifest)?;
            tx.erase_items(agent.now, id, &[frame.frame, frame.manifest], Cause::Superseded)?;
            tx.raw().execute(
                "UPDATE event_frame SET frame = ?, manifest = ?, sha256 = ?, confirmed_by = NULL, confirmed = NULL
                 WHERE event = ? AND place = ?",
                params![
                    numbers[0],
                    numbers[1],
                    self.sha256.to_string(),
                    id.to_string(),
                    frame.place
                ],
            )?;
            tx.raw().execute(
                "UPDATE event SET next_item = ?, version = version + 1 WHERE id = ?",
                params![numbers[1] + 1, id.to_string()],
            )?;
            let kind = Kind::MaskedMore;
            Ok(tx.journal(agent.now, &Entry { kind, body })?)
        })
    }
}
