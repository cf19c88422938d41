//! `jpegtran -wipe`: the usual tool that fills a rectangle without touching other coefficients.

use std::path::Path;
use std::process::{Command, Stdio};

/// Whether it is there, and knows `-wipe`.
pub fn version() -> Option<String> {
    let output = Command::new("jpegtran")
        .arg("-version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stderr).ok()?;
    Some(text.lines().next()?.to_owned())
}

/// Wipes one rectangle (left, top, width, height) of a file; process start, reading and writing included.
pub fn wipe(file: &Path, [left, top, width, height]: [u32; 4], out: &Path) {
    let done = Command::new("jpegtran")
        .args([
            "-copy",
            "none",
            "-wipe",
            &format!("{width}x{height}+{left}+{top}"),
            "-outfile",
        ])
        .args([out, file])
        .status()
        .expect("jpegtran is there");
    assert!(done.success(), "jpegtran: {done}");
}
