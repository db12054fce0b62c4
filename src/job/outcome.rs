//! How an attempt ended. Small enough for a termination message (4 KiB), and written to `result.json` locally.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::identity::SessionId;

/// The longest [`Failure::message`], in bytes.
pub const MAX_MESSAGE_BYTES: usize = 1024;

/// How an attempt ended, and what it used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// What is wrong with it; `None` when it succeeded and every validation passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Whether the model's service accepted at least one request of this attempt (always true for `command`).
    pub accepted: bool,
    /// Tokens and cost of this attempt alone, also where it continued an earlier session.
    #[serde(default)]
    pub usage: Usage,
    /// The session that the next attempt may continue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// What it learned about its credential without failing by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<GateSignal>,
    /// What a person should know though it succeeded, such as denied permissions. At most 8, of at most 200 bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The process's exit code, or 128 + the signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What answered, and who paid, as the tool or the service itself said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// When its process or request started.
    pub started: Timestamp,
    /// When it was judged.
    pub ended: Timestamp,
}

impl Outcome {
    /// Whether the batch is done by this attempt.
    pub fn succeeded(&self) -> bool {
        self.failure.is_none()
    }
}

/// What answered an attempt, and who paid, as the tool or the service itself said it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Provenance {
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Claude Code's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where Claude Code's API key came from: `none` is a login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_source: Option<String>,
    /// Why the model stopped: `end_turn`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What follows from it.
    pub class: FailureClass,
    /// A closed word in `PascalCase`, for conditions, metrics and grouping: `LimitReached`, `ValidationFailed`, …
    pub reason: String,
    /// One sentence for people: what, where, what to do. At most [`MAX_MESSAGE_BYTES`].
    pub message: String,
    /// When the limit resets, if it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<Timestamp>,
    /// How long the service asked to wait, in milliseconds, if it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Whether the next attempt must start a new session (prompt too long, refusal, output cap).
    #[serde(default)]
    pub fresh_session: bool,
}

impl Failure {
    /// A failure that names no time; `message` is cut to [`MAX_MESSAGE_BYTES`].
    pub fn new(class: FailureClass, reason: &str, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > MAX_MESSAGE_BYTES {
            let mut end = MAX_MESSAGE_BYTES - '…'.len_utf8();
            while !message.is_char_boundary(end) {
                end -= 1;
            }
            message.truncate(end);
            message.push('…');
        }
        Self {
            class,
            reason: reason.to_owned(),
            message,
            resets_at: None,
            retry_after_ms: None,
            fresh_session: false,
        }
    }
}

/// What a failure is; the table "What a failure is" of the job file's reference says what follows from each.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// A plan's limit that names its reset: the gate closes until then; not counted.
    Limit,
    /// 429 or 529 without a reset: the gate closes for a short while; not counted.
    Throttle,
    /// Connection, DNS, TLS or 5xx, and no request was ever accepted: as a throttle; not counted.
    Unreachable,
    /// The same after an accepted request, a timeout, a process killed by a signal: again after backoff, counted.
    Transient,
    /// Eviction, drain, lost process or node: again, not counted, at most 10 a batch.
    Disruption,
    /// It ran, and a validation failed: resumed with what is missing, counted.
    Validation,
    /// This batch fails at once.
    BatchFatal,
    /// Nothing new starts, the run ends failed.
    JobFatal,
    /// Money or login: the gate closes until a person opens it; not counted.
    Hold,
}

impl FailureClass {
    /// Every class, for tables and docs.
    pub const ALL: [Self; 9] = [
        Self::Limit,
        Self::Throttle,
        Self::Unreachable,
        Self::Transient,
        Self::Disruption,
        Self::Validation,
        Self::BatchFatal,
        Self::JobFatal,
        Self::Hold,
    ];

    /// The word used in files, tables and output: `limit`, `batch_fatal`, …
    pub fn word(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Throttle => "throttle",
            Self::Unreachable => "unreachable",
            Self::Transient => "transient",
            Self::Disruption => "disruption",
            Self::Validation => "validation",
            Self::BatchFatal => "batch_fatal",
            Self::JobFatal => "job_fatal",
            Self::Hold => "hold",
        }
    }
}

/// What a running or ended attempt tells about its credential, beside a failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum GateSignal {
    /// A request was accepted: a canary opens the gate with it.
    Accepted,
    /// The tool itself waits in a running attempt, to ask again.
    #[serde(rename_all = "camelCase")]
    Throttled {
        /// What the service answered, such as 429 or 529; `None` when there was no answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// How long it said it waits, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// It succeeded on extra usage; the window resets then.
    #[serde(rename_all = "camelCase")]
    Overage {
        /// When the window resets.
        resets_at: Option<Timestamp>,
    },
    /// A share of a window is used (0 to 1); the window resets then.
    #[serde(rename_all = "camelCase")]
    Utilization {
        /// The used share of the fullest window, 0 to 1.
        share: f64,
        /// When that window resets.
        resets_at: Option<Timestamp>,
    },
}

/// Tokens and cost, summed over the requests of an attempt, a batch or a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Usage {
    /// Tokens sent, cache reads and writes not counted.
    pub input_tokens: u64,
    /// Tokens received.
    pub output_tokens: u64,
    /// Tokens read from the prompt cache.
    pub cache_read_tokens: u64,
    /// Tokens written to the prompt cache.
    pub cache_write_tokens: u64,
    /// Cost in millionths of a US dollar: an integer, so that sums are exact. Written as `costUSD`, a decimal text of
    /// dollars.
    #[serde(rename = "costUSD", with = "dollars")]
    #[schemars(with = "String")]
    pub cost_micro_usd: u64,
    /// What the dearest single request would have cost with nothing read from the prompt cache, in millionths of a
    /// dollar; 0 where that is not known. A sum has the dearest of its parts. Written as `costUSD` is.
    #[serde(rename = "dearestTurnUSD", with = "dollars", skip_serializing_if = "is_zero")]
    #[schemars(with = "String")]
    pub dearest_turn_micro_usd: u64,
    /// Whether a part of it could not be read (the tool was killed before it said).
    pub partial: bool,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        let Self {
            input_tokens,
            output_tokens,
            cache_read_tokens,
            cache_write_tokens,
            cost_micro_usd,
            dearest_turn_micro_usd,
            partial,
        } = other;
        self.input_tokens += input_tokens;
        self.output_tokens += output_tokens;
        self.cache_read_tokens += cache_read_tokens;
        self.cache_write_tokens += cache_write_tokens;
        self.cost_micro_usd += cost_micro_usd;
        self.dearest_turn_micro_usd = self.dearest_turn_micro_usd.max(dearest_turn_micro_usd);
        self.partial |= partial;
    }
}

impl Usage {
    /// All tokens, in and out.
    pub fn tokens(&self) -> u64 {
        self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens
    }

    /// The cost as [`decimal`] writes it.
    pub fn cost_usd(&self) -> String {
        decimal(self.cost_micro_usd)
    }
}

/// Millionths of a US dollar as a decimal of dollars with two to six places: `12.34`, `0.000125`.
pub fn decimal(micro_usd: u64) -> String {
    let (whole, rest) = (micro_usd / 1_000_000, micro_usd % 1_000_000);
    let mut text = format!("{whole}.{rest:06}");
    while text.ends_with('0') && text.len() - text.find('.').unwrap_or(0) > 3 {
        text.pop();
    }
    text
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(micro_usd: &u64) -> bool {
    *micro_usd == 0
}

/// Millionths of a dollar, written as [`decimal`] and read back exactly.
mod dollars {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    pub fn serialize<S: Serializer>(micro_usd: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::decimal(*micro_usd))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is no amount of dollars")))
    }

    fn parse(text: &str) -> Option<u64> {
        let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if rest.len() > 6 || !digits(whole) || !digits(rest) {
            return None;
        }
        let millionths: u64 = format!("{rest:0<6}").parse().ok()?;
        whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(millionths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_written_as_a_decimal_text_of_dollars_and_read_back_exactly() {
        for (micro, text) in [
            (0, "0.00"),
            (1, "0.000001"),
            (125, "0.000125"),
            (12_340_000, "12.34"),
            (u64::MAX, "18446744073709.551615"),
        ] {
            let usage = Usage { cost_micro_usd: micro, ..Usage::default() };
            let json = serde_json::to_value(usage).unwrap();
            assert_eq!(json["costUSD"], text);
            assert_eq!(serde_json::from_value::<Usage>(json).unwrap(), usage);
        }
        for wrong in ["", ".", "-1.00", "1e3", "1.0000001", "99999999999999999999"] {
            let json = serde_json::json!({ "costUSD": wrong });
            assert!(serde_json::from_value::<Usage>(json).is_err(), "{wrong}");
        }
    }
}
