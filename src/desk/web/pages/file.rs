//! The queue: the events in order of urgency, and how far one has come. Neither a plate nor a picture.

use askama::Template;
use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::Connection;

use crate::desk::accounts;
use crate::desk::events::list::{self, Filter};
use crate::desk::events::{self, Event, State};
use crate::desk::rights::Act;
use crate::desk::session::Session;
use crate::desk::web::pages::evenement::Revocable;
use crate::desk::web::pages::import::catch_up;
use crate::desk::web::{Answer, Refused, Route, Shell, Visit, dates, get};
use crate::frame::{BoxTime, CameraTime, EventId};
use crate::vision::Light;

/// The routes.
pub const ROUTES: &[Route] = &[get("/file", Act::SeeQueue, queue)];

/// Events on one page.
const ON_A_PAGE: u64 = 50;
/// From this long before its due date on, an event stands out.
const SOON: SignedDuration = SignedDuration::from_hours(5 * 24);

/// What the filter's form asks for; it travels with every link of the review, so that one stays in one's list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    camera: Option<String>,
    from: Option<Date>,
    until: Option<Date>,
    light: Option<String>,
    state: Option<String>,
}

impl Asked {
    /// From the query behind a question mark.
    pub fn of(visit: &Visit) -> Self {
        Self::by(|name| visit.query(name).map(str::to_owned))
    }

    /// From the field of a form in which a page has put it.
    pub fn sent(visit: &Visit) -> Self {
        let pairs: Vec<(String, String)> =
            form_urlencoded::parse(visit.field("liste").unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        Self::by(|name| {
            let found = pairs.iter().find(|(found, _)| found == name);
            found
                .map(|(_, value)| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        })
    }

    fn by(value: impl Fn(&str) -> Option<String>) -> Self {
        let day = |name: &str| value(name).and_then(|day| day.parse().ok());
        Self {
            camera: value("piege"),
            from: day("du"),
            until: day("au"),
            light: value("lumiere"),
            state: value("etat"),
        }
    }

    /// As it stands behind a question mark.
    pub fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let days = [("du", self.from), ("au", self.until)];
        let words = [
            ("piege", &self.camera),
            ("lumiere", &self.light),
            ("etat", &self.state),
        ];
        for (name, value) in words {
            query.extend_pairs(value.iter().map(|value| (name, value)));
        }
        for (name, day) in days {
            query.extend_pairs(day.map(|day| (name, day.to_string())));
        }
        query.finish()
    }

    /// Which events that is; what waits for a decision, where nothing else is asked for.
    pub fn filter(&self, zone: &TimeZone) -> Filter {
        let midnight = |day: Date| {
            day.to_zoned(zone.clone())
                .ok()
                .map(|zoned| BoxTime(zoned.timestamp()))
        };
        Filter {
            camera: self.camera.as_ref().and_then(|camera| camera.parse().ok()),
            from: self.from.and_then(midnight),
            until: self.until.and_then(|day| midnight(day.tomorrow().ok()?)),
            light: match self.light.as_deref() {
                Some("jour") => Some(Light::Day),
                Some("nuit") => Some(Light::Night),
                _ => None,
            },
            states: match self.state.as_deref() {
                Some("nouveaux") => vec![State::New],
                Some("retenus") => vec![State::Retained],
                Some("detruits") => vec![State::Discarded, State::Expired],
                Some("tous") => State::ALL.to_vec(),
                _ => Filter::undecided().states,
            },
        }
    }
}

/// `22/11/2026 14:05:09`, as a camera's clock says it.
pub fn by_camera(CameraTime(time): CameraTime) -> String {
    let clock = (time.hour(), time.minute(), time.second());
    format!(
        "{} {:02}:{:02}:{:02}",
        dates::short(time.date()),
        clock.0,
        clock.1,
        clock.2
    )
}

/// Who an account is, to a colleague.
pub fn who(sql: &Connection, session: &Session, account: &str) -> String {
    if session.account == account {
        return "vous".to_owned();
    }
    let found = accounts::account(sql, &session.register, account);
    found.map_or_else(|_| "un autre agent".to_owned(), |account| account.person.name)
}

/// How far an event has come, as it stands on screen.
pub fn standing(event: &Event) -> &'static str {
    match (event.state, &event.file) {
        (State::New, _) => "Nouveau",
        (State::Seen, _) => "Ouvert",
        (State::Aside, _) => "Écarté, destruction imminente",
        (State::Retained, None) => "Retenu",
        (State::Retained, Some(_)) => "Retenu, dossier ouvert",
        (State::Discarded, _) => "Écarté et détruit",
        (State::Expired, _) => "Détruit à l'échéance",
    }
}

/// `jour` or `nuit`.
pub const fn light(light: Light) -> &'static str {
    match light {
        Light::Day => "jour",
        Light::Night => "nuit",
    }
}

/// One line of the list.
struct Line {
    id: EventId,
    when: String,
    by_box: bool,
    site: String,
    camera: String,
    light: &'static str,
    frames: u32,
    standing: &'static str,
    there: bool,
    due: String,
    urgency: &'static str,
    open: Option<String>,
}

impl Line {
    fn of(event: Event, visit: &Visit, session: &Session, sql: &Connection, zone: &TimeZone) -> Self {
        let left = event.due.0.duration_since(visit.now.0);
        let waits = matches!(event.state, State::New | State::Seen);
        let open = event.open.as_ref().filter(|_| event.state == State::Seen);
        Self {
            id: event.id,
            when: match (event.taken, event.facts_by) {
                (Some([first, _]), events::Clock::Camera) => by_camera(first),
                _ => dates::moment(event.facts, zone),
            },
            by_box: event.facts_by == events::Clock::Box,
            standing: standing(&event),
            there: event.state.is_there() && event.state != State::Aside,
            due: dates::short(event.due.0.to_zoned(zone.clone()).date()),
            urgency: match () {
                () if !waits => "",
                () if left <= SignedDuration::from_hours(24) => "urgent",
                () if left <= SOON => "bientot",
                () => "",
            },
            open: open.map(|(by, since)| {
                let since = dates::moment(*since, zone);
                format!("{}, {since}", who(sql, session, by))
            }),
            site: event.site,
            camera: event.camera.to_string(),
            light: light(event.light),
            frames: event.frames,
        }
    }
}

#[derive(Template)]
#[template(path = "file.html")]
struct QueuePage {
    shell: Shell,
    lines: Vec<Line>,
    cameras: Vec<(String, String)>,
    asked: Asked,
    query: String,
    total: u64,
    page: u64,
    pages: u64,
    waiting: u64,
    soon: u64,
    retained: u64,
    dismissed: u64,
    unread: usize,
    first: Option<EventId>,
    revocable: Option<Revocable>,
}

impl QueuePage {
    fn is_camera(&self, id: &str) -> bool {
        self.asked.camera.as_deref() == Some(id)
    }

    fn is_light(&self, word: &str) -> bool {
        self.asked.light.as_deref() == Some(word)
    }

    fn is_state(&self, word: &str) -> bool {
        self.asked.state.as_deref() == Some(word)
    }

    fn from_day(&self) -> String {
        self.asked.from.map(|day| day.to_string()).unwrap_or_default()
    }

    fn until_day(&self) -> String {
        self.asked.until.map(|day| day.to_string()).unwrap_or_default()
    }
}

fn queue(visit: &Visit) -> Result<Answer, Refused> {
    let session = visit.session()?;
    let unread = catch_up(visit)?;
    let revocable = Revocable::of(visit)?;
    let asked = Asked::of(visit);
    let page: u64 = visit
        .query("page")
        .and_then(|page| page.parse().ok())
        .unwrap_or(1);
    let shell = visit.shell("File d'examen");
    let office = visit.office();
    let (sql, zone) = (office.desk.store.sql(), office.config.time_zone());
    let filter = asked.filter(&zone);
    let total = list::count(sql, &filter)?;
    let pages = total.div_ceil(ON_A_PAGE).max(1);
    let page = page.clamp(1, pages);
    let events = list::page(sql, &filter, (page - 1) * ON_A_PAGE, ON_A_PAGE)?;
    let undecided = Filter::undecided();
    let soon = BoxTime(visit.now.0.checked_add(SOON).unwrap_or(visit.now.0));
    let midnight = visit.now.0.to_zoned(zone.clone()).start_of_day();
    let today = midnight.map_or(visit.now, |zoned| BoxTime(zoned.timestamp()));
    let [retained, dismissed] = list::decided_by(sql, &session.account, today)?;
    let cameras = office.config.camera.iter();
    let cameras = cameras
        .map(|camera| (camera.id.to_string(), camera.site.clone()))
        .collect();
    let waits = |event: &&Event| matches!(event.state, State::New | State::Seen);
    let view = QueuePage {
        shell,
        first: events.iter().find(waits).map(|event| event.id),
        lines: events
            .into_iter()
            .map(|event| Line::of(event, visit, session, sql, &zone))
            .collect(),
        cameras,
        query: asked.query(),
        asked,
        total,
        page,
        pages,
        waiting: list::count(sql, &undecided)?,
        soon: list::due_before(sql, soon)?,
        retained,
        dismissed,
        unread,
        revocable,
    };
    drop(office);
    Answer::page(&view)
}
