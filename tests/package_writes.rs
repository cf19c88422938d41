//! What a package holds: what two persons agreed on, nothing else, and the same bytes for the same.
#![cfg(feature = "desk")]

mod report_kit;

use report_kit::{approved, desk_key, entries, frame_of, journal, made, parts, small};
use vigie::frame::Digest;
use vigie::report::Act;
use vigie::report::contents::{Contents, Role};
use vigie::report::package::{Error, write};

#[test]
fn the_same_input_gives_the_same_package() {
    let key = desk_key();
    let frames = [frame_of(1, 160, 120)];
    let report = b"%PDF-1.7\n%%EOF\n".to_vec();
    let approved = approved(&report, &frames, true);
    let parts = parts(Act::ProcesVerbal, report, &frames, Some(journal(&key)));
    let package = || write(&approved, &parts, &key, made(), None).expect("a package");
    assert_eq!(package(), package());
}

#[test]
fn the_contents_list_every_file_in_order_with_the_two_persons_and_the_report() {
    let key = desk_key();
    let package = small(&key);
    assert_eq!(package.sha256, Digest::of(&package.zip));
    let entries = entries(&package.zip);
    let contents = Contents::read(&package.contents).expect("signed");
    assert_eq!(entries[0].1, package.contents.as_bytes());
    let listed: Vec<_> = contents.files.iter().map(|file| file.name.clone()).collect();
    let there: Vec<_> = entries[1..].iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(listed, there);
    for (file, (_, bytes)) in contents.files.iter().zip(&entries[1..]) {
        assert_eq!((file.size, file.sha256), (bytes.len() as u64, Digest::of(bytes)));
    }
    let roles: Vec<_> = contents.files.iter().map(|file| file.role).collect();
    use Role::{Image, Journal, Manifest, ReadMe, Report, Verifier};
    assert_eq!(
        roles,
        [
            Report, Image, Manifest, Image, Manifest, Journal, ReadMe, Verifier
        ]
    );
    let persons = (contents.requester.as_str(), contents.approver.as_str());
    assert_eq!(persons, ("00000000000000a1", "00000000000000b2"));
    assert_eq!(contents.report, contents.files[0].sha256);
    assert_eq!(contents.desk_key, *key.public());
}

#[test]
fn nothing_goes_that_was_not_agreed_on_and_nothing_agreed_on_stays() {
    let key = desk_key();
    let frames = [frame_of(1, 160, 120), frame_of(2, 160, 120)];
    let report = b"%PDF-1.7\n%%EOF\n".to_vec();
    let agreed = approved(&report, &frames[..1], false);
    let parts = |images, journal| parts(Act::Rapport, report.clone(), images, journal);
    let write = |parts| write(&agreed, &parts, &key, made(), None).err();
    assert!(write(parts(&frames[..1], None)).is_none());
    assert!(matches!(write(parts(&frames, None)), Some(Error::OtherImages(_))));
    assert!(matches!(write(parts(&[], None)), Some(Error::OtherImages(_))));
    let with_journal = parts(&frames[..1], Some(journal(&key)));
    assert!(matches!(write(with_journal), Some(Error::OtherJournal)));
    let mut other = parts(&frames[..1], None);
    other.report.push(b' ');
    assert!(matches!(write(other), Some(Error::OtherReport { .. })));
    let mut mixed = parts(&frames[..1], None);
    mixed.images[0].manifest.clone_from(&frames[1].manifest);
    assert!(matches!(write(mixed), Some(Error::Manifest(1))));
}

#[test]
fn the_read_me_names_the_key_the_recipes_and_fits_a_screen() {
    let key = desk_key();
    let package = small(&key);
    let entries = entries(&package.zip);
    let (_, bytes) = entries
        .iter()
        .find(|(name, _)| name == "lisezmoi.txt")
        .expect("there");
    let text = String::from_utf8(bytes.clone()).expect("UTF-8");
    if let Some(folder) = std::env::var_os("VIGIE_PAGES") {
        std::fs::write(std::path::Path::new(&folder).join("lisezmoi.txt"), bytes).expect("written");
        std::fs::write(std::path::Path::new(&folder).join("small.zip"), &package.zip).expect("written");
    }
    let public = String::from(key.public().clone());
    for said in [
        public.as_str(),
        "openssl ts -verify",
        "verifier.html",
        "certutil -hashfile",
        "L’image n’est pas la seule preuve",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn the_offline_page_lets_in_no_other_script_style_or_address() {
    let page = vigie::report::package::VERIFIER;
    let between = |from: &str, to: &str| {
        let at = page.find(from).expect(from) + from.len();
        &page[at..at + page[at..].find(to).expect(to)]
    };
    for (element, directive) in [("script", "script-src"), ("style", "style-src")] {
        let source = between(&format!("<{element}>"), &format!("</{element}>"));
        let digest = base64(Digest::of(source.as_bytes()).as_bytes());
        assert!(
            page.contains(&format!("{directive} 'sha256-{digest}'")),
            "{directive}: 'sha256-{digest}'"
        );
    }
    assert!(page.contains("default-src 'none'") && !page.contains("http:") && !page.contains("https:"));
    for attribute in ["style=\"", "onclick=", "onload=", "src=\""] {
        assert!(!page.contains(attribute), "{attribute}");
    }
}

/// RFC 4648 §4.
fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for nth in 0..4 {
            let sign = SIGNS[(bits >> (18 - 6 * nth) & 63) as usize];
            text.push(if nth <= group.len() { sign.into() } else { '=' });
        }
    }
    text
}
