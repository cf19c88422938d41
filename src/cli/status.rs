//! `vigie status`: how the box is doing, by the word of its running service, or else read from the vault without
//! disturbing who writes to it.

use std::path::Path;

use super::{Arguments, Exit, Failure, Lang, box_time, equipment, json_line, keys, line};
use crate::config;
use crate::trap::health::{CameraHealth, ClockState, Concern, Health};
use crate::trap::socket::{self, USUAL, asking};
use crate::vault::keys::Role;
use crate::vault::{Epoch, store};

/// A concern in words.
fn told(concern: Concern, lang: Lang) -> &'static str {
    use Concern as C;
    match concern {
            C::NoVaultYet => lang.pick("no frame was taken yet", "aucune image traitée pour l'instant"),
            C::CardAbsent => lang.pick("a card is not there", "une carte est absente"),
            C::FilesLeft => lang.pick(
                "files on a card cannot be taken",
                "des fichiers d'une carte sont inutilisables",
            ),
            C::TrialOver => lang.pick(
                "the trial is over: set mode = \"enforce\"",
                "l'essai est terminé : passez à mode = \"enforce\"",
            ),
            C::RegimeNotInForce => lang.pick(
                "a camera's legal regime is not in force today",
                "le régime juridique d'une caméra n'est pas en vigueur aujourd'hui",
            ),
            C::WipeOverdue => lang.pick(
                "the card's wipe is overdue",
                "le vidage de la carte est en retard",
            ),
            C::WipeInPart => lang.pick(
                "a card could not be wiped whole: destroy it",
                "une carte n'a pu être vidée entièrement : détruisez-la",
            ),
            C::LittleRoom => lang.pick("little room on the disk", "peu de place sur le disque"),
            C::StoreFull => lang.pick(
                "the disk is full: frames stay on the card until there is room",
                "le disque est plein : les images restent sur la carte tant qu'il n'y a pas de place",
            ),
            C::NoReturnFile => lang.pick(
                "frames are not erased: no return file has shown yet that the service opens what this box sealed (vigie transfer out)",
                "des images ne sont pas effacées : aucun fichier de retour n'a encore montré que le service ouvre ce que ce boîtier a scellé (vigie transfer out)",
            ),
            C::FrameStuck => lang.pick(
                "the program was ended over a file on a card; it is left alone until the wipe",
                "le programme a été interrompu sur un fichier d'une carte ; ce fichier reste tel quel jusqu'au vidage",
            ),
            C::ClockWrong => lang.pick(
                "the box's clock is not to be believed: set it",
                "l'horloge du boîtier n'est pas digne de foi : mettez-la à l'heure",
            ),
            C::CameraClockWrong => lang.pick(
                "a camera's clock is not to be believed: set it",
                "l'horloge d'une caméra n'est pas digne de foi : mettez-la à l'heure",
            ),
            C::NetworksMissing => lang.pick(
                "the networks or ONNX Runtime are not there: run `make models runtime`, or install the package again",
                "les réseaux de neurones ou ONNX Runtime sont absents : lancez « make models runtime », ou réinstallez le paquet",
            ),
            C::Hot => lang.pick("the board is too hot", "la carte électronique est trop chaude"),
            C::Keys(concern) => keys::told(concern, lang),
        }
}

pub fn run(a: &Arguments, check: bool, socket: Option<&Path>, lang: Lang) -> Result<Exit, Failure> {
    let config = equipment::config_of_rounds(a)?;
    let health = health(&config, socket)?;
    if a.json {
        json_line(&health);
    } else {
        line(&in_one_line(&health, lang));
        if !check {
            tell(&health, lang);
        }
    }
    Ok(match check && !health.degraded.is_empty() {
        true => Exit::InPart,
        false => Exit::Done,
    })
}

/// As the running service says; else as the vault does.
fn health(config: &config::Trap, socket: Option<&Path>) -> Result<Health, store::Error> {
    let place = socket::place(socket, config).unwrap_or_else(|| USUAL.into());
    match asking::health(&place, &config.store) {
        Some(health) => Ok(health),
        None => Health::read(config, box_time(), None),
    }
}

/// Whether something wants a hand, and what.
fn in_one_line(health: &Health, lang: Lang) -> String {
    let waiting: u64 = health
        .cameras
        .iter()
        .map(|c| c.held + c.backlog.unwrap_or(0))
        .sum();
    let waiting = lang.count(
        waiting,
        ["frame waits", "frames wait"],
        ["image en attente", "images en attente"],
    );
    let last = health.cameras.iter().filter_map(|c| c.last_frame).max();
    let last = last.map_or_else(
        || lang.pick("none", "aucune").to_owned(),
        |last| last.0.to_string(),
    );
    let colon = lang.pick(":", " :");
    let text = format!(
        "{waiting} ; {}{colon} {last}",
        lang.pick("last one taken", "dernière traitée")
    );
    let text = lang.pick(text.replace(" ;", ";"), text.clone());
    if health.degraded.is_empty() {
        return format!("{}{colon} {text}", lang.pick("well", "tout va bien"));
    }
    let concerns: Vec<_> = health.degraded.iter().map(|c| told(*c, lang)).collect();
    format!(
        "{}{colon} {}. {text}",
        lang.pick("WANTS A HAND", "À VOIR"),
        concerns.join(lang.pick("; ", " ; "))
    )
}

fn tell(status: &Health, lang: Lang) {
    let colon = lang.pick(":", " :");
    match status.trial_ends {
        Some(until) => line(&lang.pick(
            format!("TRIAL MODE until {until}: nothing is erased"),
            format!("MODE ESSAI jusqu'au {until} : rien n'est effacé"),
        )),
        None => line(lang.pick("mode: enforce", "mode : effacement en vigueur")),
    }
    for camera in &status.cameras {
        tell_camera(camera, lang);
    }
    let events = lang.count(
        status.events.len() as u64,
        ["sealed event", "sealed events"],
        ["événement scellé", "événements scellés"],
    );
    line(&format!(
        "{events}, {}",
        lang.count(
            status.journal_lines,
            ["journal line", "journal lines"],
            ["ligne de journal", "lignes de journal"]
        )
    ));
    if let Some(head) = &status.journal_head {
        line(&format!(
            "{}{colon} {head}",
            lang.pick("the journal's head", "dernière ligne du journal")
        ));
    }
    for event in &status.events {
        let items = lang.count(event.items, ["item", "items"], ["élément", "éléments"]);
        line(&format!("  {}  {}  {items}", event.event, event.sealed));
    }
    let quarters: Vec<_> = status.keys.quarters.iter().map(Epoch::to_string).collect();
    line(&format!(
        "{}{colon} {}",
        lang.pick("keys to seal to, by quarter", "clés de scellement, par trimestre"),
        if quarters.is_empty() {
            "-".to_owned()
        } else {
            quarters.join(", ")
        }
    ));
    for key in &status.keys.sealing_to {
        line(&format!(
            "  {} {}  {}",
            kind(key.kind, lang),
            key.epoch,
            key.fingerprint
        ));
    }
    if let Some(due) = status.wipe_due {
        line(&format!(
            "{}{colon} {due}",
            lang.pick("next wipe of the card by", "prochain vidage de la carte avant le")
        ));
    }
    tell_box(status, lang);
    for concern in &status.degraded {
        line(&format!("! {}", told(*concern, lang)));
    }
}

fn kind(role: Role, lang: Lang) -> &'static str {
    match role {
        Role::Service => "service",
        Role::Recovery => lang.pick("recovery", "secours"),
    }
}

fn tell_camera(camera: &CameraHealth, lang: Lang) {
    let colon = lang.pick(":", " :");
    let card = match camera.card_there {
        true => lang.pick("card there", "carte présente"),
        false => lang.pick("no card", "pas de carte"),
    };
    line(&format!("{} ({}){colon} {card}", camera.id, camera.site));
    let row = |english, french, value: u64| {
        line(&format!("  {:<34}{value}", lang.pick(english, french)));
    };
    row("taken and gone", "traitées et effacées", camera.gone);
    row(
        "waiting for their event",
        "en attente de leur événement",
        camera.held,
    );
    row(
        "decided, still on the card",
        "décidées, encore sur la carte",
        camera.waiting_for_erasure,
    );
    row(
        "files that cannot be taken",
        "fichiers inutilisables",
        camera.left,
    );
    if camera.set_aside > 0 {
        row("of these, not tried again", "dont abandonnés", camera.set_aside);
    }
    if let Some(backlog) = camera.backlog {
        row("not got to yet", "pas encore examinés", backlog);
    }
    let clock = &camera.clock;
    if let Some(ahead) = clock.ahead_seconds {
        let text = lang.pick(
            "clock, ahead of the box by (s)",
            "horloge, avance sur le boîtier (s)",
        );
        line(&format!("  {text:<34}{ahead}"));
    }
}

/// The board, its clock, its networks, its service.
fn tell_box(status: &Health, lang: Lang) {
    let colon = lang.pick(":", " :");
    let clock = match status.clock.state {
        ClockState::InStep => lang.pick("in step", "juste à notre connaissance"),
        ClockState::Behind => lang.pick("behind what was written", "en retard sur le journal"),
        ClockState::Ahead => lang.pick("leapt ahead", "en avance soudaine"),
        ClockState::Unset => lang.pick("never set", "jamais mise à l'heure"),
    };
    line(&format!(
        "{}{colon} {clock}",
        lang.pick("the box's clock", "horloge du boîtier")
    ));
    if let Some(runtime) = &status.runtime {
        let networks = status.networks.len() as u64;
        let networks = lang.count(networks, ["network", "networks"], ["réseau", "réseaux"]);
        line(&format!("ONNX Runtime {}, {networks}", runtime.version));
    }
    if let Some(degrees) = status.temperature {
        let degrees = format!("{degrees:.1} °C");
        let degrees = lang.pick(degrees.clone(), degrees.replace('.', ","));
        line(&format!(
            "{}{colon} {degrees}",
            lang.pick("temperature", "température")
        ));
    }
    let Some(service) = &status.service else { return };
    let doing = match (service.at_work, service.resting) {
        (true, _) => lang.pick("at work", "au travail"),
        (false, true) => lang.pick(
            "at rest, the power may go",
            "au repos, l'alimentation peut être coupée",
        ),
        (false, false) => lang.pick("waiting", "en attente"),
    };
    let restarts = service.restarts.unwrap_or(0);
    let restarts = lang.count(restarts, ["restart", "restarts"], ["redémarrage", "redémarrages"]);
    line(&format!("service{colon} {doing}, {restarts}"));
}
