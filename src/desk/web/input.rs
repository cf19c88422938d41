//! Fields of forms, and the page that is one form.
//!
//! Promises (RGAA 11): each field has its label, a star where it must be filled in (law.md I04), its help and its
//! error tied to it; the errors are listed on top, each leading to its field. Passwords and codes are never sent back.

use askama::Template;

use super::{Answer, FieldError, Refused, Shell, Visit};

/// One field.
#[derive(Debug, Clone, Template)]
#[template(path = "champ.html")]
pub struct Input {
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    value: String,
    required: bool,
    short: bool,
    help: Option<&'static str>,
    autocomplete: &'static str,
    options: Vec<(String, String)>,
    error: Option<String>,
    group: Option<&'static str>,
}

impl Input {
    fn of(name: &'static str, label: &'static str, kind: &'static str) -> Self {
        Self {
            name,
            label,
            kind,
            value: String::new(),
            required: false,
            short: false,
            help: None,
            autocomplete: "off",
            options: Vec::new(),
            error: None,
            group: None,
        }
    }

    /// A line of text.
    pub fn text(name: &'static str, label: &'static str) -> Self {
        Self::of(name, label, "text")
    }

    /// A password; `autocomplete` says which: `current-password`, `new-password`.
    pub fn password(name: &'static str, label: &'static str, autocomplete: &'static str) -> Self {
        Self {
            autocomplete,
            ..Self::of(name, label, "password")
        }
    }

    /// A one-time code or a recovery code: never sent back.
    pub fn code(name: &'static str, label: &'static str) -> Self {
        Self {
            autocomplete: "one-time-code",
            short: true,
            ..Self::of(name, label, "code")
        }
    }

    /// A day.
    pub fn date(name: &'static str, label: &'static str) -> Self {
        Self {
            short: true,
            ..Self::of(name, label, "date")
        }
    }

    /// A box to tick.
    pub fn tick(name: &'static str, label: &'static str) -> Self {
        Self::of(name, label, "checkbox")
    }

    /// A choice.
    pub fn choice(
        name: &'static str,
        label: &'static str,
        options: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Self {
        let options = options
            .into_iter()
            .map(|(value, words)| (value.into(), words.into()));
        Self {
            options: options.collect(),
            ..Self::of(name, label, "select")
        }
    }

    /// Its field's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// It must be filled in.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// It is the first of a group with that heading.
    #[must_use]
    pub fn group(mut self, heading: &'static str) -> Self {
        self.group = Some(heading);
        self
    }

    /// What helps to fill it in.
    #[must_use]
    pub fn help(mut self, help: &'static str) -> Self {
        self.help = Some(help);
        self
    }

    /// What the browser may fill in.
    #[must_use]
    pub fn autocomplete(mut self, autocomplete: &'static str) -> Self {
        self.autocomplete = autocomplete;
        self
    }

    /// What it holds before anybody has sent anything.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        self
    }
}

/// A page that is one form.
#[derive(Template)]
#[template(path = "formulaire.html")]
pub struct FormPage {
    shell: Shell,
    lead: Vec<String>,
    attention: Option<String>,
    figure: Option<String>,
    errors: Vec<FieldError>,
    inputs: Vec<Input>,
    action: String,
    submit: &'static str,
    version: Option<i64>,
    links: Vec<(&'static str, &'static str)>,
}

impl FormPage {
    /// With its title, where it is sent, and what its button says.
    pub fn new(visit: &Visit, title: &str, action: impl Into<String>, submit: &'static str) -> Self {
        Self {
            shell: visit.shell(title),
            lead: Vec::new(),
            attention: None,
            figure: None,
            errors: Vec::new(),
            inputs: Vec::new(),
            action: action.into(),
            submit,
            version: None,
            links: Vec::new(),
        }
    }

    /// A paragraph before the form.
    #[must_use]
    pub fn lead(mut self, text: impl Into<String>) -> Self {
        self.lead.push(text.into());
        self
    }

    /// What must not be overlooked.
    #[must_use]
    pub fn attention(mut self, text: Option<impl Into<String>>) -> Self {
        self.attention = text.map(Into::into);
        self
    }

    /// A piece of HTML of our own making between paragraphs and form.
    #[must_use]
    pub fn figure(mut self, html: impl Into<String>) -> Self {
        self.figure = Some(html.into());
        self
    }

    /// The version of what is changed.
    #[must_use]
    pub const fn version(mut self, version: i64) -> Self {
        self.version = Some(version);
        self
    }

    /// A link below the form.
    #[must_use]
    pub fn link(mut self, to: &'static str, words: &'static str) -> Self {
        self.links.push((to, words));
        self
    }

    /// Its fields, with what was sent of them, and what is wrong with it.
    pub fn answer(
        mut self,
        visit: &Visit,
        inputs: impl IntoIterator<Item = Input>,
        errors: Vec<FieldError>,
    ) -> Result<Answer, Refused> {
        let sent = !visit.form().is_empty();
        for mut input in inputs {
            if sent && !matches!(input.kind, "password" | "code") {
                input.value = visit.field(input.name).unwrap_or_default().to_owned();
            }
            let error = errors.iter().find(|error| error.field == input.name);
            input.error = error.map(|error| error.message.clone());
            self.inputs.push(input);
        }
        self.errors = errors;
        Answer::page(&self)
    }
}

/// The fields among `names` that must be filled in and are not.
pub fn missing(visit: &Visit, names: &[(&'static str, &str)]) -> Vec<FieldError> {
    let wrong = names
        .iter()
        .filter_map(|(name, label)| visit.required(name, label).err());
    wrong.collect()
}

/// One error, of one field.
pub fn wrong(field: &str, message: impl Into<String>) -> Vec<FieldError> {
    vec![FieldError {
        field: field.to_owned(),
        message: message.into(),
    }]
}
