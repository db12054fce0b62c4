//! An API server in memory, for tests in paused time: objects with resource versions, a status subresource, conflicts,
//! and wires to it that can be slow or cut.

pub(crate) mod wire;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::Instant;

/// The server; clones are one.
#[derive(Clone, Default)]
pub(crate) struct ApiServer(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Value>,
    version: u64,
    writes: Vec<Write>,
}

/// A write that was done.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) at: Instant,
    /// Whose wire it came over.
    pub(crate) by: String,
    pub(crate) path: String,
}

/// A request, read.
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) async fn read(request: Request<Body>) -> Self {
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await.unwrap().to_vec();
        Self { method: parts.method, path: parts.uri.path().to_owned(), body }
    }
}

impl ApiServer {
    pub(crate) fn put(&self, path: &str, object: Value) {
        self.0.lock().unwrap().store(path, object);
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.0.lock().unwrap().objects.get(path).cloned()
    }

    /// Changes an object as another client would.
    pub(crate) fn edit(&self, path: &str, change: impl FnOnce(&mut Value)) {
        let mut state = self.0.lock().unwrap();
        let mut object = state.objects[path].clone();
        change(&mut object);
        state.store(path, object);
    }

    pub(crate) fn writes(&self) -> Vec<Write> {
        self.0.lock().unwrap().writes.clone()
    }

    /// Does what was asked, at once and wholly.
    pub(crate) fn answer(&self, by: &str, asked: &Asked) -> Response<Body> {
        let mut state = self.0.lock().unwrap();
        let result = state.answer(asked);
        if result.is_ok() && !asked.method.is_safe() {
            state.writes.push(Write { at: Instant::now(), by: by.to_owned(), path: asked.path.clone() });
        }
        let (code, body) = match result {
            Ok(object) => (StatusCode::OK, object),
            Err((code, reason)) => {
                let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code.as_u16(),
                    "reason": reason, "message": reason});
                (code, status)
            }
        };
        Response::builder().status(code).body(Body::from(serde_json::to_vec(&body).unwrap())).unwrap()
    }
}

type Refusal = (StatusCode, &'static str);

impl State {
    fn store(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    fn answer(&mut self, asked: &Asked) -> Result<Value, Refusal> {
        let body = || {
            serde_json::from_slice::<Value>(&asked.body).map_err(|_| (StatusCode::BAD_REQUEST, "BadRequest"))
        };
        let path = asked.path.strip_suffix("/status").unwrap_or(&asked.path);
        let stored = self.objects.get(path).cloned().ok_or((StatusCode::NOT_FOUND, "NotFound"));
        match asked.method {
            Method::GET => stored,
            Method::POST => {
                let object = body()?;
                let path = format!("{path}/{}", object["metadata"]["name"].as_str().unwrap_or_default());
                if self.objects.contains_key(&path) {
                    return Err((StatusCode::CONFLICT, "AlreadyExists"));
                }
                Ok(self.store(&path, object))
            }
            Method::PUT => {
                let object = body()?;
                let version = &stored?["metadata"]["resourceVersion"];
                if object["metadata"]["resourceVersion"] != *version {
                    return Err((StatusCode::CONFLICT, "Conflict"));
                }
                Ok(self.store(path, object))
            }
            Method::PATCH => {
                let mut object = stored?;
                for step in body()?.as_array().into_iter().flatten() {
                    match step["path"].as_str() {
                        Some("/metadata/resourceVersion") => {
                            if step["value"] != object["metadata"]["resourceVersion"] {
                                return Err((StatusCode::CONFLICT, "Conflict"));
                            }
                        }
                        Some("/status") => object["status"] = step["value"].clone(),
                        _ => return Err((StatusCode::UNPROCESSABLE_ENTITY, "Invalid")),
                    }
                }
                Ok(self.store(path, object))
            }
            _ => Err((StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed")),
        }
    }
}
