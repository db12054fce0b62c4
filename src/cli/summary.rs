//! Failed batches for people: together by their reason, with what to type next.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    format,
    terminal::{Look, Tone},
};
use crate::{
    engine::{ranges::Ranges, summary::expected_cost},
    job::identity::BatchNum,
    store::record::{BatchRecord, BatchState, RunRecord, RunState},
};

/// What a run that goes on costs in all, in millionths of a dollar.
pub fn expected(run: &RunRecord) -> Option<u64> {
    let over = matches!(run.state, RunState::Complete | RunState::Failed);
    expected_cost(&run.usage, run.succeeded + run.failed, run.total).filter(|_| !over)
}

/// Failed batches that have one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureGroup {
    /// The closed word.
    pub reason: String,
    /// How many batches.
    pub count: u32,
    /// Which.
    pub batches: Ranges,
    /// What the first of them says.
    pub message: String,
}

/// Failed batches, gathered by their reason.
#[derive(Debug, Default)]
pub struct Failures(BTreeMap<String, FailureGroup>);

impl Failures {
    /// Of the failed ones among `batches`.
    pub fn of(batches: &[BatchRecord]) -> Self {
        let mut failures = Self::default();
        for batch in batches.iter().filter(|batch| batch.state == BatchState::Failed) {
            let reason = batch.reason.as_deref().unwrap_or("Unknown");
            failures.add(batch.batch, reason, batch.message.as_deref().unwrap_or_default());
        }
        failures
    }

    /// Adds one.
    fn add(&mut self, batch: BatchNum, reason: &str, message: &str) {
        let group = self.0.entry(reason.to_owned()).or_insert_with(|| FailureGroup {
            reason: reason.to_owned(),
            count: 0,
            batches: Ranges::default(),
            message: message.to_owned(),
        });
        group.count += u32::from(group.batches.insert(batch));
    }

    /// By reason, the commonest first.
    pub fn groups(self) -> Vec<FailureGroup> {
        let mut groups: Vec<FailureGroup> = self.0.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        groups
    }
}

/// A line or two for each reason.
pub fn failure_lines(groups: &[FailureGroup], look: &Look) -> Vec<String> {
    let width = look.width.unwrap_or(usize::MAX);
    let mut lines = Vec::new();
    for group in groups {
        let batches = if group.count == 1 { "batch" } else { "batches" };
        lines.push(format!("{} {batches} {}", look.paint(Tone::Bad, &group.reason), group.batches));
        let message = group.message.split_whitespace().collect::<Vec<_>>().join(" ");
        if !message.is_empty() {
            let cut = console::truncate_str(&message, width.saturating_sub(2), look.symbol("…", "~"));
            lines.push(format!("  {}", look.paint(Tone::Quiet, cut)));
        }
    }
    lines
}

/// What to type next, by where the run stands.
pub fn next_steps(run: &RunRecord) -> Vec<String> {
    let id = &run.id;
    match run.state {
        RunState::Failed if run.failed > 0 => vec![
            format!("mozart logs {id} --failed     what they wrote"),
            format!("mozart retry {id} --failed    run them again"),
        ],
        RunState::Failed => vec![format!("mozart resume {id}    run the unfinished ones")],
        RunState::Suspended => vec![format!("mozart resume {id}    go on")],
        RunState::Pending | RunState::Running | RunState::Stopping | RunState::Complete => Vec::new(),
    }
}

/// `41/56 done, 1 failed, 14 to do`.
pub fn counts(run: &RunRecord) -> String {
    let mut parts = vec![format!("{}/{} done", run.succeeded, run.total)];
    let rest = run.total.saturating_sub(run.succeeded + run.failed);
    for (number, word) in [(run.failed, "failed"), (rest, "to do")] {
        if number > 0 {
            parts.push(format!("{number} {word}"));
        }
    }
    parts.join(", ")
}

/// Why it stands so, where the counts do not say it already.
pub fn why(run: &RunRecord) -> Option<&str> {
    run.message.as_deref().filter(|_| run.reason.as_deref() != Some("BatchesFailed"))
}

/// The word for a state, and what it means.
pub fn state(state: RunState) -> (&'static str, Tone) {
    match state {
        RunState::Pending => ("Pending", Tone::Plain),
        RunState::Running => ("Running", Tone::Name),
        RunState::Suspended => ("Suspended", Tone::Warning),
        RunState::Stopping => ("Stopping", Tone::Warning),
        RunState::Complete => ("Complete", Tone::Good),
        RunState::Failed => ("Failed", Tone::Bad),
    }
}

/// How long the run took, or takes.
pub fn took(run: &RunRecord, now: jiff::Timestamp) -> String {
    format::duration(format::between(run.started, run.ended.unwrap_or(now)))
}
