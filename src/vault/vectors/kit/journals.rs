//! Exported journals of the kit.

use serde_json::json;

use super::{Kit, Parts, at};
use crate::frame::{BoxTime, Digest};
use crate::vault::checkpoint::Checkpoint;
use crate::vault::export::{FORMAT, Header, Last, Signed, write_line};
use crate::vault::journal::{Entry, Head, Kind, Line};
use crate::vault::keys::DeviceKey;

/// A chain of a box, and its export line by line: header, lines, head.
struct Chain<'a> {
    device: &'a DeviceKey,
    lines: Vec<Line>,
}

impl<'a> Chain<'a> {
    fn new(device: &'a DeviceKey, times: &[i64]) -> Self {
        let mut head = Head::empty(device.public());
        let created = json!({"clock": "set", "device": device.public(), "program": "0.1.0"});
        let bodies = [
            (Kind::Created, created),
            (Kind::Opened, json!({"clock": "set", "program": "0.1.0"})),
            (
                Kind::Left,
                json!({"camera": "quai-3", "reason": "é\"\n\u{1}", "size": 3}),
            ),
            (Kind::Closed, json!({"items": 0})),
        ];
        let line = |(&time, (kind, body))| {
            let line = Line::after(head, at(time), &Entry { kind, body });
            head = line.head();
            line
        };
        let lines = times.iter().zip(bodies).map(line).collect();
        Self { device, lines }
    }

    fn header(&self, after: Head, checkpoint: Option<String>) -> Header {
        Header {
            export: FORMAT.to_owned(),
            device: self.device.id(),
            device_key: self.device.public().clone(),
            after,
            checkpoint,
        }
    }

    fn head(&self, head: Head, signer: &DeviceKey) -> String {
        let signed = Signed {
            seq: head.seq,
            hash: head.hash,
            signature: hex::encode(head.sign(signer)),
        };
        text(&Last { head: signed })
    }

    fn texts(&self, from: usize, checkpoint: Option<String>) -> Vec<String> {
        let before = from.checked_sub(1).map(|last| self.lines[last].head());
        let header = self.header(before.unwrap_or(Head::empty(self.device.public())), checkpoint);
        let last = self.lines.last().expect("lines").head();
        let lines = self.lines[from..].iter().map(text);
        let ends = [text(&header), self.head(last, self.device)];
        let [first, last] = ends;
        [first].into_iter().chain(lines).chain([last]).collect()
    }

    fn checkpoint(&self, at_line: usize) -> String {
        let line = &self.lines[at_line - 1];
        let time = |line: &Line| BoxTime(line.time.parse().expect("a time"));
        let checkpoint = Checkpoint {
            device: self.device.id(),
            device_key: self.device.public().clone(),
            first: time(&self.lines[0]),
            hash: line.hash,
            last: time(line),
            pruned: at(94_694_500),
            seq: line.seq,
        };
        checkpoint.sign(self.device).expect("signed")
    }
}

fn text(object: &impl serde::Serialize) -> String {
    let mut line = Vec::new();
    write_line(&mut line, object).expect("memory");
    String::from_utf8(line).expect("text")
}

pub(super) fn add(parts: &Parts<'_>, other: &DeviceKey, kit: &mut Kit) {
    let chain = Chain::new(parts.device, &[0, 1, 2, 3]);
    let good = chain.texts(0, None);
    let mut add = |name: &str, what: &str, expect: &str, lines: &[String]| {
        let name = format!("journal-{name}.jsonl");
        kit.add([&name, "journal", "device.pub"], what, expect, lines.concat());
    };
    add("good", "nothing", "good", &good);
    add(
        "part",
        "nothing: lines 3 and 4 alone",
        "good",
        &chain.texts(2, None),
    );
    let pruned = chain.texts(2, Some(chain.checkpoint(2)));
    add(
        "checkpoint",
        "nothing: begins after a checkpoint",
        "good",
        &pruned,
    );
    let later = chain.texts(3, Some(chain.checkpoint(2)));
    add(
        "part-behind",
        "nothing: a part, behind a checkpoint",
        "good",
        &later,
    );
    let back = Chain::new(parts.device, &[3, 2, 1, 0]).texts(0, None);
    add("clock-back", "nothing: the clock went back", "good", &back);

    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = good.clone();
        change(&mut lines);
        lines
    };
    let replaced = |nth: usize, from: &str, to: &str| {
        assert!(good[nth].contains(from), "{from}");
        with(&|l| l[nth] = l[nth].replacen(from, to, 1))
    };
    let mended = {
        let mut line = chain.lines[1].clone();
        line.body = "{}".to_owned();
        line.hash = line.expected_hash();
        with(&|l| l[2] = text(&line))
    };
    let foreign = Chain::new(other, &[0, 1, 2, 3]);
    let earlier = chain.head(chain.lines[2].head(), parts.device);
    let by_other = chain.head(chain.lines[3].head(), other);
    for (name, what, expect, lines) in [
        (
            "body",
            "the body of line 2 changed",
            "changed",
            replaced(2, "0.1.0", "0.1.1"),
        ),
        (
            "time",
            "the time of line 2 changed",
            "changed",
            replaced(2, "01Z", "02Z"),
        ),
        (
            "kind",
            "the kind of line 2 changed",
            "changed",
            replaced(2, "opened", "closed"),
        ),
        (
            "mended",
            "line 2 changed, and its hash made to fit",
            "order",
            mended,
        ),
        (
            "renumbered",
            "line 2 calls itself 3",
            "order",
            replaced(2, "\"seq\":2", "\"seq\":3"),
        ),
        (
            "line-missing",
            "line 2 is missing",
            "order",
            with(&|l| drop(l.remove(2))),
        ),
        (
            "first-missing",
            "line 1 is missing",
            "order",
            with(&|l| drop(l.remove(1))),
        ),
        (
            "swapped",
            "lines 2 and 3 changed places",
            "order",
            with(&|l| l.swap(2, 3)),
        ),
        (
            "twice",
            "line 2 stands there twice",
            "order",
            with(&|l| l.insert(2, l[2].clone())),
        ),
        (
            "foreign-line",
            "line 3 is another box's",
            "order",
            with(&|l| l[3] = text(&foreign.lines[2])),
        ),
        (
            "cut",
            "line 4 is missing at the end",
            "cut",
            with(&|l| drop(l.remove(4))),
        ),
        (
            "no-head",
            "the signed head is missing",
            "cut",
            with(&|l| drop(l.remove(5))),
        ),
        (
            "header-alone",
            "nothing but the header",
            "cut",
            with(&|l| l.truncate(1)),
        ),
        (
            "older-head",
            "the head of line 3, before line 4 was added",
            "added",
            with(&|l| l[5] = earlier.clone()),
        ),
        (
            "behind-head",
            "a line behind the head",
            "added",
            with(&|l| l.push(l[4].clone())),
        ),
        (
            "two-heads",
            "the head twice",
            "added",
            with(&|l| l.push(l[5].clone())),
        ),
        (
            "signer",
            "the head signed by another box",
            "signature",
            with(&|l| l[5] = by_other.clone()),
        ),
        (
            "head-seq",
            "another number in the head",
            "signature",
            replaced(5, "\"seq\":4", "\"seq\":5"),
        ),
        ("box", "the journal of another box", "box", foreign.texts(0, None)),
        ("genesis", "begins with other bytes", "begin", {
            let header = chain.header(
                Head {
                    seq: 0,
                    hash: Digest::of(b""),
                },
                None,
            );
            with(&|l| l[0] = text(&header))
        }),
    ] {
        add(name, what, expect, &lines);
    }
    for (name, what, expect, lines) in [
        (
            "checkpoint-signer",
            "the checkpoint signed by another box",
            "begin",
            chain.texts(2, Some(foreign.checkpoint(2))),
        ),
        (
            "checkpoint-later",
            "begins before its checkpoint",
            "begin",
            chain.texts(2, Some(chain.checkpoint(3))),
        ),
        (
            "checkpoint-hash",
            "begins with another hash than its checkpoint's",
            "begin",
            {
                let header = chain.header(
                    Head {
                        seq: 2,
                        hash: Digest::of(b""),
                    },
                    Some(chain.checkpoint(2)),
                );
                let mut lines = pruned.clone();
                lines[0] = text(&header);
                lines
            },
        ),
    ] {
        add(name, what, expect, &lines);
    }
    let moved = with(&|l| l[2] = l[2].replace("\"seq\":2,", "").replace("}\n", ",\"seq\":2}\n"));
    for (name, what, lines) in [
        (
            "format-2",
            "a later version",
            replaced(0, "journal 1", "journal 2"),
        ),
        ("no-header", "no header", with(&|l| drop(l.remove(0)))),
        ("id", "the id of another box in the header", {
            replaced(0, &parts.device.id().to_string(), &other.id().to_string())
        }),
        ("space", "a space more", replaced(2, "\":", "\": ")),
        (
            "escaped",
            "a letter written as an escape",
            replaced(3, "é", "\\u00e9"),
        ),
        (
            "escaped-plain",
            "a plain letter written as an escape",
            replaced(3, "\"left\"", "\"\\u006ceft\""),
        ),
        ("member-moved", "members in another order", moved),
        (
            "member-added",
            "a member more",
            replaced(2, "\"seq\":2", "\"seq\":2,\"more\":1"),
        ),
        (
            "member-missing",
            "a member less",
            replaced(2, "\"kind\":\"opened\",", ""),
        ),
        ("upper", "a hash in upper case", {
            let hash = chain.lines[1].hash.to_string();
            replaced(2, &hash, &hash.to_uppercase())
        }),
        (
            "body-object",
            "a body that is no text",
            replaced(4, "\"{\\\"items\\\":0}\"", "{\"items\":0}"),
        ),
        (
            "empty-line",
            "an empty line",
            with(&|l| l.insert(2, "\n".to_owned())),
        ),
        (
            "crlf",
            "other line ends",
            with(&|l| l.iter_mut().for_each(|l| *l = l.replace('\n', "\r\n"))),
        ),
        (
            "no-end",
            "no line end at the end",
            with(&|l| l[5] = l[5].trim_end().to_owned()),
        ),
        (
            "bom",
            "a byte order mark before it",
            with(&|l| l[0].insert(0, '\u{feff}')),
        ),
        (
            "negative",
            "a negative number",
            replaced(2, "\"seq\":2", "\"seq\":-2"),
        ),
    ] {
        add(name, what, "damaged", &lines);
    }
    kit.add(
        ["journal-nothing.jsonl", "journal", "device.pub"],
        "no byte at all",
        "damaged",
        "",
    );
}
