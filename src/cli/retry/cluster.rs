//! Batches of a job of a cluster once more: a run of them, asked for by the job's spec.

use jiff::Timestamp;
use serde_json::json;

use crate::{
    cli::{
        error::Advised,
        kubernetes::{
            KubernetesArguments,
            job::{named, status},
        },
        printer::Printer,
    },
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
    let found = place.job(name).await?;
    let status = status(&found);
    if let Some(run) = status.active_run {
        let hint = format!(
            "{} ends it, {} waits",
            place.typed(&format!("stop {name}")),
            place.typed(&format!("wait {name}"))
        );
        return Err(
            Advised::new(format!("run {run} of {name} is active: there is one at a time"), hint).into()
        );
    }
    if status.last_run.is_none() {
        let hint = format!("{} shows how it stands", place.typed(&format!("get {name}")));
        return Err(Advised::new(format!("{name} has had no run yet"), hint).into());
    }
    let failed = status.batches.as_ref().map_or(0, |batches| batches.failed);
    if batches.is_none() && failed == 0 {
        printer.note(format!("no batch of {name} has failed"));
        return Ok(());
    }
    let id = format!("retry-{:.0}", Timestamp::now());
    let rerun = match batches {
        Some(batches) => json!({"id": id, "select": "Batches", "batches": batches.to_string()}),
        None => json!({"id": id, "select": "Failed", "batches": null}),
    };
    place.change(name, &json!({"spec": {"rerun": rerun}})).await?;
    let which =
        batches.map_or_else(|| format!("the {failed} that failed"), |these| format!("batches {these}"));
    printer.note(format!("{name}: another run begins, of {which}"));
    if found.data["spec"]["suspend"] == true {
        printer.hint(format!("it is suspended: {} lets it begin", place.typed(&format!("resume {name}"))));
    } else {
        printer.hint(format!("{} shows how far it is", place.typed(&format!("watch {name}"))));
    }
    Ok(())
}
