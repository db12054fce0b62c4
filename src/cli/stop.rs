//! `mozart stop`: the end of a run.

#[cfg(feature = "cluster")]
mod cluster;

#[cfg(feature = "cluster")]
use super::kubernetes::KubernetesArguments;
use super::{choices::JobArgument, exit::Exit, printer::Printer, reading::Reading, summary};
use crate::store::record::RunState;

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
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    cluster: KubernetesArguments,
}

/// Ends the run: through the process that drives it, or here when nobody does.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    #[cfg(feature = "cluster")]
    if args.cluster.is_given() {
        super::runtime()?.block_on(cluster::stop(
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
    if matches!(found.run.state, RunState::Complete | RunState::Failed) {
        printer.note(format!("{id} has ended already: {}", summary::state(found.run.state).0));
        return Ok(Exit::Done);
    }
    if let Some(holder) = reading.stop(&found, args.now)? {
        let what = if args.now { "ends what runs, and" } else { "lets what runs finish, and" };
        printer.note(format!("process {} {what} ends {id}", holder.pid));
    } else {
        printer.note(format!("{id} has ended: no process drove it"));
    }
    printer.hint(format!("mozart resume {id} later starts a run of the unfinished batches"));
    Ok(Exit::Done)
}
