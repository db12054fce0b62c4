//! The list of jobs.

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    Extension,
    extract::{Query, State},
    http::Uri,
    response::Response,
};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    dashboard::{
        error::PageError,
        find::{JobsQuery, find},
        render::{self, Form},
        routes::Site,
        view::{JobEntry, Standing, View},
    },
    engine::waiting::Waiting,
};

/// How many jobs stand so.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Count {
    standing: Standing,
    word: &'static str,
    jobs: usize,
    /// The list of them alone.
    href: String,
    chosen: bool,
}

/// What a credential waits for, and how many jobs with it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Banner {
    words: String,
    until: Option<Timestamp>,
    needs_person: bool,
    jobs: usize,
}

/// The page.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HomePage {
    jobs: Vec<JobEntry>,
    /// How many jobs there are.
    total: usize,
    /// How many of them the filter leaves.
    found: usize,
    counts: Vec<Count>,
    banners: Vec<Banner>,
    /// The namespaces of all jobs; none on a machine.
    namespaces: BTreeSet<String>,
    /// Whether any job has labels.
    labelled: bool,
    query: JobsQuery,
    sort: String,
    /// The list without a filter by state.
    all: String,
    /// The next page, if there is one.
    next: Option<String>,
    /// The first page, if this is not it.
    first: Option<String>,
}

/// `GET /`.
pub async fn show<V: View>(
    State(site): State<Site<V>>,
    Extension(form): Extension<Form>,
    uri: Uri,
    Query(query): Query<JobsQuery>,
) -> Result<Response, PageError> {
    let jobs = site.view.jobs().await?;
    render::page(form, &uri, "home.html", &HomePage::of(&jobs, query, Timestamp::now())?)
}

impl HomePage {
    fn of(jobs: &[JobEntry], query: JobsQuery, now: Timestamp) -> Result<Self, PageError> {
        let banners = banners(jobs);
        let namespaces = jobs.iter().filter_map(|job| job.namespace.clone()).collect();
        let labelled = jobs.iter().any(|job| !job.labels.is_empty());
        let found = find(jobs, &query, now)?;
        Ok(Self {
            jobs: found.jobs,
            total: found.total,
            found: found.left,
            counts: counts(&found.before_phase, &query),
            banners,
            namespaces,
            labelled,
            sort: query.sort.clone().filter(|sort| !sort.is_empty()).unwrap_or_else(|| "used".to_owned()),
            all: query.link(&[("phase", None), ("after", None)]),
            next: found.next.map(|next| query.link(&[("after", Some(next))])),
            first: found.is_later.then(|| query.link(&[("after", None)])),
            query,
        })
    }
}

fn counts(jobs: &BTreeMap<Standing, usize>, query: &JobsQuery) -> Vec<Count> {
    let count = |standing: Standing| Count {
        standing,
        word: standing.word(),
        jobs: jobs.get(&standing).copied().unwrap_or_default(),
        href: query.link(&[("phase", Some(standing.word().to_lowercase())), ("after", None)]),
        chosen: query.phase.as_deref().is_some_and(|phase| standing.word().eq_ignore_ascii_case(phase)),
    };
    Standing::ALL.into_iter().map(count).filter(|count| count.jobs > 0 || count.chosen).collect()
}

/// One banner for each thing that credentials wait for.
fn banners(jobs: &[JobEntry]) -> Vec<Banner> {
    let mut banners: Vec<Banner> = Vec::new();
    for run in jobs.iter().filter_map(|job| job.last.as_ref()) {
        let (Some(waiting), Some(words)) = (&run.waiting, &run.waiting_words) else { continue };
        if !waiting.is_for_the_gate() {
            continue;
        }
        match banners.iter_mut().find(|banner| banner.words == *words) {
            Some(banner) => banner.jobs += 1,
            None => banners.push(Banner {
                words: words.clone(),
                until: run.waiting_until,
                needs_person: matches!(waiting, Waiting::Attention { .. }),
                jobs: 1,
            }),
        }
    }
    banners
}
