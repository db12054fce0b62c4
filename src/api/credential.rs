//! The `MozartCredential`: a key, where it is used, and whether its account is limited.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{batch::KeyReference, status::Condition};

/// The value of `kind`.
pub const KIND: &str = "MozartCredential";

/// A key and the address that it is for. The only way to name a key in a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// How many attempts of all jobs may use it at once; jobs take turns. No default.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_concurrent_attempts: Option<u32>,
    /// Whether attempts of all jobs wait until it is taken back; what runs goes on. Default false.
    pub suspend: Option<bool>,
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

/// The annotation by which a person lets attempts start again after a limit or a hold: the time at which it was asked
/// for (RFC 3339). The operator takes it when it is newer than the last one that it took.
pub const RESUME: &str = "mozart.dev/resume";

/// How the credential stands. The operator writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MozartCredentialStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_u64))]
    pub observed_generation: Option<i64>,
    /// What is true of it: `Ready`, `Limited`, `NeedsAttention`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
    /// Whether attempts may start, shared by all jobs that use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<CredentialGate>,
    /// Attempts that use it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub in_flight: Option<u32>,
}

/// What is known of the limits of a credential's account, from which any crash resumes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialGate {
    /// Whether attempts may start.
    pub state: CredentialGateState,
    /// Closed: then one attempt may try. No limit is believed beyond 8 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time", "maxLength" = 64))]
    pub until: Option<String>,
    /// Why it is not open, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub cause: Option<String>,
    /// Closed: the attempt that met the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub holder: Option<String>,
    /// Held: since when a person is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time", "maxLength" = 64))]
    pub since: Option<String>,
    /// The one attempt that tries whether the limit is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// How often it was closed without an accepted request in between.
    #[schemars(range(max = u32::MAX))]
    pub waits: u32,
    /// When the first of these waits began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time", "maxLength" = 64))]
    pub waiting_since: Option<String>,
    /// The last request that the service accepted, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time", "maxLength" = 64))]
    pub last_accepted: Option<String>,
    /// After a limit: how many attempts of all jobs may run, twice as many with every accepted request. Absent when
    /// nothing is held back any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = u32::MAX))]
    pub live_cap: Option<u32>,
    /// The last `mozart.dev/resume` that was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time", "maxLength" = 64))]
    pub resumed: Option<String>,
}

/// Whether attempts may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CredentialGateState {
    /// They may.
    Open,
    /// None may until a time; then one tries.
    Closed,
    /// One tries.
    Canary,
    /// None may until a person has acted: `mozart credential resume`, or a change of the spec.
    Held,
}

/// The attempt that tries whether a limit is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Canary {
    /// The job's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub job: Option<String>,
    /// The batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub batch: Option<u32>,
    /// The attempt's full name.
    #[schemars(length(max = 253))]
    pub attempt: String,
    /// When it was last seen.
    #[schemars(extend("format" = "date-time", "maxLength" = 64))]
    pub since: String,
}
