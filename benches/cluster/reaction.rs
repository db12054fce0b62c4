//! How soon after a Pod's end the next one is there, as somebody who watches sees both.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::StreamExt as _;
use k8s_openapi::api::{batch::v1, core::v1::Pod};
use kube::{
    Api, ResourceExt as _,
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::json;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    indexed,
    jobs::{Job, batches},
    kubernetes::Kubernetes,
    operator::Operator,
    pods::Pattern,
    report::Report,
    sample::Sample,
};

const BATCHES: u32 = 200;
/// With a tenth of a second for each Pod, some twenty end in a second: the machine is not what is measured.
const PARALLELISM: u32 = 4;
const RUNS_FOR: &str = "150ms";
const WANTED: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_mins(2);

/// Batches that take a moment, by Mozart and by an Indexed Job.
pub async fn compare(report: &Report, kubernetes: &Kubernetes) {
    let batches = batches(BATCHES);
    let pretends = json!({"runs-for": RUNS_FOR});
    let _operator = Operator::start(kubernetes);
    let pattern = Pattern::of(kubernetes, pretends.clone()).await;

    let namespace = kubernetes.namespace().await;
    let watch = Watch::start(kubernetes, &namespace).await;
    let jobs = kubernetes.jobs(&namespace);
    let job = Job { name: "bench", batches, parallelism: PARALLELISM, pretends };
    job.apply(&jobs).await;
    job.complete(&jobs, LONGEST).await;
    let own = watch.end().await.reactions();
    kubernetes.delete(namespace).await;

    let namespace = kubernetes.namespace().await;
    let watch = Watch::start(kubernetes, &namespace).await;
    let jobs: Api<v1::Job> = Api::namespaced(kubernetes.client.clone(), &namespace);
    indexed::apply(&jobs, &pattern, batches, PARALLELISM).await;
    indexed::complete(&jobs, LONGEST).await;
    let peer = watch.end().await.reactions();
    kubernetes.delete(namespace).await;

    let what = format!("from a Pod's end to the next Pod, {PARALLELISM} at a time that run for {RUNS_FOR}");
    let peer = format!("Indexed Job {}", peer.text());
    let kept = own.median() < WANTED;
    report.bound(&what, &own.text(), &peer, "median less than 50 ms", kept);
}

/// When Pods were first seen, and when they were first seen to have ended.
#[derive(Default)]
struct Seen {
    there: BTreeMap<String, Instant>,
    ended: BTreeMap<String, Instant>,
}

impl Seen {
    fn take(&mut self, pod: &Pod, now: Instant) {
        let name = pod.name_any();
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        if phase == Some("Succeeded") {
            self.ended.entry(name.clone()).or_insert(now);
        }
        self.there.entry(name).or_insert(now);
    }

    /// Each end gives one place free, which the next Pod takes.
    fn reactions(&self) -> Sample {
        let in_order = |times: &BTreeMap<String, Instant>| {
            let mut times: Vec<Instant> = times.values().copied().collect();
            times.sort();
            times
        };
        let (there, ended) = (in_order(&self.there), in_order(&self.ended));
        let mut sample = Sample::default();
        let followed = there.iter().skip(PARALLELISM as usize);
        // The watch may show the next one before it shows the end.
        ended.iter().zip(followed).for_each(|(end, next)| sample.push(next.saturating_duration_since(*end)));
        sample
    }
}

/// A watch of the Pods of a namespace.
struct Watch {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Seen>,
}

impl Watch {
    async fn start(kubernetes: &Kubernetes, namespace: &str) -> Self {
        let pods: Api<Pod> = Api::namespaced(kubernetes.client.clone(), namespace);
        let mut events = Box::pin(watcher(pods, watcher::Config::default()).default_backoff());
        while !matches!(events.next().await, Some(Ok(watcher::Event::InitDone))) {}
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut seen = Seen::default();
            loop {
                tokio::select! {
                    event = events.next() => if let Some(Ok(watcher::Event::Apply(pod))) = event {
                        seen.take(&pod, Instant::now());
                    },
                    _ = &mut stopped => return seen,
                }
            }
        });
        Self { stop, task }
    }

    async fn end(self) -> Seen {
        let _ = self.stop.send(());
        self.task.await.expect("the watch goes on")
    }
}
