//! `mozart delete`: jobs, with everything that is kept of them.

#[cfg(feature = "cluster")]
mod cluster;

use clap_complete::engine::ArgValueCandidates;

#[cfg(feature = "cluster")]
use super::kubernetes::KubernetesArguments;
use super::{
    ask,
    error::Advised,
    exit::Exit,
    printer::Printer,
    reading::{self, Found, Reading},
};
use crate::{history::parts, local::steer};

/// Arguments of `mozart delete`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart delete review             asks first\n  \
                         mozart delete review/2           an earlier run, the job stays\n  \
                         mozart delete review old -n team-a --yes")]
pub struct Args {
    /// The jobs' names, or ids of runs such as review/3
    #[arg(value_name = "JOB", required = true, add = ArgValueCandidates::new(reading::candidates))]
    jobs: Vec<String>,
    /// Ask nothing
    #[arg(short, long)]
    yes: bool,
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    cluster: KubernetesArguments,
}

/// Deletes them. Here a job that a process drives is left, in a cluster what runs of one ends.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    #[cfg(feature = "cluster")]
    if args.cluster.is_given() {
        return super::runtime()?.block_on(cluster::delete(args, printer));
    }
    let reading = Reading::open()?;
    let found = args.jobs.iter().map(|job| reading.find(Some(job)));
    let found = found.collect::<anyhow::Result<Vec<Found>>>()?;
    if !args.yes && !consented(args, 0, printer)? {
        printer.note("nothing was deleted");
        return Ok(Exit::BadInput);
    }
    for (wanted, found) in args.jobs.iter().zip(found) {
        let run = parts(wanted).1;
        reading.delete(&found, run).map_err(advised)?;
        printer.line(match run {
            Some(run) => format!("{}/{run} deleted", found.job.name),
            None => format!("{} deleted", found.job.name),
        })?;
    }
    Ok(Exit::Done)
}

fn advised(error: steer::SteerError) -> anyhow::Error {
    let hint = match &error {
        steer::SteerError::Lock(_) => "stop it first: mozart stop",
        steer::SteerError::LastRun(_) => "delete the job, by its name alone",
        _ => return error.into(),
    };
    Advised::new(error.to_string(), hint).into()
}

/// Asks a person; where there is none it has to be said beforehand.
fn consented(args: &Args, active: u32, printer: &Printer) -> anyhow::Result<bool> {
    if !ask::possible(printer) {
        let hint = "--yes says that you mean it";
        return Err(Advised::new("deleting is asked for on a terminal only", hint).into());
    }
    let (one, active) = (args.jobs.len() == 1, u64::from(active));
    let what = if one { args.jobs[0].clone() } else { format!("{} jobs", args.jobs.len()) };
    let running = match active {
        0 => String::new(),
        _ if one => format!("{what} is active: what runs of it is ended. "),
        1 => "One of them is active: what runs of it is ended. ".to_owned(),
        active => format!("{active} of them are active: what runs of them is ended. "),
    };
    ask::agreed(&format!("{running}Delete {what}, with plans and answers?"))
}
