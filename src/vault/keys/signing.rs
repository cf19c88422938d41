//! Keys that sign: the box's and the desk's. Ed25519 (RFC 8032), verified strictly.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::file::{Half, KeyText, Signer, lower_hex};
use super::{DeviceId, Error, Fingerprint};

/// A signing key: the box's or, read with [`DeviceKey::read_desk`], the desk's. Signs what its holder
/// writes down; opens nothing.
#[derive(Clone)]
pub struct DeviceKey {
    pub(super) signing: SigningKey,
    pub(super) public: DevicePublic,
}

impl DeviceKey {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        let signing = SigningKey::from_bytes(secret);
        let public = DevicePublic::new(signing.verifying_key());
        Self { signing, public }
    }

    /// Reads `device.key`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::read_of(path, Signer::Device)
    }

    /// Reads `desk.key`: a desk keeps a store as a box does, and signs it with its own key.
    pub fn read_desk(path: &Path) -> Result<Self, Error> {
        Self::read_of(path, Signer::Desk)
    }

    fn read_of(path: &Path, signer: Signer) -> Result<Self, Error> {
        let key = KeyText::read(path, Half::Secret)?.signing(Half::Secret, signer)?;
        let device = Self::new(&key.bytes);
        key.check_fingerprint(device.id().0)?;
        Ok(device)
    }

    /// Its holder's name.
    pub fn id(&self) -> DeviceId {
        self.public.id()
    }

    /// What others check its signatures with.
    pub fn public(&self) -> &DevicePublic {
        &self.public
    }

    /// Ed25519 signature over `message`.
    pub(in crate::vault) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message).to_bytes()
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({})", self.id())
    }
}

/// The public half of a signing key; in JSON its 64 hexadecimal digits.
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
        Self::from_text(KeyText::read(path, Half::Public)?, Signer::Device)
    }

    /// Reads `desk.pub`.
    pub fn read_desk(path: &Path) -> Result<Self, Error> {
        Self::from_text(KeyText::read(path, Half::Public)?, Signer::Desk)
    }

    /// Its holder's name.
    pub fn id(&self) -> DeviceId {
        DeviceId(Fingerprint::of(self.as_bytes()))
    }

    /// Whether `signature` is this key's over `message` (strict: RFC 8032 §5.1.7, canonical only).
    pub fn signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.0.verify_strict(message, &signature).is_ok()
    }

    fn from_text(text: KeyText, signer: Signer) -> Result<Self, Error> {
        let key = text.signing(Half::Public, signer)?;
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
        Self::from_text(KeyText::parse("key".to_owned(), text)?, Signer::Device)
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
