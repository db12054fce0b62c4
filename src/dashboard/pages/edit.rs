//! A job's text, to be changed: first a form, then what differs, before anything is written.

use axum::{
    Extension,
    body::Bytes,
    extract::{Path, State},
    http::Uri,
    response::Response,
};
use serde::Serialize;

use super::{
    act::form_fields,
    difference::{Line, pieces},
    job_of,
};
use crate::{
    dashboard::{
        actions::{Action, Edited},
        error::PageError,
        render::{self, Form},
        routes::Site,
        view::{JobEntry, View},
    },
    job::items::hash_of,
};

/// The largest text that is edited in a browser, in bytes.
const TEXT_MAX: usize = 512 << 10;

/// The page.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EditPage {
    job: JobEntry,
    /// What is to be changed, or was.
    text: String,
    /// Tells whether what is written is still what was seen.
    seen: String,
    /// What differs from what is written; nothing before anything was changed.
    pieces: Option<Vec<Vec<Line>>>,
    sentence: &'static str,
    command: String,
    /// Why it cannot be done now.
    refused: Option<String>,
}

/// `GET /jobs/{job}/edit`.
pub async fn form<V: View>(
    State(site): State<Site<V>>,
    Extension(form): Extension<Form>,
    uri: Uri,
    Path(key): Path<String>,
) -> Result<Response, PageError> {
    let (job, written) = written(&*site.view, &key).await?;
    render::page(form, &uri, "edit.html", &page(job, written.clone(), &written, None))
}

/// `POST /jobs/{job}/edit`: what differs. Nothing is changed.
pub async fn preview<V: View>(
    State(site): State<Site<V>>,
    Extension(form): Extension<Form>,
    uri: Uri,
    Path(key): Path<String>,
    headers: axum::http::HeaderMap,
    body: Bytes,
) -> Result<Response, PageError> {
    let (job, written) = written(&*site.view, &key).await?;
    let mut text = None;
    for (name, value) in form_fields(&headers, &body)? {
        match &*name {
            "text" => text = Some(value.into_owned()),
            other => return Err(PageError::bad_request(format!("There is no field called {other}."))),
        }
    }
    let text = text.ok_or_else(|| PageError::bad_request("The field called text is missing."))?;
    let text = with_line_ends_of(&written, text);
    let pieces = pieces(&written, &text);
    render::page(form, &uri, "edit.html", &page(job, text, &written, Some(pieces)))
}

async fn written(view: &impl View, key: &str) -> Result<(JobEntry, String), PageError> {
    let job = job_of(view, key).await?;
    let written = view.spec(&job, None).await?.written;
    let written = written.ok_or_else(|| {
        PageError::not_found(format!(
            "What the job {} says is not there any more, or cannot be read.",
            job.name
        ))
    })?;
    if written.len() > TEXT_MAX {
        let message = format!("It has {} bytes, and at most {TEXT_MAX} are edited here.", written.len());
        return Err(PageError::bad_request(message).with_hint("edit the file itself"));
    }
    Ok((job, written))
}

fn page(job: JobEntry, text: String, written: &str, pieces: Option<Vec<Vec<Line>>>) -> EditPage {
    let seen = hash_of(written);
    let action = Action::Edit(Edited { text: String::new(), seen: String::new() });
    EditPage {
        text,
        seen,
        pieces,
        sentence: action.sentence(),
        command: action.command(&job),
        refused: action.refused(&job),
        job,
    }
}

/// Browsers send every end of a line as two characters.
pub fn with_line_ends_of(written: &str, text: String) -> String {
    if written.contains("\r\n") { text } else { text.replace("\r\n", "\n") }
}
