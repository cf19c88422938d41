//! Codes that this program draws and people copy: one-time codes, halves of them, recovery codes.
//!
//! Promises: five bits in each sign, from the operating system's randomness; no sign looks like another (Crockford's
//! alphabet: no I, L, O, U); what is typed is read whatever its case, spaces and dashes. Compared in constant time.

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::Error;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const GROUP: usize = 4;

/// Signs of a one-time code and of the set-up code: 80 bits.
pub const ONE_TIME: usize = 16;
/// Signs of each half of a code that two people hand over.
pub const HALF: usize = ONE_TIME / 2;
/// Signs of a recovery code: 60 bits, of use to nobody without the password.
pub const RECOVERY: usize = 12;

/// A code. Wiped when dropped; shown by `Display` alone, in groups.
#[derive(Clone)]
pub struct Code(Zeroizing<String>);

impl Code {
    /// Draws one of that many signs.
    pub fn draw(signs: usize) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new(vec![0; signs]);
        getrandom::fill(&mut bytes)?;
        // 256 is a multiple of 32: every sign is as likely.
        let signs = bytes
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
        Ok(Self(Zeroizing::new(signs.collect())))
    }

    /// What was typed, if it has that many signs.
    pub fn read(typed: &str, signs: usize) -> Option<Self> {
        let mut code = Zeroizing::new(String::with_capacity(signs));
        for sign in typed
            .chars()
            .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '‑' | '–'))
        {
            let sign = match sign.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let known = u8::try_from(sign).is_ok_and(|sign| ALPHABET.contains(&sign));
            if !known || code.len() == signs {
                return None;
            }
            code.push(sign);
        }
        (code.len() == signs).then_some(Self(code))
    }

    /// The signs, without groups.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Two halves as one code.
    pub fn join(first: &Self, second: &Self) -> Self {
        Self(Zeroizing::new([first.as_str(), second.as_str()].concat()))
    }

    /// Whether it is this one; the time taken tells nothing of where they differ.
    pub fn is(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, sign) in self.0.chars().enumerate() {
            if at > 0 && at % GROUP == 0 {
                f.write_str("-")?;
            }
            write!(f, "{sign}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_copy_it() {
        let code = Code::draw(ONE_TIME).expect("randomness");
        let shown = code.to_string();
        assert_eq!(shown.len(), 19);
        for typed in [
            shown.clone(),
            shown.to_lowercase(),
            shown.replace('-', " "),
            shown.replace('0', "o").replace('1', "l"),
        ] {
            assert!(
                Code::read(&typed, ONE_TIME).is_some_and(|read| read.is(&code)),
                "{typed}"
            );
        }
        for wrong in [&shown[1..], "", "UUUU-UUUU-UUUU-UUUU", &format!("{shown}0")] {
            assert!(Code::read(wrong, ONE_TIME).is_none(), "{wrong}");
        }
    }

    #[test]
    fn no_two_codes_are_the_same_and_none_is_printed_by_mistake() {
        let (one, other) = (
            Code::draw(RECOVERY).expect("drawn"),
            Code::draw(RECOVERY).expect("drawn"),
        );
        assert!(!one.is(&other));
        assert!(!format!("{one:?}").contains(one.as_str()));
    }

    #[test]
    fn two_halves_are_the_whole() {
        let (first, second) = (Code::draw(HALF).expect("drawn"), Code::draw(HALF).expect("drawn"));
        let typed = format!("{first} {second}");
        let whole = Code::read(&typed, ONE_TIME).expect("read");
        assert!(whole.is(&Code::join(&first, &second)));
    }
}
