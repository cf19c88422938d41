//! The bordereau de transmission: what is sent to whom, with the NATINF code, which stands here and nowhere else,
//! the fingerprint of the package, and room for the acknowledgement.

use jiff::civil::Date;

use super::act::{Act, Moment, Service};
use super::french::{day, moment};
use super::sheet::{Align, Column, Error, Face, GREY, Paper, Sheets, Style};
use crate::frame::Digest;

/// What a slip says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slip {
    /// Its number in the register of transmissions.
    pub number: String,
    /// The infraction file's number.
    pub case: String,
    /// Whose it is.
    pub service: Service,
    /// Procès-verbal or rapport.
    pub act: Act,
    /// When the facts were.
    pub facts: Date,
    /// Where.
    pub place: String,
    /// The offence in words.
    pub offence: String,
    /// Its NATINF code, from the service's own dated list; empty, if it has none.
    pub natinf: String,
    /// To whom, with address.
    pub recipient: String,
    /// By whom it passes: `par l'intermédiaire de l'officier de police judiciaire`.
    pub by_way_of: String,
    /// Why.
    pub motive: String,
    /// Pieces: name, count.
    pub pieces: Vec<(String, String)>,
    /// On what it is carried: `remise en main propre`, `clé USB n° 3`.
    pub carrier: String,
    /// The package's file.
    pub file: String,
    /// Its SHA-256.
    pub package: Digest,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Who asked and who approved, by what the register calls them.
    pub asked_and_approved: [String; 2],
}

/// Sets the slip.
pub fn slip(slip: &Slip, drawn: Moment) -> Result<Vec<u8>, Error> {
    let mut sheets = Sheets::new().ok_or(Error::Fonts)?;
    head(&mut sheets, slip);
    sheets.heading("Transmission");
    sheets.facts(&[
        ("Destinataire", slip.recipient.clone()),
        ("Voie", slip.by_way_of.clone()),
        ("Date d'envoi", moment(drawn.local)),
        ("Motif", slip.motive.clone()),
        ("Support", slip.carrier.clone()),
        ("Demandée par", slip.asked_and_approved[0].clone()),
        ("Approuvée par", slip.asked_and_approved[1].clone()),
    ]);
    sheets.heading("Affaire");
    sheets.facts(&[
        ("Dossier", format!("n° {}", slip.case)),
        ("Acte", slip.act.title().to_owned()),
        ("Faits du", day(slip.facts)),
        ("Lieu", slip.place.clone()),
        ("Infraction", slip.offence.clone()),
        ("NATINF", slip.natinf.clone()),
    ]);
    sheets.heading("Pièces");
    let rows: Vec<_> = slip
        .pieces
        .iter()
        .map(|(what, count)| vec![what.clone(), count.clone()])
        .collect();
    let column = |head, share, align| Column { head, share, align };
    let columns = [
        column("Pièce", 0.8, Align::Left),
        column("Nombre", 0.2, Align::Right),
    ];
    sheets.table(&columns, &rows);
    package(&mut sheets, slip);
    sheets.heading("Accusé de réception");
    let told =
        "À compléter et à retourner au service : date, nom et qualité, numéro d'enregistrement, cachet.";
    sheets.paragraph(told, Style::BODY, Align::Left);
    sheets.signatures(["Le chef de service", "Reçu le", "Cachet et signature"]);
    let title = format!("Bordereau de transmission n° {}", slip.number);
    sheets.painted(&Paper {
        head: format!("{title} – {}", slip.service.commune),
        foot: format!("Dossier n° {}", slip.case),
        author: format!("{}, {}", slip.service.commune, slip.service.name),
        watermark: None,
        drawn: drawn.utc,
        title,
    })
}

fn head(sheets: &mut Sheets, slip: &Slip) {
    let small = Style {
        face: Face::Text,
        size: 9.0,
        grey: GREY,
    };
    let lines = [
        (
            "RÉPUBLIQUE FRANÇAISE",
            Style {
                face: Face::Bold,
                ..small
            },
        ),
        (
            slip.service.commune.as_str(),
            Style {
                size: 10.5,
                ..Style::STRONG
            },
        ),
        (&slip.service.name, Style::BODY),
        (&slip.service.address, small),
        (&slip.service.contact, small),
    ];
    sheets.block(&lines, Align::Middle);
    sheets.skip(8.0);
    sheets.title("Bordereau de transmission");
    let number = format!("n° {}", slip.number);
    sheets.block(
        &[(
            &number,
            Style {
                size: 11.5,
                ..Style::STRONG
            },
        )],
        Align::Middle,
    );
    sheets.skip(2.0);
}

fn package(sheets: &mut Sheets, slip: &Slip) {
    let encrypted = match slip.encrypted {
        true => "chiffré (AES-256), phrase de passe communiquée par une autre voie",
        false => "non chiffré",
    };
    sheets.facts(&[
        ("Fichier", slip.file.clone()),
        ("Empreinte SHA-256", slip.package.to_string()),
        ("Protection", encrypted.to_owned()),
    ]);
    let told = "Le destinataire peut vérifier le paquet avec la page verifier.html qui y est jointe, sans réseau ni \
                installation.";
    sheets.paragraph(told, Style::REMARK, Align::Left);
}
