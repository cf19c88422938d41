//! Signed documents: a title, one line of JSON, a signature. What the box and the desk hand to others in
//! writing (`vault.head`, certificates, bundles, return files, revocations) is one of these.
//!
//! Promises: a content has one single text, so any changed bit in it is found; no document of one kind
//! passes for another, for the title is signed with it; nothing in a document is believed before its
//! signature holds. Leaves to the callers how much of a file they read, and whose signature they want.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::keys::{DeviceKey, DevicePublic, lower_hex};
use crate::frame::Digest;

/// What can be signed: JSON whose members stand in the order in which they are declared.
pub trait Document: Serialize + DeserializeOwned {
    /// The first line: which kind of document, and which version of it.
    const TITLE: &'static str;
}

/// Why a document tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not the text that this program writes.
    #[error("damaged: {0}")]
    Damaged(&'static str),
    /// The text is whole, the signature is not that of the key that was asked for.
    #[error("its signature is not that of {0}")]
    Signature(&'static str),
}

/// The document's text with the signature of `key`: three lines.
pub fn sign<D: Document>(content: &D, key: &DeviceKey) -> Result<String, Error> {
    let signed = signed_part(content)?;
    let signature = hex::encode(key.sign(signed.as_bytes()));
    Ok(format!("{signed}{signature}\n"))
}

/// Reads a document that must bear the signature of `signer`, called `who` in the error.
pub fn read<D: Document>(text: &str, signer: &DevicePublic, who: &'static str) -> Result<D, Error> {
    read_by(text, |_| Some(signer.clone()), who)
}

/// Reads a document that says itself, or lets `signer` look up, by whom it must be signed. `signer` must
/// not act on what it is shown: nothing of it is proven yet.
pub fn read_by<D: Document>(
    text: &str,
    signer: impl FnOnce(&D) -> Option<DevicePublic>,
    who: &'static str,
) -> Result<D, Error> {
    let mut lines = text.split('\n');
    if lines.next() != Some(D::TITLE) {
        return Err(Error::Damaged("its first line is another"));
    }
    let json = lines.next().unwrap_or_default();
    let content: D = serde_json::from_str(json).map_err(|_| Error::Damaged("its second line is another"))?;
    let signature = lines.next().and_then(lower_hex::<64>);
    let signature = signature.ok_or(Error::Damaged("its third line is no signature"))?;
    let signed = signed_part(&content)?;
    if format!("{signed}{}\n", hex::encode(signature)) != text {
        return Err(Error::Damaged("it is not written as the program writes it"));
    }
    match signer(&content) {
        Some(key) if key.signed(signed.as_bytes(), &signature) => Ok(content),
        _ => Err(Error::Signature(who)),
    }
}

/// The name by which other documents and the journal speak of a document: SHA-256 of its whole text.
pub fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn signed_part<D: Document>(content: &D) -> Result<String, Error> {
    let json = serde_json::to_string(content).map_err(|_| Error::Damaged("it cannot be written as JSON"))?;
    Ok(format!("{}\n{json}\n", D::TITLE))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::vault::keys::trap_init_from;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Note {
        count: u64,
        text: String,
    }

    impl Document for Note {
        const TITLE: &'static str = "vigie test note 1";
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Other {
        count: u64,
        text: String,
    }

    impl Document for Other {
        const TITLE: &'static str = "vigie test other 1";
    }

    fn key(seed: u8) -> DeviceKey {
        let dir = tempfile::tempdir().expect("a folder");
        let made = trap_init_from(dir.path(), &[seed; 32]).expect("a key");
        DeviceKey::read(&made.files.secret).expect("just made")
    }

    fn note() -> Note {
        Note {
            count: 3,
            text: "é\n".to_owned(),
        }
    }

    #[test]
    fn a_document_is_read_as_it_was_signed_and_by_its_signer_alone() {
        let text = sign(&note(), &key(1)).expect("signed");
        assert_eq!(read::<Note>(&text, key(1).public(), "the box"), Ok(note()));
        let by_another = read::<Note>(&text, key(2).public(), "the box");
        assert_eq!(by_another, Err(Error::Signature("the box")));
    }

    #[test]
    fn a_document_of_one_kind_does_not_pass_for_another() {
        let text = sign(&note(), &key(1)).expect("signed");
        assert!(read::<Other>(&text, key(1).public(), "the box").is_err());
        let renamed = text.replacen(Note::TITLE, Other::TITLE, 1);
        let read = read::<Other>(&renamed, key(1).public(), "the box");
        assert_eq!(read.err(), Some(Error::Signature("the box")));
    }

    #[test]
    fn any_changed_bit_and_any_other_spelling_is_found() {
        let text = sign(&note(), &key(1)).expect("signed");
        let refused = |text: &str| read::<Note>(text, key(1).public(), "the box").is_err();
        for at in 0..8 * text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at / 8] ^= 1 << (at % 8);
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(refused(&changed), "bit {at}");
            }
        }
        for end in 0..text.len() {
            assert!(
                !text.is_char_boundary(end) || refused(&text[..end]),
                "cut at {end}"
            );
        }
        assert!(refused(&format!("{text}\n")));
        assert!(refused(&text.replace(":3", ": 3")));
        assert!(refused(&text.replace('\n', "\r\n")));
    }
}
