//! The entrance: log-in, first access, recovery codes, the confidentiality notice, log-out.
//!
//! Promises: one page takes name, password and code together, and says of a refusal only how long to wait; whoever
//! comes for the first time chooses a password and a second factor before anything else; codes are shown once; nobody
//! goes further without having accepted the notice of the year.

use std::sync::Mutex;

use askama::Template;
use jiff::civil::Date;
use zeroize::Zeroizing;

use crate::desk::accounts::derive::{Cost, LoginDigest};
use crate::desk::accounts::entry::{Claim, Entered, Notice, Proven, Refusal, enter, notice, settle};
use crate::desk::accounts::invitation::{self, Admitted, Ticket};
use crate::desk::accounts::waiting::Step;
use crate::desk::accounts::{
    Enrolled, accept_notice, account, founding, login_salt, office_keys, password, sheet, totp,
};
use crate::desk::office::Office;
use crate::desk::rights::Act;
use crate::desk::session::{End, Session};
use crate::desk::web::input::{missing, wrong};
use crate::desk::web::{Answer, FieldError, FormPage, Input, Refused, Route, Shell, Visit, dates, get, post};

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/entree", Act::Enter, door),
    post("/entree", Act::Enter, log_in),
    post("/sortie", Act::Own, log_out),
    get("/premiere-connexion", Act::Enter, first),
    post("/premiere-connexion", Act::Enter, first_code),
    get("/acces", Act::Enter, access),
    post("/acces", Act::Enter, choose_access),
    get("/codes-de-secours", Act::Enter, codes),
    post("/codes-de-secours", Act::Enter, copied),
    get("/avis", Act::Enter, notice_page),
    post("/avis", Act::Enter, accept),
];

/// Where whoever has just proven himself goes, with the token under which he waits or is logged in.
pub fn go_on(visit: &Visit, proven: Proven) -> Result<Answer, Refused> {
    let noticed = {
        let office = visit.office();
        account(office.desk.store.sql(), &proven.keyring.register, &proven.account)?.noticed
    };
    match notice(noticed, visit.now) {
        Notice::Due => {
            let token = visit.app.waiting.put(Step::Notice(proven), visit.now)?;
            let to = "/avis".to_owned();
            Ok(Answer::Entered { to, token })
        }
        Notice::Good => begin(visit, proven, None),
        Notice::Soon => begin(
            visit,
            proven,
            Some(
                "L’avis de confidentialité sera à accepter de nouveau dans moins d’un mois : vous pouvez déjà le relire à la page « Mon compte ».",
            ),
        ),
    }
}

/// Begins the session.
fn begin(visit: &Visit, proven: Proven, tell: Option<&str>) -> Result<Answer, Refused> {
    let mut office = visit.office();
    let entered = enter(office.store(), proven, visit.now)?;
    let finished = finished(visit, &mut office, &entered);
    let zone = office.config.time_zone();
    let today = visit.today();
    let admits = sheet::admits(entered.account.sheet.as_ref(), today, &office.config.service);
    drop(office);
    let last_day = |sheet: &sheet::Sheet| sheet.last_day(today).unwrap_or(Date::MAX);
    let sheet_until = admits
        .is_ok()
        .then(|| entered.account.sheet.as_ref().map(last_day))
        .flatten();
    let Entered {
        account,
        keyring,
        evidence,
    } = entered;
    let mut told: Vec<String> = tell.map(str::to_owned).into_iter().chain(finished).collect();
    if let (true, Err(why)) = (account.role.holds_evidence(), admits) {
        told.push(why.french());
    }
    if account.codes_left <= 2 {
        told.push("Il vous reste deux codes de secours au plus : faites-en établir de nouveaux à la page « Mon compte ».".to_owned());
    }
    if let Some(entered) = account.entered {
        told.push(format!("Dernière connexion : {}.", dates::spoken(entered, &zone)));
    }
    if visit.app.sessions.is_open(&account.id) {
        told.push("Une autre session était ouverte avec votre compte : elle vient d’être fermée. Si ce n’était pas vous, prévenez le chef de service.".to_owned());
    }
    let session = Session {
        account: account.id,
        role: account.role,
        name: account.person.name,
        sheet_until,
        register: keyring.register,
        evidence,
        began: visit.now,
        flash: Mutex::new((!told.is_empty()).then(|| told.join(" "))),
    };
    // Whoever was logged in in this browser is not any more, also under another account.
    visit.app.sessions.end(visit.token(), visit.now);
    let begun = visit.app.sessions.begin(session, visit.now);
    let (token, _) = begun.map_err(|error| Refused::Failed(error.to_string()))?;
    visit.app.sweep()?;
    let to = "/".to_owned();
    Ok(Answer::Entered { to, token })
}

/// Ends a set-up that was cut off before the files of the keys were destroyed; what is to be told of it.
fn finished(visit: &Visit, office: &mut Office, entered: &Entered) -> Option<String> {
    let folder = office.folder.clone();
    let account = &entered.account.id;
    let done = office_keys::finish(office.store(), &entered.keyring, &folder, account, visit.now);
    let done = done.and_then(|count| {
        if count > 0 {
            office.desk.read_keys_again(&folder)?;
        }
        Ok(count)
    });
    match done {
        Ok(0) => None,
        Ok(count) => Some(format!(
            "Des clés du service se trouvaient encore en clair dans le dossier des clés, bien qu’au trousseau : \
             leurs fichiers viennent d’être détruits ({count})."
        )),
        // It keeps nobody out: the start page and the page of keys name it until it is mended.
        Err(error) => {
            tracing::error!(%error, "the folder of the keys cannot be put in order");
            Some(
                "Le dossier des clés du service n’a pu être mis en ordre : prévenez l’administrateur."
                    .to_owned(),
            )
        }
    }
}

/// A log-in's digest. Slow: not with the office locked.
pub fn digest(visit: &Visit, login: &str) -> Result<LoginDigest, Refused> {
    let salt = login_salt(visit.office().desk.store.sql())?;
    Ok(salt.digest_of_login(login)?)
}

/// What is said of a refusal.
fn told(visit: &Visit, refusal: Refusal) -> String {
    let zone = visit.office().config.time_zone();
    match refusal {
        Refusal::Wrong => "Connexion refusée : l’identifiant, le mot de passe ou le code ne convient pas. Vérifiez-les, et que l’heure de votre téléphone est exacte.".to_owned(),
        Refusal::Wait(until) => format!(
            "Trop d’essais sans succès avec cet identifiant. Attendez jusqu’au {}, puis recommencez.",
            dates::moment(until, &zone)
        ),
        Refusal::Locked(_) => "Trop d’essais sans succès : cet identifiant est bloqué. Le chef de service ou l’administrateur peut lever le blocage.".to_owned(),
    }
}

fn door(visit: &Visit) -> Result<Answer, Refused> {
    if visit.visitor().is_some() {
        return Answer::see_other("/");
    }
    if !founding::is_founded(visit.office().desk.store.sql())? {
        return Answer::see_other("/mise-en-service");
    }
    door_with(visit, Vec::new())
}

fn door_with(visit: &Visit, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    let zone = visit.office().config.time_zone();
    let ended = visit.app.sessions.ended(visit.token()).map(|ended| match ended.why {
        End::LoggedOut => "Vous êtes déconnecté.".to_owned(),
        End::Idle => "Vous avez été déconnecté : aucune page n’a été demandée pendant le délai prévu.".to_owned(),
        End::TooLong => "Vous avez été déconnecté : une session dure dix heures au plus.".to_owned(),
        End::Replaced => format!(
            "Votre session a été fermée le {} : une autre a été ouverte avec votre compte. Si ce n’était pas vous, prévenez aussitôt le chef de service.",
            dates::moment(ended.at, &zone)
        ),
        End::Sheet => "Votre session a été fermée : votre fiche d’habilitation vient d’être modifiée.".to_owned(),
        End::Account => "Votre session a été fermée : votre compte vient d’être modifié.".to_owned(),
        End::Stopped => "Vous avez été déconnecté : le programme a été arrêté.".to_owned(),
        End::Clock => "Vous avez été déconnecté : l’horloge de la machine a été reculée.".to_owned(),
    });
    let inputs = [
        Input::text("identifiant", "Identifiant")
            .required()
            .autocomplete("username"),
        Input::password("mot_de_passe", "Mot de passe", "current-password").required(),
        Input::code("code", "Code de votre téléphone")
            .required()
            .help("Six chiffres, ou l’un de vos codes de secours si vous n’avez plus votre téléphone."),
    ];
    FormPage::new(visit, "Connexion", "/entree", "Se connecter")
        .attention(ended)
        .link(
            "/premiere-connexion",
            "Première connexion, ou code remis par le service",
        )
        .answer(visit, inputs, errors)
}

fn log_in(visit: &Visit) -> Result<Answer, Refused> {
    let errors = missing(
        visit,
        &[
            ("identifiant", "Identifiant"),
            ("mot_de_passe", "Mot de passe"),
            ("code", "Code"),
        ],
    );
    if !errors.is_empty() {
        return door_with(visit, errors);
    }
    let digest = digest(visit, visit.secret("identifiant"))?;
    let claim = Claim::of(visit.office().desk.store.sql(), digest)?;
    if let Err(refusal) = claim.verdict(visit.now) {
        return door_with(visit, wrong("identifiant", told(visit, refusal)));
    }
    let weighed = claim.weigh(visit.secret("mot_de_passe"), visit.secret("code"), visit.now)?;
    let settled = settle(visit.office().store(), weighed, visit.now)?;
    match settled {
        Ok(proven) => go_on(visit, proven),
        Err(refusal) => door_with(visit, wrong("identifiant", told(visit, refusal))),
    }
}

fn log_out(visit: &Visit) -> Result<Answer, Refused> {
    visit.app.sessions.end(visit.token(), visit.now);
    visit.app.sweep()?;
    Answer::see_other("/entree")
}

fn first(visit: &Visit) -> Result<Answer, Refused> {
    first_with(visit, Vec::new())
}

fn first_with(visit: &Visit, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    let inputs = [
        Input::text("identifiant", "Identifiant").required().autocomplete("username"),
        Input::code("code", "Code à usage unique").required().help(
            "Seize signes, valables trois jours. Deux personnes vous remettent chacune une moitié : saisissez-les l’une après l’autre, celle de la personne qui a créé votre compte ou proposé la réinitialisation d’abord.",
        ),
    ];
    FormPage::new(visit, "Première connexion", "/premiere-connexion", "Continuer")
        .lead("Munissez-vous de votre téléphone et d’une application de codes à usage unique (par exemple FreeOTP ou Aegis).")
        .link("/entree", "Revenir à la connexion")
        .answer(visit, inputs, errors)
}

fn first_code(visit: &Visit) -> Result<Answer, Refused> {
    let errors = missing(
        visit,
        &[("identifiant", "Identifiant"), ("code", "Code à usage unique")],
    );
    if !errors.is_empty() {
        return first_with(visit, errors);
    }
    let digest = digest(visit, visit.secret("identifiant"))?;
    let ticket = Ticket::of(visit.office().desk.store.sql(), digest)?;
    if let Err(refusal) = ticket.verdict(visit.now) {
        return first_with(visit, wrong("identifiant", told(visit, refusal)));
    }
    let weighed = ticket.weigh(visit.secret("code"))?;
    let settled = invitation::settle(visit.office().store(), weighed, visit.now)?;
    let admitted = match settled {
        Ok(admitted) => admitted,
        Err(Refusal::Wrong) => {
            let message = "L’identifiant ou le code ne convient pas, ou le code n’est plus valable. Demandez-en un autre au service.";
            return first_with(visit, wrong("identifiant", message));
        }
        Err(refusal) => return first_with(visit, wrong("identifiant", told(visit, refusal))),
    };
    let secret = totp::Secret::draw()?;
    let token = visit
        .app
        .waiting
        .put(Step::Enrol { admitted, secret }, visit.now)?;
    let to = "/acces".to_owned();
    Ok(Answer::Entered { to, token })
}

/// The fields by which somebody chooses password and second factor.
pub fn access_inputs() -> [Input; 3] {
    [
        Input::password("mot_de_passe", "Mot de passe", "new-password").required().help(
            "12 caractères au moins avec majuscule, minuscule, chiffre et signe, ou une phrase d’au moins 20 caractères.",
        ),
        Input::password("encore", "Mot de passe, une seconde fois", "new-password").required(),
        Input::code("code", "Code affiché par votre téléphone").required().help("Six chiffres, après avoir lu le carré ci-dessus."),
    ]
}

#[derive(Template)]
#[template(path = "carre.html")]
struct Square<'s> {
    svg: &'s str,
    typed: &'s str,
}

/// The QR code with what to do with it.
pub fn square(secret: &totp::Secret, login: &str) -> Result<String, Refused> {
    let (svg, typed) = (secret.qr(login)?, secret.to_type());
    let square = Square {
        svg: &svg,
        typed: &typed,
    };
    Ok(square.render()?)
}

/// What was chosen, if it will do: the password and the step of the code.
pub fn chosen(
    visit: &Visit,
    secret: &totp::Secret,
    names: &[&str],
) -> Result<(Zeroizing<String>, u64), Vec<FieldError>> {
    let mut errors = missing(
        visit,
        &[
            ("mot_de_passe", "Mot de passe"),
            ("encore", "Mot de passe, une seconde fois"),
            ("code", "Code affiché par votre téléphone"),
        ],
    );
    if !errors.is_empty() {
        return Err(errors);
    }
    let password = Zeroizing::new(visit.secret("mot_de_passe").to_owned());
    if let Err(weak) = password::check(&password, visit.secret("encore"), names) {
        let field = if weak == password::Weak::Different {
            "encore"
        } else {
            "mot_de_passe"
        };
        errors.extend(wrong(field, weak.french()));
    }
    let step = secret.check(visit.secret("code"), visit.now, None);
    if step.is_none() {
        errors.extend(wrong(
            "code",
            "Ce code n’est pas celui de ce carré, ou l’heure de votre téléphone n’est pas exacte.",
        ));
    }
    match step {
        Some(step) if errors.is_empty() => Ok((password, step)),
        _ => Err(errors),
    }
}

struct Enrolling {
    secret: totp::Secret,
    account: String,
    register: crate::desk::keyring::RegisterKey,
}

fn enrolling(visit: &Visit) -> Option<Enrolling> {
    let look = |step: &mut Step| match step {
        Step::Enrol { admitted, secret } => Some(Enrolling {
            secret: secret.clone(),
            account: admitted.account.clone(),
            register: admitted.keyring.register.clone(),
        }),
        _ => None,
    };
    visit.app.waiting.with(visit.token(), visit.now, look).flatten()
}

fn access(visit: &Visit) -> Result<Answer, Refused> {
    match enrolling(visit) {
        Some(enrolling) => access_with(visit, &enrolling, Vec::new()),
        None => Answer::see_other("/premiere-connexion"),
    }
}

fn access_with(visit: &Visit, enrolling: &Enrolling, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    let person = account(
        visit.office().desk.store.sql(),
        &enrolling.register,
        &enrolling.account,
    )?
    .person;
    FormPage::new(visit, "Choisir votre accès", "/acces", "Enregistrer")
        .lead(format!("Vous êtes {}. Choisissez un mot de passe que personne d’autre ne connaît, et reliez votre téléphone.", person.name))
        .figure(square(&enrolling.secret, &person.login)?)
        .answer(visit, access_inputs(), errors)
}

fn choose_access(visit: &Visit) -> Result<Answer, Refused> {
    let Some(enrolling) = enrolling(visit) else {
        return Answer::see_other("/premiere-connexion");
    };
    let person = account(
        visit.office().desk.store.sql(),
        &enrolling.register,
        &enrolling.account,
    )?
    .person;
    let names = [person.name.as_str(), person.login.as_str()];
    let (password, step) = match chosen(visit, &enrolling.secret, &names) {
        Ok(chosen) => chosen,
        Err(errors) => return access_with(visit, &enrolling, errors),
    };
    let enrolled = Enrolled::new(&password, enrolling.secret, step, Cost::PASSWORD)?;
    let Some(Step::Enrol { admitted, .. }) = visit.app.waiting.take(visit.token(), visit.now) else {
        return Answer::see_other("/premiere-connexion");
    };
    finish(visit, admitted, &enrolled)
}

fn finish(visit: &Visit, admitted: Admitted, enrolled: &Enrolled) -> Result<Answer, Refused> {
    let id = admitted.account.clone();
    let proven = invitation::complete(visit.office().store(), admitted, enrolled, visit.now)?;
    // Whoever was logged in with the former password is not any more.
    visit.app.sessions.end_all_of(&id, End::Account, visit.now);
    let codes = enrolled.codes().to_vec();
    let token = visit.app.waiting.put(Step::Codes { codes, proven }, visit.now)?;
    let to = "/codes-de-secours".to_owned();
    Ok(Answer::Entered { to, token })
}

#[derive(Template)]
#[template(path = "codes.html")]
struct Codes {
    codes: Vec<String>,
}

/// The codes, as a piece of a page.
pub fn listed(codes: &[crate::desk::accounts::code::Code]) -> Result<String, Refused> {
    let codes = codes.iter().map(ToString::to_string).collect();
    Ok(Codes { codes }.render()?)
}

/// The page that shows them, and asks whether they were copied.
pub fn codes_page(
    visit: &Visit,
    action: &str,
    listed: String,
    errors: Vec<FieldError>,
) -> Result<Answer, Refused> {
    let inputs = [Input::tick(
        "copies",
        "J’ai copié ces codes et je les garde en lieu sûr, séparés de mon téléphone",
    )
    .required()];
    FormPage::new(visit, "Vos codes de secours", action, "Continuer")
        .lead("Chaque code remplace une fois votre téléphone, si vous le perdez. Ils ne seront plus jamais affichés.")
        .figure(listed)
        .answer(visit, inputs, errors)
}

fn waiting_codes(visit: &Visit) -> Option<Result<String, Refused>> {
    let look = |step: &mut Step| match step {
        Step::Codes { codes, .. } => Some(listed(codes)),
        _ => None,
    };
    visit.app.waiting.with(visit.token(), visit.now, look).flatten()
}

fn codes(visit: &Visit) -> Result<Answer, Refused> {
    match waiting_codes(visit) {
        Some(listed) => codes_page(visit, "/codes-de-secours", listed?, Vec::new()),
        None => Answer::see_other("/entree"),
    }
}

fn copied(visit: &Visit) -> Result<Answer, Refused> {
    let Some(listed) = waiting_codes(visit) else {
        return Answer::see_other("/entree");
    };
    if visit.field("copies").is_none() {
        let errors = wrong("copies", "Cochez cette case quand les codes sont copiés.");
        return codes_page(visit, "/codes-de-secours", listed?, errors);
    }
    match visit.app.waiting.take(visit.token(), visit.now) {
        Some(Step::Codes { proven, .. }) => go_on(visit, proven),
        _ => Answer::see_other("/entree"),
    }
}

#[derive(Template)]
#[template(path = "avis.html")]
struct NoticeText {
    dpd: String,
    years: u8,
}

/// The notice, as a piece of a page.
pub fn notice_text(visit: &Visit) -> Result<String, Refused> {
    let text = {
        let office = visit.office();
        let config = &office.config;
        NoticeText {
            dpd: Shell::contact(config),
            years: config.terms.journal_years,
        }
    };
    Ok(text.render()?)
}

fn notice_page(visit: &Visit) -> Result<Answer, Refused> {
    notice_with(visit, Vec::new())
}

fn notice_with(visit: &Visit, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    let waits = |step: &mut Step| matches!(step, Step::Notice(_));
    if visit.app.waiting.with(visit.token(), visit.now, waits) != Some(true) {
        return Answer::see_other("/entree");
    }
    let inputs = [Input::tick("lu", "J’ai lu cet avis et je m’engage à le respecter").required()];
    FormPage::new(visit, "Avis de confidentialité", "/avis", "Accepter et continuer")
        .lead("Cet avis est à accepter une fois par an.")
        .figure(notice_text(visit)?)
        .answer(visit, inputs, errors)
}

fn accept(visit: &Visit) -> Result<Answer, Refused> {
    if visit.field("lu").is_none() {
        return notice_with(visit, wrong("lu", "Cochez cette case après avoir lu l’avis."));
    }
    match visit.app.waiting.take(visit.token(), visit.now) {
        Some(Step::Notice(proven)) => {
            accept_notice(visit.office().store(), &proven.account, visit.now)?;
            begin(visit, proven, None)
        }
        _ => Answer::see_other("/entree"),
    }
}
