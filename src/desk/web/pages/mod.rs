//! The pages, one file per place of the agent's day; each lists its routes.

pub mod accueil;

use super::Route;

/// The routes of each.
pub const ALL: &[&[Route]] = &[accueil::ROUTES];
