//! A made-up case: pictures that are drawn here, redacted as the box does it, and a report about them.
#![allow(dead_code, reason = "each test file uses its part of the kit")]

use std::io::{Cursor, Read as _, Write as _};

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use jiff::civil::{DateTime, date};
use vigie::frame::{BoxTime, Digest};
use vigie::redact::{
    Context, Evidence, Fill, Manifest, Occupants, Original, Person, Plan, Policy, Rules, Seen, redact,
};
use vigie::report::approval::{Approved, Chosen, Request};
use vigie::report::package::{self, Package, Parts};
use vigie::report::*;
use vigie::vault::keys::desk_init;
use vigie::vault::{DeviceKey, Entry, Kind, Store};
use vigie::verify;
use vigie::vision::Detection;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

pub fn time(text: &str) -> BoxTime {
    BoxTime(text.parse().expect("a time"))
}

pub fn desk_key() -> DeviceKey {
    let folder = tempfile::tempdir().expect("a folder");
    let made = desk_init(folder.path()).expect("a key");
    DeviceKey::read_desk(&made.files.secret).expect("just made")
}

/// A redacted frame with its manifest as it is stored.
#[derive(Clone)]
pub struct Frame {
    pub number: u32,
    pub jpeg: Vec<u8>,
    pub manifest: Vec<u8>,
}

impl Frame {
    pub fn digest(&self) -> Digest {
        Digest::of(&self.jpeg)
    }

    pub fn read(&self) -> Manifest {
        Manifest::from_json(&self.manifest).expect("a manifest")
    }
}

type Colour = [u8; 3];

fn fill(picture: &mut RgbImage, [x, y, width, height]: [u32; 4], colour: Colour) {
    for row in y..(y + height).min(picture.height()) {
        for column in x..(x + width).min(picture.width()) {
            let grain = ((column * 7919 + row * 104_729) % 9) as i16 - 4;
            let shade = colour.map(|part| (i16::from(part) + grain).clamp(0, 255) as u8);
            picture.put_pixel(column, row, Rgb(shade));
        }
    }
}

/// A quay, a van, somebody who carries bags from it, further with each number.
pub fn scene(number: u32, width: u32, height: u32) -> Vec<u8> {
    let mut picture = RgbImage::new(width, height);
    let unit = |share: f32, of: u32| (share * of as f32) as u32;
    let at =
        |x: f32, y: f32, w: f32, h: f32| [unit(x, width), unit(y, height), unit(w, width), unit(h, height)];
    fill(&mut picture, at(0.0, 0.0, 1.0, 0.42), [168, 188, 204]);
    fill(&mut picture, at(0.0, 0.30, 1.0, 0.14), [120, 128, 112]);
    fill(&mut picture, at(0.0, 0.43, 1.0, 0.57), [98, 98, 96]);
    fill(&mut picture, at(0.16, 0.34, 0.44, 0.34), [224, 226, 222]);
    fill(&mut picture, at(0.18, 0.37, 0.11, 0.11), [52, 62, 70]);
    fill(&mut picture, at(0.22, 0.64, 0.09, 0.10), [30, 30, 32]);
    fill(&mut picture, at(0.48, 0.64, 0.09, 0.10), [30, 30, 32]);
    fill(&mut picture, at(0.53, 0.58, 0.06, 0.03), [240, 240, 240]);
    // A shadow that moves, so that no two are alike.
    let shadow = at(0.02 * (number % 40) as f32, 0.96, 0.02, 0.03);
    fill(&mut picture, shadow, [60, 60, 60]);
    let step = 0.03 * (number % 5) as f32;
    fill(&mut picture, at(0.63 + step, 0.48, 0.045, 0.30), [70, 40, 46]);
    for bag in 0..number % 4 + 1 {
        fill(
            &mut picture,
            at(0.80 + 0.04 * bag as f32, 0.78, 0.035, 0.06),
            [24, 26, 40],
        );
    }
    let mut jpeg = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 88);
    encoder.encode_image(&picture).expect("encoded");
    jpeg
}

pub fn frame_of(number: u32, width: u32, height: u32) -> Frame {
    let original = scene(number, width, height);
    let original = Original::read(&original).expect("sound");
    let step = 0.03 * (number % 5) as f32;
    let (w, h) = (width as f32, height as f32);
    let person = Person {
        seen: Detection {
            rect: [(0.63 + step) * w, 0.48 * h, 0.045 * w, 0.30 * h].into(),
            score: 0.9,
        },
        silhouette: None,
    };
    let rules = Rules {
        policy: Policy::Persons,
        occupants: Occupants::Leave,
        privacy: &[],
        waste: None,
    };
    let context = Context {
        camera: "quai-nord".parse().expect("plain"),
        now: time("2026-11-03T21:10:00Z"),
        correction: -125,
        networks: Vec::new(),
        zone: Digest::of(b"zone"),
    };
    let seen = Seen {
        persons: vec![person],
        ..Seen::default()
    };
    let plan = Plan::new(original.canvas(), &rules, &Evidence::Seen(seen));
    let redacted = redact(&original, &plan, Fill::Flat, &context).expect("redacted");
    Frame {
        number,
        jpeg: redacted.jpeg().to_vec(),
        manifest: redacted.manifest().to_json().expect("JSON"),
    }
}

pub fn frames(count: u32) -> Vec<Frame> {
    (1..=count).map(|number| frame_of(number, 800, 600)).collect()
}

pub fn at(hour: i8, minute: i8, second: i8) -> DateTime {
    date(2026, 11, 3).at(hour, minute, second, 0)
}

pub fn picture(frame: &Frame) -> Picture {
    let manifest = frame.read();
    let second = (frame.number * 4 % 60) as i8;
    Picture {
        number: frame.number,
        jpeg: frame.jpeg.clone(),
        sha256: manifest.redacted.sha256,
        original: manifest.original.sha256,
        camera_time: Some(at(22, 7, second)),
        legal_time: Some(at(22, 5, second)),
        orientation: manifest.orientation,
        size: manifest.size,
        masked: 2,
        untouched: true,
    }
}

/// A whole report; `images` of the frames at full size, the others small.
pub fn report(act: Act, frames: &[Frame], images: usize) -> Report {
    let pictures: Vec<_> = frames.iter().map(picture).collect();
    let (chosen, others) = pictures.split_at(images);
    let decision = |by: &str, on, about: &str| {
        Some(Decision {
            by: by.to_owned(),
            on,
            about: about.to_owned(),
        })
    };
    let text = str::to_owned;
    Report {
        act,
        number: text("2026-IVR-0042"),
        service: Service {
            commune: text("Ville de Ville-Exemple"),
            name: text("Direction de la tranquillité publique – Lutte contre les incivilités"),
            address: text("1 place de l'Hôtel-de-Ville, 00000 Ville-Exemple"),
            contact: text("01 00 00 00 00 – lci@ville-exemple.invalid"),
        },
        visas: vec![
            text("Vu le code de procédure pénale, notamment ses articles 429 et 537 ;"),
            text("Vu le code de l'environnement, notamment ses articles L. 541-44-1 et R. 541-85-1 ;"),
        ],
        author: Author {
            name: text("Camille Exemple"),
            number: text("LCI-07"),
            quality: text("agent de surveillance de la voie publique"),
            clearance: decision(
                "arrêté du maire n° 2025-118",
                date(2025, 3, 1),
                "constatation des dépôts sauvages",
            ),
            oath: decision("tribunal judiciaire de Ville-Exemple", date(2025, 4, 14), ""),
            agreement: None,
        },
        framework: Framework {
            regime: text("vidéoprotection"),
            reference: text("arrêté préfectoral n° 2026-0412"),
            decided: Some(date(2026, 1, 12)),
            until: Some(date(2031, 1, 11)),
            sign: text("panneau posé le 2 février 2026 à chaque accès du quai"),
            assessment: text("version 2 du 8 janvier 2026, avis du délégué favorable avec réserves"),
            register: text("fiche n° 17"),
        },
        facts: Facts {
            from: at(22, 5, 4),
            until: Some(at(22, 6, 10)),
            utc: time("2026-11-03T21:05:04Z"),
            place: text("Quai Nord, face au n° 12, commune de Ville-Exemple"),
            position: text("parcelle AB 117"),
            camera: text("quai-nord, fiche d'implantation version 3"),
            clock: Some(Clock {
                ahead: 125,
                measured: date(2026, 11, 4),
                by: text("l'agent LCI-03"),
            }),
        },
        viewings: vec![Viewing {
            at: date(2026, 11, 4).at(9, 12, 0, 0),
            place: text("bureau du service"),
            images: frames.iter().map(Frame::digest).collect(),
        }],
        medium: text("images scellées relevées sur l'appareil le 4 novembre 2026 à 8 h 30 (lot n° 00012)."),
        observed: text(
            "Je constate qu'une camionnette blanche s'arrête face au n° 12 du quai. Une personne en descend, prend \
             des sacs à l'arrière du véhicule et les pose au pied du mur : un sac sur l'image n° 1, puis deux, puis \
             trois. Elle remonte dans le véhicule, qui repart en laissant les sacs.\n\nSur place, le lendemain à 9 h 45, \
             je constate la présence de ces mêmes sacs ; ils contiennent des gravats et des restes de plâtre.",
        ),
        offence: Some(Offence {
            title: text("Abandon ou dépôt d'ordures, de déchets ou d'objets transportés avec un véhicule"),
            article: text("article R. 635-8 du code pénal"),
            penalty: text("contravention de la 5e classe ; confiscation du véhicule encourue"),
            in_force: text("texte en vigueur le 3 novembre 2026 (table du 10 juin 2024)"),
            texts: vec![text(
                "article L. 121-2 du code de la route (responsabilité pécuniaire du titulaire du certificat d'immatriculation)",
            )],
        }),
        vehicle: Some(Vehicle {
            plate: text("AB-123-CD"),
            second_reading: text("AB 123 CD"),
            first_reader: text("l'agent LCI-07"),
            second_reader: text("l'agent LCI-03"),
            same_reader: false,
            country: text("France"),
            legibility: text("lisible en entier"),
            description: text("camionnette blanche, sans marquage visible"),
            persons: text("une"),
        }),
        identification: vec![Step {
            on: date(2026, 11, 5),
            what: text("consultation du système d'immatriculation des véhicules"),
            reference: text("demande n° 2026-118, par la police municipale"),
        }],
        waste: Waste {
            nature: text("gravats et plâtre en sacs"),
            volume: text("environ 0,4 m³"),
            hazard: text("non constatée"),
            costs: vec![
                Cost {
                    what: text("deux agents, 1 h 30"),
                    cents: 8_460,
                    voucher: text("bon n° 3312"),
                },
                Cost {
                    what: text("évacuation et traitement"),
                    cents: 11_230,
                    voucher: text("facture n° F-2291"),
                },
            ],
        },
        images: chosen.to_vec(),
        others: others.to_vec(),
        masking: Masking {
            policy: text("personnes et habitacles, remplissage uni (décision du 15 janvier 2026)"),
            added: vec![text(
                "image n° 3 : une zone ajoutée le 4 novembre 2026 par l'agent LCI-07",
            )],
        },
        trace: Trace {
            device: text("0123456789abcdef"),
            program: text("vigie 0.1.0 au boîtier, 0.1.0 au service"),
            networks: vec![
                (text("repérage"), Digest::of(b"scout")),
                (text("garde"), Digest::of(b"guard")),
            ],
            desk: text("fedcba9876543210"),
            journal: format!("1041 : {}", Digest::of(b"line")),
            checked: text("4 novembre 2026 à 10 h 02, vigie 0.1.0 : intact"),
        },
        limits: text("La plaque est lisible sur les images n° 2 et n° 3 seulement."),
        closing: Closing {
            place: text("Ville-Exemple"),
            recipients: vec![
                text(
                    "Monsieur le procureur de la République, sous couvert de l'officier de police judiciaire",
                ),
                text("Madame le maire"),
            ],
            annexes: vec![
                text("paquet n° 2026-T-0007"),
                text("deux photographies prises sur place"),
            ],
            erased: Some(date(2028, 11, 3)),
        },
    }
}

pub fn drawn() -> Moment {
    Moment {
        utc: time("2026-11-06T09:15:00Z"),
        local: date(2026, 11, 6).at(10, 15, 0, 0),
    }
}

pub fn signed_off() -> SignOff {
    SignOff {
        at: drawn(),
        by: "Dominique Modèle, chef de service".to_owned(),
    }
}

/// A final report over these frames.
pub fn pdf(act: Act, frames: &[Frame], images: usize) -> Vec<u8> {
    let complete = Complete::of(report(act, frames, images)).expect("complete");
    sealed(&complete, &signed_off()).expect("a PDF")
}

/// Three lines of a desk's journal, from the second on, with their signed head.
pub fn journal(key: &DeviceKey) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("store");
    let mut store = Store::open(&dir, key, time("2026-11-04T08:00:00Z")).expect("a store");
    for event in ["0123456789abcdef", "fedcba9876543210"] {
        let entry = Entry {
            kind: Kind::Verdict,
            body: serde_json::json!({"event": event, "reason": "retained"}),
        };
        store
            .transaction(|tx| tx.journal(time("2026-11-04T09:00:00Z"), &entry))
            .expect("a line");
    }
    let mut part = Vec::new();
    verify::write_part(store.sql(), &mut part, Some(2)).expect("a part");
    part
}

/// Everything that was chosen, asked for by one and approved by another.
pub fn approved(report: &[u8], frames: &[Frame], journal: bool) -> Approved {
    let chosen = Chosen {
        report: Some(Digest::of(report)),
        images: frames.iter().map(Frame::digest).collect(),
        journal,
    };
    Request::new(
        "00000000000000a1",
        time("2026-11-06T08:00:00Z"),
        "Parquet de Ville-Exemple",
        "transmission pour poursuites",
        chosen,
    )
    .expect("a request")
    .approve("00000000000000b2", time("2026-11-06T09:00:00Z"))
    .expect("two persons")
}

pub fn parts(act: Act, report: Vec<u8>, frames: &[Frame], journal: Option<Vec<u8>>) -> Parts {
    Parts {
        act,
        case: "2026-IVR-0042".to_owned(),
        number: "2026-T-0007".to_owned(),
        report,
        images: frames
            .iter()
            .map(|frame| package::Image {
                number: frame.number,
                jpeg: frame.jpeg.clone(),
                manifest: frame.manifest.clone(),
            })
            .collect(),
        journal,
        boxes: Vec::new(),
    }
}

pub fn made() -> BoxTime {
    time("2026-11-06T09:20:00Z")
}

/// A small package: no real PDF, two small frames, a part of a journal.
pub fn small(key: &DeviceKey) -> Package {
    let frames: Vec<_> = (1..=2).map(|number| frame_of(number, 160, 120)).collect();
    let report = b"%PDF-1.7\n%%EOF\n".to_vec();
    let approved = approved(&report, &frames, true);
    let parts = parts(Act::Rapport, report, &frames, Some(journal(key)));
    package::write(&approved, &parts, key, made(), None).expect("a package")
}

pub type Entries = Vec<(String, Vec<u8>)>;

pub fn entries(zip: &[u8]) -> Entries {
    let mut archive = ZipArchive::new(Cursor::new(zip)).expect("a ZIP");
    (0..archive.len())
        .map(|nth| {
            let mut entry = archive.by_index(nth).expect("an entry");
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("read");
            (entry.name().expect("a name").into_owned(), bytes)
        })
        .collect()
}

pub fn zipped(entries: &Entries) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        let options = SimpleFileOptions::default()
            .last_modified_time(zip::DateTime::default())
            .compression_method(zip::CompressionMethod::Deflated);
        zip.start_file(name, options).expect("begun");
        zip.write_all(bytes).expect("written");
    }
    zip.finish().expect("finished").into_inner()
}

pub fn at_name<'e>(entries: &'e mut Entries, name: &str) -> &'e mut Vec<u8> {
    let found = entries.iter_mut().find(|(found, _)| found == name);
    &mut found.unwrap_or_else(|| panic!("{name}")).1
}
