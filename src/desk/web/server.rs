//! Listening: plain on loopback, over TLS everywhere else, never otherwise.
//!
//! Promises: no page travels in clear over a network; whoever stops the program (SIGTERM, Ctrl-C) lets the pages in
//! hand be answered; nothing is ever connected to.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;

use super::tls::Channel;
use super::{App, router};
use crate::desk::{config, daily};

/// How often sessions that are over end, and what was put aside is destroyed, though nobody asks for a page.
const SWEEP: Duration = Duration::from_secs(10);
/// How long a stop waits for the pages in hand.
const LAST_PAGES: Duration = Duration::from_secs(5);

/// The names under which browsers may ask for the desk that listens on `address`.
pub fn hosts(config: &config::Office, address: SocketAddr) -> Vec<String> {
    let port = address.port();
    let mut names = config.hosts.clone();
    names.push(match address {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    });
    if address.ip().is_loopback() {
        names.push("localhost".to_owned());
    }
    // Browsers leave out the port that a scheme implies.
    let implied = if address.ip().is_loopback() { 80 } else { 443 };
    let bare = if port == implied {
        names.clone()
    } else {
        Vec::new()
    };
    let with_port = names.iter().map(|name| format!("{name}:{port}"));
    with_port.chain(bare).collect()
}

/// Serves until the program is told to stop.
pub fn serve(app: App, listener: TcpListener, channel: Channel) -> io::Result<()> {
    if !channel.is_tls() && !listener.local_addr()?.ip().is_loopback() {
        let what = "pages in clear are for this machine alone";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let handle = Handle::new();
        tokio::spawn(stop_on_signal(handle.clone()));
        let app = Arc::new(app);
        let sweeping = tokio::spawn(sweep(app.clone()));
        let hourly = tokio::spawn(every_hour(app.clone()));
        let service = router(app.clone()).into_make_service();
        let served = match channel {
            Channel::Clear => {
                axum_server::from_tcp(listener)?
                    .handle(handle)
                    .serve(service)
                    .await
            }
            Channel::Tls { server, .. } => {
                let config = RustlsConfig::from_config(server);
                let server = axum_server::from_tcp_rustls(listener, config)?;
                server.handle(handle).serve(service).await
            }
        };
        sweeping.abort();
        hourly.abort();
        app.importing.stop(None);
        app.importing.finish();
        if let Err(error) = app.stop() {
            tracing::error!(%error, "the ends of the sessions are not written down");
        }
        served
    })
}

/// Whoever leaves without logging out is logged out though nobody asks for a page, and his keys are wiped; what was put
/// aside is destroyed.
async fn sweep(app: Arc<App>) {
    let mut often = tokio::time::interval(SWEEP);
    loop {
        often.tick().await;
        let app = app.clone();
        match tokio::task::spawn_blocking(move || app.sweep()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "what is over was not ended; it is tried again"),
            Err(error) => tracing::error!(%error, "what is over was not ended; it is tried again"),
        }
    }
}

/// What the desk does by itself while it is served. A machine that slept has not run: the monotonic clock stands still.
async fn every_hour(app: Arc<App>) {
    let mut last = Instant::now();
    loop {
        tokio::time::sleep(daily::EVERY).await;
        let ran = last.elapsed();
        last = Instant::now();
        let app = app.clone();
        let done = tokio::task::spawn_blocking(move || {
            let now = (app.clock)();
            let mut office = app.office.lock().unwrap_or_else(PoisonError::into_inner);
            daily::run(&mut office, now, ran)
        });
        match done.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "what is due was not carried out; it is tried again in an hour")
            }
            Err(error) => {
                tracing::error!(%error, "what is due was not carried out; it is tried again in an hour")
            }
        }
    }
}

async fn stop_on_signal(handle: Handle<SocketAddr>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::warn!("a stop by signal will not be clean");
        return;
    };
    let term = std::pin::pin!(term.recv());
    let int = std::pin::pin!(int.recv());
    first(term, int).await;
    handle.graceful_shutdown(Some(LAST_PAGES));
}

async fn first(one: impl Future + Unpin, other: impl Future + Unpin) {
    let (mut one, mut other) = (one, other);
    std::future::poll_fn(|context| {
        let done = std::pin::Pin::new(&mut one).poll(context).is_ready()
            || std::pin::Pin::new(&mut other).poll(context).is_ready();
        if done {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}
