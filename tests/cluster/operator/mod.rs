//! The operator as a process of its own, with an account that has the rights of its Role and no others.

mod audit;
mod cut;
mod dashboard;
mod door;
pub mod in_process;
mod killed;
mod kubelet;
mod outage;
mod prometheus;
mod proxy;
mod rights;
mod unsaid;

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Stdio,
};

use jiff::Timestamp;
use k8s_openapi::api::{authentication::v1::TokenRequest, core::v1::ServiceAccount};
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
    config::Kubeconfig,
};
use mozart::cluster::{operator::Scope, role::Installation};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use self::kubelet::{Kubelet, Script};
use crate::{
    attempts::eventually,
    support::{Namespace, object},
};

/// What the operators' accounts are called, or how their names begin. By it they are found in the audit log.
pub const ACCOUNT: &str = "mozart";

/// Makes the object of a manifest in the namespace, or in the one that the manifest names.
pub async fn make(namespace: &Namespace, manifest: &Value) {
    let object = object(manifest);
    let kind = ApiResource::from_gvk(&object.types.as_ref().unwrap().try_into().unwrap());
    let place = object.namespace().unwrap_or_else(|| namespace.name.clone());
    let api: Api<DynamicObject> = Api::namespaced_with(namespace.client.clone(), &place, &kind);
    api.create(&PostParams::default(), &object).await.unwrap();
}

/// Makes an account with the rights that `mozart rbac` prints. Several of a namespace share one lease.
pub async fn account(namespace: &Namespace, name: &str) {
    account_for(namespace, name, &[namespace]).await;
}

/// The same, with the rights of who runs the jobs of these namespaces.
pub async fn account_for(namespace: &Namespace, name: &str, of: &[&Namespace]) {
    let scope = Scope::Namespaces(of.iter().map(|one| one.name.clone()).collect());
    let installation =
        Installation { name: name.to_owned(), namespace: namespace.name.clone(), scope, visitors: false };
    for mut manifest in installation.manifests() {
        if let Some(names) = manifest.pointer_mut("/rules/0/resourceNames") {
            *names = json!([ACCOUNT]);
        }
        make(namespace, &manifest).await;
    }
}

/// Where operators of a namespace run: each with its login, its log, and its own way to the API server.
pub struct Place {
    folder: tempfile::TempDir,
    namespace: String,
    /// Of what its operators log.
    filter: &'static str,
}

impl Place {
    pub fn new(namespace: &Namespace) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, namespace: namespace.name.clone(), filter: "mozart=info" }
    }

    /// With operators that log this.
    pub fn logging(self, filter: &'static str) -> Self {
        Self { filter, ..self }
    }

    /// Writes the login of an account; `server` is an address in place of the API server's own.
    pub async fn login(&self, namespace: &Namespace, account: &str, server: Option<&str>) {
        let accounts: Api<ServiceAccount> = Api::namespaced(namespace.client.clone(), &namespace.name);
        let asked: TokenRequest = serde_json::from_value(json!({"spec": {"audiences": []}})).unwrap();
        let token = accounts.create_token_request(account, &PostParams::default(), &asked).await.unwrap();
        let read = serde_json::to_value(Kubeconfig::read().unwrap()).unwrap();
        let mut cluster = read["clusters"][0]["cluster"].clone();
        if let Some(server) = server {
            cluster["server"] = json!(server);
        }
        let login = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace.name}}],
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": token.status.unwrap().token}}],
        });
        fs::write(self.file(account, "kubeconfig"), login.to_string()).unwrap();
    }

    /// Who an account's operators are to the lease.
    pub fn identity(&self, account: &str) -> String {
        format!("{}-{account}", self.namespace)
    }

    /// The login of an account, for other programs.
    pub fn kubeconfig(&self, account: &str) -> PathBuf {
        self.file(account, "kubeconfig")
    }

    fn file(&self, account: &str, kind: &str) -> PathBuf {
        self.folder.path().join(format!("{account}.{kind}"))
    }

    /// Starts an operator under an account's login. It is killed when it is dropped; started again it is the same to the
    /// lease, as a container is.
    pub fn start(&self, account: &str) -> Child {
        self.start_with(account, &[])
    }

    /// The same with more arguments.
    pub fn start_with(&self, account: &str, more: &[&str]) -> Child {
        let log = File::options().append(true).create(true).open(self.file(account, "log")).unwrap();
        Command::new(env!("CARGO_BIN_EXE_mozart"))
            .args(["operator", "--image", "localhost/mozart:test", "--batch-image", "localhost/mozart:test"])
            .args(["--identity", &self.identity(account)])
            .args(["--metrics-address", "127.0.0.1:0"])
            .args(more)
            .env("KUBECONFIG", self.file(account, "kubeconfig"))
            .env("MOZART_LOG", self.filter)
            .env("MOZART_LOG_FORMAT", "json")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::from(log))
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    /// Everything that the operators of an account have said.
    pub fn said(&self, account: &str) -> String {
        fs::read_to_string(self.file(account, "log")).unwrap_or_default()
    }

    /// What the operators of an account have logged.
    pub fn log(&self, account: &str) -> Vec<Value> {
        let text = self.said(account);
        // The last line of a killed one may be half a line.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// When a line was logged.
pub fn logged_at(line: &Value) -> Timestamp {
    line["timestamp"].as_str().unwrap().parse().unwrap()
}

/// Whether a line tells that its operator has become the leader.
pub fn tells_of_leading(line: &Value) -> bool {
    line["message"] == "leadership" && line["standing"].as_str().unwrap().contains("Leading")
}

/// A namespace with a pretended node, and an operator's account.
pub struct Work {
    pub namespace: Namespace,
    pub kubelet: Kubelet,
    pub place: Place,
}

impl Work {
    pub async fn new(script: Script) -> Self {
        let namespace = Namespace::new().await;
        account(&namespace, ACCOUNT).await;
        let kubelet = Kubelet::start(&namespace, script).await;
        let place = Place::new(&namespace);
        place.login(&namespace, ACCOUNT, None).await;
        Self { namespace, kubelet, place }
    }

    pub async fn end(self) {
        self.kubelet.delete().await;
        self.namespace.delete().await;
    }
}

/// A number that a person may set.
pub fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

/// Makes a job.
pub async fn submit(namespace: &Namespace, name: &str, spec: &Value) -> DynamicObject {
    let job = json!({
        "apiVersion": "mozart.dev/v1alpha1", "kind": "MozartJob", "metadata": {"name": name}, "spec": spec,
    });
    namespace.jobs().create(&PostParams::default(), &object(&job)).await.unwrap()
}

/// Changes the spec of a job.
pub async fn edit(namespace: &Namespace, name: &str, spec: &Value) {
    let patch = Patch::Merge(json!({"spec": spec}));
    namespace.jobs().patch(name, &PatchParams::default(), &patch).await.unwrap();
}

/// Waits until something is true of a job's status.
pub async fn until(namespace: &Namespace, job: &str, what: &str, holds: impl Fn(&Value) -> bool) {
    eventually(&format!("{job} {what}"), || async {
        namespace.jobs().get(job).await.is_ok_and(|job| holds(&job.data["status"]))
    })
    .await;
}

/// A spec whose Pods go to the pretended node of the namespace.
pub fn on_the_node(namespace: &Namespace, more: &Value) -> Value {
    let mut spec = json!({
        "workspace": {"emptyDir": {}},
        "backend": {"type": "command", "command": ["true"]},
        "prompt": {"template": "{{ batch_num }}"},
        "pod": kubelet::pod(&namespace.name),
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

/// What the names of everything of a job have of its UID.
fn uid5(job: &DynamicObject) -> String {
    job.uid().unwrap().replace('-', "")[..5].to_owned()
}
