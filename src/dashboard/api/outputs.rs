//! The answers of a run, a line each, read as they are sent.

use std::collections::VecDeque;

use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::export::lines;
use crate::{
    dashboard::{
        error::PageError,
        pages::{number, run_of},
        routes::Site,
        view::{View, ViewError},
    },
    engine::ranges::Ranges,
    job::{
        answer::AnswerFacts,
        identity::{BatchNum, RunId},
    },
};

/// In so many batches answers are looked for at a time.
const READ: u32 = 100;

/// An answer. Go on after `batch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutputLine {
    /// `<job>/<run>`.
    pub run: String,
    /// The batch.
    pub batch: BatchNum,
    /// Which start of it.
    pub attempt: u32,
    /// What is known of it.
    #[serde(flatten)]
    pub facts: AnswerFacts,
    /// The text.
    pub answer: String,
}

/// What the address says.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct OutputsQuery {
    /// Only those of these batches: `3,7-9`.
    batch: Option<String>,
    /// Only those after this batch: the last one that was read.
    #[schemars(with = "Option<u32>")]
    after: Option<String>,
}

/// `GET /api/v1/jobs/{job}/runs/{run}/outputs.jsonl`.
pub async fn show<V: View>(
    State(site): State<Site<V>>,
    Path((key, run)): Path<(String, u32)>,
    Query(query): Query<OutputsQuery>,
) -> Result<Response, PageError> {
    let (job, run) = run_of(&*site.view, &key, run).await?;
    let wanted = match query.batch.as_deref() {
        None | Some("") => None,
        Some(text) => Some(text.parse().map_err(|_| {
            PageError::bad_request(format!("`batch` is {text}: write a list such as 3,7-9."))
        })?),
    };
    let after = BatchNum(number(query.after.as_deref(), "after")?.unwrap_or(0));
    let name = format!("{}/{}", job.name, run.record.run);
    let file = format!("{}-r{}-outputs.jsonl", job.name, run.record.run);
    let answers = Answers { site, run: run.id, name, wanted, after: Some(after), read: VecDeque::new() };
    let all = futures::stream::unfold(answers, async |mut answers| {
        let next = answers.next().await.transpose()?;
        Some((next, answers))
    });
    Ok(lines(all, &file))
}

struct Answers<V> {
    site: Site<V>,
    run: RunId,
    name: String,
    wanted: Option<Ranges>,
    /// Where the next ones begin; `None` when all were read.
    after: Option<BatchNum>,
    read: VecDeque<OutputLine>,
}

impl<V: View> Answers<V> {
    async fn next(&mut self) -> Result<Option<OutputLine>, ViewError> {
        loop {
            if let Some(line) = self.read.pop_front() {
                return Ok(Some(line));
            }
            let Some(after) = self.after.take() else { return Ok(None) };
            let page = self.site.view.outputs(&self.run, after, READ).await?;
            self.after = page.next;
            let wanted = page
                .outputs
                .into_iter()
                .filter(|output| self.wanted.as_ref().is_none_or(|wanted| wanted.contains(output.batch)));
            self.read = wanted
                .map(|output| OutputLine {
                    run: self.name.clone(),
                    batch: output.batch,
                    attempt: output.ordinal,
                    facts: output.facts,
                    answer: output.answer,
                })
                .collect();
        }
    }
}
