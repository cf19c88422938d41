//! What a running vigie holds in memory does not reach a disk.
#![cfg(feature = "trap")]

mod common;

use std::fs::{self, File};
use std::io::Write as _;

use common::{Rig, program};

#[test]
fn a_running_vigie_leaves_no_core_file() {
    let rig = Rig::new();
    let pipe = rig.path("pipe.toml");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).expect("a pipe");
    let mut running = program()
        .args(["--config"])
        .arg(&pipe)
        .arg("status")
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("run");
    // Opens once the program reads its configuration, which it does before any key.
    let mut configuration = File::options()
        .write(true)
        .open(&pipe)
        .expect("read at the other end");
    let limits = fs::read_to_string(format!("/proc/{}/limits", running.id())).expect("limits");
    let line = limits.lines().find(|line| line.starts_with("Max core file size"));
    let words: Vec<_> = line.expect("a limit").split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"]);
    configuration.write_all(b"no configuration").expect("written");
    drop(configuration);
    assert_eq!(running.wait().expect("ended").code(), Some(2));
}
