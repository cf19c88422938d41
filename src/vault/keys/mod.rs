//! Keys: the device's own signing key, and the service's and the recovery recipient.
//!
//! Promises: a secret key file is never overwritten, is readable by its owner alone and is refused
//! when it is not; a secret is never printed and is wiped from memory when dropped; a public key file
//! exists only if its secret was durable first. Ed25519 (RFC 8032) for signing, DHKEM(X25519,
//! HKDF-SHA256) (RFC 9180 §7.1) for recipients. The file format is in `docs/formats.md`.
//!
//! Leaves to others where keys are kept, and what is done when one is lost.

mod file;
mod init;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use hpke::{Deserializable as _, Kem as _, Serializable as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub(super) use file::lower_hex;
use file::{Half, KeyText};
pub use init::{DeviceIdentity, KeyFiles, OfficeIdentity, office_init, trap_init};
#[cfg(test)]
pub(super) use init::{office_init_from, trap_init_from};

const NO_X25519: &str = "these 32 bytes are no usable X25519 key";

/// DHKEM(X25519, HKDF-SHA256), RFC 9180 §7.1.
pub(super) type Kem = hpke::kem::X25519HkdfSha256;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Making keys never replaces any: what was sealed to the old one could no longer be opened.
    #[error(
        "{}: a key is already there; keep it, or move it to a safe place before making a new one",
        .0.display()
    )]
    Exists(PathBuf),
    /// A secret that others on this machine can read is no secret.
    #[error("{}: others can read this secret key (mode {mode:o}); run chmod 600 on it, and make a new one if it may have been read", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not a key file, or a damaged one.
    #[error("{place}: {what}")]
    Malformed {
        /// The file, or `key` when it came from elsewhere.
        place: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A good key, but for another job.
    #[error("{place}: this is the {found}, where the {wanted} is needed")]
    WrongKey {
        /// The file, or `key` when it came from elsewhere.
        place: String,
        /// What the file holds.
        found: String,
        /// What was asked for.
        wanted: &'static str,
    },
    /// Not a quarter.
    #[error("{0:?} is not a quarter such as 2026-Q4")]
    Epoch(String),
    /// Not 16 hexadecimal digits in lower case.
    #[error("{0:?} is not a fingerprint (16 hexadecimal digits)")]
    Fingerprint(String),
    /// Not the 64 hexadecimal digits, in lower case, of an Ed25519 key.
    #[error("{0:?} is no public key")]
    PublicKey(String),
    /// The file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operating system gave no random numbers.
    #[error("no random numbers from the operating system: {0}")]
    Randomness(#[from] getrandom::Error),
}

/// The first 8 bytes of the SHA-256 of a public key, written as 16 hexadecimal digits: names a key,
/// proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 8]);

impl Fingerprint {
    /// Of the key with these 32 bytes.
    pub fn of(public: &[u8; 32]) -> Self {
        let mut first = [0; 8];
        first.copy_from_slice(&Sha256::digest(public)[..8]);
        Self(first)
    }

    /// From its 8 bytes.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// Its 8 bytes.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        lower_hex::<8>(text)
            .map(Self)
            .ok_or_else(|| Error::Fingerprint(text.to_owned()))
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

/// A box: the fingerprint of its signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceId(pub Fingerprint);

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The quarter for which a recipient was made. Destroying a quarter's secret keys is the erasure that
/// backups cannot undo.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Epoch {
    year: u16,
    quarter: u8,
}

impl Epoch {
    /// Quarter 1 to 4 of a year from 2000 to 9999.
    pub fn new(year: u16, quarter: u8) -> Result<Self, Error> {
        if (2000..=9999).contains(&year) && (1..=4).contains(&quarter) {
            Ok(Self { year, quarter })
        } else {
            Err(Error::Epoch(format!("{year}-Q{quarter}")))
        }
    }

    /// The quarter in which `day` lies.
    pub fn of(day: jiff::civil::Date) -> Result<Self, Error> {
        let quarter = (day.month() - 1) / 3 + 1;
        match (u16::try_from(day.year()), u8::try_from(quarter)) {
            (Ok(year), Ok(quarter)) => Self::new(year, quarter),
            _ => Err(Error::Epoch(day.to_string())),
        }
    }

    /// The year.
    pub fn year(self) -> u16 {
        self.year
    }

    /// 1 to 4.
    pub fn quarter(self) -> u8 {
        self.quarter
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-Q{}", self.year, self.quarter)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Epoch {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Epoch(text.to_owned());
        let (year, quarter) = text.split_once("-Q").ok_or_else(wrong)?;
        let epoch = match (year.parse(), quarter.parse()) {
            (Ok(year), Ok(quarter)) => Self::new(year, quarter),
            _ => Err(wrong()),
        }?;
        // One spelling each: `+2026-Q04` is not a quarter.
        if epoch.to_string() == text {
            Ok(epoch)
        } else {
            Err(wrong())
        }
    }
}

impl TryFrom<String> for Epoch {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Epoch> for String {
    fn from(epoch: Epoch) -> Self {
        epoch.to_string()
    }
}

/// For whom a recipient stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The service that reviews.
    Service,
    /// The key in the safe, for the day when the service's is lost.
    Recovery,
}

impl Role {
    /// `service` or `recovery`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Recovery => "recovery",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The box's signing key. Signs the journal's heads; opens nothing.
#[derive(Clone)]
pub struct DeviceKey {
    signing: SigningKey,
    public: DevicePublic,
}

impl DeviceKey {
    fn new(secret: &[u8; 32]) -> Self {
        let signing = SigningKey::from_bytes(secret);
        let public = DevicePublic::new(signing.verifying_key());
        Self { signing, public }
    }

    /// Reads `device.key`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let key = KeyText::read(path, Half::Secret)?.device(Half::Secret, "box's secret key")?;
        let device = Self::new(&key.bytes);
        key.check_fingerprint(device.id().0)?;
        Ok(device)
    }

    /// The box's name.
    pub fn id(&self) -> DeviceId {
        self.public.id()
    }

    /// What others check its signatures with.
    pub fn public(&self) -> &DevicePublic {
        &self.public
    }

    /// Ed25519 signature over `message`.
    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message).to_bytes()
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({})", self.id())
    }
}

/// The public half of a box's signing key; in JSON its 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DevicePublic(VerifyingKey);

impl DevicePublic {
    fn new(key: VerifyingKey) -> Self {
        Self(key)
    }

    /// From its 32 bytes; nothing if they are no point, or one whose signatures anyone can make.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(bytes).ok()?;
        // RFC 8032 §5.1.3: a point has one encoding; with another, one key would have two names.
        let canonical = key.to_edwards().compress().as_bytes() == bytes;
        (canonical && !key.is_weak()).then(|| Self::new(key))
    }

    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Reads `device.pub`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::from_text(KeyText::read(path, Half::Public)?)
    }

    /// The box's name.
    pub fn id(&self) -> DeviceId {
        DeviceId(Fingerprint::of(self.as_bytes()))
    }

    /// Whether `signature` is this box's over `message` (strict: RFC 8032 §5.1.7, canonical only).
    pub fn signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.0.verify_strict(message, &signature).is_ok()
    }

    fn from_text(text: KeyText) -> Result<Self, Error> {
        let key = text.device(Half::Public, "box's public key")?;
        let public = Self::from_bytes(&key.bytes)
            .ok_or_else(|| key.malformed("these 32 bytes are no usable Ed25519 key"))?;
        key.check_fingerprint(public.id().0)?;
        Ok(public)
    }
}

impl fmt::Debug for DevicePublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DevicePublic({})", self.id())
    }
}

impl FromStr for DevicePublic {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::from_text(KeyText::parse("key".to_owned(), text)?)
    }
}

impl TryFrom<String> for DevicePublic {
    type Error = Error;
    fn try_from(digits: String) -> Result<Self, Error> {
        let bytes = lower_hex(&digits);
        bytes
            .and_then(|bytes| Self::from_bytes(&bytes))
            .ok_or(Error::PublicKey(digits))
    }
}

impl From<DevicePublic> for String {
    fn from(key: DevicePublic) -> Self {
        hex::encode(key.as_bytes())
    }
}

/// Someone to whom items are sealed: a public key of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    role: Role,
    epoch: Epoch,
    fingerprint: Fingerprint,
    pub(super) key: <Kem as hpke::Kem>::PublicKey,
}

impl Recipient {
    /// Reads `service-2026-Q4.pub` or the like.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::from_text(KeyText::read(path, Half::Public)?)
    }

    /// Service or recovery.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Its quarter.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Its name.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn from_text(text: KeyText) -> Result<Self, Error> {
        let wanted = "public key of the service or of the recovery";
        let (role, epoch, key) = text.office(Half::Public, wanted)?;
        let fingerprint = Fingerprint::of(&key.bytes);
        key.check_fingerprint(fingerprint)?;
        let public =
            <Kem as hpke::Kem>::PublicKey::from_bytes(&*key.bytes).map_err(|_| key.malformed(NO_X25519))?;
        Ok(Self {
            role,
            epoch,
            fingerprint,
            key: public,
        })
    }
}

impl FromStr for Recipient {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::from_text(KeyText::parse("key".to_owned(), text)?)
    }
}

/// A secret key of the service or of the recovery: opens what was sealed to it.
pub struct OfficeKey {
    recipient: Recipient,
    pub(super) secret: <Kem as hpke::Kem>::PrivateKey,
}

impl OfficeKey {
    /// Reads `service-2026-Q4.key` or the like.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let wanted = "secret key of the service or of the recovery";
        let (role, epoch, key) = KeyText::read(path, Half::Secret)?.office(Half::Secret, wanted)?;
        let secret =
            <Kem as hpke::Kem>::PrivateKey::from_bytes(&*key.bytes).map_err(|_| key.malformed(NO_X25519))?;
        let office = Self::new(role, epoch, secret);
        key.check_fingerprint(office.recipient.fingerprint)?;
        Ok(office)
    }

    fn new(role: Role, epoch: Epoch, secret: <Kem as hpke::Kem>::PrivateKey) -> Self {
        let key = Kem::sk_to_pk(&secret);
        let fingerprint = Fingerprint::of(&public_bytes(&key));
        let recipient = Recipient {
            role,
            epoch,
            fingerprint,
            key,
        };
        Self { recipient, secret }
    }

    /// Its public half.
    pub fn recipient(&self) -> &Recipient {
        &self.recipient
    }
}

impl fmt::Debug for OfficeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Recipient {
            role,
            epoch,
            fingerprint,
            ..
        } = &self.recipient;
        write!(f, "OfficeKey({role} {epoch} {fingerprint})")
    }
}

fn public_bytes(key: &<Kem as hpke::Kem>::PublicKey) -> [u8; 32] {
    let mut bytes = [0; 32];
    key.write_exact(&mut bytes);
    bytes
}
