//! A job of a cluster that is suspended, or whose last run left something undone.

use jiff::Timestamp;
use serde_json::json;

use crate::{
    api::status::Phase,
    cli::{
        kubernetes::{
            KubernetesArguments,
            job::{named, status},
        },
        printer::Printer,
    },
};

/// Lets it go on; of a run that failed the unfinished batches are another run.
pub async fn resume(
    job: Option<&str>,
    cluster: &KubernetesArguments,
    printer: &Printer,
) -> anyhow::Result<()> {
    let (place, name) = named(job, cluster).await?;
    let found = place.job(name).await?;
    let status = status(&found);
    let suspended = found.data["spec"]["suspend"] == true;
    let mut spec = json!({});
    if suspended {
        spec["suspend"] = json!(false);
    }
    let what = match (status.phase, status.active_run) {
        // It says Failed until its operator has seen it: the run that is asked for does not count yet.
        (Some(Phase::Failed), None) => {
            spec["rerun"] = json!({"id": format!("resume-{:.0}", Timestamp::now()), "select": "Unfinished"});
            "another run begins, of the unfinished batches"
        }
        (Some(Phase::Complete), None) if !suspended => {
            printer.note(format!("{name} is complete: nothing is left to do"));
            return Ok(());
        }
        // The operator suspends a run too, for want of money or time: any edit of the spec lets that go on.
        (Some(Phase::Suspended), Some(_)) if !suspended => {
            let said = found.data["spec"].get("suspend").is_some();
            spec["suspend"] = if said { json!(null) } else { json!(false) };
            "goes on"
        }
        _ if suspended => "goes on",
        _ => {
            printer.note(format!("{name} goes on already"));
            return Ok(());
        }
    };
    place.change(name, &json!({"spec": spec})).await?;
    printer.note(format!("{name}: {what}"));
    printer.hint(format!("{} shows how far it is", place.typed(&format!("watch {name}"))));
    Ok(())
}
