//! The API server and its store, killed, frozen and made to forget, again and again.
//!
//! What is done to them is done to every test that runs beside this one, so `hack/test-cluster` runs it alone, on a
//! control plane of its own. `MOZART_TEST_OUTAGES` says how many there are (3 unless it is set).

use std::{fs, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use tokio::process::Command;

use super::{
    ACCOUNT, Work,
    killed::{check, script},
    on_the_node, setting, submit, until,
};
use crate::support::Namespace;

/// How long the store is frozen.
const FROZEN: Duration = Duration::from_secs(10);
/// Between two of them.
const BETWEEN: Duration = Duration::from_secs(3);

/// Which process of the control plane has what id.
fn process(name: &str) -> String {
    let folder =
        std::env::var_os("MOZART_CLUSTER_RUN").expect("a cluster of its own: run `make test-cluster`");
    let text = fs::read_to_string(PathBuf::from(folder).join("pids").join(name)).unwrap();
    text.split_whitespace().next().unwrap().to_owned()
}

async fn command(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().await.unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn signal(signal: &str, process: &str) {
    command("kill", &[signal, process]).await;
}

/// Starts what is missing of the control plane.
async fn start_again() {
    let audit = concat!(env!("CARGO_MANIFEST_DIR"), "/hack/cluster.d/audit.yaml");
    let cluster = concat!(env!("CARGO_MANIFEST_DIR"), "/hack/cluster");
    command(cluster, &["up", "--audit-policy-file", audit]).await;
}

/// The API server dies and is started again.
async fn killed() {
    signal("-KILL", &process("apiserver")).await;
    start_again().await;
}

/// The store answers nobody for a while.
async fn frozen() {
    let store = process("etcd");
    signal("-STOP", &store).await;
    tokio::time::sleep(FROZEN).await;
    signal("-CONT", &store).await;
}

/// While the operator sleeps, what it has watched is forgotten: its watches cannot be taken up where they were.
async fn forgotten(operator: &str, namespace: &Namespace) {
    signal("-STOP", operator).await;
    tokio::time::sleep(BETWEEN).await;
    let revision = namespace.jobs().list(&kube::api::ListParams::default()).await.unwrap();
    let revision = revision.metadata.resource_version.unwrap();
    let port: u16 = std::env::var("MOZART_CLUSTER_PORT").unwrap().parse().unwrap();
    let asked = json!({"revision": revision, "physical": true}).to_string();
    let address = format!("http://127.0.0.1:{}/v3/kv/compaction", port + 1);
    let answer = command("curl", &["--silent", "--show-error", "--fail", "--data", &asked, &address]).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert!(answer["header"]["revision"].is_string(), "{answer}");
    killed().await;
    signal("-CONT", operator).await;
}

#[tokio::test]
async fn a_server_that_dies_freezes_and_forgets_costs_no_batch_a_second_start() {
    let outages = setting("MOZART_TEST_OUTAGES").unwrap_or(3);
    // About as many as are done meanwhile.
    let batches = 30 * outages;
    let work = Work::new(script).await;
    let mut operator = work.place.start(ACCOUNT);
    let process = operator.id().unwrap().to_string();
    let spec = json!({
        "batch": {"size": 1, "totalItems": batches, "parallelism": 4},
        "retry": {"baseDelaySeconds": 0.1},
    });
    submit(&work.namespace, "night", &on_the_node(&work.namespace, &spec)).await;
    until(&work.namespace, "night", "runs", |status| status["phase"] == "Running").await;
    for outage in 0..outages {
        tokio::time::sleep(BETWEEN).await;
        match outage % 3 {
            0 => killed().await,
            1 => frozen().await,
            _ => forgotten(&process, &work.namespace).await,
        }
        assert_eq!(operator.try_wait().unwrap(), None, "the operator outlives the server");
    }
    until(&work.namespace, "night", "completes", |status| status["lastRun"]["outcome"] == "Complete").await;
    check(&work, batches).await;
    println!("{batches} batches, {outages} outages of the API server: 0 lost, 0 started twice");
    work.end().await;
}
