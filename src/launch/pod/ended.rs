//! Pods that have ended, told to who keeps what they wrote before they are let go.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::job::{
    answer::AnswerFacts,
    identity::{AttemptKey, RunId},
};

/// A Pod is held no longer than this for its log.
pub const HOLD: Duration = Duration::from_secs(30);

/// A Pod that has ended and is about to be let go.
#[derive(Debug)]
pub struct EndedPod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The run.
    pub run: RunId,
    /// The attempt.
    pub key: AttemptKey,
    /// Whether the attempt succeeded.
    pub succeeded: bool,
    /// How its answer is to be kept, if it is, and what is known of it.
    pub answer: Option<(KeptAnswer, AnswerFacts)>,
    /// Told when the Pod may go.
    pub done: oneshot::Sender<()>,
}

/// How the answer of a Pod is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Whether it stays when the job goes.
    pub stays: bool,
}

/// Who keeps what Pods wrote.
#[derive(Clone, Debug)]
pub struct LogKeeper {
    /// Where ended Pods are told.
    pub ended: mpsc::UnboundedSender<EndedPod>,
    /// How answers of the run are kept, if they are.
    pub answers: Option<KeptAnswer>,
}

impl LogKeeper {
    /// Tells of a Pod, and waits until it may go. `facts` are of the answer of one that succeeded.
    pub(super) async fn keep(
        &self,
        namespace: &str,
        name: &str,
        run: &RunId,
        key: AttemptKey,
        facts: Option<AnswerFacts>,
    ) {
        let (done, kept) = oneshot::channel();
        let pod = EndedPod {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            run: run.clone(),
            key,
            succeeded: facts.is_some(),
            answer: self.answers.zip(facts),
            done,
        };
        // Nobody listens any more when another leads: he keeps it.
        if self.ended.send(pod).is_ok() {
            let _ = tokio::time::timeout(HOLD, kept).await;
        }
    }
}
