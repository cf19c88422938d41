//! An event: the motive for which it is opened, its images, what is known of their times, and what may be done.
//!
//! Promises: without an opening in this very session there is neither a picture nor a plate on any of these pages;
//! what is shown at full size is on record before it is shown ([`images`]); every act carries the version of what it
//! was decided on ([`acts`]).

pub mod acts;
pub mod images;
pub mod view;

use askama::Template;

use crate::desk::events::list::{self, Filter};
use crate::desk::events::{self, Event, Frame, Items, State};
use crate::desk::retention::records::is_event_locked;
use crate::desk::review::{self, Agent, Dismissal, Motive, dismissal};
use crate::desk::rights::Act;
use crate::desk::web::pages::file::{Asked, by_camera, light, standing, who};
use crate::desk::web::{Answer, FieldError, Refused, Route, Shell, Visit, dates, get, post};
use crate::frame::EventId;
use view::{Facts, FrameView, Strip};

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/evenement/{id}", Act::SeeEvent, show),
    post("/evenement/{id}/ouvrir", Act::SeeEvent, acts::open),
    get("/evenement/{id}/image/{place}", Act::SeeEvent, images::picture),
    get("/evenement/{id}/apercu/{place}", Act::SeeEvent, images::preview),
    get(
        "/evenement/{id}/plaque/{place}/{nth}",
        Act::SeeEvent,
        images::plate,
    ),
    post("/evenement/{id}/masquer", Act::Decide, acts::mask),
    post("/evenement/{id}/plaque", Act::Decide, acts::involved_plate),
    post("/evenement/{id}/confirmer", Act::Decide, acts::confirm),
    post("/evenement/{id}/ecarter", Act::Decide, acts::put_aside),
    post("/evenement/{id}/retenir", Act::Decide, acts::retain),
    post("/reprendre", Act::Decide, acts::take_back),
];

impl From<events::Error> for Refused {
    fn from(error: events::Error) -> Self {
        match error {
            events::Error::NotThere(_) => Self::NotFound,
            events::Error::Changed(_) => Self::Conflict,
            events::Error::NoKey(_) => Self::Impossible(
                "Aucune clé de votre session n'ouvre cet événement : il a été scellé pour un trimestre dont la clé \
                 manque au poste. Prévenez le chef de service."
                    .to_owned(),
            ),
            events::Error::Store(error) => Self::Store(error),
            events::Error::Desk(error) => Self::Desk(error),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<review::Error> for Refused {
    fn from(error: review::Error) -> Self {
        let impossible = |words: &str| Self::Impossible(words.to_owned());
        match error {
            review::Error::Event(error) => error.into(),
            review::Error::Store(error) => Self::Store(error),
            review::Error::NotOpened(_) => {
                impossible("Ouvrez d'abord l'événement en indiquant le motif de la consultation.")
            }
            review::Error::NotSeen(_) => impossible(
                "Vous n'avez pas encore vu l'image concernée en entier. Affichez-la, puis recommencez : nul ne retient ni \
                 ne confirme ce qu'il n'a pas vu.",
            ),
            review::Error::PlatesShown(_) => impossible(
                "Plusieurs plaques sont visibles sur cette image. Désignez la plaque impliquée, pour que les autres soient \
                 masquées, puis confirmez.",
            ),
            review::Error::InAFile(_) => impossible(
                "Cet événement appartient à un dossier d'infraction : ses images suivent le sort du dossier.",
            ),
            review::Error::Held(_) => impossible(
                "Un gel est en vigueur sur cet événement : il ne peut être écarté avant sa fin (« Échéances », « Gels »).",
            ),
            review::Error::NothingToTakeBack => impossible(
                "Il n'y a plus rien à reprendre : ce qui a été écarté est détruit, ou votre dernière décision est déjà \
                 dans un dossier.",
            ),
            review::Error::NothingToHide | review::Error::Redact(crate::redact::Error::NothingAdded) => {
                impossible("Cette zone est déjà masquée, ou se trouve hors de l'image : rien n'a changé.")
            }
            review::Error::Redact(crate::redact::Error::Splice(_)) => impossible(
                "Cette image ne peut être masquée davantage sans perdre sa valeur de preuve. Elle ne peut donc pas être \
                 transmise : ne la confirmez pas.",
            ),
            error => Self::Failed(error.to_string()),
        }
    }
}

/// Who acts here.
fn agent(visit: &Visit) -> Result<Agent<'_>, Refused> {
    let session = visit.session()?;
    Ok(Agent {
        account: &session.account,
        since: session.began,
        now: visit.now,
    })
}

/// The event that the path names. One that is due and may not be erased yet is shown to nobody.
fn event_id(visit: &Visit) -> Result<EventId, Refused> {
    let id = visit.path("id").parse().map_err(|_| Refused::NotFound)?;
    match is_event_locked(visit.office().desk.store.sql(), id)? {
        false => Ok(id),
        true => Err(Refused::Impossible(format!(
            "L’événement {id} a atteint son échéance de destruction et attend l’accord des archives : personne ne peut plus \
             le consulter. Voyez la page Échéances."
        ))),
    }
}

/// The place in it that the path names.
fn place(visit: &Visit) -> Result<u32, Refused> {
    visit.path("place").parse().map_err(|_| Refused::NotFound)
}

/// What this agent put aside or retained last, while it can be taken back.
pub struct Revocable {
    /// Which event.
    pub id: EventId,
    /// Whether it is about to be destroyed.
    pub aside: bool,
    /// Until when it can be taken back, if so.
    pub until: String,
}

impl Revocable {
    /// Of this agent. Whatever can be taken back no more is destroyed first.
    pub fn of(visit: &Visit) -> Result<Option<Self>, Refused> {
        let agent = agent(visit)?;
        let mut office = visit.office();
        let zone = office.config.time_zone();
        dismissal::settle(office.store(), dismissal::Whose::Over, visit.now)?;
        let last = review::revocable(office.desk.store.sql(), agent)?;
        Ok(last.map(|(id, state, at)| Self {
            id,
            aside: state == State::Aside,
            until: dates::moment(dismissal::until(at), &zone),
        }))
    }
}

#[derive(Template)]
#[template(path = "evenement_motif.html")]
pub(super) struct MotivePage {
    shell: Shell,
    errors: Vec<FieldError>,
    id: EventId,
    facts: Facts,
    standing: &'static str,
    motives: [Motive; 5],
    chosen: Option<Motive>,
    words: String,
    image: Option<u32>,
    query: String,
}

impl MotivePage {
    fn is_chosen(&self, motive: &Motive) -> bool {
        self.chosen == Some(*motive)
    }

    fn fault(&self, field: &str) -> Option<&str> {
        let found = self.errors.iter().find(|error| error.field == field);
        found.map(|error| error.message.as_str())
    }
}

/// The form that asks why the event is opened.
pub(super) fn motive_page(
    visit: &Visit,
    id: EventId,
    asked: &Asked,
    errors: Vec<FieldError>,
) -> Result<Answer, Refused> {
    let shell = visit.shell("Ouvrir un événement");
    let agent = agent(visit)?;
    let office = visit.office();
    let sql = office.desk.store.sql();
    let event = Event::there(sql, id)?;
    let image = visit.query("image").or_else(|| visit.field("image"));
    let page = MotivePage {
        shell,
        errors,
        id,
        standing: standing(&event),
        facts: Facts::of(&event, &office.config.time_zone()),
        motives: Motive::ALL,
        chosen: review::last_motive(sql, agent)?,
        words: visit.field("precisions").unwrap_or_default().to_owned(),
        image: image.and_then(|image| image.parse().ok()),
        query: asked.query(),
    };
    drop(office);
    Answer::page(&page)
}

#[derive(Template)]
#[template(path = "evenement.html")]
struct EventPage {
    shell: Shell,
    id: EventId,
    version: u32,
    facts: Facts,
    standing: &'static str,
    motive: &'static str,
    strip: Vec<Strip>,
    frame: Option<FrameView>,
    before: Option<EventId>,
    behind: Option<EventId>,
    others: Vec<String>,
    undecided: bool,
    retained: bool,
    file: Option<String>,
    may_retain: bool,
    revocable: Option<Revocable>,
    dismissals: Vec<Dismissal>,
    query: String,
}

fn show(visit: &Visit) -> Result<Answer, Refused> {
    let id = event_id(visit)?;
    let asked = Asked::of(visit);
    let revocable = Revocable::of(visit)?;
    let agent = agent(visit)?;
    let keys = visit.evidence()?;
    let office = visit.office();
    let (store, zone) = (&office.desk.store, office.config.time_zone());
    let sql = store.sql();
    let event = Event::there(sql, id)?;
    let Some((_, motive)) = review::opened(sql, agent, id)? else {
        drop(office);
        return motive_page(visit, id, &asked, Vec::new());
    };
    let frames = Frame::all(sql, id)?;
    let seen = review::seen_by(sql, agent.account, id)?;
    let items = Items::of(store, id)?;
    let filter = match event.state {
        State::Retained => asked.filter(&zone),
        _ => Filter {
            states: Filter::undecided().states,
            ..asked.filter(&zone)
        },
    };
    let beside = |ahead| list::beside(sql, &filter, &event, ahead);
    let (before, behind) = (beside(false)?, beside(true)?);
    let others = review::others_at(sql, agent, id)?.into_iter();
    let session = visit.session()?;
    let other = |(by, at): (String, _)| format!("{}, {}", who(sql, session, &by), dates::moment(at, &zone));
    let others = others.map(other).collect();
    drop(office);
    let chosen: Option<u32> = visit.query("image").and_then(|place| place.parse().ok());
    let here = frames
        .iter()
        .find(|frame| Some(frame.place) == chosen)
        .or(frames.first());
    let frame = match here {
        Some(here) => Some(FrameView::of(visit, &items, here, &frames, &keys.office, &zone)?),
        None => None,
    };
    // The picture on this very page is shown at full size.
    let may_retain = here.is_some() || !seen.is_empty();
    let strip = Strip::all(&frames, here, &seen);
    let facts = Facts::of(&event, &zone);
    Answer::page(&EventPage {
        shell: visit.shell(format!("Événement du {}", facts.when)),
        id,
        version: event.version,
        standing: standing(&event),
        motive: motive.french(),
        strip,
        frame,
        before,
        behind,
        others,
        undecided: matches!(event.state, State::New | State::Seen),
        retained: event.state == State::Retained,
        file: event.file,
        may_retain,
        revocable,
        dismissals: Dismissal::all().collect(),
        query: asked.query(),
        facts,
    })
}
