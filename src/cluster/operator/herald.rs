//! What is told of a job once it is saved: its transitions as Events of Kubernetes, nothing of single batches; its whole
//! journal as a log of its own.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    cluster::telemetry::{Metrics, Payer},
    driver::ports::{Store, StoreError},
    engine::{
        event::{Event as Happened, EventKind},
        ledger::Ledger,
    },
};

/// So many Events wait at most; what comes on top is not told.
const QUEUE: usize = 256;
/// The longest note that the API server takes, in bytes.
const MAX_NOTE: usize = 1000;

/// Tells Events, in the background: a slow API server delays no job.
#[derive(Clone, Debug)]
pub struct Herald(mpsc::Sender<(ObjectReference, Event)>);

impl Herald {
    /// Begins to tell. It ends with the last clone.
    pub fn start(client: Client, instance: &str) -> Self {
        let (sender, mut queue) = mpsc::channel::<(ObjectReference, Event)>(QUEUE);
        let reporter =
            Reporter { controller: "mozart.dev/operator".to_owned(), instance: Some(instance.to_owned()) };
        let recorder = Recorder::new(client, reporter);
        tokio::spawn(async move {
            while let Some((object, event)) = queue.recv().await {
                if let Err(error) = recorder.publish(&event, &object).await {
                    let job = object.name.as_deref().unwrap_or_default();
                    tracing::debug!(job, reason = event.reason, %error, "an Event could not be told");
                }
            }
        });
        Self(sender)
    }

    /// Tells of a job that something about it is wrong, or right again.
    pub fn tell(&self, job: &ObjectReference, reason: &str, note: &str, wrong: bool) {
        let event = Event {
            type_: if wrong { EventType::Warning } else { EventType::Normal },
            reason: reason.to_owned(),
            note: Some(note[..note.floor_char_boundary(MAX_NOTE)].to_owned()).filter(|note| !note.is_empty()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        // A full queue means that the API server is slow: the conditions say the same.
        let _ = self.0.try_send((job.clone(), event));
    }
}

/// A store that tells and counts what was saved.
pub struct Announced<'a, S> {
    /// The store.
    pub store: &'a S,
    /// Who tells.
    pub herald: &'a Herald,
    /// Of whom.
    pub job: ObjectReference,
    /// Who counts.
    pub metrics: &'a Metrics,
    /// The credential of its batches; empty for backends without one.
    pub credential: &'a str,
}

impl<S: Store> Store for Announced<'_, S> {
    async fn save(&self, ledger: &Ledger, journal: &[Happened]) -> Result<(), StoreError> {
        let began = Instant::now();
        let saved = self.store.save(ledger, journal).await;
        self.metrics.save(began.elapsed(), saved.is_ok());
        saved?;
        let namespace = self.job.namespace.as_deref().unwrap_or_default();
        self.metrics.happened(Payer { namespace, credential: self.credential }, journal);
        let run = ledger.run.run;
        log(&self.job, run, journal);
        for (reason, note, wrong) in journal.iter().filter_map(|happened| words(run, &happened.kind)) {
            self.herald.tell(&self.job, reason, &note, wrong);
        }
        Ok(())
    }
}

/// Logs each entry of the journal as JSON, at debug: what failed may quote a program's output. Under a target of its own,
/// `mozart::journal`, so that it can be asked for alone. An entry that was saved when the process died is not logged.
fn log(job: &ObjectReference, run: u32, journal: &[Happened]) {
    if !tracing::enabled!(target: "mozart::journal", tracing::Level::DEBUG) {
        return;
    }
    let namespace = job.namespace.as_deref().unwrap_or_default();
    let name = job.name.as_deref().unwrap_or_default();
    for happened in journal {
        // Numbers, words and texts: always JSON.
        let entry = serde_json::to_string(happened).unwrap_or_default();
        tracing::debug!(
            target: "mozart::journal",
            { job.namespace = namespace, job.name = name, run, entry },
            "it happened"
        );
    }
}

/// A transition as a closed word and a sentence, and whether something is wrong.
fn words(run: u32, kind: &EventKind) -> Option<(&'static str, String, bool)> {
    Some(match kind {
        EventKind::RunStarted => ("RunStarted", format!("Run {run} has started."), false),
        EventKind::Suspended { message, .. } => ("Suspended", message.clone(), false),
        EventKind::Resumed => ("Resumed", format!("Run {run} goes on."), false),
        EventKind::Stopping { message, .. } => ("Stopping", message.clone(), true),
        EventKind::GateClosed { until: Some(until), cause } => {
            ("RateLimited", format!("No batch starts until {until:.0}: {cause}."), true)
        }
        EventKind::GateClosed { until: None, cause } => {
            ("NeedsAttention", format!("No batch starts until a person has acted: {cause}."), true)
        }
        EventKind::GateOpened => ("RateLimitOver", "Batches start again.".to_owned(), false),
        EventKind::RunEnded { complete: true, .. } => {
            ("Complete", format!("Run {run} is complete: every batch succeeded."), false)
        }
        EventKind::RunEnded { complete: false, message, .. } => {
            ("Failed", message.clone().unwrap_or_else(|| format!("Run {run} has failed.")), true)
        }
        _ => return None,
    })
}
