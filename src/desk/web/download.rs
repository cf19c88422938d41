//! A file that a browser takes away: its line is in the journal before it goes.
//!
//! Promises: who took it, what it is, its SHA-256, when and why are on record (LIL art. 101: consultation and
//! communication, with identity, date, hour and motive). Leaves asking for the motive to the page.

use serde_json::Value;

use super::{Answer, Refused, Visit};
use crate::frame::Digest;
use crate::vault::{Entry, Kind};

/// A file to take away.
pub struct Download {
    /// `application/pdf`.
    pub media: &'static str,
    /// The name to save it under; without one, it is shown.
    pub name: Option<String>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Download {
    /// Writes down that whoever asks takes it, and hands it out. `told` says what it is (`what`), of what, and why.
    pub fn told(self, visit: &Visit, mut told: Value) -> Result<Answer, Refused> {
        told["account"] = visit.session()?.account.clone().into();
        told["sha256"] = Digest::of(&self.bytes).to_string().into();
        let entry = Entry {
            kind: Kind::Downloaded,
            body: told,
        };
        visit
            .office()
            .store()
            .transaction(|tx| tx.journal(visit.now, &entry))?;
        let Self { media, name, bytes } = self;
        Ok(Answer::File { media, name, bytes })
    }
}
