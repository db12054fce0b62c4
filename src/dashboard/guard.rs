//! Who gets in: on this machine, whoever knows the token that the command printed.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::error::PageError;

/// What is sent with every answer: nothing runs, loads or frames but what this program serves.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A secret of 244 random bits, as text.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A new one.
    pub fn random() -> Self {
        Self(format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()))
    }

    /// The text of it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether `text` is it. The hashes are compared, so that the time taken tells nothing of the secret.
    fn is(&self, text: &str) -> bool {
        Sha256::digest(self.0.as_bytes()) == Sha256::digest(text.as_bytes())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Token(…)")
    }
}

/// The door: which hosts it answers to, and by what one gets in.
#[derive(Clone, Debug)]
pub struct Guard {
    /// What people type or programs send.
    token: Token,
    /// What the cookie holds instead of the token.
    session: Token,
    port: u16,
}

impl Guard {
    /// The door of a server on the loopback address at `port`.
    pub fn local(token: Token, port: u16) -> Self {
        Self { token, session: Token::random(), port }
    }

    /// Cookies do not tell ports apart: each server has its own name for its cookie.
    fn cookie_name(&self) -> String {
        format!("mozart-{}", self.port)
    }

    fn knows_host(&self, host: &str) -> bool {
        ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| host == format!("{name}:{}", self.port))
    }

    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        let name = self.cookie_name();
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        cookies
            .flat_map(|line| line.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .any(|(key, value)| key == name && self.session.is(value))
    }

    fn has_bearer(&self, headers: &HeaderMap) -> bool {
        let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        value.and_then(|value| value.strip_prefix("Bearer ")).is_some_and(|token| self.token.is(token))
    }

    /// Where a request with the printed token goes on: the same address without it.
    fn welcome(&self, uri: &Uri) -> Option<Response> {
        let query = uri.query()?;
        let (given, rest): (Vec<_>, Vec<_>) = query.split('&').partition(|pair| pair.starts_with("token="));
        let given = given.first()?.strip_prefix("token=")?;
        if !self.token.is(given) {
            return None;
        }
        let query = if rest.is_empty() { String::new() } else { format!("?{}", rest.join("&")) };
        // One slash: two would name another host.
        let location = format!("/{}{query}", uri.path().trim_start_matches('/'));
        let cookie = format!(
            "{}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age=604800",
            self.cookie_name(),
            self.session.reveal()
        );
        let location = HeaderValue::from_str(&location).ok()?;
        let mut response = StatusCode::SEE_OTHER.into_response();
        response.headers_mut().insert(header::LOCATION, location);
        response.headers_mut().insert(header::SET_COOKIE, HeaderValue::from_str(&cookie).ok()?);
        Some(response)
    }

    /// Lets a request in, or says why not.
    fn admit(&self, request: &Request) -> Result<(), Refused> {
        let headers = request.headers();
        let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
        let host = text(header::HOST).unwrap_or_default();
        if !self.knows_host(host) {
            return Err(Refused::Host);
        }
        let origin = text(header::ORIGIN);
        if origin.is_some_and(|origin| origin != format!("http://{host}")) {
            return Err(Refused::Origin);
        }
        let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
        if self.has_bearer(headers) {
            return Ok(());
        }
        if !self.has_cookie(headers) {
            return match request.method() {
                &Method::GET => self
                    .welcome(request.uri())
                    .map_or(Err(Refused::Unknown), |response| Err(Refused::Welcome(Box::new(response)))),
                _ => Err(Refused::Unknown),
            };
        }
        // A browser sends the cookie by itself: that a page of ours asks is told by the origin.
        if changes && origin.is_none() {
            return Err(Refused::Origin);
        }
        Ok(())
    }
}

/// Why a request goes no further.
enum Refused {
    Host,
    Origin,
    Unknown,
    Welcome(Box<Response>),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let error = match self {
            Self::Welcome(response) => return *response,
            Self::Host => PageError::new(
                StatusCode::FORBIDDEN,
                "This is not the address of this dashboard",
                "The request names another host than the one that the dashboard listens on.",
            )
            .with_hint("use the address that mozart dashboard printed"),
            Self::Origin => PageError::new(
                StatusCode::FORBIDDEN,
                "Another page asked for this",
                "Only pages of this dashboard may change anything or read through a browser.",
            ),
            Self::Unknown => PageError::new(
                StatusCode::UNAUTHORIZED,
                "Who are you?",
                "The dashboard opens with the token in the address that mozart printed when it started.",
            ),
        };
        error.outside().into_response()
    }
}

/// Lets requests in or refuses them.
pub async fn watch(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.admit(&request) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    }
}

/// Puts on an answer what keeps browsers strict.
pub async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Nothing to others; with `no-referrer` browsers would hide from us, too, that our own form was sent.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "private, no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    let own = |name| header::HeaderName::from_static(name);
    headers.insert(own("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    headers.insert(own("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    response
}
