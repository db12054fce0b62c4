//! What the dashboard shows of a cluster, to one visitor: jobs and credentials from the watches, runs that are over,
//! batches, attempts and texts from the operator's volume, and what that does not have from checkpoints and Pods. Nothing
//! is read for a visitor that he may not read.

mod act;
mod edit;
mod entry;
mod key;
mod known;
mod live;
mod pods;
mod present;
mod prompt;
mod texts;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use kube::{Api, Client, api::DynamicObject};
use secrecy::SecretString;
use tokio::{sync::watch, task::JoinSet};
use uuid::Uuid;

use self::{
    key::Key,
    known::{Known, Name, SeenJob},
    live::LiveLogs,
    pods::Pods,
    present::{OfPods, Present},
    prompt::{NoPlan, Prompts},
};
use super::{
    archive::Archive,
    object::JobObject,
    operator::Scope,
    store::resource,
    visitors::{Deed, Visitor, Visitors},
};
use crate::{
    dashboard::view::{
        Forbidden, HistoryList, HistoryRun, HistoryWanted, JobEntry, Piece, PodEntry, RunEntry, Spec, Text,
        TextKind, View, ViewError,
    },
    engine::ledger::Ledger,
    history::{OutputPage, OutputRecord, Reader, RunsCursor},
    job::{
        finding::Finding,
        identity::{AttemptKey, BatchNum, RunId},
        yaml_text,
    },
    store::{
        record::{AttemptRecord, BatchRecord, BatchState},
        runs::RunsWanted,
    },
};

/// Pages wait so long for the first listing.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many namespaces are asked about at a time.
const AT_ONCE: usize = 16;

/// Makes the way to the API server of who has this token.
pub type UserClients = Arc<dyn Fn(&SecretString) -> kube::Result<Client> + Send + Sync>;

/// What all visitors look at. Nothing is watched until somebody does.
pub struct Cluster {
    client: Client,
    scope: Scope,
    archive: Option<Archive>,
    visitors: Arc<Visitors>,
    users: UserClients,
    live: LiveLogs,
    pods: Pods,
    prompts: Prompts,
    known: OnceLock<(Arc<Known>, JoinSet<()>)>,
}

impl Cluster {
    /// Of the jobs of `scope`.
    pub fn new(
        client: Client,
        scope: Scope,
        archive: Option<Archive>,
        visitors: Arc<Visitors>,
        users: UserClients,
    ) -> Self {
        Self {
            client,
            scope,
            archive,
            visitors,
            users,
            live: LiveLogs::default(),
            pods: Pods::default(),
            prompts: Prompts::default(),
            known: OnceLock::new(),
        }
    }

    /// Whose jobs it shows, in a word or a few.
    pub fn place(&self) -> String {
        match &self.scope {
            Scope::Cluster => "every namespace".to_owned(),
            Scope::Namespaces(namespaces) => namespaces.join(", "),
        }
    }

    fn known(&self) -> &Arc<Known> {
        let watch = || Known::watch(&self.client, &self.scope, self.archive.clone());
        &self.known.get_or_init(watch).0
    }

    async fn complete(&self) -> Result<&Arc<Known>, ViewError> {
        let known = self.known();
        let listed = tokio::time::timeout(PATIENCE, known.complete()).await;
        listed.map_err(failed("the jobs of the cluster are not listed yet"))?;
        Ok(known)
    }

    /// History, where there is any.
    async fn reader(&self) -> Result<Option<Arc<Reader>>, ViewError> {
        let Some(archive) = &self.archive else { return Ok(None) };
        archive.reader().await.map(Some).map_err(failed("the operator's history cannot be read"))
    }
}

/// Who looks.
#[derive(Clone, Debug)]
pub enum SeenBy {
    /// Somebody whom the cluster knows, and what he may.
    Visitor(Visitor),
    /// Everybody, and everything.
    Anybody,
}

/// The cluster as one visitor may see it.
pub struct ClusterView {
    cluster: Arc<Cluster>,
    seen_by: SeenBy,
    /// The jobs that he has asked for by name: what follows asks for their runs by UID.
    asked: Mutex<HashMap<Uuid, Name>>,
}

fn failed<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    context: &'static str,
) -> impl Fn(E) -> ViewError {
    move |error| ViewError { context, source: error.into() }
}

impl ClusterView {
    /// For `seen_by`.
    pub fn new(cluster: Arc<Cluster>, seen_by: SeenBy) -> Self {
        Self { cluster, seen_by, asked: Mutex::default() }
    }

    fn visitor(&self) -> Option<&Visitor> {
        match &self.seen_by {
            SeenBy::Visitor(visitor) => Some(visitor),
            SeenBy::Anybody => None,
        }
    }

    async fn may(&self, deed: &Deed) -> Result<bool, ViewError> {
        let Some(visitor) = self.visitor() else { return Ok(true) };
        let asked = self.cluster.visitors.may(visitor, deed).await;
        asked.map_err(failed("it cannot be told what you may see"))
    }

    /// Refuses a job that he may not read.
    async fn check(&self, namespace: &str, name: &str) -> Result<(), ViewError> {
        let deed = Deed::with("get", namespace, name);
        if self.may(&deed).await? {
            return Ok(());
        }
        Err(self.forbidden(deed.to_string()))
    }

    fn forbidden(&self, what: String) -> ViewError {
        failed("this is not for you")(Forbidden { who: self.who(), what })
    }

    fn who(&self) -> String {
        self.visitor().map(|visitor| visitor.name.clone()).unwrap_or_default()
    }

    /// The same for a run of a job that was asked for.
    async fn check_run(&self, run: &RunId) -> Result<(), ViewError> {
        if let Some((namespace, name)) = self.name_of(run) {
            return self.check(&namespace, &name).await;
        }
        Err(self.forbidden("read a run of a job that was not asked for".to_owned()))
    }

    async fn check_job(&self, job: &JobEntry) -> Result<(), ViewError> {
        self.check_run(&RunId { job: job.uid, run: 0 }).await
    }

    /// Those of the namespaces whose jobs he may list.
    async fn open_to_him(&self, namespaces: BTreeSet<String>) -> Result<BTreeSet<String>, ViewError> {
        if self.may(&Deed::list(None)).await? {
            return Ok(namespaces);
        }
        let asked = stream::iter(namespaces).map(|namespace| async {
            let may = self.may(&Deed::list(Some(namespace.clone()))).await?;
            Ok(may.then_some(namespace))
        });
        let answers: Vec<Result<Option<String>, ViewError>> = asked.buffer_unordered(AT_ONCE).collect().await;
        answers.into_iter().filter_map(Result::transpose).collect()
    }

    /// The reader, and the right to read the run.
    async fn reader_of(&self, run: &RunId) -> Result<Option<Arc<Reader>>, ViewError> {
        self.check_run(run).await?;
        self.cluster.reader().await
    }

    /// The job of a run whose checkpoint is there, if he has asked for it.
    fn present(&self, run: &RunId) -> Option<(Name, Arc<SeenJob>)> {
        let name = self.name_of(run)?;
        let job = self.cluster.known().job(&name)?;
        let is_its = job.ledger.as_ref().is_some_and(|ledger| ledger.run == *run);
        is_its.then_some((name, job))
    }

    fn name_of(&self, run: &RunId) -> Option<Name> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).get(&run.job).cloned()
    }

    /// What Pods tell that are there; nothing where history tells it.
    async fn of_pods(&self, run: &RunId, (namespace, _): &Name) -> Result<Arc<OfPods>, ViewError> {
        let Cluster { client, archive, pods, .. } = &*self.cluster;
        if archive.is_some() {
            return Ok(Arc::default());
        }
        pods.of_run(client, namespace, run).await.map_err(failed("the Pods of the run cannot be listed"))
    }

    /// What is seen of the job now, unless it is another of the same name.
    async fn seen(&self, job: &JobEntry) -> Result<Option<(Name, Arc<SeenJob>)>, ViewError> {
        let known = self.cluster.complete().await?;
        let name = (job.origin.clone(), job.name.clone());
        Ok(known.job(&name).filter(|seen| seen.uid == job.uid).map(|seen| (name, seen)))
    }

    /// A run as history has it, or fresher where it is the last of a job that is there.
    fn entry(
        &self,
        job_name: &str,
        ledger: &Ledger,
        seen: Option<&(Name, Arc<SeenJob>)>,
        now: Timestamp,
    ) -> RunEntry {
        let last = seen.and_then(|(name, job)| {
            let fresh = job.ledger.as_ref().filter(|fresh| fresh.run == ledger.run)?;
            Some((name, job, fresh))
        });
        match last {
            Some(((namespace, _), job, fresh)) => {
                let gate = self.cluster.known().gate(namespace, job);
                entry::run(job_name, fresh, Some((job, gate.as_deref())), now)
            }
            None => entry::run(job_name, ledger, None, now),
        }
    }

    async fn deleted(&self, key: &Key) -> Result<Option<JobEntry>, ViewError> {
        let Some(reader) = self.cluster.reader().await? else { return Ok(None) };
        let unreadable = "the operator's history cannot be read";
        let last = reader.job_in(key.namespace.as_ref(), &key.name).await.map_err(failed(unreadable))?;
        let found = match last.filter(|job| key.means(job.uid)) {
            Some(job) => Some(job),
            None if key.uid.is_some() => {
                let jobs = reader.jobs().await.map_err(failed(unreadable))?;
                jobs.into_iter().find(|job| {
                    job.used_in.as_os_str() == key.namespace.as_str()
                        && job.name == key.name
                        && key.means(job.uid)
                })
            }
            None => None,
        };
        let Some(record) = found else { return Ok(None) };
        let last = reader.last_run(record.uid).await.map_err(failed(unreadable))?;
        let last = last.map(|ledger| entry::run(&key.name, &ledger, None, Timestamp::now()));
        Ok(Some(entry::gone(key, &record, last)))
    }
}

impl View for ClusterView {
    fn revision(&self) -> watch::Receiver<u64> {
        self.cluster.known().revision()
    }

    async fn jobs(&self) -> Result<Arc<Vec<JobEntry>>, ViewError> {
        let known = self.cluster.complete().await?;
        let jobs = known.jobs();
        let namespaces = jobs.iter().map(|((namespace, _), _)| namespace.clone()).collect();
        let open = self.open_to_him(namespaces).await?;
        let now = Timestamp::now();
        let of = |(name, job): &(Name, Arc<SeenJob>)| {
            entry::job(name, job, known.gate(&name.0, job).as_deref(), now)
        };
        Ok(Arc::new(jobs.iter().filter(|((namespace, _), _)| open.contains(namespace)).map(of).collect()))
    }

    async fn job(&self, key: &str) -> Result<Option<JobEntry>, ViewError> {
        let Some(key) = Key::read(key) else { return Ok(None) };
        self.check(&key.namespace, &key.name).await?;
        let known = self.cluster.complete().await?;
        let name = (key.namespace.clone(), key.name.clone());
        let found = match known.job(&name).filter(|job| key.means(job.uid)) {
            Some(job) => {
                let gate = known.gate(&key.namespace, &job);
                let mut entry = entry::job(&name, &job, gate.as_deref(), Timestamp::now());
                entry.rights = self.rights(&name).await;
                Some(entry)
            }
            None => self.deleted(&key).await?,
        };
        if let Some(job) = &found {
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(job.uid, name);
        }
        Ok(found)
    }

    async fn run(&self, job: &JobEntry, run: u32) -> Result<Option<RunEntry>, ViewError> {
        self.check_job(job).await?;
        let id = RunId { job: job.uid, run };
        let seen = self.seen(job).await?;
        let fresh = seen.as_ref().and_then(|(_, job)| job.ledger.clone()).filter(|ledger| ledger.run == id);
        let ledger = match (fresh, self.cluster.reader().await?) {
            (Some(fresh), _) => Some(fresh),
            (None, Some(reader)) => reader.ledger(&id).await.map_err(failed("the run cannot be read"))?,
            (None, None) => None,
        };
        let now = Timestamp::now();
        Ok(ledger.map(|ledger| self.entry(&job.name, &ledger, seen.as_ref(), now)))
    }

    async fn batches(
        &self,
        run: &RunId,
        state: Option<BatchState>,
        after: BatchNum,
        limit: u32,
    ) -> Result<Vec<BatchRecord>, ViewError> {
        let known = match self.reader_of(run).await? {
            Some(reader) => reader.batches(run, state, after, limit).await,
            None => Ok(Vec::new()),
        };
        let known = known.map_err(failed("the batches cannot be read"))?;
        let Some((name, job)) = self.present(run) else { return Ok(known) };
        let Some(ledger) = &job.ledger else { return Ok(known) };
        let pods = self.of_pods(run, &name).await?;
        Ok(Present::of(ledger).batches(state, (after, limit), known, &pods))
    }

    async fn history(
        &self,
        wanted: &HistoryWanted,
        after: Option<String>,
        limit: u32,
    ) -> Result<Option<HistoryList>, ViewError> {
        let after = match after.as_deref().map(RunsCursor::read) {
            Some(None) => return Ok(None),
            cursor => cursor.flatten(),
        };
        let nothing = HistoryList { runs: Vec::new(), next: None };
        let Some(reader) = self.cluster.reader().await? else { return Ok(Some(nothing)) };
        let unreadable = "the runs cannot be read";
        let folders = reader.folders().await.map_err(failed(unreadable))?;
        let folders = self.open_to_him(folders).await?;
        let HistoryWanted { job, name, phase, since } = wanted;
        let job = job.as_ref().map(|job| job.uid);
        let wanted =
            RunsWanted { job, name: name.clone(), phase: *phase, since: *since, folders: Some(folders) };
        let found = reader.list_runs(&wanted, after, limit).await.map_err(failed(unreadable))?;
        let known = self.cluster.complete().await?;
        let now = Timestamp::now();
        let run = |listed: crate::store::runs::ListedRun| {
            let uid = listed.ledger.run.job;
            let namespace = listed.folder.to_string_lossy().into_owned();
            let name = (namespace, listed.job_name);
            let seen = known.job(&name).filter(|job| job.uid == uid).map(|job| (name.clone(), job));
            let key = match &seen {
                Some(_) => Key::now(&name.0, &name.1),
                None => Key::earlier(&name.0, &name.1, uid),
            };
            let run = self.entry(&name.1, &listed.ledger, seen.as_ref(), now);
            HistoryRun { job_key: key.to_string(), job_name: name.1, run }
        };
        let runs = found.runs.into_iter().map(run).collect();
        Ok(Some(HistoryList { runs, next: found.next.map(RunsCursor::text) }))
    }

    fn keeps_history(&self) -> bool {
        self.cluster.archive.is_some()
    }

    async fn attempts_between(
        &self,
        run: &RunId,
        first: BatchNum,
        last: BatchNum,
    ) -> Result<Vec<AttemptRecord>, ViewError> {
        let known = match self.reader_of(run).await? {
            Some(reader) => reader.attempts_between(run, first, last).await,
            None => Ok(Vec::new()),
        };
        let known = known.map_err(failed("the attempts cannot be read"))?;
        let Some((name, job)) = self.present(run) else { return Ok(known) };
        let Some(ledger) = &job.ledger else { return Ok(known) };
        let pods = self.of_pods(run, &name).await?;
        Ok(Present::of(ledger).attempts_between(first, last, known, &pods))
    }

    async fn attempts(&self, run: &RunId, batch: BatchNum) -> Result<Vec<AttemptRecord>, ViewError> {
        self.attempts_between(run, batch, batch).await
    }

    async fn findings(&self, run: &RunId, key: AttemptKey) -> Result<Vec<Finding>, ViewError> {
        self.findings_of(run, key).await
    }

    async fn text(
        &self,
        run: &RunId,
        key: AttemptKey,
        text: TextKind,
        piece: Piece,
    ) -> Result<Option<Text>, ViewError> {
        self.text_of(run, key, text, piece).await
    }

    async fn absence(
        &self,
        run: &RunId,
        key: AttemptKey,
        text: TextKind,
    ) -> Result<Option<String>, ViewError> {
        self.absence_of(run, key, text).await
    }

    async fn pod(&self, run: &RunId, key: AttemptKey) -> Result<Option<PodEntry>, ViewError> {
        self.check_run(run).await?;
        self.pod_of(run, key).await
    }

    async fn outputs(&self, run: &RunId, after: BatchNum, limit: u32) -> Result<OutputPage, ViewError> {
        let mut page = OutputPage { outputs: Vec::new(), next: None };
        let Some(reader) = self.reader_of(run).await? else { return Ok(page) };
        let unreadable = "the answers cannot be read";
        let keys = reader.answered(run, after, limit).await.map_err(failed(unreadable))?;
        page.next = keys.last().filter(|_| keys.len() == limit as usize).map(|key| key.batch);
        for AttemptKey { batch, ordinal } in keys {
            // Gone since it was listed: its job was deleted.
            let kept = reader.kept_answer(run, batch).await.map_err(failed(unreadable))?;
            if let Some((answer, facts)) = kept {
                page.outputs.push(OutputRecord { batch, ordinal, facts, answer });
            }
        }
        Ok(page)
    }

    async fn spec(&self, job: &JobEntry, run: Option<u32>) -> Result<Spec, ViewError> {
        self.check_job(job).await?;
        let client = &self.cluster.client;
        let jobs: Api<DynamicObject> = Api::namespaced_with(client.clone(), &job.origin, &resource());
        let object = jobs.get_opt(&job.name).await.map_err(failed("the job cannot be read"))?;
        let object = object.and_then(|object| JobObject::read(object).ok());
        let Some(object) = object.filter(|object| object.uid == job.uid) else {
            return Ok(Spec::default());
        };
        let written = Some(edit::written(&object));
        let (mut resolved, mut withheld) = (None, None);
        if let Some(run) = run {
            let id = RunId { job: job.uid, run };
            match self.plan(&(job.origin.clone(), job.name.clone()), &id).await {
                Ok(plan) => {
                    let plan: serde_json::Value = serde_json::from_str(&plan.text()).unwrap_or_default();
                    resolved = plan.get("manifest").map(|job| yaml_text::write(job, &|_| None));
                }
                Err(NoPlan::Withheld(why)) => withheld = Some(why),
                // A plan that is gone is no reason to hide the job.
                Err(NoPlan::Gone | NoPlan::Unread(_)) => {}
            }
        }
        Ok(Spec { written, resolved, withheld })
    }
}
