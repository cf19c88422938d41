//! The package: one ZIP with the report, the redacted images, their manifests, the part of the journal, what to
//! do with it, and the signed contents of all of it.
//!
//! Promises: what two persons agreed on and nothing else is in it, each image with its manifest; the same input
//! gives the same bytes, unless it is encrypted; its entries are whole, in order, without a date of their own.
//! Encrypted packages are WinZip AE-2 with AES-256, which common programs open.

use std::collections::BTreeSet;
use std::io::{Cursor, Write as _};

use serde::Deserialize;
use zip::write::SimpleFileOptions;
use zip::{AesMode, CompressionMethod, DateTime, System, ZipWriter};

use super::Act;
use super::approval::Approved;
use super::contents::{ActKind, Contents, LARGEST_FILE, Listed, MOST_FILES, NAME, Role, STAMP};
use super::passphrase::Passphrase;
use super::read_me::read_me;
use super::timestamp;
use crate::frame::{BoxTime, Digest};
use crate::vault::DeviceKey;
use crate::vault::keys::DeviceId;
use crate::vault::signed;

/// The page that checks a package, for whoever has nothing but a browser.
pub const VERIFIER: &str = include_str!("verifier.html");

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The report is not the one that was agreed on.
    #[error("the report has the SHA-256 {found}, and {agreed} was agreed on")]
    OtherReport {
        /// Of these bytes.
        found: Digest,
        /// Of those that the two persons agreed on.
        agreed: Digest,
    },
    /// The images are not those that were agreed on.
    #[error("image {0} is not among those that were agreed on, or is missing, or is there twice")]
    OtherImages(Digest),
    /// A journal that was not agreed on, or none though it was.
    #[error("the part of the journal does not agree with what was agreed on")]
    OtherJournal,
    /// An image that its manifest does not name.
    #[error("the manifest of image {0} is of another file")]
    Manifest(u32),
    /// More than a package takes.
    #[error("too many files, or one of more than {LARGEST_FILE} bytes")]
    TooLarge,
    /// A member of the contents that no reader would take.
    #[error("the contents would not be read: {0}")]
    Contents(&'static str),
    /// No time stamp of these contents.
    #[error("the time stamp is refused: {0}")]
    Stamp(#[from] timestamp::Error),
    /// It cannot be signed.
    #[error(transparent)]
    Signed(#[from] signed::Error),
    /// The archive cannot be written.
    #[error("the archive cannot be written: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// A file of it cannot be written.
    #[error("the archive cannot be written: {0}")]
    Io(#[from] std::io::Error),
}

/// An image to go, with its manifest as it was written.
#[derive(Clone)]
pub struct Image {
    /// Its number in the event.
    pub number: u32,
    /// The redacted JPEG.
    pub jpeg: Vec<u8>,
    /// Its manifest (JSON).
    pub manifest: Vec<u8>,
}

/// What goes.
#[derive(Clone)]
pub struct Parts {
    /// Procès-verbal or rapport.
    pub act: Act,
    /// The number of the infraction file.
    pub case: String,
    /// The number in the register of transmissions.
    pub number: String,
    /// The final report.
    pub report: Vec<u8>,
    /// The images that were chosen.
    pub images: Vec<Image>,
    /// A part of the desk's journal ([`crate::vault::export`]), if it was chosen.
    pub journal: Option<Vec<u8>>,
    /// Parts of the boxes' journals, if a journal was chosen.
    pub boxes: Vec<(DeviceId, Vec<u8>)>,
}

/// A package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The archive.
    pub zip: Vec<u8>,
    /// Its SHA-256, for the slip and the register.
    pub sha256: Digest,
    /// The signed contents: what a time stamp is asked over.
    pub contents: String,
}

impl Package {
    /// The name of its file.
    pub fn file_name(number: &str) -> String {
        let plain = number
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
        format!("paquet-{}.zip", plain.collect::<String>())
    }
}

/// Writes a package, signed by the desk; encrypted, if there is a pass-phrase.
pub fn write(
    approved: &Approved,
    parts: &Parts,
    key: &DeviceKey,
    now: BoxTime,
    passphrase: Option<&Passphrase>,
) -> Result<Package, Error> {
    agreed(approved, parts)?;
    let files = files(approved, parts, key)?;
    let listed = files.iter().map(|file| Listed {
        name: file.name.clone(),
        role: file.role,
        size: file.bytes.len() as u64,
        sha256: Digest::of(&file.bytes),
    });
    let request = approved.request();
    let contents = Contents {
        package: parts.number.clone(),
        made: now,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        desk: key.id(),
        desk_key: key.public().clone(),
        case: parts.case.clone(),
        act: match parts.act {
            Act::ProcesVerbal => ActKind::ProcesVerbal,
            Act::Rapport => ActKind::Rapport,
        },
        report: Digest::of(&parts.report),
        recipient: request.recipient().to_owned(),
        motive: request.motive().to_owned(),
        requester: request.requester().to_owned(),
        approver: approved.approver().to_owned(),
        files: listed.collect(),
    };
    contents.check().map_err(Error::Contents)?;
    let contents = signed::sign(&contents, key)?;
    let zip = zipped(&contents, &files, passphrase)?;
    Ok(Package {
        sha256: Digest::of(&zip),
        zip,
        contents,
    })
}

/// Puts an authority's answer (RFC 3161) into a package that is not encrypted, behind everything else. What is signed
/// stays as it is; the archive has another SHA-256 from then on.
pub fn stamped(package: &Package, answer: &[u8]) -> Result<Package, Error> {
    timestamp::read(answer, &package.contents)?;
    let mut zip = ZipWriter::new_append(Cursor::new(package.zip.clone()))?;
    zip.start_file(STAMP, options(CompressionMethod::Stored))?;
    zip.write_all(answer)?;
    let zip = zip.finish()?.into_inner();
    Ok(Package {
        sha256: Digest::of(&zip),
        zip,
        contents: package.contents.clone(),
    })
}

/// Whether these are the things that the two persons agreed on.
fn agreed(approved: &Approved, parts: &Parts) -> Result<(), Error> {
    let chosen = approved.request().chosen();
    let found = Digest::of(&parts.report);
    let agreed = chosen.report.unwrap_or(Digest::of(b""));
    if found != agreed {
        return Err(Error::OtherReport { found, agreed });
    }
    let mut images = BTreeSet::new();
    for image in &parts.images {
        let digest = Digest::of(&image.jpeg);
        if !chosen.images.contains(&digest) || !images.insert(digest) {
            return Err(Error::OtherImages(digest));
        }
        if redacted(&image.manifest) != Some(digest) {
            return Err(Error::Manifest(image.number));
        }
    }
    if let Some(missing) = chosen.images.iter().find(|digest| !images.contains(digest)) {
        return Err(Error::OtherImages(*missing));
    }
    let has_journal = parts.journal.is_some();
    match has_journal == chosen.journal && (has_journal || parts.boxes.is_empty()) {
        true => Ok(()),
        false => Err(Error::OtherJournal),
    }
}

/// The file that a manifest names.
fn redacted(manifest: &[u8]) -> Option<Digest> {
    #[derive(Deserialize)]
    struct Named {
        redacted: File,
    }
    #[derive(Deserialize)]
    struct File {
        sha256: Digest,
    }
    let named: Named = serde_json::from_slice(manifest).ok()?;
    Some(named.redacted.sha256)
}

/// A file of the package.
pub(super) struct File {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) bytes: Vec<u8>,
}

fn files(approved: &Approved, parts: &Parts, key: &DeviceKey) -> Result<Vec<File>, Error> {
    let mut files = Vec::new();
    let mut add = |name: String, role, bytes: &[u8]| {
        files.push(File {
            name,
            role,
            bytes: bytes.to_vec(),
        })
    };
    add(parts.act.file().to_owned(), Role::Report, &parts.report);
    let mut images: Vec<_> = parts.images.iter().collect();
    images.sort_by_key(|image| image.number);
    for image in images {
        let stem = format!("images/image-{:05}", image.number);
        add(format!("{stem}.jpg"), Role::Image, &image.jpeg);
        add(format!("{stem}.json"), Role::Manifest, &image.manifest);
    }
    if let Some(journal) = &parts.journal {
        add("journal.jsonl".to_owned(), Role::Journal, journal);
    }
    for (device, journal) in &parts.boxes {
        add(format!("journal-{device}.jsonl"), Role::Journal, journal);
    }
    let read_me = read_me(approved, parts, key, &files);
    files.push(File {
        name: "lisezmoi.txt".to_owned(),
        role: Role::ReadMe,
        bytes: read_me.into_bytes(),
    });
    let verifier = VERIFIER.as_bytes().to_vec();
    files.push(File {
        name: "verifier.html".to_owned(),
        role: Role::Verifier,
        bytes: verifier,
    });
    let too_large = files.iter().any(|file| file.bytes.len() as u64 > LARGEST_FILE);
    match too_large || files.len() > MOST_FILES {
        true => Err(Error::TooLarge),
        false => Ok(files),
    }
}

/// Of an entry: nothing in it tells of the machine or the hour.
fn options(method: CompressionMethod) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .system(System::Unix)
        .unix_permissions(0o644)
        .last_modified_time(DateTime::default())
        .compression_method(method)
}

fn zipped(contents: &str, files: &[File], passphrase: Option<&Passphrase>) -> Result<Vec<u8>, Error> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let contents = (NAME, Role::ReadMe, contents.as_bytes());
    let files = files
        .iter()
        .map(|file| (file.name.as_str(), file.role, &file.bytes[..]));
    for (name, role, bytes) in std::iter::once(contents).chain(files) {
        let method = match role {
            // Packed already.
            Role::Image | Role::Report => CompressionMethod::Stored,
            _ => CompressionMethod::Deflated,
        };
        let options = match passphrase {
            Some(phrase) => options(method).with_aes_encryption(AesMode::Aes256, phrase.words()),
            None => options(method),
        };
        zip.start_file(name, options)?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}
