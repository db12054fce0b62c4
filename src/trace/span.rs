//! From what is recorded of a run to its spans: one for each attempt that ended, and one for the run when it is over.

use jiff::Timestamp;

use super::otlp::{AnyValue, ArrayValue, KeyValue, Span, SpanKind, Status, StatusCode, Value};
use crate::{
    engine::{
        event::{Event, EventKind},
        ledger::{Ledger, RunPhase},
    },
    job::{
        identity::{AttemptKey, AttemptName},
        outcome::{Outcome, Provenance, Usage},
        trace::{SpanId, TraceId},
    },
};

/// Whose runs are traced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The job's name.
    pub job: String,
    /// Its namespace, in a cluster.
    pub namespace: Option<String>,
}

/// The spans of what ended by `journal`, after which the run stands as `ledger` says. No prompt, no answer and nothing that
/// a program has printed is in them.
pub(super) fn spans(origin: &Origin, ledger: &Ledger, journal: &[Event]) -> Vec<Span> {
    let ended = journal.iter().filter_map(|event| match &event.kind {
        EventKind::AttemptEnded { key, outcome, .. } => Some(of_attempt(origin, ledger, *key, outcome)),
        EventKind::RunEnded { .. } => Some(of_run(origin, ledger, event.at)),
        _ => None,
    });
    ended.collect()
}

fn of_attempt(origin: &Origin, ledger: &Ledger, key: AttemptKey, outcome: &Outcome) -> Span {
    let mut known = Attributes::of(origin, ledger);
    known.add("mozart.batch", key.batch.0);
    known.add("mozart.attempt", key.ordinal);
    known.add("mozart.cost_usd", dollars(&outcome.usage));
    if let Some(failure) = &outcome.failure {
        known.add("mozart.class", failure.class.word());
    }
    if let Some(code) = outcome.exit_code {
        known.add("process.exit.code", code);
    }
    if let Some(provenance) = &outcome.provenance {
        known.of_model(provenance, outcome);
    }
    let reason = outcome.failure.as_ref().map(|failure| failure.reason.as_str());
    let name = AttemptName { run: &ledger.run, key };
    let parent = SpanId::of_run(&ledger.run).0.to_vec();
    let took = (outcome.started, outcome.ended);
    Span { parent_span_id: parent, ..known.span(ledger, SpanId::of_attempt(name), "attempt", took, reason) }
}

fn of_run(origin: &Origin, ledger: &Ledger, now: Timestamp) -> Span {
    let mut known = Attributes::of(origin, ledger);
    known.add("mozart.run.batches", ledger.selected.len());
    known.add("mozart.run.succeeded", ledger.succeeded.len());
    known.add("mozart.run.failed", ledger.failed.len());
    // Not by the names that attempts have: who sums those would count everything twice.
    known.add("mozart.run.tokens", ledger.usage.tokens());
    known.add("mozart.run.cost_usd", dollars(&ledger.usage));
    let reason = match &ledger.phase {
        RunPhase::Failed { reason, .. } => Some(reason.as_str()),
        _ => None,
    };
    let took = (ledger.started, ledger.ended.unwrap_or(now));
    known.span(ledger, SpanId::of_run(&ledger.run), &format!("run {}", origin.job), took, reason)
}

/// What is known of a span.
struct Attributes(Vec<KeyValue>);

impl Attributes {
    fn of(origin: &Origin, ledger: &Ledger) -> Self {
        let mut known = Self(Vec::new());
        known.add("mozart.job", origin.job.as_str());
        known.add("mozart.run", ledger.run.run);
        if let Some(namespace) = &origin.namespace {
            known.add("k8s.namespace.name", namespace.as_str());
        }
        known
    }

    fn add(&mut self, key: &'static str, value: impl Into<Value>) {
        self.0.push(KeyValue::new(key, value.into()));
    }

    /// By OpenTelemetry's conventions for generative AI.
    fn of_model(&mut self, provenance: &Provenance, outcome: &Outcome) {
        let Provenance { model, version, api_key_source: _, stop_reason } = provenance;
        // Only Claude Code says its version: it is an agent, what else answers is the model itself.
        self.add("gen_ai.operation.name", if version.is_some() { "invoke_agent" } else { "chat" });
        self.add("gen_ai.provider.name", "anthropic");
        if let Some(model) = model {
            self.add("gen_ai.response.model", model.as_str());
        }
        if let Some(reason) = stop_reason {
            let values = vec![AnyValue { value: Some(reason.as_str().into()) }];
            self.add("gen_ai.response.finish_reasons", Value::List(ArrayValue { values }));
        }
        if let Some(session) = outcome.session {
            self.add("gen_ai.conversation.id", session.to_string().as_str());
        }
        let usage = &outcome.usage;
        // There all that was sent is input, whether it came from the cache or not.
        let input = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens;
        self.add("gen_ai.usage.input_tokens", input);
        self.add("gen_ai.usage.cache_read.input_tokens", usage.cache_read_tokens);
        self.add("gen_ai.usage.cache_creation.input_tokens", usage.cache_write_tokens);
        self.add("gen_ai.usage.output_tokens", usage.output_tokens);
    }

    /// A span of the run of `ledger` that failed for `reason`, if it failed.
    fn span(
        mut self,
        ledger: &Ledger,
        id: SpanId,
        name: &str,
        (start, end): (Timestamp, Timestamp),
        reason: Option<&str>,
    ) -> Span {
        let status = reason.map(|reason| {
            self.add("error.type", reason);
            Status { message: reason.to_owned(), code: StatusCode::Error.into() }
        });
        Span {
            trace_id: TraceId::of(&ledger.run).0.to_vec(),
            span_id: id.0.to_vec(),
            parent_span_id: Vec::new(),
            name: name.to_owned(),
            kind: SpanKind::Internal.into(),
            start_time_unix_nano: nanoseconds(start),
            // The clock may have been set back meanwhile.
            end_time_unix_nano: nanoseconds(end.max(start)),
            attributes: self.0,
            status,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "what is shown of an amount has fewer digits than a double")]
fn dollars(usage: &Usage) -> f64 {
    usage.cost_micro_usd as f64 / 1e6
}

/// Of the whole milliseconds that ledgers have: an attempt that ended with its run would else end after it.
fn nanoseconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_millisecond()).unwrap_or(0).saturating_mul(1_000_000)
}
