//! The operator's HTTP: the dashboard, and history, logs and answers from its volume, for whoever may read the job.
//!
//! It listens on the loopback address of the operator's Pod, and with TLS for who comes from outside. Every request
//! carries a bearer token of the cluster, or the cookie that stands for one, and the API server says whose it is and what that person may. What he changes he changes
//! himself, by his own token.

mod entrance;
mod history;
mod lines;
mod logs;
mod outputs;
mod refusal;
mod rooms;
mod sessions;
mod sign_in;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Request, State},
    http::{HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{any, get, post},
};
use kube::{Client, config::AuthInfo};
use tokio::net::TcpListener;

use self::{entrance::Guest, refusal::Refusal, rooms::Rooms, sessions::Sessions};
pub use self::{
    entrance::{Auth, Hosts},
    lines::{LogLine, OutputLine, Placed, RunLine},
    tls::{CertificateFiles, Tls, TlsError},
};
use super::{
    archive::Archive,
    operator::Scope,
    view::{Cluster, UserClients},
    visitors::{Deed, Visitors},
};
use crate::{dashboard, history::Reader, job::identity::RunId, store::record::JobRecord};

/// Where it listens in the operator's Pod if nothing else is said.
pub const PORT: u16 = 8000;
/// Where it does with TLS.
pub const TLS_PORT: u16 = 8443;
/// What is wrong with the volume, if something is; on every answer.
pub const TROUBLE: &str = "mozart-trouble";

/// What the door leads to.
#[derive(Clone)]
pub struct Settings {
    /// History, where the operator has a volume.
    pub archive: Option<Archive>,
    /// Reads jobs, and asks who visitors are and what they may.
    pub client: Client,
    /// Changes what a visitor changes.
    pub users: UserClients,
    /// Whose jobs are shown.
    pub scope: Scope,
    /// How it is known who comes.
    pub auth: Auth,
    /// What the door is called.
    pub hosts: Hosts,
}

/// The ways to the API server of `config`, each by a token of somebody else and by nothing that the operator has.
pub fn users(config: &kube::Config) -> UserClients {
    let config = config.clone();
    Arc::new(move |token| {
        let mut config = config.clone();
        config.auth_info = AuthInfo { token: Some(token.clone()), ..AuthInfo::default() };
        Client::try_from(config)
    })
}

struct House {
    archive: Option<Archive>,
    visitors: Arc<Visitors>,
    sessions: Sessions,
    rooms: Rooms,
    auth: Auth,
    hosts: Hosts,
}

/// Serves for as long as it is polled.
pub async fn serve(listener: TcpListener, settings: Settings) {
    dashboard::serve(listener, router(settings)).await;
}

/// The same with TLS, and with the wish that nobody comes without it any more.
pub async fn serve_tls(listener: TcpListener, tls: Tls, settings: Settings) {
    let strict = async |mut response: Response| {
        let headers = response.headers_mut();
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        response
    };
    let routes = router(settings).layer(middleware::map_response(strict));
    dashboard::serve_with(listener, routes, tls).await;
}

fn router(settings: Settings) -> Router {
    let Settings { archive, client, users, scope, auth, hosts } = settings;
    let visitors = Arc::new(Visitors::new(client.clone()));
    let cluster = Cluster::new(client, scope, archive.clone(), Arc::clone(&visitors), users);
    let (sessions, rooms) = (Sessions::new(), Rooms::new(cluster));
    let house = Arc::new(House { archive, visitors, sessions, rooms, auth, hosts });
    let of_job = Router::new()
        .route("/outputs.jsonl", get(outputs::outputs))
        .route("/logs", get(logs::logs))
        .route("/history", get(history::history))
        // On every route of a job, those to come included.
        .route_layer(middleware::from_fn_with_state(Arc::clone(&house), admit));
    let pages = Router::new()
        .route(sign_in::IN, post(sign_in::enter))
        .route(sign_in::OUT, post(sign_in::leave))
        .fallback(any(rooms::show))
        .with_state(Arc::clone(&house));
    Router::new()
        .nest("/api/v1/namespaces/{namespace}/jobs/{job}", of_job)
        .with_state(house)
        .fallback_service(dashboard::framed(pages))
}

/// Lets in who may read the job.
async fn admit(
    State(house): State<Arc<House>>,
    Path(address): Path<Address>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(refusal) = house.admit(&parts, &address).await {
        return refusal.into_response();
    }
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let trouble = house.archive.as_ref().and_then(Archive::trouble);
    if let Some(trouble) = trouble.and_then(|text| HeaderValue::from_str(&text).ok()) {
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

impl House {
    async fn admit(&self, parts: &axum::http::request::Parts, address: &Address) -> Result<(), Refusal> {
        let Guest::Visitor { visitor, .. } = self.enter(parts).await? else { return Ok(()) };
        let Address { namespace, job } = address.clone();
        let deed = Deed::with("get", &namespace, &job);
        let may = self.visitors.may(&visitor, &deed).await?;
        if may { Ok(()) } else { Err(Refusal::MayNot { who: visitor.name, namespace, job }) }
    }

    /// Finds the job. History is opened for each request: it may have been set aside since the last one.
    async fn open(&self, address: &Address) -> Result<Opened, Refusal> {
        let archive = self.archive.as_ref().ok_or(Refusal::NoVolume)?;
        let reader = Reader::open(archive.home()).await?;
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
