//! What a visitor changes: by his own token, so that the API server judges and remembers him, and not the operator.

use jiff::Timestamp;
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions},
};
use serde_json::{Value, json};

use super::{ClusterView, Name, edit::edit};
use crate::{
    cluster::{
        store::resource,
        verb::{Answer, Verb},
        visitors::Deed,
    },
    dashboard::{
        actions::{Action, ActionError, Actions, RUNS_GO_BY_THE_SPEC},
        view::{JobEntry, Rights},
    },
};

/// Who changes it, as the API server remembers it beside the person.
pub(super) const MANAGER: &str = "mozart-dashboard";

pub(super) fn no(message: impl Into<String>) -> ActionError {
    ActionError { message: message.into() }
}

/// What the API server said, for people.
pub(super) fn refused(error: kube::Error) -> ActionError {
    match error {
        kube::Error::Api(status) => no(status.message.clone()),
        error => no(format!("The API server could not be asked: {error}")),
    }
}

impl ClusterView {
    /// What he may do to a job.
    pub(super) async fn rights(&self, (namespace, name): &Name) -> Rights {
        let Some(visitor) = self.visitor() else {
            let why = Some("This dashboard asks nobody who he is, so it only reads.".to_owned());
            return Rights { change: why.clone(), delete: why };
        };
        let why_not = async |verb| {
            let deed = Deed::with(verb, namespace, name);
            match self.may(&deed).await {
                Ok(true) => None,
                Ok(false) => Some(format!("{} may not {deed}: ask for the role edit.", visitor.name)),
                Err(error) => Some(format!("{error}: {}.", error.source)),
            }
        };
        Rights { change: why_not("patch").await, delete: why_not("delete").await }
    }

    async fn change(
        &self,
        jobs: &Api<DynamicObject>,
        name: &str,
        found: &DynamicObject,
        spec: &Value,
    ) -> Result<(), ActionError> {
        // Of the object that was looked at: one made anew under the name is another.
        let patch = json!({"metadata": {"uid": found.metadata.uid}, "spec": spec});
        let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        jobs.patch(name, &parameters, &Patch::Merge(patch)).await.map(drop).map_err(refused)
    }
}

impl Actions for ClusterView {
    async fn act(&self, job: &JobEntry, action: &Action, _spend: bool) -> Result<String, ActionError> {
        let visitor = self.visitor().ok_or_else(|| no("This dashboard only reads."))?;
        let client = (self.cluster.users)(visitor.token())
            .map_err(|error| no(format!("The API server cannot be asked: {error}")))?;
        let jobs: Api<DynamicObject> = Api::namespaced_with(client, &job.origin, &resource());
        let found = jobs.get_opt(&job.name).await.map_err(refused)?;
        let uid = job.uid.to_string();
        let found = found.filter(|found| found.metadata.uid.as_deref() == Some(&uid));
        let found = found.ok_or_else(|| no(format!("The job {} is no longer there.", job.name)))?;
        let verb = match action {
            Action::Suspend => Verb::Suspend { now: false },
            Action::Resume => Verb::Resume,
            Action::Stop => Verb::Stop { now: false },
            Action::StopNow => Verb::Stop { now: true },
            Action::RetryFailed => Verb::Retry(None),
            Action::RetryBatches(batches) => Verb::Retry(Some(batches)),
            Action::Again => Verb::Again,
            Action::Delete => return delete(&jobs, job).await,
            Action::Edit(edited) => return edit(&jobs, found, edited).await,
            Action::DeleteRun(_) => return Err(no(RUNS_GO_BY_THE_SPEC)),
        };
        match verb.of(&job.name, &found, Timestamp::now()) {
            Answer::Change { spec, what } => {
                self.change(&jobs, &job.name, &found, &spec).await?;
                Ok(format!("{what}."))
            }
            Answer::Nothing(why) => Err(no(format!("{why}."))),
            Answer::Active(run) => {
                Err(no(format!("Run {run} of {} is active: there is one at a time.", job.name)))
            }
            Answer::NeverRan => Err(no(format!("{} has had no run yet.", job.name))),
        }
    }
}

/// Deletes the job, and no other of its name; what its operator keeps of it goes by what it says.
async fn delete(jobs: &Api<DynamicObject>, job: &JobEntry) -> Result<String, ActionError> {
    let only = Preconditions { uid: Some(job.uid.to_string()), resource_version: None };
    let parameters = DeleteParams { preconditions: Some(only), ..DeleteParams::background() };
    jobs.delete(&job.name, &parameters).await.map_err(refused)?;
    Ok(format!("{} is deleted.", job.name))
}
