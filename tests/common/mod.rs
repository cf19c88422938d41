//! A box with its keys, its configuration and a card of painted frames, in a folder of its own for each test.
//!
//! Red is a vehicle, green a person, blue a plate (`vision::painted`). The ground is noise, so that no two frames
//! share a block of bytes.

#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::AtomicBool;

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use tempfile::TempDir;
use vigie::config::Trap;
use vigie::frame::{BoxTime, CameraTime, Digest};
use vigie::jpeg::Facts;
use vigie::transfer::{out, returning};
use vigie::trap::service::Service;
use vigie::trap::{self, Listener, Outcome, Summary, Word};
use vigie::vault::keys::{Ring, office_init, trap_init};
use vigie::vault::{DeviceKey, Epoch, OfficeKey, Recipient, Store};
use vigie::vision::Detector;

/// What is painted on a frame.
#[derive(Clone, Copy, Default)]
pub struct Scene {
    pub vehicle: bool,
    pub person: bool,
    pub plate: bool,
}

pub const EMPTY: Scene = Scene {
    vehicle: false,
    person: false,
    plate: false,
};
pub const WALKER: Scene = Scene {
    person: true,
    ..EMPTY
};
pub const VAN: Scene = Scene {
    vehicle: true,
    plate: true,
    ..EMPTY
};
pub const UNLOADING: Scene = Scene { person: true, ..VAN };

/// Where the person of a [`Scene`] stands: left, top, width, height.
pub const PERSON: [u32; 4] = [208, 96, 32, 80];

/// The picture of a scene; `seed` makes it unlike any other.
pub fn picture(scene: Scene, seed: u32) -> RgbImage {
    let mut state = u64::from(seed) * 2 + 1;
    let mut picture = RgbImage::from_fn(320, 240, |_, _| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let noise = (state >> 58) as u8;
        Rgb([120 + noise, 130 + noise, 80 + noise])
    });
    let mut paint = |[left, top, width, height]: [u32; 4], colour| {
        for y in top..top + height {
            for x in left..left + width {
                picture.put_pixel(x, y, Rgb(colour));
            }
        }
    };
    if scene.vehicle {
        paint([48, 96, 128, 80], [255, 0, 0]);
    }
    if scene.plate {
        paint([80, 144, 48, 16], [0, 0, 255]);
    }
    if scene.person {
        paint(PERSON, [0, 255, 0]);
    }
    picture
}

/// A JPEG without any EXIF.
pub fn bare(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 90)
        .encode_image(picture)
        .expect("encoded");
    bytes
}

/// A frame as a camera writes it, taken at `hour` ("08:20:06") of the twentieth of October 2026.
pub fn frame(scene: Scene, hour: &str, seed: u32) -> Vec<u8> {
    with_exif(&bare(&picture(scene, seed)), hour)
}

/// The same JPEG with an EXIF segment of ours after SOI.
pub fn with_exif(jpeg: &[u8], hour: &str) -> Vec<u8> {
    let facts = Facts {
        taken: Some(taken(hour)),
        make: Some("Painter".to_owned()),
        model: Some("P-1".to_owned()),
        ..Facts::default()
    };
    with_segment(jpeg, &facts.exif())
}

/// Puts a TIFF structure into a JPEG as its EXIF segment.
pub fn with_segment(jpeg: &[u8], tiff: &[u8]) -> Vec<u8> {
    let length = u16::try_from(2 + 6 + tiff.len()).expect("one segment");
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend([0xFF, 0xE1]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(b"Exif\0\0");
    bytes.extend(tiff);
    bytes.extend(&jpeg[2..]);
    bytes
}

pub fn taken(hour: &str) -> CameraTime {
    CameraTime(format!("2026-10-20T{hour}").parse().expect("an hour"))
}

/// Noon of the day on which all frames are taken.
pub fn clock() -> BoxTime {
    BoxTime("2026-10-20T12:00:00Z".parse().expect("a time"))
}

/// A box beside a camera trap.
pub struct Rig {
    pub folder: TempDir,
    /// What the configuration says beside the obligatory: TOML lines of the top level.
    pub settings: String,
    /// The same of the camera.
    pub camera: String,
    pub mode: &'static str,
    pub choice: &'static str,
    pub models: PathBuf,
}

pub const ENFORCE: &str = "mode = \"enforce\"";
pub const TRIAL: &str = "mode = \"trial\"\ntrial_from = 2026-10-10\ntrial_until = 2026-11-01";

impl Rig {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let epoch = Epoch::new(2026, 4).expect("a quarter");
        trap_init(folder.path()).expect("new key");
        office_init(folder.path(), epoch).expect("new keys");
        fs::create_dir(folder.path().join("card")).expect("a card");
        let rig = Self {
            folder,
            settings: String::new(),
            camera: String::new(),
            mode: ENFORCE,
            choice: "irrelevant",
            models: repository().join("models"),
        };
        rig.write_config();
        rig
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn card(&self) -> PathBuf {
        self.path("card")
    }

    pub fn store(&self) -> PathBuf {
        self.path("store")
    }

    pub fn config_text(&self) -> String {
        format!(
            r#"
store = "store"
models = "{models}"
recipients = {{ service = "service-2026-Q4.pub", recovery = "recovery-2026-Q4.pub" }}
device_key = "device.key"
{mode}
{settings}
[triage]
choice = "{choice}"
decided_by = "a test"
decided_on = 2026-10-01
reason = "shows all outcomes"
[[camera]]
id = "quai"
site = "Quai des Tests"
regime = {{ kind = "videoprotection", reference = "none: a test", from = 2026-01-01, until = 2040-12-31 }}
card = "card"
zone = "all"
{camera}
"#,
            models = self.models.display(),
            choice = self.choice,
            mode = self.mode,
            settings = self.settings,
            camera = if self.camera.is_empty() {
                "access = \"mounted\""
            } else {
                &self.camera
            },
        )
    }

    /// Writes `trap.toml` for the program; the library parses the same text.
    pub fn write_config(&self) -> PathBuf {
        let path = self.path("trap.toml");
        fs::write(&path, self.config_text()).expect("written");
        path
    }

    pub fn config(&self) -> Trap {
        Trap::parse(&self.config_text(), &self.path("trap.toml")).expect("a configuration")
    }

    pub fn device(&self) -> DeviceKey {
        DeviceKey::read(&self.path("device.key")).expect("a key")
    }

    pub fn recipients(&self) -> Ring {
        vigie::trap::recipients::read(&self.config()).expect("keys")
    }

    pub fn service_key(&self) -> OfficeKey {
        OfficeKey::read(&self.path("service-2026-Q4.key")).expect("a key")
    }

    /// Writes down that the desk has shown that it opens what this box seals, as `enforce` demands before anything is
    /// erased; `cli_transfer.rs` goes the way itself. Leaves alone a box that is not fit to run: what is wrong with it
    /// is the test's own business.
    pub fn prove_keys(&self) {
        let Some((mut store, recipients)) = self.fit() else {
            return;
        };
        if !returning::proven(store.sql(), &recipients).expect("read") {
            let stick = tempfile::tempdir().expect("a folder");
            let written = out::write(&mut store, &self.device(), &recipients, stick.path(), clock());
            written.expect("a bundle");
            let known = "INSERT OR IGNORE INTO proven_key (fingerprint) VALUES (?)";
            let record = |tx: &mut vigie::vault::Tx<'_>| -> Result<(), vigie::vault::store::Error> {
                for key in &recipients {
                    tx.raw().execute(known, [key.fingerprint().to_string()])?;
                }
                Ok(())
            };
            store.transaction(record).expect("committed");
        }
        store.close(clock()).expect("closed");
    }

    fn fit(&self) -> Option<(Store, Vec<Recipient>)> {
        let config = Trap::parse(&self.config_text(), &self.path("trap.toml")).ok()?;
        let recipients = vigie::trap::recipients::read(&config)
            .ok()?
            .choose(clock())
            .recipients;
        let device = DeviceKey::read(&self.path("device.key")).ok()?;
        let links = self.store().is_symlink();
        if links {
            return None;
        }
        Some((Store::open(&self.store(), &device, clock()).ok()?, recipients))
    }

    pub fn open_store(&self) -> Store {
        if self.mode == ENFORCE {
            self.prove_keys();
        }
        Store::open(&self.store(), &self.device(), clock()).expect("a store")
    }

    /// Puts a file on the card.
    pub fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.card().join(name);
        fs::create_dir_all(path.parent().expect("on the card")).expect("a folder");
        fs::write(&path, bytes).expect("written");
        path
    }

    /// Three events: wind, a walker, a van that is unloaded; then another van.
    pub fn put_busy_card(&self) {
        for (number, (scene, hour)) in BUSY.iter().enumerate() {
            let (folder, in_folder) = if number < 9 {
                (100, number)
            } else {
                (101, number - 9)
            };
            let name = format!("DCIM/{folder}MEDIA/IMG_{:04}.JPG", in_folder + 1);
            self.put(&name, &frame(*scene, hour, number as u32));
        }
    }

    /// One scan of the card, and what it told.
    pub fn try_scan(&self, detector: &mut dyn Detector) -> (Vec<Outcome>, Result<Summary, trap::Error>) {
        let config = self.config();
        let recipients = self.recipients();
        let mut store = self.open_store();
        let mut told = Told::default();
        let result = Service {
            config: &config,
            store: &mut store,
            recipients: &recipients,
            detector,
            clock: &clock,
            stop: &AtomicBool::new(false),
        }
        .scan(&config.cameras[0], &self.card(), &mut told);
        store.close(clock()).expect("closed");
        (told.0, result)
    }

    pub fn scan(&self, detector: &mut dyn Detector) -> (Vec<Outcome>, Summary) {
        let (told, result) = self.try_scan(detector);
        (told, result.expect("a whole round"))
    }

    /// The program, with this box's configuration, in English, its working folder the box's.
    pub fn vigie(&self, arguments: &[&str]) -> Command {
        if self.mode == ENFORCE && matches!(arguments, ["scan" | "watch", ..]) {
            self.prove_keys();
        }
        let mut command = program();
        command
            .arg("--config")
            .arg(self.path("trap.toml"))
            .args(arguments)
            .current_dir(self.folder.path());
        command
    }
}

/// The frames of [`Rig::put_busy_card`].
pub const BUSY: [(Scene, &str); 11] = [
    (EMPTY, "08:00:01"),
    (EMPTY, "08:00:03"),
    (EMPTY, "08:00:05"),
    (WALKER, "08:10:01"),
    (WALKER, "08:10:03"),
    (VAN, "08:20:01"),
    (UNLOADING, "08:20:06"),
    (UNLOADING, "08:20:11"),
    (VAN, "08:20:16"),
    (UNLOADING, "09:00:01"),
    (VAN, "09:00:04"),
];

/// Remembers every outcome.
#[derive(Default)]
pub struct Told(pub Vec<Outcome>);

impl Listener for Told {
    fn begin(&mut self, _files: u64) {}
    fn step(&mut self) {}
    fn outcome(&mut self, outcome: &Outcome) {
        self.0.push(outcome.clone());
    }
}

/// The outcome of the file of this name; it must have been told exactly once.
pub fn told<'a>(outcomes: &'a [Outcome], name: &str) -> &'a Outcome {
    let mut of_it = outcomes.iter().filter(|o| o.file == Path::new(name));
    let first = of_it
        .next()
        .unwrap_or_else(|| panic!("{name} is not accounted for"));
    assert!(of_it.next().is_none(), "{name} is accounted for twice");
    first
}

pub fn count(outcomes: &[Outcome], word: Word) -> usize {
    outcomes.iter().filter(|o| o.verdict == word).count()
}

/// Every file under `folder` and its bytes, by path below it.
pub fn content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            let kind = path.symlink_metadata().expect("there").file_type();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                let bytes = fs::read(&path).expect("readable");
                found.push((path.strip_prefix(folder).expect("below").to_owned(), bytes));
            }
        }
    }
    found.sort();
    found
}

pub fn digests(files: &[(PathBuf, Vec<u8>)]) -> Vec<(PathBuf, Digest)> {
    files
        .iter()
        .map(|(path, bytes)| (path.clone(), Digest::of(bytes)))
        .collect()
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program, speaking English, knowing nothing of the surroundings of whoever runs the tests.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vigie"));
    for name in [
        "LC_ALL",
        "LC_MESSAGES",
        "VIGIE_CONFIG",
        "VIGIE_MODELS",
        "VIGIE_LOG",
    ] {
        command.env_remove(name);
    }
    command.env("LANG", "C");
    command
}

/// Whether the real networks are there; says so aloud where they are not.
pub fn networks_are_there() -> bool {
    let library =
        std::env::var_os("VIGIE_RUNTIME").map_or_else(|| repository().join("runtime"), PathBuf::from);
    let there = repository().join("models/onnx").is_dir() && library.exists();
    if !there {
        eprintln!("skipped: no networks or no runtime; run `make models runtime`");
    }
    there
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// Standard output as JSON objects, one per line; anything else fails.
pub fn json_lines(output: &Output) -> Vec<serde_json::Map<String, serde_json::Value>> {
    stdout(output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("not an object: {line:?}: {e}")))
        .collect()
}

pub fn keys(object: &serde_json::Map<String, serde_json::Value>) -> Vec<&str> {
    let mut keys: Vec<_> = object.keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}
