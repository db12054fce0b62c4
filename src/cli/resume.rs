//! `mozart resume`: go on.

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
}

/// Loads the job file of the run again and drives the run to its end.
pub fn execute(args: Args, printer: &Printer) -> anyhow::Result<Exit> {
    let Args { job, on_top, pace, form } = args;
    let found = Reading::open()?.find_last(job.job.as_deref())?;
    loading::still_there(&found.job.file)?;
    let (overrides, verb) = (on_top.overrides(pace.parallelism)?, Verb::Resume);
    let job = loading::load_to_run(&found.job.file, overrides, &verb, printer)?;
    drive(Drive { job, verb, pace, form: form.form }, printer)
}
