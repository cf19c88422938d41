//! A spreadsheet saved as CSV (RFC 4180), with semicolons or commas, as lines of fields.

use serde::{Deserialize, Serialize};

use super::text::{self, NotText};

/// Lines of a spreadsheet at most: more than any service has in two years.
pub const MOST_ROWS: usize = 20_000;
/// Columns at most.
pub const MOST_COLUMNS: usize = 200;

/// Why a file is no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not text.
    #[error(transparent)]
    Text(#[from] NotText),
    /// Nothing in it.
    #[error("Le fichier est vide ; la première ligne doit porter les titres des colonnes")]
    Empty,
    /// More than can be.
    #[error("Le fichier a plus de {MOST_ROWS} lignes ou de {MOST_COLUMNS} colonnes ; partagez-le")]
    TooLarge,
    /// Not CSV.
    #[error("Le fichier ne se lit pas comme du CSV : {0}")]
    Form(String),
}

/// A table as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The titles.
    pub titles: Vec<String>,
    /// The rows, each with the line of the file on which it begins.
    pub rows: Vec<(u64, Vec<String>)>,
}

impl Table {
    /// Reads a file. Rows that are wholly empty are passed over.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let text = text::decoded(bytes)?;
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter(&text))
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::None)
            .from_reader(text.as_bytes());
        let mut rows = Vec::new();
        let (mut line, mut counted) = (1, 0);
        for record in reader.records() {
            let record = record.map_err(|error| Error::Form(error.to_string()))?;
            // The reader's own count of lines is one short behind CRLF.
            let begins = record.position().map_or(0, csv::Position::byte);
            let begins = usize::try_from(begins).unwrap_or(usize::MAX).min(text.len());
            let begins = begins + ends_of_lines(&text.as_bytes()[begins..]);
            line += newlines(&text.as_bytes()[counted..begins]);
            counted = begins;
            let fields: Vec<String> = record.iter().map(|field| plain(field).to_owned()).collect();
            if fields.len() > MOST_COLUMNS || rows.len() > MOST_ROWS {
                return Err(Error::TooLarge);
            }
            if fields.iter().any(|field| !field.is_empty()) {
                rows.push((line, fields));
            }
        }
        if rows.is_empty() {
            return Err(Error::Empty);
        }
        let (_, titles) = rows.remove(0);
        Ok(Self { titles, rows })
    }
}

/// How many bytes of line ends stand here.
fn ends_of_lines(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count()
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// What separates the titles: whichever of the two stands in the first line more often outside quotes.
fn delimiter(text: &str) -> u8 {
    let mut quoted = false;
    let (mut semicolons, mut commas) = (0, 0);
    for byte in text.bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            b';' if !quoted => semicolons += 1,
            b',' if !quoted => commas += 1,
            _ => {}
        }
    }
    if commas > semicolons { b',' } else { b';' }
}

/// What spreadsheet programs would take for a formula.
fn looks_like_a_formula(field: &str) -> bool {
    field.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// A field as it is written: with an apostrophe before what a spreadsheet program would compute (CWE-1236).
pub fn guarded(field: &str) -> String {
    match looks_like_a_formula(field) || field.starts_with('\'') {
        true => format!("'{field}"),
        false => field.to_owned(),
    }
}

/// The field that was written so.
fn plain(field: &str) -> &str {
    let field = field.trim();
    match field.strip_prefix('\'') {
        Some(rest) if looks_like_a_formula(rest) || rest.starts_with('\'') => rest,
        _ => field,
    }
}

/// Rows as CSV: semicolons, CRLF, UTF-8 with a byte order mark, so that French office programs open it as it is.
pub fn written<R: AsRef<[String]>>(rows: impl IntoIterator<Item = R>) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(b';')
        .terminator(csv::Terminator::CRLF)
        .from_writer(b"\xef\xbb\xbf".to_vec());
    for row in rows {
        writer.write_record(row.as_ref().iter().map(|field| guarded(field)))?;
    }
    writer
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(fields: &[&str]) -> Vec<String> {
        fields.iter().map(|field| (*field).to_owned()).collect()
    }

    #[test]
    fn both_separators_and_quotes_are_read_with_the_lines_of_the_file() {
        let table = Table::read(
            "Date;Lieu\r\n01/02/2026;\"Quai; au 12\"\r\n;;\r\n\"02/02/2026\";\"a\nb\"\r\n03/02/2026;c\r\n"
                .as_bytes(),
        );
        let table = table.expect("a table");
        assert_eq!(table.titles, row(&["Date", "Lieu"]));
        let expected = [
            (2, row(&["01/02/2026", "Quai; au 12"])),
            (4, row(&["02/02/2026", "a\nb"])),
            (6, row(&["03/02/2026", "c"])),
        ];
        assert_eq!(table.rows, expected);
        let commas = Table::read(b"Date,\"Lieu; site\"\n01/02/2026,Quai\n").expect("a table");
        assert_eq!(commas.titles, row(&["Date", "Lieu; site"]));
    }

    #[test]
    fn an_empty_file_is_refused_with_what_to_do() {
        for empty in ["", "\n\n", ";;\n", "\u{feff}"] {
            assert_eq!(Table::read(empty.as_bytes()), Err(Error::Empty), "{empty:?}");
        }
    }

    #[test]
    fn no_field_that_is_written_is_a_formula() {
        let bytes = written([row(&["=1+1", "-2", "'=x", "dépôt"])]).expect("written");
        let text = String::from_utf8(bytes).expect("text");
        assert_eq!(text, "\u{feff}'=1+1;'-2;''=x;dépôt\r\n");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            rows in prop::collection::vec(prop::collection::vec("[a-zé;,\"'=@+ \n0-9-]{0,12}", 3), 1..8)
        ) {
            let trimmed: Vec<Vec<String>> = rows.iter()
                .map(|row| row.iter().map(|field| field.trim().to_owned()).collect())
                .collect();
            let titles = row(&["Un", "Deux", "Trois"]);
            let all = std::iter::once(titles.clone()).chain(trimmed.iter().cloned());
            let table = Table::read(&written(all).expect("written")).expect("a table");
            prop_assert_eq!(table.titles, titles);
            let read: Vec<Vec<String>> = table.rows.into_iter().map(|(_, fields)| fields).collect();
            let kept: Vec<Vec<String>> = trimmed.into_iter().filter(|row| row.iter().any(|f| !f.is_empty())).collect();
            prop_assert_eq!(read, kept);
        }

        #[test]
        fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Table::read(&bytes);
        }
    }
}
