//! Batches of a job of a cluster once more: a run of them, asked for by the job's spec.

use crate::{
    cli::{
        kubernetes::{KubernetesArguments, job::named},
        printer::Printer,
    },
    cluster::verb::Verb,
    engine::ranges::Ranges,
};

/// Asks for a run of the failed batches, or of these.
pub async fn retry(
    job: Option<&str>,
    batches: Option<&Ranges>,
    cluster: &KubernetesArguments,
    printer: &Printer,
) -> anyhow::Result<()> {
    let (place, name) = named(job, cluster).await?;
    let Some(before) = place.ask(name, Verb::Retry(batches), printer).await? else { return Ok(()) };
    if before.data["spec"]["suspend"] == true {
        printer.hint(format!("it is suspended: {} lets it begin", place.typed(&format!("resume {name}"))));
    } else {
        printer.hint(format!("{} shows how far it is", place.typed(&format!("watch {name}"))));
    }
    Ok(())
}
