//! Jobs whose batches do nothing: their Pods are pretended.

use std::time::Duration;

use kube::{Api, api::DynamicObject};
use serde_json::{Value, json};

use crate::kubernetes::{make, until};

/// How many batches there are of something that has `usual` of them.
pub fn batches(usual: u32) -> u32 {
    let asked = std::env::var("MOZART_BENCH_SMALLER").ok();
    let by: u32 = asked.map_or(1, |asked| asked.parse().expect("MOZART_BENCH_SMALLER is a number"));
    usual / by.max(1)
}

/// A job.
pub struct Job<'a> {
    pub name: &'a str,
    pub batches: u32,
    pub parallelism: u32,
    /// Annotations of its Pods, for the pretended nodes.
    pub pretends: Value,
}

impl Job<'_> {
    /// The manifest.
    pub fn manifest(&self) -> Value {
        let mut annotations = json!({"kwok.mozart.dev/message": succeeded()});
        for (name, value) in self.pretends.as_object().into_iter().flatten() {
            annotations[format!("kwok.mozart.dev/{name}")] = value.clone();
        }
        json!({
            "apiVersion": "mozart.dev/v1alpha1",
            "kind": "MozartJob",
            "metadata": {"name": self.name},
            "spec": {
                "workspace": {"emptyDir": {}},
                "backend": {"type": "command", "command": ["true"]},
                "pod": {"annotations": annotations},
                "prompt": {"template": "batch {{ batch_num }}"},
                "batch": {"size": 1, "totalItems": self.batches, "parallelism": self.parallelism},
                "retry": {"baseDelaySeconds": 0.5, "maxFailedInARow": 100},
            },
        })
    }

    /// Hands it over.
    pub async fn apply(&self, jobs: &Api<DynamicObject>) -> DynamicObject {
        make(jobs, self.manifest()).await
    }

    /// Waits until it is complete.
    pub async fn complete(&self, jobs: &Api<DynamicObject>, longest: Duration) -> DynamicObject {
        self.becomes(jobs, "Complete", longest, |status| status["phase"] == "Complete").await
    }

    /// Waits until its status is as wanted; that of a job that failed never will be.
    pub async fn becomes(
        &self,
        jobs: &Api<DynamicObject>,
        what: &str,
        longest: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> DynamicObject {
        until(jobs, self.name, &format!("{}: {what}", self.name), longest, |job| {
            let status = &job.data["status"];
            assert!(status["phase"] != "Failed", "{}: {}", self.name, status["conditions"]);
            wanted(status)
        })
        .await
    }
}

/// An attempt that succeeded, as the termination message that it leaves.
fn succeeded() -> String {
    outcome().to_string()
}

/// One that is to be tried again.
pub fn failed() -> String {
    let mut outcome = outcome();
    outcome["failure"] =
        json!({"class": "transient", "reason": "ProcessFailed", "message": "It ended with 1."});
    outcome.to_string()
}

fn outcome() -> Value {
    let at = "2026-01-01T00:00:00Z";
    json!({"accepted": true, "exitCode": 0, "started": at, "ended": at})
}
