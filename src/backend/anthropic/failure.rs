//! Which class a failed request belongs to: by status, headers and the error's own words.

use std::{error::Error, fmt::Display};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use reqwest::{Response, StatusCode, header::HeaderMap};
use serde::Deserialize;

use super::{service::capped, windows};
use crate::{
    backend::limits,
    job::{
        model::{Anthropic, RateLimitPolicy},
        outcome::{
            Failure,
            FailureClass::{self, BatchFatal, Hold, JobFatal, Limit, Throttle, Transient, Unreachable},
        },
    },
};

/// An error's body is a few hundred bytes; a proxy's page may be more.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// An answer of another status than 200.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    headers: HeaderMap,
    error: ErrorBody,
}

/// The `error` of an error's body, or of an `error` event.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorBody {
    #[serde(rename = "type")]
    kind: String,
    message: String,
    details: Details,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    error_code: String,
}

#[derive(Deserialize)]
struct Envelope {
    error: ErrorBody,
}

impl Refusal {
    /// Reads it. A body that is no error of the service (a proxy's page) is kept as the message.
    pub(super) async fn read(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = capped(response, MAX_ERROR_BYTES).await.unwrap_or_default();
        let error = match serde_json::from_slice::<Envelope>(&body) {
            Ok(envelope) => envelope.error,
            Err(_) => ErrorBody {
                message: String::from_utf8_lossy(&body).split_whitespace().collect::<Vec<_>>().join(" "),
                ..ErrorBody::default()
            },
        };
        Self { status, headers, error }
    }

    /// Whether the service merely stumbled: asked again at once it may answer.
    pub(super) fn may_be_asked_at_once(&self) -> bool {
        let stumbled = self.status.is_server_error() && self.status.as_u16() != 529;
        stumbled && self.header("x-should-retry") != Some("false") && self.retry_after_ms().is_none()
    }

    /// The failure of the attempt.
    pub(super) fn failure(
        &self,
        settings: &Anthropic,
        key_from: &str,
        rate_limit: &RateLimitPolicy,
        now: Timestamp,
    ) -> Failure {
        let Anthropic { model, base_url, .. } = settings;
        let said = self.said();
        let fail = |class: FailureClass, reason: &str, advice: &str| {
            Failure::new(
                class,
                reason,
                if advice.is_empty() { said.clone() } else { format!("{said}: {advice}") },
            )
        };
        if let Some(failure) = self.money(rate_limit, now, &said) {
            return failure;
        }
        let mut failure = match self.status.as_u16() {
            429 | 529 => fail(Throttle, "Throttled", ""),
            401 => fail(JobFatal, "Unauthorized", &format!("check the key in {key_from}")),
            403 => {
                fail(JobFatal, "Forbidden", &format!("the key in {key_from} may not do this; use another"))
            }
            404 if self.error.message.contains("model") => {
                fail(JobFatal, "UnknownModel", &format!("write a model that the key may use (it is {model})"))
            }
            404 | 405 | 300..=399 => {
                fail(JobFatal, "NoSuchService", &format!("is backend.baseUrl right? It is {base_url}"))
            }
            413 => prompt_too_long(&said),
            400 => self.invalid(settings, &said),
            408 | 409 | 500..=599 => fail(Unreachable, "Unreachable", ""),
            _ if self.header("x-should-retry") == Some("true") => fail(Unreachable, "Unreachable", ""),
            _ => fail(BatchFatal, "RequestRefused", ""),
        };
        if matches!(failure.class, Throttle | Unreachable) {
            failure.retry_after_ms = self.retry_after_ms().or_else(|| self.bucket_reset_ms(now));
        }
        failure
    }

    /// Spend limits and empty accounts, which come as 400, 402, 403 or 429.
    fn money(&self, rate_limit: &RateLimitPolicy, now: Timestamp, said: &str) -> Option<Failure> {
        let lower = self.error.message.to_lowercase();
        let hold = |reason: &str, advice: &str| {
            let text = format!("{said}: {advice}, then `mozart credential resume`");
            Some(Failure::new(Hold, reason, text))
        };
        let limit = |resets_at: Timestamp| {
            let failure = Failure::new(Limit, "SpendLimitReached", said);
            Some(Failure { resets_at: Some(resets_at), ..failure })
        };
        if let Some(resets_at) = windows::rejected_until(&self.headers, now) {
            let failure = Failure::new(Limit, "LimitReached", said);
            return Some(Failure { resets_at: Some(resets_at), ..failure });
        }
        if self.error.details.error_code == "enforced_spend_limit_reached" {
            return limit(next_month(now)?);
        }
        if self.status.as_u16() == 402
            || self.error.kind == "billing_error"
            || lower.contains("credit balance")
        {
            return hold("CreditBalance", "add credit");
        }
        if !self.status.is_client_error() {
            return None;
        }
        let told = limits::find(&self.error.message, rate_limit.patterns.as_deref(), now, &TimeZone::UTC)?;
        match told.resets_at {
            Some(resets_at) => limit(resets_at),
            None if rate_limit.patterns.is_some() => limit(now.saturating_add(rate_limit.wait).ok()?),
            None => hold("SpendLimit", "raise the limit"),
        }
    }

    /// 400: what the job file says, or what this prompt is.
    fn invalid(&self, settings: &Anthropic, said: &str) -> Failure {
        let message = &self.error.message;
        let parameter =
            |advice: String| Failure::new(JobFatal, "ParameterRefused", format!("{said}: {advice}"));
        if message.to_lowercase().contains("prompt is too long") {
            return prompt_too_long(said);
        }
        if let Some(temperature) = settings.temperature.filter(|_| message.contains("temperature")) {
            return parameter(format!("delete the line `temperature: {temperature}` under backend"));
        }
        if message.contains("max_tokens") {
            return parameter(format!("lower backend.maxTokens (it is {})", settings.max_tokens));
        }
        if message.contains("model") && message.contains(&settings.model) {
            return Failure::new(JobFatal, "UnknownModel", format!("{said}: change backend.model"));
        }
        Failure { fresh_session: true, ..Failure::new(BatchFatal, "RequestRefused", said) }
    }

    /// What it says, for people.
    pub(super) fn said(&self) -> String {
        let Self { status, error, .. } = self;
        let id = self.header("request-id").map(|id| format!(" ({id})")).unwrap_or_default();
        match (error.kind.as_str(), error.message.as_str()) {
            ("", "") => format!("the service answered {status}{id}"),
            ("", message) => format!("the service answered {}{id}: {message}", status.as_u16()),
            (kind, message) => format!("the service answered {} {kind}{id}: {message}", status.as_u16()),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long to wait, as `retry-after-ms`, or `retry-after` in seconds or as a date.
    fn retry_after_ms(&self) -> Option<u64> {
        if let Some(milliseconds) = self.header("retry-after-ms").and_then(|text| text.parse().ok()) {
            return Some(milliseconds);
        }
        let text = self.header("retry-after")?;
        if let Ok(seconds) = text.parse::<u64>() {
            return seconds.checked_mul(1000);
        }
        let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        u64::try_from(at.duration_since(Timestamp::now()).max(SignedDuration::ZERO).as_millis()).ok()
    }

    /// Until the last of the emptied token and request buckets is full again.
    fn bucket_reset_ms(&self, now: Timestamp) -> Option<u64> {
        let buckets =
            ["requests", "tokens", "input-tokens", "output-tokens"].into_iter().filter_map(|bucket| {
                let remaining = self.header(&format!("anthropic-ratelimit-{bucket}-remaining"))?;
                let reset: Timestamp =
                    self.header(&format!("anthropic-ratelimit-{bucket}-reset"))?.parse().ok()?;
                (remaining == "0").then_some(reset)
            });
        u64::try_from(buckets.max()?.duration_since(now).max(SignedDuration::ZERO).as_millis()).ok()
    }
}

impl ErrorBody {
    /// An `error` event after the answer had begun: paid in part.
    pub(super) fn in_mid_answer(&self) -> Failure {
        let text = format!("the service broke its answer off with {}: {}", self.kind, self.message);
        match self.kind.as_str() {
            "overloaded_error" | "rate_limit_error" => Failure::new(Throttle, "Throttled", text),
            _ => Failure::new(Transient, "ServiceFailed", text),
        }
    }
}

/// The connection could not be made, or broke before an answer began.
pub(super) fn unreachable(settings: &Anthropic, error: &reqwest::Error) -> Failure {
    let host = settings.base_url.host_str().unwrap_or_default();
    Failure::new(Unreachable, "Unreachable", format!("{host} cannot be reached: {}", root(error)))
}

/// The answer broke off: what had come of it is paid.
pub(super) fn dropped(error: &impl Display) -> Failure {
    Failure::new(Transient, "AnswerDropped", format!("the answer broke off: {error}"))
}

/// What came with status 200 is nothing that the Messages API says.
pub(super) fn not_an_answer(settings: &Anthropic, error: &impl Display) -> Failure {
    let base = &settings.base_url;
    Failure::new(
        JobFatal,
        "NotAnAnswer",
        format!("what {base} answers is no message of the Messages API ({error}): is backend.baseUrl right?"),
    )
}

fn prompt_too_long(said: &str) -> Failure {
    let text = format!("{said}: make the batches smaller");
    Failure { fresh_session: true, ..Failure::new(BatchFatal, "PromptTooLong", text) }
}

/// The innermost cause, which names what happened; the outer ones repeat the address.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// The first of the next month, 00:00 UTC, or the furthest that a reset is believed to be.
fn next_month(now: Timestamp) -> Option<Timestamp> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let first = today.last_of_month().tomorrow().ok()?;
    Some(limits::clamp(first.to_zoned(TimeZone::UTC).ok()?.timestamp(), now))
}
