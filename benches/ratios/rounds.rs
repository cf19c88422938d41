//! Several ways of doing one thing, timed in turns.
//!
//! A machine's speed drifts while a bench runs: in each round every way has its turn, so that all of them meet the same
//! drift, and a ratio of medians says something where single times say little.

use std::time::{Duration, Instant};

type Way<'a> = Box<dyn FnMut() -> Duration + 'a>;

/// Ways in the order in which they take their turns.
#[derive(Default)]
pub struct Rounds<'a> {
    ways: Vec<(&'static str, Way<'a>)>,
}

impl<'a> Rounds<'a> {
    pub fn way<T>(mut self, name: &'static str, mut run: impl FnMut() -> T + 'a) -> Self {
        self.ways.push((
            name,
            Box::new(move || {
                let start = Instant::now();
                let result = std::hint::black_box(run());
                let took = start.elapsed();
                drop(result);
                took
            }),
        ));
        self
    }

    /// A way that is timed elsewhere.
    pub fn told(mut self, name: &'static str, run: impl FnMut() -> Duration + 'a) -> Self {
        self.ways.push((name, Box::new(run)));
        self
    }

    /// One round that does not count, then `rounds`.
    pub fn run(mut self, rounds: usize) -> Medians {
        let mut times = vec![Vec::with_capacity(rounds); self.ways.len()];
        for round in 0..=rounds {
            for ((_, way), times) in self.ways.iter_mut().zip(&mut times) {
                let took = way();
                if round > 0 {
                    times.push(took);
                }
            }
        }
        let median = |mut times: Vec<Duration>| {
            times.sort_unstable();
            times[times.len() / 2]
        };
        let names = self.ways.iter().map(|(name, _)| *name);
        Medians(names.zip(times.into_iter().map(median)).collect())
    }
}

/// Each way's median.
pub struct Medians(Vec<(&'static str, Duration)>);

impl Medians {
    pub fn of(&self, name: &str) -> Duration {
        let found = self.0.iter().find(|(way, _)| *way == name);
        found.unwrap_or_else(|| panic!("no way is called {name}")).1
    }

    /// How many times as long `slow` takes as `fast`.
    pub fn ratio(&self, slow: &str, fast: &str) -> f64 {
        self.of(slow).as_secs_f64() / self.of(fast).as_secs_f64()
    }

    pub fn print(&self) {
        for (name, median) in &self.0 {
            println!("  {name:<52}{:>10.2} ms", median.as_secs_f64() * 1e3);
        }
    }
}
