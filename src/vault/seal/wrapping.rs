//! The content key: wrapped by HPKE to each recipient, unwrapped by one of them, wrapped anew to others.
//!
//! Promises: what is wrapped serves its own event on its own box alone, and nothing is wrapped to nobody or to a key
//! that opens for everybody.

use hpke::rand_core::{CryptoRng, UnwrapErr};
use hpke::{Deserializable as _, OpModeR, OpModeS, Serializable as _};
use zeroize::Zeroizing;

use super::Error;
use crate::frame::EventId;
use crate::vault::item::{Header, MOST_STANZAS, Stanza};
use crate::vault::keys::{DeviceId, Kem, OfficeKey, Recipient};

pub(in crate::vault) type WrapAead = hpke::aead::ChaCha20Poly1305;
pub(in crate::vault) type WrapKdf = hpke::kdf::HkdfSha256;

/// HPKE's `info`: no ciphertext made for another purpose opens as a content key.
const WRAP_INFO: &[u8] = b"vigie content key 1";

/// HPKE's `aad`: a stanza serves its own event on its own box alone.
fn wrap_aad(device: DeviceId, event: EventId) -> [u8; 16] {
    let mut aad = [0; 16];
    aad[..8].copy_from_slice(device.0.as_bytes());
    aad[8..].copy_from_slice(event.as_bytes());
    aad
}

pub(super) fn wrap_to_all(
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
pub(super) fn unwrap(
    header: &Header,
    stanzas: &[Stanza],
    key: &OfficeKey,
) -> Result<Zeroizing<[u8; 32]>, Error> {
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
/// beside them, and [`open_with`](super::open_with) takes it. It serves the same event of the same box, and no other.
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

#[cfg(test)]
mod tests {
    use super::super::tests::{Office, content};
    use super::super::{EventSealer, open, open_with};
    use super::*;
    use crate::vault::item::{CHUNK, ItemKind};
    use crate::vault::keys::Fingerprint;

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
}
