//! A job: what it says, how its runs went.

use axum::{
    Extension,
    extract::{Path, State},
    http::Uri,
    response::Response,
};
use serde::Serialize;

use super::job_of;
use crate::dashboard::{
    actions::{self, Offer},
    draw::{Trend, trend},
    error::PageError,
    render::{self, Form},
    routes::Site,
    view::{JobEntry, RunEntry, Spec, View},
};

/// How many runs the page lists and draws.
const RUNS: usize = 50;

/// The page.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobPage {
    job: JobEntry,
    offers: Vec<Offer>,
    /// The last ones, the last one first.
    runs: Vec<RunEntry>,
    /// How many there are.
    runs_total: usize,
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
    let mut runs = site.view.runs(&job).await?;
    let runs_total = runs.len();
    runs.truncate(RUNS);
    let spec = site.view.spec(&job, job.last.as_ref().map(|last| last.record.run)).await?;
    let trends = trends(&runs);
    render::page(
        form,
        &uri,
        "job.html",
        &JobPage { offers: actions::offers(&job), job, runs, runs_total, trends, spec },
    )
}

/// Duration, cost and failures of the runs, the oldest first.
fn trends(runs: &[RunEntry]) -> Vec<Trend> {
    if runs.len() < 2 {
        return Vec::new();
    }
    let of = |name, value: fn(&RunEntry) -> f64| {
        let values: Vec<(u32, f64)> = runs.iter().rev().map(|run| (run.record.run, value(run))).collect();
        trend(name, &values)
    };
    #[expect(clippy::cast_precision_loss, reason = "a bar's height needs few digits")]
    let all = vec![
        of("Duration", |run| run.active_seconds as f64),
        of("Cost", |run| run.record.usage.cost_micro_usd as f64),
        of("Failed batches", |run| f64::from(run.record.failed)),
    ];
    all.into_iter().filter(|trend| trend.peak > 0.0).collect()
}
