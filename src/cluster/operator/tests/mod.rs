//! The operator on an API server in memory, in paused time.

mod absence;
mod archive;
mod carried;
mod clocks;
mod crashes;
mod credentials;
mod edits;
mod faults;
mod in_process;
mod notices;
mod outages;
mod panics;
mod runs;
mod sizes;
mod stopping;
mod telemetry;
mod traces;
mod upgrades;
mod verbs;
mod ways_to_fail;

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::testing::{ApiServer, Kubelet, Played};

const JOB: &str = "/apis/mozart.dev/v1alpha1/namespaces/team/mozartjobs/night";
const UID: &str = "0aaa106e-4028-45b3-b750-789be3b4220b";

/// An attempt that ends well after a second.
fn well(_: u32, _: u32) -> Played {
    Played { takes: Duration::from_secs(1), exit_code: 0, message: message(&json!(null)) }
}

/// An attempt that takes ten seconds.
fn slowly(batch: u32, ordinal: u32) -> Played {
    Played { takes: Duration::from_secs(10), ..well(batch, ordinal) }
}

fn failed(class: &str, more: &Value) -> Played {
    let mut failure = json!({"class": class, "reason": "ForTheTest", "message": "It went wrong."});
    for (name, value) in more.as_object().into_iter().flatten() {
        failure[name] = value.clone();
    }
    Played { exit_code: 1, message: message(&failure), ..well(1, 1) }
}

/// Each batch once, and never two Pods of one at a time.
fn once_each(kubelet: &Kubelet, batches: u32) {
    assert_eq!(kubelet.overlap(), None);
    let starts: Vec<(u32, u32)> = kubelet.lives().iter().map(|life| (life.batch, life.ordinal)).collect();
    let once: Vec<(u32, u32)> = (1..=batches).map(|batch| (batch, 1)).collect();
    assert_eq!(starts, once);
}

async fn until_running(server: &ApiServer, count: usize) {
    let running =
        |server: &ApiServer| pods(server).iter().filter(|pod| pod["status"]["phase"] == "Running").count();
    until(server, "running Pods", |server| running(server) == count).await;
}

async fn until_clean(server: &ApiServer) {
    until(server, "no Pods", |server| pods(server).is_empty()).await;
}

fn message(failure: &Value) -> String {
    let mut outcome = json!({
        "accepted": true,
        "usage": {"inputTokens": 1, "outputTokens": 2, "cacheReadTokens": 0, "cacheWriteTokens": 0,
            "costUSD": "0.01", "partial": false},
        "warnings": [],
        "started": "2026-01-01T00:00:00Z",
        "ended": "2026-01-01T00:00:01Z",
    });
    if !failure.is_null() {
        outcome["failure"] = failure.clone();
    }
    outcome.to_string()
}

/// A job of so many batches.
fn job(batches: u32, parallelism: u32) -> Value {
    json!({
        "apiVersion": "mozart.dev/v1alpha1",
        "kind": "MozartJob",
        "metadata": {"name": "night", "namespace": "team", "uid": UID, "generation": 1},
        "spec": {
            "workspace": {"emptyDir": {}},
            "backend": {"type": "command", "command": ["cat"]},
            "batch": {"size": 1, "totalItems": batches, "parallelism": parallelism},
            "prompt": {"template": "do {{ start_item }}"},
        },
    })
}

fn status(server: &ApiServer) -> Value {
    server.get(JOB).map(|job| job["status"].clone()).unwrap_or_default()
}

fn condition(server: &ApiServer, kind: &str) -> Value {
    let status = status(server);
    let mut all = status["conditions"].as_array().into_iter().flatten();
    all.find(|one| one["type"] == kind).cloned().unwrap_or_default()
}

/// Waits, six hours at most, until that is so.
async fn until(server: &ApiServer, what: &str, so: impl FnMut(&ApiServer) -> bool) {
    until_within(Duration::from_hours(6), server, what, so).await;
}

async fn until_within(
    longest: Duration,
    server: &ApiServer,
    what: &str,
    mut so: impl FnMut(&ApiServer) -> bool,
) {
    let waited = tokio::time::timeout(longest, async {
        let mut changes = server.changes();
        while !so(server) {
            // The server outlives the test.
            let _ = changes.changed().await;
        }
    });
    assert!(waited.await.is_ok(), "{what} has not come: {:#}", status(server));
}

async fn until_phase(server: &ApiServer, phase: &str) {
    until(server, phase, |server| status(server)["phase"] == phase).await;
}

fn pods(server: &ApiServer) -> Vec<Value> {
    server.all("/api/v1/namespaces/team/pods/")
}
