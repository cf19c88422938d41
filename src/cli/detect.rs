//! `vigie detect`: what the networks see, as boxes. Nothing is written, nothing is kept.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;
use serde_json::json;

use super::{Arguments, Exit, Failure, Lang, equipment, json_line, line, read_file};
use crate::jpeg::{Facts, Layout, Picture};
use crate::vision::{self, Detection, Detector as _, Light, Networks, Objects, Plate, View};

#[derive(Serialize)]
struct Detected {
    file: String,
    width: u32,
    height: u32,
    night: bool,
    #[serde(flatten)]
    objects: Objects,
    plates: Vec<Plate>,
    ms: Milliseconds,
}

/// Time per step; `index` is all from bytes to pixels.
#[derive(Serialize)]
struct Milliseconds {
    index: f64,
    scout: f64,
    guard: f64,
    plates: f64,
}

pub fn run(a: &Arguments, files: &[PathBuf], lang: Lang) -> Result<Exit, Failure> {
    let config = a.config.exists().then(|| equipment::config(a)).transpose()?;
    let mut networks = equipment::networks(a, config.as_ref())?;
    let mut exit = Exit::Done;
    for file in files {
        match detect(file, &mut networks) {
            Ok(found) if a.json => json_line(&found),
            Ok(found) => tell(lang, &found),
            Err(Trouble::File(why)) => {
                exit = Exit::InPart;
                match a.json {
                    true => json_line(&json!({"file": file.to_string_lossy(), "error": why})),
                    false => eprintln!("{}: {why}", file.display()),
                }
            }
            Err(Trouble::Networks(failure)) => return Err(failure.into()),
        }
    }
    Ok(exit)
}

enum Trouble {
    /// This file is at fault; the next may be sound.
    File(String),
    /// No file can be looked at.
    Networks(vision::Error),
}

impl From<vision::Error> for Trouble {
    fn from(error: vision::Error) -> Self {
        match error {
            vision::Error::Picture(damage) => Self::File(damage.to_string()),
            failure => Self::Networks(failure),
        }
    }
}

fn detect(file: &Path, networks: &mut Networks) -> Result<Detected, Trouble> {
    let mut clock = Instant::now();
    let mut lap = || {
        let ms = clock.elapsed().as_secs_f64() * 1e3;
        clock = Instant::now();
        (ms * 100.0).round() / 100.0
    };
    let bytes = read_file(file).map_err(|why| Trouble::File(why.to_string()))?;
    let damaged = |why: crate::jpeg::Error| Trouble::File(why.to_string());
    let layout = Layout::parse(&bytes).map_err(damaged)?;
    let facts = Facts::read(&bytes, &layout);
    let mut picture = Picture::read(&bytes, &layout, facts.orientation).map_err(damaged)?;
    let (small, frame) = (picture.reduced().map_err(damaged)?, picture.frame());
    let index = lap();
    networks.scout(View {
        picture: &small,
        frame,
    })?;
    let scout = lap();
    let objects = networks
        .guard_looks(&mut picture)?
        .distinct(&networks.manifest().listing);
    let guard = lap();
    let plates = networks.plates(&mut picture, &objects.vehicles)?;
    Ok(Detected {
        file: file.to_string_lossy().into_owned(),
        width: frame.width,
        height: frame.height,
        night: vision::light(&small) == Light::Night,
        objects,
        plates,
        ms: Milliseconds {
            index,
            scout,
            guard,
            plates: lap(),
        },
    })
}

fn tell(lang: Lang, found: &Detected) {
    let light = if found.night {
        lang.pick("night", "nuit")
    } else {
        lang.pick("day", "jour")
    };
    line(&format!(
        "{}: {} x {}, {light}",
        found.file, found.width, found.height
    ));
    // In JSON everything is told, down to the weakest box; a person wants what is probably there.
    const WORTH_TELLING: f32 = 0.2;
    let boxes = |name: &str, seen: &mut dyn Iterator<Item = (vision::geometry::Rect, f32)>| {
        for (r, score) in seen.filter(|(_, score)| *score >= WORTH_TELLING) {
            line(&format!(
                "  {name:<10} {score:.2}  {:.0},{:.0} {:.0} x {:.0}",
                r.x, r.y, r.w, r.h
            ));
        }
    };
    let plain = |d: &Detection| (d.rect, d.score);
    boxes(
        lang.pick("vehicle", "véhicule"),
        &mut found.objects.vehicles.iter().map(plain),
    );
    boxes(
        lang.pick("person", "personne"),
        &mut found.objects.persons.iter().map(plain),
    );
    boxes(
        lang.pick("plate", "plaque"),
        &mut found.plates.iter().map(|p| (p.rect, p.score)),
    );
}
