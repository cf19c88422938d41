//! Between a record and the fields of its forms.
//!
//! Promises: [`fill`] writes a section of a record out as fields and [`apply`] reads it back: the same record, whatever
//! it was; what cannot be read leaves what was there and says so at its field; no field touches another section, nor
//! what only the desk may set.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use super::amount::Hundredths;
use super::check::{Fault, Faults, FieldError, Section, french};
use super::moment::{Moment, Turn};
use super::plate::{Country, Legibility, Reading};
use super::record::{
    ClockOffset, Cost, CostKind, Danger, Holder, Outcome, OutcomeKind, Record, SivLookUp, WasteKind,
};
use crate::desk::law::{Act, OffenceId, RouteId};
use crate::frame::BoxTime;

/// Lines of costs, or of outcomes, at most.
pub const MOST_LINES: usize = 100;
/// The most silhouettes that can be counted.
const MOST_PERSONS: i64 = 99;
/// Seconds of the largest clock offset: a hundred years.
const LONGEST_OFFSET: i64 = 100 * 366 * 86_400;

/// Fields of a form, in order; a name may come several times.
pub type Fields = Vec<(String, String)>;

/// Who fills the form in, when, by which clocks.
#[derive(Debug, Clone, Copy)]
pub struct Hand<'a> {
    /// Whose account.
    pub account: &'a str,
    /// When.
    pub now: BoxTime,
    /// The city's clocks.
    pub zone: &'a TimeZone,
}

/// A section of a record as the fields of its form.
pub fn fill(record: &Record, section: Section, zone: &TimeZone) -> Fields {
    let mut fields = Out::default();
    match section {
        Section::Facts => fill_facts(record, zone, &mut fields),
        Section::Offence => {
            fields.put(
                "infraction",
                record.offence.as_ref().map_or("", OffenceId::as_str),
            );
            fields.put("acte", record.act.map_or("", Act::as_str));
            fields.put("voie", record.route.as_ref().map_or("", RouteId::as_str));
            fields.put(
                "natinf",
                record
                    .natinf
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            );
        }
        Section::Waste => fill_waste(record, &mut fields),
        Section::Vehicle => fill_vehicle(record, &mut fields),
        Section::SecondReading => fill_reading(record.vehicle.second.as_ref(), &mut fields),
        Section::Identification => {
            let siv = record.siv.as_ref();
            fields.put("siv_date", siv.map(|siv| french(&siv.on)).unwrap_or_default());
            fields.put("siv_agent", siv.map_or("", |siv| &siv.by));
            fields.put("siv_reference", siv.map_or("", |siv| &siv.reference));
        }
        Section::Costs => fill_costs(record, &mut fields),
        Section::Outcomes => fill_outcomes(record, &mut fields),
        Section::Comments => fields.put("commentaires", &record.comments),
    }
    fields.0
}

#[derive(Default)]
struct Out(Fields);

impl Out {
    fn put(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }
}

fn fill_facts(record: &Record, zone: &TimeZone, fields: &mut Out) {
    let local = record.facts_at.local();
    fields.put("date", french(&local.date()));
    fields.put("heure", hour(local.time()));
    fields.put(
        "tour",
        match record.facts_at.turn(zone) {
            Some(Turn::First) => "ete",
            Some(Turn::Second) => "hiver",
            None => "",
        },
    );
    fields.put("lieu", &record.place);
    let clock = record.clock.as_ref();
    fields.put(
        "horloge",
        clock.map(|clock| clock.seconds.to_string()).unwrap_or_default(),
    );
    fields.put(
        "horloge_date",
        clock.map(|clock| french(&clock.measured)).unwrap_or_default(),
    );
    fields.put("horloge_par", clock.map_or("", |clock| &clock.by));
    fields.put("faits", &record.facts);
}

fn hour(time: Time) -> String {
    format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())
}

fn fill_waste(record: &Record, fields: &mut Out) {
    let waste = &record.waste;
    for kind in &waste.kinds {
        fields.put("nature", kind.as_str());
    }
    fields.put("description", &waste.description);
    fields.put("volume", waste.volume.map(Hundredths::short).unwrap_or_default());
    for danger in &waste.dangers {
        fields.put("danger", danger.as_str());
    }
    fields.put("photos", &waste.photographs);
}

fn fill_reading(reading: Option<&Reading>, fields: &mut Out) {
    fields.put("plaque", reading.map_or("", |reading| &reading.typed));
    fields.put(
        "lisibilite",
        reading.map_or("", |reading| reading.legibility.as_str()),
    );
}

fn fill_vehicle(record: &Record, fields: &mut Out) {
    let vehicle = &record.vehicle;
    fill_reading(vehicle.first.as_ref(), fields);
    fields.put(
        "pays",
        vehicle
            .country
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    );
    fields.put("genre", &vehicle.kind);
    fields.put("marque", &vehicle.make);
    fields.put("couleur", &vehicle.colour);
    fields.put("marquage", &vehicle.marking);
    fields.put(
        "personnes",
        vehicle.persons.map(|n| n.to_string()).unwrap_or_default(),
    );
}

fn fill_costs(record: &Record, fields: &mut Out) {
    for (n, cost) in record.costs.iter().enumerate() {
        fields.put(format!("frais.{n}.type"), cost.kind.as_str());
        fields.put(format!("frais.{n}.libelle"), &cost.label);
        fields.put(
            format!("frais.{n}.quantite"),
            cost.quantity.map(Hundredths::short).unwrap_or_default(),
        );
        fields.put(
            format!("frais.{n}.unite"),
            cost.unit.map(|unit| unit.to_string()).unwrap_or_default(),
        );
        fields.put(format!("frais.{n}.montant"), cost.amount.to_string());
        fields.put(format!("frais.{n}.justificatif"), &cost.voucher);
    }
}

fn fill_outcomes(record: &Record, fields: &mut Out) {
    for (n, outcome) in record.outcomes.iter().enumerate() {
        fields.put(format!("suites.{n}.nature"), outcome.kind.as_str());
        fields.put(format!("suites.{n}.date"), french(&outcome.on));
        fields.put(format!("suites.{n}.reference"), &outcome.reference);
        fields.put(format!("suites.{n}.note"), &outcome.note);
    }
    fields.put("gels", record.holds.join("\n"));
}

/// The holder of the registration as fields.
pub fn fill_holder(holder: &Holder) -> Fields {
    let mut fields = Out::default();
    fields.put("titulaire_nom", &holder.name);
    fields.put("titulaire_adresse", &holder.address);
    fields.put("titulaire_source", &holder.source);
    fields.0
}

/// The holder of the registration out of fields.
pub fn holder(fields: &[(String, String)]) -> Holder {
    let sent = In {
        fields,
        section: Section::Identification,
    };
    Holder {
        name: sent.line("titulaire_nom"),
        address: sent.text("titulaire_adresse"),
        source: sent.line("titulaire_source"),
    }
}

/// Reads a section's form into the record; what could not be read.
pub fn apply(
    record: &mut Record,
    section: Section,
    fields: &[(String, String)],
    hand: Hand<'_>,
) -> Vec<FieldError> {
    let sent = In { fields, section };
    let mut faults = Faults::default();
    match section {
        Section::Facts => apply_facts(record, sent, hand, &mut faults),
        Section::Offence => apply_offence(record, sent, &mut faults),
        Section::Waste => apply_waste(record, sent, &mut faults),
        Section::Vehicle => apply_vehicle(record, sent, hand, &mut faults),
        Section::SecondReading => {
            let reading = reading(sent, record.vehicle.second.as_ref(), hand, &mut faults);
            record.vehicle.second = reading;
        }
        Section::Identification => apply_siv(record, sent, &mut faults),
        Section::Costs => record.costs = costs(sent, &mut faults),
        Section::Outcomes => {
            record.outcomes = outcomes(sent, &mut faults);
            let holds = sent.text("gels");
            let holds = holds.lines().map(str::trim).filter(|line| !line.is_empty());
            record.holds = holds.map(str::to_owned).collect();
        }
        Section::Comments => record.comments = sent.text("commentaires"),
    }
    faults.0
}

/// What was sent of one section.
#[derive(Clone, Copy)]
struct In<'f> {
    fields: &'f [(String, String)],
    section: Section,
}

impl<'f> In<'f> {
    fn raw(self, name: &str) -> &'f str {
        let found = self.fields.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value.trim())
    }

    fn line(self, name: &str) -> String {
        self.raw(name).to_owned()
    }

    /// A text in lines, as every system writes their ends.
    fn text(self, name: &str) -> String {
        self.raw(name).replace("\r\n", "\n").replace('\r', "\n")
    }

    fn all(self, name: &str) -> impl Iterator<Item = &'f str> {
        let named = self.fields.iter().filter(move |(found, _)| found == name);
        named
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// Reads a field that may be empty; what cannot be read is a fault and nothing.
    fn read<T>(self, name: &str, faults: &mut Faults, read: impl Fn(&str) -> Result<T, Fault>) -> Option<T> {
        let text = self.raw(name);
        if text.is_empty() {
            return None;
        }
        read(text)
            .map_err(|fault| faults.add(self.section, name, fault))
            .ok()
    }

    /// The numbers of the lines of a group that hold anything, in order: `frais.3.montant` is of line 3.
    fn lines(self, group: &str) -> Vec<usize> {
        let of_line = |(name, value): &(String, String)| {
            let rest = name.strip_prefix(group)?.strip_prefix('.')?;
            let (line, _) = rest.split_once('.')?;
            let line = line.parse().ok().filter(|line| *line < MOST_LINES)?;
            (!value.trim().is_empty()).then_some(line)
        };
        let lines: BTreeSet<usize> = self.fields.iter().filter_map(of_line).collect();
        lines.into_iter().collect()
    }
}

/// A date as French writes it, or as browsers send it.
pub fn date(text: &str) -> Result<Date, Fault> {
    let numbers = |text: &str, between: char| -> Option<[i16; 3]> {
        let parts: Vec<i16> = text
            .split(between)
            .map(|part| match part.bytes().all(|b| b.is_ascii_digit()) {
                true => part.parse().ok(),
                false => None,
            })
            .collect::<Option<_>>()?;
        parts.try_into().ok()
    };
    let text = text.trim();
    let [year, month, day] = match (numbers(text, '-'), numbers(text, '/'), numbers(text, '.')) {
        (Some(of_browser), _, _) => of_browser,
        (_, Some([day, month, year]), _) | (_, _, Some([day, month, year])) => [year, month, day],
        _ => return Err(Fault::Date),
    };
    let small = |n: i16| i8::try_from(n).map_err(|_| Fault::Date);
    match (1900..=9999).contains(&year) {
        true => Date::new(year, small(month)?, small(day)?).map_err(|_| Fault::Date),
        false => Err(Fault::Date),
    }
}

/// An hour: `14:05`, `14:05:09`, `14h05`.
pub fn time(text: &str) -> Result<Time, Fault> {
    let text = text.trim().to_lowercase().replace(['h', ' '], ":");
    let parts: Vec<&str> = text.split(':').filter(|part| !part.is_empty()).collect();
    let number = |part: &str| match (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    {
        true => part.parse::<i8>().map_err(|_| Fault::Hour),
        false => Err(Fault::Hour),
    };
    let (hour, minute, second) = match parts[..] {
        [hour, minute] => (number(hour)?, number(minute)?, 0),
        [hour, minute, second] => (number(hour)?, number(minute)?, number(second)?),
        _ => return Err(Fault::Hour),
    };
    Time::new(hour, minute, second, 0).map_err(|_| Fault::Hour)
}

fn whole(least: i64, most: i64, example: &'static str) -> impl Fn(&str) -> Result<i64, Fault> {
    move |text| match text.replace('\u{2212}', "-").parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(Fault::Number(example)),
    }
}

fn hundredths(text: &str) -> Result<Hundredths, Fault> {
    Ok(text.parse()?)
}

fn apply_facts(record: &mut Record, sent: In<'_>, hand: Hand<'_>, faults: &mut Faults) {
    let section = sent.section;
    let day = sent.read("date", faults, date);
    let hour = sent.read("heure", faults, time);
    for (name, what) in [("date", "La date des faits"), ("heure", "L'heure des faits")] {
        if sent.raw(name).is_empty() {
            faults.add(section, name, Fault::Missing(what));
        }
    }
    if let (Some(day), Some(hour)) = (day, hour) {
        let turn = match sent.raw("tour") {
            "ete" => Some(Turn::First),
            "hiver" => Some(Turn::Second),
            _ => None,
        };
        // The form shows whole seconds: unchanged, the moment keeps what the camera said below them.
        let local = DateTime::from_parts(day, hour);
        match Moment::of_local(local, hand.zone, turn) {
            Ok(moment) if same_second(moment, record.facts_at) => {}
            Ok(moment) => record.facts_at = moment,
            Err(fault) => faults.add(section, "heure", fault),
        }
    }
    record.place = sent.line("lieu");
    record.facts = sent.text("faits");
    let named = ["horloge", "horloge_date", "horloge_par"].map(|name| !sent.raw(name).is_empty());
    let seconds = sent.read(
        "horloge",
        faults,
        whole(-LONGEST_OFFSET, LONGEST_OFFSET, "0 ou -3"),
    );
    let measured = sent.read("horloge_date", faults, date);
    record.clock = match (seconds, measured) {
        (Some(seconds), Some(measured)) => Some(ClockOffset {
            seconds,
            measured,
            by: sent.line("horloge_par"),
        }),
        _ => None,
    };
    if named.contains(&true) {
        let parts = [
            ("horloge", "L'écart d'horloge, en secondes"),
            ("horloge_date", "La date de la mesure"),
        ];
        for (name, what) in parts.into_iter().filter(|(name, _)| sent.raw(name).is_empty()) {
            faults.add(section, name, Fault::Missing(what));
        }
    }
}

fn same_second(one: Moment, other: Moment) -> bool {
    let second = |moment: Moment| (moment.instant().0.as_second(), moment.local().date());
    second(one) == second(other)
}

fn apply_offence(record: &mut Record, sent: In<'_>, faults: &mut Faults) {
    let named = |name: &str| Some(sent.raw(name)).filter(|value| !value.is_empty());
    record.offence = named("infraction").map(OffenceId::from);
    record.route = named("voie").map(RouteId::from);
    record.act = sent.read("acte", faults, |text| {
        let found = Act::ALL.into_iter().find(|act| act.as_str() == text);
        found.ok_or(Fault::Unlisted)
    });
    record.natinf = sent.read("natinf", faults, |text| Ok(text.parse()?));
}

fn apply_waste(record: &mut Record, sent: In<'_>, faults: &mut Faults) {
    let waste = &mut record.waste;
    let unlisted = |name: &str, faults: &mut Faults| faults.add(sent.section, name, Fault::Unlisted);
    waste.kinds.clear();
    for kind in sent.all("nature") {
        match WasteKind::of(kind) {
            Some(kind) => _ = waste.kinds.insert(kind),
            None => unlisted("nature", faults),
        }
    }
    waste.dangers.clear();
    for danger in sent.all("danger") {
        match Danger::of(danger) {
            Some(danger) => _ = waste.dangers.insert(danger),
            None => unlisted("danger", faults),
        }
    }
    waste.description = sent.text("description");
    waste.volume = sent.read("volume", faults, hundredths);
    waste.photographs = sent.line("photos");
}

fn apply_vehicle(record: &mut Record, sent: In<'_>, hand: Hand<'_>, faults: &mut Faults) {
    let vehicle = &mut record.vehicle;
    vehicle.first = reading(sent, vehicle.first.as_ref(), hand, faults);
    vehicle.country = sent.read("pays", faults, |text| {
        Country::try_from(text.to_owned()).map_err(|_| Fault::Country)
    });
    vehicle.kind = sent.line("genre");
    vehicle.make = sent.line("marque");
    vehicle.colour = sent.line("couleur");
    vehicle.marking = sent.line("marquage");
    let persons = sent.read("personnes", faults, whole(0, MOST_PERSONS, "2"));
    vehicle.persons = persons.and_then(|n| u16::try_from(n).ok());
}

/// A reading; the one that was there, if the same was typed again, so that it keeps its reader and its hour.
fn reading(sent: In<'_>, before: Option<&Reading>, hand: Hand<'_>, faults: &mut Faults) -> Option<Reading> {
    let typed = sent.line("plaque");
    let legibility = sent.read("lisibilite", faults, |text| {
        let found = Legibility::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or(Fault::Unlisted)
    });
    let Some(legibility) = legibility else {
        if !typed.is_empty() && sent.raw("lisibilite").is_empty() {
            faults.add(
                sent.section,
                "lisibilite",
                Fault::Missing("La lisibilité de la plaque"),
            );
        }
        return None;
    };
    let same = before.filter(|before| before.typed == typed && before.legibility == legibility);
    Some(same.cloned().unwrap_or_else(|| Reading {
        typed,
        legibility,
        by: hand.account.to_owned(),
        at: hand.now,
    }))
}

fn apply_siv(record: &mut Record, sent: In<'_>, faults: &mut Faults) {
    let (by, reference) = (sent.line("siv_agent"), sent.line("siv_reference"));
    let on = sent.read("siv_date", faults, date);
    if sent.raw("siv_date").is_empty() && !(by.is_empty() && reference.is_empty()) {
        faults.add(
            sent.section,
            "siv_date",
            Fault::Missing("La date de la consultation du SIV"),
        );
    }
    record.siv = on.map(|on| SivLookUp { on, by, reference });
}

fn costs(sent: In<'_>, faults: &mut Faults) -> Vec<Cost> {
    let lines = sent.lines("frais").into_iter();
    let lines = lines.filter_map(|line| {
        let name = |part: &str| format!("frais.{line}.{part}");
        let mut own = Faults::default();
        let quantity = sent.read(&name("quantite"), &mut own, hundredths);
        let unit = sent.read(&name("unite"), &mut own, hundredths);
        let typed = sent.read(&name("montant"), &mut own, hundredths);
        // What follows from the two others need not be typed; what is typed is checked against them.
        let amount = typed.or_else(|| quantity?.times(unit?));
        let kind = sent.read(&name("type"), &mut own, |text| {
            CostKind::of(text).ok_or(Fault::Unlisted)
        });
        if sent.raw(&name("type")).is_empty() {
            own.add(sent.section, name("type"), Fault::Missing("La nature du frais"));
        }
        if amount.is_none() && own.0.is_empty() {
            own.add(sent.section, name("montant"), Fault::Missing("Le montant"));
        }
        faults.0.extend(own.0);
        Some(Cost {
            kind: kind?,
            label: sent.line(&name("libelle")),
            quantity,
            unit,
            amount: amount?,
            voucher: sent.line(&name("justificatif")),
        })
    });
    lines.collect()
}

fn outcomes(sent: In<'_>, faults: &mut Faults) -> Vec<Outcome> {
    let lines = sent.lines("suites").into_iter();
    let lines = lines.filter_map(|line| {
        let name = |part: &str| format!("suites.{line}.{part}");
        let kind = sent.read(&name("nature"), faults, |text| {
            OutcomeKind::of(text).ok_or(Fault::Unlisted)
        });
        let on = sent.read(&name("date"), faults, date);
        let needed = [
            ("nature", "La nature de la suite"),
            ("date", "La date de la suite"),
        ];
        for (part, what) in needed
            .into_iter()
            .filter(|(part, _)| sent.raw(&name(part)).is_empty())
        {
            faults.add(sent.section, name(part), Fault::Missing(what));
        }
        Some(Outcome {
            kind: kind?,
            on: on?,
            reference: sent.line(&name("reference")),
            note: sent.line(&name("note")),
        })
    });
    lines.collect()
}
