//! From the infraction record to the report: which of its statements stands in which section. Pure.
//!
//! Promises: nothing is added to what the agent stated; texts, penalties and addressees come out of the dated tables,
//! by the day of the facts; what is still to be confirmed in them says so. The NATINF code goes to the slip alone.

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime};

use super::Draft;
use super::sealed::Facts as SlipFacts;
use crate::config::RegimeKind;
use crate::desk::accounts::sheet::{Basis, Sheet};
use crate::desk::config::Office;
use crate::desk::events::{FIRST_OWN_ITEM, Frame};
use crate::desk::infraction::record::{self, Record};
use crate::desk::infraction::register::File;
use crate::desk::law::{self, Law};
use crate::frame::{BoxTime, Digest};
use crate::redact::{Fill, Manifest, Policy, Redaction};
use crate::report::{
    Act, Author, Clock, Closing, Cost, Decision, Facts, Framework, Masking, Offence, Picture, Report,
    Service, Step, Trace, Vehicle, Viewing, Waste,
};

/// A frame of the event, opened.
#[derive(Clone)]
pub struct Opened {
    /// What the index knows of it.
    pub frame: Frame,
    /// The redacted JPEG.
    pub jpeg: Vec<u8>,
    /// Its manifest.
    pub manifest: Manifest,
}

/// All that a report is made of.
pub struct Material<'a> {
    /// The infraction file.
    pub file: &'a File,
    /// What its author chose.
    pub draft: &'a Draft,
    /// The city.
    pub config: &'a Office,
    /// The author's sheet.
    pub sheet: Option<&'a Sheet>,
    /// Which images the author has personally seen, and when.
    pub seen: &'a [(Digest, BoxTime)],
    /// The frames that stand in it.
    pub frames: &'a [Opened],
    /// The box that sealed them.
    pub device: String,
    /// The desk's name.
    pub desk: String,
    /// The journal's last line, `seq : hash`.
    pub journal: String,
    /// What a check of all images told, and when.
    pub checked: String,
    /// The name of an account.
    pub name_of: Box<dyn Fn(&str) -> String + 'a>,
}

impl Material<'_> {
    /// The report.
    pub fn report(&self) -> Report {
        let record = &self.file.record;
        let (images, others) = self.pictures();
        Report {
            act: self.act(),
            number: self.file.number.to_string(),
            service: self.service(),
            visas: self.visas(),
            author: self.author(),
            framework: self.framework(),
            facts: self.facts(),
            viewings: self.viewings(),
            medium: self.medium(),
            observed: record.facts.clone(),
            offence: self.offence(),
            vehicle: self.vehicle(),
            identification: identification(record),
            waste: waste(record),
            images,
            others,
            masking: self.masking(),
            trace: self.trace(),
            limits: self.draft.limits.clone(),
            closing: self.closing(),
        }
    }

    /// What the slip says beside the report.
    pub fn slip(&self) -> SlipFacts {
        let record = &self.file.record;
        let chosen = self.pictures().0;
        SlipFacts {
            day: Some(self.day()),
            place: record.place.clone(),
            offence: self.offence().map(|offence| offence.title).unwrap_or_default(),
            natinf: record
                .natinf
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            by_way_of: self.route().map(|route| route.label.clone()).unwrap_or_default(),
            images: chosen
                .iter()
                .map(|picture| (picture.number, picture.sha256))
                .collect(),
        }
    }

    fn day(&self) -> Date {
        self.file.record.facts_at.local().date()
    }

    fn act(&self) -> Act {
        match self.file.record.act {
            Some(law::Act::ProcesVerbal) => Act::ProcesVerbal,
            // A record cannot be closed without one (`infraction::check`).
            Some(law::Act::Rapport) | None => Act::Rapport,
        }
    }

    fn service(&self) -> Service {
        Service {
            commune: self.config.commune.clone(),
            name: self.config.service.clone(),
            address: self.config.address.join(", "),
            contact: String::new(),
        }
    }

    fn law(&self) -> Option<(&'static law::Offence, &'static law::Row)> {
        let offence = Law::embedded().offence(self.file.record.offence.as_ref()?)?;
        Some((offence, offence.on(self.day())?))
    }

    fn route(&self) -> Option<&'static law::Route> {
        Law::embedded().route(self.file.record.route.as_ref()?)
    }

    fn visas(&self) -> Vec<String> {
        let law = Law::embedded();
        let quality = law.quality(&self.file.record.officer.quality);
        let competence = quality
            .zip(self.law())
            .map(|(quality, (offence, _))| law.competence(quality, offence));
        let Some(competence) = competence else {
            return Vec::new();
        };
        let to_confirm = if competence.to_confirm {
            " (à confirmer)"
        } else {
            ""
        };
        let basis = competence.basis.map(|basis| format!("Vu : {basis}{to_confirm}"));
        basis.into_iter().collect()
    }

    fn author(&self) -> Author {
        let officer = &self.file.record.officer;
        let quality = Law::embedded()
            .quality(&officer.quality)
            .map(|quality| quality.label.clone());
        let mut author = Author {
            name: officer.name.clone(),
            quality: quality.unwrap_or_else(|| officer.quality.as_str().to_owned()),
            ..Author::default()
        };
        let Some(sheet) = self.sheet else { return author };
        author.number.clone_from(&sheet.number);
        author.clearance = Some(Decision {
            by: sheet.habilitation.authority.clone(),
            on: sheet.habilitation.date,
            about: sheet.habilitation.object.clone(),
        });
        author.oath = Some(Decision {
            by: sheet.oath.tribunal.clone(),
            on: sheet.oath.date,
            about: String::new(),
        });
        let viewing = &sheet.viewing;
        author.agreement = (viewing.basis == Basis::Agreement).then(|| Decision {
            by: format!("{}, {}", viewing.authority, viewing.reference),
            on: viewing.date,
            about: String::new(),
        });
        author
    }

    fn framework(&self) -> Framework {
        let source = self.file.record.origin.source();
        let camera = source.and_then(|source| self.config.camera(&source.camera));
        let on_file = &self.config.processing;
        let declared = Framework {
            sign: on_file.public_notice.clone(),
            assessment: on_file.impact_assessment.clone(),
            register: on_file.register.clone(),
            ..Framework::default()
        };
        let Some(camera) = camera else {
            let regime = source.map(|source| source.regime.clone()).unwrap_or_default();
            return Framework { regime, ..declared };
        };
        let regime = match camera.regime.kind {
            RegimeKind::Videoprotection => "vidéoprotection",
            RegimeKind::ActeEnquete => "acte d'enquête",
            RegimeKind::SansTexte { .. } => "sans texte (contesté)",
            RegimeKind::Quebec => "loi A-2.1 (Québec)",
        };
        Framework {
            regime: regime.to_owned(),
            reference: camera.regime.reference.clone(),
            decided: Some(camera.regime.from),
            until: Some(camera.regime.until),
            ..declared
        }
    }

    fn facts(&self) -> Facts {
        let record = &self.file.record;
        let source = record.origin.source();
        let zones = |source: &record::Source| source.zones.as_ref().map(|zones| format!(", zones {zones}"));
        let camera = source.map(|source| {
            format!(
                "{} – {}{}",
                source.camera,
                source.site,
                zones(source).unwrap_or_default()
            )
        });
        Facts {
            from: record.facts_at.local(),
            until: source
                .map(|source| source.until.local())
                .filter(|until| *until > record.facts_at.local()),
            utc: record.facts_at.instant(),
            place: record.place.clone(),
            position: String::new(),
            camera: camera.unwrap_or_default(),
            clock: record.clock.as_ref().map(|clock| Clock {
                ahead: clock.seconds,
                measured: clock.measured,
                by: clock.by.clone(),
            }),
        }
    }

    /// What the author looked at, a line for each day.
    fn viewings(&self) -> Vec<Viewing> {
        let zone = self.config.time_zone();
        let mut viewings: Vec<Viewing> = Vec::new();
        let mut seen = self.seen.to_vec();
        seen.sort_by_key(|(_, at)| *at);
        for (image, at) in seen {
            let at = zone.to_datetime(at.0);
            match viewings.last_mut() {
                Some(last) if last.at.date() == at.date() => last.images.push(image),
                _ => viewings.push(Viewing {
                    at,
                    place: self.draft.viewed_at.clone(),
                    images: vec![image],
                }),
            }
        }
        for viewing in &mut viewings {
            viewing.images.sort_unstable();
            viewing.images.dedup();
        }
        viewings
    }

    fn medium(&self) -> String {
        match self.file.record.origin.source() {
            Some(source) => format!(
                "images scellées de l'événement {}, relevées sur le boîtier {}.",
                source.event, self.device
            ),
            None => "ancien fichier du service, sans image.".to_owned(),
        }
    }

    fn offence(&self) -> Option<Offence> {
        let (offence, row) = self.law()?;
        let holder = Law::embedded().holder(offence.kind, self.day());
        Some(Offence {
            title: offence.label.clone(),
            article: offence.text.clone(),
            penalty: row.penalty(offence.kind),
            in_force: row.in_force(),
            texts: holder
                .map(|holder| format!("{} : {}", holder.basis, holder.label))
                .into_iter()
                .collect(),
        })
    }

    fn vehicle(&self) -> Option<Vehicle> {
        let vehicle = &self.file.record.vehicle;
        let first = vehicle.first.as_ref()?;
        let second = vehicle.second.as_ref();
        let parts = [&vehicle.kind, &vehicle.make, &vehicle.colour, &vehicle.marking];
        let parts: Vec<_> = parts
            .into_iter()
            .map(|part| part.trim())
            .filter(|part| !part.is_empty())
            .collect();
        Some(Vehicle {
            plate: read(first),
            first_reader: (self.name_of)(&first.by),
            same_reader: second.is_some_and(|second| second.by == first.by),
            second_reading: second.map(read).unwrap_or_default(),
            second_reader: second
                .map(|second| (self.name_of)(&second.by))
                .unwrap_or_default(),
            country: vehicle
                .country
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            legibility: first.legibility.french().to_owned(),
            description: parts.join(", "),
            persons: vehicle.persons.map(|count| count.to_string()).unwrap_or_default(),
        })
    }

    /// The chosen images, and the others if they are wanted.
    fn pictures(&self) -> (Vec<Picture>, Vec<Picture>) {
        let chosen = |opened: &&Opened| self.draft.images.contains(&opened.frame.sha256);
        let images = self.frames.iter().filter(chosen).map(picture).collect();
        let others = self
            .frames
            .iter()
            .filter(|opened| self.draft.others && !chosen(opened));
        // What nobody confirmed does not leave, however small.
        let others = others.filter(|opened| opened.frame.confirmed.is_some());
        (images, others.map(picture).collect())
    }

    fn masking(&self) -> Masking {
        let mut policies: Vec<&str> = Vec::new();
        for opened in self.frames {
            let policy = match (opened.manifest.policy, opened.manifest.fill) {
                (Policy::Persons, Fill::Flat) => "personnes masquées, remplissage uni",
                (Policy::Persons, Fill::Mosaic) => "personnes masquées, mosaïque grossière",
                (Policy::AllBut, Fill::Flat) => {
                    "tout masqué hors véhicule, plaque et zone de dépôt, remplissage uni"
                }
                (Policy::AllBut, Fill::Mosaic) => {
                    "tout masqué hors véhicule, plaque et zone de dépôt, mosaïque"
                }
            };
            if !policies.contains(&policy) {
                policies.push(policy);
            }
        }
        let added = self
            .frames
            .iter()
            .filter(|opened| opened.frame.frame >= FIRST_OWN_ITEM);
        let added =
            added.map(|opened| format!("image n° {} : masquage étendu au service", opened.frame.place));
        Masking {
            policy: policies.join(" ; "),
            added: added.collect(),
        }
    }

    fn trace(&self) -> Trace {
        let mut networks: Vec<(String, Digest)> = Vec::new();
        for network in self.frames.iter().flat_map(|opened| &opened.manifest.networks) {
            let known = networks.iter().any(|(_, digest)| *digest == network.sha256);
            if !known {
                networks.push((network.job.clone(), network.sha256));
            }
        }
        let box_program = self.frames.first().map(|opened| opened.manifest.program.clone());
        Trace {
            device: self.device.clone(),
            program: format!(
                "vigie {} au boîtier, {} au service",
                box_program.unwrap_or_default(),
                env!("CARGO_PKG_VERSION")
            ),
            networks,
            desk: self.desk.clone(),
            journal: self.journal.clone(),
            checked: self.checked.clone(),
        }
    }

    fn closing(&self) -> Closing {
        let route = self.route();
        let recipients = route.map(|route| route.addressee.clone()).into_iter();
        let copy = route.and_then(|route| route.copy.clone());
        let years = i32::from(self.config.terms.infraction_years).years();
        let annexes = [&self.draft.annexes, &self.file.record.waste.photographs];
        Closing {
            place: town(&self.config.commune).to_owned(),
            recipients: recipients.chain(copy).collect(),
            annexes: annexes
                .into_iter()
                .filter(|text| !text.trim().is_empty())
                .cloned()
                .collect(),
            erased: self.day().checked_add(years).ok(),
        }
    }
}

/// The town of a `Ville de …`.
fn town(commune: &str) -> &str {
    let prefixes = [
        "Ville de ",
        "Ville d'",
        "Ville d’",
        "Commune de ",
        "Commune d'",
        "Commune d’",
    ];
    let stripped = prefixes
        .into_iter()
        .find_map(|prefix| commune.strip_prefix(prefix));
    stripped.unwrap_or(commune)
}

fn read(reading: &crate::desk::infraction::plate::Reading) -> String {
    match reading.typed.trim() {
        "" => reading.legibility.french().to_owned(),
        typed => typed.to_owned(),
    }
}

fn identification(record: &Record) -> Vec<Step> {
    let siv = record.siv.iter().map(|siv| Step {
        on: siv.on,
        what: "consultation du système d'immatriculation des véhicules".to_owned(),
        reference: format!("{}, {}", siv.reference, siv.by),
    });
    siv.collect()
}

fn waste(record: &Record) -> Waste {
    let waste = &record.waste;
    let mut nature: Vec<String> = waste.kinds.iter().map(|kind| kind.french().to_owned()).collect();
    nature.extend(Some(waste.description.clone()).filter(|text| !text.trim().is_empty()));
    let dangers: Vec<_> = waste.dangers.iter().map(|danger| danger.french()).collect();
    let cost = |cost: &record::Cost| Cost {
        what: match cost.label.trim() {
            "" => cost.kind.french().to_owned(),
            label => format!("{} : {label}", cost.kind.french()),
        },
        cents: cost.amount.hundredths(),
        voucher: cost.voucher.clone(),
    };
    Waste {
        nature: nature.join(" ; "),
        volume: waste
            .volume
            .map(|volume| format!("{} m³", volume.short()))
            .unwrap_or_default(),
        hazard: dangers.join(" ; "),
        costs: record.costs.iter().map(cost).collect(),
    }
}

/// The camera's clock shows legal time, but for its measured error.
fn picture(opened: &Opened) -> Picture {
    let manifest = &opened.manifest;
    let corrected = |time: DateTime| time.checked_add(manifest.time.correction.seconds()).ok();
    let runs: u64 = manifest
        .mask
        .runs
        .iter()
        .map(|[_, _, count]| u64::from(*count))
        .sum();
    let [width, height] = manifest.mask.unit.map(u64::from);
    let columns = u64::from(manifest.size.width).div_ceil(width.max(1));
    let rows = u64::from(manifest.size.height).div_ceil(height.max(1));
    let masked = (100 * runs).div_ceil((columns * rows).max(1)).min(100);
    Picture {
        number: opened.frame.place,
        jpeg: opened.jpeg.clone(),
        sha256: manifest.redacted.sha256,
        original: manifest.original.sha256,
        camera_time: manifest.time.camera.map(|time| time.0),
        legal_time: manifest.time.camera.and_then(|time| corrected(time.0)),
        orientation: manifest.orientation,
        size: manifest.size,
        masked: u8::try_from(masked).unwrap_or(100),
        untouched: manifest.redaction == Redaction::Splice,
    }
}
