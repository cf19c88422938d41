//! The survey as a page: French, one file, nothing from outside, made to be printed and signed.
//!
//! Promises: every text that comes from a card or a configuration is escaped; pictures are only those of
//! [`Found::sheet`](super::Found::sheet). Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::plates::AtEdge;
use super::{Discarded, Found, Plates, WIDEST};
use crate::triage::{Choice, Reason};
use crate::vision::Light;

const STYLE: &str = include_str!("page.css");

/// The whole page.
pub fn page(found: &Found) -> String {
    let site = escaped(&found.site);
    let parts = [
        heading(found, &site),
        view(found),
        plates(&found.plates),
        triage(found),
        sheet(found),
        signature(found),
    ];
    format!(
        "<!doctype html>\n<html lang=\"fr\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Relevé de mise en service : {site}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
        parts.concat()
    )
}

fn heading(found: &Found, site: &str) -> String {
    let drawn = found.drawn.0.strftime("%d/%m/%Y à %H:%M UTC");
    let zones = found.zone_version.to_string();
    let choice = match found.triage {
        Choice::Manual => "manuel : rien n'est écarté",
        Choice::Empty => "seules les images vides sont écartées",
        Choice::Irrelevant => "les images vides et les événements sans véhicule dans la zone sont écartés",
    };
    format!(
        "<h1>Relevé de mise en service</h1>\n<table class=\"facts\">\n\
         {}{}{}{}{}</table>\n",
        row("Lieu", site),
        row("Caméra", &escaped(found.camera.as_str())),
        row("Relevé établi le", &drawn.to_string()),
        row("Tri décidé par la commune", choice),
        row(
            "Version des zones",
            &format!("{} (vigie {})", &zones[..16], env!("CARGO_PKG_VERSION"))
        ),
    )
}

fn view(found: &Found) -> String {
    let view = found.view;
    let waste = match view.waste {
        Some(share) => share_of(share),
        None => "aucune".to_owned(),
    };
    format!(
        "<h2>1. La vue</h2>\n<table>\n{}{}{}{}</table>\n",
        row("Part de l'image dans la zone surveillée", &share_of(view.zone)),
        row(
            "Part de l'image toujours masquée (zones privées)",
            &share_of(view.privacy)
        ),
        row(
            "Part de la zone surveillée que ce masquage couvre",
            &share_of(view.zone_hidden)
        ),
        row("Part de l'image dans la zone de dépôt", &waste),
    )
}

fn plates(plates: &Plates) -> String {
    let mut out = "<h2>2. Les plaques</h2>\n".to_owned();
    out += &format!(
        "<p>{} dans {}, détectées sans être lues.</p>\n",
        count(plates.found, ["plaque trouvée", "plaques trouvées"]),
        count(plates.looked_at, ["image examinée", "images examinées"]),
    );
    out += "<table>\n";
    if let Some([least, middle, most]) = plates.widths {
        let widths = format!("{least:.0} / {middle:.0} / {most:.0} pixels");
        out += &row("Largeur : la moindre / médiane / la plus grande", &widths);
    }
    if let Some([far, near]) = plates.edges {
        out += &row("Largeur attendue au bord lointain de la zone", &edge(far));
        out += &row("Largeur attendue au bord proche de la zone", &edge(near));
    }
    if let Some([least, middle, most]) = plates.clipped {
        let [least, middle, most] = [least, middle, most].map(share_of);
        let name = format!(
            "Pixels saturés (blancs) des {} : le moins / médiane / le plus",
            count(plates.by_night, ["plaque de nuit", "plaques de nuit"])
        );
        out += &row(&name, &format!("{least} / {middle} / {most}"));
    }
    out += "</table>\n";
    if plates.edges.is_none() {
        out += "<p class=\"note\">Pas d'estimation aux bords de la zone : il y faut au moins cinq plaques, vues à des \
                distances nettement différentes.</p>\n";
    }
    if plates.clipped.is_none() {
        out += "<p class=\"note\">Aucune plaque de nuit : leur saturation n'est pas mesurée. Refaire le relevé après une \
                nuit avec passages.</p>\n";
    }
    out += "<p class=\"note\">Repère : pour une plaque de 520 mm, 130 pixels de large correspondent à 250 pixels par mètre \
            (niveau « identifier » de la norme NF EN 62676-4), 65 pixels à 125 pixels par mètre (niveau \
            « reconnaître »).</p>\n";
    out
}

fn edge(edge: AtEdge) -> String {
    let beyond = if edge.beyond {
        ", par extrapolation : aucune plaque vue si loin ou si près"
    } else {
        ""
    };
    format!("{:.0} pixels, à {:.0} près{beyond}", edge.width, edge.either_side)
}

fn triage(found: &Found) -> String {
    let discarded: usize = found.discarded.values().sum();
    let mut out = "<h2>3. Le tri</h2>\n<table>\n".to_owned();
    out += &row("Images sur la carte", &found.frames.to_string());
    out += &row("Événements", &found.events.to_string());
    out += &row(
        "Images qui seraient gardées (masquées et scellées)",
        &found.kept.to_string(),
    );
    out += &row("Images qui seraient écartées", &discarded.to_string());
    for (reason, number) in &found.discarded {
        out += &row(&format!("&emsp;{}", told(*reason)), &number.to_string());
    }
    out += "</table>\n";
    if found.beyond > 0 {
        out += &format!(
            "<p class=\"warning\">{} de la carte : le relevé ne porte que sur les premières.</p>\n",
            count(
                found.beyond,
                [
                    "image n'a pas été examinée à la fin",
                    "images n'ont pas été examinées à la fin"
                ]
            )
        );
    }
    if !found.left.is_empty() {
        let files = found.left.iter().map(|(file, why)| {
            format!(
                "<li>{} ({})</li>\n",
                escaped(&file.to_string_lossy()),
                trouble(why)
            )
        });
        out += &format!(
            "<p class=\"warning\">{} :</p>\n<ul>\n{}</ul>\n",
            count(
                found.left.len(),
                ["fichier ne peut être traité", "fichiers ne peuvent être traités"]
            ),
            files.collect::<String>(),
        );
    }
    out
}

fn sheet(found: &Found) -> String {
    if found.sheet.is_empty() {
        return "<h2>4. Images qui seraient écartées</h2>\n<p>Aucune.</p>\n".to_owned();
    }
    let figures: String = found.sheet.iter().map(figure).collect();
    format!(
        "<h2>4. Images qui seraient écartées</h2>\n<p class=\"note\">Chacune est montrée masquée comme la configuration le \
         prévoit, et réduite à {WIDEST} pixels au plus, pour que personne n'y soit reconnaissable. Où le masque ne laisse rien \
         voir, ou pour mieux voir, l'agent habilité ouvre le fichier sur la carte : pendant l'essai, rien n'y est \
         effacé.</p>\n<div class=\"sheet\">\n{figures}</div>\n"
    )
}

fn figure(frame: &Discarded) -> String {
    let file = escaped(&frame.file.to_string_lossy());
    let picture = match &frame.shown {
        Some(jpeg) => format!(
            "<img src=\"data:image/jpeg;base64,{}\" alt=\"{file}, masquée\">",
            STANDARD.encode(jpeg)
        ),
        None => "<p class=\"hidden\">rien de visible sous le masque</p>".to_owned(),
    };
    let taken = frame.taken.map_or("heure inconnue".to_owned(), |taken| {
        taken.0.strftime("%d/%m/%Y %H:%M:%S").to_string()
    });
    let light = match frame.light {
        Light::Day => "jour",
        Light::Night => "nuit",
    };
    let [vehicles, persons] = frame.seen;
    let seen = match vehicles + persons {
        0 => String::new(),
        _ => format!(
            "<br>vu : {}, {}",
            count(vehicles, ["véhicule", "véhicules"]),
            count(persons, ["personne", "personnes"])
        ),
    };
    format!(
        "<figure>{picture}<figcaption><b>{}</b><br>{taken}, {light}{seen}<br><span class=\"file\">{file}</span>\
         </figcaption></figure>\n",
        told(frame.reason)
    )
}

fn signature(found: &Found) -> String {
    let all = match found.beyond {
        0 => "toutes les images qui seraient écartées",
        _ => "toutes les images qui seraient écartées parmi celles qui ont été examinées",
    };
    format!(
        "<section class=\"signature\">\n<h2>5. Avant la mise en service</h2>\n<p>J'ai examiné {all}, présentées \
         ci-dessus, ainsi que la vue et les plaques.</p>\n<p class=\"choice\">☐ Le tri convient au site : la suppression \
         (mode « enforce ») peut être mise en service.<br>☐ Le tri ne convient pas. Motif : \
         <span class=\"line\"></span></p>\n<table class=\"signing\">\n<tr><th scope=\"row\">Nom et qualité</th><td></td></tr>\n\
         <tr><th scope=\"row\">Date</th><td></td></tr>\n<tr><th scope=\"row\">Signature</th><td class=\"tall\"></td></tr>\n\
         </table>\n</section>\n"
    )
}

fn told(reason: Reason) -> &'static str {
    match reason {
        Reason::Empty => "ni véhicule ni personne",
        Reason::WalkerAlone => "personnes sans véhicule",
        Reason::Parked => "véhicule stationné là depuis longtemps",
        Reason::VehicleOutsideZone => "véhicule hors de la zone",
        Reason::NotAWitness => "d'autres images représentent l'événement",
        Reason::VehicleInZone | Reason::Unsure | Reason::NotEmpty | Reason::FollowsEvent | Reason::Manual => {
            "à garder"
        }
    }
}

fn trouble(why: &str) -> &'static str {
    match why {
        "empty-file" => "vide",
        "not-jpeg" => "pas un JPEG",
        "truncated" => "tronqué",
        "too-large" => "trop grand",
        "unsupported" => "forme de JPEG non prise en charge",
        "corrupt" => "abîmé",
        "not-settled" => "en cours d'écriture",
        "link" => "lien",
        _ => "illisible",
    }
}

fn row(name: &str, value: &str) -> String {
    format!("<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>\n")
}

/// A count with its noun: in French, 0 and 1 are singular.
fn count(number: usize, noun: [&str; 2]) -> String {
    format!("{number} {}", noun[usize::from(number > 1)])
}

fn share_of(share: f32) -> String {
    format!("{:.1}\u{a0}%", share * 100.0).replace('.', ",")
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::super::View;
    use super::*;
    use crate::frame::{BoxTime, Digest};

    fn found() -> Found {
        Found {
            camera: "quai".parse().expect("plain"),
            site: "<script>Quai \"A&B\"</script>".to_owned(),
            drawn: BoxTime(jiff::Timestamp::UNIX_EPOCH),
            zone_version: Digest::of(b""),
            triage: Choice::Irrelevant,
            frames: 3,
            beyond: 1,
            left: vec![(PathBuf::from("DCIM/<b>.JPG"), "truncated")],
            events: 2,
            kept: 1,
            discarded: BTreeMap::from([(Reason::Empty, 1)]),
            view: View {
                zone: 0.5,
                privacy: 0.125,
                zone_hidden: 0.0,
                waste: None,
            },
            plates: Plates {
                looked_at: 2,
                found: 0,
                widths: None,
                edges: None,
                by_night: 0,
                clipped: None,
            },
            sheet: vec![Discarded {
                file: PathBuf::from("DCIM/1.JPG"),
                taken: None,
                reason: Reason::Empty,
                light: Light::Night,
                seen: [0, 1],
                shown: None,
            }],
        }
    }

    #[test]
    fn what_comes_from_a_card_or_a_configuration_is_text_and_nothing_is_fetched() {
        let page = page(&found());
        assert!(!page.contains("<script") && !page.contains("<b>.JPG") && page.contains("A&amp;B"));
        assert!(!page.contains("http") && !page.contains("url("));
    }

    #[test]
    fn what_was_not_looked_at_or_not_estimated_is_said() {
        let page = page(&found());
        for said in [
            "1 image n'a pas été examinée",
            "tronqué",
            "Pas d'estimation",
            "Aucune plaque de nuit",
        ] {
            assert!(page.contains(said), "{said}");
        }
        assert!(
            page.contains("rien de visible sous le masque")
                && page.contains("12,5\u{a0}%")
                && page.contains("1 personne")
        );
    }
}
