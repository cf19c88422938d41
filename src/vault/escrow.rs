//! A secret of the desk's, sealed to a recovery key: what the safe opens when the people are gone.
//!
//! Promises: it opens with that key alone, for that desk alone, and as it was sealed; nothing that was sealed for
//! another purpose opens as one. HPKE, base mode, with the suite of [`super::seal`] (RFC 9180). Leaves what the secret
//! is, and who may ask for it, to the desk.

use hpke::rand_core::UnwrapErr;
use hpke::{Deserializable as _, OpModeR, OpModeS, Serializable as _};
use zeroize::Zeroizing;

use super::keys::{DevicePublic, Kem, OfficeKey, Recipient};
use super::seal::{Error, WrapAead, WrapKdf};

/// HPKE's `info`.
const INFO: &[u8] = b"vigie escrow 1";
/// Bytes of the encapsulated key, which come first.
const ENCAPSULATED: usize = 32;

/// Seals `secret` of the desk `of` to `to`: encapsulated key, ciphertext, tag.
pub fn seal(secret: &[u8], to: &Recipient, of: &DevicePublic) -> Result<Vec<u8>, Error> {
    // UnwrapErr would panic without randomness, which the operating system has just given.
    getrandom::fill(&mut [0; 32])?;
    let (encapsulated, ciphertext) = hpke::single_shot_seal_with_rng::<WrapAead, WrapKdf, Kem>(
        &OpModeS::Base,
        &to.key,
        INFO,
        secret,
        of.as_bytes(),
        &mut UnwrapErr(getrandom::SysRng),
    )
    .map_err(|_| Error::Recipient(to.fingerprint()))?;
    let mut sealed = vec![0; ENCAPSULATED];
    encapsulated.write_exact(&mut sealed);
    sealed.extend_from_slice(&ciphertext);
    Ok(sealed)
}

/// Opens what [`seal`] made.
pub fn open(sealed: &[u8], key: &OfficeKey, of: &DevicePublic) -> Result<Zeroizing<Vec<u8>>, Error> {
    let damaged = || Error::DamagedStanza(key.recipient().fingerprint());
    let (encapsulated, ciphertext) = sealed.split_at_checked(ENCAPSULATED).ok_or_else(damaged)?;
    let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(encapsulated).map_err(|_| damaged())?;
    let opened = hpke::single_shot_open::<WrapAead, WrapKdf, Kem>(
        &OpModeR::Base,
        &key.secret,
        &encapsulated,
        INFO,
        ciphertext,
        of.as_bytes(),
    );
    opened.map(Zeroizing::new).map_err(|_| damaged())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::keys::{desk_init, office_init};
    use crate::vault::{DeviceKey, Recipient};

    #[test]
    fn it_opens_with_its_own_key_for_its_own_desk_and_unchanged() {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = |name: &str| {
            let folder = folder.path().join(name);
            std::fs::create_dir(&folder).expect("a folder");
            desk_init(&folder).expect("a key");
            DeviceKey::read_desk(&folder.join("desk.key"))
                .expect("a key")
                .public()
                .clone()
        };
        let (one, other) = (desk("one"), desk("other"));
        let made = office_init(folder.path(), "2026-Q4".parse().expect("a quarter")).expect("keys");
        let to = Recipient::read(&made.recovery.public).expect("a key");
        let key = OfficeKey::read(&made.recovery.secret).expect("a key");
        let wrong = OfficeKey::read(&made.service.secret).expect("a key");
        let sealed = seal(b"a keyring", &to, &one).expect("sealed");
        assert_eq!(
            open(&sealed, &key, &one).expect("opened").as_slice(),
            b"a keyring"
        );
        assert!(!sealed.windows(9).any(|part| part == b"a keyring"));
        assert!(open(&sealed, &wrong, &one).is_err());
        assert!(open(&sealed, &key, &other).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&changed, &key, &one).is_err(), "byte {at}");
            assert!(open(&sealed[..at], &key, &one).is_err(), "cut at {at}");
        }
    }
}
