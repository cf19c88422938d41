//! The agent's sheet (fiche agent): by what right somebody looks at images. Pure.
//!
//! Promises: without a sheet that is valid on the day, no image: habilitation by the appointing authority after
//! training (C. env. art. R.541-85-1 to R.541-85-3), oath before the tribunal judiciaire, and the right to view:
//! individual designation (CSI art. L.252-3), the prefect's agrément, five years at most (CSI art. L.132-14-1), or the
//! magistrate's authorisation of an enquiry. A suspension or an end counts from its first day. Days are the service's
//! own ([`super::super::config`]'s zone), both ends included.

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Years of an agrément at most (CSI art. L.132-14-1).
const AGREEMENT_YEARS: i32 = 5;

/// What an agent's right to look rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// The service that the account belongs to.
    pub service: String,
    /// As it stands in a report: « agent de surveillance de la voie publique ».
    pub quality: String,
    /// The number under which the agent signs.
    pub number: String,
    /// Who empowers the agent, for what.
    pub habilitation: Habilitation,
    /// The oath.
    pub oath: Oath,
    /// The right to view recordings.
    pub viewing: Viewing,
    /// When the training in penal law ended.
    pub trained: Date,
    /// Since when, and until when if that is known, all of it is suspended.
    pub suspension: Option<Suspension>,
    /// First day on which the agent is no longer one.
    pub ended: Option<Date>,
}

/// The habilitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Habilitation {
    /// Who gave it.
    pub authority: String,
    /// The order's date.
    pub date: Date,
    /// For which offences.
    pub object: String,
    /// Its last day, if it has one.
    pub until: Option<Date>,
}

/// The oath.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oath {
    /// Before which tribunal.
    pub tribunal: String,
    /// When it was taken.
    pub date: Date,
}

/// By what right the agent views recordings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Viewing {
    /// Which.
    pub basis: Basis,
    /// Who gave it: prefect, or magistrate.
    pub authority: String,
    /// Number of the act.
    pub reference: String,
    /// Its date.
    pub date: Date,
    /// Its last day, if it has one.
    pub until: Option<Date>,
}

/// The text behind the right to view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// The prefect's agrément: CSI art. L.132-14-1.
    Agreement,
    /// Named in the authorisation of the cameras: CSI art. L.252-3.
    Designation,
    /// A magistrate's authorisation, in an enquiry.
    Enquiry,
}

impl Basis {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Agreement, Self::Designation, Self::Enquiry];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agreement => "agreement",
            Self::Designation => "designation",
            Self::Enquiry => "enquiry",
        }
    }

    /// For the screen.
    pub const fn french(self) -> &'static str {
        match self {
            Self::Agreement => "Agrément préfectoral (CSI, art. L. 132-14-1)",
            Self::Designation => "Désignation individuelle dans l’autorisation (CSI, art. L. 252-3)",
            Self::Enquiry => "Autorisation d’un magistrat, dans une enquête",
        }
    }
}

/// A suspension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspension {
    /// Its first day.
    pub from: Date,
    /// Its last day, if that is known.
    pub until: Option<Date>,
    /// Why, in words.
    pub motive: String,
}

/// Why there is no image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Nothing is on file.
    NoSheet,
    /// The account belongs to another service.
    OtherService,
    /// Something that must be filled in is not.
    Missing(&'static str),
    /// It counts from a later day.
    NotYet(&'static str, Date),
    /// It is over since a day.
    Over(&'static str, Date),
    /// Suspended.
    Suspended(Date),
    /// No longer an agent.
    Ended(Date),
}

impl Why {
    /// The coded motive, for the journal.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoSheet => "no-sheet",
            Self::OtherService => "other-service",
            Self::Missing(_) => "sheet-incomplete",
            Self::NotYet(..) => "not-yet",
            Self::Over(..) => "expired",
            Self::Suspended(_) => "suspended",
            Self::Ended(_) => "ended",
        }
    }

    /// For the screen: why.
    pub fn reason(&self) -> String {
        let day = |date: &Date| date.strftime("%d/%m/%Y").to_string();
        match self {
            Self::NoSheet => "aucune fiche d’habilitation n’est enregistrée pour ce compte".to_owned(),
            Self::OtherService => "ce compte relève d’un autre service que celui de ce bureau".to_owned(),
            Self::Missing(field) => format!("la fiche d’habilitation est incomplète : {field}"),
            Self::NotYet(field, date) => format!("{field} ne prend effet que le {}", day(date)),
            Self::Over(field, date) => format!("{field} a pris fin le {}", day(date)),
            Self::Suspended(date) => format!("l’habilitation est suspendue depuis le {}", day(date)),
            Self::Ended(date) => format!("les fonctions d’agent ont pris fin le {}", day(date)),
        }
    }

    /// For the screen, with what to do.
    pub fn french(&self) -> String {
        let reason = self.reason();
        format!("Aucune image ne peut être montrée : {reason}. Adressez-vous au chef de service.")
    }
}

const HABILITATION: &str = "l’habilitation";
const OATH: &str = "le serment";
const TRAINING: &str = "la formation en droit pénal";

impl Viewing {
    const fn name(&self) -> &'static str {
        match self.basis {
            Basis::Agreement => "l’agrément préfectoral",
            Basis::Designation => "la désignation individuelle",
            Basis::Enquiry => "l’autorisation du magistrat",
        }
    }

    /// The last day: an agrément ends after five years, whatever the act says.
    pub fn last_day(&self) -> Option<Date> {
        let longest = (self.basis == Basis::Agreement).then(|| {
            let years = self.date.saturating_add(AGREEMENT_YEARS.years());
            years.saturating_sub(1.day())
        });
        match (self.until, longest) {
            (Some(until), Some(longest)) => Some(until.min(longest)),
            (until, longest) => until.or(longest),
        }
    }
}

impl Sheet {
    /// Whether it lets its agent look at images on that day.
    pub fn valid_on(&self, day: Date) -> Result<(), Why> {
        let texts = [
            (&self.service, "le service"),
            (&self.quality, "la qualité"),
            (&self.number, "le numéro d’agent"),
            (
                &self.habilitation.authority,
                "l’autorité qui a donné l’habilitation",
            ),
            (&self.habilitation.object, "l’objet de l’habilitation"),
            (&self.oath.tribunal, "le tribunal du serment"),
            (
                &self.viewing.authority,
                "l’autorité qui a donné le droit de visionner",
            ),
            (&self.viewing.reference, "la référence du droit de visionner"),
        ];
        if let Some((_, field)) = texts.into_iter().find(|(text, _)| text.trim().is_empty()) {
            return Err(Why::Missing(field));
        }
        if let Some(ended) = self.ended.filter(|ended| day >= *ended) {
            return Err(Why::Ended(ended));
        }
        if let Some(from) = self.suspended_on(day) {
            return Err(Why::Suspended(from));
        }
        let viewing = self.viewing.name();
        let titles = [
            (TRAINING, self.trained, None),
            (HABILITATION, self.habilitation.date, self.habilitation.until),
            (OATH, self.oath.date, None),
            (viewing, self.viewing.date, self.viewing.last_day()),
        ];
        for (name, from, until) in titles {
            if day < from {
                return Err(Why::NotYet(name, from));
            }
            if let Some(until) = until.filter(|until| day > *until) {
                return Err(Why::Over(name, until));
            }
        }
        Ok(())
    }

    /// The first day of the suspension that holds on `day`.
    pub fn suspended_on(&self, day: Date) -> Option<Date> {
        let holds = |s: &&Suspension| day >= s.from && s.until.is_none_or(|until| day <= until);
        self.suspension.as_ref().filter(holds).map(|s| s.from)
    }

    /// The last day on which it holds, seen from `day`, if nothing changes; none if it has no end.
    pub fn last_day(&self, day: Date) -> Option<Date> {
        let before = |first: Date| first.saturating_sub(1.day());
        let ended = self.ended.map(before);
        let suspended = self
            .suspension
            .as_ref()
            .filter(|s| s.from > day)
            .map(|s| before(s.from));
        let days = [self.habilitation.until, self.viewing.last_day(), ended, suspended];
        days.into_iter().flatten().min()
    }
}

/// Whether somebody with this sheet may look at images of `service` on that day (law.md I05, I21).
pub fn admits(sheet: Option<&Sheet>, day: Date, service: &str) -> Result<(), Why> {
    let sheet = sheet.ok_or(Why::NoSheet)?;
    sheet.valid_on(day)?;
    match sheet.service.trim() == service.trim() {
        true => Ok(()),
        false => Err(Why::OtherService),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn sheet() -> Sheet {
        Sheet {
            service: "Lutte contre les incivilités".to_owned(),
            quality: "Agent de surveillance de la voie publique".to_owned(),
            number: "A-17".to_owned(),
            habilitation: Habilitation {
                authority: "Maire".to_owned(),
                date: date(2025, 3, 1),
                object: "Infractions à l’abandon de déchets".to_owned(),
                until: None,
            },
            oath: Oath {
                tribunal: "Tribunal judiciaire de Créteil".to_owned(),
                date: date(2025, 4, 10),
            },
            viewing: Viewing {
                basis: Basis::Agreement,
                authority: "Préfet du Val-de-Marne".to_owned(),
                reference: "2025-1021".to_owned(),
                date: date(2025, 4, 20),
                until: None,
            },
            trained: date(2025, 2, 14),
            suspension: None,
            ended: None,
        }
    }

    const DAY: Date = date(2026, 11, 22);

    #[test]
    fn every_title_is_needed_from_its_own_day_on() {
        assert_eq!(sheet().valid_on(DAY), Ok(()));
        assert_eq!(
            sheet().valid_on(date(2025, 4, 19)),
            Err(Why::NotYet("l’agrément préfectoral", date(2025, 4, 20)))
        );
        assert_eq!(sheet().valid_on(date(2025, 4, 20)), Ok(()));
        assert_eq!(
            sheet().valid_on(date(2025, 4, 9)),
            Err(Why::NotYet(OATH, date(2025, 4, 10)))
        );
        assert_eq!(
            sheet().valid_on(date(2025, 2, 20)),
            Err(Why::NotYet(HABILITATION, date(2025, 3, 1)))
        );
        assert_eq!(
            sheet().valid_on(date(2025, 1, 1)),
            Err(Why::NotYet(TRAINING, date(2025, 2, 14)))
        );
    }

    #[test]
    fn an_empty_field_is_no_title() {
        let blanks: [fn(&mut Sheet); 8] = [
            |s| s.service.clear(),
            |s| s.quality.clear(),
            |s| s.number = " ".to_owned(),
            |s| s.habilitation.authority.clear(),
            |s| s.habilitation.object.clear(),
            |s| s.oath.tribunal.clear(),
            |s| s.viewing.authority.clear(),
            |s| s.viewing.reference.clear(),
        ];
        for blank in blanks {
            let mut sheet = sheet();
            blank(&mut sheet);
            assert!(matches!(sheet.valid_on(DAY), Err(Why::Missing(_))));
        }
    }

    #[test]
    fn an_agrement_ends_after_five_years_whatever_is_written() {
        let mut sheet = sheet();
        assert_eq!(sheet.last_day(DAY), Some(date(2030, 4, 19)));
        assert_eq!(sheet.valid_on(date(2030, 4, 19)), Ok(()));
        let over = Err(Why::Over("l’agrément préfectoral", date(2030, 4, 19)));
        assert_eq!(sheet.valid_on(date(2030, 4, 20)), over);
        sheet.viewing.until = Some(date(2099, 1, 1));
        assert_eq!(sheet.valid_on(date(2030, 4, 20)), over);
        sheet.viewing.until = Some(date(2027, 1, 31));
        assert_eq!(
            sheet.valid_on(date(2027, 2, 1)),
            Err(Why::Over("l’agrément préfectoral", date(2027, 1, 31)))
        );
        sheet.viewing.basis = Basis::Designation;
        sheet.viewing.until = None;
        assert_eq!(sheet.valid_on(date(2030, 4, 20)), Ok(()));
    }

    #[test]
    fn a_suspension_holds_on_its_days_and_an_end_for_good() {
        let mut sheet = sheet();
        let from = date(2026, 11, 20);
        sheet.suspension = Some(Suspension {
            from,
            until: Some(DAY),
            motive: "enquête interne".to_owned(),
        });
        assert_eq!(sheet.valid_on(date(2026, 11, 19)), Ok(()));
        assert_eq!(sheet.last_day(date(2026, 11, 19)), Some(date(2026, 11, 19)));
        assert_eq!(sheet.valid_on(from), Err(Why::Suspended(from)));
        assert_eq!(sheet.valid_on(DAY), Err(Why::Suspended(from)));
        assert_eq!(sheet.valid_on(date(2026, 11, 23)), Ok(()));
        sheet.ended = Some(date(2026, 11, 23));
        assert_eq!(
            sheet.valid_on(date(2026, 11, 23)),
            Err(Why::Ended(date(2026, 11, 23)))
        );
        assert_eq!(sheet.last_day(DAY), Some(DAY));
    }

    #[test]
    fn another_services_agent_sees_nothing() {
        let sheet = sheet();
        assert_eq!(admits(Some(&sheet), DAY, "Lutte contre les incivilités"), Ok(()));
        assert_eq!(admits(Some(&sheet), DAY, "Voirie"), Err(Why::OtherService));
        assert_eq!(admits(None, DAY, "Voirie"), Err(Why::NoSheet));
    }
}
