//! Which class an error that Claude Code reports belongs to.

use jiff::{Timestamp, tz::TimeZone};

use super::{
    stream::{ResultLine, Retry},
    transcript::{BUDGET_USED_UP, Transcript},
};
use crate::{
    backend::limits,
    job::{
        model::{ClaudeCli, RateLimitPolicy},
        outcome::{
            Failure,
            FailureClass::{BatchFatal, Disruption, Hold, JobFatal, Limit, Throttle, Transient, Unreachable},
        },
    },
};

/// The reason of an attempt that was stopped by its number of turns: it is continued once.
pub(super) const MAX_TURNS: &str = "MaxTurns";
/// The reason of an attempt that was stopped by its budget.
pub(super) const BUDGET: &str = "BudgetPerAttempt";

/// What else the class depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) settings: &'a ClaudeCli,
    pub(super) rate_limit: &'a RateLimitPolicy,
    /// When it was said.
    pub(super) said_at: Timestamp,
}

/// What is wrong with an attempt whose last result is `result`; `None` if it succeeded.
pub(super) fn result(result: &ResultLine, transcript: &Transcript, context: &Context<'_>) -> Option<Failure> {
    if result.subtype != "success" {
        return Some(error_arm(result));
    }
    if result.is_error {
        return Some(api_error(result, transcript, context));
    }
    let failure = |class, reason, message: &str| Some(Failure::new(class, reason, message));
    match (result.stop_reason.as_deref(), result.terminal_reason.as_deref()) {
        (Some("refusal"), _) => return Some(refused("the model declined this prompt")),
        (Some("max_tokens"), _) => return Some(output_cap()),
        (_, Some("completed") | None) => {}
        (_, Some(other)) => return Some(terminal(other, &result.text())),
    }
    if result.num_turns == 0 || !transcript.accepted() {
        return failure(
            BatchFatal,
            "NothingSent",
            "Claude Code sent nothing to the model: it took the prompt for a command of its own; let the prompt begin \
             with a word",
        );
    }
    if transcript.answer.as_deref().is_none_or(|answer| answer.trim().is_empty()) {
        return failure(Transient, "EmptyAnswer", "the model ended its turn without an answer");
    }
    None
}

/// Claude Code's own ends of a run.
fn error_arm(result: &ResultLine) -> Failure {
    let text = result.text();
    match result.subtype.as_str() {
        "error_max_turns" => terminal("max_turns", &text),
        BUDGET_USED_UP => terminal("budget_exhausted", &text),
        "error_max_structured_output_retries" => terminal("structured_output_retry_exhausted", &text),
        _ if text.contains("No conversation found") => fresh(Failure::new(
            Disruption,
            "SessionLost",
            "the session that was to be continued is not on this machine: a new one is started",
        )),
        _ => terminal(result.terminal_reason.as_deref().unwrap_or("unknown"), &text),
    }
}

/// A run that ended for another reason than the model's own end of turn.
fn terminal(reason: &str, text: &str) -> Failure {
    let said = |what: &str| if text.is_empty() { what.to_owned() } else { format!("{what}: {text}") };
    match reason {
        "max_turns" => Failure::new(
            Transient,
            MAX_TURNS,
            said("the attempt used all its turns; raise backend.maxTurns or make the batches smaller"),
        ),
        "budget_exhausted" => Failure::new(
            BatchFatal,
            BUDGET,
            said("the attempt reached budget.perAttemptUSD; raise it or make the batches smaller"),
        ),
        "prompt_too_long" | "blocking_limit" | "rapid_refill_breaker" => prompt_too_long(text),
        "image_error" => fresh(Failure::new(BatchFatal, "ImageRefused", said("an image was not accepted"))),
        "structured_output_retry_exhausted" => Failure::new(
            BatchFatal,
            "NoStructuredAnswer",
            said("the answer never fitted the schema asked for"),
        ),
        "hook_stopped" | "stop_hook_prevented" => Failure::new(
            BatchFatal,
            "HookStopped",
            said("a hook ended the run; set backend.hooks: false or mend the hook"),
        ),
        "tool_deferred" | "tool_deferred_unavailable" => {
            Failure::new(BatchFatal, "ToolDeferred", said("a hook deferred a tool, and nobody can be asked"))
        }
        "malformed_tool_use_exhausted" => {
            fresh(Failure::new(Transient, "MalformedToolUse", said("the model kept calling tools wrongly")))
        }
        "aborted_streaming" | "aborted_tools" => {
            Failure::new(Transient, "Aborted", said("the run was broken off"))
        }
        other => Failure::new(Transient, "RunFailed", said(&format!("Claude Code ended the run ({other})"))),
    }
}

/// A request failed for good, in the words that the tool made of it.
fn api_error(result: &ResultLine, transcript: &Transcript, context: &Context<'_>) -> Failure {
    let text = result.text();
    if let Some(reason) = result.terminal_reason.as_deref()
        && !matches!(reason, "api_error" | "completed" | "model_error")
    {
        return terminal(reason, &text);
    }
    if result.stop_reason.as_deref() == Some("refusal") {
        return refused(&text);
    }
    if let Some(failure) = limit(&text, transcript, context) {
        return failure;
    }
    let category = transcript.error.as_deref().unwrap_or("unknown");
    let status = result.api_error_status;
    match (category, status) {
        ("authentication_failed" | "oauth_org_not_allowed", _) | (_, Some(401 | 403)) => {
            authentication(&text, context.settings)
        }
        // The last wait that the tool told is over: it asked once more after it, and gave up.
        ("rate_limit" | "overloaded", _) | (_, Some(429 | 529)) => Failure::new(Throttle, "Throttled", text),
        ("billing_error", _) | (_, Some(402)) => Failure::new(
            Hold,
            "CreditBalance",
            format!("{text}: add credit, then `mozart credential resume`"),
        ),
        ("model_not_found", _) => Failure::new(
            JobFatal,
            "UnknownModel",
            format!("{text} (backend.model: {})", context.settings.model.as_deref().unwrap_or("not set")),
        ),
        ("max_output_tokens", _) => output_cap(),
        ("prompt_too_long", _) | (_, Some(413)) => prompt_too_long(&text),
        _ if text.to_lowercase().contains("prompt is too long") => prompt_too_long(&text),
        ("invalid_request", _) | (_, Some(400)) => fresh(Failure::new(BatchFatal, "RequestRefused", text)),
        _ => interrupted(transcript, &text),
    }
}

/// Connection, DNS, TLS or a failing server: without an accepted request the service cannot be reached at all.
fn interrupted(transcript: &Transcript, text: &str) -> Failure {
    if transcript.accepted() {
        Failure::new(Transient, "ServiceFailed", text)
    } else {
        Failure::new(Unreachable, "Unreachable", text)
    }
}

/// A plan's limit or a spend limit, with its reset.
fn limit(text: &str, transcript: &Transcript, context: &Context<'_>) -> Option<Failure> {
    let Context { rate_limit, said_at, .. } = *context;
    let event = transcript.rejected.as_ref().and_then(|event| {
        let window = event.window.as_deref().unwrap_or("plan");
        limits::moment(&event.resets_at, said_at).map(|resets_at| (window, resets_at))
    });
    let told = limits::find(text, rate_limit.patterns.as_deref(), said_at, &TimeZone::system());
    let (window, resets_at) = match (event, told) {
        (Some((window, resets_at)), _) => (window, resets_at),
        (None, Some(limits::Told { resets_at: Some(resets_at) })) => ("plan", resets_at),
        // Only money is limited without a date.
        (None, Some(_)) if text.to_lowercase().contains("spend") || text.contains("API usage limits") => {
            return Some(Failure::new(
                Hold,
                "SpendLimit",
                format!("{text}: raise the limit, then `mozart credential resume`"),
            ));
        }
        (None, Some(_)) => ("plan", said_at + rate_limit.wait),
        (None, None) => return None,
    };
    let mut failure = Failure::new(Limit, "LimitReached", format!("limit ({window}): {text}"));
    failure.resets_at = Some(resets_at);
    Some(failure)
}

/// The service does not take the key or the login.
pub(super) fn authentication(text: &str, settings: &ClaudeCli) -> Failure {
    let lower = text.to_lowercase();
    if lower.contains("request not allowed") {
        return Failure::new(
            Throttle,
            "TooManySessions",
            format!("{text}: the service says so when too many sessions run at once"),
        );
    }
    if lower.contains("revoked") {
        return Failure::new(
            Hold,
            "LoginRevoked",
            format!("{text}: log in again with `claude`, then `mozart credential resume`"),
        );
    }
    let advice = match (&settings.api_key_env, settings.auth) {
        (Some(name), _) => format!("check the key in {name} (backend.apiKeyEnv)"),
        (None, crate::job::model::Auth::ApiKey) => "check the key in ANTHROPIC_API_KEY".to_owned(),
        (None, crate::job::model::Auth::Subscription) => "log in with `claude` and `/login`".to_owned(),
        (None, crate::job::model::Auth::Auto) => {
            "check ANTHROPIC_API_KEY if it is set, else log in with `claude` and `/login`".to_owned()
        }
    };
    let text = if text.is_empty() { "the service refuses the credential" } else { text };
    Failure::new(JobFatal, "Unauthorized", format!("{text}: {advice}"))
}

/// What a process that was ended while it waited was waiting for.
pub(super) fn while_waiting(retry: &Retry, transcript: &Transcript) -> Failure {
    let what = retry.error.as_deref().unwrap_or("unknown");
    let status = retry.error_status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let text = format!("Claude Code was still waiting to ask again ({what}, {status})");
    let mut failure = if is_throttle(retry) {
        Failure::new(Throttle, "Throttled", text)
    } else {
        interrupted(transcript, &text)
    };
    failure.retry_after_ms = retry.delay_ms;
    failure
}

/// Whether the tool waits since the service asked for fewer requests.
pub(super) fn is_throttle(retry: &Retry) -> bool {
    matches!(retry.error_status, Some(429 | 529))
        || matches!(retry.error.as_deref(), Some("rate_limit" | "overloaded"))
}

fn refused(text: &str) -> Failure {
    fresh(Failure::new(
        BatchFatal,
        "Refused",
        format!("{text} (the model refused; the prompt has to change)"),
    ))
}

fn output_cap() -> Failure {
    let text = "the answer is longer than the model may write; ask for less in one batch";
    fresh(Failure::new(BatchFatal, "OutputCap", text))
}

fn prompt_too_long(text: &str) -> Failure {
    let text = if text.is_empty() { "Prompt is too long" } else { text };
    fresh(Failure::new(BatchFatal, "PromptTooLong", format!("{text}: make the batches smaller")))
}

fn fresh(mut failure: Failure) -> Failure {
    failure.fresh_session = true;
    failure
}
