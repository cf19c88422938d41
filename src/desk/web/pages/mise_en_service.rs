//! Putting the desk into service, in the browser.
//!
//! Promises: nothing begins without the one-time code that was printed where the program runs; each step waits for the
//! one before and none can be left out; until the last one nothing is written, and when it is done the gate is closed
//! for good. The admin and the chef choose their own passwords, and copy their recovery codes, in turn.

use askama::Template;

use super::agents;
use super::entree::{access_inputs, chosen, codes_page, digest, listed, square};
use crate::desk::accounts::derive::Cost;
use crate::desk::accounts::founding::{Founder, found, is_founded};
use crate::desk::accounts::office_keys::Plain;
use crate::desk::accounts::waiting::{Founded, Founding, Step};
use crate::desk::accounts::{self, Enrolled, Person, totp};
use crate::desk::rights::Act;
use crate::desk::web::input::{missing, wrong};
use crate::desk::web::{Answer, FieldError, FormPage, Input, Refused, Route, Visit, dates, get, post};

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/mise-en-service", Act::Enter, gate),
    post("/mise-en-service", Act::Enter, knock),
    get("/mise-en-service/suite", Act::Enter, next),
    post("/mise-en-service/personne", Act::Enter, person),
    post("/mise-en-service/codes", Act::Enter, copied),
    post("/mise-en-service/fin", Act::Enter, end),
];

const NEXT: &str = "/mise-en-service/suite";

fn founded(visit: &Visit) -> Result<bool, Refused> {
    Ok(is_founded(visit.office().desk.store.sql())?)
}

fn gate(visit: &Visit) -> Result<Answer, Refused> {
    gate_with(visit, Vec::new())
}

fn gate_with(visit: &Visit, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    if founded(visit)? {
        return Answer::see_other("/entree");
    }
    let inputs = [Input::code("code", "Code de mise en service")
        .required()
        .help("Seize signes, affichés dans la fenêtre où le programme a été lancé.")];
    FormPage::new(visit, "Mise en service", "/mise-en-service", "Commencer")
        .lead("Ce bureau n’est pas encore en service. Deux personnes sont nécessaires, chacune avec son téléphone : l’administrateur et le chef de service. Comptez dix minutes ; rien n’est enregistré avant la dernière étape.")
        .answer(visit, inputs, errors)
}

fn knock(visit: &Visit) -> Result<Answer, Refused> {
    if founded(visit)? {
        return Answer::see_other("/entree");
    }
    if !visit.app.gate.opens_to(visit.secret("code")) {
        let message = "Ce code n’est pas celui qui est affiché. Après dix essais, le programme doit être relancé : il en affichera un autre.";
        return gate_with(visit, wrong("code", message));
    }
    let founding = Founding {
        admin: None,
        chef: None,
        secret: totp::Secret::draw()?,
        copied: true,
    };
    let token = visit
        .app
        .waiting
        .put(Step::Found(Box::new(founding)), visit.now)?;
    let to = NEXT.to_owned();
    Ok(Answer::Entered { to, token })
}

/// The step at which the set-up stands.
enum At {
    Admin(totp::Secret),
    AdminCodes(String),
    Chef(totp::Secret),
    ChefCodes(String),
    End,
}

fn at(visit: &Visit) -> Result<Option<At>, Refused> {
    let look = |step: &mut Step| {
        let Step::Found(founding) = step else { return None };
        let secret = founding.secret.clone();
        let at = match (&founding.admin, &founding.chef, founding.copied) {
            (None, _, _) => Ok(At::Admin(secret)),
            (Some(admin), None, false) => listed(admin.enrolled.codes()).map(At::AdminCodes),
            (Some(_), None, true) => Ok(At::Chef(secret)),
            (Some(_), Some((chef, _)), false) => listed(chef.enrolled.codes()).map(At::ChefCodes),
            (Some(_), Some(_), true) => Ok(At::End),
        };
        Some(at)
    };
    visit
        .app
        .waiting
        .with(visit.token(), visit.now, look)
        .flatten()
        .transpose()
}

fn next(visit: &Visit) -> Result<Answer, Refused> {
    show(visit, Vec::new())
}

fn show(visit: &Visit, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    match at(visit)? {
        None => Answer::see_other("/mise-en-service"),
        Some(At::Admin(secret)) => person_page(visit, &secret, false, errors),
        Some(At::Chef(secret)) => person_page(visit, &secret, true, errors),
        Some(At::AdminCodes(listed) | At::ChefCodes(listed)) => {
            codes_page(visit, "/mise-en-service/codes", listed, errors)
        }
        Some(At::End) => end_page(visit, errors),
    }
}

fn person_page(
    visit: &Visit,
    secret: &totp::Secret,
    chef: bool,
    errors: Vec<FieldError>,
) -> Result<Answer, Refused> {
    let service = visit.office().config.service.clone();
    let mut inputs = vec![
        Input::text("nom", "Prénom et nom")
            .required()
            .autocomplete("name"),
        Input::text("identifiant", "Identifiant")
            .required()
            .autocomplete("username")
            .help("Ce que vous saisirez pour vous connecter, par exemple prenom.nom."),
    ];
    inputs.extend(access_inputs());
    if chef {
        // No suspension nor end on the first day.
        let sheet = agents::inputs(None, &service);
        inputs.extend(
            sheet
                .into_iter()
                .filter(|input| !["susp_debut", "susp_fin", "susp_motif", "fin"].contains(&input.name())),
        );
    }
    let (title, lead) = match chef {
        false => (
            "Mise en service, étape 1 sur 3 : l’administrateur",
            "L’administrateur tient la machine, les comptes et les sauvegardes. Il ne voit jamais d’image. Il remplit lui-même cette page, avec son téléphone.",
        ),
        true => (
            "Mise en service, étape 2 sur 3 : le chef de service",
            "Au chef de service, maintenant, avec son propre téléphone : il choisit son mot de passe hors de la vue de l’administrateur, et remplit sa fiche d’habilitation.",
        ),
    };
    FormPage::new(visit, title, "/mise-en-service/personne", "Continuer")
        .lead(lead)
        .figure(square(secret, if chef { "chef" } else { "administrateur" })?)
        .answer(visit, inputs, errors)
}

fn person(visit: &Visit) -> Result<Answer, Refused> {
    let (secret, chef) = match at(visit)? {
        Some(At::Admin(secret)) => (secret, false),
        Some(At::Chef(secret)) => (secret, true),
        _ => return Answer::see_other(NEXT),
    };
    let mut errors = missing(visit, &[("nom", "Prénom et nom"), ("identifiant", "Identifiant")]);
    let person = Person {
        name: visit.field("nom").unwrap_or_default().to_owned(),
        login: visit.field("identifiant").unwrap_or_default().to_owned(),
    };
    if person.login.chars().count() > 40 || person.login.chars().any(char::is_whitespace) {
        errors.extend(wrong(
            "identifiant",
            "Identifiant : 40 caractères au plus, sans espace.",
        ));
    }
    let choice =
        chosen(visit, &secret, &[&person.name, &person.login]).map_err(|faults| errors.extend(faults));
    let sheet = chef
        .then(|| agents::read(visit).map_err(|faults| errors.extend(faults)).ok())
        .flatten();
    let Ok((password, step)) = choice else {
        return show(visit, errors);
    };
    if !errors.is_empty() {
        return show(visit, errors);
    }
    let login = digest(visit, &person.login)?;
    let enrolled = Enrolled::new(&password, secret, step, Cost::PASSWORD)?;
    let fresh = totp::Secret::draw()?;
    let ready = Founded {
        person,
        login,
        enrolled,
        password,
    };
    let put = |step: &mut Step| match step {
        Step::Found(founding) => put_in(founding, ready, sheet, fresh),
        _ => Err("Recommencez la mise en service."),
    };
    match visit.app.waiting.with(visit.token(), visit.now, put) {
        Some(Ok(())) => Answer::see_other(NEXT),
        Some(Err(message)) => show(visit, wrong("identifiant", message)),
        None => Answer::see_other("/mise-en-service"),
    }
}

fn put_in(
    founding: &mut Founding,
    ready: Founded,
    sheet: Option<accounts::sheet::Sheet>,
    fresh: totp::Secret,
) -> Result<(), &'static str> {
    match (&founding.admin, sheet) {
        (None, None) => founding.admin = Some(ready),
        (Some(admin), Some(_)) if admin.login == ready.login => {
            return Err(
                "Cet identifiant est celui de l’administrateur : une personne ne tient pas les deux comptes.",
            );
        }
        (Some(_), Some(sheet)) => founding.chef = Some((ready, sheet)),
        _ => return Err("Cette étape est déjà faite : rouvrez la page."),
    }
    founding.secret = fresh;
    founding.copied = false;
    Ok(())
}

fn copied(visit: &Visit) -> Result<Answer, Refused> {
    if visit.field("copies").is_none() {
        return show(
            visit,
            wrong("copies", "Cochez cette case quand les codes sont copiés."),
        );
    }
    visit.app.waiting.with(visit.token(), visit.now, |step| {
        if let Step::Found(founding) = step {
            founding.copied = true;
        }
    });
    Answer::see_other(NEXT)
}

struct Camera {
    id: String,
    site: String,
    regime: String,
}

#[derive(Template)]
#[template(path = "mise_en_service.html")]
struct Summary {
    commune: String,
    service: String,
    tribunal: String,
    cameras: Vec<Camera>,
    keys: Vec<(String, String)>,
}

fn summary(visit: &Visit, plain: &Plain) -> Summary {
    let office = visit.office();
    let config = &office.config;
    let cameras = config.camera.iter().map(|camera| Camera {
        id: camera.id.to_string(),
        site: camera.site.clone(),
        regime: format!(
            "{}, {}, du {} au {}",
            regime(&camera.regime.kind),
            camera.regime.reference,
            dates::short(camera.regime.from),
            dates::short(camera.regime.until)
        ),
    });
    let keys = plain.service.iter().map(|(_, key)| {
        let recipient = key.recipient();
        (
            dates::quarter(recipient.epoch()),
            recipient.fingerprint().to_string(),
        )
    });
    Summary {
        commune: config.commune.clone(),
        service: config.service.clone(),
        tribunal: config.tribunal.clone(),
        cameras: cameras.collect(),
        keys: keys.collect(),
    }
}

const fn regime(kind: &crate::config::RegimeKind) -> &'static str {
    use crate::config::RegimeKind as Kind;
    match kind {
        Kind::Videoprotection => "vidéoprotection",
        Kind::ActeEnquete => "acte d’enquête",
        Kind::SansTexte { .. } => "sans texte particulier",
        Kind::Quebec => "Québec",
    }
}

fn end_page(visit: &Visit, errors: Vec<FieldError>) -> Result<Answer, Refused> {
    let plain = Plain::of(&visit.office().folder.clone())?;
    let fault = match plain.fault() {
        Ok(()) => None,
        Err(accounts::Error::Refused(rule)) => Some(rule.french()),
        Err(error) => return Err(error.into()),
    };
    let inputs = [
        Input::tick("exact", "Ces indications sont exactes").required(),
        Input::tick(
            "coffre",
            "Les clés de secours sont au coffre, hors de cette machine",
        )
        .required(),
    ];
    FormPage::new(visit, "Mise en service, étape 3 sur 3 : vérifier", "/mise-en-service/fin", "Mettre en service")
        .lead("Les clés du service seront mises au trousseau, essayées depuis là, puis leurs fichiers seront détruits. Le régime de chaque caméra figurera sur chaque document ; le programme n’en juge pas.")
        .attention(fault)
        .figure(summary(visit, &plain).render()?)
        .answer(visit, inputs, errors)
}

fn end(visit: &Visit) -> Result<Answer, Refused> {
    let unticked = ["exact", "coffre"]
        .into_iter()
        .filter(|name| visit.field(name).is_none());
    let errors: Vec<_> = unticked
        .flat_map(|name| wrong(name, "Cochez cette case après vérification."))
        .collect();
    if !matches!(at(visit)?, Some(At::End)) || !errors.is_empty() {
        return show(visit, errors);
    }
    let folder = visit.office().folder.clone();
    match Plain::of(&folder)?.fault() {
        Err(accounts::Error::Refused(rule)) => return show(visit, wrong("coffre", rule.french())),
        other => other?,
    }
    let Some(Step::Found(founding)) = visit.app.waiting.take(visit.token(), visit.now) else {
        return Answer::see_other("/mise-en-service");
    };
    let Founding {
        admin: Some(admin),
        chef: Some((chef, sheet)),
        ..
    } = *founding
    else {
        return Answer::see_other("/mise-en-service");
    };
    let mut office = visit.office();
    let chef = founder(&chef);
    let founded = found(
        office.store(),
        &folder,
        &founder(&admin),
        (&chef, &sheet),
        visit.now,
    );
    // What was read from the files at the start goes from memory too.
    office.desk.read_keys_again(&folder)?;
    drop(office);
    founded?;
    visit.app.gate.wall_up();
    Answer::see_other("/entree")
}

fn founder(ready: &Founded) -> Founder<'_> {
    Founder {
        person: &ready.person,
        login: ready.login,
        enrolled: &ready.enrolled,
        password: &ready.password,
    }
}
