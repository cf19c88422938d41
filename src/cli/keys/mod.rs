//! `vigie keys`: the life of keys, from making to destroying; docs/keys.md tells it in order.

mod make;
mod office;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

pub use office::keyring_alone;

use super::{Exit, Failure, Lang, box_time, json_line, line};
use crate::vault::keys::ring::Concern;
use crate::vault::keys::{self};
use crate::vault::{DeviceKey, DevicePublic, Epoch, Fingerprint, OfficeKey, Recipient, Role};

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make the box's signing key.
    TrapInit {
        /// Where to write `device.key` and `device.pub`.
        dir: PathBuf,
    },
    /// Make the desk's signing key.
    DeskInit {
        /// Where to write `desk.key` and `desk.pub`.
        dir: PathBuf,
    },
    /// Make the service's and the recovery key pairs of one or several quarters.
    OfficeInit {
        /// Where to write them.
        dir: PathBuf,
        /// The first quarter, such as 2026-Q4; by default the current one.
        #[arg(long, value_name = "QUARTER")]
        from: Option<Epoch>,
        /// How many quarters.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=40))]
        quarters: u8,
    },
    /// Say what key files are.
    Show {
        /// Key files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Write the desk's signed word that nothing is sealed to these keys any more.
    Revoke {
        /// Fingerprints, or key files of the service or of the recovery.
        #[arg(required = true)]
        keys: Vec<String>,
        /// Why, in one line that names nobody.
        #[arg(long)]
        reason: String,
        /// The desk's secret key file.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The revocation to write, its name ending in `.revocation`.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// At the desk: wrap the content key of each of its events to its current keys.
    Rewrap {
        /// The desk's folder: desk.key, traps/, keys/, store/ (docs/formats.md §10).
        #[arg(long, env = "VIGIE_DESK", default_value = "desk", value_name = "DIR")]
        desk: PathBuf,
    },
    /// Destroy the secret keys of a quarter that is over.
    #[command(group(clap::ArgGroup::new("how").required(true)))]
    DestroyEpoch {
        /// The quarter, such as 2026-Q3.
        epoch: Epoch,
        /// The folder of the keys.
        #[arg(long, value_name = "DIR")]
        keys: PathBuf,
        /// The desk's folder: nothing is destroyed that an event of its vault still needs.
        #[arg(long, env = "VIGIE_DESK", default_value = "desk", value_name = "DIR")]
        desk: PathBuf,
        /// Say what would be destroyed.
        #[arg(long, group = "how")]
        plan: bool,
        /// Destroy it.
        #[arg(long, group = "how", requires_all = ["key", "out"])]
        yes: bool,
        /// The desk's secret key file, which signs the certificate.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// The certificate to write.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Try whether the keys open what they should.
    Drill {
        /// A folder of keys; more than one where the recovery keys lie apart.
        #[arg(long, value_name = "DIR", required = true)]
        keys: Vec<PathBuf>,
        /// A vault, of which one item of each event is opened.
        #[arg(long, value_name = "DIR")]
        store: Option<PathBuf>,
    },
}

pub fn run(command: &KeysCommand, json: bool, lang: Lang) -> Result<Exit, Failure> {
    let told = Told { json, lang };
    match command {
        KeysCommand::TrapInit { dir } => make::trap(dir, told),
        KeysCommand::DeskInit { dir } => make::desk(dir, told),
        KeysCommand::OfficeInit { dir, from, quarters } => make::office(dir, *from, *quarters, told),
        KeysCommand::Show { files } => show(files, told),
        KeysCommand::Revoke {
            keys,
            reason,
            key,
            out,
        } => office::revoke(keys, reason, key, out, told),
        KeysCommand::Rewrap { desk } => office::rewrap(desk, told),
        KeysCommand::DestroyEpoch {
            epoch,
            keys,
            desk,
            key: Some(key),
            out: Some(out),
            yes: true,
            ..
        } => office::destroy(*epoch, keys, desk, key, out, told),
        KeysCommand::DestroyEpoch {
            epoch, keys, desk, ..
        } => office::plan(*epoch, keys, desk, told),
        KeysCommand::Drill { keys, store } => office::drill(keys, store.as_deref(), told),
    }
}

/// How answers are given.
#[derive(Clone, Copy)]
struct Told {
    json: bool,
    lang: Lang,
}

/// A key, as the answers name it.
#[derive(Debug, Serialize)]
pub struct Key {
    kind: &'static str,
    epoch: Option<Epoch>,
    fingerprint: Fingerprint,
}

impl Key {
    /// A recipient.
    pub fn of(recipient: &Recipient) -> Self {
        Self {
            kind: recipient.role().as_str(),
            epoch: Some(recipient.epoch()),
            fingerprint: recipient.fingerprint(),
        }
    }

    fn signing(kind: &'static str, fingerprint: Fingerprint) -> Self {
        Self {
            kind,
            epoch: None,
            fingerprint,
        }
    }

    /// In one line.
    pub fn told(&self, lang: Lang) -> String {
        let kind = match self.kind {
            "device" => lang.pick("box", "boîtier"),
            "desk" => lang.pick("desk", "bureau"),
            "recovery" => lang.pick("recovery", "secours"),
            _ => "service",
        };
        let epoch = self.epoch.map(|epoch| format!(" {epoch}")).unwrap_or_default();
        format!("{kind}{epoch}  {}", self.fingerprint)
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    file: &'a Path,
    half: &'static str,
    #[serde(flatten)]
    key: Key,
}

fn show(files: &[PathBuf], told: Told) -> Result<Exit, Failure> {
    for file in files {
        let (half, key) = what_it_is(file)?;
        if told.json {
            json_line(&Shown { file, half, key });
            continue;
        }
        let half = match half {
            "public" => told.lang.pick("public key", "clé publique"),
            _ => told.lang.pick("SECRET key", "clé SECRÈTE"),
        };
        line(&format!("{half}, {}", key.told(told.lang)));
    }
    Ok(Exit::Done)
}

/// A key file, tried as each of the kinds; what it is not, the last trial's error says.
fn what_it_is(file: &Path) -> Result<(&'static str, Key), keys::Error> {
    let signing = [
        ("public", "device", DevicePublic::read(file).map(|key| key.id())),
        (
            "public",
            "desk",
            DevicePublic::read_desk(file).map(|key| key.id()),
        ),
        ("secret", "device", DeviceKey::read(file).map(|key| key.id())),
        ("secret", "desk", DeviceKey::read_desk(file).map(|key| key.id())),
    ];
    for (half, kind, read) in signing {
        if let Ok(id) = read {
            return Ok((half, Key::signing(kind, id.0)));
        }
    }
    if let Ok(recipient) = Recipient::read(file) {
        return Ok(("public", Key::of(&recipient)));
    }
    OfficeKey::read(file).map(|key| ("secret", Key::of(key.recipient())))
}

/// Whose key it is, for a sentence.
fn role(role: Role, lang: Lang) -> &'static str {
    match role {
        Role::Service => "service",
        Role::Recovery => lang.pick("recovery", "secours"),
    }
}

/// What is wrong with the keys to which a box seals.
pub fn told(concern: Concern, lang: Lang) -> &'static str {
    match concern {
        Concern::NoRecipient => lang.pick(
            "there is no key to seal to: nothing is sealed, frames stay on the card; bring new public keys",
            "aucune clé de scellement : rien n'est scellé, les images restent sur la carte ; apportez de nouvelles clés publiques",
        ),
        Concern::EpochMissing => lang.pick(
            "this quarter's keys are not there, another quarter's are used; bring new public keys",
            "les clés de ce trimestre manquent, celles d'un autre trimestre servent ; apportez de nouvelles clés publiques",
        ),
        Concern::ServiceKeyRevoked => lang.pick(
            "the service's key is revoked: only the recovery key opens what is sealed; bring new public keys",
            "la clé du service est révoquée : seule la clé de secours ouvre ce qui est scellé ; apportez de nouvelles clés publiques",
        ),
        Concern::RecoveryKeyRevoked => lang.pick(
            "the recovery key is revoked: only the service's key opens what is sealed; bring new public keys",
            "la clé de secours est révoquée : seule la clé du service ouvre ce qui est scellé ; apportez de nouvelles clés publiques",
        ),
        Concern::KeysRunningOut => lang.pick(
            "there are no keys for the next quarter; bring new public keys",
            "les clés du prochain trimestre manquent ; apportez de nouvelles clés publiques",
        ),
        Concern::KeyFileUnusable => lang.pick(
            "a file among the recipients' keys cannot be used",
            "un fichier parmi les clés des destinataires est inutilisable",
        ),
        Concern::RevocationRefused => lang.pick(
            "a revocation has no effect: the desk did not sign it, or `desk_key` is not configured",
            "une révocation est sans effet : le bureau ne l'a pas signée, ou « desk_key » n'est pas configuré",
        ),
        Concern::OfficeKeyOnBox => lang.pick(
            "a SECRET key of the service lies on the box: take it away, revoke it and make another",
            "une clé SECRÈTE du service se trouve sur le boîtier : retirez-la, révoquez-la et créez-en une autre",
        ),
    }
}
