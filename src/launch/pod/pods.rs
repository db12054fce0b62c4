//! The Pods of attempts in one namespace, as the API server tells of them, with what this process has just made laid
//! over it until the watch tells of that too.

mod store;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt as _, pin_mut};
use http::HeaderValue;
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, Client, Resource as _, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
    core::Request,
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::json;
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};
use url::form_urlencoded::byte_serialize;
use uuid::Uuid;

pub use self::store::SeenPod;
use self::store::Store;
use super::{lean::LeanPod, names};

/// What was made here and the watch is silent about is looked at again after so long.
const TRUST_OWN: Duration = Duration::from_secs(30);
/// All Pods are listed anew this often.
const RELIST: Duration = Duration::from_mins(5);
/// Released Pods are deleted in bulk, no more often than this.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// Released Pods in one request: the API server deletes them one after another, and a request has its time.
const SWEEP: u32 = 100;
/// The metadata of an object without the rest.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
/// Bytes of JSON: no Pod has fewer, and a list of none does not have so many.
const A_POD: u64 = 512;
/// More than an earlier leader can have released and not deleted.
const LEFT_OVER: u32 = 10_000;

/// The watched Pods of one namespace, for every job in it. Clones are one; the watch ends with the last.
#[derive(Clone)]
pub struct Pods {
    shared: Arc<Shared>,
    _tasks: Arc<Tasks>,
}

struct Shared {
    client: Client,
    api: Api<LeanPod>,
    namespace: String,
    store: Mutex<Store>,
    ready: watch::Sender<bool>,
    /// Jobs of which something may look otherwise now.
    touched: Mutex<BTreeSet<Uuid>>,
    /// Told after every touch.
    told: Notify,
    /// The same for who waits for one job.
    waiting: Mutex<HashMap<Uuid, Arc<Notify>>>,
    /// At most so many released Pods wait to be deleted; `sweep` is told when there are more.
    released: AtomicU32,
    sweep: Notify,
}

struct Tasks(Vec<JoinHandle<()>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Pods {
    /// Begins to watch. To be called by a leader, after it became one: what was seen before may be old.
    pub fn watch(client: Client, namespace: &str) -> Self {
        let shared = Arc::new(Shared {
            api: Api::namespaced(client.clone(), namespace),
            client,
            namespace: namespace.to_owned(),
            store: Mutex::default(),
            ready: watch::Sender::new(false),
            touched: Mutex::default(),
            told: Notify::new(),
            waiting: Mutex::default(),
            released: AtomicU32::new(LEFT_OVER),
            sweep: Notify::new(),
        });
        shared.sweep.notify_one();
        let tasks = vec![
            tokio::spawn(follow(Arc::clone(&shared))),
            tokio::spawn(look_again(Arc::clone(&shared))),
            tokio::spawn(sweep(Arc::clone(&shared))),
        ];
        Self { shared, _tasks: Arc::new(Tasks(tasks)) }
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.shared.namespace
    }

    /// Resolves when every Pod there was has been listed. No launcher may look before.
    pub async fn ready(&self) {
        // The sender is `self`'s, so the wait cannot fail.
        let _ = self.shared.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// Resolves when Pods of jobs may look otherwise than before, with the UIDs of those jobs. For one listener, which
    /// misses none. Cancel safe.
    pub async fn changed_jobs(&self) -> BTreeSet<Uuid> {
        loop {
            let told = self.shared.told.notified();
            let touched = std::mem::take(&mut *lock(&self.shared.touched));
            if !touched.is_empty() {
                return touched;
            }
            told.await;
        }
    }

    /// The jobs that have Pods here.
    pub fn jobs(&self) -> BTreeSet<Uuid> {
        self.store().jobs()
    }

    /// Lets go of every Pod of a job that is no more, whatever became of the batches: ends and forgets it.
    ///
    /// # Errors
    /// When the API server refuses one; the others are let go.
    pub async fn abandon(&self, job: Uuid) -> Result<(), kube::Error> {
        let pods = self.store().of_job(job);
        let mut result = Ok(());
        for pod in pods {
            let removed = self.remove(&pod).await;
            result = result.and(removed);
        }
        result
    }

    /// How many attempts run that use this credential, but for those of these jobs.
    pub fn live_with(&self, credential: &str, except: &[Uuid]) -> u32 {
        u32::try_from(self.store().live_with(credential, except)).unwrap_or(u32::MAX)
    }

    /// The Pods of a job that nobody has released.
    pub(super) fn of_job(&self, job: Uuid) -> Vec<Arc<SeenPod>> {
        self.store().of_job(job)
    }

    /// One of them.
    pub(super) fn named(&self, job: Uuid, name: &str) -> Option<Arc<SeenPod>> {
        self.store().named(job, name)
    }

    /// Makes the Pod of this JSON. Only its metadata is asked back: the rest was just sent, and the watch tells it again.
    pub(super) async fn create(&self, pod: Vec<u8>) -> Result<ObjectMeta, kube::Error> {
        let request = self.shared.request().create(&PostParams::default(), pod);
        let mut request = request.map_err(kube::Error::BuildRequest)?;
        request.headers_mut().insert(http::header::ACCEPT, HeaderValue::from_static(METADATA));
        let LeanPod(made) = self.shared.client.request(request).await?;
        Ok(made.metadata)
    }

    /// Asks the API server itself for one.
    pub(super) async fn get(&self, name: &str) -> Result<Option<LeanPod>, kube::Error> {
        self.shared.api.get_opt(name).await
    }

    /// Lays a Pod over what the watch has told, until it tells of it. Nobody is told.
    pub(super) fn made(&self, pod: &Pod) -> Option<Arc<SeenPod>> {
        self.store().made(pod, tokio::time::Instant::now())
    }

    /// Shows a Pod no more; `false` shows it again.
    pub(super) fn hide(&self, pod: &SeenPod, hidden: bool) {
        self.store().hide(pod, hidden);
        if !hidden {
            self.touch(pod.run.job);
        }
    }

    /// What is told after something of `job` has changed.
    pub(super) fn listener(&self, job: Uuid) -> Arc<Notify> {
        Arc::clone(lock(&self.shared.waiting).entry(job).or_default())
    }

    /// Something of `job` may look otherwise.
    pub(super) fn touch(&self, job: Uuid) {
        self.shared.touch(job);
    }

    /// Takes the finalizer off and marks it, in one patch; `keep` for people. It is not hidden by this.
    pub(super) async fn release(&self, pod: &SeenPod, keep: bool) -> Result<(), kube::Error> {
        let finalizers: Vec<&String> = pod.finalizers.iter().filter(|one| *one != names::FINALIZER).collect();
        let patch = json!({"metadata": {
            // Another Pod of this name is not ours to let go.
            "uid": pod.uid,
            "finalizers": finalizers,
            "labels": {names::RELEASED: "true", names::KEPT: keep.then_some("true")},
        }});
        let request =
            self.shared.request().patch_metadata(&pod.name, &PatchParams::default(), &Patch::Merge(patch));
        gone_is_well(self.shared.ask(request).await.map(drop))?;
        if !keep {
            self.shared.released.fetch_add(1, Ordering::Relaxed);
            self.shared.sweep.notify_one();
        }
        Ok(())
    }

    /// Ends a Pod at once, and forgets it.
    pub(super) async fn remove(&self, pod: &SeenPod) -> Result<(), kube::Error> {
        self.delete(pod, Some(0)).await?;
        self.release(pod, false).await
    }

    /// Asks for a Pod's end; `None` gives it the time that its spec says.
    pub(super) async fn delete(&self, pod: &SeenPod, grace: Option<u32>) -> Result<(), kube::Error> {
        let parameters = DeleteParams {
            grace_period_seconds: grace,
            preconditions: Some(Preconditions { uid: Some(pod.uid.clone()), resource_version: None }),
            ..DeleteParams::default()
        };
        gone_is_well(self.shared.api.delete(&pod.name, &parameters).await.map(drop))
    }

    /// How many Pods of a run are kept for people; not more than `most` are counted.
    pub(super) async fn kept(&self, job: Uuid, run: u32, most: u32) -> Result<u32, kube::Error> {
        let selector = format!("{},{}={job},{}={run}", names::KEPT, names::JOB_UID, names::RUN);
        let list =
            self.shared.api.list_metadata(&ListParams::default().labels(&selector).limit(most)).await?;
        Ok(u32::try_from(list.items.len()).unwrap_or(most))
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.shared.store)
    }
}

impl std::fmt::Debug for Pods {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pods").field("namespace", &self.shared.namespace).finish_non_exhaustive()
    }
}

impl Shared {
    fn touch(&self, job: Uuid) {
        lock(&self.touched).insert(job);
        self.told.notify_one();
        if let Some(waiting) = lock(&self.waiting).get(&job) {
            waiting.notify_one();
        }
    }

    /// The path of the namespace's Pods.
    fn request(&self) -> Request {
        Request::new(Pod::url_path(&(), Some(&self.namespace)))
    }

    /// Of released Pods. Written here since kube leaves the limit out of a deletion.
    fn deletion(&self) -> Result<http::Request<Vec<u8>>, kube::core::request::Error> {
        let path = Pod::url_path(&(), Some(&self.namespace));
        let selector: String = byte_serialize(names::SWEPT.as_bytes()).collect();
        let request = http::Request::delete(format!("{path}?labelSelector={selector}&limit={SWEEP}"));
        request.body(Vec::new()).map_err(kube::core::request::Error::BuildRequest)
    }

    /// Makes a request whose answer nobody needs: a thousand Pods that were deleted are megabytes. Returns its length.
    async fn ask(
        &self,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<u64, kube::Error> {
        let answer = self.client.request_stream(request.map_err(kube::Error::BuildRequest)?).await?;
        let read = futures::io::copy(answer, &mut futures::io::sink()).await;
        // What was asked is done, also when its answer breaks off.
        read.or_else(|error| {
            tracing::debug!(namespace = self.namespace, %error, "an answer broke off");
            Ok(u64::MAX)
        })
    }
}

/// What is gone, or was replaced by another, needs nothing more.
fn gone_is_well(result: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match result {
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        other => other,
    }
}

/// Takes over what the watch tells.
async fn follow(shared: Arc<Shared>) {
    loop {
        let config = watcher::Config::default().labels(names::WATCHED);
        let events = watcher(shared.api.clone(), config).default_backoff();
        // Listed anew from time to time: a watch that has lost an event does not know it.
        let events = events.take_until(tokio::time::sleep(RELIST));
        pin_mut!(events);
        while let Some(event) = events.next().await {
            take(&shared, event);
        }
    }
}

fn take(shared: &Shared, event: watcher::Result<watcher::Event<LeanPod>>) {
    let event = match event {
        Ok(event) => event,
        Err(error) => {
            let namespace = &shared.namespace;
            tracing::warn!(namespace, %error, "the watch of the batches' Pods broke off; it is taken up again");
            return;
        }
    };
    let listed = matches!(event, watcher::Event::InitDone);
    let touched = lock(&shared.store).take(event, tokio::time::Instant::now());
    for job in touched {
        shared.touch(job);
    }
    if listed {
        shared.ready.send_replace(true);
    }
}

/// Asks the API server itself about what was made here long ago, and the watch has not told of.
async fn look_again(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(TRUST_OWN / 3).await;
        let old = lock(&shared.store).made_before(tokio::time::Instant::now() - TRUST_OWN);
        for pod in old {
            let found = shared.api.get_opt(&pod.name).await;
            let found = match found {
                Ok(found) => found.filter(|found| found.uid().as_deref() == Some(&pod.uid)),
                Err(error) => {
                    tracing::debug!(pod.name, %error, "a Pod that was made here cannot be looked at");
                    continue;
                }
            };
            lock(&shared.store).looked_at(
                &pod,
                found.as_ref().map(|found| &found.0),
                tokio::time::Instant::now(),
            );
            shared.touch(pod.run.job);
        }
    }
}

/// Deletes released Pods, many of the namespace in one request.
async fn sweep(shared: Arc<Shared>) {
    loop {
        shared.sweep.notified().await;
        let mut released = shared.released.swap(0, Ordering::Relaxed);
        while released > 0 {
            match shared.ask(shared.deletion()).await {
                Ok(length) if length < A_POD => break,
                // Counted, and not until none is left: what others hold stays on the list.
                Ok(_) => released = released.saturating_sub(SWEEP),
                Err(error) => {
                    let namespace = &shared.namespace;
                    tracing::warn!(namespace, %error, "finished Pods could not be deleted; it is tried again");
                    shared.released.fetch_add(released, Ordering::Relaxed);
                    shared.sweep.notify_one();
                    break;
                }
            }
        }
        tokio::time::sleep(SWEEP_EVERY).await;
    }
}

/// Nothing that is done under these locks can panic half-way.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
