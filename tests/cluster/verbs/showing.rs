use serde_json::{Value, json};

use super::{Desk, complete, failed, running, suspended, unfit, waiting};

async fn desk() -> Desk {
    let desk = Desk::new().await;
    for (name, status) in [
        ("docs", complete()),
        ("fresh", Value::Null),
        ("migration", suspended()),
        ("night", waiting()),
        ("review", running()),
        ("tests", failed()),
        ("wrong", unfit()),
    ] {
        desk.job(name, &status).await;
    }
    desk
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_listed_and_shown_as_kubectl_would() {
    let desk = desk().await;
    let lines = [
        "list",
        "list -o wide",
        "list -o name",
        "list --failed",
        "list -l team=b",
        "get docs",
        "get fresh",
        "get migration",
        "get night",
        "get review",
        "get tests -o wide",
        "get wrong",
        "get review -o name",
        "get",
        "get nobody",
        "status review --batch 3",
    ];
    insta::assert_snapshot!(desk.session(&lines).await);
    let (code, shown) = desk.on_terminal(&["list"], "").await;
    insta::assert_snapshot!("list_on_a_terminal", format!("{}\n[{code}]", desk.steady(&shown)));
    let (code, shown) = desk.on_terminal(&["get", "tests"], "").await;
    insta::assert_snapshot!("get_on_a_terminal", format!("{}\n[{code}]", desk.steady(&shown)));
    desk.namespace.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_and_yaml_hold_the_objects_as_they_are() {
    let desk = desk().await;
    let json: Value = serde_json::from_str(&desk.run(&["list", "-o", "json"]).await.stdout).unwrap();
    let yaml: Value = serde_saphyr::from_str(&desk.run(&["list", "-o", "yaml"]).await.stdout).unwrap();
    assert_eq!(json, yaml);
    assert_eq!(json.as_array().unwrap().len(), 7);
    let one: Value = serde_json::from_str(&desk.run(&["get", "review", "-o", "json"]).await.stdout).unwrap();
    assert_eq!(one, json[4]);
    assert_eq!((&one["kind"], &one["status"]["batches"]["succeeded"]), (&json!("MozartJob"), &json!(41)));
    assert_eq!(one["metadata"].get("managedFields"), None);
    desk.namespace.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_meant_by_the_plugins_name_or_by_what_names_one() {
    let desk = desk().await;
    let here = desk.place.run(&["list"]);
    assert!(here.stderr.contains("no job was run yet"), "{}", here.stderr);
    let kubeconfig = std::env::var("KUBECONFIG").unwrap();
    for words in [
        &["list", "-n", &desk.namespace.name][..],
        &["list", "--cluster", "--namespace", &desk.namespace.name],
        &["list", "--kubeconfig", &kubeconfig, "-n", &desk.namespace.name],
    ] {
        let mut command = desk.place.mozart(words);
        command.env("KUBECONFIG", &kubeconfig);
        let ran = tokio::task::block_in_place(|| desk.place.output_of(command));
        assert!(ran.stdout.contains("migration  Suspended"), "{words:?}: {}{}", ran.stdout, ran.stderr);
    }
    insta::assert_snapshot!(desk.session(&["run job.yaml", "prune", "list --context nowhere"]).await);
    desk.namespace.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_help_of_the_plugin_has_what_a_cluster_has() {
    let desk = Desk::new().await;
    let mut command = std::process::Command::new(&desk.plugin);
    command.arg("-h").env_clear();
    let ran = tokio::task::block_in_place(|| desk.place.output_of(command));
    insta::assert_snapshot!(ran.stdout);
    assert!(ran.stdout.lines().count() <= 45, "{}", ran.stdout);
    desk.namespace.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_what_a_cluster_lacks_and_what_to_do() {
    let desk = desk().await;
    let said = desk.session(&["doctor"]).await;
    let said = regex::Regex::new(r"v1\.\d+\.\d+\S*").unwrap().replace_all(&said, "[version]");
    // Other tests install the chart, or do not, meanwhile.
    let said =
        regex::Regex::new(r"(?m)^. operator .*\n(  .*\n)?").unwrap().replace_all(&said, "[operator]\n");
    insta::assert_snapshot!(said);
    desk.namespace.delete().await;
}
