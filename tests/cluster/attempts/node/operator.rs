//! The whole of it: the operator in a Pod, from a self-built image and with its own account, runs a job that people apply.

use std::{fs, process::Stdio};

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{DynamicObject, ListParams},
};
use serde_json::{Value, json};
use tokio::process::Command;

use super::{
    super::eventually,
    IMAGE,
    claude::{Claim, key, service},
};
use crate::{
    fake_api::MODEL,
    operator::{ACCOUNT, account, make},
    support::Namespace,
};

/// Installs the operator for one namespace. It logs the journal too.
pub async fn install(namespace: &Namespace) {
    account(namespace, ACCOUNT).await;
    let labels = json!({"app.kubernetes.io/name": "mozart-operator"});
    make(
        namespace,
        &json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "mozart"},
            "spec": {
                "replicas": 1,
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {
                    "serviceAccountName": ACCOUNT,
                    "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [{
                        "name": "operator",
                        "image": "localhost/mozart:test",
                        "args": ["operator", "--image", "localhost/mozart:test"],
                        "env": [
                            {"name": "MOZART_POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
                            {"name": "MOZART_LOG", "value": "mozart=info,mozart::journal=debug"},
                            {"name": "MOZART_LOG_FORMAT", "value": "json"},
                        ],
                        "securityContext": {
                            "allowPrivilegeEscalation": false,
                            "capabilities": {"drop": ["ALL"]},
                            "readOnlyRootFilesystem": true,
                        },
                    }],
                }},
            },
        }),
    )
    .await;
}

fn job() -> Value {
    json!({
        "apiVersion": "mozart.dev/v1alpha1",
        "kind": "MozartJob",
        "metadata": {"name": "review"},
        "spec": {
            "workspace": {"persistentVolumeClaim": {"claimName": "review"}},
            "backend": {"type": "claude_cli", "model": MODEL},
            "pod": {"image": IMAGE},
            "batch": {"size": 2, "totalItems": 9, "parallelism": 2},
            "prompt": {"template": "This is batch {{ batch_num }}."},
            "validations": [{"type": "content_contains", "path": "{workspace}/report-{batch_num}.md", "pattern": "of batch"}],
        },
    })
}

/// What `kubectl` prints in the namespace.
pub async fn kubectl(namespace: &Namespace, arguments: &[&str]) -> String {
    let output = Command::new("kubectl")
        .args(["--namespace", &namespace.name])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .expect("kubectl is there: run `make test-cluster`");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[tokio::test]
async fn a_job_that_is_applied_runs_the_real_claude_code_in_pods_and_completes() {
    let namespace = Namespace::restricted().await;
    let claim = Claim::new(&namespace).await;
    let api = service(&namespace).await;
    key(&namespace).await;
    install(&namespace).await;
    let credential = json!({
        "apiVersion": "mozart.dev/v1alpha1", "kind": "MozartCredential", "metadata": {"name": "default"},
        "spec": {"type": "APIKey", "secretRef": {"name": "anthropic", "key": "api-key"}, "baseURL": api.url()},
    });
    let folder = tempfile::tempdir().unwrap();
    for (name, object) in [("credential.json", &credential), ("job.json", &job())] {
        fs::write(folder.path().join(name), object.to_string()).unwrap();
    }
    kubectl(&namespace, &["apply", "--filename", folder.path().to_str().unwrap()]).await;
    kubectl(&namespace, &["wait", "--for=condition=Complete", "--timeout=180s", "mozartjob/review"]).await;
    for batch in 1..=5 {
        let report = fs::read_to_string(claim.file(&format!("report-{batch}.md"))).unwrap();
        assert_eq!(report, format!("of batch {batch}"));
    }
    let shown = kubectl(&namespace, &["get", "mj"]).await;
    let row: Vec<&str> = shown.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..3], ["review", "Complete", "5/5"], "{shown}");
    let described = kubectl(&namespace, &["describe", "mj", "review"]).await;
    assert!(described.contains("Normal"), "{described}");
    let explained = kubectl(&namespace, &["explain", "mj.spec.batch"]).await;
    assert!(explained.contains("How many items go in a batch"), "{explained}");
    let pods: Api<Pod> = Api::namespaced(namespace.client.clone(), &namespace.name);
    eventually("the finished Pods are swept", || async {
        pods.list(&ListParams::default().labels("mozart.dev/job-uid")).await.unwrap().items.is_empty()
    })
    .await;
    let stored: DynamicObject = namespace.jobs().get("review").await.unwrap();
    assert_eq!(stored.data["status"]["checkpoint"]["succeeded"], "1-5");
    assert!(!stored.data.to_string().contains("sk-ant-canary"));
    namespace.delete().await;
    claim.delete().await;
}
