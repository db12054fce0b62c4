//! One attempt from its start to its result.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

use super::{
    ask,
    client::{End, Keeper},
    entries::Entry,
    follow::{self, Tail},
    keeper::message::{Adopt, ProcessRecord, Request, Spawn},
    logs,
    programs::CheckPrograms,
    sessions::Session,
    shared::Shared,
    stage::Stage,
};
use crate::{
    attempt::{self, Attempt, checks, conclude},
    backend::{self, Answer, EndedBy, Exit, Follower, Judgement, Material, Place, Told, Way},
    driver::ports::Outputs,
    engine::world::AttemptState,
    job::{
        answer::AnswerFacts,
        finding::Finding,
        identity::AttemptName,
        outcome::{Failure, FailureClass, GateSignal, Outcome, Usage},
        start::{EndMode, Start},
        trace::{TRACEPARENT, traceparent},
    },
};

/// After a result that nothing can follow, a process that stays silent for so long is ended.
const IDLE_AFTER_RESULT: Duration = Duration::from_mins(1);

/// An attempt that has lost so many keepers is not tried with another: they cannot live here.
const MAX_KEEPERS_LOST: u32 = 5;

/// What tells an attempt to end.
pub(super) type Ending = watch::Receiver<Option<EndMode>>;

/// Starts an attempt, unless it is there.
pub fn launch<O: Outputs + 'static>(shared: &Arc<Shared<O>>, start: Start) {
    let key = start.key;
    let place = &shared.place;
    let (ending, session) = {
        let mut entries = shared.entries.hold();
        if entries.contains_key(&key) {
            return;
        }
        let name = AttemptName { run: &place.run, key }.to_string();
        let Ok(session) = shared.take_session(&name) else {
            // Another process was quicker. The next look says so.
            shared.entries.changed.notify_one();
            return;
        };
        let (entry, ending) = Entry::running(start.budget_micro_usd);
        entries.insert(key, entry);
        (ending, session)
    };
    match Attempt::begin(Arc::clone(&place.job), &place.run, &place.directory, start) {
        Ok(attempt) => {
            let stage = super::stage::of(&attempt.directory);
            spawn(shared, attempt, stage, ending, session);
        }
        Err(error) => {
            let now = jiff::Timestamp::now();
            let outcome = Outcome {
                failure: Some(attempt::not_written(&error)),
                accepted: false,
                usage: Usage::default(),
                session: None,
                signal: None,
                warnings: Vec::new(),
                provenance: None,
                exit_code: None,
                started: now,
                ended: now,
            };
            shared.entries.show(key, AttemptState::Ended(Box::new(outcome)));
        }
    }
}

/// Takes up an attempt that an earlier Mozart began.
pub fn go_on<O: Outputs + 'static>(shared: &Arc<Shared<O>>, attempt: Attempt, stage: Stage) {
    let (entry, ending) = Entry::running(attempt.record.start.budget_micro_usd);
    shared.entries.hold().insert(attempt.record.start.key, entry);
    let session = match (&stage, &shared.place.sessions) {
        (Stage::Started(_), Some(sessions)) => sessions.adopt(&attempt.record.name),
        _ => None,
    };
    spawn(shared, attempt, stage, ending, session);
}

fn spawn<O: Outputs + 'static>(
    shared: &Arc<Shared<O>>,
    attempt: Attempt,
    stage: Stage,
    ending: Ending,
    session: Option<Session>,
) {
    let key = attempt.record.start.key;
    if let Stage::Done(outcome) = stage {
        shared.entries.show(key, AttemptState::Ended(outcome));
        return;
    }
    let running = Running { shared: Arc::clone(shared), attempt: Arc::new(attempt), ending, session };
    tokio::spawn(async move {
        let shared = Arc::clone(&running.shared);
        let state = running.follow_through(stage).await;
        shared.entries.show(key, state);
    });
}

/// An attempt in the hands of its task.
struct Running<O> {
    shared: Arc<Shared<O>>,
    attempt: Arc<Attempt>,
    ending: Ending,
    /// Counts among the credential's sessions, until its program has ended.
    session: Option<Session>,
}

/// How an attempt's own program or request ended.
enum Ended {
    /// Its program has exited, and this much was understood of its output before.
    Exit(Exit, Option<Failure>),
    /// It was answered in this process.
    Judged(Box<Judgement>),
    /// It failed before anything ran.
    Failed(Failure),
    /// It is gone, and nobody saw how.
    Vanished,
    /// Its keeper died: its directory says how far it has come.
    KeeperGone,
}

impl<O: Outputs + 'static> Running<O> {
    async fn follow_through(mut self, mut stage: Stage) -> AttemptState {
        let mut keepers_lost = 0;
        let ended = loop {
            let ended = match stage {
                Stage::Begun => self.begin().await,
                Stage::Started(record) => self.adopt(record).await,
                Stage::Unrecorded => {
                    self.shared.end_strays_of(&self.attempt.record.name).await;
                    Ended::Vanished
                }
                Stage::Exited(exit) => Ended::Exit(exit, None),
                Stage::Done(outcome) => return AttemptState::Ended(outcome),
            };
            if !matches!(ended, Ended::KeeperGone) {
                break ended;
            }
            keepers_lost += 1;
            if keepers_lost > MAX_KEEPERS_LOST {
                let error =
                    std::io::Error::other("it ends again and again; keeper.log in the run's folder says why");
                break Ended::Failed(no_keeper(&error));
            }
            stage = super::stage::of(&self.attempt.directory);
        };
        self.session = None;
        let (judgement, exit_code) = match ended {
            Ended::Exit(exit, told) => {
                let mut judgement = self.judge(exit).await;
                if judgement.failure.is_some() && told.is_some() {
                    judgement.failure = told;
                }
                (judgement, Some(exit.code))
            }
            Ended::Judged(judgement) => (*judgement, None),
            Ended::Failed(failure) => (Judgement::failed(failure), None),
            Ended::Vanished | Ended::KeeperGone => match self.judge_vanished().await {
                Some(judgement) => (judgement, None),
                None => return AttemptState::Lost,
            },
        };
        AttemptState::Ended(Box::new(self.conclude(judgement, exit_code).await))
    }

    async fn begin(&mut self) -> Ended {
        let prompt = match self.prepare().await {
            Ok(prompt) => prompt,
            Err(failure) => return Ended::Failed(failure),
        };
        match backend::place(&self.attempt.job.backend) {
            Place::Process => self.start().await,
            Place::InProcess => Ended::Judged(Box::new(self.ask(&prompt).await)),
        }
    }

    async fn prepare(&self) -> Result<String, Failure> {
        if !self.attempt.reads_files() {
            return self.attempt.prepare();
        }
        self.on_a_thread(Attempt::prepare).await?
    }

    /// Starts the program and waits for its end.
    async fn start(&mut self) -> Ended {
        let invocation = match backend::invocation(&self.attempt.call()) {
            Ok(invocation) => invocation,
            Err(failure) => return Ended::Failed(failure),
        };
        let keeper = match self.shared.keeper() {
            Ok(keeper) => keeper,
            Err(error) => return Ended::Failed(no_keeper(&error)),
        };
        let files = &self.attempt.directory.files;
        let program = invocation.program.clone();
        let cwd = invocation.cwd.clone();
        let id = keeper.next_id();
        let call = self.attempt.call();
        let span = self.shared.place.traced.then(|| (TRACEPARENT.to_owned(), traceparent(call.name)));
        let request = Request::Spawn(Box::new(Spawn {
            id,
            mark: self.attempt.record.name.clone(),
            program: invocation.program,
            args: invocation.args,
            cwd: invocation.cwd,
            env_set: invocation.env_set.into_iter().chain(span).collect(),
            env_copy: invocation.env_copy,
            env_remove: invocation.env_remove,
            stdin: Some(files.prompt()),
            stdout: files.stdout(),
            stderr: files.stderr(),
            record: Some(files.folder().to_owned()),
            hold: self.session.as_ref().map(|session| session.path().to_owned()),
            timeout_ms: milliseconds(self.attempt.job.timeout),
        }));
        let end = keeper.watch(id, &request);
        match self.wait(&keeper, id, end).await {
            (End::NotStarted { error, file: None }, _) => {
                Ended::Failed(backend::command::start_failure(&program, &cwd, &error))
            }
            (end, told) => self.ended(end, told),
        }
    }

    async fn adopt(&mut self, record: ProcessRecord) -> Ended {
        let keeper = match self.shared.keeper() {
            Ok(keeper) => keeper,
            Err(error) => return Ended::Failed(no_keeper(&error)),
        };
        let files = &self.attempt.directory.files;
        let id = keeper.next_id();
        let request = Request::Adopt(Box::new(Adopt {
            id,
            mark: self.attempt.record.name.clone(),
            record: files.folder().to_owned(),
            streams: vec![files.stdout(), files.stderr()],
            process: record,
        }));
        let end = keeper.watch(id, &request);
        let (end, told) = self.wait(&keeper, id, end).await;
        self.ended(end, told)
    }

    fn ended(&self, end: End, told: Option<Failure>) -> Ended {
        match end {
            End::Exited(exit) => Ended::Exit(exit, told),
            End::NotStarted { error, file } => {
                let file = file.unwrap_or_else(|| self.attempt.directory.files.folder().to_owned());
                let text = format!("cannot open {}: {error}", file.display());
                Ended::Failed(Failure::new(FailureClass::Transient, "AttemptNotWritten", text))
            }
            End::Vanished => Ended::Vanished,
            End::KeeperGone => Ended::KeeperGone,
        }
    }

    /// Waits for the program's end, ends it when asked to, and passes on what it tells meanwhile.
    async fn wait(
        &mut self,
        keeper: &Arc<Keeper>,
        id: u64,
        mut end: oneshot::Receiver<End>,
    ) -> (End, Option<Failure>) {
        let mut tail = Follower::new(&self.attempt.call())
            .map(|follower| Tail::new(self.attempt.directory.files.stdout(), follower));
        let mut hopeless = None;
        let mut silent_since = None;
        loop {
            tokio::select! {
                ended = &mut end => return (ended.unwrap_or(End::KeeperGone), hopeless),
                why = asked_to_end(&mut self.ending) => keeper.send(&Request::End { id, why }),
                () = tokio::time::sleep(follow::EVERY), if tail.is_some() => {
                    let Some(known) = tail.take() else { continue };
                    let Some((known, told, came)) = known.look().await else { continue };
                    tail = Some(known);
                    if came {
                        silent_since = silent_since.map(|_| Instant::now());
                    }
                    for told in told {
                        match told {
                            Told::ResultSaid => silent_since = Some(Instant::now()),
                            Told::GiveUp(failure) => {
                                hopeless = Some(*failure);
                                keeper.send(&Request::End { id, why: EndedBy::Stopped });
                            }
                            Told::Signal(signal) => self.tell(Some(signal), None),
                            Told::Spent(usage) => self.tell(None, Some(usage)),
                        }
                    }
                    if silent_since.is_some_and(|since| since.elapsed() > IDLE_AFTER_RESULT) {
                        keeper.send(&Request::End { id, why: EndedBy::Idle });
                        silent_since = None;
                    }
                }
            }
        }
    }

    fn tell(&self, signal: Option<GateSignal>, usage: Option<Usage>) {
        self.shared.entries.tell(self.attempt.record.start.key, signal, usage);
    }

    /// Asks in this process, until it is answered, ended or out of time.
    async fn ask(&mut self, prompt: &str) -> Judgement {
        let Self { shared, attempt, ending, .. } = self;
        let key = attempt.record.start.key;
        let call = attempt.call();
        let tell = |told| match told {
            Told::Signal(signal) => shared.entries.tell(key, Some(signal), None),
            Told::Spent(usage) => shared.entries.tell(key, None, Some(usage)),
            Told::GiveUp(_) | Told::ResultSaid => {}
        };
        ask::ask(&call, &Way::Environment, prompt, ending, tell).await
    }

    async fn judge(&self, exit: Exit) -> Judgement {
        let judge = move |attempt: &Attempt| {
            let (stdout, stderr) = (attempt.directory.files.stdout(), attempt.directory.files.stderr());
            for stream in [&stdout, &stderr] {
                if let Err(error) = logs::cap(stream) {
                    tracing::warn!(path = %stream.display(), %error, "cannot cut an output to what is kept");
                }
            }
            backend::judge(&attempt.call(), Material { stdout: &stdout, stderr: &stderr, exit })
        };
        if Follower::new(&self.attempt.call()).is_none() {
            return judge(&self.attempt);
        }
        self.on_a_thread(judge).await.unwrap_or_else(Judgement::failed)
    }

    /// What its output tells of a program whose end nobody saw. `None` when it tells nothing: the attempt is lost.
    async fn judge_vanished(&self) -> Option<Judgement> {
        let exit = Exit { code: 137, signal: Some(9), ended_by: None };
        let mut judgement = self.judge(exit).await;
        match &mut judgement.failure {
            Some(failure) if failure.reason == "Killed" => {
                judgement.session?;
                failure.class = FailureClass::Disruption;
                "Vanished".clone_into(&mut failure.reason);
                "its process is gone with the keeper that would have told how it ended"
                    .clone_into(&mut failure.message);
                Some(judgement)
            }
            _ => Some(judgement),
        }
    }

    /// Looks at the validations, keeps the answer, writes the result.
    async fn conclude(&mut self, mut judgement: Judgement, exit_code: Option<i32>) -> Outcome {
        let mut findings = Vec::new();
        if judgement.failure.is_none() && !self.attempt.job.validations.is_empty() {
            match self.look_at_validations(judgement.answer.clone()).await {
                Ok(found) => findings = found,
                Err(failure) => judgement.failure = Some(failure),
            }
        }
        if let Err(failure) = self.keep_answer(&judgement).await {
            judgement.failure.get_or_insert(failure);
        }
        let outcome = conclude(self.attempt.record.began, judgement, &findings, exit_code);
        if let Err(error) = self.attempt.directory.write_result(&outcome) {
            // The ledger gets the outcome all the same; only a crash before that would look at it again.
            tracing::warn!(attempt = %self.attempt.record.name, %error, "cannot write the result beside the output");
        }
        outcome
    }

    async fn look_at_validations(&mut self, answer: Answer) -> Result<Vec<Finding>, Failure> {
        let attempt = Arc::clone(&self.attempt);
        let shared = Arc::clone(&self.shared);
        let programs = CheckPrograms::new(&shared, &attempt, self.ending.clone());
        let findings = if attempt.reads_files() {
            let handle = tokio::runtime::Handle::current();
            let look = move || handle.block_on(checks::look(&attempt, &answer, &programs));
            tokio::task::spawn_blocking(look).await.map_err(|error| panicked(&error))??
        } else {
            checks::look(&attempt, &answer, &programs).await?
        };
        if let Err(error) = self.attempt.directory.write_findings(&findings) {
            tracing::warn!(attempt = %self.attempt.record.name, %error, "cannot write what the validations found");
        }
        Ok(findings)
    }

    /// An answer that is nowhere else is durable before the batch counts as succeeded.
    async fn keep_answer(&self, judgement: &Judgement) -> Result<(), Failure> {
        let Answer::Text(text) = &judgement.answer else { return Ok(()) };
        let not_kept = |error: &dyn std::error::Error| {
            let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            Failure::new(FailureClass::Transient, "AnswerNotKept", format!("{error}{cause}"))
        };
        self.attempt.directory.write_answer(text).map_err(|error| not_kept(&error))?;
        if backend::place(&self.attempt.job.backend) == Place::InProcess {
            let key = self.attempt.record.start.key;
            let batch = self.attempt.job.batches.get(key.batch);
            let facts = AnswerFacts::new(batch, judgement.usage, judgement.provenance.as_ref());
            let put = self.shared.outputs.put(&self.attempt.run, key, text, &facts);
            put.await.map_err(|error| not_kept(&error))?;
        }
        Ok(())
    }

    /// Does what may block where that holds nobody up.
    async fn on_a_thread<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Attempt) -> R + Send + 'static,
    ) -> Result<R, Failure> {
        let attempt = Arc::clone(&self.attempt);
        let work = tokio::task::spawn_blocking(move || work(&attempt));
        work.await.map_err(|error| panicked(&error))
    }
}

/// Resolves when the attempt is asked to end, once.
pub(super) async fn asked_to_end(ending: &mut Ending) -> EndedBy {
    loop {
        if ending.changed().await.is_err() {
            // Whoever could ask is gone.
            return std::future::pending().await;
        }
        match *ending.borrow_and_update() {
            Some(EndMode::Resumable) => return EndedBy::Interrupted,
            Some(EndMode::GiveUp | EndMode::AtOnce) => return EndedBy::Stopped,
            None => {}
        }
    }
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn no_keeper(error: &std::io::Error) -> Failure {
    let text = format!("the keeper of the batches' programs cannot be started: {error}");
    Failure::new(FailureClass::Transient, "KeeperFailed", text)
}

fn panicked(error: &tokio::task::JoinError) -> Failure {
    Failure::new(FailureClass::BatchFatal, "InternalError", format!("a bug in Mozart: {error}"))
}
