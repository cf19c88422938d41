//! A bundle, looked at whole and without keys: what anyone can check.
//!
//! Promises: a bundle without a fault holds exactly what its box signed: every listed file there, of that
//! length and SHA-256, each item with the header of that very item; nothing else there; and a piece of journal
//! that is whole from end to end and tells of exactly these items. Sizes are looked at before files are read,
//! memory is bounded whatever the files say, nothing is written. Leaves to the desk whether it knows the box,
//! where its journal must go on, and opening; the desk checks the items while it copies them ([`super::taking_in`]), and
//! all else by [`papers`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read, Seek as _};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::contents::{Contents, FileFacts, Listed};
use super::{BundleName, CONTENTS, DRILL, Folder, JOURNAL, LONGEST_DOCUMENT, MOST_ITEMS, several};
use crate::frame::Digest;
use crate::vault::export::{Reader, Record};
use crate::vault::item::{Header, ItemId, ItemKind};
use crate::vault::journal::{Head, Kind, Line, canonical};
use crate::vault::store::{ItemFacts, copy_hashed, sealed_body};
use crate::vault::{DeviceId, DevicePublic, signed};

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// File, and line in it.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Inspection {
    /// The contents document and its text, if it is signed as it must be.
    pub contents: Option<(Contents, String)>,
    /// It is whole, and signed by none of those who may sign it.
    pub unknown_signer: bool,
    /// It is a bundle of another box, or of another number, than its folder's name says.
    pub other_name: bool,
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// Listed items of which the excerpt does not tell: an earlier one must have.
    pub told_earlier: Vec<ItemId>,
    /// The hash of the line that was asked for, if the excerpt has it or begins behind it.
    pub met: Option<Digest>,
}

impl Inspection {
    fn fault(&mut self, place: impl ToString, what: impl ToString) {
        self.faults.push(Fault {
            place: place.to_string(),
            what: what.to_string(),
        });
    }

    /// What is missing was named as missing.
    fn unless_missing(&mut self, name: &str, checked: io::Result<()>) {
        match checked {
            Err(error) if error.kind() != io::ErrorKind::NotFound => self.fault(name, error),
            _ => {}
        }
    }
}

/// Looks at the bundle in `folder`, which must be called `name` where that counts. `signer` finds the key of the box that a contents document
/// names; `line` is the number of a journal line whose hash is wanted.
pub fn inspect(
    folder: &Folder,
    name: Option<BundleName>,
    signer: impl FnOnce(&Contents) -> Option<DevicePublic>,
    line: u64,
) -> Inspection {
    let mut found = papers(folder, name, signer, line);
    items(folder, &mut found);
    found
}

/// The same for all but the items.
pub(super) fn papers(
    folder: &Folder,
    name: Option<BundleName>,
    signer: impl FnOnce(&Contents) -> Option<DevicePublic>,
    line: u64,
) -> Inspection {
    let mut found = Inspection::default();
    let names = match folder.names() {
        Ok(names) => names,
        Err(error) => {
            found.fault("", error);
            return found;
        }
    };
    let read = folder
        .text(CONTENTS, LONGEST_DOCUMENT)
        .map_err(|error| error.to_string());
    let text = match read {
        Ok(text) => text,
        Err(error) => {
            found.fault(CONTENTS, error);
            return found;
        }
    };
    let contents = match Contents::read(&text, signer) {
        Ok(contents) => contents,
        Err(error) => {
            found.unknown_signer = matches!(error, signed::Error::Signature(_));
            found.fault(CONTENTS, error);
            return found;
        }
    };
    if name.is_some_and(|name| contents.name() != name) {
        found.other_name = true;
        found.fault(
            CONTENTS,
            format!("this is {}, under another name", contents.name()),
        );
    }
    for what in contents.faults() {
        found.fault(CONTENTS, what);
    }
    if found.faults.is_empty() {
        names_against(&contents, names, &mut found);
        let FileFacts { sha256, size } = contents.drill;
        let own = |header: &Header| header.device == contents.device && header.kind == ItemKind::Record;
        found.unless_missing(DRILL, item_file(folder, DRILL, size, sha256, own));
        journal_against(folder, &contents, line, &mut found);
    }
    found.contents = Some((contents, text));
    found
}

/// Every listed file must be there, under its one name, and nothing else.
fn names_against(contents: &Contents, names: Vec<String>, found: &mut Inspection) {
    let own = [CONTENTS, DRILL, JOURNAL].map(str::to_owned);
    let items = contents.items.iter().map(|item| item.id().to_string());
    let mut missing: BTreeSet<String> = items.chain(own).collect();
    for name in names {
        if !missing.remove(&name) {
            found.fault(name, "it was added: the contents do not tell of it");
        }
    }
    for name in missing {
        found.fault(name, "it is missing");
    }
}

/// Every item, of contents that list nothing impossible.
pub(super) fn items(folder: &Folder, found: &mut Inspection) {
    let Some((contents, _)) = &found.contents else {
        return;
    };
    if !contents.faults().is_empty() {
        return;
    }
    let check = |item: &Listed| as_listed(folder, contents, item);
    let checked = several::each(&contents.items, check, |_, _| true);
    let names = contents.items.iter().map(|item| item.id().to_string());
    let checked: Vec<_> = names.zip(checked.into_iter().flatten()).collect();
    for (name, checked) in checked {
        found.unless_missing(&name, checked);
    }
}

/// Whether a file is the item that the contents list.
pub(super) fn as_listed(folder: &Folder, contents: &Contents, item: &Listed) -> io::Result<()> {
    let facts = item.facts(contents.device);
    let own =
        |header: &Header| (header.device, header.id, header.kind) == (facts.device, facts.id, facts.kind);
    item_file(folder, &item.id().to_string(), facts.size, facts.digest, own)
}

fn item_file(
    folder: &Folder,
    name: &str,
    size: u64,
    sha256: Digest,
    own: impl FnOnce(&Header) -> bool,
) -> io::Result<()> {
    let wrong = |what: String| Err(io::Error::other(what));
    let (mut file, found) = folder.file(name)?;
    if found != size {
        return wrong(format!("{found} bytes, where the contents say {size}"));
    }
    if copy_hashed((&mut file).take(size.saturating_add(1)), &mut io::sink())? != (size, sha256) {
        return wrong("it was changed: its SHA-256 is another".to_owned());
    }
    file.rewind()?;
    let header = Header::read(&mut file).map_err(io::Error::other)?;
    header.check_length(size).map_err(io::Error::other)?;
    match own(&header) {
        true => Ok(()),
        false => wrong("its header is that of another item".to_owned()),
    }
}

/// What the journal tells of items.
#[derive(Default)]
struct Told {
    sealed: BTreeMap<ItemId, ItemFacts>,
    erased: BTreeSet<ItemId>,
}

fn journal_against(folder: &Folder, contents: &Contents, line: u64, found: &mut Inspection) {
    let after = contents.journal.after;
    let mut told = Told::default();
    let mut met = (after.seq == line).then_some(after.hash);
    let walked = walk(folder, contents, |line_read| {
        if line_read.seq == line {
            met = Some(line_read.hash);
        }
        told.line(&line_read, contents.device)
    });
    found.met = met;
    if let Err(what) = walked {
        found.fault(JOURNAL, what);
        return;
    }
    let mut missing = told.sealed;
    for item in &contents.items {
        match missing.remove(&item.id()) {
            Some(facts) if facts == item.facts(contents.device) => {}
            Some(_) => found.fault(JOURNAL, format!("it tells otherwise of {}", item.id())),
            None if told.erased.contains(&item.id()) => {
                found.fault(JOURNAL, format!("it tells that {} was erased", item.id()));
            }
            None => found.told_earlier.push(item.id()),
        }
    }
    for damaged in &contents.damaged {
        missing.remove(&ItemId::from(*damaged));
    }
    for id in missing.keys() {
        found.fault(
            JOURNAL,
            format!("it tells of {id}, which the bundle does not bring"),
        );
    }
}

impl Told {
    fn line(&mut self, line: &Line, device: DeviceId) -> Result<(), String> {
        let unclear = || format!("line {} does not say which items it is about", line.seq);
        if line.kind == Kind::Sealed.as_str() {
            let facts = sealed_item(&line.body, device).ok_or_else(unclear)?;
            self.sealed.insert(facts.id, facts);
        } else if line.kind == Kind::Erased.as_str() {
            for id in erased_items(&line.body).ok_or_else(unclear)? {
                self.sealed.remove(&id);
                self.erased.insert(id);
            }
        }
        match self.sealed.len().max(self.erased.len()) > 10 * MOST_ITEMS {
            true => Err("it tells of more items than a bundle can hold".to_owned()),
            false => Ok(()),
        }
    }
}

/// Walks the excerpt from end to end, and gives each line of the chain to `each`.
pub(super) fn walk(
    folder: &Folder,
    contents: &Contents,
    mut each: impl FnMut(Line) -> Result<(), String>,
) -> Result<(), String> {
    let told = |error: io::Error| error.to_string();
    let facts = contents.journal;
    let (file, size) = folder.file(JOURNAL).map_err(told)?;
    if size != facts.size {
        return Err(format!("{size} bytes, where the contents say {}", facts.size));
    }
    let mut source = BufReader::new(Hashed::new(file.take(size)));
    let damaged = |error: crate::vault::export::Error| error.to_string();
    let (mut reader, header) = Reader::new(&mut source).map_err(damaged)?;
    if header.device_key != contents.device_key || header.after != facts.after {
        return Err("it is another piece of journal than the contents say".to_owned());
    }
    let mut head = header.after;
    let mut end = None;
    while let Some(record) = reader.record().map_err(damaged)? {
        match record {
            Record::Line(line) if end.is_none() => {
                if line.seq != head.seq.saturating_add(1) || line.prev != head.hash {
                    return Err(format!("line {} does not follow from the line before", line.seq));
                }
                if line.hash != line.expected_hash() {
                    return Err(format!("line {} was changed: its hash is another", line.seq));
                }
                head = Head {
                    seq: line.seq,
                    hash: line.hash,
                };
                each(line)?;
            }
            Record::Last(last) if end.is_none() => end = last.head.by(&contents.device_key),
            _ => return Err("something stands behind its end".to_owned()),
        }
    }
    if source.into_inner().digest() != facts.sha256 {
        return Err("it was changed: its SHA-256 is another".to_owned());
    }
    match end == Some(head) && head == facts.head {
        true => Ok(()),
        false => Err("it does not end where the box has signed that it ends".to_owned()),
    }
}

/// What a `sealed` line of the box's own says, if it says all of it and no more.
fn sealed_item(body: &str, device: DeviceId) -> Option<ItemFacts> {
    let value: Value = serde_json::from_str(body).ok()?;
    let text = |name| value.get(name)?.as_str();
    let facts = ItemFacts {
        device,
        id: ItemId {
            event: text("event")?.parse().ok()?,
            number: value.get("number")?.as_u64()?.try_into().ok()?,
        },
        kind: serde_json::from_value(value.get("kind")?.clone()).ok()?,
        size: value.get("size")?.as_u64()?,
        digest: text("sha256")?.parse().ok()?,
    };
    let whole = sealed_body(facts.id, facts.kind.as_str(), facts.size, facts.digest, None);
    (canonical(&whole) == body).then_some(facts)
}

fn erased_items(body: &str) -> Option<Vec<ItemId>> {
    let value: Value = serde_json::from_str(body).ok()?;
    let event = value.get("event")?.as_str()?.parse().ok()?;
    let number = |number: &Value| number.as_u64()?.try_into().ok();
    let numbers: Option<Vec<u32>> = value.get("numbers")?.as_array()?.iter().map(number).collect();
    Some(
        numbers?
            .into_iter()
            .map(|number| ItemId { event, number })
            .collect(),
    )
}

/// Hashes what is read through it.
struct Hashed<R> {
    source: R,
    hash: Sha256,
}

impl<R> Hashed<R> {
    fn new(source: R) -> Self {
        Self {
            source,
            hash: Sha256::new(),
        }
    }

    fn digest(self) -> Digest {
        Digest::from_bytes(self.hash.finalize().into())
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.source.read(buffer)?;
        self.hash.update(&buffer[..length]);
        Ok(length)
    }
}
