//! What a run needs before it begins: the job, validated whole, and everything that it names.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde_json::Value;

use super::{
    answers,
    attend::{Not, Trouble},
    begin::folder,
    context::Context,
    in_process, notices, readback, size,
};
use crate::{
    api::{backend::BackendType, credential::CredentialType, run::Execution},
    cluster::{credential::Credential as SharedCredential, object::JobObject},
    job::{
        load::{Loaded, Overrides, load_text},
        plan::{Plan, Settled, SettledKey},
        problem::{Problems, Severity},
    },
    launch::pod::{
        Credential, Volume,
        allow::refusals,
        workspace::{WorkspaceError, volume},
    },
    sources::ClusterSources,
};

/// A job that can be run, and what it takes.
pub(super) struct Ready {
    pub(super) loaded: Loaded,
    pub(super) plan: Plan,
    pub(super) volume: Option<Volume>,
}

/// Validates the whole job and looks for everything that it names.
pub(super) async fn prepare(context: &Arc<Context>, job: &JobObject) -> Result<Result<Ready, Not>, Trouble> {
    if let Some(not) = unfit(context, job) {
        return Ok(Err(not));
    }
    let sources = match sources(context, job).await? {
        Ok(sources) => sources,
        Err(not) => return Ok(Err(not)),
    };
    let manifest = job.manifest();
    let text = manifest.to_string();
    let load = move || load_text(&text, &folder().join("job"), &Overrides::default(), &sources);
    let loaded = match tokio::task::spawn_blocking(load).await.map_err(Trouble::Thread)? {
        Ok(loaded) => loaded,
        Err(problems) => {
            return Ok(Err(Not::Unfit { reason: "InvalidSpec", message: sentences(&problems) }));
        }
    };
    let worst = size::worst(job, loaded.job.batches.total(), loaded.job.parallelism.get());
    if worst > size::MOST {
        let message = format!(
            "the object could grow to {} KiB, and a cluster keeps {} KiB: lower batch.parallelism, or cut the job into several",
            worst / 1024,
            size::MOST / 1024
        );
        return Ok(Err(Not::Unfit { reason: "TooLarge", message }));
    }
    let credential = match credential(context, job).await? {
        Ok(credential) => credential,
        Err(not) => return Ok(Err(not)),
    };
    if job.runs_in_process()
        && let Some(key) = &credential
        && let Err(not) = in_process::ready(context, job, key).await?
    {
        return Ok(Err(not));
    }
    if let Some(not) = readback::refusal(context, job, &loaded.job) {
        return Ok(Err(not));
    }
    if let Some(not) = notices::refusal(context, &job.namespace, &loaded.job).await? {
        return Ok(Err(not));
    }
    let volume = match place(context, job).await? {
        Ok(volume) => volume,
        Err(not) => return Ok(Err(not)),
    };
    let settled = settled(credential.as_ref().map(|key| &key.pod));
    let plan = Plan::new(&manifest, &loaded.job, &settled);
    Ok(Ok(Ready { loaded, plan, volume }))
}

/// What can be said of a job without reading anything.
pub(super) fn unfit(context: &Context, job: &JobObject) -> Option<Not> {
    if job.runs_in_process()
        && let Some(not) = answers::homeless(context, job)
    {
        return Some(not);
    }
    let api = job.spec.backend.as_ref().and_then(|backend| backend.kind) == Some(BackendType::AnthropicApi);
    if api && !job.runs_in_process() {
        let message = "the answers of backend.type: anthropic_api would be lost with their Pods: write \
                       execution: InProcess"
            .to_owned();
        return Some(Not::Unfit { reason: "NoOutputStore", message });
    }
    let refused =
        job.spec.pod.as_ref().map(|pod| refusals(pod, &context.settings.allowed)).unwrap_or_default();
    (!refused.is_empty()).then(|| Not::Unfit { reason: "NotAllowed", message: refused.join("; ") })
}

/// The `ConfigMap`s that the job names.
async fn sources(context: &Context, job: &JobObject) -> Result<Result<ClusterSources, Not>, Trouble> {
    let api: Api<ConfigMap> = Api::namespaced(context.client.clone(), &job.namespace);
    let mut sources = ClusterSources::default();
    for key in ClusterSources::named(&job.spec) {
        let found = match api.get_opt(&key.name).await {
            Err(kube::Error::Api(answer)) if answer.is_forbidden() => None,
            found => found?,
        };
        let Some(mut found) = found else {
            let message = format!("there is no ConfigMap {} that may be read", key.name);
            return Ok(Err(Not::Missing { message }));
        };
        let Some(text) = found.data.as_mut().and_then(|data| data.remove(&key.key)) else {
            let message = format!("the ConfigMap {} has no key {}", key.name, key.key);
            return Ok(Err(Not::Missing { message }));
        };
        sources.put(key, text);
    }
    Ok(Ok(sources))
}

/// The job's credential, as the API server has it now; `None` for backends without one.
pub(super) async fn credential(
    context: &Context,
    job: &JobObject,
) -> Result<Result<Option<Key>, Not>, Trouble> {
    let Some(name) = job.credential() else { return Ok(Ok(None)) };
    let Some(found) = context.credentials.read(&job.namespace, name).await? else {
        let message = format!("there is no MozartCredential {name}");
        return Ok(Err(Not::Missing { message }));
    };
    let spec = match found.spec() {
        Ok(spec) => spec,
        Err(why) => {
            let message = format!("the MozartCredential {name} cannot be used: {why}");
            return Ok(Err(Not::Missing { message }));
        }
    };
    let execution = if job.runs_in_process() { Execution::InProcess } else { Execution::Pod };
    if spec.executions.as_ref().is_some_and(|executions| !executions.contains(&execution)) {
        let message = format!("the executions of the MozartCredential {name} do not say {execution:?}");
        return Ok(Err(Not::Missing { message }));
    }
    let name = name.to_owned();
    let pod = Credential { name, kind: spec.kind, secret: spec.secret_ref, base_url: spec.base_url };
    Ok(Ok(Some(Key { shared: found, pod })))
}

/// A job's credential.
pub(super) struct Key {
    /// It, as all its jobs share it.
    pub(super) shared: Arc<SharedCredential>,
    /// What Pods are told of it. Only the key's name: the kubelet gives it to them.
    pub(super) pod: Credential,
}

/// Where the job's batches work; `None` in the operator's own process, where they have no files.
pub(super) async fn place(
    context: &Context,
    job: &JobObject,
) -> Result<Result<Option<Volume>, Not>, Trouble> {
    if job.runs_in_process() {
        return Ok(Ok(None));
    }
    let found =
        volume(&context.client, &job.namespace, &job.owner(), &job.name, job.spec.workspace.as_ref()).await;
    let not = match found {
        Ok(volume) => return Ok(Ok(Some(volume))),
        Err(WorkspaceError::Api { source, .. }) => return Err(Trouble::Api(source)),
        Err(error @ (WorkspaceError::Missing { .. } | WorkspaceError::Taken { .. })) => {
            Not::Missing { message: error.to_string() }
        }
        Err(error @ (WorkspaceError::None | WorkspaceError::Invalid(_))) => {
            Not::Unfit { reason: "InvalidSpec", message: error.to_string() }
        }
    };
    Ok(Err(not))
}

/// What the credential settles of the plan.
fn settled(credential: Option<&Credential>) -> Settled {
    let key = credential.map(|credential| match credential.kind {
        CredentialType::ApiKey => SettledKey::Api(credential.variable().to_owned()),
        CredentialType::OAuthToken => SettledKey::Subscription,
    });
    Settled { key, base_url: credential.and_then(|credential| credential.base_url.clone()) }
}

/// What is wrong, for a condition: no places, since people see their own file and not the object's JSON.
pub(super) fn sentences(problems: &Problems) -> String {
    let wrong = problems.iter().filter(|problem| problem.severity == Severity::Error);
    let sentences: Vec<String> = wrong
        .map(|problem| match &problem.help {
            Some(help) => format!("{}: {help}", problem.message),
            None => problem.message.clone(),
        })
        .collect();
    sentences.join("; ")
}

/// The spec as it is written, for a plan's live part.
pub(super) fn live(job: &JobObject) -> &Value {
    job.written()
}
