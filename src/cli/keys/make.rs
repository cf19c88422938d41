//! Making keys, and saying what to keep where.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use serde::Serialize;

use super::{Exit, Failure, Key, Told, box_time, json_line, line};
use crate::vault::keys::{self, KeyFiles};
use crate::vault::{Epoch, Role};

#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    key: Key,
    secret: &'a Path,
    public: &'a Path,
}

pub fn trap(dir: &Path, told: Told) -> Result<Exit, Failure> {
    let made = keys::trap_init(folder(dir)?)?;
    tell(Key::signing("device", made.id.0), &made.files, told);
    advise(
        told,
        "Keep the .key on this box, and nowhere else. Give the .pub to the service: it proves what this box signed.",
        "Gardez le fichier .key sur ce boîtier et nulle part ailleurs. Remettez le .pub au service : il prouve ce que le boîtier a signé.",
    );
    Ok(Exit::Done)
}

pub fn desk(dir: &Path, told: Told) -> Result<Exit, Failure> {
    let made = keys::desk_init(folder(dir)?)?;
    tell(Key::signing("desk", made.id.0), &made.files, told);
    advise(
        told,
        "Keep the .key at the desk, and a copy in the safe: it signs what the boxes obey. Copy the .pub to every box, and name it there as `desk_key`.",
        "Gardez le fichier .key au bureau, et une copie au coffre-fort : il signe ce à quoi les boîtiers obéissent. Copiez le .pub sur chaque boîtier et indiquez-le dans « desk_key ».",
    );
    Ok(Exit::Done)
}

pub fn office(dir: &Path, from: Option<Epoch>, quarters: u8, told: Told) -> Result<Exit, Failure> {
    let from = match from {
        Some(from) => from,
        None => Epoch::of(box_time().0.to_zoned(jiff::tz::TimeZone::UTC).date())?,
    };
    for made in keys::office_init_quarters(folder(dir)?, from, quarters)? {
        for (role, files) in [(Role::Service, &made.service), (Role::Recovery, &made.recovery)] {
            let key = Key {
                kind: role.as_str(),
                epoch: Some(made.epoch),
                fingerprint: files.fingerprint,
            };
            tell(key, files, told);
        }
    }
    advise(
        told,
        "Copy only the .pub files to the box, all quarters at once. Keep the service's .key files at the service; put the recovery .key files on paper or a stick in a safe, and take them out of this folder. Whoever holds a quarter's .key opens what was sealed in it; without both, nobody ever does.",
        "Ne copiez sur le boîtier que les fichiers .pub, tous les trimestres à la fois. Gardez les clés .key du service au service ; mettez les clés .key de secours au coffre-fort, sur papier ou sur une clé USB, et retirez-les de ce dossier. Qui détient une clé .key d'un trimestre ouvre ce qui y a été scellé ; sans aucune des deux, plus personne ne l'ouvre.",
    );
    Ok(Exit::Done)
}

/// Keys lie in a folder of their own that nobody else can list.
fn folder(dir: &Path) -> Result<&Path, Failure> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map(|()| dir).map_err(|why| Failure::file(dir, &why))
}

fn tell(key: Key, files: &KeyFiles, told: Told) {
    let KeyFiles { secret, public, .. } = files;
    if told.json {
        json_line(&Made { key, secret, public });
        return;
    }
    line(&key.told(told.lang));
    line(&format!("  {}", secret.display()));
    line(&format!("  {}", public.display()));
}

fn advise(told: Told, english: &str, french: &str) {
    if !told.json {
        line(told.lang.pick(english, french));
    }
}
