//! The chart, rendered and installed by the real Helm: run `make test-cluster`, which installs it.

mod accepted;
mod node;
mod refused;
mod rights;

use std::process::Stdio;

use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, process::Command};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/mozart");

/// What `helm` says; `Err` holds why it refused.
async fn helm(arguments: &[&str], values: &str) -> Result<String, String> {
    let mut helm = Command::new("helm")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("helm is there: run `make tools`");
    helm.stdin.take().unwrap().write_all(values.as_bytes()).await.unwrap();
    let output = helm.wait_with_output().await.unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

/// The objects of a release `mozart`, hooks and tests included.
async fn rendered(namespace: &str, values: &str) -> Result<Vec<Value>, String> {
    let text =
        helm(&["template", "mozart", CHART, "--namespace", namespace, "--values", "-"], values).await?;
    let documents = text.split("\n---\n").map(|document| serde_saphyr::from_str(document).unwrap());
    Ok(documents.filter(|document: &Value| document.is_object()).collect())
}

/// The variants that are checked: the files `ci/*.yaml` of the chart.
fn variants() -> Vec<(String, String)> {
    let folder = std::fs::read_dir(format!("{CHART}/ci")).unwrap();
    let mut variants: Vec<_> = folder
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap())
        })
        .collect();
    variants.sort();
    assert!(variants.len() >= 10, "{variants:?}");
    variants
}
