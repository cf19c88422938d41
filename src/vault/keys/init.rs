//! Making keys: `vigie keys trap-init`, `desk-init` and `office-init`.

use std::path::{Path, PathBuf};

use hpke::{Kem as _, Serializable as _};
use zeroize::Zeroizing;

use super::file::{Holder, Signer, write_pair};
use super::recipient::{Kem, public_bytes};
use super::{DeviceId, DeviceKey, Epoch, Error, Fingerprint, OfficeKey, Role};

/// A pair of key files just made.
#[derive(Debug, Clone)]
pub struct KeyFiles {
    /// The key's name.
    pub fingerprint: Fingerprint,
    /// The secret half; mode 0600.
    pub secret: PathBuf,
    /// The public half; mode 0644.
    pub public: PathBuf,
}

/// What [`trap_init`] or [`desk_init`] made.
#[derive(Debug, Clone)]
pub struct DeviceIdentity {
    /// The signer's name from now on.
    pub id: DeviceId,
    /// Its key files: the secret one stays where it was made, the public one goes to the other side.
    pub files: KeyFiles,
}

/// What [`office_init`] made.
#[derive(Debug, Clone)]
pub struct OfficeIdentity {
    /// Their quarter.
    pub epoch: Epoch,
    /// The service's: the secret one stays at the office, the public one goes to the boxes.
    pub service: KeyFiles,
    /// The recovery's: the secret one goes into the safe, the public one to the boxes.
    pub recovery: KeyFiles,
}

/// Makes a box's signing key: `device.key` and `device.pub` in `dir`.
///
/// Fails with [`Error::Exists`] if either is there, and then writes nothing.
pub fn trap_init(dir: &Path) -> Result<DeviceIdentity, Error> {
    trap_init_from(dir, &*random_seed()?)
}

/// The same from given randomness, for the test vectors.
pub(in crate::vault) fn trap_init_from(dir: &Path, seed: &[u8; 32]) -> Result<DeviceIdentity, Error> {
    make_signing(dir, Signer::Device, seed)
}

/// Makes the desk's signing key: `desk.key` and `desk.pub` in `dir`. With it the desk signs what it tells
/// the boxes, and its own journal.
///
/// Fails with [`Error::Exists`] if either is there, and then writes nothing.
pub fn desk_init(dir: &Path) -> Result<DeviceIdentity, Error> {
    make_signing(dir, Signer::Desk, &*random_seed()?)
}

fn make_signing(dir: &Path, signer: Signer, seed: &[u8; 32]) -> Result<DeviceIdentity, Error> {
    let [secret, public] = pair(dir, signer.stem());
    refuse_existing(&[&secret, &public])?;
    let key = DeviceKey::new(seed);
    write_pair(
        [&secret, &public],
        signer.holder(),
        key.id().0,
        key.signing.as_bytes(),
        key.public.as_bytes(),
    )?;
    Ok(DeviceIdentity {
        id: key.id(),
        files: KeyFiles {
            fingerprint: key.id().0,
            secret,
            public,
        },
    })
}

/// Makes the quarter's recipients: `service-2026-Q4.key`, `.pub`, `recovery-2026-Q4.key` and `.pub`
/// in `dir`.
///
/// Fails with [`Error::Exists`] if any of the four is there, and then writes nothing.
pub fn office_init(dir: &Path, epoch: Epoch) -> Result<OfficeIdentity, Error> {
    office_init_from(dir, epoch, [&*random_seed()?, &*random_seed()?])
}

/// The same from given randomness, for the test vectors.
pub(in crate::vault) fn office_init_from(
    dir: &Path,
    epoch: Epoch,
    [service_seed, recovery_seed]: [&[u8; 32]; 2],
) -> Result<OfficeIdentity, Error> {
    let [service, recovery] = office_pairs(dir, epoch);
    refuse_existing(&[&service[0], &service[1], &recovery[0], &recovery[1]])?;
    Ok(OfficeIdentity {
        epoch,
        service: make_office(service, Role::Service, epoch, service_seed)?,
        recovery: make_office(recovery, Role::Recovery, epoch, recovery_seed)?,
    })
}

/// Makes the recipients of several quarters: `quarters` of them, from `from` on.
///
/// Fails with [`Error::Exists`] if any file of any of them is there, and then writes nothing.
pub fn office_init_quarters(dir: &Path, from: Epoch, quarters: u8) -> Result<Vec<OfficeIdentity>, Error> {
    let epochs = || std::iter::successors(Some(from), |epoch| epoch.next()).take(quarters.into());
    for epoch in epochs() {
        let [service, recovery] = office_pairs(dir, epoch);
        refuse_existing(&[&service[0], &service[1], &recovery[0], &recovery[1]])?;
    }
    epochs().map(|epoch| office_init(dir, epoch)).collect()
}

fn office_pairs(dir: &Path, epoch: Epoch) -> [[PathBuf; 2]; 2] {
    [Role::Service, Role::Recovery].map(|role| pair(dir, &format!("{role}-{epoch}")))
}

fn make_office(
    [secret, public]: [PathBuf; 2],
    role: Role,
    epoch: Epoch,
    seed: &[u8; 32],
) -> Result<KeyFiles, Error> {
    // RFC 9180 §7.1.3: DeriveKeyPair from as many random bytes as the secret key has.
    let (sk, _) = Kem::derive_keypair(seed);
    let key = OfficeKey::new(role, epoch, sk);
    let mut secret_bytes = Zeroizing::new([0; 32]);
    key.secret.write_exact(&mut *secret_bytes);
    let fingerprint = key.recipient.fingerprint;
    write_pair(
        [&secret, &public],
        Holder::Office(role, epoch),
        fingerprint,
        &secret_bytes,
        &public_bytes(&key.recipient.key),
    )?;
    Ok(KeyFiles {
        fingerprint,
        secret,
        public,
    })
}

fn random_seed() -> Result<Zeroizing<[u8; 32]>, Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes)?;
    Ok(bytes)
}

fn pair(dir: &Path, name: &str) -> [PathBuf; 2] {
    [dir.join(format!("{name}.key")), dir.join(format!("{name}.pub"))]
}

fn refuse_existing(paths: &[&PathBuf]) -> Result<(), Error> {
    for path in paths {
        if path.symlink_metadata().is_ok() {
            return Err(Error::Exists((*path).clone()));
        }
    }
    Ok(())
}
