//! The operator's dashboard on this machine: every request goes on with the person's token, which no browser sees.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use kube::{Client, Config};
use reqwest::Url;
use tokio::sync::Mutex;

use super::{Forward, Unreached, Way, http, operator, token::Source};
use crate::{
    cluster::door,
    dashboard::{AsItIs, PageError},
};

/// What is between this machine and the browser alone: its cookie, and where it thinks that it is.
const NEAR: [HeaderName; 6] = [
    header::HOST,
    header::COOKIE,
    header::ORIGIN,
    header::REFERER,
    header::AUTHORIZATION,
    header::CONNECTION,
];
/// What is of one connection, or would let the browser in elsewhere.
const FAR: [HeaderName; 4] =
    [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::SET_COOKIE];

/// The way to a dashboard, found anew when it has ended.
pub struct Window {
    http: reqwest::Client,
    source: Source,
    client: Client,
    namespace: String,
    server: Option<Url>,
    forward: Mutex<Option<Arc<Forward>>>,
}

/// Where a request goes, for as long as this is held.
struct Place {
    base: Url,
    _forward: Option<Arc<Forward>>,
}

impl Window {
    /// Finds the way to the operator that runs the jobs of a namespace.
    ///
    /// # Errors
    /// There is none, or not for this person.
    pub async fn open(
        way: &Way,
        config: &Config,
        client: &Client,
        namespace: &str,
    ) -> Result<Self, Unreached> {
        let window = Self {
            http: http(way.server.is_none())?,
            source: Source::of(way, config, client, namespace)?,
            client: client.clone(),
            namespace: namespace.to_owned(),
            server: way.server.clone(),
            forward: Mutex::default(),
        };
        // Told here, and not to the first page.
        window.source.token().await?;
        window.place().await?;
        Ok(window)
    }

    /// Every address of the dashboard.
    pub fn routes(self) -> Router {
        Router::new().fallback(pass).with_state(Arc::new(self))
    }

    async fn place(&self) -> Result<Place, Unreached> {
        if let Some(server) = &self.server {
            return Ok(Place { base: server.clone(), _forward: None });
        }
        let mut open = self.forward.lock().await;
        let forward = if let Some(forward) = &*open {
            Arc::clone(forward)
        } else {
            let (place, pod) = operator(&self.client, &self.namespace, None).await?;
            let forward = Forward::start(&self.client, &place, &pod, door::PORT).await?;
            Arc::clone(open.insert(Arc::new(forward)))
        };
        Ok(Place { base: forward.url(), _forward: Some(forward) })
    }

    /// The way has ended: its Pod may be gone.
    async fn lost(&self) {
        *self.forward.lock().await = None;
    }

    async fn send(&self, request: Request) -> Result<Response, Unreached> {
        let (parts, body) = request.into_parts();
        let again = parts.method == Method::GET;
        let body = axum::body::to_bytes(body, BODY_MAX).await;
        let body = body.map_err(|error| Unreached::Local(std::io::Error::other(error)))?;
        for last in [!again, true] {
            let place = self.place().await?;
            let mut url = place.base.clone();
            url.set_path(&format!("{}{}", url.path().trim_end_matches('/'), parts.uri.path()));
            url.set_query(parts.uri.query());
            let mut headers = without(&parts.headers, &NEAR);
            headers.insert(header::AUTHORIZATION, self.source.token().await?);
            let sent = self.http.request(parts.method.clone(), url).headers(headers).body(body.clone());
            match sent.send().await {
                Ok(answer) => return Ok(told(answer, place)),
                Err(error) if last => {
                    let at = place.base.to_string();
                    self.lost().await;
                    return Err(Unreached::Broken { at, source: error.without_url().into() });
                }
                Err(_) => self.lost().await,
            }
        }
        Err(Unreached::NoPod { place: format!("reach of {}", self.namespace) })
    }
}

/// A form names some hundreds of jobs at most.
const BODY_MAX: usize = 1 << 20;

fn without(headers: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    let mut headers = headers.clone();
    for name in names {
        headers.remove(name);
    }
    headers
}

/// The answer, while it comes in.
fn told(answer: reqwest::Response, place: Place) -> Response {
    use futures::StreamExt as _;
    let (status, headers) = (answer.status(), without(answer.headers(), &FAR));
    let body = answer.bytes_stream().map(move |piece| {
        // The way lasts as long as what comes over it.
        let _ = &place;
        piece
    });
    let mut response = Response::new(Body::from_stream(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.extensions_mut().insert(AsItIs);
    response
}

async fn pass(State(window): State<Arc<Window>>, request: Request) -> Response {
    match window.send(request).await {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!(error = &error as &dyn std::error::Error, "the operator is not reached");
            let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
            let words = causes.fold(error.to_string(), |words, cause| format!("{words}: {cause}"));
            PageError::new(StatusCode::BAD_GATEWAY, "The operator is not reached", words)
                .with_hint(error.advice())
                .outside()
                .into_response()
        }
    }
}
