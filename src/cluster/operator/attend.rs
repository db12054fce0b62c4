//! A job's task: it looks at the job, does what that calls for, and waits for the next reason to look.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::{
    api::{DeleteParams, Preconditions},
    core::Status,
};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::{
    begin::{self, Prepared},
    context::Context,
    drive,
    roster::Seen,
    task::{Task, task},
};
use crate::{
    cluster::{
        lean::LeanObject,
        object::{JobObject, ObjectError},
        status::{Author, Standstill, standstill},
        store::StatusStore,
    },
    driver::{
        clock::MachineClock,
        ports::{Clock as _, StoreError},
        turn::RunError,
    },
    engine::ledger::Ledger,
    launch::pod::plan::PlanRefError,
};

/// The first pause after something went wrong, and after a look for what is missing; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// Which job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JobId {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: Uuid,
}

/// When a job is to be looked at again.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    /// At once.
    Again,
    /// When it, or a Pod of it, has changed.
    Change,
    /// The same, or then.
    At(Timestamp),
    /// The same, or after a pause that grows with every look.
    Later,
    /// When somebody has left a workspace, or the job has changed.
    Left,
    /// Never: it is no more.
    Never,
}

/// What went wrong, and may go right the next time.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("the API server could not be asked")]
    Api(#[source] Box<kube::Error>),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the run could not go on")]
    Run(#[from] RunError),
    #[error(transparent)]
    Plan(#[from] PlanRefError),
    #[error("what the API server showed is older than what was saved (seq {found} after {known})")]
    Stale { known: u64, found: u64 },
    #[error("a thread that validates jobs has ended")]
    Thread(#[source] tokio::task::JoinError),
}

impl From<kube::Error> for Trouble {
    fn from(error: kube::Error) -> Self {
        Self::Api(Box::new(error))
    }
}

/// Attends to a job until it is no more. A `quiet` one is not looked at before it changes.
pub(super) async fn attend(context: Arc<Context>, id: JobId, mut seen: watch::Receiver<Seen>, quiet: bool) {
    let nudge = context.register(id.uid);
    let mut leavings = context.leavings();
    let mut pause = FIRST_PAUSE;
    let mut troubled = false;
    let mut newest = 0;
    let mut next = if quiet { Next::Change } else { Next::Again };
    loop {
        match &next {
            Next::Again => {}
            Next::Never => return,
            Next::Change => changed(&mut seen, &nudge).await,
            Next::At(until) => tokio::select! {
                () = changed(&mut seen, &nudge) => {}
                () = context.clock.sleep_until(*until) => {}
            },
            Next::Later => {
                tokio::select! {
                    () = changed(&mut seen, &nudge) => {}
                    () = context.clock.sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Next::Left => tokio::select! {
                () = changed(&mut seen, &nudge) => {}
                _ = leavings.changed() => {}
            },
        }
        seen.borrow_and_update();
        leavings.borrow_and_update();
        let Some(_at_work) = context.closing.begin() else { return };
        // In a box: most jobs rest, and a resting task should be small.
        let reconciled = Box::pin(reconcile(&context, &id, &mut seen, &mut newest)).await;
        next = match reconciled {
            Ok(next) => {
                troubled = false;
                if next != Next::Later {
                    pause = FIRST_PAUSE;
                }
                next
            }
            Err(trouble) => {
                context.telemetry.metrics.trouble();
                let error = &trouble as &dyn std::error::Error;
                let (namespace, name) = (id.namespace.as_str(), id.name.as_str());
                if troubled {
                    tracing::debug!(
                        job.namespace = namespace,
                        job.name = name,
                        error,
                        "the job is tried again"
                    );
                } else {
                    tracing::warn!(
                        job.namespace = namespace,
                        job.name = name,
                        error,
                        "the job is tried again"
                    );
                }
                troubled = true;
                Next::Later
            }
        };
    }
}

async fn changed(seen: &mut watch::Receiver<Seen>, nudge: &Notify) {
    tokio::select! {
        changed = seen.changed() => if changed.is_err() {
            // The roster has dropped the job, and this task with it.
            std::future::pending::<()>().await;
        },
        () = nudge.notified() => {}
    }
}

/// Does what the job calls for as the API server has it now.
async fn reconcile(
    context: &Arc<Context>,
    id: &JobId,
    seen: &mut watch::Receiver<Seen>,
    newest: &mut u64,
) -> Result<Next, Trouble> {
    // Closed never.
    let permit = context.taking_up.acquire().await;
    let Some(LeanObject(object)) = context.jobs(&id.namespace).get_opt(&id.name).await? else {
        return Ok(Next::Never);
    };
    let job = match JobObject::read(object.clone()) {
        Ok(job) if job.uid == id.uid => job,
        Ok(_) | Err(ObjectError::NoUid) => return Ok(Next::Never),
        Err(error @ ObjectError::Spec(_)) => {
            let store = store(context, &object, None)?;
            let unfit = Some(("InvalidSpec", error.to_string()));
            note(&store, Standstill { unfit, ..Standstill::default() }, &context.clock).await?;
            return Ok(Next::Change);
        }
        Err(error @ ObjectError::Status(_)) => {
            tracing::warn!(job.namespace = id.namespace, job.name = id.name, %error, "the job is left alone");
            return Ok(Next::Change);
        }
    };
    // A run may be driven from here on for days.
    drop(object);
    let found = job.status.checkpoint.as_ref().and_then(|checkpoint| checkpoint["seq"].as_u64());
    if let Some(found) = found.filter(|found| found < newest) {
        return Err(Trouble::Stale { known: *newest, found });
    }
    // A checkpoint that was lost begins to count anew.
    *newest = found.unwrap_or(0);
    let now = context.clock.now();
    let store = |rerun_id: Option<String>| store(context, &job.object, rerun_id);
    let mut task = task(&job, context.me(), now);
    if let Task::Rest { .. } = &task
        && let Some(ledger) = unreleased(context, &job).await
    {
        task = Task::Drive(Box::new(ledger));
    }
    match task {
        Task::Leave => Ok(Next::Change),
        Task::Wait { until, writer } => {
            tracing::warn!(
                job.namespace = id.namespace,
                job.name = id.name,
                writer,
                "another operator is at work on the job, it is left alone: let spec.managedBy tell them apart"
            );
            Ok(Next::At(until))
        }
        Task::Rest { expires } => {
            let suspended = job.spec.suspend == Some(true);
            let begun = job.status.last_run.is_some();
            let still = Standstill { suspended: suspended && !begun, ..Standstill::default() };
            note(&store(None)?, still, &context.clock).await?;
            rest(context, &job, expires, now).await
        }
        Task::Unfit { reason, message } => {
            unfit(context, &job, &store(None)?, reason, message).await?;
            Ok(Next::Change)
        }
        Task::Begin(beginning) => {
            let store = store(beginning.rerun_id.clone())?;
            match begin::begin(context, &job, &store, beginning).await? {
                Prepared::Begun => Ok(Next::Again),
                Prepared::Not(not) => held(context, &job, &store, not).await,
            }
        }
        Task::Drive(ledger) => {
            let store = store(job.status.rerun_id.clone())?;
            let driven = drive::drive(context, &job, &store, *ledger, seen, permit.ok());
            match Box::pin(driven).await? {
                Ok(next) => Ok(next),
                Err(not) => held(context, &job, &store, not).await,
            }
        }
    }
}

/// The ledger of a run that is over and has Pods that nobody has released: they are released as in any other turn.
async fn unreleased(context: &Arc<Context>, job: &JobObject) -> Option<Ledger> {
    let ledger = job.ledger().ok()??;
    let pods = context.pods(&job.namespace).await;
    (ledger.is_over() && pods.jobs().contains(&job.uid)).then_some(ledger)
}

/// Why a job is not run for now.
#[derive(Debug)]
pub(super) enum Not {
    /// Only a change of the job mends it.
    Unfit { reason: &'static str, message: String },
    /// Something that it names is not there, or may not be read.
    Missing { message: String },
    /// The operator may not read what it names.
    Forbidden { message: String },
    /// Another works where it would.
    Busy { message: String },
    /// Its answers could not be kept now.
    NoOutputStore { message: String },
}

impl Not {
    /// What is missing, for people.
    pub(super) fn message(&self) -> &str {
        match self {
            Self::Unfit { message, .. }
            | Self::Missing { message }
            | Self::Forbidden { message }
            | Self::Busy { message }
            | Self::NoOutputStore { message } => message,
        }
    }
}

async fn held(
    context: &Context,
    job: &JobObject,
    store: &StatusStore<MachineClock>,
    not: Not,
) -> Result<Next, Trouble> {
    let (word, message, next) = match not {
        Not::Unfit { reason, message } => {
            unfit(context, job, store, reason, message).await?;
            return Ok(Next::Change);
        }
        Not::Forbidden { message } => {
            unfit(context, job, store, "CredentialForbidden", message).await?;
            return Ok(Next::Later);
        }
        Not::Missing { message } => ("ReferenceMissing", message, Next::Later),
        Not::Busy { message } => ("WorkspaceBusy", message, Next::Left),
        Not::NoOutputStore { message } => ("OutputStoreUnavailable", message, Next::Later),
    };
    let held = Some((word, message.clone()));
    if note(store, Standstill { held, ..Standstill::default() }, &context.clock).await? {
        context.herald.tell(&job.reference(), word, &message, true);
    }
    Ok(next)
}

async fn unfit(
    context: &Context,
    job: &JobObject,
    store: &StatusStore<MachineClock>,
    reason: &'static str,
    message: String,
) -> Result<(), Trouble> {
    let unfit = Some((reason, message.clone()));
    if note(store, Standstill { unfit, ..Standstill::default() }, &context.clock).await? {
        context.herald.tell(&job.reference(), reason, &message, true);
    }
    Ok(())
}

/// Says how a job stands that stands still; whether that was to be said.
async fn note(
    store: &StatusStore<MachineClock>,
    still: Standstill,
    clock: &MachineClock,
) -> Result<bool, Trouble> {
    let now = clock.now();
    Ok(store.note(|before, generation| standstill(&still, generation, before, now)).await?)
}

fn store(
    context: &Context,
    object: &kube::api::DynamicObject,
    rerun_id: Option<String>,
) -> Result<StatusStore<MachineClock>, Trouble> {
    let author = Author { writer: context.settings.writer.clone(), rerun_id };
    let (client, clock) = (context.client.clone(), context.clock.clone());
    Ok(StatusStore::new(client, object, author, clock, context.everyone.clone())?)
}

/// Waits, or deletes a job that has been kept long enough.
async fn rest(
    context: &Arc<Context>,
    job: &JobObject,
    expires: Option<Timestamp>,
    now: Timestamp,
) -> Result<Next, Trouble> {
    context.leave(&job.namespace, job.uid);
    let Some(expires) = expires else { return Ok(Next::Change) };
    if now < expires {
        return Ok(Next::At(expires));
    }
    let preconditions = Some(Preconditions {
        uid: job.object.metadata.uid.clone(),
        // Another run may just have been asked for.
        resource_version: job.object.metadata.resource_version.clone(),
    });
    let parameters = DeleteParams { preconditions, ..DeleteParams::background() };
    match context.jobs(&job.namespace).delete(&job.name, &parameters).await {
        Ok(_) => {
            tracing::info!(
                job.namespace = job.namespace,
                job.name = job.name,
                "the job is deleted: it is over and its time has passed"
            );
            Ok(Next::Change)
        }
        Err(kube::Error::Api(answer)) if is_gone(&answer) => Ok(Next::Again),
        Err(error) => Err(error.into()),
    }
}

fn is_gone(answer: &Status) -> bool {
    answer.is_not_found() || answer.is_conflict()
}
