//! Cells: how the desk keeps what names a person, a plate or a place, in the columns of its database.
//!
//! Promises: a cell opens only under the key it was sealed under and only in the place (table, row, column) it was
//! sealed for, so a row cannot be moved or swapped; any changed bit is found; two cells of one value have nothing
//! in common. Each has a content key of its own, wrapped beside it: who deletes the row destroys the key with it.
//! XChaCha20-Poly1305 with random nonces, docs/formats.md §13. Leaves to [`super::keyring`] who holds which key.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of a wrapped content key: nonce, key, tag.
pub const WRAPPED: usize = NONCE + 32 + 16;
const NONCE: usize = 24;

/// Why there is no value.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another key, another place, or a changed bit: which of them cannot be told.
    #[error("{table}.{column} of {row}: cannot be opened with this key: it is damaged, or belongs elsewhere")]
    Closed {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's key.
        row: String,
    },
    /// What is in it is of another form than this program's.
    #[error("a cell's content cannot be read or written: {0}")]
    Form(#[from] serde_json::Error),
    /// The operating system gives no randomness.
    #[error("no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
}

/// A key under which cells are sealed. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct CellKey(Zeroizing<[u8; 32]>);

impl CellKey {
    /// A new one.
    pub fn generate() -> Result<Self, Error> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key)?;
        Ok(Self(key))
    }

    /// One that was kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// To keep it, wrapped.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The blind index of `text` for `purpose`: HMAC-SHA256 (RFC 2104). Equal texts have equal indexes, and nobody
    /// without the key can try one out. The key must serve nothing else.
    pub fn blind(&self, purpose: &str, text: &str) -> [u8; 32] {
        // Every length of key will do for HMAC (RFC 2104 §2).
        let mut mac = match Hmac::<Sha256>::new_from_slice(&*self.0) {
            Ok(mac) => mac,
            Err(_) => unreachable!("HMAC takes keys of any length"),
        };
        mac.update(&(purpose.len() as u64).to_be_bytes());
        mac.update(purpose.as_bytes());
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for CellKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CellKey(..)")
    }
}

/// Where a cell stands; sealed with it.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row's key, opaque.
    pub row: &'a str,
}

impl Place<'_> {
    fn bound(self) -> Vec<u8> {
        let mut bound = b"vigie cell 1\0".to_vec();
        for text in [self.table, self.column, self.row] {
            bound.extend_from_slice(&(text.len() as u64).to_be_bytes());
            bound.extend_from_slice(text.as_bytes());
        }
        bound
    }

    fn closed(self) -> Error {
        Error::Closed {
            table: self.table,
            column: self.column,
            row: self.row.to_owned(),
        }
    }
}

/// A sealed value: two columns of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Its content key, wrapped ([`WRAPPED`] bytes).
    pub wrapped: Vec<u8>,
    /// Nonce, ciphertext, tag.
    pub body: Vec<u8>,
}

/// Seals a value, as JSON.
pub fn seal(key: &CellKey, place: Place<'_>, value: &impl Serialize) -> Result<Cell, Error> {
    let plaintext = Zeroizing::new(serde_json::to_vec(value)?);
    seal_bytes(key, place, &plaintext)
}

/// Seals bytes.
pub fn seal_bytes(key: &CellKey, place: Place<'_>, plaintext: &[u8]) -> Result<Cell, Error> {
    let content = CellKey::generate()?;
    Ok(Cell {
        wrapped: encrypt(key, place, content.as_bytes())?,
        body: encrypt(&content, place, plaintext)?,
    })
}

/// Opens a cell and reads its JSON.
pub fn open<T: DeserializeOwned>(key: &CellKey, place: Place<'_>, cell: &Cell) -> Result<T, Error> {
    Ok(serde_json::from_slice(&open_bytes(key, place, cell)?)?)
}

/// Opens a cell.
pub fn open_bytes(key: &CellKey, place: Place<'_>, cell: &Cell) -> Result<Zeroizing<Vec<u8>>, Error> {
    let content = decrypt(key, place, &cell.wrapped)?;
    let content: [u8; 32] = content.as_slice().try_into().map_err(|_| place.closed())?;
    decrypt(&CellKey::from_bytes(content), place, &cell.body)
}

fn encrypt(key: &CellKey, place: Place<'_>, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce)?;
    let bound = place.bound();
    let payload = Payload {
        msg: plaintext,
        aad: &bound,
    };
    let sealed = XChaCha20Poly1305::new((&*key.0).into()).encrypt(&XNonce::from(nonce), payload);
    let sealed = sealed.map_err(|_| place.closed())?;
    Ok([&nonce[..], &sealed].concat())
}

fn decrypt(key: &CellKey, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (nonce, rest) = sealed
        .split_first_chunk::<NONCE>()
        .ok_or_else(|| place.closed())?;
    let bound = place.bound();
    let payload = Payload {
        msg: rest,
        aad: &bound,
    };
    XChaCha20Poly1305::new((&*key.0).into())
        .decrypt(&XNonce::from(*nonce), payload)
        .map(Zeroizing::new)
        .map_err(|_| place.closed())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> = Place {
        table: "infraction",
        column: "record",
        row: "2026-IVR-0042",
    };

    #[test]
    fn a_cell_opens_in_its_place_alone_and_shows_nothing_outside() {
        let key = CellKey::generate().expect("randomness");
        let cell = seal(&key, PLACE, &"AB-123-CD").expect("sealed");
        assert_eq!(open::<String>(&key, PLACE, &cell).expect("opened"), "AB-123-CD");
        assert!(!cell.body.windows(9).any(|w| w == b"AB-123-CD"));
        assert_eq!(cell.wrapped.len(), WRAPPED);
        let other_row = Place {
            row: "2026-IVR-0043",
            ..PLACE
        };
        let other_column = Place {
            column: "note",
            ..PLACE
        };
        for place in [other_row, other_column] {
            assert!(open::<String>(&key, place, &cell).is_err());
        }
        let stranger = CellKey::generate().expect("randomness");
        assert!(open::<String>(&stranger, PLACE, &cell).is_err());
    }

    #[test]
    fn any_changed_bit_of_a_cell_is_found() {
        let key = CellKey::generate().expect("randomness");
        let cell = seal(&key, PLACE, &42).expect("sealed");
        for bit in 0..cell.wrapped.len() * 8 {
            let mut changed = cell.clone();
            changed.wrapped[bit / 8] ^= 1 << (bit % 8);
            assert!(open::<u8>(&key, PLACE, &changed).is_err());
        }
        for bit in 0..cell.body.len() * 8 {
            let mut changed = cell.clone();
            changed.body[bit / 8] ^= 1 << (bit % 8);
            assert!(open::<u8>(&key, PLACE, &changed).is_err());
        }
        for length in 0..cell.wrapped.len() {
            let mut cut = cell.clone();
            cut.wrapped.truncate(length);
            assert!(open::<u8>(&key, PLACE, &cut).is_err());
        }
    }

    #[test]
    fn a_blind_index_depends_on_key_purpose_and_text() {
        let (one, other) = (CellKey::from_bytes([1; 32]), CellKey::from_bytes([2; 32]));
        assert_eq!(one.blind("plate", "AB123CD"), one.blind("plate", "AB123CD"));
        assert_ne!(one.blind("plate", "AB123CD"), one.blind("login", "AB123CD"));
        assert_ne!(one.blind("plate", "AB123CD"), other.blind("plate", "AB123CD"));
        assert_ne!(one.blind("pl", "ateAB"), one.blind("plate", "AB"));
    }
}
