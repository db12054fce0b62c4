//! Whether a cluster has what jobs need, as far as the user may see it.

use std::time::Duration;

use anyhow::Context as _;
use jiff::{Timestamp, fmt::rfc2822};
use k8s_openapi::{
    api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DynamicObject, ListParams, PostParams},
};
use serde_json::Value;

use super::{dashboard, grants, operators::Operators};
use crate::{
    api::status::Truth,
    backend::health::Health,
    cli::kubernetes::KubernetesArguments,
    cluster::{crd, credential},
};

/// Below it nothing was tried, and rules of admission are missing.
const OLDEST: u32 = 30;
/// From here on jobs can be selected by their phase.
const SELECTS: u32 = 32;
/// Clocks that are further apart than this make limits end at the wrong time.
const APART: Duration = Duration::from_mins(1);

/// Looks at everything; nothing is changed.
pub async fn look(cluster: &KubernetesArguments) -> anyhow::Result<Vec<Health>> {
    let (client, namespace) = cluster.connect().await?;
    let (config, _) = cluster.config().await?;
    let mut checks = match server(&client).await {
        Ok(checks) => checks,
        Err(error) => {
            let found = crate::cli::error::Report::of(&error).one_line();
            return Ok(vec![Health::fail(
                "API server",
                found,
                "look at the kubeconfig: kubectl cluster-info",
            )]);
        }
    };
    checks.push(definitions(&client).await);
    checks.push(rights(&client, &namespace).await);
    let operators = Operators::look(&client, &namespace).await;
    checks.push(operators.health(&namespace));
    checks.extend(dashboard::look(&config, &client, &namespace, operators.one()).await);
    checks.extend(credentials(&client, &namespace).await);
    checks.extend(grants::look(&client, &namespace, operators.one()).await);
    Ok(checks)
}

/// The API server's version, and its clock.
async fn server(client: &Client) -> anyhow::Result<Vec<Health>> {
    let request = http::Request::get("/version").body(kube::client::Body::empty())?;
    let answer = client.send(request).await.context("the API server does not answer")?;
    let date =
        answer.headers().get(http::header::DATE).and_then(|date| date.to_str().ok().map(ToOwned::to_owned));
    let version: Value = serde_json::from_slice(&answer.into_body().collect_bytes().await?)
        .context("what answers is no API server")?;
    let shown = version["gitVersion"].as_str().unwrap_or_default().to_owned();
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    let minor: u32 = version["minor"].as_str().and_then(digits).unwrap_or(0);
    let mut checks = vec![match minor {
        ..OLDEST => Health::fail("API server", shown, "Mozart needs Kubernetes 1.30 or newer"),
        OLDEST..SELECTS => Health::warn("API server", shown, "list --failed needs Kubernetes 1.32"),
        SELECTS.. => Health::ok("API server", shown),
    }];
    if let Some(there) = date.and_then(|date| rfc2822::parse(&date).ok()) {
        let apart = Timestamp::now().duration_since(there.timestamp()).unsigned_abs();
        checks.push(if apart > APART {
            let found = format!("{} s from the API server's", apart.as_secs());
            Health::warn("clock", found, "set it: times are shown by it")
        } else {
            Health::ok("clock", "that of the API server")
        });
    }
    Ok(checks)
}

/// Whether the resources are there, and of this program's version.
async fn definitions(client: &Client) -> Health {
    let name = "definitions";
    let install =
        "an administrator installs them: helm upgrade --install, or mozart crd | kubectl apply -f -";
    let found = match client.list_api_group_resources("mozart.dev/v1alpha1").await {
        Ok(found) => found,
        Err(kube::Error::Api(answer)) if answer.is_not_found() => {
            return Health::fail(name, "the cluster knows no MozartJob", install);
        }
        Err(error) => return Health::warn(name, format!("not known: {error}"), install),
    };
    let kinds: Vec<&str> = found.resources.iter().map(|one| one.kind.as_str()).collect();
    if !kinds.contains(&"MozartJob") || !kinds.contains(&"MozartCredential") {
        return Health::fail(name, "one of them is missing", install);
    }
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in crd::definitions() {
        let wanted = &definition.object["spec"]["versions"][0]["schema"];
        let stored = api.get(definition.object["metadata"]["name"].as_str().unwrap_or_default()).await;
        let Ok(stored) = stored else { return Health::ok(name, "there") };
        let stored = serde_json::to_value(&stored.spec.versions[0].schema).unwrap_or_default();
        if fields(&stored) != fields(wanted) {
            let found = format!("{}: of another version than this program", stored_name(definition.file));
            return Health::warn(
                name,
                found,
                "use the program of the version that is installed, or upgrade the other",
            );
        }
    }
    Health::ok(name, format!("those of {}", env!("CARGO_PKG_VERSION")))
}

fn stored_name(file: &str) -> &str {
    file.trim_end_matches(".yaml")
}

/// The paths of a schema's fields: what it says of each may be written differently.
fn fields(schema: &Value) -> std::collections::BTreeSet<String> {
    fn walk(prefix: &str, schema: &Value, found: &mut std::collections::BTreeSet<String>) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{prefix}.{name}");
            walk(&path, field, found);
            walk(&path, &field["items"], found);
            found.insert(path);
        }
    }
    let mut found = std::collections::BTreeSet::new();
    walk("", &schema["openAPIV3Schema"], &mut found);
    found
}

/// Whether the user may do it.
pub async fn may_i(client: &Client, deed: ResourceAttributes) -> kube::Result<bool> {
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(deed), ..Default::default() };
    let review = SelfSubjectAccessReview { spec, ..Default::default() };
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let review = api.create(&PostParams::default(), &review).await?;
    Ok(review.status.is_some_and(|status| status.allowed))
}

/// What the user may do with jobs.
async fn rights(client: &Client, namespace: &str) -> Health {
    let mut not = Vec::new();
    for verb in ["get", "list", "watch", "create", "patch", "delete"] {
        let attributes = ResourceAttributes {
            group: Some("mozart.dev".to_owned()),
            resource: Some("mozartjobs".to_owned()),
            namespace: Some(namespace.to_owned()),
            verb: Some(verb.to_owned()),
            ..ResourceAttributes::default()
        };
        match may_i(client, attributes).await {
            Ok(true) => {}
            Ok(false) => not.push(verb),
            Err(error) => {
                return Health::warn("rights", format!("not known: {error}"), "ask an administrator");
            }
        }
    }
    match not.as_slice() {
        [] => Health::ok("rights", format!("everything with jobs in {namespace}")),
        all if all.len() == 6 => {
            let advice = format!("ask for the ClusterRole edit in {namespace}, which has them");
            Health::fail("rights", format!("you may do nothing with jobs in {namespace}"), advice)
        }
        some => {
            let found = format!("you may not {} jobs in {namespace}", some.join(", "));
            Health::warn("rights", found, "ask for the ClusterRole edit there, which has them")
        }
    }
}

/// The credentials of the namespace, and whether they can be used.
async fn credentials(client: &Client, namespace: &str) -> Vec<Health> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &credential::resource());
    let found = match api.list(&ListParams::default()).await {
        Ok(found) => found.items,
        Err(kube::Error::Api(answer)) if answer.is_not_found() => return Vec::new(),
        Err(error) => {
            return vec![Health::warn("credentials", format!("not known: {error}"), "ask an administrator")];
        }
    };
    if found.is_empty() {
        let advice = "jobs of Claude need one: docs/install.md, Keys";
        return vec![Health::warn("credentials", format!("none in {namespace}"), advice)];
    }
    found.iter().map(|one| of_credential(one, namespace)).collect()
}

fn of_credential(credential: &DynamicObject, namespace: &str) -> Health {
    let name = format!("key {}", credential.name_any());
    let conditions = credential.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let of = |kind: &str, is: Truth| {
        let is = format!("{is:?}");
        conditions.iter().find(|one| one["type"] == kind && one["status"] == is.as_str()).map(|one| {
            format!(
                "{}: {}",
                one["reason"].as_str().unwrap_or_default(),
                one["message"].as_str().unwrap_or_default()
            )
        })
    };
    if let Some(why) = of("NeedsAttention", Truth::True) {
        let again =
            format!("see to it, then: mozart credential resume {} -n {namespace}", credential.name_any());
        return Health::fail(name, why, again);
    }
    if let Some(why) = of("Ready", Truth::False) {
        return Health::fail(name, why, "change the MozartCredential, or its Secret");
    }
    if let Some(why) = of("Limited", Truth::True) {
        return Health::warn(name, why, "nothing needs to be done: batches go on by themselves");
    }
    if conditions.is_empty() {
        return Health::warn(name, "no operator has seen it", "is one there for this namespace?");
    }
    Health::ok(name, "can be used")
}
