//! The connection to the service: address, key, timeouts.

use std::{env, fmt, sync::OnceLock, time::Duration};

use futures::StreamExt;
use reqwest::{
    Client, Response,
    header::{HeaderMap, HeaderValue, USER_AGENT},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use crate::{
    backend::Way,
    job::{
        model::Anthropic,
        outcome::{Failure, FailureClass},
    },
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// The service sends a `ping` every few seconds while it thinks; so long without a byte is a dead connection.
const SILENCE_TIMEOUT: Duration = Duration::from_mins(5);

const API_VERSION: &str = "2023-06-01";

/// Where and with which key to ask.
pub(super) struct Service {
    base: Url,
    key: SecretString,
    /// Where the key is from, for people.
    pub(super) key_from: String,
    client: Client,
}

impl Service {
    /// The service of the job, with the key that is there now.
    ///
    /// # Errors
    /// `job_fatal` without a key that can be sent.
    pub(super) fn open(settings: &Anthropic, way: &Way) -> Result<Self, Failure> {
        let fatal = |what: String| Failure::new(FailureClass::JobFatal, "KeyMissing", what);
        let (key, key_from, client) = match way {
            Way::Environment => {
                let name = &settings.api_key_env;
                let from = format!("{name} (backend.apiKeyEnv)");
                let key = env::var(name).ok().filter(|key| !key.is_empty());
                let missing = format!("the environment variable {from} is not set: export the API key in it");
                let key = SecretString::from(key.ok_or_else(|| fatal(missing))?);
                let client = client().map_err(|error| fatal(format!("no HTTP client: {error}")))?;
                (key, from, client.clone())
            }
            Way::Given { key, from, client } => (key.clone(), from.clone(), client.clone()),
        };
        if HeaderValue::from_str(key.expose_secret()).is_err() {
            let text =
                format!("the key in {key_from} holds characters that no key has, perhaps a line break");
            return Err(fatal(text));
        }
        Ok(Self { base: settings.base_url.clone(), key, key_from, client })
    }

    /// Posts JSON to a path under the base URL.
    pub(super) async fn post(&self, path: &[&str], body: &Value) -> Result<Response, reqwest::Error> {
        self.client.post(self.address(path)).headers(self.headers()).json(body).send().await
    }

    /// Gets a path under the base URL.
    pub(super) async fn get(&self, path: &[&str]) -> Result<Response, reqwest::Error> {
        self.client.get(self.address(path)).headers(self.headers()).send().await
    }

    fn address(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("mozart/", env!("CARGO_PKG_VERSION"))));
        headers.insert("anthropic-version", HeaderValue::from_static(API_VERSION));
        if let Ok(mut key) = HeaderValue::from_str(self.key.expose_secret()) {
            key.set_sensitive(true);
            headers.insert("x-api-key", key);
        }
        headers
    }
}

/// One for the process, so that connections are kept between attempts.
fn client() -> Result<&'static Client, reqwest::Error> {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    if let Some(client) = CLIENT.get() {
        return Ok(client);
    }
    // Fails only when somebody has installed one before, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(SILENCE_TIMEOUT)
        // A redirect would carry the key to another host.
        .redirect(redirect::Policy::none())
        .build()?;
    Ok(CLIENT.get_or_init(|| client))
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the connection broke off")]
    Broken(#[source] reqwest::Error),
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
}

/// A body of at most `limit` bytes.
pub(super) async fn capped(response: Response, limit: usize) -> Result<Vec<u8>, BodyError> {
    let mut chunks = response.bytes_stream();
    let mut body = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(BodyError::Broken)?;
        if body.len() + chunk.len() > limit {
            return Err(BodyError::TooLong(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

impl fmt::Debug for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Service").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}
