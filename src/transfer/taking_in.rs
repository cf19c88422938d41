//! The desk's half of the way out: a bundle is checked whole, then taken whole.
//!
//! Promises: nothing is taken but what an enrolled box has signed, what no bundle brought before, what goes on
//! from where the box's journal ended last time, and what a key of the office opens, to the last byte.
//! Everything is taken in one transaction: a crash before leaves nothing, a crash after is done. A refused
//! bundle changes nothing here. Files are streamed into the store's own staging under names of its own making,
//! never extracted, never under a name that the bundle gives. What was here before is not taken again, be it
//! in the store or erased since.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read as _};

use rusqlite::params;
use serde_json::json;
use zeroize::Zeroizing;

use super::contents::{Contents, Listed};
use super::desk::Desk;
use super::inspect::{Inspection, inspect, walk};
use super::{BundleName, CONTENTS, DRILL, Error, Folder, LONGEST_DOCUMENT, Reason, Refusal, drill, io_at};
use crate::frame::{BoxTime, Digest, EventId};
use crate::vault::item::{Header, Stanza};
use crate::vault::journal::{Head, Line};
use crate::vault::keys::Fingerprint;
use crate::vault::seal::{self, rewrap};
use crate::vault::store::{self, Tx};
use crate::vault::{Entry, Kind, OfficeKey, Recipient, Staged, signed};

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

/// Takes one bundle.
pub fn import(desk: &mut Desk, on_stick: &Folder, name: BundleName, now: BoxTime) -> Result<Outcome, Error> {
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
        return Ok(Outcome::AlreadyImported);
    }
    let pinned = desk.pinned(&device)?;
    let found = inspect(
        &folder,
        Some(name),
        |contents| desk.traps.get(&contents.device).cloned(),
        pinned.seq,
    );
    let (contents, text) = whole(&found)?;
    follows(contents, last.map(|last| last.contents.bundle), pinned, &found)?;
    let new = new_items(desk, contents, &found)?;
    refuse_without_room(desk, &new)?;
    let taken = open_all(desk, &folder, contents, &new, &desk.ring.choose(now).recipients)?;
    let mut erased_before = 0;
    let mut new = new.iter().map(Listed::id).peekable();
    for id in contents.items.iter().map(Listed::id) {
        // Both lists are in order.
        if new.next_if_eq(&id).is_none() && !desk.holds(id)? {
            erased_before += 1;
        }
    }
    let items = taken.items.len() as u64;
    commit(desk, &folder, contents, text, taken, pinned, now)?;
    Ok(Outcome::Imported {
        items,
        erased_before,
        damaged: contents.damaged.len() as u64,
    })
}

/// The contents of a bundle without a fault.
fn whole(found: &Inspection) -> Result<(&Contents, &String), Refusal> {
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
            "its journal begins behind line {}; the last one known here is {}: a bundle is missing",
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
fn new_items(desk: &Desk, contents: &Contents, found: &Inspection) -> Result<Vec<Listed>, Error> {
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
            None if found.told_earlier.contains(&id) && !desk.was_sealed(item, contents.device)? => {
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

/// What is durable here, opened, and has no row yet.
struct Opened {
    items: Vec<Staged>,
    wraps: BTreeMap<EventId, Vec<Stanza>>,
    drill: Digest,
    opened_by: Fingerprint,
}

/// Copies the new items into the staging, and opens each copy, and the drill.
fn open_all(
    desk: &Desk,
    folder: &Folder,
    contents: &Contents,
    new: &[Listed],
    recipients: &[Recipient],
) -> Result<Opened, Error> {
    let (drill, opened_by) = open_drill(desk, folder, contents)?;
    let staging = desk.store.staging();
    let mut opened = Opened {
        items: Vec::with_capacity(new.len()),
        wraps: BTreeMap::new(),
        drill,
        opened_by,
    };
    let mut sealed_to: BTreeMap<EventId, Vec<Stanza>> = BTreeMap::new();
    for item in new {
        let name = item.id().to_string();
        let (file, _) = folder.file(&name).map_err(|error| changed(&name, error))?;
        let staged = staging
            .take_in(file, item.facts(contents.device))
            .map_err(|error| match error {
                store::Error::NotAsListed { .. } => Error::from(changed(&name, error)),
                error => error.into(),
            })?;
        let header = open_one(desk, &staged, desk.wrapped(item.event)?)?;
        // One content key is wrapped for the whole event: it must be that of each of its items.
        let first = sealed_to
            .entry(item.event)
            .or_insert_with(|| header.stanzas.clone());
        if *first != header.stanzas {
            return Err(other_key(&name).into());
        }
        if let std::collections::btree_map::Entry::Vacant(wrap) = opened.wraps.entry(item.event)
            && let Some(key) = desk.key_for(&header.stanzas)
        {
            wrap.insert(rewrap(&header, &header.stanzas, key, recipients)?);
        }
        opened.items.push(staged);
    }
    Ok(opened)
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

fn key_for<'d>(desk: &'d Desk, name: &str, header: &Header) -> Result<&'d OfficeKey, Refusal> {
    desk.key_for(&header.stanzas).ok_or_else(|| {
        let stanzas = header.stanzas.iter();
        let to = stanzas.map(|s| format!("{} {} ({})", s.role, s.epoch, s.fingerprint));
        let to = to.collect::<Vec<_>>().join(", ");
        cannot_open(
            name,
            format!("sealed to {to}; this desk holds none of these keys"),
        )
    })
}

/// Opens a staged copy to its last byte: a box that seals to nobody is found out before its originals go.
/// An item that comes after others of its event must open with the key that was wrapped for these.
fn open_one(desk: &Desk, staged: &Staged, wrapped: Option<Vec<Stanza>>) -> Result<Header, Error> {
    let name = staged.id().to_string();
    let file = File::open(staged.path()).map_err(io_at(staged.path()))?;
    let mut source = BufReader::new(file);
    let header = Header::read(&mut source).map_err(seal::Error::from)?;
    let key = key_for(desk, &name, &header)?;
    let whole = File::open(staged.path()).map_err(io_at(staged.path()))?;
    let opened = seal::open(BufReader::new(whole), key).map_err(|error| cannot_open(&name, error))?;
    drop(Zeroizing::new(opened.plaintext));
    if let Some(stanzas) = wrapped
        && let Some(key) = desk.key_for(&stanzas)
    {
        let again = File::open(staged.path()).map_err(io_at(staged.path()))?;
        let opened = seal::open_with(BufReader::new(again), &stanzas, key);
        let opened = opened.map_err(|_| other_key(&name))?;
        drop(Zeroizing::new(opened.plaintext));
    }
    Ok(header)
}

fn open_drill(desk: &Desk, folder: &Folder, contents: &Contents) -> Result<(Digest, Fingerprint), Error> {
    let read = || -> io::Result<Vec<u8>> {
        let (file, _) = folder.file(DRILL)?;
        let mut bytes = Vec::new();
        file.take(contents.drill.size).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| changed(DRILL, error))?;
    let header = Header::read(&mut &bytes[..]).map_err(|error| changed(DRILL, error))?;
    let key = key_for(desk, DRILL, &header)?;
    let opened = seal::open(&bytes[..], key).map_err(|error| cannot_open(DRILL, error))?;
    let plaintext = Zeroizing::new(opened.plaintext);
    Ok((drill::answer(&plaintext), key.recipient().fingerprint()))
}

fn commit(
    desk: &mut Desk,
    folder: &Folder,
    contents: &Contents,
    text: &str,
    opened: Opened,
    pinned: Head,
    now: BoxTime,
) -> Result<(), Error> {
    let device = contents.device.to_string();
    let body = json!({
        "bundle": contents.bundle,
        "contents": signed::digest(text),
        "device": contents.device,
        "head": contents.journal.head,
        "items": opened.items.len(),
    });
    desk.store.transaction(|tx| {
        for staged in opened.items {
            let (id, digest) = (staged.id(), staged.digest());
            tx.insert_item(now, staged)?;
            tx.raw().execute(
                "INSERT INTO taken (event, number, device, sha256) VALUES (?, ?, ?, ?)",
                params![id.event.to_string(), id.number, device, digest.to_string()],
            )?;
        }
        for (event, stanzas) in &opened.wraps {
            let bytes: Vec<u8> = stanzas.iter().flat_map(Stanza::to_bytes).collect();
            tx.raw().execute(
                "INSERT OR IGNORE INTO wrap (event, stanzas) VALUES (?, ?)",
                params![event.to_string(), bytes],
            )?;
        }
        take_lines(tx, folder, contents, pinned)?;
        tx.raw().execute(
            "INSERT INTO trap_bundle (device, number, contents, drill, opened_by) VALUES (?, ?, ?, ?, ?)",
            params![
                device,
                contents.bundle,
                text,
                opened.drill.to_string(),
                opened.opened_by.to_string()
            ],
        )?;
        let kind = Kind::Imported;
        Ok::<_, Error>(tx.journal(now, &Entry { kind, body })?)
    })
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
