//! People with accounts at a desk that is in service.

use std::sync::atomic::{AtomicU32, Ordering};

use vigie::desk::accounts::derive::Cost;
use vigie::desk::accounts::founding::{Founder, found};
use vigie::desk::accounts::sheet::{Basis, Habilitation, Oath, Sheet, Viewing};
use vigie::desk::accounts::{Enrolled, Keyring, New, Person, login_salt, totp};
use vigie::desk::rights::Role;

use super::{Browser, Page, Rig};

/// Cheap: what a test does not look at need not take its time.
const COST: Cost = Cost {
    memory: 64,
    passes: 1,
    lanes: 1,
};

/// Names and texts that no file of the desk may show.
pub const NAMES: [&str; 4] = [
    "Zénobie Quatrelivres",
    "Hippolyte Vaugirault",
    "Ursule Kerguelen",
    "Prosper Yzeure",
];

/// Somebody with an account.
pub struct Someone {
    pub id: String,
    pub name: &'static str,
    pub login: String,
    pub password: String,
    pub secret: totp::Secret,
    pub codes: Vec<String>,
}

impl Someone {
    /// What is sent to the entrance, with the code of now.
    pub fn fields<'a>(&'a self, code: &'a str) -> [(&'static str, &'a str); 3] {
        [
            ("identifiant", &self.login),
            ("mot_de_passe", &self.password),
            ("code", code),
        ]
    }

    /// Logs in with the code of now; accepts the notice where it is asked for.
    pub fn enter(&self, rig: &Rig) -> Browser {
        let mut browser = rig.stranger();
        let page = self.knock(rig, &mut browser);
        if page.location() == "/avis" {
            let accepted = browser.post("/avis", &[("lu", "oui")]);
            assert_eq!(accepted.location(), "/", "{}", accepted.text());
        } else {
            assert_eq!(page.location(), "/", "{}", page.text());
        }
        browser
    }

    /// Sends name, password and the code of now.
    pub fn knock(&self, rig: &Rig, browser: &mut Browser) -> Page {
        // No code twice: the next one is of the next step.
        rig.advance(30);
        let code = self.secret.code_at(rig.now());
        browser.post("/entree", &self.fields(&code))
    }
}

/// A desk in service, with one of each role.
pub struct Town {
    pub rig: Rig,
    /// Where the recovery keys went.
    pub safe: tempfile::TempDir,
    pub admin: Someone,
    pub chef: Someone,
    pub agent: Someone,
    pub dpd: Someone,
}

static NEXT: AtomicU32 = AtomicU32::new(1);

pub fn sheet() -> Sheet {
    let day = |text: &str| text.parse().expect("a day");
    Sheet {
        service: "Service de lutte contre les incivilités".to_owned(),
        quality: "Agent de surveillance de la voie publique".to_owned(),
        number: "A-17".to_owned(),
        habilitation: Habilitation {
            authority: "Maire d'Exemple".to_owned(),
            date: day("2026-01-05"),
            object: "Abandon de déchets".to_owned(),
            until: None,
        },
        oath: Oath {
            tribunal: "tribunal judiciaire d'Exemple".to_owned(),
            date: day("2026-01-20"),
        },
        viewing: Viewing {
            basis: Basis::Agreement,
            authority: "Préfet".to_owned(),
            reference: "2026-77".to_owned(),
            date: day("2026-02-01"),
            until: None,
        },
        trained: day("2025-12-01"),
        suspension: None,
        ended: None,
    }
}

struct Ready {
    person: Person,
    password: String,
    secret: totp::Secret,
    enrolled: Enrolled,
}

fn ready(name: &'static str) -> Ready {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let password = format!("tilleul fleuri du quai {number}");
    let secret = totp::Secret::draw().expect("randomness");
    Ready {
        person: Person {
            name: name.to_owned(),
            login: format!(
                "{}.{number}",
                name.split(' ').next_back().unwrap_or_default().to_lowercase()
            ),
        },
        enrolled: Enrolled::new(&password, secret.clone(), 0, COST).expect("enrolled"),
        password,
        secret,
    }
}

impl Ready {
    fn someone(self, id: String, name: &'static str) -> Someone {
        Someone {
            id,
            name,
            login: self.person.login,
            password: self.password,
            codes: self.enrolled.codes().iter().map(ToString::to_string).collect(),
            secret: self.secret,
        }
    }
}

/// Gives somebody an account at a desk whose keys are the kit's own.
pub fn enrolled(rig: &Rig, role: Role, name: &'static str) -> Someone {
    let ready = ready(name);
    let mut office = rig.app.office.lock().expect("the office");
    let salt = login_salt(office.desk.store.sql()).expect("a salt");
    let login = salt.digest_of_login(&ready.person.login).expect("a digest");
    let keyring = Keyring::held(&rig.register, Some(&rig.evidence));
    let id = add(&mut office, &keyring, role, &ready, login, rig);
    ready.someone(id, name)
}

impl Town {
    pub fn new() -> Self {
        Self::prepared(|_| {}, |text| text)
    }

    /// The same, with something done in its folder before it is opened.
    pub fn prepared(prepare: impl FnOnce(&std::path::Path), change: impl FnOnce(String) -> String) -> Self {
        Self::at(Rig::prepared(prepare, change))
    }

    /// Puts this desk into service.
    pub fn at(rig: Rig) -> Self {
        let safe = tempfile::tempdir().expect("a safe");
        for entry in std::fs::read_dir(rig.folder.path().join("keys")).expect("keys") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("recovery") && name.ends_with(".key") {
                std::fs::rename(entry.path(), safe.path().join(name)).expect("into the safe");
            }
        }
        let [admin, chef, agent, dpd] = NAMES.map(ready);
        let mut office = rig.app.office.lock().expect("the office");
        let salt = login_salt(office.desk.store.sql()).expect("a salt");
        let digest = |ready: &Ready| salt.digest_of_login(&ready.person.login).expect("a digest");
        let founder = |ready: &'_ Ready| (digest(ready), ready.password.clone());
        let ((admin_login, admin_password), (chef_login, chef_password)) = (founder(&admin), founder(&chef));
        let folder = rig.folder.path();
        let first = Founder {
            person: &admin.person,
            login: admin_login,
            enrolled: &admin.enrolled,
            password: &admin_password,
        };
        let second = Founder {
            person: &chef.person,
            login: chef_login,
            enrolled: &chef.enrolled,
            password: &chef_password,
        };
        let founded =
            found(office.store(), folder, &first, (&second, &sheet()), rig.now()).expect("in service");
        rig.app.gate.wall_up();
        let agent_id = add(
            &mut office,
            &founded.keyring,
            Role::Agent,
            &agent,
            digest(&agent),
            &rig,
        );
        let dpd_id = add(&mut office, &founded.keyring, Role::Dpd, &dpd, digest(&dpd), &rig);
        drop(office);
        Self {
            admin: admin.someone(founded.admin, NAMES[0]),
            chef: chef.someone(founded.chef, NAMES[1]),
            agent: agent.someone(agent_id, NAMES[2]),
            dpd: dpd.someone(dpd_id, NAMES[3]),
            rig,
            safe,
        }
    }

    /// All of them, with their roles.
    pub fn all(&self) -> [(Role, &Someone); 4] {
        [
            (Role::Admin, &self.admin),
            (Role::Chef, &self.chef),
            (Role::Agent, &self.agent),
            (Role::Dpd, &self.dpd),
        ]
    }
}

fn add(
    office: &mut vigie::desk::Office,
    keyring: &Keyring,
    role: Role,
    ready: &Ready,
    login: vigie::desk::accounts::derive::LoginDigest,
    rig: &Rig,
) -> String {
    let sheet = sheet();
    let new = New {
        role,
        person: &ready.person,
        login,
        sheet: role.holds_evidence().then_some(&sheet),
    };
    let made = office
        .store()
        .transaction(|tx| ready.enrolled.insert(tx, keyring, &new, rig.now()));
    made.expect("an account")
}
