//! The seal: plaintext in, item file out, and back with an office key.
//!
//! Promises:
//! - only this module makes a [`Sealed`], and a picture gets into one only as a
//!   [`crate::redact::Redacted`];
//! - one random content key per event, wrapped by HPKE to each recipient in each item, so that one
//!   item file and one secret key suffice to open it;
//! - content in XChaCha20-Poly1305 STREAM chunks (Hoang et al., "Online Authenticated-Encryption and
//!   its Nonce-Reuse Misuse-Resistance", 2015), each bound to the whole header: no chunk can be
//!   changed, moved, dropped or added, within an item or between items;
//! - opening gives out the whole plaintext or nothing, and says where the damage lies.
//!
//! Leaves to the journal to prove *who* sealed: to seal, a public key is enough.

mod opening;
mod wrapping;

use aead_stream::EncryptorBE32;
use aead_stream::aead::Buffer;
use chacha20poly1305::XChaCha20Poly1305;
use hpke::rand_core::{CryptoRng, UnwrapErr};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::item::{self, CHUNK, Header, ItemId, ItemKind, LONGEST, MOST_STANZAS, Stanza, TAG};
use super::keys::{DeviceId, Fingerprint, OfficeKey, Recipient};
use crate::frame::{Digest, EventId};

pub use opening::{Opened, open, open_with, prove};
#[cfg(feature = "desk")]
pub(super) use wrapping::{WrapAead, WrapKdf};
pub use wrapping::{rewrap, unwraps};
use wrapping::{unwrap, wrap_to_all};

/// Why nothing was sealed, or nothing opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Sealing to nobody is destroying.
    #[error("no recipient to seal to")]
    NoRecipients,
    /// More than a header can name.
    #[error("{0} recipients, where at most {MOST_STANZAS} are possible")]
    TooManyRecipients(usize),
    /// A recipient's key to which nothing can be sealed.
    #[error("nothing can be sealed to the key {0}: ask the office for it again")]
    Recipient(Fingerprint),
    /// Larger than any item may be.
    #[error("{0} bytes are too many for one item (at most {LONGEST})")]
    TooLong(u64),
    /// A record that cannot be written as JSON.
    #[error("the record cannot be written: {0}")]
    Record(#[from] serde_json::Error),
    /// The operating system gave no random numbers.
    #[error("no random numbers from the operating system: {0}")]
    Randomness(#[from] getrandom::Error),
    /// Header or length are wrong, or the file cannot be read.
    #[error(transparent)]
    Item(#[from] item::Error),
    /// The key is a good one, for other items.
    #[error("sealed to {}, not to the key {key}", list(.recipients))]
    OtherKey {
        /// The key that was tried.
        key: Fingerprint,
        /// Whom the header names.
        recipients: Vec<Stanza>,
    },
    /// The header names this key, and yet the content key does not unwrap.
    #[error("the header is damaged: its part for the key {0} does not open")]
    DamagedStanza(Fingerprint),
    /// One chunk is not what was sealed (or, if it is the first, the header is not).
    #[error("damaged in chunk {chunk} of {chunks}{}", if *chunk == 1 { ", or in the header" } else { "" })]
    Damaged {
        /// From 1.
        chunk: u64,
        /// Of how many.
        chunks: u64,
    },
}

fn list(stanzas: &[Stanza]) -> String {
    let names = stanzas
        .iter()
        .map(|stanza| format!("{} {} ({})", stanza.role, stanza.epoch, stanza.fingerprint));
    names.collect::<Vec<_>>().join(", ")
}

/// A sealed item, ready for the store.
#[derive(Debug, Clone)]
pub struct Sealed {
    header: Header,
    bytes: Vec<u8>,
}

impl Sealed {
    /// Event and number.
    pub fn id(&self) -> ItemId {
        self.header.id
    }

    /// What it holds.
    pub fn kind(&self) -> ItemKind {
        self.header.kind
    }

    /// The box that sealed it.
    pub fn device(&self) -> DeviceId {
        self.header.device
    }

    /// The item file's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the item file, computed by each call.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }
}

/// Seals the items of one event, numbering them as they come.
pub struct EventSealer {
    device: DeviceId,
    event: EventId,
    next: u32,
    content_key: Zeroizing<[u8; 32]>,
    stanzas: Vec<Stanza>,
}

impl EventSealer {
    /// Draws the event's content key and wraps it to `recipients`.
    pub fn new(device: DeviceId, event: EventId, recipients: &[Recipient]) -> Result<Self, Error> {
        let mut content_key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *content_key)?;
        // UnwrapErr would panic without randomness, which the operating system has just given.
        let randomness = &mut UnwrapErr(getrandom::SysRng);
        Self::with_content_key(device, event, recipients, content_key, randomness)
    }

    pub(super) fn with_content_key(
        device: DeviceId,
        event: EventId,
        recipients: &[Recipient],
        content_key: Zeroizing<[u8; 32]>,
        randomness: &mut impl CryptoRng,
    ) -> Result<Self, Error> {
        let stanzas = wrap_to_all(&content_key, recipients, device, event, randomness)?;
        Ok(Self {
            device,
            event,
            next: 0,
            content_key,
            stanzas,
        })
    }

    /// Goes on with an event that was sealed before: the same content key, out of `stanzas`, which are those in
    /// `header` or those that [`rewrap`] made; the next item has the number `next`. What is sealed so is of the
    /// event's own box, for the content key is bound to it, and opens to the recipients of `stanzas`.
    pub fn going_on(header: &Header, stanzas: &[Stanza], key: &OfficeKey, next: u32) -> Result<Self, Error> {
        Ok(Self {
            device: header.device,
            event: header.id.event,
            next,
            content_key: unwrap(header, stanzas, key)?,
            stanzas: stanzas.to_vec(),
        })
    }

    /// Seals a redacted frame and, as the next item, its manifest.
    #[cfg(any(feature = "trap", feature = "desk"))]
    pub fn seal_frame(&mut self, frame: &crate::redact::Redacted) -> Result<[Sealed; 2], Error> {
        let manifest = serde_json::to_vec(frame.manifest())?;
        Ok([
            self.seal(ItemKind::Frame, frame.jpeg())?,
            self.seal(ItemKind::Manifest, &manifest)?,
        ])
    }

    /// Seals what was seen in and decided on the event, as JSON: facts, never pixels.
    pub fn seal_record(&mut self, record: &impl Serialize) -> Result<Sealed, Error> {
        self.seal(ItemKind::Record, &serde_json::to_vec(record)?)
    }

    fn seal(&mut self, kind: ItemKind, plaintext: &[u8]) -> Result<Sealed, Error> {
        let mut nonce = [0; 19];
        getrandom::fill(&mut nonce)?;
        self.seal_with_nonce(kind, plaintext, nonce)
    }

    pub(super) fn seal_with_nonce(
        &mut self,
        kind: ItemKind,
        plaintext: &[u8],
        nonce: [u8; 19],
    ) -> Result<Sealed, Error> {
        let length = plaintext.len() as u64;
        let too_long = Error::TooLong(length);
        if length > LONGEST {
            return Err(too_long);
        }
        let header = Header {
            device: self.device,
            id: ItemId {
                event: self.event,
                number: self.next,
            },
            kind,
            length,
            stanzas: self.stanzas.clone(),
            nonce,
        };
        let encoded = header.encode();
        let bound = Sha256::digest(&encoded);
        let mut bytes = encoded;
        bytes.reserve_exact(plaintext.len() + header.chunks() as usize * TAG);
        let mut stream = EncryptorBE32::<XChaCha20Poly1305>::new((&*self.content_key).into(), &nonce.into());

        let whole = (header.chunks() - 1) as usize * CHUNK;
        // The AEAD fails only past its own length limits, far beyond LONGEST.
        for part in plaintext[..whole].chunks_exact(CHUNK) {
            stream
                .encrypt_next_in_place(&bound, &mut Tail::of(&mut bytes, part))
                .map_err(|_| Error::TooLong(length))?;
        }
        stream
            .encrypt_last_in_place(&bound, &mut Tail::of(&mut bytes, &plaintext[whole..]))
            .map_err(|_| too_long)?;

        self.next += 1;
        Ok(Sealed { header, bytes })
    }
}

/// The chunk at the end of a growing file, worked on where it lies: no copy for each chunk.
struct Tail<'v> {
    out: &'v mut Vec<u8>,
    from: usize,
}

impl<'v> Tail<'v> {
    fn of(out: &'v mut Vec<u8>, part: &[u8]) -> Self {
        let from = out.len();
        out.extend_from_slice(part);
        Self { out, from }
    }
}

impl AsRef<[u8]> for Tail<'_> {
    fn as_ref(&self) -> &[u8] {
        &self.out[self.from..]
    }
}

impl AsMut<[u8]> for Tail<'_> {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.out[self.from..]
    }
}

impl Buffer for Tail<'_> {
    fn extend_from_slice(&mut self, tag: &[u8]) -> Result<(), aead_stream::aead::Error> {
        self.out.extend_from_slice(tag);
        Ok(())
    }

    fn truncate(&mut self, length: usize) {
        self.out.truncate(self.from + length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::keys::{Epoch, office_init};

    pub(super) struct Office {
        pub(super) keys: [OfficeKey; 2],
    }

    impl Office {
        pub(super) fn new() -> Self {
            let dir = tempfile::tempdir().expect("a folder");
            let epoch = Epoch::new(2026, 4).expect("a quarter");
            let made = office_init(dir.path(), epoch).expect("new keys");
            let read = |path| OfficeKey::read(path).expect("just made");
            Self {
                keys: [read(&made.service.secret), read(&made.recovery.secret)],
            }
        }

        pub(super) fn sealer(&self) -> EventSealer {
            let device = DeviceId(Fingerprint::from_bytes([1; 8]));
            let recipients = self.keys.each_ref().map(|key| key.recipient().clone());
            EventSealer::new(device, EventId::from_bytes([2; 8]), &recipients).expect("sealer")
        }
    }

    pub(super) fn content(length: usize) -> Vec<u8> {
        (0..length).map(|i| (i % 251) as u8).collect()
    }

    #[test]
    fn an_event_is_gone_on_with_under_its_own_key_and_by_those_alone_who_can_open_it() {
        let office = Office::new();
        let first = office.sealer().seal(ItemKind::Record, b"first").expect("sealed");
        let [service, recovery] = &office.keys;
        let recipients = [service.recipient().clone()];
        let stanzas = rewrap(&first.header, &first.header.stanzas, recovery, &recipients).expect("wrapped");
        let mut sealer = EventSealer::going_on(&first.header, &stanzas, service, 1_000_000).expect("its key");
        let more = sealer.seal(ItemKind::Record, b"more").expect("sealed");
        assert_eq!(more.id().number, 1_000_000);
        let opened = open(more.bytes(), service).expect("by its own stanzas");
        assert_eq!(opened.plaintext, b"more");
        let opened = open_with(more.bytes(), &stanzas, service).expect("by those kept for the event");
        assert_eq!(opened.plaintext, b"more");
        // One content key: what the box wrapped opens it too.
        let opened = open_with(more.bytes(), &first.header.stanzas, recovery).expect("the same key");
        assert_eq!(opened.plaintext, b"more");
        assert!(EventSealer::going_on(&first.header, &stanzas, recovery, 2).is_err());
        let stranger = &Office::new().keys[0];
        assert!(EventSealer::going_on(&first.header, &stanzas, stranger, 2).is_err());
    }

    #[test]
    fn what_is_opened_is_byte_for_byte_what_was_sealed_with_either_key() {
        let office = Office::new();
        let mut sealer = office.sealer();
        let edges = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 77];
        for (number, length) in edges.into_iter().enumerate() {
            let plaintext = content(length);
            let sealed = sealer.seal(ItemKind::Frame, &plaintext).expect("sealed");
            assert_eq!(sealed.header.file_len(), sealed.bytes.len() as u64);
            for key in &office.keys {
                let opened = open(sealed.bytes(), key).expect("opened");
                assert_eq!(opened.plaintext, plaintext, "{length}");
                assert_eq!(opened.header.id.number as usize, number);
            }
        }
    }

    #[test]
    fn two_events_with_the_same_content_have_nothing_in_common() {
        let office = Office::new();
        let seal = || office.sealer().seal(ItemKind::Record, &content(1000));
        let (a, b) = (seal().expect("sealed").bytes, seal().expect("sealed").bytes);
        let pieces = |bytes: &[u8]| -> std::collections::HashSet<Vec<u8>> {
            bytes[item::FIXED + 12..]
                .windows(16)
                .map(<[u8]>::to_vec)
                .collect()
        };
        let fingerprints = 0; // 8 bytes each, shorter than a piece
        assert_eq!(pieces(&a).intersection(&pieces(&b)).count(), fingerprints);
    }
}
