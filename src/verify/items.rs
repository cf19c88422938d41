//! Holds the item files against what the store says of them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::Report;
use super::database::Expected;
use crate::frame::Digest;
use crate::vault::DeviceId;
use crate::vault::item::{Header, ItemId};
use crate::vault::store::ITEMS;

/// Checks every file in the folder of the items. `closed` says that the store was closed in good
/// order; otherwise a file without a row may be what a power cut left.
pub(super) fn check(
    dir: &Path,
    expected: &BTreeMap<ItemId, Expected>,
    device: Option<DeviceId>,
    closed: bool,
    report: &mut Report,
) {
    let folder = dir.join(ITEMS);
    let names = match folder.symlink_metadata() {
        Ok(meta) if meta.is_dir() => names(&folder),
        Ok(_) => Err(io::Error::other("it is not a folder")),
        Err(error) => Err(error),
    };
    let names = names.unwrap_or_else(|error| {
        report.fault(ITEMS, error.to_string());
        Vec::new()
    });
    let mut missing = expected.clone();
    for name in names {
        let id = name.to_str().and_then(|name| name.parse::<ItemId>().ok());
        let here = format!("{ITEMS}/{}", name.display());
        match id.and_then(|id| Some((id, missing.remove(&id)?))) {
            Some((id, facts)) => {
                let found = Found::read(&folder.join(&name));
                if let Some(what) = differs(found, id, &facts, device, expected) {
                    report.fault(here, what);
                }
            }
            None => not_told_of(&folder, &name, here, id.is_some(), expected, closed, report),
        }
    }
    for id in missing.keys() {
        report.fault(format!("{ITEMS}/{id}"), "it is missing");
    }
}

fn names(folder: &Path) -> io::Result<Vec<OsString>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// A file's facts.
struct Found {
    size: u64,
    sha256: Digest,
    header: Option<Header>,
}

impl Found {
    fn read(path: &Path) -> io::Result<Self> {
        let meta = path.symlink_metadata()?;
        if meta.is_symlink() {
            return Err(io::Error::other("it is a link, not the file"));
        }
        if !meta.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        let mut file = File::open(path)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        let mut size = 0;
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(more) => {
                    hash.update(&buffer[..more]);
                    size += more as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        file.rewind()?;
        Ok(Self {
            size,
            sha256: Digest::from_bytes(hash.finalize().into()),
            header: Header::read(&mut file).ok(),
        })
    }
}

fn differs(
    found: io::Result<Found>,
    id: ItemId,
    facts: &Expected,
    device: Option<DeviceId>,
    expected: &BTreeMap<ItemId, Expected>,
) -> Option<String> {
    let found = match found {
        Ok(found) => found,
        Err(error) => return Some(error.to_string()),
    };
    if found.sha256 == facts.sha256 && found.size == facts.size {
        let told = found.header.is_some_and(|header| {
            header.id == id
                && header.kind.as_str() == facts.kind
                && facts
                    .by_another
                    .or(device)
                    .is_none_or(|device| header.device == device)
        });
        return (!told).then(|| "its header is not that of this item".to_owned());
    }
    Some(match whose(&found, expected) {
        Some(other) => format!("it was replaced by the content of {other}"),
        None if found.size < facts.size => {
            format!("it was cut: {} bytes of {}", found.size, facts.size)
        }
        None if found.size > facts.size => {
            format!("{} bytes were added", found.size - facts.size)
        }
        None => "it was changed: its SHA-256 is another".to_owned(),
    })
}

fn whose(found: &Found, expected: &BTreeMap<ItemId, Expected>) -> Option<ItemId> {
    let mut same = expected.iter().filter(|(_, facts)| facts.sha256 == found.sha256);
    same.next().map(|(id, _)| *id)
}

fn not_told_of(
    folder: &Path,
    name: &OsString,
    here: String,
    named_as_item: bool,
    expected: &BTreeMap<ItemId, Expected>,
    closed: bool,
    report: &mut Report,
) {
    let other = Found::read(&folder.join(name))
        .ok()
        .and_then(|found| whose(&found, expected));
    let unfinished = name.as_encoded_bytes().starts_with(b".new-");
    match other {
        Some(id) => report.fault(here, format!("this is {id} under another name")),
        None if !closed && (named_as_item || unfinished) => report.remark(format!(
            "{here}: no row tells of it; if a power cut left it, the next opening removes it"
        )),
        None => report.fault(here, "it was added: the store does not tell of it"),
    }
}
