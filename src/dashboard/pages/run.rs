//! A run: how far it is, which batches are where, what failed and why.

use std::collections::BTreeMap;

use axum::{
    Extension,
    extract::{Path, Query, State},
    http::Uri,
    response::Response,
};
use schemars::JsonSchema;
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
        view::{JobEntry, RunEntry, Standing, View},
    },
    engine::ranges::Ranges,
    job::identity::BatchNum,
    store::record::{BatchRecord, BatchState},
};

/// How many batches the list shows at a time.
const BATCHES: u32 = 50;

/// What the address says.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunQuery {
    /// Only batches that are `failed`, `running`, `waiting`, `succeeded` or `pending`; `all` that were started.
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

/// Something about a batch, with what the job calls it.
#[derive(Debug, Serialize)]
struct Called<T> {
    #[serde(flatten)]
    of: T,
    label: Option<String>,
}

/// The page.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunPage {
    job: JobEntry,
    run: RunEntry,
    /// What can be done.
    offers: Vec<Offer>,
    /// Whether this is the job's last run, which all verbs are about.
    is_last: bool,
    pending: u32,
    strip: Strip,
    failures: Vec<FailureGroup>,
    choices: Vec<Choice>,
    batches: Vec<Called<BatchRecord>>,
    /// Those that are to be started, where they are asked for.
    waits: Vec<Called<Pending>>,
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
    let wants_pending = query.state.as_deref() == Some("pending");
    // Who opens a run in which something failed wants to see that.
    let wanted = match query.state.as_deref() {
        Some("all" | "pending") => None,
        Some(word) => Some(state_called(word)?),
        None if run.cells.failed.is_empty() => None,
        None => Some(BatchState::Failed),
    };
    let after = query.after.unwrap_or(0);
    let (mut batches, mut waits, mut more) = (Vec::new(), Vec::new(), false);
    if wants_pending {
        (waits, more) = pending(&run, BatchNum(after), BATCHES);
    } else {
        batches = site.view.batches(&run.id, wanted, BatchNum(after), BATCHES + 1).await?;
        more |= batches.len() > BATCHES as usize;
        batches.truncate(BATCHES as usize);
    }
    let here = format!("/jobs/{}/runs/{}", job.key, run.record.run);
    let link = |state: Option<String>, after: Option<u32>| {
        let fields = [("state", state), ("after", after.map(|after| after.to_string()))];
        format!("{here}{}#batches", query_string(&fields))
    };
    let shown = batches.iter().map(|batch| batch.batch).chain(waits.iter().map(|wait| wait.batch));
    let (begin, last) = (shown.clone().next(), shown.last());
    let mut labels = match (begin, last) {
        (Some(first), Some(last)) => site.view.labels(&run.id, first, last).await?,
        _ => BTreeMap::new(),
    };
    let next = last.filter(|_| more).map(|last| link(query.state.clone(), Some(last.0)));
    let first = (after > 0).then(|| link(query.state.clone(), None));
    let cells = &run.cells;
    let begun = cells.succeeded.len() + cells.failed.len() + cells.running.len() + cells.waiting.len();
    let to_start = cells.pending();
    let choices = [
        (None, "all", begun),
        (Some(BatchState::Failed), "failed", cells.failed.len()),
        (Some(BatchState::Running), "running", cells.running.len()),
        (Some(BatchState::Waiting), "waiting", cells.waiting.len()),
        (Some(BatchState::Succeeded), "succeeded", cells.succeeded.len()),
    ];
    let mut choices: Vec<Choice> = choices
        .into_iter()
        .map(|(state, word, count)| Choice {
            word,
            count,
            href: link(Some(word.to_owned()), None),
            chosen: state == wanted && !wants_pending,
        })
        .collect();
    choices.push(Choice {
        word: "pending",
        count: to_start,
        href: link(Some("pending".to_owned()), None),
        chosen: wants_pending,
    });
    let batches = batches.into_iter().map(|of| Called { label: labels.remove(&of.batch), of }).collect();
    let waits = waits.into_iter().map(|of| Called { label: labels.remove(&of.batch), of }).collect();
    let strip = strip(cells);
    let is_last = job.last.as_ref().is_some_and(|last| last.record.run == run.record.run);
    let offers = if is_last { actions::offers(&job) } else { vec![actions::deletion(&job, run.record.run)] };
    let page = RunPage {
        job,
        run,
        offers,
        is_last,
        pending: to_start,
        strip,
        failures,
        choices,
        batches,
        waits,
        next,
        first,
    };
    render::page(form, &uri, "run.html", &page)
}

fn state_called(word: &str) -> Result<BatchState, PageError> {
    BatchState::called(word).ok_or_else(|| {
        PageError::bad_request(format!(
            "`state` is {word}: it may be all, failed, running, waiting, pending or succeeded."
        ))
    })
}

/// A batch that was not started, and why.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Pending {
    /// Its number.
    pub batch: BatchNum,
    /// How many are to be started before it.
    ahead: u32,
    /// Why it was not started yet, for people.
    why: String,
}

/// At most `limit` of the batches above `after` that are to be started, and whether there are more.
pub fn pending(run: &RunEntry, after: BatchNum, limit: u32) -> (Vec<Pending>, bool) {
    let all = run.cells.to_be_started();
    let rest = all.without(&Ranges::span(1, after.0));
    let before = all.len() - rest.len();
    let mut found = Vec::new();
    for (place, batch) in rest.iter().take(limit as usize).enumerate() {
        let ahead = before.saturating_add(u32::try_from(place).unwrap_or(u32::MAX));
        found.push(Pending { batch, ahead, why: why(run, ahead) });
    }
    (found, rest.len() > limit)
}

fn why(run: &RunEntry, ahead: u32) -> String {
    let running = run.cells.running.len();
    match run.standing {
        Standing::Complete | Standing::Failed => "The run has ended.".to_owned(),
        Standing::Suspended => "The run is suspended: resume goes on.".to_owned(),
        Standing::Interrupted => "No process drives the run: resume goes on.".to_owned(),
        Standing::Stopping => "The run is ending: nothing new starts.".to_owned(),
        Standing::Running | Standing::Waiting | Standing::Pending => match (&run.waiting_words, ahead) {
            (Some(words), _) => format!("It waits: {words}."),
            (None, 0) => format!("It is the next one, when one of the {running} that run has ended."),
            (None, ahead) => format!("In the queue: {ahead} before it, {running} run at once."),
        },
    }
}
