//! What stands around every page's own content.

use std::sync::PoisonError;

use super::{Visit, guard};
use crate::desk::config::Office as Config;
use crate::desk::rights::{Act, Role, allowed};

/// A link of the navigation.
#[derive(Debug, Clone)]
pub struct Link {
    /// Where to.
    pub to: &'static str,
    /// In words.
    pub words: &'static str,
    /// Whether this page lies under it.
    pub here: bool,
}

/// Around the content.
#[derive(Debug, Clone)]
pub struct Shell {
    /// The page's heading and title.
    pub title: String,
    /// Whose desk.
    pub commune: String,
    /// Which service.
    pub service: String,
    /// Who is logged in: name and role.
    pub who: Option<(String, &'static str)>,
    /// Where one may go.
    pub links: Vec<Link>,
    /// The token that every form must send back.
    pub csrf: String,
    /// What the last form did.
    pub flash: Option<String>,
    /// How the data protection officer is reached.
    pub dpd: String,
    /// The program's version.
    pub version: &'static str,
}

/// The navigation, in the order of an agent's day; each with the right it takes.
const LINKS: [(&str, &str, Act); 11] = [
    ("/import", "Import", Act::Import),
    ("/file", "File d'examen", Act::SeeQueue),
    ("/dossiers", "Dossiers d'infraction", Act::SeeInfraction),
    ("/transmissions", "Transmissions", Act::SeeTransmissions),
    ("/echeances", "Échéances", Act::SeeDeadlines),
    ("/certificats", "Certificats", Act::SeeDeadlines),
    ("/journal", "Journal", Act::SeeJournal),
    ("/agents", "Agents", Act::ManageSheets),
    ("/comptes", "Comptes", Act::ManageAccounts),
    ("/sauvegardes", "Sauvegardes", Act::BackUp),
    ("/mon-compte", "Mon compte", Act::Own),
];

impl Shell {
    /// How the data protection officer is reached, in a line.
    pub fn contact(config: &Config) -> String {
        format!("{}, {}", config.dpd.name, config.dpd.email)
    }

    pub(super) fn of(visit: &Visit, title: String) -> Self {
        let config = &visit.app.config;
        let session = visit.visitor();
        let flash = session.and_then(|session| {
            let mut flash = session.flash.lock().unwrap_or_else(PoisonError::into_inner);
            flash.take()
        });
        Self {
            title,
            commune: config.commune.clone(),
            service: config.service.clone(),
            who: session.map(|session| (session.name.clone(), session.role.french())),
            links: session.map_or_else(Vec::new, |session| links(session.role, visit.asked_for())),
            csrf: guard::form_token(&visit.app, visit.token()),
            flash,
            dpd: Self::contact(config),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

fn links(role: Role, path: &str) -> Vec<Link> {
    let may = LINKS.iter().filter(|(_, _, act)| allowed(role, *act));
    may.map(|&(to, words, _)| Link {
        to,
        words,
        here: path == to
            || path.strip_prefix(to).is_some_and(|rest| rest.starts_with('/'))
            || (to == "/dossiers" && path.starts_with("/dossier/")),
    })
    .collect()
}
