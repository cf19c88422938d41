//! Certificates that the store keeps.
//!
//! Promises: a certificate is the store's from the transaction on in which the journal names it; its two files in
//! the folder `certificates` are made after that, and at the next opening where that was cut off.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Error, Store, Tx, io_at};
use crate::frame::Digest;
use crate::vault::certificate::Paged;
use crate::vault::durable::{self, Existing};
use crate::vault::keys::DevicePublic;
use crate::vault::signed::{self, Document};

/// The folder of certificates in a store: of each, the signed text (`.json`) and the page (`.txt`).
pub const CERTIFICATES: &str = "certificates";

const TABLE: &str = "CREATE TABLE IF NOT EXISTS certificate (
    number TEXT PRIMARY KEY,
    text   TEXT NOT NULL,
    page   TEXT NOT NULL
) STRICT, WITHOUT ROWID";

/// A certificate as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filed {
    /// Its number.
    pub number: String,
    /// The signed text.
    pub text: String,
    /// The page.
    pub page: String,
}

impl Filed {
    /// What the journal names it by.
    pub fn digest(&self) -> Digest {
        signed::digest(&self.text)
    }

    /// Its two files' names and contents.
    pub fn files(&self) -> [(String, &str); 2] {
        [
            (format!("{}.json", self.number), self.text.as_str()),
            (format!("{}.txt", self.number), self.page.as_str()),
        ]
    }
}

/// The certificates in a database, by number.
pub fn certificates(sql: &Connection) -> rusqlite::Result<Vec<Filed>> {
    let there = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'certificate'";
    if sql.query_row(there, [], |_| Ok(())).optional()?.is_none() {
        return Ok(Vec::new());
    }
    let mut query = sql.prepare("SELECT number, text, page FROM certificate ORDER BY number")?;
    let rows = query.query_map([], |row| {
        Ok(Filed {
            number: row.get(0)?,
            text: row.get(1)?,
            page: row.get(2)?,
        })
    })?;
    rows.collect()
}

impl Store {
    /// The box's public key.
    pub fn device_key(&self) -> &DevicePublic {
        self.device.public()
    }

    /// Writes the page of a certificate, names it in it, and signs it as this box.
    pub fn certificate<C: Paged>(&self, mut certificate: C) -> Result<(C, Filed), signed::Error> {
        let page = certificate.page();
        certificate.names(Digest::of(page.as_bytes()));
        let filed = Filed {
            number: certificate.number().to_owned(),
            text: signed::sign(&certificate, &self.device)?,
            page,
        };
        Ok((certificate, filed))
    }

    /// A document signed as this box.
    pub fn signed<D: Document>(&self, content: &D) -> Result<String, signed::Error> {
        signed::sign(content, &self.device)
    }

    /// Makes the files of certificates that have none.
    pub fn put_out_certificates(&self) -> Result<(), Error> {
        let filed = certificates(&self.sql)?;
        if filed.is_empty() {
            return Ok(());
        }
        let folder = self.dir.join(CERTIFICATES);
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(io_at(&folder)(error));
            }
            _ => durable::sync_folder(&self.dir).map_err(io_at(&self.dir))?,
        }
        // What a writing that was cut off left.
        for entry in fs::read_dir(&folder).map_err(io_at(&folder))? {
            let entry = entry.map_err(io_at(&folder))?;
            if entry
                .file_name()
                .to_string_lossy()
                .starts_with(durable::UNFINISHED)
            {
                fs::remove_file(entry.path()).map_err(io_at(&entry.path()))?;
            }
        }
        for certificate in &filed {
            for (name, content) in certificate.files() {
                let path = folder.join(name);
                if !path.exists() {
                    durable::write(&path, content.as_bytes(), 0o600, Existing::Refuse)
                        .map_err(io_at(&path))?;
                }
            }
        }
        Ok(())
    }
}

impl Tx<'_> {
    /// Keeps a certificate. The caller writes the journal's line that names it, in the same transaction.
    pub fn keep_certificate(&mut self, filed: &Filed) -> Result<(), Error> {
        self.sql.execute_batch(TABLE)?;
        self.sql.execute(
            "INSERT INTO certificate (number, text, page) VALUES (?, ?, ?)",
            params![filed.number, filed.text, filed.page],
        )?;
        Ok(())
    }
}
