//! What is said when a run has stopped moving: how it stands, where the results are, what to type next.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    cli::{
        printer::Printer,
        progress::used,
        summary::{self, FailureGroup},
        terminal::Tone,
    },
    job::model::{Backend, Job},
    store::record::{RunRecord, RunState},
};

/// How a run ended, as `-o json` shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ending<'a> {
    /// The run.
    pub run: &'a RunRecord,
    /// Its failures by reason.
    pub failures: Vec<FailureGroup>,
    /// Where the files are.
    pub workspace: &'a std::path::Path,
}

/// Tells people how the run stands, where the results are and what to type next.
pub fn tell(job: &Job, ending: &Ending<'_>, printer: &Printer) {
    let Ending { run, failures, workspace } = ending;
    let look = &printer.err;
    let (word, tone) = summary::state(run.state);
    let mut parts = vec![summary::counts(run), summary::took(run, Timestamp::now())];
    parts.extend(used(&run.usage, summary::expected(run)));
    let separator = look.symbol(" · ", ", ");
    printer.note(format!(
        "{} {}{separator}{}",
        look.paint(Tone::Strong, &run.id),
        look.paint(tone, word),
        parts.join(separator)
    ));
    // Why it is suspended has just been said.
    if let Some(why) = summary::why(run).filter(|_| run.state != RunState::Suspended) {
        printer.note(why);
    }
    for line in summary::failure_lines(failures, look) {
        printer.note(line);
    }
    if run.succeeded > 0 {
        printer.note(format!("results: {}", workspace.display()));
        if !matches!(job.backend, Backend::ClaudeCli(_)) {
            printer.note(format!("answers: mozart output {} --to DIR", run.id));
        }
    }
    for step in summary::next_steps(run) {
        printer.hint(step);
    }
}
