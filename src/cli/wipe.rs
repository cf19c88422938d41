//! `vigie wipe`: one whole card, on purpose.

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::{Arguments, Exit, Failure, Lang, box_time, equipment, json_line, line, scan, stop_on_signals};
use crate::card::wipe::{Phase, Progress};
use crate::frame::CameraId;
use crate::trap::service::Service;
use crate::trap::terms;
use crate::trap::wiping::{self, Plan, Wiped};
use crate::vault::certificate::Reason;

/// What a wipe did.
#[derive(Serialize)]
struct Done<'a> {
    card: &'a Path,
    camera: &'a CameraId,
    number: &'a str,
    whole: bool,
    files: u64,
    bytes: u64,
    filled_bytes: u64,
    blocks_read: u64,
    blocks_different: u64,
    blocks_unread: u64,
    discard_passed_on: bool,
    late_seconds: u64,
    certificate: std::path::PathBuf,
}

/// Counts what lies on the card, and says whether it may be wiped; touches nothing.
pub fn plan(a: &Arguments, card: &Path, camera: Option<&str>, lang: Lang) -> Result<Exit, Failure> {
    let config = equipment::config(a)?;
    let camera = scan::which(&config, card, camera)?;
    let plan = wiping::plan(&config, camera, card)?;
    if a.json {
        json_line(&plan);
    } else {
        tell_plan(&plan, lang);
    }
    Ok(Exit::Done)
}

fn tell_plan(plan: &Plan, lang: Lang) {
    let colon = lang.pick(":", " :");
    line(&format!(
        "{}{colon} {}, {}",
        plan.card.display(),
        plan.camera,
        plan.file_system
    ));
    let row = |english, french, value: String| line(&format!("  {:<34}{value}", lang.pick(english, french)));
    row(
        "photographs, processed first",
        "photographies, traitées d'abord",
        plan.frames.to_string(),
    );
    row("videos", "vidéos", plan.videos.to_string());
    row("other files", "autres fichiers", plan.others.to_string());
    row(
        "links and the like",
        "liens et objets spéciaux",
        plan.links.to_string(),
    );
    row("overwritten", "à réécrire", octets(lang, plan.bytes));
    row(
        "free, filled after that",
        "libres, à remplir ensuite",
        octets(lang, plan.free_bytes),
    );
    line(lang.pick(
        "nothing was touched; --yes wipes the card",
        "rien n'a été touché ; --yes vide la carte",
    ));
}

/// Wipes the card.
pub fn wipe(
    a: &Arguments,
    card: &Path,
    camera: Option<&str>,
    out: Option<&Path>,
    lang: Lang,
) -> Result<Exit, Failure> {
    let config = equipment::config(a)?;
    let camera = scan::which(&config, card, camera)?;
    // Refused before anything is loaded or made.
    drop(wiping::open(&config, card)?);
    if let Some(out) = out {
        std::fs::create_dir_all(out).map_err(|why| Failure::file(out, &why))?;
    }
    let mut networks = equipment::networks_of_rounds(a, &config)?;
    networks.check()?;
    let (mut store, recipients) = equipment::vault(&config, Some(card))?;
    let stop = stop_on_signals();
    let mut bar = Bar::new(a.json, lang);
    let looked = terms::look(&mut store, box_time(), Duration::ZERO);
    let done = looked.and_then(|_| {
        let mut service = Service {
            config: &config,
            store: &mut store,
            recipients: &recipients,
            detector: &mut networks,
            clock: &box_time,
            stop: &stop,
        };
        service.wipe(camera, card, Reason::Asked, &mut bar)
    });
    bar.end();
    let folder = store.dir().join(crate::vault::store::CERTIFICATES);
    store.close(box_time())?;
    let done = done?;
    for (name, content) in done.filed.files() {
        if let Some(out) = out {
            let path = out.join(name);
            std::fs::write(&path, content).map_err(|why| Failure::file(&path, &why))?;
        }
    }
    tell(a.json, card, out.unwrap_or(&folder), &done, lang);
    Ok(match done.wipe.is_whole() {
        true => Exit::Done,
        false => Exit::InPart,
    })
}

fn tell(json: bool, card: &Path, folder: &Path, done: &Wiped, lang: Lang) {
    let wipe = &done.wipe;
    let (files, fill) = (&wipe.files, &wipe.fill);
    let said = Done {
        card,
        camera: &done.certificate.camera,
        number: &done.filed.number,
        whole: wipe.is_whole(),
        files: files.frames + files.videos + files.others,
        bytes: files.bytes,
        filled_bytes: fill.bytes,
        blocks_read: fill.blocks_read,
        blocks_different: fill.blocks_different,
        blocks_unread: fill.blocks_unread,
        discard_passed_on: wipe.discard_passed_on,
        late_seconds: done.certificate.late_seconds,
        certificate: folder.join(format!("{}.json", done.filed.number)),
    };
    if json {
        return json_line(&said);
    }
    let count = lang.count(said.files, ["file", "files"], ["fichier", "fichiers"]);
    let (bytes, filled) = (octets(lang, said.bytes), octets(lang, said.filled_bytes));
    line(&lang.pick(
        format!("overwritten and removed: {count}, {bytes}"),
        format!("réécrits et supprimés : {count}, {bytes}"),
    ));
    line(&lang.pick(
        format!("free space filled and read back: {filled}"),
        format!("espace libre rempli et relu : {filled}"),
    ));
    if !said.whole {
        line(lang.pick(
            "! IN PART: the card could not be wiped whole; take it out of service and destroy it",
            "! VIDAGE PARTIEL : la carte n'a pu être vidée entièrement ; retirez-la et détruisez-la",
        ));
    }
    line(&format!(
        "{} {}",
        lang.pick("certificate:", "certificat :"),
        said.certificate.display()
    ));
}

fn octets(lang: Lang, bytes: u64) -> String {
    lang.count(bytes, ["byte", "bytes"], ["octet", "octets"])
}

/// A progress bar on a terminal, nothing elsewhere.
struct Bar {
    lang: Lang,
    bar: Option<ProgressBar>,
}

impl Bar {
    fn new(json: bool, lang: Lang) -> Self {
        let bar = (!json && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::no_length();
            // The template is a constant; were it refused, indicatif's own would do.
            if let Ok(style) = ProgressStyle::with_template("{bar:32} {bytes}/{total_bytes}  {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { lang, bar }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Bar {
    fn begin(&mut self, phase: Phase, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(0);
            bar.set_length(bytes);
            bar.set_message(match phase {
                Phase::Files => self.lang.pick("files", "fichiers"),
                Phase::Fill => self.lang.pick("free space", "espace libre"),
                Phase::ReadBack => self.lang.pick("read back", "relecture"),
            });
        }
    }

    fn advance(&mut self, bytes: u64) -> bool {
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
        true
    }
}
