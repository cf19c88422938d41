//! Opening takes a motive and leaves a line; what was shown is on record; what proves nothing is destroyed; of two who
//! decide at once, one does.
#![cfg(feature = "desk")]

mod desk_kit;
mod review_kit;

use std::fs;

use axum::http::StatusCode;
use desk_kit::Browser;
use review_kit::{Service, Shot, account, event, look, open};
use vigie::desk::rights::Role;
use vigie::frame::{Digest, EventId};
use vigie::vault::DevicePublic;
use vigie::verify;

fn service() -> Service {
    let service = Service::new();
    service.bring(&[
        (
            event(1),
            vec![Shot::at("2026-11-20T22:15:03"), Shot::at("2026-11-20T22:15:05")],
        ),
        (event(2), vec![Shot::at("2026-11-21T08:00:00")]),
        (event(3), vec![Shot::at("2026-11-21T09:00:00")]),
    ]);
    service
}

#[test]
fn an_event_opens_for_a_motive_alone_and_each_opening_leaves_a_line() {
    let service = service();
    let mut agent = service.agent(1);
    let page = format!("/evenement/{}", event(1));
    let closed = agent.get(&page).expect(StatusCode::OK).text();
    assert!(
        closed.contains("Motif de la consultation") && !closed.contains("<img"),
        "{closed}"
    );
    for path in ["image/1", "apercu/1", "plaque/1/0"] {
        let refused = agent.get(&format!("{page}/{path}"));
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
    }
    for fields in [&[][..], &[("motif", "curiosity")], &[("motif", "")]] {
        let again = agent
            .post(&format!("{page}/ouvrir"), fields)
            .expect(StatusCode::OK);
        assert!(again.text().contains("Motif de la consultation"));
    }
    assert!(service.lines("consulted").is_empty());
    agent
        .post(
            &format!("{page}/ouvrir"),
            &[("motif", "authority"), ("precisions", "réquisition 4-12")],
        )
        .expect(StatusCode::SEE_OTHER);
    let lines = service.lines("consulted");
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["account"], account(1));
    assert_eq!(lines[0]["motive"], "authority");
    assert_eq!(lines[0]["frames"].as_array().map(Vec::len), Some(2));
    assert!(
        !lines[0].to_string().contains("4-12"),
        "words are in a cell, not in the journal"
    );
    let shown = agent.get(&page).expect(StatusCode::OK).text();
    assert!(
        shown.contains("Réquisition") && shown.contains("/image/1"),
        "{shown}"
    );
    // Nobody else has opened it, nor the same agent in another session.
    let path = format!("{page}/image/1");
    assert_eq!(
        service.agent(2).get(&path).status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    service.rig.set_clock("2026-11-22T11:00:01Z");
    assert_eq!(
        service.agent(1).get(&path).status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
}

#[test]
fn the_words_of_a_motive_lie_sealed_and_go_with_the_event() {
    let service = service();
    let mut agent = service.agent(1);
    let words = "demande de Mme Dupont-Exemple";
    let fields = [("motif", "rights"), ("precisions", words)];
    agent
        .post(&format!("/evenement/{}/ouvrir", event(1)), &fields)
        .expect(StatusCode::SEE_OTHER);
    for name in ["store/vault.db", "store/vault.db-wal"] {
        let bytes = fs::read(service.rig.folder.path().join(name)).expect("there");
        assert!(
            !bytes.windows(12).any(|w| w == &words.as_bytes()[14..26]),
            "{name}"
        );
    }
    assert_eq!(
        service.sql::<u32>("SELECT count(*) FROM opening WHERE words IS NOT NULL"),
        1
    );
    agent
        .post(
            &format!("/evenement/{}/ecarter", event(1)),
            &[("version", "1"), ("raison", "duplicate")],
        )
        .expect(StatusCode::SEE_OTHER);
    service.rig.set_clock("2026-11-22T11:01:30Z");
    agent.get("/file").expect(StatusCode::OK);
    assert_eq!(
        service.sql::<u32>("SELECT count(*) FROM opening WHERE words IS NOT NULL"),
        0
    );
}

#[test]
fn every_picture_shown_at_full_size_is_on_record_with_its_hash() {
    let service = service();
    let mut agent = service.agent(1);
    open(&mut agent, event(1));
    let shown = look(&mut agent, event(1), 2);
    look(&mut agent, event(1), 2);
    let lines = service.lines("viewed");
    assert_eq!(lines.len(), 1, "once for each opening: {lines:?}");
    assert_eq!(lines[0]["sha256"], Digest::of(&shown.bytes).to_string());
    assert_eq!(lines[0]["account"], account(1));
    assert_eq!(lines[0]["frame"], 2);
    // The filmstrip and the close-ups are no picture at full size.
    let page = format!("/evenement/{}", event(1));
    for path in ["apercu/1", "plaque/1/0", "plaque/1/0?contraste=1"] {
        let small = agent.get(&format!("{page}/{path}")).expect(StatusCode::OK);
        assert!(image::load_from_memory(&small.bytes).is_ok(), "{path}");
    }
    assert_eq!(service.lines("viewed").len(), 1);
}

#[test]
fn only_what_an_agent_has_seen_can_be_retained() {
    let service = service();
    let mut agent = service.agent(1);
    open(&mut agent, event(1));
    let retain = format!("/evenement/{}/retenir", event(1));
    let fields = [("version", "1")];
    let refused = agent
        .post(&retain, &fields)
        .expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text().contains("pas encore vu"), "{}", refused.text());
    assert_eq!(service.state(event(1)), "seen");
    // That a colleague has seen it does not help.
    let mut other = service.agent(2);
    open(&mut other, event(1));
    look(&mut other, event(1), 1);
    agent
        .post(&retain, &fields)
        .expect(StatusCode::UNPROCESSABLE_ENTITY);
    let shown = look(&mut agent, event(1), 1);
    agent.post(&retain, &fields).expect(StatusCode::SEE_OTHER);
    assert_eq!(service.state(event(1)), "retained");
    let lines = service.lines("retained");
    assert_eq!(lines[0]["frames"], serde_json::json!([Digest::of(&shown.bytes)]));
}

#[test]
fn a_decision_goes_on_to_the_next_event_which_is_opened_for_the_same_motive() {
    let service = service();
    let mut agent = service.agent(1);
    open(&mut agent, event(1));
    look(&mut agent, event(1), 1);
    let page = agent.post(&format!("/evenement/{}/retenir", event(1)), &[("version", "1")]);
    assert_eq!(page.location(), format!("/evenement/{}?", event(2)));
    let lines = service.lines("consulted");
    assert_eq!(lines.len(), 2, "the opening of the next one leaves its line too");
    assert_eq!(lines[1]["motive"], "review");
    let shown = agent.get(page.location()).expect(StatusCode::OK).text();
    assert!(shown.contains("/image/1"), "{shown}");
}

#[test]
fn what_is_put_aside_is_destroyed_with_its_key_at_the_next_decision() {
    let service = service();
    let mut agent = service.agent(1);
    open(&mut agent, event(1));
    let items = service.items();
    let fields = [("version", "1"), ("raison", "false-trigger")];
    agent
        .post(&format!("/evenement/{}/ecarter", event(1)), &fields)
        .expect(StatusCode::SEE_OTHER);
    assert_eq!(service.state(event(1)), "aside");
    assert_eq!(service.items(), items, "nothing is destroyed yet");
    let list = service.agent(2).get("/file").text();
    assert!(
        !list.contains(&format!("/evenement/{}", event(1))),
        "nobody else is offered it"
    );
    agent
        .post(&format!("/evenement/{}/ecarter", event(2)), &fields)
        .expect(StatusCode::SEE_OTHER);
    gone(&service, event(1), "false-trigger");
    assert_eq!(service.state(event(2)), "aside");
}

#[test]
fn what_an_authority_holds_is_not_put_aside_and_nothing_is_held_that_already_was() {
    let service = service();
    let mut agent = service.agent(1);
    let mut chef = service.rig.browser(Role::Chef, &account(9));
    let hold = |id: EventId| {
        [
            ("sur", "evenement".to_owned()),
            ("objet", id.to_string()),
            ("autorite", "procureur".to_owned()),
            ("reference", "parquet 26-117".to_owned()),
            ("motif", "enquête en cours".to_owned()),
            ("fin", "2027-05-20".to_owned()),
        ]
    };
    let put_on = |chef: &mut Browser, id: EventId| {
        let fields = hold(id);
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        chef.post("/echeances/gels/nouveau", &fields)
    };
    put_on(&mut chef, event(1)).expect(StatusCode::SEE_OTHER);
    let aside = |agent: &mut Browser, id: EventId| {
        open(agent, id);
        let version = service.version(id).to_string();
        let fields = [("version", version.as_str()), ("raison", "no-offence")];
        agent.post(&format!("/evenement/{id}/ecarter"), &fields)
    };
    let refused = aside(&mut agent, event(1)).expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused.text().contains("Un gel est en vigueur"),
        "{}",
        refused.text()
    );
    assert_eq!(service.state(event(1)), "seen");
    aside(&mut agent, event(2)).expect(StatusCode::SEE_OTHER);
    let page = put_on(&mut chef, event(2)).expect(StatusCode::OK);
    assert!(page.text().contains("vient d’être écarté"), "{}", page.text());
    chef.post("/echeances/gels/1/lever", &[])
        .expect(StatusCode::SEE_OTHER);
    aside(&mut agent, event(1)).expect(StatusCode::SEE_OTHER);
}

/// Nothing of the event is left but that it was, and a certificate.
fn gone(service: &Service, id: EventId, motive: &str) {
    assert_eq!(service.state(id), "discarded");
    assert!(
        service
            .items()
            .iter()
            .all(|name| !name.starts_with(&id.to_string()))
    );
    for table in ["item", "wrap", "event_frame", "opening", "viewed"] {
        let count = format!("SELECT count(*) FROM {table} WHERE event = '{id}'");
        assert_eq!(service.sql::<u32>(&count), 0, "{table}");
    }
    let lines = service.lines("dismissed");
    let line = lines
        .iter()
        .find(|line| line["event"] == id.to_string())
        .expect("a line");
    assert_eq!(
        (&line["account"], &line["motive"]),
        (&account(1).into(), &motive.into())
    );
    let number = line["number"].as_str().expect("a number");
    let folder = service.rig.folder.path().join("store/certificates");
    let page = fs::read_to_string(folder.join(format!("{number}.txt"))).expect("a page");
    assert!(
        page.contains("CERTIFICAT DE DESTRUCTION") && page.contains("Quai Nord"),
        "{page}"
    );
    assert!(page.lines().all(|line| line.chars().count() <= 78), "{page}");
}

#[test]
fn what_is_put_aside_can_be_taken_back_as_long_as_nothing_is_destroyed() {
    let service = service();
    let mut agent = service.agent(1);
    open(&mut agent, event(1));
    let aside = [("version", "1"), ("raison", "no-offence")];
    let path = format!("/evenement/{}/ecarter", event(1));
    agent.post(&path, &aside).expect(StatusCode::SEE_OTHER);
    let back = agent.post("/reprendre", &[]).expect(StatusCode::SEE_OTHER);
    assert_eq!(back.location(), format!("/evenement/{}?", event(1)));
    assert_eq!(service.state(event(1)), "seen");
    assert_eq!(service.lines("taken_back").len(), 1);
    agent.get(back.location()).expect(StatusCode::OK);
    look(&mut agent, event(1), 1);
    // A minute later there is nothing left to be taken back.
    agent
        .post(&path, &[("version", "3"), ("raison", "no-offence")])
        .expect(StatusCode::SEE_OTHER);
    service.rig.set_clock("2026-11-22T11:01:00Z");
    let late = agent
        .post("/reprendre", &[])
        .expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(late.text().contains("plus rien à reprendre"), "{}", late.text());
    gone(&service, event(1), "no-offence");
}

#[test]
fn what_was_retained_can_be_taken_back_until_it_is_a_file() {
    let service = service();
    let mut agent = service.agent(1);
    open(&mut agent, event(1));
    look(&mut agent, event(1), 1);
    let path = format!("/evenement/{}/retenir", event(1));
    agent
        .post(&path, &[("version", "1")])
        .expect(StatusCode::SEE_OTHER);
    agent.post("/reprendre", &[]).expect(StatusCode::SEE_OTHER);
    assert_eq!(service.state(event(1)), "seen");
    agent
        .post(&path, &[("version", "3")])
        .expect(StatusCode::SEE_OTHER);
    {
        let mut office = service.rig.app.office.lock().expect("the desk");
        let attach = |tx: &mut vigie::vault::Tx<'_>| {
            vigie::desk::events::belongs_to(tx, event(1), 4, Some("00000000000000aa"))
        };
        office.store().transaction(attach).expect("attached");
    }
    agent
        .post("/reprendre", &[])
        .expect(StatusCode::UNPROCESSABLE_ENTITY);
    let fields = [("version", "5"), ("raison", "no-offence")];
    let refused = agent.post(&format!("/evenement/{}/ecarter", event(1)), &fields);
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(service.state(event(1)), "retained");
}

#[test]
fn what_was_put_aside_when_the_desk_stopped_is_destroyed_when_it_opens() {
    let service = service();
    let mut agent = service.agent(1);
    open(&mut agent, event(1));
    let fields = [("version", "1"), ("raison", "no-offence")];
    agent
        .post(&format!("/evenement/{}/ecarter", event(1)), &fields)
        .expect(StatusCode::SEE_OTHER);
    let folder = service.rig.folder.path().to_owned();
    let copy = tempfile::tempdir().expect("a folder");
    copy_all(&folder, copy.path());
    let now = service.rig.now();
    let office = vigie::desk::Office::open(copy.path(), now).expect("the desk");
    let state: String = office
        .desk
        .store
        .sql()
        .query_row(
            "SELECT state FROM event WHERE id = ?",
            [event(1).to_string()],
            |row| row.get(0),
        )
        .expect("a row");
    assert_eq!(state, "discarded");
    assert!(
        fs::read_dir(copy.path().join("store/items"))
            .expect("items")
            .all(|entry| {
                let name = entry.expect("an entry").file_name();
                !name.to_string_lossy().starts_with(&event(1).to_string())
            })
    );
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir_all(to).expect("a folder");
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).expect("its rights");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_all(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}

#[test]
fn of_two_agents_who_decide_at_once_one_does_and_the_other_is_told() {
    let service = service();
    let (mut one, mut other) = (service.agent(1), service.agent(2));
    for browser in [&mut one, &mut other] {
        open(browser, event(1));
        look(browser, event(1), 1);
    }
    let told = other.get(&format!("/evenement/{}", event(1))).text();
    assert!(told.contains("est aussi ouvert par"), "{told}");
    one.post(&format!("/evenement/{}/retenir", event(1)), &[("version", "1")])
        .expect(StatusCode::SEE_OTHER);
    let fields = [("version", "1"), ("raison", "no-offence")];
    let late = other
        .post(&format!("/evenement/{}/ecarter", event(1)), &fields)
        .expect(StatusCode::CONFLICT);
    assert!(
        late.text().contains("Un autre agent a modifié"),
        "{}",
        late.text()
    );
    assert_eq!(service.state(event(1)), "retained");
}

#[test]
fn twenty_agents_at_once_lose_no_decision() {
    let service = Service::new();
    let shots = vec![Shot::at("2026-11-21T08:00:00")];
    let events: Vec<_> = (0..12).map(|nth| (event(nth), shots.clone())).collect();
    service.bring(&events);
    let browsers: Vec<_> = (1..=20)
        .map(|nth| {
            let mut browser = service.agent(nth);
            for (id, _) in &events {
                open(&mut browser, *id);
                look(&mut browser, *id, 1);
            }
            browser
        })
        .collect();
    let done: Vec<Vec<(EventId, StatusCode)>> = std::thread::scope(|scope| {
        let threads: Vec<_> = browsers
            .into_iter()
            .map(|mut browser| {
                let events = &events;
                scope.spawn(move || {
                    let decide = |(id, _): &(EventId, _)| {
                        let page = browser.post(&format!("/evenement/{id}/retenir"), &[("version", "1")]);
                        (*id, page.status)
                    };
                    events.iter().map(decide).collect()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    for (id, _) in &events {
        let of_it = || {
            done.iter()
                .flatten()
                .filter(|(of, _)| of == id)
                .map(|(_, status)| *status)
        };
        assert_eq!(
            of_it().filter(|status| *status == StatusCode::SEE_OTHER).count(),
            1,
            "{id}"
        );
        assert_eq!(
            of_it().filter(|status| *status == StatusCode::CONFLICT).count(),
            19,
            "{id}"
        );
        assert_eq!(service.version(*id), 2);
    }
    assert_eq!(service.lines("retained").len(), 12);
}

#[test]
fn a_page_of_the_list_filters_by_what_it_says() {
    let service = Service::new();
    let night = Shot {
        night: true,
        ..Shot::at("2026-11-20T22:15:03")
    };
    service.bring(&[
        (event(1), vec![night]),
        (event(2), vec![Shot::at("2026-11-21T08:00:00")]),
    ]);
    let mut agent = service.agent(1);
    let mut listed = |query: &str| {
        let page = agent.get(&format!("/file?{query}")).expect(StatusCode::OK).text();
        [1, 2].map(|nth| page.contains(&format!("<a href=\"/evenement/{}", event(nth))))
    };
    assert_eq!(listed(""), [true, true]);
    assert_eq!(listed("lumiere=nuit"), [true, false]);
    assert_eq!(listed("lumiere=jour"), [false, true]);
    assert_eq!(listed("du=2026-11-21"), [false, true]);
    assert_eq!(listed("au=2026-11-20"), [true, false]);
    assert_eq!(listed("piege=demo"), [true, true]);
    assert_eq!(listed("piege=ailleurs"), [false, false]);
    assert_eq!(listed("etat=retenus"), [false, false]);
    assert_eq!(
        listed("etat=tous&piege=%27%20OR%201%3D1"),
        [true, true],
        "no camera is called so"
    );
}

#[test]
fn the_journal_and_the_store_stand_after_a_days_review() {
    let service = service();
    let mut agent = service.agent(1);
    open(&mut agent, event(1));
    look(&mut agent, event(1), 1);
    let mask = [
        ("version", "1"),
        ("place", "1"),
        ("gauche", "10"),
        ("haut", "10"),
        ("largeur", "40"),
        ("hauteur", "40"),
    ];
    agent
        .post(&format!("/evenement/{}/masquer", event(1)), &mask)
        .expect(StatusCode::SEE_OTHER);
    let fields = [("version", "2"), ("raison", "no-offence")];
    agent
        .post(&format!("/evenement/{}/ecarter", event(1)), &fields)
        .expect(StatusCode::SEE_OTHER);
    service.rig.set_clock("2026-11-22T11:02:00Z");
    agent.get("/file").expect(StatusCode::OK);
    let copy = tempfile::tempdir().expect("a folder");
    copy_all(service.rig.folder.path(), copy.path());
    let public = DevicePublic::read_desk(&copy.path().join("desk.pub")).expect("a key");
    let report = verify::store(&copy.path().join("store"), Some(&public)).expect("a store");
    assert!(report.ok, "{report:?}");
}

#[test]
fn neither_dpd_nor_admin_opens_an_event() {
    let service = service();
    for (nth, role) in [(2, Role::Dpd), (3, Role::Admin)] {
        let mut browser = service.rig.browser(role, &account(nth));
        let page = format!("/evenement/{}", event(1));
        for path in ["", "/image/1", "/apercu/1", "/plaque/1/0"] {
            let refused = browser.get(&format!("{page}{path}"));
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        }
    }
    assert!(service.lines("consulted").is_empty());
}
