//! `mozart resume`: go on.

#[cfg(feature = "cluster")]
mod cluster;

#[cfg(feature = "cluster")]
use super::kubernetes::KubernetesArguments;
use super::{
    choices::{FormArgument, JobArgument},
    exit::Exit,
    loading::{self, OverrideArguments},
    printer::Printer,
    reading::Reading,
    run::{Drive, PaceArguments, drive},
};
use crate::local::verb::Verb;

/// Arguments of `mozart resume`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart resume            the run that was last used here\n  \
                         mozart resume review     the last run of a job; of a failed one the unfinished batches")]
pub struct Args {
    #[command(flatten)]
    job: JobArgument,
    #[command(flatten)]
    on_top: OverrideArguments,
    #[command(flatten)]
    pace: PaceArguments,
    #[command(flatten)]
    form: FormArgument,
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    cluster: KubernetesArguments,
}

/// Loads the job file of the run again and drives the run to its end.
pub fn execute(args: Args, printer: &Printer) -> anyhow::Result<Exit> {
    #[cfg(feature = "cluster")]
    if args.cluster.is_given() {
        super::runtime()?.block_on(cluster::resume(args.job.job.as_deref(), &args.cluster, printer))?;
        return Ok(Exit::Done);
    }
    let Args { job, on_top, pace, form, .. } = args;
    let reading = Reading::open()?;
    let found = reading.find_last(job.job.as_deref())?;
    if let Some(holder) = reading.holder(&found)? {
        printer.note(format!("{} runs already, in process {}", holder.run, holder.pid));
        printer.hint(format!("mozart status {}    how far it is", holder.run));
        return Ok(Exit::Done);
    }
    loading::still_there(&found.job.file)?;
    let verb = Verb::Resume;
    let (job, on_top) =
        loading::load_to_run(&found.job.file, on_top.on_top()?, pace.parallelism, &verb, printer)?;
    drive(Drive { job, on_top, verb, pace, form: form.get() }, printer)
}
