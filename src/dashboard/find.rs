//! Which jobs of all, in which order, and from where on.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    error::PageError,
    pages::number,
    render::query_string,
    view::{JobEntry, Standing},
};

/// How many jobs a page has, unless it is said.
const PAGE: usize = 50;
/// The most.
const PAGE_MAX: usize = 500;

/// What the address of a list of jobs says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct JobsQuery {
    /// A part of a name or of where the job is written.
    pub q: Option<String>,
    /// Where the last run stands: `running`, `waiting`, `pending`, `stopping`, `suspended`, `interrupted`, `failed` or
    /// `complete`.
    pub phase: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// Labels that it must have: `team=a,stage`.
    pub label: Option<String>,
    /// Used within so many hours.
    #[schemars(with = "Option<u32>")]
    pub hours: Option<String>,
    /// By what the list is sorted: `used`, `name`, `cost` or `progress`; `used`, unless it is said.
    pub sort: Option<String>,
    /// Where the page begins: what `next` of the one before says.
    pub after: Option<String>,
    /// How many jobs: at most 500; 50, unless it is said.
    #[schemars(with = "Option<u32>")]
    pub limit: Option<String>,
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

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// How many jobs there are.
    pub total: usize,
    /// Those that all of the query but its phase leaves.
    pub before_phase: BTreeMap<Standing, usize>,
    /// How many the whole query leaves.
    pub left: usize,
    /// A page of them.
    pub jobs: Vec<JobEntry>,
    /// Whether others stand before it.
    pub is_later: bool,
    /// What to ask for the next page with, if there is one.
    pub next: Option<String>,
}

/// The page of `jobs` that `query` asks for at `now`.
pub fn find(jobs: &[JobEntry], query: &JobsQuery, now: Timestamp) -> Result<Found, PageError> {
    let sort = Sort::of(query.sort.as_deref())?;
    let limit = number(query.limit.as_deref(), "limit")?.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let total = jobs.len();
    let wanted = Wanted::of(query, now)?;
    let mut jobs: Vec<&JobEntry> = jobs.iter().filter(|job| wanted.has(job)).collect();
    let mut before_phase = BTreeMap::new();
    for standing in jobs.iter().filter_map(|job| Some(job.last.as_ref()?.standing)) {
        *before_phase.entry(standing).or_default() += 1;
    }
    if let Some(phase) = given(query.phase.as_ref()) {
        let wanted = Standing::ALL.into_iter().find(|standing| standing.word().eq_ignore_ascii_case(phase));
        let wanted = wanted
            .ok_or_else(|| PageError::bad_request(format!("`phase` is {phase}, which no job can be in.")))?;
        jobs.retain(|job| job.last.as_ref().is_some_and(|last| last.standing == wanted));
    }
    let left = jobs.len();
    jobs.sort_by_cached_key(|job| (sort.rank(job), job.key.clone()));
    let begin = match given(query.after.as_ref()) {
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
    let jobs: Vec<JobEntry> = jobs.into_iter().skip(begin).take(limit).cloned().collect();
    let next = jobs.last().filter(|_| more);
    let next = next.map(|last| format!("{}~{}", Sort::written(&sort.rank(last)), last.key));
    Ok(Found { total, before_phase, left, jobs, is_later: begin > 0, next })
}

fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// What of a query is asked of each job alone.
struct Wanted<'a> {
    text: String,
    namespace: Option<&'a str>,
    /// Each with its value, or with any.
    labels: Vec<(&'a str, Option<&'a str>)>,
    since: Option<Timestamp>,
}

impl<'a> Wanted<'a> {
    fn of(query: &'a JobsQuery, now: Timestamp) -> Result<Self, PageError> {
        let hours: Option<i64> = number(query.hours.as_deref(), "hours")?;
        let label = |label: &'a str| match label.trim().split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim_start_matches('=').trim())),
            None => (label.trim(), None),
        };
        let labels = given(query.label.as_ref()).unwrap_or_default().split(',').map(label);
        Ok(Self {
            text: query.q.as_deref().unwrap_or_default().trim().to_lowercase(),
            namespace: given(query.namespace.as_ref()),
            labels: labels.filter(|(name, _)| !name.is_empty()).collect(),
            since: hours.map(|hours| now - SignedDuration::from_hours(hours.clamp(0, 24 * 365))),
        })
    }

    fn has(&self, job: &JobEntry) -> bool {
        let Self { text, namespace, labels, since } = self;
        let labelled = |(name, value): &(&str, Option<&str>)| {
            job.labels.get(*name).is_some_and(|found| value.is_none_or(|value| found == value))
        };
        (text.is_empty()
            || job.name.to_lowercase().contains(text)
            || job.origin.to_lowercase().contains(text))
            && namespace.is_none_or(|namespace| job.namespace.as_deref() == Some(namespace))
            && labels.iter().all(labelled)
            && since.is_none_or(|since| job.used >= since)
    }
}

impl JobsQuery {
    /// The address of this list with other values for some fields.
    pub fn link(&self, changes: &[(&str, Option<String>)]) -> String {
        let own = [
            ("q", &self.q),
            ("phase", &self.phase),
            ("namespace", &self.namespace),
            ("label", &self.label),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::view::Rights;

    fn job(name: &str, namespace: &str, labels: &[(&str, &str)]) -> JobEntry {
        JobEntry {
            key: format!("{namespace}~{name}"),
            uid: uuid::Uuid::nil(),
            name: name.to_owned(),
            origin: namespace.to_owned(),
            namespace: Some(namespace.to_owned()),
            labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            conditions: Vec::new(),
            command_name: name.to_owned(),
            created: Timestamp::UNIX_EPOCH,
            used: Timestamp::UNIX_EPOCH,
            last: None,
            rights: Rights::default(),
        }
    }

    #[test]
    fn jobs_are_found_by_namespace_and_labels() {
        let jobs = vec![
            job("night", "team-a", &[("team", "a"), ("stage", "test")]),
            job("day", "team-a", &[("team", "a")]),
            job("other", "team-b", &[("team", "b")]),
        ];
        for (namespace, label, wanted) in [
            ("", "", vec!["day", "night", "other"]),
            ("team-a", "", vec!["day", "night"]),
            ("", "team=a", vec!["day", "night"]),
            ("", "team=a,stage", vec!["night"]),
            ("", "team==b , ", vec!["other"]),
            ("team-b", "team=a", vec![]),
        ] {
            let query = JobsQuery {
                namespace: Some(namespace.to_owned()),
                label: Some(label.to_owned()),
                sort: Some("name".to_owned()),
                ..JobsQuery::default()
            };
            let found = find(&jobs, &query, Timestamp::UNIX_EPOCH).unwrap();
            let names: Vec<&str> = found.jobs.iter().map(|job| job.name.as_str()).collect();
            assert_eq!((names, found.total), (wanted, 3), "{namespace} {label}");
        }
    }
}
