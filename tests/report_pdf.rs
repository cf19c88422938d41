//! The report as PDF: complete or refused, the same bytes for the same input, the images unchanged in it.
#![cfg(feature = "desk")]

mod report_kit;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use report_kit::{drawn, frame_of, frames, pdf, report, signed_off};
use vigie::frame::Digest;
use vigie::report::slip::{Slip, slip};
use vigie::report::{Act, Complete, Lacking, MOST_IMAGES, draft, sealed};

/// What a program of poppler or qpdf says of a file; none, with a word on it, where the program is not installed.
fn tool(program: &str, arguments: &[&str], path: &Path) -> Option<String> {
    let run = Command::new(program).args(arguments).arg(path).output();
    let Ok(output) = run else {
        let _ = writeln!(
            std::io::stderr(),
            "{program} is not installed: not checked with it"
        );
        return None;
    };
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program}: {told}{wrong}");
    Some(told + &wrong)
}

fn written(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.pdf");
    std::fs::write(&path, bytes).expect("written");
    (folder, path)
}

/// Where a person can look at what the tests made: `VIGIE_PAGES=folder`.
fn show(name: &str, bytes: &[u8]) {
    if let Some(folder) = std::env::var_os("VIGIE_PAGES") {
        std::fs::write(Path::new(&folder).join(name), bytes).expect("written");
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    let (_folder, path) = written(bytes);
    let output = Command::new("pdftotext").arg(&path).arg("-").output().ok()?;
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn the_same_report_has_the_same_bytes_and_another_has_others() {
    let frames = frames(3);
    let first = pdf(Act::ProcesVerbal, &frames, 2);
    assert_eq!(first, pdf(Act::ProcesVerbal, &frames, 2));
    assert_ne!(first, pdf(Act::Rapport, &frames, 2));
}

#[test]
fn the_embedded_images_are_the_files_of_the_manifests() {
    let frames = frames(5);
    let bytes = pdf(Act::ProcesVerbal, &frames, 3);
    show("proces-verbal.pdf", &bytes);
    for frame in &frames[..3] {
        let found = bytes
            .windows(frame.jpeg.len())
            .filter(|window| *window == frame.jpeg)
            .count();
        assert_eq!(found, 1, "image {} as it is", frame.number);
    }
    let (folder, path) = written(&bytes);
    let root = folder.path().join("image");
    let run = Command::new("pdfimages")
        .arg("-all")
        .arg(&path)
        .arg(&root)
        .output();
    let Ok(run) = run else {
        let _ = writeln!(
            std::io::stderr(),
            "pdfimages is not installed: not checked with it"
        );
        return;
    };
    assert!(run.status.success());
    let taken: BTreeSet<Digest> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| Digest::of(&std::fs::read(entry.expect("an entry").path()).expect("a file")))
        .collect();
    for frame in &frames[..3] {
        assert!(
            taken.contains(&frame.read().redacted.sha256),
            "image {}",
            frame.number
        );
    }
}

#[test]
fn the_pdf_is_sound_tagged_pdf_a_with_embedded_fonts() {
    let bytes = pdf(Act::ProcesVerbal, &frames(4), 2);
    let (_folder, path) = written(&bytes);
    if let Some(told) = tool("qpdf", &["--check"], &path) {
        assert!(
            told.contains("No syntax or stream encoding errors found"),
            "{told}"
        );
    }
    if let Some(told) = tool("pdffonts", &[], &path) {
        let fonts: Vec<_> = told.lines().skip(2).collect();
        assert_eq!(fonts.len(), 3, "{told}");
        assert!(
            fonts
                .iter()
                .all(|font| font.contains("OpenSans") && font.contains("yes yes yes")),
            "{told}"
        );
    }
    if let Some(told) = tool("pdfinfo", &[], &path) {
        let has = |what: &str| {
            told.lines()
                .any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") == what)
        };
        assert!(
            has("Tagged: yes") && has("Page size: 595.28 x 841.89 pts (A4)"),
            "{told}"
        );
        assert!(
            told.contains("Procès-verbal de constatation n° 2026-IVR-0042"),
            "{told}"
        );
    }
    let has = |what: &str| bytes.windows(what.len()).any(|window| window == what.as_bytes());
    assert!(has("<pdfaid:part>2</pdfaid:part>") && has("<pdfaid:conformance>A</pdfaid:conformance>"));
    assert!(has("<pdfuaid:part>1</pdfuaid:part>"));
}

#[test]
fn a_proces_verbal_is_never_called_a_rapport_nor_the_other_way_round() {
    let frames = frames(3);
    for (act, never) in [(Act::ProcesVerbal, "rapport"), (Act::Rapport, "procès-verbal")] {
        let Some(text) = text(&pdf(act, &frames, 2)) else {
            return;
        };
        assert!(text.to_lowercase().contains(act.name()), "{text}");
        // « par rapport à » would be no label; the documents do not need it.
        assert!(
            !text.to_lowercase().contains(never),
            "{act:?} speaks of a {never}: {text}"
        );
    }
}

#[test]
fn all_sections_and_what_must_be_said_stand_in_it() {
    let Some(text) = text(&pdf(Act::ProcesVerbal, &frames(5), 3)) else {
        return;
    };
    let sections = [
        "1. Acte et textes visés",
        "2. Rédacteur",
        "3. Cadre du dispositif",
        "4. Date, heure et lieu des faits",
        "5. Circonstances de la constatation",
        "6. Faits personnellement constatés par le rédacteur",
        "7. Infraction et textes applicables à la date des faits",
        "8. Véhicule et lecture de la plaque",
        "9. Identification",
        "10. Déchets et frais de nettoyage",
        "11. Planche d’images",
        "12. Note sur le masquage",
        "13. Traçabilité",
        "14. Limites",
        "15. Clôture",
    ];
    let mut from = 0;
    for section in sections {
        let at = text[from..]
            .find(section)
            .unwrap_or_else(|| panic!("{section}: {text}"));
        from += at;
    }
    for said in [
        "RÉPUBLIQUE FRANÇAISE",
        "L’image n’est pas la seule preuve",
        "aucun original n’est conservé",
        "en avance de 2 min 5 s",
        "3 novembre 2028",
        "page 1 / ",
        "planche-contact",
        "196,90 €",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(!text.contains("NATINF"));
    assert!(!text.contains("BROUILLON"));
}

#[test]
fn a_draft_says_so_on_each_page() {
    let bytes = draft(&report(Act::Rapport, &frames(3), 2), drawn()).expect("a PDF");
    show("brouillon.pdf", &bytes);
    let (_folder, path) = written(&bytes);
    let Ok(output) = Command::new("pdftotext").arg(&path).arg("-").output() else {
        return;
    };
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let pages: Vec<_> = text
        .split('\u{c}')
        .filter(|page| !page.trim().is_empty())
        .collect();
    assert!(pages.len() > 3);
    for (nth, page) in pages.iter().enumerate() {
        assert!(
            page.contains("BROUILLON, sans valeur"),
            "page {}: {page}",
            nth + 1
        );
    }
}

#[test]
fn what_is_lacking_is_named_at_once_and_nothing_incomplete_is_sealed() {
    let frames = frames(3);
    let whole = report(Act::ProcesVerbal, &frames, 2);
    assert_eq!(whole.lacking(), []);
    type Change = fn(&mut vigie::report::Report);
    let changes: [(Change, Lacking); 13] = [
        (|r| r.number.clear(), Lacking::Number),
        (|r| r.author.oath = None, Lacking::Oath),
        (|r| r.author.clearance = None, Lacking::Clearance),
        (|r| r.framework.reference.clear(), Lacking::Framework),
        (|r| r.facts.clock = None, Lacking::Clock),
        (|r| r.observed = " \n".to_owned(), Lacking::Observed),
        (|r| r.observed.push_str(" (natinf 1086)"), Lacking::NatinfInBody),
        (|r| r.offence = None, Lacking::Offence),
        (
            |r| r.vehicle.as_mut().expect("one").second_reading = "AB-124-CD".to_owned(),
            Lacking::ReadingsDiffer,
        ),
        (|r| r.images[1].jpeg.push(0), Lacking::ImageChanged(2)),
        (
            |r| {
                let seen = r.images[1].sha256;
                r.viewings[0].images.retain(|image| *image != seen);
            },
            Lacking::ImageUnseen(2),
        ),
        (|r| r.images.push(r.images[0].clone()), Lacking::ImageTwice(1)),
        (|r| r.closing.erased = None, Lacking::Erasure),
    ];
    for (change, lacking) in changes {
        let mut report = whole.clone();
        change(&mut report);
        assert_eq!(Complete::of(report), Err(vec![lacking.clone()]));
        assert!(lacking.told().starts_with("Section "), "{}", lacking.told());
    }
    let mut many = whole.clone();
    many.number.clear();
    many.images = vec![many.images[0].clone(); MOST_IMAGES + 1];
    let lacking = Complete::of(many).expect_err("much is lacking");
    assert!(lacking.contains(&Lacking::Number) && lacking.contains(&Lacking::TooManyImages(13)));
}

#[test]
fn a_rapport_needs_neither_oath_nor_clearance() {
    let mut report = report(Act::Rapport, &frames(2), 1);
    report.author.oath = None;
    report.author.clearance = None;
    assert_eq!(report.lacking(), []);
}

#[test]
fn a_very_long_text_a_strange_sign_and_many_images_still_fit_their_pages() {
    let mut report = report(
        Act::ProcesVerbal,
        &(1..=20).map(|n| frame_of(n, 320, 240)).collect::<Vec<_>>(),
        12,
    );
    report.observed = format!(
        "{}\n\n日本 🚚 {}",
        "Le véhicule repart. ".repeat(900),
        "x".repeat(700)
    );
    report.waste.hazard = "amiante ".repeat(400);
    report.trace.networks = vec![("garde".to_owned(), Digest::of(b"n")); 90];
    let complete = Complete::of(report).expect("complete");
    let bytes = sealed(&complete, &signed_off()).expect("a PDF");
    show("long.pdf", &bytes);
    let Some(text) = text(&bytes) else { return };
    assert_eq!(text.matches("repart.").count(), 900);
    assert_eq!(text.matches("amiante").count(), 400);
}

#[test]
fn the_natinf_code_stands_on_the_slip_and_there_alone() {
    let whole = report(Act::ProcesVerbal, &frames(1), 1);
    let bytes = slip(
        &Slip {
            number: "2026-T-0007".to_owned(),
            case: whole.number.clone(),
            service: whole.service.clone(),
            act: Act::ProcesVerbal,
            facts: jiff::civil::date(2026, 11, 3),
            place: whole.facts.place.clone(),
            offence: "Abandon de déchets transportés avec un véhicule".to_owned(),
            natinf: "00000".to_owned(),
            recipient: "Monsieur le procureur de la République, tribunal judiciaire de Ville-Exemple"
                .to_owned(),
            by_way_of: "sous couvert de l'officier de police judiciaire".to_owned(),
            motive: "transmission pour poursuites".to_owned(),
            pieces: vec![
                ("Procès-verbal de constatation".to_owned(), "1".to_owned()),
                ("Images masquées et manifestes".to_owned(), "3".to_owned()),
            ],
            carrier: "clé USB remise en main propre".to_owned(),
            file: "paquet-2026-T-0007.zip".to_owned(),
            package: Digest::of(b"package"),
            encrypted: true,
            asked_and_approved: ["LCI-07".to_owned(), "chef de service 2".to_owned()],
        },
        drawn(),
    )
    .expect("a PDF");
    show("bordereau.pdf", &bytes);
    let Some(text) = text(&bytes) else { return };
    for said in [
        "NATINF 00000",
        "2026-T-0007",
        &Digest::of(b"package").to_string(),
        "Accusé de réception",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let (_folder, path) = written(&bytes);
    tool("qpdf", &["--check"], &path);
}

#[test]
fn the_act_says_two_agents_read_the_plate_only_where_two_did() {
    let frames = frames(1);
    for (same, said) in [
        (false, "lue par deux agents"),
        (true, "lue deux fois par le même agent"),
    ] {
        let mut report = report(Act::ProcesVerbal, &frames, 1);
        report.vehicle.as_mut().expect("one").same_reader = same;
        let Some(text) = text(&draft(&report, drawn()).expect("a PDF")) else {
            return;
        };
        assert_eq!(text.contains("lue par deux agents"), !same);
        assert!(text.contains(said), "{text}");
    }
}
