//! The register as files: out, as CSV and JSON, and in, from the spreadsheet that the service kept before.
//!
//! Promises: docs/formats.md says every column; nothing goes out without motive and recipient, on record with the
//! digest of what went (I06); what came in is looked at whole before anything is kept, and kept whole or not at all.

pub mod columns;
pub mod import;
pub mod out;
pub mod table;
pub mod text;
