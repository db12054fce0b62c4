//! The list of jobs.

use axum::{
    Extension,
    extract::{Query, State},
    http::Uri,
    response::Response,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::number;
use crate::{
    dashboard::{
        error::PageError,
        render::{self, Form, query_string},
        routes::Site,
        view::{JobEntry, Standing, View},
    },
    engine::waiting::Waiting,
};

/// How many jobs a page shows, unless it is said.
const PAGE: usize = 50;
/// The most.
const PAGE_MAX: usize = 500;

/// What the address says.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HomeQuery {
    /// A part of a name or of where the job is written.
    q: Option<String>,
    /// Where the last run stands.
    phase: Option<String>,
    /// Used within so many hours.
    hours: Option<String>,
    /// By what the list is sorted.
    sort: Option<String>,
    /// Where the page begins: the last job of the one before.
    after: Option<String>,
    /// How many jobs.
    limit: Option<String>,
}

/// By what the list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Used,
    Name,
    Cost,
    Progress,
}

/// A value to sort by: larger ones come first, names in their order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Number(std::cmp::Reverse<i64>),
    Text(String),
}

impl Sort {
    fn of(text: Option<&str>) -> Result<Self, PageError> {
        match text.unwrap_or("used") {
            "" | "used" => Ok(Self::Used),
            "name" => Ok(Self::Name),
            "cost" => Ok(Self::Cost),
            "progress" => Ok(Self::Progress),
            other => Err(PageError::bad_request(format!(
                "`sort` is {other}: it may be used, name, cost or progress."
            ))),
        }
    }

    fn rank(self, job: &JobEntry) -> Rank {
        let number = |number: i64| Rank::Number(std::cmp::Reverse(number));
        let record = job.last.as_ref().map(|last| &last.record);
        match self {
            Self::Used => number(job.used.as_microsecond()),
            Self::Name => Rank::Text(job.name.clone()),
            Self::Cost => number(record.map_or(0, |run| run.usage.cost_micro_usd.cast_signed())),
            Self::Progress => number(
                record.map_or(0, |run| i64::from(run.succeeded) * 10_000 / i64::from(run.total.max(1))),
            ),
        }
    }

    /// The text of a rank in an address, and back.
    fn written(rank: &Rank) -> String {
        match rank {
            Rank::Number(number) => number.0.to_string(),
            Rank::Text(text) => text.clone(),
        }
    }

    fn read(self, text: &str) -> Option<Rank> {
        match self {
            Self::Name => Some(Rank::Text(text.to_owned())),
            Self::Used | Self::Cost | Self::Progress => {
                text.parse().ok().map(|number| Rank::Number(std::cmp::Reverse(number)))
            }
        }
    }
}

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
    query: HomeQuery,
    sort: String,
    /// The list without a filter.
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
    Query(query): Query<HomeQuery>,
) -> Result<Response, PageError> {
    let jobs = site.view.jobs().await?;
    render::page(form, &uri, "home.html", &HomePage::of(jobs, query, Timestamp::now())?)
}

impl HomePage {
    fn of(jobs: Vec<JobEntry>, query: HomeQuery, now: Timestamp) -> Result<Self, PageError> {
        let sort = Sort::of(query.sort.as_deref())?;
        let limit = number(query.limit.as_deref(), "limit")?.unwrap_or(PAGE).clamp(1, PAGE_MAX);
        let hours: Option<i64> = number(query.hours.as_deref(), "hours")?;
        let total = jobs.len();
        let banners = banners(&jobs);
        let since = hours.map(|hours| now - SignedDuration::from_hours(hours.clamp(0, 24 * 365)));
        let text = query.q.as_deref().unwrap_or_default().trim().to_lowercase();
        let mut jobs: Vec<JobEntry> = jobs
            .into_iter()
            .filter(|job| {
                (text.is_empty()
                    || job.name.to_lowercase().contains(&text)
                    || job.origin.to_lowercase().contains(&text))
                    && since.is_none_or(|since| job.used >= since)
            })
            .collect();
        let counts = counts(&jobs, &query);
        if let Some(phase) = query.phase.as_deref().filter(|phase| !phase.is_empty()) {
            let wanted =
                Standing::ALL.into_iter().find(|standing| standing.word().eq_ignore_ascii_case(phase));
            let wanted = wanted.ok_or_else(|| {
                PageError::bad_request(format!("`phase` is {phase}, which no job can be in."))
            })?;
            jobs.retain(|job| job.last.as_ref().is_some_and(|last| last.standing == wanted));
        }
        let found = jobs.len();
        jobs.sort_by_cached_key(|job| (sort.rank(job), job.key.clone()));
        let begin = match query.after.as_deref().filter(|after| !after.is_empty()) {
            None => 0,
            Some(after) => {
                let cursor =
                    after.split_once('~').and_then(|(rank, key)| Some((sort.read(rank)?, key.to_owned())));
                let cursor = cursor
                    .ok_or_else(|| PageError::bad_request("`after` is not what a page of this list says."))?;
                jobs.partition_point(|job| (sort.rank(job), job.key.clone()) <= cursor)
            }
        };
        let more = jobs.len() > begin + limit;
        let jobs: Vec<JobEntry> = jobs.into_iter().skip(begin).take(limit).collect();
        let next = jobs.last().filter(|_| more).map(|last| {
            let after = format!("{}~{}", Sort::written(&sort.rank(last)), last.key);
            query.link(&[("after", Some(after))])
        });
        let first = (begin > 0).then(|| query.link(&[("after", None)]));
        Ok(Self {
            jobs,
            total,
            found,
            counts,
            banners,
            sort: query.sort.clone().filter(|sort| !sort.is_empty()).unwrap_or_else(|| "used".to_owned()),
            all: query.link(&[("phase", None), ("after", None)]),
            next,
            first,
            query,
        })
    }
}

impl HomeQuery {
    /// The address of this list with other values for some fields.
    fn link(&self, changes: &[(&str, Option<String>)]) -> String {
        let own = [
            ("q", &self.q),
            ("phase", &self.phase),
            ("hours", &self.hours),
            ("sort", &self.sort),
            ("after", &self.after),
            ("limit", &self.limit),
        ];
        let fields = own.map(|(name, value)| {
            let changed = changes.iter().find(|(changed, _)| *changed == name);
            (name, changed.map_or_else(|| value.clone(), |(_, value)| value.clone()))
        });
        format!("/{}", query_string(&fields))
    }
}

fn counts(jobs: &[JobEntry], query: &HomeQuery) -> Vec<Count> {
    let count = |standing: Standing| Count {
        standing,
        word: standing.word(),
        jobs: jobs
            .iter()
            .filter(|job| job.last.as_ref().is_some_and(|last| last.standing == standing))
            .count(),
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
