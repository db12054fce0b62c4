//! A long job in which every tenth batch fails once: how large its object becomes, and how soon an operator that is
//! killed in the middle of it, with thousands of Pods alive, does the next right thing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt as _,
    api::{DynamicObject, ListParams, Patch, PatchParams},
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    jobs::{Job, batches, failed},
    kubernetes::{Kubernetes, within},
    operator::Operator,
    peak::megabytes,
    report::Report,
};

const BATCHES: u32 = 10_000;
const PARALLELISM: u32 = 100;
/// Alive at the same time, in two jobs.
const LIVE: u32 = 2000;
const LONGEST: Duration = Duration::from_mins(10);
const RESTARTS: usize = 3;

/// 10,000 batches of one job, then 2,000 live Pods of two, then restarts.
pub async fn grow_and_restart(report: &Report, kubernetes: &Kubernetes) {
    let (done, each) = (batches(BATCHES), batches(LIVE) / 2);
    let parallelism = PARALLELISM.min(each);
    let mut operator = Operator::start(kubernetes);
    let namespace = kubernetes.namespace().await;
    let jobs = kubernetes.jobs(&namespace);

    // What comes after the batches that are measured stays alive.
    let pretends = json!({"tenth-message": failed(), "stays-after": done.to_string()});
    let long = Job { name: "long", batches: done + 2 * each, parallelism, pretends };
    let stored = kubernetes.stored_bytes().await;
    let largest = Largest::watch(&jobs);
    long.apply(&jobs).await;
    let what = format!("{done} batches");
    // One that failed may wait until there is a lane again, which those after it hold.
    let settled = |status: &Value| {
        let of = |state: &str| status["batches"][state].as_u64().unwrap_or(0);
        of("succeeded") + of("waiting") == u64::from(done)
    };
    long.becomes(&jobs, &what, LONGEST, settled).await;
    let largest = largest.end();
    let grown = kubernetes.stored_bytes().await - stored;
    let turn = operator.p99("mozart_turn_duration_seconds");

    let more = Patch::Merge(json!({"spec": {"batch": {"parallelism": each}}}));
    jobs.patch("long", &PatchParams::default(), &more).await.expect("its administrator may");
    let wide =
        Job { name: "wide", batches: 2 * each, parallelism: each, pretends: json!({"stays-after": "0"}) };
    wide.apply(&jobs).await;
    for job in [&long, &wide] {
        job.becomes(&jobs, "its live Pods", LONGEST, |status| status["batches"]["running"] == each).await;
    }
    let mut peak = operator.peak();
    let mut restarts = Vec::new();
    for _restart in 0..RESTARTS {
        drop(operator);
        let ends = end_one(kubernetes, &namespace).await;
        let began = Instant::now();
        operator = Operator::start(kubernetes);
        within(LONGEST, "the next Pod", ends.replaced).await.expect("the watch goes on");
        restarts.push(began.elapsed());
        tokio::time::sleep(Duration::from_secs(3)).await;
        peak = peak.max(operator.peak());
    }
    restarts.sort();

    let kibibytes = |bytes: u64| f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1024.0;
    let what = format!("{done} batches, {parallelism} at a time, every tenth fails once: the object at most");
    report.bound(
        &what,
        &format!("{:.1} KiB", kibibytes(largest)),
        "",
        "less than 64 KiB",
        largest < 64 * 1024,
    );
    let what = format!("a turn of a job of {done} batches, 99 of 100");
    report.bound(&what, &format!("at most {:.1} ms", turn * 1000.0), "", "at most 50 ms", turn <= 0.05);
    report.note(&format!("growth of etcd, {done} batches"), &format!("{:.1} MB", grown / 1e6), "");
    let live = 2 * each;
    let what = format!("restart to the next Pod, {done} finished batches, {live} live Pods");
    let median = restarts[RESTARTS / 2];
    let text = format!("{:.2} s", median.as_secs_f64());
    report.bound(&what, &text, "", "at most 2 s", median <= Duration::from_secs(2));
    let what = format!("peak memory, {done} finished batches, {live} live Pods");
    let peak = megabytes(peak);
    report.bound(&what, &format!("{peak:.1} MB"), "", "less than 100 MB", peak < 100.0);
    // The Pods are kept for it until it has let them go.
    kubernetes.delete(namespace).await;
    drop(operator);
}

/// The largest that an object was seen to be.
struct Largest {
    bytes: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Largest {
    fn watch(jobs: &Api<DynamicObject>) -> Self {
        let config = watcher::Config::default().fields("metadata.name=long");
        let mut events = Box::pin(watcher(jobs.clone(), config).default_backoff().applied_objects());
        let bytes = Arc::new(AtomicU64::new(0));
        let largest = Arc::clone(&bytes);
        let task = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                let text = event.ok().and_then(|job| serde_json::to_string(&job).ok());
                largest.fetch_max(text.map_or(0, |text| text.len() as u64), Ordering::Relaxed);
            }
        });
        Self { bytes, task }
    }

    fn end(self) -> u64 {
        self.task.abort();
        self.bytes.load(Ordering::Relaxed)
    }
}

/// A Pod that has ended while no operator was there.
struct Ended {
    /// Resolves when there is a Pod that was not there before.
    replaced: tokio::sync::oneshot::Receiver<()>,
}

/// Lets one Pod of `wide` end, and waits until it has.
async fn end_one(kubernetes: &Kubernetes, namespace: &str) -> Ended {
    let pods: Api<Pod> = Api::namespaced(kubernetes.client.clone(), namespace);
    let of_wide = "mozart.dev/job=wide";
    let alive = ListParams::default().labels(of_wide).fields("status.phase=Running").limit(1);
    let name = within(LONGEST, "a Pod that lives", async {
        loop {
            let found = pods.list_metadata(&alive).await.expect("its administrator may");
            if let Some(one) = found.items.first() {
                return one.name_any();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let (sender, replaced) = tokio::sync::oneshot::channel();
    let mut events =
        Box::pin(watcher(pods.clone(), watcher::Config::default().labels(of_wide)).default_backoff());
    let mut before = std::collections::BTreeSet::new();
    loop {
        match events.next().await {
            Some(Ok(watcher::Event::InitApply(pod))) => drop(before.insert(pod.name_any())),
            Some(Ok(watcher::Event::InitDone)) => break,
            _ => {}
        }
    }
    let ends = Patch::Merge(json!({"metadata": {"annotations": {"kwok.mozart.dev/stays-after": null}}}));
    pods.patch(&name, &PatchParams::default(), &ends).await.expect("its administrator may");
    within(LONGEST, "the end of a Pod", async {
        while let Some(event) = events.next().await {
            let Ok(watcher::Event::Apply(pod)) = event else { continue };
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            if pod.name_any() == name && phase == Some("Succeeded") {
                break;
            }
        }
    })
    .await;
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if let Ok(watcher::Event::Apply(pod)) = event
                && !before.contains(&pod.name_any())
            {
                let _ = sender.send(());
                return;
            }
        }
    });
    Ended { replaced }
}
