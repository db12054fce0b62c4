//! A job of a cluster: its spec says that nothing new starts.

use serde_json::json;

use crate::cli::{
    kubernetes::{
        KubernetesArguments,
        job::{named, status},
    },
    printer::Printer,
};

/// Asks its operator, by the job's spec.
pub async fn suspend(
    job: Option<&str>,
    now: bool,
    cluster: &KubernetesArguments,
    printer: &Printer,
) -> anyhow::Result<()> {
    let (place, name) = named(job, cluster).await?;
    let found = place.job(name).await?;
    if found.data["spec"]["suspend"] == true && !now {
        printer.note(format!("{name} is suspended already"));
        return Ok(());
    }
    let policy = if now { "Terminate" } else { "Drain" };
    place.change(name, &json!({"spec": {"suspend": true, "suspendPolicy": policy}})).await?;
    let what = match status(&found).active_run {
        None => "no run of it begins",
        Some(_) if now => "what runs is ended, to be gone on with, and nothing new starts",
        Some(_) => "what runs finishes, nothing new starts",
    };
    printer.note(format!("{name}: {what}"));
    printer.hint(format!("{} goes on", place.typed(&format!("resume {name}"))));
    Ok(())
}
