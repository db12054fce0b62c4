//! What an operator in a Pod keeps on a volume, read by people through a forwarded port.

use std::{fs, process::Output};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::ListParams};
use serde_json::{Value, json};
use tokio::process::Command;

use super::{VALUES, apply, job, release};
use crate::{
    attempts::{
        eventually,
        node::{claude::Claim, operator::kubectl},
    },
    chart::CHART,
    operator::make,
    support::Namespace,
};

/// On the volume, so that the test can set it from outside.
const CLOCK: &str = "ahead";
const DAY: u64 = 86_400;

async fn mozart(namespace: &Namespace, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mozart"))
        .args(arguments)
        .args(["--namespace", &namespace.name, "--account", "anna"])
        .output()
        .await
        .unwrap()
}

async fn shown(namespace: &Namespace, arguments: &[&str]) -> String {
    let output = mozart(namespace, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// An account that may read jobs, for the token that is shown to the operator.
async fn reader(namespace: &Namespace) {
    let group = "rbac.authorization.k8s.io";
    let role = json!({"apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": {"name": "anna"},
        "rules": [{"apiGroups": ["mozart.dev"], "resources": ["mozartjobs"], "verbs": ["get"]}]});
    let binding = json!({"apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": {"name": "anna"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "anna"},
        "subjects": [{"kind": "ServiceAccount", "name": "anna", "namespace": namespace.name}]});
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "anna"}});
    for object in [account, role, binding] {
        make(namespace, &object).await;
    }
}

/// Shown-by 3 of living with the operator: what a Pod wrote is shown a day later, when Pod and job are no more.
#[tokio::test]
async fn logs_are_shown_a_day_later_through_a_forwarded_port_and_without_their_disk_it_is_said() {
    let namespace = Namespace::restricted().await;
    let claim = Claim::new(&namespace).await;
    fs::write(claim.file(CLOCK), "0").unwrap();
    reader(&namespace).await;
    let values = format!(
        "{VALUES}history: {{enabled: true, existingClaim: review}}\n\
         extraEnv: [{{name: MOZART_TEST_CLOCK, value: /var/lib/mozart/{CLOCK}}}]\n"
    );
    let install =
        ["install", "mozart", CHART, "--values", "-", "--wait", "--take-ownership", "--force-conflicts"];
    release(&namespace, &install, &values).await;

    let mut night = job("night", 3, "echo said of $(cat); echo odd >&2");
    night["spec"]["workspace"] = json!({"emptyDir": {}});
    night["spec"]["ttlSecondsAfterFinished"] = json!(3600);
    // Answers go with their job otherwise.
    night["spec"]["output"] = json!({"retain": "Forever"});
    apply(&namespace, &night).await;
    kubectl(&namespace, &["wait", "--for=condition=Complete", "--timeout=180s", "mozartjob/night"]).await;
    let pods: Api<Pod> = Api::namespaced(namespace.client.clone(), &namespace.name);
    eventually("the finished Pods are swept", || async {
        pods.list(&ListParams::default().labels("mozart.dev/job-uid")).await.unwrap().items.is_empty()
    })
    .await;
    fs::write(claim.file(CLOCK), DAY.to_string()).unwrap();
    eventually("the job is deleted, its hour is over", || async {
        namespace.jobs().get_opt("night").await.unwrap().is_none()
    })
    .await;

    let said = shown(&namespace, &["logs", "night"]).await;
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("said")).collect();
    assert_eq!(lines, ["said of 1", "said of 2", "said of 3"], "{said}");
    assert_eq!(shown(&namespace, &["logs", "night", "-b", "2", "--stderr"]).await, "odd\n");
    assert_eq!(shown(&namespace, &["history", "night", "-o", "name"]).await, "night/1\n");
    let given = shown(&namespace, &["output", "night", "-o", "jsonl", "-b", "2"]).await;
    let given: Value = serde_json::from_str(given.trim()).unwrap();
    assert_eq!((&given["answer"], &given["items"]), (&json!("said of 2\n"), &json!({"first": 2, "last": 2})));

    for entry in fs::read_dir(claim.file("")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }
    let refused = mozart(&namespace, &["logs", "night"]).await;
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("the operator's history has no job night"), "{said}");
    release(&namespace, &["uninstall", "mozart", "--wait"], "").await;
    namespace.delete().await;
    claim.delete().await;
}
