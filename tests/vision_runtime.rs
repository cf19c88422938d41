//! The library that runs the networks cannot talk to anyone, and no other is loaded in its place.

#![cfg(feature = "trap")]

use std::fs;
use std::path::Path;

use object::{Object, ObjectSymbol};
use vigie::frame::Digest;
use vigie::vision::manifest::Manifest;
use vigie::vision::runtime::{self, Runtime};
use vigie::vision::{Detector, Error, Networks, View};

fn models() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models")
}

fn manifest() -> Manifest {
    Manifest::read(&models()).expect("the manifest is committed")
}

/// What a program needs to reach another machine, or to look one up.
const TALKING: [&str; 8] = [
    "socket",
    "connect",
    "getaddrinfo",
    "gethostbyname",
    "sendto",
    "sendmsg",
    "bind",
    "res_query",
];

/// The functions that a library asks the system for.
fn imports(library: &[u8]) -> Vec<String> {
    let file = object::File::parse(library).expect("an ELF library");
    let undefined = file.dynamic_symbols().filter(|s| s.is_undefined());
    undefined
        .filter_map(|s| s.name().ok().map(str::to_owned))
        .collect()
}

#[test]
fn the_runtime_imports_no_function_that_could_reach_another_machine() {
    let pinned = manifest().runtime;
    let path = match runtime::find(None, &models(), &pinned.file) {
        Ok(path) => path,
        Err(missing) => return eprintln!("skipped: {missing}"),
    };
    let imports = imports(&fs::read(path).expect("read"));
    // The list is read at all: no library does without these.
    assert!(imports.iter().any(|name| name == "malloc"), "{imports:?}");
    for name in TALKING {
        assert!(
            !imports.iter().any(|import| import == name),
            "the runtime imports {name}"
        );
    }
}

#[test]
fn a_runtime_with_another_hash_is_refused_before_it_is_loaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut pinned = manifest().runtime;
    let path = folder.path().join(&pinned.file);
    fs::write(&path, b"not the pinned library").expect("write");
    // A process keeps the runtime that it has: this asks for one that none has loaded.
    let other = Digest::of(b"a library that nobody has");
    (pinned.sha256.x86_64, pinned.sha256.aarch64) = (other, other);
    let refused = Runtime::load(&path, &pinned).expect_err("refused");
    assert!(
        matches!(
            refused,
            Error::WrongHash {
                make: "make runtime",
                ..
            }
        ),
        "{refused}"
    );
}

#[test]
fn a_missing_runtime_is_an_error_that_says_where_it_was_looked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing =
        runtime::find(Some(&folder.path().join("nowhere")), &models(), "lib.so").expect_err("missing");
    let text = missing.to_string();
    assert!(
        text.contains("nowhere") && text.contains("make runtime"),
        "{text}"
    );
}

#[test]
fn a_network_with_another_hash_refuses_to_start_and_to_run() {
    let pinned = manifest().runtime;
    let Ok(library) = runtime::find(None, &models(), &pinned.file) else {
        return eprintln!("skipped: no ONNX Runtime; run `make runtime`");
    };
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("onnx")).expect("a folder");
    fs::copy(
        models().join("manifest.toml"),
        folder.path().join("manifest.toml"),
    )
    .expect("copy");
    let mut networks = Networks::open(folder.path(), Some(&library), 1).expect("the manifest is right");
    assert!(matches!(networks.check(), Err(Error::ModelMissing { .. })));
    for (_, file, _) in manifest().used() {
        fs::write(folder.path().join(file), b"something else").expect("write");
    }
    assert!(matches!(
        networks.check(),
        Err(Error::WrongHash {
            make: "make models",
            ..
        })
    ));
    let picture = image::RgbImage::new(4, 4);
    let frame = vigie::frame::FrameSize { width: 4, height: 4 };
    let seen = networks.scout(View {
        picture: &picture,
        frame,
    });
    assert!(matches!(seen, Err(Error::WrongHash { .. })));
}
