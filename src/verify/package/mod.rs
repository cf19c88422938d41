//! A package for the prosecutor, as a ZIP or unpacked: what holds of it and what does not.
//!
//! Promises: whatever is missing, added, renamed, put in another order, altered or cut off is named by the file's
//! name, and so are an image that is not its manifest's, content in a masked place, a changed line of a journal and
//! a signer who is not the one that is trusted; no archive, however made, fills memory or leads out of its folder;
//! nothing is unpacked to disk. Each finding has its words in French and in English ([`What`]).
//!
//! Leaves proving *which* desk signed to the public key that the caller trusts, and what the images show to people.

mod journal;
mod source;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::frame::held;
use super::{Error, Fault, Report};
use crate::frame::{BoxTime, Digest};
use crate::report::contents::{self, Contents, LARGEST_FILE, Listed, MOST_FILES, NAME, Role, STAMP, stem};
use crate::report::timestamp;
use crate::vault::DevicePublic;
use crate::vault::keys::DeviceId;
use source::Source;
pub use words::What;

/// Bytes that are read of files that the contents do not list: enough to find a renamed one.
const UNLISTED: u64 = 1 << 29;

/// Something that is not as it was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file in the package; empty for the package as a whole.
    pub place: String,
    /// What is wrong.
    pub what: What,
}

/// What a reader should know, and is no fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// Nobody said whose signature is trusted.
    OwnWord(DeviceId),
    /// An image that was encoded again: only its mask can be proven.
    EncodedAgain(String),
    /// A third party's time stamp, by its form; its signature is another program's job.
    Stamped(BoxTime),
    /// An unpacked package has no order.
    NoOrder,
}

/// What a check of a package found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What was checked.
    pub path: String,
    /// The contents, if their signature holds.
    pub contents: Option<Contents>,
    /// What is not as it was signed.
    pub findings: Vec<Finding>,
    /// What is no fault.
    pub remarks: Vec<Remark>,
}

impl Checked {
    /// Nothing is wrong.
    pub fn is_intact(&self) -> bool {
        self.findings.is_empty()
    }

    /// The same as other checks report, in English.
    pub fn report(&self) -> Report {
        let mut report = Report::new(Path::new(&self.path));
        report.ok = self.is_intact();
        report.faults = self
            .findings
            .iter()
            .map(|finding| Fault {
                place: match finding.place.as_str() {
                    "" => "package".to_owned(),
                    place => place.to_owned(),
                },
                what: finding.what.english(),
            })
            .collect();
        report.remarks = self.remarks.iter().map(Remark::english).collect();
        report
    }

    fn find(&mut self, place: &str, what: What) {
        self.findings.push(Finding {
            place: place.to_owned(),
            what,
        });
    }
}

/// Whether this is a package, packed or unpacked.
pub fn is_package(path: &Path) -> bool {
    source::is_zip(path) || path.join(NAME).is_file()
}

/// Checks the package at `path`. `trusted` is the desk that must have signed it; without it the package is taken at
/// its word, and the result says so.
pub fn package(
    path: &Path,
    trusted: Option<&DevicePublic>,
    passphrase: Option<&str>,
) -> Result<Checked, Error> {
    let mut checked = Checked {
        path: path.display().to_string(),
        contents: None,
        findings: Vec::new(),
        remarks: Vec::new(),
    };
    let mut source = match Source::open(path, passphrase)? {
        Ok(source) => source,
        Err(what) => {
            checked.find("", what);
            return Ok(checked);
        }
    };
    for (place, what) in source.oddities() {
        checked.find(&place, what);
    }
    let Some(text) = signed_text(&mut source, &mut checked)? else {
        return Ok(checked);
    };
    match Contents::read(&text) {
        Ok(contents) => {
            signer(&contents, trusted, &mut checked);
            stamp(&mut source, &text, &mut checked)?;
            listed(&mut source, &contents, &mut checked)?;
            checked.contents = Some(contents);
        }
        Err(error) => checked.find(NAME, error.into()),
    }
    Ok(checked)
}

/// The text of the contents.
fn signed_text(source: &mut Source, checked: &mut Checked) -> Result<Option<String>, Error> {
    if !source.has(NAME) {
        checked.find(NAME, What::Missing);
        return Ok(None);
    }
    let what = match source.read(NAME, contents::LONGEST)? {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => return Ok(Some(text)),
            Err(_) => What::Contents("it is no text"),
        },
        Err(what) => what,
    };
    checked.find(NAME, what);
    Ok(None)
}

fn signer(contents: &Contents, trusted: Option<&DevicePublic>, checked: &mut Checked) {
    match trusted {
        None => checked.remarks.push(Remark::OwnWord(contents.desk)),
        Some(trusted) if *trusted == contents.desk_key => {}
        Some(trusted) => {
            let (found, trusted) = (contents.desk, trusted.id());
            checked.find(NAME, What::Signer { found, trusted });
        }
    }
}

fn stamp(source: &mut Source, text: &str, checked: &mut Checked) -> Result<(), Error> {
    if !source.has(STAMP) {
        return Ok(());
    }
    match source.read(STAMP, timestamp::LARGEST as u64)? {
        Ok(answer) => match timestamp::read(&answer, text) {
            Ok(stamp) => checked.remarks.push(Remark::Stamped(stamp.time)),
            Err(error) => checked.find(STAMP, What::Stamp(error)),
        },
        Err(what) => checked.find(STAMP, what),
    }
    Ok(())
}

/// Every file that is listed, and every one that is there and is not.
fn listed(source: &mut Source, contents: &Contents, checked: &mut Checked) -> Result<(), Error> {
    let mut missing = Vec::new();
    let mut altered = BTreeMap::new();
    // A file that changed places with a longer one is read whole, to be known again.
    let most = contents.files.iter().map(|file| file.size).max().unwrap_or(0);
    for file in &contents.files {
        if !source.has(&file.name) {
            missing.push(file);
            continue;
        }
        match source.read(&file.name, most)? {
            Ok(bytes) => {
                if let Some(found) = one(file, &bytes, checked) {
                    altered.insert(file.name.as_str(), found);
                }
                deeper(source, file, &bytes, contents, checked)?;
            }
            Err(what) => checked.find(&file.name, what),
        }
    }
    swapped(contents, &altered, checked);
    unlisted(source, contents, missing, checked)?;
    if !source.is_ordered() {
        checked.remarks.push(Remark::NoOrder);
    } else if let Some(name) = out_of_order(source, contents) {
        checked.find(&name, What::Reordered);
    }
    Ok(())
}

/// Size and fingerprint of a listed file; the fingerprint that was found, if it is another.
fn one(file: &Listed, bytes: &[u8], checked: &mut Checked) -> Option<Digest> {
    let (found, expected) = (bytes.len() as u64, file.size);
    let digest = Digest::of(bytes);
    if found < expected {
        checked.find(&file.name, What::Truncated { found, expected });
    } else if found > expected {
        checked.find(&file.name, What::Longer { expected });
    } else if digest != file.sha256 {
        let expected = file.sha256;
        checked.find(
            &file.name,
            What::Altered {
                found: digest,
                expected,
            },
        );
    }
    (digest != file.sha256).then_some(digest)
}

/// Whether files changed places: each has another's content.
fn swapped(contents: &Contents, altered: &BTreeMap<&str, Digest>, checked: &mut Checked) {
    for (name, found) in altered {
        let other = contents
            .files
            .iter()
            .find(|file| file.sha256 == *found && file.name != **name);
        if let Some(other) = other {
            let with = other.name.clone();
            checked.findings.retain(|finding| {
                let sized = matches!(
                    finding.what,
                    What::Altered { .. } | What::Truncated { .. } | What::Longer { .. }
                );
                finding.place != **name || !sized
            });
            checked.find(name, What::Swapped { with });
        }
    }
}

/// What the content of a file must bear out by itself.
fn deeper(
    source: &mut Source,
    file: &Listed,
    bytes: &[u8],
    contents: &Contents,
    checked: &mut Checked,
) -> Result<(), Error> {
    match file.role {
        Role::Image => {
            let manifest = format!("{}.json", stem(&file.name));
            if !source.has(&manifest) {
                return Ok(());
            }
            let size = contents
                .files
                .iter()
                .find(|other| other.name == manifest)
                .map_or(0, |m| m.size);
            let Ok(manifest) = source.read(&manifest, size)? else {
                return Ok(());
            };
            let held = held(bytes, &manifest);
            for mismatch in held.mismatches {
                checked.find(&file.name, What::Frame(mismatch));
            }
            if held.encoded_again {
                checked.remarks.push(Remark::EncodedAgain(file.name.clone()));
            }
        }
        Role::Journal => {
            for what in journal::faults(bytes, &file.name, contents) {
                checked.find(&file.name, what);
            }
        }
        Role::Report if !bytes.starts_with(b"%PDF-") => checked.find(&file.name, What::NoPdf),
        _ => {}
    }
    Ok(())
}

/// Files that nobody listed; one of them may be a missing one under another name.
fn unlisted(
    source: &mut Source,
    contents: &Contents,
    missing: Vec<&Listed>,
    checked: &mut Checked,
) -> Result<(), Error> {
    let known: BTreeSet<&str> = contents.files.iter().map(|file| file.name.as_str()).collect();
    let extra = source
        .names()
        .filter(|name| !known.contains(name) && ![NAME, STAMP].contains(name));
    let extra: Vec<String> = extra.map(str::to_owned).collect();
    let mut budget = UNLISTED;
    let mut found: BTreeMap<Digest, &str> = BTreeMap::new();
    let looked_for = |size: u64| missing.iter().any(|file| file.size == size);
    for name in &extra {
        if missing.is_empty() || !source.size(name).is_some_and(looked_for) {
            continue;
        }
        if let Ok(bytes) = source.read(name, budget.min(LARGEST_FILE))? {
            budget = budget.saturating_sub(bytes.len() as u64);
            found.insert(Digest::of(&bytes), name);
        }
    }
    let mut renamed = BTreeSet::new();
    for file in missing {
        match found.get(&file.sha256) {
            Some(&name) => {
                renamed.insert(name);
                let to = name.to_owned();
                checked.find(&file.name, What::Renamed { to });
            }
            None => checked.find(&file.name, What::Missing),
        }
    }
    for name in extra.iter().filter(|name| !renamed.contains(name.as_str())) {
        checked.find(name, What::Added);
    }
    Ok(())
}

/// The first file that does not stand where the contents list it.
fn out_of_order(source: &Source, contents: &Contents) -> Option<String> {
    let place = |name: &str| match name {
        NAME => Some(0),
        name => contents
            .files
            .iter()
            .position(|file| file.name == name)
            .map(|at| at + 1),
    };
    let mut last = None;
    for name in source.names() {
        let Some(at) = place(name) else { continue };
        if last.is_some_and(|last| at < last) {
            return Some(name.to_owned());
        }
        last = Some(at);
    }
    None
}

/// More entries than any package has.
const MOST_ENTRIES: usize = 2 * MOST_FILES;
