//! The bytes of a spreadsheet as text: UTF-8, or Windows-1252 as French office programs save it.

/// A byte that neither encoding has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "ligne {line} : l'octet {byte:#04x} n'est ni de l'UTF-8 ni du Windows-1252 ; enregistrez le fichier en CSV UTF-8"
)]
pub struct NotText {
    /// The line, from 1.
    pub line: usize,
    /// The byte.
    pub byte: u8,
}

/// What the bytes say. Whatever is UTF-8 is read as such; a byte order mark is dropped.
pub fn decoded(bytes: &[u8]) -> Result<String, NotText> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(text.to_owned());
    }
    bytes
        .iter()
        .enumerate()
        .map(|(at, byte)| match windows_1252(*byte) {
            Some(c) => Ok(c),
            None => Err(NotText {
                line: 1 + bytes[..at].iter().filter(|b| **b == b'\n').count(),
                byte: *byte,
            }),
        })
        .collect()
}

/// WHATWG Encoding, index windows-1252; the five bytes that Microsoft left out are none.
fn windows_1252(byte: u8) -> Option<char> {
    const HIGH: [char; 32] = [
        '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’',
        '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => Some(HIGH[usize::from(byte - 0x80)]).filter(|c| *c != '\0'),
        _ => Some(char::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_french_office_programs_save_is_read() {
        assert_eq!(
            decoded(b"\xef\xbb\xbfd\xc3\xa9p\xc3\xb4t"),
            Ok("dépôt".to_owned())
        );
        assert_eq!(
            decoded(b"d\xe9p\xf4t \x80 \x9cuvre \x92"),
            Ok("dépôt € œuvre ’".to_owned())
        );
        assert_eq!(decoded(b"a\n\x81\xe9"), Err(NotText { line: 2, byte: 0x81 }));
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader_and_utf_8_stays_what_it_is(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(text) = std::str::from_utf8(&bytes) {
                let plain = text.strip_prefix('\u{feff}').unwrap_or(text);
                prop_assert_eq!(decoded(&bytes), Ok(plain.to_owned()));
            } else if let Ok(text) = decoded(&bytes) {
                let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
                prop_assert_eq!(text.chars().count(), body.len(), "one character for one byte");
            }
        }
    }
}
