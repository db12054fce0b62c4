//! Where the answers of a run go whose batches run in the operator's process.

use super::{
    attend::Not,
    context::Context,
    readback::{self, Readback},
};
use crate::{
    api::run::{OutputStore, Retain},
    cluster::{archive::Archive, object::JobObject, outputs::ConfigMapOutputs},
    driver::ports::{Outputs, StoreError},
    job::{
        answer::AnswerFacts,
        identity::{AttemptKey, RunId},
        model::Job,
    },
    launch::pod::{KeptAnswer, LogKeeper},
    store::NewAnswer,
};

/// The home of a run's answers.
#[derive(Debug)]
pub(super) enum AnswerHome {
    /// In the job's namespace.
    ConfigMaps(Box<ConfigMapOutputs>),
    /// On the operator's volume.
    Archive { archive: Archive, stays: bool },
}

impl AnswerHome {
    /// That of a run of `job`, which was found to have one.
    pub(super) fn of(context: &Context, job: &JobObject, run: &RunId) -> Self {
        let stays = stays(job);
        match &context.settings.archive {
            Some(archive) if store_of(job) == OutputStore::Operator => {
                Self::Archive { archive: archive.clone(), stays }
            }
            _ => {
                let owner = (!stays).then(|| job.owner());
                let client = context.client.clone();
                let outputs = ConfigMapOutputs::open(client, &job.namespace, &job.name, run, owner);
                Self::ConfigMaps(Box::new(outputs))
            }
        }
    }
}

impl AnswerHome {
    /// The way to read back what is kept of a run, if a sink of the job carries it.
    pub(super) fn readback(&self, job: &Job, run: &RunId) -> Readback {
        match self {
            _ if !readback::is_wanted(job) => Readback::Nowhere,
            Self::ConfigMaps(outputs) => Readback::ConfigMaps(outputs.kept()),
            Self::Archive { archive, .. } => Readback::Volume { archive: archive.clone(), run: run.clone() },
        }
    }
}

impl Outputs for AnswerHome {
    async fn put(
        &self,
        run: &RunId,
        key: AttemptKey,
        answer: &str,
        facts: &AnswerFacts,
    ) -> Result<(), StoreError> {
        match self {
            Self::ConfigMaps(outputs) => outputs.put(run, key, answer, facts).await,
            Self::Archive { archive, stays } => {
                let (run, answer, facts) = (run.clone(), answer.to_owned(), facts.clone());
                archive.keep(NewAnswer { run, key, stays: *stays, answer, facts }).await
            }
        }
    }
}

/// Where the job asks its answers to be kept.
pub(super) fn store_of(job: &JobObject) -> OutputStore {
    job.spec.output.as_ref().and_then(|output| output.store).unwrap_or(OutputStore::Operator)
}

/// Who keeps what the Pods of a job wrote, and their answers: those the ledger does not wait for.
pub(super) fn keeper(context: &Context, job: &JobObject) -> Option<LogKeeper> {
    let answers = (store_of(job) == OutputStore::Operator).then(|| KeptAnswer { stays: stays(job) });
    Some(LogKeeper { ended: context.ended.clone()?, answers })
}

fn stays(job: &JobObject) -> bool {
    job.spec.output.as_ref().and_then(|output| output.retain) == Some(Retain::Forever)
}

/// Why a job has no home for answers that exist nowhere else, as far as it can be said of the job alone.
pub(super) fn homeless(context: &Context, job: &JobObject) -> Option<Not> {
    let message = match store_of(job) {
        OutputStore::ConfigMaps => return None,
        OutputStore::Operator if context.settings.archive.is_some() => return None,
        OutputStore::Operator => {
            "the answers of batches in the operator's own process must be kept, and this operator has no volume for \
             them: write output: {store: ConfigMaps}, or have it installed with history.enabled"
        }
        OutputStore::None => {
            "the answers of batches in the operator's own process are all that comes of them, and they have no workspace \
             that could hold them: take output.store: None out, or write ConfigMaps"
        }
    };
    Some(Not::Unfit { reason: "NoOutputStore", message: message.to_owned() })
}

/// Why answers cannot be kept now: nothing is asked that is paid for and could be lost.
pub(super) fn unavailable(context: &Context, job: &JobObject) -> Option<Not> {
    let archive = context.settings.archive.as_ref().filter(|_| store_of(job) == OutputStore::Operator)?;
    let message = archive.trouble()?;
    Some(Not::NoOutputStore { message })
}
