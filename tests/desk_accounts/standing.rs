//! Who may no longer: suspended, of another service, with a sheet that ran out; and those who must stay.

use axum::http::StatusCode;
use vigie::desk::accounts::sheet::Suspension;
use vigie::desk::accounts::{self, By};
use vigie::desk::rights::Role;

use crate::desk_kit::Rig;
use crate::desk_kit::people::{Someone, Town, sheet};
use crate::{SHEET, between, first_time, invite, lines, sees_evidence};

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
