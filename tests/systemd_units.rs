//! The units are what systemd takes for sound and for well shut off. Skips where systemd's tools are not there.
#![cfg(feature = "trap")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Exposure times ten at most, of a hundred.
const THRESHOLD: &str = "--threshold=20";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cross/systemd")
}

/// `None` where the tool is not there, which is said.
fn run(tool: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(tool).args(arguments).output() {
        Ok(output) => Some(output),
        Err(_) => {
            eprintln!("skipped: {tool} is not installed");
            None
        }
    }
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn units() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("cross/systemd");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let units: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "service"))
        .collect();
    assert!(!units.is_empty());
    units
}

#[test]
fn each_unit_is_exposed_to_2_of_10_at_most() {
    for unit in units() {
        let path = unit.to_str().expect("plain");
        let Some(output) = run(
            "systemd-analyze",
            &["security", "--offline=true", THRESHOLD, path],
        ) else {
            return;
        };
        assert!(output.status.success(), "{path}: {}", said(&output));
    }
}

#[test]
fn each_unit_is_sound() {
    let copies = tempfile::tempdir().expect("a folder");
    for unit in units() {
        let text = fs::read_to_string(&unit).expect("a unit");
        // The program need not be installed here.
        let text = text.replace("/usr/bin/vigie ", "/bin/true ");
        fs::write(copies.path().join(unit.file_name().expect("a name")), text).expect("written");
    }
    for name in ["vigie.service", "vigie-card@sda1.service"] {
        let copy = copies.path().join(name);
        let Some(output) = run(
            "systemd-analyze",
            &["verify", "--man=no", copy.to_str().expect("plain")],
        ) else {
            return;
        };
        assert!(output.status.success(), "{name}: {}", said(&output));
        assert!(!said(&output).contains("vigie"), "{name}: {}", said(&output));
    }
}

#[test]
fn the_service_has_no_network_no_device_no_core_file_and_is_never_root() {
    let text = fs::read_to_string(folder().join("vigie.service")).expect("the unit");
    for line in [
        "Type=notify",
        "WatchdogSec=3min",
        "User=vigie",
        "PrivateNetwork=yes",
        "RestrictAddressFamilies=AF_UNIX",
        "IPAddressDeny=any",
        "ProtectSystem=strict",
        "LimitCORE=0",
        "MemorySwapMax=0",
        "DevicePolicy=closed",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
    ] {
        assert!(text.lines().any(|there| there == line), "{line}");
    }
    assert!(!text.contains("\nDeviceAllow="));
}

#[test]
fn users_and_folders_are_made_as_they_are_written() {
    let root = tempfile::tempdir().expect("a folder");
    let root_option = format!("--root={}", root.path().display());
    fs::create_dir(root.path().join("etc")).expect("made");
    let users = folder().join("vigie.sysusers");
    let Some(output) = run(
        "systemd-sysusers",
        &[&root_option, users.to_str().expect("plain")],
    ) else {
        return;
    };
    assert!(output.status.success(), "{}", said(&output));
    let groups = fs::read_to_string(root.path().join("etc/group")).expect("groups");
    let firmware = groups.lines().find(|line| line.starts_with("vigie-firmware:"));
    assert!(firmware.is_some_and(|line| line.ends_with(":vigie")), "{groups}");
    let folders = folder().join("vigie.tmpfiles");
    let arguments = [&root_option, "--create", folders.to_str().expect("plain")];
    let Some(output) = run("systemd-tmpfiles", &arguments) else {
        return;
    };
    assert!(output.status.success(), "{}", said(&output));
    for made in ["etc/vigie/recipients", "media/vigie"] {
        assert!(root.path().join(made).is_dir(), "{made}");
    }
}

#[test]
fn a_card_is_mounted_without_programs_devices_or_setuid_and_the_boards_own_is_left_alone() {
    let rules = fs::read_to_string(folder().join("60-vigie-card.rules")).expect("the rule");
    assert!(rules.contains("nodev,nosuid,noexec") && rules.contains("uid=vigie"));
    assert!(rules.contains("KERNEL!=\"sd*|mmcblk[1-9]*\", GOTO=\"vigie_card_end\""));
    let wants = rules
        .lines()
        .find(|line| line.contains("SYSTEMD_WANTS"))
        .expect("starts a unit");
    assert!(wants.contains("vigie-card@%k.service"));
    // systemd 254 and later check the words too.
    let path = folder().join("60-vigie-card.rules");
    if let Some(output) = run("udevadm", &["verify", path.to_str().expect("plain")])
        && !said(&output).contains("Unknown command verb")
    {
        assert!(output.status.success(), "{}", said(&output));
    }
}
