//! The fence: nothing is written unless this process led a moment ago.
//!
//! A leader that was paused, or cut off from the API server, does not know that another leads. Its own clocks tell it
//! that it can no longer be sure, and that is enough: the fence shuts before anybody else may take the lease over.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use http::Request;
use jiff::Timestamp;
use kube::client::Body;
use tokio::sync::watch;
use tower::{BoxError, Layer, Service};

use crate::driver::clock::since_boot;

/// So long after the beginning of the last renewal that succeeded writes are let through.
pub const OPEN_FOR: Duration = Duration::from_secs(10);
/// The longest a write may take. With [`OPEN_FOR`] it stays below the time after which another may lead.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(4);

/// The longest until something that is read begins to arrive: lists may be long.
pub const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// A moment by both clocks that can be trusted for something: neither alone survives sleep and a changed date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Since the machine was started, time asleep included.
    pub boot: Duration,
    /// The wall clock.
    pub wall: Timestamp,
}

impl Moment {
    /// How long before `later` it was, by the clock that says longer.
    pub fn until(self, later: Self) -> Duration {
        let wall = Duration::try_from(later.wall.duration_since(self.wall)).unwrap_or_default();
        later.boot.saturating_sub(self.boot).max(wall)
    }
}

/// The clocks of a machine.
pub trait Clocks: Clone + Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Moment;
}

/// The clocks of this machine.
#[derive(Clone, Copy, Debug)]
pub struct MachineClocks;

impl Clocks for MachineClocks {
    fn now(&self) -> Moment {
        Moment { boot: since_boot(), wall: Timestamp::now() }
    }
}

/// A write that was not sent, since another process may lead by now.
#[derive(Debug, thiserror::Error)]
#[error("not sent: this process may no longer be the leader")]
pub struct Fenced;

/// A request that took too long. Whether a write was done is not known.
#[derive(Debug, thiserror::Error)]
#[error("the API server did not answer in time")]
pub struct NoAnswer;

/// Opens and shuts the way to the API server for everything that writes. Clones are one fence.
#[derive(Clone, Debug)]
pub struct Fence<C> {
    clocks: C,
    open_for: Duration,
    state: Arc<Mutex<State>>,
    /// Nothing is let through in another term.
    only: Option<u64>,
    in_flight: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    renewed: Option<Moment>,
    term: u64,
}

impl<C: Clocks> Fence<C> {
    /// A fence that is shut.
    pub fn new(clocks: C) -> Self {
        Self::open_for(clocks, OPEN_FOR)
    }

    pub(super) fn open_for(clocks: C, open_for: Duration) -> Self {
        Self { clocks, open_for, state: Arc::default(), only: None, in_flight: watch::Sender::new(0) }
    }

    /// The same fence for who acts in that term alone: what was begun in one term is not written in another, when
    /// somebody else may have led in between.
    pub fn in_term(&self, term: u64) -> Self {
        Self { only: Some(term), ..self.clone() }
    }

    /// Opens it: a renewal that began then has succeeded. A fence that was shut, by whatever, opens for another term.
    pub fn open(&self, began: Moment) {
        let mut state = self.state();
        state.term += u64::from(self.left(&state).is_none());
        state.renewed = Some(began);
    }

    /// Shuts it.
    pub fn shut(&self) {
        self.state().renewed = None;
    }

    /// How often it was opened anew.
    pub fn term(&self) -> u64 {
        self.state().term
    }

    /// How long it stays open; `None` when it is shut.
    pub fn remaining(&self) -> Option<Duration> {
        self.left(&self.state())
    }

    fn left(&self, state: &State) -> Option<Duration> {
        let age = state.renewed?.until(self.clocks.now());
        self.open_for.checked_sub(age).filter(|left| !left.is_zero())
    }

    /// Whether writes are let through now.
    pub fn is_open(&self) -> bool {
        self.remaining().is_some()
    }

    /// Resolves when every write that was let through has been answered or given up.
    pub async fn quiet(&self) {
        // The sender is `self`'s, so the wait cannot fail.
        let _ = self.in_flight.subscribe().wait_for(|count| *count == 0).await;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass(&self) -> Option<Pass> {
        let open = {
            let state = self.state();
            self.left(&state).is_some() && self.only.is_none_or(|term| term == state.term)
        };
        open.then(|| {
            self.in_flight.send_modify(|count| *count += 1);
            Pass(self.in_flight.clone())
        })
    }
}

/// A write on its way.
struct Pass(watch::Sender<usize>);

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl<S, C: Clocks> Layer<S> for Fence<C> {
    type Service = FencedService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        FencedService { inner, fence: self.clone() }
    }
}

/// A way to the API server with the fence on it.
#[derive(Clone, Debug)]
pub struct FencedService<S, C> {
    inner: S,
    fence: Fence<C>,
}

impl<S, C> Service<Request<Body>> for FencedService<S, C>
where
    S: Service<Request<Body>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    C: Clocks,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.method().is_safe() {
            let answer = tokio::time::timeout(READ_TIMEOUT, self.inner.call(request));
            return Box::pin(async {
                answer.await.map_err(|_| BoxError::from(NoAnswer))?.map_err(Into::into)
            });
        }
        let Some(pass) = self.fence.pass() else { return Box::pin(async { Err(Fenced.into()) }) };
        let answer = tokio::time::timeout(WRITE_TIMEOUT, self.inner.call(request));
        Box::pin(async move {
            let _pass = pass;
            answer.await.map_err(|_| BoxError::from(NoAnswer))?.map_err(Into::into)
        })
    }
}
