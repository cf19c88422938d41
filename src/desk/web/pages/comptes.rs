//! The accounts: who has one, making, unlocking, letting in anew, closing.
//!
//! Promises: halves of codes are shown once, on the next page, to whoever asked for them; each act is refused by
//! [`crate::desk::accounts`] where a rule stands against it, whatever the page shows.

use askama::Template;

use crate::desk::accounts::code::Code;
use crate::desk::accounts::invitation::{Drawn, confirm, invite, invite_again, propose, withdraw};
use crate::desk::accounts::{self, Account, By, Keyring, New, Person, State, active, escrow, unlock};
use crate::desk::rights::{Act, Role};
use crate::desk::session::End;
use crate::desk::web::input::{missing, wrong};
use crate::desk::web::{Answer, FieldError, FormPage, Input, Refused, Route, Shell, Visit, dates, get, post};

use super::entree::digest;

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/comptes", Act::ManageAccounts, list),
    get("/comptes/nouveau", Act::ManageAccounts, new),
    post("/comptes/nouveau", Act::ManageAccounts, make),
    get("/comptes/{id}", Act::ManageAccounts, one),
    post("/comptes/{id}/debloquer", Act::ManageAccounts, lift),
    post("/comptes/{id}/inviter", Act::ManageAccounts, again),
    post("/comptes/{id}/reinitialiser", Act::ManageAccounts, reset),
    post("/comptes/{id}/confirmer", Act::ManageAccounts, confirm_access),
    post("/comptes/{id}/retirer", Act::ManageAccounts, withdraw_reset),
    post("/comptes/{id}/fermer", Act::ManageAccounts, close),
];

/// Who acts.
pub fn by(visit: &Visit) -> Result<By<'_>, Refused> {
    let session = visit.session()?;
    Ok(By {
        account: &session.account,
        role: session.role,
    })
}

/// The keys that whoever acts holds.
pub fn keyring(visit: &Visit) -> Result<Keyring, Refused> {
    let session = visit.session()?;
    Ok(Keyring::held(&session.register, session.evidence.as_deref()))
}

fn found(visit: &Visit) -> Result<Account, Refused> {
    let register = &visit.session()?.register;
    let found = accounts::account(visit.office().desk.store.sql(), register, visit.path("id"));
    match found {
        Err(accounts::Error::Refused(accounts::Rule::NoAccount)) => Err(Refused::NotFound),
        found => Ok(found?),
    }
}

/// What is said of an account's state: words, and the class that colours them.
fn state(account: &Account, visit: &Visit) -> (&'static str, &'static str) {
    let pending = account.invitation.as_ref().filter(|open| visit.now < open.until);
    match (account.state, pending) {
        (State::Closed, _) => ("Fermé", ""),
        _ if account.is_locked(visit.now) => ("Bloqué", "urgent"),
        (State::Invited, Some(open)) if open.confirmed.is_none() => ("Accès à confirmer", "bientot"),
        (State::Invited, Some(_)) => ("Première connexion attendue", "bientot"),
        (State::Invited, None) => ("Code expiré", "urgent"),
        (State::Active, Some(open)) if open.confirmed.is_none() => {
            ("Réinitialisation à confirmer", "bientot")
        }
        (State::Active, Some(_)) => ("Nouvel accès attendu", "bientot"),
        (State::Active, None) => ("Actif", "bon"),
    }
}

struct Row {
    id: String,
    name: String,
    login: String,
    role: &'static str,
    state: (&'static str, &'static str),
    entered: String,
}

#[derive(Template)]
#[template(path = "comptes.html")]
struct List {
    shell: Shell,
    rows: Vec<Row>,
    lonely: bool,
    keys: bool,
}

fn list(visit: &Visit) -> Result<Answer, Refused> {
    let session = visit.session()?;
    let (all, chefs, zone) = {
        let office = visit.office();
        let sql = office.desk.store.sql();
        let all = accounts::accounts(sql, &session.register)?;
        (all, active(sql, Role::Chef)?, office.config.time_zone())
    };
    let row = |account: &Account| Row {
        id: account.id.clone(),
        name: account.person.name.clone(),
        login: account.person.login.clone(),
        role: account.role.french(),
        state: state(account, visit),
        entered: account
            .entered
            .map_or_else(|| "jamais".to_owned(), |time| dates::moment(time, &zone)),
    };
    Answer::page(&List {
        rows: all.iter().map(row).collect(),
        lonely: chefs < 2,
        keys: session.role == Role::Chef,
        shell: visit.shell("Comptes"),
    })
}

fn new(visit: &Visit) -> Result<Answer, Refused> {
    new_with(visit, Vec::new())
}

fn new_with(visit: &Visit, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    let by = by(visit)?;
    let roles = Role::ALL.into_iter().filter(|role| by.makes(*role));
    let inputs = [
        Input::text("nom", "Prénom et nom")
            .required()
            .help("Tels qu’ils figurent sur les procès-verbaux."),
        Input::text("identifiant", "Identifiant")
            .required()
            .help("Ce que la personne saisit pour se connecter, par exemple prenom.nom."),
        Input::choice("role", "Rôle", roles.map(|role| (role.as_str(), role.french()))).required(),
    ];
    FormPage::new(visit, "Nouveau compte", "/comptes/nouveau", "Créer le compte")
        .lead("Un compte appartient à une seule personne. La première moitié d’un code à usage unique, valable trois jours, sera affichée une fois : remettez-la en main propre. Une autre personne, chef de service ou administrateur, confirmera l’accès sur la page du compte et remettra la seconde.")
        .link("/comptes", "Revenir aux comptes")
        .answer(visit, inputs, errors)
}

fn make(visit: &Visit) -> Result<Answer, Refused> {
    let labels = [
        ("nom", "Prénom et nom"),
        ("identifiant", "Identifiant"),
        ("role", "Rôle"),
    ];
    let mut errors = missing(visit, &labels);
    let by = by(visit)?;
    let role = Role::ALL
        .into_iter()
        .find(|role| visit.field("role") == Some(role.as_str()));
    let person = Person {
        name: visit.field("nom").unwrap_or_default().to_owned(),
        login: visit.field("identifiant").unwrap_or_default().to_owned(),
    };
    if person.name.chars().count() > 80 {
        errors.extend(wrong("nom", "Prénom et nom : 80 caractères au plus."));
    }
    if person.login.chars().count() > 40 || person.login.chars().any(char::is_whitespace) {
        errors.extend(wrong(
            "identifiant",
            "Identifiant : 40 caractères au plus, sans espace.",
        ));
    }
    let role = match role.filter(|role| by.makes(*role)) {
        Some(role) if errors.is_empty() => role,
        Some(_) => return new_with(visit, errors),
        None => {
            if visit.field("role").is_some() {
                errors.extend(wrong("role", "Rôle : choisissez l’un des rôles proposés."));
            }
            return new_with(visit, errors);
        }
    };
    let login = digest(visit, &person.login)?;
    let drawn = Drawn::draw()?;
    let keyring = keyring(visit)?;
    let new = New {
        role,
        person: &person,
        login,
        sheet: None,
    };
    let invited = invite(visit.office().store(), &keyring, by, &new, &drawn, visit.now);
    match invited {
        Ok((id, half)) => {
            visit.flash(format!("Compte créé pour {}. {}", person.name, first_half(&half)));
            Answer::see_other(format!("/comptes/{id}"))
        }
        Err(accounts::Error::Refused(accounts::Rule::LoginTaken)) => {
            new_with(visit, wrong("identifiant", accounts::Rule::LoginTaken.french()))
        }
        Err(error) => Err(error.into()),
    }
}

/// What may be done to the account, by whoever looks at it.
#[derive(Default)]
struct May {
    unlock: bool,
    again: bool,
    reset: bool,
    confirm: bool,
    withdraw: bool,
    close: bool,
}

#[derive(Template)]
#[template(path = "compte.html")]
struct One {
    shell: Shell,
    id: String,
    version: i64,
    login: String,
    role: &'static str,
    state: (&'static str, &'static str),
    made: String,
    entered: String,
    noticed: String,
    codes_left: usize,
    failures: u32,
    proposed: Option<String>,
    sheet: bool,
    may: May,
}

fn one(visit: &Visit) -> Result<Answer, Refused> {
    let account = found(visit)?;
    let by = by(visit)?;
    let register = &visit.session()?.register;
    let (zone, names) = {
        let office = visit.office();
        (
            office.config.time_zone(),
            accounts::accounts(office.desk.store.sql(), register)?,
        )
    };
    let name = |id: &str| {
        if id == escrow::SAFE {
            return "la clé de secours du coffre".to_owned();
        }
        let named = names.iter().find(|account| account.id == id);
        named.map_or_else(|| id.to_owned(), |account| account.person.name.clone())
    };
    let moment =
        |time: Option<_>| time.map_or_else(|| "jamais".to_owned(), |time| dates::moment(time, &zone));
    let open = account.invitation.as_ref().filter(|open| visit.now < open.until);
    let proposed = open.map(|open| {
        let until = dates::moment(open.until, &zone);
        let what = if open.reset {
            "Nouvel accès"
        } else {
            "Premier accès"
        };
        let by = name(&open.proposed);
        match &open.confirmed {
            None => format!("{what} proposé par {by}, à confirmer par une autre personne avant le {until}."),
            Some(confirmed) => format!(
                "{what} proposé par {by}, confirmé par {} : le code est valable jusqu’au {until}.",
                name(confirmed)
            ),
        }
    });
    let own = by.account == account.id;
    let active = account.state == State::Active;
    let may = May {
        unlock: !own && account.failures.is_some(),
        again: account.state == State::Invited && by.makes(account.role),
        reset: !own && active && open.is_none() && (by.role == Role::Chef || by.makes(account.role)),
        confirm: open.is_some_and(|open| open.confirmed.is_none() && open.proposed != by.account && !own),
        withdraw: open.is_some_and(|open| open.reset),
        close: !own && account.state != State::Closed && by.closes(account.role),
    };
    Answer::page(&One {
        shell: visit.shell(account.person.name.clone()),
        state: state(&account, visit),
        made: dates::moment(account.made, &zone),
        entered: moment(account.entered),
        noticed: moment(account.noticed),
        codes_left: account.codes_left,
        failures: account.failures.map_or(0, |failures| failures.count),
        version: account.version,
        role: account.role.french(),
        login: account.person.login,
        sheet: account.role.holds_evidence() && by.role == Role::Chef,
        id: account.id,
        proposed,
        may,
    })
}

fn back(visit: &Visit, message: String) -> Result<Answer, Refused> {
    visit.flash(message);
    Answer::see_other(format!("/comptes/{}", visit.path("id")))
}

fn lift(visit: &Visit) -> Result<Answer, Refused> {
    let account = found(visit)?;
    let register = &visit.session()?.register;
    unlock(
        visit.office().store(),
        register,
        by(visit)?,
        &account.id,
        visit.now,
    )?;
    back(
        visit,
        "Le blocage est levé : la personne peut se connecter aussitôt.".to_owned(),
    )
}

fn again(visit: &Visit) -> Result<Answer, Refused> {
    let (account, drawn) = (found(visit)?, Drawn::draw()?);
    let at = (account.id.as_str(), visit.version()?);
    let keyring = keyring(visit)?;
    let half = invite_again(
        visit.office().store(),
        &keyring,
        by(visit)?,
        at,
        &drawn,
        visit.now,
    )?;
    back(
        visit,
        format!(
            "Nouveau code établi ; l’ancien n’ouvre plus rien. {}",
            first_half(&half)
        ),
    )
}

fn reset(visit: &Visit) -> Result<Answer, Refused> {
    let (account, drawn) = (found(visit)?, Drawn::draw()?);
    let at = (account.id.as_str(), visit.version()?);
    let keyring = keyring(visit)?;
    let half = propose(
        visit.office().store(),
        &keyring,
        by(visit)?,
        at,
        &drawn,
        visit.now,
    )?;
    back(visit, format!("Réinitialisation proposée. {}", first_half(&half)))
}

fn first_half(half: &Code) -> String {
    format!(
        "Première moitié du code, affichée cette seule fois : {half}. Remettez-la à la personne. Un autre chef de service ou l’administrateur doit confirmer et lui remettra la seconde ; d’ici là, le code n’ouvre rien."
    )
}

fn confirm_access(visit: &Visit) -> Result<Answer, Refused> {
    let account = found(visit)?;
    let at = (account.id.as_str(), visit.version()?);
    let register = &visit.session()?.register;
    let half = confirm(visit.office().store(), register, by(visit)?, at, visit.now)?;
    back(
        visit,
        format!(
            "Accès confirmé. Seconde moitié du code, affichée cette seule fois : {half}. Assurez-vous de l’identité de la personne avant de la lui remettre."
        ),
    )
}

fn withdraw_reset(visit: &Visit) -> Result<Answer, Refused> {
    let account = found(visit)?;
    let at = (account.id.as_str(), visit.version()?);
    withdraw(visit.office().store(), by(visit)?, at, visit.now)?;
    back(
        visit,
        "La réinitialisation est retirée : l’accès précédent reste en vigueur.".to_owned(),
    )
}

fn close(visit: &Visit) -> Result<Answer, Refused> {
    let account = found(visit)?;
    if visit.field("definitif").is_none() {
        return back(
            visit,
            "Rien n’est fait : cochez la case avant de fermer le compte.".to_owned(),
        );
    }
    let at = (account.id.as_str(), visit.version()?);
    let register = &visit.session()?.register;
    accounts::close(visit.office().store(), register, by(visit)?, at, visit.now)?;
    visit
        .app
        .sessions
        .end_all_of(&account.id, End::Account, visit.now);
    visit.app.sweep()?;
    back(
        visit,
        "Le compte est fermé : ses clés, son second facteur et son identifiant sont détruits.".to_owned(),
    )
}
