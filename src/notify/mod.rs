//! Tells people what happened to a run: desktop, webhook, Slack.
//!
//! Every sink has a queue and a task of its own, so that a slow or dead one delays neither a batch nor another sink.
//! A notice is settled when each sink that wants it has delivered it or given it up; until then it stays in the
//! ledger's outbox, from where the next process hands it over again: delivery is at least once, and every sink that can
//! carry an id carries the same one again.

mod answer;
mod desktop;
mod endpoint;
mod markup;
mod message;
mod sink;
mod slack;
mod tally;
mod webhook;
mod worker;

#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::mpsc, task::JoinSet};

pub use self::answer::{Answer, Answers, NoAnswers};
use self::{
    message::Subject,
    sink::Sink,
    tally::Tally,
    worker::{Patience, Queued},
};
use crate::{
    driver::ports::Notifier,
    engine::{ledger::Notice, world::SettledNotice},
    job::{
        identity::RunId,
        model::{Job, Notification, Occasion},
    },
};

/// Why a sink cannot be used as the job file has it.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The variable that holds a URL or a secret is not set, or empty.
    #[error(
        "{sink}: the environment variable `{variable}` is not set: export it, or take the notification out"
    )]
    Unset {
        /// Which sink.
        sink: String,
        /// Which variable.
        variable: String,
    },
    /// The URL cannot be used. It is not quoted, since it may be a secret.
    #[error("{sink}: its URL is not one of http or https with a host")]
    Url {
        /// Which sink.
        sink: String,
    },
    /// A header cannot be sent. Its value is not quoted, since it may be a secret.
    #[error("{sink}: the header `{header}` cannot be sent: {reason}")]
    Header {
        /// Which sink.
        sink: String,
        /// Which header.
        header: String,
        /// Why.
        reason: &'static str,
    },
    /// The secret cannot be used.
    #[error("{sink}: its secret begins with `whsec_`, but what follows is not base64")]
    Secret {
        /// Which sink.
        sink: String,
    },
    /// The HTTP client could not be made.
    #[error("no HTTP client for notifications")]
    Client(#[source] reqwest::Error),
}

/// The sinks of one run. Dropping it ends their tasks; what was not settled stays in the outbox.
#[derive(Debug)]
pub struct Notifications {
    routes: Vec<Route>,
    tally: Arc<Tally>,
    _workers: JoinSet<()>,
}

#[derive(Debug)]
struct Route {
    on: Vec<Occasion>,
    queue: mpsc::UnboundedSender<Queued>,
}

impl Notifications {
    /// Reads the URLs and secrets of the job's sinks and starts a task for each. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// The first sink that cannot be used; nothing is sent to find out.
    pub fn open(job: &Job, run: &RunId, answers: &impl Answers) -> Result<Self, NotifyError> {
        let subject = Subject { job: job.name.clone(), run: run.clone() };
        Self::start(&job.notifications, subject, answers, Patience::default())
    }

    fn start(
        notifications: &[Notification],
        subject: Subject,
        answers: &impl Answers,
        patience: Patience,
    ) -> Result<Self, NotifyError> {
        let subject = Arc::new(subject);
        let tally = Arc::new(Tally::default());
        let mut workers = JoinSet::new();
        let mut routes = Vec::with_capacity(notifications.len());
        for (index, notification) in notifications.iter().enumerate() {
            let sink = Sink::open(&notification.sink, index + 1, answers, patience.timeout)?;
            let (queue, notices) = mpsc::unbounded_channel();
            workers.spawn(worker::run(sink, subject.clone(), notices, tally.clone(), patience));
            routes.push(Route { on: notification.on.clone(), queue });
        }
        Ok(Self { routes, tally, _workers: workers })
    }

    /// Waits until everything that was handed over is settled, at most `longest`. Returns whether it is.
    pub async fn settle(&self, longest: Duration) -> bool {
        tokio::time::timeout(longest, self.tally.idle()).await.is_ok()
    }
}

impl Notifier for Notifications {
    async fn deliver(&self, notice: &Notice) {
        let wanting: Vec<_> =
            self.routes.iter().filter(|route| route.on.contains(&notice.occasion)).collect();
        if !self.tally.open(notice.id, wanting.len()) {
            return;
        }
        let notice = Arc::new(notice.clone());
        let since = Instant::now();
        for route in wanting {
            if route.queue.send(Queued { notice: notice.clone(), since }).is_err() {
                self.tally.close(notice.id, true);
            }
        }
    }

    async fn settled(&self) -> Vec<SettledNotice> {
        self.tally.take()
    }

    async fn changed(&self) {
        self.tally.changed().await;
    }
}
