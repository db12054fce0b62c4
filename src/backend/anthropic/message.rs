//! The answer as it comes, event by event or whole.

use serde::Deserialize;

use super::failure;
use crate::{
    backend::prices,
    job::outcome::{Failure, Usage},
};

/// What has come of the answer.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) model: String,
    pub(super) text: String,
    pub(super) stop_reason: Option<String>,
    /// Tokens, without their cost.
    pub(super) usage: Usage,
    /// Whether the service said that it was done.
    pub(super) complete: bool,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Whole,
    },
    ContentBlockStart {
        content_block: Block,
    },
    ContentBlockDelta {
        delta: Block,
    },
    MessageDelta {
        delta: Delta,
        usage: Option<Tokens>,
    },
    MessageStop,
    Error {
        error: failure::ErrorBody,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Whole {
    model: String,
    #[serde(default)]
    content: Vec<Block>,
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    usage: Tokens,
}

/// A content block or a part of one; only text counts.
#[derive(Deserialize)]
struct Block {
    #[serde(default)]
    text: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    #[serde(default)]
    stop_reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the names of the Messages API")]
struct Tokens {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
}

impl Message {
    /// Takes the data of the next event.
    ///
    /// # Errors
    /// With the failure that an `error` event after the beginning of the answer is.
    pub(super) fn take(&mut self, event: &[u8]) -> Result<(), Failure> {
        // Events of a kind or shape that is not known say nothing.
        let Ok(event) = serde_json::from_slice(event) else { return Ok(()) };
        match event {
            Event::MessageStart { message } => self.begin(message),
            Event::ContentBlockStart { content_block: block } | Event::ContentBlockDelta { delta: block } => {
                self.text.push_str(block.text.as_deref().unwrap_or_default());
            }
            Event::MessageDelta { delta, usage } => {
                self.stop_reason = delta.stop_reason.or(self.stop_reason.take());
                self.count(&usage.unwrap_or_default());
            }
            Event::MessageStop => self.complete = true,
            Event::Error { error } => return Err(error.in_mid_answer()),
            Event::Other => {}
        }
        Ok(())
    }

    /// Takes an answer that was not streamed.
    ///
    /// # Errors
    /// When it is no message.
    pub(super) fn take_whole(&mut self, body: &[u8]) -> Result<(), serde_json::Error> {
        self.begin(serde_json::from_slice(body)?);
        self.complete = true;
        Ok(())
    }

    /// Its usage with the cost.
    pub(super) fn spent(&self) -> Usage {
        let cost_micro_usd = prices::cost_micro_usd(&self.model, &self.usage).unwrap_or(0);
        let dearest_turn_micro_usd = prices::without_cache_micro_usd(&self.model, &self.usage).unwrap_or(0);
        Usage { cost_micro_usd, dearest_turn_micro_usd, ..self.usage }
    }

    /// Whether the cost of its model is known.
    pub(super) fn has_price(&self) -> bool {
        prices::cost_micro_usd(&self.model, &self.usage).is_some()
    }

    fn begin(&mut self, message: Whole) {
        self.model = message.model;
        self.text.extend(message.content.into_iter().filter_map(|block| block.text));
        self.stop_reason = message.stop_reason;
        self.count(&message.usage);
    }

    /// The figures of an event are totals, not steps.
    fn count(&mut self, tokens: &Tokens) {
        let usage = &mut self.usage;
        for (total, new) in [
            (&mut usage.input_tokens, tokens.input_tokens),
            (&mut usage.output_tokens, tokens.output_tokens),
            (&mut usage.cache_read_tokens, tokens.cache_read_input_tokens),
            (&mut usage.cache_write_tokens, tokens.cache_creation_input_tokens),
        ] {
            *total = new.unwrap_or(*total);
        }
    }
}
