//! A box that is enrolled at a desk, and the bundles that it writes: drawn frames, redacted as any box redacts them.
#![allow(dead_code, reason = "each test file uses its part of the kit")]

use std::fs;
use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use serde_json::json;
use tempfile::TempDir;
use vigie::desk::rights::Role;
use vigie::frame::{BoxTime, CameraId, CameraTime, Digest, EventId};
use vigie::jpeg::Facts;
use vigie::redact::{
    Context, Evidence, Fill, Occupants, Original, Person, Plan, Policy, Redacted, Rules, Seen, redact,
};
use vigie::transfer::out;
use vigie::vault::keys::trap_init;
use vigie::vault::seal::Sealed;
use vigie::vault::{DeviceKey, EventSealer, Recipient, Store};
use vigie::vision::geometry::Rect;
use vigie::vision::{Detection, Plate};

use super::desk_kit::{Browser, Page, Rig, time};

/// What stands in a drawn frame, in its own pixels.
#[derive(Clone, Default)]
pub struct Shot {
    /// `2026-11-21T22:15:03`, by the camera's clock.
    pub taken: Option<&'static str>,
    pub night: bool,
    pub persons: Vec<[f32; 4]>,
    pub plates: Vec<[f32; 4]>,
    pub orientation: u16,
}

impl Shot {
    pub fn at(taken: &'static str) -> Self {
        Self {
            taken: Some(taken),
            persons: vec![[40.0, 60.0, 40.0, 120.0]],
            plates: vec![[200.0, 180.0, 48.0, 16.0]],
            orientation: 1,
            ..Self::default()
        }
    }

    pub fn with_plates(mut self, plates: &[[f32; 4]]) -> Self {
        self.plates = plates.to_vec();
        self
    }

    fn camera_time(&self) -> Option<CameraTime> {
        self.taken
            .map(|taken| CameraTime(taken.parse().expect("a date and an hour")))
    }
}

pub const WIDTH: u16 = 320;
pub const HEIGHT: u16 = 240;

/// The colour of a plate's letters: nothing else in a frame is like it.
pub const LETTERS: Rgb<u8> = Rgb([250, 20, 20]);

/// What a camera would have written.
pub fn camera_file(shot: &Shot, seed: u32) -> Vec<u8> {
    let mut picture = RgbImage::from_fn(WIDTH.into(), HEIGHT.into(), |x, y| {
        let grain = (x * 7919 + y * 104_729 + seed * 31) % 41;
        let grey = (if shot.night { 30 } else { 130 } + grain / 2) as u8;
        match shot.night {
            true => Rgb([grey; 3]),
            false => Rgb([grey, grey.saturating_add(20), grey.saturating_add((x / 8) as u8)]),
        }
    });
    for plate in &shot.plates {
        let [x, y, w, h] = plate.map(|side| side as u32);
        for (dx, dy) in (0..h).flat_map(|dy| (0..w).map(move |dx| (dx, dy))) {
            let letter = dx / 4 % 2 == 0;
            picture.put_pixel(x + dx, y + dy, if letter { LETTERS } else { Rgb([240; 3]) });
        }
    }
    let facts = Facts {
        orientation: shot.orientation.max(1).try_into().expect("1 to 8"),
        taken: shot.camera_time(),
        ..Facts::default()
    };
    let exif = [&b"Exif\0\0"[..], &facts.exif()].concat();
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, 90);
    encoder.set_sampling_factor(SamplingFactor::F_2_1);
    encoder.add_app_segment(1, exif).expect("a segment");
    encoder
        .encode(&picture, WIDTH, HEIGHT, ColorType::Rgb)
        .expect("encoded");
    jpeg
}

pub fn redacted(shot: &Shot, seed: u32, correction: i64, now: BoxTime) -> Redacted {
    let file = camera_file(shot, seed);
    let original = Original::read(&file).expect("sound");
    let seen = |rect: &[f32; 4]| Detection {
        rect: (*rect).into(),
        score: 0.6,
    };
    let plate = |rect: &[f32; 4]| {
        let found: Rect = (*rect).into();
        let (right, bottom) = (found.right(), found.bottom());
        Plate {
            rect: found,
            score: 0.7,
            corners: [
                [found.x, found.y],
                [right, found.y],
                [right, bottom],
                [found.x, bottom],
            ],
        }
    };
    let evidence = Seen {
        persons: shot
            .persons
            .iter()
            .map(|rect| Person {
                seen: seen(rect),
                silhouette: None,
            })
            .collect(),
        vehicles: vec![seen(&[120.0, 90.0, 180.0, 120.0])],
        plates: shot.plates.iter().map(plate).collect(),
        neighbours: Vec::new(),
    };
    let rules = Rules {
        policy: Policy::Persons,
        occupants: Occupants::Leave,
        privacy: &[],
        waste: None,
    };
    let context = Context {
        camera: camera(),
        now,
        correction,
        networks: Vec::new(),
        zone: Digest::of(b"zone"),
    };
    let plan = Plan::new(original.canvas(), &rules, &Evidence::Seen(evidence));
    redact(&original, &plan, Fill::Flat, &context).expect("redacted")
}

pub fn camera() -> CameraId {
    "demo".parse().expect("plain")
}

pub fn event(nth: u32) -> EventId {
    let mut id = [0xE0; 8];
    id[4..].copy_from_slice(&nth.to_be_bytes());
    EventId::from_bytes(id)
}

/// A box beside the desk.
pub struct TrapBox {
    pub folder: TempDir,
    pub device: DeviceKey,
    recipients: Vec<Recipient>,
    pub correction: i64,
}

impl TrapBox {
    /// A new one, enrolled at the desk in `desk`, sealing to its office's keys.
    pub fn enrolled(desk: &Path) -> Self {
        Self::sealing_to(desk, ["service-2026-Q4.pub", "recovery-2026-Q4.pub"])
    }

    /// The same, sealing to these.
    pub fn sealing_to(desk: &Path, names: [&str; 2]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let made = trap_init(folder.path()).expect("a new key");
        fs::create_dir_all(desk.join("traps")).expect("a folder");
        let enrolled = desk
            .join("traps")
            .join(made.files.public.file_name().expect("a name"));
        fs::copy(&made.files.public, enrolled).expect("enrolled");
        let recipient = |name: &str| Recipient::read(&desk.join("keys").join(name)).expect("a key");
        Self {
            device: DeviceKey::read(&made.files.secret).expect("just made"),
            recipients: names.map(recipient).into(),
            folder,
            correction: 0,
        }
    }

    pub fn store(&self) -> Store {
        let now = time("2026-11-21T06:00:00Z");
        Store::open(&self.folder.path().join("store"), &self.device, now).expect("a store")
    }

    /// Seals an event of these frames, which the box first saw at `arrived`.
    pub fn seal(&self, store: &mut Store, id: EventId, shots: &[Shot], arrived: &str) {
        let arrived = time(arrived);
        let frames = (0..).zip(shots);
        let frames: Vec<Redacted> = frames
            .map(|(seed, shot)| redacted(shot, seed, self.correction, arrived))
            .collect();
        self.seal_redacted(store, id, shots, &frames, arrived);
    }

    /// The same with frames that are redacted already.
    pub fn seal_redacted(
        &self,
        store: &mut Store,
        id: EventId,
        shots: &[Shot],
        redacted: &[Redacted],
        arrived: BoxTime,
    ) {
        let mut sealer = self.sealer(id);
        let mut sealed = Vec::new();
        for frame in redacted {
            sealed.extend(sealer.seal_frame(frame).expect("sealed"));
        }
        let frames = shots.iter().map(|shot| {
            json!({
                "frame": Digest::of(b"a frame"),
                "name": "IMG_0001.JPG",
                "taken": shot.camera_time(),
                "arrived": arrived,
                "light": if shot.night { "night" } else { "day" },
            })
        });
        let record = json!({
            "record": 1,
            "event": id,
            "site": "Quai Nord, face au 12",
            "regime": {"kind": "videoprotection", "reference": "arrêté n° 2026-0412", "from": "2026-01-01", "until": "2031-08-31"},
            "frames": frames.collect::<Vec<_>>(),
        });
        sealed.push(sealer.seal_record(&record).expect("sealed"));
        self.keep(store, sealed, arrived);
    }

    /// Seals to the desk's office as one event.
    pub fn sealer(&self, id: EventId) -> EventSealer {
        EventSealer::new(self.device.id(), id, &self.recipients).expect("a sealer")
    }

    /// Keeps what was sealed.
    pub fn keep(&self, store: &mut Store, sealed: Vec<Sealed>, arrived: BoxTime) {
        let staged: Vec<_> = sealed
            .into_iter()
            .map(|sealed| store.stage(sealed).expect("staged"))
            .collect();
        store
            .transaction(|tx| {
                staged
                    .into_iter()
                    .try_for_each(|staged| tx.insert_item(arrived, staged))
            })
            .expect("committed");
    }

    /// Writes what it has onto a stick.
    pub fn bundle(&self, store: &mut Store, stick: &Path) -> PathBuf {
        let now = time("2026-11-22T08:00:00Z");
        let written = out::write(store, &self.device, &self.recipients, stick, now).expect("written");
        stick.join(written.name.to_string())
    }
}

/// A desk with an enrolled box and a stick that its configuration allows.
pub struct Service {
    pub rig: Rig,
    pub trap: TrapBox,
    pub stick: TempDir,
}

impl Service {
    pub fn new() -> Self {
        Self::with(|text| text)
    }

    pub fn with(change: impl FnOnce(String) -> String) -> Self {
        let stick = tempfile::tempdir().expect("a folder");
        let mut trap = None;
        let allowed = format!("sticks = [{:?}]", stick.path().display().to_string());
        let rig = Rig::prepared(
            |folder| {
                trap = Some(TrapBox::enrolled(folder));
                // As on any desk that is served: the secret keys lie in no file, they are its users'.
                for name in ["service-2026-Q4.key", "recovery-2026-Q4.key"] {
                    fs::remove_file(folder.join("keys").join(name)).expect("a secret key");
                }
            },
            |text| {
                let line = text.lines().find(|line| line.starts_with("sticks = "));
                let line = line.expect("the example says it").to_owned();
                change(text.replace(&line, &allowed))
            },
        );
        Self {
            rig,
            trap: trap.expect("enrolled"),
            stick,
        }
    }

    /// An agent of that number.
    pub fn agent(&self, nth: u8) -> Browser {
        self.rig.browser(Role::Agent, &account(nth))
    }

    /// Seals these events, writes the bundle, and takes it in as an agent does.
    pub fn bring(&self, events: &[(EventId, Vec<Shot>)]) {
        let mut store = self.trap.store();
        for (id, shots) in events {
            self.trap.seal(&mut store, *id, shots, "2026-11-22T06:00:00Z");
        }
        self.trap.bundle(&mut store, self.stick.path());
        let page = self.import();
        assert!(page.contains("Lot vérifié et pris"), "{page}");
    }

    /// Imports what lies on the stick; the page when it is over.
    pub fn import(&self) -> String {
        let mut agent = self.agent(0xF0);
        let folder = self.stick.path().display().to_string();
        agent
            .post("/import", &[("dossier", &folder)])
            .expect(axum::http::StatusCode::SEE_OTHER);
        self.rig.app.importing.finish();
        agent.get("/import/suivi").text()
    }

    /// One column of one row of the desk's database.
    pub fn sql<T: rusqlite::types::FromSql>(&self, query: &str) -> T {
        let office = self.rig.app.office.lock().expect("the desk");
        let row = office.desk.store.sql().query_row(query, [], |row| row.get(0));
        row.expect(query)
    }

    /// The bodies of the journal's lines of one kind.
    pub fn lines(&self, kind: &str) -> Vec<serde_json::Value> {
        let office = self.rig.app.office.lock().expect("the desk");
        let sql = office.desk.store.sql();
        let mut query = sql
            .prepare("SELECT body FROM journal WHERE kind = ? ORDER BY seq")
            .expect("sound");
        let rows = query
            .query_map([kind], |row| row.get::<_, String>(0))
            .expect("read");
        rows.map(|body| serde_json::from_str(&body.expect("text")).expect("JSON"))
            .collect()
    }

    /// The names of the items that lie in the desk's store.
    pub fn items(&self) -> Vec<String> {
        let folder = self.rig.folder.path().join("store/items");
        let mut names: Vec<_> = fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    pub fn state(&self, id: EventId) -> String {
        self.sql(&format!("SELECT state FROM event WHERE id = '{id}'"))
    }

    pub fn version(&self, id: EventId) -> u32 {
        self.sql(&format!("SELECT version FROM event WHERE id = '{id}'"))
    }
}

/// An opaque account of that number.
pub fn account(nth: u8) -> String {
    format!("{nth:016x}")
}

/// Opens an event for review.
pub fn open(browser: &mut Browser, id: EventId) {
    browser
        .post(&format!("/evenement/{id}/ouvrir"), &[("motif", "review")])
        .expect(axum::http::StatusCode::SEE_OTHER);
}

/// Looks at one picture at full size.
pub fn look(browser: &mut Browser, id: EventId, place: u32) -> Page {
    browser
        .get(&format!("/evenement/{id}/image/{place}"))
        .expect(axum::http::StatusCode::OK)
}
