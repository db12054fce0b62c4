//! Where a run stands beside what its ledger says: who drives it, and what its credential makes it wait for.

use super::{
    credential::{Meets, remembered},
    lock::{Hold, Holder, Lock, LockError},
};
use crate::{
    driver::ports::Gates as _,
    engine::{
        ledger::{Ledger, RunPhase},
        waiting::Waiting,
    },
    store::{gates::FileGates, home::Home},
};

/// The process that drives the job of this UID, if one does.
///
/// # Errors
/// The job's lock cannot be looked at.
pub fn driver_of(home: &Home, job: uuid::Uuid) -> Result<Option<Holder>, LockError> {
    match Lock::held_by(&home.job(job).join("lock"))? {
        Hold::Held(holder) => Ok(holder.map(|holder| *holder)),
        Hold::Free => Ok(None),
    }
}

/// What the credential's limits make a run wait for that is not over.
pub async fn waits_for(home: &Home, ledger: &Ledger) -> Option<Waiting> {
    if !matches!(ledger.phase, RunPhase::Pending | RunPhase::Running) {
        return None;
    }
    let Meets { gate, sessions } = remembered(&home.run(&ledger.run))?;
    let gates = FileGates::open(home, gate).ok()?;
    if let Some(waiting) = Waiting::of_gate(&gates.look().await, ledger) {
        return Some(waiting);
    }
    let sessions = sessions?.look();
    let idle = ledger.seen.iter().all(|batch| ledger.is_finished(batch));
    (idle && sessions.free() == 0).then_some(Waiting::Sessions { cap: sessions.cap })
}
