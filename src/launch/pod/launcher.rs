//! The launcher of a run whose attempts are Pods.

mod making;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use jiff::Timestamp;
use kube::Api;
use tokio::{
    sync::{Notify, Semaphore, watch},
    time::Instant,
};

use super::{
    Claims, PodPlace, Pods, ServerClock,
    blocked::Blocked,
    follow::follow,
    names,
    observe::{HeldUp, Sight},
    pods::{SeenPod, lock},
    spec::Pattern,
};
use crate::{
    api::pod::DeletionPolicy,
    backend::Follower,
    driver::ports::Launcher,
    engine::world::{AttemptState, Reached, Sighting},
    job::{
        answer::AnswerFacts,
        identity::AttemptKey,
        outcome::{Failure, GateSignal, Outcome, Usage},
        start::{EndMode, Start},
    },
};

/// So many Pods of a job are made at a time.
const CREATES: usize = 16;
/// Between two looks, while Pods change one after the other: a look takes longer than what one of them has to tell.
const TOGETHER: Duration = Duration::from_millis(25);
/// Before a Pod that could not be ended is ended again.
const END_AGAIN: Duration = Duration::from_secs(1);
/// So many failed Pods of a run are kept for people.
const KEPT: u32 = 50;

/// Makes, watches, ends and releases the Pods of one run.
///
/// To be made from a ledger that was read from the API server itself after this process became the leader, and thrown
/// away with it: what it has made it remembers, so that a Pod that is gone is an attempt that is lost, and never a
/// reason to make it again.
pub struct PodLauncher<C> {
    shared: Arc<Shared<C>>,
}

struct Shared<C> {
    place: PodPlace,
    /// What its Pods have in common, or why there can be none.
    pattern: Result<Pattern, Failure>,
    /// What the names of the run's Pods begin with.
    names: String,
    pods: Pods,
    claims: Arc<C>,
    state: Mutex<State>,
    changed: Arc<Notify>,
    /// Told when a request to make a Pod has been answered.
    answered: Notify,
    creates: Semaphore,
    /// How many Pods that nobody expects are being ended: none is made meanwhile.
    strays: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    /// A request to make them is on its way; what they may spend, in millionths of a dollar.
    launching: BTreeMap<AttemptKey, Option<u64>>,
    /// Made or found by this launcher, and not released.
    made: BTreeSet<AttemptKey>,
    /// Failed without a Pod.
    failed: BTreeMap<AttemptKey, Box<Outcome>>,
    /// Asked to end, by UID.
    ending: BTreeSet<String>,
    blocked: Option<Blocked>,
    /// The end of a block that was told. It is told once: who has nothing to launch just then would hear of it for ever.
    block_told: Option<Timestamp>,
    /// Whether the one Pod that is tried while all are refused is on its way.
    probing: bool,
    /// The ledger that this follows is not the newest.
    stale: bool,
    /// How many failed Pods are kept, once that was counted.
    kept: Option<u32>,
    wake_at: Option<Timestamp>,
    held: HashMap<AttemptKey, HeldUp>,
    /// Pods whose output is followed, by UID; `false` once that has told what is wanted.
    followed: HashMap<String, bool>,
    /// What followed attempts have told since the last look.
    told: HashMap<AttemptKey, Vec<GateSignal>>,
    /// The last look.
    looked: Option<Instant>,
}

/// An attempt whose Pod does not run yet, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which.
    pub key: AttemptKey,
    /// What holds it up.
    pub why: HeldUp,
}

impl<C: Claims> PodLauncher<C> {
    /// The launcher of a run. `pods` must be ready.
    pub fn new(place: PodPlace, pods: Pods, claims: Arc<C>) -> Self {
        let changed = pods.listener(place.run.job);
        let shared = Shared {
            names: names::of_run(&place.job_name, &place.run) + "-",
            pattern: Pattern::new(&place),
            place,
            pods,
            claims,
            state: Mutex::default(),
            changed,
            answered: Notify::new(),
            creates: Semaphore::new(CREATES),
            strays: watch::Sender::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Why no Pod can be made now.
    pub fn blocked(&self) -> Option<Blocked> {
        self.shared.state().blocked.clone()
    }

    /// Which Pods do not run, and why, as of the last look.
    pub fn held(&self) -> Vec<Held> {
        let state = self.shared.state();
        state.held.iter().map(|(key, why)| Held { key: *key, why: why.clone() }).collect()
    }

    /// When a look may show something new by time alone, as of the last look.
    pub fn wake_at(&self) -> Option<Timestamp> {
        let state = self.shared.state();
        state.wake_at.into_iter().chain(state.blocked.as_ref().map(|blocked| blocked.until)).min()
    }

    /// Listens to a running attempt until a request of it is accepted: then its signals are seen by `look` before it
    /// ends. Nothing for one that is listened to, does not run yet, or tells nothing while it runs.
    pub fn listen(&self, key: AttemptKey) {
        let Some(pod) = self.shared.find(key).filter(|pod| pod.facts.is_running()) else { return };
        let call = self.shared.place.call(key);
        let Some(follower) = call.as_ref().and_then(Follower::new) else { return };
        {
            let mut state = self.shared.state();
            if state.followed.contains_key(&pod.uid) {
                return;
            }
            state.followed.insert(pod.uid.clone(), true);
        }
        let shared = Arc::downgrade(&self.shared);
        let api = Api::namespaced(self.shared.place.client.clone(), &self.shared.place.namespace);
        tokio::spawn(async move {
            let hear = |signal: GateSignal| {
                let Some(shared) = shared.upgrade() else { return };
                shared.state().told.entry(key).or_default().push(signal);
                shared.pods.touch(pod.run.job);
            };
            let accepted = follow(&api, &pod.name, follower, hear).await;
            let Some(shared) = shared.upgrade() else { return };
            let mut state = shared.state();
            if accepted {
                state.followed.insert(pod.uid.clone(), false);
            } else {
                // Its output broke off: it is listened to again, if that is still wanted.
                state.followed.remove(&pod.uid);
            }
        });
    }

    /// Launches nothing any more. Resolves when every request to make a Pod has been answered or given up, so that who
    /// looks next finds every Pod that there is: an attempt that the ledger saw begin would be lost otherwise.
    pub async fn close(&self) {
        self.shared.state().stale = true;
        while !self.shared.state().launching.is_empty() {
            self.shared.answered.notified().await;
        }
    }

    /// Whether the ledger that this launcher follows was found to be old: nothing is launched any more, and the job is
    /// to be read anew.
    pub fn is_stale(&self) -> bool {
        self.shared.state().stale
    }
}

impl<C: Claims> Launcher for PodLauncher<C> {
    async fn look(&self) -> Vec<Sighting> {
        self.shared.look(self.shared.now())
    }

    async fn launch(&self, start: Start) {
        let key = start.key;
        {
            let mut state = self.shared.state();
            let there = state.launching.contains_key(&key)
                || state.made.contains(&key)
                || state.failed.contains_key(&key);
            if there || state.stale || self.shared.find(key).is_some() {
                return;
            }
            if let Some(blocked) = &state.blocked {
                if state.probing || blocked.until > self.shared.now() {
                    return;
                }
                state.probing = true;
            }
            state.launching.insert(key, start.budget_micro_usd);
        }
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move { shared.create(&start).await });
    }

    async fn end(&self, key: AttemptKey, mode: EndMode) {
        let Some(pod) = self.shared.find(key) else { return };
        if pod.facts.is_over() || !self.shared.state().ending.insert(pod.uid.clone()) {
            return;
        }
        match mode {
            // Both hear SIGTERM.
            EndMode::Resumable | EndMode::GiveUp => {
                let shared = Arc::clone(&self.shared);
                tokio::spawn(async move {
                    if let Err(error) = shared.pods.delete(&pod, None).await {
                        shared.not_ended(&pod, &error).await;
                    }
                });
            }
            EndMode::AtOnce => self.shared.end_unexpected(pod, false),
        }
    }

    async fn release(&self, key: AttemptKey) {
        let pod = {
            let mut state = self.shared.state();
            let pod = self.shared.find(key);
            state.made.remove(&key);
            state.failed.remove(&key);
            state.told.remove(&key);
            if let Some(pod) = &pod {
                state.ending.remove(&pod.uid);
                state.followed.remove(&pod.uid);
                self.shared.pods.hide(pod, true);
            }
            pod
        };
        if let Some(pod) = pod {
            let shared = Arc::clone(&self.shared);
            tokio::spawn(async move { shared.let_go(&pod).await });
        }
    }

    async fn changed(&self) {
        let (seen, block) = {
            let state = self.shared.state();
            let block = state.blocked.as_ref().map(|blocked| blocked.until);
            (state.wake_at, block.filter(|until| state.block_told != Some(*until)))
        };
        let clock = &self.shared.place.clock;
        tokio::select! {
            () = self.shared.changed_together() => {}
            () = until(clock, seen) => {}
            () = until(clock, block) => self.shared.state().block_told = block,
        }
    }
}

impl<C: Claims> Shared<C> {
    fn now(&self) -> Timestamp {
        self.place.clock.now()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Resolves when something has changed: at once if that was seldom lately, else together with what follows.
    async fn changed_together(&self) {
        self.changed.notified().await;
        let looked = self.state().looked;
        if let Some(looked) = looked {
            tokio::time::sleep_until(looked + TOGETHER).await;
        }
    }

    /// The Pod of an attempt of this run.
    fn find(&self, key: AttemptKey) -> Option<Arc<SeenPod>> {
        let name = names::pod(&self.place.job_name, &self.place.run, key);
        self.pods.named(self.place.run.job, &name).filter(|pod| pod.run == self.place.run && pod.key == key)
    }

    fn is_mine(&self, pod: &SeenPod) -> bool {
        let named = pod.name.strip_prefix(&self.names);
        pod.run == self.place.run && named.is_some_and(|rest| rest == pod.key.to_string())
    }

    fn look(self: &Arc<Self>, now: Timestamp) -> Vec<Sighting> {
        let running = |reached, signals, budget_micro_usd| AttemptState::Running {
            reached,
            signals,
            spent: Usage::default(),
            budget_micro_usd,
        };
        // Held to the end: what is launched or released meanwhile is seen before or after, never in between.
        let mut state = self.state();
        let mut shown: BTreeMap<AttemptKey, AttemptState> = BTreeMap::new();
        let (mut wake_at, mut held) = (None::<Timestamp>, HashMap::new());
        state.looked = Some(Instant::now());
        for pod in self.pods.of_job(self.place.run.job) {
            if pod.owner.as_deref() != Some(&self.place.owner.uid) {
                continue;
            }
            if !self.is_mine(&pod) {
                if state.ending.insert(pod.uid.clone()) {
                    self.end_unexpected(pod, true);
                }
                continue;
            }
            let seen = match pod.sight(now) {
                Sight::Ended(outcome) => AttemptState::Ended(outcome),
                Sight::Live { held: why, until } => {
                    wake_at = wake_at.into_iter().chain(until).min();
                    held.extend(why.map(|why| (pod.key, why)));
                    running(
                        Reached::Begun,
                        state.told.remove(&pod.key).unwrap_or_default(),
                        pod.budget_micro_usd,
                    )
                }
            };
            shown.insert(pod.key, seen);
        }
        for (key, budget) in &state.launching {
            shown.entry(*key).or_insert_with(|| running(Reached::Asked, Vec::new(), *budget));
        }
        for key in &state.made {
            shown.entry(*key).or_insert(AttemptState::Lost);
        }
        for (key, outcome) in &state.failed {
            shown.insert(*key, AttemptState::Ended(outcome.clone()));
        }
        state.wake_at = wake_at;
        state.held = held;
        drop(state);
        shown.into_iter().map(|(key, state)| Sighting { key, state }).collect()
    }

    /// Ends a Pod that is not in this run's ledger, before another is made; `forget` when this run will not release it.
    fn end_unexpected(self: &Arc<Self>, pod: Arc<SeenPod>, forget: bool) {
        self.strays.send_modify(|count| *count += 1);
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            // Whoever goes by an old ledger must not end what a newer one expects.
            match shared.claims.expect(&pod.run, pod.key).await {
                Ok(true) => {
                    shared.state().stale = true;
                    shared.pods.touch(pod.run.job);
                }
                Ok(false) => shared.end_stray(&pod, forget).await,
                Err(error) => shared.not_ended(&pod, &error).await,
            }
            shared.strays.send_modify(|count| *count -= 1);
        });
    }

    async fn end_stray(&self, pod: &SeenPod, forget: bool) {
        tracing::warn!(
            job.namespace = self.place.namespace,
            job.name = self.place.job_name,
            pod.name,
            "a Pod that the job's ledger does not expect is ended"
        );
        let ended = if forget { self.pods.remove(pod).await } else { self.pods.delete(pod, Some(0)).await };
        match ended {
            Ok(()) if pod.facts.is_deleting() => {}
            Ok(()) => drop(self.place.counts.unexpected.inc()),
            Err(error) => self.not_ended(pod, &error).await,
        }
    }

    async fn not_ended(&self, pod: &SeenPod, error: &(impl std::fmt::Display + Sync)) {
        tracing::warn!(pod.name, %error, "a Pod could not be ended; it is tried again");
        tokio::time::sleep(END_AGAIN).await;
        self.state().ending.remove(&pod.uid);
        self.pods.touch(pod.run.job);
    }

    async fn let_go(&self, pod: &SeenPod) {
        let over = pod.facts.is_over();
        let result = if over { self.release_ended(pod).await } else { self.pods.remove(pod).await };
        if let Err(error) = result {
            tracing::warn!(pod.name, %error, "a Pod could not be released; it is tried again");
            self.pods.hide(pod, false);
        }
    }

    async fn release_ended(&self, pod: &SeenPod) -> Result<(), kube::Error> {
        let ended = match pod.sight(self.now()) {
            Sight::Ended(outcome) => Some(outcome),
            Sight::Live { .. } => None,
        };
        let failed = ended.as_ref().is_some_and(|outcome| !outcome.succeeded());
        if let Some((logs, outcome)) = self.place.logs.as_ref().zip(ended) {
            let batch = self.place.job.batches.get(pod.key.batch);
            let facts = AnswerFacts::new(batch, outcome.usage, outcome.provenance.as_ref());
            let facts = outcome.succeeded().then_some(facts);
            logs.keep(&self.place.namespace, &pod.name, &pod.run, pod.key, facts).await;
        }
        let keep = match self.place.deletion() {
            DeletionPolicy::Never => true,
            DeletionPolicy::Always => false,
            DeletionPolicy::OnSuccess => failed && self.keeps_one_more().await?,
        };
        self.pods.release(pod, keep).await
    }

    /// Whether there is room for another failed Pod; counts it.
    async fn keeps_one_more(&self) -> Result<bool, kube::Error> {
        let counted = self.state().kept;
        let known = match counted {
            Some(known) => known,
            None => self.pods.kept(self.place.run.job, self.place.run.run, KEPT).await?,
        };
        let mut state = self.state();
        let kept = state.kept.get_or_insert(known);
        *kept += 1;
        Ok(*kept <= KEPT)
    }
}

async fn until(clock: &ServerClock, at: Option<Timestamp>) {
    match at {
        Some(at) => clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}
