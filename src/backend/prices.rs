//! What the models' tokens cost, for what nobody else has counted: API calls, and processes that were killed.

use crate::job::outcome::Usage;

/// When [`PRICES`] was last compared with the "Pricing" page of Anthropic's documentation.
pub const AS_OF: &str = "2026-11-22";

/// Dollars for a million tokens in and out, by the beginning of a model's name. The first that fits counts.
const PRICES: [(&str, u64, u64); 9] = [
    ("claude-fable-5", 10, 50),
    ("claude-opus-5", 5, 25),
    ("claude-opus-4-5", 5, 25),
    ("claude-opus-4-6", 5, 25),
    ("claude-opus-4-7", 5, 25),
    ("claude-opus-4-8", 5, 25),
    ("claude-sonnet-5", 2, 10),
    ("claude-sonnet-4", 3, 15),
    ("claude-haiku-4-5", 1, 5),
];

/// Of an input token's price, in hundredths: a token read from the prompt cache.
const CACHE_READ_PERCENT: u64 = 10;
/// Of an input token's price, in hundredths: a token written to the prompt cache for five minutes.
const CACHE_WRITE_PERCENT: u64 = 125;

/// The cost of `usage`'s tokens in millionths of a dollar, rounded up; `None` for a model whose price is not known.
pub fn cost_micro_usd(model: &str, usage: &Usage) -> Option<u64> {
    // Dollars for a million tokens are millionths of a dollar for one.
    let &(_, input, output) = PRICES.iter().find(|(name, ..)| model.starts_with(name))?;
    let hundredths = input
        * (100 * usage.input_tokens
            + CACHE_READ_PERCENT * usage.cache_read_tokens
            + CACHE_WRITE_PERCENT * usage.cache_write_tokens)
        + 100 * output * usage.output_tokens;
    Some(hundredths.div_ceil(100))
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
        assert_eq!(cost_micro_usd("claude-opus-5-5", &usage), Some(5_000 + 2_500 + 5_000 + 2_500));
        assert_eq!(cost_micro_usd("claude-haiku-4-5-20251001", &usage), Some(1_000 + 500 + 1_000 + 500));
    }

    #[test]
    fn a_model_that_is_not_listed_has_no_price() {
        assert_eq!(cost_micro_usd("claude-next", &Usage::default()), None);
    }
}
