//! A whole day at the desk, its process killed, its folder carried away: no plate in it, no name, no picture.

use std::collections::HashMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use axum::http::StatusCode;

use crate::desk_kit::people::Town;
use crate::desk_kit::{Browser, Page, Rig};
use crate::review_kit::{Shot, TrapBox, event};

/// Where the day leaves what it tells, if it is to be gone through.
const DAY: &str = "VIGIE_LOAD_DAY";

/// What was typed somewhere in the day, and may be read nowhere.
const TYPED: [&str; 20] = [
    "AB-123-CD",
    "AB123CD",
    "AB 123 CD",
    "ZY-987-XW",
    "ZY987XW",
    "Philibert Troispommes",
    "Troispommes",
    "impasse du Chat-qui-Pelote",
    "camionnette grenat à ridelles",
    "trois sacs de plâtre éventrés",
    "demande de Mme Froidevaux",
    "SIV 2026/7741",
    "Brigadier Maravel",
    "bon de travail 90417",
    "remarque de Troispommes",
    "parquet de Trifouillis",
    "pour poursuites à bref délai",
    "contrôle du premier trimestre",
    "service des affaires Lointaines",
    "venelle des Oubliés",
];

struct Told {
    texts: Vec<String>,
    files: Vec<Vec<u8>>,
}

impl Told {
    /// Keeps a file that a page gave; it is looked for in pieces.
    fn file(&mut self, page: Page) {
        self.files.push(page.expect(StatusCode::OK).bytes);
    }
}

fn done(page: Page) -> String {
    page.expect(StatusCode::SEE_OTHER).location().to_owned()
}

/// The version that a page's form carries.
fn version(browser: &mut Browser, path: &str) -> String {
    let page = browser.get(path).expect(StatusCode::OK).text();
    let version = page.split("name=\"version\" value=\"").nth(1);
    let version = version.unwrap_or_else(|| panic!("{path}: {page}"));
    version.split('"').next().expect("its end").to_owned()
}

/// Sends a form on the version that its page shows.
fn send(browser: &mut Browser, page: &str, to: &str, fields: &[(&str, &str)]) -> String {
    let version = version(browser, page);
    let mut all = vec![("version", version.as_str())];
    all.extend_from_slice(fields);
    done(browser.post(to, &all))
}

#[test]
fn a_day_that_ends_with_the_process_killed() {
    let Some(folder) = std::env::var_os(DAY) else {
        return;
    };
    let folder = PathBuf::from(folder);
    let (stick, disk) = (folder.join("stick"), folder.join("disk"));
    for made in [&stick, &disk] {
        fs::create_dir(made).expect("a folder");
    }
    let mut trap = None;
    let allowed = format!(
        "sticks = [{:?}, {:?}]",
        stick.display().to_string(),
        disk.display().to_string()
    );
    let rig = Rig::prepared(
        |desk| trap = Some(TrapBox::enrolled(desk)),
        |text| {
            let line = text.lines().find(|line| line.starts_with("sticks = "));
            let line = line.expect("the example says it").to_owned();
            text.replace(&line, &allowed)
        },
    );
    let trap = trap.expect("enrolled");
    let town = Town::at(rig);
    let mut told = Told {
        texts: Vec::new(),
        files: Vec::new(),
    };
    bring(&trap, &stick);
    go_through(&town, &stick, &mut told);
    for (_, someone) in town.all() {
        told.texts.extend([
            someone.name.to_owned(),
            someone.login.clone(),
            someone.password.clone(),
        ]);
        told.texts.extend(someone.name.split(' ').map(str::to_owned));
        told.texts.extend(someone.codes.clone());
    }
    let texts = serde_json::to_vec(&told.texts).expect("JSON");
    fs::write(folder.join("told.json"), texts).expect("told");
    for (nth, file) in told.files.iter().enumerate() {
        fs::write(folder.join(format!("file-{nth}")), file).expect("told");
    }
    // Nothing is closed, nothing wiped on the way out.
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).expect("killed");
    unreachable!("the process is gone");
}

/// Four events: one to be retained, one to be put aside, one that is left open, one whose month is over.
fn bring(trap: &TrapBox, stick: &Path) {
    let mut store = trap.store();
    let plates = [[200.0, 180.0, 48.0, 16.0], [40.0, 200.0, 48.0, 16.0]];
    let two = vec![
        Shot::at("2026-11-20T22:14:05").with_plates(&plates),
        Shot::at("2026-11-20T22:14:09"),
    ];
    let at = "2026-11-22T06:00:00Z";
    trap.seal(&mut store, event(1), &two, at);
    trap.seal(&mut store, event(2), &[Shot::at("2026-11-20T23:00:00")], at);
    trap.seal(&mut store, event(3), &[Shot::at("2026-11-21T08:00:00")], at);
    trap.seal(&mut store, event(4), &[Shot::at("2026-10-20T08:00:00")], at);
    trap.bundle(&mut store, stick);
}

fn go_through(town: &Town, stick: &Path, told: &mut Told) {
    let (mut agent, mut chef) = (town.agent.enter(&town.rig), town.chef.enter(&town.rig));
    let (mut dpd, mut admin) = (town.dpd.enter(&town.rig), town.admin.enter(&town.rig));
    done(agent.post("/import", &[("dossier", &stick.display().to_string())]));
    town.rig.app.importing.finish();
    let taken = agent.get("/import/suivi").text();
    assert!(taken.contains("Lot vérifié et pris"), "{taken}");
    review(&mut agent, told);
    let number = write_up(&mut agent, told);
    let file = format!("/dossier/{number}");
    let image = agent
        .get(&format!("{file}/rapport"))
        .expect(StatusCode::OK)
        .text();
    let image = image.split("name=\"image\" value=\"").nth(1).expect("an image");
    let image = image.split('"').next().expect("its end").to_owned();
    let report = [("image", image.as_str()), ("lieu_visionnage", "bureau")];
    send(
        &mut agent,
        &format!("{file}/rapport"),
        &format!("{file}/rapport"),
        &report,
    );
    told.file(agent.get(&format!("{file}/rapport/brouillon.pdf")));
    done(chef.post(&format!("{file}/motif"), &[("motif", "checking")]));
    send(
        &mut chef,
        &format!("{file}/rapport"),
        &format!("{file}/rapport/valider"),
        &[],
    );
    told.file(chef.get(&format!("{file}/acte/1")));
    let recipient =
        "Monsieur ou Madame le procureur de la République, sous couvert de l'officier de police judiciaire";
    let asked = [
        ("acte", "1"),
        ("image", image.as_str()),
        ("journal", "oui"),
        ("destinataire", recipient),
        ("motif", "pour poursuites à bref délai"),
    ];
    done(agent.post(&format!("{file}/paquet"), &asked));
    let one = "/transmission/2026-T-0001";
    send(&mut chef, one, &format!("{one}/approuver"), &[]);
    send(
        &mut agent,
        &format!("{file}/paquet"),
        &format!("{one}/etablir"),
        &[],
    );
    for name in ["paquet.zip", "bordereau.pdf", "contenu.tsq"] {
        told.file(agent.get(&format!("{one}/{name}")));
    }
    send(
        &mut agent,
        &format!("{file}/paquet"),
        &format!("{one}/envoi"),
        &[("support", "clé du parquet de Trifouillis")],
    );
    registers(&mut agent, &mut chef, told);
    dpd.get("/journal").expect(StatusCode::OK);
    done(admin.post("/sauvegardes/nouvelle", &[("support", "1"), ("cles", "1")]));
    assert!(done(chef.post("/echeances/executer", &[])).starts_with("/echeances"));
}

fn review(agent: &mut Browser, told: &mut Told) {
    let one = format!("/evenement/{}", event(1));
    let words = [("motif", "review"), ("precisions", "demande de Mme Froidevaux")];
    done(agent.post(&format!("{one}/ouvrir"), &words));
    for part in [
        "image/1",
        "image/2",
        "apercu/1",
        "apercu/2",
        "plaque/1/0",
        "plaque/1/0?contraste=1",
    ] {
        told.file(agent.get(&format!("{one}/{part}")));
    }
    let shown = format!("{one}?image=1");
    send(
        agent,
        &shown,
        &format!("{one}/plaque"),
        &[("place", "1"), ("impliquee", "0")],
    );
    told.file(agent.get(&format!("{one}/image/1")));
    let mask = [("place", "1"), ("rectangle", "10,10,60,50")];
    send(agent, &shown, &format!("{one}/masquer"), &mask);
    told.file(agent.get(&format!("{one}/image/1")));
    for place in ["1", "2"] {
        let shown = format!("{one}?image={place}");
        send(agent, &shown, &format!("{one}/confirmer"), &[("place", place)]);
    }
    send(agent, &one, &format!("{one}/retenir"), &[]);
    let two = format!("/evenement/{}", event(2));
    done(agent.post(&format!("{two}/ouvrir"), &[("motif", "review")]));
    told.file(agent.get(&format!("{two}/image/1")));
    send(
        agent,
        &two,
        &format!("{two}/ecarter"),
        &[("raison", "no-offence")],
    );
    // The next decision destroys it; the last event is left open.
    let three = format!("/evenement/{}", event(3));
    done(agent.post(&format!("{three}/ouvrir"), &[("motif", "review")]));
    told.file(agent.get(&format!("{three}/image/1")));
}

fn write_up(agent: &mut Browser, told: &mut Told) -> String {
    let opened = done(agent.post("/dossiers/nouveau", &[("evenement", &event(1).to_string())]));
    let number = opened.trim_start_matches("/dossier/").to_owned();
    let file = format!("/dossier/{number}");
    agent.post(&format!("{file}/motif"), &[("motif", "writing")]);
    let sections: [(&str, &[(&str, &str)]); 9] = [
        (
            "faits",
            &[
                ("date", "20/11/2026"),
                ("heure", "22:14:05"),
                ("lieu", "venelle des Oubliés"),
                ("horloge", "0"),
                ("horloge_date", "02/10/2026"),
                ("horloge_par", "Brigadier Maravel"),
                (
                    "faits",
                    "Je vois trois sacs de plâtre éventrés, et une camionnette grenat à ridelles.",
                ),
            ],
        ),
        (
            "infraction",
            &[
                ("infraction", "cp-r635-8"),
                ("acte", "proces-verbal"),
                ("voie", "procureur-opj"),
            ],
        ),
        (
            "dechets",
            &[
                ("nature", "rubble"),
                ("volume", "1,5"),
                ("description", "trois sacs de plâtre éventrés"),
            ],
        ),
        (
            "vehicule",
            &[
                ("plaque", "AB-123-CD"),
                ("lisibilite", "whole"),
                ("pays", "F"),
                ("genre", "camionnette grenat à ridelles"),
            ],
        ),
        (
            "seconde-lecture",
            &[("plaque", "ab 123 cd"), ("lisibilite", "whole")],
        ),
        (
            "identification",
            &[
                ("siv_date", "21/11/2026"),
                ("siv_agent", "Brigadier Maravel"),
                ("siv_reference", "SIV 2026/7741"),
                ("titulaire_nom", "Philibert Troispommes"),
                ("titulaire_adresse", "3, impasse du Chat-qui-Pelote"),
                ("titulaire_source", "SIV 2026/7741"),
            ],
        ),
        (
            "frais",
            &[
                ("frais.0.type", "work"),
                ("frais.0.libelle", "Deux agents"),
                ("frais.0.quantite", "1,5"),
                ("frais.0.unite", "32,10"),
                ("frais.0.justificatif", "bon de travail 90417"),
            ],
        ),
        ("commentaires", &[("commentaires", "remarque de Troispommes")]),
        // Read again, with its reason: what was written before is kept too.
        (
            "vehicule",
            &[
                ("plaque", "ZY-987-XW"),
                ("lisibilite", "whole"),
                ("pays", "F"),
                ("genre", "camionnette grenat à ridelles"),
                ("motif_correction", "trois sacs de plâtre éventrés"),
            ],
        ),
    ];
    for (section, fields) in sections {
        let path = format!("{file}/{section}");
        let version = version(agent, &path);
        let mut all = vec![("version", version.as_str()), ("suite", "dossier")];
        all.extend_from_slice(fields);
        let page = agent.post(&path, &all);
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{section}: {}", page.text());
    }
    let second = [
        ("plaque", "zy 987 xw"),
        ("lisibilite", "whole"),
        ("motif_correction", "relecture"),
    ];
    send(
        agent,
        &format!("{file}/seconde-lecture"),
        &format!("{file}/seconde-lecture"),
        &second,
    );
    send(
        agent,
        &format!("{file}/verification"),
        &format!("{file}/clore"),
        &[],
    );
    let page = agent.get(&file).expect(StatusCode::OK).text();
    let mut lacks = || agent.get(&format!("{file}/verification")).text();
    assert!(page.contains("Clos"), "{}", lacks());
    told.texts.extend(TYPED.map(str::to_owned));
    number
}

/// Searched for, exported, taken over from the former spreadsheet.
fn registers(agent: &mut Browser, chef: &mut Browser, told: &mut Told) {
    let plate = [("plaque", "ZY-987-XW"), ("motif", "repeated")];
    let found = agent
        .post("/dossiers/immatriculation", &plate)
        .expect(StatusCode::OK)
        .text();
    assert!(found.contains("1 dossier porte"), "{found}");
    for form in ["csv", "json", "observations"] {
        let fields = [
            ("forme", form),
            ("destinataire", "service des affaires Lointaines"),
            ("motif", "contrôle du premier trimestre"),
        ];
        told.file(chef.post("/dossiers/releves/export", &fields));
    }
    let rows = "Numero;Date;Plaque;Lieu\nA1;01/06/2026;ZY-987-XW;venelle des Oubliés\n";
    let files: [(&str, &str, &[u8]); 1] = [("fichier", "Troispommes.csv", rows.as_bytes())];
    done(agent.upload("/dossiers/releves/fichier", &[], &files));
    agent.get("/dossiers/releves/essai").expect(StatusCode::OK);
    done(agent.post("/dossiers/releves/reprise", &[]));
    // And another that waits when the day ends.
    done(agent.upload("/dossiers/releves/fichier", &[], &files));
}

/// Pieces of what was shown, by their first bytes: those in which every byte tells.
struct Pieces(HashMap<[u8; 8], Vec<[u8; 64]>>);

impl Pieces {
    fn of(files: &[Vec<u8>]) -> Self {
        let mut pieces: HashMap<[u8; 8], Vec<[u8; 64]>> = HashMap::new();
        for piece in files.iter().flat_map(|file| file.as_chunks::<64>().0) {
            let mut sorted = *piece;
            sorted.sort_unstable();
            let different = sorted.windows(2).filter(|pair| pair[0] != pair[1]).count();
            if different >= 24 {
                let first: [u8; 8] = piece[..8].try_into().expect("eight");
                pieces.entry(first).or_default().push(*piece);
            }
        }
        Self(pieces)
    }

    fn stand_in(&self, bytes: &[u8]) -> bool {
        bytes.windows(64).any(|window| {
            let first: [u8; 8] = window[..8].try_into().expect("eight");
            let known = self.0.get(&first);
            known.is_some_and(|known| known.iter().any(|piece| piece == window))
        })
    }
}

/// A text as it may lie in a file.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for text in [text.to_owned(), text.to_lowercase(), text.to_uppercase()] {
        let units: Vec<u16> = text.encode_utf16().collect();
        let latin: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
        forms.push(units.iter().flat_map(|unit| unit.to_le_bytes()).collect());
        forms.push(units.iter().flat_map(|unit| unit.to_be_bytes()).collect());
        forms.extend(latin);
        forms.push(serde_json::to_vec(&text).expect("JSON")[1..].to_vec());
        forms.push(text.into_bytes());
    }
    // JSON's closing quote is no part of it.
    for form in &mut forms {
        if form.last() == Some(&b'"') {
            form.pop();
        }
    }
    forms.sort_unstable();
    forms.dedup();
    forms
}

fn every_file(folder: &Path, look: &mut dyn FnMut(&Path, &[u8])) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => every_file(&path, look),
            false => look(&path, &fs::read(&path).expect("a file")),
        }
    }
}

#[test]
fn a_stolen_copy_after_a_full_day_shows_no_plate_no_name_and_no_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    let temporary = folder.path().join("tmp");
    fs::create_dir(&temporary).expect("a folder");
    let mut day = Command::new(std::env::current_exe().expect("this program"));
    day.args(["--exact", "stolen::a_day_that_ends_with_the_process_killed"]);
    let ended = day
        .env(DAY, folder.path())
        .env("TMPDIR", &temporary)
        .output()
        .expect("begun");
    let said = String::from_utf8_lossy(&ended.stdout);
    assert_eq!(ended.status.signal(), Some(9), "the day went to its end: {said}");
    let told = fs::read(folder.path().join("told.json")).expect("told");
    let told: Vec<String> = serde_json::from_slice(&told).expect("JSON");
    let files = (0..).map_while(|nth| fs::read(folder.path().join(format!("file-{nth}"))).ok());
    let files: Vec<Vec<u8>> = files.collect();
    let pieces = Pieces::of(&files);
    assert!(
        files.len() > 15 && pieces.0.len() > 300,
        "{} files, {} pieces",
        files.len(),
        pieces.0.len()
    );
    let texts: Vec<_> = told.iter().map(|text| (text, forms(text))).collect();
    let mut found = Vec::new();
    let (mut seen, mut bytes_seen) = (Vec::new(), 0);
    let mut look = |path: &Path, bytes: &[u8]| {
        seen.push(path.file_name().expect("a name").to_string_lossy().into_owned());
        bytes_seen += bytes.len();
        for (text, forms) in &texts {
            if forms
                .iter()
                .any(|form| memchr::memmem::find(bytes, form).is_some())
            {
                found.push(format!("{}: {text}", path.display()));
            }
        }
        if pieces.stand_in(bytes) {
            found.push(format!("{}: a piece of a picture or document", path.display()));
        }
    };
    // The desk's folder and whatever else was left for a while, and the disk with its backup.
    every_file(&temporary, &mut look);
    every_file(&folder.path().join("disk"), &mut look);
    println!(
        "{} files, {bytes_seen} bytes, {} texts, {} pieces looked for",
        seen.len(),
        texts.len(),
        pieces.0.len()
    );
    assert!(
        seen.iter().any(|name| name == "vault.db-wal"),
        "it lies there as it was killed: {seen:?}"
    );
    assert_eq!(found, [""; 0]);
    // The search finds what is there.
    let plain = [
        b"before ".as_slice(),
        &files[0][100..400],
        "Ursule Kerguelen".as_bytes(),
    ]
    .concat();
    assert!(
        pieces.stand_in(&plain)
            && forms("ursule kerguelen").iter().any(|form| memchr::memmem::find(
                &plain.to_ascii_lowercase(),
                form
            )
            .is_some())
    );
}
