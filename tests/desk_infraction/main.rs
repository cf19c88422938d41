//! The infraction file: opened by a human who has looked, stated in their own words, checked, sealed, found, erased.
#![cfg(feature = "desk")]

#[path = "../desk_kit/mod.rs"]
mod desk_kit;
mod forms;
#[path = "../infraction_kit/mod.rs"]
mod infraction_kit;
mod register;
mod statements;
