//! The end of a run of a job of a cluster, asked for by the job's spec: of that run, and of no later one.

use serde_json::json;

use crate::cli::{
    kubernetes::{
        KubernetesArguments,
        job::{named, phase, status},
    },
    printer::Printer,
};

/// Asks its operator, by the job's spec.
pub async fn stop(
    job: Option<&str>,
    now: bool,
    cluster: &KubernetesArguments,
    printer: &Printer,
) -> anyhow::Result<()> {
    let (place, name) = named(job, cluster).await?;
    let status = status(&place.job(name).await?);
    let Some(run) = status.active_run else {
        printer.note(format!("no run of {name} is active: {}", phase(status.phase).0));
        return Ok(());
    };
    let mode = if now { "Now" } else { "Drain" };
    place.change(name, &json!({"spec": {"stop": {"run": run, "mode": mode}}})).await?;
    let what = if now { "what runs is ended" } else { "what runs finishes" };
    printer.note(format!("run {run} of {name}: {what}, then it ends as failed"));
    printer.hint(format!("{} later runs the unfinished batches", place.typed(&format!("resume {name}"))));
    Ok(())
}
