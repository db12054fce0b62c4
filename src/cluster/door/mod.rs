//! The operator's HTTP: history, logs and answers from its volume, for whoever may read the job.
//!
//! It listens on the loopback address of the operator's Pod. Every request carries a bearer token of the cluster, and
//! the API server says whose it is and whether that person may read the job. Nothing can be changed here.

mod history;
mod lines;
mod logs;
mod outputs;
mod refusal;
mod stream;
#[cfg(test)]
mod tests;
mod visitors;

use std::{future::Future, io, sync::Arc};

use axum::{
    Router,
    extract::{Path, Request, State},
    http::{HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::get,
};
use kube::Client;
use tokio::net::TcpListener;

pub use self::lines::{LogLine, OutputLine, Placed, RunLine};
use self::{refusal::Refusal, visitors::Visitors};
use super::archive::Archive;
use crate::{history::Reader, job::identity::RunId, store::record::JobRecord};

/// Where it listens in the operator's Pod if nothing else is said.
pub const PORT: u16 = 8000;
/// What is wrong with the volume, if something is; on every answer.
pub const TROUBLE: &str = "mozart-trouble";

#[derive(Clone)]
struct Door {
    archive: Archive,
    visitors: Arc<Visitors>,
}

/// Serves what is in the archive until `stop` resolves; `client` asks who visitors are and what they may.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    listener: TcpListener,
    archive: Archive,
    client: Client,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, router(archive, client)).with_graceful_shutdown(stop).await
}

fn router(archive: Archive, client: Client) -> Router {
    let door = Door { archive, visitors: Arc::new(Visitors::new(client)) };
    let of_job = Router::new()
        .route("/outputs.jsonl", get(outputs::outputs))
        .route("/logs", get(logs::logs))
        .route("/history", get(history::history))
        // On every route of a job, those to come included.
        .route_layer(middleware::from_fn_with_state(door.clone(), admit));
    Router::new()
        .nest("/api/v1/namespaces/{namespace}/jobs/{job}", of_job)
        .fallback(async || Refusal::NoSuchPage)
        .with_state(door)
}

/// Lets in who may read the job.
async fn admit(
    State(door): State<Door>,
    Path(address): Path<Address>,
    request: Request,
    next: Next,
) -> Response {
    if let Err(refusal) = door.visitors.admit(request.headers(), &address.namespace, &address.job).await {
        return refusal.into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(trouble) = door.archive.trouble().and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert(TROUBLE, trouble);
    }
    response
}

/// Which job a request is about.
#[derive(Clone, Debug, serde::Deserialize)]
struct Address {
    namespace: String,
    job: String,
}

/// A job that history knows, and the way to read it.
struct Opened {
    reader: Reader,
    job: JobRecord,
}

impl Door {
    /// Finds the job. History is opened for each request: it may have been set aside since the last one.
    async fn open(&self, address: &Address) -> Result<Opened, Refusal> {
        let reader = Reader::open(self.archive.home()).await?;
        let job = reader.job_in(address.namespace.as_ref(), &address.job).await?;
        let job = job.ok_or_else(|| Refusal::NoJob { job: address.job.clone() })?;
        Ok(Opened { reader, job })
    }
}

impl Opened {
    /// The run of that number, or the last one.
    async fn run(&self, wanted: Option<u32>) -> Result<RunId, Refusal> {
        let job = self.job.uid;
        let ledger = match wanted {
            Some(run) => self.reader.ledger(&RunId { job, run }).await?,
            None => self.reader.last_run(job).await?,
        };
        let name = || self.job.name.clone();
        ledger.map(|ledger| ledger.run).ok_or_else(|| Refusal::NoRun { job: name(), run: wanted })
    }
}
