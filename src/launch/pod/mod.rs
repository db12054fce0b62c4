//! Attempts as Pods: one for each, named after it, kept by a finalizer until the ledger has its result.

pub mod allow;
mod blocked;
mod claims;
mod counts;
mod ended;
mod follow;
mod launcher;
mod lean;
pub mod names;
pub mod observe;
pub mod plan;
mod pods;
pub mod said;
mod server_clock;
pub mod spec;
pub mod workspace;

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Client;

use self::allow::Guarded;
pub use self::{
    blocked::Blocked,
    claims::Claims,
    counts::Counts,
    ended::{EndedPod, HOLD, KeptAnswer, LogKeeper},
    launcher::{Held, PodLauncher},
    lean::LeanMeta,
    plan::PlanRef,
    pods::Pods,
    server_clock::ServerClock,
};
use crate::{
    api::{self, batch::KeyReference, credential::CredentialType, pod::DeletionPolicy, workspace::Quantity},
    job::{identity::RunId, model::Job},
};

/// Where and for what Pods are made.
#[derive(Clone)]
pub struct PodPlace {
    /// The way to the API server, behind the fence.
    pub client: Client,
    /// The job's namespace.
    pub namespace: String,
    /// The job's name.
    pub job_name: String,
    /// The job, as the owner of its Pods: without `blockOwnerDeletion`.
    pub owner: OwnerReference,
    /// The job.
    pub job: Arc<Job>,
    /// The run.
    pub run: RunId,
    /// The run's plan.
    pub plan: PlanRef,
    /// The images of the installation.
    pub images: Images,
    /// `spec.pod` of the job.
    pub pod: api::pod::Pod,
    /// What of it needs the installation's leave, and has it.
    pub allowed: Vec<Guarded>,
    /// Where batches read and write.
    pub workspace: Volume,
    /// The key of the batches; `None` for backends without one.
    pub credential: Option<Credential>,
    /// What Pods are dated by.
    pub clock: ServerClock,
    /// Whether volumes are given to the group of the batches. Off where the platform does that itself.
    pub fs_group: bool,
    /// What is counted.
    pub counts: Counts,
    /// Who keeps what Pods wrote; `None` where nobody does.
    pub logs: Option<LogKeeper>,
    /// Whether programs are told whose span they work under.
    pub traced: bool,
}

impl PodPlace {
    pub(super) fn deletion(&self) -> DeletionPolicy {
        self.pod.deletion_policy.unwrap_or(DeletionPolicy::OnSuccess)
    }
}

/// The images of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// Mozart's own: its program is brought into batches that name an image of their own.
    pub mozart: String,
    /// For batches that name none; Mozart's program is in it, at `/usr/local/bin/mozart`.
    pub batch: Option<String>,
}

/// A volume that batches work in.
#[derive(Clone, Debug, PartialEq)]
pub enum Volume {
    /// A claim that is there.
    Claim {
        /// Its name.
        name: String,
        /// The folder in it; the whole claim without one.
        sub_path: Option<String>,
        /// Whether only one node at a time can mount it.
        one_node: bool,
    },
    /// Gone with the Pod.
    EmptyDir {
        /// `Memory` for a RAM disk.
        medium: Option<String>,
        /// How much it may hold.
        size_limit: Option<serde_json::Value>,
    },
}

impl Volume {
    /// Of a job that says `emptyDir`.
    pub fn empty(api: &api::workspace::EmptyDir) -> Self {
        let size_limit = api.size_limit.as_ref().map(|Quantity(size)| size.clone());
        Self::EmptyDir { medium: api.medium.clone(), size_limit }
    }
}

/// The key of a job's batches: the kubelet gives it to the Pod, nobody else sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its name.
    pub name: String,
    /// What kind of key.
    pub kind: CredentialType,
    /// Where it is.
    pub secret: KeyReference,
    /// The address that it is for.
    pub base_url: Option<String>,
}
