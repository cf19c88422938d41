//! What the city decided for its service: `desk.toml`, read once, checked whole.
//!
//! Promises: unknown keys are refused; what the law bounds is bounded here; what only the city can say (its names,
//! the regime of each camera) has no default, so no document goes out without it. [`Office::parse`] is pure.
//! docs/desk.example.toml explains every key.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::config::{Regime, RegimeKind};
use crate::frame::CameraId;
use crate::vault::checkpoint::TERM_YEARS;

/// Years for which the journal is kept, by the store itself.
const JOURNAL_YEARS: u8 = TERM_YEARS as u8;
/// A configuration is a page or two; a file beyond this is something else.
const LONGEST: u64 = 1 << 20;

/// A configuration that is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error("{}: cannot be read: {source}; docs/desk.example.toml is a model of it", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, a missing one.
    #[error("{}: {message}", path.display())]
    Refused {
        /// Which.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
}

/// Everything `desk.toml` says, checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Office {
    /// The city, as it stands on documents: `Ville d'Ivry-sur-Exemple`.
    pub commune: String,
    /// Three to five capitals in case numbers: `IVR`.
    pub code: String,
    /// The service.
    pub service: String,
    /// Its address, in lines.
    pub address: Vec<String>,
    /// The court before which its agents took the oath, and whose prosecutor is written to.
    pub tribunal: String,
    /// Whom the data protection officer is reached by.
    pub dpd: Contact,
    /// Where clocks on screen and paper stand.
    #[serde(default = "paris")]
    pub zone: String,
    /// Where pages are served.
    #[serde(default = "loopback")]
    pub listen: SocketAddr,
    /// Names under which browsers may ask for them, besides the address itself.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Certificate and key for addresses that are not loopback; without them, one is made.
    pub tls: Option<Tls>,
    /// Folders from which bundles may be taken: where sticks are mounted.
    #[serde(default)]
    pub sticks: Vec<PathBuf>,
    /// How long things are kept.
    #[serde(default)]
    pub terms: Terms,
    /// Minutes without a page asked for after which somebody is logged out (1 to 15).
    #[serde(default = "a_quarter")]
    pub idle_minutes: u8,
    /// What the city has on file about the processing; stands in section 3 of each report.
    #[serde(default)]
    pub processing: Processing,
    /// Each camera whose events come here.
    pub camera: Vec<Camera>,
}

/// References about the processing; an empty one stands on no document.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Processing {
    /// The entry in the register of processing (RGPD art. 30).
    pub register: String,
    /// The impact assessment (AIPD, RGPD art. 35): reference and day.
    pub impact_assessment: String,
    /// How the public is told: signs, the city's site.
    pub public_notice: String,
}

/// How somebody is reached.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Who, or which office.
    pub name: String,
    /// By letter, in lines.
    pub address: Vec<String>,
    /// By e-mail.
    pub email: String,
}

/// Files of a certificate that a browser trusts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM, with its chain.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

/// Terms of retention; each no longer than the promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Terms {
    /// Days after the facts for which events wait for a decision (1 to 30: CSI art. L.252-5).
    pub undecided_days: u8,
    /// Years after the facts for which an infraction file is kept (1 to 2: the public promise).
    pub infraction_years: u8,
    /// Years for which the journal is kept: three, for the store itself lets no line go before.
    pub journal_years: u8,
    /// Whether a file goes at once when the court acquits.
    pub erase_on_acquittal: bool,
    /// Whether a file goes at once when the prosecutor drops the case.
    pub erase_on_dismissal: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            undecided_days: 30,
            infraction_years: 2,
            journal_years: JOURNAL_YEARS,
            erase_on_acquittal: true,
            erase_on_dismissal: true,
        }
    }
}

/// A camera as the service knows it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// Its id, as on the box.
    pub id: CameraId,
    /// Where it stands, in words.
    pub site: String,
    /// The legal ground that the city claims for it; stands on every document.
    #[serde(deserialize_with = "regime")]
    pub regime: Regime,
}

/// The regime as `trap.toml` writes it.
fn regime<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Regime, D::Error> {
    use serde::de::Error as _;
    let raw = RawRegime::deserialize(from)?;
    let day = |date: toml::value::Datetime| {
        date.to_string()
            .parse::<Date>()
            .map_err(|_| D::Error::custom("write dates as 2026-11-21"))
    };
    let kind = match (raw.kind, raw.acknowledged_by) {
        (Kind::SansTexte, Some(by)) => RegimeKind::SansTexte {
            responsible: by.responsible,
            dpo: by.dpo,
        },
        (Kind::SansTexte, None) => {
            return Err(D::Error::custom(
                "sans_texte also needs acknowledged_by = { responsible = \"...\", dpo = \"...\" }",
            ));
        }
        (_, Some(_)) => return Err(D::Error::custom("acknowledged_by belongs to sans_texte alone")),
        (Kind::Videoprotection, None) => RegimeKind::Videoprotection,
        (Kind::ActeEnquete, None) => RegimeKind::ActeEnquete,
        (Kind::Quebec, None) => RegimeKind::Quebec,
    };
    Ok(Regime {
        kind,
        reference: raw.reference,
        from: day(raw.from)?,
        until: day(raw.until)?,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRegime {
    kind: Kind,
    reference: String,
    from: toml::value::Datetime,
    until: toml::value::Datetime,
    acknowledged_by: Option<AcknowledgedBy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Videoprotection,
    ActeEnquete,
    SansTexte,
    Quebec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AcknowledgedBy {
    responsible: String,
    dpo: String,
}

fn paris() -> String {
    "Europe/Paris".to_owned()
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8080))
}

const fn a_quarter() -> u8 {
    15
}

impl Office {
    /// Checks the text of a configuration.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let refused = |message: String| Error::Refused {
            path: path.to_owned(),
            message,
        };
        let office: Self = toml::from_str(text).map_err(|error| refused(error.to_string()))?;
        match office.fault() {
            Some(fault) => Err(refused(fault)),
            None => Ok(office),
        }
    }

    /// Reads and checks the configuration at `path`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        use std::io::Read as _;
        let mut text = String::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
        match read {
            Ok(_) => Self::parse(&text, path),
            Err(source) => Err(Error::Unreadable {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Where its clocks stand.
    pub fn time_zone(&self) -> TimeZone {
        // `fault` has looked it up.
        TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC)
    }

    /// A camera of that id.
    pub fn camera(&self, id: &CameraId) -> Option<&Camera> {
        self.camera.iter().find(|camera| camera.id == *id)
    }

    fn fault(&self) -> Option<String> {
        let texts = [
            ("commune", &self.commune),
            ("service", &self.service),
            ("tribunal", &self.tribunal),
            ("dpd.name", &self.dpd.name),
            ("dpd.email", &self.dpd.email),
        ];
        if let Some((key, _)) = texts.iter().find(|(_, text)| text.trim().is_empty()) {
            return Some(format!("{key} is empty; it stands on every document"));
        }
        if !(3..=5).contains(&self.code.len()) || !self.code.bytes().all(|b| b.is_ascii_uppercase()) {
            return Some(format!(
                "code is {:?}; write three to five capitals, as IVR",
                self.code
            ));
        }
        if TimeZone::get(&self.zone).is_err() {
            return Some(format!("zone is {:?}; write one such as Europe/Paris", self.zone));
        }
        if !(1..=15).contains(&self.idle_minutes) {
            return Some("idle_minutes is from 1 to 15".to_owned());
        }
        self.terms.fault().or_else(|| self.camera_fault())
    }

    fn camera_fault(&self) -> Option<String> {
        if self.camera.is_empty() {
            return Some("no [[camera]]: write one for each camera whose events come here".to_owned());
        }
        let mut seen = BTreeSet::new();
        for camera in &self.camera {
            if !seen.insert(camera.id.as_str()) {
                return Some(format!("two cameras have the id {}", camera.id));
            }
            if camera.site.trim().is_empty() || camera.regime.reference.trim().is_empty() {
                return Some(format!(
                    "camera {}: site and regime.reference must be said",
                    camera.id
                ));
            }
            if camera.regime.until < camera.regime.from {
                return Some(format!(
                    "camera {}: regime.until lies before regime.from",
                    camera.id
                ));
            }
        }
        None
    }
}

impl Terms {
    fn fault(&self) -> Option<String> {
        let bounds = [
            ("undecided_days", self.undecided_days, 30),
            ("infraction_years", self.infraction_years, 2),
        ];
        let wrong = bounds
            .iter()
            .find(|(_, value, most)| !(1..=*most).contains(value));
        if let Some((key, value, most)) = wrong {
            return Some(format!("terms.{key} is {value}; it is from 1 to {most}"));
        }
        (self.journal_years != JOURNAL_YEARS).then(|| {
            format!(
                "terms.journal_years is {}; the journal is kept for {JOURNAL_YEARS} years and lets no line go before: \
                 write {JOURNAL_YEARS}, or leave it out",
                self.journal_years
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../docs/desk.example.toml");

    fn parse(text: &str) -> Result<Office, Error> {
        Office::parse(text, Path::new("desk.toml"))
    }

    #[test]
    fn the_example_in_the_docs_is_taken() {
        let office = parse(EXAMPLE).expect("the example");
        assert_eq!(office.terms, Terms::default());
        assert_eq!(office.idle_minutes, 15);
    }

    #[test]
    fn what_the_law_and_the_promise_bound_cannot_be_loosened() {
        for (wrong, word) in [
            ("[terms]\nundecided_days = 31", "undecided_days"),
            ("[terms]\ninfraction_years = 3", "infraction_years"),
            ("[terms]\njournal_years = 4", "journal_years"),
            ("[terms]\njournal_years = 2", "lets no line go before"),
            ("[terms]\nundecided_days = 0", "undecided_days"),
            ("[terms]\nforever = true", "forever"),
        ] {
            let message = parse(&format!("{EXAMPLE}\n{wrong}\n"))
                .expect_err("refused")
                .to_string();
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn no_document_can_lack_the_city_the_court_or_the_regime() {
        for key in ["commune", "service", "tribunal", "code"] {
            let line = EXAMPLE
                .lines()
                .find(|line| line.starts_with(&format!("{key} = ")))
                .expect(key);
            assert!(parse(&EXAMPLE.replace(line, "")).is_err(), "{key}");
            assert!(
                parse(&EXAMPLE.replace(line, &format!("{key} = \" \""))).is_err(),
                "{key}"
            );
        }
        let regime = EXAMPLE
            .lines()
            .find(|line| line.starts_with("regime = "))
            .expect("regime");
        assert!(parse(&EXAMPLE.replace(regime, "")).is_err());
    }
}
