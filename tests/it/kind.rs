//! `hack/kind`, with programs that only write down how they are called: kind itself needs Docker.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

const CALLED: &str = r#"#!/bin/sh
echo "$(basename "$0") $*" >>"$CALLS"
case "$(basename "$0") $*" in
  "kind get clusters") cat "$CLUSTERS" ;;
  "kind create cluster "*) [ -z "$CONFIGURED" ] || { for last; do :; done; cp "$last" "$CONFIGURED"; } ;;
esac
"#;

/// What is called, a line each, where the clusters of `there` are.
fn calls(arguments: &[&str], there: &str, folder: &Path) -> Vec<String> {
    for name in ["docker", "helm", "kind", "kubectl"] {
        let program = folder.join(name);
        fs::write(&program, CALLED).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(folder.join("clusters"), there).unwrap();
    fs::write(folder.join("calls"), "").unwrap();
    let ended = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/hack/kind"))
        .args(arguments)
        .env("PATH", format!("{}:{}", folder.display(), std::env::var("PATH").unwrap()))
        .env("CALLS", folder.join("calls"))
        .env("CLUSTERS", folder.join("clusters"))
        .env("CONFIGURED", if arguments.contains(&"tests") { folder.join("configured") } else { "".into() })
        .env_remove("KIND_NODE_IMAGE")
        .env_remove("KIND_CONFIG")
        .output()
        .unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    fs::read_to_string(folder.join("calls")).unwrap().lines().map(str::to_owned).collect()
}

fn beginnings(calls: &[String], words: usize) -> Vec<String> {
    calls.iter().map(|call| call.split(' ').take(words).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn one_command_makes_the_cluster_loads_the_images_installs_the_chart_and_runs_the_example() {
    let folder = tempfile::tempdir().unwrap();
    let called = calls(&["--set", "history.enabled=true"], "", folder.path());
    let steps = [
        "docker info",
        "docker build --target",
        "docker build --target",
        "kind get clusters",
        "kind create cluster",
        "kind load docker-image",
        "helm --kube-context kind-mozart",
        "helm --kube-context kind-mozart",
        "kubectl --context kind-mozart",
        "kubectl --context kind-mozart",
        "kubectl --context kind-mozart",
    ];
    assert_eq!(beginnings(&called, 3), steps, "{called:#?}");
    assert!(called[6].ends_with("--set history.enabled=true"), "{}", called[6]);
    assert!(called[9].contains("wait mozartjob/word-count --for=condition=Complete"), "{}", called[9]);
}

#[test]
fn a_cluster_that_is_there_is_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let called = calls(&[], "mozart\nother\n", folder.path());
    assert!(!called.iter().any(|call| call.starts_with("kind create")), "{called:#?}");
    let called = calls(&[], "mozart-test\n", folder.path());
    assert!(called.iter().any(|call| call.starts_with("kind create cluster --wait 180s --name mozart")));
}

#[test]
fn the_tests_get_a_cluster_anew_that_sees_their_folder_under_its_own_name() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let called = calls(&["tests", place], "", folder.path());
    let steps = ["docker build", "docker build", "kind delete", "kind get", "kind create", "kind load"];
    assert_eq!(beginnings(&called, 2), steps, "{called:#?}");
    assert!(called[4].contains(&format!("--kubeconfig {place}/kubeconfig")), "{}", called[4]);
    let configured = fs::read_to_string(folder.path().join("configured")).unwrap();
    assert!(
        configured.contains(&format!("hostPath: \"{place}\", containerPath: \"{place}\"")),
        "{configured}"
    );
}
