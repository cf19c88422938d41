//! `vigie redact`: one file's people masked, the same way as in the trap.

use std::borrow::Cow;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use super::{Arguments, Exit, Failure, Lang, MaskChoice, box_time, equipment, json_line, line, read_file};
use crate::frame::Digest;
use crate::redact::manifest;
use crate::redact::mask::Runs;
use crate::redact::plan::{Occupants, Policy};
use crate::redact::{Fill, Manifest, Original};
use crate::trap::witness::{LookedAt, Site, Witness};

#[derive(serde::Serialize)]
struct Redaction<'a> {
    file: Cow<'a, str>,
    out: Cow<'a, str>,
    redaction: manifest::Redaction,
    mask: &'a Runs,
    manifest: &'a Manifest,
}

pub fn run(
    a: &Arguments,
    input: &Path,
    output: &Path,
    mask: Option<MaskChoice>,
    manifest: Option<&Path>,
    lang: Lang,
) -> Result<Exit, Failure> {
    let config = a.config.exists().then(|| equipment::config(a)).transpose()?;
    let site = match config
        .as_ref()
        .and_then(|config| Some((config, config.cameras.first()?)))
    {
        Some((config, camera)) => Site::of(config, camera),
        None => unconfigured()?,
    };
    let policy = mask.map(|mask| match mask {
        MaskChoice::Persons => Policy::Persons,
        MaskChoice::AllBut => Policy::AllBut,
    });
    let mut networks = equipment::networks(a, config.as_ref())?;
    let bytes = read_file(input).map_err(|why| Failure::file(input, &why))?;
    let witness = Witness {
        original: Original::read(&bytes)?,
        neighbours: None,
        now: box_time(),
    };
    let redacted = LookedAt::new(witness, &site, policy, &mut networks)?.redacted()?;
    write_new(output, redacted.jpeg())?;
    if let Some(path) = manifest {
        let json = serde_json::to_vec_pretty(redacted.manifest())
            .map_err(|why| Failure::file(path, &std::io::Error::other(why)))?;
        write_new(path, &json)?;
    }
    let m = redacted.manifest();
    if a.json {
        json_line(&Redaction {
            file: input.to_string_lossy(),
            out: output.to_string_lossy(),
            redaction: m.redaction,
            mask: &m.mask,
            manifest: m,
        });
    } else {
        let persons = m.found.persons.len() as u64;
        let boxes = lang.count(
            persons,
            ["person box", "person boxes"],
            ["détection de personne", "détections de personnes"],
        );
        line(&format!("{} → {}: {boxes}", input.display(), output.display()));
    }
    Ok(Exit::Done)
}

/// DESIGN §5's defaults, for a file that belongs to no configured camera.
fn unconfigured() -> Result<Site, Failure> {
    let camera = "unconfigured".parse().map_err(|why| {
        Failure::wrong_use(
            why,
            ["a name is refused", "report this"],
            ["un nom est refusé", "signalez-le"],
        )
    })?;
    Ok(Site {
        camera,
        day: Policy::Persons,
        night: Policy::AllBut,
        occupants: Occupants::Mask,
        fill: Fill::Flat,
        privacy: Vec::new(),
        waste: None,
        zone: Digest::of(b""),
        correction: 0,
    })
}

/// Writes a file that must not exist: nothing of the user's is ever written over.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    File::create_new(path)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|why| Failure::file(path, &why))
}
