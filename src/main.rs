//! `vigie`, the program: arguments in, one call per command, exit code out.

fn main() {}
