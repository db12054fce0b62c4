//! The way from one process to the API server: slow, lossy or cut.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use kube::client::Body;
use tower::{BoxError, Service};

use super::{ApiServer, Asked};

/// What happens to requests on the way; clones are one wire.
#[derive(Clone)]
pub(crate) struct Wire {
    server: ApiServer,
    /// Whose it is.
    owner: String,
    state: Arc<Mutex<State>>,
}

struct State {
    chance: fastrand::Rng,
    /// Nothing passes, either way.
    cut: bool,
    /// The longest time of one way.
    slowest: Duration,
    /// Answers to be lost: the server does what was asked, and nobody hears of it.
    answers_to_lose: u32,
}

impl Wire {
    pub(crate) fn new(server: &ApiServer, owner: &str, seed: u64) -> Self {
        let chance = fastrand::Rng::with_seed(seed);
        let state = State { chance, cut: false, slowest: Duration::ZERO, answers_to_lose: 0 };
        Self { server: server.clone(), owner: owner.to_owned(), state: Arc::new(Mutex::new(state)) }
    }

    pub(crate) fn cut(&self, cut: bool) {
        self.state.lock().unwrap().cut = cut;
    }

    pub(crate) fn slow(&self, slowest: Duration) {
        self.state.lock().unwrap().slowest = slowest;
    }

    pub(crate) fn lose_answers(&self, count: u32) {
        self.state.lock().unwrap().answers_to_lose = count;
    }

    /// One way; `false` when what went there is lost.
    async fn way(&self) -> bool {
        let (cut, time) = {
            let mut state = self.state.lock().unwrap();
            let share = state.chance.f64();
            (state.cut, state.slowest.mul_f64(share))
        };
        tokio::time::sleep(time).await;
        !cut
    }

    fn loses_answer(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        let loses = state.answers_to_lose > 0;
        state.answers_to_lose = state.answers_to_lose.saturating_sub(1);
        loses
    }
}

impl Service<Request<Body>> for Wire {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let wire = self.clone();
        // What was sent is on its way, whatever becomes of the sender.
        let answer = tokio::spawn(async move {
            let asked = Asked::read(request).await;
            if !wire.way().await {
                return None;
            }
            let answer = wire.server.answer(&wire.owner, &asked);
            let lost = !asked.method.is_safe() && wire.loses_answer();
            (wire.way().await && !lost).then_some(answer)
        });
        Box::pin(async move {
            match answer.await? {
                Some(answer) => Ok(answer),
                None => std::future::pending().await,
            }
        })
    }
}
