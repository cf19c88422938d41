//! A box with keys, a vault and cards of its own, in a folder that goes with it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::ToSpan as _;
use rustix::fs::Advice;
use serde_json::Value;
use tempfile::TempDir;

use super::super::{Failure, box_time};
use crate::config::{Threads, Trap};
use crate::frame::CameraTime;
use crate::trap::bench::drawn;
use crate::vault::keys::{office_init, trap_init};
use crate::vault::{DeviceKey, Epoch, Recipient, Store};

/// A box.
pub struct Rig {
    folder: TempDir,
    /// The networks' folder and the library.
    equipment: [PathBuf; 2],
    threads: Threads,
    /// The drawn frame.
    pub jpeg: Vec<u8>,
    /// To whom is sealed.
    pub recipients: Vec<Recipient>,
    /// Its own key.
    pub device: DeviceKey,
}

/// What a whole scan told.
pub struct Scanned {
    /// From its start to its first line.
    pub first: Duration,
    /// Its last line.
    pub summary: Value,
}

impl Rig {
    /// In `dir`, or where the system keeps what is not to stay.
    pub fn new(dir: Option<&Path>, equipment: [PathBuf; 2], threads: Threads) -> Result<Self, Failure> {
        let dir = dir.map_or_else(std::env::temp_dir, Path::to_owned);
        let unwritable = |why: &std::io::Error| Failure::file(&dir, why);
        let folder = tempfile::Builder::new()
            .prefix("vigie-bench-")
            .tempdir_in(&dir)
            .map_err(|why| unwritable(&why))?;
        let today = box_time().0.to_zoned(jiff::tz::TimeZone::UTC).date();
        let device = trap_init(folder.path())?;
        let office = office_init(folder.path(), Epoch::of(today)?)?;
        let [service, recovery] = [&office.service.public, &office.recovery.public];
        Ok(Self {
            recipients: vec![Recipient::read(service)?, Recipient::read(recovery)?],
            device: DeviceKey::read(&device.files.secret)?,
            jpeg: drawn::frame().map_err(|why| unwritable(&std::io::Error::other(why)))?,
            folder,
            equipment,
            threads,
        })
    }

    /// A card with so many frames, each of other bytes, none of them in memory any more.
    pub fn card(&self, name: &str, frames: u64) -> Result<PathBuf, Failure> {
        let card = self.folder.path().join(name);
        let folder = card.join("DCIM/100BENCH");
        let put = || -> std::io::Result<()> {
            fs::create_dir_all(&folder)?;
            for number in 0..frames {
                // Bursts of five, three minutes apart: a camera's day.
                let seconds = (number / 5 * 180 + number % 5 * 2) as i64;
                let taken = CameraTime(
                    jiff::civil::datetime(2026, 6, 1, 8, 0, 0, 0).saturating_add(seconds.seconds()),
                );
                let path = folder.join(format!("IMG_{:04}.JPG", number + 1));
                fs::write(&path, drawn::dated(&self.jpeg, taken))?;
                let file = File::open(&path)?;
                file.sync_all()?;
                // So that reading it is reading from the disk; a file system in memory takes no notice.
                rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?;
            }
            Ok(())
        };
        put().map_err(|why| Failure::file(&folder, &why))?;
        Ok(card)
    }

    /// The configuration of a camera whose card this is.
    pub fn config(&self, card: &Path, triage: &str) -> Result<Trap, Failure> {
        let (path, text) = (
            self.folder.path().join("trap.toml"),
            self.config_text(card, triage),
        );
        fs::write(&path, &text).map_err(|why| Failure::file(&path, &why))?;
        Ok(Trap::parse(&text, &path)?)
    }

    fn config_text(&self, card: &Path, triage: &str) -> String {
        let today = box_time().0.to_zoned(jiff::tz::TimeZone::UTC).date();
        let until = today.saturating_add(7.days());
        // A JSON string is a TOML one.
        let quoted = |path: &Path| Value::from(path.to_string_lossy()).to_string();
        format!(
            r#"
store = {store}
models = {models}
recipients = {{ service = {service}, recovery = {recovery} }}
device_key = "device.key"
mode = "trial"
trial_from = {today}
trial_until = {until}
threads = {threads}
[triage]
choice = "{triage}"
decided_by = "vigie bench"
decided_on = {today}
reason = "vigie bench"
[[camera]]
id = "bench"
site = "vigie bench"
regime = {{ kind = "videoprotection", reference = "vigie bench", from = {today}, until = {until} }}
card = {card}
access = "mounted"
zone = "all"
"#,
            store = quoted(&card.with_extension("vault")),
            models = quoted(&self.equipment[0]),
            service = quoted(self.recipients_files()[0].as_path()),
            recovery = quoted(self.recipients_files()[1].as_path()),
            threads = self.threads.alone(),
            card = quoted(card),
        )
    }

    fn recipients_files(&self) -> [PathBuf; 2] {
        ["service", "recovery"].map(|role| {
            let epoch = self.recipients[0].epoch();
            self.folder.path().join(format!("{role}-{epoch}.pub"))
        })
    }

    /// A vault of its own.
    pub fn store(&self, name: &str) -> Result<Store, Failure> {
        Ok(Store::open(
            &self.folder.path().join(name),
            &self.device,
            box_time(),
        )?)
    }

    /// This program, asked for its version: how long it takes to begin.
    pub fn start(&self) -> Result<Duration, Failure> {
        let began = Instant::now();
        let program = program()?;
        let ended = Command::new(&program)
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        ended.map_err(|why| Failure::file(&program, &why))?;
        Ok(began.elapsed())
    }

    /// This program, scanning a card.
    pub fn scan(&self, card: &Path, triage: &str) -> Result<Scanned, Failure> {
        let config = self.config(card, triage)?.file;
        let program = program()?;
        let told = || -> std::io::Result<Scanned> {
            let began = Instant::now();
            let mut scan = Command::new(&program)
                .arg("--config")
                .arg(config)
                .arg("--models")
                .arg(&self.equipment[0])
                .arg("--runtime")
                .arg(&self.equipment[1])
                .args(["scan", "--json"])
                .arg(card)
                .stdout(Stdio::piped())
                .spawn()?;
            let out = scan.stdout.take().map(BufReader::new);
            let (mut first, mut last) = (None, String::new());
            for line in out.into_iter().flat_map(BufReader::lines) {
                last = line?;
                first.get_or_insert_with(|| began.elapsed());
            }
            let ended = scan.wait()?;
            let summary = serde_json::from_str::<Value>(&last).unwrap_or_default()["summary"].take();
            match (first, summary.is_object()) {
                (Some(first), true) => Ok(Scanned { first, summary }),
                _ => Err(std::io::Error::other(format!("the scan ended with {ended}"))),
            }
        };
        told().map_err(|why| Failure::file(&program, &why))
    }
}

fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|why| Failure::file(Path::new("vigie"), &why))
}
