//! What the targets need of `vigie`, from its own files: `jpeg` uses `frame` and nothing else, so the networks' runtime
//! and the database need not be built with it.

#[path = "../src/frame.rs"]
pub mod frame;
#[path = "../src/jpeg/mod.rs"]
pub mod jpeg;
