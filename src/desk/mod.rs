//! The desk: what the sworn agents of the service work at, in a browser, on one machine.
//!
//! Promises: nobody sees an image or a record whom [`rights`] and a valid sheet do not let; whoever steals its folder
//! finds no name, no plate and no picture ([`cell`], [`keyring`]); every act leaves a line in the same transaction as
//! what it does; what is destroyed is destroyed with its keys. The modules stand in the order of an agent's day; each
//! uses only those above it, and [`web`] all of them.
//!
//! | module | what |
//! | --- | --- |
//! | [`cell`], [`keyring`] | how what names somebody is sealed, and who holds the keys |
//! | [`rights`] | who may do what: one table |
//! | [`config`] | what the city decided: `desk.toml` |
//! | [`office`] | the one open desk |
//! | [`incoming`] | what browsers send, while it lies on the disk |
//! | [`events`], [`review`] | what the bundles brought; opening, masking more, deciding |
//! | [`transmission`] | what leaves: final reports, packages, their register |
//! | [`session`] | who is logged in |
//! | [`accounts`] | who may log in, how it is proven, by what right |
//! | [`law`] | texts, amounts, competence and addressees, dated |
//! | [`infraction`] | the agent's record of one act |
//! | [`retention`] | what is due, and its erasure |
//! | [`backup`] | a copy of it all, and the way back |
//! | [`daily`] | what the desk does by itself |
//! | [`registers`] | the journal and the counts, for those who watch |
//! | [`web`] | the pages |

pub mod accounts;
pub mod backup;
pub mod cell;
pub mod config;
pub mod daily;
pub mod events;
pub mod incoming;
pub mod infraction;
pub mod keyring;
pub mod law;
pub mod office;
pub mod registers;
pub mod retention;
pub mod review;
pub mod rights;
pub mod session;
pub mod transmission;
pub mod web;

pub use office::Office;
