//! Every run of every job: filtered by the address, in pages, and as a table to take away.

use axum::{
    Extension,
    body::Body,
    extract::{Query, State},
    http::{HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{job_of, number};
use crate::{
    dashboard::{
        error::PageError,
        render::{self, Form, query_string},
        routes::Site,
        view::{HistoryRun, HistoryWanted, View},
    },
    job::outcome::{Usage, decimal},
    store::record::RunState,
};

/// How many runs a page shows, unless it is said.
const PAGE: u32 = 50;
/// The most, and how many the export reads at a time.
const PAGE_MAX: u32 = 500;

/// What the address says.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HistoryQuery {
    /// A part of a job's name.
    q: Option<String>,
    /// Only of the job with this key.
    job: Option<String>,
    /// Only those that are `running`, `suspended`, `stopping`, `complete` or `failed`.
    phase: Option<String>,
    /// Started within so many hours.
    hours: Option<String>,
    /// Where the page begins: what the one before said.
    after: Option<String>,
    /// How many runs.
    limit: Option<String>,
}

/// Sums over the runs of a page.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Totals {
    runs: usize,
    batches: u64,
    succeeded: u64,
    failed: u64,
    #[serde(rename = "costUSD")]
    cost_usd: String,
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
    /// The same runs as a table.
    csv: String,
    /// The next page, if there is one.
    next: Option<String>,
    /// The first page, if this is not it.
    first: Option<String>,
    /// Whether anything is filtered.
    filtered: bool,
}

async fn wanted(view: &impl View, query: &HistoryQuery) -> Result<HistoryWanted, PageError> {
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

/// `GET /history`.
pub async fn show<V: View>(
    State(site): State<Site<V>>,
    Extension(form): Extension<Form>,
    uri: Uri,
    Query(query): Query<HistoryQuery>,
) -> Result<Response, PageError> {
    let wanted = wanted(&*site.view, &query).await?;
    let limit = number(query.limit.as_deref(), "limit")?.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let after = query.after.clone().filter(|after| !after.is_empty());
    let first = after.is_some().then(|| query.link("/history", None));
    let found = site.view.history(&wanted, after, limit).await?;
    let found =
        found.ok_or_else(|| PageError::bad_request("`after` is not what a page of this list says."))?;
    let fields = [&query.q, &query.job, &query.phase, &query.hours];
    let filtered = fields.into_iter().any(|field| field.as_deref().is_some_and(|text| !text.is_empty()));
    let page = HistoryPage {
        totals: totals(&found.runs),
        runs: found.runs,
        csv: query.link("/history.csv", None),
        next: found.next.map(|next| query.link("/history", Some(next))),
        first,
        filtered,
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

fn totals(runs: &[HistoryRun]) -> Totals {
    let mut usage = Usage::default();
    let mut totals = Totals { runs: runs.len(), ..Totals::default() };
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

const COLUMNS: &str = "job,run,state,reason,started,ended,active_seconds,batches,succeeded,failed,cost_usd,input_tokens,\
                       output_tokens,cache_read_tokens,cache_write_tokens,message\r\n";

/// `GET /history.csv`: all runs that the filter leaves, read as they are sent.
pub async fn export<V: View>(
    State(site): State<Site<V>>,
    Query(query): Query<HistoryQuery>,
) -> Result<Response, PageError> {
    let wanted = wanted(&*site.view, &query).await?;
    let rows = futures::stream::unfold(Some((site, wanted, None)), async |state| {
        let (site, wanted, after) = state?;
        match site.view.history(&wanted, after, PAGE_MAX).await {
            Ok(Some(page)) => {
                let text: String = page.runs.iter().map(row).collect();
                let next = page.next.map(|next| (site, wanted, Some(next)));
                Some((Ok(text), next))
            }
            Ok(None) => None,
            // The connection breaks off, so that nobody takes a part for the whole.
            Err(error) => Some((Err(error), None)),
        }
    });
    let head = futures::stream::iter([Ok(COLUMNS.to_owned())]);
    let mut response = Body::from_stream(head.chain(rows)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"mozart-history.csv\""),
    );
    Ok(response)
}

fn row(run: &HistoryRun) -> String {
    let record = &run.run.record;
    let usage = &record.usage;
    let cells = [
        run.job_name.clone(),
        record.run.to_string(),
        state_word(record.state).to_owned(),
        record.reason.clone().unwrap_or_default(),
        record.started.to_string(),
        record.ended.map(|ended| ended.to_string()).unwrap_or_default(),
        run.run.active_seconds.to_string(),
        record.total.to_string(),
        record.succeeded.to_string(),
        record.failed.to_string(),
        usage.cost_usd(),
        usage.input_tokens.to_string(),
        usage.output_tokens.to_string(),
        usage.cache_read_tokens.to_string(),
        usage.cache_write_tokens.to_string(),
        record.message.clone().unwrap_or_default(),
    ];
    cells.map(|cell| quoted(&cell)).join(",") + "\r\n"
}

fn state_word(state: RunState) -> &'static str {
    match state {
        RunState::Pending => "Pending",
        RunState::Running => "Running",
        RunState::Suspended => "Suspended",
        RunState::Stopping => "Stopping",
        RunState::Complete => "Complete",
        RunState::Failed => "Failed",
    }
}

/// A cell; what a spreadsheet would take for a formula begins with an apostrophe.
fn quoted(cell: &str) -> String {
    let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if guard.is_empty() && !cell.contains([',', '"', '\n', '\r']) {
        return cell.to_owned();
    }
    format!("\"{guard}{}\"", cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula_and_never_two_cells() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,\"b\"\nc"), "\"a,\"\"b\"\"\nc\"");
        assert_eq!(quoted("=HYPERLINK(\"http://x\")"), "\"'=HYPERLINK(\"\"http://x\"\")\"");
        assert_eq!(quoted("@x"), "\"'@x\"");
    }
}
