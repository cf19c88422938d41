//! From the closed file to the acknowledged package, through the pages: nothing ticked, two persons, each step once.
#![cfg(feature = "desk")]

mod desk_kit;
mod infraction_kit;
mod review_kit;

use axum::http::StatusCode;
use desk_kit::{Browser, Page};
use infraction_kit::{complete, file, law, officer, source, today};
use review_kit::{Service, Shot, account, event, look, open};
use vigie::desk::events::Frame;
use vigie::desk::infraction::record::{Image, Source, Viewing};
use vigie::desk::infraction::register::{self, By, Opening, State};
use vigie::desk::infraction::{CaseNumber, Moment};
use vigie::desk::law::Act;
use vigie::desk::rights::Role;
use vigie::frame::Digest;
use vigie::report::contents::{Contents, Role as FileRole};
use vigie::verify;

struct Day {
    service: Service,
    number: CaseNumber,
    images: Vec<Digest>,
}

/// Where a person can look at what the tests made: `VIGIE_PAGES=folder`.
fn show(name: &str, page: &Page) {
    if let Some(folder) = std::env::var_os("VIGIE_PAGES") {
        std::fs::write(std::path::Path::new(&folder).join(name), &page.bytes).expect("written");
    }
}

impl Day {
    /// An event of two images that the first agent saw, one of them confirmed, and the closed file about it.
    fn new() -> Self {
        let service = Service::new();
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

#[test]
fn a_report_is_drafted_with_nothing_chosen_and_signed_off_when_nothing_is_lacking() {
    let day = Day::new();
    let path = format!("/dossier/{}/rapport", day.number);
    let mut agent = day.browser(Role::Agent, 1);
    let page = agent.get(&path).expect(StatusCode::OK);
    show("rapport.html", &page);
    let page = page.text();
    assert!(
        page.contains("Il manque") && page.contains("Section 11"),
        "{page}"
    );
    assert!(!page.contains(" checked"), "nothing is ticked: {page}");
    assert!(
        page.contains("Non confirmée"),
        "the second image cannot be chosen: {page}"
    );
    let second = day.images[1].to_string();
    let refused = agent
        .post(&path, &[("version", "0"), ("image", second.as_str())])
        .text();
    assert!(refused.contains("confirmez-la d"), "{refused}");
    let draft = agent.get(&format!("{path}/brouillon.pdf")).expect(StatusCode::OK);
    assert!(draft.bytes.starts_with(b"%PDF-"));
    let mut chef = day.browser(Role::Chef, 9);
    let early = chef.post(&format!("{path}/valider"), &[("version", "0")]);
    assert_eq!(
        (early.status, early.location()),
        (StatusCode::SEE_OTHER, path.as_str())
    );
    assert!(day.service.lines("report_sealed").is_empty());
    day.signed_off();
    let mut agent = day.browser(Role::Agent, 1);
    let done = agent
        .get(&format!("/dossier/{}/acte/1", day.number))
        .expect(StatusCode::OK);
    show("acte.pdf", &done);
    assert!(done.bytes.starts_with(b"%PDF-"));
    assert_eq!(
        agent.get(&format!("/dossier/{}/acte/2", day.number)).status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        agent.post(&format!("{path}/valider"), &[("version", "1")]).status,
        StatusCode::FORBIDDEN
    );
}

#[test]
fn nobody_sees_a_report_or_a_package_without_having_said_why() {
    let day = Day::new();
    let mut agent = day.service.agent(3);
    for path in ["rapport", "rapport/brouillon.pdf", "acte/1", "paquet"] {
        let page = agent.get(&format!("/dossier/{}/{path}", day.number));
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}");
        assert_eq!(page.location(), format!("/dossier/{}", day.number), "{path}");
    }
}

#[test]
fn a_package_is_asked_for_by_name_approved_by_another_made_sent_and_acknowledged() {
    let day = Day::new();
    day.signed_off();
    let packages = format!("/dossier/{}/paquet", day.number);
    let mut agent = day.browser(Role::Agent, 1);
    let page = agent.get(&packages).expect(StatusCode::OK).text();
    assert!(
        !page.contains(" checked") && page.contains("obligatoire"),
        "{page}"
    );
    let nothing = agent.post(&packages, &[]).expect(StatusCode::OK).text();
    for field in ["Acte", "Destinataire", "Motif"] {
        assert!(
            nothing.contains(&format!("{field} : ce champ est obligatoire.")),
            "{nothing}"
        );
    }
    day.asked();
    let mut agent = day.browser(Role::Agent, 1);
    let one = "/transmission/2026-T-0001";
    let step = |browser: &mut Browser, name: &str, fields: &[(&str, &str)]| {
        let version = day.version_of("2026-T-0001");
        let mut all = vec![("version", version.as_str())];
        all.extend_from_slice(fields);
        browser.post(&format!("{one}/{name}"), &all)
    };
    assert_eq!(step(&mut agent, "approuver", &[]).status, StatusCode::FORBIDDEN);
    let early = step(&mut agent, "etablir", &[]);
    assert_eq!(early.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", early.text());
    let mut chef = day.browser(Role::Chef, 9);
    show("demande.html", &chef.get(one).expect(StatusCode::OK));
    let register = chef.get("/transmissions").expect(StatusCode::OK);
    show("transmissions.html", &register);
    let register = register.text();
    assert!(
        register.contains("2026-T-0001") && register.contains("À approuver"),
        "{register}"
    );
    step(&mut chef, "approuver", &[]).expect(StatusCode::SEE_OTHER);
    step(&mut agent, "etablir", &[]).expect(StatusCode::SEE_OTHER);
    let zip = agent
        .get(&format!("{one}/paquet.zip"))
        .expect(StatusCode::OK)
        .bytes;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("package.zip");
    std::fs::write(&path, &zip).expect("written");
    let desk = day
        .service
        .rig
        .app
        .office
        .lock()
        .expect("the desk")
        .desk
        .key()
        .public()
        .clone();
    let checked = verify::package(&path, Some(&desk), None).expect("checked");
    assert!(checked.is_intact(), "{:?}", checked.findings);
    let contents: Contents = checked.contents.expect("signed");
    assert_eq!((contents.requester, contents.approver), (account(1), account(9)));
    let images = contents.files.iter().filter(|file| file.role == FileRole::Image);
    assert_eq!(
        images.map(|file| file.sha256).collect::<Vec<_>>(),
        [day.images[0]]
    );
    show("paquet.html", &agent.get(&packages).expect(StatusCode::OK));
    assert!(
        agent
            .get(&format!("{one}/bordereau.pdf"))
            .expect(StatusCode::OK)
            .bytes
            .starts_with(b"%PDF-")
    );
    assert_eq!(
        agent
            .get(&format!("{one}/contenu.tsq"))
            .expect(StatusCode::OK)
            .bytes
            .len(),
        59
    );
    let version = day.version_of("2026-T-0001");
    let files: [(&str, &str, &[u8]); 1] = [("horodatage", "contenu.tsr", b"not an answer")];
    let foreign = agent.upload(&format!("{one}/horodatage"), &[("version", &version)], &files);
    assert_eq!(
        foreign.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        foreign.text()
    );
    assert!(foreign.text().contains("pas un horodatage de ce paquet"));
    step(&mut agent, "envoi", &[("support", "clé n° 3")]).expect(StatusCode::SEE_OTHER);
    assert_eq!(file(&day.service.rig, &day.number).state, State::Sent);
    step(&mut agent, "accuse", &[("accuse", "n° 26/1234")]).expect(StatusCode::SEE_OTHER);
    let mut dpd = day.service.rig.browser(Role::Dpd, &account(7));
    let seen = dpd.get(one).expect(StatusCode::OK).text();
    assert!(seen.contains("Reçue") && seen.contains("n° 26/1234"), "{seen}");
    assert!(
        !seen.contains("paquet.zip") && !seen.contains("<form method=\"post\" action=\"/transmission"),
        "{seen}"
    );
    assert_eq!(
        dpd.get(&format!("{one}/paquet.zip")).status,
        StatusCode::FORBIDDEN
    );
}

#[test]
fn a_chef_who_asked_is_not_offered_to_approve_and_cannot() {
    let day = Day::new();
    day.signed_off();
    let fields = [
        ("acte", "1"),
        (
            "destinataire",
            "Monsieur ou Madame l'officier du ministère public",
        ),
        ("motif", "transmission"),
    ];
    let mut chef = day.browser(Role::Chef, 9);
    chef.post(&format!("/dossier/{}/paquet", day.number), &fields)
        .expect(StatusCode::SEE_OTHER);
    let page = chef
        .get("/transmission/2026-T-0001")
        .expect(StatusCode::OK)
        .text();
    assert!(
        !page.contains("/approuver") && page.contains("/refuser"),
        "{page}"
    );
    let own = chef.post("/transmission/2026-T-0001/approuver", &[("version", "1")]);
    assert_eq!(own.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        own.text().contains("ne peut pas approuver sa propre demande"),
        "{}",
        own.text()
    );
    assert!(day.service.lines("package_approved").is_empty());
}

#[test]
fn a_pass_phrase_stands_on_one_page_once_and_opens_the_package() {
    let day = Day::new();
    day.signed_off();
    day.asked();
    let mut chef = day.browser(Role::Chef, 9);
    let one = "/transmission/2026-T-0001";
    chef.post(&format!("{one}/approuver"), &[("version", "1")])
        .expect(StatusCode::SEE_OTHER);
    let page = chef
        .post(
            &format!("{one}/etablir"),
            &[("version", "2"), ("chiffrer", "oui")],
        )
        .expect(StatusCode::OK)
        .text();
    let phrase = page
        .split("<p class=\"phrase\"><strong>")
        .nth(1)
        .expect("the phrase");
    let phrase = phrase.split('<').next().expect("its end");
    assert_eq!(phrase.split(' ').count(), 8, "{phrase}");
    let later = chef.get(&format!("/dossier/{}/paquet", day.number)).text() + &chef.get(one).text();
    assert!(!later.contains(phrase) && later.contains("chiffré"));
    let zip = chef
        .get(&format!("{one}/paquet.zip"))
        .expect(StatusCode::OK)
        .bytes;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("package.zip");
    std::fs::write(&path, &zip).expect("written");
    assert!(
        verify::package(&path, None, Some(phrase))
            .expect("opened")
            .is_intact()
    );
    let again = chef.post(&format!("{one}/etablir"), &[("version", "3")]);
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
}
