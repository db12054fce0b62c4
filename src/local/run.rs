//! One run on this machine, from the verb to its end: locks, state, attempts, gate, notifications around the driver.

use std::{
    cell::{Cell, RefCell},
    fs, io,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    answers::RunAnswers,
    awake::Awake,
    control::{self, ControlError, Watch},
    credential::{Meets, gate_of, remember, sessions_of},
    lock::{Holder, Lock, LockError},
    on_top::{self, OnTop, OnTopError},
    pinned,
    plan::same_cut,
    verb::{Decision, Refusal, Standing, Verb, decide},
    wishes::{self, Heard},
};
use crate::{
    backend,
    driver::{
        clock::{ClockError, MachineClock},
        ports::{Clock as _, StoreError},
        run::run as drive,
        turn::{Ports, RunError, RunState, View},
    },
    engine::{
        apply::IllegalEvent,
        ledger::{Ledger, RunStart},
        policy::{Durability, Policy},
        ranges::Ranges,
        rerun::{RerunError, Select, rerun},
        world::Wishes,
    },
    job::{identity::RunId, model::Job},
    launch::{self, LocalLauncher, Place},
    notify::{Here, Notifications, NotifyError},
    store::{self, answers::Answers, error::OpenError, gates::FileGates, home::Home, labels, prune::Keep},
    trace::{Origin, Traced, Tracer},
};

/// How many old runs are forgotten when a run begins, and when it ends.
const FORGOTTEN_AT_ONCE: u32 = 10;

/// This machine, as far as a run needs it.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The state folder.
    pub home: Home,
    /// The folder that the command was given in.
    pub cwd: PathBuf,
    /// This program, which is started again as the keeper.
    pub program: PathBuf,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The job.
    pub job: Arc<Job>,
    /// What to do with it.
    pub verb: Verb,
    /// What was said on top of its file, to be kept with the run.
    pub on_top: OnTop,
    /// A trial of so many batches.
    pub limit: Option<u32>,
    /// Whether a limit suspends the run at once.
    pub no_wait: bool,
    /// Whether the machine is kept awake: `None` tries it and says nothing where it cannot be.
    pub keep_awake: Option<bool>,
    /// How many sessions of the credential may run at once, over every Mozart of the user; else the backend's default.
    pub max_sessions: Option<u32>,
}

/// Whoever watches a run.
pub trait Watcher {
    /// Whether a new run of `job` may begin. Asked before anything of it is stored.
    fn may_begin(&mut self, job: &Job) -> bool;
    /// A run begins, or goes on.
    fn begins(&mut self, begun: &Begun<'_>);
    /// A turn was made.
    fn turned(&mut self, view: &View<'_>);
    /// A signal, or another process, asks the run to end or to be suspended. It is being done.
    fn heard(&mut self, heard: Heard<'_>);
    /// Something does not work that the run can do without.
    fn warned(&mut self, warning: &dyn std::error::Error);
}

/// A run that begins, or goes on.
#[derive(Debug)]
pub struct Begun<'a> {
    /// The job.
    pub job: &'a Job,
    /// The ledger to go on from.
    pub ledger: &'a Ledger,
    /// Whether an earlier process began it.
    pub goes_on: bool,
}

/// What came of it.
#[derive(Debug)]
pub enum Ended {
    /// The run was driven until it ended, or was suspended.
    Drove {
        /// As it is stored.
        ledger: Ledger,
        /// Whether a signal ended it.
        interrupted: bool,
    },
    /// The watcher would not have it begin; nothing was stored.
    Declined,
    /// There was nothing to do: every batch is done.
    AlreadyComplete(Ledger),
    /// The last run ended failed; nothing was done.
    AlreadyFailed(Ledger),
}

/// Why nothing, or nothing more, was done.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The state cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The state cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody drives the job, or uses the workspace.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The verb does not fit.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The job file differs from the plan of the run that is to go on.
    #[error("{refusal}")]
    Changed {
        /// Which way.
        refusal: Refusal,
        /// The plan that the run follows.
        before: String,
        /// The plan that the file gives.
        now: String,
    },
    /// There is nothing to run again.
    #[error(transparent)]
    Rerun(#[from] RerunError),
    /// The workspace cannot be made.
    #[error("the workspace {} cannot be made", path.display())]
    Workspace {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A notification cannot be sent as it is written.
    #[error(transparent)]
    Notify(#[from] NotifyError),
    /// Attempts cannot be run here.
    #[error(transparent)]
    Launch(#[from] launch::OpenError),
    /// What was said on top of the job file cannot be kept.
    #[error(transparent)]
    OnTop(#[from] OnTopError),
    /// An earlier wish cannot be taken back.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The clock is asked to run in a way that makes no sense.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// Signals cannot be heard.
    #[error("the signals that end a run cannot be heard")]
    Signals(#[source] io::Error),
    /// The run could not go on.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Does what `request` asks, to the end.
///
/// # Errors
/// With why nothing, or nothing more, was done. Nothing that was recorded is lost.
pub async fn run(
    machine: &Machine,
    request: &Request,
    watcher: &mut impl Watcher,
) -> Result<Ended, LocalError> {
    let job = &request.job;
    let clock = MachineClock::of_environment()?;
    let store = Arc::new(store::Local::open(&machine.home, &job.state).await?);
    let uid = store.register_job(&job.name, &job.file, &machine.cwd).await?;
    let last = store.last_run(uid).await?;

    let now = clock.now();
    let next = last.as_ref().map_or(1, |last| last.run.run + u32::from(last.is_over()));
    let holder = Holder::this_process(format!("{}/{next}", job.name), now);
    let _drives = Lock::take(&machine.home.job(uid).join("lock"), &format!("job {}", job.name), &holder)?;
    fs::create_dir_all(&job.workspace.path)
        .map_err(|source| LocalError::Workspace { path: job.workspace.path.clone(), source })?;
    let workspace = format!("workspace {}", job.workspace.path.display());
    let _uses = Lock::take(&job.workspace.path.join(".mozart/lock"), &workspace, &holder)?;
    // Again, now that nobody else can change it.
    let last = store.last_run(uid).await?;

    let (ledger, goes_on) = match settle(machine, &store, request, last, uid, now, watcher).await? {
        Settled::Drive { ledger, goes_on } => (ledger, goes_on),
        Settled::Ended(ended) => return Ok(*ended),
    };
    watcher.begins(&Begun { job, ledger: &ledger, goes_on });
    if !goes_on {
        forget_old_runs(machine, job, &store, uid).await;
    }
    let ended = drive_here(machine, request, &store, &clock, *ledger, goes_on, watcher).await?;
    if matches!(&ended, Ended::Drove { ledger, .. } if ledger.is_over()) {
        forget_old_runs(machine, job, &store, uid).await;
    }
    Ok(ended)
}

/// Forgets what the job no longer keeps; some of it, where there is much. What cannot be forgotten stays until the next
/// time: a run does not fail by it.
async fn forget_old_runs(machine: &Machine, job: &Job, store: &store::Local, uid: Uuid) {
    let keep = Keep { runs: job.keep_runs, after_end: job.ttl_after_finished };
    for _ in 0..FORGOTTEN_AT_ONCE {
        match store.prune(&machine.home, uid, keep, Timestamp::now()).await {
            Ok(Some(run)) => tracing::debug!(run = run.run, "an old run is forgotten"),
            Ok(None) => break,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "old runs are left");
                break;
            }
        }
    }
}

/// A verb settled against where the last run stands.
enum Settled {
    Drive { ledger: Box<Ledger>, goes_on: bool },
    Ended(Box<Ended>),
}

async fn settle(
    machine: &Machine,
    store: &store::Local,
    request: &Request,
    last: Option<Ledger>,
    job_uid: Uuid,
    now: Timestamp,
    watcher: &mut impl Watcher,
) -> Result<Settled, LocalError> {
    let job = &request.job;
    let before = match &last {
        Some(last) if last.plan_hash != job.plan_hash => store.plan_text(&last.run).await?,
        _ => None,
    };
    let same_cut = before.as_deref().is_none_or(|before| same_cut(before, &job.plan_text));
    let standing = Standing { last: last.as_ref(), plan_hash: &job.plan_hash, same_cut };
    let decision = decide(&request.verb, standing).map_err(|refusal| match before {
        Some(before) if refusal == Refusal::Changed => {
            LocalError::Changed { refusal, before, now: job.plan_text.clone() }
        }
        _ => refusal.into(),
    })?;
    match (decision, last) {
        (Decision::Start { .. }, _) if !watcher.may_begin(job) => {
            Ok(Settled::Ended(Box::new(Ended::Declined)))
        }
        (Decision::Start { select, close_last }, last) => {
            let last = match last {
                Some(last) if close_last => {
                    Some(super::stop::close(store, last, job.name.as_str(), now).await?)
                }
                last => last,
            };
            let total = job.batches.total();
            let ledger = match &last {
                Some(last) => rerun(last, &select, total, job.plan_hash.clone(), now)?,
                None => first_run(job_uid, &select, total, job.plan_hash.clone(), now)?,
            };
            // First, so that no run is without the items that its plan names.
            pinned::pin(&machine.home, job_uid, job)?;
            on_top::keep(&machine.home, &ledger.run, &request.on_top)?;
            keep_labels(machine, &ledger.run, job);
            store.begin_run(&ledger, &job.plan_text).await?;
            pinned::forget_others(&machine.home, job_uid, job);
            Ok(Settled::Drive { ledger: Box::new(ledger), goes_on: false })
        }
        (Decision::GoOn { new_plan }, Some(last)) => {
            pinned::pin(&machine.home, job_uid, job)?;
            on_top::keep(&machine.home, &last.run, &request.on_top)?;
            keep_labels(machine, &last.run, job);
            if new_plan {
                store.keep_plan(&last.run, &job.plan_hash, &job.plan_text).await?;
            }
            Ok(Settled::Drive { ledger: Box::new(last), goes_on: true })
        }
        (Decision::AlreadyComplete, Some(last)) => Ok(Settled::Ended(Box::new(Ended::AlreadyComplete(last)))),
        (Decision::ShowFailed, Some(last)) => Ok(Settled::Ended(Box::new(Ended::AlreadyFailed(last)))),
        (_, None) => Err(Refusal::NoRun.into()),
    }
}

/// A run does not fail for want of names.
fn keep_labels(machine: &Machine, run: &RunId, job: &Job) {
    if let Err(error) = labels::keep(&machine.home, run, job) {
        tracing::warn!(%error, "what the batches are called is not kept");
    }
}

async fn drive_here(
    machine: &Machine,
    request: &Request,
    store: &Arc<store::Local>,
    clock: &MachineClock,
    ledger: Ledger,
    goes_on: bool,
    watcher: &mut impl Watcher,
) -> Result<Ended, LocalError> {
    let job = &request.job;
    let run = ledger.run.clone();
    let folder = machine.home.run(&run);
    control::clear(&folder)?;

    let answers = Answers::new(machine.home.clone());
    let past = RunAnswers::new(machine.home.clone(), run.clone());
    let notifier = Notifications::open(job, &run, &past, &Here)?;
    let gate = gate_of(&machine.home, job)?;
    let sessions = sessions_of(&machine.home, job, request.max_sessions)?;
    let meets = Meets { gate, sessions };
    if let Err(error) = remember(&folder, &meets) {
        watcher.warned(&error);
    }
    let Meets { gate, sessions } = meets;
    let gates = FileGates::open(&machine.home, gate)?;
    let (directory, keeper) = (folder.clone(), machine.program.clone());
    let tracer = Tracer::of_environment();
    let traced = tracer.is_some();
    let place = Place { job: job.clone(), run, directory, keeper, sessions, traced };
    let window: Vec<_> = ledger.claimed.iter().filter_map(|batch| ledger.present_attempt(batch)).collect();
    let launcher = LocalLauncher::open(place, window, answers).await?;
    let _awake = keep_awake(request, watcher);

    let wishes = Wishes {
        suspend: job.suspend && !goes_on,
        limit: request.limit.map(|limit| limit.saturating_add(ledger.finished())),
        ..Wishes::default()
    };
    let mut state = RunState::new(ledger);
    if goes_on {
        take_up(&mut state, job, clock.now()).map_err(|error| RunError::Step(error.into()))?;
    }
    let mut policy = Policy::new(job, durability(job));
    if request.no_wait {
        policy.rate_limit.max_wait = Some(Duration::ZERO);
    }

    let (sender, receiver) = watch::channel(wishes);
    let watcher = RefCell::new(watcher);
    let interrupted = Cell::new(false);
    let origin = Origin { job: job.name.to_string(), namespace: None };
    let store = Traced { store: &**store, tracer: tracer.as_ref(), origin };
    let ports = Ports { store: &store, launcher: &launcher, gates: &gates, notifier: &notifier, clock };
    let driven = drive(&policy, state, ports, receiver, |view| watcher.borrow_mut().turned(view));
    let hearing = wishes::hear(sender, Watch::new(&folder), |heard| {
        interrupted.set(interrupted.get() || matches!(heard, Heard::Signal(_)));
        watcher.borrow_mut().heard(heard);
    });
    let ledger = tokio::select! {
        ledger = driven => ledger.map_err(LocalError::from),
        Err(error) = hearing => Err(LocalError::Signals(error)),
    };
    if let Some(tracer) = &tracer {
        tracer.close().await;
    }
    let ledger = ledger?;
    Ok(Ended::Drove { ledger, interrupted: interrupted.get() })
}

/// Lets a run go on, by the plan that the job has now.
fn take_up(state: &mut RunState, job: &Job, now: Timestamp) -> Result<(), IllegalEvent> {
    if state.ledger().plan_hash != job.plan_hash {
        state.replan(job.plan_hash.clone(), job.batches.total(), now)?;
    }
    state.resume(now)
}

/// The first run of a job.
fn first_run(
    job: Uuid,
    select: &Select,
    total: u32,
    plan_hash: String,
    now: Timestamp,
) -> Result<Ledger, RerunError> {
    let selected = match select {
        Select::Batches(batches) => batches.clone(),
        Select::All | Select::Failed | Select::Unfinished => Ranges::span(1, total),
    };
    if let Some(batch) = selected.last().filter(|batch| batch.0 > total) {
        return Err(RerunError::NoSuchBatch { batch: batch.0, total });
    }
    let run = RunId { job, run: 1 };
    let done_before = Ranges::default();
    Ok(Ledger::start(RunStart { run, plan_hash, of_total: total, selected, done_before }, now))
}

/// What is in flight when this process dies: programs leave their results, requests do not.
fn durability(job: &Job) -> Durability {
    match backend::place(&job.backend) {
        backend::Place::Process => Durability::Durable,
        backend::Place::InProcess => Durability::InProcess,
    }
}

fn keep_awake(request: &Request, watcher: &mut impl Watcher) -> Option<Awake> {
    if request.keep_awake == Some(false) {
        return None;
    }
    match Awake::keep(&format!("Mozart runs {}", request.job.name)) {
        Ok(awake) => Some(awake),
        Err(error) => {
            if request.keep_awake == Some(true) {
                watcher.warned(&error);
            } else {
                tracing::debug!(%error, "the machine is not kept awake");
            }
            None
        }
    }
}
