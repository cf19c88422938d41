//! Who holds which keys, how one changes what one logs in with, and what the journal knows of people.

use axum::http::StatusCode;
use vigie::desk::accounts::{self, office_keys};
use vigie::vault::keys::{OfficeIdentity, office_init};

use crate::desk_kit::people::{NAMES, Someone, Town};
use crate::{GOOD, choose, fail, lines, sees_evidence};

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
