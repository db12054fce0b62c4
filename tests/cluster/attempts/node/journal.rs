//! One file, run on this machine and in a cluster: the journal is the same.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use tokio::process::Command;

use super::{
    super::eventually,
    operator::{install, kubectl},
};
use crate::support::Namespace;

/// Fields that both modes use, and of each what only the other does; values of every kind that YAML has. Batch 2 fails
/// once and says what it was asked, 3 leaves one of two things undone, 4 never does its work, 5 says the hash of what it
/// was asked and is killed.
const FILE: &str = include_str!("same.yaml");

/// The journal of a run on this machine.
async fn here(folder: &Path) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_mozart"))
        .args(["local-run", "same.yaml"])
        .current_dir(folder)
        .env("MOZART_HOME", folder.join("home"))
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "a batch fails for good: {output:?}");
    let journal = find(&folder.join("home"), ".journal.jsonl").expect("stateBackend: json writes one");
    let text = fs::read_to_string(journal).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The file below `folder` whose name ends so.
fn find(folder: &Path, end: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.into_iter().find_map(|path| {
        if path.is_dir() {
            return find(&path, end);
        }
        path.to_str().is_some_and(|name| name.ends_with(end)).then_some(path)
    })
}

/// The journal of a run in the cluster, as the operator logs it.
async fn there(namespace: &Namespace, file: &Path) -> Vec<Value> {
    install(namespace).await;
    kubectl(namespace, &["apply", "--filename", file.to_str().unwrap()]).await;
    kubectl(namespace, &["wait", "--for=condition=Failed", "--timeout=180s", "mozartjob/same"]).await;
    eventually("the end is logged", || async {
        logged(namespace).await.iter().any(|entry| entry["type"] == "RunEnded")
    })
    .await;
    logged(namespace).await
}

async fn logged(namespace: &Namespace) -> Vec<Value> {
    let log = kubectl(namespace, &["logs", "deployment/mozart"]).await;
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| line["target"] == "mozart::journal")
        .map(|line| serde_json::from_str(line["entry"].as_str().unwrap()).unwrap())
        .collect()
}

/// What is compared: the entries of each batch in their order, and those of the run (0), without times and places.
///
/// Left out is what the clock decides: when batches were claimed, whether somebody looked while an attempt ran, and
/// which batch used the time until another's retry.
fn told(journal: Vec<Value>, workspace: &str) -> BTreeMap<u64, Vec<Value>> {
    let mut told: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
    for mut entry in journal {
        if matches!(entry["type"].as_str().unwrap(), "Claimed" | "AttemptStarted") {
            continue;
        }
        for (place, field) in [("", "at"), ("", "until"), ("/outcome", "started"), ("/outcome", "ended")] {
            entry.pointer_mut(place).and_then(Value::as_object_mut).and_then(|fields| fields.remove(field));
        }
        let batch = entry["batch"].as_u64().or_else(|| entry["key"]["batch"].as_u64()).unwrap_or(0);
        let text = entry.to_string().replace(workspace, "WORKSPACE");
        told.entry(batch).or_default().push(serde_json::from_str(&text).unwrap());
    }
    told
}

#[tokio::test]
async fn the_same_file_has_the_same_journal_on_this_machine_and_in_a_cluster() {
    let namespace = Namespace::restricted().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("same.yaml");
    fs::write(&file, FILE).unwrap();
    let workspace = folder.path().join("here");
    let here = told(here(folder.path()).await, workspace.to_str().unwrap());
    let there = told(there(&namespace, &file).await, "/workspace");
    assert_eq!(there.keys().collect::<Vec<_>>(), [&0, &1, &2, &3, &4, &5, &6]);
    for (batch, entries) in &there {
        assert_eq!(entries, &here[batch], "batch {batch}");
    }
    assert_eq!(here.len(), there.len());
    let kinds: Vec<&str> = there.values().flatten().map(|entry| entry["type"].as_str().unwrap()).collect();
    for kind in ["RunStarted", "AttemptEnded", "BatchSucceeded", "RetryScheduled", "BatchFailed", "RunEnded"]
    {
        assert!(kinds.contains(&kind), "{kind}");
    }
    // The file was about something: the prompt is in the entry, as the API server would have it.
    let asked = there[&2][0].to_string();
    for rendered in
        ["whole=1;", "thousand=1000;", "half=2.5;", "big=9223372036854775807;", "hex=31;", "lie=False;"]
    {
        assert!(asked.contains(rendered), "{rendered} in {asked}");
    }
    namespace.delete().await;
}
