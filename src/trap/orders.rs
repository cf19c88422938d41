//! What the desk's return file orders, carried out on this box: mode, zones, clocks, keys.
//!
//! Promises: an order is held to the bounds of `trap.toml` itself, and a return file with one that cannot be
//! carried out here is refused whole; keys are added to the configured folder and never taken out of it.
//! Leaves who may order to [`crate::transfer::returning`].

use std::path::{Path, PathBuf};

use crate::config::{self, Camera, Mode, Recipients, Trap};
use crate::transfer::orders::{self, CameraOrders, Orders};
use crate::transfer::returning::{Return, recipients};
use crate::transfer::{Error, Reason, Refusal};
use crate::vault::durable::{self, Existing};
use crate::vault::keys::revocation::{EXTENSION, Revocation};
use crate::vault::{DevicePublic, Recipient, signed};

/// The configuration as ordered. Of a camera that is no longer configured, nothing is left to order.
pub fn apply(config: &mut Trap, orders: &Orders) -> Result<(), Refusal> {
    if let Some(mode) = orders.mode {
        config.mode = match mode {
            orders::Mode::Enforce => Mode::Enforce,
            orders::Mode::Trial { from, until } => Mode::trial(from, until).ok_or_else(|| {
                refused(format!(
                    "a trial from {from} until {until} is no trial of 30 days at most"
                ))
            })?,
        };
    }
    for ordered in &orders.cameras {
        if let Some(camera) = config
            .cameras
            .iter_mut()
            .find(|camera| camera.id == ordered.camera)
        {
            apply_to_camera(camera, ordered)?;
        }
    }
    Ok(())
}

fn apply_to_camera(camera: &mut Camera, ordered: &CameraOrders) -> Result<(), Refusal> {
    if let Some(seconds) = ordered.clock_correction {
        if seconds.unsigned_abs() > config::LONGEST_CORRECTION.unsigned_abs() {
            return Err(refused(format!(
                "camera {}: its clock is wrong by a century",
                camera.id
            )));
        }
        camera.clock_correction = seconds;
    }
    if let Some(corners) = &ordered.zone {
        let zone = config::polygon_of(corners);
        camera.zone = zone.map_err(|fault| refused(format!("camera {}: zone: {fault}", camera.id)))?;
    }
    Ok(())
}

fn refused(what: String) -> Refusal {
    Refusal {
        reason: Reason::Order,
        details: vec![what],
    }
}

/// Makes ready what a return file wants done here, before it counts as taken: its orders are tried, its keys and
/// revocations laid where the box looks for them.
pub fn carry_out(config: &Trap, desk: &DevicePublic, given: &Return) -> Result<(), Error> {
    let known = |ordered: &&CameraOrders| config.cameras.iter().any(|camera| camera.id == ordered.camera);
    if let Some(unknown) = given.orders.cameras.iter().find(|ordered| !known(ordered)) {
        return Err(refused(format!("no camera {} is configured on this box", unknown.camera)).into());
    }
    apply(&mut config.clone(), &given.orders)?;
    let folder = match &config.recipients {
        Recipients::Folder(folder) => {
            add_keys(folder, given)?;
            folder
        }
        Recipients::Pair { service, .. } => {
            if !given.recipients.is_empty() {
                tracing::info!("the desk's keys are not taken: `recipients` names one pair, and no folder");
            }
            service.parent().unwrap_or(Path::new("."))
        }
    };
    for text in &given.revocations {
        Revocation::parse("a revocation in the return file", text, desk)?;
        let name = signed::digest(text).to_string();
        write(&folder.join(format!("{}.{EXTENSION}", &name[..16])), text)?;
    }
    Ok(())
}

fn add_keys(folder: &Path, given: &Return) -> Result<(), Error> {
    let mut known = Vec::new();
    for entry in folder.read_dir().map_err(io_at(folder))? {
        known.extend(Recipient::read(&entry.map_err(io_at(folder))?.path()).ok());
    }
    for (key, text) in recipients(given)?.iter().zip(&given.recipients) {
        if !known.contains(key) {
            let name = format!("{}-{}-{}.pub", key.role(), key.epoch(), key.fingerprint());
            write(&folder.join(name), text)?;
        }
    }
    Ok(())
}

/// A file that is there already says the same: its name follows from its content.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    match durable::write(path, text.as_bytes(), 0o644, Existing::Refuse) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        done => done.map_err(io_at(path)),
    }
}

fn io_at(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path: PathBuf = path.to_owned();
    move |source| Error::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
store = "store"
models = "models"
recipients = "keys"
device_key = "device.key"
mode = "enforce"
[triage]
choice = "manual"
decided_by = "a test"
decided_on = 2026-10-01
reason = "none"
[[camera]]
id = "quai"
site = "Quai des Tests"
regime = { kind = "videoprotection", reference = "none", from = 2026-01-01, until = 2040-12-31 }
card = "card"
access = "mounted"
zone = "all"
"#;

    fn ordered(orders: &str) -> Result<Trap, Refusal> {
        let mut config = Trap::parse(CONFIG, Path::new("trap.toml")).expect("a configuration");
        let orders = serde_json::from_str(orders).expect("orders");
        apply(&mut config, &orders).map(|()| config)
    }

    #[test]
    fn what_is_ordered_takes_the_place_of_what_is_configured_and_nothing_else_changes() {
        let text = r#"{"cameras":[{"camera":"quai","clock_correction":-3600,"zone":[[0,0],[1,0],[0,1]]}],
                       "mode":{"trial":{"from":"2026-11-01","until":"2026-11-30"}}}"#;
        let config = ordered(text).expect("carried out");
        assert!(matches!(config.mode, Mode::Trial { .. }));
        assert_eq!(config.cameras[0].clock_correction, -3600);
        assert_eq!(config.cameras[0].zone.0.len(), 3);
        let nothing = ordered("{}").expect("carried out");
        assert_eq!(
            nothing,
            Trap::parse(CONFIG, Path::new("trap.toml")).expect("a configuration")
        );
        assert_eq!(
            ordered(r#"{"cameras":[{"camera":"gone","zone":[]}]}"#).expect("nothing"),
            nothing
        );
    }

    #[test]
    fn an_order_beyond_the_bounds_of_the_configuration_is_refused() {
        for wrong in [
            r#"{"mode":{"trial":{"from":"2026-11-01","until":"2026-12-02"}}}"#,
            r#"{"mode":{"trial":{"from":"2026-11-02","until":"2026-11-01"}}}"#,
            r#"{"cameras":[{"camera":"quai","zone":[[0,0],[1,1]]}]}"#,
            r#"{"cameras":[{"camera":"quai","zone":[[0,0],[1,1],[2,0]]}]}"#,
            r#"{"cameras":[{"camera":"quai","zone":[[0,0],[0.5,0.5],[1,1]]}]}"#,
            r#"{"cameras":[{"camera":"quai","clock_correction":9223372036854775807}]}"#,
        ] {
            let refused = ordered(wrong).expect_err(wrong);
            assert_eq!(refused.reason, Reason::Order, "{wrong}");
        }
    }
}
