//! Item files of the kit.

use aead_stream::EncryptorBE32;
use chacha20poly1305::XChaCha20Poly1305;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{Fixed, Kit, Parts};
use crate::frame::EventId;
use crate::vault::item::ItemKind;
use crate::vault::keys::Recipient;
use crate::vault::seal::EventSealer;

pub(super) fn add(parts: &Parts<'_>, kit: &mut Kit) {
    headers(parts, kit);
    bodies(parts, kit);
}

const ITEM: [&str; 2] = ["item", "service-2026-Q4.key"];

/// `item-small.vgi` with other bytes at one place.
fn edited(good: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut edited = good.to_vec();
    edited[at..at + bytes.len()].copy_from_slice(bytes);
    edited
}

fn flipped(good: &[u8], at: usize) -> Vec<u8> {
    edited(good, at, &[good[at] ^ 1])
}

/// Offsets in an item of two stanzas: docs/formats.md §2.1.
const FIRST: usize = 64;
const SECOND: usize = FIRST + 92;
const BODY: usize = SECOND + 92;

fn headers(parts: &Parts<'_>, kit: &mut Kit) {
    let good = parts.file("item-small.vgi");
    let mut add = |name: &str, what: &str, expect: &str, bytes: Vec<u8>| {
        kit.add([name, ITEM[0], ITEM[1]], what, expect, bytes);
    };
    add(
        "item-magic.vgi",
        "another first byte",
        "not-an-item",
        flipped(&good, 0),
    );
    add("item-nothing.vgi", "no byte at all", "not-an-item", Vec::new());
    add(
        "item-7-bytes.vgi",
        "less than the magic",
        "not-an-item",
        good[..7].to_vec(),
    );
    add(
        "item-version-2.vgi",
        "a later version",
        "version",
        edited(&good, 8, &[0, 2]),
    );
    for (name, what, at, bytes) in [
        ("kind-0", "kind 0", 10, &[0][..]),
        ("kind-4", "kind 4", 10, &[4]),
        ("no-stanza", "no recipient", 11, &[0]),
        ("9-stanzas", "nine recipients", 11, &[9]),
        (
            "too-long",
            "a byte more than any item has",
            32,
            &[0, 0, 0, 0, 16, 0, 0, 1],
        ),
        ("reserved-first", "reserved byte 59 is not zero", 59, &[1]),
        ("reserved-last", "reserved byte 63 is not zero", 63, &[1]),
        ("role-3", "a recipient of role 3", FIRST, &[3]),
        ("role-0", "a second recipient of role 0", SECOND, &[0]),
        ("quarter-0", "quarter 0", FIRST + 1, &[0]),
        ("quarter-5", "quarter 5", SECOND + 1, &[5]),
        ("year-1999", "year 1999", FIRST + 2, &[7, 207]),
        ("year-10000", "year 10000", FIRST + 2, &[39, 16]),
    ] {
        add(
            &format!("item-{name}.vgi"),
            what,
            "header",
            edited(&good, at, bytes),
        );
    }
    for (name, what, end) in [
        ("cut-at-12", "cut after the magic and the version", 12),
        ("cut-at-63", "cut in the fixed header", 63),
        ("cut-at-64", "cut before the stanzas", 64),
        ("cut-at-200", "cut in a stanza", 200),
        ("cut-at-248", "cut before the body", BODY),
        ("cut-in-tag", "cut by its last byte", good.len() - 1),
    ] {
        add(
            &format!("item-{name}.vgi"),
            what,
            "truncated",
            good[..end].to_vec(),
        );
    }
    let third = edited(&good, 11, &[3]);
    add(
        "item-3-of-2-stanzas.vgi",
        "a recipient less than it says",
        "truncated",
        third,
    );
    let longer = edited(&good, 39, &[good[39] + 1]);
    add(
        "item-length-plus-1.vgi",
        "a byte less than it says",
        "truncated",
        longer,
    );
    let more = [&good[..], b"\0"].concat();
    add(
        "item-byte-added.vgi",
        "a byte more than it says",
        "trailing",
        more,
    );
    let twice = [&good[..], &good].concat();
    add("item-twice.vgi", "itself once more behind it", "trailing", twice);
}

fn bodies(parts: &Parts<'_>, kit: &mut Kit) {
    let good = parts.file("item-small.vgi");
    let mut add = |name: &str, what: &str, expect: &str, bytes: Vec<u8>| {
        kit.add([name, ITEM[0], ITEM[1]], what, expect, bytes);
    };
    for (name, what, at) in [
        ("number", "another item number", 15),
        ("nonce", "another nonce prefix", 40),
        ("nonce-last", "another nonce prefix, in its last byte", 58),
        (
            "recovery-enc",
            "the other recipient's key part changed",
            SECOND + 12,
        ),
        (
            "recovery-ct",
            "the other recipient's content key changed",
            SECOND + 91,
        ),
        ("text", "the ciphertext changed", BODY),
        ("tag", "the tag changed", good.len() - 1),
    ] {
        add(
            &format!("item-other-{name}.vgi"),
            what,
            "damaged",
            flipped(&good, at),
        );
    }
    for (name, what, at, bytes) in [
        ("kind", "a record that says it is a frame", 10, &[1][..]),
        ("role", "service and recovery exchanged in name", FIRST, &[2]),
        ("quarter", "another quarter", FIRST + 1, &[3]),
    ] {
        add(
            &format!("item-other-{name}.vgi"),
            what,
            "damaged",
            edited(&good, at, bytes),
        );
    }
    for (name, what, at) in [
        ("device", "another box: the wrapped key was not for it", 16),
        ("event", "another event: the wrapped key was not for it", 31),
        ("enc", "the encapsulated key changed", FIRST + 12),
        ("ct", "the wrapped content key changed", FIRST + 44),
        ("ct-tag", "the wrapped content key's tag changed", FIRST + 91),
    ] {
        add(
            &format!("item-other-{name}.vgi"),
            what,
            "stanza",
            flipped(&good, at),
        );
    }
    let zero = edited(&good, FIRST + 12, &[0; 32]);
    add(
        "item-enc-zero.vgi",
        "an encapsulated key that makes every secret zero",
        "stanza",
        zero,
    );
    let print = flipped(&good, FIRST + 4);
    add(
        "item-other-fingerprint.vgi",
        "nobody has the first recipient's key",
        "other-key",
        print,
    );
    let mut swapped = good[..FIRST].to_vec();
    for part in [&good[SECOND..BODY], &good[FIRST..SECOND], &good[BODY..]] {
        swapped.extend_from_slice(part);
    }
    add(
        "item-stanzas-swapped.vgi",
        "the recipients in another order",
        "damaged",
        swapped,
    );
    let mut shorter = edited(&good, 39, &[good[39] - 1]);
    shorter.pop();
    add(
        "item-length-minus-1.vgi",
        "a byte cut, and the length made to fit",
        "damaged",
        shorter,
    );
    let mut twice = edited(&good, SECOND, &good[FIRST..SECOND]);
    twice[FIRST + 44] ^= 1;
    add(
        "item-first-of-two.vgi",
        "its key's first stanza changed, a second one whole",
        "stanza",
        twice,
    );

    let [service, recovery] = parts.office.each_ref().map(|key| key.recipient().clone());
    let alone = |label, recipients: &[Recipient]| sealed(parts, label, recipients);
    let one = alone("kit one", std::slice::from_ref(&service));
    add("item-one-recipient.vgi", "nothing", "good", one.clone());
    add(
        "item-not-last.vgi",
        "its last chunk is not marked as the last",
        "damaged",
        not_last(&one),
    );
    let mut eight = vec![recovery.clone(); 7];
    eight.push(service);
    let eight = alone("kit eight", &eight);
    add("item-8-stanzas.vgi", "nothing", "good", eight);
    let others = alone("kit other", &[recovery]);
    add(
        "item-for-recovery.vgi",
        "sealed to the recovery key alone",
        "other-key",
        others.clone(),
    );
    let recovery = "recovery-2026-Q4.key";
    kit.add(
        ["item-by-recovery.vgi", "item", recovery],
        "nothing",
        "good",
        others,
    );
    // What opens without being the recipient's: nothing.
    kit.add(
        ["item-all-zero.vgi", "item", recovery],
        "zeros",
        "not-an-item",
        [0; 282],
    );
}

const KEY: &str = "kit content key";

/// A record sealed to these.
fn sealed(parts: &Parts<'_>, label: &'static str, recipients: &[Recipient]) -> Vec<u8> {
    let event = EventId::from_bytes(Fixed::bytes("kit event"));
    let key = Zeroizing::new(Fixed::bytes::<32>(KEY));
    let randomness = &mut Fixed { label, drawn: 0 };
    let mut sealer = EventSealer::with_content_key(parts.device.id(), event, recipients, key, randomness)
        .expect("a sealer");
    let sealed = sealer.seal_with_nonce(ItemKind::Record, b"{}", Fixed::bytes(label));
    sealed.expect("sealed").bytes().to_vec()
}

/// The same item, its only chunk sealed as one that others follow.
fn not_last(one: &[u8]) -> Vec<u8> {
    let header = &one[..FIRST + 92];
    let mut nonce = [0; 19];
    nonce.copy_from_slice(&header[40..59]);
    let key = Fixed::bytes::<32>(KEY);
    let mut stream = EncryptorBE32::<XChaCha20Poly1305>::new((&key).into(), (&nonce).into());
    let mut chunk = b"{}".to_vec();
    stream
        .encrypt_next_in_place(&Sha256::digest(header), &mut chunk)
        .expect("sealed");
    [header, &chunk].concat()
}
