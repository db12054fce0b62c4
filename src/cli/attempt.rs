//! `mozart attempt` (hidden): one attempt, from a plan file or as what a Pod runs.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{error::Told, exit::Exit, loading, printer::Printer};
use crate::{
    attempt::remote::RemoteCall,
    local::{
        attempt::{self, AttemptError, AttemptPlan},
        pod,
    },
};

/// Arguments of `mozart attempt`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart attempt plan.json     one attempt; its outcome is printed as JSON")]
pub struct Args {
    /// The plan: job, run, start, directory and workspace, as JSON
    #[arg(value_name = "PLAN_FILE", required_unless_present = "pod")]
    plan: Option<PathBuf>,
    /// Run as the first process of a Pod's container; what is to be done, as JSON
    #[arg(long, value_name = "CALL", conflicts_with = "plan")]
    pod: Option<String>,
    /// Run as the process that the first one starts
    #[arg(long, requires = "pod")]
    below_the_first: bool,
}

/// Runs it and prints its outcome, which may be a failure. Exit 2 when the plan cannot be run, 1 when an attempt that
/// was started before is gone without an outcome. In a Pod exit 1 is a failure, and what it is stands in the message.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let program = std::env::current_exe().context("Mozart's own program is not found")?;
    match (&args.plan, &args.pod) {
        (Some(plan), _) => from_file(plan, program, printer),
        (None, Some(call)) => in_pod(call, args.below_the_first, program),
        (None, None) => anyhow::bail!("there is no plan"),
    }
}

fn from_file(file: &Path, program: PathBuf, printer: &Printer) -> anyhow::Result<Exit> {
    let shown = file.display();
    let text = std::fs::read(file).with_context(|| format!("cannot read the plan {shown}"))?;
    let plan: AttemptPlan =
        serde_json::from_slice(&text).with_context(|| format!("{shown} is no plan of an attempt"))?;
    let job = match plan.load() {
        Ok(loaded) => {
            loading::tell(&loaded.warnings, printer);
            loaded.job
        }
        Err(AttemptError::Job(problems)) => {
            loading::tell(&problems, printer);
            return Err(Told.into());
        }
        Err(error) => return Err(error.into()),
    };
    let run = attempt::run(&plan.run, &plan.start, &plan.directory, job, program);
    match super::runtime()?.block_on(run) {
        Ok(outcome) => {
            printer.json_line(&outcome)?;
            Ok(Exit::Done)
        }
        Err(error @ AttemptError::Lost) => {
            printer.error(&error.into());
            Ok(Exit::JobFailed)
        }
        Err(error) => Err(error.into()),
    }
}

fn in_pod(text: &str, below_the_first: bool, program: PathBuf) -> anyhow::Result<Exit> {
    let call: RemoteCall = serde_json::from_str(text).context("what is to be done cannot be read")?;
    let runtime = super::runtime()?;
    if below_the_first {
        let outcome = runtime.block_on(pod::run(&call, program));
        let outcome = outcome.with_context(|| format!("cannot write {}", call.message.display()))?;
        return Ok(if outcome.succeeded() { Exit::Done } else { Exit::JobFailed });
    }
    let code = runtime.block_on(pod::first_process(pod::below_the_first(&program, text)));
    let code = code.context("the attempt's process cannot be started")?;
    pod::tell_of_death(&call, code).with_context(|| format!("cannot write {}", call.message.display()))?;
    Ok(if code == 0 { Exit::Done } else { Exit::JobFailed })
}
