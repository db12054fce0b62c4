//! A run: how far it is, which batches are where, what failed and why.

use axum::{
    Extension,
    extract::{Path, Query, State},
    http::Uri,
    response::Response,
};
use serde::{Deserialize, Serialize};

use super::{
    failures::{self, FailureGroup},
    run_of,
};
use crate::{
    dashboard::{
        actions::{self, Offer},
        draw::{Strip, strip},
        error::PageError,
        render::{self, Form, query_string},
        routes::Site,
        view::{JobEntry, RunEntry, View},
    },
    job::identity::BatchNum,
    store::record::{BatchRecord, BatchState},
};

/// How many batches the list shows at a time.
const BATCHES: u32 = 50;

/// What the address says.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunQuery {
    /// Only batches that are `failed`, `running`, `waiting` or `succeeded`; `all` of them.
    state: Option<String>,
    /// Where the list begins: the last batch of the page before.
    after: Option<u32>,
}

/// A way to look at the batches.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Choice {
    word: &'static str,
    count: u32,
    href: String,
    chosen: bool,
}

/// The page.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunPage {
    job: JobEntry,
    run: RunEntry,
    /// What can be done, where this is the job's last run.
    offers: Vec<Offer>,
    pending: u32,
    strip: Strip,
    failures: Vec<FailureGroup>,
    choices: Vec<Choice>,
    batches: Vec<BatchRecord>,
    /// The next batches, if there are more.
    next: Option<String>,
    /// The first ones, if these are not.
    first: Option<String>,
}

/// `GET /jobs/{job}/runs/{run}`.
pub async fn show<V: View>(
    State(site): State<Site<V>>,
    Extension(form): Extension<Form>,
    uri: Uri,
    Path((key, run)): Path<(String, u32)>,
    Query(query): Query<RunQuery>,
) -> Result<Response, PageError> {
    let (job, run) = run_of(&*site.view, &key, run).await?;
    let failures =
        if run.cells.failed.is_empty() { Vec::new() } else { failures::groups(&*site.view, &run.id).await? };
    // Who opens a run in which something failed wants to see that.
    let wanted = match query.state.as_deref() {
        Some("all") => None,
        Some(word) => Some(state_called(word)?),
        None if run.cells.failed.is_empty() => None,
        None => Some(BatchState::Failed),
    };
    let after = query.after.unwrap_or(0);
    let mut batches = site.view.batches(&run.id, wanted, BatchNum(after), BATCHES + 1).await?;
    let more = batches.len() > BATCHES as usize;
    batches.truncate(BATCHES as usize);
    let here = format!("/jobs/{}/runs/{}", job.key, run.record.run);
    let link = |state: Option<String>, after: Option<u32>| {
        let fields = [("state", state), ("after", after.map(|after| after.to_string()))];
        format!("{here}{}#batches", query_string(&fields))
    };
    let next = batches.last().filter(|_| more).map(|last| link(query.state.clone(), Some(last.batch.0)));
    let first = (after > 0).then(|| link(query.state.clone(), None));
    let cells = &run.cells;
    let begun = cells.succeeded.len() + cells.failed.len() + cells.running.len() + cells.waiting.len();
    let choices = [
        (None, "all", begun),
        (Some(BatchState::Failed), "failed", cells.failed.len()),
        (Some(BatchState::Running), "running", cells.running.len()),
        (Some(BatchState::Waiting), "waiting", cells.waiting.len()),
        (Some(BatchState::Succeeded), "succeeded", cells.succeeded.len()),
    ];
    let choices = choices
        .into_iter()
        .map(|(state, word, count)| Choice {
            word,
            count,
            href: link(Some(word.to_owned()), None),
            chosen: state == wanted,
        })
        .collect();
    let (pending, strip) = (cells.pending(), strip(cells));
    let is_last = job.last.as_ref().is_some_and(|last| last.record.run == run.record.run);
    let offers = if is_last { actions::offers(&job) } else { Vec::new() };
    let page = RunPage { job, run, offers, pending, strip, failures, choices, batches, next, first };
    render::page(form, &uri, "run.html", &page)
}

fn state_called(word: &str) -> Result<BatchState, PageError> {
    let all = [BatchState::Failed, BatchState::Running, BatchState::Waiting, BatchState::Succeeded];
    all.into_iter().find(|state| state.word() == word).ok_or_else(|| {
        PageError::bad_request(format!(
            "`state` is {word}: it may be all, failed, running, waiting or succeeded."
        ))
    })
}
