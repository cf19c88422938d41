//! The pages: one table of routes, one guard before all of them, handlers that are plain functions.
//!
//! Promises: no handler runs for a request that the guard did not let ([`guard`]); no page loads anything from
//! outside, runs anything inline or is kept by the browser; what a handler answers wrongly is a French page, never
//! a stack trace. Handlers are synchronous and run off the threads that serve, so SQLite and JPEG block nobody.

pub mod answer;
pub mod assets;
pub mod dates;
pub mod download;
pub mod guard;
pub mod input;
pub mod pager;
pub mod pages;
pub mod server;
pub mod shell;
pub mod tls;
mod typography;
pub mod visit;

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{DefaultBodyLimit, RawPathParams, Request, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use jiff::SignedDuration;

use super::accounts;
use super::accounts::founding::is_founded;
use super::accounts::waiting::{Gate, Waiting};
use super::office::Office;
use super::retention::marks;
use super::review::dismissal::{self, Whose};
use super::rights::Act;
use super::session::{End, Sessions};
use crate::frame::BoxTime;
pub use answer::{Answer, FieldError, Refused};
pub use download::Download;
pub use input::{FormPage, Input};
pub use pager::Pager;
pub use shell::Shell;
pub use visit::Visit;

/// What a page is asked for with, and what answers.
#[derive(Clone, Copy)]
pub struct Route {
    /// `GET` or `POST`.
    pub method: Verb,
    /// In axum's form: `/evenement/{id}`.
    pub path: &'static str,
    /// The right that it takes.
    pub act: Act,
    /// What answers.
    pub go: fn(&Visit) -> Result<Answer, Refused>,
}

/// The two methods that browsers' forms know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Shows; changes nothing but the journal.
    Get,
    /// Changes; needs the CSRF token.
    Post,
}

impl Verb {
    fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
        }
    }
}

/// A page that is shown.
pub const fn get(path: &'static str, act: Act, go: fn(&Visit) -> Result<Answer, Refused>) -> Route {
    Route {
        method: Verb::Get,
        path,
        act,
        go,
    }
}

/// A form that is sent.
pub const fn post(path: &'static str, act: Act, go: fn(&Visit) -> Result<Answer, Refused>) -> Route {
    Route {
        method: Verb::Post,
        path,
        act,
        go,
    }
}

/// Every route there is.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    pages::ALL.iter().flat_map(|of_page| of_page.iter())
}

/// What every page shares.
pub struct App {
    /// The desk; held shortly, by one page at a time.
    pub office: Mutex<Office>,
    /// What the city decided, as the desk was opened with it: at hand without waiting for the desk, so that a page that
    /// holds it can have its shell, and nothing that serves ever waits.
    pub config: super::config::Office,
    /// Who is logged in.
    pub sessions: Sessions,
    /// Who is on the way in.
    pub waiting: Waiting,
    /// Who may put the desk into service.
    pub gate: Gate,
    /// The clock: a test passes its own.
    pub clock: Box<dyn Fn() -> BoxTime + Send + Sync>,
    /// Whether pages are served over TLS, so that cookies must be.
    pub tls: bool,
    /// Hosts by which browsers may ask: `localhost:8080`.
    pub hosts: Vec<String>,
    /// Of this process alone: signs the tokens in forms.
    pub secret: super::cell::CellKey,
    /// The import that is under way.
    pub importing: pages::import::job::Importing,
    /// The latest hour that retention's mark believed in: rights are judged by no earlier one (docs/decisions/0013).
    believed: Mutex<BoxTime>,
}

impl App {
    /// Around an open desk.
    pub fn new(
        office: Office,
        clock: impl Fn() -> BoxTime + Send + Sync + 'static,
        tls: bool,
        hosts: Vec<String>,
    ) -> Result<Self, accounts::Error> {
        let founded = is_founded(office.desk.store.sql())?;
        let gate = if founded { Gate::walled_up() } else { Gate::new()? };
        let believed = believed(&office, clock())?;
        Ok(Self {
            believed: Mutex::new(believed),
            config: office.config.clone(),
            office: Mutex::new(office),
            sessions: Sessions::default(),
            waiting: Waiting::default(),
            gate,
            clock: Box::new(clock),
            tls,
            hosts,
            secret: super::cell::CellKey::generate()?,
            importing: pages::import::job::Importing::default(),
        })
    }

    /// The hour by which rights are judged: a clock that was set back makes no right last longer.
    pub fn latest(&self, now: BoxTime) -> BoxTime {
        now.max(*self.believed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Somebody said that the clock is right: from then on, the mark is what he said.
    pub fn believe(&self, mark: BoxTime) {
        *self.believed.lock().unwrap_or_else(PoisonError::into_inner) = mark;
    }

    /// Ends every session, for the program stops: each end is written down.
    pub fn stop(&self) -> Result<(), accounts::Error> {
        self.sessions.end_all(End::Stopped, (self.clock)());
        self.sweep()
    }

    /// Ends what is over though nobody asks for a page, and writes down every end; destroys what was put aside and can be
    /// taken back no more. To be called several times a minute.
    pub fn sweep(&self) -> Result<(), accounts::Error> {
        let now = (self.clock)();
        self.waiting.sweep(now);
        let mut office = self.office.lock().unwrap_or_else(PoisonError::into_inner);
        self.believe(self.latest(believed(&office, now)?));
        let idle = SignedDuration::from_mins(i64::from(office.config.idle_minutes));
        self.sessions.sweep(now, idle);
        settle(&mut office, Whose::Over, now);
        for ended in self.sessions.take_ended() {
            // What somebody put aside is not taken back once he has left.
            settle(&mut office, Whose::Of(&ended.account), now);
            self.importing.stop(Some(&ended.account));
            accounts::entry::ended(office.store(), &ended, now)?;
        }
        Ok(())
    }
}

fn believed(office: &Office, now: BoxTime) -> Result<BoxTime, accounts::Error> {
    let mark =
        marks::at(&office.desk.store, now).map_err(|_| accounts::Error::Damaged("mark of the clock"))?;
    Ok(mark.believed)
}

/// Destroys what was put aside. Where that fails, the next sweep tries again.
fn settle(office: &mut Office, whose: Whose<'_>, now: BoxTime) {
    if let Err(error) = dismissal::settle(office.store(), whose, now) {
        tracing::error!(%error, "what was put aside is not destroyed yet");
    }
}

/// The service that answers requests.
pub fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    for route in routes() {
        let answer = move |State(app): State<Arc<App>>, path: RawPathParams, request: Request| async move {
            let path = path
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            guard::answered(app, route, path, request).await
        };
        router = router.route(route.path, on(route.method.filter(), answer));
    }
    router
        .fallback(|State(app): State<Arc<App>>, request: Request| async move {
            guard::nothing_there(app, request).await
        })
        .method_not_allowed_fallback(|State(app): State<Arc<App>>, request: Request| async move {
            guard::nothing_there(app, request).await
        })
        // Without axum's own bound of 2 MB, which no bundle keeps: the guard has its own.
        .layer(DefaultBodyLimit::disable())
        .with_state(app)
}

/// Whether a request may change something.
fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

/// What a handler's answer becomes on the wire.
type Wire = Response;
