//! Many jobs at once, and an operator that has nothing to do: jobs that are over cost nothing.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::ListParams};
use serde_json::json;

use crate::{
    audit::{Mark, OPERATOR},
    jobs::{Job, batches},
    kubernetes::{Kubernetes, audit_log, within},
    operator::Operator,
    peak::megabytes,
    process,
    report::Report,
};

const JOBS: u32 = 1000;
/// Of each of them.
const BATCHES: u32 = 10;
const LONGEST: Duration = Duration::from_mins(10);
/// Longer than anything that is done from time to time, but for the listing anew of every five minutes.
const IDLE: Duration = Duration::from_secs(30);

/// 1,000 jobs of 10 batches until they have finished, and an operator that was started after.
pub async fn rest(report: &Report, kubernetes: &Kubernetes) {
    let count = batches(JOBS);
    let operator = Operator::start(kubernetes);
    let namespace = kubernetes.namespace().await;
    let jobs = kubernetes.jobs(&namespace);
    let pods: Api<Pod> = Api::namespaced(kubernetes.client.clone(), &namespace);
    stream::iter(0..count)
        .for_each_concurrent(16, |number| {
            let jobs = jobs.clone();
            async move {
                let name = format!("idle-{number}");
                Job { name: &name, batches: BATCHES, parallelism: 2, pretends: json!({}) }.apply(&jobs).await;
            }
        })
        .await;
    let over = ListParams::default().fields("status.phase=Complete");
    within(LONGEST, "the end of every job", async {
        while jobs.list_metadata(&over).await.expect("its administrator may").items.len() < count as usize {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    let turn = operator.p99("mozart_turn_duration_seconds");
    let what = format!("a turn of one of {count} jobs of {BATCHES} batches, 99 of 100");
    report.bound(&what, &format!("at most {:.1} ms", turn * 1000.0), "", "at most 50 ms", turn <= 0.05);
    within(LONGEST, "the end of every Pod", async {
        let one = ListParams::default().limit(1);
        while !pods.list_metadata(&one).await.expect("its administrator may").items.is_empty() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    drop(operator);

    let operator = Operator::start(kubernetes);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mark = Mark::end(audit_log());
    let before = process::time(operator.pid());
    tokio::time::sleep(IDLE).await;
    let used = process::time(operator.pid()).saturating_sub(before);
    let writes = mark.since(OPERATOR).await;
    let (resident, peak) = (megabytes(operator.resident()), megabytes(operator.peak()));

    let what = format!("{count} finished jobs: writes in {} s, the lease left out", IDLE.as_secs());
    let others = writes.but_for(&[" leases"]);
    report.bound(&what, &format!("{others}"), "", "none", others == 0);
    let what = format!("{count} finished jobs: memory");
    let text = format!("{resident:.1} MB, at most {peak:.1} MB");
    report.bound(&what, &text, "", "less than 40 MB", peak < 40.0);
    let share = 100.0 * used.as_secs_f64() / IDLE.as_secs_f64();
    report.note(&format!("{count} finished jobs: processor"), &format!("{share:.2} % of a core"), "");
    drop(operator);
    kubernetes.delete(namespace).await;
}
