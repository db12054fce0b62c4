//! The one task that writes to the volume.

use std::{collections::HashSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use uuid::Uuid;

use super::{
    Command, Shared,
    budget::LogBudget,
    disk::{Disk, words},
};
use crate::{
    driver::ports::StoreError,
    store::{NewAnswer, error::Trouble, prune::Keep},
};

/// Between two writes of history, so that many saves are one.
const PACE: Duration = Duration::from_millis(250);
/// Between two looks at how much history takes.
const WEIGH: Duration = Duration::from_mins(10);
/// How often a disk is tried that could not be written.
const PROBE: Duration = Duration::from_secs(5);
/// About so many events are written at once: some hundredths of a second, for which answers wait.
const EVENTS: usize = 2_000;
/// So much text of answers is written together; one answer may be more.
const TOGETHER: usize = 2 << 20;

pub(super) struct Writer {
    disk: Disk,
    shared: Arc<Shared>,
    commands: mpsc::UnboundedReceiver<Command>,
    next: Instant,
    /// How much logs and history may take.
    budget: LogBudget,
    /// When it is looked at again.
    weighed: Instant,
}

type Put = (NewAnswer, oneshot::Sender<Result<(), StoreError>>);

impl Writer {
    pub(super) fn new(
        disk: Disk,
        shared: Arc<Shared>,
        commands: mpsc::UnboundedReceiver<Command>,
        budget: LogBudget,
    ) -> Self {
        let now = Instant::now();
        Self { disk, shared, commands, next: now, budget, weighed: now }
    }

    /// Until it is closed, or nobody is left that could tell it something.
    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    Some(command) => {
                        let mut command = Some(command);
                        // Answers that wait together leave another command behind.
                        while let Some(next) = command.take() {
                            if let Command::Close { done } = next {
                                self.finish().await;
                                let _ = done.send(());
                                return;
                            }
                            command = self.obey(next).await;
                        }
                    }
                    None => return self.finish().await,
                },
                () = due(&self.shared, self.next) => {
                    self.write_history().await;
                    if self.weighed <= Instant::now() {
                        self.weighed = Instant::now() + WEIGH;
                        let result = self.weigh().await;
                        self.disk.judge(&result).await;
                    }
                }
                () = tokio::time::sleep(PROBE), if self.disk.is_in_trouble() => self.disk.probe().await,
            }
        }
    }

    async fn finish(&mut self) {
        while !self.shared.pending().is_empty() && self.write_history().await {}
        self.disk.close().await;
    }

    /// Does what is asked; returns what was asked after answers, which are taken together.
    async fn obey(&mut self, command: Command) -> Option<Command> {
        let result = match command {
            Command::Keep { answer, done } => return self.keep((answer, done)).await,
            Command::Answer { run, batch, found } => {
                let answer = match self.disk.database().await {
                    Ok(database) => database.kept_answer(&run, batch).await,
                    Err(error) => Err(error),
                };
                // Who asked may have been ended meanwhile.
                let _ = found.send(answer.map(|kept| kept.map(|(answer, _)| answer)));
                return None;
            }
            Command::Deleted { job } => {
                // What is pending of it would be written after its end.
                while !self.shared.pending().is_empty() && self.write_history().await {}
                self.forget(job).await
            }
            Command::Prune { job, runs } => self.prune(job, runs).await,
            Command::KeepOnly { jobs, namespaces } => self.keep_only(&jobs, namespaces.as_deref()).await,
            Command::Close { .. } => return Some(command),
            #[cfg(test)]
            Command::Pragma { text, done } => {
                if let Ok(database) = self.disk.database().await {
                    database.pragma(text.to_owned()).await;
                }
                let _ = done.send(());
                return None;
            }
        };
        self.disk.judge(&result).await;
        None
    }

    /// Keeps an answer and those that wait behind it.
    async fn keep(&mut self, first: Put) -> Option<Command> {
        let mut length = first.0.answer.len();
        let (mut answers, mut done) = (vec![first.0], vec![first.1]);
        let mut other = None;
        while length < TOGETHER
            && let Ok(command) = self.commands.try_recv()
        {
            match command {
                Command::Keep { answer, done: one } => {
                    length += answer.answer.len();
                    answers.push(answer);
                    done.push(one);
                }
                command => {
                    other = Some(command);
                    break;
                }
            }
        }
        let result = match self.disk.database().await {
            Ok(database) => database.keep_answers(&answers).await,
            Err(error) => Err(error),
        };
        self.disk.judge(&result).await;
        for one in done {
            // Who asked may have been ended meanwhile.
            let _ = one.send(result.as_ref().map_err(told_again).copied());
        }
        other
    }

    /// Writes some of what waits. Whether it could be.
    async fn write_history(&mut self) -> bool {
        self.next = Instant::now() + PACE;
        let saved = self.shared.pending().take(EVENTS);
        let result = match self.disk.database().await {
            Ok(database) => database.copy(&saved).await,
            Err(error) => Err(error),
        };
        self.disk.judge(&result).await;
        let Err(error) = result else { return true };
        self.next = Instant::now() + PROBE;
        // What the database refuses for itself it would refuse for ever.
        if Trouble::behind(&error) != Some(Trouble::Io) {
            self.shared.pending().take_back(saved);
        }
        false
    }

    /// Lets logs take what history leaves. History alone is never more than both may take: the oldest runs go, and a
    /// tenth is made free. The last run of a job may be among them; its answers are not.
    async fn weigh(&mut self) -> Result<(), StoreError> {
        let home = self.disk.home().clone();
        let most = self.budget.most();
        let store = self.disk.store().await?;
        let Some(database) = store.database() else { return Ok(()) };
        let mut bytes = database.history_bytes().await?;
        if bytes > most {
            let (before, mut gone) = (bytes, 0_u32);
            while bytes > most - most / 10
                && let Some(run) = database.oldest_over().await?
            {
                store.delete_run(&home, &run).await?;
                gone += 1;
                bytes = database.history_bytes().await?;
            }
            let bytes = before.saturating_sub(bytes);
            tracing::info!(gone, bytes, "the oldest runs were deleted from history: history.maxBytes");
        }
        self.budget.leave(bytes).await;
        Ok(())
    }

    async fn forget(&mut self, job: Uuid) -> Result<(), StoreError> {
        let database = self.disk.database().await?;
        database.end_copies(job, Timestamp::now()).await?;
        database.forget_answers(job).await
    }

    async fn prune(&mut self, job: Uuid, runs: u32) -> Result<(), StoreError> {
        let home = self.disk.home().clone();
        let store = self.disk.store().await?;
        let keep = Keep { runs, after_end: None };
        while store.prune(&home, job, keep, Timestamp::now()).await?.is_some() {}
        Ok(())
    }

    async fn keep_only(
        &mut self,
        jobs: &HashSet<Uuid>,
        namespaces: Option<&[String]>,
    ) -> Result<(), StoreError> {
        let database = self.disk.database().await?;
        let mut gone = Vec::new();
        for known in database.jobs().await? {
            let is_ours =
                namespaces.is_none_or(|all| all.iter().any(|one| std::path::Path::new(one) == known.used_in));
            if is_ours && !jobs.contains(&known.uid) {
                gone.push(known.uid);
            }
        }
        let open: HashSet<Uuid> = database.unended_copies().await?.into_iter().collect();
        let answered: HashSet<Uuid> = database.jobs_with_answers().await?.into_iter().collect();
        for job in gone.into_iter().filter(|job| open.contains(job) || answered.contains(job)) {
            self.forget(job).await?;
        }
        Ok(())
    }
}

/// Resolves when history waits to be written and may be. Cancel safe.
async fn due(shared: &Shared, next: Instant) {
    loop {
        if !shared.pending().is_empty() {
            return tokio::time::sleep_until(next).await;
        }
        shared.told.notified().await;
    }
}

/// An error for one more of those that wait for it.
fn told_again(error: &StoreError) -> StoreError {
    StoreError::Failed { context: words(error), source: error.to_string().into() }
}
