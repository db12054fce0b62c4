//! What a job calls for, as it stands. Pure.

use jiff::{SignedDuration, Timestamp};

use crate::{
    api::{
        run::{Rerun, Select as ApiSelect, StopMode, SuspendPolicy},
        status::Truth,
    },
    cluster::object::JobObject,
    driver::ports::StoreError,
    engine::{ledger::Ledger, ranges::Ranges, rerun::Select, world::Wishes},
};

/// Another operator that has saved so lately is at work.
const RENEWED: SignedDuration = SignedDuration::from_mins(1);

/// What a job calls for.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Nothing: it is for another operator, or being deleted.
    Leave,
    /// Nothing before then: another operator that believes the job to be its own is at work.
    Wait {
        /// Then it is looked at again.
        until: Timestamp,
        /// Who it is.
        writer: String,
    },
    /// Nothing, but its status is to speak of it as it is now.
    Rest {
        /// When it has been kept long enough, and is deleted.
        expires: Option<Timestamp>,
    },
    /// A run is to begin.
    Begin(Beginning),
    /// A run is active, or is over and has something left to tell.
    Drive(Box<Ledger>),
    /// Only a change of the job, or of the operator, mends it.
    Unfit {
        /// A closed word.
        reason: &'static str,
        /// For people.
        message: String,
    },
}

/// The beginning of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Beginning {
    /// The run before.
    pub last: Option<Box<Ledger>>,
    /// What of the job it takes.
    pub select: Select,
    /// The `rerun.id` that asked for it.
    pub rerun_id: Option<String>,
}

/// Who decides.
#[derive(Clone, Copy, Debug)]
pub struct Me<'a> {
    /// What `managedBy` must say.
    pub manager: &'a str,
    /// What the ledger names as its writer.
    pub writer: &'a str,
}

/// What `job` calls for.
pub fn task(job: &JobObject, me: Me<'_>, now: Timestamp) -> Task {
    if job.is_deleted() || job.manager() != me.manager {
        return Task::Leave;
    }
    if let Some((writer, until)) = somebody_else(job, me, now) {
        return Task::Wait { until, writer };
    }
    let ledger = match job.ledger() {
        Ok(ledger) => ledger,
        Err(error @ StoreError::Newer { .. }) => {
            return Task::Unfit { reason: "NewerCheckpoint", message: error.to_string() };
        }
        Err(error) => {
            let message = format!("{error}: ask for another run with spec.rerun, or put the status back");
            return Task::Unfit { reason: "CheckpointUnreadable", message };
        }
    };
    let rerun = job.spec.rerun.as_ref();
    let Some(ledger) = ledger else {
        let rerun_id = rerun.map(|rerun| rerun.id.clone());
        return begin_unless_suspended(job, Beginning { last: None, select: Select::All, rerun_id });
    };
    let tells = !ledger.outbox.is_empty();
    if !ledger.is_over() || tells && job.spec.suspend == Some(true) {
        return Task::Drive(Box::new(ledger));
    }
    if let Some(rerun) = rerun.filter(|rerun| job.status.rerun_id.as_ref() != Some(&rerun.id)) {
        return match select(rerun) {
            Ok(select) => {
                let (last, rerun_id) = (Some(Box::new(ledger)), Some(rerun.id.clone()));
                begin_unless_suspended(job, Beginning { last, select, rerun_id })
            }
            Err(message) => Task::Unfit { reason: "InvalidSpec", message },
        };
    }
    if tells {
        return Task::Drive(Box::new(ledger));
    }
    Task::Rest { expires: expires(job, &ledger) }
}

fn begin_unless_suspended(job: &JobObject, beginning: Beginning) -> Task {
    if job.spec.suspend == Some(true) { Task::Rest { expires: None } } else { Task::Begin(beginning) }
}

/// Another operator that has saved the checkpoint a moment ago, and until when it counts as at work.
fn somebody_else(job: &JobObject, me: Me<'_>, now: Timestamp) -> Option<(String, Timestamp)> {
    let checkpoint = job.status.checkpoint.as_ref()?;
    let writer = checkpoint["writer"].as_str().filter(|writer| *writer != me.writer)?;
    let renewed: Timestamp = checkpoint["renewed"].as_str()?.parse().ok()?;
    let until = renewed.checked_add(RENEWED).ok()?;
    // What is far ahead was written under another clock, and would never be over.
    (now < until && renewed <= now.checked_add(RENEWED).ok()?).then(|| (writer.to_owned(), until))
}

/// Which batches a `rerun` takes.
///
/// # Errors
/// Its `batches` cannot be read.
pub fn select(rerun: &Rerun) -> Result<Select, String> {
    Ok(match rerun.select {
        Some(ApiSelect::Failed) => Select::Failed,
        Some(ApiSelect::All) => Select::All,
        Some(ApiSelect::Batches) => {
            let text = rerun.batches.as_deref().unwrap_or_default();
            let ranges: Result<Ranges, _> = text.parse();
            Select::Batches(ranges.map_err(|_| {
                format!("spec.rerun.batches is `{text}`: write numbers and ranges, such as 3,7-9")
            })?)
        }
        Some(ApiSelect::Unfinished) | None => Select::Unfinished,
    })
}

/// What the spec asks of a run that is active.
pub fn wishes(job: &JobObject, run: u32) -> Wishes {
    let stop = job.spec.stop.as_ref().filter(|stop| stop.run == run);
    Wishes {
        suspend: job.spec.suspend == Some(true),
        terminate: job.spec.suspend_policy == Some(SuspendPolicy::Terminate),
        stop: stop.map(|stop| stop.mode == Some(StopMode::Now)),
        limit: None,
    }
}

fn expires(job: &JobObject, ledger: &Ledger) -> Option<Timestamp> {
    let kept = SignedDuration::from_secs(i64::from(job.spec.ttl_seconds_after_finished?));
    Some(ledger.ended?.checked_add(kept).unwrap_or(Timestamp::MAX))
}

/// Whether nothing is to be done for a job as it is, so that it need not even be read again.
pub fn is_quiet(job: &JobObject, me: Me<'_>, now: Timestamp) -> bool {
    match task(job, me, now) {
        Task::Leave => true,
        Task::Rest { expires: None } => {
            job.status.observed_generation == Some(job.generation)
                && job.status.conditions.iter().any(|one| one.kind == "Valid" && one.status == Truth::True)
        }
        _ => false,
    }
}
