//! `vigie transfer`: bundles from the box to the desk, return files back.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use super::{Arguments, Exit, Failure, Lang, box_time, equipment, json_line, line};
use crate::config;
use crate::transfer::returning::{self, Taken};
use crate::transfer::taking_in::{self, Outcome};
use crate::transfer::{Desk, Error, Folder, Refusal, out};
use crate::trap::{orders, terms};
use crate::vault::{DeviceId, DeviceKey, DevicePublic, Store};

#[derive(Debug, Subcommand)]
pub enum TransferCommand {
    /// On the box: take the desk's return file from a stick, and write a new bundle onto it.
    Out {
        /// The stick's folder.
        dir: PathBuf,
    },
    /// At the desk: check and take the bundles on a stick, and write the return files onto it.
    In {
        /// The stick's folder.
        dir: PathBuf,
        /// The desk's folder: desk.key, traps/, keys/, store/ (docs/formats.md §10).
        #[arg(long, env = "VIGIE_DESK", default_value = "desk", value_name = "DIR")]
        desk: PathBuf,
    },
    /// At a desk that was restored from a backup: order a box to tell its journal anew, and write the order onto a stick.
    Resend {
        /// The box's id, as its bundles bear it.
        device: String,
        /// The stick's folder.
        dir: PathBuf,
        /// The desk's folder.
        #[arg(long, env = "VIGIE_DESK", default_value = "desk", value_name = "DIR")]
        desk: PathBuf,
    },
}

pub fn run(a: &Arguments, command: &TransferCommand, lang: Lang) -> Result<Exit, Failure> {
    match command {
        TransferCommand::Resend { device, dir, desk } => order_resend(a, device, dir, desk, lang),
        TransferCommand::Out { dir } => write_out(a, dir, lang),
        TransferCommand::In { dir, desk } => take_in(a, dir, desk, lang),
    }
}

#[derive(Serialize)]
struct WrittenOut {
    bundle: String,
    items: usize,
    bytes: u64,
    damaged: Vec<String>,
    #[serde(rename = "return")]
    returned: Option<Returned>,
    refused: Option<Refused>,
}

#[derive(Serialize)]
struct Returned {
    number: u64,
    erased: u64,
    kept: u64,
}

#[derive(Serialize)]
struct Refused {
    reason: &'static str,
    details: Vec<String>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self {
            reason: refusal.reason.as_str(),
            details: refusal.details,
        }
    }
}

/// A refused return file keeps nothing from going out: the next answer may be a good one.
fn write_out(a: &Arguments, dir: &Path, lang: Lang) -> Result<Exit, Failure> {
    let config = equipment::config_as_written(a)?;
    let device = DeviceKey::read(&config.device_key)?;
    let on_stick = Folder::open(dir).map_err(|why| Failure::file(dir, &why))?;
    let (mut store, ring) = equipment::vault(&config, None)?;
    let back = take_back(&config, &mut store, &on_stick);
    let written = back.and_then(|back| {
        // The drill tries the keys that events are sealed to.
        let sealing = terms::sealing_time(store.sql(), box_time()).map_err(Error::from)?;
        let recipients = ring.choose(sealing).recipients;
        let written = out::write(&mut store, &device, &recipients, dir, box_time())?;
        Ok((back, written))
    });
    store.close(box_time())?;
    let (back, written) = written?;
    let (returned, refused) = match back {
        Ok(taken) => (taken, None),
        Err(refusal) => (None, Some(Refused::from(refusal))),
    };
    let told = WrittenOut {
        bundle: written.name.to_string(),
        items: written.items,
        bytes: written.bytes,
        damaged: written.damaged.iter().map(ToString::to_string).collect(),
        returned: returned.map(|taken| Returned {
            number: taken.number,
            erased: taken.erased,
            kept: taken.kept,
        }),
        refused,
    };
    match a.json {
        true => json_line(&told),
        false => tell_out(&told, dir, lang),
    }
    Ok(match told.refused.is_none() && told.damaged.is_empty() {
        true => Exit::Done,
        false => Exit::Fault,
    })
}

type Back = Result<Option<Taken>, Refusal>;

fn take_back(config: &config::Trap, store: &mut Store, on_stick: &Folder) -> Result<Back, Error> {
    let Some(name) = returning::find(on_stick, store.device())? else {
        return Ok(Ok(None));
    };
    let Some(desk) = &config.desk_key else {
        let what = format!("{name}: the configuration names no desk_key, so no desk is believed");
        return Ok(Err(Refusal {
            reason: crate::transfer::Reason::UnknownSigner,
            details: vec![what],
        }));
    };
    let desk = DevicePublic::read_desk(desk)?;
    let carry_out = |given: &returning::Return| orders::carry_out(config, &desk, given);
    match returning::take(store, &desk, on_stick, name, box_time(), carry_out) {
        Ok(taken) => Ok(Ok(taken)),
        Err(Error::Refused(refusal)) => Ok(Err(refusal)),
        Err(error) => Err(error),
    }
}

fn items(count: u64, lang: Lang) -> String {
    lang.count(count, ["item", "items"], ["élément", "éléments"])
}

fn tell_out(told: &WrittenOut, dir: &Path, lang: Lang) {
    if let Some(returned) = &told.returned {
        line(&lang.pick(
            format!(
                "return file {}: the service has everything it names; {} erased from the vault",
                returned.number,
                items(returned.erased, lang)
            ),
            format!(
                "fichier de retour {} : le service détient tout ce qu'il nomme ; {} du coffre, désormais effacé(s)",
                returned.number,
                items(returned.erased, lang)
            ),
        ));
        if returned.kept > 0 {
            line(&lang.pick(
                format!(
                    "! {} kept: the service has another content of them",
                    items(returned.kept, lang)
                ),
                format!(
                    "! {} conservé(s) : le service en a un autre contenu",
                    items(returned.kept, lang)
                ),
            ));
        }
    }
    tell_refused(
        lang.pick("return file", "fichier de retour"),
        told.refused.as_ref(),
        lang,
    );
    line(&lang.pick(
        format!(
            "{}: {} to carry to the service",
            dir.join(&told.bundle).display(),
            items(told.items as u64, lang)
        ),
        format!(
            "{} : {} à porter au service",
            dir.join(&told.bundle).display(),
            items(told.items as u64, lang)
        ),
    ));
    for damaged in &told.damaged {
        line(&lang.pick(
            format!("! {damaged}: its file is damaged; it stays on the box (vigie verify)"),
            format!("! {damaged} : fichier endommagé ; il reste sur le boîtier (vigie verify)"),
        ));
    }
}

fn tell_refused(what: &str, refused: Option<&Refused>, lang: Lang) {
    let Some(refused) = refused else { return };
    let colon = lang.pick(":", " :");
    line(&format!(
        "! {what}{colon} {}: {}",
        lang.pick("refused whole", "refusé en entier"),
        reason(refused.reason, lang)
    ));
    for detail in &refused.details {
        line(&format!("    {detail}"));
    }
}

fn reason(word: &'static str, lang: Lang) -> &'static str {
    let french = match word {
        "damaged" => "ce n'est pas ce qui a été signé",
        "unknown-signer" => "signataire inconnu ici",
        "other-device" => "c'est celui d'un autre boîtier",
        "replay" => "plus ancien que ce qui a déjà été reçu",
        "fork" => "le journal n'est pas celui qui est connu ici",
        "gap" => {
            "un poste qui en savait davantage a déjà répondu au boîtier : s'il a été restauré, « vigie transfer resend » à ce poste"
        }
        "cannot-open" => "aucune clé détenue ici ne l'ouvre",
        _ => "un ordre du service ne peut être exécuté",
    };
    let english = match word {
        "damaged" => "it is not what was signed",
        "unknown-signer" => "its signer is not known here",
        "other-device" => "it is another box's",
        "replay" => "it is older than what was taken already",
        "fork" => "its journal is not the one that is known here",
        "gap" => {
            "the box was answered by a desk that knew more: if it was restored, `vigie transfer resend` at this desk"
        }
        "cannot-open" => "no key held here opens it",
        _ => "an order of the service cannot be carried out",
    };
    lang.pick(english, french)
}

#[derive(Serialize)]
struct TakenIn {
    bundle: String,
    outcome: &'static str,
    items: u64,
    erased_before: u64,
    damaged: u64,
    #[serde(rename = "return")]
    returned: Option<String>,
    refused: Option<Refused>,
}

fn take_in(a: &Arguments, dir: &Path, desk: &Path, lang: Lang) -> Result<Exit, Failure> {
    let on_stick = Folder::open(dir).map_err(|why| Failure::file(dir, &why))?;
    let bundles = taking_in::bundles(&on_stick)?;
    if bundles.is_empty() {
        return Err(no_bundle(dir));
    }
    let mut desk = Desk::open(desk, box_time())?;
    if let Some(refused) = super::keys::keyring_alone(&desk)? {
        desk.store.close(box_time())?;
        return Err(refused);
    }
    let mut exit = Exit::Done;
    let mut failed = None;
    for name in bundles {
        let taken = taking_in::import(&mut desk, &on_stick, name, box_time()).and_then(|outcome| {
            let back = returning::write(&mut desk, name.device, dir, box_time())?;
            Ok((outcome, back))
        });
        let mut told = TakenIn {
            bundle: name.to_string(),
            outcome: "refused",
            items: 0,
            erased_before: 0,
            damaged: 0,
            returned: None,
            refused: None,
        };
        match taken {
            Ok((outcome, back)) => {
                told.returned = Some(back.to_string());
                told.outcome = "already-imported";
                if let Outcome::Imported {
                    items,
                    erased_before,
                    damaged,
                } = outcome
                {
                    told.outcome = "imported";
                    (told.items, told.erased_before, told.damaged) = (items, erased_before, damaged);
                }
            }
            Err(Error::Refused(refusal)) => {
                told.refused = Some(refusal.into());
                exit = Exit::Fault;
            }
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
        match a.json {
            true => json_line(&told),
            false => tell_in(&told, lang),
        }
    }
    desk.store.close(box_time())?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(exit),
    }
}

fn order_resend(a: &Arguments, device: &str, dir: &Path, desk: &Path, lang: Lang) -> Result<Exit, Failure> {
    let Ok(fingerprint) = device.parse() else {
        return Err(Failure::wrong_use(
            device,
            [
                "this is no box's id",
                "name the 16 digits that stand in its bundles' names",
            ],
            [
                "ce n'est pas l'identifiant d'un boîtier",
                "indiquez les 16 chiffres qui figurent dans le nom de ses lots",
            ],
        ));
    };
    let mut desk = Desk::open(desk, box_time())?;
    let written = returning::order_resend(&mut desk, DeviceId(fingerprint), None, dir, box_time());
    desk.store.close(box_time())?;
    let written = written?;
    #[derive(Serialize)]
    struct Ordered {
        device: DeviceId,
        order: String,
    }
    let order = written.to_string();
    let device = written.device;
    if a.json {
        json_line(&Ordered { device, order });
    } else {
        line(&lang.pick(
            format!("{order}: carry it to the box; `vigie transfer out` there writes a bundle that goes on from what this desk has"),
            format!("{order} : à porter au boîtier ; « vigie transfer out » y écrira un lot qui reprend là où ce poste en est"),
        ));
    }
    Ok(Exit::Done)
}

fn tell_in(told: &TakenIn, lang: Lang) {
    if told.refused.is_some() {
        return tell_refused(&told.bundle, told.refused.as_ref(), lang);
    }
    let colon = lang.pick(":", " :");
    let outcome = match told.outcome {
        "imported" => lang.pick(
            format!("taken, {}", items(told.items, lang)),
            format!("reçu, {}", items(told.items, lang)),
        ),
        _ => lang.pick("taken before".to_owned(), "déjà reçu".to_owned()),
    };
    line(&format!("{}{colon} {outcome}", told.bundle));
    if told.erased_before > 0 {
        line(&lang.pick(
            format!(
                "  {} erased here before, not taken again",
                items(told.erased_before, lang)
            ),
            format!(
                "  {} déjà effacé(s) ici, non repris",
                items(told.erased_before, lang)
            ),
        ));
    }
    if told.damaged > 0 {
        line(&lang.pick(
            format!(
                "! {} damaged on the box, not in the bundle",
                items(told.damaged, lang)
            ),
            format!(
                "! {} endommagé(s) sur le boîtier, absent(s) du lot",
                items(told.damaged, lang)
            ),
        ));
    }
    if let Some(back) = &told.returned {
        line(&lang.pick(
            format!("  carry {back} back to the box"),
            format!("  rapportez {back} au boîtier"),
        ));
    }
}

fn no_bundle(dir: &Path) -> Failure {
    Failure::new(
        Exit::Failed,
        dir.display(),
        [
            "no bundle is there",
            "write one on the box with `vigie transfer out DIR`",
        ],
        [
            "aucun lot ne s'y trouve",
            "écrivez-en un sur le boîtier avec « vigie transfer out DOSSIER »",
        ],
    )
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => error.into(),
            Error::Key(error) => error.into(),
            Error::Seal(error) => error.into(),
            Error::NoRoom { .. } => Self::new(
                Exit::Failed,
                error,
                [
                    "there is not room enough",
                    "make room there, or use a larger stick; nothing was begun that counts",
                ],
                [
                    "il n'y a pas assez de place",
                    "faites de la place, ou prenez une clé plus grande ; rien de commencé ne compte",
                ],
            ),
            Error::DeskFile { .. } => Self::new(
                Exit::WrongUse,
                error,
                [
                    "a file of the desk cannot be used",
                    "mend it; docs/formats.md §11 has its members",
                ],
                [
                    "un fichier du service est inutilisable",
                    "corrigez-le ; docs/formats.md §11 en donne les membres",
                ],
            ),
            error => Self::new(
                Exit::Failed,
                error,
                [
                    "the transfer failed; nothing that counts was left half done",
                    "check the stick, the rights and the room on it, then run it again",
                ],
                [
                    "le transfert a échoué ; rien qui compte n'est resté à moitié fait",
                    "vérifiez la clé, ses droits et la place, puis recommencez",
                ],
            ),
        }
    }
}
