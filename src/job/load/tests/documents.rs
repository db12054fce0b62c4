//! The manifest of a plain file, and the schema of either form.

use super::super::{Form, manifest_yaml, schema_json};
use super::load;

const PLAIN: &str = r#"
name: commits
workspace: ./out
backend: {type: claude_cli, model: m, skip_permissions: true, working_directory: .}
batch: {size: 10, total_items: 25, parallelism: 1}
prompt:
  template: |
    Review {{ start_item }}.

      Well.
  variables: {answer: "yes", list: [1, {a: 2}], empty: {}}
  stakes: "1T$ tip"
retry: {max_retries: 3}
rate_limit: {wait_minutes: 30, detection_patterns: ["too fast"]}
validations:
  - {type: file_exists, path: "{workspace}/{batch_num}.md"}
notifications:
  - {type: slack, config: {webhook_url_env: HOOK}}
pause_between_batches_seconds: 10
"#;

fn manifest(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job.yaml");
    std::fs::write(&path, text).unwrap();
    manifest_yaml(&path).unwrap().0
}

#[test]
fn a_plain_file_has_a_manifest_with_its_changed_meanings() {
    insta::assert_snapshot!(manifest(PLAIN));
}

#[test]
fn the_manifest_of_a_manifest_is_the_same_job() {
    let once = manifest(PLAIN);
    let twice = manifest(&once);
    let uncommented: Vec<&str> = once.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    assert_eq!(twice.lines().collect::<Vec<_>>(), uncommented);
    let (plain, manifest) = (load(PLAIN).unwrap().job, load(&once).unwrap().job);
    assert_eq!(plain.prompt.template, manifest.prompt.template);
    assert_eq!(plain.prompt.variables, manifest.prompt.variables);
    assert_eq!(plain.rate_limit.wait, manifest.rate_limit.wait);
    assert_eq!(plain.pause, manifest.pause);
    assert_eq!(plain.workspace, manifest.workspace);
}

#[test]
fn the_schema_of_either_form_describes_every_field() {
    for form in [Form::Manifest, Form::Plain] {
        let schema: serde_json::Value = serde_json::from_str(&schema_json(form)).unwrap();
        let mut bare = Vec::new();
        described(&schema, "", &mut bare);
        assert!(bare.is_empty(), "{form:?}: without a description: {bare:?}");
    }
}

fn described(schema: &serde_json::Value, path: &str, bare: &mut Vec<String>) {
    let serde_json::Value::Object(map) = schema else { return };
    for (name, field) in map.get("properties").and_then(|fields| fields.as_object()).into_iter().flatten() {
        let here = format!("{path}.{name}");
        if field.get("description").is_none() {
            bare.push(here.clone());
        }
        described(field, &here, bare);
    }
    for (name, schema) in map.get("$defs").and_then(|defs| defs.as_object()).into_iter().flatten() {
        described(schema, name, bare);
    }
}

#[test]
fn the_plain_schema_has_the_plain_spelling() {
    let schema: serde_json::Value = serde_json::from_str(&schema_json(Form::Plain)).unwrap();
    let fields = |path: &str| -> Vec<String> {
        let map = schema.pointer(path).and_then(|map| map.as_object()).unwrap_or_else(|| panic!("{path}"));
        map.keys().cloned().collect()
    };
    let root = fields("/properties");
    for name in ["name", "workspace", "backend", "batch", "pause_between_batches_seconds", "rate_limit"] {
        assert!(root.contains(&name.to_owned()), "{name}: {root:?}");
    }
    assert!(!fields("/$defs/Batch/properties").contains(&"pause_seconds".to_owned()));
    let limit = fields("/$defs/RateLimit/properties");
    assert!(
        limit.contains(&"wait_minutes".to_owned()) && !limit.contains(&"wait_seconds".to_owned()),
        "{limit:?}"
    );
    assert!(fields("/$defs/Backend/properties").contains(&"skip_permissions".to_owned()));
    assert_eq!(schema["required"], serde_json::json!(["name", "batch", "prompt"]));
}
