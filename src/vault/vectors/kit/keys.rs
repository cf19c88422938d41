//! Key files of the kit.

use sha2::{Digest as _, Sha256};

use super::{Kit, Parts};
use crate::vault::DevicePublic;

pub(super) fn add(parts: &Parts<'_>, kit: &mut Kit) {
    let [device, service] = ["device.pub", "service-2026-Q4.pub"].map(|name| parts.text(name));
    let mut add = |name: &str, kind: &str, what: &str, expect: &str, text: String| {
        kit.add([name, "key", kind], what, expect, text);
    };
    let digits = |text: &str| text.split("key: ").nth(1).expect("a key").trim_end().to_owned();
    let print = |text: &str| {
        let rest = text.split("fingerprint: ").nth(1).expect("a fingerprint");
        rest[..16].to_owned()
    };
    let lines = |text: &str, order: [usize; 4]| {
        let lines: Vec<_> = text.lines().collect();
        order.map(|nth| format!("{}\n", lines[nth])).concat()
    };
    let point = |bytes: [u8; 32]| {
        let fingerprint = hex::encode(&Sha256::digest(bytes)[..8]);
        device
            .replace(&digits(&device), &hex::encode(bytes))
            .replace(&print(&device), &fingerprint)
    };
    let mut one = [0; 32];
    one[0] = 1;
    let no_point = (2..).map(|y| {
        let mut bytes = [0; 32];
        bytes[0] = y;
        bytes
    });
    let mut no_point = no_point.filter(|bytes| DevicePublic::from_bytes(bytes).is_none());
    let no_point = no_point.next().expect("half of all are none");
    // RFC 8032 §5.1.3: a y below 19 can also be written as y + p, which nobody may.
    let small = (2..19).find(|&y| {
        let mut bytes = [0; 32];
        bytes[0] = y;
        DevicePublic::from_bytes(&bytes).is_some()
    });
    let mut not_canonical = [0xFF; 32];
    not_canonical[0] = 0xED + small.expect("a point");
    not_canonical[31] = 0x7F;
    let d = "device.pub";
    for (name, what, text) in [
        ("title-2", "a later version", device.replace("key 1\n", "key 2\n")),
        (
            "title-word",
            "another first line",
            device.replace("vigie", "Vigie"),
        ),
        (
            "upper",
            "digits in upper case",
            device.replace(&digits(&device), &digits(&device).to_uppercase()),
        ),
        (
            "63-digits",
            "a digit less",
            device.replace(&digits(&device), &digits(&device)[1..]),
        ),
        ("66-digits", "a byte more", device.replace("key: ", "key: 00")),
        ("line-added", "a line more", format!("{device}\n")),
        ("line-missing", "no fingerprint", lines(&device, [0, 1, 3, 3])),
        ("order", "lines in another order", lines(&device, [0, 2, 1, 3])),
        (
            "space",
            "a space at a line's end",
            device.replace("device\n", "device \n"),
        ),
        ("bom", "a byte order mark before it", format!("\u{feff}{device}")),
        (
            "fingerprint",
            "the fingerprint of another key",
            device.replace(&print(&device), &print(&service)),
        ),
        (
            "small-order",
            "a key whose signatures anyone can make",
            point(one),
        ),
        ("no-point", "32 bytes that are no point", point(no_point)),
        (
            "not-canonical",
            "a point written in a way it is not written",
            point(not_canonical),
        ),
        (
            "epoch",
            "a box's key with an epoch",
            device.replace("device\n", "device\nepoch: 2026-Q4\n"),
        ),
        ("nothing", "no byte at all", String::new()),
    ] {
        add(&format!("key-{name}.pub"), d, what, "malformed", text);
    }
    let s = "service.pub";
    for (name, what, text) in [
        ("quarter-5", "quarter 5", service.replace("Q4", "Q5")),
        ("year-1999", "year 1999", service.replace("2026", "1999")),
        (
            "quarter-04",
            "another spelling of the quarter",
            service.replace("Q4", "Q04"),
        ),
        ("no-epoch", "no epoch", service.replace("epoch: 2026-Q4\n", "")),
        (
            "kind",
            "a kind that there is not",
            service.replace("service\n", "desk-of-somebody\n"),
        ),
    ] {
        add(&format!("key-{name}.pub"), s, what, "malformed", text);
    }
    add(
        "key-service.pub",
        d,
        "the service's, where the box's is needed",
        "wrong-key",
        service.clone(),
    );
    let secret = parts.text("service-2026-Q4.key");
    add(
        "key-secret.pub",
        s,
        "a secret key, where the public one is needed",
        "wrong-key",
        secret.clone(),
    );
    let other = secret.replace(&digits(&secret), &digits(&parts.text("recovery-2026-Q4.key")));
    add(
        "key-exchanged.key",
        "service.key",
        "the secret of another key",
        "malformed",
        other,
    );
    add(
        "key-crlf.pub",
        d,
        "nothing: a mail program's line ends",
        "good",
        device.replace('\n', "\r\n"),
    );
    add(
        "key-no-end.pub",
        s,
        "nothing: no line end at the end",
        "good",
        service.trim_end().to_owned(),
    );
}
