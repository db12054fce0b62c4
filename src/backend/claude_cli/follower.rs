//! What a running Claude Code tells while it runs.

use super::{classify, stream::Line, transcript::Transcript, wallet};
use crate::{
    backend::{Call, Session, Told},
    job::{
        model::ClaudeCli,
        outcome::{GateSignal, Usage},
    },
};

/// Reads the standard output of a running Claude Code, line by line.
#[derive(Debug)]
pub struct Follower {
    settings: ClaudeCli,
    continued: bool,
    transcript: Transcript,
    /// How many acceptances there were when the gate was last told of a wait.
    acceptances_at_wait: u32,
    /// Whether the next acceptance is told.
    tell_acceptance: bool,
    /// The `attempt` of the last wait that was told: a long one is repeated every 30 s.
    told_retry: Option<u32>,
    told_usage: Usage,
}

impl Follower {
    /// At the beginning of the output.
    pub fn new(settings: &ClaudeCli, call: &Call<'_>) -> Self {
        Self {
            settings: settings.clone(),
            continued: matches!(call.session, Session::Continue(_)),
            transcript: Transcript::default(),
            acceptances_at_wait: 0,
            tell_acceptance: true,
            told_retry: None,
            told_usage: Usage::default(),
        }
    }

    /// Takes the next whole line, without its end.
    pub fn line(&mut self, line: &[u8]) -> Vec<Told> {
        let line = Line::parse(line);
        let is_result = matches!(line, Line::Result(_));
        let is_init = matches!(line, Line::Init(_));
        let is_retry = matches!(line, Line::Retry(_));
        let said_something = !matches!(line, Line::Other | Line::Init(_) | Line::TaskStarted(_));
        self.transcript.take(line);

        let mut told = Vec::new();
        if let Some(init) = self.transcript.init.as_ref().filter(|_| is_init)
            && let Some(failure) = wallet::mismatch(&self.settings, init)
        {
            told.push(Told::GiveUp(Box::new(failure)));
        } else if is_retry {
            self.retry(&mut told);
        } else if said_something && self.transcript.waiting.is_none() {
            self.told_retry = None;
        }
        if self.tell_acceptance && self.transcript.acceptances > self.acceptances_at_wait {
            self.tell_acceptance = false;
            told.push(Told::Signal(GateSignal::Accepted));
        }
        let usage = self.transcript.usage(self.continued);
        if usage != self.told_usage {
            self.told_usage = usage;
            told.push(Told::Spent(usage));
        }
        if is_result && self.transcript.tasks.is_empty() {
            told.push(Told::ResultSaid);
        }
        told
    }

    fn retry(&mut self, told: &mut Vec<Told>) {
        let Some(retry) = &self.transcript.waiting else { return };
        if self.told_retry.replace(retry.attempt) == Some(retry.attempt) {
            return;
        }
        let accepted = self.transcript.accepted();
        if retry.error.as_deref() == Some("authentication_failed") {
            if !accepted {
                told.push(Told::GiveUp(Box::new(classify::authentication("", &self.settings))));
            }
        } else if classify::is_throttle(retry) || !accepted {
            let (status, retry_after_ms) = (retry.error_status, retry.delay_ms);
            told.push(Told::Signal(GateSignal::Throttled { status, retry_after_ms }));
            // The next accepted request opens the gate again.
            self.tell_acceptance = true;
            self.acceptances_at_wait = self.transcript.acceptances;
        }
    }
}
