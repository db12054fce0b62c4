//! Attempts that are tasks of this process: requests to the model's service, and nothing else. They leave no files, and
//! end with this process.

use std::{
    collections::{BTreeMap, HashMap},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::FutureExt as _;
use jiff::Timestamp;
use tokio::task::JoinSet;

use super::{
    ask,
    client::lock,
    entries::{Entries, Entry},
    run::{Ending, asked_to_end},
};
use crate::{
    attempt::{checks::look_at_answer, conclude, not_rendered},
    backend::{Answer, Call, Judgement, Session, Told, Way},
    driver::ports::{Launcher, Outputs, StoreError},
    engine::world::{AttemptState, Sighting},
    job::{
        answer::AnswerFacts,
        batches::Batch,
        finding::Finding,
        identity::{AttemptKey, AttemptName, BatchNum, RunId, SessionId},
        model::Job,
        outcome::{Failure, FailureClass, Outcome},
        prompt::{After, PromptContext, render_prompt},
        start::{EndMode, Start},
    },
};

/// The first pause before an answer that could not be kept is put again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// For what attempts are run, and where their answers go.
#[derive(Debug)]
pub struct TaskPlace<O> {
    /// The job, of a backend that runs in this process.
    pub job: Arc<Job>,
    /// The run.
    pub run: RunId,
    /// How the service is asked.
    pub way: Way,
    /// The home of the answers.
    pub outputs: O,
}

/// The launcher of a run whose attempts are tasks. Dropping it ends them at once.
#[derive(Debug)]
pub struct TaskLauncher<O> {
    shared: Arc<Shared<O>>,
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Debug)]
struct Shared<O> {
    place: TaskPlace<O>,
    /// Every attempt that is not released.
    entries: Entries,
    /// What the validations did not find in the last answer of a batch, for its next try.
    findings: Mutex<HashMap<BatchNum, Vec<Finding>>>,
    /// Answers that cannot be kept now, and why.
    unkept: Mutex<BTreeMap<AttemptKey, String>>,
}

impl<O: Outputs + 'static> TaskLauncher<O> {
    /// The launcher of a run of which nothing runs yet.
    pub fn new(place: TaskPlace<O>) -> Self {
        let shared = Shared {
            place,
            entries: Entries::default(),
            findings: Mutex::default(),
            unkept: Mutex::default(),
        };
        Self { shared: Arc::new(shared), tasks: Mutex::default() }
    }

    /// Why answers wait to be kept, if some do.
    pub fn held(&self) -> Option<String> {
        let unkept = lock(&self.shared.unkept);
        let (key, why) = unkept.first_key_value()?;
        Some(format!("OutputStoreUnavailable: the answer of batch {} waits to be kept: {why}", key.batch))
    }
}

impl<O: Outputs + 'static> Launcher for TaskLauncher<O> {
    async fn look(&self) -> Vec<Sighting> {
        self.shared.entries.look()
    }

    async fn launch(&self, start: Start) {
        let ending = {
            let mut entries = self.shared.entries.hold();
            if entries.contains_key(&start.key) {
                return;
            }
            let (entry, ending) = Entry::running(start.budget_micro_usd);
            entries.insert(start.key, entry);
            ending
        };
        let shared = Arc::clone(&self.shared);
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            let (key, began) = (start.key, Timestamp::now());
            let outcome = AssertUnwindSafe(shared.attempt(&start, ending)).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|_| {
                let text = "a bug in Mozart: the task of the attempt panicked";
                failed(began, Failure::new(FailureClass::BatchFatal, "InternalError", text))
            });
            shared.entries.show(key, AttemptState::Ended(Box::new(outcome)));
        });
    }

    async fn end(&self, key: AttemptKey, mode: EndMode) {
        self.shared.entries.end(key, mode);
    }

    async fn release(&self, key: AttemptKey) {
        self.shared.entries.release(key);
    }

    async fn changed(&self) {
        self.shared.entries.changed.notified().await;
    }
}

impl<O: Outputs + 'static> Shared<O> {
    /// An attempt from its prompt to its kept answer.
    async fn attempt(&self, start: &Start, mut ending: Ending) -> Outcome {
        let (key, began) = (start.key, Timestamp::now());
        let Some(batch) = self.place.job.batches.get(key.batch) else {
            let text = format!("the job has no batch {}", key.batch);
            return failed(began, Failure::new(FailureClass::BatchFatal, "NoSuchBatch", text));
        };
        let prompt = match render_prompt(&self.place.job, batch, &self.context(start)) {
            Ok(prompt) => prompt,
            Err(error) => return failed(began, not_rendered(&error)),
        };
        let call = self.call(start, batch);
        let tell = |told| self.tell(key, told);
        let mut judgement = ask::ask(&call, &self.place.way, &prompt, &mut ending, tell).await;
        let mut findings = Vec::new();
        if judgement.failure.is_none() {
            findings = look_at_answer(&self.place.job, batch, &judgement.answer);
        }
        let wrong: Vec<Finding> = findings.iter().filter(|finding| !finding.passed).cloned().collect();
        if wrong.is_empty()
            && judgement.failure.is_none()
            && let Err(failure) = self.keep(key, batch, &judgement, &mut ending).await
        {
            judgement.failure = Some(failure);
        }
        lock(&self.findings).insert(key.batch, wrong);
        conclude(began, judgement, &findings, None)
    }

    fn context(&self, start: &Start) -> PromptContext {
        let after = match &start.previous {
            None => After::Nothing,
            Some(previous) => After::OverItsFiles(previous.reason.clone()),
        };
        let previous_failures = lock(&self.findings).get(&start.key.batch).cloned().unwrap_or_default();
        PromptContext { attempt: start.attempt, previous_failures, after }
    }

    fn call<'a>(&'a self, start: &'a Start, batch: Batch) -> Call<'a> {
        Call {
            job: &self.place.job,
            name: AttemptName { run: &self.place.run, key: start.key },
            batch,
            // Nothing of it is written anywhere.
            directory: std::path::Path::new("/"),
            session: Session::New(SessionId::random()),
            previous: start.previous.as_ref(),
            budget_micro_usd: start.budget_micro_usd,
        }
    }

    fn tell(&self, key: AttemptKey, told: Told) {
        let (signal, usage) = match told {
            Told::Signal(signal) => (Some(signal), None),
            Told::Spent(usage) => (None, Some(usage)),
            Told::GiveUp(_) | Told::ResultSaid => return,
        };
        self.entries.tell(key, signal, usage);
    }

    /// Keeps the answer before the batch counts as succeeded. It was paid for: while it cannot be kept it is held.
    async fn keep(
        &self,
        key: AttemptKey,
        batch: Batch,
        judgement: &Judgement,
        ending: &mut Ending,
    ) -> Result<(), Failure> {
        let Answer::Text(text) = &judgement.answer else { return Ok(()) };
        let facts = AnswerFacts::new(Some(batch), judgement.usage, judgement.provenance.as_ref());
        self.entries.answered(key, judgement.signal.clone());
        let mut pause = FIRST_PAUSE;
        let result = loop {
            match self.place.outputs.put(&self.place.run, key, text, &facts).await {
                Ok(()) => break Ok(()),
                Err(StoreError::Full { context }) => {
                    break Err(Failure::new(FailureClass::JobFatal, "OutputStoreFull", context));
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    if lock(&self.unkept).insert(key, error.to_string()).is_none() {
                        tracing::warn!(batch = %key.batch, error, "an answer cannot be kept; it is tried again");
                        self.entries.changed.notify_one();
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                _ = asked_to_end(ending) => {
                    let text = "the run was ended before the answer could be kept";
                    break Err(Failure::new(FailureClass::Transient, "AnswerNotKept", text));
                }
            }
        };
        lock(&self.unkept).remove(&key);
        result
    }
}

fn failed(began: Timestamp, failure: Failure) -> Outcome {
    conclude(began, Judgement::failed(failure), &[], None)
}
