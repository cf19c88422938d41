//! What of a record the agent should look at again: a remark stops nothing. Pure: the day comes in.

use jiff::civil::Date;

use super::check::{french, offence};
use super::plate::{self, Legibility, Shape};
use super::record::Record;
use crate::desk::law::{Confirm, Law, Offence, Row};

/// Days before the end of the public action at which it is spoken of.
pub const PRESCRIPTION_NEAR: i32 = 90;

/// What the agent should look at again; it stops nothing. Its text is what the agent reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Remark {
    /// The public action may be over.
    #[error("L'action publique est prescrite depuis le {} ({basis}), sauf acte interruptif ({interrupted_by})", french(.on))]
    Prescribed {
        /// The first day on which it is.
        on: Date,
        /// The article.
        basis: String,
        /// The article on what interrupts it.
        interrupted_by: String,
    },
    /// It soon will be.
    #[error("L'action publique sera prescrite le {} ({basis}), sauf acte interruptif ({interrupted_by})", french(.on))]
    PrescribedSoon {
        /// The first day on which it is.
        on: Date,
        /// The article.
        basis: String,
        /// The article on what interrupts it.
        interrupted_by: String,
    },
    /// A French plate that looks like none.
    #[error("La lecture a {} : vérifiez-la sur l'image, sans rien corriger d'office", Shape::Other.french())]
    Shape,
    /// Not the ordinary route of such an offence.
    #[error("Cette voie n'est pas celle d'ordinaire suivie pour {offence} ({basis})")]
    Route {
        /// The offence's article.
        offence: String,
        /// The route's article.
        basis: String,
    },
    /// The hour of the facts lies outside the images.
    #[error("L'heure des faits n'est pas comprise entre la première et la dernière image")]
    OutsideImages,
    /// The city's lawyer has still to confirm something of this.
    #[error("{0} : à confirmer par le conseil juridique de la Ville ou le parquet")]
    ToConfirm(String),
}

/// What of a record to look at again.
pub fn remarks(record: &Record, law: &Law, today: Date) -> Vec<Remark> {
    let mut remarks = Vec::new();
    if let Some((offence, row)) = offence(record, law) {
        remarks.extend(prescription(record, law, offence, today));
        if row.has_to_confirm() {
            remarks.push(Remark::ToConfirm(format!(
                "{} ({})",
                offence.text,
                row.doubts().join(", ")
            )));
        }
        remarks.extend(route(record, law, offence, row));
        let quality = law.quality(&record.officer.quality);
        let competence = quality.map(|quality| law.competence(quality, offence));
        if let Some(basis) = competence.filter(|c| c.to_confirm).and_then(|c| c.basis) {
            remarks.push(Remark::ToConfirm(format!("Compétence ({basis})")));
        }
    }
    let vehicle = &record.vehicle;
    let french_plate = vehicle.country.as_ref().is_some_and(plate::Country::is_france);
    let first = vehicle
        .first
        .as_ref()
        .filter(|r| r.legibility != Legibility::Unreadable);
    if french_plate && first.is_some_and(|r| Shape::of(&r.normalised()) == Shape::Other) {
        remarks.push(Remark::Shape);
    }
    if let Some(source) = record.origin.source() {
        // Frames are dated to the second; a minute of the form is not.
        let at = record.facts_at.instant().0.as_second() / 60;
        let outside =
            at < source.from.instant().0.as_second() / 60 || at > source.until.instant().0.as_second() / 60;
        remarks.extend(outside.then_some(Remark::OutsideImages));
    }
    remarks
}

fn prescription(record: &Record, law: &Law, offence: &Offence, today: Date) -> Option<Remark> {
    let term = law.prescription(offence.kind);
    let on = term.over_on(record.facts_at.day());
    let (basis, interrupted_by) = (term.basis.clone(), term.interrupted_by.clone());
    let left = today.until(on).map_or(0, |span| span.get_days());
    match left {
        ..=0 => Some(Remark::Prescribed {
            on,
            basis,
            interrupted_by,
        }),
        1..=PRESCRIPTION_NEAR => Some(Remark::PrescribedSoon {
            on,
            basis,
            interrupted_by,
        }),
        _ => None,
    }
}

fn route(record: &Record, law: &Law, offence: &Offence, row: &Row) -> Vec<Remark> {
    let Some(route) = record.route.as_ref().and_then(|id| law.route(id)) else {
        return Vec::new();
    };
    let unusual = !route.fits(offence.kind, row) && !route.needs_fixed();
    let unusual = unusual.then(|| Remark::Route {
        offence: offence.text.clone(),
        basis: route.basis.clone(),
    });
    let doubted = [Confirm::Basis, Confirm::Days, Confirm::Maximum];
    let doubted = doubted.into_iter().any(|what| route.is_to_confirm(what));
    let doubted = doubted.then(|| Remark::ToConfirm(format!("Voie ({})", route.basis)));
    unusual.into_iter().chain(doubted).collect()
}
