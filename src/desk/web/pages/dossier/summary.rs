//! Check your answers: the record read back, and what was corrected in it.

use askama::Template;
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::{at, calendar, obstacles, outcome, shown, shows_first_reading};
use crate::desk::infraction::check::offence;
use crate::desk::infraction::plate::{Reading, Shape};
use crate::desk::infraction::record::{Holder, Record, total};
use crate::desk::infraction::register::{self, File, State};
use crate::desk::infraction::search::{self, Motive};
use crate::desk::infraction::{Moment, Section, correction, remarks};
use crate::desk::law::Law;
use crate::desk::web::pages::echeances::names;
use crate::desk::web::{Answer, Refused, Shell, Visit, dates};

/// Name and words of a statement.
type Line = (&'static str, String);

/// What stands at the head of a file: what only the desk sets.
pub fn head(file: &File, zone: &TimeZone, years: u8) -> Vec<Line> {
    let record = &file.record;
    let facts = record.facts_at.day();
    let erased = facts.checked_add(i32::from(years).years()).unwrap_or(Date::MAX);
    let mut lines = vec![
        ("Faits", spoken(record.facts_at)),
        ("Lieu", record.place.clone()),
        ("Agent constatant", record.officer.name.clone()),
        ("Ouvert le", at(file.opened.0, zone)),
    ];
    if let Some(source) = record.origin.source() {
        lines.push(("Appareil", format!("{} ({})", source.site, source.camera)));
        lines.push(("Régime de l'appareil", source.regime.clone()));
        lines.push(("Images retenues", source.images.len().to_string()));
    }
    lines.extend(outcome(file).map(|outcome| ("Suites", outcome)));
    let erased = format!(
        "{}, {years} ans après les faits, sauf gel ou décision contraire",
        dates::short(erased)
    );
    lines.push(("Échéance de destruction", erased));
    lines
}

fn spoken(moment: Moment) -> String {
    let local = moment.local();
    format!(
        "{} à {} h {:02} min {:02} s",
        dates::long(local.date()),
        local.hour(),
        local.minute(),
        local.second()
    )
}

struct Part {
    slug: &'static str,
    words: &'static str,
    lines: Vec<Line>,
}

struct ImageLine {
    number: u32,
    at: String,
    viewed: String,
    digest: String,
}

#[derive(Template)]
#[template(path = "dossier_verification.html")]
struct Summary {
    shell: Shell,
    number: String,
    state: &'static str,
    draft: bool,
    version: i64,
    blockers: Vec<(&'static str, String, String)>,
    remarks: Vec<String>,
    parts: Vec<Part>,
    images: Vec<ImageLine>,
}

/// `/dossier/{number}/verification`.
pub fn page(visit: &Visit) -> Result<Answer, Refused> {
    shown(visit, |file| {
        let (zone, today) = calendar(visit);
        let law = Law::embedded();
        let holder = register::holder(visit.office().store().sql(), visit.evidence()?, &file.number)?;
        let first_reading = shows_first_reading(visit, &file)?;
        let parts = Section::ALL.into_iter().map(|section| Part {
            slug: section.slug(),
            words: section.french(),
            lines: lines(&file.record, section, law, holder.as_ref(), first_reading),
        });
        let number = file.number.to_string();
        let draft = file.state == State::Draft;
        let title = if draft {
            "Vérifier et clore"
        } else {
            "Fiche d'infraction"
        };
        let looked = remarks(&file.record, law, today);
        Answer::page(&Summary {
            shell: visit.shell(format!("{title} : dossier {number}")),
            state: file.state.french(),
            draft,
            version: file.version,
            blockers: obstacles(&file, law, today),
            remarks: looked.iter().map(ToString::to_string).collect(),
            parts: parts.collect(),
            images: images(&file.record, &zone),
            number,
        })
    })
}

fn images(record: &Record, zone: &TimeZone) -> Vec<ImageLine> {
    let Some(source) = record.origin.source() else {
        return Vec::new();
    };
    let viewed = |digest| {
        let mut by_officer = source
            .viewings
            .iter()
            .filter(|v| v.digest == digest && v.by == record.officer.account);
        by_officer
            .next()
            .map_or_else(|| "Non".to_owned(), |viewing| at(viewing.at, zone))
    };
    let images = source.images.iter().map(|image| ImageLine {
        number: image.number,
        at: at(image.at.instant(), zone),
        viewed: viewed(image.digest),
        digest: image.digest.to_string(),
    });
    images.collect()
}

fn lines(
    record: &Record,
    section: Section,
    law: &Law,
    holder: Option<&Holder>,
    first_reading: bool,
) -> Vec<Line> {
    match section {
        Section::Facts => facts(record),
        Section::Offence => offence_lines(record, law),
        Section::Waste => waste(record),
        Section::Vehicle => vehicle(record, first_reading),
        Section::SecondReading => second_reading(record),
        Section::Identification => identification(record, holder),
        Section::Costs => costs(record),
        Section::Outcomes => outcomes(record),
        Section::Comments => vec![("Commentaires", record.comments.clone())],
    }
}

fn facts(record: &Record) -> Vec<Line> {
    let clock = record.clock.as_ref().map(|clock| {
        let seconds = match clock.seconds {
            0 => "exacte".to_owned(),
            ahead if ahead > 0 => format!("en avance de {ahead} s"),
            late => format!("en retard de {} s", late.unsigned_abs()),
        };
        format!(
            "{seconds}, mesurée le {} par {}",
            dates::short(clock.measured),
            clock.by
        )
    });
    vec![
        ("Date et heure", spoken(record.facts_at)),
        (
            "Temps universel",
            format!("{} UTC", at(record.facts_at.instant(), &TimeZone::UTC)),
        ),
        ("Lieu", record.place.clone()),
        ("Horloge de l'appareil", clock.unwrap_or_default()),
        ("Faits constatés", record.facts.clone()),
    ]
}

fn offence_lines(record: &Record, law: &Law) -> Vec<Line> {
    let mut lines = Vec::new();
    match offence(record, law) {
        Some((offence, row)) => {
            lines.push(("Infraction", format!("{} : {}", offence.text, offence.label)));
            lines.push(("Peine prévue", row.penalty(offence.kind)));
            lines.push(("Texte", row.in_force()));
        }
        None => lines.push(("Infraction", String::new())),
    }
    let route = record.route.as_ref().and_then(|id| law.route(id));
    let quality = law
        .quality(&record.officer.quality)
        .map(|quality| quality.label.clone());
    let agent = [
        &[record.officer.name.clone(), quality.unwrap_or_default()],
        &record.officer.titles[..],
    ]
    .concat();
    let agent: Vec<String> = agent.into_iter().filter(|part| !part.is_empty()).collect();
    lines.push((
        "Nature de l'acte",
        record.act.map(|act| act.french().to_owned()).unwrap_or_default(),
    ));
    lines.push(("Agent constatant", agent.join("\n")));
    lines.push(("Voie", route.map(|route| route.label.clone()).unwrap_or_default()));
    let natinf = record.natinf.as_ref().map(ToString::to_string);
    lines.push(("NATINF (bordereau seul)", natinf.unwrap_or_default()));
    lines
}

fn waste(record: &Record) -> Vec<Line> {
    let waste = &record.waste;
    let kinds: Vec<&str> = waste.kinds.iter().map(|kind| kind.french()).collect();
    let dangers: Vec<&str> = waste.dangers.iter().map(|danger| danger.french()).collect();
    let volume = waste.volume.map(|volume| format!("{} m³", volume.short()));
    vec![
        ("Nature", kinds.join("\n")),
        ("Description", waste.description.clone()),
        ("Volume estimé", volume.unwrap_or_default()),
        ("Dangerosité", dangers.join("\n")),
        ("Photographies sur place", waste.photographs.clone()),
    ]
}

fn reading(reading: &Reading) -> String {
    let shape = Shape::of(&reading.normalised());
    match reading.typed.is_empty() {
        true => reading.legibility.french().to_owned(),
        false => format!(
            "{} ({} ; {})",
            reading.typed,
            reading.legibility.french().to_lowercase(),
            shape.french()
        ),
    }
}

fn vehicle(record: &Record, first_reading: bool) -> Vec<Line> {
    let vehicle = &record.vehicle;
    let first = vehicle.first.as_ref().map(|first| match first_reading {
        true => reading(first),
        false => "Saisie par un autre agent ; montrée après la seconde lecture".to_owned(),
    });
    let persons = vehicle.persons.map(|n| n.to_string());
    vec![
        ("Première lecture", first.unwrap_or_default()),
        (
            "Pays",
            vehicle
                .country
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        ),
        ("Genre", vehicle.kind.clone()),
        ("Marque et modèle", vehicle.make.clone()),
        ("Couleur", vehicle.colour.clone()),
        ("Marquage", vehicle.marking.clone()),
        ("Personnes visibles", persons.unwrap_or_default()),
    ]
}

fn second_reading(record: &Record) -> Vec<Line> {
    let vehicle = &record.vehicle;
    let Some(second) = &vehicle.second else {
        return vec![("Seconde lecture", String::new())];
    };
    let first = vehicle.first.as_ref();
    let same = first.is_some_and(|first| first.agrees(second));
    let by_the_same = first.is_some_and(|first| first.by == second.by);
    vec![
        ("Seconde lecture", reading(second)),
        (
            "Concordance",
            if same {
                "Les deux lectures concordent"
            } else {
                "Les deux lectures diffèrent"
            }
            .to_owned(),
        ),
        (
            "Lecteur",
            if by_the_same {
                "Le même agent"
            } else {
                "Un autre agent"
            }
            .to_owned(),
        ),
    ]
}

fn identification(record: &Record, holder: Option<&Holder>) -> Vec<Line> {
    let siv = record.siv.as_ref();
    let siv = siv.map(|siv| {
        format!(
            "{} par {}, référence {}",
            dates::short(siv.on),
            siv.by,
            siv.reference
        )
    });
    let holder = holder.map(|holder| format!("{}\n{}\n{}", holder.name, holder.address, holder.source));
    vec![
        ("Consultation du SIV", siv.unwrap_or_default()),
        ("Titulaire", holder.unwrap_or_default()),
    ]
}

fn costs(record: &Record) -> Vec<Line> {
    let lines = record.costs.iter().map(|cost| {
        let detail = cost.quantity.zip(cost.unit);
        let detail = detail
            .map(|(n, unit)| format!(" ({} × {unit} €)", n.short()))
            .unwrap_or_default();
        let words = format!(
            "{} {}{detail} : {} € ; justificatif {}",
            cost.kind.french(),
            cost.label,
            cost.amount,
            cost.voucher
        );
        ("Frais", words)
    });
    let sum = match record.costs.is_empty() {
        true => String::new(),
        false => format!("{} €", total(&record.costs)),
    };
    lines.chain([("Total", sum)]).collect()
}

fn outcomes(record: &Record) -> Vec<Line> {
    let lines = record.outcomes.iter().map(|outcome| {
        let parts = [
            dates::short(outcome.on),
            outcome.reference.clone(),
            outcome.note.clone(),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        (
            "Suite",
            format!("{} : {}", outcome.kind.french(), parts.join(", ")),
        )
    });
    let holds = ("Références des gels", record.holds.join("\n"));
    lines.chain([holds]).collect()
}

struct CorrectionLine {
    at: String,
    by: String,
    reason: String,
    lines: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "dossier_historique.html")]
struct History {
    shell: Shell,
    number: String,
    corrections: Vec<CorrectionLine>,
    looks: Vec<(String, String, &'static str)>,
}

/// `/dossier/{number}/historique`.
pub fn history(visit: &Visit) -> Result<Answer, Refused> {
    shown(visit, |file| {
        let (zone, _) = calendar(visit);
        let names = names(visit)?;
        let name = |account: String| names.get(&account).cloned().unwrap_or(account);
        // The former first reading would show the one that stands.
        let first_reading = shows_first_reading(visit, &file)?;
        let keys = visit.evidence()?;
        let (corrections, looks) = {
            let mut office = visit.office();
            let sql = office.store().sql();
            (
                correction::corrections(sql, keys, &file.number)?,
                search::all_looks(sql, &file.number)?,
            )
        };
        let corrections = corrections.into_iter().map(|correction| {
            let changes = correction.former.changes.iter();
            let changes = changes.filter(|change| first_reading || !change.at.starts_with("vehicle.first"));
            CorrectionLine {
                at: at(correction.at, &zone),
                by: name(correction.by),
                reason: correction.former.reason,
                lines: changes
                    .map(|change| (named(&change.at), told(&change.before)))
                    .collect(),
            }
        });
        let looks = looks.into_iter();
        Answer::page(&History {
            shell: visit.shell(format!(
                "Rectifications et consultations : dossier {}",
                file.number
            )),
            number: file.number.to_string(),
            corrections: corrections.collect(),
            looks: looks
                .map(|(since, by, motive): (_, _, Motive)| (at(since, &zone), name(by), motive.french()))
                .collect(),
        })
    })
}

/// A part of the record in French.
fn named(at: &str) -> String {
    const NAMES: [(&str, &str); 26] = [
        ("facts_at", "date et heure des faits"),
        ("place", "lieu"),
        ("clock", "écart d'horloge"),
        ("facts", "faits constatés"),
        ("offence", "infraction"),
        ("act", "nature de l'acte"),
        ("natinf", "NATINF"),
        ("waste.kinds", "nature des déchets"),
        ("waste.description", "description des déchets"),
        ("waste.volume", "volume"),
        ("waste.dangers", "dangerosité"),
        ("waste.photographs", "photographies sur place"),
        ("vehicle.first", "première lecture de la plaque"),
        ("vehicle.second", "seconde lecture de la plaque"),
        ("vehicle.country", "pays de la plaque"),
        ("vehicle.kind", "genre du véhicule"),
        ("vehicle.make", "marque du véhicule"),
        ("vehicle.colour", "couleur du véhicule"),
        ("vehicle.marking", "marquage du véhicule"),
        ("vehicle.persons", "personnes visibles"),
        ("siv", "consultation du SIV"),
        ("costs", "frais de nettoyage"),
        ("route", "voie"),
        ("outcomes", "suites"),
        ("holds", "références des gels"),
        ("comments", "commentaires de la personne"),
    ];
    let under = |name: &str| at == name || at.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
    let found = NAMES.iter().find(|(name, _)| under(name));
    found.map_or("autre mention", |(_, french)| french).to_owned()
}

/// A former value in words.
fn told(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(told).collect::<Vec<_>>().join("\n"),
        Value::Object(all) => {
            let parts = all.values().map(told).filter(|part| !part.is_empty());
            parts.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}
