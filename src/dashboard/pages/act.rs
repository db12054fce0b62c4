//! Asking whether an action is meant, and carrying it out.

use axum::{
    Extension, Json,
    extract::{Path, RawQuery, State, rejection::JsonRejection},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{job_of, number};
use crate::{
    dashboard::{
        actions::{Action, Actions, Arguments, Edited},
        error::PageError,
        render::{self, Form},
        routes::Site,
        view::{JobEntry, View},
    },
    engine::ranges::Ranges,
};

/// Names and values.
type Fields<'a> = url::form_urlencoded::Parse<'a>;

/// The most jobs of one request.
const JOBS_MAX: usize = 500;

/// What an address or a form says.
#[derive(Debug, Default)]
struct Wanted {
    jobs: Vec<String>,
    arguments: Arguments,
    spend: bool,
}

/// What a program sends.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActBody {
    /// The jobs, by their `key`: at least 1, at most 500.
    jobs: Vec<String>,
    /// With `retry`: these batches, such as `3,7-9`, instead of those that failed.
    #[serde(default)]
    batches: Option<Ranges>,
    /// With `delete`: this run, instead of the job.
    #[serde(default)]
    run: Option<u32>,
    /// With `edit`: the job's new text.
    #[serde(default)]
    text: Option<String>,
    /// With `edit`: the SHA-256 of the text that was edited, in hexadecimal digits.
    #[serde(default)]
    seen: Option<String>,
    /// The consent to a start where use is billed and no budget is written.
    #[serde(default)]
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
    /// Whether it cannot be undone.
    destroys: bool,
    batches: Option<String>,
    run: Option<u32>,
    subjects: Vec<Subject>,
    /// How many of them it can be done to.
    able: usize,
    back: String,
}

/// What came of it for one job.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    /// The job, as it is now; as it was, where it is gone.
    job: JobEntry,
    /// Whether the job is gone.
    gone: bool,
    /// Whether it was done.
    done: bool,
    /// What came of it, or why not.
    message: String,
}

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Results")]
pub struct DonePage {
    /// What was asked for.
    label: String,
    /// One for each job.
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
    let query = query.unwrap_or_default();
    let wanted = read(url::form_urlencoded::parse(query.as_bytes()))?;
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
        destroys: action.destroys(),
        batches: wanted.arguments.batches.as_ref().map(ToString::to_string),
        run: wanted.arguments.run,
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
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Result<Response, PageError> {
    let wanted = read(form_fields(&headers, &body)?)?;
    let action = action_called(&name, &wanted)?;
    let page = carry_out(&*site.view, &action, &wanted).await?;
    if let ([Outcome { job, done: true, .. }], Form::Html) = (page.results.as_slice(), form) {
        let mut response = StatusCode::SEE_OTHER.into_response();
        let address = match action {
            Action::Delete => "/".to_owned(),
            Action::DeleteRun(_) => format!("/jobs/{}", job.key),
            _ => address_of(job),
        };
        let address = HeaderValue::try_from(address).unwrap_or(HeaderValue::from_static("/"));
        response.headers_mut().insert(header::LOCATION, address);
        return Ok(response);
    }
    let status = page.status();
    let mut response = render::page(form, &uri, "done.html", &page)?;
    *response.status_mut() = status;
    Ok(response)
}

/// `POST /api/v1/actions/{action}`.
pub async fn act_json<V: View + Actions>(
    State(site): State<Site<V>>,
    Path(name): Path<String>,
    body: Result<Json<ActBody>, JsonRejection>,
) -> Result<(StatusCode, Json<DonePage>), PageError> {
    let Json(ActBody { jobs, batches, run, text, seen, spend }) = body.map_err(|rejection| {
        PageError::new(rejection.status(), "This request makes no sense", rejection.body_text())
    })?;
    let arguments = Arguments { batches, run, edited: edited(text, seen)? };
    let wanted = Wanted { jobs, arguments, spend }.checked()?;
    let action = action_called(&name, &wanted)?;
    let page = carry_out(&*site.view, &action, &wanted).await?;
    Ok((page.status(), Json(page)))
}

async fn carry_out<V: View + Actions>(
    view: &V,
    action: &Action,
    wanted: &Wanted,
) -> Result<DonePage, PageError> {
    let mut results = Vec::new();
    for key in &wanted.jobs {
        let job = job_of(view, key).await?;
        let outcome = match action.refused(&job) {
            Some(why) => Err(why),
            None => view.act(&job, action, wanted.spend).await.map_err(|error| error.message),
        };
        let done = outcome.is_ok();
        // As it is now that it was done.
        let now = view.job(key).await?;
        let gone = now.is_none();
        let job = now.unwrap_or(job);
        results.push(Outcome { job, gone, done, message: outcome.unwrap_or_else(|message| message) });
    }
    Ok(DonePage { label: action.label(), results })
}

impl DonePage {
    fn status(&self) -> StatusCode {
        if self.results.iter().any(|one| one.done) { StatusCode::OK } else { StatusCode::CONFLICT }
    }
}

/// The fields of a form that was sent.
pub fn form_fields<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<Fields<'a>, PageError> {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if media.split(';').next() == Some("application/x-www-form-urlencoded") {
        return Ok(url::form_urlencoded::parse(body));
    }
    let message = "An action is a form: its media type is application/x-www-form-urlencoded.";
    Err(PageError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "This request makes no sense", message))
}

fn action_called(name: &str, wanted: &Wanted) -> Result<Action, PageError> {
    Action::called(name, wanted.arguments.clone())
        .ok_or_else(|| PageError::not_found(format!("Nothing that can be done is called {name}.")))
}

fn read(fields: Fields<'_>) -> Result<Wanted, PageError> {
    let mut wanted = Wanted::default();
    let (mut text, mut seen) = (None, None);
    for (name, value) in fields {
        match &*name {
            "job" => wanted.jobs.push(value.into_owned()),
            "batches" => {
                let batches = value.parse().map_err(|_| {
                    PageError::bad_request(format!("`batches` is {value}: write a list such as 3,7-9."))
                })?;
                wanted.arguments.batches = Some(batches);
            }
            "run" => wanted.arguments.run = number(Some(&*value), "run")?,
            "text" => text = Some(value.into_owned()),
            "seen" => seen = Some(value.into_owned()),
            "spend" => wanted.spend = value == "yes",
            other => return Err(PageError::bad_request(format!("There is no field called {other}."))),
        }
    }
    wanted.arguments.edited = edited(text, seen)?;
    wanted.checked()
}

/// A job's new text, with what was seen of the old one.
fn edited(text: Option<String>, seen: Option<String>) -> Result<Option<Edited>, PageError> {
    match (text, seen) {
        (None, None) => Ok(None),
        (Some(text), Some(seen)) => Ok(Some(Edited { text, seen })),
        _ => Err(PageError::bad_request("`text` and `seen` belong together.")),
    }
}

impl Wanted {
    /// Each job once, and neither none nor too many.
    fn checked(mut self) -> Result<Self, PageError> {
        self.jobs.sort();
        self.jobs.dedup();
        if self.jobs.is_empty() {
            return Err(PageError::bad_request("No job was chosen."));
        }
        if self.jobs.len() > JOBS_MAX {
            return Err(PageError::bad_request(format!("At most {JOBS_MAX} jobs at a time.")));
        }
        Ok(self)
    }
}
