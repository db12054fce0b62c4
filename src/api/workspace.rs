//! The folder that batches read and write.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The folder that batches read and write. Local and cluster fields may stand side by side.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Workspace {
    /// Local: the folder, relative to the job file. Default `./workspace`. Made when the run starts.
    #[schemars(length(min = 1, max = 4096))]
    pub path: Option<String>,
    /// Whether batches that run side by side may write the same file. Default false.
    pub shared: Option<bool>,
    /// Cluster: a claim that exists.
    pub persistent_volume_claim: Option<ClaimReference>,
    /// Cluster: a claim that is made for this job.
    pub volume_claim_template: Option<ClaimTemplate>,
    /// Cluster: a folder that is gone with its Pod.
    pub empty_dir: Option<EmptyDir>,
}

/// A claim that exists.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimReference {
    /// The claim's name, in the job's namespace.
    #[schemars(length(min = 1, max = 253))]
    pub claim_name: String,
    /// The folder in it; the whole claim unless written.
    #[schemars(length(min = 1, max = 4096))]
    pub sub_path: Option<String>,
}

/// A claim that is made for this job.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimTemplate {
    /// The storage class; the cluster's default unless written.
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,
    /// `ReadWriteOnce`, `ReadWriteMany`, …; `ReadWriteOnce` unless written.
    #[schemars(length(min = 1, max = 4), inner(length(min = 1, max = 64)))]
    pub access_modes: Option<Vec<String>>,
    /// How much storage.
    pub resources: Resources,
    /// What becomes of the claim when the job is deleted. Default `Retain`.
    pub when_deleted: Option<WhenDeleted>,
}

/// What becomes of a claim when its job is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WhenDeleted {
    /// It stays.
    Retain,
    /// It goes with the job.
    Delete,
}

/// A folder that is gone with its Pod.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EmptyDir {
    /// `Memory` for a RAM disk.
    #[schemars(length(max = 64))]
    pub medium: Option<String>,
    /// How much it may hold.
    pub size_limit: Option<Quantity>,
}

/// Requests and limits, as in every Pod.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// What is reserved.
    #[schemars(extend("maxProperties" = 16))]
    pub requests: Option<BTreeMap<String, Quantity>>,
    /// What may be used.
    #[schemars(extend("maxProperties" = 16))]
    pub limits: Option<BTreeMap<String, Quantity>>,
}

/// An amount in Kubernetes' notation: `2`, `250m`, `10Gi`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Quantity(
    #[schemars(with = "String", extend("type" = ["string", "integer"], "x-kubernetes-int-or-string" = true))]
    pub serde_json::Value,
);
