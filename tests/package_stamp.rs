//! Time stamps (RFC 3161): what is asked is what openssl reads, what an authority answers is read back, and no other
//! answer passes. Without openssl, the fixed answers alone are read.
#![cfg(feature = "desk")]

mod report_kit;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use report_kit::{desk_key, entries, small, zipped};
use vigie::report::package;
use vigie::report::timestamp::{Error, read, request};
use vigie::verify;
use vigie::verify::package::{Remark, What};

fn openssl(folder: &Path, arguments: &[&str]) -> bool {
    let run = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output();
    let Ok(output) = run else {
        let _ = writeln!(
            std::io::stderr(),
            "openssl is not installed: no answer was made to be read"
        );
        return false;
    };
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {told}");
    true
}

const AUTHORITY: &str = "
[tsa]
default_tsa = mine
[mine]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
clock_precision_digits = 2
ess_cert_id_alg = sha256
[usage]
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
basicConstraints = critical,CA:false
[req]
distinguished_name = dn
[dn]
";

/// An authority's answer to the request over these contents, made in `folder`; none without openssl.
fn answer(folder: &Path, contents: &str) -> Option<Vec<u8>> {
    fs::write(folder.join("tsa.cnf"), AUTHORITY).expect("written");
    fs::write(folder.join("serial"), "01\n").expect("written");
    fs::write(folder.join("contenu.txt"), contents).expect("written");
    fs::write(folder.join("contenu.tsq"), request(contents)).expect("written");
    let certificate = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        "tsa.key",
        "-out",
        "tsa.pem",
        "-subj",
        "/CN=Test authority",
        "-days",
        "30",
        "-extensions",
        "usage",
        "-config",
        "tsa.cnf",
    ];
    if !openssl(folder, &certificate) {
        return None;
    }
    let reply = [
        "ts",
        "-reply",
        "-config",
        "tsa.cnf",
        "-queryfile",
        "contenu.tsq",
        "-out",
        "contenu.tsr",
    ];
    openssl(folder, &reply);
    // The recipe of lisezmoi.txt.
    let recipe = [
        "ts",
        "-verify",
        "-data",
        "contenu.txt",
        "-in",
        "contenu.tsr",
        "-CAfile",
        "tsa.pem",
    ];
    openssl(folder, &recipe);
    Some(fs::read(folder.join("contenu.tsr")).expect("an answer"))
}

#[test]
fn an_authority_answers_the_request_and_its_hour_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(answer) = answer(folder.path(), "contents\n") else {
        return;
    };
    let before = jiff::Timestamp::now();
    let stamp = read(&answer, "contents\n").expect("a time stamp");
    assert!(
        before.duration_since(stamp.time.0).as_secs().abs() < 600,
        "{}",
        stamp.time
    );
    assert_eq!(read(&answer, "other contents\n"), Err(Error::OtherFile));
    for end in 0..answer.len().min(200) {
        assert_eq!(
            read(&answer[..end], "contents\n"),
            Err(Error::Form),
            "cut at {end}"
        );
    }
}

#[test]
fn a_stamped_package_is_intact_and_tells_the_hour_and_a_foreign_stamp_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = desk_key();
    let package = small(&key);
    let Some(answer) = answer(folder.path(), &package.contents) else {
        return;
    };
    let stamped = package::stamped(&package, &answer).expect("over these contents");
    let path = folder.path().join("stamped.zip");
    fs::write(&path, &stamped.zip).expect("written");
    let checked = verify::package(&path, Some(key.public()), None).expect("checked");
    assert!(
        checked.is_intact() && matches!(checked.remarks[..], [Remark::Stamped(_)]),
        "{checked:?}"
    );
    assert!(matches!(
        package::stamped(&package, b"no answer"),
        Err(package::Error::Stamp(_))
    ));
    let check = |stamp: Vec<u8>| {
        let mut entries = entries(&package.zip);
        entries.push(("contenu.tsr".to_owned(), stamp));
        let path = folder.path().join("package.zip");
        fs::write(&path, zipped(&entries)).expect("written");
        verify::package(&path, Some(key.public()), None).expect("checked")
    };
    let checked = check(answer.clone());
    assert!(checked.is_intact(), "{:?}", checked.findings);
    assert!(matches!(checked.remarks[..], [Remark::Stamped(_)]));
    let mut foreign = answer;
    let imprint = vigie::frame::Digest::of(package.contents.as_bytes());
    let at = foreign
        .windows(32)
        .position(|window| window == imprint.as_bytes())
        .expect("the imprint");
    foreign[at] ^= 1;
    assert_eq!(check(foreign).findings[0].what, What::Stamp(Error::OtherFile));
    assert_eq!(check(vec![0x30, 0]).findings[0].what, What::Stamp(Error::Form));
}

#[test]
fn a_refusal_is_told_with_its_status() {
    // SEQUENCE { SEQUENCE { INTEGER 2 } }: rejection, RFC 3161 §2.4.2.
    let refused = [0x30, 5, 0x30, 3, 0x02, 1, 2];
    assert_eq!(read(&refused, "contents\n"), Err(Error::Refused(2)));
}

#[test]
fn the_request_is_what_rfc_3161_asks_for() {
    let request = hex::encode(request(""));
    // Version 1, SHA-256 with NULL, the digest of nothing (FIPS 180-4), certificate wanted.
    let expected = "30390201013031300d060960864801650304020105000420\
                    e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8550101ff";
    assert_eq!(request, expected);
}

proptest! {
    #[test]
    fn no_answer_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes, "contents\n");
    }
}
