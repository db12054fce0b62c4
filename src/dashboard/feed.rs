//! Live pages: streams of server-sent events, each the newest state and never a backlog.
//!
//! A listener that is slow misses states in between and never the last one, so that nothing is kept for it; one that
//! comes back with `Last-Event-ID` is told at once if anything is new. A state is written once, as it is sent, however many
//! listen.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use uuid::Uuid;

use super::{
    error::PageError,
    pages::run_of,
    routes::Site,
    view::{JobEntry, View},
};

/// How often a stream in which nothing happens says that it is there, so that a dead one is noticed.
const ALIVE: Duration = Duration::from_secs(15);

/// So many may listen at a time.
const LISTENERS: usize = 2_000;
/// So many may follow logs at a time.
const READERS: usize = 200;

fn full(what: &str, places: usize) -> PageError {
    let message = format!("{places} {what} already, and no more may at a time.");
    PageError::new(StatusCode::SERVICE_UNAVAILABLE, "Too many listen", message)
        .with_hint("close pages that are not looked at, or reload this one later")
}

/// The state of something as an event that says it, with the number of its change. `None` before it was read.
type Newest = Option<(u64, Bytes)>;

/// What a stream in which nothing happens says.
const HERE: Bytes = Bytes::from_static(b":\n\n");

/// The runs that somebody listens to: each is read once a change, however many listen.
#[derive(Debug)]
pub struct Feeds {
    /// Of this process: numbers of another one mean nothing here.
    boot: String,
    runs: Mutex<HashMap<(String, u32), watch::Sender<Newest>>>,
    /// Places of those who listen.
    listeners: Arc<Semaphore>,
    /// Places of those who follow a log: each reads files.
    readers: Arc<Semaphore>,
}

impl Feeds {
    /// None yet.
    pub fn new() -> Self {
        Self {
            boot: Uuid::new_v4().simple().to_string()[..8].to_owned(),
            runs: Mutex::default(),
            listeners: Arc::new(Semaphore::new(LISTENERS)),
            readers: Arc::new(Semaphore::new(READERS)),
        }
    }

    /// The event called `name` with `value`, at the change of this number.
    fn event(&self, name: &str, number: u64, value: &impl Serialize) -> Bytes {
        // JSON in one line: each line of an event's data would need a field of its own.
        let data = serde_json::to_string(value).expect("a state has no keys that JSON lacks");
        format!("id: {}-{number}\nevent: {name}\ndata: {data}\n\n", self.boot).into()
    }

    /// A place among those who listen.
    fn listen(&self) -> Result<OwnedSemaphorePermit, PageError> {
        Arc::clone(&self.listeners).try_acquire_owned().map_err(|_| full("listen", LISTENERS))
    }

    /// A place among those who follow a log.
    pub fn read(&self) -> Result<OwnedSemaphorePermit, PageError> {
        Arc::clone(&self.readers).try_acquire_owned().map_err(|_| full("follow logs", READERS))
    }

    /// The number that a returning listener has seen.
    fn seen(&self, headers: &HeaderMap) -> Option<u64> {
        let id = headers.get("last-event-id")?.to_str().ok()?;
        id.strip_prefix(&self.boot)?.strip_prefix('-')?.parse().ok()
    }
}

/// The stream of the newest of `states`, each with the number of its change, without the one that was `seen`. It takes
/// the place of a listener for as long as it lasts.
fn stream<T: Clone + Send + Sync + 'static>(
    feeds: &Feeds,
    states: watch::Receiver<T>,
    told: impl Fn(T) -> Newest + Send + Sync + 'static,
    seen: Option<u64>,
) -> Result<Response, PageError> {
    let place = feeds.listen()?;
    let told = Arc::new(told);
    let events = futures::stream::unfold((states, seen, place), move |(mut states, seen, place)| {
        let told = Arc::clone(&told);
        async move {
            loop {
                let now = told(states.borrow_and_update().clone());
                if let Some((number, event)) = now.filter(|(number, _)| Some(*number) != seen) {
                    return Some((Ok::<_, Infallible>(event), (states, Some(number), place)));
                }
                match tokio::time::timeout(ALIVE, states.changed()).await {
                    Ok(changed) => changed.ok()?,
                    Err(_) => return Some((Ok(HERE), (states, seen, place))),
                }
            }
        }
    });
    let mut response = Response::new(Body::from_stream(events));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// That something has changed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Change {
    /// Another one than before.
    revision: u64,
}

/// `GET /api/v1/events`: that something has changed, and the number of the change.
pub async fn all<V: View>(State(site): State<Site<V>>, headers: HeaderMap) -> Result<Response, PageError> {
    let feeds = Arc::clone(&site.feeds);
    let told = move |revision| Some((revision, feeds.event("change", revision, &Change { revision })));
    stream(&site.feeds, site.view.revision(), told, site.feeds.seen(&headers))
}

/// `GET /api/v1/jobs/{job}/runs/{run}/events`: the run, whenever it has changed.
pub async fn run<V: View>(
    State(site): State<Site<V>>,
    Path((key, run)): Path<(String, u32)>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let (job, _) = run_of(&*site.view, &key, run).await?;
    let states = subscribe(&site, job, run);
    stream(&site.feeds, states, |newest| newest, site.feeds.seen(&headers))
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
    let mut known = Vec::new();
    loop {
        let revision = *revisions.borrow_and_update();
        match site.view.run(&job, run).await {
            Ok(Some(entry)) => {
                let text = serde_json::to_vec(&entry).expect("a run has no keys that JSON lacks");
                if known != text {
                    sender.send_replace(Some((revision, site.feeds.event("run", revision, &entry))));
                    known = text;
                }
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
