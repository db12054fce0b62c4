//! Where the limits stand, by the headers that every answer of the service carries.

use jiff::Timestamp;
use reqwest::header::HeaderMap;

use crate::{backend::limits, job::outcome::GateSignal};

/// A plan's windows: `…-5h-utilization`, `…-7d-reset`, `…-status`.
const UNIFIED: &str = "anthropic-ratelimit-unified-";

/// A key's buckets: `…-requests-limit`, `-remaining`, `-reset`.
const BUCKETS: [&str; 4] = ["requests", "tokens", "input-tokens", "output-tokens"];

/// What an accepted request says of the limits: extra usage, else the used share of the fullest window.
pub(super) fn signal(headers: &HeaderMap, now: Timestamp) -> Option<GateSignal> {
    if text(headers, &format!("{UNIFIED}overage-in-use")) == Some("true") {
        return Some(GateSignal::Overage { resets_at: moment(headers, &format!("{UNIFIED}reset"), now) });
    }
    let windows = unified(headers, now).chain(buckets(headers, now));
    let (share, resets_at) = windows.max_by(|one, other| one.0.total_cmp(&other.0))?;
    Some(GateSignal::Utilization { share, resets_at })
}

/// When the plan's limit that refused a request is over.
pub(super) fn rejected_until(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let rejected = text(headers, &format!("{UNIFIED}status")) == Some("rejected");
    rejected.then(|| moment(headers, &format!("{UNIFIED}reset"), now)).flatten()
}

fn unified(headers: &HeaderMap, now: Timestamp) -> impl Iterator<Item = (f64, Option<Timestamp>)> {
    headers.keys().filter_map(move |name| {
        let window = name.as_str().strip_prefix(UNIFIED)?.strip_suffix("-utilization")?;
        let share = text(headers, name.as_str())?.parse().ok()?;
        Some((share, moment(headers, &format!("{UNIFIED}{window}-reset"), now)))
    })
}

fn buckets(headers: &HeaderMap, now: Timestamp) -> impl Iterator<Item = (f64, Option<Timestamp>)> {
    BUCKETS.into_iter().filter_map(move |bucket| {
        let field = |name: &str| format!("anthropic-ratelimit-{bucket}-{name}");
        let number = |name: &str| text(headers, &field(name))?.parse::<f64>().ok();
        let limit = number("limit").filter(|limit| *limit > 0.0)?;
        Some((1.0 - number("remaining")? / limit, moment(headers, &field("reset"), now)))
    })
}

fn moment(headers: &HeaderMap, name: &str, now: Timestamp) -> Option<Timestamp> {
    limits::moment(&text(headers, name)?.into(), now)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-22T20:00:00Z".parse().unwrap()
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (name.parse::<reqwest::header::HeaderName>().unwrap(), value.parse().unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn share(pairs: &[(&'static str, &str)]) -> Option<(f64, Option<Timestamp>)> {
        match signal(&headers(pairs), now())? {
            GateSignal::Utilization { share, resets_at } => Some((share, resets_at)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_fullest_window_counts_with_its_own_reset() {
        let windows = [
            ("anthropic-ratelimit-unified-5h-utilization", "0.25"),
            ("anthropic-ratelimit-unified-5h-reset", "1795380000"),
            ("anthropic-ratelimit-unified-7d-utilization", "0.95"),
            ("anthropic-ratelimit-unified-7d-reset", "1795467600"),
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "40"),
        ];
        assert_eq!(share(&windows), Some((0.95, Some(Timestamp::from_second(1_795_467_600).unwrap()))));
    }

    #[test]
    fn a_bucket_is_used_by_what_does_not_remain_of_it() {
        let bucket = [
            ("anthropic-ratelimit-input-tokens-limit", "1000"),
            ("anthropic-ratelimit-input-tokens-remaining", "250"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-11-22T20:00:30Z"),
        ];
        assert_eq!(share(&bucket), Some((0.75, Some("2026-11-22T20:00:30Z".parse().unwrap()))));
    }

    #[test]
    fn headers_that_make_no_sense_say_nothing() {
        for pairs in [
            &[][..],
            &[("anthropic-ratelimit-requests-limit", "0"), ("anthropic-ratelimit-requests-remaining", "0")],
            &[("anthropic-ratelimit-unified-5h-utilization", "full")],
        ] {
            assert_eq!(share(pairs), None);
        }
        let rejected = headers(&[("anthropic-ratelimit-unified-status", "rejected")]);
        assert_eq!(rejected_until(&rejected, now()), None);
    }

    #[test]
    fn extra_usage_is_told_before_any_share() {
        let overage = headers(&[
            ("anthropic-ratelimit-unified-overage-in-use", "true"),
            ("anthropic-ratelimit-unified-5h-utilization", "1"),
            ("anthropic-ratelimit-unified-reset", "1795380000"),
        ]);
        assert!(matches!(signal(&overage, now()), Some(GateSignal::Overage { resets_at: Some(_) })));
    }
}
