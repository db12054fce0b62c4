//! Live pages: streams of server-sent events, each the newest state and never a backlog.
//!
//! A listener that is slow misses states in between and never the last one, so that nothing is kept for it; one that
//! comes back with `Last-Event-ID` is told at once if anything is new.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::Stream;
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    error::PageError,
    pages::run_of,
    routes::Site,
    view::{JobEntry, View},
};

/// How often a stream in which nothing happens says that it is there, so that a dead one is noticed.
const ALIVE: Duration = Duration::from_secs(15);

/// The state of something, with the number of its change. `None` before it was read.
type Newest = Option<(u64, Arc<str>)>;

/// The runs that somebody listens to: each is read once a change, however many listen.
#[derive(Debug)]
pub struct Feeds {
    /// Of this process: numbers of another one mean nothing here.
    boot: String,
    runs: Mutex<HashMap<(String, u32), watch::Sender<Newest>>>,
}

impl Feeds {
    /// None yet.
    pub fn new() -> Self {
        Self { boot: Uuid::new_v4().simple().to_string()[..8].to_owned(), runs: Mutex::default() }
    }

    fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.boot)
    }

    /// The number that a returning listener has seen.
    fn seen(&self, headers: &HeaderMap) -> Option<u64> {
        let id = headers.get("last-event-id")?.to_str().ok()?;
        id.strip_prefix(&self.boot)?.strip_prefix('-')?.parse().ok()
    }
}

/// The stream of `states`, without the one that was `seen`.
fn stream(
    feeds: &Feeds,
    states: watch::Receiver<Newest>,
    seen: Option<u64>,
    name: &'static str,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let boot = feeds.id(0);
    let boot = boot.trim_end_matches('0').to_owned();
    let events = futures::stream::unfold((states, seen), move |(mut states, seen)| {
        let boot = boot.clone();
        async move {
            loop {
                let now = states.borrow_and_update().clone();
                if let Some((number, text)) = now.filter(|(number, _)| Some(*number) != seen) {
                    let event = Event::default().id(format!("{boot}{number}")).event(name).data(&*text);
                    return Some((Ok(event), (states, Some(number))));
                }
                states.changed().await.ok()?;
            }
        }
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE))
}

/// `GET /events`: that something has changed, and the number of the change.
pub async fn all<V: View>(
    State(site): State<Site<V>>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut revisions = site.view.revision();
    let now = |revision: u64| Some((revision, Arc::from(format!("{{\"revision\":{revision}}}"))));
    let (sender, receiver) = watch::channel(now(*revisions.borrow_and_update()));
    tokio::spawn(async move {
        loop {
            tokio::select! {
                changed = revisions.changed() => if changed.is_err() { return },
                () = sender.closed() => return,
            }
            sender.send_replace(now(*revisions.borrow_and_update()));
        }
    });
    stream(&site.feeds, receiver, site.feeds.seen(&headers), "change")
}

/// `GET /jobs/{job}/runs/{run}/events`: the run, whenever it has changed.
pub async fn run<V: View>(
    State(site): State<Site<V>>,
    Path((key, run)): Path<(String, u32)>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, PageError> {
    let (job, _) = run_of(&*site.view, &key, run).await?;
    let states = subscribe(&site, job, run);
    Ok(stream(&site.feeds, states, site.feeds.seen(&headers), "run"))
}

fn subscribe<V: View>(site: &Site<V>, job: JobEntry, run: u32) -> watch::Receiver<Newest> {
    let mut runs = site.feeds.runs.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (job.key.clone(), run);
    if let Some(sender) = runs.get(&key) {
        return sender.subscribe();
    }
    let (sender, receiver) = watch::channel(None);
    runs.insert(key, sender.clone());
    drop(runs);
    tokio::spawn(follow(site.clone(), job, run, sender));
    receiver
}

/// Reads a run whenever something has changed, until nobody listens.
async fn follow<V: View>(site: Site<V>, job: JobEntry, run: u32, sender: watch::Sender<Newest>) {
    let mut revisions = site.view.revision();
    loop {
        let revision = *revisions.borrow_and_update();
        match site.view.run(&job, run).await {
            Ok(Some(entry)) => {
                let text: Arc<str> =
                    serde_json::to_string(&entry).expect("a run has no keys that JSON lacks").into();
                sender.send_if_modified(|state| {
                    let new = state.as_ref().is_none_or(|(_, known)| *known != text);
                    if new {
                        *state = Some((revision, text));
                    }
                    new
                });
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a run is not followed for now");
            }
        }
        tokio::select! {
            changed = revisions.changed() => if changed.is_err() { return },
            () = sender.closed() => {}
        }
        // Under the lock, so that nobody subscribes to what is about to be forgotten.
        let mut runs = site.feeds.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if sender.receiver_count() == 0 {
            runs.remove(&(job.key.clone(), run));
            return;
        }
    }
}
