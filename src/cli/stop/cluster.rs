//! The end of a run of a job of a cluster, asked for by the job's spec: of that run, and of no later one.

use crate::{
    cli::{
        kubernetes::{KubernetesArguments, job::named},
        printer::Printer,
    },
    cluster::verb::Verb,
};

/// Asks its operator, by the job's spec.
pub async fn stop(
    job: Option<&str>,
    now: bool,
    cluster: &KubernetesArguments,
    printer: &Printer,
) -> anyhow::Result<()> {
    let (place, name) = named(job, cluster).await?;
    if place.ask(name, Verb::Stop { now }, printer).await?.is_some() {
        printer.hint(format!("{} later runs the unfinished batches", place.typed(&format!("resume {name}"))));
    }
    Ok(())
}
