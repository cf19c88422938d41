//! `contenu.txt`: what is in a package, in which order, and who stands for it. A signed document
//! ([`crate::vault::signed`]) of the desk; docs/formats.md has the form.
//!
//! Promises: contents that are read name each file once, by a plain name that leads nowhere else, and exactly one
//! report; nothing of them is believed before the signature of the key that they name holds. Whose key that is,
//! whoever trusts it must know.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::frame::{BoxTime, Digest};
use crate::vault::DevicePublic;
use crate::vault::keys::DeviceId;
use crate::vault::signed::{self, Document};

/// The name of the contents in a package.
pub const NAME: &str = "contenu.txt";
/// The name of a time stamp over [`NAME`], which comes after the contents are signed and is not listed in them.
pub const STAMP: &str = "contenu.tsr";
/// More than any case has.
pub const MOST_FILES: usize = 2_000;
/// In bytes; a thousand files are a fifth of it.
pub const LONGEST: u64 = 1 << 20;
/// No file of a package is larger.
pub const LARGEST_FILE: u64 = 1 << 28;

/// What a file of a package is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The procès-verbal or rapport, a PDF.
    Report,
    /// A redacted JPEG.
    Image,
    /// The manifest of the image of the same name.
    Manifest,
    /// A part of a journal.
    Journal,
    /// What to do with the package, for people.
    ReadMe,
    /// The page that checks the package.
    Verifier,
}

/// The kind of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActKind {
    /// A procès-verbal.
    ProcesVerbal,
    /// A rapport.
    Rapport,
}

/// A file of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Its path in the package.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// In bytes.
    pub size: u64,
    /// Of all its bytes.
    pub sha256: Digest,
}

/// What is in a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// Its number in the register of transmissions.
    pub package: String,
    /// When it was made.
    pub made: BoxTime,
    /// By which version.
    pub program: String,
    /// The desk.
    pub desk: DeviceId,
    /// Its public key.
    pub desk_key: DevicePublic,
    /// The number of the infraction file.
    pub case: String,
    /// Procès-verbal or rapport.
    pub act: ActKind,
    /// SHA-256 of the report.
    pub report: Digest,
    /// To whom it goes.
    pub recipient: String,
    /// Why.
    pub motive: String,
    /// Who asked for it, by an opaque id.
    pub requester: String,
    /// Who approved it: another one.
    pub approver: String,
    /// The files, in the order in which they stand in the package.
    pub files: Vec<Listed>,
}

impl Document for Contents {
    const TITLE: &'static str = "vigie package 1";
}

/// Why contents tell nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not written as the program writes it, or not signed by the key that it names.
    #[error(transparent)]
    Document(#[from] signed::Error),
    /// A member that no writer writes.
    #[error("damaged: {0}")]
    Member(&'static str),
}

impl Contents {
    /// Reads contents that bear the signature of the desk that they name.
    pub fn read(text: &str) -> Result<Self, Error> {
        let contents: Self = signed::read_by(
            text,
            |contents: &Self| Some(contents.desk_key.clone()),
            "the desk",
        )?;
        contents.check().map_err(Error::Member)?;
        Ok(contents)
    }

    /// Whether a writer could have written this.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.desk != self.desk_key.id() {
            return Err("the desk's name is not that of its key");
        }
        if self.requester == self.approver {
            return Err("one person both asked and approved");
        }
        let said = [
            &self.package,
            &self.case,
            &self.recipient,
            &self.motive,
            &self.requester,
            &self.approver,
        ];
        if said
            .iter()
            .any(|text| text.trim().is_empty() || text.len() > 2_000)
        {
            return Err("a member is empty or too long");
        }
        if self.files.len() > MOST_FILES {
            return Err("too many files");
        }
        let mut names = BTreeSet::new();
        for file in &self.files {
            if !is_plain(&file.name) || [NAME, STAMP].contains(&file.name.as_str()) {
                return Err("a file's name is not plain");
            }
            if !names.insert(file.name.as_str()) {
                return Err("a file is listed twice");
            }
            if file.size > LARGEST_FILE {
                return Err("a file is too large");
            }
        }
        let mut reports = self.files.iter().filter(|file| file.role == Role::Report);
        match (reports.next(), reports.next()) {
            (Some(report), None) if report.sha256 == self.report => {}
            _ => return Err("there is not exactly one report, the one that is named"),
        }
        let paired = |file: &Listed, role: Role, extension: &str| {
            let name = format!("{}.{extension}", stem(&file.name));
            self.files
                .iter()
                .any(|other| other.role == role && other.name == name)
        };
        let lonely = |file: &Listed| match file.role {
            Role::Image => !paired(file, Role::Manifest, "json"),
            Role::Manifest => !paired(file, Role::Image, "jpg"),
            _ => false,
        };
        match self.files.iter().any(lonely) {
            true => Err("an image without a manifest, or a manifest without an image"),
            false => Ok(()),
        }
    }
}

/// A name without its extension.
pub fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// Whether a name leads to a place in the package and nowhere else, on every system.
pub fn is_plain(name: &str) -> bool {
    let plain = |part: &str| {
        let begins = part
            .bytes()
            .next()
            .is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let letters = part
            .bytes()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-.".contains(&c));
        begins && letters && !part.ends_with('.') && !part.contains("..")
    };
    name.len() <= 80 && name.split('/').count() <= 2 && name.split('/').all(plain)
}
