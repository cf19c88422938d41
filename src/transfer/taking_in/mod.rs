//! The desk's half of the way out: a bundle is checked whole, and taken whole or not at all.
//!
//! Promises: nothing is taken but what an enrolled box has signed, what no bundle brought before, what goes on
//! from where the box's journal ended last time, and what a key of the office opens, to the last byte.
//! Everything is taken in one transaction: a crash before leaves nothing, a crash after is done. A refused
//! bundle changes nothing here. Each item is read once: the bytes that are hashed against what the box signed are those
//! that are copied and opened. Files are streamed into the store's own staging under names of its own making,
//! never extracted, never under a name that the bundle gives; nothing of them is shown before all of the bundle has
//! stood its check. What was here before is not taken again, be it in the store or erased since.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::params;
use serde_json::json;
use zeroize::Zeroizing;

use super::contents::{Contents, Listed};
use super::desk::{Desk, choose_key};
use super::inspect::{self, Inspection, as_listed, papers, walk};
use super::{
    BundleName, CONTENTS, DRILL, Error, Folder, LONGEST_DOCUMENT, Reason, Refusal, drill, io_at, several,
};
use crate::frame::{BoxTime, Digest, EventId};
use crate::vault::item::{Header, ItemId, Stanza};
use crate::vault::journal::{Head, Line};
use crate::vault::keys::Fingerprint;
use crate::vault::seal::{self, rewrap};
use crate::vault::store::{self, Tx};
use crate::vault::{self, DeviceId, DevicePublic, Kind, OfficeKey, Recipient, Staged, Staging, signed};

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

impl Bundle {
    /// Looks at all of it but the items; if that has a fault, at these too, to name what else has one.
    pub fn check(self) -> Result<Followed, Error> {
        let own = |contents: &Contents| self.enrolled.get(&contents.device).cloned();
        let mut found = papers(&self.folder, Some(self.name), own, self.pinned.seq);
        if !found.faults.is_empty() {
            inspect::items(&self.folder, &mut found);
        }
        let (contents, text) = sound(&found)?;
        follows(contents, self.last, self.pinned, &found)?;
        Ok(Followed {
            contents: contents.clone(),
            text: text.clone(),
            told_earlier: found.told_earlier,
            bundle: self,
        })
    }
}

impl Followed {
    /// Finds out what of it was never here, and to whom its content keys are to be wrapped.
    pub fn choose(self, desk: &Desk, now: BoxTime) -> Result<Chosen, Error> {
        let new = new_items(desk, &self.contents, &self.told_earlier)?;
        refuse_without_room(desk, &new)?;
        let mut wrapped = BTreeMap::new();
        for item in &new {
            if let Some(stanzas) = desk.wrapped(item.event)? {
                wrapped.insert(item.event, stanzas);
            }
        }
        let mut erased_before = 0;
        let mut is_new = new.iter().map(Listed::id).peekable();
        for id in self.contents.items.iter().map(Listed::id) {
            // Both lists are in order.
            if is_new.next_if_eq(&id).is_none() && !desk.holds(id)? {
                erased_before += 1;
            }
        }
        Ok(Chosen {
            followed: self,
            new,
            erased_before,
            wrapped,
            recipients: desk.ring.choose(now).recipients,
            staging: desk.store.staging(),
        })
    }
}

/// The contents of a bundle without a fault.
fn sound(found: &Inspection) -> Result<(&Contents, &String), Refusal> {
    match &found.contents {
        Some((contents, text)) if found.faults.is_empty() => Ok((contents, text)),
        _ => Err(Refusal {
            reason: match found.unknown_signer {
                true => Reason::UnknownSigner,
                false if found.other_name => Reason::OtherDevice,
                false => Reason::Damaged,
            },
            details: found.faults.iter().map(ToString::to_string).collect(),
        }),
    }
}

/// Whether the bundle comes after the last one, and its journal goes on from where that one's ended. Pure.
fn follows(contents: &Contents, last: Option<u64>, pinned: Head, found: &Inspection) -> Result<(), Refusal> {
    let refuse = |reason, what: String| Err(Refusal::new(reason, what));
    let excerpt = &contents.journal;
    match last {
        Some(last) if contents.bundle < last => {
            let what = format!(
                "bundle {} was taken already; this is number {}",
                last, contents.bundle
            );
            return refuse(Reason::Replay, what);
        }
        Some(last) if contents.bundle == last => {
            let what = format!("another bundle of the number {last} was taken: the box has two histories");
            return refuse(Reason::Fork, what);
        }
        _ => {}
    }
    if excerpt.after.seq > pinned.seq {
        let what = format!(
            "its journal begins behind line {}; the last one known here is {}: the box was answered by a desk that knew \
             more; if this desk was restored from a backup, order the box to resend",
            excerpt.after.seq, pinned.seq
        );
        return refuse(Reason::Gap, what);
    }
    if found.met != Some(pinned.hash) {
        let what = match excerpt.head.seq < pinned.seq {
            true => format!(
                "its journal ends with line {}; line {} is known here: it was set back",
                excerpt.head.seq, pinned.seq
            ),
            false => format!(
                "line {} of its journal is another than the one known here",
                pinned.seq
            ),
        };
        return refuse(Reason::Fork, what);
    }
    Ok(())
}

/// The items that were never here.
fn new_items(desk: &Desk, contents: &Contents, told_earlier: &[ItemId]) -> Result<Vec<Listed>, Error> {
    let mut new = Vec::new();
    for item in &contents.items {
        let id = item.id();
        match desk.taken(id)? {
            Some(taken) if taken.device != contents.device.to_string() => {
                let what = format!("{id} was taken from the box {}", taken.device);
                return Err(Refusal::new(Reason::OtherDevice, what).into());
            }
            Some(taken) if taken.sha256 != item.sha256.to_string() => {
                let what = format!("{id} was taken before with another content");
                return Err(Refusal::new(Reason::Damaged, what).into());
            }
            Some(_) => {}
            None if told_earlier.contains(&id) && !desk.was_sealed(item, contents.device)? => {
                let what = format!("{id}: no line of the box's journal tells that it was sealed");
                return Err(Refusal::new(Reason::Damaged, what).into());
            }
            // Of an event that was erased, what comes late is not taken either.
            None if desk.erased(item.event)? => {}
            None => new.push(*item),
        }
    }
    Ok(new)
}

fn refuse_without_room(desk: &Desk, new: &[Listed]) -> Result<(), Error> {
    let dir = desk.store.dir();
    let fs = rustix::fs::statvfs(dir).map_err(|errno| io_at(dir)(errno.into()))?;
    let free = fs.f_bavail.saturating_mul(fs.f_frsize);
    let needed = new.iter().map(|item| item.size).fold(0, u64::saturating_add);
    match needed <= free {
        true => Ok(()),
        false => Err(Error::NoRoom {
            path: dir.to_owned(),
            needed,
            free,
        }),
    }
}

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

fn changed(name: &str, error: impl ToString) -> Refusal {
    let what = format!("{name}: it changed while it was taken: {}", error.to_string());
    Refusal::new(Reason::Damaged, what)
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
    let opened = seal::open_behind(header, source, key).map_err(|error| cannot_open(name, error))?;
    drop(Zeroizing::new(opened.plaintext));
    Ok(opened.header)
}

/// An item that comes after others of its event must open with the key that was wrapped for these.
fn opens_with(keys: &[OfficeKey], staged: &Staged, stanzas: &[Stanza]) -> Result<(), Error> {
    let Some(key) = choose_key(keys, stanzas) else {
        return Ok(());
    };
    let again = File::open(staged.path()).map_err(io_at(staged.path()))?;
    let opened = seal::open_with(BufReader::new(again), stanzas, key);
    let opened = opened.map_err(|_| other_key(&staged.id().to_string()))?;
    drop(Zeroizing::new(opened.plaintext));
    Ok(())
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
