//! All that a report or a package is made of, taken from the desk under its lock; pictures are opened without it.

use std::collections::HashMap;

use crate::desk::accounts::sheet::Sheet;
use crate::desk::accounts::{account, accounts};
use crate::desk::config;
use crate::desk::events::{Event, Frame, Items};
use crate::desk::infraction::CaseNumber;
use crate::desk::infraction::register::{self, File};
use crate::desk::infraction::search::Motive;
use crate::desk::keyring::EvidenceKeys;
use crate::desk::retention::records::is_event_locked;
use crate::desk::review;
use crate::desk::transmission::drafting::{Material, Opened};
use crate::desk::transmission::{Draft, draft};
use crate::desk::web::pages::dossier::motive_given;
use crate::desk::web::{Answer, Refused, Visit};
use crate::frame::{BoxTime, Digest};
use crate::report::french;
use crate::vault::item::ItemKind;
use crate::verify;

/// An infraction file with its event.
pub struct Case {
    /// The file.
    pub file: File,
    /// Why whoever asks looks at it.
    pub motive: Motive,
    /// What its author chose, and in which version.
    pub draft: (i64, Draft),
    /// The event's frames; none of a file out of the former register.
    pub frames: Vec<Frame>,
    /// Which of them the author has personally seen, and when.
    pub seen: Vec<(Digest, BoxTime)>,
    /// The city.
    pub config: config::Office,
    /// Of the journal, at this moment.
    pub journal: String,
    items: Option<Items>,
    sheet: Option<Sheet>,
    names: HashMap<String, String>,
    device: String,
    desk: String,
    now: BoxTime,
}

/// The case of this visit for `page`; without a motive given in this session, to where it is given.
pub fn shown(visit: &Visit, page: impl FnOnce(Case) -> Result<Answer, Refused>) -> Result<Answer, Refused> {
    let number: CaseNumber = visit.path("number").parse().map_err(|_| Refused::NotFound)?;
    match Case::of(visit, &number)? {
        Some(case) => page(case),
        None => super::motive(&number.to_string()),
    }
}

impl Case {
    /// The case of that number; none if whoever asks has not said why in this session.
    pub fn of(visit: &Visit, number: &CaseNumber) -> Result<Option<Self>, Refused> {
        let (session, keys) = (visit.session()?, visit.evidence()?);
        let mut office = visit.office();
        let config = office.config.clone();
        let desk = office.desk.key().id().to_string();
        let store = office.store();
        let sql = store.sql();
        let file = register::read(sql, keys, number)?;
        let Some(motive) = motive_given(sql, session, number)? else {
            return Ok(None);
        };
        let draft = draft::read(sql, &keys.cells, &number.to_string())?;
        let event = file.record.origin.source().map(|source| source.event);
        let event = event.map(|id| Event::find(sql, id)).transpose()?.flatten();
        let event = match event.filter(|event| event.state.is_there()) {
            Some(event) if !is_event_locked(sql, event.id)? => Some(event),
            _ => None,
        };
        let (mut frames, mut seen, mut items) = (Vec::new(), Vec::new(), None);
        if let Some(event) = &event {
            frames = Frame::all(sql, event.id)?;
            for frame in &frames {
                let viewers = review::viewers(sql, event.id, frame.sha256)?.into_iter();
                let own = viewers.filter(|(by, _)| *by == file.record.officer.account);
                seen.extend(own.map(|(_, at)| (frame.sha256, at)));
            }
            items = Some(Items::of(store, event.id)?);
        }
        let sheet = account(sql, &session.register, &file.record.officer.account);
        let names = accounts(sql, &session.register)?.into_iter();
        let head = store.head();
        Ok(Some(Self {
            draft,
            frames,
            seen,
            config,
            journal: format!("{} : {}", head.seq, head.hash),
            items,
            sheet: sheet.ok().and_then(|account| account.sheet),
            names: names.map(|account| (account.id, account.person.name)).collect(),
            device: event.map(|event| event.device.to_string()).unwrap_or_default(),
            desk,
            now: visit.now,
            motive,
            file,
        }))
    }

    /// Its number.
    pub fn number(&self) -> String {
        self.file.number.to_string()
    }

    /// Whose account that is; its id, if it is gone.
    pub fn name_of(&self, account: &str) -> String {
        self.names
            .get(account)
            .cloned()
            .unwrap_or_else(|| account.to_owned())
    }

    /// Opens the wanted frames, in order.
    pub fn opened(
        &self,
        keys: &EvidenceKeys,
        wanted: impl Fn(&Frame) -> bool,
    ) -> Result<Vec<Opened>, Refused> {
        let Some(items) = &self.items else {
            return Ok(Vec::new());
        };
        let mut opened = Vec::new();
        for frame in self.frames.iter().filter(|frame| wanted(frame)) {
            opened.push(Opened {
                jpeg: items.picture(frame, &keys.office)?,
                manifest: items.manifest(frame, &keys.office)?.0,
                frame: frame.clone(),
            });
        }
        Ok(opened)
    }

    /// A frame's manifest as it was written.
    pub fn manifest(&self, keys: &EvidenceKeys, frame: &Frame) -> Result<Vec<u8>, Refused> {
        let items = self.items.as_ref().ok_or(Refused::NotFound)?;
        Ok(items.open(frame.manifest, ItemKind::Manifest, &keys.office)?.1)
    }

    /// What a report is made of, with these frames.
    pub fn material<'c>(&'c self, frames: &'c [Opened]) -> Material<'c> {
        Material {
            file: &self.file,
            draft: &self.draft.1,
            config: &self.config,
            sheet: self.sheet.as_ref(),
            seen: &self.seen,
            frames,
            device: self.device.clone(),
            desk: self.desk.clone(),
            journal: self.journal.clone(),
            checked: self.checked(frames),
            name_of: Box::new(|account| self.name_of(account)),
        }
    }

    /// What a check of these frames against their manifests tells.
    fn checked(&self, frames: &[Opened]) -> String {
        let is_sound = |opened: &Opened| {
            let manifest = opened.manifest.to_json().unwrap_or_default();
            verify::mismatches(&opened.jpeg, &manifest).is_empty()
        };
        let wrong = frames.iter().filter(|opened| !is_sound(opened)).count();
        let at = french::moment(self.config.time_zone().to_datetime(self.now.0));
        let result = match wrong {
            0 => "chaque image est conforme à son manifeste".to_owned(),
            wrong => format!("{wrong} image(s) non conforme(s) à leur manifeste"),
        };
        format!("{at}, vigie {} : {result}", env!("CARGO_PKG_VERSION"))
    }
}
