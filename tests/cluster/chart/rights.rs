//! The operator gets from the chart what `mozart rbac` prints.

use std::collections::BTreeMap;

use mozart::cluster::{admission, operator::Scope, role::Installation};
use serde_json::{Value, json};

use super::rendered;

/// What grants something to whom, by kind, namespace and name.
fn grants(manifests: &[Value]) -> BTreeMap<String, Value> {
    let operators = |one: &&Value| {
        let kind = one["kind"].as_str().unwrap();
        let hook = one["metadata"]["annotations"].get("helm.sh/hook").is_some();
        let labels = one["metadata"]["labels"].as_object();
        let people = labels.is_some_and(|labels| labels.keys().any(|name| name.contains("aggregate-to")));
        (kind.contains("Role") || kind == "ServiceAccount") && !hook && !people
    };
    let parts = |one: &Value| {
        let name = format!("{} {} {}", one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]);
        (name, json!([one["rules"], one["roleRef"], one["subjects"]]))
    };
    manifests.iter().filter(operators).map(parts).collect()
}

#[tokio::test]
async fn the_rights_of_a_release_are_those_that_mozart_rbac_prints() {
    let named = |names: &[&str]| Scope::Namespaces(names.iter().map(|&name| name.to_owned()).collect());
    for (values, scope, visitors) in [
        ("dashboard: {enabled: false}", named(&["ops"]), false),
        ("jobs: {namespaces: [a, b]}", named(&["a", "b"]), true),
        ("{jobs: {clusterWide: true}, history: {enabled: true}}", Scope::Cluster, true),
    ] {
        let made = rendered("ops", values).await.unwrap();
        let printed =
            Installation { name: "mozart".to_owned(), namespace: "ops".to_owned(), scope, visitors }
                .manifests();
        assert_eq!(grants(&made), grants(&printed), "{values}");
    }
}

#[tokio::test]
async fn the_policies_of_a_release_are_those_that_mozart_rbac_prints() {
    let scope = |names: &[&str]| Scope::Namespaces(names.iter().map(|&name| name.to_owned()).collect());
    for (values, scope) in [
        ("{}", scope(&["ops"])),
        ("jobs: {namespaces: [a, b]}", scope(&["a", "b"])),
        ("jobs: {clusterWide: true}", Scope::Cluster),
    ] {
        let of_admission = |one: &Value| one["kind"].as_str().unwrap().starts_with("ValidatingAdmission");
        let part = |one: &Value| json!([one["kind"], one["metadata"]["name"], one["spec"]]);
        let made: Vec<Value> =
            rendered("ops", values).await.unwrap().iter().filter(|one| of_admission(one)).map(part).collect();
        let installation =
            Installation { name: "mozart".to_owned(), namespace: "ops".to_owned(), scope, visitors: false };
        let mut printed: Vec<Value> = admission::manifests(&installation).iter().map(part).collect();
        let mut made = made;
        made.sort_by_key(ToString::to_string);
        printed.sort_by_key(ToString::to_string);
        assert_eq!(made, printed, "{values}");
    }
    let off = rendered("ops", "admission: {enabled: false}").await.unwrap();
    assert!(off.iter().all(|one| !one["kind"].as_str().unwrap().starts_with("ValidatingAdmission")));
}

#[tokio::test]
async fn nothing_in_the_chart_gives_a_right_on_secrets_on_everything_or_on_a_status() {
    let manifests = rendered("ops", "{jobs: {clusterWide: true}, history: {enabled: true}}").await.unwrap();
    let rules = manifests.iter().filter_map(|one| Some((&one["metadata"], one["rules"].as_array()?)));
    let mut seen = 0;
    for (metadata, rule) in rules.flat_map(|(metadata, rules)| rules.iter().map(move |rule| (metadata, rule)))
    {
        seen += 1;
        let text = rule.to_string();
        for never in ["secrets", "*", "impersonate", "escalate", "bind"] {
            assert!(!text.contains(never), "{metadata}: {text}");
        }
        // Nobody but the operator itself writes what it goes by.
        assert!(metadata["name"] == "mozart" || !text.contains("/status"), "{metadata}: {text}");
    }
    assert!(seen > 10);
}
