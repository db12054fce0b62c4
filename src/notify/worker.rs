//! The task of one sink: one notice after the other, each with retries for a bounded time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{
    answer::Answers,
    message::{Message, Subject},
    sink::{Delivery, Sink},
    tally::Tally,
    trouble::Trouble,
};
use crate::engine::ledger::Notice;

/// A notice in a sink's queue.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) notice: Arc<Notice>,
    /// When it was handed over.
    pub(super) since: Instant,
}

/// How long a sink is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Of one try.
    pub(super) timeout: Duration,
    /// Before the second try; doubles from there, spread by chance to 50–100 %.
    pub(super) first_delay: Duration,
    /// No delay is longer.
    pub(super) longest_delay: Duration,
    /// From the moment a notice was handed over. Those that wait behind a dead sink run out together, so that the
    /// outbox, which is part of every save, stays small.
    pub(super) give_up_after: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_mins(1),
            give_up_after: Duration::from_mins(10),
        }
    }
}

/// Why a notice was not delivered.
enum GivenUp {
    /// The other side will never take this one.
    Refused(String),
    /// The other side takes nothing for so long.
    Dead(String),
    /// The sink takes nothing more in this run.
    Off(String),
}

/// What the last deliveries said of a sink.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Alive,
    /// A notice was given up for want of an answer: those that ran out meanwhile are not tried.
    Dead,
    Off,
}

pub(super) async fn run<A: Answers>(
    sink: Sink<A>,
    subject: Arc<Subject>,
    mut queue: mpsc::UnboundedReceiver<Queued>,
    (tally, trouble): (Arc<Tally>, Trouble),
    patience: Patience,
) {
    let name = sink.name.as_str();
    let mut health = Health::Alive;
    while let Some(queued) = queue.recv().await {
        let id = queued.notice.id;
        let ran_out = queued.since.elapsed() > patience.give_up_after;
        if health == Health::Off || (health == Health::Dead && ran_out) {
            tracing::debug!(sink = name, notice = id, "notice dropped, the sink takes none");
            tally.close(id, true);
            continue;
        }
        let delivered = deliver(&sink, &subject, &queued, patience).await;
        let dropped = delivered.is_err();
        health = match delivered {
            Ok(()) => {
                trouble.is_over();
                Health::Alive
            }
            Err(GivenUp::Refused(why)) => {
                tracing::warn!(sink = name, notice = id, "{name} refused a notice: {why}");
                Health::Alive
            }
            Err(GivenUp::Dead(why)) => {
                let waited = patience.give_up_after.as_secs();
                let why = format!("{name} took nothing for {waited} s: {why}");
                tracing::warn!(sink = name, notice = id, "{why}");
                trouble.is(why);
                Health::Dead
            }
            Err(GivenUp::Off(why)) => {
                let why = format!("{name} is switched off for this run: {why}");
                tracing::warn!(sink = name, notice = id, "{why}");
                trouble.is(why);
                Health::Off
            }
        };
        // Last: whoever hears of it looks at the rest.
        tally.close(id, dropped);
    }
}

async fn deliver<A: Answers>(
    sink: &Sink<A>,
    subject: &Subject,
    queued: &Queued,
    patience: Patience,
) -> Result<(), GivenUp> {
    let message = Message { subject, notice: &queued.notice };
    let mut delay = patience.first_delay;
    loop {
        let (after, why) = match sink.deliver(message).await {
            Delivery::Delivered => {
                tracing::debug!(sink = sink.name, notice = queued.notice.id, "notice delivered");
                return Ok(());
            }
            Delivery::Refused { why } => return Err(GivenUp::Refused(why)),
            Delivery::Off { why } => return Err(GivenUp::Off(why)),
            Delivery::Again { after, why } => (after, why),
        };
        let pause = delay.mul_f64(0.5 + fastrand::f64() / 2.0).max(after.unwrap_or_default());
        if queued.since.elapsed() + pause > patience.give_up_after {
            return Err(GivenUp::Dead(why));
        }
        tracing::debug!(sink = sink.name, notice = queued.notice.id, ?pause, why, "delivery is tried again");
        tokio::time::sleep(pause).await;
        delay = (delay * 2).min(patience.longest_delay);
    }
}
