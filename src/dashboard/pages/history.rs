//! Every run of every job: filtered by the address, in pages, and as a table to take away.

use axum::{
    Extension,
    extract::{Query, State},
    http::Uri,
    response::Response,
};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{job_of, number};
use crate::{
    dashboard::{
        error::PageError,
        render::{self, Form, query_string},
        routes::Site,
        view::{HistoryList, HistoryRun, HistoryWanted, View},
    },
    job::outcome::{Usage, decimal},
};

/// How many runs a page shows, unless it is said.
const PAGE: u32 = 50;
/// The most.
const PAGE_MAX: u32 = 500;

/// What the address says.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HistoryQuery {
    /// A part of a job's name.
    pub q: Option<String>,
    /// Only of the job with this key.
    pub job: Option<String>,
    /// Only those that are `pending`, `running`, `suspended`, `stopping`, `complete` or `failed`.
    pub phase: Option<String>,
    /// Started within so many hours.
    #[schemars(with = "Option<u32>")]
    pub hours: Option<String>,
    /// Where the page begins: what `next` of the one before says.
    pub after: Option<String>,
    /// How many runs: at most 500; 50, unless it is said.
    #[schemars(with = "Option<u32>")]
    pub limit: Option<String>,
}

/// Sums over the runs of a page.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// How many there are.
    runs: usize,
    /// How many batches they are for.
    batches: u64,
    /// How many of those are done.
    succeeded: u64,
    /// How many have failed.
    failed: u64,
    /// In US dollars, a decimal.
    #[serde(rename = "costUSD")]
    cost_usd: String,
    /// All tokens, in and out.
    tokens: u64,
}

/// The page.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct HistoryPage {
    runs: Vec<HistoryRun>,
    /// Of the runs on this page.
    totals: Totals,
    query: HistoryQuery,
    /// All that the filter leaves as a table.
    csv: String,
    /// The same, a line of JSON each.
    lines: String,
    /// The next page, if there is one.
    next: Option<String>,
    /// The first page, if this is not it.
    first: Option<String>,
    /// Whether anything is filtered.
    filtered: bool,
    /// Whether there would be anything if nothing was.
    kept: bool,
}

/// What `query` asks for.
pub async fn wanted(view: &impl View, query: &HistoryQuery) -> Result<HistoryWanted, PageError> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let job = match given(&query.job) {
        None => None,
        Some(key) => Some(job_of(view, &key).await?),
    };
    let phase = match given(&query.phase) {
        None => None,
        Some(word) => {
            let known = ["Pending", "Running", "Suspended", "Stopping", "Complete", "Failed"];
            let found = known.into_iter().find(|known| known.eq_ignore_ascii_case(&word));
            let message = format!("`phase` is {word}, which no run can be in.");
            Some(found.ok_or_else(|| PageError::bad_request(message))?)
        }
    };
    let hours: Option<i64> = number(query.hours.as_deref(), "hours")?;
    let since =
        hours.map(|hours| Timestamp::now() - SignedDuration::from_hours(hours.clamp(0, 24 * 365 * 10)));
    let name = given(&query.q).map(|text| text.trim().to_lowercase());
    Ok(HistoryWanted { job, name, phase, since })
}

/// `after` was not said by a page.
pub fn no_place() -> PageError {
    PageError::bad_request("`after` is not what a page of this list says.")
}

/// The page that `query` asks for.
pub async fn find(view: &impl View, query: &HistoryQuery) -> Result<HistoryList, PageError> {
    let wanted = wanted(view, query).await?;
    let limit = number(query.limit.as_deref(), "limit")?.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let after = query.after.clone().filter(|after| !after.is_empty());
    view.history(&wanted, after, limit).await?.ok_or_else(no_place)
}

/// `GET /history`.
pub async fn show<V: View>(
    State(site): State<Site<V>>,
    Extension(form): Extension<Form>,
    uri: Uri,
    Query(query): Query<HistoryQuery>,
) -> Result<Response, PageError> {
    let is_later = query.after.as_deref().is_some_and(|after| !after.is_empty());
    let found = find(&*site.view, &query).await?;
    let fields = [&query.q, &query.job, &query.phase, &query.hours];
    let filtered = fields.into_iter().any(|field| field.as_deref().is_some_and(|text| !text.is_empty()));
    let page = HistoryPage {
        totals: Totals::of(&found.runs),
        runs: found.runs,
        csv: query.link("/api/v1/history.csv", None),
        lines: query.link("/api/v1/history.jsonl", None),
        next: found.next.map(|next| query.link("/history", Some(next))),
        first: is_later.then(|| query.link("/history", None)),
        filtered,
        kept: site.view.keeps_history(),
        query,
    };
    render::page(form, &uri, "history.html", &page)
}

impl HistoryQuery {
    /// An address with the same filter.
    fn link(&self, path: &str, after: Option<String>) -> String {
        let limit = self.limit.clone().filter(|_| path == "/history");
        let fields = [
            ("q", self.q.clone()),
            ("job", self.job.clone()),
            ("phase", self.phase.clone()),
            ("hours", self.hours.clone()),
            ("after", after),
            ("limit", limit),
        ];
        format!("{path}{}", query_string(&fields))
    }
}

impl Totals {
    /// The sums over `runs`.
    pub fn of(runs: &[HistoryRun]) -> Self {
        let mut usage = Usage::default();
        let mut totals = Self { runs: runs.len(), ..Self::default() };
        for record in runs.iter().map(|run| &run.run.record) {
            totals.batches += u64::from(record.total);
            totals.succeeded += u64::from(record.succeeded);
            totals.failed += u64::from(record.failed);
            usage += record.usage;
        }
        totals.cost_usd = decimal(usage.cost_micro_usd);
        totals.tokens = usage.tokens();
        totals
    }
}
