//! The pages, one file per place of the agent's day; each lists its routes.

pub mod accueil;
pub mod agents;
pub mod certificats;
pub mod cles;
pub mod comptes;
pub mod decisions;
pub mod dossier;
pub mod echeances;
pub mod entree;
pub mod evenement;
pub mod file;
pub mod gels;
pub mod import;
pub mod journal;
pub mod mise_en_service;
pub mod mon_compte;
pub mod paquet;
pub mod rapport;
pub mod recherche;
pub mod releves;
pub mod sauvegardes;
pub mod statistiques;
pub mod taches;
pub mod transmissions;

use super::Route;

/// The routes of each.
pub const ALL: &[&[Route]] = &[
    accueil::ROUTES,
    entree::ROUTES,
    import::ROUTES,
    file::ROUTES,
    evenement::ROUTES,
    mise_en_service::ROUTES,
    agents::ROUTES,
    comptes::ROUTES,
    cles::ROUTES,
    mon_compte::ROUTES,
    mon_compte::RENEWING,
    echeances::ROUTES,
    gels::ROUTES,
    decisions::ROUTES,
    taches::ROUTES,
    certificats::ROUTES,
    journal::ROUTES,
    statistiques::ROUTES,
    sauvegardes::ROUTES,
    dossier::ROUTES,
    dossier::opening::ROUTES,
    recherche::ROUTES,
    releves::ROUTES,
    rapport::ROUTES,
    paquet::ROUTES,
    transmissions::ROUTES,
];
