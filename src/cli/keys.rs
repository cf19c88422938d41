//! `vigie keys`: making and showing keys, and saying what to keep where.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use super::{Exit, Failure, KeysCommand, Lang, box_time, line};
use crate::vault::keys::{self, KeyFiles};
use crate::vault::{DeviceKey, DevicePublic, Epoch, OfficeKey, Recipient, Role};

pub fn run(command: &KeysCommand, lang: Lang) -> Result<Exit, Failure> {
    match command {
        KeysCommand::TrapInit { dir } => {
            let made = keys::trap_init(folder(dir)?)?;
            tell(
                lang.pick("the box's signing key", "clé de signature du boîtier"),
                &made.files,
            );
            line(lang.pick(
                "Keep the .key on this box, and nowhere else. Give the .pub to the service: it proves what this box signed.",
                "Gardez le fichier .key sur ce boîtier et nulle part ailleurs. Remettez le .pub au service : il prouve ce que le boîtier a signé.",
            ));
        }
        KeysCommand::OfficeInit { dir } => {
            let today = box_time().0.to_zoned(jiff::tz::TimeZone::UTC).date();
            let made = keys::office_init(folder(dir)?, Epoch::of(today)?)?;
            tell(
                lang.pick("the service's key pair", "paire de clés du service"),
                &made.service,
            );
            tell(
                lang.pick("the recovery key pair", "paire de clés de secours"),
                &made.recovery,
            );
            line(lang.pick(
                "Copy only the two .pub files to the box. Keep the service's .key at the service; put the recovery .key on paper or a stick in a safe. Whoever holds one of them opens what was sealed; without both, nobody ever does.",
                "Ne copiez sur le boîtier que les deux fichiers .pub. Gardez la clé .key du service au service ; mettez la clé .key de secours au coffre-fort, sur papier ou sur une clé USB. Qui détient l'une d'elles ouvre ce qui a été scellé ; sans aucune des deux, plus personne ne l'ouvre.",
            ));
        }
        KeysCommand::Show { file } => line(&describe(file, lang)?),
    }
    Ok(Exit::Done)
}

/// Keys lie in a folder of their own that nobody else can list.
fn folder(dir: &Path) -> Result<&Path, Failure> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map(|()| dir).map_err(|why| Failure::file(dir, &why))
}

/// What a key file is, tried as each of the four kinds; what it is not, the last trial's error says.
fn describe(file: &Path, lang: Lang) -> Result<String, keys::Error> {
    let public = lang.pick("public key of the box", "clé publique du boîtier");
    let secret = lang.pick("SECRET key of the box", "clé SECRÈTE du boîtier");
    if let Ok(key) = DevicePublic::read(file) {
        return Ok(format!("{public}  {}", key.id()));
    }
    if let Ok(key) = DeviceKey::read(file) {
        return Ok(format!("{secret}  {}", key.id()));
    }
    let office = |kind: &str, key: &Recipient| {
        let role = match key.role() {
            Role::Service => lang.pick("service", "service"),
            Role::Recovery => lang.pick("recovery", "secours"),
        };
        format!("{kind} ({role}, {})  {}", key.epoch(), key.fingerprint())
    };
    if let Ok(key) = Recipient::read(file) {
        return Ok(office(lang.pick("public key", "clé publique"), &key));
    }
    OfficeKey::read(file).map(|key| office(lang.pick("SECRET key", "clé SECRÈTE"), key.recipient()))
}

fn tell(what: &str, files: &KeyFiles) {
    line(&format!("{what}  {}", files.fingerprint));
    line(&format!("  {}", files.secret.display()));
    line(&format!("  {}", files.public.display()));
}
