//! What people do to a job of a cluster: each verb is a change of its spec. Pure.

use jiff::Timestamp;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::{
    api::status::{MozartJobStatus, Phase},
    engine::ranges::Ranges,
};

/// A verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb<'a> {
    /// Nothing new starts; with `now` what runs is ended too, to be gone on with.
    Suspend {
        /// Whether what runs is ended.
        now: bool,
    },
    /// What is left goes on; of a run that failed, in a new one.
    Resume,
    /// The run ends.
    Stop {
        /// Whether what runs is ended too.
        now: bool,
    },
    /// A new run, of the failed batches or of these.
    Retry(Option<&'a Ranges>),
    /// A new run of every batch.
    Again,
}

/// What a verb comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The spec is to be changed so, by a merge patch.
    Change {
        /// What goes into `spec`.
        spec: Value,
        /// What follows, in a sentence without its end.
        what: String,
    },
    /// Nothing is to be done, and why.
    Nothing(String),
    /// Another run is active: there is one at a time.
    Active(u32),
    /// It has had no run yet.
    NeverRan,
}

/// The status of a job, as far as this Mozart can read it.
pub fn status(job: &DynamicObject) -> MozartJobStatus {
    let status = job.data.get("status").cloned();
    status.and_then(|status| serde_json::from_value(status).ok()).unwrap_or_default()
}

/// The word for where a job stands.
pub fn word(phase: Option<Phase>) -> &'static str {
    phase.map_or("not seen by an operator", Phase::word)
}

impl Verb<'_> {
    /// What it means for `job`, called `name`, as it was just read.
    pub fn of(self, name: &str, job: &DynamicObject, now: Timestamp) -> Answer {
        let status = status(job);
        match self {
            Self::Suspend { now } => suspend(name, job, &status, now),
            Self::Resume => resume(name, job, &status, now),
            Self::Stop { now } => stop(name, &status, now),
            Self::Retry(batches) => retry(name, &status, batches, now),
            Self::Again => again(name, &status, now),
        }
    }
}

fn is_suspended(job: &DynamicObject) -> bool {
    job.data["spec"]["suspend"] == true
}

fn suspend(name: &str, job: &DynamicObject, status: &MozartJobStatus, now: bool) -> Answer {
    if is_suspended(job) && !now {
        return Answer::Nothing(format!("{name} is suspended already"));
    }
    let policy = if now { "Terminate" } else { "Drain" };
    let what = match status.active_run {
        None => "no run of it begins",
        Some(_) if now => "what runs is ended, to be gone on with, and nothing new starts",
        Some(_) => "what runs finishes, nothing new starts",
    };
    Answer::Change {
        spec: json!({"suspend": true, "suspendPolicy": policy}),
        what: format!("{name}: {what}"),
    }
}

fn resume(name: &str, job: &DynamicObject, status: &MozartJobStatus, now: Timestamp) -> Answer {
    let suspended = is_suspended(job);
    let mut spec = json!({});
    if suspended {
        spec["suspend"] = json!(false);
    }
    let what = match (status.phase, status.active_run) {
        // It says Failed until its operator has seen it: the run that is asked for does not count yet.
        (Some(Phase::Failed), None) => {
            spec["rerun"] = json!({"id": format!("resume-{now:.0}"), "select": "Unfinished"});
            "another run begins, of the unfinished batches"
        }
        (Some(Phase::Complete), None) if !suspended => {
            return Answer::Nothing(format!("{name} is complete: nothing is left to do"));
        }
        // The operator suspends a run too, for want of money or time: any edit of the spec lets that go on.
        (Some(Phase::Suspended), Some(_)) if !suspended => {
            let said = job.data["spec"].get("suspend").is_some();
            spec["suspend"] = if said { json!(null) } else { json!(false) };
            "goes on"
        }
        _ if suspended => "goes on",
        _ => return Answer::Nothing(format!("{name} goes on already")),
    };
    Answer::Change { spec, what: format!("{name}: {what}") }
}

fn stop(name: &str, status: &MozartJobStatus, now: bool) -> Answer {
    let Some(run) = status.active_run else {
        return Answer::Nothing(format!("no run of {name} is active: {}", word(status.phase)));
    };
    let (mode, what) = if now { ("Now", "what runs is ended") } else { ("Drain", "what runs finishes") };
    Answer::Change {
        spec: json!({"stop": {"run": run, "mode": mode}}),
        what: format!("run {run} of {name}: {what}, then it ends as failed"),
    }
}

/// What keeps another run from beginning.
fn between_runs(status: &MozartJobStatus) -> Option<Answer> {
    match (status.active_run, &status.last_run) {
        (Some(run), _) => Some(Answer::Active(run)),
        (None, None) => Some(Answer::NeverRan),
        (None, Some(_)) => None,
    }
}

fn retry(name: &str, status: &MozartJobStatus, batches: Option<&Ranges>, now: Timestamp) -> Answer {
    if let Some(not) = between_runs(status) {
        return not;
    }
    let failed = status.batches.as_ref().map_or(0, |batches| batches.failed);
    if batches.is_none() && failed == 0 {
        return Answer::Nothing(format!("no batch of {name} has failed"));
    }
    let id = format!("retry-{now:.0}");
    let (rerun, which) = match batches {
        Some(batches) => (
            json!({"id": id, "select": "Batches", "batches": batches.to_string()}),
            format!("batches {batches}"),
        ),
        None => (json!({"id": id, "select": "Failed", "batches": null}), format!("the {failed} that failed")),
    };
    Answer::Change { spec: json!({"rerun": rerun}), what: format!("{name}: another run begins, of {which}") }
}

fn again(name: &str, status: &MozartJobStatus, now: Timestamp) -> Answer {
    if let Some(not) = between_runs(status) {
        return not;
    }
    let rerun = json!({"id": format!("again-{now:.0}"), "select": "All", "batches": null});
    Answer::Change {
        spec: json!({"rerun": rerun}),
        what: format!("{name}: another run begins, of every batch"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(spec: &Value, status: &Value) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "mozart.dev/v1alpha1", "kind": "MozartJob", "metadata": {"name": "night"},
            "spec": spec, "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn each_verb_changes_what_the_operator_looks_at_and_nothing_where_it_is_so_already() {
        let now: Timestamp = "2026-01-01T00:00:00.5Z".parse().unwrap();
        let running = json!({"phase": "Running", "activeRun": 2});
        let failed = json!({"phase": "Failed", "lastRun": {"number": 2, "outcome": "Failed"},
            "batches": {"total": 9, "ofTotal": 9, "succeeded": 6, "failed": 3, "running": 0, "waiting": 0, "pending": 0}});
        let complete = json!({"phase": "Complete", "lastRun": {"number": 2, "outcome": "Complete"}});
        let batches: Ranges = "3,7-9".parse().unwrap();
        let (plain, suspended) = (json!({}), json!({"suspend": true}));
        for (verb, spec, status, wanted) in [
            (
                Verb::Suspend { now: false },
                &plain,
                &running,
                Ok(json!({"suspend": true, "suspendPolicy": "Drain"})),
            ),
            (Verb::Suspend { now: false }, &suspended, &running, Err("night is suspended already")),
            (
                Verb::Suspend { now: true },
                &suspended,
                &running,
                Ok(json!({"suspend": true, "suspendPolicy": "Terminate"})),
            ),
            (Verb::Resume, &suspended, &running, Ok(json!({"suspend": false}))),
            (Verb::Resume, &plain, &running, Err("night goes on already")),
            (Verb::Resume, &plain, &complete, Err("night is complete: nothing is left to do")),
            (
                Verb::Resume,
                &plain,
                &failed,
                Ok(json!({"rerun": {"id": "resume-2026-01-01T00:00:00Z", "select": "Unfinished"}})),
            ),
            (Verb::Stop { now: false }, &plain, &running, Ok(json!({"stop": {"run": 2, "mode": "Drain"}}))),
            (Verb::Stop { now: true }, &plain, &failed, Err("no run of night is active: Failed")),
            (
                Verb::Retry(None),
                &plain,
                &failed,
                Ok(
                    json!({"rerun": {"id": "retry-2026-01-01T00:00:00Z", "select": "Failed", "batches": null}}),
                ),
            ),
            (Verb::Retry(None), &plain, &complete, Err("no batch of night has failed")),
            (
                Verb::Retry(Some(&batches)),
                &plain,
                &complete,
                Ok(
                    json!({"rerun": {"id": "retry-2026-01-01T00:00:00Z", "select": "Batches", "batches": "3,7-9"}}),
                ),
            ),
            (
                Verb::Again,
                &plain,
                &complete,
                Ok(json!({"rerun": {"id": "again-2026-01-01T00:00:00Z", "select": "All", "batches": null}})),
            ),
        ] {
            let answer = match verb.of("night", &job(spec, status), now) {
                Answer::Change { spec, .. } => Ok(spec),
                Answer::Nothing(why) => Err(why),
                other => panic!("{verb:?}: {other:?}"),
            };
            assert_eq!(answer, wanted.map_err(str::to_owned), "{verb:?} of {spec} and {status}");
        }
        assert_eq!(Verb::Again.of("night", &job(&plain, &running), now), Answer::Active(2));
        assert_eq!(Verb::Retry(None).of("night", &job(&plain, &json!({})), now), Answer::NeverRan);
    }
}
