//! `kubectl mozart list` of many jobs, beside the bare request for what it shows.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures::{StreamExt as _, stream};
use kube::{
    Client,
    api::{Patch, PatchParams},
    config::Kubeconfig,
};
use secrecy::ExposeSecret;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    jobs::{Job, batches},
    kubernetes::Kubernetes,
    report::Report,
    sample::{Sample, in_turn, time},
};

const JOBS: u32 = 1000;
const REPEATS: usize = 30;

/// 1,000 jobs in the middle of a run of 10,000 batches, as their status has them; no operator is needed to show them.
pub async fn compare(report: &Report, kubernetes: &Kubernetes) {
    let count = batches(JOBS);
    let namespace = kubernetes.namespace().await;
    let jobs = kubernetes.jobs(&namespace);
    let done: Vec<String> = (0..400).map(|range| format!("{}-{}", range * 20 + 1, range * 20 + 15)).collect();
    let status = json!({"status": {
        "observedGeneration": 1, "phase": "Running", "progress": "6000/10000", "activeRun": 1,
        "waiting": "limit of credential default until 14:00Z",
        "batches": {"total": 10_000, "ofTotal": 10_000, "succeeded": 6000, "failed": 0, "running": 50, "waiting": 0,
            "pending": 3950},
        "checkpoint": {"version": 1, "seq": 812, "succeeded": done.join(",")},
    }});
    stream::iter(0..count)
        .for_each_concurrent(16, |number| {
            let (jobs, status) = (jobs.clone(), status.clone());
            async move {
                let name = format!("listed-{number}");
                Job { name: &name, batches: 10_000, parallelism: 50, pretends: json!({}) }.apply(&jobs).await;
                let written = jobs.patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await;
                written.expect("its administrator may");
            }
        })
        .await;
    let mozart = || time(Command::new(env!("CARGO_BIN_EXE_mozart")).args(["list", "-n", &namespace]));
    let mut curl = Curl::new(&path(&namespace));
    let (own, request) = in_turn(REPEATS, mozart, || time(&mut curl.command));
    report.compare(&format!("`list` of {count} jobs"), &own, "the bare request by curl", &request, 1.2);
    let (mut within, mut kubectl) = (Sample::default(), Sample::default());
    for _repeat in 0..REPEATS {
        within.push(bare(&namespace, count).await);
        kubectl.push(time(Command::new("kubectl").args(["get", "mozartjobs", "-n", &namespace])));
    }
    let other = format!(
        "`kubectl get` {}; the bare request by a program that runs already {}",
        kubectl.text(),
        within.text()
    );
    report.note("the same in other ways", &own.text(), &other);
    kubernetes.delete(namespace).await;
}

/// The question for the table that `list` shows.
fn path(namespace: &str) -> String {
    format!("/apis/mozart.dev/v1alpha1/namespaces/{namespace}/mozartjobs?includeObject=None")
}

const AS_TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";

/// A program that does nothing but this request, by the way that the kubeconfig names.
struct Curl {
    command: Command,
    /// What it shows the server, and what the server must show.
    _files: TempDir,
}

impl Curl {
    fn new(path: &str) -> Self {
        let config = Kubeconfig::read().expect("the cluster of the bench");
        let cluster = config.clusters[0].cluster.as_ref().expect("it has a cluster");
        let user = config.auth_infos[0].auth_info.as_ref().expect("it has a user");
        let files = tempfile::tempdir().expect("room on the disk");
        let mut command = Command::new("curl");
        let url = format!("{}{path}", cluster.server.as_deref().expect("it has an address"));
        command.args(["--silent", "--fail", "--header", &format!("Accept: {AS_TABLE}"), &url]);
        let key = user.client_key_data.as_ref().map(ExposeSecret::expose_secret);
        for (option, data) in [
            ("--cacert", cluster.certificate_authority_data.as_deref()),
            ("--cert", user.client_certificate_data.as_deref()),
            ("--key", key),
        ] {
            let data = BASE64_STANDARD.decode(data.expect("it is in the file")).expect("it is base64");
            let file = files.path().join(&option[2..]);
            fs::write(&file, data).expect("room on the disk");
            command.arg(option).arg(file);
        }
        Self { command, _files: files }
    }
}

/// A connection, the same question, and all of the answer.
async fn bare(namespace: &str, count: u32) -> Duration {
    let since = Instant::now();
    let client = Client::try_default().await.expect("the cluster of the bench");
    let request = http::Request::get(path(namespace))
        .header(http::header::ACCEPT, AS_TABLE)
        .body(Vec::new())
        .expect("a request");
    let text = client.request_text(request).await.expect("its administrator may");
    let took = since.elapsed();
    assert!(text.matches("\"cells\"").count() == count as usize, "{} bytes", text.len());
    took
}
