//! One sink, whatever its kind.

use std::{error::Error, time::Duration};

use super::{
    NotifyError,
    answer::Answers,
    desktop::Desktop,
    endpoint::Endpoint,
    message::Message,
    outside::Outside,
    slack::Slack,
    webhook::{Signer, Webhook},
};
use crate::job::model;

/// How one try of a delivery ended.
#[derive(Debug)]
pub(super) enum Delivery {
    /// The other side has it.
    Delivered,
    /// It may work later.
    Again {
        /// How long the other side asked to wait.
        after: Option<Duration>,
        /// Why, without a secret.
        why: String,
    },
    /// This notice will never be taken.
    Refused {
        /// Why, without a secret.
        why: String,
    },
    /// Nothing will ever be taken here.
    Off {
        /// Why, without a secret, and what to do.
        why: String,
    },
}

/// A sink that can be delivered to.
pub(super) struct Sink<A> {
    /// For logs: its kind, its place in the job file, its host. Never its URL.
    pub(super) name: String,
    kind: Kind<A>,
}

enum Kind<A> {
    Desktop(Desktop),
    Webhook(Webhook<A>),
    Slack(Slack),
}

impl<A: Answers> Sink<A> {
    /// `number` is its place in the job file, from 1; `timeout` is that of one try.
    pub(super) fn open(
        sink: &model::Sink,
        number: usize,
        answers: &A,
        outside: &impl Outside,
        timeout: Duration,
    ) -> Result<Self, NotifyError> {
        let kind_name = match sink {
            model::Sink::Desktop => "desktop",
            model::Sink::Webhook { .. } => "webhook",
            model::Sink::Slack { .. } => "slack",
        };
        let name = format!("notification {number} ({kind_name})");
        let at = |host: &str| format!("notification {number} ({kind_name} at {host})");
        match sink {
            model::Sink::Desktop => Ok(Self { name, kind: Kind::Desktop(Desktop::new(timeout)) }),
            model::Sink::Webhook { url, headers, secret, include_output } => {
                let url = outside.value(&name, url)?;
                let endpoint = Endpoint::open(&name, &url, headers, outside, timeout)?;
                let signer = match secret {
                    Some(secret) => Some(Signer::new(&name, &outside.value(&name, secret)?)?),
                    None => None,
                };
                let name = at(endpoint.host());
                let answers = include_output.then(|| answers.clone());
                Ok(Self { name, kind: Kind::Webhook(Webhook { endpoint, signer, answers }) })
            }
            model::Sink::Slack { url } => {
                let url = outside.value(&name, url)?;
                let endpoint = Endpoint::open(&name, &url, &[].into(), outside, timeout)?;
                Ok(Self { name: at(endpoint.host()), kind: Kind::Slack(Slack { endpoint }) })
            }
        }
    }

    /// Tries once.
    pub(super) async fn deliver(&self, message: Message<'_>) -> Delivery {
        match &self.kind {
            Kind::Desktop(desktop) => desktop.deliver(message).await,
            Kind::Webhook(webhook) => webhook.deliver(message).await,
            Kind::Slack(slack) => slack.deliver(message).await,
        }
    }
}

/// An error and its causes in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
