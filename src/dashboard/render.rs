//! From a page's value to what is sent: HTML by a template, or the value itself as JSON.

use std::{
    fmt::Write as _,
    future::Future,
    sync::{Arc, LazyLock},
    time::Duration,
};

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header, uri::PathAndQuery},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use base64::Engine as _;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tera::{Context, Kwargs, State as TeraState, Tera};

use super::{assets, error::PageError};
use crate::show::format;

/// In which form a page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A page for people.
    Html,
    /// The page's value.
    Json,
}

static TEMPLATES: LazyLock<Tera> = LazyLock::new(|| {
    let mut tera = Tera::default();
    // Filters before templates: a template that names an unknown one is refused.
    tera.register_filter("duration", |seconds: u64, _: Kwargs, _: &TeraState<'_>| {
        format::duration(Duration::from_secs(seconds))
    });
    tera.register_filter("count", |number: u64, _: Kwargs, _: &TeraState<'_>| format::count(number));
    tera.register_filter("local", |time: &str, _: Kwargs, _: &TeraState<'_>| {
        time.parse()
            .map_or_else(|_| time.to_owned(), |time: Timestamp| format::local(time, &TimeZone::system()))
    });
    tera.register_filter("ago", |time: &str, _: Kwargs, _: &TeraState<'_>| {
        time.parse().map_or_else(|_| time.to_owned(), |time: Timestamp| format::ago(time, Timestamp::now()))
    });
    tera.register_filter("cost", |dollars: &str, _: Kwargs, _: &TeraState<'_>| {
        dollars.parse::<f64>().map_or_else(
            |_| dollars.to_owned(),
            |dollars| {
                if dollars == 0.0 || dollars >= 0.1 {
                    format!("${dollars:.2}")
                } else {
                    format!("${dollars:.4}")
                }
            },
        )
    });
    tera.add_raw_templates([
        ("parts.html", include_str!("templates/parts.html")),
        ("frame.html", include_str!("templates/frame.html")),
        ("home.html", include_str!("templates/home.html")),
        ("job.html", include_str!("templates/job.html")),
        ("run.html", include_str!("templates/run.html")),
        ("batch.html", include_str!("templates/batch.html")),
        ("edit.html", include_str!("templates/edit.html")),
        ("difference.html", include_str!("templates/difference.html")),
        ("history.html", include_str!("templates/history.html")),
        ("timeline.html", include_str!("templates/timeline.html")),
        ("log.html", include_str!("templates/log.html")),
        ("confirm.html", include_str!("templates/confirm.html")),
        ("done.html", include_str!("templates/done.html")),
        ("error.html", include_str!("templates/error.html")),
        ("door.html", include_str!("templates/door.html")),
    ])
    .expect("the templates are part of the program, and a test reads them");
    tera
});

/// What every page is told beside its value.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Frame<'a> {
    /// The folder of the files that pages use.
    assets: String,
    /// From where and by whom it is seen.
    seat: &'a Seat,
    /// Where the same page is JSON.
    json: String,
    /// Which of the main parts the page is in.
    section: &'static str,
    now: Timestamp,
}

/// What the frame of every page says of what is shown, and to whom.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seat {
    /// What is shown: a machine's name, or a cluster's.
    pub place: String,
    /// The same in a sentence.
    pub title: String,
    /// Whether it is a cluster.
    pub cluster: bool,
    /// Who looks, where that is known.
    pub who: Option<String>,
    /// Whether a cookie lets him in, which he may give up.
    pub signed_in: bool,
    /// What everybody should know on every page.
    pub notice: Option<String>,
}

/// The seat of who looks at this machine.
static HERE: LazyLock<Seat> = LazyLock::new(|| Seat {
    place: nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned(),
    title: "The machine that this dashboard shows".to_owned(),
    ..Seat::default()
});

tokio::task_local! {
    /// Of the request that is answered: pages are made in many places, and only their frame tells of it.
    static SEAT: Arc<Seat>;
}

/// Answers a request whose pages are seen from `seat`.
pub async fn seen_from<T>(seat: Arc<Seat>, answer: impl Future<Output = T>) -> T {
    SEAT.scope(seat, answer).await
}

/// The page at `uri` whose value is `page`.
pub fn page(form: Form, uri: &Uri, template: &str, page: &impl Serialize) -> Result<Response, PageError> {
    match form {
        Form::Json => Ok(Json(page).into_response()),
        Form::Html => html(uri, template, page).map(|text| Html(text).into_response()),
    }
}

fn html(uri: &Uri, template: &str, page: &impl Serialize) -> Result<String, PageError> {
    let path = if uri.path() == "/" { "/index" } else { uri.path() };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let seat = SEAT.try_with(Arc::clone).ok();
    let frame = Frame {
        assets: format!("/assets/{}", *assets::VERSION),
        seat: seat.as_deref().unwrap_or(&HERE),
        json: format!("{path}.json{query}"),
        section: if path == "/history" { "history" } else { "jobs" },
        now: Timestamp::now(),
    };
    let mut context = Context::new();
    context.insert("page", page);
    context.insert("frame", &frame);
    TEMPLATES.render(template, &context).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, template, "a page could not be rendered");
        PageError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "This page cannot be shown",
            "Mozart made a mistake while it made this page.",
        )
        .with_hint("the same page as JSON may still help: its address with .json")
    })
}

/// An address that ends in `.json`, one of the API, or a wish for JSON in `Accept` asks for the value; the rest of the
/// way knows only the page's own address.
pub async fn settle_form(mut request: Request) -> Request {
    let path = request.uri().path();
    let page = match path.strip_suffix(".json") {
        // The document itself has the name of a file.
        Some(_) if path.starts_with("/api/") => None,
        Some("/index") => Some("/".to_owned()),
        page => page.map(str::to_owned),
    };
    let form = if page.is_some() || path.starts_with("/api/") || prefers_json(request.headers()) {
        Form::Json
    } else {
        Form::Html
    };
    if let Some(page) = page {
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = PathAndQuery::try_from(format!("{page}{query}")).ok();
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request.extensions_mut().insert(form);
    request
}

fn prefers_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("application/json") && !accept.contains("text/html")
}

/// On an answer that somebody else has made, whatever it says: it is sent as it is.
#[derive(Clone, Copy, Debug)]
pub struct AsItIs;

/// Makes a page of every [`PageError`], in the form that was asked for.
pub async fn show_errors(State(()): State<()>, request: Request, next: Next) -> Response {
    let form = request.extensions().get::<Form>().copied().unwrap_or(Form::Html);
    let uri = request.uri().clone();
    let mut response = next.run(request).await;
    if response.extensions().get::<AsItIs>().is_some() {
        return response;
    }
    let error = response.extensions_mut().remove::<PageError>().or_else(|| unexplained(response.status()));
    let Some(error) = error else { return response };
    let status = response.status();
    let shown = match form {
        Form::Json => Ok(Json(&error).into_response()),
        Form::Html if error.outside => door(&uri, &error),
        Form::Html => html(&uri, "error.html", &error).map(|text| Html(text).into_response()),
    };
    let mut shown = shown.unwrap_or_else(|_| error.title.clone().into_response());
    *shown.status_mut() = status;
    shown
}

/// What a library refused without a word of ours.
fn unexplained(status: StatusCode) -> Option<PageError> {
    match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            Some(PageError::new(status, "This cannot be done here", "The address knows no such method."))
        }
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Some(PageError::new(
                status,
                "This request makes no sense",
                "A part of the address has a value that it cannot have.",
            ))
        }
        _ => None,
    }
}

/// The page of somebody who is not let in: it may load nothing, so its style stands in it, allowed by its hash.
fn door(uri: &Uri, error: &PageError) -> Result<Response, PageError> {
    static STYLE: &str = include_str!("assets/door.css");
    static STYLE_POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        HeaderValue::from_str(&policy).expect("base64 has no control characters")
    });
    #[derive(Serialize)]
    struct Door<'a> {
        style: &'static str,
        error: &'a PageError,
    }
    let mut response =
        html(uri, "door.html", &Door { style: STYLE, error }).map(|text| Html(text).into_response())?;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, STYLE_POLICY.clone());
    Ok(response)
}

/// A query string of these fields, empty ones left out, with its question mark.
pub fn query_string(fields: &[(&str, Option<String>)]) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            let _ = write!(text, "{}{name}={value}", if text.is_empty() { '?' } else { '&' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_sound() {
        assert!(TEMPLATES.contains_template("home.html"));
    }

    #[test]
    fn a_query_leaves_out_what_is_empty_and_escapes_the_rest() {
        let fields = [("q", Some("a&b=c".to_owned())), ("phase", None), ("after", Some("x y".to_owned()))];
        assert_eq!(query_string(&fields), "?q=a%26b%3Dc&after=x+y");
        assert_eq!(query_string(&[("q", None)]), "");
    }
}
