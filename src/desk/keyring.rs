//! The two keys of the desk, and who holds them.
//!
//! Promises: the register key (names, motives, transmissions) is held by everyone who has an account; the evidence
//! keys (infraction records, images) by agents and chefs de service alone, so that no right given by mistake shows
//! an image to the DPD or the admin: they could not open it. In memory only while somebody who holds them is logged
//! in, and wiped then. Leaves wrapping them per account to [`super::accounts`].

use std::fmt;

use super::cell::CellKey;
use crate::vault::OfficeKey;

/// What the names in accounts, journal pages and registers are sealed under.
#[derive(Debug, Clone)]
pub struct RegisterKey(pub CellKey);

/// What infraction records and images are sealed under.
pub struct EvidenceKeys {
    /// Of cells.
    pub cells: CellKey,
    /// Of blind indexes.
    pub index: CellKey,
    /// The service's secret keys, of all quarters that the desk holds: they open the boxes' items.
    pub office: Vec<OfficeKey>,
}

impl fmt::Debug for EvidenceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EvidenceKeys({} of the service)", self.office.len())
    }
}
