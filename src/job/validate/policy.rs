//! What follows failures and limits, and what may be spent.

use std::time::Duration;

use regex::{Regex, RegexBuilder};

use super::context::Context;
use crate::{
    api::{self, backend::Dollars},
    job::{
        model::{Budget, OnExhausted, OnOverage, OnReached, RateLimitPolicy, RetryPolicy, SessionPolicy},
        sources::Mode,
    },
};

pub fn retry(api: Option<&api::retry::Retry>) -> RetryPolicy {
    let api::retry::Retry {
        max_retries,
        base_delay_seconds,
        exponential_base,
        max_delay_seconds,
        jitter,
        on_exhausted,
        max_failed_in_a_row,
        session,
    } = api.cloned().unwrap_or_default();
    RetryPolicy {
        max_retries: max_retries.unwrap_or(3),
        base_delay: Duration::from_secs_f64(base_delay_seconds.unwrap_or(10.0)),
        exponential_base: exponential_base.unwrap_or(2.0),
        max_delay: Duration::from_secs_f64(max_delay_seconds.unwrap_or(3600.0)),
        jitter: jitter.unwrap_or(true),
        on_exhausted: match on_exhausted {
            Some(api::retry::OnExhausted::FailJob) => OnExhausted::FailJob,
            Some(api::retry::OnExhausted::Continue) | None => OnExhausted::Continue,
        },
        max_failed_in_a_row: max_failed_in_a_row.unwrap_or(3),
        session: match session {
            Some(api::retry::Session::Fresh) => SessionPolicy::Fresh,
            Some(api::retry::Session::Resume) | None => SessionPolicy::Resume,
        },
    }
}

pub fn rate_limit(api: Option<&api::retry::RateLimit>, context: &mut Context<'_>) -> RateLimitPolicy {
    let api::retry::RateLimit {
        patterns,
        wait_seconds,
        on_overage,
        leave,
        max_wait_seconds,
        give_up_after_seconds,
        max_waits,
    } = api.cloned().unwrap_or_default();
    let seconds = |value: u32| Duration::from_secs(u64::from(value));
    let patterns = patterns.map(|patterns| {
        let compile = |(index, text): (usize, &String)| {
            regex(text, true, &format!("rateLimit.patterns.{index}"), context)
        };
        patterns.iter().enumerate().filter_map(compile).collect()
    });
    RateLimitPolicy {
        patterns,
        wait: seconds(wait_seconds.unwrap_or(3600)),
        on_overage: match on_overage {
            Some(api::retry::OnOverage::Spend) => OnOverage::Spend,
            Some(api::retry::OnOverage::Wait) | None => OnOverage::Wait,
        },
        leave: leave.unwrap_or(0.0),
        max_wait: match context.sources.mode() {
            Mode::Local => Some(seconds(max_wait_seconds.unwrap_or(43_200))),
            // Nobody's laptop is kept awake for it.
            Mode::Cluster => None,
        },
        give_up_after: seconds(give_up_after_seconds.unwrap_or(604_800)),
        max_waits,
    }
}

/// Compiles a pattern, or reports why it is none.
pub fn regex(text: &str, any_case: bool, path: &str, context: &mut Context<'_>) -> Option<Regex> {
    match RegexBuilder::new(text).case_insensitive(any_case).size_limit(1 << 20).build() {
        Ok(regex) => Some(regex),
        Err(error) => {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned();
            let help = if why.contains("look-") || why.contains("backreference") {
                "patterns run in linear time, so there is no look-around and no backreference; a `command_succeeds` with `grep -P` has them"
            } else {
                "mend the pattern; in YAML single quotes keep a backslash as it is"
            };
            context.error(path, format!("`{}` is no regular expression: {why}", context.name(path)), help);
            None
        }
    }
}

pub fn budget(api: Option<&api::backend::Budget>, context: &mut Context<'_>) -> Budget {
    let Some(api) = api else { return Budget::default() };
    let budget = Budget {
        per_attempt_micro_usd: api.per_attempt_usd.as_ref().and_then(micro),
        per_run_micro_usd: api.per_run_usd.as_ref().and_then(micro),
        on_reached: match api.on_reached {
            Some(api::backend::OnReached::Stop) => OnReached::Stop,
            Some(api::backend::OnReached::Suspend) | None => OnReached::Suspend,
        },
    };
    for (path, amount) in [
        ("budget.perAttemptUSD", budget.per_attempt_micro_usd),
        ("budget.perRunUSD", budget.per_run_micro_usd),
    ] {
        if amount == Some(0) {
            let message = format!("`{}` is nothing: no attempt could start", context.name(path));
            context.error(path, message, "write what may be spent, or leave it out");
        }
    }
    if let (Some(attempt), Some(run)) = (budget.per_attempt_micro_usd, budget.per_run_micro_usd)
        && attempt > run
    {
        let message = format!(
            "`{}` is more than `{}`: no attempt could start",
            context.name("budget.perAttemptUSD"),
            context.name("budget.perRunUSD")
        );
        context.error("budget.perAttemptUSD", message, "a run needs at least one attempt's money");
    }
    if budget.per_run_micro_usd.is_none() && context.has("budget.onReached") {
        let limit = context.spell("perRunUSD");
        let message = format!("`{}` does nothing without `{limit}`", context.name("budget.onReached"));
        context.error("budget.onReached", message, format!("add `{limit}: \"50\"`"));
    }
    budget
}

/// Dollars with at most six places, as the schema has checked, in millionths.
fn micro(dollars: &Dollars) -> Option<u64> {
    let text = match &dollars.0 {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let (whole, places) = text.split_once('.').unwrap_or((&text, ""));
    let places: u64 = format!("{places:0<6}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(places)
}
