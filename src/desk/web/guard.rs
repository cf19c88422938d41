//! Before every handler: who asks, under which name, with which right, with whose form.
//!
//! Promises, in this order: another Host than the desk's is refused (DNS rebinding); whoever is not logged in reaches
//! [`Act::Enter`] alone; the role is looked up in [`rights::allowed`] here and nowhere else; what needs a valid sheet
//! is refused without one, on the day itself; whatever changes something carries the token that its own page was
//! given, compared in constant time; no form is longer than its bound. And after every handler: headers that let
//! nothing run but our own files, and keep no page.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;

use askama::Template;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::multipart::Field;
use axum::extract::{FromRequest as _, Multipart, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use jiff::SignedDuration;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::visit::{LONGEST_FORM, LONGEST_IN_MEMORY, Lying, Upload, Visit};
use super::{Answer, App, Refused, Route, Shell, Verb, Wire, changes};
use crate::desk::incoming::Incoming;
use crate::desk::rights::{self, Act};
use crate::desk::session::Session;
use crate::transfer;

/// Bytes of one request's uploads at most: a bundle of a quarter.
const LONGEST_UPLOAD: u64 = 16 << 30;

/// Nothing from outside, nothing inline, no frame around us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// The token that forms of the session or visitor with this cookie carry.
pub fn form_token(app: &App, cookie: &str) -> String {
    hex::encode(app.secret.blind("form", cookie))
}

/// Guards one request, lets its handler answer, and puts the answer on the wire.
pub(super) async fn answered(
    app: Arc<App>,
    route: &'static Route,
    path: Vec<(String, String)>,
    request: Request,
) -> Wire {
    let now = (app.clock)();
    let (entrance, request) = match entrance(&app, now, request) {
        Ok(entered) => entered,
        Err(refused) => return bare(&refused),
    };
    let new_visitor = entrance.new_visitor.then(|| entrance.token.clone());
    let tls = app.tls;
    let visit = gather(app, now, entrance, path, request, route).await;
    let done = match visit {
        Ok(visit) => tokio::task::spawn_blocking(move || {
            let answer = let_in(&visit, route).and_then(|()| (route.go)(&visit));
            answer.unwrap_or_else_page(&visit)
        })
        .await
        .unwrap_or_else(|_| bare(&Refused::Failed("the handler stopped".to_owned()))),
        Err(refused) => bare(&refused),
    };
    with_visitor(done, new_visitor, tls)
}

/// For whatever no route is for.
pub(super) async fn nothing_there(app: Arc<App>, request: Request) -> Wire {
    match host_is_ours(&app, request.headers()) {
        Ok(()) => bare(&Refused::NotFound),
        Err(refused) => bare(&refused),
    }
}

struct Entrance {
    session: Option<Arc<Session>>,
    token: String,
    new_visitor: bool,
}

fn entrance(app: &App, now: crate::frame::BoxTime, request: Request) -> Result<(Entrance, Request), Refused> {
    host_is_ours(app, request.headers())?;
    if changes(request.method()) {
        origin_is_ours(app, request.headers())?;
    }
    let idle = SignedDuration::from_mins(i64::from(app.config.idle_minutes));
    let cookie = cookie(request.headers(), cookie_name(app.tls));
    let session = cookie
        .as_deref()
        .and_then(|token| app.sessions.find(token, now, idle));
    let visitor = cookie.filter(|token| session.is_some() || is_token(token));
    let entrance = match visitor {
        Some(token) => Entrance {
            session,
            token,
            new_visitor: false,
        },
        None => Entrance {
            session: None,
            token: fresh_token()?,
            new_visitor: true,
        },
    };
    Ok((entrance, request))
}

/// Reads the form. A form with files is read only from somebody who may send one, and after its token held.
async fn gather(
    app: Arc<App>,
    now: crate::frame::BoxTime,
    entrance: Entrance,
    path: Vec<(String, String)>,
    request: Request,
    route: &Route,
) -> Result<Visit, Refused> {
    let asked_for = request.uri().path().to_owned();
    let query = pairs(request.uri().query().unwrap_or_default().as_bytes());
    let mut visit = Visit {
        app,
        now,
        session: entrance.session,
        token: entrance.token,
        path,
        asked_for,
        query,
        form: Vec::new(),
        uploads: Vec::new(),
        _incoming: None,
        holds: Cell::new(false),
    };
    if route.method == Verb::Get {
        return Ok(visit);
    }
    let media = request.headers().get(header::CONTENT_TYPE);
    let with_files = media.is_some_and(|media| media.as_bytes().starts_with(b"multipart/form-data"));
    if !with_files {
        let bytes = to_bytes(request.into_body(), LONGEST_FORM)
            .await
            .map_err(|_| Refused::TooLong)?;
        visit.form = pairs(&bytes);
        return Ok(visit);
    }
    // Who may not send it is told so by `let_in`, without his files having been read.
    if may(&visit, route.act).is_ok() {
        let mut parts = Multipart::from_request(request, &())
            .await
            .map_err(|_| Refused::TooLong)?;
        take_parts(&mut visit, &mut parts, route.act).await?;
    }
    Ok(visit)
}

async fn take_parts(visit: &mut Visit, parts: &mut Multipart, act: Act) -> Result<(), Refused> {
    let mut taking = Taking {
        // Bundles are long and sealed; anything else is short, may be in clear, and stays in memory.
        incoming: match act {
            Act::Import => Some(incoming(visit)?),
            _ => None,
        },
        room: match act {
            Act::Import => LONGEST_UPLOAD,
            _ => LONGEST_IN_MEMORY,
        },
    };
    let mut fields = LONGEST_FORM;
    while let Some(mut part) = parts.next_field().await.map_err(|_| Refused::TooLong)? {
        let field = part.name().unwrap_or_default().to_owned();
        let Some(name) = part.file_name().map(str::to_owned) else {
            let mut text = Vec::new();
            while let Some(chunk) = part.chunk().await.map_err(|_| Refused::TooLong)? {
                fields = fields.checked_sub(chunk.len()).ok_or(Refused::TooLong)?;
                text.extend_from_slice(&chunk);
            }
            visit
                .form
                .push((field, String::from_utf8_lossy(&text).into_owned()));
            continue;
        };
        // The token stands first in the form, so that nothing is taken for a forged one.
        token_holds(visit)?;
        if visit.uploads.len() >= transfer::MOST_ITEMS + 8 {
            return Err(Refused::TooLong);
        }
        let (held, size) = taking.take(&mut part, visit.uploads.len()).await?;
        visit.uploads.push(Upload {
            field,
            name,
            size,
            held,
        });
    }
    visit._incoming = taking.incoming;
    Ok(())
}

fn incoming(visit: &Visit) -> Result<Incoming, Refused> {
    let folder = visit.office().folder.clone();
    Incoming::new(&folder).map_err(|error| not_written(&folder, &error))
}

/// The files of a form, as they come.
struct Taking {
    incoming: Option<Incoming>,
    room: u64,
}

impl Taking {
    async fn take(&mut self, part: &mut Field<'_>, nth: usize) -> Result<(Lying, u64), Refused> {
        match self
            .incoming
            .as_ref()
            .map(|incoming| incoming.path().join(nth.to_string()))
        {
            Some(path) => self.laid_on_disk(part, path).await,
            None => self.kept_in_memory(part).await,
        }
    }

    async fn next(&mut self, part: &mut Field<'_>) -> Result<Option<Bytes>, Refused> {
        let chunk = part.chunk().await.map_err(|_| Refused::TooLong)?;
        if let Some(chunk) = &chunk {
            self.room = self
                .room
                .checked_sub(chunk.len() as u64)
                .ok_or(Refused::TooLong)?;
        }
        Ok(chunk)
    }

    async fn laid_on_disk(&mut self, part: &mut Field<'_>, path: PathBuf) -> Result<(Lying, u64), Refused> {
        let mut file = tokio::fs::File::create(&path)
            .await
            .map_err(|error| not_written(&path, &error))?;
        let mut size = 0_u64;
        while let Some(chunk) = self.next(part).await? {
            size += chunk.len() as u64;
            let written = tokio::io::AsyncWriteExt::write_all(&mut file, &chunk).await;
            written.map_err(|error| not_written(&path, &error))?;
        }
        let flushed = tokio::io::AsyncWriteExt::flush(&mut file).await;
        flushed.map_err(|error| not_written(&path, &error))?;
        Ok((Lying::File(path), size))
    }

    async fn kept_in_memory(&mut self, part: &mut Field<'_>) -> Result<(Lying, u64), Refused> {
        let mut bytes = Zeroizing::new(Vec::new());
        while let Some(chunk) = self.next(part).await? {
            bytes.extend_from_slice(&chunk);
        }
        let size = bytes.len() as u64;
        Ok((Lying::Memory(bytes), size))
    }
}

fn not_written(path: &std::path::Path, error: &std::io::Error) -> Refused {
    Refused::Failed(format!("{}: {error}", path.display()))
}

/// Whether the visit may be answered at all.
fn let_in(visit: &Visit, route: &Route) -> Result<(), Refused> {
    may(visit, route.act)?;
    match route.method {
        Verb::Get => Ok(()),
        Verb::Post => token_holds(visit),
    }
}

/// The one place where rights are asked for.
fn may(visit: &Visit, act: Act) -> Result<(), Refused> {
    if act == Act::Enter {
        return Ok(());
    }
    let session = visit.session()?;
    if !rights::allowed(session.role, act) {
        return Err(Refused::Forbidden);
    }
    if act.needs_sheet() {
        let today = visit.today();
        if session.sheet_until.is_none_or(|until| until < today) {
            return Err(Refused::NoSheet);
        }
    }
    Ok(())
}

fn token_holds(visit: &Visit) -> Result<(), Refused> {
    let expected = form_token(&visit.app, &visit.token);
    let sent = visit.secret("csrf");
    match bool::from(expected.as_bytes().ct_eq(sent.as_bytes())) {
        true => Ok(()),
        false => Err(Refused::Forged),
    }
}

fn host_is_ours(app: &App, headers: &HeaderMap) -> Result<(), Refused> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match host {
        Some(host) if app.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host)) => Ok(()),
        _ => Err(Refused::Host),
    }
}

/// Browsers say where a form comes from; `null` and other places are not ours. What says nothing is no browser, and
/// is held to the token.
fn origin_is_ours(app: &App, headers: &HeaderMap) -> Result<(), Refused> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let scheme = if app.tls { "https://" } else { "http://" };
    let host = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.strip_prefix(scheme));
    match host {
        Some(host) if app.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host)) => Ok(()),
        _ => Err(Refused::Forged),
    }
}

/// RFC 6265bis §4.1.3.2: under this prefix a browser takes the cookie from this very host alone, and over TLS.
const fn cookie_name(tls: bool) -> &'static str {
    if tls { "__Host-vigie" } else { "vigie" }
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = all
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.to_owned())
}

fn fresh_token() -> Result<String, Refused> {
    let mut token = [0; 32];
    getrandom::fill(&mut token).map_err(|error| Refused::Failed(error.to_string()))?;
    Ok(hex::encode(token))
}

fn is_token(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// `a=b&c=d`, as forms send it (WHATWG URL, application/x-www-form-urlencoded).
fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(encoded).into_owned().collect()
}

trait OrPage {
    fn unwrap_or_else_page(self, visit: &Visit) -> Wire;
}

impl OrPage for Result<Answer, Refused> {
    fn unwrap_or_else_page(self, visit: &Visit) -> Wire {
        match self {
            Ok(answer) => wire(answer, visit.app.tls),
            Err(Refused::Unknown) if visit.asked_for() != "/entree" => {
                wire(Answer::SeeOther("/entree".to_owned()), false)
            }
            Err(refused) => refusal(&refused, visit),
        }
    }
}

#[derive(Template)]
#[template(path = "refus.html")]
struct RefusalPage {
    shell: Shell,
    what: String,
    todo: &'static str,
}

fn refusal(refused: &Refused, visit: &Visit) -> Wire {
    let (status, what, todo) = told(refused);
    let page = RefusalPage {
        shell: visit.shell(what),
        what: what.to_owned(),
        todo,
    };
    let page = match refused {
        Refused::Impossible(message) => RefusalPage {
            what: message.clone(),
            ..page
        },
        _ => page,
    };
    match page.render() {
        Ok(html) => finish(status, "text/html; charset=utf-8", html.into()),
        Err(_) => bare(refused),
    }
}

/// Status, what, and what to do.
fn told(refused: &Refused) -> (StatusCode, &'static str, &'static str) {
    use StatusCode as S;
    match refused {
        Refused::Unknown => (
            S::UNAUTHORIZED,
            "Connexion nécessaire",
            "Connectez-vous, puis recommencez.",
        ),
        Refused::Forbidden => (
            S::FORBIDDEN,
            "Accès refusé",
            "Votre rôle ne permet pas cet acte. Adressez-vous au chef de service.",
        ),
        Refused::NoSheet => (
            S::FORBIDDEN,
            "Fiche d'agent non valide",
            "Aucune image ni aucun dossier ne peut vous être présenté sans habilitation, serment et agrément en cours \
             de validité. Adressez-vous au chef de service.",
        ),
        Refused::NotFound => (
            S::NOT_FOUND,
            "Page introuvable",
            "Vérifiez l'adresse, ou revenez à l'accueil.",
        ),
        Refused::Conflict => (
            S::CONFLICT,
            "Modifié entre-temps",
            "Un autre agent a modifié cet élément depuis l'affichage de la page. Rien n'a été enregistré : rouvrez-le, \
             vérifiez, puis recommencez.",
        ),
        Refused::Forged => (
            S::FORBIDDEN,
            "Formulaire périmé",
            "Ce formulaire n'a pas été envoyé depuis une page de votre session en cours. Rouvrez la page, puis \
             recommencez.",
        ),
        Refused::Host => (
            S::MISDIRECTED_REQUEST,
            "Adresse inconnue",
            "Utilisez l'adresse indiquée au démarrage du programme.",
        ),
        Refused::TooLong => (
            S::PAYLOAD_TOO_LARGE,
            "Envoi trop volumineux",
            "Cet envoi dépasse la taille admise. Importez le lot depuis la clé elle-même.",
        ),
        Refused::Impossible(_) => (
            S::UNPROCESSABLE_ENTITY,
            "Opération impossible",
            "Revenez à la page précédente.",
        ),
        Refused::Store(_) | Refused::Desk(_) | Refused::Cell(_) | Refused::Page(_) | Refused::Failed(_) => {
            tracing::error!(%refused, "a page failed");
            (
                S::INTERNAL_SERVER_ERROR,
                "Erreur du programme",
                "Rien n'a été enregistré. Recommencez ; si l'erreur persiste, prévenez l'administrateur, qui en \
                 trouvera la cause dans le journal technique.",
            )
        }
    }
}

/// Without a shell, for where nobody is known yet.
fn bare(refused: &Refused) -> Wire {
    let (status, what, todo) = told(refused);
    let html = format!(
        "<!doctype html><html lang=\"fr\"><meta charset=\"utf-8\"><title>{what}</title><h1>{what}</h1><p>{todo}</p></html>"
    );
    finish(status, "text/html; charset=utf-8", html.into())
}

fn wire(answer: Answer, tls: bool) -> Wire {
    match answer {
        Answer::Page(html) => finish(StatusCode::OK, "text/html; charset=utf-8", html.into()),
        Answer::SeeOther(to) => see_other(&to),
        Answer::Entered { to, token } => with_visitor(see_other(&to), Some(token), tls),
        Answer::Left(to) => {
            let mut response = see_other(&to);
            set_cookie(&mut response, &format!("{}=; Max-Age=0", cookie_name(tls)), tls);
            response
        }
        Answer::File { media, name, bytes } => {
            let mut response = finish(StatusCode::OK, media, bytes.into());
            if let Some(name) = name {
                let name: String = name
                    .chars()
                    .filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
                    .collect();
                put(
                    &mut response,
                    header::CONTENT_DISPOSITION,
                    &format!("attachment; filename=\"{name}\""),
                );
            }
            response
        }
        Answer::Asset { media, bytes } => {
            let mut response = finish(StatusCode::OK, media, bytes.into());
            put(&mut response, header::CACHE_CONTROL, "no-cache");
            response
        }
    }
}

fn see_other(to: &str) -> Wire {
    let mut response = finish(StatusCode::SEE_OTHER, "text/html; charset=utf-8", Body::empty());
    // Only ever to ourselves.
    let to = if to.starts_with('/') && !to.starts_with("//") {
        to
    } else {
        "/"
    };
    put(&mut response, header::LOCATION, to);
    response
}

fn with_visitor(mut response: Wire, token: Option<String>, tls: bool) -> Wire {
    let sets_one = response.headers().contains_key(header::SET_COOKIE);
    if let Some(token) = token.filter(|_| !sets_one) {
        set_cookie(&mut response, &format!("{}={token}", cookie_name(tls)), tls);
    }
    response
}

fn set_cookie(response: &mut Wire, pair: &str, tls: bool) {
    let secure = if tls { "; Secure" } else { "" };
    put(
        response,
        header::SET_COOKIE,
        &format!("{pair}; Path=/; HttpOnly; SameSite=Strict{secure}"),
    );
}

fn finish(status: StatusCode, media: &'static str, body: Body) -> Wire {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, media),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: browsers would then send forms with the origin `null`.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in [
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

fn put(response: &mut Wire, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
