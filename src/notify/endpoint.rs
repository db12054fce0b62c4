//! An address that takes HTTP POSTs: how it is called and how its answers are judged.

use std::{collections::BTreeMap, time::Duration};

use reqwest::{
    Client, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    NotifyError,
    outside::Outside,
    sink::{Delivery, chain},
};

/// Headers that Mozart sets itself.
const OWN_HEADERS: [&str; 6] =
    ["content-length", "content-type", "host", "webhook-id", "webhook-signature", "webhook-timestamp"];

/// An address that takes HTTP POSTs. Its URL is a secret: it is neither shown nor logged.
pub(super) struct Endpoint {
    url: Url,
    headers: HeaderMap,
    client: Client,
    /// Of one try, from the connection to the head of the answer, of which no more is read.
    timeout: Duration,
}

impl Endpoint {
    pub(super) fn open(
        sink: &str,
        url: &SecretString,
        headers: &BTreeMap<String, String>,
        outside: &impl Outside,
        timeout: Duration,
    ) -> Result<Self, NotifyError> {
        let url = Url::parse(url.expose_secret().trim())
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| NotifyError::Url { sink: sink.to_owned() })?;
        let mut map = HeaderMap::new();
        for (header, value) in headers {
            let problem =
                |reason| NotifyError::Header { sink: sink.to_owned(), header: header.clone(), reason };
            let name = HeaderName::try_from(header).map_err(|_| problem("its name is not one of HTTP"))?;
            if OWN_HEADERS.contains(&name.as_str()) {
                return Err(problem("Mozart sets it itself"));
            }
            let mut value = HeaderValue::try_from(value)
                .map_err(|_| problem("its value has characters that HTTP refuses"))?;
            value.set_sensitive(true);
            map.insert(name, value);
        }
        let client = outside.connections(sink, &url)?;
        Ok(Self { url, headers: map, client, timeout })
    }

    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Posts `body` as JSON, once.
    pub(super) async fn post(&self, body: Vec<u8>, more: HeaderMap) -> Delivery {
        let request = self
            .client
            .post(self.url.clone())
            .headers(self.headers.clone())
            .header(CONTENT_TYPE, "application/json")
            .headers(more)
            .timeout(self.timeout)
            .body(body);
        match request.send().await {
            Ok(response) => judge(response.status(), response.headers()),
            Err(error) => Delivery::Again { after: None, why: chain(&error.without_url()) },
        }
    }
}

fn judge(status: StatusCode, headers: &HeaderMap) -> Delivery {
    let why = format!("it answered {status}");
    match status {
        _ if status.is_success() => Delivery::Delivered,
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::GONE => {
            Delivery::Off { why: format!("{why}: look at its URL") }
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Delivery::Again { after: retry_after(headers), why }
        }
        _ if status.is_server_error() => Delivery::Again { after: retry_after(headers), why },
        _ => Delivery::Refused { why },
    }
}

/// In seconds; the form with a date is left to the ordinary backoff.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
