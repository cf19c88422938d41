//! The item file: its name, its header, its length. What can be checked of it without a key.
//!
//! Promises: a header is read with a bounded allocation whatever the bytes are, has one single
//! encoding, and fixes the file's length to the byte; neither name nor header says anything of the
//! content but kind and length. `docs/formats.md` has the layout. Leaves opening to [`super::seal`].

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::keys::{DeviceId, Epoch, Fingerprint, Role};
use crate::frame::EventId;

/// The first bytes of every item file.
pub const MAGIC: [u8; 8] = *b"vigieitm";
/// The only version there is.
pub const VERSION: u16 = 1;
/// Plaintext bytes in each chunk but the last.
pub const CHUNK: usize = 64 * 1024;
/// Bytes that sealing adds to a chunk: the Poly1305 tag (RFC 8439 §2.5).
pub const TAG: usize = 16;
/// No photograph comes near; it bounds what opening a foreign file may allocate.
pub const LONGEST: u64 = 256 * 1024 * 1024;
/// Service and recovery of two quarters, and as many again.
pub const MOST_STANZAS: usize = 8;
/// Bytes of a header before its stanzas.
pub const FIXED: usize = 64;
/// Bytes of a stanza.
pub const STANZA: usize = 92;

/// Why a file is no item, or not a whole one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Other bytes at the start.
    #[error("this is no sealed item")]
    NotAnItem,
    /// Written by a later program.
    #[error("sealed item of version {0}; this program reads version {VERSION}")]
    Version(u16),
    /// A field that no writer writes.
    #[error("damaged header: {0}")]
    Header(&'static str),
    /// It ends too early.
    #[error("truncated: {found} bytes of {expected}")]
    Truncated {
        /// Bytes that the header promises.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// It goes on too long.
    #[error("{0} bytes too many at the end")]
    Trailing(u64),
    /// It could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What an item holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// A redacted JPEG.
    Frame,
    /// The manifest of the frame with the number before.
    Manifest,
    /// What was seen in and decided on the event.
    Record,
}

impl ItemKind {
    /// As written in journal and database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Manifest => "manifest",
            Self::Record => "record",
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Frame => 1,
            Self::Manifest => 2,
            Self::Record => 3,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Frame),
            2 => Some(Self::Manifest),
            3 => Some(Self::Record),
            _ => None,
        }
    }
}

/// An item's name: its event and its number in it, from 0 in the order of sealing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId {
    /// The event.
    pub event: EventId,
    /// The number in it.
    pub number: u32,
}

impl fmt::Display for ItemId {
    /// The file's name: `0123456789abcdef-00007.vgi`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:05}.vgi", self.event, self.number)
    }
}

/// The text is no item file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no item's name, such as 0123456789abcdef-00007.vgi")]
pub struct NotAName;

impl FromStr for ItemId {
    type Err = NotAName;
    fn from_str(name: &str) -> Result<Self, NotAName> {
        let (event, number) = name
            .strip_suffix(".vgi")
            .and_then(|stem| stem.split_once('-'))
            .ok_or(NotAName)?;
        let id = Self {
            event: event.parse().map_err(|_| NotAName)?,
            number: number.parse().map_err(|_| NotAName)?,
        };
        // One spelling each, so that two files never stand for one item.
        if id.to_string() == name {
            Ok(id)
        } else {
            Err(NotAName)
        }
    }
}

/// The content key, wrapped for one recipient by HPKE (RFC 9180 §5.1.1, mode base).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stanza {
    /// Service or recovery.
    pub role: Role,
    /// The recipient's quarter.
    pub epoch: Epoch,
    /// The recipient's name.
    pub fingerprint: Fingerprint,
    /// `enc`: the encapsulated key, an X25519 public key.
    pub(super) encapsulated: [u8; 32],
    /// `ct`: the 32 bytes of the content key and their tag.
    pub(super) wrapped: [u8; 48],
}

impl Stanza {
    /// Its bytes, as in a header.
    pub fn to_bytes(&self) -> [u8; STANZA] {
        let [year_high, year_low] = self.epoch.year().to_be_bytes();
        let role = match self.role {
            Role::Service => 1,
            Role::Recovery => 2,
        };
        let mut out = [0; STANZA];
        out[..4].copy_from_slice(&[role, self.epoch.quarter(), year_high, year_low]);
        out[4..12].copy_from_slice(self.fingerprint.as_bytes());
        out[12..44].copy_from_slice(&self.encapsulated);
        out[44..].copy_from_slice(&self.wrapped);
        out
    }

    /// From its bytes.
    pub fn from_bytes(bytes: &[u8; STANZA]) -> Result<Self, Error> {
        let mut fields = Fields(bytes);
        let [role, quarter] = fields.take();
        let role = match role {
            1 => Role::Service,
            2 => Role::Recovery,
            _ => return Err(Error::Header("a recipient is neither service nor recovery")),
        };
        let year = u16::from_be_bytes(fields.take());
        let epoch =
            Epoch::new(year, quarter).map_err(|_| Error::Header("a recipient's epoch is no quarter"))?;
        Ok(Self {
            role,
            epoch,
            fingerprint: Fingerprint::from_bytes(fields.take()),
            encapsulated: fields.take(),
            wrapped: fields.take(),
        })
    }
}

/// Everything that an item file says in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The box that sealed it.
    pub device: DeviceId,
    /// Event and number.
    pub id: ItemId,
    /// What it holds.
    pub kind: ItemKind,
    /// Bytes of the plaintext.
    pub length: u64,
    /// Who can open it.
    pub stanzas: Vec<Stanza>,
    /// First 19 bytes of every chunk's nonce.
    pub(super) nonce: [u8; 19],
}

impl Header {
    /// Bytes of the encoded header.
    pub fn encoded_len(&self) -> usize {
        FIXED + STANZA * self.stanzas.len()
    }

    /// Chunks in the body; an empty item has one, empty but for its tag.
    pub fn chunks(&self) -> u64 {
        self.length.div_ceil(CHUNK as u64).max(1)
    }

    /// Bytes of the whole file.
    pub fn file_len(&self) -> u64 {
        self.encoded_len() as u64 + self.length + self.chunks() * TAG as u64
    }

    /// The header's bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.push(self.kind.code());
        // At most MOST_STANZAS: the sealer and the reader both refuse more.
        out.push(self.stanzas.len() as u8);
        out.extend_from_slice(&self.id.number.to_be_bytes());
        out.extend_from_slice(self.device.0.as_bytes());
        out.extend_from_slice(self.id.event.as_bytes());
        out.extend_from_slice(&self.length.to_be_bytes());
        out.extend_from_slice(&self.nonce);
        out.resize(FIXED, 0);
        for stanza in &self.stanzas {
            out.extend_from_slice(&stanza.to_bytes());
        }
        out
    }

    /// Reads a header and leaves `source` at the first chunk. Allocates at most
    /// [`MOST_STANZAS`] stanzas.
    pub fn read(source: &mut impl Read) -> Result<Self, Error> {
        let mut fixed = [0; FIXED];
        let found = read_as_much_as_there_is(source, &mut fixed)?;
        let mut fields = Fields(&fixed);
        if found < MAGIC.len() || fields.take() != MAGIC {
            return Err(Error::NotAnItem);
        }
        let version = u16::from_be_bytes(fields.take());
        if found >= 10 && version != VERSION {
            return Err(Error::Version(version));
        }
        if found < FIXED {
            return Err(Error::Truncated {
                expected: FIXED as u64,
                found: found as u64,
            });
        }
        let [kind, stanzas] = fields.take();
        let kind = ItemKind::from_code(kind).ok_or(Error::Header("unknown kind of item"))?;
        let stanzas = usize::from(stanzas);
        if !(1..=MOST_STANZAS).contains(&stanzas) {
            return Err(Error::Header("no recipients, or too many"));
        }
        let number = u32::from_be_bytes(fields.take());
        let device = DeviceId(Fingerprint::from_bytes(fields.take()));
        let event = EventId::from_bytes(fields.take());
        let length = u64::from_be_bytes(fields.take());
        if length > LONGEST {
            return Err(Error::Header("longer than any item"));
        }
        let nonce = fields.take();
        if fields.0.iter().any(|&byte| byte != 0) {
            return Err(Error::Header("reserved bytes are not zero"));
        }
        let mut header = Self {
            device,
            id: ItemId { event, number },
            kind,
            length,
            stanzas: Vec::with_capacity(stanzas),
            nonce,
        };
        for nth in 0..stanzas {
            let mut stanza = [0; STANZA];
            let found = read_as_much_as_there_is(source, &mut stanza)?;
            if found < STANZA {
                return Err(Error::Truncated {
                    expected: (FIXED + STANZA * stanzas) as u64,
                    found: (FIXED + STANZA * nth + found) as u64,
                });
            }
            header.stanzas.push(Stanza::from_bytes(&stanza)?);
        }
        Ok(header)
    }

    /// Checks that a file of `found` bytes with this header is neither cut nor padded.
    pub fn check_length(&self, found: u64) -> Result<(), Error> {
        let expected = self.file_len();
        match found.checked_sub(expected) {
            None => Err(Error::Truncated { expected, found }),
            Some(0) => Ok(()),
            Some(more) => Err(Error::Trailing(more)),
        }
    }
}

/// Takes fields of fixed size off a record of fixed size.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    /// The next `N` bytes. The callers' sums are constants checked by the vectors test; were one
    /// wrong, the missing bytes would read as zero.
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut field = [0; N];
        let (head, tail) = self.0.split_at(N.min(self.0.len()));
        field[..head.len()].copy_from_slice(head);
        self.0 = tail;
        field
    }
}

/// Fills `buffer` as far as `source` goes; how many bytes that was.
pub(super) fn read_as_much_as_there_is(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> Header {
        let stanza = |role| Stanza {
            role,
            epoch: Epoch::new(2026, 4).expect("a quarter"),
            fingerprint: Fingerprint::from_bytes([7; 8]),
            encapsulated: [8; 32],
            wrapped: [9; 48],
        };
        Header {
            device: DeviceId(Fingerprint::from_bytes([1; 8])),
            id: ItemId {
                event: EventId::from_bytes([2; 8]),
                number: 3,
            },
            kind: ItemKind::Manifest,
            length: 100_000,
            stanzas: vec![stanza(Role::Service), stanza(Role::Recovery)],
            nonce: [4; 19],
        }
    }

    #[test]
    fn an_item_that_ends_within_its_header_is_told_from_what_is_no_item() {
        let bytes = header().encode();
        for end in 0..bytes.len() {
            let error = Header::read(&mut &bytes[..end]).expect_err("cut");
            let promised = if end < FIXED { FIXED } else { bytes.len() };
            match error {
                Error::NotAnItem => assert!(end < MAGIC.len(), "{end}"),
                Error::Truncated { expected, found } => {
                    assert!(end >= MAGIC.len(), "{end}");
                    assert_eq!((expected, found), (promised as u64, end as u64));
                }
                error => panic!("{end}: {error}"),
            }
        }
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let bytes = header().encode();
        assert_eq!(bytes.len(), header().encoded_len());
        assert_eq!(Header::read(&mut &bytes[..]).expect("whole"), header());
    }

    #[test]
    fn a_header_cut_anywhere_is_refused() {
        let bytes = header().encode();
        for end in 0..bytes.len() {
            assert!(Header::read(&mut &bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn the_length_of_the_file_is_known_to_the_byte() {
        let header = header();
        let whole = header.file_len();
        assert_eq!(whole, 64 + 2 * 92 + 100_000 + 2 * 16);
        assert!(header.check_length(whole).is_ok());
        assert!(matches!(
            header.check_length(whole - 1),
            Err(Error::Truncated { .. })
        ));
        assert!(matches!(header.check_length(whole + 1), Err(Error::Trailing(1))));
    }

    #[test]
    fn an_item_has_one_name() {
        let name = "0202020202020202-00003.vgi";
        assert_eq!(name.parse(), Ok(header().id));
        assert_eq!(header().id.to_string(), name);
        for other in [
            "0202020202020202-3.vgi",
            "0202020202020202-+0003.vgi",
            "0202020202020202-00003.VGI",
            "../0202020202020202-00003.vgi",
            "0202020202020202-00003",
        ] {
            assert_eq!(other.parse::<ItemId>(), Err(NotAName), "{other}");
        }
    }

    #[test]
    fn an_item_that_says_it_is_longer_than_any_is_refused() {
        for (length, refused) in [
            (LONGEST - 1, false),
            (LONGEST, false),
            (LONGEST + 1, true),
            (u64::MAX, true),
        ] {
            let bytes = Header { length, ..header() }.encode();
            let read = Header::read(&mut &bytes[..]);
            assert_eq!(
                matches!(read, Err(Error::Header("longer than any item"))),
                refused,
                "{length}"
            );
        }
    }

    /// Gives one byte at a time and is interrupted before each; fails at its end.
    struct Halting<'b>(&'b [u8], bool);

    impl Read for Halting<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            match (self.1, self.0) {
                (true, _) => Err(io::ErrorKind::Interrupted.into()),
                (false, []) => Err(io::ErrorKind::Other.into()),
                (false, [first, rest @ ..]) => {
                    (buffer[0], self.0) = (*first, rest);
                    Ok(1)
                }
            }
        }
    }

    #[test]
    fn a_read_that_is_interrupted_goes_on_and_one_that_fails_does_not() {
        let mut buffer = [0; 3];
        let found = read_as_much_as_there_is(&mut Halting(b"abcd", false), &mut buffer).expect("read");
        assert_eq!((found, &buffer), (3, b"abc"));
        let failed = read_as_much_as_there_is(&mut Halting(b"ab", false), &mut buffer).expect_err("it fails");
        assert_eq!(failed.kind(), io::ErrorKind::Other);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic_or_two_encodings_of_one_header(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..400),
            like in any::<bool>(),
        ) {
            if like && bytes.len() > 12 {
                bytes[..8].copy_from_slice(&MAGIC);
                bytes[8..12].copy_from_slice(&[0, 1, 1, 2]);
            }
            if let Ok(header) = Header::read(&mut &bytes[..]) {
                prop_assert_eq!(&header.encode()[..], &bytes[..header.encoded_len()]);
            }
        }
    }
}
