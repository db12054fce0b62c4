//! What is there, as values.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::header,
    response::{IntoResponse as _, Response},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    dashboard::{
        error::PageError,
        find::{JobsQuery, find},
        pages::{
            failures::{self, FailureGroup},
            history::{self, HistoryQuery, Totals},
            job_of, number, numbered,
            run::{Pending, pending},
            run_of, with_last,
        },
        routes::Site,
        view::{HistoryRun, HistoryWanted, JobEntry, RunEntry, Spec, View},
    },
    job::{
        finding::Finding,
        identity::{AttemptKey, BatchNum},
    },
    store::record::{AttemptRecord, BatchRecord, BatchState},
};

/// How many there are on a page, unless it is said.
const PAGE: u32 = 100;
/// The most.
const PAGE_MAX: u32 = 1_000;

type Answer<T> = Result<Json<T>, PageError>;

/// Jobs.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobList {
    /// A page of them.
    jobs: Vec<JobEntry>,
    /// How many there are.
    total: usize,
    /// How many the query leaves.
    found: usize,
    /// What to ask for the next page with, as `after`; nothing on the last one.
    next: Option<String>,
}

/// `GET /api/v1/jobs`.
pub async fn jobs<V: View>(
    State(site): State<Site<V>>,
    Query(query): Query<JobsQuery>,
) -> Result<Response, PageError> {
    let jobs = site.view.jobs().await?;
    let text = site.rendered.text(&jobs, &query, || {
        let found = find(&jobs, &query, jiff::Timestamp::now())?;
        let list = JobList { jobs: found.jobs, total: found.total, found: found.left, next: found.next };
        Ok(serde_json::to_vec(&list).expect("records have no keys that JSON lacks").into())
    })?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// `GET /api/v1/jobs/{job}`.
pub async fn job<V: View>(State(site): State<Site<V>>, Path(key): Path<String>) -> Answer<JobEntry> {
    job_of(&*site.view, &key).await.map(Json)
}

/// What an address about a job's text says.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SpecQuery {
    /// Which run; the last one, unless it is said.
    #[schemars(with = "Option<u32>")]
    run: Option<String>,
}

/// `GET /api/v1/jobs/{job}/spec`.
pub async fn spec<V: View>(
    State(site): State<Site<V>>,
    Path(key): Path<String>,
    Query(query): Query<SpecQuery>,
) -> Answer<Spec> {
    let job = job_of(&*site.view, &key).await?;
    let last = job.last.as_ref().map(|last| last.record.run);
    let run = number(query.run.as_deref(), "run")?.or(last);
    Ok(Json(site.view.spec(&job, run).await?))
}

/// What the address of a page says.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PageQuery {
    /// Where the page begins: what `next` of the one before says.
    after: Option<String>,
    /// How many: at most 1000; 100, unless it is said.
    #[schemars(with = "Option<u32>")]
    limit: Option<String>,
}

/// Runs of a job.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunList {
    /// A page of them, the last one first.
    runs: Vec<RunEntry>,
    /// What to ask for the next page with, as `after`; nothing on the last one.
    next: Option<String>,
}

fn limit_of(limit: Option<&str>) -> Result<u32, PageError> {
    Ok(number(limit, "limit")?.unwrap_or(PAGE).clamp(1, PAGE_MAX))
}

/// `GET /api/v1/jobs/{job}/runs`.
pub async fn runs<V: View>(
    State(site): State<Site<V>>,
    Path(key): Path<String>,
    Query(query): Query<PageQuery>,
) -> Answer<RunList> {
    let job = job_of(&*site.view, &key).await?;
    let wanted = HistoryWanted { job: Some(job.clone()), ..HistoryWanted::default() };
    let after = query.after.filter(|after| !after.is_empty());
    let is_first = after.is_none();
    let found = site.view.history(&wanted, after, limit_of(query.limit.as_deref())?).await?;
    let found = found.ok_or_else(history::no_place)?;
    let runs = if is_first {
        with_last(&job, found.runs)
    } else {
        found.runs.into_iter().map(|run| run.run).collect()
    };
    Ok(Json(RunList { runs, next: found.next }))
}

/// `GET /api/v1/jobs/{job}/runs/{run}`.
pub async fn run<V: View>(
    State(site): State<Site<V>>,
    Path((key, run)): Path<(String, u32)>,
) -> Answer<RunEntry> {
    run_of(&*site.view, &key, run).await.map(|(_, run)| Json(run))
}

/// `GET /api/v1/jobs/{job}/runs/{run}/failures`.
pub async fn failures<V: View>(
    State(site): State<Site<V>>,
    Path((key, run)): Path<(String, u32)>,
) -> Answer<Vec<FailureGroup>> {
    let (_, run) = run_of(&*site.view, &key, run).await?;
    Ok(Json(failures::groups(&*site.view, &run.id).await?))
}

/// What the address of a list of batches says.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct BatchesQuery {
    /// Only those that are `failed`, `running`, `waiting`, `succeeded` or `pending`; all that were started, unless it is
    /// said.
    state: Option<String>,
    /// The last batch of the page before.
    #[schemars(with = "Option<u32>")]
    after: Option<String>,
    /// How many: at most 1000; 100, unless it is said.
    #[schemars(with = "Option<u32>")]
    limit: Option<String>,
}

/// Batches of a run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BatchList {
    /// Those that were started, by number.
    batches: Vec<BatchRecord>,
    /// Those that were not, with why; only where they are asked for.
    pending: Vec<Pending>,
    /// What to ask for the next page with, as `after`; nothing on the last one.
    next: Option<BatchNum>,
}

/// `GET /api/v1/jobs/{job}/runs/{run}/batches`.
pub async fn batches<V: View>(
    State(site): State<Site<V>>,
    Path((key, run)): Path<(String, u32)>,
    Query(query): Query<BatchesQuery>,
) -> Answer<BatchList> {
    let (_, run) = run_of(&*site.view, &key, run).await?;
    let after = BatchNum(number(query.after.as_deref(), "after")?.unwrap_or(0));
    let limit = limit_of(query.limit.as_deref())?;
    if query.state.as_deref() == Some("pending") {
        let (pending, more) = pending(&run, after, limit);
        let next = pending.last().filter(|_| more).map(|last| last.batch);
        return Ok(Json(BatchList { batches: Vec::new(), pending, next }));
    }
    let state = match query.state.as_deref() {
        None | Some("") => None,
        Some(word) => Some(BatchState::called(word).ok_or_else(|| {
            PageError::bad_request(format!(
                "`state` is {word}: it may be failed, running, waiting, succeeded or pending."
            ))
        })?),
    };
    let mut batches = site.view.batches(&run.id, state, after, limit + 1).await?;
    let more = batches.len() > limit as usize;
    batches.truncate(limit as usize);
    let next = batches.last().filter(|_| more).map(|last| last.batch);
    Ok(Json(BatchList { batches, pending: Vec::new(), next }))
}

/// A batch.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Batch {
    /// Its number.
    number: BatchNum,
    /// What is known of it; nothing before it was started.
    record: Option<BatchRecord>,
    /// Why it was not started yet, if it was not.
    pending: Option<Pending>,
    /// The attempts at it, by number.
    attempts: Vec<AttemptRecord>,
}

/// `GET /api/v1/jobs/{job}/runs/{run}/batches/{batch}`.
pub async fn batch<V: View>(
    State(site): State<Site<V>>,
    Path((key, run, batch)): Path<(String, u32, u32)>,
) -> Answer<Batch> {
    let view = &*site.view;
    let (job, run) = run_of(view, &key, run).await?;
    let number = numbered(&job, &run, batch)?;
    let before = BatchNum(number.0 - 1);
    let mut found = view.batches(&run.id, None, before, 1).await?;
    let found = found.pop().filter(|batch| batch.batch == number);
    let waits = pending(&run, before, 1).0.pop().filter(|pending| pending.batch == number && found.is_none());
    let attempts = view.attempts(&run.id, number).await?;
    Ok(Json(Batch { number, record: found, pending: waits, attempts }))
}

/// An attempt.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Attempt {
    /// What is known of it.
    record: AttemptRecord,
    /// What its validations found; nothing where none were looked at.
    findings: Vec<Finding>,
}

/// `GET /api/v1/jobs/{job}/runs/{run}/batches/{batch}/attempts/{attempt}`.
pub async fn attempt<V: View>(
    State(site): State<Site<V>>,
    Path((key, run, batch, ordinal)): Path<(String, u32, u32, u32)>,
) -> Answer<Attempt> {
    let (_, run) = run_of(&*site.view, &key, run).await?;
    let key = AttemptKey { batch: BatchNum(batch), ordinal };
    let attempts = site.view.attempts(&run.id, key.batch).await?;
    let count = attempts.len();
    let attempt = attempts.into_iter().find(|attempt| attempt.ordinal == ordinal).ok_or_else(|| {
        PageError::not_found(format!("Batch {batch} has {count} attempts, and no attempt {ordinal}."))
    })?;
    Ok(Json(Attempt { record: attempt, findings: site.view.findings(&run.id, key).await? }))
}

/// Runs of all jobs.
#[derive(Debug, Serialize, JsonSchema)]
pub struct History {
    /// A page of them, the newest first.
    runs: Vec<HistoryRun>,
    /// Of the runs on this page.
    totals: Totals,
    /// What to ask for the next page with, as `after`; nothing on the last one.
    next: Option<String>,
}

/// `GET /api/v1/history`.
pub async fn history<V: View>(
    State(site): State<Site<V>>,
    Query(query): Query<HistoryQuery>,
) -> Answer<History> {
    let found = history::find(&*site.view, &query).await?;
    Ok(Json(History { totals: Totals::of(&found.runs), runs: found.runs, next: found.next }))
}
