//! Reading the tables: whole, or not at all.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer};

use super::{Confirm, Holder, Kind, Law, Offence, OffenceId, Prescription, Quality, Route, Row};
use crate::frame::Digest;

/// Why tables were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not TOML, an unknown key, a missing one.
    #[error("{table}: {message}")]
    Form {
        /// Which table.
        table: &'static str,
        /// Where and why.
        message: String,
    },
    /// Two entries of one name.
    #[error("{0} stands twice")]
    Twice(String),
    /// Rows of one offence that overlap, or one that ends before it begins.
    #[error("{0}: rows must follow one another in time without overlapping")]
    Overlap(OffenceId),
    /// A name that no entry has.
    #[error("{0} is named and stands nowhere")]
    Unknown(String),
    /// A mark of doubt without a word on what is in doubt.
    #[error("{0}: marked V, and nothing of it is to be confirmed")]
    Unconfirmed(String),
    /// Not one term of prescription for each kind.
    #[error("no term of prescription for a {}", .0.french())]
    NoPrescription(Kind),
    /// Not exactly one route that is proposed first.
    #[error("exactly one route is the default one")]
    Default,
}

/// A TOML date.
pub(super) fn day<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Date>, D::Error> {
    use serde::de::Error as _;
    let date = toml::value::Datetime::deserialize(from)?;
    let date = date.to_string().parse();
    Ok(Some(
        date.map_err(|_| D::Error::custom("write dates as 2026-11-21"))?,
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Offences {
    offence: Vec<Offence>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Routes {
    route: Vec<Route>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Qualities {
    quality: Vec<Quality>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Terms {
    prescription: Vec<Prescription>,
    holder: Vec<Holder>,
}

fn read<'t, T: Deserialize<'t>>(table: &'static str, text: &'t str) -> Result<T, Fault> {
    toml::from_str(text).map_err(|error| Fault::Form {
        table,
        message: error.to_string(),
    })
}

impl Law {
    /// Reads and checks four tables.
    pub fn parse(offences: &str, routes: &str, competence: &str, terms: &str) -> Result<Self, Fault> {
        let digest = Digest::of([offences, routes, competence, terms].concat().as_bytes());
        let Offences { offence: offences } = read("offences", offences)?;
        let Routes { route: routes } = read("routes", routes)?;
        let Qualities { quality: qualities } = read("competence", competence)?;
        let Terms { prescription, holder } = read("terms", terms)?;
        let law = Self {
            offences,
            routes,
            qualities,
            prescriptions: prescription,
            holders: holder,
            digest,
        };
        law.check()?;
        Ok(law)
    }

    fn check(&self) -> Result<(), Fault> {
        once(self.offences.iter().map(|o| o.id.as_str()))?;
        once(self.routes.iter().map(|r| r.id.as_str()))?;
        once(self.qualities.iter().map(|q| q.id.as_str()))?;
        for offence in &self.offences {
            follow_one_another(offence)?;
            for id in offence.successor.iter().chain(&offence.mirror) {
                self.must_know(id)?;
            }
            for row in &offence.rows {
                doubted(offence.id.as_str(), &row.mark, &row.to_confirm)?;
            }
        }
        for route in &self.routes {
            doubted(route.id.as_str(), &route.mark, &route.to_confirm)?;
        }
        for notes in self.qualities.iter().flat_map(|quality| &quality.notes) {
            doubted(&notes.basis, &notes.mark, &notes.to_confirm)?;
            for id in &notes.offences {
                self.must_know(id)?;
            }
        }
        for kind in [Kind::Contravention, Kind::Delit] {
            if self.prescriptions.iter().filter(|term| term.kind == kind).count() != 1 {
                return Err(Fault::NoPrescription(kind));
            }
        }
        match self.routes.iter().filter(|route| route.default).count() {
            1 => self.check_marks(),
            _ => Err(Fault::Default),
        }
    }

    /// The marks that say of whole entries how sure they are: none of these may be in doubt without saying of what.
    fn check_marks(&self) -> Result<(), Fault> {
        let reports = self
            .qualities
            .iter()
            .filter_map(|quality| quality.reports.as_ref());
        let marks = reports
            .map(|reports| (&reports.basis, &reports.mark))
            .chain(self.prescriptions.iter().map(|term| (&term.basis, &term.mark)))
            .chain(self.holders.iter().map(|holder| (&holder.basis, &holder.mark)));
        for (basis, mark) in marks {
            doubted(basis, mark, &[])?;
        }
        Ok(())
    }

    fn must_know(&self, id: &OffenceId) -> Result<(), Fault> {
        match self.offence(id) {
            Some(_) => Ok(()),
            None => Err(Fault::Unknown(id.to_string())),
        }
    }
}

fn once<'n>(names: impl Iterator<Item = &'n str>) -> Result<(), Fault> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Fault::Twice(name.to_owned()));
        }
    }
    Ok(())
}

fn follow_one_another(offence: &Offence) -> Result<(), Fault> {
    let ends = |row: &Row| row.until.unwrap_or(Date::MAX);
    let begins = |row: &Row| row.from.unwrap_or(Date::MIN);
    let inside = offence.rows.iter().all(|row| begins(row) < ends(row));
    let between = offence
        .rows
        .windows(2)
        .all(|pair| ends(&pair[0]) <= begins(&pair[1]));
    match inside && between && !offence.rows.is_empty() {
        true => Ok(()),
        false => Err(Fault::Overlap(offence.id.clone())),
    }
}

/// A `V` says what is to be confirmed.
fn doubted(name: &str, mark: &str, to_confirm: &[Confirm]) -> Result<(), Fault> {
    match mark.contains('V') && to_confirm.is_empty() {
        true => Err(Fault::Unconfirmed(name.to_owned())),
        false => Ok(()),
    }
}
