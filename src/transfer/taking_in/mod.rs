//! The desk's half of the way out: a bundle is checked whole, and taken whole or not at all.
//!
//! Promises: nothing is taken but what an enrolled box has signed, what no bundle brought before, what goes on
//! from where the box's journal ended last time, and what a key of the office opens, to the last byte.
//! Everything is taken in one transaction: a crash before leaves nothing, a crash after is done. A refused
//! bundle changes nothing here. Files are streamed into the store's own staging under names of its own making,
//! never extracted, never under a name that the bundle gives; nothing of them is shown before all of the bundle has
//! stood its check.

mod judging;
mod opening;

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::params;
use serde_json::json;

use super::contents::{Contents, Listed};
use super::desk::Desk;
use super::inspect::walk;
use super::{BundleName, CONTENTS, Error, Folder, LONGEST_DOCUMENT, Reason, Refusal, io_at};
use crate::frame::{BoxTime, Digest, EventId};
use crate::vault::item::{ItemId, Stanza};
use crate::vault::journal::{Head, Line};
use crate::vault::keys::Fingerprint;
use crate::vault::store::Tx;
use crate::vault::{self, DeviceId, DevicePublic, Kind, Recipient, Staged, Staging, signed};

/// What became of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Imported {
        /// Items that are new here.
        items: u64,
        /// Items that were here before and have been erased since.
        erased_before: u64,
        /// Items that the box could not bring, for its copy is damaged.
        damaged: u64,
    },
    /// It was taken before.
    AlreadyImported,
}

/// The bundles that lie in a folder, in the order in which they are to be taken.
pub fn bundles(on_stick: &Folder) -> Result<Vec<BundleName>, Error> {
    let names = on_stick.names().map_err(io_at(on_stick.path()))?;
    let mut found: Vec<BundleName> = names.iter().filter_map(|name| name.parse().ok()).collect();
    found.sort_unstable();
    Ok(found)
}

/// How far a bundle has been checked, copied and opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes done.
    pub done: u64,
    /// Of how many.
    pub of: u64,
}

/// Is told how far it is, and says whether to go on.
pub type Watch<'w> = &'w mut dyn FnMut(Progress) -> bool;

/// Takes one bundle.
pub fn import(desk: &mut Desk, on_stick: &Folder, name: BundleName, now: BoxTime) -> Result<Outcome, Error> {
    let watch: Watch<'_> = &mut |_| true;
    let Some(bundle) = begin(desk, on_stick, name)? else {
        return Ok(Outcome::AlreadyImported);
    };
    let chosen = bundle.check()?.choose(desk, now)?;
    let opened = chosen.open(&desk.keys, watch)?;
    opened.commit(desk, now)
}

/// A bundle that has come, and what the desk knows of its box. The steps from here to [`Opened::commit`] are those
/// of [`import`]; [`check`](Bundle::check), and [`open`](Chosen::open), which is the long one, need no desk: others work at
/// it meanwhile. What was true of the box when they began is asked again at the end.
pub struct Bundle {
    folder: Folder,
    name: BundleName,
    device: DevicePublic,
    /// Whose bundle it is says its contents document, not its name.
    enrolled: BTreeMap<DeviceId, DevicePublic>,
    last: Option<u64>,
    pinned: Head,
}

/// A bundle whose papers are what its box signed, and follow from what is known.
pub struct Followed {
    bundle: Bundle,
    contents: Contents,
    text: String,
    told_earlier: Vec<ItemId>,
}

/// The same, and what of it is new here.
pub struct Chosen {
    followed: Followed,
    new: Vec<Listed>,
    erased_before: u64,
    /// What the content keys of events of which something is here already are wrapped as.
    wrapped: BTreeMap<EventId, Vec<Stanza>>,
    recipients: Vec<Recipient>,
    staging: Staging,
}

/// What is durable here, opened, and has no row yet.
pub struct Opened {
    followed: Followed,
    items: Vec<Staged>,
    wraps: BTreeMap<EventId, Vec<Stanza>>,
    drill: Digest,
    opened_by: Fingerprint,
    erased_before: u64,
}

/// Finds a bundle of an enrolled box; nothing if it is the one that was taken last.
pub fn begin(desk: &Desk, on_stick: &Folder, name: BundleName) -> Result<Option<Bundle>, Error> {
    let Some(device) = desk.traps.get(&name.device).cloned() else {
        let what = format!("the box {} is not enrolled at this desk", name.device);
        return Err(Refusal::new(Reason::UnknownSigner, what).into());
    };
    let folder = on_stick.within(&name.to_string()).map_err(|error| {
        Refusal::new(
            Reason::Damaged,
            format!("{name}: it is no folder of its own: {error}"),
        )
    })?;
    let last = desk.last_bundle(device.id())?;
    let same = |text: &String| last.as_ref().is_some_and(|last| last.text == *text);
    if folder
        .text(CONTENTS, LONGEST_DOCUMENT)
        .is_ok_and(|text| same(&text))
    {
        return Ok(None);
    }
    Ok(Some(Bundle {
        pinned: desk.pinned(&device)?,
        enrolled: desk.traps.clone(),
        folder,
        name,
        device,
        last: last.map(|last| last.contents.bundle),
    }))
}

fn changed(name: &str, error: impl ToString) -> Refusal {
    let what = format!("{name}: it changed while it was taken: {}", error.to_string());
    Refusal::new(Reason::Damaged, what)
}

impl Opened {
    /// Takes it, in one transaction.
    pub fn commit(self, desk: &mut Desk, now: BoxTime) -> Result<Outcome, Error> {
        let Self {
            followed, mut items, ..
        } = self;
        let Followed {
            bundle,
            contents,
            text,
            ..
        } = followed;
        // What was erased at the desk since it was chosen is not taken again, nor is what follows from another line
        // than the journal has by now.
        let known = desk
            .last_bundle(contents.device)?
            .map(|last| last.contents.bundle);
        if known != bundle.last || desk.pinned(&bundle.device)? != bundle.pinned {
            let what = format!(
                "another bundle of the box {} was taken meanwhile",
                contents.device
            );
            return Err(Refusal::new(Reason::Replay, what).into());
        }
        let mut erased = BTreeSet::new();
        for staged in &items {
            let event = staged.id().event;
            if desk.erased(event)? {
                erased.insert(event);
            }
        }
        let before = items.len();
        items.retain(|staged| !erased.contains(&staged.id().event));
        let outcome = Outcome::Imported {
            items: items.len() as u64,
            erased_before: self.erased_before + (before - items.len()) as u64,
            damaged: contents.damaged.len() as u64,
        };
        let device = contents.device.to_string();
        let body = json!({
            "bundle": contents.bundle,
            "contents": signed::digest(&text),
            "device": contents.device,
            "head": contents.journal.head,
            "items": items.len(),
        });
        desk.store.transaction(|tx| {
            for staged in items {
                let (id, digest) = (staged.id(), staged.digest());
                tx.insert_item(now, staged)?;
                tx.raw().execute(
                    "INSERT INTO taken (event, number, device, sha256) VALUES (?, ?, ?, ?)",
                    params![id.event.to_string(), id.number, device, digest.to_string()],
                )?;
            }
            for (event, stanzas) in &self.wraps {
                if erased.contains(event) {
                    continue;
                }
                let bytes: Vec<u8> = stanzas.iter().flat_map(Stanza::to_bytes).collect();
                tx.raw().execute(
                    "INSERT OR IGNORE INTO wrap (event, stanzas) VALUES (?, ?)",
                    params![event.to_string(), bytes],
                )?;
            }
            take_lines(tx, &bundle.folder, &contents, bundle.pinned)?;
            tx.raw().execute(
                "INSERT INTO trap_bundle (device, number, contents, drill, opened_by) VALUES (?, ?, ?, ?, ?)",
                params![
                    device,
                    contents.bundle,
                    text,
                    self.drill.to_string(),
                    self.opened_by.to_string()
                ],
            )?;
            let kind = Kind::Imported;
            Ok::<_, Error>(tx.journal(now, &vault::Entry { kind, body })?)
        })?;
        Ok(outcome)
    }
}

/// Keeps the box's journal from where it was known. It is walked again, for the stick is not ours: what is kept
/// is what was checked.
fn take_lines(tx: &Tx<'_>, folder: &Folder, contents: &Contents, pinned: Head) -> Result<(), Error> {
    let device = contents.device.to_string();
    let mut insert = tx.raw().prepare(
        "INSERT INTO trap_line (device, seq, time, kind, body, prev, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?;
    let mut keep = |line: Line| -> rusqlite::Result<()> {
        if line.seq > pinned.seq {
            insert.execute(params![
                device,
                line.seq,
                line.time,
                line.kind,
                line.body,
                line.prev.as_bytes(),
                line.hash.as_bytes()
            ])?;
        }
        Ok(())
    };
    let mut failed = None;
    let walked = walk(folder, contents, |line| {
        keep(line).map_err(|error| {
            let what = error.to_string();
            failed = Some(error);
            what
        })
    });
    match (failed, walked) {
        (Some(error), _) => Err(error.into()),
        (None, Err(what)) => Err(changed(super::JOURNAL, what).into()),
        (None, Ok(())) => Ok(()),
    }
}
