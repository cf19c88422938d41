//! The one open desk: its configuration, its vault and what lies in it.
//!
//! Promises: one process has it; every table that the desk's modules keep is there when it is open. Held by one page
//! at a time, shortly. Leaves every table to the module that owns it.

use std::path::{Path, PathBuf};

use super::review::dismissal::Whose;
use super::{accounts, backup, config, events, incoming, infraction, retention, review, transmission};
use crate::frame::BoxTime;
use crate::transfer::{self, Desk};
use crate::vault::Store;

/// The configuration's name in the desk's folder.
pub const CONFIG: &str = "desk.toml";

/// Why the desk does not open.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its configuration.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// Its keys, its orders or its vault.
    #[error(transparent)]
    Desk(#[from] transfer::Error),
    /// What was put aside when it was closed could not be destroyed.
    #[error("what was put aside is not destroyed yet: {0}")]
    Review(#[from] review::Error),
    /// The accounts' tables.
    #[error(transparent)]
    Accounts(#[from] accounts::Error),
}

impl From<crate::vault::store::Error> for Error {
    fn from(error: crate::vault::store::Error) -> Self {
        Self::Desk(error.into())
    }
}

/// An open desk.
pub struct Office {
    /// Its folder.
    pub folder: PathBuf,
    /// What the city decided.
    pub config: config::Office,
    /// Vault, enrolled boxes, keys.
    pub desk: Desk,
}

impl Office {
    /// Opens the desk in `folder`, for this process alone.
    pub fn open(folder: &Path, now: BoxTime) -> Result<Self, Error> {
        let config = config::Office::read(&folder.join(CONFIG))?;
        let mut desk = Desk::open(folder, now)?;
        // What was being sent when it stopped is sent again.
        if let Err(error) = incoming::clear(folder) {
            tracing::warn!(%error, "what was being sent when the desk stopped is not removed");
        }
        desk.store.ensure(&events::OBJECTS, events::SCHEMA)?;
        desk.store.ensure(&review::OBJECTS, review::SCHEMA)?;
        desk.store.ensure(&retention::OBJECTS, retention::SCHEMA)?;
        desk.store.ensure(&backup::OBJECTS, backup::SCHEMA)?;
        review::dismissal::settle(&mut desk.store, Whose::All, now)?;
        accounts::ensure(&mut desk.store)?;
        retention::past_keys::finish(&mut desk.store, now)?;
        infraction::ensure(&mut desk.store)?;
        desk.store.ensure(&transmission::OBJECTS, transmission::SCHEMA)?;
        Ok(Self {
            folder: folder.to_owned(),
            config,
            desk,
        })
    }

    /// Its vault.
    pub fn store(&mut self) -> &mut Store {
        &mut self.desk.store
    }
}
