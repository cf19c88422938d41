//! Retention: what is due, and its erasure.
//!
//! Promises: [`plan`] says what is due on a day, [`clock`] which day it is as far as a clock can be believed,
//! [`records`] keeps the holds, rulings and agreements on which that depends, [`run`] erases what is due, looks
//! whether it is gone, and has it certified; [`erasures`] keeps the list by which no backup brings anything back.
//! None of it needs a key but the destruction of keys ([`past_keys`]): it works on ids, dates and counts, day and night, whoever is logged in or not.

pub mod clock;
pub mod erasures;
pub mod evidence;
pub mod marks;
pub mod past_keys;
pub mod plan;
pub mod records;
pub mod run;
pub mod tasks;

use jiff::civil::Date;

use crate::desk::cell;
use crate::vault::{signed, store};

/// The tables of this module.
pub const SCHEMA: &str = include_str!("schema.sql");
/// What [`SCHEMA`] makes.
pub const OBJECTS: [&str; 11] = [
    "desk_mark",
    "hold",
    "hold_by_object",
    "ruling",
    "agreement",
    "locked",
    "erasure",
    "an_item_that_goes_is_listed",
    "uncertified",
    "task",
    "key_destruction",
];

/// Why retention did not do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A certificate cannot be signed.
    #[error(transparent)]
    Document(#[from] signed::Error),
    /// A cell.
    #[error(transparent)]
    Cell(#[from] cell::Error),
    /// What keeps the evidence failed.
    #[error("evidence: {0}")]
    Evidence(String),
    /// The tables hold what this program never writes.
    #[error("the records of retention are damaged: {0}")]
    Damaged(String),
    /// A hold without an end, or one that is too long.
    #[error("a hold until {until} cannot be: its end is after today and at the latest on {at_most}")]
    HoldTerm {
        /// What was asked for.
        until: Date,
        /// The latest day.
        at_most: Date,
    },
    /// No such hold, or it does not stand any more.
    #[error("there is no hold {0} that could be changed")]
    NoSuchHold(i64),
    /// A ruling of the future, or final before it was given.
    #[error("a ruling is not of the future, and not final before its day")]
    RulingDates,
    /// An agreement of the future, or one that ends before it begins.
    #[error("an agreement is not of the future, and does not end before its day")]
    AgreementDates,
    /// No such agreement, or it is over.
    #[error("there is no agreement {0} that could be ended")]
    NoSuchAgreement(i64),
    /// No such task, or it is done.
    #[error("there is no such task that is still open")]
    NoSuchTask,
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}
