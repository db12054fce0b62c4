//! What holds of a job, in the words that a `MozartJob` has.

use jiff::Timestamp;
use serde::Serialize;

use super::view::{RunEntry, Standing};
use crate::{engine::waiting::Waiting, store::record::RunRecord};

/// Something that holds of a job or not, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What: `Progressing`, `RateLimited`, `NeedsAttention`, `Suspended`, `Complete`, `Failed`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it holds; `None` where that is not known.
    pub holds: Option<bool>,
    /// Why, as a closed word.
    pub reason: Option<String>,
    /// Why, for people.
    pub message: Option<String>,
    /// Since when it does or does not.
    pub since: Option<Timestamp>,
}

impl RunEntry {
    /// What holds of a job of which this is the last run, in the words that a `MozartJob` has.
    pub fn conditions(&self) -> Vec<Condition> {
        let RunRecord { reason, message, ended, .. } = &self.record;
        let waits = |attention: bool| {
            let waiting = self.waiting.as_ref().filter(|waiting| waiting.is_for_the_gate());
            waiting.filter(|waiting| matches!(waiting, Waiting::Attention { .. }) == attention)
        };
        let interrupted = self.standing == Standing::Interrupted;
        let condition = |kind: &str, holds: bool, since: Option<Timestamp>| Condition {
            kind: kind.to_owned(),
            holds: Some(holds),
            reason: None,
            message: None,
            since: since.filter(|_| holds),
        };
        let told = |condition: Condition| match condition.holds {
            Some(true) => Condition { reason: reason.clone(), message: message.clone(), ..condition },
            _ => condition,
        };
        let driven = self.driven_by.as_ref().map(|driver| driver.since);
        let mut limited = condition("RateLimited", waits(false).is_some(), None);
        limited.message = self.waiting_words.clone().filter(|_| limited.holds == Some(true));
        let mut attention = condition("NeedsAttention", waits(true).is_some() || interrupted, None);
        attention.message = if interrupted {
            Some("No process drives the run: resume goes on.".to_owned())
        } else {
            self.waiting_words.clone().filter(|_| attention.holds == Some(true))
        };
        vec![
            condition("Progressing", self.driven_by.is_some() && self.waiting.is_none(), driven),
            limited,
            attention,
            told(condition("Suspended", self.standing == Standing::Suspended, None)),
            told(condition("Complete", self.standing == Standing::Complete, *ended)),
            told(condition("Failed", self.standing == Standing::Failed, *ended)),
        ]
    }
}
