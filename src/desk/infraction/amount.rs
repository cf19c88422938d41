//! Decimal amounts with two places: euros, cubic metres, hours. Exact; never a floating-point number.
//!
//! Promises: what is typed as French writes it (`1 234,56`) is that very amount or is refused; a sum is the sum of what
//! is shown; a product is rounded once, half a cent upwards.

use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most that may be typed, in hundredths: ten million.
const MOST: u64 = 1_000_000_000;

/// An amount in hundredths of its unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hundredths(u64);

/// Euros and cents.
pub type Euros = Hundredths;

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not a number as French writes it.
    #[error("Écrivez un nombre positif, par exemple 1 234,56")]
    Form,
    /// More than two decimals.
    #[error("Écrivez au plus deux décimales")]
    TooFine,
    /// More than ten millions.
    #[error("Ce nombre est trop grand")]
    TooLarge,
}

impl Hundredths {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many hundredths.
    pub const fn new(hundredths: u64) -> Self {
        Self(hundredths)
    }

    /// How many hundredths.
    pub const fn hundredths(self) -> u64 {
        self.0
    }

    /// The product with another amount, rounded to the hundredth, halves upwards; nothing if it is too large.
    pub fn times(self, other: Self) -> Option<Self> {
        let product = u128::from(self.0) * u128::from(other.0);
        let rounded = u64::try_from((product + 50) / 100).ok()?;
        (rounded <= MOST).then_some(Self(rounded))
    }

    /// As programs write it: `1234.56`.
    pub fn plain(self) -> String {
        format!("{}.{:02}", self.0 / 100, self.0 % 100)
    }

    /// As French writes it, without decimals that say nothing: `1,5`, `3`.
    pub fn short(self) -> String {
        let text = self.to_string();
        match text.strip_suffix(",00") {
            Some(whole) => whole.to_owned(),
            None => text.strip_suffix('0').unwrap_or(&text).to_owned(),
        }
    }
}

impl Sum for Hundredths {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        // Lines are bounded in number and each by `MOST`: the sum is far from the type's bound.
        Self(amounts.fold(0, |sum, amount| sum.saturating_add(amount.0)))
    }
}

impl fmt::Display for Hundredths {
    /// As French writes it: `1 234,56`, with narrow no-break spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = (self.0 / 100).to_string();
        let groups: Vec<&str> = whole
            .as_bytes()
            .rchunks(3)
            .rev()
            .filter_map(|digits| std::str::from_utf8(digits).ok())
            .collect();
        write!(f, "{},{:02}", groups.join("\u{202f}"), self.0 % 100)
    }
}

impl FromStr for Hundredths {
    type Err = Fault;
    fn from_str(text: &str) -> Result<Self, Fault> {
        let text = text.trim().trim_end_matches(['€']).trim_end();
        let (whole, decimals) = match text.rsplit_once([',', '.']) {
            Some((whole, decimals)) if !decimals.is_empty() => (whole, decimals),
            Some(_) => return Err(Fault::Form),
            None => (text, ""),
        };
        let whole = ungrouped(whole).ok_or(Fault::Form)?;
        if !decimals.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Fault::Form);
        }
        if decimals.len() > 2 {
            return Err(Fault::TooFine);
        }
        let digits = format!("{whole}{decimals:0<2}");
        match digits.parse() {
            Ok(hundredths) if hundredths <= MOST => Ok(Self(hundredths)),
            _ => Err(Fault::TooLarge),
        }
    }
}

/// The digits of a whole number that may be grouped by three with blanks, and with nothing else: `1.234` is not a
/// thousand where a dot may also begin the decimals.
fn ungrouped(whole: &str) -> Option<String> {
    let is_blank = |c: char| matches!(c, ' ' | '\u{a0}' | '\u{202f}');
    let groups: Vec<&str> = whole.split(is_blank).collect();
    let (first, rest) = groups.split_first()?;
    let digits = |group: &str| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit());
    let first = digits(first) && (rest.is_empty() || first.len() <= 3);
    let rest = rest.iter().all(|group| group.len() == 3 && digits(group));
    (first && rest).then(|| groups.concat())
}

impl TryFrom<String> for Hundredths {
    type Error = Fault;
    fn try_from(text: String) -> Result<Self, Fault> {
        text.parse()
    }
}

impl From<Hundredths> for String {
    fn from(amount: Hundredths) -> Self {
        amount.plain()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_amount_is_read_as_french_writes_it_or_refused() {
        for (text, hundredths) in [
            ("0", 0),
            ("12", 1_200),
            ("12,5", 1_250),
            ("12.50", 1_250),
            (" 1 234,56 €", 123_456),
            ("1\u{202f}234\u{a0}567,89", 123_456_789),
            ("1234,56", 123_456),
            ("007", 700),
        ] {
            assert_eq!(text.parse(), Ok(Hundredths(hundredths)), "{text:?}");
        }
        for (text, fault) in [
            ("", Fault::Form),
            ("-1", Fault::Form),
            ("1,234,56", Fault::Form),
            ("1.234,56", Fault::Form),
            ("1 23", Fault::Form),
            ("1,", Fault::Form),
            (",5", Fault::Form),
            ("1e3", Fault::Form),
            ("١", Fault::Form),
            ("1,234", Fault::TooFine),
            ("10 000 000,01", Fault::TooLarge),
            ("99999999999999999999", Fault::TooLarge),
        ] {
            assert_eq!(text.parse::<Hundredths>(), Err(fault), "{text:?}");
        }
    }

    #[test]
    fn a_product_is_rounded_once_with_halves_upwards() {
        // 1.25 h at 25.50 € are 31.875 €.
        assert_eq!(Hundredths(125).times(Hundredths(2550)), Some(Hundredths(3188)));
        assert_eq!(Hundredths(50).times(Hundredths(1)), Some(Hundredths(1)));
        assert_eq!(Hundredths(49).times(Hundredths(1)), Some(Hundredths(0)));
        assert_eq!(Hundredths(MOST).times(Hundredths(MOST)), None);
        assert_eq!(Hundredths(0).times(Hundredths(MOST)), Some(Hundredths(0)));
    }

    #[test]
    fn on_paper_it_stands_as_french_writes_it() {
        assert_eq!(Hundredths(123_456_789).to_string(), "1\u{202f}234\u{202f}567,89");
        assert_eq!(Hundredths(5).to_string(), "0,05");
        assert_eq!([Hundredths(150).short(), Hundredths(300).short()], ["1,5", "3"]);
    }

    proptest! {
        #[test]
        fn what_is_shown_is_what_was_meant(hundredths in 0..=MOST) {
            let amount = Hundredths(hundredths);
            for text in [amount.to_string(), amount.plain(), amount.short(), format!("{amount} €")] {
                prop_assert_eq!(text.parse(), Ok(amount), "{}", text);
            }
        }

        #[test]
        fn a_sum_is_the_sum_of_what_is_shown(lines in prop::collection::vec(0..=MOST, 0..200)) {
            let sum: Hundredths = lines.iter().map(|line| Hundredths(*line)).sum();
            prop_assert_eq!(sum.hundredths(), lines.iter().sum::<u64>());
        }

        #[test]
        fn no_text_is_misread(text in "[0-9 ,.€\u{a0}-]{0,12}") {
            if let Ok(amount) = text.parse::<Hundredths>() {
                let digits = |t: &str| t.chars().filter(char::is_ascii_digit).collect::<String>();
                let typed = digits(&text);
                let shown = digits(&amount.plain());
                prop_assert!(
                    shown.trim_start_matches('0').starts_with(typed.trim_start_matches('0').trim_end_matches('0')),
                    "{} became {}", text, amount
                );
            }
        }
    }
}
