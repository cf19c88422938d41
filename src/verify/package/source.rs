//! Where a package's files are read from: an archive or a folder. Bounded whatever it is.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::result::ZipError;

use super::super::{Error, io_at};
use super::MOST_ENTRIES;
use super::words::What;
use crate::report::contents::{LARGEST_FILE, is_plain};

/// How every ZIP with an entry begins, and one without.
const STARTS: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];
/// No package is larger; a thousand images are a third of it.
const LARGEST: u64 = 1 << 32;

/// The files of a package.
pub struct Source {
    path: PathBuf,
    /// In the order of the archive, or by name.
    names: Vec<String>,
    inside: Inside,
    oddities: Vec<(String, What)>,
}

enum Inside {
    Zip {
        archive: ZipArchive<BufReader<File>>,
        at: BTreeMap<String, (usize, u64)>,
        passphrase: Option<String>,
    },
    Folder,
}

/// Whether a file begins as a ZIP.
pub fn is_zip(path: &Path) -> bool {
    let mut start = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && STARTS.contains(&&start[..])
}

impl Source {
    /// Opens an archive or folder; what is wrong with it if it is none that can be read.
    pub fn open(path: &Path, passphrase: Option<&str>) -> Result<Result<Self, What>, Error> {
        match path.is_dir() {
            true => Self::folder(path),
            false => Self::zip(path, passphrase),
        }
    }

    fn zip(path: &Path, passphrase: Option<&str>) -> Result<Result<Self, What>, Error> {
        let file = File::open(path).map_err(|source| io_at(path, source))?;
        let size = file.metadata().map_err(|source| io_at(path, source))?.len();
        if size > LARGEST {
            return Ok(Err(What::TooLarge));
        }
        let mut archive = match ZipArchive::new(BufReader::new(file)) {
            Ok(archive) => archive,
            Err(ZipError::Io(source)) if source.raw_os_error().is_some() => return Err(io_at(path, source)),
            Err(_) => return Ok(Err(What::Archive("it is cut off or damaged"))),
        };
        if archive.len() > MOST_ENTRIES {
            return Ok(Err(What::Archive("it has too many entries")));
        }
        let mut oddities = Vec::new();
        let mut odd = |what| oddities.push((String::new(), What::Archive(what)));
        if archive.has_duplicate_names() {
            odd("two entries have one name");
        }
        if archive.offset() != 0 || !archive.comment().is_empty() {
            odd("something stands before its entries or behind them");
        }
        if !matches!(archive.has_overlapping_entries(), Ok(false)) {
            odd("its entries lie over one another");
        }
        let mut names = Vec::new();
        let mut at = BTreeMap::new();
        for nth in 0..archive.len() {
            let Ok(entry) = archive.by_index_raw(nth) else {
                oddities.push((format!("{}", nth + 1), What::Archive("an entry cannot be read")));
                continue;
            };
            let Ok(name) = entry.name().map(|name| name.into_owned()) else {
                oddities.push((format!("{}", nth + 1), What::Path));
                continue;
            };
            if entry.encrypted() && passphrase.is_none() {
                return Err(Error::Encrypted(path.to_owned()));
            }
            let folder = name.strip_suffix('/').is_some_and(is_plain) && entry.size() == 0;
            if folder {
                continue;
            }
            if !is_plain(&name) || entry.is_symlink() {
                oddities.push((shown(&name), What::Path));
                continue;
            }
            at.insert(name.clone(), (nth, entry.size()));
            names.push(name);
        }
        let passphrase = passphrase.map(str::to_owned);
        let inside = Inside::Zip {
            archive,
            at,
            passphrase,
        };
        let path = path.to_owned();
        Ok(Ok(Self {
            path,
            names,
            inside,
            oddities,
        }))
    }

    fn folder(path: &Path) -> Result<Result<Self, What>, Error> {
        let mut names = Vec::new();
        let mut oddities = Vec::new();
        let mut folders = vec![(path.to_owned(), String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            for entry in fs::read_dir(&folder).map_err(|source| io_at(&folder, source))? {
                let entry = entry.map_err(|source| io_at(&folder, source))?;
                let kind = entry.file_type().map_err(|source| io_at(&folder, source))?;
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                if names.len() + folders.len() > MOST_ENTRIES {
                    return Ok(Err(What::Archive("it has too many entries")));
                }
                if !is_plain(&name) || !(kind.is_dir() || kind.is_file()) {
                    oddities.push((shown(&name), What::Path));
                } else if kind.is_dir() {
                    folders.push((entry.path(), format!("{name}/")));
                } else {
                    names.push(name);
                }
            }
        }
        names.sort_unstable();
        let inside = Inside::Folder;
        let path = path.to_owned();
        Ok(Ok(Self {
            path,
            names,
            inside,
            oddities,
        }))
    }

    /// What is wrong with the archive or folder itself.
    pub fn oddities(&mut self) -> Vec<(String, What)> {
        std::mem::take(&mut self.oddities)
    }

    /// The names of its files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Whether the names stand in an order of their own.
    pub fn is_ordered(&self) -> bool {
        matches!(self.inside, Inside::Zip { .. })
    }

    /// Whether it has that file.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// How large a file says that it is.
    pub fn size(&self, name: &str) -> Option<u64> {
        match &self.inside {
            Inside::Zip { at, .. } => at.get(name).map(|(_, size)| *size),
            Inside::Folder => fs::symlink_metadata(self.path.join(name))
                .ok()
                .map(|meta| meta.len()),
        }
    }

    /// A file's bytes, one more than `limit` at most: the caller sees that there are too many.
    pub fn read(&mut self, name: &str, limit: u64) -> Result<Result<Vec<u8>, What>, Error> {
        let limit = limit.min(LARGEST_FILE) + 1;
        let path = &self.path;
        let mut bytes = Vec::new();
        let read = match &mut self.inside {
            Inside::Folder => {
                let file = path.join(name);
                let opened = File::open(&file).map_err(|source| io_at(&file, source))?;
                opened.take(limit).read_to_end(&mut bytes)
            }
            Inside::Zip {
                archive,
                at,
                passphrase,
            } => {
                let Some((nth, _)) = at.get(name) else {
                    return Ok(Err(What::Missing));
                };
                let entry = match passphrase {
                    Some(phrase) => archive.by_index_decrypt(*nth, phrase.as_bytes()),
                    None => archive.by_index(*nth),
                };
                match entry {
                    Ok(entry) => entry.take(limit).read_to_end(&mut bytes),
                    Err(ZipError::InvalidPassword) => return Err(Error::Passphrase(path.clone())),
                    Err(_) => return Ok(Err(What::Archive("an entry cannot be read"))),
                }
            }
        };
        Ok(match read {
            Ok(_) => Ok(bytes),
            // Another checksum or tag than the archive's own.
            Err(_) => Err(What::Damaged),
        })
    }
}

/// A name that came from anywhere, fit to be printed.
fn shown(name: &str) -> String {
    name.chars().take(80).flat_map(char::escape_default).collect()
}
