//! `vigie desk backup` and `vigie desk restore`.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::{Arguments, Exit, Failure, Lang, box_time, json_line, line};
use crate::desk::Office;
use crate::desk::backup::{self, Backup, Error, Restore};
use crate::desk::retention::evidence::Evidence;
use crate::frame::BoxTime;
use crate::vault::{DeviceId, DevicePublic};

pub fn backup(
    a: &Arguments,
    desk: &Path,
    to: &Path,
    keys: Option<&Path>,
    lang: Lang,
) -> Result<Exit, Failure> {
    let made = backup::backup(Backup { desk, to, keys }, box_time()).map_err(not_made)?;
    // Where the desk is being served, its next hourly run writes it into the journal.
    if let Ok(mut office) = Office::open(desk, box_time()) {
        backup::note(office.store(), desk, None, box_time()).map_err(not_made)?;
        office
            .desk
            .store
            .close(box_time())
            .map_err(|error| not_made(error.into()))?;
    }
    if a.json {
        json_line(&made);
    } else {
        line(&lang.pick(
            format!("backup {:06} is whole: {} sealed files", made.number, made.items),
            format!(
                "la sauvegarde {:06} est complète : {} fichiers scellés",
                made.number, made.items
            ),
        ));
        line(&lang.pick(
            format!("  the journal's head in it: {}", made.head),
            format!("  dernière ligne du journal : {}", made.head),
        ));
    }
    Ok(Exit::Done)
}

/// What a restore is told on the command line.
pub struct Asked<'a> {
    pub from: &'a Path,
    pub into: &'a Path,
    pub keys: Option<&'a Path>,
    pub erasures: &'a [PathBuf],
    pub device: Option<&'a Path>,
}

#[derive(Serialize)]
struct Told {
    number: u64,
    made: BoxTime,
    items: u64,
    erased: u64,
    desk: DeviceId,
}

pub fn restore(a: &Arguments, asked: &Asked<'_>, lang: Lang) -> Result<Exit, Failure> {
    let desk = asked.device.map(DevicePublic::read_desk).transpose()?;
    let restore = Restore {
        from: asked.from,
        keys: asked.keys,
        into: asked.into,
        erasures: asked.erasures,
        desk: desk.as_ref(),
    };
    let done = backup::restore(restore, &Evidence, box_time()).map_err(not_restored)?;
    if a.json {
        json_line(&Told {
            number: done.number,
            made: done.made,
            items: done.items,
            erased: done.erased,
            desk: done.desk.id(),
        });
        return Ok(Exit::Done);
    }
    line(&lang.pick(
        format!(
            "{}: the desk as it was on {}; erased again: {}",
            asked.into.display(),
            done.made,
            done.erased
        ),
        format!(
            "{} : le poste tel qu'il était le {} ; effacements rejoués : {}",
            asked.into.display(),
            done.made,
            done.erased
        ),
    ));
    if asked.erasures.is_empty() {
        line(lang.pick(
            "! no later list of erasures was named (--erasures): what was put aside since then is back until its term",
            "! aucune liste d'effacements plus récente n'a été indiquée (--erasures) : ce qui a été écarté depuis est \
             de retour jusqu'à son échéance",
        ));
    }
    Ok(Exit::Done)
}

fn not_made(error: Error) -> Failure {
    Failure::new(
        Exit::Failed,
        error,
        [
            "there is no new backup; the one before is as it was",
            "mend what is named, then back up again",
        ],
        [
            "aucune nouvelle sauvegarde n'a été faite ; la précédente est intacte",
            "corrigez ce qui est nommé, puis recommencez",
        ],
    )
}

fn not_restored(error: Error) -> Failure {
    Failure::new(
        Exit::Failed,
        error,
        [
            "nothing was restored",
            "name another backup, its keys, or an empty folder",
        ],
        [
            "rien n'a été restauré",
            "indiquez une autre sauvegarde, ses clés, ou un dossier vide",
        ],
    )
}
