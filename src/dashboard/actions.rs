//! What people can do to a job from the dashboard: the same verbs as on the command line.

use std::future::Future;

use serde::Serialize;

use super::view::{JobEntry, RunEntry, Standing};
use crate::engine::ranges::Ranges;

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
}

/// The verbs without an argument, as addresses call them.
const NAMED: [(&str, Action); 6] = [
    ("suspend", Action::Suspend),
    ("resume", Action::Resume),
    ("retry", Action::RetryFailed),
    ("stop", Action::Stop),
    ("stop-now", Action::StopNow),
    ("again", Action::Again),
];

impl Action {
    /// The verb that an address means; `batches` makes a retry one of these.
    pub fn called(name: &str, batches: Option<Ranges>) -> Option<Self> {
        let action = NAMED.into_iter().find(|(known, _)| *known == name)?.1;
        match (action, batches) {
            (action, None) => Some(action),
            (Self::RetryFailed, Some(batches)) if !batches.is_empty() => Some(Self::RetryBatches(batches)),
            (_, Some(_)) => None,
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
        }
    }

    /// Whether it starts what may cost something.
    pub fn starts(&self) -> bool {
        matches!(self, Self::Resume | Self::RetryFailed | Self::RetryBatches(_) | Self::Again)
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
            Self::Again => format!("mozart run {} --rerun=All", job.origin),
        }
    }

    /// Why it cannot be done to a job, or not by who asks; `None` when it can.
    pub fn refused(&self, job: &JobEntry) -> Option<String> {
        job.rights.change.clone().or_else(|| self.out_of_place(job.last.as_ref()).map(str::to_owned))
    }

    /// Why it makes no sense for a job whose last run is `run`.
    fn out_of_place(&self, run: Option<&RunEntry>) -> Option<&'static str> {
        let Some(run) = run else { return Some("The job never ran.") };
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
            Self::Stop | Self::StopNow | Self::RetryFailed | Self::RetryBatches(_) | Self::Again => None,
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
        command: action.command(job),
    };
    NAMED.into_iter().map(offer).collect()
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
