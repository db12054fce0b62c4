//! A job's new text, from a browser: what `kubectl apply` would be told, of one job and by who typed it.

use std::path::Path;

use jiff::Timestamp;
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::act::{MANAGER, no, refused};
use crate::{
    cluster::{object::JobObject, verb},
    dashboard::{
        actions::{ActionError, Edited},
        edit::with_line_ends_of,
    },
    job::{items::hash_of, load::manifest_json_of, yaml_text},
};

/// What a job says, as it is shown and edited.
pub(super) fn written(job: &JobObject) -> String {
    yaml_text::write(&job.manifest(), &|_| None)
}

/// Has the job say what was typed, and run anew where it has run before.
pub(super) async fn edit(
    jobs: &Api<DynamicObject>,
    found: DynamicObject,
    edited: &Edited,
) -> Result<String, ActionError> {
    let version = found.metadata.resource_version.clone();
    let job = JobObject::read(found).map_err(|error| no(format!("The job cannot be edited: {error}.")))?;
    let before = written(&job);
    if hash_of(&before) != edited.seen {
        return Err(no("The job was changed by somebody else meanwhile: edit it again."));
    }
    if let Some(run) = job.status.active_run {
        return Err(no(format!(
            "Run {run} is active and keeps to its plan: stop it first, or let it finish."
        )));
    }
    let text = with_line_ends_of(&before, edited.text.clone());
    let spec = spec_of(&text, &job)?;
    let status = verb::status(&job.object);
    let spec = if status.last_run.is_some() { with_rerun(spec, job.written()) } else { spec };
    // Of the object that was looked at, as it was.
    let patch = json!([
        {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
        {"op": "replace", "path": "/spec", "value": spec},
    ]);
    let patch = serde_json::from_value(patch).map_err(|error| no(error.to_string()))?;
    let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let parameters = parameters.validation_strict();
    jobs.patch(&job.name, &parameters, &Patch::Json::<()>(patch)).await.map_err(refused)?;
    Ok(format!("{} says what was typed, and another run begins.", job.name))
}

/// The spec of a text that is of the same job.
fn spec_of(text: &str, job: &JobObject) -> Result<Value, ActionError> {
    let read = manifest_json_of(text, Path::new(&format!("{}.yaml", job.name)));
    let (mut manifest, _) = read.map_err(|problems| no(problems.to_string().trim().to_owned()))?;
    for (what, is) in [("name", &job.name), ("namespace", &job.namespace)] {
        if manifest["metadata"][what].as_str().is_some_and(|said| said != is) {
            return Err(no(format!("metadata.{what} stays {is}: another one is another job.")));
        }
    }
    Ok(manifest["spec"].take())
}

/// With a run of every batch, unless the text asks for one itself.
fn with_rerun(mut spec: Value, before: &Value) -> Value {
    if spec.get("rerun") == before.get("rerun") {
        spec["rerun"] = json!({"id": format!("edit-{:.0}", Timestamp::now()), "select": "All"});
    }
    spec
}
