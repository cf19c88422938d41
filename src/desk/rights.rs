//! Who may do what: one table, role by act. Pure.
//!
//! Promises: what is not in [`allowed`] is refused; the roles are DESIGN §7's. Whoever shows or changes evidence
//! needs a valid sheet as well (CSI art. L.252-3, C. env. art. L.541-44-1: habilitation, serment, agrément), which
//! [`Act::needs_sheet`] says. Leaves to the web's guard that every route names its act.

use serde::{Deserialize, Serialize};

/// What somebody is at the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sworn agent: review, infraction files.
    Agent,
    /// Chef de service: the same, and sign-off, transmissions, the agents' sheets.
    Chef,
    /// Data protection officer: registers, deadlines, journals; never an image.
    Dpd,
    /// Administrator: the machine, accounts, backups; never an image.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Agent, Self::Chef, Self::Dpd, Self::Admin];

    /// The stable name, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Chef => "chef",
            Self::Dpd => "dpd",
            Self::Admin => "admin",
        }
    }

    /// As it stands on screen.
    pub const fn french(self) -> &'static str {
        match self {
            Self::Agent => "Agent assermenté",
            Self::Chef => "Chef de service",
            Self::Dpd => "Délégué à la protection des données",
            Self::Admin => "Administrateur",
        }
    }

    /// Whether the evidence keys are wrapped for it.
    pub const fn holds_evidence(self) -> bool {
        matches!(self, Self::Agent | Self::Chef)
    }
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Log in, first set-up, style sheets: before anyone is known.
    Enter,
    /// One's own account, log out, the start page.
    Own,
    /// Take bundles, see what was taken.
    Import,
    /// The list of events: neither plate nor picture.
    SeeQueue,
    /// Open an event and its images.
    SeeEvent,
    /// Mask more, confirm, put aside, retain.
    Decide,
    /// Read infraction files.
    SeeInfraction,
    /// Write them.
    WriteInfraction,
    /// Export the list of infraction files.
    ExportInfractions,
    /// Draft and read the report, ask for its transmission.
    Report,
    /// Sign a report off.
    SignOff,
    /// Approve somebody else's package.
    ApprovePackage,
    /// The register of transmissions.
    SeeTransmissions,
    /// Write down an acknowledgement.
    WriteTransmission,
    /// Accounts: make, lock, unlock, give a role.
    ManageAccounts,
    /// The agents' sheets: habilitation, serment, agrément, suspension.
    ManageSheets,
    /// Take the service's keys of a new quarter into the keyring.
    ManageKeys,
    /// Propose the destruction of a past quarter's keys, or take that back.
    DoomKeys,
    /// Deadlines, holds, certificates, elimination agreements: read.
    SeeDeadlines,
    /// Put or lift a hold, write down a ruling or an agreement.
    WriteDeadlines,
    /// Let what is due be destroyed now.
    RunRetention,
    /// The journal and its export.
    SeeJournal,
    /// State of the machine, enrolled boxes.
    SeeMachine,
    /// Back up.
    BackUp,
    /// Take note of a hold.
    TakeNote,
}

impl Act {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 25] = [
        Self::Enter,
        Self::Own,
        Self::Import,
        Self::SeeQueue,
        Self::SeeEvent,
        Self::Decide,
        Self::SeeInfraction,
        Self::WriteInfraction,
        Self::ExportInfractions,
        Self::Report,
        Self::SignOff,
        Self::ApprovePackage,
        Self::SeeTransmissions,
        Self::WriteTransmission,
        Self::ManageAccounts,
        Self::ManageSheets,
        Self::ManageKeys,
        Self::DoomKeys,
        Self::SeeDeadlines,
        Self::WriteDeadlines,
        Self::RunRetention,
        Self::SeeJournal,
        Self::SeeMachine,
        Self::BackUp,
        Self::TakeNote,
    ];

    /// Whether it takes a valid sheet: everything that shows or changes evidence does.
    pub const fn needs_sheet(self) -> bool {
        matches!(
            self,
            Self::Import
                | Self::SeeEvent
                | Self::Decide
                | Self::SeeInfraction
                | Self::WriteInfraction
                | Self::ExportInfractions
                | Self::Report
                | Self::SignOff
                | Self::ApprovePackage
        )
    }
}

/// Whether `role` may do `act`; nobody who is not logged in may do more than [`Act::Enter`].
pub const fn allowed(role: Role, act: Act) -> bool {
    use Role::{Admin, Agent, Chef, Dpd};
    match act {
        Act::Enter | Act::Own => true,
        Act::Import
        | Act::SeeQueue
        | Act::SeeEvent
        | Act::Decide
        | Act::SeeInfraction
        | Act::WriteInfraction
        | Act::ExportInfractions
        | Act::Report
        | Act::WriteTransmission => matches!(role, Agent | Chef),
        Act::SignOff | Act::ApprovePackage | Act::ManageSheets | Act::ManageKeys | Act::WriteDeadlines => {
            matches!(role, Chef)
        }
        Act::SeeTransmissions | Act::SeeJournal => matches!(role, Chef | Dpd),
        Act::SeeDeadlines => matches!(role, Agent | Chef | Dpd),
        Act::RunRetention | Act::ManageAccounts | Act::DoomKeys => matches!(role, Chef | Admin),
        Act::SeeMachine | Act::BackUp => matches!(role, Admin),
        Act::TakeNote => matches!(role, Dpd),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_dpd_nor_admin_ever_reaches_an_image_or_a_record() {
        for role in [Role::Dpd, Role::Admin] {
            assert!(!role.holds_evidence());
            for act in Act::ALL.into_iter().filter(|act| act.needs_sheet()) {
                assert!(!allowed(role, act), "{role:?} {act:?}");
            }
        }
    }

    #[test]
    fn the_table_is_this_one() {
        let row = |act| Role::ALL.map(|role| if allowed(role, act) { 'x' } else { '.' });
        let table: Vec<String> = Act::ALL.iter().map(|act| row(*act).iter().collect()).collect();
        // Agent, Chef, Dpd, Admin, in the order of Act::ALL.
        let expected = [
            "xxxx", "xxxx", "xx..", "xx..", "xx..", "xx..", "xx..", "xx..", "xx..", "xx..", ".x..", ".x..",
            ".xx.", "xx..", ".x.x", ".x..", ".x..", ".x.x", "xxx.", ".x..", ".x.x", ".xx.", "...x", "...x",
            "..x.",
        ];
        assert_eq!(table, expected);
    }
}
