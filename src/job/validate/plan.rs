//! What is pinned while a run is active, as text and as a hash.

use serde_json::{Map, Value, json};

use crate::job::{load::Node, model::Job, yaml_text};

/// The pinned part as YAML with sorted keys: what is written of `backend`, `batch` (but parallelism and pause),
/// `validations`, `execution` and `pod`; the workspace; the prompt with its template's text; and the items, by their
/// number and hash where they were read from elsewhere.
pub fn text(job: &Job, tree: &Node) -> String {
    let spec = tree.get("spec");
    let written = |name: &str| spec.and_then(|spec| spec.get(name)).map(Node::to_json);
    let mut batch = written("batch").unwrap_or_default();
    if let Value::Object(map) = &mut batch {
        map.remove("parallelism");
        map.remove("pauseSeconds");
        if let Some(items) = job.batches.items.as_ref().filter(|items| items.pinned.is_some()) {
            map.insert(
                "pinnedItems".to_owned(),
                json!({"count": items.values.len(), "sha256": items.pinned}),
            );
        }
    }
    let mut prompt = Map::new();
    prompt.insert("template".to_owned(), Value::from(job.prompt.template.as_str()));
    prompt.insert("variables".to_owned(), job.prompt.variables.clone().into_iter().collect());
    for (name, text) in [("stakes", &job.prompt.stakes), ("thinkingMethod", &job.prompt.thinking_method)] {
        if let Some(text) = text {
            prompt.insert(name.to_owned(), Value::from(text.as_str()));
        }
    }
    prompt.insert("appendUnused".to_owned(), Value::from(job.prompt.append_unused));
    let mut plan = Map::new();
    for name in ["backend", "execution", "pod", "validations"] {
        if let Some(value) = written(name) {
            plan.insert(name.to_owned(), value);
        }
    }
    plan.insert("batch".to_owned(), batch);
    plan.insert("prompt".to_owned(), Value::Object(prompt));
    let workspace = json!({"path": job.workspace.path.to_string_lossy(), "shared": job.workspace.shared});
    plan.insert("workspace".to_owned(), workspace);
    let mut plan = Value::Object(plan);
    plan.sort_all_objects();
    yaml_text::write(&plan, &|_| None)
}
