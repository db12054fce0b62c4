//! The jobs of a cluster, as the commands read and change them: with the user's own rights.

use anyhow::Context as _;
use jiff::Timestamp;
use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::KubernetesArguments;
pub use crate::cluster::verb::status;
use crate::{
    api::status::{Condition, MozartJobStatus, Phase, Truth},
    cli::{error::Advised, printer::Printer, terminal::Tone},
    cluster::{
        store::resource,
        verb::{Answer, Verb, word},
    },
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

    /// Does a verb to a job, and says what follows. Returns the job as it was, if there was anything to be done.
    ///
    /// # Errors
    /// As [`Self::change`], or it cannot be done as the job stands.
    pub async fn ask(
        &self,
        name: &str,
        verb: Verb<'_>,
        printer: &Printer,
    ) -> anyhow::Result<Option<DynamicObject>> {
        let found = self.job(name).await?;
        match verb.of(name, &found, Timestamp::now()) {
            Answer::Change { spec, what } => {
                self.change(name, &json!({"spec": spec})).await?;
                printer.note(what);
                Ok(Some(found))
            }
            Answer::Nothing(why) => {
                printer.note(why);
                Ok(None)
            }
            Answer::Active(run) => {
                let (stop, wait) = (self.typed(&format!("stop {name}")), self.typed(&format!("wait {name}")));
                let what = format!("run {run} of {name} is active: there is one at a time");
                Err(Advised::new(what, format!("{stop} ends it, {wait} waits")).into())
            }
            Answer::NeverRan => {
                let hint = format!("{} shows how it stands", self.typed(&format!("get {name}")));
                Err(Advised::new(format!("{name} has had no run yet"), hint).into())
            }
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

/// A condition that is so or not so.
pub fn condition<'a>(status: &'a MozartJobStatus, kind: &str, is: Truth) -> Option<&'a Condition> {
    status.conditions.iter().find(|one| one.kind == kind && one.status == is)
}

/// The word for a phase, and what it means.
pub fn phase(phase: Option<Phase>) -> (&'static str, Tone) {
    let tone = match phase {
        None | Some(Phase::Waiting | Phase::Suspended | Phase::Stopping) => Tone::Warning,
        Some(Phase::Pending) => Tone::Plain,
        Some(Phase::Running) => Tone::Name,
        Some(Phase::Complete) => Tone::Good,
        Some(Phase::Failed) => Tone::Bad,
    };
    (word(phase), tone)
}

/// The object without what only the API server needs.
pub fn pruned(mut job: DynamicObject) -> DynamicObject {
    job.metadata.managed_fields = None;
    job
}
