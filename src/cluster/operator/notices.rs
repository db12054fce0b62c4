//! Who is told of a run in a cluster: webhooks and Slack, over the operator's one way out, with URLs and secrets from
//! Secrets that were granted to it. There is no way from here to a variable or to an inner address.

use std::{collections::HashMap, time::Duration};

use reqwest::{Client, Url};
use secrecy::SecretString;

use super::{
    attend::{Not, Trouble},
    context::Context,
    readback::Readback,
    secrets::{self, Purpose},
};
use crate::{
    cluster::outgoing::Outgoing,
    driver::ports::Notifier,
    engine::{ledger::Notice, world::SettledNotice},
    job::{
        identity::RunId,
        model::{Job, Setting, Sink},
    },
    notify::{Notifications, NotifyError, Outside},
};

/// The sinks of one run.
pub(super) struct Notices(Notifications);

impl Notices {
    /// Those that can be used. One that cannot holds nothing up.
    pub(super) fn open(job: &Job, run: &RunId, answers: &Readback, outside: &ByOperator) -> Self {
        Self(Notifications::open_usable(job, run, answers, outside))
    }

    /// Which of them take nothing, and why.
    pub(super) fn trouble(&self) -> Option<String> {
        self.0.trouble()
    }
}

impl Notifier for Notices {
    /// Nobody starts this process again to look what is left.
    fn last_wait(&self) -> Option<Duration> {
        None
    }

    async fn deliver(&self, notice: &Notice) {
        self.0.deliver(notice).await;
    }

    async fn settled(&self) -> Vec<SettledNotice> {
        self.0.settled().await
    }

    async fn changed(&self) {
        self.0.changed().await;
    }
}

/// The way of a job's sinks out of the operator.
pub(super) struct ByOperator {
    outgoing: Outgoing,
    /// What stands in Secrets, by name and key, or why it cannot be had.
    values: HashMap<Named, Result<SecretString, String>>,
}

/// The name of a Secret, and a key of it.
type Named = (String, String);

/// Reads the Secrets that the sinks of a job name.
pub(super) async fn outside(context: &Context, namespace: &str, job: &Job) -> Result<ByOperator, Trouble> {
    let values = values(context, namespace, job).await?.into_iter();
    let values = values.map(|(named, value)| (named, value.map_err(|not| not.message().to_owned())));
    Ok(ByOperator { outgoing: context.settings.outgoing.clone(), values: values.collect() })
}

/// Why a job does not begin: somebody is to be told of it who cannot be.
pub(super) async fn refusal(context: &Context, namespace: &str, job: &Job) -> Result<Option<Not>, Trouble> {
    let mut read = HashMap::new();
    for (named, value) in values(context, namespace, job).await? {
        match value {
            Ok(value) => read.insert(named, Ok(value)),
            Err(not) => return Ok(Some(not)),
        };
    }
    let outside = ByOperator { outgoing: context.settings.outgoing.clone(), values: read };
    Ok(Notifications::check(job, &outside).err().map(|error| {
        let message = error.to_string();
        match error {
            NotifyError::Refused { .. } => Not::Forbidden { message },
            _ => Not::Missing { message },
        }
    }))
}

/// What stands in each, in their order, or why it cannot be had.
async fn values(
    context: &Context,
    namespace: &str,
    job: &Job,
) -> Result<Vec<(Named, Result<SecretString, Not>)>, Trouble> {
    let mut values = Vec::new();
    for (number, name, key) in named(job) {
        let who = format!("notification {number}");
        let value = secrets::read(context, namespace, (name, key), Purpose::Webhook, &who).await?;
        values.push(((name.to_owned(), key.to_owned()), value));
    }
    Ok(values)
}

/// What the sinks of a job name: the number of the sink, the Secret and the key.
fn named(job: &Job) -> impl Iterator<Item = (usize, &str, &str)> {
    let settings = (1..).zip(&job.notifications).flat_map(|(number, notification)| {
        let settings = match &notification.sink {
            Sink::Desktop => [None, None],
            Sink::Webhook { url, secret, .. } => [Some(url), secret.as_ref()],
            Sink::Slack { url } => [Some(url), None],
        };
        settings.into_iter().flatten().map(move |setting| (number, setting))
    });
    settings.filter_map(|(number, setting)| match setting {
        Setting::Secret { name, key } => Some((number, name.as_str(), key.as_str())),
        Setting::Literal(_) | Setting::Env(_) => None,
    })
}

impl Outside for ByOperator {
    fn value(&self, sink: &str, setting: &Setting) -> Result<SecretString, NotifyError> {
        let unreadable = |why: &str| NotifyError::Unreadable { sink: sink.to_owned(), why: why.to_owned() };
        match setting {
            Setting::Literal(value) => Ok(value.clone().into()),
            Setting::Env(_) => Err(unreadable("an operator reads no variable for a job")),
            Setting::Secret { name, key } => match self.values.get(&(name.clone(), key.clone())) {
                Some(Ok(value)) => Ok(value.clone()),
                Some(Err(why)) => Err(unreadable(why)),
                None => Err(unreadable("its Secret was not read")),
            },
        }
    }

    fn connections(&self, sink: &str, url: &Url) -> Result<Client, NotifyError> {
        let refused = |error: crate::cluster::outgoing::Refused| NotifyError::Refused {
            sink: sink.to_owned(),
            why: error.to_string(),
        };
        self.outgoing.to(url).map_err(refused)
    }
}
