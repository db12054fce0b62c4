//! What a running attempt tells of its credential, read from the log of its Pod.

use std::path::Path;

use futures::{AsyncBufReadExt as _, AsyncReadExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::LogParams};

use super::{
    PodPlace,
    said::{self, Said},
    spec::CONTAINER,
};
use crate::{
    attempt::message::bounded_signal,
    backend::{Call, Follower, Session, Told},
    job::{
        identity::{AttemptKey, AttemptName, SessionId},
        outcome::GateSignal,
    },
};

/// An attempt says no more than 8 MiB; what goes on is none of ours.
const MOST: u64 = 9 << 20;

/// Reads the log of a Pod until a request was accepted, and passes on what it tells. Returns whether one was: `false`
/// when the log came to its end or broke off before.
pub(super) async fn follow(
    api: &Api<Pod>,
    pod: &str,
    mut follower: Follower,
    mut hear: impl FnMut(GateSignal),
) -> bool {
    let parameters =
        LogParams { container: Some(CONTAINER.to_owned()), follow: true, ..LogParams::default() };
    let log = match api.log_stream(pod, &parameters).await {
        Ok(log) => log,
        Err(error) => {
            tracing::debug!(pod, %error, "the log of an attempt that tries a limit cannot be read");
            return false;
        }
    };
    let mut log = std::pin::pin!(log.take(MOST));
    let mut line = Vec::new();
    while matches!(log.read_until(b'\n', &mut line).await, Ok(1..)) {
        for signal in signals(&mut follower, &line) {
            let accepted = signal == GateSignal::Accepted;
            hear(signal);
            if accepted {
                return true;
            }
        }
        line.clear();
    }
    false
}

/// What a line tells: `t`, the time, then a line of the transcript. The Pod's author writes it as well as the tool does,
/// so it is believed within bounds.
fn signals(follower: &mut Follower, line: &[u8]) -> Vec<GateSignal> {
    let Some((Said::Transcript, text)) = said::read(line.trim_ascii_end()) else { return Vec::new() };
    let signals = follower.line(text).into_iter().filter_map(|told| match told {
        Told::Signal(signal) => bounded_signal(&signal, jiff::Timestamp::now()),
        Told::Spent(_) | Told::GiveUp(_) | Told::ResultSaid => None,
    });
    signals.collect()
}

impl PodPlace {
    /// What the backend knows of an attempt that is looked at from outside.
    pub(super) fn call(&self, key: AttemptKey) -> Option<Call<'_>> {
        Some(Call {
            job: &self.job,
            name: AttemptName { run: &self.run, key },
            batch: self.job.batches.get(key.batch)?,
            directory: Path::new("/"),
            session: Session::New(SessionId::random()),
            previous: None,
            budget_micro_usd: None,
        })
    }
}
