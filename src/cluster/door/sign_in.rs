//! Signing in with a token, and out.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};

use super::{
    House,
    entrance::{Auth, Turned, is_one},
};
use crate::dashboard::PageError;

/// Where a token is sent to.
pub(super) const IN: &str = "/sign-in";
/// Where a cookie is given up.
pub(super) const OUT: &str = "/sign-out";

/// The most of a form, in bytes: a token and an address.
const FORM_MAX: usize = 32 << 10;

/// `POST /sign-in` with `token` and `to`.
pub(super) async fn enter(State(house): State<Arc<House>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let (mut token, mut to) = (String::new(), "/".to_owned());
    if let Ok(form) = axum::body::to_bytes(body, FORM_MAX).await {
        for (name, value) in url::form_urlencoded::parse(&form) {
            match &*name {
                // What is copied from a terminal brings its end of line.
                "token" => value.trim().clone_into(&mut token),
                "to" => to = inside(&value),
                _ => {}
            }
        }
    }
    match house.sign_in(&parts, &token).await {
        Err(turned) => turned.page(&to),
        Ok(cookie) => turned_to(&to, cookie),
    }
}

/// `POST /sign-out`.
pub(super) async fn leave(State(house): State<Arc<House>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    match house.comes_from_a_page(&parts) {
        Err(turned) => turned.page("/"),
        Ok(()) => turned_to("/", house.sessions.end(&parts.headers)),
    }
}

impl House {
    /// Both are forms of ours, which a browser says.
    fn comes_from_a_page(&self, parts: &Parts) -> Result<(), Turned> {
        self.is_ours(parts)?;
        if parts.headers.contains_key(header::ORIGIN) { Ok(()) } else { Err(Turned::Origin) }
    }

    async fn sign_in(&self, parts: &Parts, token: &str) -> Result<Option<HeaderValue>, Turned> {
        self.comes_from_a_page(parts)?;
        if self.auth == Auth::None {
            return Ok(None);
        }
        if !is_one(token) {
            return Err(Turned::NoToken);
        }
        self.visitors.of(token).await?;
        let origin = parts.headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
        let secure = origin.is_some_and(|origin| origin.starts_with(b"https://"));
        Ok(self.sessions.begin(token, secure))
    }
}

/// An address of this server: one slash, since two would name another host, and so would a backslash in a browser.
fn inside(to: &str) -> String {
    format!("/{}", to.trim_start_matches(['/', '\\']))
}

fn turned_to(to: &str, cookie: Option<HeaderValue>) -> Response {
    let Ok(location) = HeaderValue::from_str(to) else {
        return PageError::bad_request("`to` is no address.").into_response();
    };
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(header::LOCATION, location);
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_signed_in_stays_on_this_server() {
        for (to, leads) in [
            ("/jobs/a~b?x=1", "/jobs/a~b?x=1"),
            ("//evil.example", "/evil.example"),
            ("/\\evil.example", "/evil.example"),
            ("https://evil.example", "/https://evil.example"),
            ("", "/"),
        ] {
            assert_eq!(inside(to), leads);
        }
    }
}
