//! Runs of every job in one list: what is asked for, and what comes back.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use uuid::Uuid;

use crate::engine::ledger::{Ledger, RunPhase};

/// Which runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunsWanted {
    /// Only of this job.
    pub job: Option<Uuid>,
    /// Only of jobs whose name has this in it, in lower case.
    pub name: Option<String>,
    /// Only those in this phase, as [`phase_word`] calls it.
    pub phase: Option<&'static str>,
    /// Only those that started then or later.
    pub since: Option<Timestamp>,
    /// Only of jobs that are used in these folders, in a cluster in these namespaces.
    pub folders: Option<BTreeSet<String>>,
}

/// Where a run stands in the list of its store: the newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunPlace {
    /// When it started, in milliseconds since 1970.
    pub started: i64,
    /// Tells apart those that started at one moment.
    pub id: i64,
}

/// A run of the list.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedRun {
    /// Its place.
    pub place: RunPlace,
    /// The name of its job.
    pub job_name: String,
    /// In which folder, in a cluster in which namespace, its job was used last.
    pub folder: PathBuf,
    /// It.
    pub ledger: Ledger,
}

/// The word of a phase, as ledgers write it.
pub fn phase_word(phase: &RunPhase) -> &'static str {
    match phase {
        RunPhase::Pending => "Pending",
        RunPhase::Running => "Running",
        RunPhase::Suspended { .. } => "Suspended",
        RunPhase::Stopping { .. } => "Stopping",
        RunPhase::Complete => "Complete",
        RunPhase::Failed { .. } => "Failed",
    }
}

impl RunsWanted {
    /// Whether a run is one of them.
    pub fn has(&self, job_name: &str, folder: &Path, ledger: &Ledger) -> bool {
        let Self { job, name, phase, since, folders } = self;
        job.is_none_or(|job| ledger.run.job == job)
            && name.as_ref().is_none_or(|name| job_name.to_lowercase().contains(name))
            && phase.is_none_or(|phase| phase_word(&ledger.phase) == phase)
            && since.is_none_or(|since| ledger.started >= since)
            && folders.as_ref().is_none_or(|folders| folders.contains(&*folder.to_string_lossy()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_called_as_ledgers_write_it() {
        let (reason, message) = (String::new(), String::new());
        for phase in [
            RunPhase::Pending,
            RunPhase::Running,
            RunPhase::Stopping { reason: reason.clone(), message: message.clone(), now: false },
            RunPhase::Complete,
            RunPhase::Failed { reason: reason.clone(), message: message.clone() },
            RunPhase::Suspended { reason, message, since: Timestamp::UNIX_EPOCH, terminate: false },
        ] {
            assert_eq!(serde_json::to_value(&phase).unwrap()["type"], phase_word(&phase));
        }
    }
}
