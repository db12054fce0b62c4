//! Credentials: the key that jobs name, and the durable home of its gate. All jobs of a namespace that use one share its
//! gate and take turns at the attempts that it allows.

mod crowd;
mod gate;
mod status;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use futures::{Stream, StreamExt as _, pin_mut};
use jiff::Timestamp;
use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams},
    runtime::watcher,
};
use serde_json::json;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};
use uuid::Uuid;

use self::{
    crowd::{Crowd, Seat},
    status::Known,
};
pub use self::{
    gate::{OwnGate, RunGate},
    status::gate_of,
};
use crate::{
    api::{
        self,
        credential::{MozartCredentialSpec, MozartCredentialStatus, RESUME},
    },
    cluster::{
        lean::LeanObject,
        telemetry::{self, Share},
    },
    driver::{
        clock::MachineClock,
        ports::{Clock as _, StoreError},
    },
    engine::{
        gate::{Gate, GateReport, GateState},
        world::Sessions,
    },
    launch::pod::Pods,
};

/// Between two writes of what people see of a credential where its gate has not changed.
const PACE: Duration = Duration::from_secs(10);
/// So often a write is tried again when only something else of the object had changed.
const MAX_CONFLICTS: u32 = 8;

/// The resource that credentials are.
pub fn resource() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("mozart.dev", "v1alpha1", api::credential::KIND))
}

/// Every credential that was seen or asked for, by namespace and name. One a term.
pub struct Credentials {
    client: Client,
    clock: MachineClock,
    telemetry: telemetry::Shared,
    by_name: Mutex<ByName>,
    /// What writes for people; ended with this.
    writers: Mutex<JoinSet<()>>,
}

/// By namespace and name.
type ByName = BTreeMap<(String, String), Arc<Credential>>;

impl Credentials {
    /// None so far.
    pub fn new(client: Client, clock: MachineClock, telemetry: telemetry::Shared) -> Self {
        Self { client, clock, telemetry, by_name: Mutex::default(), writers: Mutex::default() }
    }

    /// A credential as the API server has it now; `None` when there is none.
    ///
    /// # Errors
    /// It cannot be asked for.
    pub async fn read(&self, namespace: &str, name: &str) -> kube::Result<Option<Arc<Credential>>> {
        let api: Api<LeanObject> = Api::namespaced_with(self.client.clone(), namespace, &resource());
        let Some(LeanObject(object)) = api.get_opt(name).await? else { return Ok(None) };
        Ok(Some(self.take(object).await))
    }

    /// Follows what the watch tells, for as long as it is polled.
    pub async fn follow(&self, events: impl Stream<Item = watcher::Result<watcher::Event<DynamicObject>>>) {
        pin_mut!(events);
        while let Some(event) = events.next().await {
            match event {
                Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                    self.take(object).await;
                }
                // Who uses it goes on with what was known; who begins finds that it is not there.
                Ok(watcher::Event::Delete(object)) => {
                    let name = (object.namespace().unwrap_or_default(), object.name_any());
                    if let Some(credential) = lock(&self.by_name).get(&name) {
                        lock(&credential.counted).be([]);
                    }
                }
                Ok(watcher::Event::Init | watcher::Event::InitDone) => {}
                Err(error) => {
                    tracing::warn!(%error, "the watch of the credentials broke off; it is taken up again");
                }
            }
        }
    }

    async fn take(&self, object: DynamicObject) -> Arc<Credential> {
        let name = (object.namespace().unwrap_or_default(), object.name_any());
        let credential = {
            let mut known = lock(&self.by_name);
            let entry = known.entry(name);
            let made = || {
                let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
                let api = Api::namespaced_with(self.client.clone(), &namespace, &resource());
                let counted = self.telemetry.metrics.credential();
                let credential = Arc::new(Credential::new(api, namespace, name, self.clock.clone(), counted));
                lock(&self.writers).spawn(write_for_people(Arc::clone(&credential)));
                credential
            };
            Arc::clone(entry.or_insert_with(made))
        };
        credential.take(&mut *credential.stored.lock().await, &object);
        credential
    }
}

/// One credential.
#[derive(Debug)]
pub struct Credential {
    api: Api<LeanObject>,
    namespace: String,
    name: String,
    clock: MachineClock,
    stored: tokio::sync::Mutex<Stored>,
    known: watch::Sender<Known>,
    crowd: Arc<Crowd>,
    /// The Pods of its namespace, once a run has them.
    pods: OnceLock<Pods>,
    /// The names of the jobs that use it.
    jobs: Mutex<HashMap<Uuid, String>>,
    /// What people see of it may have changed.
    changed: Notify,
    counted: Mutex<Share>,
}

/// The object as it is stored, as far as is known.
#[derive(Debug, Default)]
struct Stored {
    version: String,
    generation: i64,
    status: MozartCredentialStatus,
}

/// Why a status was not written.
enum Refused {
    /// The object had changed.
    Conflict,
    /// There is no such object any more.
    Gone,
    Failed(kube::Error),
}

impl Credential {
    fn new(
        api: Api<LeanObject>,
        namespace: String,
        name: String,
        clock: MachineClock,
        counted: Share,
    ) -> Self {
        Self {
            api,
            namespace,
            name,
            clock,
            stored: tokio::sync::Mutex::default(),
            known: watch::Sender::default(),
            crowd: Arc::default(),
            pods: OnceLock::new(),
            jobs: Mutex::default(),
            changed: Notify::new(),
            counted: Mutex::new(counted),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its spec.
    ///
    /// # Errors
    /// Why it cannot be used, for people.
    pub fn spec(&self) -> Result<MozartCredentialSpec, String> {
        let known = self.known.borrow();
        match (&known.spec, &known.trouble) {
            (Some(spec), _) => Ok(spec.clone()),
            (None, Some((_, why))) => Err(why.clone()),
            (None, None) => Err("it has no spec".to_owned()),
        }
    }

    /// A place for a run of the job among those that use it.
    pub fn seat(self: &Arc<Self>, job: Uuid, job_name: &str, pods: Option<&Pods>) -> CredentialSeat {
        if let Some(pods) = pods {
            // A namespace has the same Pods for every run.
            let _ = self.pods.set(pods.clone());
        }
        lock(&self.jobs).insert(job, job_name.to_owned());
        CredentialSeat { credential: Arc::clone(self), seat: Seat::take(&self.crowd, job) }
    }

    /// Takes over the object, if it is newer than what is known.
    fn take(&self, stored: &mut Stored, object: &DynamicObject) {
        let number = |version: &str| version.parse::<u64>().ok();
        let version = object.resource_version().unwrap_or_default();
        if number(&version) <= number(&stored.version) && !stored.version.is_empty() {
            return;
        }
        let now = self.clock.now();
        let status: MozartCredentialStatus = object
            .data
            .get("status")
            .and_then(|status| serde_json::from_value(status.clone()).ok())
            .unwrap_or_default();
        let generation = object.metadata.generation.unwrap_or(0);
        let before = self.known.borrow().clone();
        let mut known = Known {
            gate: status.gate.as_ref().map(|gate| status::read(gate, now)).unwrap_or_default(),
            resumed: status.gate.as_ref().and_then(status::resumed),
            ..Known::default()
        };
        match serde_json::from_value::<MozartCredentialSpec>(object.data["spec"].clone()) {
            Ok(spec) => {
                let since = before.suspended.or_else(|| status::suspended_since(&status)).unwrap_or(now);
                known.suspended = (spec.suspend == Some(true)).then_some(since);
                known.spec = Some(spec);
            }
            Err(error) => {
                let why = format!("its spec has what this Mozart does not know: {error}");
                known.trouble = Some(("InvalidSpec", why));
            }
        }
        let asked: Option<Timestamp> = object.annotations().get(RESUME).and_then(|asked| asked.parse().ok());
        let asked = asked.filter(|asked| known.resumed.is_none_or(|taken| taken < *asked));
        let mended = matches!(known.gate.state, GateState::Held { .. })
            && status.observed_generation.is_some_and(|observed| observed < generation);
        if asked.is_some() || mended {
            known.gate = known.gate.after(&GateReport::OpenedByHand { at: now });
            known.resumed = asked.or(known.resumed);
        }
        *stored = Stored { version, generation, status };
        if known.cap() != before.cap() {
            self.crowd.grown();
        }
        self.count(&known);
        self.known.send_if_modified(|before| {
            let changed = *before != known;
            *before = known;
            changed
        });
        self.changed.notify_one();
    }

    /// Tells the gate, durably.
    async fn report(&self, report: GateReport) -> Result<Gate, StoreError> {
        let mut stored = self.stored.lock().await;
        for _ in 0..MAX_CONFLICTS {
            let mut known = self.known.borrow().clone();
            let gate = known.gate.after(&report);
            if gate == known.gate {
                return Ok(known.met());
            }
            known.gate = gate;
            match self.put(&mut stored, &known).await {
                // One that was deleted has nobody to tell; its runs go by what they know.
                Ok(()) | Err(Refused::Gone) => {
                    let met = known.met();
                    let grown = known.cap() != self.known.borrow().cap();
                    self.count(&known);
                    self.known.send_replace(known);
                    if grown {
                        self.crowd.grown();
                    }
                    return Ok(met);
                }
                Err(Refused::Conflict) => {
                    let object = self.api.get(&self.name).await.map_err(|error| self.not_written(error))?;
                    self.take(&mut stored, &object.0);
                }
                Err(Refused::Failed(error)) => return Err(self.not_written(error)),
            }
        }
        Err(StoreError::Failed {
            context: format!("the credential {} is changed again and again", self.name),
            source: "every write met a newer version of the object".into(),
        })
    }

    /// Among the credentials, by its gate.
    fn count(&self, known: &Known) {
        lock(&self.counted).be([(telemetry::gate(&known.met().state), 1)]);
    }

    fn not_written(&self, error: kube::Error) -> StoreError {
        let context = format!("the status of the credential {} could not be written", self.name);
        StoreError::Failed { context, source: Box::new(error) }
    }

    /// The status that says what is known.
    fn status(&self, stored: &Stored, known: &Known) -> MozartCredentialStatus {
        let canary = match &known.gate.state {
            GateState::Canary { holder, .. } => {
                let job = holder.split('/').next().and_then(|job| job.parse().ok());
                job.and_then(|job: Uuid| lock(&self.jobs).get(&job).cloned())
            }
            _ => None,
        };
        let in_flight = self.crowd.live() + self.others();
        let now = self.clock.now();
        status::status(known, in_flight, canary.as_deref(), stored.generation, &stored.status, now)
    }

    /// Attempts of jobs that nobody drives now.
    fn others(&self) -> u32 {
        self.pods.get().map_or(0, |pods| pods.live_with(&self.name, &self.crowd.jobs()))
    }

    /// Writes what is known against the version that is known.
    async fn put(&self, stored: &mut Stored, known: &Known) -> Result<(), Refused> {
        let status = self.status(stored, known);
        // Not a merge patch: that would keep what is not named, such as a limit that is over.
        let patch = serde_json::from_value(json!([
            {"op": "replace", "path": "/metadata/resourceVersion", "value": stored.version},
            {"op": "add", "path": "/status", "value": status},
        ]));
        let patch =
            Patch::Json::<()>(patch.map_err(|error| Refused::Failed(kube::Error::SerdeError(error)))?);
        match self.api.patch_status(&self.name, &PatchParams::default(), &patch).await {
            Ok(object) => {
                *stored = Stored {
                    version: object.resource_version().unwrap_or_default(),
                    generation: object.0.metadata.generation.unwrap_or(0),
                    status,
                };
                Ok(())
            }
            Err(kube::Error::Api(answer)) if answer.is_conflict() => Err(Refused::Conflict),
            Err(kube::Error::Api(answer)) if answer.is_not_found() => Err(Refused::Gone),
            Err(error) => Err(Refused::Failed(error)),
        }
    }

    /// Brings what people see up to date.
    async fn refresh(&self) -> Result<(), StoreError> {
        let mut stored = self.stored.lock().await;
        let known = self.known.borrow().clone();
        if self.status(&stored, &known) == stored.status {
            return Ok(());
        }
        match self.put(&mut stored, &known).await {
            Ok(()) | Err(Refused::Gone) => Ok(()),
            Err(Refused::Conflict) => {
                let object = self.api.get(&self.name).await.map_err(|error| self.not_written(error))?;
                self.take(&mut stored, &object.0);
                Ok(())
            }
            Err(Refused::Failed(error)) => Err(self.not_written(error)),
        }
    }
}

/// Writes what people see of a credential, some time after it has changed.
async fn write_for_people(credential: Arc<Credential>) {
    loop {
        credential.changed.notified().await;
        if let Err(error) = credential.refresh().await {
            let (namespace, name) = (credential.namespace.as_str(), credential.name.as_str());
            let error = &error as &dyn std::error::Error;
            tracing::debug!(namespace, name, error, "what people see of a credential is not up to date");
            credential.changed.notify_one();
        }
        credential.clock.sleep(PACE).await;
    }
}

/// The place of a run among those that use a credential; dropping it leaves.
#[derive(Debug)]
pub struct CredentialSeat {
    credential: Arc<Credential>,
    seat: Seat,
}

impl CredentialSeat {
    /// The gate as the run meets it.
    pub fn gate(&self) -> Gate {
        self.credential.known.borrow().met()
    }

    /// So many attempts of the run were seen to run.
    pub fn runs(&self, live: u32) {
        if self.seat.runs(live) {
            self.credential.changed.notify_one();
        }
    }

    /// How many attempts may run; `None` is as many as the run likes.
    pub fn sessions(&self) -> Option<Sessions> {
        let cap = self.credential.known.borrow().cap();
        let others = cap.map_or(0, |_| self.credential.others());
        self.seat.sessions(cap, others)
    }

    /// Counts an attempt that is to start; `false` when another run was quicker.
    pub fn start(&self) -> bool {
        self.seat.start()
    }

    /// Whether the run could start more than it may.
    pub fn wants(&self, wants: bool) {
        self.seat.wants(wants);
    }

    /// Resolves when it may be the run's turn. Cancel safe.
    pub async fn changed(&self) {
        self.seat.changed().await;
    }
}

impl Drop for CredentialSeat {
    fn drop(&mut self) {
        self.credential.changed.notify_one();
    }
}

/// Nothing that is done under these locks can panic half-way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
