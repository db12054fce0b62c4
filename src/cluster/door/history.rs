//! `history`: the runs of a job, the last first; with `run` the batches of one that were started, by number.

use std::{collections::VecDeque, sync::Arc};

use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use serde::Deserialize;

use super::{
    Address, House, Opened, RunLine,
    refusal::Refusal,
    stream::{Lines, answer, text},
};
use crate::{
    engine::ledger::Ledger,
    history::{HistoryError, Reader},
    job::identity::{BatchNum, RunId},
    store::record::{BatchRecord, BatchState, RunRecord},
};

const PAGE: u32 = 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    run: Option<u32>,
    state: Option<BatchState>,
    after: Option<u32>,
}

pub(super) async fn history(
    State(house): State<Arc<House>>,
    Path(address): Path<Address>,
    Query(question): Query<Question>,
) -> Result<Response, Refusal> {
    let opened = house.open(&address).await?;
    let Some(number) = question.run else { return Ok(answer(runs(opened, question.after).await?)) };
    let run = opened.run(Some(number)).await?;
    let after = BatchNum(question.after.unwrap_or(0));
    let (reader, state) = (opened.reader, question.state);
    Ok(answer(Batches { reader, run, state, after, page: VecDeque::new(), ended: false }))
}

/// Those before the run `after`.
async fn runs(opened: Opened, after: Option<u32>) -> Result<Runs, Refusal> {
    let mut ledgers: VecDeque<Ledger> = opened.reader.ledgers(opened.job.uid).await?.into();
    if let Some(after) = after {
        ledgers.retain(|ledger| ledger.run.run < after);
    }
    Ok(Runs { opened, ledgers })
}

struct Runs {
    opened: Opened,
    ledgers: VecDeque<Ledger>,
}

impl Lines for Runs {
    async fn next(&mut self) -> Result<Option<String>, HistoryError> {
        let Some(ledger) = self.ledgers.pop_front() else { return Ok(None) };
        let missed_saves = self.opened.reader.gap(&ledger.run).await?;
        let run = RunRecord::of(&self.opened.job.name, &ledger);
        Ok(Some(text(&RunLine { run, missed_saves })))
    }
}

struct Batches {
    reader: Reader,
    run: RunId,
    state: Option<BatchState>,
    after: BatchNum,
    page: VecDeque<BatchRecord>,
    ended: bool,
}

impl Lines for Batches {
    async fn next(&mut self) -> Result<Option<String>, HistoryError> {
        loop {
            if let Some(batch) = self.page.pop_front() {
                return Ok(Some(text(&batch)));
            }
            if self.ended {
                return Ok(None);
            }
            let page = self.reader.batches(&self.run, self.state, self.after, PAGE).await?;
            self.ended = page.len() < PAGE as usize;
            self.after = page.last().map_or(self.after, |batch| batch.batch);
            self.page = page.into();
        }
    }
}
