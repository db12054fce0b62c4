//! What the operator keeps on its volume, read by people with their own tokens, as they would type it.

use std::{fs, net::TcpListener, path::PathBuf, process::Output};

use k8s_openapi::api::{authentication::v1::TokenRequest, core::v1::ServiceAccount};
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DeleteParams, DynamicObject, PostParams},
};
use mozart::cluster::{operator::Scope, role::Installation};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::Command,
};

use super::{ACCOUNT, Work, kubelet::Played, make, on_the_node, submit, until};
use crate::{
    fake_api::{FakeApi, MODEL, Reply},
    support::{Namespace, object},
};

fn at_once(batch: u32, _: u32) -> Played {
    Played { takes: std::time::Duration::ZERO, fails: batch == 2 }
}

/// An operator with a volume, and two people: `anna`, who may read jobs, and `boris`, who may nothing.
pub(super) struct House {
    pub(super) work: Work,
    data: tempfile::TempDir,
    pub(super) url: String,
    /// What was made of the cluster itself.
    of_cluster: Vec<(ApiResource, String)>,
}

impl House {
    pub(super) async fn new() -> Self {
        let work = Work::new(at_once).await;
        let namespace = &work.namespace;
        let mut of_cluster = Vec::new();
        let scope = Scope::Namespaces(vec![namespace.name.clone()]);
        let home = namespace.name.clone();
        let installation = Installation { name: ACCOUNT.to_owned(), namespace: home, scope, visitors: true };
        for manifest in
            installation.manifests().into_iter().filter(|one| one["metadata"]["namespace"].is_null())
        {
            let manifest = object(&manifest);
            let kind = ApiResource::from_gvk(&manifest.types.as_ref().unwrap().try_into().unwrap());
            let api: Api<DynamicObject> = Api::all_with(namespace.client.clone(), &kind);
            api.create(&PostParams::default(), &manifest).await.unwrap();
            of_cluster.push((kind, manifest.name_any()));
        }
        for person in ["anna", "boris"] {
            make(
                namespace,
                &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": person}}),
            )
            .await;
            work.place.login(namespace, person, None).await;
        }
        allow(namespace, "anna", "mozart.dev", "mozartjobs", &["get"]).await;
        allow(namespace, "anna", "", "configmaps", &["list"]).await;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("http://127.0.0.1:{port}");
        Self { work, data: tempfile::tempdir().unwrap(), url, of_cluster }
    }

    pub(super) fn start(&self) -> tokio::process::Child {
        let listen = self.url.trim_start_matches("http://");
        let data = self.data.path().to_str().unwrap();
        let more = ["--dashboard", "--data", data, "--listen", listen, "--allow-address", "127.0.0.0/8"];
        self.work.place.start_with(ACCOUNT, &more)
    }

    async fn mozart(&self, person: &str, arguments: &[&str]) -> Output {
        let arguments = [arguments, &["-n", &self.work.namespace.name]].concat();
        Command::new(env!("CARGO_BIN_EXE_mozart"))
            .args(arguments)
            .env("KUBECONFIG", self.work.place.kubeconfig(person))
            .output()
            .await
            .unwrap()
    }

    /// What somebody reads from the operator; standard output as it is.
    async fn read(&self, person: &str, arguments: &[&str]) -> String {
        let output = self.mozart(person, &[arguments, &["--server", &self.url]].concat()).await;
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    async fn refused(&self, person: &str, arguments: &[&str]) -> String {
        let output = self.mozart(person, arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The HTTP status of the answer to a request with a token.
    async fn answered(&self, page: &str, token: Option<&str>) -> u16 {
        let address = self.url.trim_start_matches("http://");
        let mut connection = TcpStream::connect(address).await.unwrap();
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!("GET {page} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{token}\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(super) async fn end(self) {
        for (kind, name) in &self.of_cluster {
            let api: Api<DynamicObject> = Api::all_with(self.work.namespace.client.clone(), kind);
            api.delete(name, &DeleteParams::default()).await.unwrap();
        }
        self.work.end().await;
    }
}

/// Gives an account a right.
pub(super) async fn allow(namespace: &Namespace, account: &str, group: &str, resource: &str, verbs: &[&str]) {
    let name = format!("{account}-{resource}");
    let rbac = "rbac.authorization.k8s.io";
    make(
        namespace,
        &json!({"apiVersion": format!("{rbac}/v1"), "kind": "Role", "metadata": {"name": name},
        "rules": [{"apiGroups": [group], "resources": [resource], "verbs": verbs}]}),
    )
    .await;
    make(
        namespace,
        &json!({"apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace.name}]}),
    )
    .await;
}

/// A token of an account for some audiences; for the API server without any.
pub(super) async fn token_for(namespace: &Namespace, account: &str, audiences: &[&str]) -> String {
    let accounts: Api<ServiceAccount> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let asked: TokenRequest = serde_json::from_value(json!({"spec": {"audiences": audiences}})).unwrap();
    let made = accounts.create_token_request(account, &PostParams::default(), &asked).await.unwrap();
    serde_json::to_value(made.status.unwrap()).unwrap()["token"].as_str().unwrap().to_owned()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Issue 7, shown by 3, and S-03.
#[tokio::test]
async fn history_is_read_by_who_may_read_the_job_also_when_the_job_is_gone_and_by_nobody_else() {
    let house = House::new().await;
    let namespace = &house.work.namespace;
    let operator = house.start();
    let spec = json!({"batch": {"size": 1, "totalItems": 3}, "retry": {"maxRetries": 0}});
    submit(namespace, "night", &on_the_node(namespace, &spec)).await;
    until(namespace, "night", "ends", |status| status["lastRun"]["outcome"] == "Failed").await;
    let batches = crate::attempts::eventually("three batches in history", || async {
        let asked = ["history", "night", "--batches", "-o", "json", "--server", &house.url];
        let told = house.mozart("anna", &asked).await;
        serde_json::from_slice::<Value>(&told.stdout).is_ok_and(|told| {
            told.as_array()
                .is_some_and(|told| told.iter().all(|batch| batch["state"] != "running") && told.len() == 3)
        })
    });
    batches.await;
    let runs = house.read("anna", &["history", "night", "-o", "name"]).await;
    assert_eq!(runs, "night/1\n");

    let page = format!("/api/v1/namespaces/{}/jobs/night/history", namespace.name);
    let strange = token_for(namespace, "anna", &["somebody-else"]).await;
    let boris = token_for(namespace, "boris", &[]).await;
    for (token, code) in
        [(None, 401), (Some("nothing"), 401), (Some(strange.as_str()), 401), (Some(boris.as_str()), 403)]
    {
        assert_eq!(house.answered(&page, token).await, code, "{token:?}");
    }
    let said = house.refused("boris", &["history", "night", "--server", &house.url]).await;
    assert!(said.contains("you may not get the MozartJob night"), "{said}");

    // The job goes, what was told of it stays.
    namespace.jobs().delete("night", &DeleteParams::default()).await.unwrap();
    crate::attempts::eventually("the job is gone", || async {
        namespace.jobs().get_opt("night").await.unwrap().is_none()
    })
    .await;
    assert_eq!(house.read("anna", &["history", "night", "-o", "name"]).await, "night/1\n");

    // The disk goes: who asks is told, and the operator goes on.
    for entry in fs::read_dir(house.data.path()).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }
    let said = house.refused("anna", &["history", "night", "--server", &house.url]).await;
    assert!(said.contains("the operator's history has no job night"), "{said}");
    submit(namespace, "after", &on_the_node(namespace, &spec)).await;
    until(namespace, "after", "ends", |status| status["lastRun"]["outcome"] == "Failed").await;
    drop(operator);
    house.end().await;
}

/// H1 and H12.
#[tokio::test]
async fn answers_are_read_from_the_volume_or_without_an_operator_from_config_maps_and_what_is_missing_is_said()
 {
    let house = House::new().await;
    let namespace = &house.work.namespace;
    let api = FakeApi::start(|request| Reply::text(&format!("heard {}", request.said()))).await;
    make(
        namespace,
        &json!({"apiVersion": "v1", "kind": "Secret", "type": "mozart.dev/credential",
        "metadata": {"name": "anthropic"}, "stringData": {"api-key": "sk-test"}}),
    )
    .await;
    make(
        namespace,
        &json!({"apiVersion": "mozart.dev/v1alpha1", "kind": "MozartCredential",
        "metadata": {"name": "default"}, "spec": {"type": "APIKey", "baseURL": api.url(),
            "secretRef": {"name": "anthropic", "key": "api-key"}}}),
    )
    .await;
    allow(namespace, ACCOUNT, "", "secrets", &["get"]).await;
    let operator = house.start();
    for (name, store) in [("volume", "Operator"), ("maps", "ConfigMaps")] {
        let spec = json!({
            "backend": {"type": "anthropic_api", "model": MODEL}, "output": {"store": store},
            "prompt": {"template": "item {{ batch_num }}"}, "batch": {"size": 1, "totalItems": 4, "parallelism": 2},
        });
        submit(namespace, name, &spec).await;
        until(namespace, name, "completes", |status| status["lastRun"]["outcome"] == "Complete").await;
    }
    let given = lines(&house.read("anna", &["output", "volume", "-o", "jsonl"]).await);
    let batches: Vec<u64> = given.iter().map(|line| line["batch"].as_u64().unwrap()).collect();
    assert_eq!(batches, [1, 2, 3, 4]);
    assert!(given[2]["answer"].as_str().unwrap().contains("item 3"), "{given:?}");
    assert_eq!(given[2]["run"], "volume/1");
    let to = house.data.path().join("answers");
    house.read("anna", &["output", "volume", "-b", "2-3", "--to", to.to_str().unwrap()]).await;
    let mut files: Vec<String> =
        fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    assert_eq!(files, ["batch2.md", "batch3.md"]);

    drop(operator);
    let from_maps = house.mozart("anna", &["output", "maps", "-o", "jsonl"]).await;
    assert!(from_maps.status.success(), "{from_maps:?}");
    assert_eq!(lines(&String::from_utf8(from_maps.stdout).unwrap()).len(), 4);
    let said = house.refused("anna", &["output", "volume"]).await;
    assert!(said.contains("the answers are on the operator's volume, which was not reached"), "{said}");
    assert!(said.contains("the API server does not let you list the Pods"), "{said}");
    assert!(said.contains("ask who runs the operator"), "{said}");
    house.end().await;
}
