//! `vigie verify`: whether a vault or an item is what its box signed, or a redacted frame what its manifest
//! says. Needs neither networks nor keys.

use std::path::Path;

use super::{Exit, Failure, Lang, json_line, line};
use crate::vault::DevicePublic;
use crate::verify;

pub fn run(
    path: &Path,
    device: Option<&Path>,
    manifest: Option<&Path>,
    json: bool,
    lang: Lang,
) -> Result<Exit, Failure> {
    let device = device.map(DevicePublic::read).transpose()?;
    let report = if let Some(manifest) = manifest {
        verify::frame(path, manifest)?
    } else if path.is_dir() {
        verify::store(path, device.as_ref())?
    } else {
        verify::item(path)?
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
        let verdict = match report.ok {
            true => lang.pick("intact", "intact"),
            false => lang.pick("NOT intact", "NON intact"),
        };
        line(&format!("{}: {verdict}", path.display()));
    }
    Ok(if report.ok { Exit::Done } else { Exit::Fault })
}
