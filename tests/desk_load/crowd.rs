//! A desk with everything that a service gathers: by the ways that a desk goes itself, but for what these would take
//! hours to.

use axum::http::StatusCode;
use rusqlite::params;
use vigie::desk::events::Frame;
use vigie::desk::infraction::record::{Image, Source, Viewing};
use vigie::desk::infraction::register::{self, By, Opening};
use vigie::desk::infraction::{CaseNumber, Moment};
use vigie::desk::law::Act;
use vigie::desk::retention::plan::Outcome;
use vigie::desk::retention::records::{self, NewRuling};
use vigie::desk::review::{self, Agent, Motive};
use vigie::desk::rights::Role;
use vigie::desk::transmission;
use vigie::frame::{BoxTime, Digest, EventId};
use vigie::redact::Redacted;
use vigie::vault::Store;
use vigie::vault::certificate::{Certificate, Dismissed, LIMIT, Period, Regime, What};
use vigie::vault::store;

use crate::desk_kit::people::{Someone, enrolled};
use crate::desk_kit::{Browser, time};
use crate::infraction_kit::{self, complete, file, law, officer, source, today};
use crate::review_kit::{Service, Shot, camera, event, look, open, redacted};

/// Rows that are written in one transaction.
const AT_ONCE: usize = 250;

/// A desk, its people, and one of each thing that a page shows.
pub struct Crowd {
    pub service: Service,
    pub chef: Someone,
    pub agent: Someone,
    pub dpd: Someone,
    pub admin: Someone,
    /// The event that went all the way, its file, the transmission.
    pub event: EventId,
    pub file: CaseNumber,
    pub transmission: String,
    pub certificate: String,
    /// A return file that a browser may fetch.
    pub answer: String,
}

/// As many shots as there are days before the review's month is over.
fn shots() -> Vec<(Shot, Redacted)> {
    let arrived = time("2026-11-21T06:00:00Z");
    let days = (25..=31)
        .map(|day| (10, day))
        .chain((1..=20).map(|day| (11, day)));
    days.map(|(month, day)| {
        let taken: &'static str = format!("2026-{month:02}-{day:02}T21:14:05").leak();
        let shot = Shot::at(taken);
        let redacted = redacted(&shot, day, 0, arrived);
        (shot, redacted)
    })
    .collect()
}

/// Seals events of these numbers, one frame each, as the box does.
pub fn seal(service: &Service, store: &mut Store, numbers: std::ops::Range<u32>) {
    let shots = shots();
    for (nth, (shot, frame)) in numbers.zip(shots.iter().cycle()) {
        let arrived = time("2026-11-21T06:00:00Z");
        let shots = std::slice::from_ref(shot);
        let frames = std::slice::from_ref(frame);
        service
            .trap
            .seal_redacted(store, event(nth), shots, frames, arrived);
    }
}

/// The files of a bundle, sent as a browser sends a folder.
fn send(service: &Service, bundle: &std::path::Path) {
    let folder = bundle.file_name().expect("a name").to_string_lossy().into_owned();
    let files = std::fs::read_dir(bundle).expect("a bundle").map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (format!("{folder}/{name}"), std::fs::read(&path).expect("read"))
    });
    let files: Vec<_> = files.collect();
    let parts: Vec<(&str, &str, &[u8])> = files
        .iter()
        .map(|(name, bytes)| ("lot", name.as_str(), bytes.as_slice()))
        .collect();
    service
        .agent(0xF0)
        .upload("/import/envoi", &[], &parts)
        .expect(StatusCode::SEE_OTHER);
    service.rig.app.importing.finish();
}

impl Crowd {
    /// With `count` events to review, as many infraction files with an event of their own each, as many transmissions,
    /// certificates and openings.
    pub fn of(count: u32) -> Self {
        let service = Service::new();
        let person = |role, name| enrolled(&service.rig, role, name);
        let chef = person(Role::Chef, "Hippolyte Vaugirault");
        let agent = person(Role::Agent, "Ursule Kerguelen");
        let dpd = person(Role::Dpd, "Prosper Yzeure");
        let admin = person(Role::Admin, "Zénobie Quatrelivres");
        let mut store = service.trap.store();
        seal(&service, &mut store, 1..count + 2);
        let bundle = service.trap.bundle(&mut store, service.stick.path());
        send(&service, &bundle);
        let returns = service.rig.folder.path().join("returns");
        let answer = std::fs::read_dir(returns).expect("returns").next().expect("one");
        let answer = answer
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned();
        let mut crowd = Self {
            event: event(count + 1),
            file: "2026-EXE-0001".parse().expect("a number"),
            transmission: String::new(),
            certificate: String::new(),
            answer,
            service,
            chef,
            agent,
            dpd,
            admin,
        };
        crowd.hand_over();
        let numbers = crowd.files(count);
        crowd.transmissions(&numbers);
        crowd.openings(count);
        crowd.certificates(count);
        for _ in 0..3 {
            infraction_kit::export(&crowd.service.rig, &numbers);
        }
        let mut chef = crowd.browser(Role::Chef);
        chef.post("/echeances/executer", &[])
            .expect(StatusCode::SEE_OTHER);
        let hold = [
            ("sur", "evenement"),
            ("objet", &crowd.event.to_string()),
            ("autorite", "procureur"),
            ("reference", "parquet 26-117"),
            ("motif", "enquête en cours"),
            ("fin", "2027-05-22"),
        ];
        chef.post("/echeances/gels/nouveau", &hold)
            .expect(StatusCode::SEE_OTHER);
        crowd
    }

    pub fn browser(&self, role: Role) -> Browser {
        let someone = match role {
            Role::Agent => &self.agent,
            Role::Chef => &self.chef,
            Role::Dpd => &self.dpd,
            Role::Admin => &self.admin,
        };
        self.service.rig.browser(role, &someone.id)
    }

    fn transaction<T>(&self, work: impl FnOnce(&mut store::Tx<'_>) -> T) -> T {
        let mut office = self.service.rig.app.office.lock().expect("the desk");
        let done = office.store().transaction(|tx| Ok::<_, store::Error>(work(tx)));
        done.expect("committed")
    }

    fn by(&self) -> By<'_> {
        By {
            account: &self.agent.id,
            keys: &self.service.rig.evidence,
            now: self.service.rig.now(),
        }
    }

    /// One event all the way: seen, confirmed, written up, reported, packed.
    fn hand_over(&mut self) {
        let id = self.event;
        let mut agent = self.browser(Role::Agent);
        open(&mut agent, id);
        look(&mut agent, id, 1);
        let version = self.service.version(id).to_string();
        let fields = [("version", version.as_str()), ("place", "1")];
        agent
            .post(&format!("/evenement/{id}/confirmer"), &fields)
            .expect(StatusCode::SEE_OTHER);
        let rig = &self.service.rig;
        let zone = jiff::tz::TimeZone::get("Europe/Paris").expect("the zone");
        let at = Moment::of_instant(rig.now(), &zone);
        let digest = {
            let office = rig.app.office.lock().expect("the desk");
            Frame::all(office.desk.store.sql(), id).expect("frames")[0].sha256
        };
        let source = Source {
            event: id,
            images: vec![Image {
                number: 1,
                digest,
                at,
            }],
            viewings: vec![Viewing {
                digest,
                by: self.agent.id.clone(),
                at: rig.now(),
            }],
            ..source()
        };
        let by = self.by();
        let opening = Opening::new(source, officer(by.account)).expect("looked at");
        let number = self.transaction(|tx| register::open(tx, by, opening, "EXE", 2026).expect("opened"));
        let mut record = complete(&file(rig, &number).record);
        record.act = Some(Act::Rapport);
        self.transaction(|tx| {
            let version = register::save(tx, by, &number, 1, &record, None).expect("saved");
            register::close(tx, by, &number, version, law(), today()).expect("closed");
        });
        let path = format!("/dossier/{number}");
        let mut chef = self.browser(Role::Chef);
        let motive = [("motif", "sending")];
        agent.post(&format!("{path}/motif"), &motive);
        chef.post(&format!("{path}/motif"), &motive);
        let image = digest.to_string();
        let choice = [
            ("version", "0"),
            ("image", image.as_str()),
            ("lieu_visionnage", "bureau"),
        ];
        agent
            .post(&format!("{path}/rapport"), &choice)
            .expect(StatusCode::SEE_OTHER);
        chef.post(&format!("{path}/rapport/valider"), &[("version", "1")])
            .expect(StatusCode::SEE_OTHER);
        let fields = [
            ("acte", "1"),
            ("image", image.as_str()),
            ("journal", "oui"),
            (
                "destinataire",
                "Monsieur ou Madame le procureur de la République, sous couvert de l'officier de police judiciaire",
            ),
            ("motif", "transmission pour poursuites"),
        ];
        agent
            .post(&format!("{path}/paquet"), &fields)
            .expect(StatusCode::SEE_OTHER);
        let transmission = "2026-T-0001".to_owned();
        chef.post(
            &format!("/transmission/{transmission}/approuver"),
            &[("version", "1")],
        )
        .expect(StatusCode::SEE_OTHER);
        agent
            .post(
                &format!("/transmission/{transmission}/etablir"),
                &[("version", "2")],
            )
            .expect(StatusCode::SEE_OTHER);
        (self.file, self.transmission) = (number, transmission);
    }

    /// Files, each with an event whose images are there by its row alone, one of two confirmed.
    fn files(&self, count: u32) -> Vec<CaseNumber> {
        let (by, now) = (self.by(), self.service.rig.now().to_string());
        let record = complete(&infraction_kit::record());
        let all: Vec<u32> = (0..count).collect();
        let mut numbers = Vec::new();
        for some in all.chunks(AT_ONCE) {
            numbers.extend(self.transaction(|tx| {
                let one = |nth: &u32| {
                    let id = event(1_000_000 + nth);
                    let mut source = source();
                    (source.event, source.viewings[0].by) = (id, self.agent.id.clone());
                    let opening = Opening::new(source, officer(by.account)).expect("looked at");
                    let number = register::open(tx, by, opening, "EXE", 2026).expect("opened");
                    register::save(tx, by, &number, 1, &record, None).expect("saved");
                    let facts = format!("2026-{:02}-{:02}T20:14:05Z", 1 + nth % 10, 1 + nth % 28);
                    let sites = ["Quai Nord", "Pont Sud", "Rue Basse", "Allée Haute"];
                    tx.raw()
                        .execute(
                            "INSERT INTO event (id, device, camera, site, regime, reference, correction, arrived, facts,
                                facts_by, light, frames, due, state, version, next_item, file)
                             VALUES (?1, 'aabbccddeeff0011', 'demo', ?2, 'videoprotection', 'arrêté', 0, ?3, ?3,
                                'camera', 'day', 2, ?3, 'retained', 1, 1000000, ?4)",
                            params![id.to_string(), sites[*nth as usize % 4], facts, number.to_string()],
                        )
                        .expect("an event");
                    for place in 1..=2_u32 {
                        let seen = (place == 1).then_some(&now);
                        tx.raw()
                            .execute(
                                "INSERT INTO event_frame (event, place, frame, manifest, sha256, confirmed)
                                 VALUES (?, ?, ?, ?, ?, ?)",
                                params![
                                    id.to_string(),
                                    place,
                                    2 * place,
                                    2 * place + 1,
                                    Digest::of(&nth.to_be_bytes()).to_string(),
                                    seen
                                ],
                            )
                            .expect("a frame");
                    }
                    number
                };
                some.iter().map(one).collect::<Vec<_>>()
            }));
        }
        numbers
    }

    /// Each file is asked for once; of every tenth there is a ruling.
    fn transmissions(&self, numbers: &[CaseNumber]) {
        let now = self.service.rig.now();
        let key = &self.service.rig.register.0;
        let by = transmission::register::By {
            account: &self.agent.id,
            register: key,
            now,
        };
        for some in numbers.chunks(AT_ONCE) {
            self.transaction(|tx| {
                for (nth, number) in some.iter().enumerate() {
                    let infraction = number.to_string();
                    let asked = transmission::Asked {
                        infraction: &infraction,
                        recipient: "Monsieur le procureur de la République",
                        motive: "transmission pour poursuites",
                        report: Some((1, Digest::of(infraction.as_bytes()))),
                        images: vec![Digest::of(b"image")],
                        journal: true,
                    };
                    transmission::register::ask(tx, by, &asked, 2026).expect("asked");
                    if nth % 10 == 0 {
                        let new = NewRuling {
                            file: infraction.clone(),
                            outcome: Outcome::Condamnation,
                            decided: today(),
                            final_on: today(),
                            reference: "tribunal de police, n° 26/118".to_owned(),
                        };
                        records::rule(tx, &new, (&self.chef.id, key), today(), now).expect("ruled");
                    }
                }
            });
        }
    }

    /// Every second event was opened.
    fn openings(&self, count: u32) {
        let now = self.service.rig.now();
        let agent = Agent {
            account: &self.agent.id,
            since: now,
            now,
        };
        let all: Vec<u32> = (1..=count).filter(|nth| nth % 2 == 0).collect();
        for some in all.chunks(AT_ONCE) {
            self.transaction(|tx| {
                for nth in some {
                    review::open(tx, agent, event(*nth), Motive::Review, None).expect("opened");
                }
            });
        }
    }

    /// What was put aside, as the desk certifies it.
    fn certificates(&mut self, count: u32) {
        let now = self.service.rig.now();
        let mut office = self.service.rig.app.office.lock().expect("the desk");
        let store = office.store();
        let made = |nth: u32| {
            let id = event(2_000_000 + nth);
            let ended = BoxTime(now.0 - jiff::SignedDuration::from_mins(nth.into()));
            let certificate = Certificate {
                number: format!("ecart-{id}"),
                what: What::Dismissed(Dismissed {
                    event: id,
                    account: self.agent.id.clone(),
                    motive: "no-offence".to_owned(),
                    items: 5,
                    bytes: 9_000_000,
                }),
                device: store.device(),
                device_key: store.device_key().clone(),
                camera: camera(),
                site: "Quai Nord, face au 12".to_owned(),
                regime: Regime {
                    kind: "videoprotection".to_owned(),
                    reference: "arrêté n° 2026-0412".to_owned(),
                },
                period: Period {
                    from: ended,
                    until: ended,
                },
                due: ended,
                began: ended,
                ended,
                late_seconds: 0,
                program: env!("CARGO_PKG_VERSION").to_owned(),
                journal: store.head().into(),
                limit: LIMIT.to_owned(),
                page: Digest::of(b""),
            };
            store.certificate(certificate).expect("signed").1
        };
        let filed: Vec<_> = (0..count).map(made).collect();
        for some in filed.chunks(AT_ONCE) {
            let kept = store.transaction(|tx| some.iter().try_for_each(|filed| tx.keep_certificate(filed)));
            kept.expect("kept");
        }
        store.put_out_certificates().expect("put out");
        self.certificate = filed.last().expect("one").number.clone();
    }
}
