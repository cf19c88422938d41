//! What is printed, and what is written to `target/bench.json`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};

/// What a figure should be.
#[derive(Clone, Copy)]
pub enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// None was set.
    Any,
}

/// The figures so far.
#[derive(Default)]
pub struct Report(Map<String, Value>);

impl Report {
    /// Writes a figure down, and prints it beside its target.
    pub fn figure(&mut self, name: &str, value: f64, target: Target) {
        let (words, met) = match target {
            Target::AtLeast(least) => (format!("at least {least}"), Some(value >= least)),
            Target::AtMost(most) => (format!("at most {most}"), Some(value <= most)),
            Target::Any => (String::new(), None),
        };
        let mark = met.map_or("", |met| if met { "met" } else { "MISSED" });
        println!("  {name:<32}{value:>8.2}   {words:<14}{mark}");
        self.note(name, json!((value * 1000.0).round() / 1000.0));
    }

    /// Says aloud that a figure could not be taken.
    pub fn missing(&mut self, name: &str, why: &str) {
        println!("  {name:<32}       -   not measured: {why}");
        self.note(name, Value::Null);
    }

    pub fn note(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    pub fn write(self, path: &Path) {
        let text = serde_json::to_string_pretty(&Value::Object(self.0)).expect("JSON");
        fs::write(path, text + "\n").unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        println!("written: {}", path.display());
    }
}

/// The processor's own name, and how many of it there are.
pub fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |line: &str| Some(line.split_once(':')?.1.trim().to_owned());
    let model = info
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(field);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let model = model.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    format!("{model}, {cores} cores, {}", std::env::consts::ARCH)
}

/// How many processes wanted to run, over the last minute: above the number of cores, times say little.
pub fn load() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').next()?.parse().ok()
}

/// The commit that is measured.
pub fn commit(repository: &Path) -> Option<String> {
    let git = ["describe", "--always", "--dirty"];
    let output = Command::new("git")
        .current_dir(repository)
        .args(git)
        .output()
        .ok()?;
    let name = String::from_utf8(output.stdout).ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}
