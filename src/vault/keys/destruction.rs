//! Destroying a quarter's secret keys: the erasure that no backup of sealed items undoes.
//!
//! Promises: nothing of the current or of a later quarter is destroyed; every key is overwritten and synced
//! before the signed certificate is written, and its file unlinked only after it: cut off anywhere, a second
//! run ends it and certifies the same keys. A key that is there in a form that cannot be read stops everything
//! before anything is done. Leaves copies elsewhere (paper, sticks, backups) to those who made them, and says so.

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::file::{Half, Holder, KeyText, io_at};
use super::revocation::{at, write_document};
use super::ring::files;
use super::{DeviceKey, DevicePublic, Epoch, Error, Fingerprint, Recipient, Role};
use crate::frame::BoxTime;
use crate::vault::durable;
use crate::vault::signed::{self, Document};

/// What is done to each file; French, as it stands on the certificate.
const METHOD: &str = "réécriture sur place (zéros, puis octets aléatoires), synchronisation, effacement du nom, contrôle de l'absence";
/// What this does not reach (NIST SP 800-88 on flash memory); French, as it stands on the certificate.
const LIMITS: &str = "La suppression est logique : les fichiers ont été réécrits et effacés, puis l'absence a été contrôlée par relecture. Sur une mémoire flash, la répartition de l'usure peut laisser des copies dans des zones que ni l'appareil ni vigie ne peuvent atteindre ; seule la destruction physique du support (NIST SP 800-88, « Destroy ») les élimine avec certitude. Ce certificat ne vaut que pour les fichiers qu'il nomme : chaque copie ailleurs (papier, clé USB, sauvegarde) est à détruire à part.";

/// Where keys lay that were no files.
const KEYRING: &str = "trousseau du poste";
/// What is done to a key in the keyring; French, as it stands on the certificate.
const KEYRING_METHOD: &str = "suppression de la ligne scellée et de sa clé enveloppée dans la base du poste, réécriture de l'emplacement (secure_delete), journal d'écriture replié et coupé, contrôle de l'absence";
/// What this does not reach; French, as it stands on the certificate.
const KEYRING_LIMITS: &str = "La suppression est logique : l'emplacement a été réécrit, puis l'absence a été contrôlée. Sur une mémoire flash, la répartition de l'usure peut laisser des copies que ni l'appareil ni vigie ne peuvent atteindre ; elles restent scellées par la clé des preuves. Une sauvegarde antérieure en garde une copie scellée jusqu'à la sauvegarde suivante ; une restauration efface la clé de nouveau. Ce certificat ne vaut que pour les clés qu'il nomme : celle du coffre est à détruire à part.";

/// A secret key of the quarter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// Service or recovery.
    pub role: Role,
    /// Its name.
    pub fingerprint: Fingerprint,
    /// Its file's name in the folder.
    pub file: String,
}

/// The certificate: what was destroyed, when, how, and what that does not reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destruction {
    /// The program that did it.
    pub program: String,
    /// The desk that signs.
    pub desk: DevicePublic,
    /// The quarter.
    pub epoch: Epoch,
    /// When.
    pub time: BoxTime,
    /// The keys that were destroyed.
    pub destroyed: Vec<Secret>,
    /// Keys of the quarter, known by their public halves, that were not in the folder.
    pub not_there: Vec<Fingerprint>,
    /// How, in French.
    pub method: String,
    /// What this does not reach, in French.
    pub limits: String,
}

impl Document for Destruction {
    const TITLE: &'static str = "vigie key destruction 1";
}

impl Destruction {
    /// Of keys that lay in the keyring of a desk that is served.
    pub fn of_keyring(
        desk: &DevicePublic,
        epoch: Epoch,
        time: BoxTime,
        destroyed: impl IntoIterator<Item = (Role, Fingerprint)>,
    ) -> Self {
        let destroyed = destroyed.into_iter().map(|(role, fingerprint)| Secret {
            role,
            fingerprint,
            file: KEYRING.to_owned(),
        });
        Self {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            desk: desk.clone(),
            epoch,
            time,
            destroyed: destroyed.collect(),
            not_there: Vec::new(),
            method: KEYRING_METHOD.to_owned(),
            limits: KEYRING_LIMITS.to_owned(),
        }
    }

    /// What a number of such a certificate begins with; the number of the journal's line that names it follows.
    pub fn series(&self) -> String {
        format!("cles-{}-", self.epoch.to_string().to_lowercase())
    }

    /// As it is printed, in French: the same for the same certificate.
    pub fn page(&self) -> String {
        let keys = self.destroyed.iter().map(|secret| {
            let role = match secret.role {
                Role::Service => "service",
                Role::Recovery => "secours",
            };
            format!("  {}  clé de {role}, {}\n", secret.fingerprint, secret.file)
        });
        format!(
            "CERTIFICAT DE DESTRUCTION DE CLÉS\n\nTrimestre : {}\nHeure (UTC) : {}\nPoste : {}\nProgramme : vigie {}\n\n\
             Clés détruites :\n{}\nMéthode : {}\n\nLimites : {}\n",
            self.epoch,
            self.time,
            self.desk.id(),
            self.program,
            keys.collect::<String>(),
            self.method,
            self.limits
        )
    }
}

/// What would be destroyed.
#[derive(Debug, Clone)]
pub struct Plan {
    folder: PathBuf,
    epoch: Epoch,
    /// The secret keys of the quarter that are there.
    pub secrets: Vec<Secret>,
    /// Those that are not, though their public halves are.
    pub not_there: Vec<Fingerprint>,
}

impl Plan {
    /// Looks for the quarter's secret keys in `folder`; refused for a quarter that is not over at `now`.
    pub fn of(folder: &Path, epoch: Epoch, now: BoxTime) -> Result<Self, Error> {
        if Epoch::at(now).is_none_or(|current| epoch >= current) {
            return Err(Error::NotOver(epoch));
        }
        let mut plan = Self {
            folder: folder.to_owned(),
            epoch,
            secrets: Vec::new(),
            not_there: Vec::new(),
        };
        let files = files(folder)?;
        for path in &files {
            if path.extension().is_some_and(|extension| extension == "key") {
                plan.secrets.extend(secret(path, epoch)?);
            }
        }
        for path in &files {
            if let Ok(recipient) = Recipient::read(path)
                && recipient.epoch() == epoch
                && !plan
                    .secrets
                    .iter()
                    .any(|s| s.fingerprint == recipient.fingerprint())
            {
                plan.not_there.push(recipient.fingerprint());
            }
        }
        if plan.secrets.is_empty() {
            let folder = folder.to_owned();
            return Err(Error::NothingToDestroy { folder, epoch });
        }
        Ok(plan)
    }

    /// Destroys them, and writes the certificate signed by `desk` to `out`, which must be free.
    pub fn carry_out(self, desk: &DeviceKey, now: BoxTime, out: &Path) -> Result<Destruction, Error> {
        if out.symlink_metadata().is_ok() {
            return Err(Error::Exists(out.to_owned()));
        }
        let paths: Vec<_> = self.secrets.iter().map(|s| self.folder.join(&s.file)).collect();
        for path in &paths {
            blank(path).map_err(io_at(path))?;
        }
        let certificate = Destruction {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            desk: desk.public().clone(),
            epoch: self.epoch,
            time: now,
            destroyed: self.secrets,
            not_there: self.not_there,
            method: METHOD.to_owned(),
            limits: LIMITS.to_owned(),
        };
        let place = out.display().to_string();
        let text = signed::sign(&certificate, desk).map_err(|what| at(&place, what))?;
        write_document(out, &text)?;
        for path in &paths {
            durable::erase(path).map_err(io_at(path))?;
            if path.symlink_metadata().is_ok() {
                return Err(Error::Exists(path.clone()));
            }
        }
        Ok(certificate)
    }
}

/// The secret key in this file, if it is one of the quarter's. One that an interrupted run has blanked is one too.
fn secret(path: &Path, epoch: Epoch) -> Result<Option<Secret>, Error> {
    let text = KeyText::read_exposed(path)?;
    let (Half::Secret, Holder::Office(role, of)) = (text.half, text.holder) else {
        return Ok(None);
    };
    let file = path.file_name().and_then(|name| name.to_str());
    let file = file.ok_or_else(|| text.malformed("its name is not UTF-8: rename it"))?;
    Ok((of == epoch).then(|| Secret {
        role,
        fingerprint: text.fingerprint,
        file: file.to_owned(),
    }))
}

/// Overwrites the key's digits with zeros, durably; what else the file says stays, so that a run cut off here can be
/// ended by another.
fn blank(path: &Path) -> std::io::Result<()> {
    const KEY: &[u8] = b"\nkey: ";
    let text = Zeroizing::new(std::fs::read(path)?);
    let digits = text.windows(KEY.len()).position(|at| at == KEY);
    let digits = digits.ok_or(std::io::ErrorKind::InvalidData)? + KEY.len();
    let file = std::fs::File::options().write(true).open(path)?;
    file.write_all_at(&[b'0'; 64], digits as u64)?;
    file.sync_all()
}
