//! Opening an item file with an office key.
//!
//! Promises: the whole plaintext, checked to its last chunk, or nothing; who asks only whether an item opens has one
//! chunk of it in memory at a time, and none afterwards; damage is told by its chunk, a file that was cut or
//! lengthened by its lengths, and another key by whom the item was sealed to.

use std::io::{self, Read};

use aead_stream::DecryptorBE32;
use chacha20poly1305::XChaCha20Poly1305;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::wrapping::unwrap;
use super::{Error, Tail};
use crate::vault::item::{self, CHUNK, Header, Stanza, TAG, read_as_much_as_there_is};
use crate::vault::keys::OfficeKey;

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
    let content_key = unwrap(&header, &header.stanzas, key)?;
    open_body(source, header, &content_key)
}

/// The same for an item whose content key was wrapped anew: `stanzas` are what [`rewrap`](super::rewrap) made of it.
pub fn open_with(mut source: impl Read, stanzas: &[Stanza], key: &OfficeKey) -> Result<Opened, Error> {
    let header = Header::read(&mut source)?;
    let content_key = unwrap(&header, stanzas, key)?;
    open_body(source, header, &content_key)
}

fn open_body(source: impl Read, header: Header, content_key: &[u8; 32]) -> Result<Opened, Error> {
    // The length in the header is not proven before the last chunk: room for a photograph at once, and
    // for more only as far as more is there.
    let room = header.length.min(8 * 1024 * 1024) as usize + TAG;
    let mut plaintext = Vec::with_capacity(room);
    each_chunk(source, &header, content_key, &mut plaintext, |_| ())?;
    Ok(Opened { header, plaintext })
}

/// Opens what `source` has behind the `header` of an item, to the last byte, and keeps nothing of it: the item is whole,
/// and `key` opens it by `stanzas`, its own or those that were wrapped for its event since.
pub fn prove(source: impl Read, header: &Header, stanzas: &[Stanza], key: &OfficeKey) -> Result<(), Error> {
    let content_key = unwrap(header, stanzas, key)?;
    let mut chunk = Zeroizing::new(Vec::with_capacity(CHUNK + TAG));
    each_chunk(source, header, &content_key, &mut chunk, Vec::clear)
}

/// Appends each chunk's plaintext to `out`, checked, and then does `with` it; at the end nothing is left of `source`.
fn each_chunk(
    mut source: impl Read,
    header: &Header,
    content_key: &[u8; 32],
    out: &mut Vec<u8>,
    with: impl Fn(&mut Vec<u8>),
) -> Result<(), Error> {
    let bound = Sha256::digest(header.encode());
    let mut stream = DecryptorBE32::<XChaCha20Poly1305>::new(content_key.into(), &header.nonce.into());
    let chunks = header.chunks();
    for chunk in 1..chunks {
        let mut tail = read_chunk(&mut source, header, chunk, CHUNK, out)?;
        stream
            .decrypt_next_in_place(&bound, &mut tail)
            .map_err(|_| Error::Damaged { chunk, chunks })?;
        with(out);
    }
    let rest = (header.length - (chunks - 1) * CHUNK as u64) as usize;
    let mut tail = read_chunk(&mut source, header, chunks, rest, out)?;
    let chunk = chunks;
    stream
        .decrypt_last_in_place(&bound, &mut tail)
        .map_err(|_| Error::Damaged { chunk, chunks })?;
    let trailing = io::copy(&mut source, &mut io::sink()).map_err(item::Error::Io)?;
    header.check_length(header.file_len() + trailing)?;
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::super::tests::{Office, content};
    use super::*;
    use crate::vault::item::ItemKind;
    use crate::vault::keys::Role;

    const FIXED_AND_TWO_STANZAS: usize = item::FIXED + 2 * item::STANZA;

    /// What opens an item and what only proves that it opens find the same fault.
    fn opened(bytes: &[u8], key: &OfficeKey) -> Result<Opened, Error> {
        let mut source = bytes;
        let proven = Header::read(&mut source)
            .map_err(Error::from)
            .and_then(|header| prove(source, &header, &header.stanzas, key));
        let opened = open(bytes, key);
        let fault = |error: &Error| error.to_string();
        assert_eq!(proven.as_ref().err().map(fault), opened.as_ref().err().map(fault));
        opened
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
            assert!(opened(&bad[..], &office.keys[0]).is_err(), "byte {at}");
        }
        let mut bad = good;
        *bad.last_mut().expect("bytes") ^= 1;
        let error = opened(&bad[..], &office.keys[0]).expect_err("damaged");
        assert_eq!(error.to_string(), "damaged in chunk 2 of 2");
    }

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
            match opened(&bytes[..end], &office.keys[0]).expect_err("cut") {
                Error::Item(item::Error::Truncated { expected, found }) => {
                    assert_eq!((expected, found), (promised as u64, end as u64));
                }
                error => panic!("{end}: {error}"),
            }
        }
        bytes.push(0);
        let error = opened(&bytes[..], &office.keys[0]).expect_err("lengthened");
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
            let error = opened(&bad[..], &office.keys[0]).expect_err("moved");
            assert!(matches!(error, Error::Damaged { chunk, .. } if chunk == at));
        }
    }

    #[test]
    fn another_key_is_told_for_whom_the_item_was_sealed() {
        let (office, other) = (Office::new(), Office::new());
        let sealed = office.sealer().seal(ItemKind::Record, b"{}").expect("sealed");
        let error = opened(sealed.bytes(), &other.keys[0]).expect_err("other key");
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
}
