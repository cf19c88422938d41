//! The kit: small files with one fault each, for whoever writes a reader. `kit.json` says of each what is
//! wrong with it and what a reader must say (docs/formats.md §9).

use serde_json::{Value, json};

use super::{Files, Fixed, pretty};
use crate::frame::BoxTime;
use crate::vault::keys::{DeviceKey, OfficeKey, trap_init_from};

mod documents;
mod items;
mod journals;
mod keys;

/// What the other vectors are made of.
pub(super) struct Parts<'a> {
    pub(super) device: &'a DeviceKey,
    pub(super) office: &'a [OfficeKey; 2],
    pub(super) files: &'a Files,
}

impl Parts<'_> {
    fn file(&self, name: &str) -> Vec<u8> {
        let found = self.files.iter().find(|(of_it, _)| of_it == name);
        found.expect("made before").1.clone()
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8(self.file(name)).expect("text")
    }
}

/// The kit's files so far, and what its index says of them.
struct Kit {
    files: Files,
    index: Vec<Value>,
}

impl Kit {
    /// Adds a file of the form `form`; `with` is the key that it is read with.
    fn add(&mut self, [name, form, with]: [&str; 3], what: &str, expect: &str, bytes: impl Into<Vec<u8>>) {
        self.index
            .push(json!({"file": name, "form": form, "with": with, "what": what, "expect": expect}));
        self.files.push((format!("kit/{name}"), bytes.into()));
    }
}

pub(super) fn made(parts: &Parts<'_>) -> Files {
    let mut kit = Kit {
        files: Files::new(),
        index: Vec::new(),
    };
    for name in ["item-two-chunks.vgi", "item-empty.vgi", "item-small.vgi"] {
        let file = format!("../{name}");
        kit.index.push(json!({
            "file": file, "form": "item", "with": "service-2026-Q4.key", "what": "nothing", "expect": "good"
        }));
    }
    items::add(parts, &mut kit);
    keys::add(parts, &mut kit);
    let other = tempfile::tempdir().expect("a folder");
    let other = trap_init_from(other.path(), &Fixed::bytes("other device")).expect("made");
    let other = DeviceKey::read(&other.files.secret).expect("just made");
    documents::add(parts, &other, &mut kit);
    journals::add(parts, &other, &mut kit);
    let mut files = kit.files;
    files.push(("kit/kit.json".to_owned(), pretty(&json!({"files": kit.index}))));
    files
}

fn at(second: i64) -> BoxTime {
    BoxTime(jiff::Timestamp::from_second(1_790_812_800 + second).expect("in range"))
}
