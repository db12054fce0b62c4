//! Many batches that do nothing: what is left is the cost of the control plane, and of whoever drives it.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::ListParams};
use serde_json::json;

use crate::{
    audit::{JOB_CONTROLLER, Mark, OPERATOR},
    floor, indexed,
    jobs::{Job, batches},
    kubernetes::{Kubernetes, audit_log, process_of, within},
    operator::Operator,
    peak::{self, megabytes},
    pods::Pattern,
    process,
    report::Report,
    sample::Sample,
};

const ROUNDS: u32 = 3;
const BATCHES: u32 = 1000;
const PARALLELISM: u32 = 50;
/// Even a machine that does much else is done by then.
const LONGEST: Duration = Duration::from_mins(3);

/// What one side has used.
#[derive(Default)]
struct Used {
    took: Sample,
    processor: Sample,
    writes: Vec<u32>,
    /// The writes of the last round, for people.
    text: String,
}

/// 1,000 batches, 50 at a time, in turn by a bare loop, by Mozart and by an Indexed Job.
pub async fn compare(report: &Report, kubernetes: &Kubernetes) {
    let (batches, parallelism) = (batches(BATCHES), PARALLELISM);
    let operator = Operator::start(kubernetes);
    let manager = process_of("manager");
    let pattern = Pattern::of(kubernetes, json!({})).await;
    let (mut floor, mut own, mut peer) = (Sample::default(), Used::default(), Used::default());
    let mut grown = 0.0;
    for _round in 0..ROUNDS {
        let namespace = kubernetes.namespace().await;
        floor.push(floor::run(kubernetes, &namespace, &pattern, (batches, parallelism), LONGEST).await);
        kubernetes.delete(namespace).await;

        let namespace = kubernetes.namespace().await;
        let stored = kubernetes.stored_bytes().await;
        let run = mozart(kubernetes, &namespace, batches, parallelism);
        own.measure(operator.pid(), OPERATOR, run).await;
        grown = f64::max(grown, kubernetes.stored_bytes().await - stored);
        kubernetes.delete(namespace).await;

        let namespace = kubernetes.namespace().await;
        let run = indexed::run(kubernetes, &namespace, &pattern, (batches, parallelism), LONGEST);
        peer.measure(manager, JOB_CONTROLLER, run).await;
        kubernetes.delete(namespace).await;
    }
    let what = format!("{batches} Pods, {parallelism} at a time");
    let row = |name: &str, other: &Sample, least: f64| {
        let ratio = other.median().as_secs_f64() / own.took.median().as_secs_f64();
        let (own, other) = (own.took.rate(batches), other.rate(batches));
        report.at_least(&format!("{what}, a second"), &own, &format!("{name} {other}"), ratio, least);
    };
    row("bare loop", &floor, 0.85);
    row("Indexed Job", &peer.took, 1.3);
    let a_batch =
        |used: &Used| f64::from(used.writes.iter().copied().max().unwrap_or(0)) / f64::from(batches);
    report.bound(
        "writes a batch, Events left out",
        &format!("{:.2}", a_batch(&own)),
        &format!("Indexed Job {:.2}", a_batch(&peer)),
        "at most 2.3",
        a_batch(&own) <= 2.3,
    );
    let ratio = own.processor.median().as_secs_f64() / peer.processor.median().as_secs_f64();
    let text = format!("kube-controller-manager, for the Indexed Job, {}", peer.processor.text());
    report.at_most("processor time", &own.processor.text(), &text, ratio, 0.25);
    let (memory, peers) = (megabytes(operator.peak()), megabytes(peak::of(manager)));
    let text = format!("kube-controller-manager {peers:.0} MB");
    report.at_most("peak memory", &format!("{memory:.1} MB"), &text, memory / peers, 0.25);
    report.note(&format!("growth of etcd, {batches} batches"), &format!("{:.1} MB", grown / 1e6), "");
    report.note("what was written", &own.text, &format!("Job controller {}", peer.text));
}

/// Runs one job from its making until it is complete and no Pod is kept any more.
async fn mozart(kubernetes: &Kubernetes, namespace: &str, batches: u32, parallelism: u32) -> Duration {
    let jobs = kubernetes.jobs(namespace);
    let job = Job { name: "bench", batches, parallelism, pretends: json!({}) };
    let began = Instant::now();
    job.apply(&jobs).await;
    job.complete(&jobs, LONGEST).await;
    let pods: Api<Pod> = Api::namespaced(kubernetes.client.clone(), namespace);
    let kept = ListParams::default().labels("mozart.dev/job-uid,!mozart.dev/released").limit(1);
    within(LONGEST, "the release of the last Pods", async {
        while !pods.list_metadata(&kept).await.expect("its administrator may").items.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    began.elapsed()
}

impl Used {
    /// Does `run`, and takes down what `user` wrote and what the process took for it.
    async fn measure(&mut self, pid: u32, user: &str, run: impl Future<Output = Duration>) {
        let (mark, before) = (Mark::end(audit_log()), process::time(pid));
        self.took.push(run.await);
        self.processor.push(process::time(pid).saturating_sub(before));
        let writes = mark.since(user).await;
        self.writes.push(writes.but_for(&["events"]));
        self.text = writes.text();
    }
}
