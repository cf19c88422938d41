//! Certificates: each signed by the box, named by its journal, and in the folder as in the database.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::Value;

use super::Report;
use crate::frame::Digest;
use crate::vault::DevicePublic;
use crate::vault::certificate::erasure::ErasureCertificate;
use crate::vault::certificate::{Certificate, Paged};
use crate::vault::checkpoint::Checkpoint;
use crate::vault::keys::Destruction;
use crate::vault::signed::{self, Document as _};
use crate::vault::store::{CERTIFICATES, Filed, certificates};

/// The certificates that a database keeps, each held against the box's key and the journal.
pub(super) fn in_database(sql: &Connection, device: &DevicePublic, report: &mut Report) -> Vec<Filed> {
    let found = certificates(sql).and_then(|filed| Ok((filed, named(sql)?)));
    let (filed, mut named) = match found {
        Ok(found) => found,
        Err(error) => {
            report.fault("certificates", error.to_string());
            return Vec::new();
        }
    };
    let pruned = Checkpoint::text(sql).ok().flatten();
    let pruned = pruned.and_then(|text| Checkpoint::read(&text, device).ok());
    // The line that named it was let go with those of its time; the box's signature is left.
    let is_pruned = |last: Option<u64>| {
        last.zip(pruned.as_ref())
            .is_some_and(|(last, pruned)| last < pruned.seq)
    };
    for certificate in &filed {
        let here = format!("certificate {}", certificate.number);
        let is = |title: &str| certificate.text.starts_with(title);
        let last = if is(ErasureCertificate::TITLE) {
            held_against::<ErasureCertificate>(certificate, device, &here, report)
        } else if is(Destruction::TITLE) {
            of_keys(certificate, device, &here, report)
        } else {
            held_against::<Certificate>(certificate, device, &here, report)
        };
        if !named.remove(&certificate.digest()) && !is_pruned(last) {
            report.fault(&here, "no journal line names it: it was added or changed");
        }
    }
    for digest in named {
        report.fault(
            "certificates",
            format!("the one that the journal names {digest} is missing"),
        );
    }
    filed
}

/// Holds a certificate against its signature, its number and its page; the line of the journal that it follows.
fn held_against<C: Paged>(
    filed: &Filed,
    device: &DevicePublic,
    here: &str,
    report: &mut Report,
) -> Option<u64> {
    match signed::read::<C>(&filed.text, device, "the box") {
        Ok(read) => {
            if read.number() != filed.number {
                report.fault(here, format!("it bears the number {}", read.number()));
            } else if read.named() != Digest::of(filed.page.as_bytes()) {
                report.fault(here, "its page is not the one that was signed");
            }
            Some(read.journal().seq)
        }
        Err(error) => {
            report.fault(here, error.to_string());
            None
        }
    }
}

/// The same for one of keys, which has its page and its place in the journal from its own content and its number.
fn of_keys(filed: &Filed, device: &DevicePublic, here: &str, report: &mut Report) -> Option<u64> {
    match signed::read::<Destruction>(&filed.text, device, "the desk") {
        Ok(read) => {
            let number = filed.number.strip_prefix(&read.series());
            let seq = number.and_then(|seq| seq.parse::<u64>().ok());
            if seq.is_none() {
                report.fault(here, format!("its number is not that of keys of {}", read.epoch));
            } else if read.page() != filed.page {
                report.fault(here, "its page is not the one that was signed");
            }
            seq.and_then(|seq| seq.checked_sub(1))
        }
        Err(error) => {
            report.fault(here, error.to_string());
            None
        }
    }
}

/// The certificates that the journal's lines name.
fn named(sql: &Connection) -> rusqlite::Result<BTreeSet<Digest>> {
    let mut query = sql.prepare("SELECT body FROM journal WHERE instr(body, '\"certificate\":') > 0")?;
    let mut rows = query.query([])?;
    let mut named = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let body: String = row.get(0)?;
        let body: Option<Value> = serde_json::from_str(&body).ok();
        let digest: Option<Digest> = body
            .as_ref()
            .and_then(|body| body.get("certificate")?.as_str()?.parse().ok());
        named.extend(digest);
    }
    Ok(named)
}

/// The folder against the database. Files that are missing are made at the next opening, so that only a store that
/// was closed in good order must have them.
pub(super) fn in_folder(dir: &Path, filed: &[Filed], closed: bool, report: &mut Report) {
    let folder = dir.join(CERTIFICATES);
    let mut unknown: BTreeSet<String> = BTreeSet::new();
    match fs::read_dir(&folder) {
        Ok(entries) => {
            let names = entries.filter_map(Result::ok).map(|entry| entry.file_name());
            unknown.extend(names.map(|name| name.to_string_lossy().into_owned()));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => report.fault(CERTIFICATES, error.to_string()),
    }
    for (name, content) in filed.iter().flat_map(Filed::files) {
        let here = format!("{CERTIFICATES}/{name}");
        let path = folder.join(&name);
        let is_plain = path.symlink_metadata().is_ok_and(|meta| {
            // One of another length need not be read to know that it was changed.
            meta.is_file() && meta.len() == content.len() as u64
        });
        if !unknown.remove(&name) {
            if closed {
                report.fault(here, "it is missing");
            }
        } else if !is_plain || fs::read(&path).ok().as_deref() != Some(content.as_bytes()) {
            report.fault(here, "it was changed");
        }
    }
    let unfinished = |name: &String| !closed && name.starts_with(".new-");
    for name in unknown.into_iter().filter(|name| !unfinished(name)) {
        report.fault(
            format!("{CERTIFICATES}/{name}"),
            "it does not belong to the store: it was added",
        );
    }
}
