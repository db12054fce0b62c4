//! The dashboard of a release, in a real Chromium: `tests/browser/cluster.mjs`.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::Stdio,
};

use k8s_openapi::api::core::v1::{PersistentVolume, Service};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

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

/// Batches that end when they are told to, by files in their workspace.
const STEPS: &str = r#"read -r n; echo "said by batch $n"
cd /workspace; while [ ! -e "more$n" ] && [ ! -e "go$n" ]; do sleep 0.1; done
echo "more of batch $n"; while [ ! -e "go$n" ]; do sleep 0.1; done"#;

/// Makes its file, and of batch 2 not in the first run, which its Pod is named after.
const ODD: &str = r#"read -r n; cd /workspace; echo "said by odd $n"
case $n-$(cat /etc/hostname) in 2-*-r1-*) ;; *) touch "made$n" ;; esac"#;

/// A job of two batches, of which the second does not do what it should in its first run.
fn odd() -> Value {
    let mut odd = job("odd", 2, ODD);
    // Of its own: a volume has one job at a time.
    odd["spec"]["workspace"] = json!({"emptyDir": {}});
    odd["spec"]["retry"] = json!({"maxRetries": 0});
    odd["spec"]["validations"] = json!([{"type": "file_exists", "path": "{workspace}/made{{ batch_num }}"}]);
    odd
}

/// What `mozart doctor` says of one thing that it looks at.
async fn doctor(namespace: &Namespace, name: &str) -> Value {
    let arguments = ["doctor", "--namespace", &namespace.name, "-o", "json"];
    let said = Command::new(env!("CARGO_BIN_EXE_mozart")).args(arguments).output().await.unwrap();
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let checks = said["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {said}")).clone()
}

/// A folder of the node for what the operator keeps.
async fn volume(namespace: &Namespace, folder: &Path) -> String {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    let volumes: Api<PersistentVolume> = Api::all(namespace.client.clone());
    let name = format!("{}-history", namespace.name);
    let volume = json!({"metadata": {"name": name}, "spec": {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "",
        "hostPath": {"path": folder},
    }});
    volumes.create(&PostParams::default(), &serde_json::from_value(volume).unwrap()).await.unwrap();
    make(
        namespace,
        &json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "history"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "", "volumeName": name,
            "resources": {"requests": {"storage": "1Gi"}},
        }}),
    )
    .await;
    name
}

/// An account that may see the jobs of its namespace, and nothing else; its token.
pub(super) async fn viewer(namespace: &Namespace) -> String {
    kubectl(namespace, &["create", "serviceaccount", "viewer"]).await;
    let account = format!("--serviceaccount={}:viewer", namespace.name);
    kubectl(namespace, &["create", "role", "viewer", "--verb=get,list", "--resource=mozartjobs.mozart.dev"])
        .await;
    kubectl(namespace, &["create", "rolebinding", "viewer", "--role=viewer", &account]).await;
    kubectl(namespace, &["create", "token", "viewer"]).await.trim().to_owned()
}

/// `kubectl mozart dashboard`, and the address that it prints.
async fn kubectl_mozart(namespace: &Namespace, folder: &Path) -> (Child, String) {
    let plugin = folder.join("kubectl-mozart");
    symlink(env!("CARGO_BIN_EXE_mozart"), &plugin).unwrap();
    // The administrator has a certificate, which the operator cannot be shown.
    kubectl(namespace, &["create", "serviceaccount", "anna"]).await;
    let account = format!("--serviceaccount={}:anna", namespace.name);
    kubectl(namespace, &["create", "rolebinding", "anna", "--clusterrole=cluster-admin", &account]).await;
    let mut process = Command::new(plugin)
        .args(["dashboard", "-n", &namespace.name, "--account", "anna", "--port", "0", "--no-browser"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let address = lines.next_line().await.unwrap().expect("the address that it prints");
    (process, address)
}

async fn browser(prepared: &Value) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(
        root.join(".cache/browser/node_modules/playwright-core").is_dir(),
        "the dashboard is tested in a real Chromium, which is not installed: run `make tools`"
    );
    let ran = Command::new("node")
        .args(["--test", "--test-reporter=spec", "--test-timeout=240000"])
        .arg(root.join("tests/browser/cluster.mjs"))
        .env("MOZART_BROWSER_TEST", prepared.to_string())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
}

/// Issue 8, shown by 4.
#[tokio::test]
async fn the_dashboard_is_live_through_the_api_server_and_shows_one_namespace_through_a_service() {
    let namespace = Namespace::restricted().await;
    let other = Namespace::new().await;
    let claim = Claim::new(&namespace).await;
    let history = tempfile::tempdir().unwrap();
    let volume = volume(&namespace, history.path()).await;
    let values = format!(
        "{VALUES}jobs: {{namespaces: [{}, {}]}}\nhistory: {{enabled: true, existingClaim: history}}\n\
         dashboard: {{service: {{enabled: true}}}}\n",
        namespace.name, other.name
    );
    let install =
        ["install", "mozart", CHART, "--values", "-", "--wait", "--take-ownership", "--force-conflicts"];
    let notes = release(&namespace, &install, &values).await;
    assert!(notes.contains("kubectl mozart dashboard"), "{notes}");
    apply(&namespace, &job("steps", 5, STEPS)).await;
    let mut elsewhere = job("elsewhere", 1, "true");
    elsewhere["spec"]["suspend"] = json!(true);
    elsewhere["spec"]["workspace"] = json!({"emptyDir": {}});
    apply(&other, &elsewhere).await;
    eventually("two batches run", || async {
        namespace.jobs().get("steps").await.unwrap().data["status"]["batches"]["running"] == 2
    })
    .await;
    apply(&namespace, &odd()).await;
    kubectl(&namespace, &["wait", "--for=condition=Failed", "--timeout=180s", "mozartjob/odd"]).await;
    let seen = doctor(&namespace, "dashboard").await;
    assert!(seen["found"].as_str().unwrap().contains("without TLS of its own"), "{seen}");
    let seen = doctor(&namespace, "visitors").await;
    assert_eq!(seen["state"], "ok", "{seen}");
    let seen = doctor(&namespace, "way there").await;
    assert!(seen["advice"].as_str().unwrap().contains("--account"), "a certificate is no token: {seen}");
    let (process, address) = kubectl_mozart(&namespace, history.path()).await;
    let services: Api<Service> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let service = services.get("mozart-dashboard").await.unwrap().spec.unwrap().cluster_ip.unwrap();
    let prepared = json!({
        "address": address, "service": format!("http://{service}"), "token": viewer(&namespace).await,
        "jobs": {"steps": format!("{}~steps", namespace.name), "odd": format!("{}~odd", namespace.name), "other": format!("{}~elsewhere", other.name)},
        "workspace": claim.file(""), "shots": std::env::var_os("MOZART_SCREENSHOTS").map(std::path::PathBuf::from),
    });
    browser(&prepared).await;
    let odd = namespace.jobs().get("odd").await.unwrap();
    let managers = odd.metadata.managed_fields.unwrap_or_default();
    assert!(managers.iter().any(|one| one.manager.as_deref() == Some("mozart-dashboard")), "{managers:?}");
    drop(process);
    release(&namespace, &["uninstall", "mozart", "--wait"], "").await;
    let volumes: Api<PersistentVolume> = Api::all(namespace.client.clone());
    namespace.delete().await;
    other.delete().await;
    claim.delete().await;
    volumes.delete(&volume, &DeleteParams::default()).await.unwrap();
}
