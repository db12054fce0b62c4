//! What the lines of one process come to so far.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::stream::{Assistant, Init, Line, MessageUsage, ModelUsage, RateLimit, ResultLine, Retry};
use crate::{backend::prices, job::outcome::Usage};

/// A message is printed before its last tokens are counted. So many bytes of it are taken for one, which is few: a
/// budget is watched by it.
const BYTES_A_TOKEN: u64 = 3;

/// The `subtype` of a run that ended at its budget.
pub(super) const BUDGET_USED_UP: &str = "error_max_budget_usd";

/// What the lines of one process come to so far.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    /// The session began.
    pub(super) init: Option<Init>,
    /// How many lines have shown that the service accepts requests.
    pub(super) acceptances: u32,
    /// The last wait, while nothing else has followed it.
    pub(super) waiting: Option<Retry>,
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
    messages: BTreeMap<String, Answered>,
    /// The dearest of all messages, had nothing of it been in the cache.
    dearest_turn_micro_usd: u64,
    /// The last message that a sub-agent said.
    last_of_sub_agent: Option<Usage>,
    /// Whether a sub-agent was told something since it last said anything.
    sub_agent_asks: bool,
    /// The models that answered the session itself, not its sub-agents.
    pub(super) models: BTreeSet<String>,
}

/// A request that was answered, as far as its lines tell.
#[derive(Debug, Default)]
struct Answered {
    model: String,
    usage: MessageUsage,
    bytes: u64,
}

impl Answered {
    fn usage(&self) -> Usage {
        let mut usage = Usage {
            input_tokens: self.usage.input_tokens,
            output_tokens: self.usage.output_tokens.max(self.bytes.div_ceil(BYTES_A_TOKEN)),
            cache_read_tokens: self.usage.cache_read_input_tokens,
            cache_write_tokens: self.usage.cache_creation_input_tokens,
            partial: true,
            ..Usage::default()
        };
        usage.cost_micro_usd = prices::cost_micro_usd(&self.model, &usage).unwrap_or(0);
        usage.dearest_turn_micro_usd = prices::without_cache_micro_usd(&self.model, &usage).unwrap_or(0);
        usage
    }
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
            Line::Retry(retry) => self.waiting = Some(retry),
            Line::TaskStarted(task) => {
                self.tasks.insert(task);
            }
            Line::TaskEnded(task) => {
                self.tasks.remove(&task);
            }
            Line::Assistant(assistant) => self.take_message(assistant),
            Line::SubAgentTold => self.sub_agent_asks = true,
            Line::RateLimit(limit) => self.take_rate_limit(limit),
            Line::Result(result) => self.take_result(*result),
            Line::Other => {}
        }
    }

    fn take_message(&mut self, Assistant { message, parent_tool_use_id, error }: Assistant) {
        self.waiting = None;
        if message.is_synthetic() {
            if error.is_some() {
                self.error = error;
            }
            return;
        }
        self.acceptances += u32::from(error.is_none());
        if parent_tool_use_id.is_none() {
            self.models.insert(message.model.clone());
        }
        let answered = self.messages.entry(message.id).or_default();
        (answered.model, answered.usage) = (message.model, message.usage);
        answered.bytes += text_bytes(&message.content);
        let usage = answered.usage();
        self.dearest_turn_micro_usd = self.dearest_turn_micro_usd.max(usage.dearest_turn_micro_usd);
        if parent_tool_use_id.is_some() {
            self.last_of_sub_agent = Some(usage);
        }
        self.sub_agent_asks = false;
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
            // What the messages did not show was in each of them alike.
            let shown = self.in_messages().cost_micro_usd.max(1);
            let exact = since.map_or(0, |since| since.cost_micro_usd).max(shown);
            let scaled = |micro_usd: u64| micro_usd.saturating_mul(exact).div_ceil(shown);
            self.dearest_turn_micro_usd = scaled(self.dearest_turn_micro_usd);
            self.messages.clear();
            if result.subtype == BUDGET_USED_UP
                && self.sub_agent_asks
                && let (Some(told), Some(last)) = (&mut self.told, self.last_of_sub_agent.take())
            {
                // The sub-agent did not wait for the look at the budget: its next request is under way, is broken off,
                // and is not in what Claude Code counts.
                *told += Usage { cost_micro_usd: scaled(last.cost_micro_usd), ..last };
            }
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
        let mut usage = match (self.told, &self.result) {
            (Some(mut told), _) => {
                told += self.in_messages();
                told
            }
            (None, Some(result)) if !continued && !result.session_usage.is_empty() => {
                let mut usage = sum(result.session_usage.values());
                usage.cost_micro_usd = micro_usd(result.total_cost_usd);
                usage
            }
            (None, _) => self.in_messages(),
        };
        usage.dearest_turn_micro_usd = self.dearest_turn_micro_usd;
        usage
    }

    fn in_messages(&self) -> Usage {
        let mut sum = Usage::default();
        for answered in self.messages.values() {
            sum += answered.usage();
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
            ..Usage::default()
        };
    }
    sum
}

/// The length of all texts in `content`.
fn text_bytes(content: &Value) -> u64 {
    match content {
        Value::String(text) => text.len() as u64,
        Value::Array(values) => values.iter().map(text_bytes).sum(),
        Value::Object(fields) => fields.values().map(text_bytes).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and a cost is neither negative nor beyond a u64"
)]
fn micro_usd(dollars: f64) -> u64 {
    (dollars * 1e6).round() as u64
}
