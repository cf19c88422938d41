//! `vigie keys`: making and showing keys, and saying what to keep where.

use super::report::line;
use super::{Exit, Failure, KeysCommand, Lang};
use crate::trap::box_time;
use crate::vault::keys::{self, KeyFiles};
use crate::vault::Epoch;

pub fn run(command: &KeysCommand, lang: Lang) -> Result<Exit, Failure> {
    match command {
        KeysCommand::TrapInit { dir } => {
            let made = keys::trap_init(dir)?;
            tell(lang.pick("the box's signing key", "clé de signature du boîtier"), &made.files);
            line(lang.pick(
                "Keep the .key on this box, and nowhere else. Give the .pub to the service: it proves what this box signed.",
                "Gardez le fichier .key sur ce boîtier et nulle part ailleurs. Remettez le .pub au service : il prouve ce que le boîtier a signé.",
            ));
        }
        KeysCommand::OfficeInit { dir } => {
            let today = box_time().0.to_zoned(jiff::tz::TimeZone::UTC).date();
            let made = keys::office_init(dir, Epoch::of(today)?)?;
            tell(lang.pick("the service's key pair", "paire de clés du service"), &made.service);
            tell(lang.pick("the recovery key pair", "paire de clés de secours"), &made.recovery);
            line(lang.pick(
                "Copy only the two .pub files to the box. Keep the service's .key at the service; put the recovery .key on paper or a stick in a safe. Whoever holds one of them opens what was sealed; without both, nobody ever does.",
                "Ne copiez sur le boîtier que les deux fichiers .pub. Gardez la clé .key du service au service ; mettez la clé .key de secours au coffre-fort, sur papier ou sur une clé USB. Qui détient l'une d'elles ouvre ce qui a été scellé ; sans aucune des deux, plus personne ne l'ouvre.",
            ));
        }
        KeysCommand::Show { file } => line(&keys::describe(file)?.to_string()),
    }
    Ok(Exit::Done)
}

fn tell(what: &str, files: &KeyFiles) {
    line(&format!("{what}  {}", files.fingerprint));
    line(&format!("  {}", files.secret.display()));
    line(&format!("  {}", files.public.display()));
}
