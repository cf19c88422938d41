//! The infraction file: the agent's statement about one act, from the first word to its erasure.
//!
//! Promises:
//! - a file opens only from an event of which this agent has viewed at least one image (CPP art. 429; the promise that
//!   only a human opens a case), or comes out of the service's former register;
//! - every fact is the agent's own text; the plate is typed by hand, twice, and never corrected;
//! - what is written is sealed under the evidence key ([`crate::desk::cell`]), with a content key of its own; columns
//!   in clear hold opaque ids, times, states, versions and blind indexes;
//! - two agents never overwrite each other (version), and once a record is closed, or a plate was read, every change
//!   keeps the former words, with the reason (LIL art. 106);
//! - each look, change, export and erasure has its line in the journal, with opaque ids only.
//!
//! Images and record are separate objects with separate terms: nothing here keeps or erases an image. Leaves deciding
//! when a file is due to the retention, and paper to the report.

pub mod amount;
pub mod check;
pub mod correction;
pub mod ending;
pub mod exchange;
pub mod form;
pub mod moment;
pub mod number;
pub mod plate;
pub mod record;
pub mod register;
pub mod remark;
pub mod search;

pub use check::{FieldError, Section, blockers, missing, validate};
pub use ending::destroy;
pub use moment::Moment;
pub use number::CaseNumber;
pub use record::Record;
pub use register::ensure;
pub use remark::{Remark, remarks};
