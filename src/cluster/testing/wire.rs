//! The way from one process to the API server: slow, lossy or cut.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body as Told;
use futures::StreamExt as _;
use http::{Request, Response};
use kube::client::Body;
use tokio::sync::Notify;
use tower::{BoxError, Service};

use super::{ApiServer, Asked};

/// What happens to requests on the way; clones are one wire.
#[derive(Clone)]
pub(crate) struct Wire {
    server: ApiServer,
    /// Whose it is.
    owner: String,
    state: Arc<Mutex<State>>,
    thawed: Arc<Notify>,
    died: Arc<Notify>,
}

struct State {
    chance: fastrand::Rng,
    /// Nothing passes, either way.
    cut: bool,
    /// The longest time of one way.
    slowest: Duration,
    /// Answers to be lost: the server does what was asked, and nobody hears of it.
    answers_to_lose: u32,
    /// Nobody answers at the other end.
    down: bool,
    /// Watches tell nothing.
    frozen: bool,
    /// What is such waits before it leaves.
    held: Option<fn(&Asked) -> bool>,
    /// Writes that were sent.
    sent: u32,
    /// Events that watches told.
    told: u32,
    /// The so many-th is lost.
    event_to_lose: u32,
    /// At which write the process dies.
    death: Option<Death>,
}

/// A process dies by one of its writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// Before the so many-th has left.
    Before(u32),
    /// After the server did what the so many-th asked, and before its answer came.
    After(u32),
}

impl Wire {
    pub(crate) fn new(server: &ApiServer, owner: &str, seed: u64) -> Self {
        let chance = fastrand::Rng::with_seed(seed);
        let state = State {
            chance,
            cut: false,
            slowest: Duration::ZERO,
            answers_to_lose: 0,
            down: false,
            frozen: false,
            held: None,
            sent: 0,
            told: 0,
            event_to_lose: 0,
            death: None,
        };
        Self {
            server: server.clone(),
            owner: owner.to_owned(),
            state: Arc::new(Mutex::new(state)),
            thawed: Arc::default(),
            died: Arc::default(),
        }
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

    /// The server is gone, and its watches with it; `false` brings it back.
    pub(crate) fn down(&self, down: bool) {
        self.state.lock().unwrap().down = down;
        self.thawed.notify_waiters();
    }

    fn is_down(&self) -> bool {
        self.state.lock().unwrap().down
    }

    async fn went_down(self) {
        loop {
            let told = self.thawed.notified();
            if self.is_down() {
                return;
            }
            told.await;
        }
    }

    /// Watches tell nothing for a while; what they did not tell they tell afterwards.
    pub(crate) fn freeze(&self, frozen: bool) {
        self.state.lock().unwrap().frozen = frozen;
        self.thawed.notify_waiters();
    }

    /// Requests that are such wait here, until others are said or none.
    pub(crate) fn hold(&self, held: Option<fn(&Asked) -> bool>) {
        self.state.lock().unwrap().held = held;
        self.thawed.notify_waiters();
    }

    async fn pass(&self, asked: &Asked) {
        loop {
            let thawed = self.thawed.notified();
            let held = self.state.lock().unwrap().held;
            if held.is_none_or(|held| !held(asked)) {
                return;
            }
            thawed.await;
        }
    }

    /// The process at this end dies by one of its writes: nothing of it goes through any more.
    pub(crate) fn die(&self, death: Death) {
        self.state.lock().unwrap().death = Some(death);
    }

    /// Resolves when it has died.
    pub(crate) async fn died(&self) {
        self.died.notified().await;
    }

    /// The so many-th event of the watches is lost on the way.
    pub(crate) fn lose_event(&self, number: u32) {
        self.state.lock().unwrap().event_to_lose = number;
    }

    /// How many events the watches told.
    pub(crate) fn told(&self) -> u32 {
        self.state.lock().unwrap().told
    }

    /// Counts an event; whether it arrives.
    fn arrives(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        state.told += 1;
        state.told != state.event_to_lose
    }

    /// How many writes were sent.
    pub(crate) fn sent(&self) -> u32 {
        self.state.lock().unwrap().sent
    }

    /// Counts a write. Whether it leaves, and whether its answer comes.
    fn survives(&self) -> (bool, bool) {
        let mut state = self.state.lock().unwrap();
        state.sent += 1;
        let (leaves, comes) = match state.death {
            Some(Death::Before(number)) if state.sent >= number => (false, false),
            Some(Death::After(number)) if state.sent >= number => (state.sent == number, false),
            _ => (true, true),
        };
        if !comes {
            state.cut = true;
            self.died.notify_one();
        }
        (leaves, comes)
    }

    async fn thaw(&self) {
        loop {
            let thawed = self.thawed.notified();
            if !self.state.lock().unwrap().frozen {
                return;
            }
            thawed.await;
        }
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

    /// The stream of a watch over this wire: it stops while the wire is frozen, and for good when it is cut.
    fn through(&self, answer: Response<Told>) -> Response<Told> {
        let wire = self.clone();
        let down = Box::pin(self.clone().went_down());
        answer.map(|body| {
            let frames = body.into_data_stream();
            let told = frames.filter_map(move |frame| {
                let wire = wire.clone();
                async move {
                    wire.thaw().await;
                    if wire.state.lock().unwrap().cut {
                        std::future::pending::<()>().await;
                    }
                    wire.arrives().then_some(frame)
                }
            });
            Told::from_stream(told.take_until(down))
        })
    }

    fn loses_answer(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        let loses = state.answers_to_lose > 0;
        state.answers_to_lose = state.answers_to_lose.saturating_sub(1);
        loses
    }
}

impl Service<Request<Body>> for Wire {
    type Response = Response<Told>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Told>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let wire = self.clone();
        if wire.is_down() {
            return Box::pin(async { Err("connection refused".into()) });
        }
        // What was sent is on its way, whatever becomes of the sender.
        let answer = tokio::spawn(async move {
            let asked = Asked::read(request).await;
            wire.pass(&asked).await;
            if !wire.way().await {
                return None;
            }
            let counted = !asked.method.is_safe() && !asked.path.contains("/leases");
            let (leaves, comes) = if counted { wire.survives() } else { (true, true) };
            if !leaves {
                return None;
            }
            let answer = wire.server.answer(&wire.owner, &asked);
            let lost = !comes || !asked.method.is_safe() && wire.loses_answer();
            let streams = asked.is_watch() || asked.path.ends_with("/log");
            let answer = if streams { wire.through(answer) } else { answer };
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
