//! `vigie verify`: whether a vault or an item is what its box signed, or a redacted frame what its manifest
//! says. Needs neither networks nor keys.

use std::path::Path;

use super::{Exit, Failure, Lang, json_line, line};
use crate::vault::DevicePublic;
use crate::vault::journal::Head;
use crate::verify;

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
