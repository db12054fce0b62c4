//! What a verb does to a job, by where its last run stands: the table "Verbs and states" of the job file's reference.

use crate::engine::{
    ledger::{Ledger, RunPhase},
    rerun::Select,
};

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `run FILE`, `local-run FILE`.
    Run {
        /// `--rerun`, `--batches`: another run, of these batches.
        select: Option<Select>,
        /// What to do where the file differs from the plan of a suspended run.
        changed: Changed,
    },
    /// `resume`.
    Resume,
    /// `retry --failed`, `retry --batches 3,7-9`.
    Retry(Select),
}

/// What to do where the file differs from the plan of a suspended run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Show the difference and stop.
    Refuse,
    /// `--continue`: the rest with the new plan, what is done stays.
    Continue,
    /// `--restart`: a new run of everything; a suspended one is closed.
    Restart,
}

/// The job's file as it is now, beside its last run.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The ledger of the last run.
    pub last: Option<&'a Ledger>,
    /// The hash of the plan that the file gives now.
    pub plan_hash: &'a str,
    /// Whether a batch's number still means the same items.
    pub same_cut: bool,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A new run of these batches.
    Start {
        /// Which.
        select: Select,
        /// Whether the last run is suspended and is closed first.
        close_last: bool,
    },
    /// The last run goes on.
    GoOn {
        /// Whether what is left of it follows the new plan.
        new_plan: bool,
    },
    /// Every batch is done: said, and nothing else.
    AlreadyComplete,
    /// It ended failed: its summary is shown, with the ways on.
    ShowFailed,
}

/// Why a verb does nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no run to act on.
    #[error("this job has no run yet")]
    NoRun,
    /// Another run, while one is suspended.
    #[error("the last run is suspended, not ended")]
    Suspended,
    /// The file is another plan than the suspended run's.
    #[error("the job file, or what it names, has changed since the suspended run began")]
    Changed,
    /// The file is another plan than that of the run that is complete.
    #[error("every batch is done, but the job file, or what it names, has changed since")]
    ChangedSinceEnd,
    /// `--continue`, but batch numbers mean other items now.
    #[error("the job file cuts the items into other batches than the suspended run does")]
    OtherCut,
}

impl Refusal {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoRun => "start one with `mozart run FILE`",
            Self::Suspended => "go on with `mozart resume`, or end it with `mozart stop`",
            Self::Changed => {
                "`mozart run FILE --continue` does the rest with the new text and keeps what is done, \
                 `--restart` begins again, `mozart stop` ends the run"
            }
            Self::ChangedSinceEnd => "`mozart run FILE --rerun=All` does everything again with the new text",
            Self::OtherCut => "`mozart run FILE --restart` begins again with the new batches",
        }
    }
}

/// What `verb` does to a job that nobody drives at this moment.
///
/// # Errors
/// With the reason why it does nothing.
pub fn decide(verb: &Verb, standing: Standing<'_>) -> Result<Decision, Refusal> {
    match standing.last {
        None => begin(verb),
        Some(last) if last.is_over() => after_end(verb, last, standing),
        Some(last) => go_on(verb, last, standing),
    }
}

fn begin(verb: &Verb) -> Result<Decision, Refusal> {
    match verb {
        // Failed and Unfinished of no run are everything.
        Verb::Run { select, .. } => {
            let select = match select {
                Some(Select::Batches(batches)) => Select::Batches(batches.clone()),
                _ => Select::All,
            };
            Ok(Decision::Start { select, close_last: false })
        }
        Verb::Resume | Verb::Retry(_) => Err(Refusal::NoRun),
    }
}

/// The last run is not over and nobody drives it: it was suspended, or its process died.
fn go_on(verb: &Verb, last: &Ledger, standing: Standing<'_>) -> Result<Decision, Refusal> {
    let same_plan = last.plan_hash == standing.plan_hash;
    match verb {
        Verb::Run { changed: Changed::Restart, select } => {
            Ok(Decision::Start { select: select.clone().unwrap_or(Select::All), close_last: true })
        }
        Verb::Retry(_) | Verb::Run { select: Some(_), .. } => Err(Refusal::Suspended),
        Verb::Resume | Verb::Run { .. } if same_plan => Ok(Decision::GoOn { new_plan: false }),
        Verb::Run { changed: Changed::Continue, .. } if standing.same_cut => {
            Ok(Decision::GoOn { new_plan: true })
        }
        Verb::Run { changed: Changed::Continue, .. } => Err(Refusal::OtherCut),
        Verb::Resume | Verb::Run { .. } => Err(Refusal::Changed),
    }
}

fn after_end(verb: &Verb, last: &Ledger, standing: Standing<'_>) -> Result<Decision, Refusal> {
    let complete = last.phase == RunPhase::Complete;
    let select = match verb {
        Verb::Run { select: Some(select), .. } | Verb::Retry(select) => select.clone(),
        Verb::Run { changed: Changed::Restart, .. } => Select::All,
        Verb::Resume if complete => return Ok(Decision::AlreadyComplete),
        Verb::Resume => Select::Unfinished,
        Verb::Run { .. } if !complete => return Ok(Decision::ShowFailed),
        Verb::Run { .. } if last.plan_hash == standing.plan_hash => return Ok(Decision::AlreadyComplete),
        Verb::Run { .. } => return Err(Refusal::ChangedSinceEnd),
    };
    Ok(Decision::Start { select, close_last: false })
}

#[cfg(test)]
#[path = "verb_tests.rs"]
mod tests;
