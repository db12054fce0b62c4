//! The tutorial in a cluster, as a newcomer types it.

use std::{fs, process::Stdio};

use tokio::process::Command;

use crate::support::Namespace;

/// What the page leaves to `make image` and to a cluster that nobody else uses.
const HERE: &str = "helm install --take-ownership --force-conflicts --set image.tag=test \
                    --set rbac.aggregate=false";
const EXAMPLE: &str = "examples/in-cluster.yaml";

#[tokio::test]
async fn the_tutorial_in_a_cluster_does_what_it_says() {
    // For the definitions, that a release finds and takes over.
    let namespace = Namespace::new().await;
    let root = env!("CARGO_MANIFEST_DIR");
    let page = fs::read_to_string(format!("{root}/docs/tutorials/cluster.md")).unwrap();
    let blocks = page.split("```sh\n").skip(1).map(|rest| rest.split_once("\n```").unwrap().0);
    let commands = blocks.collect::<Vec<_>>().join("\n");
    assert!(commands.contains("helm install mozart"), "{commands}");
    // The image that `make image` makes for batches is a large one to load; this one gets Mozart when it starts.
    let job = fs::read_to_string(format!("{root}/{EXAMPLE}")).unwrap();
    let job = job.replacen("\nspec:\n", "\nspec:\n  pod: {image: localhost/batch:test}\n", 1);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("job.yaml");
    fs::write(&file, job).unwrap();
    let commands = commands.replace("helm install", HERE).replace(EXAMPLE, file.to_str().unwrap());
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &commands])
        .current_dir(root)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let row = said.lines().find(|line| line.starts_with("word-count ")).unwrap();
    assert_eq!(
        row.split_whitespace().take(3).collect::<Vec<_>>(),
        ["word-count", "Complete", "2/2"],
        "{said}"
    );
    namespace.delete().await;
}
