//! `vigie` (French: the lookout) keeps a city's promise about its camera traps by construction.
//!
//! The modules stand in the order in which a frame meets them; each uses only those above it.
//!
//! | module | what it does to a frame |
//! | --- | --- |
//! | [`frame`] | names it: camera, digest, camera time and box time, event |
//! | [`config`] | says what the city decided: `trap.toml` |
//! | [`card`] | finds it on the memory card, waits until it is settled, erases it |
//! | [`jpeg`] | reads its markers, its facts and its picture |
//! | [`vision`] | sees vehicles, persons, plates and outlines in it |
//! | [`triage`] | decides, purely: event, verdict, witnesses, deadlines |
//! | [`redact`] | makes its people unrecognisable, for good |
//! | [`vault`] | seals it, stores it, writes down what was done |
//! | [`transfer`] | carries it from the box to the desk, and the desk's answer back |
//! | [`trap`] | carries it through all of the above: the frame loop, the service |
//! | [`report`] | puts it before the prosecutor: the report, the package |
//! | [`verify`] | checks afterwards, without networks and without keys |
//! | [`desk`] | shows it to those entitled, lets them decide, and erases it when its time is over |
//! | [`cli`] | the only place that prints |
//! | [`hardening`] | keeps what is in memory off the disk |

#[cfg(feature = "trap")]
pub mod card;
pub mod cli;
#[cfg(any(feature = "trap", feature = "desk"))]
pub mod config;
#[cfg(feature = "desk")]
pub mod desk;
pub mod frame;
#[cfg(unix)]
pub mod hardening;
#[cfg(any(feature = "trap", feature = "verify"))]
pub mod jpeg;
#[cfg(any(feature = "trap", feature = "desk"))]
pub mod redact;
#[cfg(feature = "verify")]
pub mod report;
#[cfg(unix)]
pub mod transfer;
#[cfg(feature = "trap")]
pub mod trap;
#[cfg(feature = "trap")]
pub mod triage;
pub mod vault;
#[cfg(feature = "verify")]
pub mod verify;
#[cfg(any(feature = "trap", feature = "desk"))]
pub mod vision;
