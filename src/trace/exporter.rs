//! The one task that talks to the collector.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prost::{Message as _, bytes::Bytes};
use reqwest::{
    Client, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
    redirect::Policy,
};
use tokio::sync::{mpsc, watch};

use super::{
    otlp::{ExportTraceServiceRequest, Resource, ResourceSpans, Scope, ScopeSpans, Span},
    settings::Settings,
};

/// The most spans of one request.
const TOGETHER: usize = 512;
/// How long a span waits for others to go with it.
const PACE: Duration = Duration::from_secs(1);
/// Before a request is sent again; each further time twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

pub(super) struct Exporter {
    settings: Settings,
    client: Client,
    queue: mpsc::Receiver<Span>,
    closing: watch::Receiver<bool>,
    /// Spans that were left out since the collector last took some.
    dropped: Arc<AtomicU64>,
    failing: bool,
}

/// Why a request was not taken.
struct Failed {
    why: String,
    /// Whether the same may be taken later, and how long the collector asks to wait.
    again: Option<Duration>,
}

impl Exporter {
    pub(super) fn new(
        settings: Settings,
        queue: mpsc::Receiver<Span>,
        closing: watch::Receiver<bool>,
        dropped: Arc<AtomicU64>,
    ) -> reqwest::Result<Self> {
        // An error says only that another part of the process was first, with the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(Policy::none())
            .user_agent(concat!("mozart/", env!("CARGO_PKG_VERSION")))
            .timeout(settings.timeout)
            .build()?;
        Ok(Self { settings, client, queue, closing, dropped, failing: false })
    }

    /// Until it is closed and has tried what was told before.
    pub(super) async fn run(mut self) {
        while let Some(spans) = self.gather().await {
            self.deliver(spans).await;
        }
    }

    /// What goes together; `None` when nothing comes any more.
    async fn gather(&mut self) -> Option<Vec<Span>> {
        let mut spans = Vec::new();
        let pace = tokio::time::sleep(PACE);
        tokio::pin!(pace);
        while spans.len() < TOGETHER {
            let (first, room) = (spans.is_empty(), TOGETHER - spans.len());
            tokio::select! {
                biased;
                came = self.queue.recv_many(&mut spans, room) => match came {
                    0 => break,
                    _ if first => pace.as_mut().reset(tokio::time::Instant::now() + PACE),
                    _ => {}
                },
                () = closed(&mut self.closing) => break,
                () = &mut pace, if !first => break,
            }
        }
        (!spans.is_empty()).then_some(spans)
    }

    /// Sends spans until they are taken or refused; once, when nobody waits for more.
    async fn deliver(&mut self, spans: Vec<Span>) {
        let count = u64::try_from(spans.len()).unwrap_or(u64::MAX);
        let body = Bytes::from(self.request(spans).encode_to_vec());
        let mut pause = FIRST_PAUSE;
        loop {
            let Err(Failed { why, again }) = self.post(body.clone()).await else { return self.works() };
            let last = *self.closing.borrow();
            if !std::mem::replace(&mut self.failing, true) {
                let host = self.settings.endpoint.host_str().unwrap_or_default();
                tracing::warn!(host, why, "traces cannot be exported; runs go on without them");
            }
            let Some(wait) = again.filter(|_| !last) else {
                self.dropped.fetch_add(count, Ordering::Relaxed);
                return;
            };
            tokio::select! {
                () = tokio::time::sleep(pause.max(wait.min(LONGEST_PAUSE))) => {}
                () = closed(&mut self.closing) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn post(&self, body: Bytes) -> Result<(), Failed> {
        let request = self
            .client
            .post(self.settings.endpoint.clone())
            .headers(self.settings.headers.clone())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(body);
        let response = request
            .send()
            .await
            .map_err(|error| Failed { why: in_full(&error.without_url()), again: Some(Duration::ZERO) })?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let again = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        let again = again.then(|| Duration::from_secs(wait.unwrap_or(0)));
        Err(Failed { why: format!("it answered {status}"), again })
    }

    fn works(&mut self) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if std::mem::replace(&mut self.failing, false) || dropped > 0 {
            tracing::info!(dropped, "traces are exported again");
        }
    }

    fn request(&self, spans: Vec<Span>) -> ExportTraceServiceRequest {
        let resource = Resource { attributes: self.settings.resource.clone() };
        let scope = Scope { name: "mozart".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans }];
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans { resource: Some(resource), scope_spans }],
        }
    }
}

/// Resolves once nothing more comes. Cancel safe.
async fn closed(closing: &mut watch::Receiver<bool>) {
    // Without anybody left to close it, it is closed.
    let _ = closing.wait_for(|closing| *closing).await;
}

fn in_full(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
