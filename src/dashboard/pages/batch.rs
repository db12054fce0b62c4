//! A batch: its attempts, what each was sent, what it said, and what its validations found.

use axum::{
    Extension,
    extract::{Path, Query, State},
    http::Uri,
    response::Response,
};
use serde::{Deserialize, Serialize};

use super::{
    numbered,
    run::{Pending, pending},
    run_of,
};
use crate::{
    dashboard::{
        error::PageError,
        render::{self, Form},
        routes::Site,
        view::{JobEntry, Piece, PodEntry, RunEntry, TextKind, View},
    },
    job::{
        finding::Finding,
        identity::{AttemptKey, BatchNum},
    },
    store::record::{AttemptRecord, AttemptState, BatchRecord},
};

/// The most of a text that the page shows, in bytes: the end of it, where errors are.
pub const SHOWN: u64 = 64 << 10;

/// What the address says.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BatchQuery {
    /// Which attempt; the last one, unless it is said.
    attempt: Option<u32>,
    /// `output`, `errors`, `prompt` or `answer`.
    show: Option<String>,
}

/// A text as the page shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    kind: TextKind,
    /// Its end; bytes that are no UTF-8 are replaced.
    text: String,
    /// Where that begins.
    offset: u64,
    /// How long the whole is.
    total: u64,
}

/// A way to look at the attempt.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tab {
    word: &'static str,
    href: String,
    chosen: bool,
}

impl Tab {
    /// One for each text, of which `chosen` is shown; `href` is the address for its word.
    pub fn all(chosen: TextKind, href: impl Fn(&str) -> String) -> Vec<Self> {
        TABS.map(|(word, kind)| Self { word, href: href(word), chosen: kind == chosen }).into()
    }
}

/// The page.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchPage {
    job: JobEntry,
    run: RunEntry,
    number: BatchNum,
    /// What the job calls it.
    label: Option<String>,
    /// `None` while it was not started.
    batch: Option<BatchRecord>,
    /// Why it was not.
    pending: Option<Pending>,
    attempts: Vec<AttemptRecord>,
    /// The one that is shown.
    attempt: Option<AttemptRecord>,
    findings: Vec<Finding>,
    /// Its Pod, where attempts have some.
    pod: Option<PodEntry>,
    tabs: Vec<Tab>,
    shown: Option<Shown>,
    /// Why nothing is, where that is known.
    absent: Option<String>,
    previous_failed: Option<BatchNum>,
    next_failed: Option<BatchNum>,
}

/// `GET /jobs/{job}/runs/{run}/batches/{batch}`.
pub async fn show<V: View>(
    State(site): State<Site<V>>,
    Extension(form): Extension<Form>,
    uri: Uri,
    Path((key, run, number)): Path<(String, u32, u32)>,
    Query(query): Query<BatchQuery>,
) -> Result<Response, PageError> {
    let view = &*site.view;
    let (job, run) = run_of(view, &key, run).await?;
    let number = numbered(&job, &run, number)?;
    let mut batches = view.batches(&run.id, None, BatchNum(number.0 - 1), 1).await?;
    let batch = batches.pop().filter(|batch| batch.batch == number);
    let attempts = view.attempts(&run.id, number).await?;
    let attempt = match query.attempt {
        None => attempts.last().cloned(),
        Some(ordinal) => {
            let found = attempts.iter().find(|attempt| attempt.ordinal == ordinal).cloned();
            let message =
                format!("Batch {number} has {} attempts, and no attempt {ordinal}.", attempts.len());
            Some(found.ok_or_else(|| PageError::not_found(message))?)
        }
    };
    let (mut findings, mut pod, mut tabs, mut shown, mut absent) = (Vec::new(), None, Vec::new(), None, None);
    if let Some(attempt) = &attempt {
        findings = view.findings(&run.id, attempt.key()).await?;
        pod = view.pod(&run.id, attempt.key()).await?;
        let chosen = chosen(view, &run, attempt, query.show.as_deref()).await?;
        shown = text(view, &run, attempt.key(), chosen).await?;
        if shown.is_none() {
            absent = view.absence(&run.id, attempt.key(), chosen).await?;
        }
        let here =
            format!("/jobs/{}/runs/{}/batches/{number}?attempt={}", job.key, run.record.run, attempt.ordinal);
        tabs = Tab::all(chosen, |word| format!("{here}&show={word}#text"));
    } else if batch.is_some() {
        absent = view.absence(&run.id, AttemptKey::first(number), TextKind::Stdout).await?;
    }
    let label = view.labels(&run.id, number, number).await?.remove(&number);
    let waits = pending(&run, BatchNum(number.0 - 1), 1).0.pop().filter(|first| first.batch == number);
    let failed = &run.cells.failed;
    let previous_failed = failed.iter().take_while(|batch| *batch < number).last();
    let next_failed = failed.next_after(number);
    let page = BatchPage {
        job,
        run,
        number,
        label,
        batch,
        pending: waits,
        attempts,
        attempt,
        findings,
        pod,
        tabs,
        shown,
        absent,
        previous_failed,
        next_failed,
    };
    render::page(form, &uri, "batch.html", &page)
}

const TABS: [(&str, TextKind); 4] = [
    ("output", TextKind::Stdout),
    ("errors", TextKind::Stderr),
    ("prompt", TextKind::Prompt),
    ("answer", TextKind::Answer),
];

/// The text that an address calls `word`.
pub fn kind_called(word: &str) -> Result<TextKind, PageError> {
    let found = TABS.iter().find(|(tab, _)| *tab == word).map(|(_, kind)| *kind);
    found.ok_or_else(|| PageError::not_found(format!("An attempt has no text called {word}.")))
}

/// What was asked for; else the errors of an attempt that failed with some, else its output.
async fn chosen(
    view: &impl View,
    run: &RunEntry,
    attempt: &AttemptRecord,
    word: Option<&str>,
) -> Result<TextKind, PageError> {
    if let Some(word) = word {
        let found = TABS.iter().find(|(tab, _)| *tab == word).map(|(_, kind)| *kind);
        return found.ok_or_else(|| {
            PageError::bad_request(format!("`show` is {word}: it may be output, errors, prompt or answer."))
        });
    }
    if attempt.state == AttemptState::Failed {
        let errors = view.text(&run.id, attempt.key(), TextKind::Stderr, Piece::Last(1)).await?;
        if errors.is_some_and(|errors| errors.total > 0) {
            return Ok(TextKind::Stderr);
        }
    }
    Ok(TextKind::Stdout)
}

async fn text(
    view: &impl View,
    run: &RunEntry,
    key: AttemptKey,
    kind: TextKind,
) -> Result<Option<Shown>, PageError> {
    let found = view.text(&run.id, key, kind, Piece::Last(SHOWN)).await?;
    Ok(found.map(|found| {
        let text = String::from_utf8_lossy(&found.bytes).into_owned();
        Shown { kind, text, offset: found.offset, total: found.total }
    }))
}
