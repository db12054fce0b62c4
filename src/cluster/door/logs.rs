//! `logs`: what attempts wrote, a line for each, by batch and ordinal.

use std::{collections::VecDeque, io, path::PathBuf, sync::Arc};

use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use serde::Deserialize;

use super::{
    Address, House, LogLine,
    outputs::wanted,
    refusal::Refusal,
    stream::{Lines, answer, text},
};
use crate::{
    engine::ranges::Ranges,
    history::{HistoryError, Reader},
    job::identity::{AttemptKey, BatchNum, RunId},
    store::record::{AttemptRecord, BatchState},
};

const PAGE: u32 = 200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    run: Option<u32>,
    batch: Option<String>,
    attempt: Option<u32>,
    #[serde(default)]
    failed: bool,
    after: Option<String>,
}

pub(super) async fn logs(
    State(house): State<Arc<House>>,
    Path(address): Path<Address>,
    Query(question): Query<Question>,
) -> Result<Response, Refusal> {
    let opened = house.open(&address).await?;
    let run = opened.run(question.run).await?;
    let after = question.after.as_deref().map(place).transpose()?;
    let logs = Logs {
        reader: opened.reader,
        run,
        wanted: wanted(question.batch.as_deref())?,
        ordinal: question.attempt,
        state: question.failed.then_some(BatchState::Failed),
        // The batch of the last line may have another attempt.
        next: BatchNum(after.map_or(0, |key| key.batch.0.saturating_sub(1))),
        after,
        page: VecDeque::new(),
        ended: false,
    };
    Ok(answer(logs))
}

/// The attempt of `12.1`.
fn place(text: &str) -> Result<AttemptKey, Refusal> {
    let read = |text: &str| {
        let (batch, ordinal) = text.split_once('.')?;
        Some(AttemptKey { batch: BatchNum(batch.parse().ok()?), ordinal: ordinal.parse().ok()? })
    };
    read(text).ok_or_else(|| Refusal::Question {
        why: format!("after={text}: write the batch and the attempt of the last line, such as 12.1"),
    })
}

struct Logs {
    reader: Reader,
    run: RunId,
    wanted: Option<Ranges>,
    ordinal: Option<u32>,
    state: Option<BatchState>,
    after: Option<AttemptKey>,
    next: BatchNum,
    page: VecDeque<AttemptRecord>,
    ended: bool,
}

impl Logs {
    async fn turn_page(&mut self) -> Result<(), HistoryError> {
        let batches = self.reader.batches(&self.run, self.state, self.next, PAGE).await?;
        self.ended = batches.len() < PAGE as usize;
        self.next = batches.last().map_or(self.next, |batch| batch.batch);
        for batch in batches {
            if self.wanted.as_ref().is_some_and(|wanted| !wanted.contains(batch.batch)) {
                continue;
            }
            let mut attempts = self.reader.attempts(&self.run, batch.batch).await?;
            let ordinal = self.ordinal.or_else(|| attempts.last().map(|last| last.ordinal));
            attempts.retain(|attempt| Some(attempt.ordinal) == ordinal && Some(attempt.key()) > self.after);
            self.page.extend(attempts);
        }
        Ok(())
    }
}

impl Lines for Logs {
    async fn next(&mut self) -> Result<Option<String>, HistoryError> {
        loop {
            if let Some(attempt) = self.page.pop_front() {
                let files = self.reader.files(&self.run, attempt.key());
                let (stdout, stderr) = (read(files.stdout()).await?, read(files.stderr()).await?);
                let findings = self.reader.findings(&self.run, attempt.key()).unwrap_or_default();
                return Ok(Some(text(&LogLine { attempt, stdout, stderr, findings })));
            }
            if self.ended {
                return Ok(None);
            }
            self.turn_page().await?;
        }
    }
}

/// A text of an attempt; `None` where it was not copied, or is kept no longer.
async fn read(path: PathBuf) -> Result<Option<String>, HistoryError> {
    match tokio::fs::read(&path).await {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(HistoryError::Answer { path, source }),
    }
}
