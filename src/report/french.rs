//! Dates, numbers and spaces as French administration writes them. Pure.

use jiff::civil::{Date, DateTime};

use crate::frame::Digest;

const MONTHS: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];

/// `22 novembre 2026`, `1er mars 2027`.
pub fn day(date: Date) -> String {
    let day = match date.day() {
        1 => "1er".to_owned(),
        day => day.to_string(),
    };
    let month = MONTHS[usize::from(date.month().unsigned_abs().clamp(1, 12)) - 1];
    format!("{day} {month} {}", date.year())
}

/// `22 novembre 2026 à 14 h 05`.
pub fn moment(time: DateTime) -> String {
    format!("{} à {} h {:02}", day(time.date()), time.hour(), time.minute())
}

/// `22 novembre 2026 à 14 h 05 min 09 s`: the facts are told to the second.
pub fn exact(time: DateTime) -> String {
    format!("{} min {:02} s", moment(time), time.second())
}

/// `22/11/2026 14:05:09`.
pub fn short(time: DateTime) -> String {
    time.strftime("%d/%m/%Y %H:%M:%S").to_string()
}

/// `1 234 567`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().collect();
    let groups: Vec<_> = groups.into_iter().map(String::from_utf8_lossy).collect();
    groups.join("\u{a0}")
}

/// `1 234,50 €`.
pub fn euros(cents: u64) -> String {
    format!("{},{:02}\u{a0}€", count(cents / 100), cents % 100)
}

/// An offset of a clock: `en avance de 2 min 5 s`.
pub fn offset(seconds: i64) -> String {
    let (minutes, rest) = (seconds.unsigned_abs() / 60, seconds.unsigned_abs() % 60);
    let length = match (minutes, rest) {
        (0, rest) => format!("{rest} s"),
        (minutes, 0) => format!("{} min", count(minutes)),
        (minutes, rest) => format!("{} min {rest} s", count(minutes)),
    };
    match seconds.signum() {
        0 => "nul (moins d'une seconde)".to_owned(),
        1 => format!("en avance de {length}"),
        _ => format!("en retard de {length}"),
    }
}

/// The first and last digits of a fingerprint, where the whole of it stands elsewhere.
pub fn abridged(digest: &Digest) -> String {
    let whole = digest.to_string();
    format!("{}…{}", &whole[..8], &whole[56..])
}

/// Sets a text as French is set: the spaces that must not break a line do not, and apostrophes are curled.
/// What it says is not changed.
pub fn set(text: &str) -> String {
    let mut set = String::with_capacity(text.len() + 16);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let before = set.chars().next_back();
        set.push(match letter {
            '\'' => '’',
            // No sign of these in the font; the one that stands for them looks the same.
            '\u{202f}' => '\u{a0}',
            '\u{2011}' => '-',
            ' ' if stays_with_next(letters.peek().copied()) || stays_with_last(before, &set) => '\u{a0}',
            letter => letter,
        });
    }
    set
}

fn stays_with_next(next: Option<char>) -> bool {
    matches!(next, Some(':' | ';' | '!' | '?' | '»' | '%' | '€'))
}

fn stays_with_last(last: Option<char>, so_far: &str) -> bool {
    last == Some('«')
        || ["n°", "N°", "art.", "p."]
            .iter()
            .any(|word| so_far.ends_with(word))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn dates_and_numbers_are_written_as_in_french() {
        assert_eq!(day(date(2027, 3, 1)), "1er mars 2027");
        assert_eq!(
            moment(date(2026, 11, 22).at(14, 5, 9, 0)),
            "22 novembre 2026 à 14 h 05"
        );
        assert_eq!(
            exact(date(2026, 8, 2).at(0, 0, 9, 0)),
            "2 août 2026 à 0 h 00 min 09 s"
        );
        assert_eq!(short(date(2026, 11, 22).at(14, 5, 9, 0)), "22/11/2026 14:05:09");
        assert_eq!(count(1_234_567), "1\u{a0}234\u{a0}567");
        assert_eq!(euros(123_405), "1\u{a0}234,05\u{a0}€");
        assert_eq!(offset(-125), "en retard de 2 min 5 s");
        assert_eq!(offset(3), "en avance de 3 s");
    }

    #[test]
    fn no_line_begins_with_a_colon_and_no_quotation_with_a_break() {
        assert_eq!(
            set("l'acte : « vu » n° 3"),
            "l’acte\u{a0}: «\u{a0}vu\u{a0}» n°\u{a0}3"
        );
        assert_eq!(set("10 h 30; 5 %"), "10 h 30; 5\u{a0}%");
    }
}
