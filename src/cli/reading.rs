//! The state of jobs, as commands read it.

use std::path::Path;

use anyhow::Context as _;
use clap_complete::CompletionCandidate;
use tokio::runtime::Runtime;

use super::error::Advised;
use crate::{
    engine::{ledger::Ledger, waiting::Waiting},
    history::{HistoryError, Reader},
    job::{
        answer::{AnswerFacts, ItemNumbers},
        batches::Batches,
        files::AttemptFiles,
        finding::Finding,
        identity::{AttemptKey, BatchNum, RunId},
        items::PinnedItems,
        model::Job,
    },
    local::{
        lock::Holder,
        observe::{driver_of, waits_for},
        on_top::{self, OnTop},
        pinned,
        plan::cut_of,
        steer::{self, SteerError},
        verb::Verb,
    },
    store::{
        home::Home,
        record::{AttemptRecord, BatchRecord, BatchState, JobRecord, RunRecord, RunState},
    },
};

/// How many batches are asked for at a time.
const PAGE: u32 = 1_000;

/// History, opened to be read.
#[derive(Debug)]
pub struct Reading {
    /// The state folder.
    pub home: Home,
    runtime: Runtime,
    reader: Reader,
}

/// A job and one of its runs.
#[derive(Clone, Debug)]
pub struct Found {
    /// The job.
    pub job: JobRecord,
    /// The run in short.
    pub run: RunRecord,
    /// The run as it is stored.
    pub ledger: Ledger,
}

impl Reading {
    /// Opens what there is; nothing is made.
    ///
    /// # Errors
    /// There is no state folder, or its files cannot be read.
    pub fn open() -> anyhow::Result<Self> {
        let home = Home::of_environment()?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
        let reader = runtime.block_on(Reader::open(&home))?;
        Ok(Self { home, runtime, reader })
    }

    /// Every job, the one used last first.
    ///
    /// # Errors
    /// The state cannot be read; so it is with all that follow.
    pub fn jobs(&self) -> anyhow::Result<Vec<JobRecord>> {
        Ok(self.runtime.block_on(self.reader.jobs())?)
    }

    /// The last run of a job, if it ever ran.
    pub fn last_run(&self, job: &JobRecord) -> anyhow::Result<Option<RunRecord>> {
        let ledger = self.runtime.block_on(self.reader.last_run(job.uid))?;
        Ok(ledger.map(|ledger| RunRecord::of(&job.name, &ledger)))
    }

    /// The last run of a job file that was loaded, if it could go on.
    pub fn unended(&self, job: &Job) -> anyhow::Result<Option<RunRecord>> {
        let known =
            self.jobs()?.into_iter().find(|known| known.file == job.file && known.name == job.name.as_str());
        let last = known.map(|known| self.last_run(&known)).transpose()?.flatten();
        Ok(last.filter(|run| !matches!(run.state, RunState::Complete | RunState::Failed)))
    }

    /// The runs of a job, the last first.
    pub fn runs(&self, job: &JobRecord) -> anyhow::Result<Vec<RunRecord>> {
        Ok(self.runtime.block_on(self.reader.runs(job))?)
    }

    /// The run that `wanted` means, or the one last used here.
    ///
    /// # Errors
    /// There is none, or several jobs are called so.
    pub fn find(&self, wanted: Option<&str>) -> anyhow::Result<Found> {
        let cwd = std::env::current_dir().context("the present folder is not known")?;
        let found = self.runtime.block_on(self.reader.find(wanted, &cwd)).map_err(advised)?;
        if let (Some(run), Some(ledger)) = (found.run(), found.ledger.clone()) {
            return Ok(Found { job: found.job, run, ledger });
        }
        let message = format!("job `{}` has no run yet", found.job.name);
        let hint = format!("start one with mozart run {}", found.job.file.display());
        Err(Advised::new(message, hint).into())
    }

    /// The same, where only a job's last run will do.
    ///
    /// # Errors
    /// An earlier run was named.
    pub fn find_last(&self, wanted: Option<&str>) -> anyhow::Result<Found> {
        let found = self.find(wanted)?;
        match self.last_run(&found.job)? {
            Some(last) if last.run != found.run.run => {
                let message = format!("{} is not the last run of its job", found.run.id);
                Err(Advised::new(message, format!("name the job or its last run, {}", last.id)).into())
            }
            _ => Ok(found),
        }
    }

    /// Ends the last run of a job, as [`steer::stop`] does.
    pub fn stop(&self, found: &Found, now: bool) -> anyhow::Result<Option<Holder>> {
        Ok(self.runtime.block_on(steer::stop(&self.home, &self.reader, &found.job, &found.run, now))?)
    }

    /// Deletes a job or one of its runs, as [`steer::delete`] does.
    pub fn delete(&self, found: &Found, run: Option<u32>) -> Result<(), SteerError> {
        self.runtime.block_on(steer::delete(&self.home, &self.reader, &found.job, run))
    }

    /// Every batch of a run that was started.
    pub fn batches(&self, found: &Found) -> anyhow::Result<Vec<BatchRecord>> {
        self.batches_in(&found.ledger.run, None)
    }

    /// The batches of a run that failed.
    pub fn failed(&self, run: &RunId) -> anyhow::Result<Vec<BatchRecord>> {
        self.batches_in(run, Some(BatchState::Failed))
    }

    /// The batches of a run that were started and are not done.
    pub fn unfinished(&self, found: &Found) -> anyhow::Result<Vec<BatchRecord>> {
        let mut batches = Vec::new();
        for state in [BatchState::Running, BatchState::Waiting, BatchState::Failed] {
            batches.extend(self.batches_in(&found.ledger.run, Some(state))?);
        }
        Ok(batches)
    }

    fn batches_in(&self, run: &RunId, state: Option<BatchState>) -> anyhow::Result<Vec<BatchRecord>> {
        let mut batches: Vec<BatchRecord> = Vec::new();
        loop {
            let after = batches.last().map_or(BatchNum(0), |last| last.batch);
            let page = self.runtime.block_on(self.reader.batches(run, state, after, PAGE))?;
            let is_last = page.len() < PAGE as usize;
            batches.extend(page);
            if is_last {
                return Ok(batches);
            }
        }
    }

    /// The attempts at a batch, by ordinal.
    pub fn attempts(&self, found: &Found, batch: BatchNum) -> anyhow::Result<Vec<AttemptRecord>> {
        Ok(self.runtime.block_on(self.reader.attempts(&found.ledger.run, batch))?)
    }

    /// The attempts that run now, as history has seen them.
    pub fn live(&self, found: &Found) -> anyhow::Result<Vec<AttemptKey>> {
        let running = self.batches_in(&found.ledger.run, Some(BatchState::Running))?;
        Ok(running.iter().map(|batch| AttemptKey { batch: batch.batch, ordinal: batch.attempts }).collect())
    }

    /// The items that the job file `file` (absolute) is to be loaded with for `verb`.
    pub fn items_for(&self, file: &Path, verb: &Verb) -> anyhow::Result<Vec<PinnedItems>> {
        Ok(self.runtime.block_on(pinned::items_for(&self.home, &self.reader, file, verb))?)
    }

    /// What the last run of the job file `file` (absolute) was begun with on top of it, where `verb` goes on with that,
    /// and the job's name.
    pub fn on_top_for(&self, file: &Path, verb: &Verb) -> anyhow::Result<Option<(String, OnTop)>> {
        Ok(self.runtime.block_on(on_top::of_last(&self.home, &self.reader, file, verb))?)
    }

    /// Where an attempt's texts are.
    pub fn files(&self, found: &Found, key: AttemptKey) -> AttemptFiles {
        self.reader.files(&found.ledger.run, key)
    }

    /// What the validations of an attempt found; nothing where they were not looked at.
    pub fn findings(&self, found: &Found, key: AttemptKey) -> Vec<Finding> {
        self.reader.findings(&found.ledger.run, key).unwrap_or_default()
    }

    /// The answer of a batch that is done; `None` when it is no longer kept.
    pub fn answer(&self, found: &Found, batch: &BatchRecord) -> anyhow::Result<Option<String>> {
        let key = AttemptKey { batch: batch.batch, ordinal: batch.attempts };
        Ok(self.reader.answer(&found.ledger.run, key)?)
    }

    /// How the run cuts the items; `None` where its plan does not say it.
    pub fn cut(&self, found: &Found) -> anyhow::Result<Option<Batches>> {
        let plan = self.runtime.block_on(self.reader.plan_text(&found.ledger.run))?;
        Ok(plan.as_deref().and_then(cut_of))
    }

    /// What is known of the answer of a batch that is done.
    pub fn answer_facts(
        &self,
        found: &Found,
        batch: &BatchRecord,
        cut: Option<&Batches>,
    ) -> anyhow::Result<AnswerFacts> {
        let gave = self.attempts(found, batch.batch)?.into_iter().find(|one| one.ordinal == batch.attempts);
        Ok(AnswerFacts {
            items: cut.and_then(|cut| cut.get(batch.batch)).map(ItemNumbers::from),
            usage: gave.as_ref().map(|attempt| attempt.usage),
            stop_reason: gave.and_then(|attempt| attempt.provenance?.stop_reason),
        })
    }

    /// The batches of a run that are done, by number.
    pub fn done(&self, found: &Found) -> anyhow::Result<Vec<BatchRecord>> {
        self.batches_in(&found.ledger.run, Some(BatchState::Succeeded))
    }

    /// The process that drives the job, if one does.
    pub fn holder(&self, found: &Found) -> anyhow::Result<Option<Holder>> {
        Ok(driver_of(&self.home, found.job.uid)?)
    }

    /// Every attempt of a run.
    pub fn attempts_of(&self, run: &RunId) -> anyhow::Result<Vec<AttemptRecord>> {
        let mut attempts = Vec::new();
        for batch in self.batches_in(run, None)? {
            attempts.extend(self.runtime.block_on(self.reader.attempts(run, batch.batch))?);
        }
        Ok(attempts)
    }

    /// What the credential's limits make a run wait for that is not over.
    pub fn waits_for(&self, found: &Found) -> Option<Waiting> {
        self.runtime.block_on(waits_for(&self.home, &found.ledger))
    }
}

/// What to do where no run was found.
fn advised(error: HistoryError) -> anyhow::Error {
    let hint = match &error {
        HistoryError::NoneHere => "mozart list shows the jobs of all folders, mozart run FILE starts one",
        HistoryError::Ambiguous { .. } => "mozart status 1a2b3c4d, with the id of one of them",
        _ => return error.into(),
    };
    let message = error.to_string();
    anyhow::Error::new(error).context(Advised::new(message, hint))
}

/// The jobs and runs that a shell may complete `JOB` with.
pub fn candidates() -> Vec<CompletionCandidate> {
    #[cfg(feature = "cluster")]
    if let Some(jobs) = super::kubernetes::names::candidates(super::completions::words()) {
        return jobs;
    }
    let Ok(reading) = Reading::open() else { return Vec::new() };
    let jobs = reading.jobs().unwrap_or_default();
    jobs.into_iter()
        .map(|job| CompletionCandidate::new(job.name).help(Some(job.file.display().to_string().into())))
        .collect()
}
