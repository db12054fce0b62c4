//! Which jobs there are, each with a task. The watch only says that something changed: what is decided on is read from
//! the API server itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kube::{ResourceExt as _, api::DynamicObject, runtime::watcher::Event};
use serde::Deserialize as _;
use tokio::{sync::watch, task::JoinHandle};
use uuid::Uuid;

use super::{
    attend::{JobId, attend},
    context::{Context, claimed_volume},
    task::is_quiet,
};
use crate::{
    api::status::Phase,
    cluster::{object::JobObject, telemetry::Share},
    driver::ports::Clock as _,
};

/// What a job's task must know of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Of the spec.
    pub(super) generation: i64,
    /// Whether it has a checkpoint.
    pub(super) checkpoint: bool,
}

impl Seen {
    pub(super) fn of(job: &DynamicObject) -> Self {
        Self {
            generation: job.metadata.generation.unwrap_or(0),
            checkpoint: job.data["status"].get("checkpoint").is_some(),
        }
    }
}

/// The jobs of one watch.
pub(super) struct Roster {
    context: Arc<Context>,
    jobs: BTreeMap<Name, Entry>,
    /// What the listing under way has shown.
    listing: Option<BTreeSet<Name>>,
    /// Jobs whose task waits for the end of the first listing, so that every active run holds its workspace before
    /// another begins.
    waiting: Vec<Name>,
}

type Name = (String, String);

struct Entry {
    id: JobId,
    seen: watch::Sender<Seen>,
    quiet: bool,
    counted: Share,
    task: Option<Task>,
}

/// Ends with its entry.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Roster {
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self { context, jobs: BTreeMap::new(), listing: None, waiting: Vec::new() }
    }

    /// Takes over what the watch tells. Returns whether all jobs are known by now.
    pub(super) fn take(&mut self, event: Event<DynamicObject>) -> bool {
        match event {
            Event::Init => self.listing = Some(BTreeSet::new()),
            Event::InitApply(job) => {
                if let Some(listing) = &mut self.listing {
                    listing.insert(name_of(&job));
                }
                self.put(&job);
            }
            Event::InitDone => {
                let listing = self.listing.take().unwrap_or_default();
                let gone: Vec<Name> =
                    self.jobs.keys().filter(|name| !listing.contains(*name)).cloned().collect();
                for name in &gone {
                    self.remove(name);
                }
                for name in std::mem::take(&mut self.waiting) {
                    self.start(&name);
                }
                return true;
            }
            Event::Apply(job) => {
                let name = name_of(&job);
                self.put(&job);
                for name in std::mem::take(&mut self.waiting).iter().chain([&name]) {
                    self.start(name);
                }
            }
            Event::Delete(job) => self.remove(&name_of(&job)),
        }
        false
    }

    /// The namespaces that there are jobs in.
    pub(super) fn namespaces(&self) -> BTreeSet<String> {
        self.jobs.keys().map(|(namespace, _)| namespace.clone()).collect()
    }

    /// The UIDs of the jobs.
    pub(super) fn uids(&self) -> impl Iterator<Item = Uuid> {
        self.jobs.values().map(|entry| entry.id.uid)
    }

    fn put(&mut self, job: &DynamicObject) {
        let name = name_of(job);
        let Some(uid) = job.uid().and_then(|uid| uid.parse::<Uuid>().ok()) else { return };
        let seen = Seen::of(job);
        let stands = Phase::deserialize(&job.data["status"]["phase"]).unwrap_or(Phase::Pending);
        let stands = [(stands.word(), 1)];
        if let Some(entry) = self.jobs.get_mut(&name) {
            if entry.id.uid == uid {
                entry.counted.be(stands);
                entry.seen.send_if_modified(|before| std::mem::replace(before, seen) != seen);
                return;
            }
            self.remove(&name);
        }
        let mut quiet = false;
        if let Ok(job) = JobObject::read(job.clone()) {
            quiet = is_quiet(&job, self.context.me(), self.context.clock.now());
            let volume = claimed_volume(&job.name, job.spec.workspace.as_ref());
            if let (Some(_), Some(volume)) = (job.status.active_run, volume) {
                // Two active runs in one place were begun before this rule was; neither is ended for it.
                let _ = self.context.occupy(&job.namespace, uid, &volume);
            }
        }
        let id = JobId { namespace: name.0.clone(), name: name.1.clone(), uid };
        let mut counted = self.context.telemetry.metrics.job();
        counted.be(stands);
        let entry = Entry { id, seen: watch::Sender::new(seen), quiet, counted, task: None };
        self.jobs.insert(name.clone(), entry);
        self.waiting.push(name);
    }

    fn start(&mut self, name: &Name) {
        let Some(entry) = self.jobs.get_mut(name).filter(|entry| entry.task.is_none()) else { return };
        let task = attend(Arc::clone(&self.context), entry.id.clone(), entry.seen.subscribe(), entry.quiet);
        entry.task = Some(Task(tokio::spawn(task)));
    }

    fn remove(&mut self, name: &Name) {
        let Some(entry) = self.jobs.remove(name) else { return };
        tracing::info!(
            job.namespace = name.0,
            job.name = name.1,
            "the job was deleted: what was made for it is let go"
        );
        drop(entry.task);
        if let Some(archive) = &self.context.settings.archive {
            archive.deleted(entry.id.uid);
        }
        let context = Arc::clone(&self.context);
        tokio::spawn(async move { context.forget(&entry.id.namespace, entry.id.uid).await });
    }
}

fn name_of(job: &DynamicObject) -> Name {
    (job.namespace().unwrap_or_default(), job.name_any())
}
