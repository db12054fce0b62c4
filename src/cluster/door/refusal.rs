//! Why a request is not answered, in words that end at a terminal.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{cluster::visitors::Stranger, driver::ports::StoreError, history::HistoryError};

#[derive(Debug)]
pub(super) enum Refusal {
    /// It carries no token.
    NoToken,
    /// Its token is none of this cluster's.
    Unknown {
        why: String,
    },
    /// Whose it is may not.
    MayNot {
        who: String,
        namespace: String,
        job: String,
    },
    /// The API server could not be asked who that is.
    Unasked,
    /// It names a host that is not this one, or comes from another page.
    Elsewhere {
        what: &'static str,
    },
    /// The door asks nobody who he is, and changes nothing.
    ReadOnly,
    /// The operator keeps no history.
    NoVolume,
    NoJob {
        job: String,
    },
    NoRun {
        job: String,
        run: Option<u32>,
    },
    /// The question cannot be understood.
    Question {
        why: String,
    },
    /// History could not be read.
    Unreadable,
}

impl From<Stranger> for Refusal {
    fn from(stranger: Stranger) -> Self {
        match stranger {
            Stranger::Unknown { why } => Self::Unknown { why },
            Stranger::Unasked => Self::Unasked,
        }
    }
}

impl From<HistoryError> for Refusal {
    fn from(error: HistoryError) -> Self {
        tracing::warn!(error = &error as &dyn std::error::Error, "history could not be read for somebody");
        Self::Unreadable
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        HistoryError::from(error).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (code, words) = match self {
            Self::NoToken => (
                StatusCode::UNAUTHORIZED,
                "send a bearer token of this cluster: mozart takes that of the kubeconfig".to_owned(),
            ),
            Self::Unknown { why } => {
                (StatusCode::UNAUTHORIZED, format!("the API server does not know the token: {why}"))
            }
            Self::MayNot { who, namespace, job } => (
                StatusCode::FORBIDDEN,
                format!(
                    "{who} may not get the MozartJob {job} of the namespace {namespace}: ask who administers it for \
                     the role view"
                ),
            ),
            Self::Unasked => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the operator could not ask the API server who you are; try again".to_owned(),
            ),
            Self::Elsewhere { what } => (
                StatusCode::FORBIDDEN,
                format!(
                    "the request names another {what} than those that the operator knows as its own (--host)"
                ),
            ),
            Self::ReadOnly => {
                (StatusCode::FORBIDDEN, "the operator asks nobody who he is: it only reads".to_owned())
            }
            Self::NoVolume => {
                (StatusCode::NOT_FOUND, "the operator keeps no history: it has no volume (--data)".to_owned())
            }
            Self::NoJob { job } => {
                (StatusCode::NOT_FOUND, format!("the operator's history has no job {job} in this namespace"))
            }
            Self::NoRun { job, run: Some(run) } => {
                (StatusCode::NOT_FOUND, format!("the operator's history has no run {run} of {job}"))
            }
            Self::NoRun { job, run: None } => {
                (StatusCode::NOT_FOUND, format!("the operator's history has no run of {job}"))
            }
            Self::Question { why } => (StatusCode::BAD_REQUEST, why),
            Self::Unreadable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the operator's history cannot be read now; its log says why".to_owned(),
            ),
        };
        (code, words + "\n").into_response()
    }
}
