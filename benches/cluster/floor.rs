//! The least that must be done: a bare loop that makes Pods, and takes their finalizer off when they have ended.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams, PostParams},
    runtime::watcher,
};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    kubernetes::{Kubernetes, make, within},
    pods::Pattern,
};

/// Runs so many Pods, so many at a time; returns how long it took from the first request to the last answer.
pub async fn run(
    kubernetes: &Kubernetes,
    namespace: &str,
    pattern: &Pattern,
    (batches, parallelism): (u32, u32),
    longest: Duration,
) -> Duration {
    let owners: Api<ConfigMap> = Api::namespaced(kubernetes.client.clone(), namespace);
    let owner = make(&owners, json!({"metadata": {"name": "floor"}})).await;
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "floor", "uid": owner.uid(), "controller": true});
    let pods: Api<Pod> = Api::namespaced(kubernetes.account.clone(), namespace);
    let pod = |number: u32| pattern.pod(&format!("floor-{number}"), &owner);
    within(longest, "the end of the bare loop", turn(&pods, pod, batches, parallelism)).await
}

async fn turn(pods: &Api<Pod>, pod: impl Fn(u32) -> Pod, batches: u32, parallelism: u32) -> Duration {
    let mut seen = std::pin::pin!(watcher(pods.clone(), watcher::Config::default()));
    while !matches!(seen.next().await, Some(Ok(watcher::Event::InitDone))) {}
    let began = Instant::now();
    let mut requests = JoinSet::new();
    let create = |number: u32, requests: &mut JoinSet<()>| {
        let (pods, pod) = (pods.clone(), pod(number));
        requests.spawn(async move {
            pods.create(&PostParams::default(), &pod).await.expect("its account may");
        });
    };
    let mut next = 0;
    while next < parallelism.min(batches) {
        next += 1;
        create(next, &mut requests);
    }
    let mut ended = BTreeSet::new();
    while ended.len() < batches as usize {
        let event = tokio::select! {
            event = seen.next() => event.expect("a watch does not end").expect("the watch goes on"),
            Some(done) = requests.join_next() => {
                done.expect("a request was answered");
                continue;
            }
        };
        let watcher::Event::Apply(pod) = event else { continue };
        let over = pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Succeeded"));
        let name = pod.name_any();
        if over && ended.insert(name.clone()) {
            if next < batches {
                next += 1;
                create(next, &mut requests);
            }
            let pods = pods.clone();
            requests.spawn(async move {
                let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
                pods.patch_metadata(&name, &PatchParams::default(), &patch).await.expect("its account may");
            });
        }
    }
    while let Some(done) = requests.join_next().await {
        done.expect("a request was answered");
    }
    began.elapsed()
}
