//! A pass-phrase for an encrypted package: eight French words, 80 bits, shown once and kept nowhere.
//!
//! Promises: each of the 1024 words is as likely as any other; the phrase is wiped from memory when dropped and
//! never printed by accident. Leaves telling it to the recipient, by another way than the package, to people.

use std::fmt;

use zeroize::Zeroizing;

/// words.ATTRIBUTION.md
const WORDS: &str = include_str!("words.txt");
/// Each is worth ten bits. The key is derived by PBKDF2 with 1000 rounds only (WinZip AE-2), so the phrase
/// itself must be out of reach of guessing.
const COUNT: usize = 8;

/// The words.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// New words, from the operating system's random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 2 * COUNT]);
        getrandom::fill(&mut bytes[..])?;
        Ok(Self::from_bytes(&bytes))
    }

    fn from_bytes(bytes: &[u8; 2 * COUNT]) -> Self {
        let words: Vec<_> = WORDS.lines().collect();
        let (pairs, _) = bytes.as_chunks::<2>();
        let mut phrase = Zeroizing::new(String::with_capacity(96));
        for pair in pairs {
            if !phrase.is_empty() {
                phrase.push(' ');
            }
            // 65,536 is a multiple of 1024: no word is likelier.
            phrase.push_str(words[usize::from(u16::from_be_bytes(*pair)) % words.len()]);
        }
        Self(phrase)
    }

    /// One that was told: spaces and line ends at its ends do not count, nor how many stand between its words.
    pub fn told(text: &str) -> Self {
        let words: Vec<_> = text.split_whitespace().collect();
        Self(Zeroizing::new(words.join(" ")))
    }

    /// The words, with a blank between them.
    pub fn words(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_1024_different_plain_words() {
        let words: BTreeSet<_> = WORDS.lines().collect();
        assert_eq!(words.len(), 1024);
        assert!(
            words
                .iter()
                .all(|word| word.bytes().all(|c| c.is_ascii_lowercase()))
        );
    }

    #[test]
    fn a_phrase_has_eight_words_and_is_not_printed_by_accident() {
        let phrase = Passphrase::from_bytes(&[0; 16]);
        assert_eq!(phrase.words(), ["abaisser"; 8].join(" "));
        assert_eq!(format!("{phrase:?}"), "Passphrase(…)");
        assert_eq!(Passphrase::told(" un  deux\n").words(), "un deux");
        let drawn = Passphrase::random().expect("random numbers");
        assert_eq!(drawn.words().split(' ').count(), 8);
    }
}
