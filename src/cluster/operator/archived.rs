//! What was saved of a run is told to who keeps history.

use crate::{
    cluster::{
        archive::{Archive, ArchivedJob},
        object::JobObject,
    },
    driver::ports::{Store, StoreError},
    engine::{event::Event, ledger::Ledger},
};

/// A store that tells the archive what was saved. Never waits for it.
pub(super) struct Archived<'a, S> {
    pub(super) store: S,
    pub(super) archive: Option<&'a Archive>,
    pub(super) job: ArchivedJob,
}

impl<S: Store> Store for Archived<'_, S> {
    async fn save(&self, ledger: &Ledger, journal: &[Event]) -> Result<(), StoreError> {
        self.store.save(ledger, journal).await?;
        if let Some(archive) = self.archive {
            archive.record(&self.job, ledger, journal);
        }
        Ok(())
    }
}

/// The job, as the archive calls it.
pub(super) fn of(job: &JobObject) -> ArchivedJob {
    ArchivedJob { uid: job.uid, namespace: job.namespace.clone(), name: job.name.clone() }
}
