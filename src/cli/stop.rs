//! `mozart stop`: the end of a run.

use jiff::Timestamp;

use super::{
    choices::JobArgument,
    exit::Exit,
    printer::Printer,
    reading::{Found, Reading},
    summary,
};
use crate::{
    local::{
        control::{self, Ask},
        lock::{Holder, Lock},
        stop,
    },
    store::{self, record::RunState},
};

/// Arguments of `mozart stop`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart stop review           what runs finishes, then the run ends as failed\n  \
                         mozart stop review --now     what runs is ended too\n  \
                         mozart suspend review        instead: a run that goes on later")]
pub struct Args {
    #[command(flatten)]
    job: JobArgument,
    /// End what runs too
    #[arg(long)]
    now: bool,
}

/// Ends the run: through the process that drives it, or here when nobody does.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let reading = Reading::open()?;
    let found = reading.find_last(args.job.job.as_deref())?;
    let id = &found.run.id;
    if matches!(found.run.state, RunState::Complete | RunState::Failed) {
        printer.note(format!("{id} has ended already: {}", summary::state(found.run.state).0));
        return Ok(Exit::Done);
    }
    if let Some(holder) = reading.holder(&found)? {
        control::ask(&reading.run_folder(&found), if args.now { Ask::StopNow } else { Ask::Stop })?;
        let what = if args.now { "ends what runs, and" } else { "lets what runs finish, and" };
        printer.note(format!("process {} {what} ends {id}", holder.pid));
    } else {
        close(&reading, &found)?;
        printer.note(format!("{id} has ended: no process drove it"));
    }
    printer.hint(format!("mozart resume {id} later starts a run of the unfinished batches"));
    Ok(Exit::Done)
}

/// Ends a run that nobody drives: under the job's lock, so that nobody begins to meanwhile. The job file is not looked
/// at: a run of one that is gone or broken ends like any other.
fn close(reading: &Reading, found: &Found) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let holder = Holder::this_process(found.run.id.clone(), now);
    let path = reading.home.job(found.job.uid).join("lock");
    let _lock = Lock::take(&path, &format!("job {}", found.job.name), &holder)?;
    let state = reading.state_of(found)?;
    super::runtime()?.block_on(async {
        let store = store::Local::open(&reading.home, &state).await?;
        let last = store.last_run(found.job.uid).await?;
        if let Some(last) = last.filter(|last| !last.is_over()) {
            stop::close(&store, last, now).await?;
        }
        store.close().await;
        Ok(())
    })
}
