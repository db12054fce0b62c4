//! What every job's task shares while this process leads.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kube::{Api, Client, api::ListParams};
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use uuid::Uuid;

use super::{Settings, closing::Closing, driven::Driven, herald::Herald, task::Me};
use crate::{
    api::workspace::Workspace,
    cluster::{
        archive::copy_logs,
        credential::Credentials,
        lean::LeanObject,
        store::{ByteBudget, resource},
        telemetry,
    },
    driver::clock::MachineClock,
    launch::pod::{EndedPod, Pods, ServerClock, Volume, workspace::Occupants},
};

/// All jobs together may write so many bytes a second.
const BYTES_PER_SECOND: u64 = 1024 * 1024;
/// So many jobs are read, validated and taken up at a time.
const AT_ONCE: usize = 16;

/// What every job's task shares. One a term: nothing that was seen in an earlier one is believed.
pub(super) struct Context {
    /// The way to the API server, behind the fence and for this term alone.
    pub(super) client: Client,
    pub(super) settings: Arc<Settings>,
    pub(super) clock: MachineClock,
    /// What the API server's objects are dated by.
    pub(super) server_clock: ServerClock,
    /// How far runs were driven, in earlier terms too.
    pub(super) driven: Arc<Driven>,
    pub(super) herald: Herald,
    pub(super) credentials: Credentials,
    pub(super) telemetry: telemetry::Shared,
    pub(super) closing: Closing,
    pub(super) everyone: ByteBudget,
    /// Jobs that are being taken up.
    pub(super) taking_up: Semaphore,
    pods: Mutex<BTreeMap<String, Pods>>,
    /// Jobs that have a task, and how it is told that something of theirs may have changed.
    tasks: Mutex<HashMap<Uuid, Arc<Notify>>>,
    /// Who works where, by namespace.
    occupants: Mutex<BTreeMap<String, Occupants>>,
    left: watch::Sender<()>,
    /// Where Pods that have ended are told, so that what they wrote is kept.
    pub(super) ended: Option<mpsc::UnboundedSender<EndedPod>>,
}

impl Context {
    pub(super) fn new(
        client: Client,
        settings: Arc<Settings>,
        telemetry: telemetry::Shared,
        closing: Closing,
        server_clock: ServerClock,
        clock: MachineClock,
        driven: Arc<Driven>,
    ) -> Arc<Self> {
        let herald = Herald::start(client.clone(), &settings.identity);
        let archive = settings.archive.clone();
        let ended = archive.map(|archive| copy_logs(archive, client.clone()));
        let credentials = Credentials::new(client.clone(), clock.clone(), Arc::clone(&telemetry));
        Arc::new(Self {
            client,
            settings,
            clock,
            server_clock,
            driven,
            herald,
            credentials,
            telemetry,
            closing,
            everyone: ByteBudget::new(BYTES_PER_SECOND),
            taking_up: Semaphore::new(AT_ONCE),
            pods: Mutex::default(),
            tasks: Mutex::default(),
            occupants: Mutex::default(),
            left: watch::Sender::default(),
            ended,
        })
    }

    pub(super) fn me(&self) -> Me<'_> {
        Me { manager: &self.settings.manager, writer: &self.settings.writer }
    }

    pub(super) fn jobs(&self, namespace: &str) -> Api<LeanObject> {
        Api::namespaced_with(self.client.clone(), namespace, &resource())
    }

    /// The Pods of a namespace, once all of them are known.
    pub(super) async fn pods(self: &Arc<Self>, namespace: &str) -> Pods {
        let pods = lock(&self.pods)
            .entry(namespace.to_owned())
            .or_insert_with(|| {
                let pods = Pods::watch(self.client.clone(), namespace);
                tokio::spawn(pass_on(Arc::downgrade(self), pods.clone()));
                pods
            })
            .clone();
        pods.ready().await;
        pods
    }

    /// A job has a task from now on, which is told by what is returned.
    pub(super) fn register(&self, job: Uuid) -> Arc<Notify> {
        Arc::clone(lock(&self.tasks).entry(job).or_default())
    }

    /// Lets go of what was made for a job that is no more.
    pub(super) async fn forget(self: &Arc<Self>, namespace: &str, job: Uuid) {
        lock(&self.tasks).remove(&job);
        self.driven.forget(job);
        self.leave(namespace, job);
        let pods = self.pods(namespace).await;
        if let Err(error) = pods.abandon(job).await {
            tracing::warn!(namespace, job.uid = %job, %error, "Pods of a deleted job are left; the next sweep takes them");
        }
    }

    /// Lets go of the Pods of jobs that are no more, in every namespace where there are jobs or were.
    pub(super) async fn sweep(self: &Arc<Self>, namespaces: impl IntoIterator<Item = String>) {
        let mut namespaces: HashSet<String> = namespaces.into_iter().collect();
        namespaces.extend(lock(&self.pods).keys().cloned());
        for namespace in namespaces {
            let pods = self.pods(&namespace).await;
            let owners = pods.jobs();
            if owners.is_empty() {
                continue;
            }
            tell(&lock(&self.tasks), &owners);
            // Asked for after the Pods: a job that was made since is among them.
            let jobs = match self.jobs(&namespace).list_metadata(&ListParams::default()).await {
                Ok(jobs) => jobs,
                Err(error) => {
                    tracing::warn!(namespace, %error, "jobs could not be listed to look for orphans; it is done later");
                    continue;
                }
            };
            let there: HashSet<Uuid> =
                jobs.items.iter().filter_map(|job| job.metadata.uid.as_ref()?.parse().ok()).collect();
            for orphan in owners.into_iter().filter(|owner| !there.contains(owner)) {
                tracing::info!(namespace, job.uid = %orphan, "Pods of a job that is no more are let go");
                self.forget(&namespace, orphan).await;
            }
        }
    }

    /// Takes a workspace for a job's run, or says whose it is.
    pub(super) fn occupy(&self, namespace: &str, job: Uuid, volume: &Volume) -> Result<(), Uuid> {
        lock(&self.occupants).entry(namespace.to_owned()).or_default().occupy(job, volume)
    }

    /// The run of a job is over: its workspace is free.
    pub(super) fn leave(&self, namespace: &str, job: Uuid) {
        if let Some(occupants) = lock(&self.occupants).get_mut(namespace) {
            occupants.leave(job);
        }
        self.left.send_replace(());
    }

    /// Tells when somebody has left a workspace.
    pub(super) fn leavings(&self) -> watch::Receiver<()> {
        self.left.subscribe()
    }
}

/// The claim that a job's spec names, to be held before anything of the job is looked at.
pub(super) fn claimed_volume(job: &str, workspace: Option<&Workspace>) -> Option<Volume> {
    let workspace = workspace?;
    let (name, sub_path) = match (&workspace.persistent_volume_claim, &workspace.volume_claim_template) {
        (Some(claim), _) => (claim.claim_name.clone(), claim.sub_path.clone()),
        (None, Some(_)) => (format!("{job}-workspace"), None),
        (None, None) => return None,
    };
    Some(Volume::Claim { name, sub_path, one_node: false })
}

/// Tells the jobs' tasks of changes of their Pods.
async fn pass_on(context: std::sync::Weak<Context>, pods: Pods) {
    loop {
        let changed = pods.changed_jobs().await;
        let Some(context) = context.upgrade() else { return };
        tell(&lock(&context.tasks), &changed);
    }
}

fn tell(tasks: &HashMap<Uuid, Arc<Notify>>, jobs: &BTreeSet<Uuid>) {
    jobs.iter().filter_map(|job| tasks.get(job)).for_each(|task| task.notify_one());
}

/// Nothing that is done under these locks can panic half-way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
