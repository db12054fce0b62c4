//! The operator in numbers.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use http::{Request, Response};
use prometheus_client::metrics::{
    counter::Counter,
    family::Family,
    gauge::Gauge,
    histogram::{Histogram, exponential_buckets},
};
use tokio::time::Instant;

use super::{
    book::{Book, Documented},
    share::{Share, Words},
};
use crate::{
    api::status::Phase,
    engine::{
        event::{Event, EventKind},
        gate::GateState,
        summary::Summary,
    },
    job::outcome::{FailureClass, Outcome},
    launch::pod::Counts,
};

/// The word of an attempt that ended well.
const SUCCEEDED: &str = "succeeded";
/// So many models have a series of their own; a model's name comes out of a Pod, and may be anything.
const MODELS: usize = 32;
/// The model of all others.
const OTHER: &str = "other";

type Labels<const N: usize> = [(&'static str, String); N];
/// A counter with one label, whose values are closed words.
type Counted = Family<[(&'static str, &'static str); 1], Counter>;
type Dollars = Counter<f64, AtomicU64>;

/// The operator in numbers.
#[derive(Debug)]
pub struct Metrics {
    book: Book,
    /// 1 while this process leads.
    pub(super) leader: Gauge,
    jobs: Words,
    batches: Words,
    credentials: Words,
    runs_started: Counter,
    runs_ended: Counted,
    batches_ended: Counted,
    attempts_ended: Counted,
    attempt_seconds: Histogram,
    tokens: Family<Labels<4>, Counter>,
    dollars: Family<Labels<3>, Dollars>,
    models: Mutex<BTreeSet<String>>,
    turn_seconds: Histogram,
    save_seconds: Histogram,
    saves_failed: Counter,
    troubles: Counter,
    requests: Family<Labels<2>, Counter>,
    request_seconds: Histogram,
}

/// Whose attempts are counted.
#[derive(Clone, Copy, Debug)]
pub struct Payer<'a> {
    /// Their namespace.
    pub namespace: &'a str,
    /// Their credential; empty for backends without one.
    pub credential: &'a str,
}

impl Metrics {
    #[expect(clippy::too_many_lines, reason = "a table, one entry a metric")]
    pub(super) fn new(pods: &Counts) -> Self {
        let mut book = Book::default();
        let version: Family<[(&'static str, &'static str); 1], Gauge> = Family::default();
        version.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        book.gauge("mozart_build_info", &["version"], "1, with the version of the program", version);
        let leader = book.gauge(
            "mozart_leader",
            &[],
            "1 while this process leads, 0 while it stands by",
            Gauge::default(),
        );
        let jobs = book.gauge(
            "mozart_jobs",
            &["phase"],
            "Jobs of the operator's namespaces",
            known("phase", &PHASES.map(Phase::word)),
        );
        let batches = book.gauge(
            "mozart_batches",
            &["state"],
            "Batches of active runs that have not ended",
            known("state", &["running", "waiting", "pending"]),
        );
        let credentials = book.gauge(
            "mozart_credentials",
            &["gate"],
            "Credentials; `closed` waits for a limit, in `canary` one attempt tries, `held` waits for a person",
            known("gate", &["open", "closed", "canary", "held"]),
        );
        let runs_started =
            book.counter("mozart_runs_started_total", &[], "Runs that began", Counter::default());
        let runs_ended = book.counter(
            "mozart_runs_ended_total",
            &["outcome"],
            "Runs that ended",
            known("outcome", &["complete", "failed"]),
        );
        let batches_ended = book.counter(
            "mozart_batches_ended_total",
            &["outcome"],
            "Batches that ended for good",
            known("outcome", &[SUCCEEDED, "failed"]),
        );
        let classes: Vec<&str> =
            std::iter::once(SUCCEEDED).chain(FailureClass::ALL.map(FailureClass::word)).collect();
        let attempts_ended = book.counter(
            "mozart_attempts_ended_total",
            &["outcome"],
            "Attempts that ended: `succeeded`, or the class of their failure",
            known("outcome", &classes),
        );
        let attempt_seconds = book.histogram(
            "mozart_attempt_duration_seconds",
            "How long attempts ran",
            exponential_buckets(1.0, 2.0, 14),
        );
        let tokens = book.counter(
            "mozart_tokens_total",
            &["namespace", "credential", "model", "kind"],
            "Tokens of attempts that ended: `input`, `output`, `cache_read`, `cache_write`",
            Family::default(),
        );
        let dollars = book.counter(
            "mozart_cost_usd_total",
            &["namespace", "credential", "model"],
            "What attempts that ended have cost, in US dollars, as the tool or the price list says",
            Family::default(),
        );
        book.counter(
            "mozart_unexpected_pods_total",
            &[],
            "Pods that were ended since they had our label and were in no ledger: a second operator, or somebody's copy",
            pods.unexpected.clone(),
        );
        let turn_seconds = book.histogram(
            "mozart_turn_duration_seconds",
            "How long a job's turn takes, from looking at its Pods to having decided",
            [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0]
                .into_iter(),
        );
        let save_seconds = book.histogram(
            "mozart_save_duration_seconds",
            "How long a ledger takes to be saved, its wait for the budget of bytes included",
            exponential_buckets(0.001, 2.0, 14),
        );
        let saves_failed = book.counter(
            "mozart_save_failures_total",
            &[],
            "Ledgers that could not be saved; each is tried again",
            Counter::default(),
        );
        let troubles = book.counter(
            "mozart_reconcile_errors_total",
            &[],
            "Looks at a job that an error ended; each is taken up again",
            Counter::default(),
        );
        let requests = book.counter(
            "mozart_api_requests_total",
            &["method", "code"],
            "Requests to the API server; the code is `none` where no answer came",
            Family::default(),
        );
        let request_seconds = book.histogram(
            "mozart_api_request_duration_seconds",
            "How long requests to the API server take until the answer begins",
            exponential_buckets(0.001, 2.0, 14),
        );
        Self {
            book,
            leader,
            jobs,
            batches,
            credentials,
            runs_started,
            runs_ended,
            batches_ended,
            attempts_ended,
            attempt_seconds,
            tokens,
            dollars,
            models: Mutex::default(),
            turn_seconds,
            save_seconds,
            saves_failed,
            troubles,
            requests,
            request_seconds,
        }
    }

    /// Everything in the text format of Prometheus.
    pub fn text(&self) -> String {
        self.book.text()
    }

    /// Every metric, for people.
    pub fn documented(&self) -> &[Documented] {
        self.book.documented()
    }

    /// A job among the jobs.
    pub fn job(&self) -> Share {
        Share::new(&self.jobs, "phase")
    }

    /// The batches of an active run.
    pub fn batches(&self) -> Share {
        Share::new(&self.batches, "state")
    }

    /// A credential among the credentials.
    pub fn credential(&self) -> Share {
        Share::new(&self.credentials, "gate")
    }

    /// Counts what happened to a run, once it is saved.
    pub fn happened(&self, payer: Payer<'_>, journal: &[Event]) {
        for event in journal {
            match &event.kind {
                EventKind::RunStarted => drop(self.runs_started.inc()),
                EventKind::AttemptEnded { outcome, .. } => self.attempt(payer, outcome),
                EventKind::BatchSucceeded { .. } => count(&self.batches_ended, "outcome", SUCCEEDED),
                EventKind::BatchFailed { .. } => count(&self.batches_ended, "outcome", "failed"),
                EventKind::RunEnded { complete, .. } => {
                    count(&self.runs_ended, "outcome", if *complete { "complete" } else { "failed" });
                }
                _ => {}
            }
        }
    }

    fn attempt(&self, payer: Payer<'_>, outcome: &Outcome) {
        let word = outcome.failure.as_ref().map_or(SUCCEEDED, |failure| failure.class.word());
        count(&self.attempts_ended, "outcome", word);
        let took = outcome.ended.duration_since(outcome.started);
        self.attempt_seconds.observe(took.as_secs_f64().max(0.0));
        let told = outcome.provenance.as_ref().and_then(|provenance| provenance.model.as_deref());
        let owned = || {
            [
                ("namespace", payer.namespace.to_owned()),
                ("credential", payer.credential.to_owned()),
                ("model", self.model(told)),
            ]
        };
        let usage = &outcome.usage;
        let kinds = [
            ("input", usage.input_tokens),
            ("output", usage.output_tokens),
            ("cache_read", usage.cache_read_tokens),
            ("cache_write", usage.cache_write_tokens),
        ];
        for (kind, tokens) in kinds.into_iter().filter(|(_, tokens)| *tokens > 0) {
            let [namespace, credential, model] = owned();
            let labels = [namespace, credential, model, ("kind", kind.to_owned())];
            self.tokens.get_or_create(&labels).inc_by(tokens);
        }
        if usage.cost_micro_usd > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a gauge of money, not an account")]
            let dollars = usage.cost_micro_usd as f64 / 1e6;
            self.dollars.get_or_create(&owned()).inc_by(dollars);
        }
    }

    /// The model's name, while there are few.
    fn model(&self, told: Option<&str>) -> String {
        let Some(told) = told else { return String::new() };
        let mut known = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(told) {
            if known.len() >= MODELS {
                return OTHER.to_owned();
            }
            known.insert(told.to_owned());
        }
        told.to_owned()
    }

    /// A turn was decided.
    pub fn turn(&self, took: Duration) {
        self.turn_seconds.observe(took.as_secs_f64());
    }

    /// A ledger was saved, or was not.
    pub fn save(&self, took: Duration, done: bool) {
        self.save_seconds.observe(took.as_secs_f64());
        if !done {
            self.saves_failed.inc();
        }
    }

    /// An error ended a look at a job.
    pub fn trouble(&self) {
        self.troubles.inc();
    }

    /// Sends a request to the API server, and counts it.
    pub async fn request<Q, A, E>(
        &self,
        request: Request<Q>,
        send: impl AsyncFnOnce(Request<Q>) -> Result<Response<A>, E>,
    ) -> Result<Response<A>, E> {
        let (method, began) = (request.method().to_string(), Instant::now());
        let answer = send(request).await;
        let code = match &answer {
            Ok(answer) => answer.status().as_str().to_owned(),
            Err(_) => "none".to_owned(),
        };
        self.requests.get_or_create(&[("method", method), ("code", code)]).inc();
        self.request_seconds.observe(began.elapsed().as_secs_f64());
        answer
    }
}

/// A family that is there from the beginning under every word: from nothing to 1 is no increase to Prometheus.
fn known<M: Default>(
    label: &'static str,
    words: &[&'static str],
) -> Family<[(&'static str, &'static str); 1], M> {
    let family = Family::default();
    for word in words {
        drop(family.get_or_create(&[(label, *word)]));
    }
    family
}

fn count(family: &Counted, label: &'static str, word: &'static str) {
    family.get_or_create(&[(label, word)]).inc();
}

const PHASES: [Phase; 7] = [
    Phase::Pending,
    Phase::Running,
    Phase::Waiting,
    Phase::Suspended,
    Phase::Stopping,
    Phase::Complete,
    Phase::Failed,
];

/// A gate as a label has it.
pub fn gate(state: &GateState) -> &'static str {
    match state {
        GateState::Open => "open",
        GateState::Closed { .. } => "closed",
        GateState::Canary { .. } => "canary",
        GateState::Held { .. } => "held",
    }
}

/// What of a run has not ended, as the labels of a gauge have it.
pub fn unfinished(summary: &Summary) -> [(&'static str, u32); 3] {
    [("running", summary.running), ("waiting", summary.waiting), ("pending", summary.pending)]
}
