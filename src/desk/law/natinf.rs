//! The city's own list of NATINF codes: `natinf.toml` in the desk's folder, dated, free.
//!
//! Promises: the program knows no code of itself; what the list does not hold is not proposed. Codes go on the
//! transmission slip alone, never into the body of a procès-verbal (guide OFB 2017). Pure but for [`Natinf::read`].

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{OffenceId, table};

/// The list's name in the desk's folder.
pub const FILE: &str = "natinf.toml";

/// A list is a page; a file beyond this is something else.
const LONGEST: u64 = 256 << 10;

/// Why a list is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not a list.
    #[error("{}: {message}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
}

/// A code: one to six digits, kept as they are written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(String);

/// A text that is no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no NATINF code: one to six digits")]
pub struct NotACode(String);

impl FromStr for Code {
    type Err = NotACode;
    fn from_str(text: &str) -> Result<Self, NotACode> {
        let text = text.trim();
        match (1..=6).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) {
            true => Ok(Self(text.to_owned())),
            false => Err(NotACode(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Code {
    type Error = NotACode;
    fn try_from(text: String) -> Result<Self, NotACode> {
        text.parse()
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The city's list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Natinf {
    /// Its codes.
    #[serde(default, rename = "code")]
    pub codes: Vec<Listed>,
}

/// A code as the city wrote it down.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// The code.
    pub number: Code,
    /// What it is.
    pub label: String,
    /// For which offence.
    pub offence: OffenceId,
    /// First day.
    #[serde(default, deserialize_with = "table::day")]
    pub from: Option<Date>,
    /// First day after it.
    #[serde(default, deserialize_with = "table::day")]
    pub until: Option<Date>,
}

impl Natinf {
    /// Reads the list of the desk in `folder`; an empty one where there is none.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        use std::io::Read as _;
        let path = folder.join(FILE);
        let mut text = String::new();
        match std::fs::File::open(&path).and_then(|file| file.take(LONGEST).read_to_string(&mut text)) {
            Ok(_) => toml::from_str(&text).map_err(|error| Error::Refused {
                path,
                message: error.to_string(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(Error::Unreadable { path, source }),
        }
    }

    /// The codes for that offence on that day.
    pub fn of(&self, offence: &OffenceId, day: Date) -> impl Iterator<Item = &Listed> {
        self.codes.iter().filter(move |code| {
            code.offence == *offence
                && code.from.is_none_or(|from| from <= day)
                && code.until.is_none_or(|until| day < until)
        })
    }
}
