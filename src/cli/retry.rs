//! `mozart retry`: failed or named batches again.

use super::{
    choices::{FormArgument, JobArgument},
    exit::Exit,
    loading,
    printer::Printer,
    reading::Reading,
    run::{Drive, PaceArguments, drive},
};
use crate::{
    engine::{ranges::Ranges, rerun::Selection},
    local::verb::Verb,
};

/// Arguments of `mozart retry`.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "  mozart retry --failed                 a new run of the batches that failed\n  \
                   mozart retry review --batches 3,7-9   a new run of these"
)]
pub struct Args {
    #[command(flatten)]
    job: JobArgument,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    pace: PaceArguments,
    #[command(flatten)]
    form: FormArgument,
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
    let Args { job, which, pace, form } = args;
    let found = Reading::open()?.find_last(job.job.as_deref())?;
    let loaded = loading::load_again(&found, pace.parallelism, printer)?;
    let selection = which.batches.map_or(Selection::Failed, Selection::Batches);
    drive(Drive { loaded, verb: Verb::Retry(selection), pace, form: form.form }, printer)
}
