//! What a scan or watch says while it works: a progress bar on a terminal, one JSON line per file, or one line for
//! each file that needs a person.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{Exit, Lang, json_line, line};
use crate::trap::{Listener, Outcome, Summary, Word};

/// Tells outcomes as they come.
pub struct Reporter {
    json: bool,
    lang: Lang,
    bar: Option<ProgressBar>,
    /// For a watch: each file is told, not only those that need a person.
    each: bool,
    left: u64,
    /// Files that lay on the cards.
    listed: u64,
}

impl Reporter {
    /// For one pass over a card.
    pub fn once(json: bool, lang: Lang) -> Self {
        let bar = (!json && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::no_length();
            // The template is a constant; were it refused, indicatif's own would do.
            if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len}  {per_sec}  {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self {
            json,
            lang,
            bar,
            each: false,
            left: 0,
            listed: 0,
        }
    }

    /// For pass after pass over the same cards; it is told news alone (`trap::attendance`).
    pub fn again_and_again(json: bool, lang: Lang) -> Self {
        Self {
            json,
            lang,
            bar: None,
            each: true,
            left: 0,
            listed: 0,
        }
    }

    /// Tells the summary; what was left on the card, or not reached, makes the difference between done and done in
    /// part.
    pub fn end(self, summary: &Summary) -> Exit {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if self.json {
            json_line(&json!({ "summary": summary }));
        } else {
            tell(self.lang, summary);
        }
        let stopped = summary.files < self.listed;
        if stopped || self.left > 0 || summary.held > 0 || summary.not_erased > 0 {
            Exit::InPart
        } else {
            Exit::Done
        }
    }
}

impl Listener for Reporter {
    fn begin(&mut self, files: u64) {
        self.listed += files;
        if let Some(bar) = &self.bar {
            bar.set_length(files);
            bar.set_message(self.lang.pick("frames", "images"));
        }
    }

    fn step(&mut self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    fn outcome(&mut self, outcome: &Outcome) {
        let concerning = outcome.verdict == Word::Left && outcome.reason != "video";
        self.left += u64::from(concerning);
        if self.json {
            json_line(outcome);
        } else if concerning || self.each {
            let text = format!("{}: {}", outcome.file.display(), spoken(self.lang, outcome));
            match &self.bar {
                Some(bar) => bar.println(text),
                None => line(&text),
            }
        }
    }
}

fn spoken(lang: Lang, outcome: &Outcome) -> String {
    let verdict = match outcome.verdict {
        Word::Keep => lang.pick("kept", "retenue"),
        Word::Discard => lang.pick("discarded", "écartée"),
        Word::Held => lang.pick("waits on the card", "en attente sur la carte"),
        Word::Left => lang.pick("left on the card", "laissée sur la carte"),
    };
    format!("{verdict} ({})", reason(lang, &outcome.reason))
}

/// A reason of docs/commands.md, in words.
fn reason(lang: Lang, word: &str) -> &str {
    let (english, french) = match word {
        "stuck" => (
            "the program was ended over it; not tried again",
            "le programme a été interrompu sur ce fichier ; il n'est plus traité",
        ),
        "vehicle-in-zone" => ("a vehicle in the zone", "un véhicule dans la zone"),
        "unsure" => ("in doubt", "dans le doute"),
        "manual" => ("manual sorting", "tri manuel"),
        "not-empty" => ("not empty", "non vide"),
        "follows-event" => ("follows its event", "suit son événement"),
        "not-a-witness" => (
            "others stand for its event",
            "d'autres images représentent l'événement",
        ),
        "empty" => ("empty", "vide"),
        "walker-alone" => ("a walker without a vehicle", "un piéton sans véhicule"),
        "vehicle-outside-zone" => ("vehicles outside the zone", "véhicules hors de la zone"),
        "parked" => ("parked vehicles", "véhicules en stationnement"),
        "video" => ("a video", "une vidéo"),
        "max-age" => (
            "too old to stay on the card",
            "trop ancienne pour rester sur la carte",
        ),
        "event-open" => ("its event is still open", "événement en cours"),
        "network-failed" => ("a network failed", "un réseau de neurones a échoué"),
        "redaction-failed" => ("its redaction failed", "le masquage a échoué"),
        "not-settled" => ("still being written", "en cours d'écriture"),
        "empty-file" => ("0 bytes", "0 octet"),
        "not-jpeg" => ("not a JPEG", "pas un JPEG"),
        "truncated" => ("cut off", "tronquée"),
        "corrupt" => ("damaged", "endommagée"),
        "too-large" => ("too large", "trop grande"),
        "unsupported" => (
            "a kind of JPEG that is not supported",
            "type de JPEG non pris en charge",
        ),
        "unreadable" => ("cannot be read", "illisible"),
        "link" => ("a link, never followed", "un lien, jamais suivi"),
        "not-a-file" => ("not a regular file", "pas un fichier ordinaire"),
        other => (other, other),
    };
    lang.pick(english, french)
}

fn tell(lang: Lang, s: &Summary) {
    let files = |n| lang.count(n, ["file", "files"], ["fichier", "fichiers"]);
    let frames = |n| lang.count(n, ["frame", "frames"], ["image", "images"]);
    let events = |n| lang.count(n, ["event", "events"], ["événement", "événements"]);
    let colon = lang.pick(":", " :");
    line(&format!(
        "{}{colon} {}",
        lang.pick("on the card", "sur la carte"),
        files(s.files)
    ));
    let row = |english: &str, french: &str, value: String| {
        line(&format!("  {:<26}{value}", lang.pick(english, french)));
    };
    row(
        "kept and sealed",
        "retenues et scellées",
        format!("{} ({})", frames(s.kept), events(s.events_sealed)),
    );
    row("discarded", "écartées", files(s.discarded));
    row("left on the card", "laissés sur la carte", files(s.left));
    if s.held > 0 {
        row("waiting on the card", "en attente sur la carte", frames(s.held));
    }
    if s.others > 0 {
        row("not touched", "non touchés", files(s.others));
    }
    row("erased from the card", "effacés de la carte", files(s.erased));
    if s.aged > 0 {
        row("of these, too old", "dont trop anciens", files(s.aged));
    }
    if s.not_erased > 0 {
        row(
            "could not be erased",
            "effacement impossible",
            files(s.not_erased),
        );
    }
    if s.unexpected_camera > 0 {
        row(
            "of an unexpected camera",
            "d'un appareil inattendu",
            frames(s.unexpected_camera),
        );
    }
    let memory = s.peak_memory_mb.map_or(String::new(), |mb| {
        let mb = number(lang, mb, 0);
        lang.pick(
            format!(", peak memory {mb} MB"),
            format!(", mémoire maximale {mb} Mo"),
        )
    });
    let speed = number(lang, s.frames_per_second, 1);
    let seconds = number(lang, s.seconds, 1);
    line(&lang.pick(
        format!(
            "looked at {} in {seconds} s: {speed} frames/s{memory}",
            frames(s.looked_at)
        ),
        format!(
            "{} examinées en {seconds} s : {speed} images/s{memory}",
            frames(s.looked_at)
        ),
    ));
    if s.trial {
        line(lang.pick(
            "TRIAL MODE: nothing was erased. Set mode = \"enforce\" before the trial ends.",
            "MODE ESSAI : rien n'a été effacé. Passez à mode = \"enforce\" avant la fin de l'essai.",
        ));
    }
    if s.no_return_file {
        line(lang.pick(
            "FRAMES STAY ON THE CARD: the service has not shown yet that it opens what this box sealed. Carry a bundle there with `vigie transfer out DIR`, and its return file back the same way.",
            "DES IMAGES RESTENT SUR LA CARTE : le service n'a pas encore montré qu'il ouvre ce que ce boîtier a scellé. Portez-lui un lot avec « vigie transfer out DOSSIER », et rapportez son fichier de retour de la même façon.",
        ));
    }
}

/// A number with the language's decimal mark.
fn number(lang: Lang, value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    lang.pick(text.clone(), text.replace('.', ","))
}
