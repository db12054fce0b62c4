//! The definitions are what `crds/` holds, bounded throughout, and say what every field is.

use std::{fs, path::Path};

use serde_json::Value;

use super::{Definition, definitions};

fn schema(definition: &Definition) -> &Value {
    &definition.object["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

/// Calls `visit` with every node of the spec and the status, and its path.
fn walk(node: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, node);
    for (name, child) in node["properties"].as_object().into_iter().flatten() {
        let top = path.is_empty() && !matches!(name.as_str(), "spec" | "status");
        if !top {
            walk(child, &format!("{path}.{name}"), visit);
        }
    }
    for (key, suffix) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(child) = node.get(key) {
            walk(child, &format!("{path}{suffix}"), visit);
        }
    }
}

fn problems(mut of: impl FnMut(&Value) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    for definition in definitions() {
        walk(schema(&definition), "", &mut |path, node| {
            found.extend(of(node).map(|problem| format!("{} {path}: {problem}", definition.file)));
        });
    }
    found
}

#[test]
fn the_folder_crds_holds_what_the_types_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    for definition in definitions() {
        let stored = fs::read_to_string(folder.join(definition.file)).unwrap_or_default();
        let made = definition.yaml().unwrap();
        assert!(stored == made, "crds/{} is stale: run `mozart crd --dir crds`", definition.file);
    }
}

#[test]
fn everything_is_bounded() {
    let unbounded = problems(|node| {
        let has = |key: &str| node.get(key).is_some();
        let missing: &[&str] = match node["type"].as_str() {
            Some("string") if !has("enum") => &["maxLength"],
            Some("array") => &["maxItems"],
            Some("integer" | "number") => &["minimum", "maximum"],
            Some("object") if has("additionalProperties") => &["maxProperties"],
            _ => &[],
        };
        let missing: Vec<&str> = missing.iter().copied().filter(|key| !has(key)).collect();
        (!missing.is_empty()).then(|| format!("lacks {}", missing.join(", ")))
    });
    assert_eq!(unbounded, Vec::<String>::new());
}

#[test]
fn every_field_says_what_it_is() {
    let silent = problems(|node| {
        let silent =
            |(name, field): (&String, &Value)| field.get("description").is_none().then(|| name.clone());
        let fields: Vec<String> = node["properties"].as_object()?.iter().filter_map(silent).collect();
        let fields: Vec<String> = fields.into_iter().filter(|name| name != "metadata").collect();
        (!fields.is_empty()).then(|| fields.join(", "))
    });
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn every_list_says_how_it_is_merged() {
    let unsaid = problems(|node| {
        (node["type"] == "array" && node.get("x-kubernetes-list-type").is_none())
            .then(|| "no list type".to_owned())
    });
    assert_eq!(unsaid, Vec::<String>::new());
}

/// A default is filled in before rules run, so in a union it would look as if it had been written.
#[test]
fn no_default_stands_in_a_union() {
    let mut with_default = Vec::new();
    for definition in definitions() {
        walk(schema(&definition), "", &mut |path, node| {
            with_default.extend(node.get("default").map(|_| path.to_owned()));
        });
    }
    assert_eq!(with_default, [".spec.batch.parallelism"]);
}
