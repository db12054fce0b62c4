//! Asking whether an action is meant, and carrying it out.

use axum::{
    Extension,
    extract::{Path, RawQuery, State},
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::job_of;
use crate::{
    dashboard::{
        actions::{Action, Actions},
        error::PageError,
        render::{self, Form},
        routes::Site,
        view::{JobEntry, View},
    },
    engine::ranges::Ranges,
};

/// The most jobs of one request.
const JOBS_MAX: usize = 500;

/// What an address or a form says.
#[derive(Debug, Default)]
struct Wanted {
    jobs: Vec<String>,
    batches: Option<Ranges>,
    spend: bool,
}

/// A job of the question.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Subject {
    job: JobEntry,
    /// Why it cannot be done to this one.
    refused: Option<String>,
    command: String,
}

/// The question.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfirmPage {
    action: &'static str,
    label: String,
    sentence: &'static str,
    starts: bool,
    batches: Option<String>,
    subjects: Vec<Subject>,
    /// How many of them it can be done to.
    able: usize,
    back: String,
}

/// What came of it for one job.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    job: JobEntry,
    done: bool,
    message: String,
}

/// What came of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DonePage {
    label: String,
    results: Vec<Outcome>,
}

/// `GET /confirm/{action}?job=…&job=…`.
pub async fn confirm<V: View + Actions>(
    State(site): State<Site<V>>,
    Extension(form): Extension<Form>,
    uri: Uri,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    let wanted = read(query.unwrap_or_default().as_bytes())?;
    let action = action_called(&name, &wanted)?;
    let mut subjects = Vec::new();
    for key in &wanted.jobs {
        let job = job_of(&*site.view, key).await?;
        let refused = action.refused(&job);
        subjects.push(Subject { refused, command: action.command(&job), job });
    }
    let page = ConfirmPage {
        action: action.name(),
        label: action.label(),
        sentence: action.sentence(),
        starts: action.starts(),
        batches: wanted.batches.as_ref().map(ToString::to_string),
        able: subjects.iter().filter(|subject| subject.refused.is_none()).count(),
        back: back(&subjects),
        subjects,
    };
    render::page(form, &uri, "confirm.html", &page)
}

fn back(subjects: &[Subject]) -> String {
    match subjects {
        [Subject { job, .. }] => address_of(job),
        _ => "/".to_owned(),
    }
}

/// The job's last run, or the job.
fn address_of(job: &JobEntry) -> String {
    match &job.last {
        Some(last) => format!("/jobs/{}/runs/{}", job.key, last.record.run),
        None => format!("/jobs/{}", job.key),
    }
}

/// `POST /actions/{action}` with the same fields as a form.
pub async fn act<V: View + Actions>(
    State(site): State<Site<V>>,
    Extension(form): Extension<Form>,
    uri: Uri,
    Path(name): Path<String>,
    headers: axum::http::HeaderMap,
    body: axum::body::Bytes,
) -> Result<Response, PageError> {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if media.split(';').next() != Some("application/x-www-form-urlencoded") {
        let message = "An action is a form: its media type is application/x-www-form-urlencoded.";
        return Err(PageError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "This request makes no sense",
            message,
        ));
    }
    let wanted = read(&body)?;
    let action = action_called(&name, &wanted)?;
    let mut results = Vec::new();
    for key in &wanted.jobs {
        let job = job_of(&*site.view, key).await?;
        let refused = action.refused(&job);
        let outcome = match refused {
            Some(why) => Err(why),
            None => site.view.act(&job, &action, wanted.spend).await.map_err(|error| error.message),
        };
        let done = outcome.is_ok();
        // As it is now that it was done.
        let job = job_of(&*site.view, key).await.unwrap_or(job);
        results.push(Outcome { job, done, message: outcome.unwrap_or_else(|message| message) });
    }
    if let ([Outcome { job, done: true, .. }], Form::Html) = (results.as_slice(), form) {
        let mut response = StatusCode::SEE_OTHER.into_response();
        let address = HeaderValue::from_str(&address_of(job)).unwrap_or(HeaderValue::from_static("/"));
        response.headers_mut().insert(header::LOCATION, address);
        return Ok(response);
    }
    let failed = results.iter().all(|done| !done.done);
    let mut response = render::page(form, &uri, "done.html", &DonePage { label: action.label(), results })?;
    if failed {
        *response.status_mut() = StatusCode::CONFLICT;
    }
    Ok(response)
}

fn action_called(name: &str, wanted: &Wanted) -> Result<Action, PageError> {
    Action::called(name, wanted.batches.clone())
        .ok_or_else(|| PageError::not_found(format!("Nothing that can be done is called {name}.")))
}

fn read(text: &[u8]) -> Result<Wanted, PageError> {
    let mut wanted = Wanted::default();
    for (name, value) in url::form_urlencoded::parse(text) {
        match &*name {
            "job" => wanted.jobs.push(value.into_owned()),
            "batches" => {
                let batches = value.parse().map_err(|_| {
                    PageError::bad_request(format!("`batches` is {value}: write a list such as 3,7-9."))
                })?;
                wanted.batches = Some(batches);
            }
            "spend" => wanted.spend = value == "yes",
            other => return Err(PageError::bad_request(format!("There is no field called {other}."))),
        }
    }
    wanted.jobs.sort();
    wanted.jobs.dedup();
    if wanted.jobs.is_empty() {
        return Err(PageError::bad_request("No job was chosen."));
    }
    if wanted.jobs.len() > JOBS_MAX {
        return Err(PageError::bad_request(format!("At most {JOBS_MAX} jobs at a time.")));
    }
    Ok(wanted)
}
