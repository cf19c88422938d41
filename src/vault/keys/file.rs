//! The text of a key file, and the care with which it is read and written.
//!
//! Promises: one single text for a key (but for line ends, which a mail program may change in a
//! public one); a damaged file is refused by its fingerprint; a secret is written with mode 0600 to a
//! name that was free, and not read if others could read it or put another in its place.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
#[cfg(unix)]
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::{Epoch, Error, Fingerprint, Role};
use crate::vault::durable::{self, Existing};

/// A key file is some 200 bytes; more than this is something else.
const LONGEST_FILE: usize = 4096;
const SECRET_MODE: u32 = 0o600;
const PUBLIC_MODE: u32 = 0o644;
const SECRET_TITLE: &str = "vigie secret key 1";
const PUBLIC_TITLE: &str = "vigie public key 1";

/// Which half of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Secret,
    Public,
}

/// Whose key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    Device,
    Desk,
    Office(Role, Epoch),
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device => f.write_str("box"),
            Self::Desk => f.write_str("desk"),
            Self::Office(role, epoch) => write!(f, "{role} of {epoch}"),
        }
    }
}

/// Who signs with a key, and so what its file must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signer {
    Device,
    Desk,
}

impl Signer {
    pub(super) const fn holder(self) -> Holder {
        match self {
            Self::Device => Holder::Device,
            Self::Desk => Holder::Desk,
        }
    }

    /// The stem of its two files' names.
    pub(super) const fn stem(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Desk => "desk",
        }
    }

    const fn wanted(self, half: Half) -> &'static str {
        match (self, half) {
            (Self::Device, Half::Secret) => "box's secret key",
            (Self::Device, Half::Public) => "box's public key",
            (Self::Desk, Half::Secret) => "desk's secret key",
            (Self::Desk, Half::Public) => "desk's public key",
        }
    }
}

/// A key file's content.
pub(super) struct KeyText {
    pub(super) half: Half,
    pub(super) holder: Holder,
    pub(super) fingerprint: Fingerprint,
    place: String,
    pub(super) bytes: Zeroizing<[u8; 32]>,
}

impl KeyText {
    /// Reads and parses the file at `path`.
    pub(super) fn read(path: &Path, half: Half) -> Result<Self, Error> {
        let file = open_plain(path, half)?;
        if half == Half::Secret {
            // Of the open file, not of the name: what is checked is what is read.
            check_secret(path, &file.metadata().map_err(io_at(path))?)?;
            check_folder(path)?;
        }
        Self::read_from(file, path)
    }

    /// The same of a secret key that others may have read: it is about to be destroyed.
    pub(super) fn read_exposed(path: &Path) -> Result<Self, Error> {
        Self::read_from(open_plain(path, Half::Secret)?, path)
    }

    fn read_from(file: File, path: &Path) -> Result<Self, Error> {
        // Room for the longest from the start: growing would leave copies of a secret behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST_FILE + 1));
        file.take(LONGEST_FILE as u64)
            .read_to_end(&mut bytes)
            .map_err(io_at(path))?;
        let place = path.display().to_string();
        match std::str::from_utf8(&bytes) {
            Ok(text) if bytes.len() < LONGEST_FILE => Self::parse(place, text),
            _ => Err(not_a_key(place)),
        }
    }

    /// Parses a key's text, found in `place`.
    pub(super) fn parse(place: String, text: &str) -> Result<Self, Error> {
        let wrong = |what| Error::Malformed {
            place: place.clone(),
            what,
        };
        let mut lines = text.lines();
        let half = match lines.next() {
            Some(SECRET_TITLE) => Half::Secret,
            Some(PUBLIC_TITLE) => Half::Public,
            _ => return Err(not_a_key(place)),
        };
        let mut field = |name: &str, what| {
            let value = lines.next().and_then(|line| line.strip_prefix(name));
            value.ok_or_else(|| wrong(what))
        };
        let holder = match field("kind: ", "the line `kind:` is missing")? {
            "device" => Holder::Device,
            "desk" => Holder::Desk,
            kind => {
                let role = match kind {
                    "service" => Role::Service,
                    "recovery" => Role::Recovery,
                    _ => return Err(wrong("its kind is not device, desk, service or recovery")),
                };
                let epoch = field("epoch: ", "the line `epoch:` is missing")?.parse();
                let epoch = epoch.map_err(|_| wrong("its epoch is no quarter such as 2026-Q4"))?;
                Holder::Office(role, epoch)
            }
        };
        let fingerprint = field("fingerprint: ", "the line `fingerprint:` is missing")?
            .parse()
            .map_err(|_| wrong("its fingerprint is not 16 hexadecimal digits"))?;
        let mut bytes = Zeroizing::new([0; 32]);
        if !lower_hex_into(field("key: ", "the line `key:` is missing")?, &mut *bytes) {
            return Err(wrong("its key is not 64 hexadecimal digits"));
        }
        if lines.next().is_some() {
            return Err(wrong("there is more in it than one key"));
        }
        Ok(Self {
            half,
            holder,
            fingerprint,
            place,
            bytes,
        })
    }

    /// This key, if it is that half of the signing key of that signer.
    pub(super) fn signing(self, half: Half, signer: Signer) -> Result<Self, Error> {
        if self.half == half && self.holder == signer.holder() {
            Ok(self)
        } else {
            Err(self.wrong_key(signer.wanted(half)))
        }
    }

    /// This key, if it is that half of the service's or of the recovery's.
    pub(super) fn office(self, half: Half, wanted: &'static str) -> Result<(Role, Epoch, Self), Error> {
        match self.holder {
            Holder::Office(role, epoch) if self.half == half => Ok((role, epoch, self)),
            _ => Err(self.wrong_key(wanted)),
        }
    }

    /// Checks the fingerprint in the file against the key's own.
    pub(super) fn check_fingerprint(&self, real: Fingerprint) -> Result<(), Error> {
        if self.fingerprint == real {
            Ok(())
        } else {
            Err(self.malformed("its fingerprint is not that of its key: the file is damaged"))
        }
    }

    pub(super) fn malformed(&self, what: &'static str) -> Error {
        Error::Malformed {
            place: self.place.clone(),
            what,
        }
    }

    fn wrong_key(&self, wanted: &'static str) -> Error {
        let half = match self.half {
            Half::Secret => "secret",
            Half::Public => "public",
        };
        Error::WrongKey {
            place: self.place.clone(),
            found: format!("{half} key of the {}", self.holder),
            wanted,
        }
    }
}

/// The text of a small plain file that is no secret, of fewer than `longest` bytes.
pub(super) fn read_small(path: &Path, longest: usize) -> Result<String, Error> {
    let mut text = String::new();
    let read = open_plain(path, Half::Public)?
        .take(longest as u64)
        .read_to_string(&mut text);
    match read {
        Ok(length) if length < longest => Ok(text),
        Ok(_) => Err(Error::Malformed {
            place: path.display().to_string(),
            what: "it is too long",
        }),
        Err(source) => Err(Error::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Opens a plain file without waiting for anyone at the other end of a pipe.
#[cfg(unix)]
fn open_plain(path: &Path, half: Half) -> Result<File, Error> {
    use rustix::fs::OFlags;
    let links = match half {
        Half::Secret => OFlags::NOFOLLOW,
        Half::Public => OFlags::empty(),
    };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | links;
    let file = match rustix::fs::open(path, flags, rustix::fs::Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::LOOP) => return Err(Error::NotPlain(path.to_owned())),
        Err(errno) => return Err(io_at(path)(errno.into())),
    };
    if file.metadata().map_err(io_at(path))?.is_file() {
        Ok(file)
    } else {
        Err(Error::NotPlain(path.to_owned()))
    }
}

/// Elsewhere than on Unix `verify` alone runs, which reads public keys.
#[cfg(not(unix))]
fn open_plain(path: &Path, _: Half) -> Result<File, Error> {
    let file = File::open(path).map_err(io_at(path))?;
    match file.metadata().map_err(io_at(path))?.is_file() {
        true => Ok(file),
        false => Err(Error::NotPlain(path.to_owned())),
    }
}

/// Nothing here could say who else reads it: it is refused.
#[cfg(not(unix))]
fn check_secret(path: &Path, _: &Metadata) -> Result<(), Error> {
    check_folder(path)
}

#[cfg(not(unix))]
pub(super) fn check_folder(secret: &Path) -> Result<(), Error> {
    Err(Error::Unguarded {
        path: secret.to_owned(),
        what: "secret keys are kept on Linux alone",
    })
}

/// Read by its owner alone, who is whoever runs this, or root.
#[cfg(unix)]
fn check_secret(path: &Path, found: &Metadata) -> Result<(), Error> {
    let mode = found.mode();
    if mode & 0o077 != 0 {
        return Err(Error::Exposed {
            path: path.to_owned(),
            mode: mode & 0o7777,
        });
    }
    if is_ours(found) {
        return Ok(());
    }
    Err(Error::Unguarded {
        path: path.to_owned(),
        what: "this secret key belongs to another user; run chown on it if it should be yours",
    })
}

/// Whoever can write to a secret's folder can put another key in its place. In a sticky one (/tmp) only the
/// file's owner can.
#[cfg(unix)]
pub(super) fn check_folder(secret: &Path) -> Result<(), Error> {
    let folder = durable::folder_of(secret);
    let found = folder.metadata().map_err(io_at(folder))?;
    let theirs = found.mode() & 0o022 != 0 && found.mode() & 0o1000 == 0;
    if !theirs && is_ours(&found) {
        return Ok(());
    }
    Err(Error::Unguarded {
        path: folder.to_owned(),
        what: "others can put another key into this folder; run chmod 700 on it, and chown if it should be yours",
    })
}

#[cfg(unix)]
fn is_ours(found: &Metadata) -> bool {
    found.uid() == 0 || found.uid() == rustix::process::geteuid().as_raw()
}

/// What went wrong with a file, and with which.
pub(super) fn io_at(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    |source| Error::Io {
        path: path.to_owned(),
        source,
    }
}

fn not_a_key(place: String) -> Error {
    Error::Malformed {
        place,
        what: "this is no vigie key file of version 1",
    }
}

/// Writes a new pair. The secret first: a public key whose secret was lost in a power cut would
/// swallow evidence.
pub(super) fn write_pair(
    [secret, public]: [&Path; 2],
    holder: Holder,
    fingerprint: Fingerprint,
    secret_bytes: &[u8; 32],
    public_bytes: &[u8; 32],
) -> Result<(), Error> {
    check_folder(secret)?;
    write_new(secret, Half::Secret, holder, fingerprint, secret_bytes)?;
    write_new(public, Half::Public, holder, fingerprint, public_bytes)
}

fn write_new(
    path: &Path,
    half: Half,
    holder: Holder,
    fingerprint: Fingerprint,
    bytes: &[u8; 32],
) -> Result<(), Error> {
    let (title, mode) = match half {
        Half::Secret => (SECRET_TITLE, SECRET_MODE),
        Half::Public => (PUBLIC_TITLE, PUBLIC_MODE),
    };
    let holder = match holder {
        Holder::Device => "kind: device".to_owned(),
        Holder::Desk => "kind: desk".to_owned(),
        Holder::Office(role, epoch) => format!("kind: {role}\nepoch: {epoch}"),
    };
    let mut text = Zeroizing::new(Vec::with_capacity(LONGEST_FILE));
    text.extend_from_slice(format!("{title}\n{holder}\nfingerprint: {fingerprint}\nkey: ").as_bytes());
    let mut digits = Zeroizing::new([0; 64]);
    // 32 bytes are 64 digits, so this cannot fail.
    let _ = hex::encode_to_slice(bytes, &mut *digits);
    text.extend_from_slice(&*digits);
    text.push(b'\n');
    durable::write(path, &text, mode, Existing::Refuse).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists(path.to_owned()),
        _ => Error::Io {
            path: path.to_owned(),
            source,
        },
    })
}

/// Digits in lower case only, so that no two texts say the same bytes.
pub(in crate::vault) fn lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    lower_hex_into(text, &mut bytes).then_some(bytes)
}

/// The same for a secret, which is to lie nowhere else than in `bytes`; whether it does.
fn lower_hex_into(text: &str, bytes: &mut [u8]) -> bool {
    let upper = text.bytes().any(|c| c.is_ascii_uppercase());
    !upper && hex::decode_to_slice(text, bytes).is_ok()
}
