//! Registers: what those who watch the desk may read. The journal, the heads of the boxes' journals, counts.
//!
//! Promises: nothing here shows a plate, a picture or a word of a record; the journal's lines are shown as they are
//! chained, with names only where the reader's register key opens them; counts below five are hidden, so that nobody
//! is found by a small number (law.md I55T). Leaves who may read them to `rights`.

pub mod journal;
pub mod statistics;
pub mod words;
