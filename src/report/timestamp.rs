//! A third party's time stamp over a package's contents (RFC 3161): the request to send, the answer that came.
//!
//! Promises: no network: the request is a file that goes out, the answer a file that comes in. An answer is taken
//! only if it was granted and is about these very contents; then the hour that it tells is read. Leaves its
//! signature and the certificates behind it to `openssl ts -verify`: which authority is to be trusted is no
//! question that this program could answer.

use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{Decode as _, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};

use crate::frame::{BoxTime, Digest};

/// An answer is a few kilobytes with its certificates.
pub const LARGEST: usize = 1 << 20;

/// RFC 5754 §2: SHA-256.
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
/// RFC 5652 §5.1: signed data.
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
/// RFC 3161 §2.4.2: the content of a time stamp.
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");

/// Why an answer is no time stamp of these contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No answer of RFC 3161.
    #[error("this is no answer of a time-stamping authority (RFC 3161)")]
    Form,
    /// The authority refused.
    #[error("the authority refused the request (status {0})")]
    Refused(u8),
    /// It hashes otherwise.
    #[error("it is not over a SHA-256")]
    Hash,
    /// It is about something else.
    #[error("it is over another file")]
    OtherFile,
}

/// A time stamp's facts, as far as its form tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The hour that the authority gives.
    pub time: BoxTime,
}

/// The request (RFC 3161 §2.4.1) over the SHA-256 of the contents, asking for the authority's certificate.
pub fn request(contents: &str) -> Vec<u8> {
    let digest = Digest::of(contents.as_bytes());
    // SEQUENCE { INTEGER 1, SEQUENCE { SEQUENCE { OID, NULL }, OCTET STRING }, BOOLEAN TRUE }
    let algorithm = sequence(&[der_of(&SHA256), vec![5, 0]]);
    let imprint = OctetStringRef::new(digest.as_bytes())
        .map(|imprint| der_of(&imprint))
        .unwrap_or_default();
    sequence(&[der_of(&1u8), sequence(&[algorithm, imprint]), der_of(&true)])
}

fn der_of(value: &impl der::Encode) -> Vec<u8> {
    // Of numbers, names and 32 bytes: none of them can fail to be written.
    value.to_der().unwrap_or_default()
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    let value = parts.concat();
    AnyRef::new(Tag::Sequence, &value)
        .map(|any| der_of(&any))
        .unwrap_or_default()
}

/// Reads an answer over these contents: a response, or the bare token in it.
pub fn read(answer: &[u8], contents: &str) -> Result<Stamp, Error> {
    if answer.len() > LARGEST {
        return Err(Error::Form);
    }
    let token = token(answer)?;
    let info = info(token).map_err(|_| Error::Form)?;
    let mut fields =
        inside(AnyRef::from_der(info).map_err(|_| Error::Form)?, Tag::Sequence).map_err(|_| Error::Form)?;
    stamped(&mut fields, &Digest::of(contents.as_bytes()))
}

/// The token of a response, if the authority granted it (RFC 3161 §2.4.2).
fn token(answer: &[u8]) -> Result<AnyRef<'_>, Error> {
    let whole = AnyRef::from_der(answer).map_err(|_| Error::Form)?;
    let mut fields = inside(whole, Tag::Sequence).map_err(|_| Error::Form)?;
    let first: AnyRef<'_> = fields.decode().map_err(|_| Error::Form)?;
    if first.tag() == Tag::ObjectIdentifier {
        return Ok(whole);
    }
    let mut status = inside(first, Tag::Sequence).map_err(|_| Error::Form)?;
    match status.decode::<u8>().map_err(|_| Error::Form)? {
        // granted, granted with modifications
        0 | 1 => fields.decode().map_err(|_| Error::Form),
        refused => Err(Error::Refused(refused)),
    }
}

/// The signed content of a token (RFC 5652 §5).
fn info(token: AnyRef<'_>) -> der::Result<&[u8]> {
    let mut fields = inside(token, Tag::Sequence)?;
    named(&mut fields, SIGNED_DATA)?;
    let content: AnyRef<'_> = fields.decode()?;
    let mut signed = inside(explicit(content)?, Tag::Sequence)?;
    signed.decode::<u8>()?;
    let algorithms: AnyRef<'_> = signed.decode()?;
    algorithms.tag().assert_eq(Tag::Set)?;
    let mut encapsulated = inside(signed.decode()?, Tag::Sequence)?;
    named(&mut encapsulated, TST_INFO)?;
    let octets = explicit(encapsulated.decode()?)?;
    octets.tag().assert_eq(Tag::OctetString)?;
    Ok(octets.value())
}

/// TSTInfo (RFC 3161 §2.4.2): version, policy, imprint, serial number, time; what follows is not needed here.
fn stamped(fields: &mut SliceReader<'_>, expected: &Digest) -> Result<Stamp, Error> {
    let form = |_| Error::Form;
    let version: u8 = fields.decode().map_err(form)?;
    if version != 1 {
        return Err(Error::Form);
    }
    fields.decode::<ObjectIdentifier>().map_err(form)?;
    let mut imprint = inside(fields.decode().map_err(form)?, Tag::Sequence).map_err(form)?;
    let mut algorithm = inside(imprint.decode().map_err(form)?, Tag::Sequence).map_err(form)?;
    if algorithm.decode::<ObjectIdentifier>().map_err(form)? != SHA256 {
        return Err(Error::Hash);
    }
    let hash: AnyRef<'_> = imprint.decode().map_err(form)?;
    if hash.tag() != Tag::OctetString || hash.value() != expected.as_bytes() {
        return Err(Error::OtherFile);
    }
    let serial: AnyRef<'_> = fields.decode().map_err(form)?;
    let time: AnyRef<'_> = fields.decode().map_err(form)?;
    if serial.tag() != Tag::Integer || time.tag() != Tag::GeneralizedTime {
        return Err(Error::Form);
    }
    let time = generalized(time.value()).ok_or(Error::Form)?;
    Ok(Stamp { time })
}

/// `20261122140509.25Z`: RFC 3161 allows fractions of a second, RFC 5280 does not.
fn generalized(text: &[u8]) -> Option<BoxTime> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = text
        .split_once('.')
        .map_or((text, None), |(whole, part)| (whole, Some(part)));
    let digits =
        |text: &str| !text.is_empty() && text.len() <= 14 && text.bytes().all(|c| c.is_ascii_digit());
    if whole.len() != 14 || !digits(whole) || fraction.is_some_and(|part| !digits(part)) {
        return None;
    }
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", whole).ok()?;
    let instant = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(BoxTime(instant))
}

fn inside<'a>(value: AnyRef<'a>, tag: Tag) -> der::Result<SliceReader<'a>> {
    value.tag().assert_eq(tag)?;
    SliceReader::new(value.value())
}

fn explicit(value: AnyRef<'_>) -> der::Result<AnyRef<'_>> {
    value.tag().assert_eq(Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(0),
    })?;
    AnyRef::from_der(value.value())
}

fn named(fields: &mut SliceReader<'_>, expected: ObjectIdentifier) -> der::Result<()> {
    match fields.decode::<ObjectIdentifier>()? == expected {
        true => Ok(()),
        false => Err(Tag::ObjectIdentifier.value_error().into()),
    }
}
