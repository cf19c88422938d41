//! `vigie attest`: what became of a camera's recordings of a given time, for whoever has the right to know.

use std::path::Path;

use jiff::civil::DateTime;

use super::redact::write_new;
use super::{Arguments, Exit, Failure, Lang, box_time, equipment, json_line, line};
use crate::config::{Camera, Trap};
use crate::frame::CameraTime;
use crate::trap::health::reading::database;
use crate::trap::ledger::Ledger;
use crate::trap::witness::corrected;
use crate::vault::attestation::{Answer, Attestation, Question, Reading};
use crate::vault::certificate::LIMIT;
use crate::vault::checkpoint::Checkpoint;
use crate::vault::journal::{Head, Line};
use crate::vault::{DeviceKey, signed, store};

/// What is asked on the command line.
pub struct Asked<'a> {
    pub camera: &'a str,
    pub from: DateTime,
    pub to: DateTime,
    pub out: Option<&'a Path>,
}

pub fn run(a: &Arguments, asked: &Asked<'_>, lang: Lang) -> Result<Exit, Failure> {
    let config = equipment::config(a)?;
    let camera = equipment::camera_named(&config, asked.camera)?;
    let device = DeviceKey::read(&config.device_key)?;
    let question = Question {
        camera: camera.id.to_string(),
        site: camera.site.clone(),
        from: CameraTime(asked.from),
        to: CameraTime(asked.to),
    };
    let attestation = attest(&config, camera, question, &device)?;
    let text = signed::sign(&attestation, &device).map_err(|why| cannot(&why))?;
    let page = page(&attestation);
    if let Some(out) = asked.out {
        write_new(out, text.as_bytes())?;
        write_new(&out.with_extension("txt"), page.as_bytes())?;
    }
    match a.json {
        true => json_line(&attestation),
        false => line(page.trim_end()),
    }
    if !a.json
        && let Some(out) = asked.out
    {
        line(&lang.pick(
            format!("signed: {}", out.display()),
            format!("document signé : {}", out.display()),
        ));
    }
    Ok(Exit::Done)
}

/// Reads the journal without disturbing who writes to it.
fn attest(
    config: &Trap,
    camera: &Camera,
    question: Question,
    device: &DeviceKey,
) -> Result<Attestation, Failure> {
    let Some(db) = database(&config.store)? else {
        return Err(cannot(&format!("{}: no vault is there", config.store.display())));
    };
    let read = || -> rusqlite::Result<_> {
        // Of what was pruned nothing is kept: a line about an item that is still there is never pruned.
        let pruned = Checkpoint::text(&db)?;
        let pruned = pruned.and_then(|text| Checkpoint::read(&text, device.public()).ok());
        let start = pruned.map_or(Head::empty(device.public()), |pruned| pruned.head());
        let mut reading = Reading::new(question.clone(), start);
        let mut broken = None;
        Line::each(&db, |line| {
            if broken.is_none() {
                broken = reading.line(&line).err();
            }
        })?;
        let ledger = Ledger::of(&db, &camera.id);
        let on_card = ledger.let_go_later()?.into_iter().filter(|taken| {
            let taken = taken.and_then(|taken| corrected(taken, camera.clock_correction));
            question.is_about(taken.map(|taken| [taken; 2]))
        });
        Ok((reading, broken, on_card.count() as u64))
    };
    match read().map_err(store::Error::from)? {
        (_, Some(broken), _) => Err(cannot(&broken)),
        (reading, None, on_card) => Ok(reading.attest(device.id(), box_time(), Some(on_card))),
    }
}

fn cannot(why: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Failed,
        why,
        [
            "nothing can be attested from this journal",
            "run `vigie verify` on the vault",
        ],
        [
            "rien ne peut être attesté d'après ce journal",
            "lancez « vigie verify » sur le coffre",
        ],
    )
}

/// The page that is handed out: French, whatever the language of the messages.
fn page(attestation: &Attestation) -> String {
    let moment = |time: CameraTime| time.0.strftime("%d/%m/%Y à %H h %M").to_string();
    let instant = |time: &str| match time.parse::<jiff::Timestamp>() {
        Ok(time) => time.strftime("%d/%m/%Y à %H h %M (temps universel)").to_string(),
        Err(_) => time.to_owned(),
    };
    let finding = match attestation.answer {
        Answer::Destroyed => {
            "Aucun enregistrement de cette période n'est conservé. Ceux qui ont pu être faits et sont parvenus à l'appareil ont été détruits."
        }
        Answer::HandedOver => {
            "L'appareil ne conserve aucun enregistrement de cette période. Des images masquées ont été remises au service habilité, qui en assure la conservation dans les délais annoncés."
        }
        Answer::UnderWay => {
            "Des images de cette période sont encore en cours de traitement ou de destruction : la destruction ne peut pas être attestée à cette date."
        }
        Answer::Kept => {
            "Des images de cette période sont conservées, masquées et scellées, dans les délais annoncés : elles ne sont pas détruites à cette date."
        }
    };
    let asked = &attestation.asked;
    let events = &attestation.events;
    let never = "aucun à cette date";
    let rows = [
        ("Événements écartés", events.discarded.to_string()),
        ("Événements conservés puis effacés", events.erased.to_string()),
        ("Événements remis au service", events.handed_over.to_string()),
        ("Événements conservés", events.kept.to_string()),
        (
            "Images encore sur la carte",
            attestation.on_card.unwrap_or_default().to_string(),
        ),
        (
            "Dernière suppression d'image",
            attestation
                .last_discard
                .as_deref()
                .map_or(never.to_owned(), instant),
        ),
        (
            "Premier vidage de la carte depuis",
            attestation.wiped.as_deref().map_or(never.to_owned(), instant),
        ),
        ("Ligne du journal", attestation.journal_seq.to_string()),
        ("Empreinte de cette ligne", attestation.journal_hash.to_string()),
        ("Appareil", attestation.device.to_string()),
    ];
    let mut page = format!(
        "ATTESTATION RELATIVE À LA DESTRUCTION D'ENREGISTREMENTS\n(article L.253-5 du code de la sécurité intérieure)\n\nLieu     : {}\nCaméra   : {}\nPériode  : du {} au {},\n           heure de la caméra, corrigée\nÉtablie  : le {}\n\n{}\n\n",
        asked.site,
        asked.camera,
        moment(asked.from),
        moment(asked.to),
        instant(&attestation.drawn.to_string()),
        paragraph(finding),
    );
    for (name, value) in rows {
        match value.len() {
            0..=43 => page.push_str(&format!("{name:<34} {value}\n")),
            _ => page.push_str(&format!("{name}\n  {value}\n")),
        }
    }
    page.push('\n');
    page.push_str(&paragraph(
        "Un événement dont les images ne portent pas d'heure est compté comme pouvant être de cette période. Cette attestation ne contient aucune donnée à caractère personnel.",
    ));
    page.push_str("\n\n");
    page.push_str(&paragraph(LIMIT));
    page.push('\n');
    page
}

/// In lines of at most 78 characters.
fn paragraph(text: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > 78 {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out
}
