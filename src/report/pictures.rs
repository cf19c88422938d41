//! Section 11: the chosen images at full size with their fingerprints, the others small.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageReader, Limits};
use krilla::image::Image;

use super::act::{Picture, Report};
use super::body::images;
use super::french::{abridged, exact, short};
use super::sheet::{Align, Error, Face, GREY, Sheets, Style, WIDTH};

/// Two stand on a sheet.
const TALLEST: f32 = 246.0;
/// Wide enough for a third of a sheet at 200 dots per inch.
const SMALL: u32 = 440;
const QUALITY: u8 = 82;
/// No frame has more; a picture that claims so is none.
const MOST_BYTES: u64 = 1 << 30;

/// Sets the images.
pub fn plates(sheets: &mut Sheets, report: &Report) -> Result<(), Error> {
    let told = format!(
        "{} en pleine définition : les octets incorporés à ce document sont ceux du fichier masqué, dont l'empreinte \
         SHA-256 est donnée sous chaque image. L'heure légale est celle de l'appareil, corrigée de l'écart d'horloge.",
        images(report.images.len())
    );
    sheets.paragraph(&told, Style::BODY, Align::Left);
    for picture in &report.images {
        plate(sheets, picture)?;
    }
    if report.others.is_empty() {
        return Ok(());
    }
    sheets.need(230.0);
    sheets.subheading("Autres images de l'événement (planche-contact)");
    let told = format!(
        "En réduction, recalculées pour l'impression : {}. Les fichiers masqués eux-mêmes sont dans le paquet s'ils y \
         ont été joints.",
        images(report.others.len())
    );
    sheets.paragraph(
        &told,
        Style {
            size: 9.0,
            ..Style::BODY
        },
        Align::Left,
    );
    let mut small = Vec::with_capacity(report.others.len());
    for picture in &report.others {
        let image = Image::from_jpeg(reduced(picture)?.into(), false)
            .map_err(|why| Error::Image(picture.number, why))?;
        let line = format!(
            "n° {} – {}\nSHA-256 {}",
            picture.number,
            picture
                .legal_time
                .map(short)
                .unwrap_or_else(|| "heure inconnue".to_owned()),
            abridged(&picture.sha256)
        );
        small.push((image, picture.orientation, alt(picture), line));
    }
    sheets.contact_sheet(small);
    Ok(())
}

fn plate(sheets: &mut Sheets, picture: &Picture) -> Result<(), Error> {
    let image = Image::from_jpeg(picture.jpeg.clone().into(), false)
        .map_err(|why| Error::Image(picture.number, why))?;
    let small = Style {
        face: Face::Text,
        size: 7.6,
        grey: GREY,
    };
    let time = picture
        .legal_time
        .map_or("heure légale inconnue".to_owned(), exact);
    let camera = picture.camera_time.map_or("non lue".to_owned(), short);
    let proof = match picture.untouched {
        true => "hors du masque, chaque coefficient est celui de l'appareil",
        false => "image recomposée : ce qui n'est pas masqué n'est pas vérifiable élément par élément",
    };
    let caption = [
        (
            format!("Image n° {} – {time}", picture.number),
            Style {
                size: 9.0,
                ..Style::STRONG
            },
        ),
        (
            format!(
                "horloge de l'appareil : {camera} ; {} % masqués ; {proof}",
                picture.masked
            ),
            small,
        ),
        (format!("SHA-256 de ce fichier : {}", picture.sha256), small),
        (
            format!("SHA-256 de l'original détruit : {}", picture.original),
            small,
        ),
    ];
    sheets.figure(
        image,
        picture.orientation,
        [WIDTH, TALLEST],
        &alt(picture),
        &caption,
    );
    Ok(())
}

/// What stands for an image where it cannot be seen: never what it shows, which the author alone says.
fn alt(picture: &Picture) -> String {
    let time = picture
        .legal_time
        .map(exact)
        .unwrap_or_else(|| "heure inconnue".to_owned());
    format!(
        "Image n° {} de l'événement, {time} ; les faits sont décrits à la section 6.",
        picture.number
    )
}

/// A small copy, as stored: it is turned where it is painted.
fn reduced(picture: &Picture) -> Result<Vec<u8>, Error> {
    let wrong = |why: image::ImageError| Error::Image(picture.number, why.to_string());
    let mut reader = ImageReader::new(Cursor::new(&picture.jpeg));
    reader.set_format(image::ImageFormat::Jpeg);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    let whole = reader.decode().map_err(wrong)?;
    let side = SMALL.min(whole.width().max(whole.height()));
    let small = whole.resize(side, side, FilterType::Triangle);
    let small = DynamicImage::ImageRgb8(small.to_rgb8());
    let mut jpeg = Vec::new();
    small
        .write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY))
        .map_err(wrong)?;
    Ok(jpeg)
}
