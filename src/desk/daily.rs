//! What the desk does by itself, every hour and before it is served.
//!
//! Promises: what was put aside is destroyed, what is due is erased and certified, backups that were made by another
//! process are in the journal; none of it needs anybody to be logged in.

use std::time::Duration;

use super::office::Office;
use super::retention::run::Ran;
use super::review::dismissal::{self, Whose};
use super::{backup, retention, review};
use crate::frame::BoxTime;

/// How often it is done while the desk is served.
pub const EVERY: Duration = Duration::from_secs(3600);

/// Why something of it was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was put aside.
    #[error(transparent)]
    Review(#[from] review::Error),
    /// What is due.
    #[error(transparent)]
    Retention(#[from] retention::Error),
    /// Noting the backups.
    #[error(transparent)]
    Backup(#[from] backup::Error),
}

/// Does it. `ran`: how long the program ran since the last time, by the monotonic clock; zero at its start.
pub fn run(office: &mut Office, now: BoxTime, ran: Duration) -> Result<Ran, Error> {
    dismissal::settle(office.store(), Whose::Over, now)?;
    let done = retention::evidence::run_due(office, now, ran)?;
    let folder = office.folder.clone();
    backup::note(office.store(), &folder, None, now)?;
    Ok(done)
}
