//! The ledger's home in a cluster: the status of its job, saved whole against the resource version.
//!
//! Every save rewrites the whole object, and etcd keeps each revision for minutes: so bytes are budgeted, a job's and
//! all jobs' together. The journal is not kept here; history takes it from the driver's view.

mod budget;
#[cfg(test)]
mod tests;

use std::io;

use jiff::Timestamp;
use kube::{
    Api, Client, Resource as _, ResourceExt as _,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams},
};
use serde::{Deserialize as _, Serialize};
use serde_json::json;
use tokio::sync::Mutex;

pub use self::budget::ByteBudget;
use super::{
    lean::{LeanObject, MANAGED},
    status::{Author, Shown, kept, second, status},
};
use crate::{
    api::status::MozartJobStatus,
    driver::ports::{Clock, Store, StoreError},
    engine::{
        event::Event,
        ledger::{Ledger, VERSION},
    },
};

/// A job may write so many bytes a second.
pub const JOB_BYTES_PER_SECOND: u64 = 128 * 1024;
/// So often a save is tried again when only something else of the object had changed.
const MAX_CONFLICTS: u32 = 8;

/// The status of one job.
pub struct StatusStore<C> {
    api: Api<LeanObject>,
    name: String,
    uid: String,
    author: Author,
    clock: C,
    job: ByteBudget,
    everyone: ByteBudget,
    state: Mutex<State>,
    shown: std::sync::Mutex<Shown>,
}

/// The object as it is stored, as far as is known.
struct State {
    version: String,
    generation: i64,
    seq: u64,
    status: MozartJobStatus,
    /// Of the object without its status.
    spec_bytes: u64,
}

/// The resource that jobs are.
pub fn resource() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("mozart.dev", "v1alpha1", "MozartJob"))
}

/// The ledger in the status of a job; `None` when it has none.
///
/// # Errors
/// When it is of a newer Mozart, or cannot be read.
pub fn ledger(job: &DynamicObject) -> Result<Option<Ledger>, StoreError> {
    let checkpoint = &job.data["status"]["checkpoint"];
    let Some(version) = checkpoint["version"].as_u64() else { return Ok(None) };
    if version > u64::from(VERSION) {
        let found = u32::try_from(version).unwrap_or(u32::MAX);
        return Err(StoreError::Newer { found, known: VERSION });
    }
    let read = Ledger::deserialize(checkpoint);
    read.map(Some).map_err(|error| failed("the checkpoint in the job's status cannot be read", error))
}

impl<C: Clock> StatusStore<C> {
    /// The store of `job` as it was just read from the API server. `everyone` is shared by the stores of all jobs.
    ///
    /// # Errors
    /// When the object lacks what every stored object has, or its status is none of ours.
    pub fn new(
        client: Client,
        job: &DynamicObject,
        author: Author,
        clock: C,
        everyone: ByteBudget,
    ) -> Result<Self, StoreError> {
        let namespace = job.namespace().unwrap_or_default();
        Ok(Self {
            api: Api::namespaced_with(client, &namespace, &resource()),
            name: job.name_any(),
            uid: job.uid().unwrap_or_default(),
            author,
            clock,
            job: ByteBudget::new(JOB_BYTES_PER_SECOND),
            everyone,
            state: Mutex::new(State::of(job)?),
            shown: std::sync::Mutex::default(),
        })
    }

    /// What the next save shows beside the ledger.
    pub fn show(&self, shown: Shown) {
        *self.shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = shown;
    }

    fn shown(&self) -> Shown {
        self.shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Writes what `change` makes of the status of a job of that generation, unless it is the same; the checkpoint stays
    /// as it is stored. Returns whether anything was written.
    ///
    /// # Errors
    /// As [`Store::save`].
    pub async fn note(
        &self,
        change: impl Fn(&MozartJobStatus, i64) -> MozartJobStatus + Send + Sync,
    ) -> Result<bool, StoreError> {
        let mut state = self.state.lock().await;
        for _ in 0..MAX_CONFLICTS {
            let checkpoint = state.status.checkpoint.clone();
            let status = MozartJobStatus { checkpoint, ..change(&state.status, state.generation) };
            if status == state.status {
                return Ok(false);
            }
            match self.put(&mut state, &status).await {
                Ok(()) => return Ok(true),
                Err(Refused::Store(error)) => return Err(error),
                Err(Refused::Conflict) => *state = self.read().await?.1,
            }
        }
        Err(self.changed_again())
    }

    /// What people see of the run beside its checkpoint, brought up to date if it differs.
    ///
    /// # Errors
    /// As [`Store::save`].
    pub async fn refresh(&self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        self.note(|before, generation| {
            let ledger = before.checkpoint.clone().and_then(|value| serde_json::from_value(value).ok());
            let shown = ledger.and_then(|ledger: Ledger| {
                let written = status(&ledger, &self.shown(), &self.author, generation, before, now).ok()?;
                // Passes by itself, and is written with the next save.
                Some(MozartJobStatus { duration: before.duration.clone(), ..written })
            });
            shown.unwrap_or_else(|| before.clone())
        })
        .await
    }

    /// Says anew that somebody drives the run: another operator leaves a job alone whose checkpoint was renewed lately.
    /// Nothing else changes.
    ///
    /// # Errors
    /// As [`Store::save`]. If somebody else has saved, the next save says so.
    pub async fn renew(&self) -> Result<(), StoreError> {
        let mut state = self.state.lock().await;
        let mut status = state.status.clone();
        let Some(checkpoint) = &mut status.checkpoint else { return Ok(()) };
        checkpoint["renewed"] = second(self.clock.now()).into();
        match self.put(&mut state, &status).await {
            Ok(()) => Ok(()),
            Err(Refused::Store(error)) => Err(error),
            Err(Refused::Conflict) => {
                *state = self.read().await?.1;
                Ok(())
            }
        }
    }

    /// Writes the ledger against the version that is known.
    async fn write(&self, state: &mut State, ledger: &Ledger, now: Timestamp) -> Result<(), Refused> {
        let status = status(ledger, &self.shown(), &self.author, state.generation, &state.status, now)
            .map_err(|error| Refused::Store(failed("the ledger cannot be written as JSON", error)))?;
        self.put(state, &status).await
    }

    /// Writes the status against the version that is known.
    async fn put(&self, state: &mut State, status: &MozartJobStatus) -> Result<(), Refused> {
        let value = serde_json::to_value(status)
            .map_err(|error| Refused::Store(failed("the status cannot be written as JSON", error)))?;
        let bytes = state.spec_bytes + size(&value);
        self.job.take(bytes).await;
        self.everyone.take(bytes).await;
        // Not a merge patch: that would keep what is not named, such as a limit that is over.
        let patch = serde_json::from_value(json!([
            {"op": "replace", "path": "/metadata/resourceVersion", "value": state.version},
            {"op": "add", "path": "/status", "value": value},
        ]));
        let patch = patch.map_err(|error| Refused::Store(failed("the patch cannot be made", error)))?;
        let patch = Patch::Json::<()>(patch);
        match self.api.patch_status(&self.name, &PatchParams::default(), &patch).await {
            Ok(job) => {
                *state = State::of(&job.0).map_err(Refused::Store)?;
                Ok(())
            }
            Err(kube::Error::Api(answer)) if answer.is_conflict() => Err(Refused::Conflict),
            Err(error) => Err(Refused::Store(self.not_saved(error))),
        }
    }

    /// What is stored now, from the API server itself.
    async fn read(&self) -> Result<(DynamicObject, State), StoreError> {
        let LeanObject(job) = self.api.get(&self.name).await.map_err(|error| self.not_saved(error))?;
        if job.meta().uid.as_deref() != Some(&self.uid) {
            let context = format!("the job {} was deleted and made anew", self.name);
            return Err(StoreError::Failed { context, source: "its UID is another".into() });
        }
        let state = State::of(&job)?;
        Ok((job, state))
    }

    fn changed_again(&self) -> StoreError {
        let context = format!("the job {} is changed again and again", self.name);
        StoreError::Failed { context, source: "every save met a newer version of the object".into() }
    }

    fn not_saved(&self, error: kube::Error) -> StoreError {
        failed(&format!("the status of the job {} could not be saved", self.name), error)
    }
}

impl<C: Clock> Store for StatusStore<C> {
    async fn save(&self, ledger: &Ledger, _journal: &[Event]) -> Result<(), StoreError> {
        let mut state = self.state.lock().await;
        let expected = ledger.seq.saturating_sub(1);
        for _ in 0..MAX_CONFLICTS {
            if state.seq != expected {
                return Err(StoreError::Conflict { expected, found: state.seq });
            }
            match self.write(&mut state, ledger, self.clock.now()).await {
                Ok(()) => return Ok(()),
                Err(Refused::Store(error)) => return Err(error),
                Err(Refused::Conflict) => {}
            }
            let (job, found) = self.read().await?;
            *state = found;
            // A save whose answer was lost, or somebody else's with the same number: what is stored tells.
            if state.seq == ledger.seq && self::ledger(&job)? == Some(kept(ledger)) {
                return Ok(());
            }
        }
        Err(self.changed_again())
    }
}

/// Why a write was not done.
enum Refused {
    /// The object had changed.
    Conflict,
    Store(StoreError),
}

impl State {
    fn of(job: &DynamicObject) -> Result<Self, StoreError> {
        let none = json!({});
        let stored = job.data.get("status").unwrap_or(&none);
        let seq = stored["checkpoint"]["seq"].as_u64().unwrap_or(0);
        let status = MozartJobStatus::deserialize(stored)
            .map_err(|error| failed("the status of the job is none that this Mozart writes", error))?;
        Ok(Self {
            version: job.resource_version().unwrap_or_default(),
            generation: job.metadata.generation.unwrap_or(0),
            seq,
            status,
            spec_bytes: (size(&job.data) + size(&job.metadata) + MANAGED).saturating_sub(size(stored)),
        })
    }
}

/// The length of the compact JSON.
fn size(value: &impl Serialize) -> u64 {
    struct Length(u64);
    impl io::Write for Length {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut length = Length(0);
    // What has no JSON has no length, and is refused where it is written.
    let _ = serde_json::to_writer(&mut length, value);
    length.0
}

fn failed(context: &str, source: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Failed { context: context.to_owned(), source: Box::new(source) }
}
