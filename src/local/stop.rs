//! Ends a run that no process drives.

use jiff::Timestamp;

use super::run::LocalError;
use crate::{
    driver::{
        ports::Store as _,
        turn::{RunError, RunState},
    },
    engine::ledger::Ledger,
    launch, store,
    trace::{Origin, Traced, Tracer},
};

/// Ends the run of `last`, of the job of that name, which is suspended or was left by a process that died, as `Stopped`. Returns the ledger as
/// it is stored. Processes that it left are ended first.
///
/// # Errors
/// The state could not be saved; the run is as it was then.
pub async fn close(
    store: &store::Local,
    last: Ledger,
    job: &str,
    now: Timestamp,
) -> Result<Ledger, LocalError> {
    launch::end_processes_of(&last.run).await;
    let mut state = RunState::new(last);
    state
        .stop("Stopped", "It was stopped while nothing of it ran.", now)
        .map_err(|error| RunError::Step(error.into()))?;
    let (ledger, journal) = state.snapshot();
    let tracer = Tracer::of_environment();
    let origin = Origin { job: job.to_owned(), namespace: None };
    Traced { store, tracer: tracer.as_ref(), origin }.save(&ledger, &journal).await?;
    if let Some(tracer) = tracer {
        tracer.close().await;
    }
    Ok(ledger)
}
