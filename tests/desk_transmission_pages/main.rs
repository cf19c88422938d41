//! From the closed file to the acknowledged package, through the pages: nothing ticked, two persons, each step once.
#![cfg(feature = "desk")]

#[path = "../desk_kit/mod.rs"]
mod desk_kit;
mod handing_out;
#[path = "../infraction_kit/mod.rs"]
mod infraction_kit;
#[path = "../review_kit/mod.rs"]
mod review_kit;
mod steps;

use axum::http::StatusCode;
use desk_kit::Browser;
use infraction_kit::{complete, file, law, officer, source, today};
use review_kit::{Service, Shot, account, event, look, open};
use vigie::desk::events::Frame;
use vigie::desk::infraction::record::{Image, Source, Viewing};
use vigie::desk::infraction::register::{self, By, Opening};
use vigie::desk::infraction::{CaseNumber, Moment};
use vigie::desk::law::Act;
use vigie::desk::rights::Role;
use vigie::frame::Digest;

struct Day {
    service: Service,
    number: CaseNumber,
    images: Vec<Digest>,
}

impl Day {
    fn new() -> Self {
        Self::at(Service::new())
    }

    /// An event of two images that the first agent saw, one of them confirmed, and the closed file about it.
    fn at(service: Service) -> Self {
        let shots = vec![Shot::at("2026-11-20T22:14:05"), Shot::at("2026-11-20T22:14:09")];
        service.bring(&[(event(1), shots)]);
        let mut agent = service.agent(1);
        open(&mut agent, event(1));
        look(&mut agent, event(1), 1);
        look(&mut agent, event(1), 2);
        let version = service.version(event(1)).to_string();
        let fields = [("version", version.as_str()), ("place", "1")];
        agent
            .post(&format!("/evenement/{}/confirmer", event(1)), &fields)
            .expect(StatusCode::SEE_OTHER);
        let images: Vec<Digest> = {
            let office = service.rig.app.office.lock().expect("the desk");
            let frames = Frame::all(office.desk.store.sql(), event(1)).expect("frames");
            frames.iter().map(|frame| frame.sha256).collect()
        };
        let number = closed(&service, &images);
        Self {
            service,
            number,
            images,
        }
    }

    fn browser(&self, role: Role, nth: u8) -> Browser {
        let mut browser = self.service.rig.browser(role, &account(nth));
        browser.post(
            &format!("/dossier/{}/motif", self.number),
            &[("motif", "sending")],
        );
        browser
    }

    fn version_of(&self, number: &str) -> String {
        let version: i64 = self.service.sql(&format!(
            "SELECT version FROM transmission WHERE number = '{number}'"
        ));
        version.to_string()
    }

    /// The images and a final report, signed off by the chef.
    fn signed_off(&self) {
        let path = format!("/dossier/{}/rapport", self.number);
        let image = self.images[0].to_string();
        let choice = [
            ("version", "0"),
            ("image", image.as_str()),
            ("lieu_visionnage", "bureau"),
        ];
        self.browser(Role::Agent, 1)
            .post(&path, &choice)
            .expect(StatusCode::SEE_OTHER);
        let mut chef = self.browser(Role::Chef, 9);
        let page = chef.get(&path).expect(StatusCode::OK).text();
        assert!(!page.contains("Il manque"), "{page}");
        chef.post(&format!("{path}/valider"), &[("version", "1")])
            .expect(StatusCode::SEE_OTHER);
        assert_eq!(self.service.lines("report_sealed").len(), 1);
    }

    fn asked(&self) {
        let image = self.images[0].to_string();
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
        self.browser(Role::Agent, 1)
            .post(&format!("/dossier/{}/paquet", self.number), &fields)
            .expect(StatusCode::SEE_OTHER);
    }
}

fn closed(service: &Service, images: &[Digest]) -> CaseNumber {
    let rig = &service.rig;
    let agent = account(1);
    let zone = jiff::tz::TimeZone::get("Europe/Paris").expect("the zone");
    let at = Moment::of_instant(rig.now(), &zone);
    let image = |(nth, digest): (usize, &Digest)| Image {
        number: nth as u32 + 1,
        digest: *digest,
        at,
    };
    let seen = |digest: &Digest| Viewing {
        digest: *digest,
        by: agent.clone(),
        at: rig.now(),
    };
    let source = Source {
        event: event(1),
        images: images.iter().enumerate().map(image).collect(),
        viewings: images.iter().map(seen).collect(),
        ..source()
    };
    let by = By {
        account: &agent,
        keys: &rig.evidence,
        now: rig.now(),
    };
    let opening = Opening::new(source, officer(&agent)).expect("looked at");
    let mut office = rig.app.office.lock().expect("the desk");
    let number = office
        .store()
        .transaction(|tx| register::open(tx, by, opening, "EXE", 2026))
        .expect("opened");
    drop(office);
    let mut record = complete(&file(rig, &number).record);
    record.act = Some(Act::Rapport);
    let mut office = rig.app.office.lock().expect("the desk");
    let version = office
        .store()
        .transaction(|tx| register::save(tx, by, &number, 1, &record, None))
        .expect("saved");
    office
        .store()
        .transaction(|tx| register::close(tx, by, &number, version, law(), today()))
        .expect("closed");
    number
}

/// A desk at which everything that can be taken away is there: a made package, a certificate, a return file.
fn full() -> Day {
    let day = Day::new();
    day.signed_off();
    day.asked();
    let one = "/transmission/2026-T-0001";
    let mut chef = day.browser(Role::Chef, 9);
    for (step, version) in [("approuver", "1"), ("etablir", "2")] {
        chef.post(&format!("{one}/{step}"), &[("version", version)])
            .expect(StatusCode::SEE_OTHER);
    }
    day.service
        .bring(&[(event(2), vec![Shot::at("2026-11-20T23:00:00")])]);
    open(&mut chef, event(2));
    look(&mut chef, event(2), 1);
    let version = day.service.version(event(2)).to_string();
    let fields = [("version", version.as_str()), ("raison", "no-offence")];
    chef.post(&format!("/evenement/{}/ecarter", event(2)), &fields)
        .expect(StatusCode::SEE_OTHER);
    day.service.rig.advance(120);
    day.service.rig.app.sweep().expect("settled");
    // As if the stick could not be written: the answer is fetched here.
    let returns = day.service.rig.folder.path().join("returns");
    std::fs::create_dir_all(&returns).expect("a folder");
    for entry in std::fs::read_dir(day.service.stick.path()).expect("the stick") {
        let entry = entry.expect("an entry");
        if entry.path().is_file() {
            std::fs::copy(entry.path(), returns.join(entry.file_name())).expect("copied");
        }
    }
    day
}

impl Day {
    /// A route's path with what there is in each of its places.
    fn filled(&self, path: &str) -> String {
        let certificate: String = self.service.sql("SELECT max(number) FROM certificate");
        let returned = std::fs::read_dir(self.service.rig.folder.path().join("returns")).expect("a folder");
        let returned = returned.map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        });
        let filled = match path.starts_with("/transmission/") {
            true => path.replace("{number}", "2026-T-0001"),
            false => path.replace("{number}", &self.number.to_string()),
        };
        filled
            .replace("{nth}", if path.contains("/plaque/") { "0" } else { "1" })
            .replace("{place}", "1")
            .replace("{id}", &event(1).to_string())
            .replace("{numero}", &certificate)
            .replace("{section}", "faits")
            .replace(
                "/retour/{name}",
                &format!("/retour/{}", returned.last().expect("a return file")),
            )
    }
}
