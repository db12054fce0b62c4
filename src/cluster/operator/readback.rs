//! The answers of a run, read back for webhooks that carry them (`includeOutput`).

use std::{error::Error, time::Duration};

use tokio::time::Instant;

use super::{answers::store_of, attend::Not, context::Context};
use crate::{
    api::run::OutputStore,
    cluster::{archive::Archive, object::JobObject, outputs::KeptHere},
    job::{
        identity::{AttemptKey, RunId},
        model::{Job, Sink},
    },
    launch::pod::HOLD,
    notify::{Answer, Answers},
};

/// How often it is looked whether the log of a Pod was copied.
const LOOK: Duration = Duration::from_millis(250);

/// Where the answers of a run are read back.
#[derive(Clone, Debug)]
pub(super) enum Readback {
    /// They are not.
    Nowhere,
    /// In the job's namespace.
    ConfigMaps(KeptHere),
    /// On the operator's volume, kept before their batch succeeded.
    Volume { archive: Archive, run: RunId },
    /// There too, once the log of the Pod was copied.
    Copied { archive: Archive, run: RunId },
}

impl Readback {
    /// Those of a run whose batches are Pods.
    pub(super) fn of_pods(context: &Context, job: &JobObject, run: &RunId) -> Self {
        match &context.settings.archive {
            Some(archive) if store_of(job) == OutputStore::Operator => {
                Self::Copied { archive: archive.clone(), run: run.clone() }
            }
            _ => Self::Nowhere,
        }
    }
}

/// Whether a sink of the job carries answers.
pub(super) fn is_wanted(job: &Job) -> bool {
    job.notifications.iter().any(|notification| carries(&notification.sink))
}

fn carries(sink: &Sink) -> bool {
    matches!(sink, Sink::Webhook { include_output: true, .. })
}

/// Why a job does not begin: a webhook is to carry answers that nobody keeps.
pub(super) fn refusal(context: &Context, object: &JobObject, job: &Job) -> Option<Not> {
    let index = job.notifications.iter().position(|notification| carries(&notification.sink))?;
    let is_kept = match store_of(object) {
        OutputStore::Operator => context.settings.archive.is_some(),
        OutputStore::ConfigMaps => object.runs_in_process(),
        OutputStore::None => false,
    };
    let message = format!(
        "notification {} is to carry answers (includeOutput), and those of this job are not kept: have the operator \
         installed with history.enabled and leave output.store as it is, or take includeOutput out",
        index + 1
    );
    (!is_kept).then_some(Not::Unfit { reason: "NoOutputStore", message })
}

impl Answers for Readback {
    async fn read(
        &self,
        key: AttemptKey,
        limit: usize,
    ) -> Result<Option<Answer>, Box<dyn Error + Send + Sync>> {
        let text = match self {
            Self::Nowhere => None,
            Self::ConfigMaps(kept) => kept.answer(key).await?,
            Self::Volume { archive, run } => archive.answer(run, key.batch).await?,
            Self::Copied { archive, run } => copied(archive, run, key).await?,
        };
        Ok(text.map(|text| cut(text, limit)))
    }
}

/// The answer of a Pod, waited for as long as a Pod is held for its log.
async fn copied(
    archive: &Archive,
    run: &RunId,
    key: AttemptKey,
) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
    let until = Instant::now() + HOLD;
    loop {
        // Asked first: what is kept is kept before its log counts as copied.
        let is_copied = archive.is_copied(run, key) || Instant::now() >= until;
        let answer = archive.answer(run, key.batch).await?;
        if answer.is_some() || is_copied {
            return Ok(answer);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn cut(mut text: String, limit: usize) -> Answer {
    let truncated = text.len() > limit;
    text.truncate(text.floor_char_boundary(limit));
    Answer { text, truncated }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_cut_between_characters() {
        assert_eq!(cut("né".to_owned(), 2), Answer { text: "n".to_owned(), truncated: true });
        assert_eq!(cut("whole".to_owned(), 5), Answer { text: "whole".to_owned(), truncated: false });
    }
}
