//! Compiles `src/heap.c` into what runs networks, where the C library is glibc.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=src/heap.c");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    let glibc = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    if glibc && env::var_os("CARGO_FEATURE_TRAP").is_some() {
        // Nothing calls it: without this the linker would leave it out.
        cc::Build::new()
            .file("src/heap.c")
            .link_lib_modifier("+whole-archive")
            .compile("vigie_heap");
    }
}
