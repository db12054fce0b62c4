//! `outputs.jsonl`: the answers of a run, a line each, by batch.

use std::{collections::VecDeque, sync::Arc};

use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use serde::Deserialize;

use super::{
    Address, House, OutputLine,
    refusal::Refusal,
    stream::{Lines, answer, text},
};
use crate::{
    engine::ranges::Ranges,
    history::{HistoryError, Reader},
    job::identity::{AttemptKey, BatchNum, RunId},
};

/// So many batches are looked up at a time; one answer at a time is in memory.
const PAGE: u32 = 500;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    run: Option<u32>,
    batch: Option<String>,
    after: Option<u32>,
}

pub(super) async fn outputs(
    State(house): State<Arc<House>>,
    Path(address): Path<Address>,
    Query(question): Query<Question>,
) -> Result<Response, Refusal> {
    let opened = house.open(&address).await?;
    let run = opened.run(question.run).await?;
    let answers = Answers {
        name: format!("{}/{}", opened.job.name, run.run),
        reader: opened.reader,
        run,
        wanted: wanted(question.batch.as_deref())?,
        after: BatchNum(question.after.unwrap_or(0)),
        page: VecDeque::new(),
        ended: false,
    };
    Ok(answer(answers))
}

/// The batches of `3,7-9`; `None` for all.
pub(super) fn wanted(text: Option<&str>) -> Result<Option<Ranges>, Refusal> {
    let read = |text: &str| {
        text.parse().map_err(|_| Refusal::Question {
            why: format!("batch={text}: write numbers and ranges, such as 3,7-9"),
        })
    };
    text.map(read).transpose()
}

struct Answers {
    name: String,
    reader: Reader,
    run: RunId,
    wanted: Option<Ranges>,
    after: BatchNum,
    page: VecDeque<AttemptKey>,
    ended: bool,
}

impl Lines for Answers {
    async fn next(&mut self) -> Result<Option<String>, HistoryError> {
        loop {
            while let Some(key) = self.page.pop_front() {
                if self.wanted.as_ref().is_some_and(|wanted| !wanted.contains(key.batch)) {
                    continue;
                }
                // Gone since it was listed: its job was deleted.
                let Some((answer, facts)) = self.reader.kept_answer(&self.run, key.batch).await? else {
                    continue;
                };
                let (run, attempt) = (self.name.clone(), key.ordinal);
                let line = OutputLine { run, batch: key.batch, attempt, facts, answer };
                return Ok(Some(text(&line)));
            }
            if self.ended {
                return Ok(None);
            }
            let page = self.reader.answered(&self.run, self.after, PAGE).await?;
            self.ended = page.len() < PAGE as usize;
            self.after = page.last().map_or(self.after, |key| key.batch);
            self.page = page.into();
        }
    }
}
