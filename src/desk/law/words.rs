//! What the tables say, as sentences: for pages and documents.
//!
//! Promises: whatever is still to be confirmed says so right behind it; an amount nobody has established is not given.

use jiff::civil::Date;

use super::{Confirm, Fixed, Kind, Row};

const TO_CONFIRM: &str = " (à confirmer)";

impl Row {
    /// What the text provides for: `contravention de la 5e classe, 1 500 € au plus (3 000 € en récidive)...`. What it
    /// provides for, not what anybody will be sentenced to.
    pub fn penalty(&self, kind: Kind) -> String {
        let mut parts = vec![match (kind, self.class) {
            (Kind::Contravention, Some(class)) => {
                self.with(format!("contravention de la {class}e classe"), Confirm::Class)
            }
            (kind, _) => kind.french().to_owned(),
        }];
        if let Some(years) = self.prison_years {
            let years = format!("{years} ans d'emprisonnement au plus");
            parts.push(self.with(years, Confirm::PrisonYears));
        }
        if let Some(maximum) = self.maximum {
            let repeated = self
                .repeated
                .map(|euros| format!(" ({} en récidive)", money(euros)));
            let maximum = format!(
                "{} d'amende au plus{}",
                money(maximum),
                repeated.unwrap_or_default()
            );
            parts.push(self.with(maximum, Confirm::Maximum));
        } else if self.is_to_confirm(Confirm::Maximum) {
            parts.push("peine à confirmer".to_owned());
        }
        parts.extend(self.also.clone());
        if let Some(fixed) = self.fixed {
            parts.push(self.fixed_words(fixed));
        }
        parts.join(", ")
    }

    fn fixed_words(&self, fixed: Fixed) -> String {
        let mut words = self.with(
            format!("amende forfaitaire {}", money(fixed.amount)),
            Confirm::Amount,
        );
        if let Some(reduced) = fixed.reduced {
            words += &self.with(format!(", minorée {}", money(reduced)), Confirm::Reduced);
        }
        words + &self.with(format!(", majorée {}", money(fixed.raised)), Confirm::Raised)
    }

    /// Since when, or until when, it held.
    pub fn in_force(&self) -> String {
        let day = |day: Date| format!("{:02}/{:02}/{}", day.day(), day.month(), day.year());
        let from = self
            .from
            .map(|from| self.with(format!("depuis le {}", day(from)), Confirm::From));
        let until = self
            .until
            .map(|until| self.with(format!("jusqu'au {} exclu", day(until)), Confirm::Until));
        let parts: Vec<String> = from.into_iter().chain(until).collect();
        match parts.is_empty() {
            true => "en vigueur".to_owned(),
            false => format!("en vigueur {}", parts.join(", ")),
        }
    }

    /// What of it is still to be confirmed, in words.
    pub fn doubts(&self) -> Vec<&'static str> {
        self.to_confirm.iter().map(|what| what.french()).collect()
    }

    fn with(&self, words: String, what: Confirm) -> String {
        match self.is_to_confirm(what) {
            true => words + TO_CONFIRM,
            false => words,
        }
    }
}

impl Confirm {
    /// As it stands on screen.
    pub const fn french(self) -> &'static str {
        match self {
            Self::From => "date d'entrée en vigueur",
            Self::Until => "date de fin de vigueur",
            Self::Class => "classe",
            Self::Maximum => "amende maximale",
            Self::PrisonYears => "emprisonnement",
            Self::Reduced => "amende forfaitaire minorée",
            Self::Amount => "amende forfaitaire",
            Self::Raised => "amende forfaitaire majorée",
            Self::Basis => "fondement",
            Self::Days => "délai",
        }
    }
}

/// Whole euros as French writes them.
pub fn money(euros: u32) -> String {
    let digits = euros.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    format!("{}\u{a0}€", groups.join("\u{202f}"))
}
