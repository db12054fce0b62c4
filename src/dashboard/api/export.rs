//! All of history, read as it is sent: as a table, or a line each.

use axum::{
    body::Body,
    extract::{Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    dashboard::{
        error::PageError,
        pages::history::{self, HistoryQuery},
        routes::Site,
        view::{HistoryList, HistoryRun, HistoryWanted, View, ViewError},
    },
    store::record::RunState,
};

/// How many runs are read at a time.
const READ: u32 = 500;

/// What the address says.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ExportQuery {
    /// A part of a job's name.
    q: Option<String>,
    /// Only of the job with this key.
    job: Option<String>,
    /// Only those that are `pending`, `running`, `suspended`, `stopping`, `complete` or `failed`.
    phase: Option<String>,
    /// Started within so many hours.
    #[schemars(with = "Option<u32>")]
    hours: Option<String>,
}

impl From<ExportQuery> for HistoryQuery {
    fn from(ExportQuery { q, job, phase, hours }: ExportQuery) -> Self {
        Self { q, job, phase, hours, ..Self::default() }
    }
}

/// The runs that are wanted, by pages.
fn pages<V: View>(
    site: Site<V>,
    wanted: HistoryWanted,
) -> impl Stream<Item = Result<Vec<HistoryRun>, ViewError>> {
    futures::stream::unfold(Some((site, wanted, None)), async |state| {
        let (site, wanted, after) = state?;
        match site.view.history(&wanted, after, READ).await {
            Ok(Some(HistoryList { runs, next })) => {
                let next = next.map(|next| (site, wanted, Some(next)));
                Some((Ok(runs), next))
            }
            Ok(None) => None,
            // The connection breaks off, so that nobody takes a part for the whole.
            Err(error) => Some((Err(error), None)),
        }
    })
}

/// Values as lines of JSON, to be saved as `file`.
pub fn lines<T: Serialize>(
    values: impl Stream<Item = Result<T, ViewError>> + Send + 'static,
    file: &str,
) -> Response {
    let lines = values.map_ok(|value| {
        let mut line = serde_json::to_string(&value).expect("records have no keys that JSON lacks");
        line.push('\n');
        line
    });
    saved(Body::from_stream(lines), "application/x-ndjson", file)
}

fn saved(body: Body, media: &'static str, file: &str) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{file}\""));
    headers
        .insert(header::CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment")));
    response
}

/// `GET /api/v1/history.jsonl`.
pub async fn jsonl<V: View>(
    State(site): State<Site<V>>,
    Query(query): Query<ExportQuery>,
) -> Result<Response, PageError> {
    let wanted = history::wanted(&*site.view, &query.into()).await?;
    let runs = pages(site, wanted).map_ok(|runs| futures::stream::iter(runs.into_iter().map(Ok)));
    Ok(lines(runs.try_flatten(), "mozart-history.jsonl"))
}

const COLUMNS: &str = "job,run,state,reason,started,ended,active_seconds,batches,succeeded,failed,cost_usd,input_tokens,\
                       output_tokens,cache_read_tokens,cache_write_tokens,message\r\n";

/// `GET /api/v1/history.csv`.
pub async fn csv<V: View>(
    State(site): State<Site<V>>,
    Query(query): Query<ExportQuery>,
) -> Result<Response, PageError> {
    let wanted = history::wanted(&*site.view, &query.into()).await?;
    let rows = pages(site, wanted).map_ok(|runs| runs.iter().map(row).collect::<String>());
    let head = futures::stream::iter([Ok(COLUMNS.to_owned())]);
    Ok(saved(Body::from_stream(head.chain(rows)), "text/csv; charset=utf-8", "mozart-history.csv"))
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
