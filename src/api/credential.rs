//! The `MozartCredential`: a key, where it is used, and whether its account is limited.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{batch::KeyReference, status::Condition};

/// The value of `kind`.
pub const KIND: &str = "MozartCredential";

/// A key and the address that it is for. The only way to name a key in a cluster.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MozartCredentialSpec {
    /// What kind of key.
    #[serde(rename = "type")]
    pub kind: CredentialType,
    /// The key of a Secret of the same namespace.
    pub secret_ref: KeyReference,
    /// The address that the key is sent to, and no other. Default `https://api.anthropic.com`.
    #[serde(rename = "baseURL")]
    #[schemars(length(min = 1, max = 2048))]
    pub base_url: Option<String>,
    /// Where batches may use it. Default both. `InProcess` needs a grant of the Secret to the operator.
    #[schemars(length(min = 1, max = 2))]
    pub executions: Option<Vec<super::run::Execution>>,
    /// How many attempts of all jobs may use it at once. No default.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_concurrent_attempts: Option<u32>,
}

/// What kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CredentialType {
    /// A key of the Anthropic API.
    #[serde(rename = "APIKey")]
    ApiKey,
    /// A token of a Claude subscription, made by `claude setup-token`.
    OAuthToken,
}

/// How the credential stands. The operator writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MozartCredentialStatus {
    /// The generation of the spec that this status speaks of.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_u64))]
    pub observed_generation: Option<i64>,
    /// What is true of it: `Ready`, `Limited`, `NeedsAttention`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
    /// Whether attempts may start, shared by all jobs that use it.
    pub gate: Option<serde_json::Value>,
    /// Attempts that use it now.
    #[schemars(range(max = 1_000_000))]
    pub in_flight: Option<u32>,
}
