//! The jobs and credentials that there are, as the watches tell of them, in the form that pages need.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, RwLock},
    time::Duration,
};

use futures::{Stream, StreamExt as _, pin_mut};
use jiff::Timestamp;
use kube::{
    Client, ResourceExt as _,
    api::DynamicObject,
    runtime::watcher::{self, Event},
};
use tokio::{sync::watch, task::JoinSet};
use uuid::Uuid;

use crate::{
    api::status::MozartJobStatus,
    cluster::{
        archive::Archive,
        credential,
        object::JobObject,
        operator::{Scope, watches},
        store::{ledger, resource},
    },
    engine::{gate::Gate, ledger::Ledger},
};

/// How often history is looked at for what was written to it.
const LOOK: Duration = Duration::from_millis(500);

/// A namespace and a name.
pub(super) type Name = (String, String);

/// A job as it was told of last.
#[derive(Debug)]
pub(super) struct SeenJob {
    pub(super) uid: Uuid,
    pub(super) created: Timestamp,
    /// Those that people gave it.
    pub(super) labels: BTreeMap<String, String>,
    /// Without the checkpoint.
    pub(super) status: MozartJobStatus,
    /// The checkpoint, where this Mozart can read it.
    pub(super) ledger: Option<Ledger>,
    /// The operator that writes it.
    pub(super) writer: Option<String>,
    /// The credential that its batches use, if they use one.
    pub(super) credential: Option<String>,
    /// Whether its batches have no Pods.
    pub(super) in_process: bool,
}

impl SeenJob {
    fn of(object: &DynamicObject) -> Option<Self> {
        let status = object.data.get("status");
        let writer = status.and_then(|status| status["checkpoint"]["writer"].as_str()).map(str::to_owned);
        let ledger = ledger(object).ok().flatten();
        let mut status: MozartJobStatus =
            status.and_then(|status| serde_json::from_value(status.clone()).ok()).unwrap_or_default();
        status.checkpoint = None;
        let job = JobObject::read(object.clone()).ok();
        Some(Self {
            uid: object.uid()?.parse().ok()?,
            created: object.creation_timestamp().map_or(Timestamp::UNIX_EPOCH, |time| time.0),
            labels: object.labels().clone(),
            status,
            ledger,
            writer,
            in_process: job.as_ref().is_some_and(JobObject::runs_in_process),
            credential: job.and_then(|job| job.credential().map(str::to_owned)),
        })
    }
}

/// Objects of one kind.
#[derive(Debug)]
struct Shelf<T>(RwLock<BTreeMap<Name, Arc<T>>>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T> Shelf<T> {
    fn get(&self, name: &Name) -> Option<Arc<T>> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(name).cloned()
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<Name, Arc<T>>)) {
        change(&mut self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

/// All of them, once the first listing is complete.
#[derive(Debug)]
pub(super) struct Known {
    jobs: Shelf<SeenJob>,
    gates: Shelf<Gate>,
    revision: watch::Sender<u64>,
    /// How many watches have listed what there is, of how many.
    listed: watch::Sender<usize>,
    watches: usize,
}

impl Known {
    /// Begins to watch, for as long as the tasks are kept.
    pub(super) fn watch(
        client: &Client,
        scope: &Scope,
        archive: Option<Archive>,
    ) -> (Arc<Self>, JoinSet<()>) {
        let jobs = watches(client, scope, &resource());
        let credentials = watches(client, scope, &credential::resource());
        let known = Arc::new(Self {
            jobs: Shelf::default(),
            gates: Shelf::default(),
            revision: watch::Sender::new(1),
            listed: watch::Sender::new(0),
            watches: jobs.len() + credentials.len(),
        });
        let mut tasks = JoinSet::new();
        for events in jobs {
            let known = Arc::clone(&known);
            tasks.spawn(async move { known.keep(&known.jobs, events, SeenJob::of).await });
        }
        for events in credentials {
            let known = Arc::clone(&known);
            let gate = |object: &DynamicObject| Some(credential::gate_of(object, Timestamp::now()));
            tasks.spawn(async move { known.keep(&known.gates, events, gate).await });
        }
        if let Some(archive) = archive {
            let known = Arc::clone(&known);
            tasks.spawn(async move { known.look(&archive).await });
        }
        (known, tasks)
    }

    /// Waits until everything that there is was listed once.
    pub(super) async fn complete(&self) {
        // The sender is here: it does not end.
        let _ = self.listed.subscribe().wait_for(|listed| *listed >= self.watches).await;
    }

    /// Raised by every change.
    pub(super) fn revision(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    pub(super) fn job(&self, name: &Name) -> Option<Arc<SeenJob>> {
        self.jobs.get(name)
    }

    /// Every job, by namespace and name.
    pub(super) fn jobs(&self) -> Vec<(Name, Arc<SeenJob>)> {
        let jobs = self.jobs.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        jobs.iter().map(|(name, job)| (name.clone(), Arc::clone(job))).collect()
    }

    /// What the credential of a job makes it wait for.
    pub(super) fn gate(&self, namespace: &str, job: &SeenJob) -> Option<Arc<Gate>> {
        self.gates.get(&(namespace.to_owned(), job.credential.clone()?))
    }

    fn raise(&self) {
        self.revision.send_modify(|revision| *revision += 1);
    }

    /// Keeps what one watch tells of.
    async fn keep<T>(
        &self,
        shelf: &Shelf<T>,
        events: impl Stream<Item = watcher::Result<Event<DynamicObject>>>,
        read: impl Fn(&DynamicObject) -> Option<T>,
    ) {
        pin_mut!(events);
        let (mut mine, mut listing) = (BTreeSet::new(), BTreeSet::new());
        let mut complete = false;
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listing.clear(),
                Ok(Event::InitApply(object)) => {
                    listing.insert(name_of(&object));
                    put(shelf, &object, &read);
                }
                Ok(Event::InitDone) => {
                    shelf.change(|objects| {
                        for gone in mine.difference(&listing) {
                            objects.remove(gone);
                        }
                    });
                    mine = std::mem::take(&mut listing);
                    if !std::mem::replace(&mut complete, true) {
                        self.listed.send_modify(|listed| *listed += 1);
                    }
                    self.raise();
                }
                Ok(Event::Apply(object)) => {
                    mine.insert(name_of(&object));
                    put(shelf, &object, &read);
                    self.raise();
                }
                Ok(Event::Delete(object)) => {
                    let name = name_of(&object);
                    mine.remove(&name);
                    shelf.change(|objects| drop(objects.remove(&name)));
                    self.raise();
                }
                Err(error) => {
                    tracing::warn!(%error, "a watch of the dashboard broke off; it is taken up again");
                }
            }
        }
    }

    /// Sees what was written to history, which is later than what the watches tell.
    async fn look(&self, archive: &Archive) {
        let mut marks = Vec::new();
        loop {
            if let Ok(reader) = archive.reader().await {
                let seen = reader.marks().await;
                if seen != marks {
                    marks = seen;
                    self.raise();
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn put<T>(shelf: &Shelf<T>, object: &DynamicObject, read: &impl Fn(&DynamicObject) -> Option<T>) {
    if let Some(read) = read(object) {
        shelf.change(|objects| drop(objects.insert(name_of(object), Arc::new(read))));
    }
}

fn name_of(object: &DynamicObject) -> Name {
    (object.namespace().unwrap_or_default(), object.name_any())
}
