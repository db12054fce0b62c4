//! A Messages API of our own on loopback: it plays any answer, and its log is the witness of what was asked and paid.

mod reply;

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

pub use reply::{Reply, unified_limit};

/// The model that the fake serves, and its price in dollars for a million tokens in and out.
pub const MODEL: &str = "claude-opus-5-5";
const PRICE: (u64, u64) = (4, 20);

/// One `POST /v1/messages`.
#[derive(Clone, Debug)]
pub struct Request {
    /// From 1, over the life of the fake.
    pub number: usize,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Request {
    /// The value of a header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Everything that was said to the model as JSON text, tool results included.
    pub fn said(&self) -> String {
        self.body["messages"].to_string()
    }
}

/// What a reply that was sent whole told the caller to have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Billed {
    pub input_tokens: u64,
    pub output_tokens: u64,
}

impl Billed {
    /// In millionths of a dollar.
    pub fn cost_micro_usd(self) -> u64 {
        self.input_tokens * PRICE.0 + self.output_tokens * PRICE.1
    }
}

type Script = dyn Fn(&Request) -> Reply + Send + Sync;

struct Inner {
    script: Box<Script>,
    log: Mutex<Vec<Request>>,
    at_once: Mutex<AtOnce>,
    billed: Mutex<Billed>,
}

/// How many requests are being answered.
#[derive(Default)]
struct AtOnce {
    now: usize,
    most: usize,
}

/// A running fake; it ends when dropped.
pub struct FakeApi {
    address: String,
    inner: Arc<Inner>,
    server: JoinHandle<()>,
}

impl FakeApi {
    /// Answers each request as `script` says.
    pub async fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), script)
    }

    /// The same at an address of the test's own.
    pub fn start_on(
        listener: TcpListener,
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let inner = Arc::new(Inner {
            script: Box::new(script),
            log: Mutex::default(),
            at_once: Mutex::default(),
            billed: Mutex::default(),
        });
        let router = Router::new()
            .route("/v1/messages", post(messages))
            .route("/v1/models", get(models))
            // As the service has it.
            .layer(DefaultBodyLimit::max(32 << 20))
            .with_state(Arc::clone(&inner));
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, inner, server }
    }

    /// Answers the nth request with the nth reply, and all that follow with the last.
    pub async fn playing(replies: impl Into<Vec<Reply>>) -> Self {
        let replies = replies.into();
        Self::start(move |request| replies[request.number.min(replies.len()) - 1].clone()).await
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.address
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Request> {
        self.inner.log.lock().unwrap().clone()
    }

    /// The most requests that were being answered at once.
    pub fn most_at_once(&self) -> usize {
        self.inner.at_once.lock().unwrap().most
    }

    /// What the replies told to have used.
    pub fn billed(&self) -> Billed {
        *self.inner.billed.lock().unwrap()
    }
}

impl Drop for FakeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn messages(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    let request = {
        let mut log = inner.log.lock().unwrap();
        let body = serde_json::from_slice(&body).unwrap();
        let request = Request { number: log.len() + 1, headers, body };
        log.push(request.clone());
        request
    };
    let reply = (inner.script)(&request);
    let billed = reply.billed();
    {
        let mut sum = inner.billed.lock().unwrap();
        sum.input_tokens += billed.input_tokens;
        sum.output_tokens += billed.output_tokens;
    }
    {
        let mut at_once = inner.at_once.lock().unwrap();
        at_once.now += 1;
        at_once.most = at_once.most.max(at_once.now);
    }
    let response = reply.send(request.number, request.body["stream"] == json!(true)).await;
    inner.at_once.lock().unwrap().now -= 1;
    response
}

/// Takes every key but those that begin with `wrong`.
async fn models(headers: HeaderMap) -> Response {
    let key = headers.get("x-api-key").map_or("", |key| key.to_str().unwrap());
    if key.is_empty() || key.starts_with("wrong") {
        let body = json!({
            "type": "error",
            "error": { "type": "authentication_error", "message": "invalid x-api-key" },
        });
        return (StatusCode::UNAUTHORIZED, Json(body)).into_response();
    }
    Json(json!({ "data": [{ "type": "model", "id": MODEL }], "has_more": false })).into_response()
}
