//! What Pods of attempts are called, and the labels by which they are found.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::job::identity::{AttemptKey, BatchNum, RunId};

/// Keeps a Pod until the ledger has its result.
pub const FINALIZER: &str = "mozart.dev/result";
/// The job's UID: by it a Pod is ours.
pub const JOB_UID: &str = "mozart.dev/job-uid";
/// The job's name.
pub const JOB: &str = "mozart.dev/job";
/// The run's number.
pub const RUN: &str = "mozart.dev/run";
/// The batch's number.
pub const BATCH: &str = "mozart.dev/batch";
/// Which start of the batch.
pub const ORDINAL: &str = "mozart.dev/attempt";
/// The annotation that says what the attempt may spend, in millionths of a dollar.
pub const BUDGET: &str = "mozart.dev/budget-micro-usd";
/// The annotation that names the credential which the attempt uses.
pub const CREDENTIAL: &str = "mozart.dev/credential";
/// On a Pod whose result is recorded: nobody looks at it any more.
pub const RELEASED: &str = "mozart.dev/released";
/// On a released Pod that is kept for people.
pub const KEPT: &str = "mozart.dev/keep";
/// On Pods that must share a node, because their volume can be mounted on one only.
pub const WORKSPACE: &str = "mozart.dev/workspace";

/// The Pods that are looked at: ours, of any job, and not released.
pub const WATCHED: &str = "mozart.dev/job-uid,!mozart.dev/released";
/// The Pods that are deleted in bulk.
pub const SWEPT: &str = "mozart.dev/released,!mozart.dev/keep";

/// The name of an attempt's Pod: `review-1b4e2-r3-b12-a1`.
pub fn pod(job: &str, run: &RunId, key: AttemptKey) -> String {
    format!("{}-{key}", of_run(job, run))
}

/// What the names of everything of a run begin with: `review-1b4e2-r3`. A job that is deleted and made anew has others.
pub fn of_run(job: &str, run: &RunId) -> String {
    let uid = run.job.simple().to_string();
    format!("{job}-{}-r{}", &uid[..5], run.run)
}

/// The labels of everything of a run.
pub fn labels(job: &str, run: &RunId) -> BTreeMap<String, String> {
    [
        ("app.kubernetes.io/name", "mozart".to_owned()),
        ("app.kubernetes.io/instance", job.to_owned()),
        ("app.kubernetes.io/managed-by", "mozart".to_owned()),
        (JOB, job.to_owned()),
        (JOB_UID, run.job.to_string()),
        (RUN, run.run.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Which attempt of which run a Pod is, by its labels.
pub fn identity(labels: &BTreeMap<String, String>) -> Option<(RunId, AttemptKey)> {
    let number = |name| labels.get(name)?.parse().ok();
    let job: Uuid = labels.get(JOB_UID)?.parse().ok()?;
    let key = AttemptKey { batch: BatchNum(number(BATCH)?), ordinal: number(ORDINAL)? };
    Some((RunId { job, run: number(RUN)? }, key))
}
