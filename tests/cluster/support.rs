//! A namespace of its own for each test, in the cluster that `KUBECONFIG` names.

use std::sync::atomic::{AtomicU32, Ordering};

use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
};
use mozart::cluster::crd;
use serde_json::{Value, json};

/// A namespace that is made for a test, with the definitions installed in the cluster.
pub struct Namespace {
    pub client: Client,
    pub name: String,
}

impl Namespace {
    pub async fn new() -> Self {
        Self::with_labels(&json!({})).await
    }

    /// One that enforces the strictest level of Pod Security.
    pub async fn restricted() -> Self {
        Self::with_labels(&json!({"pod-security.kubernetes.io/enforce": "restricted"})).await
    }

    async fn with_labels(labels: &Value) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let client = Client::try_default().await.expect("a cluster: run `make test-cluster`");
        install(&client).await;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test-{}-{number}", std::process::id());
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource("", "v1", "Namespace"));
        let namespace = object(
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}),
        );
        api.create(&PostParams::default(), &namespace).await.unwrap();
        Self { client, name }
    }

    pub fn jobs(&self) -> Api<DynamicObject> {
        Api::namespaced_with(
            self.client.clone(),
            &self.name,
            &resource("mozart.dev", "v1alpha1", "MozartJob"),
        )
    }

    /// Asks the API server whether it would take the job, without keeping it.
    pub async fn would_take(&self, job: &Value) -> Result<(), String> {
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        self.jobs().create(&dry, &object(job)).await.map(drop).map_err(|error| error.to_string())
    }

    /// The same, by a client that refuses what it does not know.
    pub async fn would_take_strictly(&self, job: &Value) -> Result<(), String> {
        let strict = PatchParams::apply("mozart-tests").dry_run().validation_strict();
        let object = object(job);
        let taken = self.jobs().patch(&object.name_any(), &strict, &Patch::Apply(&object)).await;
        taken.map(drop).map_err(|error| error.to_string())
    }

    /// A client that is somebody else, without any right.
    pub async fn client_of(&self, user: &str) -> Client {
        let mut config = kube::Config::infer().await.unwrap();
        config.auth_info.impersonate = Some(user.to_owned());
        Client::try_from(config).unwrap()
    }

    pub async fn delete(self) {
        let api: Api<DynamicObject> = Api::all_with(self.client, &resource("", "v1", "Namespace"));
        api.delete(&self.name, &DeleteParams::default()).await.unwrap();
    }
}

pub fn object(json: &Value) -> DynamicObject {
    serde_json::from_value(json.clone()).unwrap()
}

fn resource(group: &str, version: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

/// Applies the definitions, and waits until jobs can be listed.
async fn install(client: &Client) {
    let kind = resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
    for definition in crd::definitions() {
        let object = object(&definition.object);
        let parameters = PatchParams::apply("mozart-tests").force();
        api.patch(&object.name_any(), &parameters, &Patch::Apply(&object)).await.unwrap();
        loop {
            let stored = api.get(&object.name_any()).await.unwrap();
            let conditions = stored.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
            if conditions.iter().any(|one| one["type"] == "Established" && one["status"] == "True") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}
