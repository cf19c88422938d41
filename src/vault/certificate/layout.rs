//! The lines of a certificate's page, and its numbers, dates and delays as French writes them.
//!
//! Promises: 78 columns whatever comes in, with the values of a list under each other.

use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::frame::BoxTime;

/// Columns of the page.
pub(super) const WIDTH: usize = 78;
/// Where the values of a list begin.
const VALUES: usize = 30;

/// With the decimal groups that print and do not break.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(|group| String::from_utf8_lossy(group)).collect();
    groups.join("\u{a0}")
}

pub(super) fn octets(value: u64) -> String {
    let unit = if value < 2 { "octet" } else { "octets" };
    format!("{}\u{a0}{unit}", number(value))
}

pub(super) fn date(time: BoxTime) -> String {
    let time = time.0.to_zoned(TimeZone::UTC);
    format!("{} à {} h {:02}", day(time.date()), time.hour(), time.minute())
}

/// A day, as French writes it.
pub(super) fn day(day: Date) -> String {
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
    let month = MONTHS[(day.month() - 1) as usize];
    match day.day() {
        1 => format!("1er {month} {}", day.year()),
        nth => format!("{nth} {month} {}", day.year()),
    }
}

pub(super) fn lateness(seconds: u64) -> String {
    if seconds == 0 {
        return "aucun".to_owned();
    }
    let late = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    let unit = |value: i64, one: &str| format!("{value}\u{a0}{one}{}", if value > 1 { "s" } else { "" });
    let (days, hours, minutes) = (late.as_hours() / 24, late.as_hours() % 24, late.as_mins() % 60);
    match (days, hours) {
        (0, 0) if minutes == 0 => "moins d'une minute".to_owned(),
        (0, 0) => unit(minutes, "minute"),
        (0, _) => format!("{} {}", unit(hours, "heure"), unit(minutes, "minute")),
        _ => format!("{} {}", unit(days, "jour"), unit(hours, "heure")),
    }
}

#[derive(Default)]
pub(super) struct Page {
    pub(super) lines: String,
}

impl Page {
    pub(super) fn heading(&mut self, number: &str) {
        let (left, right) = ("CERTIFICAT DE DESTRUCTION", format!("n° {number}"));
        let gap = WIDTH
            .saturating_sub(left.chars().count() + right.chars().count())
            .max(1);
        self.line(&format!("{left}{}{right}", " ".repeat(gap)));
        self.line(&"=".repeat(WIDTH));
    }

    pub(super) fn title(&mut self, title: &str) {
        self.line("");
        self.line(title);
    }

    pub(super) fn text(&mut self, text: &str) {
        let indent = text.len() - text.trim_start_matches(' ').len();
        for line in broken(text.trim_start_matches(' '), WIDTH - indent) {
            self.line(&format!("{}{line}", " ".repeat(indent)));
        }
    }

    pub(super) fn row(&mut self, name: &str, value: &str) {
        let name = format!("{name} ");
        let dots = VALUES.saturating_sub(name.chars().count());
        let mut begin = format!("{name}{} : ", ".".repeat(dots));
        for line in broken(value, WIDTH - VALUES - 3) {
            self.line(&format!("{begin}{line}"));
            begin = " ".repeat(VALUES + 3);
        }
    }

    fn line(&mut self, line: &str) {
        self.lines.push_str(line.trim_end());
        self.lines.push('\n');
    }
}

/// Broken at blanks into lines of at most `width` characters; at least one line. What a person typed cannot make
/// lines of its own: control characters count as blanks.
fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let words = text
        .split(|c: char| c == ' ' || c.is_control())
        .filter(|word| !word.is_empty());
    for word in words {
        let letters: Vec<char> = word.chars().collect();
        for part in letters.chunks(width) {
            let part: String = part.iter().collect();
            match lines.last_mut() {
                Some(line) if line.is_empty() => line.push_str(&part),
                Some(line) if line.chars().count() + 1 + part.chars().count() <= width => {
                    line.push(' ');
                    line.push_str(&part);
                }
                _ => lines.push(part),
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_laid_out_in_78_columns_with_its_values_under_each_other() {
        let mut page = Page::default();
        page.heading("n-1");
        page.title("1. Titre");
        page.row("Nom", "court");
        page.row("Autre", &"mot ".repeat(12));
        page.text(&format!("  {}", "mot ".repeat(20)));
        page.text(&"x".repeat(80));
        let expected = [
            format!("CERTIFICAT DE DESTRUCTION{}n° n-1", " ".repeat(47)),
            "=".repeat(78),
            String::new(),
            "1. Titre".to_owned(),
            format!("Nom {} : court", ".".repeat(26)),
            format!("Autre {} : {}", ".".repeat(24), ["mot"; 11].join(" ")),
            format!("{}mot", " ".repeat(33)),
            format!("  {}", ["mot"; 19].join(" ")),
            "  mot".to_owned(),
            "x".repeat(78),
            "xx".to_owned(),
        ];
        assert_eq!(page.lines.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn lateness_and_sizes_are_told_as_french_counts() {
        for (seconds, told) in [
            (0, "aucun"),
            (59, "moins d'une minute"),
            (60, "1 minute"),
            (179, "2 minutes"),
            (3600, "1 heure 0 minute"),
            (2 * 3600 + 61, "2 heures 1 minute"),
            (86_400, "1 jour 0 heure"),
            (2 * 86_400 + 2 * 3600, "2 jours 2 heures"),
        ] {
            assert_eq!(lateness(seconds).replace('\u{a0}', " "), told);
        }
        let sizes = [0, 1, 2, 1234].map(|bytes| octets(bytes).replace('\u{a0}', " "));
        assert_eq!(sizes, ["0 octet", "1 octet", "2 octets", "1 234 octets"]);
    }
}
