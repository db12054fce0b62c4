//! `kubectl mozart list` of many jobs, beside the bare request for what it shows.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use kube::{
    Client,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::{
    jobs::{Job, batches},
    kubernetes::Kubernetes,
    report::Report,
    sample::{Sample, in_turn, time},
};

const JOBS: u32 = 1000;
const REPEATS: usize = 30;

/// 1,000 jobs in the middle of a run of 10,000 batches, as their status has them; no operator is needed to show them.
pub async fn compare(report: &Report, kubernetes: &Kubernetes) {
    let count = batches(JOBS);
    let namespace = kubernetes.namespace().await;
    let jobs = kubernetes.jobs(&namespace);
    let done: Vec<String> = (0..400).map(|range| format!("{}-{}", range * 20 + 1, range * 20 + 15)).collect();
    let status = json!({"status": {
        "observedGeneration": 1, "phase": "Running", "progress": "6000/10000", "activeRun": 1,
        "waiting": "limit of credential default until 14:00Z",
        "batches": {"total": 10_000, "ofTotal": 10_000, "succeeded": 6000, "failed": 0, "running": 50, "waiting": 0,
            "pending": 3950},
        "checkpoint": {"version": 1, "seq": 812, "succeeded": done.join(",")},
    }});
    stream::iter(0..count)
        .for_each_concurrent(16, |number| {
            let (jobs, status) = (jobs.clone(), status.clone());
            async move {
                let name = format!("listed-{number}");
                Job { name: &name, batches: 10_000, parallelism: 50, pretends: json!({}) }.apply(&jobs).await;
                let written = jobs.patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await;
                written.expect("its administrator may");
            }
        })
        .await;
    let mozart = || time(Command::new(env!("CARGO_BIN_EXE_mozart")).args(["list", "-n", &namespace]));
    let runtime = tokio::runtime::Handle::current();
    let bare = || tokio::task::block_in_place(|| runtime.block_on(bare(&namespace, count)));
    let (own, request) = in_turn(REPEATS, mozart, bare);
    report.compare(
        &format!("`list` of {count} jobs, the whole program"),
        &own,
        "the bare request",
        &request,
        1.2,
    );
    let mut kubectl = Sample::default();
    for _repeat in 0..REPEATS {
        kubectl.push(time(Command::new("kubectl").args(["get", "mozartjobs", "-n", &namespace])));
    }
    report.note("the same by kubectl", &own.text(), &format!("`kubectl get` {}", kubectl.text()));
    kubernetes.delete(namespace).await;
}

/// A connection, the question for the same table, and all of the answer.
async fn bare(namespace: &str, count: u32) -> Duration {
    let since = Instant::now();
    let client = Client::try_default().await.expect("the cluster of the bench");
    let path = format!("/apis/mozart.dev/v1alpha1/namespaces/{namespace}/mozartjobs?includeObject=None");
    let request = http::Request::get(path)
        .header(http::header::ACCEPT, "application/json;as=Table;v=v1;g=meta.k8s.io")
        .body(Vec::new())
        .expect("a request");
    let text = client.request_text(request).await.expect("its administrator may");
    let took = since.elapsed();
    assert!(text.matches("\"cells\"").count() == count as usize, "{} bytes", text.len());
    took
}
