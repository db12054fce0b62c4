//! Making the Pod of an attempt, or finding that it was made.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use super::{
    super::{
        Claims,
        blocked::{Blocked, Refusal, refusal},
        lean::LeanPod,
        names,
        observe::{self, HeldUp},
        spec,
    },
    Shared,
};
use crate::job::{
    identity::AttemptKey,
    outcome::{Failure, FailureClass},
    start::Start,
};

impl<C: Claims> Shared<C> {
    pub(super) async fn create(&self, start: &Start) {
        // Closed with the launcher only, which this holds.
        let _permit = self.creates.acquire().await;
        // The sender is `self`'s, so the wait cannot fail.
        let _ = self.strays.subscribe().wait_for(|count| *count == 0).await;
        let key = start.key;
        let made = self.make(start).await;
        let mut state = self.state();
        state.launching.remove(&key);
        let was_probe = std::mem::take(&mut state.probing);
        // A Pod that was made is shown as what it was while it was being made.
        let news = state.blocked.is_some() || !matches!(made, Made::There(_));
        match made {
            Made::There(pod) | Made::Found(pod) => {
                self.pods.made(&pod);
                state.made.insert(key);
                state.blocked = None;
            }
            Made::Failed(failure) => {
                let now = self.now();
                state.failed.insert(key, Box::new(observe::outcome(failure, None, now, now)));
                state.blocked = None;
            }
            Made::Refused(why, longest) => {
                // Those that were on their way together with the first say nothing new.
                if state.blocked.is_none() || was_probe {
                    tracing::warn!(
                        job.name = self.place.job_name,
                        reason = why.reason,
                        "no Pod can be made: {}",
                        why.message
                    );
                    let blocked = Blocked::after(state.blocked.as_ref(), why, longest, self.now());
                    state.blocked = Some(blocked);
                }
            }
            Made::Stale => state.stale = true,
        }
        drop(state);
        self.answered.notify_one();
        if news {
            self.pods.touch(self.place.run.job);
        }
    }

    async fn make(&self, start: &Start) -> Made {
        let key = start.key;
        if self.state().stale {
            return Made::Stale;
        }
        let pattern = match &self.pattern {
            Ok(pattern) => pattern,
            Err(failure) => return Made::Failed(failure.clone()),
        };
        if !self.claims.is_new(key)
            && let Some(otherwise) = self.confirm_absence(key).await
        {
            return otherwise;
        }
        let pod = match pattern.pod(&self.place, start) {
            Ok(pod) => pod,
            Err(error) => return Made::Failed(spec::invalid(error.to_string())),
        };
        match self.pods.create(pod).await {
            Ok(metadata) => Made::There(Box::new(pattern.made(metadata))),
            Err(kube::Error::Api(status)) => match refusal(&status) {
                // Gone in between: somebody else has recorded its end.
                Refusal::Exists => self.adopt(key).await.unwrap_or(Made::Stale),
                Refusal::Invalid(text) => Made::Failed(spec::invalid(text)),
                Refusal::Wait { why, longest } => Made::Refused(why, longest),
            },
            // Whether it was made is not known: the next try finds it.
            Err(error) => busy(&error),
        }
    }

    /// Asks the API server itself for the Pod of an attempt that may have had one, and then for the ledger: what is to be
    /// done instead of making it, or `None` when both say that it is to be made.
    async fn confirm_absence(&self, key: AttemptKey) -> Option<Made> {
        if let Some(found) = self.adopt(key).await {
            return Some(found);
        }
        match self.claims.expect(&self.place.run, key).await {
            Ok(true) => None,
            Ok(false) => Some(Made::Stale),
            Err(error) => Some(busy(&error)),
        }
    }

    /// The Pod of an attempt's name, as the API server has it: ours, or somebody's. `None` when there is none.
    async fn adopt(&self, key: AttemptKey) -> Option<Made> {
        let name = names::pod(&self.place.job_name, &self.place.run, key);
        let LeanPod(pod) = match self.pods.get(&name).await {
            Ok(found) => found?,
            Err(error) => return Some(busy(&error)),
        };
        let owned = pod.owner_references().iter().any(|one| one.uid == self.place.owner.uid);
        let named = names::identity(pod.labels()) == Some((self.place.run.clone(), key));
        if !owned || !named {
            let text = format!("a Pod {name} is there that is not this job's: delete it, or rename the job");
            return Some(Made::Failed(Failure::new(FailureClass::Disruption, "NameTaken", text)));
        }
        if pod.labels().contains_key(names::RELEASED) {
            return Some(Made::Stale);
        }
        Some(Made::Found(Box::new(pod)))
    }
}

/// What became of a request to make a Pod.
enum Made {
    There(Box<Pod>),
    /// It was made before, and may have come far since.
    Found(Box<Pod>),
    Failed(Failure),
    Refused(HeldUp, Duration),
    Stale,
}

fn busy(error: &kube::Error) -> Made {
    let why = HeldUp { reason: "ApiServerBusy", message: error.to_string() };
    Made::Refused(why, Duration::from_secs(10))
}
