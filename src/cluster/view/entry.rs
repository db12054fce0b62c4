//! What pages say of jobs and runs of a cluster. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    key::Key,
    known::{Name, SeenJob},
};
use crate::{
    api::status::{self, Truth},
    dashboard::view::{Condition, Driver, JobEntry, Rights, RunEntry},
    engine::{
        gate::Gate,
        ledger::{Ledger, RunPhase},
        waiting::Waiting,
    },
    store::record::JobRecord,
};

/// A job that is there.
pub(super) fn job((namespace, name): &Name, seen: &SeenJob, gate: Option<&Gate>, now: Timestamp) -> JobEntry {
    let last = seen.ledger.as_ref();
    JobEntry {
        used: last.map_or(seen.created, |ledger| ledger.started.max(seen.created)),
        last: last.map(|ledger| run(name, ledger, Some((seen, gate)), now)),
        labels: seen.labels.clone(),
        conditions: seen.status.conditions.iter().map(condition).collect(),
        ..named(&Key::now(namespace, name), seen.uid, seen.created)
    }
}

fn condition(condition: &status::Condition) -> Condition {
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    Condition {
        kind: condition.kind.clone(),
        holds: match condition.status {
            Truth::True => Some(true),
            Truth::False => Some(false),
            Truth::Unknown => None,
        },
        reason: given(&condition.reason),
        message: given(&condition.message),
        since: condition.last_transition_time.parse().ok(),
    }
}

/// A job of which only history tells.
pub(super) fn gone(key: &Key, record: &JobRecord, last: Option<RunEntry>) -> JobEntry {
    let why = Some("The job was deleted.".to_owned());
    let rights = Rights { change: why.clone(), delete: why };
    JobEntry { used: record.used, last, rights, ..named(key, record.uid, record.created) }
}

fn named(key: &Key, uid: Uuid, created: Timestamp) -> JobEntry {
    let Key { namespace, name, .. } = key;
    JobEntry {
        key: key.to_string(),
        uid,
        name: name.clone(),
        origin: namespace.clone(),
        namespace: Some(namespace.clone()),
        labels: BTreeMap::new(),
        conditions: Vec::new(),
        // Before the name, so that a run can stand behind it.
        command_name: format!("-n {namespace} {name}"),
        created,
        used: created,
        last: None,
        rights: Rights::default(),
    }
}

/// A run; with what is seen of its job where it is that one's last.
pub(super) fn run(
    job_name: &str,
    ledger: &Ledger,
    seen: Option<(&SeenJob, Option<&Gate>)>,
    now: Timestamp,
) -> RunEntry {
    let idle = ledger.seen.iter().all(|batch| ledger.is_finished(batch));
    let rests = ledger.is_over() || (matches!(ledger.phase, RunPhase::Suspended { .. }) && idle);
    let driver = seen.filter(|_| !rests).map(|(job, _)| Driver {
        name: format!("operator {}", job.writer.as_deref().unwrap_or("of unknown name")),
        since: ledger.started,
    });
    let starts = matches!(ledger.phase, RunPhase::Pending | RunPhase::Running);
    let gate = seen.and_then(|(_, gate)| gate).filter(|_| starts);
    let waiting = gate.and_then(|gate| Waiting::of_gate(gate, ledger));
    let mut run = RunEntry::of(job_name, ledger, driver, waiting, now);
    // What the engine said when it saved: without a gate it is for people only.
    if let Some((job, _)) = seen.filter(|_| run.waiting_words.is_none() && run.driven_by.is_some()) {
        run.waiting_words.clone_from(&job.status.waiting);
    }
    run
}
