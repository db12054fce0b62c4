//! `mozart delete`: jobs of a cluster, with everything that is kept of them.

use anyhow::Context as _;
use clap_complete::engine::ArgValueCandidates;
use kube::api::DeleteParams;

use super::{
    ask,
    error::Advised,
    exit::Exit,
    kubernetes::{KubernetesArguments, job::status},
    printer::Printer,
    reading, runtime,
};

/// Arguments of `mozart delete`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart delete review -n team-a          asks first\n  \
                         mozart delete review old --yes --cluster")]
pub struct Args {
    /// The jobs' names
    #[arg(value_name = "JOB", required = true, add = ArgValueCandidates::new(reading::candidates))]
    jobs: Vec<String>,
    /// Ask nothing
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    cluster: KubernetesArguments,
}

/// Deletes them; what runs of them ends.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    runtime()?.block_on(async {
        let place = args.cluster.cluster().await?;
        let mut active = 0;
        for name in &args.jobs {
            active += u32::from(status(&place.job(name).await?).active_run.is_some());
        }
        if !args.yes && !consented(args, active, printer)? {
            printer.note("nothing was deleted");
            return Ok(Exit::BadInput);
        }
        for name in &args.jobs {
            let deleted = place.jobs().delete(name, &DeleteParams::background()).await;
            deleted.with_context(|| format!("the job {name} cannot be deleted"))?;
            printer.line(format!("mozartjob.mozart.dev/{name} deleted"))?;
        }
        Ok(Exit::Done)
    })
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
