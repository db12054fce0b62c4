//! The launcher of a run that takes its turn among the runs of its credential.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::{answers::AnswerHome, claims::SavedClaims, closing::Closing};
use crate::{
    cluster::credential::CredentialSeat,
    driver::ports::Launcher,
    engine::{
        gate::GateState,
        waiting::Waiting,
        world::{Sessions, Sighting},
    },
    job::{
        identity::{AttemptKey, AttemptName, RunId},
        start::{EndMode, Start},
    },
    launch::{pod::PodLauncher, task::TaskLauncher},
};

/// The attempts of a run.
pub(super) enum Attempts {
    /// Pods.
    Pods(PodLauncher<SavedClaims>),
    /// Tasks of this process. They tell by themselves what Pods are listened to for.
    Tasks(TaskLauncher<AnswerHome>),
}

impl Attempts {
    /// Launches nothing any more, and leaves nothing on its way that who looks next would miss.
    pub(super) async fn close(&self) {
        match self {
            Self::Pods(pods) => pods.close().await,
            // They end with their launcher.
            Self::Tasks(_) => {}
        }
    }

    /// What keeps attempts from running or ending, in a sentence.
    pub(super) fn held_up(&self) -> Option<String> {
        let pods = match self {
            Self::Pods(pods) => pods,
            Self::Tasks(tasks) => return tasks.held(),
        };
        if let Some(blocked) = pods.blocked() {
            return Some(format!("{}: {}", blocked.why.reason, blocked.why.message));
        }
        let held = pods.held();
        let first = held.first()?;
        Some(match held.len() {
            1 => {
                let why = &first.why;
                format!("the Pod of batch {} waits: {}: {}", first.key.batch, why.reason, why.message)
            }
            count => format!("{count} Pods wait, the first: {}: {}", first.why.reason, first.why.message),
        })
    }

    /// Whether the ledger that they follow was found to be old.
    pub(super) fn is_stale(&self) -> bool {
        matches!(self, Self::Pods(pods) if pods.is_stale())
    }
}

impl Launcher for Attempts {
    async fn look(&self) -> Vec<Sighting> {
        match self {
            Self::Pods(pods) => pods.look().await,
            Self::Tasks(tasks) => tasks.look().await,
        }
    }

    async fn launch(&self, start: Start) {
        match self {
            Self::Pods(pods) => pods.launch(start).await,
            Self::Tasks(tasks) => tasks.launch(start).await,
        }
    }

    async fn end(&self, key: AttemptKey, mode: EndMode) {
        match self {
            Self::Pods(pods) => pods.end(key, mode).await,
            Self::Tasks(tasks) => tasks.end(key, mode).await,
        }
    }

    async fn release(&self, key: AttemptKey) {
        match self {
            Self::Pods(pods) => pods.release(key).await,
            Self::Tasks(tasks) => tasks.release(key).await,
        }
    }

    async fn changed(&self) {
        match self {
            Self::Pods(pods) => pods.changed().await,
            Self::Tasks(tasks) => tasks.changed().await,
        }
    }
}

/// Launches as many attempts as the credential leaves to the run.
pub(super) struct InTurn {
    pub(super) attempts: Attempts,
    /// `None` for backends without a credential.
    pub(super) seat: Option<CredentialSeat>,
    pub(super) run: RunId,
    pub(super) closing: Closing,
    /// When the turn began.
    pub(super) looked: Mutex<Instant>,
    /// Whether the operator could end without losing anything of the run.
    pub(super) settled: watch::Sender<bool>,
}

impl InTurn {
    /// How long ago the turn began.
    pub(super) fn since_look(&self) -> Duration {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Takes over whether the run waits for its turn.
    pub(super) fn waits(&self, waiting: Option<&Waiting>) {
        if let Some(seat) = &self.seat {
            seat.wants(matches!(waiting, Some(Waiting::Sessions { .. })));
        }
    }

    /// The attempts that were started and do not get to run, by full name.
    pub(super) fn stuck(&self) -> BTreeSet<String> {
        let Attempts::Pods(pods) = &self.attempts else { return BTreeSet::new() };
        let held = pods.held();
        held.into_iter().map(|held| AttemptName { run: &self.run, key: held.key }.to_string()).collect()
    }

    /// Listens to the attempts whose first accepted request is waited for.
    fn listen(&self, seat: &CredentialSeat, live: &[AttemptKey]) {
        let Attempts::Pods(pods) = &self.attempts else { return };
        let gate = seat.gate();
        for key in live {
            let tries = match &gate.state {
                GateState::Canary { holder, .. } => {
                    *holder == AttemptName { run: &self.run, key: *key }.to_string()
                }
                GateState::Open => gate.live_cap.is_some(),
                GateState::Closed { .. } | GateState::Held { .. } => false,
            };
            if tries {
                pods.listen(*key);
            }
        }
    }
}

impl Launcher for InTurn {
    async fn look(&self) -> Vec<Sighting> {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        let seen = self.attempts.look().await;
        if let Some(seat) = &self.seat {
            let live = seen.iter().filter(|one| one.state.works());
            let live: Vec<AttemptKey> = live.map(|one| one.key).collect();
            seat.runs(u32::try_from(live.len()).unwrap_or(u32::MAX));
            self.listen(seat, &live);
        }
        seen
    }

    async fn sessions(&self) -> Option<Sessions> {
        self.seat.as_ref()?.sessions()
    }

    async fn launch(&self, start: Start) {
        if !self.closing.is_closed() && self.seat.as_ref().is_none_or(CredentialSeat::start) {
            if matches!(self.attempts, Attempts::Tasks(_)) {
                // It would end with this process, and no turn has seen it yet.
                self.settled.send_replace(false);
            }
            self.attempts.launch(start).await;
        }
    }

    async fn end(&self, key: AttemptKey, mode: EndMode) {
        self.attempts.end(key, mode).await;
    }

    async fn release(&self, key: AttemptKey) {
        self.attempts.release(key).await;
    }

    async fn changed(&self) {
        let turn = async {
            match &self.seat {
                Some(seat) => seat.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.attempts.changed() => {}
            () = turn => {}
        }
    }
}
