//! What takes two people: to put a desk into service, to make an account, to give a lost access back.

use axum::http::StatusCode;

use crate::desk_kit::people::Town;
use crate::desk_kit::{Browser, Rig};
use crate::{GOOD, SHEET, between, choose, code_of, confirm, first_time, invite, lines, sees_evidence};

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
