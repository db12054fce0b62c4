//! What is said, in the form that every sink starts from.

use crate::{
    engine::ledger::Notice,
    job::{
        identity::{JobName, RunId},
        model::Occasion,
    },
};

/// What a notice is about.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) job: JobName,
    pub(super) run: RunId,
}

/// A notice and what it is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) subject: &'a Subject,
    pub(super) notice: &'a Notice,
}

impl Message<'_> {
    /// The number of the run that it is about.
    pub(super) fn run(&self) -> u32 {
        self.notice.run.unwrap_or(self.subject.run.run)
    }

    /// The idempotency key: the same whenever this notice is sent again, also by a later process.
    pub(super) fn id(&self) -> String {
        format!("{}.r{}.n{}", self.subject.run.job, self.run(), self.notice.id)
    }

    /// One line: `commit-batch-review/3: batch 12 failed`.
    pub(super) fn title(&self) -> String {
        let (job, run) = (&self.subject.job, self.run());
        let batch = self.notice.attempt.map_or_else(String::new, |key| format!("batch {} ", key.batch));
        let what = match self.notice.occasion {
            Occasion::JobStart | Occasion::BatchStart => "started",
            Occasion::BatchComplete => "succeeded",
            Occasion::JobComplete => "complete",
            Occasion::BatchFailed | Occasion::JobFailed => "failed",
            Occasion::JobPaused => "suspended",
            Occasion::RateLimited => "waits for a limit",
        };
        format!("{job}/{run}: {batch}{what}")
    }
}
