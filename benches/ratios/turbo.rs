//! libjpeg-turbo's 1/8 scaled decode, in a process of its own (`benches/turbo_eighth.py`).

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

pub struct Turbo {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// What is measured: libraries and versions.
    pub ways: Vec<String>,
}

impl Turbo {
    /// None where there is no Python with Pillow: `make venv`.
    pub fn start(repository: &Path) -> Option<Self> {
        let mut child = Command::new(repository.join(".venv/bin/python"))
            .arg(repository.join("benches/turbo_eighth.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut turbo = Self {
            ask: child.stdin.take()?,
            answers: BufReader::new(child.stdout.take()?),
            child,
            ways: Vec::new(),
        };
        turbo.ways = serde_json::from_str(&turbo.line()?).ok()?;
        Some(turbo)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.answers.read_line(&mut line).ok()? > 0).then_some(line)
    }

    /// One decode by each way.
    pub fn decode(&mut self, file: &Path) -> Vec<Duration> {
        writeln!(self.ask, "{}", file.display()).expect("libjpeg-turbo's process is there");
        let line = self.line().expect("libjpeg-turbo decodes what was made here");
        let times: Vec<u64> = serde_json::from_str(&line).expect("times");
        times.into_iter().map(Duration::from_nanos).collect()
    }
}

impl Drop for Turbo {
    fn drop(&mut self) {
        // It ends at the end of its input; a killed process needs no more than to be waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
