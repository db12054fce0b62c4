//! C1: whoever may make a job, and nothing else, gets by it at nothing that he may not have himself. The real API server
//! judges, by the policies that the chart installs.

use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
};
use mozart::cluster::{admission, operator::Scope, role::Installation};
use serde_json::{Value, json};

use crate::{
    attempts::eventually,
    operator::make,
    resources,
    support::{Namespace, object},
};

const AUTHOR: &str = "an-author";

/// The policies, bound to one namespace.
struct Policies {
    client: Client,
    manifests: Vec<Value>,
}

impl Policies {
    async fn install(namespace: &Namespace) -> Self {
        let installation = Installation {
            name: "mozart".to_owned(),
            namespace: namespace.name.clone(),
            scope: Scope::Namespaces(vec![namespace.name.clone()]),
            visitors: false,
        };
        let policies =
            Self { client: namespace.client.clone(), manifests: admission::manifests(&installation) };
        for manifest in &policies.manifests {
            let object = object(manifest);
            policies.api(&object).create(&PostParams::default(), &object).await.unwrap();
        }
        policies
    }

    fn api(&self, object: &DynamicObject) -> Api<DynamicObject> {
        let kind = ApiResource::from_gvk(&object.types.as_ref().unwrap().try_into().unwrap());
        Api::all_with(self.client.clone(), &kind)
    }

    async fn remove(self) {
        for manifest in &self.manifests {
            let name = manifest["metadata"]["name"].as_str().unwrap();
            self.api(&object(manifest)).delete(name, &DeleteParams::default()).await.unwrap();
        }
    }
}

/// Gives the author these rules, under a name of their own.
async fn allow(namespace: &Namespace, name: &str, rules: Value) {
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": name}, "rules": rules});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": AUTHOR}]});
    make(namespace, &role).await;
    make(namespace, &binding).await;
}

/// Verbs on a resource, or on the one object of it that is named.
fn rule(group: &str, resource: &str, name: Option<&str>, verbs: &[&str]) -> Value {
    let mut rule = json!({"apiGroups": [group], "resources": [resource], "verbs": verbs});
    if let Some(name) = name {
        rule["resourceNames"] = json!([name]);
    }
    rule
}

/// A job of `command`, which needs no credential, with this in its spec.
fn job(more: &Value) -> Value {
    let mut job = resources::job("theirs");
    job["spec"]["backend"] = json!({"type": "command", "command": ["env"]});
    for (name, value) in more.as_object().unwrap() {
        if value.is_null() {
            job["spec"].as_object_mut().unwrap().remove(name);
        } else {
            job["spec"][name] = value.clone();
        }
    }
    job
}

/// Whether the API server would take the object from the author, and why not.
async fn would_take(client: &Client, namespace: &Namespace, manifest: &Value) -> Result<(), String> {
    let object = object(manifest);
    let kind = ApiResource::from_gvk(&object.types.as_ref().unwrap().try_into().unwrap());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace.name, &kind);
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    api.create(&dry, &object).await.map(drop).map_err(|error| error.to_string())
}

/// What names something of others, the word of the refusal, and the right that lets it.
fn ways() -> Vec<(&'static str, Value, &'static str, Value)> {
    let get = |resource: &str, name: &str| rule("", resource, Some(name), &["get"]);
    let notified = |notification: Value| json!({"notifications": [notification]});
    let secret = json!({"secretKeyRef": {"name": "db", "key": "password"}});
    vec![
        (
            "credential",
            json!({"backend": {"type": "anthropic_api", "model": "m", "credential": "theirs"}, "workspace": null}),
            "MozartCredential theirs",
            rule("mozart.dev", "mozartcredentials", Some("theirs"), &["use"]),
        ),
        (
            "default-credential",
            json!({"backend": {"type": "claude_cli"}}),
            "MozartCredential default",
            rule("mozart.dev", "mozartcredentials", Some("default"), &["use"]),
        ),
        ("webhook", notified(json!({"type": "webhook", "urlFrom": secret})), "db", get("secrets", "db")),
        (
            "signature",
            notified(json!({"type": "webhook", "url": "https://mine.example/", "secretFrom": secret})),
            "db",
            get("secrets", "db"),
        ),
        (
            "secret-env",
            json!({"pod": {"secretEnv": [{"name": "A", "secretKeyRef": {"name": "db", "key": "password"}}]}}),
            "db",
            get("secrets", "db"),
        ),
        (
            "secret-volume",
            json!({"pod": {"volumes": [{"name": "v", "secret": {"secretName": "db"}}]}}),
            "db",
            get("secrets", "db"),
        ),
        (
            "template",
            json!({"prompt": {"templateFrom": {"configMapKeyRef": {"name": "theirs", "key": "a"}}}}),
            "ConfigMap that this job names",
            get("configmaps", "theirs"),
        ),
        (
            "items",
            json!({"batch": {"size": 1, "itemsFrom": {"configMapKeyRef": {"name": "theirs", "key": "a"}}}}),
            "ConfigMap that this job names",
            get("configmaps", "theirs"),
        ),
        (
            "env",
            json!({"pod": {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "theirs", "key": "a"}}}]}}),
            "ConfigMap that this job names",
            get("configmaps", "theirs"),
        ),
        (
            "config-map-volume",
            json!({"pod": {"volumes": [{"name": "v", "configMap": {"name": "theirs"}}]}}),
            "ConfigMap that this job names",
            get("configmaps", "theirs"),
        ),
        (
            "account",
            json!({"pod": {"serviceAccountName": "admin"}}),
            "service account admin",
            rule("", "serviceaccounts", Some("admin"), &["use"]),
        ),
    ]
}

/// S-07 and S-17: each way of C1 to what others have is shut, and each opens by the one right that it takes.
#[tokio::test]
async fn an_author_names_nothing_that_he_may_not_read_or_use_himself() {
    let namespace = Namespace::new().await;
    let policies = Policies::install(&namespace).await;
    let author = namespace.client_of(AUTHOR).await;
    allow(
        &namespace,
        "jobs",
        json!([rule("mozart.dev", "mozartjobs", None, &["create", "get", "update", "patch"])]),
    )
    .await;
    eventually("the policy is in force", || async {
        would_take(&author, &namespace, &job(&json!({}))).await.is_err_and(|why| why.contains("create Pods"))
    })
    .await;
    allow(&namespace, "pods", json!([rule("", "pods", None, &["create"])])).await;
    eventually("a job that names nothing is taken", || async {
        would_take(&author, &namespace, &job(&json!({}))).await.is_ok()
    })
    .await;
    for (name, spec, word, right) in ways() {
        let named = job(&spec);
        let why = would_take(&author, &namespace, &named).await.expect_err(name);
        assert!(why.contains("denied") && why.contains(word), "{name}: {why}");
        allow(&namespace, name, json!([right])).await;
        eventually(name, || async { would_take(&author, &namespace, &named).await.is_ok() }).await;
        let roles: Api<k8s_openapi::api::rbac::v1::RoleBinding> =
            Api::namespaced(namespace.client.clone(), &namespace.name);
        roles.delete(name, &DeleteParams::default()).await.unwrap();
        eventually("the right is gone", || async { would_take(&author, &namespace, &named).await.is_err() })
            .await;
    }
    policies.remove().await;
    namespace.delete().await;
}

/// The same by an edit; and what is no edit of the spec is nobody's business here.
#[tokio::test]
async fn an_edit_names_nothing_more_than_its_author_may_and_labels_are_free() {
    let namespace = Namespace::new().await;
    let policies = Policies::install(&namespace).await;
    let author = namespace.client_of(AUTHOR).await;
    allow(
        &namespace,
        "jobs",
        json!([
            rule("mozart.dev", "mozartjobs", None, &["get", "patch"]),
            rule("", "pods", None, &["create"]),
        ]),
    )
    .await;
    namespace.jobs().create(&PostParams::default(), &object(&job(&json!({})))).await.unwrap();
    let kind =
        ApiResource::from_gvk(&kube::api::GroupVersionKind::gvk("mozart.dev", "v1alpha1", "MozartJob"));
    let jobs: Api<DynamicObject> = Api::namespaced_with(author, &namespace.name, &kind);
    let edit = async |patch: Value| {
        let dry = PatchParams { dry_run: true, ..PatchParams::default() };
        jobs.patch("theirs", &dry, &Patch::Merge(patch)).await.map(drop).map_err(|error| error.to_string())
    };
    let names = json!({"spec": {"notifications": [
        {"type": "webhook", "urlFrom": {"secretKeyRef": {"name": "db", "key": "password"}}},
    ]}});
    eventually("the policy is in force", || async {
        edit(names.clone()).await.is_err_and(|why| why.contains("denied") && why.contains("db"))
    })
    .await;
    edit(json!({"metadata": {"labels": {"a": "b"}}})).await.unwrap();
    edit(json!({"spec": {"suspend": true}})).await.unwrap();
    policies.remove().await;
    namespace.delete().await;
}

/// The first way of C1: a key's Secret is named by a credential, which sends it where its author likes.
#[tokio::test]
async fn a_credential_names_no_secret_that_its_author_may_not_get() {
    let namespace = Namespace::new().await;
    let policies = Policies::install(&namespace).await;
    let author = namespace.client_of(AUTHOR).await;
    let credentials = rule("mozart.dev", "mozartcredentials", None, &["create"]);
    allow(&namespace, "credentials", json!([credentials])).await;
    let mine = json!({
        "apiVersion": "mozart.dev/v1alpha1", "kind": "MozartCredential", "metadata": {"name": "mine"},
        "spec": {"type": "APIKey", "secretRef": {"name": "db", "key": "password"}, "baseURL": "https://mine.example"},
    });
    eventually("the policy is in force", || async {
        would_take(&author, &namespace, &mine)
            .await
            .is_err_and(|why| why.contains("denied") && why.contains("db"))
    })
    .await;
    allow(&namespace, "secret", json!([rule("", "secrets", Some("db"), &["get"])])).await;
    eventually("it is taken", || async { would_take(&author, &namespace, &mine).await.is_ok() }).await;
    policies.remove().await;
    namespace.delete().await;
}

/// The third way of C1: the operator's own environment and files, and the network place that it has.
#[tokio::test]
async fn a_job_names_no_file_no_variable_and_no_command_of_the_operator() {
    let namespace = Namespace::new().await;
    let token = "/var/run/secrets/kubernetes.io/serviceaccount/token";
    let refused = [
        (json!({"prompt": {"templateFile": token}}), "one of template and templateFrom"),
        (json!({"batch": {"size": 1, "itemsFrom": {"file": token}}}), "items come from configMapKeyRef"),
        (json!({"batch": {"size": 1, "itemsFrom": {"command": "env"}}}), "items come from configMapKeyRef"),
    ];
    for (spec, word) in refused {
        let why = namespace.would_take(&job(&spec)).await.expect_err(word);
        assert!(why.contains(word), "{why}");
    }
    namespace.delete().await;
}
