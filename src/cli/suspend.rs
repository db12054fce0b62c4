//! `mozart suspend`: what runs finishes, nothing new starts.

#[cfg(feature = "cluster")]
mod cluster;

#[cfg(feature = "cluster")]
use super::kubernetes::KubernetesArguments;
use super::{choices::JobArgument, exit::Exit, printer::Printer, reading::Reading, summary};
use crate::{local::steer, store::record::RunState};

/// Arguments of `mozart suspend`.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "  mozart suspend review           what runs finishes, then mozart resume goes on\n  \
                         mozart suspend review --now     what runs is ended, to be gone on with"
)]
pub struct Args {
    #[command(flatten)]
    job: JobArgument,
    /// End what runs too; it goes on with mozart resume
    #[arg(long)]
    now: bool,
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    cluster: KubernetesArguments,
}

/// Asks the process that drives the run. A run that nobody drives is left as it is.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    #[cfg(feature = "cluster")]
    if args.cluster.is_given() {
        super::runtime()?.block_on(cluster::suspend(
            args.job.job.as_deref(),
            args.now,
            &args.cluster,
            printer,
        ))?;
        return Ok(Exit::Done);
    }
    let reading = Reading::open()?;
    let found = reading.find_last(args.job.job.as_deref())?;
    let id = &found.run.id;
    if let Some(holder) = steer::suspend(&reading.home, &found.job, &found.run, args.now)? {
        let what = if args.now { "ends what runs" } else { "lets what runs finish" };
        printer.note(format!("process {} {what} and suspends {id}", holder.pid));
        printer.hint(format!("mozart resume {id} goes on"));
        return Ok(Exit::Done);
    }
    let (state, _) = summary::state(found.run.state);
    match found.run.state {
        RunState::Complete | RunState::Failed => printer.note(format!("{id} has ended already: {state}")),
        RunState::Suspended => printer.note(format!("{id} is suspended already")),
        RunState::Pending | RunState::Running | RunState::Stopping => {
            printer.note(format!("nothing of {id} is started: no process drives it"));
        }
    }
    Ok(Exit::Done)
}
