//! The cluster that `KUBECONFIG` names: the definitions, the account that the operator has, namespaces, and waiting.

use std::{
    fs,
    future::Future,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use futures::StreamExt as _;
use k8s_openapi::api::{
    authentication::v1::TokenRequest,
    core::v1::{Namespace, ServiceAccount},
};
use kube::{
    Api, Client, Config,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{WatchStreamExt as _, watcher},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Where the operator is at home.
pub const HOME: &str = "mozart-bench";
/// Before anything in the cluster is given up that takes a moment.
const MOMENT: Duration = Duration::from_mins(1);

/// The cluster.
pub struct Kubernetes {
    /// As its administrator.
    pub client: Client,
    /// With the operator's account.
    pub account: Client,
    /// The same, as a file.
    pub kubeconfig: PathBuf,
    /// For files of the bench.
    pub folder: PathBuf,
}

impl Kubernetes {
    /// Installs what the operator needs.
    pub async fn ready(folder: &Path) -> Self {
        let client = Client::try_default().await.expect("a cluster: run hack/bench-cluster");
        install();
        let kind = resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
        let definitions: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
        until(&definitions, "mozartjobs.mozart.dev", "the definition of jobs", MOMENT, |definition| {
            let conditions = definition.data["status"]["conditions"].as_array();
            let mut conditions = conditions.into_iter().flatten();
            conditions.any(|one| one["type"] == "Established" && one["status"] == "True")
        })
        .await;
        let config = account(&client).await;
        let kubeconfig = folder.join("kubeconfig");
        let text = serde_json::to_string(&config).expect("a kubeconfig is JSON");
        fs::write(&kubeconfig, text).expect("room on the disk of the build");
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(config, &options).await.expect("it was just made");
        let account = Client::try_from(config).expect("it was just made");
        Self { client, account, kubeconfig, folder: folder.to_owned() }
    }

    /// Another namespace.
    pub async fn namespace(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("bench-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        make::<Namespace>(&Api::all(self.client.clone()), json!({"metadata": {"name": name}})).await;
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &name);
        until(&accounts, "default", "the account of a namespace", MOMENT, |_| true).await;
        name
    }

    /// Ends it with everything in it, so that what follows has the machine for itself.
    pub async fn delete(&self, namespace: String) {
        let api: Api<Namespace> = Api::all(self.client.clone());
        api.delete(&namespace, &DeleteParams::default()).await.expect("its administrator may");
        within(5 * MOMENT, "the end of a namespace", async {
            while api.get_opt(&namespace).await.expect("the API server answers").is_some() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        })
        .await;
    }

    /// The jobs of a namespace.
    pub fn jobs(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &resource("mozart.dev", "v1alpha1", "MozartJob"))
    }

    /// The bytes that everything kept takes on disk, with the revisions that were not yet compacted.
    pub async fn stored_bytes(&self) -> f64 {
        let request = http::Request::get("/metrics").body(Vec::new()).expect("a request");
        let metrics = self.client.request_text(request).await.expect("the API server answers");
        let lines = metrics.lines().filter(|line| line.starts_with("apiserver_storage_size_bytes{"));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

/// The process of a part of the control plane, as hack/cluster tells it.
pub fn process_of(part: &str) -> u32 {
    let text = ask("status");
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{part} runs (")));
    let pid = line.and_then(|line| line.trim_end_matches(')').parse().ok());
    pid.unwrap_or_else(|| panic!("hack/cluster tells no process of the {part}: {text}"))
}

/// The log of the controllers' writes.
pub fn audit_log() -> PathBuf {
    PathBuf::from(ask("kubeconfig").trim()).with_file_name("log").join("audit.log")
}

fn ask(verb: &str) -> String {
    let output = Command::new("hack/cluster").arg(verb).output().expect("the folder is that of the project");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Makes an object.
pub async fn make<K>(api: &Api<K>, object: Value) -> K
where
    K: DeserializeOwned + Clone + serde::Serialize + std::fmt::Debug,
{
    let object = serde_json::from_value(object).expect("the object is of its kind");
    api.create(&PostParams::default(), &object).await.expect("its administrator may")
}

/// Waits until an object is as wanted.
pub async fn until<K>(api: &Api<K>, name: &str, what: &str, longest: Duration, is: impl Fn(&K) -> bool) -> K
where
    K: kube::Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut seen = std::pin::pin!(watcher(api.clone(), config).default_backoff().applied_objects());
    within(longest, what, async {
        loop {
            match seen.next().await {
                Some(Ok(object)) if is(&object) => return object,
                Some(_) => {}
                None => panic!("the watch of {name} has ended"),
            }
        }
    })
    .await
}

/// Waits for so long at most.
pub async fn within<T>(longest: Duration, what: &str, work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(longest, work).await;
    done.unwrap_or_else(|_| panic!("{what} did not come within {longest:?}"))
}

fn resource(group: &str, version: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

/// Installs what the operator needs, as people do.
fn install() {
    let mozart = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_mozart")).args(arguments).output();
        String::from_utf8(output.expect("the program that was built").stdout).expect("YAML")
    };
    let rights = mozart(&["rbac", "--all-namespaces", "--namespace", HOME]);
    let home = format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {HOME}}}\n");
    for manifests in [mozart(&["crd"]), home + &rights] {
        let mut kubectl = Command::new("kubectl")
            .args(["apply", "--server-side", "--filename", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("kubectl is there: run hack/bench-cluster");
        let mut input = kubectl.stdin.take().expect("it is a pipe");
        input.write_all(manifests.as_bytes()).expect("kubectl reads what it is given");
        drop(input);
        assert!(kubectl.wait().expect("our own child").success(), "kubectl applies what mozart prints");
    }
}

/// The kubeconfig of the operator's account.
async fn account(client: &Client) -> Kubeconfig {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), HOME);
    let asked: TokenRequest =
        serde_json::from_value(json!({"spec": {"audiences": [], "expirationSeconds": 7200}}))
            .expect("a request for a token");
    let made = accounts.create_token_request("mozart", &PostParams::default(), &asked).await;
    let token = made.expect("its administrator may").status.expect("a token").token;
    let mut config = Kubeconfig::read().expect("KUBECONFIG names a file");
    let user = json!([{"name": config.auth_infos[0].name, "user": {"token": token}}]);
    config.auth_infos = serde_json::from_value(user).expect("a login");
    config
}
