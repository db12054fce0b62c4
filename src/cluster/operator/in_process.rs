//! Batches in the operator's own process: the one Secret that they need, the way to the service, the home of their
//! answers.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use secrecy::SecretString;

use super::{
    attend::{Not, Trouble},
    context::Context,
    prepare::Key,
};
use crate::{
    api::{credential::CredentialType, run::Retain},
    backend::Way,
    cluster::{object::JobObject, outputs::ConfigMapOutputs},
    job::{identity::RunId, model::Job},
    launch::task::{TaskLauncher, TaskPlace},
};

/// The type of the Secrets that the operator reads for batches. A type cannot be changed, so no Secret that was made for
/// something else can be named.
pub(super) const SECRET_TYPE: &str = "mozart.dev/credential";
/// Where the key is sent if the credential does not say it.
const SERVICE: &str = "https://api.anthropic.com";

/// How the service is asked with the key of a credential.
pub(super) async fn way(context: &Context, job: &JobObject, key: &Key) -> Result<Result<Way, Not>, Trouble> {
    let (name, secret) = (key.shared.name(), &key.pod.secret);
    let from = format!("the MozartCredential {name}");
    if key.pod.kind != CredentialType::ApiKey {
        let message = format!(
            "{from} is no key of the API, and the Messages API takes no other: name one of type APIKey, or run the \
             batches as Pods of claude_cli"
        );
        return Ok(Err(Not::Missing { message }));
    }
    let url = key.pod.base_url.as_deref().unwrap_or(SERVICE).parse();
    let client = url
        .map_err(|error: url::ParseError| error.to_string())
        .and_then(|url| context.settings.outgoing.to(&url).map_err(|error| error.to_string()));
    let client = match client {
        Ok(client) => client,
        Err(why) => {
            return Ok(Err(Not::Forbidden { message: format!("the baseURL of {from} is not asked: {why}") }));
        }
    };
    let api: Api<Secret> = Api::namespaced(context.client.clone(), &job.namespace);
    let found = match api.get_opt(&secret.name).await {
        Err(kube::Error::Api(answer)) if answer.is_forbidden() => {
            let message = format!(
                "the operator may not read the Secret {} of {from}: `mozart grant -n {} {}` prints the right that it \
                 needs",
                secret.name, job.namespace, secret.name
            );
            return Ok(Err(Not::Forbidden { message }));
        }
        found => found?,
    };
    let Some(found) = found else {
        let message = format!("there is no Secret {}, which {from} names", secret.name);
        return Ok(Err(Not::Missing { message }));
    };
    if found.type_.as_deref() != Some(SECRET_TYPE) {
        let message = format!(
            "the Secret {} of {from} is of the type {}, and the operator reads none but of the type {SECRET_TYPE}: make \
             it anew with that type",
            secret.name,
            found.type_.as_deref().unwrap_or("Opaque")
        );
        return Ok(Err(Not::Forbidden { message }));
    }
    let value = found.data.as_ref().and_then(|data| data.get(&secret.key));
    let value = value.and_then(|value| std::str::from_utf8(&value.0).ok()).map(str::trim);
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        let message = format!("the Secret {} of {from} has no text under {}", secret.name, secret.key);
        return Ok(Err(Not::Missing { message }));
    };
    Ok(Ok(Way::Given { key: SecretString::from(value), from, client }))
}

/// The launcher of a run whose batches are tasks of this process.
pub(super) fn launcher(
    context: &Context,
    job: &JobObject,
    loaded: &Arc<Job>,
    run: &RunId,
    way: Way,
) -> TaskLauncher<ConfigMapOutputs> {
    let stays = job.spec.output.as_ref().and_then(|output| output.retain) == Some(Retain::Forever);
    let owner = (!stays).then(|| job.owner());
    let client = context.client.clone();
    let outputs = ConfigMapOutputs::open(client, &job.namespace, &job.name, run, owner);
    TaskLauncher::new(TaskPlace { job: Arc::clone(loaded), run: run.clone(), way, outputs })
}
