//! A job: what it says, how its runs went.

use std::time::Duration;

use axum::{
    Extension,
    extract::{Path, State},
    http::Uri,
    response::Response,
};
use serde::Serialize;

use super::{job_of, with_last};
use crate::{
    dashboard::{
        actions::{self, Offer},
        draw::{Trend, trend},
        error::PageError,
        render::{self, Form},
        routes::Site,
        view::{HistoryWanted, JobEntry, RunEntry, Spec, View},
    },
    show::format,
};

/// How many runs the page lists and draws.
const RUNS: u32 = 50;

/// The page.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobPage {
    job: JobEntry,
    offers: Vec<Offer>,
    /// The last ones, the last one first.
    runs: Vec<RunEntry>,
    /// Whether there are more.
    more: bool,
    trends: Vec<Trend>,
    spec: Spec,
}

/// `GET /jobs/{job}`.
pub async fn show<V: View>(
    State(site): State<Site<V>>,
    Extension(form): Extension<Form>,
    uri: Uri,
    Path(key): Path<String>,
) -> Result<Response, PageError> {
    let job = job_of(&*site.view, &key).await?;
    let wanted = HistoryWanted { job: Some(job.clone()), ..HistoryWanted::default() };
    let found = site.view.history(&wanted, None, RUNS).await?.unwrap_or_default();
    let more = found.next.is_some();
    let runs = with_last(&job, found.runs);
    let spec = site.view.spec(&job, job.last.as_ref().map(|last| last.record.run)).await?;
    let trends = trends(&runs);
    render::page(
        form,
        &uri,
        "job.html",
        &JobPage { offers: actions::offers(&job), job, runs, more, trends, spec },
    )
}

/// Duration, cost and failures of the runs, the oldest first.
fn trends(runs: &[RunEntry]) -> Vec<Trend> {
    if runs.len() < 2 {
        return Vec::new();
    }
    let of = |name, value: fn(&RunEntry) -> f64, words| {
        let values: Vec<(u32, f64)> = runs.iter().rev().map(|run| (run.record.run, value(run))).collect();
        trend(name, &values, words)
    };
    #[expect(clippy::cast_precision_loss, reason = "a bar's height needs few digits")]
    let all = vec![
        of(
            "Duration",
            |run| run.active_seconds as f64,
            |seconds| format::duration(Duration::from_secs_f64(seconds)),
        ),
        of(
            "Cost",
            |run| run.record.usage.cost_micro_usd as f64 / 1e6,
            |dollars| if dollars < 0.1 { format!("${dollars:.4}") } else { format!("${dollars:.2}") },
        ),
        of(
            "Batches that failed",
            |run| f64::from(run.record.failed) * 100.0 / f64::from(run.record.total.max(1)),
            |percent| format!("{percent:.1} %"),
        ),
    ];
    all.into_iter().filter(|trend| trend.peak > 0.0).collect()
}
