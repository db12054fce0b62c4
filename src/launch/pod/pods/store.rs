//! What is known of Pods: what the watch has told, and what was made here since. Pure, but for the time it is given.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, OnceLock},
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt as _, runtime::watcher::Event};
use tokio::time::Instant;
use uuid::Uuid;

use super::super::{
    names,
    observe::{Facts, Sight},
};
use crate::job::{
    identity::{AttemptKey, RunId},
    outcome::Outcome,
};

/// A Pod, as far as it matters.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenPod {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The UID of the job that owns it.
    pub owner: Option<String>,
    /// The run that it says it is of.
    pub run: RunId,
    /// The attempt that it says it is.
    pub key: AttemptKey,
    /// What it may spend, in millionths of a dollar.
    pub budget_micro_usd: Option<u64>,
    /// The credential that it uses.
    pub credential: Option<String>,
    /// Its finalizers.
    pub finalizers: Vec<String>,
    /// What its status says.
    pub facts: Facts,
    /// How it has ended, once that was looked at: every turn looks, and a message is read once.
    ended: OnceLock<Box<Outcome>>,
    version: u64,
}

#[derive(Default)]
pub(super) struct Store {
    jobs: HashMap<Uuid, BTreeMap<String, Entry>>,
    /// What a new listing has shown so far, and when it began.
    listing: Option<(BTreeMap<String, Arc<SeenPod>>, Instant)>,
}

struct Entry {
    pod: Arc<SeenPod>,
    /// When it was made here, until the watch tells of it.
    made: Option<Instant>,
    hidden: bool,
}

impl SeenPod {
    /// `None` for a Pod that says of no attempt that it is it.
    fn of(pod: &Pod) -> Option<Self> {
        let (run, key) = names::identity(pod.labels())?;
        Some(Self {
            name: pod.name_any(),
            uid: pod.uid().unwrap_or_default(),
            owner: pod
                .owner_references()
                .iter()
                .find(|one| one.controller == Some(true))
                .map(|one| one.uid.clone()),
            run,
            key,
            budget_micro_usd: pod.annotations().get(names::BUDGET).and_then(|budget| budget.parse().ok()),
            credential: pod.annotations().get(names::CREDENTIAL).cloned(),
            finalizers: pod.finalizers().to_vec(),
            facts: Facts::of(pod),
            ended: OnceLock::new(),
            version: pod.resource_version().and_then(|version| version.parse().ok()).unwrap_or(0),
        })
    }

    /// What is seen now.
    pub fn sight(&self, now: Timestamp) -> Sight {
        if let Some(outcome) = self.ended.get() {
            return Sight::Ended(outcome.clone());
        }
        let sight = self.facts.sight(now);
        if let Sight::Ended(outcome) = &sight {
            return Sight::Ended(self.ended.get_or_init(|| outcome.clone()).clone());
        }
        sight
    }

    /// One that was seen to have ended has, whatever is told of it later.
    fn ended_as(&self, before: &Self) {
        if let Some(outcome) = before.ended.get() {
            self.ended.get_or_init(|| outcome.clone());
        }
    }
}

impl Store {
    pub(super) fn jobs(&self) -> BTreeSet<Uuid> {
        self.jobs.iter().filter(|(_, pods)| !pods.is_empty()).map(|(job, _)| *job).collect()
    }

    pub(super) fn of_job(&self, job: Uuid) -> Vec<Arc<SeenPod>> {
        let entries = self.jobs.get(&job).into_iter().flat_map(BTreeMap::values);
        entries.filter(|entry| !entry.hidden).map(|entry| Arc::clone(&entry.pod)).collect()
    }

    /// How many run that use this credential, but for those of these jobs.
    pub(super) fn live_with(&self, credential: &str, except: &[Uuid]) -> usize {
        let others = self.jobs.iter().filter(|(job, _)| !except.contains(job));
        let pods = others.flat_map(|(_, pods)| pods.values()).map(|entry| &entry.pod);
        pods.filter(|pod| pod.credential.as_deref() == Some(credential) && !pod.facts.is_over()).count()
    }

    pub(super) fn named(&self, job: Uuid, name: &str) -> Option<Arc<SeenPod>> {
        let entry = self.jobs.get(&job)?.get(name)?;
        (!entry.hidden).then(|| Arc::clone(&entry.pod))
    }

    /// Takes over an event of the watch; returns the jobs of which something is otherwise.
    pub(super) fn take<P: Borrow<Pod>>(&mut self, event: Event<P>, now: Instant) -> BTreeSet<Uuid> {
        match event {
            Event::Init => {
                self.listing = Some((BTreeMap::new(), now));
                BTreeSet::new()
            }
            Event::InitApply(pod) => {
                if let (Some((listing, _)), Some(seen)) = (&mut self.listing, SeenPod::of(pod.borrow())) {
                    listing.insert(seen.name.clone(), Arc::new(seen));
                }
                BTreeSet::new()
            }
            Event::InitDone => self.listed(),
            Event::Apply(pod) => SeenPod::of(pod.borrow())
                .and_then(|seen| self.put(Arc::new(seen), None))
                .into_iter()
                .collect(),
            Event::Delete(pod) => {
                SeenPod::of(pod.borrow()).and_then(|seen| self.remove(&seen)).into_iter().collect()
            }
        }
    }

    /// What the listing does not show is gone, but for what was made after it began.
    fn listed(&mut self) -> BTreeSet<Uuid> {
        let Some((listing, began)) = self.listing.take() else { return BTreeSet::new() };
        let mut touched = BTreeSet::new();
        for (job, pods) in &mut self.jobs {
            let before = pods.len();
            pods.retain(|name, entry| {
                let newer = entry.made.is_some_and(|made| made >= began);
                newer || listing.get(name).is_some_and(|listed| listed.uid == entry.pod.uid)
            });
            if pods.len() < before {
                touched.insert(*job);
            }
        }
        for (_, pod) in listing {
            touched.extend(self.put(pod, None));
        }
        self.jobs.retain(|_, pods| !pods.is_empty());
        touched
    }

    /// Takes over a Pod that was made or found by a request of this process.
    pub(super) fn made(&mut self, pod: &Pod, now: Instant) -> Option<Arc<SeenPod>> {
        let seen = Arc::new(SeenPod::of(pod)?);
        self.put(Arc::clone(&seen), Some(now));
        Some(seen)
    }

    fn put(&mut self, pod: Arc<SeenPod>, made: Option<Instant>) -> Option<Uuid> {
        let job = pod.run.job;
        let pods = self.jobs.entry(job).or_default();
        let known = pods.get_mut(&pod.name);
        match known {
            Some(entry) if entry.pod.uid == pod.uid => {
                let older = pod.version < entry.pod.version;
                if made.is_none() {
                    entry.made = None;
                }
                if older {
                    return None;
                }
                pod.ended_as(&entry.pod);
                let before = std::mem::replace(&mut entry.pod, pod);
                if before.facts.shows_as(&entry.pod.facts) && before.finalizers == entry.pod.finalizers {
                    return None;
                }
            }
            _ => {
                pods.insert(pod.name.clone(), Entry { pod, made, hidden: false });
            }
        }
        Some(job)
    }

    fn remove(&mut self, pod: &SeenPod) -> Option<Uuid> {
        let job = pod.run.job;
        let pods = self.jobs.get_mut(&job)?;
        if pods.get(&pod.name)?.pod.uid != pod.uid {
            return None;
        }
        let gone = pods.remove(&pod.name)?;
        if pods.is_empty() {
            self.jobs.remove(&job);
        }
        // What was released is shown no more, there or not.
        (!gone.hidden).then_some(job)
    }

    pub(super) fn hide(&mut self, pod: &SeenPod, hidden: bool) {
        let entry = self.jobs.get_mut(&pod.run.job).and_then(|pods| pods.get_mut(&pod.name));
        if let Some(entry) = entry.filter(|entry| entry.pod.uid == pod.uid) {
            entry.hidden = hidden;
        }
    }

    /// What was made before `then` and the watch has not told of.
    pub(super) fn made_before(&self, then: Instant) -> Vec<Arc<SeenPod>> {
        let entries = self.jobs.values().flat_map(BTreeMap::values);
        entries
            .filter(|entry| entry.made.is_some_and(|made| made < then))
            .map(|entry| Arc::clone(&entry.pod))
            .collect()
    }

    /// Takes over what the API server says of such a Pod.
    pub(super) fn looked_at(&mut self, pod: &SeenPod, found: Option<&Pod>, now: Instant) {
        match found.and_then(SeenPod::of) {
            None => drop(self.remove(pod)),
            Some(found) => {
                let pods = self.jobs.entry(pod.run.job).or_default();
                if let Some(entry) = pods.get_mut(&pod.name).filter(|entry| entry.made.is_some()) {
                    entry.made = Some(now);
                    found.ended_as(&entry.pod);
                    entry.pod = Arc::new(found);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
