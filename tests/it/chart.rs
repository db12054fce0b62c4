//! What the chart holds is made from the types, the operator's rights and its own values.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use mozart::cluster::{
    admission, crd, network,
    role::{IN_NAMESPACES, Right},
};
use serde_json::{Value, json};

use crate::examples::check_generated;

const README: &str = "charts/mozart/README.md";
const BEGIN: &str = "## Values\n";
/// The same table where the documents are read as a book.
const PAGE: &str = "docs/reference/chart.md";

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_definitions_in_the_chart_are_those_of_the_types() {
    for definition in crd::definitions() {
        check_generated(
            &format!("charts/mozart/files/crds/{}", definition.file),
            &read(&format!("crds/{}", definition.file)),
        );
    }
}

#[test]
fn the_rights_in_the_chart_are_those_of_the_operator() {
    let rules: Vec<Value> = IN_NAMESPACES.iter().map(Right::rule).collect();
    let rules = serde_saphyr::to_string(&rules).unwrap();
    check_generated(
        "charts/mozart/files/rights.yaml",
        &format!("# Made from src/cluster/role.rs: change that.\n{rules}"),
    );
}

#[test]
fn the_policies_in_the_chart_are_those_of_mozart_rbac() {
    let policies: Vec<Value> =
        admission::policies().map(|one| json!({"name": one.name, "spec": one.spec})).to_vec();
    let policies = serde_saphyr::to_string(&policies).unwrap();
    check_generated(
        "charts/mozart/files/policies.yaml",
        &format!("# Made from src/cluster/admission.rs: change that.\n{policies}"),
    );
}

#[test]
fn what_the_chart_counts_as_outside_is_what_mozart_network_policy_does() {
    let outside = serde_saphyr::to_string(&network::outside()).unwrap();
    check_generated(
        "charts/mozart/files/outside.yaml",
        &format!("# Made from src/cluster/network.rs: change that.\n{outside}"),
    );
}

#[test]
fn the_chart_and_the_images_that_it_names_are_of_the_version_of_the_program() {
    let chart: Value = serde_saphyr::from_str(&read("charts/mozart/Chart.yaml")).unwrap();
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    let images: Value =
        serde_saphyr::from_str(chart["annotations"]["artifacthub.io/images"].as_str().unwrap()).unwrap();
    let said: Vec<&str> =
        images.as_array().unwrap().iter().map(|one| one["image"].as_str().unwrap()).collect();
    let used = ["image", "batchImage"].map(|image| {
        let repository = values()[image]["repository"].as_str().unwrap().to_owned();
        format!("{repository}:{}", env!("CARGO_PKG_VERSION"))
    });
    assert_eq!(said, used);
}

/// A value of the chart: its path, and the comment above it.
struct Documented {
    path: String,
    text: String,
}

/// Every key of `values.yaml` that has a comment right above it.
fn documented() -> Vec<Documented> {
    let mut found = Vec::new();
    let mut keys: Vec<(usize, String)> = Vec::new();
    let mut text = String::new();
    for line in read("charts/mozart/values.yaml").lines() {
        let written = line.trim_start();
        let indent = line.len() - written.len();
        if let Some(comment) = written.strip_prefix("# ") {
            let space = if text.is_empty() { "" } else { " " };
            text.push_str(space);
            text.push_str(comment);
            continue;
        }
        if let Some((key, _)) = written.split_once(':').filter(|_| !written.starts_with('-')) {
            keys.retain(|(outer, _)| *outer < indent);
            keys.push((indent, key.to_owned()));
            let path = keys.iter().map(|(_, key)| key.as_str()).collect::<Vec<_>>().join(".");
            if !text.is_empty() {
                found.push(Documented { path, text: std::mem::take(&mut text) });
            }
        }
        text.clear();
    }
    found
}

fn values() -> Value {
    serde_saphyr::from_str(&read("charts/mozart/values.yaml")).unwrap()
}

/// The paths of the schema that end in something that is no section of its own.
fn in_schema(prefix: &str, schema: &Value, values: &Value, found: &mut BTreeSet<String>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{prefix}{name}");
        // A section is what the values themselves spell out; below it Kubernetes' own objects begin.
        let inner = &values[name.as_str()];
        if field["properties"].is_object()
            && inner.as_object().is_some_and(|inner| !inner.is_empty())
            && path != "resources"
        {
            in_schema(&format!("{path}."), field, inner, found);
        } else if path != "global" {
            found.insert(path);
        }
    }
}

#[test]
fn every_value_has_a_sentence_and_a_place_in_the_schema() {
    let schema: Value = serde_json::from_str(&read("charts/mozart/values.schema.json")).unwrap();
    let mut wanted = BTreeSet::new();
    in_schema("", &schema, &values(), &mut wanted);
    let written: BTreeSet<String> = documented().into_iter().map(|one| one.path).collect();
    assert!(wanted.len() > 30, "{wanted:?}");
    assert_eq!(written, wanted);
}

#[test]
fn the_readme_of_the_chart_lists_every_value() {
    let values = values();
    let mut table = String::from("\n| value | default | |\n| --- | --- | --- |\n");
    for Documented { path, text } in documented() {
        let default = values.pointer(&format!("/{}", path.replace('.', "/"))).unwrap();
        writeln!(table, "| `{path}` | `{default}` | {text} |").unwrap();
    }
    let page = read(README);
    let (written, _) = page.split_once(BEGIN).expect("the page has a heading for the values");
    check_generated(README, &format!("{written}{BEGIN}{table}"));
    let about = "`helm upgrade --install mozart charts/mozart --set NAME=VALUE` sets one. `values.schema.json` refuses \
                 what is not here or of another type.";
    check_generated(PAGE, &format!("# The chart's values\n\n{about}\n{table}"));
}
