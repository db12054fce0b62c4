//! The objects of the server in memory, and what each verb does to them.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Asked,
    address::{Address, Query},
};

/// A code and a reason.
pub(super) type Refusal = (StatusCode, &'static str);

/// A change, as watches tell it.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) version: u64,
    pub(super) path: String,
    pub(super) object: Value,
    pub(super) deleted: bool,
}

pub(super) struct Objects {
    pub(super) start: Instant,
    pub(super) version: u64,
    by_path: BTreeMap<String, Value>,
    pub(super) changes: Vec<Change>,
    uids: u128,
    /// Parts that a definition does not know.
    pub(super) cut: &'static [&'static str],
    /// So many can be deleted in the time that one request has.
    pub(super) most_deleted: usize,
}

const CONFLICT: Refusal = (StatusCode::CONFLICT, "Conflict");
const NOT_FOUND: Refusal = (StatusCode::NOT_FOUND, "NotFound");
const BAD: Refusal = (StatusCode::BAD_REQUEST, "BadRequest");

impl Objects {
    pub(super) fn new(start: Instant) -> Self {
        Self {
            start,
            version: 0,
            by_path: BTreeMap::new(),
            changes: Vec::new(),
            uids: 1 << 100,
            cut: &[],
            most_deleted: usize::MAX,
        }
    }

    /// Now, as an object says it.
    pub(super) fn now(&self) -> String {
        let passed = SignedDuration::try_from(self.start.elapsed()).unwrap();
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        (start + passed).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    pub(super) fn get(&self, path: &str) -> Option<&Value> {
        self.by_path.get(path)
    }

    pub(super) fn under(&self, prefix: &str) -> Vec<Value> {
        let found = self.by_path.iter().filter(|(path, _)| path.starts_with(prefix));
        found.map(|(_, object)| object.clone()).collect()
    }

    pub(super) fn put(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.by_path.insert(path.to_owned(), object.clone());
        self.changed(path, object.clone(), false);
        object
    }

    fn changed(&mut self, path: &str, object: Value, deleted: bool) {
        let version = self.version;
        self.changes.push(Change { version, path: path.to_owned(), object, deleted });
    }

    /// Tells of an object as it was once.
    pub(super) fn replay(&mut self, path: &str, object: Value) {
        self.version += 1;
        self.changed(path, object, false);
    }

    /// Takes an object away, and what it owned after it.
    pub(super) fn remove(&mut self, path: &str) {
        let Some(mut object) = self.by_path.remove(path) else { return };
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let uid = object["metadata"]["uid"].clone();
        self.changed(path, object, true);
        let owns = |object: &Value| {
            let owners = object["metadata"]["ownerReferences"].as_array();
            owners.into_iter().flatten().any(|owner| owner["uid"] == uid)
        };
        let owned: Vec<String> =
            self.by_path.iter().filter(|(_, object)| owns(object)).map(|(path, _)| path.clone()).collect();
        for path in &owned {
            self.delete(path);
        }
    }

    /// Deletes an object: at once, or when its finalizers are gone.
    pub(super) fn delete(&mut self, path: &str) {
        let Some(object) = self.by_path.get(path) else { return };
        if finalizers(object) == 0 {
            self.remove(path);
        } else if object["metadata"]["deletionTimestamp"].is_null() {
            let mut object = object.clone();
            object["metadata"]["deletionTimestamp"] = self.now().into();
            self.put(path, object);
        }
    }

    pub(super) fn answer(&mut self, asked: &Asked) -> Result<Value, Refusal> {
        let address = Address::read(&asked.path).ok_or(NOT_FOUND)?;
        let Some(name) = &address.name else { return self.answer_collection(asked, &address) };
        let path = address.path(name);
        let stored = self.by_path.get(&path).cloned().ok_or(NOT_FOUND);
        match asked.method {
            Method::GET => stored,
            Method::PUT => {
                let object = body(asked)?;
                if object["metadata"]["resourceVersion"] != stored?["metadata"]["resourceVersion"] {
                    return Err(CONFLICT);
                }
                Ok(self.put(&path, object))
            }
            Method::PATCH => {
                let mut patched = patched(stored?, asked)?;
                for (outer, part) in self.cut.iter().filter_map(|path| path.rsplit_once('/')) {
                    if let Some(fields) = patched.pointer_mut(outer).and_then(Value::as_object_mut) {
                        fields.remove(part);
                    }
                }
                let gone = !patched["metadata"]["deletionTimestamp"].is_null() && finalizers(&patched) == 0;
                let patched = self.put(&path, patched);
                if gone {
                    self.remove(&path);
                }
                Ok(patched)
            }
            Method::DELETE => {
                let stored = stored?;
                let wanted = if asked.body.is_empty() { Value::Null } else { body(asked)? };
                let wanted = &wanted["preconditions"];
                for name in ["uid", "resourceVersion"] {
                    if !wanted[name].is_null() && wanted[name] != stored["metadata"][name] {
                        return Err(CONFLICT);
                    }
                }
                self.delete(&path);
                Ok(stored)
            }
            _ => Err((StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed")),
        }
    }

    fn answer_collection(&mut self, asked: &Asked, address: &Address) -> Result<Value, Refusal> {
        let query = Query::read(&asked.query);
        let selected = |(path, object): &(&String, &Value)| address.holds(path) && query.selects(object);
        match asked.method {
            Method::GET => {
                let items: Vec<&Value> =
                    self.by_path.iter().filter(selected).map(|(_, object)| object).collect();
                Ok(json!({"apiVersion": "v1", "kind": "List", "items": items,
                    "metadata": {"resourceVersion": self.version.to_string()}}))
            }
            Method::POST => {
                let mut object = body(asked)?;
                let name = object["metadata"]["name"].as_str().ok_or(BAD)?.to_owned();
                let path = address.path(&name);
                if self.by_path.contains_key(&path) {
                    return Err((StatusCode::CONFLICT, "AlreadyExists"));
                }
                self.uids += 1;
                object["metadata"]["uid"] = Uuid::from_u128(self.uids).to_string().into();
                object["metadata"]["generation"] = 1.into();
                object["metadata"]["creationTimestamp"] = self.now().into();
                if let Some(namespace) = &address.namespace {
                    object["metadata"]["namespace"] = namespace.as_str().into();
                }
                Ok(self.put(&path, object))
            }
            Method::DELETE => {
                let all = self.by_path.iter().filter(selected).take(query.limit);
                let (paths, items): (Vec<String>, Vec<Value>) =
                    all.map(|(path, object)| (path.clone(), object.clone())).unzip();
                if paths.len() > self.most_deleted {
                    return Err((StatusCode::GATEWAY_TIMEOUT, "Timeout"));
                }
                for path in &paths {
                    self.delete(path);
                }
                Ok(json!({"apiVersion": "v1", "kind": "List", "items": items, "metadata": {}}))
            }
            _ => Err((StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed")),
        }
    }
}

fn body(asked: &Asked) -> Result<Value, Refusal> {
    serde_json::from_slice(&asked.body).map_err(|_| BAD)
}

fn finalizers(object: &Value) -> usize {
    object["metadata"]["finalizers"].as_array().map_or(0, Vec::len)
}

fn patched(mut object: Value, asked: &Asked) -> Result<Value, Refusal> {
    let patch = body(asked)?;
    if asked.content.contains("json-patch") {
        for step in patch.as_array().into_iter().flatten() {
            match step["path"].as_str() {
                Some("/metadata/resourceVersion") => {
                    if step["value"] != object["metadata"]["resourceVersion"] {
                        return Err(CONFLICT);
                    }
                }
                Some("/status") => object["status"] = step["value"].clone(),
                Some("/spec") => object["spec"] = step["value"].clone(),
                _ => return Err((StatusCode::UNPROCESSABLE_ENTITY, "Invalid")),
            }
        }
        return Ok(object);
    }
    let uid = &patch["metadata"]["uid"];
    if !uid.is_null() && *uid != object["metadata"]["uid"] {
        return Err(CONFLICT);
    }
    merge(&mut object, &patch);
    Ok(object)
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in fields {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut target[name], value);
        }
    }
}
