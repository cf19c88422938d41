//! The service's keys on a desk that is served: the end of a past quarter, the escrow, a set-up that was cut off.
#![cfg(feature = "desk")]

mod desk_kit;
mod review_kit;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use axum::http::StatusCode;
use desk_kit::people::Town;
use desk_kit::{Browser, Page};
use review_kit::{Shot, TrapBox, event};
use vigie::desk::accounts::{escrow, invitation::Drawn, login_salt};
use vigie::desk::backup::{self, Backup, Restore};
use vigie::desk::retention::evidence::Evidence;
use vigie::vault::keys::office_init;
use vigie::vault::{DevicePublic, OfficeKey};

/// A town whose keyring holds the keys of a quarter that is over, with a box that still seals to them.
struct Past {
    town: Town,
    trap: TrapBox,
    stick: tempfile::TempDir,
}

impl Past {
    fn new() -> Self {
        let stick = tempfile::tempdir().expect("a folder");
        let allowed = format!("sticks = [{:?}]", stick.path().display().to_string());
        let mut trap = None;
        let town = Town::prepared(
            |folder| {
                office_init(&folder.join("keys"), "2026-Q2".parse().expect("a quarter")).expect("keys");
                let names = ["service-2026-Q2.pub", "recovery-2026-Q2.pub"];
                trap = Some(TrapBox::sealing_to(folder, names));
            },
            |text| {
                let line = text
                    .lines()
                    .find(|line| line.starts_with("sticks = "))
                    .expect("there")
                    .to_owned();
                text.replace(&line, &allowed)
            },
        );
        Self {
            town,
            trap: trap.expect("enrolled"),
            stick,
        }
    }

    /// An event comes that nothing opens but the past quarter's keys: as it came before the desk wrapped it anew.
    fn bring(&self) {
        let mut store = self.trap.store();
        self.trap.seal(
            &mut store,
            event(1),
            &[Shot::at("2026-11-20T22:14:05")],
            "2026-11-21T06:00:00Z",
        );
        self.trap.bundle(&mut store, self.stick.path());
        let mut agent = self.town.agent.enter(&self.town.rig);
        let folder = self.stick.path().display().to_string();
        agent
            .post("/import", &[("dossier", &folder)])
            .expect(StatusCode::SEE_OTHER);
        self.town.rig.app.importing.finish();
        let page = agent.get("/import/suivi").text();
        assert!(page.contains("Lot vérifié et pris"), "{page}");
        let mut office = self.town.rig.app.office.lock().expect("the desk");
        let forgotten = office.store().transaction(|tx| {
            tx.raw()
                .execute("DELETE FROM wrap", [])
                .map_err(vigie::vault::store::Error::from)
        });
        forgotten.expect("forgotten");
    }

    fn secret(&self) -> Vec<u8> {
        self.one("SELECT secret FROM office_key WHERE epoch = '2026-Q2'")
    }

    fn one<T: rusqlite::types::FromSql>(&self, query: &str) -> T {
        let office = self.town.rig.app.office.lock().expect("the desk");
        office
            .desk
            .store
            .sql()
            .query_row(query, [], |row| row.get(0))
            .expect(query)
    }

    fn lies_in_the_store(&self, bytes: &[u8]) -> bool {
        lies_in(&self.town.rig.folder.path().join("store"), bytes)
    }
}

fn lies_in(folder: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(folder).expect("a folder").any(|entry| {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => lies_in(&path, bytes),
            false => fs::read(&path)
                .expect("read")
                .windows(bytes.len())
                .any(|part| part == bytes),
        }
    })
}

const TO: &str = "/cles/destruction/2026-Q2";

fn carry_out(browser: &mut Browser) -> Page {
    browser.post(&format!("{TO}/executer"), &[("definitif", "oui")])
}

#[test]
fn a_past_quarters_keys_go_by_two_people_with_a_certificate_and_come_back_with_no_backup() {
    let past = Past::new();
    let rig = &past.town.rig;
    let (mut chef, mut admin) = (past.town.chef.enter(rig), past.town.admin.enter(rig));
    let secret = past.secret();
    // The nonce and the beginning of what is wrapped: enough to tell it from anything else.
    let secret = &secret[..64];
    assert!(past.lies_in_the_store(secret));
    let disk = tempfile::tempdir().expect("a disk");
    let copy = disk.path().join("copy");
    let asked = Backup {
        desk: rig.folder.path(),
        to: &copy,
        keys: None,
    };
    backup::backup(asked, rig.now()).expect("a backup");

    assert_eq!(
        carry_out(&mut chef).status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "nobody proposed it"
    );
    chef.post(&format!("{TO}/proposer"), &[])
        .expect(StatusCode::SEE_OTHER);
    let alone = carry_out(&mut chef);
    assert!(
        alone.text().contains("demande deux personnes"),
        "{}",
        alone.text()
    );
    chef.post(&format!("{TO}/retirer"), &[])
        .expect(StatusCode::SEE_OTHER);
    admin
        .post(&format!("{TO}/proposer"), &[])
        .expect(StatusCode::SEE_OTHER);
    assert_eq!(carry_out(&mut admin).status, StatusCode::FORBIDDEN);
    let current = chef.post("/cles/destruction/2026-Q4/proposer", &[]);
    assert!(current.text().contains("n’est pas terminé"), "{}", current.text());
    let unticked = chef.post(&format!("{TO}/executer"), &[]);
    assert_eq!(unticked.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(past.lies_in_the_store(secret));

    let done = carry_out(&mut chef);
    assert_eq!(done.location(), "/certificats", "{}", done.text());
    assert!(!past.lies_in_the_store(secret), "in no file, nor in the log");
    assert_eq!(past.one::<u32>("SELECT count(*) FROM office_key"), 1);
    assert_eq!(
        past.one::<u32>("SELECT count(*) FROM escrow WHERE epoch = '2026-Q2'"),
        0
    );
    let list = chef.get("/certificats").text();
    assert!(list.contains("Clés du 2e trimestre 2026"), "{list}");
    let number: String = past.one("SELECT number FROM certificate WHERE number LIKE 'cles-%'");
    let page = chef.get(&format!("/certificats/{number}")).text();
    assert!(page.contains("CERTIFICAT DE DESTRUCTION DE CLÉS"), "{page}");
    // Nobody who is logged in holds them any more.
    let left = chef.get("/cles").text();
    assert!(
        !left.contains("2e trimestre 2026</td>") && left.contains("4e trimestre 2026"),
        "{left}"
    );

    let back = disk.path().join("back");
    let lists = [rig.folder.path().to_owned()];
    let asked = Restore {
        from: &copy,
        keys: None,
        into: &back,
        erasures: &lists,
        desk: None,
    };
    backup::restore(asked, &Evidence, rig.now()).expect("restored");
    let sql = rusqlite::Connection::open(back.join("store/vault.db")).expect("opened");
    let kept: u32 = sql
        .query_row("SELECT count(*) FROM office_key", [], |row| row.get(0))
        .expect("counted");
    assert_eq!(kept, 1, "the restored desk does not hold it");

    let device = DevicePublic::read_desk(&rig.folder.path().join("desk.pub")).expect("a key");
    let store = disk.path().join("store");
    copied(&rig.folder.path().join("store"), &store);
    let report = vigie::verify::store(&store, Some(&device)).expect("a report");
    assert!(report.ok, "{:?}", report.faults);
    let sql = rusqlite::Connection::open(store.join("vault.db")).expect("opened");
    sql.execute(
        "UPDATE certificate SET page = page || ' ' WHERE number LIKE 'cles-%'",
        [],
    )
    .expect("changed");
    drop(sql);
    let report = vigie::verify::store(&store, Some(&device)).expect("a report");
    assert!(
        report.faults.iter().any(|fault| fault.what.contains("page")),
        "{:?}",
        report.faults
    );
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let to = to.join(path.file_name().expect("a name"));
        match path.is_dir() {
            true => copied(&path, &to),
            false => drop(fs::copy(&path, &to).expect("copied")),
        }
    }
}

#[test]
fn keys_on_which_an_event_hangs_stay_until_it_is_wrapped_anew() {
    let past = Past::new();
    let rig = &past.town.rig;
    past.bring();
    let (mut chef, mut admin) = (past.town.chef.enter(rig), past.town.admin.enter(rig));
    admin
        .post(&format!("{TO}/proposer"), &[])
        .expect(StatusCode::SEE_OTHER);
    let page = chef.get("/cles/destruction").text();
    assert!(
        page.contains("ne s’ouvrent que par ces clés : 1") && !page.contains("/executer"),
        "{page}"
    );
    let refused = carry_out(&mut chef);
    assert!(refused.text().contains("Enveloppez-les"), "{}", refused.text());
    assert_eq!(past.one::<u32>("SELECT count(*) FROM office_key"), 2);
    chef.post("/cles/enveloppes", &[]).expect(StatusCode::SEE_OTHER);
    assert!(
        chef.get("/cles/destruction")
            .text()
            .contains("enveloppés de nouveau : 1")
    );
    carry_out(&mut chef).expect(StatusCode::SEE_OTHER);
    chef.post(&format!("/evenement/{}/ouvrir", event(1)), &[("motif", "review")])
        .expect(StatusCode::SEE_OTHER);
    chef.get(&format!("/evenement/{}/image/1", event(1)))
        .expect(StatusCode::OK);
}

#[test]
fn the_safe_and_the_admin_together_let_a_lone_chef_in_again_and_neither_does_alone() {
    let town = Town::new();
    let rig = &town.rig;
    let recovery = OfficeKey::read(&town.safe.path().join("recovery-2026-Q4.key")).expect("a key");
    let propose = |login: &str, key: &OfficeKey| {
        let mut office = rig.app.office.lock().expect("the desk");
        let login = login_salt(office.desk.store.sql())
            .expect("a salt")
            .digest_of_login(login)
            .expect("derived");
        escrow::open_for(
            office.store(),
            key,
            login,
            &Drawn::draw().expect("drawn"),
            rig.now(),
        )
    };
    let other = tempfile::tempdir().expect("a folder");
    let made = office_init(other.path(), "2026-Q4".parse().expect("a quarter")).expect("keys");
    let foreign = OfficeKey::read(&made.recovery.secret).expect("a key");
    assert!(
        propose(&town.chef.login, &foreign).is_err(),
        "another safe's key opens nothing"
    );
    assert!(
        propose(&town.agent.login, &recovery).is_err(),
        "it is for chefs alone"
    );
    let (id, first) = propose(&town.chef.login, &recovery).expect("proposed");
    assert_eq!(id, town.chef.id);

    let mut alone = rig.stranger();
    let fields = [
        ("identifiant", town.chef.login.as_str()),
        ("code", &first.to_string()),
    ];
    assert!(
        alone
            .post("/premiere-connexion", &fields)
            .text()
            .contains("ne convient pas")
    );

    let mut admin = town.admin.enter(rig);
    let path = format!("/comptes/{id}");
    let page = admin.get(&path).text();
    assert!(page.contains("proposé par la clé de secours du coffre"), "{page}");
    let version = page
        .split("name=\"version\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("one");
    admin
        .post(&format!("{path}/confirmer"), &[("version", version)])
        .expect(StatusCode::SEE_OTHER);
    let told = admin.get(&path).text();
    let second = told
        .split("une seule fois : ")
        .nth(1)
        .or_else(|| told.split("cette seule fois : ").nth(1));
    let second = second
        .and_then(|rest| rest.split('.').next())
        .expect("a half")
        .trim()
        .to_owned();
    let mut chef = rig.stranger();
    let code = format!("{first}{second}");
    let fields = [("identifiant", town.chef.login.as_str()), ("code", code.as_str())];
    let entered = chef.post("/premiere-connexion", &fields);
    assert_eq!(entered.location(), "/acces", "{}", entered.text());
    let lines = |kind: &str| {
        let office = rig.app.office.lock().expect("the desk");
        let count = "SELECT count(*) FROM journal WHERE kind = ?";
        office
            .desk
            .store
            .sql()
            .query_row(count, [kind], |row| row.get::<_, u32>(0))
            .expect("counted")
    };
    assert_eq!((lines("escrowed"), lines("escrow_opened")), (1, 1));
}

#[test]
fn the_keyring_is_sealed_to_no_key_that_no_chef_named() {
    let town = Town::new();
    let rig = &town.rig;
    let stranger = tempfile::tempdir().expect("a folder");
    let made = office_init(stranger.path(), "2027-Q1".parse().expect("a quarter")).expect("keys");
    fs::copy(
        &made.recovery.public,
        rig.folder.path().join("keys/recovery-2027-Q1.pub"),
    )
    .expect("laid there");
    let mut chef = town.chef.enter(rig);
    let count = || {
        let office = rig.app.office.lock().expect("the desk");
        let count = "SELECT count(*) FROM escrow";
        office
            .desk
            .store
            .sql()
            .query_row(count, [], |row| row.get::<_, u32>(0))
            .expect("counted")
    };
    let page = chef.get("/cles").text();
    let name = OfficeKey::read(&made.recovery.secret)
        .expect("a key")
        .recipient()
        .fingerprint()
        .to_string();
    assert!(page.contains(&name), "{page}");
    assert_eq!(
        chef.post("/cles/sequestre", &[]).status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(count(), 1, "looking at it seals nothing");
    chef.post("/cles/sequestre", &[("cle", &name)])
        .expect(StatusCode::SEE_OTHER);
    assert_eq!(count(), 2);
    let mut admin = town.admin.enter(rig);
    assert_eq!(
        admin.post("/cles/sequestre", &[("cle", &name)]).status,
        StatusCode::FORBIDDEN
    );
}

#[test]
fn a_set_up_that_was_cut_off_before_the_key_files_went_is_ended_by_the_next_who_may_and_told_until_then() {
    let mut copied: Option<(PathBuf, Vec<u8>)> = None;
    let town = Town::prepared(
        |folder| {
            let path = folder.join("keys/service-2026-Q4.key");
            copied = Some((path.clone(), fs::read(&path).expect("a key")));
        },
        |text| text,
    );
    let (path, bytes) = copied.expect("a key");
    assert!(!path.exists());
    // As a power cut leaves it: in the keyring, and still in its file.
    fs::write(&path, bytes).expect("written");
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("closed");
    let rig = &town.rig;
    let mut admin = town.admin.enter(rig);
    assert!(admin.get("/").text().contains("en clair sur cette machine"));
    assert!(
        path.exists(),
        "who holds no evidence key cannot prove that it opens"
    );
    let mut agent = town.agent.enter(rig);
    assert!(agent.get("/").text().contains("viennent d’être détruits (1)"));
    assert!(!path.exists());
    assert!(!admin.get("/").text().contains("en clair sur cette machine"));
}

#[test]
fn the_command_line_says_where_the_keys_of_a_served_desk_are_and_what_to_do() {
    let past = Past::new();
    past.bring();
    let folder = past.town.rig.folder.path().to_owned();
    let (stick, safe) = (past.stick, past.town.safe);
    let login = past.town.chef.login.clone();
    let desk_toml = past.town.rig.folder;
    drop(past.town.rig.app);
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_vigie"))
            .args(arguments)
            .output()
            .expect("run");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (desk, keys) = (
        folder.display().to_string(),
        folder.join("keys").display().to_string(),
    );
    let stick = stick.path().display().to_string();
    for arguments in [
        &[
            "keys",
            "destroy-epoch",
            "2026-Q2",
            "--keys",
            &keys,
            "--desk",
            &desk,
            "--plan",
        ][..],
        &["keys", "rewrap", "--desk", &desk],
        &["transfer", "in", &stick, "--desk", &desk],
    ] {
        let (code, _, error) = run(arguments);
        assert_eq!(code, Some(1), "{error}");
        assert!(
            error.contains("keyring") && error.contains("in the browser"),
            "{error}"
        );
    }
    let key = safe.path().join("recovery-2026-Q4.key").display().to_string();
    let (code, told, error) = run(&[
        "desk",
        "recover",
        "--recovery",
        &key,
        "--login",
        &login,
        "--desk",
        &desk,
    ]);
    assert_eq!(code, Some(0), "{error}");
    assert!(
        told.contains("first half of the code") && told.contains("for the minutes"),
        "{told}"
    );
    let (code, _, error) = run(&[
        "desk",
        "recover",
        "--recovery",
        &key,
        "--login",
        "personne",
        "--desk",
        &desk,
    ]);
    assert_eq!(code, Some(1), "{error}");
    drop(desk_toml);
}
