//! An API server in memory, for tests in paused time: objects with resource versions, a status subresource, conflicts,
//! finalizers, owners, lists and watches; wires to it that can be slow, cut or frozen; and a kubelet.

mod address;
#[path = "../../../tests/it/fake_api/mod.rs"]
#[expect(dead_code, unused_imports, reason = "other tests use the rest of it")]
pub(crate) mod fake_api;
mod kubelet;
mod objects;
mod process;
mod watch;
pub(crate) mod wire;

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, atomic::AtomicI64},
};

use axum::body::Body as Told;
use futures::stream;
use http::{Method, Request, Response, StatusCode, header::DATE};
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::{sync::watch as tell, time::Instant};

use self::{
    address::{Address, Query},
    objects::{Objects, Refusal},
};
pub(crate) use self::{
    kubelet::{Kubelet, Lived, Played},
    process::{Operator, TestClocks},
};

/// The server; clones are one.
#[derive(Clone)]
pub(crate) struct ApiServer {
    state: Arc<Mutex<State>>,
    /// The version of the last change.
    changed: tell::Sender<u64>,
    /// By how many seconds the clocks of operators were set.
    clock: Arc<AtomicI64>,
}

struct State {
    objects: Objects,
    writes: Vec<Write>,
    /// Watches from before this version have expired.
    expired: u64,
    /// What Pods have said, by path.
    said: BTreeMap<String, Vec<String>>,
    /// What nobody may read, by path.
    forbidden: BTreeSet<String>,
    /// Why no Pod is taken.
    no_pods: Option<&'static str>,
    /// When a Pod was not taken.
    refused: Vec<Instant>,
}

/// A write that was done.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) at: Instant,
    /// Whose wire it came over.
    pub(crate) by: String,
    pub(crate) method: Method,
    pub(crate) path: String,
}

/// A request, read.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) content: String,
    /// What the answer is to be.
    accept: String,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) async fn read(request: Request<Body>) -> Self {
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await.unwrap().to_vec();
        let header = |name| parts.headers.get(name)?.to_str().ok().map(str::to_owned);
        Self {
            content: header("content-type").unwrap_or_default(),
            accept: header("accept").unwrap_or_default(),
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            body,
        }
    }

    /// Whether it asks for a stream of changes.
    pub(crate) fn is_watch(&self) -> bool {
        self.method == Method::GET && Query::read(&self.query).watch
    }
}

impl Default for ApiServer {
    fn default() -> Self {
        let state = State {
            objects: Objects::new(Instant::now()),
            writes: Vec::new(),
            said: BTreeMap::new(),
            forbidden: BTreeSet::new(),
            no_pods: None,
            refused: Vec::new(),
            expired: 0,
        };
        Self { state: Arc::new(Mutex::new(state)), changed: tell::Sender::new(0), clock: Arc::default() }
    }
}

impl ApiServer {
    /// When it began; its dates count from 2026-01-01T00:00:00Z.
    pub(crate) fn start(&self) -> Instant {
        self.state().objects.start
    }

    /// By how many seconds the clocks of its operators are set; the server's own is not.
    pub(crate) fn clock(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.clock)
    }

    /// Puts an object there, as it is but for its version.
    pub(crate) fn put(&self, path: &str, object: Value) {
        self.state().objects.put(path, object);
        self.tell();
    }

    /// Lets nobody read an object any more, or everybody again.
    pub(crate) fn forbid(&self, path: &str, forbidden: bool) {
        let mut state = self.state();
        if forbidden {
            state.forbidden.insert(path.to_owned());
        } else {
            state.forbidden.remove(path);
        }
    }

    /// Takes no Pods, as admission does, and says why; or takes them again.
    pub(crate) fn refuse_pods(&self, why: Option<&'static str>) {
        self.state().no_pods = why;
    }

    /// When a Pod was not taken.
    pub(crate) fn refused(&self) -> Vec<Instant> {
        self.state().refused.clone()
    }

    /// Cuts these parts away from every object that is changed, as a definition does that does not know them.
    pub(crate) fn cuts(&self, parts: &'static [&'static str]) {
        self.state().objects.cut = parts;
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.state().objects.get(path).cloned()
    }

    /// Every object whose path begins so.
    pub(crate) fn all(&self, prefix: &str) -> Vec<Value> {
        self.state().objects.under(prefix)
    }

    /// Changes an object as another client would; an edit of its spec is another generation.
    pub(crate) fn edit(&self, path: &str, change: impl FnOnce(&mut Value)) {
        {
            let mut state = self.state();
            let Some(before) = state.objects.get(path).cloned() else { return };
            let mut object = before.clone();
            change(&mut object);
            if object["spec"] != before["spec"] {
                object["metadata"]["generation"] =
                    (before["metadata"]["generation"].as_i64().unwrap_or(0) + 1).into();
            }
            state.objects.put(path, object);
        }
        self.tell();
    }

    /// Is too slow to delete more objects than that in one request.
    pub(crate) fn deletes_together(&self, most: usize) {
        self.state().objects.most_deleted = most;
    }

    /// Deletes an object as another client would.
    pub(crate) fn delete(&self, path: &str) {
        self.state().objects.delete(path);
        self.tell();
    }

    /// Takes an object away, finalizers or not.
    pub(crate) fn vanish(&self, path: &str) {
        self.state().objects.remove(path);
        self.tell();
    }

    pub(crate) fn writes(&self) -> Vec<Write> {
        self.state().writes.clone()
    }

    /// Does what was asked, at once and wholly.
    pub(crate) fn answer(&self, by: &str, asked: &Asked) -> Response<Told> {
        if asked.is_watch() {
            return self.stream(asked);
        }
        if asked.path.ends_with("/log") {
            return self.log(asked);
        }
        let (result, now) = {
            let mut state = self.state();
            let result = if state.forbidden.contains(&asked.path) {
                Err((StatusCode::FORBIDDEN, "Forbidden"))
            } else if let Some(why) =
                state.no_pods.filter(|_| asked.method == Method::POST && asked.path.ends_with("/pods"))
            {
                state.refused.push(Instant::now());
                Err((StatusCode::FORBIDDEN, why))
            } else {
                state.objects.answer(asked)
            };
            if result.is_ok() && !asked.method.is_safe() {
                let (method, path) = (asked.method.clone(), asked.path.clone());
                state.writes.push(Write { at: Instant::now(), by: by.to_owned(), method, path });
            }
            (result, state.objects.now())
        };
        self.tell();
        let (code, body) = match result {
            Ok(object) if asked.accept.contains("as=PartialObjectMetadata;") => {
                (StatusCode::OK, json!({"kind": "PartialObjectMetadata", "metadata": object["metadata"]}))
            }
            Ok(object) => (StatusCode::OK, object),
            Err(refusal) => (refusal.0, status_of(refusal)),
        };
        let now: Timestamp = now.parse().unwrap();
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap();
        let body = Told::from(serde_json::to_vec(&body).unwrap());
        Response::builder().status(code).header(DATE, date).body(body).unwrap()
    }

    fn stream(&self, asked: &Asked) -> Response<Told> {
        let Some(address) = Address::read(&asked.path) else {
            return Response::builder().status(404).body(Told::empty()).unwrap();
        };
        let lines = watch::lines(self.clone(), address, Query::read(&asked.query));
        Response::builder().status(200).body(Told::from_stream(lines)).unwrap()
    }

    /// A line that a Pod says.
    pub(crate) fn say(&self, pod: &str, line: &str) {
        {
            let mut state = self.state();
            state.objects.version += 1;
            state.said.entry(pod.to_owned()).or_default().push(format!("{line}\n"));
        }
        self.tell();
    }

    /// What a Pod has said; where it is followed also what it says, until it is gone.
    fn log(&self, asked: &Asked) -> Response<Told> {
        let pod = asked.path.trim_end_matches("/log").to_owned();
        let follow = asked.query.contains("follow=true");
        if self.get(&pod).is_none() {
            let body = serde_json::to_vec(&status_of((StatusCode::NOT_FOUND, "NotFound"))).unwrap();
            return Response::builder().status(404).body(Told::from(body)).unwrap();
        }
        let lines = stream::unfold((self.clone(), 0), move |(server, next)| {
            let pod = pod.clone();
            async move {
                loop {
                    let mut changed = server.changes();
                    let line = server.state().said.get(&pod).and_then(|said| said.get(next).cloned());
                    if let Some(line) = line {
                        return Some((Ok::<_, Infallible>(line), (server, next + 1)));
                    }
                    if !follow {
                        return None;
                    }
                    server.get(&pod)?;
                    changed.changed().await.ok()?;
                }
            }
        });
        Response::builder().status(200).body(Told::from_stream(lines)).unwrap()
    }

    /// Tells of every change.
    pub(crate) fn changes(&self) -> tell::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Forgets its past, as after a compaction: whoever watches must list anew.
    pub(crate) fn expire(&self) {
        {
            let mut state = self.state();
            state.objects.version += 1;
            state.expired = state.objects.version;
        }
        self.tell();
    }

    /// Has the watches tell of an object as it was once.
    pub(crate) fn replay(&self, path: &str, object: Value) {
        self.state().objects.replay(path, object);
        self.tell();
    }

    fn tell(&self) {
        let version = self.state().objects.version;
        self.changed.send_if_modified(|known| std::mem::replace(known, version) != version);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

fn status_of((code, reason): Refusal) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code.as_u16(), "reason": reason,
        "message": reason})
}
