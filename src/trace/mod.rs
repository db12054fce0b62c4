//! Traces of runs, for a collector of OpenTelemetry: a trace for each run, in it a span for each attempt.
//!
//! Spans are made of what was saved, and nobody waits for the collector: one that is slow or dead costs spans.

mod exporter;
pub mod otlp;
mod settings;
mod span;
#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{mpsc, watch};

use self::{exporter::Exporter, otlp::Span};
pub use self::{
    settings::{Settings, SettingsError},
    span::Origin,
};
use crate::{
    driver::ports::{Store, StoreError},
    engine::{event::Event, ledger::Ledger},
};

/// So many spans wait for the collector; what ends while they do is left out of its trace.
const WAITING: usize = 2048;
/// How long a process that ends waits for the last spans.
const LAST: Duration = Duration::from_secs(2);

/// Where spans are told. Its clones tell them to one exporter.
#[derive(Clone, Debug)]
pub struct Tracer {
    queue: mpsc::Sender<Span>,
    dropped: Arc<AtomicU64>,
    closing: Arc<watch::Sender<bool>>,
    ended: watch::Receiver<()>,
}

impl Tracer {
    /// The one that this process's environment asks for; `None` where it asks for none, or for what cannot be: then the log
    /// says why. Its exporter is a task of the present runtime.
    pub fn of_environment() -> Option<Self> {
        let settings = match Settings::of_environment() {
            Ok(settings) => settings?,
            Err(error) => {
                tracing::warn!(%error, "there are no traces");
                return None;
            }
        };
        match Self::start(settings) {
            Ok(tracer) => Some(tracer),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "there are no traces");
                None
            }
        }
    }

    /// One that exports as `settings` say.
    ///
    /// # Errors
    /// There is no HTTP client.
    pub fn start(settings: Settings) -> reqwest::Result<Self> {
        let (queue, spans) = mpsc::channel(WAITING);
        let (closing, closed) = watch::channel(false);
        let dropped = Arc::new(AtomicU64::new(0));
        let exporter = Exporter::new(settings, spans, closed, Arc::clone(&dropped))?;
        let (ends, ended) = watch::channel(());
        tokio::spawn(async move {
            exporter.run().await;
            drop(ends);
        });
        Ok(Self { queue, dropped, closing: Arc::new(closing), ended })
    }

    /// One whose spans come out of the receiver.
    #[cfg(test)]
    pub(crate) fn in_memory() -> (Self, mpsc::Receiver<Span>) {
        let (queue, spans) = mpsc::channel(WAITING);
        let (closing, _) = watch::channel(false);
        let (_, ended) = watch::channel(());
        (Self { queue, dropped: Arc::default(), closing: Arc::new(closing), ended }, spans)
    }

    /// Tells of what was saved. Never waits.
    fn record(&self, origin: &Origin, ledger: &Ledger, journal: &[Event]) {
        for span in span::spans(origin, ledger, journal) {
            if self.queue.try_send(span).is_err() && self.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::warn!(
                    "the collector takes no traces, and no more are kept for it: spans are left out"
                );
            }
        }
    }

    /// Sends what was told, as far as the collector takes it at once; two seconds at most. Nothing is told afterwards.
    pub async fn close(&self) {
        self.closing.send_replace(true);
        let mut ended = self.ended.clone();
        // The exporter tells nothing: it ends.
        let in_time = tokio::time::timeout(LAST, ended.changed()).await.is_ok();
        let dropped = self.dropped.load(Ordering::Relaxed);
        if !in_time || dropped > 0 {
            tracing::warn!(dropped, in_time, "the trace of what was done last is not whole");
        }
    }
}

/// A store that tells of what was saved.
#[derive(Debug)]
pub struct Traced<'a, S> {
    /// The store.
    pub store: &'a S,
    /// Who is told.
    pub tracer: Option<&'a Tracer>,
    /// Whose run it is.
    pub origin: Origin,
}

impl<S: Store> Store for Traced<'_, S> {
    async fn save(&self, ledger: &Ledger, journal: &[Event]) -> Result<(), StoreError> {
        self.store.save(ledger, journal).await?;
        if let Some(tracer) = self.tracer {
            tracer.record(&self.origin, ledger, journal);
        }
        Ok(())
    }
}
