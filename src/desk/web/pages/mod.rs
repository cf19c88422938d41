//! The pages, one file per place of the agent's day; each lists its routes.

pub mod accueil;
pub mod evenement;
pub mod file;
pub mod import;

use super::Route;

/// The routes of each.
pub const ALL: &[&[Route]] = &[accueil::ROUTES, import::ROUTES, file::ROUTES, evenement::ROUTES];
