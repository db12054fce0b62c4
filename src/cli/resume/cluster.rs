//! A job of a cluster that is suspended, or whose last run left something undone.

use crate::{
    cli::{
        kubernetes::{KubernetesArguments, job::named},
        printer::Printer,
    },
    cluster::verb::Verb,
};

/// Lets it go on; of a run that failed the unfinished batches are another run.
pub async fn resume(
    job: Option<&str>,
    cluster: &KubernetesArguments,
    printer: &Printer,
) -> anyhow::Result<()> {
    let (place, name) = named(job, cluster).await?;
    if place.ask(name, Verb::Resume, printer).await?.is_some() {
        printer.hint(format!("{} shows how far it is", place.typed(&format!("watch {name}"))));
    }
    Ok(())
}
