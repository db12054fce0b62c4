//! The jobs of a cluster, as the commands read and change them: with the user's own rights.

use anyhow::Context as _;
use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::Value;

use super::KubernetesArguments;
use crate::{
    api::status::{Condition, MozartJobStatus, Phase, Truth},
    cli::{error::Advised, terminal::Tone},
    cluster::store::resource,
};

/// Who changes what a command changes, as the API server remembers it.
pub const MANAGER: &str = "kubectl-mozart";

/// A namespace of a cluster.
pub struct Cluster {
    /// The way there.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
    /// What was typed to name it.
    pub said: KubernetesArguments,
}

impl Cluster {
    /// The jobs of the namespace.
    pub fn jobs(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource())
    }

    /// A job.
    ///
    /// # Errors
    /// There is none of that name, or it may not be read.
    pub async fn job(&self, name: &str) -> anyhow::Result<DynamicObject> {
        let found = self.jobs().get_opt(name).await;
        let found = found.with_context(|| format!("the job {name} cannot be read"))?;
        Ok(found.ok_or_else(|| self.missing(name))?)
    }

    /// Changes a job by a merge patch.
    ///
    /// # Errors
    /// There is none of that name, or it may not be changed so.
    pub async fn change(&self, name: &str, patch: &Value) -> anyhow::Result<DynamicObject> {
        let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        match self.jobs().patch(name, &parameters, &Patch::Merge(patch)).await {
            Ok(changed) => Ok(changed),
            Err(kube::Error::Api(answer)) if answer.is_not_found() => Err(self.missing(name).into()),
            Err(error) => Err(error).with_context(|| format!("the job {name} cannot be changed")),
        }
    }

    /// What is said of a job that is not there.
    pub fn missing(&self, name: &str) -> Advised {
        let hint = format!("{} shows those that there are", self.said.typed("list"));
        Advised::new(format!("there is no job {name} in the namespace {}", self.namespace), hint)
    }

    /// What is typed to do something else there.
    pub fn typed(&self, words: &str) -> String {
        self.said.typed(words)
    }
}

/// The cluster, and the name of the job, which a cluster wants to be told: there is no last one there.
///
/// # Errors
/// None was typed, or as [`KubernetesArguments::cluster`].
pub async fn named<'a>(
    job: Option<&'a str>,
    cluster: &KubernetesArguments,
) -> anyhow::Result<(Cluster, &'a str)> {
    let name = job.ok_or_else(|| {
        Advised::new("no job is named", format!("{} shows those that there are", cluster.typed("list")))
    })?;
    Ok((cluster.cluster().await?, name))
}

/// The status of a job, as far as this Mozart can read it.
pub fn status(job: &DynamicObject) -> MozartJobStatus {
    let status = job.data.get("status").cloned();
    status.and_then(|status| serde_json::from_value(status).ok()).unwrap_or_default()
}

/// A condition that is so or not so.
pub fn condition<'a>(status: &'a MozartJobStatus, kind: &str, is: Truth) -> Option<&'a Condition> {
    status.conditions.iter().find(|one| one.kind == kind && one.status == is)
}

/// The word for a phase, and what it means.
pub fn phase(phase: Option<Phase>) -> (&'static str, Tone) {
    match phase {
        None => ("not seen by an operator", Tone::Warning),
        Some(Phase::Pending) => ("Pending", Tone::Plain),
        Some(Phase::Running) => ("Running", Tone::Name),
        Some(Phase::Waiting) => ("Waiting", Tone::Warning),
        Some(Phase::Suspended) => ("Suspended", Tone::Warning),
        Some(Phase::Stopping) => ("Stopping", Tone::Warning),
        Some(Phase::Complete) => ("Complete", Tone::Good),
        Some(Phase::Failed) => ("Failed", Tone::Bad),
    }
}

/// The object without what only the API server needs.
pub fn pruned(mut job: DynamicObject) -> DynamicObject {
    job.metadata.managed_fields = None;
    job
}
