//! The Pod of a batch. Used in a cluster only.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{batch::KeyReference, workspace::Resources};

/// The Pod of a batch.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pod {
    /// The image that batches run in.
    #[schemars(length(min = 1, max = 1024))]
    pub image: Option<String>,
    /// Secrets to pull it with.
    #[schemars(length(max = 16))]
    pub image_pull_secrets: Option<Vec<ObjectReference>>,
    /// Requests and limits.
    pub resources: Option<Resources>,
    /// Labels that its node must have.
    #[schemars(extend("maxProperties" = 64))]
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Taints that it tolerates.
    #[schemars(length(max = 64))]
    pub tolerations: Option<Vec<Toleration>>,
    /// Affinity, in Kubernetes' own form.
    pub affinity: Option<BTreeMap<String, Value>>,
    /// Environment variables.
    #[schemars(length(max = 256))]
    pub env: Option<Vec<EnvVar>>,
    /// Environment variables from Secrets, where the installation allows them.
    #[schemars(length(max = 64))]
    pub secret_env: Option<Vec<SecretEnvVar>>,
    /// Volumes.
    #[schemars(length(max = 64))]
    pub volumes: Option<Vec<Volume>>,
    /// Where they are mounted.
    #[schemars(length(max = 64))]
    pub volume_mounts: Option<Vec<VolumeMount>>,
    /// Labels.
    #[schemars(extend("maxProperties" = 64))]
    pub labels: Option<BTreeMap<String, String>>,
    /// Annotations.
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: Option<BTreeMap<String, String>>,
    /// The runtime class, where the installation allows it.
    #[schemars(length(min = 1, max = 253))]
    pub runtime_class_name: Option<String>,
    /// The priority class, where the installation allows it.
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
    /// The service account, where the installation allows it.
    #[schemars(length(min = 1, max = 253))]
    pub service_account_name: Option<String>,
    /// How long it may take to end, in seconds.
    #[schemars(range(min = 1, max = 3600))]
    pub termination_grace_period_seconds: Option<u32>,
    /// When a finished Pod is deleted. Default `OnSuccess`; of failed ones at most 50 a run are kept.
    pub deletion_policy: Option<DeletionPolicy>,
}

/// The name of an object of the job's namespace.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectReference {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A taint that is tolerated.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Toleration {
    /// The taint's key.
    #[schemars(length(max = 317))]
    pub key: Option<String>,
    /// `Exists` or `Equal`.
    #[schemars(length(max = 16))]
    pub operator: Option<String>,
    /// The taint's value.
    #[schemars(length(max = 63))]
    pub value: Option<String>,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    #[schemars(length(max = 32))]
    pub effect: Option<String>,
    /// How long, in seconds.
    #[serde(rename = "tolerationSeconds")]
    pub seconds: Option<i64>,
}

/// An environment variable.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvVar {
    /// Its name.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// Its value.
    #[schemars(length(max = 65_536))]
    pub value: Option<String>,
    /// Where its value comes from.
    pub value_from: Option<EnvVarSource>,
}

/// Where an environment variable's value comes from.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvVarSource {
    /// A key of a `ConfigMap`.
    pub config_map_key_ref: Option<KeyReference>,
    /// A field of the Pod.
    pub field_ref: Option<FieldReference>,
}

/// A field of the Pod.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FieldReference {
    /// Such as `metadata.name`.
    #[schemars(length(min = 1, max = 1024))]
    pub field_path: String,
}

/// An environment variable from a Secret.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretEnvVar {
    /// Its name.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// The key of the Secret.
    pub secret_key_ref: KeyReference,
}

/// A volume; one kind is written, in Kubernetes' own form.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Volume {
    /// Its name.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// A `ConfigMap`.
    pub config_map: Option<BTreeMap<String, Value>>,
    /// A folder that is gone with the Pod.
    pub empty_dir: Option<BTreeMap<String, Value>>,
    /// A claim.
    pub persistent_volume_claim: Option<BTreeMap<String, Value>>,
    /// A Secret, where the installation allows it.
    pub secret: Option<BTreeMap<String, Value>>,
    /// A claim that is made for the Pod.
    pub ephemeral: Option<BTreeMap<String, Value>>,
}

/// Where a volume is mounted.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeMount {
    /// The volume's name.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The path in the container.
    #[schemars(length(min = 1, max = 4096))]
    pub mount_path: String,
    /// The folder of the volume.
    #[schemars(length(max = 4096))]
    pub sub_path: Option<String>,
    /// Whether it cannot be written.
    pub read_only: Option<bool>,
}

/// When a finished Pod is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// When its batch succeeded.
    OnSuccess,
    /// Always.
    Always,
    /// Never.
    Never,
}
