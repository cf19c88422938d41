//! What is said over the socket: one JSON object on each line (docs/firmware.md). Pure.
//!
//! Promises: any bytes are read without a panic and in bounded room; what is not understood is answered with a word of its
//! own and costs nobody else anything. Version 1: members may be added to answers, never to what is asked.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The only version there is: the member `vigie` of every object.
pub const VERSION: u32 = 1;
/// A line that is longer is not read.
pub const LINE_AT_MOST: usize = 4096;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// How the box is doing.
    Status,
    /// Look at the cards now.
    Scan,
    /// Say when the power may go.
    Flush,
    /// The sealed events.
    Events,
    /// What a wipe of each card would do.
    WipePlan,
    /// Tell each verdict from now on.
    Subscribe,
}

/// One line, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// What for.
    pub command: Command,
    /// Given back in the answer.
    pub id: Option<u64>,
}

/// Why something is not answered; stable words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// More than [`LINE_AT_MOST`] bytes without a line end. The connection ends.
    TooLong,
    /// No JSON object of the form that is asked for.
    Malformed,
    /// Another version.
    Version,
    /// No such command.
    UnknownCommand,
    /// Neither root, nor the service's user, nor of the group. The connection ends.
    NotAllowed,
    /// As many clients as can be served are connected. The connection ends.
    Busy,
    /// The vault cannot be read now.
    Failed,
}

impl Refusal {
    /// In words, for whoever reads along.
    pub const fn say(self) -> &'static str {
        match self {
            Self::TooLong => "a line has at most 4096 bytes",
            Self::Malformed => "send {\"vigie\":1,\"do\":\"status\"} and a line end; \"id\" may be a number",
            Self::Version => "this program speaks version 1",
            Self::UnknownCommand => "known: status, scan, flush, events, wipe-plan, subscribe",
            Self::NotAllowed => "join the configured socket_group",
            Self::Busy => "too many clients; close one and connect again",
            Self::Failed => "the vault cannot be read now; try again",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    vigie: u32,
    #[serde(rename = "do")]
    command: String,
    id: Option<u64>,
}

/// Reads one line, without its end.
pub fn parse(line: &[u8]) -> Result<Asked, Refusal> {
    let line: Line = serde_json::from_slice(line).map_err(|_| Refusal::Malformed)?;
    if line.vigie != VERSION {
        return Err(Refusal::Version);
    }
    let command = serde_json::from_value(line.command.into()).map_err(|_| Refusal::UnknownCommand)?;
    Ok(Asked { command, id: line.id })
}

/// Everything that is said of one command, or told to subscribers: an envelope, of which absent members are left out.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Said {
    /// The version.
    pub vigie: u32,
    /// What was asked for.
    #[serde(rename = "do", default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Command>,
    /// The question's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Why there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Refusal>,
    /// The same in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub say: Option<String>,
    /// `status`: the vault that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// `status`: as `vigie status --json` has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Box<RawValue>>,
    /// `events`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Box<RawValue>>,
    /// `wipe-plan`: one for each camera.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cards: Option<Box<RawValue>>,
    /// `flush`: the power may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safe: Option<bool>,
    /// `flush`: no frame is begun for so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// Subscribers: one verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<Box<RawValue>>,
    /// Subscribers: so many verdicts were not told, for they were not read fast enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
}

impl Said {
    /// Of no question.
    pub fn unasked() -> Self {
        Self {
            vigie: VERSION,
            ..Self::default()
        }
    }

    /// The answer to a question.
    pub fn to(asked: Asked) -> Self {
        Self {
            command: Some(asked.command),
            id: asked.id,
            ..Self::unasked()
        }
    }

    /// Why there is none.
    pub fn no(self, why: Refusal) -> Self {
        Self {
            error: Some(why),
            say: Some(why.say().to_owned()),
            ..self
        }
    }

    /// With its line end.
    pub fn line(&self) -> String {
        // Strings, numbers and what is JSON already cannot fail.
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// A value as it stands in an answer.
pub fn raw(value: &impl Serialize) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(value).ok()
}

/// What came in and was not read as lines yet.
#[derive(Debug, Default)]
pub struct Lines(Vec<u8>);

impl Lines {
    /// Room for more bytes: a line's worth.
    pub fn room(&self) -> usize {
        (LINE_AT_MOST + 1).saturating_sub(self.0.len())
    }

    /// Bytes that came in; not more than there is room for.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next line without its end, `\n` or `\r\n`; `last`: nothing more will come, so what is left is one. Empty lines
    /// are passed over.
    pub fn next(&mut self, last: bool) -> Result<Option<Vec<u8>>, Refusal> {
        loop {
            let mut line: Vec<u8> = match memchr::memchr(b'\n', &self.0) {
                Some(end) => self.0.drain(..=end).take(end).collect(),
                None if self.0.len() > LINE_AT_MOST => return Err(Refusal::TooLong),
                None if last => std::mem::take(&mut self.0),
                None => return Ok(None),
            };
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            match line.is_empty() {
                true if last && self.0.is_empty() => return Ok(None),
                true => {}
                false => return Ok(Some(line)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_command_has_one_form_and_the_answer_names_it() {
        for (word, command) in [
            ("status", Command::Status),
            ("scan", Command::Scan),
            ("flush", Command::Flush),
            ("events", Command::Events),
            ("wipe-plan", Command::WipePlan),
            ("subscribe", Command::Subscribe),
        ] {
            let asked = parse(format!(r#"{{"vigie":1,"do":"{word}","id":7}}"#).as_bytes()).expect(word);
            assert_eq!(asked, Asked { command, id: Some(7) });
            let line = Said::to(asked).line();
            assert_eq!(line, format!("{{\"vigie\":1,\"do\":\"{word}\",\"id\":7}}\n"));
        }
    }

    #[test]
    fn what_is_not_understood_has_a_word_of_its_own() {
        for (line, why) in [
            (&b"status"[..], Refusal::Malformed),
            (b"[]", Refusal::Malformed),
            (b"{\"do\":\"status\"}", Refusal::Malformed),
            (
                b"{\"vigie\":1,\"do\":\"status\",\"colour\":1}",
                Refusal::Malformed,
            ),
            (b"{\"vigie\":1,\"do\":\"status\",\"id\":-1}", Refusal::Malformed),
            (b"{\"vigie\":1,\"do\":\"\xff\"}", Refusal::Malformed),
            (b"{\"vigie\":2,\"do\":\"status\"}", Refusal::Version),
            (b"{\"vigie\":1,\"do\":\"erase\"}", Refusal::UnknownCommand),
        ] {
            assert_eq!(parse(line), Err(why), "{}", String::from_utf8_lossy(line));
        }
        let told = Said::unasked().no(Refusal::Busy).line();
        assert!(told.starts_with(r#"{"vigie":1,"error":"busy","say":""#), "{told}");
    }

    #[test]
    fn lines_end_where_they_end_and_a_line_without_end_is_refused() {
        let mut lines = Lines::default();
        lines.add(b"\r\n\none\r\ntwo\nthr");
        let mut next = |last| {
            lines
                .next(last)
                .expect("short")
                .map(|l| String::from_utf8(l).expect("text"))
        };
        assert_eq!(next(false).as_deref(), Some("one"));
        assert_eq!(next(false).as_deref(), Some("two"));
        assert_eq!(next(false), None);
        assert_eq!(next(true).as_deref(), Some("thr"));
        assert_eq!(next(true), None);
        let mut lines = Lines::default();
        lines.add(&[b'x'; LINE_AT_MOST]);
        assert_eq!((lines.next(false), lines.room()), (Ok(None), 1));
        lines.add(b"x");
        assert_eq!((lines.next(false), lines.room()), (Err(Refusal::TooLong), 0));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_as_lines_of_bounded_length(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 0..20),
        ) {
            let mut lines = Lines::default();
            for piece in &pieces {
                let room = lines.room();
                lines.add(&piece[..piece.len().min(room)]);
                while let Ok(Some(line)) = lines.next(false) {
                    prop_assert!(!line.is_empty() && line.len() <= LINE_AT_MOST && !line.contains(&b'\n'));
                    let _ = parse(&line);
                }
                prop_assert!(lines.0.len() <= LINE_AT_MOST + 1);
            }
        }

        #[test]
        fn what_looks_nearly_like_a_question_is_read_or_refused(
            version in 0u32..3, command in "[a-z\\-]{0,12}", id in any::<Option<i64>>(), tail in ".{0,12}",
        ) {
            let id = id.map_or(String::new(), |id| format!(",\"id\":{id}"));
            let line = format!("{{\"vigie\":{version},\"do\":\"{command}\"{id}}}{tail}");
            if let Ok(asked) = parse(line.as_bytes()) {
                prop_assert!(version == 1 && tail.trim().is_empty());
                let named = format!("\"do\":\"{command}\"");
                prop_assert!(Said::to(asked).line().contains(&named));
            }
        }
    }
}
