//! What is asked of the last run of a job from outside of the process that drives it.

use jiff::Timestamp;

use super::{
    control::{self, Ask, ControlError},
    lock::{Holder, Lock, LockError},
    observe::driver_of,
    run::LocalError,
    stop,
};
use crate::{
    history::{HistoryError, Reader},
    job::identity::RunId,
    store::{
        self,
        home::Home,
        record::{JobRecord, RunRecord},
    },
};

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum SteerError {
    /// The run was not told.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Somebody began to drive the job meanwhile, or its lock cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The state cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The state cannot be opened, or the end not be saved.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The state is gone.
    #[error("the state of {0} is no longer there")]
    Gone(String),
    /// It is the last run of its job.
    #[error("{0} is the last run of its job, which is kept as long as the job")]
    LastRun(String),
}

/// Asks the process that drives `run` to let what runs finish (`now`: to end it) and to suspend. `None` when nobody
/// drives it: nothing of it starts then.
///
/// # Errors
/// It could not be asked.
pub fn suspend(
    home: &Home,
    job: &JobRecord,
    run: &RunRecord,
    now: bool,
) -> Result<Option<Holder>, SteerError> {
    let Some(holder) = driver_of(home, job.uid)? else { return Ok(None) };
    ask(home, run, if now { Ask::SuspendNow } else { Ask::Suspend })?;
    Ok(Some(holder))
}

/// Ends `run`, the last one of its job: through the process that drives it, which is returned, or here when nobody does.
///
/// # Errors
/// It could not be asked, or the end not be saved.
pub async fn stop(
    home: &Home,
    reader: &Reader,
    job: &JobRecord,
    run: &RunRecord,
    now: bool,
) -> Result<Option<Holder>, SteerError> {
    if let Some(holder) = driver_of(home, job.uid)? {
        ask(home, run, if now { Ask::StopNow } else { Ask::Stop })?;
        return Ok(Some(holder));
    }
    // Under the job's lock, so that nobody begins to drive it meanwhile. The job file is not looked at: a run of one
    // that is gone or broken ends like any other.
    let at = Timestamp::now();
    let holder = Holder::this_process(run.id.clone(), at);
    let _lock = Lock::take(&home.job(job.uid).join("lock"), &format!("job {}", job.name), &holder)?;
    let state = reader.state_of(job.uid).await?.ok_or_else(|| SteerError::Gone(run.id.clone()))?;
    let store = store::Local::open(home, &state).await.map_err(LocalError::from)?;
    let last = store.last_run(job.uid).await.map_err(LocalError::from)?;
    if let Some(last) = last.filter(|last| !last.is_over()) {
        stop::close(&store, last, &job.name, at).await?;
    }
    store.close().await;
    Ok(None)
}

/// Deletes a run that is not its job's last one, or, without one, the job: with all texts and answers that are kept. Its
/// job file and workspace stay.
///
/// # Errors
/// A process drives the job, or not everything could be deleted: then what is left can be deleted again.
pub async fn delete(
    home: &Home,
    reader: &Reader,
    job: &JobRecord,
    run: Option<u32>,
) -> Result<(), SteerError> {
    let state = reader.state_of(job.uid).await?.ok_or_else(|| SteerError::Gone(job.name.clone()))?;
    let store = store::Local::open(home, &state).await.map_err(LocalError::from)?;
    let deleted = match run {
        Some(run) => delete_run(home, &store, job, run).await,
        None => delete_job(home, &store, job).await,
    };
    store.close().await;
    deleted
}

async fn delete_run(home: &Home, store: &store::Local, job: &JobRecord, run: u32) -> Result<(), SteerError> {
    let id = RunId { job: job.uid, run };
    let name = format!("{}/{run}", job.name);
    // Only the last run of a job can be active: every other is over, and nobody writes to it.
    let last = store.last_run(job.uid).await.map_err(LocalError::from)?;
    if last.is_none_or(|last| last.run.run <= run) {
        return Err(SteerError::LastRun(name));
    }
    store.load(&id).await.map_err(LocalError::from)?.ok_or(SteerError::Gone(name))?;
    Ok(store.delete_run(home, &id).await.map_err(LocalError::from)?)
}

async fn delete_job(home: &Home, store: &store::Local, job: &JobRecord) -> Result<(), SteerError> {
    let holder = Holder::this_process(job.name.clone(), Timestamp::now());
    let _lock = Lock::take(&home.job(job.uid).join("lock"), &format!("job {}", job.name), &holder)?;
    Ok(store.delete_job(home, job.uid).await.map_err(LocalError::from)?)
}

fn ask(home: &Home, run: &RunRecord, ask: Ask) -> Result<(), ControlError> {
    control::ask(&home.run(&RunId { job: run.job, run: run.run }), ask)
}
