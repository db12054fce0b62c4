//! `mozart retry`: failed or named batches again.

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
use crate::{
    engine::{ranges::Ranges, rerun::Select},
    local::verb::Verb,
};

/// Arguments of `mozart retry`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart retry --failed                 a new run of the batches that failed\n  \
                   mozart retry review --batches 3,7-9   a new run of these")]
pub struct Args {
    #[command(flatten)]
    job: JobArgument,
    #[command(flatten)]
    which: Which,
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

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The batches that failed in the last run
    #[arg(long)]
    failed: bool,
    /// These batches, such as 3,7-9
    #[arg(short, long, value_name = "LIST")]
    batches: Option<Ranges>,
}

/// Loads the job file of the last run again and drives a new run of the chosen batches.
pub fn execute(args: Args, printer: &Printer) -> anyhow::Result<Exit> {
    #[cfg(feature = "cluster")]
    if args.cluster.is_given() {
        let (job, batches) = (args.job.job.as_deref(), args.which.batches.as_ref());
        super::runtime()?.block_on(cluster::retry(job, batches, &args.cluster, printer))?;
        return Ok(Exit::Done);
    }
    let Args { job, which, on_top, pace, form, .. } = args;
    let found = Reading::open()?.find_last(job.job.as_deref())?;
    loading::still_there(&found.job.file)?;
    let verb = Verb::Retry(which.batches.map_or(Select::Failed, Select::Batches));
    let (job, on_top) =
        loading::load_to_run(&found.job.file, on_top.on_top()?, pace.parallelism, &verb, printer)?;
    drive(Drive { job, on_top, verb, pace, form: form.get() }, printer)
}
