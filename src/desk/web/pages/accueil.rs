//! The start page, the legal notices, and what every page needs.

use askama::Template;

use crate::desk::rights::Act;
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
}

fn start(visit: &Visit) -> Result<Answer, Refused> {
    Answer::page(&Start {
        shell: visit.shell("Accueil"),
    })
}
