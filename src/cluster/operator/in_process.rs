//! Batches in the operator's own process: the one Secret that they need, and the way to the service.

use std::sync::Arc;

use super::{
    answers::{self, AnswerHome},
    attend::{Not, Trouble},
    context::Context,
    prepare::Key,
    secrets::{self, Purpose},
};
use crate::{
    api::credential::CredentialType,
    backend::Way,
    cluster::object::JobObject,
    job::{identity::RunId, model::Job},
    launch::task::{TaskLauncher, TaskPlace},
};

/// Where the key is sent if the credential does not say it.
const SERVICE: &str = "https://api.anthropic.com";

/// How the service is asked, if what it says can be kept.
pub(super) async fn ready(
    context: &Context,
    job: &JobObject,
    key: &Key,
) -> Result<Result<Way, Not>, Trouble> {
    if let Some(not) = answers::unavailable(context, job) {
        return Ok(Err(not));
    }
    way(context, job, key).await
}

/// How the service is asked with the key of a credential.
async fn way(context: &Context, job: &JobObject, key: &Key) -> Result<Result<Way, Not>, Trouble> {
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
    let named = (secret.name.as_str(), secret.key.as_str());
    let value = secrets::read(context, &job.namespace, named, Purpose::Credential, &from).await?;
    Ok(value.map(|key| Way::Given { key, from, client }))
}

/// The launcher of a run whose batches are tasks of this process.
pub(super) fn launcher(
    loaded: &Arc<Job>,
    run: &RunId,
    way: Way,
    outputs: AnswerHome,
) -> TaskLauncher<AnswerHome> {
    TaskLauncher::new(TaskPlace { job: Arc::clone(loaded), run: run.clone(), way, outputs })
}
