//! Each role reaches its own routes, and neither a clock that is set back nor a stop gives anybody more.

use axum::http::StatusCode;
use vigie::desk::rights::{Act, allowed};
use vigie::desk::web::{Verb, routes};

use crate::desk_kit;
use crate::desk_kit::people::Town;
use crate::filled;

#[test]
fn each_role_reaches_its_own_routes_with_a_real_log_in_and_no_others() {
    let town = Town::new();
    for (role, someone) in town.all() {
        let mut browser = someone.enter(&town.rig);
        for route in routes().filter(|route| route.method == Verb::Get && route.act != Act::Enter) {
            let page = browser.get(&filled(route.path));
            let forbidden = page.status == StatusCode::FORBIDDEN;
            assert_eq!(
                forbidden,
                !allowed(role, route.act),
                "{role:?} {}: {}",
                route.path,
                page.status
            );
            assert!(
                page.status.as_u16() < 500,
                "{role:?} {}: {}",
                route.path,
                page.text()
            );
        }
    }
}

const SHEET: [(&str, &str); 13] = [
    ("service", "Service de lutte contre les incivilités"),
    ("qualite", "Agent de surveillance de la voie publique"),
    ("numero", "A-17"),
    ("formation", "2025-12-01"),
    ("hab_autorite", "Maire"),
    ("hab_date", "2026-01-05"),
    ("hab_objet", "Abandon de déchets"),
    ("serment_tribunal", "tribunal judiciaire d'Exemple"),
    ("serment_date", "2026-01-20"),
    ("vis_fondement", "agreement"),
    ("vis_autorite", "Préfet"),
    ("vis_reference", "2026-77"),
    ("vis_date", "2026-02-01"),
];

#[test]
fn a_clock_that_is_set_back_makes_no_sheet_valid_again() {
    let town = Town::new();
    let rig = &town.rig;
    let mut chef = town.chef.enter(rig);
    let path = format!("/agents/{}", town.agent.id);
    let page = chef.get(&path).text();
    let version = page
        .split("name=\"version\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let until = [
        ("vis_fin", "2026-11-22"),
        ("version", version.expect("a version")),
    ];
    let page = chef.post(&path, &[&SHEET[..], &until].concat());
    assert_eq!(page.location(), "/agents", "{}", page.text());
    let mut agent = town.agent.enter(rig);
    agent.get("/dossiers").expect(StatusCode::OK);
    // By recovery codes: of a telephone's codes none counts twice, and none from before the last one.
    let enter = |someone: &desk_kit::people::Someone, nth: usize| {
        let mut browser = rig.stranger();
        let page = browser.post("/entree", &someone.fields(&someone.codes[nth]));
        assert_eq!(page.location(), "/", "{}", page.text());
        browser
    };
    // The next day, of which the desk takes note as it does every ten seconds.
    rig.set_clock("2026-11-23T08:00:00Z");
    rig.app.sweep().expect("swept");
    assert_eq!(
        enter(&town.agent, 0).get("/dossiers").status,
        StatusCode::FORBIDDEN
    );
    rig.set_clock("2026-11-22T11:30:00Z");
    assert_eq!(
        enter(&town.agent, 1).get("/dossiers").status,
        StatusCode::FORBIDDEN
    );
    // Until somebody who may says that the date is right.
    let confirmed = enter(&town.chef, 0).post("/echeances/horloge", &[]);
    assert_eq!(confirmed.location(), "/echeances", "{}", confirmed.text());
    enter(&town.agent, 2).get("/dossiers").expect(StatusCode::OK);
}

#[test]
fn a_program_that_stops_writes_down_the_end_of_every_session() {
    let town = Town::new();
    let rig = &town.rig;
    let (_chef, mut agent) = (town.chef.enter(rig), town.agent.enter(rig));
    rig.app.stop().expect("stopped");
    let office = rig.app.office.lock().expect("the desk");
    let ends = "SELECT count(*) FROM journal WHERE kind = 'session_ended' AND body LIKE '%\"stopped\"%'";
    let ends: u32 = office
        .desk
        .store
        .sql()
        .query_row(ends, [], |row| row.get(0))
        .expect("counted");
    assert_eq!(ends, 2);
    drop(office);
    assert_eq!(agent.get("/").location(), "/entree");
}
