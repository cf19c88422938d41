//! The desk with all that a service gathers in two years, and with a whole service at it at once.
//!
//! Small by default. For the figures, `make bench-desk`: the same in full and optimised, what it measures on the screen.
//! Sizes: `VIGIE_LOAD_EVENTS` (events and infraction files), `VIGIE_LOAD_SECONDS` (twenty agents), `VIGIE_LOAD_MB` (bundle).
#![cfg(feature = "desk")]

mod agents;
mod crowd;
#[path = "../desk_kit/mod.rs"]
mod desk_kit;
mod import;
#[path = "../infraction_kit/mod.rs"]
mod infraction_kit;
mod locks;
mod pages;
#[path = "../review_kit/mod.rs"]
mod review_kit;
#[path = "../../benches/ratios/rounds.rs"]
#[allow(dead_code)]
mod rounds;
#[path = "../../benches/ratios/sealing.rs"]
#[allow(dead_code)]
mod sealing;
mod stolen;

/// A size that the environment gives.
fn size(name: &str, otherwise: u32) -> u32 {
    let given = std::env::var(name).ok();
    given.map_or(otherwise, |text| text.parse().expect("a number"))
}

/// The processor's time that this process has had, to the hundredth of a second.
fn processor() -> std::time::Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields = behind.split_whitespace().skip(11).take(2);
    let ticks: u64 = fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    std::time::Duration::from_millis(10 * ticks)
}
