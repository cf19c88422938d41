//! A bundle on its way from a box to the desk, without keys (docs/formats.md §10).

use std::path::Path;

use super::{Error, Report, io_at};
use crate::transfer::inspect::inspect;
use crate::transfer::{BundleName, CONTENTS, Folder};
use crate::vault::DevicePublic;
use crate::vault::journal::Head;

/// Whether a folder is a bundle, or was one.
pub(super) fn is_bundle(path: &Path) -> bool {
    name(path).is_some() || path.join(CONTENTS).symlink_metadata().is_ok()
}

fn name(path: &Path) -> Option<BundleName> {
    path.file_name()?.to_str()?.parse().ok()
}

/// Checks the bundle at `path`. `device` is the box that is trusted to have written it; its journal must
/// contain the line `pinned`, or begin behind it.
pub fn bundle(path: &Path, device: Option<&DevicePublic>, pinned: Option<Head>) -> Result<Report, Error> {
    let folder = Folder::open(path).map_err(|source| io_at(path, source))?;
    let mut report = Report::new(path);
    let name = name(path);
    let line = pinned.map_or(0, |head| head.seq);
    let found = inspect(
        &folder,
        name,
        |contents| Some(device.unwrap_or(&contents.device_key).clone()),
        line,
    );
    for fault in &found.faults {
        report.fault(&fault.place, &fault.what);
    }
    let Some((contents, _)) = &found.contents else {
        return Ok(report);
    };
    report.head = Some(contents.journal.head.to_string());
    if let Some(pinned) = pinned.filter(|pinned| found.met != Some(pinned.hash)) {
        let begins = contents.journal.after.seq;
        match begins > pinned.seq {
            true => report.remark(format!(
                "its journal begins behind line {begins}: whether it follows from line {} cannot be told",
                pinned.seq
            )),
            false => report.fault(
                crate::transfer::JOURNAL,
                format!("line {} is not the one that was kept", pinned.seq),
            ),
        }
    }
    if name.is_none() {
        report.remark(format!("this is {}: it was renamed", contents.name()));
    }
    for damaged in &contents.damaged {
        let id = crate::vault::ItemId::from(*damaged);
        report.remark(format!("{id} is not in it: its file on the box is damaged"));
    }
    if !found.told_earlier.is_empty() {
        let count = found.told_earlier.len();
        report.remark(format!(
            "an earlier bundle's journal tells of {count} of its items"
        ));
    }
    if device.is_none() {
        report.remark(format!(
            "the bundle says itself that it is of the box {}; name the box's public key to be sure",
            contents.device
        ));
    }
    report.remark("whether its items can be opened only the desk's keys can tell");
    Ok(report)
}
