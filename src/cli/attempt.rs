//! `mozart attempt` (hidden): one attempt from a plan file, what a Pod runs.

use std::path::PathBuf;

use anyhow::Context as _;

use super::{error::Told, exit::Exit, loading, printer::Printer};
use crate::local::attempt::{self, AttemptError, AttemptPlan};

/// Arguments of `mozart attempt`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart attempt plan.json     one attempt; its outcome is printed as JSON")]
pub struct Args {
    /// The plan: job, run, start, directory and workspace, as JSON
    #[arg(value_name = "PLAN_FILE")]
    plan: PathBuf,
}

/// Runs it and prints its outcome, which may be a failure. Exit 2 when the plan cannot be run, 1 when an attempt that
/// was started before is gone without an outcome.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let shown = args.plan.display();
    let text = std::fs::read(&args.plan).with_context(|| format!("cannot read the plan {shown}"))?;
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
    let program = std::env::current_exe().context("Mozart's own program is not found")?;
    match super::runtime()?.block_on(attempt::run(&plan, job, program)) {
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
