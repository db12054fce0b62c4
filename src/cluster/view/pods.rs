//! The Pods of a run that are there, as attempts: listed once for all who look at it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::ListParams};
use tokio::time::Instant;

use super::present::OfPods;
use crate::{
    job::identity::{AttemptKey, RunId},
    launch::pod::{
        names,
        observe::{Facts, Sight},
    },
    store::record::AttemptRecord,
};

/// So long a list is what is there: pages ask several times a second.
const FRESH: Duration = Duration::from_secs(2);

/// The lists that were made lately.
#[derive(Debug, Default)]
pub(super) struct Pods(Mutex<HashMap<RunId, Arc<tokio::sync::Mutex<Option<Listed>>>>>);

#[derive(Debug)]
struct Listed {
    at: Instant,
    attempts: Arc<OfPods>,
}

impl Listed {
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < FRESH
    }
}

impl Pods {
    /// The attempts of a run whose Pods are there.
    ///
    /// # Errors
    /// The API server could not be asked.
    pub(super) async fn of_run(
        &self,
        client: &Client,
        namespace: &str,
        run: &RunId,
    ) -> kube::Result<Arc<OfPods>> {
        let place = {
            let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // What nobody has in hand, and is old, is asked for no more.
            lists.retain(|_, list| {
                list.try_lock().map_or(true, |list| list.as_ref().is_some_and(Listed::is_fresh))
            });
            Arc::clone(lists.entry(run.clone()).or_default())
        };
        // Whoever comes meanwhile waits for the list that is being made, and makes none of his own.
        let mut listed = place.lock().await;
        if let Some(listed) = listed.as_ref().filter(|listed| listed.is_fresh()) {
            return Ok(Arc::clone(&listed.attempts));
        }
        let selector = format!("{}={},{}={}", names::JOB_UID, run.job, names::RUN, run.run);
        let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let pods = api.list(&ListParams::default().labels(&selector).match_any()).await?;
        let now = Timestamp::now();
        let attempt = |pod: &Pod| {
            let (_, key) = names::identity(pod.metadata.labels.as_ref()?)?;
            Some((key, attempt(key, pod, now)))
        };
        let attempts = Arc::new(pods.items.iter().filter_map(attempt).collect());
        *listed = Some(Listed { at: Instant::now(), attempts: Arc::clone(&attempts) });
        Ok(attempts)
    }
}

/// What a Pod tells of its attempt; of one that does not run yet, why.
fn attempt(key: AttemptKey, pod: &Pod, now: Timestamp) -> AttemptRecord {
    match Facts::of(pod).sight(now) {
        Sight::Ended(outcome) => AttemptRecord::ended(key, &outcome),
        Sight::Live { held, until: _ } => {
            let started = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
            let mut attempt = AttemptRecord::begun(key, started);
            if let Some(held) = held {
                (attempt.reason, attempt.message) = (Some(held.reason.to_owned()), Some(held.message));
            }
            attempt
        }
    }
}
