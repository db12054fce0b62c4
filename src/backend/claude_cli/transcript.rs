//! What the lines of one process come to so far.

use std::collections::{BTreeMap, BTreeSet};

use super::stream::{Assistant, Init, Line, MessageUsage, ModelUsage, RateLimit, ResultLine, Retry};
use crate::{backend::prices, job::outcome::Usage};

/// What the lines of one process come to so far.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    /// The session began.
    pub(super) init: Option<Init>,
    /// How many lines have shown that the service accepts requests.
    pub(super) acceptances: u32,
    /// The last wait, while nothing else has followed it.
    pub(super) waiting: Option<Retry>,
    /// The last wait of all.
    pub(super) last_retry: Option<Retry>,
    /// The category of the last message that the tool made up to report an error.
    pub(super) error: Option<String>,
    /// The last word about the plan's limits.
    pub(super) rate_limit: Option<RateLimit>,
    /// The last rejection that was not covered by extra usage.
    pub(super) rejected: Option<RateLimit>,
    /// Whether extra usage was used.
    pub(super) overage: Option<RateLimit>,
    /// The last result.
    pub(super) result: Option<ResultLine>,
    /// The last result text that is not empty.
    pub(super) answer: Option<String>,
    /// Background tasks that have not ended.
    pub(super) tasks: BTreeSet<String>,
    /// Exact, from the results; `None` once a result did not say it.
    told: Option<Usage>,
    any_result: bool,
    /// Messages since the last result, by id.
    messages: BTreeMap<String, (String, MessageUsage)>,
}

impl Transcript {
    /// Whether a request of this process was accepted by the service.
    pub(super) fn accepted(&self) -> bool {
        self.acceptances > 0
    }

    /// Takes the next line.
    pub(super) fn take(&mut self, line: Line) {
        match line {
            Line::Init(init) => self.init = self.init.take().or(Some(init)),
            Line::Retry(retry) => {
                self.waiting = Some(retry.clone());
                self.last_retry = Some(retry);
            }
            Line::TaskStarted(task) => {
                self.tasks.insert(task);
            }
            Line::TaskEnded(task) => {
                self.tasks.remove(&task);
            }
            Line::Assistant(assistant) => self.take_message(assistant),
            Line::RateLimit(limit) => self.take_rate_limit(limit),
            Line::Result(result) => self.take_result(*result),
            Line::Other => {}
        }
    }

    fn take_message(&mut self, Assistant { message, error }: Assistant) {
        self.waiting = None;
        if message.is_synthetic() {
            if error.is_some() {
                self.error = error;
            }
            return;
        }
        self.acceptances += u32::from(error.is_none());
        self.messages.insert(message.id, (message.model, message.usage));
    }

    fn take_rate_limit(&mut self, limit: RateLimit) {
        if limit.is_using_overage {
            self.overage = Some(limit.clone());
        } else if limit.status == "rejected" {
            self.rejected = Some(limit.clone());
        }
        self.acceptances += u32::from(limit.status.starts_with("allowed") || limit.is_using_overage);
        self.rate_limit = Some(limit);
    }

    fn take_result(&mut self, result: ResultLine) {
        self.waiting = None;
        let since = result.model_usage_since_last_result.as_ref().map(|models| sum(models.values()));
        self.told = match (since, self.told, self.any_result) {
            (Some(since), None, false) => Some(since),
            (Some(since), Some(mut told), _) => {
                told += since;
                Some(told)
            }
            (Some(_), None, true) | (None, ..) => None,
        };
        self.any_result = true;
        // A refusal without a word leaves no message behind, only its cost.
        if !self.accepted() && self.told.is_some_and(|told| told.tokens() > 0) {
            self.acceptances += 1;
        }
        if self.told.is_some() {
            self.messages.clear();
        }
        if !result.result.is_empty() {
            self.answer = Some(result.result.clone());
        }
        self.result = Some(result);
    }

    /// What this process used. Exact where its results said it; what came after the last of them, or everything where
    /// they did not say it, is summed from messages, which is a part.
    ///
    /// `continued` is whether the session is older than the process: the totals of a result are the session's.
    pub(super) fn usage(&self, continued: bool) -> Usage {
        if let Some(mut told) = self.told {
            told += self.in_messages();
            return told;
        }
        match &self.result {
            Some(result) if !continued && !result.session_usage.is_empty() => {
                let mut usage = sum(result.session_usage.values());
                usage.cost_micro_usd = micro_usd(result.total_cost_usd);
                usage
            }
            _ => self.in_messages(),
        }
    }

    fn in_messages(&self) -> Usage {
        let mut sum = Usage::default();
        for (model, message) in self.messages.values() {
            let mut usage = Usage {
                input_tokens: message.input_tokens,
                output_tokens: message.output_tokens,
                cache_read_tokens: message.cache_read_input_tokens,
                cache_write_tokens: message.cache_creation_input_tokens,
                cost_micro_usd: 0,
                // A message is printed before its last tokens are counted.
                partial: true,
            };
            usage.cost_micro_usd = prices::cost_micro_usd(model, &usage).unwrap_or(0);
            sum += usage;
        }
        sum
    }
}

fn sum<'a>(models: impl Iterator<Item = &'a ModelUsage>) -> Usage {
    let mut sum = Usage::default();
    for model in models {
        sum += Usage {
            input_tokens: model.input_tokens,
            output_tokens: model.output_tokens,
            cache_read_tokens: model.cache_read_input_tokens,
            cache_write_tokens: model.cache_creation_input_tokens,
            cost_micro_usd: micro_usd(model.cost_usd),
            partial: false,
        };
    }
    sum
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and a cost is neither negative nor beyond a u64"
)]
fn micro_usd(dollars: f64) -> u64 {
    (dollars * 1e6).round() as u64
}
