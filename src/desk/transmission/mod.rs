//! What leaves the service: final reports, packages, and the register of what was sent to whom.
//!
//! Promises: nothing leaves that was not asked for by name, for a recipient and with a motive, and approved by another
//! chef de service (LIL art. 101: motive and recipient of every communication are on record); a package is made once
//! for each approval, and its pass-phrase is kept nowhere; recipients, motives and reports are sealed at rest; each
//! step leaves its line in the journal, with opaque ids only, in the transaction that takes it; two people never
//! overwrite each other. Leaves who may do what to [`crate::desk::rights`], setting documents to [`crate::report`].

pub mod draft;
pub mod drafting;
pub mod register;
pub mod sealed;

use rusqlite::Connection;

use crate::desk::cell;
use crate::report::approval::Refused;
use crate::vault::store;

pub use draft::Draft;
pub use register::{Asked, State, Transmission, Words};
pub use sealed::SealedReport;

/// The tables of this module.
pub const SCHEMA: &str = include_str!("schema.sql");
/// What [`SCHEMA`] makes.
pub const OBJECTS: [&str; 7] = [
    "report_draft",
    "sealed_report",
    "transmission",
    "transmission_by_infraction",
    "transmission_in_order",
    "transmission_counter",
    "package",
];

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The vault.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A cell that does not open.
    #[error(transparent)]
    Cell(#[from] cell::Error),
    /// What two persons must agree on was not.
    #[error("the package is refused: {0}")]
    Approval(#[from] Refused),
    /// There is none of this number.
    #[error("there is no transmission or report {0}")]
    NotThere(String),
    /// Somebody else changed it since it was shown.
    #[error("the transmission {0} was changed meanwhile")]
    Changed(String),
    /// It has come too far for this, or not far enough.
    #[error("the transmission {0} is {1}: this cannot be done")]
    State(String, &'static str),
    /// The register holds what this program never writes.
    #[error("the register of transmissions is damaged: {0:?}")]
    Damaged(String),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Whether a report, a draft or a package of an infraction file is there.
pub fn is_there(sql: &Connection, infraction: &str) -> rusqlite::Result<bool> {
    let rows = "SELECT 1 FROM sealed_report WHERE infraction = ?1
                UNION ALL SELECT 1 FROM report_draft WHERE infraction = ?1
                UNION ALL SELECT 1 FROM package JOIN transmission ON number = transmission WHERE infraction = ?1";
    sql.prepare_cached(rows)?.exists([infraction])
}

/// Destroys the reports and packages of an infraction file: their rows, and with them their keys. The lines of the
/// register stay: they say that something was sent, not what of.
pub fn destroy(tx: &store::Tx<'_>, infraction: &str) -> Result<(), Error> {
    let packages =
        "DELETE FROM package WHERE transmission IN (SELECT number FROM transmission WHERE infraction = ?)";
    tx.raw().execute(packages, [infraction])?;
    for table in ["sealed_report", "report_draft"] {
        tx.raw()
            .execute(&format!("DELETE FROM {table} WHERE infraction = ?"), [infraction])?;
    }
    Ok(())
}
