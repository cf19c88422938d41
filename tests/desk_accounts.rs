//! Who gets into the desk, how, and who does not: through the pages themselves.
#![cfg(feature = "desk")]

mod desk_kit;

use axum::http::StatusCode;
use desk_kit::people::{NAMES, Someone, Town, sheet};
use desk_kit::{Browser, Rig};
use vigie::desk::accounts::sheet::Suspension;
use vigie::desk::accounts::totp::Secret;
use vigie::desk::accounts::{self, By, office_keys};
use vigie::desk::rights::{Role, allowed};
use vigie::desk::web::{Route, Verb, routes};
use vigie::vault::keys::{OfficeIdentity, office_init};

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

#[test]
fn a_desk_is_put_into_service_by_two_people_with_two_factors_each_or_not_at_all() {
    let rig = Rig::new();
    let keys = rig.folder.path().join("keys");
    let mut browser = rig.stranger();
    assert_eq!(browser.get("/entree").location(), "/mise-en-service");
    // Nothing is reached without the printed code.
    assert_eq!(
        browser.get("/mise-en-service/suite").location(),
        "/mise-en-service"
    );
    assert_eq!(
        browser
            .post("/mise-en-service/fin", &[("exact", "oui"), ("coffre", "oui")])
            .location(),
        "/mise-en-service"
    );
    browser
        .post("/mise-en-service", &[("code", "0000-0000-0000-0000")])
        .expect(StatusCode::OK);
    let visitor = browser.token.clone();
    let code = rig.app.gate.code().expect("a code").to_string();
    assert_eq!(
        browser.post("/mise-en-service", &[("code", &code)]).location(),
        "/mise-en-service/suite"
    );
    assert_ne!(browser.token, visitor, "a token of his own");

    let names = [("nom", "Zénobie Quatrelivres"), ("identifiant", "zenobie")];
    let to = "/mise-en-service/personne";
    // One factor alone is not enough.
    let page = browser.post(
        to,
        &[&names[..], &[("mot_de_passe", GOOD), ("encore", GOOD)]].concat(),
    );
    assert!(
        page.text()
            .contains("Code affiché par votre téléphone : ce champ est obligatoire")
    );
    let (_, page) = choose(&mut browser, &rig, to, &names);
    assert_eq!(page.location(), "/mise-en-service/suite", "{}", page.text());
    // The codes must be said to be copied before anything else.
    assert!(
        browser
            .get("/mise-en-service/suite")
            .text()
            .contains("codes de secours")
    );
    assert_eq!(
        browser
            .post("/mise-en-service/codes", &[("copies", "oui")])
            .location(),
        "/mise-en-service/suite"
    );

    let same = [&[("nom", "Autre"), ("identifiant", "Zenobie")], &SHEET[..]].concat();
    let (_, page) = choose(&mut browser, &rig, to, &same);
    assert!(page.text().contains("une personne ne tient pas les deux comptes"));
    let without = [("nom", "Hippolyte Vaugirault"), ("identifiant", "hippolyte")];
    let (_, page) = choose(&mut browser, &rig, to, &without);
    assert!(
        page.text()
            .contains("Habilitation : date : ce champ est obligatoire"),
        "{}",
        page.text()
    );
    let (secret, page) = choose(&mut browser, &rig, to, &[&without, &SHEET[..]].concat());
    assert_eq!(page.location(), "/mise-en-service/suite", "{}", page.text());
    browser
        .post("/mise-en-service/codes", &[("copies", "oui")])
        .expect(StatusCode::SEE_OTHER);

    // A recovery key on the machine stops it.
    let page = browser.get("/mise-en-service/suite").text();
    assert!(page.contains("rangez-la au coffre") && page.contains("arrêté préfectoral"));
    let fields = [("exact", "oui"), ("coffre", "oui")];
    assert!(
        browser
            .post("/mise-en-service/fin", &fields)
            .text()
            .contains("rangez-la au coffre")
    );
    assert!(keys.join("service-2026-Q4.key").exists());
    std::fs::remove_file(keys.join("recovery-2026-Q4.key")).expect("into the safe");
    assert!(
        browser
            .post("/mise-en-service/fin", &[("exact", "oui")])
            .text()
            .contains("Cochez cette case")
    );
    let page = browser.post("/mise-en-service/fin", &fields);
    assert_eq!(page.location(), "/entree", "{}", page.text());
    assert!(
        !keys.join("service-2026-Q4.key").exists(),
        "the plain key is destroyed"
    );
    assert!(rig.app.gate.code().is_none());
    assert_eq!(browser.get("/mise-en-service").location(), "/entree");

    rig.advance(30);
    let mut chef = rig.stranger();
    let code = secret.code_at(rig.now());
    let fields = [
        ("identifiant", "hippolyte"),
        ("mot_de_passe", GOOD),
        ("code", &code),
    ];
    assert_eq!(chef.post("/entree", &fields).location(), "/avis");
    assert_eq!(
        chef.get("/").location(),
        "/entree",
        "nobody goes on without the notice"
    );
    assert!(chef.post("/avis", &[]).text().contains("Cochez cette case"));
    assert_eq!(chef.post("/avis", &[("lu", "oui")]).location(), "/");
    assert!(chef.get("/cles").text().contains("4e trimestre 2026"));
}

#[test]
fn a_password_alone_lets_nobody_in_and_the_answer_tells_nothing() {
    let town = Town::new();
    let rig = &town.rig;
    rig.advance(30);
    let code = town.agent.secret.code_at(rig.now());
    let wrong_code = if code == "000000" { "000001" } else { "000000" };
    let (login, password) = (town.agent.login.as_str(), town.agent.password.as_str());
    let attempts = [
        [
            ("identifiant", login),
            ("mot_de_passe", password),
            ("code", wrong_code),
        ],
        [
            ("identifiant", login),
            ("mot_de_passe", "wrong wrong wrong wrong"),
            ("code", &code),
        ],
        [
            ("identifiant", "personne"),
            ("mot_de_passe", password),
            ("code", &code),
        ],
    ];
    // What was sent back of the name differs; nothing else may, but for the form's token.
    let answers = attempts.map(|fields| {
        let mut browser = rig.stranger();
        let csrf = browser.csrf();
        let page = browser.post("/entree", &fields).expect(StatusCode::OK);
        page.text()
            .replace(&csrf, "")
            .replace(login, "NAME")
            .replace("personne\"", "NAME\"")
    });
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    assert!(answers[0].contains("Connexion refusée") && !answers[0].contains(password));
    let mut browser = rig.stranger();
    let missing = browser.post("/entree", &[("identifiant", login), ("mot_de_passe", password)]);
    assert!(missing.text().contains("Code : ce champ est obligatoire"));
    assert_eq!(browser.get("/").location(), "/entree");
}

#[test]
fn a_code_is_good_once_and_a_recovery_code_too() {
    let town = Town::new();
    let rig = &town.rig;
    rig.advance(30);
    let code = town.agent.secret.code_at(rig.now());
    let mut first = rig.stranger();
    assert_eq!(
        first.post("/entree", &town.agent.fields(&code)).location(),
        "/avis"
    );
    let mut second = rig.stranger();
    assert!(
        second
            .post("/entree", &town.agent.fields(&code))
            .text()
            .contains("Connexion refusée")
    );
    let recovery = town.agent.codes[3].to_lowercase();
    assert_eq!(
        second.post("/entree", &town.agent.fields(&recovery)).location(),
        "/avis"
    );
    let mut third = rig.stranger();
    assert!(
        third
            .post("/entree", &town.agent.fields(&recovery))
            .text()
            .contains("Connexion refusée")
    );
    assert_eq!(
        third
            .post("/entree", &town.agent.fields(&town.agent.codes[4]))
            .location(),
        "/avis"
    );
}

/// Sends a wrong password, some time later.
fn fail(rig: &Rig, login: &str) -> String {
    let fields = [
        ("identifiant", login),
        ("mot_de_passe", "not that one at all"),
        ("code", "123456"),
    ];
    rig.stranger().post("/entree", &fields).text()
}

#[test]
fn failures_delay_then_lock_for_a_known_name_as_for_an_unknown_one() {
    let town = Town::new();
    let rig = &town.rig;
    for login in [town.agent.login.as_str(), "nobody.at.all"] {
        for _ in 0..4 {
            assert!(fail(rig, login).contains("Connexion refusée"), "{login}");
        }
        assert!(fail(rig, login).contains("Attendez jusqu’au"), "{login}");
        for wait in [30, 60, 120, 240] {
            rig.advance(wait - 1);
            assert!(
                fail(rig, login).contains("Attendez jusqu’au"),
                "{login} too early"
            );
            rig.advance(1);
            assert!(fail(rig, login).contains("Attendez jusqu’au"), "{login} counted");
        }
        rig.advance(480);
        assert!(fail(rig, login).contains("est bloqué"), "{login}");
    }
    // The right password does not open what is locked, nor does time short of a day.
    rig.advance(3600);
    let mut browser = rig.stranger();
    assert!(town.agent.knock(rig, &mut browser).text().contains("est bloqué"));
    let locked = lines(rig, "account_changed")
        .into_iter()
        .filter(|body| body.contains("\"locked\""));
    assert_eq!(locked.count(), 1);

    let mut chef = town.chef.enter(rig);
    let path = format!("/comptes/{}", town.agent.id);
    assert!(chef.get(&path).text().contains("Lever le blocage"));
    assert_eq!(chef.post(&format!("{path}/debloquer"), &[]).location(), path);
    town.agent.enter(rig);
}

#[test]
fn one_session_for_each_account_and_both_are_told() {
    let town = Town::new();
    let rig = &town.rig;
    let mut older = town.agent.enter(rig);
    older.get("/").expect(StatusCode::OK);
    let mut newer = town.agent.enter(rig);
    assert!(
        newer
            .get("/")
            .text()
            .contains("Une autre session était ouverte avec votre compte")
    );
    assert_eq!(older.get("/").location(), "/entree");
    assert!(
        older
            .get("/entree")
            .text()
            .contains("une autre a été ouverte avec votre compte")
    );
    let ended = lines(rig, "session_ended");
    assert_eq!(
        ended,
        [format!(
            "{{\"account\":\"{}\",\"why\":\"replaced\"}}",
            town.agent.id
        )]
    );
}

#[test]
fn the_session_ends_after_a_quarter_of_an_hour_and_after_ten_hours() {
    let town = Town::new();
    let rig = &town.rig;
    let mut browser = town.dpd.enter(rig);
    rig.advance(15 * 60);
    browser.get("/").expect(StatusCode::OK);
    rig.advance(15 * 60 + 1);
    assert_eq!(browser.get("/").location(), "/entree");
    let mut busy = town.dpd.enter(rig);
    for _ in 0..60 {
        rig.advance(10 * 60);
        busy.get("/").expect(StatusCode::OK);
    }
    rig.advance(60);
    assert_eq!(busy.get("/").location(), "/entree");
    assert!(busy.get("/entree").text().contains("dix heures au plus"));
}

#[test]
fn logging_in_changes_the_cookie_and_logging_out_ends_it() {
    let town = Town::new();
    let rig = &town.rig;
    // A cookie that somebody planted.
    let planted = "f".repeat(64);
    let mut browser = rig.stranger();
    browser.token = Some(planted.clone());
    let page = town.agent.knock(rig, &mut browser);
    assert_eq!(page.location(), "/avis");
    let waiting = browser.token.clone().expect("a cookie");
    assert_ne!(waiting, planted);
    browser
        .post("/avis", &[("lu", "oui")])
        .expect(StatusCode::SEE_OTHER);
    let token = browser.token.clone().expect("a cookie");
    assert!(token != planted && token != waiting);
    for stale in [planted, waiting] {
        let mut thief = rig.stranger();
        thief.token = Some(stale);
        assert_eq!(thief.get("/").location(), "/entree");
        assert_eq!(thief.get("/avis").location(), "/entree");
    }
    assert_eq!(browser.post("/sortie", &[]).location(), "/entree");
    let mut thief = rig.stranger();
    thief.token = Some(token);
    assert_eq!(thief.get("/").location(), "/entree");
}

#[test]
fn whoever_logs_in_where_somebody_else_is_logged_in_takes_his_place() {
    let town = Town::new();
    let rig = &town.rig;
    let mut browser = town.agent.enter(rig);
    let former = browser.token.clone();
    town.dpd.enter(rig);
    rig.advance(30);
    let code = town.dpd.secret.code_at(rig.now());
    assert_eq!(browser.post("/entree", &town.dpd.fields(&code)).location(), "/");
    let mut thief = rig.stranger();
    thief.token = former;
    assert_eq!(thief.get("/").location(), "/entree");
}

#[test]
fn the_notice_is_accepted_every_year_before_anything_else() {
    let town = Town::new();
    let rig = &town.rig;
    town.agent.enter(rig);
    rig.advance(364 * 86_400);
    let mut browser = rig.stranger();
    assert_eq!(town.agent.knock(rig, &mut browser).location(), "/");
    assert!(
        browser
            .get("/")
            .text()
            .contains("L’avis de confidentialité sera à accepter")
    );
    rig.advance(2 * 86_400);
    let mut browser = rig.stranger();
    assert_eq!(town.agent.knock(rig, &mut browser).location(), "/avis");
    assert_eq!(browser.get("/mon-compte").location(), "/entree");
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

#[test]
fn a_chef_makes_an_agents_account_whose_owner_chooses_his_own_access() {
    let town = Town::new();
    let rig = &town.rig;
    let (mut chef, mut admin) = (town.chef.enter(rig), town.admin.enter(rig));
    let (id, code) = invite(&mut chef, &mut admin, "ondine", "agent");
    let page = chef.post(
        "/comptes/nouveau",
        &[("nom", "X"), ("identifiant", "ONDINE"), ("role", "agent")],
    );
    assert!(page.text().contains("déjà celui d’un autre compte"));
    let mut wrong = rig.stranger();
    let page = wrong.post(
        "/premiere-connexion",
        &[("identifiant", "ondine"), ("code", "0000-0000-0000-0000")],
    );
    assert!(page.text().contains("ne convient pas"));
    let ondine = first_time(rig, &id, "ondine", &code);
    let mut again = rig.stranger();
    let page = again.post(
        "/premiere-connexion",
        &[("identifiant", "ondine"), ("code", &code)],
    );
    assert!(page.text().contains("ne convient pas"), "used up");
    let mut browser = ondine.enter(rig);
    // Without a sheet, nothing that shows evidence.
    assert!(browser.get("/").text().contains("aucune fiche d’habilitation"));
    assert!(!sees_evidence(rig, &mut browser));
}

#[test]
fn a_code_lapses_after_three_days_and_another_can_be_drawn() {
    let town = Town::new();
    let rig = &town.rig;
    let (mut chef, mut admin) = (town.chef.enter(rig), town.admin.enter(rig));
    let (id, code) = invite(&mut chef, &mut admin, "ondine", "agent");
    rig.advance(72 * 3600);
    let mut late = rig.stranger();
    let page = late.post(
        "/premiere-connexion",
        &[("identifiant", "ondine"), ("code", &code)],
    );
    assert!(page.text().contains("n’est plus valable"));
    let (mut chef, mut admin) = (town.chef.enter(rig), town.admin.enter(rig));
    let path = format!("/comptes/{id}");
    let version = between(&chef.get(&path).text(), "name=\"version\" value=\"", "\"").to_owned();
    chef.post(&format!("{path}/inviter"), &[("version", &version)])
        .expect(StatusCode::SEE_OTHER);
    let first = code_of(&chef.get(&path).text());
    let second = confirm(&mut admin, &path);
    first_time(rig, &id, "ondine", &format!("{first}{second}"));
}

#[test]
fn nobody_gets_a_second_account_alone_and_so_nobody_approves_his_own_package() {
    let town = Town::new();
    let rig = &town.rig;
    let (mut chef, mut admin) = (town.chef.enter(rig), town.admin.enter(rig));
    for role in ["agent", "chef", "dpd", "admin"] {
        let by = if role == "admin" { &mut admin } else { &mut chef };
        let login = format!("autre.{role}");
        let fields = [("nom", "Autre Nom"), ("identifiant", &login), ("role", role)];
        let path = by.post("/comptes/nouveau", &fields).location().to_owned();
        let page = by.get(&path).text();
        let first = code_of(&page);
        assert_eq!(first.len(), 9, "half of a code alone");
        assert!(page.contains("à confirmer par une autre personne"), "{page}");
        assert!(
            !page.contains(&format!("{path}/confirmer")),
            "no button for whoever made it"
        );
        let version = between(&page, "name=\"version\" value=\"", "\"").to_owned();
        let refused = by.post(&format!("{path}/confirmer"), &[("version", &version)]);
        assert!(
            refused.text().contains("demande deux personnes"),
            "{}",
            refused.text()
        );
        let code = format!("{first}0000-0000");
        for code in [&first, &code] {
            let page = rig
                .stranger()
                .post("/premiere-connexion", &[("identifiant", &login), ("code", code)]);
            assert!(page.text().contains("ne convient pas"), "{role}");
        }
    }
    let told = lines(rig, "account_changed");
    assert!(told.iter().any(|body| body.contains("made")));
    assert!(told.iter().all(|body| !body.contains("\"confirmed\"")));
}

#[test]
fn nobody_makes_accounts_beyond_his_role() {
    let town = Town::new();
    let rig = &town.rig;
    let (mut chef, mut admin) = (town.chef.enter(rig), town.admin.enter(rig));
    for (browser, roles) in [(&mut chef, &["admin"][..]), (&mut admin, &["agent", "chef"])] {
        for role in roles {
            let fields = [("nom", "X Y"), ("identifiant", "x.y"), ("role", role)];
            let page = browser.post("/comptes/nouveau", &fields).text();
            assert!(page.contains("choisissez l’un des rôles proposés"), "{role}");
        }
    }
    // Nor closes the account of who watches over him.
    for watcher in [&town.dpd, &town.admin] {
        let path = format!("/comptes/{}", watcher.id);
        let at = between(&chef.get(&path).text(), "name=\"version\" value=\"", "\"").to_owned();
        let page = chef.post(
            &format!("{path}/fermer"),
            &[("version", &at), ("definitif", "oui")],
        );
        assert!(
            page.text().contains("Votre rôle ne permet pas"),
            "{}",
            page.text()
        );
    }
    let (id, code) = invite(&mut admin, &mut chef, "ondine", "dpd");
    first_time(rig, &id, "ondine", &code);
}

#[test]
fn a_lost_access_takes_two_people_each_with_half_of_the_code() {
    let town = Town::new();
    let rig = &town.rig;
    let mut chef = town.chef.enter(rig);
    let path = format!("/comptes/{}", town.agent.id);
    let version = |browser: &mut Browser| {
        between(&browser.get(&path).text(), "name=\"version\" value=\"", "\"").to_owned()
    };
    let at = version(&mut chef);
    chef.post(&format!("{path}/reinitialiser"), &[("version", &at)])
        .expect(StatusCode::SEE_OTHER);
    let first = code_of(&chef.get(&path).text());
    assert_eq!(first.len(), 9);

    // Not by himself, whatever he sends.
    let at = version(&mut chef);
    let page = chef.post(&format!("{path}/confirmer"), &[("version", &at)]);
    assert!(page.text().contains("demande deux personnes"), "{}", page.text());
    // The half alone opens nothing, nor does the whole before it is confirmed.
    let mut browser = rig.stranger();
    let page = browser.post(
        "/premiere-connexion",
        &[("identifiant", &town.agent.login), ("code", &first)],
    );
    assert!(page.text().contains("ne convient pas"));

    let second = confirm(&mut town.admin.enter(rig), &path);
    let whole = format!("{first}{second}");
    // The former password still opens until the new one is chosen.
    let mut still = town.agent.enter(rig);
    let agent = first_time(rig, &town.agent.id, &town.agent.login, &whole);
    assert_eq!(
        still.get("/").location(),
        "/entree",
        "whoever was logged in is not any more"
    );
    let mut former = rig.stranger();
    assert!(
        town.agent
            .knock(rig, &mut former)
            .text()
            .contains("Connexion refusée")
    );
    let mut browser = agent.enter(rig);
    // The keys came along.
    assert!(sees_evidence(rig, &mut browser));
    let told = lines(rig, "account_changed");
    for what in ["reset_proposed", "reset_confirmed", "enrolled"] {
        assert!(
            told.iter()
                .any(|body| body.contains(what) && body.contains(&town.agent.id)),
            "{what}"
        );
    }
}

#[test]
fn a_proposal_can_be_taken_back_and_nobody_proposes_his_own() {
    let town = Town::new();
    let rig = &town.rig;
    let (mut chef, mut admin) = (town.chef.enter(rig), town.admin.enter(rig));
    let path = format!("/comptes/{}", town.dpd.id);
    let version = |browser: &mut Browser| {
        between(&browser.get(&path).text(), "name=\"version\" value=\"", "\"").to_owned()
    };
    let at = version(&mut admin);
    admin
        .post(&format!("{path}/reinitialiser"), &[("version", &at)])
        .expect(StatusCode::SEE_OTHER);
    let stale = at;
    assert_eq!(
        chef.post(&format!("{path}/confirmer"), &[("version", &stale)])
            .status,
        StatusCode::CONFLICT
    );
    let at = version(&mut chef);
    chef.post(&format!("{path}/retirer"), &[("version", &at)])
        .expect(StatusCode::SEE_OTHER);
    let at = version(&mut chef);
    let page = chef.post(&format!("{path}/confirmer"), &[("version", &at)]);
    assert!(page.text().contains("Aucun accès n’attend"));
    let own = format!("/comptes/{}/reinitialiser", town.chef.id);
    assert!(
        chef.post(&own, &[("version", "2")])
            .text()
            .contains("votre propre compte")
    );
}

#[test]
fn a_suspension_ends_the_session_at_once_and_shows_nothing_more() {
    let town = Town::new();
    let rig = &town.rig;
    let mut agent = town.agent.enter(rig);
    assert!(sees_evidence(rig, &mut agent));
    let mut chef = town.chef.enter(rig);
    let path = format!("/agents/{}", town.agent.id);
    let page = chef.get(&path).text();
    let version = between(&page, "name=\"version\" value=\"", "\"").to_owned();
    let today = [
        ("susp_debut", "2026-11-22"),
        ("susp_motif", "enquête interne"),
        ("version", version.as_str()),
    ];
    let page = chef.post(&path, &[&SHEET[..], &today].concat());
    assert_eq!(page.location(), "/agents", "{}", page.text());
    assert_eq!(agent.get("/").location(), "/entree");
    assert!(
        agent
            .get("/entree")
            .text()
            .contains("fiche d’habilitation vient d’être modifiée")
    );
    let mut agent = town.agent.enter(rig);
    assert!(agent.get("/").text().contains("suspendue depuis le 22/11/2026"));
    assert!(!sees_evidence(rig, &mut agent));
    let told = lines(rig, "account_changed");
    assert!(
        told.iter()
            .any(|body| body.contains("suspended") && body.contains(&town.agent.id))
    );
    assert!(
        told.iter().all(|body| !body.contains("enquête")),
        "the motive in words is no line's"
    );
}

#[test]
fn the_account_of_another_service_sees_nothing() {
    let town = Town::new();
    let rig = &town.rig;
    let mut chef = town.chef.enter(rig);
    let path = format!("/agents/{}", town.agent.id);
    let version = between(&chef.get(&path).text(), "name=\"version\" value=\"", "\"").to_owned();
    let mut fields = SHEET.to_vec();
    fields[0].1 = "Voirie";
    fields.push(("version", &version));
    assert_eq!(chef.post(&path, &fields).location(), "/agents");
    assert!(chef.get("/agents").text().contains("relève d’un autre service"));
    let mut agent = town.agent.enter(rig);
    assert!(agent.get("/").text().contains("relève d’un autre service"));
    assert!(!sees_evidence(rig, &mut agent));
}

#[test]
fn a_sheet_that_runs_out_while_somebody_works_shows_nothing_from_midnight_on() {
    let town = Town::new();
    let rig = &town.rig;
    let mut until = sheet();
    until.habilitation.until = Some("2026-11-22".parse().expect("a day"));
    {
        let mut office = rig.app.office.lock().expect("the office");
        let register = register(rig, &town.chef, &office);
        let at = accounts::account(office.desk.store.sql(), &register, &town.agent.id)
            .expect("found")
            .version;
        let by = By {
            account: &town.chef.id,
            role: Role::Chef,
        };
        let days = ("2026-11-22".parse().expect("a day"), rig.now());
        accounts::set_sheet(office.store(), &register, by, (&town.agent.id, at), &until, days)
            .expect("written");
    }
    rig.set_clock("2026-11-22T22:58:00Z");
    let mut agent = town.agent.enter(rig);
    assert!(sees_evidence(rig, &mut agent));
    // Midnight in Paris is 23:00 UTC.
    rig.set_clock("2026-11-22T23:00:01Z");
    assert!(!sees_evidence(rig, &mut agent));
    agent.get("/mon-compte").expect(StatusCode::OK);
}

/// The register key, as somebody who logs in gets it.
fn register(rig: &Rig, someone: &Someone, office: &vigie::desk::Office) -> vigie::desk::keyring::RegisterKey {
    use vigie::desk::accounts::entry::Claim;
    let salt = accounts::login_salt(office.desk.store.sql()).expect("a salt");
    let digest = salt.digest_of_login(&someone.login).expect("derived");
    let claim = Claim::of(office.desk.store.sql(), digest).expect("read");
    rig.advance(30);
    let code = someone.secret.code_at(rig.now());
    claim
        .proven(&someone.password, &code, rig.now())
        .expect("worked out")
        .expect("proven")
        .keyring
        .register
}

#[test]
fn nobody_lifts_his_own_suspension() {
    let town = Town::new();
    let rig = &town.rig;
    let mut office = rig.app.office.lock().expect("the office");
    let register = register(rig, &town.chef, &office);
    let day = "2026-11-22".parse().expect("a day");
    let by = By {
        account: &town.chef.id,
        role: Role::Chef,
    };
    let mut suspended = sheet();
    suspended.suspension = Some(Suspension {
        from: day,
        until: None,
        motive: "x".to_owned(),
    });
    for (sheet, lets) in [(&suspended, true), (&sheet(), false)] {
        let at = accounts::account(office.desk.store.sql(), &register, &town.chef.id)
            .expect("found")
            .version;
        let now = rig.now();
        let written = accounts::set_sheet(
            office.store(),
            &register,
            by,
            (&town.chef.id, at),
            sheet,
            (day, now),
        );
        assert_eq!(written.is_ok(), lets);
    }
}

#[test]
fn the_last_chef_and_the_last_admin_stay() {
    let town = Town::new();
    let rig = &town.rig;
    let (mut chef, mut admin) = (town.chef.enter(rig), town.admin.enter(rig));
    let (id, code) = invite(&mut chef, &mut admin, "ondine", "chef");
    let own = format!("/comptes/{}/fermer", town.chef.id);
    assert!(
        chef.post(&own, &[("version", "9"), ("definitif", "oui")])
            .text()
            .contains("votre propre compte")
    );
    let ondine = first_time(rig, &id, "ondine", &code);
    let mut second = ondine.enter(rig);
    let path = format!("/comptes/{}", town.chef.id);
    let page = second.post(&format!("{path}/fermer"), &[("version", "2")]);
    assert_eq!(page.location(), path);
    assert!(second.get(&path).text().contains("Rien n’est fait"));
    chef.get("/").expect(StatusCode::OK);
    let at = between(&second.get(&path).text(), "name=\"version\" value=\"", "\"").to_owned();
    second
        .post(
            &format!("{path}/fermer"),
            &[("version", &at), ("definitif", "oui")],
        )
        .expect(StatusCode::SEE_OTHER);
    assert_eq!(chef.get("/").location(), "/entree", "his session ended at once");
    let mut former = rig.stranger();
    assert!(
        town.chef
            .knock(rig, &mut former)
            .text()
            .contains("Connexion refusée")
    );
    // A name that was freed can be taken again.
    invite(&mut second, &mut admin, &town.chef.login, "agent");
}

#[test]
fn the_dpd_and_the_admin_hold_no_key_to_evidence_even_with_the_database() {
    let town = Town::new();
    let office = town.rig.app.office.lock().expect("the office");
    let sql = office.desk.store.sql();
    for (role, someone) in town.all() {
        let salt = accounts::login_salt(sql).expect("a salt");
        let digest = salt.digest_of_login(&someone.login).expect("derived");
        let claim = accounts::entry::Claim::of(sql, digest).expect("read");
        town.rig.advance(30);
        let code = someone.secret.code_at(town.rig.now());
        let proven = claim
            .proven(&someone.password, &code, town.rig.now())
            .expect("worked out")
            .expect("proven");
        let evidence = office_keys::evidence(sql, &proven.keyring).expect("opened");
        assert_eq!(evidence.is_some(), role.holds_evidence(), "{role:?}");
        assert_eq!(
            evidence.map_or(0, |keys| keys.office.len()),
            usize::from(role.holds_evidence())
        );
        // The register key opens no key of the service either.
        let forged = accounts::wrapped::Evidence {
            cells: proven.keyring.register.0.clone(),
            index: proven.keyring.register.0.clone(),
        };
        assert!(office_keys::all(sql, &forged).is_err());
    }
}

#[test]
fn keys_of_a_new_quarter_go_into_the_keyring_and_their_files_go() {
    let town = Town::new();
    let rig = &town.rig;
    let mut agent = town.agent.enter(rig);
    let mut chef = town.chef.enter(rig);
    let keys = rig.folder.path().join("keys");
    let _: OfficeIdentity = office_init(&keys, "2027-Q1".parse().expect("a quarter")).expect("new keys");
    assert!(chef.get("/cles").text().contains("rangez-la au coffre"));
    let page = chef.post("/cles", &[("coffre", "oui")]);
    assert!(page.text().contains("rangez-la au coffre"), "{}", page.text());
    assert!(keys.join("service-2027-Q1.key").exists());
    std::fs::remove_file(keys.join("recovery-2027-Q1.key")).expect("into the safe");
    let public = keys.join("service-2027-Q1.pub");
    let (right, aside) = (
        std::fs::read(&public).expect("a key"),
        tempfile::tempdir().expect("a folder"),
    );
    let _: OfficeIdentity =
        office_init(aside.path(), "2027-Q1".parse().expect("a quarter")).expect("other keys");
    std::fs::copy(aside.path().join("service-2027-Q1.pub"), &public).expect("another's");
    let page = chef.post("/cles", &[("coffre", "oui")]);
    assert!(
        page.text().contains("ne correspond pas à la clé publique"),
        "{}",
        page.text()
    );
    assert!(
        keys.join("service-2027-Q1.key").exists(),
        "what may be needed is not destroyed"
    );
    std::fs::write(&public, right).expect("put back");
    assert!(chef.post("/cles", &[]).text().contains("Assurez-vous d’abord"));
    assert_eq!(chef.post("/cles", &[("coffre", "oui")]).location(), "/cles");
    assert!(!keys.join("service-2027-Q1.key").exists());
    assert!(chef.get("/cles").text().contains("1er trimestre 2027"));
    // Everybody logged in has it, without logging in again.
    let idle = jiff::SignedDuration::from_mins(15);
    let session = rig
        .app
        .sessions
        .find(agent.token.as_deref().expect("a cookie"), rig.now(), idle)
        .expect("a session");
    assert_eq!(session.evidence.as_ref().expect("keys").office.len(), 2);
    assert_eq!(agent.get("/cles").status, StatusCode::FORBIDDEN);
    assert_eq!(lines(rig, "key_taken").len(), 2);
}

#[test]
fn changing_ones_access_takes_the_present_one_and_ends_the_session() {
    let town = Town::new();
    let rig = &town.rig;
    let mut agent = town.agent.enter(rig);
    agent.get("/mon-compte").expect(StatusCode::OK);
    rig.advance(30);
    let code = town.agent.secret.code_at(rig.now());
    let wrong = [("actuel", "not that one at all"), ("code_actuel", code.as_str())];
    assert!(
        agent
            .post("/mon-compte/acces", &wrong)
            .text()
            .contains("ne convient pas")
    );
    let right = [
        ("actuel", town.agent.password.as_str()),
        ("code_actuel", code.as_str()),
    ];
    assert_eq!(
        agent.post("/mon-compte/acces", &right).location(),
        "/nouvel-acces"
    );
    let (secret, page) = choose(&mut agent, rig, "/nouvel-acces", &[]);
    assert_eq!(page.location(), "/codes-de-secours", "{}", page.text());
    assert_eq!(
        agent.post("/codes-de-secours", &[("copies", "oui")]).location(),
        "/"
    );
    assert!(sees_evidence(rig, &mut agent));
    let mut former = rig.stranger();
    assert!(
        town.agent
            .knock(rig, &mut former)
            .text()
            .contains("Connexion refusée")
    );
    let changed = Someone {
        id: town.agent.id.clone(),
        name: town.agent.name,
        login: town.agent.login.clone(),
        password: GOOD.to_owned(),
        secret,
        codes: Vec::new(),
    };
    changed.enter(rig);
}

#[test]
fn the_journal_knows_accounts_by_opaque_ids_alone() {
    let town = Town::new();
    let rig = &town.rig;
    for (_, someone) in town.all() {
        someone.enter(rig);
        fail(rig, &someone.login);
    }
    let all: String = [
        "session_opened",
        "session_refused",
        "account_changed",
        "key_taken",
    ]
    .into_iter()
    .flat_map(|kind| lines(rig, kind))
    .collect();
    for (_, someone) in town.all() {
        assert!(all.contains(&someone.id));
        assert!(!all.contains(&someone.login));
    }
    for part in NAMES.iter().flat_map(|name| name.split(' ')) {
        assert!(!all.contains(part), "{part}");
    }
}
