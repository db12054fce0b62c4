//! Pods that wait for an operator which is no more are let go, by the command as people and the chart's hook call it.

use std::process::Output;

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, PostParams},
};
use mozart::{driver::ports::Launcher as _, launch::pod::names::FINALIZER};
use serde_json::json;
use tokio::process::Command;

use crate::{
    attempts::{Run, eventually, start, there},
    support::Namespace,
};

async fn mozart(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mozart")).args(arguments).output().await.unwrap()
}

#[tokio::test]
async fn what_is_let_go_keeps_all_but_mozarts_own_finalizer_and_lets_its_namespace_go() {
    let namespace = Namespace::new().await;
    let run = Run::new(&namespace, &["true"], &json!({})).await;
    run.launcher().launch(start(1)).await;
    there(&run, 1).await;
    let pods: Api<Pod> = Api::namespaced(namespace.client.clone(), &namespace.name);
    // Somebody else's, and one that only looks like ours.
    let foreign = json!({
        "metadata": {"name": "foreign", "finalizers": ["example.com/mine", FINALIZER]},
        "spec": {"containers": [{"name": "a", "image": "a"}]},
    });
    let mut both = foreign.clone();
    both["metadata"]["name"] = json!("both");
    both["metadata"]["labels"] = json!({"mozart.dev/job-uid": "1"});
    for pod in [foreign, both] {
        pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    }
    let output = mozart(&["release", "--namespace", &namespace.name]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"2 Pods let go\n");
    let finalizers = async |name: &str| pods.get(name).await.unwrap().finalizers().to_vec();
    assert_eq!(finalizers(&run.name(1)).await, Vec::<String>::new());
    assert_eq!(finalizers("both").await, ["example.com/mine"]);
    assert_eq!(finalizers("foreign").await, ["example.com/mine", FINALIZER]);
    let labels = pods.get(&run.name(1)).await.unwrap().labels().clone();
    assert!(!labels.contains_key("mozart.dev/released"), "a later operator would not read it: {labels:?}");
    pods.delete(&run.name(1), &DeleteParams::default()).await.unwrap();
    eventually("the Pod is gone", || async { pods.get_opt(&run.name(1)).await.unwrap().is_none() }).await;
    for name in ["foreign", "both"] {
        let none = json!({"metadata": {"finalizers": null}});
        pods.patch(name, &kube::api::PatchParams::default(), &kube::api::Patch::Merge(none)).await.unwrap();
    }
    namespace.delete().await;
}

#[tokio::test]
async fn an_operator_is_stopped_before_its_pods_are_let_go_and_one_that_is_gone_has_stopped() {
    let namespace = Namespace::new().await;
    let labels = json!({"app": "operator"});
    let deployment = json!({
        "metadata": {"name": "mozart"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "a"}]}},
        },
    });
    let deployments: Api<Deployment> = Api::namespaced(namespace.client.clone(), &namespace.name);
    deployments.create(&PostParams::default(), &serde_json::from_value(deployment).unwrap()).await.unwrap();
    let pods: Api<Pod> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let count = async || pods.list(&kube::api::ListParams::default()).await.unwrap().items.len();
    eventually("its Pods are there", || async { count().await == 2 }).await;
    mozart::cluster::release::stop(&namespace.client, &namespace.name, "mozart").await.unwrap();
    assert_eq!(count().await, 0);
    let stored = deployments.get("mozart").await.unwrap();
    assert_eq!(stored.spec.replicas, Some(0));
    mozart::cluster::release::stop(&namespace.client, &namespace.name, "no-such").await.unwrap();
    namespace.delete().await;
}

#[tokio::test]
async fn a_job_that_is_not_there_is_not_waited_for() {
    let namespace = Namespace::new().await;
    let output = mozart(&["wait", "no-such", "--namespace", &namespace.name]).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("there is no job no-such in the namespace {}", namespace.name)), "{said}");
    namespace.delete().await;
}
