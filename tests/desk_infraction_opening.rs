//! From a retained event to its infraction file, and the record's own term.
#![cfg(feature = "desk")]

mod desk_kit;
mod infraction_kit;
mod review_kit;

use axum::http::StatusCode;
use desk_kit::people::sheet;
use desk_kit::{Browser, Rig};
use jiff::civil::date;
use review_kit::{Service, Shot, event, look, open};
use vigie::desk::accounts::derive::Cost;
use vigie::desk::accounts::{Enrolled, Keyring, New, Person, login_salt, totp};
use vigie::desk::infraction::ending;
use vigie::desk::retention::evidence::Evidence;
use vigie::desk::retention::plan::{Class, Subject};
use vigie::desk::retention::run::Destroys as _;
use vigie::desk::rights::Role;
use vigie::frame::EventId;

/// An agent with an account and the sheet of the kit, logged in.
fn sworn(rig: &Rig, login: &str) -> (String, Browser) {
    let cost = Cost {
        memory: 64,
        passes: 1,
        lanes: 1,
    };
    let secret = totp::Secret::draw().expect("randomness");
    let enrolled = Enrolled::new("tilleul fleuri du quai", secret, 0, cost).expect("enrolled");
    let person = Person {
        name: format!("Agent {login}"),
        login: login.to_owned(),
    };
    let keyring = Keyring {
        register: rig.register.clone(),
        evidence: Some(vigie::desk::accounts::wrapped::Evidence {
            cells: rig.evidence.cells.clone(),
            index: rig.evidence.index.clone(),
        }),
    };
    let id = {
        let mut office = rig.app.office.lock().expect("the desk");
        let salt = login_salt(office.desk.store.sql()).expect("a salt");
        let digest = salt.digest_of_login(login).expect("a digest");
        let sheet = sheet();
        let new = New {
            role: Role::Agent,
            person: &person,
            login: digest,
            sheet: Some(&sheet),
        };
        let made = office
            .store()
            .transaction(|tx| enrolled.insert(tx, &keyring, &new, rig.now()));
        made.expect("an account")
    };
    let browser = rig.browser(Role::Agent, &id);
    (id, browser)
}

fn retained(service: &Service, agent: &mut Browser, id: EventId) {
    service.bring(&[(
        id,
        vec![Shot::at("2026-11-20T22:14:05"), Shot::at("2026-11-20T22:14:31")],
    )]);
    open(agent, id);
    look(agent, id, 1);
    let version = service.version(id).to_string();
    agent
        .post(&format!("/evenement/{id}/retenir"), &[("version", &version)])
        .expect(StatusCode::SEE_OTHER);
}

#[test]
fn a_retained_event_becomes_the_file_of_the_agent_who_has_seen_it() {
    let service = Service::new();
    let (account, mut agent) = sworn(&service.rig, "quatre");
    let id = event(1);
    retained(&service, &mut agent, id);
    let asked = agent
        .get(&format!("/dossiers/nouveau?evenement={id}"))
        .expect(StatusCode::OK)
        .text();
    for shown in [
        "dont 1 vues par vous",
        "Agent quatre (n° A-17)",
        "Serment prêté le 20 janvier 2026",
        "2026-77",
    ] {
        assert!(asked.contains(shown), "{shown}: {asked}");
    }
    // Who has seen no image opens nothing, whatever the form says.
    let (_, mut other) = sworn(&service.rig, "cinq");
    let refused = other.post("/dossiers/nouveau", &[("evenement", &id.to_string())]);
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        refused.text()
    );
    let opened = agent.post("/dossiers/nouveau", &[("evenement", &id.to_string())]);
    assert_eq!(opened.location(), "/dossier/2026-EXE-0001");
    let number = "2026-EXE-0001".parse().expect("a number");
    let file = infraction_kit::file(&service.rig, &number);
    assert_eq!(file.record.officer.account, account);
    assert_eq!(file.record.officer.quality.as_str(), "asvp");
    assert_eq!(file.record.officer.titles.len(), 3);
    let source = file.record.origin.source().expect("an event");
    assert_eq!(
        (source.event, source.images.len(), source.viewings.len()),
        (id, 2, 1)
    );
    assert_eq!(file.record.facts_at.day(), date(2026, 11, 20));
    // It may be read at once by whoever opened it, and the event belongs to it from now on.
    agent.get("/dossier/2026-EXE-0001").expect(StatusCode::OK);
    for again in [
        agent.get(&format!("/dossiers/nouveau?evenement={id}")),
        agent.post("/dossiers/nouveau", &[("evenement", &id.to_string())]),
    ] {
        assert_eq!(
            again.location(),
            "/dossier/2026-EXE-0001",
            "one file for one event"
        );
    }
    let aside = agent.post(
        &format!("/evenement/{id}/ecarter"),
        &[
            ("version", &service.version(id).to_string()),
            ("raison", "nothing"),
        ],
    );
    assert_ne!(
        aside.status,
        StatusCode::SEE_OTHER,
        "its images follow the file's terms"
    );
}

#[test]
fn nothing_is_opened_from_an_event_that_is_not_there_or_not_retained() {
    let service = Service::new();
    let (_, mut agent) = sworn(&service.rig, "quatre");
    for wrong in ["", "?evenement=", "?evenement=x", "?evenement=0123456789abcdef"] {
        assert_eq!(
            agent.get(&format!("/dossiers/nouveau{wrong}")).status,
            StatusCode::NOT_FOUND,
            "{wrong}"
        );
    }
    let id = event(1);
    service.bring(&[(id, vec![Shot::at("2026-11-20T22:14:05")])]);
    open(&mut agent, id);
    look(&mut agent, id, 1);
    let page = agent
        .get(&format!("/dossiers/nouveau?evenement={id}"))
        .expect(StatusCode::OK)
        .text();
    assert!(page.contains("n'a pas été retenu") && page.contains("disabled"));
    let refused = agent.post("/dossiers/nouveau", &[("evenement", &id.to_string())]);
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let office = service.rig.app.office.lock().expect("the desk");
    assert!(ending::dated(office.desk.store.sql()).expect("dates").is_empty());
}

#[test]
fn retention_sees_the_record_by_the_day_of_its_facts_and_destroys_it_without_a_key() {
    let rig = Rig::new();
    let number = infraction_kit::closed(&rig);
    let mut office = rig.app.office.lock().expect("the desk");
    let zone = office.config.time_zone();
    let store = office.store();
    let objects = Evidence.objects(store.sql(), &zone).expect("objects");
    let [object] = &objects[..] else {
        panic!("{objects:?}")
    };
    let subject = Subject {
        class: Class::Record,
        id: number.to_string(),
    };
    assert_eq!(
        (&object.subject, object.facts),
        (&subject, Some(date(2026, 11, 20)))
    );
    assert!(Evidence.is_there(store.sql(), &subject).expect("asked"));
    let destroyed = store
        .transaction(|tx| Evidence.destroy(tx, &subject, rig.now()))
        .expect("destroyed");
    assert_eq!(
        (destroyed.records, destroyed.number),
        (1, Some(number.to_string()))
    );
    assert!(!Evidence.is_there(store.sql(), &subject).expect("asked"));
}

#[test]
fn a_file_that_is_due_and_waits_for_the_archives_is_shown_and_exported_to_nobody() {
    let rig = Rig::new();
    let number = infraction_kit::closed(&rig);
    let mut browser = rig.browser(Role::Agent, infraction_kit::AGENT);
    browser.post(&format!("/dossier/{number}/motif"), &[("motif", "writing")]);
    browser.get(&format!("/dossier/{number}")).expect(StatusCode::OK);
    {
        let mut office = rig.app.office.lock().expect("the desk");
        let (id, now) = (number.to_string(), rig.now().to_string());
        let lock = "INSERT INTO locked (class, id, since) VALUES ('record', ?, ?)";
        let locked = office.store().transaction(|tx| {
            tx.raw().execute(lock, rusqlite::params![id, now])?;
            Ok::<_, vigie::vault::store::Error>(())
        });
        locked.expect("locked");
    }
    for path in ["", "/verification", "/historique", "/faits"] {
        let page = browser.get(&format!("/dossier/{number}{path}"));
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        assert!(!page.text().contains("AB-123-CD"), "{path}");
    }
    let fields = [("forme", "csv"), ("destinataire", "Chef"), ("motif", "Bilan")];
    let page = browser.post("/dossiers/releves/export", &fields);
    assert!(page.text().contains("rien à exporter"));
}

#[test]
fn a_draft_states_its_agent_with_the_sheet_of_the_day() {
    let service = Service::new();
    let (account, mut agent) = sworn(&service.rig, "quatre");
    let id = event(1);
    retained(&service, &mut agent, id);
    agent.post("/dossiers/nouveau", &[("evenement", &id.to_string())]);
    let mut renewed = sheet();
    renewed.quality = "Agent de police municipale (agent de police judiciaire adjoint)".to_owned();
    renewed.number = "P-3".to_owned();
    {
        let mut office = service.rig.app.office.lock().expect("the desk");
        let by = vigie::desk::accounts::By {
            account: "00000000000000c1",
            role: Role::Chef,
        };
        let (register, shown) = (service.rig.register.clone(), (account.as_str(), 2));
        let days = (date(2026, 11, 22), service.rig.now());
        let written = vigie::desk::accounts::set_sheet(office.store(), &register, by, shown, &renewed, days);
        written.expect("written");
    }
    let check = agent
        .get("/dossier/2026-EXE-0001/verification")
        .expect(StatusCode::OK)
        .text();
    assert!(
        check.contains("n° P-3") && check.contains("Agent de police municipale"),
        "{check}"
    );
}
