//! Retention: what is due, and its erasure.
//!
//! Promises: DESIGN §7 and findings of the law, term by term: [`plan`] says what is due on a day, [`clock`] says
//! which day it is as far as a clock can be believed, [`run`] erases it and has it certified.

pub mod clock;
pub mod plan;
