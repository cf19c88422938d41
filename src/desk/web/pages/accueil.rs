//! The start page, the legal notices, and what every page needs.

use askama::Template;

use crate::desk::accounts::office_keys::Plain;
use crate::desk::rights::{Act, Role};
use crate::desk::web::{Answer, Refused, Route, Shell, Visit, assets, get};

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/", Act::Own, start),
    get("/statique/{name}", Act::Enter, assets::asset),
];

#[derive(Template)]
#[template(path = "accueil.html")]
struct Start {
    shell: Shell,
    attention: Option<&'static str>,
}

fn start(visit: &Visit) -> Result<Answer, Refused> {
    Answer::page(&Start {
        shell: visit.shell("Accueil"),
        attention: keys_in_clear(visit)?,
    })
}

/// What those who can do something about it are told until the folder of the keys is in order.
fn keys_in_clear(visit: &Visit) -> Result<Option<&'static str>, Refused> {
    if !matches!(visit.session()?.role, Role::Chef | Role::Admin) {
        return Ok(None);
    }
    let folder = visit.office().folder.clone();
    Ok(match Plain::of(&folder) {
        Ok(plain) if !plain.recovery.is_empty() => Some(
            "Une clé de secours se trouve en clair sur cette machine : rangez-la au coffre et retirez le fichier du dossier \
             des clés.",
        ),
        Ok(plain) if !plain.service.is_empty() => Some(
            "Des clés secrètes du service se trouvent en clair sur cette machine : un chef de service les met au trousseau \
             à la page « Clés du service » ; leurs fichiers sont alors détruits.",
        ),
        Ok(_) => None,
        Err(_) => Some("Un fichier du dossier des clés ne peut être lu : prévenez l’administrateur."),
    })
}
