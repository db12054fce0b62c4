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
mod outside;
mod sink;
mod slack;
mod tally;
mod trouble;
mod webhook;
mod worker;

#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::mpsc, task::JoinSet};

pub use self::{
    answer::{Answer, Answers, NoAnswers},
    outside::{Here, Outside},
};
use self::{
    message::Subject,
    sink::Sink,
    tally::Tally,
    trouble::Troubles,
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
    /// A value that is named in a cluster cannot be read.
    #[error("{sink}: {why}")]
    Unreadable {
        /// Which sink.
        sink: String,
        /// Why, and what to do.
        why: String,
    },
    /// The address is not one that is asked for jobs.
    #[error("{sink}: {why}")]
    Refused {
        /// Which sink.
        sink: String,
        /// Why.
        why: String,
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
    troubles: Arc<Troubles>,
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
    pub fn open(
        job: &Job,
        run: &RunId,
        answers: &impl Answers,
        outside: &impl Outside,
    ) -> Result<Self, NotifyError> {
        let (opened, unusable) =
            Self::start(&job.notifications, subject(job, run), answers, outside, Patience::default());
        unusable.into_iter().next().map_or(Ok(opened), Err)
    }

    /// The same, without the sinks that cannot be used: [`Self::trouble`] tells of them.
    pub fn open_usable(job: &Job, run: &RunId, answers: &impl Answers, outside: &impl Outside) -> Self {
        let (opened, unusable) =
            Self::start(&job.notifications, subject(job, run), answers, outside, Patience::default());
        for error in unusable {
            tracing::warn!(job.name = %job.name, run = run.run, %error, "a sink is told nothing in this run");
        }
        opened
    }

    /// Whether every sink of a job can be used, as far as that can be said without sending anything.
    ///
    /// # Errors
    /// The first that cannot.
    pub fn check(job: &Job, outside: &impl Outside) -> Result<(), NotifyError> {
        for (index, notification) in job.notifications.iter().enumerate() {
            Sink::open(&notification.sink, index + 1, &NoAnswers, outside, Patience::default().timeout)?;
        }
        Ok(())
    }

    fn start(
        notifications: &[Notification],
        subject: Subject,
        answers: &impl Answers,
        outside: &impl Outside,
        patience: Patience,
    ) -> (Self, Vec<NotifyError>) {
        let subject = Arc::new(subject);
        let (tally, troubles) = (Arc::new(Tally::default()), Arc::new(Troubles::default()));
        let mut workers = JoinSet::new();
        let mut routes = Vec::with_capacity(notifications.len());
        let mut unusable = Vec::new();
        for (index, notification) in notifications.iter().enumerate() {
            match Sink::open(&notification.sink, index + 1, answers, outside, patience.timeout) {
                Ok(sink) => {
                    let (queue, notices) = mpsc::unbounded_channel();
                    let books = (Arc::clone(&tally), troubles.of(index));
                    workers.spawn(worker::run(sink, Arc::clone(&subject), notices, books, patience));
                    routes.push(Route { on: notification.on.clone(), queue });
                }
                Err(error) => {
                    troubles.of(index).is(error.to_string());
                    unusable.push(error);
                }
            }
        }
        (Self { routes, tally, troubles, _workers: workers }, unusable)
    }

    /// Which sinks take nothing, and why, for people; `None` when there is none.
    pub fn trouble(&self) -> Option<String> {
        self.troubles.told()
    }

    /// Waits until everything that was handed over is settled, at most `longest`. Returns whether it is.
    pub async fn settle(&self, longest: Duration) -> bool {
        tokio::time::timeout(longest, self.tally.idle()).await.is_ok()
    }
}

fn subject(job: &Job, run: &RunId) -> Subject {
    Subject { job: job.name.clone(), run: run.clone() }
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
