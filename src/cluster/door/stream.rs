//! Answers that are streamed a line at a time, as fast as they are read.

use std::{future::Future, io};

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};
use futures::stream;
use serde::Serialize;

use crate::history::HistoryError;

/// Where lines come from.
pub(super) trait Lines: Send + 'static {
    /// The next line; `None` after the last.
    fn next(&mut self) -> impl Future<Output = Result<Option<String>, HistoryError>> + Send;
}

/// The response that says them. Where one cannot be read it breaks off, and is seen to: who asked goes on after the last
/// whole line.
pub(super) fn answer(lines: impl Lines) -> Response {
    let body = stream::unfold(Some(lines), |lines| async {
        let mut lines = lines?;
        match lines.next().await {
            Ok(Some(line)) => Some((Ok(line), Some(lines))),
            Ok(None) => None,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "history could not be read to its end for somebody"
                );
                Some((Err(io::Error::other(error)), None))
            }
        }
    });
    let mut response = Response::new(Body::from_stream(body));
    let kind = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// A line.
pub(super) fn text(line: &impl Serialize) -> String {
    let mut text = serde_json::to_string(line).expect("records have no keys and values that JSON lacks");
    text.push('\n');
    text
}
