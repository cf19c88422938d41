//! Questions of the infraction file's pages: what each asks, and how it was answered.
//!
//! Promises: what findings §8.1 requires bears its star, and nothing else does (I04); each question has its label, its
//! help and its fault tied to it (RGAA 11).

use askama::Template;

use crate::desk::infraction::form::Fields;

/// How a question is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// A line.
    Line,
    /// A few characters.
    Short,
    /// A text of several lines.
    Text,
    /// One of a list.
    Choice,
    /// One of a few, all shown.
    Radio,
    /// Any of a list.
    Ticks,
}

/// Something that may be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// As it is sent.
    pub value: String,
    /// In words.
    pub words: String,
    /// More words, smaller.
    pub detail: Option<String>,
    /// Whether it is.
    pub chosen: bool,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "question.html")]
pub struct Question {
    /// The field's name, and its id.
    pub name: String,
    /// What is asked.
    pub label: &'static str,
    /// What helps to answer.
    pub help: Option<String>,
    /// How it is answered.
    pub answered: Answered,
    /// Whether a file cannot be closed without.
    pub required: bool,
    /// What may be chosen.
    pub choices: Vec<Choice>,
    /// What was answered.
    pub value: String,
    /// What is wrong with it.
    pub fault: Option<String>,
}

impl Question {
    fn of(name: impl Into<String>, label: &'static str, answered: Answered) -> Self {
        Self {
            name: name.into(),
            label,
            help: None,
            answered,
            required: false,
            choices: Vec::new(),
            value: String::new(),
            fault: None,
        }
    }

    /// Answered in a line.
    pub fn line(name: impl Into<String>, label: &'static str) -> Self {
        Self::of(name, label, Answered::Line)
    }

    /// Answered in a few characters.
    pub fn short(name: impl Into<String>, label: &'static str) -> Self {
        Self::of(name, label, Answered::Short)
    }

    /// Answered in several lines.
    pub fn text(name: impl Into<String>, label: &'static str) -> Self {
        Self::of(name, label, Answered::Text)
    }

    /// Answered by one of a list.
    pub fn choice(
        name: impl Into<String>,
        label: &'static str,
        of: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        Self::of(name, label, Answered::Choice).among(of)
    }

    /// Answered by one of a few.
    pub fn radio(
        name: impl Into<String>,
        label: &'static str,
        of: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        Self::of(name, label, Answered::Radio).among(of)
    }

    /// Answered by any of a list.
    pub fn ticks(
        name: impl Into<String>,
        label: &'static str,
        of: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        Self::of(name, label, Answered::Ticks).among(of)
    }

    fn among(mut self, choices: impl IntoIterator<Item = (String, String)>) -> Self {
        let choices = choices.into_iter().map(|(value, words)| Choice {
            value,
            words,
            detail: None,
            chosen: false,
        });
        self.choices = choices.collect();
        self
    }

    /// With more words on each choice, in their order.
    pub fn details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        for (choice, detail) in self.choices.iter_mut().zip(details) {
            choice.detail = Some(detail);
        }
        self
    }

    /// A file cannot be closed without.
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// What helps to answer.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What was answered, and what is wrong with it.
    fn with(mut self, fields: &Fields, faults: &[(String, String)]) -> Self {
        let answers: Vec<&str> = fields
            .iter()
            .filter(|(name, _)| *name == self.name)
            .map(|(_, value)| value.as_str())
            .collect();
        for choice in &mut self.choices {
            choice.chosen = answers.contains(&choice.value.as_str());
        }
        self.value = answers
            .first()
            .map(|value| (*value).to_owned())
            .unwrap_or_default();
        self.fault = faults
            .iter()
            .find(|(name, _)| *name == self.name)
            .map(|(_, message)| message.clone());
        self
    }

    /// Whether several boxes belong together under it.
    pub fn is_group(&self) -> bool {
        matches!(self.answered, Answered::Radio | Answered::Ticks)
    }

    /// The type of its boxes.
    pub fn boxes(&self) -> &'static str {
        match self.answered {
            Answered::Ticks => "checkbox",
            _ => "radio",
        }
    }

    /// Whether anything is told about it.
    pub fn is_described(&self) -> bool {
        self.help.is_some() || self.fault.is_some()
    }

    /// The ids of what is told about it.
    pub fn described_by(&self) -> String {
        let help = self.help.as_ref().map(|_| format!("{}-aide", self.name));
        let fault = self.fault.as_ref().map(|_| format!("{}-faute", self.name));
        help.into_iter().chain(fault).collect::<Vec<_>>().join(" ")
    }

    /// The id of its n-th box: the first one bears the question's, so that an error leads there.
    pub fn box_id(&self, n: &usize) -> String {
        match n {
            0 => self.name.clone(),
            n => format!("{}-{n}", self.name),
        }
    }
}

/// Questions that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they are about; none for a page's only group.
    pub legend: Option<String>,
    /// What helps to answer them.
    pub help: Option<String>,
    /// Whether it is one of several lines of the same questions.
    pub line: bool,
    /// The questions.
    pub questions: Vec<Question>,
}

impl Group {
    /// Questions with nothing in common but their page.
    pub fn plain(questions: Vec<Question>) -> Self {
        Self {
            legend: None,
            help: None,
            line: false,
            questions,
        }
    }

    /// Questions about one thing.
    pub fn about(legend: impl Into<String>, questions: Vec<Question>) -> Self {
        Self {
            legend: Some(legend.into()),
            help: None,
            line: false,
            questions,
        }
    }

    /// The same with what helps to answer.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same as one of several lines.
    pub fn line(mut self) -> Self {
        self.line = true;
        self
    }

    /// With what was answered, and what is wrong with it.
    pub fn with(self, fields: &Fields, faults: &[(String, String)]) -> Self {
        let questions = self.questions.into_iter();
        Self {
            questions: questions.map(|question| question.with(fields, faults)).collect(),
            ..self
        }
    }
}
