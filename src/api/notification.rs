//! Who is told what.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::batch::KeyReference;

/// Somebody who is told. Which fields may be written depends on `type`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Notification {
    /// How.
    #[serde(rename = "type")]
    pub kind: NotificationType,
    /// Of what. Default `[job_complete, job_failed]`.
    #[schemars(length(min = 1, max = 8))]
    pub on_events: Option<Vec<Event>>,
    /// `webhook`, `slack`: where to. One of `url` and `urlFrom`.
    #[schemars(length(min = 1, max = 2048))]
    pub url: Option<String>,
    /// `webhook`, `slack`: where the address comes from.
    pub url_from: Option<ValueFrom>,
    /// `webhook`: further headers.
    #[schemars(extend("maxProperties" = 32))]
    pub headers: Option<BTreeMap<String, String>>,
    /// `webhook`: where the secret comes from that signs the body (HMAC-SHA-256).
    pub secret_from: Option<ValueFrom>,
    /// `webhook`: whether `batch_complete` carries the answer, at most 256 KiB. Default false.
    pub include_output: Option<bool>,
}

/// How somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationType {
    /// Local: the desktop's notifications.
    Desktop,
    /// An HTTP POST of JSON.
    Webhook,
    /// An incoming webhook of Slack.
    Slack,
}

/// Where a value comes from that is not written in the file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValueFrom {
    /// Cluster: a key of a `Secret` of the type `mozart.dev/webhook`; `mozart grant` lets the operator read it.
    pub secret_key_ref: Option<KeyReference>,
    /// Local: an environment variable.
    #[schemars(length(min = 1, max = 256))]
    pub env: Option<String>,
}

/// What can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The run started.
    JobStart,
    /// A batch started.
    BatchStart,
    /// A batch succeeded.
    BatchComplete,
    /// A batch failed for good.
    BatchFailed,
    /// The run ended and every batch succeeded.
    JobComplete,
    /// The run ended failed.
    JobFailed,
    /// The run was suspended.
    JobPaused,
    /// The account is limited: the run waits.
    RateLimited,
}
