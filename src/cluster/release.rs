//! What is left to do where no operator is: its Pods hold their namespaces until somebody lets them go.

use std::time::Duration;

use k8s_openapi::{
    api::{apps::v1::Deployment, core::v1::Pod},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
    core::Selector,
};
use serde_json::json;

use super::operator::Scope;
use crate::launch::pod::names::{FINALIZER, JOB_UID};

/// How many Pods are listed at a time.
const PAGE: u32 = 500;
/// The operator's Pods are looked at this often while they end.
const PAUSE: Duration = Duration::from_millis(500);

/// Why Pods could not be let go.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The Pods of a namespace cannot be listed; of all of them without one.
    #[error("the Pods of {} cannot be listed", .namespace.as_deref().unwrap_or("all namespaces"))]
    List {
        /// Whose.
        namespace: Option<String>,
        /// What the API server said.
        source: Box<kube::Error>,
    },
    /// One of them cannot be changed.
    #[error("the Pod {namespace}/{name} cannot be let go")]
    Pod {
        /// Where it is.
        namespace: String,
        /// Its name.
        name: String,
        /// What the API server said.
        source: Box<kube::Error>,
    },
    /// The operator cannot be ended.
    #[error("the Deployment {name} cannot be stopped")]
    Stop {
        /// Its name.
        name: String,
        /// What the API server said.
        source: Box<kube::Error>,
    },
    /// Its selector is one that Kubernetes does not take either.
    #[error("the Deployment {name} does not say which Pods are its own")]
    Selector {
        /// Its name.
        name: String,
    },
}

/// Takes Mozart's finalizer off every Pod in `scope`, and says how many there were. Nothing else is done to them: a Pod
/// that runs goes on, and an operator that is installed later still reads the result of one that has ended.
///
/// # Errors
/// At the first that is refused; it may be called again.
pub async fn release(client: &Client, scope: &Scope) -> Result<usize, ReleaseError> {
    let namespaces: Vec<Option<&str>> = match scope {
        Scope::Cluster => vec![None],
        Scope::Namespaces(namespaces) => namespaces.iter().map(|one| Some(one.as_str())).collect(),
    };
    let mut released = 0;
    for namespace in namespaces {
        for pod in held(client, namespace).await? {
            released += usize::from(let_go(client, &pod).await?);
        }
    }
    Ok(released)
}

/// The Pods of attempts that have the finalizer.
async fn held(client: &Client, namespace: Option<&str>) -> Result<Vec<Pod>, ReleaseError> {
    let api: Api<Pod> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let mut held = Vec::new();
    let mut page = ListParams::default().labels(JOB_UID).limit(PAGE);
    loop {
        let list = api.list(&page).await.map_err(|source| ReleaseError::List {
            namespace: namespace.map(ToOwned::to_owned),
            source: Box::new(source),
        })?;
        let next = list.metadata.continue_.clone().filter(|token| !token.is_empty());
        held.extend(list.items.into_iter().filter(|pod| pod.finalizers().iter().any(|one| one == FINALIZER)));
        match next {
            Some(token) => page.continue_token = Some(token),
            None => return Ok(held),
        }
    }
}

/// `false` if it has gone by itself.
async fn let_go(client: &Client, pod: &Pod) -> Result<bool, ReleaseError> {
    let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
    let api: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    // One word out of the list, so that nobody else's is lost; of this very Pod.
    let patch = json!({"metadata": {"uid": pod.uid(), "$deleteFromPrimitiveList/finalizers": [FINALIZER]}});
    match api.patch_metadata(&name, &PatchParams::default(), &Patch::Strategic(patch)).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(false),
        Err(source) => Err(ReleaseError::Pod { namespace, name, source: Box::new(source) }),
    }
}

/// Scales a Deployment to nothing and waits until its Pods are gone: an operator that runs would take up the next Pod.
/// One that is not there has stopped.
///
/// # Errors
/// When the API server refuses it.
pub async fn stop(client: &Client, namespace: &str, name: &str) -> Result<(), ReleaseError> {
    let refused = |source| ReleaseError::Stop { name: name.to_owned(), source: Box::new(source) };
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let Some(deployment) = deployments.get_opt(name).await.map_err(refused)? else { return Ok(()) };
    let own =
        selector(deployment.spec.selector).ok_or_else(|| ReleaseError::Selector { name: name.to_owned() })?;
    let none = Patch::Merge(json!({"spec": {"replicas": 0}}));
    deployments.patch_scale(name, &PatchParams::default(), &none).await.map_err(refused)?;
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let own = ListParams::default().labels_from(&own);
    while !pods.list(&own).await.map_err(refused)?.items.is_empty() {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// `None` for one that selects everything.
fn selector(selector: LabelSelector) -> Option<Selector> {
    let selector = Selector::try_from(selector).ok()?;
    (!selector.selects_all()).then_some(selector)
}
