//! Whether the operator may read the Secrets that it needs for the jobs of a namespace: a right that its owner gives it.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::Deployment,
    authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DynamicObject, ListParams, PostParams},
};

use crate::{
    api::{
        MozartJobSpec, backend::BackendType, credential::MozartCredentialSpec, notification::ValueFrom,
        run::Execution,
    },
    backend::health::Health,
    cluster::{credential, object::JobObject, store},
};

/// The operator's account.
pub struct Account {
    namespace: String,
    name: String,
}

impl Account {
    /// The account of an operator's Deployment; that of an installation that says nothing else, where none is seen.
    pub fn of(operator: Option<&Deployment>) -> Self {
        let spec = operator.and_then(|one| one.spec.template.spec.as_ref());
        let name = spec.and_then(|spec| spec.service_account_name.clone());
        let namespace = operator.and_then(kube::ResourceExt::namespace);
        let usual = || "mozart".to_owned();
        Self { namespace: namespace.unwrap_or_else(usual), name: name.unwrap_or_else(usual) }
    }

    /// As the API server calls it.
    pub fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }
}

/// Looks at each Secret that a job of the namespace has the operator read.
pub async fn look(client: &Client, namespace: &str, operator: Option<&Deployment>) -> Vec<Health> {
    let account = Account::of(operator);
    let needed = match needed(client, namespace).await {
        Ok(needed) => needed,
        Err(error) => {
            return vec![Health::warn("grants", format!("not known: {error}"), "ask an administrator")];
        }
    };
    let mut checks = Vec::new();
    for (secret, job) in needed {
        let name = format!("Secret {secret}");
        checks.push(match may_read(client, namespace, &secret, &account).await {
            Ok(true) => Health::ok(name, "the operator may read it"),
            Ok(false) => {
                let advice = format!(
                    "mozart grant -n {namespace} {secret} --operator {} --operator-namespace {} | kubectl apply -f -",
                    account.name, account.namespace
                );
                let found = format!("the operator ({}) may not read it, and the job {job} needs it", account.user());
                Health::fail(name, found, advice)
            }
            Err(error) => Health::warn(name, format!("not known: {error}"), "ask an administrator"),
        });
    }
    checks
}

/// The Secrets, each with a job that needs it.
async fn needed(client: &Client, namespace: &str) -> kube::Result<BTreeMap<String, String>> {
    let all =
        |resource: ApiResource| Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &resource);
    let credentials = all(credential::resource()).list(&ListParams::default()).await?;
    let keys: BTreeMap<String, String> = credentials
        .items
        .into_iter()
        .filter_map(|one| {
            let spec: MozartCredentialSpec = serde_json::from_value(one.data["spec"].clone()).ok()?;
            Some((one.name_any(), spec.secret_ref.name))
        })
        .collect();
    let jobs = all(store::resource()).list(&ListParams::default()).await?;
    let jobs = jobs.items.into_iter().filter_map(|job| JobObject::read(job).ok());
    Ok(jobs
        .flat_map(|job| {
            let key = asks_in_process(&job.spec).and_then(|name| keys.get(name).cloned());
            let secrets: Vec<String> = key.into_iter().chain(told_by(&job.spec)).collect();
            secrets.into_iter().map(move |secret| (secret, job.name.clone()))
        })
        .collect())
}

/// The credential of a job whose batches run in the operator's own process.
fn asks_in_process(spec: &MozartJobSpec) -> Option<&str> {
    let backend = spec.backend.as_ref()?;
    let here = backend.kind == Some(BackendType::AnthropicApi) && spec.execution != Some(Execution::Pod);
    here.then(|| backend.credential.as_deref().unwrap_or("default"))
}

/// The Secrets of who is told.
fn told_by(spec: &MozartJobSpec) -> impl Iterator<Item = String> {
    let named = |from: &Option<ValueFrom>| Some(from.as_ref()?.secret_key_ref.as_ref()?.name.clone());
    let notifications = spec.notifications.iter().flatten();
    notifications.flat_map(move |one| named(&one.url_from).into_iter().chain(named(&one.secret_from)))
}

async fn may_read(client: &Client, namespace: &str, secret: &str, account: &Account) -> kube::Result<bool> {
    let attributes = ResourceAttributes {
        resource: Some("secrets".to_owned()),
        name: Some(secret.to_owned()),
        namespace: Some(namespace.to_owned()),
        verb: Some("get".to_owned()),
        ..ResourceAttributes::default()
    };
    may(client, account, attributes).await
}

/// Whether an operator may do it.
///
/// # Errors
/// The API server was not asked: few may ask about others.
pub async fn may(client: &Client, account: &Account, deed: ResourceAttributes) -> kube::Result<bool> {
    let spec = SubjectAccessReviewSpec {
        user: Some(account.user()),
        groups: Some(vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{}", account.namespace),
            "system:authenticated".to_owned(),
        ]),
        resource_attributes: Some(deed),
        ..SubjectAccessReviewSpec::default()
    };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let api: Api<SubjectAccessReview> = Api::all(client.clone());
    Ok(api.create(&PostParams::default(), &review).await?.status.is_some_and(|status| status.allowed))
}
