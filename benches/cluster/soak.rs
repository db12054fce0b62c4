//! an operator that works for an hour on jobs that come, are steered, fail, and go. Whatever it takes it must give
//! back: `MOZART_SOAK_MINUTES` says for how long, and short ones are only told, not judged.

use std::time::{Duration, Instant};

use kube::{
    Api,
    api::{DynamicObject, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    jobs::{Job, failed},
    kubernetes::{Kubernetes, within},
    operator::Operator,
    report::Report,
};

/// Between two rounds: in each a job comes, and some are steered.
const ROUND: Duration = Duration::from_secs(5);
/// Jobs that are over are gone after this.
const KEPT: u32 = 30;
/// From so many minutes on the figures count.
const LONG: u64 = 30;
/// After the load, for what is still under way; then nothing may happen any more.
const SETTLES: Duration = Duration::from_secs(20);
const IDLE: Duration = Duration::from_secs(30);

/// What the operator takes at a moment.
struct Taken {
    hours: f64,
    kibibytes: f64,
    files: usize,
}

/// Mixed jobs for so long, then silence.
pub async fn work(report: &Report, kubernetes: &Kubernetes) {
    let minutes: u64 = std::env::var("MOZART_SOAK_MINUTES")
        .map_or(60, |text| text.parse().expect("MOZART_SOAK_MINUTES is a number"));
    let operator = Operator::start(kubernetes);
    let namespace = kubernetes.namespace().await;
    let jobs = kubernetes.jobs(&namespace);
    let (began, lasts) = (Instant::now(), Duration::from_secs(60 * minutes));
    let (mut taken, mut round) = (Vec::new(), 0);
    while began.elapsed() < lasts {
        one_round(&jobs, round).await;
        round += 1;
        tokio::time::sleep(ROUND).await;
        let hours = began.elapsed().as_secs_f64() / 3600.0;
        let kibibytes = f64::from(u32::try_from(operator.resident()).unwrap_or(u32::MAX));
        taken.push(Taken { hours, kibibytes, files: operator.open_files() });
    }
    resume_all(&jobs).await;
    within(Duration::from_mins(10), "every job is over and gone", async {
        while !jobs
            .list_metadata(&ListParams::default())
            .await
            .expect("its administrator may")
            .items
            .is_empty()
        {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    tokio::time::sleep(SETTLES).await;
    let before = operator.metric("mozart_turn_duration_seconds_count");
    tokio::time::sleep(IDLE).await;
    let turns = operator.metric("mozart_turn_duration_seconds_count") - before;

    let judged = minutes >= LONG;
    // The first fifth warms up: caches fill, the allocator finds its size.
    let warm = &taken[taken.len() / 5..];
    let slope = slope(warm) / 1024.0;
    let batches = operator.metric("mozart_batches_ended_total{outcome=\"succeeded\"}");
    let what = format!("{minutes} minutes, {round} jobs, {batches} batches: growth of memory an hour");
    let (least, most) = bounds(warm.iter().map(|taken| taken.kibibytes / 1024.0));
    let text = format!("{slope:.2} MB ({least:.1}–{most:.1} MB)");
    let kept = slope <= 1.0;
    if judged {
        report.bound(&what, &text, "", "at most 1 MB", kept);
    } else {
        report.note(&what, &text, "");
    }
    let (first, second) = warm.split_at(warm.len() / 2);
    let files = |part: &[Taken]| part.iter().map(|taken| taken.files).max().unwrap_or(0);
    let (before, after) = (files(first), files(second));
    let text = format!("{before}, then {after}");
    report.bound(
        "the most open files, in either half",
        &text,
        "",
        "no more in the second",
        after <= before + 2,
    );
    let text = format!("{turns}");
    report.bound("turns in 30 s without a job", &text, "", "none", turns.abs() < 0.5);
    for name in
        ["mozart_unexpected_pods_total", "mozart_save_failures_total", "mozart_reconcile_errors_total"]
    {
        let count = operator.metric(name);
        report.bound(&format!("`{name}`"), &format!("{count}"), "", "0", count.abs() < 0.5);
    }
    drop(operator);
    kubernetes.delete(namespace).await;
}

/// A job comes; of those before it one is suspended, one goes on, one becomes wider, one is stopped.
async fn one_round(jobs: &Api<DynamicObject>, round: u32) {
    let name = format!("soak-{round}");
    let pretends = if round.is_multiple_of(2) { json!({"tenth-message": failed()}) } else { json!({}) };
    let mut job = Job { name: &name, batches: 40, parallelism: 4, pretends }.manifest();
    job["spec"]["ttlSecondsAfterFinished"] = json!(KEPT);
    crate::kubernetes::make(jobs, job).await;
    let steer = |back: u32, spec: Value| {
        let name = round.checked_sub(back).map(|number| format!("soak-{number}"));
        async move {
            let Some(name) = name else { return };
            // It may be gone, or have ended.
            let _ = jobs.patch(&name, &PatchParams::default(), &Patch::Merge(json!({"spec": spec}))).await;
        }
    };
    match round % 4 {
        0 => steer(1, json!({"suspend": true})).await,
        1 => steer(2, json!({"suspend": false})).await,
        2 => steer(1, json!({"batch": {"parallelism": 8}})).await,
        _ => steer(1, json!({"stop": {"run": 1, "mode": "Now"}})).await,
    }
}

async fn resume_all(jobs: &Api<DynamicObject>) {
    let patch = Patch::Merge(json!({"spec": {"suspend": false}}));
    for job in jobs.list_metadata(&ListParams::default()).await.expect("its administrator may").items {
        let _ = jobs
            .patch(job.metadata.name.as_deref().unwrap_or_default(), &PatchParams::default(), &patch)
            .await;
    }
}

/// KiB an hour, by least squares.
fn slope(taken: &[Taken]) -> f64 {
    let count = f64::from(u32::try_from(taken.len()).unwrap_or(u32::MAX));
    let mean = |of: fn(&Taken) -> f64| taken.iter().map(of).sum::<f64>() / count;
    let (hours, kibibytes) = (mean(|one| one.hours), mean(|one| one.kibibytes));
    let together: f64 = taken.iter().map(|one| (one.hours - hours) * (one.kibibytes - kibibytes)).sum();
    let alone: f64 = taken.iter().map(|one| (one.hours - hours).powi(2)).sum();
    together / alone
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::MAX, 0.0), |(least, most), value| (least.min(value), most.max(value)))
}
