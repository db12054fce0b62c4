//! A job of a cluster: its spec says that nothing new starts.

use crate::{
    cli::{
        kubernetes::{KubernetesArguments, job::named},
        printer::Printer,
    },
    cluster::verb::Verb,
};

/// Asks its operator, by the job's spec.
pub async fn suspend(
    job: Option<&str>,
    now: bool,
    cluster: &KubernetesArguments,
    printer: &Printer,
) -> anyhow::Result<()> {
    let (place, name) = named(job, cluster).await?;
    if place.ask(name, Verb::Suspend { now }, printer).await?.is_some() {
        printer.hint(format!("{} goes on", place.typed(&format!("resume {name}"))));
    }
    Ok(())
}
