//! The question before a run that is billed by use and has no budget.

use crate::{
    cli::{ask, describe, error::Advised, printer::Printer},
    job::model::{Budget, Job},
};

/// Whether a run may spend what it takes.
#[derive(Debug)]
pub struct Consent {
    /// What is billed by use, if anything.
    pub billed: Option<String>,
    /// Whether `--yes` was said.
    pub given: bool,
}

impl Consent {
    /// Asks if it has to: on a terminal the person, elsewhere nobody can be asked.
    ///
    /// # Errors
    /// With what to do: it was not agreed to, or nobody could be asked.
    pub fn ask(&self, job: &Job, printer: &Printer) -> anyhow::Result<()> {
        let Budget { per_attempt_micro_usd, per_run_micro_usd, on_reached: _ } = job.budget;
        let Some(billed) = self.billed.as_deref().filter(|_| !self.given) else { return Ok(()) };
        if per_attempt_micro_usd.or(per_run_micro_usd).is_some() {
            return Ok(());
        }
        let what = format!("{}, billed to {billed}", describe::amount(job));
        if !ask::possible(printer) {
            let message = format!("{what}, and no budget is set");
            return Err(Advised::new(message, "write budget.perRunUSD, or say --yes").into());
        }
        if ask::agreed(&format!("{what}. No budget is set. Go on?"))? {
            return Ok(());
        }
        Err(Advised::new("nothing was started", "write budget.perRunUSD, and run it again").into())
    }
}
