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

use std::io::{self, Read};

use aead_stream::aead::Buffer;
use aead_stream::{DecryptorBE32, EncryptorBE32};
use chacha20poly1305::XChaCha20Poly1305;
use hpke::rand_core::{CryptoRng, UnwrapErr};
use hpke::{Deserializable as _, OpModeR, OpModeS, Serializable as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::item::{
    self, CHUNK, Header, ItemId, ItemKind, LONGEST, MOST_STANZAS, Stanza, TAG, read_as_much_as_there_is,
};
use super::keys::{DeviceId, Fingerprint, Kem, OfficeKey, Recipient};
use crate::frame::{Digest, EventId};

pub(super) type WrapAead = hpke::aead::ChaCha20Poly1305;
pub(super) type WrapKdf = hpke::kdf::HkdfSha256;

/// HPKE's `info`: no ciphertext made for another purpose opens as a content key.
const WRAP_INFO: &[u8] = b"vigie content key 1";

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

/// HPKE's `aad`: a stanza serves its own event on its own box alone.
fn wrap_aad(device: DeviceId, event: EventId) -> [u8; 16] {
    let mut aad = [0; 16];
    aad[..8].copy_from_slice(device.0.as_bytes());
    aad[8..].copy_from_slice(event.as_bytes());
    aad
}

fn wrap_to_all(
    content_key: &[u8; 32],
    recipients: &[Recipient],
    device: DeviceId,
    event: EventId,
    randomness: &mut impl CryptoRng,
) -> Result<Vec<Stanza>, Error> {
    match recipients.len() {
        0 => return Err(Error::NoRecipients),
        1..=MOST_STANZAS => {}
        many => return Err(Error::TooManyRecipients(many)),
    }
    let wrap = |recipient| wrap(content_key, recipient, device, event, randomness);
    recipients.iter().map(wrap).collect()
}

fn wrap(
    content_key: &[u8; 32],
    recipient: &Recipient,
    device: DeviceId,
    event: EventId,
    randomness: &mut impl CryptoRng,
) -> Result<Stanza, Error> {
    let refused = |_| Error::Recipient(recipient.fingerprint());
    let (enc, ciphertext) = hpke::single_shot_seal_with_rng::<WrapAead, WrapKdf, Kem>(
        &OpModeS::Base,
        &recipient.key,
        WRAP_INFO,
        content_key,
        &wrap_aad(device, event),
        randomness,
    )
    .map_err(refused)?;
    let mut stanza = Stanza {
        role: recipient.role(),
        epoch: recipient.epoch(),
        fingerprint: recipient.fingerprint(),
        encapsulated: [0; 32],
        wrapped: [0; 48],
    };
    enc.write_exact(&mut stanza.encapsulated);
    // 32 bytes of key and 16 of tag (RFC 9180 §7.3, Nt).
    stanza.wrapped.copy_from_slice(&ciphertext);
    Ok(stanza)
}

/// The content key of the header's event, out of `stanzas`: its own, or those kept for it elsewhere.
fn unwrap(header: &Header, stanzas: &[Stanza], key: &OfficeKey) -> Result<Zeroizing<[u8; 32]>, Error> {
    let fingerprint = key.recipient().fingerprint();
    let stanza = stanzas
        .iter()
        .find(|stanza| stanza.fingerprint == fingerprint)
        .ok_or_else(|| Error::OtherKey {
            key: fingerprint,
            recipients: stanzas.to_vec(),
        })?;
    let damaged = |_| Error::DamagedStanza(fingerprint);
    let enc = <Kem as hpke::Kem>::EncappedKey::from_bytes(&stanza.encapsulated).map_err(damaged)?;
    let opened = hpke::single_shot_open::<WrapAead, WrapKdf, Kem>(
        &OpModeR::Base,
        &key.secret,
        &enc,
        WRAP_INFO,
        &stanza.wrapped,
        &wrap_aad(header.device, header.id.event),
    )
    .map_err(damaged)?;
    let opened = Zeroizing::new(opened);
    let mut content_key = Zeroizing::new([0; 32]);
    content_key.copy_from_slice(&opened);
    Ok(content_key)
}

/// Whether this key is among those that the content key is wrapped to, in these stanzas, and unwraps it.
pub fn unwraps(header: &Header, stanzas: &[Stanza], key: &OfficeKey) -> bool {
    unwrap(header, stanzas, key).is_ok()
}

/// Wraps an event's content key anew, to other recipients: unwrapped with `key` from `stanzas`, which are
/// those in `header` or those made here before.
///
/// The item files stay as they are, for their headers are bound to their chunks; what is made here is kept
/// beside them, and [`open_with`] takes it. It serves the same event of the same box, and no other.
pub fn rewrap(
    header: &Header,
    stanzas: &[Stanza],
    key: &OfficeKey,
    recipients: &[Recipient],
) -> Result<Vec<Stanza>, Error> {
    let content_key = unwrap(header, stanzas, key)?;
    // As in `EventSealer::new`: UnwrapErr would panic without randomness.
    getrandom::fill(&mut [0; 32])?;
    let randomness = &mut UnwrapErr(getrandom::SysRng);
    wrap_to_all(
        &content_key,
        recipients,
        header.device,
        header.id.event,
        randomness,
    )
}

/// An item, opened and found whole.
#[derive(Debug, Clone)]
pub struct Opened {
    /// What the file said in clear, now proven.
    pub header: Header,
    /// Byte for byte what was sealed.
    pub plaintext: Vec<u8>,
}

/// Opens an item file. Gives out the whole plaintext, checked to its last chunk, or nothing.
pub fn open(mut source: impl Read, key: &OfficeKey) -> Result<Opened, Error> {
    let header = Header::read(&mut source)?;
    open_behind(header, source, key)
}

/// The same, of an item whose header was read already.
pub fn open_behind(header: Header, source: impl Read, key: &OfficeKey) -> Result<Opened, Error> {
    let content_key = unwrap(&header, &header.stanzas, key)?;
    open_body(source, header, &content_key)
}

/// The same for an item whose content key was wrapped anew: `stanzas` are what [`rewrap`] made of it.
pub fn open_with(mut source: impl Read, stanzas: &[Stanza], key: &OfficeKey) -> Result<Opened, Error> {
    let header = Header::read(&mut source)?;
    let content_key = unwrap(&header, stanzas, key)?;
    open_body(source, header, &content_key)
}

fn open_body(mut source: impl Read, header: Header, content_key: &[u8; 32]) -> Result<Opened, Error> {
    let bound = Sha256::digest(header.encode());
    let mut stream = DecryptorBE32::<XChaCha20Poly1305>::new(content_key.into(), &header.nonce.into());
    let chunks = header.chunks();
    // The length in the header is not proven before the last chunk: room for a photograph at once, and
    // for more only as far as more is there.
    let room = header.length.min(8 * 1024 * 1024) as usize + TAG;
    let mut plaintext = Vec::with_capacity(room);
    for chunk in 1..chunks {
        let mut tail = read_chunk(&mut source, &header, chunk, CHUNK, &mut plaintext)?;
        stream
            .decrypt_next_in_place(&bound, &mut tail)
            .map_err(|_| Error::Damaged { chunk, chunks })?;
    }
    let rest = (header.length - (chunks - 1) * CHUNK as u64) as usize;
    let mut tail = read_chunk(&mut source, &header, chunks, rest, &mut plaintext)?;
    let chunk = chunks;
    stream
        .decrypt_last_in_place(&bound, &mut tail)
        .map_err(|_| Error::Damaged { chunk, chunks })?;
    let trailing = io::copy(&mut source, &mut io::sink()).map_err(item::Error::Io)?;
    header.check_length(header.file_len() + trailing)?;
    Ok(Opened { header, plaintext })
}

/// Reads the `nth` chunk (from 1), of `length` plaintext bytes, to the end of `out`.
fn read_chunk<'v>(
    source: &mut impl Read,
    header: &Header,
    nth: u64,
    length: usize,
    out: &'v mut Vec<u8>,
) -> Result<Tail<'v>, Error> {
    let from = out.len();
    out.resize(from + length + TAG, 0);
    let found = read_as_much_as_there_is(source, &mut out[from..]).map_err(item::Error::Io)?;
    if found < length + TAG {
        let before = header.encoded_len() as u64 + (nth - 1) * (CHUNK + TAG) as u64;
        header.check_length(before + found as u64)?;
    }
    Ok(Tail { out, from })
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
    use crate::vault::keys::{Epoch, Role, office_init};

    struct Office {
        keys: [OfficeKey; 2],
    }

    impl Office {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("a folder");
            let epoch = Epoch::new(2026, 4).expect("a quarter");
            let made = office_init(dir.path(), epoch).expect("new keys");
            let read = |path| OfficeKey::read(path).expect("just made");
            Self {
                keys: [read(&made.service.secret), read(&made.recovery.secret)],
            }
        }

        fn sealer(&self) -> EventSealer {
            let device = DeviceId(Fingerprint::from_bytes([1; 8]));
            let recipients = self.keys.each_ref().map(|key| key.recipient().clone());
            EventSealer::new(device, EventId::from_bytes([2; 8]), &recipients).expect("sealer")
        }
    }

    fn content(length: usize) -> Vec<u8> {
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
    fn one_flipped_bit_anywhere_in_an_item_gives_nothing() {
        let office = Office::new();
        let plaintext = content(CHUNK + 100);
        let sealed = office.sealer().seal(ItemKind::Frame, &plaintext);
        let good = sealed.expect("sealed").bytes;
        let header = FIXED_AND_TWO_STANZAS;
        let in_chunks = (header..good.len()).step_by(4099);
        for (nth, at) in (0..header).chain(in_chunks).enumerate() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (nth % 8);
            // The other recipient's stanza is bound too, though this key does not need it.
            assert!(open(&bad[..], &office.keys[0]).is_err(), "byte {at}");
        }
        let mut bad = good;
        *bad.last_mut().expect("bytes") ^= 1;
        let error = open(&bad[..], &office.keys[0]).expect_err("damaged");
        assert_eq!(error.to_string(), "damaged in chunk 2 of 2");
    }

    const FIXED_AND_TWO_STANZAS: usize = item::FIXED + 2 * item::STANZA;

    #[test]
    fn a_cut_or_lengthened_item_is_told_from_a_damaged_one() {
        let office = Office::new();
        let sealed = office.sealer().seal(ItemKind::Frame, &content(2 * CHUNK));
        let mut bytes = sealed.expect("sealed").bytes;
        let whole = bytes.len();
        for (end, promised) in [
            (whole - 1, whole),
            (whole - CHUNK - TAG, whole),
            (300, whole),
            (10, item::FIXED),
        ] {
            match open(&bytes[..end], &office.keys[0]).expect_err("cut") {
                Error::Item(item::Error::Truncated { expected, found }) => {
                    assert_eq!((expected, found), (promised as u64, end as u64));
                }
                error => panic!("{end}: {error}"),
            }
        }
        bytes.push(0);
        let error = open(&bytes[..], &office.keys[0]).expect_err("lengthened");
        assert!(matches!(error, Error::Item(item::Error::Trailing(1))));
    }

    #[test]
    fn chunks_cannot_change_places_within_an_item_or_between_items() {
        let office = Office::new();
        let mut sealer = office.sealer();
        let mut seal = || sealer.seal(ItemKind::Frame, &content(3 * CHUNK));
        let (a, b) = (seal().expect("sealed").bytes, seal().expect("sealed").bytes);
        let chunk = |nth: usize| {
            let first = FIXED_AND_TWO_STANZAS + nth * (CHUNK + TAG);
            first..first + CHUNK + TAG
        };
        let mut swapped = a.clone();
        swapped[chunk(0)].copy_from_slice(&a[chunk(1)]);
        swapped[chunk(1)].copy_from_slice(&a[chunk(0)]);
        let mut mixed = a.clone();
        mixed[chunk(1)].copy_from_slice(&b[chunk(1)]);
        for (bad, at) in [(swapped, 1), (mixed, 2)] {
            let error = open(&bad[..], &office.keys[0]).expect_err("moved");
            assert!(matches!(error, Error::Damaged { chunk, .. } if chunk == at));
        }
    }

    #[test]
    fn another_key_is_told_for_whom_the_item_was_sealed() {
        let (office, other) = (Office::new(), Office::new());
        let sealed = office.sealer().seal(ItemKind::Record, b"{}").expect("sealed");
        let error = open(sealed.bytes(), &other.keys[0]).expect_err("other key");
        let [service, recovery] = office.keys.each_ref().map(|key| key.recipient().fingerprint());
        let named = format!("service 2026-Q4 ({service}), recovery 2026-Q4 ({recovery})");
        assert!(error.to_string().contains(&named), "{error}");
        match error {
            Error::OtherKey { key, recipients } => {
                assert_eq!(key, other.keys[0].recipient().fingerprint());
                let roles = recipients.iter().map(|stanza| stanza.role);
                assert!(roles.eq([Role::Service, Role::Recovery]));
            }
            error => panic!("{error}"),
        }
    }

    #[test]
    fn a_content_key_wrapped_anew_opens_with_the_new_key_and_no_longer_needs_the_old() {
        let (old, new, newer) = (Office::new(), Office::new(), Office::new());
        let sealed = old.sealer().seal(ItemKind::Frame, &content(CHUNK + 7));
        let sealed = sealed.expect("sealed");
        let to = |office: &Office| office.keys.each_ref().map(|key| key.recipient().clone());
        let header = &sealed.header;
        let first = rewrap(header, &header.stanzas, &old.keys[1], &to(&new)).expect("wrapped anew");
        let second = rewrap(header, &first, &new.keys[0], &to(&newer)).expect("and again");
        for (stanzas, office) in [(&first, &new), (&second, &newer)] {
            for key in &office.keys {
                let opened = open_with(sealed.bytes(), stanzas, key).expect("opened");
                assert_eq!(opened.plaintext, content(CHUNK + 7));
                // The file itself says what it always said.
                let refused = open(sealed.bytes(), key).expect_err("not in the header");
                assert!(matches!(refused, Error::OtherKey { .. }));
            }
        }
        let kept = first.iter().map(|stanza| Stanza::from_bytes(&stanza.to_bytes()));
        assert!(
            kept.map(|stanza| stanza.expect("whole"))
                .eq(first.iter().cloned())
        );
        let refused = rewrap(header, &header.stanzas, &new.keys[0], &to(&newer)).expect_err("other key");
        assert!(matches!(refused, Error::OtherKey { .. }));
        let nobody = rewrap(header, &header.stanzas, &old.keys[0], &[]);
        assert!(matches!(nobody, Err(Error::NoRecipients)));
    }

    #[test]
    fn what_was_wrapped_anew_serves_its_own_event_on_its_own_box_alone() {
        let office = Office::new();
        let recipients = office.keys.each_ref().map(|key| key.recipient().clone());
        let sealed = office.sealer().seal(ItemKind::Record, b"{}").expect("sealed");
        let anew = |device, event| {
            let mut header = sealed.header.clone();
            (header.device, header.id.event) = (device, event);
            let stanzas = EventSealer::new(device, event, &recipients)
                .expect("a sealer")
                .stanzas;
            rewrap(&header, &stanzas, &office.keys[0], &recipients).expect("wrapped anew")
        };
        let (device, event) = (sealed.header.device, sealed.header.id.event);
        let (other_device, other_event) = (
            DeviceId(Fingerprint::from_bytes([9; 8])),
            EventId::from_bytes([9; 8]),
        );
        for stanzas in [anew(other_device, event), anew(device, other_event)] {
            let refused = open_with(sealed.bytes(), &stanzas, &office.keys[0]).expect_err("bound");
            assert!(matches!(refused, Error::DamagedStanza(_)), "{refused}");
        }
        // Another content key of the same event: unwrapped, and found to be the wrong one.
        let refused = open_with(sealed.bytes(), &anew(device, event), &office.keys[0]).expect_err("wrong");
        assert!(matches!(refused, Error::Damaged { chunk: 1, .. }), "{refused}");
    }

    #[test]
    fn nothing_is_sealed_to_nobody_or_to_a_key_that_opens_for_everybody() {
        let device = DeviceId(Fingerprint::from_bytes([1; 8]));
        let event = EventId::from_bytes([2; 8]);
        let nobody = EventSealer::new(device, event, &[]).err();
        assert!(matches!(nobody, Some(Error::NoRecipients)));
        // RFC 7748 §6.1: the all-zero point makes every shared secret zero.
        let zero = format!(
            "vigie public key 1\nkind: service\nepoch: 2026-Q4\nfingerprint: {}\nkey: {}\n",
            Fingerprint::of(&[0; 32]),
            "00".repeat(32)
        );
        let recipient: Recipient = zero.parse().expect("a text of the right form");
        let refused = EventSealer::new(device, event, &[recipient]).err();
        assert!(matches!(refused, Some(Error::Recipient(_))));
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
