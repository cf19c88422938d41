//! `vigie verify`: whether a vault or an item is what its box signed, a package what its desk signed, or a redacted
//! frame what its manifest says. Needs neither networks nor keys.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::{Exit, Failure, Lang, json_line, line};
use crate::vault::DevicePublic;
use crate::vault::journal::Head;
use crate::verify;
use crate::verify::package::Checked;

/// A pass-phrase's file holds little else.
const LONGEST_PHRASE: u64 = 4_096;

pub fn run(
    path: &Path,
    device: Option<&Path>,
    head: Option<Head>,
    manifest: Option<&Path>,
    json: bool,
    lang: Lang,
) -> Result<Exit, Failure> {
    let device = device.map(DevicePublic::read).transpose()?;
    let report = match manifest {
        Some(manifest) => verify::frame(path, manifest)?,
        None => verify::path(path, device.as_ref(), head)?,
    };
    if json {
        json_line(&report);
    } else {
        for remark in &report.remarks {
            line(&format!("  {remark}"));
        }
        for fault in &report.faults {
            line(&format!("  {}: {}", fault.place, fault.what));
        }
        if let Some(head) = &report.head {
            let told = lang.pick("the journal's head:", "dernière ligne du journal :");
            line(&format!("  {told} {head}"));
        }
        let verdict = match report.ok {
            true => lang.pick("intact", "intact"),
            false => lang.pick("NOT intact", "NON intact"),
        };
        line(&format!("{}: {verdict}", path.display()));
    }
    Ok(if report.ok { Exit::Done } else { Exit::Fault })
}

/// A package: in French or in English by `lang`, as JSON always in English.
pub fn package(
    path: &Path,
    desk: Option<&Path>,
    passphrase: Option<&Path>,
    json: bool,
    lang: Lang,
) -> Result<Exit, Failure> {
    let desk = desk.map(DevicePublic::read_desk).transpose()?;
    let passphrase = passphrase.map(words).transpose()?;
    let checked = verify::package(
        path,
        desk.as_ref(),
        passphrase.as_ref().map(|words| words.as_str()),
    )?;
    if json {
        json_line(&checked.report());
    } else {
        told(&checked, lang);
    }
    Ok(if checked.is_intact() {
        Exit::Done
    } else {
        Exit::Fault
    })
}

/// The words of a pass-phrase, with one blank between them, however the file has them.
fn words(path: &Path) -> Result<zeroize::Zeroizing<String>, Failure> {
    let mut text = zeroize::Zeroizing::new(String::new());
    let read = File::open(path).and_then(|file| file.take(LONGEST_PHRASE).read_to_string(&mut text));
    read.map_err(|error| Failure::file(path, &error))?;
    let words: Vec<_> = text.split_whitespace().collect();
    Ok(zeroize::Zeroizing::new(words.join(" ")))
}

fn told(checked: &Checked, lang: Lang) {
    let colon = lang.pick(":", " :");
    if let Some(contents) = &checked.contents {
        let [package, case] = lang.pick(["package", "case"], ["paquet", "dossier"]);
        line(&format!(
            "  {package} {}, {case} {}",
            contents.package, contents.case
        ));
        let signed = lang.pick("signed by the desk", "signé par le poste");
        line(&format!("  {signed} {}, {}", contents.desk, contents.made));
    }
    for remark in &checked.remarks {
        line(&format!("  {}", lang.pick(remark.english(), remark.french())));
    }
    for finding in &checked.findings {
        let place = match finding.place.as_str() {
            "" => lang.pick("package", "paquet"),
            place => place,
        };
        let what = lang.pick(finding.what.english(), finding.what.french());
        line(&format!("  {place}{colon} {what}"));
    }
    let verdict = match checked.is_intact() {
        true => lang.pick("intact", "intact"),
        false => lang.pick("NOT intact", "NON intact"),
    };
    line(&format!("{}{colon} {verdict}", checked.path));
}
