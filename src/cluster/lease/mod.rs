//! Leader election by a `Lease`: of all processes that try, at most one acts.
//!
//! As in client-go the lease of another is timed by when its change was seen here, on the own clock; what it says of
//! times is never compared with ours. What makes it safe is the [`Fence`]: a leader that cannot renew stops writing
//! before anybody else may lead.

#[cfg(test)]
mod tests;

use std::{future::Future, time::Duration};

use k8s_openapi::{
    api::coordination::v1::{Lease as Object, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use tokio::{sync::watch, time::timeout};

use super::fence::{Clocks, Fence, Moment};

/// A lease that was not renewed for so long may be taken over. Longer than a leader's last write can take to arrive.
pub const DURATION: Duration = Duration::from_secs(15);
/// Between two renewals, and between two looks at another's lease.
pub const PERIOD: Duration = Duration::from_secs(2);
/// The longest a request about the lease may take.
const REQUEST: Duration = Duration::from_secs(3);

/// Who leads, as far as is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// This process, since it became the leader for the so many-th time. Whoever acts for it stops acting when the number
    /// changes: another may have led in between.
    Leading {
        /// From 1.
        term: u64,
    },
    /// Another, or nobody.
    Following {
        /// Who held the lease when it was last seen.
        holder: Option<String>,
    },
}

/// What is wanted of the lease.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace of the lease.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Who asks for it. The UID of the Pod: a container that is restarted takes its own lease back at once.
    pub identity: String,
}

/// Asks for the lease, keeps it, and opens the fence while it is held.
pub struct Election<C> {
    api: Api<Object>,
    name: String,
    identity: String,
    clocks: C,
    fence: Fence<C>,
    /// The lease as it was last seen or written, and since when it has been so.
    seen: Option<(Object, Moment)>,
}

impl<C: Clocks> Election<C> {
    /// `client` is used for the lease alone, and neither retries nor goes through the fence.
    pub fn new(client: Client, settings: Settings, clocks: C, fence: Fence<C>) -> Self {
        let api = Api::namespaced(client, &settings.namespace);
        Self { api, name: settings.name, identity: settings.identity, clocks, fence, seen: None }
    }

    /// Tries to lead until `stop` resolves, then gives the lease back, so that another leads at once.
    ///
    /// Resolve `stop` when nothing is left to be written: the fence shuts with it.
    pub async fn run(mut self, standing: watch::Sender<Standing>, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = self.turn(&standing) => {}
            }
        }
        let led = self.fence.is_open();
        self.fence.shut();
        standing.send_replace(Standing::Following { holder: None });
        self.fence.quiet().await;
        if led {
            self.give_back().await;
        }
    }

    /// One try, and the pause after it. While leading neither lasts longer than the fence stays open, so that the end
    /// of leadership is told when it comes.
    async fn turn(&mut self, standing: &watch::Sender<Standing>) {
        let result = match self.fence.remaining() {
            Some(left) => timeout(left, self.renew()).await.unwrap_or(Err(Trouble::NoAnswer)),
            None => self.acquire().await,
        };
        if let Err(trouble) = &result {
            // Another's success is no trouble.
            if !matches!(trouble, Trouble::Api(kube::Error::Api(status)) if status.is_conflict()) {
                tracing::warn!(
                    error = trouble as &dyn std::error::Error,
                    "the lease could not be seen or renewed"
                );
            }
        }
        let now = if self.fence.is_open() {
            Standing::Leading { term: self.fence.term() }
        } else {
            Standing::Following { holder: self.seen.as_ref().and_then(|(lease, _)| holder(lease)) }
        };
        standing.send_if_modified(|before| {
            let changed = *before != now;
            if changed {
                tracing::info!(standing = ?now, lease = self.name, "leadership");
                *before = now;
            }
            changed
        });
        tokio::time::sleep(self.fence.remaining().map_or(PERIOD, |left| left.min(PERIOD))).await;
    }

    /// While leading: writes what was seen last, renewed, and looks only when that does not succeed.
    async fn renew(&mut self) -> Result<(), Trouble> {
        if let Some((lease, _)) = self.seen.clone() {
            match self.write(Some(lease)).await {
                // Somebody else wrote it, by hand perhaps: what is there now decides.
                Err(Trouble::Api(kube::Error::Api(status))) if status.is_conflict() => {}
                other => return other,
            }
        }
        self.acquire().await
    }

    /// Takes the lease if it is free, ours, or another's that was not renewed for its whole time.
    async fn acquire(&mut self) -> Result<(), Trouble> {
        let found = self.answered(self.api.get_opt(&self.name)).await?;
        let now = self.clocks.now();
        let Some(lease) = found else {
            self.seen = None;
            return self.write(None).await;
        };
        let version = &lease.metadata.resource_version;
        let same = self.seen.as_ref().filter(|(seen, _)| seen.metadata.resource_version == *version);
        let since = same.map_or(now, |(_, since)| *since);
        self.seen = Some((lease.clone(), since));
        // By the boot clock alone: a wall clock that is set forward must not end another's lease.
        let unchanged = now.boot.saturating_sub(since.boot);
        match holder(&lease) {
            Some(other) if other != self.identity => {
                self.fence.shut();
                if unchanged >= term(&lease) { self.write(Some(lease)).await } else { Ok(()) }
            }
            Some(_) | None => self.write(Some(lease)).await,
        }
    }

    /// Writes the lease as ours; opens the fence from the moment before. `replaced` carries the version it must have.
    async fn write(&mut self, replaced: Option<Object>) -> Result<(), Trouble> {
        let began = self.clocks.now();
        let renew_time = Some(MicroTime(began.wall));
        let before = replaced.as_ref().and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let ours = before.holder_identity.as_ref() == Some(&self.identity);
        let spec = LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: before.acquire_time.filter(|_| ours).or(Some(MicroTime(began.wall))),
            renew_time,
            lease_transitions: Some(before.lease_transitions.unwrap_or(0) + i32::from(!ours)),
            ..before
        };
        let parameters = PostParams::default();
        let written = if let Some(lease) = replaced {
            let lease = Object { spec: Some(spec), ..lease };
            self.answered(self.api.replace(&self.name, &parameters, &lease)).await?
        } else {
            let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
            let lease = Object { metadata, spec: Some(spec) };
            self.answered(self.api.create(&parameters, &lease)).await?
        };
        self.seen = Some((written, self.clocks.now()));
        self.fence.open(began);
        Ok(())
    }

    /// Lets the next one in at once. If it fails the lease runs out by itself.
    async fn give_back(&self) {
        let Some((lease, _)) = self.seen.clone() else { return };
        let spec = LeaseSpec {
            holder_identity: None,
            lease_duration_seconds: Some(1),
            renew_time: Some(MicroTime(self.clocks.now().wall)),
            ..lease.spec.clone().unwrap_or_default()
        };
        let lease = Object { spec: Some(spec), ..lease };
        if let Err(trouble) =
            self.answered(self.api.replace(&self.name, &PostParams::default(), &lease)).await
        {
            tracing::warn!(
                error = &trouble as &dyn std::error::Error,
                "the lease was not given back, it runs out"
            );
        }
    }

    async fn answered<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Result<T, Trouble> {
        timeout(REQUEST, request).await.map_err(|_| Trouble::NoAnswer)?.map_err(Trouble::Api)
    }
}

/// Why the lease could not be seen or written.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the API server did not answer in time")]
    NoAnswer,
    #[error("the API server was asked for the lease")]
    Api(#[source] kube::Error),
}

fn holder(lease: &Object) -> Option<String> {
    lease.spec.as_ref()?.holder_identity.clone().filter(|holder| !holder.is_empty())
}

/// How long the lease holds without being renewed: what its holder wrote, and never less than what we promise.
fn term(lease: &Object) -> Duration {
    let written = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds).unwrap_or(0);
    Duration::from_secs(u64::try_from(written).unwrap_or(0)).max(DURATION)
}
