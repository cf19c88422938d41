//! One request, as a handler sees it: who asks, when, for what, with which fields.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use super::{App, FieldError, Refused, Shell};
use crate::desk::incoming::Incoming;
use crate::desk::keyring::EvidenceKeys;
use crate::desk::office::Office;
use crate::desk::session::Session;
use crate::frame::BoxTime;

/// Bytes of a form's fields at most, uploads aside.
pub const LONGEST_FORM: usize = 256 << 10;

/// Bytes of all files of one form that are held in memory.
pub const LONGEST_IN_MEMORY: u64 = 17 << 20;

/// A file that was uploaded. A bundle's, sealed as it came, lies on the disk ([`crate::desk::incoming`]) under a name of
/// its own making; any other, which may name people in clear, never touches it.
#[derive(Debug)]
pub struct Upload {
    /// Of which field.
    pub field: String,
    /// What the browser called it; not to be trusted.
    pub name: String,
    /// Bytes.
    pub size: u64,
    pub(super) held: Lying,
}

/// Where an upload is until the page is answered.
#[derive(Debug)]
pub(super) enum Lying {
    /// On the disk.
    File(PathBuf),
    /// In memory; wiped when dropped.
    Memory(Zeroizing<Vec<u8>>),
}

impl Upload {
    /// Where it lies; nowhere, if it is in memory.
    pub fn path(&self) -> Option<&Path> {
        match &self.held {
            Lying::File(path) => Some(path),
            Lying::Memory(_) => None,
        }
    }

    /// Its bytes; nothing of what lies on the disk.
    pub fn bytes(&self) -> &[u8] {
        match &self.held {
            Lying::File(_) => &[],
            Lying::Memory(bytes) => bytes,
        }
    }
}

/// The desk, while a page holds it.
pub struct Held<'v> {
    office: MutexGuard<'v, Office>,
    holds: &'v Cell<bool>,
}

impl Deref for Held<'_> {
    type Target = Office;
    fn deref(&self) -> &Office {
        &self.office
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Office {
        &mut self.office
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.holds.set(false);
    }
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
    pub(super) _incoming: Option<Incoming>,
    /// Whether this page holds the desk at the moment.
    pub(super) holds: Cell<bool>,
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
    ///
    /// # Panics
    ///
    /// If this page holds it already: it would wait for itself, and everybody else for it. So the page fails alone.
    pub fn office(&self) -> Held<'_> {
        assert!(
            !self.holds.replace(true),
            "the page asks for the desk while it holds it"
        );
        Held {
            // A handler that panicked left a transaction that SQLite rolled back; the store holds nothing else half-done.
            office: self.app.office.lock().unwrap_or_else(PoisonError::into_inner),
            holds: &self.holds,
        }
    }

    /// The day by which rights are judged: the clock's, or a later one that was believed before it was set back.
    pub fn today(&self) -> jiff::civil::Date {
        let zone = self.app.config.time_zone();
        zone.to_datetime(self.app.latest(self.now).0).date()
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

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn a_page_that_asks_for_the_desk_while_it_holds_it_fails_alone_and_blocks_nobody() {
        let folder = tempfile::tempdir().expect("a folder");
        crate::vault::keys::desk_init(folder.path()).expect("a key");
        let example = include_str!("../../../docs/desk.example.toml");
        std::fs::write(folder.path().join("desk.toml"), example).expect("written");
        let now = BoxTime("2026-11-22T11:00:00Z".parse().expect("a time"));
        let office = Office::open(folder.path(), now).expect("a desk");
        let app = App::new(office, move || now, false, Vec::new()).expect("pages");
        let visit = Visit {
            app: Arc::new(app),
            now,
            session: None,
            token: String::new(),
            path: Vec::new(),
            asked_for: String::new(),
            query: Vec::new(),
            form: Vec::new(),
            uploads: Vec::new(),
            _incoming: None,
            holds: Cell::new(false),
        };
        let held = visit.office();
        assert!(catch_unwind(AssertUnwindSafe(|| drop(visit.office()))).is_err());
        drop(held);
        drop(visit.office());
    }
}
