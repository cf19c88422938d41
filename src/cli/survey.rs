//! `vigie survey`: the report on a new site that an agent signs before anything is erased there.

use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::{Arguments, Exit, Failure, Lang, box_time, equipment, json_line, line, scan};
use crate::card::Card;
use crate::trap::survey::{Survey, page};

pub fn run(
    a: &Arguments,
    card: &Path,
    camera: Option<&str>,
    out: Option<&Path>,
    at_most: usize,
    lang: Lang,
) -> Result<Exit, Failure> {
    let config = equipment::config(a)?;
    let camera = scan::which(&config, card, camera)?;
    let page_file = out.map_or_else(
        || PathBuf::from(format!("releve-{}.html", camera.id)),
        Path::to_owned,
    );
    refuse_on_card(&page_file, card)?;
    let mut networks = equipment::networks(a, Some(&config))?;
    networks.check()?;
    let card = Card::open(card)?;
    let bar = (!a.json).then(ProgressBar::no_length);
    let mut tick = |all: usize| {
        let Some(bar) = &bar else { return };
        if bar.length() != Some(all as u64) {
            bar.set_length(all as u64);
            bar.set_position(0);
        }
        bar.inc(1);
    };
    let found = Survey {
        config: &config,
        camera,
        card: &card,
        detector: &mut networks,
        now: box_time(),
        at_most,
    }
    .run(&mut tick)?;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    write_new(&page_file, &page::page(&found)).map_err(|why| Failure::file(&page_file, &why))?;
    if a.json {
        let mut told = json!(found);
        told["page"] = Value::from(page_file.to_string_lossy());
        json_line(&told);
    } else {
        let discarded: usize = found.discarded.values().sum();
        let frames = |n: usize| lang.count(n as u64, ["frame", "frames"], ["image", "images"]);
        line(&format!(
            "{}: {} {}, {} {}; {}",
            camera.id,
            frames(found.kept),
            lang.pick("would be kept", "à garder"),
            frames(discarded),
            lang.pick("discarded", "à écarter"),
            page_file.display(),
        ));
    }
    let whole = found.beyond == 0 && found.left.is_empty();
    Ok(if whole { Exit::Done } else { Exit::InPart })
}

/// Nothing is ever added to a card.
fn refuse_on_card(page: &Path, card: &Path) -> Result<(), Failure> {
    let folder = page.parent().filter(|folder| !folder.as_os_str().is_empty());
    let whole = |path: &Path| path.canonicalize().map_err(|why| Failure::file(path, &why));
    if !whole(folder.unwrap_or(Path::new(".")))?.starts_with(whole(card)?) {
        return Ok(());
    }
    Err(Failure::wrong_use(
        page.display(),
        [
            "the report would lie on the card",
            "name another place with --out",
        ],
        [
            "le relevé serait écrit sur la carte",
            "indiquez un autre endroit avec --out",
        ],
    ))
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    std::fs::File::create_new(path)?.write_all(text.as_bytes())
}
