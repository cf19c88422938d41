//! One's own account: what is known of it, a new password, a new telephone, the notice to read again.
//!
//! Promises: whatever changes how one enters asks for the present password and a code of the present telephone (or a
//! recovery code), and is counted as a log-in is when it is wrong.

use askama::Template;

use super::entree::{access_inputs, chosen, digest, notice_text, square};
use crate::desk::accounts::derive::Cost;
use crate::desk::accounts::entry::{Claim, Refusal, renew, settle};
use crate::desk::accounts::sheet::admits;
use crate::desk::accounts::waiting::Step;
use crate::desk::accounts::{self, Account, Enrolled, totp};
use crate::desk::rights::Act;
use crate::desk::web::input::{missing, wrong};
use crate::desk::web::{Answer, FieldError, FormPage, Input, Refused, Route, Shell, Visit, dates, get, post};

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/mon-compte", Act::Own, own),
    get("/mon-compte/avis", Act::Own, notice),
    get("/mon-compte/acces", Act::Own, access),
    post("/mon-compte/acces", Act::Own, prove),
];

fn account(visit: &Visit) -> Result<Account, Refused> {
    let session = visit.session()?;
    Ok(accounts::account(
        visit.office().desk.store.sql(),
        &session.register,
        &session.account,
    )?)
}

#[derive(Template)]
#[template(path = "mon_compte.html")]
struct Own {
    shell: Shell,
    login: String,
    role: &'static str,
    began: String,
    noticed: String,
    codes_left: usize,
    sheet: Option<String>,
    text: Option<String>,
}

fn own(visit: &Visit) -> Result<Answer, Refused> {
    own_with(visit, None)
}

fn notice(visit: &Visit) -> Result<Answer, Refused> {
    own_with(visit, Some(notice_text(visit)?))
}

fn own_with(visit: &Visit, text: Option<String>) -> Result<Answer, Refused> {
    let account = account(visit)?;
    let session = visit.session()?;
    let (zone, service) = {
        let office = visit.office();
        (office.config.time_zone(), office.config.service.clone())
    };
    let today = visit.today();
    let sheet =
        account
            .role
            .holds_evidence()
            .then(|| match admits(account.sheet.as_ref(), today, &service) {
                Err(why) => format!("Non valide : {}.", why.reason()),
                Ok(()) => match account.sheet.as_ref().and_then(|sheet| sheet.last_day(today)) {
                    Some(until) => format!("Valable jusqu’au {}.", dates::long(until)),
                    None => "Valable, sans terme.".to_owned(),
                },
            });
    Answer::page(&Own {
        shell: visit.shell("Mon compte"),
        role: account.role.french(),
        began: dates::moment(session.began, &zone),
        noticed: account
            .noticed
            .map_or_else(|| "jamais".to_owned(), |time| dates::moment(time, &zone)),
        codes_left: account.codes_left,
        login: account.person.login,
        sheet,
        text,
    })
}

fn access(visit: &Visit) -> Result<Answer, Refused> {
    access_with(visit, Vec::new())
}

fn access_with(visit: &Visit, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    let inputs = [
        Input::password("actuel", "Mot de passe actuel", "current-password").required(),
        Input::code("code_actuel", "Code de votre téléphone")
            .required()
            .help("Six chiffres, ou un code de secours."),
    ];
    FormPage::new(visit, "Changer d’accès", "/mon-compte/acces", "Continuer")
        .lead("Vous choisirez ensuite un nouveau mot de passe, relierez un téléphone (le même ou un autre) et recevrez de nouveaux codes de secours. Les anciens ne vaudront plus.")
        .link("/mon-compte", "Revenir à mon compte")
        .answer(visit, inputs, errors)
}

fn prove(visit: &Visit) -> Result<Answer, Refused> {
    let errors = missing(
        visit,
        &[
            ("actuel", "Mot de passe actuel"),
            ("code_actuel", "Code de votre téléphone"),
        ],
    );
    if !errors.is_empty() {
        return access_with(visit, errors);
    }
    let login = digest(visit, &account(visit)?.person.login)?;
    let claim = Claim::of(visit.office().desk.store.sql(), login)?;
    let refusal = match claim.verdict(visit.now) {
        Err(refusal) => Some(refusal),
        Ok(()) => {
            let weighed = claim.weigh(visit.secret("actuel"), visit.secret("code_actuel"), visit.now)?;
            let settled = settle(visit.office().store(), weighed, visit.now)?;
            match settled {
                Ok(proven) => {
                    let secret = totp::Secret::draw()?;
                    let token = visit.app.waiting.put(Step::Renew { proven, secret }, visit.now)?;
                    // Whoever changes his access leaves the desk and comes back with the new one.
                    visit.app.sessions.end(visit.token(), visit.now);
                    visit.app.sweep()?;
                    let to = "/nouvel-acces".to_owned();
                    return Ok(Answer::Entered { to, token });
                }
                Err(refusal) => Some(refusal),
            }
        }
    };
    let message = match refusal {
        Some(Refusal::Wait(_) | Refusal::Locked(_)) => {
            "Trop d’essais sans succès : attendez quelques minutes, ou faites lever le blocage."
        }
        _ => "Le mot de passe ou le code ne convient pas.",
    };
    access_with(visit, wrong("actuel", message))
}

/// The routes of somebody who has proven himself and chooses anew, outside any session.
pub const RENEWING: &[Route] = &[
    get("/nouvel-acces", Act::Enter, choose),
    post("/nouvel-acces", Act::Enter, chosen_anew),
];

struct Renewing {
    secret: totp::Secret,
    person: accounts::Person,
}

fn renewing(visit: &Visit) -> Result<Option<Renewing>, Refused> {
    let look = |step: &mut Step| match step {
        Step::Renew { proven, secret } => Some((
            secret.clone(),
            proven.account.clone(),
            proven.keyring.register.clone(),
        )),
        _ => None,
    };
    let Some((secret, id, register)) = visit.app.waiting.with(visit.token(), visit.now, look).flatten()
    else {
        return Ok(None);
    };
    let person = accounts::account(visit.office().desk.store.sql(), &register, &id)?.person;
    Ok(Some(Renewing { secret, person }))
}

fn choose(visit: &Visit) -> Result<Answer, Refused> {
    match renewing(visit)? {
        Some(renewing) => choose_with(visit, &renewing, Vec::new()),
        None => Answer::see_other("/entree"),
    }
}

fn choose_with(visit: &Visit, renewing: &Renewing, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    FormPage::new(
        visit,
        "Choisir votre nouvel accès",
        "/nouvel-acces",
        "Enregistrer",
    )
    .figure(square(&renewing.secret, &renewing.person.login)?)
    .answer(visit, access_inputs(), errors)
}

fn chosen_anew(visit: &Visit) -> Result<Answer, Refused> {
    let Some(renewing) = renewing(visit)? else {
        return Answer::see_other("/entree");
    };
    let names = [renewing.person.name.as_str(), renewing.person.login.as_str()];
    let (password, step) = match chosen(visit, &renewing.secret, &names) {
        Ok(chosen) => chosen,
        Err(errors) => return choose_with(visit, &renewing, errors),
    };
    let enrolled = Enrolled::new(&password, renewing.secret, step, Cost::PASSWORD)?;
    let Some(Step::Renew { proven, .. }) = visit.app.waiting.take(visit.token(), visit.now) else {
        return Answer::see_other("/entree");
    };
    let proven = renew(visit.office().store(), proven, &enrolled, visit.now)?;
    let codes = enrolled.codes().to_vec();
    let token = visit.app.waiting.put(Step::Codes { codes, proven }, visit.now)?;
    let to = "/codes-de-secours".to_owned();
    Ok(Answer::Entered { to, token })
}
