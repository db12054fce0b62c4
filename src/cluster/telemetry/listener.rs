//! The operator's own listener. It needs no login: what it tells names no job, and a kubelet has none.

use std::{
    future::{Future, IntoFuture as _},
    io,
    net::SocketAddr,
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use tokio::net::TcpListener;

use super::Shared;

/// What the text format of Prometheus calls itself.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Why nothing is told.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct ListenError {
    /// Where.
    pub address: SocketAddr,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// A listener that is not served yet.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Listens there; port 0 takes a free one.
    ///
    /// # Errors
    /// The address cannot be had.
    pub async fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        let failed = |source| ListenError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers for as long as it is polled.
    pub fn serve(self, telemetry: Shared) -> impl Future<Output = io::Result<()>> {
        let router = Router::new()
            .route("/metrics", get(metrics))
            // Nothing that a restart does not mend keeps the process from answering.
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .with_state(telemetry);
        axum::serve(self.listener, router).into_future()
    }
}

async fn metrics(State(telemetry): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, TEXT)], telemetry.metrics.text())
}

async fn ready(State(telemetry): State<Shared>) -> impl IntoResponse {
    let health = telemetry.health();
    let code = if health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, format!("{health}\n"))
}
