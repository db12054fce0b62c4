//! What people can do to a job from the dashboard: the same verbs as on the command line.

use std::future::Future;

use serde::Serialize;

use super::view::{JobEntry, Rights, RunEntry, Standing};
use crate::engine::ranges::Ranges;

/// Why a run of a job of a cluster is not deleted.
pub const RUNS_GO_BY_THE_SPEC: &str = "In a cluster a job's history.keepRuns says which runs are kept.";

/// A verb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing new starts; what runs finishes.
    Suspend,
    /// What is left goes on; of a run that failed, in a new one.
    Resume,
    /// The run ends when what runs has finished.
    Stop,
    /// The run ends at once.
    StopNow,
    /// A new run of the failed batches.
    RetryFailed,
    /// A new run of these batches.
    RetryBatches(Ranges),
    /// A new run of everything.
    Again,
    /// The job goes, with all that is kept of it.
    Delete,
    /// A run that is over goes, with all that is kept of it.
    DeleteRun(u32),
    /// The job says something else from now on, and runs.
    Edit(Edited),
}

/// A job's new text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// It.
    pub text: String,
    /// The SHA-256 of what was written when somebody began to edit, in hexadecimal digits: what others have written since
    /// is not lost.
    pub seen: String,
}

/// What a verb may be given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// Of a retry: which batches.
    pub batches: Option<Ranges>,
    /// Of a deletion: which run, instead of the job.
    pub run: Option<u32>,
    /// The job's new text.
    pub edited: Option<Edited>,
}

/// The verbs without an argument, as addresses call them.
const NAMED: [(&str, Action); 7] = [
    ("suspend", Action::Suspend),
    ("resume", Action::Resume),
    ("retry", Action::RetryFailed),
    ("stop", Action::Stop),
    ("stop-now", Action::StopNow),
    ("again", Action::Again),
    ("delete", Action::Delete),
];

/// What addresses call the verb that has a page of its own.
const EDIT: &str = "edit";

/// What addresses call them.
pub fn names() -> Vec<&'static str> {
    NAMED.iter().map(|(name, _)| *name).chain([EDIT]).collect()
}

impl Action {
    /// The verb that an address means with these arguments; `None` where there is no such verb, or it takes them not.
    pub fn called(name: &str, arguments: Arguments) -> Option<Self> {
        if name == EDIT {
            let Arguments { batches: None, run: None, edited: Some(edited) } = arguments else { return None };
            return Some(Self::Edit(edited));
        }
        let action = NAMED.into_iter().find(|(known, _)| *known == name)?.1;
        match (action, arguments) {
            (action, Arguments { batches: None, run: None, edited: None }) => Some(action),
            (Self::RetryFailed, Arguments { batches: Some(batches), run: None, edited: None })
                if !batches.is_empty() =>
            {
                Some(Self::RetryBatches(batches))
            }
            (Self::Delete, Arguments { batches: None, run: Some(run), edited: None }) => {
                Some(Self::DeleteRun(run))
            }
            _ => None,
        }
    }

    /// What addresses call it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Stop => "stop",
            Self::StopNow => "stop-now",
            Self::RetryFailed | Self::RetryBatches(_) => "retry",
            Self::Again => "again",
            Self::Delete | Self::DeleteRun(_) => "delete",
            Self::Edit(_) => EDIT,
        }
    }

    /// What its button says.
    pub fn label(&self) -> String {
        match self {
            Self::Suspend => "Suspend".to_owned(),
            Self::Resume => "Resume".to_owned(),
            Self::Stop => "Stop".to_owned(),
            Self::StopNow => "Stop at once".to_owned(),
            Self::RetryFailed => "Retry failed".to_owned(),
            Self::RetryBatches(batches) if batches.len() == 1 => format!("Retry batch {batches}"),
            Self::RetryBatches(batches) => format!("Retry {} batches", batches.len()),
            Self::Again => "Run again".to_owned(),
            Self::Delete => "Delete".to_owned(),
            Self::DeleteRun(run) => format!("Delete run {run} of"),
            Self::Edit(_) => "Edit and run".to_owned(),
        }
    }

    /// What it does, in a sentence.
    pub fn sentence(&self) -> &'static str {
        match self {
            Self::Suspend => "Batches that run are finished, no new one starts. Resume goes on later.",
            Self::Resume => "What is left to do goes on. Of a run that has ended, it begins as a new run.",
            Self::Stop => "Batches that run are finished, then the run ends as failed.",
            Self::StopNow => "Batches that run are ended too, and the run ends as failed.",
            Self::RetryFailed => "A new run begins, of the batches that failed.",
            Self::RetryBatches(_) => "A new run begins, of these batches.",
            Self::Again => "A new run begins, of every batch, also of those that are done.",
            Self::Delete => {
                "All runs with their logs and answers are deleted, for good. The job file and the workspace stay."
            }
            Self::DeleteRun(_) => {
                "Its logs and answers are deleted, for good. What it did in the workspace stays."
            }
            Self::Edit(_) => {
                "The new text is written in place of the old one. A run that was not finished does its rest with it; else \
                 a new run of every batch begins."
            }
        }
    }

    /// Whether it cannot be undone.
    pub fn destroys(&self) -> bool {
        matches!(self, Self::Delete | Self::DeleteRun(_))
    }

    /// Whether it starts what may cost something.
    pub fn starts(&self) -> bool {
        matches!(self, Self::Resume | Self::RetryFailed | Self::RetryBatches(_) | Self::Again | Self::Edit(_))
    }

    /// The same on the command line.
    pub fn command(&self, job: &JobEntry) -> String {
        let name = &job.command_name;
        match self {
            Self::Suspend => format!("mozart suspend {name}"),
            Self::Resume => format!("mozart resume {name}"),
            Self::Stop => format!("mozart stop {name}"),
            Self::StopNow => format!("mozart stop {name} --now"),
            Self::RetryFailed => format!("mozart retry {name} --failed"),
            Self::RetryBatches(batches) => format!("mozart retry {name} --batches {batches}"),
            Self::Again => match &job.namespace {
                None => format!("mozart run {} --rerun=All", job.origin),
                Some(namespace) => format!(
                    "kubectl patch mozartjob {} -n {namespace} --type=merge -p \
                     '{{\"spec\":{{\"rerun\":{{\"id\":\"'$(date +%s)'\",\"select\":\"All\"}}}}}}'",
                    job.name
                ),
            },
            Self::Delete => format!("mozart delete {name}"),
            Self::DeleteRun(run) => format!("mozart delete {name}/{run}"),
            Self::Edit(_) if job.namespace.is_some() => {
                format!("kubectl edit mozartjob {} -n {}", job.name, job.origin)
            }
            Self::Edit(_) => {
                let over = job.last.as_ref().is_some_and(|last| last.record.ended.is_some());
                format!("mozart run {} {}", job.origin, if over { "--rerun=All" } else { "--continue" })
            }
        }
    }

    /// Why it cannot be done to a job, or not by who asks; `None` when it can.
    pub fn refused(&self, job: &JobEntry) -> Option<String> {
        let active = job.last.as_ref().is_some_and(|last| last.record.ended.is_none());
        let in_a_cluster = match self {
            Self::DeleteRun(_) => Some(RUNS_GO_BY_THE_SPEC),
            Self::Edit(_) if active => Some("Its run keeps to its plan: stop it first, or let it finish."),
            _ => None,
        };
        let in_a_cluster = in_a_cluster.filter(|_| job.namespace.is_some());
        let refused = in_a_cluster.or_else(|| self.out_of_place(job.last.as_ref()));
        let Rights { change, delete } = &job.rights;
        let right = if matches!(self, Self::Delete) { delete } else { change };
        right.clone().or_else(|| refused.map(str::to_owned))
    }

    /// Why it makes no sense for a job whose last run is `run`.
    fn out_of_place(&self, run: Option<&RunEntry>) -> Option<&'static str> {
        let goes_on = run.is_some_and(|run| run.driven_by.is_some());
        match self {
            Self::Delete => return goes_on.then_some("Its run goes on: stop it first."),
            Self::Edit(_) => return goes_on.then_some("Its run goes on: suspend it or stop it first."),
            _ => {}
        }
        let Some(run) = run else { return Some("The job never ran.") };
        if let Self::DeleteRun(number) = self {
            return (*number >= run.record.run).then_some("The last run is kept: delete the job.");
        }
        let over = matches!(run.standing, Standing::Complete | Standing::Failed);
        match self {
            Self::Suspend => match run.standing {
                Standing::Running | Standing::Waiting | Standing::Pending => None,
                Standing::Suspended => Some("The run is suspended already."),
                Standing::Stopping => Some("The run is ending already."),
                Standing::Interrupted => Some("No process drives the run: nothing of it starts."),
                Standing::Complete | Standing::Failed => Some("The run has ended."),
            },
            Self::Resume => match run.standing {
                Standing::Suspended | Standing::Interrupted | Standing::Failed => None,
                Standing::Complete => Some("Every batch is done."),
                _ => Some("The run goes on already."),
            },
            Self::Stop | Self::StopNow if over => Some("The run has ended."),
            Self::Stop if run.standing == Standing::Stopping => Some("The run is ending already."),
            Self::RetryFailed if run.record.failed == 0 => Some("No batch has failed."),
            Self::RetryFailed | Self::RetryBatches(_) | Self::Again if !over => {
                Some("The run has not ended: stop it first, or let it finish.")
            }
            Self::Stop
            | Self::StopNow
            | Self::RetryFailed
            | Self::RetryBatches(_)
            | Self::Again
            | Self::Delete
            | Self::DeleteRun(_)
            | Self::Edit(_) => None,
        }
    }
}

/// A button.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    name: &'static str,
    label: String,
    /// Where one is asked whether it is meant.
    href: String,
    /// Whether it cannot be undone.
    destroys: bool,
    /// Why it cannot be done now; nothing when it can.
    refused: Option<String>,
    command: String,
}

/// The buttons of a job.
pub fn offers(job: &JobEntry) -> Vec<Offer> {
    let offer = |(name, action): (&'static str, Action)| Offer {
        name,
        label: action.label(),
        href: format!("/confirm/{name}?job={}", job.key),
        refused: action.refused(job),
        destroys: action.destroys(),
        command: action.command(job),
    };
    let mut offers: Vec<Offer> = NAMED.into_iter().map(offer).collect();
    let edit = Action::Edit(Edited { text: String::new(), seen: String::new() });
    let edit = Offer { href: format!("/jobs/{}/edit", job.key), ..offer((EDIT, edit)) };
    // What cannot be undone stands last.
    let safe = offers.iter().take_while(|offer| !offer.destroys).count();
    offers.insert(safe, edit);
    offers
}

/// The button that deletes a run of a job.
pub fn deletion(job: &JobEntry, run: u32) -> Offer {
    let action = Action::DeleteRun(run);
    Offer {
        name: action.name(),
        label: "Delete this run".to_owned(),
        href: format!("/confirm/delete?job={}&run={run}", job.key),
        refused: action.refused(job),
        destroys: action.destroys(),
        command: action.command(job),
    }
}

/// Why an action was not carried out.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ActionError {
    /// For people: what, and what to do.
    pub message: String,
}

/// Carries actions out, as the person who asks may.
pub trait Actions: Send + Sync + 'static {
    /// Does it to the job; `spend` is the consent that the command line asks for where use is billed and no budget is
    /// written. Says in a sentence what came of it.
    ///
    /// # Errors
    /// It was not done, with why.
    fn act(
        &self,
        job: &JobEntry,
        action: &Action,
        spend: bool,
    ) -> impl Future<Output = Result<String, ActionError>> + Send;
}
