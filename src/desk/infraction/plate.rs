//! The plate as a human read it, typed by hand, twice.
//!
//! Promises: what was typed is kept as it was typed; [`normalised`] takes out what stands between the characters and
//! turns them into capitals, and nothing else: no `0` becomes an `O`, no missing letter is guessed. [`Shape`] says what
//! a reading looks like, as a remark beside it, never instead of it. Nothing here ever sees a picture: the program
//! reads no plate (CNIL on LAPI; CSI art. L. 233-1).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::frame::BoxTime;

/// Characters of the longest reading.
pub const LONGEST: usize = 15;

/// Stands for a character that could not be read.
pub const UNREAD: char = '?';

/// What a reading is compared and searched by: its characters in capitals, without what stands between them.
pub fn normalised(typed: &str) -> String {
    typed.chars().filter(|c| !is_between(*c)).map(capital).collect()
}

/// Blanks, hyphens, dots and the like, as they are typed between the groups of a plate.
fn is_between(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '-' | '_' | '.' | ',' | '/' | ':' | '·' | '•' | '\u{2010}'..='\u{2015}' | '\u{2212}'
        )
}

/// A capital where the character has exactly one; `ß` has not, and stays.
fn capital(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// What a normalised reading looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `AA-123-AA`, since 2009.
    Siv,
    /// `1234 AB 75`, before.
    Fni,
    /// Neither: foreign, military, diplomatic, or read wrongly.
    Other,
}

impl Shape {
    /// Of a normalised reading; an unread character may be any.
    pub fn of(normalised: &str) -> Self {
        let characters: Vec<char> = normalised.chars().collect();
        if fits(&characters, "lldddll") {
            return Self::Siv;
        }
        // One to four digits, two or three letters, a département: 01 to 95, 2A, 2B, 971 to 976.
        let fni = (1..=4).any(|digits| {
            (2..=3).any(|letters| {
                let head = "d".repeat(digits) + &"l".repeat(letters);
                ["dd", "2A", "2B", "97d"]
                    .iter()
                    .any(|tail| fits(&characters, &format!("{head}{tail}")))
            })
        });
        if fni { Self::Fni } else { Self::Other }
    }

    /// As it stands on screen.
    pub const fn french(self) -> &'static str {
        match self {
            Self::Siv => "forme française actuelle (AA-123-AA)",
            Self::Fni => "forme française ancienne (1234 AB 75)",
            Self::Other => "ni la forme française actuelle, ni l'ancienne",
        }
    }
}

/// `d` is any figure, `l` any letter, anything else itself; an unread character may be any.
fn fits(characters: &[char], pattern: &str) -> bool {
    characters.len() == pattern.len()
        && characters
            .iter()
            .zip(pattern.chars())
            .all(|(c, kind)| match kind {
                _ if *c == UNREAD => true,
                'd' => c.is_ascii_digit(),
                'l' => c.is_ascii_uppercase(),
                itself => *c == itself,
            })
}

/// How much of a plate could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Legibility {
    /// All of it.
    Whole,
    /// Some of it; what could not be read is typed as `?`.
    Partial,
    /// Nothing, or there is no plate to be seen.
    Unreadable,
}

impl Legibility {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Whole, Self::Partial, Self::Unreadable];

    /// The stable name, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Partial => "partial",
            Self::Unreadable => "unreadable",
        }
    }

    /// As it stands on screen.
    pub const fn french(self) -> &'static str {
        match self {
            Self::Whole => "Entièrement lisible",
            Self::Partial => "Partiellement lisible",
            Self::Unreadable => "Illisible ou absente",
        }
    }
}

/// The country of a plate, by its distinguishing sign (Vienna Convention on Road Traffic, annex 3), or that it is
/// not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Country {
    /// `F`, `B`, `D`, ...
    Sign(String),
    /// It cannot be told.
    Unknown,
}

impl Country {
    /// How an unknown one is written.
    pub const UNKNOWN: &'static str = "?";

    /// France.
    pub fn is_france(&self) -> bool {
        matches!(self, Self::Sign(sign) if sign == "F")
    }
}

impl TryFrom<String> for Country {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let sign = text.trim().to_ascii_uppercase();
        match sign.as_str() {
            Self::UNKNOWN => Ok(Self::Unknown),
            _ if (1..=3).contains(&sign.len()) && sign.bytes().all(|b| b.is_ascii_uppercase()) => {
                Ok(Self::Sign(sign))
            }
            _ => Err(format!("{text:?} is no country's sign: one to three letters")),
        }
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.to_string()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sign(sign) => sign,
            Self::Unknown => Self::UNKNOWN,
        })
    }
}

/// One reading by one human.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// As it was typed.
    pub typed: String,
    /// How much of it could be read.
    pub legibility: Legibility,
    /// Whose account typed it.
    pub by: String,
    /// When.
    pub at: BoxTime,
}

/// What is wrong with a reading by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nothing, where something was read.
    #[error("Saisissez l'immatriculation lue, ou indiquez qu'elle est illisible")]
    Empty,
    /// Too long for a plate.
    #[error("Une immatriculation compte au plus {LONGEST} caractères")]
    TooLong,
    /// Neither letter, digit nor `?`.
    #[error("« {0} » n'est ni une lettre, ni un chiffre ; remplacez un caractère illisible par « ? »")]
    Character(char),
    /// `?` in what is said to be wholly legible.
    #[error("Un caractère « ? » ne va pas avec « entièrement lisible »")]
    UnreadInWhole,
    /// No `?` in what is said to be partly legible.
    #[error("Remplacez par « ? » chaque caractère qui n'a pas pu être lu")]
    NothingUnread,
    /// Something typed for what is said to be illegible.
    #[error("Rien n'est à saisir pour une plaque illisible")]
    Unreadable,
}

impl Reading {
    /// What it is compared and searched by.
    pub fn normalised(&self) -> String {
        normalised(&self.typed)
    }

    /// Whether two readings say the same.
    pub fn agrees(&self, other: &Self) -> bool {
        self.legibility == other.legibility && self.normalised() == other.normalised()
    }

    /// What is wrong with it, if anything.
    pub fn fault(&self) -> Option<Fault> {
        let plain = self.normalised();
        let odd = plain.chars().find(|c| !c.is_alphanumeric() && *c != UNREAD);
        let unread = plain.contains(UNREAD);
        match self.legibility {
            Legibility::Unreadable if plain.is_empty() => None,
            Legibility::Unreadable => Some(Fault::Unreadable),
            _ if plain.is_empty() => Some(Fault::Empty),
            _ if plain.chars().count() > LONGEST => Some(Fault::TooLong),
            _ if odd.is_some() => odd.map(Fault::Character),
            Legibility::Whole if unread => Some(Fault::UnreadInWhole),
            Legibility::Partial if !unread => Some(Fault::NothingUnread),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reading(typed: &str, legibility: Legibility) -> Reading {
        Reading {
            typed: typed.to_owned(),
            legibility,
            by: "a".to_owned(),
            at: BoxTime(jiff::Timestamp::UNIX_EPOCH),
        }
    }

    #[test]
    fn ways_of_writing_one_plate_are_one_and_lookalikes_are_not() {
        for same in [
            "AB-123-CD",
            "ab 123 cd",
            "AB.123.CD",
            "\u{a0}Ab–123−cD ",
            "AB123CD",
        ] {
            assert_eq!(normalised(same), "AB123CD", "{same:?}");
        }
        // Nothing is corrected: the letter O is not the figure 0, the letter I not the figure 1.
        for other in ["AB-I23-CD", "A8-123-CD", "AB-123-C0", "AB-123-C"] {
            assert_ne!(normalised(other), "AB123CD", "{other:?}");
        }
        assert_ne!(normalised("AO123BC"), normalised("A0123BC"));
        assert_eq!(normalised("TÜ-AB 12"), "TÜAB12");
        assert_eq!(normalised("straße"), "STRAßE", "no letter is added");
    }

    #[test]
    fn shapes_are_recognised_also_where_a_character_was_not_read() {
        for (plate, shape) in [
            ("AB123CD", Shape::Siv),
            ("AB?23CD", Shape::Siv),
            ("1234AB75", Shape::Fni),
            ("12ABC2A", Shape::Fni),
            ("1AB971", Shape::Fni),
            ("1ABC234", Shape::Other),
            ("1AB97?", Shape::Fni),
            ("12AB3A", Shape::Other),
            ("TÜAB12", Shape::Other),
            ("", Shape::Other),
            ("AB123C", Shape::Other),
        ] {
            assert_eq!(Shape::of(plate), shape, "{plate}");
        }
    }

    #[test]
    fn a_reading_says_of_itself_what_could_not_be_read() {
        use Legibility::{Partial, Unreadable, Whole};
        for (typed, legibility, fault) in [
            ("AB-123-CD", Whole, None),
            ("AB-1?3-CD", Whole, Some(Fault::UnreadInWhole)),
            ("AB-1?3-CD", Partial, None),
            ("AB-123-CD", Partial, Some(Fault::NothingUnread)),
            ("", Unreadable, None),
            ("AB", Unreadable, Some(Fault::Unreadable)),
            ("  - ", Whole, Some(Fault::Empty)),
            ("AB<123", Whole, Some(Fault::Character('<'))),
            ("ABCDEFGHIJKLMNOP", Whole, Some(Fault::TooLong)),
        ] {
            assert_eq!(reading(typed, legibility).fault(), fault, "{typed:?}");
        }
    }

    proptest! {
        #[test]
        fn normalising_takes_out_what_is_between_and_nothing_else(typed in "\\PC{0,30}") {
            let once = normalised(&typed);
            prop_assert_eq!(normalised(&once), once.clone(), "once is enough");
            let kept: Vec<char> = typed.chars().filter(|c| !is_between(*c)).collect();
            prop_assert_eq!(kept.len(), once.chars().count(), "one character for one");
            for (before, after) in kept.iter().zip(once.chars()) {
                prop_assert!(after == *before || before.to_uppercase().eq([after]));
            }
        }

        #[test]
        fn a_reading_agrees_with_itself_however_it_is_spaced(groups in prop::collection::vec("[A-Z0-9]{1,4}", 1..4)) {
            let (joined, spaced) = (groups.concat(), groups.join(" - ").to_lowercase());
            let (one, other) = (reading(&joined, Legibility::Whole), reading(&spaced, Legibility::Whole));
            prop_assert!(one.agrees(&other));
        }

        #[test]
        fn one_other_character_is_another_reading(plate in "[A-Z0-9]{2,8}", at in 0usize..8, other in "[A-Z0-9]") {
            let at = at % plate.len();
            let mut changed = plate.clone();
            changed.replace_range(at..=at, &other);
            let same = reading(&plate, Legibility::Whole).agrees(&reading(&changed, Legibility::Whole));
            prop_assert_eq!(same, plate == changed);
        }
    }
}
