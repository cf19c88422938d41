//! Certificates that the store keeps.
//!
//! Promises: a certificate is the store's from the transaction on in which the journal names it; its two files in
//! the folder `certificates` are made after that, and at the next opening where that was cut off.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ToSql, params};

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
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS certificate_by_end ON certificate (substr(text, instr(text, '\"ended\":\"') + 9, 20), number)";

/// The order of [`TABLE`]'s index: when what they certify was done, the youngest first.
const BY_END: &str = "ORDER BY substr(text, instr(text, '\"ended\":\"') + 9, 20) DESC, number DESC";

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
        let [json, txt] = file_names(&self.number);
        [(json, self.text.as_str()), (txt, self.page.as_str())]
    }
}

/// The certificates in a database, by number.
pub fn certificates(sql: &Connection) -> rusqlite::Result<Vec<Filed>> {
    asked(sql, "ORDER BY number", &[])
}

/// One of them.
pub fn certificate(sql: &Connection, number: &str) -> rusqlite::Result<Option<Filed>> {
    Ok(asked(sql, "WHERE number = ?", &[&number])?.pop())
}

/// How many there are.
pub fn count_certificates(sql: &Connection) -> rusqlite::Result<usize> {
    match has_some(sql)? {
        true => sql.query_row("SELECT count(*) FROM certificate", [], |row| row.get(0)),
        false => Ok(0),
    }
}

/// So many of them behind the first, the youngest first.
pub fn youngest_certificates(sql: &Connection, first: usize, most: usize) -> rusqlite::Result<Vec<Filed>> {
    // The index alone says which: the texts of those before them are not read.
    let which = format!("number IN (SELECT number FROM certificate {BY_END} LIMIT ? OFFSET ?)");
    asked(sql, &format!("WHERE {which} {BY_END}"), &[&most, &first])
}

/// Whether there is the table.
fn has_some(sql: &Connection) -> rusqlite::Result<bool> {
    let there = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'certificate'";
    sql.prepare_cached(there)?.exists([])
}

fn asked(sql: &Connection, which: &str, values: &[&dyn ToSql]) -> rusqlite::Result<Vec<Filed>> {
    if !has_some(sql)? {
        return Ok(Vec::new());
    }
    let mut query = sql.prepare(&format!("SELECT number, text, page FROM certificate {which}"))?;
    let rows = query.query_map(values, |row| {
        Ok(Filed {
            number: row.get(0)?,
            text: row.get(1)?,
            page: row.get(2)?,
        })
    })?;
    rows.collect()
}

/// Its two files' names.
fn file_names(number: &str) -> [String; 2] {
    [format!("{number}.json"), format!("{number}.txt")]
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
        if count_certificates(&self.sql)? == 0 {
            return Ok(());
        }
        let folder = self.certificates_folder()?;
        let mut there = BTreeSet::new();
        for entry in fs::read_dir(&folder).map_err(io_at(&folder))? {
            let entry = entry.map_err(io_at(&folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // What a writing that was cut off left.
            if name.starts_with(durable::UNFINISHED) {
                fs::remove_file(entry.path()).map_err(io_at(&entry.path()))?;
            } else {
                there.insert(name);
            }
        }
        let mut query = self.sql.prepare("SELECT number FROM certificate")?;
        let numbers = query.query_map([], |row| row.get::<_, String>(0))?;
        for number in numbers {
            let number = number?;
            if file_names(&number).iter().any(|name| !there.contains(name))
                && let Some(filed) = certificate(&self.sql, &number)?
            {
                write_files(&folder, &filed)?;
            }
        }
        Ok(())
    }

    /// Makes the files of one certificate, unless there are any.
    pub fn put_out_certificate(&self, filed: &Filed) -> Result<(), Error> {
        write_files(&self.certificates_folder()?, filed)
    }

    fn certificates_folder(&self) -> Result<PathBuf, Error> {
        let folder = self.dir.join(CERTIFICATES);
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(io_at(&folder)(error)),
            Err(_) => Ok(folder),
            Ok(()) => {
                durable::sync_folder(&self.dir).map_err(io_at(&self.dir))?;
                Ok(folder)
            }
        }
    }
}

fn write_files(folder: &Path, filed: &Filed) -> Result<(), Error> {
    for (name, content) in filed.files() {
        let path = folder.join(name);
        if !path.exists() {
            durable::write(&path, content.as_bytes(), 0o600, Existing::Refuse).map_err(io_at(&path))?;
        }
    }
    Ok(())
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
