//! Connections that cannot be too many, too slow or too large: what a stranger can hold is bounded, and takes nothing from
//! who was let in.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::Future,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use hyper::{
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use nix::sys::socket::{setsockopt, sockopt::SndBuf};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};

use super::{
    patient::Patient,
    stream::{self, HandOver},
};

/// So many connections may be open on which nobody was let in so far; the oldest makes room for the next.
const STRANGERS: usize = 256;
/// So many connections may be open in all. More wait until one is closed.
const CONNECTIONS: usize = 4_096;
/// A request's head comes within this time, also the next one's on a connection that is kept open.
const HEAD: Duration = Duration::from_secs(20);
/// An answer begins within this time of its request's head: an action may wait a minute for a run to begin.
const ANSWER: Duration = Duration::from_mins(2);
/// Who reads nothing of an answer for so long is gone.
const READER: Duration = Duration::from_secs(30);
/// The largest head of a request, in bytes, and the most fields of one.
const HEAD_BYTES: usize = 16 << 10;
const HEAD_FIELDS: usize = 64;
/// The most that a connection keeps in memory of what is read or written, in bytes.
const BUFFER: usize = 64 << 10;
/// The most that the system keeps for a connection of what is sent and not read, in bytes. Its own bound is some MiB.
const SYSTEM_BUFFER: usize = 128 << 10;
/// How long nothing is accepted when the system has no descriptor left.
const PAUSE: Duration = Duration::from_millis(250);

/// What happens on a connection before requests come over it.
pub trait Greeting: Clone + Send + 'static {
    /// What they come over.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send;

    /// Greets who connects. It may take no longer than the head of a request.
    fn greet(self, stream: TcpStream) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// No greeting.
#[derive(Clone, Copy, Debug)]
struct Plain;

impl Greeting for Plain {
    type Stream = TcpStream;

    async fn greet(self, stream: TcpStream) -> io::Result<TcpStream> {
        Ok(stream)
    }
}

/// Serves `routes` for as long as it is polled. Connections end with it.
pub async fn serve(listener: TcpListener, routes: Router) {
    serve_with(listener, routes, Plain).await;
}

/// The same to those who were greeted.
pub async fn serve_with<G: Greeting>(listener: TcpListener, routes: Router, greeting: G) {
    let mut connections = JoinSet::new();
    let strangers = Arc::new(Strangers::default());
    let mut number = 0;
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    if let Err(error) = setsockopt(&stream, SndBuf, &SYSTEM_BUFFER) {
                        tracing::debug!(%error, "the system keeps its own bound on what is sent and not read");
                    }
                    number += 1;
                    let guest = Guest { number, known: AtomicBool::new(false), strangers: Arc::clone(&strangers) };
                    let guest = greeted(stream, greeting.clone(), routes.clone(), guest);
                    strangers.arrive(number, || connections.spawn(guest));
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, connections = connections.len(), "no connection can be accepted for now");
                    strangers.make_room();
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Connections on which nobody was let in, the oldest first.
#[derive(Debug, Default)]
struct Strangers(Mutex<VecDeque<(u64, AbortHandle)>>);

impl Strangers {
    fn all(&self) -> std::sync::MutexGuard<'_, VecDeque<(u64, AbortHandle)>> {
        // It is whole after any panic: each use is one change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a connection that `begin` begins. Nobody is forgotten meanwhile: one that is let in at once would be noted
    /// after that, and be closed one day to make room.
    fn arrive(&self, number: u64, begin: impl FnOnce() -> AbortHandle) {
        let mut all = self.all();
        let handle = begin();
        if all.len() >= STRANGERS {
            all.retain(|(_, handle)| !handle.is_finished());
        }
        if all.len() >= STRANGERS
            && let Some((_, oldest)) = all.pop_front()
        {
            oldest.abort();
        }
        all.push_back((number, handle));
    }

    fn make_room(&self) {
        if let Some((_, oldest)) = self.all().pop_front() {
            oldest.abort();
        }
    }

    fn forget(&self, number: u64) {
        self.all().retain(|(other, _)| *other != number);
    }
}

/// Who is on a connection.
#[derive(Debug)]
struct Guest {
    number: u64,
    /// Whether a request of his was let in.
    known: AtomicBool,
    strangers: Arc<Strangers>,
}

impl Guest {
    fn was_answered(&self, status: StatusCode) {
        let let_in = !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        if let_in && !self.known.swap(true, Ordering::Relaxed) {
            self.strangers.forget(self.number);
        }
    }
}

async fn greeted<G: Greeting>(stream: TcpStream, greeting: G, routes: Router, guest: Guest) {
    match tokio::time::timeout(HEAD, greeting.greet(stream)).await {
        Ok(Ok(stream)) => return connection(stream, routes, guest).await,
        Ok(Err(error)) => tracing::debug!(%error, "a connection was not begun"),
        Err(late) => tracing::debug!(%late, "a connection was not begun"),
    }
    guest.strangers.forget(guest.number);
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin + Send>(stream: S, routes: Router, guest: Guest) {
    let routes = TowerToHyperService::new(routes);
    let guest = Arc::new(guest);
    let (hand_over, handed_over) = HandOver::new();
    let hand_over = Arc::new(hand_over);
    let service = service_fn(|request| {
        let answer = tokio::time::timeout(ANSWER, routes.call(request));
        let (guest, hand_over) = (Arc::clone(&guest), Arc::clone(&hand_over));
        async move {
            let response: Response = match answer.await {
                Ok(Ok(response)) => response,
                Ok(Err(never)) => match never {},
                Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
            };
            guest.was_answered(response.status());
            if stream::goes_on(&response) {
                hand_over.give(response).await;
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_headers(HEAD_FIELDS)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(Patient::new(stream, READER)), service);
    let response = tokio::select! {
        served = &mut serving => {
            if let Err(error) = served {
                tracing::debug!(error = &error as &dyn std::error::Error, "a connection has broken off");
            }
            None
        }
        Ok(response) = handed_over => Some(response),
    };
    if let Some(response) = response {
        let stream = serving.into_parts().io.into_inner();
        if let Err(error) = stream::send(stream, response).await {
            tracing::debug!(%error, "a listener is gone");
        }
    }
    guest.strangers.forget(guest.number);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_is_let_in_at_once_is_no_stranger_any_more() {
        let strangers = Arc::new(Strangers::default());
        let (let_in, told) = (Arc::clone(&strangers), std::sync::mpsc::channel());
        let mut letting_in = None;
        strangers.arrive(1, || {
            letting_in = Some(std::thread::spawn(move || {
                told.0.send(()).unwrap();
                let_in.forget(1);
            }));
            told.1.recv().unwrap();
            tokio::spawn(async {}).abort_handle()
        });
        letting_in.unwrap().join().unwrap();
        assert!(strangers.all().is_empty());
    }
}
