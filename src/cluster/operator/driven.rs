//! By which readings of the clock the active runs were driven here, whatever became of leading meanwhile: a clock that is
//! set forward costs this process its lease, and who takes the runs up again has to know by how much it was.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use crate::driver::{clock::Reading, turn::Read};

/// By job. Lives as long as the process.
#[derive(Debug, Default)]
pub(super) struct Driven(Mutex<HashMap<Uuid, Read>>);

impl Driven {
    /// A turn of the job's run was made.
    pub(super) fn note(&self, job: Uuid, read: Read) {
        self.runs().insert(job, read);
    }

    /// What the job's ledger of this `seq` goes by: nothing if another process may have stored it.
    pub(super) fn reading(&self, job: Uuid, seq: u64) -> Option<Reading> {
        self.runs().get(&job)?.of(seq)
    }

    /// The run is over, or the job is no more.
    pub(super) fn forget(&self, job: Uuid) {
        self.runs().remove(&job);
    }

    /// Nothing that is done under this lock can panic half-way.
    fn runs(&self) -> MutexGuard<'_, HashMap<Uuid, Read>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
