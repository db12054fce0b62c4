//! Waits for the end of a job.

use kube::{
    Api, Client,
    api::DynamicObject,
    runtime::wait::{self, await_condition},
};
use serde_json::Value;

use super::store::resource;

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every batch succeeded.
    Complete,
    /// It failed, or was stopped.
    Failed,
}

/// Why it is not known how a job ended.
#[derive(Debug, thiserror::Error)]
pub enum AwaitError {
    /// It was deleted, or never was.
    #[error("there is no job {name} in the namespace {namespace}")]
    Missing {
        /// Where it was looked for.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The API server does not tell.
    #[error("the job {name} cannot be watched")]
    Watch {
        /// Its name.
        name: String,
        /// What it said.
        source: Box<wait::Error>,
    },
}

/// Resolves when the job's last run has ended, as its spec now stands: at once if it has, never while it is suspended.
///
/// # Errors
/// When it is not there, or cannot be watched.
pub async fn ended(client: &Client, namespace: &str, name: &str) -> Result<End, AwaitError> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource());
    let over = |job: Option<&DynamicObject>| job.is_none_or(|job| end(job).is_some());
    let job = await_condition(api, name, over)
        .await
        .map_err(|source| AwaitError::Watch { name: name.to_owned(), source: Box::new(source) })?;
    job.as_ref()
        .and_then(end)
        .ok_or_else(|| AwaitError::Missing { namespace: namespace.to_owned(), name: name.to_owned() })
}

/// How it ended; `None` while it runs. What was said of an earlier spec says nothing of this one.
pub fn end(job: &DynamicObject) -> Option<End> {
    let conditions = job.data["status"]["conditions"].as_array()?;
    let holds = |kind: &str| {
        let holding = |one: &&Value| one["type"] == kind && one["status"] == "True";
        let found = conditions.iter().find(holding)?;
        let seen = found["observedGeneration"].as_i64().unwrap_or_default();
        (seen >= job.metadata.generation.unwrap_or_default()).then_some(())
    };
    holds("Complete").map(|()| End::Complete).or_else(|| holds("Failed").map(|()| End::Failed))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_has_ended_when_a_condition_says_so_of_this_spec() {
        let of = |conditions: Value| {
            let job = json!({
                "apiVersion": "mozart.dev/v1alpha1", "kind": "MozartJob", "metadata": {"name": "a", "generation": 2},
                "status": {"conditions": conditions},
            });
            end(&serde_json::from_value(job).unwrap())
        };
        let condition = |kind: &str, status: &str, generation: i64| json!({"type": kind, "status": status, "observedGeneration": generation});
        for (conditions, wanted) in [
            (json!([]), None),
            (json!([condition("Progressing", "True", 2)]), None),
            (json!([condition("Complete", "False", 2), condition("Failed", "False", 2)]), None),
            (json!([condition("Complete", "True", 1)]), None),
            (json!([condition("Complete", "True", 2)]), Some(End::Complete)),
            (json!([condition("Complete", "False", 2), condition("Failed", "True", 2)]), Some(End::Failed)),
        ] {
            assert_eq!(of(conditions.clone()), wanted, "{conditions}");
        }
    }
}
