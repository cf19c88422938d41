//! `vigie open`: a sealed event, opened with a key of the service.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::redact::write_new;
use super::{Arguments, Exit, Failure, Lang, equipment, json_line, line};
use crate::frame::EventId;
use crate::transfer::desk;
use crate::trap::health::reading::database;
use crate::vault::item::{ItemKind, Stanza};
use crate::vault::{OfficeKey, seal, store};

pub fn run(
    a: &Arguments,
    event: &str,
    key: &Path,
    store: Option<&Path>,
    out: Option<&Path>,
    lang: Lang,
) -> Result<Exit, Failure> {
    let event: EventId = event.parse().map_err(|why: crate::frame::Error| {
        Failure::wrong_use(
            why,
            [
                "this is not an event's name",
                "`vigie status` lists the events of the vault",
            ],
            [
                "ce n'est pas le nom d'un événement",
                "« vigie status » donne la liste des événements du coffre",
            ],
        )
    })?;
    let key = OfficeKey::read(key)?;
    let folder = equipment::store_folder(a, store)?;
    let items = store::item_files(&folder, Some(event))?;
    if items.is_empty() {
        return Err(Failure::wrong_use(
            format!("{event} in {}", folder.display()),
            [
                "no such event in this vault",
                "`vigie status` lists the events of the vault",
            ],
            [
                "aucun événement de ce nom dans ce coffre",
                "« vigie status » donne la liste des événements du coffre",
            ],
        ));
    }
    let out = out.map_or_else(|| PathBuf::from(event.to_string()), Path::to_owned);
    fs::create_dir_all(&out).map_err(|why| Failure::file(&out, &why))?;
    // A box's vault has no such table: there, each item's own header says to whom it is sealed.
    let db = database(&folder)?;
    let wrapped = db.and_then(|db| desk::wrapped(&db, event).ok()?);
    let is_mine = |stanza: &Stanza| stanza.fingerprint == key.recipient().fingerprint();
    let wrapped = wrapped.filter(|stanzas| stanzas.iter().any(is_mine));
    let mut files = Vec::new();
    for (id, path) in items {
        let source = File::open(&path).map_err(|why| Failure::file(&path, &why))?;
        let source = std::io::BufReader::new(source);
        let opened = match &wrapped {
            Some(stanzas) => seal::open_with(source, stanzas, &key)?,
            None => seal::open(source, &key)?,
        };
        let name = match opened.header.kind {
            ItemKind::Frame => format!("{:04}.jpg", id.number),
            // A manifest follows its frame and bears its number.
            ItemKind::Manifest => format!("{:04}.json", id.number.saturating_sub(1)),
            ItemKind::Record => "event.json".to_owned(),
        };
        write_new(&out.join(&name), &opened.plaintext)?;
        files.push(name);
    }
    if a.json {
        json_line(&json!({"event": event, "out": out.to_string_lossy(), "files": files}));
    } else {
        let count = lang.count(files.len() as u64, ["file", "files"], ["fichier", "fichiers"]);
        line(&format!("{event} → {}: {count}", out.display()));
    }
    Ok(Exit::Done)
}
