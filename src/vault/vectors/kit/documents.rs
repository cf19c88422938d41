//! Signed documents of the kit.

use super::{Kit, Parts, at};
use crate::frame::Digest;
use crate::vault::checkpoint::Checkpoint;
use crate::vault::closing::{self, Closing};
use crate::vault::journal::Head;
use crate::vault::keys::DeviceKey;
use crate::vault::signed::{self, Document as _};

pub(super) fn add(parts: &Parts<'_>, other: &DeviceKey, kit: &mut Kit) {
    let (device, public) = (parts.device, parts.device.public());
    let database = closing::Fixed {
        block: 4096,
        blocks: vec![Digest::of(b"block")],
        sha256: Digest::of(b"block"),
        size: 5,
    };
    let closing = |named: &DeviceKey| {
        let head = Head {
            seq: 3,
            hash: Digest::of(b"line 3"),
        };
        Closing::new(named.public(), at(9), head, 0, database.clone())
    };
    let sign = |closing: &Closing, key| signed::sign(closing, key).expect("signed");
    let good = sign(&closing(device), device);
    let mut another = closing(device);
    another.device = other.id();
    let d = "device.pub";
    let mut add = |name: &str, what: &str, expect: &str, text: String| {
        kit.add([&format!("{name}.head"), "head", d], what, expect, text);
    };
    spelled("head", &good, ["\"items\":0", "\"items\":1"], &mut add);
    add(
        "head-other-signer",
        "signed by another box",
        "signature",
        sign(&closing(device), other),
    );
    add(
        "head-other-id",
        "the id of another box",
        "signature",
        sign(&another, device),
    );

    let checkpoint = Checkpoint {
        device: device.id(),
        device_key: public.clone(),
        first: at(0),
        hash: Digest::of(b"line 2"),
        last: at(1),
        pruned: at(94_694_400),
        seq: 2,
    };
    let sign = |checkpoint: &Checkpoint, key| checkpoint.sign(key).expect("signed");
    let good = sign(&checkpoint, device);
    let mut add = |name: &str, what: &str, expect: &str, text: String| {
        kit.add(
            [&format!("{name}.checkpoint"), "checkpoint", d],
            what,
            expect,
            text,
        );
    };
    spelled("checkpoint", &good, ["\"seq\":2", "\"seq\":3"], &mut add);
    add(
        "checkpoint-other-signer",
        "signed by another box",
        "signature",
        sign(&checkpoint, other),
    );
    let mut foreign = checkpoint;
    (foreign.device, foreign.device_key) = (other.id(), other.public().clone());
    add(
        "checkpoint-other-box",
        "it names another box",
        "damaged",
        sign(&foreign, device),
    );
    let title = good.replace(Checkpoint::TITLE, Closing::TITLE);
    add(
        "checkpoint-as-head",
        "under the title of another document",
        "damaged",
        title,
    );
}

/// A signed document, spelled otherwise, and with one content changed for another.
fn spelled(name: &str, good: &str, [from, to]: [&str; 2], add: &mut dyn FnMut(&str, &str, &str, String)) {
    let mut lines = good.split('\n');
    let [_, json, signature] = [(); 3].map(|()| lines.next().expect("three lines"));
    let reversed = {
        let members: Vec<_> = json.trim_matches(['{', '}']).rsplitn(2, ",\"").collect();
        format!("{{\"{},{}}}", members[0], members[1])
    };
    add(&format!("{name}-good"), "nothing", "good", good.to_owned());
    for (end, what, expect, text) in [
        ("content", "another number", "signature", good.replace(from, to)),
        ("space", "a space more", "damaged", good.replace("\":", "\": ")),
        (
            "member-added",
            "a member more",
            "damaged",
            good.replace(from, &format!("{from},\"more\":1")),
        ),
        (
            "member-missing",
            "a member less",
            "damaged",
            good.replace(&format!(",{from}"), ""),
        ),
        (
            "member-moved",
            "members in another order",
            "damaged",
            good.replace(json, &reversed),
        ),
        (
            "float",
            "a number written otherwise",
            "damaged",
            good.replace(from, &format!("{from}.0")),
        ),
        (
            "title-2",
            "a later version",
            "damaged",
            good.replacen(" 1\n", " 2\n", 1),
        ),
        (
            "upper",
            "the signature in upper case",
            "damaged",
            good.replace(signature, &signature.to_uppercase()),
        ),
        (
            "no-end",
            "no line end at the end",
            "damaged",
            good.trim_end().to_owned(),
        ),
        ("crlf", "other line ends", "damaged", good.replace('\n', "\r\n")),
        ("line-added", "a line more", "damaged", format!("{good}\n")),
        ("nothing", "no byte at all", "damaged", String::new()),
    ] {
        add(&format!("{name}-{end}"), what, expect, text);
    }
}
