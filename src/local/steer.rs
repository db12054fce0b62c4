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
        stop::close(&store, last, at).await?;
    }
    store.close().await;
    Ok(None)
}

fn ask(home: &Home, run: &RunRecord, ask: Ask) -> Result<(), ControlError> {
    control::ask(&home.run(&crate::job::identity::RunId { job: run.job, run: run.run }), ask)
}
