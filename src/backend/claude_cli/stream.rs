//! The lines that Claude Code writes (`--output-format stream-json`), as far as Mozart looks at them.
//!
//! A field that is missing or of another type than expected counts as absent, so that a newer tool is still understood
//! where it says the same; a line that is no JSON object, or of an unknown type, says nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

/// One line.
#[derive(Debug)]
pub(super) enum Line {
    Init(Init),
    Retry(Retry),
    TaskStarted(String),
    TaskEnded(String),
    Assistant(Assistant),
    /// A sub-agent was told something, its prompt or what a tool gave: it asks the service next.
    SubAgentTold,
    RateLimit(RateLimit),
    Result(Box<ResultLine>),
    /// Known to say nothing, or unknown.
    Other,
}

impl Line {
    /// What a line says. Lines of several megabytes are ordinary (a file that was written or read).
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let Ok(kind) = serde_json::from_slice::<Kind>(bytes) else { return Self::Other };
        match (kind.name.as_str(), kind.subtype.as_str()) {
            ("system", "init") => parse(bytes, Self::Init),
            ("system", "api_retry") => parse(bytes, Self::Retry),
            ("system", "task_started") => Self::TaskStarted(kind.task_id),
            ("system", "task_notification") => Self::TaskEnded(kind.task_id),
            ("assistant", _) => parse(bytes, Self::Assistant),
            ("user", _) if !kind.parent_tool_use_id.is_empty() => Self::SubAgentTold,
            ("rate_limit_event", _) => {
                parse(bytes, |event: RateLimitEvent| Self::RateLimit(event.rate_limit_info))
            }
            ("result", _) => parse(bytes, |result| Self::Result(Box::new(result))),
            _ => Self::Other,
        }
    }
}

/// The answer that a line gives, if it is a result that has one.
pub fn answer_in(line: &[u8]) -> Option<String> {
    match Line::parse(line) {
        Line::Result(result) => Some(result.result).filter(|answer| !answer.is_empty()),
        _ => None,
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8], line: impl FnOnce(T) -> Line) -> Line {
    serde_json::from_slice(bytes).map_or(Line::Other, line)
}

/// A value of another type than expected is an absent one.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(from: D) -> Result<T, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    name: String,
    #[serde(default, deserialize_with = "lenient")]
    subtype: String,
    #[serde(default, deserialize_with = "lenient")]
    task_id: String,
    #[serde(default, deserialize_with = "lenient")]
    parent_tool_use_id: String,
}

/// The session has begun.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Init {
    #[serde(deserialize_with = "lenient")]
    pub(super) model: Option<String>,
    #[serde(rename = "apiKeySource", deserialize_with = "lenient")]
    pub(super) api_key_source: Option<String>,
    #[serde(rename = "claude_code_version", deserialize_with = "lenient")]
    pub(super) version: Option<String>,
}

/// The tool waits before it asks again. A long wait repeats the line; `attempt` tells them apart.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Retry {
    #[serde(deserialize_with = "lenient")]
    pub(super) attempt: u32,
    #[serde(rename = "retry_delay_ms", deserialize_with = "lenient")]
    pub(super) delay_ms: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    pub(super) error_status: Option<u16>,
    #[serde(deserialize_with = "lenient")]
    pub(super) error: Option<String>,
}

/// A message, or a part of one: several lines share a `message.id`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Assistant {
    #[serde(deserialize_with = "lenient")]
    pub(super) message: Message,
    /// The call of the sub-agent whose message it is; the session's own messages have none.
    #[serde(deserialize_with = "lenient")]
    pub(super) parent_tool_use_id: Option<String>,
    /// A category of the tool's own: `rate_limit`, `authentication_failed`, …
    #[serde(deserialize_with = "lenient")]
    pub(super) error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    #[serde(deserialize_with = "lenient")]
    pub(super) id: String,
    #[serde(deserialize_with = "lenient")]
    pub(super) model: String,
    #[serde(deserialize_with = "lenient")]
    pub(super) usage: MessageUsage,
    #[serde(deserialize_with = "lenient")]
    pub(super) content: Value,
}

impl Message {
    /// Whether the tool made it up to say something of its own.
    pub(super) fn is_synthetic(&self) -> bool {
        self.model == "<synthetic>"
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the names of the Messages API")]
pub(super) struct MessageUsage {
    #[serde(deserialize_with = "lenient")]
    pub(super) input_tokens: u64,
    #[serde(deserialize_with = "lenient")]
    pub(super) output_tokens: u64,
    #[serde(deserialize_with = "lenient")]
    pub(super) cache_read_input_tokens: u64,
    #[serde(deserialize_with = "lenient")]
    pub(super) cache_creation_input_tokens: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RateLimitEvent {
    #[serde(deserialize_with = "lenient")]
    rate_limit_info: RateLimit,
}

/// Where a plan's limits stand; every run on a subscription says it, also those that succeed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RateLimit {
    #[serde(deserialize_with = "lenient")]
    pub(super) status: String,
    #[serde(deserialize_with = "lenient")]
    pub(super) resets_at: Value,
    /// Which window: `five_hour`, `seven_day_opus`, …
    #[serde(rename = "rateLimitType", deserialize_with = "lenient")]
    pub(super) window: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) utilization: Option<f64>,
    #[serde(deserialize_with = "lenient")]
    pub(super) is_using_overage: bool,
    #[serde(deserialize_with = "lenient")]
    pub(super) unified_windows: BTreeMap<String, Window>,
}

impl RateLimit {
    /// The used share (0 to 1) and the reset of each window that says it.
    pub(super) fn windows(&self) -> impl Iterator<Item = (f64, &Value)> {
        let one = self.utilization.map(|share| (share, &self.resets_at));
        let all = self.unified_windows.values();
        one.into_iter()
            .chain(all.filter_map(|window| Some((window.utilization?, &window.resets_at))))
            // Some versions speak of percent.
            .map(|(share, resets_at)| (if share > 1.5 { share / 100.0 } else { share }, resets_at))
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Window {
    #[serde(deserialize_with = "lenient")]
    pub(super) utilization: Option<f64>,
    #[serde(deserialize_with = "lenient")]
    pub(super) resets_at: Value,
}

/// What a turn came to. Several may come; the last one decides.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ResultLine {
    #[serde(deserialize_with = "lenient")]
    pub(super) subtype: String,
    #[serde(deserialize_with = "lenient")]
    pub(super) is_error: bool,
    #[serde(deserialize_with = "lenient")]
    pub(super) api_error_status: Option<u16>,
    #[serde(deserialize_with = "lenient")]
    pub(super) num_turns: u32,
    #[serde(deserialize_with = "lenient")]
    pub(super) result: String,
    #[serde(deserialize_with = "lenient")]
    pub(super) errors: Vec<String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) stop_reason: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) terminal_reason: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) total_cost_usd: f64,
    /// Of the whole session, also its earlier processes.
    #[serde(rename = "modelUsage", deserialize_with = "lenient")]
    pub(super) session_usage: BTreeMap<String, ModelUsage>,
    /// Since the result before, in this process.
    #[serde(deserialize_with = "lenient")]
    pub(super) model_usage_since_last_result: Option<BTreeMap<String, ModelUsage>>,
    #[serde(deserialize_with = "lenient")]
    pub(super) permission_denials: Vec<PermissionDenial>,
}

impl ResultLine {
    /// What it says in words: the result, else the errors.
    pub(super) fn text(&self) -> String {
        if self.result.is_empty() { self.errors.join("; ") } else { self.result.clone() }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ModelUsage {
    #[serde(deserialize_with = "lenient")]
    pub(super) input_tokens: u64,
    #[serde(deserialize_with = "lenient")]
    pub(super) output_tokens: u64,
    #[serde(deserialize_with = "lenient")]
    pub(super) cache_read_input_tokens: u64,
    #[serde(deserialize_with = "lenient")]
    pub(super) cache_creation_input_tokens: u64,
    #[serde(rename = "costUSD", deserialize_with = "lenient")]
    pub(super) cost_usd: f64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PermissionDenial {
    #[serde(deserialize_with = "lenient")]
    pub(super) tool_name: String,
}
