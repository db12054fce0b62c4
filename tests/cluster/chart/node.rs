//! A release from its first minute to its last, on a node: `hack/cluster up --node`, with the images of `hack/images`.

mod dashboard;
mod history;
mod tls;
mod tutorial;

use std::{fs, time::Instant};

use k8s_openapi::api::core::v1::Namespace as NamespaceObject;
use kube::Api;
use serde_json::{Value, json};

use super::{CHART, helm};
use crate::{
    attempts::{
        eventually,
        node::{IMAGE, claude::Claim, operator::kubectl},
    },
    support::{Namespace, object},
};

/// What a release of the images under test says.
const VALUES: &str = "image: {repository: localhost/mozart, tag: test}\n\
                      batchImage: {repository: localhost/batch, tag: test}\n";

async fn release(namespace: &Namespace, verb: &[&str], values: &str) -> String {
    let mut arguments = verb.to_vec();
    arguments.extend(["--namespace", &namespace.name, "--timeout", "180s"]);
    helm(&arguments, values).await.unwrap_or_else(|error| panic!("{verb:?}: {error}"))
}

/// A job whose batches each write that they began, and then take a while.
fn job(name: &str, batches: u32, script: &str) -> Value {
    json!({
        "apiVersion": "mozart.dev/v1alpha1", "kind": "MozartJob", "metadata": {"name": name},
        "spec": {
            "workspace": {"persistentVolumeClaim": {"claimName": "review"}},
            "backend": {"type": "command", "command": ["bash", "-c", script]},
            "pod": {"image": IMAGE, "terminationGracePeriodSeconds": 10},
            "batch": {"size": 1, "totalItems": batches, "parallelism": 2},
            "prompt": {"template": "{{ batch_num }}"},
        },
    })
}

async fn apply(namespace: &Namespace, job: &Value) {
    namespace.jobs().create(&kube::api::PostParams::default(), &object(job)).await.unwrap();
}

/// How many batches of a job have succeeded.
async fn succeeded(namespace: &Namespace, name: &str) -> u64 {
    let job = namespace.jobs().get(name).await.unwrap();
    job.data["status"]["batches"]["succeeded"].as_u64().unwrap_or_default()
}

#[tokio::test]
async fn a_release_is_installed_tested_upgraded_in_a_job_rolled_back_and_leaves_no_namespace_held() {
    let namespace = Namespace::restricted().await;
    let claim = Claim::new(&namespace).await;
    let values = format!("{VALUES}credential: {{existingSecret: anthropic}}\n");
    // Other tests have made the definitions already, and make them again and again.
    let install =
        ["install", "mozart", CHART, "--values", "-", "--wait", "--take-ownership", "--force-conflicts"];
    let began = Instant::now();
    let notes = release(&namespace, &install, &values).await;
    println!("helm install, until it is ready: {:.1?}", began.elapsed());
    assert!(notes.contains(&format!("runs the jobs of {}", namespace.name)), "{notes}");
    let key =
        kubectl(&namespace, &["get", "mozartcredential", "default", "-o", "jsonpath={.spec.secretRef}"])
            .await;
    assert_eq!(key, r#"{"key":"api-key","name":"anthropic"}"#);
    let uid = ["get", "mozartcredential", "default", "-o", "jsonpath={.metadata.uid}"];
    let credential = kubectl(&namespace, &uid).await;
    release(&namespace, &["test", "mozart"], "").await;

    apply(&namespace, &job("long", 8, "echo \"$(cat)\" >> /workspace/began; sleep 3")).await;
    eventually("a batch succeeded", || async { succeeded(&namespace, "long").await >= 1 }).await;
    let upgrade = ["upgrade", "mozart", CHART, "--values", "-", "--wait", "--force-conflicts"];
    release(&namespace, &upgrade, &format!("{values}log: {{level: debug}}")).await;
    assert!(succeeded(&namespace, "long").await < 8, "the job was over before the upgrade was");
    release(&namespace, &["rollback", "mozart", "1", "--wait", "--force-conflicts"], "").await;
    assert_eq!(kubectl(&namespace, &uid).await, credential, "a credential that says the same was made anew");
    kubectl(&namespace, &["wait", "--for=condition=Complete", "--timeout=180s", "mozartjob/long"]).await;
    let began = fs::read_to_string(claim.file("began")).unwrap();
    let mut began: Vec<&str> = began.split_whitespace().collect();
    began.sort_unstable();
    assert_eq!(began, ["1", "2", "3", "4", "5", "6", "7", "8"], "each batch began once");

    apply(&namespace, &job("cut", 2, "echo > /workspace/cut; sleep 600")).await;
    eventually("a batch runs", || async { claim.file("cut").exists() }).await;
    release(&namespace, &["uninstall", "mozart", "--wait"], "").await;
    let left = kubectl(&namespace, &["get", "mozartjobs,mozartcredentials", "-o", "name"]).await;
    assert_eq!(left.lines().count(), 3, "jobs and credentials stay: {left}");
    let left = kubectl(&namespace, &["get", "deployments,jobs,roles,rolebindings", "-o", "name"]).await;
    assert_eq!(left, "", "of the release nothing stays");
    let namespaces: Api<NamespaceObject> = Api::all(namespace.client.clone());
    let name = namespace.name.clone();
    let began = Instant::now();
    namespace.delete().await;
    eventually("the namespace is gone", || async { namespaces.get_opt(&name).await.unwrap().is_none() })
        .await;
    println!("the namespace, until it is gone: {:.1?}", began.elapsed());
    claim.delete().await;
}
