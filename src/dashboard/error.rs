//! What a page says when it cannot be shown.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::view::{Forbidden, ViewError};

/// A page that says what went wrong and what to do. It is shown as HTML or JSON by what was asked for.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Problem")]
pub struct PageError {
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, in a few words.
    pub title: String,
    /// Why.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// For who is not let in yet and may show a token: where the page is that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<String>,
    /// Whether it is said to somebody who is not let in: such a page loads nothing.
    #[serde(skip)]
    pub outside: bool,
}

impl PageError {
    /// With a status, what went wrong, and why.
    pub fn new(status: StatusCode, title: impl Into<String>, message: impl Into<String>) -> Self {
        let (title, message) = (title.into(), message.into());
        Self { status: status.as_u16(), title, message, hint: None, sign_in: None, outside: false }
    }

    /// The same, to somebody who is not let in.
    pub fn outside(self) -> Self {
        Self { outside: true, ..self }
    }

    /// The same with what to do.
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Nothing is at this address.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is nothing here", what)
            .with_hint("it may have been pruned: the list of jobs shows what is kept")
    }

    /// What was asked for makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "This request makes no sense", message)
    }
}

impl From<ViewError> for PageError {
    fn from(error: ViewError) -> Self {
        if let Some(forbidden) = error.source.downcast_ref::<Forbidden>() {
            return Self::new(StatusCode::FORBIDDEN, "You may not see this", format!("{forbidden}."))
                .with_hint("ask who administers the namespace for the role view");
        }
        let source = error.source.to_string();
        tracing::warn!(error = &error as &dyn std::error::Error, "a page could not be shown");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "The state cannot be read", format!("{error}: {source}"))
            .with_hint("mozart doctor looks at everything that is needed")
    }
}

impl IntoResponse for PageError {
    /// The status alone: [`super::render::show_errors`] makes the page.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
