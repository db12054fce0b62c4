//! Who gets in: one who shows a token of the cluster, or the cookie that stands for one.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use futures::StreamExt as _;

use super::{House, refusal::Refusal};
use crate::{
    cluster::visitors::{Stranger, Visitor},
    dashboard::PageError,
};

/// No token is longer.
const LONGEST_TOKEN: usize = 16 << 10;
/// Who listens is looked at again this often: less than a minute with what is believed of him.
const LOOK_AGAIN: Duration = Duration::from_secs(20);

/// How the door knows who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// By a token of the cluster.
    Token,
    /// Not at all: everybody reads what the operator reads, and changes nothing. On the loopback address alone.
    None,
}

/// The hosts that requests may name beside addresses and `localhost`: a page of somebody else that leads its own name to
/// this server is not answered.
#[derive(Clone, Debug, Default)]
pub struct Hosts(pub Vec<String>);

impl Hosts {
    fn know(&self, host: &str) -> bool {
        // `[::1]:8000`, `127.0.0.1:8000`, `mozart.example`.
        let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((name, _)) => name,
            None => host.split_once(':').map_or(host, |(name, _)| name),
        };
        name == "localhost"
            || name.parse::<IpAddr>().is_ok()
            || self.0.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// Who has come in.
#[derive(Clone, Debug)]
pub(super) enum Guest {
    /// Somebody whom the cluster knows.
    Visitor {
        visitor: Visitor,
        /// Whether a cookie let him in.
        signed_in: bool,
    },
    /// Whoever reached a door that asks nobody.
    Anybody,
}

/// Why a request goes no further.
#[derive(Debug)]
pub(super) enum Turned {
    Host,
    Origin,
    ReadOnly,
    NoToken,
    Stranger(Stranger),
}

impl From<Stranger> for Turned {
    fn from(stranger: Stranger) -> Self {
        Self::Stranger(stranger)
    }
}

impl From<Turned> for Refusal {
    fn from(turned: Turned) -> Self {
        match turned {
            Turned::Host => Self::Elsewhere { what: "host" },
            Turned::Origin => Self::Elsewhere { what: "origin" },
            Turned::ReadOnly => Self::ReadOnly,
            Turned::NoToken => Self::NoToken,
            Turned::Stranger(stranger) => stranger.into(),
        }
    }
}

impl Turned {
    /// As a page for a request of `to`.
    pub(super) fn page(self, to: &str) -> Response {
        let new = |status, title, message: &str| PageError::new(status, title, message);
        let asked = |message: String| {
            let page = new(StatusCode::UNAUTHORIZED, "Who are you?", &message);
            let hint = "kubectl mozart dashboard opens it with the token of your kubeconfig; \
                        kubectl create token NAME -n NAMESPACE makes one of a service account";
            PageError { sign_in: Some(to.to_owned()), ..page.with_hint(hint) }
        };
        let page = match self {
            Self::Host => new(
                StatusCode::FORBIDDEN,
                "This is not the address of this dashboard",
                "The request names a host that the operator does not know as its own.",
            )
            .with_hint("who runs the operator names it with --host, in the chart with dashboard.hosts"),
            Self::Origin => new(
                StatusCode::FORBIDDEN,
                "Another page asked for this",
                "Only pages of this dashboard may change anything or read through a browser.",
            ),
            Self::ReadOnly => new(
                StatusCode::FORBIDDEN,
                "Nothing can be changed here",
                "This dashboard asks nobody who he is, so it only reads.",
            ),
            Self::NoToken => asked(
                "The dashboard shows what you may see, so it asks for a token of the cluster.".to_owned(),
            ),
            Self::Stranger(Stranger::Unknown { why }) => {
                asked(format!("The cluster does not know that token: {why}."))
            }
            Self::Stranger(Stranger::Unasked) => new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The cluster cannot be asked",
                "The operator could not ask the API server who you are.",
            )
            .with_hint("try again; the operator's log says why"),
        };
        page.outside().into_response()
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default())
}

impl House {
    /// Whether a request comes from where it may come from.
    pub(super) fn is_ours(&self, parts: &Parts) -> Result<(), Turned> {
        let host = text(&parts.headers, header::HOST).unwrap_or_default();
        if !self.hosts.know(host) {
            return Err(Turned::Host);
        }
        let origin = text(&parts.headers, header::ORIGIN);
        // What ends TLS before the door is of the same name.
        let ours = |origin: &str| {
            origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")) == Some(host)
        };
        if origin.is_some_and(|origin| !ours(origin)) {
            return Err(Turned::Origin);
        }
        Ok(())
    }

    /// Who it is.
    pub(super) async fn enter(&self, parts: &Parts) -> Result<Guest, Turned> {
        self.is_ours(parts)?;
        let changes = !matches!(parts.method, Method::GET | Method::HEAD);
        if self.auth == Auth::None {
            return if changes { Err(Turned::ReadOnly) } else { Ok(Guest::Anybody) };
        }
        if let Some(token) = bearer(&parts.headers) {
            let visitor = self.visitors.of(token).await?;
            return Ok(Guest::Visitor { visitor, signed_in: false });
        }
        let token = self.sessions.token(&parts.headers).ok_or(Turned::NoToken)?;
        // A browser sends the cookie by itself: that a page of ours asks is told by the origin.
        if changes && !parts.headers.contains_key(header::ORIGIN) {
            return Err(Turned::Origin);
        }
        let visitor = self.visitors.of(&token).await?;
        Ok(Guest::Visitor { visitor, signed_in: true })
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && is_one(token)).then_some(token)
}

/// Whether a text may be a token.
pub(super) fn is_one(token: &str) -> bool {
    (1..=LONGEST_TOKEN).contains(&token.len())
}

/// Ends a live stream soon after its listener is known no longer. It says nothing of jobs that he may not read any more:
/// what it is made from is asked for anew.
pub(super) fn watched(response: Response, house: Arc<House>, visitor: Visitor) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
        return response;
    }
    let gone = async move {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            if let Err(Stranger::Unknown { .. }) = house.visitors.still(&visitor).await {
                return;
            }
        }
    };
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(gone))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_or_a_name_that_the_operator_was_told() {
        let hosts = Hosts(vec!["mozart.example".to_owned()]);
        for (host, known) in [
            ("127.0.0.1:8000", true),
            ("localhost", true),
            ("localhost:41", true),
            ("[::1]:8000", true),
            ("10.0.0.7:8000", true),
            ("mozart.example", true),
            ("Mozart.example:443", true),
            ("evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("mozart.example.evil.example", false),
            ("", false),
        ] {
            assert_eq!(hosts.know(host), known, "{host}");
        }
    }
}
