//! One request, as a handler sees it: who asks, when, for what, with which fields.

use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::{App, FieldError, Refused, Shell};
use crate::desk::keyring::EvidenceKeys;
use crate::desk::office::Office;
use crate::desk::session::Session;
use crate::frame::BoxTime;

/// Bytes of a form's fields at most, uploads aside.
pub const LONGEST_FORM: usize = 256 << 10;

/// A file that was uploaded, lying in the desk's `incoming/` under a name of its own making.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Of which field.
    pub field: String,
    /// What the browser called it; not to be trusted.
    pub name: String,
    /// Where it lies until the page is answered.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
}

/// One request.
pub struct Visit {
    /// What every page shares.
    pub app: Arc<App>,
    /// When.
    pub now: BoxTime,
    pub(super) session: Option<Arc<Session>>,
    /// The session's or the visitor's cookie.
    pub(super) token: String,
    pub(super) path: Vec<(String, String)>,
    pub(super) asked_for: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) form: Vec<(String, String)>,
    pub(super) uploads: Vec<Upload>,
    /// Where the uploads lie; removed with the visit.
    pub(super) _incoming: Option<tempfile::TempDir>,
}

impl Visit {
    /// Who asks. Only routes of [`crate::desk::rights::Act::Enter`] are visited without.
    pub fn session(&self) -> Result<&Arc<Session>, Refused> {
        self.session.as_ref().ok_or(Refused::Unknown)
    }

    /// Who asks, where nobody has to.
    pub fn visitor(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }

    /// The cookie's token: of the session, or of a visitor before there is one.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The keys to images and records.
    pub fn evidence(&self) -> Result<&Arc<EvidenceKeys>, Refused> {
        self.session()?.evidence.as_ref().ok_or(Refused::Forbidden)
    }

    /// The desk, for this page alone until the guard is dropped: never hold it over argon2 or a picture's decoding.
    pub fn office(&self) -> MutexGuard<'_, Office> {
        // A handler that panicked left a transaction that SQLite rolled back; the store holds nothing else half-done.
        self.app.office.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A part of the path: `id` in `/evenement/{id}`.
    pub fn path(&self, name: &str) -> &str {
        find(&self.path, name).unwrap_or_default()
    }

    /// The path that was asked for.
    pub fn asked_for(&self) -> &str {
        &self.asked_for
    }

    /// A value behind the question mark, trimmed; none if it is empty.
    pub fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
            .map(str::trim)
            .filter(|value| !value.is_empty())
    }

    /// All of them.
    pub fn queries(&self) -> &[(String, String)] {
        &self.query
    }

    /// A field of the form, trimmed; none if it is empty.
    pub fn field(&self, name: &str) -> Option<&str> {
        find(&self.form, name)
            .map(str::trim)
            .filter(|value| !value.is_empty())
    }

    /// A field that must be filled in; `label` is what the page calls it.
    pub fn required(&self, name: &'static str, label: &str) -> Result<&str, FieldError> {
        self.field(name).ok_or_else(|| FieldError {
            field: name.to_owned(),
            message: format!("{label} : ce champ est obligatoire."),
        })
    }

    /// A secret's field, as it was typed.
    pub fn secret(&self, name: &str) -> &str {
        find(&self.form, name).unwrap_or_default()
    }

    /// All fields, in order.
    pub fn form(&self) -> &[(String, String)] {
        &self.form
    }

    /// Every value of a field that may come several times (boxes that were ticked).
    pub fn fields<'v>(&'v self, name: &'v str) -> impl Iterator<Item = &'v str> {
        let named = self.form.iter().filter(move |(found, _)| found == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The version of what a form changes.
    pub fn version(&self) -> Result<i64, Refused> {
        self.field("version")
            .and_then(|v| v.parse().ok())
            .ok_or(Refused::Conflict)
    }

    /// The files that came with the form.
    pub fn uploads(&self) -> &[Upload] {
        &self.uploads
    }

    /// What stands around a page's own content.
    pub fn shell(&self, title: impl Into<String>) -> Shell {
        Shell::of(self, title.into())
    }

    /// What the next page tells once.
    pub fn flash(&self, message: impl Into<String>) {
        if let Some(session) = &self.session {
            *session.flash.lock().unwrap_or_else(PoisonError::into_inner) = Some(message.into());
        }
    }
}

fn find<'v>(pairs: &'v [(String, String)], name: &str) -> Option<&'v str> {
    let found = pairs.iter().find(|(found, _)| found == name);
    found.map(|(_, value)| value.as_str())
}
