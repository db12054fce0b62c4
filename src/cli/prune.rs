//! `mozart prune`: deletes what Claude Code keeps of sessions that no run goes on with.

use std::collections::HashMap;

use anyhow::anyhow;
use jiff::Timestamp;

use super::{
    error::Advised,
    exit::Exit,
    format,
    printer::Printer,
    reading::{Reading, candidates},
};
use crate::{
    attempt::Directory,
    backend::claude_cli::kept::{self, Deleted},
    job::identity::{RunId, SessionId},
    store::record::RunState,
};

/// Arguments of `mozart prune`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart prune --sessions             of every job, all but the last run's\n  \
                         mozart prune review --sessions --keep 0")]
pub struct Args {
    /// A job's name; by default every job
    #[arg(add = clap_complete::ArgValueCandidates::new(candidates))]
    job: Option<String>,
    /// Delete the transcripts of sessions from Claude Code's folder and from its `/resume` list
    #[arg(long, required = true)]
    sessions: bool,
    /// So many runs of a job, the last ones, keep theirs
    #[arg(long, value_name = "RUNS", default_value_t = 1)]
    keep: usize,
}

/// Deletes the sessions of runs that are over, and says how many. Runs, texts and answers stay.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let reading = Reading::open()?;
    let jobs = match &args.job {
        Some(name) => vec![reading.find(Some(name))?.job],
        None => reading.jobs()?,
    };
    let folder = kept::folder().ok_or_else(|| {
        Advised::new("Claude Code's folder is not known", "export HOME or CLAUDE_CONFIG_DIR")
    })?;
    let (mut all, mut runs) = (Deleted::default(), 0);
    for job in jobs {
        for run in reading.runs(&job)?.iter().skip(args.keep) {
            if !matches!(run.state, RunState::Complete | RunState::Failed) {
                continue;
            }
            let sessions = sessions(&reading, &RunId { job: job.uid, run: run.run })?;
            let Deleted { sessions, bytes, left } =
                kept::delete(&folder, &sessions).map_err(|(path, error)| {
                    anyhow!(error).context(format!("cannot delete {}", path.display()))
                })?;
            runs += u64::from(sessions > 0);
            all.sessions += sessions;
            all.bytes += bytes;
            all.left += left;
        }
    }
    let sessions = format::plural(all.sessions, "session", "sessions");
    let runs = format::plural(runs, "run", "runs");
    printer.note(format!("{sessions} of {runs} deleted, {} bytes", format::count(all.bytes)));
    if all.left > 0 {
        let left = format::plural(all.left, "session", "sessions");
        printer.note(format!("{left} left: somebody went on with it after Mozart"));
    }
    Ok(Exit::Done)
}

/// The sessions of a run, each with the time at which its last attempt was judged.
fn sessions(reading: &Reading, run: &RunId) -> anyhow::Result<Vec<(SessionId, Timestamp)>> {
    let folder = reading.home.run(run);
    let mut sessions = HashMap::new();
    for attempt in reading.attempts_of(run)? {
        let record = Directory::of(&folder, attempt.key()).read_record();
        if let (Some(record), Some(ended)) = (record, attempt.ended) {
            let last = sessions.entry(record.session.id()).or_insert(ended);
            *last = ended.max(*last);
        }
    }
    Ok(sessions.into_iter().collect())
}
