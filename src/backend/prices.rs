//! What the models' tokens cost, for what nobody else has counted: API calls, and processes that were killed.

use crate::job::outcome::Usage;

/// When [`PRICES`] was last compared with its source: the list that Claude Code 2.1.330 counts with (`costBasis: list`).
pub const AS_OF: &str = "2026-11-22";

/// Cents for a million tokens in and out, by the model's name without the date that may follow it.
const PRICES: [(&str, u64, u64); 13] = [
    ("claude-fable-5", 1000, 5000),
    ("claude-opus-5-5", 400, 2000),
    ("claude-opus-5", 500, 2500),
    ("claude-opus-4-8", 500, 2500),
    ("claude-opus-4-7", 500, 2500),
    ("claude-opus-4-6", 500, 2500),
    ("claude-opus-4-5", 500, 2500),
    ("claude-sonnet-5-5", 200, 1000),
    ("claude-sonnet-5", 200, 1000),
    ("claude-sonnet-4-6", 300, 1500),
    ("claude-sonnet-4-5", 300, 1500),
    ("claude-haiku-5-5", 10, 50),
    ("claude-haiku-4-5", 100, 500),
];

/// Of an input token's price, in hundredths: a token read from the prompt cache.
const CACHE_READ_PERCENT: u64 = 10;
/// Of an input token's price, in hundredths: a token written to the prompt cache for five minutes.
const CACHE_WRITE_PERCENT: u64 = 125;

/// The cost of `usage`'s tokens in millionths of a dollar, rounded up; `None` for a model whose price is not known.
pub fn cost_micro_usd(model: &str, usage: &Usage) -> Option<u64> {
    let is = |name: &str| {
        let date = model
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('-').or(rest.is_empty().then_some(rest)));
        date.is_some_and(|date| {
            date.is_empty() || date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let &(_, input, output) = PRICES.iter().find(|(name, ..)| is(name))?;
    let hundredths_of_tokens = 100 * usage.input_tokens
        + CACHE_READ_PERCENT * usage.cache_read_tokens
        + CACHE_WRITE_PERCENT * usage.cache_write_tokens;
    // A cent for a million tokens is a hundredth of a millionth of a dollar for one.
    Some((input * hundredths_of_tokens + 100 * output * usage.output_tokens).div_ceil(10_000))
}

/// What `usage`, of one request, would cost if all it was sent had to be written to the prompt cache again.
pub fn without_cache_micro_usd(model: &str, usage: &Usage) -> Option<u64> {
    let sent = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens;
    let all_new = Usage { input_tokens: 0, cache_read_tokens: 0, cache_write_tokens: sent, ..*usage };
    cost_micro_usd(model, &all_new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_the_sum_of_its_kinds_of_tokens() {
        let usage = Usage {
            input_tokens: 1_000,
            output_tokens: 100,
            cache_read_tokens: 10_000,
            cache_write_tokens: 400,
            ..Usage::default()
        };
        assert_eq!(cost_micro_usd("claude-opus-5-5", &usage), Some(4_000 + 2_000 + 4_000 + 2_000));
        assert_eq!(cost_micro_usd("claude-haiku-4-5-20251001", &usage), Some(1_000 + 500 + 1_000 + 500));
        assert_eq!(without_cache_micro_usd("claude-opus-5-5", &usage), Some(11_400 * 5 + 2_000));
    }

    #[test]
    fn a_model_that_is_not_listed_has_no_price() {
        for model in ["claude-next", "claude-opus-5-6", "claude-opus", ""] {
            assert_eq!(cost_micro_usd(model, &Usage::default()), None, "{model}");
        }
    }
}
