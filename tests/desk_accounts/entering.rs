//! Logging in, with a password and a code; sessions, their ends, and the notice before anything else.

use axum::http::StatusCode;

use crate::desk_kit::people::Town;
use crate::{fail, lines};

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
