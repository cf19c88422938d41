//! Case numbers: `2026-IVR-0042`. Year, the city's code, a counter; opaque.
//!
//! Promises: a number that was given is never given again, not even when its file was destroyed: the journal and the
//! certificates name files by it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An infraction file's number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CaseNumber {
    year: i16,
    code: String,
    counter: u32,
}

/// A text that is no case number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("« {0} » n'est pas un numéro de dossier ; écrivez par exemple 2026-IVR-0042")]
pub struct NotANumber(String);

impl CaseNumber {
    /// The `counter`-th file of `year`, of the city with that code (three to five capitals).
    pub fn new(year: i16, code: &str, counter: u32) -> Result<Self, NotANumber> {
        let plain = (3..=5).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_uppercase());
        if plain && (2000..=9999).contains(&year) && counter > 0 {
            return Ok(Self {
                year,
                code: code.to_owned(),
                counter,
            });
        }
        Err(NotANumber(format!("{year}-{code}-{counter:04}")))
    }

    /// The year in which it was opened.
    pub fn year(&self) -> i16 {
        self.year
    }

    /// Its number in that year.
    pub fn counter(&self) -> u32 {
        self.counter
    }
}

impl fmt::Display for CaseNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{:04}", self.year, self.code, self.counter)
    }
}

impl FromStr for CaseNumber {
    type Err = NotANumber;
    fn from_str(text: &str) -> Result<Self, NotANumber> {
        let no = || NotANumber(text.to_owned());
        let parts: Vec<&str> = text.trim().split('-').collect();
        let [year, code, counter] = parts[..] else {
            return Err(no());
        };
        let number = |digits: &str| match digits.bytes().all(|b| b.is_ascii_digit()) {
            true => digits.parse::<u32>().map_err(|_| no()),
            false => Err(no()),
        };
        let year = i16::try_from(number(year)?).map_err(|_| no())?;
        let number = Self::new(year, &code.to_ascii_uppercase(), number(counter)?).map_err(|_| no())?;
        // One text for one number, but for the letters' case: no `2026-IVR-42` beside `2026-IVR-0042`.
        match number.to_string().eq_ignore_ascii_case(text.trim()) {
            true => Ok(number),
            false => Err(no()),
        }
    }
}

impl TryFrom<String> for CaseNumber {
    type Error = NotANumber;
    fn try_from(text: String) -> Result<Self, NotANumber> {
        text.parse()
    }
}

impl From<CaseNumber> for String {
    fn from(number: CaseNumber) -> Self {
        number.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_text() {
        let number = CaseNumber::new(2026, "IVR", 42).expect("a number");
        assert_eq!(number.to_string(), "2026-IVR-0042");
        for same in ["2026-IVR-0042", " 2026-ivr-0042 "] {
            assert_eq!(same.parse(), Ok(number.clone()));
        }
        assert_eq!(
            CaseNumber::new(2026, "IVR", 12345)
                .expect("a number")
                .to_string()
                .parse::<CaseNumber>()
                .map(|n| n.counter()),
            Ok(12345)
        );
        for wrong in [
            "",
            "2026-IVR-42",
            "2026-IVR-0000",
            "26-IVR-0042",
            "2026-IV-0042",
            "2026-IVR-0042-1",
            "2026-IVR--042",
            "2026-IVR-+042",
            "../../etc",
            "2026-IVR-00042",
        ] {
            assert!(wrong.parse::<CaseNumber>().is_err(), "{wrong:?}");
        }
    }
}
