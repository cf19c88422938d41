//! Who gets into the desk, how, and who does not: through the pages themselves.
#![cfg(feature = "desk")]

#[path = "../desk_kit/mod.rs"]
mod desk_kit;
mod entering;
mod secrets;
mod standing;
mod two_people;

use axum::http::StatusCode;
use desk_kit::people::Someone;
use desk_kit::{Browser, Rig};
use vigie::desk::accounts::totp::Secret;
use vigie::desk::rights::allowed;
use vigie::desk::web::{Route, Verb, routes};

/// What stands between two marks of a page.
fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let (_, rest) = text
        .split_once(start)
        .unwrap_or_else(|| panic!("{start} in {text}"));
    rest.split_once(end).expect("an end").0
}

/// The second factor that a page's square shows, as it is typed.
fn secret_of(page: &str) -> Secret {
    let typed = between(page, "Saisissez cette clé dans l’application : <code>", "</code>").replace(' ', "");
    let bytes = totp_rs::Secret::try_from_base32(&typed).expect("base32");
    Secret::from_bytes(bytes.as_bytes()).expect("20 bytes")
}

/// A code shown once.
fn code_of(page: &str) -> String {
    between(page, "affichée cette seule fois : ", ".")
        .trim()
        .to_owned()
}

/// Whether evidence is shown to whoever is logged in there: by the session, and by every page that shows some.
fn sees_evidence(rig: &Rig, browser: &mut Browser) -> bool {
    let idle = jiff::SignedDuration::from_mins(15);
    let token = browser.token.clone().expect("a cookie");
    let session = rig.app.sessions.find(&token, rig.now(), idle).expect("a session");
    let today = rig.now().0.in_tz("Europe/Paris").expect("a zone").date();
    let sees = session.sheet_until.is_some_and(|until| until >= today);
    let shows = |route: &&Route| {
        route.method == Verb::Get && route.act.needs_sheet() && allowed(session.role, route.act)
    };
    for route in routes().filter(shows) {
        let parts = route
            .path
            .split('/')
            .map(|part| if part.starts_with('{') { "0" } else { part });
        let status = browser.get(&parts.collect::<Vec<_>>().join("/")).status;
        assert_eq!(status == StatusCode::FORBIDDEN, !sees, "{}", route.path);
    }
    sees
}

fn lines(rig: &Rig, kind: &str) -> Vec<String> {
    let office = rig.app.office.lock().expect("the office");
    let sql = office.desk.store.sql();
    let mut all = sql
        .prepare("SELECT body FROM journal WHERE kind = ? ORDER BY seq")
        .expect("a journal");
    let bodies = all.query_map([kind], |row| row.get(0)).expect("lines");
    bodies.collect::<Result<_, _>>().expect("lines")
}

const GOOD: &str = "tilleul fleuri du quai nord";

fn choose(browser: &mut Browser, rig: &Rig, to: &str, more: &[(&str, &str)]) -> (Secret, desk_kit::Page) {
    let page = browser.get(if to.starts_with("/mise") {
        "/mise-en-service/suite"
    } else {
        to
    });
    let secret = secret_of(&page.expect(StatusCode::OK).text());
    let code = secret.code_at(rig.now());
    let fields = [
        &[("mot_de_passe", GOOD), ("encore", GOOD), ("code", code.as_str())],
        more,
    ]
    .concat();
    let page = browser.post(to, &fields);
    (secret, page)
}

const SHEET: [(&str, &str); 13] = [
    ("service", "Service de lutte contre les incivilités"),
    ("qualite", "Chef de service"),
    ("numero", "C-1"),
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

/// Sends a wrong password, some time later.
fn fail(rig: &Rig, login: &str) -> String {
    let fields = [
        ("identifiant", login),
        ("mot_de_passe", "not that one at all"),
        ("code", "123456"),
    ];
    rig.stranger().post("/entree", &fields).text()
}

/// Confirms an access through the page of the account; the second half of its code.
fn confirm(by: &mut Browser, path: &str) -> String {
    let version = between(&by.get(path).text(), "name=\"version\" value=\"", "\"").to_owned();
    by.post(&format!("{path}/confirmer"), &[("version", &version)])
        .expect(StatusCode::SEE_OTHER);
    code_of(&by.get(path).text())
}

/// Makes an account through the pages, by two people; its id and its code.
fn invite(by: &mut Browser, other: &mut Browser, login: &str, role: &str) -> (String, String) {
    let fields = [
        ("nom", "Ondine Lespinasse"),
        ("identifiant", login),
        ("role", role),
    ];
    let page = by.post("/comptes/nouveau", &fields);
    let path = page.location().to_owned();
    assert!(path.starts_with("/comptes/"), "{}", page.text());
    let first = code_of(&by.get(&path).text());
    assert_eq!(first.len(), 9);
    assert!(!by.get(&path).text().contains(&first), "shown once");
    let second = confirm(other, &path);
    assert!(!other.get(&path).text().contains(&second), "shown once");
    (
        path.trim_start_matches("/comptes/").to_owned(),
        format!("{first} {second}"),
    )
}

/// Comes with a code for the first time; what he logs in with from then on.
fn first_time(rig: &Rig, id: &str, login: &str, code: &str) -> Someone {
    let mut browser = rig.stranger();
    let page = browser.post("/premiere-connexion", &[("identifiant", login), ("code", code)]);
    assert_eq!(page.location(), "/acces", "{}", page.text());
    let (secret, page) = choose(&mut browser, rig, "/acces", &[]);
    assert_eq!(page.location(), "/codes-de-secours", "{}", page.text());
    assert_eq!(browser.get("/").location(), "/entree");
    browser
        .post("/codes-de-secours", &[("copies", "oui")])
        .expect(StatusCode::SEE_OTHER);
    Someone {
        id: id.to_owned(),
        name: "Ondine Lespinasse",
        login: login.to_owned(),
        password: GOOD.to_owned(),
        secret,
        codes: Vec::new(),
    }
}
