//! Keys to which items are sealed, and that open them: the service's and the recovery's. DHKEM(X25519,
//! HKDF-SHA256) (RFC 9180 §7.1).

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use hpke::{Deserializable as _, Kem as _, Serializable as _};

use super::file::{Half, KeyText};
use super::{Epoch, Error, Fingerprint, Role};

/// DHKEM(X25519, HKDF-SHA256), RFC 9180 §7.1.
pub(in crate::vault) type Kem = hpke::kem::X25519HkdfSha256;

const NO_X25519: &str = "these 32 bytes are no usable X25519 key";

/// Someone to whom items are sealed: a public key of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    role: Role,
    epoch: Epoch,
    pub(super) fingerprint: Fingerprint,
    pub(in crate::vault) key: <Kem as hpke::Kem>::PublicKey,
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
#[derive(Clone)]
pub struct OfficeKey {
    pub(super) recipient: Recipient,
    pub(in crate::vault) secret: <Kem as hpke::Kem>::PrivateKey,
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

    pub(super) fn new(role: Role, epoch: Epoch, secret: <Kem as hpke::Kem>::PrivateKey) -> Self {
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

    /// One whose secret half was kept elsewhere than in a file.
    #[cfg(feature = "desk")]
    pub(crate) fn from_secret(role: Role, epoch: Epoch, secret: &[u8; 32]) -> Option<Self> {
        let secret = <Kem as hpke::Kem>::PrivateKey::from_bytes(secret).ok()?;
        Some(Self::new(role, epoch, secret))
    }

    /// Its secret half, to keep it sealed.
    #[cfg(feature = "desk")]
    pub(crate) fn secret_bytes(&self) -> zeroize::Zeroizing<[u8; 32]> {
        let mut bytes = zeroize::Zeroizing::new([0; 32]);
        self.secret.write_exact(&mut *bytes);
        bytes
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

pub(super) fn public_bytes(key: &<Kem as hpke::Kem>::PublicKey) -> [u8; 32] {
    let mut bytes = [0; 32];
    key.write_exact(&mut bytes);
    bytes
}
